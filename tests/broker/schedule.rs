//! Faults at random over running judgings, and afterwards nothing is lost, stuck or left.
//!
//! `GAVEL_SCHEDULE_SECONDS` says how long (60 when not set), `GAVEL_SCHEDULE_NODES=3` that the broker is a cluster,
//! and `GAVEL_SCHEDULE_SEED` which schedule; the seed and everything that was done are printed when the test
//! fails. What a schedule meets depends on the machine too: the seed gives the same faults in the same order, not
//! the same microsecond.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::backend::Backend;
use super::cluster::Cluster;
use super::common::{SUM, Scene, text};
use super::fleet::{Fleet, wait_until};
use super::invariants::{Expected, check_answers, check_queues, wait_until_drained};
use super::node::{Client, Node};
use super::proxy::{Fault as Network, Proxy};
use super::site::submission;

/// Submissions that wait for their verdicts at once.
const OUTSTANDING: usize = 24;
/// Workers, each behind a proxy of its own.
const WORKERS: usize = 2;

/// What is done to a worker, its network or the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Kill,
    Terminate,
    TerminateTwice,
    Freeze,
    Reset,
    BlackHole,
    LoseToClient,
    LoseToBroker,
    Stall,
    CloseConnections,
    RestartBroker,
    MemoryAlarm,
    DiskAlarm,
    DeleteExchange,
    SwapPackage,
}

/// Exchanges that are deleted: what is in flight through them is published again, by backend or worker.
const EXCHANGES: [&str; 6] =
    ["gavel.submit", "gavel.verdicts", "gavel.control", "gavel.decisions", "gavel.progress", "gavel.dlx"];

const FAULTS: [Fault; 15] = [
    Fault::Kill,
    Fault::Terminate,
    Fault::TerminateTwice,
    Fault::Freeze,
    Fault::Reset,
    Fault::BlackHole,
    Fault::LoseToClient,
    Fault::LoseToBroker,
    Fault::Stall,
    Fault::CloseConnections,
    Fault::RestartBroker,
    Fault::MemoryAlarm,
    Fault::DiskAlarm,
    Fault::DeleteExchange,
    Fault::SwapPackage,
];

/// Numbers that look random and follow from a seed (splitmix64, by Sebastiano Vigna).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn milliseconds(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

/// What was done when; told only when the test fails.
struct Diary {
    seed: u64,
    started: Instant,
    text: RefCell<String>,
}

impl Diary {
    fn note(&self, what: &str) {
        let _ = writeln!(self.text.borrow_mut(), "{:9.3} {what}", self.started.elapsed().as_secs_f64());
    }
}

impl Drop for Diary {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("GAVEL_SCHEDULE_SEED={}\n{}", self.seed, self.text.borrow());
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{variable}='{text}': {error}")))
}

/// Brokers, workers behind proxies, a backend, and what all of them should come to.
struct Stage<'a> {
    nodes: Vec<Node>,
    proxies: Vec<Proxy>,
    fleet: Fleet<'a>,
    backend: Backend,
    expected: Expected,
    malformed: u32,
    /// Submissions that were sent twice with other contents.
    conflicting: Vec<String>,
    /// The package that is swapped, and its other version.
    packages: [PathBuf; 2],
    /// Cancels to be sent, and when.
    cancels: Vec<(Instant, String)>,
    random: Random,
    diary: &'a Diary,
}

