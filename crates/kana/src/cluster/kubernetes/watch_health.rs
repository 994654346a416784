//! Where is it reported that a watch has failed, and that it works again?
//!
//! In the cache, in the console and in the log: once when a failure begins and once when it ends, however often the
//! watch is tried in between.

use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::api_error::{self, Access};
use super::cache::{Cache, WatchTarget};
use super::watch::Update;
use crate::pod::Error;
use crate::telemetry::Chain;

/// The health of one watch.
pub struct WatchHealth {
    /// The target in the cache.
    pub target: WatchTarget,
    /// The target's kind, as roles name it.
    pub resource: String,
    /// The target's namespace.
    pub namespace: String,
    /// Command line with which a person can watch the same objects.
    pub command: String,
    /// Cache in which the health is recorded and published.
    pub cache: Arc<Cache>,
}

impl WatchHealth {
    /// Marks the watch as healthy and logs the recovery once.
    pub fn mark_healthy(&self) {
        if self.cache.mark_healthy(self.target) {
            info!("{} in namespace {} can be watched again", self.resource, self.namespace);
        }
    }

    /// Marks the watch as failed, because a call with this verb did, and logs that once. The watch is tried again.
    pub fn mark_failed(&self, verb: &'static str, error: kube::Error) {
        let access = Access { verb, resource: &self.resource, namespace: &self.namespace };
        let message = format!("could not watch {} in namespace {}, trying again", self.resource, self.namespace);
        self.fail(api_error::translate(error, access), &message);
    }

    /// Records that the target was listed. `listed` describes the list, `took` is the time that it took.
    pub fn record(&self, listed: String, took: Duration) {
        self.cache.publish_command(self.command.clone(), listed, took);
    }

    fn fail(&self, error: Error, message: &str) {
        if self.cache.mark_failed(self.target, &error) {
            self.cache.publish_command(self.command.clone(), format!("error: {error}"), Duration::ZERO);
            warn!(error = %Chain(&error), "{message}");
        }
    }
}

/// A watched object with a fixed name, which may not exist.
pub struct NamedObject {
    health: WatchHealth,
    name: String,
    /// Defect of the object that a person must repair; its absence is one.
    defect: Option<String>,
}

impl NamedObject {
    /// Creates the record of an object of which nothing is known yet.
    pub fn new(health: WatchHealth, name: String) -> Self {
        Self { health, name, defect: None }
    }

    /// Takes an update, and returns the object where the update is about it: `Some(None)` where it does not exist.
    /// `find_defect` returns what a person must change about an object that exists.
    pub fn apply<K>(&mut self, update: Update<K>, find_defect: impl Fn(&K) -> Option<String>) -> Option<Option<K>> {
        match update {
            Update::Listed { objects, .. } => Some(self.set(objects.into_iter().next(), find_defect)),
            Update::Applied(object) => Some(self.set(Some(object), find_defect)),
            Update::Deleted(_) => Some(self.set(None, find_defect)),
            Update::Watching => {
                self.mark();
                None
            }
            Update::Failed { verb, error } => {
                self.health.mark_failed(verb, error);
                None
            }
        }
    }

    fn set<K>(&mut self, object: Option<K>, find_defect: impl Fn(&K) -> Option<String>) -> Option<K> {
        let WatchHealth { resource, namespace, .. } = &self.health;
        self.defect = match &object {
            Some(object) => find_defect(object),
            None => Some(format!("there is no {resource} {} in namespace {namespace}", self.name)),
        };
        self.mark();
        object
    }

    /// Marks the watch by the object's defect: being watched does not make a defective object healthy.
    fn mark(&self) {
        match &self.defect {
            None => self.health.mark_healthy(),
            Some(reason) => {
                let message = format!("the object {} of {} needs a change", self.name, self.health.resource);
                self.health.fail(Error::Misconfigured { reason: reason.clone() }, &message);
            }
        }
    }
}
