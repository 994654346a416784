//! How is an image decoded without delaying other requests, and within bounded memory?
//!
//! A picture as small as a character is decoded at once, in less time than handing it to another thread takes. The rest
//! goes to threads for blocking work, as many files at once as there are cores and memory for: a decoder needs between
//! a few kilobytes and 200 MB, which the file's header tells in advance. Large pictures are decoded one after the
//! other, so that small ones always find memory and a core. A decoder that panics fails its file and nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use axum::body::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;

use crate::gateway::config::Config;
use kana_engine::image::Image;
use kana_engine::image::decode::{MEMORY_MIN, decode, memory_needed};
use kana_engine::image::fit::fit;
use kana_engine::model::Card;

/// Largest number of files decoded at once: more threads gain nothing over the queue.
const PARALLEL_MAX: usize = 4;

/// Memory for small pictures, in bytes, which large ones never take. A picture that needs more than this is large: a
/// photograph of 2 megapixels is.
const SMALL_BYTES: usize = 16 << 20;

/// Bytes of a file, and of memory that grows with the picture, up to which decoding takes some ten microseconds: the file's
/// own bytes three times over, and some 64 × 64 pixels.
const TINY_FILE_BYTES: usize = 4 << 10;
const TINY_BYTES: usize = 32 << 10;

/// Reason why a picture that shows nothing is refused, where it is.
const BLANK: &str = "the picture is blank: it has a single colour, or nothing but shading and noise";

/// Decodes images for one model.
pub struct Decoder {
    card: Arc<Card>,
    threads: Arc<Semaphore>,
    /// Memory for small pictures, in bytes.
    small: Arc<Semaphore>,
    /// Permit to decode a large picture, in the rest of the memory.
    large: Arc<Semaphore>,
    large_max: usize,
    reject_blank: bool,
}

impl Decoder {
    /// Creates a decoder for the model of this card, within the memory that `config` has for it.
    pub fn new(card: Arc<Card>, config: &Config) -> Self {
        let [threads, small, large] = [parallel(), SMALL_BYTES, 1].map(|permits| Arc::new(Semaphore::new(permits)));
        let large_max = config.limits.decode_bytes_max.saturating_sub(SMALL_BYTES);
        Self { card, threads, small, large, large_max, reject_blank: config.reject_blank }
    }

    /// Decodes a file into the model's shape.
    ///
    /// # Errors
    /// Reason of the refusal, in words for the client.
    pub async fn decode(&self, file: Bytes) -> Result<Image, String> {
        let needed = usize::try_from(memory_needed(&file)).unwrap_or(usize::MAX);
        if needed > self.large_max.max(SMALL_BYTES) {
            let mebibytes = |bytes: usize| bytes.div_ceil(1 << 20);
            let (needed, max) = (mebibytes(needed), mebibytes(self.large_max));
            return Err(format!("the picture needs {needed} MiB to decode, and this gateway has {max} MiB for one"));
        }
        let (card, reject_blank) = (self.card.clone(), self.reject_blank);
        let is_tiny = file.len() <= TINY_FILE_BYTES && needed.saturating_sub(MEMORY_MIN as usize) <= TINY_BYTES;
        let decode = move || {
            // Nothing that the closure shares is changed by it, so that nothing half-changed is seen after a panic.
            catch_unwind(AssertUnwindSafe(|| {
                let image = decode_and_fit(&file, &card)?;
                if reject_blank && image.is_blank() { Err(BLANK.into()) } else { Ok(image) }
            }))
            .unwrap_or_else(|_| {
                warn!("decoding an image panicked");
                Err("the file could not be decoded".into())
            })
        };
        if is_tiny {
            return decode();
        }
        let Some(room) = self.room(needed).await else { return Err("the gateway is ending".into()) };
        let decoding = tokio::task::spawn_blocking(move || {
            // Held here, because the thread goes on when its request is gone.
            let _room = room;
            decode()
        });
        decoding.await.unwrap_or_else(|_| Err("the gateway is ending".into()))
    }

    /// Waits for `needed` bytes, which is at most what there is, and then for a thread; `None` never in practice, because
    /// no semaphore is closed.
    async fn room(&self, needed: usize) -> Option<[OwnedSemaphorePermit; 2]> {
        let memory = match u32::try_from(needed) {
            Ok(bytes) if needed <= SMALL_BYTES => self.small.clone().acquire_many_owned(bytes).await,
            _ => self.large.clone().acquire_owned().await,
        };
        Some([memory.ok()?, self.threads.clone().acquire_owned().await.ok()?])
    }
}

/// Returns the number of files to decode at once on this machine: one per core, at most [`PARALLEL_MAX`].
pub fn parallel() -> usize {
    // Asked once: the answer takes several files of /proc and /sys, which would be read for every request.
    static CORES: LazyLock<usize> =
        LazyLock::new(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    PARALLEL_MAX.min(*CORES)
}

fn decode_and_fit(file: &[u8], card: &Card) -> Result<Image, String> {
    let picture = decode(file).map_err(|error| error.to_string())?;
    Ok(fit(&picture, card.input.shape, card.input.fit))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use futures::FutureExt as _;
    use image::{DynamicImage, ImageFormat};
    use kana_engine::model::Artifact;

    use super::*;

    fn picture(side: u32, format: ImageFormat) -> Bytes {
        let mut file = Cursor::new(Vec::new());
        DynamicImage::new_luma8(side, side).write_to(&mut file, format).unwrap();
        file.into_inner().into()
    }

    #[tokio::test]
    async fn a_picture_as_small_as_a_character_waits_for_no_thread_and_a_larger_one_does() {
        let card = Artifact::built_in().unwrap().card().clone();
        let decoder = Decoder::new(card, &Config::new(([127, 0, 0, 1], 0).into()));

        for (format, side) in [(ImageFormat::Png, 28), (ImageFormat::Png, 64), (ImageFormat::Bmp, 28)] {
            let decoded = decoder.decode(picture(side, format)).now_or_never();
            assert!(matches!(decoded, Some(Ok(_))), "{format:?} of {side} × {side}: {decoded:?}");
        }
        let decoded = decoder.decode(picture(300, ImageFormat::Png)).now_or_never();
        assert!(decoded.is_none(), "{decoded:?}");
    }
}
