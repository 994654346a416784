//! Where is the socket of a queue?
//!
//! In the queue's folder. Where a socket cannot be there, because the path is too long for one or the file system has
//! none, it is in a folder of this user's for such things, under a name made of the queue's path.

use std::fs::{self, DirBuilder};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use crate::queue::embedded::folder_of;

/// The place in the queue's folder, which is tried first.
pub fn beside(path: &Path) -> PathBuf {
    folder_of(path).join("socket")
}

/// The place elsewhere.
pub fn elsewhere(path: &Path) -> io::Result<PathBuf> {
    // Both sides have to find the same name, whatever their working directories are.
    let folder = folder_of(path).canonicalize()?;
    let mut hasher = DefaultHasher::new();
    folder.hash(&mut hasher);
    Ok(runtime_folder()?.join(format!("{:016x}", hasher.finish())))
}

/// A folder that only this user can write to.
fn runtime_folder() -> io::Result<PathBuf> {
    let user = rustix::process::getuid().as_raw();
    let given = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_dir());
    let folder = match given {
        Some(folder) => folder.join("kana"),
        // The same for every process of this user: one that was started with another TMPDIR looks here as well.
        None => PathBuf::from(format!("/tmp/kana-{user}")),
    };
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(&folder)?;
    if !found.is_dir() || found.uid() != user || found.mode() & 0o077 != 0 {
        let why = format!("{} is not a folder for this user alone", folder.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    Ok(folder)
}
