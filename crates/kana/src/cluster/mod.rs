//! Who keeps the workers running, and how many of them?
//!
//! [`Local`] keeps them as child processes of this one; [`Kubernetes`] looks after those that a Kubernetes cluster keeps.

pub mod kubernetes;
pub mod local;
mod take_back;

pub use kubernetes::Kubernetes;
pub use local::Local;
