//! Which parameters does a network of this size have, and what are their initial values?
//!
//! The shape of the images, the depth, the width and the number of classes determine everything else. Names are those of the weight files; the
//! order is that in which the network uses the parameters.

use anyhow::ensure;
use rand::RngExt;

use super::native::Layer;
use crate::data::classes::CLASSES_MAX;
use crate::data::random::{Purpose, stream};
use kana_engine::image::Shape;

/// Outputs of the first dense layer.
pub const DENSE_WIDTH: usize = 128;
/// Convolutions of the smallest network: the first, one with a pool, the last.
const DEPTH_MIN: usize = 3;
/// Convolutions of the largest network: it leaves two rows and columns of images of 384.
const DEPTH_MAX: usize = 8;
/// Rows and columns of an image of which [`DEPTH_MIN`] convolutions leave one: (10 − 2 − 2) / 2 − 2. Each further one with
/// its pool needs twice as many.
const SIDE_MIN: usize = 10;
/// Rows and columns of an image of which [`DEPTH_MIN`] convolutions leave two; again, each further one needs twice as many.
const SIDE_OF_TWO: usize = 12;
/// Largest number of channels of the first convolution: 64 times the parameters of the built-in model.
const WIDTH_MAX: usize = 256;
/// Rows and columns of the kernel of every convolution.
pub const KERNEL_SIZE: usize = 3;

/// Architecture of a network of the family that [`super::native`] describes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Architecture {
    /// Shape of the images that the network takes.
    pub image_shape: Shape,
    /// Number of convolutions. All but the first and the last are pooled.
    pub depth: usize,
    /// Output channels of the first two convolutions; the later ones have twice as many.
    pub width: usize,
    /// Number of classes.
    pub class_count: usize,
}

/// Name and shape of a tensor of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorSpec {
    /// Name in the weight files.
    pub name: String,
    /// Size of each dimension.
    pub shape: Vec<usize>,
}

impl TensorSpec {
    fn new(name: impl Into<String>, shape: &[usize]) -> Self {
        Self { name: name.into(), shape: shape.to_vec() }
    }

    /// Returns the number of elements.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

impl Architecture {
    /// Creates the architecture for images of this shape, with as many convolutions as leave two rows and columns of them:
    /// three below a side of 24, four from there on, and one more whenever the side doubles.
    pub fn new(image_shape: Shape, width: usize, class_count: usize) -> Self {
        let side = image_shape.height.min(image_shape.width);
        let leaves_two = |depth: &usize| side >= SIDE_OF_TWO << (depth - DEPTH_MIN);
        let depth = (DEPTH_MIN + 1..=DEPTH_MAX).rev().find(leaves_two).unwrap_or(DEPTH_MIN);
        Self { image_shape, depth, width, class_count }
    }

    /// Checks that the images are large enough, and that depth, width and number of classes are within their bounds.
    ///
    /// # Errors
    /// Returns which of them is not, with its value.
    pub fn checked(self) -> anyhow::Result<Self> {
        let Shape { height, width, .. } = self.image_shape;
        let depths = DEPTH_MIN..=DEPTH_MAX;
        ensure!(depths.contains(&self.depth), "depth is {}, expected {DEPTH_MIN} to {DEPTH_MAX}", self.depth);
        let least = SIDE_MIN << (self.depth - DEPTH_MIN);
        ensure!(
            height.min(width) >= least,
            "images are {}, a network of {} convolutions needs at least {least} rows and columns",
            self.image_shape,
            self.depth
        );
        ensure!((1..=WIDTH_MAX).contains(&self.width), "width is {}, expected 1 to {WIDTH_MAX}", self.width);
        let classes = self.class_count;
        ensure!(
            (2..=CLASSES_MAX).contains(&classes),
            "the data set has {classes} classes, expected 2 to {CLASSES_MAX}"
        );
        Ok(self)
    }

    /// Returns the number of inputs of the first dense layer.
    pub fn features(&self) -> usize {
        let last = Layer::of_network(self).pop().expect("BUG: a network has three convolutions at least");
        last.outputs * last.output().pixels()
    }

