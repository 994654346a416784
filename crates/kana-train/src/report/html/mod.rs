//! How is a report shown to people?
//!
//! As one HTML file that loads nothing: charts are drawings inside it, images are data inside it, and there is no
//! script. It reads in light and dark, on a phone and on paper. Every chart says in words what it shows, and all text
//! passes through the templates of `maud`, which escape it.

mod chart;
mod confidence;
mod data;
mod map;
mod picture;
mod provenance;
mod results;
mod specialists;
mod text;
mod training;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Inputs, Report};
use text::{integer, percent, seconds};

/// Style sheet of the page.
const STYLE: &str = include_str!("style.css");

/// Report with the inputs that its images come from.
#[derive(Clone, Copy)]
struct Page<'a> {
    inputs: &'a Inputs,
    report: &'a Report,
}

impl Page<'_> {
    /// Returns the label of a class with its romanisation, as in "お o".
    fn name(&self, class: usize) -> String {
        match self.report.classes.get(class) {
            Some(class) => match &class.romanised {
                Some(latin) => format!("{} {latin}", class.label),
                None => class.label.clone(),
            },
            None => class.to_string(),
        }
    }

    /// Returns the same with the romanisation set smaller.
    fn label(&self, class: usize) -> Markup {
        let found = self.report.classes.get(class);
        let label = found.map_or_else(|| class.to_string(), |class| class.label.clone());
        html! {
            span.label {
                (label)
                @if let Some(latin) = found.and_then(|class| class.romanised.as_ref()) { " " small { (latin) } }
            }
        }
    }

    /// Returns a held-out image.
    fn judged_image(&self, image: usize) -> Markup {
        picture::picture(&self.inputs.judged.images, image, &self.name(self.true_class(image)))
    }

    /// Returns the class that a held-out image is labelled with.
    fn true_class(&self, image: usize) -> usize {
        self.inputs.judged.images.labels().get(image).copied().map_or(0, usize::from)
    }
}

/// A part of the page, with its entry in the table of contents.
struct Section {
    id: &'static str,
    title: &'static str,
    body: Markup,
}

/// Shows a report, and the images that it speaks of, as one HTML file.
pub fn html(inputs: &Inputs, report: &Report) -> String {
    let page = Page { inputs, report };
    let mut sections = vec![
        Section { id: "data", title: "Data", body: data::body(page) },
        Section { id: "training", title: "Training", body: training::body(page) },
        Section { id: "results", title: "Results", body: results::body(page) },
        Section { id: "pairs", title: "Confused pairs", body: results::pairs(page) },
        Section { id: "confidence", title: "Confidence", body: confidence::body(page) },
        Section { id: "labels", title: "Doubtful labels", body: confidence::suspects(page) },
        Section { id: "map", title: "Map", body: map::body(page) },
        Section { id: "provenance", title: "Provenance", body: provenance::body(page) },
    ];
    if let Some(body) = specialists::body(page) {
        let after_pairs = 1 + sections.iter().position(|section| section.id == "pairs").expect("BUG: listed above");
        sections.insert(after_pairs, Section { id: "specialists", title: "Specialists", body });
    }
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (report.name) " – training report" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { (heading(page)) }
                nav aria-label="Contents" {
                    @for section in &sections { a href={ "#" (section.id) } { (section.title) } }
                }
                main {
                    @for section in &sections {
                        section id=(section.id) { h2 { (section.title) } (section.body) }
                    }
                }
                footer { "Made by kana " (report.training.version) ". The figures are in report.json." }
            }
        }
    };
    document.into_string()
}

fn heading(page: Page) -> Markup {
    let report = page.report;
    let mut figures = vec![
        ("Accuracy", percent(report.results.accuracy), format!("of {} images", integer(report.results.images))),
        ("Mean F1", percent(report.macro_f1), format!("of {} classes", integer(report.classes.len()))),
    ];
    if let Some(calibration) = &report.calibration {
        figures.push(("Calibration error", percent(calibration.expected_error), "expected (ECE)".to_owned()));
    }
    figures.push((
        "Training",
        seconds(report.seconds),
        match report.networks.len() {
            1 => "1 network".to_owned(),
            count => format!("{} networks", integer(count)),
        },
    ));
    html! {
        p.kicker { "Training report" }
        h1 { (report.name) }
        p.lead { (report.description) }
        dl.figures {
            @for (name, value, note) in &figures {
                div { dt { (name) } dd { strong { (value) } span { (note) } } }
            }
        }
    }
}

/// Returns a figure: a drawing or a table, a caption, and the numbers behind it for those who want them.
fn figure(drawing: Markup, caption: Markup, numbers: Option<Markup>) -> Markup {
    html! {
        figure {
            div.scroll { (drawing) }
            figcaption { (caption) }
            @if let Some(numbers) = numbers { details { summary { "Numbers" } div.scroll { (numbers) } } }
        }
    }
}

/// Returns a table; the first column names the rows.
fn table(head: &[&str], rows: &[Vec<Markup>]) -> Markup {
    html! {
        table {
            thead { tr { @for name in head { th scope="col" { (name) } } } }
            tbody {
                @for row in rows {
                    tr {
                        @for (column, cell) in row.iter().enumerate() {
                            @if column == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                        }
                    }
                }
            }
        }
    }
}

/// Returns text as a cell of a table.
fn cell(text: impl AsRef<str>) -> Markup {
    html! { (text.as_ref()) }
}
