//! Packages in the legacy ICPC/Kattis format load as the format's own tools read them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use gavel::checker::{Comparator, TokenOptions};
use gavel::package::{Check, Format, Package, ProgramBuild, TimeLimit, load};
use gavel::units::Bytes;
use gavel::verdict::Verdict::{self, AC, CE, MLE, OLE, RTE, SV, TLE, WA, WTL};
use tempfile::TempDir;

/// A package of one sample, one secret test and one accepted submission, with `files` on top.
fn package(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let base = [
        ("problem.yaml", "name: Sums\n"),
        ("data/sample/1.in", "1 2\n"),
        ("data/sample/1.ans", "3\n"),
        ("data/secret/1.in", "3 4\n"),
        ("data/secret/1.ans", "7\n"),
        ("submissions/accepted/a.py", "print(sum(map(int, input().split())))\n"),
    ];
    for (name, text) in base.iter().chain(files) {
        write(directory.path(), name, text);
    }
    directory
}

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn names(package: &Package) -> Vec<&str> {
    package.tests.iter().map(|test| test.name.as_str()).collect()
}

fn tokens(options: TokenOptions) -> Check {
    Check::BuiltIn(Comparator::Tokens(options))
}

#[test]
fn a_plain_package_loads_with_the_published_defaults() {
    let directory = package(&[]);
    let package = load(directory.path()).unwrap();
    assert_eq!((package.title.as_str(), package.format), ("Sums", Format::KattisLegacy));
    assert_eq!(names(&package), ["sample/1", "secret/1"]);
    assert!(package.tests[0].sample && !package.tests[1].sample);
    assert_eq!(
        package.limits.time,
        TimeLimit::FromSubmissions { multiplier: 5.0, resolution: Duration::from_secs(1) }
    );
    assert_eq!((package.limits.memory, package.limits.output), (Bytes::mib(2048), Bytes::mib(8)));
    assert_eq!(package.tests[0].check, tokens(TokenOptions::default()));
    assert_eq!(package.submissions[0].name, "accepted/a.py");
    assert!(package.submissions[0].sets_time_limit);
    assert!(package.warnings.is_empty(), "{:?}", package.warnings);
}

#[test]
fn tests_come_in_the_order_of_file_names_with_folders_among_them() {
    let directory = package(&[]);
    for stem in ["10", "2", "1-small", "b/z", "b/inner/1", "a", "c"] {
        write(directory.path(), &format!("data/secret/{stem}.in"), "");
        write(directory.path(), &format!("data/secret/{stem}.ans"), "");
    }
    for other in ["1.hint", "1.desc", "1.png", "README", ".hidden.in", ".cache/x.in"] {
        write(directory.path(), &format!("data/secret/{other}"), "");
    }
    let package = load(directory.path()).unwrap();
    let expected = [
        "sample/1",
        "secret/1-small",
        "secret/1",
        "secret/10",
        "secret/2",
        "secret/a",
        "secret/b/inner/1",
        "secret/b/z",
        "secret/c",
    ];
    assert_eq!(names(&package), expected);
    assert_eq!(package.tests[6].groups, ["secret", "secret/b", "secret/b/inner"]);
}

#[test]
fn flags_of_the_problem_come_first_and_folders_inherit_key_by_key() {
    let directory = package(&[
        ("problem.yaml", "validator_flags: float_tolerance 1e-3\n"),
        ("data/testdata.yaml", "output_validator_flags: case_sensitive\n"),
        ("data/secret/a/testdata.yaml", "on_reject: break\n"),
        ("data/secret/a/1.in", ""),
        ("data/secret/a/1.ans", ""),
        ("data/secret/b/testdata.yaml", "output_validator_flags: float_absolute_tolerance 0.5\n"),
        ("data/secret/b/1.in", ""),
        ("data/secret/b/1.ans", ""),
    ]);
    let package = load(directory.path()).unwrap();
    let of = |name: &str| &package.tests.iter().find(|test| test.name == name).unwrap().check;
    let problem = TokenOptions {
        absolute_tolerance: Some(1e-3),
        relative_tolerance: Some(1e-3),
        ..TokenOptions::default()
    };
    let sensitive = tokens(TokenOptions { case_sensitive: true, ..problem });
    assert_eq!([of("sample/1"), of("secret/1"), of("secret/a/1")], [&sensitive; 3]);
    assert_eq!(of("secret/b/1"), &tokens(TokenOptions { absolute_tolerance: Some(0.5), ..problem }));
}

