//! How did the training go?

use maud::{Markup, html};

use super::chart::{Axis, Chart, Colour, HALF, Mark, key};
use super::text::{count, decimal, integer, percent, rate, seconds};
use super::{Page, cell, figure, table};
use crate::metrics::Epoch;
use crate::metrics::Spread;
use crate::report::Network;

/// Size of a chart of curves, in pixels of the page.
const SIZE: [u32; 2] = [HALF, 320];

/// Something that is measured after each epoch.
type Measure = fn(&Epoch) -> f64;

/// A chart with a curve for each network and measure.
struct Curves {
    name: &'static str,
    unit: &'static str,
    /// Measure that the caption speaks of, with its name; without one where it is the only one.
    main: (&'static str, Measure),
    /// Measure that it is compared with, with its name.
    other: Option<(&'static str, Measure)>,
    text: fn(f64) -> String,
}

const LOSS: Curves = Curves {
    name: "Loss",
    unit: "loss",
    main: ("held-out images", |epoch| epoch.validation_loss),
    other: Some(("training images", |epoch| epoch.loss)),
    text: |at| decimal(at, 3),
};

const ACCURACY: Curves = Curves {
    name: "Accuracy",
    unit: "accuracy",
    main: ("held-out images", |epoch| epoch.validation_accuracy),
    other: Some(("training images", |epoch| epoch.accuracy)),
    text: percent,
};

const RATE: Curves = Curves {
    name: "Learning rate",
    unit: "learning rate",
    main: ("", |epoch| epoch.learning_rate),
    other: None,
    text: rate,
};

const TIME: Curves =
    Curves { name: "Time", unit: "time", main: ("", |epoch| epoch.seconds), other: None, text: seconds };

pub fn body(page: Page) -> Markup {
    let networks = &page.report.networks;
    html! {
        @if page.report.folds.is_some() { (folds(page)) }
        @if networks.iter().all(|network| network.epochs.is_empty()) {
            p { "No epoch was recorded." }
        } @else {
            p.note {
                "Training images are distorted, pass dropout, and are scored while the weights still change: their "
                "curve may lie below that of the held-out images."
                @if networks.len() > 1 { " Thin lines are single networks, thick ones their mean." }
            }
            div.charts { @for curves in [LOSS, ACCURACY, RATE, TIME] { (chart(networks, &curves)) } }
            (epochs(networks))
        }
    }
}

fn folds(page: Page) -> Markup {
    let of = |spread: Spread| format!("{} ± {}", percent(spread.mean), percent(spread.deviation));
    let mut rows = Vec::new();
    for network in &page.report.networks {
        if let Some(accuracy) = network.accuracy {
            let (training, validation) = (percent(accuracy.training), percent(accuracy.validation));
            rows.push(vec![cell(&network.name), cell(training), cell(validation)]);
        }
    }
    if let Some(folds) = page.report.folds.filter(|folds| folds.count > 1) {
        rows.push(vec![cell("Mean ± deviation"), cell(of(folds.training)), cell(of(folds.validation))]);
    }
    html! {
        h3 { "Accuracy of the chosen weights" }
        div.scroll { (table(&["Network", "Training images", "Held-out images"], &rows)) }
    }
}

fn chart(networks: &[Network], curves: &Curves) -> Markup {
    let measures = [curves.other.map(|other| (other, Colour::Other)), Some((curves.main, Colour::Accent))];
    let measures: Vec<_> = measures.into_iter().flatten().collect();
    let mut marks = Vec::new();
    for &((_, measure), colour) in &measures {
        let alone = networks.len() == 1;
        for network in networks {
            let points = points(&network.epochs, measure);
            marks.extend(line(points, colour, alone));
        }
        if !alone {
            marks.extend(line(mean(networks, measure), colour, true));
        }
    }
    let all = networks.iter().flat_map(|network| &network.epochs);
    let values: Vec<f64> = all
        .flat_map(|epoch| measures.iter().map(|((_, measure), _)| measure(epoch)))
        .filter(|at| at.is_finite())
        .collect();
    let [from, to] = bounds(&values, curves);
    let longest = networks.iter().map(|network| network.epochs.len()).max().unwrap_or(0);
    let summary = summary(networks, curves);
    let drawing = Chart {
        size: SIZE,
        x: Axis::counted("epoch", longest),
        y: Axis::numbers("", [from, to], short(curves, to - from)),
        marks,
        label: format!("{} by epoch, {}: {summary}.", curves.name, count(networks.len(), "network")),
    };
    let caption = html! {
        strong { (curves.name) } " by epoch: " (summary) ". "
        @if measures.len() > 1 {
            span.keys { @for ((name, _), colour) in measures.iter().rev() { (key(*colour, cell(name))) } }
        }
    };
    figure(drawing.draw(), caption, None)
}

/// Returns the ends of an axis with some space around the values, also where all are the same.
fn bounds(values: &[f64], curves: &Curves) -> [f64; 2] {
    let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(low, high), &at| (low.min(at), high.max(at)));
    let range = most - least;
    let space = if range > 1e-3 * most.abs() { 0.05 * range } else { 0.1 * most.abs().max(1e-6) };
    let top = if curves.unit == ACCURACY.unit { 1.0 } else { f64::MAX };
    [(least - space).max(0.0), (most + space).min(top)]
}

/// Returns how the values of an axis are written, with as many decimals as tell its marks apart.
fn short(curves: &Curves, range: f64) -> impl Fn(f64) -> String + use<> {
    let is_share = curves.unit == ACCURACY.unit;
    let unit = if curves.unit == TIME.unit { " s" } else { "" };
    move |at| match is_share {
        true if range > 0.05 => format!("{:.0} %", 100.0 * at),
        true => format!("{:.1} %", 100.0 * at),
        false if at == 0.0 => "0".to_owned(),
        false if range < 0.01 && at < 0.1 => format!("{at:.1e}"),
        false if range < 0.1 => format!("{at:.3}{unit}"),
        false if range < 1.0 => format!("{at:.2}{unit}"),
        false if range < 10.0 => format!("{at:.1}{unit}"),
        false => format!("{at:.0}{unit}"),
    }
}

fn points(epochs: &[Epoch], measure: Measure) -> Vec<[f64; 2]> {
    epochs.iter().enumerate().map(|(at, epoch)| [(at + 1) as f64, measure(epoch)]).collect()
}

/// Returns the mean of the networks for each epoch that all of them have: otherwise it would jump where one ends.
fn mean(networks: &[Network], measure: Measure) -> Vec<[f64; 2]> {
    let shortest = networks.iter().map(|network| network.epochs.len()).min().unwrap_or(0);
    let at = |epoch: usize| {
        let sum: f64 = networks.iter().map(|network| measure(&network.epochs[epoch])).sum();
        [(epoch + 1) as f64, sum / networks.len() as f64]
    };
    (0..shortest).map(at).collect()
}

/// Returns a line, or a dot where there is a single epoch.
fn line(points: Vec<[f64; 2]>, colour: Colour, is_main: bool) -> Option<Mark> {
    let opacity = if is_main { 1.0 } else { 0.35 };
    match points.as_slice() {
        [] => None,
        [at] => at[1].is_finite().then_some(Mark::Dot { at: *at, colour, radius: 8, opacity }),
        _ => Some(Mark::Line { points, colour, width: if is_main { 2 } else { 1 }, opacity }),
    }
}

/// Returns where the curves begin and end, for one network, or for the mean of several.
fn summary(networks: &[Network], curves: &Curves) -> String {
    let ends = |(name, measure): (&str, Measure)| {
        let points = if let [network] = networks { points(&network.epochs, measure) } else { mean(networks, measure) };
        match (points.first(), points.last()) {
            (Some(first), Some(last)) if points.len() > 1 => {
                format!("{name} {} to {}", (curves.text)(first[1]), (curves.text)(last[1]))
            }
            (Some(only), _) => format!("{name} {}", (curves.text)(only[1])),
            _ => format!("{name}: none"),
        }
    };
    [Some(curves.main), curves.other]
        .into_iter()
        .flatten()
        .map(ends)
        .collect::<Vec<_>>()
        .join(", ")
        .trim_start()
        .to_owned()
}

fn epochs(networks: &[Network]) -> Markup {
    let head = ["Epoch", "Learning rate", "Loss", "Accuracy", "Held-out loss", "Held-out accuracy", "Time", "Images/s"];
    let row = |epoch: &Epoch| {
        vec![
            cell(integer(epoch.epoch)),
            cell(rate(epoch.learning_rate)),
            cell(decimal(epoch.loss, 4)),
            cell(percent(epoch.accuracy)),
            cell(decimal(epoch.validation_loss, 4)),
            cell(percent(epoch.validation_accuracy)),
            cell(seconds(epoch.seconds)),
            cell(decimal(epoch.images_per_second, 0)),
        ]
    };
    html! {
        details.block {
            summary { "Every epoch in numbers" }
            @for network in networks {
                h4 { (network.name) }
                div.scroll { (table(&head, &network.epochs.iter().map(row).collect::<Vec<_>>())) }
            }
        }
    }
}
