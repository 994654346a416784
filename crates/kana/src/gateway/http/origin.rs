//! Does a request come from this service's own page, or from another web page?
//!
//! Any page that a person's browser shows can send requests to every address that the browser reaches. Three headers
//! tell them apart: `Origin` (the page that sends), `Sec-Fetch-Site` (the browser's own statement) and `Host` (a foreign
//! name that was made to resolve to this machine: DNS rebinding). Programs other than browsers send neither of the first
//! two.
//!
//! `Origin` is compared on every listener. `Host` is checked only where there are no tokens: a page behind a rebound
//! name counts as another site in the browser, so it has no token to send. There a host must be an address, which no
//! name server can redirect, a name of the loopback, or a name that the operator allowed. On a loopback address only the
//! loopback's own addresses are right. `X-Forwarded-Host` counts for nothing, because a rebound page can send it. This
//! file only decides.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};

use super::host::Host;
use super::problem::Problem;
use crate::gateway::config::Config;

/// Lets a request through that comes from this service's own page or from a program.
///
/// # Errors
/// 400 where the request names several hosts, 403 where it comes from elsewhere.
pub fn check(config: &Config, request: &Request) -> Result<(), Problem> {
    Rules::of(config).check(request.method(), request.uri(), request.headers())
}

/// Rules by which a listener tells its own pages from others.
#[derive(Clone, Copy, Debug)]
struct Rules<'a> {
    /// Whether nobody needs a token.
    is_open: bool,
    /// Whether only this machine can reach the gateway directly.
    is_loopback: bool,
    /// Names under which clients reach the gateway, besides its addresses.
    allowed: &'a [Host],
}

impl<'a> Rules<'a> {
    fn of(config: &'a Config) -> Self {
        Self {
            is_open: config.tokens.is_empty(),
            is_loopback: config.listen.ip().is_loopback(),
            allowed: &config.allowed_hosts,
        }
    }

    /// Checks whether a request is let through.
    ///
    /// # Errors
    /// 400, 403.
    fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let host = single_host(headers)?;
        // A request may name its host twice, and then its target counts (RFC 9112): neither may be foreign.
        let hosts = [uri.authority().map(|authority| authority.as_str()), host];
        if self.is_open {
            hosts.into_iter().flatten().try_for_each(|host| self.check_host(host))?;
        }
        let target = hosts.into_iter().flatten().next().and_then(|host| host.parse().ok());
        headers.get_all(header::ORIGIN).iter().try_for_each(|origin| self.check_origin(origin, target.as_ref()))?;
        let foreign = headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none");
        let follows_a_link =
            method == Method::GET && headers.get("sec-fetch-mode").is_some_and(|mode| mode == "navigate");
        if foreign && !follows_a_link && (self.is_open || !method.is_safe()) {
            return Err(Problem::forbidden("requests of foreign pages are refused"));
        }
        Ok(())
    }

    fn check_host(&self, text: &str) -> Result<(), Problem> {
        let host = text.parse::<Host>().ok();
        let is_own = host.is_some_and(|host| {
            let is_direct = host.is_loopback() || !self.is_loopback && host.is_address();
            is_direct || self.allowed.iter().any(|allowed| allowed.is_same_name(&host))
        });
        if is_own {
            return Ok(());
        }
        let what = if self.is_loopback { "no name of this machine's loopback" } else { "neither an address nor local" };
        let why = format!("the host {text:?} is {what}, and the gateway was not started with it as --allowed-host");
        Err(Problem::forbidden(why))
    }

    fn check_origin(&self, origin: &HeaderValue, target: Option<&Host>) -> Result<(), Problem> {
        let page = origin.to_str().ok().and_then(Host::of_origin);
        let is_own = page.is_some_and(|page| {
            let is_target = target.is_some_and(|target| page.is_origin_of(target));
            is_target || self.allowed.iter().any(|allowed| allowed.includes(&page))
        });
        if is_own {
            return Ok(());
        }
        let origin = String::from_utf8_lossy(origin.as_bytes());
        let why =
            format!("requests of foreign pages are refused: {origin:?} is neither this host nor an --allowed-host");
        Err(Problem::forbidden(why))
    }
}

