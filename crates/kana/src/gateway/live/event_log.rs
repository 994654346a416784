//! Which events can still be read, and by whom?
//!
//! A ring of the latest events, each with a number. A reader remembers the number of its last one and asks for what is
//! behind it: nothing is kept for any reader, so a slow one costs nothing and is simply overtaken.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::watch;
use tracing::error;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A job changed.
    Job,
    /// A pod appeared, changed or went.
    Pod,
    /// The range, the number or the aim changed.
    Scale,
    /// How much there is to do changed.
    Queue,
    /// Something was done behind the scenes.
    Console,
    /// What keeps the pods from being seen or steered is another, or nothing any more.
    Trouble,
}

impl Kind {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Pod => "pod",
            Self::Scale => "scale",
            Self::Queue => "queue",
            Self::Console => "console",
            Self::Trouble => "trouble",
        }
    }
}

/// An event.
#[derive(Debug)]
pub struct Entry {
    /// Its number, from 1.
    pub number: u64,
    /// What it is about.
    pub kind: Kind,
    /// One JSON object.
    pub data: String,
}

/// Bytes of events kept, at most: a model of a thousand classes has jobs of 10 KB.
const BYTES_KEPT: usize = 16 << 20;

/// The latest events.
pub struct Feed {
    /// Tells this process's numbers from an earlier one's.
    boot: String,
    kept: usize,
    ring: Mutex<Ring>,
    latest: watch::Sender<u64>,
}

#[derive(Default)]
struct Ring {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    latest: u64,
}

/// A reader was overtaken, or comes from another process's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overtaken;

impl Feed {
    /// An empty one that keeps `kept` events.
    pub fn new(kept: usize) -> Self {
        let boot = format!("{:08x}", rand::random::<u32>());
        Self { boot, kept, ring: Mutex::default(), latest: watch::Sender::new(0) }
    }

    /// Adds an event.
    pub fn tell(&self, kind: Kind, about: &impl Serialize) {
        let data = match serde_json::to_string(about) {
            Ok(data) => data,
            Err(error) => return error!(error = %error, "could not write a {} event", kind.name()),
        };
        let mut ring = self.ring();
        let number = ring.latest + 1;
        ring.latest = number;
        ring.bytes += data.len();
        ring.entries.push_back(Arc::new(Entry { number, kind, data }));
        while ring.entries.len() > self.kept || ring.bytes > BYTES_KEPT {
            let Some(oldest) = ring.entries.pop_front() else { break };
            ring.bytes -= oldest.data.len();
        }
        // Inside the lock, so that numbers are told in order.
        self.latest.send_replace(number);
    }

    /// Up to `room` events behind number `after`.
    ///
    /// # Errors
    /// Where the next one is no longer kept.
    pub fn read(&self, after: u64, room: usize) -> Result<Vec<Arc<Entry>>, Overtaken> {
        let ring = self.ring();
        let oldest = ring.latest + 1 - ring.entries.len() as u64;
        if after + 1 < oldest || after > ring.latest {
            return Err(Overtaken);
        }
        let skip = usize::try_from(after + 1 - oldest).unwrap_or(usize::MAX);
        Ok(ring.entries.iter().skip(skip).take(room).cloned().collect())
    }

    /// The latest event's number, and word of each later one.
    pub fn latest(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    /// An event's name for `Last-Event-ID`.
    pub fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.boot)
    }

    /// The number behind a name of this process's own, where that and all later ones are kept.
    pub fn resume(&self, id: &str) -> Option<u64> {
        let (boot, number) = id.split_once('-')?;
        let number = number.parse().ok().filter(|_| boot == self.boot)?;
        self.read(number, 0).is_ok().then_some(number)
    }

    /// Nothing panics while it holds this lock, so what it guards is whole.
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed_of(events: u64, kept: usize) -> Feed {
        let feed = Feed::new(kept);
        (1..=events).for_each(|number| feed.tell(Kind::Job, &number));
        feed
    }

    fn numbers(feed: &Feed, after: u64) -> Result<Vec<u64>, Overtaken> {
        feed.read(after, 100).map(|entries| entries.iter().map(|entry| entry.number).collect())
    }

    #[test]
    fn a_reader_gets_what_is_behind_its_last_event() {
        let feed = feed_of(3, 10);

        assert_eq!(numbers(&feed, 0), Ok(vec![1, 2, 3]));
        assert_eq!(numbers(&feed, 2), Ok(vec![3]));
        assert_eq!(numbers(&feed, 3), Ok(vec![]));
    }

    #[test]
    fn a_reader_that_missed_an_event_is_told_so() {
        let feed = feed_of(12, 10);

        assert_eq!(numbers(&feed, 1), Err(Overtaken));
        assert_eq!(numbers(&feed, 2).map(|seen| seen.len()), Ok(10));
    }

    #[test]
    fn a_reader_from_the_future_is_told_so() {
        assert_eq!(numbers(&feed_of(3, 10), 4), Err(Overtaken));
    }

    #[test]
    fn only_this_lifes_names_can_be_resumed() {
        let (feed, other) = (feed_of(3, 10), Feed::new(10));

        assert_eq!(feed.resume(&feed.id(2)), Some(2));
        for id in [other.id(2), feed.id(9), "2".into(), String::new(), format!("{}-x", feed.boot)] {
            assert_eq!(feed.resume(&id), None, "{id}");
        }
    }

    #[test]
    fn large_events_push_out_more_than_one() {
        let feed = feed_of(5, 10);

        feed.tell(Kind::Job, &"x".repeat(BYTES_KEPT - 4));

        assert_eq!(numbers(&feed, 0), Err(Overtaken));
        assert!(feed.ring().bytes <= BYTES_KEPT);
    }
}
