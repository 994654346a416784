//! Which flags say where in Kubernetes the workers of a gateway are, and in which pod this worker runs?
//!
//! The chart sets all of them as environment variables. Flags are only translated here: no request is sent to
//! Kubernetes before they are complete.

use std::path::PathBuf;

use anyhow::Error;
use clap::{Args, ValueEnum};
use kana_queue::WorkerId;
use tracing::warn;

use crate::cluster::kubernetes::{self, Scaler};

/// The flags that name the workers of a gateway, for `--cluster kubernetes`.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Kubernetes")]
pub struct Workers {
    /// Namespace of the workers [default: the namespace of this process's credentials]
    #[arg(long, env = "KANA_NAMESPACE", value_name = "NAME")]
    namespace: Option<String>,

    /// Helm release of the workers
    #[arg(long, env = "KANA_RELEASE", value_name = "NAME", required_if_eq("cluster", "kubernetes"))]
    release: Option<String>,

    /// Name of the workers' Deployment
    #[arg(long, env = "KANA_WORKERS", value_name = "NAME", required_if_eq("cluster", "kubernetes"))]
    workers: Option<String>,

    /// Controller that changes the number of workers
    #[arg(long, env = "KANA_SCALED_BY", value_enum, default_value_t = ScaledByFlag::None)]
    scaled_by: ScaledByFlag,

    /// Name of the HorizontalPodAutoscaler or ScaledObject
    #[arg(long, env = "KANA_SCALER", value_name = "NAME",
          required_if_eq_any([("scaled_by", "hpa"), ("scaled_by", "keda")]))]
    scaler: Option<String>,

    /// Name of the ConfigMap by which a range that a person set outlives upgrades and rollbacks [default: it does not]
    #[arg(long, env = "KANA_RANGE_RECORD", value_name = "NAME")]
    range_record: Option<String>,
}

/// Values of `--scaled-by`: the controller that changes the number of workers.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ScaledByFlag {
    /// No controller: the number stays as it was set
    None,
    /// A HorizontalPodAutoscaler
    Hpa,
    /// A KEDA ScaledObject
    Keda,
}

impl Workers {
    /// Returns the configuration of the cluster by these flags.
    pub fn config(self) -> kubernetes::Config {
        // The parser requires each name where it is needed.
        let scaler = self.scaler.unwrap_or_default();
        kubernetes::Config {
            namespace: self.namespace,
            release: self.release.unwrap_or_default(),
            workers: self.workers.unwrap_or_default(),
            scaler: match self.scaled_by {
                ScaledByFlag::None => Scaler::Fixed,
                ScaledByFlag::Hpa => Scaler::Hpa(scaler),
                ScaledByFlag::Keda => Scaler::Keda(scaler),
            },
            range_record: self.range_record,
        }
    }
}

/// The flags for a worker that runs in a pod of its own.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Kubernetes")]
pub struct OwnPodFlags {
    /// Annotate this worker's own pod, which is called --name, with whether it is busy: Kubernetes then deletes idle
    /// pods first
    #[arg(long, env = "KANA_POD_DELETION_COST", requires = "name")]
    pod_deletion_cost: bool,

    /// Namespace of the pod [default: the namespace of this process's credentials]
    #[arg(long, env = "KANA_NAMESPACE", value_name = "NAME")]
    namespace: Option<String>,

    /// Claim under an id for this container alone, and write the id to this file, which is /dev/termination-log for a
    /// container in Kubernetes: its jobs are then reclaimed as soon as it ends, even if its pod keeps running
    #[arg(long, env = "KANA_TERMINATION_LOG", value_name = "FILE", requires = "name")]
    termination_log: Option<PathBuf>,
}

impl OwnPodFlags {
    /// Returns the id under which a worker in the pod of this name claims jobs. Writes it to the termination log, where
    /// a flag names one.
    pub fn worker_id(&self, pod: &str) -> WorkerId {
        let Some(file) = &self.termination_log else { return WorkerId::of_pod(pod) };
        kubernetes::begin_incarnation(pod, file).unwrap_or_else(|error| {
            // Then its jobs wait for their leases to expire when only its container ends.
            warn!(pod, error = %error, "could not write the worker's id to {}", file.display());
            WorkerId::of_pod(pod)
        })
    }

    /// Returns the pod whose deletion cost to keep up to date, where a flag asks for that and this process has
    /// credentials: a worker without them works all the same.
    pub async fn with_deletion_cost(&self, pod: &str) -> Option<kubernetes::OwnPod> {
        if !self.pod_deletion_cost {
            return None;
        }
        let found = kubernetes::OwnPod::find(pod, self.namespace.as_deref()).await;
        let warn = |error: &Error| {
            warn!(pod, error = %format!("{error:#}"), "will not write the deletion cost of pod {pod}");
        };
        found.map_err(Error::from).inspect_err(warn).ok()
    }
}
