//! What reports and events tell of secret tests, and of limits.

use std::io::Write;
use std::process::Stdio;

use crate::common::{Scene, said, text};
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
fn everything_but_what_programs_wrote_is_told_where_nothing_is_said() {
    let lines = answers(&scene(), &[], &json!({}));
    for line in &lines {
        let whole = line.to_string();
        assert!(!whole.contains("read 3 4") && !whole.contains("read 50 60"), "{whole}");
    }
    let tests = &lines.last().unwrap()["tests"];
    assert_eq!((&tests[0]["stderr"], &tests[2]["stderr"]), (&json!("read 1 2\n"), &Value::Null));
    assert_eq!((&tests[2]["message"], &tests[2]["exit_code"]), (&json!("exit code 7"), &json!(7)));
    assert_eq!(tests[2].get("sample"), None);
}

#[test]
fn everything_is_told_where_any_says_so_and_none_says_less() {
    let scene = scene();
    let assert_is_told = |lines: &[Value]| {
        let test = &lines.last().unwrap()["tests"][2];
        assert_eq!((&test["stderr"], &test["message"]), (&json!("read 50 60\n"), &json!("exit code 7")));
        assert!(lines.iter().any(|line| line["type"] == "test" && line["test"]["stderr"] == "read 50 60\n"));
    };
    assert_is_told(&answers(&scene, &["--feedback", "full"], &json!({})));
    assert_is_told(&answers(&scene, &[], &json!({"feedback": "full"})));
    scene.write("packages/sum/gavel.toml", "feedback = \"full\"\n");
    assert_is_told(&answers(&scene, &[], &json!({})));
    assert_tells_cases_alone(&answers(&scene, &["--feedback", "case"], &json!({})));
}

/// The message of a run-time error is the program's own words where its runtime quotes an exception.
#[test]
fn messages_quote_no_program_on_secret_tests() {
    let scene = scene();
    let programs = [
        ("raise Exception(sys.stdin.read())", "RTE", "Exception: 1 2", "exit code 1"),
        (
            "text = sys.stdin.read(); print('MemoryError: ' + text, file=sys.stderr); sys.exit(1)",
            "MLE",
            "its runtime ran out of memory: MemoryError: 1 2",
            "its runtime ran out of memory",
        ),
        (
            "text = sys.stdin.read(); print('Traceback (most recent call last):\\n' + text, file=sys.stderr); sys.stderr.flush(); os.abort()",
            "RTE",
            "1 2",
            "SIGABRT",
        ),
    ];
    for (program, verdict, sample, secret) in programs {
        let program = format!("import os, sys\n{program}\n");
        let more = json!({"language": "python3", "files": [{"name": "main.py", "text": program}]});
        let lines = answers(&scene, &[], &more);
        let report = lines.last().unwrap();
        let message = |place: usize| report["tests"][place]["message"].as_str().unwrap();
        assert_eq!(
            (&report["tests"][0]["verdict"], &report["tests"][1]["verdict"]),
            (&json!(verdict), &json!(verdict))
        );
        assert!(message(0).contains(sample), "{report}");
        assert!(message(1).starts_with(secret), "{report}");
        for line in &lines {
            let whole = line.to_string();
            assert!(!whole.contains("3 4") && !whole.contains("50 60"), "{whole}");
        }
        // The jury sees them.
        let source = scene.write("main.py", &program);
        let report = scene.report(&["packages/sum", text(&source), "--policy", "full"]);
        assert!(report["tests"][1]["message"].as_str().unwrap().contains("3 4"), "{report}");
    }
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
    let accepted = lines.iter().find(|line| line["type"] == "accepted").unwrap();
    assert_eq!(accepted["tests"], 1, "the number of secret tests is theirs");
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

#[test]
fn standard_error_is_bounded_over_all_tests_of_a_report() {
    let scene = scene();
    for number in 3..30 {
        scene.write(&format!("packages/sum/data/secret/{number:02}.in"), format!("{number} 1\n"));
        scene.write(&format!("packages/sum/data/secret/{number:02}.ans"), format!("{}\n", number + 1));
    }
    let noisy = "read a b\nhead -c 5000 /dev/zero | tr '\\0' '\\1' >&2\necho $((a + b))\n";
    let more = json!({"files": [{"name": "main.sh", "text": noisy}], "feedback": "full"});
    let lines = answers(&scene, &[], &more);
    let report = lines.last().unwrap();
    let told: Vec<_> =
        report["tests"].as_array().unwrap().iter().map(|test| test["stderr"].as_str().unwrap()).collect();
    assert_eq!(told.len(), 30);
    assert!(told[0].len() > 4000 && told.iter().all(|text| text.len() <= 4096));
    let is_note = |text: &&&str| text.contains("left out: above 64 KiB in all tests");
    assert_eq!(told.iter().filter(|text| !is_note(text)).count(), 16);
    assert!(told[16..].iter().all(|text| is_note(&text)), "{told:?}");
    let events = lines.iter().filter(|line| line["type"] == "test");
    assert_eq!(events.map(|line| line["test"]["stderr"].as_str().unwrap()).collect::<Vec<_>>(), told);
}
