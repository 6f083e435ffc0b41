//! What the worker itself costs: beyond judging, for memory, and for ten thousand submissions in a row.
//!
//! A program of its own rather than a Criterion bench: it starts a private RabbitMQ and a worker of this
//! build, and each part is one long run. Words on its command line choose parts: `idle`, `overhead`,
//! `replay`, `queued`, `cores`, `pills`.

#![allow(clippy::unwrap_used, missing_docs)] // What fails here is the bench.

#[path = "../tests/broker/backend.rs"]
mod backend;
#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/broker/fleet.rs"]
mod fleet;
#[path = "../tests/broker/node.rs"]
mod node;
#[path = "../tests/broker/worker.rs"]
mod worker;

use std::time::{Duration, Instant};

use backend::{Answer, Backend};
use common::{Scene, text};
use fleet::{Fleet, wait_until};
use node::{Client, Node};
use serde_json::{Value, json};

/// Reads two integers and prints their sum, with what contestants include.
const SUM: &str = "#include <bits/stdc++.h>\n\
                   int main() { long long a, b; std::cin >> a >> b; std::cout << a + b << '\\n'; }\n";
/// The same, which nothing compiles.
const SUM_PYTHON: &str = "print(sum(map(int, input().split())))\n";
/// Submissions of a replay.
const MANY: usize = 10_000;
/// Submissions judged one at a time.
const SINGLE: usize = 1000;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wants = |part: &str| wanted.is_empty() || wanted.iter().any(|word| word == part);
    let scene = Scene::new();
    package(&scene);
    if wants("replay") {
        replay_in_process(&scene);
    }
    let node = Node::start();
    if wants("cores") {
        cores(&scene, &node);
    }
    if wants("pills") {
        pills(&scene, &node);
    }
    if !["idle", "overhead", "replay", "queued"].into_iter().any(wants) {
        return;
    }
    let root = scene.path("packages");
    let mut fleet = Fleet::new(&scene, &[node.address()], &["--slots", "1", "--package-root", text(&root)]);
    fleet.start(0);
    let mut client = Client::new(&node);
    client.wait_for_topology();
    let backend = Backend::start(&[node.address()]);
    let mut judged = 0;
    if wants("idle") {
        println!("idle: worker and keeper {} KiB resident", fleet.resident_kib(0));
    }
    // The program is compiled, its boxes are made, and connections are open.
    one_at_a_time(&backend, &mut judged, 20);
    if wants("idle") {
        println!("idle after 20 submissions: worker and keeper {} KiB resident", fleet.resident_kib(0));
    }
    if wants("overhead") {
        overhead(&backend, &mut judged);
    }
    if wants("replay") {
        through_the_broker(&backend, &mut judged, &fleet);
    }
    if wants("queued") {
        queued(&node, &backend, &mut judged, &fleet);
    }
    fleet.stop_all();
}

/// The sum on ten tests, and a submission of it.
fn package(scene: &Scene) {
    for number in 0..10 {
        scene.write(&format!("packages/sum/{number}.in"), format!("{number} {}\n", number * 1000));
        scene.write(&format!("packages/sum/{number}.ans"), format!("{}\n", number * 1001));
    }
    scene.write("recorded/sum.json", submission("sum").to_string());
}

fn submission(id: &str) -> Value {
    json!({"schema": 1, "id": id, "language": "cpp20", "problem": {"ref": "sum"},
           "files": [{"name": "main.cpp", "text": SUM}]})
}

fn submit(backend: &Backend, judged: &mut usize) -> String {
    let id = format!("s{judged}");
    *judged += 1;
    backend.submit("normal", &submission(&id));
    id
}

/// Submissions of one turn of [`cores`], and turns.
const TURN: usize = 30;
const TURNS: usize = 3;

