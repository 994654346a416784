//! What does Redis do in one step?
//!
//! Each verb is one Lua function, so that it happens completely or not at all, whatever becomes of its caller. A
//! queue's prefix, limits and other constants are written into its functions, and their names contain a hash of all of
//! it: queues with other limits, or of another kana, have others, so that two versions work side by side during an update.
//! `state` says when each library was last used; whoever loads one removes those of its queue that nobody used for a day.
//! Functions rather than scripts, because a script
//! builds all that it stands on anew at every call, which took longer than most calls themselves.

use std::fmt::Write as _;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisError, Value, cmd};
use tracing::info;

use crate::queue::Limits;
use crate::queue::rules::{LOST_PER_JOB_MAX, RUNS_MAX, SILENCE};
use crate::worker_id;

use super::address::Address;
use super::limits;
use super::reply::{Reply, field};

/// The consumer group that all workers read in.
pub const GROUP: &str = "workers";

/// Entries kept in the stream of changes, at least: a reader further behind learns that it missed some.
pub const CHANGES_KEPT: usize = 4_000;

/// Jobs in one entry of the stream of changes, at most.
pub const EVENTS_MAX: usize = 100;

/// The version of what is stored, as `encoding` and the names of keys say: another one is refused.
pub const LAYOUT: u64 = 1;

/// May run where Redis is out of memory, because it makes room or must not be lost.
const ALWAYS: &str = "{'allow-oom'}";

/// Is refused where Redis is out of memory.
const UNLESS_FULL: &str = "{}";

/// Reads only.
const READS: &str = "{'no-writes'}";

/// The code that every function uses.
const SHARED: [&str; 2] = [include_str!("lua/prelude.lua"), include_str!("lua/transitions.lua")];

/// A Lua function of the library.
struct Function {
    name: &'static str,
    /// When Redis may run it.
    flags: &'static str,
    body: &'static str,
}

macro_rules! functions {
    ($($name:ident $flags:ident)*) => {
        [$(Function {
            name: stringify!($name),
            flags: $flags,
            body: include_str!(concat!("lua/", stringify!($name), ".lua")),
        }),*]
    };
}

const FUNCTIONS: [Function; 21] = functions! {
    submit UNLESS_FULL
    claim ALWAYS
    claim_rest ALWAYS
    release_alone ALWAYS
    release_undelivered ALWAYS
    extend ALWAYS
    release ALWAYS
    settle ALWAYS
    reclaim ALWAYS
    sweep ALWAYS
    cancel ALWAYS
    discard ALWAYS
    open ALWAYS
    unused_libraries ALWAYS
    replay UNLESS_FULL
    statuses READS
    depth READS
    change_range READS
    image READS
    lost READS
    runs READS
};

/// Time after which a library that nobody used is removed. An update replaces every process within this, and what is
/// removed too early is loaded again by whoever still uses it.
const UNUSED_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Digits of the hash in a library's name: two of one Redis that differ never share them.
const HASH_DIGITS: usize = 12;

/// A queue's functions, and the keys that are used without them.
pub struct Functions {
    /// The stream of what waits and runs. Every call names it, which tells a Redis Cluster where to go.
    pub jobs: String,
    /// The stream that wakes workers who wait for new jobs when an old one comes back.
    pub nudges: String,
    /// The stream of changes, for readers.
    pub changes: String,
    /// The stream of dead letters.
    pub dead: String,
    /// The library's name.
    name: String,
    /// What the code of every library of this queue contains, and of no other: a part of the line that defines ROOT.
    mark: String,
    code: String,
}

