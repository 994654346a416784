//! What do `up`, `gateway` and `worker` take?

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use super::{FAILED, Threads, Usage, block_on, flags, kubernetes, print};
use crate::cluster::{Kubernetes, local};
use crate::gateway::{self, NoCluster, Parts};
use crate::pod;
use crate::shutdown::Shutdown;
use crate::telemetry::Format;
use crate::{up, worker};
use kana_queue::clock::{Clock, SystemClock};
use kana_queue::{self as queue, Queue};

/// How long what is left of a gateway may take to end.
const END_MAX: Duration = Duration::from_secs(6);

/// `kana up`.
#[derive(Debug, Args)]
pub struct Up {
    #[command(flatten)]
    front: Front,

    /// Where the queue lives; what was accepted is still there the next time
    #[arg(long, env = "KANA_DATA_DIR", value_name = "DIR", default_value = "kana-data")]
    data_dir: PathBuf,

    /// Where jobs wait, if not in the data folder: redis://USER:PASSWORD@HOST:PORT/DATABASE?prefix=NAME, of which only
    /// HOST is needed; rediss:// for TLS, ca=FILE for an authority of your own
    #[arg(long = "queue", env = "KANA_QUEUE", value_name = "URL")]
    url: Option<queue::Url>,

    #[command(flatten)]
    model: flags::Model,

    /// Workers that there are always
    #[arg(long, env = "KANA_MIN", value_name = "COUNT", default_value_t = 1)]
    min: u32,

    /// Workers that there are at most, when work waits
    #[arg(long, env = "KANA_MAX", value_name = "COUNT", default_value_t = 4)]
    max: u32,

    /// How long a worker must be idle before it is one too many
    #[arg(long, env = "KANA_COOL_DOWN", value_name = "TIME", default_value = "10s", value_parser = flags::pause)]
    cool_down: Duration,

    #[command(flatten)]
    pace: flags::Pace,

    #[command(flatten)]
    queue: flags::Queue,
}

/// `kana gateway`.
#[derive(Debug, Args)]
pub struct Gateway {
    #[command(flatten)]
    front: Front,

    /// Where jobs wait: sqlite:PATH or redis://USER:PASSWORD@HOST:PORT/DATABASE?prefix=NAME, of which only HOST is needed;
    /// rediss:// for TLS, ca=FILE for an authority of your own
    #[arg(long = "queue", env = "KANA_QUEUE", value_name = "URL")]
    url: queue::Url,

    /// Who keeps the workers
    #[arg(long, env = "KANA_CLUSTER", value_enum, default_value_t = Cluster::None)]
    cluster: Cluster,

    #[command(flatten)]
    workers: kubernetes::Workers,

    #[command(flatten)]
    model: flags::Model,

    #[command(flatten)]
    queue: flags::Queue,
}

/// Who keeps the workers.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Cluster {
    /// Somebody else, out of the gateway's sight
    None,
    /// A Deployment, whose pods the gateway shows and steers
    Kubernetes,
}

/// `kana worker`.
#[derive(Debug, Args)]
pub struct Worker {
    /// Its name, which every outcome that it settles bears, unlike that of any other worker; without it, a new one
    #[arg(long, env = "KANA_NAME", value_name = "NAME")]
    name: Option<String>,

    /// Where jobs wait: sqlite:PATH or redis://USER:PASSWORD@HOST:PORT/DATABASE?prefix=NAME, of which only HOST is needed;
    /// rediss:// for TLS, ca=FILE for an authority of your own
    #[arg(long = "queue", env = "KANA_QUEUE", value_name = "URL")]
    url: queue::Url,

    /// Where its health and metrics are served; port 0 takes a free one
    #[arg(long, env = "KANA_LISTEN", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// End when standard input does, which is how workers of `kana up` end with it
    #[arg(long, env = "KANA_EXIT_WITH_STDIN", hide = true)]
    exit_with_stdin: bool,

    /// How long a batch may take before the worker says that it is no longer alive; give a slow model more
    #[arg(long, env = "KANA_STUCK_AFTER", value_name = "TIME", default_value = "30s", value_parser = flags::span)]
    stuck_after: Duration,

    #[command(flatten)]
    model: flags::Model,

    #[command(flatten)]
    pace: flags::Pace,

    #[command(flatten)]
    queue: flags::Queue,

    #[command(flatten)]
    pod: kubernetes::OwnPod,
}

/// How a gateway faces its clients.
#[derive(Debug, Args)]
struct Front {
    /// The address to serve on; port 0 takes a free one
    #[arg(long, env = "KANA_LISTEN", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// A file with one token a line: its scopes (read, submit, operate, separated by commas), a space, the token
    #[arg(long, env = "KANA_TOKENS", value_name = "FILE")]
    tokens: Option<PathBuf>,

    /// Serve other machines although there are no tokens
    #[arg(long, env = "KANA_INSECURE")]
    insecure: bool,
}

impl Front {
    fn config(&self) -> anyhow::Result<gateway::Config> {
        let tokens = match &self.tokens {
            Some(file) => {
                let text = std::fs::read_to_string(file);
                let text = text.with_context(|| format!("could not read the tokens in {}", file.display()))?;
                gateway::Tokens::parse(&text).with_context(|| format!("could not use {}", file.display()))?
            }
            None => gateway::Tokens::default(),
        };
        if tokens.is_empty() && !self.listen.ip().is_loopback() && !self.insecure {
            let why = "other machines can reach that address: give --tokens, or --insecure to let everybody do all";
            return Err(Usage(format!("invalid value '{}' for '--listen <ADDRESS:PORT>': {why}", self.listen)).into());
        }
        Ok(gateway::Config { tokens, insecure: self.insecure, ..gateway::Config::new(self.listen) })
    }
}

