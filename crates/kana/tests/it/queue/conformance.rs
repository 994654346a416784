//! Does a queue in Redis keep the promises of the trait?
//!
//! On a real server, whose clock shows the suite's time. The queues that need no server are tested with their crate.

mod redis {
    kana_queue::conformance_tests!(crate::support::queue::Backend::redis());
}
