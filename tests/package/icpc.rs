//! Packages in the ICPC format 2025-09 and its drafts load as the specification and the tools read them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use gavel::cancel::CancelToken;
use gavel::checker::{Comparator, CustomScore, Protocol, TokenOptions};
use gavel::package::{
    Aggregation, Check, Format, Interaction, Library, Member, MultiPass, Package, ProgramBuild, ScoreRange,
    SubmissionKind, TimeLimit, ValidatorArguments, load,
};
use gavel::verdict::Verdict::{AC, MLE, OLE, RTE, SV, TLE, WA, WTL};
use tempfile::TempDir;

const HEAD: &str =
    "problem_format_version: 2025-09\nname: Sums\nuuid: 0b7a3a1c-6a0e-4f6c-9e43-9f8f9b1d2c3a\n";

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A package with `yaml` added to its `problem.yaml`, and `files` on top.
fn package(yaml: &str, files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let head = format!("{HEAD}{yaml}");
    let base = [
        ("problem.yaml", head.as_str()),
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

fn loaded(yaml: &str, files: &[(&str, &str)]) -> Package {
    load(package(yaml, files).path()).unwrap()
}

fn test<'a>(package: &'a Package, name: &str) -> &'a gavel::package::Test {
    package.tests.iter().find(|test| test.name == name).unwrap()
}

#[test]
fn a_plain_package_loads_with_the_published_defaults() {
    let package = loaded("", &[]);
    assert_eq!((package.title.as_str(), package.format), ("Sums", Format::Icpc));
    let resolution = Duration::from_secs(1);
    assert_eq!(package.limits.time, TimeLimit::FromSubmissions { multiplier: 2.0, resolution });
    assert_eq!(package.tests[1].check, Check::BuiltIn(Comparator::Tokens(TokenOptions::default())));
    assert!(package.submissions[0].sets_time_limit);
    assert_eq!(package.submissions[0].expectation.permitted, [AC]);
    assert!(package.warnings.is_empty(), "{:?}", package.warnings);
}

#[test]
fn tests_inherit_key_by_key_and_keep_what_is_their_own() {
    let package = loaded(
        "",
        &[
            ("data/secret/test_group.yaml", "output_validator_args: [float_tolerance, 1e-6]\nargs: [fast]\n"),
            ("data/secret/1.yaml", "args: ['two words']\nhint: look\ninput_validator_args: {format: [-n]}\n"),
            ("data/secret/1.files/map.txt", "#\n"),
            ("data/secret/2.in", ""),
            ("data/secret/2.ans", ""),
            ("data/secret/2.yaml", "output_validator_args: []\n"),
            ("data/secret/2.png", ""),
            ("data/sample/1.interaction", ""),
            ("data/sample/1.in.statement", ""),
            ("data/sample/1.ans.download", ""),
        ],
    );
    let one = test(&package, "secret/1");
    let tolerant = TokenOptions {
        absolute_tolerance: Some(1e-6),
        relative_tolerance: Some(1e-6),
        ..TokenOptions::default()
    };
    assert_eq!(one.check, Check::BuiltIn(Comparator::Tokens(tolerant)));
    assert_eq!(one.arguments, ["two words"]);
    assert_eq!(one.files[0].name, "map.txt");
    let ValidatorArguments::Named(named) = &one.validator_arguments else { panic!() };
    assert_eq!(named["format"], ["-n"]);
    let two = test(&package, "secret/2");
    assert_eq!(two.check, Check::BuiltIn(Comparator::Tokens(TokenOptions::default())));
    assert_eq!(two.arguments, ["fast"]);
    assert!(package.warnings.is_empty(), "{:?}", package.warnings);
}

