//! `gavel grade`: a class's work as it really comes, judged without a broker.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::gate::Gate;
use crate::common::{SUM, Said, Scene, guardian, text};
use serde_json::{Value, json};

/// Reads two integers and prints their sum.
const PYTHON: &str = "a, b = map(int, input().split())\nprint(a + b)\n";

/// Rows of a CSV by the column that names them.
fn rows(csv: &str, by: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let row = |record: csv::StringRecord| -> BTreeMap<String, String> {
        header.iter().zip(record.iter()).map(|(name, field)| (name.to_owned(), field.to_owned())).collect()
    };
    reader.records().map(|record| row(record.unwrap())).map(|row| (row[by].clone(), row)).collect()
}

/// A zip of these files.
fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn utf16(text: &str) -> Vec<u8> {
    [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
}

fn notebook(cells: &[&str]) -> Vec<u8> {
    let cells: Vec<_> = cells.iter().map(|cell| json!({"cell_type": "code", "source": cell})).collect();
    json!({"nbformat": 4, "metadata": {"language_info": {"name": "python"}}, "cells": cells})
        .to_string()
        .into_bytes()
}

/// What thirty students hand in: the file's name and content, and the verdict or what the reason says.
fn handed_in() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let python = || PYTHON.as_bytes().to_vec();
    let java = "package de.uni;\npublic class Sum { public static void main(String[] a) { var in = new \
                java.util.Scanner(System.in); System.out.println(de.uni.io.Adder.add(in.nextInt(), in.nextInt())); } }\n";
    let adder =
        "package de.uni.io;\npublic class Adder { public static int add(int a, int b) { return a + b; } }\n";
    let mut work: Vec<(&str, Vec<u8>, &str)> = vec![
        ("main.py", python(), "AC"),
        ("main.py.txt", python(), "AC"),
        ("MAIN.PY", python(), "AC"),
        (
            "sum.zip",
            zipped(&[("sum/main.py", PYTHON.as_bytes()), ("__MACOSX/sum/._main.py", b"\0\x05")]),
            "AC",
        ),
        ("nested.zip", zipped(&[("inner.zip", &zipped(&[("main.py", PYTHON.as_bytes())]))]), "AC"),
        ("utf16.py", utf16(PYTHON), "AC"),
        ("bom.sh", [b"\xef\xbb\xbf", SUM.as_bytes()].concat(), "AC"),
        (
            "work.ipynb",
            notebook(&["%matplotlib inline", "a, b = map(int, input().split())", "print(a + b)"]),
            "AC",
        ),
        (
            "java.zip",
            zipped(&[
                ("src/de/uni/Sum.java", java.as_bytes()),
                ("src/de/uni/io/Adder.java", adder.as_bytes()),
            ]),
            "AC",
        ),
        (
            "helper.zip",
            zipped(&[
                ("p/main.py", b"from helper import add\nprint(add(*map(int, input().split())))\n"),
                ("p/helper.py", b"def add(a, b):\n    return a + b\n"),
                ("p/report.pdf", b"%PDF-1.4 \0"),
                ("p/__pycache__/helper.cpython-311.pyc", b"\0"),
            ]),
            "AC",
        ),
        ("wrong.py", b"print(3)\n".to_vec(), "WA"),
        ("crash.py", b"print(1 // 0)\n".to_vec(), "RTE"),
        ("syntax.py", b"print(\n".to_vec(), "CE"),
        ("slow.sh", b"while :; do :; done\n".to_vec(), "TLE"),
        ("report.pdf", b"%PDF-1.4 \0".to_vec(), "there is no program in it: it holds report.pdf"),
        ("empty.zip", zipped(&[]), "there is no program in it: it is empty"),
        ("damaged.zip", b"PK\x03\x04 rubbish".to_vec(), "'damaged.zip'"),
        ("work.rar", b"Rar!\x1a\x07\x00".to_vec(), "it is a RAR archive"),
        ("out.zip", zipped(&[("../../etc/main.py", b"print(1)")]), "leads out of"),
        (
            "two.zip",
            zipped(&[("a/tree.py", b"x = 1\n"), ("b/tree.py", b"x = 2\n"), ("main.py", PYTHON.as_bytes())]),
            "two files are named 'tree.py'",
        ),
        (
            "folders.zip",
            zipped(&[("main.py", b"from lib.io import read\n"), ("lib/io.py", b"def read(): pass\n")]),
            "main.py takes in files by their folder ('lib')",
        ),
        ("empty.ipynb", notebook(&["%pip install numpy"]), "no code cell"),
        ("empty.py", Vec::new(), "the source is empty"),
    ];
    while work.len() < 29 {
        work.push(("sum.sh", SUM.as_bytes().to_vec(), "AC"));
    }
    work
}

