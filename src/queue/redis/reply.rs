//! What did Redis answer?

use redis::Value;

/// An answer taken apart; `None` wherever it is not what was asked for.
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

/// Exactly `N` values.
pub fn exactly<const N: usize>(values: Vec<Value>) -> Option<[Value; N]> {
    values.try_into().ok()
}

/// The fields of a stream entry, which are few: the value of the one called `name`.
pub fn field(fields: &mut [Value], name: &str) -> Option<Vec<u8>> {
    let at = fields.chunks_exact(2).position(|pair| pair[0].is(name))?;
    std::mem::replace(&mut fields[2 * at + 1], Value::Nil).bytes()
}
