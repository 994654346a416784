//! How does a changed file of tokens take effect without a restart?
//!
//! The file is read again every second, whole: its time of change says too little where a mount swaps links, as that of a
//! Kubernetes Secret does. What was read counts once two looks in a row found the same, so that a file that is being
//! written is not taken for a shorter one. A file that cannot be used changes nothing: the tokens that were read before
//! stay, and an error names the line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::auth::Access;
use super::tokens::Tokens;

/// Time between two looks at the file.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Longest file that is read, in bytes: about ten thousand tokens. Each request is compared with every token.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads the tokens of a file.
///
/// # Errors
/// Where the file cannot be read, is too long, or is no list of tokens.
pub fn read(path: &Path) -> anyhow::Result<Tokens> {
    let bytes = bytes(path).with_context(|| format!("could not read the tokens in {}", path.display()))?;
    Tokens::from_bytes(&bytes).with_context(|| format!("could not use {}", path.display()))
}

/// Follows the changes of a file until `ending`.
pub async fn follow(path: PathBuf, access: Access, ending: CancellationToken) {
    // A pipe can be read only once.
    if !tokio::fs::metadata(&path).await.is_ok_and(|file| file.is_file()) {
        return;
    }
    let mut follower = Follower { path, access, seen: None, used: None };
    loop {
        follower.look().await;
        tokio::select! {
            () = ending.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// State of a file that is followed.
struct Follower {
    path: PathBuf,
    access: Access,
    /// What the last look found.
    seen: Option<Found>,
    /// What took effect, or was reported, last.
    used: Option<Found>,
}

/// Content of the file, or the reason why it cannot be read.
type Found = Result<Vec<u8>, String>;

impl Follower {
    async fn look(&mut self) {
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || bytes(&path)).await;
        // A read that panicked or was cancelled found nothing.
        let Ok(read) = read else { return };
        let found = Some(read.map_err(|error| format!("{error:#}")));
        if found == self.seen && found != self.used {
            self.apply();
            self.used.clone_from(&found);
        }
        self.seen = found;
    }

    /// Lets what was found take effect, where it can be used.
    fn apply(&self) {
        let path = self.path.display();
        let tokens = match self.seen.as_ref() {
            None => return,
            Some(Err(error)) => Err(error.clone()),
            Some(Ok(bytes)) => Tokens::from_bytes(bytes).map_err(|error| error.to_string()),
        };
        match tokens {
            Ok(tokens) if self.access.is_current(&tokens) => {}
            Ok(tokens) => {
                let count = tokens.len();
                self.access.replace(tokens);
                info!(tokens = count, "the tokens in {path} have changed: {count} tokens are in effect");
            }
            Err(error) => error!(error, "could not use {path}: {error}; the earlier tokens stay in effect"),
        }
    }
}

fn bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    use std::io::Read as _;

    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 <= FILE_BYTES_MAX, "the file is longer than {FILE_BYTES_MAX} bytes");
    Ok(bytes)
}
