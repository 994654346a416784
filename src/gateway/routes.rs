//! Which address answers what, and to whom?

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;
use super::{batches, classify, dead, events, health, jobs, openapi, pods, scale, status};

/// What everybody may ask, tokens or not.
fn open() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(health::livez)).routes(routes!(health::readyz)).routes(routes!(health::metrics))
}

/// What any token may ask.
fn read() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(jobs::read_job))
        .routes(routes!(batches::read_batch))
        .routes(routes!(events::follow_events))
        .routes(routes!(pods::list_pods))
        .routes(routes!(scale::read_scale))
        .routes(routes!(status::read_status))
        .routes(routes!(dead::list_dead))
}

/// What a token with the scope `submit` may ask.
fn submit() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(jobs::submit_jobs))
        .routes(routes!(jobs::cancel_job))
        .routes(routes!(classify::classify_image))
}

/// What a token with the scope `operate` may ask.
fn operate() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(pods::stop_pod))
        .routes(routes!(scale::set_scale))
        .routes(routes!(dead::replay_dead))
        .routes(routes!(dead::discard_dead))
}

/// Every documented route.
pub(super) fn all() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(openapi::bare()).merge(read()).merge(submit()).merge(operate()).merge(open())
}
