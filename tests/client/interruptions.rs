//! `gavel submit` that is interrupted, killed, or loses its broker, and is given again.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::common::{SUM, Scene};
use crate::node::Client;
use crate::stage::{Process, Stage};

/// Students of the class.
const STUDENTS: u8 = 12;

fn class(scene: &Scene) {
    for number in 0..STUDENTS {
        scene.write(&format!("class/s{number:02}.sh"), format!("{SUM}# {number}\n"));
    }
}

const COMMAND: [&str; 6] = ["submit", "sum", "--batch", "class", "--format", "json"];

/// All verdicts of a result, which must all be there.
fn all_accepted(stdout: &str) {
    let result: Value = serde_json::from_str(stdout).unwrap();
    let rows = result["submissions"].as_array().unwrap();
    assert_eq!(rows.len(), usize::from(STUDENTS));
    assert!(rows.iter().all(|row| row["report"]["verdict"] == "AC"), "{stdout}");
}

/// Every verdict in the results queue, and how many are of different submissions.
fn results(stage: &Stage) -> (usize, usize) {
    let client = Client::new(&stage.node);
    let mut ids = Vec::new();
    while let Some(verdict) = client.try_fetch("gavel.results") {
        ids.push(verdict.body["id"].as_str().unwrap().to_owned());
    }
    (ids.len(), ids.iter().collect::<BTreeSet<_>>().len())
}

#[test]
fn what_was_sent_before_an_interruption_is_not_sent_again() {
    let stage = Stage::new();
    class(&stage.scene);
    // There is no worker yet: everything is taken and nothing judged.
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let submitting = Process::start(&mut stage.gavel(&COMMAND));
        stage.wait_for_depth("gavel.judge.normal", STUDENTS.into());
        let journal = stage.scene.path("class.journal");
        let taken = || std::fs::read_to_string(&journal).unwrap().matches("\"taken\"").count();
        while taken() < usize::from(STUDENTS) {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        submitting.signal(signal);
        let said = submitting.end();
        match signal {
            Signal::SIGINT => {
                assert_eq!(said.code, 130, "{said:?}");
                assert!(said.stderr.contains("12 sent and not judged yet"), "{said:?}");
                assert!(said.stderr.contains("give the same command again"), "{said:?}");
            }
            _ => assert_eq!(said.code, 137, "{said:?}"),
        }
    }
    // Judged while nobody waits; the broker keeps the verdicts for the journal.
    let worker = stage.worker();
    stage.wait_for_depth("gavel.results", STUDENTS.into());
    let said = stage.say(&COMMAND);
    assert_eq!(said.code, 0, "{said:?}");
    all_accepted(&said.stdout);
    assert_eq!(results(&stage), (STUDENTS.into(), STUDENTS.into()), "each was judged once");
    // And once more, with neither worker nor broker.
    stage.stop(worker);
    let Stage { scene, node } = stage;
    let mut command = scene.gavel(&COMMAND);
    command.env("GAVEL_QUEUE", node.address());
    drop(node);
    let said = crate::common::said(command.output().unwrap());
    assert_eq!(said.code, 0, "{said:?}");
    all_accepted(&said.stdout);
}

#[test]
fn a_broker_that_dies_while_somebody_waits_costs_no_verdict() {
    let mut stage = Stage::new();
    class(&stage.scene);
    let submitting = Process::start(&mut stage.gavel(&COMMAND));
    stage.wait_for_depth("gavel.judge.normal", STUDENTS.into());
    stage.node.kill_and_restart();
    let worker = stage.worker();
    let said = submitting.end();
    assert_eq!(said.code, 0, "{said:?}");
    all_accepted(&said.stdout);
    assert!(said.stderr.contains("lost the broker"), "{said:?}");
    assert_eq!(results(&stage), (STUDENTS.into(), STUDENTS.into()));

    // A journal whose queue is gone: what it took to be sent is sent again, and says so.
    stage.stop(worker);
    let submitting =
        Process::start(&mut stage.gavel(&[&COMMAND[..], &["--judging", "2", "--keep", "500ms"]].concat()));
    stage.wait_for_depth("gavel.judge.normal", STUDENTS.into());
    submitting.signal(Signal::SIGKILL);
    submitting.end();
    let worker = stage.worker();
    stage.wait_for_depth("gavel.results", STUDENTS.into());
    let journal = std::fs::read_to_string(stage.scene.path("class.journal")).unwrap();
    let header: Value = serde_json::from_str(journal.lines().next().unwrap()).unwrap();
    let queue = header["queue"].as_str().unwrap();
    // Looking at a queue is using it: between looks it must have the time to expire.
    loop {
        std::thread::sleep(std::time::Duration::from_secs(2));
        if Client::new(&stage.node).depth(queue).is_none() {
            break;
        }
    }
    let said = stage.say(&[&COMMAND[..], &["--judging", "2", "--verbose"]].concat());
    assert_eq!(said.code, 0, "{said:?}");
    all_accepted(&said.stdout);
    assert!(said.stderr.contains("are sent again"), "{said:?}");
    stage.stop(worker);
}
