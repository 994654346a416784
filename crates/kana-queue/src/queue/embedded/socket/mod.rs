//! How do other processes of the machine reach a queue that one process holds?
//!
//! Over a Unix socket, by the same calls: [`Server`] makes them on behalf of its peers, [`Remote`] is a queue whose calls
//! are made there. Only processes of the same user are served. A call that is dropped here is dropped there too, and when
//! a connection ends, so do all its calls; what its worker holds stays leased until somebody reclaims it or its lease
//! expires.

mod address;
mod client;
mod server;
mod wire;

pub use client::Remote;
pub use server::Server;
