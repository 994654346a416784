//! Does a run learn, and does it write the same bytes whether it was interrupted or not?

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use kana_engine::model::{Artifact, Card};
use kana_train::data::{Folder, split};
use kana_train::metrics;
use kana_train::{Completion, Config, write_report};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::idx;

/// Rows and columns of the images: the smallest number that the network takes.
pub const SIDE: usize = 20;

/// Draws `count` images of three classes: a horizontal bar, a vertical bar or a block, at different places.
pub fn shapes(count: usize) -> (Vec<u8>, Vec<u8>) {
    let mut pixels = vec![0; count * SIDE * SIDE];
    for image in 0..count {
        let (down, right) = (3 + image * 7 % 9, 3 + image * 5 % 9);
        let (height, width) = [(2, 12), (12, 2), (6, 6)][image % 3];
        for row in down..(down + height).min(SIDE) {
            for column in right..(right + width).min(SIDE) {
                pixels[image * SIDE * SIDE + row * SIDE + column] = 200 + (image % 50) as u8;
            }
        }
    }
    (pixels, (0..count).map(|image| (image % 3) as u8).collect())
}

/// Returns a folder with `t10k-*` files alone, of `count` images.
pub fn folder(count: usize) -> TempDir {
    let folder = TempDir::new().unwrap();
    let (pixels, labels) = shapes(count);
    let dimensions = [count as u32, SIDE as u32, SIDE as u32];
    fs::write(folder.path().join("t10k-images-idx3-ubyte"), idx::images(dimensions, &pixels)).unwrap();
    fs::write(folder.path().join("t10k-labels-idx1-ubyte"), idx::labels(&labels)).unwrap();
    fs::write(folder.path().join("labels.txt"), "horizontal\nvertical\nblock\n").unwrap();
    folder
}

/// Returns the settings of a short run of a small network.
pub fn config(data: &Path, out: &Path) -> Config {
    Config {
        data: data.to_owned(),
        out: out.to_owned(),
        name: Some("bars".into()),
        epochs: 3,
        width: 3,
        batch_size: 16,
        ..Config::default()
    }
}

pub fn run(config: &Config) -> anyhow::Result<Completion> {
    kana_train::run(config, &AtomicBool::new(false))
}

/// Returns the contents of the artifact's files.
pub fn bytes(out: &Path) -> [Vec<u8>; 2] {
    ["card.json", "weights.safetensors"].map(|file| fs::read(out.join(file)).unwrap())
}

#[test]
fn a_network_learns_to_tell_bars_from_blocks() {
    let (data, out) = (folder(240), TempDir::new().unwrap());
    let config = Config { epochs: 30, width: 4, ..config(data.path(), out.path()) };

    let completion = run(&config).unwrap();

    let Completion::Finished { card, .. } = completion else { panic!("{completion:?}") };
    assert!(card.evaluation[0].accuracy > 0.9, "{:?}", card.evaluation);
    assert_eq!(card.labels, ["horizontal", "vertical", "block"]);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let data = folder(90);
    let outs: Vec<TempDir> = (0..3).map(|_| TempDir::new().unwrap()).collect();

    for (out, seed) in outs.iter().zip([1, 1, 2]) {
        run(&Config { seed, ..config(data.path(), out.path()) }).unwrap();
    }

    assert_eq!(bytes(outs[0].path()), bytes(outs[1].path()));
    assert_ne!(bytes(outs[0].path()), bytes(outs[2].path()));
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let data = folder(90);
    let outs = [TempDir::new().unwrap(), TempDir::new().unwrap()];

    for (out, threads) in outs.iter().zip([1, 3]) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(&config(data.path(), out.path()))).unwrap();
    }

    assert_eq!(bytes(outs[0].path()), bytes(outs[1].path()));
}

