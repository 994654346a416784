//! Do the jobs of the dead come to the others at once, and those of the living to nobody?

use std::sync::Arc;
use std::time::Duration;

use kana::cluster::kubernetes::Scaler;
use kana::pod::Cluster as _;
use kana::shutdown::Shutdown;
use kana_queue::job::BatchId;
use kana_queue::{Claim, Queue, Submission};
use serde_json::{Value, json};

use super::{A, B, Stand};
use crate::support::api_server::{PODS, worker};
use crate::support::eventually;
use crate::support::faulty::Faulty;
use kana_queue::conformance::a_job;

/// A life of pod `A`, and the one after it.
const FIRST: &str = "kana-worker-5d4f8-aaaaa~first";
const SECOND: &str = "kana-worker-5d4f8-aaaaa~secnd";

async fn watching() -> Stand {
    let stand = Stand::prepare(Scaler::Nobody);
    stand.server.put(PODS, worker(A));
    stand.server.put(PODS, worker(B));
    stand.start();
    stand.server.watched(PODS).await;
    stand.knows(&[A, B]).await;
    stand
}

impl Stand {
    /// A job that this worker holds.
    async fn held_by(&self, worker: &str) -> Claim {
        let batch = BatchId::new();
        let jobs = vec![a_job(batch, 0, kana_queue::clock::Timestamp::from_millis(0))];
        self.queue.submit(Submission { batch, jobs, idempotency: None }).await.unwrap();
        self.queue.claim(&worker.into(), 1, Duration::ZERO).await.unwrap().remove(0)
    }

    async fn holds(&self, worker: &str) -> usize {
        self.queue.depth().await.unwrap().running.get(&worker.into()).copied().unwrap_or(0)
    }

    /// Waits until a worker holds nothing any more; answers how many jobs wait, and how many died of it.
    async fn taken_back_from(&self, worker: &str) -> (usize, usize) {
        eventually("jobs to be taken back", async || (self.holds(worker).await == 0).then_some(())).await;
        let depth = self.queue.depth().await.unwrap();
        (depth.waiting, depth.dead)
    }
}

/// Pod `A` after a restart: its container ended so.
fn restarted(exit_code: i32, reason: &str) -> Value {
    let mut pod = worker(A);
    let container = &mut pod["status"]["containerStatuses"][0];
    container["restartCount"] = json!(1);
    container["lastState"] = json!({ "terminated": { "exitCode": exit_code, "reason": reason, "message": FIRST } });
    pod
}

#[tokio::test]
async fn a_pod_that_is_deleted_gives_its_jobs_back_and_no_attempt_is_charged() {
    let stand = watching().await;
    stand.held_by(FIRST).await;
    stand.held_by(B).await;

    stand.server.remove(PODS, A, true);

    assert_eq!(stand.taken_back_from(FIRST).await, (1, 0));
    assert_eq!(stand.holds(B).await, 1);
}

#[tokio::test]
async fn a_pod_that_went_while_nobody_watched_gives_its_jobs_back_when_it_is_missed() {
    let stand = watching().await;
    stand.held_by(FIRST).await;

    stand.server.go_down();
    stand.server.remove(PODS, A, false);
    stand.server.come_back();
    stand.server.watched(PODS).await;
    stand.server.say(PODS, json!({ "type": "ERROR", "object": { "code": 410, "message": "too old" } }));

    assert_eq!(stand.taken_back_from(FIRST).await, (1, 0));
}

#[tokio::test]
async fn a_pod_that_failed_gives_its_jobs_back_though_its_record_stays() {
    let stand = watching().await;
    stand.held_by(FIRST).await;

    let mut failed = worker(A);
    failed["status"]["phase"] = json!("Failed");
    failed["status"]["reason"] = json!("Evicted");
    stand.server.put(PODS, failed);

    assert_eq!(stand.taken_back_from(FIRST).await, (1, 0));
}

#[tokio::test]
async fn a_container_out_of_memory_is_charged_an_attempt_and_its_successor_keeps_its_jobs() {
    let stand = watching().await;
    stand.held_by(FIRST).await;
    stand.held_by(SECOND).await;

    stand.server.put(PODS, restarted(137, "OOMKilled"));

    assert_eq!(stand.taken_back_from(FIRST).await, (0, 1));
    assert_eq!(stand.holds(SECOND).await, 1);
    assert_eq!(stand.names().await, [A, B]);
}

#[tokio::test]
async fn a_container_that_crashed_is_charged_an_attempt() {
    let stand = watching().await;
    stand.held_by(FIRST).await;

    stand.server.put(PODS, restarted(101, "Error"));

    assert_eq!(stand.taken_back_from(FIRST).await, (0, 1));
}

#[tokio::test]
async fn a_container_killed_from_outside_is_charged_no_attempt() {
    let stand = watching().await;
    stand.held_by(FIRST).await;

    stand.server.put(PODS, restarted(137, "Error"));

    assert_eq!(stand.taken_back_from(FIRST).await, (1, 0));
}

