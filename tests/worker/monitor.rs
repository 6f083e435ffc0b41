//! `gavel worker --listen`: what operators and service managers see of a worker.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};

use crate::common::gate::Gate;
use crate::common::lines::Lines;
use crate::common::{SUM, Scene, text};
use crate::http::{address_in, get, send, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use prometheus_parse::{Sample, Scrape, Value as Figure};
use serde_json::{Value, json};

/// A worker that does not outlive its test.
struct Worker {
    child: Child,
    address: SocketAddr,
    lines: Lines,
}

impl Worker {
    fn start(scene: &Scene, environment: &[(&str, &str)]) -> Self {
        scene.write("packages/.keep", "");
        let root = scene.path("packages");
        let listen = ["worker", "--slots", "1", "--listen", "127.0.0.1:0"];
        let arguments = [&listen[..], &["--package-root", text(&root), "--raise-limits"]].concat();
        let mut command = scene.gavel(&arguments);
        command.envs(environment.iter().copied());
        let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = streams.spawn().unwrap();
        crate::common::guardian::watch(&child);
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        // Read to its end, or the worker would wait for a reader.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::stderr()));
        let lines = Lines::of(&mut child);
        Self { child, address: address_in(&line), lines }
    }

    fn signal(&self) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    }

    /// Waits for its end.
    fn end(mut self) -> i32 {
        self.lines.end_input();
        self.lines.rest();
        self.child.wait().unwrap().code().unwrap()
    }

    /// The process that keeps its boxes.
    fn keeper(&self) -> Pid {
        let id = self.child.id();
        let tasks = std::fs::read_dir(format!("/proc/{id}/task")).unwrap();
        let children = tasks
            .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("children")).ok())
            .collect::<String>();
        Pid::from_raw(children.split_whitespace().next().expect("a keeper").parse().unwrap())
    }

    fn metrics(&self) -> Metrics {
        let answer = get(self.address, "/metrics");
        assert_eq!(answer.status, 200);
        assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
        let lines = answer.body.lines().map(|line| Ok(line.to_owned()));
        Metrics { scrape: Scrape::parse(lines).unwrap(), text: answer.body }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Metrics {
    text: String,
    scrape: Scrape,
}

impl Metrics {
    fn samples(&self, name: &str) -> Vec<&Sample> {
        self.scrape.samples.iter().filter(|sample| sample.metric == name).collect()
    }

    /// The value of the series with exactly this label, or of the one without any.
    fn value(&self, name: &str, label: Option<(&str, &str)>) -> f64 {
        let has = |sample: &&&Sample| label.is_none_or(|(key, value)| sample.labels.get(key) == Some(value));
        let found = self.samples(name);
        match found.iter().find(has).unwrap_or_else(|| panic!("no {name}:\n{}", self.text)).value {
            Figure::Counter(value) | Figure::Gauge(value) | Figure::Untyped(value) => value,
            ref other => panic!("{name} is {other:?}"),
        }
    }
}

fn bash(id: &str, program: &str, problem: &Value) -> String {
    let files = [json!({"name": "main.sh", "text": program})];
    json!({"schema": 1, "id": id, "language": "bash", "problem": problem, "files": files}).to_string()
}

fn inline() -> Value {
    json!({"inline": [{"input": "1 2\n", "answer": "3\n"}, {"input": "20 30\n", "answer": "50\n"}]})
}

#[test]
fn metrics_count_what_was_judged() {
    let scene = Scene::new();
    let mut worker = Worker::start(&scene, &[]);
    for (id, program) in [("a", SUM), ("b", SUM), ("c", "echo 3\n"), ("d", "if\n")] {
        worker.lines.send(&bash(id, program, &inline()));
        worker.lines.next("done");
    }
    worker.lines.send(&bash("e", SUM, &json!({"ref": "nowhere"})));
    worker.lines.next("done");
    worker.lines.send("not json");
    worker.lines.next("error");
    let metrics = worker.metrics();
    for (verdict, count) in [("AC", 2.0), ("WA", 1.0), ("CE", 1.0), ("JE", 1.0), ("TLE", 0.0), ("SK", 0.0)] {
        assert_eq!(metrics.value("gavel_verdicts_total", Some(("verdict", verdict))), count, "{verdict}");
    }
    let expected = [
        ("gavel_messages_refused_total", Some(("reason", "malformed")), 1.0),
        ("gavel_messages_refused_total", Some(("reason", "misplaced")), 0.0),
        ("gavel_redeliveries_joined_total", None, 0.0),
        ("gavel_progress_dropped_total", None, 0.0),
        ("gavel_boxes_ended_total", Some(("reason", "fault")), 0.0),
        ("gavel_verdicts_unconfirmed", None, 0.0),
        ("gavel_submissions_waiting", None, 0.0),
        ("gavel_slots", None, 1.0),
        ("gavel_slots_busy", None, 0.0),
        ("gavel_ready", None, 1.0),
        // Three submissions got as far as their two tests; one of four compilations was the cache's.
        ("gavel_test_seconds_count", Some(("language", "bash")), 6.0),
        ("gavel_compile_seconds_count", Some(("language", "bash")), 3.0),
        ("gavel_judging_seconds_count", None, 5.0),
        ("gavel_publish_seconds_count", None, 5.0),
        ("gavel_queue_wait_seconds_count", Some(("class", "normal")), 5.0),
    ];
    for (name, label, value) in expected {
        assert_eq!(metrics.value(name, label), value, "{name} {label:?}\n{}", metrics.text);
    }
    let born = metrics.value("gavel_boxes_born_total", None);
    assert!(born >= 1.0 && metrics.value("gavel_boxes", None) <= born, "{}", metrics.text);
    assert!(metrics.value("gavel_cache_hits_total", None) >= 1.0, "{}", metrics.text);
    assert!(metrics.value("gavel_cache_misses_total", None) >= 1.0, "{}", metrics.text);
    assert!(metrics.value("gavel_cache_bytes", None) > 0.0, "{}", metrics.text);
    let info = metrics.samples("gavel_build_info");
    assert_eq!(info[0].labels.get("version"), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(worker.end(), 0);
}

/// What `promtool check metrics` complains about, and the naming rules of the documentation.
#[test]
fn metrics_are_named_and_shaped_as_prometheus_wants_them() {
    let scene = Scene::new();
    let mut worker = Worker::start(&scene, &[]);
    worker.lines.send(&bash("a", SUM, &inline()));
    worker.lines.next("done");
    let metrics = worker.metrics();
    let mut kinds = BTreeMap::new();
    let mut helped = BTreeSet::new();
    for line in metrics.text.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "TYPE", name, kind] => {
                assert!(kinds.insert(name, kind).is_none(), "{name} has two types");
            }
            ["#", "HELP", name, help] => {
                assert!(helped.insert(name), "{name} is explained twice");
                assert!(help.ends_with('.'), "{name}: {help}");
            }
            _ => {}
        }
    }
    let mut series = BTreeSet::new();
    let mut buckets: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for line in metrics.text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (key, value) = line.rsplit_once(' ').unwrap();
        assert!(series.insert(key), "{key} is there twice");
        let value: f64 = value.parse().unwrap();
        let full = key.split('{').next().unwrap();
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .filter_map(|suffix| full.strip_suffix(suffix))
            .find(|base| kinds.get(base) == Some(&"histogram"))
            .unwrap_or(full);
        assert!(helped.contains(base), "{base} has no HELP");
        assert!(base.starts_with("gavel_") && !base.contains("milli"), "{base}");
        let kind = kinds.get(base).unwrap_or_else(|| panic!("{base} has no TYPE"));
        assert_eq!(base.ends_with("_total"), *kind == "counter", "{base} is a {kind}");
        assert!(*kind != "histogram" || base.ends_with("_seconds"), "{base} has no unit");
        assert!(value >= 0.0, "{line}");
        if full.ends_with("_bucket") {
            let labels = key.replace(key.split("le=\"").nth(1).unwrap(), "");
            buckets.entry(labels).or_default().push(value);
        }
    }
    assert!(buckets.len() >= 5, "{}", metrics.text);
    for (name, counts) in buckets {
        assert!(counts.is_sorted(), "{name}: {counts:?}");
    }
    // What is there from the first moment stays what there is: no series appears late but for languages used.
    assert_eq!(metrics.samples("gavel_verdicts_total").len(), 12);
    assert_eq!(worker.end(), 0);
}

