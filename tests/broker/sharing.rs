//! Several workers on the same queues, and several classes on the same worker.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::backend::Backend;
use super::common::SUM;
use super::fleet::Fleet;
use super::invariants::{Expected, check_answers, check_queues, wait_until_drained};
use super::node::{Client, Node};
use super::site::{Site, submission};

/// Long enough for the machine's other work not to decide who gets what.
const DOZING: &str = "read a b\nsleep 0.02\necho $((a + b))\n";

fn submit(backend: &Backend, expected: &mut Expected, class: &str, count: usize, program: &str) {
    for number in 0..count {
        let id = format!("{class}{number}");
        let mut submission: Value = submission(&id, program);
        submission["priority"] = json!(class);
        backend.submit(class, &submission);
        expected.insert(id, vec!["AC"]);
    }
}

#[test]
fn a_contest_passes_ten_thousand_rejudgings_and_they_still_move() {
    let site = Site::new();
    let mut fleet = Fleet::new(&site.scene, &[site.address()], &["--slots", "1"]);
    fleet.start(0);
    let backend = Backend::start(&[site.address()]);
    let mut expected = Expected::new();
    submit(&backend, &mut expected, "rejudge", 10_000, SUM);
    backend.wait_for_confirmations(10_000);
    let before = backend.answered();
    submit(&backend, &mut expected, "contest", 60, SUM);
    let is_contest = |id: &String| id.starts_with("contest");
    super::fleet::wait_until("the contest is answered", || {
        backend.order().iter().filter(|id| is_contest(id)).count() == 60
    });
    fleet.stop_all();
    let order = backend.order();
    let first = order.iter().position(is_contest).unwrap();
    let last = order.iter().rposition(is_contest).unwrap();
    let waited = first - before;
    // What was answered while the submissions were on their way to the broker and the verdicts on theirs here.
    assert!(waited < 1000, "{waited} rejudgings went first");
    let between = last - first + 1 - 60;
    assert!((1..=60).contains(&between), "{between} rejudgings between 60 submissions of the contest");
    // The first connection may have been idle for longer than its heartbeats allow.
    Client::at(&site.address()).purge("gavel.judge.rejudge");
    drop(backend);
    check_queues(&Client::at(&site.address()), 0..=0);
}

#[test]
fn two_workers_on_the_same_queues_share_them_evenly() {
    let mut site = Site::new();
    let mut fleet = Fleet::new(&site.scene, &[site.address(), site.address()], &["--slots", "1"]);
    fleet.start_all();
    site.client.wait_for_topology();
    site.client.follow_progress();
    let backend = Backend::start(&[site.address()]);
    let mut expected = Expected::new();
    submit(&backend, &mut expected, "normal", 160, DOZING);
    backend.wait_for_answers(160);
    // Which process judged is in the name of the run: worker, time, process, count.
    let mut shares: BTreeMap<String, usize> = BTreeMap::new();
    while let Some(event) = site.client.try_fetch("progress") {
        if event.body["type"] == "accepted" {
            let run = event.body["run"].as_str().unwrap().to_owned();
            let process = run.rsplit('-').nth(1).unwrap().to_owned();
            *shares.entry(process).or_default() += 1;
        }
    }
    let named: Vec<_> = (0..2).map(|place| format!("{:x}", fleet.id(place))).collect();
    for process in &named {
        let share = shares.get(process).copied().unwrap_or_default();
        assert!(share >= 48, "{share} of 160 for one of two: {shares:?}");
    }
    check_answers(&backend, &expected);
    wait_until_drained(Node::shared(), &site.name);
    fleet.stop_all();
    drop(backend);
    check_queues(&Client::at(&site.address()), 0..=0);
}

#[test]
fn workers_that_come_and_go_answer_everything_once() {
    let site = Site::new();
    let addresses = vec![site.address(); 3];
    let mut fleet = Fleet::new(&site.scene, &addresses, &["--slots", "1"]);
    fleet.start(0);
    let backend = Backend::start(&[site.address()]);
    let mut expected = Expected::new();
    submit(&backend, &mut expected, "normal", 240, DOZING);
    // Who stops and who starts, each after so many more verdicts; at one point nobody works.
    for (stops, starts) in [(None, Some(1)), (Some(0), Some(2)), (Some(1), None), (Some(2), Some(0))] {
        let more = backend.answered() + 20;
        backend.wait_for_answers(more);
        if let Some(place) = stops {
            fleet.stop(place);
        }
        if let Some(place) = starts {
            fleet.start(place);
        }
    }
    let more = backend.answered() + 20;
    backend.wait_for_answers(more);
    fleet.start_all();
    backend.wait_for_answers(expected.len());
    wait_until_drained(Node::shared(), &site.name);
    fleet.stop_all();
    check_answers(&backend, &expected);
    // Nobody died, so nobody had to do anything twice, but for what was published twice for want of a confirmation.
    let submitted = backend.submitted();
    for (id, answers) in backend.answers() {
        let publishes = submitted.get(&id).map_or(0, |one| one.publishes as usize);
        assert!((1..=publishes).contains(&answers.len()), "{id}: {} for {publishes}", answers.len());
    }
    drop(backend);
    check_queues(&Client::at(&site.address()), 0..=0);
}
