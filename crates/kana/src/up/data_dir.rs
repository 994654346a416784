//! Which process owns this data directory?
//!
//! Only one `kana up` at a time may own it, even where its queue is elsewhere. The kernel releases the lock when the
//! process that holds it ends, however that happens.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use kana_queue::Url;

/// Name of the file that the owner locks; its text is the owner's process number.
const LOCK: &str = "kana.lock";

/// Name of the queue, which earlier versions kept in a SQLite file.
const QUEUE: &str = "queue.sqlite";

/// A data directory that this process owns until the value is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Creates the directory where it does not exist, and locks it for this process.
    ///
    /// # Errors
    /// Where another process owns it, which the message names, or it cannot be created or locked.
    pub fn lock(path: &Path) -> anyhow::Result<Self> {
        let unusable = || format!("could not use {} as data directory", path.display());
        match fs::create_dir_all(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!("{}: it is no directory", unusable()),
            created => created.with_context(unusable)?,
        }
        // Workers may run in another working directory, so the path that they get is absolute.
        let path = path.canonicalize().with_context(unusable)?;
        let file = path.join(LOCK);
        let lock = File::options().read(true).write(true).create(true).truncate(false).open(&file);
        let mut lock = lock.with_context(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let owner = fs::read_to_string(&file).unwrap_or_default();
                bail!(
                    "data directory {} is in use by the kana with process number {}: end that one, or choose another \
                     directory with --data-dir",
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

    /// Returns the URL of the queue in this directory.
    pub fn queue(&self) -> Url {
        Url::Sqlite(self.path.join(QUEUE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_has_one_owner_at_a_time_and_the_error_names_it() {
        let home = tempfile::tempdir().unwrap();
        let first = DataDir::lock(home.path()).unwrap();

        let refused = DataDir::lock(home.path()).unwrap_err().to_string();

        assert!(refused.contains(&format!("process number {}", std::process::id())), "{refused}");

        drop(first);
        assert!(DataDir::lock(home.path()).is_ok());
    }

    #[test]
    fn a_file_is_no_data_directory() {
        let file = tempfile::NamedTempFile::new().unwrap();

        let refused = DataDir::lock(file.path()).unwrap_err().to_string();

        assert!(refused.contains("no directory") && refused.contains(&*file.path().to_string_lossy()), "{refused}");
    }
}
