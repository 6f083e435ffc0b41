//! What a problem may ask for besides a program that reads one stream and writes another: input and output files,
//! arguments, files beside the program, functions to be completed, and answers instead of programs.

use std::io::Write as _;
use std::path::PathBuf;

use crate::common::{Scene, text};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gavel::cancel::CancelToken;
use gavel::judge::{Judge, JudgeSettings};
use gavel::language::Table;
use gavel::package::{Include, LanguageHint, Package, ProgramFile, SubmissionKind, load};
use gavel::report::Report;
use gavel::submission::{Content, LimitOverrides, Policy, ProblemRef, SCHEMA, SourceFile, Stop, Submission};
use gavel::units::Bytes;
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

fn submission(language: &str, files: Vec<SourceFile>) -> Submission {
    Submission {
        schema: SCHEMA,
        id: "1".to_owned(),
        judging: "1".to_owned(),
        language: language.to_owned(),
        files,
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
    }
}

fn file(name: &str, text: &str) -> SourceFile {
    SourceFile { name: name.to_owned(), content: Content::Text(text.to_owned()) }
}

fn judged(judge: &Judge, package: &Package, language: &str, files: &[(&str, &str)]) -> Report {
    let files = files.iter().map(|(name, text)| file(name, text)).collect();
    judge.judge(&submission(language, files), package, &|_| (), &CancelToken::new().unwrap())
}

fn bash(judge: &Judge, package: &Package, program: &str) -> Report {
    judged(judge, package, "bash", &[("main.sh", program)])
}

/// The first test's verdict and message.
fn first(report: &Report) -> (Verdict, &str) {
    let test = report.tests.first().unwrap_or_else(|| panic!("{report:?}"));
    (test.verdict, &test.message)
}

fn verdicts(report: &Report) -> Vec<Verdict> {
    report.tests.iter().map(|test| test.verdict).collect()
}

fn program_file(scene: &Scene, name: &str, text: &str) -> ProgramFile {
    let path = scene.write(&format!("sum/jury/{name}"), text);
    ProgramFile { name: name.to_owned(), path }
}

fn include(language: Option<LanguageHint>, files: Vec<ProgramFile>) -> Include {
    Include {
        language,
        files,
        entry_point: None,
        submission_name: None,
        submission_prefix: String::new(),
        submission_suffix: String::new(),
        flags: Vec::new(),
    }
}

/// The sum of two integers from `input.txt` into `output.txt`, of at most 64 KiB.
fn with_files(scene: &Scene) -> Package {
    let mut package = load(&scene.sum_package(&[(1, 2), (30, 40)])).unwrap();
    package.streams.input_file = Some("input.txt".to_owned());
    package.streams.output_file = Some("output.txt".to_owned());
    package.limits.output = Bytes::kib(64);
    package
}

#[test]
fn input_and_output_are_files_in_the_work_directory() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let package = with_files(&scene);
    for (program, verdict) in [
        ("read a b < input.txt; echo $((a + b)) > output.txt\n", Verdict::AC),
        // The next run finds its input as it should be, and no output.
        ("read a b < input.txt; echo 9 9 > input.txt; echo $((a + b)) >> output.txt\n", Verdict::AC),
        ("read a b < input.txt; rm input.txt; echo $((a + b)) > output.txt; cat\n", Verdict::AC),
        ("read a b < input.txt; echo $((a + b)) > output.txt; echo noise; echo noise >&2\n", Verdict::AC),
        (
            "read a b < input.txt; echo $((a + b)) > output.txt; (while :; do echo 1 > output.txt; done) &\n",
            Verdict::WA,
        ),
        ("read a b < input.txt; echo $((a + b))\n", Verdict::WA),
        ("read a b; echo $((a + b)) > output.txt\n", Verdict::WA),
        ("read a b < input.txt; echo $((a - b)) > output.txt\n", Verdict::WA),
        ("read a b < input.txt; echo $((a + b)) > output.txt; exit 3\n", Verdict::RTE),
        ("read a b < /package/01.ans; echo $a > output.txt\n", Verdict::WA),
    ] {
        let report = bash(&judge, &package, program);
        // What writes on in the background may or may not have got that far.
        if program.contains("done) &") {
            assert!(matches!(first(&report).0, Verdict::WA | Verdict::AC), "{program}: {report:?}");
        } else {
            assert_eq!(verdicts(&report), [verdict; 2], "{program}: {report:?}");
        }
    }
    let report = bash(&judge, &package, "read a b < input.txt; echo $((a + b)) > output.txt\n");
    assert_eq!(report.tests[1].output_bytes, 3, "{report:?}");
}

