//! Which random numbers belong to this image in this epoch?
//!
//! Every random choice has its own stream, whose key says what it is for: the ChaCha8 generator seeded with a SHA-256 of
//! seed, purpose and key. So no choice depends on the order of other choices, on the number of threads, or on how often a
//! run was interrupted.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// Purpose of a stream of random numbers. No stream serves two purposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Selection of the images that are held out.
    Split,
    /// Fold of each image.
    Folds,
    /// Initial weights.
    Weights,
    /// Order of the images in an epoch.
    Order,
    /// Distortion of an image.
    Augment,
    /// Images that are mixed into others.
    Mixup,
    /// Selection of the activations that dropout sets to zero.
    Dropout,
    /// Variation between two drawings of the same kana.
    Strokes,
}

impl Purpose {
    /// Returns the name that enters the seed of the stream: a changed name changes every model.
    fn name(self) -> &'static str {
        match self {
            Self::Split => "split",
            Self::Folds => "folds",
            Self::Weights => "weights",
            Self::Order => "order",
            Self::Augment => "augment",
            Self::Mixup => "mixup",
            Self::Dropout => "dropout",
            Self::Strokes => "strokes",
        }
    }
}

/// Returns the stream of `purpose` under `seed`. The `key` distinguishes streams of one purpose (by class, epoch, image).
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
    fn a_stream_depends_on_seed_purpose_and_key() {
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
