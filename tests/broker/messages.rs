//! What goes in and comes out: verdicts, refusals, repeats, cancels, replies.

use std::collections::BTreeMap;

use lapin::BasicProperties;
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::common::SUM;
use super::fleet::wait_until;
use super::node::Node;
use super::site::{Site, endless, submission};

#[test]
fn verdicts_come_back_and_what_cannot_be_read_is_put_aside() {
    let site = Site::ready();
    let worker = site.worker(&[]);
    let client = &site.client;
    client.submit("contest", &submission("good", SUM));
    client.submit("normal", &submission("bad", "echo 3\n"));
    client.publish("gavel.submit", "judge.normal", "not json");
    client.publish("gavel.submit", "judge.normal", &"x".repeat(32 << 20));
    client.submit("rejudge", &json!({"schema": 9, "id": "newer"}));
    client.submit("rejudge", &submission("again", SUM));
    let answers = site.answers(&["good", "bad", "again", "newer"]);
    let verdicts: BTreeMap<_, _> =
        answers.iter().map(|(id, answers)| (id.as_str(), &answers[0].body["verdict"])).collect();
    assert_eq!(json!(verdicts), json!({"good": "AC", "bad": "WA", "again": "AC", "newer": "JE"}));
    for answer in answers.values().flatten() {
        assert_eq!((*answer.properties.delivery_mode(), answer.header("x-redelivered")), (Some(2), None));
    }
    let mut reasons = BTreeMap::new();
    for _ in 0..3 {
        let dead = client.fetch("gavel.dead");
        let start = dead.raw[..dead.raw.len().min(8)].to_vec();
        reasons.insert(String::from_utf8(start).unwrap(), dead.header("x-gavel-reason").unwrap());
    }
    assert!(reasons["not json"].contains("not a JSON object"), "{reasons:?}");
    assert!(reasons["xxxxxxxx"].contains("not a JSON object"), "{reasons:?}");
    assert!(reasons.values().any(|reason| reason.contains("this gavel reads schema 1")), "{reasons:?}");
    client.wait_for_test("again");

    let said = worker.stop();
    assert_eq!(said.code, 0, "{said:?}");
    assert!(!said.stderr.contains("guest"), "a password in the log: {said:?}");
    site.check(answers, 0);
}

#[test]
fn a_submission_published_twice_is_one_judging_or_says_that_it_repeats() {
    let site = Site::ready();
    let worker = site.worker(&["--raise-limits"]);
    // The second comes while the first runs.
    site.submit(&endless("twice"));
    site.client.wait_for_test("twice");
    site.submit(&endless("twice"));
    site.submit(&submission("after", SUM));
    site.cancel("twice");
    let answers = site.answers(&["twice", "after"]);
    assert_eq!(answers["twice"].len(), 1);
    // The third comes after the verdict: somebody wants another.
    site.submit(&submission("after", SUM));
    let again = site.client.fetch("gavel.results");
    assert_eq!(again.body["id"], "after");
    assert!(again.header("x-redelivered").is_some());
    assert_eq!(worker.stop().code, 0);
    site.check(answers, 0);
}

#[test]
fn a_judging_sent_anew_has_a_verdict_though_it_was_given_back_before() {
    let site = Site::ready();
    let worker = site.worker(&["--raise-limits"]);
    site.submit(&submission("again", SUM));
    let mut answers = site.answers(&["again"]);
    assert!(answers["again"][0].header("x-redelivered").is_none());
    // The worker holds as many as it takes in, so that what comes next waits at the broker.
    site.submit(&endless("long"));
    site.client.wait_for_test("long");
    site.submit(&endless("behind"));
    site.client.wait_for_depth("gavel.judge.normal", 0);
    site.submit(&submission("again", SUM));
    site.client.give_back("gavel.judge.normal");
    site.cancel("long");
    site.cancel("behind");
    let later = site.answers(&["again", "long", "behind"]);
    assert_eq!(later["again"][0].key, "verdict.AC");
    assert!(later["again"][0].header("x-redelivered").is_some());
    site.wait_for_quiet("gavel.judge.normal");
    assert_eq!(worker.stop().code, 0);
    for (id, later) in later {
        answers.entry(id).or_default().extend(later);
    }
    site.check(answers, 0);
}

