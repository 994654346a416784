//! Which objects does a gateway watch, and where does it put what it sees?
//!
//! Each watch is a task of its own that ends with the process: the pods, their Deployment, the object that scales it, and
//! the ConfigMap with the range that the values ask for. All write into the cache; the last three also tell the keeper of
//! the range.

use std::future::Future;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DynamicObject};

use super::Kubernetes;
use super::cache::WatchTarget;
use super::pods::{Change, Pods};
use super::range_record::Rendered;
use super::reclaimer::Reclaimer;
use super::scaler;
use super::watch::{self, Selector, Source, Update};
use super::watch_health::{NamedObject, WatchHealth};
use crate::shutdown::Shutdown;

impl Kubernetes {
    /// Watches until `shutdown` begins.
    pub fn start(&self, shutdown: &Shutdown) {
        self.watch_pods(shutdown);
        self.watch_deployment(shutdown);
        self.watch_scaler(shutdown);
        self.watch_range(shutdown);
    }

    fn watch_pods(&self, shutdown: &Shutdown) {
        let command = format!("get pods -l {} --watch", self.release.selector());
        let health = self.watch_health(WatchTarget::Pods, "pods".into(), command);
        let source = Source { api: self.pods_api(), selector: Selector::Labels(self.release.selector()) };
        let mut pods = Pods::new(self.release.clone());
        let cache = self.cache.clone();
        let (reclaimer, reclaim) = Reclaimer::new(self.queue.clone(), cache.clone(), self.recorder.clone());
        let on_update = move |update| {
            let is_list = matches!(update, Update::Listed { .. });
            let changes = match update {
                Update::Listed { objects, took } => {
                    let changes = pods.replace(&objects);
                    health.record(format!("{} pods", pods.list().len()), took);
                    changes
                }
                Update::Applied(record) => Vec::from_iter(pods.apply(&record)),
                Update::Deleted(record) => Vec::from_iter(pods.remove(&record)),
                Update::Watching => return health.mark_healthy(),
                Update::Failed { verb, error } => return health.mark_failed(verb, error),
            };
            // Most changes of a pod's record change nothing that is shown.
            if changes.is_empty() && !is_list {
                return;
            }
            let (changed, terminations): (Vec<_>, Vec<_>) =
                changes.into_iter().map(|Change { pod, terminations }| (pod, terminations)).unzip();
            cache.set_pods(pods.list(), changed.into_iter().flatten());
            // Fails only where the shutdown has begun; then the leases expire.
            terminations.into_iter().flatten().for_each(|termination| _ = reclaim.send(termination));
        };
        shutdown.spawn(until_shutdown(shutdown.clone(), reclaimer.run()));
        shutdown.spawn(until_shutdown(shutdown.clone(), watch::watch(source, on_update)));
    }

    fn watch_deployment(&self, shutdown: &Shutdown) {
        let (kind, name) = (scaler::deployments(), self.release.workers.clone());
        let command = format!("get deployment {name} --watch");
        let health = self.watch_health(WatchTarget::Deployment, scaler::rbac_name(&kind), command);
        let source = Source { api: self.objects_api(&kind), selector: Selector::Name(name.clone()) };
        let (mut deployment, cache) = (NamedObject::new(health, name), self.cache.clone());
        // Without a scaler the Deployment is what holds the range.
        let keeper = self.keeper.clone().filter(|_| self.scaler.object().is_none());
        let recorder = self.recorder.clone();
        let on_update = move |update| {
            if let Some(object) = deployment.apply(update, |_: &DynamicObject| None) {
                recorder.see_deployment(object.as_ref().and_then(|object| object.metadata.uid.clone()));
                cache.set_replicas(object.as_ref().map(scaler::replicas));
                keeper.iter().for_each(|keeper| keeper.see_object(object.clone()));
            }
        };
        shutdown.spawn(until_shutdown(shutdown.clone(), watch::watch(source, on_update)));
    }

    fn watch_scaler(&self, shutdown: &Shutdown) {
        let Some(scaler) = self.scaler.object() else { return };
        let health = self.watch_health(WatchTarget::Scaler, scaler::rbac_name(&scaler.kind), scaler.get_command());
        let source = Source { api: self.objects_api(&scaler.kind), selector: Selector::Name(scaler.name.clone()) };
        let (mut named, cache) = (NamedObject::new(health, scaler.name.clone()), self.cache.clone());
        let (workers, keeper) = (self.release.workers.clone(), self.keeper.clone());
        let on_update = move |update| {
            let find_defect =
                |object: &_| scaler.foreign_target(object, &workers).or_else(|| scaler.pause_reason(object));
            if let Some(object) = named.apply(update, find_defect) {
                let own = object.filter(|object| scaler.foreign_target(object, &workers).is_none());
                cache.set_paused(own.as_ref().and_then(scaler::paused));
                cache.set_range(own.as_ref().map(|object| scaler.range(object)));
                keeper.iter().for_each(|keeper| keeper.see_object(own.clone()));
            }
        };
        shutdown.spawn(until_shutdown(shutdown.clone(), watch::watch(source, on_update)));
    }

    fn watch_range(&self, shutdown: &Shutdown) {
        let Some(keeper) = self.keeper.clone() else { return };
        let name = keeper.config_map().to_owned();
        let health =
            self.watch_health(WatchTarget::Range, "configmaps".into(), format!("get configmap {name} --watch"));
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.release.namespace);
        let source = Source { api, selector: Selector::Name(name.clone()) };
        let (mut named, seen) = (NamedObject::new(health, name), keeper.clone());
        let on_update = move |update| {
            let find_defect = |object: &ConfigMap| {
                let error = Rendered::read(object.data.as_ref().unwrap_or(&Default::default())).err()?;
                Some(format!("the ConfigMap with the range is not what the chart renders: {error}"))
            };
            if let Some(object) = named.apply(update, find_defect) {
                seen.see_config_map(object);
            }
        };
        shutdown.spawn(until_shutdown(shutdown.clone(), watch::watch(source, on_update)));
        shutdown.spawn(until_shutdown(shutdown.clone(), keeper.run()));
    }

    /// Creates the health of one watch; `command` is the part of the command line after `kubectl` and the namespace.
    fn watch_health(&self, target: WatchTarget, resource: String, command: String) -> WatchHealth {
        let namespace = self.release.namespace.clone();
        let command = format!("kubectl -n {namespace} {command}");
        WatchHealth { target, resource, namespace, command, cache: self.cache.clone() }
    }
}

async fn until_shutdown(shutdown: Shutdown, task: impl Future<Output = ()>) {
    tokio::select! {
        () = shutdown.begun() => {}
        () = task => {}
    }
}
