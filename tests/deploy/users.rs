//! The definitions and their users: what each may, what it may not, and that this is enough to judge.

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::account::{Account, Answer};
use crate::common::{SUM, Scene};
use crate::node::Node;
use crate::worker::Worker;
use crate::{PASSWORD, USERS, address, deployed, import_definitions, import_with_passwords};

const FORBIDDEN: Answer = Answer::Refused(403);

fn submission(id: &str, program: &str) -> Vec<u8> {
    let tests = [json!({"input": "1 2\n", "answer": "3\n"}), json!({"input": "20 30\n", "answer": "50\n"})];
    let message = json!({"schema": 1, "id": id, "language": "bash", "problem": {"inline": tests},
                         "files": [{"name": "main.sh", "text": program}]});
    message.to_string().into_bytes()
}

/// What the AsyncAPI document says of a message.
struct Described {
    headers: Validator,
    payload: Validator,
}

fn described(message: &str) -> Described {
    let text = std::fs::read_to_string(deployed("asyncapi.yaml")).unwrap();
    let document: Value = serde_saphyr::from_str(&text).unwrap();
    let message = &document["components"]["messages"][message];
    let payload = match message["payload"]["$ref"].as_str() {
        Some(file) => serde_json::from_slice(&std::fs::read(deployed(file)).unwrap()).unwrap(),
        None => message["payload"].clone(),
    };
    Described {
        headers: jsonschema::draft202012::new(message.get("headers").unwrap_or(&true.into())).unwrap(),
        payload: jsonschema::draft202012::new(&payload).unwrap(),
    }
}

#[test]
fn each_user_may_what_it_needs_and_no_more() {
    let node = Node::start();
    import_definitions(&node);
    for user in USERS {
        for password in ["", "guest", user] {
            assert!(Account::open(&node.address_of(user, password, "gavel")).is_err(), "{user} got in");
        }
    }
    // As an operator does after importing, at once here.
    std::thread::scope(|scope| {
        for user in USERS {
            scope.spawn(|| node.control(&["change_password", user, PASSWORD]));
        }
    });
    let open = |user| Account::open(&address(&node, user)).unwrap();
    let (submitter, worker, reader) = (open("gavel-submitter"), open("gavel-worker"), open("gavel-reader"));

    for class in ["contest", "normal", "rejudge"] {
        assert_eq!(submitter.publish("gavel.submit", &format!("judge.{class}"), b"{}"), Answer::Done);
    }
    assert_eq!(submitter.publish("gavel.control", "", b"{}"), Answer::Returned, "there is no worker yet");
    let reply = "gavel.reply.web-1";
    assert_eq!((submitter.declare(reply), submitter.consume(reply)), (Answer::Done, Answer::Done));
    assert_eq!(worker.publish("gavel.verdicts", "verdict.AC", b"{}"), Answer::Done);
    assert_eq!(worker.publish("gavel.progress", "progress.test", b"{}"), Answer::Returned);
    assert_eq!(worker.publish("gavel.dlx", "dead.malformed", b"{}"), Answer::Done);
    // What it gives back as a new message, and what it tells other workers.
    assert_eq!(worker.publish("gavel.submit", "judge.normal", b"{}"), Answer::Done);
    assert_eq!(worker.publish("gavel.decisions", "", b"{}"), Answer::Returned);
    assert_eq!(worker.bind_own("gavel.control", ""), Answer::Done);
    assert_eq!(worker.bind_own("gavel.decisions", ""), Answer::Done);
    for (queue, exchange) in
        [("gavel.results.web", "gavel.verdicts"), ("gavel.progress.web", "gavel.progress")]
    {
        assert_eq!(reader.declare(queue), Answer::Done);
        assert_eq!((reader.bind(queue, exchange, "#"), reader.consume(queue)), (Answer::Done, Answer::Done));
        assert_eq!(reader.bind_own(exchange, "#"), Answer::Done);
        assert_eq!(reader.delete(queue), Answer::Done);
    }
    assert_eq!(reader.consume("gavel.results"), Answer::Done);

    // Each publishes to, reads from and makes nothing else.
    for (user, exchange, key) in [
        (&submitter, "gavel.submit", "judge.other"),
        (&submitter, "gavel.verdicts", "verdict.AC"),
        (&submitter, "gavel.progress", "progress.test"),
        (&submitter, "gavel.dlx", "dead.malformed"),
        (&submitter, "gavel.decisions", ""),
        (&submitter, "", "gavel.results"),
        (&worker, "gavel.submit", "judge.other"),
        (&worker, "gavel.verdicts", "anything"),
        (&worker, "gavel.dlx", "judge.normal"),
        (&worker, "gavel.control", ""),
        (&worker, "", "gavel.results"),
        (&reader, "gavel.submit", "judge.normal"),
        (&reader, "gavel.verdicts", "verdict.AC"),
        (&reader, "gavel.control", ""),
        (&reader, "", "gavel.judge.normal"),
    ] {
        assert_eq!(user.publish(exchange, key, b"{}"), FORBIDDEN, "{exchange} {key}");
    }
    for (user, queues) in [
        (&submitter, &["gavel.judge.normal", "gavel.results", "gavel.dead"][..]),
        (&worker, &["gavel.results", "gavel.dead", "gavel.reply.web-1"][..]),
        (&reader, &["gavel.judge.contest", "gavel.judge.normal", "gavel.dead", "gavel.reply.web-1"][..]),
    ] {
        for queue in queues {
            assert_eq!(user.consume(queue), FORBIDDEN, "{queue}");
        }
        for queue in ["gavel.judge.normal", "gavel.results", "gavel.dead"] {
            assert_eq!(user.delete(queue), FORBIDDEN, "{queue}");
            assert_eq!(user.bind(queue, "gavel.verdicts", "#"), FORBIDDEN, "{queue}");
        }
        assert_eq!((user.declare("other"), user.declare_exchange("gavel.verdicts")), (FORBIDDEN, FORBIDDEN));
    }
    for exchange in ["gavel.submit", "gavel.verdicts", "gavel.dlx"] {
        assert_eq!(submitter.bind("gavel.reply.web-1", exchange, "#"), FORBIDDEN, "{exchange}");
        assert_eq!(worker.bind_own(exchange, "#"), FORBIDDEN, "{exchange}");
    }
    for exchange in ["gavel.submit", "gavel.control", "gavel.dlx"] {
        assert_eq!(reader.bind_own(exchange, "#"), FORBIDDEN, "{exchange}");
    }
}

