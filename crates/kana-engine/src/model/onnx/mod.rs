//! How do other programs compute a model of ours?
//!
//! From an ONNX file (<https://onnx.ai>): one graph, whatever the number of members, with one input and one output.
//!
//! | name | shape | values |
//! |---|---|---|
//! | `image` | batch × channels × height × width | (byte / 255 − mean) / deviation, of each channel |
//! | `logits` | batch × labels | their softmax are the probabilities |
//!
//! The metadata has what a program needs around the graph: `labels`, `romanised`, `mean` and `deviation` as JSON, and
//! `name`, `licence` and `attribution` as text. The network is written as it is defined, with nothing folded, so that the
//! file can be trained further; who runs it, folds it.

mod graph;
mod messages;

use std::path::Path;

use prost::Message as _;

use super::native::Weights;
use super::{Error, artifact};
use graph::Graph;
use messages::{ModelProto, OperatorSetIdProto, StringStringEntryProto};

/// Name of the graph's input.
pub const INPUT: &str = "image";

/// Name of the graph's output.
pub const OUTPUT: &str = "logits";

/// Version of ONNX's format, and of its operators: those of 2021, which ONNX Runtime reads from 1.11 on.
const IR_VERSION: i64 = 8;
const OPSET: i64 = 17;

/// Writes the model in `folder` as an ONNX file, or the built-in one; returns the file's bytes.
///
/// # Errors
/// As [`Artifact::load`](super::Artifact::load).
pub fn export(folder: Option<&Path>) -> Result<Vec<u8>, Error> {
    let files = artifact::Files::read(folder)?;
    let card = &files.card;
    let mut graph = Graph::new(card);
    for (member, bytes) in card.members.iter().zip(&files.weights) {
        // Checked as if it were to be served: afterwards every tensor is there, and has the network's shape.
        let weights = Weights::read(bytes, card).and_then(|_| graph.add_member(bytes));
        weights.map_err(|reason| files.refusal(&format!("{}: {reason}", member.file)))?;
    }
    let text = |key: &str, value: &str| StringStringEntryProto { key: key.to_owned(), value: value.to_owned() };
    let model = ModelProto {
        ir_version: IR_VERSION,
        producer_name: "kana".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: card.description.clone(),
        graph: Some(graph.finish()),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        metadata_props: vec![
            text("name", &card.name),
            text("labels", &json(&card.labels)),
            text("romanised", &json(&card.romanised)),
            text("mean", &json(&card.input.mean)),
            text("deviation", &json(&card.input.deviation)),
            text("licence", &card.licence),
            text("attribution", &card.attribution),
        ],
    };
    Ok(model.encode_to_vec())
}

fn json<T: serde::Serialize>(values: &[T]) -> String {
    serde_json::to_string(values).expect("BUG: text and finite numbers can be written as JSON")
}
