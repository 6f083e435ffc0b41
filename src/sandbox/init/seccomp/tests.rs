//! Tests the filter from inside: installs it in a child, makes calls and compares the answers.

use std::collections::HashMap;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::*;

const PROFILES: [Profile; 3] = [Profile::Native, Profile::Managed, Profile::Compile];

/// The variable that makes the re-executed test binary become a filtered program: lines of profile, clone3, argv.
const REQUEST: &str = "GAVEL_TEST_FILTERED_COMMAND";

/// Runs in the child that [`filtered`] starts; checks nothing without its variable.
#[test]
fn child_that_installs_the_filter_and_becomes_a_program() {
    let Ok(request) = std::env::var(REQUEST) else { return };
    let mut lines = request.lines();
    let profile = match lines.next().unwrap() {
        "native" => Profile::Native,
        "managed" => Profile::Managed,
        "compile" => Profile::Compile,
        other => panic!("unknown profile {other}"),
    };
    let clone3 = lines.next().unwrap() == "clone3";
    let mut command = Command::new(lines.next().unwrap());
    command.args(lines).env_remove(REQUEST);
    seccompiler::apply_filter(&filter(profile, clone3).unwrap()).unwrap();
    panic!("execve: {}", command.exec());
}

/// Runs a program under the filter in a process of its own.
fn filtered(profile: &str, clone3: bool, argv: &[&str]) -> Output {
    let request = format!("{profile}\n{}\n{}", if clone3 { "clone3" } else { "no clone3" }, argv.join("\n"));
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "sandbox::init::seccomp::tests::child_that_installs_the_filter_and_becomes_a_program",
        ])
        .args(["--nocapture", "--test-threads=1"])
        .env(REQUEST, request)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap()
}

/// Compiles `testdata/sandbox/system_calls.c` into `directory`.
fn probe(directory: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/sandbox/system_calls.c");
    let executable = directory.join("system_calls");
    let status =
        Command::new("cc").arg("-O1").arg(source).arg("-o").arg(&executable).status().expect("cc is needed");
    assert!(status.success());
    executable
}

/// Returns the errno of each attempt of the probe.
fn answers(profile: &str, clone3: bool) -> HashMap<String, i32> {
    let directory = tempfile::tempdir().unwrap();
    let probe = probe(directory.path());
    let output = filtered(profile, clone3, &[probe.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| {
            let (name, errno) = line.rsplit_once(' ')?;
            Some((name.to_owned(), errno.parse().ok()?))
        })
        .collect()
}

/// The attempts of the probe that may answer something else than ENOSYS.
const LET_THROUGH: &[&str] = &[
    "statx",
    "getsockopt-type",
    "madvise-dontneed",
    "fcntl-getfl",
    "fcntl-setfl-nonblock",
    "setsockopt-rcvbuf",
    "socketpair-unix",
    "ioctl-fionbio",
    "prctl-set-name",
    "personality-read",
    "getpid",
];

fn assert_answers(profile: &str, also: &[&str]) {
    let answers = answers(profile, false);
    assert!(answers.len() > 90, "{answers:?}");
    for (name, errno) in answers {
        let may = LET_THROUGH.contains(&name.as_str()) || also.contains(&name.as_str());
        assert_eq!(errno != libc::ENOSYS, may, "{profile}: {name} answered errno {errno}");
    }
}

#[test]
fn native_programs_get_only_the_listed_calls() {
    assert_answers("native", &[]);
}

#[test]
fn managed_runtimes_get_memory_files_and_local_sockets_besides() {
    assert_answers("managed", &["memfd_create", "socket-unix", "sched_setscheduler-other"]);
}

#[test]
fn compilers_get_what_runtimes_get_and_no_locks() {
    assert_answers("compile", &["memfd_create", "socket-unix", "sched_setscheduler-other"]);
}

#[test]
fn clone3_is_there_only_when_asked_for() {
    // The probe hands it no structure: EINVAL means that the kernel looked.
    assert_eq!(answers("native", true)["clone3"], libc::EINVAL);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn calls_of_other_tables_kill() {
    let directory = tempfile::tempdir().unwrap();
    let probe = probe(directory.path());
    for table in ["x32", "int80"] {
        let output = filtered("native", false, &[probe.to_str().unwrap(), table]);
        assert_eq!(output.status.signal(), Some(libc::SIGSYS), "{table}: {output:?}");
    }
}

#[test]
fn every_filter_fits_the_kernel() {
    for profile in PROFILES {
        for clone3 in [false, true] {
            let program = filter(profile, clone3).unwrap();
            assert!(program.len() < 4096, "{profile:?}: {}", program.len());
        }
    }
}

#[test]
fn no_call_is_both_allowed_whole_and_guarded() {
    for profile in PROFILES {
        let (groups, guards) = extras(profile);
        for guard in GUARDS.iter().chain(guards) {
            assert!(!EVERYONE.iter().chain(groups).any(|group| group.contains(&guard.call)));
        }
    }
}

#[test]
fn programs_with_processes_pipes_and_files_work_under_every_profile() {
    for profile in ["native", "managed", "compile"] {
        let script = "echo one two | tr ' ' '\\n' | sort -r | head -n 1; (exit 3); echo $?";
        let output = filtered(profile, false, &["/bin/sh", "-c", script]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.ends_with("two\n3\n"), "{profile}: {output:?}");
    }
}
