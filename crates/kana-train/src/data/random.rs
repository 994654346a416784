//! Which random numbers belong to this very image, in this very epoch?
//!
//! Every choice draws from a stream of its own, named by what it is for. So no choice depends on the order in which
//! others were made, on threads, or on how often a run was interrupted.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// What a stream of random numbers is for. A stream is never used for two things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Which images are held out.
    Split,
    /// The first weights.
    Weights,
    /// The order of an epoch's images.
    Order,
    /// How an image is distorted.
    Augment,
    /// Which activations are dropped.
    Dropout,
    /// How a drawn kana differs from the next one.
    Strokes,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Split => "split",
            Self::Weights => "weights",
            Self::Order => "order",
            Self::Augment => "augment",
            Self::Dropout => "dropout",
            Self::Strokes => "strokes",
        }
    }
}

/// The stream of `purpose` under `seed`; `key` tells apart what the purpose has many of (a class, an epoch, an image).
pub fn stream(seed: u64, purpose: Purpose, key: [u64; 2]) -> ChaCha8Rng {
    let mut digest = Sha256::new();
    digest.update(purpose.name());
    for number in [seed, key[0], key[1]] {
        digest.update(number.to_le_bytes());
    }
    ChaCha8Rng::from_seed(digest.finalize().into())
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    #[test]
    fn a_stream_depends_on_all_of_its_name() {
        let first = |seed, purpose, key| stream(seed, purpose, key).next_u64();

        let one = first(1, Purpose::Split, [2, 3]);

        assert_eq!(one, first(1, Purpose::Split, [2, 3]));
        for other in [
            first(2, Purpose::Split, [2, 3]),
            first(1, Purpose::Order, [2, 3]),
            first(1, Purpose::Split, [3, 2]),
            first(1, Purpose::Split, [2, 4]),
        ] {
            assert_ne!(one, other);
        }
    }
}
