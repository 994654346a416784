//! Which labelled images are in a folder with a folder for each class?
//!
//! `FOLDER/train/CLASS/*.png` and `FOLDER/test/CLASS/*.png`, or `FOLDER/CLASS/*.png` where one set is to be divided. Files are
//! PNG, JPEG, GIF, BMP, WebP or PNM, recognised by their bytes; others are refused by name, and names that begin with a dot
//! are skipped. Classes are in the order of their names.
//!
//! All images get the shape of the first one, 16 to 64 pixels a side; others are scaled to cover it. They are grey when every
//! picture is.

use std::path::{Path, PathBuf};

use kana_engine::image::decode::decode;
use kana_engine::image::fit::{Fit, fit};
use kana_engine::image::picture::Picture;
use kana_engine::image::{Image, Shape};
use kana_engine::model::card::Source;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::classes::{self, CLASSES_MAX, Classes};
use super::{Dataset, Error, Folder, Label};

/// Folders of a data set that is divided already.
const PARTS: [&str; 2] = ["train", "test"];
/// Least side of an image: what is smaller shows nothing that a convolution could find.
const SIDE_MIN: usize = 16;
/// Greatest side of an image: the network of a larger one would have millions of weights in its first dense layer.
const SIDE_MAX: usize = 64;

/// Files of each class of one part, in the order of the names.
struct Listing {
    folder: PathBuf,
    classes: Vec<(String, Vec<PathBuf>)>,
}

/// Loads the pictures of `folder`; `None` when it has no folder for a class.
///
/// # Errors
/// [`Error`] names the file that cannot be read or decoded, and a class that is in one part alone.
pub fn load(folder: &Path) -> Result<Option<Folder>, Error> {
    let listings: Vec<Listing> = if PARTS.iter().any(|part| folder.join(part).is_dir()) {
        PARTS
            .iter()
            .map(|part| folder.join(part))
            .filter(|part| part.is_dir())
            .map(|part| list(&part))
            .collect::<Result<_, _>>()?
    } else {
        vec![list(folder)?]
    };
    let labels: Vec<String> = listings[0].classes.iter().map(|(name, _)| name.clone()).collect();
    if labels.is_empty() {
        return Ok(None);
    }
    let malformed = |path: &Path, reason: String| Error::Malformed { path: path.to_owned(), offset: 0, reason };
    if !(2..=CLASSES_MAX).contains(&labels.len()) {
        let reason = format!("found {} folders of classes, expected 2 to {CLASSES_MAX}", labels.len());
        return Err(malformed(&listings[0].folder, reason));
    }
    if let Some(other) = listings.iter().find(|other| !other.classes.iter().map(|(name, _)| name).eq(&labels)) {
        let reason = format!("its classes are not those of {}: {}", listings[0].folder.display(), labels.join(", "));
        return Err(malformed(&other.folder, reason));
    }
    let shape = shape(&listings)?;
    let parts = listings.iter().map(|listing| read(listing, shape)).collect::<Result<Vec<_>, _>>()?;
    let is_grey = parts.iter().flatten().all(|read| read.is_grey);
    let shape = Shape { channels: if is_grey { 1 } else { 3 }, ..shape };
    let mut datasets = listings.iter().zip(&parts).map(|(listing, part)| dataset(listing, part, shape, folder));
    let first = datasets.next().expect("BUG: one folder was listed at least");
    let classes = classes::load(folder)?.unwrap_or_default();
    // A list of labels would name the folders in another order than theirs: only the rest of it counts.
    let classes = Classes { labels, romanised: Vec::new(), ..classes };
    Ok(Some(match datasets.next() {
        Some(test) => Folder { classes, train: Some(first), test },
        None => Folder { classes, train: None, test: first },
    }))
}

