//! What must be looked at again and again?
//!
//! Once a second the queue is asked to do what time asks for, and how deep it is. When jobs change, its depth is looked
//! at sooner, up to four times a second, and whoever follows the events is told what is new.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::gateway::live::event_log::Kind;
use crate::gateway::state::App;
use crate::gateway::view;
use crate::pod::Pod;
use crate::telemetry::Chain;
use kana_queue::{Depth, Error};

/// How often to look when nothing happens.
const PERIOD: Duration = Duration::from_secs(1);

/// How long after a look the next one may come when something does: four a second are as many as a person can read.
const PERIOD_MIN: Duration = Duration::from_millis(250);

/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the events have already told.
#[derive(Default)]
struct Told {
    queue: Option<view::Queue>,
    pods: HashMap<String, view::Pod>,
}

/// Looks, until the gateway ends.
pub async fn run(app: Arc<App>) {
    let mut told = Told::default();
    let mut swept = None;
    let mut failing = false;
    loop {
        let sweep = swept.is_none_or(|then: Instant| then.elapsed() >= PERIOD);
        let looked = tokio::select! {
            () = app.ending.cancelled() => return,
            looked = look(&app, sweep) => looked,
        };
        if sweep {
            swept = Some(Instant::now());
        }
        app.tally.tick(Instant::now());
        match looked {
            Ok(depth) => {
                if failing {
                    info!("the queue's depth can be read again");
                }
                failing = false;
                tell(&app, depth, &mut told);
            }
            Err(error) if !failing => {
                failing = true;
                warn!(error = %Chain(&error), "could not look after the queue; trying again");
            }
            Err(_) => {}
        }
        tokio::select! {
            () = app.ending.cancelled() => return,
            () = rest(&app) => {}
        }
    }
}

async fn look(app: &App, sweep: bool) -> Result<Depth, Error> {
    let queue = &app.parts.queue;
    let looking = async {
        if sweep {
            queue.sweep().await?;
        }
        queue.depth().await
    };
    let late = |late| Error::Unavailable { action: "look after the queue in time", source: Box::new(late) };
    tokio::time::timeout(PATIENCE, looking).await.map_err(late)?
}

/// Until something changed or the period is over, and not before the shortest one is.
async fn rest(app: &App) {
    tokio::time::sleep(PERIOD_MIN).await;
    // Running out of time is as good a reason to look as a change.
    let _ = tokio::time::timeout(PERIOD - PERIOD_MIN, app.stirred.notified()).await;
}

fn tell(app: &App, depth: Depth, told: &mut Told) {
    let queue = app.tally.counted(view::Queue::of_depth(&depth, app.parts.clock.now()));
    app.metrics.observe_queue(queue.waiting, queue.running, queue.dead);
    app.metrics.observe_oldest(queue.oldest_ms.map(Duration::from_millis));
    if told.queue.as_ref() != Some(&queue) {
        app.feed.tell(Kind::Queue, &queue);
        told.queue = Some(queue);
    }
    let crew: BTreeMap<String, Pod> = app.crew.lock().unwrap_or_else(PoisonError::into_inner).clone();
    told.pods.retain(|name, _| crew.contains_key(name));
    for (name, pod) in crew {
        let in_flight = depth.held_by(&name);
        let pod = view::Pod::new(pod, app.tally.completed(&name), in_flight);
        if told.pods.get(&name) != Some(&pod) {
            app.feed.tell(Kind::Pod, &pod);
            told.pods.insert(name, pod);
        }
    }
    *app.depth.lock().unwrap_or_else(PoisonError::into_inner) = depth;
}
