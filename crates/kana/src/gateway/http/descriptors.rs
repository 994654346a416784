//! How many connections do this process's file descriptors allow?
//!
//! The limit on open files is raised as far as the system lets. Where it stays short, fewer connections are accepted, so
//! that the queue's files and the pods' pipes find a descriptor, and a line in the log says so.

use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::{debug, warn};

use super::listener::PARTING_MAX;
use crate::gateway::config::Limits;

/// File descriptors for everything but connections: the queue's files, pipes to pods, the cluster, the health port; and the
/// connections that are refused.
const RESERVED: u64 = 192 + PARTING_MAX as u64;

/// Fewest connections with which a gateway is of use: a page with its event stream, a probe, some uploads.
const CONNECTIONS_MIN: u64 = 16;

/// Returns the limits with as many connections and event streams as there are descriptors for.
pub fn fit(limits: Limits) -> Limits {
    let wanted = limits.connections_max as u64 + RESERVED;
    let (fitted, available) = fitted(limits, raise(wanted));
    if fitted != limits {
        warn!(
            available,
            "this process may open {available} files, {wanted} are needed for {} connections: serving {} at once, and \
             {} event streams; raise the limit (ulimit -n)",
            limits.connections_max,
            fitted.connections_max,
            fitted.streams_max
        );
    }
    fitted
}

/// Fits the limits to a number of descriptors, which is returned again; `None` means without limit.
fn fitted(limits: Limits, descriptors: Option<u64>) -> (Limits, u64) {
    let Some(available) = descriptors else { return (limits, u64::MAX) };
    // Where even the reserve is short, half for connections keeps both going.
    let room = available.saturating_sub(RESERVED).max(available / 2).max(CONNECTIONS_MIN.min(available));
    let connections_max = limits.connections_max.min(usize::try_from(room).unwrap_or(usize::MAX));
    let fitted = Limits {
        connections_max,
        connections_per_client_max: limits.connections_per_client_max.min(connections_max),
        // An event stream keeps its connection: half are left for requests.
        streams_max: limits.streams_max.min(connections_max / 2).max(1),
        ..limits
    };
    (fitted, available)
}

/// Raises the limit on open files to `wanted`, as far as the system lets, and returns it; `None` means without limit.
fn raise(wanted: u64) -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
        let before = limit.current.replace(raised);
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            debug!(error = %error, "could not raise the number of open files");
            limit.current = before;
        }
    }
    limit.current
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_descriptors_leave_room_for_requests_beside_event_streams() {
        for available in [32, 64, 129, 256, 1_024, 1_000_000] {
            let (limits, _) = fitted(Limits::default(), Some(available));

            assert!(limits.streams_max < limits.connections_max, "{available}: {limits:?}");
            assert!(limits.connections_max >= 16 && limits.connections_max as u64 <= available, "{available}");
        }
    }

    #[test]
    fn enough_descriptors_change_nothing() {
        assert_eq!(fitted(Limits::default(), None).0, Limits::default());
        assert_eq!(fitted(Limits::default(), Some(4_096)).0, Limits::default());
    }
}
