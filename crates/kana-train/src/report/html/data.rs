//! What was the network trained on, and what was it judged by?

use maud::{Markup, html};

use super::chart::{Axis, Chart, Colour, Mark, key};
use super::text::{count, decimal, integer, percent};
use super::{Page, cell, figure, picture, table};
use crate::report::images::Images;

/// Classes whose balance is drawn with their names below.
const NAMED_MAX: usize = 30;

/// Classes of which samples are shown.
const SAMPLED_CLASSES_MAX: usize = 200;

/// Size of the chart of the balance, in pixels of the page.
const SIZE: [u32; 2] = [980, 260];

pub fn body(page: Page) -> Markup {
    let report = page.report;
    html! {
        div.scroll {
            (table(
                &["Images", "Count", "Channels × height × width", "Samples", "Mean", "Deviation"],
                &[row("Trained on", &report.development), row("Held out", &report.judged)],
            ))
        }
        @if !report.classes.is_empty() { (balance(page)) (samples(page)) }
    }
}

fn row(name: &str, images: &Images) -> Vec<Markup> {
    let samples = images.samples;
    let text = |text: Option<String>| cell(text.unwrap_or_else(|| "–".to_owned()));
    vec![
        cell(name),
        cell(integer(images.count)),
        cell(images.shape.to_string()),
        text(samples.map(|samples| format!("{} to {}", samples.min, samples.max))),
        text(samples.map(|samples| decimal(samples.mean, 1))),
        text(samples.map(|samples| decimal(samples.deviation, 1))),
    ]
}

fn balance(page: Page) -> Markup {
    let report = page.report;
    let (trained, judged) = (&report.development.per_class, &report.judged.per_class);
    let names: Vec<String> = (0..report.classes.len()).map(|class| page.name(class)).collect();
    let most = trained.iter().chain(judged).max().copied().unwrap_or(0);
    let bar = |class: usize, side: f64, count: usize, colour| {
        let from = class as f64 + 0.5 + side;
        Mark::Bar { corners: [[from, 0.0], [from + 0.36, count as f64]], colour, opacity: 0.9 }
    };
    let marks = (0..names.len()).flat_map(|class| {
        [bar(class, -0.37, trained[class], Colour::Accent), bar(class, 0.01, judged[class], Colour::Other)]
    });
    let extent = |counts: &[usize]| {
        let (least, most) = (counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(0));
        if least == most { integer(most) } else { format!("{} to {}", integer(least), integer(most)) }
    };
    let words = format!("{} trained on, {} held out a class", extent(trained), extent(judged));
    let chart = Chart {
        size: SIZE,
        x: match names.len() {
            many if many > NAMED_MAX => Axis::names("class", Vec::new()).reaching(many as f64),
            _ => Axis::names("", names.clone()),
        },
        y: Axis::numbers("images", [0.0, 1.05 * most as f64], |at| integer(at.max(0.0) as usize)),
        marks: marks.collect(),
        label: format!("Class balance, number of classes {}: {words}.", names.len()),
    };
    let rows = |class: usize| vec![page.label(class), cell(integer(trained[class])), cell(integer(judged[class]))];
    let numbers = table(&["Class", "Trained on", "Held out"], &(0..names.len()).map(rows).collect::<Vec<_>>());
    let keys = html! {
        "Class balance: " (words) ". "
        span.keys { (key(Colour::Accent, cell("trained on"))) (key(Colour::Other, cell("held out"))) }
    };
    figure(chart.draw(), keys, Some(numbers))
}

/// Returns the first images of each class.
fn samples(page: Page) -> Markup {
    let (classes, images) = (page.report.classes.len(), &page.inputs.development);
    let per_class = match classes {
        0..=20 => 8,
        21..=50 => 4,
        _ => 1,
    };
    let mut found = vec![Vec::new(); classes];
    for (image, &label) in images.labels().iter().enumerate() {
        let of = &mut found[usize::from(label)];
        if of.len() < per_class {
            of.push(image);
        }
    }
    let shown = classes.min(SAMPLED_CLASSES_MAX);
    let grid = html! {
        div.samples.half[per_class == 4].dense[per_class == 1] role="group"
            aria-label={ "First " (count(per_class, "image")) " of each of " (shown) " classes" } {
            @for (class, of) in found.iter().enumerate().take(shown) {
                div {
                    (page.label(class))
                    @for &image in of { (picture::picture(images, image, &page.name(class))) }
                    @if of.is_empty() { span.missing { "none" } }
                }
            }
        }
    };
    let rest = classes - shown;
    let caption = html! {
        "First " (count(per_class, "image")) " of each class that were trained on"
        @if rest > 0 { "; " (integer(rest)) " further classes are left out" } "."
    };
    figure(grid, caption, None)
}

/// Returns how large a part of a whole is, as in "12 of 60,000 (0.02 %)".
pub fn part(part: usize, whole: usize) -> String {
    let share = if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    format!("{} of {} ({})", integer(part), integer(whole), percent(share))
}
