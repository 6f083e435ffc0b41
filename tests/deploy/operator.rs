//! gavel's own commands as the user the definitions have for them, with a worker as the user for workers.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::account::{Account, Answer};
use crate::common::{SUM, Said, Scene, guardian, said};
use crate::node::Node;
use crate::worker::Worker;
use crate::{PASSWORD, address, import_with_passwords};

const FORBIDDEN: Answer = Answer::Refused(403);

/// A command that does not outlive its test.
struct Running(Child);

impl Running {
    fn start(mut command: Command) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        guardian::watch(&child);
        Self(child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_operator_may_use_every_command_and_nothing_else() {
    let (scene, node) = (Scene::new(), Node::start());
    import_with_passwords(&node);
    scene.kattis_package("packages/sum");
    // Nothing here ends by its limits, however busy the host.
    scene.write("packages/sum/.timelimit", "600\n");
    let gavel = |arguments: &[&str]| {
        let mut command = scene.gavel(arguments);
        command
            .env("GAVEL_QUEUE", format!("amqp://127.0.0.1:{}/gavel", node.port()))
            .env("GAVEL_AMQP_USER", "gavel-operator")
            .env("GAVEL_AMQP_PASSWORD", PASSWORD);
        command
    };
    let say = |arguments: &[&str]| said(gavel(arguments).output().unwrap());
    #[track_caller]
    fn well(said: Said, part: &str) {
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.stdout.contains(part), "'{part}' is missing: {said:?}");
    }
    let open = |user| Account::open(&address(&node, user)).unwrap();
    let (administrator, operator) = (open("guest"), open("gavel-operator"));
    let worker = Worker::start(&scene, &address(&node, "gavel-worker"));
    administrator.wait_for_consumer("gavel.judge.normal");

    // Submit: progress and verdict come back, in every class, or are not waited for.
    scene.write("anna.sh", SUM);
    for class in ["contest", "normal", "rejudge"] {
        well(say(&["submit", "sum", "anna.sh", "--priority", class, "--judging", class]), "secret/2");
    }
    well(say(&["submit", "sum", "anna.sh", "--no-wait", "--id", "later"]), "");
    for _ in 0..4 {
        assert_eq!(administrator.read("gavel.results").key, "verdict.AC");
    }

    // Cancel.
    scene.write("endless.sh", "while true; do sleep 1; done\n");
    let mut endless = Running::start(gavel(&[
        "submit",
        "sum",
        "endless.sh",
        "--id",
        "endless",
        "--wall",
        "1h",
        "--format",
        "ndjson",
    ]));
    let mut lines = BufReader::new(endless.0.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains("accepted"), "{first}");
    well(say(&["cancel", "endless", "--wait", "--patience", "2min"]), "cancelled");
    well(say(&["cancel", "nobody"]), "all workers were told");
    // It tells of its end and takes its queue along.
    assert!(lines.map(Result::unwrap).last().unwrap().contains("\"CX\""));
    assert_eq!(endless.0.wait().unwrap().code(), Some(3));
    assert_eq!(administrator.read("gavel.results").key, "verdict.CX");

    // Look at the queues, and at what died in them more often than a broker may let a message come back.
    let submitter = open("gavel-submitter");
    let newer = json!({"schema": 9, "id": "newer", "judging": "1"}).to_string();
    assert_eq!(submitter.publish("gavel.submit", "judge.rejudge", newer.as_bytes()), Answer::Done);
    administrator.give_back("gavel.dead");
    for _ in 0..12 {
        well(say(&["queue", "dead"]), "judge.rejudge");
    }
    let listed: Value = serde_json::from_str(&say(&["queue", "list", "--format", "json"]).stdout).unwrap();
    let queues = listed["queues"].as_array().unwrap();
    assert!(queues.len() == 6 && queues.iter().all(|queue| queue["exists"] == true), "{listed}");
    assert_eq!((&queues[0]["consumers"], &queues[5]["ready"]), (&1.into(), &1.into()), "{listed}");

    // Requeue: it goes to where it came from, and the worker buries it again.
    well(say(&["queue", "requeue", "newer", "--yes"]), "requeued newer");
    assert_eq!(administrator.read("gavel.dead").body, newer.as_bytes());

    // Replay.
    let recorded = json!({"schema": 1, "id": "recorded", "language": "bash", "problem": {"ref": "sum"},
                          "files": [{"name": "main.sh", "text": SUM}]});
    scene.write("recorded/one.json", recorded.to_string());
    well(say(&["replay", "recorded", "--queue", "--count", "3"]), "3 judged in");
    let said = worker.stop();
    assert_eq!(said.code, 0, "{said:?}");

    // The queues of the commands go with them; one that was left is bounded by a policy.
    let queue = "gavel.client.left";
    assert_eq!(operator.declare(queue), Answer::Done);
    assert_eq!(operator.bind(queue, "gavel.verdicts", "verdict.*"), Answer::Done);
    let queues = node.control(&["list_queues", "-p", "gavel", "--no-table-headers", "name", "policy"]);
    let own: Vec<_> = queues.lines().filter(|line| line.starts_with("gavel.client.")).collect();
    assert_eq!(own, ["gavel.client.left\tgavel-client"]);
    assert_eq!((operator.consume(queue), operator.delete(queue)), (Answer::Done, Answer::Done));

    // Nothing else: no verdicts, none but the dead read, nothing of others bound, undone or emptied.
    for (exchange, key) in [
        ("gavel.verdicts", "verdict.AC"),
        ("gavel.progress", "progress.test"),
        ("gavel.submit", "judge.other"),
        ("gavel.dlx", "judge.normal"),
        ("gavel.dlx", "dead.malformed"),
        ("", "gavel.results"),
        ("", "gavel.dead"),
    ] {
        assert_eq!(operator.publish(exchange, key, b"{}"), FORBIDDEN, "{exchange} {key}");
    }
    assert_eq!(submitter.declare("gavel.reply.web"), Answer::Done);
    for queue in ["gavel.judge.normal", "gavel.exhausted", "gavel.results", "gavel.reply.web"] {
        assert_eq!((operator.consume(queue), operator.purge(queue)), (FORBIDDEN, FORBIDDEN), "{queue}");
    }
    for (queue, exchange, key) in [
        ("gavel.results", "gavel.verdicts", "verdict.#"),
        ("gavel.dead", "gavel.dlx", "#"),
        ("gavel.judge.normal", "gavel.submit", "judge.normal"),
    ] {
        assert_eq!(operator.delete(queue), FORBIDDEN, "{queue}");
        assert_eq!(operator.bind(queue, exchange, key), FORBIDDEN, "{queue}");
        assert_eq!(operator.unbind(queue, exchange, key), FORBIDDEN, "{queue}");
    }
    for exchange in ["gavel.submit", "gavel.control", "gavel.dlx"] {
        assert_eq!(operator.bind_own(exchange, "#"), FORBIDDEN, "{exchange}");
    }
    assert_eq!(
        (operator.declare("other"), operator.declare_exchange("gavel.verdicts")),
        (FORBIDDEN, FORBIDDEN)
    );
}
