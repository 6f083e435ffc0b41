//! Scores, groups and the package's own graders: what a submission gets for the tests it solves.

use std::path::PathBuf;

use crate::common::{Scene, text, verdicts};
use serde_json::{Value, json};

/// A scoring package in the legacy format. Each test's input is its number; the answer to all is `ok`.
fn package(scene: &Scene, problem: &str, settings: &[(&str, &str)], tests: &[(&str, &[u32])]) -> PathBuf {
    scene.write("p/problem.yaml", format!("name: Scores\ntype: scoring\nlimits: {{memory: 256}}\n{problem}"));
    scene.write("p/.timelimit", "5\n");
    for (group, text) in settings {
        scene.write(&format!("p/data/{group}/testdata.yaml"), text);
    }
    for (group, numbers) in tests {
        for number in *numbers {
            scene.write(&format!("p/data/{group}/{number:02}.in"), format!("{number}\n"));
            scene.write(&format!("p/data/{group}/{number:02}.ans"), "ok\n");
        }
    }
    scene.path("p")
}

/// A program that is wrong on some tests and right on all others.
fn wrong_on(numbers: &str) -> String {
    format!("read n\ncase $n in {numbers}) echo no;; 90) exit 3;; *) echo ok;; esac\n")
}

/// Name, verdict and score of every group.
fn groups(report: &Value) -> Vec<(String, String, Value)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let groups = report["groups"].as_array().unwrap_or_else(|| panic!("{report}"));
    groups
        .iter()
        .map(|group| (text(&group["name"]), text(&group["verdict"]), group["score"].clone()))
        .collect()
}

fn group(name: &str, verdict: &str, score: impl Into<Value>) -> (String, String, Value) {
    (name.to_owned(), verdict.to_owned(), score.into())
}

/// Subtasks whose points are all or nothing, samples that do not count.
const SUBTASKS: &[(&str, &str)] = &[
    ("", "on_reject: continue\nrange: 0 100\ngrader_flags: ignore_sample\n"),
    ("sample", "range: 0 0\naccept_score: 0\ngrader_flags: first_error\n"),
    ("secret", "range: 0 100\ngrader_flags: first_error accept_if_any_accepted\n"),
    ("secret/1", "on_reject: break\naccept_score: 30\nrange: 0 30\ngrader_flags: min\n"),
    ("secret/2", "on_reject: break\naccept_score: 70\nrange: 0 70\ngrader_flags: min\n"),
];
const TESTS: &[(&str, &[u32])] = &[("sample", &[1]), ("secret/1", &[2, 3]), ("secret/2", &[4, 5, 6])];

#[test]
fn subtasks_give_all_their_points_or_none() {
    let scene = Scene::new();
    let package = package(&scene, "", SUBTASKS, TESTS);
    let report = scene.judge_bash(&package, &wrong_on("5"), &[]);
    assert_eq!(verdicts(&report), ["AC", "AC", "AC", "AC", "WA", "SK"]);
    assert_eq!((&report["verdict"], &report["score"]), (&json!("AC"), &json!(30.0)), "{report}");
    assert_eq!(report["range"], json!({"min": 0.0, "max": 100.0}));
    assert_eq!(
        groups(&report),
        [
            group("sample", "AC", 0.0),
            group("secret", "AC", 30.0),
            group("secret/1", "AC", 30.0),
            group("secret/2", "WA", 0.0),
        ]
    );
    let scores: Vec<&Value> = report["tests"].as_array().unwrap().iter().map(|test| &test["score"]).collect();
    assert_eq!(scores, [&json!(0.0), &json!(30.0), &json!(30.0), &json!(70.0), &json!(0.0), &Value::Null]);
    assert_eq!(report["first_failure"], "secret/2/05");
    // A sample that fails changes nothing, and neither does the policy.
    for policy in ["first-failure", "group", "full"] {
        let report = scene.judge_bash(&package, &wrong_on("1|5"), &["--policy", policy]);
        assert_eq!((&report["verdict"], &report["score"]), (&json!("AC"), &json!(30.0)), "{policy}");
        let last = if policy == "full" { "AC" } else { "SK" };
        assert_eq!(verdicts(&report), ["WA", "AC", "AC", "AC", "WA", last], "{policy}");
    }
    let report = scene.judge_bash(&package, &wrong_on("2|4"), &[]);
    assert_eq!((&report["verdict"], &report["score"]), (&json!("WA"), &json!(0.0)));
}