/// Writes the class as Moodle exports it: a folder a student, and one who only typed.
fn moodle(scene: &Scene, folder: &str) {
    for (number, (name, content, _)) in handed_in().iter().enumerate() {
        scene.write(
            &format!("{folder}/Student {number}_{}_assignsubmission_file_/{name}", 1000 + number),
            content,
        );
    }
    scene.write(
        &format!("{folder}/Typed Text_2000_assignsubmission_onlinetext_/onlinetext.html"),
        "<p>print(3)</p>",
    );
}

fn assert_graded(csv: &str) {
    let rows = rows(csv, "student");
    assert_eq!(rows.len(), 30, "{csv}");
    for (number, (name, _, expected)) in handed_in().iter().enumerate() {
        let row = &rows[&(1000 + number).to_string()];
        assert_eq!(row["name"], format!("Student {number}"));
        if expected.len() <= 3 {
            assert_eq!(&row["verdict"], expected, "{name}: {row:?}");
        } else {
            assert_eq!(row["verdict"], "not judged", "{name}: {row:?}");
            assert!(row["message"].contains(expected), "{name}: {row:?}");
        }
    }
    assert!(rows["2000"]["message"].contains("only text typed"), "{csv}");
}

#[test]
fn a_class_of_thirty_as_moodle_exports_it_is_graded_by_one_command() {
    let scene = Scene::new();
    scene.kattis_package("sum");
    moodle(&scene, "class");
    let said = scene.say(&[
        "grade",
        "sum",
        "class",
        "--format",
        "csv",
        "--feedback-files",
        "feedback",
        "--cpu",
        "1s",
    ]);
    assert_eq!(said.code, 2, "{said:?}");
    assert_graded(&said.stdout);
    let graded = rows(&said.stdout, "student");
    let figures = |student: &str| ["percent", "points"].map(|column| graded[student][column].clone());
    assert_eq!(figures("1000"), ["100", "100"]);
    assert_eq!(figures("1010"), ["33.33", "33.33"], "one of three tests is 1 + 2");
    assert_eq!(figures("1012"), ["0", "0"]);
    assert_eq!(figures("1014"), ["", ""]);

    // What goes back to students says nothing of secret tests.
    let file = |folder: &str| {
        std::fs::read_to_string(scene.path("feedback").join(folder).join("feedback.txt")).unwrap()
    };
    let wrong = file("Student 10_1010_assignsubmission_file_");
    assert!(wrong.contains("Verdict: WA") && wrong.contains("Tests accepted: 1 of 3"), "{wrong}");
    assert!(!wrong.contains("110"), "an answer of a secret test: {wrong}");
    assert!(file("Student 14_1014_assignsubmission_file_").contains("Not judged: there is no program in it"));

    // The same as the zip that Moodle makes, on a terminal's table, nothing judged twice.
    let mut files = Vec::new();
    collect(&scene.path("class"), "", &mut files);
    let files: Vec<_> = files.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect();
    scene.write("class.zip", zipped(&files));
    let said = scene.say(&[
        "grade",
        "sum",
        "class.zip",
        "--journal",
        "class.journal",
        "--format",
        "csv",
        "--cpu",
        "1s",
    ]);
    assert_eq!(said.code, 2, "{said:?}");
    assert_graded(&said.stdout);
    assert!(said.stderr.contains("20 of 30 submissions judged before"), "{said:?}");
    let said = scene.say(&["grade", "sum", "class", "--cpu", "1s"]);
    assert!(
        said.stdout.contains("30 submissions: 16 AC, 1 CE, 1 RTE, 1 TLE, 1 WA, 10 not judged"),
        "{said:?}"
    );
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files);
        } else {
            files.push((name, std::fs::read(path).unwrap()));
        }
    }
}

