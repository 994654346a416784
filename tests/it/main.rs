//! Does kana keep its promises? One binary, so that everything links once.

mod picture;
mod support;
