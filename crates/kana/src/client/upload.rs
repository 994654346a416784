//! How do several files go into one request?
//!
//! As `multipart/form-data`, each file a part named `images`. The body is written once and kept, so that every attempt
//! sends the same bytes under the same idempotency key.

use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use reqwest::multipart::{Form, Part};

use super::Error;

/// The media type of every part; the gateway detects the format from the bytes.
const PART_TYPE: &str = "application/octet-stream";

/// A file to be sent, and its size when the command began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    /// The file's path.
    pub path: PathBuf,
    /// Size in bytes.
    pub size: u64,
}

impl File {
    /// Returns the name that is sent to the gateway: the last part of the path, as browsers send it.
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        name.to_string_lossy().into_owned()
    }
}

/// Looks up the files at `paths`.
///
/// # Errors
/// [`Error::File`] for the first one that is missing or a directory.
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

/// Splits `files` into groups of at most `count_max` files and `bytes_max` bytes, in the order given. A single larger
/// file is a group of its own.
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

/// The body of a request.
#[derive(Clone, Debug)]
pub(super) struct Body {
    /// The media type, boundary included.
    pub content_type: String,
    /// The bytes.
    pub bytes: Bytes,
}

impl Body {
    /// Reads `files` and writes the body that they make.
    ///
    /// # Errors
    /// [`Error::File`] for the first file that cannot be read.
    pub async fn of(files: &[File]) -> Result<Self, Error> {
        let malformed =
            |source: reqwest::Error| Error::Malformed { action: "send files".into(), source: source.into() };
        let mut form = Form::new();
        for file in files {
            let content = tokio::fs::read(&file.path).await;
            let content = content.map_err(|source| Error::File { path: file.path.clone(), source })?;
            let part = Part::bytes(content).file_name(escaped(&file.name())).mime_str(PART_TYPE).map_err(malformed)?;
            form = form.part("images", part);
        }
        let content_type = format!("multipart/form-data; boundary={}", form.boundary());
        let bytes: BytesMut = form.into_stream().try_collect().await.map_err(malformed)?;
        Ok(Self { content_type, bytes: bytes.freeze() })
    }
}

/// Escapes a file's name as browsers do (WHATWG HTML, "multipart form data"). The library's own escape for a quotation
/// mark is a backslash, which separates folders for the gateway.
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

    #[tokio::test]
    async fn each_file_is_a_part_named_images_with_its_name_and_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a\"b.png");
        std::fs::write(&path, "pixels").unwrap();

        let body = Body::of(&[File { path, size: 6 }]).await.unwrap();

        let boundary = body.content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
        let expected = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"images\"; filename=\"a%22b.png\"\r\n\
             Content-Type: application/octet-stream\r\n\r\npixels\r\n--{boundary}--\r\n"
        );
        assert_eq!(body.bytes, expected);
    }

    #[test]
    fn a_quotation_mark_does_not_end_a_name() {
        assert_eq!(escaped("a\"b\r\n.png"), "a%22b%0D%0A.png");
    }
}
