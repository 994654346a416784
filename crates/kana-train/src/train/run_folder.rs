//! What does the folder of a finished run know of it?
//!
//! The card, the metrics of each network, and [`FILE`], which says where the data were and which machine trained. With the data
//! the held-out images are found again, and what the networks that never saw them say of them.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use super::architecture::Architecture;
use super::artifact::mean_probabilities;
use super::atomic_write::atomic_write;
use super::checkpoint::CheckpointFile;
use super::evaluator::Evaluator;
use super::folds::{by_fold, fold_folder, read_result};
use super::specialists::{self, Run};
use super::weights::read_weights;
use super::{Config, create_folder, first_images};
use crate::data::split::Division;
use crate::data::stratify::folds;
use crate::data::{DISTILL_SETTING, Dataset, FAST_DEV_SETTING, FOLDS_SETTING, Folder, Split};
use crate::metrics;
use crate::report::{self, FoldAccuracy, Inputs, Judged, Network};
use kana_engine::kernels::Instructions;
use kana_engine::model::{CARD_FILE, Card, card};

/// File of a run, beside its card.
const FILE: &str = "run.json";
/// File of the report for people, beside the card.
pub const REPORT_PAGE: &str = "report.html";
/// The same figures for programs.
const REPORT_JSON: &str = "report.json";

/// What the card does not say of a run: paths and machines are for whoever trained it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct RunFile {
    /// Folder of the data set.
    data: PathBuf,
    /// Processor, cores and instructions.
    machine: String,
}

/// Creates the folder of the run of `config`, with its [`FILE`].
///
/// # Errors
/// Returns the error of the file system.
pub fn start(config: &Config) -> anyhow::Result<()> {
    create_folder(&config.out)?;
    let data = std::path::absolute(&config.data).unwrap_or_else(|_| config.data.clone());
    let text = serde_json::to_string_pretty(&RunFile { data, machine: machine() })? + "\n";
    atomic_write(&config.out.join(FILE), text.as_bytes())
}

/// Describes this machine in a line.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or(std::env::consts::ARCH, |(_, name)| name.trim());
    format!("{model}, {cores} cores, {}", Instructions::best())
}

/// Gathers what a report says of the finished run in the folder `run`, and of the runs of specialists that are tried beside
/// it. Its data are looked for in `data`, or where they were.
///
/// # Errors
/// Returns an error when a run is not finished, when a file of it is missing or damaged, when the data are not those that
/// it was trained on, and when a specialist is none or cannot be compared.
pub fn gather(run: &Path, data: Option<&Path>, specialists: &[PathBuf]) -> anyhow::Result<Inputs> {
    let (mut inputs, data) = gather_alone(run, data)?;
    for folder in specialists {
        let specialist = gather_alone(folder, Some(&data))?.0;
        let (model, specialist) = (Run { folder: run, inputs: &inputs }, Run { folder, inputs: &specialist });
        let specialist = specialists::beside(model, specialist)?;
        inputs.specialists.push(specialist);
    }
    Ok(inputs)
}

