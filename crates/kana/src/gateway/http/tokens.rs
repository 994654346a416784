//! Which tokens are there, and what does each grant?
//!
//! A list has one token a line. Only digests of tokens are stored, and each is compared in constant time, so that neither
//! a log line nor the duration of a response reveals a token. No error quotes the list.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// Words that grant something.
const SCOPES: [&str; 3] = ["read", "submit", "operate"];

/// Longest name of a token, in bytes. Names are logged: a shorter limit than the length of a generated token (16 bytes
/// in hexadecimal are 32) refuses a line whose token stands in the place of the name.
const NAME_BYTES_MAX: usize = 31;

/// Bytes of a digest that name a token without a name in the log: enough to tell a thousand apart, and useless to guess
/// a random token with.
const NAME_DIGEST_BYTES: usize = 3;

/// Scopes that a token grants, in addition to reading, which every token may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    /// Permits to submit images and to cancel jobs.
    pub submit: bool,
    /// Permits to end pods, set the scale, and replay or discard dead letters.
    pub operate: bool,
}

/// Tokens with their scopes and names.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tokens(Vec<Token>);

/// One token of a list.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    digest: [u8; 32],
    /// Scopes that the token grants.
    pub scopes: Scopes,
    /// Name of the token in the log.
    pub name: Arc<str>,
}

/// Reason why a list of tokens cannot be read. The message never quotes the list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokensError {
    /// A line is not `SCOPES TOKEN` or `SCOPES TOKEN NAME`.
    #[error("line {line} of the tokens is not of the form \"submit,operate TOKEN\" or \"submit,operate TOKEN NAME\"")]
    Line {
        /// Number of the line, from 1.
        line: usize,
    },
    /// A scope is unknown.
    #[error("line {line} of the tokens names a scope other than read, submit and operate")]
    Scope {
        /// Number of the line, from 1.
        line: usize,
    },
    /// A name cannot stand in a log line.
    #[error(
        "line {line} of the tokens has a name that is not 1 to {NAME_BYTES_MAX} letters, digits, dots, hyphens and \
         underscores"
    )]
    Name {
        /// Number of the line, from 1.
        line: usize,
    },
    /// A line is not text in UTF-8.
    #[error("line {line} of the tokens is not UTF-8")]
    Text {
        /// Number of the line, from 1.
        line: usize,
    },
    /// The list is text in another encoding.
    #[error("the tokens are encoded in UTF-16; save them as UTF-8")]
    Utf16,
    /// The list has no token, which would let everybody do everything.
    #[error("the tokens have no line with a token")]
    Empty,
}

impl Tokens {
    /// Reads a list as [`Tokens::parse`], from the bytes of a file.
    ///
    /// # Errors
    /// Where a line cannot be read, and where there is none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TokensError> {
        // Text in UTF-16 has a byte order mark, or a NUL in every character of a scope.
        if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) || bytes.contains(&0) {
            return Err(TokensError::Utf16);
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            TokensError::Text { line: 1 + before.iter().filter(|byte| **byte == b'\n').count() }
        })?;
        Self::parse(text)
    }

    /// Reads a list of one token a line: its scopes (`read`, `submit`, `operate`, separated by commas), the token, and
    /// a name for the log if wanted, with spaces in between. Empty lines and those that begin with `#` are skipped.
    ///
    /// # Errors
    /// Where a line cannot be read, and where there is none.
    pub fn parse(text: &str) -> Result<Self, TokensError> {
        let mut tokens = Vec::new();
        for (number, line) in text.lines().enumerate() {
            // Editors of some systems begin a file with a byte order mark.
            let (line, number) = (line.trim_start_matches('\u{feff}').trim(), number + 1);
            if !line.is_empty() && !line.starts_with('#') {
                tokens.push(Token::parse(line, number)?);
            }
        }
        if tokens.is_empty() { Err(TokensError::Empty) } else { Ok(Self(tokens)) }
    }

    /// Whether there is no token, so that everybody may do everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of tokens.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether a token of this identity is in the list.
    pub fn has(&self, identity: &[u8; 32]) -> bool {
        self.0.iter().any(|token| token.identity() == *identity)
    }

    /// Returns what is known of `token`; `None` if it is unknown. Takes the same time either way.
    pub fn find(&self, token: &[u8]) -> Option<&Token> {
        let asked = digest(token);
        // The index of the token that matches, one past the last where none does.
        let mut found = self.0.len() as u64;
        for (index, known) in self.0.iter().enumerate() {
            let is_match: Choice = known.digest.ct_eq(&asked);
            found = u64::conditional_select(&found, &(index as u64), is_match);
        }
        self.0.get(usize::try_from(found).ok()?)
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokens({})", self.0.len())
    }
}

impl Token {
    fn parse(line: &str, number: usize) -> Result<Self, TokensError> {
        let mut words = line.split_whitespace();
        let (Some(scopes), Some(token), name, None) = (words.next(), words.next(), words.next(), words.next()) else {
            return Err(TokensError::Line { line: number });
        };
        // With scopes apart, as in "submit operate TOKEN", the token would be taken for a name and logged.
        if token.split(',').all(|word| word.is_empty() || SCOPES.contains(&word)) {
            return Err(TokensError::Line { line: number });
        }
        let scopes = Scopes::parse(scopes).ok_or(TokensError::Scope { line: number })?;
        let digest = digest(token.as_bytes());
        let name = match name {
            Some(name) if is_name(name) => name.into(),
            Some(_) => return Err(TokensError::Name { line: number }),
            None => format!("token-{}", hex::encode(&digest[..NAME_DIGEST_BYTES])).into(),
        };
        Ok(Self { digest, scopes, name })
    }

