//! Which host does a name, an address or a `Host` header mean?
//!
//! Clients and proxies write the same host in several ways: in any case, with a final dot, with or without the port that
//! the scheme implies, an IPv6 address in its long form. They are compared in one form.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use axum::http::uri::Authority;

/// Port of `http`, which browsers leave out.
const HTTP_PORT: u16 = 80;

/// Port of `https`, which browsers leave out.
const HTTPS_PORT: u16 = 443;

/// Host with the port that was given, if any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    name: Name,
    port: Option<u16>,
}

/// Name or address of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Ip(IpAddr),
    /// A name in lower case, without a final dot.
    Dns(String),
}

/// Reason why a text is no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a host name such as kana.example, kana.example:8443 or 192.0.2.7, without scheme and path")]
pub struct HostError;

impl Host {
    /// Reads the origin of a page, such as `https://kana.example`. The port is always set. Returns `None` for an origin
    /// that is no address of a web server, such as `null`.
    pub fn of_origin(origin: &str) -> Option<Self> {
        let (scheme, rest) = origin.split_once("://")?;
        let implied = match scheme {
            "http" => HTTP_PORT,
            "https" => HTTPS_PORT,
            _ => return None,
        };
        let host: Self = rest.parse().ok()?;
        Some(Self { port: host.port.or(Some(implied)), ..host })
    }

    /// Whether this is an address instead of a name. No name server decides what an address means.
    pub fn is_address(&self) -> bool {
        matches!(self.name, Name::Ip(_))
    }

    /// Whether this can only mean the machine itself.
    pub fn is_loopback(&self) -> bool {
        match &self.name {
            Name::Ip(ip) => ip.is_loopback(),
            // Browsers resolve every name under localhost to the loopback themselves (RFC 6761).
            Name::Dns(name) => name == "localhost" || name.ends_with(".localhost"),
        }
    }

    /// Whether `other` has the same name or address, on any port.
    pub fn is_same_name(&self, other: &Self) -> bool {
        self.name == other.name
    }

    /// Whether a page with this origin was served by `host`. A `Host` without a port means the one that the page's
    /// scheme implies: behind a proxy that speaks TLS the scheme is not known here.
    pub fn is_origin_of(&self, host: &Self) -> bool {
        let is_implied = matches!(self.port, Some(HTTP_PORT | HTTPS_PORT));
        self.name == host.name && (self.port == host.port || host.port.is_none() && is_implied)
    }

    /// Whether an allowed host includes `other`: every port of the name where this has none.
    pub fn includes(&self, other: &Self) -> bool {
        self.name == other.name && (self.port.is_none() || self.port == other.port)
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let text = text.trim();
        // An IPv6 address alone has no brackets on a command line.
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self { name: Name::Ip(ip.to_canonical()), port: None });
        }
        let authority: Authority = text.parse().map_err(|_| HostError)?;
        // An authority may name a user, and a port that is none.
        let after = authority.as_str().strip_prefix(authority.host()).ok_or(HostError)?;
        let port = match after.strip_prefix(':') {
            None | Some("") => None,
            Some(_) => Some(authority.port_u16().ok_or(HostError)?),
        };
        Ok(Self { name: authority.host().parse()?, port })
    }
}

impl FromStr for Name {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        if let Some(bracketed) = text.strip_prefix('[') {
            let ip: IpAddr = bracketed.strip_suffix(']').and_then(|ip| ip.parse().ok()).ok_or(HostError)?;
            return Ok(Self::Ip(ip.to_canonical()));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if let Ok(ip) = name.parse::<IpAddr>() {
            return Ok(Self::Ip(ip.to_canonical()));
        }
        let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if name.is_empty() || !is_name(&name) { Err(HostError) } else { Ok(Self::Dns(name)) }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Name::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]")?,
            Name::Ip(ip) => write!(f, "{ip}")?,
            Name::Dns(name) => write!(f, "{name}")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Host {
        text.parse().unwrap_or_else(|_| panic!("{text:?} is a host"))
    }

    #[test]
    fn one_host_may_be_written_in_many_ways() {
        for (one, other) in [
            ("kana.example", "KANA.Example."),
            ("[::1]:80", "[0:0:0:0:0:0:0:1]:80"),
            ("::1", "[::1]"),
            ("127.0.0.1:8080", "[::ffff:127.0.0.1]:8080"),
            ("kana.example:", "kana.example"),
            (" kana.example ", "kana.example"),
        ] {
            assert_eq!(host(one), host(other), "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in ["", ".", "a b", "me@kana.example", "https://kana.example", "kana.example/", "*.example", "a,b"] {
            assert_eq!(text.parse::<Host>(), Err(HostError), "{text:?}");
        }
        for text in ["kana.example:x", "kana.example:70000", "[::1", "[kana]", "かな.example", "me@[::1]:80"] {
            assert_eq!(text.parse::<Host>(), Err(HostError), "{text:?}");
        }
    }

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for text in ["localhost", "LOCALHOST:8080", "localhost.", "127.1.2.3", "[::1]:80", "kana.localhost:1"] {
            assert!(host(text).is_loopback(), "{text}");
        }
        for text in ["evil.example", "localhost.evil.example", "notlocalhost", "0.0.0.0", "10.0.0.1", "[::]"] {
            assert!(!host(text).is_loopback(), "{text}");
        }
    }

    #[test]
    fn an_origin_without_a_port_has_the_one_that_its_scheme_implies() {
        let origin = |text| Host::of_origin(text).unwrap();

        assert_eq!(origin("https://kana.example"), host("kana.example:443"));
        assert_eq!(origin("http://kana.example"), host("kana.example:80"));
        assert_eq!(origin("http://[::1]:8080"), host("[::1]:8080"));
        for text in ["null", "", "file://", "ftp://kana.example", "https://", "https://a/b", "https://a, https://b"] {
            assert_eq!(Host::of_origin(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_page_comes_from_the_host_with_its_name_and_port() {
        let from = |origin, target| Host::of_origin(origin).unwrap().is_origin_of(&host(target));

        assert!(from("https://kana.example", "kana.example"));
        assert!(from("https://kana.example", "kana.example:443"));
        assert!(from("http://kana.example", "kana.example:80"));
        assert!(from("https://kana.example:8443", "kana.example:8443"));
        assert!(!from("https://kana.example:8443", "kana.example"), "another port of the same machine");
        assert!(!from("http://kana.example:8080", "kana.example:8081"));
        assert!(!from("https://kana.example.evil.example", "kana.example"));
    }

    #[test]
    fn an_allowed_name_includes_every_port_and_an_allowed_port_only_itself() {
        assert!(host("kana.example").includes(&host("kana.example:8443")));
        assert!(host("kana.example:8443").includes(&host("kana.example:8443")));
        assert!(!host("kana.example:8443").includes(&host("kana.example:443")));
        assert!(!host("kana.example").includes(&host("a.kana.example")));
    }
}
