//! How is a pod of this machine named?
//!
//! As Kubernetes would name it, so that names look alike everywhere: the part that all pods of one command share, and a
//! random part.

use std::ffi::OsString;

use sha2::{Digest, Sha256};

/// The alphabet of Kubernetes' generated names: no vowels, so no words, and no two characters that look alike.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Letters in each of the two parts after `kana-worker`.
const LETTERS: usize = 5;

/// Returns the part of the name that all pods started with `arguments` share, as those of a ReplicaSet do.
pub fn generation(arguments: &[OsString]) -> String {
    let mut hash = Sha256::new();
    for argument in arguments {
        hash.update(argument.as_encoded_bytes());
        hash.update([0]);
    }
    letters(hash.finalize().iter().copied())
}

/// Generates a name that no other pod has, such as `kana-worker-2x4lq-h7wzd`.
pub fn pod(generation: &str) -> String {
    let random: [u8; LETTERS] = rand::random();
    format!("kana-worker-{generation}-{}", letters(random.into_iter()))
}

fn letters(bytes: impl Iterator<Item = u8>) -> String {
    bytes.take(LETTERS).map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_of_one_command_share_the_first_part_of_their_name_and_not_the_second() {
        let generation = generation(&["worker".into(), "--batch-max=8".into()]);

        let (first, second) = (pod(&generation), pod(&generation));

        assert_eq!(first.len(), "kana-worker-2x4lq-h7wzd".len());
        assert_eq!(first.rsplit_once('-').unwrap().0, second.rsplit_once('-').unwrap().0);
        assert_ne!(first, second);
    }

    #[test]
    fn pods_of_another_command_are_of_another_generation() {
        assert_ne!(generation(&["a".into(), "b".into()]), generation(&["ab".into()]));
    }
}
