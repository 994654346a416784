//! How does a test play the cluster that runs the pods?
//!
//! With one whose pods exist in name only: the test adds, changes and removes them, and reads which ones were stopped.

use std::ops::RangeInclusive;

use async_trait::async_trait;
use kana::pod::{Cluster, Console, Error, Event, Phase, Pod, Scale, ScaledBy, Stop};
use kana_queue::clock::Timestamp;
use parking_lot::Mutex;
use tokio::sync::broadcast;

/// A cluster of pods that exist in name only.
pub struct FakeCluster {
    pods: Mutex<Vec<Pod>>,
    scale: Mutex<Scale>,
    stopped: Mutex<Vec<(String, Stop)>>,
    failure: Mutex<Option<String>>,
    events: broadcast::Sender<Event>,
}

impl FakeCluster {
    /// Creates a cluster without pods.
    pub fn new() -> Self {
        Self {
            pods: Mutex::default(),
            scale: Mutex::new(Scale { min: 1, max: 4, current: 1, desired: 1, by: ScaledBy::Local, paused: None }),
            stopped: Mutex::default(),
            failure: Mutex::default(),
            // Few, so that a test can make a reader lag.
            events: broadcast::Sender::new(4),
        }
    }

    /// Adds a pod, or changes its phase.
    pub fn set_pod(&self, name: &str, phase: Phase) {
        let created = Timestamp::from_millis(1_700_000_000_000);
        let pod = Pod { name: name.into(), phase, created, restarts: 0, node: None, reason: None };
        let mut pods = self.pods.lock();
        pods.retain(|other| other.name != name);
        pods.push(pod.clone());
        drop(pods);
        let _ = self.events.send(Event::Pod(pod));
    }

    /// Removes a pod, and publishes that.
    pub fn remove_pod(&self, name: &str) {
        let mut pods = self.pods.lock();
        let index = pods.iter().position(|pod| pod.name == name).expect("a pod that was added");
        let pod = Pod { phase: Phase::Gone, ..pods.remove(index) };
        drop(pods);
        let _ = self.events.send(Event::Pod(pod));
    }

    /// Removes a pod, and publishes so much that no receiver gets that event.
    pub fn remove_pod_unseen(&self, name: &str) {
        self.remove_pod(name);
        (0..64).for_each(|_| self.publish_command("noise"));
    }

    /// Makes the cluster fail for this reason, or for none any more.
    pub fn set_failure(&self, reason: Option<&str>) {
        let reason = reason.map(str::to_owned);
        self.failure.lock().clone_from(&reason);
        let _ = self.events.send(Event::Fault(reason));
    }

    /// Publishes a command.
    pub fn publish_command(&self, command: &str) {
        let console = Console { command: command.into(), output: "done".into(), took_ms: 1.5 };
        let _ = self.events.send(Event::Console(console));
    }

    /// The pods that were stopped, and how.
    pub fn stopped(&self) -> Vec<(String, Stop)> {
        self.stopped.lock().clone()
    }
}

#[async_trait]
impl Cluster for FakeCluster {
    async fn pods(&self) -> Result<Vec<Pod>, Error> {
        match self.fault() {
            Some(reason) => Err(Error::Misconfigured { reason }),
            None => Ok(self.pods.lock().clone()),
        }
    }

    async fn logs(&self, name: &str, lines: u32) -> Result<String, Error> {
        match self.pods.lock().iter().any(|pod| pod.name == name) {
            true => Ok(format!("the last {lines} lines of {name}\n")),
            false => Err(Error::Unknown { name: name.into() }),
        }
    }

    fn fault(&self) -> Option<String> {
        self.failure.lock().clone()
    }

    async fn stop(&self, name: &str, how: Stop) -> Result<(), Error> {
        if !self.pods.lock().iter().any(|pod| pod.name == name) {
            return Err(Error::Unknown { name: name.into() });
        }
        self.stopped.lock().push((name.into(), how));
        Ok(())
    }

    async fn scale(&self) -> Result<Scale, Error> {
        Ok(*self.scale.lock())
    }

    async fn set_range(&self, range: RangeInclusive<u32>) -> Result<Scale, Error> {
        let mut scale = self.scale.lock();
        if *range.end() > 100 {
            return Err(Error::Refused { reason: format!("max is {}, and there is room for 100", range.end()) });
        }
        (scale.min, scale.max) = range.into_inner();
        let _ = self.events.send(Event::Scale(*scale));
        Ok(*scale)
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}
