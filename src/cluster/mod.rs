//! Who keeps the workers running, and how many of them?
