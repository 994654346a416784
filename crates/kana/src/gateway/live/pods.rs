//! What happens to the pods?
//!
//! One task passes the cluster's events on to the event streams and keeps the list of pods that the counts are joined
//! with. When it could not keep up, or the cluster could not tell its pods, it asks for the whole, again and again,
//! while it goes on passing on what it hears.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tracing::warn;

use crate::gateway::live::event_log::Kind;
use crate::gateway::state::App;
use crate::gateway::view;
use crate::pod::{Event, Phase, Pod};
use crate::telemetry::Chain;

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
    let mut whole = Whole::Wanted;
    loop {
        if whole != Whole::Known {
            whole = catch_up(app, whole).await;
        }
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => pass_on(app, event),
                Err(RecvError::Lagged(_)) => {
                    // What was missed may have been its beginning or its end, and no list of pods tells that.
                    app.feed.tell(Kind::Trouble, &view::Trouble { reason: app.parts.cluster.trouble() });
                    whole = Whole::Wanted;
                }
                // A cluster in which nothing ever happens; one that could not be asked yet still may be.
                Err(RecvError::Closed) if whole == Whole::Known => return,
                Err(RecvError::Closed) => tokio::time::sleep(PAUSE).await,
            },
            () = tokio::time::sleep(PAUSE), if whole != Whole::Known => {}
        }
    }
}

/// Whether every pod was heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whole {
    /// It was.
    Known,
    /// Ask, and say so where there is no answer.
    Wanted,
    /// Ask again; that there was no answer has been said.
    Missed,
}

fn pass_on(app: &App, event: Event) {
    match event {
        Event::Pod(pod) => show(app, pod),
        Event::Scale(scale) => app.feed.tell(Kind::Scale, &scale),
        Event::Console(console) => app.feed.tell(Kind::Console, &console),
        Event::Trouble(reason) => app.feed.tell(Kind::Trouble, &view::Trouble { reason }),
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
    let in_flight = app.last_held_by(&pod.name);
    app.feed.tell(Kind::Pod, &view::Pod::new(pod, completed, in_flight));
    app.stirred.notify_one();
}

async fn catch_up(app: &App, before: Whole) -> Whole {
    let pods = match app.steer(|cluster| cluster.pods()).await {
        Ok(pods) => pods,
        Err(error) => {
            if before == Whole::Wanted {
                warn!(error = %Chain(&error), "could not list the pods; trying again");
            }
            return Whole::Missed;
        }
    };
    let names: Vec<&str> = pods.iter().map(|pod| pod.name.as_str()).collect();
    let gone: Vec<Pod> = crew(app).values().filter(|pod| !names.contains(&pod.name.as_str())).cloned().collect();
    gone.into_iter().for_each(|pod| show(app, Pod { phase: Phase::Gone, ..pod }));
    pods.into_iter().for_each(|pod| show(app, pod));
    // Where it is not known yet, an event will tell it.
    if let Ok(scale) = app.steer(|cluster| cluster.scale()).await {
        app.feed.tell(Kind::Scale, &scale);
    }
    Whole::Known
}

/// Nothing panics while it holds this lock, so what it guards is whole.
fn crew(app: &App) -> MutexGuard<'_, BTreeMap<String, Pod>> {
    app.crew.lock().unwrap_or_else(PoisonError::into_inner)
}
