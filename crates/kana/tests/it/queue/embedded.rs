//! Does the queue on a disk survive what happens to files and processes?

use std::error::Error as _;
use std::fs;
use std::io::{BufRead, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flate2::read::GzDecoder;
use kana_engine::image::{Image, Shape};
use kana_queue::clock::{Clock, ManualClock, SystemClock, Timestamp};
use kana_queue::embedded::{Embedded, Remote};
use kana_queue::job::{BatchId, JobId, Progress, Verdict};
use kana_queue::{Cause, Error, Idempotency, Limits, Queue, Receipt, Run, Settled, Submission, WorkerId};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::queue::{LONG, NOW, Setup, TICK, done_as, failed, ids};
use crate::support::{child, eventually};

/// As in life, but with leases that nobody outlives here.
const LIMITS: Limits = Limits {
    jobs_max: 30_000,
    lease: Duration::from_secs(600),
    attempts_max: 3,
    claims_max: 25,
    outcome_ttl: Duration::from_secs(3_600),
    dead_ttl: Duration::from_secs(3_600),
    dead_max: 10_000,
};

/// How many times a holder is killed, and its worker with it.
const KILLS: usize = 6;

/// What is left of the disk when it fills up.
const DISK_LEFT: u64 = 256 << 10;

/// When the queue of an earlier version was written to.
const EARLIER: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn open(path: &Path) -> Result<Embedded, Error> {
    Embedded::open(path, LIMITS, Arc::new(SystemClock) as Arc<dyn Clock>)
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

/// The newest file of the journal at `path`.
fn newest_log(path: &Path) -> PathBuf {
    let folder = format!("{}.journal", path.display());
    let logs = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    logs.filter(|name| name.extension().is_some_and(|ending| ending == "log")).max().unwrap()
}

#[tokio::test]
async fn what_people_look_at_survives_a_restart() {
    let folder = folder();
    let path = folder.path().join("queue");
    let queue = open(&path).unwrap();
    let submission = Submission { name: Some("letters".to_owned()), ..Setup::memory().submission(1) };
    let (batch, job) = (submission.batch, submission.jobs[0].clone());
    queue.submit(submission).await.unwrap();
    queue.claim(&"first".into(), 1, NOW).await.unwrap();
    queue.reclaim(&"first".into(), Cause::Stopped).await.unwrap();
    drain(&queue).await;
    let lost = queue.lost(&[job.id]).await.unwrap();
    drop(queue);

    let queue = open(&path).unwrap();

    assert_eq!((lost[0].len(), &lost[0][0].worker), (1, &"first".into()));
    assert_eq!(queue.lost(&[job.id]).await.unwrap(), lost);
    assert_eq!(queue.runs(None, 9).await.unwrap(), [Run { batch, name: "letters".to_owned() }]);
    assert_eq!(queue.image(job.id).await.unwrap(), Some(job.image));
}

#[tokio::test]
async fn what_one_process_submits_another_claims_and_the_holder_reads() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    let (gateway, worker) = (open(&path).unwrap(), Remote::new(&path, LIMITS));

    let id = submit(&gateway, 1).await.unwrap()[0];
    let claim = worker.claim(&"worker".into(), 1, NOW).await.unwrap().remove(0);
    worker.settle(vec![done_as(&claim, 4)]).await.unwrap();

    let status = gateway.statuses(&[id]).await.unwrap().remove(0).unwrap();
    assert!(
        matches!(status.progress, Progress::Settled(outcome) if outcome.worker.as_ref().map(WorkerId::pod) == Some("worker"))
    );
}

#[tokio::test]
async fn a_queue_goes_on_where_it_was_when_it_is_opened_again() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    let queue = open(&path).unwrap();
    let all = submit(&queue, 3).await.unwrap();
    let claims = queue.claim(&"worker".into(), 2, NOW).await.unwrap();
    queue.settle(vec![done_as(&claims[0], 4)]).await.unwrap();
    queue.sweep().await.unwrap();
    let before = queue.statuses(&all).await.unwrap();
    drop(queue);

    let queue = open(&path).unwrap();

    let after = queue.statuses(&all).await.unwrap();
    assert_eq!((&after[0], &after[2]), (&before[0], &before[2]));
    let running = after[1].as_ref().unwrap();
    assert_eq!((&running.progress, running.attempts), (&Progress::Queued, 1), "what was claimed waits again");
    assert_eq!(queue.batch(running.batch).await.unwrap().len(), 3);
    let sizes =
        [queue.claim(&"worker".into(), 9, NOW).await.unwrap(), queue.claim(&"worker".into(), 9, NOW).await.unwrap()];
    assert_eq!(sizes.map(|claims| ids(&claims)), [vec![all[1]], vec![all[2]]], "alone: it may have ended the holder");
}

