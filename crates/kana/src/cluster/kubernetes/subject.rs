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
        self.is_amiss(refusal(error, act), "could not watch them, trying again");
    }

    /// It was looked at; this is what was seen.
    pub fn was_seen(&self, what: String, took: Duration) {
        self.board.console(self.look.clone(), what, took);
    }

    fn is_amiss(&self, error: Error, what: &str) {
        if self.board.set_trouble(self.part, &error) {
            self.board.console(self.look.clone(), format!("error: {error}"), Duration::ZERO);
            let error = anyhow::Error::from(error);
            warn!("{} in namespace {}: {what}: {error:#}", self.resource, self.namespace);
        }
    }
}

/// A watched object of which there is one, or none.
pub struct Single {
    subject: Subject,
    name: String,
    /// What is wrong with it, that it is not there included.
    amiss: Option<String>,
}

impl Single {
    /// The one of this name, of which nothing is known yet.
    pub fn new(subject: Subject, name: String) -> Self {
        Self { subject, name, amiss: None }
    }

    /// What is news of it: `Some(None)` where it is not there. `objection` is what a person should know of one that is.
    pub fn hear<K>(&mut self, heard: Heard<K>, objection: impl Fn(&K) -> Option<String>) -> Option<Option<K>> {
        match heard {
            Heard::All(objects, _) => Some(self.stands(objects.into_iter().next(), objection)),
            Heard::Changed(object) => Some(self.stands(Some(object), objection)),
            Heard::Gone(_) => Some(self.stands(None, objection)),
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

    fn stands<K>(&mut self, object: Option<K>, objection: impl Fn(&K) -> Option<String>) -> Option<K> {
        let Subject { resource, namespace, .. } = &self.subject;
        self.amiss = match &object {
            Some(object) => objection(object),
            None => Some(format!("there is no {resource} {} in namespace {namespace}", self.name)),
        };
        self.judge();
        object
    }

    /// That it can be watched is no comfort where something is wrong with it.
    fn judge(&self) {
        match &self.amiss {
            None => self.subject.is_well(),
            Some(reason) => {
                let reason = reason.clone();
                self.subject.is_amiss(Error::Misconfigured { reason }, "found something amiss, watching on");
            }
        }
    }
}
