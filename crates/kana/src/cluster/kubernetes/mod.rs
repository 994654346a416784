//! How does one release look after its workers in Kubernetes?
//!
//! It watches three things and polls none: its workers' pods, their Deployment, and the object that scales it. What they
//! say last is on a board that answers every question at once, also while the API server is silent. It changes two
//! things, and only those of its own release: a pod's life and the bounds of the number. A pod that is gone, and a
//! container that was restarted, give their jobs back the moment that this is known.

mod board;
mod client;
mod cost;
mod life;
mod obituary;
mod refusal;
mod release;
mod roll;
mod scaler;
mod sight;
mod stop;
mod subject;
mod undertaker;
mod watch;

#[cfg(test)]
mod testing;

use std::future::Future;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use k8s_openapi::api::core::v1 as core;
use kube::api::{Api, ApiResource, DynamicObject, LogParams};
use tokio::sync::broadcast;
use tokio::time::timeout;
use tracing::info;

use crate::pod::{Cluster, Error, Event, Pod, Scale, Stop};
use crate::shutdown::Shutdown;
use kana_queue::Queue;

use board::{Board, Part};
use refusal::{Act, refusal};
use release::Release;
use roll::{News, Roll};
use subject::{Single, Subject};
use undertaker::Undertaker;
use watch::{Heard, Selector, Source};

pub use cost::OwnPod;
pub use life::begin as begin_life;
pub use scaler::Scaler;

/// How long the API server may take to answer what a person asked: a little less than the person's own patience.
const ANSWER_MAX: Duration = Duration::from_secs(8);

/// The longest log that is handed out, in bytes: as much as a page shows.
const LOG_BYTES_MAX: i64 = 1 << 20;

/// Which workers are meant.
#[derive(Clone, Debug)]
pub struct Config {
    /// Their namespace; without one, that of this process's credentials.
    pub namespace: Option<String>,
    /// Their release.
    pub release: String,
    /// Their Deployment.
    pub workers: String,
    /// What scales it.
    pub scaler: Scaler,
}

/// The workers of one release.
pub struct Kubernetes {
    client: kube::Client,
    release: Release,
    scaler: Scaler,
    queue: Arc<dyn Queue>,
    board: Arc<Board>,
}

impl Kubernetes {
    /// The workers that `config` names, of which nothing is known before [`Kubernetes::start`]. Asks nobody anything.
    ///
    /// # Errors
    /// Where this process has no credentials for a cluster.
    pub async fn prepare(config: Config, queue: Arc<dyn Queue>) -> Result<Self, Error> {
        Ok(Self::with_client(client::connect().await?, config, queue))
    }

    /// The same, by a client that there is already.
    pub fn with_client(client: kube::Client, config: Config, queue: Arc<dyn Queue>) -> Self {
        let Config { namespace, release, workers, scaler } = config;
        let namespace = namespace.unwrap_or_else(|| client.default_namespace().to_owned());
        let board = Arc::new(Board::new(scaler.by()));
        Self { client, release: Release { namespace, name: release, workers }, scaler, queue, board }
    }

    /// Watches until `shutdown` begins.
    pub fn start(&self, shutdown: &Shutdown) {
        self.watch_pods(shutdown);
        self.watch_workers(shutdown);
        self.watch_scaler(shutdown);
    }

    fn watch_pods(&self, shutdown: &Shutdown) {
        let look = format!("get pods -l {} --watch", self.release.selector());
        let subject = self.subject(Part::Pods, "pods".into(), look);
        let source = Source { api: self.pods_api(), of: Selector::Labels(self.release.selector()) };
        let mut roll = Roll::new(self.release.clone());
        let board = self.board.clone();
        let (undertaker, dead) = Undertaker::new(self.queue.clone(), board.clone());
        let hear = move |heard| {
            let is_whole = matches!(heard, Heard::All(..));
            let news = match heard {
                Heard::All(records, took) => {
                    let news = roll.all(&records);
                    subject.was_seen(format!("{} pods", roll.pods().len()), took);
                    news
                }
                Heard::Changed(record) => Vec::from_iter(roll.changed(&record)),
                Heard::Gone(record) => Vec::from_iter(roll.gone(&record)),
                Heard::Well => return subject.is_well(),
                Heard::Trouble { verb, error } => return subject.is_troubled(verb, error),
            };
            // Most of what is written into a pod's record shows nothing new of it.
            if news.is_empty() && !is_whole {
                return;
            }
            let (pods, deaths): (Vec<_>, Vec<_>) = news.into_iter().map(|News { pod, deaths }| (pod, deaths)).unzip();
            board.set_pods(roll.pods(), pods.into_iter().flatten());
            // Fails only where the end has begun; then leases lapse.
            deaths.into_iter().flatten().for_each(|death| _ = dead.send(death));
        };
        shutdown.spawn(until_the_end(shutdown.clone(), undertaker.run()));
        shutdown.spawn(until_the_end(shutdown.clone(), watch::follow(source, hear)));
    }

    fn watch_workers(&self, shutdown: &Shutdown) {
        let (kind, name) = (scaler::deployments(), self.release.workers.clone());
        let subject = self.subject(Part::Workers, scaler::right(&kind), format!("get deployment {name} --watch"));
        let source = Source { api: self.objects_api(&kind), of: Selector::Name(name.clone()) };
        let (mut deployment, board) = (Single::new(subject, name), self.board.clone());
        let hear = move |heard| {
            if let Some(news) = deployment.hear(heard, |_| None) {
                board.set_replicas(news.as_ref().map(scaler::replicas));
            }
        };
        shutdown.spawn(until_the_end(shutdown.clone(), watch::follow(source, hear)));
    }

