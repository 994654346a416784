//! When is what was committed safe from a power cut?
//!
//! A commit is in the system's memory, where it outlives every process; on the disk it is once the write-ahead log is
//! flushed, which takes milliseconds. So that nobody waits for a disk in vain, commits are visible at once and flushed
//! beside: submissions are answered when the disk has them, while their jobs may already be in a worker's hands. A
//! settlement is answered before, and flushed all the same: a power cut between the two costs the job another run.
//! One flush serves everything committed before it began.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::desk::{Task, Trouble};

/// Commits that may wait for the disk at once; beyond that, committing waits for it too.
const WAITING_MAX: usize = 256;

/// A thread that flushes, and answers whoever waited for it.
pub struct Flusher {
    commits: Option<SyncSender<Vec<Box<dyn Task>>>>,
    thread: Option<JoinHandle<()>>,
}

impl Flusher {
    /// Flushes the write-ahead log of the queue at `path`. Its connection is open, so the log exists and stays.
    pub fn start(path: &Path) -> io::Result<Self> {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let log = File::open(log)?;
        // A log that was made a moment ago is only on the disk once its folder says so.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
        let (commits, waiting) = sync_channel(WAITING_MAX);
        let path = path.display().to_string();
        let run = move || serve(&waiting, &log, &path);
        let thread = std::thread::Builder::new().name("kana-flush".to_owned()).spawn(run)?;
        Ok(Self { commits: Some(commits), thread: Some(thread) })
    }

    /// Flushes what was committed, then answers `tasks`.
    pub fn flush(&self, tasks: Vec<Box<dyn Task>>) {
        if let Some(commits) = &self.commits {
            // The thread ends only when this end is dropped; were it gone, the tasks' callers would be told so.
            drop(commits.send(tasks));
        }
    }
}

fn serve(waiting: &Receiver<Vec<Box<dyn Task>>>, log: &File, path: &str) {
    while let Ok(mut tasks) = waiting.recv() {
        tasks.extend(waiting.try_iter().flatten());
        let flushed = log.sync_data().map_err(|error| Trouble::new(path, error));
        for mut task in tasks {
            if let Err(trouble) = &flushed {
                task.fail(trouble);
            }
            task.reply();
        }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.commits = None;
        drop(self.thread.take().map(JoinHandle::join));
    }
}