/// Submissions a second of one worker with one slot, of one with two and of two with one each, on two tests of 100 ms of CPU
/// time; in turns, so that whatever else the machine does meets all alike.
#[allow(clippy::cast_precision_loss)] // Thirty is exact.
fn cores(scene: &Scene, node: &Node) {
    let program = "#include <stdio.h>\n#include <time.h>\nint main(void) { long a, b; if (scanf(\"%ld %ld\", &a, &b) != 2) \
                   return 1; while (clock() < CLOCKS_PER_SEC / 10) {} printf(\"%ld\\n\", a + b); }\n";
    for number in 1..3 {
        scene.write(&format!("packages/busy/{number}.in"), format!("{number} 1\n"));
        scene.write(&format!("packages/busy/{number}.ans"), format!("{}\n", number + 1));
    }
    let root = scene.path("packages");
    let fleet = |slots: &'static str, places: usize| {
        let arguments = ["--slots", slots, "--package-root", text(&root)];
        Fleet::new(scene, &vec![node.address(); places], &arguments)
    };
    let mut kinds = [
        ("one worker, one slot", fleet("1", 1), Vec::new()),
        ("one worker, two slots", fleet("2", 1), Vec::new()),
        ("two workers, one slot each", fleet("1", 2), Vec::new()),
    ];
    let mut judged = 0;
    let backend = Backend::start(&[node.address()]);
    let mut run = |count: usize| {
        for _ in 0..count {
            let mut submission = submission(&format!("busy{judged}"));
            submission["language"] = "c17".into();
            submission["problem"] = json!({"ref": "busy"});
            submission["files"] = json!([{"name": "main.c", "text": program}]);
            backend.submit("normal", &submission);
            judged += 1;
        }
        backend.wait_for_answers(judged);
    };
    for _ in 0..TURNS {
        for (_, fleet, rates) in &mut kinds {
            fleet.start_all();
            // Its boxes are made, and its connections open.
            run(6);
            let started = Instant::now();
            run(TURN);
            rates.push(TURN as f64 / started.elapsed().as_secs_f64());
            fleet.stop_all();
        }
    }
    let median = |rates: &Vec<f64>| {
        let mut rates = rates.clone();
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    let one = median(&kinds[0].2);
    for (name, _, rates) in &kinds {
        println!(
            "{name}: {:.2} submissions a second, {:.2} times one slot ({rates:.2?})",
            median(rates),
            median(rates) / one
        );
    }
}

/// Innocent submissions of one turn of [`pills`], and what is sent ahead of them.
const INNOCENT: usize = 100;
const AHEAD: usize = 8;

/// How long a hundred submissions wait for their verdicts behind eight that are slow, and behind eight that once stopped
/// workers: classes whose paths fit in a box and not behind the cache's, and an interpreter that the kernel cannot load.
/// Two workers; in turns.
fn pills(scene: &Scene, node: &Node) {
    let chain = include_str!("../testdata/hostile/PackageChain.java");
    let interpreter = "__attribute__((section(\".interp\"))) const char path[] = \"/etc/passwd\";\n\
                       int main(void) { return 0; }\n";
    let slow = "import time\nstart = time.process_time()\nwhile time.process_time() < start + 1:\n    pass\n";
    let root = scene.path("packages");
    let arguments = ["--slots", "1", "--package-root", text(&root)];
    let mut fleet = Fleet::new(scene, &[node.address(), node.address()], &arguments);
    let backend = Backend::start(&[node.address()]);
    fleet.start_all();
    let mut judged = 0;
    let mut submit = |language: &str, name: &str, source: &str| {
        let mut submission = submission(&format!("pill{judged}"));
        submission["language"] = language.into();
        // No two are the same, so nothing is compiled already.
        let comment = if language == "python3" { "#" } else { "//" };
        submission["files"] = json!([{"name": name, "text": format!("{source}{comment} {judged}\n")}]);
        backend.submit("normal", &submission);
        judged += 1;
        (judged, Instant::now())
    };
    // The sum's program is compiled, and the boxes are made.
    for _ in 0..4 {
        let (count, _) = submit("cpp20", "main.cpp", SUM);
        backend.wait_for_answers(count);
    }
    let mut waits = [("behind eight slow ones", Vec::new()), ("behind eight pills", Vec::new())];
    for _ in 0..TURNS {
        for (kind, (_, waits)) in waits.iter_mut().enumerate() {
            for number in 0..AHEAD {
                match (kind, number % 2) {
                    (0, _) => submit("python3", "main.py", slow),
                    (_, 0) => submit("java17", "Main.java", chain),
                    (..) => submit("c17", "main.c", interpreter),
                };
            }
            let sent: Vec<_> = (0..INNOCENT).map(|_| submit("python3", "main.py", SUM_PYTHON)).collect();
            backend.wait_for_answers(sent[sent.len() - 1].0);
            let answers = backend.answers();
            for (count, at) in sent {
                let answer = &answers[&format!("pill{}", count - 1)][0];
                assert_eq!(answer.body["verdict"], "AC", "{}", answer.body);
                waits.push((answer.received - at).as_secs_f64() * 1000.0);
            }
        }
    }
    println!("{INNOCENT} submissions, each from its publishing to its verdict:");
    for (name, waits) in waits {
        print_row(name, waits);
    }
    fleet.stop_all();
}

/// Each after the last one's verdict: when it went out, and the verdict.
fn one_at_a_time(backend: &Backend, judged: &mut usize, count: usize) -> Vec<(Instant, Answer)> {
    let sent: Vec<_> = (0..count)
        .map(|_| {
            let sent = Instant::now();
            let id = submit(backend, judged);
            backend.wait_for_answers(*judged);
            (id, sent)
        })
        .collect();
    let mut answers = backend.answers();
    sent.into_iter().map(|(id, sent)| (sent, answers.remove(&id).unwrap().remove(0))).collect()
}

