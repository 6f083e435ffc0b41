//! Checkers of four families of tools, each run as its own judge runs it.

use std::path::{Path, PathBuf};

use crate::common::{SUM, Scene, text};
use gavel::cancel::CancelToken;
use gavel::checker::{CustomScore, DmojKind, Protocol};
use gavel::judge::{Judge, JudgeSettings};
use gavel::language::Table;
use gavel::package::{
    Check, CheckerProgram, JuryProgram, LanguageHint, Package, ProgramBuild, ProgramFile, ProgramLimits, load,
};
use gavel::report::{Report, TestReport};
use gavel::submission::{Content, LimitOverrides, Policy, ProblemRef, SCHEMA, SourceFile, Stop, Submission};
use gavel::verdict::{Reason, Verdict};

/// A judge with a cache in the scene.
fn judge(scene: &Scene) -> Judge {
    let mut table = Table::built_in().unwrap();
    for language in &mut table.languages {
        // With a cache of its own every test would precompile the headers anew.
        language.prepare = None;
    }
    let mut settings = JudgeSettings::new(table, scene.path("cache"));
    settings.sandbox.executable = Some(PathBuf::from(env!("CARGO_BIN_EXE_gavel")));
    settings.packages.push(scene.path("."));
    settings.slots = Some(2);
    Judge::start(settings).unwrap()
}

/// The sum of two integers, checked by a program.
fn package(scene: &Scene, protocol: Protocol, files: &[(&str, &str)], arguments: &[&str]) -> Package {
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| ProgramFile {
            name: (*name).to_owned(),
            path: scene.write(&format!("sum/jury/{name}"), text),
        })
        .collect();
    let mut package = load(&scene.sum_package(&[(1, 2), (30, 40)])).unwrap();
    package.checkers = vec![CheckerProgram {
        program: JuryProgram {
            name: "checker".to_owned(),
            files,
            build: ProgramBuild::Language { language: LanguageHint::Files, flags: Vec::new() },
        },
        protocol,
        call: None,
        limits: ProgramLimits::default(),
        scores: CustomScore::Refused,
    }];
    let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    for test in &mut package.tests {
        test.check = Check::Program { checker: 0, arguments: arguments.clone() };
    }
    package
}

fn judged(judge: &Judge, package: &Package, program: &str) -> Report {
    let submission = Submission {
        schema: SCHEMA,
        id: "1".to_owned(),
        judging: "1".to_owned(),
        language: "bash".to_owned(),
        files: vec![SourceFile { name: "main.sh".to_owned(), content: Content::Text(program.to_owned()) }],
        problem: ProblemRef::reference("sum"),
        limits: LimitOverrides::default(),
        policy: Policy { stop: Stop::Full },
        tests: Vec::new(),
        entry_point: None,
        feedback: None,
        reply_to: None,
        priority: None,
        meta: serde_json::Map::new(),
        warnings: Vec::new(),
    };
    judge.judge(&submission, package, &|_| (), &CancelToken::new().unwrap())
}

fn first(report: &Report) -> &TestReport {
    report.tests.first().unwrap_or_else(|| panic!("{report:?}"))
}

/// What a testlib checker is, less testlib: three files, exit codes, a word and a comment on standard error. In C, which
/// compiles in no time.
const TESTLIB_HEADER: &str = r#"
#pragma once
#include <stdio.h>
#include <stdlib.h>
enum result { ok = 0, wrong = 1, format = 2, fail = 3, points = 7 };
static void quit(enum result result, const char *comment) {
    const char *words[] = {"ok", "wrong answer", "wrong output format", "FAIL", "", "", "", "points"};
    fprintf(stderr, "%s %s\n", words[result], comment);
    exit(result);
}
"#;

const TESTLIB_SUM: &str = r#"
#include "tiny.h"
int main(int count, char **arguments) {
    if (count != 5) quit(fail, "three files and the package's argument belong here");
    FILE *input = fopen(arguments[1], "r"), *output = fopen(arguments[2], "r"), *answer = fopen(arguments[3], "r");
    if (!input || !output || !answer) quit(fail, "a file is missing");
    long a, b, jury, found;
    char rest;
    if (fscanf(input, "%ld%ld", &a, &b) != 2 || fscanf(answer, "%ld", &jury) != 1 || a + b != jury)
        quit(fail, "the answer is not the sum");
    if (fscanf(output, "%ld", &found) != 1) quit(format, "a number expected");
    if (fscanf(output, " %c", &rest) == 1) quit(format, "something after the number");
    if (found == jury + 1 && *arguments[4] == 'l') quit(points, "0.5 one too many");
    quit(found == jury ? ok : wrong, "the sum");
}
"#;

