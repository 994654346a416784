//! What do the tests share?
