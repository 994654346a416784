//! Who learns from which images, and which does nobody see before the end?
//!
//! A folder with `train-*` learns from those, less what chooses the epoch, and is judged by `t10k-*`. A folder with
//! `t10k-*` alone is one data set: a sixth of it judges, what chooses the epoch comes off the rest. Everything is
//! stratified and follows from the seed, so that [`held_out`] finds the same images again for whoever checks a card.

use super::split::{Part, stratified};
use super::{Dataset, Folder};
use kana_engine::model::Card;

/// Share of a folder without `train-*` that judges: one fold of the six that the data set's protocol has.
pub const TEST_SHARE: f64 = 1.0 / 6.0;

/// A data set in three parts that share no image.
#[derive(Clone, Debug)]
pub struct Study {
    /// What is learned from.
    pub learning: Dataset,
    /// What chooses the best epoch.
    pub validation: Dataset,
    /// What judges, once.
    pub test: Dataset,
    /// What was held out from what, for the card.
    pub protocol: Protocol,
}

/// How the parts came about, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// Of the accuracy on [`Study::validation`].
    pub validation: String,
    /// Of the accuracy on [`Study::test`].
    pub test: String,
}

impl Study {
    /// The parts of `folder` under `seed`; `validation_share` (0 to 1) of what is not judged by chooses the epoch.
    pub fn new(folder: &Folder, validation_share: f64, seed: u64) -> Self {
        let (whole, test) = match &folder.train {
            Some(train) => (train.clone(), folder.test.clone()),
            None => {
                let split = judged(&folder.test, seed);
                (folder.test.subset(&split.rest), folder.test.subset(&split.held))
            }
        };
        let all: Vec<usize> = (0..whole.len()).collect();
        let split = stratified(whole.labels(), &all, validation_share, (seed, Part::Validation));
        let (learning, validation) = (whole.subset(&split.rest), whole.subset(&split.held));
        let protocol = Protocol::new(folder.train.is_some(), [&learning, &validation, &test], seed);
        Self { learning, validation, test, protocol }
    }
}

impl Protocol {
    fn new(has_train_files: bool, [learning, validation, test]: [&Dataset; 3], seed: u64) -> Self {
        let (a, b, c) = (learning.len(), validation.len(), test.len());
        if has_train_files {
            return Self {
                validation: format!("{b} images of train-*, held out by class under seed {seed}; they chose the epoch"),
                test: format!(
                    "learned from {a} images of train-*, the epoch chosen by {b} others of them; judged once on the {c} \
                     images of t10k-*, which neither saw"
                ),
            };
        }
        let parts = format!("t10k-* alone, split by class under seed {seed}");
        Self {
            validation: format!("{parts}: the {b} images that chose the epoch"),
            test: format!("{parts}: learned from {a}, the epoch chosen by {b}, judged once on {c} that neither saw"),
        }
    }
}

/// The images of `folder` that the model of `card` may be judged by: all of `t10k-*`, but only the part that was held
/// out where the model learned from the very same file.
pub fn held_out(folder: &Folder, card: &Card) -> Dataset {
    let is_known = |dataset: &Dataset| dataset.sources().iter().all(|source| card.training.data.contains(source));
    if folder.train.is_none() && is_known(&folder.test) && card.training.data.len() == folder.test.sources().len() {
        return folder.test.subset(&judged(&folder.test, card.training.seed).held);
    }
    folder.test.clone()
}

fn judged(whole: &Dataset, seed: u64) -> super::split::Split {
    let all: Vec<usize> = (0..whole.len()).collect();
    stratified(whole.labels(), &all, TEST_SHARE, (seed, Part::Test))
}
