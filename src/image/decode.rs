//! Is this file a picture, and which?
