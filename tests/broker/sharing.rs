//! Several workers on the same queues, and several classes on the same worker.

use std::collections::BTreeMap;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Value, json};

use super::backend::Backend;
use super::common::{SUM, text};
use super::fleet::Fleet;
use super::invariants::{Expected, check_answers, check_queues, wait_until_drained};
use super::node::{Client, Node};
use super::site::{Site, endless, submission};

/// Long enough for the machine's other work not to decide who gets what.
const DOZING: &str = "read a b\nsleep 0.02\necho $((a + b))\n";

fn submit(backend: &Backend, expected: &mut Expected, class: &str, count: usize, program: &str) {
    for number in 0..count {
        let id = format!("{class}{number}");
        let mut submission: Value = submission(&id, program);
        submission["priority"] = json!(class);
        backend.submit(class, &submission);
        expected.insert(id, vec!["AC"]);
    }
}

#[test]
fn a_contest_passes_ten_thousand_rejudgings_and_they_still_move() {
    let site = Site::new();
    let mut fleet = Fleet::new(&site.scene, &[site.address()], &["--slots", "1"]);
    fleet.start(0);
    let backend = Backend::start(&[site.address()]);
    let mut expected = Expected::new();
    submit(&backend, &mut expected, "rejudge", 10_000, SUM);
    backend.wait_for_confirmations(10_000);
    let before = backend.answered();
    submit(&backend, &mut expected, "contest", 60, SUM);
    let is_contest = |id: &String| id.starts_with("contest");
    super::fleet::wait_until("the contest is answered", || {
        backend.order().iter().filter(|id| is_contest(id)).count() == 60
    });
    fleet.stop_all();
    let order = backend.order();
    let first = order.iter().position(is_contest).unwrap();
    let last = order.iter().rposition(is_contest).unwrap();
    let waited = first - before;
    // What was answered while the submissions were on their way to the broker and the verdicts on theirs here.
    assert!(waited < 1000, "{waited} rejudgings went first");
    let between = last - first + 1 - 60;
    assert!((1..=60).contains(&between), "{between} rejudgings between 60 submissions of the contest");
    // The first connection may have been idle for longer than its heartbeats allow.
    Client::at(&site.address()).purge("gavel.judge.rejudge");
    drop(backend);
    check_queues(&Client::at(&site.address()), 0..=0);
}

#[test]
fn a_package_that_one_of_two_workers_has_is_judged_by_that_one() {
    let site = Site::ready();
    for (root, tests) in [("rich", 2), ("poor", 1)] {
        for number in 0..tests {
            site.scene.write(&format!("{root}/both/{number}.in"), format!("{number} 1\n"));
            site.scene.write(&format!("{root}/both/{number}.ans"), format!("{}\n", number + 1));
            if root == "rich" {
                site.scene.write(&format!("{root}/sum/{number}.in"), format!("{number} 1\n"));
                site.scene.write(&format!("{root}/sum/{number}.ans"), format!("{}\n", number + 1));
            }
        }
    }
    let (poor, rich) = (site.scene.path("poor"), site.scene.path("rich"));
    let poor = site.worker(&["--package-root", text(&poor)]);
    let rich = site.worker(&["--package-root", text(&rich)]);
    let mut workers = [poor, rich];
    for worker in &mut workers {
        worker.wait_for("connected to the broker role=\"consuming\"");
    }
    let named = |id: &str, problem: &Value| {
        let mut submission: Value = submission(id, DOZING);
        submission["problem"] = problem.clone();
        site.submit(&submission);
    };
    let ids = |kind: &str| (0..12).map(|number| format!("{kind}{number}")).collect::<Vec<_>>();
    let judged = |ids: &[String]| {
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        let answers = site.answers(&ids);
        for answer in answers.values() {
            assert_eq!((answer.len(), answer[0].key.as_str()), (1, "verdict.AC"), "{}", answer[0].body);
            assert_eq!(answer[0].body["tests"].as_array().unwrap().len(), 2);
        }
        answers
    };
    for id in ids("absent") {
        named(&id, &json!({"ref": "sum"}));
    }
    judged(&ids("absent"));
    // The rich one's version of what both have, once it is known.
    let digest = loop {
        named("version", &json!({"ref": "both"}));
        let report = site.client.fetch("gavel.results").body;
        if report["tests"].as_array().unwrap().len() == 2 {
            break report["provenance"]["package"].as_str().unwrap().to_owned();
        }
    };
    for id in ids("pinned") {
        named(&id, &json!({"ref": "both", "sha256": digest}));
    }
    judged(&ids("pinned"));
    // What no worker has is no longer on its way than it takes to ask them.
    named("nowhere", &json!({"ref": "nowhere"}));
    let report = &site.answers(&["nowhere"])["nowhere"][0].body;
    assert_eq!((&report["verdict"], &report["reason"]), (&json!("JE"), &json!("package")));
    let error = report["error"].as_str().unwrap();
    assert!(error.contains("'nowhere'") && error.contains("the other connected workers lack it"), "{error}");
    assert!(workers[0].said("passed on to another worker") > 0);
    for worker in workers {
        assert_eq!(worker.stop().code, 0);
    }
    assert_eq!(site.client.depth("gavel.results"), Some(0));
    check_queues(&site.client, 0..=0);
}

