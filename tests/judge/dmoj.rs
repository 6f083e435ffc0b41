//! DMOJ packages judged end to end: what its judge gives programs, interactors and checkers.

use std::path::{Path, PathBuf};

use crate::common::{Scene, text, verdicts};
use serde_json::Value;

/// A problem with files; `1.in` has a secret number below 16, `1.out` the number plus one.
fn problem(scene: &Scene, init: &str, files: &[(&str, &str)]) -> PathBuf {
    scene.write("problem/1.in", "11\n");
    scene.write("problem/1.out", "12\n");
    for (name, content) in files {
        scene.write(&format!("problem/{name}"), content);
    }
    scene.write("problem/init.yml", init);
    scene.path("problem")
}

fn judge(scene: &Scene, package: &Path, name: &str, source: &str, language: &str) -> Value {
    let source = scene.write(name, source);
    scene.report(&[text(package), text(&source), "--language", language])
}

/// Answers with whether the secret number is larger until it hears it.
const GUESSING: &str = "import sys\n\
    secret = int(open(sys.argv[1]).read())\n\
    while True:\n    guess = int(sys.stdin.readline())\n    print(1 if secret > guess else 0)\n    if guess == secret:\n        sys.exit(0)\n";

const GUESSES_IN_C: &str = "#include <stdio.h>\nint main(void) {\n  for (int guess = 9, more = 1; more; guess++) {\n\
    printf(\"%d\\n\", guess);\n    if (scanf(\"%d\", &more) != 1) return 1;\n  }\n}\n";
const GUESSES_IN_CPP: &str = "#include <bits/stdc++.h>\nint main() {\n  std::cin.tie(nullptr);\n  for (int guess = 9, more = 1; more; guess++) {\n\
    std::cout << guess << '\\n';\n    if (!(std::cin >> more)) return 1;\n  }\n}\n";
const GUESSES_IN_PYTHON: &str = "import sys\nguess, more = 9, 1\nwhile more:\n    sys.stdout.write(f'{guess}\\n')\n    \
    more = int(sys.stdin.readline())\n    guess += 1\n";

#[test]
fn unbuffered_programs_need_not_flush() {
    let scene = Scene::new();
    let init = |unbuffered: &str| {
        format!(
            "unbuffered: {unbuffered}\ntime_limit: 1\ninteractive: {{files: guess.py}}\ntest_cases: [{{in: 1.in}}]\n"
        )
    };
    let languages = [
        ("g.c", GUESSES_IN_C, "c17"),
        ("g.cpp", GUESSES_IN_CPP, "cpp20"),
        ("g.py", GUESSES_IN_PYTHON, "python3"),
    ];
    let package = problem(&scene, &init("true"), &[("guess.py", GUESSING)]);
    for (name, source, language) in languages {
        let report = judge(&scene, &package, name, source, language);
        assert_eq!(report["verdict"], "AC", "{language}: {report}");
        assert_eq!(report["warnings"].as_array().map_or(0, Vec::len), 0, "{report}");
    }
    // Where a language has no way, the report says so.
    let report = judge(&scene, &package, "g.pl", "print \"11\\n\"; <STDIN>;", "perl");
    assert!(report["warnings"].to_string().contains("must flush"), "{report}");
    let package = problem(&scene, &init("false"), &[]);
    let report = judge(&scene, &package, "g.c", GUESSES_IN_C, "c17");
    assert_eq!(report["verdict"], "WTL", "{report}");
}

#[test]
fn interactors_need_not_flush_unless_they_ask_for_a_buffer() {
    let scene = Scene::new();
    let in_c = "#include <stdio.h>\nint main(int count, char **names) {\n  int secret, guess;\n\
        FILE *file = fopen(names[1], \"r\");\n  if (!file || fscanf(file, \"%d\", &secret) != 1) return 3;\n\
        while (scanf(\"%d\", &guess) == 1) {\n    puts(secret > guess ? \"1\" : \"0\");\n    if (guess == secret) return 0;\n  }\n  return 1;\n}\n";
    let flushing = GUESSES_IN_C.replace("guess);\n", "guess); fflush(stdout);\n");
    for (options, verdict) in [("", "AC"), (", unbuffered: false", "WTL")] {
        let init =
            format!("time_limit: 1\ninteractive: {{files: guess.c{options}}}\ntest_cases: [{{in: 1.in}}]\n");
        let package = problem(&scene, &init, &[("guess.c", in_c)]);
        let report = judge(&scene, &package, "g.c", &flushing, "c17");
        assert_eq!(report["verdict"], verdict, "{options}: {report}");
    }
}

