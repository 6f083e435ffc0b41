//! `gavel package convert`: what is written says the same as what was read, or nothing is written.

use std::fs;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Scene, text};
use gavel::checker::{Comparator, Comparison, DmojChecker, compare};
use gavel::package::{Check, Format, Package, convert, load};
use gavel::verdict::Verdict;

fn packages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/packages")
}

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The secret tests' files in order, or the sample's.
fn contents(package: &Package, sample: bool) -> Vec<(Vec<u8>, Vec<u8>)> {
    let tests = package.tests.iter().filter(|test| test.sample == sample);
    tests.map(|test| (fs::read(&test.input).unwrap(), fs::read(&test.answer).unwrap())).collect()
}

#[test]
fn tests_limits_and_checks_survive_conversion_of_every_package_here() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["aplusb", "gcd", "nametags", "riddle", "shares", "summands", "survey", "weighbridge"] {
        let before = load(&packages().join(name)).unwrap();
        let out = directory.path().join(name);
        convert(&before, &out).unwrap();
        let after = load(&out).unwrap();
        assert_eq!(after.format, Format::Icpc);
        for sample in [true, false] {
            assert_eq!(contents(&before, sample), contents(&after, sample), "{name}");
        }
        assert_eq!((&before.limits.time, before.limits.memory), (&after.limits.time, after.limits.memory));
        assert_eq!((before.limits.output, before.limits.code), (after.limits.output, after.limits.code));
        assert_eq!(before.title, after.title);
        assert_eq!(before.includes.len(), after.includes.len());
        if matches!(before.tests[0].check, Check::BuiltIn(_)) {
            let checks =
                |package: &Package| package.tests.iter().map(|test| test.check.clone()).collect::<Vec<_>>();
            assert_eq!(checks(&before), checks(&after), "{name}");
        }
        let mut again = directory.path().join(name);
        again.set_extension("again");
        convert(&after, &again).unwrap();
        assert_eq!(load(&again).unwrap().tests.len(), before.tests.len());
    }
}

#[test]
fn a_polygon_package_gets_the_same_verdicts_through_its_scripts() {
    let scene = Scene::new();
    let out = scene.path("converted");
    let said = scene.say(&["package", "convert", text(&packages().join("summands")), text(&out)]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains("there is no statement"), "{said:?}");
    let said = scene.say(&["verify", text(&out)]);
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn points_become_groups_of_the_format() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("scored");
    let head = "problem_format_version: 2025-09\nname: Sums\nuuid: 0b7a3a1c-6a0e-4f6c-9e43-9f8f9b1d2c3a\ntype: scoring\n\
                limits: {time_limit: 1}\n";
    write(&root, "problem.yaml", head);
    for (group, settings) in [
        ("a", "max_score: 30\n"),
        ("b", "max_score: 70\nscore_aggregation: sum\nrequire_pass: [sample, secret/a]\n"),
    ] {
        write(&root, &format!("data/secret/{group}/test_group.yaml"), settings);
        for test in ["1", "2"] {
            write(&root, &format!("data/secret/{group}/{test}.in"), &format!("{group}{test}\n"));
            write(&root, &format!("data/secret/{group}/{test}.ans"), "1\n");
        }
    }
    write(&root, "data/sample/1.in", "x\n");
    write(&root, "data/sample/1.ans", "1\n");
    let before = load(&root).unwrap();
    let out = directory.path().join("out");
    convert(&before, &out).unwrap();
    let after = load(&out).unwrap();
    assert_eq!(contents(&before, false), contents(&after, false));
    let shape = |package: &Package| -> Vec<_> {
        let groups = package.groups.iter().filter(|group| group.name.starts_with("secret/"));
        groups
            .map(|group| (group.aggregation.clone(), group.weight, group.range, group.dependencies.len()))
            .collect()
    };
    assert_eq!(shape(&before), shape(&after));
}

