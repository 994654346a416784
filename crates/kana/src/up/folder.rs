//! Whose is this data folder?
//!
//! One `kana up`'s at a time: it takes the leases of every worker that it finds back, which is only right where all of
//! them have ended. The kernel gives the lock up with the process that holds it, however that ends.

use std::fs::{self, File, TryLockError};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use kana_queue::Url;

/// Locked by the owner, whose process number is in it.
const LOCK: &str = "kana.lock";

/// The queue's file.
const QUEUE: &str = "queue.sqlite";

/// A data folder that belongs to this process for as long as this lives.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder where there is none, and takes it.
    ///
    /// # Errors
    /// Where another process has it, which the message names, or the disk refuses.
    pub fn own(path: &Path) -> anyhow::Result<Self> {
        let unusable = || format!("could not use {} as data folder", path.display());
        fs::create_dir_all(path).with_context(unusable)?;
        // Children run in folders of their own choice; what they are told must mean the same there.
        let path = path.canonicalize().with_context(unusable)?;
        let file = path.join(LOCK);
        let lock = File::options().read(true).write(true).create(true).truncate(false).open(&file);
        let mut lock = lock.with_context(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let owner = fs::read_to_string(&file).unwrap_or_default();
                bail!(
                    "data folder {} is in use by the kana with process number {}: end that one, or choose another \
                     folder with --data-dir",
                    path.display(),
                    owner.trim()
                );
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(unusable),
        }
        lock.set_len(0).with_context(unusable)?;
        lock.rewind().with_context(unusable)?;
        writeln!(lock, "{}", std::process::id()).with_context(unusable)?;
        Ok(Self { path, _lock: lock })
    }

    /// Where its queue is.
    pub fn queue(&self) -> Url {
        Url::Sqlite(self.path.join(QUEUE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_belongs_to_one_at_a_time_and_the_error_names_the_owner() {
        let home = tempfile::tempdir().unwrap();
        let first = Folder::own(home.path()).unwrap();

        let refused = Folder::own(home.path()).unwrap_err().to_string();
        assert!(refused.contains(&format!("process number {}", std::process::id())), "{refused}");

        drop(first);
        assert!(Folder::own(home.path()).is_ok());
    }
}
