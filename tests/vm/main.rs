//! gavel on pure cgroup v2 under systemd, and as the unit in `deploy/systemd`, in a virtual machine that this test builds and boots.
//!
//! Each test is a situation (who runs gavel, in which kind of group) and lives twice. Here it boots the machine,
//! once for all of them, and asserts on what the machine reported. In the guest this same executable runs with
//! `GAVEL_VM_SITUATION` set; then the test's body is the examination itself: `vm/guest.rs`.
//!
//! The base system is built with debootstrap and kept in `target/vm`, by the digest of what it is made from;
//! gavel, this executable and the rest come on a second disk, made anew every time.

#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod guest;
mod machine;
mod unit;

use std::sync::OnceLock;

use gavel::sandbox::ResourceControl;

/// Examines in the guest; here asserts on what the guest found.
fn situation(name: &str, expected: ResourceControl) {
    if let Some(guest) = guest::Guest::here(expected) {
        return guest.examine();
    }
    static REPORT: OnceLock<Result<String, String>> = OnceLock::new();
    let report = REPORT.get_or_init(machine::report).as_ref().unwrap_or_else(|error| panic!("{error}"));
    let lines: Vec<&str> = report.lines().collect();
    for (check, _) in guest::checks(name, expected) {
        let line = format!("vm: {name} {check} ok");
        assert!(
            lines.contains(&line.as_str()),
            "the guest did not report '{line}', but:\n{}",
            lines.iter().filter(|line| line.contains(name)).copied().collect::<Vec<_>>().join("\n")
        );
    }
}

#[test]
fn root_in_a_plain_shell() {
    situation("root_in_a_plain_shell", ResourceControl::CgroupV2);
}

#[test]
fn root_in_a_delegated_unit() {
    situation("root_in_a_delegated_unit", ResourceControl::CgroupV2);
}

#[test]
fn root_without_cgroups() {
    situation("root_without_cgroups", ResourceControl::None);
}

#[test]
fn a_user_in_a_delegated_unit() {
    situation("a_user_in_a_delegated_unit", ResourceControl::CgroupV2);
}

#[test]
fn a_user_in_a_scope() {
    situation("a_user_in_a_scope", ResourceControl::CgroupV2);
}

#[test]
fn a_user_without_delegation() {
    situation("a_user_without_delegation", ResourceControl::None);
}

#[test]
fn the_unit_of_deploy() {
    situation("the_unit_of_deploy", ResourceControl::CgroupV2);
}
