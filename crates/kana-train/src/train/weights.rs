//! How are parameters stored in a safetensors file?
//!
//! As little-endian `f32` under the names of the [`Architecture`]. Weight files have nothing else; checkpoints add the
//! tensors of the optimiser under other prefixes, and metadata.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, ensure};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::architecture::{Architecture, Parameters, TensorSpec};

/// A tensor as a file contains it.
pub struct NamedTensor<'a> {
    name: String,
    shape: Vec<usize>,
    values: &'a [f32],
}

/// Encodes a weight file with `parameters`.
///
/// # Errors
/// Returns the error of safetensors, which parameters of this architecture do not cause.
pub fn encode_weights(architecture: &Architecture, parameters: &Parameters) -> anyhow::Result<Vec<u8>> {
    encode(name_parameters("", architecture, parameters), None)
}

/// Parses the parameters from the bytes of a weight file.
///
/// # Errors
/// Returns an error when the bytes are no safetensors file, and when a tensor is missing or has another shape.
fn parse_weights(architecture: &Architecture, bytes: &[u8]) -> anyhow::Result<Parameters> {
    let tensors = SafeTensors::deserialize(bytes).context("the weights are not in the safetensors format")?;
    read_parameters(&tensors, "", architecture)
}

/// Reads the parameters from the weight file at `path`.
///
/// # Errors
/// Returns the error of the file system, and those of [`parse_weights`].
pub fn read_weights(architecture: &Architecture, path: &Path) -> anyhow::Result<Parameters> {
    let bytes = std::fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
    parse_weights(architecture, &bytes).with_context(|| format!("could not parse {}", path.display()))
}

/// Names the tensors of `parameters`, each with `prefix`.
pub fn name_parameters<'a>(
    prefix: &str,
    architecture: &Architecture,
    parameters: &'a Parameters,
) -> Vec<NamedTensor<'a>> {
    let mut tensors = name_tensors(prefix, &architecture.trainable(), &parameters.trainable);
    tensors.extend(name_tensors(prefix, &architecture.statistics(), &parameters.statistics));
    tensors
}

/// Names `tensors` by their `specs`, each with `prefix`.
pub fn name_tensors<'a>(prefix: &str, specs: &[TensorSpec], tensors: &'a [Vec<f32>]) -> Vec<NamedTensor<'a>> {
    let name = |(spec, values): (&TensorSpec, &'a Vec<f32>)| NamedTensor {
        name: format!("{prefix}{}", spec.name),
        shape: spec.shape.clone(),
        values,
    };
    specs.iter().zip(tensors).map(name).collect()
}

/// Encodes `tensors` and `metadata` as a safetensors file.
///
/// # Errors
/// Returns the error of safetensors, which tensors of matching shape do not cause.
pub fn encode(tensors: Vec<NamedTensor<'_>>, metadata: Option<HashMap<String, String>>) -> anyhow::Result<Vec<u8>> {
    let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let encoded: Vec<Vec<u8>> = tensors.iter().map(|tensor| bytes(tensor.values)).collect();
    let mut views = Vec::with_capacity(tensors.len());
    for (tensor, bytes) in tensors.iter().zip(&encoded) {
        views.push((tensor.name.as_str(), TensorView::new(Dtype::F32, tensor.shape.clone(), bytes)?));
    }
    Ok(safetensors::serialize(views, metadata)?)
}

/// Reads the parameters with `prefix` from a file.
///
/// # Errors
/// Returns an error when a tensor is missing or has another shape or type.
pub fn read_parameters(
    tensors: &SafeTensors<'_>,
    prefix: &str,
    architecture: &Architecture,
) -> anyhow::Result<Parameters> {
    Ok(Parameters {
        trainable: read_tensors(tensors, prefix, &architecture.trainable())?,
        statistics: read_tensors(tensors, prefix, &architecture.statistics())?,
    })
}

/// Reads the values of the tensors that `specs` name, each with `prefix`, from a file.
///
/// # Errors
/// Returns an error when a tensor is missing or has another shape or type.
pub fn read_tensors(tensors: &SafeTensors<'_>, prefix: &str, specs: &[TensorSpec]) -> anyhow::Result<Vec<Vec<f32>>> {
    let read = |spec: &TensorSpec| {
        let name = format!("{prefix}{}", spec.name);
        let view = tensors.tensor(&name).with_context(|| format!("tensor {name} is missing"))?;
        let (found, expected) = (view.shape(), &spec.shape);
        ensure!(
            view.dtype() == Dtype::F32 && found == expected.as_slice(),
            "tensor {name} is {:?} {found:?}, expected F32 {expected:?}",
            view.dtype()
        );
        let (values, _) = view.data().as_chunks::<4>();
        Ok(values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    };
    specs.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use kana_engine::image::Shape;

    use super::*;

    const ARCHITECTURE: Architecture =
        Architecture { image_shape: Shape { channels: 1, height: 20, width: 20 }, depth: 4, width: 2, class_count: 3 };

    #[test]
    fn parsed_weights_are_the_encoded_ones() {
        let parameters = Parameters::initial(&ARCHITECTURE, 1);

        let bytes = encode_weights(&ARCHITECTURE, &parameters).unwrap();

        assert_eq!(parse_weights(&ARCHITECTURE, &bytes).unwrap(), parameters);
    }

    #[test]
    fn weights_of_another_width_are_refused_by_name_and_shape() {
        let bytes = encode_weights(&ARCHITECTURE, &Parameters::initial(&ARCHITECTURE, 1)).unwrap();

        let error = parse_weights(&Architecture { width: 4, ..ARCHITECTURE }, &bytes).unwrap_err();

        assert!(error.to_string().contains("conv1.weight is F32 [2, 1, 3, 3], expected F32 [4, 1, 3, 3]"), "{error}");
    }
}
