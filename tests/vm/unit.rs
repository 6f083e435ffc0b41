//! The unit of `deploy/systemd`, installed as its own first lines say: ready, judging, stopping, restarted.
//!
//! Submissions come over a FIFO and verdicts go to a file; nothing else of the unit is changed.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command as Process;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::guest::{Check, Guest, processes};

const UNIT: &str = "gavel-worker.service";
/// Only reached by what hangs.
const PATIENCE: Duration = Duration::from_secs(120);
const SUM: &str = "read a b\necho $((a + b))\n";
const SLOW_SUM: &str = "read a b\nif [ $a = 20 ]; then sleep 2; fi\necho $((a + b))\n";

/// In this order: each begins where the one before ended.
pub(crate) fn checks() -> Vec<Check> {
    vec![
        ("a_runtime_gets_its_proc", a_runtime_gets_its_proc),
        ("it_is_ready_once_it_consumes", it_is_ready_once_it_consumes),
        ("it_runs_without_privileges", it_runs_without_privileges),
        ("it_judges", it_judges),
        ("stopping_lets_what_runs_finish", stopping_lets_what_runs_finish),
        ("nothing_is_left_of_it", Guest::nothing_is_left),
        ("a_stopped_worker_is_restarted", a_stopped_worker_is_restarted),
        ("a_wrong_configuration_is_not_retried", a_wrong_configuration_is_not_retried),
        ("nothing_is_left", Guest::nothing_is_left),
    ]
}

/// Another command in the same surroundings: whatever hides parts of `/proc` from gavel takes it from boxes.
fn a_runtime_gets_its_proc(_: &Guest) {
    install("");
    let (name, place) = ("gavel-proc.service", "/etc/systemd/system/gavel-proc.service");
    let command = "/usr/local/bin/gavel run --proc -- test -r /proc/self/status";
    fs::copy(format!("/etc/systemd/system/{UNIT}"), place).unwrap();
    fs::create_dir_all(format!("{place}.d")).unwrap();
    let text = format!("[Service]\nType=oneshot\nRestart=no\nExecStart=\nExecStart={command}\n");
    fs::write(format!("{place}.d/test.conf"), text).unwrap();
    run("systemctl", &["daemon-reload"]);
    run("systemctl", &["start", name]);
}

fn it_is_ready_once_it_consumes(_: &Guest) {
    run("systemctl", &["start", UNIT]);
    let state = (show("ActiveState"), show("StatusText"));
    assert_eq!(state, ("active".to_owned(), "takes work".to_owned()), "{}", status());
    assert_eq!(fs::read(format!("/run/credentials/{UNIT}/gavel-amqp")).unwrap(), b"secret");
}

fn it_runs_without_privileges(_: &Guest) {
    let process = format!("/proc/{}", main_process());
    let owner = fs::metadata(&process).unwrap().uid();
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("gavel:")).unwrap();
    assert_eq!(line.split(':').nth(2), Some(owner.to_string().as_str()));
    let facts = fs::read_to_string(process + "/status").unwrap();
    for set in ["CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(facts.contains(&format!("{set}:\t0000000000000000")), "{facts}");
    }
}

fn it_judges(guest: &Guest) {
    submit("first", SUM);
    let report = wait_for("done", "first");
    assert_eq!(report["verdict"], "AC", "{report}");
    assert_eq!(report["provenance"]["sandbox"], "cgroup-v2", "{report}");
    let groups = guest.groups();
    assert!(groups.len() == 1 && groups[0].ends_with(format!("system.slice/{UNIT}/gavel")), "{groups:?}");
    submit("glutton", "dd if=/dev/zero of=/dev/null bs=90M count=1\n");
    assert_eq!(wait_for("done", "glutton")["verdict"], "MLE");
    assert_eq!(show("ActiveState"), "active", "{}", status());
}

fn stopping_lets_what_runs_finish(_: &Guest) {
    submit("slow", SLOW_SUM);
    wait_for("test", "slow");
    run("systemctl", &["stop", UNIT]);
    assert_eq!(find("done", "slow").expect("a verdict")["verdict"], "AC");
    let end = (show("ActiveState"), show("Result"), show("NRestarts"));
    assert_eq!(end, ("inactive".to_owned(), "success".to_owned(), "0".to_owned()), "{}", status());
}

fn a_stopped_worker_is_restarted(_: &Guest) {
    install("WatchdogSec=10\n");
    run("systemctl", &["start", UNIT]);
    submit("runs", "sleep 1000\n");
    until("a program runs", || processes().iter().any(|(_, name)| name == "sleep"));
    let first = main_process();
    kill(Pid::from_raw(first), Signal::SIGSTOP).unwrap();
    until("another worker is there", || {
        ![0, first].contains(&main_process()) && show("ActiveState") == "active"
    });
    submit("after", SUM);
    assert_eq!(wait_for("done", "after")["verdict"], "AC");
    assert!(processes().iter().all(|(_, name)| name != "sleep"), "{:?}", processes());
    run("systemctl", &["stop", UNIT]);
}

