//! The console blocks of README and docs are what gavel says: each is run as a reader would type it.
//!
//! A block ` ```console ` has commands (`$ …`) with their output. A line `…` stands for any lines, `…` in a line for any
//! text; times, sizes and slots are compared as figures of any value, white space as one space. A file that a block
//! shows with `cat` is written first. A comment in the line before a block changes that: `<!-- console: any order -->` for
//! output of several threads, `<!-- console: broker -->` for what `client/console.rs` runs with a broker,
//! `<!-- console: not run, REASON -->` for the rest.
//!
//! `GAVEL_UPDATE_DOCS=1 cargo test --test cli console_blocks::` writes what was said into the documents, but for commands
//! whose output has `…`.

use std::fmt::Write as _;
use std::path::Path;

use crate::common::Scene;
use crate::common::console::{are_lines, are_lines_in_any_order, blocks, is_line, root, run};

/// What a reader has before he begins.
fn furnish(scene: &Scene) {
    std::os::unix::fs::symlink(root().join("testdata"), scene.path("testdata")).unwrap();
    for (name, content) in [
        ("folder/1.in", "1 2\n"),
        ("folder/1.ans", "3\n"),
        ("folder/2.in", "2000000000 2000000000\n"),
        ("folder/2.ans", "4000000000\n"),
        (
            "wrong.cpp",
            "#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << int(unsigned(a) + b) << '\\n'; }\n",
        ),
        (
            "broken/init.yml",
            "chekcer: standard\ntest_cases:\n- {in: no.in, out: no.out, points: many}\n- {batched: 5}\n",
        ),
        ("class/anna.py", "a, b = map(int, input().split())\nprint(a + b)\n"),
        ("class/bert.py", "print(3)\n"),
        ("class/carl/report.pdf", "%PDF-1.4\n"),
    ] {
        scene.write(name, content);
    }
    let minimal = std::fs::read(root().join("deploy/examples/worker-minimal.toml")).unwrap();
    scene.write("worker-minimal.toml", minimal);
}

/// Runs the blocks of a document; returns what differs.
fn check(name: &str) -> String {
    let path = root().join(name);
    let document = std::fs::read_to_string(&path).unwrap();
    let scene = Scene::new();
    furnish(&scene);
    let mut differences = String::new();
    let mut lines: Vec<String> = document.lines().map(ToOwned::to_owned).collect();
    let mut replaced = Vec::new();
    for block in blocks(&document) {
        assert!(!block.steps.is_empty(), "{name}:{}: a block without a command", block.first);
        if block.mark.starts_with("not run, ") || block.mark.starts_with("broker") {
            continue;
        }
        assert!(
            ["", "any order"].contains(&block.mark.as_str()),
            "{name}:{}: mark '{}'",
            block.first,
            block.mark
        );
        for step in block.steps {
            if let Some(file) = step.command.strip_prefix("cat ").filter(|file| !scene.path(file).exists()) {
                scene.write(file, step.output.join("\n") + "\n");
            }
            let said = run(&scene, &step.command, &[]);
            let is_same = if block.mark == "any order" { are_lines_in_any_order } else { are_lines };
            if is_same(&step.output, &said) {
                continue;
            }
            let _ =
                writeln!(differences, "{name}:{}: $ {}\n{}\n", step.line + 1, step.command, said.join("\n"));
            if !step.output.iter().any(|line| line.contains('…')) {
                replaced.push((step.line + 1, step.output.len(), said));
            }
        }
    }
    if std::env::var_os("GAVEL_UPDATE_DOCS").is_some() {
        for (first, count, said) in replaced.into_iter().rev() {
            lines.splice(first..first + count, said);
        }
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    }
    differences
}

#[test]
fn commands_in_the_documents_say_what_is_written_there() {
    let mut differences = String::new();
    let docs = std::fs::read_dir(root().join("docs")).unwrap().flatten();
    let mut names: Vec<String> =
        docs.map(|entry| format!("docs/{}", entry.file_name().to_str().unwrap())).collect();
    names.push("README.md".to_owned());
    names.sort();
    for name in names.iter().filter(|name| Path::new(name).extension().is_some_and(|ending| ending == "md")) {
        differences.push_str(&check(name));
    }
    assert!(differences.is_empty(), "documents differ from what was said:\n\n{differences}");
}

#[test]
fn lines_are_compared_by_what_they_say() {
    let lines = |text: &str| text.lines().map(ToOwned::to_owned).collect::<Vec<_>>();
    assert!(is_line(" a  AC   0.6 ms  10.2 MiB", "a AC 12 ms 3.0 MiB"));
    assert!(is_line("{\"id\":1,…,\"x\":\"…\"}", "{\"id\":1,\"y\":2,\"x\":\"z\"}"));
    assert!(!is_line("a AC", "a WA") && !is_line("a", "a b") && !is_line("a…b", "a"));
    assert!(are_lines(&lines("a\n…\nd"), &lines("a\nb\nc\nd")));
    assert!(!are_lines(&lines("a\n…\nd"), &lines("a\nb")));
    assert!(are_lines_in_any_order(&lines("b\n…\na"), &lines("a\nc\nb")));
    assert!(!are_lines_in_any_order(&lines("a\na"), &lines("a\nb")));
}

#[test]
fn the_readme_counts_recordings_and_packages_as_they_are() {
    use std::collections::BTreeSet;
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (mut languages, mut problems, mut verdicts) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for entry in std::fs::read_dir(root().join("testdata/recorded")).unwrap().flatten() {
        let recorded: serde_json::Value =
            serde_json::from_slice(&std::fs::read(entry.path()).unwrap()).unwrap();
        languages.insert(recorded["language"].as_str().unwrap().to_owned());
        problems.extend(recorded["problem"]["ref"].as_str().map(ToOwned::to_owned));
        verdicts.insert(recorded["meta"]["expected"].as_str().unwrap().to_owned());
    }
    let counts = format!(
        "{} languages, {} problems, every verdict a contestant can earn but SV",
        languages.len(),
        problems.len()
    );
    assert!(readme.contains(&counts), "{counts}");
    assert_eq!(
        verdicts.into_iter().collect::<Vec<_>>(),
        ["AC", "CE", "MLE", "OLE", "RTE", "TLE", "WA", "WTL"]
    );
    let packages = std::fs::read_dir(root().join("testdata/packages")).unwrap().count();
    assert!(readme.contains(&format!("for {packages} packages")), "{packages}");
}
