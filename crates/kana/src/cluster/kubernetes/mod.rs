//! How does a gateway observe and control the workers of its release in Kubernetes?
//!
//! It watches three kinds of objects: the workers' pods, their Deployment, and the object that scales the Deployment.
//! Their latest state is in a cache, so every question is answered at once, also while the API server does not answer.
//! It changes only objects of its own release: it deletes pods and sets the range of their number. The jobs of a pod
//! that is gone, and of a container that was restarted, are reclaimed as soon as the watch reports it.

mod api_error;
mod cache;
mod client;
mod deletion_cost;
mod incarnation;
mod pod_status;
mod pods;
mod reclaimer;
mod release;
mod scaler;
mod stop;
mod termination;
mod watch;
mod watch_health;

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

use api_error::Access;
use cache::{Cache, WatchTarget};
use pods::{Change, Pods};
use reclaimer::Reclaimer;
use release::Release;
use watch::{Selector, Source, Update};
use watch_health::{NamedObject, WatchHealth};

pub use deletion_cost::OwnPod;
pub use incarnation::begin as begin_incarnation;
pub use kube::client::{Body, Client};
pub use scaler::Scaler;

/// Time that the API server may take to answer a person's request: a little less than people wait.
const ANSWER_MAX: Duration = Duration::from_secs(8);

/// The longest log that is returned, in bytes: as much as a page shows.
const LOG_BYTES_MAX: i64 = 1 << 20;

/// Configuration of a cluster: the workers to observe and control.
#[derive(Clone, Debug)]
pub struct Config {
    /// The workers' namespace; without one, that of this process's credentials.
    pub namespace: Option<String>,
    /// The workers' release.
    pub release: String,
    /// The name of the workers' Deployment.
    pub workers: String,
    /// Scaler of the Deployment.
    pub scaler: Scaler,
}

/// The workers of one release.
pub struct Kubernetes {
    client: Client,
    release: Release,
    scaler: Scaler,
    queue: Arc<dyn Queue>,
    cache: Arc<Cache>,
}

/// Command line that a person could have typed instead.
struct CommandLine<'a> {
    line: String,
    /// Name of the pod that the command is about, if it is about one.
    pod: Option<&'a str>,
}

impl Kubernetes {
    /// Prepares to watch the workers that `config` names, of which nothing is known before [`Kubernetes::start`]. Sends
    /// no request.
    ///
    /// # Errors
    /// Where this process has no credentials for a cluster.
    pub async fn prepare(config: Config, queue: Arc<dyn Queue>) -> Result<Self, Error> {
        Ok(Self::with_client(client::connect().await?, config, queue))
    }

    /// Prepares as [`prepare`](Self::prepare) does, with an existing client.
    pub fn with_client(client: Client, config: Config, queue: Arc<dyn Queue>) -> Self {
        let Config { namespace, release, workers, scaler } = config;
        let namespace = namespace.unwrap_or_else(|| client.default_namespace().to_owned());
        let cache = Arc::new(Cache::new(scaler.by()));
        Self { client, release: Release { namespace, name: release, workers }, scaler, queue, cache }
    }

    /// Watches until `shutdown` begins.
    pub fn start(&self, shutdown: &Shutdown) {
        self.watch_pods(shutdown);
        self.watch_deployment(shutdown);
        self.watch_scaler(shutdown);
    }

