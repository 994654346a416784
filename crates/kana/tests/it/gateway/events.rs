//! Does every stream get what happens, in order, and also after a break?

use std::time::Duration;

use futures::StreamExt as _;
use kana::pod::Phase;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::App;
use crate::support::eventually;
use crate::support::pictures::png;

/// Longer than any event takes.
const DEADLINE: Duration = Duration::from_secs(20);

/// One open stream, read event by event.
struct Stream {
    body: futures::stream::BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    text: String,
}

#[derive(Debug)]
struct Seen {
    name: String,
    id: String,
    data: Value,
}

impl Stream {
    async fn open(app: &App, last: Option<&str>) -> Self {
        let mut request = app.request(Method::GET, "/v1/events");
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert!(!response.headers().contains_key("content-encoding"));
        Self { body: response.bytes_stream().boxed(), text: String::new() }
    }

    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Seen> {
        tokio::time::timeout(DEADLINE, async {
            loop {
                while let Some((block, rest)) = self.text.split_once("\n\n") {
                    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                    let seen = field("event:").map(|event| Seen {
                        name: event.into(),
                        id: field("id:").unwrap_or("").into(),
                        data: serde_json::from_str(field("data:").unwrap_or("")).expect("JSON"),
                    });
                    self.text = rest.to_owned();
                    if seen.is_some() {
                        return seen;
                    }
                }
                self.text += std::str::from_utf8(&self.body.next().await?.ok()?).expect("text");
            }
        })
        .await
        .expect("an event in time")
    }

    /// Skips events until one fits.
    async fn until(&mut self, what: &str, fits: impl Fn(&Seen) -> bool) -> Seen {
        while let Some(seen) = self.next().await {
            if fits(&seen) {
                return seen;
            }
        }
        panic!("the stream ended before {what}");
    }
}

#[tokio::test]
async fn a_stream_begins_with_the_present_pods_scale_and_queue() {
    let app = App::start().await;
    app.cluster.set_pod("pod-1", Phase::Ready);
    app.accept(vec![("a.png", png(1))]).await;
    app.claim("pod-1", 1).await;

    let mut stream = Stream::open(&app, None).await;

    let pod = stream.next().await.unwrap();
    assert_eq!(pod.name, "pod");
    assert_eq!(
        (&pod.data["name"], &pod.data["ready"], &pod.data["in_flight"]),
        (&json!("pod-1"), &json!(true), &json!(1))
    );
    let scale = stream.next().await.unwrap();
    assert_eq!((scale.name.as_str(), &scale.data["by"]), ("scale", &json!("local")));
    let queue = stream.next().await.unwrap();
    assert_eq!((queue.name.as_str(), &queue.data["running"], &queue.data["accepted"]), ("queue", &json!(1), &json!(1)));
}

#[tokio::test]
async fn a_jobs_changes_are_seen_in_order() {
    let app = App::start().await;
    let mut stream = Stream::open(&app, None).await;

    let receipt = app.accept(vec![("a.png", png(1))]).await;
    let job = |state: &'static str| {
        let id = receipt["jobs"][0]["id"].clone();
        move |seen: &Seen| seen.name == "job" && seen.data["id"] == id && seen.data["state"] == state
    };
    stream.until("queued", job("queued")).await;
    let claims = app.claim("pod-1", 1).await;
    stream.until("running", job("running")).await;
    app.settle(claims).await;

    let done = stream.until("done", job("done")).await;
    assert_eq!(done.data, app.json(&format!("/v1/jobs/{}", receipt["jobs"][0]["id"].as_str().unwrap())).await);
}

