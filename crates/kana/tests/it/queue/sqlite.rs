//! Does the queue's file survive what happens to files and processes?

use std::error::Error as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use kana_queue::clock::{Clock, SystemClock};
use kana_queue::job::{JobId, Progress, Verdict};
use kana_queue::sqlite::Sqlite;
use kana_queue::{Cause, Error, Limits, Queue, Settled, WorkerId};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::queue::{LONG, NOW, Setup, TICK, done_as, ids};
use crate::support::{child, eventually};

/// As in life, but with leases that nobody outlives here.
const LIMITS: Limits = Limits {
    jobs_max: 10_000,
    lease: Duration::from_secs(600),
    attempts_max: 3,
    claims_max: 25,
    outcome_ttl: Duration::from_secs(3_600),
    dead_ttl: Duration::from_secs(3_600),
    dead_max: 10_000,
};

/// How many times processes are killed, two at a time.
const KILLS: usize = 6;

/// What is left of the disk when it fills up.
const DISK_LEFT: u64 = 256 << 10;

fn open(path: &Path) -> Result<Sqlite, Error> {
    Sqlite::open(path, LIMITS, Arc::new(SystemClock) as Arc<dyn Clock>)
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A setup is only wanted for the jobs that it makes.
async fn submit(queue: &dyn Queue, count: usize) -> Result<Vec<JobId>, Error> {
    let submission = Setup::memory().submission(count);
    let ids = submission.jobs.iter().map(|job| job.id).collect();
    queue.submit(submission).await.map(|_| ids)
}

async fn drain(queue: &dyn Queue) {
    loop {
        let claims = queue.claim(&"last".into(), 100, NOW).await.unwrap();
        if claims.is_empty() {
            return;
        }
        queue.settle(claims.iter().map(|claim| done_as(claim, 1)).collect()).await.unwrap();
    }
}

fn pipes(path: &Path, prefix: &str) -> usize {
    let Ok(pipes) = fs::read_dir(format!("{}.bells", path.display())) else { return 0 };
    pipes.flatten().filter(|pipe| pipe.file_name().to_string_lossy().starts_with(prefix)).count()
}

fn is_whole(path: &Path) -> bool {
    let file = rusqlite::Connection::open(path).unwrap();
    let check: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    check == "ok"
}

/// Everything that an error and its sources say.
fn words(error: &Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        words = format!("{words}: {error}");
        source = error.source();
    }
    words
}

#[tokio::test]
async fn what_one_process_submits_another_claims_and_a_third_reads() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    let (gateway, worker) = (open(&path).unwrap(), open(&path).unwrap());

    let id = submit(&gateway, 1).await.unwrap()[0];
    let claim = worker.claim(&"worker".into(), 1, NOW).await.unwrap().remove(0);
    worker.settle(vec![done_as(&claim, 4)]).await.unwrap();

    let reader = open(&path).unwrap();
    let status = reader.statuses(&[id]).await.unwrap().remove(0).unwrap();
    assert!(
        matches!(status.progress, Progress::Settled(outcome) if outcome.worker.as_ref().map(WorkerId::pod) == Some("worker"))
    );
}

#[tokio::test]
async fn a_queue_goes_on_where_it_was_when_it_is_opened_again() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    let queue = open(&path).unwrap();
    let all = submit(&queue, 2).await.unwrap();
    let claim = queue.claim(&"worker".into(), 1, NOW).await.unwrap().remove(0);
    queue.settle(vec![done_as(&claim, 4)]).await.unwrap();
    let before = queue.statuses(&all).await.unwrap();
    drop(queue);

    let queue = open(&path).unwrap();

    assert_eq!(queue.statuses(&all).await.unwrap(), before);
    assert_eq!(ids(&queue.claim(&"worker".into(), 9, NOW).await.unwrap()), all[1..]);
}

