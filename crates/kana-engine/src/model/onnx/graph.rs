//! Which operations compute the network, and which compute an ensemble?
//!
//! An ensemble's probabilities are the mean of its members'. As logits that is the logarithm of the mean, computed without
//! leaving the logarithms: log softmax of each member, stacked, log-sum-exp over them, less log of their number.

use safetensors::SafeTensors;

use super::messages::{
    AttributeProto, DimensionProto, Extent, GraphProto, NodeProto, TensorProto, TensorShapeProto, TensorTypeProto,
    TypeProto, ValueInfoProto,
};
use super::{INPUT, OUTPUT};
use crate::model::{Card, NORM_EPSILON};

/// Numbers of types in `TensorProto.DataType` and `AttributeProto.AttributeType`.
const FLOAT_TENSOR: i32 = 1;
const INT64_TENSOR: i32 = 7;
const FLOAT: i32 = 1;
const INT: i32 = 2;
const INTS: i32 = 7;

/// The graph of a model, member by member.
pub struct Graph<'a> {
    card: &'a Card,
    nodes: Vec<NodeProto>,
    tensors: Vec<TensorProto>,
    /// The logits of each member.
    members: Vec<String>,
}

impl<'a> Graph<'a> {
    /// Begins the graph of this card's model.
    pub fn new(card: &'a Card) -> Self {
        Self { card, nodes: Vec::new(), tensors: Vec::new(), members: Vec::new() }
    }

    /// Adds a member, from the bytes of its safetensors file.
    ///
    /// # Errors
    /// The reason why these are no such bytes.
    pub fn add_member(&mut self, bytes: &[u8]) -> Result<(), String> {
        let file = SafeTensors::deserialize(bytes).map_err(|error| format!("not a safetensors file: {error}"))?;
        let prefix = match self.card.members.len() {
            1 => String::new(),
            _ => format!("member{}.", self.members.len()),
        };
        for (name, tensor) in file.iter() {
            let dims = tensor.shape().iter().map(|extent| *extent as i64).collect();
            let (name, raw_data) = (format!("{prefix}{name}"), tensor.data().to_vec());
            self.tensors.push(TensorProto { dims, data_type: FLOAT_TENSOR, name, raw_data });
        }
        let mut last = INPUT.to_owned();
        let depth = self.card.architecture.depth;
        for number in 1..=depth {
            let name = format!("{prefix}conv{number}");
            let [weight, bias] = ["weight", "bias"].map(|part| format!("{name}.{part}"));
            last = self.node("Conv", &name, &[&last, &weight, &bias], plain_convolution());
            last = self.node("Relu", &format!("{prefix}relu{number}"), &[&last], []);
            if 1 < number && number < depth {
                let two = || vec![2, 2];
                let settings = [ints("kernel_shape", two()), ints("strides", two())];
                last = self.node("MaxPool", &format!("{prefix}pool{number}"), &[&last], settings);
            }
            if number < depth {
                let name = format!("{prefix}norm{number}");
                let parts = ["gamma", "beta", "mean", "variance"].map(|part| format!("{name}.{part}"));
                let [gamma, beta, mean, variance] = &parts;
                let settings = [float("epsilon", NORM_EPSILON as f32)];
                last = self.node("BatchNormalization", &name, &[&last, gamma, beta, mean, variance], settings);
            }
        }
        last = self.node("Flatten", &format!("{prefix}flatten"), &[&last], [int("axis", 1)]);
        last = self.dense(&format!("{prefix}dense1"), &last);
        last = self.node("Relu", &format!("{prefix}relu{}", depth + 1), &[&last], []);
        last = self.dense(&format!("{prefix}dense2"), &last);
        self.members.push(last);
        Ok(())
    }

