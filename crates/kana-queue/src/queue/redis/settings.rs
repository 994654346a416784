//! Which settings of a Redis server may lose jobs?

/// What a server tells of itself: the answer to `INFO`.
#[derive(Clone, Copy)]
pub struct Info<'a>(&'a str);

impl<'a> Info<'a> {
    /// Reads lines of the form `name:value`.
    pub fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The value of a field; empty where there is no such field.
    pub fn field(self, name: &str) -> &'a str {
        self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default().trim()
    }

    /// Says which settings may lose accepted jobs, and what to set instead.
    pub fn warnings(self) -> Vec<String> {
        let policy = self.field("maxmemory_policy");
        let evicts = !matches!(policy, "" | "noeviction") && self.field("maxmemory") != "0";
        let evicting = evicts.then(|| {
            format!("maxmemory-policy is {policy}, so a full Redis drops accepted jobs: set it to noeviction")
        });
        let forgetting = (self.field("aof_enabled") == "0").then(|| {
            "appendonly is no, so a Redis that dies loses what was accepted since its last snapshot: set it to yes"
                .into()
        });
        evicting.into_iter().chain(forgetting).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(maxmemory: &str, policy: &str, appendonly: &str) -> Vec<String> {
        let text = format!(
            "# Memory\r\nmaxmemory:{maxmemory}\r\nmaxmemory_policy:{policy}\r\n# Persistence\r\naof_enabled:{appendonly}\r\n"
        );
        Info::new(&text).warnings()
    }

    #[test]
    fn a_server_that_keeps_everything_needs_no_warning() {
        assert!(warnings("1000000", "noeviction", "1").is_empty());
        assert!(warnings("0", "allkeys-lru", "1").is_empty(), "without a limit nothing is evicted");
        assert!(Info::new("# Server\r\n").warnings().is_empty());
    }

    #[test]
    fn a_policy_that_evicts_and_a_missing_log_are_named() {
        let warnings = warnings("1000000", "volatile-ttl", "0");

        assert_eq!(warnings.len(), 2);
        assert!(warnings[0].contains("volatile-ttl") && warnings[1].contains("appendonly"), "{warnings:?}");
    }
}
