//! What does Redis do in one step?
//!
//! Each verb is one Lua function, so that it happens completely or not at all, whatever becomes of its caller. A
//! queue's prefix and limits are written into its functions, and their names say which ones those are: queues with
//! other limits, or of another kana, have others. Functions rather than scripts, because a script builds all that it
//! stands on anew at every call, which took longer than most calls themselves.

use std::fmt::Write as _;

use redis::{Cmd, cmd};

use crate::queue::Limits;

use super::address::Address;

/// May run where Redis is out of memory, because it makes room or must not be lost.
const ALWAYS: &str = "{'allow-oom'}";

/// Is refused where Redis is out of memory.
const UNLESS_FULL: &str = "{}";

/// Reads only.
const READS: &str = "{'no-writes'}";

/// Every function: its name, when it may run, and its body.
const FUNCTIONS: [(&str, &str, &str); 16] = [
    ("submit", UNLESS_FULL, include_str!("lua/submit.lua")),
    ("claim", ALWAYS, include_str!("lua/claim.lua")),
    ("aside", ALWAYS, include_str!("lua/aside.lua")),
    ("unclaim", ALWAYS, include_str!("lua/unclaim.lua")),
    ("extend", ALWAYS, include_str!("lua/extend.lua")),
    ("release", ALWAYS, include_str!("lua/release.lua")),
    ("settle", ALWAYS, include_str!("lua/settle.lua")),
    ("reclaim", ALWAYS, include_str!("lua/reclaim.lua")),
    ("sweep", ALWAYS, include_str!("lua/sweep.lua")),
    ("cancel", ALWAYS, include_str!("lua/cancel.lua")),
    ("discard", ALWAYS, include_str!("lua/discard.lua")),
    ("found", ALWAYS, include_str!("lua/found.lua")),
    ("replay", UNLESS_FULL, include_str!("lua/replay.lua")),
    ("statuses", READS, include_str!("lua/statuses.lua")),
    ("depth", READS, include_str!("lua/depth.lua")),
    ("bounds", READS, include_str!("lua/bounds.lua")),
];

/// Digits of the hash in a library's name: two of one Redis that differ never meet in them.
const HASH_DIGITS: usize = 12;

/// A queue's functions, and the keys that are used without them.
pub struct Scripts {
    /// What waits and runs. Every call names it, which tells a Redis Cluster where to go.
    pub jobs: String,
    /// Wakes workers that wait for new jobs when an old one comes back.
    pub nudges: String,
    /// What changed, for readers.
    pub changes: String,
    /// Dead letters.
    pub dead: String,
    /// The library's name.
    name: String,
    code: String,
}

impl Scripts {
    /// The functions of the queue at `address`.
    pub fn new(address: &Address, limits: &Limits) -> Self {
        let root = format!("{{{}}}", address.prefix);
        let mut body = format!("local ROOT, JOBS_MAX = '{root}', {}\n", limits.jobs_max);
        let Limits { lease, attempts_max, claims_max, outcome_ttl, dead_ttl, .. } = limits;
        let (lease, outcome_ttl, dead_ttl) = (lease.as_millis(), outcome_ttl.as_millis(), dead_ttl.as_millis());
        let line = format!("local LEASE, ATTEMPTS_MAX, CLAIMS_MAX = {lease}, {attempts_max}, {claims_max}\n");
        body.push_str(&line);
        body.push_str(&format!("local OUTCOME_TTL, DEAD_TTL = {outcome_ttl}, {dead_ttl}\n"));
        let mut functions = [include_str!("lua/base.lua"), include_str!("lua/ends.lua")].concat();
        for (name, flags, code) in FUNCTIONS {
            writeln!(functions, "register('{name}', {flags}, function(ARGV)\n{code}end)")
                .expect("BUG: writing to a string cannot fail");
        }
        let hash = redis::Script::new(&[body.as_str(), &functions].concat()).get_hash()[..HASH_DIGITS].to_owned();
        let name = format!("kana_{hash}");
        let code = format!("#!lua name={name}\nlocal PREFIX = '{name}_'\n{body}{functions}");
        Self {
            jobs: format!("{root}:jobs"),
            nudges: format!("{root}:nudges"),
            changes: format!("{root}:changes"),
            dead: format!("{root}:dead"),
            name,
            code,
        }
    }

    /// The call of a function, to which its arguments are added.
    pub fn call(&self, function: &'static str) -> Cmd {
        let mut call = cmd("FCALL");
        call.arg(format!("{}_{function}", self.name)).arg(1).arg(&self.jobs);
        call
    }

    /// What makes Redis know every function.
    pub fn load(&self) -> Cmd {
        let mut load = cmd("FUNCTION");
        load.arg("LOAD").arg("REPLACE").arg(&self.code);
        load
    }
}