#[tokio::test]
async fn outcomes_keys_and_dead_letters_outlive_many_others_and_a_restart() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    let queue = open(&path).unwrap();
    let submission = Setup::memory().submission(2);
    let (batch, all) = (submission.batch, submission.jobs.iter().map(|job| job.id).collect::<Vec<_>>());
    let key = Idempotency { key: "a key".to_owned(), fingerprint: [1; 32], answer: "the answer".to_owned() };
    let submission = Submission { idempotency: Some(key), ..submission };
    queue.submit(submission.clone()).await.unwrap();
    for _ in 0..LIMITS.attempts_max {
        let claims = queue.claim(&"worker".into(), 2, NOW).await.unwrap();
        let dead = claims.iter().filter(|claim| claim.job.id == all[1]).map(|claim| failed(claim, "no"));
        let done = claims.iter().filter(|claim| claim.job.id == all[0]).map(|claim| done_as(claim, 3));
        queue.settle(dead.chain(done).collect()).await.unwrap();
    }
    let before = queue.statuses(&all).await.unwrap();

    // So many others that these are no longer in memory.
    for _ in 0..12 {
        submit(&queue, 1_000).await.unwrap();
        drain(&queue).await;
    }

    assert_eq!(queue.statuses(&all).await.unwrap(), before);
    drop(queue);
    let queue = open(&path).unwrap();
    assert_eq!(queue.statuses(&all).await.unwrap(), before);
    assert_eq!(queue.batch(batch).await.unwrap(), before.iter().flatten().cloned().collect::<Vec<_>>());
    let again = queue.submit(submission).await.unwrap();
    assert_eq!(again, Receipt::Repeated { batch, answer: "the answer".to_owned() });
    assert!(queue.replay(all[1]).await.unwrap());
    assert_eq!(ids(&queue.claim(&"worker".into(), 9, NOW).await.unwrap()), all[1..]);
}

#[tokio::test]
async fn a_second_holder_is_refused_and_told_who_holds_the_queue() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    let first = open(&path).unwrap();

    let refused = open(&path).err().expect("refused");

    let pid = std::process::id().to_string();
    assert!(words(&refused).contains(&pid) && words(&refused).contains("queue.db"), "{}", words(&refused));
    drop(first);
    assert!(open(&path).is_ok());
}

#[tokio::test]
async fn a_worker_that_starts_before_the_holder_waits_for_it_and_outlives_it() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    let worker = Remote::new(&path, LIMITS);

    let error = worker.claim(&"worker".into(), 1, NOW).await.expect_err("nobody holds it");
    assert!(words(&error).contains("no process holds the queue"), "{}", words(&error));

    for _ in 0..2 {
        let holder = open(&path).unwrap();
        let id = submit(&holder, 1).await.unwrap()[0];
        let claim = eventually("the worker has found the holder", async || {
            worker.claim(&"worker".into(), 1, NOW).await.ok()?.pop()
        })
        .await;
        assert_eq!(claim.job.id, id);
        assert_eq!(worker.settle(vec![done_as(&claim, 1)]).await.unwrap(), [Settled::Done]);
    }
}

