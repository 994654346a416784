//! Does kana keep its promises? One binary, so that everything links once.

mod conformance;
mod gateway;
mod model;
mod support;
mod tidy;
