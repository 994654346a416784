//! Which images train the network, which select the epoch, and which measure the result?
//!
//! A folder with `train-*` files trains on those, except a share that selects the epoch, and is measured on `t10k-*`. A
//! folder with `t10k-*` alone is one data set: one sixth of it measures the result, the epoch is selected on a share of
//! the rest. All parts are stratified and depend on the seed alone, so that [`held_out`] finds the same images again
//! when somebody checks a card. Folders of pictures are divided likewise, `train/` and `test/` in place of those files.

use super::stratify::{Part, Partition, stratify};
use super::{DISTILL_SETTING, Dataset, FAST_DEV_SETTING, FOLDS_SETTING, Folder};
use kana_engine::model::Card;

/// Share of a folder without `train-*` files that is held out for the test: one fold of the data set's six-fold protocol.
pub const TEST_SHARE: f64 = 1.0 / 6.0;

/// Three parts of a data set that have no image in common.
#[derive(Clone, Debug)]
pub struct Split {
    /// Images that the network is trained on.
    pub training: Dataset,
    /// Images that select the best epoch.
    pub validation: Dataset,
    /// Images that measure the finished network, once.
    pub test: Dataset,
    /// Description of the parts, for the card.
    pub protocol: Protocol,
}

/// Description, in words, of how each accuracy was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// Description of the accuracy on [`Split::validation`].
    pub validation: String,
    /// Description of the accuracy on [`Split::test`].
    pub test: String,
}

impl Split {
    /// Splits `folder` under `seed`. A `validation_share` (0 to 1) of the images outside the test part selects the epoch.
    pub fn new(folder: &Folder, validation_share: f64, seed: u64) -> Self {
        let (rest, test) = match &folder.train {
            Some(train) => (train.clone(), folder.test.clone()),
            None => {
                let partition = test_partition(&folder.test, seed);
                (folder.test.subset(&partition.rest), folder.test.subset(&partition.held_out))
            }
        };
        let partition = stratify(rest.labels(), validation_share, seed, Part::Validation);
        let (training, validation) = (rest.subset(&partition.rest), rest.subset(&partition.held_out));
        let counts = Counts { training: training.len(), validation: validation.len(), test: test.len() };
        let [train_files, test_files] = folder.part_names();
        let protocol = match &folder.train {
            Some(_) => Protocol::of_two_parts(counts, seed, [train_files, test_files]),
            None => Protocol::of_one_part(counts, seed, test_files),
        };
        Self { training, validation, test, protocol }
    }
}

/// Images in each part.
struct Counts {
    training: usize,
    validation: usize,
    test: usize,
}

impl Protocol {
    fn of_two_parts(
        Counts { training, validation, test }: Counts,
        seed: u64,
        [train_files, test_files]: [&str; 2],
    ) -> Self {
        Self {
            validation: format!(
                "{validation} images of {train_files}, held out by class under seed {seed}; they chose the epoch"
            ),
            test: format!(
                "learned from {training} images of {train_files}, the epoch chosen by {validation} others of them; judged \
                 once on the {test} images of {test_files}, which neither saw"
            ),
        }
    }

    fn of_one_part(Counts { training, validation, test }: Counts, seed: u64, files: &str) -> Self {
        let parts = format!("{files} alone, split by class under seed {seed}");
        Self {
            validation: format!("{parts}: the {validation} images that chose the epoch"),
            test: format!(
                "{parts}: learned from {training}, the epoch chosen by {validation}, judged once on {test} that \
                 neither saw"
            ),
        }
    }
}

/// Images that are divided into folds, and those that judge the model of all folds.
#[derive(Clone, Debug)]
pub struct Division {
    /// Images that are divided.
    pub images: Dataset,
    /// Images that no network learns from; `None` where all are divided.
    pub test: Option<Dataset>,
    /// What both are called in cards.
    pub names: [String; 2],
}

impl Division {
    /// Divides the images of `folder` for training, which those for testing judge. A folder without images for training
    /// divides all, or all but a sixth when a student `is_distilled`: every image of a fold has a teacher that learned from it.
    pub fn new(folder: &Folder, is_distilled: bool, seed: u64) -> Self {
        let [train_files, test_files] = folder.part_names();
        match &folder.train {
            Some(train) => Self {
                images: train.clone(),
                test: Some(folder.test.clone()),
                names: [train_files.to_owned(), test_files.to_owned()],
            },
            None if is_distilled => {
                let partition = test_partition(&folder.test, seed);
                Self {
                    images: folder.test.subset(&partition.rest),
                    test: Some(folder.test.subset(&partition.held_out)),
                    names: [
                        format!("five sixths of {test_files}"),
                        format!("the other sixth, held out by class under seed {seed}"),
                    ],
                }
            }
            None => Self { images: folder.test.clone(), test: None, names: [test_files.to_owned(), String::new()] },
        }
    }
}

/// Returns the images of `folder` that may measure the model of `card`: all of `t10k-*`, except that a model trained on
/// the same files is measured only on the part that was held out from its training. `None` where nothing was held out from
/// all of its networks, as with folds of which no student was distilled.
pub fn held_out(folder: &Folder, card: &Card) -> Option<Dataset> {
    if folder.train.is_none()
        && folder.test.has_trained(card)
        && card.training.data.len() == folder.test.sources().len()
    {
        let has = |setting| card.training.settings.contains_key(setting);
        let is_divided_otherwise = has(FAST_DEV_SETTING) || has(FOLDS_SETTING) && !has(DISTILL_SETTING);
        let partition = (!is_divided_otherwise).then(|| test_partition(&folder.test, card.training.seed));
        return partition.map(|partition| folder.test.subset(&partition.held_out));
    }
    Some(folder.test.clone())
}

fn test_partition(whole: &Dataset, seed: u64) -> Partition {
    stratify(whole.labels(), TEST_SHARE, seed, Part::Test)
}
