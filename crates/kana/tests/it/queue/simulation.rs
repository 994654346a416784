//! Does every accepted job get exactly one outcome, whatever workers, clocks and senders do?
//!
//! A history follows from a seed: who submits, claims, dies, settles twice, settles late, is stopped, cancels, and
//! where the clock jumps. [`History`] runs it against a queue, keeps its own small record of who holds what, and
//! fails at the first answer that contradicts it. Nothing in a history waits, so thousands pass in a second. A failure
//! prints its seed, and one command runs that history again:
//!
//! ```text
//! KANA_SEED=42 cargo test -p kana --test it simulation
//! ```

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use kana_queue::clock::Timestamp;
use kana_queue::conformance::Fixture;
use kana_queue::job::{BatchId, Job, JobId, Outcome, Progress, Status, Verdict};
use kana_queue::{
    Cancellation, Cause, Claim, Cursor, Error, Hold, Idempotency, Limits, Receipt, Settled, Submission, WorkerId,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::runtime::{self, Runtime};

use crate::support::queue::{Backend, LIMITS, NOW, a_job, done_as, failed};

/// Long enough that no outcome expires in a history, however far its clock jumps.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The suite's limits, but small enough to be full often.
const SMALL: Limits = Limits { jobs_max: 12, outcome_ttl: FOREVER, dead_ttl: FOREVER, dead_max: usize::MAX, ..LIMITS };

/// Steps of one history.
const STEPS: usize = 60;

/// Histories run where no seed is given.
const HISTORIES_IN_MEMORY: u64 = 3_000;
const HISTORIES_ON_A_DISK: u64 = 100;
const HISTORIES_IN_REDIS: u64 = 12;

const WORKERS: [&str; 4] = ["ka", "ki", "ku", "ke"];

struct History {
    random: StdRng,
    fixture: Fixture,
    /// Every job accepted, in the order submitted.
    accepted: Vec<JobId>,
    /// Every claim ever handed out: workers settle old ones too.
    claims: Vec<Claim>,
    /// Leases that must hold, and until when.
    held: HashMap<JobId, (u64, Timestamp)>,
    /// Jobs that have an outcome, and that outcome once it was read.
    over: HashMap<JobId, Option<Outcome>>,
    /// Jobs as a reader of changes last saw them.
    followed: HashMap<JobId, Status>,
    cursor: Cursor,
}

impl History {
    fn new(seed: u64, backend: Backend) -> Self {
        let _runtime = RUNTIME.enter();
        Self {
            random: StdRng::seed_from_u64(seed),
            fixture: Fixture::with_limits(backend, SMALL),
            accepted: Vec::new(),
            claims: Vec::new(),
            held: HashMap::new(),
            over: HashMap::new(),
            followed: HashMap::new(),
            cursor: Cursor(0),
        }
    }

    fn run(mut self) {
        for _ in 0..STEPS {
            match self.random.random_range(0..20) {
                0..4 => self.submit(),
                4..9 => self.claim(),
                9..13 => self.settle(),
                13 => self.extend(),
                14 => self.release(),
                15 => self.reclaim(),
                16 => self.cancel(),
                17 => self.follow(),
                _ => self.jump(),
            }
            self.look();
        }
        self.drain();
    }

    fn submit(&mut self) {
        let batch = BatchId::from_bytes(self.random.random());
        let count = self.random.random_range(1..=5);
        let now = self.fixture.now();
        // Ids follow from the seed too: leases that expire at the same moment expire in their order.
        let id = |random: &mut StdRng| JobId::from_bytes(random.random());
        let jobs: Vec<_> = (0..count).map(|n| Job { id: id(&mut self.random), ..a_job(batch, n, now) }).collect();
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        let waiting = block_on(self.fixture.queue.depth()).expect("a depth");
        let idempotency = self.random.random_bool(0.5).then(|| Idempotency {
            key: batch.to_string(),
            fingerprint: [1; 32],
            answer: "once".to_owned(),
        });
        let submission = Submission { batch, jobs, idempotency, name: None };

        let answer = block_on(self.fixture.queue.submit(submission.clone()));

        match answer {
            Ok(Receipt::Accepted) => self.accepted.extend(&ids),
            Err(Error::Full { .. }) => {
                // The clock may have dead-lettered a job since the depth was read, and made room; never taken any.
                assert!(waiting.waiting + waiting.in_flight() + ids.len() > SMALL.jobs_max, "full with room to spare");
                assert!(
                    block_on(self.fixture.queue.batch(batch)).expect("a batch").is_empty(),
                    "full, and accepted something"
                );
                return;
            }
            other => panic!("{other:?}"),
        }
        if self.random.random_bool(0.3) {
            let again = block_on(self.fixture.queue.submit(submission.clone())).expect("a repetition");
            assert_eq!(matches!(again, Receipt::Repeated { .. }), submission.idempotency.is_some());
        }
    }

    fn claim(&mut self) {
        let worker = self.worker();
        let limit = self.random.random_range(1..=6);
        let now = self.fixture.now();

        let claims = block_on(self.fixture.queue.claim(&worker.into(), limit, NOW)).expect("a claim");

        assert!(claims.len() <= limit, "more than the limit");
        assert!(claims.len() == 1 || claims.iter().all(|claim| claim.attempt == 1), "a retried job has neighbours");
        for claim in claims {
            let id = claim.job.id;
            assert!(!self.over.contains_key(&id), "{id} is over and was claimed");
            assert!(self.held.get(&id).is_none_or(|(_, until)| *until <= now), "{id} is held and was claimed");
            self.held.insert(id, (claim.lease.token, now.after(SMALL.lease)));
            self.claims.push(claim);
        }
    }

    /// Settles some claim, however old, once or twice, well or badly.
    fn settle(&mut self) {
        let Some(claim) = self.some_claim() else { return };
        let class = self.random.random_range(0..10);
        let good = self.random.random_bool(0.6);
        let settlement = if good { done_as(&claim, class) } else { failed(&claim, "no") };
        let id = claim.job.id;
        let (was_over, held) = (self.over.contains_key(&id), self.holds(&claim));

        let settled = block_on(self.fixture.queue.settle(vec![settlement.clone()])).expect("an answer")[0];
        let again = block_on(self.fixture.queue.settle(vec![settlement])).expect("an answer")[0];

        match settled {
            Settled::Done => assert!(good && !was_over, "{id} done twice"),
            Settled::Retried => assert!(!good && self.is_latest(&claim), "{id} failed by somebody who lost it"),
            Settled::Dead => assert!(!good && self.is_latest(&claim) && !was_over, "{id} died twice"),
            Settled::Late => assert!(was_over || !held || self.is_over(id), "{id} was held, and its settlement late"),
        }
        assert_eq!(again, Settled::Late, "settled again, it counted again");
        if settled != Settled::Late {
            self.held.remove(&id);
        }
        if matches!(settled, Settled::Done | Settled::Dead) {
            self.over.entry(id).or_insert(None);
            let outcome = self.outcome(id).expect("an outcome");
            assert_eq!(outcome.worker.as_ref().map(WorkerId::pod), Some(claim.lease.worker.pod()));
        }
    }

    fn extend(&mut self) {
        let Some(claim) = self.some_claim() else { return };
        let held = self.holds(&claim);

        let hold = block_on(self.fixture.queue.extend(std::slice::from_ref(&claim.lease))).expect("an answer")[0];

        assert!(!held || hold == Hold::Kept, "a lease that held was lost");
        if hold == Hold::Kept {
            self.held.insert(claim.job.id, (claim.lease.token, self.fixture.now().after(SMALL.lease)));
        }
    }

    fn release(&mut self) {
        let Some(claim) = self.some_claim() else { return };
        let held = self.holds(&claim);

        let hold = block_on(self.fixture.queue.release(std::slice::from_ref(&claim.lease))).expect("an answer")[0];

        assert!(!held || hold == Hold::Kept, "a lease that held was lost");
        if hold == Hold::Kept {
            self.held.remove(&claim.job.id);
        }
    }

    fn reclaim(&mut self) {
        let worker = self.worker();
        let cause = if self.random.random_bool(0.5) { Cause::Stopped } else { Cause::Crashed };

        block_on(self.fixture.queue.reclaim(&worker.into(), cause)).expect("an answer");

        let tokens: HashSet<u64> = self
            .claims
            .iter()
            .filter(|claim| claim.lease.worker.pod() == worker)
            .map(|claim| claim.lease.token)
            .collect();
        self.held.retain(|_, (token, _)| !tokens.contains(token));
    }

    fn cancel(&mut self) {
        let Some(id) = self.some_job() else { return };
        let was_over = self.over.contains_key(&id);

        match block_on(self.fixture.queue.cancel(id)).expect("an answer") {
            Cancellation::Cancelled => {
                let held = self.held.get(&id).is_some_and(|(_, until)| *until > self.fixture.now());
                assert!(!was_over && !held, "{id} had started, or was over");
                assert_eq!(self.outcome(id).map(|outcome| outcome.verdict), Some(Verdict::Cancelled));
                self.over.insert(id, None);
            }
            Cancellation::Running => assert!(!was_over),
            Cancellation::Settled => assert!(was_over || self.is_over(id)),
            Cancellation::Unknown => panic!("{id} was accepted, and is unknown"),
        }
    }

    /// Moves the clock a little or a lot, in either direction.
    fn jump(&mut self) {
        let spans = [1, 900, 5_999, 6_000, 60_000, 86_400_000].map(Duration::from_millis);
        let span = spans[self.random.random_range(0..spans.len())];
        if self.random.random_bool(0.75) {
            block_on(self.fixture.advance(span));
        } else {
            self.fixture.set_back(span);
            block_on(self.fixture.queue.sweep()).expect("a sweep");
            let latest = self.fixture.now().after(SMALL.lease);
            self.held.values_mut().for_each(|(_, until)| *until = latest.min(*until));
        }
        if self.random.random_bool(0.5) {
            block_on(self.fixture.queue.sweep()).expect("a sweep");
        }
        // An expired lease stays expired: after another jump backwards no worker may rely on it.
        let now = self.fixture.now();
        self.held.retain(|_, (_, until)| *until > now);
    }

    fn follow(&mut self) {
        let changes = block_on(self.fixture.queue.changes(self.cursor, NOW)).expect("changes");
        self.cursor = changes.cursor;
        self.followed.extend(changes.jobs.into_iter().map(|status| (status.id, status)));
    }

    /// Reads everything, and fails where an outcome was another one before.
    fn look(&mut self) {
        let statuses = block_on(self.fixture.queue.statuses(&self.accepted)).expect("statuses");
        let mut unsettled = 0;
        for (id, status) in self.accepted.iter().zip(statuses) {
            let status = status.unwrap_or_else(|| panic!("{id} was accepted, and is lost"));
            match status.progress {
                Progress::Settled(outcome) => {
                    let known = self.over.entry(*id).or_default().get_or_insert_with(|| outcome.clone());
                    assert_eq!(*known, outcome, "the outcome of {id} changed");
                    self.held.remove(id);
                }
                _ => {
                    assert!(!self.over.contains_key(id), "{id} was over, and is not");
                    unsettled += 1;
                }
            }
        }
        let depth = block_on(self.fixture.queue.depth()).expect("a depth");
        assert_eq!(depth.waiting + depth.in_flight(), unsettled, "the depth is not what is there");
        assert!(unsettled <= SMALL.jobs_max, "more than the queue may hold");
    }

    /// Lets a worker finish everything, and counts.
    fn drain(mut self) {
        // Every claim settles a job; where nothing can be claimed, a lease has to expire first.
        for _ in 0..self.accepted.len() * 2 {
            for claim in block_on(self.fixture.queue.claim(&"honest".into(), 4, NOW)).expect("a claim") {
                assert_eq!(
                    block_on(self.fixture.queue.settle(vec![done_as(&claim, 1)])).expect("an answer"),
                    [Settled::Done]
                );
            }
            block_on(self.fixture.advance(SMALL.lease));
        }
        self.held.clear();
        self.look();
        self.follow();

        let dead = block_on(self.fixture.queue.dead(usize::MAX)).expect("dead letters");
        let failed =
            |outcome: &&Option<Outcome>| matches!(outcome, Some(Outcome { verdict: Verdict::Failed { .. }, .. }));
        assert_eq!(self.over.len(), self.accepted.len(), "as many outcomes as jobs accepted");
        assert_eq!(dead.len(), self.over.values().filter(failed).count(), "as many dead letters as failed jobs");
        for id in &self.accepted {
            let followed = self.followed.get(id).map(|status| &status.progress);
            let Some(Progress::Settled(outcome)) = followed else { panic!("the end of {id} was no change") };
            assert_eq!(self.over[id].as_ref(), Some(outcome));
        }
    }

    /// Whether no worker claimed the same job after this. Such a lease may hold beyond its end, where the clock was set
    /// back before anybody looked.
    fn is_latest(&self, claim: &Claim) -> bool {
        let latest = self.claims.iter().rfind(|other| other.job.id == claim.job.id);
        latest.is_some_and(|latest| latest.lease == claim.lease)
    }

    fn holds(&self, claim: &Claim) -> bool {
        let now = self.fixture.now();
        self.held.get(&claim.job.id).is_some_and(|(token, until)| *token == claim.lease.token && *until > now)
    }

    fn is_over(&self, id: JobId) -> bool {
        self.outcome(id).is_some()
    }

    fn outcome(&self, id: JobId) -> Option<Outcome> {
        match block_on(self.fixture.queue.statuses(&[id])).expect("a status").remove(0)?.progress {
            Progress::Settled(outcome) => Some(outcome),
            _ => None,
        }
    }

    fn worker(&mut self) -> &'static str {
        WORKERS[self.random.random_range(0..WORKERS.len())]
    }

    fn some_claim(&mut self) -> Option<Claim> {
        let recent = self.claims.len().saturating_sub(8);
        let among = if self.random.random_bool(0.8) { recent..self.claims.len() } else { 0..self.claims.len() };
        (!among.is_empty()).then(|| self.claims[self.random.random_range(among)].clone())
    }

    fn some_job(&mut self) -> Option<JobId> {
        (!self.accepted.is_empty()).then(|| self.accepted[self.random.random_range(0..self.accepted.len())])
    }
}

