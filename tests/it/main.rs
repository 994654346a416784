//! Does kana keep its promises? One binary, so that everything links once.

mod conformance;
mod gateway;
mod queue_sqlite;
mod simulation;
mod support;
mod tidy;
mod data;
mod train;
