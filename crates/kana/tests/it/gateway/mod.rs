//! Does the gateway keep the HTTP contract?

mod access;
mod classify;
mod contract;
mod dead;
mod ending;
mod events;
mod health;
mod hostile;
mod idempotency;
mod jobs;
mod logs;
mod pods;
mod proxies;
mod raw;
mod report;
mod runs;
mod slow;
mod tokens;
mod uploads;
