//! Packages of Polygon load as Polygon means them, and broken ones are refused in its terms.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use gavel::checker::{Comparator, CustomScore, Protocol, TestlibChecker};
use gavel::package::{
    Aggregation, Check, Format, GeneratedAnswer, GeneratorOutput, Interaction, Member, Package, TimeLimit,
    ValidatorArguments, load,
};
use gavel::units::Bytes;
use gavel::verdict::Verdict::{AC, MLE, TLE, WA, WTL};
use proptest::prelude::*;
use tempfile::TempDir;

const XML: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<problem short-name="sums">
<names><name language="english" value="Sums"/></names>
<judging input-file="" output-file="">
<testset name="tests">
<time-limit>1500</time-limit>
<memory-limit>268435456</memory-limit>
<test-count>3</test-count>
<input-path-pattern>tests/%02d</input-path-pattern>
<answer-path-pattern>tests/%02d.a</answer-path-pattern>
<tests>
<test method="manual" sample="true" group="0" points="0"/>
<test cmd="gen 5 x" method="generated" group="1" points="30"/>
<test cmd="gen 9" method="generated" group="1" points="70"/>
</tests>
<groups>
<group name="0" points-policy="complete-group"/>
<group name="1" points-policy="each-test"><dependencies><dependency group="0"/></dependencies></group>
</groups>
</testset>
</judging>
<files><executables><executable><source path="files/gen.cpp" type="cpp.g++17"/></executable></executables></files>
<assets>
<checker type="testlib"><source path="files/check.cpp" type="cpp.g++17"/></checker>
<solutions>
<solution tag="main"><source path="solutions/a.cpp" type="cpp.g++17"/></solution>
<solution tag="time-limit-exceeded-or-memory-limit-exceeded"><source path="solutions/b.py" type="python.3"/>
<extra-tags><extra-tag group="1" tag="wrong-answer"/></extra-tags></solution>
</solutions>
</assets>
</problem>
"#;

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A package whose `problem.xml` has `old` replaced by `new`.
fn package(old: &str, new: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    assert!(XML.contains(old), "{old}");
    write(directory.path(), "problem.xml", &XML.replacen(old, new, 1));
    for name in ["tests/01", "tests/02", "tests/03", "tests/01.a", "tests/02.a", "tests/03.a"] {
        write(directory.path(), name, "1\n");
    }
    for name in ["files/check.cpp", "files/gen.cpp", "files/talk.cpp", "files/testlib.h"] {
        write(directory.path(), name, "#include \"testlib.h\"\n");
    }
    for name in ["solutions/a.cpp", "solutions/b.py"] {
        write(directory.path(), name, "");
    }
    directory
}

fn loaded(old: &str, new: &str) -> Package {
    load(package(old, new).path()).unwrap()
}

#[test]
fn a_full_package_fills_the_model() {
    let package = loaded("", "");
    assert_eq!((package.title.as_str(), package.format), ("Sums", Format::Polygon));
    assert_eq!(package.limits.time, TimeLimit::Fixed(Duration::from_millis(1500)));
    assert_eq!(package.limits.memory, Bytes::mib(256));
    let names: Vec<_> = package.tests.iter().map(|test| test.name.as_str()).collect();
    assert_eq!(names, ["tests/01", "tests/02", "tests/03"]);
    assert!(package.tests[0].sample && !package.tests[1].sample);
    let arguments = ["--testset", "tests", "--group", "1"].map(str::to_owned).to_vec();
    assert_eq!(package.tests[1].validator_arguments, ValidatorArguments::All(arguments));
    assert_eq!(package.tests[1].made_by.as_ref().unwrap().arguments, ["5", "x"]);
    assert_eq!(package.checkers[0].protocol, Protocol::Testlib);
    assert_eq!(package.checkers[0].scores, CustomScore::Allowed);
    let files: Vec<_> = package.checkers[0].program.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(files, ["check.cpp", "testlib.h"]);
    assert!(package.warnings.is_empty(), "{:?}", package.warnings);
    let slow = &package.submissions[1].expectation;
    assert_eq!(slow.verdicts, [TLE, WTL, MLE]);
    assert_eq!((slow.parts[0].pattern.as_str(), &slow.parts[0].permitted[..]), ("1", &[WA, AC][..]));
    assert_eq!(package.submissions[0].language.as_deref(), Some("cpp17"));
}

