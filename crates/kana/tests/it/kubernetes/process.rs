//! Do the processes of a release start and work without an API server that answers?

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use kana::gateway::view::Batch;
use reqwest::multipart::{Form, Part};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::tempdir;

use crate::support::eventually;
use crate::support::http::client;
use crate::support::process::kana;
use crate::support::samples::pngs;

/// A process that is killed when this value is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a process, and returns it with the first line of its standard output.
fn start(command: &mut Command) -> (Running, String) {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("kana runs");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    (Running(child), line)
}

/// Starts a gateway with credentials for a cluster at whose address nobody answers, and returns it with its URL.
fn gateway(folder: &Path) -> (Running, String) {
    let kubeconfig = folder.join("kubeconfig");
    let config = "{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: \
        'http://127.0.0.1:1'}}], contexts: [{name: c, context: {cluster: c, user: u, namespace: ns}}], users: \
        [{name: u, user: {}}]}";
    fs::write(&kubeconfig, config).unwrap();
    let mut command = kana();
    command.args(["gateway", "--listen", "127.0.0.1:0", "--cluster", "kubernetes"]);
    command.args(["--release", "a", "--workers", "kana-worker", "--scaled-by", "hpa", "--scaler", "kana-worker"]);
    command.arg("--queue").arg(format!("sqlite:{}", folder.join("queue.db").display()));
    let (running, line) = start(command.env("KUBECONFIG", &kubeconfig));
    let url = line.split_whitespace().find(|word| word.starts_with("http://")).expect("an address").to_owned();
    (running, url)
}

#[tokio::test]
async fn a_gateway_serves_while_the_api_server_does_not_answer() {
    let folder = tempdir().unwrap();

    let (mut gateway, url) = gateway(folder.path());

    let get = async |path: &str| client().get(format!("{url}{path}")).send().await.unwrap();
    eventually("the queue's first answer", async || (get("/readyz").await.status() == 200).then_some(())).await;
    for (path, status) in [("/livez", 200), ("/v1/status", 200), ("/v1/pods", 503), ("/v1/scale", 503)] {
        assert_eq!(get(path).await.status().as_u16(), status, "{path}");
    }
    let pid = Pid::from_raw(gateway.0.id().cast_signed()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    assert!(gateway.0.wait().unwrap().success());
}

#[tokio::test]
async fn a_worker_in_a_pod_writes_its_id_to_the_termination_log_and_is_shown_by_its_pods_name() {
    let folder = tempdir().unwrap();
    let termination_log = folder.path().join("termination-log");
    fs::write(&termination_log, "").unwrap();
    let (_gateway, url) = gateway(folder.path());
    let mut command = kana();
    command
        .args(["worker", "--name", "kana-worker-a", "--listen", "127.0.0.1:0", "--termination-log"])
        .arg(&termination_log);
    command.arg("--queue").arg(format!("sqlite:{}", folder.path().join("queue.db").display()));
    let _worker = start(&mut command);

    let (name, bytes) = pngs(1).remove(0);
    let form = Form::new().part("images", Part::bytes(bytes).file_name(name));
    let receipt = client().post(format!("{url}/v1/jobs")).multipart(form).send().await.unwrap();
    let batch = receipt.json::<Value>().await.unwrap()["batch"].as_str().unwrap().to_owned();

    let job = eventually("an outcome", async || {
        let batch = client().get(format!("{url}/v1/batches/{batch}")).send().await.ok()?.json::<Batch>().await.ok()?;
        batch.jobs.into_iter().find(|job| job.label.is_some())
    })
    .await;
    assert_eq!(job.worker.as_deref(), Some("kana-worker-a"));
    let written = fs::read_to_string(&termination_log).unwrap();
    assert!(written.starts_with("kana-worker-a~") && written.len() == "kana-worker-a~".len() + 5, "{written}");
}

#[test]
fn a_gateway_without_the_names_of_its_workers_does_not_start() {
    let folder = tempdir().unwrap();
    let queue = format!("sqlite:{}", folder.path().join("queue.db").display());
    for (flags, missing) in [
        (&[][..], "--release"),
        (&["--release", "a"], "--workers"),
        (&["--release", "a", "--workers", "w", "--scaled-by", "keda"], "--scaler"),
    ] {
        let mut command = kana();
        command.args(["gateway", "--cluster", "kubernetes", "--queue", &queue]).args(flags);
        let output = command.output().unwrap();

        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(missing), "{flags:?}");
    }
}
