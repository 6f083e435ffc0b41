//! `gavel package convert`: what is written says the same as what was read, or nothing is written.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic like the tests")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Scene, text};
use gavel::package::{Check, Format, Package, convert, load};

fn packages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/packages")
}

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The secret tests' files in order, or the sample's.
fn contents(package: &Package, sample: bool) -> Vec<(Vec<u8>, Vec<u8>)> {
    let tests = package.tests.iter().filter(|test| test.sample == sample);
    tests.map(|test| (fs::read(&test.input).unwrap(), fs::read(&test.answer).unwrap())).collect()
}

#[test]
fn tests_limits_and_checks_survive_conversion_of_every_package_here() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["aplusb", "gcd", "nametags", "riddle", "shares", "summands", "survey", "weighbridge"] {
        let before = load(&packages().join(name)).unwrap();
        let out = directory.path().join(name);
        convert(&before, &out).unwrap();
        let after = load(&out).unwrap();
        assert_eq!(after.format, Format::Icpc);
        for sample in [true, false] {
            assert_eq!(contents(&before, sample), contents(&after, sample), "{name}");
        }
        assert_eq!((&before.limits.time, before.limits.memory), (&after.limits.time, after.limits.memory));
        assert_eq!((before.limits.output, before.limits.code), (after.limits.output, after.limits.code));
        assert_eq!(before.title, after.title);
        assert_eq!(before.includes.len(), after.includes.len());
        if matches!(before.tests[0].check, Check::BuiltIn(_)) {
            let checks =
                |package: &Package| package.tests.iter().map(|test| test.check.clone()).collect::<Vec<_>>();
            assert_eq!(checks(&before), checks(&after), "{name}");
        }
        let mut again = directory.path().join(name);
        again.set_extension("again");
        convert(&after, &again).unwrap();
        assert_eq!(load(&again).unwrap().tests.len(), before.tests.len());
    }
}

#[test]
fn a_polygon_package_gets_the_same_verdicts_through_its_scripts() {
    let scene = Scene::new();
    let out = scene.path("converted");
    let said = scene.say(&["package", "convert", text(&packages().join("summands")), text(&out)]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains("there is no statement"), "{said:?}");
    let said = scene.say(&["verify", text(&out)]);
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn points_become_groups_of_the_format() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("scored");
    let head = "problem_format_version: 2025-09\nname: Sums\nuuid: 0b7a3a1c-6a0e-4f6c-9e43-9f8f9b1d2c3a\ntype: scoring\n\
                limits: {time_limit: 1}\n";
    write(&root, "problem.yaml", head);
    for (group, settings) in [
        ("a", "max_score: 30\n"),
        ("b", "max_score: 70\nscore_aggregation: sum\nrequire_pass: [sample, secret/a]\n"),
    ] {
        write(&root, &format!("data/secret/{group}/test_group.yaml"), settings);
        for test in ["1", "2"] {
            write(&root, &format!("data/secret/{group}/{test}.in"), &format!("{group}{test}\n"));
            write(&root, &format!("data/secret/{group}/{test}.ans"), "1\n");
        }
    }
    write(&root, "data/sample/1.in", "x\n");
    write(&root, "data/sample/1.ans", "1\n");
    let before = load(&root).unwrap();
    let out = directory.path().join("out");
    convert(&before, &out).unwrap();
    let after = load(&out).unwrap();
    assert_eq!(contents(&before, false), contents(&after, false));
    let shape = |package: &Package| -> Vec<_> {
        let groups = package.groups.iter().filter(|group| group.name.starts_with("secret/"));
        groups
            .map(|group| (group.aggregation.clone(), group.weight, group.range, group.dependencies.len()))
            .collect()
    };
    assert_eq!(shape(&before), shape(&after));
}

#[test]
fn what_cannot_be_expressed_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let mut package = load(&packages().join("gcd")).unwrap();
    package.streams.input_file = Some("gcd.in".to_owned());
    let out = directory.path().join("out");
    let error = convert(&package, &out).unwrap_err().to_string();
    assert!(error.contains("'gcd': an input or output file") && error.contains("; "), "{error}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    fs::create_dir(&out).unwrap();
    let error = convert(&load(&packages().join("gcd")).unwrap(), &out).unwrap_err().to_string();
    assert!(error.contains("there is something already"), "{error}");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
}
