//! How does every event stream read the same events at its own pace?
//!
//! A ring holds the latest events, each with a number. A stream remembers the number of its last event and reads the
//! events after it. Nothing is stored per stream, so a slow stream costs nothing: when it has missed an event, it must
//! begin again with the current state.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;
use tracing::error;

/// Largest sum of the events kept, in bytes: with a model of a thousand classes, one job is 10 KB.
const BYTES_KEPT: usize = 16 << 20;

/// Kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A job changed.
    Job,
    /// A pod appeared, changed or disappeared.
    Pod,
    /// The range, the current or the desired number of pods changed.
    Scale,
    /// The counts of the queue changed.
    Queue,
    /// A command ran.
    Console,
    /// A fault of the cluster began, changed or ended.
    Fault,
}

impl Kind {
    /// Returns the name of the event on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Pod => "pod",
            Self::Scale => "scale",
            Self::Queue => "queue",
            Self::Console => "console",
            Self::Fault => "trouble",
        }
    }
}

/// A published event.
#[derive(Debug)]
pub struct Entry {
    /// Number of the event: from 1, without gaps.
    pub number: u64,
    /// Kind of the event.
    pub kind: Kind,
    /// Data of the event: one JSON object.
    pub data: String,
}

/// The latest events.
pub struct EventLog {
    /// Random mark that distinguishes this process's event numbers from those of an earlier process.
    boot: String,
    /// Largest number of events kept.
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

/// Error of a read whose next event is no longer kept, or was never published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overtaken;

impl EventLog {
    /// Creates an empty log that keeps `kept` events.
    pub fn new(kept: usize) -> Self {
        let boot = format!("{:08x}", rand::random::<u32>());
        Self { boot, kept, ring: Mutex::default(), latest: watch::Sender::new(0) }
    }

    /// Appends an event and notifies every subscriber.
    pub fn publish(&self, kind: Kind, view: &impl Serialize) {
        let data = match serde_json::to_string(view) {
            Ok(data) => data,
            Err(error) => return error!(error = %error, "could not write a {} event", kind.name()),
        };
        let mut ring = self.ring.lock();
        let number = ring.latest + 1;
        ring.latest = number;
        ring.bytes += data.len();
        ring.entries.push_back(Arc::new(Entry { number, kind, data }));
        while ring.entries.len() > self.kept || ring.bytes > BYTES_KEPT {
            let Some(oldest) = ring.entries.pop_front() else { break };
            ring.bytes -= oldest.data.len();
        }
        // Inside the lock, so that numbers are sent in order.
        self.latest.send_replace(number);
    }

    /// Reads up to `count` events after number `after`.
    ///
    /// # Errors
    /// Where the next event is no longer kept.
    pub fn read(&self, after: u64, count: usize) -> Result<Vec<Arc<Entry>>, Overtaken> {
        let ring = self.ring.lock();
        let oldest = ring.latest + 1 - ring.entries.len() as u64;
        if after + 1 < oldest || after > ring.latest {
            return Err(Overtaken);
        }
        let skip = usize::try_from(after + 1 - oldest).unwrap_or(usize::MAX);
        Ok(ring.entries.iter().skip(skip).take(count).cloned().collect())
    }

    /// Subscribes to the number of the latest event.
    pub fn latest(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    /// Formats the number of an event as an id for `Last-Event-ID`.
    pub fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.boot)
    }

    /// Parses an id. Returns the number of the event if the id is from this process and all later events are kept.
    pub fn resume(&self, id: &str) -> Option<u64> {
        let (boot, number) = id.split_once('-')?;
        let number = number.parse().ok().filter(|_| boot == self.boot)?;
        self.read(number, 0).is_ok().then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_of(events: u64, kept: usize) -> EventLog {
        let log = EventLog::new(kept);
        (1..=events).for_each(|number| log.publish(Kind::Job, &number));
        log
    }

    fn numbers(log: &EventLog, after: u64) -> Result<Vec<u64>, Overtaken> {
        log.read(after, 100).map(|entries| entries.iter().map(|entry| entry.number).collect())
    }

    #[test]
    fn a_reader_gets_the_events_after_its_last_one() {
        let log = log_of(3, 10);

        assert_eq!(numbers(&log, 0), Ok(vec![1, 2, 3]));
        assert_eq!(numbers(&log, 2), Ok(vec![3]));
        assert_eq!(numbers(&log, 3), Ok(vec![]));
    }

    #[test]
    fn a_reader_that_missed_an_event_is_overtaken() {
        let log = log_of(12, 10);

        assert_eq!(numbers(&log, 1), Err(Overtaken));
        assert_eq!(numbers(&log, 2).map(|seen| seen.len()), Ok(10));
    }

    #[test]
    fn a_reader_whose_number_has_not_been_given_yet_is_overtaken() {
        assert_eq!(numbers(&log_of(3, 10), 4), Err(Overtaken));
    }

    #[test]
    fn only_ids_of_this_process_can_be_resumed() {
        let (log, other) = (log_of(3, 10), EventLog::new(10));

        assert_eq!(log.resume(&log.id(2)), Some(2));
        for id in [other.id(2), log.id(9), "2".into(), String::new(), format!("{}-x", log.boot)] {
            assert_eq!(log.resume(&id), None, "{id}");
        }
    }

    #[test]
    fn a_large_event_pushes_out_more_than_one() {
        let log = log_of(5, 10);

        log.publish(Kind::Job, &"x".repeat(BYTES_KEPT - 4));

        assert_eq!(numbers(&log, 0), Err(Overtaken));
        assert!(log.ring.lock().bytes <= BYTES_KEPT);
    }
}
