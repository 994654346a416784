//! Can a specialist be tried beside a model, and on which images?
//!
//! Only on images that both held out: with folds in both runs, all that both divided; without folds in both, those that
//! both kept for the test. A run with folds is not compared with one without: the few images that both held out would
//! not be worth a figure.

use std::path::Path;

use anyhow::{Context, ensure};

use crate::data::{FOLDS_SETTING, chosen_classes};
use crate::report::Inputs;
use crate::report::specialists::Specialist;

/// A finished run, and what was gathered from its folder.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// Folder of the run.
    pub folder: &'a Path,
    /// Card and answers of its networks.
    pub inputs: &'a Inputs,
}

/// Returns the `specialist` as it is tried beside the `model`. Both were gathered with the same data.
///
/// # Errors
/// Names the folder of the specialist when it was trained on all classes or on one that the model does not know, and both
/// folders when only one of the runs has folds.
pub fn beside(model: Run<'_>, specialist: Run<'_>) -> anyhow::Result<Specialist> {
    let (run, folder) = (model.folder.display(), specialist.folder.display());
    let (model, specialist) = (model.inputs, specialist.inputs);
    let card = &specialist.card;
    let chosen = chosen_classes(card).with_context(|| {
        format!(
            "the model in {folder} is no specialist: it was trained on all classes, not with --classes, such as 2,6"
        )
    })?;
    let has_folds = |inputs: &Inputs| inputs.card.training.settings.contains_key(FOLDS_SETTING);
    let kind = |inputs: &Inputs| if has_folds(inputs) { "with --folds" } else { "without --folds" };
    ensure!(
        has_folds(model) == has_folds(specialist),
        "the model in {run} was trained {} and the specialist in {folder} {}: train both in one way",
        kind(model),
        kind(specialist),
    );
    let known = chosen_classes(&model.card).unwrap_or_else(|| (0..model.card.labels.len()).collect());
    let number = |class: &usize| {
        known.iter().position(|of| of == class).with_context(|| {
            format!("the specialist in {folder} knows class {class}, which the model in {run} does not know")
        })
    };
    let numbers = chosen.iter().map(number).collect::<anyhow::Result<Vec<_>>>()?;
    let judged = &specialist.judged;
    let probabilities = judged.images.places().iter().copied().zip(judged.probabilities.iter().cloned()).collect();
    Ok(Specialist { name: card.name.clone(), classes: numbers, probabilities })
}
