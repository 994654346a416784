//! Does kana keep its promises? One binary, so that everything links once.

mod data;
mod support;
mod train;
