//! `gavel replay`: recorded submissions through the worker in this process, with latencies at the end.

use std::fs::File;
use std::path::Path;

use crate::common::{SUM, Said, Scene, said, text};
use serde_json::{Value, json};

fn record(scene: &Scene, id: &str, program: &str) {
    let submission = json!({"schema": 1, "id": id, "language": "bash", "problem": {"ref": "sum"},
                            "files": [{"name": "main.sh", "text": program}]});
    scene.write(&format!("recorded/{id}.json"), submission.to_string());
}

fn replay(scene: &Scene, more: &[&str]) -> Said {
    let (recorded, root) = (scene.path("recorded"), scene.path("packages"));
    scene.say(&[&["replay", text(&recorded), "--package-root", text(&root)], more].concat())
}

#[test]
fn every_copy_is_judged_and_the_latencies_are_in_order() {
    let scene = Scene::new();
    scene.kattis_package("packages/sum");
    record(&scene, "good", SUM);
    record(&scene, "wrong", "echo 1\n");
    let said = replay(&scene, &["--count", "9", "--format", "json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let result: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((&result["judged"], &result["verdicts"]), (&9.into(), &json!({"AC": 5, "WA": 4})));
    for step in ["queue", "compile", "run", "total"] {
        let figures = &result["latency_ms"][step];
        assert!(figures["p50"].as_f64().unwrap() <= figures["max"].as_f64().unwrap(), "{result}");
    }
    assert!(result["latency_ms"]["run"]["max"].as_f64() <= result["latency_ms"]["total"]["max"].as_f64());
}

#[test]
fn a_rate_spreads_them_over_time() {
    let scene = Scene::new();
    scene.kattis_package("packages/sum");
    record(&scene, "good", SUM);
    let said = replay(&scene, &["--count", "3", "--rate", "4", "--format", "json"]);
    let result: Value = serde_json::from_str(&said.stdout).unwrap();
    // The third is due after half a second.
    assert!(result["seconds"].as_f64().unwrap() >= 0.5, "{said:?}");
    let said = replay(&scene, &[]);
    assert!(said.stdout.contains("1 judged in") && said.stdout.contains("1 AC"), "{said:?}");
}

#[test]
fn a_judging_error_is_said_and_is_a_failure() {
    let scene = Scene::new();
    scene.write("packages/other/1.in", "");
    record(&scene, "lost", SUM);
    let said = replay(&scene, &[]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.stderr.contains("lost: problem 'sum' is in none of the package roots"), "{said:?}");
}

#[test]
fn what_is_no_recording_is_refused_with_its_file() {
    let scene = Scene::new();
    scene.write("packages/other/1.in", "");
    scene.write("recorded/readme.txt", "");
    let said = replay(&scene, &[]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("no *.json in it"), "{said:?}");
    scene.write("recorded/broken.json", "{\"schema\":1,\"id\":\"x\"}");
    let said = replay(&scene, &[]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("broken.json: not a submission: /language is missing"), "{said:?}");
}

#[test]
fn the_recorded_submissions_get_what_they_say_and_show_every_verdict_a_contestant_can_earn() {
    let scene = Scene::new();
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let packages = testdata.join("packages");
    let mut messages = Vec::new();
    for entry in std::fs::read_dir(testdata.join("recorded")).unwrap() {
        let message = std::fs::read(entry.unwrap().path()).unwrap();
        messages.push(serde_json::from_slice::<Value>(&message).unwrap().to_string());
    }
    let input = scene.write("recorded.ndjson", messages.join("\n"));
    let mut worker =
        scene.gavel(&["worker", "--quiet", "--queue", "stdio", "--package-root", text(&packages)]);
    let said = said(worker.stdin(File::open(input).unwrap()).output().unwrap());
    assert_eq!(said.code, 0, "{said:?}");
    let lines = said.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let reports: Vec<Value> = lines.filter(|line| line["type"] == "done").collect();
    assert_eq!(reports.len(), messages.len());
    let mut shown = std::collections::BTreeSet::new();
    for report in &reports {
        assert_eq!(report["verdict"], report["meta"]["expected"], "{report}");
        shown.insert(report["verdict"].as_str().unwrap());
    }
    assert_eq!(shown.into_iter().collect::<Vec<_>>(), ["AC", "CE", "MLE", "OLE", "RTE", "TLE", "WA", "WTL"]);
}
