//! How does a test decide what a classifier does with a batch?
//!
//! By a function that gets the first pixel of each image, which stands for the image's filename. The batch fails where it
//! returns an error, and otherwise each image is classified as that pixel.

use std::sync::Arc;
use std::sync::mpsc;

use kana::worker::Factory;
use kana_engine::Prediction;
use kana_engine::image::Image;
use kana_engine::model::{Artifact, Card, Classifier, Error};
use parking_lot::Mutex;

/// The function that a scripted engine calls with the first pixel of each image of a batch.
pub type Script = dyn Fn(&[u8]) -> Result<(), Error> + Send + Sync;

/// Makes an engine that calls `script` with each batch.
pub fn engine(script: impl Fn(&[u8]) -> Result<(), Error> + Send + Sync + 'static) -> Factory {
    let script: Arc<Script> = Arc::new(script);
    Box::new(move || {
        let card = Card::clone(Artifact::built_in()?.card());
        Ok(Box::new(Scripted { script: script.clone(), card }))
    })
}

/// A gate that batches wait at: `arrived` receives the pixels of each batch, which then waits for [`Gate::open`].
pub struct Gate {
    pub arrived: tokio::sync::mpsc::UnboundedReceiver<Vec<u8>>,
    open: mpsc::Sender<()>,
}

impl Gate {
    /// Lets the waiting batch pass.
    pub fn open(&self) {
        self.open.send(()).expect("an engine that waits");
    }
}

/// Makes an engine whose every batch waits at a gate.
pub fn gated() -> (Factory, Gate) {
    let (arrive, arrived) = tokio::sync::mpsc::unbounded_channel();
    let (open, opened) = mpsc::channel();
    let opened = Mutex::new(opened);
    let engine = engine(move |pixels| {
        arrive.send(pixels.to_vec()).ok();
        opened.lock().recv().ok();
        Ok(())
    });
    (engine, Gate { arrived, open })
}

struct Scripted {
    script: Arc<Script>,
    card: Card,
}

impl Classifier for Scripted {
    fn classify(&mut self, images: &[Image]) -> Result<Vec<Prediction>, Error> {
        let pixels: Vec<u8> = images.iter().map(|image| image.pixels()[0]).collect();
        (self.script)(&pixels)?;
        let classes = self.card.labels.len();
        let answer = |pixel: &u8| {
            let winner = usize::from(*pixel) % classes;
            let probabilities = (0..classes).map(|class| f32::from(u8::from(class == winner))).collect();
            Prediction::from_probabilities(probabilities, &self.card.labels).expect("a label a class")
        };
        Ok(pixels.iter().map(answer).collect())
    }

    fn card(&self) -> &Card {
        &self.card
    }
}