/// Runs `count` histories, or the one of the seed in `KANA_SEED`.
fn run(count: u64, backend: impl Fn() -> Backend) {
    let seeds = match std::env::var("KANA_SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("KANA_SEED is a number");
            seed..seed + 1
        }
        Err(_) => 0..count,
    };
    let (begun, count) = (Instant::now(), seeds.end - seeds.start);
    for seed in seeds {
        let history = std::panic::AssertUnwindSafe(|| History::new(seed, backend()).run());
        if let Err(panic) = std::panic::catch_unwind(history) {
            eprintln!("history {seed} fails: KANA_SEED={seed} cargo test -p kana --test it simulation");
            std::panic::resume_unwind(panic);
        }
    }
    println!("{count} histories in {:?}", begun.elapsed());
}

/// The runtime of every queue, also between two calls.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime"));

fn block_on<T>(answer: impl Future<Output = T>) -> T {
    RUNTIME.block_on(answer)
}

#[test]
fn every_accepted_job_has_exactly_one_outcome_in_memory() {
    run(HISTORIES_IN_MEMORY, Backend::memory);
}

#[test]
fn every_accepted_job_has_exactly_one_outcome_on_a_disk() {
    run(HISTORIES_ON_A_DISK, Backend::embedded);
}

#[test]
fn every_accepted_job_has_exactly_one_outcome_in_redis() {
    run(HISTORIES_IN_REDIS, Backend::redis);
}