#[test]
fn a_testlib_checker_with_its_header_is_compiled_and_believed() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let files = [("check.c", TESTLIB_SUM), ("tiny.h", TESTLIB_HEADER)];
    let package = package(&scene, Protocol::Testlib, &files, &["lenient"]);
    for (program, verdict, comment) in [
        (SUM, Verdict::AC, "ok the sum"),
        ("echo 5\n", Verdict::WA, "wrong answer the sum"),
        ("echo five\n", Verdict::WA, "wrong output format a number expected"),
        ("echo 3 3\n", Verdict::WA, "wrong output format something after the number"),
        (":\n", Verdict::WA, "wrong output format a number expected"),
        // Part of the points is not the right answer of a problem without points.
        ("echo 4\n", Verdict::WA, "points 0.5 one too many"),
        ("exit 7\n", Verdict::RTE, ""),
    ] {
        let report = judged(&judge, &package, program);
        let test = first(&report);
        assert_eq!(test.verdict, verdict, "{program}: {report:?}");
        assert_eq!(test.judge_message.as_deref().unwrap_or_default(), comment, "{program}");
        assert!(verdict == Verdict::RTE || test.message.is_empty(), "{program}: {}", test.message);
    }
    // The checker finds the jury's answer wrong.
    scene.write("sum/01.ans", "4\n");
    let report = judged(&judge, &package, SUM);
    assert_eq!((report.verdict, report.reason), (Verdict::JE, Some(Reason::Checker)));
    assert!(report.error.as_ref().unwrap().contains("FAIL the answer is not the sum"), "{report:?}");
}

#[test]
fn a_cms_checker_gives_a_fraction_and_a_message() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let checker = "import sys\n\
                   answer, output = (open(name).read().split() for name in sys.argv[2:4])\n\
                   assert len(open(sys.argv[1]).read().split()) == 2\n\
                   right = answer == output\n\
                   print(1.0 if right else 0.5 if len(output) == 1 else 0.0)\n\
                   print('translate:success' if right else 'Not quite', file=sys.stderr)\n";
    let package = package(&scene, Protocol::Cms, &[("check.py", checker)], &[]);
    for (program, verdict, message) in [
        (SUM, Verdict::AC, "Output is correct"),
        ("echo 5\n", Verdict::WA, "Not quite"),
        (":\n", Verdict::WA, "Not quite"),
    ] {
        let report = judged(&judge, &package, program);
        assert_eq!(
            (first(&report).verdict, first(&report).message.as_str()),
            (verdict, message),
            "{program}"
        );
    }
}

#[test]
fn dmoj_checkers_are_called_in_their_own_order() {
    let scene = Scene::new();
    let judge = judge(&scene);
    // Exits with 0 for equal output and answer, wherever they stand.
    let compare = |input: u8, output: u8, answer: u8| {
        format!(
            "[ \"$(wc -w < ${input})\" = 2 ] || exit 9\n[ \"$(cat ${output})\" = \"$(cat ${answer})\" ] && exit 0\n\
             echo partial 1/2 >&2\nexit 1\n"
        )
    };
    for (kind, program) in [
        (DmojKind::Default, compare(1, 2, 3)),
        (DmojKind::Testlib, compare(1, 2, 3)),
        (DmojKind::Coci, compare(1, 2, 3)),
        (DmojKind::Peg, compare(3, 2, 1)),
    ] {
        let package = package(&scene, Protocol::Dmoj(kind), &[("check.sh", &program)], &[]);
        assert_eq!(judged(&judge, &package, SUM).verdict, Verdict::AC, "{kind:?}");
        assert_eq!(judged(&judge, &package, "echo 5\n").verdict, Verdict::WA, "{kind:?}");
    }
    let mut package =
        package(&scene, Protocol::Dmoj(DmojKind::Default), &[("check.sh", &compare(3, 1, 2))], &[]);
    package.checkers[0].call = Some(vec!["{output}".into(), "{answer}".into(), "{input}".into()]);
    assert_eq!(judged(&judge, &package, SUM).verdict, Verdict::AC);
}

