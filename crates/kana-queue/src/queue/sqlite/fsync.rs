//! When is a commit safe from a power cut?
//!
//! A commit is in the system's memory, where it outlives every process; it is on the disk once the write-ahead log is
//! synced, which takes milliseconds. So that no call waits for a disk in vain, commits are visible at once and synced
//! on a thread of their own: submissions are answered when the disk has them, while their jobs may already be claimed.
//! A settlement is answered before, and synced all the same: a power cut between the two costs the job another run.
//! One sync serves everything committed before it began.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::writer::{FileError, Task};

/// Commits that may wait for the disk at once; beyond that, committing waits for it too.
const WAITING_MAX: usize = 256;

/// A handle of the thread that syncs the log and then answers the calls that waited for it.
pub struct LogSync {
    commits: Option<SyncSender<Vec<Box<dyn Task>>>>,
    thread: Option<JoinHandle<()>>,
}

impl LogSync {
    /// Starts the thread for the queue at `path`. Its connection is open, so the log exists and stays.
    pub fn start(path: &Path) -> io::Result<Self> {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let log = File::open(log)?;
        // A log that was created a moment ago is only on the disk once its folder is.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
        let (commits, waiting) = sync_channel(WAITING_MAX);
        let path = path.display().to_string();
        let run = move || serve(&waiting, &log, &path);
        let thread = std::thread::Builder::new().name("kana-fsync".to_owned()).spawn(run)?;
        Ok(Self { commits: Some(commits), thread: Some(thread) })
    }

    /// Syncs what was committed, then answers `tasks`.
    pub fn sync(&self, tasks: Vec<Box<dyn Task>>) {
        if let Some(commits) = &self.commits {
            // The thread ends only when this sender is dropped; had it ended, the tasks' callers would get an error.
            drop(commits.send(tasks));
        }
    }
}

fn serve(waiting: &Receiver<Vec<Box<dyn Task>>>, log: &File, path: &str) {
    while let Ok(mut tasks) = waiting.recv() {
        tasks.extend(waiting.try_iter().flatten());
        let synced = log.sync_data().map_err(|error| FileError::new(path, error));
        for mut task in tasks {
            if let Err(error) = &synced {
                task.fail(error);
            }
            task.reply();
        }
    }
}

impl Drop for LogSync {
    fn drop(&mut self) {
        self.commits = None;
        drop(self.thread.take().map(JoinHandle::join));
    }
}
