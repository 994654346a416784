//! How are the image classifiers of kana trained and evaluated?
//!
//! This crate reads labelled images, trains a small convolutional network on them, and writes an *artifact*: a folder
//! with the weights and a card that says how they were trained and how accurate they are. The crate `kana-engine` loads
//! artifacts and classifies images with them; it needs nothing from here.
//!
//! A run on a processor is reproducible: the same data, [`Config`] and version write the same bytes, on any number of
//! threads, and even when the run was interrupted and resumed. One on a graphics processor ([`Device::Gpu`], in a build
//! with the feature `gpu`) takes the same batches and agrees to rounding. Accuracy is measured once, on images that neither training nor the choice of
//! the epoch has seen. One network architecture is supported; there are no custom layers and no other losses.
//!
//! # Example
//!
//! Train on the folder `data/kmnist` (see [`data::Folder::load`] for its files), then evaluate the artifact:
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::atomic::AtomicBool;
//!
//! use kana_engine::model::Artifact;
//! use kana_train::data::evaluate::evaluate;
//! use kana_train::data::{Folder, split};
//! use kana_train::{Completion, Config};
//!
//! # fn main() -> anyhow::Result<()> {
//! let config = Config { data: "data/kmnist".into(), out: "models/mine".into(), epochs: 5, ..Config::default() };
//! // Another thread or a signal handler sets the flag to stop early: a checkpoint is left, which `resume` continues from.
//! let interrupted = AtomicBool::new(false);
//!
//! if let Completion::Finished { card, .. } = kana_train::run(&config, &interrupted)? {
//!     println!("{:.2} % of {} images", 100.0 * card.evaluation[0].accuracy, card.evaluation[0].images);
//! }
//!
//! let artifact = Artifact::load(Path::new("models/mine"))?;
//! let folder = Folder::load(Path::new("data/kmnist"))?;
//! let test = split::held_out(&folder, artifact.card()).expect("one network, and a part of the images that it never saw");
//! let report = evaluate(artifact.classifier()?.as_mut(), &test, |_| {})?;
//! println!("recall of {}: {:.3}", report.per_class[0].label, report.per_class[0].recall);
//! # Ok(())
//! # }
//! ```

pub mod data;
pub mod metrics;
pub mod report;
mod train;

pub use train::{
    Comparison, Completion, Config, Device, Measured, REPORT_PAGE, RatePoint, RateSearch, Schedule, Student,
    find_learning_rate, gather, probabilities, run, write_report,
};