#[test]
fn a_kattis_validator_may_bring_scripts_of_its_own() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let build = "#!/bin/sh\nset -e\nmkdir out\ncc -O1 -o out/compare parts/compare.c\n\
                 printf '#!/bin/sh\\nexec \"$(dirname \"$0\")/out/compare\" \"$@\"\\n' > run\nchmod +x run\n";
    let compare = "#include <stdio.h>\nint main(int count, char **arguments) {\n  long a, b = 0;\n\
                   FILE *answer = fopen(arguments[2], \"r\");\n  if (count != 4 || !answer) return 1;\n\
                   if (fscanf(answer, \"%ld\", &a) != 1) return 1;\n  return scanf(\"%ld\", &b) == 1 && a == b ? 42 : 43;\n}\n";
    let mut package =
        package(&scene, Protocol::Kattis, &[("build", build), ("parts/compare.c", compare)], &[]);
    package.checkers[0].program.build = ProgramBuild::Scripts;
    assert_eq!(judged(&judge, &package, SUM).verdict, Verdict::AC);
    assert_eq!(judged(&judge, &package, "echo 5\n").verdict, Verdict::WA);
    assert_eq!(judged(&judge, &package, ":\n").verdict, Verdict::WA);
    drop(package);
    // A script that only runs, with a helper in a folder beside it.
    let run = "#!/bin/sh\n. \"$(dirname \"$0\")/lib/codes\"\n[ \"$(cat)\" = \"$(cat \"$2\")\" ] && exit $right\nexit $wrong\n";
    let mut package =
        self::package(&scene, Protocol::Kattis, &[("run", run), ("lib/codes", "right=42 wrong=43\n")], &[]);
    package.checkers[0].program.build = ProgramBuild::Scripts;
    assert_eq!(judged(&judge, &package, SUM).verdict, Verdict::AC);
    assert_eq!(judged(&judge, &package, "echo 5\n").verdict, Verdict::WA);
}

#[test]
fn a_compiler_gets_the_flags_of_the_package() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let mut package =
        package(&scene, Protocol::Kattis, &[("check.c", "int main(void) { return CODE; }\n")], &[]);
    for (code, verdict) in [("42", Verdict::AC), ("43", Verdict::WA), ("44", Verdict::JE)] {
        package.checkers[0].program.build = ProgramBuild::Language {
            language: LanguageHint::Kattis("c".into()),
            flags: vec![format!("-DCODE={code}")],
        };
        assert_eq!(judged(&judge, &package, SUM).verdict, verdict);
    }
}

#[test]
fn a_checker_of_an_older_standard_compiles_all_the_same() {
    let scene = Scene::new();
    let judge = judge(&scene);
    // C++17 took this away.
    let checker = "#include <cstdlib>\nvoid leave() throw(int) { std::exit(42); }\nint main() { leave(); }\n";
    let package = package(&scene, Protocol::Kattis, &[("check.cpp", checker)], &[]);
    let report = judged(&judge, &package, SUM);
    assert_eq!(report.verdict, Verdict::AC, "{report:?}");
}

#[test]
fn a_checker_in_java_reads_a_large_output_from_its_standard_input() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let checker = "import java.io.*;\n\
        public class Count {\n  public static void main(String[] arguments) throws Exception {\n\
        InputStream output = new BufferedInputStream(System.in);\n    long bytes = 0;\n\
        for (int next = output.read(); next >= 0; next = output.read()) bytes++;\n\
        try (PrintWriter message = new PrintWriter(arguments[2] + \"judgemessage.txt\")) { message.println(bytes); }\n\
        System.exit(bytes == 5000000 ? 42 : 43);\n  }\n}\n";
    let package = package(&scene, Protocol::Kattis, &[("Count.java", checker)], &[]);
    let report = judged(&judge, &package, "head -c 5000000 /dev/zero\n");
    assert_eq!(report.verdict, Verdict::AC, "{report:?}");
    assert_eq!(first(&report).judge_message.as_deref(), Some("5000000"));
    assert_eq!(judged(&judge, &package, ":\n").verdict, Verdict::WA);
}

