//! How interactors of each family are called, and what follows from what they say.

use gavel::checker::{Comparator, CustomScore, DmojKind, Protocol, Score, TokenOptions};
use gavel::package::{Check, CheckerProgram, Interaction};
use gavel::verdict::Verdict;

use crate::stage::{Stage, of, quick};

/// Answers with twice what it is asked, once.
const DOUBLE: &str = "read n; echo $((2 * n))\n";

/// As testlib's: `input output answer`; what the program said goes into the output file.
const TESTLIB: &str = r#"
[ $# = 3 ] && grep -q answer "$3" || exit 3
read -r how < "$1"
[ "$how" = skips ] || echo 21
case $how in
    wrong) exit 1 ;;
    format) exit 2 ;;
    fails) echo FAIL no idea >&2; exit 3 ;;
    points) read -r said; echo "points 5" >&2; exit 7 ;;
    part) read -r said; echo "partially correct (40) so so" >&2; exit 40 ;;
    skips) exit 0 ;;
    *) read -r said; echo "$said" > "$2"; exit 0 ;;
esac
"#;

fn testlib(check: Check) -> Stage {
    let mut stage = Stage::with(|settings| settings.slots = Some(4));
    stage.interact_with("interactor.sh", TESTLIB, Protocol::Testlib);
    for how in ["right", "wrong", "format", "fails", "points", "part", "skips"] {
        stage.test_with(how, &format!("{how}\n"), check.clone());
    }
    stage
}

#[test]
fn what_a_testlib_interactor_wrote_is_checked_where_there_is_a_checker() {
    let mut stage = testlib(Check::Program { checker: 0, arguments: vec!["42".to_owned()] });
    let program = stage.program("check.sh", "read -r said < \"$2\"; [ \"$said\" = \"$4\" ]\n");
    stage.package.checkers.push(CheckerProgram {
        program,
        protocol: Protocol::Testlib,
        call: None,
        limits: quick(),
        scores: CustomScore::Allowed,
    });
    let report = stage.judge("bash", DOUBLE);
    for (how, verdict) in [
        ("right", Verdict::AC),
        ("wrong", Verdict::WA),
        ("format", Verdict::WA),
        ("fails", Verdict::JE),
        ("points", Verdict::WA),
        ("part", Verdict::WA),
        // Nothing was written: that is what the checker sees.
        ("skips", Verdict::WA),
    ] {
        assert_eq!(of(&report, how).verdict, verdict, "{how}: {report:?}");
    }
    let report = stage.judge("bash", "read n; echo 7\n");
    assert_eq!(of(&report, "right").verdict, Verdict::WA, "{report:?}");
}

#[test]
fn a_testlib_interactor_alone_decides_where_there_is_no_checker() {
    let stage = testlib(Check::Interaction { arguments: Vec::new() });
    let report = stage.judge("bash", DOUBLE);
    for (how, verdict) in
        [("right", Verdict::AC), ("wrong", Verdict::WA), ("fails", Verdict::JE), ("skips", Verdict::AC)]
    {
        assert_eq!(of(&report, how).verdict, verdict, "{how}: {report:?}");
    }
    let stage = testlib(Check::BuiltIn(Comparator::Tokens(TokenOptions::default())));
    let report = stage.judge("bash", "read n; echo the answer\n");
    assert_eq!(of(&report, "right").verdict, Verdict::AC, "{report:?}");
    assert_eq!(of(&report, "skips").verdict, Verdict::WA, "{report:?}");
}

#[test]
fn every_family_calls_its_interactors_in_its_own_way() {
    for (protocol, call, arguments) in [
        (Protocol::Dmoj(DmojKind::Default), None, "1.in 1.ans"),
        (Protocol::Dmoj(DmojKind::Testlib), None, "1.in null 1.ans"),
        (Protocol::Dmoj(DmojKind::Coci), None, "1.in 1.ans"),
        (Protocol::Dmoj(DmojKind::Default), Some("-a {answer} -i {input}"), "-a 1.ans -i 1.in"),
        (Protocol::Testlib, None, "1.in output 1.ans"),
        (Protocol::Kattis, None, "1.in 1.ans feedback"),
    ] {
        let mut stage = Stage::with(|settings| settings.slots = Some(1));
        let accepted = if protocol == Protocol::Kattis { 42 } else { 0 };
        // A shell that is asked for the names alone.
        let source = format!("for path; do echo -n \"$(basename -- $path) \" >&2; done; exit {accepted}\n");
        stage.interact_with("interactor.sh", &source, protocol);
        if let (Interaction::Interactive(interactor), Some(call)) = (&mut stage.package.interaction, call) {
            interactor.call = Some(call.split(' ').map(str::to_owned).collect());
        }
        stage.test("1", "");
        let report = stage.judge("bash", "true\n");
        assert_eq!(report.verdict, Verdict::AC, "{report:?}");
        let said = report.tests[0].judge_message.clone();
        // Kattis' messages are files.
        if protocol != Protocol::Kattis {
            assert_eq!(said.as_deref(), Some(arguments), "{report:?}");
        }
    }
}

#[test]
fn a_kattis_interactor_gives_scores_and_messages_and_gets_arguments() {
    let mut stage = Stage::with(|settings| settings.slots = Some(1));
    let source = "[ \"$4\" = extra ] || exit 1\nread -r said\necho \"$said\" > $3/score.txt\n\
                  echo hello > $3/teammessage.txt\necho details > $3/judgemessage.txt\nexit 42\n";
    stage.interact_with("interactor.sh", source, Protocol::Kattis);
    if let Interaction::Interactive(interactor) = &mut stage.package.interaction {
        interactor.scores = CustomScore::Required;
    }
    stage.test_with("1", "", Check::Interaction { arguments: vec!["extra".to_owned()] });
    let report = stage.judge("bash", "echo 12.5\n");
    let test = &report.tests[0];
    assert_eq!(
        (test.verdict, test.message.as_str(), test.judge_message.as_deref()),
        (Verdict::AC, "hello", Some("details")),
        "{report:?}"
    );
    let _ = Score::Points(12.5);
    let report = stage.judge("bash", "echo many\n");
    assert!(report.tests[0].message.contains("'many' into score.txt"), "{report:?}");
}
