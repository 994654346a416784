//! Which Redis do the benchmarks run on?

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use anyhow::Context;

/// `redis-server` on a free port, with the durability that the documentation advises.
pub struct Server {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts it, and waits until it answers.
    pub fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]);
        command.args(["--appendfsync", "everysec", "--dir"]).arg(folder.path()).stdout(Stdio::piped());
        let mut process = command.spawn().context("could not start redis-server: is it installed?")?;
        let output = process.stdout.take().context("redis-server has no output")?;
        let mut lines = BufReader::new(output).lines();
        while !lines.next().context("redis-server ended at once")??.contains("Ready to accept connections") {}
        // What it prints from now on must go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { process, port, _folder: folder })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