/// Lists the folders in `folder`, and their files.
fn list(folder: &Path) -> Result<Listing, Error> {
    let entries = |folder: &Path| -> Result<Vec<PathBuf>, Error> {
        let unreadable = |source| Error::Unreadable { path: folder.to_owned(), offset: 0, source };
        let paths = std::fs::read_dir(folder).map_err(unreadable)?.map(|entry| entry.map(|entry| entry.path()));
        let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
        paths.retain(|path| !name(path).starts_with('.'));
        paths.sort();
        Ok(paths)
    };
    let folders = entries(folder)?.into_iter().filter(|path| path.is_dir());
    let classes = folders.map(|class| Ok((name(&class), entries(&class)?))).collect::<Result<_, Error>>()?;
    Ok(Listing { folder: folder.to_owned(), classes })
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A picture as an image in colour, and the digest of its file.
struct Read {
    class: usize,
    image: Image,
    is_grey: bool,
    sha256: [u8; 32],
}

/// Reads all files of a part, on all cores. No picture is kept: of large ones there may be more than fit into memory.
fn read(listing: &Listing, shape: Shape) -> Result<Vec<Read>, Error> {
    let classes = listing.classes.iter().enumerate();
    let files: Vec<(usize, &PathBuf)> =
        classes.flat_map(|(class, (_, files))| files.iter().map(move |file| (class, file))).collect();
    let read = |(class, path): &(usize, &PathBuf)| {
        let (picture, sha256) = read_file(path)?;
        let is_grey = picture.colours().all(|[red, green, blue]| red == green && green == blue);
        Ok(Read { class: *class, image: fit(&picture, shape, Fit::Cover), is_grey, sha256 })
    };
    files.par_iter().map(read).collect()
}

fn read_file(path: &Path) -> Result<(Picture, [u8; 32]), Error> {
    let unreadable = |source| Error::Unreadable { path: path.to_owned(), offset: 0, source };
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let malformed = |reason| Error::Malformed { path: path.to_owned(), offset: 0, reason };
    let picture = decode(&bytes).map_err(|error| malformed(error.to_string()))?;
    Ok((picture, Sha256::digest(&bytes).into()))
}

/// Chooses the shape of all images in colour: the first one's, within the bounds of a side.
fn shape(listings: &[Listing]) -> Result<Shape, Error> {
    let first = listings.iter().flat_map(|listing| &listing.classes).find_map(|(_, files)| files.first());
    let (width, height) = match first {
        Some(path) => read_file(path).map(|(picture, _)| (picture.width(), picture.height()))?,
        None => (SIDE_MIN, SIDE_MIN),
    };
    // The greater side within its bound, the ratio kept; then each not below the least.
    let shrunk = (SIDE_MAX as f64 / width.max(height) as f64).min(1.0);
    let side = |side: usize| ((side as f64 * shrunk).round() as usize).max(SIDE_MIN);
    Ok(Shape { channels: 3, height: side(height), width: side(width) })
}

fn dataset(listing: &Listing, part: &[Read], shape: Shape, folder: &Path) -> Dataset {
    let samples =
        part.iter().flat_map(|read| read.image.pixels().chunks_exact(3)).flat_map(|pixel| &pixel[..shape.channels]);
    let pixels = samples.copied().collect();
    let labels = part.iter().map(|read| read.class as Label).collect();
    // The digest of all files: of their names and digests, in order.
    let mut digest = Sha256::new();
    let names = listing
        .classes
        .iter()
        .flat_map(|(class, files)| files.iter().map(move |file| format!("{class}/{}\n", name(file))));
    for (name, read) in names.zip(part) {
        digest.update(name);
        digest.update(read.sha256);
    }
    let part_name = listing.folder.strip_prefix(folder).ok().filter(|part| !part.as_os_str().is_empty());
    let file = part_name.map_or("*".to_owned(), |part| format!("{}/*", part.display()));
    let source = Source { file, sha256: hex::encode(digest.finalize()) };
    Dataset::new(shape, pixels, labels)
        .expect("BUG: every image was fitted to the shape")
        .with_sources(vec![source])
        .of_scenes()
}
