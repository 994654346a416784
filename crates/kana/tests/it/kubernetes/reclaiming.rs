//! Are the jobs of terminated workers reclaimed at once, and those of running workers never?

use std::sync::Arc;
use std::time::Duration;

use kana::cluster::kubernetes::Scaler;
use kana::pod::Cluster as _;
use kana::shutdown::Shutdown;
use kana_queue::job::BatchId;
use kana_queue::{Claim, Queue, Submission};
use serde_json::{Value, json};

use super::{A, B, Fixture};
use crate::support::api_server::PODS;
use crate::support::eventually;
use crate::support::faulty::Faulty;
use crate::support::kubernetes_objects::worker;
use kana_queue::conformance::a_job;

/// An incarnation of pod `A`, and the one after it.
const FIRST: &str = "kana-worker-5d4f8-aaaaa~first";
const SECOND: &str = "kana-worker-5d4f8-aaaaa~secnd";

async fn watching() -> Fixture {
    let fixture = Fixture::prepare(Scaler::Fixed);
    fixture.server.put(PODS, worker(A));
    fixture.server.put(PODS, worker(B));
    fixture.start();
    fixture.server.until_watched(PODS).await;
    fixture.until_pods(&[A, B]).await;
    fixture
}

impl Fixture {
    /// Submits a job, and claims it as this worker.
    async fn claim_as(&self, worker: &str) -> Claim {
        let batch = BatchId::new();
        let jobs = vec![a_job(batch, 0, kana_queue::clock::Timestamp::from_millis(0))];
        self.queue.submit(Submission { batch, jobs, idempotency: None, name: None }).await.unwrap();
        self.queue.claim(&worker.into(), 1, Duration::ZERO).await.unwrap().remove(0)
    }

    /// How many jobs this worker holds.
    async fn held_by(&self, worker: &str) -> usize {
        self.queue.depth().await.unwrap().running.get(&worker.into()).copied().unwrap_or(0)
    }

    /// Waits until a worker holds no job, and returns how many jobs wait, and how many are dead letters.
    async fn reclaimed_from(&self, worker: &str) -> (usize, usize) {
        eventually("jobs to be reclaimed", async || (self.held_by(worker).await == 0).then_some(())).await;
        let depth = self.queue.depth().await.unwrap();
        (depth.waiting, depth.dead)
    }
}

/// Pod `A` after a restart, with this end of its container.
fn restarted(exit_code: i32, reason: &str) -> Value {
    let mut pod = worker(A);
    let container = &mut pod["status"]["containerStatuses"][0];
    container["restartCount"] = json!(1);
    container["lastState"] = json!({ "terminated": { "exitCode": exit_code, "reason": reason, "message": FIRST } });
    pod
}

#[tokio::test]
async fn the_jobs_of_a_deleted_pod_are_reclaimed_and_no_attempt_is_charged() {
    let fixture = watching().await;
    fixture.claim_as(FIRST).await;
    fixture.claim_as(B).await;

    fixture.server.remove(PODS, A);

    assert_eq!(fixture.reclaimed_from(FIRST).await, (1, 0));
    assert_eq!(fixture.held_by(B).await, 1);
}

#[tokio::test]
async fn the_jobs_of_a_pod_deleted_during_an_outage_are_reclaimed_by_the_next_list() {
    let fixture = watching().await;
    fixture.claim_as(FIRST).await;

    fixture.server.go_down();
    fixture.server.remove_silently(PODS, A);
    fixture.server.come_back();
    fixture.server.until_watched(PODS).await;
    fixture.server.send(PODS, json!({ "type": "ERROR", "object": { "code": 410, "message": "too old" } }));

    assert_eq!(fixture.reclaimed_from(FIRST).await, (1, 0));
}

#[tokio::test]
async fn the_jobs_of_a_failed_pod_are_reclaimed_while_its_record_still_exists() {
    let fixture = watching().await;
    fixture.claim_as(FIRST).await;

    let mut failed = worker(A);
    failed["status"]["phase"] = json!("Failed");
    failed["status"]["reason"] = json!("Evicted");
    fixture.server.put(PODS, failed);

    assert_eq!(fixture.reclaimed_from(FIRST).await, (1, 0));
}

#[tokio::test]
async fn a_container_out_of_memory_is_charged_an_attempt_and_its_successor_keeps_its_jobs() {
    let fixture = watching().await;
    fixture.claim_as(FIRST).await;
    fixture.claim_as(SECOND).await;

    fixture.server.put(PODS, restarted(137, "OOMKilled"));

    assert_eq!(fixture.reclaimed_from(FIRST).await, (0, 1));
    assert_eq!(fixture.held_by(SECOND).await, 1);
    assert_eq!(fixture.names().await, [A, B]);
}

#[tokio::test]
async fn a_container_that_crashed_is_charged_an_attempt() {
    let fixture = watching().await;
    fixture.claim_as(FIRST).await;

    fixture.server.put(PODS, restarted(101, "Error"));

    assert_eq!(fixture.reclaimed_from(FIRST).await, (0, 1));
}

#[tokio::test]
async fn a_container_killed_from_outside_is_charged_no_attempt() {
    let fixture = watching().await;
    fixture.claim_as(FIRST).await;

    fixture.server.put(PODS, restarted(137, "Error"));

    assert_eq!(fixture.reclaimed_from(FIRST).await, (1, 0));
}

