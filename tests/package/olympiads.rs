//! Packages of Hydro, sinol and UOJ are judged as their own judges do, and directories that are more than bare tests are
//! refused by name.

use std::path::Path;
use std::time::Duration;

use crate::common::Scene;
use gavel::package::{Format, TimeLimit, discover, load};
use gavel::units::Bytes;

/// A checker in the manner of testlib that accepts the sum of all numbers of the input, and gives half of the points for
/// a negative one.
const CHECKER: &str = "#include <cstdio>\n#include <fstream>\nint main(int, char **argv) {\n\
    std::ifstream input(argv[1]), output(argv[2]);\n long sum = 0, number = 0, said = 0;\n\
    while (input >> number) sum += number;\n output >> said;\n\
    if (said == sum) { fprintf(stderr, \"ok\\n\"); return 0; }\n\
    if (said == -sum) { fprintf(stderr, \"points 0.5\\n\"); return 7; }\n\
    fprintf(stderr, \"wrong answer\\n\"); return 1; }\n";

const SUM: &str = "print(sum(map(int, open(0).read().split())))\n";
/// Right where the input has one number.
const FIRST: &str = "print(input().split()[0])\n";
const NEGATIVE: &str = "print(-sum(map(int, open(0).read().split())))\n";

fn write_all(stage: &Scene, folder: &str, files: &[(&str, &str)]) -> std::path::PathBuf {
    for (name, text) in files {
        stage.write(&format!("{folder}/{name}"), text);
    }
    stage.path(folder)
}

/// Verdict and score of a program.
fn judged(stage: &Scene, package: &Path, program: &str) -> (String, Option<f64>) {
    let source = stage.write("program.py", program);
    let report =
        stage.report(&[crate::common::text(package), crate::common::text(&source), "--policy", "full"]);
    (report["verdict"].as_str().unwrap().to_owned(), report["score"].as_f64())
}

fn hydro(stage: &Scene) -> std::path::PathBuf {
    let config = "type: default\ntime: 1500ms\nmemory: 64m\nchecker_type: testlib\nchecker: chk.cc\nsubtasks:\n\
        - score: 40\n  cases: [{input: 1.in, output: 1.out}]\n\
        - score: 60\n  if: [1]\n  time: 2s\n  cases: [{input: 2.in, output: 2.out}, {input: 3.in, output: 3.out}]\n";
    write_all(
        stage,
        "hydro",
        &[
            ("problem.yaml", "pid: P1\nowner: 1\ntitle: Sums\ntag: [x]\nnSubmit: 0\nnAccept: 0\n"),
            ("problem_zh.md", "x"),
            ("testdata/config.yaml", config),
            ("testdata/chk.cc", CHECKER),
            ("testdata/1.in", "5\n"),
            ("testdata/1.out", "-\n"),
            ("testdata/2.in", "2 3\n"),
            ("testdata/2.out", "-\n"),
            ("testdata/3.in", "4\n"),
            ("testdata/3.out", "-\n"),
        ],
    )
}

#[test]
fn hydro_s_subtasks_limits_and_checker_hold() {
    let stage = Scene::new();
    let root = hydro(&stage);
    let package = load(&root).unwrap();
    assert_eq!((package.format, package.title.as_str()), (Format::Hydro, "Sums"));
    assert_eq!(package.limits.time, TimeLimit::Fixed(Duration::from_millis(1500)));
    assert_eq!(package.limits.memory, Bytes::mib(64));
    assert_eq!(package.tests[1].limits.time, Some(Duration::from_secs(2)));
    assert_eq!(package.groups[2].dependencies, ["subtask1"]);
    assert!(package.warnings.is_empty(), "{:?}", package.warnings);
    assert_eq!(judged(&stage, &root, SUM), ("AC".to_owned(), Some(100.0)));
    assert_eq!(judged(&stage, &root, FIRST), ("WA".to_owned(), Some(40.0)));
    // Half of the points in every test; the second subtask needs all of the first.
    assert_eq!(judged(&stage, &root, NEGATIVE), ("WA".to_owned(), Some(20.0)));
}

