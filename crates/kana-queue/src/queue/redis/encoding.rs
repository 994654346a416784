//! How is a job encoded in Redis?
//!
//! ```text
//! stream entry  job = head, image = channels height width (u32 each) pixels, alone = "1" where it was replayed
//! head          id (16 bytes) rest
//! rest          batch (16 bytes) submitted (u64 ms) filename
//! record        "W" length-of-entry (u8) entry rest                                              waits or runs
//!               "S" settled (u64 ms) epoch (u16) claimed (u64 ms) attempts (u32) tail rest       settled
//! tail          length (u16) worker, length (u32) verdict
//! verdict       0 inference (u64 µs) class (u32) confidence (f32) length (u16) label, length (u16) probabilities,
//!               and 1 where the image is blank │ 1 reason │ 2 (cancelled)
//! change        of each job its id and a body: a settled record, or
//!               "Q" attempts (u32) rest │ "R" attempts (u32) length (u16) worker rest
//! lost          of each attempt a length (u16), began (u64 ms) ended (u64 ms), 0 failed │ 1 expired │ 2 crashed │
//!               3 stopped, length (u16) worker, length (u16) reason
//! letter        died (u64 ms) attempts (u32) length (u16) worker, reason
//! ```
//!
//! Numbers are big-endian, so that times compare as text. The functions in `lua/` read and write the same.

use std::time::Duration;

use redis::{RedisWrite, ToRedisArgs};

use crate::WorkerId;
use crate::clock::Timestamp;
use crate::job::{BatchId, Job, JobId, Outcome, Progress, Status, Verdict};
use crate::queue::{DeadLetter, Inference, Loss, LostAttempt};
use kana_engine::Prediction;
use kana_engine::image::{Image, Shape};

/// Consumers of the group are named by the text of a worker's identity.
impl ToRedisArgs for WorkerId {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        out.write_arg_fmt(self);
    }
}

/// Bytes of an id.
const ID: usize = 16;

const DONE: u8 = 0;
const FAILED: u8 = 1;
const CANCELLED: u8 = 2;

fn put_rest(bytes: &mut Vec<u8>, job: &Job) {
    bytes.extend(job.batch.as_bytes());
    bytes.extend(job.submitted.as_millis().to_be_bytes());
    bytes.extend(job.filename.as_bytes());
}

/// The change of a job that was submitted. Its rest begins at byte 5.
pub fn queued(job: &Job) -> Vec<u8> {
    let mut body = Vec::with_capacity(5 + rest_len(job));
    body.push(b'Q');
    body.extend([0; 4]);
    put_rest(&mut body, job);
    body
}

/// The change of a job that was claimed.
pub fn running(job: &Job, attempt: u32, worker: &WorkerId) -> Vec<u8> {
    let worker = worker.to_string();
    let mut body = Vec::with_capacity(7 + worker.len() + rest_len(job));
    body.push(b'R');
    body.extend(attempt.to_be_bytes());
    put_short(&mut body, worker.as_bytes());
    put_rest(&mut body, job);
    body
}

fn rest_len(job: &Job) -> usize {
    ID + 8 + job.filename.len()
}

/// A job's pixels, and their shape.
pub fn image(image: &Image) -> Vec<u8> {
    let shape = image.shape();
    let mut bytes = Vec::with_capacity(12 + image.pixels().len());
    for side in [shape.channels, shape.height, shape.width] {
        bytes.extend(u32::try_from(side).unwrap_or(u32::MAX).to_be_bytes());
    }
    bytes.extend(image.pixels());
    bytes
}

