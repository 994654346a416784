//! How is an image decoded without delaying other requests?
//!
//! On threads for blocking work, a few files at once: decoding takes processor time, and a hostile file may take a lot
//! of it. A decoder that panics fails its file and nothing else.

use std::sync::Arc;

use axum::body::Bytes;
use tokio::sync::Semaphore;
use tracing::warn;

use kana_engine::image::Image;
use kana_engine::image::decode::decode;
use kana_engine::image::fit::fit;
use kana_engine::model::Card;

/// Largest number of files decoded at once: a hostile one may take 300 MB.
const PARALLEL_MAX: usize = 4;

/// Decodes images for one model.
pub struct Decoder {
    card: Arc<Card>,
    permits: Arc<Semaphore>,
}

impl Decoder {
    /// Creates a decoder for the model of this card.
    pub fn new(card: Arc<Card>) -> Self {
        Self { card, permits: Arc::new(Semaphore::new(parallel())) }
    }

    /// Decodes a file into the model's shape.
    ///
    /// # Errors
    /// Reason of the refusal, in words for the client.
    pub async fn decode(&self, file: Bytes) -> Result<Image, String> {
        let Ok(permit) = self.permits.clone().acquire_owned().await else {
            return Err("the gateway is ending".into());
        };
        let card = self.card.clone();
        let decoding = tokio::task::spawn_blocking(move || {
            // Held here, because the thread goes on when its request is gone.
            let _permit = permit;
            decode_and_fit(&file, &card)
        });
        decoding.await.unwrap_or_else(|error| {
            warn!(error = %error, "decoding an image panicked");
            Err("the file could not be decoded".into())
        })
    }
}

/// Returns the number of files to decode at once on this machine: one per core, at most [`PARALLEL_MAX`].
pub fn parallel() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(PARALLEL_MAX)
}

fn decode_and_fit(file: &[u8], card: &Card) -> Result<Image, String> {
    let picture = decode(file).map_err(|error| error.to_string())?;
    Ok(fit(&picture, card.input.shape, card.input.fit))
}
