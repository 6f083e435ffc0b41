//! `deploy/schema/`: the files are what the types say, and real messages are what the files say.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::common::{SUM, Scene, said, text};
use gavel::queue::{Document, parse};
use gavel::verdict::Verdict;
use jsonschema::Validator;
use serde_json::{Value, json};

/// Fails with everything that is wrong with the message.
fn check(validator: &Validator, message: &Value) {
    let wrong: Vec<_> =
        validator.iter_errors(message).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{}\n{message:#}", wrong.join("\n"));
}

fn validator(document: Document) -> Validator {
    jsonschema::draft202012::new(&document.schema()).unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn submission(id: &str, program: &str) -> Value {
    let tests = [json!({"input": "1 2\n", "answer": "3\n"}), json!({"input": "20 30\n", "answer": "50\n"})];
    json!({"schema": 1, "id": id, "language": "bash", "problem": {"inline": tests},
           "files": [{"name": "main.sh", "text": program}], "meta": {"for": [id]}})
}

/// Submissions that end in every way there is.
fn submissions() -> Vec<Value> {
    let limited = |id: &str, program: &str, limits: Value| {
        let mut message = submission(id, program);
        message["limits"] = limits;
        message
    };
    let mut hungry = limited("hungry", "bytearray(1 << 30)", json!({"memory": "64MiB"}));
    hungry["language"] = "python3".into();
    hungry["files"][0]["name"] = "main.py".into();
    let mut broken = submission("broken", "int main(void) {");
    broken["language"] = "c17".into();
    broken["files"][0]["name"] = "main.c".into();
    let mut lost = submission("lost", SUM);
    lost["problem"] = json!({"ref": "nowhere"});
    let mut unknown = submission("unknown", SUM);
    unknown["language"] = "esperanto".into();
    let mut full = submission("full", "echo 3\n");
    full["policy"] = json!({"stop": "full"});
    full["priority"] = "contest".into();
    full["judging"] = "of tuesday".into();
    full["a field of tomorrow"] = json!({"x": 1});
    vec![
        submission("right", SUM),
        submission("wrong", "echo 1\n"),
        full,
        limited("busy", "while :; do :; done\n", json!({"cpu": "100ms"})),
        limited("idle", "sleep 3600\n", json!({"wall": "200 ms"})),
        limited("chatty", "while :; do echo 3; done\n", json!({"output": "4KiB"})),
        hungry,
        submission("fails", "exit 3\n"),
        submission("dies", "kill -KILL $$\n"),
        broken,
        lost,
        unknown,
        limited("endless", "sleep 3600\n", json!({"wall": "1h"})),
    ]
}

#[test]
fn the_files_are_what_the_types_say() {
    for document in Document::ALL {
        let path = root().join("deploy/schema").join(format!("{}.json", document.name()));
        let file = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            file == format!("{:#}\n", document.schema()),
            "{} is not what the types say: run 'cargo run -- schema --into deploy/schema'",
            path.display()
        );
        jsonschema::draft202012::meta::validate(&document.schema()).unwrap();
    }
}

#[test]
fn the_command_prints_them() {
    let scene = Scene::new();
    let printed = scene.say(&["schema", "report"]);
    assert_eq!(printed.code, 0, "{printed:?}");
    assert_eq!(serde_json::from_str::<Value>(&printed.stdout).unwrap(), Document::Report.schema());
    assert_eq!(scene.say(&["schema"]).code, 2);
}

#[test]
fn recorded_submissions_are_valid() {
    let schema = validator(Document::Submission);
    for entry in std::fs::read_dir(root().join("testdata/recorded")).unwrap() {
        let message: Value = serde_json::from_slice(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
        check(&schema, &message);
    }
}

#[test]
fn everything_a_worker_writes_is_valid() {
    let scene = Scene::new();
    let mut command = scene.gavel(&["worker", "--quiet", "--raise-limits"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let cancel = json!({"schema": 1, "type": "cancel", "id": "endless"});
    let schema = validator(Document::Submission);
    for message in submissions() {
        check(&schema, &message);
        writeln!(input, "{message}").unwrap();
    }
    check(&validator(Document::Cancel), &cancel);
    writeln!(input, "{cancel}").unwrap();
    let long = "x".repeat(1000);
    for refused in ["nonsense", "[]", r#"{"schema":9,"id":"newer"}"#, r#"{"schema":1,"id":7}"#] {
        writeln!(input, "{refused}").unwrap();
    }
    writeln!(input, r#"{{"schema":1,"id":"{long}"}}"#).unwrap();
    drop(input);
    let said = said(child.wait_with_output().unwrap());
    assert_eq!(said.code, 0, "{said:?}");

    let (event, report) = (validator(Document::Event), validator(Document::Report));
    let mut kinds = BTreeSet::new();
    let mut verdicts = BTreeSet::new();
    for line in said.stdout.lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        let kind = message["type"].as_str().unwrap().to_owned();
        check(if kind == "done" { &report } else { &event }, &message);
        verdicts.extend(message["verdict"].as_str().map(str::to_owned));
        let tests = message["tests"].as_array().into_iter().flatten();
        verdicts.extend(tests.map(|test| test["verdict"].as_str().unwrap().to_owned()));
        kinds.insert(kind);
    }
    for kind in ["accepted", "compiling", "compiled", "test", "cancelled", "error", "done"] {
        assert!(kinds.contains(kind), "no {kind} among {kinds:?}");
    }
    // A security violation is nothing a program can bring about at will.
    let expected = Verdict::ALL.into_iter().filter(|verdict| *verdict != Verdict::SV);
    assert_eq!(verdicts, expected.map(|verdict| verdict.id().to_owned()).collect());
}

#[test]
fn what_the_command_line_prints_is_valid() {
    let scene = Scene::new();
    let package = scene.kattis_package("sum");
    let source = scene.write("main.sh", SUM);
    check(&validator(Document::Report), &scene.judge_bash(&package, "echo 3\n", &[]));
    let said = scene.say(&["judge", text(&package), text(&source), "--format", "ndjson"]);
    let lines: Vec<Value> = said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let event = validator(Document::Event);
    for line in &lines {
        check(&event, line);
    }
    assert_eq!(lines.last().unwrap()["type"], "done");
}

/// Both say the same of a message: a backend that validates is not refused, nor kept from what would be taken.
#[test]
fn schema_and_worker_agree_on_what_is_refused() {
    let whole = submissions().swap_remove(2);
    let cancel = json!({"schema": 1, "type": "cancel", "id": "s", "judging": "2"});
    let with = |message: &Value, pointer: &str, value: Value| {
        let mut message = message.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        message.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(key.to_owned(), value);
        message
    };
    let without = |message: &Value, key: &str| {
        let mut message = message.clone();
        message.as_object_mut().unwrap().remove(key).unwrap();
        message
    };
    let mut messages = vec![(true, whole.clone()), (true, cancel.clone())];
    for key in ["schema", "id", "language", "files", "problem"] {
        messages.push((false, without(&whole, key)));
    }
    for key in ["judging", "policy", "priority", "meta"] {
        messages.push((true, without(&whole, key)));
    }
    for (key, is_needed) in [("schema", true), ("id", true), ("judging", false)] {
        messages.push((!is_needed, without(&cancel, key)));
    }
    for (is_good, pointer, value) in [
        (true, "/type", json!("submission")),
        (false, "/type", json!("party")),
        (false, "/schema", json!(2)),
        (false, "/schema", json!("1")),
        (false, "/id", json!("")),
        (false, "/id", json!(7)),
        (false, "/id", json!("a\nb")),
        (false, "/id", json!("a\u{7f}b")),
        (false, "/judging", json!("\u{85}")),
        (false, "/id", json!("x".repeat(201))),
        (true, "/id", json!("größer \u{2028} 中")),
        (false, "/judging", Value::Null),
        (false, "/files", json!({})),
        (false, "/files", json!([{"name": "a"}])),
        (false, "/files", json!([{"text": "a"}])),
        (true, "/files", json!([{"name": "a", "base64": "AA=="}])),
        (true, "/files", json!([{"name": "a", "url": "https://example.org/a", "sha256": "0"}])),
        (false, "/files", json!([{"name": "a", "url": "https://example.org/a"}])),
        (false, "/files", json!([{"name": "a", "text": "", "base64": ""}])),
        (true, "/problem", json!({"url": "https://example.org/a.zip", "sha256": "0"})),
        (false, "/problem", json!({"url": "https://example.org/a.zip"})),
        (true, "/problem", json!({"inline": [], "checker": "exact"})),
        (false, "/problem", json!({"ref": "a", "checker": "exact"})),
        (false, "/problem", json!({})),
        (false, "/problem", json!({"ref": "a", "inline": []})),
        (false, "/problem", json!({"inline": [{"input": ""}]})),
        (true, "/problem", json!({"ref": "a", "sha256": "0", "more": 1})),
        (true, "/limits", json!({"cpu": "1.5s", "memory": "256 MiB", "processes": 3, "wall": null})),
        (false, "/limits", json!({"cpu": "1"})),
        (false, "/limits", json!({"cpu": 1})),
        (false, "/limits", json!({"memory": "1GHz"})),
        (false, "/limits", json!({"output": "-1KiB"})),
        (false, "/limits", json!({"processes": -1})),
        (true, "/policy", json!({})),
        (false, "/policy", json!({"stop": "soon"})),
        (false, "/priority", json!("soon")),
        (false, "/tests", json!("*")),
        (true, "/reply_to", Value::Null),
        (false, "/meta", json!([])),
    ] {
        messages.push((is_good, with(&whole, pointer, value)));
    }
    let (submission, cancel) = (validator(Document::Submission), validator(Document::Cancel));
    for (is_good, message) in messages {
        let is_valid = submission.is_valid(&message) || cancel.is_valid(&message);
        assert_eq!(parse(message.to_string().as_bytes()).is_ok(), is_good, "the worker on {message:#}");
        assert_eq!(is_valid, is_good, "the schema on {message:#}");
    }
}
