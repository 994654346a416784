//! What does Redis do in one step?
//!
//! Each verb is one Lua script, so that it happens completely or not at all, whatever becomes of its caller. A queue's
//! prefix and limits are written into its scripts, and a script's hash names it: queues with other limits have others.

use redis::{Cmd, cmd};

use crate::queue::Limits;

use super::address::Address;

/// May run where Redis is out of memory, because it makes room or must not be lost.
const ALWAYS: &str = "#!lua flags=allow-oom";

/// Is refused where Redis is out of memory.
const UNLESS_FULL: &str = "#!lua";

/// Reads only.
const READS: &str = "#!lua flags=no-writes";

/// One script of one queue.
pub struct Script {
    code: String,
    hash: String,
}

/// A queue's scripts.
pub struct Scripts {
    /// The key that every script names, which tells a Redis Cluster where to run it.
    pub jobs: String,
    /// Wakes workers that wait for new jobs when an old one comes back.
    pub nudges: String,
    /// What changed, for readers.
    pub changes: String,
    /// Dead letters.
    pub dead: String,
    pub submit: Script,
    pub claim: Script,
    pub aside: Script,
    pub unclaim: Script,
    pub extend: Script,
    pub release: Script,
    pub settle: Script,
    pub abandon: Script,
    pub sweep: Script,
    pub statuses: Script,
    pub cancel: Script,
    pub depth: Script,
    pub replay: Script,
    pub discard: Script,
    pub bounds: Script,
    pub found: Script,
}

impl Scripts {
    /// The scripts of the queue at `address`.
    pub fn new(address: &Address, limits: &Limits) -> Self {
        let root = format!("{{{}}}", address.prefix);
        let names = [
            format!("ROOT, JOBS_MAX = '{root}', {}", limits.jobs_max),
            format!(
                "LEASE, ATTEMPTS_MAX, CLAIMS_MAX = {}, {}, {}",
                limits.lease.as_millis(),
                limits.attempts_max,
                limits.claims_max
            ),
            format!("OUTCOME_TTL, DEAD_TTL = {}, {}", limits.outcome_ttl.as_millis(), limits.dead_ttl.as_millis()),
        ];
        let names: String = names.iter().map(|name| format!("local {name} ")).collect();
        let base =
            |flags: &str, body: &str| Script::new([flags, &names, include_str!("lua/base.lua"), body].join("\n"));
        let ends = |body: &str| base(ALWAYS, &[include_str!("lua/ends.lua"), body].join("\n"));
        Self {
            jobs: format!("{root}:jobs"),
            nudges: format!("{root}:nudges"),
            changes: format!("{root}:changes"),
            dead: format!("{root}:dead"),
            submit: base(UNLESS_FULL, include_str!("lua/submit.lua")),
            claim: ends(include_str!("lua/claim.lua")),
            aside: ends(include_str!("lua/aside.lua")),
            unclaim: ends(include_str!("lua/unclaim.lua")),
            extend: ends(include_str!("lua/extend.lua")),
            release: ends(include_str!("lua/release.lua")),
            settle: ends(include_str!("lua/settle.lua")),
            abandon: ends(include_str!("lua/abandon.lua")),
            sweep: ends(include_str!("lua/sweep.lua")),
            statuses: base(READS, include_str!("lua/statuses.lua")),
            cancel: ends(include_str!("lua/cancel.lua")),
            depth: base(READS, include_str!("lua/depth.lua")),
            replay: base(UNLESS_FULL, include_str!("lua/replay.lua")),
            discard: base(ALWAYS, include_str!("lua/discard.lua")),
            bounds: base(READS, include_str!("lua/bounds.lua")),
            found: base(ALWAYS, include_str!("lua/found.lua")),
        }
    }

    /// The call of a script, to which its arguments are added.
    pub fn call(&self, script: &Script) -> Cmd {
        let mut call = cmd("EVALSHA");
        call.arg(&script.hash).arg(1).arg(&self.jobs);
        call
    }

    /// What makes Redis know every script.
    pub fn load(&self) -> redis::Pipeline {
        let mut pipeline = redis::pipe();
        for script in [
            &self.submit,
            &self.claim,
            &self.aside,
            &self.unclaim,
            &self.extend,
            &self.release,
            &self.settle,
            &self.abandon,
            &self.sweep,
            &self.statuses,
            &self.cancel,
            &self.depth,
            &self.replay,
            &self.discard,
            &self.bounds,
            &self.found,
        ] {
            pipeline.cmd("SCRIPT").arg("LOAD").arg(&script.code);
        }
        pipeline
    }
}

impl Script {
    fn new(code: String) -> Self {
        let hash = redis::Script::new(&code).get_hash().to_owned();
        Self { code, hash }
    }
}
