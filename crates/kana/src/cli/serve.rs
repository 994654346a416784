//! Which flags do `up`, `gateway` and `worker` take?
//!
//! Each command is turned into the configuration of its role and run until a signal ends it.

use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use super::{FAILED, Threads, Usage, block_on, environment, flags, kubernetes, print};
use crate::cluster::{Kubernetes, local};
use crate::gateway::{self, NoCluster, Parts};
use crate::pod;
use crate::shutdown::Shutdown;
use crate::telemetry::Format;
use crate::{up, worker};
use kana_queue::clock::{Clock, SystemClock};
use kana_queue::{self as queue, Queue};

/// Time that a gateway's background tasks may take to end.
const END_MAX: Duration = Duration::from_secs(6);

/// `kana up`.
#[derive(Debug, Args)]
pub struct Up {
    #[command(flatten)]
    front: Front,

    /// Directory of the service's own files, created where it does not exist. Accepted jobs are kept here and survive a
    /// crash
    #[arg(long, env = "KANA_DATA_DIR", value_name = "DIR", default_value = "kana-data")]
    data_dir: PathBuf,

    /// URL of the queue. sqlite:PATH is on this machine's disk, held by this process.
    /// redis://USER:PASSWORD@HOST:PORT/DATABASE?prefix=NAME is a Redis server, where only HOST is required, such as
    /// redis://redis.example; rediss:// uses TLS, and ca=FILE adds a certificate authority of your own. Better set as
    /// KANA_QUEUE where it holds a password [default: in the data directory]
    #[arg(long = "queue", env = "KANA_QUEUE", value_name = "URL", hide_env_values = true,
          value_parser = flags::QueueUrlParser)]
    url: Option<queue::Url>,

    #[command(flatten)]
    model: flags::Model,

    /// Fewest workers: this many run even without jobs
    #[arg(long, env = "KANA_MIN", value_name = "COUNT", default_value_t = 1)]
    min: u32,

    /// Most workers: more than --min run only while jobs wait
    #[arg(long, env = "KANA_MAX", value_name = "COUNT", default_value_t = 4)]
    max: u32,

    /// Time that a worker must be idle before it is stopped, such as 10s; 0 stops it at once
    #[arg(long, env = "KANA_COOL_DOWN", value_name = "DURATION", default_value = "10s", value_parser = flags::pause)]
    cool_down: Duration,

    #[command(flatten)]
    engine: flags::Engine,

    #[command(flatten)]
    pace: flags::Pace,

    #[command(flatten)]
    queue: flags::QueueLimits,
}

/// `kana gateway`.
#[derive(Debug, Args)]
pub struct Gateway {
    #[command(flatten)]
    front: Front,

    #[command(flatten)]
    queue_url: flags::QueueUrl,

    /// Where the workers run, so that the gateway can show, stop and scale them
    #[arg(long, env = "KANA_CLUSTER", value_enum, default_value_t = ClusterFlag::None)]
    cluster: ClusterFlag,

    #[command(flatten)]
    model: flags::Model,

    #[command(flatten)]
    queue: flags::QueueLimits,

    // Last, because a help heading holds for all flags after it.
    #[command(flatten)]
    workers: kubernetes::Workers,
}

/// Values of `--cluster`: the place where a gateway's workers run.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ClusterFlag {
    /// Anywhere: the gateway neither shows nor controls them
    None,
    /// In a Deployment, whose pods the gateway shows, stops and scales
    Kubernetes,
}

/// `kana worker`.
#[derive(Debug, Args)]
pub struct Worker {
    /// Name of this worker, shown with its outcomes. No two running workers may share one [default: a new random name]
    #[arg(long, env = "KANA_NAME", value_name = "NAME")]
    name: Option<String>,

    #[command(flatten)]
    queue_url: flags::QueueUrl,

    /// Address to serve /livez, /readyz and /metrics on; port 0 takes a free port
    #[arg(long, env = "KANA_LISTEN", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// End when standard input ends, so that workers of `kana up` end with it
    #[arg(long, env = "KANA_EXIT_WITH_STDIN", hide = true)]
    exit_with_stdin: bool,

    #[command(flatten)]
    model: flags::Model,

    #[command(flatten)]
    engine: flags::Engine,

    /// Threads that classify a batch together. A worker more uses a core more as well, and claims on its own
    #[arg(long, env = "KANA_THREADS", value_name = "COUNT", default_value = "1", value_parser = flags::threads)]
    threads: NonZero<usize>,

    #[command(flatten)]
    pace: flags::Pace,

    #[command(flatten)]
    queue: flags::QueueLimits,

    #[command(flatten)]
    pod: kubernetes::OwnPodFlags,
}