#[test]
fn the_package_of_a_checked_problem_is_told_by_its_checker() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let digest = |package: &Package| judged(&judge, package, SUM).provenance.package;
    let strict = package(&scene, Protocol::Kattis, &[("check.sh", "exit 42\n")], &[]);
    let before = digest(&strict);
    assert_eq!(before, digest(&strict));
    let flagged = package(&scene, Protocol::Kattis, &[("check.sh", "exit 42\n")], &["flag"]);
    assert_ne!(before, digest(&flagged));
    let other = package(&scene, Protocol::Kattis, &[("check.sh", "exit 43\n")], &[]);
    assert_ne!(before, digest(&other));
    assert!(Path::new(text(&scene.path("sum"))).is_dir());
}

#[test]
fn a_runtime_that_dies_of_an_error_has_judged_nothing() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let java = "public class Check { public static void main(String[] a) { Integer.parseInt(\"x\"); } }\n";
    let print_and_reject = "import sys, traceback\ntry: int('x')\nexcept ValueError: traceback.print_exc()\n\
                            print('wrong answer not a number', file=sys.stderr)\nsys.exit(1)\n";
    let testlib = Protocol::Testlib;
    for (protocol, name, program, complaint) in [
        (testlib, "check.py", "int('x')\n", "it crashed (exit code 1): ValueError: invalid literal"),
        (
            testlib,
            "check.py",
            "import sys\nsys.exit(2 // 0)\n",
            "it crashed (exit code 1): ZeroDivisionError",
        ),
        (
            Protocol::Dmoj(DmojKind::Default),
            "check.py",
            "None.x\n",
            "it crashed (exit code 1): AttributeError",
        ),
        (Protocol::Dmoj(DmojKind::Peg), "check.js", "null.x\n", "it crashed (exit code 1): TypeError: "),
        (testlib, "Check.java", java, "it crashed (exit code 1): Exception in thread \\\"main\\\""),
        (testlib, "check.lua", "error('no')\n", "it crashed (exit code 1): lua5.4: "),
        (
            testlib,
            "check.ml",
            "let () = failwith \"no\"\n",
            "it crashed (exit code 2): Fatal error: exception",
        ),
        (testlib, "check.py", "import sys\nsys.exit('wrong answer')\n", ""),
        (testlib, "check.py", print_and_reject, ""),
    ] {
        let package = package(&scene, protocol, &[(name, program)], &[]);
        let report = judged(&judge, &package, SUM);
        let (verdict, reason) = (first(&report).verdict, first(&report).reason);
        if complaint.is_empty() {
            assert_eq!((verdict, reason), (Verdict::WA, None), "{program}: {report:?}");
        } else {
            assert_eq!((verdict, reason), (Verdict::JE, Some(Reason::Checker)), "{program}: {report:?}");
            let message = &first(&report).message;
            assert!(message.contains(complaint), "{program}: {message}");
        }
    }
}

