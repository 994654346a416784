//! How long does a client want its request to wait for jobs?

use std::time::Duration;

use super::problem::Problem;

/// Reads a `wait` parameter: `30s`, `1m 30s`, or plain seconds.
///
/// # Errors
/// 422 that names the value, where it is none of these or longer than `max`.
pub fn parse(text: &str, max: Duration) -> Result<Duration, Problem> {
    let text = text.trim();
    let seconds = text.parse::<f64>().ok().map(Duration::try_from_secs_f64);
    let wait = match seconds {
        Some(wait) => wait.ok(),
        None => humantime::parse_duration(text).ok(),
    };
    let refused = |why: String| Problem::unprocessable(format!("wait is {text:?}, {why}"));
    let wait = wait.ok_or_else(|| refused("which is not a duration such as 30s".into()))?;
    if wait > max {
        return Err(refused(format!("and may be {} at most", humantime::format_duration(max))));
    }
    Ok(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Duration = Duration::from_secs(300);

    #[test]
    fn durations_and_plain_seconds_are_read() {
        for (text, millis) in
            [("30s", 30_000), ("1m 30s", 90_000), ("30", 30_000), ("0.5", 500), ("0", 0), ("5m", 300_000)]
        {
            assert_eq!(parse(text, MAX).map(|wait| wait.as_millis()).ok(), Some(millis), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for text in ["", "soon", "-1", "NaN", "inf", "1e300", "301", "6m", "30 s s"] {
            let problem = parse(text, MAX).unwrap_err();

            assert_eq!(problem.status().as_u16(), 422, "{text}");
            assert!(problem.detail().contains(&format!("{text:?}")), "{text}");
        }
    }
}
