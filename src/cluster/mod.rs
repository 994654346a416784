//! Who keeps the workers running, and how many of them?
//!
//! [`Local`] keeps them as child processes of this one.

pub mod local;

pub use local::Local;
