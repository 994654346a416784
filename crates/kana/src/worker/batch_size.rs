//! How many images does a worker claim next?
//!
//! As many as finish in about [`BATCH_TIME_MAX`], and never more than the engine takes at once. A short batch keeps
//! three promises at a time: pods share a backlog fairly, a killed pod takes few jobs with it, and a draining pod ends
//! within its two seconds. This file only decides; the loop that claims is in `consumer`.

use std::time::Duration;

/// Target for a batch's time in the engine: short enough to share and to drain, and some hundred times longer than the
/// queue's two transactions around a batch.
pub const BATCH_TIME_MAX: Duration = Duration::from_millis(250);

/// Weight of the latest batch against all batches before it. Half: a machine that slows down is noticed in two batches.
const LATEST_WEIGHT: f64 = 0.5;

/// The number of images to claim at once, adapted to how long recent batches took.
#[derive(Clone, Debug)]
pub struct BatchSize {
    max: usize,
    current: usize,
    /// Seconds an image, as a moving average; `None` before the first batch.
    per_image: Option<f64>,
}

impl BatchSize {
    /// Starts at one image, whose time is not known yet. `max` is the most ever claimed, and counts as at least 1.
    pub fn new(max: usize) -> Self {
        Self { max: max.max(1), current: 1, per_image: None }
    }

    /// Number of images to claim now, from 1.
    pub fn current(&self) -> usize {
        self.current
    }

    /// The time that a batch of `images` images takes, as far as batches so far tell.
    pub fn time_of(&self, images: usize) -> Option<Duration> {
        Duration::try_from_secs_f64(self.per_image? * images as f64).ok()
    }

    /// Adapts to a batch of `images` images that took `elapsed`. Only a full batch allows a larger one, at most twice
    /// as large, so that one lucky measurement never claims a backlog.
    pub fn adapt(&mut self, images: usize, elapsed: Duration) {
        if images == 0 {
            return;
        }
        let latest = elapsed.as_secs_f64() / images as f64;
        let per_image = self.per_image.map_or(latest, |average| average + LATEST_WEIGHT * (latest - average));
        self.per_image = Some(per_image);

        let grown = if images >= self.current { self.current.saturating_mul(2) } else { self.current };
        // The cast saturates, which is right for an engine too fast to be measured: `affordable` is infinite then.
        let affordable = (BATCH_TIME_MAX.as_secs_f64() / per_image) as usize;
        self.current = grown.min(affordable).clamp(1, self.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(size: &mut BatchSize, per_image: Duration, batches: usize) -> usize {
        for _ in 0..batches {
            let images = size.current();
            size.adapt(images, per_image * images as u32);
        }
        size.current()
    }

    #[test]
    fn the_first_claim_is_of_one_image() {
        assert_eq!(BatchSize::new(64).current(), 1);
    }

    #[test]
    fn the_size_doubles_with_every_full_batch_of_a_fast_engine() {
        let mut size = BatchSize::new(64);

        let grown: Vec<_> = (0..8).map(|_| after(&mut size, Duration::from_micros(100), 1)).collect();

        assert_eq!(grown, [2, 4, 8, 16, 32, 64, 64, 64]);
    }

    #[test]
    fn a_slow_engine_claims_one_image_at_a_time() {
        let mut size = BatchSize::new(64);

        assert_eq!(after(&mut size, Duration::from_millis(500), 5), 1);
    }

    #[test]
    fn a_batch_is_no_larger_than_what_finishes_in_time() {
        let mut size = BatchSize::new(64);

        assert_eq!(after(&mut size, Duration::from_millis(20), 10), 12);
    }

    #[test]
    fn an_engine_that_slows_down_gets_less_at_once() {
        let mut size = BatchSize::new(64);
        after(&mut size, Duration::from_micros(100), 10);

        size.adapt(64, Duration::from_millis(40) * 64);

        assert!(size.current() <= 12, "{} is too many", size.current());
    }

    #[test]
    fn a_batch_that_was_not_full_allows_no_larger_one() {
        let mut size = BatchSize::new(64);
        after(&mut size, Duration::from_micros(100), 3);

        size.adapt(3, Duration::from_micros(300));

        assert_eq!(size.current(), 8);
    }

    #[test]
    fn an_engine_too_fast_to_measure_gets_all_that_it_takes() {
        let mut size = BatchSize::new(64);

        assert_eq!(after(&mut size, Duration::ZERO, 10), 64);
    }
}
