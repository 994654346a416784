//! What changed about the pods of a release when the record of a pod arrives?
//!
//! This file only compares: it takes records, in any order and as often as a watch repeats them, and returns changes
//! and terminations. Nothing is reported twice.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod;

use super::pod_status;
use super::release::Release;
use super::termination::{self, Ended, Termination};
use crate::pod::{self, Phase};

/// Change of one pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The pod as it is now, [`Phase::Gone`] included; `None` where it looks as before.
    pub pod: Option<pod::Pod>,
    /// The terminations of the pod itself and of its incarnations.
    pub terminations: Vec<Termination>,
}

/// The pods of one release, by the latest record of each.
#[derive(Debug)]
pub struct Pods {
    release: Release,
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    /// Distinguishes the pod from another of its name.
    uid: Option<String>,
    pod: pod::Pod,
    /// The termination to report if the pod vanishes without another record.
    last: Termination,
    /// The terminations already reported of the pod.
    reported: BTreeSet<Ended>,
}

impl Pods {
    /// Creates the empty list of a release's pods.
    pub fn new(release: Release) -> Self {
        Self { release, entries: BTreeMap::new() }
    }

    /// Returns the pods that exist, oldest first.
    pub fn list(&self) -> Vec<pod::Pod> {
        let pods = self.entries.values().map(|entry| &entry.pod).filter(|pod| pod.phase != Phase::Gone);
        let mut pods: Vec<_> = pods.cloned().collect();
        pods.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
        pods
    }

    /// Replaces all pods by those of a complete list, and returns the changes.
    pub fn replace(&mut self, records: &[Pod]) -> Vec<Change> {
        let names: BTreeSet<_> = records.iter().filter_map(|record| record.metadata.name.as_deref()).collect();
        let gone: Vec<_> = self.entries.keys().filter(|name| !names.contains(name.as_str())).cloned().collect();
        let gone: Vec<_> = gone.iter().filter_map(|name| self.forget(name, None)).collect();
        gone.into_iter().chain(records.iter().filter_map(|record| self.apply(record))).collect()
    }

    /// Applies the record of a pod that appeared or changed. Returns the change; `None` if nothing is new.
    pub fn apply(&mut self, record: &Pod) -> Option<Change> {
        let name = record.metadata.name.as_deref()?;
        if !self.release.owns(record) {
            // The pod was taken out of the release and keeps running: it keeps the jobs that it holds.
            let entry = self.entries.remove(name)?;
            let pod = pod::Pod { phase: Phase::Gone, ..entry.pod };
            return Some(Change { pod: Some(pod), terminations: Vec::new() });
        }
        let (uid, pod) = (record.metadata.uid.clone(), pod_status::pod(record));
        // A pod that took the name of another starts without a history. The jobs of the other stay leased until their
        // leases expire: the claims of the two cannot be distinguished any more.
        let before = self.entries.remove(name).filter(|entry| entry.uid == uid);
        let changed = before.as_ref().is_none_or(|entry| entry.pod != pod).then(|| pod.clone());
        let mut reported = before.map(|entry| entry.reported).unwrap_or_default();
        let terminations = termination::take_unreported(record, &mut reported);
        self.entries.insert(name.to_owned(), Entry { uid, pod, last: termination::of_pod(record), reported });
        (changed.is_some() || !terminations.is_empty()).then_some(Change { pod: changed, terminations })
    }

    /// Applies the last record of a pod that was deleted. Returns the change; `None` if nothing is new.
    pub fn remove(&mut self, record: &Pod) -> Option<Change> {
        self.forget(record.metadata.name.as_deref()?, Some(record))
    }

