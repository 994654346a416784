//! When should somebody who found nothing look again?
//!
//! When the bell rings, when it is time to look anyway, and once more when the wait is over. Listening begins before
//! the first look, and again before each later one, so that whatever happens in between is not missed.

use std::pin::Pin;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

/// One caller's wait.
pub struct Watch<'a> {
    bell: &'a Notify,
    rung: Pin<Box<Notified<'a>>>,
    deadline: Option<Instant>,
    every: Duration,
}

impl<'a> Watch<'a> {
    /// Begins to listen, for `wait` and not at all where that is zero. Looks at least once `every` so often.
    pub fn new(bell: &'a Notify, wait: Duration, every: Duration) -> Self {
        let deadline = if wait.is_zero() { None } else { Instant::now().checked_add(wait) };
        Self { bell, rung: listen(bell), deadline, every }
    }

    /// Waits until it is time to look again; `false`, at once, where the wait is over.
    pub async fn again(&mut self) -> bool {
        let Some(deadline) = self.deadline.filter(|deadline| Instant::now() < *deadline) else { return false };
        let look = Instant::now().checked_add(self.every).map_or(deadline, |look| look.min(deadline));
        tokio::select! {
            () = &mut self.rung => {}
            () = tokio::time::sleep_until(look) => {}
        }
        self.rung = listen(self.bell);
        true
    }
}

fn listen(bell: &Notify) -> Pin<Box<Notified<'_>>> {
    let mut rung = Box::pin(bell.notified());
    rung.as_mut().enable();
    rung
}
