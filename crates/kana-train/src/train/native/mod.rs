//! How is a step of training computed on a processor?
//!
//! Forward, loss, backward, update, each layer for the whole batch before the next: batch normalisation needs sums over all
//! images. Within a layer, an image's way through norm, dropout, convolution, ReLU and pool is computed at once, while it
//! is in the cache.
//!
//! The images of a batch are divided into a fixed number of shards, whose sums are added in order: the result does not
//! depend on the number of threads.

mod convolution;
mod dense;
mod elementwise;
mod layer;
mod network;
mod norm;
mod pool;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod torch;

use kana_engine::kernels::{Instructions, LANES, Vector};
use rayon::prelude::*;

use super::architecture::{Architecture, DENSE_WIDTH, Parameters};
use super::loader::{Batch, Mask};
use super::optimiser::{Moments, Optimiser, Step};
use convolution::{Active, Backward, FilterGradient, FirstGradient, Image, TAPS, add_first};
use elementwise::{Combination, Sums};
use network::{Features, Memory, Network};
use norm::{ChannelSums, Norm};
use pool::Origins;

pub use layer::Layer;
pub use network::Finished;
#[cfg(feature = "gpu")]
pub use norm::MOMENTUM;

/// Parts of a batch whose gradients are summed separately: more than most processors have cores. Each costs one copy of
/// the weights.
const SHARDS: usize = 16;

/// Network and optimiser between two steps.
pub struct Learner {
    architecture: Architecture,
    parameters: Parameters,
    optimiser: Optimiser,
    pass: Pass,
}

/// Sums over images that were trained on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Sum of the losses.
    pub loss: f64,
    /// Number of images that were classified correctly, distorted and with dropout as they were.
    pub correct: usize,
    /// Number of images.
    pub images: usize,
}

impl Totals {
    /// Adds the sums of other images.
    pub fn add(&mut self, other: &Self) {
        self.loss += other.loss;
        self.correct += other.correct;
        self.images += other.images;
    }

    /// Returns the mean loss.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.images.max(1) as f64
    }

    /// Returns the share of the images that were classified correctly, in [0, 1].
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images.max(1) as f64
    }
}

/// Gradients of the mean loss of a batch.
#[derive(Clone, Debug)]
pub struct Gradients {
    /// Sums over the images.
    pub totals: Totals,
    /// Gradient of each trainable parameter.
    pub trainable: Vec<Vec<f32>>,
}

/// What a forward pass leaves for the backward pass, and memory that every step uses again.
struct Pass {
    instructions: Instructions,
    layers: Vec<Layer>,
    activations: Vec<Activations>,
    shards: Vec<Shard>,
    images: usize,
}

/// Output of a convolution for the whole batch.
#[derive(Default)]
struct Activations {
    values: Vec<Vector>,
    origins: Vec<Origins>,
    /// Gradient of what the next layer takes: of the norm's output where a norm follows.
    gradient: Vec<Vector>,
}

/// What lies between a convolution and the one before it.
struct Before<'a> {
    norm: &'a Norm,
    mask: Option<&'a Mask>,
}

/// Memory and sums of one part of the images.
#[derive(Default)]
struct Shard {
    input: Vec<Vector>,
    memory: Memory,
    gradient: Vec<Vector>,
    active: Vec<Active>,
    sums: Sums,
    totals: Option<ChannelSums>,
    filters: FilterGradient,
    first: FirstGradient,
}

impl Shard {
    /// Computes a convolution's input from the output of the layer before it, an image's `values`.
    fn load(&mut self, instructions: Instructions, before: &Before<'_>, image: usize, values: &[Vector]) {
        self.input.resize(values.len(), Vector::ZERO);
        elementwise::scale(instructions, &before.norm.scale, &before.norm.shift, values, &mut self.input);
        if let Some(mask) = before.mask {
            elementwise::multiply(instructions, &mask.0[image * values.len()..], &mut self.input);
        }
    }

