//! Who waits for Redis, without anybody waiting behind?

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisError, Value};
use tokio::time::timeout;

use super::link::ANSWER_MAX;

/// A connection for a call that waits.
pub struct Dedicated {
    pub connection: MultiplexedConnection,
    /// Which run of the server it leads to.
    pub run: Arc<str>,
}

impl Dedicated {
    /// Sends commands of which the first may wait for `wait`, and answers with their answers; `None` where the
    /// connection is of no more use, or Redis takes longer than it was given.
    pub async fn ask(&mut self, pipeline: &Pipeline, wait: Duration) -> Result<Option<Vec<Value>>, RedisError> {
        let asking = self.connection.send_packed_commands(pipeline, 0, pipeline.len());
        match timeout(wait.saturating_add(ANSWER_MAX), asking).await {
            Ok(Ok(answers)) => answers.into_iter().map(Value::extract_error).collect::<Result<_, _>>().map(Some),
            Ok(Err(error)) if is_broken(&error) => Ok(None),
            Ok(Err(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }
}

/// Whether the connection is of no more use.
pub fn is_broken(error: &RedisError) -> bool {
    error.is_io_error() || error.is_connection_dropped()
}
