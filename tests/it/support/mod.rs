//! What do the tests share?

pub mod app;
pub mod faulty;
pub mod pictures;
pub mod stage;
pub mod world;

use std::future::Future;
use std::time::Duration;

/// Longer than anything takes that happens at all.
const DEADLINE: Duration = Duration::from_secs(20);

/// Asks again and again until the answer is something.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        let mut again = tokio::time::interval(Duration::from_millis(5));
        loop {
            again.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    tokio::time::timeout(DEADLINE, asking).await.unwrap_or_else(|_| panic!("never happened: {what}"))
}
