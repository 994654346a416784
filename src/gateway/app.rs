//! What does every handler work with?
use super::Parts;

/// stub
pub struct App { pub parts: Parts }
