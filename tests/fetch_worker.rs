//! The worker on packages and files it has to fetch.

#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod common;
#[path = "common/server.rs"]
mod server;

use std::io::Write;
use std::process::Stdio;

use common::{SUM, Scene, text};
use serde_json::{Value, json};
use server::{Reply, Server, sha256, zip};

/// A Kattis package of the sum, zipped.
fn package() -> Vec<u8> {
    zip(&[
        ("sum/problem.yaml", "name: Sum\n"),
        ("sum/.timelimit", "2\n"),
        ("sum/data/sample/1.in", "1 2\n"),
        ("sum/data/sample/1.ans", "3\n"),
        ("sum/data/secret/1.in", "30 4\n"),
        ("sum/data/secret/1.ans", "34\n"),
    ])
}

fn submission(id: &str, file: Value, problem: Value) -> Value {
    json!({"schema": 1, "id": id, "language": "bash", "files": [file], "problem": problem})
}

fn program(text: &str) -> Value {
    json!({"name": "main.sh", "text": text})
}

fn remote(url: &str, bytes: &[u8]) -> Value {
    json!({"url": url, "sha256": sha256(bytes)})
}

/// Feeds a worker and returns its reports by id, once its input has ended.
fn judge(scene: &Scene, arguments: &[&str], submissions: &[Value]) -> Vec<Value> {
    let arguments = [&["worker", "--quiet"], arguments].concat();
    let mut command = scene.gavel(&arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for submission in submissions {
        writeln!(input, "{submission}").unwrap();
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut reports: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|event: &Value| event["type"] == "done")
        .collect();
    reports.sort_by_key(|report| report["id"].as_str().unwrap().to_owned());
    reports
}

#[test]
fn packages_and_sources_are_fetched_and_judged() {
    let scene = Scene::new();
    let (archive, source) = (package(), SUM.as_bytes().to_vec());
    let server =
        Server::start(vec![("/p/sum.zip", Reply::bytes(&archive)), ("/p/main.sh", Reply::bytes(&source))]);
    let problem = remote(&server.url("/p/sum.zip"), &archive);
    let mut file = remote(&server.url("/p/main.sh"), &source);
    file["name"] = "main.sh".into();
    let allowed = server.url("/p/");
    let reports = judge(
        &scene,
        &["--allow-url", &allowed],
        &[submission("a", file, problem.clone()), submission("b", program("echo 3\n"), problem)],
    );
    assert_eq!(reports[0]["verdict"], "AC", "{}", reports[0]);
    assert_eq!((&reports[1]["verdict"], &reports[1]["first_failure"]), (&"WA".into(), &"secret/1".into()));
    assert_eq!(server.requests("/p/sum.zip"), 1);
    let again = judge(
        &scene,
        &["--allow-url", &allowed],
        &[submission("c", program(SUM), remote(&server.url("/p/sum.zip"), &archive))],
    );
    assert_eq!(again[0]["verdict"], "AC");
    assert_eq!(server.requests("/p/sum.zip"), 1, "the second worker finds it in the cache");
}

#[test]
fn a_hundred_submissions_of_one_package_are_one_download() {
    let scene = Scene::new();
    let archive = package();
    let server = Server::start(vec![("/sum.zip", Reply::bytes(&archive))]);
    let problem = remote(&server.url("/sum.zip"), &archive);
    let submissions: Vec<_> =
        (0..100).map(|id| submission(&format!("{id:03}"), program(SUM), problem.clone())).collect();
    let reports = judge(&scene, &["--allow-url", &server.url("/"), "--slots", "4"], &submissions);
    assert_eq!(reports.len(), 100);
    assert!(reports.iter().all(|report| report["verdict"] == "AC"), "{reports:?}");
    assert_eq!(server.requests("/sum.zip"), 1);
}

#[test]
fn what_cannot_be_fetched_is_a_judging_error_with_whose_fault_it_is() {
    let scene = Scene::new();
    let archive = package();
    let server = Server::start(vec![("/sum.zip", Reply::bytes(&archive)), ("/ill", Reply::status(503))]);
    let url = |path: &str| server.url(path);
    let cases = [
        ("missing", remote(&url("/nothing.zip"), &archive), "package", "answered 404"),
        ("other", remote(&url("/sum.zip"), b"x"), "package", "SHA-256 is"),
        ("none", json!({"url": url("/sum.zip"), "sha256": "12"}), "package", "not a SHA-256"),
        ("forbidden", remote("http://127.0.0.1:1/x.zip", b"x"), "package", "--allow-url"),
        ("file", remote("file://host/etc/passwd", b"x"), "package", "only https"),
        ("ill", remote(&url("/ill"), b"x"), "sandbox", "answered 503"),
    ];
    for (id, problem, reason, message) in cases {
        let reports = judge(&scene, &["--allow-url", &url("/")], &[submission(id, program(SUM), problem)]);
        let report = &reports[0];
        assert_eq!((&report["verdict"], &report["reason"]), (&"JE".into(), &reason.into()), "{report}");
        let error = report["error"].as_str().unwrap();
        assert!(error.contains(message) && !error.contains('\n'), "{error}");
    }
    // Nothing was left half-made.
    let drafts = scene.path("cache/fetched/drafts");
    assert_eq!(std::fs::read_dir(drafts).unwrap().count(), 0, "{}", text(&scene.path("cache")));
}
