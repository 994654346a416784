//! What is answered about pods where nobody here keeps any?

use std::ops::RangeInclusive;

use async_trait::async_trait;
use tokio::sync::broadcast;

use crate::pod::{Cluster, Error, Event, Pod, Scale, ScaledBy, Stop};

/// No cluster: the gateway runs alone, and workers are started by other hands.
#[derive(Debug)]
pub struct Absent {
    events: broadcast::Sender<Event>,
}

impl Absent {
    /// One without pods, for ever.
    pub fn new() -> Self {
        Self { events: broadcast::Sender::new(1) }
    }
}

impl Default for Absent {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Cluster for Absent {
    async fn pods(&self) -> Result<Vec<Pod>, Error> {
        Ok(Vec::new())
    }

    async fn stop(&self, name: &str, _how: Stop) -> Result<(), Error> {
        Err(Error::Unknown { name: name.to_owned() })
    }

    async fn scale(&self) -> Result<Scale, Error> {
        Ok(Scale { min: 0, max: 0, current: 0, desired: 0, by: ScaledBy::Fixed })
    }

    async fn set_range(&self, _range: RangeInclusive<u32>) -> Result<Scale, Error> {
        Err(Error::Refused { reason: "this gateway keeps no pods, so it has no range to set".into() })
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}
