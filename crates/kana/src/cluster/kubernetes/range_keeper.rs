//! How does the range that a person set last outlive upgrades and rollbacks?
//!
//! A gateway watches the ConfigMap that [`range_record`](super::range_record) describes and the object that holds the
//! range. Whenever the two disagree it reads both anew, decides, and writes what is missing: the range, the record, or
//! neither. Every write names the version that it was decided on, so that of several gateways that see the same change
//! one writes and the others look again. It leaves no ownership of the range behind (`ownership`).

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ConfigMap;
use kana_queue::backoff::{Backoff, Bounds};
use kube::Client;
use kube::api::{Api, DynamicObject, Patch};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use super::api_error::{self, Access};
use super::cache::Cache;
use super::ownership;
use super::range_record::{Decision, Live, RECORD_KEY, Range, Record, Rendered};
use super::release::Release;
use super::scaler::{self, Scaler, ScalerObject};
use crate::pod::Error;
use crate::telemetry::Chain;

/// The annotation by which the chart says for which revision of the release it rendered the object with the range.
const REVISION: &str = "kana/revision";

/// Pauses after failures; the first is what another gateway needs to finish what it began.
const BACKOFF: Bounds = Bounds { first: Duration::from_millis(100), longest: Duration::from_secs(30) };

/// Time that one look and its writes may take: at most four requests to a server that usually takes milliseconds.
const WORK_MAX: Duration = Duration::from_secs(10);

/// Failures in a row that are no more than gateways that write at the same time.
const COLLISIONS_MAX: u32 = 3;

/// Looks at a range before a person's is recorded: another gateway may write in between.
const ATTEMPTS_MAX: usize = 4;

/// Keeps the range of one release.
pub struct RangeKeeper {
    client: Client,
    release: Release,
    scaler: Scaler,
    config_map: String,
    cache: Arc<Cache>,
    seen: Mutex<Seen>,
    changed: Notify,
    /// The record as last written or read, for a ConfigMap that Helm was told to replace. Held while one writes.
    last: tokio::sync::Mutex<Option<Record>>,
}

/// What the watches saw last.
#[derive(Default)]
struct Seen {
    config_map: Option<ConfigMap>,
    object: Option<DynamicObject>,
}

/// The ConfigMap and the object that holds the range, at one time.
struct Look {
    version: Option<String>,
    rendered: Rendered,
    record: Record,
    object: DynamicObject,
    live: Live,
}

impl RangeKeeper {
    /// Creates a keeper that has seen nothing yet.
    pub fn new(client: Client, release: Release, scaler: Scaler, config_map: String, cache: Arc<Cache>) -> Self {
        let (seen, changed, last) = (Mutex::default(), Notify::new(), tokio::sync::Mutex::default());
        Self { client, release, scaler, config_map, cache, seen, changed, last }
    }

    /// Returns the name of the ConfigMap.
    pub fn config_map(&self) -> &str {
        &self.config_map
    }

    /// Takes the ConfigMap as it is now; `None` where it does not exist.
    pub fn see_config_map(&self, config_map: Option<ConfigMap>) {
        self.seen.lock().config_map = config_map;
        self.changed.notify_one();
    }

    /// Takes the object that holds the range as it is now; `None` where it does not exist or is not this release's.
    pub fn see_object(&self, object: Option<DynamicObject>) {
        self.seen.lock().object = object;
        self.changed.notify_one();
    }

    /// Keeps the range for as long as the future is polled.
    pub async fn run(self: Arc<Self>) {
        let mut backoff = Backoff::new(BACKOFF);
        loop {
            self.changed.notified().await;
            while self.is_unsettled() {
                match in_time(self.settle()).await {
                    Ok(()) => {
                        backoff.reset();
                        // What was just written comes back by the watches.
                        break;
                    }
                    Err(error) => {
                        if backoff.failures() == COLLISIONS_MAX {
                            let name = &self.config_map;
                            warn!(error = %Chain(&error), "could not keep the range by the ConfigMap {name}, trying again");
                        }
                        sleep(backoff.fail()).await;
                    }
                }
            }
        }
    }

