//! A broker short of memory or disk: verdicts wait for it, nothing new is begun, and everything comes in the end.

use super::backend::Backend;
use super::common::gate::Gate;
use super::common::{SUM, Scene};
use super::fleet::{Fleet, wait_until};
use super::invariants::{Expected, check_answers, check_queues, wait_until_drained};
use super::node::{Client, Node};
use super::site::{gated, submission};

/// Runs work into an alarm, sees it held back, and all of it come once the alarm is over.
fn hold_back(node: &Node, alarm: &[&str], over: &[&str]) {
    let scene = Scene::new();
    let mut fleet = Fleet::new(
        &scene,
        &[node.address(), node.address()],
        &["--slots", "1", "--deadline", "2s", "--raise-limits"],
    );
    fleet.start(0);
    let mut client = Client::new(node);
    client.wait_for_topology();
    client.follow_progress();
    let backend = Backend::start(&[node.address()]);
    let mut expected = Expected::new();
    let submit = |id: &str, program: &str, expected: &mut Expected| {
        backend.submit("normal", &submission(id, program));
        expected.insert(id.to_owned(), vec!["AC"]);
    };
    let gate = Gate::new();
    backend.submit("normal", &gated("slow", &gate));
    expected.insert("slow".to_owned(), vec!["AC"]);
    for number in 0..6 {
        submit(&format!("s{number}"), SUM, &mut expected);
    }
    backend.wait_for_confirmations(7);
    client.wait_for_test("slow");
    // The alarm is there before its verdict, however slow the machine is.
    node.control(alarm);
    gate.open();
    wait_until("the worker's verdict is held back", || {
        let connections = node.control(&["list_connections", "state", "client_properties"]);
        connections.lines().any(|line| line.starts_with("blocked") && line.contains("publishing"))
    });
    // Whoever publishes waits: the verdict is not out, and no more was taken in than could be begun soon.
    assert_eq!(backend.answered(), 0);
    let ready = || client.depth("gavel.judge.normal").unwrap();
    assert!((1..7).contains(&ready()), "{} of 7 are not taken in", ready());
    // It can still give back what it has, and end.
    fleet.stop(0);
    wait_until("all are in their queue again", || ready() == 7);
    fleet.start(1);
    wait_until("another worker takes in what it can hold", || ready() < 7);

    node.control(over);
    gate.open();
    submit("last", SUM, &mut expected);
    backend.wait_for_answers(expected.len());
    check_answers(&backend, &expected);
    wait_until_drained(node, "/");
    fleet.stop_all();
    drop(backend);
    check_queues(&Client::new(node), 0..=0);
}

#[test]
fn workers_that_an_alarm_held_consume_again_when_it_is_over() {
    let node = Node::start();
    let scene = Scene::new();
    let mut fleet =
        Fleet::new(&scene, &[node.address(), node.address()], &["--slots", "1", "--raise-limits"]);
    fleet.start(0);
    let mut client = Client::new(&node);
    client.wait_for_topology();
    client.follow_progress();
    let backend = Backend::start(&[node.address()]);
    let mut expected = Expected::new();
    let gate = Gate::new();
    backend.submit("normal", &gated("slow", &gate));
    expected.insert("slow".to_owned(), vec!["AC"]);
    backend.wait_for_confirmations(1);
    client.wait_for_test("slow");
    node.control(&["set_vm_memory_high_watermark", "absolute", "1"]);
    gate.open();
    wait_until("the worker's verdict is held back", || {
        let connections = node.control(&["list_connections", "state", "client_properties"]);
        connections.lines().any(|line| line.starts_with("blocked") && line.contains("publishing"))
    });
    fleet.start(1);
    let consumers = || {
        let queues = node.control(&["list_queues", "name", "consumers"]);
        let line = queues.lines().find(|line| line.starts_with("gavel.judge.normal")).map(str::to_owned);
        line.and_then(|line| line.split_whitespace().last()?.parse::<u32>().ok())
    };
    wait_until("both consume", || consumers() == Some(2));
    node.control(&["set_vm_memory_high_watermark", "0.4"]);
    for number in 0..6 {
        let id = format!("s{number}");
        backend.submit("normal", &submission(&id, SUM));
        expected.insert(id, vec!["AC"]);
    }
    backend.wait_for_answers(expected.len());
    wait_until("both consume again", || consumers() == Some(2));
    check_answers(&backend, &expected);
    wait_until_drained(&node, "/");
    fleet.stop_all();
    drop(backend);
    check_queues(&Client::new(&node), 0..=0);
}

#[test]
fn verdicts_wait_while_the_broker_is_short_of_memory_or_disk() {
    let node = Node::start();
    hold_back(
        &node,
        &["set_vm_memory_high_watermark", "absolute", "1"],
        &["set_vm_memory_high_watermark", "0.4"],
    );
    hold_back(&node, &["set_disk_free_limit", "100000GB"], &["set_disk_free_limit", "50MB"]);
}
