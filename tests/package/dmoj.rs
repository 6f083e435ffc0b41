//! DMOJ packages become tests, groups, checkers and expectations as DMOJ's judge reads them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gavel::cancel::CancelToken;
use gavel::checker::{Comparator, DmojChecker, DmojKind, FloatMode, Protocol};
use gavel::package::{
    Aggregation, Check, GeneratedAnswer, Interaction, Library, Member, Package, PackageError, TimeLimit,
};
use gavel::units::Bytes;
use gavel::verdict::Verdict;
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A problem's directory and a place for what it unpacks to.
struct Problem {
    directory: TempDir,
    library: Library,
}

impl Problem {
    fn new(init: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let library = Library::new(&directory.path().join("cache"), CancelToken::new().unwrap());
        let problem = Self { directory, library };
        problem.file("init.yml", init)
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("problem")
    }

    fn file(self, name: &str, text: &str) -> Self {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn pairs(self, names: &[&str]) -> Self {
        names.iter().fold(self, |problem, name| {
            problem.file(&format!("{name}.in"), "1 2\n").file(&format!("{name}.out"), "3\n")
        })
    }

    fn zip(self, name: &str, files: &[(&str, &str)]) -> Self {
        let mut zip = ZipWriter::new(fs::File::create(self.root().join(name)).unwrap());
        for (name, text) in files {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
        self
    }

    fn load(&self) -> Result<Package, PackageError> {
        self.library.load(&self.root())
    }

    fn refusal(&self) -> String {
        let error = self.load().unwrap_err();
        let text = error.to_string();
        assert!(!text.contains('\n') && text.contains("; ") && !error.is_ours(), "{text}");
        text
    }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn cases_and_batches_become_tests_and_groups_with_their_points() {
    let problem = Problem::new(
        "time_limit: 1.5\nmemory_limit: 65536\nwall_time_factor: 2\noutput_limit_length: 1000\n\
         test_cases:\n\
         - {in: a.in, out: a.out, points: 5}\n\
         - points: 10\n  batched:\n  - {in: a.in, out: a.out}\n  - {in: b.in, out: b.out}\n\
         - points: 20\n  batched:\n  - {in: b.in}\n  dependencies: [1]\n",
    )
    .pairs(&["a", "b"]);
    let package = problem.load().unwrap();
    assert_eq!(package.limits.time, TimeLimit::Fixed(Duration::from_millis(1500)));
    assert_eq!((package.limits.memory, package.limits.output), (Bytes::mib(64), Bytes(1000)));
    assert_eq!(package.limits.wall, Some(Duration::from_secs(3)));
    let names: Vec<_> = package.tests.iter().map(|test| (test.name.as_str(), test.groups.concat())).collect();
    assert_eq!(
        names,
        [("1", ""), ("2", "batch1"), ("3", "batch1"), ("4", "batch2")].map(|(a, b)| (a, b.to_owned()))
    );
    let root = &package.groups[0];
    assert_eq!(
        root.members,
        [Member::Test { test: 0, points: Some(5.0) }, Member::Group(1), Member::Group(2)]
    );
    assert_eq!((package.groups[1].weight, &package.groups[1].aggregation), (10.0, &Aggregation::Min));
    assert_eq!(package.groups[2].dependencies, ["batch1"]);
    assert_eq!(text(&package.tests[3].answer), "", "no 'out' is an empty answer");
    assert!(package.scoring.is_some() && package.warnings.is_empty(), "{:?}", package.warnings);
}

#[test]
fn nothing_is_run_after_a_failed_case_of_no_points() {
    let problem = Problem::new(
        "test_cases:\n- {in: a.in, out: a.out, points: 0}\n- {in: a.in, out: a.out, points: 3}\n\
         - batched: [{in: a.in, out: a.out}]\n- {in: a.in, out: a.out}\n",
    )
    .pairs(&["a"]);
    let package = problem.load().unwrap();
    let shown: Vec<_> =
        package.groups[1..].iter().map(|group| (group.name.as_str(), group.dependencies.concat())).collect();
    let names: Vec<_> = shown.iter().map(|(name, needs)| (*name, needs.as_str())).collect();
    assert_eq!(
        names,
        [("pretest1", ""), ("cases2", "pretest1"), ("batch1", "pretest1"), ("cases4", "pretest1")]
    );
    assert!(package.warnings[0].contains("time_limit"), "{:?}", package.warnings);
}

#[test]
fn files_are_found_in_the_archive_and_get_the_judge_s_line_ends() {
    let files = [("x/1.in", "1\r\n2"), ("x/1.out", "3"), ("2.in", "7\n"), ("2.out", "7\n")];
    let problem = Problem::new(
        "archive: data.zip\ntest_cases:\n- {in: x/1.in, out: x/1.out}\n- {in: 2.in, out: 2.out}\n",
    )
    .zip("data.zip", &files);
    let package = problem.load().unwrap();
    assert_eq!(
        (text(&package.tests[0].input), text(&package.tests[0].answer)),
        ("1\n2\n".into(), "3\n".into())
    );
    assert_eq!(text(&package.tests[1].input), "7\n");
    let again = problem.load().unwrap();
    assert_eq!(again.tests[0].input, package.tests[0].input);
    assert!(!package.tests[0].input.starts_with(problem.root()), "nothing is written into the package");
    let problem =
        Problem::new("archive: data.zip\nbinary_data: true\ntest_cases: [{in: x/1.in, out: x/1.out}]\n")
            .zip("data.zip", &files);
    assert_eq!(text(&problem.load().unwrap().tests[0].input), "1\r\n2");
}

#[test]
fn cases_are_found_by_the_names_in_the_archive() {
    let names = [
        "1.in",
        "1.out",
        "2.1.in",
        "2.1.out",
        "2.10.in",
        "2.10.out",
        "2.9.in",
        "2.9.out",
        "3.in",
        "3.out",
        "readme.txt",
    ];
    let files: Vec<_> = names.iter().map(|name| (*name, *name)).collect();
    let problem =
        Problem::new("archive: data.zip\ntest_cases: {case_points: [1, 5, 2]}\n").zip("data.zip", &files);
    let package = problem.load().unwrap();
    let inputs: Vec<_> = package.tests.iter().map(|test| text(&test.input)).collect();
    assert_eq!(inputs, ["1.in\n", "2.1.in\n", "2.9.in\n", "2.10.in\n", "3.in\n"]);
    assert_eq!(package.groups[1].weight, 5.0);
    let own = "archive: data.zip\ntest_cases:\n  input_format: '^c(?P<case>[a-z])\\.q$'\n  output_format: '^c(?P<case>[a-z])\\.a$'\n";
    let files = [("cb.q", "b"), ("cb.a", "B"), ("ca.q", "a"), ("ca.a", "A"), ("Q.txt", "")];
    let problem = Problem::new(own).zip("data.zip", &files);
    let package = problem.load().unwrap();
    assert_eq!(package.tests.iter().map(|test| text(&test.answer)).collect::<Vec<_>>(), ["A\n", "B\n"]);
}

#[test]
fn checkers_are_the_judge_s_own_programs_or_python_code() {
    let check = |checker: &str| {
        let problem = Problem::new(&format!("checker: {checker}\ntest_cases: [{{in: a.in, out: a.out}}]\n"))
            .pairs(&["a"])
            .file("c.cpp", "int main() {}")
            .file("lib.h", "")
            .file("check.py", "def check(process_output, judge_output, **kwargs):\n    return True\n");
        let package = problem.load().unwrap();
        (package.tests[0].check.clone(), package)
    };
    for (checker, expected) in [
        ("standard", DmojChecker::Standard),
        ("{name: sorted, args: {split_on: whitespace}}", DmojChecker::SortedTokens),
        ("floatsabs", DmojChecker::Floats { precision: 6, mode: FloatMode::Absolute }),
        (
            "{name: floats, args: {precision: 3, error_mode: relative}}",
            DmojChecker::Floats { precision: 3, mode: FloatMode::Relative },
        ),
        (
            "{name: rstripped, args: {filter_new_line: true}}",
            DmojChecker::Rstripped { filter_new_line: true },
        ),
    ] {
        assert_eq!(check(checker).0, Check::BuiltIn(Comparator::Dmoj(expected)), "{checker}");
    }
    let (_, package) = check(
        "{name: bridged, args: {files: [c.cpp, lib.h], lang: CPP17, type: coci, args_format_string: '{answer_file} -x'}}",
    );
    let checker = &package.checkers[0];
    assert_eq!(checker.protocol, Protocol::Dmoj(DmojKind::Coci));
    assert_eq!(checker.call.as_ref().unwrap(), &["{answer}", "-x"]);
    assert_eq!((checker.program.files.len(), checker.limits.time), (2, Duration::from_secs(20)));
    let (check, package) = check("check.py");
    assert!(
        matches!(check, Check::Program { checker: 0, ref arguments } if arguments[0].contains("\"check.py\"")),
        "{check:?}"
    );
    assert_eq!(package.checkers[0].program.files[1].name, "check.py");
}

#[test]
fn interactors_and_signatures_fill_the_model() {
    let problem = Problem::new(
        "interactive: {files: i.cpp, type: testlib, preprocessing_time: 3}\ntime_limit: 1\ntest_cases: [{in: a.in}]\n",
    )
    .pairs(&["a"])
    .file("i.cpp", "int main() {}");
    let package = problem.load().unwrap();
    let Interaction::Interactive(interactor) = &package.interaction else {
        panic!("{:?}", package.interaction)
    };
    assert_eq!(
        (interactor.protocol, interactor.limits.time),
        (Protocol::Dmoj(DmojKind::Testlib), Duration::from_secs(4))
    );
    assert_eq!(package.tests[0].check, Check::Interaction { arguments: Vec::new() });
    let problem = Problem::new(
        "signature_grader: {entry: entry.cpp, header: h.h}\ntest_cases: [{in: a.in, out: a.out}]\n",
    )
    .pairs(&["a"])
    .file("entry.cpp", "int main() {}")
    .file("h.h", "int f();");
    let package = problem.load().unwrap();
    let include = &package.includes[1];
    assert_eq!(include.entry_point.as_deref(), Some("entry.cpp"));
    assert!(include.submission_prefix.starts_with("#include \"h.h\"\n#define main"), "{include:?}");
    let package =
        Problem::new("file_io: {input: DATA.in, output: DATA.out}\ntest_cases: [{}]\n").load().unwrap();
    assert_eq!(package.streams.input_file.as_deref(), Some("DATA.in"));
}

#[test]
fn the_test_suite_says_what_submissions_must_get() {
    let problem = Problem::new("test_cases: [{in: a.in, out: a.out}, {in: a.in, out: a.out}]\n")
        .pairs(&["a"])
        .file("tests/right/test.yml", "{language: PY3, time: 4, memory: 131072, source: a.py}")
        .file("tests/right/a.py", "print(3)\n")
        .file(
            "tests/half/test.yml",
            "{language: CPP20, time: 3, memory: 65536, source: a.cpp, cases: [TLE, [WA, IR]]}",
        )
        .file("tests/half/a.cpp", "int main() {}")
        .file("tests/ce/test.yml", "{language: C, source: a.c, expect: CE}")
        .file("tests/ce/a.c", "x")
        .file("tests/other/test.yml", "{language: C, source: a.c, arch: [none]}");
    let package = problem.load().unwrap();
    assert_eq!(package.limits.time, TimeLimit::Fixed(Duration::from_secs(4)));
    assert_eq!(package.limits.memory, Bytes::mib(128));
    let names: Vec<_> =
        package.submissions.iter().map(|one| (one.name.as_str(), one.language.as_deref().unwrap())).collect();
    assert_eq!(names, [("tests/ce", "c"), ("tests/half", "cpp"), ("tests/right", "python3")]);
    assert_eq!(package.submissions[0].expectation.verdicts, [Verdict::CE]);
    let parts = &package.submissions[1].expectation.parts;
    assert_eq!((parts[0].pattern.as_str(), &parts[0].permitted), ("1", &vec![Verdict::TLE, Verdict::WTL]));
    assert_eq!(parts[1].permitted, [Verdict::WA, Verdict::RTE]);
    assert_eq!(package.submissions[2].expectation.permitted, [Verdict::AC]);
}

#[test]
fn generators_make_what_a_case_lacks() {
    let init = "generator: {source: [g.cpp, lib.h], args: [7], time_limit: 5}\ntest_cases:\n- {in: a.in, out: a.out}\n\
                - {generator_args: [1, x]}\n- {generator_in: a.in, out: a.out}\n- {in: a.in}\n";
    let problem = Problem::new(init).pairs(&["a"]).file("g.cpp", "int main() {}").file("lib.h", "");
    let package = problem.load().unwrap();
    let made = package.generated.as_ref().unwrap();
    assert_eq!((made.generators.len(), made.generators[0].files.len()), (1, 2));
    assert_eq!(made.generator_limits.time, Duration::from_secs(5));
    let inputs: Vec<_> = made.tests.iter().map(|test| test.input.as_ref().unwrap()).collect();
    assert_eq!(made.tests.iter().map(|test| test.test).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(
        (&inputs[0].arguments[..], &inputs[1].arguments[..]),
        (&["1".into(), "x".into()][..], &["7".into()][..])
    );
    assert_eq!(made.tests[0].answer, Some(GeneratedAnswer::GeneratorErrors));
    assert_eq!((&made.tests[1].answer, text(inputs[1].stdin.as_ref().unwrap())), (&None, "1 2\n".to_owned()));
    assert!(inputs[2].stdin.is_some());
}

#[test]
fn what_is_wrong_is_named_by_file_and_key() {
    for (init, parts) in [
        ("", &["init.yml: test_cases: there is nothing"][..]),
        ("test_cases: []\n", &["init.yml:1: test_cases: there are no test cases"]),
        ("test_cases: [1]\n", &["init.yml:1: test_cases[0]: 1 where a map"]),
        ("test_cases: x\n", &["init.yml:1: test_cases:", "archive"]),
        ("archive: no.zip\n", &["init.yml:1: archive: there is no file 'no.zip'"]),
        ("archive: ../a.zip\n", &["init.yml:1: archive: '../a.zip' is not a path below"]),
        ("archive: a.in\n", &["archive", "a.in", "no archive known here"]),
        ("test_cases: [{in: b.in, out: a.out}]\n", &["test_cases[0].in: there is no file 'b.in'"]),
        ("test_cases: [{in: /etc/passwd, out: a.out}]\n", &["test_cases[0].in: '/etc/passwd' is not a path"]),
        ("test_cases: [{in: a.in, out: a.out, points: many}]\n", &["test_cases[0].points: 'many'"]),
        ("test_cases: [{in: a.in, out: a.out, points: -1}]\n", &["test_cases[0].points: -1 is out of range"]),
        ("test_cases: [{batched: 3}]\n", &["test_cases[0].batched: it is no list"]),
        ("test_cases: [{batched: []}]\n", &["test_cases[0].batched: there are no cases"]),
        ("test_cases: [{batched: [{batched: [{}]}]}]\n", &["batched[0].batched: a batch within a batch"]),
        (
            "test_cases: [{batched: [{}], dependencies: [1]}]\n",
            &["dependencies: '1' is not the number of an earlier"],
        ),
        (
            "checker: standrad\ntest_cases: [{}]\n",
            &["init.yml:1: checker: 'standrad'", "did you mean 'standard'"],
        ),
        ("checker: {name: floats, args: {precision: x}}\ntest_cases: [{}]\n", &["checker.args.precision"]),
        (
            "checker: {name: bridged, args: {files: x.cpp}}\ntest_cases: [{}]\n",
            &["checker.args.files: there is no file 'x.cpp'"],
        ),
        (
            "checker: {name: bridged, args: {files: a.in, type: odd}}\ntest_cases: [{}]\n",
            &["checker.args.type: 'odd'"],
        ),
        ("checker: no.py\ntest_cases: [{}]\n", &["checker: there is no file 'no.py'"]),
        ("custom_judge: g.py\ntest_cases: [{}]\n", &["init.yml:1: custom_judge: there is no file 'g.py'"]),
        ("test_cases++: |\n  node = []\n", &["test_cases++: a value computed by Python", "not supported"]),
        ("interactive: {type: default}\ntest_cases: [{}]\n", &["interactive.files: it is missing"]),
        ("signature_grader: {entry: a.in}\ntest_cases: [{}]\n", &["signature_grader.header: it is missing"]),
        ("file_io: {input: ../x}\ntest_cases: [{}]\n", &["file_io.input: '../x' is no plain"]),
        ("time_limit: 0s\ntest_cases: [{}]\n", &["init.yml:1: time_limit: '0s' where a number"]),
        (
            "test_cases: [{time_limit: 1}]\n",
            &["test_cases[0].time_limit: a limit of a single case is not supported"],
        ),
        ("generator: no.cpp\ntest_cases: [{}]\n", &["init.yml:1: generator: there is no file 'no.cpp'"]),
        ("generator: {flags: [-g]}\ntest_cases: [{}]\n", &["generator.source: it is missing"]),
        ("a: [\n", &["init.yml:", "not the YAML expected"]),
    ] {
        let text = Problem::new(init).pairs(&["a"]).refusal();
        for part in parts {
            assert!(text.contains(part), "{init}: '{part}' in: {text}");
        }
    }
    let problem = Problem::new("archive: d.zip\ntest_cases: {input_format: '(', output_format: x}\n")
        .zip("d.zip", &[("1.in", "")]);
    assert!(problem.refusal().contains("test_cases.input_format: not a regular expression"));
    let problem = Problem::new("archive: d.zip\ntest_cases: {input_format: '.', output_format: x}\n")
        .zip("d.zip", &[("1.in", "")]);
    assert!(problem.refusal().contains("gives no case number for '1.in'"));
    let problem = Problem::new("chekcer: x\ntest_cases: [{poins: 1}]\n").load().unwrap();
    assert!(
        problem.warnings[0]
            .contains("init.yml:1: chekcer: an unknown key is ignored: did you mean 'checker'?")
    );
    assert!(
        problem.warnings.iter().any(|warning| warning.contains("test_cases[0].poins")),
        "{:?}",
        problem.warnings
    );
}

#[test]
fn many_cases_of_no_points_are_refused_before_they_fill_the_memory() {
    let cases = |count: usize| format!("test_cases:\n{}", "- {points: 0}\n".repeat(count));
    let package = Problem::new(&cases(1000)).load().unwrap();
    let last = package.groups.last().unwrap();
    assert_eq!((last.name.as_str(), last.dependencies.concat().as_str()), ("pretest1000", "pretest999"));
    let error = Problem::new(&cases(2_000)).refusal();
    assert!(
        error.contains("test_cases[1000].points: there are more than 1000 cases and batches of no points"),
        "{error}"
    );
}

#[test]
fn dependencies_count_batches_of_test_cases_alone() {
    let problem = Problem::new(
        "pretest_test_cases:\n- batched: [{}]\ntest_cases:\n- batched: [{}]\n- {batched: [{}], dependencies: [1]}\n",
    );
    let package = problem.load().unwrap();
    let names: Vec<_> = package.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["", "pretest-batch1", "batch1", "batch2"]);
    let last = package.groups.last().unwrap();
    assert_eq!(last.dependencies, ["batch1", "pretest-batch1"]);
}

/// The exit code and the part of the points that the driver of Python checkers answers with for one.
fn driver_says(checker: &str) -> (i32, Option<String>) {
    let directory = tempfile::tempdir().unwrap();
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/package/dmoj/driver.py");
    fs::copy(driver, directory.path().join("driver.py")).unwrap();
    fs::write(directory.path().join("checker.py"), checker).unwrap();
    for (name, text) in [("in", "1\n"), ("ans", "2\n"), ("out", "2\n")] {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let context = r#"{"module": "checker.py", "arguments": {}, "point_value": 5}"#;
    let mut command = std::process::Command::new("python3");
    command
        .args(["driver.py", "in", "ans", "out", "in", "python3", "20", "40", "3000", ".", context])
        .current_dir(directory.path());
    let output = command.output().unwrap();
    (output.status.code().unwrap(), fs::read_to_string(directory.path().join("score_multiplier.txt")).ok())
}

#[test]
fn python_checkers_are_called_by_place_and_answer_with_a_bool() {
    let check = |body: &str| driver_says(&format!("def check(output, jury, **rest):\n    return {body}\n"));
    assert_eq!(check("output == jury == b'2\\n'"), (0, None));
    assert_eq!(check("False"), (1, None));
    assert_eq!(check("b'\\xff'.decode()"), (1, None));
    assert_eq!(check("rest['judge_input'] == b'1\\n'"), (0, None));
    for body in ["'no'", "None", "1", "exit(1)", "exit(0)", "1 / 0"] {
        assert_eq!(check(body), (3, None), "{body}");
    }
    let result = |body: &str| {
        driver_says(&format!(
            "from dmoj.result import CheckerResult\ndef check(*both, **rest):\n    return CheckerResult({body})\n"
        ))
    };
    let part = |code: i32, part: &str| (code, Some(format!("{part}\n")));
    assert_eq!(result("True, 2.5"), part(0, "0.5"));
    assert_eq!(result("True, 0"), part(0, "0.0"));
    assert_eq!(result("False, 2.5"), part(7, "0.5"));
    assert_eq!(result("'yes', 5"), (3, None));
    assert_eq!(result("False, 5"), part(7, "0.999999"));
}
