//! How is a port bound?

use std::io::{Error, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use anyhow::Context as _;
use rustix::io::Errno;
use tracing::info;

/// Binds a port. `[::]` means every address of the machine: those of IPv4, too, and those alone where the machine has no
/// IPv6. The listener does not block.
///
/// # Errors
/// Where the port is taken or forbidden; the message names the address.
pub fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).or_else(|error| match address.ip() {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) if lacks_ipv6(&error) => {
            info!("this machine has no IPv6: listening on IPv4 alone");
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port()))
        }
        _ => Err(error),
    });
    let listener = listener.with_context(|| format!("could not listen on {address}"))?;
    listener.set_nonblocking(true).with_context(|| format!("could not listen on {address}"))?;
    Ok(listener)
}

fn lacks_ipv6(error: &Error) -> bool {
    let errors = [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL];
    error.kind() == ErrorKind::AddrNotAvailable || errors.iter().any(|e| error.raw_os_error() == Some(e.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn every_address_means_those_of_ipv4_too() {
        let listener = bind("[::]:0".parse().unwrap()).unwrap();

        let port = listener.local_addr().unwrap().port();
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
    }

    #[test]
    fn a_port_that_is_taken_is_named() {
        let holder = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let taken = holder.local_addr().unwrap();

        assert_eq!(bind(taken).unwrap_err().to_string(), format!("could not listen on {taken}"));
    }
}
