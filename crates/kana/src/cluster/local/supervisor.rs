//! Which pods run, how many should, and how is the difference made up?
//!
//! One task owns every child and runs a loop: reports of children, orders of users and the depth of the queue only
//! change its state, and [`Supervisor::reconcile`] then starts or stops pods until the state is the desired one. It
//! never waits for a child, so no child can delay the others.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{error, info};

use super::autoscale::{Load, desired, superfluous};
use super::child::{self, Report};
use super::exit_log::ExitLog;
use super::respawn::{Exit, HEALTHY_AFTER, Respawn};
use super::{Config, Order, Shared, name};
use crate::cluster::reclaim::reclaim;
use crate::pod::{Error, Event, Phase, Pod, Scale, ScaledBy, Stop};
use crate::shutdown::Shutdown;
use kana_queue::clock::Clock;
use kana_queue::{Cause, Depth, Queue, WorkerId};

/// Time between two reads of the queue's depth. One costs tens of microseconds.
const DEPTH_EVERY: Duration = Duration::from_millis(100);

/// The same while there are no jobs, so that an idle service hardly wakes.
const DEPTH_EVERY_IDLE: Duration = Duration::from_millis(250);

/// Time that reading the depth may take: children and orders wait meanwhile.
const DEPTH_MAX: Duration = Duration::from_millis(500);

/// Time that children may take to end with the service: their own grace, and a moment for the kernel.
const END_MAX: Duration = Duration::from_secs(5);

/// Reports that may wait: a busy supervisor makes its children's tasks wait, which delays nothing that matters.
const REPORTS_MAX: usize = 64;

/// Orders that may wait for one child's task. A child needs one to stop and one to be killed.
const CHILD_ORDERS_MAX: usize = 4;

/// Wait for the next start where none is blocked: longer than until the next read of the depth.
const IDLE_WAIT: Duration = Duration::from_secs(3600);

/// Dependencies of the supervisor.
pub struct Parts {
    /// The queue whose depth decides how many pods there are, and whose jobs are reclaimed.
    pub queue: Arc<dyn Queue>,
    /// The wall clock, for what people see.
    pub clock: Arc<dyn Clock>,
    /// The state that everybody else reads.
    pub shared: Arc<Shared>,
}

struct Running {
    pod: Pod,
    pid: u32,
    started: Instant,
    orders: mpsc::Sender<Stop>,
}

/// The owner of every child.
pub struct Supervisor {
    config: Config,
    parts: Parts,
    generation: String,
    pods: Vec<Running>,
    desired: u32,
    spare_since: Option<Instant>,
    /// Number of jobs that each worker held when the depth was last read.
    running: BTreeMap<WorkerId, usize>,
    respawn: Respawn,
    /// The sender that every child's task gets a clone of.
    reporter: mpsc::Sender<(String, Report)>,
    reports: mpsc::Receiver<(String, Report)>,
}

impl Supervisor {
    /// Creates a supervisor that has started nothing yet.
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

    /// Keeps the pods running until `shutdown` begins, and then stops them.
    pub async fn run(mut self, mut orders: mpsc::Receiver<Order>, shutdown: Shutdown) {
        let mut read_depth = Instant::now();
        while !shutdown.has_begun() {
            self.reconcile(&shutdown);
            let retry = self.respawn.blocked_until(Instant::now()).unwrap_or_else(|| Instant::now() + IDLE_WAIT);
            tokio::select! {
                Some((name, report)) = self.reports.recv() => self.handle_report(&name, report, &shutdown),
                Some(order) = orders.recv() => self.handle_order(order),
                () = sleep_until(read_depth) => {
                    let is_idle = self.decide().await;
                    read_depth = Instant::now() + if is_idle { DEPTH_EVERY_IDLE } else { DEPTH_EVERY };
                }
                () = sleep_until(retry) => {}
                () = shutdown.begun() => {}
            }
        }
        self.end(&shutdown).await;
    }

    fn active(&self) -> usize {
        self.pods.iter().filter(|running| running.pod.phase != Phase::Stopping).count()
    }