    /// Adds the sums of an image's `values`, and of their products with `others`, to the totals.
    fn add(&mut self, instructions: Instructions, values: &[Vector], others: &[Vector], channels: usize) {
        self.sums.compute(instructions, values, others, channels.div_ceil(LANES));
        self.totals.get_or_insert_with(|| ChannelSums::zero(channels)).add(&self.sums);
    }
}

impl Learner {
    /// Continues from `parameters` and `moments`, which fit the architecture.
    pub fn new(architecture: Architecture, parameters: Parameters, moments: Moments, weight_decay: f64) -> Self {
        let optimiser = Optimiser::new(&architecture, weight_decay, moments);
        let layers = Layer::of_network(&architecture);
        let pass = Pass {
            instructions: Instructions::best(),
            activations: layers.iter().map(|_| Activations::default()).collect(),
            layers,
            shards: Vec::new(),
            images: 0,
        };
        Self { architecture, parameters, optimiser, pass }
    }

    /// The parameters after the last step.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The moments after the last step.
    pub fn moments(&self) -> &Moments {
        self.optimiser.moments()
    }

    /// Trains on a batch; returns the sums over its images, from before the update.
    pub fn step(&mut self, batch: &Batch, step: Step) -> Totals {
        let gradients = self.gradients(batch);
        self.optimiser.update(&mut self.parameters.trainable, &gradients.trainable, step);
        gradients.totals
    }

    /// Computes the gradients of a batch, and moves the running statistics towards its own.
    pub fn gradients(&mut self, batch: &Batch) -> Gradients {
        let Self { architecture, parameters, pass, .. } = self;
        let network = Network::new(architecture, &parameters.trainable, pass.instructions);
        pass.start(batch);
        let mut norms: Vec<Norm> = Vec::new();
        for index in 0..architecture.depth {
            match norms.last() {
                None => pass.convolve_first(&network, batch),
                Some(norm) => pass.convolve(&network, index, &Before { norm, mask: batch.mask_before(index) }),
            }
            if index < pass.last() {
                let (gamma, beta) = pair(&parameters.trainable, network::norm(index));
                let norm = Norm::of_batch(&pass.totals(), pass.elements(index), gamma, beta);
                let [mean, variance] = &mut parameters.statistics[2 * index..][..2] else {
                    unreachable!("BUG: a pair")
                };
                norm.update(mean, variance);
                norms.push(norm);
            }
        }
        let mut gradients = Gradients {
            totals: Totals::default(),
            trainable: parameters.trainable.iter().map(|values| vec![0.0; values.len()]).collect(),
        };
        pass.dense(&network, &parameters.trainable, batch, &mut gradients);
        let mut combination = None;
        for index in (1..architecture.depth).rev() {
            let place = network::convolution(index);
            let backward = Backward::new(pass.layers[index], &parameters.trainable[place]);
            let before = Before { norm: &norms[index - 1], mask: batch.mask_before(index) };
            let [weight, bias] = pass.convolve_back(index, &backward, &before, combination.as_ref());
            (gradients.trainable[place], gradients.trainable[place + 1]) = (weight, bias);
            let place = network::norm(index - 1);
            let norm = norms[index - 1].backward(&pass.totals(), &parameters.trainable[place]);
            (gradients.trainable[place], gradients.trainable[place + 1]) = (norm.gamma, norm.beta);
            combination = Some(norm.input);
        }
        let combination = combination.expect("BUG: two layers came before at least");
        let [weight, bias] = pass.convolve_first_back(batch, &combination);
        (gradients.trainable[0], gradients.trainable[1]) = (weight, bias);
        gradients
    }
}

/// Two parameters that follow each other.
fn pair(parameters: &[Vec<f32>], place: usize) -> (&[f32], &[f32]) {
    (&parameters[place], &parameters[place + 1])
}

