//! Which numbers does a network of this size have, and what are they called?
//!
//! A [`Plan`] follows from the images, the width and the number of classes. Its names are those of the weight files, its
//! order that in which the network uses them.

use anyhow::ensure;
use rand::RngExt;

use crate::data::random::{Purpose, stream};
use kana_engine::image::Shape;

/// Outputs of the first dense layer.
pub const DENSE_WIDTH: usize = 128;
/// Rows and columns of the smallest image that leaves a pixel after four convolutions and two pools.
const SIDE_MIN: usize = 20;
/// Channels of the first convolution, at most: 64 times the parameters of the shipped model.
const WIDTH_MAX: usize = 256;
/// Rows and columns of every convolution's kernel.
pub const KERNEL: usize = 3;

/// The network's measures, from which all others follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// What it looks at.
    pub shape: Shape,
    /// Channels of the first two convolutions; the last two have twice as many.
    pub width: usize,
    /// How many classes it tells apart.
    pub class_count: usize,
}

/// Extents of the activations that some are dropped from, an image.
pub struct Activations {
    /// Behind norm2: channels, rows, columns.
    pub second: [usize; 3],
    /// Behind norm3: channels, rows, columns.
    pub third: [usize; 3],
    /// Before dense1.
    pub flat: usize,
    /// Behind dense1.
    pub dense: usize,
}

/// A named array of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// As in the weight files.
    pub name: String,
    /// Its extents.
    pub extents: Vec<usize>,
}

impl Slot {
    fn new(name: impl Into<String>, extents: &[usize]) -> Self {
        Self { name: name.into(), extents: extents.to_vec() }
    }

    /// How many numbers it has.
    pub fn count(&self) -> usize {
        self.extents.iter().product()
    }
}

impl Plan {
    /// The plan, where images are large enough for four convolutions and two pools.
    ///
    /// # Errors
    /// Where they are not, or where nothing is to be told apart.
    pub fn checked(self) -> anyhow::Result<Self> {
        let Shape { height, width, .. } = self.shape;
        ensure!(
            height.min(width) >= SIDE_MIN,
            "images are {} and the network needs at least {SIDE_MIN} rows and columns",
            self.shape
        );
        ensure!((1..=WIDTH_MAX).contains(&self.width), "width is {}, expected 1 to {WIDTH_MAX}", self.width);
        ensure!(self.class_count >= 2, "{} classes, expected two or more", self.class_count);
        Ok(self)
    }

    /// The extents of what is dropped from.
    pub fn activations(&self) -> Activations {
        let shrink = |side: usize, by: usize| side.saturating_sub(by);
        let second = [self.shape.height, self.shape.width].map(|side| shrink(side, 2 * (KERNEL - 1)) / 2);
        let third = second.map(|side| shrink(side, KERNEL - 1) / 2);
        let last = third.map(|side| shrink(side, KERNEL - 1));
        Activations {
            second: [self.width, second[0], second[1]],
            third: [2 * self.width, third[0], third[1]],
            flat: 2 * self.width * last[0] * last[1],
            dense: DENSE_WIDTH,
        }
    }

    /// What training changes, in the order of use.
    pub fn parameters(&self) -> Vec<Slot> {
        let (narrow, wide) = (self.width, 2 * self.width);
        let channels = [self.shape.channels, narrow, narrow, wide, wide];
        let mut slots = Vec::new();
        for layer in 1..=4 {
            let (from, to) = (channels[layer - 1], channels[layer]);
            slots.push(Slot::new(format!("conv{layer}.weight"), &[to, from, KERNEL, KERNEL]));
            slots.push(Slot::new(format!("conv{layer}.bias"), &[to]));
            if layer < 4 {
                slots.push(Slot::new(format!("norm{layer}.gamma"), &[to]));
                slots.push(Slot::new(format!("norm{layer}.beta"), &[to]));
            }
        }
        slots.push(Slot::new("dense1.weight", &[DENSE_WIDTH, self.activations().flat]));
        slots.push(Slot::new("dense1.bias", &[DENSE_WIDTH]));
        slots.push(Slot::new("dense2.weight", &[self.class_count, DENSE_WIDTH]));
        slots.push(Slot::new("dense2.bias", &[self.class_count]));
        slots
    }

    /// What training measures and the finished network normalises by.
    pub fn statistics(&self) -> Vec<Slot> {
        let of = |layer: usize, channels: usize| {
            ["mean", "variance"].map(|what| Slot::new(format!("norm{layer}.{what}"), &[channels]))
        };
        [of(1, self.width), of(2, self.width), of(3, 2 * self.width)].into_iter().flatten().collect()
    }
}

/// The numbers of a network, off the device: what weight files and checkpoints hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    /// One array a slot of [`Plan::parameters`].
    pub parameters: Vec<Vec<f32>>,
    /// One array a slot of [`Plan::statistics`].
    pub statistics: Vec<Vec<f32>>,
}

impl Numbers {
    /// The numbers before training: He-uniform weights, which keep the activations' scale through ReLU; zero biases.
    pub fn initial(plan: &Plan, seed: u64) -> Self {
        let initial = |(position, slot): (usize, Slot)| {
            let fan_in: usize = slot.extents.iter().skip(1).product();
            // Behind the last layer is no ReLU; a tenth of the scale begins with almost even odds.
            let is_last = slot.name.starts_with("dense2");
            let bound = (6.0 / fan_in as f32).sqrt() * if is_last { 0.1 } else { 1.0 };
            let mut random = stream(seed, Purpose::Weights, [position as u64, 0]);
            let mut number = || match slot.name.rsplit('.').next() {
                Some("weight") => random.random_range(-bound..bound),
                Some("gamma") => 1.0,
                _ => 0.0,
            };
            (0..slot.count()).map(|_| number()).collect()
        };
        let parameters = plan.parameters().into_iter().enumerate().map(initial).collect();
        let of = |slot: Slot| vec![if slot.name.ends_with("variance") { 1.0 } else { 0.0 }; slot.count()];
        Self { parameters, statistics: plan.statistics().into_iter().map(of).collect() }
    }
}
