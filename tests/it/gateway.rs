//! Does the gateway keep the HTTP contract?

mod contract;
