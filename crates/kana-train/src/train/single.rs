//! How does one network become a model?
//!
//! It is trained on one part of the images, the best epoch is chosen by another, and the result is measured once on a third.
//! After an interruption the best network until then is a model too, which serves; its card says so, and the third part is
//! not touched.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use anyhow::ensure;

use super::checkpoint::Best;
use super::session::{Choice, End, Plan, Session};
use super::{Completion, Config, artifact, input, run_folder};
use crate::data::{Folder, Split};
use kana_engine::model::Card;
use kana_engine::model::card::{Evaluation, Input};

/// A run and the parts of its images.
struct Single<'a> {
    config: &'a Config,
    folder: &'a Folder,
    split: Split,
    input: Input,
}

/// Trains a network on the images of `folder`.
///
/// # Errors
/// Those of [`super::run`].
pub fn run(config: &Config, folder: &Folder, interrupted: &AtomicBool) -> anyhow::Result<Completion> {
    let split = Split::new(folder, config.validation, config.seed);
    for (part, images) in [("training", &split.training), ("validation", &split.validation), ("test", &split.test)] {
        let count = images.len();
        ensure!(count > 1, "{} has {count} images for {part}, expected two or more", config.data.display());
    }
    ensure!(
        split.test.shape() == split.training.shape(),
        "the images to test with are {}, those to train with {}",
        split.test.shape(),
        split.training.shape()
    );
    let input = input::measure(&split.training);
    let run = Single { config, folder, split, input };
    let session = run.session()?;
    run_folder::start(config)?;
    match session.run(interrupted)? {
        End::Finished(best) => {
            let card =
                artifact::save(&config.out, run.card(&session, &best), session.architecture(), &[&best.parameters])?;
            session.checkpoint().remove()?;
            Ok(Completion::Finished { card: Box::new(card), student: None })
        }
        End::Interrupted { epochs_done, best } => {
            if let Some(best) = &best {
                let card = run.interrupted_card(&session, best, epochs_done);
                artifact::save(&config.out, card, session.architecture(), &[&best.parameters])?;
            }
            let checkpoint = session.checkpoint().path().to_owned();
            Ok(Completion::Interrupted { checkpoint, epochs_done, has_model: best.is_some() })
        }
    }
}

impl Single<'_> {
    fn session(&self) -> anyhow::Result<Session<'_>> {
        let Self { config, folder, split, input } = self;
        let test_data =
            split.test.sources().iter().map(|source| (format!("data {}", source.file), source.sha256.clone()));
        let plan = Plan {
            folder: &config.out,
            training: &split.training,
            validation: &split.validation,
            teachers: &[],
            input: input.clone(),
            class_count: folder.classes.labels.len(),
            seed: config.seed,
            resume: config.resume,
            choice: Choice::Best,
            settings: BTreeMap::from_iter(test_data),
        };
        Session::new(config, plan)
    }

    /// Describes the network of the best epoch, which is tested here, once.
    fn card(&self, session: &Session<'_>, best: &Best) -> Card {
        let test = session.evaluator(&best.parameters).score(&self.split.test);
        let test = Evaluation {
            protocol: self.split.protocol.test.clone(),
            images: self.split.test.len(),
            accuracy: test.accuracy(),
        };
        let mut card = self.untested_card(session, best);
        card.evaluation.insert(0, test);
        card
    }

    /// Describes the best network of a run that goes on: the test images are for the finished one.
    fn interrupted_card(&self, session: &Session<'_>, best: &Best, epochs_done: usize) -> Card {
        let mut card = self.untested_card(session, best);
        card.description += &format!(" Training was interrupted after {epochs_done} of {} epochs.", self.config.epochs);
        card
    }

    fn untested_card(&self, session: &Session<'_>, best: &Best) -> Card {
        let mut card = artifact::describe(self.config, &self.folder.classes, &self.input);
        card.training.data = self.split.training.sources().to_vec();
        card.training.images = self.split.training.len();
        card.training.validation_images = self.split.validation.len();
        card.training.best_epoch = best.epoch;
        card.evaluation = vec![Evaluation {
            protocol: self.split.protocol.validation.clone(),
            images: self.split.validation.len(),
            accuracy: best.score.accuracy(),
        }];
        card.self_test = artifact::specimens(&self.split.validation, &[session.evaluator(&best.parameters)]);
        card
    }
}