    /// Lists the trainable parameters, in the order of use.
    pub fn trainable(&self) -> Vec<TensorSpec> {
        let mut specs = Vec::new();
        for (number, layer) in (1..).zip(Layer::of_network(self)) {
            let (from, to) = (layer.inputs, layer.outputs);
            specs.push(TensorSpec::new(format!("conv{number}.weight"), &[to, from, KERNEL_SIZE, KERNEL_SIZE]));
            specs.push(TensorSpec::new(format!("conv{number}.bias"), &[to]));
            if number < self.depth {
                specs.push(TensorSpec::new(format!("norm{number}.gamma"), &[to]));
                specs.push(TensorSpec::new(format!("norm{number}.beta"), &[to]));
            }
        }
        specs.push(TensorSpec::new("dense1.weight", &[DENSE_WIDTH, self.features()]));
        specs.push(TensorSpec::new("dense1.bias", &[DENSE_WIDTH]));
        specs.push(TensorSpec::new("dense2.weight", &[self.class_count, DENSE_WIDTH]));
        specs.push(TensorSpec::new("dense2.bias", &[self.class_count]));
        specs
    }

    /// Lists the running statistics that training measures and the finished network normalises by, in the order of use.
    pub fn statistics(&self) -> Vec<TensorSpec> {
        let of = |(number, layer): (usize, Layer)| {
            ["mean", "variance"].map(|name| TensorSpec::new(format!("norm{number}.{name}"), &[layer.outputs]))
        };
        (1..self.depth).zip(Layer::of_network(self)).flat_map(of).collect()
    }
}

/// Parameters of a network in host memory, as weight files and checkpoints contain them.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// Values of each tensor of [`Architecture::trainable`].
    pub trainable: Vec<Vec<f32>>,
    /// Values of each tensor of [`Architecture::statistics`].
    pub statistics: Vec<Vec<f32>>,
}

impl Parameters {
    /// Draws the parameters before training: He-uniform weights (K. He et al.: Delving Deep into Rectifiers, 2015), which
    /// keep the scale of activations through ReLU, and zero biases.
    pub fn initial(architecture: &Architecture, seed: u64) -> Self {
        let initial = |(position, spec): (usize, TensorSpec)| {
            let fan_in: usize = spec.shape.iter().skip(1).product();
            // No ReLU follows the last layer; a tenth of the scale gives almost uniform probabilities at first.
            let is_last = spec.name.starts_with("dense2");
            let bound = (6.0 / fan_in as f32).sqrt() * if is_last { 0.1 } else { 1.0 };
            let mut random = stream(seed, Purpose::Weights, [position as u64, 0]);
            let mut value = || match spec.name.rsplit('.').next() {
                Some("weight") => random.random_range(-bound..bound),
                Some("gamma") => 1.0,
                _ => 0.0,
            };
            (0..spec.count()).map(|_| value()).collect()
        };
        let trainable = architecture.trainable().into_iter().enumerate().map(initial).collect();
        let of = |spec: TensorSpec| vec![if spec.name.ends_with("variance") { 1.0 } else { 0.0 }; spec.count()];
        Self { trainable, statistics: architecture.statistics().into_iter().map(of).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(side: usize) -> Architecture {
        Architecture::new(Shape { channels: 1, height: side, width: side }, 3, 2)
    }

    #[test]
    fn the_depth_follows_the_side_and_leaves_at_least_two_rows() {
        let depths = [10, 16, 23, 24, 28, 47, 48, 64, 95, 96, 1_024].map(|side| square(side).depth);
        assert_eq!(depths, [3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 8]);
        for side in (12..=64).chain([96, 384]) {
            assert!(square(side).features() >= 2 * 2 * 6, "{side}");
        }
    }

    #[test]
    fn the_smallest_image_leaves_one_pixel_a_channel() {
        assert_eq!(square(10).features(), 6);
        assert_eq!(Architecture { depth: 4, ..square(20) }.features(), 6);
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_with_its_value() {
        let small = Shape { channels: 1, height: 19, width: 28 };
        let table = [
            (square(9), "images are 1×9×9, a network of 3 convolutions needs at least 10 rows"),
            (Architecture { image_shape: small, depth: 4, ..square(28) }, "needs at least 20 rows"),
            (Architecture { depth: 9, ..square(28) }, "depth is 9, expected 3 to 8"),
            (Architecture { width: 0, ..square(28) }, "width is 0, expected 1 to 256"),
            (Architecture { class_count: 1, ..square(28) }, "has 1 classes, expected 2 to 1000"),
            (Architecture { class_count: 1_001, ..square(28) }, "has 1001 classes"),
        ];
        for (architecture, expected) in table {
            let error = architecture.checked().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn initial_weights_stay_within_their_bound_and_biases_are_zero() {
        let parameters = Parameters::initial(&square(20), 1);

        let bound = (6.0_f32 / 9.0).sqrt();
        assert!(parameters.trainable[0].iter().all(|weight| weight.abs() <= bound && *weight != 0.0));
        assert!(parameters.trainable[1].iter().all(|bias| *bias == 0.0));
    }
}
