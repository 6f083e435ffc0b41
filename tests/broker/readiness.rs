//! A worker's readiness follows its broker.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::common::{SUM, Scene, guardian};
use crate::http::{address_in, get, wait_for};
use crate::node::{Client, Node};

/// A worker that does not outlive its test.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_worker_is_ready_while_there_is_a_broker() {
    let (scene, mut node) = (Scene::new(), Node::start());
    let mut command = scene.gavel(&["worker", "--slots", "1", "--listen", "127.0.0.1:0"]);
    command.env("GAVEL_QUEUE", node.address()).stdin(Stdio::null()).stdout(Stdio::null());
    let mut worker = Worker(command.stderr(Stdio::piped()).spawn().unwrap());
    guardian::watch(&worker.0);
    let mut said = BufReader::new(worker.0.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::stderr()));
    let address = address_in(&line);
    wait_for(address, "/readyz", 200);

    let (away, alive) = std::thread::scope(|scope| {
        // The broker needs seconds to come back, and until then nobody is ready.
        let watching = scope.spawn(|| (wait_for(address, "/readyz", 503), get(address, "/livez").status));
        node.kill_and_restart();
        watching.join().unwrap()
    });
    assert_eq!(alive, 200);
    assert!(away.body.contains("consuming: "), "{away:?}");
    wait_for(address, "/readyz", 200);

    let client = Client::new(&node);
    let submission = json!({
        "schema": 1, "id": "after", "language": "bash", "files": [{"name": "main.sh", "text": SUM}],
        "problem": {"inline": [{"input": "1 2\n", "answer": "3\n"}]},
    });
    client.submit("contest", &submission);
    assert_eq!(client.fetch("gavel.results").body["verdict"], "AC");
    let metrics = get(address, "/metrics").body;
    for role in ["consuming", "publishing"] {
        for (name, least) in [("connections", 2), ("connection_failures", 1)] {
            let start = format!("gavel_broker_{name}_total{{role=\"{role}\"}} ");
            let count = metrics.lines().find_map(|line| line.strip_prefix(&start)).unwrap();
            assert!(count.parse::<u32>().unwrap() >= least, "{start}{count}");
        }
    }
    kill(Pid::from_raw(worker.0.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(worker.0.wait().unwrap().code(), Some(0));
}
