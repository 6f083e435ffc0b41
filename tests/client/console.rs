//! The console blocks of README and docs that need a broker, as a reader types them one after the other.

use std::fmt::Write as _;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::common::console::{self, are_lines, are_lines_in_any_order, as_a_reader_sees, blocks, root};
use crate::common::{Scene, guardian, text};
use crate::node::Node;
use crate::stage::PATIENCE;

/// The broker in the documents.
const READERS_BROKER: &str = "localhost/gavel";

/// A reader at his shell.
struct Reader {
    scene: Scene,
    node: Node,
    environment: Vec<(String, String)>,
    background: Vec<Child>,
}

impl Reader {
    fn new() -> Self {
        let (scene, node) = (Scene::new(), Node::start());
        for folder in ["testdata", "examples"] {
            symlink(root().join(folder), scene.path(folder)).unwrap();
        }
        scene.write("work/anna.py", "print(sum(map(int, input().split())))\n");
        scene.write("work/bert.py", "print(3)\n");
        scene.write("work/carl.c", "int main(void) { return }\n");
        // What the block for root does.
        node.control(&["import_definitions", text(&root().join("deploy/rabbitmq/definitions.json"))]);
        for user in ["submitter", "worker", "reader", "operator"] {
            node.control(&["change_password", &format!("gavel-{user}"), &format!("secret-{user}")]);
        }
        Self { scene, node, environment: Vec::new(), background: Vec::new() }
    }

    fn broker(&self) -> String {
        format!("127.0.0.1:{}/gavel", self.node.port())
    }

    /// What a command says; of one in the background, until it has said so many lines.
    fn type_in(&mut self, command: &str, lines: usize) -> Vec<String> {
        let command = command.replace(READERS_BROKER, &self.broker());
        if let Some((name, value)) = command.strip_prefix("export ").and_then(|set| set.split_once('=')) {
            self.environment.push((name.to_owned(), value.to_owned()));
            return Vec::new();
        }
        let said = match command.strip_suffix(" &") {
            Some(command) => self.start(command, lines),
            None => console::run(&self.scene, &command, &self.environment),
        };
        let broker = self.broker();
        said.into_iter().map(|line| line.replace(&broker, "localhost:5672/gavel")).collect()
    }

    fn start(&mut self, command: &str, lines: usize) -> Vec<String> {
        let gavel = env!("CARGO_BIN_EXE_gavel");
        let command = command.replacen("gavel worker", &format!("exec {gavel} worker"), 1);
        // Variables before a command are not those of `exec`.
        let command = command.replacen(" exec ", "; exec ", 1);
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("set -a; {command} 2>&1")]).current_dir(self.scene.path(""));
        shell
            .env("GAVEL_CACHE", self.scene.path(".workers-cache"))
            .env("GAVEL_CORE_LOCKS", self.scene.path(".locks"));
        let mut child = shell.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        guardian::watch(&child);
        let mut stdout = child.stdout.take().unwrap();
        let (mut text, mut byte, begun) = (Vec::new(), [0], Instant::now());
        while as_a_reader_sees(&self.scene, &String::from_utf8_lossy(&text)).len() < lines
            || !text.ends_with(b"\n")
        {
            assert!(begun.elapsed() < PATIENCE && stdout.read(&mut byte).unwrap() == 1);
            text.push(byte[0]);
        }
        // It goes on writing: nobody may be told that the pipe is closed.
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        self.background.push(child);
        as_a_reader_sees(&self.scene, &String::from_utf8(text).unwrap())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        for child in &mut self.background {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn commands_of_the_documents_that_need_a_broker_say_what_is_written_there() {
    let mut reader = Reader::new();
    let mut differences = String::new();
    for name in ["README.md", "docs/submitting.md"] {
        let document = std::fs::read_to_string(root().join(name)).unwrap();
        for block in blocks(&document).into_iter().filter(|block| block.mark.starts_with("broker")) {
            assert!(["broker", "broker, any order"].contains(&block.mark.as_str()), "{name}: {}", block.mark);
            for step in block.steps {
                if let Some(file) =
                    step.command.strip_prefix("cat ").filter(|file| !reader.scene.path(file).exists())
                {
                    reader.scene.write(file, step.output.join("\n") + "\n");
                }
                let said = reader.type_in(&step.command, step.output.len());
                let is_same = if block.mark == "broker" { are_lines } else { are_lines_in_any_order };
                if !is_same(&step.output, &said) {
                    let _ = writeln!(
                        differences,
                        "{name}:{}: $ {}\n{}\n",
                        step.line + 1,
                        step.command,
                        said.join("\n")
                    );
                }
            }
        }
    }
    assert!(differences.is_empty(), "documents differ from what was said:\n\n{differences}");
}
