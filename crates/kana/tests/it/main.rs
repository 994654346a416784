//! Does kana keep its promises? One binary, so that everything links once.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that meets the unexpected fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "a test's tasks end with its runtime")]
#![expect(clippy::disallowed_macros, reason = "what a test prints is shown where it fails")]

mod chart;
mod cli;
mod client;
mod cluster;
mod gateway;
mod kubernetes;
mod logs;
mod memory;
mod metrics;
mod queue;
mod redis_roles;
mod samples;
mod scenarios;
mod support;
mod support_selftest;
mod tidy;
mod worker;
