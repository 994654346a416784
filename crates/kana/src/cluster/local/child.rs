//! How is one worker process run, from its start to its end?
//!
//! By one task for each child: it reads the one line that reports the child ready, forwards the child's log, probes its
//! health, sends the signals that stop it, and reports how it ended. Signals are sent only here, where it is known that
//! the process has not been reaped, so that none ever reaches another process with the same number.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::OptionFuture;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Split};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::pod_log::PodLog;
use super::probe;
use super::respawn::Exit;
use crate::pod::Stop;
use crate::telemetry;
use kana_queue::Cause;

/// Time that a child may take to become ready. A worker of the shipped model takes a tenth of a second.
const START_MAX: Duration = Duration::from_secs(30);

/// Time that a child may take to end after it was asked to: its own two seconds, and as many for a busy machine.
const GRACE: Duration = Duration::from_secs(4);

/// Number of last lines of the child's log that the log of its end has.
const TAIL_LINES: usize = 12;

/// Time that the rest of an ended child's log may take to arrive.
const LOG_DRAIN_MAX: Duration = Duration::from_millis(200);

/// A time that never comes, for the branches of a `select!` that have nothing to wait for.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Report of a child's task.
#[derive(Debug)]
pub enum Report {
    /// The child takes work.
    Ready,
    /// The child has ended; this is the last report.
    Ended {
        /// End of the child, as far as it matters to its successor.
        exit: Exit,
        /// Description of the end for people, as a predicate.
        how: String,
        /// The child's last lines.
        tail: Vec<String>,
    },
}

/// The line that a child writes to its standard output when it is ready.
#[derive(serde::Deserialize)]
struct Ready {
    listen: SocketAddr,
}

/// A running child process.
pub struct ChildProcess {
    name: String,
    child: Child,
    started: Instant,
    /// The child ends when this is closed, which the kernel does however this process ends.
    _stdin: Option<ChildStdin>,
    stdout: Split<BufReader<ChildStdout>>,
    stderr: Split<BufReader<ChildStderr>>,
    log: Arc<PodLog>,
    /// Address of the child's health routes; `None` until it is ready.
    health: Option<SocketAddr>,
    /// Reason why the child was killed by its own task.
    kill_reason: Option<&'static str>,
}

/// Command that starts a child. The arguments must start a worker that ends with its standard input.
pub struct Start<'a> {
    pub program: &'a Path,
    pub arguments: &'a [OsString],
    /// Variables that differ from this process's own; `None` removes one.
    pub environment: &'a [(OsString, Option<OsString>)],
}

/// Starts a child, whose log goes to `log` too.
///
/// # Errors
/// Where the program cannot be run.
pub fn start(name: &str, how: &Start<'_>, log: Arc<PodLog>) -> std::io::Result<ChildProcess> {
    let mut command = Command::new(how.program);
    command.args(how.arguments);
    for (name, value) in how.environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // A process group of its own: Ctrl-C on the terminal reaches only this process, which then stops its children.
    let mut child = command.process_group(0).spawn()?;
    let stdin = child.stdin.take();
    let stdout = child.stdout.take().expect("BUG: stdout was asked to be piped");
    let stderr = child.stderr.take().expect("BUG: stderr was asked to be piped");
    Ok(ChildProcess {
        name: name.to_owned(),
        child,
        started: Instant::now(),
        _stdin: stdin,
        stdout: BufReader::new(stdout).split(b'\n'),
        stderr: BufReader::new(stderr).split(b'\n'),
        log,
        health: None,
        kill_reason: None,
    })
}

