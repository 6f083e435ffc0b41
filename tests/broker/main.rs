//! `gavel worker --queue amqp://…` on a RabbitMQ node of each test's own.

#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/http.rs"]
mod http;
mod node;
mod readiness;

use std::collections::BTreeMap;
use std::process::{Child, Stdio};

use common::{SUM, Said, Scene, said};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use node::{Client, Node};
use serde_json::{Value, json};

/// The sum, and slow about its second test.
const SLOW: &str = "read a b\nif [ $a = 20 ]; then sleep 1; fi\necho $((a + b))\n";

/// A worker that does not outlive its test.
struct Worker(Option<Child>);

impl Worker {
    fn signal(&self, signal: Signal) {
        let process = self.0.as_ref().unwrap().id();
        kill(Pid::from_raw(process.try_into().unwrap()), signal).unwrap();
    }

    /// Tells it to stop; what it said.
    fn stop(mut self) -> Said {
        self.signal(Signal::SIGTERM);
        said(self.0.take().unwrap().wait_with_output().unwrap())
    }

    fn kill(self) {
        drop(self);
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

fn worker(scene: &Scene, node: &Node, more: &[&str]) -> Worker {
    let mut command = scene.gavel(&[&["worker", "--slots", "1"], more].concat());
    command.env("GAVEL_QUEUE", node.address());
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    Worker(Some(child.unwrap()))
}

fn submission(id: &str, program: &str) -> Value {
    let tests = [json!({"input": "1 2\n", "answer": "3\n"}), json!({"input": "20 30\n", "answer": "50\n"})];
    json!({"schema": 1, "id": id, "language": "bash", "problem": {"inline": tests},
           "files": [{"name": "main.sh", "text": program}]})
}

/// Nothing waits, nothing is unacknowledged, and nothing but what is expected is dead.
fn is_quiet(node: &Node, dead: u32) {
    let client = Client::new(node);
    for class in ["contest", "normal", "rejudge"] {
        assert_eq!(client.depth(&format!("gavel.judge.{class}")), Some(0), "{class}");
    }
    assert_eq!(client.depth("gavel.results"), Some(0));
    assert_eq!(client.depth("gavel.dead"), Some(dead));
}

#[test]
fn verdicts_come_back_and_what_cannot_be_read_is_put_aside() {
    let (scene, node) = (Scene::new(), Node::start());
    let worker = worker(&scene, &node, &[]);
    let mut client = Client::new(&node);
    client.wait_for_topology(&node);
    client.follow_progress();
    client.submit("contest", &submission("good", SUM));
    client.submit("normal", &submission("bad", "echo 3\n"));
    client.publish("gavel.submit", "judge.normal", "not json");
    client.submit("rejudge", &json!({"schema": 9, "id": "newer"}));
    client.submit("rejudge", &submission("again", SUM));
    let mut verdicts = BTreeMap::new();
    for _ in 0..3 {
        let verdict = client.fetch("gavel.results");
        assert_eq!(verdict.key, format!("verdict.{}", verdict.body["verdict"].as_str().unwrap()));
        assert_eq!((*verdict.properties.delivery_mode(), verdict.header("x-redelivered")), (Some(2), None));
        verdicts.insert(verdict.body["id"].as_str().unwrap().to_owned(), verdict.body["verdict"].clone());
    }
    assert_eq!(json!(verdicts), json!({"good": "AC", "bad": "WA", "again": "AC"}));
    let mut reasons = BTreeMap::new();
    for _ in 0..2 {
        let dead = client.fetch("gavel.dead");
        reasons.insert(String::from_utf8(dead.raw.clone()).unwrap(), dead.header("x-gavel-reason").unwrap());
    }
    assert!(reasons["not json"].contains("not a JSON object"), "{reasons:?}");
    assert!(reasons.values().any(|reason| reason.contains("this gavel reads schema 1")), "{reasons:?}");
    client.wait_for_test("again");

    let said = worker.stop();
    assert_eq!(said.code, 0, "{said:?}");
    assert!(!said.stderr.contains("guest"), "a password in the log: {said:?}");
    is_quiet(&node, 0);
}

#[test]
fn a_worker_that_is_killed_loses_nothing() {
    let (scene, node) = (Scene::new(), Node::start());
    let first = worker(&scene, &node, &[]);
    let mut client = Client::new(&node);
    client.wait_for_topology(&node);
    client.follow_progress();
    client.submit("normal", &submission("slow", SLOW));
    client.wait_for_test("slow");
    first.kill();
    assert!(client.try_fetch("gavel.results").is_none());

    let second = worker(&scene, &node, &[]);
    let verdict = client.fetch("gavel.results");
    assert_eq!((&verdict.body["id"], &verdict.body["verdict"]), (&"slow".into(), &"AC".into()));
    assert!(verdict.header("x-redelivered").is_some_and(|value| value.contains("true")));
    let said = second.stop();
    assert_eq!(said.code, 0, "{said:?}");
    is_quiet(&node, 0);
}

#[test]
fn a_worker_told_to_stop_finishes_what_runs_and_gives_back_the_rest() {
    let (scene, node) = (Scene::new(), Node::start());
    let first = worker(&scene, &node, &[]);
    let mut client = Client::new(&node);
    client.wait_for_topology(&node);
    client.follow_progress();
    for number in 0..8 {
        let class = ["contest", "normal", "rejudge"][number % 3];
        client.submit(class, &submission(&format!("s{number}"), SLOW));
    }
    client.wait_for_test("s0");
    let said = first.stop();
    assert_eq!(said.code, 0, "{said:?}");
    let answered = client.depth("gavel.results").unwrap();
    assert!((1..8).contains(&answered), "{answered} of 8");

    let second = worker(&scene, &node, &[]);
    let mut ids: Vec<_> =
        (0..8).map(|_| client.fetch("gavel.results").body["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    assert_eq!(ids, ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"]);
    assert_eq!(second.stop().code, 0);
    is_quiet(&node, 0);
}

#[test]
fn a_broker_that_dies_and_returns_gets_the_verdict_of_what_ran_meanwhile() {
    let (scene, mut node) = (Scene::new(), Node::start());
    let worker = worker(&scene, &node, &[]);
    let mut client = Client::new(&node);
    client.wait_for_topology(&node);
    client.follow_progress();
    client.submit("normal", &submission("slow", SLOW));
    client.wait_for_test("slow");
    drop(client);
    node.kill_and_restart();

    let client = Client::new(&node);
    let verdict = client.fetch("gavel.results");
    assert_eq!((&verdict.body["id"], &verdict.body["verdict"]), (&"slow".into(), &"AC".into()));
    client.submit("contest", &submission("next", SUM));
    loop {
        let verdict = client.fetch("gavel.results");
        if verdict.body["id"] == "next" {
            break;
        }
        // A repeat, when the broker gave it out again after it was answered: it says so.
        assert!(verdict.header("x-redelivered").is_some(), "{}", verdict.body);
    }
    let said = worker.stop();
    assert_eq!(said.code, 0, "{said:?}");
    is_quiet(&node, 0);
}

#[test]
fn a_control_message_cancels_what_runs() {
    let (scene, node) = (Scene::new(), Node::start());
    let worker = worker(&scene, &node, &["--raise-limits"]);
    let mut client = Client::new(&node);
    client.wait_for_topology(&node);
    client.follow_progress();
    let mut endless = submission("endless", &SLOW.replace("sleep 1", "sleep 3600"));
    endless["limits"] = json!({"wall": "1h"});
    client.submit("normal", &endless);
    client.wait_for_test("endless");
    let cancel = json!({"schema": 1, "type": "cancel", "id": "endless", "judging": "1"});
    client.publish("gavel.control", "", &cancel.to_string());
    assert_eq!(client.fetch("gavel.results").key, "verdict.CX");
    assert_eq!(worker.stop().code, 0);
    is_quiet(&node, 0);
}

#[test]
fn a_submission_that_always_comes_back_ends_as_a_judging_error() {
    let (scene, node) = (Scene::new(), Node::start());
    let first = worker(&scene, &node, &[]);
    let mut client = Client::new(&node);
    client.wait_for_topology(&node);
    assert_eq!(first.stop().code, 0);
    client.submit("normal", &submission("poison", SUM));
    for _ in 0..10 {
        client.give_back("gavel.judge.normal");
    }
    let second = worker(&scene, &node, &[]);
    let verdict = client.fetch("gavel.results");
    assert_eq!((&verdict.body["verdict"], &verdict.body["reason"]), (&"JE".into(), &"sandbox".into()));
    assert!(verdict.body["error"].as_str().unwrap().contains("10 attempts"), "{}", verdict.body);
    assert_eq!(second.stop().code, 0);
    is_quiet(&node, 0);
}
