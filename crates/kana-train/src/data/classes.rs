//! What are the labels of a data set's classes, and under which licence are its images?
//!
//! A folder may list them in `labels.txt`: one label a line, in the order of the label bytes, optionally followed by a
//! tab and a romanisation. Without that file the published data sets are recognised by their SHA-256, and any other data
//! set has the ten digits as its classes, like MNIST.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::Error;
use kana_engine::model::card::Source;

/// Name of the file that lists the labels.
pub const FILE: &str = "labels.txt";
/// Number of classes of MNIST, and of every data set in its format without a list of labels.
pub const DIGITS: usize = 10;
/// Largest number of classes: that of the largest sets that small networks are trained on.
pub const CLASSES_MAX: usize = 1_000;
/// Largest list of labels in bytes: 256 bytes for each class.
const FILE_BYTES_MAX: u64 = 256_000;

/// Labels of KMNIST with their romanisation, in the order of its label bytes.
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

/// Labels of a data set's classes, and the licence of its images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Classes {
    /// Label of each class.
    pub labels: Vec<String>,
    /// Label of each class in Latin letters; empty when the labels need no romanisation.
    pub romanised: Vec<String>,
    /// Licence of the images; empty when unknown.
    pub licence: String,
    /// Attribution that the licence asks for; empty when unknown.
    pub attribution: String,
}

/// Licence of KMNIST.
pub const KMNIST_LICENCE: &str = "CC BY-SA 4.0";
/// Attribution that the licence of KMNIST asks for.
pub const KMNIST_ATTRIBUTION: &str = "\"KMNIST Dataset\" (created by CODH), adapted from \"Kuzushiji Dataset\" (created by \
    NIJL and others), doi:10.20676/00000341";
/// Licence of MNIST.
pub const MNIST_LICENCE: &str = "CC BY-SA 3.0";
/// Attribution that the licence of MNIST asks for.
pub const MNIST_ATTRIBUTION: &str = "\"MNIST\" (Y. LeCun and C. Cortes)";

/// Returns the classes of KMNIST.
pub fn kmnist() -> Classes {
    Classes {
        labels: KMNIST.iter().map(|(kana, _)| (*kana).to_owned()).collect(),
        romanised: KMNIST.iter().map(|(_, latin)| (*latin).to_owned()).collect(),
        licence: KMNIST_LICENCE.into(),
        attribution: KMNIST_ATTRIBUTION.into(),
    }
}

/// Returns the classes of the data set with these files: of KMNIST or MNIST when a checksum is theirs, otherwise digits.
pub fn recognise(sources: &[Source]) -> Classes {
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

/// Reads the classes from `labels.txt` in `folder`; `None` when there is no such file.
///
/// # Errors
/// [`Error::Unreadable`] when the file cannot be read, [`Error::Malformed`] when it does not list 2 to [`CLASSES_MAX`] labels.
pub fn load(folder: &Path) -> Result<Option<Classes>, Error> {
    let path = folder.join(FILE);
    let unreadable = |source| Error::Unreadable { path: path.clone(), offset: 0, source };
    let file = match File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(unreadable)?,
    };
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    parse(&text).map(Some).map_err(|reason| Error::Malformed { path: path.clone(), offset: 0, reason })
}

fn parse<'a>(text: &'a str) -> Result<Classes, String> {
    let row = |line: &'a str| match line.split_once('\t') {
        Some((label, latin)) => (label.trim(), Some(latin.trim())),
        None => (line.trim(), None),
    };
    let rows: Vec<(&str, Option<&str>)> = text.lines().filter(|line| !line.trim().is_empty()).map(row).collect();
    if !(2..=CLASSES_MAX).contains(&rows.len()) {
        return Err(format!("found {} labels, expected 2 to {CLASSES_MAX}, one a line", rows.len()));
    }
    let labels = rows.iter().map(|(label, _)| (*label).to_owned()).collect();
    // All or none: with gaps, the romanisations would no longer line up with the labels.
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
    fn a_list_of_one_label_is_refused() {
        assert!(parse("alone\n").is_err());
    }

    #[test]
    fn a_list_that_is_romanised_in_part_has_no_romanisations() {
        let classes = parse("か\tka\nに\n").unwrap();

        assert_eq!((classes.labels.len(), classes.romanised.len()), (2, 0));
    }

    #[test]
    fn an_unknown_data_set_has_ten_digits() {
        let classes = recognise(&[Source { file: "t10k-images-idx3-ubyte".into(), sha256: "00".into() }]);

        assert_eq!(classes.labels.join(""), "0123456789");
        assert!(classes.licence.is_empty());
    }
}
