//! What do those do who call the queue, and what were they promised?

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::FutureExt as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rustix::io::Errno;

use crate::clock::{Clock as _, ManualClock};
use crate::conformance::{START, a_job, an_answer};
use crate::job::{BatchId, Job, JobId, Outcome, Progress, Verdict};
use crate::queue::ledger::Scribe as _;
use crate::queue::{Cause, Claim, Error, Idempotency, Lease, Queue, Settled, Settlement, Submission};

use super::answer::{Answer, Call, Known};
use super::disk::{Faults, SimulatedDisk};
use super::{SMALL, Service};

/// A history: everything that calls the queue, and what was promised to it.
pub struct History {
    random: StdRng,
    clock: Arc<ManualClock>,
    disk: SimulatedDisk,
    is_kept: bool,
    service: Service,
    calls: Vec<Call>,
    known: HashMap<JobId, Known>,
    accepted: HashSet<JobId>,
    refused: Vec<JobId>,
    unsure: Vec<Vec<JobId>>,
    claims: Vec<Claim>,
}

impl History {
    pub fn new(seed: u64, is_kept: bool) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let disk = SimulatedDisk::new(seed);
        let service = Service::start(&disk, &clock, is_kept);
        Self {
            random: StdRng::seed_from_u64(seed),
            clock,
            disk,
            is_kept,
            service,
            calls: Vec::new(),
            known: HashMap::new(),
            accepted: HashSet::new(),
            refused: Vec::new(),
            unsure: Vec::new(),
            claims: Vec::new(),
        }
    }

    pub fn run(mut self, steps: usize) {
        for _ in 0..steps {
            match self.random.random_range(0..40) {
                0..8 => self.submit(),
                8..15 => self.claim(),
                15..22 => self.settle(),
                22..31 => self.turn(),
                31 => self.read(),
                32 => self.release_or_extend(),
                33 => self.reclaim(),
                34 => self.pass_time(),
                35 => self.break_disk(),
                36 => self.drop_a_call(),
                _ => self.poll(),
            }
            if self.disk.has_stopped() || (self.is_kept && self.random.random_bool(0.02)) {
                self.crash();
            }
        }
        self.finish();
    }

    fn submit(&mut self) {
        let batch = BatchId::from_bytes(self.random.random());
        let now = self.clock.now();
        let id = |random: &mut StdRng| JobId::from_bytes(random.random());
        let count = self.random.random_range(1..=3);
        let jobs = (0..count).map(|n| Job { id: id(&mut self.random), ..a_job(batch, n, now) }).collect();
        let idempotency = self.random.random_bool(0.3).then(|| Idempotency {
            key: batch.to_string(),
            fingerprint: [1; 32],
            answer: "once".to_owned(),
        });
        let submission = Submission { batch, jobs, idempotency, name: None };
        let holder = self.service.holder.clone();
        self.start(async move {
            let answer = holder.submit(submission.clone()).await;
            Answer::Submitted(submission, answer)
        });
    }

    fn claim(&mut self) {
        let (holder, worker, limit) = (self.service.holder.clone(), self.worker(), self.random.random_range(1..=4));
        self.start(async move { Answer::Claimed(holder.claim(&worker.into(), limit, Duration::ZERO).await) });
    }

    /// Settles some claim, however old: its job may be another's by now, or over.
    fn settle(&mut self) {
        if self.claims.is_empty() {
            return;
        }
        let lease = self.claims[self.random.random_range(0..self.claims.len())].lease.clone();
        let good = self.random.random_bool(0.8);
        let result = if good { Ok(an_answer(self.random.random_range(0..10))) } else { Err("no".to_owned()) };
        if result.is_err() {
            self.charge(|job, _| job == lease.job);
        }
        let settlement = Settlement { lease, result };
        let holder = self.service.holder.clone();
        self.start(async move {
            let answer = holder.settle(vec![settlement.clone()]).await;
            Answer::Settled(settlement, answer)
        });
    }

    fn read(&mut self) {
        let ids: Vec<JobId> = self.accepted.iter().copied().collect();
        let holder = self.service.holder.clone();
        self.start(async move {
            let answer = holder.statuses(&ids).await;
            Answer::Read(ids, answer)
        });
    }

    fn release_or_extend(&mut self) {
        let recent = self.claims.len().saturating_sub(4);
        let leases: Vec<Lease> = self.claims[recent..].iter().map(|claim| claim.lease.clone()).collect();
        let (holder, is_release) = (self.service.holder.clone(), self.random.random_bool(0.5));
        self.start(async move {
            let done = if is_release { holder.release(&leases).await } else { holder.extend(&leases).await };
            done.map_or(Answer::Other, |_| Answer::Other)
        });
    }

    /// Somebody saw a worker end.
    fn reclaim(&mut self) {
        let (holder, worker, calls) = (self.service.holder.clone(), self.worker(), self.calls.len());
        let cause = if self.random.random_bool(0.7) { Cause::Stopped } else { Cause::Crashed };
        if cause == Cause::Crashed {
            self.charge(|_, holder| holder == worker);
        }
        self.start(async move { holder.reclaim(&worker.into(), cause).await.map_or(Answer::Other, |_| Answer::Other) });
        // At once, so that it concerns the claims that were charged.
        if self.calls.len() > calls {
            self.poll_one(calls);
        }
    }

    /// Notes a fault of these jobs' latest claims, by job and worker: each claim may be charged once.
    fn charge(&mut self, is_charged: impl Fn(JobId, &str) -> bool) {
        for Claim { lease, .. } in self.claims.iter().filter(|claim| is_charged(claim.job.id, claim.lease.worker.pod()))
        {
            let known = self.known.entry(lease.job).or_default();
            known.faults += u32::from(std::mem::take(&mut known.is_faultless));
        }
    }

    /// Lets time pass while somebody calls the queue, or a pause of everything, or sets the clock.
    fn pass_time(&mut self) {
        match self.random.random_range(0..4) {
            0 => self.clock.set(self.clock.now().before(Duration::from_secs(60 * 60))),
            1 | 2 => self.clock.advance(Duration::from_secs(self.random.random_range(3..60 * 60))),
            _ => {
                self.charge(|_, _| true);
                for _ in 0..self.random.random_range(1..=8) {
                    self.clock.advance(Duration::from_secs(1));
                    drop(self.service.holder.sweep().now_or_never());
                }
                return;
            }
        }
        // Whoever calls first after a pause finds that nobody lost anything.
        drop(self.service.holder.sweep().now_or_never());
    }

    fn break_disk(&mut self) {
        let faults = match self.random.random_range(0..6) {
            0 => Faults { no_sync: true, ..Faults::default() },
            1 => Faults { capacity: Some(self.random.random_range(70_000..90_000)), ..Faults::default() },
            2 => Faults { write_error: Some(Errno::DQUOT), ..Faults::default() },
            3 => Faults { write_error: Some(Errno::ROFS), ..Faults::default() },
            4 => Faults { stop_after: Some(self.random.random_range(1..20)), ..Faults::default() },
            _ => Faults::default(),
        };
        self.disk.set(faults);
    }

    /// A caller gives up.
    fn drop_a_call(&mut self) {
        if !self.calls.is_empty() {
            let at = self.random.random_range(0..self.calls.len());
            drop(self.calls.swap_remove(at));
        }
    }

    fn turn(&mut self) {
        let (is_hurried, is_here) = (self.random.random_bool(0.3), self.random.random_bool(0.3));
        match &mut self.service.journal {
            Some(journal) if is_here => _ = journal.write_here(),
            Some(journal) => {
                if is_hurried {
                    journal.hurry();
                }
                journal.turn();
            }
            None => {}
        }
        if !self.disk.has_stopped() {
            self.poll();
        }
    }

    fn start(&mut self, call: impl Future<Output = Answer> + Send + 'static) {
        self.calls.push(Box::pin(call));
        if self.random.random_bool(0.7) {
            self.poll_one(self.calls.len() - 1);
        }
    }

    fn poll(&mut self) {
        for at in (0..self.calls.len()).rev() {
            self.poll_one(at);
        }
    }

    fn poll_one(&mut self, at: usize) {
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(answer) = self.calls[at].as_mut().poll(&mut context) {
            drop(self.calls.swap_remove(at));
            self.note(answer);
        }
    }

    /// Notes what was promised, and fails where it contradicts what was promised before.
    fn note(&mut self, answer: Answer) {
        match answer {
            Answer::Submitted(submission, answer) => {
                let ids: Vec<JobId> = submission.jobs.iter().map(|job| job.id).collect();
                match answer {
                    Ok(_) => self.accepted.extend(ids),
                    Err(Error::Full { .. } | Error::NoSpace { .. }) => self.refused.extend(ids),
                    Err(_) => self.unsure.push(ids),
                }
            }
            Answer::Claimed(claims) => {
                for claim in claims.into_iter().flatten() {
                    assert!(self.told(claim.job.id).is_none(), "{} is over and was claimed", claim.job.id);
                    self.known.entry(claim.job.id).or_default().is_faultless = true;
                    self.claims.push(claim);
                }
            }
            Answer::Settled(settlement, answer) => {
                let id = settlement.lease.job;
                let known = self.known.entry(id).or_default();
                if let Ok([Settled::Done]) = answer.as_deref() {
                    assert!(!known.is_done, "{id} was done twice");
                    // A job may be settled before its submission is refused, and is then nobody's.
                    known.is_done = self.accepted.contains(&id);
                }
            }
            Answer::Read(ids, Ok(statuses)) => {
                for (id, status) in ids.into_iter().zip(statuses) {
                    let Some(Progress::Settled(outcome)) = status.map(|status| status.progress) else { continue };
                    let told = self.known.entry(id).or_default().told.get_or_insert_with(|| outcome.clone());
                    assert_eq!(*told, outcome, "the outcome of {id} changed");
                }
            }
            Answer::Read(_, Err(_)) | Answer::Other => {}
        }
    }

    fn told(&self, id: JobId) -> Option<&Outcome> {
        self.known.get(&id)?.told.as_ref()
    }

    /// Where a job stands, without waiting until that is certain; `None` where it is unknown.
    fn status(&self, id: JobId) -> Option<Option<Outcome>> {
        let state = self.service.holder.shared().state.lock();
        let status = state.jobs.statuses(&[id], self.clock.now()).remove(0);
        drop(state);
        let archived = || self.service.archive.as_ref()?.outcome(id).expect("a disk that reads").map(|it| it.status);
        let status = status.or_else(archived)?;
        Some(match status.progress {
            Progress::Settled(outcome) => Some(outcome),
            _ => None,
        })
    }

    /// The process is killed, or the power fails. Whoever called gets no answer.
    fn crash(&mut self) {
        let mut is_power_cut = self.random.random_bool(0.5);
        self.calls.clear();
        if self.is_kept {
            if is_power_cut {
                self.disk.cut_power();
            } else {
                self.disk.kill();
            }
        } else {
            is_power_cut = false;
        }
        if self.is_kept {
            self.service = Service::start(&self.disk, &self.clock, true);
        }
        for id in &self.accepted {
            assert!(self.status(*id).is_some(), "{id} was accepted, and is lost");
        }
        for id in self.known.keys().copied().collect::<Vec<_>>() {
            let outcome = self.status(id).flatten();
            let known = self.known.entry(id).or_default();
            if outcome.is_none() && is_power_cut {
                // The only thing that a power cut may take: the job runs again.
                (known.told, known.is_done) = (None, false);
            }
            assert!(outcome.is_some() || !known.is_done, "{id} was done, and a killed process took it");
            assert!(known.told.is_none() || known.told == outcome, "the outcome of {id} changed");
        }
        for id in &self.refused {
            assert!(self.status(*id).is_none(), "{id} was refused, and is there");
        }
        for ids in &self.unsure {
            let there = ids.iter().filter(|id| self.status(**id).is_some()).count();
            assert!(there == 0 || there == ids.len(), "{there} of {} jobs of a submission are there", ids.len());
        }
    }

    /// With everything whole again, a worker finishes what is left.
    fn finish(mut self) {
        self.disk.set(Faults::default());
        // The answers that are still to come count.
        for _ in 0..200 {
            if self.calls.is_empty() {
                break;
            }
            if let Some(journal) = &mut self.service.journal {
                journal.hurry();
                journal.turn();
            }
            self.poll();
        }
        assert!(self.calls.is_empty(), "{} calls were never answered", self.calls.len());
        self.crash();
        // Leases lapse that nobody extends any more.
        self.charge(|_, _| true);
        for _ in 0..self.known.len() * 2 + 200 {
            let claims = self.service.holder.claim(&"last".into(), 4, Duration::ZERO).now_or_never();
            for claim in claims.expect("nothing to wait for").expect("claims") {
                let settlement = Settlement { lease: claim.lease, result: Ok(an_answer(1)) };
                let holder = self.service.holder.clone();
                self.start(async move {
                    let answer = holder.settle(vec![settlement.clone()]).await;
                    Answer::Settled(settlement, answer)
                });
            }
            if let Some(journal) = &mut self.service.journal {
                journal.hurry();
                journal.turn();
            }
            self.poll();
            self.clock.advance(Duration::from_secs(1));
            drop(self.service.holder.sweep().now_or_never());
        }
        self.crash();
        for id in &self.accepted {
            let outcome = self.status(*id).flatten().unwrap_or_else(|| panic!("{id} was accepted, and has no outcome"));
            if let Verdict::Failed { reason } = outcome.verdict {
                let faults = self.known.get(id).map_or(0, |known| known.faults);
                assert!(faults >= SMALL.attempts_max, "{id} had {faults} faults, and failed: {reason}");
            }
        }
    }

    fn worker(&mut self) -> &'static str {
        ["ka", "ki", "ku"][self.random.random_range(0..3)]
    }
}
