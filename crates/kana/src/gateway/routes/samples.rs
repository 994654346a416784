//! Which image can a person classify who has none at hand?

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderName, header};

use crate::gateway::http::problem::{Document, MEDIA_TYPE, Otherwise, Problem};
use kana_engine::model::Card;
use kana_train::data::samples;

/// Number of samples; more would show nothing new.
const SAMPLE_COUNT: usize = 1_000;

/// Returns a sample image
///
/// The image is a 28×28 PNG with brush strokes that kana draws itself: one of ten kana in turn. A number always gives
/// the same image.
#[utoipa::path(
    get,
    path = "/v1/samples/{number}",
    tag = "service",
    params(("number" = usize, Path, description = "Number of the sample, from 0 to 999")),
    responses(
        (status = 200, description = "The sample image", body = Vec<u8>, content_type = "image/png"),
        (status = 404, body = Document, content_type = MEDIA_TYPE,
            description = "The number is unknown, or this model cannot read samples"),
        Otherwise,
    )
)]
pub async fn read_sample(
    State(card): State<Arc<Card>>,
    Path(number): Path<String>,
) -> Result<([(HeaderName, &'static str); 1], Vec<u8>), Problem> {
    if !samples::are_readable_by(&card) {
        return Err(Problem::not_found(format!("there are no samples for the model {}", card.name)));
    }
    let sample = number.parse().ok().filter(|number| *number < SAMPLE_COUNT).map(samples::draw);
    let sample = sample.ok_or_else(|| Problem::not_found(format!("there is no sample {number:?}, only 0 to 999")))?;
    let png =
        samples::encode_png(&sample).map_err(|_| Problem::not_found(format!("sample {number} cannot be drawn")))?;
    Ok(([(header::CONTENT_TYPE, "image/png")], png))
}