#[test]
fn only_what_is_there_is_answered_and_only_to_those_who_ask_rightly() {
    let scene = Scene::new();
    let worker = Worker::start(&scene, &[]);
    let address = worker.address;
    assert_eq!(wait_for(address, "/readyz", 200).body, "ok\n");
    assert_eq!((get(address, "/livez").body.as_str(), get(address, "/").status), ("ok\n", 404));
    assert_eq!(get(address, "/metrics?name=x").status, 200);
    assert_eq!(get(address, &format!("/{}", "x".repeat(4000))).status, 404);
    let head = send(address, b"HEAD /livez HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert!(head.head.contains("content-length: 3"), "{}", head.head);
    let post = send(address, b"POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").unwrap();
    assert_eq!(post.status, 405);
    assert!(post.head.contains("allow: get, head"), "{}", post.head);

    let long = format!("GET /livez HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    let garbage: [&[u8]; 6] = [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"",
        long.as_bytes(),
    ];
    for bytes in garbage {
        let mut stream = TcpStream::connect(address).unwrap();
        // It may be closed before all is sent.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert_eq!(get(address, "/livez").status, 200);
    assert_eq!(worker.end(), 0);
}

#[test]
fn those_who_connect_and_say_nothing_keep_nobody_out() {
    let scene = Scene::new();
    let mut worker = Worker::start(&scene, &[]);
    let silent: Vec<TcpStream> = (0..200)
        .map(|number| {
            let mut stream = TcpStream::connect(worker.address).unwrap();
            // Half of them begin.
            if number % 2 == 0 {
                stream.write_all(b"GET /metrics HTTP/1.1\r\n").unwrap();
            }
            stream
        })
        .collect();
    assert_eq!(get(worker.address, "/livez").status, 200);
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", worker.child.id())).unwrap().count();
    assert!(descriptors < 100, "{descriptors} descriptors are open");
    worker.lines.send(&bash("a", SUM, &inline()));
    assert_eq!(worker.lines.next("done")["verdict"], "AC");
    drop(silent);
    assert_eq!(worker.end(), 0);
}

#[test]
fn a_worker_that_stops_is_alive_and_not_ready() {
    let scene = Scene::new();
    let mut worker = Worker::start(&scene, &[]);
    wait_for(worker.address, "/readyz", 200);
    let gate = Gate::new();
    let mut slow: Value = serde_json::from_str(&bash("slow", &gate.sum_at(20), &inline())).unwrap();
    slow["limits"] = json!({"wall": "1h"});
    worker.lines.send(&slow.to_string());
    worker.lines.next("test");
    worker.signal();
    let unready = wait_for(worker.address, "/readyz", 503);
    assert_eq!(unready.body, "worker: stopping: what runs is finished\n");
    assert_eq!(get(worker.address, "/livez").status, 200);
    assert_eq!(worker.metrics().value("gavel_ready", None), 0.0);
    gate.open();
    assert_eq!(worker.lines.next("done")["verdict"], "AC");
    assert_eq!(worker.end(), 0);
}

#[test]
fn a_worker_whose_keeper_died_is_not_alive() {
    let scene = Scene::new();
    let worker = Worker::start(&scene, &[]);
    wait_for(worker.address, "/livez", 200);
    kill(worker.keeper(), Signal::SIGKILL).unwrap();
    assert_eq!(wait_for(worker.address, "/livez", 503).body, "the box keeper has died\n");
    assert_eq!(wait_for(worker.address, "/readyz", 503).body, "the box keeper has died\n");
    drop(worker);
}

#[test]
fn a_service_manager_is_told_ready_alive_and_stopping_and_nothing_by_the_dead() {
    let scene = Scene::new();
    let path = scene.path("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(crate::http::PATIENCE)).unwrap();
    let hear = || {
        let mut buffer = [0; 4096];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    let environment = [("NOTIFY_SOCKET", text(&path)), ("WATCHDOG_USEC", "400000")];
    let worker = Worker::start(&scene, &environment);
    let mut told = Vec::new();
    let hear_until = |told: &mut Vec<String>, wanted: &str| {
        while !told.iter().any(|message| message.contains(wanted)) {
            told.push(hear());
        }
    };
    hear_until(&mut told, "STATUS=takes work");
    let place = |told: &[String], wanted: &str| told.iter().position(|message| message.contains(wanted));
    assert!(place(&told, "READY=1") < place(&told, "STATUS=takes work"), "{told:?}");
    told.clear();
    hear_until(&mut told, "WATCHDOG=1");

    kill(worker.keeper(), Signal::SIGKILL).unwrap();
    told.clear();
    hear_until(&mut told, "STATUS=the box keeper has died");
    worker.signal();
    told.clear();
    hear_until(&mut told, "STOPPING=1");
    assert!(place(&told, "WATCHDOG=1").is_none(), "{told:?}");
    drop(worker);
}

#[test]
fn a_port_that_cannot_be_had_is_said_at_once() {
    let scene = Scene::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (listen, reason) in
        [(address.as_str(), "Address already in use"), ("nowhere", "no address with a port")]
    {
        let said = scene.say(&["worker", "--listen", listen]);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.stderr.contains(reason) && said.stderr.contains("--listen"), "{said:?}");
    }
}

/// Metrics and label values that the example's alerts look at are there, so that none can be silent by mistake.
#[test]
fn alerts_look_at_what_is_there() {
    #[derive(serde::Deserialize)]
    struct Rules {
        groups: Vec<Group>,
    }
    #[derive(serde::Deserialize)]
    struct Group {
        rules: Vec<Rule>,
    }
    #[derive(serde::Deserialize)]
    struct Rule {
        alert: String,
        expr: String,
        labels: BTreeMap<String, String>,
        annotations: BTreeMap<String, String>,
    }
    let scene = Scene::new();
    let mut worker = Worker::start(&scene, &[]);
    let mut submission: Value = serde_json::from_str(&bash("a", SUM, &inline())).unwrap();
    submission["priority"] = "contest".into();
    worker.lines.send(&submission.to_string());
    worker.lines.next("done");
    let metrics = worker.metrics().text;
    let rules = std::fs::read_to_string("deploy/prometheus/alerts.yml").unwrap();
    let rules: Rules = serde_saphyr::from_str(&rules).unwrap();
    let rules: Vec<Rule> = rules.groups.into_iter().flat_map(|group| group.rules).collect();
    assert!(rules.len() > 5);
    for Rule { alert, expr, labels, annotations } in rules {
        assert!(["page", "ticket"].contains(&labels["severity"].as_str()), "{alert}");
        assert!(annotations.contains_key("summary") && annotations.contains_key("description"), "{alert}");
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        for name in expr.split(|c: char| !is_name(c)).filter(|word| word.starts_with("gavel_")) {
            let there = metrics.lines().any(|line| line.split(['{', ' ']).next() == Some(name));
            assert!(there, "{alert} looks at {name}");
        }
        for selector in expr.split(['{', ',', '}']).filter(|part| part.contains("=\"")) {
            let is_scraper_s = selector.starts_with("job=");
            assert!(is_scraper_s || metrics.contains(selector), "{alert} looks at {selector}");
        }
    }
    assert_eq!(worker.end(), 0);
}

/// A field of every thread of a process, as `/proc` shows it.
fn of_all_threads(process: u32, field: &str) -> BTreeSet<String> {
    std::fs::read_dir(format!("/proc/{process}/task"))
        .unwrap()
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("status")).ok())
        .map(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
            line.unwrap_or_else(|| panic!("no {field}")).split_whitespace().collect::<Vec<_>>().join(" ")
        })
        .collect()
}

