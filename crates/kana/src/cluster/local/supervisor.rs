//! What runs, what should run, and how is the gap closed?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tracing::{error, info};

use super::child::{self, Report};
use super::obituary::Obituary;
use super::respawn::{Death, HEALTHY_AFTER, Respawn};
use super::scale::{Load, desired, superfluous};
use super::{Config, Order, Shared, name};
use crate::cluster::reclaim::reclaim;
use crate::pod::{Error, Event, Phase, Pod, Scale, ScaledBy, Stop};
use crate::shutdown::Shutdown;
use kana_queue::clock::Clock;
use kana_queue::{Depth, Queue, WorkerId};

/// How often the queue's depth is looked at. A look costs tens of microseconds.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long a look may take: children and orders wait meanwhile.
const LOOK_MAX: Duration = Duration::from_millis(500);

/// How long children may take to end with the service: their own grace, and a moment for the kernel.
const END_MAX: Duration = Duration::from_secs(5);

/// Reports that may wait: a busy supervisor makes its children wait with theirs, which hurts nobody.
const REPORTS_MAX: usize = 64;

/// The longest pause where there is none: a moment that does not come before the next look.
const LONG: Duration = Duration::from_secs(3600);

/// What the supervisor works with.
pub struct Parts {
    /// Whose depth it looks at, and to whom it tells deaths.
    pub queue: Arc<dyn Queue>,
    /// What time it is, for people.
    pub clock: Arc<dyn Clock>,
    /// Where readers look.
    pub shared: Arc<Shared>,
}

struct Running {
    pod: Pod,
    pid: u32,
    born: Instant,
    orders: mpsc::Sender<Stop>,
}

/// Owns every child.
pub struct Supervisor {
    config: Config,
    parts: Parts,
    generation: String,
    pods: Vec<Running>,
    desired: u32,
    spare_since: Option<Instant>,
    /// Jobs held, by worker, at the last look.
    running: BTreeMap<WorkerId, usize>,
    respawn: Respawn,
    /// Lent to every child.
    reporter: mpsc::Sender<(String, Report)>,
    reports: mpsc::Receiver<(String, Report)>,
}

impl Supervisor {
    /// One that has started nothing yet.
    pub fn new(config: Config, parts: Parts) -> Self {
        let (reporter, reports) = mpsc::channel(REPORTS_MAX);
        Self {
            generation: name::generation(&config.arguments),
            desired: *config.range.start(),
            config,
            parts,
            pods: Vec::new(),
            spare_since: None,
            running: BTreeMap::new(),
            respawn: Respawn::default(),
            reporter,
            reports,
        }
    }

    /// Keeps the pods until `shutdown` begins, and then ends them.
    pub async fn run(mut self, mut orders: mpsc::Receiver<Order>, shutdown: Shutdown) {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !shutdown.has_begun() {
            self.close_the_gap(&shutdown);
            let retry = self.respawn.opens_at(Instant::now()).unwrap_or_else(|| Instant::now() + LONG);
            tokio::select! {
                Some((name, report)) = self.reports.recv() => self.heard(&name, report, &shutdown),
                Some(order) = orders.recv() => self.obey(order),
                _ = look.tick() => self.look().await,
                () = sleep_until(retry) => {}
                () = shutdown.begun() => {}
            }
        }
        self.end(&shutdown).await;
    }

    fn active(&self) -> usize {
        self.pods.iter().filter(|running| running.pod.phase != Phase::Stopping).count()
    }

    fn close_the_gap(&mut self, shutdown: &Shutdown) {
        let wanted = self.desired as usize;
        while self.active() < wanted && self.respawn.opens_at(Instant::now()).is_none() {
            self.start_one(shutdown);
        }
        if let Some(surplus) = self.active().checked_sub(wanted).filter(|surplus| *surplus > 0) {
            let pods: Vec<_> = self.pods.iter().map(|running| running.pod.clone()).collect();
            for name in superfluous(&pods, &self.running, surplus) {
                // It was just found among the pods, so the only error there is cannot be.
                let _ = self.stop(&name, Stop::Delete);
            }
        }
        self.publish();
    }

    fn start_one(&mut self, shutdown: &Shutdown) {
        let name = name::pod(&self.generation);
        let arguments = [&self.config.arguments[..], &["--name".to_owned(), name.clone()]].concat();
        let begin = Instant::now();
        let Config { program, environment, .. } = &self.config;
        let start = child::Start { program, arguments: &arguments, environment };
        let life = match child::start(&name, &start) {
            Ok(life) => life,
            Err(failure) => {
                let death = Death { cause: kana_queue::Cause::Crashed, was_ready: false, age: Duration::ZERO };
                let pause = self.respawn.died(death, Instant::now()).max(LOOK_EVERY);
                error!("could not run {}, trying again in {pause:?}: {failure}", self.config.program.display());
                return;
            }
        };
        let pid = life.pid().unwrap_or_default();
        info!("started {name} as process {pid}");
        // As a person would type it: where the program lies is nobody's business on a page.
        let program = self.config.program.file_name().unwrap_or_default().to_string_lossy();
        let command = format!("{program} {}", arguments.join(" "));
        self.parts.shared.console(command, format!("pid {pid}"), begin.elapsed());
        let (orders, inbox) = mpsc::channel(4);
        let created = self.parts.clock.now();
        let pod = Pod { name, phase: Phase::Starting, created, restarts: 0, node: None, reason: None };
        self.parts.shared.tell(Event::Pod(pod.clone()));
        self.pods.push(Running { pod, pid, born: begin, orders });
        shutdown.spawn(life.live(inbox, self.reporter.clone()));
    }

