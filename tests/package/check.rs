//! `gavel package check` says everything that is wrong, by file and key, and archives are packages for every command.

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
    assert!(text.contains("p: folder, 1 test, 1 submission") && text.contains("0 errors"), "{text}");
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
    assert!(text.contains("easy.zip: folder, 1 test, 1 submission"), "{text}");
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

#[test]
fn all_that_is_wrong_with_a_kattis_package_is_said_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("sums");
    write(
        &root,
        "problem.yaml",
        "name: [a]\nvalidatr: custom\nlimits: {memory: 0, output: lots, time_multiplyer: 2}\nvalidation: magic\n",
    );
    write(&root, ".timelimit", "soon\n");
    write(&root, "data/secret/1.in", "1\n");
    write(&root, "data/secret/2.ans", "1\n");
    write(&root, "data/secret/3.in", "1\n");
    write(&root, "data/secret/3.ans", "1\n");
    write(&root, "data/secret/group/testdata.yaml", "range: much\non_rejekt: break\n");
    write(&root, "data/secret/group/4.in", "1\n");
    write(&root, "data/secert/5.in", "1\n");
    write(&root, "submissions/acepted/a.py", "print(1)\n");
    write(&root, "input_validatrs/check.py", "print(1)\n");
    let (code, text) = check(&directory, "sums");
    assert_eq!(code, 1, "{text}");
    for part in [
        "problem.yaml:1: name: a list where text",
        "problem.yaml:3: limits.memory: 0 is out of range",
        "problem.yaml:3: limits.output: 'lots' where a number",
        "problem.yaml:4: validation: 'magic'",
        ".timelimit",
        "data/secret/1.in: its answer is missing",
        "data/secret/2.ans: its input is missing",
        "data/secret/group/testdata.yaml:1: range: 'much'",
        "data/secret/group/4.in: its answer is missing",
        "unknown key 'validatr' is ignored: did you mean 'validation'?",
        "unknown key 'limits.time_multiplyer' is ignored: did you mean 'time_multiplier'?",
        "data/secert: not judged: only data/sample and data/secret are: did you mean 'secret'?",
        "input_validatrs: a folder of this name is not read: did you mean 'input_validators'?",
        "did you mean the folder 'accepted'?",
    ] {
        assert!(text.contains(part), "'{part}' in:\n{text}");
    }
}

#[test]
fn all_that_is_wrong_with_an_icpc_package_is_said_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("sums");
    write(
        &root,
        "problem.yaml",
        "problem_format_version: 2025-09\nname: Sums\nlimts: {}\ntype: exam\nlimits: {memory: 0, time_limits: 1}\n",
    );
    write(&root, "data/secret/1.in", "1\n");
    write(&root, "data/secret/a/test_group.yaml", "max_scor: 5\n");
    write(&root, "data/secret/a/2.ans", "1\n");
    write(&root, "data/secret/b/3.in", "1\n");
    write(&root, "data/secret/b/3.ans", "1\n");
    write(&root, "data/secret/b/3.yaml", "args: 5\n");
    write(&root, "submissions/acepted/a.py", "print(1)\n");
    let (code, text) = check(&directory, "sums");
    assert_eq!(code, 1, "{text}");
    for part in [
        "problem.yaml:3: limts: it is not a key of this file: did you mean 'limits'?",
        "problem.yaml:4: type: 'exam' is not a type",
        "problem.yaml:5: limits.memory: 0 is out of range",
        "problem.yaml:5: limits.time_limits: it is not a key of limits: did you mean 'time_limit'?",
        "uuid: it is missing",
        "data/secret/1.in: its answer is missing",
        "data/secret/a/test_group.yaml:1: max_scor: it is not a key of this file: did you mean 'max_score'?",
        "data/secret/a/2.ans: its input is missing",
        "data/secret/b/3.yaml:1: args",
        "did you mean the folder 'accepted'?",
    ] {
        assert!(text.contains(part), "'{part}' in:\n{text}");
    }
}

