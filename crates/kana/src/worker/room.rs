//! How many images to claim next?
//!
//! As many as finish in about [`BATCH_TIME_MAX`], and never more than the engine takes at once. A short batch keeps
//! three promises at a time: pods share a backlog fairly, a killed one takes little with it, and a draining one ends
//! within its two seconds. This file only decides; the loop that asks lives in `consumer`.

use std::time::Duration;

/// How long a batch should take: short enough to share and to drain, and some hundred times longer than what the
/// queue's two transactions around it cost.
pub const BATCH_TIME_MAX: Duration = Duration::from_millis(250);

/// How much the latest batch counts against all before it. Half: a machine that slows down is noticed in two batches.
const LATEST_WEIGHT: f64 = 0.5;

/// How many images fit, by what the latest ones took.
#[derive(Clone, Debug)]
pub struct Room {
    batch_max: usize,
    room: usize,
    /// Seconds an image, as a moving average; `None` before the first batch.
    per_image: Option<f64>,
}

impl Room {
    /// Room for one image, whose time is not known yet; never more than `batch_max`, which counts as at least 1.
    pub fn new(batch_max: usize) -> Self {
        Self { batch_max: batch_max.max(1), room: 1, per_image: None }
    }

    /// How many to claim now, from 1.
    pub fn next(&self) -> usize {
        self.room
    }

    /// Learns from a batch of `images` images that took `elapsed`. Only a full batch makes room for a larger one, at
    /// most twice as large, so that one lucky measurement never claims a backlog.
    pub fn learn(&mut self, images: usize, elapsed: Duration) {
        if images == 0 {
            return;
        }
        let latest = elapsed.as_secs_f64() / images as f64;
        let per_image = self.per_image.map_or(latest, |average| average + LATEST_WEIGHT * (latest - average));
        self.per_image = Some(per_image);

        let grown = if images >= self.room { self.room.saturating_mul(2) } else { self.room };
        // The cast saturates, which is right for an engine too fast to be measured: `affordable` is infinite then.
        let affordable = (BATCH_TIME_MAX.as_secs_f64() / per_image) as usize;
        self.room = grown.min(affordable).clamp(1, self.batch_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(room: &mut Room, per_image: Duration, batches: usize) -> usize {
        for _ in 0..batches {
            let images = room.next();
            room.learn(images, per_image * images as u32);
        }
        room.next()
    }

    #[test]
    fn the_first_claim_is_of_one_image() {
        assert_eq!(Room::new(64).next(), 1);
    }

    #[test]
    fn room_doubles_with_every_full_batch_of_a_fast_engine() {
        let mut room = Room::new(64);

        let grown: Vec<_> = (0..8).map(|_| after(&mut room, Duration::from_micros(100), 1)).collect();

        assert_eq!(grown, [2, 4, 8, 16, 32, 64, 64, 64]);
    }

    #[test]
    fn a_slow_engine_claims_one_image_at_a_time() {
        let mut room = Room::new(64);

        assert_eq!(after(&mut room, Duration::from_millis(500), 5), 1);
    }

    #[test]
    fn a_batch_is_kept_to_what_finishes_in_time() {
        let mut room = Room::new(64);

        assert_eq!(after(&mut room, Duration::from_millis(20), 10), 12);
    }

    #[test]
    fn an_engine_that_slows_down_gets_less_at_once() {
        let mut room = Room::new(64);
        after(&mut room, Duration::from_micros(100), 10);

        room.learn(64, Duration::from_millis(40) * 64);

        assert!(room.next() <= 12, "{} is too many", room.next());
    }

    #[test]
    fn a_batch_that_was_not_full_makes_no_more_room() {
        let mut room = Room::new(64);
        after(&mut room, Duration::from_micros(100), 3);

        room.learn(3, Duration::from_micros(300));

        assert_eq!(room.next(), 8);
    }

    #[test]
    fn an_engine_too_fast_to_measure_gets_all_that_it_takes() {
        let mut room = Room::new(64);

        assert_eq!(after(&mut room, Duration::ZERO, 10), 64);
    }
}
