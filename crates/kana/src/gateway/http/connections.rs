//! Which connection is closed when there is no room for another one?
//!
//! The one whose client has kept the gateway waiting for longest: idle between two requests, in the middle of a head or
//! a body, or not reading its response. A connection that the gateway works for is never closed for another, nor one whose
//! client has had no time to answer: where there is no other, the new one is refused, with an answer. An address has a
//! share of the connections, so that one client cannot take them all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::peer::Peer;

/// Time that a client has to send before its connection may be closed for another: a round trip to the other side of the
/// earth. Without it, every further connection of a client with too many cuts off one whose request is under way.
const ROUND_TRIP: Duration = Duration::from_millis(250);

/// Open connections, with the limits on their number. A client is an address, or a network (`Peer::client`).
pub struct Connections {
    open: Mutex<Vec<Arc<Connection>>>,
    room: Room,
}

/// Limits on the number of open connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Largest number of open connections.
    pub connections_max: usize,
    /// Largest number of open connections of one client.
    pub per_client_max: usize,
}

/// Reason why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// All connections are being worked for, or new. Answered by 503.
    Full,
    /// All connections of this address are being worked for, or new. Answered by 429.
    ClientFull,
}

/// A connection that was let in.
pub struct Admission {
    /// The connection; it is open until it is dropped here and by its exchanges.
    pub connection: Arc<Connection>,
    /// Whether another connection was closed for it.
    pub has_evicted: bool,
}

/// State of an open connection.
pub struct Connection {
    peer: Peer,
    evicted: CancellationToken,
    activity: Mutex<Activity>,
}

/// What the gateway does for a connection, and since when.
struct Activity {
    /// Requests that have begun and not ended.
    requests: usize,
    /// Requests that the gateway works for, instead of waiting for their client.
    working: usize,
    /// When the connection was opened, or last had its first request begun or its last request ended.
    since: Instant,
}

impl Connections {
    /// Creates an empty table.
    pub fn new(room: Room) -> Self {
        Self { open: Mutex::default(), room }
    }

    /// Lets in a connection from `peer`, and closes another one where there is no room.
    ///
    /// # Errors
    /// Where every connection that could be closed for it is being worked for, or new.
    pub fn admit(&self, peer: Peer, now: Instant) -> Result<Admission, Refusal> {
        let is_same = |other: &Connection| other.peer.client() == peer.client();
        let mut open = self.open.lock();
        // What only this list holds is closed.
        open.retain(|connection| Arc::strong_count(connection) > 1);
        let share = open.iter().filter(|other| is_same(other)).count();
        let is_over_share = share >= self.room.per_client_max;
        let is_full = is_over_share || open.len() >= self.room.connections_max;
        if is_full {
            let candidates = open.iter().enumerate().filter(|(_, other)| !is_over_share || is_same(other));
            let waiting = candidates
                .filter_map(|(index, other)| Some((other.waiting_since()?, index)))
                .filter(|(since, _)| now.saturating_duration_since(*since) >= ROUND_TRIP);
            let refusal = if is_over_share { Refusal::ClientFull } else { Refusal::Full };
            let (_, slowest) = waiting.min().ok_or(refusal)?;
            open.swap_remove(slowest).evicted.cancel();
        }
        let connection = Arc::new(Connection::new(peer, now));
        open.push(connection.clone());
        Ok(Admission { connection, has_evicted: is_full })
    }
}

impl Connection {
    fn new(peer: Peer, now: Instant) -> Self {
        let activity = Activity { requests: 0, working: 0, since: now };
        Self { peer, evicted: CancellationToken::new(), activity: Mutex::new(activity) }
    }

    /// Returns the other end of the connection.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// Waits until the connection must be closed for another one.
    pub async fn evicted(&self) {
        self.evicted.cancelled().await;
    }

    /// Records that a request has begun and is worked for.
    pub fn begin(&self, now: Instant) {
        let mut activity = self.activity.lock();
        if activity.requests == 0 {
            activity.since = now;
        }
        activity.requests += 1;
        activity.working += 1;
    }

    /// Records that a request, which was worked for, has ended.
    pub fn end(&self, now: Instant) {
        let mut activity = self.activity.lock();
        activity.requests -= 1;
        activity.working -= 1;
        if activity.requests == 0 {
            activity.since = now;
        }
    }

