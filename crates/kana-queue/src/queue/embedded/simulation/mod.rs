//! Is an accepted job ever lost, whatever becomes of processes, disks and clocks?
//!
//! A history follows from a seed. Senders, workers and readers call the queue, many calls at once: each is a future that
//! is polled when the seed says so, and so is the journal. The process is killed or the power cut at any step of the
//! disk, the disk runs full or fails to sync, workers die, lapse and settle late, the clock jumps. Then everything starts
//! again from what is left. What was promised before is compared with what is there, and in the end every accepted job
//! must have exactly one outcome.
//!
//! ```text
//! KANA_SEED=42 cargo test --package kana-queue --lib simulation
//! ```

mod answer;
mod disk;
mod history;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, ManualClock};
use crate::conformance::LIMITS;
use crate::queue::Limits;
use crate::queue::ledger::{Holder, Jobs, Record, Writes};

use super::journal::Journal;
use super::log::archive::Archive;
use super::log::{Log, Sizes};
use disk::{SimulatedDisk, SimulatedFile};
use history::History;

/// No outcome expires in a history, and no healthy job is claimed too often.
const SMALL: Limits = Limits {
    jobs_max: 12,
    claims_max: 1_000,
    outcome_ttl: Duration::from_secs(100 * 365 * 24 * 60 * 60),
    dead_ttl: Duration::from_secs(100 * 365 * 24 * 60 * 60),
    ..LIMITS
};

/// Files so small that a history fills several, and has the oldest tidied away while it still goes on.
const SIZES: Sizes = Sizes { segment: 512, slack: 0, tidied_at_once: 128, kept_in_memory: 3 };

/// Histories that are run where no seed is given, and their steps.
const CRASHES: u64 = 100_000;
const STEPS_OF_A_CRASH: usize = 30;
const SERVICES: u64 = 10_000;
const STEPS_OF_A_SERVICE: usize = 150;

/// A queue that is held in memory alone, or kept on a disk.
struct Service {
    holder: Holder,
    journal: Option<Journal<SimulatedDisk>>,
    archive: Option<Arc<Archive<SimulatedFile>>>,
}

impl Service {
    fn start(disk: &SimulatedDisk, clock: &Arc<ManualClock>, is_kept: bool) -> Self {
        let clock: Arc<dyn Clock> = clock.clone();
        if !is_kept {
            return Self { holder: Holder::new(SMALL, clock), journal: None, archive: None };
        }
        let (mut jobs, mut epoch, now) = (Jobs::new(SMALL, Writes::discarded()), 0, clock.now());
        let log = Log::open(disk.clone(), SIZES, |record| {
            if let Record::Opened { epoch: opened } = record {
                epoch = epoch.max(opened);
            }
            jobs.restore(record, now);
        });
        let log = log.expect("a journal that can be read");
        jobs.begin_journal(epoch + 1, SIZES.kept_in_memory);
        let archive = log.archive().clone();
        let holder = Holder::of(jobs, clock);
        let journal = Journal::new(log, holder.shared().clone(), "simulated".to_owned());
        Self { holder, journal: Some(journal), archive: Some(archive) }
    }
}

/// Runs `count` histories, or the one of the seed in `KANA_SEED`.
fn run(count: u64, steps: usize, is_kept: bool) {
    let seeds = match std::env::var("KANA_SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("KANA_SEED is a number");
            seed..seed + 1
        }
        Err(_) => 0..count,
    };
    for seed in seeds {
        let history = std::panic::AssertUnwindSafe(|| History::new(seed, is_kept).run(steps));
        if let Err(panic) = std::panic::catch_unwind(history) {
            let said = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            panic!("history {seed} fails ({said}): KANA_SEED={seed} cargo test --package kana-queue --lib simulation");
        }
    }
}

#[test]
fn a_crash_at_any_step_of_the_disk_loses_nothing_that_was_promised() {
    run(CRASHES, STEPS_OF_A_CRASH, true);
}

#[test]
fn a_service_on_a_disk_gives_every_accepted_job_one_outcome() {
    run(SERVICES, STEPS_OF_A_SERVICE, true);
}

#[test]
fn a_service_in_memory_gives_every_accepted_job_one_outcome() {
    run(SERVICES, STEPS_OF_A_SERVICE, false);
}
