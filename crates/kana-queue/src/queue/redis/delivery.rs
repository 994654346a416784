//! Which jobs does an answer of Redis deliver?

use redis::Value;

use super::reply::{Reply, exactly, field};

/// A claim as a lease's token holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// When the job was claimed, in milliseconds since the Unix epoch.
    pub claimed: u64,
    /// The number of the job's delivery, which Redis counts from 1.
    pub deliveries: u64,
}

/// Bits of a token that count deliveries.
const DELIVERY_BITS: u32 = 16;

impl Token {
    /// Packs the token into the number that a lease has.
    pub fn pack(self) -> u64 {
        self.claimed << DELIVERY_BITS | (self.deliveries & ((1 << DELIVERY_BITS) - 1))
    }

    /// Reads what [`pack`](Self::pack) wrote.
    pub fn unpack(token: u64) -> Self {
        Self { claimed: token >> DELIVERY_BITS, deliveries: token & ((1 << DELIVERY_BITS) - 1) }
    }
}

/// A stream entry, assigned to a worker.
pub struct Delivery {
    pub entry: String,
    pub deliveries: u64,
    pub attempt: u32,
    pub head: Vec<u8>,
    pub image: Vec<u8>,
    /// Whether the job is to be claimed alone.
    pub is_alone: bool,
    /// Whether readers have been sent the change to running.
    pub is_published: bool,
}

/// Entries assigned at one moment.
pub struct Deliveries {
    pub entries: Vec<Delivery>,
    /// Milliseconds since the Unix epoch, by Redis's clock.
    pub now: u64,
}

/// The answer of `claim`.
pub enum ClaimReply {
    /// Jobs that were released, requeued or replayed.
    Jobs(Deliveries),
    /// None of those: new ones are to be read from the stream, up to so many.
    ReadStream(usize),
    /// None of those, and no new ones: one is to be waited for.
    Wait,
}

/// Reads the answer of `claim`.
pub fn claim_reply(answer: Value) -> Option<ClaimReply> {
    let mut answer = answer.array()?.into_iter();
    let (now, kind) = (answer.next()?.number()?, answer.next()?);
    if kind.is("wait") {
        return Some(ClaimReply::Wait);
    }
    if kind.is("stream") {
        return Some(ClaimReply::ReadStream(usize::try_from(answer.next()?.number()?).ok()?));
    }
    Some(ClaimReply::Jobs(Deliveries { entries: taken(answer.next()?)?, now }))
}

/// Reads what a function handed out.
fn taken(claims: Value) -> Option<Vec<Delivery>> {
    let deliveries = claims.array()?.into_iter().map(|one| {
        let [entry, deliveries, attempt, head, image, mark] = exactly(one.array()?)?;
        Some(Delivery {
            entry: String::from_utf8(entry.bytes()?).ok()?,
            deliveries: deliveries.number()?,
            attempt: u32::try_from(attempt.number()?).ok()?,
            head: head.bytes()?,
            image: image.bytes()?,
            is_alone: mark.is("1"),
            is_published: true,
        })
    });
    deliveries.collect()
}

/// The answer to a read of the streams of jobs and of nudges.
pub struct StreamReply {
    pub jobs: Deliveries,
    /// Entries of the stream of nudges.
    pub nudges: Vec<String>,
}

/// Reads the answers to a read of the streams and to `TIME`, where the stream of nudges has this name.
pub fn stream_reply(answers: Vec<Value>, nudges_stream: &str) -> Option<StreamReply> {
    let [streams, time] = exactly(answers)?;
    let [seconds, micros] = exactly(time.array()?)?;
    read_streams(streams, seconds.number()? * 1_000 + micros.number()? / 1_000, nudges_stream)
}

/// Reads the answers to a read of the streams and to `claim_rest`.
pub fn wait_reply(answers: Vec<Value>, nudges_stream: &str) -> Option<StreamReply> {
    let [streams, rest] = exactly(answers)?;
    let [now, rest] = exactly(rest.array()?)?;
    let mut reply = read_streams(streams, now.number()?, nudges_stream)?;
    reply.jobs.entries.extend(taken(rest)?);
    Some(reply)
}

fn read_streams(streams: Value, now: u64, nudges_stream: &str) -> Option<StreamReply> {
    let jobs = Deliveries { entries: Vec::new(), now };
    let mut reply = StreamReply { jobs, nudges: Vec::new() };
    for stream in streams.array()? {
        let [name, entries] = exactly(stream.array()?)?;
        for entry in entries.array()? {
            let [id, fields] = exactly(entry.array()?)?;
            let entry = String::from_utf8(id.bytes()?).ok()?;
            if name.is(nudges_stream) {
                reply.nudges.push(entry);
                continue;
            }
            let mut fields = fields.array()?;
            let head = field(&mut fields, "job").unwrap_or_default();
            let image = field(&mut fields, "image").unwrap_or_default();
            let is_alone = field(&mut fields, "alone").is_some();
            reply.jobs.entries.push(Delivery {
                entry,
                deliveries: 1,
                attempt: 1,
                head,
                image,
                is_alone,
                is_published: false,
            });
        }
    }
    Some(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_when_its_job_was_claimed_and_which_delivery_that_was() {
        let token = Token { claimed: 1_800_000_000_123, deliveries: 101 };

        assert_eq!(Token::unpack(token.pack()), token);
    }
}