/// The end of a done job's record, from its worker to its verdict.
pub fn done_tail(worker: &WorkerId, inference: &Inference) -> Vec<u8> {
    let mut verdict = Vec::with_capacity(96);
    put_inference(&mut verdict, inference);
    let worker = worker.to_string();
    let mut bytes = Vec::with_capacity(6 + worker.len() + verdict.len());
    put_short(&mut bytes, worker.as_bytes());
    bytes.extend(u32::try_from(verdict.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(verdict);
    bytes
}

/// The end of a cancelled job's record: no worker, and its verdict.
pub const CANCELLED_TAIL: [u8; 7] = [0, 0, 0, 0, 0, 1, CANCELLED];

fn put_inference(verdict: &mut Vec<u8>, inference: &Inference) {
    let Inference { prediction: Prediction { label, class, confidence, probabilities }, elapsed, blank } = inference;
    verdict.push(DONE);
    verdict.extend(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX).to_be_bytes());
    verdict.extend(u32::try_from(*class).unwrap_or(u32::MAX).to_be_bytes());
    verdict.extend(confidence.to_be_bytes());
    put_short(verdict, label.as_bytes());
    verdict.extend(u16::try_from(probabilities.len()).unwrap_or(u16::MAX).to_be_bytes());
    for probability in probabilities {
        verdict.extend(probability.to_be_bytes());
    }
    // Absent where it is not: so an earlier version wrote it, and one that reads this ignores it.
    if *blank {
        verdict.push(1);
    }
}

/// Writes a length and as many bytes; cuts what is longer than 64 KiB.
fn put_short(bytes: &mut Vec<u8>, text: &[u8]) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    bytes.extend(length.to_be_bytes());
    bytes.extend(&text[..usize::from(length)]);
}

/// Decodes the job of a stream entry; `None` where the entry is not one of ours.
pub fn job(head: &[u8], image: &[u8]) -> Option<Job> {
    let mut head = Fields(head);
    let id = JobId::from_bytes(head.array()?);
    let Rest { batch, submitted, filename } = head.rest()?;
    Some(Job { id, batch, filename, image: pixels(image)?, submitted })
}

/// Decodes pixels and their shape.
pub fn pixels(image: &[u8]) -> Option<Image> {
    let mut image = Fields(image);
    let mut side = || image.u32().map(|side| side as usize);
    let shape = Shape { channels: side()?, height: side()?, width: side()? };
    Image::new(shape, image.0.to_vec())
}

/// Decodes where a job stands, from the body of a change or a settled record.
pub fn status(id: JobId, body: &[u8]) -> Option<Status> {
    let mut body = Fields(body);
    let (attempts, progress) = match body.byte()? {
        b'Q' => (body.u32()?, Progress::Queued),
        b'R' => (body.u32()?, Progress::Running { worker: WorkerId::from(body.short()?.as_str()) }),
        b'S' => return settled(id, body),
        _ => return None,
    };
    let Rest { batch, submitted, filename } = body.rest()?;
    Some(Status { id, batch, filename, submitted, attempts, progress })
}

fn settled(id: JobId, mut body: Fields<'_>) -> Option<Status> {
    let (settled, _epoch) = (body.time()?, body.u16()?);
    let (claimed, attempts) = (body.time()?, body.u32()?);
    let worker = worker(&body.short()?);
    let length = body.u32()? as usize;
    let verdict = body.take(length).and_then(verdict)?;
    let Rest { batch, submitted, filename } = body.rest()?;
    let outcome = Outcome { settled, worker, queued: claimed.since(submitted), verdict };
    Some(Status { id, batch, filename, submitted, attempts, progress: Progress::Settled(outcome) })
}

fn verdict(bytes: &[u8]) -> Option<Verdict> {
    let mut bytes = Fields(bytes);
    Some(match bytes.byte()? {
        DONE => {
            let inference = Duration::from_micros(bytes.u64()?);
            let (class, confidence) = (bytes.u32()? as usize, bytes.f32()?);
            let label = bytes.short()?;
            let count = bytes.u16()?;
            let probabilities = (0..count).map(|_| bytes.f32()).collect::<Option<_>>()?;
            let blank = bytes.byte() == Some(1);
            Verdict::Done { prediction: Prediction { label, class, confidence, probabilities }, inference, blank }
        }
        FAILED => Verdict::Failed { reason: text(bytes.0) },
        CANCELLED => Verdict::Cancelled,
        _ => return None,
    })
}

