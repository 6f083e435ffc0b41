//! `gavel verify`: what a jury wrote against what it says.

use crate::common::{SUM, Scene, text};
use serde_json::Value;

fn json(scene: &Scene, arguments: &[&str]) -> (i32, Value) {
    let said = scene.say(&[&["verify", "--format", "json"], arguments].concat());
    (said.code, serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}")))
}

#[test]
fn a_package_whose_submissions_get_what_they_must_is_fine() {
    let scene = Scene::new();
    let package = scene.kattis_package("sum");
    scene.write("sum/submissions/accepted/right.sh", SUM);
    scene.write("sum/submissions/wrong_answer/wrong.sh", "echo 3\n");
    scene.write("sum/submissions/run_time_error/crash.sh", "exit 1\n");
    scene.write("sum/submissions/time_limit_exceeded/slow.sh", "while :; do :; done\n");
    let (code, result) = json(&scene, &[text(&package)]);
    assert_eq!(code, 0, "{result}");
    assert_eq!(result["summary"]["as_expected"], 4);
    let said = scene.say(&["verify", text(&package)]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.lines().last().unwrap().contains("4 as expected"), "{said:?}");
    assert!(!said.stdout.contains('\u{1b}'), "no colours outside a terminal");
}

#[test]
fn files_put_aside_are_no_submissions() {
    let scene = Scene::new();
    let package = scene.kattis_package("sum");
    scene.write("sum/submissions/accepted/right.sh", SUM);
    for name in ["old.py2.disabled", "notes.txt", "right.sh.orig"] {
        scene.write(&format!("sum/submissions/accepted/{name}"), "not a program\n");
    }
    let (code, result) = json(&scene, &[text(&package)]);
    assert_eq!((code, &result["summary"]["submissions"]), (0, &1.into()), "{result}");
}

#[test]
fn languages_are_named_as_other_formats_name_them() {
    let scene = Scene::new();
    let package = scene.kattis_package("sum");
    scene.write("sum/submissions/accepted/right.txt2", SUM);
    scene.write(
        "sum/submissions/accepted/sum.c",
        "#include <stdio.h>\nint main(void) { int a, b; scanf(\"%d %d\", &a, &b); printf(\"%d\\n\", a + b); }\n",
    );
    scene.write(
        "sum/submissions/submissions.yaml",
        "'accepted/right.txt2': {language: bash}\n'accepted/sum.c': {language: c}\n",
    );
    let (code, result) = json(&scene, &[text(&package)]);
    assert_eq!(code, 0, "{result}");
    assert_eq!(result["packages"][0]["submissions"][1]["language"], "c17", "{result}");
}

#[test]
fn a_submission_that_gets_something_else_is_reported_and_fails() {
    let scene = Scene::new();
    let package = scene.kattis_package("sum");
    scene.write("sum/submissions/accepted/wrong.sh", "echo 3\n");
    let said = scene.say(&["verify", text(&package)]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stdout.contains("UNEXPECTED: got WA, must get AC"), "{said:?}");
    let said = scene.say(&["verify", "--format", "junit", text(&package)]);
    assert_eq!(said.code, 1);
    assert!(
        said.stdout.contains("failures=\"1\"") && said.stdout.contains("got WA, must get AC"),
        "{said:?}"
    );
}

#[test]
fn a_broken_package_is_reported_and_the_others_are_judged() {
    let scene = Scene::new();
    let good = scene.kattis_package("good");
    scene.write("good/submissions/accepted/right.sh", SUM);
    let bad = scene.kattis_package("bad");
    scene.write("bad/problem.yaml", "name: [unclosed\n");
    let (code, result) = json(&scene, &[text(&bad), text(&good)]);
    assert_eq!(code, 2, "{result}");
    assert!(result["packages"][0]["error"].as_str().unwrap().contains("problem.yaml"), "{result}");
    assert_eq!(result["packages"][1]["submissions"][0]["verdict"], "AC");
}

