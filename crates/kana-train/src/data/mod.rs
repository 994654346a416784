//! Which labelled images are there to train on, to evaluate with and to show?
//!
//! A [`Dataset`] has labelled images of one shape, and the SHA-256 of the files that they came from, so that a model's
//! card can name its training data. [`Folder::load`] reads a data set in the format of MNIST and refuses every file with
//! a missing or surplus byte. [`Split`] divides it for training, [`evaluate`] measures a classifier with it, and
//! [`fetch`](mod@fetch) downloads the published ones. [`strokes`] draws images where there is no data set at all.

pub mod classes;
pub mod evaluate;
pub mod fetch;
pub mod idx;
pub mod pictures;
pub mod published;
pub mod random;
pub mod samples;
pub mod split;
pub mod stratify;
pub mod strokes;

use std::path::{Path, PathBuf};

use kana_engine::image::{Image, Shape};
use kana_engine::model::Card;
use kana_engine::model::card::Source;

pub use classes::Classes;
pub use split::Split;

/// Reasons why a data set cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder has no file of a data set. Caller: name another folder.
    #[error(
        "found no data set in {folder}: expected the files of MNIST, such as t10k-images-idx3-ubyte.gz, or pictures in a \
         folder for each class"
    )]
    Nothing {
        /// Folder that was looked into.
        folder: PathBuf,
    },
    /// The folder lacks a file of the data set. Caller: download it, or name another folder.
    #[error("could not load a data set from {folder}: neither {missing} nor {missing}.gz is there")]
    Missing {
        /// Folder of the data set.
        folder: PathBuf,
        /// Name of the missing file, without `.gz`.
        missing: String,
    },
    /// The file could not be read. Caller: check the disk.
    #[error("could not read {path} at byte {offset}")]
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// Uncompressed bytes read before the error.
        offset: u64,
        /// Error of the file system.
        source: std::io::Error,
    },
    /// The file does not have the expected format. Caller: download it again.
    #[error("could not parse {path}: byte {offset}: {reason}")]
    Malformed {
        /// Path of the file.
        path: PathBuf,
        /// Offset of the error in the uncompressed bytes.
        offset: u64,
        /// Description of what was expected and what was found.
        reason: String,
    },
}

/// Name of the setting in a card that lists the classes that a model was trained on, where these are not all.
pub const CLASSES_SETTING: &str = "classes";
/// Name of the setting in a card that says how many folds a model has, where it is one of several networks.
pub const FOLDS_SETTING: &str = "folds";
/// Name of the setting in a card of a model that a student was distilled from, and in the student's.
pub const DISTILL_SETTING: &str = "distill";
/// Name of the setting in a card of a model that was trained on few images, to try the program.
pub const FAST_DEV_SETTING: &str = "fast-dev-run";

/// Returns the classes that the model of `card` was trained on, by their numbers in the data set and in the order of its
/// outputs; `None` where these are all.
pub fn chosen_classes(card: &Card) -> Option<Vec<usize>> {
    let classes = card.training.settings.get(CLASSES_SETTING)?;
    Some(classes.split(',').filter_map(|class| class.parse().ok()).collect())
}

/// A class that a data set does not have, or that is named twice. Caller: name another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("class {class} is named twice or is not there: expected different numbers below {known}")]
pub struct UnknownClass {
    class: usize,
    known: usize,
}

/// Number of an image's class.
pub type Label = u16;

/// Labelled images of one shape: pixels `[N, H, W, C]`, one byte each, and labels `[N]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    shape: Shape,
    pixels: Vec<u8>,
    labels: Vec<Label>,
    places: Vec<usize>,
    sources: Vec<Source>,
    are_scenes: bool,
}

impl Dataset {
    /// Creates a data set of `labels.len()` images from `pixels`, `[N, H, W, C]`; `None` when the lengths disagree.
    pub fn new(shape: Shape, pixels: Vec<u8>, labels: Vec<Label>) -> Option<Self> {
        (Some(pixels.len()) == shape.bytes().checked_mul(labels.len())).then(|| Self {
            shape,
            pixels,
            places: (0..labels.len()).collect(),
            labels,
            sources: Vec::new(),
            are_scenes: false,
        })
    }

    /// Records the files that the images came from.
    pub fn with_sources(mut self, sources: Vec<Source>) -> Self {
        self.sources = sources;
        self
    }

    /// Records that the images are scenes that fill their frame, whatever their colour; grey ones are glyphs otherwise.
    pub fn of_scenes(mut self) -> Self {
        self.are_scenes = true;
        self
    }

    /// Returns whether the images are scenes that fill their frame, and not glyphs.
    pub fn are_scenes(&self) -> bool {
        self.are_scenes || self.shape.channels > 1
    }

    /// Returns the number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Returns whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Returns the shape of every image.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Returns the class of each image, `[N]`.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// Returns the place of each image among all images of its files, `[N]`: a subset keeps the places of its images.
    pub fn places(&self) -> &[usize] {
        &self.places
    }

    /// Returns the files that the images came from.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Returns whether the model of `card` was trained on images of these files.
    pub fn has_trained(&self, card: &Card) -> bool {
        self.sources.iter().all(|source| card.training.data.contains(source))
    }

    /// Returns the samples of image `index`, `[H, W, C]`.
    ///
    /// # Panics
    /// When `index` is not below [`Dataset::len`].
    pub fn pixels(&self, index: usize) -> &[u8] {
        let bytes = self.shape.bytes();
        &self.pixels[index * bytes..(index + 1) * bytes]
    }

