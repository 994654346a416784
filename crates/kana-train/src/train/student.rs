//! What does one network learn from several?
//!
//! It sees the images that were divided into folds, distorted as ever, and its targets are what the members of the ensemble
//! say of the same distorted image, on average: distillation (G. Hinton et al.: Distilling the Knowledge in a Neural Network,
//! 2015), with a teacher that is shown what the student sees (L. Beyer et al.: Knowledge distillation: A good teacher is
//! patient and consistent, 2022). Labels are not used. Images that neither learned from judge both, and the engine that
//! serves them is timed on them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;
use tracing::info;

use super::atomic_write::atomic_write;
use super::checkpoint::{Best, CheckpointFile};
use super::evaluator::Evaluator;
use super::folds::lock;
use super::run_folder::read_json;
use super::session::{Choice, End, Plan, Session};
use super::{Config, artifact};
use crate::data::split::Division;
use crate::data::{Classes, Dataset, evaluate};
use kana_engine::model::card::{Evaluation, Input};
use kana_engine::model::{Artifact, CARD_FILE, Card};

/// Folder of the student in that of the ensemble.
const FOLDER: &str = "student";
/// File with the [`Comparison`], in the student's folder.
const COMPARISON_FILE: &str = "comparison.json";
/// Images that both are timed on, at most: a second for the slowest networks.
const TIMED_IMAGES: usize = 500;
/// Rounds in which both are timed, in turn; the least time counts, which other programs disturbed least.
const TIMED_ROUNDS: usize = 5;

/// A student beside the ensemble that taught it.
#[derive(Clone, Debug, PartialEq)]
pub struct Student {
    /// Folder of its artifact.
    pub folder: PathBuf,
    /// Its card.
    pub card: Card,
    /// What it costs and gains.
    pub comparison: Comparison,
}

/// What a student costs in accuracy and gains in time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The members of the ensemble together.
    pub ensemble: Measured,
    /// The student.
    pub student: Measured,
}

/// Accuracy and time of a model on the same images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Share of the images that are classified correctly, in [0, 1].
    pub accuracy: f64,
    /// Time of an image on one thread, in microseconds.
    pub microseconds: f64,
}

/// What a student learns with.
pub struct Lesson<'a> {
    /// Settings of the run.
    pub config: &'a Config,
    /// Labels of the classes.
    pub classes: &'a Classes,
    /// Images to learn from, and images that judge.
    pub division: &'a Division,
    /// Shape and scale of the images.
    pub input: &'a Input,
    /// Networks of the ensemble.
    pub teachers: &'a [Evaluator],
    /// Card of the ensemble.
    pub card: &'a Card,
}

/// End of the lesson.
pub enum Outcome {
    /// The student's artifact is written.
    Finished(Box<Student>),
    /// The lesson was interrupted.
    Interrupted { checkpoint: PathBuf, epochs_done: usize },
}

impl Lesson<'_> {
    /// Trains the student, unless it is finished, and compares it with its teachers.
    ///
    /// # Errors
    /// Those of [`super::run`].
    pub fn run(&self, interrupted: &AtomicBool) -> anyhow::Result<Outcome> {
        let Self { config, division, .. } = self;
        let tests = division.test.as_ref().expect("BUG: a division for a student has images that judge");
        let folder = folder(&config.out);
        super::create_folder(&folder)?;
        let _lock = lock(&folder, "the student")?;
        let is_resumed = config.resume && CheckpointFile::is_in(&folder);
        if folder.join(CARD_FILE).exists() && !is_resumed {
            let card = read_json(&folder.join(CARD_FILE))?;
            return self.compare(folder, card, tests).map(|student| Outcome::Finished(Box::new(student)));
        }
        info!("student: {} images, {} held out", division.images.len(), tests.len());
        let members: Vec<&str> = self.card.members.iter().map(|member| member.sha256.as_str()).collect();
        let plan = Plan {
            folder: &folder,
            training: &division.images,
            validation: tests,
            teachers: self.teachers,
            input: self.input.clone(),
            class_count: self.classes.labels.len(),
            // The members have the seeds before.
            seed: config.seed.wrapping_add(members.len() as u64),
            resume: is_resumed,
            choice: Choice::Last,
            settings: BTreeMap::from([("teachers".to_owned(), members.join(" "))]),
        };
        let session = Session::new(config, plan)?;
        let best = match session.run(interrupted)? {
            End::Finished(best) => best,
            End::Interrupted { epochs_done, .. } => {
                return Ok(Outcome::Interrupted { checkpoint: session.checkpoint().path().to_owned(), epochs_done });
            }
        };
        let card = self.describe(&session, &best, tests);
        let card = artifact::save(&folder, card, session.architecture(), &[&best.parameters])?;
        session.checkpoint().remove()?;
        self.compare(folder, card, tests).map(|student| Outcome::Finished(Box::new(student)))
    }

    fn describe(&self, session: &Session<'_>, best: &Best, tests: &Dataset) -> Card {
        let count = self.teachers.len();
        let [learned, judged] = &self.division.names;
        Card {
            name: format!("{}-student", self.card.name),
            description: format!("{} One network that learned from {count}.", self.card.description),
            evaluation: vec![Evaluation {
                protocol: format!(
                    "one network, learned from what {count} others say of {} images of {learned}; judged after its last epoch on \
                     {} images of {judged}, which none saw",
                    self.division.images.len(),
                    tests.len(),
                ),
                images: tests.len(),
                accuracy: best.score.accuracy(),
            }],
            self_test: artifact::specimens(tests, &[session.evaluator(&best.parameters)]),
            ..self.card.clone()
        }
    }

    fn compare(&self, folder: PathBuf, card: Card, tests: &Dataset) -> anyhow::Result<Student> {
        let timed = tests.subset(&(0..tests.len().min(TIMED_IMAGES)).collect::<Vec<_>>());
        let mut classifiers = Vec::new();
        for folder in [self.config.out.as_path(), &folder] {
            let artifact = Artifact::load(folder).with_context(|| format!("could not load {}", folder.display()))?;
            classifiers.push(artifact.classifier()?);
        }
        let mut least = [Duration::MAX; 2];
        for _ in 0..TIMED_ROUNDS {
            for (classifier, least) in classifiers.iter_mut().zip(&mut least) {
                let begin = Instant::now();
                evaluate::evaluate(classifier.as_mut(), &timed, |_| {})?;
                *least = begin.elapsed().min(*least);
            }
        }
        let [ensemble, student] = [(0, self.card), (1, &card)].map(|(place, card): (usize, &Card)| Measured {
            accuracy: card.evaluation[0].accuracy,
            microseconds: least[place].as_secs_f64() * 1e6 / timed.len() as f64,
        });
        let comparison = Comparison { ensemble, student };
        let text = serde_json::to_string_pretty(&comparison)? + "\n";
        atomic_write(&folder.join(COMPARISON_FILE), text.as_bytes())?;
        Ok(Student { folder, card, comparison })
    }
}

/// Folder of the student of the run in `out`.
pub fn folder(out: &Path) -> PathBuf {
    out.join(FOLDER)
}
