//! Is a folder with a folder for each class a data set like any other?

use std::fs;
use std::path::Path;

use image::{GrayImage, Luma, Rgb, RgbImage};
use kana_engine::image::fit::Fit;
use kana_engine::model::Artifact;
use kana_train::data::Folder;
use kana_train::{Completion, Config, write_report};
use tempfile::TempDir;

use crate::train::run;

/// Writes `count` pictures of each of two classes, bright above or bright below, in colours that differ a little.
fn write(folder: &Path, count: u8, side: u32) {
    for (class, top) in [("above", 200), ("below", 20)] {
        fs::create_dir_all(folder.join(class)).expect("a folder");
        for number in 0..count {
            let picture = RgbImage::from_fn(side, side, |_, y| {
                let value = if y < side / 2 { top } else { 220 - top } + number % 30;
                Rgb([value, value / 2, number])
            });
            picture.save(folder.join(class).join(format!("{number:03}.png"))).expect("written");
        }
    }
}

fn config(data: &Path, out: &Path) -> Config {
    Config { data: data.to_owned(), out: out.to_owned(), epochs: 6, width: 4, batch_size: 8, ..Config::default() }
}

#[test]
fn a_model_learns_from_pictures_in_colour_and_is_judged_on_those_in_test() {
    let (data, out) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    write(&data.path().join("train"), 40, 24);
    write(&data.path().join("test"), 12, 24);

    let completion = run(&config(data.path(), out.path())).unwrap();

    let Completion::Finished { card, .. } = completion else { panic!("{completion:?}") };
    assert_eq!(card.labels, ["above", "below"]);
    assert_eq!((card.input.shape.channels, card.input.fit), (3, Fit::Cover));
    assert_eq!((card.evaluation[0].images, card.evaluation[0].accuracy), (24, 1.0));
    assert_eq!(card.training.data[0].file, "train/*");
    assert!(card.evaluation[0].protocol.ends_with("images of test/*, which neither saw"), "{:?}", card.evaluation);
    Artifact::load(out.path()).expect("a model that serves");
}

#[test]
fn a_thousand_classes_of_16_pixels_are_learned_served_and_reported() {
    let (data, out) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for class in 0..1_000_u32 {
        let folder = data.path().join(format!("class {class:03}"));
        fs::create_dir(&folder).unwrap();
        for number in 0..3 {
            let picture = GrayImage::from_fn(16, 16, |x, y| Luma([(class >> (x / 4 + y / 8)) as u8 * 90 + number]));
            picture.save(folder.join(format!("{number}.png"))).unwrap();
        }
    }

    let completion = run(&Config { epochs: 1, batch_size: 100, ..config(data.path(), out.path()) }).unwrap();

    let Completion::Finished { card, .. } = completion else { panic!("{completion:?}") };
    assert_eq!((card.labels.len(), card.labels[999].as_str(), card.architecture.depth), (1_000, "class 999", 3));
    let mut classifier = Artifact::load(out.path()).unwrap().classifier().expect("a model that serves");
    let image = Folder::load(data.path()).unwrap().test.image(2_999);
    assert_eq!(classifier.classify(&[image]).unwrap()[0].probabilities.len(), 1_000);
    write_report(out.path(), None, &[]).expect("a report");
    for (file, bytes_max) in [("report.html", 4 << 20), ("report.json", 4 << 20)] {
        let bytes = fs::metadata(out.path().join(file)).unwrap().len();
        assert!(bytes < bytes_max, "{file} has {bytes} bytes");
    }
}

#[test]
fn more_than_a_thousand_classes_are_refused() {
    let data = TempDir::new().unwrap();
    (0..1_001).for_each(|class| fs::create_dir(data.path().join(class.to_string())).unwrap());

    let error = Folder::load(data.path()).unwrap_err().to_string();

    assert!(error.contains("found 1001 folders of classes, expected 2 to 1000"), "{error}");
}

#[test]
fn larger_pictures_get_a_deeper_network_in_each_fold() {
    let (data, out) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    write(data.path(), 20, 64);

    let completion = run(&Config { epochs: 2, folds: Some(2), ..config(data.path(), out.path()) }).unwrap();

    let Completion::Finished { card, .. } = completion else { panic!("{completion:?}") };
    assert_eq!((card.architecture.depth, card.members.len()), (5, 2));
    Artifact::load(out.path()).unwrap().classifier().expect("the probabilities of the trainer");
}

#[test]
fn small_pictures_are_enlarged_large_ones_shrunk_and_grey_ones_have_one_channel() {
    let data = TempDir::new().unwrap();
    for (class, side) in [("a", 12), ("b", 200)] {
        fs::create_dir(data.path().join(class)).unwrap();
        let picture = GrayImage::from_fn(side, side, |x, _| Luma([x as u8]));
        picture.save(data.path().join(class).join("1.png")).unwrap();
    }

    let small = Folder::load(data.path()).unwrap();
    fs::rename(data.path().join("b"), data.path().join("_b")).unwrap();
    let large = Folder::load(data.path()).unwrap();

    assert_eq!(small.test.shape().to_string(), "1×16×16");
    assert_eq!(large.test.shape().to_string(), "1×64×64");
    assert!(small.test.are_scenes() && small.train.is_none());
}

#[test]
fn a_file_that_is_no_picture_and_a_class_of_one_part_alone_are_named() {
    let data = TempDir::new().unwrap();
    write(data.path(), 2, 24);
    fs::write(data.path().join("below/notes.txt"), "no picture").unwrap();

    let foreign = Folder::load(data.path()).unwrap_err();
    fs::remove_file(data.path().join("below/notes.txt")).unwrap();
    for part in ["train", "test"] {
        write(&data.path().join(part), 2, 24);
    }
    fs::create_dir(data.path().join("test/middle")).unwrap();
    let other = Folder::load(data.path()).unwrap_err();

    assert!(foreign.to_string().contains("below/notes.txt"), "{foreign}");
    assert!(other.to_string().contains("its classes are not those of"), "{other}");
}

#[test]
fn a_folder_without_a_data_set_is_said_to_have_none() {
    let data = TempDir::new().unwrap();

    for folder in [data.path().to_owned(), data.path().join("nowhere")] {
        let error = Folder::load(&folder).unwrap_err().to_string();

        assert!(error.contains("expected the files of MNIST") && error.contains("a folder for each"), "{error}");
    }
}

#[test]
fn other_bytes_or_names_of_the_pictures_are_another_data_set() {
    let data = TempDir::new().unwrap();
    write(data.path(), 2, 24);

    let first = Folder::load(data.path()).unwrap().test.sources().to_vec();
    fs::rename(data.path().join("above/000.png"), data.path().join("above/009.png")).unwrap();
    let renamed = Folder::load(data.path()).unwrap().test.sources().to_vec();

    assert_ne!(first, renamed);
}