    /// Returns image `index` in the form that a classifier takes.
    ///
    /// # Panics
    /// When `index` is not below [`Dataset::len`].
    pub fn image(&self, index: usize) -> Image {
        Image::new(self.shape, self.pixels(index)).expect("BUG: a data set holds whole images only, see Dataset::new")
    }

    /// Returns the images at `indices`, in that order.
    ///
    /// # Panics
    /// When an index is not below [`Dataset::len`].
    pub fn subset(&self, indices: &[usize]) -> Self {
        Self {
            shape: self.shape,
            pixels: indices.iter().flat_map(|&index| self.pixels(index)).copied().collect(),
            labels: indices.iter().map(|&index| self.labels[index]).collect(),
            places: indices.iter().map(|&index| self.places[index]).collect(),
            sources: self.sources.clone(),
            are_scenes: self.are_scenes,
        }
    }
}

/// A data set in a folder: with the file names of MNIST, or with a folder for each class.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Labels of the classes, and the licence of the images.
    pub classes: Classes,
    /// Images of the `train-*` files or of `train/`, when the folder has them.
    pub train: Option<Dataset>,
    /// Images of the `t10k-*` files or of `test/`; all, when the set is not divided.
    pub test: Dataset,
}

impl Folder {
    /// Loads `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the two files of `t10k-`, each plain or with
    /// `.gz`. A folder with the `t10k-` pair alone is one data set. Where none of them is there, the folders in it are
    /// classes, as [`pictures`] says.
    ///
    /// # Errors
    /// [`Error`] when there is no data set, or when one file of a pair is missing, unreadable or malformed; it names the file and the byte.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        let has_idx = ["train", "t10k"].iter().any(|part| idx::find(folder, part, "images").is_some());
        if !has_idx {
            let pictures = if folder.is_dir() { pictures::load(folder)? } else { None };
            return pictures.ok_or_else(|| Error::Nothing { folder: folder.to_owned() });
        }
        let listed = classes::load(folder)?;
        let class_count = listed.as_ref().map_or(classes::DIGITS, |classes| classes.labels.len());
        let train = match (idx::find(folder, "train", "images"), idx::find(folder, "train", "labels")) {
            (None, None) => None,
            _ => Some(idx::load_pair(folder, "train", class_count)?),
        };
        let test = idx::load_pair(folder, "t10k", class_count)?;
        let classes = listed.unwrap_or_else(|| classes::recognise(test.sources()));
        Ok(Self { classes, train, test })
    }

    /// Returns the images to train on: those of the files for training, or all where there are none.
    pub fn development(&self) -> &Dataset {
        self.train.as_ref().unwrap_or(&self.test)
    }

    /// Returns what the files of [`Folder::train`] and those of [`Folder::test`] are called.
    pub fn part_names(&self) -> [&str; 2] {
        match self.test.sources().first().map(|source| source.file.as_str()) {
            Some("*") => ["", "the pictures"],
            Some(test) if test.ends_with("/*") => ["train/*", "test/*"],
            _ => ["train-*", "t10k-*"],
        }
    }

    /// Returns the folder with the images of `chosen` classes alone, which are numbered anew, in that order.
    ///
    /// # Errors
    /// [`UnknownClass`] names the first that is not there, or is named twice.
    pub fn with_classes(&self, chosen: &[usize]) -> Result<Self, UnknownClass> {
        let known = self.classes.labels.len();
        for (place, &class) in chosen.iter().enumerate() {
            if class >= known || chosen[..place].contains(&class) {
                return Err(UnknownClass { class, known });
            }
        }
        let of = |dataset: &Dataset| {
            let place = |index: usize| chosen.iter().position(|class| *class == usize::from(dataset.labels[index]));
            let indices: Vec<usize> = (0..dataset.len()).filter(|index| place(*index).is_some()).collect();
            let labels = indices.iter().filter_map(|index| place(*index)).map(|place| place as Label).collect();
            Dataset { labels, ..dataset.subset(&indices) }
        };
        let pick = |names: &[String]| chosen.iter().filter_map(|class| names.get(*class).cloned()).collect();
        let (labels, romanised) = (pick(&self.classes.labels), pick(&self.classes.romanised));
        let classes = Classes { labels, romanised, ..self.classes.clone() };
        Ok(Self { classes, train: self.train.as_ref().map(of), test: of(&self.test) })
    }

    /// Returns the folder with the classes that the model of `card` tells apart: all, unless it was trained on some of them.
    ///
    /// # Errors
    /// [`UnknownClass`] when the folder does not have them.
    pub fn for_model(&self, card: &Card) -> Result<Self, UnknownClass> {
        chosen_classes(card).map_or_else(|| Ok(self.clone()), |classes| self.with_classes(&classes))
    }

    /// Returns the folder with the first `count` images of each class of each file alone.
    pub fn first_of_each_class(&self, count: usize) -> Self {
        let first = |dataset: &Dataset| {
            let mut seen = [0; classes::CLASSES_MAX];
            let mut is_first = |index: &usize| {
                let seen = &mut seen[usize::from(dataset.labels[*index])];
                *seen += 1;
                *seen <= count
            };
            let indices: Vec<usize> = (0..dataset.len()).filter(|index| is_first(index)).collect();
            dataset.subset(&indices)
        };
        Self { classes: self.classes.clone(), train: self.train.as_ref().map(first), test: first(&self.test) }
    }
}
