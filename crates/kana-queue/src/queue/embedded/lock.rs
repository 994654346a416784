//! Which process holds a queue?
//!
//! The one that has locked a file in its folder, whose text is that process's number. The kernel releases the lock when
//! the process ends, however that happens.

use std::fs::{self, File, TryLockError};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The name of the file.
const NAME: &str = "lock";

/// Why the queue cannot be held.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error(
        "{path} is held by the process with number {holder}: end that one, or let this one use another queue. Only one \
         gateway can hold a queue in a file; any number of workers can use it"
    )]
    Held { path: PathBuf, holder: String },
    #[error("could not lock {path}")]
    Unlocked { path: PathBuf, source: io::Error },
}

/// Makes this process the holder of the queue at `path`, until the file is closed.
pub fn take(path: &Path, folder: &Path) -> Result<File, LockError> {
    let name = folder.join(NAME);
    let unlocked = |source| LockError::Unlocked { path: name.clone(), source };
    let file = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(&name);
    let mut file = file.map_err(unlocked)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = fs::read_to_string(&name).unwrap_or_default().trim().to_owned();
            return Err(LockError::Held { path: path.to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(unlocked(source)),
    }
    let noted = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
    match noted {
        // A full disk must not keep anybody from finishing what was accepted.
        Err(error) if !super::disk::is_no_space(&error) => Err(unlocked(error)),
        _ => Ok(file),
    }
}
