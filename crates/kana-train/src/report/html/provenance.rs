//! How can the run be repeated, and who made the data?

use maud::{Markup, html};

use super::text::{integer, seconds};
use super::{Page, cell, table};

pub fn body(page: Page) -> Markup {
    let report = page.report;
    let training = &report.training;
    let facts = [
        ("Seed", training.seed.to_string()),
        ("Epochs", format!("{}, of which {} was chosen", integer(training.epochs), integer(training.best_epoch))),
        ("Images trained on", integer(training.images)),
        ("Images held out to choose the epoch", integer(training.validation_images)),
        ("Whole training", seconds(report.seconds)),
        ("Machine", report.machine.clone()),
        ("Version of kana", training.version.clone()),
        ("Licence of the data", report.licence.clone()),
        ("Attribution", report.attribution.clone()),
    ];
    let known: Vec<_> = facts.iter().filter(|(_, value)| !value.is_empty()).collect();
    let settings: Vec<_> = training.settings.iter().map(|(name, value)| vec![cell(name), cell(value)]).collect();
    let digest = |file: &str, sha256: &str| vec![cell(file), html! { code { (sha256) } }];
    let data: Vec<_> = training.data.iter().map(|source| digest(&source.file, &source.sha256)).collect();
    let weights: Vec<_> = report.weights.iter().map(|member| digest(&member.file, &member.sha256)).collect();
    html! {
        dl.facts { @for (name, value) in known { dt { (name) } dd { (value) } } }
        @if !settings.is_empty() { h3 { "Settings" } div.scroll { (table(&["Setting", "Value"], &settings)) } }
        @if !weights.is_empty() { h3 { "Weights" } div.scroll { (table(&["File", "SHA-256"], &weights)) } }
        @if !data.is_empty() { h3 { "Data" } div.scroll { (table(&["File", "SHA-256"], &data)) } }
    }
}
