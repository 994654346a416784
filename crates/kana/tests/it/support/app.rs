//! What does a test need to talk to a gateway?
//!
//! A real gateway on a free port of the loopback, over a memory queue that fails on demand, with pods that exist in
//! name only and workers that do what the test says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Once};
use std::time::Duration;

use kana::gateway::{Config, Gateway, NoCluster, Parts};
use kana::shutdown::Shutdown;
use kana_engine::Prediction;
use kana_engine::image::Shape;
use kana_engine::image::fit::Fit;
use kana_engine::model::Card;
use kana_engine::model::card::{Architecture, Input, Training};
use kana_queue::clock::SystemClock;
use kana_queue::memory::Memory;
use kana_queue::{Cause, Claim, Inference, Limits, Queue, Settled, Settlement};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use super::eventually;
use super::fake_cluster::FakeCluster;
use super::faulty::Faulty;

/// Largest number of jobs in the queue: few enough to fill it in a test.
pub const JOBS_MAX: usize = 64;

/// A gateway and everything around it.
pub struct App {
    pub address: SocketAddr,
    pub health_address: Option<SocketAddr>,
    pub queue: Arc<Faulty>,
    pub cluster: Arc<FakeCluster>,
    pub http: reqwest::Client,
    pub shutdown: Shutdown,
    serving: Option<tokio::task::JoinHandle<anyhow::Result<()>>>,
}

impl App {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts a gateway whose queue has never answered.
    pub async fn failing() -> Self {
        let queue = Faulty::new(memory());
        queue.fail();
        Self::over(queue, |_| {}, parts()).await
    }

    /// Starts a gateway with another configuration.
    pub async fn with(tune: impl FnOnce(&mut Config)) -> Self {
        Self::over(Faulty::new(memory()), tune, parts()).await
    }

    /// Starts a gateway whose model has this report.
    pub async fn reporting(page: &str) -> Self {
        Self::over(Faulty::new(memory()), |_| {}, Parts { report: Some(page.into()), ..parts() }).await
    }

    async fn over(queue: Faulty, tune: impl FnOnce(&mut Config), parts: Parts) -> Self {
        super::start_logs();
        let queue = Arc::new(queue);
        let cluster = Arc::new(FakeCluster::new());
        let mut config = Config::new(SocketAddr::from(([127, 0, 0, 1], 0)));
        tune(&mut config);
        let parts = Parts { queue: queue.clone(), cluster: cluster.clone(), ..parts };
        let gateway = Gateway::bind(config, parts).await.expect("a free port");
        let (address, health_address) = (gateway.address(), gateway.health_address());
        let shutdown = Shutdown::new();
        let serving = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { gateway.serve(&shutdown).await }
        });
        Self { address, health_address, queue, cluster, http: client(), shutdown, serving: Some(serving) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path))
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.expect("an answer")
    }

    pub async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.expect("JSON")
    }

    /// Uploads files to a path.
    pub fn upload(&self, path: &str, files: Vec<(&str, Vec<u8>)>) -> RequestBuilder {
        self.request(Method::POST, path).multipart(form(files))
    }

    /// Uploads files and returns the receipt.
    pub async fn accept(&self, files: Vec<(&str, Vec<u8>)>) -> Value {
        let response = self.upload("/v1/jobs", files).send().await.expect("an answer");
        assert_eq!(response.status(), 202);
        response.json().await.expect("a receipt")
    }

    /// Claims up to `count` jobs.
    pub async fn claim(&self, worker: &str, count: usize) -> Vec<Claim> {
        self.queue.claim(&worker.into(), count, Duration::from_secs(10)).await.expect("a claim")
    }

    /// Claims up to `count` jobs and settles them as done.
    pub async fn work(&self, worker: &str, count: usize) -> Vec<Settled> {
        let claims = self.claim(worker, count).await;
        self.queue.settle(claims.into_iter().map(done).collect()).await.expect("a settlement")
    }

    /// Settles claimed jobs as done.
    pub async fn settle(&self, claims: Vec<Claim>) {
        self.queue.settle(claims.into_iter().map(done).collect()).await.expect("a settlement");
    }

    /// Reclaims the jobs of a worker that was stopped.
    pub async fn reclaim(&self, worker: &str) {
        self.queue.reclaim(&worker.into(), Cause::Stopped).await.expect("a queue that answers");
    }

    /// Runs a worker that settles every job until the gateway ends.
    pub fn spawn_worker(&self, worker: &'static str) {
        let (queue, shutdown) = (self.queue.clone(), self.shutdown.clone());
        tokio::spawn(async move {
            while !shutdown.has_begun() {
                let claims = queue.claim(&worker.into(), 16, Duration::from_secs(1)).await.unwrap_or_default();
                let _ = queue.settle(claims.into_iter().map(done).collect()).await;
            }
        });
    }

    /// Fails a job until it is a dead letter.
    pub async fn dead_letter(&self, worker: &str, reason: &str) {
        loop {
            let claims = self.claim(worker, 1).await;
            let failed = claims.into_iter().map(|claim| Settlement { lease: claim.lease, result: Err(reason.into()) });
            if self.queue.settle(failed.collect()).await.expect("a settlement") == [Settled::Dead] {
                return;
            }
        }
    }

    /// Waits until the gateway has counted this number of settled jobs.
    pub async fn sees_settled(&self, jobs: u64) {
        eventually("the gateway sees jobs settled", async || {
            let queue = self.json("/v1/status").await["queue"].clone();
            (queue["done"].as_u64()? + queue["failed"].as_u64()? >= jobs).then_some(())
        })
        .await;
    }

    /// Ends the gateway and waits until it has ended.
    pub async fn end(mut self) {
        self.shutdown.begin();
        let serving = self.serving.take().expect("a gateway that serves");
        serving.await.expect("no panic").expect("no error");
        assert!(self.shutdown.finished(Duration::from_secs(10)).await, "a task of the gateway still runs");
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}