impl Stage<'_> {
    /// Lets time pass, with work coming in all along.
    fn pass(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            while self.expected.len() < self.backend.answered() + OUTSTANDING {
                self.submit();
            }
            let now = Instant::now();
            for (_, id) in self.cancels.extract_if(.., |(when, _)| *when <= now) {
                self.backend.cancel(&id);
            }
            let Some(left) = end.checked_duration_since(now) else { return };
            std::thread::sleep(left.min(Duration::from_millis(20)));
        }
    }

    fn submit(&mut self) {
        let place = self.expected.len();
        let id = format!("s{place}");
        let class = ["contest", "normal", "rejudge"][usize::try_from(self.random.below(3)).unwrap()];
        let (mut submission, allowed): (Value, _) = match self.random.below(24) {
            20..=21 => {
                // Right on either version of the package, and on no mixture of them.
                let mut submission = submission(&id, SUM);
                submission["problem"] = json!({"ref": "sum"});
                (submission, vec!["AC"])
            }
            22 => {
                // The second may be refused, or be judged as well.
                let mut other = submission(&id, "echo 3\n");
                other["priority"] = json!(class);
                self.backend.submit(class, &other);
                self.conflicting.push(id.clone());
                (submission(&id, SUM), vec!["AC", "WA"])
            }
            23 => {
                // Most of these come after the verdict.
                let when = Instant::now() + self.random.milliseconds(2_000, 8_000);
                self.cancels.push((when, id.clone()));
                (submission(&id, SUM), vec!["AC", "CX"])
            }
            0..=8 => (submission(&id, SUM), vec!["AC"]),
            9..=11 => (submission(&id, "echo 3\n"), vec!["WA"]),
            12..=14 => (submission(&id, "read a b\nsleep 0.3\necho $((a + b))\n"), vec!["AC"]),
            15 => (compiled(&id, place), vec!["AC"]),
            16 => (broken(&id), vec!["CE"]),
            17 => {
                // No submission: it goes to the dead queue, and the next is one.
                let name = format!("malformed {}", self.malformed);
                self.backend.publish(&format!("judge.{class}"), &format!("{{\"no\": \"{name}\"}}"), &name);
                self.malformed += 1;
                return self.submit();
            }
            _ => {
                let when = Instant::now() + self.random.milliseconds(0, 1500);
                self.cancels.push((when, id.clone()));
                (submission(&id, "read a b\nsleep 0.8\necho $((a + b))\n"), vec!["AC", "CX"])
            }
        };
        submission["priority"] = json!(class);
        self.backend.submit(class, &submission);
        self.expected.insert(id, allowed);
    }

    /// Does one thing, for a while, and takes it back.
    fn suffer(&mut self, fault: Fault, place: usize, time: Duration) {
        let broker = usize::try_from(self.random.below(self.nodes.len() as u64)).unwrap();
        self.diary.note(&format!("{fault:?} of worker {place} or broker {broker} for {time:?}"));
        let network = |fault| match fault {
            Fault::BlackHole => Network::BlackHole,
            Fault::LoseToClient => Network::LoseToClient,
            Fault::LoseToBroker => Network::LoseToBroker,
            _ => Network::Stall,
        };
        match fault {
            Fault::Kill => {
                self.fleet.kill(place);
                self.pass(time);
                self.fleet.start(place);
            }
            Fault::Terminate | Fault::TerminateTwice => {
                self.fleet.signal(place, Signal::SIGTERM);
                if fault == Fault::TerminateTwice {
                    self.pass(time);
                    // Not waited for yet: where it has ended, its number is nobody else's.
                    self.fleet.signal(place, Signal::SIGTERM);
                }
                let said = self.fleet.wait(place);
                self.diary.note(&format!("worker {place} ended with {}", said.code));
                // The second signal is for whoever cannot wait; the first alone ends well.
                assert!(fault == Fault::TerminateTwice || said.code == 0, "{said:?}");
                self.fleet.start(place);
            }
            Fault::Freeze => {
                self.fleet.signal(place, Signal::SIGSTOP);
                self.pass(time);
                self.fleet.signal(place, Signal::SIGCONT);
            }
            Fault::Reset => self.proxies[place].reset(),
            Fault::BlackHole | Fault::LoseToClient | Fault::LoseToBroker | Fault::Stall => {
                self.proxies[place].set(network(fault));
                self.pass(time);
                self.proxies[place].set(Network::None);
            }
            Fault::CloseConnections => {
                self.nodes[broker].control(&["close_all_connections", "a test"]);
            }
            Fault::RestartBroker => {
                self.nodes[broker].kill();
                self.pass(time);
                self.nodes[broker].restart();
                self.nodes[broker].wait();
            }
            Fault::MemoryAlarm => {
                self.nodes[broker].control(&["set_vm_memory_high_watermark", "absolute", "1"]);
                self.pass(time);
                self.nodes[broker].control(&["set_vm_memory_high_watermark", "0.4"]);
            }
            Fault::DeleteExchange => {
                let name = EXCHANGES[usize::try_from(self.random.below(EXCHANGES.len() as u64)).unwrap()];
                self.diary.note(&format!("exchange {name}"));
                self.nodes[broker].evaluate(&format!(
                    "catch rabbit_exchange:delete(rabbit_misc:r(<<\"/\">>, exchange, <<\"{name}\">>), false, \
                     <<\"test\">>)."
                ));
                self.pass(time);
            }
            Fault::SwapPackage => {
                for _ in 0..3 {
                    let [one, other] = &self.packages;
                    renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE).unwrap();
                    self.pass(time / 3);
                }
            }
            Fault::DiskAlarm => {
                self.nodes[broker].control(&["set_disk_free_limit", "100000GB"]);
                self.pass(time);
                self.nodes[broker].control(&["set_disk_free_limit", "50MB"]);
            }
        }
        self.diary.note(&format!("over; {} of {} answered", self.backend.answered(), self.expected.len()));
    }
}

/// A program whose compilation is not in the cache, but every tenth.
fn compiled(id: &str, place: usize) -> Value {
    let mut compiled = submission(id, "");
    compiled["language"] = json!("c17");
    let text = format!(
        "#include <stdio.h>\nint main(void) {{ int a, b; scanf(\"%d %d\", &a, &b);\n\
         printf(\"%d\\n\", a + b); return 0 * {}; }}\n",
        place % 10
    );
    compiled["files"] = json!([{"name": "main.c", "text": text}]);
    compiled
}

fn broken(id: &str) -> Value {
    let mut broken = submission(id, "");
    broken["language"] = json!("c17");
    broken["files"] = json!([{"name": "main.c", "text": "int main(void) {"}]);
    broken
}

