//! How many images a second may one sender submit?
//!
//! Each sender has a bucket that holds the images of one second and is filled at the limit's rate. A request needs room
//! for one image to begin and takes what it turns out to hold, so that a large upload is possible at any rate and the
//! sender then waits for as long as all of its images take. (Libraries that limit rates refuse such an upload instead,
//! or need a bucket as large as one.) A sender is a token; without tokens, a client address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::auth::Caller;
use super::problem::Problem;

/// Largest number of senders counted apart: some 500 KB. Any further ones are counted together.
const SENDERS_MAX: usize = 4_096;

/// Lowest and highest limit, in images a second: beyond these the arithmetic would suffer before any user did.
pub const RATES: std::ops::RangeInclusive<f64> = 0.001..=1_000_000.0;

/// Limits of all senders.
pub struct RateLimits {
    limit: Option<Limit>,
    /// The time at which each sender's bucket is full again, where that is to come.
    full_at: Mutex<HashMap<Sender, Instant>>,
}

/// Limit of one sender.
#[derive(Clone, Copy, Debug)]
struct Limit {
    /// Time that one image takes to be filled up again.
    image: Duration,
    /// Time that an empty bucket takes to fill.
    whole: Duration,
}

/// Whoever is counted as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Sender {
    Token([u8; 32]),
    Address(IpAddr),
    /// Everybody who cannot be told apart.
    Others,
}

impl RateLimits {
    /// Creates limits of so many images a second, within [`RATES`]; no limits where `None`.
    pub fn new(per_second: Option<f64>) -> Self {
        let limit = per_second.map(|rate| {
            let rate = rate.clamp(*RATES.start(), *RATES.end());
            let image = Duration::from_secs_f64(rate.recip());
            Limit { image, whole: image.max(Duration::from_secs(1)) }
        });
        Self { limit, full_at: Mutex::default() }
    }

    /// Takes one image from the caller's bucket.
    ///
    /// # Errors
    /// 429 where the bucket is empty.
    pub fn begin(&self, caller: &Caller) -> Result<(), Problem> {
        self.begin_at(caller, Instant::now())
    }

    /// Takes one further image of a request that has begun; an empty bucket is overdrawn.
    pub fn add(&self, caller: &Caller) {
        self.add_at(caller, Instant::now());
    }

    fn begin_at(&self, caller: &Caller, now: Instant) -> Result<(), Problem> {
        let Some(limit) = self.limit else { return Ok(()) };
        let taken = limit.take(slot(&mut self.full_at.lock(), caller, now), now);
        taken.map_err(|wait| {
            let seconds = u32::try_from(wait.as_secs_f64().ceil() as u64).unwrap_or(u32::MAX).max(1);
            let sender = if caller.identity.is_some() { "token" } else { "client" };
            let rate = limit.image.as_secs_f64().recip();
            Problem::busy(format!("this {sender} has sent more than its {rate:.3} images a second"), seconds)
        })
    }

    fn add_at(&self, caller: &Caller, now: Instant) {
        if let Some(limit) = self.limit {
            let mut full_at = self.full_at.lock();
            let slot = slot(&mut full_at, caller, now);
            *slot = limit.after_one(*slot, now);
        }
    }
}

/// Returns the entry of the caller, and makes room for it.
fn slot<'a>(full_at: &'a mut HashMap<Sender, Instant>, caller: &Caller, now: Instant) -> &'a mut Instant {
    let mut sender = match (caller.identity, caller.peer) {
        (Some(identity), _) => Sender::Token(identity),
        (None, Some(peer)) => Sender::Address(peer.client()),
        (None, None) => Sender::Others,
    };
    if full_at.len() >= SENDERS_MAX && !full_at.contains_key(&sender) {
        full_at.retain(|_, full_at| *full_at > now);
        if full_at.len() >= SENDERS_MAX {
            sender = Sender::Others;
        }
    }
    full_at.entry(sender).or_insert(now)
}

