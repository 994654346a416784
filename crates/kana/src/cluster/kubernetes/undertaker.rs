//! When are the dead asked for what they held?
//!
//! Whatever died since the last look is seen to together, so that the end of a hundred pods asks the queue no more often
//! than that of one. A pod is seen to twice: its process may outlive its record by a moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep_until};

use super::board::Board;
use super::obituary::{Dead, Death};
use crate::cluster::take_back::{take_all_back, take_back_pods};
use kana_queue::{Cause, Queue};

/// How long a process may outlive its pod's record, which a forced deletion removes at once: SIGTERM, a second of
/// grace, SIGKILL, and as much again for a busy node.
const LINGER: Duration = Duration::from_secs(3);

/// Pods, and who is to blame for their ends.
type Pods = BTreeMap<String, Cause>;

/// Gives back what the dead held.
pub struct Undertaker {
    queue: Arc<dyn Queue>,
    board: Arc<Board>,
    deaths: UnboundedReceiver<Death>,
    /// Who is to be seen to a second time, and when; the earliest first.
    again: Vec<(Instant, Pods)>,
}

impl Undertaker {
    /// One that has nothing to do yet, and where to tell it of deaths. There are no more of them than pods and their
    /// restarts, so they need no bound of their own.
    pub fn new(queue: Arc<dyn Queue>, board: Arc<Board>) -> (Self, UnboundedSender<Death>) {
        let (sender, deaths) = mpsc::unbounded_channel();
        (Self { queue, board, deaths, again: Vec::new() }, sender)
    }

    /// Sees to the dead, until nobody can tell of any more.
    pub async fn run(mut self) {
        loop {
            let due = self.again.first().map(|(due, _)| *due);
            tokio::select! {
                death = self.deaths.recv() => match death {
                    Some(death) => self.bury(death).await,
                    None => return,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    let (_, pods) = self.again.remove(0);
                    take_back_pods(&self.queue, &self.without_successors(pods)).await;
                }
            }
        }
    }

    /// This one and all that are told of by now.
    async fn bury(&mut self, first: Death) {
        let (mut lives, mut pods) = (Vec::new(), Pods::new());
        let mut next = Some(first);
        while let Some(Death { dead, cause }) = next {
            match dead {
                Dead::Life(worker) => lives.push((worker, cause)),
                Dead::Pod(pod) => _ = pods.insert(pod, cause),
            }
            next = self.deaths.try_recv().ok();
        }
        take_all_back(&self.queue, lives).await;
        take_back_pods(&self.queue, &self.without_successors(pods.clone())).await;
        if !pods.is_empty() {
            self.again.push((Instant::now() + LINGER, pods));
        }
    }

    /// A pod that bears a dead one's name holds jobs of its own.
    fn without_successors(&self, mut pods: Pods) -> Pods {
        pods.retain(|pod, _| !self.board.shows(pod));
        pods
    }
}