#[tokio::test]
async fn pods_scale_and_console_are_seen() {
    let app = App::start().await;
    let mut stream = Stream::open(&app, None).await;

    app.cluster.set_pod("pod-1", Phase::Starting);
    stream.until("a pod", |seen| seen.name == "pod" && seen.data["phase"] == "starting").await;
    app.cluster.remove_pod("pod-1");
    stream.until("a pod that goes", |seen| seen.name == "pod" && seen.data["phase"] == "gone").await;
    app.request(Method::PUT, "/v1/scale").body(r#"{"min":2,"max":3}"#).send().await.unwrap();
    stream.until("a scale", |seen| seen.name == "scale" && seen.data["min"] == 2).await;
    app.cluster.publish_command("kubectl get pods");

    let console = stream.until("a console line", |seen| seen.name == "console").await;
    assert_eq!(console.data, json!({"command": "kubectl get pods", "output": "done", "took_ms": 1.5}));
}

#[tokio::test]
async fn a_pod_whose_end_was_missed_is_still_published_as_gone() {
    let app = App::start().await;
    let mut stream = Stream::open(&app, None).await;
    app.cluster.set_pod("pod-1", Phase::Ready);
    stream.until("a pod", |seen| seen.name == "pod").await;

    app.cluster.remove_pod_unseen("pod-1");

    stream.until("a pod that goes", |seen| seen.name == "pod" && seen.data["phase"] == "gone").await;
}

#[tokio::test]
async fn the_queue_is_published_when_it_changes() {
    let app = App::start().await;
    let mut stream = Stream::open(&app, None).await;

    app.accept(vec![("a.png", png(1)), ("b.png", png(2))]).await;
    let waiting = stream.until("two wait", |seen| seen.name == "queue" && seen.data["waiting"] == 2).await;
    app.work("pod-1", 2).await;
    let done = stream.until("two are done", |seen| seen.name == "queue" && seen.data["done"] == 2).await;

    assert!(waiting.data["oldest_ms"].is_u64());
    assert_eq!(
        (&done.data["waiting"], &done.data["failed"], &done.data["accepted"]),
        (&json!(0), &json!(0), &json!(2))
    );
    assert!(done.data.get("oldest_ms").is_none());
}

#[tokio::test]
async fn a_pods_counts_are_published_when_they_change() {
    let app = App::start().await;
    app.cluster.set_pod("pod-1", Phase::Ready);
    let mut stream = Stream::open(&app, None).await;

    app.accept(vec![("a.png", png(1))]).await;
    app.work("pod-1", 1).await;

    stream.until("a job completed", |seen| seen.name == "pod" && seen.data["completed"] == 1).await;
}

#[tokio::test]
async fn a_stream_that_broke_off_resumes_after_its_last_event() {
    let app = App::start().await;
    let mut first = Stream::open(&app, None).await;
    app.accept(vec![("a.png", png(1))]).await;
    let last = first.until("a job", |seen| seen.name == "job").await;
    drop(first);
    app.accept(vec![("b.png", png(2))]).await;
    app.accept(vec![("c.png", png(3))]).await;

    let mut again = Stream::open(&app, Some(&last.id)).await;

    let job = |seen: &Seen| {
        assert!(seen.name == "job" || seen.name == "queue", "no present state comes first: {seen:?}");
        seen.name == "job"
    };
    assert_eq!(again.until("the second", job).await.data["filename"], "b.png");
    assert_eq!(again.until("the third", job).await.data["filename"], "c.png");
}

#[tokio::test]
async fn a_stream_of_another_process_is_reset_to_the_present() {
    let app = App::start().await;
    app.cluster.set_pod("pod-1", Phase::Ready);

    for id in ["00000000-7", "nonsense", "7"] {
        let mut stream = Stream::open(&app, Some(id)).await;

        let reset = stream.next().await.unwrap();
        assert_eq!((reset.name.as_str(), reset.data), ("reset", json!({})));
        assert_eq!(stream.next().await.unwrap().name, "pod");
    }
}

#[tokio::test]
async fn a_stream_that_missed_too_many_events_is_reset() {
    let app = App::with(|config| config.limits.events_kept = 4).await;
    let mut first = Stream::open(&app, None).await;
    app.accept(vec![("a.png", png(1))]).await;
    let last = first.until("a job", |seen| seen.name == "job").await;
    drop(first);
    app.accept((0..10).map(|n| ("b.png", png(n))).collect()).await;
    app.work("pod-1", 10).await;
    app.sees_settled(10).await;

    let mut again = Stream::open(&app, Some(&last.id)).await;

    assert_eq!(again.next().await.unwrap().name, "reset");
}

#[tokio::test]
async fn one_stream_too_many_is_refused_until_another_closes() {
    let app = App::with(|config| config.limits.streams_max = 1).await;
    let stream = Stream::open(&app, None).await;

    let refused = app.get("/v1/events").await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));

    drop(stream);
    eventually("room for another stream", async || (app.get("/v1/events").await.status() == 200).then_some(())).await;
}