#[test]
fn a_worker_that_may_declare_nothing_judges() {
    let (scene, node) = (Scene::new(), Node::start());
    import_with_passwords(&node);
    let open = |user| Account::open(&address(&node, user)).unwrap();
    let (submitter, reader, operator) = (open("gavel-submitter"), open("gavel-reader"), open("guest"));
    assert_eq!(reader.declare("gavel.progress.test"), Answer::Done);
    assert_eq!(reader.bind("gavel.progress.test", "gavel.progress", "#"), Answer::Done);

    let worker = Worker::start(&scene, &address(&node, "gavel-worker"));
    assert_eq!(submitter.publish("gavel.submit", "judge.contest", &submission("good", SUM)), Answer::Done);
    assert_eq!(submitter.publish("gavel.submit", "judge.rejudge", b"not json"), Answer::Done);
    let verdict = reader.read("gavel.results");
    let report: Value = serde_json::from_slice(&verdict.body).unwrap();
    assert_eq!((&report["id"], verdict.key.as_str()), (&"good".into(), "verdict.AC"));
    assert_eq!(*verdict.properties.delivery_mode(), Some(2));
    let description = described("report");
    assert!(description.payload.is_valid(&report) && description.headers.is_valid(&verdict.headers));

    let description = described("event");
    for expected in ["accepted", "compiling", "compiled", "test", "test"] {
        let mut event = reader.read("gavel.progress.test");
        if event.key == "progress.error" {
            // Of the message that cannot be read, whenever that comes.
            assert!(description.payload.is_valid(&serde_json::from_slice(&event.body).unwrap()));
            event = reader.read("gavel.progress.test");
        }
        assert_eq!(event.key, format!("progress.{expected}"));
        assert!(description.payload.is_valid(&serde_json::from_slice(&event.body).unwrap()));
    }
    let dead = operator.read("gavel.dead");
    assert_eq!(dead.body, b"not json");
    assert!(
        dead.headers["x-gavel-reason"].is_string() && described("refused").headers.is_valid(&dead.headers)
    );

    // A cancel reaches it, too.
    let mut endless: Value = serde_json::from_slice(&submission("slow", "sleep 3600\n")).unwrap();
    endless["limits"] = json!({"wall": "1h"});
    let endless = endless.to_string();
    assert_eq!(submitter.publish("gavel.submit", "judge.normal", endless.as_bytes()), Answer::Done);
    let cancel = json!({"schema": 1, "type": "cancel", "id": "slow"}).to_string();
    assert_eq!(submitter.publish("gavel.control", "", cancel.as_bytes()), Answer::Done);
    assert_eq!(reader.read("gavel.results").key, "verdict.CX");
    let said = worker.stop();
    assert_eq!(said.code, 0, "{said:?}");

    // Nobody judges it and it comes back ten times: the eleventh return is one too many.
    assert_eq!(submitter.publish("gavel.submit", "judge.normal", &submission("poison", SUM)), Answer::Done);
    for _ in 0..11 {
        operator.give_back("gavel.judge.normal");
    }
    let dead = operator.read("gavel.dead");
    assert_eq!((dead.body, dead.key.as_str()), (submission("poison", SUM), "judge.normal"));
    assert_eq!(dead.headers["x-death"][0]["reason"], "delivery_limit");
    assert!(described("refused").headers.is_valid(&dead.headers), "{}", dead.headers);
    assert_eq!(operator.look("gavel.judge.normal").0, 0);
}