#[test]
fn a_csv_has_lateness_points_and_the_form_that_excel_opens() {
    let scene = Scene::new();
    scene.kattis_package("sum");
    scene.write("work/a.sh", SUM);
    scene.write("work/b.sh", "echo 7\n");
    scene.write(
        "class.csv",
        "student,source,handed in,seat\nanna,work/a.sh,2026-11-20T11:59:59.123456789Z,7\n\
         bert,work/b.sh,2026-11-20T12:00:00.5Z,8\ncarl,work/none.sh,,9\n",
    );
    let command = [
        "grade",
        "sum",
        "class.csv",
        "--due",
        "2026-11-20T12:00:00Z",
        "--times",
        "handed in",
        "--points",
        "15",
        "--format",
        "csv",
        "--semicolons",
        "--bom",
        "--save",
        "grades.csv",
    ];
    let said = scene.say(&command);
    assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{said:?}");
    let text = std::fs::read_to_string(scene.path("grades.csv")).unwrap();
    let lines: Vec<_> = text.strip_prefix('\u{feff}').unwrap().split("\r\n").collect();
    assert!(lines[0].starts_with("student;name;problem;attempt;submitted;late;language;verdict;"), "{text}");
    assert!(lines[1].starts_with("anna;;sum;1;2026-11-20T11:59:59Z;no;bash;AC;;;100;15;3;3;"), "{text}");
    assert!(lines[2].starts_with("bert;;sum;1;2026-11-20T12:00:00Z;yes;bash;WA;;;33,33;5;1;3;"), "{text}");
    assert!(lines[3].contains("not judged") && lines[3].contains("column source: "), "{text}");

    // Times of copies say nothing.
    let said = scene.say(&["grade", "sum", "work", "--due", "2026-11-20T12:00:00Z"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("no submission says when it was handed in"), "{said:?}");
}

#[test]
fn commits_say_when_work_was_handed_in() {
    let scene = Scene::new();
    scene.kattis_package("sum");
    let git = |folder: &str, date: &str, arguments: &[&str]| {
        let done = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@b", "-C", text(&scene.path(folder))])
            .args(arguments)
            .env("GIT_COMMITTER_DATE", date)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output();
        assert!(done.unwrap().status.success());
    };
    for (student, date) in [("anna", "2026-11-20T11:00:00Z"), ("bert", "2026-11-20T13:00:00Z")] {
        scene.write(&format!("class/{student}/main.sh"), SUM);
        let folder = format!("class/{student}");
        git(&folder, date, &["init", "-q"]);
        git(&folder, date, &["add", "."]);
        git(&folder, date, &["commit", "-q", "-m", "x"]);
    }
    // A student's repository starts no programs here.
    let touched = scene.path("touched");
    let program = scene.write("evil", format!("#!/bin/sh\ntouch {}\n", touched.display()));
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for key in ["core.fsmonitor", "core.pager", "gpg.program", "core.sshCommand", "diff.external"] {
        git("class/bert", "2026-11-20T13:00:00Z", &["config", key, text(&program)]);
    }
    git("class/bert", "2026-11-20T13:00:00Z", &["config", "log.showSignature", "true"]);
    let said = scene.say(&[
        "grade",
        "sum",
        "class",
        "--times",
        "git",
        "--due",
        "2026-11-20T12:00:00Z",
        "--format",
        "csv",
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    let rows = rows(&said.stdout, "student");
    assert_eq!((rows["anna"]["late"].as_str(), rows["bert"]["late"].as_str()), ("no", "yes"));
    assert_eq!(rows["bert"]["submitted"], "2026-11-20T13:00:00Z");
    assert!(!touched.exists(), "a repository's program has run");
}

#[test]
fn after_kill_9_the_same_command_judges_only_what_has_no_verdict() {
    let scene = Scene::new();
    scene.kattis_package("sum");
    let gate = Gate::new();
    scene.write("class/a.sh", SUM);
    scene.write("class/b.sh", "echo 3\n");
    scene.write("class/c.sh", gate.sum_at(3));
    let command =
        ["grade", "sum", "class", "--slots", "1", "--wall", "1h", "--save", "out.csv", "--format", "csv"];
    let mut child = scene
        .gavel(&command)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    guardian::watch(&child);
    let done = || {
        std::fs::read_to_string(scene.path("out.csv.journal"))
            .unwrap_or_default()
            .matches("{\"done\"")
            .count()
    };
    let deadline = Instant::now() + Duration::from_secs(120);
    gate.wait_for(1);
    while done() < 2 {
        assert!(Instant::now() < deadline && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    gate.wait_until_left();
    assert!(!scene.path("out.csv").exists(), "results are written at the end alone");
    // Torn in the middle of a line.
    let mut journal = std::fs::OpenOptions::new().append(true).open(scene.path("out.csv.journal")).unwrap();
    journal.write_all(b"{\"done\":{\"schema\":1,").unwrap();
    let again =
        scene.gavel(&command).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let again = again.unwrap();
    guardian::watch(&again);
    gate.open();
    let said = crate::common::said(again.wait_with_output().unwrap());
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("2 of 3 submissions judged before"), "{said:?}");
    let verdicts: Vec<_> = rows(&std::fs::read_to_string(scene.path("out.csv")).unwrap(), "student")
        .into_values()
        .map(|row| row["verdict"].clone())
        .collect();
    assert_eq!(verdicts, ["AC", "WA", "AC"]);
    assert_eq!(done(), 3, "each was judged once");

    // Of those who have improved, only that is judged; when the package has changed, everything is.
    scene.write("class/b.sh", SUM);
    scene.write("class/c.sh", SUM);
    assert_eq!(scene.say(&command).code, 0);
    assert_eq!(done(), 5);
    scene.write("sum/data/secret/3.in", "1 1\n");
    scene.write("sum/data/secret/3.ans", "2\n");
    let said = scene.say(&command);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(done(), 8);
}

#[test]
fn events_and_documents_are_those_of_submit() {
    let scene = Scene::new();
    scene.kattis_package("sum");
    scene.write("class/a.sh", SUM);
    scene.write("class/b.sh", "echo 3\n");
    let events = |said: &Said| -> Vec<Value> {
        said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let said = scene.say(&["grade", "sum", "class", "--format", "ndjson"]);
    assert_eq!(said.code, 1, "{said:?}");
    let events = events(&said);
    for kind in ["accepted", "compiled", "test", "done"] {
        assert!(events.iter().any(|event| event["type"] == kind), "{kind}: {said:?}");
    }
    assert_eq!(events.iter().filter(|event| event["type"] == "done").count(), 2);
    let said = scene.say(&["grade", "sum", "class", "--format", "junit"]);
    assert!(
        said.stdout.contains("<testsuites name=\"gavel grade\" tests=\"2\" skipped=\"0\" failures=\"1\""),
        "{said:?}"
    );
    let said = scene.say(&["grade", "sum", "class", "--format", "json"]);
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(document["submissions"][1]["report"]["verdict"], "WA");
    assert_eq!(document["submissions"][0]["percent"], 100.0);
}

#[test]
fn a_bad_entry_in_a_class_s_archive_refuses_its_student_alone() {
    let scene = Scene::new();
    scene.kattis_package("sum");
    let mut class = tar::Builder::new(Vec::new());
    let mut add = |kind: tar::EntryType, name: &str, target: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        match kind {
            tar::EntryType::Link | tar::EntryType::Symlink => {
                class.append_link(&mut header, name, target).unwrap();
            }
            _ => class.append_data(&mut header, name, content).unwrap(),
        }
    };
    let file = tar::EntryType::Regular;
    add(file, "class/anna/main.sh", "", SUM.as_bytes());
    add(file, "class/bert/main.sh", "", SUM.as_bytes());
    add(tar::EntryType::Link, "class/bert/copy.sh", "class/anna/main.sh", b"");
    add(tar::EntryType::Link, "class/carl/main.sh", "class/anna/main.sh", b"");
    add(tar::EntryType::Symlink, "class/dora.sh", "anna/main.sh", b"");
    add(tar::EntryType::Fifo, "class/emil/pipe", "", b"");
    add(file, "class/fritz/ma\nin.sh", "", SUM.as_bytes());
    add(file, "class/gina/main.sh", "", SUM.as_bytes());
    scene.write("class.tar", class.into_inner().unwrap());
    let said = scene.say(&["grade", "sum", "class.tar", "--format", "csv"]);
    let found = rows(&said.stdout, "student");
    for (student, verdict, words) in [
        ("anna", "AC", ""),
        ("bert", "not judged", "'class/bert/copy.sh': it is a hard link"),
        ("carl", "not judged", "'class/carl/main.sh': it is a hard link"),
        ("dora", "not judged", "'class/dora.sh': it is a symbolic link"),
        ("emil", "not judged", "it is a FIFO"),
        ("fritz", "not judged", "control characters"),
        ("gina", "AC", ""),
    ] {
        let row = found.get(student).unwrap_or_else(|| panic!("{student}: {said:?}"));
        assert_eq!(row["verdict"], verdict, "{student}: {said:?}");
        assert!(row["message"].contains(words), "{student}: {said:?}");
    }
    assert_eq!(found.len(), 7, "{said:?}");

    // One damaged file of a zip, and one with a name of Windows.
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in
        [("anna/main.sh", SUM), ("bert/main.sh", "echo damaged\n"), ("carl\\main.sh", "x\n")]
    {
        writer.start_file(name, stored).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    let mut damaged = writer.finish().unwrap().into_inner();
    let place = damaged.windows(7).position(|bytes| bytes == b"damaged").unwrap();
    damaged[place] ^= 1;
    scene.write("class.zip", damaged);
    let said = scene.say(&["grade", "sum", "class.zip", "--format", "csv"]);
    let found = rows(&said.stdout, "student");
    let verdicts: Vec<_> =
        found.iter().map(|(student, row)| (student.as_str(), row["verdict"].as_str())).collect();
    assert_eq!(verdicts, [("anna", "AC"), ("bert", "not judged"), ("carl", "not judged")], "{said:?}");

    // What leads out of the archive is nobody's work.
    scene.write("hostile.zip", zipped(&[("anna/main.sh", SUM.as_bytes()), ("anna/../../x", b"x")]));
    let said = scene.say(&["grade", "sum", "hostile.zip"]);
    assert!(said.code == 2 && said.stderr.contains("leads out of"), "{said:?}");
}

#[test]
fn what_cannot_be_graded_at_all_is_refused_in_one_line() {
    let scene = Scene::new();
    scene.kattis_package("sum");
    std::fs::create_dir(scene.path("nobody")).unwrap();
    scene.write("class/a.sh", SUM);
    scene.write("class.csv", "student,source,problem\na,class/a.sh,sum\nb,class/a.sh,none\n");
    for (arguments, words) in [
        (["sum", "nobody"], "has no submissions"),
        (["sum", "absent"], "absent"),
        (["class", "class"], "class"),
    ] {
        let said = scene.say(&[&["grade"], &arguments[..]].concat());
        assert_eq!((said.code, said.stderr.lines().count()), (2, 1), "{said:?}");
        assert!(said.stderr.contains(words), "{said:?}");
    }
    // A folder of packages, one named in each row.
    let said = scene.say(&["grade", ".", "class.csv", "--format", "csv"]);
    let rows = rows(&said.stdout, "student");
    assert_eq!(
        (rows["a"]["verdict"].as_str(), rows["b"]["verdict"].as_str()),
        ("AC", "not judged"),
        "{said:?}"
    );
}

#[test]
fn a_link_to_the_jurys_or_another_students_program_is_not_judged() {
    let scene = Scene::new();
    scene.kattis_package("prob");
    scene.write("prob/submissions/accepted/sol.sh", SUM);
    scene.write("work/anna/main.sh", SUM);
    scene.write("work/bert/sum.sh", SUM);
    let link = |target: &str, name: &str| {
        let path = scene.path(&format!("work/{name}"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    };
    link("sum.sh", "bert/main.txt");
    link("../../prob/submissions/accepted/sol.sh", "eve/main.sh");
    link("anna", "fritz");
    link("anna/main.sh", "gina.sh");
    let csv = "student,source\nanna,work/anna/main.sh\nbert,work/bert\neve,work/eve/main.sh\n\
               fritz,work/fritz/main.sh\ngina,work/gina.sh\nhans,work/eve\nida,work/fritz\n";
    scene.write("class.csv", csv);
    for (batch, judged) in [("class.csv", 2), ("work", 2)] {
        let said =
            scene.say(&["grade", "prob", batch, "--format", "csv", "--journal", &format!("{batch}.j")]);
        let rows = rows(&said.stdout, "student");
        let accepted: Vec<_> = rows
            .iter()
            .filter(|(_, row)| row["verdict"] == "AC")
            .map(|(student, _)| student.as_str())
            .collect();
        assert_eq!(accepted, ["anna", "bert"], "{said:?}");
        let refused = rows.values().filter(|row| row["message"].contains("symbolic link")).count();
        assert_eq!(refused, rows.len() - judged, "{said:?}");
    }
}

#[test]
fn one_work_without_a_time_does_not_stop_the_class() {
    let scene = Scene::new();
    scene.kattis_package("sum");
    for student in ["anna", "bert", "carl"] {
        scene.write(&format!("class/{student}/main.sh"), SUM);
    }
    for (student, time) in [("anna", "1700000000 +0000"), ("bert", "@300000000000 +0000")] {
        for arguments in [&["init", "-q"][..], &["add", "."], &["commit", "-q", "-m", "x"]] {
            let done = Command::new("git")
                .args(["-c", "user.name=a", "-c", "user.email=a@b", "-C"])
                .arg(scene.path(&format!("class/{student}")))
                .args(arguments)
                .env("GIT_COMMITTER_DATE", time)
                .env("GIT_CONFIG_GLOBAL", "/dev/null")
                .output();
            assert!(done.unwrap().status.success());
        }
    }
    scene.write(
        "class.csv",
        "student,source\nanna,class/anna\nbert,class/bert\ncarl,class/carl\ndora,class/d\n",
    );
    for batch in ["class", "class.csv"] {
        let said = scene.say(&["grade", "sum", batch, "--times", "git", "--format", "csv"]);
        let rows = rows(&said.stdout, "student");
        assert_eq!(rows["anna"]["verdict"], "AC", "{said:?}");
        assert!(rows["bert"]["message"].contains("out of range"), "{said:?}");
        assert!(rows["carl"]["message"].contains("not a git repository"), "{said:?}");
        assert!(rows.get("dora").is_none_or(|row| row["message"].contains("No such file")), "{said:?}");
    }
}