impl Pass {
    /// Makes room for the images of `batch`.
    fn start(&mut self, batch: &Batch) {
        self.images = batch.count();
        self.shards.resize_with(self.images.div_ceil(self.shard_images()), Shard::default);
        for (layer, activations) in self.layers.iter().zip(&mut self.activations) {
            let vectors = self.images * layer.output_vectors();
            activations.values.resize(vectors, Vector::ZERO);
            activations.origins.resize(vectors, [0; LANES]);
            activations.gradient.resize(vectors, Vector::ZERO);
        }
    }

    /// Number of the last convolution, the only one that no norm follows.
    fn last(&self) -> usize {
        self.layers.len() - 1
    }

    fn shard_images(&self) -> usize {
        self.images.div_ceil(SHARDS).max(1)
    }

    /// Elements of a channel of the output of convolution `index`, over all images.
    fn elements(&self, index: usize) -> usize {
        self.images * self.layers[index].output().pixels()
    }

    /// Takes the sums of all images.
    fn totals(&mut self) -> ChannelSums {
        let mut parts = self.shards.iter_mut().filter_map(|shard| shard.totals.take());
        let mut totals = parts.next().expect("BUG: a batch has images, and they were summed");
        parts.for_each(|part| totals.merge(&part));
        totals
    }

    fn convolve_first(&mut self, network: &Network, batch: &Batch) {
        let (instructions, images, layer) = (self.instructions, self.shard_images(), self.layers[0]);
        let vectors = layer.output_vectors();
        let values = self.activations[0].values.par_chunks_mut(images * vectors);
        self.shards.par_iter_mut().zip(values).enumerate().for_each(|(number, (shard, values))| {
            for (image, values) in values.chunks_exact_mut(vectors).enumerate() {
                network.convolve_first(batch.image(number * images + image), values);
                shard.add(instructions, values, values, layer.outputs);
            }
        });
    }

    fn convolve(&mut self, network: &Network, index: usize, before: &Before<'_>) {
        let (instructions, images, layer) = (self.instructions, self.shard_images(), self.layers[index]);
        let (inputs, outputs) = (layer.input_vectors(), layer.output_vectors());
        let has_norm = index < self.last();
        let (previous, current) = self.activations.split_at_mut(index);
        let (previous, current) = (&previous[index - 1], &mut current[0]);
        let values = current.values.par_chunks_mut(images * outputs);
        let origins = current.origins.par_chunks_mut(images * outputs);
        self.shards.par_iter_mut().zip(values.zip(origins)).enumerate().for_each(
            |(number, (shard, (values, origins)))| {
                let output = values.chunks_exact_mut(outputs).zip(origins.chunks_exact_mut(outputs));
                for (image, (values, origins)) in output.enumerate() {
                    let image = number * images + image;
                    shard.load(instructions, before, image, &previous.values[image * inputs..][..inputs]);
                    network.convolve(index, &shard.input, &mut shard.memory, (&mut *values, origins));
                    if has_norm {
                        shard.add(instructions, values, values, layer.outputs);
                    }
                }
            },
        );
    }