#[test]
fn types_fill_what_they_ask_for() {
    let files = &[("output_validator/check.py", "exit(42)\n"), ("output_validator/README.md", "")];
    let package = loaded("type: [interactive, multi-pass]\nlimits: {validation_passes: 9}\n", files);
    let Interaction::Interactive(interactor) = &package.interaction else { panic!() };
    assert_eq!(interactor.protocol, Protocol::Kattis);
    assert_eq!(interactor.program.name, "output_validator");
    assert_eq!(package.passes, Some(MultiPass { limit: 9 }));
    assert!(matches!(package.tests[0].check, Check::Interaction { .. }));
    let package = loaded("type: multi-pass\n", &[("output_validator/check/check.cc", "")]);
    assert_eq!(package.checkers[0].program.name, "output_validator/check");
    assert_eq!(package.passes, Some(MultiPass { limit: 2 }));
    let package = loaded("type: submit-answer\nlimits: {time_limit: 0.5}\n", &[]);
    assert_eq!(package.submission_kind, SubmissionKind::Answers);
    assert_eq!(package.limits.time, TimeLimit::Fixed(Duration::from_millis(500)));
}

#[test]
fn groups_of_scoring_problems_have_their_points() {
    let files = &[
        ("data/secret/g1/test_group.yaml", "max_score: 30\n"),
        ("data/secret/g1/a.in", ""),
        ("data/secret/g1/a.ans", ""),
        (
            "data/secret/g2/test_group.yaml",
            "max_score: 70\nscore_aggregation: sum\nrequire_pass: [sample, secret/g1]\n",
        ),
        ("data/secret/g2/a.in", ""),
        ("data/secret/g2/a.ans", ""),
        ("data/secret/g2/sorted/b.in", ""),
        ("data/secret/g2/sorted/b.ans", ""),
    ];
    let directory = package("type: scoring\n", files);
    for name in ["1.in", "1.ans"] {
        fs::remove_file(directory.path().join("data/secret").join(name)).unwrap();
    }
    let package = load(directory.path()).unwrap();
    let group = |name: &str| package.groups.iter().find(|group| group.name == name).unwrap();
    assert!(!group("sample").counts && package.scoring.is_some());
    let secret = group("secret");
    assert_eq!((&secret.aggregation, secret.range), (&Aggregation::Sum, ScoreRange { min: 0.0, max: 100.0 }));
    assert_eq!(
        (&group("secret/g1").aggregation, group("secret/g1").weight),
        (&Aggregation::AllOrNothing, 30.0)
    );
    let second = group("secret/g2");
    let points =
        |member: &Member| matches!(member, Member::Test { points: Some(points), .. } if *points == 35.0);
    assert!(second.members.len() == 2 && second.members.iter().all(points), "{second:?}");
    assert_eq!(second.dependencies, ["sample", "secret/g1"]);
    assert!(package.checkers.is_empty());
}

#[test]
fn validators_may_give_scores_where_groups_take_them() {
    let validator = ("output_validator/v.py", "");
    for (yaml, scores) in [
        ("max_score: unbounded\nscore_aggregation: sum\n", CustomScore::Required),
        ("score_aggregation: min\n", CustomScore::Allowed),
        ("score_aggregation: pass-fail\n", CustomScore::Refused),
    ] {
        let package = loaded("type: scoring\n", &[validator, ("data/secret/test_group.yaml", yaml)]);
        assert_eq!(package.checkers[0].scores, scores, "{yaml}");
    }
}

