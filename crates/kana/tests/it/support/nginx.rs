//! How does a test put a real nginx in front of a gateway?

use std::fs;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use rand::RngExt;

use super::process::spawn_bound;

/// Below the ports that the kernel hands out by itself.
const PORTS: std::ops::Range<u16> = 2_000..12_000;

/// Tries to find a free port.
const TRIES_MAX: usize = 50;

/// A running nginx on a free port of the loopback; gone with this value.
pub struct Nginx {
    pub address: SocketAddr,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Nginx {
    /// Starts an nginx whose only server has these directives.
    pub async fn start(server: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let address = free_address();
        let path = folder.path().display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {path}/{name};"))
            .concat();
        let config = format!(
            "daemon off; master_process off; pid {path}/pid; error_log stderr; events {{ worker_connections 64; }}\n\
             http {{ access_log off; {temporary} server {{ listen {address}; {server} }} }}\n"
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, config).expect("a file");
        let program = ["/usr/sbin/nginx", "nginx"]
            .into_iter()
            .find(|path| !path.starts_with('/') || fs::exists(path).is_ok_and(|is| is));
        let mut command = Command::new(program.unwrap_or("nginx"));
        command.arg("-e").arg("stderr").arg("-p").arg(folder.path()).arg("-c").arg(&file).stdin(Stdio::null());
        let child = spawn_bound(command).expect("nginx runs: tools/install-test-needs");
        super::eventually("nginx to listen", async || tokio::net::TcpStream::connect(address).await.ok()).await;
        Self { address, child, _folder: folder }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> SocketAddr {
    let bind = |_| std::net::TcpListener::bind(("127.0.0.1", rand::rng().random_range(PORTS))).ok();
    let listener = (0..TRIES_MAX).find_map(bind).expect("a free port");
    listener.local_addr().expect("an address")
}
