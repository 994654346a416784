//! Who claims?

const LIFE_MARK: char = '~';

/// The name under which one life of a pod's worker claims jobs. `life` tells it from the lives before, so that what a
/// dead one held can be taken back without touching its successor.
pub fn life_of(pod: &str, life: &str) -> String {
    format!("{pod}{LIFE_MARK}{life}")
}

/// The pod of a worker, by the name under which the worker claims jobs.
pub fn of_worker(worker: &str) -> &str {
    worker.split(LIFE_MARK).next().unwrap_or(worker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_life_of_a_pod_is_that_pods() {
        assert_eq!(of_worker(&life_of("kana-worker-2x4lq-h7wzd", "k7x2q")), "kana-worker-2x4lq-h7wzd");
        assert_eq!(of_worker("kana-worker-2x4lq-h7wzd"), "kana-worker-2x4lq-h7wzd");
    }
}
