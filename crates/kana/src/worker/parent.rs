//! How does a worker end when the process that started it has ended?
//!
//! `kana up` holds the other end of its workers' standard input and never writes to it. However `kana up` ends, the
//! kernel closes that end. A plain thread here notices, and ends this process even when its reactor is stuck.

use std::io::{self, Read};
use std::time::Duration;

use crate::shutdown::Shutdown;

/// Time that the worker has to drain: a little longer than a drain takes at most.
const DRAIN_MAX: Duration = Duration::from_millis(1_950);

/// Begins `shutdown` when standard input ends, and kills this process if it is still there two seconds later.
///
/// # Errors
/// Where no thread can be started.
#[expect(clippy::disallowed_methods, reason = "sleeps on a thread of its own, because the reactor may be stuck")]
pub fn exit_with_stdin(shutdown: Shutdown) -> io::Result<()> {
    resume_with_parent();
    std::thread::Builder::new().name("parent".into()).stack_size(64 * 1024).spawn(move || {
        let mut buffer = [0; 64];
        while !matches!(io::stdin().read(&mut buffer), Ok(0) | Err(_)) {}
        shutdown.begin_because("the service that started this worker has ended");
        std::thread::sleep(DRAIN_MAX);
        // SIGKILL instead of exit: exit runs handlers, which may wait for a thread that is stuck.
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    })?;
    Ok(())
}

/// Asks the kernel for a SIGCONT when the parent dies, because a stopped process (SIGSTOP) notices nothing. SIGCONT
/// does nothing to a running process, which matters: the kernel sends it when the parent's *thread* ends, too.
#[cfg(target_os = "linux")]
fn resume_with_parent() {
    let signal = Some(rustix::process::Signal::CONT);
    if let Err(error) = rustix::process::set_parent_process_death_signal(signal) {
        tracing::debug!(error = %error, "could not ask for a signal at the parent's death; a stopped worker outlives it");
    }
}

#[cfg(not(target_os = "linux"))]
fn resume_with_parent() {}
