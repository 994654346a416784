//! Which of many things ends next?

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::queue::rules;

/// Keys and the times at which they end, in that order.
#[derive(Debug)]
pub struct Deadlines<K> {
    by_end: BTreeSet<(Timestamp, K)>,
    ends: HashMap<K, Timestamp>,
}

impl<K: Clone + Eq + Hash + Ord> Deadlines<K> {
    pub fn new() -> Self {
        Self { by_end: BTreeSet::new(), ends: HashMap::new() }
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Every key, in the order in which they end.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.by_end.iter().map(|(_, key)| key)
    }

    pub fn ends(&self, key: &K) -> Option<Timestamp> {
        self.ends.get(key).copied()
    }

    /// Sets the time at which `key` ends, in place of any other.
    pub fn set(&mut self, key: K, ends: Timestamp) {
        self.remove(&key);
        self.by_end.insert((ends, key.clone()));
        self.ends.insert(key, ends);
    }

    pub fn remove(&mut self, key: &K) {
        if let Some((key, ends)) = self.ends.remove_entry(key) {
            self.by_end.remove(&(ends, key));
        }
    }

    /// Removes one key that is over, and returns it.
    pub fn pop(&mut self, now: Timestamp) -> Option<K> {
        let (ends, key) = self.by_end.first()?;
        if !rules::is_over(*ends, now) {
            return None;
        }
        let key = key.clone();
        self.remove(&key);
        Some(key)
    }

    /// Sets the time at which everything ends.
    pub fn set_all(&mut self, ends: Timestamp) {
        self.by_end = std::mem::take(&mut self.by_end).into_iter().map(|(_, key)| (ends, key)).collect();
        self.ends.values_mut().for_each(|end| *end = ends);
    }

    /// Cuts every end to `span` from now, at the latest: later ones began before the clock was set back.
    pub fn cut(&mut self, now: Timestamp, span: Duration) {
        let latest = rules::ends_latest(now, span);
        while let Some((_, key)) = self.by_end.last().filter(|(ends, _)| *ends > latest) {
            let key = key.clone();
            self.set(key, latest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_first_is_popped_first_and_only_once_it_is_over() {
        let mut deadlines = Deadlines::new();
        deadlines.set("late", Timestamp::from_millis(20));
        deadlines.set("early", Timestamp::from_millis(10));

        assert_eq!(deadlines.pop(Timestamp::from_millis(9)), None);
        assert_eq!(deadlines.pop(Timestamp::from_millis(30)), Some("early"));
        assert_eq!(deadlines.pop(Timestamp::from_millis(30)), Some("late"));
        assert_eq!(deadlines.len(), 0);
    }

    #[test]
    fn a_clock_set_back_cuts_what_would_last_longer_than_a_whole_span() {
        let mut deadlines = Deadlines::new();
        deadlines.set("k", Timestamp::from_millis(1_000_000));

        deadlines.cut(Timestamp::from_millis(5), Duration::from_millis(10));

        assert_eq!(deadlines.ends(&"k"), Some(Timestamp::from_millis(15)));
    }
}