#[test]
fn folders_demand_verdicts_of_tests_and_cases_are_kept_for_verification() {
    let package = loaded(
        "languages: [python3, cpp]\n",
        &[
            ("submissions/wrong_answer/w.py", ""),
            ("submissions/time_limit_exceeded/t.py", ""),
            ("submissions/rejected/r.py", ""),
            ("data/invalid_input/a.in", "x\n"),
            ("data/invalid_input/a.yaml", "input_validator_args: [strict]\n"),
            ("data/invalid_output/b.in", "1 1\n"),
            ("data/invalid_output/b.ans", "2\n"),
            ("data/invalid_output/b.out", "3\n"),
            ("data/valid_output/c.in", "1 1\n"),
            ("data/valid_output/c.ans", "2\n"),
            ("data/valid_output/c.out", "2\n"),
            ("input_validators/format.py", "exit(42)\n"),
            ("input_validators/old.ctd", "INT(0,9)"),
            ("input_validators/older/form.ctd", "NEWLINE"),
            ("input_validators/wrong.ctd", "SPACE\nINT(1"),
            ("input_validators/last.viva", ""),
        ],
    );
    let of = |name: &str| &package.submissions.iter().find(|one| one.name == name).unwrap().expectation;
    assert_eq!(of("wrong_answer/w.py").permitted, [AC, WA]);
    assert_eq!(of("wrong_answer/w.py").required, [WA]);
    assert_eq!(of("time_limit_exceeded/t.py").required, [TLE, WTL]);
    assert_eq!(of("rejected/r.py").required, [WA, TLE, WTL, MLE, OLE, RTE, SV]);
    let verification = &package.verification;
    assert_eq!(verification.invalid_inputs[0].arguments, ValidatorArguments::All(vec!["strict".to_owned()]));
    let valid: Vec<_> = verification.outputs.iter().map(|case| (case.name.as_str(), case.is_valid)).collect();
    assert_eq!(valid, [("invalid_output/b", false), ("valid_output/c", true)]);
    assert_eq!(verification.input_validators.len(), 4);
    let validators = verification.input_validators.iter().map(|validator| &validator.program);
    let scripts: Vec<_> = validators.filter(|program| program.build == ProgramBuild::Checktestdata).collect();
    assert_eq!(scripts.len(), 3);
    assert_eq!(verification.input_validators[0].accepts, 42);
    let wrong = "input_validators/wrong.ctd: line 2, column 6: expected ','";
    assert!(package.warnings.iter().any(|warning| warning.starts_with(wrong)), "{:?}", package.warnings);
    assert!(package.warnings.iter().any(|warning| warning.contains("last.viva")), "{:?}", package.warnings);
    assert_eq!(package.languages.unwrap(), ["python3", "cpp"]);
}

