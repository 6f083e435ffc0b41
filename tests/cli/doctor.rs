//! `gavel doctor`: it says what a judging on the same host would say, and an unfit host is called unfit.

use std::process::Stdio;

use crate::common::gate::Gate;
use crate::common::{SUM, Said, Scene, TABLE, said, text};
use serde_json::Value;

const CONTROLS: [&str; 4] = ["v2", "hybrid", "v1", "none"];

fn json(said: &Said) -> Value {
    serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}

/// A level this host does not have: no host has pure v2 and v1 controllers at the same time.
fn impossible_control(scene: &Scene) -> &'static str {
    let is_refused = |control: &&&str| scene.say(&["run", "--cgroups", control, "--", "true"]).code == 3;
    CONTROLS.iter().find(is_refused).expect("no host has all levels")
}

fn check<'a>(report: &'a Value, id: &str) -> &'a Value {
    let all = report["checks"].as_array().unwrap();
    all.iter().find(|check| check["id"] == id).unwrap_or_else(|| panic!("no check {id}: {report}"))
}

const KEYS: [&str; 11] = [
    "schema",
    "gavel",
    "verdict",
    "reason",
    "host",
    "resource_control",
    "checks",
    "self_test",
    "timing",
    "compilers",
    "bench",
];

fn has_all_keys(report: &Value) {
    for key in KEYS {
        assert!(report.get(key).is_some(), "{key} is missing: {report}");
    }
    for check in report["checks"].as_array().unwrap() {
        for key in ["id", "status", "found", "meaning", "remedy"] {
            assert!(check.get(key).is_some(), "{key} is missing: {check}");
        }
        assert_eq!(check["status"] == "ok", check["remedy"].is_null(), "who warns says what to do: {check}");
    }
}

#[test]
fn a_fit_host_under_the_level_a_judging_names() {
    for control in ["auto", "none"] {
        let scene = Scene::new();
        let table = scene.write("table.toml", TABLE);
        let package = scene.sum_package(&[(1, 2)]);
        let source = scene.write("main.sh", SUM);
        let common = ["--cgroups", control, "--languages", text(&table)];
        let judged = scene.report(&[&[text(&package), text(&source)], &common[..]].concat());
        assert_eq!(judged["verdict"], "AC", "{judged}");

        let is_benched = control == "auto";
        let more: &[&str] = if is_benched { &["--bench"] } else { &[] };
        let said = scene.say(&[&["doctor", "--format", "json"], more, &common[..]].concat());
        assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
        let report = json(&said);
        has_all_keys(&report);
        assert!(report["reason"].is_null(), "{report}");
        assert_eq!(report["verdict"], "fit-with-warnings", "a compiler is missing: {report}");
        assert_eq!(report["resource_control"]["level"], judged["provenance"]["sandbox"]);
        assert_eq!(report["resource_control"]["memory_source"], judged["provenance"]["memory_source"]);
        assert_eq!(report["host"]["kernel"], judged["provenance"]["kernel"]);
        assert_eq!(report["host"]["cpu"], judged["provenance"]["cpu"]);
        assert_eq!(report["self_test"]["ok"], true, "{:#}", report["self_test"]);
        assert_eq!(report["compilers"]["found"], 1);
        assert_eq!(report["compilers"]["missing"], 1);

        let cores = report["timing"]["cores"].as_array().unwrap();
        assert!(!cores.is_empty() && cores.len() as u64 <= report["host"]["cores"].as_u64().unwrap());
        for series in cores.iter().chain([&report["timing"]["alone"], &report["timing"]["busy"]]) {
            let cpu = &series["cpu"];
            assert!(cpu["median_ms"].as_f64().unwrap() > 0.0, "{series}");
            assert!(cpu["p95_percent"].as_f64() <= cpu["worst_percent"].as_f64(), "{series}");
        }
        assert!(report["timing"]["verdict"].as_str().unwrap().contains('±'));
        let bench = &report["bench"];
        assert_eq!(bench["bare_p50_ms"].as_f64().is_some_and(|time| time > 0.0), is_benched, "{bench}");
        assert_eq!(bench["ratio"].as_f64().is_some_and(|ratio| ratio > 0.0), is_benched, "{bench}");
        if control == "none" {
            assert!(!report["resource_control"]["lost"].as_array().unwrap().is_empty());
            assert_eq!(check(&report, "resource-control")["status"], "warning");
        }
    }
}

#[test]
fn cores_that_another_process_leases_are_said_with_its_id_and_in_reports() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    let gate = Gate::new();
    let slow = scene.write("slow.sh", gate.sum_at(1));
    let cores = std::thread::available_parallelism().unwrap().get().to_string();
    let arguments = ["--slots", &cores, "judge", text(&package), text(&slow), "-f", "json", "--wall", "1h"];
    let mut holder = scene.gavel(&arguments);
    let holder = holder.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    crate::common::guardian::watch(&holder);
    gate.wait_for(1);

    let table = scene.write("table.toml", TABLE);
    let said = scene.say(&["doctor", "--format", "json", "--languages", text(&table)]);
    let leases = &json(&said)["checks"];
    let leases = leases.as_array().unwrap().iter().find(|check| check["id"] == "core-leases").unwrap();
    let by = format!("by process {}", holder.id());
    assert_eq!(leases["status"], "warning", "{leases}");
    assert!(leases["found"].as_str().unwrap().contains(&by), "{leases}");
    let source = scene.write("main.sh", SUM);
    let beside = scene.say(&["judge", text(&package), text(&source), "-f", "json"]);
    assert!(beside.stderr.contains(&by) && beside.stderr.contains("--require-cores"), "{beside:?}");
    let report: Value = serde_json::from_str(&beside.stdout).unwrap();
    assert_eq!((&report["verdict"], &report["provenance"]["cores"]), (&"AC".into(), &"shared".into()));
    let strict = scene.say(&["--require-cores", "judge", text(&package), text(&source)]);
    assert_eq!(strict.code, 3, "{strict:?}");
    assert!(strict.stderr.contains(&by), "{strict:?}");

    gate.open();
    let held: Value = serde_json::from_slice(&holder.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!((&held["verdict"], &held["provenance"]["cores"]), (&"AC".into(), &"leased".into()));
    let after = scene.say(&["--require-cores", "judge", text(&package), text(&source)]);
    assert_eq!((after.code, after.stderr.as_str()), (0, ""), "{after:?}");
}