    fn watch_scaler(&self, shutdown: &Shutdown) {
        let Some(bounds) = self.scaler.bounds() else { return };
        let subject = self.subject(Part::Scaler, scaler::right(&bounds.kind), bounds.look());
        let source = Source { api: self.objects_api(&bounds.kind), of: Selector::Name(bounds.name.clone()) };
        let (mut scaler, board) = (Single::new(subject, bounds.name.clone()), self.board.clone());
        let workers = self.release.workers.clone();
        let hear = move |heard| {
            let objection = |object: &_| bounds.foreign(object, &workers).or_else(|| bounds.paused(object));
            if let Some(news) = scaler.hear(heard, objection) {
                let own = news.filter(|object| bounds.foreign(object, &workers).is_none());
                board.set_range(own.map(|object| bounds.of(&object)));
            }
        };
        shutdown.spawn(until_the_end(shutdown.clone(), watch::follow(source, hear)));
    }

    /// `look` is what comes behind `kubectl` and the namespace.
    fn subject(&self, part: Part, resource: String, look: String) -> Subject {
        let namespace = self.release.namespace.clone();
        let look = format!("kubectl -n {namespace} {look}");
        Subject { part, resource, namespace, look, board: self.board.clone() }
    }

    fn pods_api(&self) -> Api<core::Pod> {
        Api::namespaced(self.client.clone(), &self.release.namespace)
    }

    fn objects_api(&self, kind: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.release.namespace, kind)
    }

    /// The present record of a pod of this release, and of no other: known from the watch, so that nothing but the name
    /// of a pod ever becomes part of an address, and looked at again, so that nobody else's pod of that name is touched.
    async fn own(&self, name: &str) -> Result<core::Pod, Error> {
        let unknown = || Error::Unknown { name: name.to_owned() };
        if !self.board.pods()?.iter().any(|pod| pod.name == name) {
            return Err(unknown());
        }
        let act = Act { verb: "get", resource: "pods", namespace: &self.release.namespace };
        let pod = self.pods_api().get_opt(name).await.map_err(|error| refusal(error, act))?;
        pod.filter(|pod| self.release.owns(pod)).ok_or_else(unknown)
    }

    /// Does what `command` would, and shows it.
    async fn show<T>(
        &self,
        command: String,
        done: impl Future<Output = Result<T, Error>>,
        output: impl FnOnce(&T) -> String,
    ) -> Result<T, Error> {
        let begin = Instant::now();
        let done = in_time(done).await;
        let output = match &done {
            Ok(done) => output(done),
            Err(error) => format!("error: {error}"),
        };
        info!("{command}  # {output}");
        self.board.console(command, output, begin.elapsed());
        done
    }
}

#[async_trait]
impl Cluster for Kubernetes {
    async fn pods(&self) -> Result<Vec<Pod>, Error> {
        self.board.pods()
    }

    async fn stop(&self, name: &str, how: Stop) -> Result<(), Error> {
        let pod = in_time(self.own(name)).await?;
        let pods = self.pods_api();
        let output = match how {
            Stop::Delete => "asked to end",
            Stop::Evict => "evicted",
            Stop::Kill => "deleted by force",
        };
        self.show(stop::command(&self.release, name, how), stop::stop(&pods, &pod, how), |()| output.into()).await
    }

    async fn scale(&self) -> Result<Scale, Error> {
        self.board.scale()
    }

    async fn set_range(&self, range: RangeInclusive<u32>) -> Result<Scale, Error> {
        let (client, release) = (self.client.clone(), &self.release);
        if let Some(bounds) = self.scaler.bounds() {
            self.board.expect_range()?;
            let said = |range: &RangeInclusive<u32>| format!("{} to {}", range.start(), range.end());
            let set = self.show(bounds.command(release, &range), bounds.set(client, release, &range), said).await?;
            self.board.set_range(Some(set));
            return self.board.scale();
        }
        if range.start() != range.end() {
            let reason = format!(
                "min is {} and max is {}, and nothing here moves the number between them: give the same twice",
                range.start(),
                range.end()
            );
            return Err(Error::Refused { reason });
        }
        let replicas = *range.end();
        let set = scaler::set_replicas(client, release, replicas);
        let set = self.show(scaler::command(release, replicas), set, |set| format!("{set} wanted")).await?;
        self.board.set_desired(set);
        self.board.scale()
    }

    async fn logs(&self, name: &str, lines: u32) -> Result<String, Error> {
        let pod = in_time(self.own(name)).await?;
        let container = sight::worker(&pod).map(str::to_owned);
        let (tail_lines, limit_bytes) = (Some(i64::from(lines)), Some(LOG_BYTES_MAX));
        let act = Act { verb: "get", resource: "pods/log", namespace: &self.release.namespace };
        let of = container.as_ref().map(|container| format!(" -c {container}")).unwrap_or_default();
        let command = format!("kubectl -n {} logs {name}{of} --tail {lines}", self.release.namespace);
        let params = LogParams { container, tail_lines, limit_bytes, ..LogParams::default() };
        let pods = self.pods_api();
        let read = async { pods.logs(name, &params).await.map_err(|error| refusal(error, act)) };
        self.show(command, read, |text| format!("{} lines", text.lines().count())).await
    }

    fn fault(&self) -> Option<String> {
        self.board.trouble()
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.board.events()
    }
}

async fn in_time<T>(asked: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late =
        |late| Error::Unavailable { action: "get an answer from Kubernetes in time".into(), source: Box::new(late) };
    timeout(ANSWER_MAX, asked).await.map_err(late)?
}

async fn until_the_end(shutdown: Shutdown, task: impl Future<Output = ()>) {
    tokio::select! {
        () = shutdown.begun() => {}
        () = task => {}
    }
}