/// Decodes a worker; `None` where the text is empty.
fn worker(text: &str) -> Option<WorkerId> {
    (!text.is_empty()).then(|| WorkerId::from(text))
}

/// Decodes a dead letter from its entry's three fields.
pub fn dead_letter(head: &[u8], image: &[u8], letter: &[u8]) -> Option<DeadLetter> {
    let job = job(head, image)?;
    let mut letter = Fields(letter);
    let (died, attempts) = (letter.time()?, letter.u32()?);
    let worker = worker(&letter.short()?);
    Some(DeadLetter { job, attempts, reason: text(letter.0), worker, died })
}

/// Decodes the lost attempts of a job.
pub fn lost(bytes: &[u8]) -> Option<Vec<LostAttempt>> {
    let (mut bytes, mut attempts) = (Fields(bytes), Vec::new());
    while !bytes.0.is_empty() {
        let length = usize::from(bytes.u16()?);
        let mut one = Fields(bytes.take(length)?);
        let (began, ended, how) = (one.time()?, one.time()?, one.byte()?);
        let (worker, reason) = (worker(&one.short()?)?, one.short()?);
        let loss = match how {
            0 => Loss::Failed(reason),
            1 => Loss::Expired,
            2 => Loss::Crashed,
            3 => Loss::Stopped,
            _ => return None,
        };
        attempts.push(LostAttempt { worker, began, ended, loss });
    }
    Some(attempts)
}

/// Decodes eight bytes as a time.
pub fn time(bytes: &[u8]) -> Option<Timestamp> {
    Fields(bytes).time()
}

struct Rest {
    batch: BatchId,
    submitted: Timestamp,
    filename: String,
}

/// Encoded fields, read one after the other.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, left) = self.0.split_at_checked(count)?;
        self.0 = left;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn f32(&mut self) -> Option<f32> {
        self.array().map(f32::from_be_bytes)
    }

    fn time(&mut self) -> Option<Timestamp> {
        self.u64().map(Timestamp::from_millis)
    }

    fn short(&mut self) -> Option<String> {
        let length = usize::from(self.u16()?);
        self.take(length).map(text)
    }

    fn rest(&mut self) -> Option<Rest> {
        let (batch, submitted) = (BatchId::from_bytes(self.array()?), self.time()?);
        Some(Rest { batch, submitted, filename: text(std::mem::take(&mut self.0)) })
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_job() -> Job {
        let image = Image::new(Shape { channels: 1, height: 2, width: 2 }, vec![1, 2, 3, 4]).expect("four samples");
        let (id, batch) = (JobId::from_bytes([7; 16]), BatchId::from_bytes([9; 16]));
        Job { id, batch, filename: "お.png".to_owned(), image, submitted: Timestamp::from_millis(1_234) }
    }

    #[test]
    fn a_job_is_decoded_as_it_was_encoded() {
        let written = a_job();
        let head = [written.id.as_bytes(), &queued(&written)[5..]].concat();

        let read = job(&head, &image(&written.image));

        assert_eq!(read, Some(written));
    }

    #[test]
    fn a_change_names_the_worker_that_runs_a_job() {
        let job = a_job();

        let waits = status(job.id, &queued(&job)).expect("a status");
        let runs = status(job.id, &running(&job, 2, &"w".into())).expect("a status");

        assert_eq!((waits.attempts, waits.progress), (0, Progress::Queued));
        assert_eq!((runs.attempts, runs.progress), (2, Progress::Running { worker: "w".into() }));
        assert_eq!(runs.filename, "お.png");
    }

    #[test]
    fn a_truncated_change_is_refused() {
        let body = running(&a_job(), 1, &"w".into());
        let head = 8 + ID + 8;

        assert!((0..head).all(|end| status(a_job().id, &body[..end]).is_none()));
        assert_eq!(job(&[0; 20], &[0; 12]), None);
    }
}
