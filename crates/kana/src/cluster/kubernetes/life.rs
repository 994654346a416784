//! Under which name does a worker claim, so that its death says which claims died with it?
//!
//! A container may be restarted within its pod, and then two workers in a row have one pod's name. Each takes a mark of
//! its own behind that name and leaves it where Kubernetes reads a container's last words. Those are kept however the
//! container ends, SIGKILL included, and every gateway that watches pods can read them.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use kana_queue::WorkerId;

/// Letters of a mark: twenty million marks, for the handful of lives that a pod may have.
const MARK_LETTERS: usize = 5;

/// Begins a life of the worker in `pod`: answers the name to claim under, once the file at `last_words` (which
/// Kubernetes puts into every container as `/dev/termination-log`) holds it.
///
/// # Errors
/// Where that file cannot be written; it is never created, because then nobody would read it.
pub fn begin(pod: &str, last_words: &Path) -> std::io::Result<WorkerId> {
    let mark: [u8; MARK_LETTERS] = rand::random();
    let mark: String = mark.iter().map(|byte| char::from(b'a' + byte % 26)).collect();
    let worker = WorkerId::incarnation(pod, mark);
    let mut file = OpenOptions::new().write(true).truncate(true).open(last_words)?;
    file.write_all(worker.to_string().as_bytes())?;
    Ok(worker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_life_of_a_pod_has_a_name_of_its_own_and_leaves_it_as_its_last_words() {
        let file = tempfile::NamedTempFile::new().unwrap();

        let first = begin("kana-worker-a", file.path()).unwrap();
        let second = begin("kana-worker-a", file.path()).unwrap();

        assert_ne!(first, second);
        assert_eq!(second.pod(), "kana-worker-a");
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), second.to_string());
    }

    #[test]
    fn no_file_is_made_where_kubernetes_reads_none() {
        let folder = tempfile::tempdir().unwrap();

        assert!(begin("kana-worker-a", &folder.path().join("none")).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