    fn watch_pods(&self, shutdown: &Shutdown) {
        let command = format!("get pods -l {} --watch", self.release.selector());
        let health = self.watch_health(WatchTarget::Pods, "pods".into(), command);
        let source = Source { api: self.pods_api(), selector: Selector::Labels(self.release.selector()) };
        let mut pods = Pods::new(self.release.clone());
        let cache = self.cache.clone();
        let (reclaimer, reclaim) = Reclaimer::new(self.queue.clone(), cache.clone());
        let on_update = move |update| {
            let is_list = matches!(update, Update::Listed { .. });
            let changes = match update {
                Update::Listed { objects, took } => {
                    let changes = pods.replace(&objects);
                    health.record(format!("{} pods", pods.list().len()), took);
                    changes
                }
                Update::Applied(record) => Vec::from_iter(pods.apply(&record)),
                Update::Deleted(record) => Vec::from_iter(pods.remove(&record)),
                Update::Watching => return health.mark_healthy(),
                Update::Failed { verb, error } => return health.mark_failed(verb, error),
            };
            // Most changes of a pod's record change nothing that is shown.
            if changes.is_empty() && !is_list {
                return;
            }
            let (changed, terminations): (Vec<_>, Vec<_>) =
                changes.into_iter().map(|Change { pod, terminations }| (pod, terminations)).unzip();
            cache.set_pods(pods.list(), changed.into_iter().flatten());
            // Fails only where the shutdown has begun; then the leases expire.
            terminations.into_iter().flatten().for_each(|termination| _ = reclaim.send(termination));
        };
        shutdown.spawn(until_shutdown(shutdown.clone(), reclaimer.run()));
        shutdown.spawn(until_shutdown(shutdown.clone(), watch::watch(source, on_update)));
    }

    fn watch_deployment(&self, shutdown: &Shutdown) {
        let (kind, name) = (scaler::deployments(), self.release.workers.clone());
        let command = format!("get deployment {name} --watch");
        let health = self.watch_health(WatchTarget::Deployment, scaler::rbac_name(&kind), command);
        let source = Source { api: self.objects_api(&kind), selector: Selector::Name(name.clone()) };
        let (mut deployment, cache) = (NamedObject::new(health, name), self.cache.clone());
        let on_update = move |update| {
            if let Some(object) = deployment.apply(update, |_| None) {
                cache.set_replicas(object.as_ref().map(scaler::replicas));
            }
        };
        shutdown.spawn(until_shutdown(shutdown.clone(), watch::watch(source, on_update)));
    }

    fn watch_scaler(&self, shutdown: &Shutdown) {
        let Some(scaler) = self.scaler.object() else { return };
        let health = self.watch_health(WatchTarget::Scaler, scaler::rbac_name(&scaler.kind), scaler.get_command());
        let source = Source { api: self.objects_api(&scaler.kind), selector: Selector::Name(scaler.name.clone()) };
        let (mut named, cache) = (NamedObject::new(health, scaler.name.clone()), self.cache.clone());
        let workers = self.release.workers.clone();
        let on_update = move |update| {
            let find_defect =
                |object: &_| scaler.foreign_target(object, &workers).or_else(|| scaler.pause_reason(object));
            if let Some(object) = named.apply(update, find_defect) {
                let own = object.filter(|object| scaler.foreign_target(object, &workers).is_none());
                cache.set_range(own.map(|object| scaler.range(&object)));
            }
        };
        shutdown.spawn(until_shutdown(shutdown.clone(), watch::watch(source, on_update)));
    }

    /// Creates the health of one watch; `command` is the part of the command line after `kubectl` and the namespace.
    fn watch_health(&self, target: WatchTarget, resource: String, command: String) -> WatchHealth {
        let namespace = self.release.namespace.clone();
        let command = format!("kubectl -n {namespace} {command}");
        WatchHealth { target, resource, namespace, command, cache: self.cache.clone() }
    }

    fn pods_api(&self) -> Api<core::Pod> {
        Api::namespaced(self.client.clone(), &self.release.namespace)
    }

