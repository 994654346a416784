//! Where are images classified, and what happens if that panics?
//!
//! On one thread that does nothing else, so that neither heartbeats nor health checks wait for arithmetic. A panic ends
//! the engine that it happened in, never the process: the batch fails with the panic's message, and the next batch gets
//! a new engine.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use kana_engine::Prediction;
use kana_engine::image::Image;
use kana_engine::model::{self, Classifier};

use crate::telemetry::Chain;

/// Creates an engine; called once at the start, and again after each panic.
pub type Factory = Box<dyn FnMut() -> Result<Box<dyn Classifier>, model::Error> + Send>;

/// The engine thread's stack. Buffers live on the heap; only touched pages are paid for.
const STACK_BYTES: usize = 2 * 1024 * 1024;

/// The result of a batch.
#[derive(Debug)]
pub struct BatchResult {
    /// One answer per image in the order given, or the reason why there are none.
    pub result: Result<Vec<Answer>, String>,
    /// Time in the engine.
    pub elapsed: Duration,
}

/// The answer for one image.
#[derive(Debug)]
pub struct Answer {
    /// The classifier's answer.
    pub prediction: Prediction,
    /// Whether the image shows nothing.
    pub blank: bool,
}

struct Batch {
    images: Vec<Image>,
    answer: oneshot::Sender<BatchResult>,
}

/// Handle of the engine thread, which ends after its current batch when the handle is dropped.
#[derive(Debug)]
pub struct Engine {
    batches: mpsc::Sender<Batch>,
}

impl Engine {
    /// Starts the thread and waits, off the reactor, until it has created its engine.
    ///
    /// # Errors
    /// Where no thread can be started, or `factory` fails.
    pub async fn start(mut factory: Factory) -> anyhow::Result<Self> {
        // The consumer has one batch in the engine at a time, so this queue holds one at most.
        let (batches, inbox) = mpsc::channel();
        let (loaded, load) = oneshot::channel();
        std::thread::Builder::new().name("engine".into()).stack_size(STACK_BYTES).spawn(move || {
            let (engine, load) = match factory() {
                Ok(engine) => (Some(engine), Ok(())),
                Err(error) => (None, Err(error)),
            };
            if loaded.send(load).is_ok() && engine.is_some() {
                serve(engine, factory, &inbox);
            }
        })?;
        match load.await {
            Ok(load) => load.map(|()| Self { batches }).map_err(Into::into),
            Err(_) => anyhow::bail!("the engine panicked while it was loaded"),
        }
    }

    /// Classifies `images`. Dropping the future does not stop the engine; the answer is dropped instead.
    pub async fn classify(&self, images: Vec<Image>) -> BatchResult {
        let (answer, wait) = oneshot::channel();
        let sent = self.batches.send(Batch { images, answer });
        match (sent, wait.await) {
            (Ok(()), Ok(answer)) => answer,
            _ => BatchResult { result: Err("the engine's thread has ended".into()), elapsed: Duration::ZERO },
        }
    }
}

fn serve(mut engine: Option<Box<dyn Classifier>>, mut factory: Factory, inbox: &mpsc::Receiver<Batch>) {
    while let Ok(batch) = inbox.recv() {
        let start = Instant::now();
        // Everything that the closure touches is thrown away after a panic, so nothing half-changed is seen again.
        let result = catch_unwind(AssertUnwindSafe(|| attempt(&mut engine, &mut factory, &batch.images)));
        let elapsed = start.elapsed();
        let result = result.unwrap_or_else(|panic| {
            engine = None;
            Err(format!("the engine panicked: {}", message(panic.as_ref())))
        });
        // Nothing receives the answer when the worker has drained without this batch.
        let _ = batch.answer.send(BatchResult { result, elapsed });
    }
}

fn attempt(
    engine: &mut Option<Box<dyn Classifier>>,
    factory: &mut Factory,
    images: &[Image],
) -> Result<Vec<Answer>, String> {
    let engine = match engine {
        Some(engine) => engine,
        None => engine.insert(factory().map_err(|error| Chain(&error).to_string())?),
    };
    let predictions = engine.classify(images).map_err(|error| Chain(&error).to_string())?;
    if predictions.len() != images.len() {
        return Err(format!("the engine returned {} predictions for {} images", predictions.len(), images.len()));
    }
    let answer = |(prediction, image): (Prediction, &Image)| Answer { prediction, blank: image.is_blank() };
    Ok(predictions.into_iter().zip(images).map(answer).collect())
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
