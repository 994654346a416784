//! In which text does a process answer whoever asks for its metrics?
//!
//! In Prometheus's text format 0.0.4, which every scraper and `promtool check metrics` read, unless OpenMetrics is asked
//! for. The metrics are written as OpenMetrics, and rewritten where need be: the older format describes a counter by the
//! name of its series, knows neither units nor the type `info`, and has no end mark.

use std::fmt::{self, Write as _};

use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

use super::process;

/// The media type of OpenMetrics, without its parameters.
const OPEN_METRICS: &str = "application/openmetrics-text";

/// The media type of the older format, without its parameters.
const PLAIN: &str = "text/plain";

/// The text format of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    /// Prometheus's text format 0.0.4.
    Plain,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Exposition {
    /// Returns the format that a request with these `Accept` headers asks for: OpenMetrics where they name it, and do not
    /// prefer plain text.
    pub fn asked_by<'a>(accept: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut open, mut plain) = (0.0, 0.0);
        for range in accept.into_iter().flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default();
            let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
            if kind.eq_ignore_ascii_case(OPEN_METRICS) {
                open = f64::max(open, quality);
            } else if kind.eq_ignore_ascii_case(PLAIN) {
                plain = f64::max(plain, quality);
            }
        }
        if open > 0.0 && open >= plain { Self::OpenMetrics } else { Self::Plain }
    }

    /// Returns the media type, with its version.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Writes the metrics of `registry` and those of this process.
    ///
    /// # Errors
    /// None in practice: writing to a string does not fail.
    pub fn write(self, registry: &Registry) -> Result<String, fmt::Error> {
        let mut to = String::new();
        text::encode_registry(&mut to, registry)?;
        process::encode(&mut to)?;
        match self {
            Self::OpenMetrics => text::encode_eof(&mut to)?,
            Self::Plain => to = plain(&to)?,
        }
        Ok(to)
    }
}

/// Rewrites OpenMetrics without an end mark as the text format 0.0.4.
fn plain(open: &str) -> Result<String, fmt::Error> {
    let mut to = String::with_capacity(open.len());
    let mut lines = open.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(described) = line.strip_prefix("# HELP ") else {
            if !line.starts_with("# UNIT ") {
                writeln!(to, "{line}")?;
            }
            continue;
        };
        // The type follows at once.
        let kind = lines.next_if(|line| line.starts_with("# TYPE ")).and_then(|line| line.rsplit(' ').next());
        let (name, help) = described.split_once(' ').unwrap_or((described, ""));
        let (suffix, kind) = match kind {
            Some("counter") => ("_total", "counter"),
            Some("info") => ("_info", "gauge"),
            kind => ("", kind.unwrap_or("untyped")),
        };
        writeln!(to, "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}")?;
    }
    Ok(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asks_for_open_metrics_gets_it() {
        assert_eq!(Exposition::asked_by([]), Exposition::Plain);
        for accept in
            ["*/*", "text/plain", "text/html,*/*;q=0.8", "application/openmetrics-text;q=0", "application/json"]
        {
            assert_eq!(Exposition::asked_by([accept]), Exposition::Plain, "{accept}");
        }
        assert_eq!(Exposition::asked_by(["text/plain", "application/openmetrics-text;q=0.3"]), Exposition::Plain);
        // As Prometheus 2.42 asks.
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(Exposition::asked_by([prometheus]), Exposition::OpenMetrics);
    }

    #[test]
    fn plain_text_describes_each_series_by_its_own_name() {
        let open = "# HELP a_build Which.\n# TYPE a_build info\na_build_info{version=\"1\"} 1\n\
                    # HELP a_work_seconds Time.\n# TYPE a_work_seconds counter\n# UNIT a_work_seconds seconds\n\
                    a_work_seconds_total 2.5\n# HELP a_size Size.\n# TYPE a_size histogram\na_size_count 0\n";

        let plain = plain(open).unwrap();

        let wanted = "# HELP a_build_info Which.\n# TYPE a_build_info gauge\na_build_info{version=\"1\"} 1\n\
                      # HELP a_work_seconds_total Time.\n# TYPE a_work_seconds_total counter\na_work_seconds_total 2.5\n\
                      # HELP a_size Size.\n# TYPE a_size histogram\na_size_count 0\n";
        assert_eq!(plain, wanted);
    }
}