#[tokio::test]
async fn a_termination_that_is_received_again_reclaims_nothing() {
    let fixture = watching().await;
    fixture.claim_as(FIRST).await;
    fixture.server.put(PODS, restarted(137, "Error"));
    fixture.reclaimed_from(FIRST).await;
    let again = fixture.queue.claim(&SECOND.into(), 1, Duration::ZERO).await.unwrap();
    assert_eq!(again.len(), 1);

    let mut changed = restarted(137, "Error");
    changed["status"]["containerStatuses"][0]["restartCount"] = json!(2);
    fixture.server.put(PODS, changed);
    fixture.server.send(PODS, json!({ "type": "ERROR", "object": { "code": 410, "message": "too old" } }));
    fixture.server.put(PODS, worker("kana-worker-5d4f8-ccccc"));
    fixture.until_pods(&[A, B, "kana-worker-5d4f8-ccccc"]).await;

    assert_eq!(fixture.held_by(SECOND).await, 1);
}

#[tokio::test]
async fn a_process_that_outlives_its_pods_record_keeps_no_job_for_long() {
    let fixture = watching().await;
    fixture.claim_as(FIRST).await;
    fixture.server.remove(PODS, A);
    fixture.reclaimed_from(FIRST).await;

    let late = fixture.queue.claim(&FIRST.into(), 1, Duration::ZERO).await.unwrap();

    assert_eq!(late.len(), 1);
    assert_eq!(fixture.reclaimed_from(FIRST).await, (1, 0));
}

#[tokio::test]
async fn a_pod_with_the_name_of_a_lost_one_keeps_its_jobs() {
    let fixture = watching().await;
    fixture.claim_as(FIRST).await;
    fixture.claim_as(B).await;
    fixture.server.remove(PODS, A);
    fixture.reclaimed_from(FIRST).await;
    let mut successor = worker(A);
    successor["metadata"]["uid"] = json!("another");
    fixture.server.put(PODS, successor);
    fixture.until_pods(&[A, B]).await;
    assert_eq!(fixture.queue.claim(&SECOND.into(), 1, Duration::ZERO).await.unwrap().len(), 1);

    // The second pass over the first pod is over when that over a pod lost later is.
    fixture.server.remove(PODS, B);
    fixture.reclaimed_from(B).await;
    assert_eq!(fixture.queue.claim(&B.into(), 1, Duration::ZERO).await.unwrap().len(), 1);
    fixture.reclaimed_from(B).await;

    assert_eq!(fixture.held_by(SECOND).await, 1);
}

#[tokio::test]
async fn the_successor_of_a_pod_whose_end_was_never_received_keeps_its_jobs() {
    let fixture = watching().await;
    fixture.server.go_down();
    fixture.server.remove_silently(PODS, A);
    let mut successor = worker(A);
    successor["metadata"]["uid"] = json!("another");
    successor["status"]["containerStatuses"][0]["restartCount"] = json!(7);
    fixture.server.put(PODS, successor);
    fixture.claim_as(SECOND).await;
    fixture.claim_as(B).await;

    fixture.server.come_back();
    fixture.server.until_watched(PODS).await;
    let restarts =
        async || Some(fixture.cluster.pods().await.ok()?.iter().any(|pod| pod.restarts == 7)).filter(|it| *it);
    eventually("the successor to be listed", restarts).await;
    fixture.server.remove(PODS, B);
    fixture.reclaimed_from(B).await;

    assert_eq!(fixture.held_by(SECOND).await, 1);
}

#[tokio::test]
async fn pods_that_are_lost_together_need_fewer_queries_of_the_queue_than_one_each() {
    let mut fixture = watching().await;
    fixture.shutdown.begin();
    let counting = Arc::new(Faulty::new(fixture.queue.clone()));
    let queue: Arc<dyn Queue> = counting.clone();
    fixture.cluster = Fixture::cluster_on(&fixture.server, &queue, Scaler::Fixed);
    fixture.shutdown = Shutdown::new();
    let names: Vec<_> = (0..200).map(|n| format!("kana-worker-5d4f8-{n:05}")).collect();
    names.iter().for_each(|name| fixture.server.put(PODS, worker(name)));
    fixture.start();
    eventually("all to be listed", async || (fixture.names().await.len() == 202).then_some(())).await;
    fixture.server.until_watched(PODS).await;
    for name in &names {
        fixture.claim_as(name).await;
    }

    names.iter().for_each(|name| fixture.server.remove(PODS, name));

    let all_wait = async || (fixture.queue.depth().await.unwrap().waiting == 200).then_some(());
    eventually("all to be reclaimed", all_wait).await;
    assert!(counting.looks() < 20, "{} queries", counting.looks());
}

#[tokio::test]
async fn several_gateways_that_see_one_termination_charge_one_attempt() {
    let fixture = watching().await;
    let other = Fixture::cluster_on(&fixture.server, &fixture.queue, Scaler::Fixed);
    other.start(&fixture.shutdown);
    let known = async || kana::pod::Cluster::pods(&other).await.ok().filter(|pods| pods.len() == 2);
    eventually("the other gateway to list the pods", known).await;
    fixture.claim_as(FIRST).await;
    fixture.claim_as(B).await;

    fixture.server.put(PODS, restarted(137, "OOMKilled"));
    fixture.server.remove(PODS, B);

    assert_eq!(fixture.reclaimed_from(FIRST).await.1, 1);
    assert_eq!(fixture.reclaimed_from(B).await, (1, 1));
}
