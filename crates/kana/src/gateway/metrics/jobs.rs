//! How long does each phase of a job take, how do jobs end, and what does the model answer?
//!
//! Phases of an upload are measured by the gateway that takes it. Jobs are measured when their outcome is published, by
//! every gateway and whoever did the work: numbers of several gateways are compared, never added. Each series exists from
//! the start, at zero, and every recording is a few additions.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use kana_engine::model::Card;
use kana_queue::clock::Timestamp;
use kana_queue::job::{Outcome, Verdict};

/// Upper bounds of the phases' buckets, in seconds: from a decoded character to the longest wait.
const PHASE_BUCKETS: [f64; 13] = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0, 300.0];

/// Upper bounds of the confidence's buckets. Most answers are above 0.9, and what changes is how many are not.
const CONFIDENCE_BUCKETS: [f64; 8] = [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0];

/// Digits of a model's digest: enough to tell two models apart.
const DIGEST_DIGITS: usize = 12;

/// Phase of an upload, in the gateway that takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadPhase {
    /// The body is read.
    Receive,
    /// The files are decoded and fitted to the model's shape.
    Decode,
    /// The queue stores the jobs.
    Submit,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabel {
    phase: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CauseLabel {
    cause: &'static str,
}

/// Label of a class: those of the model's card, of which there are 1,000 at most.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabel {
    class: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModelLabels {
    name: String,
    digest: String,
}

type Durations = Family<PhaseLabel, Histogram, fn() -> Histogram>;

/// The metrics of uploads, jobs and answers.
pub struct Jobs {
    uploads: Durations,
    upload_phases: [Histogram; 3],
    jobs: Durations,
    queue_wait: Histogram,
    inference: Histogram,
    whole: Histogram,
    dead_letters: Family<CauseLabel, Counter>,
    dead_failed: Counter,
    dead_lost: Counter,
    answers: Family<ClassLabel, Counter>,
    classes: Vec<Counter>,
    blanks: Counter,
    confidence: Histogram,
    model: Family<ModelLabels, Gauge>,
}

impl Jobs {
    /// Creates the metrics of a gateway that has seen no job yet; `card` is the model's, whose classes are counted.
    pub fn new(card: Option<&Card>) -> Self {
        let durations = || Durations::new_with_constructor(|| Histogram::new(PHASE_BUCKETS));
        let of = |family: &Durations, phase| family.get_or_create_owned(&PhaseLabel { phase });
        let (uploads, jobs, dead_letters) = (durations(), durations(), Family::<CauseLabel, Counter>::default());
        let (answers, model) = (Family::<ClassLabel, Counter>::default(), Family::<ModelLabels, Gauge>::default());
        let labels = card.map_or(&[][..], |card| &card.labels);
        let class = |label: &String| answers.get_or_create_owned(&ClassLabel { class: label.clone() });
        if let Some(card) = card {
            model.get_or_create(&ModelLabels { name: card.name.clone(), digest: digest(card) }).set(1);
        }
        Self {
            upload_phases: ["receive", "decode", "submit"].map(|phase| of(&uploads, phase)),
            queue_wait: of(&jobs, "queue_wait"),
            inference: of(&jobs, "inference"),
            whole: of(&jobs, "whole"),
            dead_failed: dead_letters.get_or_create_owned(&CauseLabel { cause: "failed" }),
            dead_lost: dead_letters.get_or_create_owned(&CauseLabel { cause: "worker_lost" }),
            classes: labels.iter().map(class).collect(),
            blanks: Counter::default(),
            confidence: Histogram::new(CONFIDENCE_BUCKETS),
            uploads,
            jobs,
            dead_letters,
            answers,
            model,
        }
    }

    /// Registers all of them.
    pub fn register(&self, to: &mut Registry) {
        let help = "Time of an upload's phases in this gateway: receive, decode, submit";
        to.register_with_unit("upload_phase", help, Unit::Seconds, self.uploads.clone());
        let help = "Time of the phases of jobs that are done: queue_wait to the claim, inference in the engine, whole from \
                    the upload to the outcome";
        to.register_with_unit("job_phase", help, Unit::Seconds, self.jobs.clone());
        let help = "Jobs that became dead letters, by cause: failed by a worker, or with it (crash, lease expired)";
        to.register("dead_letters", help, self.dead_letters.clone());
        to.register("answers", "Answers of the model, by class", self.answers.clone());
        to.register("answers_blank", "Answers for pictures that show nothing", self.blanks.clone());
        to.register("answer_confidence", "Confidence of the answers", self.confidence.clone());
        let help = "Model that images are fitted to: name, and the first digits of its weights' SHA-256";
        to.register("model_info", help, self.model.clone());
    }

    /// Records a phase of an upload.
    pub fn record_upload(&self, phase: UploadPhase, took: Duration) {
        let [receive, decode, submit] = &self.upload_phases;
        let histogram = match phase {
            UploadPhase::Receive => receive,
            UploadPhase::Decode => decode,
            UploadPhase::Submit => submit,
        };
        histogram.observe(took.as_secs_f64());
    }

    /// Records the outcome of a job that was submitted at this time.
    pub fn record_outcome(&self, submitted: Timestamp, outcome: &Outcome) {
        match &outcome.verdict {
            Verdict::Done { prediction, inference, blank } => {
                self.queue_wait.observe(outcome.queued.as_secs_f64());
                self.inference.observe(inference.as_secs_f64());
                self.whole.observe(outcome.settled.since(submitted).as_secs_f64());
                self.confidence.observe(prediction.confidence.into());
                if *blank {
                    self.blanks.inc();
                }
                // A worker with another model may name a class that this one does not have.
                if let Some(answers) = self.classes.get(prediction.class) {
                    answers.inc();
                }
            }
            // No worker settled what a crash or an expired lease ended.
            Verdict::Failed { .. } if outcome.worker.is_none() => _ = self.dead_lost.inc(),
            Verdict::Failed { .. } => _ = self.dead_failed.inc(),
            Verdict::Cancelled => {}
        }
    }
}

/// The first digits of the digests of all files of weights.
fn digest(card: &Card) -> String {
    let digests: Vec<&str> =
        card.members.iter().map(|member| member.sha256.get(..DIGEST_DIGITS).unwrap_or_default()).collect();
    digests.join("-")
}

#[cfg(test)]
mod tests {
    use kana_engine::model::Artifact;
    use kana_queue::WorkerId;
    use kana_queue::job::Outcome;

    use super::*;
    use crate::telemetry::exposition::Exposition;

    fn text(jobs: &Jobs) -> String {
        let mut registry = Registry::with_prefix("kana");
        jobs.register(&mut registry);
        Exposition::Plain.write(&registry).unwrap()
    }

    fn outcome(worker: Option<WorkerId>, verdict: Verdict) -> Outcome {
        Outcome { settled: Timestamp::from_millis(3_000), worker, queued: Duration::from_secs(1), verdict }
    }

    #[test]
    fn a_dead_letter_is_counted_as_failed_by_a_worker_or_lost_with_it() {
        let jobs = Jobs::new(None);

        let failed = || Verdict::Failed { reason: "it is broken".into() };
        jobs.record_outcome(Timestamp::from_millis(0), &outcome(Some(WorkerId::of_pod("a")), failed()));
        jobs.record_outcome(Timestamp::from_millis(0), &outcome(None, failed()));
        jobs.record_outcome(Timestamp::from_millis(0), &outcome(None, failed()));

        let text = text(&jobs);
        assert!(text.contains("kana_dead_letters_total{cause=\"failed\"} 1\n"), "{text}");
        assert!(text.contains("kana_dead_letters_total{cause=\"worker_lost\"} 2\n"), "{text}");
    }

    #[test]
    fn an_answer_is_counted_with_its_class_its_confidence_and_its_times() {
        let artifact = Artifact::built_in().unwrap();
        let jobs = Jobs::new(Some(artifact.card()));
        let probabilities = vec![0.0, 0.75, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let prediction = kana_engine::Prediction::from_probabilities(probabilities, &artifact.card().labels).unwrap();

        let verdict = Verdict::Done { prediction, inference: Duration::from_millis(2), blank: true };
        jobs.record_outcome(Timestamp::from_millis(500), &outcome(Some(WorkerId::of_pod("a")), verdict));

        let text = text(&jobs);
        for line in [
            "kana_answers_total{class=\"き\"} 1",
            "kana_answers_total{class=\"お\"} 0",
            "kana_answers_blank_total 1",
            "kana_answer_confidence_bucket{le=\"0.8\"} 1",
            "kana_answer_confidence_bucket{le=\"0.7\"} 0",
            "kana_job_phase_seconds_sum{phase=\"queue_wait\"} 1.0",
            "kana_job_phase_seconds_sum{phase=\"inference\"} 0.002",
            "kana_job_phase_seconds_sum{phase=\"whole\"} 2.5",
            "kana_upload_phase_seconds_count{phase=\"decode\"} 0",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn the_model_is_named_with_the_digest_of_its_weights() {
        let artifact = Artifact::built_in().unwrap();
        let digest = &artifact.card().members[0].sha256[..12];

        let text = text(&Jobs::new(Some(artifact.card())));

        let line = format!("kana_model_info{{name=\"{}\",digest=\"{digest}\"}} 1\n", artifact.card().name);
        assert!(text.contains(&line), "{line} is missing in\n{text}");
    }

    #[test]
    fn a_class_whose_label_ends_its_quotes_makes_one_line() {
        let mut card = (**Artifact::built_in().unwrap().card()).clone();
        card.labels[0] = "a\"b\n".into();

        let text = text(&Jobs::new(Some(&card)));

        assert!(text.contains("kana_answers_total{class=\"a\\\"b\\n\"} 0\n"), "{text}");
    }
}
