//! What do the tests share?

pub mod child;
pub mod world;

use std::time::Duration;

/// How long anything may take that a test waits for; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often [`eventually`] looks.
const LOOK: Duration = Duration::from_millis(2);

/// Waits until `is_so`, and fails where it never is.
pub async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let looking = async {
        let mut looks = tokio::time::interval(LOOK);
        while !is_so() {
            looks.tick().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, looking).await.is_ok(), "never happened: {what}");
pub mod app;
pub mod faulty;
pub mod pictures;
pub mod stage;

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
pub mod idx;