impl Up {
    pub fn run(self, log: &str, log_format: Format) -> anyhow::Result<ExitCode> {
        let range = self.min..=self.max;
        local::check_range(&range)
            .map_err(|error| Usage(format!("invalid range --min {} --max {}: {error}", self.min, self.max)))?;
        if self.url == Some(queue::Url::Memory) {
            let why = "workers are processes of their own, which cannot reach this one's memory";
            return Err(Usage(format!("invalid value 'memory:' for '--queue <URL>': {why}")).into());
        }
        let format = if log_format == Format::Json { "json" } else { "text" };
        let worker = up::Worker {
            program: std::env::current_exe().context("could not find this program's own file")?,
            model: self.model.folder().context("could not find the model's folder")?,
            batch_max: self.pace.batch_max,
            inference_delay: self.pace.inference_delay,
            log: ["--log", log, "--log-format", format].map(str::to_owned).to_vec(),
        };
        let config = up::Config {
            gateway: self.front.config()?,
            data_dir: self.data_dir.clone(),
            queue: self.url,
            card: self.model.load()?.card().clone(),
            limits: self.queue.limits(),
            range,
            cool_down: self.cool_down,
            worker,
        };
        block_on(Threads::Cores, async {
            let shutdown = ended_by_signals()?;
            let folder = self.data_dir.display();
            // The line is for people and scripts; a service that nobody reads serves all the same.
            let ready = |address| _ = print::text(&format!("kana is up at http://{address} (data in {folder})"));
            up::run(config, &shutdown, ready).await
        })??;
        Ok(ExitCode::SUCCESS)
    }
}

impl Gateway {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.front.config()?;
        let card = self.model.load()?.card().clone();
        block_on(Threads::Cores, async {
            let shutdown = ended_by_signals()?;
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let queue: Arc<dyn Queue> = queue::open(&self.url, self.queue.limits(), clock.clone())?.into();
            let cluster: Arc<dyn pod::Cluster> = match self.cluster {
                Cluster::None => Arc::new(NoCluster),
                Cluster::Kubernetes => {
                    let cluster = Kubernetes::prepare(self.workers.config(), queue.clone()).await?;
                    cluster.start(&shutdown);
                    Arc::new(cluster)
                }
            };
            let parts = Parts { queue, cluster, card, clock };
            let gateway = gateway::Gateway::bind(config, parts).await?;
            let _ = print::text(&format!("kana gateway is up at http://{}", gateway.address()));
            let served = gateway.serve(&shutdown).await;
            shutdown.finished(END_MAX).await;
            served
        })??;
        Ok(ExitCode::SUCCESS)
    }
}

impl Worker {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        block_on(Threads::One, async {
            let shutdown = Shutdown::on_signals().context("could not listen to signals")?;
            if self.exit_with_stdin {
                worker::leave_with_stdin(shutdown.clone()).context("could not watch standard input")?;
            }
            let queue: Arc<dyn Queue> = queue::open(&self.url, self.queue.limits(), Arc::new(SystemClock))?.into();
            let name = self.name.unwrap_or_else(a_name);
            let own_pod = self.pod.with_deletion_cost(&name).await;
            let config = worker::Config {
                id: self.pod.worker_id(&name),
                batch_max: self.pace.batch_max,
                inference_delay: self.pace.inference_delay,
                stuck_after: self.stuck_after,
                lease: self.queue.lease,
                listen: self.listen,
            };
            let model = self.model;
            let engine: worker::Factory = Box::new(move || model.load()?.classifier());
            let worker = worker::Worker::bind(config, queue, engine).await?;
            let (address, mut readiness) = (worker.address(), worker.readiness());
            if let Some(pod) = own_pod {
                // Ends with the worker; nobody waits for the last write.
                tokio::spawn(pod.update_deletion_cost(worker.busy()));
            }
            let announce = async {
                // Fails only where the worker has ended, and its own result tells why.
                if readiness.wait_for(|ready| *ready).await.is_ok() {
                    let _ = print::json(&serde_json::json!({ "ready": true, "listen": address }));
                }
                std::future::pending().await
            };
            tokio::select! {
                done = worker.run(&shutdown) => done,
                done = announce => done,
            }
        })??;
        Ok(ExitCode::SUCCESS)
    }
}

/// A worker's name, unlike any other of any machine.
fn a_name() -> String {
    format!("kana-worker-{}-{:08x}", std::process::id(), rand::random::<u32>())
}

/// A shutdown that SIGTERM and SIGINT begin, and a second SIGINT cuts short.
fn ended_by_signals() -> anyhow::Result<Shutdown> {
    let shutdown = Shutdown::on_signals().context("could not listen to signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("could not listen to signals")?;
    // Not on the tracker: nobody waits for an impatience that may never come.
    tokio::spawn(async move {
        // The first one has begun the shutdown.
        interrupt.recv().await;
        interrupt.recv().await;
        std::process::exit(FAILED.into());
    });
    Ok(shutdown)
}
