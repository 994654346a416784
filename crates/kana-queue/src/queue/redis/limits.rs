//! Do the processes of one queue agree on its limits?
//!
//! The queue has them in `state`, and every call goes by those, whoever makes it. A process that has others is refused by
//! name when it connects, so that nobody believes in limits that are not in force. Limits are changed by a process that
//! connects when nobody has used the queue for half a minute, or once an operator has deleted the field `limits` of
//! `state`; processes that were let in before follow.

use std::time::Duration;

use redis::Value;

use crate::queue::Limits;

use super::functions::LAYOUT;
use super::reply::Reply;

/// A limit by its name in `state`, its value there, and the flag that sets it.
type Named = (&'static str, u64, &'static str);

/// What became of a process that opened a queue.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened {
    /// The process goes by its own limits, which are the queue's.
    Open,
    /// The process was let in before, and goes by the queue's limits, which are others now: how they differ.
    Follows(String),
    /// The process's limits are the queue's from now on: how those before differed.
    Replaced(String),
}

/// Why a process was refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The process has other limits.
    #[error(
        "the queue at {server} has {difference}: give every process of it the same {flags}, or change the limits as docs/operations.md says"
    )]
    Limits { server: String, difference: String, flags: String },
    /// The queue was written by a version that stores it in another way.
    #[error(
        "the queue at {server} has layout {layout} and this kana writes layout {LAYOUT}: use the version that wrote it, or another prefix"
    )]
    Layout { server: String, layout: String },
}

fn named(limits: &Limits) -> [Named; 7] {
    let Limits { jobs_max, lease, attempts_max, claims_max, outcome_ttl, dead_ttl, dead_max } = *limits;
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    [
        ("jobs_max", count(jobs_max), "--jobs-max"),
        ("lease", millis(lease), "--lease"),
        ("attempts_max", attempts_max.into(), "--attempts-max"),
        // Follows from the attempts.
        ("claims_max", claims_max.into(), "--attempts-max"),
        ("outcome_ttl", millis(outcome_ttl), "--outcome-ttl"),
        ("dead_ttl", millis(dead_ttl), "--dead-ttl"),
        ("dead_max", count(dead_max), "--dead-max"),
    ]
}

/// The limits as `state` has them, times in milliseconds.
pub fn text(limits: &Limits) -> String {
    named(limits).map(|(name, value, _)| format!("{name}={value}")).join(" ")
}

/// Reads the answer of `open` to a process with these limits; `None` where it is of another shape.
pub fn opened(answer: Value, limits: &Limits, server: &str) -> Option<Result<Opened, Refusal>> {
    let mut words = answer.array()?.into_iter().map(Reply::bytes);
    let word = words.next()??;
    let mut value = || words.next().flatten().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Some(match word.as_slice() {
        b"open" => Ok(Opened::Open),
        b"follows" => Ok(Opened::Follows(difference(&value()?, limits).0)),
        b"replaced" => Ok(Opened::Replaced(difference(&value()?, limits).0)),
        b"limits" => {
            let (difference, flags) = difference(&value()?, limits);
            Err(Refusal::Limits { server: server.to_owned(), difference, flags })
        }
        b"layout" => Err(Refusal::Layout { server: server.to_owned(), layout: value()? }),
        _ => return None,
    })
}

/// How the limits of a queue, as `state` has them, differ from those of this process, and the flags that set them.
fn difference(queue: &str, own: &Limits) -> (String, String) {
    let queue: Vec<(&str, &str)> = queue.split(' ').filter_map(|limit| limit.split_once('=')).collect();
    let (mut differences, mut flags) = (Vec::new(), Vec::new());
    for (name, own, flag) in named(own) {
        let theirs = queue.iter().find(|(other, _)| *other == name).and_then(|(_, value)| value.parse().ok());
        if let Some(theirs) = theirs.filter(|theirs| *theirs != own) {
            let (theirs, own) = (shown(name, theirs), shown(name, own));
            differences.push(format!("{name} {theirs} and this process {own}"));
            if !flags.contains(&flag) {
                flags.push(flag);
            }
        }
    }
    (differences.join(", "), flags.join(", "))
}

fn shown(name: &str, value: u64) -> String {
    match name {
        "lease" | "outcome_ttl" | "dead_ttl" => format!("{:?}", Duration::from_millis(value)),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_each_limit_that_differs_with_both_values_and_its_flag() {
        let own = Limits { lease: Duration::from_secs(5), ..Limits::default() };
        let queue = text(&Limits { jobs_max: 7, ..Limits::default() });
        let answer = Value::Array(vec![Value::SimpleString("limits".into()), Value::SimpleString(queue)]);

        let refusal = opened(answer, &own, "redis://there").expect("an answer").expect_err("a refusal").to_string();

        let says = "the queue at redis://there has jobs_max 7 and this process 10000, lease 6s and this process 5s: \
                    give every process of it the same --jobs-max, --lease";
        assert!(refusal.starts_with(says), "{refusal}");
    }

    #[test]
    fn a_limit_that_the_queue_does_not_know_is_no_difference() {
        let (difference, flags) = difference("jobs_max=10000 colour=7", &Limits::default());

        assert_eq!((difference.as_str(), flags.as_str()), ("", ""));
    }
}
