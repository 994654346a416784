//! Which parameters does a network of this size have, and what are their initial values?
//!
//! The images, the width and the number of classes determine everything else. Names are those of the weight files; the
//! order is that in which the network uses the parameters.

use anyhow::ensure;
use rand::RngExt;

use super::native::Layer;
use crate::data::random::{Purpose, stream};
use kana_engine::image::Shape;

/// Outputs of the first dense layer.
pub const DENSE_WIDTH: usize = 128;
/// Rows and columns of the smallest image that leaves a pixel after four convolutions and two pools.
const SIDE_MIN: usize = 20;
/// Largest number of channels of the first convolution: 64 times the parameters of the built-in model.
const WIDTH_MAX: usize = 256;
/// Rows and columns of the kernel of every convolution.
pub const KERNEL_SIZE: usize = 3;

/// Architecture of a network of the family that [`super::native`] describes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Architecture {
    /// Shape of the images that the network takes.
    pub image_shape: Shape,
    /// Output channels of the first two convolutions; the last two have twice as many.
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
    /// Checks that the images are large enough, the width is within its bounds and there are two classes or more.
    ///
    /// # Errors
    /// Returns which of them is not, with its value.
    pub fn checked(self) -> anyhow::Result<Self> {
        let Shape { height, width, .. } = self.image_shape;
        ensure!(
            height.min(width) >= SIDE_MIN,
            "images are {}, the network needs at least {SIDE_MIN} rows and columns",
            self.image_shape
        );
        ensure!((1..=WIDTH_MAX).contains(&self.width), "width is {}, expected 1 to {WIDTH_MAX}", self.width);
        ensure!(self.class_count >= 2, "the data set has {} classes, expected two or more", self.class_count);
        Ok(self)
    }

    /// Returns the number of inputs of the first dense layer.
    pub fn features(&self) -> usize {
        let [_, _, _, last] = Layer::of_network(self);
        last.outputs * last.output().pixels()
    }

    /// Lists the trainable parameters, in the order of use.
    pub fn trainable(&self) -> Vec<TensorSpec> {
        let (narrow, wide) = (self.width, 2 * self.width);
        let channels = [self.image_shape.channels, narrow, narrow, wide, wide];
        let mut specs = Vec::new();
        for layer in 1..=4 {
            let (from, to) = (channels[layer - 1], channels[layer]);
            specs.push(TensorSpec::new(format!("conv{layer}.weight"), &[to, from, KERNEL_SIZE, KERNEL_SIZE]));
            specs.push(TensorSpec::new(format!("conv{layer}.bias"), &[to]));
            if layer < 4 {
                specs.push(TensorSpec::new(format!("norm{layer}.gamma"), &[to]));
                specs.push(TensorSpec::new(format!("norm{layer}.beta"), &[to]));
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
        let of = |layer: usize, channels: usize| {
            ["mean", "variance"].map(|name| TensorSpec::new(format!("norm{layer}.{name}"), &[channels]))
        };
        [of(1, self.width), of(2, self.width), of(3, 2 * self.width)].into_iter().flatten().collect()
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

    const SMALLEST: Architecture =
        Architecture { image_shape: Shape { channels: 1, height: 20, width: 20 }, width: 3, class_count: 2 };

    #[test]
    fn the_smallest_image_leaves_one_pixel_a_channel() {
        assert_eq!(SMALLEST.features(), 6);
    }

    #[test]
    fn an_image_that_leaves_no_pixel_is_refused() {
        let image_shape = Shape { channels: 1, height: 19, width: 28 };

        let error = Architecture { image_shape, ..SMALLEST }.checked().unwrap_err();

        assert!(error.to_string().contains("at least 20"), "{error}");
    }

    #[test]
    fn initial_weights_stay_within_their_bound_and_biases_are_zero() {
        let parameters = Parameters::initial(&SMALLEST, 1);

        let bound = (6.0_f32 / 9.0).sqrt();
        assert!(parameters.trainable[0].iter().all(|weight| weight.abs() <= bound && *weight != 0.0));
        assert!(parameters.trainable[1].iter().all(|bias| *bias == 0.0));
    }
}