#[test]
fn a_checker_in_python_is_told_what_the_run_used_and_what_was_sent() {
    let scene = Scene::new();
    let checker = "def check(process_output, judge_output, submission_source, submission_language, execution_time, result,\n\
        \x20         case_position, batch, **_):\n\
        \x20   assert result.max_memory > 1000, result.max_memory\n\
        \x20   assert execution_time > 0.05 and result.execution_time == execution_time, execution_time\n\
        \x20   assert result.wall_clock_time > 0.05\n\
        \x20   assert submission_language == 'PY3', submission_language\n\
        \x20   assert (case_position, batch) in [(0, 0), (1, 1)], (case_position, batch)\n\
        \x20   return b'marker' in submission_source\n";
    let init = "checker: check.py\ntest_cases:\n- {in: 1.in}\n- batched: [{in: 1.in, out: 1.out}]\n";
    let package = problem(&scene, init, &[("check.py", checker)]);
    let busy = "import time\nwhile time.process_time() < 0.1: pass\n";
    let report = judge(&scene, &package, "a.py", &format!("# marker\n{busy}"), "python3");
    assert_eq!(verdicts(&report), ["AC", "AC"], "{report}");
    let report = judge(&scene, &package, "a.py", busy, "python3");
    assert_eq!(verdicts(&report), ["WA", "WA"], "{report}");
}

#[test]
fn links_lie_where_the_program_runs() {
    let scene = Scene::new();
    let init = "symlinks: {in_link: /dev/stdin}\n\
        test_cases:\n- {in: 1.in, out: 1.out}\n- {in: 1.in, out: 1.out, symlinks: {deep/out_link: /dev/stdout}}\n";
    let package = problem(&scene, init, &[]);
    let reads = "import os\nnumber = int(open('in_link').read()) + 1\n";
    let report = judge(&scene, &package, "a.py", &format!("{reads}print(number)\n"), "python3");
    // A map of the case takes the place of the one above.
    assert_eq!(verdicts(&report), ["AC", "RTE"], "{report}");
    let writes = "open('deep/out_link', 'w').write(str(int(input()) + 1))\n";
    let report = judge(&scene, &package, "a.py", writes, "python3");
    assert_eq!(verdicts(&report), ["RTE", "AC"], "{report}");
}

#[test]
fn a_peg_checker_is_told_answer_output_and_input_and_gives_parts() {
    let scene = Scene::new();
    let checker = "import sys\nanswer, output, given = (open(name).read().split() for name in sys.argv[1:4])\n\
        assert given == ['11'] and answer == ['12'], sys.argv\n\
        print('some text')\nprint({'12': 4, '13': 3}.get(output[0], 0) if output else 0)\nprint(4)\n\
        sys.exit(0 if output == answer else 1)\n";
    let init = "checker: {name: bridged, args: {files: check.py, lang: PY3, type: peg}}\n\
        test_cases: [{in: 1.in, out: 1.out, points: 8}]\n";
    let package = problem(&scene, init, &[("check.py", checker)]);
    for (output, verdict, score) in [("12", "AC", 8.0), ("13", "WA", 6.0), ("14", "WA", 0.0)] {
        let report = judge(&scene, &package, "a.sh", &format!("echo {output}\n"), "bash");
        assert_eq!(
            (report["verdict"].as_str(), report["score"].as_f64()),
            (Some(verdict), Some(score)),
            "{report}"
        );
    }
}

#[test]
fn a_batch_that_is_right_in_part_lets_others_be_run() {
    let scene = Scene::new();
    let checker = "from dmoj.result import CheckerResult\n\
        def check(process_output, judge_output, point_value, **_):\n\
        \x20   share = {b'12': 1, b'13': 0.5}.get(process_output.strip(), 0)\n\
        \x20   return CheckerResult(share > 0, point_value * share)\n";
    let init = "checker: check.py\ntest_cases:\n- {batched: [{in: 1.in, out: 1.out}], points: 40}\n\
        - {batched: [{in: 1.in, out: 1.out}], points: 60, dependencies: [1]}\n";
    let package = problem(&scene, init, &[("check.py", checker)]);
    for (output, score) in [("12", 100.0), ("13", 50.0), ("14", 0.0)] {
        let report = judge(&scene, &package, "a.sh", &format!("echo {output}\n"), "bash");
        assert_eq!(report["score"].as_f64(), Some(score), "{report}");
        assert_eq!(report["groups"][1]["verdict"] == "SK", output == "14", "{report}");
    }
}

