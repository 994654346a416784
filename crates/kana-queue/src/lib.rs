//! Where does a job wait, who may work on it, and who may say that it is done?
//!
//! A durable, bounded job queue with leases and exactly one outcome for each job. Senders [`submit`](Queue::submit)
//! jobs; workers [`claim`](Queue::claim) them, each under a lease, and [`settle`](Queue::settle) them; readers follow
//! [`changes`](Queue::changes) or ask for [`statuses`](Queue::statuses). Any process may die between two lines of code:
//! a worker's jobs go to another one when its lease expires, or at once where somebody saw it die and calls
//! [`reclaim`](Queue::reclaim). [`Queue`] lists the seven promises that every implementation keeps.
//!
//! Three implementations are opened by their URL: [`memory`] lives and dies with its process, [`embedded`] is on the disk
//! of one machine and held by one of its processes, [`redis`] is shared by many machines.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use kana_engine::Prediction;
//! use kana_engine::image::{Image, Shape};
//! use kana_queue::clock::{Clock, SystemClock};
//! use kana_queue::job::{BatchId, Job, JobId, Progress};
//! use kana_queue::{Inference, Limits, Receipt, Settled, Settlement, Submission, Url, WorkerId};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let url: Url = "memory:".parse()?;
//! let queue = kana_queue::open(&url, Limits::default(), Arc::new(SystemClock))?;
//!
//! // A sender submits a batch of one job. Once it is accepted, no crash loses it.
//! let image = Image::new(Shape { channels: 1, height: 28, width: 28 }, vec![0; 784]).expect("784 samples");
//! let (id, batch, submitted) = (JobId::new(), BatchId::new(), SystemClock.now());
//! let job = Job { id, batch, filename: "a.png".to_owned(), image, submitted };
//! let receipt = queue.submit(Submission { batch, jobs: vec![job], idempotency: None, name: None }).await?;
//! assert_eq!(receipt, Receipt::Accepted);
//!
//! // A worker claims up to 16 jobs, waits for up to a second where there are none, and settles each.
//! let worker = WorkerId::of_pod("worker-1");
//! for claim in queue.claim(&worker, 16, Duration::from_secs(1)).await? {
//!     let prediction = Prediction { label: "お".to_owned(), class: 0, confidence: 0.9, probabilities: vec![0.9, 0.1] };
//!     let result = Ok(Inference { prediction, elapsed: Duration::from_millis(2), blank: false });
//!     let settled = queue.settle(vec![Settlement { lease: claim.lease, result }]).await?;
//!     assert_eq!(settled, [Settled::Done]);
//! }
//!
//! // A reader finds the outcome, until its time-to-live ends.
//! let status = queue.statuses(&[id]).await?.remove(0).expect("an accepted job");
//! assert!(matches!(status.progress, Progress::Settled(_)));
//! # Ok(())
//! # }
//! ```
//!
//! To use a queue of your own, implement [`Queue`] and run it through the `conformance` suite, which the feature of that
//! name adds: `examples/custom_queue.rs` shows how.

pub mod backoff;
pub mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod job;
mod queue;
mod worker_id;

pub use queue::{
    CHANGES_MAX, Cancellation, Cause, Changes, Claim, Cursor, DeadLetter, Depth, Error, Hold, Idempotency, Inference,
    Lease, Limits, Loss, LostAttempt, Queue, Receipt, Run, Settled, Settlement, Submission, Url, connect, embedded,
    memory, open, redis,
};
pub use worker_id::WorkerId;
