//! What are the classes of a data set called?
//!
//! The folder may say so in `labels.txt`: a class a line, in the order of the label bytes, with an optional
//! romanisation behind a tab. Without it the published KMNIST is recognised by its digest, and anything else is taken
//! for ten digits, as MNIST has them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::Error;
use kana_engine::model::card::Source;

/// The file that names the classes.
pub const FILE: &str = "labels.txt";
/// MNIST's classes, and those of every data set that took its format and says nothing else.
pub const DIGITS: usize = 10;
/// A label is one byte.
const CLASSES_MAX: usize = 256;
/// A line a class, generously; what is longer is no list of labels.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// KMNIST's ten, in the order of its label bytes.
const KMNIST: [(&str, &str); DIGITS] = [
    ("お", "o"),
    ("き", "ki"),
    ("す", "su"),
    ("つ", "tsu"),
    ("な", "na"),
    ("は", "ha"),
    ("ま", "ma"),
    ("や", "ya"),
    ("れ", "re"),
    ("を", "wo"),
];
/// SHA-256 of KMNIST's `t10k-images-idx3-ubyte`, uncompressed.
const KMNIST_TEST_IMAGES: &str = "76fbd229ce87db80dd281af5e6670de4ad0e42fb30a7bd643972994c47c1f42e";
/// SHA-256 of MNIST's `t10k-images-idx3-ubyte`, uncompressed.
const MNIST_TEST_IMAGES: &str = "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7";

/// What the classes are called, and under which licence the images are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Classes {
    /// One a class.
    pub labels: Vec<String>,
    /// The same in Latin letters; empty where they already are.
    pub romanised: Vec<String>,
    /// The licence of the images; empty where unknown.
    pub licence: String,
    /// Whom it asks to name; empty where unknown.
    pub attribution: String,
}

/// KMNIST's licence.
pub const KMNIST_LICENCE: &str = "CC BY-SA 4.0";
/// Whom KMNIST's licence asks to name.
pub const KMNIST_ATTRIBUTION: &str = "\"KMNIST Dataset\" (created by CODH), adapted from \"Kuzushiji Dataset\" (created by \
    NIJL and others), doi:10.20676/00000341";
/// MNIST's licence.
pub const MNIST_LICENCE: &str = "CC BY-SA 3.0";
/// Whom MNIST's licence asks to name.
pub const MNIST_ATTRIBUTION: &str = "\"MNIST\" (Y. LeCun and C. Cortes)";

/// KMNIST's classes.
pub fn kmnist() -> Classes {
    Classes {
        labels: KMNIST.iter().map(|(kana, _)| (*kana).to_owned()).collect(),
        romanised: KMNIST.iter().map(|(_, latin)| (*latin).to_owned()).collect(),
        licence: KMNIST_LICENCE.into(),
        attribution: KMNIST_ATTRIBUTION.into(),
    }
}

/// The classes of the data set that has these files.
pub fn known(sources: &[Source]) -> Classes {
    let has = |digest: &str| sources.iter().any(|source| source.sha256 == digest);
    if has(KMNIST_TEST_IMAGES) {
        return kmnist();
    }
    let labels = (0..DIGITS).map(|digit| digit.to_string()).collect();
    if has(MNIST_TEST_IMAGES) {
        let (licence, attribution) = (MNIST_LICENCE.into(), MNIST_ATTRIBUTION.into());
        return Classes { labels, licence, attribution, ..Classes::default() };
    }
    Classes { labels, ..Classes::default() }
}

/// The classes that `labels.txt` in `folder` names, or `None` without such a file.
///
/// # Errors
/// Where the file cannot be read or is no list of labels.
pub fn named(folder: &Path) -> Result<Option<Classes>, Error> {
    let path = folder.join(FILE);
    let unreadable = |source| Error::Unreadable { path: path.clone(), offset: 0, source };
    let file = match File::open(&path) {
        Err(absent) if absent.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(unreadable)?,
    };
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    parse(&text).map(Some).map_err(|reason| Error::Malformed { path: path.clone(), offset: 0, reason })
}

fn parse(text: &str) -> Result<Classes, String> {
    let rows: Vec<(&str, Option<&str>)> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            line.split_once('\t').map_or((line.trim(), None), |(label, latin)| (label.trim(), Some(latin.trim())))
        })
        .collect();
    if !(2..=CLASSES_MAX).contains(&rows.len()) {
        return Err(format!("{} labels, expected 2 to {CLASSES_MAX}, one a line", rows.len()));
    }
    let labels = rows.iter().map(|(label, _)| (*label).to_owned()).collect();
    // All or none: a half-romanised list would shift the names against the classes.
    let romanised: Option<Vec<String>> = rows.iter().map(|(_, latin)| latin.map(str::to_owned)).collect();
    Ok(Classes { labels, romanised: romanised.unwrap_or_default(), ..Classes::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_labels_may_carry_romanisations() {
        let classes = parse("か\tka\nに\tni\n").unwrap();

        assert_eq!(
            (classes.labels, classes.romanised),
            (vec!["か".into(), "に".into()], vec!["ka".into(), "ni".into()])
        );
    }

    #[test]
    fn one_label_is_no_list() {
        assert!(parse("alone\n").is_err());
    }
}
