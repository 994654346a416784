//! How are workers started, stopped, counted and replaced?
//!
//! [`Local`] runs workers as child processes of this process; [`Kubernetes`] observes and controls the workers that a
//! Kubernetes cluster runs. Both reclaim the jobs of a terminated worker at once, through [`reclaim`].

pub mod kubernetes;
pub mod local;
mod reclaim;

pub use kubernetes::Kubernetes;
pub use local::Local;