/// The flags for a gateway's clients.
#[derive(Debug, Args)]
struct Front {
    /// Address to serve HTTP on; port 0 takes a free port
    #[arg(long, env = "KANA_LISTEN", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// File of access tokens, one a line: scopes (read, submit, operate, separated by commas), a space, the token, such
    /// as read,submit s3cret, and if wanted another space and a name for the log. A change takes effect within a few
    /// seconds [default: no token is needed]
    #[arg(long, env = "KANA_TOKENS", value_name = "FILE")]
    tokens: Option<PathBuf>,

    /// Address of a second port that serves /livez, /readyz and /metrics alone, with room of its own, so that no client
    /// can keep probes out; port 0 takes a free port [default: none]
    #[arg(long, env = "KANA_HEALTH_LISTEN", value_name = "ADDRESS:PORT")]
    health_listen: Option<SocketAddr>,

    #[command(flatten)]
    limits: Limits,

    /// Serve other machines even without tokens: everybody who reaches the address may do everything
    #[arg(long, env = "KANA_INSECURE")]
    insecure: bool,

    /// Name under which clients reach the service besides its own addresses, such as kana.example: that of a proxy in
    /// front of it. Give it once for each name; in KANA_ALLOWED_HOST they are separated by commas
    #[arg(long = "allowed-host", env = "KANA_ALLOWED_HOST", value_name = "NAME", value_delimiter = ',')]
    allowed_hosts: Vec<gateway::Host>,

    /// Images that one token may submit a second, such as 50 or 0.5; without tokens, one client address. More get status
    /// 429 [default: no limit]
    #[arg(long, env = "KANA_RATE_LIMIT", value_name = "PER-SECOND", value_parser = flags::rate_limit)]
    rate_limit: Option<f64>,

    /// Refuse pictures that show nothing (blank paper, a single colour, noise) with status 422, instead of answering them
    /// with "blank": true
    #[arg(long, env = "KANA_REJECT_BLANK")]
    reject_blank: bool,
}

/// The flags for what clients may make the gateway hold.
#[derive(Clone, Copy, Debug, Args)]
struct Limits {
    /// Memory for the bodies of uploads, such as 96MiB. Where it is full, the upload that holds the most for longest is
    /// cut off with status 429
    #[arg(long, env = "KANA_BODY_MEMORY", value_name = "SIZE", default_value = "96MiB", value_parser = flags::size)]
    body_memory: usize,

    /// Memory for decoding pictures, such as 240MiB: 16 MiB for small ones, and the rest for one large one at a time.
    /// A picture that needs more is refused
    #[arg(long, env = "KANA_DECODE_MEMORY", value_name = "SIZE", default_value = "240MiB", value_parser = flags::size)]
    decode_memory: usize,

    /// Open connections at most. A further one takes the place of the one whose client has kept the gateway waiting for
    /// longest
    #[arg(long, env = "KANA_CONNECTIONS_MAX", value_name = "COUNT", default_value_t = 1_024, value_parser = flags::count)]
    connections_max: usize,

    /// Open connections from one address at most
    #[arg(long, env = "KANA_CONNECTIONS_PER_CLIENT", value_name = "COUNT", default_value_t = 512,
          value_parser = flags::count)]
    connections_per_client: usize,

    /// Time that running requests may take to finish after the shutdown begins, such as 5s or 2m; then their connections
    /// are cut
    #[arg(long, env = "KANA_FINISH_MAX", value_name = "DURATION", default_value = "5s", value_parser = flags::pause)]
    finish_max: Duration,
}

impl Limits {
    fn limits(self) -> gateway::Limits {
        gateway::Limits {
            buffered_bytes_max: self.body_memory,
            decode_bytes_max: self.decode_memory,
            connections_max: self.connections_max,
            connections_per_client_max: self.connections_per_client,
            finish_max: self.finish_max,
            ..gateway::Limits::default()
        }
    }
}

impl Front {
    fn config(&self) -> anyhow::Result<gateway::Config> {
        let tokens = match &self.tokens {
            Some(file) => gateway::read_tokens(file)?,
            None => gateway::Tokens::default(),
        };
        if tokens.is_empty() && !self.listen.ip().is_loopback() && !self.insecure {
            let why =
                "other machines can reach that address: give --tokens, or --insecure to let everybody do everything";
            return Err(Usage(format!("invalid value '{}' for '--listen <ADDRESS:PORT>': {why}", self.listen)).into());
        }
        Ok(gateway::Config {
            tokens,
            tokens_file: self.tokens.clone(),
            insecure: self.insecure,
            allowed_hosts: self.allowed_hosts.clone(),
            rate_limit: self.rate_limit,
            reject_blank: self.reject_blank,
            health_listen: self.health_listen,
            limits: self.limits.limits(),
            ..gateway::Config::new(self.listen)
        })
    }
}

