//! Is this folder the model that it says it is?

use std::path::Path;

use super::{Card, Classifier, Error};

/// A model whose weights were proved to be the ones its card means.
#[derive(Clone, Debug)]
pub struct Artifact {
    card: Card,
}

impl Artifact {
    /// The model inside this binary: `models/kana`.
    pub fn built_in() -> Result<Self, Error> {
        Err(Error::Refused { name: "kana".into(), reason: "not built yet".into() })
    }

    /// The model in `folder`.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        Err(Error::Refused { name: folder.display().to_string(), reason: "not built yet".into() })
    }

    /// Its card.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// An engine for it that has passed the card's self-test.
    pub fn classifier(&self) -> Result<Box<dyn Classifier>, Error> {
        Err(Error::Refused { name: self.card.name.clone(), reason: "not built yet".into() })
    }
}
