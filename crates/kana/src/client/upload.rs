//! How do files travel in one request?
//!
//! As `multipart/form-data`, each a part named `images`. The body is written by hand, so that a second attempt is
//! the first one's, byte for byte: then its idempotency key makes it a repetition.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::Error;

/// A file to be sent, and how large it was when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
}

impl File {
    /// What the gateway is told that it is called: the last part of its path, as browsers do.
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        name.to_string_lossy().into_owned()
    }
}

/// The files at `paths`, all of them or the first that cannot be sent.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<File>, Error> {
    paths.iter().map(|path| file(path)).collect()
}

fn file(path: &Path) -> Result<File, Error> {
    let unreadable = |source| Error::File { path: path.to_owned(), source };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(unreadable(std::io::ErrorKind::IsADirectory.into()));
    }
    Ok(File { path: path.to_owned(), size: metadata.len() })
}

/// `files` in groups of at most `count_max` files and, but for a single larger file, `bytes_max` bytes; their order
/// stays.
pub(super) fn groups(files: Vec<File>, count_max: usize, bytes_max: u64) -> Vec<Vec<File>> {
    let mut groups: Vec<Vec<File>> = Vec::new();
    let mut bytes = 0_u64;
    for file in files {
        match groups.last_mut() {
            Some(group) if group.len() < count_max && bytes.saturating_add(file.size) <= bytes_max => {
                bytes += file.size;
                group.push(file);
            }
            _ => {
                bytes = file.size;
                groups.push(vec![file]);
            }
        }
    }
    groups
}

/// A request's body.
#[derive(Clone, Debug)]
pub(super) struct Body {
    /// Its media type, boundary included.
    pub content_type: String,
    /// Its bytes.
    pub bytes: Bytes,
}

impl Body {
    /// The body that `files` make; `key` is unlike everything else, and so is the boundary made of it.
    pub async fn of(files: &[File], key: &str) -> Result<Self, Error> {
        let boundary = format!("kana-{key}");
        let mut bytes = Vec::new();
        for file in files {
            let content = tokio::fs::read(&file.path).await;
            let content = content.map_err(|source| Error::File { path: file.path.clone(), source })?;
            bytes.extend(
                format!(
                    "--{boundary}\r\nContent-Disposition: form-data; name=\"images\"; filename=\"{}\"\r\n\
                     Content-Type: application/octet-stream\r\n\r\n",
                    escaped(&file.name())
                )
                .bytes(),
            );
            bytes.extend(content);
            bytes.extend(b"\r\n");
        }
        bytes.extend(format!("--{boundary}--\r\n").bytes());
        Ok(Self { content_type: format!("multipart/form-data; boundary={boundary}"), bytes: bytes.into() })
    }
}

/// A file's name as browsers write it between quotation marks.
fn escaped(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(groups: &[Vec<File>]) -> Vec<Vec<u64>> {
        groups.iter().map(|group| group.iter().map(|file| file.size).collect()).collect()
    }

    fn of_sizes(sizes: &[u64]) -> Vec<File> {
        sizes.iter().map(|&size| File { path: PathBuf::from("a"), size }).collect()
    }

    #[test]
    fn a_group_has_no_more_files_than_it_may() {
        assert_eq!(sizes(&groups(of_sizes(&[1; 5]), 2, 100)), [vec![1, 1], vec![1, 1], vec![1]]);
    }

    #[test]
    fn a_group_has_no_more_bytes_than_it_may_unless_one_file_has() {
        assert_eq!(
            sizes(&groups(of_sizes(&[60, 40, 1, 500, 2]), 10, 100)),
            [vec![60, 40], vec![1], vec![500], vec![2]]
        );
    }

    #[test]
    fn a_quotation_mark_does_not_end_a_name() {
        assert_eq!(escaped("a\"b\r\n.png"), "a%22b%0D%0A.png");
    }
}