impl Up {
    pub fn run(self, log: &str, log_format: Format) -> anyhow::Result<ExitCode> {
        let range = self.min..=self.max;
        local::check_range(&range)
            .map_err(|error| Usage(format!("invalid range --min {} --max {}: {error}", self.min, self.max)))?;
        self.url.as_ref().map_or(Ok(()), flags::check_shared)?;
        let format = if log_format == Format::Json { "json" } else { "text" };
        let worker = up::WorkerConfig {
            program: std::env::current_exe().context("could not find this program's own file")?,
            model: self.model.folder()?,
            instructions: self.engine.instructions(),
            batch_max: self.pace.batch_max,
            inference_delay: self.pace.inference_delay,
            stuck_after: self.pace.stuck_after,
            // A worker gets its flags from this process alone: a variable that is wrong must not fail it again and again.
            unset: environment::variables::<Worker>(),
            log: ["--log", log, "--log-format", format].map(str::to_owned).to_vec(),
        };
        let config = up::Config {
            gateway: self.front.config()?,
            data_dir: self.data_dir.clone(),
            queue: self.url,
            card: self.model.load()?.card().clone(),
            report: self.model.report(),
            limits: self.queue.limits(),
            range,
            cool_down: self.cool_down,
            worker,
        };
        block_on(Threads::Many, async {
            let shutdown = ended_by_signals()?;
            let folder = self.data_dir.display();
            // The line is for people and scripts; the service runs even where its output is closed.
            let ready = |address| _ = print::text(format!("kana is up at http://{address} (data in {folder})"));
            up::run(config, &shutdown, ready).await
        })??;
        Ok(ExitCode::SUCCESS)
    }
}

impl Gateway {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        flags::check_shared(&self.queue_url.url)?;
        let config = self.front.config()?;
        let (card, report) = (self.model.load()?.card().clone(), self.model.report());
        block_on(Threads::Many, async {
            let shutdown = ended_by_signals()?;
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let queue: Arc<dyn Queue> = queue::open(&self.queue_url.url, self.queue.limits(), clock.clone())?.into();
            let cluster: Arc<dyn pod::Cluster> = match self.cluster {
                ClusterFlag::None => Arc::new(NoCluster),
                ClusterFlag::Kubernetes => {
                    let cluster = Kubernetes::prepare(self.workers.config(), queue.clone()).await?;
                    cluster.start(&shutdown);
                    Arc::new(cluster)
                }
            };
            let parts = Parts { queue, cluster, card, report, clock };
            let gateway = gateway::Gateway::bind(config, parts).await?;
            let _ = print::text(format!("kana gateway is up at http://{}", gateway.address()));
            let served = gateway.serve(&shutdown).await;
            shutdown.finished(END_MAX).await;
            served
        })??;
        Ok(ExitCode::SUCCESS)
    }
}

impl Worker {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        flags::check_shared(&self.queue_url.url)?;
        block_on(Threads::One, async {
            let shutdown = Shutdown::on_signals().context("could not listen to signals")?;
            if self.exit_with_stdin {
                worker::exit_with_stdin(shutdown.clone()).context("could not watch standard input")?;
            }
            let queue: Arc<dyn Queue> = queue::connect(&self.queue_url.url, self.queue.limits())?.into();
            let name = self.name.unwrap_or_else(random_name);
            let own_pod = self.pod.with_deletion_cost(&name).await;
            let config = worker::Config {
                id: self.pod.worker_id(&name),
                batch_max: self.pace.batch_max,
                inference_delay: self.pace.inference_delay,
                stuck_after: self.pace.stuck_after,
                lease: self.queue.lease,
                listen: self.listen,
            };
            let (model, instructions, threads) = (self.model, self.engine.instructions(), self.threads);
            info!(%instructions, threads, "classifies by {instructions}, threads: {threads}");
            let engine: worker::Factory = Box::new(move || model.load()?.classifier_on_threads(instructions, threads));
            let worker = worker::Worker::bind(config, queue, engine).await?;
            let (address, mut readiness) = (worker.address(), worker.readiness());
            if let Some(pod) = own_pod {
                shutdown.spawn(pod.update_deletion_cost(worker.busy()));
            }
            let announce = async {
                // Fails only where the worker has ended, and its own result says why.
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

/// Generates a name for a worker that no other worker has.
fn random_name() -> String {
    format!("kana-worker-{}-{:08x}", std::process::id(), rand::random::<u32>())
}

/// Creates a shutdown that SIGTERM and SIGINT begin, and that a second SIGINT cuts short.
#[expect(
    clippy::disallowed_methods,
    reason = "a second Ctrl-C ends at once, and its task waits for one that may not come"
)]
fn ended_by_signals() -> anyhow::Result<Shutdown> {
    let shutdown = Shutdown::on_signals().context("could not listen to signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("could not listen to signals")?;
    tokio::spawn(async move {
        // The first one begins the shutdown.
        interrupt.recv().await;
        interrupt.recv().await;
        std::process::exit(FAILED.into());
    });
    Ok(shutdown)
}