#[test]
fn a_time_limit_left_to_the_submissions_is_found_from_the_accepted_ones() {
    let scene = Scene::new();
    let package = scene.kattis_package("sum");
    std::fs::remove_file(scene.path("sum/.timelimit")).unwrap();
    scene.write("sum/submissions/accepted/right.sh", SUM);
    scene.write("sum/submissions/time_limit_exceeded/slow.sh", "while :; do :; done\n");
    let (code, result) = json(&scene, &[text(&package)]);
    assert_eq!(code, 0, "{result}");
    assert_eq!(result["packages"][0]["time_limit_ms"], 1000.0);
}

#[test]
fn a_file_in_no_known_language_is_a_warning_and_the_rest_is_judged() {
    let scene = Scene::new();
    let package = scene.kattis_package("sum");
    scene.write("sum/submissions/accepted/right.sh", SUM);
    scene.write("sum/submissions/accepted/what.unknown", "nothing\n");
    let (code, result) = json(&scene, &[text(&package), "--only", "submissions"]);
    assert_eq!(code, 0, "{result}");
    assert_eq!(result["summary"]["submissions"], 1);
    assert_eq!(result["summary"]["as_expected"], 1);
    assert!(result["packages"][0].to_string().contains("accepted/what.unknown"), "{result}");
    let (code, result) = json(&scene, &[text(&package), "--only", "submissions", "--strict"]);
    assert_eq!(code, 1, "{result}");
}

/// A table whose only language has a compiler that no machine has.
fn table_of_a_missing_compiler(scene: &Scene) -> String {
    let path = scene.write(
        "languages.toml",
        "[[language]]\nid = \"odd\"\nname = \"Odd\"\nsources = { default = \"main.odd\", extensions = [\"odd\"] }\n\
         compile = [\"no-such-compiler\", \"-o\", \"{exe}\", \"{sources}\"]\nartifact = \"executable\"\n\
         run = [\"{exe}\"]\nversion = [\"no-such-compiler\", \"--version\"]\nprofile = \"native\"\nhello = \"x\"\n",
    );
    text(&path).to_owned()
}

#[test]
fn a_missing_compiler_is_no_judging_error_of_the_package() {
    let scene = Scene::new();
    let package = scene.kattis_package("sum");
    scene.write("sum/submissions/accepted/right.odd", SUM);
    let table = table_of_a_missing_compiler(&scene);
    let (code, result) = json(&scene, &[text(&package), "--languages", &table]);
    assert_eq!(code, 2, "{result}");
    assert_eq!(result["summary"]["not_judged"], 1, "{result}");
    assert_eq!(result["summary"]["judging_errors"], 0, "{result}");
    let problem = result["packages"][0]["submissions"][0]["problem"].as_str().unwrap();
    assert!(problem.contains("no-such-compiler") && problem.contains("gavel languages"), "{problem}");
}

#[test]
fn a_judging_error_is_said_once_on_one_line() {
    let scene = Scene::new();
    let package = scene.kattis_package("sum");
    let source = scene.write("right.odd", SUM);
    let table = table_of_a_missing_compiler(&scene);
    let said = scene.say(&["judge", text(&package), text(&source), "--languages", &table]);
    assert_eq!(said.code, 3, "{said:?}");
    assert_eq!(said.stderr.lines().count(), 1, "{said:?}");
}

/// A package of the newest format with these submissions, and a time limit in seconds.
fn newest_package(scene: &Scene, limit: u32, submissions: &[(&str, &str)]) {
    scene.write(
        "sum/problem.yaml",
        format!(
            "problem_format_version: 2025-09\nname: Sum\nuuid: 5ca6ba5b-36d5-4eff-8aa7-d967cbc4375e\n\
             limits:\n  time_limit: {limit}\n"
        ),
    );
    for (test, a, b) in [("sample/1", 1, 2), ("secret/1", 3, 4), ("secret/2", 50, 60)] {
        scene.write(&format!("sum/data/{test}.in"), format!("{a} {b}\n"));
        scene.write(&format!("sum/data/{test}.ans"), format!("{}\n", a + b));
    }
    for (name, program) in submissions {
        scene.write(&format!("sum/submissions/{name}"), program);
    }
}