#[test]
fn hydro_s_tests_are_found_by_their_names_and_share_the_points() {
    let stage = Scene::new();
    let files = [
        ("problem.yaml", "title: {zh: 和, en: Sum}\n"),
        ("testdata/sum1-1.in", "1\n"),
        ("testdata/sum1-1.ans", "1\n"),
        ("testdata/sum2-1.in", "1 2\n"),
        ("testdata/sum2-1.ans", "3\n\n"),
    ];
    let root = write_all(&stage, "found", &files);
    assert_eq!(judged(&stage, &root, SUM), ("AC".to_owned(), Some(100.0)));
    assert_eq!(judged(&stage, &root, FIRST), ("WA".to_owned(), Some(50.0)));
}

#[test]
fn what_hydro_asks_for_beyond_that_is_refused_by_name() {
    let stage = Scene::new();
    for (config, expected) in [
        ("type: objective\n", "type: the problem type 'objective' is not supported"),
        ("type: submit_answer\n", "the problem type 'submit_answer'"),
        ("checker_type: lemon\nchecker: c.cpp\n", "the checker type 'lemon'"),
        ("checker_type: testlib\nchecker: missing.cc\n", "there is no file 'missing.cc'"),
        ("checker_type: testlib\nchecker: nosuch\n", "'nosuch' is not one of testlib's checkers"),
        ("time: soon\n", "time: 'soon' is no time"),
        ("multi_pass: 3\n", "running a program in several passes"),
        ("subtasks: [{cases: [{input: 9.in, output: 9.out}]}]\n", "there is no file '9.in'"),
        ("subtasks: [{type: avg, cases: []}]\n", "'avg' is not a type of subtask"),
    ] {
        let files = [("problem.yaml", "title: x\n"), ("testdata/1.in", "1"), ("testdata/1.out", "1")];
        let root = write_all(&stage, "broken", &files);
        stage.write("broken/testdata/config.yaml", config);
        let error = load(&root).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("config.yaml"), "{config}: {error}");
    }
}

#[test]
fn uoj_s_subtasks_and_extra_tests_hold() {
    let stage = Scene::new();
    let conf = "use_builtin_judger on\nn_tests 3\nn_ex_tests 1\nn_sample_tests 1\nn_subtasks 2\nsubtask_end_1 1\n\
        subtask_score_1 30\nsubtask_end_2 3\nsubtask_score_2 70\nsubtask_dependence_2 1\ninput_pre a\ninput_suf in\n\
        output_pre a\noutput_suf out\ntime_limit 1\ntime_limit_2 2\nmemory_limit 64\n";
    let files = [
        ("problem.conf", conf),
        ("chk.cpp", CHECKER),
        ("a1.in", "1"),
        ("a1.out", "-"),
        ("a2.in", "2"),
        ("a2.out", "-"),
        ("a3.in", "3"),
        ("a3.out", "-"),
        ("ex_a1.in", "4 5"),
        ("ex_a1.out", "-"),
    ];
    let root = write_all(&stage, "uoj", &files);
    let package = load(&root).unwrap();
    assert_eq!(package.format, Format::Uoj);
    assert!(package.tests[3].sample && package.warnings.is_empty(), "{:?}", package.warnings);
    assert_eq!(package.tests[1].limits.time, Some(Duration::from_secs(2)));
    assert_eq!(judged(&stage, &root, SUM), ("AC".to_owned(), Some(100.0)));
    // Right on everything but the extra test.
    assert_eq!(judged(&stage, &root, FIRST), ("WA".to_owned(), Some(97.0)));
    assert_eq!(judged(&stage, &root, "print(0)\n"), ("WA".to_owned(), Some(0.0)));
    for (conf, expected) in [
        ("n_tests 1\n", "use_builtin_judger: a judge of the problem's own is not supported"),
        ("use_builtin_judger on submit_answer on\n", "submit_answer: handing in answers"),
        ("use_builtin_judger on n_tests many\n", "n_tests: 'many' is not a valid number"),
        ("use_builtin_judger on n_tests 9\n", "there is no file 'input1.txt'"),
        ("use_builtin_judger on n_tests\n", "the key 'n_tests' at its end has no value"),
        ("use_builtin_judger on use_builtin_checker odd\n", "'odd' is not one of UOJ's checkers"),
    ] {
        stage.write("uoj/problem.conf", conf);
        let error = load(&root).unwrap_err().to_string();
        assert!(error.contains(expected), "{conf}: {error}");
    }
}

