//! Does a release look after its workers in Kubernetes, and after nobody else's?

mod control;
mod obituaries;
mod process;
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

/// Far longer than anything takes that happens at all.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two pods, the older one first.
const A: &str = "kana-worker-5d4f8-aaaaa";
const B: &str = "kana-worker-5d4f8-bbbbb";

/// A release that looks after its workers by an API server of the test's own.
struct Stand {
    server: ApiServer,
    cluster: Kubernetes,
    queue: Arc<dyn Queue>,
    shutdown: Shutdown,
}

impl Stand {
    /// Whoever scales; it has not begun to watch.
    fn prepare(scaler: Scaler) -> Self {
        let (server, _) = ApiServer::start();
        // One failed attempt makes a dead letter, so that a test sees whether one was charged.
        let limits = Limits { attempts_max: 1, ..Limits::default() };
        let queue: Arc<dyn Queue> = Arc::new(Memory::new(limits, Arc::new(SystemClock)));
        let cluster = Self::cluster_on(&server, &queue, scaler);
        Self { server, cluster, queue, shutdown: Shutdown::new() }
    }

    fn cluster_on(server: &ApiServer, queue: &Arc<dyn Queue>, scaler: Scaler) -> Kubernetes {
        let config = Config { namespace: None, release: "a".into(), workers: "kana-worker".into(), scaler };
        Kubernetes::with_client(server.client(), config, queue.clone())
    }

    fn start(&self) {
        self.cluster.start(&self.shutdown);
    }

    async fn names(&self) -> Vec<String> {
        self.cluster.pods().await.map(|pods| pods.into_iter().map(|pod| pod.name).collect()).unwrap_or_default()
    }

    /// Waits until these pods are known, and no others.
    async fn knows(&self, names: &[&str]) {
        eventually(&format!("{names:?} to be known"), async || (self.names().await == names).then_some(())).await;
    }

    /// Waits until a trouble, or none, is told.
    async fn has_trouble(&self, fits: impl Fn(Option<&str>) -> bool) {
        eventually("the trouble to change", async || fits(self.cluster.fault().as_deref()).then_some(())).await;
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}

/// Waits for a pod's event.
async fn heard_of(events: &mut Receiver<Event>, fits: impl Fn(&Pod) -> bool) -> Pod {
    let pick = |event: &Event| match event {
        Event::Pod(pod) if fits(pod) => Some(pod.clone()),
        _ => None,
    };
    heard(events, pick).await
}

/// Waits for an event that `pick` takes.
async fn heard<T>(events: &mut Receiver<Event>, pick: impl Fn(&Event) -> Option<T>) -> T {
    let hearing = async {
        loop {
            if let Some(picked) = pick(&events.recv().await.expect("a cluster that lives")) {
                return picked;
            }
        }
    };
    tokio::time::timeout(PATIENCE, hearing).await.expect("an event")
}

/// The commands and outputs shown so far.
fn shown(events: &mut Receiver<Event>) -> Vec<Console> {
    let mut shown = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let Event::Console(console) = event {
            shown.push(console);
        }
    }
    shown
}