impl ChildProcess {
    /// Returns the process number; `None` where the process has ended already.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Runs the child until it ends. `orders` stop it; `reports` receives what happens, with the child's name.
    pub async fn run(mut self, mut orders: mpsc::Receiver<Stop>, reports: mpsc::Sender<(String, Report)>) {
        let mut kill_at = self.started + START_MAX;
        let mut unhealthy = None;
        let (mut has_stdout, mut has_stderr) = (true, true);
        let status = loop {
            tokio::select! {
                status = self.child.wait() => break status,
                line = self.stdout.next_segment(), if has_stdout => match line {
                    Ok(Some(line)) => if let Some(health) = self.set_ready(&line) {
                        (kill_at, unhealthy) = (self.started + NEVER, Some(Box::pin(probe::until_unhealthy(health))));
                        let _ = reports.send((self.name.clone(), Report::Ready)).await;
                    },
                    _ => has_stdout = false,
                },
                line = self.stderr.next_segment(), if has_stderr => match line {
                    Ok(Some(line)) => self.forward(&line),
                    _ => has_stderr = false,
                },
                Some(order) = orders.recv() => {
                    self.stop(order);
                    (kill_at, unhealthy) = (Instant::now() + GRACE, None);
                }
                () = sleep_until(kill_at) => {
                    if self.health.is_none() {
                        self.kill_reason.get_or_insert("it was not ready in time");
                    }
                    self.signal(Signal::KILL);
                    kill_at = self.started + NEVER;
                }
                () = OptionFuture::from(unhealthy.as_mut()).map(drop), if unhealthy.is_some() => {
                    self.kill_reason.get_or_insert("it made no progress any more");
                    self.signal(Signal::KILL);
                    unhealthy = None;
                }
            }
        };
        while has_stderr && let Ok(Ok(Some(line))) = timeout(LOG_DRAIN_MAX, self.stderr.next_segment()).await {
            self.forward(&line);
        }
        let _ = reports.send((self.name.clone(), self.into_report(status))).await;
    }

    /// Marks the child as ready if this line reports it, and returns where the child serves its health the first time.
    fn set_ready(&mut self, line: &[u8]) -> Option<SocketAddr> {
        let ready = serde_json::from_slice::<Ready>(line).ok()?;
        self.health.replace(ready.listen).is_none().then_some(ready.listen)
    }

    /// Writes a line of the child's log to this process's own. It need not be text: the C library of a dying process
    /// writes the program's path as it is.
    fn forward(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line).into_owned();
        telemetry::forward(&line, &self.name);
        self.log.push(line);
    }

    fn stop(&self, order: Stop) {
        self.signal(match order {
            Stop::Delete | Stop::Evict => Signal::TERM,
            Stop::Kill => Signal::KILL,
        });
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        // Fails where the process has just ended by itself, which is what the signal was for.
        let _ = pid.map(|pid| kill_process(pid, signal));
    }

    fn into_report(self, status: std::io::Result<ExitStatus>) -> Report {
        let (cause, how) = match (self.kill_reason, status) {
            (Some(reason), _) => (Cause::Crashed, format!("was killed: {reason}")),
            (None, Ok(status)) => (cause(status), describe(status)),
            (None, Err(error)) => (Cause::Crashed, format!("could not be waited for: {error}")),
        };
        let exit = Exit { cause, was_ready: self.health.is_some(), age: self.started.elapsed() };
        Report::Ended { exit, how, tail: self.log.last(TAIL_LINES) }
    }
}

/// Returns the cause of the end of a child. SIGKILL, SIGTERM and SIGINT come from outside, and exit code 0 is no crash;
/// everything else counts as a crash.
fn cause(status: ExitStatus) -> Cause {
    let from_outside = [Signal::KILL, Signal::TERM, Signal::INT].map(|signal| Some(signal.as_raw()));
    match status.success() || from_outside.contains(&status.signal()) {
        true => Cause::Stopped,
        false => Cause::Crashed,
    }
}

/// Describes the end of a child, as a predicate.
fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was ended by signal {signal}"),
        (None, Some(0)) => "has ended".into(),
        (None, code) => format!("has failed with exit code {}", code.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_killed_from_outside_is_not_to_blame_and_one_that_crashed_is() {
        assert_eq!(cause(ExitStatus::from_raw(9)), Cause::Stopped);
        assert_eq!(cause(ExitStatus::from_raw(15)), Cause::Stopped);
        assert_eq!(cause(ExitStatus::from_raw(0)), Cause::Stopped);
        assert_eq!(cause(ExitStatus::from_raw(11)), Cause::Crashed);
        assert_eq!(cause(ExitStatus::from_raw(6)), Cause::Crashed);
        assert_eq!(cause(ExitStatus::from_raw(101 << 8)), Cause::Crashed);
    }
}