#[test]
fn one_end_may_be_a_stream_and_the_other_a_file() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let mut package = with_files(&scene);
    package.streams.output_file = None;
    let report = bash(&judge, &package, "read a b < input.txt; echo $((a + b))\n");
    assert_eq!(report.verdict, Verdict::AC, "{report:?}");
    (package.streams.input_file, package.streams.output_file) = (None, Some("sum.out".to_owned()));
    let report = bash(&judge, &package, "read a b; echo $((a + b)) > sum.out\n");
    assert_eq!(report.verdict, Verdict::AC, "{report:?}");
}

#[test]
fn nothing_but_a_plain_file_is_an_output() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let package = with_files(&scene);
    // Most boxes refuse links and FIFOs to begin with; what is taken where they do not, unit tests show.
    for program in [
        ":",
        "echo 3 > there; ln -s there output.txt",
        "ln -s /package/01.ans output.txt",
        "echo 3 > there; ln there output.txt",
        "ln input.txt output.txt",
        "mkfifo output.txt",
        "mkdir output.txt",
        "mknod output.txt c 1 3",
        "echo 3 > output.txt; chmod 0 output.txt",
        "mkdir x; echo 3 > x/output.txt; mv x output.txt",
        "echo 3 > OUTPUT.TXT",
    ] {
        // A failing last command would decide before the output is looked at.
        let report = bash(&judge, &package, &format!("{program}\nexit 0\n"));
        let (verdict, message) = first(&report);
        assert_eq!(verdict, Verdict::WA, "{program}: {report:?}");
        assert!(message.starts_with("the output file 'output.txt' "), "{program}: {message}");
    }
}

#[test]
fn what_lies_beside_the_program_is_no_output_of_it() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let mut package = with_files(&scene);
    let right = program_file(&scene, "output.txt", "3\n");
    package.includes = vec![include(None, vec![right.clone()])];
    package.tests[0].files = vec![right];
    let report = judged(&judge, &package, "bash", &[("main.sh", "exit 0\n"), ("output.txt", "3\n")]);
    assert_eq!(first(&report), (Verdict::WA, "the output file 'output.txt' was not written"), "{report:?}");
}

#[test]
fn an_output_file_has_the_limit_of_outputs() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let package = with_files(&scene);
    for (program, verdict) in [
        ("printf %65536s 3 > output.txt", Verdict::AC),
        ("printf %65537s 3 > output.txt", Verdict::OLE),
        ("truncate -s 65537 output.txt; exit 5", Verdict::OLE),
        ("head -c 60000000 /dev/zero > output.txt; exit 0", Verdict::OLE),
        // Beyond what any file may have nothing is written: the program fails, or goes on without.
        ("truncate -s 1T output.txt", Verdict::RTE),
        ("truncate -s 1T output.txt; exit 0", Verdict::WA),
        ("echo 3 > output.txt; head -c 70000 /dev/zero", Verdict::OLE),
    ] {
        let report = bash(&judge, &package, &format!("{program}\n"));
        assert_eq!(first(&report).0, verdict, "{program}: {report:?}");
    }
}

