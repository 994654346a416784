//! From where does an interrupted run go on?
//!
//! A checkpoint is one file beside the artifact to come: every number that the next step depends on, and what the run
//! was told to do. It is complete or absent: written beside its place, flushed to the disk, then renamed. Behind the
//! safetensors lies their SHA-256, so that a disk that rots is not taken for the run that was interrupted. What is
//! random about later steps follows from the seed and the place, so it need not be kept.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::batch::Place;
use super::optimiser::Moments;
use super::plan::{Numbers, Plan, Slot};

/// The file's name in the output folder.
pub const FILE: &str = "checkpoint";
/// The version of the file's format; a file of another one is refused.
const FORMAT: u32 = 1;
/// The key of the file's metadata that holds [`Note`].
const NOTE: &str = "kana";
/// A checkpoint of the widest network is smaller; what is larger is none.
const BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Length of a SHA-256.
const DIGEST_BYTES: usize = 32;

/// All that the next step depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The next step.
    pub place: Place,
    /// The network.
    pub numbers: Numbers,
    /// The optimiser.
    pub moments: Moments,
    /// The loss of this epoch's images so far, summed.
    pub loss_sum: f32,
    /// The best epoch so far.
    pub best: Option<Best>,
}

/// The best epoch so far, and its network.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    /// Which it was, and how well it did.
    pub score: Score,
    /// The network after it.
    pub numbers: Numbers,
}

/// How an epoch did on the validation images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// From 1.
    pub epoch: usize,
    /// Images judged right.
    pub right: usize,
    /// Mean loss, as its bits: decimal digits would not bring it back exactly.
    loss_bits: u32,
}

impl Score {
    /// The score of epoch `epoch` (from 1).
    pub fn new(epoch: usize, right: usize, loss: f32) -> Self {
        Self { epoch, right, loss_bits: loss.to_bits() }
    }

    /// Mean loss on the validation images.
    pub fn loss(&self) -> f32 {
        f32::from_bits(self.loss_bits)
    }

    /// Whether it is better than `other`: more right, or as many at a lower loss.
    pub fn beats(&self, other: &Self) -> bool {
        self.right > other.right || self.right == other.right && self.loss() < other.loss()
    }
}

/// What stands in the file beside the numbers.
#[derive(Serialize, Deserialize)]
struct Note {
    format: u32,
    epoch: usize,
    batch: usize,
    loss_sum_bits: u32,
    best: Option<Score>,
    settings: BTreeMap<String, String>,
}

/// What a run was told, as text: two runs with the same settings end in the same weights.
pub type Settings = BTreeMap<String, String>;

/// Where a run to `out` keeps its checkpoint.
pub fn path(out: &Path) -> PathBuf {
    out.join(FILE)
}

/// Writes `state` into `out`, in one piece or not at all.
///
/// # Errors
/// Where the disk refuses.
pub fn save(out: &Path, state: &State, (plan, settings): (&Plan, &Settings)) -> anyhow::Result<()> {
    let note = Note {
        format: FORMAT,
        epoch: state.place.epoch,
        batch: state.place.batch,
        loss_sum_bits: state.loss_sum.to_bits(),
        best: state.best.as_ref().map(|best| best.score),
        settings: settings.clone(),
    };
    let mut arrays = named("network.", plan, &state.numbers);
    arrays.extend(zip("mean.", &plan.parameters(), &state.moments.means));
    arrays.extend(zip("square.", &plan.parameters(), &state.moments.squares));
    if let Some(best) = &state.best {
        arrays.extend(named("best.", plan, &best.numbers));
    }
    let note = HashMap::from([(NOTE.to_owned(), serde_json::to_string(&note)?)]);
    let mut bytes = pack(arrays, Some(note))?;
    let digest = Sha256::digest(&bytes);
    bytes.extend_from_slice(&digest);
    write(&path(out), &bytes)
}

/// Reads the checkpoint in `out`.
///
/// # Errors
/// Where there is none, where it is broken, and where it is of a run with other settings or data: the message says which.
pub fn load(out: &Path, (plan, settings): (&Plan, &Settings)) -> anyhow::Result<State> {
    let path = path(out);
    let size = std::fs::metadata(&path)
        .with_context(|| format!("nothing to resume: no interrupted run in {}", out.display()))?
        .len();
    ensure!(size <= BYTES_MAX, "{} has {size} bytes and is no checkpoint", path.display());
    let bytes = std::fs::read(&path).with_context(|| format!("could not read {}", path.display()))?;
    parse(&bytes, plan, settings).with_context(|| format!("could not resume from {}", path.display()))
}