#[test]
fn a_verification_that_is_stopped_says_what_it_knows() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let (scene, gate) = (Scene::new(), crate::common::gate::Gate::new());
    newest_package(&scene, 600, &[("accepted/a.sh", SUM), ("accepted/b.sh", &gate.sum_at(50))]);
    let mut command =
        scene.gavel(&["verify", "sum", "--only", "submissions", "--format", "json", "--slots", "2"]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    crate::common::guardian::watch(&child);
    // Said at once, though the next is not judged.
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let told = lines.find(|line| line.as_ref().unwrap().contains("accepted/a.sh")).unwrap().unwrap();
    assert!(told.contains("sum: accepted/a.sh: AC, as expected (1 of 2)"), "{told}");
    gate.wait_for(1);
    let process = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGTERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["summary"]["complete"], false);
    let submissions = document["packages"][0]["submissions"].as_array().unwrap();
    assert_eq!(submissions.len(), 1, "{document}");
    assert_eq!(
        (&submissions[0]["name"], &submissions[0]["verdict"]),
        (&"accepted/a.sh".into(), &"AC".into())
    );
}

#[test]
fn a_submission_that_must_be_too_slow_is_run_until_it_is() {
    let scene = Scene::new();
    let (busy, asleep) = ("while :; do :; done\n", "sleep 1000\n");
    newest_package(
        &scene,
        1,
        &[("time_limit_exceeded/busy.sh", busy), ("time_limit_exceeded/asleep.sh", asleep)],
    );
    let verdicts = |more: &[&str]| -> Vec<Vec<String>> {
        let said =
            scene.say(&[&["verify", "sum", "--only", "submissions", "--format", "json"], more].concat());
        let document: Value = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!((said.code, &document["summary"]["complete"]), (0, &true.into()), "{said:?}");
        let submissions = document["packages"][0]["submissions"].as_array().unwrap().iter();
        submissions
            .map(|row| crate::common::verdicts(&row["report"]).into_iter().map(ToOwned::to_owned).collect())
            .collect()
    };
    assert_eq!(verdicts(&[]), [["WTL", "SK", "SK"], ["TLE", "SK", "SK"]]);
    assert_eq!(verdicts(&["--policy", "full", "--submission", "*/busy.sh"]), [["TLE", "TLE", "TLE"]]);
}

#[test]
fn colours_say_what_is_as_expected_and_counts_are_in_the_right_number() {
    let scene = Scene::new();
    newest_package(&scene, 5, &[("accepted/a.sh", SUM), ("wrong_answer/b.sh", "echo 0\n")]);
    let command = ["verify", "sum", "--only", "submissions", "--color", "always"];
    let said = scene.say(&command);
    assert_eq!(said.code, 0, "{said:?}");
    // Red text begins so.
    assert!(said.stdout.contains("WA") && !said.stdout.contains("\u{1b}[38;5;9m"), "{said:?}");
    assert!(said.stdout.contains("1 package, 2 submissions: 2 as expected, 0 not"), "{said:?}");
    scene.write("sum/submissions/accepted/c.sh", "echo 0\n");
    let said = scene.say(&command);
    assert!(said.stdout.contains("\u{1b}[38;5;9m"), "{said:?}");
    assert!(said.stdout.contains("  accepted/c.sh: UNEXPECTED: "), "{said:?}");
    let said = scene.say(&["package", "check", "sum"]);
    assert!(said.stdout.contains("\n1 package, 0 errors, "), "{said:?}");
}