#[test]
fn an_output_file_is_not_counted_as_the_programs_memory() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let mut package = with_files(&scene);
    (package.limits.memory, package.limits.output) = (Bytes::mib(16), Bytes::mib(40));
    let program = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\nint main(void) {\n\
                   volatile char *kept = malloc(KEPT << 20);\n\
                   for (size_t at = 0; at < (size_t)KEPT << 20; at += 4096) kept[at] = 1;\n\
                   FILE *file = fopen(\"output.txt\", \"w\"); static char block[1 << 20]; memset(block, ' ', 1 << 20);\n\
                   for (int i = 0; i < WRITTEN; i++) fwrite(block, 1, 1 << 20, file);\n\
                   fprintf(file, \"3\"); fclose(file); return kept[0] - 1; }\n";
    for (kept, written, verdict) in
        [(1, 1, Verdict::AC), (1, 30, Verdict::AC), (24, 1, Verdict::MLE), (24, 30, Verdict::MLE)]
    {
        let source = program.replace("KEPT", &kept.to_string()).replace("WRITTEN", &written.to_string());
        let report = judged(&judge, &package, "c17", &[("main.c", &source)]);
        assert_eq!(first(&report).0, verdict, "{kept} {written}: {report:?}");
        if verdict == Verdict::AC {
            assert!(report.tests[0].memory_kib < 8 << 10, "{report:?}");
        }
    }
}

#[test]
fn memory_reserved_behind_the_end_of_an_output_file_is_the_programs() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let mut package = with_files(&scene);
    (package.limits.memory, package.limits.output) = (Bytes::mib(16), Bytes::mib(40));
    let program = "#define _GNU_SOURCE\n#include <fcntl.h>\n#include <stdlib.h>\n#include <unistd.h>\nint main(void) {\n\
                   int file = open(\"output.txt\", O_CREAT | O_RDWR, 0644); write(file, \"3\\n\", 2);\n\
                   if (fallocate(file, FALLOC_FL_KEEP_SIZE, 2, RESERVED << 20) < 0) return 1;\n\
                   return 0; }\n";
    for (reserved, verdict) in [(1, Verdict::AC), (30, Verdict::MLE)] {
        let source = program.replace("RESERVED", &reserved.to_string());
        let report = judged(&judge, &package, "c17", &[("main.c", &source)]);
        assert_eq!(first(&report).0, verdict, "{reserved}: {report:?}");
    }
}

#[test]
fn a_name_that_leads_out_of_the_work_directory_is_the_packages_fault() {
    let scene = Scene::new();
    let judge = judge(&scene);
    for name in ["../x", "/etc/passwd", "a/b", "", ".", "input.txt"] {
        let mut package = with_files(&scene);
        package.streams.output_file = Some(name.to_owned());
        let report = bash(&judge, &package, "exit 0\n");
        assert_eq!((report.verdict, report.reason), (Verdict::JE, Some(Reason::Package)), "{report:?}");
    }
}

#[test]
fn arguments_and_files_of_a_test_reach_the_program() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let mut package = load(&scene.sum_package(&[(1, 2), (30, 40)])).unwrap();
    let letters = program_file(&scene, "letters.txt", "abc\n");
    let deep = ProgramFile { name: "deep/er/letters.txt".to_owned(), path: letters.path.clone() };
    package.tests[0].arguments = vec!["a b".to_owned(), "{sources}".to_owned(), "-x".to_owned()];
    package.tests[0].files = vec![letters, deep];
    let program = "read a b; [ \"$*|$#\" = \"$1|$#\" ] || [ \"$1|$2|$3|$#\" = 'a b|{sources}|-x|3' ] || exit 1\n\
                   if [ $a = 1 ]; then [ \"$(cat letters.txt deep/er/letters.txt)\" = $'abc\\nabc' ] || exit 2; rm -r deep\n\
                   else [ $# = 0 ] && [ -z \"$(ls)\" ] || exit 3; fi\necho $((a + b))\n";
    let report = bash(&judge, &package, program);
    assert_eq!(verdicts(&report), [Verdict::AC; 2], "{report:?}");
    package.tests[1].files = vec![ProgramFile { name: "../x".to_owned(), path: scene.path("sum/01.in") }];
    let report = bash(&judge, &package, program);
    assert_eq!(verdicts(&report), [Verdict::AC, Verdict::JE], "{report:?}");
}

#[test]
fn data_beside_the_sources_is_beside_the_running_program() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let mut package = load(&scene.sum_package(&[(1, 2)])).unwrap();
    package.includes = vec![include(None, vec![program_file(&scene, "offset.txt", "2\n")])];
    let program = "#include <stdio.h>\nint main(void) { int a, b = 0, c = 0; scanf(\"%d\", &a);\n\
                   FILE *file = fopen(\"offset.txt\", \"r\"); if (file) fscanf(file, \"%d\", &b);\n\
                   file = fopen(\"own.dat\", \"r\"); if (file) fscanf(file, \"%d\", &c); printf(\"%d\\n\", a + b + c); }\n";
    let report = judged(&judge, &package, "c17", &[("main.c", program), ("own.dat", "0\n")]);
    assert_eq!(report.verdict, Verdict::AC, "{report:?}");
    let report = judged(&judge, &package, "c17", &[("main.c", program), ("own.dat", "1\n")]);
    assert_eq!(report.verdict, Verdict::WA, "{report:?}");
}

