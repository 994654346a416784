//! How does the contract describe ids and times?
//!
//! The queue knows nothing of HTTP. Views and routes carry the queue's types, and name one of these as the description.

use utoipa::ToSchema;

/// Id of a job.
#[derive(ToSchema)]
#[schema(value_type = String, format = "uuid")]
pub struct JobId(pub String);

/// Id of a batch, the jobs that were submitted together.
#[derive(ToSchema)]
#[schema(value_type = String, format = "uuid")]
pub struct BatchId(pub String);

/// Time in milliseconds since the Unix epoch.
#[derive(ToSchema)]
pub struct Timestamp(pub u64);
