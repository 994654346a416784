//! Does a queue keep the promises of [`Queue`](crate::Queue)?
//!
//! One function a promise, or a clause of one, each with a name that says what it tests. Any implementation can be run
//! through all of them, one of your own too: write a [`Harness`] that opens it, and let
//! [`conformance_tests!`](crate::conformance_tests) make a test of each promise.
//!
//! ```
//! use std::sync::Arc;
//!
//! use kana_queue::clock::Clock;
//! use kana_queue::conformance::Harness;
//! use kana_queue::memory::Memory;
//! use kana_queue::{Limits, Queue};
//!
//! struct InMemory;
//!
//! impl Harness for InMemory {
//!     fn open(&self, limits: Limits, clock: Arc<dyn Clock>) -> Box<dyn Queue> {
//!         Box::new(Memory::new(limits, clock))
//!     }
//! }
//!
//! mod memory {
//!     kana_queue::conformance_tests!(super::InMemory);
//! }
//! ```
//!
//! No promise takes a real second: the suite moves the queue's clock by hand. A queue that goes by a server's clock has
//! that one moved through [`Harness::clock_moved`]. Outside of a test, [`PROMISES`] has every promise as a function.

#[doc(hidden)]
pub mod attempts;
#[doc(hidden)]
pub mod changes;
#[doc(hidden)]
pub mod dead_letters;
#[doc(hidden)]
pub mod durability;
mod fixture;
#[doc(hidden)]
pub mod history;
#[doc(hidden)]
pub mod leases;
#[doc(hidden)]
pub mod outcomes;
#[doc(hidden)]
pub mod reading;
#[doc(hidden)]
pub mod submissions;
#[doc(hidden)]
pub mod waiting;

use futures::future::BoxFuture;

pub use fixture::{
    Fixture, Harness, LIMITS, LONG, NOW, START, TICK, a_job, an_answer, done, done_as, failed, ids, is_full,
};

/// One promise, as a function that panics where a queue breaks it.
#[derive(Clone, Copy, Debug)]
pub struct Promise {
    /// The subject of the promise, such as `leases`.
    pub subject: &'static str,
    /// The promise as a sentence, with underscores between its words.
    pub name: &'static str,
    /// Tests the promise. Panics where the queue breaks it.
    pub check: for<'a> fn(&'a Fixture) -> BoxFuture<'a, ()>,
}