    /// Computes the dense layers and the loss, forward and backward.
    fn dense(&mut self, network: &Network, parameters: &[Vec<f32>], batch: &Batch, gradients: &mut Gradients) {
        let (instructions, images) = (self.instructions, self.images);
        let (number, layer) = (self.last(), self.layers[self.last()]);
        let features = Features::of(layer);
        let count = layer.outputs * layer.output().pixels();
        let last = &mut self.activations[number];
        elementwise::multiply(instructions, &batch.masks.flat.0, &mut last.values);
        let (mut hidden, mut logits) = (Vec::new(), Vec::new());
        dense::multiply(instructions, &network.dense[0], &last.values, &mut hidden);
        hidden.iter_mut().for_each(|vector| vector.0 = vector.0.map(|value| value.max(0.0)));
        elementwise::multiply(instructions, &batch.masks.dense1.0, &mut hidden);
        dense::multiply(instructions, &network.dense[1], &hidden, &mut logits);

        let classes = batch.classes();
        gradients.totals = into_loss_gradients(&mut logits, batch);
        let [first, second] = network::dense(self.layers.len());
        let weights = dense::lay_out(classes, DENSE_WIDTH, &[], |from, to| parameters[second][from * DENSE_WIDTH + to]);
        let mut hidden_gradient = Vec::new();
        dense::multiply(instructions, &weights, &logits, &mut hidden_gradient);
        elementwise::rectify(instructions, &hidden, &mut hidden_gradient);
        elementwise::multiply(instructions, &batch.masks.dense1.0, &mut hidden_gradient);
        let weights = dense::lay_out(DENSE_WIDTH, features.floats(), &[], |from, at| {
            features.number(at).map_or(0.0, |number| parameters[first][from * count + number])
        });
        dense::multiply(instructions, &weights, &hidden_gradient, &mut last.gradient);
        elementwise::multiply(instructions, &batch.masks.flat.0, &mut last.gradient);

        let outer = |gradient: &[Vector], outputs: usize, input: &[Vector], floats: usize| {
            let vectors = floats.div_ceil(LANES);
            let input =
                dense::lay_out(images, floats, &[], |image, at| input[image * vectors + at / LANES].0[at % LANES]);
            let mut products = Vec::new();
            dense::multiply(instructions, &input, &dense::transpose(gradient, images, outputs), &mut products);
            products
        };
        let products = outer(&hidden_gradient, DENSE_WIDTH, &last.values, features.floats());
        for (products, row) in
            products.chunks_exact(features.floats() / LANES).zip(gradients.trainable[first].chunks_exact_mut(count))
        {
            for at in 0..features.floats() {
                if let Some(number) = features.number(at) {
                    row[number] = products[at / LANES].0[at % LANES];
                }
            }
        }
        let products = outer(&logits, classes, &hidden, DENSE_WIDTH);
        let floats = products.iter().flat_map(|vector| vector.0);
        gradients.trainable[second].iter_mut().zip(floats).for_each(|(gradient, product)| *gradient = product);
        add_rows(&hidden_gradient, &mut gradients.trainable[first + 1]);
        add_rows(&logits, &mut gradients.trainable[second + 1]);
    }

    /// Computes the gradients of convolution `index` and of what it took; returns those of weights and biases.
    ///
    /// * `before`: what the convolution's input was computed with.
    /// * `combination`: how the gradient of its output follows from that of the norm after it; `None` without a norm.
    fn convolve_back(
        &mut self,
        index: usize,
        backward: &Backward,
        before: &Before<'_>,
        combination: Option<&Combination>,
    ) -> [Vec<f32>; 2] {
        let (instructions, images, layer) = (self.instructions, self.shard_images(), self.layers[index]);
        let (inputs, outputs) = (layer.input_vectors(), layer.output_vectors());
        let (previous, current) = self.activations.split_at_mut(index);
        let (Activations { values, gradient, .. }, current) = (&mut previous[index - 1], &current[0]);
        let values = &*values;
        let parts = self.shards.par_iter_mut().zip(gradient.par_chunks_mut(images * inputs));
        parts.enumerate().for_each(|(number, (shard, gradients))| {
            shard.filters.clear(&layer);
            for (image, input_gradient) in gradients.chunks_exact_mut(inputs).enumerate() {
                let image = number * images + image;
                let output = image * outputs..(image + 1) * outputs;
                let values = &values[image * inputs..][..inputs];
                let mut gradient = &current.gradient[output.clone()];
                if let Some(factors) = combination {
                    shard.gradient.resize(outputs, Vector::ZERO);
                    let of = &current.values[output.clone()];
                    elementwise::combine(instructions, factors, gradient, of, &mut shard.gradient);
                }
                shard.load(instructions, before, image, values);
                if combination.is_some() {
                    gradient = &shard.gradient;
                }
                let origins = &current.origins[output];
                let pass = Image { input: &shard.input, gradient, origins, input_gradient: &mut *input_gradient };
                backward.run(instructions, pass, &mut shard.active, &mut shard.filters);
                if let Some(mask) = before.mask {
                    elementwise::multiply(instructions, &mask.0[image * inputs..], input_gradient);
                }
                shard.add(instructions, input_gradient, values, layer.inputs);
            }
        });
        let parts: Vec<&[Vector]> = self.shards.iter().map(|shard| shard.filters.weights.as_slice()).collect();
        let mut bias = vec![0.0; layer.outputs];
        for shard in &self.shards {
            bias.iter_mut().zip(&shard.filters.bias).for_each(|(sum, part)| *sum += part);
        }
        [network::gather(&layer, &parts), bias]
    }