#[test]
fn a_package_that_only_a_busy_worker_has_is_waited_for() {
    let site = Site::ready();
    site.scene.write("rich/sum/1.in", "1 2\n");
    site.scene.write("rich/sum/1.ans", "3\n");
    site.scene.write("poor/other/1.in", "1 2\n");
    site.scene.write("poor/other/1.ans", "3\n");
    let (poor, rich) = (site.scene.path("poor"), site.scene.path("rich"));
    let mut rich = site.worker(&["--raise-limits", "--package-root", text(&rich)]);
    site.submit(&endless("long"));
    site.client.wait_for_test("long");
    let mut poor = site.worker(&["--raise-limits", "--package-root", text(&poor)]);
    poor.wait_for("connected to the broker role=\"consuming\"");
    let mut needs = submission("needs", SUM);
    needs["problem"] = json!({"ref": "sum"});
    // Two that lack it as well are gone.
    let mut headers = FieldTable::default();
    headers.insert("x-gavel-lacking".into(), AMQPValue::LongString("amq.gen-one amq.gen-two".into()));
    let properties = BasicProperties::default().with_delivery_mode(2).with_headers(headers);
    site.client.publish_with("gavel.submit", "judge.normal", needs.to_string().as_bytes(), properties);
    // The busy one leaves the class to the other, which has not the package.
    poor.wait_for_more("passed on to another worker", 3);
    assert_eq!(site.client.depth("gavel.results"), Some(0));
    site.cancel("long");
    let answers = site.answers(&["long", "needs"]);
    assert_eq!(answers["needs"][0].key, "verdict.AC", "{}", answers["needs"][0].body);
    rich.wait_for("connected to the broker role=\"consuming\"");
    for worker in [poor, rich] {
        assert_eq!(worker.stop().code, 0);
    }
    site.check(answers, 0);
}

#[test]
fn a_quick_submission_does_not_wait_behind_a_long_one_while_another_worker_is_idle() {
    let site = Site::ready();
    let busy = site.worker(&["--raise-limits"]);
    site.submit(&endless("long"));
    site.client.wait_for_test("long");
    // Held by the busy worker, of its own class and of others, before there is another.
    let classes = ["contest", "normal", "rejudge"];
    for class in classes {
        site.client.submit(class, &submission(class, SUM));
    }
    for class in classes {
        site.client.wait_for_depth(&format!("gavel.judge.{class}"), 0);
    }
    let mut idle = site.worker(&["--raise-limits"]);
    idle.wait_for("connected to the broker role=\"consuming\"");
    let answers = site.answers(&classes);
    for answers in answers.values() {
        assert_eq!((answers.len(), answers[0].key.as_str()), (1, "verdict.AC"));
    }
    // The busy one takes again once its slot is idle.
    assert_eq!(idle.stop().code, 0);
    site.cancel("long");
    assert_eq!(site.verdict("long"), "CX");
    for class in classes {
        site.client.submit(class, &submission(&format!("{class} again"), SUM));
    }
    site.answers(&["contest again", "normal again", "rejudge again"]);
    assert_eq!(busy.stop().code, 0);
    site.check(answers, 0);
}

