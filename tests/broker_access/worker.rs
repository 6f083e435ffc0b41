//! A worker whose every word is kept.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::broker::PATIENCE;
use crate::common::{Scene, guardian};

/// A worker that does not outlive its test.
pub(crate) struct Worker {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Worker {
    /// Starts one with this configuration and environment; it logs everything it ever would.
    pub(crate) fn start(scene: &Scene, configuration: &str, environment: &[(&str, &str)]) -> Self {
        let path = scene.write("worker.toml", configuration);
        let mut command = scene.gavel(&["worker", "--slots", "1", "-vvv"]);
        command.env("GAVEL_CONFIG", path).envs(environment.iter().copied());
        command.env_remove("CREDENTIALS_DIRECTORY");
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        guardian::watch(&child);
        let (sender, lines) = channel();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        for stream in [Box::new(stdout) as Box<dyn std::io::Read + Send>, Box::new(stderr)] {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    // Nobody listens once the test is over.
                    let _ = sender.send(line);
                }
            });
        }
        Self { child, lines, said: Vec::new() }
    }

    /// Waits until it says a line with all these parts; what it said before counts no more.
    pub(crate) fn wait_for(&mut self, parts: &[&str]) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if parts.iter().all(|part| line.contains(part)) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("the worker does not say {parts:?}:\n{}", self.said.join("\n"));
                }
            }
        }
    }

    /// Waits for both connections.
    pub(crate) fn wait_until_connected(&mut self) {
        let connected = |role: &str| format!("role=\"{role}\"");
        let mut roles = vec![connected("consuming"), connected("publishing")];
        while !roles.is_empty() {
            let line = self.wait_for(&["connected"]);
            roles.retain(|role| !line.contains(role.as_str()));
        }
    }

    /// Waits until what was broken is whole again: one of the connections is enough to tell.
    pub(crate) fn wait_until_connected_again(&mut self) {
        self.wait_for(&["connected", "role=\"consuming\""]);
    }

    /// Tells it to stop; everything it ever said.
    pub(crate) fn stop(mut self) -> String {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
        let mut said = std::mem::take(&mut self.said);
        // Ends when both streams do.
        said.extend(self.lines.iter());
        let status = self.child.wait().unwrap();
        let said = said.join("\n");
        assert!(status.success(), "{status}\n{said}");
        said
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
