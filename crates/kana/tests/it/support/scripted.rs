//! What is a classifier that does as it is told?

use std::sync::Arc;
use std::sync::mpsc;

use kana::worker::Factory;
use kana_engine::Prediction;
use kana_engine::image::Image;
use kana_engine::model::{Artifact, Card, Classifier, Error};

/// What a scripted engine does with a batch, handed the filenames' stand-ins: the first pixel of each image.
pub type Act = dyn Fn(&[u8]) -> Result<(), Error> + Send + Sync;

/// An engine that calls `act` with the first pixel of every image of a batch, and then answers each by that pixel.
pub fn engine(act: impl Fn(&[u8]) -> Result<(), Error> + Send + Sync + 'static) -> Factory {
    let act: Arc<Act> = Arc::new(act);
    Box::new(move || {
        let card = Card::clone(Artifact::built_in()?.card());
        Ok(Box::new(Scripted { act: act.clone(), card }))
    })
}

/// A gate that batches wait at: the engine tells which it holds, and goes on when let.
pub struct Gate {
    pub arrived: tokio::sync::mpsc::UnboundedReceiver<Vec<u8>>,
    open: mpsc::Sender<()>,
}

impl Gate {
    /// Lets the batch that waits pass.
    pub fn open(&self) {
        self.open.send(()).expect("an engine that waits");
    }
}

/// An engine whose every batch stops at a gate.
pub fn gated() -> (Factory, Gate) {
    let (arrive, arrived) = tokio::sync::mpsc::unbounded_channel();
    let (open, opened) = mpsc::channel();
    let opened = std::sync::Mutex::new(opened);
    let engine = engine(move |pixels| {
        arrive.send(pixels.to_vec()).ok();
        opened.lock().expect("one engine").recv().ok();
        Ok(())
    });
    (engine, Gate { arrived, open })
}

struct Scripted {
    act: Arc<Act>,
    card: Card,
}

impl Classifier for Scripted {
    fn classify(&mut self, images: &[Image]) -> Result<Vec<Prediction>, Error> {
        let pixels: Vec<u8> = images.iter().map(|image| image.pixels()[0]).collect();
        (self.act)(&pixels)?;
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