#[test]
fn a_runtime_that_dies_with_a_code_of_the_protocol_rejects_nobody() {
    let scene = Scene::new();
    let judge = judge(&scene);
    // Under testlib's protocol 1 and 2 reject. A failed open leaves ENOENT, which is 2, as the exit code of Perl's `die`.
    for (name, program, complaint) in [
        (
            "check.pl",
            "open(F, '<', '/nonexistent') or die 'cannot open';\n",
            "cannot open at /program/check.pl line 1",
        ),
        ("check.pl", "open(F, '<', '/nonexistent') or die \"cannot open\\n\";\n", "cannot open"),
        ("check.pl", "open(F, '<', '/nonexistent'); my $x; $x->method;\n", "call method"),
        ("check.pl", "require Not::There;\n", "locate Not/There.pm"),
        ("check.tcl", "open /nonexistent\n", "t open"),
        ("check.awk", "BEGIN { print 1 / ARGV[9]; exit 0 }\n", "division by zero"),
        ("check.awk", "BEGIN { print > \"/nonexistent/x\"; exit 0 }\n", "cannot redirect"),
        ("check.rb", "require 'json'\nJSON.parse('{')\n", "JSON::ParserError"),
        ("check.rb", "require 'not/there'\n", "cannot load such file"),
        ("check.lisp", "(open \"/nonexistent\")\n", "does not exist"),
        ("check.scm", "(open-input-file \"/nonexistent\")\n", "No such file"),
        ("check.pro", "main :- open('/nonexistent', read, _).\n", "does not exist"),
        ("check.sh", "set -u; echo $mistyped; exit 1\n", "unbound variable"),
        ("check.php", "<?php fgets(@fopen('/nonexistent', 'r'));\n", "Uncaught TypeError"),
        (
            "check.d",
            "class Own : Exception { this() { super(\"no\"); } }\nvoid main() { throw new Own; }\n",
            "Own@",
        ),
    ] {
        let package = package(&scene, Protocol::Testlib, &[(name, program)], &[]);
        let report = judged(&judge, &package, SUM);
        let found = (first(&report).verdict, first(&report).reason);
        assert_eq!(found, (Verdict::JE, Some(Reason::Checker)), "{program}: {report:?}");
        let message = &first(&report).message;
        assert!(message.contains(complaint), "{program}: {message}");
    }
    // A program that exits by itself has judged, whatever it said or met before.
    for (name, program) in [
        ("check.pl", "open(F, '<', '/nonexistent'); exit 2;\n"),
        ("check.pl", "eval { die 'no' }; warn $@; exit 1;\n"),
        ("check.pl", "eval { die \"no\\n\" }; open(F, '<', '/nonexistent'); exit($! + 0);\n"),
        ("check.tcl", "catch { open /nonexistent } message; puts stderr $message; exit 1\n"),
        ("check.awk", "BEGIN { print \"wrong answer\" > \"/dev/stderr\"; exit 2 }\n"),
        ("check.rb", "abort 'wrong answer'\n"),
        ("check.pro", "main :- halt(2).\n"),
        ("check.sh", "[ abc -eq 3 ] || exit 1\n"),
    ] {
        let package = package(&scene, Protocol::Testlib, &[(name, program)], &[]);
        let report = judged(&judge, &package, SUM);
        assert_eq!(first(&report).verdict, Verdict::WA, "{program}: {report:?}");
    }
    // The exit code of an error that a Perl program chose itself (`die` in perlfunc).
    let package = package(&scene, Protocol::Kattis, &[("check.pl", "$! = 43; die \"wrong\\n\";\n")], &[]);
    assert_eq!(first(&judged(&judge, &package, SUM)).verdict, Verdict::WA);
}

#[test]
fn a_line_like_a_runtimes_beside_a_code_that_is_not_is_a_verdict() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let testlib = Protocol::Testlib;
    let go = "package main\nimport (\"os\"; \"fmt\")\nfunc main() { fmt.Fprintln(os.Stderr, \"panic: no\"); os.Exit(1) }\n";
    let cpp = "#include <cstdio>\nint main() { std::fputs(\"terminate called without an active exception\\n\", stderr); \
               return 1; }\n";
    for (protocol, name, program, wrong) in [
        (testlib, "check.pl", "warn 'wrong answer'; exit 1;\n", true),
        (testlib, "check.pl", "warn 'wrong output format'; exit 2;\n", true),
        (Protocol::Dmoj(DmojKind::Default), "check.pl", "warn 'wrong answer'; exit 1;\n", true),
        (testlib, "check.pl", "$! = 0; die 'no';\n", false),
        (testlib, "check.pl", "warn 'no'; exit 99;\n", false),
        (testlib, "check.php", "<?php fwrite(STDERR, \"Fatal error: no\\n\"); exit(1);\n", true),
        (testlib, "check.php", "<?php throw new Exception('no');\n", false),
        (testlib, "check.go", go, true),
        (testlib, "check.go", "package main\nfunc main() { panic(\"no\") }\n", false),
        (testlib, "check.cpp", cpp, true),
        (testlib, "check.cpp", "#include <exception>\nint main() { std::terminate(); }\n", false),
        (testlib, "check.awk", "BEGIN { print \"gawk: x: fatal: no\" > \"/dev/stderr\"; exit 1 }\n", true),
        (testlib, "check.awk", "BEGIN { getline < \"/\"; print 1 / (NR * 0) }\n", false),
    ] {
        let package = package(&scene, protocol, &[(name, program)], &[]);
        let report = judged(&judge, &package, SUM);
        let (verdict, reason) = (first(&report).verdict, first(&report).reason);
        let expected = if wrong { (Verdict::WA, None) } else { (Verdict::JE, Some(Reason::Checker)) };
        assert_eq!((verdict, reason), expected, "{program}: {report:?}");
    }
}