/// Starts a run and interrupts it when it has written `checkpoint`, during the second epoch of a network.
pub fn interrupt(config: &Config, checkpoint: &Path) -> Completion {
    let (flag, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !checkpoint.exists() && !is_over.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            flag.store(true, Ordering::Relaxed);
        });
        let completion = kana_train::run(config, &flag);
        is_over.store(true, Ordering::Relaxed);
        completion.unwrap()
    })
}

#[test]
fn a_resumed_run_writes_the_bytes_of_an_uninterrupted_one() {
    let data = folder(240);
    let (uninterrupted, resumed) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let config = |out: &TempDir| Config { epochs: 4, ..config(data.path(), out.path()) };
    run(&config(&uninterrupted)).unwrap();

    let first = interrupt(&config(&resumed), &resumed.path().join("checkpoint"));
    let files: BTreeSet<_> = fs::read_dir(resumed.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    let second = run(&Config { resume: true, ..config(&resumed) }).unwrap();

    assert!(matches!(first, Completion::Interrupted { .. }), "{first:?}");
    let expected = ["card.json", "checkpoint", "metrics.jsonl", "run.json", "weights.safetensors"].map(Into::into);
    assert_eq!(files, BTreeSet::from(expected));
    let epochs: Vec<usize> = metrics::read(resumed.path()).unwrap().iter().map(|epoch| epoch.epoch).collect();
    assert_eq!(epochs, [1, 2, 3, 4]);
    assert!(matches!(second, Completion::Finished { .. }), "{second:?}");
    assert_eq!(bytes(uninterrupted.path()), bytes(resumed.path()));
    assert!(!resumed.path().join("checkpoint").exists());
}

#[test]
fn an_interrupted_run_leaves_a_model_that_serves_and_says_so() {
    let (data, out) = (folder(240), TempDir::new().unwrap());
    let config = Config { epochs: 4, ..config(data.path(), out.path()) };

    let completion = interrupt(&config, &out.path().join("checkpoint"));

    let Completion::Interrupted { epochs_done, has_model: true, .. } = completion else { panic!("{completion:?}") };
    let artifact = Artifact::load(out.path()).unwrap();
    let card = artifact.card();
    assert!(card.description.contains(&format!("interrupted after {epochs_done} of 4 epochs")), "{}", card.description);
    // The test images are for the finished model alone.
    assert_eq!(card.evaluation.len(), 1);
    let error = write_report(out.path(), None, &[]).unwrap_err();
    assert!(error.to_string().contains("is not finished"), "{error}");
    assert_eq!(card.evaluation[0].images, card.training.validation_images);
}

#[test]
fn training_ends_early_after_so_many_epochs_without_a_better_one() {
    let (data, out) = (folder(240), TempDir::new().unwrap());
    let config = Config { epochs: 500, width: 4, early_stop: Some(3), ..config(data.path(), out.path()) };

    let completion = run(&config).unwrap();

    let Completion::Finished { card, .. } = completion else { panic!("{completion:?}") };
    let epochs = metrics::read(out.path()).unwrap();
    assert_eq!(epochs.len(), card.training.best_epoch + 3);
}

#[test]
fn a_trial_takes_one_epoch_of_few_images_and_its_card_says_that_it_is_of_no_use() {
    let (data, out) = (folder(240), TempDir::new().unwrap());
    let config = Config { epochs: 100, fast_dev_run: true, ..config(data.path(), out.path()) };

    let completion = run(&config).unwrap();

    let Completion::Finished { card, .. } = completion else { panic!("{completion:?}") };
    assert!(card.training.images + card.training.validation_images <= 48, "{:?}", card.training);
    assert!(card.description.contains("of no use"), "{}", card.description);
    assert_eq!(metrics::read(out.path()).unwrap().len(), 1);
}

#[test]
fn a_specialist_knows_the_chosen_classes_in_their_order_and_is_judged_on_their_images() {
    let (data, out) = (folder(240), TempDir::new().unwrap());
    let config = Config { classes: vec![2, 0], ..config(data.path(), out.path()) };

    let completion = run(&config).unwrap();

    let Completion::Finished { card, .. } = completion else { panic!("{completion:?}") };
    assert_eq!(card.labels, ["block", "horizontal"]);
    let folder = Folder::load(data.path()).unwrap().for_model(&card).unwrap();
    assert_eq!((folder.test.len(), &folder.test.labels()[..4]), (160, &[1, 0, 1, 0][..]));
    assert_eq!(split::held_out(&folder, &card).unwrap().len(), card.evaluation[0].images);
}

#[test]
fn a_class_that_the_data_lack_or_that_is_named_twice_is_refused() {
    let (data, out) = (folder(90), TempDir::new().unwrap());

    for classes in [vec![0, 3], vec![1, 1]] {
        let error = run(&Config { classes, ..config(data.path(), out.path()) }).unwrap_err();

        assert!(error.to_string().contains("expected different numbers below 3"), "{error}");
    }
}

#[test]
fn a_loss_that_is_no_number_ends_the_run_and_leaves_the_checkpoint() {
    let (data, out) = (folder(240), TempDir::new().unwrap());
    let config = Config { learning_rate: 1e30, ..config(data.path(), out.path()) };

    let error = run(&config).unwrap_err();

    assert!(error.to_string().contains("choose a lower one"), "{error}");
    assert!(!out.path().join("card.json").exists());
}

#[test]
fn a_class_without_an_image_is_refused_by_its_label() {
    let (data, out) = (folder(90), TempDir::new().unwrap());
    fs::write(data.path().join("labels.txt"), "horizontal\nvertical\nblock\nring\n").unwrap();

    let error = run(&config(data.path(), out.path())).unwrap_err();

    assert!(error.to_string().contains("no image of class ring"), "{error}");
}

#[test]
fn a_run_is_not_resumed_with_other_settings_or_data() {
    let (data, other, out) = (folder(90), folder(93), TempDir::new().unwrap());
    let started = config(data.path(), out.path());
    interrupt(&started, &out.path().join("checkpoint"));
    let resume = Config { resume: true, ..started };

    let settings = run(&Config { learning_rate: 0.5, augment: false, ..resume.clone() }).unwrap_err();
    let images = run(&Config { data: other.path().to_owned(), ..resume }).unwrap_err();

    let (settings, images) = (format!("{settings:#}"), format!("{images:#}"));
    assert!(settings.contains("learning-rate was 0.003 and is 0.5"), "{settings}");
    assert!(settings.contains("augment was on and is off"), "{settings}");
    assert!(images.contains("data t10k-images-idx3-ubyte was"), "{images}");
}

#[test]
fn an_interrupted_run_is_not_overwritten_by_a_new_one() {
    let (data, out) = (folder(90), TempDir::new().unwrap());
    let config = config(data.path(), out.path());
    interrupt(&config, &out.path().join("checkpoint"));

    let error = run(&config).unwrap_err();

    assert!(error.to_string().contains("resume it"), "{error}");
}

#[test]
fn a_corrupt_checkpoint_is_refused() {
    let (data, out) = (folder(90), TempDir::new().unwrap());
    let config = config(data.path(), out.path());
    interrupt(&config, &out.path().join("checkpoint"));
    let path = out.path().join("checkpoint");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();

    let cut = run(&Config { resume: true, ..config.clone() }).unwrap_err();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    fs::write(&path, &flipped).unwrap();
    let corrupt = run(&Config { resume: true, ..config.clone() }).unwrap_err();
    fs::remove_file(&path).unwrap();
    let absent = run(&Config { resume: true, ..config }).unwrap_err();

    assert!(format!("{cut:#}").contains("could not resume from"), "{cut:#}");
    assert!(format!("{corrupt:#}").contains("SHA-256"), "{corrupt:#}");
    assert!(format!("{absent:#}").contains("nothing to resume"), "{absent:#}");
}

#[test]
fn a_run_without_distortion_gives_other_weights() {
    let data = folder(90);
    let outs = [TempDir::new().unwrap(), TempDir::new().unwrap()];

    for (out, augment) in outs.iter().zip([true, false]) {
        run(&Config { augment, ..config(data.path(), out.path()) }).unwrap();
    }

    let cards = outs.map(|out| serde_json::from_slice::<Card>(&bytes(out.path())[0]).unwrap());
    assert_ne!(cards[0].members, cards[1].members);
    assert_eq!([&cards[0], &cards[1]].map(|card| card.training.settings["augment"].as_str()), ["on", "off"]);
}

#[test]
fn a_card_describes_its_weights_its_data_and_its_outputs() {
    let (data, out) = (folder(90), TempDir::new().unwrap());
    run(&config(data.path(), out.path())).unwrap();

    let [card, weights] = bytes(out.path());
    let card: Card = serde_json::from_slice(&card).unwrap();

    assert_eq!(card.members[0].sha256, hex::encode(Sha256::digest(&weights)));
    assert_eq!((card.training.images, card.training.validation_images, card.evaluation[0].images), (66, 9, 15));
    let folder = Folder::load(data.path()).unwrap();
    assert_eq!(card.training.data, folder.test.sources());
    assert_eq!(card.self_test.len(), 9);
    let images: Vec<_> = card
        .self_test
        .iter()
        .map(|specimen| {
            kana_engine::image::Image::new(card.input.shape, hex::decode(&specimen.pixels).unwrap()).unwrap()
        })
        .collect();
    let probabilities = kana_train::probabilities(out.path(), &images).unwrap();
    let expected: Vec<_> = card.self_test.iter().map(|specimen| specimen.probabilities.clone()).collect();
    assert_eq!(probabilities, expected);
    Artifact::load(out.path()).expect("an engine that computes the same");
    assert!(probabilities.iter().all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-5));
}

