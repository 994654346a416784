//! Does the report of a run say what its card says, and of the same images?

use std::fs;

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
        let inputs = gather(out.path(), None).unwrap();
        let page = write_report(out.path(), None).unwrap();
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

    let foreign = write_report(out.path(), Some(other.path())).unwrap_err();
    let unfinished = write_report(data.path(), None).unwrap_err();

    assert!(foreign.to_string().contains("is not the data set that the run in"), "{foreign}");
    assert!(unfinished.to_string().contains("card.json"), "{unfinished}");
}