#[test]
fn people_see_points_and_groups() {
    let scene = Scene::new();
    let package = package(&scene, "", SUBTASKS, TESTS);
    let source = scene.write("program.sh", wrong_on("5"));
    let said = scene.say(&["judge", text(&package), text(&source)]);
    assert_eq!(said.code, 0, "{said:?}");
    let lines: Vec<Vec<&str>> = said.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(lines.contains(&vec!["secret/1", "AC", "30", "0", "to", "30"]), "{said:?}");
    assert!(lines.contains(&vec!["secret/2", "WA", "0", "0", "to", "70"]), "{said:?}");
    assert!(said.stdout.contains("\nAC, score 30 (0 to 100): Bash, 4 of 6 tests accepted"), "{said:?}");
    let said = scene.say(&["judge", text(&package), text(&source), "--format", "ndjson"]);
    let events = said.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let told: Vec<Value> = events
        .filter(|event| event["type"] == "group")
        .map(|event| json!([event["name"], event["verdict"], event["score"], event["range"]["max"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!(["sample", "AC", 0.0, 0.0]),
            json!(["secret/1", "AC", 30.0, 30.0]),
            json!(["secret/2", "WA", 0.0, 70.0]),
            json!(["secret", "AC", 30.0, 100.0]),
        ]
    );
}

#[test]
fn without_settings_the_first_rejection_ends_everything_and_points_are_added() {
    let scene = Scene::new();
    let package = package(&scene, "", &[("secret/2", "grader_flags: avg\naccept_score: 5\n")], TESTS);
    let report = scene.judge_bash(&package, &wrong_on("none"), &[]);
    assert_eq!((&report["verdict"], &report["score"]), (&json!("AC"), &json!(8.0)), "{report}");
    assert_eq!(report.get("range"), None);
    let report = scene.judge_bash(&package, &wrong_on("3"), &[]);
    assert_eq!((&report["verdict"], &report["score"]), (&json!("WA"), &json!(2.0)), "{report}");
    assert_eq!(groups(&report)[3], group("secret/2", "SK", Value::Null));
}

#[test]
fn the_worst_error_is_named_unless_the_first_is_asked_for() {
    let scene = Scene::new();
    let tests: &[(&str, &[u32])] = &[("secret", &[7, 8, 90, 91])];
    let package = package(&scene, "", &[("", "on_reject: continue\n")], tests);
    let report = scene.judge_bash(&package, &wrong_on("8"), &[]);
    assert_eq!((&report["verdict"], &report["reason"]), (&json!("RTE"), &json!("exit-code")));
    assert_eq!((&report["score"], &report["first_failure"]), (&json!(2.0), &json!("secret/08")));
    scene.write("p/data/testdata.yaml", "on_reject: continue\ngrader_flags: first_error max\n");
    let report = scene.judge_bash(&package, &wrong_on("8"), &[]);
    assert_eq!((&report["verdict"], &report["score"]), (&json!("WA"), &json!(1.0)));
    scene.write("p/data/testdata.yaml", "on_reject: continue\ngrader_flags: always_accept\n");
    let report = scene.judge_bash(&package, &wrong_on("8"), &[]);
    assert_eq!((&report["verdict"], &report["score"]), (&json!("AC"), &json!(2.0)));
}

#[test]
fn a_test_linked_into_several_groups_runs_once_and_counts_in_each() {
    let scene = Scene::new();
    let tests: &[(&str, &[u32])] = &[("secret/1", &[2, 3]), ("secret/2", &[4])];
    let package = package(&scene, "", SUBTASKS, tests);
    for ending in ["in", "ans"] {
        let link = scene.path(&format!("p/data/secret/2/03.{ending}"));
        std::os::unix::fs::symlink(format!("../1/03.{ending}"), link).unwrap();
    }
    // The second run of a test would find what the first left, if there were one: times tell them apart.
    let report = scene.judge_bash(&package, &wrong_on("none"), &[]);
    assert_eq!((&report["score"], verdicts(&report).len()), (&json!(100.0), 4));
    let [one, other] = [1, 2].map(|test| report["tests"][test].clone());
    assert_eq!((&one["name"], &other["name"]), (&json!("secret/1/03"), &json!("secret/2/03")));
    assert_eq!((&one["wall_ms"], &one["score"]), (&other["wall_ms"], &json!(30.0)));
    assert_eq!((&other["groups"], &other["score"]), (&json!(["secret", "secret/2"]), &json!(70.0)));
    // Moot in the first group, it is run for the second.
    let report = scene.judge_bash(&package, &wrong_on("2"), &["--slots", "1"]);
    assert_eq!(verdicts(&report), ["WA", "SK", "AC", "AC"]);
    assert_eq!(report["score"], 70.0);
    let report = scene.judge_bash(&package, &wrong_on("3"), &["--slots", "4"]);
    assert_eq!(verdicts(&report), ["AC", "WA", "WA", "SK"]);
    assert_eq!((&report["verdict"], &report["score"]), (&json!("WA"), &json!(0.0)));
}

/// Accepts a number as its own score; `none` without one.
const SCORING_VALIDATOR: &str = "read s\n[ \"$s\" = no ] && exit 43\n[ \"$s\" = both ] && echo 1 > $3/score.txt && exit 43\n\
                                 [ \"$s\" = none ] || echo \"$s\" > $3/score.txt\nexit 42\n";

#[test]
fn a_checkers_scores_count_and_its_mistakes_are_judging_errors() {
    let scene = Scene::new();
    let tests: &[(&str, &[u32])] = &[("secret", &[1, 2])];
    let settings: &[(&str, &str)] = &[("", "on_reject: continue\nrange: 0 100\ngrader_flags: first_error\n")];
    let package = package(&scene, "validation: custom score\ngrading: {objective: min}\n", settings, tests);
    scene.write("p/output_validators/score.sh", SCORING_VALIDATOR);
    let judged = |first: &str, second: &str| {
        let program = format!("read n\n[ $n = 1 ] && echo {first} || echo {second}\n");
        scene.judge_bash(&package, &program, &[])
    };
    let report = judged("12.5", "30");
    assert_eq!((&report["verdict"], &report["score"]), (&json!("AC"), &json!(42.5)), "{report}");
    let report = judged("12.5", "no");
    assert_eq!((&report["verdict"], &report["score"]), (&json!("WA"), &json!(12.5)));
    for (said, complaint) in [
        ("none", "without writing score.txt"),
        ("both", "which rejects, and yet wrote score.txt"),
        ("much", "'much' into score.txt"),
    ] {
        let report = judged("5", said);
        assert_eq!((&report["verdict"], &report["score"]), (&json!("JE"), &Value::Null), "{report}");
        assert_eq!(report["reason"], "checker");
        let error = report["error"].as_str().unwrap();
        assert!(error.starts_with("test secret/02: ") && error.contains(complaint), "{error}");
    }
    let report = judged("60", "60");
    assert_eq!((&report["verdict"], &report["reason"]), (&json!("JE"), &json!("package")));
    assert_eq!(report["error"], "group secret: the score 120 lies outside its range, 0 to 100");
}

#[test]
fn groups_of_the_newest_format_depend_on_others_and_samples_on_nothing() {
    let scene = Scene::new();
    let files: &[(&str, &str)] = &[
        (
            "problem.yaml",
            "problem_format_version: 2025-09\nname: Groups\nuuid: 5ca6ba5b-36d5-4eff-8aa7-d967cbc4375e\n\
                          type: scoring\nlimits: {time_limit: 5}\n",
        ),
        ("output_validator/score.sh", SCORING_VALIDATOR),
        ("data/secret/1/test_group.yaml", "max_score: 20\n"),
        ("data/secret/2/test_group.yaml", "max_score: 30\nscore_aggregation: sum\nrequire_pass: secret/1\n"),
        ("data/secret/3/test_group.yaml", "max_score: 50\nscore_aggregation: min\nrequire_pass: [sample]\n"),
    ];
    for (file, content) in files {
        scene.write(&format!("p/{file}"), content);
    }
    for test in
        ["sample/1", "secret/1/1", "secret/1/2", "secret/2/1", "secret/2/2", "secret/3/1", "secret/3/2"]
    {
        scene.write(&format!("p/data/{test}.in"), test);
        scene.write(&format!("p/data/{test}.ans"), "");
    }
    let package = scene.path("p");
    let judged = |cases: &str| {
        let program = format!("read t\ncase $t in {cases} *) echo none;; esac\n");
        let report = scene.judge_bash(&package, &program, &[]);
        let scores: Vec<Value> =
            report["groups"].as_array().unwrap().iter().map(|group| group["score"].clone()).collect();
        (report["verdict"].as_str().unwrap().to_owned(), report["score"].clone(), scores, report)
    };
    // Of two tests of 30 points, one gets 4.
    let (verdict, score, scores, report) = judged("secret/2/2) echo 4;; sample/1) echo 7;;");
    assert_eq!((verdict.as_str(), score), ("AC", json!(89.0)), "{report}");
    assert_eq!(scores, [json!(0.0), json!(89.0), json!(20.0), json!(19.0), json!(50.0)]);
    // Without group 1 nothing of group 2 is run.
    let (verdict, score, _, report) = judged("secret/1/2) echo no;;");
    assert_eq!((verdict.as_str(), score), ("WA", json!(50.0)));
    assert_eq!(groups(&report)[3], group("secret/2", "SK", 0.0));
    // A sample that fails is in the way of what depends on it alone.
    let (verdict, score, _, report) = judged("sample/1) echo no;;");
    assert_eq!((verdict.as_str(), score), ("WA", json!(50.0)), "{report}");
    assert_eq!(verdicts(&report), ["WA", "AC", "AC", "AC", "AC", "SK", "SK"]);
    // A group without partial scores takes none.
    let (verdict, _, _, report) = judged("secret/1/1) echo 4;;");
    assert_eq!((verdict.as_str(), &report["reason"]), ("JE", &json!("checker")), "{report}");
}

#[test]
fn a_grader_of_the_package_decides_for_its_groups() {
    let scene = Scene::new();
    let settings: &[(&str, &str)] = &[
        ("", "on_reject: continue\n"),
        ("secret/1", "grading: custom\ngrader_flags: 2 extra\n"),
        ("secret/2", "grader_flags: min\n"),
    ];
    let package = package(&scene, "", settings, TESTS);
    // As many points as there are results, times the first argument; accepted when one was.
    let grader = "count=0; verdict=WA\nwhile read v s; do count=$((count + 1)); [ $v = AC ] && verdict=AC; done\n\
                  echo $verdict $((count * $1)).25\n";
    scene.write("p/graders/count.sh", grader);
    let report = scene.judge_bash(&package, &wrong_on("3"), &[]);
    assert_eq!((&report["verdict"], &report["score"]), (&json!("AC"), &json!(6.25)), "{report}");
    assert_eq!(groups(&report)[2], group("secret/1", "AC", 4.25));
    for (grader, complaint) in [
        ("echo AC 1; exit 1\n", "it exited with code 1"),
        ("echo fine\n", "it said 'fine', where one line like 'AC 12.5' belongs"),
        ("kill -SEGV $$\n", "it died of signal 11"),
        ("yes AC 1\n", ""),
    ] {
        scene.write("p/graders/count.sh", grader);
        let report = scene.judge_bash(&package, &wrong_on("none"), &[]);
        assert_eq!((&report["verdict"], &report["reason"]), (&json!("JE"), &json!("checker")), "{report}");
        let error = report["error"].as_str().unwrap();
        assert!(error.starts_with("grader 'graders/count.sh': ") && error.contains(complaint), "{error}");
    }
}

#[test]
fn grading_that_cannot_be_is_refused_by_file_and_key() {
    let scene = Scene::new();
    let package = package(&scene, "", &[], TESTS);
    for (file, content, complaint) in [
        (
            "data/secret/testdata.yaml",
            "grading: custom",
            "secret/testdata.yaml:1: grading: 'custom' asks for a program in graders, and there is none",
        ),
        (
            "data/secret/testdata.yaml",
            "grader_flags: ignore_sample",
            "secret/testdata.yaml:1: grader_flags: 'ignore_sample' reaches group 'secret'",
        ),
        ("data/secret/1/testdata.yaml", "\nrange: 5", "1/testdata.yaml:2: range: '5' is not two numbers"),
        (
            "problem.yaml",
            "type: scoring\ngrading: {objective: best}",
            "problem.yaml:2: grading.objective: 'best' is not an objective",
        ),
    ] {
        let kept = std::fs::read(package.join(file)).ok();
        scene.write(&format!("p/{file}"), content);
        let source = scene.write("program.sh", wrong_on("none"));
        let said = scene.say(&["judge", text(&package), text(&source)]);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.stderr.contains(complaint) && said.stderr.lines().count() == 1, "{said:?}");
        match kept {
            Some(kept) => scene.write(&format!("p/{file}"), kept),
            None => std::fs::remove_file(package.join(file)).map(|()| PathBuf::new()).unwrap(),
        };
    }
}

#[test]
fn the_scoring_packages_get_what_they_say() {
    let scene = Scene::new();
    let packages =
        ["regatta", "removal"].map(|name| format!("{}/testdata/packages/{name}", env!("CARGO_MANIFEST_DIR")));
    let said =
        scene.say(&["verify", "--only", "submissions", "--format", "json", &packages[0], &packages[1]]);
    let result: Value = serde_json::from_str(&said.stdout).unwrap();
    let mut got = Vec::new();
    for package in result["packages"].as_array().unwrap() {
        for row in package["submissions"].as_array().unwrap() {
            assert_eq!(row["ok"], true, "{row}");
            let report = &row["report"];
            got.push(format!("{} {} {}", row["name"].as_str().unwrap(), report["verdict"], report["score"]));
        }
    }
    assert_eq!(
        got,
        [
            "accepted/regatta.c \"AC\" 100.0",
            "accepted/regatta.py \"AC\" 100.0",
            "partially_accepted/every_stretch.py \"AC\" 50.0",
            "partially_accepted/never_loses.c \"AC\" 20.0",
            "partially_accepted/wrong_samples.py \"AC\" 20.0",
            "run_time_error/small_array.py \"RTE\" 0.0",
            "wrong_answer/first_leg.c \"WA\" 0.0",
            "accepted/largest_first.py \"AC\" 13.0",
            "partially_accepted/a_van_each.py \"AC\" 26.0",
            "wrong_answer/one_van.py \"WA\" 0.0",
            "wrong_answer/three_a_van.py \"WA\" 0.0",
        ]
    );
}
