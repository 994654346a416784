//! What did Redis hand out?

use redis::Value;

use super::reply::{Reply, exactly, field};

/// A lease's token: when it was claimed, and which delivery of its job that was.
pub fn token(claimed: u64, deliveries: u64) -> u64 {
    claimed << 16 | (deliveries & 0xffff)
}

/// When the lease with this token was claimed, in milliseconds, and which delivery that was.
pub fn of_token(token: u64) -> (u64, u64) {
    (token >> 16, token & 0xffff)
}

/// A stream entry, taken for a worker.
pub struct Taken {
    pub entry: String,
    pub deliveries: u64,
    pub attempt: u32,
    pub head: Vec<u8>,
    pub image: Vec<u8>,
    /// It is to be claimed alone.
    pub is_alone: bool,
}

/// What `claim` answers: the entries that it handed out, and when, in milliseconds.
pub enum Handed {
    Out(Vec<Taken>, u64),
    /// Nothing: new ones are to be read from the stream.
    Nothing,
}

/// What `claim` answers.
pub fn handed(answer: Value) -> Option<Handed> {
    let mut answer = answer.array()?.into_iter();
    let (now, kind) = (answer.next()?.number()?, answer.next()?);
    if kind.is("stream") {
        return Some(Handed::Nothing);
    }
    let taken = answer.next()?.array()?.into_iter().map(|one| {
        let [entry, deliveries, attempt, head, image, mark] = exactly(one.array()?)?;
        Some(Taken {
            entry: String::from_utf8(entry.bytes()?).ok()?,
            deliveries: deliveries.number()?,
            attempt: u32::try_from(attempt.number()?).ok()?,
            head: head.bytes()?,
            image: image.bytes()?,
            is_alone: mark.is("1"),
        })
    });
    Some(Handed::Out(taken.collect::<Option<Vec<_>>>()?, now))
}

/// What a read of the streams of jobs and of nudges brought.
pub struct News {
    pub taken: Vec<Taken>,
    /// Entries of the stream of nudges.
    pub nudges: Vec<String>,
    /// Milliseconds since the Unix epoch, by Redis's clock.
    pub now: u64,
}

/// What a read of the streams and a question for the time answer, where the one of nudges has this name.
pub fn news(answers: Vec<Value>, nudges_stream: &str) -> Option<News> {
    let [streams, time] = exactly(answers)?;
    let [seconds, micros] = exactly(time.array()?)?;
    let now = seconds.number()? * 1_000 + micros.number()? / 1_000;
    let mut news = News { taken: Vec::new(), nudges: Vec::new(), now };
    for stream in streams.array()? {
        let [name, entries] = exactly(stream.array()?)?;
        for entry in entries.array()? {
            let [id, fields] = exactly(entry.array()?)?;
            let entry = String::from_utf8(id.bytes()?).ok()?;
            if name.is(nudges_stream) {
                news.nudges.push(entry);
                continue;
            }
            let mut fields = fields.array()?;
            let head = field(&mut fields, "job").unwrap_or_default();
            let image = field(&mut fields, "image").unwrap_or_default();
            let is_alone = field(&mut fields, "alone").is_some();
            news.taken.push(Taken { entry, deliveries: 1, attempt: 1, head, image, is_alone });
        }
    }
    Some(news)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_when_it_was_claimed_and_which_delivery_that_was() {
        let (claimed, deliveries) = (1_800_000_000_123, 101);

        assert_eq!(of_token(token(claimed, deliveries)), (claimed, deliveries));
    }
}