fn parse(bytes: &[u8], plan: &Plan, settings: &Settings) -> anyhow::Result<State> {
    let bytes = match bytes.split_last_chunk::<DIGEST_BYTES>() {
        Some((bytes, digest)) if Sha256::digest(bytes)[..] == digest[..] => bytes,
        _ => bail!("its SHA-256 is not the one written with it: it is broken, or no checkpoint"),
    };
    let (_, metadata) = SafeTensors::read_metadata(bytes).context("it is not a checkpoint, or broken")?;
    let note =
        metadata.metadata().as_ref().and_then(|entries| entries.get(NOTE)).context("it is not a checkpoint of kana")?;
    let note: Note = serde_json::from_str(note).context("its note is broken")?;
    ensure!(note.format == FORMAT, "its format is {}, and this kana reads {FORMAT}", note.format);
    let different = differences(&note.settings, settings);
    if !different.is_empty() {
        bail!("the run was begun otherwise: {}", different.join("; "));
    }
    let tensors = SafeTensors::deserialize(bytes).context("it is broken")?;
    let best =
        note.best.map(|score| Ok::<_, anyhow::Error>(Best { score, numbers: numbers(&tensors, "best.", plan)? }));
    Ok(State {
        place: Place { epoch: note.epoch, batch: note.batch },
        numbers: numbers(&tensors, "network.", plan)?,
        moments: Moments {
            means: arrays(&tensors, "mean.", &plan.parameters())?,
            squares: arrays(&tensors, "square.", &plan.parameters())?,
        },
        loss_sum: f32::from_bits(note.loss_sum_bits),
        best: best.transpose()?,
    })
}

fn differences(then: &Settings, now: &Settings) -> Vec<String> {
    let value = |settings: &Settings, key: &str| settings.get(key).cloned().unwrap_or_else(|| "not set".into());
    let keys: std::collections::BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    keys.into_iter()
        .map(|key| (key, value(then, key), value(now, key)))
        .filter(|(_, then, now)| then != now)
        .map(|(key, then, now)| format!("{key} was {then} and is {now}"))
        .collect()
}

/// The bytes of a weight file: `numbers` under the names of `plan`.
///
/// # Errors
/// Never for numbers that fit the plan.
pub fn weights(plan: &Plan, numbers: &Numbers) -> anyhow::Result<Vec<u8>> {
    pack(named("", plan, numbers), None)
}

/// The numbers in the bytes of a weight file.
///
/// # Errors
/// Where an array of the plan is missing or has other extents.
pub fn unweigh(plan: &Plan, bytes: &[u8]) -> anyhow::Result<Numbers> {
    numbers(&SafeTensors::deserialize(bytes)?, "", plan)
}

type Named<'a> = (String, Vec<usize>, &'a [f32]);

fn named<'a>(prefix: &str, plan: &Plan, numbers: &'a Numbers) -> Vec<Named<'a>> {
    let mut arrays = zip(prefix, &plan.parameters(), &numbers.parameters);
    arrays.extend(zip(prefix, &plan.statistics(), &numbers.statistics));
    arrays
}

fn zip<'a>(prefix: &str, slots: &[Slot], arrays: &'a [Vec<f32>]) -> Vec<Named<'a>> {
    let name = |(slot, array): (&Slot, &'a Vec<f32>)| {
        (format!("{prefix}{}", slot.name), slot.extents.clone(), array.as_slice())
    };
    slots.iter().zip(arrays).map(name).collect()
}

fn pack(arrays: Vec<Named<'_>>, metadata: Option<HashMap<String, String>>) -> anyhow::Result<Vec<u8>> {
    let bytes = |array: &[f32]| array.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
    let owned: Vec<_> = arrays.into_iter().map(|(name, extents, array)| (name, extents, bytes(array))).collect();
    let mut views = Vec::with_capacity(owned.len());
    for (name, extents, bytes) in &owned {
        views.push((name.as_str(), TensorView::new(Dtype::F32, extents.clone(), bytes)?));
    }
    Ok(safetensors::serialize(views, metadata)?)
}

fn numbers(tensors: &SafeTensors<'_>, prefix: &str, plan: &Plan) -> anyhow::Result<Numbers> {
    Ok(Numbers {
        parameters: arrays(tensors, prefix, &plan.parameters())?,
        statistics: arrays(tensors, prefix, &plan.statistics())?,
    })
}

fn arrays(tensors: &SafeTensors<'_>, prefix: &str, slots: &[Slot]) -> anyhow::Result<Vec<Vec<f32>>> {
    let array = |slot: &Slot| {
        let name = format!("{prefix}{}", slot.name);
        let view = tensors.tensor(&name).with_context(|| format!("it has no array {name}"))?;
        let (found, expected) = (view.shape(), &slot.extents);
        ensure!(
            view.dtype() == Dtype::F32 && found == expected.as_slice(),
            "{name} is {:?} {found:?}, expected F32 {expected:?}",
            view.dtype()
        );
        let (numbers, _) = view.data().as_chunks::<4>();
        Ok(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    };
    slots.iter().map(array).collect()
}

/// Writes a file in one piece or not at all: beside its place, flushed to the disk, then renamed.
///
/// # Errors
/// Where the disk refuses; what was there before remains.
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let beside = path.with_extension("part");
    let written = || {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        // The rename itself is on the disk once the folder is.
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    written().with_context(|| format!("could not write {}", path.display()))
}