#[tokio::test]
async fn an_end_that_is_told_again_and_again_touches_nobody() {
    let stand = watching().await;
    stand.held_by(FIRST).await;
    stand.server.put(PODS, restarted(137, "Error"));
    stand.taken_back_from(FIRST).await;
    let again = stand.queue.claim(&SECOND.into(), 1, Duration::ZERO).await.unwrap();
    assert_eq!(again.len(), 1);

    let mut changed = restarted(137, "Error");
    changed["status"]["containerStatuses"][0]["restartCount"] = json!(2);
    stand.server.put(PODS, changed);
    stand.server.say(PODS, json!({ "type": "ERROR", "object": { "code": 410, "message": "too old" } }));
    stand.server.put(PODS, worker("kana-worker-5d4f8-ccccc"));
    stand.knows(&[A, B, "kana-worker-5d4f8-ccccc"]).await;

    assert_eq!(stand.holds(SECOND).await, 1);
}

#[tokio::test]
async fn a_process_that_outlives_its_pods_record_keeps_nothing_for_long() {
    let stand = watching().await;
    stand.held_by(FIRST).await;
    stand.server.remove(PODS, A, true);
    stand.taken_back_from(FIRST).await;

    let late = stand.queue.claim(&FIRST.into(), 1, Duration::ZERO).await.unwrap();

    assert_eq!(late.len(), 1);
    assert_eq!(stand.taken_back_from(FIRST).await, (1, 0));
}

#[tokio::test]
async fn a_pod_that_comes_back_under_a_dead_ones_name_keeps_its_jobs() {
    let stand = watching().await;
    stand.held_by(FIRST).await;
    stand.held_by(B).await;
    stand.server.remove(PODS, A, true);
    stand.taken_back_from(FIRST).await;
    let mut successor = worker(A);
    successor["metadata"]["uid"] = json!("another");
    stand.server.put(PODS, successor);
    stand.knows(&[A, B]).await;
    assert_eq!(stand.queue.claim(&SECOND.into(), 1, Duration::ZERO).await.unwrap().len(), 1);

    // The second look at the first pod is over when one at a pod that died later is.
    stand.server.remove(PODS, B, true);
    stand.taken_back_from(B).await;
    assert_eq!(stand.queue.claim(&B.into(), 1, Duration::ZERO).await.unwrap().len(), 1);
    stand.taken_back_from(B).await;

    assert_eq!(stand.holds(SECOND).await, 1);
}

#[tokio::test]
async fn a_successor_of_a_pod_whose_end_nobody_told_keeps_its_jobs() {
    let stand = watching().await;
    stand.server.go_down();
    stand.server.remove(PODS, A, false);
    let mut successor = worker(A);
    successor["metadata"]["uid"] = json!("another");
    successor["status"]["containerStatuses"][0]["restartCount"] = json!(7);
    stand.server.put(PODS, successor);
    stand.held_by(SECOND).await;
    stand.held_by(B).await;

    stand.server.come_back();
    stand.server.watched(PODS).await;
    let restarts = async || Some(stand.cluster.pods().await.ok()?.iter().any(|pod| pod.restarts == 7)).filter(|it| *it);
    eventually("the successor to be known", restarts).await;
    stand.server.remove(PODS, B, true);
    stand.taken_back_from(B).await;

    assert_eq!(stand.holds(SECOND).await, 1);
}

#[tokio::test]
async fn the_queue_is_not_asked_once_for_every_pod_of_many_that_die_together() {
    let mut stand = watching().await;
    stand.shutdown.begin();
    let counting = Arc::new(Faulty::new(stand.queue.clone()));
    let queue: Arc<dyn Queue> = counting.clone();
    stand.cluster = Stand::cluster_on(&stand.server, &queue, Scaler::Nobody);
    stand.shutdown = Shutdown::new();
    let names: Vec<_> = (0..200).map(|n| format!("kana-worker-5d4f8-{n:05}")).collect();
    names.iter().for_each(|name| stand.server.put(PODS, worker(name)));
    stand.start();
    eventually("all to be known", async || (stand.names().await.len() == 202).then_some(())).await;
    stand.server.watched(PODS).await;
    for name in &names {
        stand.held_by(name).await;
    }

    names.iter().for_each(|name| stand.server.remove(PODS, name, true));

    let all_wait = async || (stand.queue.depth().await.unwrap().waiting == 200).then_some(());
    eventually("all to be taken back", all_wait).await;
    assert!(counting.looks() < 20, "{} looks", counting.looks());
}

#[tokio::test]
async fn several_gateways_that_see_one_death_charge_it_once() {
    let stand = watching().await;
    let other = Stand::cluster_on(&stand.server, &stand.queue, Scaler::Nobody);
    other.start(&stand.shutdown);
    let known = async || kana::pod::Cluster::pods(&other).await.ok().filter(|pods| pods.len() == 2);
    eventually("the other gateway to know the pods", known).await;
    stand.held_by(FIRST).await;
    stand.held_by(B).await;

    stand.server.put(PODS, restarted(137, "OOMKilled"));
    stand.server.remove(PODS, B, true);

    assert_eq!(stand.taken_back_from(FIRST).await.1, 1);
    assert_eq!(stand.taken_back_from(B).await, (1, 1));
}
