//! How does one process wake another within a millisecond, and sleep until then?
//!
//! Beside the queue's file lies a folder of named pipes, one for each process and topic that a call there waits for. A
//! thread of the waiting process blocks reading its pipe; a process that commits writes a byte into every pipe of the
//! topic. A pipe without a reader belonged to a process that died: whichever process finds it removes it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use rustix::fs::OFlags;
use rustix::io::Errno;
use tokio::sync::Notify;
use tracing::warn;
use uuid::Uuid;

/// One topic's wakeups, as one process sends and receives them.
#[derive(Debug)]
pub struct Wakeup {
    folder: PathBuf,
    /// The names of the topic's pipes, up to the part that is unique.
    prefix: &'static str,
    notify: Arc<Notify>,
    pipe: OnceLock<Option<Pipe>>,
}

impl Wakeup {
    /// Creates the wakeup of the topic `prefix`, whose pipes lie in `folder`.
    pub fn new(folder: &Path, prefix: &'static str) -> Self {
        Self { folder: folder.to_owned(), prefix, notify: Arc::new(Notify::new()), pipe: OnceLock::new() }
    }

    /// The notification of this process's waiting calls.
    pub fn notify(&self) -> &Notify {
        &self.notify
    }

    /// Lets other processes wake this one, and returns whether they can: not where the folder's disk is full or has no
    /// pipes. The first call creates a pipe, which takes a fraction of a millisecond.
    pub fn listen(&self) -> bool {
        let open = || {
            let opened = Pipe::open(&self.folder, self.prefix, Arc::clone(&self.notify));
            opened
                .inspect_err(|error| {
                    let folder = self.folder.display();
                    warn!(%error, "could not create a named pipe in {folder}: waiting calls look now and then");
                })
                .ok()
        };
        self.pipe.get_or_init(open).is_some()
    }

    /// Wakes every call that waits for this topic, here and in every other process.
    pub fn send(&self) {
        self.notify.notify_waiters();
        let own = self.pipe.get().and_then(Option::as_ref).map(|pipe| pipe.path.as_path());
        // Without the folder no process listens yet.
        let Ok(pipes) = fs::read_dir(&self.folder) else { return };
        for pipe in pipes.flatten() {
            let path = pipe.path();
            if pipe.file_name().as_encoded_bytes().starts_with(self.prefix.as_bytes()) && Some(path.as_path()) != own {
                wake(&path);
            }
        }
    }
}

/// Wakes the process that reads a pipe.
fn wake(path: &Path) {
    match OpenOptions::new().write(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path) {
        // A full pipe has woken its process often enough.
        Ok(mut pipe) => drop(pipe.write(b"!")),
        Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => drop(fs::remove_file(path)),
        // Another process removed it, or its own runs as another user: that one looks now and then.
        Err(_) => {}
    }
}

/// A named pipe, and the thread that reads it.
#[derive(Debug)]
struct Pipe {
    path: PathBuf,
    file: Arc<File>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pipe {
    fn open(folder: &Path, prefix: &str, notify: Arc<Notify>) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let name = Uuid::now_v7();
        // It gets its real name once it is open, because a pipe without a reader is taken for a dead process's.
        let unopened = folder.join(format!("unopened-{name}"));
        make_pipe(&unopened)?;
        let path = folder.join(format!("{prefix}{name}"));
        // Open for writing too, or reading would find its end whenever no process writes.
        let opened = OpenOptions::new().read(true).write(true).open(&unopened);
        let file = Arc::new(opened.and_then(|file| fs::rename(&unopened, &path).map(|()| file)).inspect_err(|_| {
            drop(fs::remove_file(&unopened));
        })?);
        let over = Arc::new(AtomicBool::new(false));
        let (reads, until) = (Arc::clone(&file), Arc::clone(&over));
        let thread = std::thread::Builder::new().name("kana-wakeup".to_owned()).spawn(move || {
            let mut bytes = [0; 64];
            while !until.load(Ordering::Acquire) && (&*reads).read(&mut bytes).is_ok() {
                notify.notify_waiters();
            }
        })?;
        Ok(Self { path, file, over, thread: Some(thread) })
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        // Neither can fail in a way that matters: a pipe that stays is removed by the next process that wakes others.
        drop((&*self.file).write(b"."));
        drop(fs::remove_file(&self.path));
        drop(self.thread.take().map(JoinHandle::join));
    }
}

#[cfg(not(target_vendor = "apple"))]
fn make_pipe(path: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, Mode, mkfifoat};
    Ok(mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR)?)
}

/// Creates a named pipe by the system's command: no safe binding offers its `mkfifo`.
#[cfg(target_vendor = "apple")]
fn make_pipe(path: &Path) -> io::Result<()> {
    let made = std::process::Command::new("/usr/bin/mkfifo").args(["-m", "600"]).arg(path).status()?;
    if made.success() { Ok(()) } else { Err(io::Error::other(format!("mkfifo ended with {made}"))) }
}
