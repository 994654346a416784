//! Which images can still be looked at once their jobs are over?
//!
//! The latest, as many as fit into [`BYTES_MAX`]: for people, who want to see what the model saw. Nothing depends on
//! them, so nothing is written for them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::job::{Job, JobId};
use kana_engine::image::Image;

/// Bytes of pixels kept: 20,000 images of 28 × 28, 100 of 224 × 224 in colour.
const BYTES_MAX: usize = 16 << 20;

/// Jobs that are over, or soon will be, with their pixels.
#[derive(Debug, Default)]
pub struct Pictures {
    jobs: HashMap<JobId, Arc<Job>>,
    /// Oldest first.
    order: VecDeque<JobId>,
    bytes: usize,
}

impl Pictures {
    /// Keeps the pixels of a job, in place of the oldest ones where there is no room.
    pub fn keep(&mut self, job: Arc<Job>) {
        let (id, bytes) = (job.id, job.image.pixels().len());
        if bytes == 0 || bytes > BYTES_MAX || self.jobs.insert(id, job).is_some() {
            return;
        }
        self.order.push_back(id);
        self.bytes += bytes;
        while self.bytes > BYTES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.bytes -= self.jobs.remove(&oldest).map_or(0, |job| job.image.pixels().len());
        }
    }

    /// The pixels of a job, where they are kept.
    pub fn image(&self, id: JobId) -> Option<&Image> {
        self.jobs.get(&id).map(|job| &job.image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::job::BatchId;
    use kana_engine::image::Shape;

    fn a_job(bytes: usize) -> Arc<Job> {
        let shape = Shape { channels: 1, height: 1, width: bytes };
        let image = Image::new(shape, vec![7; bytes]).expect("as many samples as the shape has");
        let (id, batch) = (JobId::new(), BatchId::new());
        Arc::new(Job { id, batch, filename: String::new(), image, submitted: Timestamp::default() })
    }

    #[test]
    fn the_oldest_pictures_make_room_for_new_ones() {
        let mut pictures = Pictures::default();
        let jobs: Vec<_> = (0..3).map(|_| a_job(BYTES_MAX / 2)).collect();

        jobs.iter().for_each(|job| pictures.keep(Arc::clone(job)));
        pictures.keep(Arc::clone(&jobs[1]));

        let kept: Vec<bool> = jobs.iter().map(|job| pictures.image(job.id).is_some()).collect();
        assert_eq!((kept, pictures.bytes), (vec![false, true, true], BYTES_MAX));
    }
}
