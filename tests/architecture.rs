//! Rules of the repository that a compiler does not keep: which layer may import which, and where `unsafe` is.

use std::fs;
use std::path::{Path, PathBuf};

/// Layers, lowest first; a file may import from its own layer's row and from the rows below.
///
/// `package` reads comparators' options into its model, so `checker` lies below it.
const LAYERS: &[&[&str]] = &[
    &["cancel", "units", "submission", "verdict", "report", "instruments", "nearest"],
    &["sandbox"],
    &["archive", "cache"],
    &["checker", "checktestdata"],
    &["language", "package"],
    &["judge"],
    &["workspace"],
    &["settings"],
    &["queue"],
    &["monitor"],
    &["cli", "commands"],
];

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).expect("src is readable") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

/// The top-level modules a file names after `crate::`, also in a braced list.
fn imported(text: &str) -> Vec<String> {
    let name =
        |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let mut modules = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => {
                let list = &list[..list.find("};").unwrap_or(list.len())];
                modules.extend(list.split(',').map(|item| name(item.trim())));
            }
            None => modules.push(name(rest)),
        }
    }
    modules
}

#[test]
fn imports_go_one_way() {
    let mut wrong = Vec::new();
    for path in sources(&root()) {
        let relative = path.strip_prefix(root()).expect("below src").to_string_lossy().into_owned();
        let module = relative.split(['/', '.']).next().unwrap_or_default();
        let Some(own) = layer(module) else {
            assert!(["lib", "main"].contains(&module), "{relative} belongs to no layer");
            continue;
        };
        let text = fs::read_to_string(&path).expect("a source file is text");
        for import in imported(&text) {
            if layer(&import).is_some_and(|other| other > own) {
                wrong.push(format!("{relative} imports {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "imports against the arrows:\n{}", wrong.join("\n"));
}

#[test]
fn what_reads_files_and_archives_knows_nothing_of_the_sandbox() {
    for module in ["archive", "checker", "checktestdata", "package"] {
        for path in sources(&root().join(module)) {
            let text = fs::read_to_string(&path).expect("a source file is text");
            let knows = imported(&text).iter().any(|import| import == "sandbox");
            assert!(!knows, "{} imports sandbox", path.display());
        }
    }
}

#[test]
fn unsafe_code_is_in_two_files() {
    let allowed = ["sandbox/sys/syscalls.rs", "sandbox/init/spawn.rs"];
    for path in sources(&root()) {
        let relative = path.strip_prefix(root()).expect("below src").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a source file is text");
        let allows = text.contains("allow(unsafe_code)");
        assert!(!allows || allowed.contains(&relative.as_str()), "{relative} allows unsafe code");
    }
}

/// What a process folder of `sandbox/` may import from another one: requests of its messages, the worker's end of the
/// keeper's connection, and, in the keeper, the box inits that it starts.
const PROCESS_IMPORTS: &[(&str, &[&str])] = &[
    ("sys", &[]),
    ("init", &["sys"]),
    ("keeper", &["sys", "init::process", "init::root"]),
    ("run", &["sys", "keeper::client", "keeper::message", "keeper::directories", "init::message"]),
    ("worker", &["sys", "keeper::client", "keeper::message"]),
];

#[test]
fn process_folders_of_the_sandbox_do_not_reach_into_each_other() {
    let mut wrong = Vec::new();
    for (folder, allowed) in PROCESS_IMPORTS {
        for path in sources(&root().join("sandbox").join(folder)) {
            let text = fs::read_to_string(&path).expect("a source file is text");
            for (at, _) in text.match_indices("crate::sandbox::") {
                let rest = &text[at + "crate::sandbox::".len()..];
                let end =
                    rest.find(|c: char| !(c.is_alphanumeric() || "_:".contains(c))).unwrap_or(rest.len());
                let import = &rest[..end];
                let other = import.split("::").next().unwrap_or_default();
                let is_process = PROCESS_IMPORTS.iter().any(|(name, _)| *name == other) && other != *folder;
                if is_process && !allowed.iter().any(|path| import.starts_with(path)) {
                    wrong.push(format!("{} imports {import}", path.display()));
                }
            }
            assert!(
                !text.contains("super::super::"),
                "{} reaches out of its folder by super::super",
                path.display()
            );
        }
    }
    assert!(wrong.is_empty(), "imports between the processes of the sandbox:\n{}", wrong.join("\n"));
}

#[test]
fn plain_data_does_no_input_or_output() {
    for module in LAYERS[0] {
        let text =
            fs::read_to_string(root().join(format!("{module}.rs"))).expect("a plain-data module is one file");
        for forbidden in ["std::fs", "std::io", "std::net", "std::process", "std::env"] {
            assert!(!text.contains(forbidden), "{module}.rs uses {forbidden}");
        }
    }
}

#[test]
fn the_main_function_stays_a_table_of_contents() {
    let lines = fs::read_to_string(root().join("main.rs")).expect("main.rs is text").lines().count();
    assert!(lines < 60, "main.rs has {lines} lines");
}

#[test]
fn every_attack_names_tests_that_exist() {
    let repository = root().parent().expect("src lies in the repository").to_owned();
    let read = |directory: &str| -> String {
        sources(&repository.join(directory)).iter().filter_map(|path| fs::read_to_string(path).ok()).collect()
    };
    let code = read("tests") + &read("src");
    let table =
        fs::read_to_string(repository.join("testdata/hostile/README.md")).expect("the table is readable");
    let rows = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| |"));
    let mut named = 0;
    for row in rows {
        // Only the last column names tests; a binary's name is shorter than any of them.
        let tests = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        for name in tests.split('`').skip(1).step_by(2).filter(|name| name.len() > 20) {
            assert!(
                code.contains(&format!("fn {name}(")),
                "testdata/hostile/README.md names the test {name}"
            );
            named += 1;
        }
    }
    assert!(named > 20, "only {named} tests were found in the table");
}
