//! What keeps the workers running, and how many of them?
//!
//! [`Local`] runs them as child processes of this one; [`Kubernetes`] observes and steers those that a Kubernetes cluster
//! runs. Both give the jobs of a worker that died to the others at once, through [`reclaim`].

pub mod kubernetes;
pub mod local;
mod reclaim;

pub use kubernetes::Kubernetes;
pub use local::Local;