impl Limit {
    /// Takes one image from a bucket that is full again at `full_at`.
    ///
    /// # Errors
    /// The time until there is one.
    fn take(self, full_at: &mut Instant, now: Instant) -> Result<(), Duration> {
        let after = self.after_one(*full_at, now);
        let missing = after.duration_since(now).saturating_sub(self.whole);
        if missing.is_zero() {
            *full_at = after;
            return Ok(());
        }
        Err(missing)
    }

    /// Returns when the bucket is full again after one more image was taken.
    fn after_one(self, full_at: Instant, now: Instant) -> Instant {
        full_at.max(now) + self.image
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::http::peer::Peer;

    fn caller(identity: Option<u8>, address: &str) -> Caller {
        Caller::sample(identity.map(|byte| [byte; 32]), Some(Peer(address.parse().unwrap())))
    }

    /// The number of requests out of so many that pass at one time.
    fn passed(limits: &RateLimits, caller: &Caller, (requests, now): (usize, Instant)) -> usize {
        (0..requests).filter(|_| limits.begin_at(caller, now).is_ok()).count()
    }

    fn after(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_sender_has_the_images_of_one_second_and_gets_more_at_the_rate() {
        let (limits, token, start) = (RateLimits::new(Some(10.0)), caller(Some(1), "192.0.2.7:1"), Instant::now());

        assert_eq!(passed(&limits, &token, (20, start)), 10);
        assert_eq!(passed(&limits, &token, (20, after(start, 500))), 5);
        assert_eq!(passed(&limits, &token, (20, after(start, 60_000))), 10);
    }

    #[test]
    fn a_large_request_passes_once_and_is_paid_afterwards() {
        let (limits, token, start) = (RateLimits::new(Some(2.0)), caller(Some(1), "192.0.2.7:1"), Instant::now());

        limits.begin_at(&token, start).unwrap();
        (1..20).for_each(|_| limits.add_at(&token, start));

        // 20 images take 10 s, one second of which was there before; another image needs half a second more.
        assert_eq!(limits.begin_at(&token, start).unwrap_err().status().as_u16(), 429);
        assert!(limits.begin_at(&token, after(start, 9_400)).is_err());
        assert!(limits.begin_at(&token, after(start, 9_600)).is_ok());
    }

    #[test]
    fn a_rate_below_one_lets_one_image_through_at_a_time() {
        let (limits, token, start) = (RateLimits::new(Some(0.1)), caller(Some(1), "192.0.2.7:1"), Instant::now());

        assert_eq!(passed(&limits, &token, (2, start)), 1);
        assert_eq!(passed(&limits, &token, (2, after(start, 9_900))), 0);
        assert_eq!(passed(&limits, &token, (2, after(start, 10_100))), 1);
    }

    #[test]
    fn senders_are_counted_apart() {
        let limits = RateLimits::new(Some(1.0));
        let two = (2, Instant::now());

        assert_eq!(passed(&limits, &caller(Some(1), "192.0.2.7:1"), two), 1);
        assert_eq!(passed(&limits, &caller(Some(2), "192.0.2.7:1"), two), 1, "another token at the same address");
        assert_eq!(passed(&limits, &caller(None, "192.0.2.7:1"), two), 1, "without tokens");
        assert_eq!(passed(&limits, &caller(None, "192.0.2.7:2"), two), 0, "the same client from another port");
        assert_eq!(passed(&limits, &caller(None, "192.0.2.8:1"), two), 1);
    }

    #[test]
    fn senders_without_number_take_no_memory_without_end() {
        let (limits, start) = (RateLimits::new(Some(1.0)), Instant::now());
        let address = |n: usize| caller(None, &format!("10.0.{}.{}:1", n / 256, n % 256));

        let all: usize = (0..SENDERS_MAX + 100).map(|n| passed(&limits, &address(n), (1, start))).sum();

        assert_eq!(all, SENDERS_MAX + 1, "those beyond share one bucket");
        assert_eq!(passed(&limits, &address(SENDERS_MAX + 200), (1, after(start, 5_000))), 1);
        assert!(limits.full_at.lock().len() < 3, "who has not sent for a while is forgotten");
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let limits = RateLimits::new(None);

        assert_eq!(passed(&limits, &caller(None, "192.0.2.7:1"), (1_000, Instant::now())), 1_000);
    }
}
