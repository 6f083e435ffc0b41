//! One test's place: a virtual host of its own on the node all share, a scene, a backend's connection.
#![allow(dead_code)] // Every test file uses a part of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use lapin::types::FieldTable;
use serde_json::{Value, json};

use super::common::Scene;
use super::common::gate::Gate;
use super::node::{Client, Fetched, Node, PATIENCE};
use super::proxy::Proxy;
use super::worker::Worker;

/// The sum, and slow about its second test.
pub(crate) const SLOW: &str = "read a b\nif [ $a = 20 ]; then sleep 1; fi\necho $((a + b))\n";
/// The same, for hours.
pub(crate) const ENDLESS: &str = "read a b\nif [ $a = 20 ]; then sleep 3600; fi\necho $((a + b))\n";

static NUMBER: AtomicU32 = AtomicU32::new(0);

pub(crate) struct Site {
    pub(crate) scene: Scene,
    /// Its virtual host.
    pub(crate) name: String,
    pub(crate) client: Client,
}

/// What came back for one judging, in order.
pub(crate) type Answers = BTreeMap<String, Vec<Fetched>>;

impl Site {
    pub(crate) fn new() -> Self {
        let name = format!("site{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let node = Node::shared();
        node.evaluate(&format!("rabbit_vhost:add(<<\"{name}\">>, <<\"test\">>)."));
        permit(&name, "guest");
        let client = Client::at(&address(node.port(), &name, ""));
        Self { scene: Scene::new(), name, client }
    }

    /// With the queues declared, and progress followed.
    pub(crate) fn ready() -> Self {
        let mut site = Self::new();
        let worker = site.worker(&[]);
        site.client.wait_for_topology();
        assert_eq!(worker.stop().code, 0);
        site.client.follow_progress();
        site
    }

    pub(crate) fn address(&self) -> String {
        address(Node::shared().port(), &self.name, "")
    }

    pub(crate) fn worker(&self, more: &[&str]) -> Worker {
        Worker::start(&self.scene, &self.address(), more)
    }

    pub(crate) fn worker_through(&self, proxy: &Proxy, more: &[&str]) -> Worker {
        Worker::start(&self.scene, &address(proxy.port(), &self.name, ""), more)
    }

    /// The same, with dead connections noticed in two seconds on either side.
    pub(crate) fn wary_worker_through(&self, proxy: &Proxy, more: &[&str]) -> Worker {
        Worker::start(&self.scene, &address(proxy.port(), &self.name, "?heartbeat=1"), more)
    }

    /// Makes the broker close the connections of all workers here, not the backend's.
    pub(crate) fn close_workers(&self) {
        Node::shared().evaluate(&format!(
            "lists:foreach(fun(P) -> \
             case catch rabbit_networking:connection_info(P, [vhost, client_properties]) of \
             [{{vhost, <<\"{}\">>}}, {{client_properties, C}}] -> \
             lists:keymember(<<\"connection_name\">>, 1, C) andalso \
             (catch rabbit_networking:close_connection(P, \"test\")); \
             _ -> gone end end, rabbit_networking:connections()).",
            self.name
        ));
    }

    /// Sets a policy for the queues that match.
    pub(crate) fn policy(&self, pattern: &str, definition: &Value) {
        let definition = definition.to_string().replace('"', "\\\"");
        Node::shared().evaluate(&format!(
            "rabbit_policy:parse_set(<<\"{}\">>, <<\"{pattern}\">>, <<\"{pattern}\">>, <<\"{definition}\">>, \
             <<\"0\">>, <<\"queues\">>, <<\"test\">>).",
            self.name
        ));
    }

    pub(crate) fn unbind_results(&self) {
        self.client.with(async |channel| {
            let arguments = FieldTable::default();
            channel
                .queue_unbind("gavel.results".into(), "gavel.verdicts".into(), "verdict.#".into(), arguments)
                .await
        });
    }

    pub(crate) fn submit(&self, submission: &Value) {
        self.client.submit("normal", submission);
    }

    pub(crate) fn cancel(&self, id: &str) {
        let cancel = json!({"schema": 1, "type": "cancel", "id": id, "judging": "1"});
        self.client.publish("gavel.control", "", &cancel.to_string());
    }

    /// Forgets what was told so far.
    pub(crate) fn forget_progress(&self) {
        while self.client.try_fetch("progress").is_some() {}
    }

    /// Waits until each of these has a verdict; all that came.
    pub(crate) fn answers(&self, ids: &[&str]) -> Answers {
        let mut answers = Answers::new();
        while !ids.iter().all(|id| answers.contains_key(*id)) {
            let answer = self.client.fetch("gavel.results");
            answers.entry(answer.body["id"].as_str().unwrap().to_owned()).or_default().push(answer);
        }
        answers
    }

    /// The verdict of the only judging, whatever else comes later.
    pub(crate) fn verdict(&self, id: &str) -> String {
        let answers = self.answers(&[id]);
        answers[id][0].body["verdict"].as_str().unwrap().to_owned()
    }

    /// Waits until nothing is ready or unacknowledged in a queue, with its workers alive.
    pub(crate) fn wait_for_quiet(&self, queue: &str) {
        let query = format!(
            "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"{}\">>, queue, <<\"{queue}\">>)), \
             {{ok, {{_, Total}}, _}} = ra:leader_query(amqqueue:get_pid(Q), \
             fun rabbit_fifo:query_messages_total/1), Total.",
            self.name
        );
        let deadline = Instant::now() + PATIENCE;
        while Node::shared().evaluate(&query) != "{ok, 0}" {
            assert!(Instant::now() < deadline, "{queue} is never quiet: {}", Node::shared().evaluate(&query));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// With all workers gone: nothing waits or is unacknowledged (what is, is ready again then), whatever else
    /// was said about the judgings is a repeat that can be told, and so much is dead.
    pub(crate) fn check(&self, mut answers: Answers, dead: u32) {
        while let Some(answer) = self.client.try_fetch("gavel.results") {
            answers.entry(answer.body["id"].as_str().unwrap().to_owned()).or_default().push(answer);
        }
        for (id, answers) in &answers {
            for answer in answers {
                assert_eq!(answer.key, format!("verdict.{}", answer.body["verdict"].as_str().unwrap()));
                assert_eq!(answer.properties.message_id().as_ref().unwrap().as_str(), format!("{id}/1"));
            }
            let mut plain: Vec<&[u8]> = answers
                .iter()
                .filter(|answer| answer.header("x-redelivered").is_none())
                .map(|answer| answer.raw.as_slice())
                .collect();
            plain.dedup();
            assert!(plain.len() <= 1, "{id} has {} first answers that differ", plain.len());
        }
        for queue in ["gavel.judge.contest", "gavel.judge.normal", "gavel.judge.rejudge", "gavel.exhausted"] {
            assert_eq!(self.client.depth(queue), Some(0), "{queue}");
        }
        assert_eq!(self.client.depth("gavel.dead"), Some(dead));
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            Node::shared().evaluate(&format!("rabbit_vhost:delete(<<\"{}\">>, <<\"test\">>).", self.name));
        }
    }
}

/// Lets a user do everything in a virtual host.
pub(crate) fn permit(vhost: &str, user: &str) {
    Node::shared().evaluate(&format!(
        "rabbit_auth_backend_internal:set_permissions(<<\"{user}\">>, <<\"{vhost}\">>, <<\".*\">>, <<\".*\">>, \
         <<\".*\">>, <<\"test\">>)."
    ));
}

fn address(port: u16, vhost: &str, query: &str) -> String {
    format!("amqp://guest:guest@127.0.0.1:{port}/{vhost}{query}")
}

pub(crate) fn submission(id: &str, program: &str) -> Value {
    let tests = [json!({"input": "1 2\n", "answer": "3\n"}), json!({"input": "20 30\n", "answer": "50\n"})];
    json!({"schema": 1, "id": id, "language": "bash", "problem": {"inline": tests},
           "files": [{"name": "main.sh", "text": program}]})
}

/// One whose second test waits at the gate; needs `--raise-limits`.
pub(crate) fn gated(id: &str, gate: &Gate) -> Value {
    let mut submission = submission(id, &gate.sum_at(20));
    submission["limits"] = json!({"wall": "1h"});
    submission
}

/// One that runs until it is cancelled or its worker ends; needs `--raise-limits`.
pub(crate) fn endless(id: &str) -> Value {
    let mut submission = submission(id, ENDLESS);
    submission["limits"] = json!({"wall": "1h"});
    submission
}
