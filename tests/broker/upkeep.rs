//! Exchanges, queues and bindings that are deleted under a running worker, messages that expire, and users who may
//! declare nothing.

use lapin::options::{ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel};
use serde_json::json;

use super::common::SUM;
use super::fleet::wait_until;
use super::http::{address_in, get, wait_for};
use super::node::{Client, Node};
use super::site::{Site, endless, submission};
use super::worker::Worker;

/// The bindings that a worker declares: queue, exchange, key.
const BINDINGS: [(&str, &str, &str); 6] = [
    ("gavel.judge.contest", "gavel.submit", "judge.contest"),
    ("gavel.judge.normal", "gavel.submit", "judge.normal"),
    ("gavel.judge.rejudge", "gavel.submit", "judge.rejudge"),
    ("gavel.exhausted", "gavel.dlx", "judge.*"),
    ("gavel.results", "gavel.verdicts", "verdict.#"),
    ("gavel.dead", "gavel.dlx", "#"),
];

async fn delete_exchange(channel: &Channel, name: &str) -> lapin::Result<()> {
    channel.exchange_delete(name.into(), ExchangeDeleteOptions::default()).await
}

async fn delete_queue(channel: &Channel, name: &str) -> lapin::Result<u32> {
    channel.queue_delete(name.into(), QueueDeleteOptions::default()).await
}

/// Binds a queue that does not outlive the test to all verdicts, so that each of them is routable.
fn also_bound(client: &Client) {
    client.with(async |channel| {
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        channel.queue_declare("passer-by".into(), options, FieldTable::default()).await?;
        let options = QueueBindOptions::default();
        channel
            .queue_bind(
                "passer-by".into(),
                "gavel.verdicts".into(),
                "#".into(),
                options,
                FieldTable::default(),
            )
            .await
    });
}

/// Makes a user with these permissions here: configure, write, read.
fn user(site: &Site, name: &str, permissions: [&str; 3]) -> String {
    let (node, user) = (Node::shared(), format!("{name}-of-{}", site.name));
    let [configure, write, read] = permissions;
    node.evaluate(&format!(
        "rabbit_auth_backend_internal:add_user(<<\"{user}\">>, <<\"made-up\">>, <<\"test\">>), \
         rabbit_auth_backend_internal:set_permissions(<<\"{user}\">>, <<\"{}\">>, <<\"{configure}\">>, \
         <<\"{write}\">>, <<\"{read}\">>, <<\"test\">>).",
        site.name
    ));
    format!("amqp://{user}:made-up@127.0.0.1:{}/{}", node.port(), site.name)
}

#[test]
fn verdicts_are_kept_though_their_queue_was_deleted_and_another_is_bound() {
    let site = Site::ready();
    also_bound(&site.client);
    let mut worker = site.worker(&["--prefetch", "4"]);
    worker.wait_for("connected to the broker role=\"consuming\"");
    let ids: Vec<String> = (0..20).map(|number| format!("s{number}")).collect();
    for (number, id) in ids.iter().enumerate() {
        if number % 5 == 0 {
            site.client.with(async |channel| delete_queue(channel, "gavel.results").await);
        }
        site.submit(&submission(id, SUM));
        assert_eq!(site.client.fetch("passer-by").body["id"], id.as_str());
    }
    // Each deletion took what was in the queue with it, and nothing else: what came after the last is there.
    let last: Vec<&str> = ids[15..].iter().map(String::as_str).collect();
    let answers = site.answers(&last);
    assert!(answers.values().all(|answers| answers[0].key == "verdict.AC"));
    assert!(worker.said("no queue 'gavel.results'") > 0, "{}", worker.log());
    assert_eq!(worker.stop().code, 0);
    site.check(answers, 0);
}

