//! `gavel package check` says everything that is wrong, by file and key, and archives are packages for every command.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic like the tests")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn zip(path: &Path, files: &[(&str, &str)]) {
    let mut zip = ZipWriter::new(fs::File::create(path).unwrap());
    for (name, text) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
}

fn gavel(directory: &TempDir, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gavel"))
        .args(arguments)
        .arg("--cache")
        .arg(directory.path().join("cache"))
        .current_dir(directory.path())
        .output()
        .unwrap()
}

fn check(directory: &TempDir, path: &str) -> (i32, String) {
    let output = gavel(directory, &["package", "check", path]);
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), text)
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let init = "chekcer: x\ntest_cases:\n- {in: no.in, points: many}\n- {in: gone.in}\n- {batched: 4}\n";
    write(directory.path(), "p/init.yml", init);
    let (code, text) = check(&directory, "p");
    assert_eq!(code, 1, "{text}");
    for part in [
        "error: ",
        "init.yml:3: test_cases[0].points: 'many'",
        "init.yml:3: test_cases[0].in: there is no file 'no.in'",
        "init.yml:4: test_cases[1].in: there is no file 'gone.in'",
        "init.yml:5: test_cases[2].batched: it is no list",
        "warning: init.yml:1: chekcer: an unknown key is ignored: did you mean 'checker'?",
    ] {
        assert!(text.contains(part), "'{part}' in: {text}");
    }
}

#[test]
fn what_is_right_passes_and_what_is_not_there_is_wrong_usage() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["p/1.in", "p/1.ans"] {
        write(directory.path(), name, "1\n");
    }
    write(directory.path(), "p/submissions/accepted/a.py", "print(input())\n");
    let (code, text) = check(&directory, "p");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("p: folder, 1 tests, 1 submissions") && text.contains("0 errors"), "{text}");
    assert_eq!(check(&directory, "nowhere").0, 2);
    let output = gavel(&directory, &["package", "check", "--format", "json", "p", "nowhere"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["packages"][0]["format"], "folder");
    assert_eq!(value["packages"][1]["findings"][0]["severity"], "error");
}

#[test]
fn archives_are_packages_by_their_own_names_and_places() {
    let directory = tempfile::tempdir().unwrap();
    let files =
        [("sum/1.in", "1 2\n"), ("sum/1.ans", "3\n"), ("sum/submissions/accepted/a.c", "int main(void) {}")];
    zip(&directory.path().join("easy.zip"), &files);
    let (code, text) = check(&directory, "easy.zip");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("easy.zip: folder, 1 tests, 1 submissions"), "{text}");
    zip(
        &directory.path().join("many.zip"),
        &[("a/1.in", ""), ("a/1.ans", ""), ("b/init.yml", "test_cases: [{in: x}]")],
    );
    let (code, text) = check(&directory, "many.zip");
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("many.zip/b/init.yml:1: test_cases[0].in: there is no file 'x'"), "{text}");
    zip(&directory.path().join("bad.zip"), &[("../1.in", "")]);
    let (_, text) = check(&directory, "bad.zip");
    assert!(text.contains("bad.zip") && text.contains("../1.in"), "{text}");
    assert!(!directory.path().join("1.in").exists());
    fs::write(directory.path().join("odd.zip"), "PK\u{3}\u{4}nothing").unwrap();
    assert_ne!(check(&directory, "odd.zip").0, 0);
}
