//! Does the range that a person set last outlive upgrades, rollbacks and gateways?

use std::sync::Arc;

use hyper::Method;
use kana::cluster::Kubernetes;
use kana::cluster::kubernetes::{Config, Scaler};
use kana::pod::{Cluster, Paused};
use kana::shutdown::Shutdown;
use kana_queue::clock::SystemClock;
use kana_queue::memory::Memory;
use kana_queue::{Limits, Queue};
use serde_json::{Value, json};

use super::A;
use crate::support::api_server::{ApiServer, CONFIG_MAPS, DEPLOYMENTS, HPAS, PODS, SCALED_OBJECTS};
use crate::support::eventually;
use crate::support::kubernetes_objects::{deployment, forbidden, worker};

const RECORD: &str = "kana-range";
const WORKERS: &str = "kana-worker";

/// A release as Helm leaves it, with gateways that come and go.
struct World {
    server: ApiServer,
    mode: &'static str,
}

/// One gateway.
struct Gateway {
    cluster: Kubernetes,
    shutdown: Shutdown,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}

impl World {
    /// Installs the chart with values that ask for this range.
    fn install(mode: &'static str, asked: [u32; 2]) -> Self {
        let world = Self { server: ApiServer::start().0, mode };
        world.server.put(PODS, worker(A));
        world.server.put(DEPLOYMENTS, deployment(1));
        world.helm(asked, 1).unwrap();
        world
    }

    /// Writes what Helm 4 writes for a revision.
    fn helm(&self, asked: [u32; 2], revision: u32) -> Result<(), String> {
        let [min, max] = asked;
        let data = json!({ "values": format!("{} {min}-{max}", self.mode), "revision": revision.to_string() });
        self.server.apply(CONFIG_MAPS, &json!({ "metadata": { "name": RECORD, "namespace": "ns" }, "data": data }))?;
        let annotations = json!({ "kana/revision": revision.to_string() });
        let metadata = json!({ "name": WORKERS, "namespace": "ns", "annotations": annotations });
        match self.mode {
            "hpa" => self.server.apply(HPAS, &json!({ "metadata": metadata, "spec": self.spec(asked) })),
            "keda" => self.server.apply(SCALED_OBJECTS, &json!({ "metadata": metadata, "spec": self.spec(asked) })),
            _ => Ok(()),
        }
    }

    fn holder(&self) -> &'static str {
        match self.mode {
            "hpa" => HPAS,
            "keda" => SCALED_OBJECTS,
            _ => DEPLOYMENTS,
        }
    }

    fn fields(&self) -> [&'static str; 2] {
        match self.mode {
            "hpa" => ["minReplicas", "maxReplicas"],
            "keda" => ["minReplicaCount", "maxReplicaCount"],
            _ => ["replicas", "replicas"],
        }
    }

    fn spec(&self, range: [u32; 2]) -> Value {
        let [min, max] = self.fields();
        json!({ min: range[0], max: range[1] })
    }

    fn gateway(&self) -> Gateway {
        let scaler = match self.mode {
            "hpa" => Scaler::Hpa(WORKERS.into()),
            "keda" => Scaler::Keda(WORKERS.into()),
            _ => Scaler::Fixed,
        };
        let (release, workers, range_record) = ("a".into(), WORKERS.into(), Some(RECORD.into()));
        let config = Config { namespace: None, release, workers, scaler, range_record };
        let queue: Arc<dyn Queue> = Arc::new(Memory::new(Limits::default(), Arc::new(SystemClock)));
        let gateway = Gateway {
            cluster: Kubernetes::with_client(self.server.client(), config, queue),
            shutdown: Shutdown::new(),
        };
        gateway.cluster.start(&gateway.shutdown);
        gateway
    }

    /// The range as the cluster has it.
    fn range(&self) -> [u32; 2] {
        let object = self.server.get(self.holder(), WORKERS);
        self.fields().map(|field| u32::try_from(object["spec"][field].as_u64().unwrap()).unwrap())
    }

    fn record(&self) -> Value {
        let data = &self.server.get(CONFIG_MAPS, RECORD)["data"];
        data["record"].as_str().map_or(Value::Null, |text| serde_json::from_str(text).unwrap())
    }

    /// Waits until the gateways have put this range into effect for what Helm wrote as this revision.
    async fn until(&self, range: [u32; 2], revision: u32) {
        let what = || format!("{range:?} at {revision}, not {:?}, {}", self.range(), self.record());
        eventually(&what(), async || {
            let record = self.record();
            let is_written = record["in_effect"]["revision"] == revision;
            (self.range() == range && is_written && self.is_disowned()).then_some(())
        })
        .await;
    }

    /// Whether nobody but Helm owns the range.
    fn is_disowned(&self) -> bool {
        let object = self.server.get(self.holder(), WORKERS);
        self.mode == "none"
            || object["metadata"]["managedFields"].as_array().into_iter().flatten().all(|entry| {
                entry["manager"] == "helm"
                    || self.fields().iter().all(|field| entry["fieldsV1"]["f:spec"][format!("f:{field}")].is_null())
            })
    }

    /// Sets the range as `kubectl` does.
    fn kubectl(&self, range: [u32; 2]) {
        let by = if self.mode == "none" { ("kubectl", "scale") } else { ("kubectl-edit", "") };
        self.server.update(self.holder(), WORKERS, &json!({ "spec": self.spec(range) }), by);
    }

    fn patches(&self) -> usize {
        self.server.requests_with(Method::PATCH).len()
    }
}

