//! What goes in and comes out: verdicts, refusals, repeats, cancels, replies.

use std::collections::BTreeMap;

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use serde_json::json;

use super::common::SUM;
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
    let answers = site.answers(&["good", "bad", "again"]);
    let verdicts: BTreeMap<_, _> =
        answers.iter().map(|(id, answers)| (id.as_str(), &answers[0].body["verdict"])).collect();
    assert_eq!(json!(verdicts), json!({"good": "AC", "bad": "WA", "again": "AC"}));
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
    }
    site.client.follow("control", "gavel.control");
    // Workers tell each other what they decided, in the order that the exchange has for all.
    let mut heard = 0;
    let mut hear = |decisions: usize| {
        while heard < decisions {
            let decided = site.client.fetch("control").body["decided"].as_array().map(Vec::len);
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
    }
    site.client.follow("control", "gavel.control");
    site.submit(&endless("again"));
    site.client.wait_for_test("again");
    site.cancel("again");
    assert_eq!(site.verdict("again"), "CX");
    while site.client.fetch("control").body["type"] != "decided" {}
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
    assert_eq!(worker.said("reply_to is not among"), 2);
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
