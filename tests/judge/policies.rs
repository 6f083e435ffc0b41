//! When a judging stops, in which order it tells, and that neither depends on which test is faster.

use crate::common::{SUM, Scene, text, verdicts};
use serde_json::Value;

/// Right, except that it fails on the second test, slowly, while later ones are over at once.
const FAILS_SECOND: &str = "read a b\nif [ $a = 3 ]; then sleep 0.3; exit 1; fi\necho $((a + b))\n";

#[test]
fn the_first_failure_in_order_decides_even_when_later_tests_are_faster() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2), (3, 4), (5, 6), (7, 8)]);
    let report = scene.judge_bash(&package, FAILS_SECOND, &["--slots", "4"]);
    assert_eq!(verdicts(&report), ["AC", "RTE", "SK", "SK"]);
    assert_eq!(report["verdict"], "RTE");
    assert_eq!(report["tests"][2]["cpu_ms"], 0.0);
}

#[test]
fn later_tests_that_are_running_are_stopped_and_count_as_skipped() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2), (3, 4), (5, 6)]);
    let program = "read a b\n[ $a = 3 ] && sleep 0.3 && exit 1\n[ $a = 5 ] && sleep 10000\necho $((a + b))\n";
    let report = scene.judge_bash(&package, program, &["--slots", "3", "--wall", "10h"]);
    assert_eq!(verdicts(&report), ["AC", "RTE", "SK"]);
    assert_eq!(report["flags"], serde_json::json!(["RTE"]));
}

#[test]
fn under_full_every_test_runs() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2), (3, 4), (5, 6)]);
    let report = scene.judge_bash(&package, FAILS_SECOND, &["--policy", "full"]);
    assert_eq!(verdicts(&report), ["AC", "RTE", "AC"]);
    assert_eq!(report["first_failure"], report["tests"][1]["name"]);
}

#[test]
fn under_group_a_failure_ends_its_own_group_only() {
    let scene = Scene::new();
    let package = scene.kattis_package("groups");
    for (test, a) in [("secret/one/1", 3), ("secret/one/2", 5), ("secret/two/1", 7)] {
        scene.write(&format!("groups/data/{test}.in"), format!("{a} 1\n"));
        scene.write(&format!("groups/data/{test}.ans"), format!("{}\n", a + 1));
    }
    for test in ["secret/1", "secret/2"] {
        std::fs::remove_file(scene.path(&format!("groups/data/{test}.in"))).unwrap();
        std::fs::remove_file(scene.path(&format!("groups/data/{test}.ans"))).unwrap();
    }
    let report = scene.judge_bash(&package, FAILS_SECOND, &["--policy", "group"]);
    assert_eq!(verdicts(&report), ["AC", "RTE", "SK", "AC"], "{report}");
    assert_eq!(report["verdict"], "RTE");
}

#[test]
fn events_come_in_order_and_the_last_is_the_report() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2), (3, 4), (5, 6)]);
    let source = scene.write("program.sh", SUM);
    let said = scene.say(&["judge", text(&package), text(&source), "--format", "ndjson"]);
    let events: Vec<Value> = said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let types: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let tests = types.iter().filter(|kind| **kind == "test").count();
    assert_eq!(types.first(), Some(&"accepted"));
    assert_eq!(types.last(), Some(&"done"));
    assert_eq!(tests, 3);
    for (place, event) in events.iter().enumerate() {
        assert_eq!(event["seq"], place);
        assert_eq!(event["run"], events[0]["run"]);
    }
    let names: Vec<&Value> =
        events.iter().filter(|event| event["type"] == "test").map(|event| &event["index"]).collect();
    assert_eq!(names, [0, 1, 2]);
    assert_eq!(events.last().unwrap()["verdict"], "AC");
}

#[test]
fn only_the_tests_asked_for_are_run() {
    let scene = Scene::new();
    let package = scene.kattis_package("sum");
    let report = scene.judge_bash(&package, SUM, &["--tests", "sample/*"]);
    assert_eq!(report["tests"].as_array().unwrap().len(), 1);
    assert_eq!(report["tests"][0]["name"], "sample/1");
}