/// Settles a claim as done: the class is the brightest sample modulo ten.
pub fn done(claim: Claim) -> Settlement {
    let brightest = claim.job.image.pixels().iter().copied().max().unwrap_or(0);
    let class = usize::from(brightest) % 10;
    let blank = claim.job.image.is_blank();
    let mut probabilities = vec![0.01; 10];
    probabilities[class] = 0.91;
    let prediction = Prediction::from_probabilities(probabilities, &labels()).expect("ten labels");
    Settlement {
        lease: claim.lease,
        result: Ok(Inference { prediction, elapsed: Duration::from_micros(1_250), blank }),
    }
}

/// A queue, no pods, a card and a clock.
pub fn parts() -> Parts {
    let (queue, cluster, clock) = (memory(), Arc::new(NoCluster), Arc::new(SystemClock));
    Parts { queue, cluster, card: Arc::new(card()), report: None, clock }
}

fn memory() -> Arc<dyn Queue> {
    Arc::new(Memory::new(Limits { jobs_max: JOBS_MAX, ..Limits::default() }, Arc::new(SystemClock)))
}

pub fn form(files: Vec<(&str, Vec<u8>)>) -> Form {
    files
        .into_iter()
        .fold(Form::new(), |form, (name, bytes)| form.part("images", Part::bytes(bytes).file_name(name.to_owned())))
}

pub fn labels() -> Vec<String> {
    ["お", "き", "す", "つ", "な", "は", "ま", "や", "れ", "を"].map(String::from).to_vec()
}

fn client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Another test may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

fn card() -> Card {
    Card {
        format: 1,
        name: "kana".into(),
        description: "Reads what the test says.".into(),
        architecture: Architecture { family: "kana-cnn".into(), depth: 4, width: 32, dropout: 0.2 },
        input: Input {
            shape: Shape { channels: 1, height: 28, width: 28 },
            mean: vec![0.2],
            deviation: vec![0.3],
            fit: Fit::Glyph { margin: 0.14 },
        },
        labels: labels(),
        romanised: Vec::new(),
        members: Vec::new(),
        training: Training {
            version: "0.1.0".into(),
            data: Vec::new(),
            images: 0,
            validation_images: 0,
            seed: 0,
            epochs: 0,
            best_epoch: 0,
            settings: BTreeMap::new(),
        },
        evaluation: Vec::new(),
        licence: "none".into(),
        attribution: "nobody".into(),
        self_test: Vec::new(),
    }
}
