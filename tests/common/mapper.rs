//! Erlang's port mapper, for RabbitMQ nodes to find each other and their tools to find them.
#![allow(dead_code)] // Every test file uses a part of it.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::guardian;

/// Far longer than anything takes; reached only by what hangs.
const PATIENCE: Duration = Duration::from_secs(180);

/// Erlang's port mapper: ours, for one that a node starts would stay behind.
pub(crate) struct Mapper {
    port: u16,
    process: Child,
}

impl Mapper {
    /// Starts it and waits until it listens.
    pub(crate) fn start() -> Self {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut mapper = Self::spawn(free_port());
            while mapper.process.try_wait().unwrap().is_none() {
                if TcpStream::connect(("127.0.0.1", mapper.port)).is_ok() {
                    return mapper;
                }
                assert!(Instant::now() < deadline, "epmd does not listen on port {}", mapper.port);
                std::thread::sleep(Duration::from_millis(5));
            }
            // Somebody else was given its port.
            assert!(Instant::now() < deadline, "epmd does not start");
        }
    }

    fn spawn(port: u16) -> Self {
        let process = Command::new("epmd")
            .args(["-address", "127.0.0.1", "-port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        guardian::watch(&process);
        Self { port, process }
    }

    /// For nodes and their tools: where it is, and that nobody may start another.
    pub(crate) fn environment(&self) -> [(&'static str, String); 3] {
        [
            ("ERL_EPMD_PORT", self.port.to_string()),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
            ("ERL_FLAGS", "-start_epmd false".to_owned()),
        ]
    }
}

impl Drop for Mapper {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
