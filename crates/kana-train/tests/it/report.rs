//! Does the report of a run say what its card says, and of the same images?

use std::fs;
use std::path::Path;

use kana_train::data::{Folder, Split};
use kana_train::{Completion, Config, gather, write_report};
use tempfile::TempDir;

use crate::train::{config, folder, run};

/// Trains as `change` says, and returns the model's folder and accuracy.
fn trained(data: &TempDir, change: impl FnOnce(Config) -> Config) -> (TempDir, f64) {
    let out = TempDir::new().unwrap();
    let completion = run(&change(config(data.path(), out.path()))).unwrap();
    let Completion::Finished { card, .. } = completion else {
        unreachable!("BUG: nobody interrupts it: {completion:?}")
    };
    (out, card.evaluation[0].accuracy)
}

#[test]
fn the_report_of_one_network_or_of_folds_judges_the_images_that_the_card_judged() {
    let data = folder(120);
    let (one, one_accuracy) = trained(&data, |config| config);
    let (folds, folds_accuracy) = trained(&data, |config| Config { folds: Some(3), ..config });

    for (out, accuracy, networks, judged, mapped) in
        [(&one, one_accuracy, 1, 21, 21), (&folds, folds_accuracy, 3, 120, 40)]
    {
        let inputs = gather(out.path(), None, &[]).unwrap();
        let page = write_report(out.path(), None, &[]).unwrap();
        let figures: serde_json::Value =
            serde_json::from_slice(&fs::read(out.path().join("report.json")).unwrap()).unwrap();

        assert_eq!((inputs.networks.len(), inputs.judged.images.len()), (networks, judged));
        assert!(inputs.networks.iter().all(|network| network.epochs.len() == 3));
        assert!((figures["results"]["accuracy"].as_f64().unwrap() - accuracy).abs() < 1e-9, "{figures}");
        assert_eq!(figures["maps"][0]["images"].as_array().unwrap().len(), mapped);
        assert!(fs::read_to_string(page).unwrap().contains("horizontal"));
    }
}

#[test]
fn a_report_needs_the_data_that_the_run_was_trained_on() {
    let (data, other) = (folder(90), folder(93));
    let (out, _) = trained(&data, |config| config);

    let foreign = write_report(out.path(), Some(other.path()), &[]).unwrap_err();
    let unfinished = write_report(data.path(), None, &[]).unwrap_err();

    assert!(foreign.to_string().contains("is not the data set that the run in"), "{foreign}");
    assert!(unfinished.to_string().contains("card.json"), "{unfinished}");
}

/// Rows of the probabilities that the run in `out` gave its images while they were held out.
fn held_out(out: &TempDir, classes: usize) -> Vec<Vec<f32>> {
    let bytes = fs::read(out.path().join("held-out-idx2-float")).unwrap();
    let floats: Vec<f32> = bytes[12..].as_chunks().0.iter().map(|float| f32::from_be_bytes(*float)).collect();
    floats.chunks(classes).map(<[f32]>::to_vec).collect()
}

/// Writes the report of a run with a specialist, and returns its figures.
fn figures(out: &TempDir, specialist: &TempDir) -> serde_json::Value {
    write_report(out.path(), None, &[specialist.path().to_owned()]).unwrap();
    serde_json::from_slice(&fs::read(out.path().join("report.json")).unwrap()).unwrap()
}

fn two_folds(config: Config) -> Config {
    Config { folds: Some(2), ..config }
}

fn pair(config: Config) -> Config {
    Config { classes: vec![2, 0], name: Some("pair".to_owned()), ..config }
}