#[tokio::test]
async fn a_stream_goes_on_after_an_outage_of_the_queue_and_misses_nothing() {
    let app = App::start().await;
    let mut stream = Stream::open(&app, None).await;
    app.accept(vec![("a.png", png(1))]).await;
    stream.until("the first", |seen| seen.name == "job").await;

    app.queue.fail();
    app.queue.behind_the_scenes().submit(one_job()).await.unwrap();
    app.queue.mend();

    stream.until("the second", |seen| seen.name == "job" && seen.data["filename"] == "later.png").await;
}

fn one_job() -> kana_queue::Submission {
    let (batch, shape) =
        (kana_queue::job::BatchId::new(), kana_engine::image::Shape { channels: 1, height: 28, width: 28 });
    let job = kana_queue::job::Job {
        id: kana_queue::job::JobId::new(),
        batch,
        filename: "later.png".into(),
        image: kana_engine::image::Image::new(shape, vec![0; 784]).unwrap(),
        submitted: kana_queue::clock::Timestamp::from_millis(1_700_000_000_000),
    };
    kana_queue::Submission { batch, jobs: vec![job], idempotency: None, name: None }
}

#[tokio::test]
async fn a_fault_is_published_when_it_begins_when_it_ends_and_at_the_start_of_a_stream() {
    let app = App::start().await;
    let mut early = Stream::open(&app, None).await;

    app.cluster.set_failure(Some("no right"));
    let begun = early.until("a fault", |seen| seen.name == "trouble").await;
    let late = Stream::open(&app, None).await.until("the fault", |seen| seen.name == "trouble").await;
    app.cluster.set_failure(None);
    let ended = early.until("its end", |seen| seen.name == "trouble").await;

    assert_eq!((begun.data, late.data), (json!({"reason": "no right"}), json!({"reason": "no right"})));
    assert_eq!(ended.data, json!({}));
}

#[tokio::test]
async fn a_fault_whose_end_was_missed_is_still_published_as_over() {
    let app = App::start().await;
    let mut stream = Stream::open(&app, None).await;
    app.cluster.set_failure(Some("no right"));
    stream.until("a fault", |seen| seen.name == "trouble").await;

    app.cluster.set_failure(None);
    (0..64).for_each(|_| app.cluster.publish_command("noise"));

    stream.until("its end", |seen| seen.name == "trouble" && seen.data == json!({})).await;
}

#[tokio::test]
async fn a_queue_that_does_not_answer_hides_no_pod_from_a_new_stream() {
    let app = App::start().await;
    let mut early = Stream::open(&app, None).await;
    app.cluster.set_pod("pod-1", Phase::Ready);
    early.until("a pod", |seen| seen.name == "pod").await;

    app.queue.fall_silent();

    let mut late = Stream::open(&app, None).await;
    late.until("the pod", |seen| seen.name == "pod" && seen.data["name"] == "pod-1").await;
    late.until("the scale", |seen| seen.name == "scale").await;
}

#[tokio::test]
async fn pods_that_could_not_be_listed_are_published_as_soon_as_they_can() {
    let app = App::start().await;
    app.cluster.set_failure(Some("no right"));
    // So many events at once that the gateway lists the pods again, which fails.
    app.cluster.set_pod("pod-1", Phase::Ready);
    (0..64).for_each(|_| app.cluster.publish_command("noise"));
    let mut stream = Stream::open(&app, None).await;
    app.cluster.publish_command("published meanwhile");
    stream.until("the command", |seen| seen.data["command"] == "published meanwhile").await;

    app.cluster.set_failure(None);

    stream.until("the pod", |seen| seen.name == "pod" && seen.data["name"] == "pod-1").await;
}
