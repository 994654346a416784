//! What is counted, and in which units?
