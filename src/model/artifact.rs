//! Is this folder the model that it says it is?
//!
//! A card can lie and a disk can rot, so nothing of an artifact is used before it was checked: the card's own sense,
//! the digest of each weight file, every tensor's name, shape and values, and last that this machine computes the
//! probabilities that the trainer computed.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::native::{FAMILY, Native, Weights};
use super::{Card, Classifier, Error, card};
use crate::image::Image;

/// The card's name inside an artifact's folder.
pub const CARD_FILE: &str = "card.json";

/// A card larger than this is none: the shipped one has 40 KB, most of it specimens.
const CARD_BYTES_MAX: usize = 16 << 20;

/// Weights of one member, at most: a thousand times the shipped ones.
const WEIGHTS_BYTES_MAX: usize = 512 << 20;

/// How far a probability may lie from the trainer's. Another order of summation moves it by some 1e-6; a wrong weight
/// by far more than this.
const SELF_TEST_TOLERANCE: f32 = 1e-4;

/// `models/kana`, inside the binary, so that it is found from any working directory.
const BUILT_IN: [(&str, &[u8]); 2] = [
    (CARD_FILE, include_bytes!("../../models/kana/card.json")),
    ("weights.safetensors", include_bytes!("../../models/kana/weights.safetensors")),
];

/// A model whose weights were proved to be the ones that its card means.
#[derive(Clone, Debug)]
pub struct Artifact {
    card: Arc<Card>,
    members: Arc<[Weights]>,
}

impl Artifact {
    /// The model inside this binary.
    ///
    /// # Errors
    /// [`Error::Refused`] where the binary was damaged.
    pub fn built_in() -> Result<Self, Error> {
        Self::read("kana (built in)", |file, _| match BUILT_IN.iter().find(|(name, _)| *name == file) {
            Some((_, bytes)) => Ok(bytes.to_vec()),
            None => Err(Error::Unreadable { path: file.into(), source: std::io::ErrorKind::NotFound.into() }),
        })
    }

    /// The model in `folder`.
    ///
    /// # Errors
    /// [`Error::Unreadable`], and [`Error::Refused`] naming file, tensor, expected and found.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        Self::read(&folder.display().to_string(), |file, limit| read_bounded(&folder.join(file), limit))
    }

    /// Its card.
    pub fn card(&self) -> &Arc<Card> {
        &self.card
    }

    /// An engine for it that has passed the card's self-test.
    ///
    /// # Errors
    /// [`Error::Refused`] where this machine computes something else than the trainer's did.
    pub fn classifier(&self) -> Result<Box<dyn Classifier>, Error> {
        let refused = |reason: String| Error::Refused { name: self.card.name.clone(), reason };
        let mut native = Native::new(self.card.clone(), self.members.clone())
            .ok_or_else(|| refused(format!("input {} is too small", self.card.input.shape)))?;
        for (number, specimen) in self.card.self_test.iter().enumerate() {
            let pixels = hex::decode(&specimen.pixels).ok();
            let image = pixels.and_then(|pixels| Image::new(self.card.input.shape, pixels));
            let image = image.ok_or_else(|| refused(format!("specimen {number} of the self-test is no image")))?;
            let found = &native.classify(&[image])?[0].probabilities;
            let apart = found.iter().zip(&specimen.probabilities).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            // Not `apart > …`: a NaN must fail too.
            if found.len() != specimen.probabilities.len() || !(apart <= SELF_TEST_TOLERANCE) {
                return Err(refused(format!(
                    "self-test {number} expects {:?} and this machine computes {found:?}",
                    specimen.probabilities
                )));
            }
        }
        Ok(Box::new(native))
    }

    /// Reads an artifact whose files, by name and with at most so many bytes, `fetch` hands over.
    fn read(name: &str, fetch: impl Fn(&str, usize) -> Result<Vec<u8>, Error>) -> Result<Self, Error> {
        let refused = |reason: String| Error::Refused { name: name.to_owned(), reason };
        let card: Card = serde_json::from_slice(&fetch(CARD_FILE, CARD_BYTES_MAX)?)
            .map_err(|e| refused(format!("{CARD_FILE} is not a card: {e}")))?;
        check(&card).map_err(|reason| refused(format!("{CARD_FILE}: {reason}")))?;
        let mut members = Vec::with_capacity(card.members.len());
        for member in &card.members {
            let bytes = fetch(&member.file, WEIGHTS_BYTES_MAX)?;
            let found = hex::encode(Sha256::digest(&bytes));
            if !found.eq_ignore_ascii_case(&member.sha256) {
                let reason = format!("{} has SHA-256 {found} and the card says {}", member.file, member.sha256);
                return Err(refused(reason));
            }
            let weights =
                Weights::read(&bytes, &card).map_err(|reason| refused(format!("{}: {reason}", member.file)))?;
            members.push(weights);
        }
        Ok(Self { card: Arc::new(card), members: members.into() })
    }
}

/// What makes no sense in a card, by itself.
fn check(card: &Card) -> Result<(), String> {
    let plain = |file: &str| {
        let mut parts = Path::new(file).components();
        matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
    };
    if card.format != card::FORMAT {
        return Err(format!("format {} where {} was expected", card.format, card::FORMAT));
    }
    if card.architecture.family != FAMILY {
        return Err(format!("family {:?} where {FAMILY:?} was expected", card.architecture.family));
    }
    if card.architecture.width == 0 || card.labels.is_empty() || card.members.is_empty() {
        return Err("width, labels and members must not be empty".to_owned());
    }
    if !card.romanised.is_empty() && card.romanised.len() != card.labels.len() {
        return Err(format!("{} romanised labels for {} labels", card.romanised.len(), card.labels.len()));
    }
    match card.members.iter().find(|member| !plain(&member.file)) {
        Some(member) => Err(format!("member {:?} is not a file name in the artifact's own folder", member.file)),
        None => Ok(()),
    }
}

fn read_bounded(path: &Path, limit: usize) -> Result<Vec<u8>, Error> {
    let unreadable = |source| Error::Unreadable { path: path.display().to_string(), source };
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > limit {
        return Err(unreadable(std::io::Error::new(
            std::io::ErrorKind::FileTooLarge,
            format!("larger than {limit} bytes"),
        )));
    }
    Ok(bytes)
}