#[test]
fn a_message_refused_while_its_judging_runs_with_other_contents_has_one_dead_letter() {
    let site = Site::ready();
    let worker = site.worker(&["--raise-limits"]);
    site.submit(&endless("same"));
    site.client.wait_for_test("same");
    let mut wrong = submission("same", SUM);
    wrong["language"] = json!(7);
    site.submit(&wrong);
    assert!(site.client.fetch("gavel.dead").header("x-gavel-reason").unwrap().contains("not a submission"));
    site.cancel("same");
    let answers = site.answers(&["same"]);
    site.wait_for_quiet("gavel.judge.normal");
    assert_eq!(worker.stop().code, 0);
    site.check(answers, 0);
}

#[test]
fn cancels_reach_what_runs_what_waits_and_what_another_worker_will_get() {
    let site = Site::ready();
    let first = site.worker(&["--raise-limits"]);
    for id in ["runs", "held", "queued-1", "queued-2"] {
        site.submit(&endless(id));
    }
    site.client.wait_for_test("runs");
    // Those that are not with the first worker yet are left to another, which has heard of the cancel like all.
    let mut second = site.worker(&["--raise-limits"]);
    second.wait_for("connected to the broker role=\"consuming\"");
    for id in ["queued-2", "held", "runs", "queued-1"] {
        site.cancel(id);
    }
    let answers = site.answers(&["runs", "held", "queued-1", "queued-2"]);
    for answers in answers.values() {
        assert_eq!(answers[0].key, "verdict.CX");
    }
    for worker in [first, second] {
        assert_eq!(worker.stop().code, 0);
    }
    site.check(answers, 0);
}

