//! How are the range and the number of pods read and set?

use axum::extract::{Request, State};
use axum::{Extension, Json};
use serde_json::Value;

use crate::gateway::audit::{self, Act};
use crate::gateway::http::auth::Caller;
use crate::gateway::http::body::Bodies;
use crate::gateway::http::problem::{Document, MEDIA_TYPE, Otherwise, Problem};
use crate::gateway::upstream::TimedCluster;
use crate::gateway::view::{Range, Scale};

/// Largest number of pods of one service: a typing error should not start a million.
const PODS_MAX: u32 = 1_000;

/// Largest body of a range, in bytes: many times what two numbers need.
const BODY_BYTES_MAX: usize = 4_096;

/// Returns the range, the current and the desired number of pods
#[utoipa::path(
    get,
    path = "/v1/scale",
    tag = "pods",
    responses(
        (status = 200, description = "The current scale", body = Scale),
        Otherwise,
    )
)]
pub async fn read_scale(State(cluster): State<TimedCluster>) -> Result<Json<Scale>, Problem> {
    Ok(Json(cluster.call(|cluster| cluster.scale()).await?.into()))
}

/// Sets the range of the number of pods; the number itself follows later
#[utoipa::path(
    put,
    path = "/v1/scale",
    tag = "pods",
    request_body = Range,
    responses(
        (status = 200, description = "The scale with the new range", body = Scale),
        (status = 422, body = Document, content_type = MEDIA_TYPE,
            description = "The range is invalid, or the cluster refuses it"),
        Otherwise,
    )
)]
pub async fn set_scale(
    State(cluster): State<TimedCluster>,
    State(bodies): State<Bodies>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<Scale>, Problem> {
    let (bytes, _meter) = bodies.read(request, BODY_BYTES_MAX).await?;
    let range = parse(&bytes)?;
    let set = async { Ok(cluster.call(|cluster| cluster.set_range(range.min..=range.max)).await?) };
    Ok(Json(audit::record(&caller, Act::SetScale(range), set).await?.into()))
}

/// Parses a range.
fn parse(bytes: &[u8]) -> Result<Range, Problem> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| Problem::bad_request(format!("the body is not JSON: {error}")))?;
    let number = |name: &str| {
        let refused = |found: &dyn std::fmt::Display| {
            Problem::unprocessable(format!("{name} is {found}, not a whole number from 0 to {PODS_MAX}"))
        };
        let found = value.get(name).ok_or_else(|| refused(&"missing"))?;
        let number = found.as_u64().and_then(|number| u32::try_from(number).ok());
        number.filter(|number| *number <= PODS_MAX).ok_or_else(|| refused(found))
    };
    let range = Range { min: number("min")?, max: number("max")? };
    if range.max == 0 {
        return Err(Problem::unprocessable("max is 0; without a pod no job would ever be done"));
    }
    if range.min > range.max {
        return Err(Problem::unprocessable(format!("min is {}, more than max, which is {}", range.min, range.max)));
    }
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_parsed() {
        assert_eq!(parse(br#"{"max": 4, "min": 0}"#).unwrap(), Range { min: 0, max: 4 });
    }

    #[test]
    fn a_range_that_is_not_valid_is_refused_by_name() {
        for (body, word) in [
            (r#"{"max": 4}"#, "min is missing"),
            (r#"{"min": "1", "max": 4}"#, "min is \"1\""),
            (r#"{"min": 1.5, "max": 4}"#, "min is 1.5"),
            (r#"{"min": 1, "max": -4}"#, "max is -4"),
            (r#"{"min": 1, "max": 1001}"#, "max is 1001"),
            (r#"{"min": 5, "max": 4}"#, "min is 5"),
            (r#"{"min": 0, "max": 0}"#, "max is 0"),
            ("[]", "min is missing"),
        ] {
            let problem = parse(body.as_bytes()).unwrap_err();

            assert_eq!(problem.status().as_u16(), 422, "{body}");
            assert!(problem.detail().contains(word), "{body}: {}", problem.detail());
        }
    }

    #[test]
    fn a_body_that_is_not_json_is_a_bad_request() {
        assert_eq!(parse(b"min=1").unwrap_err().status().as_u16(), 400);
    }
}
