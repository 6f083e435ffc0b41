//! What reports and events tell of secret tests, and of limits.

#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod common;

use std::io::Write;
use std::process::Stdio;

use common::{Scene, said, text};
use serde_json::{Value, json};

/// Right on the sample, wrong on the second secret test, and says what it reads.
const LEAKY: &str = "read a b\necho \"read $a $b\" >&2\n[ $a = 50 ] && exit 7\necho $((a + b))\n";

/// What a worker answers to a submission of [`LEAKY`] on the Kattis package `sum`.
fn answers(scene: &Scene, flags: &[&str], more: &Value) -> Vec<Value> {
    let mut submission = json!({"schema": 1, "id": "s", "language": "bash", "problem": {"ref": "sum"},
        "files": [{"name": "main.sh", "text": LEAKY}], "policy": {"stop": "full"}});
    submission.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let arguments = [&["worker", "--quiet", "--package-root", "packages"], flags].concat();
    let mut child = scene
        .gavel(&arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{submission}").unwrap();
    let said = said(child.wait_with_output().unwrap());
    assert_eq!(said.code, 0, "{said:?}");
    said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn scene() -> Scene {
    let scene = Scene::new();
    scene.kattis_package("packages/sum");
    scene
}

/// Fails where something that is for the jury is told of a secret test.
fn assert_tells_cases_alone(lines: &[Value]) {
    for line in lines {
        let whole = line.to_string();
        assert!(!whole.contains("read 3 4") && !whole.contains("read 50 60"), "{whole}");
    }
    let report = lines.last().unwrap();
    assert_eq!(report["verdict"], "RTE");
    let tests = report["tests"].as_array().unwrap();
    assert_eq!(tests.len(), 3);
    assert_eq!((&tests[0]["sample"], &tests[0]["stderr"]), (&json!(true), &json!("read 1 2\n")));
    assert_eq!(
        (&tests[2]["verdict"], &tests[2]["message"], &tests[2]["stderr"]),
        (&json!("RTE"), &json!(""), &Value::Null)
    );
    assert_eq!((&tests[2]["exit_code"], &tests[2]["output_bytes"]), (&Value::Null, &json!(0)));
    assert!(tests[2]["cpu_ms"].as_f64().unwrap() > 0.0);
}

#[test]
fn everything_is_told_where_nothing_is_said() {
    let lines = answers(&scene(), &[], &json!({}));
    let report = lines.last().unwrap();
    assert_eq!(report["tests"][2]["stderr"], "read 50 60\n");
    assert_eq!(report["tests"][2]["message"], "exit code 7");
    assert_eq!(report["tests"][2].get("sample"), None);
}

#[test]
fn a_submission_a_package_and_a_worker_can_each_ask_for_less() {
    assert_tells_cases_alone(&answers(&scene(), &[], &json!({"feedback": "case"})));
    assert_tells_cases_alone(&answers(&scene(), &["--feedback", "case"], &json!({"feedback": "full"})));
    let scene = scene();
    scene.write("packages/sum/gavel.toml", "feedback = \"case\"\n");
    assert_tells_cases_alone(&answers(&scene, &[], &json!({"feedback": "full"})));
    // Whoever has the package sees all of it.
    let source = scene.write("leaky.sh", LEAKY);
    let report = scene.report(&["packages/sum", text(&source), "--policy", "full"]);
    assert_eq!(report["tests"][2]["stderr"], "read 50 60\n");
    let report = scene.report(&["packages/sum", text(&source), "--policy", "full", "--feedback", "none"]);
    assert_eq!(report["tests"].as_array().unwrap().len(), 1);
}

#[test]
fn none_tells_of_samples_and_of_the_whole() {
    let lines = answers(&scene(), &["--feedback", "none"], &json!({}));
    let report = lines.last().unwrap();
    assert_eq!((&report["verdict"], &report["first_failure"]), (&json!("RTE"), &Value::Null));
    assert_eq!((report["tests"].as_array().unwrap().len(), &report["flags"]), (1, &json!(["RTE"])));
    let tests: Vec<_> = lines.iter().filter(|line| line["type"] == "test").collect();
    assert_eq!(tests.len(), 1);
    assert_eq!((&tests[0]["index"], &tests[0]["test"]["name"]), (&json!(0), &json!("sample/1")));
    let groups = report["groups"].as_array().unwrap();
    assert!(groups.iter().all(|group| group["name"] == "sample"), "{groups:?}");
}

#[test]
fn a_judging_error_on_a_secret_test_is_for_the_log() {
    let scene = scene();
    scene.write("packages/sum/problem.yaml", "name: Sum\nvalidation: custom\n");
    scene.write(
        "packages/sum/output_validators/check.sh",
        "read a b < \"$1\"\necho \"secret $a\" >&2\n[ $a = 1 ] && exit 42\nexit 9\n",
    );
    let full = answers(&scene, &[], &json!({}));
    assert!(full.last().unwrap()["error"].as_str().unwrap().contains("secret 3"), "{full:?}");
    let less = answers(&scene, &[], &json!({"feedback": "case"}));
    let report = less.last().unwrap();
    assert_eq!((&report["verdict"], &report["reason"]), (&json!("JE"), &json!("checker")));
    assert!(less.iter().all(|line| !line.to_string().contains("secret 3")), "{less:?}");
}

#[test]
fn a_misspelt_setting_of_a_package_is_an_error() {
    let scene = scene();
    let source = scene.write("leaky.sh", LEAKY);
    for (content, part) in [("feedbak = \"none\"\n", "feedbak"), ("\nfeedback = \"nothing\"\n", "nothing")] {
        scene.write("packages/sum/gavel.toml", content);
        let said = scene.say(&["judge", "packages/sum", text(&source)]);
        assert!(
            said.code == 2 && said.stderr.contains("gavel.toml:") && said.stderr.contains(part),
            "{said:?}"
        );
        assert!(said.stderr.contains("\"none\", \"case\" or \"full\""), "{said:?}");
    }
}

#[test]
fn a_validators_standard_error_is_for_the_jury() {
    let scene = scene();
    scene.write("packages/sum/problem.yaml", "name: Sum\nvalidation: custom\n");
    scene.write(
        "packages/sum/output_validators/check.sh",
        "echo note > \"$3/judgemessage.txt\"\necho traced >&2\nexit 43\n",
    );
    let report = answers(&scene, &[], &json!({})).pop().unwrap();
    assert_eq!(report["tests"][0]["judge_message"], "note\ntraced");
}

#[test]
fn reports_name_the_limits_that_held_and_those_that_were_refused() {
    let more = json!({"limits": {"cpu": "5s", "wall": "100s", "memory": "1GiB", "output": "1GiB", "processes": 1000}});
    let scene = scene();
    let lines = answers(&scene, &[], &more);
    let report = lines.last().unwrap();
    let warnings: Vec<_> =
        report["warnings"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    for key in ["cpu", "wall", "memory", "output", "processes"] {
        let begin = format!("'limits.{key}' has no effect: ");
        assert!(
            warnings.iter().any(|line| line.starts_with(&begin) && line.contains("raise_limits")),
            "{warnings:?}"
        );
    }
    let accepted = lines.iter().find(|line| line["type"] == "accepted").unwrap();
    assert_eq!(accepted["warnings"], report["warnings"]);
    // What Bash itself needs is on top.
    assert_eq!(report["limits"]["cpu_ms"], 2000.0);
    assert_eq!(report["limits"]["memory_kib"], (256 + 8) << 10);

    let raised = answers(&scene, &["--raise-limits"], &more).pop().unwrap();
    assert_eq!((&raised["limits"]["cpu_ms"], raised.get("warnings")), (&json!(5000.0), None));
    let lowered = answers(&scene, &[], &json!({"limits": {"cpu": "1s"}})).pop().unwrap();
    assert_eq!((&lowered["limits"]["cpu_ms"], lowered.get("warnings")), (&json!(1000.0), None));
}
