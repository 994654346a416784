//! Are malformed data sets refused by file and byte, and are valid ones split and evaluated as documented?

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use kana_engine::Prediction;
use kana_engine::image::{Image, Shape};
use kana_engine::model::{Card, Classifier};
use kana_train::data::{self, Folder, Split, evaluate, split};
use tempfile::TempDir;

use crate::idx;

/// Returns the files of six images of 2×3, of classes 0 to 5.
fn valid_pair() -> (Vec<u8>, Vec<u8>) {
    let pixels: Vec<u8> = (0..36).collect();
    (idx::images([6, 2, 3], &pixels), idx::labels(&[0, 1, 2, 3, 4, 5]))
}

fn folder_with(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

const IMAGES: &str = "t10k-images-idx3-ubyte";
const LABELS: &str = "t10k-labels-idx1-ubyte";

#[test]
fn compressed_and_plain_files_are_the_same_data_set() {
    let (images, labels) = valid_pair();
    let plain = folder_with(&[(IMAGES, &images), (LABELS, &labels)]);
    let compressed =
        folder_with(&[(&format!("{IMAGES}.gz"), &compress(&images)), (&format!("{LABELS}.gz"), &compress(&labels))]);

    let (plain, compressed) = (Folder::load(plain.path()).unwrap(), Folder::load(compressed.path()).unwrap());

    assert_eq!(plain.test, compressed.test);
    assert_eq!((plain.test.len(), plain.test.labels()), (6, &[0, 1, 2, 3, 4, 5][..]));
    assert_eq!(plain.test.image(1).pixels(), [6, 7, 8, 9, 10, 11]);
    assert_eq!(plain.test.shape(), Shape { channels: 1, height: 2, width: 3 });
    assert!(plain.train.is_none());
}

#[test]
fn a_file_of_several_gzip_members_is_their_sum() {
    let (images, labels) = valid_pair();
    let (head, tail) = images.split_at(23);
    let members = [compress(head), compress(tail)].concat();
    let folder = folder_with(&[(&format!("{IMAGES}.gz"), &members), (LABELS, &labels)]);

    let plain = folder_with(&[(IMAGES, &images), (LABELS, &labels)]);
    assert_eq!(Folder::load(folder.path()).unwrap().test, Folder::load(plain.path()).unwrap().test);
}

#[test]
fn a_name_may_have_a_dot_before_idx() {
    let (images, labels) = valid_pair();

    for (images_name, labels_name) in
        [("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"), ("t10k-images.idx3-ubyte.gz", "t10k-labels-idx1-ubyte")]
    {
        let folder = folder_with(&[(images_name, &images), (labels_name, &labels)]);
        assert_eq!(Folder::load(folder.path()).unwrap().test.len(), 6, "{images_name}");
    }
}

/// A malformed data set, and the error that it causes.
struct Malformed {
    case: &'static str,
    images: Vec<u8>,
    labels: Vec<u8>,
    file: &'static str,
    offset: u64,
    reason: &'static str,
}

fn malformed_pairs() -> Vec<Malformed> {
    let (images, labels) = valid_pair();
    let of_images = |case, images: Vec<u8>, offset, reason| Malformed {
        case,
        images,
        labels: valid_pair().1,
        file: IMAGES,
        offset,
        reason,
    };
    let of_labels = |case, labels: Vec<u8>, offset, reason| Malformed {
        case,
        images: valid_pair().0,
        labels,
        file: LABELS,
        offset,
        reason,
    };
    let with = |bytes: &[u8], at: usize, value: &[u8]| {
        let mut changed = bytes.to_vec();
        changed[at..at + value.len()].copy_from_slice(value);
        changed
    };
    vec![
        of_images("empty", Vec::new(), 0, "inside its header"),
        of_images("cut in its header", images[..9].to_vec(), 9, "inside its header"),
        of_images("cut in its pixels", images[..40].to_vec(), 40, "24 of 36 bytes"),
        of_images("with surplus bytes", [images.as_slice(), &[0]].concat(), 52, "more bytes than the header announces"),
        of_images("of another type", with(&images, 2, &[0x0d]), 0, "magic number 3331"),
        of_images("text", b"<html>not found</html>".to_vec(), 0, "magic number"),
        of_images("labels instead of images", labels.clone(), 0, "that of a label file"),
        of_images("without rows", with(&images, 8, &[0; 4]), 8, "size 0 of dimension 1"),
        of_images("of absurd width", with(&images, 12, &[0xff; 4]), 12, "size 4294967295 of dimension 2"),
        of_images("of absurd size", idx::images([u32::MAX, 1024, 1024], &[1, 2, 3]), 4, "asks for over"),
        of_images("of more pixels than it has", idx::images([100_000, 28, 28], &[1, 2, 3]), 19, "3 of 78400000 bytes"),
        of_images("gzip cut short", compress(&images)[..30].to_vec(), 0, "gzip stream is cut off or corrupt"),
        of_images("gzip with surplus bytes", [compress(&images), vec![7]].concat(), 52, "other bytes follow it"),
        of_labels("images instead of labels", images.clone(), 0, "that of an image file"),
        of_labels("a label short", idx::labels(&[0, 1, 2, 3, 4]), 4, "5 labels for the 6 images"),
        of_labels("a label out of range", with(&labels, 10, &[10]), 10, "label 10 of image 2"),
    ]
}

#[test]
fn a_malformed_file_is_refused_by_file_and_byte() {
    for Malformed { case, images, labels, file, offset: expected, reason: words } in malformed_pairs() {
        let folder = folder_with(&[(IMAGES, &images), (LABELS, &labels)]);

        let error = Folder::load(folder.path()).unwrap_err();

        let data::Error::Malformed { path, offset, reason } = &error else { panic!("{case}: {error:?}") };
        assert!(path.ends_with(file), "{case}: the error names {path:?}");
        assert!(reason.contains(words), "{case}: the reason is {reason:?}");
        let is_compressed = images.starts_with(&[0x1f, 0x8b]);
        assert!(*offset == expected || is_compressed, "{case}: the error names byte {offset}");
    }
}

#[test]
fn a_missing_file_of_a_pair_is_named() {
    let (images, labels) = valid_pair();
    let folder = folder_with(&[("train-images-idx3-ubyte", &images), (IMAGES, &images), (LABELS, &labels)]);

    let error = Folder::load(folder.path()).unwrap_err();

    assert!(error.to_string().contains("train-labels-idx1-ubyte"), "{error}");
}

#[test]
fn a_label_beyond_the_listed_ones_is_refused() {
    let (images, labels) = valid_pair();
    let folder = folder_with(&[(IMAGES, &images), (LABELS, &labels), ("labels.txt", "a\nb\nc\nd\ne\n".as_bytes())]);

    let error = Folder::load(folder.path()).unwrap_err();
    fs::write(folder.path().join("labels.txt"), "a\nb\nc\nd\ne\nf\n").unwrap();
    let loaded = Folder::load(folder.path()).unwrap();

    assert!(error.to_string().contains("label 5 of image 5"), "{error}");
    assert_eq!(loaded.classes.labels, ["a", "b", "c", "d", "e", "f"]);
}

/// Returns a folder of sixty images of 2×3, twelve of each of five classes. The pixels of an image are its number.
fn numbered() -> TempDir {
    let pixels: Vec<u8> = (0..60).flat_map(|image| [image; 6]).collect();
    let labels: Vec<u8> = (0..60).map(|image| image % 5).collect();
    folder_with(&[(IMAGES, &idx::images([60, 2, 3], &pixels)), (LABELS, &idx::labels(&labels))])
}

#[test]
fn a_lone_set_is_split_in_three_that_share_no_image() {
    let folder = Folder::load(numbered().path()).unwrap();

    let split = Split::new(&folder, 0.2, 1);

    let numbers = |part: &data::Dataset| (0..part.len()).map(|index| part.pixels(index)[0]).collect::<Vec<_>>();
    let parts = [&split.training, &split.validation, &split.test];
    let mut all = parts.map(numbers).concat();
    all.sort_unstable();
    assert_eq!(all, (0..60).collect::<Vec<u8>>());
    for (part, each) in parts.into_iter().zip([8, 2, 2]) {
        for class in 0..5 {
            assert_eq!(part.labels().iter().filter(|&&label| label == class).count(), each);
        }
    }
    assert!(split.protocol.test.contains("learned from 40, the epoch chosen by 10, judged once on 10"));
}

/// A classifier that predicts class 1 for every image.
struct Constant(Card);

impl Classifier for Constant {
    fn classify(&mut self, images: &[Image]) -> Result<Vec<Prediction>, kana_engine::model::Error> {
        let one = || Prediction::from_probabilities(vec![0.1, 0.6, 0.1, 0.1, 0.1], &self.0.labels).unwrap();
        Ok(images.iter().map(|_| one()).collect())
    }

    fn card(&self) -> &Card {
        &self.0
    }
}

#[test]
fn a_report_counts_pairs_of_true_and_predicted_classes() {
    let folder = Folder::load(numbered().path()).unwrap();
    let mut classifier = Constant(idx::card(&["a", "b", "c", "d", "e"]));
    let mut progress = 0;

    let report = evaluate::evaluate(&mut classifier, &folder.test, |count| progress += count).unwrap();

    assert_eq!((report.images, progress, report.accuracy), (60, 60, 0.2));
    assert_eq!(report.confusion[4], [0, 12, 0, 0, 0]);
    assert_eq!((report.per_class[1].precision, report.per_class[1].recall), (0.2, 1.0));
    let json = serde_json::to_value(&report).unwrap();
    let mut keys: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
    keys.sort();
    assert_eq!(keys, ["accuracy", "confusion", "images", "per_class"]);
}

#[test]
fn a_model_is_evaluated_on_images_that_it_was_not_trained_on() {
    let folder = Folder::load(numbered().path()).unwrap();
    let mut card = idx::card(&["a", "b", "c", "d", "e"]);
    let of_other_data = split::held_out(&folder, &card).expect("all");

    card.training.data = folder.test.sources().to_vec();
    let of_same_data = split::held_out(&folder, &card).expect("a part");

    assert_eq!(of_other_data.len(), 60);
    assert_eq!(of_same_data, Split::new(&folder, 0.3, card.training.seed).test);
}

/// Returns the folder of the real KMNIST, when `KANA_DATA` names one that has it.
fn kmnist() -> Option<PathBuf> {
    std::env::var_os("KANA_DATA")
        .map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder).join("kmnist"))
        .filter(|folder| folder.is_dir())
}

#[test]
fn the_published_kmnist_is_recognised() {
    let Some(folder) = kmnist() else { return };

    let folder = Folder::load(&folder).unwrap();

    assert_eq!((folder.test.len(), folder.classes.labels[0].as_str()), (10_000, "お"));
    assert_eq!(folder.classes.romanised[9], "wo");
    assert_eq!(folder.classes.licence, "CC BY-SA 4.0");
}
