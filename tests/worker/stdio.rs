//! `gavel worker --queue stdio`: lines in, events and verdicts out.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};

use crate::common::boxes::{Hunt, Prey};
use crate::common::gate::Gate;
use crate::common::lines::Lines;
use crate::common::{SUM, Scene, said, text};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// A worker and its two streams.
struct Worker {
    child: Child,
    lines: Lines,
}

impl Worker {
    fn start(scene: &Scene, more: &[&str]) -> Self {
        Self::run(scene, scene.gavel(&[&["worker", "--quiet", "--package-root", "packages"], more].concat()))
    }

    fn run(scene: &Scene, mut command: std::process::Command) -> Self {
        scene.write("packages/.keep", "");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = Lines::of(&mut child);
        Self { child, lines }
    }

    fn send(&mut self, message: &Value) {
        self.lines.send(&message.to_string());
    }

    /// Ends the input; the exit code and the remaining lines.
    fn end(mut self) -> (i32, Vec<Value>) {
        self.lines.end_input();
        self.finish()
    }

    fn finish(mut self) -> (i32, Vec<Value>) {
        let rest = self.lines.rest();
        (self.child.wait().unwrap().code().unwrap(), rest)
    }

    fn signal(&self) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    }
}

fn bash(id: &str, program: &str, problem: Value) -> Value {
    json!({"schema": 1, "id": id, "language": "bash", "problem": problem,
           "files": [{"name": "main.sh", "text": program}], "meta": {"for": id}})
}

fn inline(id: &str, program: &str) -> Value {
    let tests = [json!({"input": "1 2\n", "answer": "3\n"}), json!({"input": "20 30\n", "answer": "50\n"})];
    bash(id, program, json!({"inline": tests}))
}

/// A submission whose second test waits at the gate; needs `--raise-limits`.
fn gated(id: &str, gate: &Gate) -> Value {
    let mut submission = inline(id, &gate.sum_at(20));
    submission["limits"] = json!({"wall": "1h"});
    submission
}

fn dones(events: &[Value]) -> Vec<(&str, &str)> {
    let mut dones: Vec<_> = events
        .iter()
        .filter(|event| event["type"] == "done")
        .map(|event| (event["id"].as_str().unwrap(), event["verdict"].as_str().unwrap()))
        .collect();
    dones.sort_unstable();
    dones
}

#[test]
fn every_submission_gets_its_events_and_one_verdict_and_the_end_drains() {
    let scene = Scene::new();
    scene.kattis_package("packages/sum");
    let mut worker = Worker::start(&scene, &[]);
    for number in 0..6 {
        let program = if number % 2 == 0 { SUM } else { "echo 7\n" };
        worker.send(&bash(&format!("s{number}"), program, json!({"ref": "sum"})));
    }
    let (code, events) = worker.end();
    assert_eq!(code, 0);
    let expected: Vec<_> = ["AC", "WA", "AC", "WA", "AC", "WA"].into_iter().enumerate().collect();
    let found = dones(&events);
    assert_eq!(found.len(), 6, "{events:?}");
    for (number, verdict) in expected {
        assert_eq!(found[number], (format!("s{number}").as_str(), verdict));
        let own: Vec<_> = events.iter().filter(|event| event["id"] == format!("s{number}")).collect();
        assert_eq!(own[0]["type"], "accepted");
        let done = own.last().unwrap();
        assert_eq!((&done["type"], &done["meta"]["for"]), (&"done".into(), &own[0]["id"]));
        let numbers: Vec<_> =
            own[..own.len() - 1].iter().map(|event| event["seq"].as_u64().unwrap()).collect();
        assert!(numbers.iter().enumerate().all(|(place, seq)| *seq == place as u64), "{numbers:?}");
    }
}

#[test]
fn inline_tests_are_judged() {
    let scene = Scene::new();
    let mut worker = Worker::start(&scene, &[]);
    worker.send(&inline("good", SUM));
    worker.send(&inline("bad", "echo 3\n"));
    worker.send(&bash("none", SUM, json!({"inline": []})));
    let (code, events) = worker.end();
    assert_eq!((code, dones(&events)), (0, vec![("bad", "WA"), ("good", "AC"), ("none", "JE")]));
    let bad = events.iter().find(|event| event["type"] == "done" && event["id"] == "bad").unwrap();
    assert_eq!(bad["first_failure"], "2");
}

