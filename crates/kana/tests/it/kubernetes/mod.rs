//! Does a release observe and steer its own workers in Kubernetes, and no others?

mod control;
mod process;
mod ranges;
mod reclaiming;
mod scaling;
mod watching;

use std::sync::Arc;
use std::time::Duration;

use kana::cluster::Kubernetes;
use kana::cluster::kubernetes::{Config, Scaler};
use kana::pod::{Cluster, Console, Event, Pod};
use kana::shutdown::Shutdown;
use kana_queue::clock::SystemClock;
use kana_queue::memory::Memory;
use kana_queue::{Limits, Queue};
use tokio::sync::broadcast::Receiver;

use crate::support::api_server::ApiServer;
use crate::support::eventually;

/// Time after which an event counts as never published: far longer than any takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two pods, the older one first.
const A: &str = "kana-worker-5d4f8-aaaaa";
const B: &str = "kana-worker-5d4f8-bbbbb";

/// A release whose workers are in the fake API server of a test.
struct Fixture {
    server: ApiServer,
    cluster: Kubernetes,
    queue: Arc<dyn Queue>,
    shutdown: Shutdown,
}

impl Fixture {
    /// Prepares a release that does not watch yet.
    fn prepare(scaler: Scaler) -> Self {
        let (server, _) = ApiServer::start();
        // One failed attempt makes a dead letter, so that a test sees whether one was charged.
        let limits = Limits { attempts_max: 1, ..Limits::default() };
        let queue: Arc<dyn Queue> = Arc::new(Memory::new(limits, Arc::new(SystemClock)));
        let cluster = Self::cluster_on(&server, &queue, scaler);
        Self { server, cluster, queue, shutdown: Shutdown::new() }
    }

    fn config(scaler: Scaler) -> Config {
        let (release, workers) = ("a".into(), "kana-worker".into());
        Config { namespace: None, release, workers, scaler, range_record: None }
    }

    fn cluster_on(server: &ApiServer, queue: &Arc<dyn Queue>, scaler: Scaler) -> Kubernetes {
        Kubernetes::with_client(server.client(), Self::config(scaler), queue.clone())
    }

    fn start(&self) {
        self.cluster.start(&self.shutdown);
    }

    async fn names(&self) -> Vec<String> {
        self.cluster.pods().await.map(|pods| pods.into_iter().map(|pod| pod.name).collect()).unwrap_or_default()
    }

    /// Waits until the cluster lists these pods, and no others.
    async fn until_pods(&self, names: &[&str]) {
        eventually(&format!("{names:?} to be listed"), async || (self.names().await == names).then_some(())).await;
    }

    /// Waits until the message of the failed watches, or its absence, satisfies `is_expected`.
    async fn until_failure(&self, is_expected: impl Fn(Option<&str>) -> bool) {
        eventually("the failure to change", async || is_expected(self.cluster.fault().as_deref()).then_some(())).await;
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}

/// Waits for the event of a pod that satisfies `is_expected`.
async fn receive_pod(events: &mut Receiver<Event>, is_expected: impl Fn(&Pod) -> bool) -> Pod {
    let pick = |event: &Event| match event {
        Event::Pod(pod) if is_expected(pod) => Some(pod.clone()),
        _ => None,
    };
    receive(events, pick).await
}

/// Waits for an event from which `pick` returns a value.
async fn receive<T>(events: &mut Receiver<Event>, pick: impl Fn(&Event) -> Option<T>) -> T {
    let receiving = async {
        loop {
            if let Some(picked) = pick(&events.recv().await.expect("a running cluster")) {
                return picked;
            }
        }
    };
    tokio::time::timeout(PATIENCE, receiving).await.expect("an event")
}

/// The commands published so far, with their outputs.
fn commands(events: &mut Receiver<Event>) -> Vec<Console> {
    let mut commands = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let Event::Console(console) = event {
            commands.push(console);
        }
    }
    commands
}
