//! Which Redis holds the queue, and under which keys?

use std::path::PathBuf;
use std::str::FromStr;

use redis::{Client, ConnectionAddr, IntoConnectionInfo, TlsCertificates};

use super::error::{BoxError, ConnectionError};

/// The prefix of every key where the URL names no other.
const PREFIX: &str = "kana";

/// Whether a prefix is made of allowed characters: it stands between the braces of a hash tag, and in Lua code.
fn is_prefix(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte))
}

/// The address of a queue in Redis: `redis://[user:password@]host[:port][/database][?prefix=NAME&ca=FILE]`, with
/// `rediss://` for TLS.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// The URL as redis understands it, without our own parameters.
    pub(super) server: String,
    /// The hash tag of every key.
    pub(super) prefix: String,
    /// The certificate authority that the server's certificate must come from, instead of the system's.
    pub(super) authority: Option<PathBuf>,
    /// The URL as it was given, password included.
    given: String,
}

impl Address {
    /// The URL as it was given, password included, for another process that is to open the same queue.
    pub fn secret(&self) -> &str {
        &self.given
    }

    /// A client of the server, or of the node of its cluster that the queue has moved to.
    pub(super) fn client(&self, moved: Option<Node>) -> Result<Client, BoxError> {
        let mut server = self.server.as_str().into_connection_info()?;
        if let Some(node) = moved {
            let mut place = server.addr().clone();
            if let ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } = &mut place {
                (*host, *port) = (node.host, node.port);
            }
            server = server.set_addr(place);
        }
        let Some(path) = &self.authority else { return Ok(Client::open(server)?) };
        let root = std::fs::read(path);
        let root = root.map_err(|source| ConnectionError::Authority { path: path.display().to_string(), source })?;
        let trusted = TlsCertificates { client_tls: None, root_cert: Some(root) };
        Ok(Client::build_with_tls(server, trusted)?)
    }
}

/// A node of a Redis Cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    host: String,
    port: u16,
}

impl Node {
    /// Reads `HOST:PORT`, as in a redirection.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        Some(Self { host: host.to_owned(), port: port.parse().ok()? })
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |why: &str| format!("queue {:?} {why}", without_password(text));
        let (server, query) = text.split_once('?').unwrap_or((text, ""));
        let (mut prefix, mut authority) = (PREFIX.to_owned(), None);
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("prefix", value)) if is_prefix(value) => prefix = value.to_owned(),
                Some(("prefix", _)) => {
                    return Err(refuse("has a prefix that is not made of letters, digits and . : _ - alone"));
                }
                Some(("ca", value)) if !value.is_empty() => authority = Some(PathBuf::from(value)),
                _ => {
                    return Err(refuse(&format!("has the parameter {parameter:?}; prefix=NAME and ca=FILE are known")));
                }
            }
        }
        let url = redis::parse_redis_url(server).filter(|url| url.has_host());
        let url = url.ok_or_else(|| refuse("is not redis://[user:password@]host[:port][/database]"))?;
        if !matches!(url.scheme(), "redis" | "rediss") {
            return Err(refuse("is neither redis:// nor rediss://"));
        }
        if authority.is_some() && url.scheme() != "rediss" {
            return Err(refuse("has a certificate authority without TLS: write rediss://"));
        }
        Client::open(server).map_err(|error| refuse(&format!("cannot be used: {error}")))?;
        Ok(Self { server: server.to_owned(), prefix, authority, given: text.to_owned() })
    }
}

impl std::fmt::Display for Address {
    /// Writes the URL without its password, for logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&without_password(&self.given))
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Address({self})")
    }
}

fn without_password(url: &str) -> String {
    let hidden = || {
        let (scheme, rest) = url.split_once("://")?;
        let (userinfo, place) = rest.rsplit_once('@')?;
        let (user, _) = userinfo.split_once(':')?;
        Some(format!("{scheme}://{user}:***@{place}"))
    };
    hidden().unwrap_or_else(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_server_prefix_and_authority() {
        let address: Address =
            "rediss://me:secret@cache:6380/3?prefix=blue&ca=/etc/ca.pem".parse().expect("an address");

        assert_eq!(address.server, "rediss://me:secret@cache:6380/3");
        assert_eq!((address.prefix.as_str(), address.authority), ("blue", Some(PathBuf::from("/etc/ca.pem"))));
    }

    #[test]
    fn a_password_is_never_shown() {
        let address: Address = "redis://me:sec:ret@cache/0".parse().expect("an address");
        let refused = "redis://:secret@cache?colour=red".parse::<Address>().expect_err("no such parameter");

        assert_eq!(address.to_string(), "redis://me:***@cache/0");
        assert!(!format!("{address:?} {refused}").contains("ret"), "{refused}");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_a_reason() {
        for (url, why) in [
            ("redis://", "host"),
            ("redis://cache?prefix={x}", "prefix"),
            ("redis://cache?ca=/a", "rediss://"),
            ("redis://cache/many", "cannot be used"),
            ("redis://cache?timeout=1", "timeout"),
        ] {
            let refused = url.parse::<Address>().expect_err(url);
            assert!(refused.contains(why), "{url}: {refused}");
        }
    }
}
