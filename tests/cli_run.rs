//! `gavel run`: the command's own streams and exit code, in a box.

#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod common;

use common::{Scene, said};
use std::io::Write;
use std::process::Stdio;

#[test]
fn the_commands_exit_code_is_gavels() {
    let scene = Scene::new();
    for code in [0, 1, 7, 125] {
        let said = scene.say(&["run", "--", "sh", "-c", &format!("exit {code}")]);
        assert_eq!(said.code, code, "{said:?}");
    }
    assert_eq!(scene.say(&["run", "--", "sh", "-c", "kill -TERM $$"]).code, 143);
}

#[test]
fn the_streams_are_the_callers() {
    let scene = Scene::new();
    let mut child = scene
        .gavel(&["run", "--", "sh", "-c", "cat; echo aside >&2"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"hello\n").unwrap();
    let said = said(child.wait_with_output().unwrap());
    assert_eq!((said.stdout.as_str(), said.stderr.as_str(), said.code), ("hello\n", "aside\n", 0));
}

#[test]
fn limits_are_said_on_one_line_and_measured_in_the_report() {
    let scene = Scene::new();
    let said =
        scene.say(&["run", "--cpu", "200ms", "--report", "json", "--", "sh", "-c", "while :; do :; done"]);
    assert_eq!(said.code, 137, "{said:?}");
    let mut lines = said.stderr.lines();
    let report: serde_json::Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!(report["stopped"], serde_json::json!(["cpu"]));
    assert!(report["cpu_ms"].as_f64().unwrap() >= 200.0);
    assert!(lines.next().unwrap().contains("more CPU time than 200ms"));
    assert_eq!(lines.next(), None);
}

#[test]
fn a_command_that_is_not_there_is_127_as_in_shells() {
    let said = Scene::new().say(&["run", "--", "no-such-command"]);
    assert_eq!(said.code, 127);
    assert!(said.stderr.contains("no-such-command"), "{said:?}");
}

#[test]
fn programs_do_not_inherit_blocked_signals() {
    let said = Scene::new().say(&["run", "--proc", "--", "cat", "/proc/self/status"]);
    assert!(said.stdout.contains("SigBlk:\t0000000000000000"), "{said:?}");
}

#[test]
fn the_host_name_is_the_one_asked_for() {
    let said = Scene::new().say(&["run", "--hostname", "elsewhere", "--", "uname", "-n"]);
    assert_eq!(said.stdout, "elsewhere\n");
}