#[tokio::test]
async fn an_answer_from_before_a_restart_of_the_holder_counts() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    let worker = Remote::new(&path, LIMITS);
    let holder = open(&path).unwrap();
    let id = submit(&holder, 1).await.unwrap()[0];
    let claim = worker.claim(&"worker".into(), 1, LONG).await.unwrap().remove(0);

    drop(holder);
    let holder = open(&path).unwrap();
    let settled =
        eventually("the worker has found the holder", async || worker.settle(vec![done_as(&claim, 1)]).await.ok())
            .await;

    assert_eq!(settled, [Settled::Done]);
    assert!(matches!(holder.statuses(&[id]).await.unwrap()[0].as_ref().unwrap().progress, Progress::Settled(_)));
}

#[tokio::test]
async fn a_worker_whose_leases_last_for_another_time_is_refused() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    let _holder = open(&path).unwrap();
    let worker = Remote::new(&path, Limits { lease: Duration::from_secs(5), ..LIMITS });

    let refused = worker.depth().await.expect_err("refused");

    assert!(words(&refused).contains("600s") && words(&refused).contains("5s"), "{}", words(&refused));
}

#[tokio::test]
async fn a_claim_dropped_on_its_way_is_released_for_other_processes() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    let holder = open(&path).unwrap();
    let (impatient, patient) = (Remote::new(&path, LIMITS), Remote::new(&path, LIMITS));

    for _ in 0..50 {
        let id = submit(&holder, 1).await.unwrap()[0];
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

#[tokio::test]
async fn a_path_too_long_for_a_socket_is_reached_all_the_same() {
    let folder = folder();
    let deep = folder.path().join("d".repeat(120));
    fs::create_dir(&deep).unwrap();
    let path = deep.join("queue.db");
    let holder = open(&path).unwrap();

    let id = submit(&holder, 1).await.unwrap()[0];

    assert_eq!(ids(&Remote::new(&path, LIMITS).claim(&"worker".into(), 1, LONG).await.unwrap()), [id]);
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
    assert_eq!(files, 4, "the log, the reserve, the lock, the socket");
}

/// A queue as the version before the journal left it: eight jobs in all states, a dead letter, an idempotency key.
fn earlier_version(path: &Path) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/queue-v1.db.gz");
    let mut bytes = Vec::new();
    GzDecoder::new(fs::File::open(file).unwrap()).read_to_end(&mut bytes).unwrap();
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_file_of_an_earlier_version_is_taken_over() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    earlier_version(&path);
    let clock = Arc::new(ManualClock::at(EARLIER.after(Duration::from_secs(1))));
    let id = |n: u8| JobId::from_bytes([[0; 15].as_slice(), &[n]].concat().try_into().unwrap());
    let batch = BatchId::from_bytes([[1; 15].as_slice(), &[1]].concat().try_into().unwrap());

    // Once more, as though the first time had been cut short before the file was removed.
    drop(Embedded::open(&path, LIMITS, clock.clone()).unwrap());
    assert!(!path.exists(), "it is removed once it is taken over");
    earlier_version(&path);
    let queue = Embedded::open(&path, LIMITS, clock.clone()).unwrap();

    let statuses = queue.statuses(&(1..=8).map(id).collect::<Vec<_>>()).await.unwrap();
    let statuses: Vec<_> = statuses.into_iter().map(|status| status.expect("taken over")).collect();
    let verdict = |n: usize| match &statuses[n - 1].progress {
        Progress::Settled(outcome) => outcome.verdict.clone(),
        other => panic!("job {n} is {other:?}"),
    };
    assert!(matches!(verdict(1), Verdict::Done { prediction, blank: false, .. } if prediction.label == "お"));
    assert!(matches!(verdict(2), Verdict::Done { blank: true, .. }));
    assert!(matches!(verdict(3), Verdict::Failed { reason } if reason.contains("unreadable")));
    assert_eq!(verdict(6), Verdict::Cancelled);
    let attempts = [4, 5, 7, 8].map(|n: usize| (statuses[n - 1].progress.clone(), statuses[n - 1].attempts));
    assert_eq!(
        attempts.map(|(progress, attempts)| (progress == Progress::Queued, attempts)),
        [(true, 1), (true, 1), (true, 0), (true, 0)]
    );
    assert_eq!(queue.batch(batch).await.unwrap(), statuses[..3]);
    let dead = queue.dead(9).await.unwrap();
    assert_eq!((dead.len(), dead[0].job.id, dead[0].attempts), (1, id(3), 3));
    assert_eq!(dead[0].job.image.pixels()[1], 7 + 3);
    let repeated = Setup::memory().submission(1);
    let key = Idempotency { key: "a key".to_owned(), fingerprint: [7; 32], answer: String::new() };
    let repeated = queue.submit(Submission { idempotency: Some(key), ..repeated }).await.unwrap();
    assert_eq!(repeated, Receipt::Repeated { batch, answer: "the first answer".to_owned() });
    let mut claimed = Vec::new();
    for _ in 0..4 {
        let claims = queue.claim(&"worker".into(), 9, NOW).await.unwrap();
        assert!(claims.len() == 1 || claims.iter().all(|claim| claim.attempt == 1));
        claimed.extend(claims.iter().map(|claim| (claim.job.id, claim.job.image.pixels()[1])));
    }
    claimed.sort();
    assert_eq!(claimed, [4, 5, 7, 8].map(|n| (id(n), 7 + n)));
}

