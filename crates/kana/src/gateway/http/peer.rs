//! From which address does a connection come?
//!
//! Behind a proxy that is the proxy's own address: what a request says of itself (`X-Forwarded-For`) is only a claim.

use std::net::{IpAddr, SocketAddr};

/// Address of the other end of a connection, an extension of each of its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

impl Peer {
    /// Creates the other end of a connection from `address`. An IPv4 address is one whether or not it arrived on an IPv6
    /// socket.
    pub fn of(address: SocketAddr) -> Self {
        Self(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }

    /// Returns the part of the address that one client has for itself: all of an IPv4 address, the network of an IPv6
    /// address, within which a client takes as many addresses as it likes.
    pub fn client(self) -> IpAddr {
        /// Bits of an IPv6 address that name the host within its network (RFC 4291).
        const HOST_BITS: u32 = 64;
        match self.0.ip() {
            IpAddr::V4(ip) => ip.into(),
            IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() >> HOST_BITS << HOST_BITS).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_one_ipv4_address_or_one_ipv6_network() {
        let client = |address: &str| Peer(address.parse().unwrap()).client().to_string();

        assert_eq!(client("192.0.2.7:1"), "192.0.2.7");
        assert_eq!(client("[2001:db8:1:2:3:4:5:6]:1"), "2001:db8:1:2::");
    }
}
