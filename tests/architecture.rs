//! Rules of the repository that a compiler does not keep: which layer may import which, and where `unsafe` is.

use std::collections::{BTreeMap, BTreeSet};
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

/// Layers whose files import each other without circles.
const WITHOUT_CIRCLES: &[&str] = &["judge", "package", "sandbox"];

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

/// Returns the module of a source file: `["judge", "score", "tree"]` for `src/judge/score/tree.rs`.
fn module_of(file: &Path) -> Vec<String> {
    let relative = file.strip_prefix(root()).expect("below src").with_extension("");
    let mut names: Vec<String> =
        relative.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    if names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    names
}

/// Returns a file's code without comments, without its tests, and without the paths that visibilities name.
fn code_of(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("a source file is text");
    let code = text.find("#[cfg(test)]\nmod tests").map_or(text.as_str(), |tests| &text[..tests]);
    let code: Vec<&str> = code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    code.join("\n").replace("pub(in crate::", "pub(in ")
}

/// Returns the paths of a `use` tree: `a::b` and `a::c::d` for `a::{b, c::d}`.
fn expand_tree(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((prefix, list)) = tree.split_once('{') else {
        return vec![tree.split(" as ").next().unwrap_or_default().trim().to_owned()];
    };
    let list = list.strip_suffix('}').unwrap_or(list);
    let (mut depth, mut start, mut items) = (0, 0, Vec::new());
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(&list[start..]);
    let items = items.into_iter().filter(|item| !item.trim().is_empty());
    items.flat_map(expand_tree).map(|item| format!("{}{item}", prefix.trim())).collect()
}

/// Returns every path that a file names, in `use` declarations and in its code.
fn paths_of(code: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    for (at, _) in code.match_indices("use ") {
        if code[..at].chars().next_back().is_some_and(is_word) {
            continue;
        }
        let tree = &code[at + "use ".len()..];
        paths.extend(expand_tree(&tree[..tree.find(';').unwrap_or(0)]));
    }
    for (at, _) in code.match_indices("::") {
        let start = code[..at].rfind(|character| !is_word(character)).map_or(0, |before| before + 1);
        if code[..start].ends_with("::") {
            continue;
        }
        let end = code[at..].find(|character| !is_word(character) && character != ':');
        let path = &code[start..end.map_or(code.len(), |end| at + end)];
        // Before a brace, it is the beginning of a tree.
        if !path.ends_with("::") {
            paths.insert(path.to_owned());
        }
    }
    paths
}

/// Returns the file of the innermost module that a path names, seen from a module.
fn file_of_path(path: &str, from: &[String], files: &BTreeMap<Vec<String>, PathBuf>) -> Option<PathBuf> {
    let mut parts = path.split("::").map(str::trim).filter(|part| *part != "self").peekable();
    let mut module = from.to_vec();
    if parts.next_if_eq(&"crate").is_some() {
        module.clear();
    } else if parts.peek() == Some(&"super") {
        while parts.next_if_eq(&"super").is_some() {
            module.pop();
        }
    } else {
        // A path without either begins with a module below, or with what another `use` has brought in.
        module.push(parts.next()?.to_owned());
        if !files.contains_key(&module) {
            return None;
        }
    }
    for part in parts {
        module.push(part.to_owned());
        if !files.contains_key(&module) {
            module.pop();
            break;
        }
    }
    files.get(&module).cloned()
}

/// Returns which files a layer's files import, by file.
fn imports_within(layer: &str) -> BTreeMap<PathBuf, BTreeSet<PathBuf>> {
    let all = sources(&root());
    let files: BTreeMap<_, _> = all.iter().map(|file| (module_of(file), file.clone())).collect();
    let within = all.iter().filter(|file| module_of(file).first().is_some_and(|first| first == layer));
    within
        .map(|file| {
            let from = module_of(file);
            let paths = paths_of(&code_of(file));
            let imports = paths.iter().filter_map(|path| file_of_path(path, &from, &files));
            (file.clone(), imports.filter(|import| import != file).collect())
        })
        .collect()
}

/// Takes away files that import none of the others or are imported by none, until circles alone are left and the files
/// between them.
fn circles(mut imports: BTreeMap<PathBuf, BTreeSet<PathBuf>>) -> BTreeMap<PathBuf, BTreeSet<PathBuf>> {
    loop {
        let known: BTreeSet<PathBuf> = imports.keys().cloned().collect();
        imports.values_mut().for_each(|named| named.retain(|import| known.contains(import)));
        let before = imports.len();
        let imported: BTreeSet<PathBuf> = imports.values().flatten().cloned().collect();
        imports.retain(|file, named| !named.is_empty() && imported.contains(file));
        if imports.len() == before {
            return imports;
        }
    }
}

#[test]
fn files_of_a_layer_import_each_other_without_circles() {
    for layer in WITHOUT_CIRCLES {
        let imports = imports_within(layer);
        assert!(imports.values().any(|named| !named.is_empty()), "no import was read in '{layer}'");
        let left = circles(imports);
        let shown = left.iter().map(|(file, named)| {
            let short = |path: &PathBuf| path.strip_prefix(root()).expect("below src").display().to_string();
            format!("{} -> {}", short(file), named.iter().map(short).collect::<Vec<_>>().join(", "))
        });
        assert!(left.is_empty(), "circles in '{layer}':\n{}", shown.collect::<Vec<_>>().join("\n"));
    }
}

#[test]
fn circles_are_found_and_paths_are_read() {
    let code = "pub use a::{self, b::C, d};\nfn f() -> super::e::F { crate::g::h::I::new() }";
    let paths: Vec<String> = paths_of(code).into_iter().collect();
    for path in ["a::self", "a::b::C", "a::d", "super::e::F", "crate::g::h::I::new"] {
        assert!(paths.iter().any(|found| found == path), "{path} is not among {paths:?}");
    }
    let graph = |edges: &[(&str, &str)]| {
        let mut imports: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
        for (from, to) in edges {
            imports.entry(from.into()).or_default().insert(to.into());
            imports.entry(to.into()).or_default();
        }
        circles(imports).len()
    };
    assert_eq!(graph(&[("a", "b"), ("b", "c"), ("a", "c")]), 0);
    assert_eq!(graph(&[("a", "b"), ("b", "c"), ("c", "b")]), 2);
}

/// Folders of `src/package/` that are not formats: every format may import from them.
const NO_FORMATS: [&str; 4] = ["model", "source", "shared", "convert"];

#[test]
fn no_package_format_imports_another() {
    let package = root().join("package");
    let folders: Vec<String> = fs::read_dir(&package)
        .expect("src/package is readable")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let formats: Vec<_> = folders.iter().filter(|name| !NO_FORMATS.contains(&name.as_str())).collect();
    assert!(formats.len() > 10, "only {formats:?} were found");
    let mut wrong = Vec::new();
    for folder in &folders {
        for path in sources(&package.join(folder)) {
            let text = fs::read_to_string(&path).expect("a source file is text");
            for other in formats.iter().filter(|other| **other != folder) {
                let imports = ["crate::package::", "super::super::"]
                    .iter()
                    .any(|above| text.contains(&format!("{above}{other}::")));
                if imports {
                    wrong.push(format!("{} imports {other}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "what two formats need belongs to src/package/shared:\n{}", wrong.join("\n"));
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