#[test]
fn one_bad_file_leaves_the_rest_to_be_judged() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("contest/sums");
    // Templates of tools, wherever they lie, are no tests.
    write(&directory.path().join("contest"), "contest.yaml.in", "name: @NAME@\n");
    write(&root, "problem.yaml", "name: Sums\nlimits: {memory: 64}\nlimits:\n  memory: 128\n  memory: 256\n");
    write(&root, ".timelimit", "2\n");
    write(&root, "data/secret/1.in", "1\n");
    write(&root, "data/secret/1.ans", "1\n");
    write(&root, "submissions/accepted/a.py", "print(1)\n");
    write(&root, "submissions/accepted/placeholder", "nothing here yet\n");
    write(&root, "submissions/wrong_answer/b.apl+", "1+1\n");
    write(&root, "input_validators/right.py", "import sys\nsys.exit(42 if input() == '1' else 43)\n");
    std::os::unix::fs::symlink("/etc/hostname", root.join("input_validators/out.py")).unwrap();
    let (code, text) = check(&directory, "contest");
    assert_eq!(code, 0, "{text}");
    for part in [
        "problem.yaml:4: the key 'limits' is there twice: the last one counts",
        "problem.yaml:5: the key 'limits.memory' is there twice",
        "accepted/placeholder: not judged: its language cannot be told",
        "wrong_answer/b.apl+: not judged: its language cannot be told",
        "this input validator is not run: ",
        "out.py: it is a symbolic link out of the package",
    ] {
        assert!(text.contains(part), "'{part}' in:\n{text}");
    }
    let output =
        gavel(&directory, &["verify", "contest", "--only", "submissions,validators", "--format", "json"]);
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{result}");
    assert_eq!(
        (&result["summary"]["submissions"], &result["summary"]["as_expected"]),
        (&1.into(), &1.into()),
        "{result}"
    );
    assert!(result.to_string().contains("its language cannot be told from its files"), "{result}");
}

#[test]
fn what_macos_adds_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let metadata = "\0\u{5}\u{16}\u{7}";
    let tests = [("1.in", "1 2\n"), ("1.out", "3\n"), ("2.in", "3 4\n"), ("2.out", "7\n")];
    let mut files = tests.to_vec();
    files.extend(
        ["__MACOSX/._1.in", "__MACOSX/._1.out", "._2.in", "._2.out", ".DS_Store"]
            .map(|name| (name, metadata)),
    );
    write(directory.path(), "dmoj/init.yml", "archive: tests.zip\ntest_cases: {}\n");
    zip(&directory.path().join("dmoj/tests.zip"), &files);
    zip(&directory.path().join("bare.zip"), &files);
    for (name, text) in &files {
        write(directory.path(), &format!("folder/{name}"), text);
    }
    write(directory.path(), "sum.py", "print(sum(map(int, input().split())))\n");
    for package in ["dmoj", "bare.zip", "folder"] {
        let output = gavel(&directory, &["judge", package, "sum.py", "--format", "json"]);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (&report["verdict"], report["tests"].as_array().unwrap().len()),
            (&"AC".into(), 2),
            "{package}: {report}"
        );
    }
}

#[test]
fn a_language_has_the_same_names_everywhere() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "sum/1.in", "1\n");
    write(directory.path(), "sum/1.ans", "1\n");
    write(directory.path(), "a", "print(1)\n");
    for name in ["python3", "python", "PY3", "py"] {
        let output = gavel(&directory, &["judge", "sum", "a", "--language", name, "--format", "json"]);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (&report["verdict"], &report["provenance"]["language"]),
            (&"AC".into(), &"python3".into()),
            "{name}"
        );
    }
    let output = gavel(&directory, &["judge", "sum", "a", "--language", "pyton3"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("unknown language 'pyton3'; did you mean 'python3'?"), "{said}");
}

#[test]
fn a_tag_may_say_what_a_submission_must_score() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("sums");
    write(&root, "problem.yaml", "name: Sums\ntype: scoring\nlimits: {memory: 256}\n");
    write(&root, ".timelimit", "2\n");
    write(&root, "data/testdata.yaml", "on_reject: continue\naccept_score: 10\n");
    for (name, number) in [("1", "1\n"), ("2", "2\n"), ("3", "3\n")] {
        write(&root, &format!("data/secret/{name}.in"), number);
        write(&root, &format!("data/secret/{name}.ans"), number);
    }
    write(&root, "submissions/accepted/all.py", "# @EXPECTED_SCORE@: 30\nprint(input())\n");
    write(&root, "submissions/mixed/two.py", "# @EXPECTED_SCORE@: 20\nprint(min(2, int(input())))\n");
    write(
        &root,
        "submissions/mixed/one.py",
        "# @EXPECTED_RESULTS@: WRONG-ANSWER\n# @EXPECTED_SCORE@: 10\nprint(1)\n",
    );
    let verify = || gavel(&directory, &["verify", "sums", "--only", "submissions"]);
    let output = verify();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    write(&root, "submissions/mixed/two.py", "# @EXPECTED_SCORE@: 20.5\nprint(min(2, int(input())))\n");
    write(&root, "submissions/mixed/one.py", "# @EXPECTED_SCORE@: some\nprint(1)\n");
    let output = verify();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the score is 20"), "{said}");
}
