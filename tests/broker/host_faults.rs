//! Hosts that cannot judge for a while.

use std::fs::File;
use std::io::Write;

use super::common::{SUM, text};
use super::site::{Site, submission};
use super::worker::Worker;

#[test]
fn a_full_disk_costs_nobody_a_verdict_and_is_waited_out() {
    let site = Site::ready();
    let cache = site.scene.path("small");
    std::fs::create_dir(&cache).unwrap();
    // A mount namespace of its own: the small disk is gone with the process.
    let script = "mount -t tmpfs -o size=24m,mode=700 tmpfs \"$1\" && export GAVEL_CACHE=\"$1\" && \
                  exec \"$2\" worker -v --slots 1";
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
    site.client.wait_for_depth("gavel.judge.normal", 1);
    assert_eq!(site.client.depth("gavel.results"), Some(0));

    std::fs::remove_file(&filler).unwrap();
    let answers = site.answers(&["waits"]);
    assert_eq!(answers["waits"][0].key, "verdict.AC");
    let said = worker.stop();
    assert_eq!(said.code, 0, "{said:?}");
    site.check(answers, 0);
}

#[test]
fn a_worker_that_can_never_judge_again_ends_and_costs_nobody_a_verdict() {
    let site = Site::ready();
    let mut first = site.worker(&[]);
    first.wait_for("connected to the broker role=\"consuming\"");
    first.kill_keeper();
    site.submit(&submission("waits", SUM));
    let said = first.end();
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.stderr.contains("this worker ends, to be started again"), "{said:?}");
    let second = site.worker(&[]);
    let answers = site.answers(&["waits"]);
    assert_eq!(answers["waits"][0].key, "verdict.AC");
    assert_eq!(second.stop().code, 0);
    site.check(answers, 0);
}
