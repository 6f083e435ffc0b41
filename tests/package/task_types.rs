//! Task types in which more than a program and its output counts: CMS's TwoSteps and BatchAndOutput, and DMOJ's graders in
//! Python, judged by the executable.

use std::path::{Path, PathBuf};

use crate::common::Scene;
use gavel::package::{Interaction, OutputFile, load};
use serde_json::Value;

fn write_all(scene: &Scene, folder: &str, files: &[(&str, &str)]) -> PathBuf {
    for (name, text) in files {
        scene.write(&format!("{folder}/{name}"), text);
    }
    scene.path(folder)
}

/// The report of a submission of several files.
fn report(scene: &Scene, package: &Path, files: &[(&str, &str)]) -> Value {
    let paths: Vec<PathBuf> =
        files.iter().map(|(name, text)| scene.write(&format!("submitted/{name}"), text)).collect();
    let mut arguments = vec![crate::common::text(package)];
    arguments.extend(paths.iter().map(|path| crate::common::text(path)));
    arguments.extend(["--policy", "full"]);
    scene.report(&arguments)
}

fn verdict(report: &Value) -> &str {
    report["verdict"].as_str().unwrap()
}

fn verdicts(report: &Value) -> Vec<&str> {
    report["tests"].as_array().unwrap().iter().map(|test| test["verdict"].as_str().unwrap()).collect()
}

const MANAGER: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include "manager.h"
#include "first.h"
#include "second.h"
int main(int argc, char **argv) {
    int number;
    if (atoi(argv[1]) == 0) {
        FILE *pipe = fopen(argv[2], "w");
        if (scanf("%d", &number) != 1) return 3;
        fprintf(pipe, "%d\n", first(number));
        /* More than a pipe holds, which nobody reads. */
        for (int i = 0; i < 300000; i++) fputc(' ', pipe);
        return fclose(pipe) != 0;
    }
    FILE *pipe = fopen(argv[2], "r");
    if (fscanf(pipe, "%d", &number) != 1) number = -1;
    printf("%d\n", second(number));
    return 0;
}
"#;

fn two_steps(scene: &Scene) -> PathBuf {
    let yaml =
        "name: steps\ntitle: Steps\ntask_type: TwoSteps\nn_input: 2\ntime_limit: 1\nmemory_limit: 256\n";
    write_all(
        scene,
        "steps",
        &[
            ("task.yaml", yaml),
            ("sol/manager.c", MANAGER),
            ("sol/manager.h", ""),
            ("sol/first.h", "int first(int number);\n"),
            ("sol/second.h", "int second(int number);\n"),
            ("input/input0.txt", "5\n"),
            ("output/output0.txt", "5\n"),
            ("input/input1.txt", "70\n"),
            ("output/output1.txt", "70\n"),
        ],
    )
}

#[test]
fn two_processes_of_a_cms_task_pass_on_what_the_first_computes() {
    let scene = Scene::new();
    let package = two_steps(&scene);
    assert_eq!(load(&package).unwrap().interaction, Interaction::TwoSteps);
    let encode = "int first(int number) { return number * 2; }\n";
    let decode = "int second(int number) { return number / 2; }\n";
    for (first, second, expected) in [
        (encode, decode, "AC"),
        (encode, "int second(int number) { return number; }\n", "WA"),
        ("#include <stdlib.h>\nint first(int number) { exit(number); }\n", decode, "RTE"),
        (encode, "#include <stdlib.h>\nint second(int number) { exit(number); }\n", "RTE"),
        ("int first(int number) { for (volatile int i = 0;; i++) {} }\n", decode, "TLE"),
        (encode, "int second(int number) { for (volatile int i = 0;; i++) {} }\n", "TLE"),
        // What one process keeps, the other does not have.
        (
            "int kept;\nint first(int number) { kept = number; return 0; }\n",
            "extern int kept;\nint second(int number) { return kept; }\n",
            "WA",
        ),
        (encode, "int third(int number) { return number; }\n", "CE"),
    ] {
        let report = report(&scene, &package, &[("first.c", first), ("second.c", second)]);
        assert_eq!(verdict(&report), expected, "{first}{second}{report:#}");
    }
}

/// The square of a number; the outputs of test 000 must be handed in, that of 001 may be.
fn mixed(scene: &Scene, more: &[(&str, &str)]) -> PathBuf {
    let yaml = "name: mixed\ntitle: Mixed\nn_input: 3\ntime_limit: 1\nmemory_limit: 256\ninfile: ''\noutfile: ''\n\
                output_only_testcases: '0'\noutput_optional_testcases: 0,1\n";
    let mut files = vec![("task.yaml", yaml)];
    files.extend([("input/input0.txt", "3\n"), ("output/output0.txt", "9\n")]);
    files.extend([("input/input1.txt", "4\n"), ("output/output1.txt", "16\n")]);
    files.extend([("input/input2.txt", "5\n"), ("output/output2.txt", "25\n")]);
    files.extend(more);
    write_all(scene, "mixed", &files)
}

