//! A judging that is told to stop stops, says so, and leaves nothing running.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::common::{Scene, text};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Whether any process on this host has the word in its command line.
fn is_running(word: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        std::fs::read(entry.path().join("cmdline"))
            .is_ok_and(|line| line.windows(word.len()).any(|part| part == word.as_bytes()))
    })
}

fn cancelled_by(signal: Signal, code: i32) {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2), (3, 4), (5, 6)]);
    let mark = format!("9{}.{}", std::process::id(), signal as i32);
    let program = format!("read a b\nif [ $a = 3 ]; then sleep {mark}; fi\necho $((a + b))\n");
    let source = scene.write("program.sh", program);
    let mut child = scene
        .gavel(&["judge", text(&package), text(&source), "--format", "ndjson", "--wall", "1h"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    crate::common::guardian::watch(&child);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The first test is told; the second then sleeps.
    let told = lines.by_ref().map(Result::unwrap).find(|line| line.contains("\"type\":\"test\""));
    assert!(told.is_some());
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(code), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("\"type\":\"cancelled\"")), "{rest:?}");
    let done: serde_json::Value = serde_json::from_str(rest.last().unwrap()).unwrap();
    assert_eq!((&done["type"], &done["verdict"]), (&"done".into(), &"CX".into()));
    for key in ["schema", "id", "judging"] {
        assert_eq!(rest.last().unwrap().matches(&format!("\"{key}\":")).count(), 1, "{key}: {rest:?}");
    }
    assert!(!is_running(&mark));
}

#[test]
fn an_interrupt_cancels_and_leaves_nothing_running() {
    cancelled_by(Signal::SIGINT, 130);
}

#[test]
fn a_request_to_terminate_cancels_and_leaves_nothing_running() {
    cancelled_by(Signal::SIGTERM, 143);
}

#[test]
fn tests_that_are_being_generated_can_be_cancelled() {
    let scene = Scene::new();
    let mark = format!("7{}.5", std::process::id());
    scene.write("p/task.yaml", "name: slow\ntitle: Slow\ntime_limit: 1\nmemory_limit: 64\n");
    scene.write("p/gen/GEN", "1\n2\n3\n");
    scene.write("p/gen/generator.sh", format!("sleep {mark}\necho 1\n"));
    scene.write("p/sol/solution.sh", "cat\n");
    let source = scene.write("program.sh", "cat\n");
    let mut child = scene
        .gavel(&["judge", text(&scene.path("p")), text(&source), "--format", "ndjson"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    crate::common::guardian::watch(&child);
    while !is_running(&mark) {
        std::thread::sleep(std::time::Duration::from_millis(10));
        assert!(child.try_wait().unwrap().is_none(), "it ends before its generator runs");
    }
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    let lines: Vec<String> =
        BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{lines:?}");
    let done: serde_json::Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!((&done["type"], &done["verdict"]), (&"done".into(), &"CX".into()));
    assert!(!is_running(&mark));
}

#[test]
fn a_grader_that_is_cancelled_is_no_judging_error() {
    let scene = Scene::new();
    let mark = format!("8{}.5", std::process::id());
    scene.write("p/problem.yaml", "name: Graded\ntype: scoring\nlimits: {time_limit: 1, memory: 256}\n");
    scene.write("p/data/secret/testdata.yaml", "grading: custom\n");
    scene.write("p/data/secret/1.in", "1\n");
    scene.write("p/data/secret/1.ans", "ok\n");
    scene.write("p/graders/grade.sh", format!("sleep {mark}\necho AC 1\n"));
    let source = scene.write("program.sh", "echo ok\n");
    let mut child = scene
        .gavel(&["judge", text(&scene.path("p")), text(&source), "--format", "ndjson"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    crate::common::guardian::watch(&child);
    while !is_running(&mark) {
        assert!(child.try_wait().unwrap().is_none());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    let lines: Vec<String> =
        BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(143), "{lines:?}");
    let done: serde_json::Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!((&done["type"], &done["verdict"]), (&"done".into(), &"CX".into()), "{lines:?}");
    assert!(!is_running(&mark));
}
