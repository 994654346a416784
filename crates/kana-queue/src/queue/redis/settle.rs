//! How do jobs in Redis get their outcomes?
//!
//! The function `settle` takes the settlements of several callers, and answers each by itself.

use std::sync::Arc;

use async_trait::async_trait;

use crate::queue::{Error, Lease, Settled, Settlement};

use super::claim::Claims;
use super::connection::Connection;
use super::delivery::Token;
use super::encoding;
use super::group::{Call, Size};
use super::reply::Reply;

/// Bytes that Lua reads of a settlement: a job, a worker and an answer of a few labels, or a reason.
const BYTES_PER_SETTLEMENT: usize = 200;

/// Jobs that a failed one counts as: its stream entry is read, with its pixels, and perhaps written anew.
const JOBS_PER_FAILURE: usize = 2;

/// The function `settle`.
pub struct Settle {
    pub connection: Arc<Connection>,
    pub claims: Arc<Claims>,
}

#[async_trait]
impl Call for Settle {
    type Request = Vec<Settlement>;
    type Answer = Vec<Settled>;
    const ACTION: &'static str = "settle jobs";

    fn size(settlements: &Vec<Settlement>) -> Size {
        let jobs = settlements.iter().map(|Settlement { result, .. }| match result {
            Ok(_) => 1,
            Err(_) => JOBS_PER_FAILURE,
        });
        Size { jobs: jobs.sum(), bytes: settlements.len().saturating_mul(BYTES_PER_SETTLEMENT) }
    }

    async fn call(&self, requests: &[Vec<Settlement>]) -> Result<Vec<Vec<Settled>>, Error> {
        let mut call = self.connection.functions.call("settle");
        for Settlement { lease: Lease { job, worker, token }, result } in requests.iter().flatten() {
            let Token { claimed, deliveries } = Token::unpack(*token);
            call.arg(job.as_bytes()).arg(worker).arg(deliveries).arg(&claimed.to_be_bytes());
            match result {
                Ok(inference) => call.arg("1").arg(encoding::done_tail(worker, inference)),
                Err(why) => call.arg("0").arg(why),
            };
        }
        let mut answers = self.connection.ask(Self::ACTION, &call).await?.array().unwrap_or_default().into_iter();
        let each = requests.iter().map(|settlements| answers.by_ref().take(settlements.len()).map(settled).collect());
        let each = each.collect::<Option<Vec<Vec<_>>>>();
        let is_complete = |each: &Vec<Vec<_>>| each.iter().map(Vec::len).eq(requests.iter().map(Vec::len));
        let each = each.filter(is_complete).ok_or_else(|| self.connection.unexpected(Self::ACTION))?;
        self.claims.delivered.remove(requests.iter().flatten().map(|settlement| &settlement.lease));
        Ok(each)
    }
}

/// Reads what became of one settlement.
fn settled(answer: redis::Value) -> Option<Settled> {
    match answer.bytes()?.as_slice() {
        b"done" => Some(Settled::Done),
        b"retried" => Some(Settled::Retried),
        b"dead" => Some(Settled::Dead),
        b"late" => Some(Settled::Late),
        _ => None,
    }
}
