//! The clients backends copy, run as they are.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::account::{Account, Answer};
use crate::common::{SUM, Scene, guardian, said, text};
use crate::node::Node;
use crate::worker::Worker;
use crate::{address, import_with_passwords};

/// A client that does not outlive its test, and what it says line by line.
struct Client {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Client {
    fn start(mut command: Command, node: &Node) -> Self {
        let command = command
            .env("GAVEL_SUBMIT", address(node, "gavel-submitter"))
            .env("GAVEL_READ", address(node, "gavel-reader"));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        guardian::watch(&child);
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// The next line, without the part of the id that is made up.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let (id, said) = line.trim_end().split_once(": ").unwrap_or_else(|| panic!("{line}"));
        let said = said.split(',').next().unwrap();
        format!("{} {said}", id.split('-').next().unwrap())
    }

    /// What else it says, and whether it is content.
    fn end(mut self) -> (Vec<String>, bool) {
        let rest = self.output.by_ref().lines().map(Result::unwrap).collect();
        (rest, self.child.wait().unwrap().success())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Debian's own, which has python3-pika.
fn python() -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command.arg(root().join("examples/python/submit_and_read.py"));
    command
}

/// The example next to this test's executable, built if this test alone was asked for.
fn rust() -> Command {
    let own = std::env::current_exe().unwrap();
    let profile = own.parent().and_then(Path::parent).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["build", "--quiet", "--example", "submit_and_read"]);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().unwrap().success());
    Command::new(profile.join("examples/submit_and_read"))
}

/// Each verdict is told once, also when it comes three times and the broker dies before the next one.
fn gets_each_verdict_once(node: &mut Node, mut command: Command) {
    let scene = Scene::new();
    scene.kattis_package("packages/sum");
    let sources = [scene.write("first.sh", SUM), scene.write("second.sh", "echo 3\n")];
    let open = |node: &Node, user| Account::open(&address(node, user)).unwrap();
    let (operator, reader) = (open(node, "guest"), open(node, "gavel-reader"));
    assert_eq!(reader.declare("gavel.results.copy"), Answer::Done);
    assert_eq!(reader.bind("gavel.results.copy", "gavel.verdicts", "#"), Answer::Done);
    command.args(["sum", "bash", text(&sources[0]), text(&sources[1])]);
    let mut client = Client::start(command, node);
    // Held back until the client listens, and until the broker was restarted.
    let [first, second] = [(); 2].map(|()| operator.read("gavel.judge.contest").body);
    operator.wait_for_consumer("gavel.results");
    let submit = |node: &Node, body: &[u8]| {
        assert_eq!(
            open(node, "gavel-submitter").publish("gavel.submit", "judge.contest", body),
            Answer::Done
        );
    };

    let worker = Worker::start(&scene, &address(node, "gavel-worker"));
    submit(node, &first);
    let mut awaited = vec!["first.sh test sample/1 AC", "first.sh test secret/2 AC", "first.sh AC"];
    while !awaited.is_empty() {
        let line = client.line();
        awaited.retain(|awaited| *awaited != line);
    }
    let verdict = reader.read("gavel.results.copy").body;
    assert_eq!(reader.delete("gavel.results.copy"), Answer::Done);
    for _ in 0..2 {
        let again = open(node, "gavel-worker").publish("gavel.verdicts", "verdict.AC", &verdict);
        assert_eq!(again, Answer::Done);
    }
    drop((operator, reader));
    node.kill_and_restart();
    submit(node, &second);
    let (rest, is_content) = client.end();
    assert!(is_content, "{rest:?}");
    let told = |source: &str| {
        rest.iter().filter(|line| line.starts_with(source) && !line.contains(": test")).count()
    };
    assert_eq!((told("first.sh"), told("second.sh")), (0, 1), "{rest:?}");
    assert_eq!(open(node, "guest").look("gavel.results").0, 0);
    let said = worker.stop();
    assert_eq!(said.code, 0, "{said:?}");
}

/// Runs it to its end on a broker that will not have what it sends; what it says.
fn is_refused(node: &Node, scene: &Scene, mut command: Command, address: &str) -> String {
    let source = scene.write("sum.sh", SUM);
    let command = command.args(["sum", "bash", text(&source)]);
    let command = command.env("GAVEL_SUBMIT", address).env("GAVEL_READ", self::address(node, "gavel-reader"));
    let said = said(command.stdin(Stdio::null()).output().unwrap());
    assert_ne!(said.code, 0, "{said:?}");
    said.stderr
}

#[test]
fn clients_to_copy_get_each_verdict_once_and_give_up_where_nothing_helps() {
    let (scene, mut node) = (Scene::new(), Node::start());
    import_with_passwords(&node);
    for command in [python, rust] {
        gets_each_verdict_once(&mut node, command());
        let wrong = node.address_of("gavel-submitter", "wrong", "gavel");
        let said = is_refused(&node, &scene, command(), &wrong);
        assert!(said.contains("ACCESS_REFUSED") || said.contains("ACCESS-REFUSED"), "{said}");
        assert!(!said.contains("again"), "{said}");
    }
    let operator = Account::open(&address(&node, "guest")).unwrap();
    assert_eq!(operator.delete("gavel.judge.contest"), Answer::Done);
    for command in [python, rust] {
        let said = is_refused(&node, &scene, command(), &address(&node, "gavel-submitter"));
        assert!(said.contains("no queue takes judge.contest"), "{said}");
    }
}