    /// Starts and stops pods until as many run as are desired.
    fn reconcile(&mut self, shutdown: &Shutdown) {
        let desired = self.desired as usize;
        while self.active() < desired && self.respawn.blocked_until(Instant::now()).is_none() {
            self.start_one(shutdown);
        }
        if let Some(surplus) = self.active().checked_sub(desired).filter(|surplus| *surplus > 0) {
            let pods: Vec<_> = self.pods.iter().map(|running| running.pod.clone()).collect();
            for name in superfluous(&pods, &self.running, surplus) {
                // Fails only for an unknown pod, and this one was just found.
                let _ = self.stop(&name, Stop::Delete, "there are more than needed");
            }
        }
        self.publish_state();
    }

    fn start_one(&mut self, shutdown: &Shutdown) {
        let name = name::pod(&self.generation);
        let arguments = [&self.config.arguments[..], &["--name".into(), name.clone().into()]].concat();
        let begin = Instant::now();
        let Config { program, environment, .. } = &self.config;
        let start = child::Start { program, arguments: &arguments, environment };
        let log = self.parts.shared.logs.lock().begin(&name);
        let child = match child::start(&name, &start, log) {
            Ok(child) => child,
            Err(error) => {
                let exit = Exit { cause: Cause::Crashed, was_ready: false, age: Duration::ZERO };
                let pause = self.respawn.record_exit(&exit, Instant::now()).max(DEPTH_EVERY);
                let program = self.config.program.display();
                error!(error = %error, "could not run {program}, trying again in {pause:?}");
                self.publish_fault(&format!("could not run {program}: {error}"));
                return;
            }
        };
        let pid = child.pid().unwrap_or_default();
        info!(pod = name, pid, "started pod {name} as process {pid}");
        // As a person would type it: the page need not show in which folder the program is.
        let program = self.config.program.file_name().unwrap_or_default().to_string_lossy();
        let command = format!("{program} {}", arguments.join(OsStr::new(" ")).to_string_lossy());
        self.parts.shared.publish_command(command, format!("pid {pid}"), begin.elapsed());
        let (orders, inbox) = mpsc::channel(CHILD_ORDERS_MAX);
        let created = self.parts.clock.now();
        let pod = Pod { name, phase: Phase::Starting, created, restarts: 0, node: None, reason: None };
        self.parts.shared.publish(Event::Pod(pod.clone()));
        self.pods.push(Running { pod, pid, started: begin, orders });
        shutdown.spawn(child.run(inbox, self.reporter.clone()));
    }

    fn stop(&mut self, name: &str, how: Stop, why: &str) -> Result<(), Error> {
        let Some(running) = self.pods.iter_mut().find(|running| running.pod.name == name) else {
            return Err(Error::Unknown { name: name.to_owned() });
        };
        let begin = Instant::now();
        // A full inbox means that the child has several such orders already; a closed one that it has just ended.
        let _ = running.orders.try_send(how);
        if running.pod.phase != Phase::Stopping {
            running.pod.phase = Phase::Stopping;
            self.parts.shared.publish(Event::Pod(running.pod.clone()));
        }
        let pid = running.pid;
        let (option, verb, output) = match how {
            Stop::Delete | Stop::Evict => ("", "stopping", "asked to end"),
            Stop::Kill => ("-9 ", "killing", "killed"),
        };
        info!(pod = name, pid, reason = why, "{verb} pod {name}, process {pid}: {why}");
        self.parts.shared.publish_command(format!("kill {option}{pid}  # {name}"), output.into(), begin.elapsed());
        Ok(())
    }

