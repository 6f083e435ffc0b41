//! Connections that are closed, reset, half open, or lose one direction; brokers that are away.

use std::time::{Duration, Instant};

use super::common::SUM;
use super::common::gate::Gate;
use super::node::{Node, PATIENCE};
use super::proxy::{Fault, Proxy};
use super::site::{Site, endless, gated, submission};
use super::worker::Worker;

/// Said by each of a worker's connections.
const CONNECTED: &str = "connected to the broker";

/// Breaks something three times while one judging runs; it is neither started again nor answered twice.
fn the_judging_goes_on(break_it: impl Fn(&Site, &Proxy)) {
    let (site, proxy) = (Site::ready(), Proxy::start(Node::shared().port()));
    let mut worker = site.wary_worker_through(&proxy, &["--raise-limits"]);
    site.submit(&endless("long"));
    site.client.wait_for_test("long");
    for _ in 0..3 {
        let consuming = format!("{CONNECTED} role=\"consuming\"");
        let (before, all) = (worker.said(&consuming), worker.said(CONNECTED));
        break_it(&site, &proxy);
        worker.wait_for_more(&consuming, before);
        worker.wait_for_more(CONNECTED, all + 2);
    }
    site.cancel("long");
    let answers = site.answers(&["long"]);
    // The broker gives it out again when it notices, if it has not yet.
    site.wait_for_quiet("gavel.judge.normal");
    let said = worker.stop();
    assert_eq!(said.code, 0, "{said:?}");
    let mut begun = 0;
    while let Some(event) = site.client.try_fetch("progress") {
        begun += usize::from(event.body["type"] == "accepted");
    }
    assert_eq!(begun, 0, "a running judging was started again");
    assert_eq!(site.client.depth("gavel.results"), Some(0));
    site.check(answers, 0);
}

#[test]
fn a_judging_goes_on_when_the_broker_closes_all_connections() {
    the_judging_goes_on(|site, _| site.close_workers());
}

#[test]
fn a_judging_goes_on_when_connections_are_reset() {
    the_judging_goes_on(|_, proxy| proxy.reset());
}

#[test]
fn half_open_connections_are_noticed_and_made_again() {
    the_judging_goes_on(|_, proxy| {
        proxy.set(Fault::BlackHole);
        // Those that are lost stay lost; the next are well.
        proxy.set(Fault::None);
    });
}

#[test]
fn a_cancel_sent_while_the_worker_is_away_reaches_it() {
    let (site, proxy) = (Site::ready(), Proxy::start(Node::shared().port()));
    let mut worker = site.worker_through(&proxy, &["--raise-limits"]);
    site.submit(&endless("runs"));
    site.client.wait_for_test("runs");
    let consuming = format!("{CONNECTED} role=\"consuming\"");
    let before = worker.said(&consuming);
    proxy.set(Fault::Stall);
    proxy.reset();
    worker.wait_for("lost the broker");
    site.cancel("runs");
    assert_eq!(worker.said(&consuming), before);
    proxy.set(Fault::None);
    let answers = site.answers(&["runs"]);
    assert_eq!(answers["runs"][0].key, "verdict.CX");
    site.wait_for_quiet("gavel.judge.normal");
    assert_eq!(worker.stop().code, 0);
    site.check(answers, 0);
}

#[test]
fn a_lost_confirmation_ends_in_the_same_bytes_again() {
    let (site, proxy) = (Site::ready(), Proxy::start(Node::shared().port()));
    let worker = site.worker_through(&proxy, &["--raise-limits"]);
    let gate = Gate::new();
    site.submit(&gated("slow", &gate));
    site.client.wait_for_test("slow");
    proxy.set_named("publishing", Fault::LoseToClient);
    gate.open();
    site.client.wait_for_depth("gavel.results", 1);
    proxy.set(Fault::None);
    proxy.reset();
    site.client.wait_for_depth("gavel.results", 2);
    let (first, second) = (site.client.fetch("gavel.results"), site.client.fetch("gavel.results"));
    assert_eq!(first.raw, second.raw);
    assert_eq!(first.properties.message_id(), second.properties.message_id());
    site.wait_for_quiet("gavel.judge.normal");
    assert_eq!(worker.stop().code, 0);
    site.check([("slow".to_owned(), vec![first, second])].into(), 0);
}

