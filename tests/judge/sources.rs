//! The command line and a worker read the same sources in the same way: any bytes, nothing at all, several files.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::common::{Scene, said, text};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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

/// The verdict of a class of one student with these files, and the whole document.
fn by_grade(scene: &Scene, package: &Path, language: &str, files: &[(&str, &[u8])]) -> (String, String) {
    for (name, bytes) in files {
        scene.write(&format!("class/anna/{name}"), bytes);
    }
    let class = scene.path("class");
    let said = scene.say(&["grade", text(package), text(&class), "--language", language, "--format", "json"]);
    let table: Value = serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    let report = &table["submissions"][0]["report"];
    (report["verdict"].as_str().unwrap_or_default().to_owned(), table.to_string())
}

fn utf16(text: &str, is_big_endian: bool, mark: &[u8]) -> Vec<u8> {
    let bytes = |unit: u16| if is_big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() };
    mark.iter().copied().chain(text.encode_utf16().flat_map(bytes)).collect()
}

#[test]
fn byte_order_marks_and_utf16_are_read_alike_by_judge_worker_and_grade() {
    let java = "public class Main { public static void main(String[] a) { var in = new java.util.Scanner(System.in); \
                System.out.println(in.nextInt() + in.nextInt()); } } // Größe\n";
    let python = "print(sum(map(int, input().split())))  # Größe\n";
    let shell = "#!/bin/bash\nread a b; echo $((a + b))\n";
    // GNAT takes the mark as the declaration of UTF-8, without which the name is not one.
    let ada = "with Ada.Integer_Text_IO; use Ada.Integer_Text_IO;\nprocedure Main is\n   Größe, Rest : Integer;\nbegin\n   \
               Get (Größe); Get (Rest); Put (Größe + Rest, Width => 0);\nend Main;\n";
    let marked = |text: &str| [b"\xef\xbb\xbf", text.as_bytes()].concat();
    let torn = utf16(python, false, b"\xff\xfe").split_last().unwrap().1.to_vec();
    for (name, language, source, verdict) in [
        ("Main.java", "java17", marked(java), "AC"),
        ("Main.java", "java17", utf16(java, false, b"\xff\xfe"), "AC"),
        ("main.py", "python3", marked(python), "AC"),
        ("main.py", "python3", utf16(python, true, b"\xfe\xff"), "AC"),
        ("main.py", "python3", utf16(python, false, b""), "AC"),
        ("main.sh", "bash", marked(shell), "AC"),
        ("main.sh", "bash", utf16(shell, true, b""), "AC"),
        ("main.py", "python3", torn, "CE"),
        ("main.adb", "ada", marked(ada), "AC"),
        ("main.adb", "ada", utf16(ada, false, b"\xff\xfe"), "AC"),
    ] {
        let scene = Scene::new();
        let package = scene.sum_package(&[(1, 2)]);
        let here = scene.report(&[text(&package), text(&scene.write(name, &source)), "--language", language]);
        let there = by_worker(&scene, language, &[(name, &source)], None);
        let (graded, row) = by_grade(&scene, &package, language, &[(name, &source)]);
        assert_eq!(
            [here["verdict"].as_str().unwrap(), there["verdict"].as_str().unwrap(), &graded],
            [verdict; 3],
            "{name}: {here}\n{there}\n{row}"
        );
        assert_eq!(here["compile"]["log"], there["compile"]["log"], "{name}");
        if verdict == "CE" {
            let log = here["compile"]["log"].as_str().unwrap();
            assert_eq!(
                log,
                "main.py: the file is UTF-16 and ends in the middle of a character; save it as UTF-8\n"
            );
        }
    }
}

#[test]
fn a_source_over_the_limit_is_a_compile_error_of_judge_and_grade() {
    let scene = Scene::new();
    let package = scene.kattis_package("sum");
    scene.write("sum/problem.yaml", "name: Sum\nlimits: {memory: 256, code: 1}\n");
    let source = [&b"# "[..], &[b'x'; 2000], b"\nprint(3)\n"].concat();
    let report = scene.report(&[text(&package), text(&scene.write("main.py", &source))]);
    assert_eq!((&report["verdict"], &report["reason"]), (&json!("CE"), &json!("output")), "{report}");
    assert!(report["compile"]["log"].as_str().unwrap().contains("takes at most 1KiB"), "{report}");
    assert_eq!(by_grade(&scene, &package, "python3", &[("main.py", &source)]).0, "CE");
}

#[test]
fn data_beside_a_program_keeps_its_bytes() {
    // Looks like UTF-16 without a mark, and is an array of little-endian numbers.
    let data: Vec<u8> = (1..=9u16).flat_map(u16::to_le_bytes).collect();
    let program = b"\xef\xbb\xbfprint(3 if len(open('table.bin', 'rb').read()) == 18 else 0)\n";
    let files: [(&str, &[u8]); 2] = [("main.py", program), ("table.bin", &data)];
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    for (name, bytes) in files {
        scene.write(&format!("parts/{name}"), bytes);
    }
    assert_eq!(scene.report(&[text(&package), "parts"])["verdict"], "AC");
    assert_eq!(by_worker(&scene, "python3", &files, None)["verdict"], "AC");
    assert_eq!(by_grade(&scene, &package, "python3", &files).0, "AC");
}

#[test]
fn a_package_s_own_programs_may_be_utf16() {
    let scene = Scene::new();
    let package = scene.kattis_package("sum");
    let script = |verdict: &str| format!("#!/bin/bash\nread a b; echo {verdict}\n");
    let right = script("$((a + b))");
    scene.write("sum/submissions/accepted/right.sh", utf16(&right, false, b"\xff\xfe"));
    scene.write("sum/submissions/wrong_answer/wrong.sh", utf16(&script("nothing"), true, b"\xfe\xff"));
    scene.write("sum/problem.yaml", "name: sum\nvalidation: custom\n");
    let checker = "import sys\nread = lambda stream: stream.read().split()\n\
                   sys.exit(42 if read(sys.stdin) == read(open(sys.argv[2])) else 43)\n";
    scene.write("sum/output_validators/compare/compare.py", utf16(checker, false, b"\xff\xfe"));
    let said = scene.say(&["verify", text(&package), "--format", "json"]);
    assert_eq!(said.code, 0, "{said:?}");
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