#[test]
fn scripts_of_several_files_find_them_where_they_start() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let package = load(&scene.sum_package(&[(1, 2), (3, 4)])).unwrap();
    let bash =
        [("main.sh", ". ./add.sh\nread a b; add $a $b\n"), ("add.sh", "add() { echo $(($1 + $2)); }\n")];
    let python = [
        (
            "main.py",
            "exec(open('add.py').read())\nprint(add(*map(int, input().split())) + int(open('table.txt').read()))\n",
        ),
        ("add.py", "def add(a, b): return a + b\n"),
        ("table.txt", "0\n"),
    ];
    let lua = [
        (
            "main.lua",
            "dofile('add.lua')\nlocal add2 = require('add2')\nprint(add2(add(io.read('n', 'n')), 0))\n",
        ),
        ("add.lua", "function add(a, b) return a + b end\n"),
        ("add2.lua", "return function(a, b) return a + b end\n"),
    ];
    let javascript = [
        (
            "main.js",
            "const fs = require('fs'), add = require('./add');\neval(fs.readFileSync('zero.js', 'utf8'));\n\
             const [a, b] = fs.readFileSync(0, 'utf8').split(' ').map(Number);\nconsole.log(add(a, b) + globalThis.zero);\n",
        ),
        ("add.js", "module.exports = (a, b) => a + b;\n"),
        ("zero.js", "globalThis.zero = 0;\n"),
    ];
    for (language, files) in
        [("bash", &bash[..]), ("python3", &python), ("lua", &lua), ("javascript", &javascript)]
    {
        let report = judged(&judge, &package, language, files);
        assert_eq!(verdicts(&report), [Verdict::AC; 2], "{language}: {report:?}");
        assert!(report.warnings.is_empty(), "{report:?}");
    }
}

#[test]
fn a_script_may_remove_its_files_and_change_none() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let package = load(&scene.sum_package(&[(1, 2), (3, 4), (5, 6)])).unwrap();
    let add = ("add.sh", "add() { echo $(($1 + $2)); }\n");
    for attempt in [
        "rm add.sh main.sh; echo 'add() { echo 9; }' > add.sh",
        "echo 'add() { echo 9; }' > add.sh && exit 3",
        "echo 'add() { echo 9; }' >> /program/add.sh && exit 3",
        "mv add.sh other; mkdir add.sh",
        "touch add.sh 2> there",
    ] {
        let main = format!(". ./add.sh; read a b; add $a $b\n({attempt}) 2> /dev/null; [ $? != 3 ]\n");
        let report = judged(&judge, &package, "bash", &[("main.sh", &main), add]);
        assert_eq!(verdicts(&report), [Verdict::AC; 3], "{attempt}: {report:?}");
    }
    // Nothing is there for a program of one file.
    let report = bash(&judge, &package, "[ -z \"$(ls -A)\" ] || exit 3; read a b; echo $((a + b))\n");
    assert_eq!(report.verdict, Verdict::AC, "{report:?}");
}

#[test]
fn files_of_a_problem_win_over_those_of_a_script_with_a_warning() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let mut package = with_files(&scene);
    let theirs = |name: &str| ProgramFile { name: name.to_owned(), path: scene.path("sum/01.in") };
    package.tests[1].files = vec![theirs("extra.sh"), theirs("folder.sh/deep")];
    let main = "read a b < input.txt; . ./add.sh; add $a $b > output.txt\n";
    let add = ("add.sh", "add() { echo $(($1 + $2)); }\n");
    let files = [
        ("main.sh", main),
        add,
        ("input.txt", "7 7\n"),
        ("output.txt", "3\n"),
        ("extra.sh", ""),
        ("folder.sh", ""),
    ];
    let report = judged(&judge, &package, "bash", &files);
    assert_eq!(verdicts(&report), [Verdict::AC; 2], "{report:?}");
    let warnings = report.warnings.join("\n");
    for part in ["'input.txt'", "input file", "'output.txt'", "output file", "'extra.sh'", "'folder.sh'"] {
        assert!(warnings.contains(part), "'{part}' in: {warnings}");
    }
    assert_eq!(report.warnings.len(), 4, "{warnings}");

    // The script's own output file is no output where it is a link to its source.
    package.streams.output_file = Some("answer.sh".to_owned());
    let report = judged(&judge, &package, "bash", &[("main.sh", "exit 0\n"), ("answer.sh", "3\n")]);
    assert_eq!(first(&report), (Verdict::WA, "the output file 'answer.sh' was not written"), "{report:?}");

    let mut package = load(&scene.sum_package(&[(1, 2)])).unwrap();
    let jury = program_file(&scene, "add.sh", "add() { echo $(($1 + $2)); }\n");
    let nested =
        ProgramFile { name: "lib/zero.sh".to_owned(), ..program_file(&scene, "zero.sh", "zero=0\n") };
    package.includes = vec![include(None, vec![jury, nested])];
    let main = ". ./add.sh; . lib/zero.sh; read a b; add $a $((b + zero))\n";
    let report = judged(&judge, &package, "bash", &[("main.sh", main), ("add.sh", "add() { echo 9; }\n")]);
    assert_eq!(report.verdict, Verdict::AC, "{report:?}");
    assert!(
        report.warnings.len() == 1 && report.warnings[0].contains("'add.sh' of the submission"),
        "{report:?}"
    );
}