/// A range to ask for and one to set, by the mode: without a scaler there is one number.
const MODES: [(&str, [u32; 2], [u32; 2]); 3] =
    [("none", [3, 3], [5, 5]), ("hpa", [1, 4], [2, 6]), ("keda", [0, 4], [1, 6])];

#[tokio::test]
async fn what_was_set_on_the_page_outlives_an_upgrade_and_a_rollback_and_helm_meets_no_conflict() {
    for (mode, asked, set) in MODES {
        let world = World::install(mode, asked);
        let gateway = world.gateway();
        world.until(asked, 1).await;

        gateway.cluster.set_range(set[0]..=set[1]).await.unwrap();
        assert!(world.is_disowned(), "{mode}: when the page is answered, Helm may come");
        world.helm(asked, 2).unwrap();
        world.until(set, 2).await;
        world.helm(asked, 1).unwrap();

        world.until(set, 1).await;
    }
}

#[tokio::test]
async fn what_was_set_by_kubectl_outlives_an_upgrade_and_a_rollback_and_helm_meets_no_conflict() {
    for (mode, asked, set) in MODES {
        let world = World::install(mode, asked);
        let _gateway = world.gateway();
        world.until(asked, 1).await;

        world.kubectl(set);
        eventually("the record", async || (!world.record()["set"].is_null() && world.is_disowned()).then_some(()))
            .await;
        world.helm(asked, 2).unwrap();
        world.until(set, 2).await;
        world.helm(asked, 1).unwrap();

        world.until(set, 1).await;
    }
}

#[tokio::test]
async fn what_was_set_outlives_an_upgrade_that_no_gateway_saw() {
    for (mode, asked, set) in MODES {
        let world = World::install(mode, asked);
        let gateway = world.gateway();
        world.until(asked, 1).await;
        gateway.cluster.set_range(set[0]..=set[1]).await.unwrap();
        drop(gateway);

        world.helm(asked, 2).unwrap();
        let _next = world.gateway();

        world.until(set, 2).await;
    }
}

#[tokio::test]
async fn values_that_ask_for_another_range_win_until_a_rollback() {
    for (mode, asked, set) in MODES {
        let world = World::install(mode, asked);
        let gateway = world.gateway();
        world.until(asked, 1).await;
        gateway.cluster.set_range(set[0]..=set[1]).await.unwrap();

        world.helm([8, 8], 2).unwrap();
        world.until([8, 8], 2).await;
        world.helm(asked, 1).unwrap();

        world.until(set, 1).await;
    }
}