#[test]
fn a_fixed_time_limit_is_found_wherever_tools_keep_it() {
    for (files, seconds, warnings) in [
        (vec![("problem.yaml", "limits: {time_limit: 1.5}\n")], 1.5, 0),
        (vec![("domjudge-problem.ini", "timelimit='3'\n")], 3.0, 0),
        (vec![(".timelimit", "4\n")], 4.0, 0),
        (vec![(".timelimit", "4\n"), ("domjudge-problem.ini", "timelimit = 4\n")], 4.0, 0),
        (vec![(".timelimit", "4\n"), ("domjudge-problem.ini", "timelimit = 2\n")], 2.0, 1),
        (vec![("problem.yaml", "limits: {time_limit: 1}\n"), (".timelimit", "4\n")], 1.0, 1),
    ] {
        let package = load(package(&files).path()).unwrap();
        assert_eq!(package.limits.time, TimeLimit::Fixed(Duration::from_secs_f64(seconds)), "{files:?}");
        assert_eq!(package.warnings.len(), warnings, "{:?}", package.warnings);
    }
}

#[test]
fn byte_order_marks_and_carriage_returns_are_read() {
    let directory = package(&[
        ("problem.yaml", "\u{feff}name: Sums\r\nlimits:\r\n  memory: 64\r\n"),
        ("data/secret/testdata.yaml", "\u{feff}output_validator_flags: case_sensitive\r\n"),
        (".timelimit", "\u{feff}2\r\n"),
    ]);
    let package = load(directory.path()).unwrap();
    assert_eq!(package.limits.memory, Bytes::mib(64));
    assert_eq!(package.limits.time, TimeLimit::Fixed(Duration::from_secs(2)));
}

#[test]
fn what_other_judges_add_is_a_warning_at_most() {
    let directory = package(&[
        ("problem.yaml", "name: {en: Sums}\nauthor: A\nkeywords: [a, b]\nlicense: cc by-sa\nfancy: {x: 1}\n"),
        ("problem_statement/problem.en.tex", "\\problemname{Sums}"),
        ("input_validators/validate.py", ""),
        ("output_validators/compare.py", ""),
        ("data/extra/x.in", ""),
        ("data/secret/testdata.yaml", "accept_score: 1\ncolour: red\n"),
        ("generators/gen.py", ""),
        ("attachments/x.zip", ""),
    ]);
    let package = load(directory.path()).unwrap();
    assert_eq!(names(&package), ["sample/1", "secret/1"]);
    let warnings = package.warnings.join("\n");
    for part in [
        "problem.yaml:5: unknown key 'fancy'",
        "output_validators",
        "data/extra: not judged",
        "data/secret/testdata.yaml:1: accept_score",
        "data/secret/testdata.yaml:2: unknown key 'colour'",
    ] {
        assert!(warnings.contains(part), "{part} in {warnings}");
    }
}

#[test]
fn a_package_without_problem_yaml_keeps_its_format() {
    let directory = package(&[("data/secret/testdata.yaml", "output_validator_flags: case_sensitive")]);
    fs::remove_file(directory.path().join("problem.yaml")).unwrap();
    let package = load(directory.path()).unwrap();
    assert_eq!(package.format, Format::KattisLegacy);
    assert_eq!(names(&package), ["sample/1", "secret/1"]);
    assert!(package.warnings[0].contains("problem.yaml"), "{:?}", package.warnings);
}

#[test]
fn a_title_comes_from_the_statement_where_problem_yaml_has_none() {
    let directory = package(&[
        ("problem.yaml", "source: Kattis\nlicense: public domain\n"),
        ("problem_statement/problem.sv.tex", "\\problemname{Summor}"),
        ("problem_statement/problem.en.tex", "\\problemname{Sums}"),
    ]);
    assert_eq!(load(directory.path()).unwrap().title, "Sums");
}

#[test]
fn links_within_the_package_are_followed() {
    let directory = package(&[]);
    let secret = directory.path().join("data/secret");
    symlink("../sample/1.in", secret.join("2.in")).unwrap();
    symlink("../sample/1.ans", secret.join("2.ans")).unwrap();
    symlink("../sample", secret.join("all")).unwrap();
    let package = load(directory.path()).unwrap();
    assert_eq!(names(&package), ["sample/1", "secret/1", "secret/2", "secret/all/1"]);
    assert!(package.tests[2].input.ends_with("data/sample/1.in"));
}

/// A submission's name; the final verdicts it may get, those permitted and those required of its tests.
type Expected = (String, [Vec<Verdict>; 3]);

