//! How does one worker process live and end?
//!
//! A task a child: it hears the one line that says "ready", passes the child's log on, asks after its health, carries
//! out orders to end it, and reports how it ended. Signals are sent here alone, where it is known that the process has
//! not been reaped, so that none ever reaches another process of the same number.

use std::collections::VecDeque;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use futures::FutureExt;
use futures::future::OptionFuture;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::probe;
use super::respawn::Death;
use crate::pod::Stop;
use kana_queue::Cause;

/// How long a child may take to become ready. A worker of the shipped model takes a tenth of a second.
const START_MAX: Duration = Duration::from_secs(30);

/// How long a child that was asked to end may take: its own two seconds, and as many for a busy machine.
const GRACE: Duration = Duration::from_secs(4);

/// How many of a child's last lines are kept for its obituary.
const TAIL_LINES: usize = 12;

/// How long the rest of a dead child's log may take to arrive.
const LAST_WORDS_MAX: Duration = Duration::from_millis(200);

/// A moment that never comes, for the branches of a `select!` that have nothing to wait for.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What a child's task says of it.
#[derive(Debug)]
pub enum Report {
    /// It takes work.
    Ready,
    /// It has ended, and nothing more will be said.
    Ended {
        /// What its successor must know.
        death: Death,
        /// How it ended, for people.
        how: String,
        /// Its last lines.
        tail: Vec<String>,
    },
}

/// A line of the child's standard output that it speaks when it is ready.
#[derive(serde::Deserialize)]
struct Ready {
    listen: SocketAddr,
}

/// A running child and what is known of it.
pub struct Life {
    name: String,
    child: Child,
    born: Instant,
    // The child ends when this is closed, which the kernel does however this process ends.
    _stdin: Option<ChildStdin>,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Lines<BufReader<ChildStderr>>,
    tail: VecDeque<String>,
    health: Option<SocketAddr>,
    /// Ended for a fault of its own.
    condemned: Option<&'static str>,
}

/// How a child is started. Its arguments make it a worker that ends with its standard input.
pub struct Start<'a> {
    pub program: &'a Path,
    pub arguments: &'a [String],
    /// What nobody may read in a list of processes.
    pub environment: &'a [(String, String)],
}

/// Starts a child.
///
/// # Errors
/// Where the program cannot be run.
pub fn start(name: &str, how: &Start<'_>) -> std::io::Result<Life> {
    let mut command = Command::new(how.program);
    command.args(how.arguments).envs(how.environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // A group of its own: Ctrl-C on the terminal is for this process, which ends its children in order.
    let mut child = command.process_group(0).spawn()?;
    let stdin = child.stdin.take();
    let stdout = child.stdout.take().expect("BUG: stdout was asked to be piped");
    let stderr = child.stderr.take().expect("BUG: stderr was asked to be piped");
    Ok(Life {
        name: name.to_owned(),
        child,
        born: Instant::now(),
        _stdin: stdin,
        stdout: BufReader::new(stdout).lines(),
        stderr: BufReader::new(stderr).lines(),
        tail: VecDeque::new(),
        health: None,
        condemned: None,
    })
}

impl Life {
    /// Its process number; `None` where it has ended already.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Lives it to its end. Orders end with `orders`; reports go to `reports` under the child's name.
    pub async fn live(mut self, mut orders: mpsc::Receiver<Stop>, reports: mpsc::Sender<(String, Report)>) {
        let mut kill_at = self.born + START_MAX;
        let mut ailing = None;
        let (mut listens, mut logs) = (true, true);
        let status = loop {
            tokio::select! {
                status = self.child.wait() => break status,
                line = self.stdout.next_line(), if listens => match line {
                    Ok(Some(line)) => if let Some(health) = self.hear(&line) {
                        (kill_at, ailing) = (self.born + NEVER, Some(Box::pin(probe::until_ailing(health))));
                        let _ = reports.send((self.name.clone(), Report::Ready)).await;
                    },
                    _ => listens = false,
                },
                line = self.stderr.next_line(), if logs => match line {
                    Ok(Some(line)) => self.log(line),
                    _ => logs = false,
                },
                Some(order) = orders.recv() => {
                    self.obey(order);
                    (kill_at, ailing) = (Instant::now() + GRACE, None);
                }
                () = sleep_until(kill_at) => {
                    if self.health.is_none() {
                        self.condemned.get_or_insert("it was not ready in time");
                    }
                    self.signal(Signal::KILL);
                    kill_at = self.born + NEVER;
                }
                () = OptionFuture::from(ailing.as_mut()).map(drop), if ailing.is_some() => {
                    self.condemned.get_or_insert("it made no progress any more");
                    self.signal(Signal::KILL);
                    ailing = None;
                }
            }
        };
        while logs && let Ok(Ok(Some(line))) = timeout(LAST_WORDS_MAX, self.stderr.next_line()).await {
            self.log(line);
        }
        let _ = reports.send((self.name.clone(), self.obituary(status))).await;
    }

    /// Where the child serves its health, if this line is the one that says so and that it is ready.
    fn hear(&mut self, line: &str) -> Option<SocketAddr> {
        let ready = serde_json::from_str::<Ready>(line).ok()?;
        self.health.replace(ready.listen).is_none().then_some(ready.listen)
    }

    fn log(&mut self, line: String) {
        // Nobody may be reading this process's log any more, which is no reason to end it.
        let _ = writeln!(std::io::stderr(), "{line}");
        self.tail.push_back(line);
        if self.tail.len() > TAIL_LINES {
            self.tail.pop_front();
        }
    }

    fn obey(&mut self, order: Stop) {
        self.signal(match order {
            Stop::Delete | Stop::Evict => Signal::TERM,
            Stop::Kill => Signal::KILL,
        });
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        // It may have ended by itself a moment ago; then it is gone already, as wanted.
        let _ = pid.map(|pid| kill_process(pid, signal));
    }

    fn obituary(self, status: std::io::Result<ExitStatus>) -> Report {
        let (cause, how) = match (self.condemned, status) {
            (Some(fault), _) => (Cause::Crashed, format!("was killed: {fault}")),
            (None, Ok(status)) => (cause(status), end(status)),
            (None, Err(error)) => (Cause::Crashed, format!("could not be waited for: {error}")),
        };
        let death = Death { cause, was_ready: self.health.is_some(), age: self.born.elapsed() };
        Report::Ended { death, how, tail: self.tail.into() }
    }
}

/// SIGKILL and SIGTERM come from outside, and an exit in order is no crash; everything else is the child's own doing.
fn cause(status: ExitStatus) -> Cause {
    let from_outside = [Signal::KILL, Signal::TERM, Signal::INT].map(|signal| Some(signal.as_raw()));
    match status.success() || from_outside.contains(&status.signal()) {
        true => Cause::Stopped,
        false => Cause::Crashed,
    }
}

fn end(status: ExitStatus) -> String {
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