#[tokio::test]
async fn several_gateways_agree_on_the_last_range_and_come_to_rest() {
    for (mode, asked, set) in MODES {
        let world = World::install(mode, asked);
        let gateways = [world.gateway(), world.gateway(), world.gateway()];
        world.until(asked, 1).await;

        let [first, second, third] = &gateways;
        let (a, b) = tokio::join!(first.cluster.set_range(7..=7), second.cluster.set_range(8..=8));
        for answer in [a, b] {
            answer.unwrap();
        }
        third.cluster.set_range(set[0]..=set[1]).await.unwrap();
        world.helm(asked, 2).unwrap();
        world.until(set, 2).await;

        // Each of three gateways writes a bounded number of times for four changes of three objects.
        let patches = world.patches();
        assert!(patches <= 60, "{mode}: {patches} writes");
        assert_eq!(world.record()["set"], format!("{}-{}", set[0], set[1]));
    }
}

#[tokio::test]
async fn a_range_of_the_chart_before_is_adopted_and_left_to_nobody() {
    let world = World::install("hpa", [1, 4]);
    world.server.update(HPAS, WORKERS, &json!({ "spec": world.spec([2, 6]) }), ("kana", ""));
    let data = json!({ "values": "hpa 1-4", "revision": "2", "found": "2-6" });
    world.server.update(CONFIG_MAPS, RECORD, &json!({ "data": data }), ("helm", ""));
    assert!(world.helm([1, 4], 2).is_err(), "this is the conflict");

    world.server.update(CONFIG_MAPS, RECORD, &json!({ "data": data }), ("helm", ""));
    let _gateway = world.gateway();
    eventually("its adoption", async || (world.record()["set"] == "2-6" && world.is_disowned()).then_some(())).await;

    world.helm([1, 4], 3).unwrap();
    world.until([2, 6], 3).await;
}

#[tokio::test]
async fn workers_that_an_hpa_leaves_at_zero_are_woken_by_a_range_and_said_to_be_paused_until_then() {
    let world = World::install("hpa", [2, 4]);
    let gateway = world.gateway();
    world.until([2, 4], 1).await;
    world.server.update(DEPLOYMENTS, WORKERS, &json!({ "spec": { "replicas": 0 } }), ("kubectl", "scale"));
    let cluster = &gateway.cluster;
    eventually("the pause", async || {
        let scale = cluster.scale().await.ok()?;
        (scale.paused == Some(Paused::AtZero)).then_some(())
    })
    .await;
    assert!(cluster.fault().is_some_and(|fault| fault.contains("starts none from there")));
    let path = format!("{DEPLOYMENTS}/{WORKERS}/scale");
    world.server.refuse(Method::PATCH, &path, forbidden("patch", "deployments/scale"), 1);

    let scale = cluster.set_range(2..=5).await.unwrap();
    assert_eq!(scale.paused, Some(Paused::AtZero), "a role of before, without the right to wake them");
    let scale = cluster.set_range(2..=5).await.unwrap();

    assert_eq!((scale.paused, scale.desired), (None, 2));
    assert_eq!(world.server.get(DEPLOYMENTS, WORKERS)["spec"]["replicas"], 2);
    eventually("the end of the fault", async || cluster.fault().is_none().then_some(())).await;
}

#[tokio::test]
async fn workers_that_keda_left_at_zero_are_woken_when_an_hpa_takes_over() {
    let world = World::install("hpa", [1, 4]);
    world.server.put(DEPLOYMENTS, deployment(0));

    let _gateway = world.gateway();

    eventually("a worker", async || (world.server.get(DEPLOYMENTS, WORKERS)["spec"]["replicas"] == 1).then_some(()))
        .await;
}

#[tokio::test]
async fn a_missing_right_or_config_map_is_named_and_the_page_still_sets_the_range() {
    let world = World::install("hpa", [1, 4]);
    world.server.refuse(Method::GET, CONFIG_MAPS, forbidden("list", "configmaps"), usize::MAX);
    let gateway = world.gateway();

    eventually("the fault", async || gateway.cluster.fault().filter(|fault| fault.contains("configmaps"))).await;
    eventually("the scale", async || gateway.cluster.scale().await.ok()).await;
    assert_eq!(gateway.cluster.set_range(2..=5).await.unwrap().max, 5);
}
