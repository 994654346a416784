//! Does kana keep its promises? One binary, so that everything links once.

mod conformance;
mod strokes;
mod support;
mod tidy;
