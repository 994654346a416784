//! How do jobs get into Redis?
//!
//! The function `submit` takes the submissions of several callers, and accepts or refuses each by itself.

use std::sync::Arc;

use async_trait::async_trait;

use crate::queue::{Error, Submission};

use super::connection::Connection;
use super::encoding;
use super::group::{Call, Size};
use super::reply::{self, Reply, Submitted};

/// Bytes that Lua reads of a job beside its pixels and its file's name: ids, batch and time, twice.
const BYTES_PER_JOB: usize = 100;

/// The function `submit`.
pub struct Submit(pub Arc<Connection>);

#[async_trait]
impl Call for Submit {
    type Request = Submission;
    type Answer = Submitted;
    const ACTION: &'static str = "submit jobs";

    fn size(submission: &Submission) -> Size {
        let bytes = submission.jobs.iter().map(|job| BYTES_PER_JOB + job.filename.len() + job.image.pixels().len());
        let answer = submission.idempotency.as_ref().map_or(0, |idempotency| idempotency.answer.len());
        // One without jobs takes its time too.
        Size { jobs: submission.jobs.len().max(1), bytes: answer.saturating_add(bytes.sum()) }
    }

    async fn call(&self, submissions: &[Submission]) -> Result<Vec<Submitted>, Error> {
        let mut call = self.0.functions.call("submit");
        for submission in submissions {
            call.arg(submission.batch.as_bytes());
            call.arg(submission.name.as_ref().map_or_else(String::new, |name| format!("+{name}")));
            match &submission.idempotency {
                Some(idempotency) => call.arg(&idempotency.key).arg(&idempotency.fingerprint).arg(&idempotency.answer),
                None => call.arg("").arg("").arg(""),
            };
            call.arg(submission.jobs.len());
            for job in &submission.jobs {
                call.arg(job.id.as_bytes()).arg(encoding::queued(job)).arg(encoding::image(&job.image));
            }
        }
        let answers = self.0.ask(Self::ACTION, &call).await?.array().unwrap_or_default();
        let answers = answers.into_iter().map(reply::submitted).collect::<Option<Vec<_>>>();
        let answers = answers.filter(|answers| answers.len() == submissions.len());
        answers.ok_or_else(|| self.0.unexpected(Self::ACTION))
    }
}
