//! How was the model trained?

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, header};

use super::page::File;
use crate::gateway::http::problem::{Document, MEDIA_TYPE, Otherwise, Problem};
use kana_engine::model::Card;

/// Content security policy of a report: it is one file, which has its styles and images within, and runs nothing.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox";

/// Report of the model's training, where there is one.
#[derive(Clone)]
pub struct Report(Option<Arc<File>>);

impl Report {
    /// Keeps the page `html`, compressed.
    pub fn new(html: Option<Vec<u8>>) -> Self {
        Self(html.and_then(|html| File::new("report.html", html.into())).map(Arc::new))
    }

    /// Whether there is one.
    pub fn is_there(&self) -> bool {
        self.0.is_some()
    }
}

/// Returns the report of the model's training
///
/// The page that `kana train` wrote beside the model: its data, its curves, what it confuses, how sure it may be. It
/// loads nothing.
#[utoipa::path(
    get,
    path = "/v1/model/report",
    tag = "service",
    responses(
        (status = 200, description = "The report, one page of HTML", body = String, content_type = "text/html"),
        (status = 404, body = Document, content_type = MEDIA_TYPE, description = "The model has no report"),
        Otherwise,
    )
)]
pub async fn read_report(
    State(report): State<Report>,
    State(card): State<Arc<Card>>,
    headers: HeaderMap,
) -> Result<Response<Body>, Problem> {
    let file = report.0.ok_or_else(|| {
        Problem::not_found(format!(
            "the model {} has no report: `kana report` writes one into its folder, and the next start reads it",
            card.name
        ))
    })?;
    let mut response = file.answer(&headers);
    let policy = HeaderValue::from_static(CONTENT_SECURITY_POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}