#[test]
fn a_cancel_that_races_ends_in_one_answer() {
    let site = Site::ready();
    let worker = site.worker(&[]);
    let ids: Vec<String> = (0..30).map(|number| format!("race{number}")).collect();
    for (number, id) in ids.iter().enumerate() {
        // Before, with and after the delivery, the judging and the verdict.
        if number % 3 == 0 {
            site.cancel(id);
        }
        site.submit(&submission(id, SUM));
        std::thread::sleep(std::time::Duration::from_millis(number as u64 % 7 * 5));
        site.cancel(id);
    }
    let answers = site.answers(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(worker.stop().code, 0);
    assert_eq!(site.client.depth("gavel.results"), Some(0), "somebody got two answers");
    for answers in answers.values() {
        assert_eq!(answers.len(), 1);
        assert!(["verdict.AC", "verdict.CX"].contains(&answers[0].key.as_str()), "{}", answers[0].body);
    }
    site.check(answers, 0);
}

#[test]
fn a_cancel_that_comes_after_the_verdict_is_forgotten_by_every_worker() {
    let site = Site::ready();
    let mut workers = [site.worker(&[]), site.worker(&[]), site.worker(&[])];
    for worker in &mut workers {
        worker.wait_for("connected to the broker role=\"consuming\"");
        worker.wait_for("connected to the broker role=\"telling\"");
    }
    site.client.follow("decisions", "gavel.decisions");
    let mut heard = 0;
    let mut hear = |decisions: usize| {
        while heard < decisions {
            let decided = site.client.fetch("decisions").body["decided"].as_array().map(Vec::len);
            heard += decided.unwrap_or_default();
        }
    };
    for number in 0..6 {
        let id = format!("late{number}");
        site.submit(&submission(&id, SUM));
        let first = &site.answers(&[&id])[&id][0];
        assert_eq!((first.key.as_str(), first.header("x-redelivered")), ("verdict.AC", None));
        hear(4 * number + 1);
        site.cancel(&id);
        // Sent at once, the submission could overtake the cancel on its way to a worker.
        for worker in &mut workers {
            worker.wait_for_more("cancelled after its verdict", number);
        }
        hear(4 * number + 2);
        for _ in 0..2 {
            site.submit(&submission(&id, SUM));
            let again = &site.answers(&[&id])[&id][0];
            assert_eq!(again.key, "verdict.AC", "{id}: {}", again.body);
            assert!(again.header("x-redelivered").is_some(), "{id} is a repeat, perhaps of another worker's");
            assert_eq!(again.header("x-gavel-contents"), first.header("x-gavel-contents"));
        }
        hear(4 * number + 4);
    }
    for worker in workers {
        assert_eq!(worker.stop().code, 0);
    }
    assert_eq!(site.client.depth("gavel.results"), Some(0));
}

#[test]
fn a_cancel_is_used_up_by_the_judging_that_it_ends() {
    let site = Site::ready();
    let mut workers = [site.worker(&["--raise-limits"]), site.worker(&["--raise-limits"])];
    for worker in &mut workers {
        worker.wait_for("connected to the broker role=\"consuming\"");
        worker.wait_for("connected to the broker role=\"telling\"");
    }
    site.submit(&endless("again"));
    site.client.wait_for_test("again");
    site.cancel("again");
    assert_eq!(site.verdict("again"), "CX");
    // The worker that did not judge it held the cancel, or heard of the verdict before.
    wait_until("the other worker forgets the cancel", || {
        workers.iter().any(|worker| worker.said("cancelled after its verdict") > 0)
    });
    // Twice, so that each of the two workers gets one of them.
    for _ in 0..2 {
        site.submit(&submission("again", SUM));
        let answer = &site.answers(&["again"])["again"][0];
        assert_eq!(answer.key, "verdict.AC", "{}", answer.body);
        assert!(answer.header("x-redelivered").is_some());
    }
    for worker in workers {
        assert_eq!(worker.stop().code, 0);
    }
}

#[test]
fn other_contents_under_the_same_id_and_judging_are_refused_or_reported() {
    let site = Site::ready();
    let worker = site.worker(&["--raise-limits"]);
    site.submit(&endless("same"));
    site.client.wait_for_test("same");
    site.submit(&submission("same", SUM));
    let dead = site.client.fetch("gavel.dead");
    assert_eq!(dead.raw, submission("same", SUM).to_string().as_bytes());
    let reason = dead.header("x-gavel-reason").unwrap();
    assert!(reason.contains("another submission with this id and judging"), "{reason}");
    site.cancel("same");
    let answers = site.answers(&["same"]);
    let first = &answers["same"][0];
    assert_eq!((first.key.as_str(), first.header("x-gavel-conflict")), ("verdict.CX", None));
    assert!(reason.contains(&first.header("x-gavel-contents").unwrap()), "{reason}");
    // After the verdict: judged, as something else than what the first verdict is about.
    site.submit(&submission("same", SUM));
    let other = site.client.fetch("gavel.results");
    assert_eq!(other.key, "verdict.AC");
    assert!(other.header("x-redelivered").is_some() && other.header("x-gavel-conflict").is_some());
    assert_ne!(other.header("x-gavel-contents"), first.header("x-gavel-contents"));
    assert_eq!(worker.stop().code, 0);
    site.check(answers, 0);
}

#[test]
fn copies_of_verdicts_go_to_listed_queues_and_to_no_other() {
    let site = Site::ready();
    let mut worker = site.worker(&["--reply-to", "reply.*"]);
    site.client.with(async |channel| {
        for name in ["reply.web", "private"] {
            let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            channel.queue_declare(name.into(), options, FieldTable::default()).await?;
        }
        Ok(())
    });
    for (id, queue) in [
        ("nowhere", "reply.nobody"),
        ("forbidden", "private"),
        ("own", "gavel.judge.normal"),
        ("listed", "reply.web"),
    ] {
        let mut submission = submission(id, SUM);
        submission["reply_to"] = queue.into();
        site.submit(&submission);
    }
    let answers = site.answers(&["nowhere", "forbidden", "own", "listed"]);
    let copy = site.client.fetch("reply.web");
    assert_eq!(copy.raw, answers["listed"][0].raw);
    assert_eq!(copy.properties.message_id(), answers["listed"][0].properties.message_id());
    for (id, is_refused) in [("nowhere", false), ("forbidden", true), ("own", true), ("listed", false)] {
        let refusal = answers[id][0].header("x-gavel-reply-refused");
        assert_eq!(refusal.is_some(), is_refused, "{id}: {refusal:?}");
    }
    worker.wait_for("reply_to names no queue");
    assert_eq!(worker.said("is not among the queues"), 2);
    assert_eq!(worker.stop().code, 0);
    assert_eq!(site.client.depth("private"), Some(0));
    site.check(answers, 0);
}

#[test]
fn a_dead_queue_that_does_not_answer_holds_up_no_verdict() {
    let site = Site::ready();
    let worker = site.worker(&[]);
    // Its process stands still: what is published there has neither confirmation nor refusal.
    let process = format!("list_to_atom(\"{}_gavel.dead\")", site.name);
    Node::shared().evaluate(&format!("sys:suspend({process})."));
    site.client.publish("gavel.submit", "judge.contest", "not json");
    site.submit(&submission("good", SUM));
    assert_eq!(site.verdict("good"), "AC");
    Node::shared().evaluate(&format!("sys:resume({process})."));
    assert_eq!(site.client.fetch("gavel.dead").raw, b"not json");
    assert_eq!(worker.stop().code, 0);
}

fn durable_queue(site: &Site, name: &str) {
    site.client.with(async |channel| {
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(name.into(), options, FieldTable::default()).await
    });
}

#[test]
fn a_refused_message_has_one_answer_and_its_dead_letter_keeps_what_it_came_with() {
    let site = Site::ready();
    let worker = site.worker(&["--reply-to", "reply.*"]);
    durable_queue(&site, "reply.web");
    let mut message = submission("wrong", SUM);
    message["language"] = json!(7);
    message["meta"] = json!({"team": "17"});
    let mut headers = FieldTable::default();
    headers.insert("trace".into(), AMQPValue::LongString("abc".into()));
    headers.insert("CC".into(), AMQPValue::FieldArray(Default::default()));
    let properties = BasicProperties::default()
        .with_delivery_mode(2)
        .with_message_id("m-1".into())
        .with_correlation_id("c-1".into())
        .with_reply_to("reply.web".into())
        .with_user_id("guest".into())
        .with_headers(headers);
    site.client.publish_with("gavel.submit", "judge.normal", message.to_string().as_bytes(), properties);
    let answers = site.answers(&["wrong"]);
    let answer = &answers["wrong"][0];
    assert_eq!((&answer.body["verdict"], &answer.body["reason"]), (&json!("JE"), &json!("submission")));
    assert_eq!((&answer.body["meta"]["team"], answer.header("x-redelivered")), (&json!("17"), None));
    assert_eq!(answer.properties.correlation_id().as_ref().unwrap().as_str(), "c-1");
    assert_eq!(site.client.fetch("reply.web").raw, answer.raw);
    let event = site.client.fetch("progress").body;
    assert_eq!((&event["type"], &event["id"]), (&json!("error"), &json!("wrong")));
    let dead = site.client.fetch("gavel.dead");
    assert_eq!(dead.raw, message.to_string().as_bytes());
    assert_eq!(dead.properties.message_id().as_ref().unwrap().as_str(), "m-1");
    assert_eq!(dead.properties.correlation_id().as_ref().unwrap().as_str(), "c-1");
    assert_eq!(dead.header("trace").unwrap(), "abc");
    assert_eq!((dead.header("CC"), dead.header("x-gavel-key").unwrap()), (None, "judge.normal".to_owned()));
    assert!(dead.header("x-gavel-reason").unwrap().contains("not a submission"));
    // A cancel message that came here answers for nothing, and is told to its sender.
    site.submit(&json!({"schema": 1, "type": "cancel", "id": "misplaced"}));
    let event = site.client.fetch("progress").body;
    assert_eq!((&event["type"], &event["id"]), (&json!("error"), &json!("misplaced")));
    assert!(site.client.fetch("gavel.dead").header("x-gavel-reason").unwrap().contains("gavel.control"));
    site.wait_for_quiet("gavel.judge.normal");
    assert_eq!(worker.stop().code, 0);
    site.check(answers, 0);
}

#[test]
fn what_amqp_bounds_ends_nothing_however_long_it_is() {
    let site = Site::ready();
    let worker = site.worker(&["--reply-to", "*"]);
    durable_queue(&site, "reply");
    let mut long = submission("long", SUM);
    long["reply_to"] = json!("x".repeat(300));
    site.submit(&long);
    let mut longest = submission("longest", SUM);
    longest["reply_to"] = json!("x".repeat(1 << 20));
    site.submit(&longest);
    // Its id is as long as ids are, and the message id would be longer than AMQP allows.
    let id = "/".repeat(200);
    site.submit(&submission(&id, SUM));
    // All its headers fit into no frame of the connection that puts it aside.
    let mut headers = FieldTable::default();
    headers.insert("large".into(), AMQPValue::LongString("x".repeat(100_000).into()));
    headers.insert("small".into(), AMQPValue::LongString("x".into()));
    let properties = BasicProperties::default().with_delivery_mode(2).with_headers(headers);
    site.client.publish_with("gavel.submit", "judge.normal", b"not json", properties);
    let answers = site.answers(&["long", "longest", &id]);
    for (id, length) in [("long", 300), ("longest", 1 << 20)] {
        let answer = &answers[id][0];
        assert_eq!(answer.key, "verdict.AC");
        let refused = answer.header("x-gavel-reply-refused").unwrap();
        assert!(refused.contains(&format!("{length} bytes")), "{refused}");
        assert!(answer.body["warnings"][0].as_str().unwrap().contains("'reply_to' has no effect"));
    }
    assert!(answers[&id][0].properties.message_id().as_ref().unwrap().as_str().len() <= 255);
    let dead = site.client.fetch("gavel.dead");
    assert_eq!((dead.raw.as_slice(), dead.header("large")), (&b"not json"[..], None));
    assert_eq!(dead.header("small").unwrap(), "x");
    assert_eq!(dead.header("x-gavel-headers-dropped").unwrap(), "large");
    // Copies and progress go on.
    let mut next = submission("next", SUM);
    next["reply_to"] = json!("reply");
    site.forget_progress();
    site.submit(&next);
    assert_eq!(site.client.fetch("reply").body["id"], "next");
    site.client.wait_for_test("next");
    site.answers(&["next"]);
    let said = worker.stop();
    assert_eq!(said.code, 0, "{said:?}");
    assert!(!said.stderr.contains("lost the broker") && !said.stderr.contains("panicked"), "{said:?}");
}

#[test]
fn properties_of_a_message_are_echoed_and_honoured_by_the_rules_of_the_body() {
    let site = Site::ready();
    let worker = site.worker(&["--reply-to", "reply.*"]);
    for queue in ["reply.web", "reply.body", "private"] {
        durable_queue(&site, queue);
    }
    for (id, property, body) in [
        ("property", "reply.web", None),
        ("forbidden", "private", None),
        ("both", "private", Some("reply.body")),
    ] {
        let mut message = submission(id, SUM);
        if let Some(queue) = body {
            message["reply_to"] = json!(queue);
        }
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_correlation_id(format!("of {id}").into())
            .with_reply_to(property.into());
        site.client.publish_with("gavel.submit", "judge.normal", message.to_string().as_bytes(), properties);
    }
    let answers = site.answers(&["property", "forbidden", "both"]);
    for (id, answers) in &answers {
        assert_eq!(answers[0].properties.correlation_id().as_ref().unwrap().as_str(), format!("of {id}"));
        assert_eq!(answers[0].header("x-gavel-reply-refused").is_some(), id == "forbidden", "{id}");
    }
    for (queue, id) in [("reply.web", "property"), ("reply.body", "both")] {
        let copy = site.client.fetch(queue);
        assert_eq!(copy.raw, answers[id][0].raw);
        assert_eq!(copy.properties.correlation_id(), answers[id][0].properties.correlation_id());
    }
    let warning = answers["both"][0].body["warnings"][0].as_str().unwrap();
    assert!(warning.contains("reply_to 'private' has no effect"), "{warning}");
    assert_eq!(site.client.depth("private"), Some(0));
    assert_eq!(worker.stop().code, 0);
    site.check(answers, 0);
}

#[test]
fn two_judgings_never_have_one_message_id() {
    let site = Site::ready();
    let worker = site.worker(&[]);
    let mut ids = std::collections::BTreeSet::new();
    for (id, judging) in [("a/1", "x"), ("a", "1/x"), ("a%2F1", "x")] {
        let mut message = submission(id, SUM);
        message["judging"] = json!(judging);
        site.submit(&message);
        let answer = site.client.fetch("gavel.results");
        ids.insert(answer.properties.message_id().as_ref().unwrap().to_string());
    }
    assert_eq!(ids.len(), 3, "{ids:?}");
    assert_eq!(worker.stop().code, 0);
}

#[test]
fn a_run_that_goes_back_to_its_queue_is_returned_and_neither_cancelled_nor_failed() {
    let site = Site::ready();
    let first = site.worker(&["--raise-limits", "--deadline", "10ms"]);
    site.submit(&endless("s"));
    site.client.wait_for_test("s");
    first.signal(Signal::SIGTERM);
    let ended = |event: &Value| ["returned", "cancelled", "error"].iter().any(|kind| event["type"] == *kind);
    let end = || loop {
        let event = site.client.fetch("progress").body;
        if ended(&event) {
            return event;
        }
    };
    let event = end();
    assert_eq!((&event["type"], &event["id"]), (&json!("returned"), &json!("s")), "{event}");
    assert!(event["message"].as_str().unwrap().contains("stops"), "{event}");
    first.end();
    let second = site.worker(&["--raise-limits"]);
    site.client.wait_for_test("s");
    site.cancel("s");
    let answers = site.answers(&["s"]);
    assert_eq!(end()["type"], "cancelled");
    assert_eq!(second.stop().code, 0);
    site.check(answers, 0);
}
