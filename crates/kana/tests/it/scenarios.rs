//! Does the whole service, as real processes, do what the demonstration shows?

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use kana::gateway::view::{Batch, State};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use tempfile::tempdir;

use crate::support::http::client;
use crate::support::process::{KANA, Up, kana, kana_at, send};
use crate::support::samples::pngs;
use crate::support::{eventually, project};

/// Number of images in the demonstration.
const COUNT: usize = 21;

/// A delay slow enough for a test to stop a worker in the middle, and fast enough to wait for.
const DELAY: [&str; 2] = ["--inference-delay", "100ms"];

/// Asserts that every image is done exactly once, each by a named worker.
fn assert_complete(batch: &Batch) {
    let names: BTreeSet<_> = batch.jobs.iter().map(|job| job.filename.as_str()).collect();
    assert_eq!((batch.accepted, names.len()), (COUNT, COUNT));
    for job in &batch.jobs {
        assert_eq!(job.state, State::Done, "{job:?}");
        assert!(job.worker.as_ref().is_some_and(|worker| worker.starts_with("kana-worker-")), "{job:?}");
    }
}

fn workers(batch: &Batch) -> BTreeSet<String> {
    batch.jobs.iter().filter_map(|job| job.worker.clone()).collect()
}

fn flags<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&DELAY[..], more].concat()
}

/// Bytes by which the files of a full disk may still grow: some hundred images.
const DISK_LEFT: u64 = 256 << 10;

#[tokio::test]
async fn a_full_disk_is_status_507_and_what_was_accepted_is_finished() {
    let data = tempdir().unwrap();
    let up = Up::start(data.path(), &["--min", "1", "--max", "1", "--inference-delay", "5ms"]).await;
    let pid = Pid::from_raw(i32::try_from(up.pid()).unwrap());
    let journal = data.path().join("queue.sqlite.journal");
    let logs = std::fs::read_dir(journal).unwrap().flatten().filter(|entry| entry.path().extension().is_some());
    let length: u64 = logs.map(|entry| entry.metadata().unwrap().len()).max().unwrap();
    let readyz = async || client().get(format!("{}/readyz", up.url)).send().await.unwrap().status().as_u16();

    let limits = |bytes| Rlimit { current: bytes, maximum: None };
    prlimit(pid, Resource::Fsize, limits(Some(length + DISK_LEFT))).unwrap();
    let mut accepted = Vec::new();
    let refused = loop {
        match up.try_submit(pngs(100)).await {
            Ok(receipt) => accepted.push(receipt.batch),
            Err(status) => break status,
        }
    };

    assert_eq!(refused, 507);
    eventually("it is not ready", async || (readyz().await == 503).then_some(())).await;
    for batch in &accepted {
        assert_eq!(up.finished(*batch).await.counts.done, 100);
    }

    prlimit(pid, Resource::Fsize, limits(None)).unwrap();
    let batch = eventually("there is room again", async || up.try_submit(pngs(COUNT)).await.ok()).await.batch;
    assert_complete(&up.finished(batch).await);
    eventually("it is ready", async || (readyz().await == 200).then_some(())).await;
}

#[tokio::test]
async fn pauses_of_everything_blame_no_image() {
    let data = tempdir().unwrap();
    let up = Up::start(data.path(), &["--min", "1", "--max", "1", "--lease", "3s", "--inference-delay", "8s"]).await;
    let batch = up.submit(pngs(1)).await.batch;
    eventually("the image is running", async || (up.batch(batch).await.counts.running == 1).then_some(())).await;

    let processes: Vec<u32> = up.workers().into_iter().map(|(_, pid)| pid).chain([up.pid()]).collect();
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    for _ in 0..3 {
        processes.iter().for_each(|pid| send(*pid, Signal::STOP));
        for _ in 0..4 {
            seconds.tick().await;
        }
        processes.iter().for_each(|pid| send(*pid, Signal::CONT));
        seconds.tick().await;
    }

    let job = up.finished(batch).await.jobs.remove(0);
    assert_eq!((job.state, job.attempts), (State::Done, 1), "{job:?}");
}

