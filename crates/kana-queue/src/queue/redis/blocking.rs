//! How does a call wait in Redis without holding up the calls behind it?
//!
//! On a connection of its own: on the shared one, whatever is sent after a blocking command waits for it too.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisError, Value};
use tokio::time::timeout;

use super::caller::Client;
use super::connection::ANSWER_MAX;

/// A connection for one blocking call at a time.
pub struct BlockingConnection {
    pub connection: MultiplexedConnection,
    /// The run of the server that it leads to.
    pub run: Arc<str>,
    /// The server's name for it; `None` where the server does not say.
    pub client: Option<Client>,
}

impl BlockingConnection {
    /// Makes a connection to this run of the server one for blocking calls.
    pub async fn new(mut connection: MultiplexedConnection, run: Arc<str>) -> Self {
        // Only ends waits earlier, and this user may not be allowed to ask.
        let id = redis::cmd("CLIENT").arg("ID").query_async(&mut connection).await.ok();
        let client = id.map(|id| Client { run: Arc::clone(&run), id });
        Self { connection, run, client }
    }

    /// Sends commands of which the first may block for `wait`, and returns their answers; `None` where the connection
    /// is broken, or Redis takes longer than it was given.
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

/// Whether the connection that gave this error is broken.
pub fn is_broken(error: &RedisError) -> bool {
    error.is_io_error() || error.is_connection_dropped()
}