    /// Whether the last things seen disagree.
    fn is_unsettled(&self) -> bool {
        let Seen { config_map, object } = &*self.seen.lock();
        let (Some(config_map), Some(object)) = (config_map.clone(), object.clone()) else { return false };
        let Ok(look) = self.look(config_map, object) else { return false };
        let Decision { record, write, .. } = look.record.decide(&look.rendered, &look.live, self.scaler.mode());
        write.is_some() || record != look.record || self.owned(&look.object).is_some()
    }

    /// Reads both anew, and writes what is missing.
    async fn settle(&self) -> Result<(), Error> {
        let mut last = self.last.lock().await;
        let Look { version, rendered, record, object, live } = self.read(last.as_ref()).await?;
        let Decision { record: next, write, is_new } = record.decide(&rendered, &live, self.scaler.mode());
        let object = match write {
            Some(range) => self.write(range, &object).await?,
            None => object,
        };
        if is_new && rendered.asked.by == self.scaler.mode() {
            self.wake(write.unwrap_or(live.range)).await?;
        }
        if next != record {
            self.write_record(&next, version).await?;
        }
        *last = Some(next);
        self.disown(&object).await
    }

    /// Records that a person has just set the range, through this gateway. A failure is logged, and made up for as soon
    /// as the watches show the range.
    pub async fn accept(&self) {
        for _ in 0..ATTEMPTS_MAX {
            match in_time(self.try_accept()).await {
                Ok(()) => return,
                Err(error) => {
                    debug!(error = %Chain(&error), "could not record the range that a person set");
                    if !matches!(error, Error::Unavailable { .. }) {
                        return;
                    }
                }
            }
        }
    }

    async fn try_accept(&self) -> Result<(), Error> {
        let mut last = self.last.lock().await;
        let Look { version, rendered, record, object, live } = self.read(last.as_ref()).await?;
        let next = record.accept(&rendered, &live, self.scaler.mode());
        if next != record {
            self.write_record(&next, version).await?;
        }
        *last = Some(next);
        self.disown(&object).await
    }

    /// Starts workers where there are none and an HPA would start none: it takes a number of 0 as a wish to stop.
    ///
    /// # Errors
    /// Those of [`scaler::set_replicas`].
    pub async fn wake(&self, range: Range) -> Result<(), Error> {
        if !matches!(self.scaler, Scaler::Hpa(_)) || range.min == 0 {
            return Ok(());
        }
        wake(&self.client, &self.release, &self.cache, range.min).await
    }

