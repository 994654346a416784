//! How does the contract describe ids and times?
//!
//! The queue knows nothing of HTTP. Views and routes carry the queue's types, and name one of these as the description.

use utoipa::ToSchema;

/// Identifies a job.
#[derive(ToSchema)]
#[schema(value_type = String, format = "uuid")]
pub struct JobId(pub String);

/// Identifies the jobs that were submitted together.
#[derive(ToSchema)]
#[schema(value_type = String, format = "uuid")]
pub struct BatchId(pub String);

/// A time, in milliseconds since the Unix epoch.
#[derive(ToSchema)]
pub struct Timestamp(pub u64);