/// A lock that outlived its process would cost the host a core; one that a box inherited would do so too.
#[test]
fn a_killed_holder_gives_its_cores_back() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    let gate = Gate::new();
    let slow = scene.write("slow.sh", gate.sum_at(1));
    let source = scene.write("main.sh", SUM);
    let mut holder = scene.gavel(&["judge", text(&package), text(&slow), "--wall", "1h"]);
    let mut holder = holder.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    crate::common::guardian::watch(&holder);
    gate.wait_for(1);
    holder.kill().unwrap();
    holder.wait().unwrap();
    let after = scene.say(&["--require-cores", "judge", text(&package), text(&source)]);
    assert_eq!((after.code, after.stderr.as_str()), (0, ""), "{after:?}");
}

#[test]
fn a_level_the_host_does_not_have_makes_it_unfit() {
    let scene = Scene::new();
    let control = impossible_control(&scene);
    let said = scene.say(&["doctor", "--format", "json", "--cgroups", control]);
    assert_eq!(said.code, 3, "{said:?}");
    let report = json(&said);
    has_all_keys(&report);
    assert_eq!(report["verdict"], "unfit");
    let reason = report["reason"].as_str().unwrap();
    assert!(reason.contains("--cgroups") && !reason.contains("gavel doctor"), "{reason}");
    assert!(report["resource_control"]["level"].is_null());
    assert!(report["self_test"].is_null() && report["timing"].is_null() && report["compilers"].is_null());
    let levels = report["resource_control"]["levels"].as_array().unwrap();
    let level = levels.iter().find(|level| level["level"].as_str().unwrap().ends_with(control)).unwrap();
    assert_eq!(level["available"], false, "{level}");
    assert!(level["missing"].is_string(), "{level}");
    assert_eq!(said.stderr, format!("gavel: {reason}\n"));
}

#[test]
fn the_report_for_people_ends_with_the_verdict_and_has_no_colours_in_a_pipe() {
    let scene = Scene::new();
    let control = impossible_control(&scene);
    let said = scene.say(&["doctor", "--cgroups", control]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.stdout.lines().last().unwrap().starts_with("not fit: "), "{said:?}");
    assert!(!said.stdout.contains('\u{1b}'), "{said:?}");
}

/// Really forbidden: in a user namespace whose limit of further ones is 0.
#[test]
fn a_host_without_user_namespaces_is_unfit_and_says_which_setting() {
    let scene = Scene::new();
    let inner = "echo 0 >/proc/sys/user/max_user_namespaces && exec \"$0\" doctor --format json";
    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", inner, env!("CARGO_BIN_EXE_gavel")]);
    let said = said(command.env("GAVEL_CACHE", scene.path("cache")).output().unwrap());
    assert_eq!(said.code, 3, "{said:?}");
    let report = json(&said);
    has_all_keys(&report);
    let namespaces = check(&report, "namespaces");
    assert_eq!(namespaces["status"], "problem");
    assert!(report["reason"].as_str().unwrap().contains("user.max_user_namespaces"), "{report}");
    assert_eq!(check(&report, "ids")["status"], "problem");
    assert!(namespaces["remedy"].as_str().unwrap().contains("user.max_user_namespaces"), "{namespaces}");
}

#[test]
fn low_hard_limits_are_warned_of() {
    let scene = Scene::new();
    let control = impossible_control(&scene);
    let inner = "ulimit -n 256; exec \"$0\" doctor --format json --cgroups \"$1\"";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", inner, env!("CARGO_BIN_EXE_gavel"), control]);
    let report = json(&said(command.env("GAVEL_CACHE", scene.path("cache")).output().unwrap()));
    let files = check(&report, "open-files");
    assert_eq!((&files["status"], &files["found"]), (&"warning".into(), &"256".into()), "{files}");
    assert!(files["remedy"].as_str().unwrap().contains("LimitNOFILE"), "{files}");
}

#[test]
fn a_cache_that_cannot_be_makes_it_unfit() {
    let scene = Scene::new();
    let file = scene.write("file", "");
    let said = scene.say(&["doctor", "--format", "json", "--cache", text(&file)]);
    assert_eq!(said.code, 3, "{said:?}");
    let report = json(&said);
    assert_eq!(check(&report, "cache")["status"], "problem", "{report}");
    assert!(report["reason"].as_str().unwrap().contains("--cache"), "{report}");
}

#[test]
fn a_broken_table_is_a_matter_of_usage() {
    let scene = Scene::new();
    let table = scene.write("table.toml", "[[language]]\nid = 1\n");
    let said = scene.say(&["doctor", "--languages", text(&table)]);
    assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{said:?}");
    assert!(said.stderr.contains("table.toml"), "{said:?}");
}

#[test]
fn help_names_the_exit_codes_and_hides_the_probe() {
    let scene = Scene::new();
    let help = scene.say(&["doctor", "--help"]);
    assert!(help.stdout.contains("Exit codes") && help.stdout.contains("--bench"), "{help:?}");
    let help = scene.say(&["--help"]);
    assert!(help.stdout.contains("doctor") && !help.stdout.contains("probe"), "{help:?}");
}
