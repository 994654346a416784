//! Which rules hold for every request, whatever its route?
//!
//! Connections, bodies and times have limits, the token and the page of origin are checked, every failure is answered
//! with a problem document, and every request is measured. Nothing in here knows what a route does.

pub mod auth;
pub mod body;
pub mod compression;
mod connections;
mod content_encoding;
pub mod descriptors;
pub mod exchange;
pub mod health_port;
pub mod host;
pub mod listener;
mod observe;
mod origin;
pub mod peer;
pub mod problem;
pub mod rate_limit;
pub mod rules;
pub mod socket;
mod streams;
pub mod token_file;
pub mod tokens;
pub mod wait_parameter;