#[test]
fn what_cannot_be_read_is_answered_with_the_reason_and_the_worker_lives_on() {
    let scene = Scene::new();
    let mut worker = Worker::start(&scene, &[]);
    worker.lines.send("not json");
    assert!(worker.lines.next("error")["message"].as_str().unwrap().contains("line 1: not a JSON object"));
    let mut newer = inline("newer", SUM);
    newer["schema"] = 2.into();
    worker.send(&newer);
    let refused = worker.lines.next("error");
    assert_eq!(refused["id"], "newer");
    assert!(refused["message"].as_str().unwrap().contains("this gavel reads schema 1"), "{refused}");
    assert_eq!(worker.lines.next("done")["reason"], "submission");
    let mut with_more = inline("more", SUM);
    with_more["a field of tomorrow"] = json!({"x": [1, 2]});
    worker.send(&with_more);
    let done = worker.lines.next("done");
    assert_eq!(done["verdict"], "AC");
    assert!(
        done["warnings"][0].as_str().unwrap().starts_with("'a field of tomorrow' has no effect"),
        "{done}"
    );
    assert_eq!(worker.end().0, 0);
}

#[test]
fn what_is_wrong_with_a_submission_itself_is_a_judging_error_with_that_reason() {
    let scene = Scene::new();
    let mut worker = Worker::start(&scene, &[]);
    let changed = |pointer: &str, value: Value| {
        let mut message = inline("s", SUM);
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        message.pointer_mut(parent).unwrap()[key] = value;
        message["meta"] = json!({"team": "17"});
        message
    };
    let file = |name: &str| json!({"name": name, "text": SUM});
    for (pointer, value, named) in [
        // Values that can be read and mean nothing.
        ("/files", json!([{"name": "main.sh", "base64": "?"}]), "base64"),
        ("/files", json!([]), "no source file"),
        ("/files", json!([file("main.sh"), file("main.sh")]), "main.sh"),
        ("/files", json!([file("../main.sh")]), "path component"),
        ("/files", json!(vec![file("main.sh"); 300]), "300 source files"),
        ("/files", json!([{"name": "main.sh", "url": "https://example.org/a", "sha256": "0"}]), "sha256"),
        ("/problem", json!({"url": "nowhere", "sha256": "0".repeat(64)}), "url 'nowhere'"),
        ("/problem", json!({"inline": []}), "0 inline tests"),
        ("/problem/checker", json!("feeling"), "feeling"),
        ("/problem/checker", json!("tokens float_tolerance much"), "much"),
        ("/problem", json!({"ref": "../sum"}), "../sum"),
        ("/tests", json!(["["]), "pattern"),
        ("/tests", json!(["nothing"]), "nothing"),
        // One limit, however it is spelled.
        ("/limits", json!({"cpu": "0s"}), "CPU time"),
        ("/limits", json!({"cpu": "0"}), "/limits/cpu: \"0\" is not accepted"),
        ("/limits", json!({"cpu": 0}), "not a submission"),
        ("/limits", json!({"memory": "0"}), "/limits/memory: \"0\" is not accepted"),
        ("/limits", json!({"processes": 0}), "process"),
        // Values that cannot be read.
        ("/language", json!(7), "not a submission"),
        ("/files", json!({}), "not a submission"),
        ("/priority", json!("soon"), "soon"),
        ("/policy", json!({"stop": "soon"}), "soon"),
        ("/schema", json!(2), "schema 2"),
        ("/type", json!("party"), "party"),
    ] {
        worker.send(&changed(pointer, value));
        let error = worker.lines.next("error");
        let done = worker.lines.next("done");
        assert_eq!((&error["id"], &done["id"]), (&"s".into(), &"s".into()));
        assert_eq!((&done["verdict"], &done["reason"]), (&"JE".into(), &"submission".into()), "{done}");
        assert!(done["error"].as_str().unwrap().contains(named), "'{named}' is not in {done}");
        assert_eq!((&done["meta"]["team"], &done["error"]), (&"17".into(), &error["message"]), "{done}");
    }
    // A cancel message that cannot be read answers for nothing.
    worker.send(&json!({"schema": 1, "type": "cancel", "id": "s", "judging": 7}));
    worker.lines.next("error");
    worker.send(&inline("last", SUM));
    let (code, events) = worker.end();
    assert_eq!((code, dones(&events)), (0, vec![("last", "AC")]));
}