impl Functions {
    /// The functions of the queue at `address`.
    pub fn new(address: &Address, limits: &Limits) -> Self {
        let root = format!("{{{}}}", address.prefix);
        let mut code = constants(&root, limits) + &SHARED.concat();
        for Function { name, flags, body } in FUNCTIONS {
            writeln!(code, "register('{name}', {flags}, function(ARGV)\n{body}end)")
                .expect("BUG: writing to a string cannot fail");
        }
        let hash = redis::Script::new(&code).get_hash()[..HASH_DIGITS].to_owned();
        let name = format!("kana_{hash}");
        let code = format!("#!lua name={name}\nlocal LIBRARY = '{name}'\n{code}");
        Self {
            mark: format!("= '{root}', "),
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

    /// The call that opens the queue, for a process that was let in before or was not.
    pub fn open(&self, was_let_in: bool) -> Cmd {
        let mut open = self.call("open");
        open.arg(u8::from(was_let_in));
        open
    }

    /// The command that makes Redis know every function.
    pub fn load(&self) -> Cmd {
        let mut load = cmd("FUNCTION");
        load.arg("LOAD").arg("REPLACE").arg(&self.code);
        load
    }

    /// Removes the libraries of this queue that nobody used for a day: those of other versions and other limits.
    pub async fn remove_unused_libraries(
        &self,
        mut connection: MultiplexedConnection,
        server: &str,
    ) -> Result<(), RedisError> {
        let listed: Value = self.list().query_async(&mut connection).await?;
        let Some(call) = self.unused_libraries(listed) else { return Ok(()) };
        let unused: Vec<String> = call.query_async(&mut connection).await?;
        for library in unused {
            forget(&library).exec_async(&mut connection).await?;
            info!(server, library, "removed the library {library} from {server}: unused for a day");
        }
        Ok(())
    }

    /// The command that lists the libraries of every queue of kana, with their code.
    fn list(&self) -> Cmd {
        let mut list = cmd("FUNCTION");
        list.arg("LIST").arg("LIBRARYNAME").arg("kana_*").arg("WITHCODE");
        list
    }

    /// The call that answers which libraries of this queue may go, where `listed` is the answer to [`list`](Self::list).
    fn unused_libraries(&self, listed: Value) -> Option<Cmd> {
        let mut call = self.call("unused_libraries");
        call.arg(u64::try_from(UNUSED_MAX.as_millis()).unwrap_or(u64::MAX)).arg(marked(listed, &self.mark)?);
        Some(call)
    }
}

/// Reads the answer to [`Functions::list`]: the names of the libraries whose code contains `mark`.
fn marked(answer: Value, mark: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for library in answer.array()? {
        let mut library = library.array()?;
        let (name, code) = (field(&mut library, "library_name")?, field(&mut library, "library_code")?);
        if String::from_utf8_lossy(&code).contains(mark) {
            names.push(String::from_utf8(name).ok()?);
        }
    }
    Some(names)
}

/// The command that makes Redis forget a library. Whoever still uses it loads it again.
fn forget(library: &str) -> Cmd {
    let mut forget = cmd("FUNCTION");
    forget.arg("DELETE").arg(library);
    forget
}

/// The Lua lines that define what Rust and Lua share, times in milliseconds.
fn constants(root: &str, limits: &Limits) -> String {
    let (silence, separator, limits) = (SILENCE.as_millis(), worker_id::SEPARATOR, limits::text(limits));
    format!(
        "local ROOT, LAYOUT = '{root}', {LAYOUT}\n\
         local OWN_LIMITS, SILENCE = '{limits}', {silence}\n\
         local GROUP, CHANGES_KEPT, EVENTS_MAX = '{GROUP}', {CHANGES_KEPT}, {EVENTS_MAX}\n\
         local WORKER_SEPARATOR = '{separator}'\n\
         local LOST_PER_JOB_MAX, RUNS_MAX = {LOST_PER_JOB_MAX}, {RUNS_MAX}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn functions(limits: Limits) -> Functions {
        Functions::new(&"redis://localhost".parse().expect("an address"), &limits)
    }

    #[test]
    fn a_library_with_other_constants_has_another_name() {
        let limits = Limits::default();

        let (one, same) = (functions(limits), functions(limits));
        let other = functions(Limits { jobs_max: limits.jobs_max + 1, ..limits });

        assert_eq!(one.name, same.name);
        assert_ne!(one.name, other.name);
    }
}
