//! What does an operator find in the gateway's log?

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::app::App;
use crate::support::eventually;
use crate::support::pictures::png;

/// The lines that this test's thread logs, on which all its tasks run.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Records from now on, until the guard is dropped.
    pub fn record() -> (Self, DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt().json().with_max_level(tracing::Level::DEBUG);
        let guard = tracing::subscriber::set_default(subscriber.with_writer(log.clone()).finish());
        (log, guard)
    }

    /// Waits for the line whose message begins so.
    pub async fn line(&self, message: &str) -> Value {
        self.find(message, |text| text.starts_with(message)).await
    }

    /// Waits for a line whose message contains this text.
    pub async fn line_with(&self, text: &str) -> Value {
        self.find(text, |message| message.contains(text)).await
    }

    async fn find(&self, what: &str, is_wanted: impl Fn(&str) -> bool) -> Value {
        let begins = |line: &Value| line["fields"]["message"].as_str().is_some_and(&is_wanted);
        eventually(what, async || {
            let text = String::from_utf8(self.0.lock().clone()).expect("text");
            text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")).find(begins)
        })
        .await
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn an_accepted_upload_is_logged_with_its_batch_and_its_request() {
    let (log, _guard) = Log::record();
    let app = App::start().await;

    let upload = app.upload("/v1/jobs", vec![("a.png", png(1)), ("b.png", png(2))]);
    let receipt: Value = upload.header("X-Request-Id", "r-7").send().await.unwrap().json().await.unwrap();

    let line = log.line("accepted batch").await;
    assert_eq!((&line["fields"]["batch.id"], &line["fields"]["jobs"]), (&receipt["batch"], &Value::from(2)));
    let request = &line["span"];
    assert_eq!((request["method"].as_str(), request["route"].as_str()), (Some("POST"), Some("/v1/jobs")));
    assert_eq!(request["request.id"], "r-7");
}

#[tokio::test]
async fn a_job_that_is_done_is_logged_with_its_worker() {
    let (log, _guard) = Log::record();
    let app = App::start().await;
    let receipt = app.accept(vec![("a.png", png(1))]).await;

    app.work("pod-1", 1).await;

    let id = receipt["jobs"][0]["id"].as_str().expect("an id");
    let fields = log.line(&format!("job {id} is done")).await["fields"].clone();
    assert_eq!((fields["job.id"].as_str(), fields["worker"].as_str()), (Some(id), Some("pod-1")));
}

#[tokio::test]
async fn a_dead_lettered_job_is_a_warning_with_its_reason() {
    let (log, _guard) = Log::record();
    let app = App::start().await;
    let receipt = app.accept(vec![("a.png", png(1))]).await;

    app.dead_letter("pod-1", "it is broken").await;

    let line = log.line("dead-lettered job").await;
    assert_eq!((&line["fields"]["job.id"], line["level"].as_str()), (&receipt["jobs"][0]["id"], Some("WARN")));
    assert!(line["fields"]["error"].as_str().is_some_and(|error| error.contains("it is broken")), "{line}");
}