#[test]
fn keys_that_have_no_effect_are_named_when_judging_begins_and_in_the_report() {
    let scene = Scene::new();
    let mut worker = Worker::start(&scene, &[]);
    let mut message = inline("s", SUM);
    message["limits"] = json!({"time": "1s"});
    message["policy"] = json!({"stopp": "full"});
    worker.send(&message);
    let (accepted, done) = (worker.lines.next("accepted"), worker.lines.next("done"));
    assert_eq!((&done["verdict"], &accepted["warnings"]), (&"AC".into(), &done["warnings"]));
    let warnings: Vec<_> =
        done["warnings"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    assert!(
        warnings.len() == 2
            && warnings[0].starts_with("'limits.time' has no effect")
            && warnings[1].starts_with("'policy.stopp' has no effect"),
        "{warnings:?}"
    );
    assert_eq!(worker.end().0, 0);
}

#[test]
fn a_judging_error_is_logged_on_one_line_with_its_reason() {
    let scene = Scene::new();
    let mut command = scene.gavel(&["worker"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut message = inline("s-1", SUM);
    message["judging"] = "of tuesday".into();
    message["files"][0]["name"] = "a\nb".into();
    writeln!(child.stdin.take().unwrap(), "{message}").unwrap();
    let said = said(child.wait_with_output().unwrap());
    let lines: Vec<_> = said.stderr.lines().filter(|line| line.contains("judging error")).collect();
    assert_eq!(lines.len(), 1, "{said:?}");
    for part in ["s-1", "of tuesday", "submission", "control characters"] {
        assert!(lines[0].contains(part), "{lines:?}");
    }
}

#[test]
fn a_problem_outside_the_package_roots_is_a_judging_error_that_names_it() {
    let scene = Scene::new();
    scene.sum_package(&[(1, 2)]);
    let mut worker = Worker::start(&scene, &[]);
    let absolute = scene.path("sum");
    for (name, reason) in [("../sum", "submission"), (text(&absolute), "submission"), ("nowhere", "package")]
    {
        worker.send(&bash("s", SUM, json!({"ref": name})));
        let done = worker.lines.next("done");
        assert_eq!((&done["verdict"], &done["reason"]), (&"JE".into(), &reason.into()));
        assert!(done["error"].as_str().unwrap().contains(name), "{done}");
    }
    assert_eq!(worker.end().0, 0);
}

#[test]
fn a_line_sent_twice_is_judged_once_and_answered_twice() {
    let scene = Scene::new();
    let mut worker = Worker::start(&scene, &["--slots", "1", "--raise-limits"]);
    let gate = Gate::new();
    worker.send(&gated("first", &gate));
    worker.lines.next("test");
    worker.send(&inline("again", SUM));
    worker.send(&inline("again", SUM));
    // Its answer says that everything before it was read.
    worker.lines.send("nonsense");
    worker.lines.next("error");
    gate.open();
    let (code, events) = worker.end();
    assert_eq!((code, dones(&events)), (0, vec![("again", "AC"), ("again", "AC"), ("first", "AC")]));
    let begun = events.iter().filter(|event| event["type"] == "accepted" && event["id"] == "again");
    assert_eq!(begun.count(), 1);
}

#[test]
fn an_answer_may_be_answered_with_the_same_submission() {
    let scene = Scene::new();
    let mut worker = Worker::start(&scene, &[]);
    for _ in 0..200 {
        worker.send(&bash("s", SUM, json!({"ref": "nowhere"})));
        assert_eq!(worker.lines.next("done")["verdict"], "JE");
    }
    assert_eq!(worker.end().0, 0);
}

#[test]
fn a_package_that_changed_is_loaded_again() {
    let scene = Scene::new();
    let package = scene.kattis_package("packages/sum");
    let mut worker = Worker::start(&scene, &[]);
    worker.send(&bash("before", SUM, json!({"ref": "sum"})));
    let before = worker.lines.next("done");
    std::fs::write(package.join("data/secret/2.ans"), "7\n").unwrap();
    worker.send(&bash("after", SUM, json!({"ref": "sum"})));
    let after = worker.lines.next("done");
    assert_eq!((&before["verdict"], &after["verdict"]), (&"AC".into(), &"WA".into()));
    assert_ne!(before["provenance"]["package"], after["provenance"]["package"]);
    // A limit is in no file that judging reads.
    let settings = package.join("problem.yaml");
    let limits = std::fs::read_to_string(&settings).unwrap() + "limits:\n  code: 64\n";
    std::fs::write(&settings, limits).unwrap();
    worker.send(&bash("limited", SUM, json!({"ref": "sum"})));
    let limited = worker.lines.next("done");
    assert_ne!(limited["provenance"]["package"], after["provenance"]["package"]);
    assert_eq!(worker.end().0, 0);
}

#[test]
fn a_cancel_stops_what_runs_and_what_waits() {
    let scene = Scene::new();
    let mut worker = Worker::start(&scene, &["--slots", "1", "--raise-limits"]);
    let mut slow = gated("slow", &Gate::new());
    slow["judging"] = "first".into();
    worker.send(&slow);
    worker.lines.next("test");
    worker.send(&inline("waiting", SUM));
    worker.send(&json!({"schema": 1, "type": "cancel", "id": "waiting", "judging": "1"}));
    worker.send(&json!({"schema": 1, "type": "cancel", "id": "slow", "judging": "another"}));
    worker.send(&json!({"schema": 1, "type": "cancel", "id": "slow", "judging": "first"}));
    let (code, events) = worker.end();
    assert_eq!((code, dones(&events)), (0, vec![("slow", "CX"), ("waiting", "CX")]));
}

#[test]
fn a_signal_lets_what_runs_finish_and_answers_what_was_read() {
    let scene = Scene::new();
    let mut command = scene.gavel(&["worker", "-v", "--slots", "1", "--raise-limits"]);
    command.stderr(Stdio::piped());
    let mut worker = Worker::run(&scene, command);
    let mut log = BufReader::new(worker.child.stderr.take().unwrap());
    let gate = Gate::new();
    worker.send(&gated("runs", &gate));
    worker.lines.next("test");
    worker.send(&inline("waits", SUM));
    // Its answer says that everything before it was read.
    worker.lines.send("nonsense");
    worker.lines.next("error");
    worker.signal();
    // Nothing is begun any more once that is in the log.
    assert!(log.by_ref().lines().any(|line| line.unwrap().contains("stopping: finishing what runs")));
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    gate.open();
    let (code, events) = worker.finish();
    assert_eq!((code, dones(&events)), (0, vec![("runs", "AC"), ("waits", "CX")]));
}

#[test]
fn the_deadline_cuts_short_what_does_not_finish() {
    let scene = Scene::new();
    let mut worker = Worker::start(&scene, &["--slots", "1", "--deadline", "10ms", "--raise-limits"]);
    worker.send(&gated("endless", &Gate::new()));
    worker.lines.next("test");
    worker.signal();
    let (code, events) = worker.finish();
    assert_eq!((code, dones(&events)), (0, vec![("endless", "CX")]));
}

#[test]
fn a_reader_that_goes_away_is_said_and_is_a_failure() {
    let scene = Scene::new();
    let mut worker = Worker::start(&scene, &[]);
    worker.send(&inline("first", SUM));
    worker.lines.next("done");
    worker.lines.stop_reading();
    worker.send(&inline("second", SUM));
    worker.lines.end_input();
    assert_eq!(worker.child.wait().unwrap().code(), Some(3));
}

#[test]
fn a_log_that_nobody_reads_ends_nothing() {
    let scene = Scene::new();
    let mut command = scene.gavel(&["-vvv", "worker"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stderr.take());
    let lines = Lines::of(&mut child);
    let mut worker = Worker { child, lines };
    worker.send(&inline("s", SUM));
    assert_eq!(worker.lines.next("done")["verdict"], "AC");
    assert_eq!(worker.end().0, 0);
}

#[test]
fn a_submission_whose_boxes_always_die_gets_its_verdict_and_the_next_are_judged() {
    let scene = Scene::new();
    let mut worker = Worker::start(&scene, &["--slots", "1"]);
    let gavel = i32::try_from(worker.child.id()).unwrap();
    let hunt =
        Hunt { gavels: &[gavel], name: "sleep", prey: Prey::Box, signal: Signal::SIGKILL, most: usize::MAX };
    worker.send(&inline("pill", "sleep 60\n"));
    worker.send(&inline("next", SUM));
    let ((code, events), killed) = hunt.during(|| worker.end());
    assert_eq!((code, dones(&events)), (0, vec![("next", "AC"), ("pill", "JE")]), "{events:?}");
    let pill: Vec<_> = events.iter().filter(|event| event["id"] == "pill").collect();
    assert_eq!(pill.last().unwrap()["reason"], "sandbox");
    assert_eq!(pill.iter().filter(|event| event["type"] == "error").count(), 1, "{pill:?}");
    // Two tests, each in two boxes, in two judgings.
    assert!((2..=8).contains(&killed), "{killed}");
}

/// Its process is called `sleep` in the end, and prints the sum before.
const SUM_THEN_SLEEP: &str = "read a b\necho $((a + b))\nexec sleep 1\n";

#[test]
fn a_program_killed_from_outside_is_run_again_and_keeps_its_verdict() {
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        let scene = Scene::new();
        let mut worker = Worker::start(&scene, &["--slots", "1"]);
        let gavel = i32::try_from(worker.child.id()).unwrap();
        worker.send(&inline("killed", SUM_THEN_SLEEP));
        let hunt = Hunt { gavels: &[gavel], name: "sleep", prey: Prey::Program, signal, most: 2 };
        let ((code, events), killed) = hunt.during(|| worker.end());
        assert_eq!((code, killed, dones(&events)), (0, 2, vec![("killed", "AC")]), "{events:?}");
    }
}

#[test]
fn a_program_that_something_outside_always_kills_is_a_judging_error() {
    let scene = Scene::new();
    let mut worker = Worker::start(&scene, &["--slots", "1"]);
    let gavel = i32::try_from(worker.child.id()).unwrap();
    worker.send(&inline("killed", SUM_THEN_SLEEP));
    worker.send(&inline("next", SUM));
    let hunt = Hunt {
        gavels: &[gavel],
        name: "sleep",
        prey: Prey::Program,
        signal: Signal::SIGKILL,
        most: usize::MAX,
    };
    let ((code, events), _) = hunt.during(|| worker.end());
    assert_eq!((code, dones(&events)), (0, vec![("killed", "JE"), ("next", "AC")]), "{events:?}");
    let report = events.iter().find(|event| event["type"] == "done" && event["id"] == "killed").unwrap();
    assert_eq!(report["reason"], "sandbox", "{report}");
}

#[test]
fn a_program_that_kills_itself_is_a_run_time_error_however_often_it_runs() {
    let scene = Scene::new();
    let mut worker = Worker::start(&scene, &["--slots", "1"]);
    for (id, program) in [
        ("kill", "kill -9 $$\n"),
        ("term", "kill -15 $$\nsleep 1\n"),
        ("code", "exit 137\n"),
        ("limit", "ulimit -t 1\nwhile :; do :; done\n"),
    ] {
        worker.send(&inline(id, program));
    }
    let (code, events) = worker.end();
    let expected = vec![("code", "RTE"), ("kill", "RTE"), ("limit", "RTE"), ("term", "RTE")];
    assert_eq!((code, dones(&events)), (0, expected), "{events:?}");
}

#[test]
fn a_compiler_killed_from_outside_compiles_again() {
    // The compiler itself, and a part of it that the compiler tells of.
    for compile in ["cp \"$2\" \"$1\"; exec sleep 1", "cp \"$2\" \"$1\"; sleep 1 || exit 1"] {
        let scene = Scene::new();
        let table = slow_table(&scene, compile);
        let mut worker = Worker::start(&scene, &["--slots", "1", "--languages", &table]);
        let gavel = i32::try_from(worker.child.id()).unwrap();
        let mut killed = inline("killed", "#!/bin/bash\nread a b; echo $((a + b))\n");
        killed["language"] = "slow".into();
        worker.send(&killed);
        let hunt =
            Hunt { gavels: &[gavel], name: "sleep", prey: Prey::Program, signal: Signal::SIGKILL, most: 1 };
        let ((code, events), killed) = hunt.during(|| worker.end());
        assert_eq!((code, killed, dones(&events)), (0, 1, vec![("killed", "AC")]), "{events:?}");
    }
}

/// A table with a language whose compiler is a shell command.
fn slow_table(scene: &Scene, compile: &str) -> String {
    let table = scene.write(
        "languages.toml",
        format!(
            "[[language]]\nid = \"slow\"\nname = \"Slow\"\n\
             sources = {{ default = \"main.slow\", extensions = [\"slow\"] }}\n\
             compile = [\"sh\", \"-c\", '{compile}', \"sh\", \"{{exe}}\", \"{{source}}\"]\n\
             artifact = \"executable\"\nrun = [\"{{exe}}\"]\nversion = [\"sh\", \"-c\", \"echo slow 1\"]\n\
             profile = \"native\"\nhello = \"x\"\n"
        ),
    );
    text(&table).to_owned()
}

#[test]
fn a_cache_that_is_removed_while_a_compiler_runs_is_made_again() {
    let scene = Scene::new();
    let table = slow_table(&scene, "sleep 60; cp \"$2\" \"$1\"");
    let mut worker = Worker::start(&scene, &["--slots", "1", "--languages", &table]);
    let gavel = i32::try_from(worker.child.id()).unwrap();
    let mut first = inline("first", "#!/bin/bash\nread a b\necho $((a + b))\n");
    first["language"] = "slow".into();
    worker.send(&first);
    let sleeper = || crate::common::boxes::inside(gavel).into_iter().find(|found| found.name == "sleep");
    let compiler = loop {
        if let Some(compiler) = sleeper() {
            break compiler.id;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    std::fs::remove_dir_all(scene.path("cache")).unwrap();
    kill(Pid::from_raw(compiler), Signal::SIGTERM).unwrap();
    let hunt = Hunt {
        gavels: &[gavel],
        name: "sleep",
        prey: Prey::Program,
        signal: Signal::SIGTERM,
        most: usize::MAX,
    };
    // Also what is too large to be kept in memory, and what is compiled anew.
    let mut large = inline("large", "#!/bin/bash\nhead -c 3000000 /dev/zero\n");
    large["language"] = "slow".into();
    worker.send(&large);
    let mut second = inline("second", "#!/bin/bash\nread a b; echo $((a + b))\n");
    second["language"] = "slow".into();
    worker.send(&second);
    let ((code, events), _) = hunt.during(|| worker.end());
    let expected = vec![("first", "AC"), ("large", "WA"), ("second", "AC")];
    assert_eq!((code, dones(&events)), (0, expected), "{events:?}");
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(scene.path("cache")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

/// A bare folder of five tests whose answers are the inputs times `factor`.
fn times(scene: &Scene, name: &str, factor: u32) {
    for number in 1..=5 {
        scene.write(&format!("packages/{name}/{number}.in"), format!("{number}\n"));
        scene.write(&format!("packages/{name}/{number}.ans"), format!("{}\n", number * factor));
    }
}

/// Right on the first two tests of the one version and on the others of the other, between which it takes its time.
const ON_NEITHER: &str =
    "read n\nif [ $n = 3 ]; then sleep 3; fi\nif [ $n -lt 3 ]; then echo $n; else echo $((n * 10)); fi\n";

/// Changes a package while a submission that is right on neither version is judged on it; the verdict.
fn judged_during(pinned: Option<&Value>, change: impl FnOnce(&Scene)) -> (Value, Value) {
    let scene = Scene::new();
    times(&scene, "tens", 1);
    let mut worker = Worker::start(&scene, &["--slots", "1"]);
    worker.send(&bash("first", "cat\n", json!({"ref": "tens"})));
    let done = worker.lines.until(|event| event["type"] == "done");
    assert_eq!(done["verdict"], "AC", "{done}");
    let before = done["provenance"]["package"].clone();
    let mut problem = json!({"ref": "tens"});
    if let Some(pinned) = pinned {
        problem["sha256"] = if pinned.is_null() { before.clone() } else { pinned.clone() };
    }
    worker.send(&bash("mixed", ON_NEITHER, problem));
    worker.lines.until(|event| event["type"] == "test" && event["id"] == "mixed" && event["index"] == 1);
    change(&scene);
    let done = worker.lines.until(|event| event["type"] == "done");
    assert_eq!(worker.end().0, 0);
    (before, done)
}

#[test]
fn a_package_replaced_in_mid_judging_is_judged_in_one_version() {
    let replace = |scene: &Scene| {
        times(scene, "../new/tens", 10);
        std::fs::rename(scene.path("packages/tens"), scene.path("old")).unwrap();
        std::fs::rename(scene.path("new/tens"), scene.path("packages/tens")).unwrap();
    };
    let (before, done) = judged_during(None, replace);
    assert_eq!((&done["verdict"], &done["first_failure"]), (&json!("WA"), &json!("1")), "{done}");
    assert_ne!(done["provenance"]["package"], before, "the digest is of what was judged");
    let (_, done) = judged_during(Some(&Value::Null), replace);
    assert_eq!((&done["verdict"], &done["reason"]), (&json!("JE"), &json!("package")), "{done}");
    assert!(done["error"].as_str().unwrap().contains("the submission asks for"), "{done}");
}

#[test]
fn a_package_edited_in_place_in_mid_judging_is_judged_in_one_version() {
    let (before, done) = judged_during(None, |scene| {
        for number in 1..=5 {
            let path = scene.path(&format!("packages/tens/{number}.ans"));
            let modified = path.metadata().unwrap().modified().unwrap();
            std::fs::write(&path, format!("{}\n", number * 10)).unwrap();
            // As tools do that copy times along.
            std::fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        }
    });
    assert_eq!((&done["verdict"], &done["first_failure"]), (&json!("WA"), &json!("1")), "{done}");
    assert_ne!(done["provenance"]["package"], before);
}

#[test]
fn a_package_that_is_swapped_and_swapped_back_is_judged_in_one_version() {
    let (before, done) = judged_during(Some(&Value::Null), |scene| {
        times(scene, "../new/tens", 10);
        let [here, old, new] = ["packages/tens", "old", "new/tens"].map(|name| scene.path(name));
        std::fs::rename(&here, &old).unwrap();
        std::fs::rename(&new, &here).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(100));
        std::fs::rename(&here, &new).unwrap();
        std::fs::rename(&old, &here).unwrap();
    });
    assert_eq!((&done["verdict"], &done["first_failure"]), (&json!("WA"), &json!("3")), "{done}");
    assert_eq!(done["provenance"]["package"], before);
}

#[test]
fn a_package_that_never_rests_is_a_judging_error_of_the_package() {
    let scene = Scene::new();
    times(&scene, "restless", 1);
    let mut worker = Worker::start(&scene, &["--slots", "1"]);
    worker.send(&bash("s", "sleep 0.2\ncat\n", json!({"ref": "restless"})));
    let path = scene.path("packages/restless/5.ans");
    let mut number = 0;
    let done = loop {
        let event = worker.lines.until(|event| event["type"] == "test" || event["type"] == "done");
        if event["type"] == "test" {
            number += 1;
            std::fs::write(&path, format!("5{}\n", " ".repeat(number))).unwrap();
        } else if event["type"] == "done" {
            break event;
        }
    };
    assert_eq!((&done["verdict"], &done["reason"]), (&json!("JE"), &json!("package")), "{done}");
    assert!(done["error"].as_str().unwrap().contains("kept changing"), "{done}");
    assert_eq!(worker.end().0, 0);
}

/// Names that one contestant's program looks up stay in the kernel's memory, charged to the box; they raise the
/// limit of nobody who runs in it later.
#[test]
fn a_memory_limit_is_the_same_after_another_contestants_submission() {
    let scene = Scene::new();
    let mut worker = Worker::start(&scene, &["--slots", "1"]);
    let c = |id: &str, body: &str| {
        let program = format!(
            "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <sys/stat.h>\n\
             int main(void) {{\n  {body}\n  puts(\"3\");\n}}\n"
        );
        json!({"schema": 1, "id": id, "language": "c17", "files": [{"name": "main.c", "text": program}],
               "problem": {"inline": [{"input": "1 2\n", "answer": "3\n"}]}, "limits": {"memory": "64MiB"}})
    };
    let hungry = "char *memory = malloc(100 << 20); memset(memory, 1, 100 << 20); \
                  if (memory[rand() % (100 << 20)] != 1) return 1;";
    let curious = "struct stat status; char path[64]; for (int name = 0; name < 400000; name++) { \
                   snprintf(path, sizeof path, \"/usr/missing-%d\", name); stat(path, &status); }";
    worker.send(&c("1", hungry));
    worker.send(&c("2", curious));
    worker.send(&c("3", hungry));
    let (_, events) = worker.end();
    assert_eq!(dones(&events), [("1", "MLE"), ("2", "AC"), ("3", "MLE")], "{events:?}");
}
