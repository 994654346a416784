//! What did a pod write to its log lately, also one that has just ended?

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

/// Bytes of a pod's log that are kept: some thousand lines.
const BYTES_MAX: usize = 256 << 10;

/// Logs of pods that have ended that are kept, beside those of all that run.
const ENDED_MAX: usize = 16;

/// The last lines of one pod's log.
#[derive(Default)]
pub struct PodLog {
    lines: Mutex<Lines>,
}

#[derive(Default)]
struct Lines {
    lines: VecDeque<String>,
    bytes: usize,
}

impl PodLog {
    /// Adds a line. The oldest lines go where there is no room.
    pub fn push(&self, line: String) {
        let mut log = self.lines.lock();
        log.bytes += line.len() + 1;
        log.lines.push_back(line);
        while log.bytes > BYTES_MAX
            && let Some(oldest) = log.lines.pop_front()
        {
            log.bytes -= oldest.len() + 1;
        }
    }

    /// The last `count` lines, oldest first.
    pub fn last(&self, count: usize) -> Vec<String> {
        let log = self.lines.lock();
        log.lines.iter().skip(log.lines.len().saturating_sub(count)).cloned().collect()
    }
}

/// The logs of all pods that run, and of some that have ended.
#[derive(Default)]
pub struct PodLogs {
    by_start: Vec<(String, Arc<PodLog>)>,
}

impl PodLogs {
    /// Begins the log of a pod. It counts as running as long as somebody else has the log.
    pub fn begin(&mut self, pod: &str) -> Arc<PodLog> {
        let log = Arc::new(PodLog::default());
        self.by_start.push((pod.to_owned(), log.clone()));
        let ended = self.by_start.iter().filter(|(_, log)| Arc::strong_count(log) == 1).count();
        if ended > ENDED_MAX
            && let Some(oldest) = self.by_start.iter().position(|(_, log)| Arc::strong_count(log) == 1)
        {
            self.by_start.remove(oldest);
        }
        log
    }

    /// The log of a pod, where it is kept.
    pub fn of(&self, pod: &str) -> Option<Arc<PodLog>> {
        self.by_start.iter().find(|(name, _)| name == pod).map(|(_, log)| log.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lines_make_room_for_new_ones() {
        let log = PodLog::default();
        let long = "x".repeat(BYTES_MAX / 2 - 1);

        for line in ["first", &long, &long, "last"] {
            log.push(line.to_owned());
        }

        assert_eq!(log.last(9), [&long, "last"]);
        assert_eq!(log.last(1), ["last"]);
    }

    #[test]
    fn the_logs_of_pods_that_run_stay_and_of_others_the_latest() {
        let mut logs = PodLogs::default();
        let running = logs.begin("running");

        for n in 0..=ENDED_MAX + 1 {
            logs.begin(&format!("ended-{n}"));
        }

        running.push("here".to_owned());
        assert_eq!(logs.of("running").map(|log| log.last(9)), Some(vec!["here".to_owned()]));
        assert!(logs.of("ended-0").is_none() && logs.of("ended-2").is_some());
    }
}