#[test]
fn a_python_checker_s_result_passes_or_not_whatever_its_points() {
    let scene = Scene::new();
    let checker = "from dmoj.result import CheckerResult\n\
        def check(process_output, judge_output, **_):\n\
        \x20   print('not the answer')\n\
        \x20   passed, points = process_output.split()\n\
        \x20   return CheckerResult(passed == b'yes', float(points), feedback='so so')\n";
    let init = "checker: check.py\ntest_cases:\n- {in: 1.in, out: 1.out, points: 4}\n";
    let package = problem(&scene, init, &[("check.py", checker)]);
    for (output, verdict, score) in [
        ("yes 4", "AC", 4.0),
        ("yes 0", "AC", 0.0),
        ("yes 1", "AC", 1.0),
        ("no 0", "WA", 0.0),
        ("no 1", "WA", 1.0),
    ] {
        let report = judge(&scene, &package, "a.sh", &format!("echo {output}\n"), "bash");
        assert_eq!(report["verdict"], verdict, "{output}: {report}");
        assert_eq!(report["score"].as_f64(), Some(score), "{output}: {report}");
        assert_eq!(report["tests"][0]["message"], "so so", "{report}");
    }
}

#[test]
fn a_suite_may_expect_that_the_package_fails() {
    let scene = Scene::new();
    let checker = "def check(process_output, judge_output, **_):\n    if process_output == b'crash\\n':\n        raise ValueError('no')\n    return True\n";
    let package = problem(
        &scene,
        "checker: check.py\ntest_cases: [{in: 1.in, out: 1.out}]\n",
        &[
            ("check.py", checker),
            ("tests/fails/test.yml", "{language: PY3, time: 2, memory: 262144, source: a.py, expect: IE}"),
            ("tests/fails/a.py", "print('crash')\n"),
        ],
    );
    let said = scene.say(&["verify", text(&package), "--only", "submissions"]);
    assert_eq!(said.code, 0, "{said:?}");
    scene.write("problem/tests/fails/a.py", "print('fine')\n");
    let said = scene.say(&["verify", text(&package), "--only", "submissions"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stdout.contains("JE"), "{said:?}");
}

/// `dmoj/testsuite.py` submits each with the time and memory of its own file, as a site would.
#[test]
fn submissions_of_a_suite_are_verified_under_limits_of_their_own() {
    let scene = Scene::new();
    let spin = "import time\nwhile time.process_time() < 2: pass\nprint(12)\n";
    let java = "public class Main { public static void main(String[] a) { System.out.println(12); } }\n";
    let package = problem(
        &scene,
        "test_cases: [{in: 1.in, out: 1.out}]\n",
        &[
            ("tests/long/test.yml", "{language: PY3, time: 20, memory: 262144, source: a.py, expect: AC}"),
            ("tests/long/a.py", spin),
            ("tests/short/test.yml", "{language: PY3, time: 1, memory: 262144, source: a.py, expect: TLE}"),
            ("tests/short/a.py", spin),
            ("tests/tiny/test.yml", "{language: C, time: 20, memory: 1, source: a.c, expect: MLE}"),
            (
                "tests/tiny/a.c",
                "#include <stdio.h>\nint big[1 << 20];\nint main() { for (int i = 0; i < 1 << 20; i++) big[i] = i; puts(\"12\"); }\n",
            ),
            ("tests/heap/test.yml", "{language: JAVA, time: 20, memory: 1, source: Main.java, expect: MLE}"),
            ("tests/heap/Main.java", java),
        ],
    );
    let said = scene.say(&["verify", text(&package), "--only", "submissions"]);
    assert_eq!(said.code, 0, "{said:?}");
}

/// DMOJ's Java agent ends a program that loads one of these classes; a class of one's own with that name is another.
#[test]
fn big_numbers_of_java_are_forbidden_by_a_hint() {
    let scene = Scene::new();
    let init = "hints: [nobigmath]\ntime_limit: 10\ntest_cases: [{in: 1.in, out: 1.out}]\n";
    let package = problem(&scene, init, &[]);
    let main = |before: &str, inside: &str| {
        format!("{before}public class Main {{ public static void main(String[] a) {{ {inside} }} }}\n")
    };
    let used = main("import java.math.*;\n", "System.out.println(new BigInteger(\"12\"));");
    let through = main("", "System.out.println(new java.util.Scanner(\"12\").nextBigDecimal());");
    for source in [used, through] {
        let report = judge(&scene, &package, "Main.java", &source, "java17");
        assert_eq!(report["verdict"], "RTE", "{report}");
        let message = report["tests"][0]["message"].as_str().unwrap();
        assert!(message.contains("is forbidden in this problem (hints: nobigmath)"), "{report}");
    }
    let imported = main("import java.math.BigInteger;\n", "System.out.println(12);");
    let own = main("class BigInteger { int value = 12; }\n", "System.out.println(new BigInteger().value);");
    for source in [imported, own] {
        let report = judge(&scene, &package, "Main.java", &source, "java17");
        assert_eq!(report["verdict"], "AC", "{report}");
    }
    let report = judge(&scene, &package, "a.kt", "fun main() { println(\"12\".toBigInteger()) }\n", "kotlin");
    assert_eq!(report["verdict"], "RTE", "{report}");
    let report = judge(&scene, &package, "b.kt", "fun main() { println(12) }\n", "kotlin");
    assert_eq!(report["verdict"], "AC", "{report}");
}

#[test]
fn what_a_checker_asks_for_in_vain_is_named() {
    let scene = Scene::new();
    let init = "test_cases:\n- {in: 1.in, out: 1.out, checker: check.py}\n\
        - {in: 1.in, out: 1.out, checker: {name: bridged, args: {files: c.cpp, lang: CPP17, feedback: false}}}\n\
        - {in: 1.in, generator: g.py, generator_args: [1]}\n";
    let checker =
        "def check(process_output, judge_output, **_):\n    return True\ncheck.run_on_error = True\n";
    let package =
        problem(&scene, init, &[("check.py", checker), ("c.cpp", "int main() {}\n"), ("g.py", "print(1)\n")]);
    let said = scene.say(&["package", "check", text(&package)]);
    for expected in [
        "check.py: run_on_error is not supported",
        "checker.args.feedback: false is not supported",
        "generator_args: the case has an input file ('in')",
    ] {
        assert!(said.stdout.contains(expected) || said.stderr.contains(expected), "{expected}: {said:?}");
    }
}

#[test]
fn an_empty_source_is_judged() {
    let scene = Scene::new();
    let package = problem(&scene, "test_cases: [{in: 1.in, out: 1.out}]\n", &[]);
    assert_eq!(judge(&scene, &package, "a.py", "", "python3")["verdict"], "WA");
    assert_eq!(judge(&scene, &package, "a.c", "", "c17")["verdict"], "CE");
}

#[test]
fn unknown_keys_are_named_wherever_they_stand() {
    let scene = Scene::new();
    let init = "file_io: {inputs: a}\n\
        interactive: {files: guess.py, preprocesing_time: 3}\n\
        test_cases:\n- {in: 1.in, pionts: 3}\n";
    let package = problem(&scene, init, &[("guess.py", GUESSING)]);
    let said = scene.say(&["package", "check", text(&package)]);
    for place in [
        "file_io.inputs: an unknown key is ignored: did you mean 'input'?",
        "interactive.preprocesing_time: an unknown key is ignored: did you mean 'preprocessing_time'?",
        "test_cases[0].pionts: an unknown key is ignored: did you mean 'points'?",
    ] {
        assert!(said.stdout.contains(place), "{place}: {said:?}");
    }
    let init = "checker: {name: floats, arg: 1, args: {precison: 3}}\n\
        generator: {source: guess.py, languag: PY3}\n\
        test_cases:\n- {in: 1.in, out: 1.out}\n- {generator_args: [1]}\n";
    let package = problem(&scene, init, &[]);
    let said = scene.say(&["package", "check", text(&package)]);
    for place in [
        "checker.arg: an unknown key is ignored: did you mean 'args'?",
        "checker.args.precison: an unknown key is ignored: did you mean 'precision'?",
        "generator.languag: an unknown key is ignored: did you mean 'language'?",
    ] {
        assert_eq!(said.stdout.matches(place).count(), 1, "{place}: {said:?}");
    }
    scene.write("problem/archive.zip", b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    let init = "archive: archive.zip\ntest_cases: {input_fromat: x}\n";
    let said = scene.say(&["package", "check", text(&problem(&scene, init, &[]))]);
    assert!(
        said.stdout
            .contains("test_cases.input_fromat: an unknown key is ignored: did you mean 'input_format'?"),
        "{said:?}"
    );
}