    /// Ends the graph with its output.
    pub fn finish(mut self) -> GraphProto {
        let members = std::mem::take(&mut self.members);
        let last = match members.as_slice() {
            [only] => only.clone(),
            members => self.mean(members),
        };
        self.node("Identity", OUTPUT, &[&last], []);
        let shape = self.card.input.shape;
        let image = [shape.channels, shape.height, shape.width];
        GraphProto {
            node: self.nodes,
            name: "kana".to_owned(),
            initializer: self.tensors,
            input: vec![batch_of(INPUT, &image)],
            output: vec![batch_of(OUTPUT, &[self.card.labels.len()])],
        }
    }

    fn mean(&mut self, members: &[String]) -> String {
        let raw_data = 0_i64.to_le_bytes().to_vec();
        self.tensors.push(TensorProto {
            dims: vec![1],
            data_type: INT64_TENSOR,
            name: "members.axis".to_owned(),
            raw_data,
        });
        let count = (members.len() as f32).ln().to_le_bytes().to_vec();
        self.tensors.push(TensorProto {
            dims: Vec::new(),
            data_type: FLOAT_TENSOR,
            name: "members.log".to_owned(),
            raw_data: count,
        });
        let mut stacked = Vec::with_capacity(members.len());
        for (number, logits) in members.iter().enumerate() {
            let logarithms =
                self.node("LogSoftmax", &format!("member{number}.logarithms"), &[logits], [int("axis", -1)]);
            stacked.push(self.node(
                "Unsqueeze",
                &format!("member{number}.stacked"),
                &[&logarithms, "members.axis"],
                [],
            ));
        }
        let stacked: Vec<&str> = stacked.iter().map(String::as_str).collect();
        let all = self.node("Concat", "members", &stacked, [int("axis", 0)]);
        let settings = [ints("axes", vec![0]), int("keepdims", 0)];
        let sum = self.node("ReduceLogSumExp", "members.sum", &[&all], settings);
        self.node("Sub", "members.mean", &[&sum, "members.log"], [])
    }

    fn dense(&mut self, name: &str, input: &str) -> String {
        let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
        self.node("Gemm", name, &[input, &weight, &bias], [int("transB", 1)])
    }

    /// Adds an operation. Returns the name of its output, which is its own.
    fn node(
        &mut self,
        kind: &str,
        name: &str,
        inputs: &[&str],
        settings: impl IntoIterator<Item = AttributeProto>,
    ) -> String {
        self.nodes.push(NodeProto {
            input: inputs.iter().map(ToString::to_string).collect(),
            output: vec![name.to_owned()],
            name: name.to_owned(),
            op_type: kind.to_owned(),
            attribute: settings.into_iter().collect(),
        });
        name.to_owned()
    }
}

/// A tensor of floats whose first extent each call chooses.
fn batch_of(name: &str, extents: &[usize]) -> ValueInfoProto {
    let dim = |value| DimensionProto { value: Some(value) };
    let batch = dim(Extent::DimParam("batch".to_owned()));
    let rest = extents.iter().map(|extent| dim(Extent::DimValue(*extent as i64)));
    let shape = TensorShapeProto { dim: std::iter::once(batch).chain(rest).collect() };
    let tensor = TensorTypeProto { elem_type: FLOAT_TENSOR, shape: Some(shape) };
    ValueInfoProto { name: name.to_owned(), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}

/// Settings of a 3×3 convolution without padding. All but the first are what ONNX means without them; rten 0.27 asks for them.
fn plain_convolution() -> [AttributeProto; 4] {
    [
        ints("kernel_shape", vec![3, 3]),
        ints("strides", vec![1, 1]),
        ints("pads", vec![0; 4]),
        ints("dilations", vec![1, 1]),
    ]
}

fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { name: name.to_owned(), f: Some(f), r#type: FLOAT, ..AttributeProto::default() }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.to_owned(), i: Some(i), r#type: INT, ..AttributeProto::default() }
}

fn ints(name: &str, ints: Vec<i64>) -> AttributeProto {
    AttributeProto { name: name.to_owned(), ints, r#type: INTS, ..AttributeProto::default() }
}