/// Waits until a worker consumes, which it does once all is declared. Asked of the node, not over a connection: the broker
/// ends one that uses a queue which is just being made.
fn wait_for_consumer(node: &Node) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(180);
    let listing = ["list_queues", "-p", "gavel", "--no-table-headers", "name", "consumers"];
    while !node.control(&listing).contains("gavel.judge.normal\t1") {
        assert!(std::time::Instant::now() < deadline, "the worker does not consume");
    }
}

#[test]
fn definitions_may_be_imported_under_a_running_worker_and_again() {
    let (scene, node) = (Scene::new(), Node::start());
    node.control(&["add_vhost", "gavel"]);
    node.control(&["set_permissions", "-p", "gavel", "guest", ".*", ".*", ".*"]);
    let worker = Worker::start(&scene, &address(&node, "guest"));
    wait_for_consumer(&node);
    let operator = Account::open(&address(&node, "guest")).unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(180);
    let judge = |id: &str| {
        while operator.publish("gavel.submit", "judge.normal", &submission(id, SUM)) != Answer::Done {
            assert!(std::time::Instant::now() < deadline, "the worker declares nothing");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        // What was not taken at once may have been taken all the same, and be judged twice.
        loop {
            let verdict = operator.read("gavel.results");
            assert_eq!(verdict.key, "verdict.AC");
            if serde_json::from_slice::<Value>(&verdict.body).unwrap()["id"] == id {
                break;
            }
        }
    };
    judge("before");
    import_definitions(&node);
    judge("under it");
    let said = worker.stop();
    assert_eq!(said.code, 0, "{said:?}");

    // Another declares what the definitions made.
    import_definitions(&node);
    let worker = Worker::start(&scene, &address(&node, "guest"));
    wait_for_consumer(&node);
    judge("after");
    let said = worker.stop();
    assert_eq!(said.code, 0, "{said:?}");
    assert!(!said.stderr.contains("cannot be declared"), "{said:?}");
    let policies = node.control(&["list_queues", "-p", "gavel", "--no-table-headers", "name", "policy"]);
    for (queue, policy) in [
        ("gavel.judge.contest", "gavel-judge"),
        ("gavel.judge.normal", "gavel-judge"),
        ("gavel.judge.rejudge", "gavel-judge"),
        ("gavel.results", "gavel-results"),
        ("gavel.dead", "gavel-dead"),
    ] {
        assert!(policies.contains(&format!("{queue}\t{policy}\n")), "{policies}");
    }
}