    fn objects_api(&self, kind: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.release.namespace, kind)
    }

    /// Reads the current record of a pod of this release. The name must be in the cache, so that only names of pods
    /// become part of a URL, and the record must belong to this release, so that no other pod of that name is changed.
    ///
    /// # Errors
    /// [`Error::Unknown`] where this release has no such pod.
    async fn own_pod(&self, name: &str) -> Result<core::Pod, Error> {
        let unknown = || Error::Unknown { name: name.to_owned() };
        if !self.cache.pods()?.iter().any(|pod| pod.name == name) {
            return Err(unknown());
        }
        let access = Access { verb: "get", resource: "pods", namespace: &self.release.namespace };
        let pod = self.pods_api().get_opt(name).await.map_err(|error| api_error::translate(error, access))?;
        pod.filter(|pod| self.release.owns(pod)).ok_or_else(unknown)
    }

    /// Awaits `call`, and logs and publishes the `command` that does the same, with its output.
    async fn run_as_command<T>(
        &self,
        command: CommandLine<'_>,
        call: impl Future<Output = Result<T, Error>>,
        output: impl FnOnce(&T) -> String,
    ) -> Result<T, Error> {
        let begin = Instant::now();
        let result = in_time(call).await;
        let output = match &result {
            Ok(value) => output(value),
            Err(error) => format!("error: {error}"),
        };
        let CommandLine { line, pod } = command;
        info!(pod, "{line}  # {output}");
        self.cache.publish_command(line, output, begin.elapsed());
        result
    }
}

#[async_trait]
impl Cluster for Kubernetes {
    async fn pods(&self) -> Result<Vec<Pod>, Error> {
        self.cache.pods()
    }

    async fn stop(&self, name: &str, how: Stop) -> Result<(), Error> {
        let pod = in_time(self.own_pod(name)).await?;
        let pods = self.pods_api();
        let output = match how {
            Stop::Delete => "asked to end",
            Stop::Evict => "evicted",
            Stop::Kill => "deleted by force",
        };
        let command = CommandLine { line: stop::command(&self.release, name, how), pod: Some(name) };
        self.run_as_command(command, stop::stop(&pods, &pod, how), |()| output.into()).await
    }

    async fn scale(&self) -> Result<Scale, Error> {
        self.cache.scale()
    }

    async fn set_range(&self, range: RangeInclusive<u32>) -> Result<Scale, Error> {
        let (client, release) = (self.client.clone(), &self.release);
        if let Some(scaler) = self.scaler.object() {
            self.cache.check_scaler()?;
            let output = |range: &RangeInclusive<u32>| format!("{} to {}", range.start(), range.end());
            let set = scaler.set_range(client, release, &range);
            let command = CommandLine { line: scaler.patch_command(release, &range), pod: None };
            let set = self.run_as_command(command, set, output).await?;
            self.cache.set_range(Some(set));
            return self.cache.scale();
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
        let command = CommandLine { line: scaler::scale_command(release, replicas), pod: None };
        let set = self.run_as_command(command, set, |set| format!("{set} wanted")).await?;
        self.cache.set_desired(set);
        self.cache.scale()
    }

    async fn logs(&self, name: &str, lines: u32) -> Result<String, Error> {
        let pod = in_time(self.own_pod(name)).await?;
        let container = pod_status::worker_container(&pod).map(str::to_owned);
        let (tail_lines, limit_bytes) = (Some(i64::from(lines)), Some(LOG_BYTES_MAX));
        let access = Access { verb: "get", resource: "pods/log", namespace: &self.release.namespace };
        let flag = container.as_ref().map(|container| format!(" -c {container}")).unwrap_or_default();
        let line = format!("kubectl -n {} logs {name}{flag} --tail {lines}", self.release.namespace);
        let command = CommandLine { line, pod: Some(name) };
        let params = LogParams { container, tail_lines, limit_bytes, ..LogParams::default() };
        let pods = self.pods_api();
        let read = async { pods.logs(name, &params).await.map_err(|error| api_error::translate(error, access)) };
        self.run_as_command(command, read, |text| format!("{} lines", text.lines().count())).await
    }

    fn fault(&self) -> Option<String> {
        self.cache.failure()
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.cache.events()
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late =
        |late| Error::Unavailable { action: "get an answer from Kubernetes in time".into(), source: Box::new(late) };
    timeout(ANSWER_MAX, answer).await.map_err(late)?
}

async fn until_shutdown(shutdown: Shutdown, task: impl Future<Output = ()>) {
    tokio::select! {
        () = shutdown.begun() => {}
        () = task => {}
    }
}