#[test]
fn whatever_is_deleted_is_noticed_and_made_again() {
    let site = Site::ready();
    let mut worker = site.worker(&["--raise-limits"]);
    worker.wait_for("connected to the broker role=\"consuming\"");
    for exchange in ["gavel.submit", "gavel.verdicts", "gavel.control", "gavel.dlx", "gavel.progress"] {
        let seen = worker.said("all exchanges and queues are there again") + worker.said("declared again: ");
        site.client.with(async |channel| delete_exchange(channel, exchange).await);
        worker.wait_for_more("declared again: ", seen);
        assert!(
            worker.said(&format!("missing at the broker: exchange '{exchange}'")) > 0,
            "{}",
            worker.log()
        );
    }
    for queue in ["gavel.results", "gavel.dead"] {
        let seen = worker.said("declared again: ");
        site.client.with(async |channel| delete_queue(channel, queue).await);
        worker.wait_for_more("declared again: ", seen);
    }
    // All of them are bound again, and so is this worker's queue for cancels.
    site.submit(&endless("cancelled"));
    site.client.submit("contest", &submission("good", SUM));
    site.client.submit("rejudge", &submission("again", SUM));
    site.client.publish("gavel.submit", "judge.normal", "not json");
    site.cancel("cancelled");
    let answers = site.answers(&["cancelled", "good", "again"]);
    assert_eq!(answers["cancelled"][0].key, "verdict.CX");
    assert_eq!(site.client.fetch("gavel.dead").raw, b"not json");
    assert_eq!(worker.stop().code, 0);
    site.check(answers, 0);
}

