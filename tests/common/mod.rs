//! One scene a test: a directory of its own with packages, sources and a cache, and the gavel executable.
//!
//! Everything here is thrown away with the scene, so tests neither see each other nor leave anything.
#![allow(dead_code)] // Every test file uses a part of it.
#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

pub(crate) mod boxes;
pub(crate) mod console;
pub(crate) mod gate;
pub(crate) mod guardian;
pub(crate) mod lines;
pub(crate) mod mapper;
pub(crate) mod rabbitmq;
pub(crate) mod small_disk;

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

/// Reads two integers and prints their sum.
pub(crate) const SUM: &str = "read a b\necho $((a + b))\n";

/// One language that is everywhere and one that is nowhere.
pub(crate) const TABLE: &str = r#"
[[language]]
id = "shell"
name = "Shell"
sources = { default = "main.sh", extensions = ["sh"] }
artifact = "sources"
run = ["bash", "{source}"]
version = ["bash", "--version"]
profile = "native"
hello = "read a b; echo $((a + b))"

[[language]]
id = "absent"
name = "Absent"
sources = { default = "main.absent", extensions = ["absent"] }
artifact = "sources"
run = ["no-such-interpreter", "{source}"]
version = ["no-such-interpreter", "--version"]
profile = "native"
hello = "x"
"#;

/// A directory with everything one test needs.
pub(crate) struct Scene {
    directory: tempfile::TempDir,
}

/// What a finished command said.
pub(crate) struct Said {
    /// Exit code; 128 and the signal's number had it died of one.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file, with the directories above it.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// A bare folder of tests: the sum of two integers, one test a pair.
    pub(crate) fn sum_package(&self, pairs: &[(i64, i64)]) -> PathBuf {
        for (place, (a, b)) in pairs.iter().enumerate() {
            self.write(&format!("sum/{:02}.in", place + 1), format!("{a} {b}\n"));
            self.write(&format!("sum/{:02}.ans", place + 1), format!("{}\n", a + b));
        }
        self.path("sum")
    }

    /// A Kattis package with one sample and two secret tests of the sum, its limits and no submissions.
    pub(crate) fn kattis_package(&self, name: &str) -> PathBuf {
        self.write(&format!("{name}/problem.yaml"), "name: Sum\nlimits:\n  memory: 256\n");
        self.write(&format!("{name}/.timelimit"), "2\n");
        for (test, a, b) in [("sample/1", 1, 2), ("secret/1", 3, 4), ("secret/2", 50, 60)] {
            self.write(&format!("{name}/data/{test}.in"), format!("{a} {b}\n"));
            self.write(&format!("{name}/data/{test}.ans"), format!("{}\n", a + b));
        }
        self.path(name)
    }

    /// The gavel executable with this scene's cache.
    pub(crate) fn gavel(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_gavel"));
        command.current_dir(self.directory.path()).env("GAVEL_CACHE", self.path("cache"));
        // Where root keeps what it may not keep in the cache of a worker with a user of its own.
        command.env("XDG_CACHE_HOME", self.path("home-cache"));
        // Tests run beside each other: which cores a scene's processes get is none of the others' affair.
        command.env("GAVEL_CORE_LOCKS", self.path("core-locks"));
        command.env_remove("NO_COLOR").args(arguments);
        command
    }

    /// Whether a program runs in a box of the gavel process with that id: keeper, box init, program.
    pub(crate) fn has_running_box(&self, gavel: u32) -> bool {
        let children = |pid: u32| -> Vec<u32> {
            let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
            tasks
                .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
                .flat_map(|list| {
                    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()
                })
                .collect()
        };
        children(gavel).into_iter().flat_map(children).any(|init| {
            // A run box that is busy with a program of the name a shell script has.
            children(init).into_iter().any(|program| {
                std::fs::read_to_string(format!("/proc/{program}/comm"))
                    .is_ok_and(|name| name.trim() == "bash")
            })
        })
    }

    /// Runs gavel to its end.
    pub(crate) fn say(&self, arguments: &[&str]) -> Said {
        said(self.gavel(arguments).output().unwrap())
    }

    /// Judges and returns the report, whatever the verdict.
    pub(crate) fn report(&self, arguments: &[&str]) -> Value {
        let said = self.say(&[&["judge", "--format", "json"], arguments].concat());
        serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"))
    }

    /// Judges one bash program on the package.
    pub(crate) fn judge_bash(&self, package: &Path, program: &str, more: &[&str]) -> Value {
        let source = self.write("program.sh", program);
        self.report(&[&[text(package), text(&source), "--language", "bash"], more].concat())
    }
}

/// Verdicts of all tests, in order.
pub(crate) fn verdicts(report: &Value) -> Vec<&str> {
    report["tests"].as_array().unwrap().iter().map(|test| test["verdict"].as_str().unwrap()).collect()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(crate) fn said(output: Output) -> Said {
    use std::os::unix::process::ExitStatusExt;
    Said {
        code: output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap()),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl std::fmt::Debug for Said {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "exit {}\n{}\n{}", self.code, self.stdout, self.stderr)
    }
}
