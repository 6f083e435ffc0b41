//! Three nodes of one cluster: whichever of them dies, verdicts wait and nothing is lost.

use std::sync::Arc;

use serde_json::{Value, json};

use super::backend::Backend;
use super::common::{SUM, Scene};
use super::fleet::{Fleet, wait_until};
use super::invariants::{Expected, check_answers, check_queues, wait_until_drained};
use super::node::{Client, Mapper, Node};
use super::site::submission;

/// Slow enough for a broker to die meanwhile.
const DOZING: &str = "read a b\nsleep 0.2\necho $((a + b))\n";

/// Three nodes.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let mapper = Arc::new(Mapper::start());
        let nodes: Vec<_> = (0..3).map(|_| Node::spawn(Arc::clone(&mapper))).collect();
        nodes.iter().for_each(Node::wait);
        let first = nodes[0].name();
        // One after the other: two that join at once can end each other's start.
        for node in &nodes[1..] {
            node.control(&["stop_app"]);
            node.control(&["join_cluster", &first]);
            node.control(&["start_app"]);
        }
        Self { nodes }
    }

    fn addresses(&self) -> Vec<String> {
        self.nodes.iter().map(Node::address).collect()
    }

    /// The place of the node that leads a queue.
    fn leader(&self, queue: &str) -> usize {
        let listed = self.nodes[0].control(&["list_queues", "name", "leader"]);
        let line = listed.lines().find(|line| line.starts_with(queue)).unwrap();
        self.nodes.iter().position(|node| line.ends_with(&node.name())).unwrap()
    }

    /// Waits until a queue has all its members back.
    fn wait_until_whole(&self, queue: &str) {
        wait_until("all members of a queue are there", || {
            let listed = self.nodes[0].control(&["list_queues", "name", "online"]);
            let line = listed.lines().find(|line| line.starts_with(queue)).unwrap_or_default();
            self.nodes.iter().all(|node| line.contains(&node.name()))
        });
    }
}

/// Submits so many more, of all kinds and classes.
fn submit(backend: &Backend, expected: &mut Expected, count: usize) {
    for number in expected.len()..expected.len() + count {
        let (program, verdict) = match number % 3 {
            0 => (SUM, "AC"),
            1 => ("echo 3\n", "WA"),
            _ => (DOZING, "AC"),
        };
        let id = format!("s{number}");
        let class = ["contest", "normal", "rejudge"][number / 3 % 3];
        let mut submission: Value = submission(&id, program);
        submission["priority"] = json!(class);
        backend.submit(class, &submission);
        expected.insert(id, vec![verdict]);
    }
}

#[test]
fn a_cluster_loses_nothing_with_its_leader_nor_with_its_majority() {
    let (scene, mut cluster) = (Scene::new(), Cluster::start());
    let addresses = cluster.addresses();
    let mut fleet = Fleet::new(&scene, &[addresses.join(",")], &["--slots", "1", "-v"]);
    fleet.start(0);
    let backend = Backend::start(&addresses);
    let mut expected = Expected::new();
    submit(&backend, &mut expected, 30);
    backend.wait_for_answers(6);

    // Whoever declares a queue is near its leader: the worker's own broker goes.
    let leader = cluster.leader("gavel.judge.normal");
    cluster.nodes[leader].kill();
    submit(&backend, &mut expected, 30);
    backend.wait_for_answers(expected.len());
    check_answers(&backend, &expected);
    cluster.nodes[leader].restart();
    cluster.nodes[leader].wait();
    cluster.wait_until_whole("gavel.results");

    submit(&backend, &mut expected, 30);
    let before = backend.answered() + 3;
    backend.wait_for_answers(before);
    let heard = fleet.lines(0, "lost the broker");
    // The one that is left is the one it did not go to.
    let others: Vec<_> = (0..3).filter(|place| *place != leader).collect();
    others.iter().for_each(|place| cluster.nodes[*place].kill());
    submit(&backend, &mut expected, 9);
    wait_until("the worker hears of it", || fleet.lines(0, "lost the broker") > heard);
    // Without a majority nothing is confirmed, and so nothing is acknowledged.
    let last = format!("s{}", expected.len() - 1);
    assert!(!backend.submitted()[&last].is_confirmed, "a confirmation without a majority");
    others.iter().for_each(|place| cluster.nodes[*place].restart());
    others.iter().for_each(|place| cluster.nodes[*place].wait());
    backend.wait_for_answers(expected.len());
    check_answers(&backend, &expected);
    assert!(fleet.is_running(0));
    wait_until_drained(&cluster.nodes[0], "/");
    fleet.stop_all();
    drop(backend);
    cluster.wait_until_whole("gavel.results");
    check_queues(&Client::new(&cluster.nodes[0]), 0..=0);
}
