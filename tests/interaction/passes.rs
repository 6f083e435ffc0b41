//! Several passes: what is kept between them, what ends them, and what they count as.

use gavel::checker::{CustomScore, Protocol};
use gavel::package::{Check, CheckerProgram, MultiPass};
use gavel::verdict::{Reason, Verdict};

use crate::stage::{Stage, of, quick};

/// Says what it was given, and does what it is told.
const PROGRAM: &str = r#"
read word number
case $word in
    spin) while :; do :; done ;;
    fail) exit 3 ;;
esac
echo "$word $number"
"#;

/// Counts its passes in a file and follows the plan in the test's first input: a word for every pass, its last one
/// saying how it ends.
const CHECKER: &str = r#"
input=$1 feedback=$3
[ -e "$feedback/plan" ] || tr ' ' '\n' < "$2" > "$feedback/plan"
echo pass >> "$feedback/passes"
count=$(wc -l < "$feedback/passes")
echo "pass $count: $(cat "$input")" >> "$feedback/judgemessage.txt"
[ -e "$feedback/nextpass.in" ] && exit 9
read -r said
[ "$said" = "$(cat "$input")" ] || exit 8
next=$(sed -n "${count}p" "$feedback/plan")
case $next in
    accept) exit 42 ;;
    reject) exit 43 ;;
    both) echo go 1 > "$feedback/nextpass.in"; exit 43 ;;
    folder) mkdir "$feedback/nextpass.in"; exit 42 ;;
    *) echo "$next $count" > "$feedback/nextpass.in"; exit 42 ;;
esac
"#;

fn stage(limit: u32) -> Stage {
    let mut stage = Stage::with(|settings| settings.slots = Some(4));
    let program = stage.program("check.sh", CHECKER);
    stage.package.checkers.push(CheckerProgram {
        program,
        protocol: Protocol::Kattis,
        call: None,
        limits: quick(),
        scores: CustomScore::Refused,
    });
    stage.package.passes = Some(MultiPass { limit });
    stage
}

#[test]
fn a_pass_after_another_until_the_checker_wants_no_more() {
    let mut stage = stage(3);
    let plans = [
        ("accept", Verdict::AC, "pass 1: go 0"),
        ("go accept", Verdict::AC, "pass 1: go 0\npass 2: go 1"),
        ("go again accept", Verdict::AC, "pass 1: go 0\npass 2: go 1\npass 3: again 2"),
        ("go reject", Verdict::WA, "pass 1: go 0\npass 2: go 1"),
        ("fail accept", Verdict::RTE, ""),
        ("go spin accept", Verdict::TLE, ""),
        ("go go go accept", Verdict::JE, ""),
        ("both", Verdict::JE, ""),
        ("go both", Verdict::JE, ""),
        ("folder", Verdict::JE, ""),
    ];
    for (plan, ..) in plans {
        stage.test_with(plan, "go 0\n", Check::Program { checker: 0, arguments: Vec::new() });
        stage.file(&format!("{plan}.ans"), format!("{plan}\n"));
    }
    let report = stage.judge("bash", PROGRAM);
    for (plan, verdict, said) in plans {
        let test = of(&report, plan);
        assert_eq!(test.verdict, verdict, "{plan}: {test:?}");
        assert_eq!(test.judge_message.as_deref().unwrap_or_default(), said, "{plan}: {test:?}");
    }
    for (plan, complaint) in [
        ("go go go accept", "wants more than the 3 passes that limits.validation_passes allows"),
        ("both", "it exited with code 43, which rejects, and yet wrote nextpass.in"),
        ("folder", "it left feedback/nextpass.in, which is not a regular file"),
    ] {
        let test = of(&report, plan);
        assert!(test.message.contains(complaint) && test.reason == Some(Reason::Checker), "{test:?}");
    }
    assert_eq!(of(&report, "go again accept").output_bytes, 5 + 5 + 8);
    assert!(of(&report, "go spin accept").cpu_ms > 1000.0);
}

/// Asks for a number more in every pass, and writes down what it has heard.
const INTERACTOR: &str = r#"
feedback=$3
read -r passes < "$1"
echo "$passes"
read -r said || exit 43
echo "$said" >> "$feedback/heard"
[ "$said" = "$((passes * 2))" ] || exit 43
if [ "$passes" = 3 ]; then
    [ "$(tr '\n' ' ' < "$feedback/heard")" = "2 4 6 " ] && exit 42
    exit 9
fi
echo $((passes + 1)) > "$feedback/nextpass.in"
exit 42
"#;

#[test]
fn passes_may_be_dialogues() {
    let directory = tempfile::tempdir().unwrap();
    let mut stage = Stage::with(|settings| settings.transcripts = Some(directory.path().to_owned()));
    stage.interact_with("interact.sh", INTERACTOR, Protocol::Kattis);
    stage.package.passes = Some(MultiPass { limit: 3 });
    stage.test("secret/1", "1\n");
    let report = stage.judge("bash", "read n; echo $((2 * n))\n");
    assert_eq!(report.verdict, Verdict::AC, "{report:?}");
    let text = std::fs::read_to_string(directory.path().join("secret/1.interaction")).unwrap();
    assert_eq!(text, "<1\n>2\n---\n<2\n>4\n---\n<3\n>6\n");
    // Every pass finds the files of a script, whatever the one before did to them.
    let files = [
        ("main.sh", ". ./double.sh; rm double.sh; read n; double $n\n"),
        ("double.sh", "double() { echo $((2 * $1)); }\n"),
    ];
    let report = stage.judge_files("bash", &files);
    assert_eq!(report.verdict, Verdict::AC, "{report:?}");
    // Only what is the last pass's own is forgotten.
    let report = stage.judge("bash", "read n; [ $n = 3 ] && exit 1; echo $((2 * n))\n");
    assert_eq!((report.verdict, report.tests[0].output_bytes), (Verdict::RTE, 4), "{report:?}");
}