/// A grader in C that asks for `sum` of a header.
fn graded(scene: &Scene) -> Package {
    let mut package = load(&scene.sum_package(&[(1, 2)])).unwrap();
    let files = vec![
        program_file(
            scene,
            "grader.c",
            "#include <stdio.h>\n#include \"sum.h\"\nint secret_of_the_jury = 17;\n#ifndef GRADED\n#error not graded\n\
             #endif\nint main(void) { int a, b; scanf(\"%d %d\", &a, &b); printf(\"%d\\n\", sum(a, b)); }\n",
        ),
        program_file(scene, "sum.h", "int sum(int, int);\n"),
    ];
    package.includes = vec![Include {
        entry_point: Some("grader.c".to_owned()),
        submission_name: Some("sum".to_owned()),
        submission_prefix: "#include \"sum.h\"\n#define main main_of_the_submission\n".to_owned(),
        submission_suffix: String::new(),
        flags: vec!["-DGRADED".to_owned()],
        ..include(Some(LanguageHint::Dmoj("C".to_owned())), files)
    }];
    package
}

#[test]
fn a_function_is_compiled_with_the_jurys_grader() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let package = graded(&scene);
    let sum = "int sum(int a, int b) { return a + b; }\n";
    for (files, verdict) in [
        (&[("anything.c", sum)][..], Verdict::AC),
        (&[("grader.c", sum), ("sum.c", sum)], Verdict::AC),
        (
            &[("main.c", "int sum(int a, int b) { return a + b; }\nint main(void) { return 1; }\n")],
            Verdict::AC,
        ),
        (&[("sum.c", "int sum(int a, int b) { return a - b; }\n")], Verdict::WA),
        (&[("sum.c", "long sum(int a, int b) { return a + b; }\n")], Verdict::CE),
        (&[("sum.c", "int total(int a, int b) { return a + b; }\n")], Verdict::CE),
        (&[("sum.c", sum), ("sum.h", "#error replaced\n")], Verdict::AC),
    ] {
        let report = judged(&judge, &package, "c17", files);
        assert_eq!(report.verdict, verdict, "{files:?}: {report:?}");
    }
    // Where nothing is included for a language, a submission is a program as ever.
    let report = bash(&judge, &package, crate::common::SUM);
    assert_eq!(report.verdict, Verdict::AC, "{report:?}");
}

#[test]
fn the_graders_text_is_not_in_the_compilers_messages() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let package = graded(&scene);
    // Included a second time, the grader is full of errors that quote it.
    let report =
        judged(&judge, &package, "c17", &[("sum.c", "int sum;\n#include \"grader.c\"\nint wrong(\n")]);
    assert_eq!(report.verdict, Verdict::CE, "{report:?}");
    let log = &report.compile.log;
    assert!(log.contains("int wrong(") || log.contains("sum.c"), "{log}");
    assert!(!log.contains("secret_of_the_jury = 17") && !log.contains("scanf("), "{log}");
}

#[test]
fn a_changed_grader_makes_another_program() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let mut package = graded(&scene);
    let sum = [("sum.c", "int sum(int a, int b) { return a + b; }\n")];
    assert_eq!(judged(&judge, &package, "c17", &sum).verdict, Verdict::AC);
    assert!(judged(&judge, &package, "c17", &sum).compile.cached);
    let path = package.includes[0].files[0].path.clone();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("sum(a, b)", "sum(a, b) + 1")).unwrap();
    let report = judged(&judge, &package, "c17", &sum);
    assert_eq!((report.verdict, report.compile.cached), (Verdict::WA, false), "{report:?}");
    package.includes[0].flags.clear();
    assert_eq!(judged(&judge, &package, "c17", &sum).verdict, Verdict::CE);
}

