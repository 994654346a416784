//! How long did requests take, most of them and the slowest?
//!
//! Durations are counted in buckets, each a 128th wider than the one before, so that a percentile is exact to 0.8 %
//! and a run of any length takes 30 KB.

use std::time::Duration;

/// Buckets for each doubling of a duration.
const STEPS: u64 = 128;

/// Durations below this many microseconds have a bucket each.
const EXACT_BELOW: u64 = STEPS;

/// The bucket of the longest duration told apart, an hour and more.
const BUCKETS: usize = 27 * STEPS as usize;

/// Counts of durations.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    counts: Vec<u64>,
    all: u64,
    longest: Duration,
}

impl Histogram {
    /// One with nothing in it.
    pub fn new() -> Self {
        Self { counts: vec![0; BUCKETS], all: 0, longest: Duration::ZERO }
    }

    /// Counts a duration.
    pub fn add(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.counts[bucket(micros).min(BUCKETS - 1)] += 1;
        self.all += 1;
        self.longest = self.longest.max(took);
    }

    /// Counts what another has counted.
    pub fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, count)| *sum += count);
        self.all += other.all;
        self.longest = self.longest.max(other.longest);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.all
    }

    /// The longest, exactly.
    pub fn longest(&self) -> Duration {
        self.longest
    }

    /// What a `share` of those counted did not exceed; zero where there are none.
    pub fn percentile(&self, share: f64) -> Duration {
        let wanted = ((self.all as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let found = self.counts.iter().position(|&count| {
            seen += count;
            seen >= wanted
        });
        found.map_or(Duration::ZERO, |bucket| Duration::from_micros(highest(bucket as u64)).min(self.longest))
    }
}

/// The bucket of a duration: below [`EXACT_BELOW`] itself, above it the leading eight bits of its binary digits and
/// how many follow them.
fn bucket(micros: u64) -> usize {
    if micros < EXACT_BELOW {
        return micros as usize;
    }
    let shift = micros.ilog2() - STEPS.ilog2();
    (u64::from(shift) * STEPS + (micros >> shift)) as usize
}

/// The longest duration in a bucket, in microseconds.
fn highest(bucket: u64) -> u64 {
    if bucket < EXACT_BELOW {
        return bucket;
    }
    let shift = bucket / STEPS - 1;
    ((bucket - shift * STEPS + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_at_most_its_buckets_highest_and_within_one_percent_of_it() {
        for micros in (0..100_000).chain((0..3_000).map(|n| n * 1_000_003)) {
            let highest = highest(bucket(micros) as u64);

            assert!(micros <= highest && highest as f64 <= micros as f64 * 1.008 + 0.5, "{micros} in {highest}");
        }
    }

    #[test]
    fn percentiles_are_those_of_what_was_counted() {
        let mut histogram = Histogram::new();
        (1..=1_000).for_each(|millis| histogram.add(Duration::from_millis(millis)));

        let near = |share, millis: f64| (histogram.percentile(share).as_secs_f64() * 1e3 / millis - 1.0).abs() < 0.01;
        assert!(near(0.5, 500.0) && near(0.9, 900.0) && near(0.99, 990.0));
        assert_eq!(histogram.percentile(1.0), Duration::from_secs(1));
        assert_eq!(Histogram::new().percentile(0.5), Duration::ZERO);
    }
}
