//! Which queue does `--queue` name?

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use crate::clock::Clock;

use super::embedded::{Embedded, Remote};
use super::memory::Memory;
use super::redis::{Address, Redis};
use super::{Error, Limits, Queue};

/// The address of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Url {
    /// `memory:`: in this process, and gone with it.
    Memory,
    /// `sqlite:PATH`: on this machine's disk, held by one process and shared by others. Earlier versions kept it in a
    /// SQLite file, after which it is still named.
    Sqlite(PathBuf),
    /// `redis://…` or `rediss://…`: a Redis, shared by many machines.
    Redis(Address),
}

/// Opens the queue that `url` names, and creates it where it does not exist yet. This process then holds a queue on this
/// machine's disk, alone. A queue in Redis goes by the clock of its server, and connects when it is first used.
///
/// # Errors
/// [`Error::Unavailable`] where its files cannot be opened, are no queue or one of a newer kana, or another process holds
/// it.
pub fn open(url: &Url, limits: Limits, clock: Arc<dyn Clock>) -> Result<Box<dyn Queue>, Error> {
    Ok(match url {
        Url::Memory => Box::new(Memory::new(limits, clock)),
        Url::Sqlite(path) => Box::new(Embedded::open(path, limits, clock)?),
        Url::Redis(address) => Box::new(Redis::new(address, limits)),
    })
}

/// Uses the queue that `url` names, which another process opens, now or later. Connects when it is first used.
///
/// # Errors
/// [`Error::Unavailable`] where the queue is in the memory of that process, where nobody else reaches it.
pub fn connect(url: &Url, limits: Limits) -> Result<Box<dyn Queue>, Error> {
    Ok(match url {
        Url::Memory => {
            let source = "it is in the memory of another process".into();
            return Err(Error::Unavailable { action: "use the queue", source });
        }
        Url::Sqlite(path) => Box::new(Remote::new(path, limits)),
        Url::Redis(address) => Box::new(Redis::new(address, limits)),
    })
}

impl Url {
    /// The URL with its password and all bytes of its path, for another process that is to open the same queue. Not for
    /// logs.
    pub fn secret(&self) -> OsString {
        match self {
            Self::Memory => self.to_string().into(),
            Self::Sqlite(path) => {
                let mut url = OsString::from("sqlite:");
                url.push(path);
                url
            }
            Self::Redis(address) => address.secret().into(),
        }
    }

    /// Parses a URL whose path may be no text: `sqlite:` may be followed by any bytes.
    ///
    /// # Errors
    /// As [`Url::from_str`], and where anything but the path of `sqlite:` is not UTF-8.
    pub fn from_os_str(text: &OsStr) -> Result<Self, String> {
        match (text.to_str(), text.as_bytes().strip_prefix(b"sqlite:")) {
            (Some(text), _) => text.parse(),
            (None, Some(path)) => Ok(Self::Sqlite(OsStr::from_bytes(path).into())),
            (None, None) => {
                Err("the queue's URL is not valid UTF-8, which only the path of sqlite:PATH need not be".into())
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_file_keeps_its_bytes_on_the_way_to_another_process() {
        let given = OsStr::from_bytes(b"sqlite:/caf\xe9/queue.db");

        let url = Url::from_os_str(given).unwrap();

        assert_eq!(url, Url::Sqlite(OsStr::from_bytes(b"/caf\xe9/queue.db").into()));
        assert_eq!(url.secret(), given);
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_outside_of_a_path() {
        let refused = Url::from_os_str(OsStr::from_bytes(b"redis://me:\xe9@cache")).unwrap_err();

        assert!(refused.contains("UTF-8"), "{refused}");
    }
}
