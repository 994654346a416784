//! Where does an interrupted run continue?
//!
//! A checkpoint is one file next to the future artifact: all values that the next step depends on, and the settings of
//! the run. It is written atomically, and its last 32 bytes are the SHA-256 of the safetensors file before them, so that
//! a corrupt disk is noticed. Random choices of later steps depend only on the seed and the position, so they need not be
//! stored.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use safetensors::tensor::SafeTensors;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::architecture::{Architecture, Parameters};
use super::atomic_write::atomic_write;
use super::evaluator::Score;
use super::loader::Position;
use super::native::Totals;
use super::optimiser::Moments;
use super::weights;

/// File name of a checkpoint in the output folder.
const FILE: &str = "checkpoint";
/// Version of the file format; a file of another version is refused.
const FORMAT: u32 = 2;
/// Key of the safetensors metadata that holds [`Metadata`] as JSON.
const METADATA_KEY: &str = "kana";
/// Largest checkpoint in bytes: one of the widest network is smaller.
const BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Length of a SHA-256 in bytes.
const DIGEST_BYTES: usize = 32;
/// Prefix of the tensors of the current network.
const NETWORK: &str = "network.";
/// Prefix of the tensors of the network after the best epoch.
const BEST: &str = "best.";
/// Prefix of the first moments of the optimiser.
const FIRST_MOMENT: &str = "mean.";
/// Prefix of the second moments of the optimiser.
const SECOND_MOMENT: &str = "square.";

/// State of a run between two steps: everything that the next step depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Position of the next step.
    pub position: Position,
    /// Parameters of the network.
    pub parameters: Parameters,
    /// Moments of the optimiser.
    pub moments: Moments,
    /// Totals of this epoch's images.
    pub totals: Totals,
    /// Best epoch until now; `None` during the first.
    pub best: Option<Best>,
}

/// Network after the best epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Score on the validation images.
    pub score: Score,
    /// Parameters of the network.
    pub parameters: Parameters,
}

/// Settings of a run as text: two runs with the same settings end with the same weights.
pub type Settings = BTreeMap<String, String>;

/// Contents of a checkpoint besides the tensors. The names of the fields are part of the file format.
#[derive(Serialize, Deserialize)]
struct Metadata {
    format: u32,
    epoch: usize,
    batch: usize,
    /// Totals of the epoch; the bits of the sum, because decimal digits would not restore it exactly.
    loss_bits: u64,
    correct: usize,
    images: usize,
    best: Option<BestMetadata>,
    settings: Settings,
}

/// Best epoch, in [`Metadata`].
#[derive(Serialize, Deserialize)]
struct BestMetadata {
    epoch: usize,
    images: usize,
    correct: usize,
    /// Bits of the mean loss: decimal digits would not restore it exactly.
    loss_bits: u32,
}

/// File of a run's checkpoint.
pub struct CheckpointFile {
    path: PathBuf,
    architecture: Architecture,
    settings: Settings,
}

impl CheckpointFile {
    /// Names the checkpoint in the folder `out` of a run with these settings.
    pub fn new(out: &Path, architecture: Architecture, settings: Settings) -> Self {
        Self { path: out.join(FILE), architecture, settings }
    }