#[test]
fn with_folds_a_specialist_is_compared_on_every_image() {
    let data = folder(120);
    let (general, accuracy) = trained(&data, two_folds);
    let (specialist, _) = trained(&data, |config| pair(two_folds(config)));

    let figures = figures(&general, &specialist);

    // The same, from the files that both runs left: the specialist's rows are of the images of its classes, in their order.
    let labels = Folder::load(data.path()).unwrap().test.labels().to_vec();
    let mut answers = held_out(&specialist, 2).into_iter();
    let [mut asked, mut mended, mut spoiled] = [0; 3];
    for (row, label) in held_out(&general, 3).iter().zip(labels) {
        let truth = usize::from(label);
        let answer = if [0, 2].contains(&truth) { answers.next() } else { None };
        if row[1] > row[0].min(row[2]) {
            continue;
        }
        asked += 1;
        let Some(answer) = answer else { continue };
        let before = if row[2] > row[0] { 2 } else { 0 };
        let after = if answer[0] >= answer[1] { 2 } else { 0 };
        mended += usize::from(before != truth && after == truth);
        spoiled += usize::from(before == truth && after != truth);
    }
    let found = &figures["specialists"][0];
    assert_eq!((&found["name"], &found["classes"]), (&"pair".into(), &serde_json::json!([2, 0])));
    assert_eq!((&found["compared"], &found["excluded"]), (&120.into(), &0.into()));
    assert_eq!([&found["asked"], &found["mended"], &found["spoiled"]], [asked, mended, spoiled]);
    assert!(asked > 0, "{found}");
    assert!((found["accuracy_alone"].as_f64().unwrap() - accuracy).abs() < 1e-9, "{found}");
    assert_eq!(figures["with_specialists"]["mended"], found["mended"]);
    assert!(fs::read_to_string(general.path().join("report.html")).unwrap().contains("Specialists</h2>"));
}

#[test]
fn without_folds_a_specialist_is_compared_on_what_both_held_out_for_the_test() {
    let data = folder(240);
    let (general, _) = trained(&data, |config| config);
    let (specialist, _) = trained(&data, pair);

    let figures = figures(&general, &specialist);

    let folder = Folder::load(data.path()).unwrap();
    let [tested, by_pair] = [folder.clone(), folder.with_classes(&[2, 0]).unwrap()].map(|folder| {
        let Config { validation, seed, .. } = Config::default();
        Split::new(&folder, validation, seed).test
    });
    let is_seen = |(place, label): (&usize, _)| usize::from(label) != 1 && !by_pair.places().contains(place);
    let seen = tested.places().iter().zip(tested.labels().iter().copied()).filter(|image| is_seen(*image)).count();
    let found = &figures["specialists"][0];
    assert!(seen > 0 && seen < tested.len(), "{seen}");
    assert_eq!((&found["excluded"], &found["compared"]), (&seen.into(), &(tested.len() - seen).into()));
}

#[test]
fn files_for_testing_are_held_out_by_both() {
    let data = folder(60);
    for part in ["images-idx3", "labels-idx1"] {
        let path = |name: &str| data.path().join(format!("{name}-{part}-ubyte"));
        fs::copy(path("t10k"), path("train")).unwrap();
    }
    let (general, accuracy) = trained(&data, |config| config);
    let (specialist, _) = trained(&data, pair);

    let figures = figures(&general, &specialist);

    let found = &figures["specialists"][0];
    assert_eq!((&found["compared"], &found["excluded"]), (&60.into(), &0.into()));
    assert!((found["accuracy_alone"].as_f64().unwrap() - accuracy).abs() < 1e-9, "{found}");
}

#[test]
fn a_specialist_that_cannot_be_compared_is_refused_by_name() {
    let (data, other) = (folder(90), folder(93));
    let (general, _) = trained(&data, |config| config);
    let (narrow, _) = trained(&data, |config| Config { classes: vec![0, 1], ..config });
    let (folded, _) = trained(&data, |config| pair(two_folds(config)));
    let (specialist, _) = trained(&data, pair);
    let (foreign, _) = trained(&other, pair);
    let refused = |run: &TempDir, specialist: &Path| {
        let error = write_report(run.path(), None, &[specialist.to_owned()]).unwrap_err().to_string();
        assert!(error.contains(specialist.to_str().unwrap()), "{error}");
        error
    };

    let no_specialist = refused(&general, general.path());
    let of_other_kind = refused(&general, folded.path());
    let of_other_class = refused(&narrow, specialist.path());
    let of_other_data = refused(&general, foreign.path());
    let of_nothing = refused(&general, data.path());

    assert!(no_specialist.contains("is no specialist"), "{no_specialist}");
    assert!(of_other_kind.contains(general.path().to_str().unwrap()), "{of_other_kind}");
    assert!(of_other_class.contains("knows class 2, which the model in"), "{of_other_class}");
    assert!(of_other_data.contains("is not the data set that the run in"), "{of_other_data}");
    assert!(of_nothing.contains("card.json"), "{of_nothing}");
}
