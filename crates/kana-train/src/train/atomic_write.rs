//! How does a file appear completely or not at all?
//!
//! It is written under another name, flushed to the disk, then renamed: a crash leaves the old contents or the new.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::Context;

/// Replaces the contents of the file at `path` by `bytes`, atomically.
///
/// # Errors
/// Returns the error of the file system; the old contents stay.
pub fn atomic_write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let part = path.with_extension("part");
    let write = || {
        let mut file = File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&part, path)?;
        // The rename is durable only after the folder is flushed.
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    write().with_context(|| format!("could not write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_file_replaces_the_old_one_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        std::fs::write(&path, "old").unwrap();

        atomic_write(&path, b"new").unwrap();

        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_does_not_exist_is_named() {
        let error = atomic_write(Path::new("absent/weights"), b"new").unwrap_err();

        assert!(error.to_string().contains("absent/weights"), "{error}");
    }
}
