//! kana trains an image classifier, serves it behind a durable queue and scales it without losing a request.
//!
//! An image travels `gateway` → `queue` → `worker` → `queue` → `gateway`. Read [`job`] and [`queue`] first: they
//! name what travels and what is promised about it. Vocabulary ([`image`], [`job`], [`prediction`], [`pod`]) and
//! plumbing ([`clock`], [`shutdown`], [`telemetry`]) import nothing above them; [`queue`], [`model`] and
//! [`data`] import those; the roles ([`gateway`], [`worker`], [`train`], [`cluster`]) import all of these and never
//! each other. Only [`cli`] and [`up`] see every role. `tests/it/tidy.rs` holds this.

pub mod pod;

pub mod shutdown;
pub mod telemetry;

pub mod cluster;
pub mod gateway;
pub mod worker;

pub mod cli;
pub mod client;
pub mod up;
