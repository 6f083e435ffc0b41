//! Brokers that die, lose queues and bindings, are full, or lose patience.

use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::json;

use super::common::{SUM, Scene};
use super::node::{Client, Node};
use super::site::{SLOW, Site, endless, submission};
use super::worker::Worker;

#[test]
fn a_broker_that_dies_and_returns_keeps_verdicts_and_gets_that_of_what_ran_meanwhile() {
    let (scene, mut node) = (Scene::new(), Node::start());
    let worker = Worker::start(&scene, &node.address(), &[]);
    let mut client = Client::new(&node);
    client.wait_for_topology();
    client.follow_progress();
    client.submit("normal", &submission("early", SUM));
    client.wait_for_depth("gavel.results", 1);
    client.submit("normal", &submission("slow", SLOW));
    client.wait_for_test("slow");
    drop(client);
    node.kill_and_restart();

    let client = Client::new(&node);
    let mut missing = vec!["early", "slow", "next"];
    client.submit("contest", &submission("next", SUM));
    while !missing.is_empty() {
        let verdict = client.fetch("gavel.results");
        let id = verdict.body["id"].as_str().unwrap();
        // A repeat says so.
        assert!(missing.contains(&id) || verdict.header("x-redelivered").is_some(), "{}", verdict.body);
        missing.retain(|missing| *missing != id);
    }
    let said = worker.stop();
    assert_eq!(said.code, 0, "{said:?}");
    for queue in ["gavel.judge.contest", "gavel.judge.normal", "gavel.dead"] {
        assert_eq!(client.depth(queue), Some(0), "{queue}");
    }
}

#[test]
fn a_delivery_that_the_broker_loses_patience_with_is_answered_once() {
    let (scene, node) = (Scene::new(), Node::start());
    node.evaluate("application:set_env(rabbit, consumer_timeout, 3000).");
    node.evaluate("application:set_env(rabbit, channel_tick_interval, 500).");
    let mut worker = Worker::start(&scene, &node.address(), &["--raise-limits"]);
    let mut client = Client::new(&node);
    client.wait_for_topology();
    client.follow_progress();
    client.submit("normal", &endless("long"));
    client.wait_for_test("long");
    worker.wait_for("PRECONDITION");
    let cancel = json!({"schema": 1, "type": "cancel", "id": "long"});
    client.publish("gavel.control", "", &cancel.to_string());
    assert_eq!(client.fetch("gavel.results").key, "verdict.CX");
    client.submit("normal", &submission("next", SUM));
    assert_eq!(client.fetch("gavel.results").body["id"], "next");
    let said = worker.stop();
    assert_eq!(said.code, 0, "{said:?}");
    for queue in ["gavel.judge.normal", "gavel.results", "gavel.dead"] {
        assert_eq!(client.depth(queue), Some(0), "{queue}");
    }
}

#[test]
fn a_verdict_larger_than_the_broker_takes_comes_cut() {
    let (scene, node) = (Scene::new(), Node::start());
    node.evaluate("application:set_env(rabbit, max_message_size, 65536).");
    let worker = Worker::start(&scene, &node.address(), &[]);
    let mut client = Client::new(&node);
    client.wait_for_topology();
    let mut large = submission("large", SUM);
    large["meta"] = json!({"echo": "x".repeat(64_500)});
    client.submit("normal", &large);
    client.submit("normal", &submission("next", SUM));
    let verdict = client.fetch("gavel.results");
    assert_eq!((&verdict.body["id"], &verdict.body["verdict"]), (&"large".into(), &"AC".into()));
    assert_eq!(verdict.header("x-gavel-cut").as_deref(), Some("texts, tests, meta"));
    let verdict = client.fetch("gavel.results");
    assert_eq!((&verdict.body["id"], verdict.header("x-gavel-cut")), (&"next".into(), None));
    let said = worker.stop();
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(client.depth("gavel.judge.normal"), Some(0));
}

#[test]
fn verdicts_for_a_full_queue_are_held_and_nothing_new_begins() {
    let site = Site::ready();
    site.policy("^gavel.results$", &json!({"max-length": 1, "overflow": "reject-publish"}));
    let mut worker = site.worker(&[]);
    let ids: Vec<String> = (0..12).map(|number| format!("s{number}")).collect();
    for id in &ids {
        site.submit(&submission(id, SUM));
    }
    worker.wait_for("verdicts are held");
    // One slot and two deliveries: the rest was never taken.
    assert!(site.client.depth("gavel.judge.normal").unwrap() > 0);
    let answers = site.answers(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(worker.stop().code, 0);
    assert!(answers.values().all(|answers| answers.len() == 1));
    site.check(answers, 0);
}

#[test]
fn a_verdict_that_no_queue_takes_is_held_until_one_does() {
    let site = Site::ready();
    let worker = site.worker(&[]);
    // The worker looks after the binding all along: it may be there again before the verdict is.
    for number in 0.. {
        let id = format!("s{number}");
        site.submit(&submission(&id, SLOW));
        site.client.wait_for_test(&id);
        site.unbind_results();
        let answers = site.answers(&[&id]);
        if worker.said("no queue is bound to 'gavel.verdicts'") > 0 {
            assert_eq!(worker.stop().code, 0);
            site.check(answers, 0);
            return;
        }
    }
}

#[test]
fn a_deleted_queue_is_declared_and_consumed_again() {
    let site = Site::ready();
    let mut worker = site.worker(&["--raise-limits"]);
    site.client.submit("contest", &endless("runs"));
    site.client.wait_for_test("runs");
    site.client.with(async |channel| {
        channel.queue_delete("gavel.judge.normal".into(), QueueDeleteOptions::default()).await
    });
    worker.wait_for("was the queue deleted?");
    // Said once the queue is bound again, and who publishes finds it.
    worker.wait_for_more("connected to the broker role=\"consuming\"", 1);
    let client = Client::at(&site.address());
    site.cancel("runs");
    client.submit("normal", &submission("next", SUM));
    let answers = site.answers(&["runs", "next"]);
    let said = worker.stop();
    assert_eq!(said.code, 0, "{said:?}");
    site.check(answers, 0);
}

#[test]
fn a_queue_that_somebody_declared_otherwise_is_named_with_the_remedy() {
    let site = Site::new();
    site.client.with(async |channel| {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare("gavel.judge.normal".into(), options, arguments).await
    });
    let mut worker = site.worker(&[]);
    worker.wait_for("queue 'gavel.judge.normal' exists with other properties than gavel's");
    site.client.with(async |channel| {
        channel.queue_delete("gavel.judge.normal".into(), QueueDeleteOptions::default()).await
    });
    let mut client = Client::at(&site.address());
    client.wait_for_topology();
    client.submit("normal", &submission("next", SUM));
    let answers = site.answers(&["next"]);
    assert_eq!(worker.stop().code, 0);
    site.check(answers, 0);
}
