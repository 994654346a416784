//! How does a test wait for something that another process or thread does?

use std::future::Future;
use std::time::Duration;

/// Far longer than anything here takes on a busy machine; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Waits until `is_so`; panics with `what` where it never is.
pub async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    eventually_some(what, || std::future::ready(is_so().then_some(()))).await;
}

/// Looks again and again until `look` sees something; panics with `what` where it never does.
pub async fn eventually_some<T, F>(what: &str, mut look: impl FnMut() -> F) -> T
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
    tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("never happened: {what}"))
}