#[tokio::test]
async fn a_waiting_claim_is_woken_by_another_process_without_looking() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    let (gateway, worker) = (open(&path).unwrap(), open(&path).unwrap().without_looking());

    let waiting = tokio::spawn(async move { worker.claim(&"worker".into(), 1, LONG).await });
    eventually("the worker listens", async || (pipes(&path, "jobs-") == 1).then_some(())).await;
    let id = submit(&gateway, 1).await.unwrap()[0];

    assert_eq!(ids(&waiting.await.unwrap().unwrap()), [id]);
}

#[tokio::test]
async fn no_ring_is_lost_between_looking_and_listening() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    let (gateway, worker) = (open(&path).unwrap().without_looking(), open(&path).unwrap().without_looking());

    for _ in 0..100 {
        let latest = gateway.latest().await.unwrap();
        let work = async {
            let claim = worker.claim(&"worker".into(), 1, LONG).await.unwrap().remove(0);
            worker.settle(vec![done_as(&claim, 1)]).await.unwrap()
        };
        let read = async {
            let id = submit(&gateway, 1).await.unwrap()[0];
            let mut cursor = latest;
            loop {
                let changes = gateway.changes(cursor, LONG).await.unwrap();
                assert!(!changes.jobs.is_empty(), "the wait ended before the wake-up");
                cursor = changes.cursor;
                if changes.jobs.iter().any(|job| job.id == id && matches!(job.progress, Progress::Settled(_))) {
                    return;
                }
            }
        };
        let (settled, ()) = tokio::join!(work, read);
        assert_eq!(settled, [Settled::Done]);
    }
}

#[tokio::test]
async fn every_waiting_process_is_woken_until_each_has_a_job() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    let gateway = open(&path).unwrap();
    let workers: Vec<_> = (0..3).map(|_| open(&path).unwrap().without_looking()).collect();

    let name = "worker".into();
    let waiting = join_all(workers.iter().map(|worker| worker.claim(&name, 1, LONG)));
    let submitting = async {
        eventually("all workers listen", async || (pipes(&path, "jobs-") == 3).then_some(())).await;
        submit(&gateway, 3).await.unwrap()
    };
    let (claims, submitted) = tokio::join!(waiting, submitting);

    let mut claimed: Vec<JobId> = claims.into_iter().flat_map(|claims| ids(&claims.unwrap())).collect();
    claimed.sort();
    assert_eq!(claimed, submitted);
}

#[tokio::test]
async fn a_dead_process_s_bell_is_taken_down() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    let queue = open(&path).unwrap();
    queue.claim(&"worker".into(), 1, TICK).await.unwrap();
    // A named pipe that nobody has open is what a killed process leaves behind.
    let made = std::process::Command::new("mkfifo").arg(format!("{}.bells/jobs-dead", path.display())).status();
    assert!(made.unwrap().success());

    submit(&queue, 1).await.unwrap();

    assert_eq!(pipes(&path, "jobs-"), 1, "its own is left");
    drop(queue);
    assert_eq!(pipes(&path, ""), 0, "and goes with its process");
}

#[tokio::test]
async fn a_queue_without_bells_goes_on_more_slowly() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    fs::write(format!("{}.bells", path.display()), "in the way").unwrap();
    let (gateway, worker) = (open(&path).unwrap(), open(&path).unwrap());

    let name = "worker".into();
    let (claims, submitted) = tokio::join!(worker.claim(&name, 1, LONG), submit(&gateway, 1));

    assert_eq!(ids(&claims.unwrap()), submitted.unwrap());
}

#[tokio::test]
async fn a_claim_dropped_on_its_way_is_released_for_other_processes() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    let (impatient, patient) = (open(&path).unwrap(), open(&path).unwrap());

    for _ in 0..50 {
        let id = submit(&patient, 1).await.unwrap()[0];
        let dropped = tokio::time::timeout(NOW, impatient.claim(&"impatient".into(), 1, NOW)).await;
        // An earlier claim that was dropped may still be on its way, and take this job before giving it back.
        let arrived = dropped.map_or_else(|_| Vec::new(), |claims| claims.unwrap()).pop();
        let claim = match arrived {
            Some(claim) => claim,
            None => patient.claim(&"patient".into(), 1, LONG).await.unwrap().remove(0),
        };
        assert_eq!((claim.job.id, claim.attempt), (id, 1), "no attempt is lost");
        patient.settle(vec![done_as(&claim, 1)]).await.unwrap();
    }
}