/// Gathers what is known of one run, and returns it with the folder of its data.
fn gather_alone(run: &Path, data: Option<&Path>) -> anyhow::Result<(Inputs, PathBuf)> {
    ensure!(
        !CheckpointFile::is_in(run),
        "the run in {} is not finished, and its test images are for the finished model: resume it first",
        run.display()
    );
    let card: Card = read_json(&run.join(CARD_FILE))?;
    let file: RunFile = read_json(&run.join(FILE))?;
    let data = data.map_or(file.data, Path::to_owned);
    let mut folder = Folder::load(&data)?.for_model(&card)?;
    if card.training.settings.contains_key(FAST_DEV_SETTING) {
        folder = first_images(&folder);
    }
    ensure!(
        folder.development().has_trained(&card),
        "{} is not the data set that the run in {} was trained on",
        data.display(),
        run.display()
    );
    let members = members(run, &card)?;
    let count = card.training.settings.get(FOLDS_SETTING).and_then(|count| count.parse::<usize>().ok());
    let (development, judged, networks) = match count {
        Some(count) => {
            let is_distilled = card.training.settings.contains_key(DISTILL_SETTING);
            let images = Division::new(&folder, is_distilled, card.training.seed).images;
            let judged = judged_by_folds(&card, &images, &members, count);
            (images, judged, (0..count).map(|number| network(run, number)).collect::<anyhow::Result<_>>()?)
        }
        None => {
            let share = card.training.settings.get("validation").and_then(|share| share.parse().ok());
            let split =
                Split::new(&folder, share.context("the card has no share of validation images")?, card.training.seed);
            let probabilities = mean_probabilities(&members, &split.test);
            let features = members[0].features(&split.test);
            let judged = Judged { protocol: split.protocol.test, images: split.test, probabilities, features };
            let network = Network { name: "network".into(), epochs: metrics::read(run)?, accuracy: None };
            (split.training, judged, vec![network])
        }
    };
    let seconds = networks.iter().flat_map(|network: &Network| &network.epochs).map(|epoch| epoch.seconds).sum();
    let specialists = Vec::new();
    Ok((Inputs { card, networks, development, judged, specialists, seconds, machine: file.machine }, data))
}

/// Reads a file of JSON.
///
/// # Errors
/// Returns the error of the file system, and that of the JSON.
pub fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = std::fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("could not parse {}", path.display()))
}

/// Reads the networks of the model in `folder`.
///
/// # Errors
/// Returns an error when a file is missing or is not what the card says.
pub fn members(folder: &Path, card: &Card) -> anyhow::Result<Vec<Evaluator>> {
    let (image_shape, class_count) = (card.input.shape, card.labels.len());
    let card::Architecture { depth, width, .. } = card.architecture;
    let architecture = Architecture { image_shape, depth, width, class_count }.checked()?;
    let member = |member: &kana_engine::model::card::Member| {
        let parameters = read_weights(&architecture, &folder.join(&member.file))?;
        Ok(Evaluator::new(&architecture, &parameters, card.input.clone()))
    };
    card.members.iter().map(member).collect()
}

/// How each image is judged by the network that never saw it. Each network sees images in its own way, so that the features
/// are those of the first fold alone.
fn judged_by_folds(card: &Card, images: &Dataset, members: &[Evaluator], count: usize) -> Judged {
    let fold_of = folds(images.labels(), count, card.training.seed);
    let probabilities = by_fold(images, &fold_of, members, Evaluator::probabilities);
    let features = by_fold(images, &fold_of, &members[..1], Evaluator::features);
    let protocol = card.evaluation.last().map(|evaluation| evaluation.protocol.clone()).unwrap_or_default();
    Judged { protocol, images: images.clone(), probabilities, features }
}

/// Metrics and results of fold `number`, from 0.
fn network(run: &Path, number: usize) -> anyhow::Result<Network> {
    let result = read_result(run, number)?;
    let accuracy = FoldAccuracy { training: result.training_accuracy, validation: result.held_out_accuracy };
    let epochs = metrics::read(&fold_folder(run, number))?;
    Ok(Network { name: format!("fold {}", number + 1), epochs, accuracy: Some(accuracy) })
}

/// Writes `report.html` and `report.json` of the finished run in the folder `run`, with what the `specialists` change, whose
/// runs are in those folders. Returns the path of the former.
///
/// # Errors
/// Those of [`gather`], and those of the file system.
pub fn write_report(run: &Path, data: Option<&Path>, specialists: &[PathBuf]) -> anyhow::Result<PathBuf> {
    let inputs = gather(run, data, specialists)?;
    let report = report::report(&inputs);
    // On one line: the confusion matrix of a thousand classes is 2 MB so, and 11 with each number on a line of its own.
    atomic_write(&run.join(REPORT_JSON), (serde_json::to_string(&report)? + "\n").as_bytes())?;
    let page = run.join(REPORT_PAGE);
    atomic_write(&page, report::html(&inputs, &report).as_bytes())?;
    Ok(page)
}
