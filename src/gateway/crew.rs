//! What happens to the pods?
//!
//! One task passes the cluster's events on to the event streams and keeps the list of pods that the counts are joined
//! with. When it could not keep up, or the cluster could not be asked at first, it asks for the whole.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tracing::warn;

use super::app::App;
use super::feed::Kind;
use super::view;
use crate::pod::{Error, Event, Phase, Pod};

/// The pause before a cluster that did not answer is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Follows the pods until the gateway ends.
pub async fn run(app: Arc<App>) {
    let ending = app.ending.clone();
    tokio::select! {
        () = ending.cancelled() => {}
        () = follow(&app) => {}
    }
}

async fn follow(app: &App) {
    // Before the list is read, so that nothing happens in between unseen.
    let mut events = app.parts.cluster.events();
    catch_up(app).await;
    loop {
        match events.recv().await {
            Ok(event) => pass_on(app, event),
            Err(RecvError::Lagged(_)) => catch_up(app).await,
            // A cluster in which nothing ever happens.
            Err(RecvError::Closed) => return,
        }
    }
}

fn pass_on(app: &App, event: Event) {
    match event {
        Event::Pod(pod) => show(app, pod),
        Event::Scale(scale) => app.feed.tell(Kind::Scale, &scale),
        Event::Console(console) => app.feed.tell(Kind::Console, &console),
    }
}

fn show(app: &App, pod: Pod) {
    let completed = app.tally.completed(&pod.name);
    if pod.phase == Phase::Gone {
        crew(app).remove(&pod.name);
        app.tally.forget(&pod.name);
    } else {
        crew(app).insert(pod.name.clone(), pod.clone());
    }
    app.metrics.observe_pods(crew(app).values().map(|pod| pod.phase));
    let in_flight = {
        let depth = app.depth.lock().unwrap_or_else(PoisonError::into_inner);
        depth.running.get(&pod.name).copied().unwrap_or(0)
    };
    app.feed.tell(Kind::Pod, &view::Pod::new(pod, completed, in_flight));
    app.stirred.notify_one();
}

async fn catch_up(app: &App) {
    let mut failing = false;
    let (pods, scale) = loop {
        match present(app).await {
            Ok(present) => break present,
            Err(error) if !failing => {
                failing = true;
                warn!(error = &error as &dyn std::error::Error, "could not list the pods; trying again");
            }
            Err(_) => {}
        }
        tokio::time::sleep(PAUSE).await;
    };
    let names: Vec<&str> = pods.iter().map(|pod| pod.name.as_str()).collect();
    let gone: Vec<Pod> = crew(app).values().filter(|pod| !names.contains(&pod.name.as_str())).cloned().collect();
    gone.into_iter().for_each(|pod| show(app, Pod { phase: Phase::Gone, ..pod }));
    pods.into_iter().for_each(|pod| show(app, pod));
    app.feed.tell(Kind::Scale, &scale);
}

async fn present(app: &App) -> Result<(Vec<Pod>, crate::pod::Scale), Error> {
    Ok((app.steer(|cluster| cluster.pods()).await?, app.steer(|cluster| cluster.scale()).await?))
}

/// Nothing panics while it holds this lock, so what it guards is whole.
fn crew(app: &App) -> MutexGuard<'_, BTreeMap<String, Pod>> {
    app.crew.lock().unwrap_or_else(PoisonError::into_inner)
}