#[tokio::test]
async fn a_burst_is_shared_by_the_pods_that_are_idle() {
    let data = tempdir().unwrap();
    let up = Up::start(data.path(), &["--min", "4", "--max", "4", "--inference-delay", "20ms"]).await;
    // Until each pod knows that it can take a dozen at once.
    for _ in 0..3 {
        let warm = up.submit(pngs(60)).await;
        up.finished(warm.batch).await;
    }

    let batch = up.submit(pngs(12)).await.batch;

    let finished = up.finished(batch).await;
    let mut shares: BTreeMap<String, usize> = BTreeMap::new();
    for job in &finished.jobs {
        *shares.entry(job.worker.clone().unwrap()).or_default() += 1;
    }
    assert_eq!(shares.values().copied().collect::<Vec<_>>(), [3; 4], "{shares:?}");
}

#[tokio::test]
async fn one_image_comes_back() {
    let data = tempdir().unwrap();
    let up = Up::start(data.path(), &[]).await;

    let receipt = up.submit(pngs(1)).await;
    let batch = up.finished(receipt.batch).await;

    assert_eq!((batch.counts.done, batch.jobs[0].attempts), (1, 1));
    assert_eq!(workers(&batch).into_iter().collect::<Vec<_>>(), up.ready().await);
}

#[tokio::test]
async fn twenty_one_images_come_back_each_once() {
    let data = tempdir().unwrap();
    let up = Up::start(data.path(), &[]).await;

    let receipt = up.submit(pngs(COUNT)).await;

    assert_complete(&up.finished(receipt.batch).await);
}

#[tokio::test]
async fn two_pods_take_well_under_the_time_of_one() {
    let data = tempdir().unwrap();
    let up = Up::start(data.path(), &flags(&["--min", "1", "--max", "1"])).await;
    let time = async || {
        let begin = Instant::now();
        let receipt = up.submit(pngs(COUNT)).await;
        let batch = up.finished(receipt.batch).await;
        (begin.elapsed(), workers(&batch).len())
    };

    let (alone, one) = time().await;
    assert_eq!(up.set_range(2, 2).await, 200);
    eventually("two pods", async || (up.ready().await.len() == 2).then_some(())).await;
    let (together, two) = time().await;

    assert_eq!((one, two), (1, 2));
    assert!(together < alone.mul_f64(0.75), "{together:?} together, {alone:?} alone");
}

#[tokio::test]
async fn pods_killed_again_and_again_lose_nothing() {
    let data = tempdir().unwrap();
    let up = Up::start(data.path(), &flags(&["--min", "2", "--max", "2"])).await;
    let receipt = up.submit(pngs(COUNT)).await;

    let mut killed = BTreeSet::new();
    for done in [2, 6, 10, 14] {
        up.under_way(receipt.batch, done).await;
        // A pod that holds jobs, so that there is something to lose. For a moment there may be none: one of the two is new, and
        // the other has settled its last job and not claimed the next.
        let victim = eventually("a pod at work", async || {
            let jobs = up.batch(receipt.batch).await.jobs;
            jobs.into_iter().find(|job| job.state == State::Running).and_then(|job| job.worker)
        })
        .await;
        send(up.worker(&victim), Signal::KILL);
        killed.insert(victim);
    }

    let batch = up.finished(receipt.batch).await;
    assert_complete(&batch);
    assert_eq!(killed.len(), 4);
    assert!(batch.redelivered > 0);
    assert_eq!(up.batch(receipt.batch).await, batch);
}

#[tokio::test]
async fn a_pod_that_is_killed_is_replaced_within_a_second() {
    let data = tempdir().unwrap();
    let up = Up::start(data.path(), &[]).await;
    let victim = up.ready().await.remove(0);
    let before = up.workers().len();

    let begin = Instant::now();
    assert!((200..300).contains(&up.stop(&victim, "kill").await));
    eventually("a new process", async || (up.workers().len() > before).then_some(())).await;
    let took = begin.elapsed();
    eventually("a new pod", async || {
        let ready = up.ready().await;
        (ready.len() == 1 && ready[0] != victim).then_some(())
    })
    .await;

    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(up.stop(&victim, "kill").await, 404);
}

#[tokio::test]
async fn pods_grow_under_load_and_shrink_when_idle() {
    let data = tempdir().unwrap();
    let up = Up::start(data.path(), &flags(&["--min", "1", "--max", "2", "--cool-down", "200ms"])).await;

    let receipt = up.submit(pngs(COUNT)).await;
    eventually("two pods", async || (up.ready().await.len() == 2).then_some(())).await;
    let batch = up.finished(receipt.batch).await;
    eventually("one pod", async || (up.ready().await.len() == 1).then_some(())).await;

    assert_complete(&batch);
    assert_eq!(workers(&batch).len(), 2);
    assert_eq!(up.scale().await.desired, 1);
}

