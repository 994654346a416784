//! Which queue does `--queue` name?

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use crate::clock::Clock;

use super::memory::Memory;
use super::redis::{Address, Redis};
use super::sqlite::Sqlite;
use super::{Error, Limits, Queue};

/// The address of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Url {
    /// `memory:`: in this process, and gone with it.
    Memory,
    /// `sqlite:PATH`: one file, shared by processes of one machine.
    Sqlite(PathBuf),
    /// `redis://…` or `rediss://…`: a Redis, shared by many machines.
    Redis(Address),
}

/// Opens the queue that `url` names, and creates it where it does not exist yet. A queue in Redis goes by the clock of
/// its server, and connects when it is first used.
///
/// # Errors
/// [`Error::Unavailable`] where its file cannot be opened, is no queue, or is one of a newer kana.
pub fn open(url: &Url, limits: Limits, clock: Arc<dyn Clock>) -> Result<Box<dyn Queue>, Error> {
    Ok(match url {
        Url::Memory => Box::new(Memory::new(limits, clock)),
        Url::Sqlite(path) => Box::new(Sqlite::open(path, limits, clock)?),
        Url::Redis(address) => Box::new(Redis::new(address, limits)),
    })
}

impl Url {
    /// The URL with its password, for another process that is to open the same queue. Not for logs.
    pub fn secret(&self) -> String {
        match self {
            Self::Redis(address) => address.secret().to_owned(),
            _ => self.to_string(),
        }
    }
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path))),
            Some(("redis" | "rediss", _)) => text.parse().map(Self::Redis),
            _ => Err(format!("queue {text:?} is none of sqlite:PATH, redis://HOST and memory:")),
        }
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Redis(address) => address.fmt(f),
        }
    }
}
