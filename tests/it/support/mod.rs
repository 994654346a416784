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
}