const SQUARE: (&str, &str) = ("main.py", "print(int(input()) ** 2)\n");

#[test]
fn outputs_are_handed_in_beside_a_program_of_a_cms_task() {
    let scene = Scene::new();
    let package = mixed(&scene, &[]);
    let kinds: Vec<_> = load(&package).unwrap().tests.iter().map(|test| test.output_file).collect();
    assert_eq!(kinds, [OutputFile::Required, OutputFile::Optional, OutputFile::Refused]);
    let wrong = ("main.py", "print(7)\n");
    for (files, expected) in [
        (&[SQUARE, ("output_000.txt", "9\n")][..], ["AC", "AC", "AC"]),
        // A program is not run where an output must be handed in.
        (&[SQUARE], ["WA", "AC", "AC"]),
        (&[wrong, ("output_001.txt", "16\n")], ["WA", "AC", "WA"]),
        (&[SQUARE, ("output_000.txt", "9\n"), ("output_001.txt", "15\n")], ["AC", "WA", "AC"]),
        (&[("output_000.txt", "9\n"), ("output_001.txt", "16\n")], ["AC", "AC", "WA"]),
        // One that no test asks for counts for nothing.
        (&[("output_000.txt", "9\n"), ("output_002.txt", "25\n")], ["AC", "WA", "WA"]),
        (&[wrong, ("output_000.txt", "9\n"), ("output_002.txt", "25\n")], ["AC", "WA", "WA"]),
    ] {
        let report = report(&scene, &package, files);
        assert_eq!(verdicts(&report), expected, "{report:#}");
    }
    let broken = report(&scene, &package, &[("main.c", "int main(\n"), ("output_000.txt", "9\n")]);
    assert_eq!(verdict(&broken), "CE");
}

#[test]
fn a_cms_checker_is_told_which_outputs_had_to_be_handed_in() {
    let scene = Scene::new();
    let checker = "import sys\nkind = 'outputonly' if open(sys.argv[1]).read() == '3\\n' else 'batch'\n\
                   print(1.0 if sys.argv[4:] == [kind] else 0.0)\nprint('said', file=sys.stderr)\n";
    let package = mixed(&scene, &[("check/checker.py", checker)]);
    let report = report(&scene, &package, &[SQUARE, ("output_000.txt", "9\n"), ("output_001.txt", "16\n")]);
    assert_eq!(verdicts(&report), ["AC", "AC", "AC"], "{report:#}");
}

const INTERACT: &str = r#"
from dmoj.graders.interactive import InteractiveGrader
from dmoj.result import CheckerResult


class Grader(InteractiveGrader):
    def interact(self, case, interactor):
        print('this is for nobody')
        number = int(case.input_data())
        for guesses in range(1, 50):
            guess = interactor.readint(1, 1000)
            if guess == number:
                interactor.writeln('OK')
                if guesses > 10:
                    return CheckerResult(False, case.points / 4, 'slow')
                return True
            interactor.writeln('FLOATS' if guess > number else 'SINKS')
        return False
"#;

fn dmoj(scene: &Scene, name: &str, grader: &str, more: &str) -> PathBuf {
    let init = format!(
        "custom_judge: grader.py\nunbuffered: true\ntime_limit: 1\n{more}test_cases:\n- {{in: 1.in, out: 1.out, points: 8}}\n"
    );
    let files = [("init.yml", init.as_str()), ("grader.py", grader), ("1.in", "500\n"), ("1.out", "1000\n")];
    write_all(scene, name, &files)
}

#[test]
fn a_dmoj_grader_talks_with_the_program() {
    let scene = Scene::new();
    let package = dmoj(&scene, "guess", INTERACT, "");
    let search = |first: &str| {
        format!(
            "low, high = 1, 1000\nguess = {first}\nwhile True:\n    print(guess)\n    said = input()\n    if said == 'OK': break\n\
             {}    if said == 'FLOATS': high = guess - 1\n    else: low = guess + 1\n    guess = (low + high) // 2\n",
            "    assert said in ('FLOATS', 'SINKS')\n"
        )
    };
    let linear =
        "guess = 488\nwhile True:\n    print(guess)\n    if input() == 'OK': break\n    guess += 1\n";
    for (program, expected, score, message) in [
        (search("500"), "AC", 8.0, ""),
        (search("7"), "AC", 8.0, ""),
        (linear.to_owned(), "WA", 2.0, "slow"),
        (linear.replace("488", "1"), "WA", 0.0, ""),
        ("print('x' * 9)\ninput()\n".to_owned(), "WA", 0.0, "expected int, got \"xxxxx...\""),
        ("print(1001)\ninput()\n".to_owned(), "WA", 0.0, "expected int in range [1, 1000], got 1001"),
        ("raise ValueError('no')\n".to_owned(), "RTE", 0.0, "ValueError: no"),
        ("while True: pass\n".to_owned(), "TLE", 0.0, ""),
    ] {
        let report = report(&scene, &package, &[("main.py", &program)]);
        let got = (verdict(&report), report["score"].as_f64().unwrap());
        assert_eq!(got, (expected, score), "{program}{report:#}");
        let said = report["tests"][0]["message"].as_str().unwrap_or_default();
        assert!(said.contains(message), "{program}{said}");
    }
}

