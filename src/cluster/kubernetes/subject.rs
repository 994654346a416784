//! What is made of a watch's own fortunes?
//!
//! They go on the board, on the console and into the log, each once when it begins and once when it ends, however often
//! the watch is tried in between.

use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::board::{Board, Part};
use super::refusal::{Act, refusal};
use super::watch::Heard;
use crate::pod::Error;

/// A watched thing.
pub struct Subject {
    /// Where it goes on the board.
    pub part: Part,
    /// Its kind, as roles name it.
    pub resource: String,
    /// Where it lives.
    pub namespace: String,
    /// What shows the same by hand.
    pub look: String,
    /// Where it is told.
    pub board: Arc<Board>,
}

impl Subject {
    /// It can be watched.
    pub fn is_well(&self) {
        if self.board.set_well(self.part) {
            info!("{} in namespace {} can be watched again", self.resource, self.namespace);
        }
    }

    /// It cannot be watched, and will be tried again.
    pub fn is_troubled(&self, verb: &'static str, error: kube::Error) {
        let act = Act { verb, resource: &self.resource, namespace: &self.namespace };
        self.is_amiss(refusal(error, act), "could not watch");
    }

    /// It was looked at; this is what was seen.
    pub fn was_seen(&self, what: String, took: Duration) {
        self.board.console(self.look.clone(), what, took);
    }

    fn is_amiss(&self, error: Error, what: &str) {
        if self.board.set_trouble(self.part, &error) {
            self.board.console(self.look.clone(), format!("error: {error}"), Duration::ZERO);
            let error = anyhow::Error::from(error);
            warn!("{what} {} in namespace {}, trying again: {error:#}", self.resource, self.namespace);
        }
    }
}

/// A watched object of which there is one, or none.
pub struct Single {
    subject: Subject,
    name: String,
    is_there: bool,
}

impl Single {
    /// The one of this name, of which nothing is known yet.
    pub fn new(subject: Subject, name: String) -> Self {
        Self { subject, name, is_there: true }
    }

    /// What is news of it: `Some(None)` where it is not there.
    pub fn hear<K>(&mut self, heard: Heard<K>) -> Option<Option<K>> {
        match heard {
            Heard::All(objects, _) => Some(self.stands(objects.into_iter().next())),
            Heard::Changed(object) => Some(self.stands(Some(object))),
            Heard::Gone(_) => Some(self.stands(None)),
            Heard::Well => {
                self.judge();
                None
            }
            Heard::Trouble { verb, error } => {
                self.subject.is_troubled(verb, error);
                None
            }
        }
    }

    fn stands<K>(&mut self, object: Option<K>) -> Option<K> {
        self.is_there = object.is_some();
        self.judge();
        object
    }

    /// That it can be watched is no comfort where it is missing.
    fn judge(&self) {
        let Subject { resource, namespace, .. } = &self.subject;
        if self.is_there {
            self.subject.is_well();
        } else {
            let reason = format!("there is no {resource} {} in namespace {namespace}", self.name);
            self.subject.is_amiss(Error::Misconfigured { reason }, "missed what is watched:");
        }
    }
}