    /// Computes the gradients of the first convolution: of weights and biases.
    fn convolve_first_back(&mut self, batch: &Batch, combination: &Combination) -> [Vec<f32>; 2] {
        let (instructions, images, layer) = (self.instructions, self.shard_images(), self.layers[0]);
        let (vectors, taps) = (layer.output_vectors(), TAPS * layer.inputs);
        let Activations { values, gradient, .. } = &self.activations[0];
        let values = values.par_chunks(images * vectors).zip(gradient.par_chunks(images * vectors));
        self.shards.par_iter_mut().zip(values).enumerate().for_each(|(number, (shard, (values, gradients)))| {
            shard.first.clear(&layer);
            shard.gradient.resize(vectors, Vector::ZERO);
            let each = values.chunks_exact(vectors).zip(gradients.chunks_exact(vectors));
            for (image, (values, gradients)) in each.enumerate() {
                elementwise::combine(instructions, combination, gradients, values, &mut shard.gradient);
                elementwise::rectify(instructions, values, &mut shard.gradient);
                let samples = batch.image(number * images + image);
                add_first(instructions, &layer, samples, &shard.gradient, &mut shard.first);
            }
        });
        let mut weight = vec![0.0; layer.outputs * taps];
        let mut bias = vec![0.0; layer.outputs];
        for shard in &self.shards {
            for output in 0..layer.outputs {
                let (block, lane) = (output / LANES, output % LANES);
                bias[output] += shard.first.bias[block].0[lane];
                for at in 0..taps {
                    let (tap, channel) = (at / layer.inputs, at % layer.inputs);
                    weight[(output * layer.inputs + channel) * TAPS + tap] +=
                        shard.first.weights[block * taps + at].0[lane];
                }
            }
        }
        [weight, bias]
    }
}

/// Adds all rows of `matrix` to `sums`, a row's floats.
fn add_rows(matrix: &[Vector], sums: &mut [f32]) {
    for row in matrix.chunks_exact(sums.len().div_ceil(LANES)) {
        sums.iter_mut().zip(row.iter().flat_map(|vector| vector.0)).for_each(|(sum, value)| *sum += value);
    }
}

/// Replaces logits by the gradients of the batch's mean cross-entropy, and returns the sums over its images.
fn into_loss_gradients(logits: &mut [Vector], batch: &Batch) -> Totals {
    let classes = batch.classes();
    let share = 1.0 / batch.count() as f32;
    let mut totals = Totals { images: batch.count(), ..Totals::default() };
    let rows = logits.chunks_exact_mut(classes.div_ceil(LANES)).zip(batch.targets.chunks_exact(classes));
    for (row, targets) in rows {
        let at = |class: usize| (class / LANES, class % LANES);
        let logit = |row: &[Vector], class: usize| row[at(class).0].0[at(class).1];
        let greatest = (0..classes).map(|class| logit(row, class)).fold(f32::NEG_INFINITY, f32::max);
        let total: f32 = (0..classes).map(|class| (logit(row, class) - greatest).exp()).sum();
        let greatest_target = targets.iter().copied().fold(0.0, f32::max);
        totals.correct +=
            usize::from((0..classes).any(|class| targets[class] == greatest_target && logit(row, class) == greatest));
        for (class, target) in targets.iter().enumerate() {
            let log_probability = logit(row, class) - greatest - total.ln();
            totals.loss -= f64::from(target * log_probability);
            row[at(class).0].0[at(class).1] = (log_probability.exp() - target) * share;
        }
    }
    totals
}