#[test]
fn many_processes_may_open_a_new_queue_at_once() {
    let folder = folder();
    let path = folder.path().join("queue.db");

    let opened: Vec<_> = std::thread::scope(|scope| {
        let openers: Vec<_> = (0..8).map(|_| scope.spawn(|| open(&path).map(drop))).collect();
        openers.into_iter().map(|opener| opener.join().unwrap()).collect()
    });

    for answer in opened {
        assert!(answer.is_ok(), "{}", words(&answer.unwrap_err()));
    }
}

#[tokio::test]
async fn its_files_are_for_their_owner_alone() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    let queue = open(&path).unwrap();
    submit(&queue, 1).await.unwrap();
    queue.changes(queue.latest().await.unwrap(), TICK).await.unwrap();

    let (mut files, mut folders) = (0, vec![folder.path().to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let metadata = entry.metadata().unwrap();
            assert_eq!(metadata.permissions().mode() & 0o077, 0, "others may use {:?}", entry.path());
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                files += 1;
            }
        }
    }
    assert_eq!(files, 4, "the file, its log, the log's index, a pipe");
}

#[test]
fn a_file_that_is_no_queue_is_refused_by_name_and_left_alone() {
    let folder = folder();
    let text = folder.path().join("letter.txt");
    fs::write(&text, "Dear database, this is no page of yours. ".repeat(200)).unwrap();
    let foreign = folder.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let newer = folder.path().join("newer.db");
    drop(open(&newer).unwrap());
    rusqlite::Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();

    for (path, why) in [(&text, "not a database"), (&foreign, "another program"), (&newer, "version 99")] {
        let before = fs::read(path).unwrap();
        let error = open(path).err().expect("refused");
        let words = words(&error);
        assert!(matches!(error, Error::Unavailable { .. }));
        assert!(words.contains(why) && words.contains(&*path.to_string_lossy()), "{words}");
        assert_eq!(fs::read(path).unwrap(), before);
    }
}

#[test]
fn a_file_that_cannot_be_made_is_refused_by_name() {
    let error = open(Path::new("/nowhere/at/all/queue.db")).err().expect("refused");

    assert!(words(&error).contains("/nowhere/at/all/queue.db"), "{}", words(&error));
}

#[tokio::test]
async fn a_damaged_file_is_an_error_and_no_panic() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    let queue = open(&path).unwrap();
    submit(&queue, 50).await.unwrap();
    drop(queue);
    let mut bytes = fs::read(&path).unwrap();
    bytes[4_096..].fill(0xa5);
    fs::write(&path, bytes).unwrap();

    let error = match open(&path) {
        Ok(queue) => queue.claim(&"worker".into(), 1, NOW).await.err(),
        Err(error) => Some(error),
    };

    let error = error.expect("refused");
    assert!(words(&error).contains("malformed") && words(&error).contains("queue.db"), "{}", words(&error));
}

/// Plays the part of a gateway and a worker in one, until it is killed: says what was promised to it, line by line.
#[tokio::test]
async fn a_process_works_until_it_is_killed() {
    let Some(path) = child::role() else { return };
    let queue = open(Path::new(&path)).unwrap();
    let worker = WorkerId::of_pod(format!("worker-{}", std::process::id()));
    loop {
        for id in submit(&queue, 3).await.unwrap() {
            println!("\naccepted {id}");
        }
        for claim in queue.claim(&worker, 2, NOW).await.unwrap() {
            let class = usize::from(claim.job.image.pixels()[0]);
            if queue.settle(vec![done_as(&claim, class)]).await.unwrap() == [Settled::Done] {
                println!("\nsettled {}", claim.job.id);
            }
        }
    }
}