#[test]
fn a_file_that_is_no_queue_is_refused_by_name_and_left_alone() {
    let folder = folder();
    let text = folder.path().join("letter.txt");
    fs::write(&text, "Dear database, this is no page of yours. ".repeat(200)).unwrap();
    let foreign = folder.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let newer = folder.path().join("newer.db");
    earlier_version(&newer);
    rusqlite::Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();

    for (path, why) in [(&text, "no queue"), (&foreign, "no queue"), (&newer, "version 99")] {
        let before = fs::read(path).unwrap();
        let error = open(path).err().expect("refused");
        let words = words(&error);
        assert!(matches!(error, Error::Unavailable { .. }));
        assert!(words.contains(why) && words.contains(&*path.to_string_lossy()), "{words}");
        assert_eq!(fs::read(path).unwrap(), before);
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_refused_by_name() {
    let error = open(Path::new("/proc/nowhere/queue.db")).err().expect("refused");

    assert!(words(&error).contains("/proc/nowhere/queue.db"), "{}", words(&error));
}

#[tokio::test]
async fn a_damaged_file_is_an_error_and_no_panic() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    let queue = open(&path).unwrap();
    let shape = Shape { channels: 1, height: 1_000, width: 1_000 };
    for _ in 0..2 {
        let mut large = Setup::memory().submission(20);
        large.jobs.iter_mut().for_each(|job| job.image = Image::new(shape, vec![7; shape.bytes()]).unwrap());
        queue.submit(large).await.unwrap();
    }
    drop(queue);
    let oldest = PathBuf::from(format!("{}.journal/{:016}.log", path.display(), 1));
    assert_ne!(oldest, newest_log(&path), "the journal has several files");
    let mut bytes = fs::read(&oldest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0xa5);
    fs::write(&oldest, bytes).unwrap();

    let error = open(&path).err().expect("refused");

    assert!(words(&error).contains("damaged") && words(&error).contains(".log"), "{}", words(&error));
}

#[tokio::test]
async fn a_torn_end_is_what_was_never_promised() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    let queue = open(&path).unwrap();
    let all = submit(&queue, 5).await.unwrap();
    drop(queue);
    let log = newest_log(&path);
    let mut bytes = fs::read(&log).unwrap();
    bytes.extend([0xa5; 1_000]);
    fs::write(&log, bytes).unwrap();

    let queue = open(&path).unwrap();

    assert_eq!(ids(&queue.claim(&"worker".into(), 9, NOW).await.unwrap()), all);
}

