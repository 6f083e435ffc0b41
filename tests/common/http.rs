//! A client of a worker's HTTP port, as plain as can be.
#![allow(dead_code)] // Every test file uses a part of it.
#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Only reached by what hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Sends these bytes and reads all that comes back; `None` when the connection is closed without an answer.
pub(crate) fn send(address: SocketAddr, request: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Closed before everything was sent, perhaps, and that is an answer, too.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().unwrap();
    Some(Answer { status, head: head.to_lowercase(), body: body.to_owned() })
}

pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, format!("GET {path} HTTP/1.1\r\nhost: worker\r\n\r\n").as_bytes()).expect("an answer")
}

/// Asks until it is answered with that status.
pub(crate) fn wait_for(address: SocketAddr, path: &str, status: u16) -> Answer {
    let started = Instant::now();
    loop {
        let answer = get(address, path);
        if answer.status == status {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "{path} stays at {answer:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Where a worker says it listens, from what it says first.
pub(crate) fn address_in(line: &str) -> SocketAddr {
    let (_, address) = line.split_once("http://").unwrap_or_else(|| panic!("no address in '{line}'"));
    address.trim().parse().unwrap()
}
