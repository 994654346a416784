//! How is the contract told to programs?
//!
//! Generated from the handlers and the types that they answer with, so that it cannot drift from them.
//! `ui/openapi.json` is a copy, held equal by a test, from which the page's client is generated.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi, SecurityRequirement};
use utoipa::{Modify, OpenApi as _};

use crate::gateway::{http::problem, routes, view};
use crate::pod;

/// The token's name in the description.
const BEARER: &str = "token";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "kana",
        description = "Classifies images behind a durable queue. A job that was taken in is never lost. Errors are \
            problem documents (RFC 9457). What is not known yet is absent; moments are milliseconds since the Unix \
            epoch."
    ),
    components(schemas(
        problem::Document,
        view::Job,
        view::Pod,
        view::Queue,
        view::Trouble,
        pod::Scale,
        pod::Console,
    )),
    modifiers(&Tokens),
)]
struct Description;

struct Tokens;

impl Modify for Tokens {
    fn modify(&self, openapi: &mut OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("Not needed on a loopback address unless the gateway was given tokens."))
            .build();
        openapi.components.get_or_insert_default().add_security_scheme(BEARER, SecurityScheme::Http(bearer));
        openapi.security =
            Some(vec![SecurityRequirement::default(), SecurityRequirement::new(BEARER, std::iter::empty::<String>())]);
    }
}

/// The description without its routes, for them to be added to.
pub(super) fn bare() -> OpenApi {
    Description::openapi()
}

/// The whole description.
pub fn openapi() -> OpenApi {
    routes::all().into_openapi()
}

/// The whole description as the page's copy has it: indented JSON that ends in a newline.
///
/// # Errors
/// None in practice: a description made of strings can always be written.
pub fn openapi_text() -> Result<String, serde_json::Error> {
    openapi().to_pretty_json().map(|text| text + "\n")
}
