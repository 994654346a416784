//! How is a picture read without holding anybody up?
//!
//! On threads of their own, a few at once: decoding takes processor time, and a hostile file may
//! take a lot of it. A decoder that panics costs its file, nothing else.

use std::sync::Arc;

use axum::body::Bytes;
use tokio::sync::Semaphore;
use tracing::warn;

use kana_engine::image::Image;
use kana_engine::image::decode::decode;
use kana_engine::image::fit::fit;
use kana_engine::model::Card;

/// Files decoded at once, at most: a hostile one may take 300 MB.
const AT_ONCE_MAX: usize = 4;

/// Reads pictures for one model.
pub struct Decoder {
    card: Arc<Card>,
    room: Arc<Semaphore>,
}

impl Decoder {
    /// One for the model of this card.
    pub fn new(card: Arc<Card>) -> Self {
        Self { card, room: Arc::new(Semaphore::new(at_once())) }
    }

    /// The picture in a file, as the model takes it, or why there is none, in words for its sender.
    pub async fn read(&self, file: Bytes) -> Result<Image, String> {
        let Ok(permit) = self.room.clone().acquire_owned().await else {
            return Err("the gateway is ending".into());
        };
        let card = self.card.clone();
        let reading = tokio::task::spawn_blocking(move || {
            // Held here, because the thread goes on when whoever asked is gone.
            let _permit = permit;
            picture(&file, &card)
        });
        reading.await.unwrap_or_else(|error| {
            warn!(error = %error, "decoding a picture panicked");
            Err("the file could not be decoded".into())
        })
    }
}

/// How many files are decoded at once here: one a core.
pub fn at_once() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(AT_ONCE_MAX)
}

fn picture(file: &[u8], card: &Card) -> Result<Image, String> {
    let picture = decode(file).map_err(|error| error.to_string())?;
    Ok(fit(&picture, card.input.shape, card.input.fit))
}
