//! Problems of Library Checker and QDUOJ: what is made of their files, and what is wrong with them.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use gavel::cancel::CancelToken;
use gavel::checker::{Comparator, Protocol};
use gavel::package::{Check, Format, GeneratedAnswer, Library, Package, PackageError, TimeLimit};
use gavel::units::Bytes;
use gavel::verdict::Verdict;
use proptest::prelude::*;
use tempfile::TempDir;

struct Problem {
    directory: TempDir,
    library: Library,
}

impl Problem {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let library = Library::new(&directory.path().join("cache"), CancelToken::new().unwrap());
        let problem = Self { directory, library };
        files.iter().fold(problem, |problem, (name, text)| problem.file(name, text))
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("collection/math/problem")
    }

    fn file(self, name: &str, text: &str) -> Self {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn load(&self) -> Result<Package, PackageError> {
        self.library.load(&self.root())
    }

    fn assert_refused(&self, parts: &[&str]) {
        let error = self.load().unwrap_err();
        let text = error.to_string();
        assert!(!text.contains('\n') && text.contains("; ") && !error.is_ours(), "{text}");
        for part in parts {
            assert!(text.contains(part), "'{part}' in: {text}");
        }
    }
}

const LIBRARY: &[(&str, &str)] = &[
    ("gen/example_00.in", "1\n"),
    ("gen/random.cpp", "int main() {}"),
    ("sol/correct.cpp", "int main() {}"),
    ("sol/wrong.cpp", "int main() {}"),
    ("checker.cpp", "int main() {}"),
    ("verifier.cpp", "int main() {}"),
    ("../../common/testlib.h", "// here"),
];
const TESTS: &str = "timelimit = 2.5\n[[tests]]\nname = \"example.in\"\nnumber = 1\n[[tests]]\nname = \"random.cpp\"\nnumber = 2\n";

fn library(info: &str) -> Problem {
    Problem::new(LIBRARY).file("info.toml", info)
}

#[test]
fn library_checker_leaves_tests_to_its_programs() {
    let problem = library(&format!(
        "title = \"Sum\"\n{TESTS}[[solutions]]\nname = \"wrong.cpp\"\nexpect = \"WA\"\nallow_tle = true\n[params]\nN = 5\nP = \"x\"\n"
    ));
    let package = problem.load().unwrap();
    assert_eq!((package.format, package.title.as_str()), (Format::LibraryChecker, "Sum"));
    assert_eq!(package.limits.time, TimeLimit::Fixed(Duration::from_millis(2500)));
    let names: Vec<_> = package.tests.iter().map(|test| test.name.as_str()).collect();
    assert_eq!(names, ["example_00", "random_00", "random_01"]);
    let made = package.generated.as_ref().unwrap();
    assert_eq!((made.generators.len(), made.tests.len()), (1, 3));
    assert_eq!(made.tests[0].input, None);
    assert_eq!(made.tests[2].input.as_ref().unwrap().arguments, ["1"]);
    assert_eq!(made.tests[2].answer, Some(GeneratedAnswer::Solution(0)));
    let files = &package.checkers[0].program.files;
    let file = |name: &str| {
        files.iter().find(|file| file.name == name).map(|file| fs::read_to_string(&file.path).unwrap())
    };
    assert_eq!(file("params.h").unwrap(), "#define N (long long)5\n#define P \"x\"\n");
    assert_eq!(file("common/testlib.h").unwrap(), "// here");
    let expectation = &package.submissions[1].expectation;
    assert_eq!((&expectation.required, expectation.permitted.len()), (&vec![Verdict::WA], 4));
    assert_eq!(package.verification.input_validators.len(), 1);
}

