//! The command line and a worker read the same sources in the same way: any bytes, nothing at all, several files.

#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod common;

use std::io::Write;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{Scene, said, text};
use serde_json::{Value, json};

const START: &str = "from helper import add\nprint(add(*map(int, input().split())))\n";
const HELPER: &str = "def add(a, b): return a + b\n";

/// The report of a worker on these files.
fn by_worker(scene: &Scene, language: &str, files: &[(&str, &[u8])], entry_point: Option<&str>) -> Value {
    let files: Vec<_> =
        files.iter().map(|(name, bytes)| json!({"name": name, "base64": STANDARD.encode(bytes)})).collect();
    let mut message = json!({"schema": 1, "id": "s", "language": language, "files": files,
        "problem": {"inline": [{"input": "1 2\n", "answer": "3\n"}]}});
    if let Some(name) = entry_point {
        message["entry_point"] = json!(name);
    }
    let mut child = scene
        .gavel(&["worker", "--quiet"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{message}").unwrap();
    let said = said(child.wait_with_output().unwrap());
    serde_json::from_str(said.stdout.lines().last().unwrap()).unwrap()
}

#[test]
fn any_bytes_are_compiled_as_they_are_by_both() {
    let sum = "int main(void) { long a, b; scanf(\"%ld %ld\", &a, &b); printf(\"%ld\", a + b); }\n";
    let c = [b"#include <stdio.h>\n// caf\xe9\n", sum.as_bytes()].concat();
    for (name, language, source, verdict, reason) in [
        ("main.c", "c17", &c[..], "AC", Value::Null),
        // The interpreter refuses it, and so does the check.
        ("main.py", "python3", b"print(3) # \xeft\xe9\n", "CE", json!("error")),
        ("main.py", "python3", b"# -*- coding: latin-1 -*-\nprint(3) # \xeft\xe9\n", "AC", Value::Null),
        ("main.rb", "ruby", b"puts 3 # \xe9\n", "AC", Value::Null),
        ("main.c", "c17", b"", "CE", json!("error")),
        ("main.py", "python3", b"", "WA", Value::Null),
        ("main.js", "javascript", b"", "WA", Value::Null),
    ] {
        let scene = Scene::new();
        let package = scene.sum_package(&[(1, 2)]);
        let here = scene.report(&[text(&package), text(&scene.write(name, source)), "--language", language]);
        let there = by_worker(&scene, language, &[(name, source)], None);
        for report in [&here, &there] {
            assert_eq!(
                (&report["verdict"], &report["reason"]),
                (&json!(verdict), &reason),
                "{name}: {report}"
            );
        }
        assert_eq!(here["compile"]["log"], there["compile"]["log"], "{name}");
    }
}

#[test]
fn the_file_that_imports_the_others_is_started_or_it_is_asked_which() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    scene.write("parts/helper.py", HELPER);
    scene.write("parts/start.py", START);
    assert_eq!(scene.report(&[text(&package), "parts"])["verdict"], "AC");
    assert_eq!(scene.report(&[text(&package), "parts/start.py", "parts/helper.py"])["verdict"], "AC");
    let said = scene.say(&["judge", text(&package), "parts/helper.py", "parts/start.py"]);
    assert!(said.code == 2 && said.stderr.contains("give --entry-point"), "{said:?}");
    let files: [(&str, &[u8]); 2] = [("helper.py", HELPER.as_bytes()), ("start.py", START.as_bytes())];
    let report = by_worker(&scene, "python3", &files, None);
    assert_eq!((&report["verdict"], &report["reason"]), (&json!("JE"), &json!("submission")), "{report}");
    assert!(report["error"].as_str().unwrap().contains("'entry_point'"), "{report}");
    for name in ["start.py", "start"] {
        assert_eq!(by_worker(&scene, "python3", &files, Some(name))["verdict"], "AC");
    }
    assert_eq!(by_worker(&scene, "python3", &files, Some("nothing"))["reason"], "submission");
    let ordered = [files[1], files[0]];
    assert_eq!(by_worker(&scene, "python3", &ordered, None)["verdict"], "AC");

    scene.write("two/a.py", "print(3)");
    scene.write("two/b.py", "print(4)");
    let said = scene.say(&["judge", text(&package), "two"]);
    assert!(said.code == 2 && said.stderr.contains("'a.py', 'b.py'; give --entry-point"), "{said:?}");
}

#[test]
fn files_in_several_languages_are_in_that_of_main() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    scene.write("mixed/wrong.cpp", "int main() { return 1; }");
    scene.write("mixed/main.py", "print(sum(map(int, input().split())))");
    assert_eq!(scene.report(&[text(&package), "mixed"])["verdict"], "AC");
    scene.write("unclear/wrong.cpp", "int main() { return 1; }");
    scene.write("unclear/right.py", "print(sum(map(int, input().split())))");
    let said = scene.say(&["judge", text(&package), "unclear"]);
    assert!(said.code == 2 && said.stderr.contains("several languages"), "{said:?}");
    assert_eq!(scene.report(&[text(&package), "unclear", "--entry-point", "right.py"])["verdict"], "AC");
    assert_eq!(scene.report(&[text(&package), "unclear", "--language", "cpp"])["verdict"], "RTE");
}