#[test]
fn a_language_of_one_file_does_not_take_others() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let mut package = load(&scene.sum_package(&[(1, 2)])).unwrap();
    package.includes = vec![include(None, vec![program_file(&scene, "lib.scm", "()\n")])];
    let report = judged(&judge, &package, "scheme", &[("main.scm", "(display 3)\n")]);
    assert_eq!((report.verdict, report.reason), (Verdict::JE, Some(Reason::Package)), "{report:?}");
    assert!(report.error.as_deref().unwrap().contains("'scheme'"), "{report:?}");
}

/// The sum of two integers, whose answers are handed in.
fn of_answers(scene: &Scene) -> Package {
    let mut package = load(&scene.sum_package(&[(1, 2), (30, 40), (5, 5)])).unwrap();
    package.submission_kind = SubmissionKind::Answers;
    package.limits.output = Bytes::kib(1);
    package
}

#[test]
fn answers_are_checked_without_a_program() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let package = of_answers(&scene);
    use Verdict::{AC, OLE, WA};
    let long = " ".repeat(1 << 10);
    for (files, expected) in [
        (&[("01.out", "3\n"), ("02.out", "70\n"), ("03.out", "10\n")][..], [AC, AC, AC]),
        (&[("output_02.txt", "70")], [WA, AC, WA]),
        (&[("01.ans", "4"), ("03", "10"), ("unrelated.txt", "1")], [WA, WA, AC]),
        (&[("01.out", long.as_str()), ("02.out", ""), ("03.out", &format!("{long}10"))], [WA, WA, OLE]),
    ] {
        // Whatever is said of the language.
        let report = judged(&judge, &package, "", files);
        assert_eq!(verdicts(&report), expected, "{files:?}: {report:?}");
        assert!(report.compile.ok, "{report:?}");
    }
    let report = judged(&judge, &package, "cpp20", &[("02.out", "70\n")]);
    assert_eq!(report.tests[0].message, "no answer was handed in for this test", "{report:?}");
    assert_eq!(report.first_failure.as_deref(), Some("01"));
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn archive(bytes: &[u8]) -> SourceFile {
    SourceFile { name: "answers.zip".to_owned(), content: Content::Base64(STANDARD.encode(bytes)) }
}

#[test]
fn an_archive_of_answers_is_read_and_a_broken_one_refused() {
    let scene = Scene::new();
    let judge = judge(&scene);
    let package = of_answers(&scene);
    let token = CancelToken::new().unwrap();
    let judged = |bytes: &[u8]| judge.judge(&submission("", vec![archive(bytes)]), &package, &|_| (), &token);
    let whole = zip(&[("a/01.out", b"3\n"), ("a/02.out", b"7\n"), ("../03.out", b"10\n")]);
    let report = judged(&whole);
    assert_eq!(verdicts(&report), [Verdict::AC, Verdict::WA, Verdict::AC], "{report:?}");
    let bomb = zip(&[("01.out", &vec![b' '; 64 << 20]), ("02.out", b"70")]);
    let report = judged(&bomb);
    assert_eq!(verdicts(&report), [Verdict::OLE, Verdict::AC, Verdict::WA], "{report:?}");
    let report = judged(&whole[..whole.len() / 2]);
    assert_eq!((report.verdict, report.tests.len()), (Verdict::CE, 0), "{report:?}");
    assert!(report.compile.log.contains("archive"), "{report:?}");
}

#[test]
fn the_entry_point_is_the_one_that_is_named() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    scene.write("parts/helper.py", "def add(a, b): return a + b\n");
    scene.write("parts/solve.py", "from helper import add\nprint(add(*map(int, input().split())))\n");
    let judge = |more: &[&str]| scene.report(&[&[text(&package), text(&scene.path("parts"))], more].concat());
    assert_eq!(judge(&["--entry-point", "helper"])["verdict"], "WA");
    assert_eq!(judge(&["--entry-point", "solve.py"])["verdict"], "AC");
    assert_eq!(judge(&["--entry-point", "solve"])["verdict"], "AC");
    let said = scene.say(&["judge", "--entry-point", "nothing", text(&package), text(&scene.path("parts"))]);
    assert!(said.code == 2 && said.stderr.contains("none of the sources"), "{said:?}");
}