    /// Records that a request waits for its client from now on.
    pub fn pause(&self) {
        self.activity.lock().working -= 1;
    }

    /// Records that a request is worked for again.
    pub fn resume(&self) {
        self.activity.lock().working += 1;
    }

    /// Returns since when the gateway has waited for the client; `None` where it works for it.
    fn waiting_since(&self) -> Option<Instant> {
        let activity = self.activity.lock();
        (activity.working == 0).then_some(activity.since)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};
    use std::time::Duration;

    use super::*;

    const ALICE: Peer = peer(1);
    const BOB: Peer = peer(2);

    const fn peer(host: u8) -> Peer {
        Peer(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)), 1))
    }

    fn connections(connections_max: usize, per_client_max: usize) -> Connections {
        Connections::new(Room { connections_max, per_client_max })
    }

    /// Lets connections in, each a second after the one before.
    fn admit(connections: &Connections, peers: &[Peer]) -> Vec<Arc<Connection>> {
        let begun = Instant::now();
        let admit = |(number, peer): (usize, &Peer)| {
            let now = begun + Duration::from_secs(number as u64);
            connections.admit(*peer, now).map(|admission| admission.connection).unwrap()
        };
        peers.iter().enumerate().map(admit).collect()
    }

    fn in_a_minute() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    fn evicted(open: &[Arc<Connection>]) -> Vec<bool> {
        open.iter().map(|connection| connection.evicted.is_cancelled()).collect()
    }

    #[test]
    fn the_client_that_keeps_the_gateway_waiting_for_longest_makes_room() {
        let connections = connections(3, 3);
        let open = admit(&connections, &[ALICE; 3]);
        open[0].begin(in_a_minute());
        open[1].begin(in_a_minute());
        open[1].pause();

        assert!(connections.admit(BOB, in_a_minute()).is_ok());

        assert_eq!(evicted(&open), [false, false, true], "the request of the second began after the third was opened");
    }

    #[test]
    fn a_body_that_drips_is_as_old_as_its_request() {
        let connections = connections(2, 2);
        let open = admit(&connections, &[ALICE; 2]);
        open[0].begin(Instant::now());
        for _ in 0..3 {
            open[0].pause();
            open[0].resume();
        }
        open[0].pause();

        assert!(connections.admit(ALICE, in_a_minute()).is_ok());

        assert_eq!(evicted(&open), [true, false]);
    }

    #[test]
    fn where_all_are_worked_for_a_further_connection_is_refused() {
        let connections = connections(2, 2);
        let mut open = admit(&connections, &[ALICE; 2]);
        open.iter().for_each(|connection| connection.begin(Instant::now()));

        assert_eq!(connections.admit(BOB, in_a_minute()).map(|_| ()), Err(Refusal::Full));
        open.pop();
        assert!(connections.admit(BOB, in_a_minute()).is_ok(), "a closed connection leaves its place");
    }

    #[test]
    fn a_client_that_has_had_no_time_to_send_is_not_cut_off_for_another() {
        let (connections, now) = (connections(2, 1), Instant::now());
        let open: Vec<_> = [ALICE, BOB].map(|peer| connections.admit(peer, now).unwrap().connection).into();

        let at_once = [ALICE, peer(3)].map(|peer| connections.admit(peer, now + ROUND_TRIP / 2).map(|_| ()));
        assert_eq!(at_once, [Err(Refusal::ClientFull), Err(Refusal::Full)]);
        assert_eq!(evicted(&open), [false, false]);

        assert!(connections.admit(ALICE, now + ROUND_TRIP).is_ok());
        assert_eq!(evicted(&open), [true, false]);
    }

    #[test]
    fn a_client_beyond_its_share_makes_room_by_itself() {
        let connections = connections(3, 2);
        let mut open = admit(&connections, &[BOB, ALICE, ALICE]);

        open.push(connections.admit(ALICE, in_a_minute()).unwrap().connection);

        assert_eq!(evicted(&open), [false, true, false, false]);
        open[2].begin(Instant::now());
        open[3].begin(Instant::now());
        assert_eq!(connections.admit(ALICE, in_a_minute()).map(|_| ()), Err(Refusal::ClientFull));
        assert!(connections.admit(BOB, in_a_minute()).is_ok(), "the others have their own share");
    }
}
