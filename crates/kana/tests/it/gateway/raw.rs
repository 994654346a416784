//! What does a test need to send a request byte by byte?

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longer than any answer takes.
const DEADLINE: Duration = Duration::from_secs(20);

/// A connection.
pub struct Raw(pub TcpStream);

impl Raw {
    pub async fn to(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.expect("a connection"))
    }

    pub async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.0.write_all(text.as_ref()).await.expect("a connection that is open");
    }

    /// Reads a head, up to its blank line.
    pub async fn head(&mut self) -> String {
        let mut head = Vec::new();
        let reading = async {
            while !head.ends_with(b"\r\n\r\n") {
                match self.0.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
        };
        tokio::time::timeout(DEADLINE, reading).await.expect("an answer in time");
        String::from_utf8(head).expect("a head of text")
    }

    /// Returns when the other side has closed.
    pub async fn closed(&mut self) {
        let mut rest = [0; 4_096];
        let reading = async { while self.0.read(&mut rest).await.is_ok_and(|read| read > 0) {} };
        tokio::time::timeout(DEADLINE, reading).await.expect("a closed connection in time");
    }
}

/// The head of a multipart upload of `length` bytes.
pub fn upload_head(length: usize) -> String {
    format!(
        "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

/// The first half of a multipart body.
pub const HALF: &str = "--b\r\nContent-Disposition: form-data; name=\"images\"; filename=\"a.png\"\r\n\r\nbytes";
