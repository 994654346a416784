//! Which images does the network find alike?

use maud::{Markup, html};

use super::chart::{Axis, CLASS_COLOURS, Chart, Colour, HALF, Mark, key};
use super::text::{integer, percent};
use super::{Page, figure};
use crate::report::map::{Map, Method};

/// Size of a map, in pixels of the page.
const SIZE: [u32; 2] = [HALF, 440];

/// Classes whose labels are written on the map.
const NAMED_MAX: usize = 50;

pub fn body(page: Page) -> Markup {
    let maps = &page.report.maps;
    let classes = page.report.classes.len();
    html! {
        @if maps.is_empty() { p { "The outputs of the layer before the last were not recorded." } } @else {
            p.note {
                "The outputs of the layer before the last, in two dimensions. "
                "The colour is the true class; mistakes have a ring. "
                @if classes > CLASS_COLOURS { "Classes share colours. " }
                "In t-SNE, distances between groups mean little: only who is near to whom."
            }
            div.charts { @for map in maps { (drawing(page, map)) } }
            @if classes <= CLASS_COLOURS {
                p.keys { @for class in 0..classes { (key(Colour::Class(class), page.label(class))) } }
            }
        }
    }
}

fn drawing(page: Page, map: &Map) -> Markup {
    let mut marks: Vec<Mark> = Vec::new();
    let mut rings = Vec::new();
    let predicted = predictions(page);
    for (&image, &at) in map.images.iter().zip(&map.points) {
        let class = page.true_class(image);
        marks.push(Mark::Dot { at, colour: Colour::Class(class), radius: 6, opacity: 0.7 });
        if predicted.get(image).is_some_and(|&found| found != class) {
            rings.push(Mark::Ring { at, radius: 9 });
        }
    }
    let wrong = rings.len();
    marks.extend(rings);
    marks.extend(names(page, map));
    let name = match map.method {
        Method::Pca => "Principal components",
        Method::Tsne => "t-SNE",
    };
    let images = integer(map.images.len());
    let kept =
        map.explained.map(|[first, second]| format!("; the axes keep {} of the variance", percent(first + second)));
    let words = format!("{images} images, {wrong} of them mistakes{}", kept.unwrap_or_default());
    let [x, y] = [0, 1].map(|axis| Axis::blank(bounds(map, axis)));
    let chart = Chart { size: SIZE, x, y, marks, label: format!("{name}: {words}.") };
    figure(chart.draw(), html! { strong { (name) } ": " (words) "." }, None)
}

/// Returns the predicted class of each image, up to the last one that was judged.
fn predictions(page: Page) -> Vec<usize> {
    let verdicts = crate::report::verdicts::verdicts(&page.inputs.judged);
    verdicts.iter().map(|verdict| verdict.predicted).collect()
}

/// Returns the label of each class at the median of its points.
fn names(page: Page, map: &Map) -> Vec<Mark> {
    let classes = page.report.classes.len();
    if classes > NAMED_MAX {
        return Vec::new();
    }
    let name = |class: usize| {
        let points = map.images.iter().zip(&map.points).filter(|(image, _)| page.true_class(**image) == class);
        let points: Vec<[f64; 2]> = points.map(|(_, &point)| point).collect();
        let median = |axis: usize| {
            let mut values: Vec<f64> = points.iter().map(|point| point[axis]).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied()
        };
        Some(Mark::Text { at: [median(0)?, median(1)?], text: page.report.classes[class].label.clone() })
    };
    (0..classes).filter_map(name).collect()
}

fn bounds(map: &Map, axis: usize) -> [f64; 2] {
    let values = || map.points.iter().map(|point| point[axis]);
    let (least, most) = (values().fold(f64::MAX, f64::min), values().fold(f64::MIN, f64::max));
    let space = 0.04 * (most - least);
    [least - space, most + space]
}
