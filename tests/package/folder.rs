//! Bare folders of tests, and finding packages below a directory.

use std::fs;
use std::path::Path;
use std::time::Duration;

use gavel::package::{Format, TimeLimit, discover, load};
use proptest::prelude::*;

fn touch(root: &Path, names: &[&str]) {
    for name in names {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
}

#[test]
fn a_folder_of_tests_needs_no_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    touch(root, &["1.in", "1.ans", "2.in", "2.out", "10.in", "10.out", "a.out", "notes.txt", "gen.py"]);
    touch(root, &["big/1.in", "big/1.ans", "sample/x.in", "sample/x.ans", "docs/readme.md"]);
    let package = load(root).unwrap();
    let names: Vec<_> = package.tests.iter().map(|test| test.name.as_str()).collect();
    assert_eq!(names, ["1", "2", "10", "big/1", "sample/x"]);
    assert_eq!(package.format, Format::Folder);
    assert_eq!(package.tests[3].groups, ["big"]);
    assert!(package.tests[0].groups.is_empty() && package.tests[4].sample);
    assert_eq!(package.limits.time, TimeLimit::Fixed(Duration::from_secs(2)));
    assert!(package.warnings.is_empty(), "{:?}", package.warnings);
}

#[test]
fn an_answer_wins_over_an_output_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    touch(directory.path(), &["1.in", "1.ans", "1.out"]);
    let package = load(directory.path()).unwrap();
    assert!(package.tests[0].answer.ends_with("1.ans"));
    assert_eq!(package.warnings, ["1.out: ignored, because there is a .ans"]);
}

#[test]
fn packages_are_found_in_order_of_names() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    touch(root, &["b/problem.yaml", "a/problem.yaml", "a/data/secret/1.in", "nested/c/domjudge-problem.ini"]);
    touch(root, &["bare/1.in", "bare/1.ans", "other/notes.txt", ".git/problem.yaml", "file"]);
    let found = discover(root).unwrap();
    assert_eq!(found, ["a", "b", "bare", "nested/c"].map(|name| root.join(name)));
    assert_eq!(discover(&root.join("a")).unwrap(), [root.join("a")]);
}

#[test]
fn a_folder_of_folders_of_tests_is_one_package() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    touch(root, &["easy/1.in", "easy/1.ans", "hard/1.in", "hard/1.ans"]);
    assert_eq!(discover(root).unwrap(), [root]);
    assert_eq!(load(root).unwrap().tests.len(), 2);
}

#[test]
fn a_thousand_tests_load_in_order() {
    let directory = tempfile::tempdir().unwrap();
    for number in 0..1_000 {
        fs::write(directory.path().join(format!("{number}.in")), "").unwrap();
        fs::write(directory.path().join(format!("{number}.ans")), "").unwrap();
    }
    let package = load(directory.path()).unwrap();
    assert!(package.tests.iter().enumerate().all(|(index, test)| test.name == index.to_string()));
}

/// YAML-like text that reaches further into the readers than random bytes do.
fn yamlish() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "name",
        "limits",
        "memory",
        "time_limit",
        "type",
        "validation",
        "grading",
        "output_validator_flags",
        "permitted",
        "required",
        "accepted",
        "'*'",
        ": ",
        ":",
        "\n",
        "\n  ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "&a ",
        "*a",
        "<<",
        "1",
        "-1",
        "1e300",
        ".nan",
        ".inf",
        "~",
        "null",
        "true",
        "AC",
        "'",
        "\"",
        "|",
        ">",
        "#",
        "!!binary ",
        "!x ",
        "\t",
        "\u{feff}",
        "\u{0}",
        "é",
        "---\n",
        "...\n",
        "%YAML 9\n",
        "? ",
        "\\",
        "\r\n",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn read_all(text: &str) {
    let results = [
        gavel::package::parse_problem_yaml(text).err(),
        gavel::package::parse_testdata_yaml(text).err(),
        gavel::package::parse_submissions_yaml(text).err(),
        gavel::package::parse_domjudge_ini(text).err(),
    ];
    for error in results.into_iter().flatten() {
        let error = error.to_string();
        assert!(!error.contains('\n') && error.len() < 4_000, "{error}");
    }
    let _ = gavel::package::find_expected_results(text.as_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_a_reader_panic(text in any::<String>()) {
        read_all(&text);
    }

    #[test]
    fn no_yaml_like_text_makes_a_reader_panic(text in yamlish()) {
        read_all(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_loading_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let directory = tempfile::tempdir().unwrap();
        touch(directory.path(), &["data/secret/1.in", "data/secret/1.ans", "submissions/mixed/a.py"]);
        for name in ["problem.yaml", "data/testdata.yaml", "submissions/submissions.yaml", ".timelimit"] {
            fs::write(directory.path().join(name), &bytes).unwrap();
            let _ = load(directory.path());
            fs::write(directory.path().join(name), "").unwrap();
        }
        let _ = gavel::package::find_expected_results(&bytes);
    }
}

#[test]
fn tests_are_found_in_the_layouts_people_have() {
    for (files, names) in [
        (&["2.in", "2.a", "10.in", "10.a"][..], &["2", "10"][..]),
        (&["input/1.txt", "output/1.txt", "input/12.txt", "output/12.txt"], &["1", "12"]),
        (&["in/in1.txt", "out/out1.txt"], &["in1"]),
        (&["in/a.in", "out/a.out", "in/b.in", "out/b.ans"], &["a", "b"]),
        (&["input0.txt", "output0.txt", "input1.txt", "output1.txt"], &["input0", "input1"]),
        (&["tests/01", "tests/01.a", "tests/02", "tests/02.a"], &["tests/01", "tests/02"]),
        (&["sum.in1", "sum.out1", "notes.txt"], &["sum.in1"]),
        (&["1/sum.inp", "1/sum.out", "2/sum.inp", "2/sum.out"], &["1/sum", "2/sum"]),
    ] {
        let directory = tempfile::tempdir().unwrap();
        for file in files {
            let path = directory.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "1\n").unwrap();
        }
        let package = load(directory.path()).unwrap();
        let found: Vec<_> = package.tests.iter().map(|test| test.name.as_str()).collect();
        assert_eq!(found, names, "{files:?}");
        assert_eq!(discover(directory.path()).unwrap(), [directory.path()], "{files:?}");
    }
}
