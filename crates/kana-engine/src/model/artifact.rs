//! Is an artifact the model that its card describes?
//!
//! Cards can be wrong and disks can fail, so an artifact is checked before use: the consistency of the card, the digest of
//! each weight file, the name, shape and values of every tensor, and finally that this machine computes the probabilities
//! that the trainer computed.

use std::fs::File;
use std::io::Read;
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::native::{Explanation, Native, Plan, Weights};
use super::threads::Threads;
use super::{Card, Classifier, Error, check};
use crate::kernels::Instructions;

/// File name of the card in an artifact's folder.
pub const CARD_FILE: &str = "card.json";

/// Bytes of a card, at most: the built-in one has 40 KB, most of it the self-test.
const CARD_BYTES_MAX: usize = 16 << 20;

/// Bytes of one member's weights, at most: a thousand times the built-in ones.
const WEIGHTS_BYTES_MAX: usize = 512 << 20;

/// Greatest difference of a probability from the trainer's. Another order of summation changes it by about 1e-6; a wrong
/// weight by far more than this.
const SELF_TEST_TOLERANCE: f32 = 1e-4;

/// The files of `models/kana`, compiled into the binary so that they are found from any working directory.
const BUILT_IN: [(&str, &[u8]); 2] = [
    (CARD_FILE, include_bytes!("../../../../models/kana/card.json")),
    ("weights.safetensors", include_bytes!("../../../../models/kana/weights.safetensors")),
];

/// A model whose weights have been checked against its card.
#[derive(Clone, Debug)]
pub struct Artifact {
    card: Arc<Card>,
    members: Arc<[Plan]>,
}

impl Artifact {
    /// Loads the model that is compiled into this crate: handwritten hiragana of 28 × 28 pixels.
    ///
    /// # Errors
    /// [`Error::Refused`] where the binary is damaged.
    pub fn built_in() -> Result<Self, Error> {
        Self::of(Files::read(None)?)
    }

    /// Loads the model in `folder`: [`CARD_FILE`] and the weight files that it names.
    ///
    /// # Errors
    /// [`Error::Unreadable`] naming the file, and [`Error::Refused`] naming file, tensor, expected and found.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        Self::of(Files::read(Some(folder))?)
    }

    /// The model's card.
    pub fn card(&self) -> &Arc<Card> {
        &self.card
    }

    /// Creates a classifier that splits a batch over `threads` threads, each with an engine and its buffers.
    ///
    /// # Errors
    /// As [`Artifact::classifier`].
    pub fn classifier_on_threads(
        &self,
        instructions: Instructions,
        threads: NonZero<usize>,
    ) -> Result<Box<dyn Classifier>, Error> {
        let first = self.classifier_on(instructions)?;
        let others: Vec<_> = (1..threads.get()).map(|_| self.classifier_on(instructions)).collect::<Result<_, _>>()?;
        Ok(if others.is_empty() { first } else { Box::new(Threads::new(first, others)) })
    }

    /// Measures what each layer takes with these instructions; about a tenth of a second for the built-in model.
    pub fn explain(&self, instructions: Instructions) -> Explanation {
        Native::new(self.card.clone(), self.members.clone(), instructions).explain()
    }

    /// Creates a classifier with the [best instructions](Instructions::best) of this processor, and runs the card's
    /// self-test on it. Classifiers of one artifact share its weights.
    ///
    /// # Errors
    /// [`Error::Refused`] where this machine computes other probabilities than the trainer's.
    pub fn classifier(&self) -> Result<Box<dyn Classifier>, Error> {
        self.classifier_on(Instructions::best())
    }

    /// Creates a classifier that computes with these instructions, and runs the card's self-test on it.
    ///
    /// # Errors
    /// [`Error::Refused`] where this machine computes other probabilities than the trainer's.
    pub fn classifier_on(&self, instructions: Instructions) -> Result<Box<dyn Classifier>, Error> {
        let refused = |reason: String| Error::Refused { name: self.card.name.clone(), reason };
        let mut native = Native::new(self.card.clone(), self.members.clone(), instructions);
        for (number, specimen) in self.card.self_test.iter().enumerate() {
            let image = check::pixels(specimen, self.card.input.shape)
                .map_err(|reason| refused(format!("{CARD_FILE}: self_test[{number}].pixels: {reason}")))?;
            let (found, expected) = (&native.classify(&[image])?[0].probabilities, &specimen.probabilities);
            // Not `any(far)`: a NaN is neither near nor far, and must fail too.
            let near = |(a, b): (&f32, &f32)| (a - b).abs() <= SELF_TEST_TOLERANCE;
            if !found.iter().zip(expected).all(near) {
                let reason = format!("self_test[{number}]: expected {expected:?}, found {found:?}");
                return Err(refused(reason));
            }
        }
        Ok(Box::new(native))
    }

    fn of(files: Files) -> Result<Self, Error> {
        let mut members = Vec::with_capacity(files.weights.len());
        for (member, bytes) in files.card.members.iter().zip(&files.weights) {
            let weights = Weights::read(bytes, &files.card);
            let weights = weights.map_err(|reason| files.refusal(&format!("{}: {reason}", member.file)))?;
            members.push(Plan::new(&weights, files.card.input.shape));
        }
        Ok(Self { card: Arc::new(files.card), members: members.into() })
    }
}

