//! kana trains an image classifier, serves it behind a durable queue and scales it without losing a request.
//!
//! An image travels `gateway` → queue → `worker` → queue → `gateway`. To learn the code, read [`kana_queue::job`] and
//! [`kana_queue::Queue`] first: they name what travels and what is promised about it.
//!
//! # Crates
//!
//! | crate | holds | imports |
//! |---|---|---|
//! | `kana-engine` | images, predictions, models; no async code and no network | no other crate of kana |
//! | `kana-queue` | jobs, clocks, worker identities, the queue and its implementations | `kana-engine` |
//! | `kana-train` | data sets, training, evaluation | `kana-engine` |
//! | `kana` | this one: the HTTP service, its workers, its clients and the command line | all three |
//!
//! The compiler holds this table: a crate cannot import what its `Cargo.toml` does not name.
//!
//! # Modules of this crate
//!
//! - Shared: [`listen`], [`pod`], [`shutdown`] and [`telemetry`] import no other module.
//! - Roles: [`gateway`] accepts images and shows results, [`worker`] classifies, [`cluster`] starts, stops and counts
//!   workers, [`client`] calls a running gateway. A role imports the shared modules and never another role: roles meet
//!   only through the queue, through [`pod::Cluster`] and over HTTP.
//! - On top: [`up`] wires a gateway and a local cluster together, and [`cli`] starts each role. Only these two see every
//!   role.
//!
//! `tests/it/tidy.rs` holds these rules, and which libraries may be named in which module.

pub mod listen;
pub mod pod;
pub mod shutdown;
pub mod telemetry;

pub mod client;
pub mod cluster;
pub mod gateway;
pub mod worker;

pub mod cli;
pub mod up;