    fn forget(&mut self, name: &str, record: Option<&Pod>) -> Option<Change> {
        let mut entry = self.entries.remove(name)?;
        let last = record.map_or(entry.last, termination::of_pod);
        let new = record.map(|record| termination::take_unreported(record, &mut entry.reported));
        let mut terminations = new.unwrap_or_default();
        if entry.reported.insert(last.ended.clone()) {
            terminations.push(last);
        }
        let is_change = entry.pod.phase != Phase::Gone;
        let pod = is_change.then_some(pod::Pod { phase: Phase::Gone, ..entry.pod });
        Some(Change { pod, terminations })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::kubernetes::testing::{container, ended, record, release};
    use kana_queue::Cause;

    const A: &str = "kana-worker-5d4f8-aaaaa";
    const B: &str = "kana-worker-5d4f8-bbbbb";

    fn stopped(name: &str) -> Vec<Termination> {
        vec![Termination { ended: Ended::Pod(name.into()), cause: Cause::Stopped }]
    }

    fn names(pods: &Pods) -> Vec<String> {
        pods.list().into_iter().map(|pod| pod.name).collect()
    }

    #[test]
    fn a_record_with_nothing_new_is_no_change() {
        let mut pods = Pods::new(release());

        assert!(pods.apply(&record(A)).is_some());

        assert_eq!(pods.apply(&record(A)), None);
        assert_eq!(pods.replace(&[record(A)]), []);
    }

    #[test]
    fn pods_missing_from_a_complete_list_are_gone_and_terminated() {
        let mut pods = Pods::new(release());
        pods.replace(&[record(A), record(B)]);

        let changes = pods.replace(&[record(B)]);

        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].pod.as_ref().map(|pod| (pod.name.as_str(), pod.phase)), Some((A, Phase::Gone)));
        assert_eq!(changes[0].terminations, stopped(A));
        assert_eq!(names(&pods), [B]);
    }

    #[test]
    fn a_pod_that_took_the_name_of_a_lost_one_has_a_termination_of_its_own() {
        let mut pods = Pods::new(release());
        let mut failed = record(A);
        failed.status.as_mut().unwrap().phase = Some("Failed".into());
        pods.apply(&failed);
        let mut successor = record(A);
        successor.metadata.uid = Some("another".into());

        let changes = pods.replace(&[successor.clone()]);

        assert_eq!(changes, [Change { pod: Some(pod_status::pod(&successor)), terminations: Vec::new() }]);
        assert_eq!(pods.remove(&successor).unwrap().terminations, stopped(A));
    }

    #[test]
    fn a_pod_that_failed_and_is_then_deleted_terminates_once() {
        let mut pods = Pods::new(release());
        pods.apply(&record(A));
        let mut failed = record(A);
        failed.status.as_mut().unwrap().phase = Some("Failed".into());

        let first = pods.apply(&failed).unwrap();
        let second = pods.remove(&failed).unwrap();

        assert_eq!((first.pod.unwrap().phase, first.terminations), (Phase::Gone, stopped(A)));
        assert_eq!(second, Change { pod: None, terminations: Vec::new() });
    }

    #[test]
    fn a_restarted_container_is_a_termination_within_a_running_pod() {
        let mut pods = Pods::new(release());
        pods.apply(&record(A));
        let mut restarted = record(A);
        container(&mut restarted).restart_count = 1;
        container(&mut restarted).last_state =
            serde_json::from_value(ended(1, "Error", "kana-worker-5d4f8-aaaaa~k7x2q")).unwrap();

        let change = pods.apply(&restarted).unwrap();

        assert_eq!(change.pod.map(|pod| (pod.phase, pod.restarts)), Some((Phase::Ready, 1)));
        assert_eq!(change.terminations[0].ended, Ended::Incarnation("kana-worker-5d4f8-aaaaa~k7x2q".into()));
        assert_eq!(names(&pods), [A]);
    }

    #[test]
    fn a_pod_taken_out_of_the_release_leaves_the_list_and_keeps_its_jobs() {
        let mut pods = Pods::new(release());
        pods.apply(&record(A));
        let mut foreign = record(A);
        foreign.metadata.owner_references = None;

        let change = pods.apply(&foreign).unwrap();

        assert_eq!((change.pod.unwrap().phase, change.terminations), (Phase::Gone, Vec::new()));
        assert!(names(&pods).is_empty());
    }

    #[test]
    fn a_foreign_pod_is_never_a_change() {
        let mut pods = Pods::new(release());
        let mut foreign = record(A);
        foreign.metadata.owner_references = None;

        assert_eq!(pods.apply(&foreign), None);
        assert_eq!(pods.remove(&foreign), None);
        assert!(names(&pods).is_empty());
    }
}