#[test]
fn what_cannot_be_expressed_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let mut package = load(&packages().join("gcd")).unwrap();
    package.streams.input_file = Some("gcd.in".to_owned());
    let out = directory.path().join("out");
    let error = convert(&package, &out).unwrap_err().to_string();
    assert!(error.contains("'gcd': an input or output file") && error.contains("; "), "{error}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    fs::create_dir(&out).unwrap();
    let error = convert(&load(&packages().join("gcd")).unwrap(), &out).unwrap_err().to_string();
    assert!(error.contains("there is something already"), "{error}");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
}

/// What the script around checkers says when the checker exits so, having written that to standard error.
fn script_says(protocol: &str, code: u8, stderr: &str) -> Option<i32> {
    script_says_with(protocol, code, stderr, true, &[])
}

fn script_says_with(
    protocol: &str,
    code: u8,
    stderr: &str,
    scoring: bool,
    arguments: &[&str],
) -> Option<i32> {
    let directory = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/package/convert/shims/run_checker.py");
    fs::copy(script, directory.path().join("run")).unwrap();
    let checker = format!("import sys\nsys.stderr.write({stderr:?})\nsys.exit({code})\n");
    write(directory.path(), "checker.py", &checker);
    let settings = format!(
        r#"{{"protocol": "{protocol}", "checker": ["python3", "./checker.py"], "interactor": null, "call": null, "scoring": {scoring}}}"#
    );
    write(directory.path(), "protocol.json", &settings);
    for name in ["in", "ans", "feedback/x"] {
        write(directory.path(), name, "1\n");
    }
    let mut command = Command::new("python3");
    command.arg("run").args(["in", "ans", "feedback"]).args(arguments).current_dir(directory.path());
    command.stdin(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    command.status().unwrap().code()
}

#[test]
fn what_is_right_in_part_is_wrong_where_there_are_no_parts() {
    for (protocol, code, stderr) in [
        ("testlib", 50, "partially correct (50)"),
        ("testlib", 7, "points 5"),
        ("dmoj-coci", 7, "partial 3/4"),
    ] {
        assert_eq!(script_says_with(protocol, code, stderr, true, &[]), Some(42), "{protocol}");
        assert_eq!(script_says_with(protocol, code, stderr, false, &[]), Some(43), "{protocol}");
        let whole = script_says_with(protocol, code, stderr, true, &["-x", "all-or-nothing"]);
        assert_eq!(whole, Some(43), "{protocol}");
        let other = script_says_with(protocol, code, stderr, true, &["all-or-nothing", "-x"]);
        assert_eq!(other, Some(42), "{protocol}");
    }
}

/// A problem of DMOJ's with scores, whose checker gives parts, and a suite with a submission that makes it fail.
fn partly_right(root: &Path) {
    let checker = "import sys\noutput, answer = (open(name).read().split() for name in sys.argv[2:4])\n\
        if output == ['crash']: sys.exit(3)\n\
        if output == answer: sys.exit(0)\nprint('partial 1/2', file=sys.stderr)\nsys.exit(7)\n";
    write(root, "check.py", checker);
    write(
        root,
        "init.yml",
        "checker: {name: bridged, args: {files: check.py, lang: PY3, type: coci}}\ntime_limit: 2\n\
         test_cases:\n- {in: 1.in, out: 1.out, points: 40}\n- {in: 1.in, out: 1.out, points: 60}\n",
    );
    write(root, "1.in", "1\n");
    write(root, "1.out", "2\n");
    for (name, expect, print) in [("right", "AC", "2"), ("part", "[AC, WA]", "3"), ("fails", "IE", "crash")] {
        let suite = format!("{{language: PY3, time: 2, memory: 262144, source: a.py, expect: {expect}}}");
        write(root, &format!("tests/{name}/test.yml"), &suite);
        write(root, &format!("tests/{name}/a.py"), &format!("print('{print}')\n"));
    }
}

#[test]
fn what_changes_or_gets_lost_is_noted() {
    let scene = Scene::new();
    let before = scene.path("before");
    partly_right(&before);
    let after = scene.path("after");
    let said = scene.say(&["package", "convert", text(&before), text(&after)]);
    assert_eq!(said.code, 0, "{said:?}");
    for note in ["tests/fails: left out: the format has no words for a judging error", "accepts in part"] {
        assert!(said.stderr.contains(note), "{note}: {said:?}");
    }
    let source = scene.write("part.py", "print(3)\n");
    let [one, other] = [&before, &after].map(|package| scene.report(&[text(package), text(&source)]));
    assert_eq!((one["score"].as_f64(), other["score"].as_f64()), (Some(50.0), Some(50.0)), "{one} {other}");
    assert_eq!((one["verdict"].as_str(), other["verdict"].as_str()), (Some("WA"), Some("AC")));
    let said = scene.say(&["verify", text(&after), "--only", "submissions"]);
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn what_breaks_a_checker_s_protocol_is_not_accepted_by_the_script_around_it_either() {
    for (protocol, code, stderr, expected) in [
        ("dmoj-coci", 7, "x\npartial 3/4\n", 42),
        ("dmoj-coci", 7, "partial 0/4\n", 43),
        ("dmoj-coci", 7, "partial 5/0\n", 1),
        ("dmoj-coci", 7, "partial 5/4\n", 1),
        ("dmoj-coci", 7, "partial 1/2/3\n", 1),
        ("dmoj-coci", 7, "partial \n", 1),
        ("dmoj-coci", 7, "", 1),
        ("dmoj-testlib", 7, "points 5\n", 42),
        ("dmoj-testlib", 7, "points 5 of 6\n", 1),
        ("dmoj-testlib", 7, "points \n", 1),
        ("dmoj-testlib", 3, "points 5\n", 1),
        ("dmoj-default", 7, "points 5\n", 1),
        ("testlib", 0, "ok\n", 42),
        ("testlib", 50, "partially correct (50) x\n", 42),
        ("testlib", 3, "partially correct (3) x\n", 42),
        ("testlib", 3, "partially correct (100) x\n", 1),
        ("testlib", 1, "partially correct (100) x\n", 43),
        ("testlib", 9, "partially correct (much) x\n", 1),
        ("testlib", 0, "partially correct (nan) x\n", 1),
        ("testlib", 7, "points \n", 1),
        ("testlib", 7, "points inf\n", 1),
        ("testlib", 3, "FAIL\n", 1),
        ("testlib", 139, "", 1),
        ("cms", 0, "", 1),
        ("dmoj-grader", 0, "", 42),
        ("dmoj-grader", 1, "", 43),
        ("dmoj-grader", 7, "", 1),
        ("dmoj-grader", 3, "ValueError: no", 1),
    ] {
        assert_eq!(script_says(protocol, code, stderr), Some(expected), "{protocol} {code} {stderr:?}");
    }
}

#[test]
fn tests_that_programs_make_are_made_for_the_converted_package() {
    let scene = Scene::new();
    let from = scene.path("made");
    let init = "time_limit: 1\nchecker: checker.py\ngenerator: make.py\ntest_cases:\n- {generator_args: [7], points: 5}\n";
    write(&from, "init.yml", init);
    write(&from, "checker.py", "def check(output, judge, **rest):\n    return output == judge\n");
    let generator = "import sys\nprint(sys.argv[1])\nprint(int(sys.argv[1]) + 1, file=sys.stderr)\n";
    write(&from, "make.py", generator);
    let out = scene.path("converted");
    let said = scene.say(&["package", "convert", text(&from), text(&out)]);
    assert_eq!(said.code, 0, "{said:?}");
    let package = load(&out).unwrap();
    assert_eq!(contents(&package, false), [(b"7\n".to_vec(), b"8\n".to_vec())]);
    let library =
        gavel::package::Library::new(&scene.path("library"), gavel::cancel::CancelToken::new().unwrap());
    let error = convert(&library.load(&from).unwrap(), &scene.path("other")).unwrap_err().to_string();
    assert!(error.contains("whose programs make 1 of its tests") && !scene.path("other").exists(), "{error}");
}

#[test]
fn submissions_accepted_in_part_are_not_asked_to_pass_every_test() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    convert(&load(&packages().join("regatta")).unwrap(), &out).unwrap();
    let after = load(&out).unwrap();
    let partial: Vec<_> = after
        .submissions
        .iter()
        .filter(|submission| submission.name.starts_with("partially_accepted/"))
        .map(|submission| &submission.expectation)
        .collect();
    assert_eq!(partial.len(), 3, "{:?}", after.submissions);
    for expectation in partial {
        assert!(expectation.verdicts.is_empty() && !expectation.permitted.contains(&Verdict::AC));
        assert_eq!(expectation.required, [Verdict::AC]);
    }
}

#[test]
fn comparisons_of_other_judges_become_scripts_that_compare_alike() {
    let texts = [
        "",
        " \n",
        "1",
        "1 2\n3\n",
        " 1\t2 \r\n3",
        "1\n\n\n",
        "1 2 3\n",
        "1\n\n2",
        "1\r2",
        "2 1 4",
        "a é",
        "A É",
    ];
    let directory = tempfile::tempdir().unwrap();
    let feedback = directory.path().join("feedback");
    fs::create_dir(&feedback).unwrap();
    for (place, comparator) in [
        Comparator::Exact,
        Comparator::Stripped,
        Comparator::WhiteDiff,
        Comparator::FirstTokens(2),
        Comparator::Dmoj(DmojChecker::Standard),
        Comparator::Dmoj(DmojChecker::Easy),
        Comparator::Dmoj(DmojChecker::SortedTokens),
    ]
    .into_iter()
    .enumerate()
    {
        let mut package = load(&packages().join("gcd")).unwrap();
        for test in &mut package.tests {
            test.check = Check::BuiltIn(comparator);
        }
        let out = directory.path().join(place.to_string());
        convert(&package, &out).unwrap();
        assert!(matches!(load(&out).unwrap().tests[0].check, Check::Program { .. }), "{comparator:?}");
        for answer in ["1 2\n3\n"] {
            fs::write(directory.path().join("answer"), answer).unwrap();
            for output in texts {
                let mut stdin = tempfile::tempfile().unwrap();
                stdin.write_all(output.as_bytes()).unwrap();
                stdin.rewind().unwrap();
                let code = Command::new(out.join("output_validator/run"))
                    .args([&out, &directory.path().join("answer"), &feedback])
                    .stdin(stdin)
                    .status()
                    .unwrap()
                    .code();
                let own = compare(comparator, &mut output.as_bytes(), &mut answer.as_bytes()).unwrap();
                let expected = if own == Comparison::Accepted { 42 } else { 43 };
                assert_eq!(code, Some(expected), "{comparator:?} {output:?} {answer:?}");
            }
        }
    }
}

#[test]
fn single_tests_worth_different_points_become_groups_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("cases");
    write(
        &root,
        "init.yml",
        "test_cases:\n- {in: 1.in, out: 1.out, points: 10}\n- {in: 2.in, out: 2.out, points: 40}\n\
         - {points: 50, batched: [{in: 3.in, out: 3.out}]}\n",
    );
    for test in ["1", "2", "3"] {
        write(&root, &format!("{test}.in"), "1\n");
        write(&root, &format!("{test}.out"), "1\n");
    }
    let out = directory.path().join("out");
    convert(&load(&root).unwrap(), &out).unwrap();
    let after = load(&out).unwrap();
    let mut points: Vec<_> = after
        .groups
        .iter()
        .filter(|group| group.name.starts_with("secret/"))
        .map(|group| (group.members.len(), group.range.max))
        .collect();
    points.sort_by(|one, other| one.1.partial_cmp(&other.1).unwrap());
    assert_eq!(points, [(1, 10.0), (1, 40.0), (1, 50.0)], "{:?}", after.groups);
}
