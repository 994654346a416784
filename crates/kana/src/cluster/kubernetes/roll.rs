//! What is new about the pods, given the next that Kubernetes tells of one?
//!
//! This file only compares: it is handed records, in any order and as often as a watch repeats them, and answers with
//! what changed and who died. Nothing is told twice.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod;

use super::obituary::{self, Dead, Death};
use super::release::Release;
use super::sight;
use crate::pod::{self, Phase};

/// What changed about one pod.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// The pod as it is now, [`Phase::Gone`] included; `None` where it looks as before.
    pub pod: Option<pod::Pod>,
    /// Who died with it or in it.
    pub deaths: Vec<Death>,
}

/// The pods of one release, as last heard of.
#[derive(Debug)]
pub struct Roll {
    release: Release,
    known: BTreeMap<String, Known>,
}

#[derive(Debug)]
struct Known {
    /// Tells it from another pod of its name.
    uid: Option<String>,
    pod: pod::Pod,
    /// What its end would mean, were it gone now.
    last: Death,
    /// The deaths told of it.
    told: BTreeSet<Dead>,
}

impl Roll {
    /// One that has heard of no pod yet.
    pub fn new(release: Release) -> Self {
        Self { release, known: BTreeMap::new() }
    }

    /// The pods that exist, oldest first.
    pub fn pods(&self) -> Vec<pod::Pod> {
        let pods = self.known.values().map(|known| &known.pod).filter(|pod| pod.phase != Phase::Gone);
        let mut pods: Vec<_> = pods.cloned().collect();
        pods.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
        pods
    }

    /// These are all that there are.
    pub fn all(&mut self, records: &[Pod]) -> Vec<News> {
        let names: BTreeSet<_> = records.iter().filter_map(|record| record.metadata.name.as_deref()).collect();
        let gone: Vec<_> = self.known.keys().filter(|name| !names.contains(name.as_str())).cloned().collect();
        let gone: Vec<_> = gone.iter().filter_map(|name| self.forget(name, None)).collect();
        gone.into_iter().chain(records.iter().filter_map(|record| self.changed(record))).collect()
    }

    /// This one appeared or changed.
    pub fn changed(&mut self, record: &Pod) -> Option<News> {
        let name = record.metadata.name.as_deref()?;
        if !self.release.owns(record) {
            // It was taken out of the release and lives on: what it holds is its own.
            let known = self.known.remove(name)?;
            let pod = pod::Pod { phase: Phase::Gone, ..known.pod };
            return Some(News { pod: Some(pod), deaths: Vec::new() });
        }
        let (uid, pod) = (record.metadata.uid.clone(), sight::pod(record));
        // One that took the name of another has a history of its own. What the other held stays leased until that
        // lapses: the claims of the two cannot be told apart any more.
        let before = self.known.remove(name).filter(|known| known.uid == uid);
        let news = before.as_ref().is_none_or(|known| known.pod != pod).then(|| pod.clone());
        let mut told = before.map(|known| known.told).unwrap_or_default();
        let deaths = obituary::deaths(record, &mut told);
        self.known.insert(name.to_owned(), Known { uid, pod, last: obituary::of_pod(record), told });
        (news.is_some() || !deaths.is_empty()).then_some(News { pod: news, deaths })
    }

    /// This one is gone; the record is the last of it.
    pub fn gone(&mut self, record: &Pod) -> Option<News> {
        self.forget(record.metadata.name.as_deref()?, Some(record))
    }

