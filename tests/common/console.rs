//! Console blocks of documents, and how their output is compared with what a command says; see `console_blocks.rs`.
#![allow(dead_code)] // Every test file uses a part of it.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use fancy_regex::Regex;

use super::{Scene, text};

/// Where a reader keeps problems.
pub(crate) const READERS_PLACE: &str = "/srv/problems";
/// What a reader's host is called.
pub(crate) const READERS_HOST: &str = "judge-1";

/// Figures with their units.
static FIGURES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\d+(\.\d+)? (ms|s|B|KiB|MiB|GiB)\b|\b\d+(\.\d+)?s suggested|\b\d+ slots?\b|_ms\x22:[\d.]+|_kib\x22:\d+|,\d+(\.\d)?,\d{4},").unwrap()
});

/// A console block of a document.
pub(crate) struct Block {
    /// Lines of the document, the fences left out.
    pub(crate) first: usize,
    pub(crate) mark: String,
    pub(crate) steps: Vec<Step>,
}

pub(crate) struct Step {
    /// Line of the document.
    pub(crate) line: usize,
    pub(crate) command: String,
    pub(crate) output: Vec<String>,
}

/// Root of the repository.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The console blocks of a document.
pub(crate) fn blocks(document: &str) -> Vec<Block> {
    let lines: Vec<&str> = document.lines().collect();
    let mut blocks = Vec::new();
    let mut place = 0;
    while place < lines.len() {
        if lines[place].trim() != "```console" {
            place += 1;
            continue;
        }
        let before = lines[..place].iter().rev().find(|line| !line.trim().is_empty());
        let mark = before.and_then(|line| line.trim().strip_prefix("<!-- console: ")?.strip_suffix(" -->"));
        let mut block =
            Block { first: place + 1, mark: mark.unwrap_or_default().to_owned(), steps: Vec::new() };
        place += 1;
        while lines[place].trim() != "```" {
            let line = lines[place];
            if let Some(command) = line.strip_prefix("$ ").or_else(|| line.strip_prefix("# ")) {
                block.steps.push(Step { line: place, command: command.to_owned(), output: Vec::new() });
            } else {
                let step = block.steps.last_mut();
                step.unwrap_or_else(|| panic!("line {}: output without a command", place + 1))
                    .output
                    .push(line.to_owned());
            }
            place += 1;
        }
        blocks.push(block);
    }
    blocks
}

/// A line as it is compared.
fn normal(line: &str) -> String {
    let line = FIGURES.replace_all(line, "<figure>").into_owned();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a line is as documented, where `…` is any text.
pub(crate) fn is_line(expected: &str, actual: &str) -> bool {
    let (expected, actual) = (normal(expected), normal(actual));
    let mut parts = expected.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = actual.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(place) => rest = &rest[place + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Whether lines are as documented, where a line `…` is any lines.
pub(crate) fn are_lines(expected: &[String], actual: &[String]) -> bool {
    match expected.split_first() {
        None => actual.is_empty(),
        Some((gap, rest)) if gap.trim() == "…" => {
            (0..=actual.len()).any(|skipped| are_lines(rest, &actual[skipped..]))
        }
        Some((line, rest)) => actual
            .split_first()
            .is_some_and(|(first, others)| is_line(line, first) && are_lines(rest, others)),
    }
}

/// Whether every documented line is there.
pub(crate) fn are_lines_in_any_order(expected: &[String], actual: &[String]) -> bool {
    let mut left = actual.to_vec();
    expected.iter().filter(|line| line.trim() != "…").all(|line| {
        let found = left.iter().position(|actual| is_line(line, actual));
        found.map(|place| left.remove(place)).is_some()
    })
}

/// What depends on the machine and is no part of what a command says.
pub(crate) fn is_incidental(line: &str) -> bool {
    let progress = line.contains(", as expected (") || line.contains(" after ") && line.contains(" s: ");
    progress || line.contains("without a core of its own") || line.contains("no cgroup may be used here")
}

/// What a command says in a scene, as a reader's machine would say it.
pub(crate) fn run(scene: &Scene, command: &str, environment: &[(String, String)]) -> Vec<String> {
    let directory = std::path::Path::new(env!("CARGO_BIN_EXE_gavel")).parent().unwrap();
    let path = format!("{}:{}", text(directory), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("{command} 2>&1")]).current_dir(scene.path("")).stdin(Stdio::null());
    shell.env("PATH", path).env("GAVEL_CACHE", scene.path(".cache"));
    shell.env("GAVEL_CORE_LOCKS", scene.path(".locks")).env("HOME", scene.path(".home")).env("NO_COLOR", "1");
    let output = shell.envs(environment.iter().cloned()).output().unwrap();
    as_a_reader_sees(scene, &String::from_utf8(output.stdout).unwrap())
}

/// Lines without what depends on the machine.
pub(crate) fn as_a_reader_sees(scene: &Scene, said: &str) -> Vec<String> {
    let host = nix::unistd::gethostname().unwrap().into_string().unwrap();
    let place = scene.path("");
    let said = said.replace(text(&place).trim_end_matches('/'), READERS_PLACE).replace(&host, READERS_HOST);
    said.lines().filter(|line| !is_incidental(line)).map(ToOwned::to_owned).collect()
}
