//! Do specialists help?

use maud::{Markup, html};

use super::text::{count, decimal, integer, percent};
use super::{Page, cell, table};
use crate::report::specialists::{Change, Effect, Trial};

/// Probabilities below this one are not written as numbers: their digits say nothing more.
const P_VALUE_MIN: f64 = 0.001;

/// Space at which no line ends.
const NO_BREAK: &str = "\u{a0}";

/// Returns what the specialists change; `None` where none was tried.
pub fn body(page: Page) -> Option<Markup> {
    let trials = &page.report.specialists;
    let together = page.report.with_specialists.as_ref()?;
    let mut rows: Vec<_> = trials.iter().map(|trial| row(name(page, trial), &trial.change)).collect();
    if trials.len() > 1 {
        rows.push(row(cell("all together"), together));
    }
    let head = [
        "Specialist",
        "Compared",
        "Handed over",
        "Right alone",
        "Right by it",
        "Mended",
        "Spoiled",
        "Accuracy alone",
        "Accuracy with it",
        "p",
    ];
    let excluded = trials.iter().any(|trial| trial.change.excluded > 0);
    Some(html! {
        p.note {
            "A specialist tells only some of the classes apart. Where the two likeliest classes of the model are both of "
            "a specialist's, the specialist answers in its place. Each image is judged by networks that never saw it."
            @if trials.len() > 1 { " Of several that apply, the first answers." }
        }
        ul {
            @for trial in trials { li { (name(page, trial)) " " (sentence(&trial.change)) } }
            @if trials.len() > 1 { li { "All together " (sentence(together)) } }
        }
        div.scroll { (table(&head, &rows)) }
        p.note {
            "Right alone and right by it are of the images handed over. Mended: wrong by the model alone, right by the "
            "specialist; spoiled: the other way round. p is the probability of such a difference, or a larger one, by "
            "chance alone (McNemar's exact test); from 0.05 on, the difference is within chance."
            @if excluded {
                " Images of a specialist's classes that it learned from, or that chose its epoch, are not compared: "
                (excluded_by(trials)) "."
            }
        }
    })
}

/// Returns a specialist's name and classes.
fn name(page: Page, trial: &Trial) -> Markup {
    html! {
        (trial.name) " ("
        @for (at, &class) in trial.classes.iter().enumerate() { @if at > 0 { ", " } (page.label(class)) }
        ")"
    }
}

fn row(name: Markup, change: &Change) -> Vec<Markup> {
    let counts = [
        change.compared,
        change.asked,
        change.general_correct,
        change.specialist_correct,
        change.mended,
        change.spoiled,
    ];
    let accuracies =
        [change.accuracy_alone, change.accuracy_with].map(|share| cell(percent(share).replace(' ', NO_BREAK)));
    let counts = counts.map(|count| cell(integer(count)));
    [name].into_iter().chain(counts).chain(accuracies).chain([cell(probability(change.p_value))]).collect()
}

/// Says whether it helps.
fn sentence(change: &Change) -> String {
    if change.compared == 0 {
        return "cannot be compared: no image was held out from both.".to_owned();
    }
    let verdict = match change.effect {
        Effect::Helps => ": helps",
        Effect::Harms => ": does not help, but makes the model worse",
        Effect::Chance if change.mended > change.spoiled => ", which is within chance: not shown to help",
        Effect::Chance => ", which is within chance: does not help",
    };
    let images = count(change.compared, "image");
    format!("mends {}, spoils {} of {images}{verdict}.", integer(change.mended), integer(change.spoiled))
}

fn probability(p_value: f64) -> String {
    if p_value < P_VALUE_MIN { format!("< {P_VALUE_MIN}") } else { decimal(p_value, 3) }
}

/// Lists how many images each specialist has seen.
fn excluded_by(trials: &[Trial]) -> String {
    let part = |trial: &Trial| format!("{} for {}", count(trial.change.excluded, "image"), trial.name);
    trials.iter().map(part).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(effect: Effect, [mended, spoiled]: [usize; 2]) -> String {
        let (asked, general_correct, specialist_correct) = (20, 10 + spoiled, 10 + mended);
        let (accuracy_alone, accuracy_with, p_value) = (0.5, 0.5, 0.5);
        let (compared, excluded) = (10_000, 0);
        sentence(&Change {
            compared,
            excluded,
            asked,
            general_correct,
            specialist_correct,
            mended,
            spoiled,
            accuracy_alone,
            accuracy_with,
            p_value,
            effect,
        })
    }

    #[test]
    fn a_sentence_says_whether_a_specialist_helps() {
        assert_eq!(said(Effect::Helps, [9, 1]), "mends 9, spoils 1 of 10,000 images: helps.");
        assert!(said(Effect::Harms, [1, 9]).ends_with("images: does not help, but makes the model worse."));
        assert!(said(Effect::Chance, [7, 5]).ends_with("images, which is within chance: not shown to help."));
        assert!(said(Effect::Chance, [5, 7]).ends_with("images, which is within chance: does not help."));
    }

    #[test]
    fn a_small_probability_is_not_written_as_0() {
        assert_eq!([probability(0.04567), probability(0.00001)], ["0.046", "< 0.001"]);
    }
}
