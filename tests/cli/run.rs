//! `gavel run`: the command's own streams and exit code, in a box.

use crate::common::{Scene, said};
use std::io::Write;
use std::process::Stdio;

#[test]
fn the_commands_exit_code_is_gavels() {
    let scene = Scene::new();
    for code in [0, 1, 7, 125] {
        let said = scene.say(&["run", "--", "sh", "-c", &format!("exit {code}")]);
        assert_eq!(said.code, code, "{said:?}");
    }
    assert_eq!(scene.say(&["run", "--", "sh", "-c", "kill -TERM $$"]).code, 143);
}

#[test]
fn the_streams_are_the_callers() {
    let scene = Scene::new();
    let mut child = scene
        .gavel(&["run", "--", "sh", "-c", "cat; echo aside >&2"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"hello\n").unwrap();
    let said = said(child.wait_with_output().unwrap());
    assert_eq!((said.stdout.as_str(), said.stderr.as_str(), said.code), ("hello\n", "aside\n", 0));
}

/// A gavel that a user without privileges may start, in a directory that is theirs.
fn as_nobody(directory: &std::path::Path, arguments: &[&str]) -> std::process::Command {
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65_534;
    let gavel = directory.join("gavel");
    std::fs::copy(env!("CARGO_BIN_EXE_gavel"), &gavel).unwrap();
    let mut command = std::process::Command::new(gavel);
    command.args(arguments).current_dir(directory).env("GAVEL_CACHE", directory.join("cache"));
    if nix::unistd::Uid::effective().is_root() {
        std::os::unix::fs::chown(directory, Some(NOBODY), Some(NOBODY)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

#[test]
fn the_callers_files_cannot_be_changed_through_the_streams() {
    let directory = tempfile::tempdir().unwrap();
    let (input, output) = (directory.path().join("input"), directory.path().join("output"));
    std::fs::write(&input, "precious\n").unwrap();
    std::fs::write(&output, "kept\n").unwrap();
    let owner =
        if nix::unistd::Uid::effective().is_root() { 65_534 } else { nix::unistd::Uid::effective().as_raw() };
    for file in [&input, &output] {
        std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        std::os::unix::fs::chown(file, Some(owner), None).unwrap();
    }
    let attack = "import os\n\
                  def attempt(call):\n try: call()\n except OSError: pass\n\
                  for fd in 0, 1, 2:\n path = f'/proc/self/fd/{fd}'\n \
                  for call in (lambda: os.fchmod(fd, 0o777), lambda: os.chmod(path, 0o777), lambda: os.truncate(path, 0), \
                  lambda: os.ftruncate(fd, 0), lambda: os.lseek(fd, 0, 0), lambda: os.utime(fd, (1, 1)), \
                  lambda: os.pwrite(os.open(path, os.O_RDWR), b'forged', 0)): attempt(call)\n\
                  print('said', flush=True)\n";
    for more in [&["--proc"][..], &[]] {
        let before = [&input, &output].map(|file| {
            use std::os::unix::fs::MetadataExt;
            let metadata = file.metadata().unwrap();
            (metadata.mode(), metadata.mtime())
        });
        let arguments = [&["run", "--cgroups", "none"], more, &["--", "python3", "-c", attack]].concat();
        let said = as_nobody(directory.path(), &arguments)
            .stdin(std::fs::File::open(&input).unwrap())
            .stdout(std::fs::File::options().append(true).open(&output).unwrap())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap();
        assert!(said.status.success(), "{said:?}");
        assert_eq!(std::fs::read_to_string(&input).unwrap(), "precious\n");
        let written = std::fs::read_to_string(&output).unwrap();
        assert!(written.starts_with("kept\n") && written.ends_with("said\n"), "{written}");
        for (file, (mode, modified)) in [&input, &output].into_iter().zip(before) {
            use std::os::unix::fs::MetadataExt;
            let metadata = file.metadata().unwrap();
            assert!(metadata.mode() == mode && metadata.mtime() >= modified, "{metadata:?}");
        }
    }
}

#[test]
fn what_a_command_leaves_of_a_file_is_the_next_ones() {
    let scene = Scene::new();
    let content: String = (0..100_000).map(|number| format!("{number}\n")).collect();
    let input = scene.write("input", &content);
    let script = format!("'{}' run -- sh -c 'read first; echo $first'; cat", env!("CARGO_BIN_EXE_gavel"));
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .env("GAVEL_CACHE", scene.path("cache"))
        .stdin(std::fs::File::open(input).unwrap())
        .output()
        .unwrap();
    // A shell reads byte by byte from a pipe, and takes no more than its line.
    assert!(String::from_utf8(output.stdout).unwrap() == content, "the rest is not as it was");
}

#[test]
fn both_outputs_into_one_file_keep_their_order() {
    let scene = Scene::new();
    let path = scene.path("both");
    let file = std::fs::File::create(&path).unwrap();
    let script = "i=0; while [ $i -lt 200 ]; do echo $i; i=$((i + 1)); echo $i >&2; i=$((i + 1)); done";
    let status = scene
        .gavel(&["run", "--", "sh", "-c", script])
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .status()
        .unwrap();
    assert!(status.success());
    let expected: String = (0..200).map(|number| format!("{number}\n")).collect();
    assert_eq!(std::fs::read_to_string(path).unwrap(), expected);
}

#[test]
fn a_command_whose_output_nobody_reads_ends_as_in_a_pipeline() {
    let scene = Scene::new();
    let mut child =
        scene.gavel(&["run", "--", "yes"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut start = [0; 2];
    std::io::Read::read_exact(&mut child.stdout.take().unwrap(), &mut start).unwrap();
    let said = child.wait_with_output().unwrap();
    assert_eq!((&start, said.status.code()), (b"y\n", Some(128 + 13)), "{said:?}");
}

#[test]
fn limits_are_said_on_one_line_and_measured_in_the_report() {
    let scene = Scene::new();
    let said =
        scene.say(&["run", "--cpu", "200ms", "--report", "json", "--", "sh", "-c", "while :; do :; done"]);
    assert_eq!(said.code, 137, "{said:?}");
    let mut lines = said.stderr.lines();
    let report: serde_json::Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!(report["stopped"], serde_json::json!(["cpu"]));
    assert!(report["cpu_ms"].as_f64().unwrap() >= 200.0);
    assert!(lines.next().unwrap().contains("more CPU time than 200ms"));
    assert_eq!(lines.next(), None);
}

#[test]
fn a_command_that_is_not_there_is_127_as_in_shells() {
    let said = Scene::new().say(&["run", "--", "no-such-command"]);
    assert_eq!(said.code, 127);
    assert!(said.stderr.contains("no-such-command"), "{said:?}");
}

#[test]
fn programs_do_not_inherit_blocked_signals() {
    let said = Scene::new().say(&["run", "--proc", "--", "cat", "/proc/self/status"]);
    assert!(said.stdout.contains("SigBlk:\t0000000000000000"), "{said:?}");
}

#[test]
fn the_host_name_is_the_one_asked_for() {
    let said = Scene::new().say(&["run", "--hostname", "elsewhere", "--", "uname", "-n"]);
    assert_eq!(said.stdout, "elsewhere\n");
}
