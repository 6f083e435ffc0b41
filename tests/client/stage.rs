//! A broker, perhaps a worker, and somebody who sends.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::common::{Said, Scene, guardian, said, text};
use crate::node::{Client, Node};

/// Far longer than anything takes; reached only by what hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// A process that does not outlive its test.
pub(crate) struct Process(Option<Child>);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.unwrap();
        guardian::watch(&child);
        Self(Some(child))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let process = self.0.as_ref().unwrap().id();
        kill(Pid::from_raw(process.try_into().unwrap()), signal).unwrap();
    }

    /// The next line of its standard output.
    pub(crate) fn line(&mut self) -> String {
        let stdout = self.0.as_mut().unwrap().stdout.as_mut().unwrap();
        let mut line = Vec::new();
        let mut byte = [0];
        // Byte by byte: what is read ahead would be missing at the end.
        while stdout.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Said {
        said(self.0.take().unwrap().wait_with_output().unwrap())
    }

    /// Whether it runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.0.as_mut().unwrap().try_wait().unwrap().is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A scene with a broker.
pub(crate) struct Stage {
    pub(crate) scene: Scene,
    pub(crate) node: Node,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let scene = Scene::new();
        scene.kattis_package("packages/sum");
        Self { scene, node: Node::start() }
    }

    /// gavel with this broker in its environment.
    pub(crate) fn gavel(&self, arguments: &[&str]) -> Command {
        let mut command = self.scene.gavel(arguments);
        command.env("GAVEL_QUEUE", self.node.address());
        command
    }

    pub(crate) fn say(&self, arguments: &[&str]) -> Said {
        said(self.gavel(arguments).output().unwrap())
    }

    /// A worker that is ready to be sent something.
    pub(crate) fn worker(&self) -> Process {
        let root = self.scene.path("packages");
        let mut command =
            self.gavel(&["worker", "--slots", "2", "--raise-limits", "--package-root", text(&root)]);
        let worker = Process::start(command.stdout(Stdio::null()));
        Client::new(&self.node).wait_for_topology();
        worker
    }

    /// Tells a worker to stop; all must be well.
    pub(crate) fn stop(&self, worker: Process) {
        worker.signal(Signal::SIGTERM);
        let said = worker.end();
        assert_eq!(said.code, 0, "{said:?}");
    }

    /// Messages ready in a queue.
    pub(crate) fn depth(&self, queue: &str) -> u32 {
        Client::new(&self.node).depth(queue).unwrap_or(0)
    }

    /// Waits until a queue has so many messages.
    pub(crate) fn wait_for_depth(&self, queue: &str, wanted: u32) {
        let deadline = Instant::now() + PATIENCE;
        while self.depth(queue) != wanted {
            assert!(Instant::now() < deadline, "{queue} has {}, not {wanted}", self.depth(queue));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