    fn forget(&mut self, name: &str, record: Option<&Pod>) -> Option<News> {
        let mut known = self.known.remove(name)?;
        let last = record.map_or(known.last, obituary::of_pod);
        let mut deaths = record.map(|record| obituary::deaths(record, &mut known.told)).unwrap_or_default();
        if known.told.insert(last.dead.clone()) {
            deaths.push(last);
        }
        let is_news = known.pod.phase != Phase::Gone;
        let news = is_news.then_some(pod::Pod { phase: Phase::Gone, ..known.pod });
        Some(News { pod: news, deaths })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::kubernetes::testing::{container, ended, record, release};
    use kana_queue::Cause;

    const A: &str = "kana-worker-5d4f8-aaaaa";
    const B: &str = "kana-worker-5d4f8-bbbbb";

    fn stopped(name: &str) -> Vec<Death> {
        vec![Death { dead: Dead::Pod(name.into()), cause: Cause::Stopped }]
    }

    fn names(roll: &Roll) -> Vec<String> {
        roll.pods().into_iter().map(|pod| pod.name).collect()
    }

    #[test]
    fn a_record_that_says_nothing_new_is_no_news() {
        let mut roll = Roll::new(release());

        assert!(roll.changed(&record(A)).is_some());

        assert_eq!(roll.changed(&record(A)), None);
        assert_eq!(roll.all(&[record(A)]), []);
    }

    #[test]
    fn pods_missing_from_the_whole_list_are_gone_and_dead() {
        let mut roll = Roll::new(release());
        roll.all(&[record(A), record(B)]);

        let news = roll.all(&[record(B)]);

        assert_eq!(news.len(), 1);
        assert_eq!(news[0].pod.as_ref().map(|pod| (pod.name.as_str(), pod.phase)), Some((A, Phase::Gone)));
        assert_eq!(news[0].deaths, stopped(A));
        assert_eq!(names(&roll), [B]);
    }

    #[test]
    fn a_pod_that_took_the_name_of_a_dead_one_dies_a_death_of_its_own() {
        let mut roll = Roll::new(release());
        let mut failed = record(A);
        failed.status.as_mut().unwrap().phase = Some("Failed".into());
        roll.changed(&failed);
        let mut successor = record(A);
        successor.metadata.uid = Some("another".into());

        let news = roll.all(&[successor.clone()]);

        assert_eq!(news, [News { pod: Some(sight::pod(&successor)), deaths: Vec::new() }]);
        assert_eq!(roll.gone(&successor).unwrap().deaths, stopped(A));
    }

    #[test]
    fn a_pod_that_failed_and_then_goes_dies_once() {
        let mut roll = Roll::new(release());
        roll.changed(&record(A));
        let mut failed = record(A);
        failed.status.as_mut().unwrap().phase = Some("Failed".into());

        let first = roll.changed(&failed).unwrap();
        let second = roll.gone(&failed).unwrap();

        assert_eq!((first.pod.unwrap().phase, first.deaths), (Phase::Gone, stopped(A)));
        assert_eq!(second, News { pod: None, deaths: Vec::new() });
    }

    #[test]
    fn a_restarted_container_is_a_death_within_a_living_pod() {
        let mut roll = Roll::new(release());
        roll.changed(&record(A));
        let mut restarted = record(A);
        container(&mut restarted).restart_count = 1;
        container(&mut restarted).last_state =
            serde_json::from_value(ended(1, "Error", "kana-worker-5d4f8-aaaaa~k7x2q")).unwrap();

        let news = roll.changed(&restarted).unwrap();

        assert_eq!(news.pod.map(|pod| (pod.phase, pod.restarts)), Some((Phase::Ready, 1)));
        assert_eq!(news.deaths[0].dead, Dead::Life("kana-worker-5d4f8-aaaaa~k7x2q".into()));
        assert_eq!(names(&roll), [A]);
    }

    #[test]
    fn a_pod_taken_out_of_the_release_leaves_the_list_and_keeps_its_jobs() {
        let mut roll = Roll::new(release());
        roll.changed(&record(A));
        let mut orphan = record(A);
        orphan.metadata.owner_references = None;

        let news = roll.changed(&orphan).unwrap();

        assert_eq!((news.pod.unwrap().phase, news.deaths), (Phase::Gone, Vec::new()));
        assert!(names(&roll).is_empty());
    }

    #[test]
    fn a_foreign_pod_is_never_news() {
        let mut roll = Roll::new(release());
        let mut foreign = record(A);
        foreign.metadata.owner_references = None;

        assert_eq!(roll.changed(&foreign), None);
        assert_eq!(roll.gone(&foreign), None);
        assert!(names(&roll).is_empty());
    }
}
