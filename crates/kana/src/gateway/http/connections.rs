//! Which connection is closed when there is no room for another one?
//!
//! The one whose client has kept the gateway waiting for longest: idle between two requests, in the middle of a head or
//! a body, or not reading its response. A connection that the gateway works for is never closed for another: where all
//! are, the new one is refused. An address has a share of the connections, so that one client cannot take them all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// Bits of an IPv6 address that stand for one client: a provider gives each customer at least this network (RFC 6177).
const IPV6_CLIENT_BITS: u32 = 64;

/// Open connections, with the limits on their number.
pub struct Connections {
    open: Mutex<HashMap<u64, Arc<Connection>>>,
    room: Room,
}

/// Limits on the number of open connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Largest number of open connections.
    pub connections_max: usize,
    /// Largest number of open connections from one address.
    pub per_client_max: usize,
}

/// Reason why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// All connections are being worked for. Answered by 503.
    Full,
    /// All connections of this address are being worked for. Answered by 429.
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
    client: IpAddr,
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

    /// Lets in a connection from `address`, and closes another one where there is no room.
    ///
    /// # Errors
    /// Where every connection that could be closed for it is being worked for.
    pub fn admit(&self, address: IpAddr, now: Instant) -> Result<Admission, Refusal> {
        let client = client(address);
        let mut open = self.open.lock();
        open.retain(|_, connection| Arc::strong_count(connection) > 1);
        let share = open.values().filter(|connection| connection.client == client).count();
        let is_over_share = share >= self.room.per_client_max;
        let mut has_evicted = false;
        if is_over_share || open.len() >= self.room.connections_max {
            let candidates = open.iter().filter(|(_, connection)| !is_over_share || connection.client == client);
            let waiting = candidates.filter_map(|(id, connection)| Some((connection.waiting_since()?, *id)));
            let refusal = if is_over_share { Refusal::ClientFull } else { Refusal::Full };
            let (_, id) = waiting.min().ok_or(refusal)?;
            if let Some(evicted) = open.remove(&id) {
                evicted.evicted.cancel();
                has_evicted = true;
            }
        }
        let connection = Arc::new(Connection::new(client, now));
        let id = open.keys().max().map_or(0, |latest| latest + 1);
        open.insert(id, connection.clone());
        Ok(Admission { connection, has_evicted })
    }
}

impl Connection {
    fn new(client: IpAddr, now: Instant) -> Self {
        let activity = Activity { requests: 0, working: 0, since: now };
        Self { client, evicted: CancellationToken::new(), activity: Mutex::new(activity) }
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

/// Returns the address that stands for all addresses of one client.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & (u128::MAX << (u128::BITS - IPV6_CLIENT_BITS));
            IpAddr::V6(network.into())
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ALICE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const BOB: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn connections(connections_max: usize, per_client_max: usize) -> Connections {
        Connections::new(Room { connections_max, per_client_max })
    }

    /// Lets connections in, each a second after the one before.
    fn admit(connections: &Connections, addresses: &[IpAddr]) -> Vec<Arc<Connection>> {
        let begun = Instant::now();
        let admit = |(number, address): (usize, &IpAddr)| {
            let now = begun + Duration::from_secs(number as u64);
            connections.admit(*address, now).map(|admission| admission.connection).unwrap()
        };
        addresses.iter().enumerate().map(admit).collect()
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

    #[test]
    fn a_client_has_a_whole_ipv6_network() {
        let parse = |text: &str| client(text.parse().unwrap());

        assert_eq!(parse("2001:db8:1:2:3::4"), parse("2001:db8:1:2::"));
        assert_ne!(parse("2001:db8:1:3::"), parse("2001:db8:1:2::"));
        assert_eq!(parse("::ffff:192.0.2.1"), ALICE);
    }
}
