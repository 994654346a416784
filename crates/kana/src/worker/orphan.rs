//! How does a worker end when whoever started it is gone?
//!
//! `kana up` holds the other end of its workers' standard input and never writes to it. However `kana up` ends, the
//! kernel closes that end; a plain thread here notices, and makes an end of this process even when nothing else in it
//! moves any more.

use std::io::{self, Read};
use std::time::Duration;

use crate::shutdown::Shutdown;

/// How long the worker may drain: a little longer than a drain may take by itself.
const DRAIN_MAX: Duration = Duration::from_millis(1_950);

/// Begins `shutdown` when standard input ends, and kills the process where it is still there two seconds later.
///
/// # Errors
/// Where no thread can be had.
pub fn leave_with_stdin(shutdown: Shutdown) -> io::Result<()> {
    resume_with_parent();
    std::thread::Builder::new().name("orphan".into()).stack_size(64 * 1024).spawn(move || {
        let mut buffer = [0; 64];
        while !matches!(io::stdin().read(&mut buffer), Ok(0) | Err(_)) {}
        shutdown.begin();
        std::thread::sleep(DRAIN_MAX);
        // SIGKILL instead of exit: exit runs handlers, which may wait for a thread that is stuck.
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    })?;
    Ok(())
}

/// A stopped process (SIGSTOP) notices nothing, so the kernel wakes it when its parent dies. SIGCONT does nothing to a
/// process that runs, which matters: the kernel sends it when the parent's *thread* ends, too.
#[cfg(target_os = "linux")]
fn resume_with_parent() {
    let signal = Some(rustix::process::Signal::CONT);
    if let Err(error) = rustix::process::set_parent_process_death_signal(signal) {
        tracing::debug!("a stopped worker will outlive its parent: {error}");
    }
}

#[cfg(not(target_os = "linux"))]
fn resume_with_parent() {}
