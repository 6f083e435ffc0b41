//! Hosts that cannot judge for a while.

use std::fs::File;
use std::io::Write;
use std::net::TcpListener;

use serde_json::json;

use nix::sys::signal::Signal;

use super::common::boxes::{Hunt, Prey};
use super::common::{SUM, text};
use super::http::{address_in, get};
use super::site::{Site, endless, submission};
use super::worker::{Worker, nothing_is_left_of};

#[test]
fn a_full_disk_costs_nobody_a_verdict_and_is_waited_out() {
    let site = Site::ready();
    let cache = site.scene.path("small");
    std::fs::create_dir(&cache).unwrap();
    // A mount namespace of its own: the small disk is gone with the process.
    let script = "mount -t tmpfs -o size=24m,mode=700 tmpfs \"$1\" && export GAVEL_CACHE=\"$1\" && \
                  exec \"$2\" worker -v --slots 1 --listen 127.0.0.1:0";
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh", text(&cache), env!("CARGO_BIN_EXE_gavel")]);
    let mut worker = Worker::run(&site.scene, command, &site.address());
    worker.wait_for("connected to the broker role=\"consuming\"");

    let filler = format!("/proc/{}/root{}/filler", worker.id(), cache.display());
    let mut file = File::create(&filler).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    drop(file);
    site.submit(&submission("waits", SUM));
    worker.wait_for("given back, because this host failed");
    let event = site.client.fetch("progress").body;
    assert_eq!((&event["type"], &event["id"]), (&json!("returned"), &json!("waits")), "{event}");
    site.client.wait_for_depth("gavel.judge.normal", 1);
    assert_eq!(site.client.depth("gavel.results"), Some(0));

    std::fs::remove_file(&filler).unwrap();
    let answers = site.answers(&["waits"]);
    assert_eq!(answers["waits"][0].key, "verdict.AC");
    site.wait_for_quiet("gavel.judge.normal");
    // What went back was no verdict.
    let log = worker.log();
    let metrics =
        get(address_in(log.lines().find(|line| line.contains("http://")).unwrap()), "/metrics").body;
    for line in ["gavel_verdicts_unconfirmed 0", "gavel_verdicts_total{verdict=\"JE\"} 0"] {
        assert!(metrics.lines().any(|told| told == line), "not '{line}' in:\n{metrics}");
    }
    let said = worker.stop();
    assert_eq!(said.code, 0, "{said:?}");
    site.check(answers, 0);
}

#[test]
fn a_worker_that_can_never_judge_again_ends_and_costs_nobody_a_verdict() {
    let site = Site::ready();
    let mut first = site.worker(&[]);
    first.wait_for("connected to the broker role=\"consuming\"");
    let keepers = first.keepers();
    first.kill_keeper();
    site.submit(&submission("waits", SUM));
    let said = first.end();
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.stderr.contains("this worker ends, to be started again"), "{said:?}");
    let second = site.worker(&[]);
    let answers = site.answers(&["waits"]);
    assert_eq!(answers["waits"][0].key, "verdict.AC");
    assert_eq!(second.stop().code, 0);
    nothing_is_left_of(&keepers);
    site.check(answers, 0);
}

#[test]
fn a_worker_that_will_end_does_not_wear_out_what_waits() {
    let site = Site::ready();
    // Accepts, and never answers: whoever fetches from it keeps the worker from ending.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let command = ["worker", "-v", "--slots", "2", "--allow-url", &url];
    let mut first = Worker::run(&site.scene, site.scene.gavel(&command), &site.address());
    first.wait_for("connected to the broker role=\"consuming\"");
    let mut fetching = submission("fetching", SUM);
    fetching["problem"] = json!({"url": format!("{url}sum.zip"), "sha256": "0".repeat(64)});
    site.submit(&fetching);
    let fetch = silent.accept().unwrap();
    first.kill_keeper();
    site.submit(&submission("waits", SUM));
    first.wait_for("this worker ends, to be started again");

    let second = site.worker(&[]);
    let answers = site.answers(&["waits"]);
    assert_eq!(answers["waits"][0].key, "verdict.AC", "{}", first.log());
    site.cancel("fetching");
    let mut all = site.answers(&["fetching"]);
    all.extend(answers);
    assert_eq!(all["fetching"][0].key, "verdict.CX");
    drop(fetch);
    assert_eq!(first.end().code, 3);
    site.wait_for_quiet("gavel.judge.normal");
    assert_eq!(second.stop().code, 0);
    site.check(all, 0);
}

#[test]
fn a_server_that_is_away_is_tried_again_and_holds_up_nothing_else() {
    let site = Site::ready();
    // Nobody listens there any more.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = format!("http://127.0.0.1:{port}/");
    let mut worker = site.worker(&["--allow-url", &server, "--fetch-attempts", "1"]);
    worker.wait_for("connected to the broker role=\"consuming\"");
    let mut away = submission("away", SUM);
    away["problem"] = json!({"url": format!("{server}sum.zip"), "sha256": "0".repeat(64)});
    site.submit(&away);
    site.submit(&submission("here", SUM));
    let answers = site.answers(&["away", "here"]);
    assert_eq!(
        (answers["here"][0].key.as_str(), answers["away"][0].key.as_str()),
        ("verdict.AC", "verdict.JE")
    );
    let said = worker.stop();
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains("given back: "), "{said:?}");
    assert!(!said.stderr.contains("this host failed"), "{said:?}");
    site.check(answers, 0);
}

