//! How does a test wait for something that another process or thread does?

use std::future::Future;
use std::time::Duration;

/// Time after which a wait fails: far longer than anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// Time between two polls.
const POLL_EVERY: Duration = Duration::from_millis(20);

/// Polls `look` until it returns something; panics with `what` after [`DEADLINE`].
pub async fn eventually<T, F>(what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let mut polls = tokio::time::interval(POLL_EVERY);
    let found = async {
        loop {
            polls.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    tokio::time::timeout(DEADLINE, found).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}
