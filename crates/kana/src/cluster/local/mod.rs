//! How does one machine keep pods, with nothing installed?
//!
//! As child processes. [`Local`] is the handle that the gateway holds; the supervisor behind it owns every child and
//! alone changes anything. It compares what runs with what should and closes the gap: so a killed pod, a wider range
//! and a backlog are all the same case to it.

mod child;
mod name;
mod obituary;
mod probe;
mod respawn;
mod scale;
mod supervisor;

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::pod::{Cluster, Console, Error, Event, Pod, Scale, ScaledBy, Stop};
use crate::shutdown::Shutdown;
use kana_queue::Queue;
use kana_queue::clock::Clock;

use supervisor::Supervisor;

pub use scale::POD_COUNT_MAX;

/// Events that a slow listener may lag behind: every pod of a full machine started, ready, ended and told, twice.
const EVENTS_MAX: usize = 512;

/// Orders that may wait for the supervisor, which takes microseconds for one.
const ORDERS_MAX: usize = 64;

/// What pods are made of, and how many.
#[derive(Clone, Debug)]
pub struct Config {
    /// The program that every pod runs: this one, as a rule.
    pub program: PathBuf,
    /// Its arguments, to which `--name NAME` is added. They must make a worker that ends with its standard input.
    pub arguments: Vec<String>,
    /// Variables that it finds beside this process's own: what must not show in a list of processes.
    pub environment: Vec<(String, String)>,
    /// How many pods there may be.
    pub range: RangeInclusive<u32>,
    /// How long a pod must be spare before it goes.
    pub cool_down: Duration,
}

/// Something asked of the supervisor.
enum Order {
    Stop { name: String, how: Stop, answer: oneshot::Sender<Result<(), Error>> },
    Range { range: RangeInclusive<u32>, answer: oneshot::Sender<Scale> },
}

/// What is told to readers: written by the supervisor, read by anyone.
struct Shared {
    pods: Mutex<Vec<Pod>>,
    scale: Mutex<Scale>,
    events: broadcast::Sender<Event>,
}

/// The pods of this machine.
pub struct Local {
    shared: Arc<Shared>,
    orders: mpsc::Sender<Order>,
    /// The supervisor, before it is started.
    idle: Mutex<Option<(Supervisor, mpsc::Receiver<Order>)>>,
}

/// Whether `range` is one that pods can be kept in.
///
/// # Errors
/// [`Error::Refused`], naming the bound that is broken.
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
    /// Pods that are kept from [`Local::start`] on.
    ///
    /// # Errors
    /// [`Error::Refused`] where the range is none.
    pub fn prepare(config: Config, queue: Arc<dyn Queue>, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        check_range(&config.range)?;
        let (min, max) = (*config.range.start(), *config.range.end());
        let scale = Scale { min, max, current: 0, desired: min, by: ScaledBy::Local };
        let shared = Arc::new(Shared {
            pods: Mutex::default(),
            scale: Mutex::new(scale),
            events: broadcast::Sender::new(EVENTS_MAX),
        });
        let (orders, inbox) = mpsc::channel(ORDERS_MAX);
        let supervisor = Supervisor::new(config, supervisor::Parts { queue, clock, shared: shared.clone() });
        Ok(Self { shared, orders, idle: Mutex::new(Some((supervisor, inbox))) })
    }

    /// Starts the pods and keeps them until `shutdown` begins; then ends them in order, and `shutdown` waits for that.
    /// Does nothing the second time.
    pub fn start(&self, shutdown: &Shutdown) {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((supervisor, inbox)) = idle {
            shutdown.spawn(supervisor.run(inbox, shutdown.clone()));
        }
    }

    async fn ask<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T, Error> {
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
        self.ask(|answer| Order::Stop { name: name.to_owned(), how, answer }).await?
    }

    async fn scale(&self) -> Result<Scale, Error> {
        Ok(self.shared.scale())
    }

    async fn set_range(&self, range: RangeInclusive<u32>) -> Result<Scale, Error> {
        check_range(&range)?;
        self.ask(|answer| Order::Range { range, answer }).await
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.shared.events.subscribe()
    }
}

// Each lock guards one value that is replaced whole, so a poisoned one still guards a value.
impl Shared {
    fn pods(&self) -> Vec<Pod> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn scale(&self) -> Scale {
        *self.scale.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_pods(&self, pods: Vec<Pod>) {
        *self.pods.lock().unwrap_or_else(PoisonError::into_inner) = pods;
    }

    /// Sets the scale, and tells it where it is another.
    fn set_scale(&self, scale: Scale) {
        let before = std::mem::replace(&mut *self.scale.lock().unwrap_or_else(PoisonError::into_inner), scale);
        if before != scale {
            self.tell(Event::Scale(scale));
        }
    }

    fn console(&self, command: String, output: String, took: Duration) {
        self.tell(Event::Console(Console { command, output, took_ms: took.as_secs_f64() * 1_000.0 }));
    }

    fn tell(&self, event: Event) {
        // Fails only where nobody listens.
        let _ = self.events.send(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(range: RangeInclusive<u32>) -> String {
        check_range(&range).unwrap_err().to_string()
    }

    #[test]
    fn a_range_without_a_number_is_refused_by_its_bounds() {
        assert_eq!(refusal(RangeInclusive::new(3, 2)), "min is 3 and max is 2, which leaves no number between");
        assert_eq!(refusal(0..=0), "max is 0, and somebody must do the work");
        assert_eq!(refusal(1..=65), "max is 65, and one machine takes 64 pods at most");
        assert!(check_range(&(0..=64)).is_ok());
    }
}
