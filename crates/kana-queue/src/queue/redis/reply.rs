//! What did Redis answer?
//!
//! An answer is taken apart here, and `None` wherever it is not of the expected shape: what that means, the caller says.

use redis::Value;

use crate::WorkerId;
use crate::job::BatchId;
use crate::queue::{Depth, Receipt};

use super::encoding;

/// The parts of an answer; `None` wherever it is of another shape.
pub trait Reply: Sized {
    fn array(self) -> Option<Vec<Value>>;
    fn bytes(self) -> Option<Vec<u8>>;
    fn number(&self) -> Option<u64>;
    fn is(&self, word: &str) -> bool;
}

impl Reply for Value {
    fn array(self) -> Option<Vec<Value>> {
        match self {
            Self::Array(values) => Some(values),
            Self::Nil => Some(Vec::new()),
            _ => None,
        }
    }

    fn bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::BulkString(bytes) => Some(bytes),
            Self::SimpleString(text) => Some(text.into_bytes()),
            _ => None,
        }
    }

    fn number(&self) -> Option<u64> {
        match self {
            Self::Int(number) => u64::try_from(*number).ok(),
            Self::BulkString(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
            _ => None,
        }
    }

    fn is(&self, word: &str) -> bool {
        match self {
            Self::BulkString(bytes) => bytes == word.as_bytes(),
            Self::SimpleString(text) => text == word,
            _ => false,
        }
    }
}

/// Returns exactly `N` values.
pub fn exactly<T, const N: usize>(values: Vec<T>) -> Option<[T; N]> {
    values.try_into().ok()
}

/// Reads exactly `N` numbers.
pub fn numbers<const N: usize>(answer: Value) -> Option<[u64; N]> {
    exactly(answer.array()?.iter().map(Reply::number).collect::<Option<Vec<_>>>()?)
}

/// Takes the value of the field `name` out of a stream entry's few fields.
pub fn field(fields: &mut [Value], name: &str) -> Option<Vec<u8>> {
    let at = fields.chunks_exact(2).position(|pair| pair[0].is(name))?;
    std::mem::replace(&mut fields[2 * at + 1], Value::Nil).bytes()
}

/// The result of a submission.
pub enum Submitted {
    Receipt(Receipt),
    Full,
    /// The idempotency key was used with another body.
    KeyReused,
}

/// Reads the answer of `submit`.
pub fn submitted(answer: Value) -> Option<Submitted> {
    let mut words = answer.array()?.into_iter();
    let word = words.next()?.bytes()?;
    match word.as_slice() {
        b"accepted" => Some(Submitted::Receipt(Receipt::Accepted)),
        b"full" => Some(Submitted::Full),
        b"reused" => Some(Submitted::KeyReused),
        b"repeated" => {
            let batch = BatchId::from_bytes(words.next()?.bytes()?.try_into().ok()?);
            let answer = String::from_utf8(words.next()?.bytes()?).ok()?;
            Some(Submitted::Receipt(Receipt::Repeated { batch, answer }))
        }
        _ => None,
    }
}

/// Reads the answer of `depth`.
pub fn depth(answer: Value) -> Option<Depth> {
    let [waiting, dead, oldest, running] = exactly(answer.array()?)?;
    let count = |value: &Value| value.number().and_then(|count| usize::try_from(count).ok());
    let (waiting, dead, oldest) = (count(&waiting)?, count(&dead)?, encoding::time(&oldest.bytes()?));
    let mut depth = Depth { waiting, dead, oldest, ..Depth::default() };
    for pair in running.array()?.chunks_exact(2) {
        let worker = String::from_utf8(pair[0].clone().bytes()?).ok()?;
        depth.running.insert(WorkerId::from(worker.as_str()), count(&pair[1])?);
    }
    Some(depth)
}
