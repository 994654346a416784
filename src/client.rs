//! What does a person at a terminal want from a running gateway?
