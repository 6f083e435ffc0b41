//! What must hold whatever died: nothing lost, nothing stuck, nothing left, and totals that agree.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::backend::{Answer, Backend};
use super::node::{Client, Node, PATIENCE};

/// The verdicts that each submission may get, by id.
pub(crate) type Expected = BTreeMap<String, Vec<&'static str>>;

/// Every submission has a verdict it may have, nobody else has one, and repeats can be told.
#[track_caller]
pub(crate) fn check_answers(backend: &Backend, expected: &Expected) {
    let (submitted, answers) = (backend.submitted(), backend.answers());
    let mut wrong = Vec::new();
    for (id, allowed) in expected {
        match answers.get(id) {
            None => wrong.push(format!("{id} is lost: {:?}", submitted.get(id))),
            Some(answers) => {
                let publishes = submitted.get(id).map_or(0, |one| one.publishes as usize);
                wrong.extend(check_one(id, answers, allowed, publishes));
            }
        }
    }
    for id in answers.keys().filter(|id| !expected.contains_key(*id)) {
        wrong.push(format!("nobody submitted {id}"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check_one(id: &str, answers: &[Answer], allowed: &[&str], publishes: usize) -> Vec<String> {
    let mut wrong = Vec::new();
    for answer in answers {
        let verdict = answer.body["verdict"].as_str().unwrap_or_default();
        if !allowed.contains(&verdict) {
            let (reason, error) = (&answer.body["reason"], &answer.body["error"]);
            wrong.push(format!("{id} is {verdict}, not one of {allowed:?}: {reason} {error}"));
        }
        if answer.key != format!("verdict.{verdict}") || answer.message != format!("{id}/1") {
            wrong.push(format!("{id} came as '{}' under '{}'", answer.message, answer.key));
        }
    }
    // A judging of its own for each time it was published, everything else is a repeat that says so.
    let plain: BTreeSet<_> =
        answers.iter().filter(|answer| !answer.is_flagged).map(|answer| &answer.bytes).collect();
    if plain.len() > publishes {
        wrong.push(format!("{id} was published {publishes} times and has {} first answers", plain.len()));
    }
    wrong
}

/// Waits until workers have nothing any more, delivered or not. What a backend published twice, for want of a
/// confirmation, may still wait when everything has its answer.
#[track_caller]
pub(crate) fn wait_until_drained(node: &Node, vhost: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let listed = node.control(&["list_queues", "-p", vhost, "--no-table-headers", "name", "messages"]);
        let waits = |line: &&str| line.starts_with("gavel.judge.") && !line.ends_with("\t0");
        let Some(line) = listed.lines().find(waits) else { return };
        assert!(Instant::now() < deadline, "never drained: {line}");
    }
}

/// Nothing waits, nothing is unacknowledged, and what is dead is what was expected. For brokers whose workers
/// and backends have stopped: what those still held would be ready again.
#[track_caller]
pub(crate) fn check_queues(client: &Client, dead: impl std::ops::RangeBounds<u32> + std::fmt::Debug) {
    for queue in [
        "gavel.judge.contest",
        "gavel.judge.normal",
        "gavel.judge.rejudge",
        "gavel.exhausted",
        "gavel.results",
    ] {
        assert_eq!(client.depth(queue), Some(0), "{queue}");
    }
    let depth = client.depth("gavel.dead").unwrap();
    assert!(dead.contains(&depth), "{depth} dead, not {dead:?}");
}
