//! How does one machine run pods, with nothing installed?
//!
//! As child processes. [`Local`] is the handle that the gateway holds; its supervisor owns every child and alone
//! changes anything. It compares the number of running pods with the desired one and starts or stops the difference. So
//! a killed pod, a wider range and a backlog are all the same case.

mod autoscale;
mod child;
mod exit_log;
mod name;
mod pod_log;
mod probe;
mod respawn;
mod supervisor;

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::pod::{Cluster, Console, Error, Event, Pod, Scale, ScaledBy, Stop};
use crate::shutdown::Shutdown;
use kana_queue::Queue;
use kana_queue::clock::Clock;

use pod_log::PodLogs;
use supervisor::Supervisor;

pub use autoscale::POD_COUNT_MAX;

/// Events that a slow receiver may lag behind: every pod of a full machine starting, ready, stopping and gone, twice.
const EVENTS_MAX: usize = 512;

/// Orders that may wait for the supervisor, which handles one in microseconds.
const ORDERS_MAX: usize = 64;

/// The program that pods run, and how many pods there are.
#[derive(Clone, Debug)]
pub struct Config {
    /// The program that every pod runs: usually that of this process.
    pub program: PathBuf,
    /// The program's arguments, to which `--name NAME` is added. They must start a worker that ends with its standard
    /// input.
    pub arguments: Vec<OsString>,
    /// Environment variables that differ from this process's own, for values that must not show in a list of processes;
    /// `None` removes one.
    pub environment: Vec<(OsString, Option<OsString>)>,
    /// Range of the number of pods.
    pub range: RangeInclusive<u32>,
    /// Time that a pod must be spare before it is stopped.
    pub cool_down: Duration,
}

/// A request to the supervisor.
enum Order {
    Stop { name: String, how: Stop, answer: oneshot::Sender<Result<(), Error>> },
    Range { range: RangeInclusive<u32>, answer: oneshot::Sender<Scale> },
}

/// The latest pods and scale, which the supervisor writes and all others read.
struct Shared {
    pods: Mutex<Vec<Pod>>,
    scale: Mutex<Scale>,
    fault: Mutex<Option<String>>,
    logs: Mutex<PodLogs>,
    events: broadcast::Sender<Event>,
}

/// The pods of this machine.
pub struct Local {
    shared: Arc<Shared>,
    orders: mpsc::Sender<Order>,
    /// The supervisor and its inbox, until it is started.
    idle: Mutex<Option<(Supervisor, mpsc::Receiver<Order>)>>,
}

/// Checks that the number of pods can be within `range`.
///
/// # Errors
/// [`Error::Refused`], naming the bound that is wrong.
pub fn check_range(range: &RangeInclusive<u32>) -> Result<(), Error> {
    let (min, max) = (*range.start(), *range.end());
    let reason = match (min, max) {
        (_, 0) => "max is 0, and somebody must do the work".to_owned(),
        (_, POD_COUNT_MAX..) if max > POD_COUNT_MAX => {
            format!("max is {max}, and one machine takes {POD_COUNT_MAX} pods at most")
        }
        _ if min > max => format!("min is {min} and max is {max}, which leaves no number between"),
        _ => return Ok(()),
    };
    Err(Error::Refused { reason })
}

impl Local {
    /// Prepares pods that run from [`Local::start`] on.
    ///
    /// # Errors
    /// [`Error::Refused`] where no number is within the range.
    pub fn prepare(config: Config, queue: Arc<dyn Queue>, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        check_range(&config.range)?;
        let (min, max) = (*config.range.start(), *config.range.end());
        let scale = Scale { min, max, current: 0, desired: min, by: ScaledBy::Local, paused: None };
        let shared = Arc::new(Shared {
            pods: Mutex::default(),
            scale: Mutex::new(scale),
            fault: Mutex::default(),
            logs: Mutex::default(),
            events: broadcast::Sender::new(EVENTS_MAX),
        });
        let (orders, inbox) = mpsc::channel(ORDERS_MAX);
        let supervisor = Supervisor::new(config, supervisor::Parts { queue, clock, shared: shared.clone() });
        Ok(Self { shared, orders, idle: Mutex::new(Some((supervisor, inbox))) })
    }

