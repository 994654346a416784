//! How do gateway, queue and workers become one command?
