//! Which implementation of a convolution does this device use?
//!
//! On a processor, the kernels of [`super::kernel`], which compute convolution, ReLU and pool in one pass, several times
//! faster than one by one; on other devices, Burn's own operations. Both compute the same function, which a test checks.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Tensor, TensorData, activation, module};

use super::gradient::{BackwardPass, InputGradient};
use super::kernel::{Epilogue, Filters, Layer};

/// Convolves `input`, `[N, C, H, W]`, with the kernels `weight`, `[out, in, H, W]`, adds `bias`, `[out]`, and applies
/// `epilogue`.
pub fn convolve(input: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, epilogue: Epilogue) -> Tensor<4> {
    let device = input.device();
    let is_processor = device.clone().inner() == burn::tensor::Device::flex();
    match (is_processor, device.is_autodiff()) {
        (true, true) => convolve_tracked(input, weight, bias, epilogue),
        (true, false) => convolve_untracked(input, weight, bias, epilogue),
        (false, _) => convolve_by_burn(input, weight, bias, epilogue),
    }
}

fn convolve_by_burn(input: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, epilogue: Epilogue) -> Tensor<4> {
    let convolved = module::conv2d(input, weight, Some(bias), ConvOptions::new([1, 1], [0, 0], [1, 1], 1));
    let positive = activation::relu(convolved);
    match epilogue {
        Epilogue::Relu => positive,
        Epilogue::ReluPool => module::max_pool2d(positive, MaxPoolOptions::new([2, 2])),
    }
}

fn convolve_untracked(input: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, epilogue: Epilogue) -> Tensor<4> {
    let forward = Forward::run(&[primitive(input), primitive(weight), primitive(bias)], epilogue);
    Tensor::from_primitive::<Flex>(forward.output)
}

fn primitive<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    tensor
        .try_into_primitive::<Flex>()
        .expect("BUG: convolve() checked that the device is the processor, without autodiff")
}

fn convolve_tracked(input: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, epilogue: Epilogue) -> Tensor<4> {
    const CHECKED: &str = "BUG: convolve() checked that the device is the processor, with autodiff";
    let (input, input_node) = input.try_into_primitive::<Autodiff<Flex>>().expect(CHECKED).into_parts();
    let (weight, weight_node) = weight.try_into_primitive::<Autodiff<Flex>>().expect(CHECKED).into_parts();
    let (bias, bias_node) = bias.try_into_primitive::<Autodiff<Flex>>().expect(CHECKED).into_parts();
    let (nodes, inputs) = ([input_node, weight_node, bias_node], [input, weight, bias]);
    let Forward { output, layer, argmax } = Forward::run(&inputs, epilogue);
    let output = match Convolution.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let [input, weight, bias] = inputs;
            let saved = Saved { layer, input, weight, bias, argmax: argmax.into() };
            prepared.finish(saved, output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

/// Result of the forward pass, as Burn's tensor.
struct Forward {
    output: FlexTensor,
    layer: Layer,
    argmax: Vec<u8>,
}

impl Forward {
    fn run([input, weight, bias]: &[FlexTensor; 3], epilogue: Epilogue) -> Self {
        let (input, weight, bias) = (input.to_contiguous(), weight.to_contiguous(), bias.to_contiguous());
        let [images, channels, rows, columns] = input.layout().shape().dims();
        let [outputs, ..]: [usize; 4] = weight.layout().shape().dims();
        let layer = Layer { input: [channels, rows, columns], outputs, epilogue };
        let output = layer.forward(input.storage(), Filters { weight: weight.storage(), bias: bias.storage() });
        let [channels, rows, columns] = layer.output();
        Self { output: tensor(output.values, &[images, channels, rows, columns]), layer, argmax: output.argmax }
    }
}

fn tensor(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.to_vec()))
}

/// Operation in the graph of automatic differentiation.
#[derive(Debug)]
struct Convolution;

/// Tensors that the backward pass needs.
#[derive(Clone, Debug)]
struct Saved {
    layer: Layer,
    input: FlexTensor,
    weight: FlexTensor,
    bias: FlexTensor,
    argmax: std::sync::Arc<[u8]>,
}

impl Backward<Flex, 3> for Convolution {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let output_gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let [input_node, weight_node, bias_node] = ops.parents;
        let saved = ops.state;
        let (input, weight, bias) =
            (saved.input.to_contiguous(), saved.weight.to_contiguous(), saved.bias.to_contiguous());
        let pass = BackwardPass {
            layer: &saved.layer,
            filters: Filters { weight: weight.storage(), bias: bias.storage() },
            input: input.storage(),
            argmax: &saved.argmax,
            output_gradient: output_gradient.storage(),
            input_gradient: if input_node.is_some() { InputGradient::Computed } else { InputGradient::Skipped },
        };
        let computed = pass.run();
        for (node, values, like) in [
            (input_node, computed.input, &input),
            (weight_node, computed.weight, &weight),
            (bias_node, computed.bias, &bias),
        ] {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, tensor(values, like.layout().shape()));
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

    type Implementation = fn(Tensor<4>, Tensor<4>, Tensor<1>, Epilogue) -> Tensor<4>;

    /// Returns the output and the three gradients of one implementation, for the same random values.
    fn results(implementation: Implementation, epilogue: Epilogue) -> [Vec<f32>; 4] {
        let device = Device::flex().autodiff();
        let mut random = stream(1, Purpose::Weights, [0, 0]);
        let mut leaf = |count: usize| {
            let values: Vec<f32> = (0..count).map(|_| random.random_range(-1.0..1.0)).collect();
            leaf(&values, &device)
        };
        let leaves = [leaf(INPUT.iter().product()), leaf(WEIGHT.iter().product()), leaf(WEIGHT[0])];
        let [input, weight, bias] = leaves.clone();
        let output = implementation(input.reshape(INPUT), weight.reshape(WEIGHT), bias, epilogue);
        // Squares, so that the gradient of the output differs from element to element.
        let mut gradients = (output.clone() * output.clone()).sum().backward();
        let [input, weight, bias] = leaves.map(|leaf| to_vec(leaf.grad_remove(&mut gradients).unwrap()));
        [to_vec(output), input, weight, bias]
    }

    #[test]
    fn our_kernels_agree_with_burns_operations_in_output_and_gradients() {
        for epilogue in [Epilogue::Relu, Epilogue::ReluPool] {
            let (ours, burns) = (results(convolve, epilogue), results(convolve_by_burn, epilogue));

            for (ours, burns) in ours.iter().zip(&burns) {
                assert_eq!(ours.len(), burns.len());
                let largest = ours.iter().zip(burns).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
                assert!(largest < 1e-3, "{epilogue:?}: largest difference {largest}");
            }
        }
    }
}