#[test]
fn headers_beside_a_solution_of_library_checker_are_its_own() {
    let problem = library(&format!("{TESTS}[[solutions]]\nname = \"wrong.cpp\"\nfunction = true\n"))
        .file("sol/fast.hpp", "")
        .file("sol/notes.txt", "")
        .file("grader/grader.cpp", "")
        .file("grader/solve.h", "")
        .file("grader/fast.hpp", "");
    let package = problem.load().unwrap();
    let names = |place: usize| -> Vec<String> {
        let files = package.submissions[place].files.iter();
        files.map(|file| file.strip_prefix(problem.root()).unwrap().to_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(0), ["sol/correct.cpp", "sol/fast.hpp"]);
    assert_eq!(names(1), ["sol/wrong.cpp", "sol/fast.hpp", "grader/grader.cpp", "grader/solve.h"]);
}

#[test]
fn tests_that_are_there_are_not_made() {
    let mut problem = library(TESTS);
    for (case, text) in [("example_00", "1\n"), ("random_00", "2\n"), ("random_01", "3\n")] {
        problem = problem.file(&format!("in/{case}.in"), text).file(&format!("out/{case}.out"), text);
    }
    let package = problem.load().unwrap();
    assert!(package.generated.is_none());
    assert_eq!(fs::read_to_string(&package.tests[2].answer).unwrap(), "3\n");
}

#[test]
fn what_is_wrong_with_a_solution_or_a_key_of_library_checker_is_a_warning() {
    let problem = library(&format!(
        "{TESTS}numbr = 2\n[[solutions]]\nname = \"gone.cpp\"\n[[solutions]]\nname = \"wrong.cpp\"\nexpect = \"X\"\n\
         [[solutions]]\nname = \"wrong.cpp\"\nalow_wa = true\n"
    ));
    let package = problem.load().unwrap();
    let warnings = package.warnings.join("\n");
    for part in [
        "tests[1].numbr: an unknown key is ignored: did you mean 'number'?",
        "left out: ",
        "solutions[0].name: there is no file 'sol/gone.cpp'",
        "solutions[1].expect: 'X' is no status",
        "solutions[2].alow_wa: an unknown key is ignored: did you mean 'allow_wa'?",
    ] {
        assert!(warnings.contains(part), "{part} in: {warnings}");
    }
    assert_eq!(package.submissions.len(), 2);
}

#[test]
fn what_is_wrong_with_a_library_checker_problem_is_named() {
    for (info, parts) in [
        ("timelimit = 1\n", &["info.toml: tests: there are none"][..]),
        ("[[tests]]\nname = \"example.in\"\nnumber = 1\n", &["timelimit: there is no time limit"]),
        (
            "timelimit = -1\n[[tests]]\nname = \"example.in\"\nnumber = 1\n",
            &["timelimit: there is no time limit"],
        ),
        (
            "timelimit = 1\n[[tests]]\nname = \"no.cpp\"\nnumber = 1\n",
            &["tests[0].name: there is no file 'gen/no.cpp'"],
        ),
        (
            "timelimit = 1\n[[tests]]\nname = \"example.in\"\nnumber = 2\n",
            &["there is no file 'gen/example_01.in'"],
        ),
        (
            "timelimit = 1\n[[tests]]\nname = \"example.in\"\nnumber = 1e9\n",
            &["tests[0].number: there is no number"],
        ),
        (
            "timelimit = 1\n[[tests]]\nname = \"../x.in\"\nnumber = 1\n",
            &["tests[0].name: '../x.in' is no file name"],
        ),
        ("timelimit = 1\n[[tests]]\nnumber = 1\n", &["tests[0].name: there is no name"]),
        ("timelimit = \n", &["info.toml:1", "not TOML"]),
        (&format!("checker = \"../../x.cpp\"\n{TESTS}"), &["checker: '../../x.cpp' is not a path below"]),
        (&format!("{TESTS}[params]\n\"A B\" = 1\n"), &["params.A B: it is no name of a macro"]),
        (&format!("{TESTS}[params]\nA = []\n"), &["params.A: it is neither"]),
    ] {
        library(info).assert_refused(parts);
    }
}

const PROBLEM: &str = r#""title": "Sum", "time_limit": 1500, "memory_limit": 64, "rule_type": "OI""#;

fn qduoj(keys: &str) -> Problem {
    let files = [("1.in", "1 2\n"), ("1.out", "3\n"), ("2.in", "4 5\n"), ("2.out", "9\n")];
    let problem = files
        .iter()
        .fold(Problem::new(&[]), |problem, (name, text)| problem.file(&format!("testcase/{name}"), text));
    problem.file("problem.json", &format!("{{{keys}}}"))
}

#[test]
fn qduoj_names_tests_points_judges_and_answers() {
    let problem = qduoj(&format!(
        r#"{PROBLEM}, "test_case_score": [{{"input_name": "1.in", "output_name": "1.out", "score": 30}},
            {{"input_name": "2.in", "output_name": "2.out", "score": 70}}],
            "answers": [{{"language": "C++", "code": "int main() {{}}"}}],
            "template": {{"C": {{"prepend": "int helper;", "template": "", "append": ""}},
                "C++": {{"prepend": "", "append": "int main() {{}}"}}, "Java": {{"prepend": " ", "append": ""}}}}"#
    ));
    let package = problem.load().unwrap();
    assert_eq!((package.format, package.limits.memory), (Format::Qduoj, Bytes::mib(64)));
    assert_eq!(package.limits.time, TimeLimit::Fixed(Duration::from_millis(1500)));
    assert_eq!(package.tests[1].check, Check::BuiltIn(Comparator::Stripped));
    assert!(package.scoring.is_some() && package.groups[0].members.len() == 2);
    assert_eq!(package.submissions[0].language.as_deref(), Some("cpp"));
    assert_eq!(fs::read_to_string(&package.submissions[0].files[0]).unwrap(), "int main() {}");
    let templates: Vec<_> = package
        .includes
        .iter()
        .map(|include| (include.submission_prefix.as_str(), include.submission_suffix.as_str()))
        .collect();
    assert_eq!(templates, [("int helper;\n", ""), ("", "\nint main() {}\n")]);
    let spj = qduoj(
        r#""time_limit": 1000, "memory_limit": 64, "spj": {"language": "C", "code": "int main(void) { return 0; }"}"#,
    );
    let package = spj.load().unwrap();
    assert_eq!(package.tests.len(), 2, "without a list, all in the folder");
    assert!(matches!(package.checkers[0].protocol, Protocol::Dmoj(_)));
    assert_eq!(package.checkers[0].call.as_ref().unwrap(), &["{input}", "{output}"]);
}