/// Loads `files` as submissions and gives each one's expectation as three lists.
fn expectations(files: &[(&str, &str)]) -> (Vec<Expected>, Vec<String>) {
    let directory = package(files);
    fs::remove_file(directory.path().join("submissions/accepted/a.py")).unwrap();
    let package = load(directory.path()).unwrap();
    let of = |submission: gavel::package::JurySubmission| {
        let expectation = submission.expectation;
        (submission.name, [expectation.verdicts, expectation.permitted, expectation.required])
    };
    (package.submissions.into_iter().map(of).collect(), package.warnings)
}

#[test]
fn folders_and_tags_say_what_a_submission_must_get() {
    let (found, warnings) = expectations(&[
        ("submissions/accepted/a.py", ""),
        ("submissions/accepted/b.py", ""),
        ("submissions/accepted/README.md", "@EXPECTED_RESULTS@: NONSENSE"),
        ("submissions/accepted/tagged.py", "# @EXPECTED_RESULTS@: WRONG-ANSWER"),
        ("submissions/compile_error/c.cpp", "int"),
        ("submissions/mixed/m.py", "x\n# @EXPECTED_RESULTS@: CORRECT, TIMELIMIT\n"),
        ("submissions/mixed/untagged.py", ""),
        ("submissions/rejected/r.cpp", "// @EXPECTED_RESULTS@: MLE, OUTPUT-LIMIT"),
        ("submissions/run_time_error/x.py", ""),
        ("submissions/time_limit_exceeded/slow/main.py", ""),
        ("submissions/time_limit_exceeded/slow/helper.py", ""),
    ]);
    let only = |verdicts: &[Verdict]| [verdicts.to_vec(), vec![], vec![]];
    let expected = [
        ("accepted/b.py", only(&[AC])),
        ("accepted/tagged.py", only(&[AC])),
        ("compile_error/c.cpp", only(&[CE])),
        ("mixed/m.py", only(&[AC, TLE, WTL])),
        ("rejected/r.cpp", only(&[MLE, OLE])),
        ("run_time_error/x.py", only(&[MLE, OLE, RTE, SV])),
        ("time_limit_exceeded/slow", only(&[TLE, WTL])),
    ];
    let expected: Vec<_> = expected.into_iter().map(|(name, lists)| (name.to_owned(), lists)).collect();
    assert_eq!(found, expected);
    let warnings = warnings.join("\n");
    assert!(warnings.contains("submissions/mixed/untagged.py: not judged"), "{warnings}");
    assert!(
        warnings.contains("submissions/accepted/tagged.py:1: @EXPECTED_RESULTS@ is ignored"),
        "{warnings}"
    );
}

#[test]
fn submissions_yaml_replaces_and_narrows_the_folders() {
    let rules = "wrong_answer:\n  permitted: [AC, WA, TLE]\n\
                 'mixed/*.py': {permitted: [AC, RTE], required: RTE, language: python3, entrypoint: go.py}\n\
                 accepted/slow.py: {use_for_time_limit: false}\n\
                 nowhere/x.py: {permitted: [AC]}\n";
    let directory = package(&[
        ("submissions/submissions.yaml", rules),
        ("submissions/accepted/slow.py", ""),
        ("submissions/wrong_answer/w.py", ""),
        ("submissions/mixed/a.py/helper.py", ""),
        ("submissions/mixed/a.py/go.py", ""),
    ]);
    let package = load(directory.path()).unwrap();
    let of = |name: &str| package.submissions.iter().find(|submission| submission.name == name).unwrap();
    assert_eq!(of("wrong_answer/w.py").expectation.permitted, [AC, WA, TLE, WTL]);
    assert_eq!(of("wrong_answer/w.py").expectation.required, [WA]);
    let mixed = of("mixed/a.py");
    assert_eq!(mixed.language.as_deref(), Some("python3"));
    assert!(mixed.files[0].ends_with("go.py") && mixed.files.len() == 2);
    assert!(mixed.names_entry && !of("accepted/a.py").names_entry);
    assert_eq!(mixed.expectation.required, [MLE, OLE, RTE, SV]);
    assert!(!of("accepted/slow.py").sets_time_limit && of("accepted/a.py").sets_time_limit);
    assert_eq!(of("accepted/slow.py").expectation.verdicts, [AC]);
    let warnings = package.warnings.join("\n");
    assert!(warnings.contains("'nowhere/x.py' matches no submission"), "{warnings}");
}