    async fn read(&self, last: Option<&Record>) -> Result<Look, Error> {
        let namespace = &self.release.namespace;
        let access = Access { verb: "get", resource: "configmaps", namespace };
        let config_map = self.config_maps().get(&self.config_map).await;
        let config_map = config_map.map_err(|error| api_error::translate(error, access))?;
        let (kind, name) = match self.scaler.object() {
            Some(ScalerObject { kind, name, .. }) => (kind, name),
            None => (scaler::deployments(), self.release.workers.clone()),
        };
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &kind);
        let object = api.get(&name).await;
        let access = Access { resource: &scaler::rbac_name(&kind), ..access };
        let object = object.map_err(|error| api_error::translate(error, access))?;
        let has_record = config_map.data.as_ref().is_some_and(|data| data.contains_key(RECORD_KEY));
        let mut look = self.look(config_map, object)?;
        if let (false, Some(last)) = (has_record, last) {
            // Somebody replaced the ConfigMap instead of changing it.
            look.record = last.clone();
            look.record.in_effect = None;
        }
        Ok(look)
    }

    fn look(&self, config_map: ConfigMap, object: DynamicObject) -> Result<Look, Error> {
        let data = config_map.data.unwrap_or_default();
        let rendered = Rendered::read(&data).map_err(|error| Error::Misconfigured {
            reason: format!("the ConfigMap {} is not what the chart renders: {error}", self.config_map),
        })?;
        // A record that cannot be read is written anew.
        let record = data.get(RECORD_KEY).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let annotations = object.metadata.annotations.as_ref();
        let owners = object.metadata.managed_fields.as_deref().unwrap_or_default();
        let live = match self.scaler.object() {
            Some(holder) => Live {
                range: Range::from(&holder.range(&object)),
                revision: annotations.and_then(|annotations| annotations.get(REVISION)?.parse().ok()),
                setter: ownership::setter(owners, &holder.fields()),
            },
            // The chart renders no number into the Deployment, so Helm writes one only where it takes one out.
            None => Live {
                range: Range::from(&(scaler::replicas(&object).desired..=scaler::replicas(&object).desired)),
                revision: Some(rendered.revision),
                setter: ownership::setter(owners, &["replicas"]),
            },
        };
        Ok(Look { version: config_map.metadata.resource_version, rendered, record, object, live })
    }

    /// Writes the range, and returns the object that holds it then.
    async fn write(&self, range: Range, object: &DynamicObject) -> Result<DynamicObject, Error> {
        let begin = Instant::now();
        let bounds = range.min..=range.max;
        let (command, written) = match self.scaler.object() {
            None => {
                let version = object.metadata.resource_version.as_deref();
                let set = scaler::set_replicas(self.client.clone(), &self.release, range.max, version).await?;
                self.cache.set_desired(set);
                (scaler::scale_command(&self.release, range.max), object.clone())
            }
            Some(holder) => {
                let mut change = holder.patch(&bounds);
                change["metadata"] = json!({ "resourceVersion": object.metadata.resource_version });
                (holder.patch_command(&self.release, &bounds), self.patch(&holder, change).await?)
            }
        };
        info!("{command}  # {range} is what the values ask for, or a person set last");
        self.cache.publish_command(command, format!("{range}, as it was set last"), begin.elapsed());
        Ok(written)
    }

    async fn write_record(&self, record: &Record, version: Option<String>) -> Result<(), Error> {
        let text = serde_json::to_string(record).unwrap_or_default();
        let change = json!({ "metadata": { "resourceVersion": version }, "data": { RECORD_KEY: text } });
        let written = self.config_maps().patch(&self.config_map, &scaler::params(), &Patch::Merge(change)).await;
        let access = Access { verb: "patch", resource: "configmaps", namespace: &self.release.namespace };
        written.map(drop).map_err(|error| api_error::translate(error, access))
    }

    /// Returns the change that leaves the range to nobody; `None` where nobody updated it.
    fn owned(&self, object: &DynamicObject) -> Option<Value> {
        let holder = self.scaler.object()?;
        let metadata = &object.metadata;
        let rest = ownership::without_updates(metadata.managed_fields.as_deref()?, &holder.fields())?;
        Some(json!({ "metadata": { "resourceVersion": metadata.resource_version, "managedFields": rest } }))
    }

    async fn disown(&self, object: &DynamicObject) -> Result<(), Error> {
        let (Some(holder), Some(change)) = (self.scaler.object(), self.owned(object)) else { return Ok(()) };
        self.patch(&holder, change).await.map(drop)
    }

    async fn patch(&self, holder: &ScalerObject, change: Value) -> Result<DynamicObject, Error> {
        let namespace = &self.release.namespace;
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &holder.kind);
        let patched = api.patch(&holder.name, &scaler::params(), &Patch::Merge(change)).await;
        let access = Access { verb: "patch", resource: &scaler::rbac_name(&holder.kind), namespace };
        patched.map_err(|error| api_error::translate(error, access))
    }

    fn config_maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), &self.release.namespace)
    }
}

async fn in_time(work: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let late = |late| Error::Unavailable { action: "keep the range in time".into(), source: Box::new(late) };
    timeout(WORK_MAX, work).await.map_err(late)?
}

/// Sets the Deployment's number to `least` where it is 0.
///
/// # Errors
/// Those of [`scaler::set_replicas`].
pub async fn wake(client: &Client, release: &Release, cache: &Cache, least: u32) -> Result<(), Error> {
    let begin = Instant::now();
    if scaler::read_replicas(client.clone(), release).await? > 0 {
        return Ok(());
    }
    let set = scaler::set_replicas(client.clone(), release, least, None).await?;
    cache.set_desired(set);
    let command = scaler::scale_command(release, least);
    info!("{command}  # an HPA starts none from 0");
    cache.publish_command(command, format!("{set} wanted: an HPA starts none from 0"), begin.elapsed());
    Ok(())
}
