//! Which images are there to learn from and to show?
//!
//! A [`Dataset`] is labelled images of one shape, with the digests of the files that they came from, so that a model's
//! card can say what it was taught. [`idx`] reads them, [`split`] holds some back, [`evaluate`] judges a model by them.

pub mod classes;
pub mod evaluate;
pub mod fetch;
pub mod idx;
pub mod published;
pub mod random;
pub mod samples;
pub mod split;
pub mod strokes;
pub mod study;

use std::path::{Path, PathBuf};

use kana_engine::image::{Image, Shape};
use kana_engine::model::card::Source;

pub use classes::Classes;
pub use study::Study;

/// What may go wrong with a data set.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder has none of the files that make a data set. Caller: fetch them, or name another folder.
    #[error("{folder} holds no data set: {missing} is missing, plain or with .gz")]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// The file that was looked for.
        missing: String,
    },
    /// A file could not be read.
    #[error("could not read {path} at byte {offset}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Uncompressed bytes that were read before.
        offset: u64,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what its name says. Caller: get it anew.
    #[error("{path} is broken at byte {offset}: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where, in the uncompressed bytes.
        offset: u64,
        /// What was expected and what was found.
        reason: String,
    },
}

/// Labelled images of one shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    shape: Shape,
    pixels: Vec<u8>,
    labels: Vec<u8>,
    sources: Vec<Source>,
}

impl Dataset {
    /// `labels.len()` images of `shape`, side by side in `pixels`, or `None` where their lengths disagree.
    pub fn new(shape: Shape, pixels: Vec<u8>, labels: Vec<u8>) -> Option<Self> {
        (Some(pixels.len()) == shape.bytes().checked_mul(labels.len())).then(|| Self {
            shape,
            pixels,
            labels,
            sources: Vec::new(),
        })
    }

    /// The same images, from files of these digests.
    pub fn with_sources(mut self, sources: Vec<Source>) -> Self {
        self.sources = sources;
        self
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The extents of every image.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// One class an image.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// The files that the images came from.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The samples of image `index`, row by row.
    ///
    /// # Panics
    /// Where `index` is not below [`Dataset::len`].
    pub fn pixels(&self, index: usize) -> &[u8] {
        let bytes = self.shape.bytes();
        &self.pixels[index * bytes..(index + 1) * bytes]
    }

    /// Image `index`, in the form that a classifier takes.
    ///
    /// # Panics
    /// Where `index` is not below [`Dataset::len`].
    pub fn image(&self, index: usize) -> Image {
        Image::new(self.shape, self.pixels(index)).expect("BUG: a data set holds whole images only, see Dataset::new")
    }

    /// The images named by `indices`, in that order.
    ///
    /// # Panics
    /// Where an index is not below [`Dataset::len`].
    pub fn subset(&self, indices: &[usize]) -> Self {
        Self {
            shape: self.shape,
            pixels: indices.iter().flat_map(|&index| self.pixels(index)).copied().collect(),
            labels: indices.iter().map(|&index| self.labels[index]).collect(),
            sources: self.sources.clone(),
        }
    }
}

/// A folder in MNIST's layout.
#[derive(Clone, Debug)]
pub struct Folder {
    /// What the classes are called.
    pub classes: Classes,
    /// `train-*`, where the folder has them.
    pub train: Option<Dataset>,
    /// `t10k-*`.
    pub test: Dataset,
}

impl Folder {
    /// Reads `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same of `t10k-`, each plain or with `.gz`. A
    /// folder with the `t10k-` pair alone is one data set; one with a half of a pair is refused.
    ///
    /// # Errors
    /// Where a file is missing, unreadable, or not what its name says; the file and the byte are named.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        let named = classes::named(folder)?;
        let class_count = named.as_ref().map_or(classes::DIGITS, |classes| classes.labels.len());
        let train = match (idx::find(folder, "train", "images"), idx::find(folder, "train", "labels")) {
            (None, None) => None,
            _ => Some(idx::load_pair(folder, "train", class_count)?),
        };
        let test = idx::load_pair(folder, "t10k", class_count)?;
        let classes = named.unwrap_or_else(|| classes::known(test.sources()));
        Ok(Self { classes, train, test })
    }
}