#[tokio::test]
async fn nothing_promised_is_lost_when_processes_are_killed_at_any_moment() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    let (mut accepted, mut settled) = (Vec::new(), Vec::new());

    for kill in 0..KILLS {
        let spawn =
            || child::running("queue::sqlite::a_process_works_until_it_is_killed", &path.to_string_lossy()).spawn();
        let mut children = [spawn().unwrap(), spawn().unwrap()];
        // Killed after some promises: another number each time, so that it is caught in another act.
        for (n, child) in children.iter_mut().enumerate() {
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let mut note = |line: String| match line.split_once(' ') {
                Some(("accepted", id)) => accepted.push(id.parse::<JobId>().unwrap()),
                Some(("settled", id)) => settled.push(id.parse::<JobId>().unwrap()),
                _ => {}
            };
            lines.by_ref().take(40 + 17 * kill + 5 * n).for_each(|line| note(line.unwrap()));
            child.kill().unwrap();
            // What was said before it died still counts; its last words may be half a line.
            let mut rest: Vec<_> = lines.map_while(Result::ok).collect();
            rest.pop();
            rest.into_iter().for_each(note);
            child.wait().unwrap();
        }
        let queue = open(&path).unwrap();
        for child in &children {
            queue.reclaim(&WorkerId::of_pod(format!("worker-{}", child.id())), Cause::Stopped).await.unwrap();
        }
    }

    assert!(is_whole(&path));
    let queue = open(&path).unwrap();
    assert!(accepted.len() > KILLS * 20 && settled.len() > KILLS * 10, "the children did something");
    for status in queue.statuses(&settled).await.unwrap() {
        assert!(matches!(status.expect("settled, and lost").progress, Progress::Settled(_)), "settled, and is not");
    }
    drain(&queue).await;
    for status in queue.statuses(&accepted).await.unwrap() {
        let Progress::Settled(outcome) = status.expect("accepted, and lost").progress else { panic!("left over") };
        assert!(matches!(outcome.verdict, Verdict::Done { .. }));
    }
}

/// Plays the part of a process whose disk fills up: here, one whose files may grow no further.
#[tokio::test]
async fn a_process_fills_its_disk() {
    let Some(path) = child::role() else { return };
    let path = PathBuf::from(path);
    // The system's way to say that a file may not grow is a signal, which would end the process.
    let _ignored =
        signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default()).expect("SIGXFSZ has a handler");
    let queue = open(&path).unwrap();
    let mut accepted = submit(&queue, 10).await.unwrap();
    let held = queue.claim(&"worker".into(), 5, NOW).await.unwrap();

    let free = getrlimit(Resource::Fsize);
    let log = fs::metadata(format!("{}-wal", path.display())).unwrap().len();
    setrlimit(Resource::Fsize, Rlimit { current: Some(log + DISK_LEFT), ..free }).unwrap();
    let error = loop {
        match submit(&queue, 100).await {
            Ok(ids) => accepted.extend(ids),
            Err(error) => break error,
        }
    };
    let refused_again = submit(&queue, 100).await;
    let read = queue.statuses(&accepted).await.unwrap();
    setrlimit(Resource::Fsize, free).unwrap();

    assert!(matches!(error, Error::Unavailable { action: "submit jobs", .. }), "{error:?}");
    assert!(words(&error).contains("queue.db"), "{}", words(&error));
    assert!(refused_again.is_err());
    assert!(read.iter().all(Option::is_some), "what was accepted can be read from a full disk");
    assert_eq!(queue.depth().await.unwrap().waiting + held.len(), accepted.len(), "what was refused left nothing");
    let answers = queue.settle(held.iter().map(|claim| done_as(claim, 1)).collect()).await.unwrap();
    assert_eq!(answers, [Settled::Done; 5]);
    accepted.extend(submit(&queue, 100).await.unwrap());
    drain(&queue).await;
    let settled = queue.statuses(&accepted).await.unwrap();
    assert!(settled.iter().flatten().all(|status| matches!(status.progress, Progress::Settled(_))));
    assert!(is_whole(&path));
}

#[test]
fn a_full_disk_is_an_error_that_passes_and_corrupts_nothing() {
    let folder = folder();
    let path = folder.path().join("queue.db");

    let ended = child::running("queue::sqlite::a_process_fills_its_disk", &path.to_string_lossy()).output().unwrap();

    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    assert!(is_whole(&path));
}
