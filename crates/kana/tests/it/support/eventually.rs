//! How does a test wait for something that another process or thread does?

use std::future::Future;
use std::time::Duration;

/// Far longer than anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks again and again until `look` sees something; panics with `what` where it never does.
pub async fn eventually<T, F>(what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let found = async {
        loop {
            looks.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    tokio::time::timeout(DEADLINE, found).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}
