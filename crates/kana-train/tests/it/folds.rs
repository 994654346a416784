//! Is a model of several folds the mean of networks that are each judged on images that they never saw?

use std::fs;

use kana_engine::model::Artifact;
use kana_train::data::{Folder, split};
use kana_train::{Completion, Config, probabilities};
use tempfile::TempDir;

use crate::idx;
use crate::train::{config, folder, interrupt, run, shapes};

/// The contents of all files of a model of three folds.
fn model(out: &TempDir) -> Vec<Vec<u8>> {
    let weights = (1..4).map(|number| format!("fold-{number}.safetensors"));
    let files = ["card.json".to_owned(), "held-out-idx2-float".to_owned()].into_iter().chain(weights);
    files.map(|file| fs::read(out.path().join(file)).expect("a file of the model")).collect()
}

fn in_three(data: &TempDir, out: &TempDir) -> Config {
    Config { folds: Some(3), ..config(data.path(), out.path()) }
}

#[test]
fn every_image_is_judged_once_by_the_network_that_never_saw_it() {
    let (data, out) = (folder(90), TempDir::new().unwrap());

    let completion = run(&in_three(&data, &out)).unwrap();

    let Completion::Finished { card, .. } = completion else { panic!("{completion:?}") };
    let images = Folder::load(data.path()).unwrap().test;
    let rows = fs::read(out.path().join("held-out-idx2-float")).unwrap();
    assert_eq!(rows[..12], [0, 0, 0x0D, 2, 0, 0, 0, 90, 0, 0, 0, 3]);
    let rows: Vec<f32> = rows[12..].as_chunks().0.iter().map(|float| f32::from_be_bytes(*float)).collect();
    let greatest = |row: &[f32]| (0..3).max_by(|one, other| row[*one].total_cmp(&row[*other]));
    let is_correct = |(row, label): (&[f32], &u16)| greatest(row) == Some(usize::from(*label));
    let correct = rows.chunks(3).zip(images.labels()).filter(|pair| is_correct(*pair)).count();
    assert_eq!((card.evaluation.len(), card.evaluation[0].images), (1, 90));
    assert!((card.evaluation[0].accuracy - correct as f64 / 90.0).abs() < 1e-9);
    assert!(card.evaluation[0].protocol.contains("images that it never saw"), "{}", card.evaluation[0].protocol);
    assert!((0..3).all(|fold| out.path().join(format!("fold-{}/metrics.jsonl", fold + 1)).exists()));
    assert!(split::held_out(&Folder::load(data.path()).unwrap(), &card).is_none());
}

#[test]
fn the_model_averages_its_members_in_trainer_and_engine() {
    let (data, out) = (folder(90), TempDir::new().unwrap());
    run(&in_three(&data, &out)).unwrap();

    let artifact = Artifact::load(out.path()).expect("an engine that computes the same");

    assert_eq!(artifact.card().members.len(), 3);
    let images = Folder::load(data.path()).unwrap().test;
    let images: Vec<_> = (0..20).map(|index| images.image(index)).collect();
    let expected = probabilities(out.path(), &images).unwrap();
    let found = artifact.classifier().unwrap().classify(&images).unwrap();
    for (found, expected) in found.iter().zip(&expected) {
        assert!(found.probabilities.iter().zip(expected).all(|(one, other)| (one - other).abs() < 1e-5));
    }
}

#[test]
fn folds_of_other_processes_or_of_an_interrupted_run_give_the_same_model() {
    let data = folder(240);
    let outs: Vec<TempDir> = (0..3).map(|_| TempDir::new().unwrap()).collect();
    run(&in_three(&data, &outs[0])).unwrap();

    let apart: Vec<Completion> =
        [3, 1, 2].map(|fold| run(&Config { fold: Some(fold), ..in_three(&data, &outs[1]) }).unwrap()).into();
    let first = interrupt(&in_three(&data, &outs[2]), &outs[2].path().join("fold-1/checkpoint"));
    let second = run(&Config { resume: true, ..in_three(&data, &outs[2]) }).unwrap();

    assert_eq!(apart[0], Completion::FoldsMissing { missing: vec![1, 2] });
    assert!(matches!(apart[2], Completion::Finished { .. }), "{apart:?}");
    assert!(matches!(first, Completion::Interrupted { .. }), "{first:?}");
    assert!(matches!(second, Completion::Finished { .. }), "{second:?}");
    assert_eq!(model(&outs[0]), model(&outs[1]));
    assert_eq!(model(&outs[0]), model(&outs[2]));
}

#[test]
fn finished_folds_are_not_mixed_with_those_of_other_settings_nor_overwritten() {
    let (data, out) = (folder(90), TempDir::new().unwrap());
    run(&Config { fold: Some(1), ..in_three(&data, &out) }).unwrap();

    let again = run(&in_three(&data, &out)).unwrap_err();
    run(&Config { fold: Some(2), learning_rate: 0.01, ..in_three(&data, &out) }).unwrap();
    let mixed = run(&Config { fold: Some(3), ..in_three(&data, &out) }).unwrap_err();
    let other = run(&Config { resume: true, learning_rate: 0.5, ..in_three(&data, &out) }).unwrap_err();

    assert!(again.to_string().contains("fold-1 belongs to an earlier run"), "{again}");
    assert!(mixed.to_string().contains("learning-rate was 0.01 and is 0.003"), "{mixed}");
    assert!(!out.path().join("card.json").exists());
    assert!(other.to_string().contains("learning-rate was 0.003 and is 0.5"), "{other}");
}

#[test]
fn a_class_with_fewer_images_than_folds_is_refused_by_its_label() {
    let (data, out) = (folder(9), TempDir::new().unwrap());

    let error = run(&Config { folds: Some(4), ..config(data.path(), out.path()) }).unwrap_err();

    assert_eq!(error.to_string(), "class horizontal has 3 images, expected 4 or more for as many folds");
}

#[test]
fn with_train_files_the_model_is_judged_once_on_the_others() {
    let (data, out) = (folder(60), TempDir::new().unwrap());
    let (pixels, labels) = shapes(120);
    fs::write(data.path().join("train-images-idx3-ubyte"), idx::images([120, 20, 20], &pixels)).unwrap();
    fs::write(data.path().join("train-labels-idx1-ubyte"), idx::labels(&labels)).unwrap();

    let completion = run(&in_three(&data, &out)).unwrap();

    let Completion::Finished { card, .. } = completion else { panic!("{completion:?}") };
    let images: Vec<usize> = card.evaluation.iter().map(|evaluation| evaluation.images).collect();
    assert_eq!(images, [60, 120]);
    assert!(card.evaluation[0].protocol.contains("t10k-*, which none saw"), "{:?}", card.evaluation);
}

#[test]
fn a_fold_that_another_process_trains_is_refused() {
    let (data, out) = (folder(90), TempDir::new().unwrap());
    let held = out.path().join("fold-2");
    fs::create_dir(&held).unwrap();
    let lock = fs::File::create(held.join("lock")).unwrap();
    lock.lock().unwrap();

    let error = run(&Config { fold: Some(2), resume: true, ..in_three(&data, &out) }).unwrap_err();

    assert!(error.to_string().contains("another process trains fold 2"), "{error}");
}
