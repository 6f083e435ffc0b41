//! A checker that does what its protocol does not know costs nobody a verdict: a judging error that names it, whatever
//! the output was, and nothing it did is left.

use std::path::PathBuf;

use crate::common::{SUM, Scene, verdicts};
use serde_json::Value;

/// A package of the sum whose outputs this program validates.
fn validated(scene: &Scene, name: &str, program: &str) -> PathBuf {
    let package = scene.kattis_package("sum");
    scene.write(
        "sum/problem.yaml",
        "validation: custom\nlimits: {memory: 256, validation_time: 1, validation_memory: 64, validation_output: 1}\n",
    );
    scene.write(&format!("sum/output_validators/{name}"), program);
    package
}

fn judged(name: &str, program: &str) -> Value {
    let scene = Scene::new();
    let package = validated(&scene, name, program);
    scene.judge_bash(&package, SUM, &[])
}

/// Judges with each checker, and demands a judging error of one line that names the checker and says this.
fn are_judging_errors(checkers: &[(&str, &str, &str)]) -> Vec<Value> {
    let judge = |(name, program, complaint): &(&str, &str, &str)| {
        let report = judged(name, program);
        let found = (&report["verdict"], &report["reason"]);
        assert_eq!(found, (&"JE".into(), &"checker".into()), "{program}: {report}");
        let error = report["error"].as_str().unwrap();
        assert!(error.contains("checker 'output_validators/check"), "{program}: {error}");
        assert!(error.contains(complaint) && !error.contains('\n'), "{program}: {error}");
        report
    };
    checkers.iter().map(judge).collect()
}

#[test]
fn a_checker_that_ends_in_a_way_the_protocol_does_not_know_is_a_judging_error() {
    let name = "check.sh";
    let reports = are_judging_errors(&[
        (name, "exit 0\n", "it exited with code 0, where 42 accepts and 43 rejects"),
        (
            name,
            "echo no such thing >&2\nexit 1\n",
            "it exited with code 1, where 42 accepts and 43 rejects: no such thing",
        ),
        (name, "exit 255\n", "it exited with code 255"),
        (name, "kill -SEGV $$\n", "it died of signal 11 (SIGSEGV)"),
        (name, "echo last words >&2; kill -TERM $$\n", "it died of signal 15 (SIGTERM): last words"),
        (
            name,
            "echo 1 > $3/score.txt; exit 42\n",
            "it wrote score.txt, and the problem has no custom scores",
        ),
        (name, "echo 1 > $3/score.txt; exit 43\n", "yet wrote score.txt"),
        ("check.py", "int('x')\n", "it exited with code 1, where 42 accepts"),
        ("check/run", "#!/no/such/interpreter\n", "it cannot be started"),
        ("check.sh", "exec 1>&- 2>&- 0<&-; exec -a x /no/such/program\n", "it exited with code 127"),
    ]);
    for report in reports {
        assert!(report["error"].as_str().unwrap().starts_with("test sample/1: "), "{report}");
    }
}

#[test]
fn what_a_checker_leaves_in_the_feedback_directory_is_read_with_care() {
    let name = "check.sh";
    are_judging_errors(&[
        (
            name,
            "mkdir $3/teammessage.txt; exit 42\n",
            "it left feedback/teammessage.txt, which is not a regular file",
        ),
        (
            name,
            "head -c 1G /dev/zero > $3/judgemessage.txt; exit 42\n",
            "judgemessage.txt, which has more than 1MiB",
        ),
        (
            name,
            "truncate -s 1048577 $3/teammessage.txt; exit 43\n",
            "teammessage.txt, which has more than 1MiB",
        ),
        (name, "head -c 100 /dev/urandom > $3/score.txt; exit 42\n", "the problem has no custom scores"),
        (name, "echo x > $3/nextpass.in; exit 43\n", "yet wrote nextpass.in"),
    ]);
    // What means nothing is left alone, however much of it there is.
    for program in [
        "cd $3; for i in $(seq 20000); do : > f$i; done 2> /dev/null; exit 43\n",
        "mkdir -p $3/a/b/c/d; echo x > $3/a/b/score.txt; chmod 0 $3/a; exit 43\n",
        "printf '\\377\\376\\000\\033[31m' > $3/teammessage.txt; exit 43\n",
        "rmdir $3; exit 43\n",
        "ln -s / $3/x 2> /dev/null; mkfifo $3/y 2> /dev/null; exit 43\n",
    ] {
        let report = judged(name, program);
        assert_eq!(report["verdict"], "WA", "{program}: {report}");
    }
}

#[test]
fn a_checker_that_kills_itself_is_a_judging_error_whatever_the_signal() {
    let scene = Scene::new();
    let package = validated(
        &scene,
        "check.py",
        "import os, sys\nos.kill(os.getpid(), int(open(sys.argv[1]).read()))\nsys.exit(42)\n",
    );
    // Not those that stop a process, nor those that Python or the kernel ignores.
    let signals = (1..32).filter(|signal| !matches!(signal, 2 | 13 | 17..=23 | 25 | 28)).chain([34, 64]);
    for signal in signals.clone() {
        scene.write(&format!("sum/data/secret/signal-{signal:02}.in"), format!("{signal}\n"));
        scene.write(&format!("sum/data/secret/signal-{signal:02}.ans"), "\n");
    }
    let report = scene.judge_bash(&package, "read a\n", &["--tests", "secret/signal-*", "--policy", "full"]);
    assert_eq!(verdicts(&report), vec!["JE"; signals.count()], "{report}");
    assert!(report["error"].as_str().unwrap().contains("it died of signal 1 (SIGHUP)"), "{report}");
}

