//! What is a `kana up` of a test's own?

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, LazyLock, Mutex, mpsc};

use kana::gateway::view::{Batch, Pod, Receipt};
use kana::pod::{Phase, Scale};
use kana_queue::job::BatchId;
use rustix::process::{Pid, Signal};

use super::eventually;
use super::http::client;

/// The program under test.
pub const KANA: &str = env!("CARGO_BIN_EXE_kana");

/// A `kana` command that no environment of the tester's changes.
pub fn kana() -> Command {
    let mut command = Command::new(KANA);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("KANA_") {
            command.env_remove(name);
        }
    }
    command
}

/// A running `kana up`, ended with this value; its log is printed where the test fails.
pub struct Up {
    child: Child,
    pub url: String,
    log: Arc<Mutex<String>>,
}

impl Up {
    /// Starts one on a free port and the data folder `data`, and waits until it serves and `min` pods are ready.
    pub async fn start(data: &Path, flags: &[&str]) -> Self {
        let mut command = kana();
        command.args(["up", "--listen", "127.0.0.1:0"]).arg("--data-dir").arg(data).args(flags);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kana runs");
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let kept = log.clone();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut log = kept.lock().expect("a log");
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap_or_default().to_owned();
        let up = Self { child, url, log };
        assert!(!up.url.is_empty(), "{line:?} names no address; the log:\n{}", up.log());
        eventually("the first pods", async || {
            let (ready, scale) = (up.ready().await.len(), up.scale().await);
            (ready >= scale.min as usize).then_some(())
        })
        .await;
        up
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        self.log.lock().expect("a log").clone()
    }

    /// The process numbers of the workers that it has started so far, by name.
    pub fn workers(&self) -> Vec<(String, u32)> {
        let started = |line: &str| {
            let words: Vec<_> = line.split_whitespace().collect();
            let at = words.iter().position(|word| *word == "started")?;
            let ["pod", name, "as", "process", pid] = words.get(at + 1..at + 6)? else { return None };
            Some(((*name).to_owned(), pid.parse().ok()?))
        };
        self.log().lines().filter_map(started).collect()
    }

    /// The process number of one that has not ended.
    pub fn worker(&self, name: &str) -> u32 {
        self.workers().into_iter().find(|(started, _)| started == name).expect("a worker of this name").1
    }

    pub async fn submit(&self, files: Vec<(String, Vec<u8>)>) -> Receipt {
        let mut form = reqwest::multipart::Form::new();
        for (name, bytes) in files {
            form = form.part("images", reqwest::multipart::Part::bytes(bytes).file_name(name));
        }
        let answer = client().post(format!("{}/v1/jobs", self.url)).multipart(form).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 202);
        answer.json().await.expect("a receipt")
    }

    pub async fn batch(&self, batch: BatchId) -> Batch {
        self.read(&format!("/v1/batches/{batch}")).await
    }

    /// The batch, once every job of it is over.
    pub async fn finished(&self, batch: BatchId) -> Batch {
        eventually("a batch to be over", async || {
            let batch = self.batch(batch).await;
            (batch.counts.done + batch.counts.failed == batch.accepted).then_some(batch)
        })
        .await
    }

    /// The batch, once at least `count` jobs of it are done.
    pub async fn under_way(&self, batch: BatchId, count: usize) -> Batch {
        eventually("some jobs to be done", async || {
            let batch = self.batch(batch).await;
            (batch.counts.done >= count).then_some(batch)
        })
        .await
    }

    /// The names of the pods that take work.
    pub async fn ready(&self) -> Vec<String> {
        let pods: Vec<Pod> = self.read("/v1/pods").await;
        pods.into_iter().filter(|pod| pod.phase == Phase::Ready).map(|pod| pod.name).collect()
    }

    pub async fn scale(&self) -> Scale {
        self.read("/v1/scale").await
    }

    /// Ends a pod; `how` is `delete` or `kill`.
    pub async fn stop(&self, pod: &str, how: &str) -> u16 {
        let url = format!("{}/v1/pods/{pod}?mode={how}", self.url);
        client().delete(url).send().await.expect("an answer").status().as_u16()
    }

    pub async fn set_range(&self, min: u32, max: u32) -> u16 {
        let request = client().put(format!("{}/v1/scale", self.url));
        let range = serde_json::json!({ "min": min, "max": max });
        request.json(&range).send().await.expect("an answer").status().as_u16()
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, route: &str) -> T {
        let answer = client().get(format!("{}{route}", self.url)).send().await.expect("an answer");
        answer.error_for_status().expect("success").json().await.expect("what was asked for")
    }

    /// SIGKILL, as a power cut would.
    pub fn kill(mut self) -> Vec<(String, u32)> {
        self.child.kill().expect("it was alive");
        self.child.wait().expect("it was our child");
        self.workers()
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(mut self) -> ExitStatus {
        send(self.pid(), Signal::TERM);
        self.child.wait().expect("it was our child")
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // By this one's own handle, so that no other process can be meant.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the log of {}:\n{}", self.url, self.log());
        }
    }
}

/// Sends a signal to a process that this test has started.
pub fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().expect("a process number")).expect("a process number");
    rustix::process::kill_process(pid, signal).expect("it is alive");
}

/// Whether a process has ended. One that has ended and that nobody has asked about has, too.
pub fn is_gone(pid: u32) -> bool {
    if cfg!(target_os = "linux") {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        return matches!(state, None | Some('Z' | 'X'));
    }
    let pid = Pid::from_raw(pid.try_into().expect("a process number")).expect("a process number");
    rustix::process::test_kill_process(pid).is_err()
}

type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// Starts a process that the kernel kills when this one is gone, however it goes. The kernel takes the *thread* that
/// started it for its parent, so that is one which lives as long as this process.
pub fn spawn_bound(command: Command) -> io::Result<Child> {
    static NURSERY: LazyLock<mpsc::Sender<Order>> = LazyLock::new(|| {
        let (orders, taken) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (command, answer) in taken {
                let _ = answer.send(spawn_here(command));
            }
        });
        orders
    });
    let (answer, child) = mpsc::channel();
    NURSERY.send((command, answer)).expect("a thread that never ends");
    child.recv().expect("a thread that never ends")
}

#[cfg(target_os = "linux")]
fn spawn_here(mut command: Command) -> io::Result<Child> {
    use std::os::unix::process::CommandExt;

    let die_with_parent = || Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?);
    // SAFETY: between fork and exec only system calls may be made, and this makes one.
    unsafe { command.pre_exec(die_with_parent) };
    command.spawn()
}

#[cfg(not(target_os = "linux"))]
fn spawn_here(mut command: Command) -> io::Result<Child> {
    command.spawn()
}
