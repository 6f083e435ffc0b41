//! A user without privileges gets boxes through a user namespace: the whole suite once more as such a user.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use super::harness::{EXECUTABLE, PROGRAMS, programs, settings};

/// `nobody` on every distribution.
const NOBODY: u32 = 65_534;

#[test]
fn the_whole_suite_passes_without_privileges() {
    if !nix::unistd::Uid::effective().is_root() {
        // The suite at large is run by such a user already.
        return;
    }
    // Copies, because the build directory may lie where only root gets.
    let directory = tempfile::Builder::new().permissions(PermissionsExt::from_mode(0o755)).tempdir().unwrap();
    let (suite, gavel) = (directory.path().join("suite"), directory.path().join("gavel"));
    std::fs::copy(std::env::current_exe().unwrap(), &suite).unwrap();
    std::fs::copy(settings(None).executable.unwrap(), &gavel).unwrap();
    std::fs::copy(programs().join("misbehave"), directory.path().join("misbehave")).unwrap();
    let output = std::process::Command::new(&suite)
        .uid(NOBODY)
        .gid(NOBODY)
        .env(EXECUTABLE, &gavel)
        .env(PROGRAMS, directory.path())
        .env_remove("CARGO_MANIFEST_DIR")
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("test isolation::namespaces_cannot_be_made ... ok"), "{text}");
}