#[test]
fn a_dmoj_grader_checks_the_output_of_the_whole_program() {
    let scene = Scene::new();
    let grader = r#"
from dmoj.graders import StandardGrader
from dmoj.result import CheckerResult
from dmoj.utils.unicode import utf8text


class Grader(StandardGrader):
    def check_result(self, case, result):
        assert case.input_data() == b'500\n' and case.position == 0 and self.problem.time_limit == 1
        if b'eval' in self.source or self.language != 'PY3':
            return CheckerResult(False, 0, 'no eval')
        return int(result.proc_output) == int(utf8text(case.output_data()))
"#;
    let package = dmoj(&scene, "whole", grader, "");
    for (program, expected, message) in [
        ("print(int(input()) * 2)\n", "AC", ""),
        ("print(7)\n", "WA", ""),
        ("print(eval('1000'))\n", "WA", "no eval"),
        ("print(1000)\nraise SystemExit(3)\n", "RTE", ""),
        // The grader's own failure is not the contestant's.
        ("print('x')\n", "JE", "it crashed (exit code 3): ValueError"),
    ] {
        let report = report(&scene, &package, &[("main.py", program)]);
        assert_eq!(verdict(&report), expected, "{program}{report:#}");
        let said = report["tests"][0]["message"].as_str().unwrap_or_default();
        assert!(said.contains(message), "{program}{said}");
    }
    // Without a check of its own, lines and words are compared.
    let plain = "from dmoj.graders.standard import StandardGrader\nclass Grader(StandardGrader):\n    pass\n";
    let package = dmoj(&scene, "plain", plain, "");
    for (program, expected) in [("print(' 1000 ')\n", "AC"), ("print(1001)\n", "WA")] {
        assert_eq!(verdict(&report(&scene, &package, &[("main.py", program)])), expected, "{program}");
    }
}

#[test]
fn a_dmoj_grader_stays_in_its_box() {
    let scene = Scene::new();
    let secret = scene.write("secret.txt", "for the judge alone");
    let grader = format!(
        "from dmoj.graders import StandardGrader\nimport os, socket\nclass Grader(StandardGrader):\n\
         \x20   def check_result(self, case, result):\n\
         \x20       for attempt in (lambda: open({:?}).read(), lambda: socket.create_connection(('127.0.0.1', 22)),\n\
         \x20                       lambda: open('/package/1.in', 'w'), lambda: os.listdir('/root')):\n\
         \x20           try:\n                attempt()\n                return False\n\
         \x20           except OSError:\n                pass\n\
         \x20       return True\n",
        crate::common::text(&secret)
    );
    let package = dmoj(&scene, "boxed", &grader, "");
    let report = report(&scene, &package, &[("main.py", "print(1)\n")]);
    assert_eq!(verdict(&report), "AC", "{report:#}");
}

#[test]
fn what_a_dmoj_grader_cannot_have_is_refused_by_name() {
    let scene = Scene::new();
    let standard = "from dmoj.graders import StandardGrader\nclass Grader(StandardGrader):\n";
    let method =
        |body: &str| format!("{standard}    def check_result(self, case, result):\n        {body}\n");
    for (place, (grader, more, part)) in [
        (
            method("return bool(result.result_flag & Result.TLE)"),
            "",
            "how the program ended (Result.TLE, line 4)",
        ),
        (method("return result.execution_time < 1"), "", "what the program used (execution_time, line 4)"),
        (
            "from dmoj.graders import SignatureGrader\n".to_owned(),
            "",
            "a grader of signatures (SignatureGrader, line 1)",
        ),
        ("import dmoj.cptbox\n".to_owned(), "", "a grader that imports dmoj.cptbox (line 1)"),
        (format!("{standard}    def _generate_binary(self): pass\n"), "", "compiles the submission itself"),
        (method("return True"), "file_io: {input: a.txt}\n", "a grader of programs that use files"),
        (method("return True"), "interactive: {files: grader.py}\n", "interactive: it beside custom_judge"),
    ]
    .into_iter()
    .enumerate()
    {
        let package = dmoj(&scene, &format!("refused{place}"), &grader, more);
        let error = load(&package).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("not supported"), "{part}: {error}");
    }
}
