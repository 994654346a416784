//! How does one process wake another within a millisecond, and sleep until then?
//!
//! Beside the queue's file lies a folder of named pipes, one for each process and topic that somebody there waits
//! for. A thread of the waiter's blocks reading its pipe; whoever commits writes a byte into every pipe of the topic.
//! A pipe that nobody reads any more belonged to a process that died: whoever finds it removes it.

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

/// One topic's bell, as one process has it.
#[derive(Debug)]
pub struct Bell {
    folder: PathBuf,
    /// What the topic's pipes are called, up to the part that is unique.
    prefix: &'static str,
    rung: Arc<Notify>,
    pipe: OnceLock<Option<Pipe>>,
}

impl Bell {
    /// The bell of the topic `prefix`, hung in `folder` once somebody listens.
    pub fn new(folder: &Path, prefix: &'static str) -> Self {
        Self { folder: folder.to_owned(), prefix, rung: Arc::new(Notify::new()), pipe: OnceLock::new() }
    }

    /// What is notified when anybody rings.
    pub fn rung(&self) -> &Notify {
        &self.rung
    }

    /// Lets other processes ring here. The first call makes a pipe, which takes a fraction of a millisecond. Answers
    /// whether they can; where the folder's disk is full or knows no pipes, they cannot.
    pub fn listen(&self) -> bool {
        let hang = || {
            let hung = Pipe::hang(&self.folder, self.prefix, Arc::clone(&self.rung));
            hung.inspect_err(|error| {
                let folder = self.folder.display();
                warn!(%error, "could not make a named pipe in {folder}: waiting there is by looking now and then");
            })
            .ok()
        };
        self.pipe.get_or_init(hang).is_some()
    }

    /// Wakes whoever waits for this topic, here and in every other process.
    pub fn ring(&self) {
        self.rung.notify_waiters();
        let own = self.pipe.get().and_then(Option::as_ref).map(|pipe| pipe.path.as_path());
        // Without the folder nobody has listened yet.
        let Ok(pipes) = fs::read_dir(&self.folder) else { return };
        for pipe in pipes.flatten() {
            let path = pipe.path();
            if pipe.file_name().as_encoded_bytes().starts_with(self.prefix.as_bytes()) && Some(path.as_path()) != own {
                strike(&path);
            }
        }
    }
}

/// Rings one other process.
fn strike(path: &Path) {
    match OpenOptions::new().write(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path) {
        // A pipe that is full has rung often enough.
        Ok(mut pipe) => drop(pipe.write(b"!")),
        Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => drop(fs::remove_file(path)),
        // Somebody else removed it, or its process runs as another user: that one looks now and then.
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
    fn hang(folder: &Path, prefix: &str, rung: Arc<Notify>) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let name = Uuid::now_v7();
        // It gets its real name once it is open, because a pipe that nobody has open is taken for a dead process's.
        let unopened = folder.join(format!("unopened-{name}"));
        make_pipe(&unopened)?;
        let path = folder.join(format!("{prefix}{name}"));
        // Open for writing too, or reading would find its end whenever nobody is ringing.
        let opened = OpenOptions::new().read(true).write(true).open(&unopened);
        let file = Arc::new(opened.and_then(|file| fs::rename(&unopened, &path).map(|()| file)).inspect_err(|_| {
            drop(fs::remove_file(&unopened));
        })?);
        let over = Arc::new(AtomicBool::new(false));
        let (reads, until) = (Arc::clone(&file), Arc::clone(&over));
        let thread = std::thread::Builder::new().name("kana-bell".to_owned()).spawn(move || {
            let mut strikes = [0; 64];
            while !until.load(Ordering::Acquire) && (&*reads).read(&mut strikes).is_ok() {
                rung.notify_waiters();
            }
        })?;
        Ok(Self { path, file, over, thread: Some(thread) })
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        // Neither can fail in a way that somebody could mend: a pipe that stays is found dead by the next to ring.
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

/// No safe binding offers this system's `mkfifo`, and its command has been there for forty years.
#[cfg(target_vendor = "apple")]
fn make_pipe(path: &Path) -> io::Result<()> {
    let made = std::process::Command::new("/usr/bin/mkfifo").args(["-m", "600"]).arg(path).status()?;
    if made.success() { Ok(()) } else { Err(io::Error::other(format!("mkfifo ended with {made}"))) }
}
