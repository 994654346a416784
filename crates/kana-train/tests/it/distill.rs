//! Does one network learn what several say, and is it compared with them on images that none of them saw?

use std::fs;

use kana_engine::model::Artifact;
use kana_train::data::{Folder, split};
use kana_train::{Completion, Config, Student};
use tempfile::TempDir;

use crate::idx;
use crate::train::{bytes, config, folder, interrupt, run, shapes};

fn taught_by_two(data: &TempDir, out: &TempDir) -> Config {
    Config { folds: Some(2), distill: true, epochs: 8, ..config(data.path(), out.path()) }
}

/// Returns the student of a finished run.
fn student(completion: Completion) -> Student {
    match completion {
        Completion::Finished { student: Some(student), .. } => *student,
        other => unreachable!("BUG: a finished run that distils has a student: {other:?}"),
    }
}

#[test]
fn a_student_learns_without_labels_and_is_compared_on_images_that_no_network_saw() {
    let (data, out) = (folder(240), TempDir::new().unwrap());

    let completion = run(&Config { epochs: 25, width: 6, ..taught_by_two(&data, &out) }).unwrap();

    let Completion::Finished { card: ensemble, .. } = &completion else { panic!("{completion:?}") };
    let judged: Vec<usize> = ensemble.evaluation.iter().map(|evaluation| evaluation.images).collect();
    assert_eq!((judged, ensemble.members.len(), ensemble.training.images), (vec![39, 201], 2, 201));
    let ensemble = ensemble.clone();
    let Student { folder, card, comparison } = student(completion);
    assert_eq!((card.members.len(), card.training.images, card.evaluation[0].images), (1, 201, 39));
    assert!(card.evaluation[0].protocol.contains("what 2 others say of 201 images"), "{:?}", card.evaluation);
    assert!(comparison.student.accuracy > 0.9, "{comparison:?}");
    assert_eq!(comparison.ensemble.accuracy, ensemble.evaluation[0].accuracy);
    assert!(comparison.student.microseconds > 0.0 && comparison.ensemble.microseconds > 0.0, "{comparison:?}");
    let images = Folder::load(data.path()).unwrap();
    let held_out = split::held_out(&images, &card).expect("a sixth that no network saw");
    assert_eq!(split::held_out(&images, &ensemble).as_ref(), Some(&held_out));
    let mut classifier = Artifact::load(&folder).unwrap().classifier().unwrap();
    let report = kana_train::data::evaluate::evaluate(classifier.as_mut(), &held_out, |_| {}).unwrap();
    assert_eq!(report.accuracy, comparison.student.accuracy);
    let written = fs::read_to_string(folder.join("comparison.json")).unwrap();
    assert!(written.contains("\"ensemble\"") && written.contains("\"microseconds\""), "{written}");
}

#[test]
fn an_interrupted_student_continues_to_the_same_bytes_and_a_finished_one_stays() {
    let data = folder(240);
    let outs: Vec<TempDir> = (0..2).map(|_| TempDir::new().unwrap()).collect();
    run(&taught_by_two(&data, &outs[0])).unwrap();

    let first = interrupt(&taught_by_two(&data, &outs[1]), &outs[1].path().join("student/checkpoint"));
    let resumed = Config { resume: true, ..taught_by_two(&data, &outs[1]) };
    let second = student(run(&resumed).unwrap());
    let third = student(run(&resumed).unwrap());

    assert!(matches!(first, Completion::Interrupted { has_model: true, .. }), "{first:?}");
    let [whole, continued] = [0, 1].map(|run| bytes(&outs[run].path().join("student")));
    assert_eq!(whole, continued);
    assert_eq!(second.card, third.card);
}

#[test]
fn with_train_files_the_others_judge_ensemble_and_student() {
    let (data, out) = (folder(60), TempDir::new().unwrap());
    let (pixels, labels) = shapes(120);
    fs::write(data.path().join("train-images-idx3-ubyte"), idx::images([120, 20, 20], &pixels)).unwrap();
    fs::write(data.path().join("train-labels-idx1-ubyte"), idx::labels(&labels)).unwrap();

    let Student { card, .. } = student(run(&taught_by_two(&data, &out)).unwrap());

    assert_eq!((card.training.images, card.evaluation[0].images), (120, 60));
    assert!(card.evaluation[0].protocol.ends_with("60 images of t10k-*, which none saw"), "{:?}", card.evaluation);
}

#[test]
fn a_student_of_one_network_is_refused_and_one_of_an_earlier_run_is_not_overwritten() {
    let (data, out) = (folder(60), TempDir::new().unwrap());
    fs::create_dir(out.path().join("student")).unwrap();

    let alone = run(&Config { folds: None, ..taught_by_two(&data, &out) }).unwrap_err();
    let again = run(&taught_by_two(&data, &out)).unwrap_err();

    assert!(alone.to_string().contains("a student is distilled from several networks"), "{alone}");
    assert!(again.to_string().contains("student belongs to an earlier run"), "{again}");
}
