//! Does the gateway keep the HTTP contract?

mod classify;
mod contract;
mod dead;
mod ending;
mod events;
mod guard;
mod health;
mod idempotency;
mod jobs;
mod pods;
mod raw;
mod slow;
mod uploads;