#[test]
fn sinol_s_groups_limits_and_checker_hold() {
    let stage = Scene::new();
    let checker = "#include <fstream>\n#include <iostream>\nint main(int, char **argv) {\n\
        std::ifstream input(argv[1]), output(argv[2]), answer(argv[3]);\n long said = 0, right = 0;\n\
        output >> said; answer >> right;\n if (said == right) std::cout << \"OK\\n\\n100\\n\";\n\
        else if (said == -right) std::cout << \"OK\\nwrong sign\\n50\\n\";\n else std::cout << \"WRONG\\nno\\n\"; }\n";
    let config = "title: Sums\nsinol_task_id: abc\ntime_limit: 1000\ntime_limits: {2: 1500}\nmemory_limit: 66000\n\
        scores: {1: 40, 2: 60}\nsubtask_dependencies: {2: [1]}\n\
        sinol_expected_scores:\n  abcb1.py: {points: 40, expected: {1: {points: 40, status: OK}, 2: {points: 0, status: WA}}}\n";
    let files = [
        ("config.yml", config),
        ("prog/abc.py", SUM),
        ("prog/abcb1.py", FIRST),
        ("prog/abcchk.cpp", checker),
        ("in/abc0.in", "9 9"),
        ("in/abc1a.in", "1"),
        ("in/abc2a.in", "1 2"),
        ("out/abc0.out", "18"),
        ("out/abc1a.out", "1"),
    ];
    let root = write_all(&stage, "sinol", &files);
    let package = load(&root).unwrap();
    assert_eq!((package.format, package.title.as_str()), (Format::Sinol, "Sums"));
    assert_eq!(package.limits.memory, Bytes::kib(66_000));
    assert_eq!(package.tests[2].limits.time, Some(Duration::from_millis(1500)));
    assert_eq!(package.tests[1].groups, ["group1", "group2"]);
    assert_eq!(package.submissions.len(), 2);
    assert!(package.warnings.is_empty(), "{:?}", package.warnings);
    // The answer of the last test is made by the model solution.
    assert_eq!(judged(&stage, &root, SUM), ("AC".to_owned(), Some(100.0)));
    assert_eq!(judged(&stage, &root, FIRST), ("WA".to_owned(), Some(40.0)));
    assert_eq!(judged(&stage, &root, NEGATIVE), ("WA".to_owned(), Some(50.0)));
    let verified = stage.say(&["verify", crate::common::text(&root), "--format", "json"]);
    assert_eq!(verified.code, 0, "{} {}", verified.stdout, verified.stderr);
}

#[test]
fn a_test_is_held_to_its_own_limits() {
    let stage = Scene::new();
    let config = "time: 10s\nmemory: 256m\nsubtasks:\n- {time: 200ms, cases: [{input: 1.in, output: 1.out}]}\n\
        - {cases: [{input: 2.in, output: 2.out}]}\n- {memory: 32m, cases: [{input: 3.in, output: 3.out}]}\n";
    let files = [
        ("problem.yaml", "title: x\n"),
        ("testdata/config.yaml", config),
        ("testdata/1.in", "burn"),
        ("testdata/1.out", "burn\n"),
        ("testdata/2.in", "burn"),
        ("testdata/2.out", "burn"),
        ("testdata/3.in", "fill"),
        ("testdata/3.out", "fill"),
    ];
    let root = write_all(&stage, "own", &files);
    let source = stage.write(
        "own.c",
        "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <time.h>\nint main(void) {\n\
         char word[9]; scanf(\"%8s\", word);\n\
         if (*word == 'b') while (clock() < CLOCKS_PER_SEC / 2) ;\n\
         else { size_t size = 96 << 20; volatile char *all = malloc(size);\n\
         for (size_t place = 0; place < size; place += 4096) all[place] = 1; }\n\
         puts(word); }\n",
    );
    let arguments = [crate::common::text(&root), crate::common::text(&source), "--policy", "full"];
    assert_eq!(crate::common::verdicts(&stage.report(&arguments)), ["TLE", "AC", "MLE"]);
}

