//! What may the sender of a request do?
//!
//! A token grants scopes. Where there are no tokens, everybody has every scope. The list of tokens may change while the
//! gateway runs (`token_file.rs`), but whether there are tokens at all is decided at its start.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::watch;

use super::peer::Peer;
use super::problem::Problem;
use super::tokens::{Scopes, Tokens};
use crate::gateway::audit;

/// Name, in the log, of a sender where no token is needed.
const ANYBODY: &str = "none";

/// Longest value of `X-Forwarded-For` that is kept, in characters: ten addresses.
const FORWARDED_MAX: usize = 256;

/// Bytes of a token's identity that scope an idempotency key: as many as a UUID has.
const KEY_SCOPE_BYTES: usize = 16;

/// The tokens that are known at this moment.
#[derive(Clone, Debug)]
pub struct Access(Arc<watch::Sender<Tokens>>);

/// Sender of a request, an extension of every request that was let through.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Name of the token.
    pub name: Arc<str>,
    /// Identity of the token; `None` where no token is needed.
    pub identity: Option<[u8; 32]>,
    /// Address that the request came from, where it is known.
    pub peer: Option<Peer>,
    /// Addresses that the request or a proxy claims it came from (`X-Forwarded-For`).
    pub forwarded: Option<String>,
    access: Access,
}

impl Access {
    /// Creates the access that these tokens give.
    pub fn new(tokens: Tokens) -> Self {
        Self(Arc::new(watch::Sender::new(tokens)))
    }

    /// Whether these are the tokens that are known.
    pub fn is_current(&self, tokens: &Tokens) -> bool {
        *self.0.borrow() == *tokens
    }

    /// Replaces the tokens.
    pub fn replace(&self, tokens: Tokens) {
        self.0.send_replace(tokens);
    }

    /// Finds out who sends a request, and which scopes the sender has.
    ///
    /// # Errors
    /// 401.
    fn admit(&self, request: &Request) -> Result<(Caller, Scopes), Problem> {
        let (headers, peer) = (request.headers(), request.extensions().get::<Peer>().copied());
        let caller =
            |name, identity| Caller { name, identity, peer, forwarded: forwarded(headers), access: self.clone() };
        let tokens = self.0.borrow();
        if tokens.is_empty() {
            return Ok((caller(ANYBODY.into(), None), Scopes { submit: true, operate: true }));
        }
        let Some(header) = headers.get(header::AUTHORIZATION) else {
            return Err(Problem::unauthorized(
                "a token is needed: Authorization: Bearer TOKEN",
                "Bearer realm=\"kana\"",
            ));
        };
        let known = bearer(header.as_bytes()).and_then(|token| tokens.find(token)).ok_or_else(|| {
            Problem::unauthorized("this token is unknown", "Bearer realm=\"kana\", error=\"invalid_token\"")
        })?;
        Ok((caller(known.name.clone(), Some(known.identity())), known.scopes))
    }
}

impl Caller {
    /// Waits until the caller's token is no longer known.
    pub async fn revoked(&self) {
        let mut tokens = self.access.0.subscribe();
        let is_known = |tokens: &Tokens| self.identity.is_none_or(|identity| tokens.has(&identity));
        // Fails only where the other end is gone, which lives as long as this caller does.
        let _ = tokens.wait_for(|tokens| !is_known(tokens)).await;
    }

    /// Creates a caller for a test.
    #[cfg(test)]
    pub fn sample(identity: Option<[u8; 32]>, peer: Option<Peer>) -> Self {
        Self { name: "a".into(), identity, peer, forwarded: None, access: Access::new(Tokens::default()) }
    }

    /// Returns the name that an idempotency key of this caller has in the queue, which no other token's key has. A key
    /// has no line break, so that it never equals one of a gateway without tokens.
    pub fn scoped(&self, key: &str) -> String {
        match &self.identity {
            None => key.to_owned(),
            Some(identity) => format!("{}\n{key}", hex::encode(&identity[..KEY_SCOPE_BYTES])),
        }
    }
}

/// Lets requests with any token through.
///
/// # Errors
/// 401.
pub async fn read(State(access): State<Access>, mut request: Request, next: Next) -> Result<Response, Problem> {
    let (caller, _) = access.admit(&request)?;
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// Lets requests through whose token may submit.
///
/// # Errors
/// 401, 403.
pub async fn submit(State(access): State<Access>, mut request: Request, next: Next) -> Result<Response, Problem> {
    let (caller, scopes) = access.admit(&request)?;
    if !scopes.submit {
        return Err(Problem::insufficient_scope("submit"));
    }
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// Lets requests through whose token may operate, and records those of tokens that may not.
///
/// # Errors
/// 401, 403.
pub async fn operate(State(access): State<Access>, mut request: Request, next: Next) -> Result<Response, Problem> {
    let (caller, scopes) = access.admit(&request)?;
    if !scopes.operate {
        let problem = Problem::insufficient_scope("operate");
        audit::refused(&caller, request.method(), request.uri().path(), &problem);
        return Err(problem);
    }
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// Reads the token of an `Authorization` header; the scheme's case does not matter (RFC 9110).
fn bearer(header: &[u8]) -> Option<&[u8]> {
    let space = header.iter().position(|&byte| byte == b' ')?;
    let (scheme, token) = header.split_at(space);
    scheme.eq_ignore_ascii_case(b"bearer").then(|| token.trim_ascii())
}

/// Reads what `X-Forwarded-For` claims; a request may have several of these headers, which count as one list.
fn forwarded(headers: &HeaderMap) -> Option<String> {
    let lists: Vec<&str> = headers.get_all("x-forwarded-for").iter().filter_map(|list| list.to_str().ok()).collect();
    (!lists.is_empty()).then(|| lists.join(", ").chars().take(FORWARDED_MAX).collect())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn admitted(access: &Access, token: &str) -> Result<(Caller, Scopes), Problem> {
        let request = Request::builder().header(header::AUTHORIZATION, format!("Bearer {token}"));
        access.admit(&request.body(Body::empty()).unwrap())
    }

    #[test]
    fn the_scheme_may_be_written_in_any_case() {
        assert_eq!(bearer(b"bEARER  x"), Some(&b"x"[..]));
        assert_eq!(bearer(b"Basic x"), None);
        assert_eq!(bearer(b"Bearer"), None);
    }

    #[test]
    fn a_key_is_the_callers_own_and_stays_so_when_the_tokens_are_read_again() {
        let access = Access::new(Tokens::parse("submit a\nsubmit b").unwrap());
        let (a, b) = (admitted(&access, "a").unwrap().0, admitted(&access, "b").unwrap().0);

        access.replace(Tokens::parse("read c\nsubmit,operate a alice").unwrap());

        assert_ne!(a.scoped("k"), b.scoped("k"));
        assert_eq!(a.scoped("k"), admitted(&access, "a").unwrap().0.scoped("k"));
        assert!(admitted(&access, "b").is_err());
    }

    #[test]
    fn without_tokens_a_key_is_stored_as_it_is() {
        let access = Access::new(Tokens::default());

        assert_eq!(admitted(&access, "a").unwrap().0.scoped("k"), "k");
    }

    #[tokio::test]
    async fn a_caller_is_revoked_when_its_token_is_gone() {
        let access = Access::new(Tokens::parse("submit a\nsubmit b").unwrap());
        let (a, b) = (admitted(&access, "a").unwrap().0, admitted(&access, "b").unwrap().0);

        access.replace(Tokens::parse("read b").unwrap());

        a.revoked().await;
        assert!(futures::FutureExt::now_or_never(b.revoked()).is_none());
    }
}