#[test]
fn whatever_happens_at_random_every_submission_is_answered_and_nothing_is_left() {
    let length = Duration::from_secs(number("GAVEL_SCHEDULE_SECONDS").unwrap_or(60));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = number("GAVEL_SCHEDULE_SEED").unwrap_or_else(|| u64::from(now.subsec_nanos()));
    let started = Instant::now();
    let diary = Diary { seed, started, text: RefCell::default() };
    let scene = Scene::new();
    let nodes = match number("GAVEL_SCHEDULE_NODES") {
        None | Some(1) => vec![Node::start()],
        _ => Cluster::start().nodes,
    };
    let ports: Vec<_> = nodes.iter().cycle().take(WORKERS).map(Node::port).collect();
    let proxies: Vec<_> = ports.into_iter().map(Proxy::start).collect();
    let brokers: Vec<_> = nodes.iter().map(Node::address).collect();
    // Each worker tries its proxy first, and finds a way round when that is of no use.
    let addresses: Vec<_> = proxies
        .iter()
        .map(|proxy| {
            format!("amqp://guest:guest@127.0.0.1:{}/%2f?heartbeat=2,{}", proxy.port(), brokers.join(","))
        })
        .collect();
    let packages = ["packages/sum", "other-packages/sum"].map(|name| scene.kattis_package(name));
    for (number, (input, answer)) in [("7 8\n", "15\n"), ("70 80\n", "150\n")].into_iter().enumerate() {
        // Both versions have the same names, and answers that are wrong for the other.
        std::fs::write(packages[number].join("data/secret/1.in"), input).unwrap();
        std::fs::write(packages[number].join("data/secret/1.ans"), answer).unwrap();
    }
    let root = scene.path("packages");
    let options = ["--slots", "1", "-v", "--deadline", "5s", "--package-root", text(&root)];
    let mut fleet = Fleet::new(&scene, &addresses, &options);
    fleet.start_all();
    let backend = Backend::start(&brokers);
    let mut stage = Stage {
        nodes,
        proxies,
        fleet,
        backend,
        expected: Expected::new(),
        malformed: 0,
        conflicting: Vec::new(),
        packages,
        cancels: Vec::new(),
        random: Random(seed),
        diary: &diary,
    };
    // RabbitMQ 3.10 never elects a leader for a queue that was declared in the instant its only node was killed, so
    // every queue has a message first.
    stage.pass(Duration::from_secs(1));
    let dead = Client::new(&stage.nodes[0]);
    stage.backend.publish("judge.normal", "{}", "malformed at first");
    stage.malformed += 1;
    wait_until("queues work", || {
        stage.pass(Duration::from_millis(100));
        stage.backend.answered() >= 20 && dead.depth("gavel.dead").is_some_and(|depth| depth > 0)
    });
    drop(dead);
    while started.elapsed() < length {
        let fault = FAULTS[usize::try_from(stage.random.below(FAULTS.len() as u64)).unwrap()];
        let place = usize::try_from(stage.random.below(WORKERS as u64)).unwrap();
        // One in eight outlasts what heartbeats need to notice, where there is time for it.
        let is_long = stage.random.below(8) == 0 && length > Duration::from_secs(300);
        let time = if is_long {
            stage.random.milliseconds(20_000, 40_000)
        } else {
            stage.random.milliseconds(100, 4_000)
        };
        stage.suffer(fault, place, time);
        let time = stage.random.milliseconds(50, 2_000);
        stage.pass(time);
    }
    let Stage { nodes, proxies, mut fleet, backend, expected, malformed, conflicting, .. } = stage;
    diary.note("no more faults");
    backend.wait_for_answers(expected.len());
    backend.wait_for_confirmations(expected.len() + malformed as usize);
    diary.note("all answered");
    // What came back from a connection that died was answered already, and is still to be taken off its queue.
    wait_until_drained(&nodes[0], "/");
    for place in 0..WORKERS {
        wait_until("no program runs any more", || !scene.has_running_box(fleet.id(place)));
    }
    for said in fleet.stop_all() {
        assert!(!said.stderr.contains("deadline has passed"), "something was held: {said:?}");
    }
    check_answers(&backend, &expected);
    let repeats: usize = backend.answers().values().map(|answers| answers.len() - 1).sum();
    let published = backend.submitted();
    let malformed: Vec<_> = published
        .iter()
        .filter(|(id, _)| id.starts_with("malformed"))
        .map(|(_, one)| one.publishes)
        .collect();
    let refused: u32 = conflicting.iter().map(|id| published[id].publishes).sum();
    drop((backend, proxies));
    diary.note("checking the queues");
    // A worker that dies between burying a message and acknowledging it buries it again.
    check_queues(
        &Client::new(&nodes[0]),
        u32::try_from(malformed.len()).unwrap()..=2 * (malformed.iter().sum::<u32>() + refused),
    );
    eprintln!(
        "seed {seed}: {} answered, {repeats} of them again, in {:.0} s\n{}",
        expected.len(),
        started.elapsed().as_secs_f64(),
        diary.text.borrow()
    );
}
