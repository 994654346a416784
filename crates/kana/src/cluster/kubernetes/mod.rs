//! How does a gateway observe and control the workers of its release in Kubernetes?
//!
//! It watches the workers' pods, their Deployment, the object that scales the Deployment, and the ConfigMap with the
//! range that the values ask for. Their latest state is in a cache, so every question is answered at once, also while the
//! API server does not answer. It changes only objects of its own release: it deletes pods, and sets and keeps the range
//! of their number. The jobs of a pod that is gone, and of a container that was restarted, are reclaimed as soon as the
//! watch reports it.

mod api_error;
mod cache;
mod client;
mod deletion_cost;
mod event_recorder;
mod incarnation;
mod ownership;
mod pod_status;
mod pods;
mod range_keeper;
mod range_record;
mod reclaimer;
mod release;
mod scaler;
mod stop;
mod termination;
mod watch;
mod watch_health;
mod watches;

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
use tracing::{info, warn};

use crate::pod::{Cluster, Error, Event, Pod, Scale, Stop};
use crate::telemetry::Chain;
use kana_queue::Queue;

use api_error::Access;
use cache::Cache;
use event_recorder::EventRecorder;
use range_keeper::RangeKeeper;
use release::Release;

pub use deletion_cost::OwnPod;
pub use incarnation::begin as begin_incarnation;
pub use kube::client::{Body, Client};
pub use scaler::Scaler;

/// Time that the API server may take to answer a person's request: a little less than people wait.
const ANSWER_MAX: Duration = Duration::from_secs(8);

/// Time that recording what a person set may take before the person is answered.
const RECORD_MAX: Duration = Duration::from_secs(1);

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
    /// Name of the ConfigMap by which what a person sets outlives upgrades; without one, it does not.
    pub range_record: Option<String>,
}

/// The workers of one release.
pub struct Kubernetes {
    client: Client,
    release: Release,
    scaler: Scaler,
    queue: Arc<dyn Queue>,
    cache: Arc<Cache>,
    keeper: Option<Arc<RangeKeeper>>,
    recorder: Arc<EventRecorder>,
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
        let Config { namespace, release, workers, scaler, range_record } = config;
        let namespace = namespace.unwrap_or_else(|| client.default_namespace().to_owned());
        let release = Release { namespace, name: release, workers };
        let cache = Arc::new(Cache::new(scaler.by()));
        let keeper = range_record.map(|name| {
            let (client, release) = (client.clone(), release.clone());
            Arc::new(RangeKeeper::new(client, release, scaler.clone(), name, cache.clone()))
        });
        let recorder = Arc::new(EventRecorder::new(client.clone(), release.clone()));
        Self { client, release, scaler, queue, cache, keeper, recorder }
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

    /// Records what a person has just set, and wakes workers that an HPA with this `range` would leave at 0.
    async fn after_set(&self, range: Option<&RangeInclusive<u32>>) -> Result<(), Error> {
        let wake = async {
            match (&self.scaler, range.map(|range| *range.start())) {
                (Scaler::Hpa(_), Some(least @ 1..)) => {
                    in_time(range_keeper::wake(&self.client, &self.release, &self.cache, least)).await
                }
                _ => Ok(()),
            }
        };
        let accept = async {
            if let Some(keeper) = &self.keeper {
                // What takes longer is made up for when the watches show it.
                let _ = timeout(RECORD_MAX, keeper.accept()).await;
            }
        };
        tokio::join!(wake, accept).0
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
        self.run_as_command(command, stop::stop(&pods, &pod, how), |()| output.into()).await?;
        self.recorder.about_pod(&pod, "Stopped", format!("{output} from kana's page or API")).await;
        Ok(())
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
            self.cache.set_range(Some(set.clone()));
            if let Err(error) = self.after_set(Some(&set)).await {
                // The range is set; the scale that is returned says that it is paused.
                warn!(error = %Chain(&error), "could not wake the workers");
            }
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
        let set = scaler::set_replicas(client, release, replicas, None);
        let command = CommandLine { line: scaler::scale_command(release, replicas), pod: None };
        let set = self.run_as_command(command, set, |set| format!("{set} wanted")).await?;
        self.cache.set_desired(set);
        self.after_set(None).await?;
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