/// Returns the value of the header `Host`; `""` where it cannot be read.
///
/// # Errors
/// 400 where there are several (RFC 9112).
fn single_host(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().map(|host| host.to_str().unwrap_or(""));
    match hosts.next() {
        Some(_) => Err(Problem::bad_request("the request has several Host headers")),
        None => Ok(host),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, StatusCode};

    use super::*;

    const LOOPBACK: Rules<'static> = Rules { is_open: true, is_loopback: true, allowed: &[] };
    const INSECURE: Rules<'static> = Rules { is_open: true, is_loopback: false, allowed: &[] };
    const TOKENS: Rules<'static> = Rules { is_open: false, is_loopback: false, allowed: &[] };

    fn passes(rules: Rules<'_>, method: Method, headers: &[(&'static str, &'static str)]) -> bool {
        status(rules, method, "/v1/jobs", headers).is_none()
    }

    fn status(
        rules: Rules<'_>,
        method: Method,
        uri: &'static str,
        headers: &[(&'static str, &'static str)],
    ) -> Option<StatusCode> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        rules.check(&method, &Uri::from_static(uri), &map).err().map(|problem| problem.status())
    }

    #[test]
    fn every_name_of_the_loopback_is_a_host() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.1.2.3", "[::1]:80", "kana.localhost:1"] {
            assert!(passes(LOOPBACK, Method::POST, &[("host", host)]), "{host}");
        }
    }

    #[test]
    fn a_foreign_name_that_resolves_to_the_loopback_is_refused() {
        for host in ["evil.example", "evil.example:8080", "localhost.evil.example", "0.0.0.0", "10.0.0.1", ""] {
            assert!(!passes(LOOPBACK, Method::GET, &[("host", host)]), "{host}");
        }
    }

    #[test]
    fn a_foreign_name_that_resolves_to_an_open_listener_is_refused() {
        for host in ["evil.example", "evil.example:8080", "localhost.evil.example", "10.0.0.1.evil.example", "kana", ""]
        {
            assert!(!passes(INSECURE, Method::POST, &[("host", host)]), "{host}");
            assert!(!passes(INSECURE, Method::GET, &[("host", host)]), "{host}");
        }
        for host in ["10.0.0.1:8080", "192.0.2.7", "[2001:db8::1]:8080", "localhost:8080", "127.0.0.1"] {
            assert!(passes(INSECURE, Method::POST, &[("host", host)]), "{host}");
        }
    }

    #[test]
    fn an_allowed_name_is_a_host_however_it_is_written() {
        let allowed = ["kana.example".parse().unwrap()];

        for rules in [LOOPBACK, INSECURE].map(|rules| Rules { allowed: &allowed, ..rules }) {
            for host in ["kana.example", "KANA.example.", "kana.example:8443", "127.0.0.1:8080"] {
                assert!(passes(rules, Method::POST, &[("host", host)]), "{host}");
            }
            assert!(!passes(rules, Method::POST, &[("host", "a.kana.example")]));
        }
    }

    #[test]
    fn where_there_are_tokens_every_host_passes() {
        for rules in [TOKENS, Rules { is_loopback: true, ..TOKENS }] {
            assert!(passes(rules, Method::POST, &[("host", "kana.example")]));
            assert!(passes(rules, Method::POST, &[("host", "kana.example"), ("origin", "https://kana.example")]));
        }
    }

    #[test]
    fn a_page_may_only_reach_the_address_that_it_came_from() {
        for rules in [LOOPBACK, INSECURE, TOKENS] {
            let from = |origin| passes(rules, Method::POST, &[("host", "localhost:8080"), ("origin", origin)]);

            assert!(from("http://localhost:8080"));
            for origin in ["http://evil.example", "http://localhost:3000", "http://127.0.0.1:8080", "null", ""] {
                assert!(!from(origin), "{origin} {rules:?}");
            }
        }
    }

    #[test]
    fn a_page_of_an_allowed_host_may_come_through_a_proxy_that_names_another() {
        let allowed = ["kana.example".parse().unwrap()];
        let rules = Rules { allowed: &allowed, ..LOOPBACK };
        let from = |origin| passes(rules, Method::POST, &[("host", "127.0.0.1:8080"), ("origin", origin)]);

        assert!(from("https://kana.example") && from("https://kana.example:8443"));
        assert!(!from("https://kana.example.evil.example") && !from("https://evil.example"));
    }

    #[test]
    fn what_a_page_can_forward_counts_for_nothing() {
        let forwarded = ("x-forwarded-host", "localhost");

        assert!(!passes(LOOPBACK, Method::POST, &[("host", "evil.example"), forwarded]));
        let foreign = ("origin", "http://evil.example");
        assert!(!passes(
            INSECURE,
            Method::POST,
            &[("host", "10.0.0.1"), foreign, ("x-forwarded-host", "evil.example")]
        ));
    }

    #[test]
    fn programs_send_no_origin_and_are_let_through() {
        assert!(passes(LOOPBACK, Method::POST, &[("host", "localhost:8080")]));
        assert!(passes(LOOPBACK, Method::POST, &[]));
        assert!(passes(TOKENS, Method::POST, &[("host", "kana.example")]));
    }

    #[test]
    fn the_browsers_own_statement_counts() {
        for rules in [LOOPBACK, INSECURE] {
            let from = |method, site, mode| {
                passes(rules, method, &[("host", "localhost"), ("sec-fetch-site", site), ("sec-fetch-mode", mode)])
            };

            assert!(from(Method::POST, "same-origin", "cors"));
            assert!(from(Method::GET, "none", "navigate"));
            assert!(from(Method::GET, "cross-site", "navigate"), "a link to the page");
            assert!(!from(Method::GET, "cross-site", "no-cors"), "an image in a foreign page");
            assert!(!from(Method::POST, "cross-site", "navigate"), "a form in a foreign page");
            assert!(!from(Method::POST, "same-site", "cors"), "another port of this machine");
        }
    }

    #[test]
    fn where_there_are_tokens_foreign_pages_may_change_nothing() {
        let page = |method, site| passes(TOKENS, method, &[("host", "kana.example"), ("sec-fetch-site", site)]);

        assert!(page(Method::GET, "cross-site"));
        assert!(!page(Method::DELETE, "cross-site"));
        assert!(page(Method::DELETE, "same-origin"));
    }

    #[test]
    fn a_request_that_names_two_hosts_is_refused_where_one_is_foreign() {
        let foreign = status(LOOPBACK, Method::GET, "http://evil.example/v1/jobs", &[("host", "localhost")]);

        assert_eq!(foreign, Some(StatusCode::FORBIDDEN));
    }

    #[test]
    fn a_request_with_two_host_headers_or_two_origins_is_refused() {
        let hosts = status(LOOPBACK, Method::GET, "/", &[("host", "localhost"), ("host", "evil.example")]);
        let origins = [("host", "localhost"), ("origin", "http://localhost"), ("origin", "http://evil.example")];

        assert_eq!(hosts, Some(StatusCode::BAD_REQUEST));
        assert_eq!(status(LOOPBACK, Method::POST, "/", &origins), Some(StatusCode::FORBIDDEN));
    }
}
