//! What does a gateway without a cluster return for pods and scale?
//!
//! No pods and a fixed number of them, so that the page and the API work wherever the workers run.

use std::ops::RangeInclusive;

use async_trait::async_trait;
use tokio::sync::broadcast;

use crate::pod::{Cluster, Error, Event, Pod, Scale, ScaledBy, Stop};

/// A cluster without pods: workers are started by somebody else (`--cluster none`).
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCluster;

#[async_trait]
impl Cluster for NoCluster {
    async fn pods(&self) -> Result<Vec<Pod>, Error> {
        Ok(Vec::new())
    }

    async fn stop(&self, name: &str, _how: Stop) -> Result<(), Error> {
        Err(Error::Unknown { name: name.to_owned() })
    }

    async fn scale(&self) -> Result<Scale, Error> {
        Ok(Scale { min: 0, max: 0, current: 0, desired: 0, by: ScaledBy::Fixed, paused: None })
    }

    async fn set_range(&self, _range: RangeInclusive<u32>) -> Result<Scale, Error> {
        Err(Error::Refused { reason: "this gateway controls no pods: their number is fixed".into() })
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        broadcast::Sender::new(1).subscribe()
    }
}
