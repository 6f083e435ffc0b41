//! `gavel languages`: what is there, what is missing, and that one missing compiler fails nobody.

use crate::common::{Scene, TABLE, text};

#[test]
fn a_missing_interpreter_is_reported_and_fails_nothing() {
    let scene = Scene::new();
    let table = scene.write("table.toml", TABLE);
    let said = scene.say(&["languages", "--check", "--format", "json", "--languages", text(&table)]);
    assert_eq!(said.code, 0, "{said:?}");
    let listing: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(listing["languages"][0]["status"], "ok", "{listing}");
    assert!(listing["languages"][0]["version"].as_str().unwrap().contains("bash"));
    assert_eq!(listing["languages"][1]["status"], "missing");
}

#[test]
fn a_program_that_does_not_work_fails_the_check() {
    let scene = Scene::new();
    let table = scene.write("table.toml", TABLE.replace("a + b", "a - b"));
    let said = scene.say(&["languages", "--check", "--languages", text(&table)]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stdout.contains("failed") && said.stdout.contains("WA"), "{said:?}");
    let said = scene.say(&["languages", "--languages", text(&table)]);
    assert_eq!(said.code, 0, "without --check nothing is run: {said:?}");
}
