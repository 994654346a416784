//! Which queue does `--queue` name?

use std::path::PathBuf;
use std::str::FromStr;

/// Where a queue lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Url {
    /// `sqlite:PATH`: one file, shared by processes of one machine.
    Sqlite(PathBuf),
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path))),
            _ => Err(format!("queue {text:?} is not of the form sqlite:PATH")),
        }
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}
