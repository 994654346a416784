//! How does a test send one command to a Redis server without the queue?

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Time that a command may take: longer than any here does.
const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// Port of the server on the loopback, and its password.
pub struct Address {
    pub port: u16,
    pub password: Option<&'static str>,
}

/// Sends one command on a new connection. Returns the answer: one line an element, errors with their `-`.
pub fn ask(address: &Address, words: &[&str]) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", address.port))?;
    stream.set_read_timeout(Some(ANSWER_WAIT))?;
    let mut replies = BufReader::new(stream.try_clone()?);
    if let Some(password) = address.password {
        stream.write_all(&encoded(&["AUTH", password]))?;
        reply(&mut replies)?;
    }
    stream.write_all(&encoded(words))?;
    reply(&mut replies)
}

fn encoded(words: &[&str]) -> Vec<u8> {
    let words = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", words.len(), words.collect::<String>()).into_bytes()
}

fn reply(replies: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if replies.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let (kind, rest) = line.trim_end().split_at(1);
    match (kind, rest.parse::<i64>()) {
        ("-", _) => Ok(line.trim_end().to_owned()),
        ("$" | "*", Ok(-1)) => Ok("(nil)".to_owned()),
        ("$", Ok(bytes)) => {
            let mut text = vec![0; bytes as usize + 2];
            replies.read_exact(&mut text)?;
            Ok(String::from_utf8_lossy(&text[..bytes as usize]).into_owned())
        }
        ("*", Ok(count)) => {
            let elements: io::Result<Vec<_>> = (0..count).map(|_| reply(replies)).collect();
            Ok(elements?.join("\n"))
        }
        _ => Ok(rest.to_owned()),
    }
}
