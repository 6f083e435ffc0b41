//! A test that is run once more by itself, on a disk too small for what it does.

use std::path::Path;
use std::process::Command;

/// Runs the test of this name (its modules included), of this executable, with `variable` naming an empty disk of that size.
pub(crate) fn run(test: &str, variable: &str, size: &str) {
    let directory = tempfile::tempdir().unwrap();
    let output = command(test, variable, size, directory.path()).output().unwrap();
    // A name that no test has is no failure to libtest.
    let ran = String::from_utf8_lossy(&output.stdout).contains("1 passed");
    assert!(output.status.success() && ran, "{output:?}");
}

fn command(test: &str, variable: &str, size: &str, directory: &Path) -> Command {
    let script = "mount -t tmpfs -o size=\"$2\",mode=0700 none \"$1\" && shift 2 && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "--", "sh", "-c", script, "sh"]);
    command.arg(directory).arg(size).arg(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(variable, directory);
    command
}