#[test]
fn a_lost_acknowledgement_is_given_again_without_judging_again() {
    let (site, proxy) = (Site::ready(), Proxy::start(Node::shared().port()));
    let mut worker = site.worker_through(&proxy, &["--raise-limits"]);
    let (gate, next) = (Gate::new(), Gate::new());
    site.submit(&gated("slow", &gate));
    site.submit(&gated("next", &next));
    site.client.wait_for_test("slow");
    proxy.set_named("consuming", Fault::LoseToBroker);
    gate.open();
    // The next begins after the confirmation of the first, whose acknowledgement is lost.
    site.client.wait_for_test("next");
    proxy.set(Fault::None);
    proxy.reset();
    worker.wait_for("came again after its verdict");
    next.open();
    let answers = site.answers(&["slow", "next"]);
    assert_eq!(answers["slow"].len(), 1);
    site.wait_for_quiet("gavel.judge.normal");
    assert_eq!(worker.stop().code, 0);
    site.check(answers, 0);
}

#[test]
fn a_worker_without_its_broker_tries_for_ever_and_patiently() {
    let site = Site::ready();
    // Where nobody listens, and which nobody is given who asks for a free port meanwhile.
    let nobody = 1;
    let (proxy, begun) = (Proxy::start(nobody), Instant::now());
    let worker = site.worker_through(&proxy, &[]);
    while proxy.accepted() < 12 {
        assert!(begun.elapsed() < PATIENCE, "it gave up after {} attempts", proxy.accepted());
        std::thread::sleep(Duration::from_millis(10));
    }
    // Three connections, each 0, 0.1, 0.2 and 0.4 seconds after its last attempt.
    assert!(begun.elapsed() > Duration::from_millis(500), "{:?}", begun.elapsed());
    proxy.lead_to(Node::shared().port());
    site.submit(&submission("late", SUM));
    let answers = site.answers(&["late"]);
    assert_eq!(worker.stop().code, 0);
    site.check(answers, 0);
}

#[test]
fn a_worker_stops_in_time_also_while_its_broker_is_away() {
    let (site, proxy) = (Site::ready(), Proxy::start(Node::shared().port()));
    let worker = site.worker_through(&proxy, &["--deadline", "2s", "--raise-limits"]);
    let gate = Gate::new();
    site.submit(&gated("slow", &gate));
    site.client.wait_for_test("slow");
    proxy.set(Fault::BlackHole);
    gate.open();
    let said = worker.stop();
    assert_eq!(said.code, 0, "{said:?}");
    drop(proxy);
    let second = Worker::start(&site.scene, &site.address(), &["--raise-limits"]);
    gate.open();
    let answers = site.answers(&["slow"]);
    assert_eq!(second.stop().code, 0);
    site.check(answers, 0);
}

#[test]
fn progress_that_nobody_takes_delays_no_verdict() {
    let (site, proxy) = (Site::ready(), Proxy::start(Node::shared().port()));
    let mut worker = site.worker_through(&proxy, &[]);
    worker.wait_for(&format!("{CONNECTED} role=\"telling\""));
    proxy.set_named("telling", Fault::Stall);
    let ids: Vec<String> = (0..40).map(|number| format!("s{number}")).collect();
    let begun = Instant::now();
    for id in &ids {
        site.submit(&submission(id, SUM));
    }
    let answers = site.answers(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    // Nothing here takes seconds, unless each waits for the connection that stalls.
    assert!(begun.elapsed() < Duration::from_secs(100), "{:?}", begun.elapsed());
    assert_eq!(worker.stop().code, 0);
    site.check(answers, 0);
}
