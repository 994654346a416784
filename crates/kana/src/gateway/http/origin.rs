//! Does a request come from this service's own page, or from another web page?
//!
//! On a loopback address no token is needed, and any page that the user's browser shows can send requests there. Three
//! headers distinguish them: `Host` (a foreign name that was made to resolve to this machine: DNS rebinding), `Origin`
//! (the page that sends) and `Sec-Fetch-Site` (the browser's own statement). Programs other than browsers send neither
//! of the last two. This file only decides.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Uri, header};
use axum::middleware::Next;
use axum::response::Response;

use super::problem::Problem;
use crate::gateway::config::Config;

/// Lets requests through that come from this service's own page or from a program.
///
/// # Errors
/// 403.
pub async fn own_pages(State(config): State<Arc<Config>>, request: Request, next: Next) -> Result<Response, Problem> {
    let listen = Listen::of(&config);
    check(listen, request.method(), request.uri(), request.headers()).map_err(Problem::forbidden)?;
    Ok(next.run(request).await)
}

/// Kind of address that the gateway listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listen {
    /// Only this machine can reach the gateway, without a token.
    Loopback,
    /// Other machines can reach the gateway.
    Network,
}

impl Listen {
    fn of(config: &Config) -> Self {
        if config.listen.ip().is_loopback() { Self::Loopback } else { Self::Network }
    }
}

/// Checks whether a request is let through.
///
/// # Errors
/// The reason of the refusal.
fn check(listen: Listen, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), &'static str> {
    let host = headers.get(header::HOST).map(|host| host.to_str().unwrap_or(""));
    if listen == Listen::Loopback {
        // A request may name its host twice, and then its target counts (RFC 9112): neither may be foreign.
        let hosts = [host, uri.authority().map(|authority| authority.as_str())];
        if hosts.into_iter().flatten().any(|host| !is_loopback(host)) {
            return Err("the host is not a name of this machine's loopback");
        }
        if let Some(origin) = headers.get(header::ORIGIN) {
            let own = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
            let target = uri.authority().map(|authority| authority.as_str()).or(host);
            let same = own.is_some_and(|(scheme, from)| matches!(scheme, "http" | "https") && Some(from) == target);
            if !same {
                return Err("requests of foreign pages are refused");
            }
        }
    }
    let foreign = headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none");
    let follows_a_link = method == Method::GET && headers.get("sec-fetch-mode").is_some_and(|mode| mode == "navigate");
    if foreign && !follows_a_link && (listen == Listen::Loopback || !method.is_safe()) {
        return Err("requests of foreign pages are refused");
    }
    Ok(())
}

/// Whether `authority` (`host` or `host:port`) can only mean this machine.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let name = bare.trim_end_matches('.').to_ascii_lowercase();
    // Browsers resolve every name under localhost to the loopback themselves (RFC 6761).
    bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) || name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    use Listen::{Loopback, Network};

    fn passes(listen: Listen, method: Method, headers: &[(&'static str, &'static str)]) -> bool {
        let pairs = headers.iter().map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v)));
        check(listen, &method, &Uri::from_static("/v1/jobs"), &pairs.collect()).is_ok()
    }

    #[test]
    fn every_name_of_the_loopback_is_a_host() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.1.2.3", "[::1]:80", "kana.localhost:1"] {
            assert!(passes(Loopback, Method::POST, &[("host", host)]), "{host}");
        }
    }

    #[test]
    fn a_foreign_name_that_resolves_to_the_loopback_is_refused() {
        for host in ["evil.example", "evil.example:8080", "localhost.evil.example", "0.0.0.0", "10.0.0.1", ""] {
            assert!(!passes(Loopback, Method::GET, &[("host", host)]), "{host}");
        }
    }

    #[test]
    fn a_page_may_only_reach_the_address_that_it_came_from() {
        let from = |origin| passes(Loopback, Method::POST, &[("host", "localhost:8080"), ("origin", origin)]);

        assert!(from("http://localhost:8080"));
        for origin in ["http://evil.example", "http://localhost:3000", "http://127.0.0.1:8080", "null", ""] {
            assert!(!from(origin), "{origin}");
        }
    }

    #[test]
    fn programs_send_no_origin_and_are_let_through() {
        assert!(passes(Loopback, Method::POST, &[("host", "localhost:8080")]));
        assert!(passes(Network, Method::POST, &[("host", "kana.example")]));
    }

    #[test]
    fn the_browsers_own_statement_counts() {
        let from = |method, site, mode| {
            passes(Loopback, method, &[("host", "localhost"), ("sec-fetch-site", site), ("sec-fetch-mode", mode)])
        };

        assert!(from(Method::POST, "same-origin", "cors"));
        assert!(from(Method::GET, "none", "navigate"));
        assert!(from(Method::GET, "cross-site", "navigate"), "a link to the page");
        assert!(!from(Method::GET, "cross-site", "no-cors"), "an image in a foreign page");
        assert!(!from(Method::POST, "cross-site", "navigate"), "a form in a foreign page");
        assert!(!from(Method::POST, "same-site", "cors"), "another port of this machine");
    }

    #[test]
    fn on_a_network_address_any_host_passes_and_foreign_pages_may_change_nothing() {
        let page = |method, site| passes(Network, method, &[("host", "kana.example"), ("sec-fetch-site", site)]);

        assert!(page(Method::GET, "cross-site"));
        assert!(!page(Method::DELETE, "cross-site"));
        assert!(page(Method::DELETE, "same-origin"));
    }

    #[test]
    fn a_request_that_names_two_hosts_is_refused_where_one_is_foreign() {
        let uri = Uri::from_static("http://evil.example/v1/jobs");
        let headers = [(header::HOST, HeaderValue::from_static("localhost"))].into_iter().collect();

        assert!(check(Loopback, &Method::GET, &uri, &headers).is_err());
    }
}
