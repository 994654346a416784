//! What did the command line ask for?
