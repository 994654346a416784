//! Where does a program find the contract of the API?
//!
//! In a description that is generated from the handlers and their types, so that the two cannot drift apart.
//! `ui/openapi.json` is a copy, held equal by a test, from which the page's client is generated.

use std::sync::LazyLock;

use axum::Json;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi, SecurityRequirement};
use utoipa::{Modify, OpenApi as _};

use crate::gateway::{http::problem, routes, view};

/// The whole description, which never changes while the process runs.
static DESCRIPTION: LazyLock<OpenApi> = LazyLock::new(openapi);

/// Name of the security scheme in the description.
const BEARER: &str = "token";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "kana",
        description = "Classifies images through a durable queue. An accepted job is never lost. Errors are \
            problem documents (RFC 9457). A property whose value is not known yet is absent. Times are milliseconds \
            since the Unix epoch."
    ),
    components(schemas(
        problem::Document,
        view::Job,
        view::Pod,
        view::Queue,
        view::Fault,
        view::Scale,
        view::Console,
    )),
    modifiers(&BearerScheme),
)]
struct Description;

struct BearerScheme;

impl Modify for BearerScheme {
    fn modify(&self, openapi: &mut OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("Bearer token. Only needed if the gateway was started with tokens."))
            .build();
        openapi.components.get_or_insert_default().add_security_scheme(BEARER, SecurityScheme::Http(bearer));
        openapi.security =
            Some(vec![SecurityRequirement::default(), SecurityRequirement::new(BEARER, std::iter::empty::<String>())]);
    }
}

/// Builds the description without its routes.
pub(super) fn without_routes() -> OpenApi {
    Description::openapi()
}

/// Returns the whole description as JSON.
pub(super) async fn file() -> Json<&'static OpenApi> {
    Json(&DESCRIPTION)
}

/// Builds the whole description.
pub fn openapi() -> OpenApi {
    routes::all().into_openapi()
}

/// Writes the whole description as in the page's copy: indented JSON that ends in a newline.
///
/// # Errors
/// None in practice: a description made of strings can always be written.
pub fn openapi_text() -> Result<String, serde_json::Error> {
    openapi().to_pretty_json().map(|text| text + "\n")
}
