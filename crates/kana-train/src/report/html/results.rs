//! How often is the model right, and what does it take for what?

use maud::{Markup, html};

use super::data::part;
use super::text::{count, integer, percent};
use super::{Page, cell, figure, picture, table};
use crate::report::verdicts::Pair;

/// Classes of a confusion matrix that is drawn: beyond it, cells are too small to read.
const DRAWN_MAX: usize = 50;

/// Characters of a label that is as narrow as a cell of the matrix.
const LEVEL_MAX: usize = 3;

/// Rows of the table of classes that are shown at once; more are folded away.
const OPEN_MAX: usize = 30;

/// Pairs whose images are shown.
const PAIRS_SHOWN: usize = 10;

pub fn body(page: Page) -> Markup {
    let report = page.report;
    let evaluations = report
        .evaluation
        .iter()
        .map(|found| vec![cell(&found.protocol), cell(integer(found.images)), cell(percent(found.accuracy))]);
    let evaluations: Vec<_> = evaluations.collect();
    html! {
        @if !report.protocol.is_empty() {
            p.note { "Figures below are of the held-out images: " (report.protocol) "." }
        }
        @if !evaluations.is_empty() {
            h3 { "Accuracy, as the model's card states it" }
            div.scroll { (table(&["Protocol", "Images", "Accuracy"], &evaluations)) }
        }
        @if report.results.images == 0 {
            p { "No image was judged." }
        } @else {
            h3 { "Confusion matrix" }
            @if report.classes.len() <= DRAWN_MAX { (matrix(page)) } @else { (worst(page)) }
            h3 { "Classes" }
            @if report.classes.len() <= OPEN_MAX { div.scroll { (classes(page)) } } @else {
                details.block {
                    summary { "Precision and recall of all " (integer(report.classes.len())) " classes" }
                    div.scroll { (classes(page)) }
                }
            }
        }
    }
}

fn matrix(page: Page) -> Markup {
    let (results, classes) = (&page.report.results, page.report.classes.len());
    let wrong = results.confusion.iter().enumerate().flat_map(|(truth, row)| {
        row.iter().enumerate().filter(move |&(class, _)| class != truth).map(|(_, &count)| count)
    });
    let words = format!("{} classified wrongly", part(wrong.sum(), results.images));
    let drawing = html! {
        table.confusion.small[classes > 20] aria-label={ "Confusion matrix of " (classes) " classes: " (words) "." } {
            thead {
                tr {
                    th.corner scope="col" { "true ↓ predicted →" }
                    @for class in 0..classes { (column(page, class)) }
                }
            }
            tbody {
                @for (truth, row) in results.confusion.iter().enumerate() {
                    tr {
                        th scope="row" { (page.label(truth)) }
                        @for (predicted, &count) in row.iter().enumerate() {
                            (confusion_cell(page, [truth, predicted], count))
                        }
                    }
                }
            }
        }
    };
    let caption = html! {
        "Row: true class. Column: predicted class. " (words) "; the redder a cell, the larger its share of its row."
    };
    figure(drawing, caption, None)
}

/// Returns the head of a column; a long label is set upright, so that it does not widen the column.
fn column(page: Page, class: usize) -> Markup {
    let label = &page.report.classes[class].label;
    let is_long = label.chars().count() > LEVEL_MAX;
    html! { th scope="col" title=(page.name(class)) { span.long[is_long] { (label) } } }
}

fn confusion_cell(page: Page, [truth, predicted]: [usize; 2], count: usize) -> Markup {
    if count == 0 {
        return html! { td {} };
    }
    let share = count as f64 / page.report.results.per_class[truth].count as f64;
    if truth == predicted {
        return html! { td.right { (integer(count)) } };
    }
    // Most mistakes are a few per mille of a class: by the root, they are seen as well as those of half a class.
    let shade = format!("--s:{:.0}%", 100.0 * (0.12 + 0.88 * share.sqrt()));
    let title = format!("{} taken for {}: {}", page.name(truth), page.name(predicted), percent(share));
    html! { td.wrong style=(shade) title=(title) { (integer(count)) } }
}

/// Returns the pairs as a table, where there are too many classes for a matrix.
fn worst(page: Page) -> Markup {
    let row = |pair: &Pair| {
        vec![page.label(pair.truth), page.label(pair.predicted), cell(integer(pair.count)), cell(percent(pair.share))]
    };
    let pairs = &page.report.pairs;
    html! {
        p { "There are " (integer(page.report.classes.len())) " classes; these are the " (pairs.len()) " worst pairs." }
        div.scroll {
            (table(&["True", "Predicted", "Images", "Share of the class"], &pairs.iter().map(row).collect::<Vec<_>>()))
        }
    }
}

fn classes(page: Page) -> Markup {
    let row = |(class, found): (usize, &crate::data::evaluate::ClassMetrics)| {
        let share =
            |share: f64| html! { span.meter style={ "--s:" (format!("{:.2}%", 100.0 * share)) } { (percent(share)) } };
        vec![
            page.label(class),
            share(found.precision),
            share(found.recall),
            share(found.f1),
            cell(integer(found.count)),
        ]
    };
    let rows: Vec<_> = page.report.results.per_class.iter().enumerate().map(row).collect();
    table(&["Class", "Precision", "Recall", "F1", "Images"], &rows)
}

/// Returns the worst pairs with their images, beside a right image of either class.
pub fn pairs(page: Page) -> Markup {
    let pairs = &page.report.pairs;
    html! {
        @if pairs.is_empty() { p { "No image was classified wrongly." } } @else {
            p.note {
                "The pairs with the most mistakes. The framed images are ones of either class that were trained on; "
                "the images between them were taken for the class on the right."
            }
            ol.pairs {
                @for pair in pairs.iter().take(PAIRS_SHOWN) {
                    li {
                        h3 { (page.label(pair.truth)) " taken for " (page.label(pair.predicted)) }
                        p { (count(pair.count, "image")) ", " (percent(pair.share)) " of the class" }
                        div.strip {
                            (example(page, pair.truth))
                            @for &image in &pair.images { (page.judged_image(image)) }
                            (example(page, pair.predicted))
                        }
                    }
                }
            }
        }
    }
}

fn example(page: Page, class: usize) -> Markup {
    let images = &page.inputs.development;
    let first = images.labels().iter().position(|&label| usize::from(label) == class);
    html! {
        span.example {
            @match first {
                Some(image) => (picture::picture(images, image, &page.name(class))),
                None => span.missing { (page.name(class)) },
            }
        }
    }
}
