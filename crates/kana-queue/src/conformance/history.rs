//! What may people look at: lost attempts, runs and images?

use crate::{Cause, Loss, Submission};

use super::fixture::{Fixture, LIMITS, TICK, done, failed};

pub async fn lost_attempts_name_the_worker_and_how_each_ended(fixture: &Fixture) {
    let (id, other) = (fixture.submit_one().await, fixture.submit_one().await);

    fixture.claim_as("stopped", 1).await;
    fixture.advance(TICK).await;
    let ended = fixture.now();
    fixture.queue.reclaim(&"stopped".into(), Cause::Stopped).await.expect("an answer");
    let claim = fixture.claim_one_as("failing").await;
    fixture.settle(failed(&claim, "no such thing")).await;
    let claim = fixture.claim_one_as("good").await;
    fixture.settle(done(&claim)).await;

    let lost = fixture.queue.lost(&[other, id]).await.expect("an answer");

    let told = lost[1].iter().map(|attempt| (attempt.worker.pod(), attempt.loss.clone())).collect::<Vec<_>>();
    assert_eq!(told, [("stopped", Loss::Stopped), ("failing", Loss::Failed("no such thing".to_owned()))]);
    assert_eq!((lost[1][0].began, lost[1][0].ended), (ended.before(TICK), ended));
    assert!(lost[0].is_empty());
}

pub async fn a_released_job_lost_no_attempt(fixture: &Fixture) {
    let id = fixture.submit_one().await;

    let claim = fixture.claim_one_as("worker").await;
    fixture.queue.release(&[claim.lease]).await.expect("an answer");

    assert_eq!(fixture.queue.lost(&[id]).await.expect("an answer"), [[]]);
}

pub async fn every_attempt_of_a_dead_letter_is_told(fixture: &Fixture) {
    let id = fixture.submit_one().await;

    fixture.claim_one_as("lapsing").await;
    fixture.advance(LIMITS.lease).await;
    fixture.claim_one_as("crashing").await;
    fixture.queue.reclaim(&"crashing".into(), Cause::Crashed).await.expect("an answer");
    let last = fixture.claim_one_as("failing").await;
    fixture.settle(failed(&last, "no")).await;

    let lost = fixture.queue.lost(&[id]).await.expect("an answer").remove(0);

    let losses: Vec<Loss> = lost.into_iter().map(|attempt| attempt.loss).collect();
    assert_eq!(losses, [Loss::Expired, Loss::Crashed, Loss::Failed("no".to_owned())]);
}

pub async fn lost_attempts_are_told_as_long_as_the_outcome(fixture: &Fixture) {
    let id = fixture.submit_one().await;
    fixture.claim_one_as("stopped").await;
    fixture.queue.reclaim(&"stopped".into(), Cause::Stopped).await.expect("an answer");
    fixture.advance(LIMITS.outcome_ttl / 2).await;
    let claim = fixture.claim_one_as("good").await;
    fixture.settle(done(&claim)).await;

    fixture.advance(LIMITS.outcome_ttl - TICK).await;

    assert!(fixture.outcome(id).await.is_some());
    assert_eq!(fixture.queue.lost(&[id]).await.expect("an answer")[0].len(), 1);
}

pub async fn named_batches_are_listed_newest_first(fixture: &Fixture) {
    let mut all = Vec::new();
    for name in ["first", "", "third"] {
        let submission = Submission { name: Some(name.to_owned()), ..fixture.submission(2) };
        all.push((submission.batch, name.to_owned()));
        fixture.queue.submit(submission).await.expect("a receipt");
        fixture.submit_one().await;
    }

    let newest = fixture.queue.runs(None, 2).await.expect("an answer");
    let before = fixture.queue.runs(Some(all[1].0), 9).await.expect("an answer");

    let told = |runs: Vec<crate::Run>| runs.into_iter().map(|run| (run.batch, run.name)).collect::<Vec<_>>();
    assert_eq!(told(newest), [all[2].clone(), all[1].clone()]);
    assert_eq!(told(before), [all[0].clone()]);
}

pub async fn the_first_submission_of_a_batch_names_its_run(fixture: &Fixture) {
    let first = Submission { name: Some("first".to_owned()), ..fixture.submission(1) };
    let mut second = Submission { name: Some("second".to_owned()), ..fixture.submission(1) };
    second.batch = first.batch;
    second.jobs.iter_mut().for_each(|job| job.batch = first.batch);

    fixture.queue.submit(first.clone()).await.expect("a receipt");
    fixture.queue.submit(second).await.expect("a receipt");

    let runs = fixture.queue.runs(None, 9).await.expect("an answer");
    assert_eq!(runs.iter().map(|run| (run.batch, run.name.as_str())).collect::<Vec<_>>(), [(first.batch, "first")]);
    assert_eq!(fixture.queue.batch(first.batch).await.expect("an answer").len(), 2);
}

pub async fn an_image_is_kept_while_its_job_waits_runs_or_is_a_dead_letter(fixture: &Fixture) {
    let submission = fixture.submission(1);
    let (id, image) = (submission.jobs[0].id, submission.jobs[0].image.clone());
    fixture.queue.submit(submission).await.expect("a receipt");

    let waiting = fixture.queue.image(id).await.expect("an answer");
    fixture.dead_letter("worker", "no").await;
    let dead = fixture.queue.image(id).await.expect("an answer");
    let unknown = fixture.queue.image(crate::job::JobId::new()).await.expect("an answer");

    assert_eq!((waiting, dead, unknown), (Some(image.clone()), Some(image), None));
}

pub async fn an_image_can_be_looked_at_after_its_job(fixture: &Fixture) {
    let submission = fixture.submission(1);
    let (id, image) = (submission.jobs[0].id, submission.jobs[0].image.clone());
    fixture.queue.submit(submission).await.expect("a receipt");

    let claim = fixture.claim_one_as("worker").await;
    fixture.settle(done(&claim)).await;

    assert_eq!(fixture.queue.image(id).await.expect("an answer"), Some(image));
}