/// Eight submissions of three makes that no worker can judge or that look as if, and a hundred that anyone can.
#[test]
fn poison_pills_get_a_verdict_each_and_stop_no_worker() {
    let site = Site::ready();
    let mut workers = [site.worker(&[]), site.worker(&[])];
    for worker in &mut workers {
        worker.wait_for("connected to the broker role=\"consuming\"");
    }
    let chain = include_str!("../../testdata/hostile/PackageChain.java");
    let mut expected = std::collections::BTreeMap::new();
    for number in 0..8 {
        let id = format!("pill-{number}");
        let mut pill = submission(&id, "sleep 600\n");
        expected.insert(
            id,
            match number % 3 {
                // Whenever it runs, its box dies.
                0 => "verdict.JE",
                1 => {
                    pill["language"] = "java17".into();
                    pill["files"] = json!([{"name": "Main.java", "text": chain}]);
                    "verdict.CE"
                }
                _ => {
                    pill["files"][0]["text"] = "kill -9 $$\n".into();
                    "verdict.RTE"
                }
            },
        );
        site.submit(&pill);
    }
    for number in 0..100 {
        let id = format!("innocent-{number}");
        site.submit(&submission(&id, SUM));
        expected.insert(id, "verdict.AC");
    }
    let gavels = workers.each_ref().map(|worker| worker.id());
    let hunt =
        Hunt { gavels: &gavels, name: "sleep", prey: Prey::Box, signal: Signal::SIGKILL, most: usize::MAX };
    let ids: Vec<&str> = expected.keys().map(String::as_str).collect();
    let (answers, _) = hunt.during(|| site.answers(&ids));
    for (id, verdict) in &expected {
        let keys: Vec<_> = answers[id].iter().map(|answer| answer.key.as_str()).collect();
        assert_eq!(keys, [*verdict], "{id}");
    }
    let pill = &answers["pill-0"][0].body;
    assert_eq!(pill["reason"], "sandbox", "{pill}");
    assert!(pill["error"].as_str().unwrap().contains("was lost"), "{pill}");
    site.wait_for_quiet("gavel.judge.normal");
    for worker in workers {
        let said = worker.stop();
        assert_eq!(said.code, 0, "{said:?}");
        // Intake never stopped, and nothing was left to another worker.
        assert!(!said.stderr.contains("given back"), "{said:?}");
        assert!(!said.stderr.contains("fails its own trial"), "{said:?}");
    }
    site.check(answers, 0);
}

/// RabbitMQ 3.10 ends the connection when a channel consumes a quorum queue again while a delivery of the consumer
/// before is unsettled.
#[test]
fn a_worker_that_gives_back_while_something_runs_keeps_its_connection() {
    let site = Site::ready();
    let cache = site.scene.path("small");
    std::fs::create_dir(&cache).unwrap();
    let script = "mount -t tmpfs -o size=24m,mode=700 tmpfs \"$1\" && export GAVEL_CACHE=\"$1\" && \
                  exec \"$2\" worker -v --slots 2 --prefetch 6 --raise-limits --listen 127.0.0.1:0";
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh", text(&cache), env!("CARGO_BIN_EXE_gavel")]);
    let mut worker = Worker::run(&site.scene, command, &site.address());
    worker.wait_for("connected to the broker role=\"consuming\"");
    site.submit(&endless("runs"));
    site.client.wait_for_test("runs");

    let filler = format!("/proc/{}/root{}/filler", worker.id(), cache.display());
    let mut file = File::create(&filler).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    drop(file);
    let ids = ["s0", "s1", "s2", "s3", "s4", "s5"];
    for id in ids {
        site.submit(&submission(id, SUM));
    }
    worker.wait_for("given back, because this host failed");
    std::fs::remove_file(&filler).unwrap();
    let mut answers = site.answers(&ids);
    for (id, answers) in &answers {
        assert_eq!(answers[0].key, "verdict.AC", "{id}");
    }
    // What ran all along is settled where it came from.
    site.cancel("runs");
    answers.extend(site.answers(&["runs"]));
    assert_eq!(answers["runs"][0].key, "verdict.CX");
    site.wait_for_quiet("gavel.judge.normal");
    let log = worker.log();
    assert!(!log.contains("lost the broker"), "{log}");
    let metrics =
        get(address_in(log.lines().find(|line| line.contains("http://")).unwrap()), "/metrics").body;
    let connections = "gavel_broker_connections_total{role=\"consuming\"} 1";
    assert!(metrics.lines().any(|line| line == connections), "{metrics}");
    assert_eq!(worker.stop().code, 0);
    site.check(answers, 0);
}