fn only(value: &str) -> BTreeSet<String> {
    BTreeSet::from([value.to_owned()])
}

/// The user that a worker becomes which root starts: `gavel`, or the id that stands for it.
fn user_of_workers() -> u32 {
    nix::unistd::User::from_name("gavel").unwrap().map_or(65_522, |user| user.uid.as_raw())
}

#[test]
fn a_worker_speaks_to_the_network_without_rights() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let scene = Scene::new();
    // Packages as root's umask of 077 leaves them; the scene's own directory lets nobody but root through.
    let package = scene.write("packages/secret/1.in", "1 2\n");
    scene.write("packages/secret/1.ans", "3\n");
    set_mode(&package, 0o600);
    set_mode(&scene.path("packages/secret/1.ans"), 0o600);
    set_mode(&scene.path("packages/secret"), 0o700);
    set_mode(&scene.path("packages"), 0o700);
    scene.write("beside", "a secret");
    set_mode(&scene.path(""), 0o700);
    let mut worker = Worker::start(&scene, &[]);
    worker.lines.send(&bash("a", SUM, &json!({"ref": "secret"})));
    assert_eq!(worker.lines.next("done")["verdict"], "AC");

    let (id, user) = (worker.child.id(), user_of_workers());
    assert_eq!(of_all_threads(id, "Uid"), only(&format!("{user} {user} {user} {user}")));
    for field in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(of_all_threads(id, field), only("0000000000000000"), "{field}");
    }
    for (field, value) in [("Groups", ""), ("NoNewPrivs", "1"), ("Seccomp", "2")] {
        assert_eq!(of_all_threads(id, field), only(value), "{field}");
    }
    // The keeper stays root, and nothing of the packages has changed on disk.
    let keeper = worker.keeper().as_raw().unsigned_abs();
    assert_eq!(of_all_threads(keeper, "Uid"), only("0 0 0 0"));
    let metadata = std::fs::metadata(&package).unwrap();
    assert_eq!((metadata.uid(), metadata.mode() & 0o777), (0, 0o600));
    // What the worker sees of the directory above: its packages and its cache, and not what lies beside them.
    let seen = format!("/proc/{id}/root{}", text(&scene.path("")));
    let seen: BTreeSet<_> =
        std::fs::read_dir(seen).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(seen, BTreeSet::from(["cache".into(), "packages".into()]));
    assert_eq!(std::fs::metadata(scene.path("cache")).unwrap().uid(), user);
    assert_eq!(worker.end(), 0);
}