    fn handle_order(&mut self, order: Order) {
        match order {
            Order::Stop { name, how, answer } => {
                let stopped = self.stop(&name, how, "a client of the gateway asked for it");
                self.publish_state();
                // Fails where the sender of the order no longer waits; the order is carried out all the same.
                let _ = answer.send(stopped);
            }
            Order::Range { range, answer } => {
                let begin = Instant::now();
                self.config.range = range;
                self.desired = self.desired.clamp(*self.config.range.start(), *self.config.range.end());
                let (min, max) = (self.config.range.start(), self.config.range.end());
                let command = format!("kana up --min {min} --max {max}");
                let output = format!("{} wanted", self.desired);
                self.parts.shared.publish_command(command, output, begin.elapsed());
                self.publish_state();
                let _ = answer.send(self.scale());
            }
        }
    }

    fn handle_report(&mut self, name: &str, report: Report, shutdown: &Shutdown) {
        let Some(at) = self.pods.iter().position(|running| running.pod.name == name) else { return };
        match report {
            Report::Ready => {
                let running = &mut self.pods[at];
                if running.pod.phase == Phase::Starting {
                    running.pod.phase = Phase::Ready;
                    self.parts.shared.publish(Event::Pod(running.pod.clone()));
                    self.parts.shared.set_fault(None);
                }
            }
            Report::Ended { exit, how, tail } => {
                let mut running = self.pods.remove(at);
                let was_stopping = std::mem::replace(&mut running.pod.phase, Phase::Gone) == Phase::Stopping;
                self.parts.shared.publish(Event::Pod(running.pod));
                shutdown.spawn(reclaim(self.parts.queue.clone(), WorkerId::of_pod(name), exit.cause));
                let log = ExitLog { pod: name, how: &how, tail: &tail };
                if was_stopping {
                    log.log_stopped();
                } else {
                    let pause = self.respawn.record_exit(&exit, Instant::now());
                    log.log_lost(&exit, pause);
                    if !pause.is_zero() && exit.cause == Cause::Crashed {
                        self.publish_fault(&log.summary());
                    }
                }
            }
        }
    }

    /// Publishes why pods cannot start, where none is ready: jobs are accepted all the same, and wait.
    fn publish_fault(&self, reason: &str) {
        if !self.pods.iter().any(|running| running.pod.phase == Phase::Ready) {
            self.parts.shared.set_fault(Some(format!("no worker can start, and jobs wait: {reason}")));
        }
    }

    /// Reads the queue's depth and decides how many pods there should be. Returns whether there are no jobs.
    async fn decide(&mut self) -> bool {
        // A queue that does not answer leaves the number as it is; those who need the queue report the failure.
        let Ok(Ok(depth)) = timeout(DEPTH_MAX, self.parts.queue.depth()).await else { return false };
        let now = Instant::now();
        let healthy = |running: &&Running| running.pod.phase == Phase::Ready && now - running.started >= HEALTHY_AFTER;
        if let Some(youngest) = self.pods.iter().filter(healthy).map(|running| running.started).max() {
            self.respawn.record_healthy(youngest);
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
        depth.waiting == 0 && self.running.is_empty()
    }

    fn load(&self, depth: &Depth) -> Load {
        let count = |is_counted: &dyn Fn(&Pod) -> bool| {
            u32::try_from(self.pods.iter().filter(|running| is_counted(&running.pod)).count()).unwrap_or(u32::MAX)
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
        Scale { min, max, current, desired: self.desired, by: ScaledBy::Local, paused: None }
    }

    fn publish_state(&self) {
        self.parts.shared.set_pods(self.pods.iter().map(|running| running.pod.clone()).collect());
        self.parts.shared.set_scale(self.scale());
    }

    async fn end(mut self, shutdown: &Shutdown) {
        let names: Vec<_> = self.pods.iter().map(|running| running.pod.name.clone()).collect();
        for name in names {
            let _ = self.stop(&name, Stop::Delete, "the service ends");
        }
        self.publish_state();
        let deadline = Instant::now() + END_MAX;
        while !self.pods.is_empty() {
            tokio::select! {
                Some((name, report)) = self.reports.recv() => self.handle_report(&name, report, shutdown),
                // Each child's own task has sent SIGKILL by now; a process that survives that waits for a disk.
                () = sleep_until(deadline) => return,
            }
        }
        self.publish_state();
    }
}
