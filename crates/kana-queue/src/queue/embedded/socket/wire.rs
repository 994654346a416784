//! What goes over the socket?
//!
//! Frames: the length of what follows (four bytes, little-endian), the number of the call (eight bytes), and a request or
//! a response as postcard writes it. The side that connects begins with a [greeting](Hello).

use std::io;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::WorkerId;
use crate::job::{BatchId, JobId, Status};
use crate::queue::{
    Cancellation, Cause, Changes, Claim, Cursor, DeadLetter, Depth, Error, Hold, Lease, LostAttempt, Receipt, Run,
    Settled, Settlement, Submission,
};
use kana_engine::image::Image;

/// The form of what goes over the socket. Both sides have to have the same.
pub const VERSION: u32 = 2;

/// Bytes of a frame, at most: a submission of as many images as a gateway takes at once is a fraction of this.
const FRAME_BYTES_MAX: usize = 512 << 20;

/// Bytes before a frame's message.
const HEAD_BYTES: usize = 12;

/// What a process says when it connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub version: u32,
    /// How long its leases last: it extends them accordingly.
    pub lease: Duration,
}

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    Hello(Hello),
    /// The caller of the call with this number is gone.
    Drop,
    Submit(Submission),
    Claim {
        worker: WorkerId,
        limit: usize,
        wait: Duration,
    },
    Extend(Vec<Lease>),
    Release(Vec<Lease>),
    Settle(Vec<Settlement>),
    Reclaim {
        worker: WorkerId,
        cause: Cause,
    },
    Sweep,
    Statuses(Vec<JobId>),
    Batch(BatchId),
    Lost(Vec<JobId>),
    Runs {
        before: Option<BatchId>,
        limit: usize,
    },
    Image(JobId),
    Cancel(JobId),
    Depth,
    Latest,
    Changes {
        after: Cursor,
        wait: Duration,
    },
    Dead {
        limit: usize,
    },
    Replay(JobId),
    Discard(JobId),
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
pub enum Response {
    Hello(Hello),
    Submit(Receipt),
    Claim(Vec<Claim>),
    Holds(Vec<Hold>),
    Settle(Vec<Settled>),
    Reclaim(usize),
    Sweep,
    Statuses(Vec<Option<Status>>),
    Batch(Vec<Status>),
    Lost(Vec<Vec<LostAttempt>>),
    Runs(Vec<Run>),
    Image(Option<Image>),
    Cancel(Cancellation),
    Depth(Depth),
    Latest(Cursor),
    Changes(Changes),
    Dead(Vec<DeadLetter>),
    Flag(bool),
    Failed(Failure),
}

/// An [`Error`] on its way. What was attempted is known to the caller.
#[derive(Debug, Serialize, Deserialize)]
pub enum Failure {
    Full { limit: usize },
    KeyReused { key: String },
    NoSpace(String),
    Unavailable(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Full { limit } => Self::Full { limit },
            Error::KeyReused { key } => Self::KeyReused { key },
            Error::NoSpace { source, .. } => Self::NoSpace(chain(&*source)),
            Error::Unavailable { source, .. } => Self::Unavailable(chain(&*source)),
        }
    }
}

/// All that an error and its sources say.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

impl Failure {
    /// The error for a caller that attempted `action`.
    pub fn during(self, action: &'static str) -> Error {
        match self {
            Self::Full { limit } => Error::Full { limit },
            Self::KeyReused { key } => Error::KeyReused { key },
            Self::NoSpace(text) => Error::NoSpace { action, source: text.into() },
            Self::Unavailable(text) => Error::Unavailable { action, source: text.into() },
        }
    }
}

/// The frame of a message.
pub fn frame(call: u64, message: &impl Serialize) -> Vec<u8> {
    let mut frame = vec![0; HEAD_BYTES];
    postcard::to_io(message, &mut frame).expect("BUG: writing to memory cannot fail, and every message can be encoded");
    let length = u32::try_from(frame.len() - HEAD_BYTES).expect("BUG: a message is bounded far below 4 GiB");
    frame[..4].copy_from_slice(&length.to_le_bytes());
    frame[4..HEAD_BYTES].copy_from_slice(&call.to_le_bytes());
    frame
}

/// Reads one message and the number of its call; `None` at the end.
pub async fn read<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<(u64, T)>> {
    let mut head = [0; HEAD_BYTES];
    match from.read_exact(&mut head).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    };
    let [a, b, c, d, call @ ..] = head;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a message of {length} bytes")));
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).await?;
    let message = postcard::from_bytes(&bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(Some((u64::from_le_bytes(call), message)))
}
