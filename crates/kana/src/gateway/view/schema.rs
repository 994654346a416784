//! How does the contract describe the scalars that the queue knows?
//!
//! The queue knows nothing of HTTP. Views and routes carry its own types, and name one of these as their description.

use utoipa::ToSchema;

/// Names one image's journey.
#[derive(ToSchema)]
#[schema(value_type = String, format = "uuid")]
pub struct JobId(pub String);

/// Names what was submitted together.
#[derive(ToSchema)]
#[schema(value_type = String, format = "uuid")]
pub struct BatchId(pub String);

/// A moment, in milliseconds since the Unix epoch.
#[derive(ToSchema)]
pub struct Timestamp(pub u64);