#[test]
fn a_checker_that_goes_beyond_its_limits_is_a_judging_error() {
    are_judging_errors(&[
        ("check.sh", "while :; do :; done\n", "it used more CPU time than 1.000 s"),
        ("check.sh", "yes\nexit 42\n", "it wrote more than 1MiB"),
        ("check.py", "x = bytearray(200 << 20)\nraise SystemExit(42)\n", "more memory than"),
        ("check.sh", "sleep 600\nexit 42\n", "it was not over after"),
        (
            "check.sh",
            "sleep 600 & yes > /dev/null & while :; do :; done\n",
            "it used more CPU time than 1.000 s",
        ),
        ("check.sh", "bomb() { bomb | bomb & }; bomb; while :; do :; done\n", "it "),
    ]);
}

#[test]
fn a_checker_that_cannot_be_made_is_a_judging_error_before_any_test_runs() {
    let reports = are_judging_errors(&[
        ("check.c", "int main(void) { return fortytwo; }\n", "does not compile as c17: "),
        ("check.py", "def :\n", "does not compile as python3: "),
        ("check.xyz", "42\n", "its language is not known"),
        (
            "check/build",
            "#!/bin/sh\necho no rule to make a validator >&2; exit 3\n",
            "no rule to make a validator",
        ),
        ("check/build", "#!/bin/sh\ntrue\n", "its build script made no file 'run'"),
        ("check/build", "#!/bin/sh\nln -s /etc/passwd run\n", "'run', which is a symbolic link"),
    ]);
    for report in reports {
        assert!(
            report["error"].as_str().unwrap().starts_with("checker 'output_validators/check"),
            "{report}"
        );
        assert_eq!(report["tests"], Value::Array(Vec::new()), "{report}");
    }
}

#[test]
fn a_faulty_checker_never_turns_a_crash_into_something_else() {
    let scene = Scene::new();
    let package = validated(&scene, "check.sh", "exit 42\n");
    for (program, verdict) in
        [("exit 3\n", "RTE"), ("echo 1; kill -SEGV $$\n", "RTE"), ("echo 3; exit 42\n", "RTE")]
    {
        let report = scene.judge_bash(&package, program, &[]);
        assert_eq!(report["verdict"], verdict, "{report}");
    }
}

#[test]
fn a_checker_sees_its_files_and_changes_nothing() {
    let scene = Scene::new();
    // Each check looks for what another may have left, then leaves as much as it can.
    let package = validated(
        &scene,
        "check.sh",
        r#"
complain() { echo "$1" > $3/judgemessage.txt; exit 1; }
[ "$(cat)" = "$(cat $2)" ] || exit 43
[ "$(ls /w)" = feedback ] && [ -z "$(ls $3)" ] || { ls /w $3 >&2; exit 1; }
for file in "$1" "$2" "$0"; do
    (echo x >> "$file") 2> /dev/null && { echo "$file was written" >&2; exit 1; }
    (rm -f "$file") 2> /dev/null && { echo "$file was removed" >&2; exit 1; }
done
(echo x > "$(dirname "$1")/new") 2> /dev/null && exit 1
echo junk > /w/junk; echo junk > /tmp/junk2; mkdir /w/junk3; echo seen > $3/judgemessage.txt
sleep 600 & sleep 600 > /dev/null 2>&1 &
exit 42
"#,
    );
    let report = scene.judge_bash(&package, SUM, &["--policy", "full"]);
    assert_eq!(verdicts(&report), ["AC", "AC", "AC"], "{report}");
    assert_eq!(report["tests"][2]["judge_message"], "seen", "{report}");
    assert_eq!(std::fs::read_to_string(scene.path("sum/data/secret/2.in")).unwrap(), "50 60\n");
}

#[test]
fn only_the_message_for_the_team_is_shown_to_the_contestant() {
    let scene = Scene::new();
    let package = validated(
        &scene,
        "check.sh",
        "printf 'jury\\nonly\\n' > $3/judgemessage.txt; printf 'nearly\\n\\033[2Jright' > $3/teammessage.txt\n\
         echo standard output; exit 43\n",
    );
    let report = scene.judge_bash(&package, SUM, &[]);
    let test = &report["tests"][0];
    assert_eq!(
        (&test["verdict"], &test["message"]),
        (&"WA".into(), &"nearly \\u{1b}[2Jright".into()),
        "{report}"
    );
    assert_eq!(test["judge_message"], "jury\nonly", "{report}");
    assert_eq!(report["error"], Value::Null);
}

#[test]
fn a_checker_may_open_its_standard_input_by_name_whatever_its_size() {
    let scene = Scene::new();
    let package = validated(
        &scene,
        "check.sh",
        "wc -c < /dev/stdin > $3/judgemessage.txt || exit 1\n(echo x >> /dev/stdin) 2> /dev/null && exit 1\nexit 43\n",
    );
    for (program, bytes) in [("echo 123\n", "4"), ("head -c 3000000 /dev/zero\n", "3000000")] {
        let report = scene.judge_bash(&package, program, &[]);
        assert_eq!(report["tests"][0]["judge_message"], bytes, "{report}");
    }
}

#[test]
fn files_only_their_owner_may_read_are_checked_all_the_same() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    let package =
        validated(&scene, "check.sh", "[ \"$(cat)\" = \"$(cat $2)\" ] && [ -s $1 ] && exit 42 || exit 43\n");
    for name in ["sum/data/sample/1.in", "sum/data/sample/1.ans", "sum/data/secret/1.ans"] {
        std::fs::set_permissions(scene.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let report = scene.judge_bash(&package, SUM, &["--policy", "full"]);
    assert_eq!(verdicts(&report), ["AC", "AC", "AC"], "{report}");
}