#[test]
fn a_folder_of_several_problems_is_no_problem() {
    let stage = Scene::new();
    for problem in ["a", "b"] {
        stage.write(&format!("two/{problem}/problem.yaml"), "name: x\nvalidation: custom\n");
        stage.write(&format!("two/{problem}/data/secret/1.in"), "1\n");
        stage.write(&format!("two/{problem}/data/secret/1.ans"), "1\n");
    }
    let error = load(&stage.path("two")).unwrap_err().to_string();
    assert!(error.contains("it holds 2 problems: a, b; name one"), "{error}");
    // Also where a file with the ending of an input lies beside them.
    stage.write("two/contest.yaml.in", "x\n");
    assert!(load(&stage.path("two")).unwrap_err().to_string().contains("it holds 2 problems"));
    assert_eq!(discover(&stage.path("two")).unwrap().len(), 2);
    let source = stage.write("one.py", "print(input())\n");
    let said = stage.say(&["judge", crate::common::text(&stage.path("two")), crate::common::text(&source)]);
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(said.stderr.contains("it holds 2 problems: a, b; name one"), "{}", said.stderr);
}

#[test]
fn bare_tests_with_settings_or_a_checker_beside_them_are_refused() {
    let stage = Scene::new();
    for (file, expected) in [
        ("init.yaml", "'init.yaml' is not read"),
        ("problem.yml", "'problem.yml' is not read"),
        ("serve.cfg", "ejudge"),
        ("problem_1000.json", "HOJ"),
        ("problem.properties", "PCMS2"),
        ("checker.cpp", "'checker.cpp' looks like a checker"),
        ("chk.cc", "looks like a checker"),
        ("spj.c", "looks like a checker"),
        ("output_validators/v.py", "'output_validators' looks like a checker"),
    ] {
        let stem = file.replace(['/', '.'], "-");
        stage.write(&format!("{stem}/1.in"), "1\n");
        stage.write(&format!("{stem}/1.out"), "1\n");
        stage.write(&format!("{stem}/{file}"), "x\n");
        let error = load(&stage.path(&stem)).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("; "), "{file}: {error}");
    }
    stage.write("omegaup/settings.json", "{}");
    stage.write("omegaup/cases/1.in", "1");
    stage.write("omegaup/cases/1.out", "1");
    assert!(load(&stage.path("omegaup")).unwrap_err().to_string().contains("omegaUp"));
}

#[test]
fn text_before_and_after_a_submission_is_judged_with_it() {
    let stage = Scene::new();
    let append = "int main() { int a, b; std::cin >> a >> b; std::cout << sum(a, b) << std::endl; }";
    let file = stage.write(
        "set.xml",
        format!(
            "<fps version='1.2'><item><title>Sum</title><time_limit unit='s'>2</time_limit>\
             <memory_limit unit='mb'>256</memory_limit><test_input>1 2</test_input><test_output>3</test_output>\
             <prepend language='C++'><![CDATA[#include <iostream>]]></prepend>\
             <append language='C++'><![CDATA[{append}]]></append>\
             <append language='Python'>print(total(*map(int, input().split())))</append></item></fps>"
        ),
    );
    let verdict = |name: &str, text: &str| {
        let source = stage.write(name, text);
        let report = stage.report(&[crate::common::text(&file), crate::common::text(&source)]);
        report["verdict"].as_str().unwrap().to_owned()
    };
    // Neither needs a newline at its end.
    assert_eq!(verdict("sum.cpp", "int sum(int a, int b) { return a + b; } // no newline"), "AC");
    assert_eq!(verdict("wrong.cpp", "int sum(int a, int b) { return a - b; }"), "WA");
    assert_eq!(verdict("main.cpp", "int sum(int a, int b) { return a + b; }\nint main() {}\n"), "CE");
    assert_eq!(verdict("total.py", "def total(a, b):\n    return a + b"), "AC");
    assert_eq!(verdict("other.c", "#include <stdio.h>\nint main(void) { puts(\"3\"); }\n"), "AC");
}