#[test]
fn what_is_wrong_with_a_qduoj_problem_is_named() {
    for (keys, parts) in [
        (
            r#""time_limit": 0, "memory_limit": 64"#,
            &["problem.json: time_limit: there is no usable number"][..],
        ),
        (r#""time_limit": 1000"#, &["memory_limit: there is no usable number"]),
        (
            r#""time_limit": 1000, "memory_limit": 64, "test_case_score": [{"input_name": "9.in"}]"#,
            &["test_case_score[0].input_name: there is no file '9.in'"],
        ),
        (
            r#""time_limit": 1000, "memory_limit": 64, "test_case_score": [{"input_name": "1.in"}]"#,
            &["test_case_score[0].output_name: there is none"],
        ),
        (
            r#""time_limit": 1000, "memory_limit": 64, "test_case_score": [{"input_name": "1.in", "output_name": "1.out", "score": "x"}]"#,
            &["test_case_score[0].score"],
        ),
        (
            r#""time_limit": 1000, "memory_limit": 64, "spj": {"language": "Malbolge", "code": ""}"#,
            &["spj.language: 'Malbolge' is no language"],
        ),
        (r#""time_limit": 1000, "memory_limit": 64, "spj": {"language": "C"}"#, &["spj.code: there is none"]),
        (r#""time_limit": "#, &["problem.json:1", "not JSON"]),
    ] {
        qduoj(keys).assert_refused(parts);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused_on_one_line(
        text in "([a-z_]{1,12}: |[-\\[\\]{}\"'#:,= \n0-9.]|in|out|test_cases|batched|points|\\[\\[tests\\]\\]|name|\\PC){0,60}",
        which in 0..5usize,
    ) {
        let name = ["init.yml", "task.yaml", "gen/GEN", "info.toml", "problem.json"][which];
        let mut problem = Problem::new(&[("gen/x.in", ""), ("testcase/1.in", "")]);
        if name == "gen/GEN" {
            problem = problem.file("task.yaml", "name: x\n");
        }
        let problem = problem.file(name, &text);
        if let Err(error) = problem.load() {
            let text = error.to_string();
            prop_assert!(!text.contains('\n'), "{}", text);
        }
        prop_assert!(problem.library.check(&problem.root()).errors.iter().all(|error| !error.to_string().contains('\n')));
    }
}

#[test]
fn all_tests_of_a_problem_together_are_bounded() {
    let info =
        "timelimit = 2.0\n".to_owned() + &"[[tests]]\nname = \"random.cpp\"\nnumber = 6000\n".repeat(2);
    library(&info).assert_refused(&["info.toml", "tests[1].number: there are more than 10000 tests"]);
}
