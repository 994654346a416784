//! May the model's confidence be believed, and where does it contradict a label?

use maud::{Markup, html};

use super::chart::{Axis, Chart, Colour, HALF, Mark, key};
use super::text::{decimal, integer, percent};
use super::{Page, cell, figure, table};
use crate::report::calibration::{BINS, Bin, Calibration};

/// Size of a chart of the bins, in pixels of the page.
const SIZE: [u32; 2] = [HALF, 360];

pub fn body(page: Page) -> Markup {
    let report = page.report;
    html! {
        @match &report.calibration {
            None => p { "No image was judged." },
            Some(calibration) => {
                (figures(calibration))
                div.charts { (reliability(calibration)) (histogram(calibration)) }
            },
        }
        h3 { "Most confident mistakes" }
        @if report.mistakes.is_empty() { p { "No image was classified wrongly." } } @else {
            ul.cards {
                @for mistake in &report.mistakes {
                    li {
                        (page.judged_image(mistake.image))
                        p { (page.label(mistake.truth)) " → " (page.label(mistake.predicted)) }
                        p.quiet { (percent(mistake.confidence)) " sure" }
                    }
                }
            }
        }
    }
}

fn figures(calibration: &Calibration) -> Markup {
    let figure = |name: &str, value: String, note: &str| {
        html! { div { dt { (name) } dd { strong { (value) } span { (note) } } } }
    };
    html! {
        dl.figures.plain {
            (figure("ECE", percent(calibration.expected_error), "expected calibration error; 0 is best"))
            (figure("Brier score", decimal(calibration.brier, 4), "from 0, the best, to 2"))
            (figure("NLL", decimal(calibration.negative_log_likelihood, 4), "negative log-likelihood; 0 is best"))
            (figure("Mean confidence", percent(calibration.confidence), "of the predicted class"))
        }
    }
}

fn reliability(calibration: &Calibration) -> Markup {
    let filled: Vec<&Bin> = calibration.bins.iter().filter(|bin| bin.count > 0).collect();
    let share = |at: f64| format!("{:.0} %", 100.0 * at);
    let mut marks: Vec<Mark> = filled.iter().map(|bin| bar(bin, bin.accuracy, Colour::Accent)).collect();
    marks.push(Mark::Line { points: vec![[0.0, 0.0], [1.0, 1.0]], colour: Colour::Ink, width: 1, opacity: 0.5 });
    marks.extend(filled.iter().map(|bin| Mark::Dot {
        at: [bin.confidence, bin.accuracy],
        colour: Colour::Other,
        radius: 8,
        opacity: 1.0,
    }));
    let error = percent(calibration.expected_error);
    let words: Vec<String> =
        filled.iter().map(|bin| format!("{} sure, {} right", share(bin.confidence), share(bin.accuracy))).collect();
    let chart = Chart {
        size: SIZE,
        x: Axis::numbers("confidence", [0.0, 1.0], share),
        y: Axis::numbers("", [0.0, 1.0], share),
        marks,
        label: format!("Reliability diagram, expected calibration error {error}: {}.", words.join("; ")),
    };
    let caption = html! {
        strong { "Reliability" } ": accuracy by confidence, in " (BINS) " bins; on the line, the model is as often "
        "right as it is sure. "
        span.keys { (key(Colour::Accent, cell("accuracy"))) (key(Colour::Other, cell("at the mean confidence"))) }
    };
    figure(chart.draw(), caption, Some(bins(calibration)))
}

fn histogram(calibration: &Calibration) -> Markup {
    let most = calibration.bins.iter().map(|bin| bin.count).max().unwrap_or(0);
    let total: usize = calibration.bins.iter().map(|bin| bin.count).sum();
    let top = calibration.bins.last().map_or(0, |bin| bin.count);
    let words = format!("{} of {} images are in the highest bin", integer(top), integer(total));
    let filled = calibration.bins.iter().filter(|bin| bin.count > 0);
    let chart = Chart {
        size: SIZE,
        x: Axis::numbers("confidence", [0.0, 1.0], |at| format!("{:.0} %", 100.0 * at)),
        y: Axis::numbers("", [0.0, 1.05 * most as f64], |at| integer(at.max(0.0) as usize)),
        marks: filled.map(|bin| bar(bin, bin.count as f64, Colour::Other)).collect(),
        label: format!("Number of images by confidence: {words}."),
    };
    figure(chart.draw(), html! { strong { "Images" } " by confidence: " (words) "." }, None)
}

fn bar(bin: &Bin, height: f64, colour: Colour) -> Mark {
    // A gap of a tenth between two bins.
    let gap = 0.05 / BINS as f64;
    Mark::Bar { corners: [[bin.from + gap, 0.0], [bin.to - gap, height]], colour, opacity: 0.55 }
}

fn bins(calibration: &Calibration) -> Markup {
    let row = |bin: &Bin| {
        let of = |share: f64| cell(if bin.count == 0 { "–".to_owned() } else { percent(share) });
        let range = format!("{} to {}", percent(bin.from), percent(bin.to));
        vec![cell(range), cell(integer(bin.count)), of(bin.confidence), of(bin.accuracy)]
    };
    table(&["Confidence", "Images", "Mean", "Accuracy"], &calibration.bins.iter().map(row).collect::<Vec<_>>())
}

/// Returns the images whose label is likely wrong.
pub fn suspects(page: Page) -> Markup {
    let suspects = &page.report.suspects;
    html! {
        p.note {
            "Found by confident learning: the model gives the label less than it usually gives images of that class, "
            "and another class at least what that class usually gets. A person should decide."
        }
        @if suspects.is_empty() { p { "No label is in doubt." } } @else {
            ul.cards {
                @for suspect in suspects {
                    li {
                        (page.judged_image(suspect.image))
                        p { (page.label(suspect.label)) " → " (page.label(suspect.suggested)) "?" }
                        p.quiet { "margin " (decimal(suspect.margin, 3)) ", image " (suspect.image) }
                    }
                }
            }
        }
    }
}
