//! Under which id does a worker claim jobs, so that the end of its container shows which jobs to reclaim?
//!
//! A container may be restarted within its pod, and then two workers in a row have the name of the same pod. So each
//! worker generates an id, the pod's name with a random mark, and writes it to the container's termination log.
//! Kubernetes keeps that text however the container ends, SIGKILL included, and every gateway that watches the pods can
//! read it.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use kana_queue::WorkerId;

/// Letters of a mark: twelve million marks, for the handful of incarnations that a pod may have.
const MARK_LETTERS: usize = 5;

/// Begins an incarnation of the worker in `pod`: returns the id to claim under, once the file at `termination_log`
/// (which Kubernetes puts into every container as `/dev/termination-log`) holds it.
///
/// # Errors
/// Where that file cannot be written. The file is never created: if Kubernetes has not created it, nobody reads it.
pub fn begin(pod: &str, termination_log: &Path) -> std::io::Result<WorkerId> {
    let mark: [u8; MARK_LETTERS] = rand::random();
    let mark: String = mark.iter().map(|byte| char::from(b'a' + byte % 26)).collect();
    let worker = WorkerId::incarnation(pod, mark);
    let mut file = OpenOptions::new().write(true).truncate(true).open(termination_log)?;
    file.write_all(worker.to_string().as_bytes())?;
    Ok(worker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_incarnation_of_a_pod_has_an_id_of_its_own_and_leaves_it_in_the_termination_log() {
        let file = tempfile::NamedTempFile::new().unwrap();

        let first = begin("kana-worker-a", file.path()).unwrap();
        let second = begin("kana-worker-a", file.path()).unwrap();

        assert_ne!(first, second);
        assert_eq!(second.pod(), "kana-worker-a");
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), second.to_string());
    }

    #[test]
    fn no_file_is_created_where_kubernetes_reads_none() {
        let folder = tempfile::tempdir().unwrap();

        assert!(begin("kana-worker-a", &folder.path().join("none")).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
