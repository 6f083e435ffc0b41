//! The worker on packages and files it has to fetch.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::common::{SUM, Scene, text};
use crate::server::{Reply, Server, sha256, zip};
use serde_json::{Value, json};

/// A Kattis package of the sum, zipped.
fn package() -> Vec<u8> {
    zip(&[
        ("sum/problem.yaml", "name: Sum\n"),
        ("sum/.timelimit", "2\n"),
        ("sum/data/sample/1.in", "1 2\n"),
        ("sum/data/sample/1.ans", "3\n"),
        ("sum/data/secret/1.in", "30 4\n"),
        ("sum/data/secret/1.ans", "34\n"),
    ])
}

fn submission(id: &str, file: Value, problem: Value) -> Value {
    json!({"schema": 1, "id": id, "language": "bash", "files": [file], "problem": problem})
}

fn program(text: &str) -> Value {
    json!({"name": "main.sh", "text": text})
}

fn remote(url: &str, bytes: &[u8]) -> Value {
    json!({"url": url, "sha256": sha256(bytes)})
}

/// A worker in an environment with proxies that must not be used.
fn start(scene: &Scene, arguments: &[&str]) -> Child {
    let mut command = scene.gavel(arguments);
    for name in ["http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(name, "http://127.0.0.1:1");
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Feeds a worker and returns its reports by id, once its input has ended.
fn judge(scene: &Scene, arguments: &[&str], submissions: &[Value]) -> Vec<Value> {
    let arguments = [&["worker", "--quiet"], arguments].concat();
    let mut child = start(scene, &arguments);
    let mut input = child.stdin.take().unwrap();
    for submission in submissions {
        writeln!(input, "{submission}").unwrap();
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut reports: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|event: &Value| event["type"] == "done")
        .collect();
    reports.sort_by_key(|report| report["id"].as_str().unwrap().to_owned());
    reports
}

#[test]
fn packages_and_sources_are_fetched_and_judged() {
    let scene = Scene::new();
    let (archive, source) = (package(), SUM.as_bytes().to_vec());
    let server =
        Server::start(vec![("/p/sum.zip", Reply::bytes(&archive)), ("/p/main.sh", Reply::bytes(&source))]);
    let problem = remote(&server.url("/p/sum.zip"), &archive);
    let mut file = remote(&server.url("/p/main.sh"), &source);
    file["name"] = "main.sh".into();
    let allowed = server.url("/p/");
    let reports = judge(
        &scene,
        &["--allow-url", &allowed],
        &[submission("a", file, problem.clone()), submission("b", program("echo 3\n"), problem)],
    );
    assert_eq!(reports[0]["verdict"], "AC", "{}", reports[0]);
    assert_eq!((&reports[1]["verdict"], &reports[1]["first_failure"]), (&"WA".into(), &"secret/1".into()));
    assert_eq!(server.requests("/p/sum.zip"), 1);
    let again = judge(
        &scene,
        &["--allow-url", &allowed],
        &[submission("c", program(SUM), remote(&server.url("/p/sum.zip"), &archive))],
    );
    assert_eq!(again[0]["verdict"], "AC");
    assert_eq!(server.requests("/p/sum.zip"), 1, "the second worker finds it in the cache");
}

#[test]
fn a_hundred_submissions_of_one_package_are_one_download() {
    let scene = Scene::new();
    let archive = package();
    let server = Server::start(vec![("/sum.zip", Reply::bytes(&archive))]);
    let problem = remote(&server.url("/sum.zip"), &archive);
    let submissions: Vec<_> =
        (0..100).map(|id| submission(&format!("{id:03}"), program(SUM), problem.clone())).collect();
    let reports = judge(&scene, &["--allow-url", &server.url("/"), "--slots", "4"], &submissions);
    assert_eq!(reports.len(), 100);
    assert!(reports.iter().all(|report| report["verdict"] == "AC"), "{reports:?}");
    assert_eq!(server.requests("/sum.zip"), 1);
}

#[test]
fn what_cannot_be_fetched_is_a_judging_error_with_whose_fault_it_is() {
    let scene = Scene::new();
    let archive = package();
    let server = Server::start(vec![("/sum.zip", Reply::bytes(&archive)), ("/ill", Reply::status(503))]);
    let url = |path: &str| server.url(path);
    let cases = [
        ("missing", remote(&url("/nothing.zip"), &archive), "package", "answered 404"),
        ("other", remote(&url("/sum.zip"), b"x"), "package", "SHA-256 is"),
        ("none", json!({"url": url("/sum.zip"), "sha256": "12"}), "submission", "not a SHA-256"),
        ("forbidden", remote("http://127.0.0.1:1/x.zip", b"x"), "package", "--allow-url"),
        ("file", remote("file://host/etc/passwd", b"x"), "submission", "only https"),
        ("ill", remote(&url("/ill"), b"x"), "sandbox", "answered 503"),
    ];
    for (id, problem, reason, message) in cases {
        let reports = judge(&scene, &["--allow-url", &url("/")], &[submission(id, program(SUM), problem)]);
        let report = &reports[0];
        assert_eq!((&report["verdict"], &report["reason"]), (&"JE".into(), &reason.into()), "{report}");
        let error = report["error"].as_str().unwrap();
        assert!(error.contains(message) && !error.contains('\n'), "{error}");
    }
    // Nothing was left half-made.
    let drafts = scene.path("cache/fetched/drafts");
    assert_eq!(std::fs::read_dir(drafts).unwrap().count(), 0, "{}", text(&scene.path("cache")));
}

#[test]
fn a_small_message_cannot_make_a_worker_hold_many_large_sources() {
    let scene = Scene::new();
    let large = format!("{SUM}#{}\n", "x".repeat(400 << 10));
    let server = Server::start(vec![("/main.sh", Reply::bytes(large.as_bytes()))]);
    let tests = json!({"inline": [{"input": "1 2", "answer": "3"}]});
    let files = |count: usize| -> Vec<Value> {
        let named = |number: usize| {
            let mut file = remote(&server.url("/main.sh"), large.as_bytes());
            file["name"] = format!("{number}.sh").into();
            file
        };
        (0..count).map(named).collect()
    };
    let arguments = ["--allow-url", &server.url("/"), "--fetch-largest-file", "1MiB"];
    for (count, message) in [(3, "larger than 1MiB together"), (300, "300 source files; at most 256")] {
        let mut submission = submission("s", Value::Null, tests.clone());
        submission["files"] = files(count).into();
        let reports = judge(&scene, &arguments, &[submission]);
        assert_eq!(reports[0]["verdict"], "JE", "{}", reports[0]);
        let error = reports[0]["error"].as_str().unwrap();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn a_worker_killed_while_fetching_leaves_nothing_that_the_next_would_use() {
    let scene = Scene::new();
    let archive = package();
    let half = Reply { stall_after: Some(archive.len() / 2), ..Reply::bytes(&archive) };
    let server = Server::start(vec![("/sum.zip", half)]);
    let problem = remote(&server.url("/sum.zip"), &archive);
    let allowed = server.url("/");
    let drafts = scene.path("cache/fetched/drafts");
    let mut child = start(&scene, &["worker", "--quiet", "--allow-url", &allowed]);
    writeln!(child.stdin.as_mut().unwrap(), "{}", submission("s", program(SUM), problem.clone())).unwrap();
    let is_half_there = || {
        let drafts = std::fs::read_dir(&drafts).into_iter().flatten().flatten();
        let size = |draft: std::fs::DirEntry| draft.path().join("archive").metadata().map_or(0, |m| m.len());
        drafts.map(size).sum::<u64>() == archive.len() as u64 / 2
    };
    wait_until(&mut child, is_half_there);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(is_half_there(), "nothing of the killed worker is left to be found");

    server.reply("/sum.zip", Reply::bytes(&archive));
    let reports = judge(&scene, &["--allow-url", &allowed], &[submission("s", program(SUM), problem)]);
    assert_eq!(reports[0]["verdict"], "AC", "{}", reports[0]);
    assert_eq!(std::fs::read_dir(&drafts).unwrap().count(), 0);
}

/// Waits for something outside to become so, as long as the worker lives.
fn wait_until(child: &mut Child, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came");
        assert!(child.try_wait().unwrap().is_none(), "the worker ended");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_next_package_and_source_are_fetched_while_the_current_one_runs() {
    let scene = Scene::new();
    let archive = package();
    let server = Server::start(vec![
        ("/sum.zip", Reply::bytes(&archive)),
        ("/main.sh", Reply::bytes(SUM.as_bytes())),
        ("/broken.zip", Reply::status(500)),
    ]);
    let url = server.url("/");
    let arguments = ["worker", "--quiet", "--slots", "1", "--raise-limits", "--allow-url", &url];
    let mut child = start(&scene, &arguments);
    let mut events = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = |kind: &str| loop {
        let event: Value = serde_json::from_str(&events.next().unwrap().unwrap()).unwrap();
        if event["type"] == kind {
            return event;
        }
    };
    let mut input = child.stdin.take().unwrap();
    let tests = json!({"inline": [{"input": "", "answer": ""}, {"input": "", "answer": ""}]});
    let endless = "test -e /tmp/x || sleep 3600\n";
    let mut running = submission("running", program(endless), tests);
    running["limits"] = json!({"wall": "1h"});
    writeln!(input, "{running}").unwrap();
    next("compiled");
    // What fails ahead of its turn fails once; what comes after it is fetched all the same.
    let ill = submission("ill", program(SUM), remote(&server.url("/broken.zip"), b"x"));
    let mut file = remote(&server.url("/main.sh"), SUM.as_bytes());
    file["name"] = "main.sh".into();
    let waiting = submission("waiting", file, remote(&server.url("/sum.zip"), &archive));
    writeln!(input, "{ill}\n{waiting}").unwrap();
    wait_until(&mut child, || server.requests("/sum.zip") == 1 && server.requests("/main.sh") == 1);
    assert_eq!(server.requests("/broken.zip"), 1);
    writeln!(input, "{}", json!({"schema": 1, "type": "cancel", "id": "ill"})).unwrap();
    writeln!(input, "{}", json!({"schema": 1, "type": "cancel", "id": "running"})).unwrap();
    drop(input);
    let mut verdicts: Vec<_> = (0..3)
        .map(|_| next("done"))
        .map(|done| (done["id"].as_str().unwrap().to_owned(), done["verdict"].as_str().unwrap().to_owned()))
        .collect();
    verdicts.sort();
    let expected = [("ill", "CX"), ("running", "CX"), ("waiting", "AC")];
    assert_eq!(verdicts, expected.map(|(id, verdict)| (id.to_owned(), verdict.to_owned())));
    assert!(child.wait().unwrap().success());
    assert_eq!((server.requests("/sum.zip"), server.requests("/main.sh")), (1, 1));
}

#[test]
fn a_cancel_ends_a_fetch_and_a_signal_does_not_wait_for_one_ahead() {
    let scene = Scene::new();
    let silent = Reply { stall_after: Some(0), ..Reply::bytes(b"never sent") };
    let server = Server::start(vec![("/a.zip", silent.clone()), ("/b.zip", silent)]);
    let mut child = start(&scene, &["worker", "--quiet", "--slots", "1", "--allow-url", &server.url("/")]);
    let mut input = child.stdin.take().unwrap();
    for (id, path) in [("a", "/a.zip"), ("b", "/b.zip")] {
        let problem = remote(&server.url(path), path.as_bytes());
        writeln!(input, "{}", submission(id, program(SUM), problem)).unwrap();
    }
    // One is fetched for its turn, the other ahead.
    wait_until(&mut child, || server.requests("/a.zip") == 1 && server.requests("/b.zip") == 1);
    for id in ["a", "b"] {
        writeln!(input, "{}", json!({"schema": 1, "type": "cancel", "id": id})).unwrap();
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.matches("\"verdict\":\"CX\"").count(), 2, "{text}");
    assert_eq!(server.seen().len(), 2, "nothing was tried again");
}

#[test]
fn two_workers_that_need_the_same_package_fetch_it_once() {
    let scene = Scene::new();
    let archive = package();
    let server = Server::start(vec![("/sum.zip", Reply::bytes(&archive))]);
    let problem = remote(&server.url("/sum.zip"), &archive);
    let submissions: Vec<_> =
        (0..5).map(|id| submission(&id.to_string(), program(SUM), problem.clone())).collect();
    let allowed = server.url("/");
    std::thread::scope(|scope| {
        let work = || judge(&scene, &["--allow-url", &allowed], &submissions);
        for worker in [scope.spawn(work), scope.spawn(work)] {
            let reports = worker.join().unwrap();
            assert!(
                reports.len() == 5 && reports.iter().all(|report| report["verdict"] == "AC"),
                "{reports:?}"
            );
        }
    });
    assert_eq!(server.requests("/sum.zip"), 1);
}