#[test]
fn included_files_come_by_language_with_the_defaults_among_them() {
    let package = loaded(
        "",
        &[
            ("include/default/data.txt", "1"),
            ("include/python3/main.py", ""),
            ("include/cpp/lib/graph.h", ""),
            ("include/cpp/data.txt", "2"),
        ],
    );
    let shown: Vec<_> = package
        .includes
        .iter()
        .map(|include| {
            let mut names: Vec<_> = include.files.iter().map(|file| file.name.as_str()).collect();
            names.sort_unstable();
            (include.language.is_some(), names, include.entry_point.as_deref())
        })
        .collect();
    let expected = [
        (true, vec!["data.txt", "lib/graph.h"], None),
        (false, vec!["data.txt"], None),
        (true, vec!["data.txt", "main.py"], Some("main.py")),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn drafts_are_read_as_their_tools_read_them() {
    let directory = package(
        "",
        &[
            (
                "problem.yaml",
                "problem_format_version: 2023-07-draft\nname: {en: Old}\ntype: interactive\nsource_url: x\n",
            ),
            ("output_validators/talk/talk.py", ""),
            ("data/secret/testdata.yaml", "output_validator_flags: --deep 'two words'\n"),
            (".timelimit", "3\n"),
        ],
    );
    let package = load(directory.path()).unwrap();
    assert_eq!(package.limits.time, TimeLimit::Fixed(Duration::from_secs(3)));
    let Check::Interaction { arguments } = &test(&package, "secret/1").check else { panic!() };
    assert_eq!(arguments, &["--deep", "two words"]);
}

#[test]
fn what_is_wrong_is_refused_with_file_and_key() {
    for (yaml, files, expected) in [
        ("type: interactive\n", vec![], "type: 'interactive' asks for a program in output_validator"),
        (
            "",
            vec![("data/secret/test_group.yaml", "max_score: 5\n")],
            "test_group.yaml:1: max_score: only scoring",
        ),
        ("type: scoring\n", vec![("data/sample/test_group.yaml", "max_score: 5\n")], "samples have no score"),
        ("", vec![("data/secret/2.ans", "")], "2.ans: its input is missing; add 2.in"),
        ("", vec![("data/secret/2.in", "")], "2.in: its answer is missing; add 2.ans"),
        ("", vec![("data/secret/2.yaml", "hint: x\n")], "2.yaml: its input is missing"),
        ("", vec![("data/secret/2.files/a", "")], "2.files: its input is missing"),
        ("", vec![("data/secret/1.yaml", "flags: x\n")], "1.yaml:1: flags: it is not a key"),
        (
            "",
            vec![("data/secret/1.yaml", "output_validator_args: [fast]\n")],
            "1.yaml:1: output_validator_args",
        ),
        ("", vec![("data/sample/group/1.in", ""), ("data/sample/group/1.ans", "")], "samples have no groups"),
        (
            "",
            vec![("data/invalid_output/a.in", ""), ("data/invalid_output/a.ans", "")],
            "a.in: the output under",
        ),
        ("", vec![("static_validator/v.py", "")], "static_validator: a static validator"),
        (
            "type: scoring\n",
            vec![("data/secret/g/1.in", ""), ("data/secret/g/1.ans", "")],
            "both tests and groups",
        ),
        (
            "type: scoring\n",
            vec![("data/secret/test_group.yaml", "require_pass: secret/none\n")],
            "require_pass: there is no group 'secret/none'",
        ),
        (
            "constants: {most: 5}\n",
            vec![("submissions/accepted/b.py", "print({{most}})\n")],
            "b.py: a constant in a program where there is no cache is not supported",
        ),
        ("submissions: 5\n", vec![], "problem.yaml:4: submissions: it is not a key"),
    ] {
        let directory = package(yaml, &files);
        let error = load(directory.path()).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains('\n'), "{expected}: {error}");
    }
}

#[test]
fn constants_are_put_into_programs_and_settings_and_nothing_else() {
    let files = [
        ("submissions/accepted/b.py", "print({{SUM}} + {{SUM.WORD}})\n"),
        ("output_validator/v.py", "# {{SUM}}\n"),
        ("include/python3/data.py", "x = '{{OTHER}}{{SUM.value}}'\n"),
        ("data/secret/test_group.yaml", "output_validator_args: ['{{SUM}}']\n"),
        ("data/secret/2.in", "{{SUM}}\n"),
        ("data/secret/2.ans", "{{SUM}}\n"),
    ];
    let directory = package("constants: {SUM: {value: 7.0, WORD: seven}}\n", &files);
    let cache = tempfile::tempdir().unwrap();
    let library = Library::new(cache.path(), CancelToken::new().unwrap());
    let package = library.load(directory.path()).unwrap();
    let text = |path: &Path| fs::read_to_string(path).unwrap();
    let submission = package.submissions.iter().find(|one| one.name == "accepted/b.py").unwrap();
    assert_eq!(text(&submission.files[0]), "print(7.0 + seven)\n");
    assert_eq!(submission.files[0].file_name().unwrap(), "b.py");
    assert_eq!(text(&package.checkers[0].program.files[0].path), "# 7.0\n");
    assert_eq!(text(&package.includes[0].files[0].path), "x = '{{OTHER}}7.0'\n");
    let last = test(&package, "secret/2");
    assert_eq!(last.check, Check::Program { checker: 0, arguments: vec!["7.0".to_owned()] });
    assert_eq!(text(&last.input), "{{SUM}}\n");
    assert_eq!(text(&directory.path().join("submissions/accepted/b.py")), files[0].1);
}

#[test]
fn samples_alone_can_be_judged_and_a_broken_input_validator_keeps_nobody_from_it() {
    let directory = package("", &[("input_validators/v.py", "")]);
    fs::remove_dir_all(directory.path().join("data/secret")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", directory.path().join("input_validators/w.py")).unwrap();
    let package = load(directory.path()).unwrap();
    assert_eq!(package.tests.len(), 1);
    let said = |text: &str| package.warnings.iter().any(|warning| warning.contains(text));
    assert!(said("data/secret: there are no tests in it"), "{:?}", package.warnings);
    assert!(said("this input validator is not run: "), "{:?}", package.warnings);
    assert_eq!(package.verification.input_validators.len(), 1);
}

#[test]
fn folders_of_a_draft_may_be_graded_as_in_the_legacy_format() {
    let files = [
        ("problem.yaml", "problem_format_version: 2023-07-draft\nname: Sums\ntype: scoring\n"),
        ("data/testdata.yaml", "on_reject: continue\nrange: 0 100\ngrader_flags: ignore_sample\n"),
        ("data/secret/testdata.yaml", "grader_flags: first_error accept_if_any_accepted\n"),
        (
            "data/secret/one/testdata.yaml",
            "on_reject: break\naccept_score: 50\nrange: 0 50\ngrader_flags: min\n",
        ),
        ("data/secret/one/2.in", "1 2\n"),
        ("data/secret/one/2.ans", "3\n"),
    ];
    let package = loaded("", &files);
    let group = |name: &str| package.groups.iter().find(|group| group.name == name).unwrap();
    assert!(package.scoring.is_some() && !group("sample").counts);
    let one = group("secret/one");
    assert_eq!((one.accept_score, &one.aggregation), (50.0, &Aggregation::Min));
    assert_eq!(one.range, ScoreRange { min: 0.0, max: 50.0 });
    assert_eq!(group("").range, ScoreRange { min: 0.0, max: 100.0 });
}

/// BAPCtools gives arguments to folders at any depth; a score belongs to a group.
#[test]
fn folders_in_a_group_have_arguments_and_no_scores() {
    let inner = "data/secret/big/inner/test_group.yaml";
    let tests = [
        ("data/secret/big/test_group.yaml", "input_validator_args: [--big]\n"),
        (inner, "input_validator_args: [--inner]\n"),
        ("data/secret/big/inner/2.in", "5 6\n"),
        ("data/secret/big/inner/2.ans", "11\n"),
        ("data/secret/big/3.in", "5 6\n"),
        ("data/secret/big/3.ans", "11\n"),
    ];
    let directory = package("", &tests);
    for name in ["1.in", "1.ans"] {
        fs::remove_file(directory.path().join("data/secret").join(name)).unwrap();
    }
    let package = load(directory.path()).unwrap();
    let arguments = |name: &str| test(&package, name).validator_arguments.clone();
    assert_eq!(arguments("secret/big/inner/2"), ValidatorArguments::All(vec!["--inner".to_owned()]));
    assert_eq!(arguments("secret/big/3"), ValidatorArguments::All(vec!["--big".to_owned()]));
    write(directory.path(), inner, "max_score: 3\n");
    let error = load(directory.path()).unwrap_err().to_string();
    assert!(error.contains("max_score: a folder in a group has no score of its own"), "{error}");
}

#[test]
fn full_feedback_and_validators_of_answers_are_named() {
    let files = [
        ("data/secret/test_group.yaml", "full_feedback: true\n"),
        ("answer_validators/check.ctd", "INT(1,9)\n"),
    ];
    let warnings = loaded("", &files).warnings.join("\n");
    for expected in ["test_group.yaml:1: full_feedback is not supported", "answer_validators/: not run"] {
        assert!(warnings.contains(expected), "{expected}: {warnings}");
    }
    assert_eq!(loaded("", &[("data/secret/test_group.yaml", "full_feedback: false\n")]).warnings.len(), 0);
}
