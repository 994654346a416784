//! Who did what through this gateway, and with which result?
//!
//! Each act that changes pods, their number, dead letters or a job, and each look into a pod's log, leaves one line at
//! level info: the name of the token, the address that the request came from, the act and its result. All of these lines
//! are written here.

use std::fmt;
use std::future::Future;

use axum::http::Method;
use tracing::{field, info};

use super::http::auth::Caller;
use super::http::problem::Problem;
use super::view::{Range, Stop};
use kana_queue::job::JobId;

/// Longest path of a refused request that is logged, in characters: longer than any of ours.
const PATH_MAX: usize = 200;

/// Act that an operator wants to find in the log.
#[derive(Clone, Copy, Debug)]
pub enum Act<'a> {
    /// A pod is stopped in this way.
    StopPod(&'a str, Stop),
    /// The log of a pod is read.
    ReadLog(&'a str),
    /// The range of the number of pods is set.
    SetScale(Range),
    /// A dead letter is queued again.
    Replay(JobId),
    /// A dead letter is deleted.
    Discard(JobId),
    /// A waiting job is cancelled.
    Cancel(JobId),
}

impl Act<'_> {
    fn pod(&self) -> Option<String> {
        match self {
            Self::StopPod(pod, _) | Self::ReadLog(pod) => Some(printable(pod)),
            _ => None,
        }
    }

    fn job(&self) -> Option<JobId> {
        match self {
            Self::Replay(job) | Self::Discard(job) | Self::Cancel(job) => Some(*job),
            _ => None,
        }
    }
}

impl fmt::Display for Act<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StopPod(pod, how) => {
                let how = match how {
                    Stop::Delete => "delete",
                    Stop::Evict => "evict",
                    Stop::Kill => "kill",
                };
                write!(f, "stop pod {} by {how}", printable(pod))
            }
            Self::ReadLog(pod) => write!(f, "read the log of pod {}", printable(pod)),
            Self::SetScale(Range { min, max }) => write!(f, "set the scale to {min} to {max} pods"),
            Self::Replay(job) => write!(f, "replay dead letter {job}"),
            Self::Discard(job) => write!(f, "discard dead letter {job}"),
            Self::Cancel(job) => write!(f, "cancel job {job}"),
        }
    }
}

/// Does an act and records it with its result, also where the client goes away before there is one.
///
/// # Errors
/// Those of the act.
pub async fn record<T>(
    caller: &Caller,
    act: Act<'_>,
    doing: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    let mut entry = Entry { caller, act, result: None };
    let result = doing.await;
    entry.result = Some(match &result {
        Ok(_) => "done".into(),
        Err(problem) => said(problem),
    });
    result
}

/// Records that a request was refused because its token lacks the scope.
pub fn refused(caller: &Caller, method: &Method, path: &str, problem: &Problem) {
    write(caller, &format!("{method} {}", printable(path)), None, &said(problem));
}

/// An act whose line is written when it is over.
struct Entry<'a> {
    caller: &'a Caller,
    act: Act<'a>,
    /// The result; `None` while the act goes on.
    result: Option<String>,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let result = self.result.as_deref().unwrap_or("unknown: the client went away");
        write(self.caller, &self.act.to_string(), Some(&self.act), result);
    }
}

fn write(caller: &Caller, what: &str, act: Option<&Act<'_>>, result: &str) {
    let Caller { name, peer, forwarded, .. } = caller;
    let peer = peer.map_or("an unknown address".to_owned(), |peer| peer.0.to_string());
    let claim = forwarded.as_ref().map_or(String::new(), |claim| format!(" (X-Forwarded-For claims {claim})"));
    info!(
        token = %name,
        peer,
        forwarded_for = forwarded.as_ref().map(field::display),
        act = what,
        pod = act.and_then(Act::pod).map(field::display),
        job.id = act.and_then(Act::job).map(field::display),
        result,
        "audit: token {name} at {peer}{claim}: {what}: {result}"
    );
}

fn said(problem: &Problem) -> String {
    format!("status {}, {}", problem.status().as_u16(), problem.detail())
}

/// Shortens a text of the client, and escapes what would begin another line or colour the terminal.
fn printable(text: &str) -> String {
    text.chars().take(PATH_MAX).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_the_client_stays_within_its_line() {
        let act = Act::ReadLog("a\nb\u{1b}[31m");

        assert_eq!(act.to_string(), "read the log of pod a\\nb\\u{1b}[31m");
        assert!(Act::ReadLog(&"a".repeat(70_000)).to_string().len() < 300);
    }
}
