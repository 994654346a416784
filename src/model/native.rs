//! How is the reference network computed here?