/// The files of an artifact, whose card is consistent and whose weights have the digests in it.
pub(super) struct Files {
    /// Name or folder of the artifact, for errors.
    name: String,
    /// The card.
    pub card: Card,
    /// The bytes of each member's weights, in the card's order.
    pub weights: Vec<Vec<u8>>,
}

impl Files {
    /// Reads the artifact in `folder`, or the one that is compiled into this crate.
    ///
    /// # Errors
    /// [`Error::Unreadable`], and [`Error::Refused`] where the files do not match the card.
    pub fn read(folder: Option<&Path>) -> Result<Self, Error> {
        match folder {
            Some(folder) => {
                let fetch = |file: &str, limit| read_bounded(&folder.join(file), limit);
                Self::fetched(folder.display().to_string(), fetch)
            }
            None => Self::fetched("kana (built in)".to_owned(), |file, _| {
                match BUILT_IN.iter().find(|(name, _)| *name == file) {
                    Some((_, bytes)) => Ok(bytes.to_vec()),
                    None => Err(Error::Unreadable { path: file.into(), source: std::io::ErrorKind::NotFound.into() }),
                }
            }),
        }
    }

    /// The error of an artifact that is refused for this reason.
    pub fn refusal(&self, reason: &str) -> Error {
        Error::Refused { name: self.name.clone(), reason: reason.to_owned() }
    }

    /// Reads the artifact called `name`; `fetch(file, limit)` returns a file's bytes, at most `limit` of them.
    fn fetched(name: String, fetch: impl Fn(&str, usize) -> Result<Vec<u8>, Error>) -> Result<Self, Error> {
        let refused = |reason: String| Error::Refused { name: name.clone(), reason };
        let card = check::card(&fetch(CARD_FILE, CARD_BYTES_MAX)?)
            .map_err(|reason| refused(format!("{CARD_FILE}: {reason}")))?;
        let mut weights = Vec::with_capacity(card.members.len());
        for member in &card.members {
            let bytes = fetch(&member.file, WEIGHTS_BYTES_MAX)?;
            let found = hex::encode(Sha256::digest(&bytes));
            if !found.eq_ignore_ascii_case(&member.sha256) {
                let reason = format!("{}: expected SHA-256 {}, found {found}", member.file, member.sha256);
                return Err(refused(reason));
            }
            weights.push(bytes);
        }
        Ok(Self { name, card, weights })
    }
}

/// Reads a whole file; refuses more than `limit` bytes and anything but a regular file (a pipe would never end).
fn read_bounded(path: &Path, limit: usize) -> Result<Vec<u8>, Error> {
    let unreadable = |source| Error::Unreadable { path: path.display().to_string(), source };
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err(unreadable(std::io::Error::new(std::io::ErrorKind::InvalidInput, "not a regular file")));
    }
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > limit {
        let reason = format!("larger than {limit} bytes");
        return Err(unreadable(std::io::Error::new(std::io::ErrorKind::FileTooLarge, reason)));
    }
    Ok(bytes)
}
