//! Does kana keep its promises? One binary, so that everything links once.

mod chart;
mod cli;
mod client;
mod cluster;
mod conformance;
mod data;
mod gateway;
mod ground;
mod kubernetes;
mod model;
mod picture;
mod queue_redis;
mod queue_sqlite;
mod redis_roles;
mod samples;
mod scenarios;
mod simulation;
mod strokes;
mod support;
mod tidy;
mod train;
mod worker;
