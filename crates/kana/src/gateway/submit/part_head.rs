//! How long may the head of a part of a multipart upload be?
//!
//! The parser looks for the end of a head from its beginning at every chunk that arrives, so a head that drips in costs
//! the square of its length. This scanner sees each byte once, before the parser does, and ends an upload whose head is
//! too long. It follows the same grammar: what it takes for a part's content is content for the parser, too.

use axum::body::{Body, Bytes};
use futures::{StreamExt as _, TryStreamExt as _};

/// Longest head of a part, in bytes, and longest preamble: names of 255 characters take a tenth of it.
const HEAD_BYTES_MAX: usize = 8 << 10;

/// Failure of an upload whose part has too long a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the head of a part of the upload is longer than {HEAD_BYTES_MAX} bytes")]
pub struct HeadTooLong;

/// Scanner of a multipart body.
struct Scanner {
    stage: Stage,
    /// Looks for what ends the stage.
    pattern: Pattern,
    boundary: String,
    /// Bytes since the stage began.
    length: usize,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// What precedes the first boundary.
    Preamble,
    /// The two bytes after a boundary, which tell whether it is the last, and blanks up to the line's end.
    Boundary {
        /// Whether the byte before was a hyphen.
        after_hyphen: bool,
    },
    /// A part's head, up to its blank line.
    Head,
    /// A part's content, up to the next boundary.
    Content,
    /// What follows the last boundary, or is malformed: the parser stops there.
    Rest,
}

/// Search for bytes that may be cut in two by the end of a chunk (Knuth, Morris, Pratt 1977): a byte is looked at once.
struct Pattern {
    bytes: Vec<u8>,
    /// For each prefix, the length of the longest shorter prefix that it ends with.
    borders: Vec<usize>,
    matched: usize,
}

/// Passes the body of an upload on until the head of a part is too long.
pub fn bounded(body: Body, boundary: &str) -> Body {
    let mut scanner = Scanner::new(boundary);
    let chunks = body.into_data_stream().map_err(axum::BoxError::from);
    Body::from_stream(chunks.map(move |chunk| {
        let chunk: Bytes = chunk?;
        scanner.scan(&chunk)?;
        Ok::<_, axum::BoxError>(chunk)
    }))
}

impl Scanner {
    fn new(boundary: &str) -> Self {
        let first = Pattern::new(format!("--{boundary}").into_bytes());
        Self { stage: Stage::Preamble, pattern: first, boundary: boundary.to_owned(), length: 0 }
    }

    fn scan(&mut self, chunk: &[u8]) -> Result<(), HeadTooLong> {
        for &byte in chunk {
            if self.stage == Stage::Rest {
                return Ok(());
            }
            self.length += 1;
            if self.stage != Stage::Content && self.length > HEAD_BYTES_MAX {
                return Err(HeadTooLong);
            }
            self.step(byte);
        }
        Ok(())
    }

    fn step(&mut self, byte: u8) {
        let found = self.pattern.find(byte);
        match self.stage {
            Stage::Preamble | Stage::Content if found => self.enter(Stage::Boundary { after_hyphen: false }, "\r\n"),
            Stage::Boundary { .. } if found => self.enter(Stage::Head, "\r\n\r\n"),
            Stage::Boundary { after_hyphen } => match byte {
                b'-' if after_hyphen => self.stage = Stage::Rest,
                b'-' if self.length == 1 => self.stage = Stage::Boundary { after_hyphen: true },
                b' ' | b'\t' | b'\r' if !after_hyphen => {}
                _ => self.stage = Stage::Rest,
            },
            Stage::Head if found => {
                let next = format!("\r\n--{}", self.boundary);
                self.enter(Stage::Content, &next);
            }
            Stage::Preamble | Stage::Content | Stage::Head | Stage::Rest => {}
        }
    }

    fn enter(&mut self, stage: Stage, end: &str) {
        self.stage = stage;
        self.pattern = Pattern::new(end.as_bytes().to_vec());
        self.length = 0;
    }
}

impl Pattern {
    fn new(bytes: Vec<u8>) -> Self {
        let mut borders = vec![0; bytes.len()];
        let mut matched = 0;
        for index in 1..bytes.len() {
            while matched > 0 && bytes[index] != bytes[matched] {
                matched = borders[matched - 1];
            }
            matched += usize::from(bytes[index] == bytes[matched]);
            borders[index] = matched;
        }
        Self { bytes, borders, matched: 0 }
    }

    /// Takes the next byte, and returns whether the bytes end with it.
    fn find(&mut self, byte: u8) -> bool {
        while self.matched > 0 && self.bytes[self.matched] != byte {
            self.matched = self.borders[self.matched - 1];
        }
        self.matched += usize::from(self.bytes[self.matched] == byte);
        let found = self.matched == self.bytes.len();
        if found {
            self.matched = 0;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scans an upload in chunks of this length.
    fn scan(upload: &[u8], chunk: usize) -> (Result<(), HeadTooLong>, Stage) {
        let mut scanner = Scanner::new("b");
        let scanned = upload.chunks(chunk).try_for_each(|chunk| scanner.scan(chunk));
        (scanned, scanner.stage)
    }

    fn part(head: &str, content: &[u8]) -> Vec<u8> {
        [b"--b\r\n".as_slice(), head.as_bytes(), b"\r\n\r\n", content, b"\r\n"].concat()
    }

    #[test]
    fn content_may_be_long_and_look_like_a_boundary() {
        let content = [&b"\r\n--a\r\n-\r\r\n--"[..], &vec![b'-'; 3 * HEAD_BYTES_MAX], b"\r\n\r\n--", b"c"].concat();
        let upload = [part("Content-Disposition: form-data", &content), part("A: b", b""), b"--b--".to_vec()].concat();

        for chunk in [1, 2, 3, 7, upload.len()] {
            assert_eq!(scan(&upload, chunk), (Ok(()), Stage::Rest), "{chunk}");
        }
    }

    #[test]
    fn a_head_may_be_so_long_and_no_longer() {
        let head = |length: usize| part(&"h".repeat(length - 4), b"");

        for chunk in [1, 5, 100_000] {
            assert!(scan(&head(HEAD_BYTES_MAX), chunk).0.is_ok());
            assert_eq!(scan(&head(HEAD_BYTES_MAX + 1), chunk).0, Err(HeadTooLong));
            let second = [part("a: b", b"x"), head(HEAD_BYTES_MAX + 1)].concat();
            assert_eq!(scan(&second, chunk).0, Err(HeadTooLong), "the second part's");
        }
    }

    #[test]
    fn blanks_after_a_boundary_and_a_preamble_are_bounded_too() {
        let blanks = [b"--b".to_vec(), vec![b' '; HEAD_BYTES_MAX + 1]].concat();
        let preamble = vec![b'-'; HEAD_BYTES_MAX + 1];

        assert_eq!(scan(&blanks, 9).0, Err(HeadTooLong));
        assert_eq!(scan(&preamble, 9).0, Err(HeadTooLong));
    }
}