    /// Returns whether `folder` has a checkpoint.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(FILE).exists()
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the settings of the run.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Writes `state` atomically.
    ///
    /// # Errors
    /// Returns the error of the file system.
    pub fn save(&self, state: &State) -> anyhow::Result<()> {
        let metadata = Metadata {
            format: FORMAT,
            epoch: state.position.epoch,
            batch: state.position.batch,
            loss_bits: state.totals.loss.to_bits(),
            correct: state.totals.correct,
            images: state.totals.images,
            best: state.best.as_ref().map(|best| BestMetadata {
                epoch: best.epoch,
                images: best.score.images,
                correct: best.score.correct,
                loss_bits: best.score.loss.to_bits(),
            }),
            settings: self.settings.clone(),
        };
        let trainable = self.architecture.trainable();
        let mut tensors = weights::name_parameters(NETWORK, &self.architecture, &state.parameters);
        tensors.extend(weights::name_tensors(FIRST_MOMENT, &trainable, &state.moments.first));
        tensors.extend(weights::name_tensors(SECOND_MOMENT, &trainable, &state.moments.second));
        if let Some(best) = &state.best {
            tensors.extend(weights::name_parameters(BEST, &self.architecture, &best.parameters));
        }
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), serde_json::to_string(&metadata)?)]);
        let mut bytes = weights::encode(tensors, Some(metadata))?;
        let digest = Sha256::digest(&bytes);
        bytes.extend_from_slice(&digest);
        atomic_write(&self.path, &bytes)
    }

    /// Reads the state.
    ///
    /// # Errors
    /// Returns an error when there is no checkpoint, when it is corrupt, and when the run had other settings or data: the
    /// message lists the differences.
    pub fn load(&self) -> anyhow::Result<State> {
        let path = self.path.display();
        let size =
            std::fs::metadata(&self.path).with_context(|| format!("nothing to resume: could not find {path}"))?.len();
        ensure!(size <= BYTES_MAX, "could not resume from {path}: {size} bytes are too many for a checkpoint");
        let bytes = std::fs::read(&self.path).with_context(|| format!("could not read {path}"))?;
        self.parse(&bytes).with_context(|| format!("could not resume from {path}"))
    }

    /// Removes the file.
    ///
    /// # Errors
    /// Returns the error of the file system.
    pub fn remove(&self) -> anyhow::Result<()> {
        std::fs::remove_file(&self.path).with_context(|| format!("could not remove {}", self.path.display()))
    }

    fn parse(&self, bytes: &[u8]) -> anyhow::Result<State> {
        let bytes = match bytes.split_last_chunk::<DIGEST_BYTES>() {
            Some((bytes, digest)) if Sha256::digest(bytes)[..] == digest[..] => bytes,
            _ => bail!("the SHA-256 of the file is not the one in it: the file is corrupt, or no checkpoint"),
        };
        let (_, header) = SafeTensors::read_metadata(bytes).context("the file is not in the safetensors format")?;
        let metadata = header.metadata().as_ref().and_then(|entries| entries.get(METADATA_KEY));
        let metadata = metadata.context("the file is not a checkpoint of kana")?;
        let metadata: Metadata = serde_json::from_str(metadata).context("could not parse the metadata")?;
        ensure!(metadata.format == FORMAT, "the file has format {}, this kana reads {FORMAT}", metadata.format);
        let differences = differences(&metadata.settings, &self.settings);
        ensure!(differences.is_empty(), "the run was started with other settings: {}", differences.join("; "));
        let tensors = SafeTensors::deserialize(bytes).context("could not parse the tensors")?;
        let best = metadata.best.map(|best| self.best(&tensors, best)).transpose()?;
        let trainable = self.architecture.trainable();
        Ok(State {
            position: Position { epoch: metadata.epoch, batch: metadata.batch },
            parameters: weights::read_parameters(&tensors, NETWORK, &self.architecture)?,
            moments: Moments {
                first: weights::read_tensors(&tensors, FIRST_MOMENT, &trainable)?,
                second: weights::read_tensors(&tensors, SECOND_MOMENT, &trainable)?,
            },
            totals: Totals {
                loss: f64::from_bits(metadata.loss_bits),
                correct: metadata.correct,
                images: metadata.images,
            },
            best,
        })
    }

    fn best(&self, tensors: &SafeTensors<'_>, metadata: BestMetadata) -> anyhow::Result<Best> {
        Ok(Best {
            epoch: metadata.epoch,
            score: Score {
                images: metadata.images,
                correct: metadata.correct,
                loss: f32::from_bits(metadata.loss_bits),
            },
            parameters: weights::read_parameters(tensors, BEST, &self.architecture)?,
        })
    }
}

/// Describes each setting that was another `then` than it is `now`.
pub fn differences(then: &Settings, now: &Settings) -> Vec<String> {
    let value = |settings: &Settings, key: &str| settings.get(key).cloned().unwrap_or_else(|| "not set".into());
    let keys: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    keys.into_iter()
        .filter(|key| then.get(*key) != now.get(*key))
        .map(|key| format!("{key} was {} and is {}", value(then, key), value(now, key)))
        .collect()
}
