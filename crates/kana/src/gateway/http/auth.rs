//! What may the sender of a request do?
//!
//! A token is a secret that grants scopes. Only digests of tokens are stored, and each is compared in constant time, so
//! that neither a log line nor the duration of a response reveals a token.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::problem::Problem;
use crate::gateway::config::Config;

/// Scopes that a token grants, in addition to reading, which every token may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    /// Permits to submit images and to cancel jobs.
    pub submit: bool,
    /// Permits to end pods, set the scale, and replay or discard dead letters.
    pub operate: bool,
}

/// Tokens with their scopes.
#[derive(Clone, Default)]
pub struct Tokens(Vec<([u8; 32], Scopes)>);

/// Reason why a list of tokens cannot be read. The message never quotes the list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokensError {
    /// A line is not `SCOPES TOKEN`.
    #[error("line {line} of the tokens is not of the form \"submit,operate TOKEN\"")]
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
    /// The list has no token, which would let everybody do everything.
    #[error("the tokens have no line with a token")]
    Empty,
}

impl Tokens {
    /// Reads a list of one token a line: its scopes (`read`, `submit`, `operate`, separated by commas), a space, the
    /// token. Empty lines and those that begin with `#` are skipped.
    ///
    /// # Errors
    /// Where a line cannot be read, and where there is none.
    pub fn parse(text: &str) -> Result<Self, TokensError> {
        let mut tokens = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let (line, number) = (line.trim(), number + 1);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut words = line.split_whitespace();
            let (Some(scopes), Some(token), None) = (words.next(), words.next(), words.next()) else {
                return Err(TokensError::Line { line: number });
            };
            let scopes = Scopes::parse(scopes).ok_or(TokensError::Scope { line: number })?;
            tokens.push((digest(token.as_bytes()), scopes));
        }
        if tokens.is_empty() { Err(TokensError::Empty) } else { Ok(Self(tokens)) }
    }

    /// Whether there is no token, so that everybody may do everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the scopes of `token`; `None` if it is unknown. Takes the same time either way.
    fn scopes(&self, token: &[u8]) -> Option<Scopes> {
        let asked = digest(token);
        // The index of the token that matches, one past the last where none does.
        let mut found = self.0.len() as u64;
        for (index, (known, _)) in self.0.iter().enumerate() {
            let is_match: Choice = known.ct_eq(&asked);
            found = u64::conditional_select(&found, &(index as u64), is_match);
        }
        let found = usize::try_from(found).ok()?;
        self.0.get(found).map(|(_, scopes)| *scopes)
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokens({})", self.0.len())
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

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Lets requests with any token through.
///
/// # Errors
/// 401.
pub async fn read(State(config): State<Arc<Config>>, request: Request, next: Next) -> Result<Response, Problem> {
    granted(&config.tokens, request.headers())?;
    Ok(next.run(request).await)
}

/// Lets requests through whose token may submit.
///
/// # Errors
/// 401, 403.
pub async fn submit(State(config): State<Arc<Config>>, request: Request, next: Next) -> Result<Response, Problem> {
    let scopes = granted(&config.tokens, request.headers())?;
    if !scopes.submit {
        return Err(Problem::forbidden("this token lacks the scope submit"));
    }
    Ok(next.run(request).await)
}

/// Lets requests through whose token may operate.
///
/// # Errors
/// 401, 403.
pub async fn operate(State(config): State<Arc<Config>>, request: Request, next: Next) -> Result<Response, Problem> {
    let scopes = granted(&config.tokens, request.headers())?;
    if !scopes.operate {
        return Err(Problem::forbidden("this token lacks the scope operate"));
    }
    Ok(next.run(request).await)
}

fn granted(tokens: &Tokens, headers: &HeaderMap) -> Result<Scopes, Problem> {
    if tokens.is_empty() {
        return Ok(Scopes { submit: true, operate: true });
    }
    let Some(header) = headers.get(header::AUTHORIZATION) else {
        return Err(Problem::unauthorized("a token is needed: Authorization: Bearer TOKEN", "Bearer realm=\"kana\""));
    };
    bearer(header.as_bytes())
        .and_then(|token| tokens.scopes(token))
        .ok_or_else(|| Problem::unauthorized("this token is unknown", "Bearer realm=\"kana\", error=\"invalid_token\""))
}

/// Reads the token of an `Authorization` header; the scheme's case does not matter (RFC 9110).
fn bearer(header: &[u8]) -> Option<&[u8]> {
    let space = header.iter().position(|&byte| byte == b' ')?;
    let (scheme, token) = header.split_at(space);
    scheme.eq_ignore_ascii_case(b"bearer").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Scopes = Scopes { submit: true, operate: true };

    #[test]
    fn a_token_grants_the_scopes_of_its_line() {
        let tokens = Tokens::parse("# comment\n\nread r\nsubmit s\r\n  submit,operate both  \n").unwrap();

        assert_eq!(tokens.scopes(b"r"), Some(Scopes::default()));
        assert_eq!(tokens.scopes(b"s"), Some(Scopes { submit: true, operate: false }));
        assert_eq!(tokens.scopes(b"both"), Some(BOTH));
    }

    #[test]
    fn no_other_text_is_a_token() {
        let tokens = Tokens::parse("submit secret").unwrap();

        for other in ["", "secre", "secrets", "SECRET", "submit secret"] {
            assert_eq!(tokens.scopes(other.as_bytes()), None, "{other:?}");
        }
    }

    #[test]
    fn an_unreadable_line_is_named_and_not_quoted() {
        let line = |text| Tokens::parse(text).map(|_| ()).unwrap_err();

        assert_eq!(line("submit a\nhunter2"), TokensError::Line { line: 2 });
        assert_eq!(line("submit a b"), TokensError::Line { line: 1 });
        assert_eq!(line("\nadmin a"), TokensError::Scope { line: 2 });
        assert_eq!(line("# nothing"), TokensError::Empty);
        assert!(!line("hunter2").to_string().contains("hunter2"));
    }

    #[test]
    fn debug_output_shows_no_token() {
        let tokens = Tokens::parse("submit hunter2").unwrap();

        assert_eq!(format!("{tokens:?}"), "Tokens(1)");
    }

    #[test]
    fn the_scheme_may_be_written_in_any_case() {
        assert_eq!(bearer(b"bEARER  x"), Some(&b"x"[..]));
        assert_eq!(bearer(b"Basic x"), None);
        assert_eq!(bearer(b"Bearer"), None);
    }
}