    fn stop(&mut self, name: &str, how: Stop) -> Result<(), Error> {
        let Some(running) = self.pods.iter_mut().find(|running| running.pod.name == name) else {
            return Err(Error::Unknown { name: name.to_owned() });
        };
        let begin = Instant::now();
        // A full inbox means that the child has been told four times already; a closed one that it has just ended.
        let _ = running.orders.try_send(how);
        if running.pod.phase != Phase::Stopping {
            running.pod.phase = Phase::Stopping;
            self.parts.shared.tell(Event::Pod(running.pod.clone()));
        }
        let (command, output) = match how {
            Stop::Delete | Stop::Evict => (format!("kill {}", running.pid), "asked to end"),
            Stop::Kill => (format!("kill -9 {}", running.pid), "killed"),
        };
        info!("{command}  # {name}");
        self.parts.shared.console(format!("{command}  # {name}"), output.into(), begin.elapsed());
        Ok(())
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Stop { name, how, answer } => {
                let stopped = self.stop(&name, how);
                self.publish();
                // Whoever asked may have gone away; what was asked is done all the same.
                let _ = answer.send(stopped);
            }
            Order::Range { range, answer } => {
                let begin = Instant::now();
                self.config.range = range;
                self.desired = self.desired.clamp(*self.config.range.start(), *self.config.range.end());
                let (min, max) = (self.config.range.start(), self.config.range.end());
                let (command, output) =
                    (format!("kana up --min {min} --max {max}"), format!("{} wanted", self.desired));
                self.parts.shared.console(command, output, begin.elapsed());
                self.publish();
                let _ = answer.send(self.scale());
            }
        }
    }

    fn heard(&mut self, name: &str, report: Report, shutdown: &Shutdown) {
        let Some(at) = self.pods.iter().position(|running| running.pod.name == name) else { return };
        match report {
            Report::Ready => {
                let running = &mut self.pods[at];
                if running.pod.phase == Phase::Starting {
                    running.pod.phase = Phase::Ready;
                    self.parts.shared.tell(Event::Pod(running.pod.clone()));
                }
            }
            Report::Ended { death, how, tail } => {
                let mut running = self.pods.remove(at);
                let asked = std::mem::replace(&mut running.pod.phase, Phase::Gone) == Phase::Stopping;
                self.parts.shared.tell(Event::Pod(running.pod));
                shutdown.spawn(reclaim(self.parts.queue.clone(), WorkerId::of_pod(name), death.cause));
                let obituary = Obituary { name, how: &how, tail: &tail };
                match asked {
                    true => obituary.of_one_asked(),
                    false => obituary.of_one_replaced(death, self.respawn.died(death, Instant::now())),
                }
            }
        }
    }

    /// Looks at the queue and decides how many pods there should be.
    async fn look(&mut self) {
        // A queue that does not answer leaves the number as it is; whoever needs the queue says so.
        let Ok(Ok(depth)) = timeout(LOOK_MAX, self.parts.queue.depth()).await else { return };
        let now = Instant::now();
        let healthy = |running: &&Running| running.pod.phase == Phase::Ready && now - running.born >= HEALTHY_AFTER;
        if let Some(youngest) = self.pods.iter().filter(healthy).map(|running| running.born).max() {
            self.respawn.lived(youngest);
        }
        let mut load = self.load(&depth);
        if load.has_spare() {
            load.spare_for = now - *self.spare_since.get_or_insert(now);
        } else {
            self.spare_since = None;
        }
        let desired = desired(&load, &self.config.range, self.config.cool_down);
        if desired != self.desired {
            info!(
                "{} waiting, {} in flight: {desired} pods instead of {}",
                depth.waiting,
                depth.in_flight(),
                self.desired
            );
            // The next step down needs a cool-down of its own.
            self.spare_since = None;
            self.desired = desired;
        }
        self.running = depth.running;
    }

    fn load(&self, depth: &Depth) -> Load {
        let count = |fits: &dyn Fn(&Pod) -> bool| {
            u32::try_from(self.pods.iter().filter(|running| fits(&running.pod)).count()).unwrap_or(u32::MAX)
        };
        Load {
            desired: self.desired,
            ready: count(&|pod| pod.phase == Phase::Ready),
            busy: count(&|pod| {
                pod.phase != Phase::Stopping && depth.running.contains_key(&WorkerId::of_pod(&pod.name))
            }),
            waiting: depth.waiting,
            waited: depth.oldest.map(|oldest| self.parts.clock.now().since(oldest)).unwrap_or_default(),
            spare_for: Duration::ZERO,
        }
    }

    fn scale(&self) -> Scale {
        let (min, max) = (*self.config.range.start(), *self.config.range.end());
        let current = u32::try_from(self.active()).unwrap_or(u32::MAX);
        Scale { min, max, current, desired: self.desired, by: ScaledBy::Local }
    }

    fn publish(&self) {
        self.parts.shared.set_pods(self.pods.iter().map(|running| running.pod.clone()).collect());
        self.parts.shared.set_scale(self.scale());
    }

    async fn end(mut self, shutdown: &Shutdown) {
        let names: Vec<_> = self.pods.iter().map(|running| running.pod.name.clone()).collect();
        for name in names {
            let _ = self.stop(&name, Stop::Delete);
        }
        self.publish();
        let deadline = Instant::now() + END_MAX;
        while !self.pods.is_empty() {
            tokio::select! {
                Some((name, report)) = self.reports.recv() => self.heard(&name, report, shutdown),
                // Each child's own task has sent SIGKILL by now; one that survives it waits for a disk.
                () = sleep_until(deadline) => return,
            }
        }
        self.publish();
    }
}