#[test]
fn the_digest_covers_what_judging_reads_and_nothing_else() {
    let base: &[(&str, &str)] = &[];
    let digest_of = |files: &[(&str, &str)]| {
        let directory = package(files);
        let package = load(directory.path()).unwrap();
        package.digest().unwrap().to_owned()
    };
    let plain = digest_of(base);
    assert!(plain.starts_with("sha256:") && plain.len() == 71, "{plain}");
    assert_eq!(plain, digest_of(&[("problem.yaml", "name: Other\n"), ("submissions/accepted/b.py", "")]));
    for change in [
        ("data/secret/1.ans", "8\n"),
        ("data/secret/1.in", "3 5\n"),
        ("data/secret/testdata.yaml", "output_validator_flags: case_sensitive"),
        ("problem.yaml", "limits: {memory: 64}"),
        (".timelimit", "1"),
    ] {
        assert_ne!(plain, digest_of(&[change]), "{change:?}");
    }
}

#[test]
fn the_digest_is_computed_once_and_shared_by_clones() {
    let directory = package(&[]);
    let package = load(directory.path()).unwrap();
    let clone = package.clone();
    let first = package.digest().unwrap().to_owned();
    directory.close().unwrap();
    assert_eq!(clone.digest().unwrap(), first);
}

#[test]
fn a_custom_validator_comes_with_its_files_flags_and_limits() {
    let directory = package(&[
        (
            "problem.yaml",
            "validation: custom\nvalidator_flags: a b\nlimits: {validation_time: 7, validation_memory: 64}\n",
        ),
        ("output_validators/compare/compare.cpp", ""),
        ("output_validators/compare/lib/graph.h", ""),
        ("output_validators/compare/other.cpp", ""),
        ("output_validators/compare/.hidden", ""),
        ("data/secret/group/testdata.yaml", "output_validator_flags: {name: compare, flags: c}\n"),
        ("data/secret/group/2.in", ""),
        ("data/secret/group/2.ans", ""),
    ]);
    let package = load(directory.path()).unwrap();
    let [checker] = package.checkers.as_slice() else { panic!("{:?}", package.checkers) };
    let names: Vec<_> = checker.program.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(
        (checker.program.name.as_str(), names),
        ("output_validators/compare", vec!["compare.cpp", "other.cpp", "lib/graph.h"],)
    );
    assert_eq!((checker.limits.time, checker.limits.memory), (Duration::from_secs(7), Bytes::mib(64)));
    assert_eq!(checker.limits.output, Bytes::mib(8));
    let arguments = |name: &str| match &package.tests.iter().find(|test| test.name == name).unwrap().check {
        Check::Program { checker: 0, arguments } => arguments.join(" "),
        other => panic!("{other:?}"),
    };
    assert_eq!([arguments("secret/1"), arguments("secret/group/2")], ["a b", "a b c"]);
}

#[test]
fn a_package_is_the_same_wherever_it_lies_and_another_with_another_validator() {
    let digest_of = |validator: &str| {
        let directory =
            package(&[("problem.yaml", "validation: custom\n"), ("output_validators/v/v.py", validator)]);
        load(directory.path()).unwrap().digest().unwrap().to_owned()
    };
    assert_eq!(digest_of("exit(42)"), digest_of("exit(42)"));
    assert_ne!(digest_of("exit(42)"), digest_of("exit(43)"));
}

#[test]
fn of_several_validators_the_first_is_used_and_headers_belong_to_it() {
    let directory = package(&[
        ("problem.yaml", "validation: custom\n"),
        ("output_validators/b.py", ""),
        ("output_validators/a.cpp", ""),
        ("output_validators/testlib.h", ""),
        ("output_validators/README.md", ""),
        ("output_validators/empty/.gitkeep", ""),
    ]);
    let package = load(directory.path()).unwrap();
    let names: Vec<_> = package.checkers[0].program.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["a.cpp", "testlib.h"]);
    assert_eq!(package.checkers[0].program.name, "output_validators/a.cpp");
    assert!(package.warnings[0].contains("output_validators/b.py: not used"), "{:?}", package.warnings);
}

#[test]
fn a_validator_folder_with_scripts_is_built_by_them() {
    for script in ["build", "run"] {
        let script = format!("output_validators/v/{script}");
        let directory = package(&[
            ("problem.yaml", "validation: custom\n"),
            (&script, ""),
            ("output_validators/v/a.cpp", ""),
        ]);
        let package = load(directory.path()).unwrap();
        assert_eq!(package.checkers[0].program.build, ProgramBuild::Scripts);
    }
}
