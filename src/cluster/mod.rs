//! Who keeps the workers running, and how many of them?
//!
//! [`Local`] keeps them as child processes of this one. [`Absent`] stands where somebody else does, out of sight.

pub mod absent;
pub mod local;

pub use absent::Absent;
pub use local::Local;