#[test]
fn bindings_that_are_removed_are_made_again() {
    let site = Site::ready();
    let mut worker = site.worker(&[]);
    worker.wait_for("connected to the broker role=\"consuming\"");
    for (queue, exchange, key) in BINDINGS {
        site.client.with(async |channel| {
            channel.queue_unbind(queue.into(), exchange.into(), key.into(), FieldTable::default()).await
        });
    }
    for class in ["contest", "normal", "rejudge"] {
        // What finds no queue is lost to a client that does not look: it is published until a verdict comes.
        let mut number = 0;
        while site.client.try_fetch("gavel.results").is_none() {
            site.client.submit(class, &submission(&format!("{class}-{number}"), SUM));
            number += 1;
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        site.wait_for_quiet(&format!("gavel.judge.{class}"));
        while site.client.try_fetch("gavel.results").is_some() {}
    }
    site.client.publish("gavel.submit", "judge.normal", "not json");
    assert_eq!(site.client.fetch("gavel.dead").raw, b"not json");
    assert_eq!(worker.stop().code, 0);
    site.check(Default::default(), 0);
}

#[test]
fn what_is_missing_and_may_not_be_declared_makes_the_worker_unready_until_somebody_does() {
    let site = Site::ready();
    also_bound(&site.client);
    let address = user(&site, "humble", ["^amq[.]gen-.*$", ".*", ".*"]);
    let mut worker = Worker::start(&site.scene, &address, &["--listen", "127.0.0.1:0"]);
    worker.wait_for("connected to the broker role=\"consuming\"");
    let log = worker.log();
    let http = address_in(log.lines().find(|line| line.contains("http://")).unwrap());
    wait_for(http, "/readyz", 200);
    site.client.with(async |channel| {
        delete_queue(channel, "gavel.results").await?;
        delete_exchange(channel, "gavel.control").await
    });
    worker.wait_for("exchange 'gavel.control'");
    site.submit(&submission("held", SUM));
    worker.wait_for("verdicts are held");
    let away = wait_for(http, "/readyz", 503);
    for missing in ["queue 'gavel.results'", "exchange 'gavel.control'"] {
        assert!(away.body.contains(missing), "{away:?}");
    }
    assert_eq!(site.client.depth("passer-by"), Some(0), "a verdict that nothing keeps");
    // Another worker may.
    let other = site.worker(&[]);
    worker.wait_for("all exchanges and queues are there again");
    let answers = site.answers(&["held"]);
    wait_for(http, "/readyz", 200);
    for worker in [worker, other] {
        assert_eq!(worker.stop().code, 0);
    }
    site.check(answers, 0);
}

#[test]
fn workers_announce_decisions_again_after_their_exchange_was_deleted() {
    let site = Site::ready();
    let mut workers = [site.worker(&[]), site.worker(&[])];
    for worker in &mut workers {
        worker.wait_for("connected to the broker role=\"consuming\"");
        worker.wait_for("connected to the broker role=\"telling\"");
    }
    site.client.with(async |channel| delete_exchange(channel, "gavel.decisions").await);
    site.submit(&submission("late", SUM));
    let answers = site.answers(&["late"]);
    // The worker that judged it announces it again at each cancel; the other forgets the cancel when it hears that.
    wait_until("both workers forget the cancel", || {
        site.cancel("late");
        std::thread::sleep(std::time::Duration::from_millis(200));
        workers.iter().all(|worker| worker.said("cancelled after its verdict") > 0)
    });
    for worker in workers {
        assert_eq!(worker.stop().code, 0);
    }
    site.check(answers, 0);
}

#[test]
fn a_worker_that_may_not_declare_judges_without_the_queue_of_what_the_broker_gave_up() {
    let site = Site::ready();
    let address = user(&site, "plain", ["^amq[.]gen-.*$", ".*", ".*"]);
    site.client.with(async |channel| delete_queue(channel, "gavel.exhausted").await);
    let mut worker = Worker::start(&site.scene, &address, &["--listen", "127.0.0.1:0"]);
    worker.wait_for("not consuming gavel.exhausted: the queue is missing");
    let log = worker.log();
    let http = address_in(log.lines().find(|line| line.contains("http://")).unwrap());
    wait_for(http, "/readyz", 200);
    site.submit(&submission("good", SUM));
    let answers = site.answers(&["good"]);
    // Looked at every three seconds, and still ready after several looks.
    std::thread::sleep(std::time::Duration::from_secs(7));
    assert_eq!(get(http, "/readyz").status, 200);
    assert_eq!(worker.said("not consuming gavel.exhausted: the queue is missing"), 1, "{}", worker.log());
    assert_eq!(worker.said("taking exchanges and queues as they are"), 1, "{}", worker.log());
    assert_eq!(answers["good"][0].key, "verdict.AC");
    assert_eq!(worker.stop().code, 0);
}

#[test]
fn a_message_that_expires_is_answered_and_put_aside() {
    let site = Site::ready();
    let worker = site.worker(&["--raise-limits"]);
    site.submit(&endless("first"));
    site.client.wait_for_test("first");
    // Prefetched, so that the next stays in its queue.
    site.submit(&submission("second", SUM));
    let properties = BasicProperties::default().with_delivery_mode(2).with_expiration("50".into());
    let message = submission("expires", SUM).to_string();
    site.client.publish_with("gavel.submit", "judge.normal", message.as_bytes(), properties);
    assert_eq!(site.client.fetch("gavel.dead").raw, message.as_bytes());
    site.cancel("first");
    let answers = site.answers(&["first", "second", "expires"]);
    let body = &answers["expires"][0].body;
    assert_eq!(body["verdict"], "JE", "{body}");
    assert!(body["error"].as_str().unwrap().contains("expired"), "{body}");
    assert_eq!(worker.stop().code, 0);
    site.check(answers, 0);
}

#[test]
fn a_queue_that_drops_what_expires_is_named_at_the_start() {
    let site = Site::new();
    site.client.with(async |channel| {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare("gavel.judge.normal".into(), options, arguments).await
    });
    let mut worker = site.worker(&[]);
    worker.wait_for("connected to the broker role=\"consuming\"");
    assert_eq!(worker.said("queue 'gavel.judge.normal' exists without dead-lettering of its own"), 1);
    assert_eq!(worker.said("without dead-lettering"), 1, "{}", worker.log());
    site.submit(&submission("good", SUM));
    let answers = site.answers(&["good"]);
    assert_eq!(answers["good"][0].key, "verdict.AC");
    assert_eq!(worker.stop().code, 0);
}

#[test]
fn a_progress_exchange_that_is_gone_holds_up_no_copy_of_a_verdict() {
    let site = Site::ready();
    let address = user(&site, "teller", ["^amq[.]gen-.*$", ".*", ".*"]);
    site.client.with(async |channel| {
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare("reply.web".into(), options, FieldTable::default()).await?;
        delete_exchange(channel, "gavel.progress").await
    });
    let worker = Worker::start(&site.scene, &address, &["--listen", "127.0.0.1:0", "--reply-to", "reply.*"]);
    let mut message = submission("s", SUM);
    message["reply_to"] = json!("reply.web");
    site.submit(&message);
    assert_eq!(site.client.fetch("reply.web").body["verdict"], "AC");
    let answers = site.answers(&["s"]);
    let log = worker.log();
    let http = address_in(log.lines().find(|line| line.contains("http://")).unwrap());
    let away = wait_for(http, "/readyz", 503);
    assert!(away.body.contains("exchange 'gavel.progress'"), "{away:?}");
    assert_eq!(get(http, "/livez").status, 200);
    assert_eq!(worker.stop().code, 0);
    site.check(answers, 0);
}
