//! Do child processes start and end as their supervisor decides, and never outlive it?

use rustix::process::Signal;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::tempdir;

use crate::support::eventually;
use crate::support::process::{Up, is_gone, kana, send};

/// Time that a child may outlive its parent: its drain, and a moment for a busy machine.
const OUTLIVED_MAX: Duration = Duration::from_secs(4);

async fn all_gone(workers: Vec<(String, u32)>) {
    let begin = Instant::now();
    for (name, pid) in workers {
        eventually(&format!("{name} to end with its parent"), async || is_gone(pid).then_some(())).await;
    }
    assert!(begin.elapsed() < OUTLIVED_MAX, "{:?}", begin.elapsed());
}

#[tokio::test]
async fn no_worker_outlives_a_service_that_is_killed() {
    let data = tempdir().unwrap();
    let up = Up::start(data.path(), &["--min", "3", "--max", "3"]).await;

    let workers = up.kill();

    assert_eq!(workers.len(), 3);
    all_gone(workers).await;
}

// Only Linux signals a suspended process when its parent has ended.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn not_even_a_suspended_worker_outlives_its_service() {
    let data = tempdir().unwrap();
    let up = Up::start(data.path(), &[]).await;
    let worker = up.worker(&up.ready().await[0]);
    send(worker, Signal::STOP);

    let workers = up.kill();

    all_gone(workers).await;
}

#[tokio::test]
async fn no_worker_outlives_a_service_that_is_asked_to_stop() {
    let data = tempdir().unwrap();
    let up = Up::start(data.path(), &["--min", "2", "--max", "2"]).await;
    let workers = up.workers();

    assert!(up.terminate().success());

    assert!(workers.iter().all(|(_, pid)| is_gone(*pid)));
}

#[tokio::test]
async fn a_worker_that_makes_no_progress_is_replaced() {
    let data = tempdir().unwrap();
    let up = Up::start(data.path(), &[]).await;
    let first = up.ready().await.remove(0);
    let pid = up.worker(&first);

    send(pid, Signal::STOP);

    eventually("another pod", async || {
        let ready = up.ready().await;
        (!ready.is_empty() && !ready.contains(&first)).then_some(())
    })
    .await;
    assert!(is_gone(pid));
}

#[tokio::test]
async fn the_log_of_a_pod_can_be_read_and_so_can_that_of_one_that_was_killed() {
    let data = tempdir().unwrap();
    let up = Up::start(data.path(), &["--min", "1", "--max", "1"]).await;
    let pod = up.ready().await.remove(0);
    let ready = format!("{pod} is ready");

    let while_it_runs = up.pod_log(&pod, 100).await;
    let last_line = up.pod_log(&pod, 1).await;
    assert_eq!(up.stop(&pod, "kill").await, 202);
    eventually("another pod", async || (!up.ready().await.contains(&pod)).then_some(())).await;
    let when_it_is_gone = up.pod_log(&pod, 100).await;

    assert!(while_it_runs.contains(&ready) && while_it_runs.lines().count() > 1, "{while_it_runs}");
    assert_eq!(last_line.lines().count(), 1);
    assert!(when_it_is_gone.contains(&ready), "{when_it_is_gone}");
}

#[tokio::test]
async fn a_range_is_followed_at_once_in_both_directions() {
    let data = tempdir().unwrap();
    let up = Up::start(data.path(), &["--cool-down", "1h"]).await;

    up.set_range(3, 4).await;
    eventually("three pods", async || (up.ready().await.len() == 3).then_some(())).await;
    up.set_range(1, 1).await;
    eventually("one pod", async || (up.ready().await.len() == 1).then_some(())).await;

    assert_eq!(up.set_range(3, 2).await, 422);
    assert_eq!(up.set_range(1, 1_000).await, 422);
}

#[tokio::test]
async fn where_the_minimum_is_zero_the_first_job_starts_a_pod() {
    let data = tempdir().unwrap();
    let up = Up::start(data.path(), &["--min", "0", "--max", "1"]).await;
    assert!(up.ready().await.is_empty());

    let receipt = up.submit(crate::support::samples::pngs(1)).await;

    assert_eq!(up.finished(receipt.batch).await.counts.done, 1);
}

#[tokio::test]
async fn a_data_folder_serves_one_process_at_a_time_and_the_error_names_the_owner() {
    let data = tempdir().unwrap();
    let up = Up::start(data.path(), &[]).await;

    let refused = up_output(data.path(), "127.0.0.1:0");

    assert!(refused.contains(&format!("process number {}", up.pid())), "{refused}");
}

#[tokio::test]
async fn an_error_names_the_port_that_is_taken() {
    let (data, other) = (tempdir().unwrap(), tempdir().unwrap());
    let up = Up::start(data.path(), &[]).await;
    let address = up.url.trim_start_matches("http://");

    let refused = up_output(other.path(), address);

    assert!(refused.contains(&format!("could not listen on {address}")), "{refused}");
}

/// The standard error of a `kana up` that cannot start.
fn up_output(data: &Path, listen: &str) -> String {
    let output = kana().args(["up", "--listen", listen, "--data-dir"]).arg(data).output().expect("kana runs");
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).expect("text")
}
