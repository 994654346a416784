//! How do several threads classify one batch?
//!
//! Each has an engine of its own and takes a run of neighbouring images. An image's probabilities do not depend on its
//! batch, so they are the same for any number of threads.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use super::{Card, Classifier, Error};
use crate::Prediction;
use crate::image::Image;

/// Images for one thread, at least: fewer are classified before a further thread has woken.
const IMAGES_MIN: usize = 4;

/// What a thread makes of its share.
type Answer = Result<Vec<Prediction>, Error>;

/// A classifier of several engines, all of one model.
pub struct Threads {
    first: Box<dyn Classifier>,
    others: Vec<Helper>,
}

/// A thread with an engine, which lasts as long as its classifier: to start one for each batch takes as long as an image does.
struct Helper {
    /// Takes a share; `None` once the thread is to end.
    shares: Option<Sender<Vec<Image>>>,
    answers: Receiver<Answer>,
    thread: Option<JoinHandle<()>>,
}

impl Helper {
    fn start(mut engine: Box<dyn Classifier>) -> Self {
        let (shares, taken) = channel::<Vec<Image>>();
        let (told, answers) = channel();
        let work = move || {
            while let Ok(images) = taken.recv() {
                if told.send(engine.classify(&images)).is_err() {
                    return;
                }
            }
        };
        Self { shares: Some(shares), answers, thread: Some(std::thread::spawn(work)) }
    }

    fn begin(&self, images: &[Image]) {
        // A thread that panicked is found when its answer is asked for.
        let _ = self.shares.as_ref().map(|shares| shares.send(images.to_vec()));
    }

    /// Waits for the answer to the share that was begun.
    fn finish(&mut self) -> Answer {
        match self.answers.recv() {
            Ok(answer) => answer,
            Err(_) => match self.thread.take().map(JoinHandle::join) {
                Some(Err(panic)) => std::panic::resume_unwind(panic),
                _ => unreachable!("BUG: a thread ends before its classifier by a panic alone"),
            },
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.shares = None;
        if let Some(thread) = self.thread.take() {
            // A panic was reported where it was met, or nobody waited for the answer.
            let _ = thread.join();
        }
    }
}

impl Threads {
    /// Creates a classifier that uses the calling thread for `first` and one further thread for each of `others`.
    pub fn new(first: Box<dyn Classifier>, others: Vec<Box<dyn Classifier>>) -> Self {
        Self { first, others: others.into_iter().map(Helper::start).collect() }
    }
}

impl Classifier for Threads {
    fn classify(&mut self, images: &[Image]) -> Result<Vec<Prediction>, Error> {
        let expected = self.first.card().input.shape;
        if let Some(image) = images.iter().find(|image| image.shape() != expected) {
            return Err(Error::Shape { expected, found: image.shape() });
        }
        let share = images.len().div_ceil(1 + self.others.len()).max(IMAGES_MIN);
        let (own, rest) = images.split_at(share.min(images.len()));
        let mut running = Vec::with_capacity(self.others.len());
        for (helper, images) in self.others.iter_mut().zip(rest.chunks(share)) {
            helper.begin(images);
            running.push(helper);
        }
        let mut shares = vec![self.first.classify(own)];
        // All are waited for, whatever one of them says: no answer is left for the next batch.
        shares.extend(running.into_iter().map(Helper::finish));
        let shares: Vec<Vec<Prediction>> = shares.into_iter().collect::<Result<_, _>>()?;
        Ok(shares.into_iter().flatten().collect())
    }

    fn card(&self) -> &Card {
        self.first.card()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::model::Artifact;

    /// A classifier that cannot.
    struct Broken(Box<dyn Classifier>);

    impl Classifier for Broken {
        fn classify(&mut self, _: &[Image]) -> Answer {
            unreachable!("broken")
        }

        fn card(&self) -> &Card {
            self.0.card()
        }
    }

    #[test]
    fn a_panic_of_a_thread_is_the_callers() {
        let artifact = Artifact::built_in().expect("the shipped model");
        let [first, other] = [0, 1].map(|_| artifact.classifier().expect("an engine"));
        let shape = first.card().input.shape;
        let images = vec![Image::new(shape, vec![0; shape.bytes()]).expect("a whole image"); 2 * IMAGES_MIN];
        let mut threads = Threads::new(first, vec![Box::new(Broken(other))]);

        let result = catch_unwind(AssertUnwindSafe(|| threads.classify(&images)));

        assert!(result.is_err_and(|panic| panic.downcast_ref::<&str>().is_some_and(|why| why.contains("broken"))));
        assert_eq!(threads.classify(&images[..1]).expect("the first engine").len(), 1);
    }
}
