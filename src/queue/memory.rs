//! What does a queue look like with nothing but its promises?