    /// Starts the pods and keeps them running until `shutdown` begins; then stops them, and `shutdown` waits for that.
    /// Does nothing the second time.
    pub fn start(&self, shutdown: &Shutdown) {
        let idle = self.idle.lock().take();
        if let Some((supervisor, inbox)) = idle {
            shutdown.spawn(supervisor.run(inbox, shutdown.clone()));
        }
    }

    async fn request<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T, Error> {
        let (answer, wait) = oneshot::channel();
        let gone = |source: Box<dyn std::error::Error + Send + Sync>| Error::Unavailable {
            action: "reach the pods: this service is ending".into(),
            source,
        };
        self.orders.send(order(answer)).await.map_err(|_| gone("the supervisor has ended".into()))?;
        wait.await.map_err(|error| gone(error.into()))
    }
}

#[async_trait]
impl Cluster for Local {
    async fn pods(&self) -> Result<Vec<Pod>, Error> {
        Ok(self.shared.pods())
    }

    async fn stop(&self, name: &str, how: Stop) -> Result<(), Error> {
        self.request(|answer| Order::Stop { name: name.to_owned(), how, answer }).await?
    }

    async fn scale(&self) -> Result<Scale, Error> {
        Ok(self.shared.scale())
    }

    async fn set_range(&self, range: RangeInclusive<u32>) -> Result<Scale, Error> {
        check_range(&range)?;
        self.request(|answer| Order::Range { range, answer }).await
    }

    async fn logs(&self, name: &str, lines: u32) -> Result<String, Error> {
        let log = self.shared.logs.lock().of(name);
        let log = log.ok_or_else(|| Error::Unknown { name: name.to_owned() })?;
        Ok(log.last(usize::try_from(lines).unwrap_or(usize::MAX)).into_iter().map(|line| line + "\n").collect())
    }

    fn fault(&self) -> Option<String> {
        self.shared.fault.lock().clone()
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.shared.events.subscribe()
    }
}

impl Shared {
    fn pods(&self) -> Vec<Pod> {
        self.pods.lock().clone()
    }

    fn scale(&self) -> Scale {
        *self.scale.lock()
    }

    fn set_pods(&self, pods: Vec<Pod>) {
        *self.pods.lock() = pods;
    }

    /// Sets the scale, and publishes it where it changed.
    fn set_scale(&self, scale: Scale) {
        let before = std::mem::replace(&mut *self.scale.lock(), scale);
        if before != scale {
            self.publish(Event::Scale(scale));
        }
    }

    /// Sets the reason why no pod can start, and publishes it where it changed.
    fn set_fault(&self, fault: Option<String>) {
        let before = std::mem::replace(&mut *self.fault.lock(), fault.clone());
        if before != fault {
            self.publish(Event::Fault(fault));
        }
    }

    fn publish_command(&self, command: String, output: String, took: Duration) {
        self.publish(Event::Console(Console { command, output, took_ms: took.as_secs_f64() * 1_000.0 }));
    }

    fn publish(&self, event: Event) {
        // Fails only where nobody has subscribed.
        let _ = self.events.send(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(range: RangeInclusive<u32>) -> String {
        check_range(&range).unwrap_err().to_string()
    }

    #[test]
    fn a_range_that_holds_no_number_is_refused_with_its_bounds() {
        assert_eq!(message(RangeInclusive::new(3, 2)), "min is 3 and max is 2, which leaves no number between");
        assert_eq!(message(0..=0), "max is 0, and somebody must do the work");
        assert_eq!(message(1..=65), "max is 65, and one machine takes 64 pods at most");
        assert!(check_range(&(0..=64)).is_ok());
    }
}