/// Makes a `#[tokio::test]` of every promise of [`Queue`](crate::Queue), for the queues of a
/// [`Harness`](crate::conformance::Harness).
///
/// The argument is an expression for the harness, evaluated anew in each test. Put the macro in a module of its own:
/// the tests of two queues have the same names. The crate that uses the macro depends on `tokio` with the features
/// `macros` and `rt`.
#[macro_export]
macro_rules! conformance_tests {
    ($harness:expr) => {
        $crate::conformance_tests! { @each_promise tests $harness }
    };
    (@tests {$($subject:ident {$($name:ident)*})*} $harness:expr) => {
        $($(
            #[tokio::test]
            async fn $name() {
                let fixture = $crate::conformance::Fixture::new($harness);
                $crate::conformance::$subject::$name(&fixture).await;
            }
        )*)*
    };
    (@table {$($subject:ident {$($name:ident)*})*}) => {
        &[$($(
            $crate::conformance::Promise {
                subject: stringify!($subject),
                name: stringify!($name),
                check: |fixture| Box::pin($crate::conformance::$subject::$name(fixture)),
            },
        )*)*]
    };
    (@each_promise $then:ident $($harness:expr)?) => {
        $crate::conformance_tests! {
            @$then {
                durability {
                    an_accepted_job_waits_until_somebody_claims_it
                    a_claim_hands_over_the_job_as_it_was_submitted
                    a_settled_job_has_the_outcome_that_its_worker_gave
                    an_outcome_says_whether_its_image_was_blank
                    jobs_are_claimed_oldest_first_and_no_more_than_the_limit
                    jobs_submitted_twice_by_an_unsure_sender_are_accepted_once
                    a_claim_that_is_dropped_releases_its_jobs
                }
                outcomes {
                    the_first_settlement_wins_and_later_ones_are_late
                    settling_again_is_harmless
                    an_answer_whose_lease_has_expired_still_wins_when_it_comes_first
                    a_failure_from_a_lost_lease_is_late
                    no_job_is_leased_to_two_workers_at_once
                    outcomes_are_kept_however_often_they_are_read_until_their_time_to_live_ends
                    a_clock_set_back_takes_no_outcome_away
                }
                leases {
                    a_job_whose_lease_expires_goes_to_another_worker
                    extend_keeps_a_lease_alive
                    a_worker_that_lost_its_lease_learns_of_it
                    a_lease_on_a_settled_job_is_lost
                    time_in_which_nobody_was_heard_is_no_lapse
                    a_clock_set_back_holds_no_job_for_longer_than_a_lease
                    a_clock_corrected_by_a_moment_costs_no_worker_its_lease
                    released_jobs_wait_again_at_once_and_lose_no_attempt
                    released_jobs_wait_first_in_line
                    a_lost_lease_releases_nothing
                }
                attempts {
                    after_attempts_max_failures_a_job_is_a_dead_letter_with_its_reason
                    expired_leases_make_a_dead_letter_that_names_the_last_worker
                    a_crashed_worker_costs_each_of_its_jobs_an_attempt
                    a_stopped_worker_costs_its_jobs_no_failed_attempt
                    claims_max_ends_a_job_whose_worker_is_always_stopped
                    jobs_of_a_dead_worker_are_reclaimed_without_touching_the_others
                    on_a_second_attempt_a_job_is_claimed_alone
                    neither_new_jobs_nor_retried_ones_starve_the_others
                }
                dead_letters {
                    dead_letters_keep_their_pixels_and_come_newest_first
                    a_replayed_dead_letter_has_all_its_attempts_again_and_runs_alone
                    a_replay_does_not_exceed_the_queue
                    a_discarded_dead_letter_leaves_its_outcome
                    the_oldest_dead_letter_goes_when_there_are_too_many
                    dead_letters_are_kept_until_their_time_to_live_ends
                }
                submissions {
                    a_full_queue_accepts_nothing_of_a_submission
                    a_submission_larger_than_the_queue_is_full
                    running_jobs_count_and_settled_ones_make_room
                    a_submission_repeated_under_its_key_is_not_accepted_again
                    a_key_used_with_another_body_is_refused
                    a_repetition_is_recognised_even_when_the_queue_is_full
                    a_key_is_forgotten_when_its_time_to_live_ends
                }
                reading {
                    a_waiting_job_can_be_cancelled_and_is_never_claimed
                    a_job_that_started_cannot_be_cancelled
                    a_job_that_is_unknown_cannot_be_cancelled
                    statuses_come_in_the_order_asked_and_unknown_jobs_have_none
                    a_batch_lists_its_jobs_in_the_order_submitted
                    depth_counts_waiting_running_and_dead_jobs
                }
                history {
                    lost_attempts_name_the_worker_and_how_each_ended
                    a_released_job_lost_no_attempt
                    every_attempt_of_a_dead_letter_is_told
                    lost_attempts_are_told_as_long_as_the_outcome
                    named_batches_are_listed_newest_first
                    the_first_submission_of_a_batch_names_its_run
                    an_image_is_kept_while_its_job_waits_runs_or_is_a_dead_letter
                    an_image_can_be_looked_at_after_its_job
                }
                changes {
                    changes_show_every_job_once_as_it_stands_now
                    after_the_latest_change_there_are_none_and_the_cursor_stays
                    extending_a_lease_is_no_change
                    a_cursor_that_the_queue_never_reached_starts_from_the_beginning
                    more_changes_than_the_maximum_come_in_parts
                }
                waiting {
                    a_waiting_claim_is_answered_by_a_submission
                    a_waiting_claim_is_answered_by_a_release
                    a_burst_is_shared_among_those_who_wait
                    a_claim_returns_no_job_when_its_wait_has_passed
                    waiting_for_changes_is_answered_by_a_settlement
                }
            }
            $($harness)?
        }
    };
}

/// Every promise.
pub const PROMISES: &[Promise] = crate::conformance_tests! { @each_promise table };