#[tokio::test]
async fn a_service_killed_in_the_middle_continues_with_the_jobs_that_are_left() {
    let data = tempdir().unwrap();
    let first = Up::start(data.path(), &flags(&["--min", "2", "--max", "2"])).await;
    let receipt = first.submit(pngs(COUNT)).await;
    let before = first.under_way(receipt.batch, 5).await;
    first.kill();

    let second = Up::start(data.path(), &flags(&["--min", "2", "--max", "2"])).await;
    let after = second.finished(receipt.batch).await;

    assert_complete(&after);
    for job in before.jobs.iter().filter(|job| job.state == State::Done) {
        assert!(after.jobs.contains(job), "{job:?} changed later");
    }
}

#[tokio::test]
async fn a_worker_that_is_asked_to_end_loses_nothing() {
    let data = tempdir().unwrap();
    let up = Up::start(data.path(), &flags(&["--min", "1", "--max", "1"])).await;
    let receipt = up.submit(pngs(COUNT)).await;
    up.under_way(receipt.batch, 2).await;

    let worker = up.ready().await.remove(0);
    send(up.worker(&worker), Signal::TERM);

    let batch = up.finished(receipt.batch).await;
    assert_complete(&batch);
    assert_eq!(batch.redelivered, 0, "a drained worker costs no attempt");
    up.logged(&format!("{worker} has ended")).await;
}

#[tokio::test]
async fn a_service_that_is_asked_to_end_does_so_in_order() {
    let data = tempdir().unwrap();
    let up = Up::start(data.path(), &flags(&["--min", "2", "--max", "2"])).await;
    let receipt = up.submit(pngs(COUNT)).await;
    up.under_way(receipt.batch, 2).await;

    let begin = Instant::now();
    let status = up.terminate();

    assert!(status.success(), "{status}");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

// The file systems of other systems refuse such names.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn paths_that_are_no_text_reach_the_workers_with_their_bytes() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let home = tempdir().unwrap();
    let folder = home.path().join(OsStr::from_bytes(b"caf\xe9"));
    let (program, model) = (folder.join(OsStr::from_bytes(b"kana\xe9")), folder.join(OsStr::from_bytes(b"model\xe9")));
    std::fs::create_dir_all(&model).unwrap();
    // A link would show its target's path to the process.
    std::fs::hard_link(KANA, &program).or_else(|_| std::fs::copy(KANA, &program).map(drop)).unwrap();
    for file in ["card.json", "weights.safetensors"] {
        std::fs::copy(project().join("models/kana").join(file), model.join(file)).unwrap();
    }
    let mut command = kana_at(&program);
    command.current_dir(&folder).env("KANA_MODEL", &model).env("KANA_STUCK_AFTER", "");

    let data = Path::new(OsStr::from_bytes(b"data\xe9"));
    let up = Up::run(command, data, &["--log-format", "text"]).await;
    let receipt = up.submit(pngs(1)).await;

    assert_eq!(up.finished(receipt.batch).await.counts.done, 1);
    assert!(folder.join(data).join("queue.sqlite.journal").is_dir());
}

#[tokio::test]
async fn a_variable_that_is_wrong_for_workers_alone_does_not_fail_them() {
    let data = tempdir().unwrap();
    let mut command = kana();
    command.env("KANA_POD_DELETION_COST", "maybe").env("KANA_TERMINATION_LOG", "/nowhere/at/all");

    let up = Up::run(command, data.path(), &[]).await;

    assert!(!up.log().contains("pod lost"), "{}", up.log());
}

#[tokio::test]
async fn a_service_whose_workers_cannot_start_says_so_to_its_log_and_to_its_clients() {
    let data = tempdir().unwrap();
    let model = tempdir().unwrap();
    for file in ["card.json", "weights.safetensors"] {
        std::fs::copy(project().join("models/kana").join(file), model.path().join(file)).unwrap();
    }
    let mut command = kana();
    command.env("KANA_MODEL", model.path());
    let up = Up::run(command, data.path(), &["--min", "0", "--log-format", "json"]).await;
    std::fs::write(model.path().join("weights.safetensors"), "no weights").unwrap();

    up.submit(pngs(1)).await;

    let trouble = up.event("trouble").await;
    assert!(trouble["reason"].as_str().is_some_and(|reason| reason.contains("weights.safetensors")), "{trouble}");
    let log = up.logged("starting another in").await;
    assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{log}");
}
