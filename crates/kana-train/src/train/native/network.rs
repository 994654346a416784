//! What does the network compute?
//!
//! ```text
//! conv1 → ReLU → norm1 → conv2 → ReLU → pool → norm2 → dropout(p) → conv3 → ReLU → pool → norm3 → dropout(p)
//!       → conv4 → ReLU → flatten → dropout(2p) → dense1 → ReLU → dropout(2p) → dense2
//! ```
//!
//! That is the network for images of 24 to 47 pixels a side; a smaller or a larger one has fewer or more convolutions with
//! pool, norm and dropout between the first and the last. Convolutions are 3×3 without padding, pools 2×2 maxima, norms batch normalisation. A [`Network`] has the parameters laid
//! out for the forward pass; a step lays them out anew. [`Finished`] is the whole pass of a network that is not trained:
//! with running statistics and without dropout.

use kana_engine::kernels::convolution::{Convolution, Workspace};
use kana_engine::kernels::dense::Dense;
use kana_engine::kernels::first::First;
use kana_engine::kernels::{Filters, Instructions, LANES, Vector};
use rayon::prelude::*;

use super::convolution::TAPS;
use super::dense::{lay_out, multiply};
use super::elementwise;
use super::layer::Layer;
use super::norm::Norm;
use super::pool::{Origins, mark_active, pool};
use crate::train::architecture::{Architecture, DENSE_WIDTH, Parameters};

/// Place of the weights of a convolution (from 0) among the trainable parameters; its biases follow.
pub const fn convolution(index: usize) -> usize {
    4 * index
}

/// Place of γ of a norm (from 0) among the trainable parameters; β follows.
pub const fn norm(index: usize) -> usize {
    4 * index + 2
}

/// Places of the weights of the dense layers after `depth` convolutions among the trainable parameters; their biases follow.
pub const fn dense(depth: usize) -> [usize; 2] {
    // No norm follows the last convolution.
    [4 * depth - 2, 4 * depth]
}

/// Parameters laid out for the forward pass.
pub struct Network {
    /// Shapes of the convolutions.
    pub layers: Vec<Layer>,
    first: First,
    /// The other convolutions, before their pools.
    others: Vec<Convolution>,
    /// The two dense layers, without their activations.
    pub dense: [Dense; 2],
    instructions: Instructions,
}

/// Memory that convolutions work in.
#[derive(Default)]
pub struct Memory {
    workspace: Workspace,
    /// A layer's output before its pool.
    convolved: Vec<Vector>,
}

/// Order of the features that the first dense layer takes.
#[derive(Clone, Copy, Debug)]
pub struct Features {
    last: Layer,
}

impl Features {
    /// The features that the convolution `last` computes.
    pub fn of(last: Layer) -> Self {
        Self { last }
    }

    /// Floats of the features of an image, with padding.
    pub fn floats(self) -> usize {
        self.last.output_vectors() * LANES
    }

    /// Number of the feature in weight files, channel by channel, that float `at` holds; `None` for padding.
    pub fn number(self, at: usize) -> Option<usize> {
        let blocks = self.last.output_blocks();
        let (pixel, channel) = (at / LANES / blocks, at / LANES % blocks * LANES + at % LANES);
        (channel < self.last.outputs).then_some(channel * self.last.output().pixels() + pixel)
    }
}

impl Network {
    /// Lays out the trainable parameters of `architecture`, to be computed with `instructions`.
    pub fn new(architecture: &Architecture, trainable: &[Vec<f32>], instructions: Instructions) -> Self {
        let layers = Layer::of_network(architecture);
        let filters = |index: usize| {
            let [weights, bias] = [0, 1].map(|part| {
                trainable[convolution(index) + part].iter().map(|value| f64::from(*value)).collect::<Vec<f64>>()
            });
            Filters { inputs: layers[index].inputs, outputs: layers[index].outputs, weights, bias }
        };
        let features = Features::of(layers[layers.len() - 1]);
        let count = architecture.features();
        let [hidden, last] = dense(layers.len()).map(|place| (&trainable[place], &trainable[place + 1]));
        let convolution = |index: usize| Convolution::new(&filters(index), layers[index].input, false);
        let (others, hidden) = rayon::join(
            || (1..layers.len()).into_par_iter().map(convolution).collect(),
            || {
                lay_out(features.floats(), DENSE_WIDTH, hidden.1, |at, output| {
                    features.number(at).map_or(0.0, |number| hidden.0[output * count + number])
                })
            },
        );
        let last = lay_out(DENSE_WIDTH, architecture.class_count, last.1, |from, to| last.0[to * DENSE_WIDTH + from]);
        Self { first: First::new(&filters(0), layers[0].input), layers, others, dense: [hidden, last], instructions }
    }

    /// Computes the first convolution and ReLU of an image, `[H][W][C]`.
    pub fn convolve_first(&self, samples: &[f32], output: &mut [Vector]) {
        self.first.run(self.instructions, samples, output);
    }

