//! A worker that does not outlive its test.

use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::common::{Said, Scene, guardian, said};

pub(crate) struct Worker(Option<Child>);

impl Worker {
    pub(crate) fn start(scene: &Scene, address: &str) -> Self {
        scene.write("packages/.keep", "");
        let arguments = ["worker", "--slots", "1", "--package-root", "packages", "--raise-limits"];
        let mut command = scene.gavel(&arguments);
        let command = command.env("GAVEL_QUEUE", address).stdin(Stdio::null());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        guardian::watch(&child);
        Self(Some(child))
    }

    /// Tells it to stop; what it said.
    pub(crate) fn stop(mut self) -> Said {
        let child = self.0.take().unwrap();
        kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
        said(child.wait_with_output().unwrap())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
