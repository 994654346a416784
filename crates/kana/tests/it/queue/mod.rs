//! Do the queues keep their promises, whatever happens to processes, disks, networks and clocks?

mod conformance;
mod embedded;
mod redis;
mod simulation;
