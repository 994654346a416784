//! What does an image cost other engines in Rust, with the same weights?
//!
//! `peers MODEL.onnx` times tract, rten and candle on one thread, each a turn for every batch size, and prints one JSON object:
//! for each engine the microseconds an image of every call, by batch size. Every engine classifies the same random images,
//! and what they answer is compared, so that no engine is fast by computing something else.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rten_tensor::prelude::*;
use tract_onnx::prelude::{DatumExt, Framework, InferenceModelExt, IntoRunnable, RunnableModel, TVec, TypedFact, TypedOp, tvec};

/// Batch sizes that are timed.
const BATCHES: [usize; 4] = [1, 8, 32, 128];
/// End of a turn, in images and in time.
const TURN_IMAGES: usize = 1_024;
const TURN: Duration = Duration::from_millis(500);
/// Largest difference between two engines' logits: sums in another order differ by less.
const TOLERANCE: f32 = 1e-3;

/// Engine that computes the logits of a batch, `[images][classes]`.
type Engine = Box<dyn FnMut(&[f32], usize) -> anyhow::Result<Vec<f32>>>;

fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).context("usage: peers MODEL.onnx")?;
    let path = Path::new(&path);
    let shape = image_shape(path)?;
    let images = noise(BATCHES[BATCHES.len() - 1] * shape.iter().product::<usize>());
    let mut engines: Vec<(&str, Engine)> =
        vec![("tract", tract(path, shape)?), ("rten", rten(path, shape)?), ("candle", candle(path, shape)?)];
    let mut report = serde_json::Map::new();
    let mut expected: Option<Vec<f32>> = None;
    for (name, engine) in &mut engines {
        let mut rows = serde_json::Map::new();
        for batch in BATCHES {
            let images = &images[..batch * shape.iter().product::<usize>()];
            let logits = engine(images, batch).with_context(|| format!("{name}, {batch} images"))?;
            if batch == 1 {
                let expected = expected.get_or_insert_with(|| logits.clone());
                let is_same = expected.iter().zip(&logits).all(|(one, other)| (one - other).abs() < TOLERANCE);
                ensure!(is_same && expected.len() == logits.len(), "{name} computes {logits:?}, others {expected:?}");
            }
            rows.insert(batch.to_string(), turn(engine, images, batch)?.into());
        }
        report.insert((*name).to_owned(), rows.into());
    }
    println!("{}", serde_json::Value::Object(report));
    Ok(())
}

/// Times calls until the turn ends: microseconds an image of each.
fn turn(engine: &mut Engine, images: &[f32], batch: usize) -> anyhow::Result<Vec<f64>> {
    let (begun, mut times) = (Instant::now(), Vec::new());
    while times.is_empty() || times.len() * batch < TURN_IMAGES && begun.elapsed() < TURN {
        let call = Instant::now();
        engine(images, batch)?;
        times.push(call.elapsed().as_secs_f64() * 1e6 / batch as f64);
    }
    Ok(times)
}

fn tract(path: &Path, [channels, height, width]: [usize; 3]) -> anyhow::Result<Engine> {
    let mut plans: HashMap<usize, std::sync::Arc<RunnableModel<TypedFact, Box<dyn TypedOp>>>> = HashMap::new();
    for batch in BATCHES {
        let fact = f32::fact([batch, channels, height, width]).into();
        let plan = tract_onnx::onnx().model_for_path(path)?.with_input_fact(0, fact)?.into_optimized()?.into_runnable()?;
        plans.insert(batch, plan);
    }
    Ok(Box::new(move |images, batch| {
        let input = tract_onnx::prelude::Tensor::from_shape(&[batch, channels, height, width], images)?;
        let output: TVec<_> = plans[&batch].run(tvec!(input.into()))?;
        Ok(output[0].to_plain_array_view::<f32>()?.iter().copied().collect())
    }))
}

fn rten(path: &Path, [channels, height, width]: [usize; 3]) -> anyhow::Result<Engine> {
    let mut options = rten::ModelOptions::with_all_ops();
    let model = options.prepack_weights(true).load_file(path)?;
    let pool = std::sync::Arc::new(rten::ThreadPool::with_num_threads(1));
    Ok(Box::new(move |images, batch| {
        let input = rten_tensor::NdTensorView::from_data([batch, channels, height, width], images);
        let options = rten::RunOptions::default().with_thread_pool(Some(pool.clone()));
        let output: rten_tensor::NdTensor<f32, 2> = model.run_one(input.into(), Some(options))?.try_into()?;
        Ok(output.to_vec())
    }))
}

fn candle(path: &Path, [channels, height, width]: [usize; 3]) -> anyhow::Result<Engine> {
    let model = candle_onnx::read_file(path)?;
    Ok(Box::new(move |images, batch| {
        let shape = (batch, channels, height, width);
        let input = candle_core::Tensor::from_slice(images, shape, &candle_core::Device::Cpu)?;
        let mut outputs = candle_onnx::simple_eval(&model, HashMap::from([("image".to_owned(), input)]))?;
        let logits = outputs.remove("logits").context("the graph has no output named logits")?;
        Ok(logits.flatten_all()?.to_vec1()?)
    }))
}

/// Returns channels, rows and columns of the model's image.
fn image_shape(path: &Path) -> anyhow::Result<[usize; 3]> {
    let model = candle_onnx::read_file(path)?;
    let graph = model.graph.context("the file has no graph")?;
    let input = graph.input.iter().find(|input| input.name == "image").context("the graph has no input named image")?;
    let kind = input.r#type.as_ref().and_then(|kind| kind.value.as_ref()).context("the input has no type")?;
    let candle_onnx::onnx::type_proto::Value::TensorType(tensor) = kind else { anyhow::bail!("the input is no tensor") };
    let sizes: Vec<usize> = tensor.shape.iter().flat_map(|shape| &shape.dim).filter_map(size).collect();
    sizes.try_into().map_err(|sizes| anyhow::anyhow!("the image has the sizes {sizes:?}, expected three"))
}

fn size(dimension: &candle_onnx::onnx::tensor_shape_proto::Dimension) -> Option<usize> {
    use candle_onnx::onnx::tensor_shape_proto::dimension::Value;
    match dimension.value.as_ref()? {
        Value::DimValue(size) => usize::try_from(*size).ok(),
        Value::DimParam(_) => None,
    }
}

/// Numbers that look random and are the same in every run: a linear congruence (D. Knuth: The Art of Computer Programming,
/// volume 2), in [-1, 1].
fn noise(count: usize) -> Vec<f32> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}