fn a_wrong_configuration_is_not_retried(_: &Guest) {
    install("Environment=GAVEL_LISTEN=nowhere\n");
    let started = Process::new("systemctl").args(["start", UNIT]).output().unwrap();
    assert!(!started.status.success());
    assert_eq!((show("ActiveState"), show("ExecMainStatus")), ("failed".to_owned(), "2".to_owned()));
    run("systemctl", &["reset-failed", UNIT]);
}

/// Puts everything in its place; `more` goes into the unit's `[Service]` section.
fn install(more: &str) {
    let from = Path::new("/payload/systemd");
    let copy = |name: &str, to: &str| {
        fs::copy(from.join(name), to).unwrap();
    };
    copy("gavel.sysusers.conf", "/usr/lib/sysusers.d/gavel.conf");
    copy("gavel.tmpfiles.conf", "/usr/lib/tmpfiles.d/gavel.conf");
    copy(UNIT, &format!("/etc/systemd/system/{UNIT}"));
    if !Path::new("/usr/local/bin/gavel").exists() {
        symlink("/payload/gavel", "/usr/local/bin/gavel").unwrap();
        run("systemd-sysusers", &[]);
        run("systemd-tmpfiles", &["--create", "gavel.conf"]);
        fs::write("/etc/credstore/gavel-amqp", "secret").unwrap();
        // The limits are those of a machine that may be emulated by a busy one.
        let package = "/var/lib/gavel/packages/sum";
        fs::create_dir_all(format!("{package}/data/secret")).unwrap();
        fs::write(format!("{package}/problem.yaml"), "name: Sum\nlimits:\n  memory: 64\n").unwrap();
        fs::write(format!("{package}/.timelimit"), "60\n").unwrap();
        for (test, (a, b)) in [(1, 2), (20, 30)].into_iter().enumerate() {
            fs::write(format!("{package}/data/secret/{test}.in"), format!("{a} {b}\n")).unwrap();
            fs::write(format!("{package}/data/secret/{test}.ans"), format!("{}\n", a + b)).unwrap();
        }
        fs::create_dir("/run/worker").unwrap();
        nix::unistd::mkfifo("/run/worker/in", Mode::from_bits_truncate(0o600)).unwrap();
    }
    let directory = format!("/etc/systemd/system/{UNIT}.d");
    fs::create_dir_all(&directory).unwrap();
    let text = format!(
        "[Service]\nStandardInput=file:/run/worker/in\nStandardOutput=append:/run/worker/out\n{more}"
    );
    fs::write(directory + "/test.conf", text).unwrap();
    run("systemctl", &["daemon-reload"]);
}

fn submit(id: &str, program: &str) {
    let submission = json!({
        "schema": 1, "id": id, "language": "bash", "problem": {"ref": "sum"},
        "files": [{"name": "main.sh", "text": program}],
    });
    writeln!(input(), "{submission}").unwrap();
}

/// The FIFO's end to write to. Also to read from, so that opening waits for nobody.
fn input() -> &'static File {
    static INPUT: std::sync::OnceLock<File> = std::sync::OnceLock::new();
    INPUT.get_or_init(|| OpenOptions::new().read(true).write(true).open("/run/worker/in").unwrap())
}

fn find(kind: &str, id: &str) -> Option<Value> {
    let said = fs::read_to_string("/run/worker/out").unwrap_or_default();
    let events = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.into_iter().find(|event| event["type"] == kind && event["id"] == id)
}

fn wait_for(kind: &str, id: &str) -> Value {
    until(&format!("{kind} of {id}"), || find(kind, id).is_some());
    find(kind, id).unwrap()
}

fn until(what: &str, there: impl Fn() -> bool) {
    let started = Instant::now();
    while !there() {
        let state = show("ActiveState");
        assert!(state != "failed" && started.elapsed() < PATIENCE, "not there: {what}\n{}", status());
        sleep(Duration::from_millis(100));
    }
}

fn run(program: &str, arguments: &[&str]) {
    // The manager opens the FIFO to read; somebody must have it open to write.
    let _open = Path::new("/run/worker/in").exists().then(input);
    let output = Process::new(program).args(arguments).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}\n{}", status());
}

fn show(property: &str) -> String {
    let output = Process::new("systemctl").args(["show", "--value", "-p", property, UNIT]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn main_process() -> i32 {
    show("MainPID").parse().unwrap()
}

fn status() -> String {
    let output =
        Process::new("systemctl").args(["status", "--no-pager", "--full", "--lines=40", UNIT]).output();
    String::from_utf8_lossy(&output.unwrap().stdout).into_owned()
}