#[test]
fn a_worker_stays_root_only_when_its_settings_say_so() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let scene = Scene::new();
    scene.write("packages/.keep", "");
    let mut command = scene.gavel(&["worker", "--slots", "1", "--user", "root"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    crate::common::guardian::watch(&child);
    let mut lines = Lines::of(&mut child);
    lines.send(&bash("a", SUM, &inline()));
    assert_eq!(lines.next("done")["verdict"], "AC");
    assert_eq!(of_all_threads(child.id(), "Uid"), only("0 0 0 0"));
    assert_eq!(of_all_threads(child.id(), "Seccomp"), only("2"));
    lines.end_input();
    lines.rest();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("stays root while it speaks to the network"), "{said}");
}

#[test]
fn what_compilers_leave_for_their_owner_alone_is_taken_out() {
    let scene = Scene::new();
    scene.write(
        "languages.toml",
        r#"
[[language]]
id = "shell"
name = "Shell"
sources = { default = "main.sh", extensions = ["sh"] }
compile = ["bash", "-c", "umask 077; printf '#!/bin/sh\\n' > {exe}; cat {source} >> {exe}; chmod 700 {exe}"]
artifact = "executable"
run = ["sh", "{exe}"]
version = ["bash", "--version"]
profile = "native"
hello = "read a b; echo $((a + b))"
"#,
    );
    let table = scene.path("languages.toml");
    let mut worker = Worker::start(&scene, &[("GAVEL_LANGUAGES", text(&table))]);
    let submission = bash("a", SUM, &inline()).replace("\"bash\"", "\"shell\"");
    worker.lines.send(&submission);
    let done = worker.lines.next("done");
    assert_eq!(done["verdict"], "AC", "{done}");
    assert_eq!(worker.end(), 0);
}

#[test]
fn a_cache_of_root_s_stays_root_s() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    assert_eq!(scene.judge_bash(&package, SUM, &[])["verdict"], "AC");
    let mut worker = Worker::start(&scene, &[]);
    worker.lines.send(&bash("a", SUM, &inline()));
    assert_eq!(worker.lines.next("done")["verdict"], "AC");
    let user = user_of_workers();
    let own = scene.path("cache").join(format!("user-{user}"));
    assert_eq!(std::fs::metadata(own).unwrap().uid(), user);
    assert_eq!(std::fs::metadata(scene.path("cache/objects")).unwrap().uid(), 0);
    // Both go on beside each other.
    assert_eq!(scene.judge_bash(&package, SUM, &[])["verdict"], "AC");
    assert_eq!(worker.end(), 0);
}

fn set_mode(path: &std::path::Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
