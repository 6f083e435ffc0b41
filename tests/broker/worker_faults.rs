//! Workers that are killed, stopped, frozen, or told to go.

use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable};
use nix::sys::signal::Signal;
use serde_json::json;

use super::common::SUM;
use super::common::gate::Gate;
use super::node::Node;
use super::proxy::{Fault, Proxy};
use super::site::{SLOW, Site, endless, gated, submission};

#[test]
fn a_worker_killed_in_mid_judging_loses_nothing() {
    let site = Site::ready();
    let first = site.worker(&["--raise-limits"]);
    let gate = Gate::new();
    site.submit(&gated("slow", &gate));
    site.client.wait_for_test("slow");
    first.kill();
    assert!(site.client.try_fetch("gavel.results").is_none());

    let second = site.worker(&["--raise-limits"]);
    gate.open();
    let answers = site.answers(&["slow"]);
    assert_eq!(answers["slow"][0].key, "verdict.AC");
    assert!(answers["slow"][0].header("x-redelivered").is_some());
    assert_eq!(second.stop().code, 0);
    site.check(answers, 0);
}

#[test]
fn a_worker_killed_between_publish_and_confirmation_leaves_one_first_answer() {
    let (site, proxy) = (Site::ready(), Proxy::start(Node::shared().port()));
    let first = site.worker_through(&proxy, &["--raise-limits"]);
    let gate = Gate::new();
    site.submit(&gated("slow", &gate));
    site.client.wait_for_test("slow");
    proxy.set_named("publishing", Fault::LoseToClient);
    gate.open();
    site.client.wait_for_depth("gavel.results", 1);
    first.kill();
    let second = site.worker(&["--raise-limits"]);
    gate.open();
    site.client.wait_for_depth("gavel.results", 2);
    assert_eq!(second.stop().code, 0);
    let answers = site.answers(&["slow"]);
    assert!(answers["slow"][0].header("x-redelivered").is_none());
    site.check(answers, 0);
}

#[test]
fn a_worker_killed_between_confirmation_and_acknowledgement_leaves_one_first_answer() {
    let (site, proxy) = (Site::ready(), Proxy::start(Node::shared().port()));
    let first = site.worker_through(&proxy, &["--raise-limits"]);
    let (gate, next) = (Gate::new(), Gate::new());
    site.submit(&gated("slow", &gate));
    site.submit(&gated("next", &next));
    site.client.wait_for_test("slow");
    proxy.set_named("consuming", Fault::LoseToBroker);
    gate.open();
    // The next begins after the confirmation of the first, whose acknowledgement is lost.
    site.client.wait_for_test("next");
    first.kill();
    let second = site.worker(&["--raise-limits"]);
    // In the order in which the broker gives them out again.
    Gate::open_each(&[&gate, &next]);
    let answers = site.answers(&["slow", "next"]);
    site.client.wait_for_depth("gavel.judge.normal", 0);
    assert_eq!(second.stop().code, 0);
    site.check(answers, 0);
}

#[test]
fn a_worker_told_to_stop_finishes_what_runs_and_gives_back_the_rest() {
    let site = Site::ready();
    let first = site.worker(&[]);
    let ids = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"];
    for (number, id) in ids.iter().enumerate() {
        site.client.submit(["contest", "normal", "rejudge"][number % 3], &submission(id, SLOW));
    }
    site.client.wait_for_test("s0");
    let said = first.stop();
    assert_eq!(said.code, 0, "{said:?}");
    let answered = site.client.depth("gavel.results").unwrap();
    assert!((1..8).contains(&answered), "{answered} of 8");

    let second = site.worker(&[]);
    let answers = site.answers(&ids);
    assert!(answers.values().all(|answers| answers.len() == 1));
    assert_eq!(second.stop().code, 0);
    site.check(answers, 0);
}

#[test]
fn a_worker_whose_deadline_passes_or_that_is_told_twice_gives_back_what_runs() {
    let site = Site::ready();
    let first = site.worker(&["--raise-limits", "--deadline", "100ms"]);
    site.submit(&endless("endless"));
    site.client.wait_for_test("endless");
    let said = first.stop();
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains("went back to its queue"), "{said:?}");
    site.forget_progress();

    let mut second = site.worker(&["--raise-limits"]);
    site.client.wait_for_test("endless");
    second.signal(Signal::SIGTERM);
    second.wait_for("stopping");
    let said = second.stop();
    assert_eq!(said.code, 143, "{said:?}");
    assert_eq!(site.client.depth("gavel.results"), Some(0));

    site.forget_progress();
    let third = site.worker(&["--raise-limits"]);
    site.client.wait_for_test("endless");
    site.cancel("endless");
    let answers = site.answers(&["endless"]);
    assert_eq!(answers["endless"][0].key, "verdict.CX");
    assert_eq!(third.stop().code, 0);
    site.check(answers, 0);
}