#[test]
fn the_queue_decides_the_class_whatever_the_body_says() {
    let site = Site::ready();
    let backend = Backend::start(&[site.address()]);
    let mut expected = Expected::new();
    // The bodies say nothing, the same, and another class.
    for (class, stated) in [("contest", None), ("normal", Some("normal")), ("rejudge", Some("contest"))] {
        for number in 0..80 {
            let id = format!("{class}{number}");
            let mut submission: Value = submission(&id, DOZING);
            if let Some(stated) = stated {
                submission["priority"] = json!(stated);
            }
            backend.submit(class, &submission);
            expected.insert(id, vec!["AC"]);
        }
    }
    backend.wait_for_confirmations(expected.len());
    let worker = site.worker(&[]);
    backend.wait_for_answers(64);
    let order = backend.order();
    let share = |class: &str| order[..64].iter().filter(|id| id.starts_with(class)).count();
    let shares = [share("contest"), share("normal"), share("rejudge")];
    assert!(shares[0] >= 42 && shares[1] >= 8 && (2..=8).contains(&shares[2]), "{shares:?} of 64");
    backend.wait_for_answers(expected.len());
    let said = worker.stop();
    let warning = "'priority' is 'contest' in a submission from the queue of class 'rejudge'";
    assert!(said.stderr.contains(warning), "{said:?}");
    check_answers(&backend, &expected);
    drop(backend);
    check_queues(&site.client, 0..=0);
}

#[test]
fn two_workers_on_the_same_queues_share_them_evenly() {
    let mut site = Site::new();
    let mut fleet = Fleet::new(&site.scene, &[site.address(), site.address()], &["--slots", "1"]);
    fleet.start_all();
    site.client.wait_for_topology();
    site.client.follow_progress();
    let backend = Backend::start(&[site.address()]);
    let mut expected = Expected::new();
    submit(&backend, &mut expected, "normal", 160, DOZING);
    backend.wait_for_answers(160);
    // Which process judged is in the name of the run: worker, time, process, count.
    let mut shares: BTreeMap<String, usize> = BTreeMap::new();
    while let Some(event) = site.client.try_fetch("progress") {
        if event.body["type"] == "accepted" {
            let run = event.body["run"].as_str().unwrap().to_owned();
            let process = run.rsplit('-').nth(1).unwrap().to_owned();
            *shares.entry(process).or_default() += 1;
        }
    }
    let named: Vec<_> = (0..2).map(|place| format!("{:x}", fleet.id(place))).collect();
    for process in &named {
        let share = shares.get(process).copied().unwrap_or_default();
        assert!(share >= 48, "{share} of 160 for one of two: {shares:?}");
    }
    check_answers(&backend, &expected);
    wait_until_drained(Node::shared(), &site.name);
    fleet.stop_all();
    drop(backend);
    check_queues(&Client::at(&site.address()), 0..=0);
}

#[test]
fn workers_that_come_and_go_answer_everything_once() {
    let site = Site::new();
    let addresses = vec![site.address(); 3];
    let mut fleet = Fleet::new(&site.scene, &addresses, &["--slots", "1"]);
    fleet.start(0);
    let backend = Backend::start(&[site.address()]);
    let mut expected = Expected::new();
    submit(&backend, &mut expected, "normal", 240, DOZING);
    // Who stops and who starts, each after so many more verdicts; at one point nobody works.
    for (stops, starts) in [(None, Some(1)), (Some(0), Some(2)), (Some(1), None), (Some(2), Some(0))] {
        let more = backend.answered() + 20;
        backend.wait_for_answers(more);
        if let Some(place) = stops {
            fleet.stop(place);
        }
        if let Some(place) = starts {
            fleet.start(place);
        }
    }
    let more = backend.answered() + 20;
    backend.wait_for_answers(more);
    fleet.start_all();
    backend.wait_for_answers(expected.len());
    wait_until_drained(Node::shared(), &site.name);
    fleet.stop_all();
    check_answers(&backend, &expected);
    // Nobody died, so nobody had to do anything twice, but for what was published twice for want of a confirmation.
    let submitted = backend.submitted();
    for (id, answers) in backend.answers() {
        let publishes = submitted.get(&id).map_or(0, |one| one.publishes as usize);
        assert!((1..=publishes).contains(&answers.len()), "{id}: {} for {publishes}", answers.len());
    }
    drop(backend);
    check_queues(&Client::at(&site.address()), 0..=0);
}