/// Plays the part of the holder, a gateway, until it is killed: says what was promised to it, line by line.
#[tokio::test]
async fn a_holder_submits_until_it_is_killed() {
    let Some(path) = child::role() else { return };
    let queue = open(Path::new(&path)).unwrap();
    loop {
        for id in submit(&queue, 3).await.unwrap() {
            println!("\naccepted {id}");
        }
        // Leaves its worker, where there is one, the time to keep up.
        if queue.depth().await.unwrap().waiting > 300 {
            let latest = queue.latest().await.unwrap();
            queue.changes(latest, TICK).await.unwrap();
        }
    }
}

/// Plays the part of a worker until it is killed.
#[tokio::test]
async fn a_worker_works_until_it_is_killed() {
    let Some(path) = child::role() else { return };
    let queue = Remote::new(Path::new(&path), LIMITS);
    let worker = WorkerId::of_pod(format!("worker-{}", std::process::id()));
    loop {
        let Ok(claims) = queue.claim(&worker, 2, LONG).await else {
            tokio::task::yield_now().await;
            continue;
        };
        for claim in claims {
            let class = usize::from(claim.job.image.pixels()[0]);
            if queue.settle(vec![done_as(&claim, class)]).await.is_ok_and(|settled| settled == [Settled::Done]) {
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
        let spawn = |test: &str| child::running(&format!("queue::embedded::{test}"), &path.to_string_lossy()).spawn();
        let roles = ["a_worker_works_until_it_is_killed", "a_holder_submits_until_it_is_killed"];
        let mut children = roles.map(|role| spawn(role).unwrap());
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
    }

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
    let log = fs::metadata(newest_log(&path)).unwrap().len();
    setrlimit(Resource::Fsize, Rlimit { current: Some(log + DISK_LEFT), ..free }).unwrap();
    let mut refused = 0;
    let error = loop {
        match submit(&queue, 1_000).await {
            Ok(ids) => accepted.extend(ids),
            Err(error) => break error,
        }
        refused += 1;
        assert!(refused < 1_000, "files grow for ever");
    };
    let refused_again = submit(&queue, 1_000).await;
    let read = queue.statuses(&accepted).await.unwrap();
    // What was accepted is finished although nobody makes room.
    let answers = queue.settle(held.iter().map(|claim| done_as(claim, 1)).collect()).await.unwrap();
    assert_eq!(answers, [Settled::Done; 5]);
    drain(&queue).await;
    let settled = queue.statuses(&accepted).await.unwrap();
    assert!(settled.iter().flatten().all(|status| matches!(status.progress, Progress::Settled(_))));
    assert_eq!(settled.len(), accepted.len());
    assert!(matches!(queue.sweep().await, Err(Error::NoSpace { .. })), "and it says so meanwhile");
    setrlimit(Resource::Fsize, free).unwrap();

    assert!(matches!(error, Error::NoSpace { action: "submit jobs", .. }), "{error:?}");
    assert!(words(&error).contains("queue.db"), "{}", words(&error));
    assert!(matches!(refused_again, Err(Error::NoSpace { .. })), "{refused_again:?}");
    assert!(read.iter().all(Option::is_some), "what was accepted can be read from a full disk");
    let ids = eventually("there is room again", async || submit(&queue, 100).await.ok()).await;
    drain(&queue).await;
    drop(queue);
    let queue = open(&path).unwrap();
    assert!(queue.statuses(&[accepted, ids].concat()).await.unwrap().iter().all(Option::is_some));
}

#[test]
fn a_full_disk_refuses_what_is_new_and_finishes_what_was_accepted() {
    let folder = folder();
    let path = folder.path().join("queue.db");

    let ended = child::running("queue::embedded::a_process_fills_its_disk", &path.to_string_lossy()).output().unwrap();

    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
}
