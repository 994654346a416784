//! How is a picture read without holding anybody up?
//!
//! On threads of their own, as many at once as there are cores: decoding takes processor time, and a hostile file may
//! take a lot of it. A decoder that panics costs its file, nothing else.

use std::sync::Arc;

use axum::body::Bytes;
use tokio::sync::Semaphore;
use tracing::warn;

use crate::image::Image;
use crate::image::decode::decode;
use crate::image::fit::fit;
use crate::model::Card;

/// Reads pictures for one model.
pub struct Decoder {
    card: Arc<Card>,
    room: Arc<Semaphore>,
}

impl Decoder {
    /// One for the model of this card.
    pub fn new(card: Arc<Card>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { card, room: Arc::new(Semaphore::new(cores)) }
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

fn picture(file: &[u8], card: &Card) -> Result<Image, String> {
    let picture = decode(file).map_err(|error| error.to_string())?;
    Ok(fit(&picture, card.input.shape, card.input.fit))
}
