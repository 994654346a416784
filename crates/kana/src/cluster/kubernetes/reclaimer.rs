//! When are the jobs of terminated workers reclaimed?
//!
//! At once. All terminations that have arrived are handled together, so that the end of a hundred pods needs no more
//! queries of the queue than the end of one. The jobs of a pod are reclaimed twice, because its process may outlive its
//! record by a moment and claim once more.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep_until};
use tracing::info;

use super::cache::Cache;
use super::event_recorder::EventRecorder;
use super::termination::{Ended, Termination};
use crate::cluster::reclaim::{reclaim_from_all, reclaim_from_pods};
use kana_queue::{Cause, Queue};

/// Time that a process may outlive its pod's record, which a forced deletion removes at once: SIGTERM, a second of
/// grace, SIGKILL, and as much again for a busy node.
const OUTLIVED_MAX: Duration = Duration::from_secs(3);

/// Lost pods, by name, with the cause of each end.
type LostPods = BTreeMap<String, Cause>;

/// Second reclaim of the jobs of the same pods.
struct SecondPass {
    due: Instant,
    pods: LostPods,
}

/// Reclaims the jobs of terminated workers.
pub struct Reclaimer {
    queue: Arc<dyn Queue>,
    cache: Arc<Cache>,
    recorder: Arc<EventRecorder>,
    terminations: UnboundedReceiver<Termination>,
    /// Second passes that are due later, the earliest first.
    second_passes: VecDeque<SecondPass>,
}

impl Reclaimer {
    /// Creates an idle reclaimer, and the sender of the terminations that it acts on. There are no more of them than
    /// pods and their restarts, so the channel needs no bound of its own.
    pub fn new(
        queue: Arc<dyn Queue>,
        cache: Arc<Cache>,
        recorder: Arc<EventRecorder>,
    ) -> (Self, UnboundedSender<Termination>) {
        let (sender, terminations) = mpsc::unbounded_channel();
        (Self { queue, cache, recorder, terminations, second_passes: VecDeque::new() }, sender)
    }

    /// Reclaims jobs until the sender is dropped.
    pub async fn run(mut self) {
        loop {
            let due = self.second_passes.front().map(|pass| pass.due);
            tokio::select! {
                termination = self.terminations.recv() => match termination {
                    Some(termination) => self.first_pass(termination).await,
                    None => return,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    if let Some(pass) = self.second_passes.pop_front() {
                        let pods = self.without_successors(pass.pods);
                        let jobs = reclaim_from_pods(&self.queue, &pods).await;
                        self.report(jobs, pods.into_keys().collect()).await;
                    }
                }
            }
        }
    }

    /// Reclaims the jobs of this termination and of all others that have arrived by now.
    async fn first_pass(&mut self, first: Termination) {
        let (mut incarnations, mut pods) = (Vec::new(), LostPods::new());
        let mut next = Some(first);
        while let Some(Termination { ended, cause }) = next {
            match ended {
                Ended::Incarnation(worker) => {
                    info!(pod = worker.pod(), worker = %worker, cause = ?cause, "worker lost: {worker}");
                    incarnations.push((worker, cause));
                }
                Ended::Pod(pod) => {
                    info!(pod, cause = ?cause, "pod lost: {pod}");
                    pods.insert(pod, cause);
                }
            }
            next = self.terminations.try_recv().ok();
        }
        let names = incarnations.iter().map(|(worker, _)| worker.to_string()).chain(pods.keys().cloned()).collect();
        let of_incarnations = reclaim_from_all(&self.queue, incarnations).await;
        let of_pods = reclaim_from_pods(&self.queue, &self.without_successors(pods.clone())).await;
        self.report(of_incarnations + of_pods, names).await;
        if !pods.is_empty() {
            self.second_passes.push_back(SecondPass { due: Instant::now() + OUTLIVED_MAX, pods });
        }
    }

    /// Reports the jobs that one pass took back. Of several gateways the one that took them does.
    async fn report(&self, jobs: usize, names: Vec<String>) {
        if jobs == 0 {
            return;
        }
        self.cache.publish_reclaimed(jobs);
        let message = format!("{jobs} jobs wait again that these workers held when they ended: {}", names.join(", "));
        self.recorder.about_workers("Reclaimed", message).await;
    }

    /// Leaves out pods whose name another pod has taken: the jobs under that name belong to the new pod.
    fn without_successors(&self, mut pods: LostPods) -> LostPods {
        pods.retain(|pod, _| !self.cache.has_pod(pod));
        pods
    }
}
