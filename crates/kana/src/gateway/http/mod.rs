//! What does every request pass before and after its handler?
//!
//! A bounded connection, a check of who asks and from which page, a body with limits, an answer whose failures all look
//! alike, a measurement. Nothing in here knows what a route does.

pub mod auth;
pub mod body;
pub mod listener;
pub mod observe;
pub mod origin;
pub mod problem;
pub mod socket;
pub mod wait_parameter;
