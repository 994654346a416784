//! How does all of kana run on one machine with one command?
//!
//! The gateway in this process, every worker a child of it, the queue a file in a folder that one `kana up` owns at a
//! time. Whatever ends this process, its children end with it, and the next one on the same folder goes on where this
//! one was.

mod folder;

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
use folder::Folder;
use kana_engine::model::Card;
use kana_queue::clock::{Clock, SystemClock};
use kana_queue::{self as queue, Cause, Limits, Queue};

/// How long ending may take: children have five seconds, requests as long.
const END_MAX: Duration = Duration::from_secs(6);

/// The variable that tells a worker its queue, whose URL may hold a password.
const QUEUE: &str = "KANA_QUEUE";

/// What `kana up` is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// How the gateway listens.
    pub gateway: gateway::Config,
    /// What this service keeps for itself, its queue among it unless that is elsewhere.
    pub data_dir: PathBuf,
    /// Where the queue is; a file in the data folder where `None`.
    pub queue: Option<queue::Url>,
    /// What the model says of itself.
    pub card: Arc<Card>,
    /// The queue's bounds.
    pub limits: Limits,
    /// How many pods there may be.
    pub range: RangeInclusive<u32>,
    /// How long a pod must be spare before it goes.
    pub cool_down: Duration,
    /// What every worker is told.
    pub worker: Worker,
}

/// What every worker of `kana up` is told, beside its name and its queue.
#[derive(Clone, Debug)]
pub struct Worker {
    /// This program.
    pub program: PathBuf,
    /// The model's folder; the one inside the program where `None`.
    pub model: Option<PathBuf>,
    /// Images classified at once, at most.
    pub batch_max: usize,
    /// Slows each image down.
    pub inference_delay: Duration,
    /// Flags that say how to log.
    pub log: Vec<String>,
}

/// Serves until `shutdown` begins. `ready` is called once with the address, when requests are answered from then on.
///
/// # Errors
/// Where the folder is in use, the port is taken, or the queue cannot be opened; the message names which.
pub async fn run(config: Config, shutdown: &Shutdown, ready: impl FnOnce(SocketAddr)) -> anyhow::Result<()> {
    let folder = Folder::own(&config.data_dir)?;
    let url = config.queue.unwrap_or_else(|| folder.queue());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let queue: Arc<dyn Queue> = queue::open(&url, config.limits, clock.clone())?.into();
    // Others may work on a queue that is elsewhere: there, leases of the dead lapse.
    if url == folder.queue() {
        take_back_from_the_dead(queue.as_ref()).await?;
    } else {
        queue.depth().await.with_context(|| format!("could not use the queue {url}"))?;
    }

    let pods = local::Config {
        program: config.worker.program.clone(),
        arguments: config.worker.arguments(&config.limits),
        environment: vec![(QUEUE.to_owned(), url.secret())],
        range: config.range,
        cool_down: config.cool_down,
    };
    let cluster = Arc::new(Local::prepare(pods, queue.clone(), clock.clone())?);
    let parts = Parts { queue, cluster: cluster.clone(), card: config.card, clock };
    let gateway = Gateway::bind(config.gateway, parts).await?;

    // Only now: without a port there is nothing to work for, and an error should find nothing to clean up.
    cluster.start(shutdown);
    ready(gateway.address());
    let served = gateway.serve(shutdown).await;
    shutdown.begin();
    if !shutdown.finished(END_MAX).await {
        warn!("ended before everything had: what is left ends with this process");
    }
    served
}

/// Workers of an earlier run that was killed died with it, and nobody told the queue.
async fn take_back_from_the_dead(queue: &dyn Queue) -> anyhow::Result<()> {
    let depth = queue.depth().await.context("could not read the queue")?;
    for (worker, held) in &depth.running {
        queue.reclaim(worker, Cause::Stopped).await.with_context(|| format!("could not take back from {worker}"))?;
        info!("took {held} jobs back from {worker}, which has ended with its service");
    }
    match depth.waiting + depth.in_flight() {
        0 => {}
        left => info!("going on with {left} jobs of an earlier run"),
    }
    Ok(())
}

impl Worker {
    /// The command line of a worker. Everything but the queue is said, so that no environment changes it.
    fn arguments(&self, limits: &Limits) -> Vec<String> {
        let span = |span: Duration| humantime::format_duration(span).to_string();
        // The command first: it is what people look for in a list of processes.
        let mut arguments = vec!["worker".to_owned()];
        arguments.extend(["--listen".into(), "127.0.0.1:0".into()]);
        arguments.extend(["--batch-max".into(), self.batch_max.to_string()]);
        arguments.extend(["--inference-delay".into(), span(self.inference_delay)]);
        arguments.extend(["--jobs-max".into(), limits.jobs_max.to_string()]);
        arguments.extend(["--lease".into(), span(limits.lease)]);
        arguments.extend(["--attempts-max".into(), limits.attempts_max.to_string()]);
        arguments.extend(["--outcome-ttl".into(), span(limits.outcome_ttl)]);
        arguments.push("--exit-with-stdin".into());
        arguments.extend(self.log.iter().cloned());
        if let Some(model) = &self.model {
            arguments.extend(["--model".into(), model.display().to_string()]);
        }
        arguments
    }
}
