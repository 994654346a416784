//! Does kana keep its promises? One binary, so that everything links once.

mod cli;
mod cluster;
mod conformance;
mod data;
mod gateway;
mod model;
mod queue_sqlite;
mod scenarios;
mod simulation;
mod support;
mod tidy;
mod train;
mod worker;
