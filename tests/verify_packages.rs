//! `gavel verify`: what a jury wrote against what it says.

#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod common;

use common::{SUM, Scene, text};
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