#[test]
fn a_network_trained_on_train_files_is_tested_on_t10k_files() {
    let (data, out) = (folder(60), TempDir::new().unwrap());
    let (pixels, labels) = shapes(120);
    fs::write(data.path().join("train-images-idx3-ubyte"), idx::images([120, 20, 20], &pixels)).unwrap();
    fs::write(data.path().join("train-labels-idx1-ubyte"), idx::labels(&labels)).unwrap();

    let completion = run(&config(data.path(), out.path())).unwrap();

    let Completion::Finished { card, .. } = completion else { panic!("{completion:?}") };
    assert_eq!((card.training.images, card.training.validation_images, card.evaluation[0].images), (108, 12, 60));
    assert!(card.evaluation[0].protocol.contains("t10k-*, which neither saw"));
}

#[test]
fn settings_out_of_range_are_refused_before_anything_is_written() {
    let (data, parent) = (folder(90), TempDir::new().unwrap());
    let out = parent.path().join("model");
    let valid = config(data.path(), &out);
    let invalid = [
        (Config { epochs: 0, ..valid.clone() }, "epochs"),
        (Config { dropout: 0.5, ..valid.clone() }, "dropout"),
        (Config { validation: 1.0, ..valid.clone() }, "validation"),
        (Config { batch_size: 1, ..valid.clone() }, "batch"),
        (Config { learning_rate: f64::NAN, ..valid.clone() }, "learning rate"),
        (Config { width: 0, ..valid.clone() }, "width"),
        (Config { folds: Some(1), ..valid.clone() }, "1 folds"),
        (Config { folds: Some(3), fold: Some(4), ..valid.clone() }, "fold is 4, expected 1 to 3"),
        (Config { fold: Some(1), ..valid.clone() }, "fold is one of several"),
        (Config { folds: Some(3), early_stop: Some(2), ..valid.clone() }, "early stop"),
    ];

    for (config, named) in invalid {
        let error = run(&config).unwrap_err();

        assert!(error.to_string().contains(named), "{named}: {error}");
    }
    assert!(!out.exists());
}
