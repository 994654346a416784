//! Which convolution does this device want?
//!
//! On a processor the kernels of [`super::kernel`], which do convolution, ReLU and pool in one pass, several times
//! faster than one by one; elsewhere Burn's own operations. Both are one node or several to automatic differentiation,
//! and must agree.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Tensor, TensorData, activation, module};

use super::gradient::{InputGradient, Trace, backward};
use super::kernel::{Behind, Layer, Weights};

/// Convolves `input` (images × channels × rows × columns), then ReLU, then what `behind` says.
pub fn convolve(input: Tensor<4>, (weight, bias): (Tensor<4>, Tensor<1>), behind: Behind) -> Tensor<4> {
    let device = input.device();
    let is_flex = device.clone().inner() == burn::tensor::Device::flex();
    match (is_flex, device.is_autodiff()) {
        (true, true) => learning(input, (weight, bias), behind),
        (true, false) => judging(input, (weight, bias), behind),
        (false, _) => plain(input, (weight, bias), behind),
    }
}

/// The same with Burn's own operations.
pub fn plain(input: Tensor<4>, (weight, bias): (Tensor<4>, Tensor<1>), behind: Behind) -> Tensor<4> {
    let convolved = module::conv2d(input, weight, Some(bias), ConvOptions::new([1, 1], [0, 0], [1, 1], 1));
    let positive = activation::relu(convolved);
    match behind {
        Behind::Relu => positive,
        Behind::ReluPool => module::max_pool2d(positive, MaxPoolOptions::new([2, 2])),
    }
}

fn judging(input: Tensor<4>, (weight, bias): (Tensor<4>, Tensor<1>), behind: Behind) -> Tensor<4> {
    let inputs = [flex(input), flex(weight), flex(bias)];
    let (output, _) = forward(&inputs, behind);
    Tensor::from_primitive::<Flex>(output)
}

fn flex<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    tensor
        .try_into_primitive::<Flex>()
        .expect("BUG: the caller saw that the device is the processor's, without autodiff")
}

fn learning(input: Tensor<4>, (weight, bias): (Tensor<4>, Tensor<1>), behind: Behind) -> Tensor<4> {
    const SEEN: &str = "BUG: the caller saw that the device is the processor's, with autodiff";
    let input = input.try_into_primitive::<Autodiff<Flex>>().expect(SEEN);
    let weight = weight.try_into_primitive::<Autodiff<Flex>>().expect(SEEN);
    let bias = bias.try_into_primitive::<Autodiff<Flex>>().expect(SEEN);
    let ((input, input_node), (weight, weight_node), (bias, bias_node)) =
        (input.into_parts(), weight.into_parts(), bias.into_parts());
    let (nodes, inputs) = ([input_node, weight_node, bias_node], [input, weight, bias]);
    let (output, (layer, chosen)) = forward(&inputs, behind);
    let output = match Convolved.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let [input, weight, bias] = inputs;
            let kept = Kept { layer, input, weight, bias, chosen: chosen.into() };
            prepared.finish(kept, output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

fn forward([input, weight, bias]: &[FlexTensor; 3], behind: Behind) -> (FlexTensor, (Layer, Vec<u8>)) {
    let (input, weight, bias) = (input.to_contiguous(), weight.to_contiguous(), bias.to_contiguous());
    let [images, channels, rows, columns] = input.layout().shape().dims();
    let [outputs, ..]: [usize; 4] = weight.layout().shape().dims();
    let layer = Layer { input: [channels, rows, columns], outputs, behind };
    let outcome = layer.forward(input.storage(), Weights { weight: weight.storage(), bias: bias.storage() });
    let [channels, rows, columns] = layer.output();
    (tensor(outcome.output, &[images, channels, rows, columns]), (layer, outcome.chosen))
}

fn tensor(numbers: Vec<f32>, extents: &[usize]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(numbers, extents.to_vec()))
}

/// The node that automatic differentiation sees.
#[derive(Debug)]
struct Convolved;

/// What the gradients need.
#[derive(Clone, Debug)]
struct Kept {
    layer: Layer,
    input: FlexTensor,
    weight: FlexTensor,
    bias: FlexTensor,
    chosen: std::sync::Arc<[u8]>,
}

impl Backward<Flex, 3> for Convolved {
    type State = Kept;

    fn backward(self, ops: Ops<Kept, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let [input_node, weight_node, bias_node] = ops.parents;
        let kept = ops.state;
        let (input, weight, bias) =
            (kept.input.to_contiguous(), kept.weight.to_contiguous(), kept.bias.to_contiguous());
        let wanted = if input_node.is_some() { InputGradient::Wanted } else { InputGradient::Unwanted };
        let trace = Trace { input: input.storage(), chosen: &kept.chosen, gradient: gradient.storage() };
        let weights = Weights { weight: weight.storage(), bias: bias.storage() };
        let found = backward(&kept.layer, trace, (weights, wanted));
        for (node, numbers, like) in
            [(input_node, found.input, &input), (weight_node, found.weight, &weight), (bias_node, found.bias, &bias)]
        {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, tensor(numbers, like.layout().shape()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use rand::RngExt;

    use super::*;
    use crate::data::random::{Purpose, stream};
    use crate::train::network::{leaf, to_vec};

    const INPUT: [usize; 4] = [5, 3, 9, 8];
    const WEIGHT: [usize; 4] = [4, 3, 3, 3];

    /// Output and the three gradients of one of the two ways, for the same random numbers.
    fn computed(way: fn(Tensor<4>, (Tensor<4>, Tensor<1>), Behind) -> Tensor<4>, behind: Behind) -> [Vec<f32>; 4] {
        let device = Device::flex().autodiff();
        let mut random = stream(1, Purpose::Weights, [0, 0]);
        let mut leaf = |count: usize| {
            let numbers: Vec<f32> = (0..count).map(|_| random.random_range(-1.0..1.0)).collect();
            leaf(&numbers, &device)
        };
        let leaves = [leaf(INPUT.iter().product()), leaf(WEIGHT.iter().product()), leaf(WEIGHT[0])];
        let [input, weight, bias] = leaves.clone();
        let output = way(input.reshape(INPUT), (weight.reshape(WEIGHT), bias), behind);
        // Squares: so that the gradient that comes back differs from place to place.
        let mut gradients = (output.clone() * output.clone()).sum().backward();
        let [input, weight, bias] = leaves.map(|leaf| to_vec(leaf.grad_remove(&mut gradients).unwrap()));
        [to_vec(output), input, weight, bias]
    }

    #[test]
    fn the_processors_kernels_agree_with_burns_operations_in_output_and_gradients() {
        for behind in [Behind::Relu, Behind::ReluPool] {
            let (ours, burns) = (computed(convolve, behind), computed(plain, behind));

            for (ours, burns) in ours.iter().zip(&burns) {
                assert_eq!(ours.len(), burns.len());
                let largest = ours.iter().zip(burns).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
                assert!(largest < 1e-3, "{behind:?}: largest difference {largest}");
            }
        }
    }
}