/// Milliseconds of judging itself.
fn judging(report: &Value) -> f64 {
    ["fetch", "compile", "tests"].iter().map(|phase| report["phases_ms"][phase].as_f64().unwrap()).sum()
}

/// From the backend's publish to the verdict in its hands, without fetching, compiling and running. It is more
/// than delivery to confirmation: the submission's way to its queue and the verdict's way from it are in it. What
/// these two take is told by messages of a verdict's size that the backend sends to itself, before and after.
fn overhead(backend: &Backend, judged: &mut usize) {
    let mut alone = echoes(backend, judged);
    let (mut beyond, mut whole, mut inside) = (Vec::new(), Vec::new(), Vec::new());
    for (sent, answer) in one_at_a_time(backend, judged, SINGLE) {
        assert_eq!(answer.body["verdict"], "AC", "{}", answer.body);
        let took = (answer.received - sent).as_secs_f64() * 1000.0;
        beyond.push(took - judging(&answer.body));
        inside.push(judging(&answer.body));
        whole.push(took);
    }
    println!("{SINGLE} submissions, each after the last one's verdict:");
    alone.extend(echoes(backend, judged));
    print_row("a message to itself", alone);
    print_row("publish to verdict", whole);
    print_row("judging", inside);
    print_row("beyond judging", beyond);
}

/// What a message takes that goes to no worker.
fn echoes(backend: &Backend, judged: &mut usize) -> Vec<f64> {
    (0..SINGLE / 2)
        .map(|_| {
            let id = format!("s{judged}");
            *judged += 1;
            let sent = Instant::now();
            backend.echo(&id, 3000);
            backend.wait_for_answers(*judged);
            sent.elapsed().as_secs_f64() * 1000.0
        })
        .collect()
}

fn replay_in_process(scene: &Scene) {
    let (recorded, root) = (scene.path("recorded"), scene.path("packages"));
    let count = MANY.to_string();
    let arguments = ["replay", text(&recorded), "--package-root", text(&root), "--slots", "1", "--count"];
    // The first compiles.
    let said = scene.say(&[&arguments[..], &["1"]].concat());
    assert_eq!(said.code, 0, "{said:?}");
    let said = scene.say(&[&arguments[..], &[&count]].concat());
    assert_eq!(said.code, 0, "{said:?}");
    println!("in process, one slot:\n{}", said.stdout);
}

fn through_the_broker(backend: &Backend, judged: &mut usize, fleet: &Fleet<'_>) {
    let started = Instant::now();
    let ids: Vec<_> = (0..MANY).map(|_| submit(backend, judged)).collect();
    backend.wait_for_answers(*judged);
    let took = started.elapsed().as_secs_f64();
    let answers = backend.answers();
    let (mut inside, mut distances) = (Vec::new(), Vec::new());
    let mut received: Vec<_> = Vec::new();
    for id in &ids {
        let answer = &answers[id][0];
        assert_eq!(answer.body["verdict"], "AC", "{}", answer.body);
        inside.push(judging(&answer.body));
        received.push(answer.received);
    }
    received.sort();
    for pair in received.windows(2) {
        distances.push((pair[1] - pair[0]).as_secs_f64() * 1000.0);
    }
    #[allow(clippy::cast_precision_loss)] // Ten thousand is exact.
    let rate = ids.len() as f64 / took;
    println!("through the broker, one slot: {} judged in {took:.1} s, {rate:.1} a second", ids.len());
    print_row("judging", inside);
    print_row("verdict to verdict", distances);
    println!("worker and keeper {} KiB resident, {} at most", fleet.resident_kib(0), fleet.peak_kib(0));
}

/// A hundred thousand that wait in the broker.
fn queued(node: &Node, backend: &Backend, judged: &mut usize, fleet: &Fleet<'_>) {
    let before = fleet.resident_kib(0);
    let first = *judged;
    for _ in 0..100_000 {
        submit(backend, judged);
    }
    backend.wait_for_confirmations(*judged);
    let (full, at) = (fleet.resident_kib(0), backend.answered() - first);
    let end = Instant::now() + Duration::from_secs(60);
    wait_until("a minute is over", || Instant::now() > end);
    let (later, then) = (fleet.resident_kib(0), backend.answered() - first);
    println!(
        "100000 queued: worker and keeper {before} KiB resident before, {full} with {at} judged, {later} with \
         {then} judged, {} at most",
        fleet.peak_kib(0)
    );
    // The first connection has been idle for longer than its heartbeats allow.
    Client::new(node).purge("gavel.judge.normal");
}

/// Prints quantiles of milliseconds.
fn print_row(name: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let at = |permille: usize| values[(values.len() - 1) * permille / 1000];
    println!(
        "  {name:<22} p50 {:7.2} ms, p90 {:7.2}, p99 {:7.2}, longest {:7.2}",
        at(500),
        at(900),
        at(990),
        at(1000)
    );
}
