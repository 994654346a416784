//! When does a caller who found nothing look again?
//!
//! On a notification, after a fixed interval, and once more when the caller's wait ends. Listening begins before the
//! first look, and again before each later one, so that no notification between two looks is missed.

use std::pin::Pin;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

/// One caller's wait, looked through again and again.
pub struct Poll<'a> {
    notify: &'a Notify,
    notified: Pin<Box<Notified<'a>>>,
    deadline: Option<Instant>,
    interval: Duration,
}

impl<'a> Poll<'a> {
    /// Begins to listen, for `wait`: not at all where that is zero. Looks at least once an `interval`.
    pub fn new(notify: &'a Notify, wait: Duration, interval: Duration) -> Self {
        let deadline = if wait.is_zero() { None } else { Instant::now().checked_add(wait) };
        Self { notify, notified: listen(notify), deadline, interval }
    }

    /// Waits until it is time to look again; `false`, at once, where the wait is over.
    pub async fn again(&mut self) -> bool {
        let Some(deadline) = self.deadline.filter(|deadline| Instant::now() < *deadline) else { return false };
        let next = Instant::now().checked_add(self.interval).map_or(deadline, |next| next.min(deadline));
        tokio::select! {
            () = &mut self.notified => {}
            () = tokio::time::sleep_until(next) => {}
        }
        self.notified = listen(self.notify);
        true
    }
}

/// Starts to listen at once, and not only when the future is first polled.
fn listen(notify: &Notify) -> Pin<Box<Notified<'_>>> {
    let mut notified = Box::pin(notify.notified());
    notified.as_mut().enable();
    notified
}
