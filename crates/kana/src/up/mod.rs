//! How does the whole service run on one machine with one command?
//!
//! The gateway runs in this process, which holds the queue, every worker in a child of it, and the queue is kept in a data
//! directory that one `kana up` owns at a time. However this process ends, its workers end with it, and the next `kana
//! up` on the same directory continues with the jobs that are left.

mod data_dir;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tracing::{info, warn};

use crate::cluster::{Local, local};
use crate::gateway::{self, Gateway, Parts};
use crate::shutdown::Shutdown;
use data_dir::DataDir;
use kana_engine::model::{Card, Instructions};
use kana_queue::clock::{Clock, SystemClock};
use kana_queue::{self as queue, Limits, Queue};

/// Time that the shutdown may take: workers and requests have five seconds each, side by side.
const END_MAX: Duration = Duration::from_secs(6);

/// The environment variable with a worker's queue; a URL may hold a password, which no argument may show.
const QUEUE: &str = "KANA_QUEUE";

/// The configuration of `kana up`.
#[derive(Clone, Debug)]
pub struct Config {
    /// The gateway's configuration.
    pub gateway: gateway::Config,
    /// Directory with the service's own files, the queue among them unless [`Config::queue`] names another one.
    pub data_dir: PathBuf,
    /// URL of the queue; a file in the data directory where `None`.
    pub queue: Option<queue::Url>,
    /// The card of the model that workers load.
    pub card: Arc<Card>,
    /// Page that reports how the model was trained, where there is one.
    pub report: Option<Vec<u8>>,
    /// The queue's limits.
    pub limits: Limits,
    /// Fewest and most workers at a time.
    pub range: RangeInclusive<u32>,
    /// Time that a worker must be idle before it is stopped.
    pub cool_down: Duration,
    /// The configuration that every worker gets.
    pub worker: WorkerConfig,
}

/// The configuration of every worker of `kana up`, apart from its name and its queue.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Path of the `kana` program.
    pub program: PathBuf,
    /// The model's directory; the model inside the program where `None`.
    pub model: Option<PathBuf>,
    /// Vector instructions to compute with.
    pub instructions: Instructions,
    /// Images classified at once, at most.
    pub batch_max: usize,
    /// Time added to each image.
    pub inference_delay: Duration,
    /// Time that a batch may take before its worker counts as stuck.
    pub stuck_after: Duration,
    /// Environment variables of this process that workers must not see.
    pub unset: Vec<OsString>,
    /// The flags `--log` and `--log-format`, with their values.
    pub log: Vec<String>,
}

/// Serves until `shutdown` begins. `ready` is called once with the address, just before the first request is answered.
///
/// # Errors
/// Where the data directory or the port is in use, or the queue cannot be opened; the message names which.
pub async fn run(config: Config, shutdown: &Shutdown, ready: impl FnOnce(SocketAddr)) -> anyhow::Result<()> {
    let data_dir = DataDir::lock(&config.data_dir)?;
    let url = config.queue.unwrap_or_else(|| data_dir.queue());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let queue: Arc<dyn Queue> = queue::open(&url, config.limits, clock.clone())?.into();
    let depth = queue.depth().await.with_context(|| format!("could not use the queue {url}"))?;
    match depth.waiting + depth.in_flight() {
        0 => {}
        jobs => info!(jobs, "continuing with {jobs} jobs of an earlier run"),
    }

    let pods = local::Config {
        program: config.worker.program.clone(),
        arguments: config.worker.arguments(&config.limits),
        environment: config.worker.environment(&url),
        range: config.range,
        cool_down: config.cool_down,
    };
    let cluster = Arc::new(Local::prepare(pods, queue.clone(), clock.clone())?);
    let parts = Parts { queue, cluster: cluster.clone(), card: config.card, report: config.report, clock };
    let gateway = Gateway::bind(config.gateway, parts).await?;

    // Workers start last: without a port they have nothing to do, and an error would have to end them again.
    cluster.start(shutdown);
    ready(gateway.address());
    let served = gateway.serve(shutdown).await;
    shutdown.begin();
    if !shutdown.finished(END_MAX).await {
        warn!("shutdown took longer than {END_MAX:?}: what still runs ends with this process");
    }
    served
}

impl WorkerConfig {
    /// Returns the changes to this process's environment that make a worker's: only the queue is given there.
    fn environment(&self, url: &queue::Url) -> Vec<(OsString, Option<OsString>)> {
        let unset = self.unset.iter().map(|name| (name.clone(), None));
        unset.chain([(QUEUE.into(), Some(url.secret()))]).collect()
    }

    /// Returns the arguments of a worker.
    fn arguments(&self, limits: &Limits) -> Vec<OsString> {
        let span = |span: Duration| OsString::from(humantime::format_duration(span).to_string());
        let count = |count: String| OsString::from(count);
        // The command comes first: people look for it in a list of processes.
        let mut arguments: Vec<OsString> = vec!["worker".into(), "--listen".into(), "127.0.0.1:0".into()];
        arguments.extend(["--instructions".into(), self.instructions.name().into()]);
        arguments.extend(["--batch-max".into(), count(self.batch_max.to_string())]);
        arguments.extend(["--inference-delay".into(), span(self.inference_delay)]);
        arguments.extend(["--stuck-after".into(), span(self.stuck_after)]);
        arguments.extend(["--jobs-max".into(), count(limits.jobs_max.to_string())]);
        arguments.extend(["--lease".into(), span(limits.lease)]);
        arguments.extend(["--attempts-max".into(), count(limits.attempts_max.to_string())]);
        arguments.extend(["--outcome-ttl".into(), span(limits.outcome_ttl)]);
        arguments.extend(["--dead-ttl".into(), span(limits.dead_ttl)]);
        arguments.extend(["--dead-max".into(), count(limits.dead_max.to_string())]);
        arguments.push("--exit-with-stdin".into());
        arguments.extend(self.log.iter().map(OsString::from));
        if let Some(model) = &self.model {
            arguments.extend(["--model".into(), model.into()]);
        }
        arguments
    }
}