    /// Computes convolution number `index`, from 1 on, with ReLU and pool, and the origins of its output. Works in `memory`.
    pub fn convolve(
        &self,
        index: usize,
        input: &[Vector],
        memory: &mut Memory,
        output: (&mut [Vector], &mut [Origins]),
    ) {
        let (layer, convolution, (values, origins)) = (&self.layers[index], &self.others[index - 1], output);
        let instructions = self.instructions;
        memory.workspace.reserve(convolution);
        if layer.is_pooled {
            memory.convolved.resize(layer.convolved_vectors(), Vector::ZERO);
            convolution.run(instructions, input, &mut memory.workspace, &mut memory.convolved);
            pool(instructions, layer, &memory.convolved, values, origins);
        } else {
            convolution.run(instructions, input, &mut memory.workspace, values);
            mark_active(values, origins);
        }
    }
}

/// A network that is not trained.
pub struct Finished {
    network: Network,
    norms: Vec<Norm>,
    class_count: usize,
}

/// Memory that is used again for each image.
#[derive(Default)]
struct Scratch {
    front: Vec<Vector>,
    back: Vec<Vector>,
    memory: Memory,
    origins: Vec<Origins>,
}

impl Finished {
    /// Prepares the forward pass with `parameters`, which fit `architecture`.
    pub fn new(architecture: &Architecture, parameters: &Parameters) -> Self {
        let Parameters { trainable, statistics } = parameters;
        let running = |index: usize| {
            let (gamma, beta) = (&trainable[norm(index)], &trainable[norm(index) + 1]);
            Norm::running(&statistics[2 * index], &statistics[2 * index + 1], gamma, beta)
        };
        Self {
            network: Network::new(architecture, trainable, Instructions::best()),
            norms: (0..architecture.depth - 1).map(running).collect(),
            class_count: architecture.class_count,
        }
    }

    /// Returns the number of classes.
    pub fn class_count(&self) -> usize {
        self.class_count
    }

    /// Computes the logits of images, each `[H][W][C]` and normalised, on all threads: `[images][classes]`.
    pub fn logits(&self, samples: &[f32]) -> Vec<Vec<f32>> {
        let mut logits = Vec::new();
        multiply(self.network.instructions, &self.network.dense[1], &self.hidden_vectors(samples), &mut logits);
        let row = |vectors: &[Vector]| vectors.iter().flat_map(|vector| vector.0).take(self.class_count).collect();
        logits.chunks_exact(self.network.dense[1].outputs()).map(row).collect()
    }

    /// Computes the outputs of the first dense layer for images like those of [`Finished::logits`].
    pub fn hidden(&self, samples: &[f32]) -> Vec<Vec<f32>> {
        let row = |vectors: &[Vector]| vectors.iter().flat_map(|vector| vector.0).collect();
        self.hidden_vectors(samples).chunks_exact(DENSE_WIDTH / LANES).map(row).collect()
    }

    fn hidden_vectors(&self, samples: &[f32]) -> Vec<Vector> {
        let layers = &self.network.layers;
        let (floats, vectors) =
            (layers[0].input.pixels() * layers[0].inputs, layers[layers.len() - 1].output_vectors());
        let mut features = vec![Vector::ZERO; samples.len() / floats * vectors];
        let images = samples.par_chunks(floats).zip(features.par_chunks_mut(vectors));
        images.for_each_init(Scratch::default, |scratch, (image, features)| self.features(image, scratch, features));
        let mut hidden = Vec::new();
        multiply(self.network.instructions, &self.network.dense[0], &features, &mut hidden);
        hidden.iter_mut().for_each(|vector| vector.0 = vector.0.map(|value| value.max(0.0)));
        hidden
    }

    fn features(&self, image: &[f32], scratch: &mut Scratch, features: &mut [Vector]) {
        let Scratch { front, back, memory, origins } = scratch;
        let Network { layers, instructions, .. } = &self.network;
        front.resize(layers[0].output_vectors(), Vector::ZERO);
        self.network.convolve_first(image, front);
        for (before, norm) in self.norms.iter().enumerate() {
            back.resize(front.len(), Vector::ZERO);
            elementwise::scale(*instructions, &norm.scale, &norm.shift, front, back);
            front.resize(layers[before + 1].output_vectors(), Vector::ZERO);
            origins.resize(front.len(), [0; LANES]);
            self.network.convolve(before + 1, back, memory, (front, origins));
        }
        features.copy_from_slice(front);
    }
}

/// Converts the weights of a convolution's gradient from `[outputs][taps][input blocks]` vectors to the order of weight
/// files, `[outputs][inputs][taps]`, and sums them over `parts`, in order.
pub fn gather(layer: &Layer, parts: &[&[Vector]]) -> Vec<f32> {
    let (blocks, kernel) = (layer.input_blocks(), layer.inputs * TAPS);
    let mut gathered = vec![0.0; layer.outputs * kernel];
    gathered.par_chunks_mut(kernel).enumerate().for_each(|(output, gathered)| {
        for part in parts {
            for (tap, vectors) in part[output * TAPS * blocks..][..TAPS * blocks].chunks_exact(blocks).enumerate() {
                for channel in 0..layer.inputs {
                    gathered[channel * TAPS + tap] += vectors[channel / LANES].0[channel % LANES];
                }
            }
        }
    });
    gathered
}