#[test]
fn stops_that_give_back_are_no_attempts_that_ended_a_worker() {
    let site = Site::ready();
    site.submit(&endless("long"));
    // As many returns as the broker may count before a worker gives the submission up, but one.
    for _ in 0..9 {
        site.client.give_back("gavel.judge.normal");
    }
    for _ in 0..3 {
        let worker = site.worker(&["--raise-limits", "--deadline", "100ms"]);
        site.client.wait_for_test("long");
        let said = worker.stop();
        assert_eq!(said.code, 0, "{said:?}");
        site.client.wait_for_depth("gavel.judge.normal", 1);
        site.forget_progress();
    }
    let worker = site.worker(&["--raise-limits"]);
    site.client.wait_for_test("long");
    site.cancel("long");
    let answers = site.answers(&["long"]);
    assert_eq!(answers["long"][0].key, "verdict.CX");
    assert_eq!(answers["long"].len(), 1);
    assert!(answers["long"][0].header("x-redelivered").is_some());
    assert_eq!(worker.stop().code, 0);
    site.check(answers, 0);
}

#[test]
fn a_submission_that_ends_its_workers_is_given_up_though_others_gave_it_back_meanwhile() {
    let site = Site::ready();
    site.submit(&endless("poison"));
    for _ in 0..9 {
        site.client.give_back("gavel.judge.normal");
    }
    let worker = site.worker(&["--raise-limits", "--deadline", "100ms"]);
    site.client.wait_for_test("poison");
    assert_eq!(worker.stop().code, 0);
    site.client.wait_for_depth("gavel.judge.normal", 1);
    // The tenth return of the submission, the first of this message.
    site.client.give_back("gavel.judge.normal");
    let worker = site.worker(&["--raise-limits"]);
    let answers = site.answers(&["poison"]);
    let report = &answers["poison"][0].body;
    assert_eq!((&report["verdict"], &report["reason"]), (&"JE".into(), &"sandbox".into()));
    assert!(report["error"].as_str().unwrap().contains("10 attempts"), "{report}");
    assert_eq!(worker.stop().code, 0);
    site.check(answers, 0);
}

#[test]
fn a_count_of_deliveries_that_came_with_the_message_is_ignored() {
    let site = Site::ready();
    let worker = site.worker(&[]);
    let mut headers = FieldTable::default();
    headers.insert("x-delivery-count".into(), AMQPValue::LongLongInt(50));
    let properties = BasicProperties::default().with_delivery_mode(2).with_headers(headers);
    let body = submission("forged", SUM).to_string();
    site.client.with(async |channel| {
        let (exchange, key) = ("gavel.submit".into(), "judge.normal".into());
        channel
            .basic_publish(exchange, key, BasicPublishOptions::default(), body.as_bytes(), properties)
            .await?
            .await
    });
    let answers = site.answers(&["forged"]);
    assert_eq!(answers["forged"][0].key, "verdict.AC");
    assert_eq!(worker.stop().code, 0);
    site.check(answers, 0);
}

#[test]
fn a_frozen_worker_finds_its_delivery_gone_to_another() {
    let (site, proxy) = (Site::ready(), Proxy::start(Node::shared().port()));
    let frozen = site.wary_worker_through(&proxy, &["--raise-limits"]);
    let gate = Gate::new();
    site.submit(&gated("slow", &gate));
    site.client.wait_for_test("slow");
    frozen.signal(Signal::SIGSTOP);
    // The broker notices by itself, and gives the submission out again.
    site.client.wait_for_depth("gavel.judge.normal", 1);
    let second = site.worker(&["--raise-limits"]);
    gate.wait_for(2);
    gate.open();
    let answers = site.answers(&["slow"]);
    assert!(answers["slow"][0].header("x-redelivered").is_some());
    frozen.signal(Signal::SIGCONT);
    let late = site.client.fetch("gavel.results");
    assert!(late.header("x-redelivered").is_some(), "the late verdict says that it may be a repeat");
    for worker in [frozen, second] {
        let said = worker.stop();
        assert_eq!(said.code, 0, "{said:?}");
    }
    site.check(answers, 0);
}

#[test]
fn a_submission_that_always_comes_back_ends_as_a_judging_error() {
    let site = Site::ready();
    site.submit(&submission("poison", SUM));
    for _ in 0..10 {
        site.client.give_back("gavel.judge.normal");
    }
    let worker = site.worker(&[]);
    let answers = site.answers(&["poison"]);
    let report = &answers["poison"][0].body;
    assert_eq!((&report["verdict"], &report["reason"]), (&"JE".into(), &"sandbox".into()));
    assert!(report["error"].as_str().unwrap().contains("10 attempts"), "{report}");
    assert_eq!(worker.stop().code, 0);
    site.check(answers, 0);
}

#[test]
fn a_submission_that_the_broker_gives_up_first_is_answered_all_the_same() {
    let site = Site::ready();
    site.policy("^gavel.judge.", &json!({"delivery-limit": 2, "dead-letter-exchange": "gavel.dlx"}));
    site.submit(&endless("poison"));
    for _ in 0..3 {
        let worker = site.worker(&["--raise-limits"]);
        site.client.wait_for_test("poison");
        worker.kill();
    }
    let worker = site.worker(&["--raise-limits"]);
    let answers = site.answers(&["poison"]);
    let report = &answers["poison"][0].body;
    assert_eq!(report["verdict"], "JE");
    assert!(report["error"].as_str().unwrap().contains("delivery_limit"), "{report}");
    assert!(answers["poison"][0].header("x-redelivered").is_some(), "somebody may have answered it");
    assert_eq!(worker.stop().code, 0);
    site.check(answers, 1);
}