    /// Returns the identity of the token, which tells it from all others and stays the same whatever its line says.
    pub fn identity(&self) -> [u8; 32] {
        // Not the digest itself: what is stored or compared elsewhere should not tell whether a token is known here.
        Sha256::new_with_prefix("kana token identity").chain_update(self.digest).finalize().into()
    }
}

impl Scopes {
    fn parse(text: &str) -> Option<Self> {
        text.split(',').try_fold(Self::default(), |scopes, scope| match scope {
            "read" => Some(scopes),
            "submit" => Some(Self { submit: true, ..scopes }),
            "operate" => Some(Self { operate: true, ..scopes }),
            _ => None,
        })
    }
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    name.len() <= NAME_BYTES_MAX && name.bytes().all(fits)
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Scopes = Scopes { submit: true, operate: true };

    fn scopes(tokens: &Tokens, token: &[u8]) -> Option<Scopes> {
        tokens.find(token).map(|token| token.scopes)
    }

    fn error(text: impl AsRef<[u8]>) -> TokensError {
        Tokens::from_bytes(text.as_ref()).map(|_| ()).unwrap_err()
    }

    #[test]
    fn a_token_grants_the_scopes_of_its_line() {
        let tokens = Tokens::parse("# comment\n\nread r\nsubmit s\r\n  submit,operate both  \n").unwrap();

        assert_eq!(scopes(&tokens, b"r"), Some(Scopes::default()));
        assert_eq!(scopes(&tokens, b"s"), Some(Scopes { submit: true, operate: false }));
        assert_eq!(scopes(&tokens, b"both"), Some(BOTH));
    }

    #[test]
    fn no_other_text_is_a_token() {
        let tokens = Tokens::parse("submit secret").unwrap();

        for other in ["", "secre", "secrets", "SECRET", "submit secret"] {
            assert_eq!(scopes(&tokens, other.as_bytes()), None, "{other:?}");
        }
    }

    #[test]
    fn a_file_of_another_system_is_read_as_any_other() {
        let tokens = Tokens::from_bytes("\u{feff}submit s \t\r\n\u{feff}operate o\r\n\r\n".as_bytes()).unwrap();

        assert_eq!(scopes(&tokens, b"s"), Some(Scopes { submit: true, operate: false }));
        assert_eq!(scopes(&tokens, b"o"), Some(Scopes { submit: false, operate: true }));
    }

    #[test]
    fn a_file_in_another_encoding_is_refused_by_its_name() {
        let text = "submit s\n";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();

        assert_eq!(error(&little), TokensError::Utf16);
        assert_eq!(error([&[0xFE, 0xFF], &big[..]].concat()), TokensError::Utf16);
        assert_eq!(error(b"submit s\nsubmit \xE9\n"), TokensError::Text { line: 2 });
    }

    #[test]
    fn an_unreadable_line_is_named_and_not_quoted() {
        assert_eq!(error("submit a\nhunter2"), TokensError::Line { line: 2 });
        assert_eq!(error("submit a b c"), TokensError::Line { line: 1 });
        assert_eq!(error("\nadmin a"), TokensError::Scope { line: 2 });
        assert_eq!(error("# nothing"), TokensError::Empty);
        assert!(!error("hunter2").to_string().contains("hunter2"));
    }

    #[test]
    fn a_third_word_is_the_name_of_the_token() {
        let tokens = Tokens::parse("submit s alice\nsubmit t").unwrap();

        assert_eq!(&*tokens.find(b"s").unwrap().name, "alice");
        // printf %s t | sha256sum
        assert_eq!(&*tokens.find(b"t").unwrap().name, "token-e3b98a");
    }

    #[test]
    fn a_token_in_the_place_of_a_name_is_refused() {
        for line in ["submit operate hunter2", "submit ,operate hunter2", "read submit,operate hunter2"] {
            assert_eq!(error(line), TokensError::Line { line: 1 }, "{line}");
        }
        for line in ["submit s #alice", "submit s a\"b", "submit s 0123456789abcdef0123456789abcdef"] {
            assert_eq!(error(line), TokensError::Name { line: 1 }, "{line}");
        }
    }

    #[test]
    fn a_token_stays_the_same_whatever_its_line_says() {
        let identity = |text| Tokens::parse(text).unwrap().find(b"s").unwrap().identity();

        assert_eq!(identity("submit s"), identity("read x\nread,operate s alice"));
        let tokens = Tokens::parse("submit s\nsubmit t").unwrap();
        assert_ne!(tokens.find(b"s").unwrap().identity(), tokens.find(b"t").unwrap().identity());
    }

    #[test]
    fn debug_output_shows_no_token() {
        let tokens = Tokens::parse("submit hunter2").unwrap();

        assert_eq!(format!("{tokens:?}"), "Tokens(1)");
    }
}