#[test]
fn points_and_policies_become_groups() {
    let package = loaded("points-policy=\"complete-group\"", "points-policy=\"complete-group\" points=\"5\"");
    let group = |name: &str| package.groups.iter().find(|group| group.name == name).unwrap();
    assert!(package.scoring.is_some());
    assert_eq!((&group("0").aggregation, group("0").weight), (&Aggregation::AllOrNothing, 5.0));
    assert_eq!(
        (&group("1").aggregation, &group("1").dependencies[..]),
        (&Aggregation::Sum, &["0".to_owned()][..])
    );
    let points: Vec<_> = group("1")
        .members
        .iter()
        .map(|member| match member {
            Member::Test { points, .. } => *points,
            Member::Group(_) => None,
        })
        .collect();
    assert_eq!(points, [Some(30.0), Some(70.0)]);
}

/// The package without some of its files.
fn standard(old: &str, new: &str, missing: &[&str]) -> TempDir {
    let directory = package(old, new);
    for name in missing {
        fs::remove_file(directory.path().join(name)).unwrap();
    }
    directory
}

#[test]
fn a_standard_package_leaves_tests_to_its_programs() {
    let directory =
        standard("gen 9\"", "gen 9 'a b'\" from-file=\"7\"", &["tests/01.a", "tests/02", "tests/03"]);
    let package = load(directory.path()).unwrap();
    let made = package.generated.unwrap();
    assert_eq!(made.tests.iter().map(|test| test.test).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(
        made.tests.iter().all(|test| test.answer == Some(GeneratedAnswer::Solution(0))),
        "{:?}",
        made.tests
    );
    assert_eq!((&made.tests[0].input, made.tests[0].origin.as_str()), (&None, "problem.xml:12"));
    let second = made.tests[1].input.as_ref().unwrap();
    assert_eq!(
        (&second.arguments[..], &second.written),
        (&["5".into(), "x".into()][..], &GeneratorOutput::Output)
    );
    assert_eq!(made.tests[1].origin, "problem.xml:13: 'gen 5 x'");
    let third = made.tests[2].input.as_ref().unwrap();
    let files = ["7", "07", "007"].map(str::to_owned).to_vec();
    assert_eq!(
        (&third.arguments[..], &third.written),
        (&["9".into(), "a b".into()][..], &GeneratorOutput::File(files))
    );
    assert_eq!(
        (made.generators[0].name.as_str(), made.solutions[0].name.as_str()),
        ("files/gen.cpp", "solutions/a.cpp")
    );
    let answered = load(standard("gen 9", "gen 9", &["tests/03.a"]).path()).unwrap().generated.unwrap();
    assert_eq!((answered.tests.len(), &answered.tests[0].input), (1, &None));
    let interactor = "<interactor><source path=\"files/talk.cpp\" type=\"cpp.g++17\"/></interactor><checker";
    let talks = load(standard("<checker", interactor, &["tests/03.a"]).path()).unwrap().generated.unwrap();
    assert_eq!(talks.tests[0].answer, Some(GeneratedAnswer::Interactor(0)));
}

#[test]
fn what_cannot_be_generated_is_refused_with_its_line() {
    for (old, new, missing, expected) in [
        (
            "gen 9",
            "gem 9",
            "tests/03",
            "problem.xml:14: judging.testset.tests.test.cmd: there is no generator 'gem'",
        ),
        ("gen 9", "gen 9 | sort", "tests/03", "a command with '|' is not supported"),
        ("gen 9\"", "gen 9\" from-file=\"../x\"", "tests/03", "test.from-file: '../x' is not the name"),
        ("cmd=\"gen 9\" ", "", "tests/03", "tests/03: the input of test 3 is missing"),
        ("tag=\"main\"", "tag=\"accepted\"", "tests/03.a", "no solution has the tag main"),
    ] {
        let error = load(standard(old, new, &[missing]).path()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(expected) && !text.contains('\n') && !error.is_ours(), "{expected}: {text}");
    }
}

#[test]
fn standard_checkers_are_built_in_and_interactors_come_before_checkers() {
    let checker = "<checker type=\"testlib\">";
    let package = loaded(checker, "<checker type=\"testlib\" name=\"std::ncmp.cpp\">");
    assert_eq!(package.tests[0].check, Check::BuiltIn(Comparator::Testlib(TestlibChecker::Ncmp)));
    assert!(package.checkers.is_empty());
    let package = loaded(checker, "<checker type=\"testlib\" name=\"std::pointscmp.cpp\">");
    assert_eq!(package.checkers[0].program.name, "files/check.cpp");
    let talk = "<interactor><source path=\"files/talk.cpp\" type=\"cpp.g++17\"/></interactor><checker type=\"testlib\">";
    let package = loaded(checker, talk);
    assert!(
        matches!(&package.interaction, Interaction::Interactive(talk) if talk.protocol == Protocol::Testlib)
    );
    assert!(matches!(package.tests[0].check, Check::Program { checker: 0, .. }));
}

#[test]
fn files_resources_and_a_missing_testlib_are_told() {
    let streams =
        loaded("input-file=\"\" output-file=\"\"", "input-file=\"a.in\" output-file=\"stdout\"").streams;
    assert_eq!((streams.input_file.as_deref(), streams.output_file), (Some("a.in"), None));
    let grader = "<files><resources><file path=\"files/talk.cpp\" type=\"cpp.g++17\" for-types=\"cpp.*\"><assets>\
                  <asset name=\"SOLUTION\"/></assets><stages><stage name=\"COMPILE\"/></stages></file></resources>";
    let package = loaded("<files>", grader);
    assert_eq!(package.includes[0].files[0].name, "talk.cpp");
    let directory = self::package("", "");
    fs::remove_file(directory.path().join("files/testlib.h")).unwrap();
    let warnings = load(directory.path()).unwrap().warnings.join("\n");
    assert!(warnings.contains("files/check.cpp: testlib.h is not in the package"), "{warnings}");
}

#[test]
fn broken_documents_are_refused_with_place_and_key() {
    let entities =
        "<!DOCTYPE problem [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><problem short-name=\"sums\">";
    let outside =
        "<!DOCTYPE problem [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><problem short-name=\"sums\">";
    for (old, new, expected) in [
        (
            "<problem short-name=\"sums\">",
            entities,
            "problem.xml:1: it is not the XML expected: XML with DTD",
        ),
        ("<problem short-name=\"sums\">", outside, "it is not the XML expected"),
        ("</problem>", "", "it is not the XML expected"),
        ("value=\"Sums\"", "value=\"&none;\"", "it is not the XML expected"),
        (XML, "<contest/>", "describes a 'contest', not a problem"),
        (XML, "<problem/>", "judging: it is missing"),
        (XML, "", "it is not the XML expected"),
        ("name=\"tests\"", "name=\"\"", ""),
        ("<time-limit>1500</time-limit>", "", "judging.testset.time-limit: it is missing"),
        ("1500", "-5", "judging.testset.time-limit: '-5' is out of range"),
        ("1500", "99999999999999999999", "is out of range"),
        ("268435456", "lots", "judging.testset.memory-limit: 'lots'"),
        ("<test-count>3", "<test-count>4", "it says 4 tests, and 3 are described"),
        ("<test-count>3", "<test-count>999999999", "'999999999' is out of range"),
        ("tests/%02d<", "../%02d<", "'../%02d' is no pattern"),
        ("tests/%02d<", "/etc/%02d<", "is no pattern"),
        ("tests/%02d<", "tests/%s<", "is no pattern"),
        ("tests/%02d<", "tests/%99999999999d<", "is no pattern"),
        ("tests/%02d<", "other/%02d<", "other/01: the input of test 1 is missing"),
        ("points=\"30\"", "points=\"many\"", "test.points: 'many' are no points"),
        ("points=\"30\"", "points=\"NaN\"", "'NaN' are no points"),
        ("points-policy=\"each-test\"", "points-policy=\"best\"", "points-policy: 'best' is not a policy"),
        ("<dependency group=\"0\"/>", "<dependency group=\"7\"/>", "there is no group '7'"),
        ("<dependency group=\"0\"/>", "<dependency group=\"1\"/>", "the group '1' depends on itself"),
        ("<group name=\"0\"", "<group name=\"1\"", "the group '1' stands there twice"),
        ("group=\"1\" points=\"30\"", "group=\"x\" points=\"30\"", "test.group: there is no group 'x'"),
        (
            "<checker type=\"testlib\">",
            "<checker type=\"pcms\">",
            "a checker of type 'pcms' is not supported",
        ),
        ("files/check.cpp", "files/none.cpp", "source.path: 'files/none.cpp' is not in the package"),
        ("files/check.cpp", "../check.cpp", "is no path of a file in the package"),
        ("files/check.cpp", "files", "it is a directory where a file is needed"),
        ("solutions/a.cpp", "/etc/passwd", "'/etc/passwd' is not in the package"),
        ("tag=\"main\"", "tag=\"best\"", "solution.tag: 'best' is not a tag"),
        ("input-file=\"\"", "input-file=\"../x\"", "judging.input-file: '../x' is no name"),
    ] {
        let directory = package(old, new);
        match load(directory.path()) {
            Ok(package) => assert!(expected.is_empty(), "{new}: loaded as {}", package.name),
            Err(error) => {
                let error = error.to_string();
                assert!(
                    error.contains(expected) && !error.contains('\n') && error.contains("; "),
                    "{new}: {error}"
                );
                assert!(!expected.is_empty(), "{error}");
            }
        }
    }
}

#[test]
fn files_that_are_not_the_packages_are_refused() {
    let directory = package("", "");
    fs::remove_file(directory.path().join("tests/02")).unwrap();
    symlink("/etc/passwd", directory.path().join("tests/02")).unwrap();
    let error = load(directory.path()).unwrap_err().to_string();
    assert!(error.contains("tests/02: it is a symbolic link out of the package"), "{error}");
    fs::write(directory.path().join("problem.xml"), b"<problem>\xff</problem>").unwrap();
    let error = load(directory.path()).unwrap_err().to_string();
    assert!(error.contains("problem.xml: it is not UTF-8 (byte 9)"), "{error}");
    fs::write(directory.path().join("problem.xml"), "<a>".repeat(200_000)).unwrap();
    assert!(load(directory.path()).is_err());
}

#[test]
fn more_groups_and_testsets_than_anybody_makes_end_quickly() {
    let groups: String = (0..1_001).map(|group| format!("<group name=\"x{group}\"/>")).collect();
    let directory = package("<groups>", &format!("<groups>{groups}"));
    let error = load(directory.path()).unwrap_err().to_string();
    assert!(error.contains("judging.testset.groups.group: there are more than 1000 groups"), "{error}");
    // Each needs all before it, and the last but one the last.
    let groups: String = (0..900)
        .map(|group| {
            let needed: String =
                (0..group).map(|other| format!("<dependency group=\"x{other}\"/>")).collect();
            let last = if group == 898 { "<dependency group=\"x899\"/>" } else { "" };
            format!("<group name=\"x{group}\"><dependencies>{needed}{last}</dependencies></group>")
        })
        .collect();
    let directory = package("<groups>", &format!("<groups>{groups}"));
    let error = load(directory.path()).unwrap_err().to_string();
    assert!(error.contains("depends on itself") && error.contains("'x89"), "{error}");
    let sets = "<testset name=\"other\"/>\n".repeat(60_000);
    let package = loaded("</judging>", &format!("{sets}</judging>"));
    let others: Vec<_> = package.warnings.iter().filter(|warning| warning.contains("'other'")).collect();
    assert!(others.len() == 1 && others[0].len() < 500, "{others:?}");
}

#[test]
fn paths_that_no_file_can_have_are_the_packages_fault() {
    let name = format!("solutions/{}.cpp", "a".repeat(300));
    let directory = package("solutions/a.cpp", &name);
    let error = load(directory.path()).unwrap_err();
    assert!(!error.is_ours() && error.to_string().contains("is not in the package"), "{error}");
    let directory = package("solutions/a.cpp", "solutions/ring.cpp");
    symlink("ring.cpp", directory.path().join("solutions/ring.cpp")).unwrap();
    let error = load(directory.path()).unwrap_err();
    assert!(!error.is_ours() && error.to_string().contains("a symbolic link to itself"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever stands in the document, reading it ends without a panic.
    #[test]
    fn any_document_is_read_or_refused(place in 0_usize..XML.len(), length in 0_usize..40, text in "[ -~]{0,12}") {
        let end = (place + length).min(XML.len());
        let broken = format!("{}{text}{}", &XML[..place], &XML[end..]);
        if let Err(error) = gavel::package::parse_problem_xml(&broken) {
            prop_assert!(!error.to_string().contains('\n'));
        }
    }
}

#[test]
fn points_of_a_checker_are_the_score_where_tests_have_none() {
    let directory = package("points=\"30\"", "");
    let root = directory.path().join("p");
    fs::create_dir(&root).unwrap();
    let xml = XML.replace(" points=\"0\"", "").replace(" points=\"30\"", "").replace(" points=\"70\"", "");
    write(&root, "problem.xml", &xml);
    for name in ["01", "02", "03"] {
        write(&root, &format!("tests/{name}"), "1\n");
        write(&root, &format!("tests/{name}.a"), "1\n");
    }
    let quit = "static void quitp(double points) { std::fprintf(stderr, \"points %g\\n\", points); std::exit(7); }\n";
    let checker = |quit: &str, call: &str| {
        format!(
            "#include <cstdio>\n#include <cstdlib>\n{quit}int main(int, char **names) {{\n  double x = -1;\n  \
             std::FILE *file = std::fopen(names[2], \"r\");\n  if (std::fscanf(file, \"%lf\", &x) != 1 || x < 0) return 1;\n  {call}\n}}\n"
        )
    };
    write(&root, "files/gen.cpp", "");
    write(&root, "solutions/a.cpp", "");
    write(&root, "solutions/b.py", "");
    write(
        &root,
        "files/check.cpp",
        &checker("// Not quitp(x): right or wrong.\n", "std::puts(\"quitp(x)\");"),
    );
    assert!(load(&root).unwrap().scoring.is_none());
    write(&root, "files/check.cpp", &checker(quit, "quitp(x);"));
    assert!(load(&root).unwrap().scoring.is_some());
    let judge = |output: &str| {
        write(directory.path(), "a.py", &format!("print({output})\n"));
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_gavel"));
        command.args(["judge", "p", "a.py", "--format", "json", "--cache", "cache"]);
        let output = command.current_dir(directory.path()).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (report["verdict"].as_str().unwrap().to_owned(), report["score"].as_f64().unwrap())
    };
    assert_eq!(judge("12.5"), ("AC".to_owned(), 37.5));
    assert_eq!(judge("0"), ("WA".to_owned(), 0.0));
    assert_eq!(judge("-1"), ("WA".to_owned(), 0.0));
    // Without the call there is nothing to add.
    write(&root, "files/check.cpp", &checker("", "return 0;"));
    assert!(load(&root).unwrap().scoring.is_none());
}

#[test]
fn a_validator_without_its_source_is_left_out_with_a_warning() {
    let validators = "<validators><validator><source path=\"files/no.cpp\"/></validator>\
        <validator><source path=\"files/gen.cpp\"/></validator></validators>\n<solutions>";
    let package = loaded("<solutions>", validators);
    assert_eq!(package.verification.input_validators.len(), 1);
    let said = |text: &str| package.warnings.iter().any(|warning| warning.contains(text));
    assert!(
        said("this input validator is not run: problem.xml:") && said("'files/no.cpp' is not in the package"),
        "{:?}",
        package.warnings
    );
}
