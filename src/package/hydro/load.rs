//! Reads Hydro's format: a directory with `problem.yaml` and `testdata/`, as Hydro exports it, or the `testdata` folder itself.
//!
//! Read as its judge does (`packages/hydrojudge/src/cases.ts`, `flow.ts`, `checkers.ts`): `config.yaml` names limits,
//! checker and subtasks; without subtasks the names of the files say which test belongs to which. Of the task types,
//! `default` and `interactive` are judged. Checkers are those of testlib, Kattis, QDUOJ and HUSTOJ, and the built-in
//! `default` and `strict`.
//!
//! Statements, tags and what `problem.yaml` counts do not concern judging.

use std::time::Duration;

use super::config::{FOLDER, KEYS, memory, time};
use super::{programs, subtasks};
use crate::package::model::{
    Check, Format, Interaction, Objective, Package, PackageLimits, Scoring, Streams, TimeLimit,
};
use crate::package::shared::names::short_name;
use crate::package::source::diagnostics::Diagnostics;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::scope::Scope;
use crate::package::source::tree::{Entry, Kind, Tree, below, read_text};
use crate::package::source::yaml;
use crate::package::source::yaml::{Node, Value};
use crate::units::Bytes;

const PROBLEM: &str = "problem.yaml";
const CONFIGS: [&str; 2] = ["config.yaml", "config.yml"];

/// Limits of a problem that names none (`normalizeSubtasks`).
const TIME: Duration = Duration::from_secs(1);
const MEMORY: Bytes = Bytes::mib(256);

/// Returns whether the files in a directory are those of this format.
pub(crate) fn recognises(entries: &[Entry]) -> bool {
    let has = |name: &str, kind| Tree::find(entries, name).is_some_and(|entry| entry.kind == kind);
    let is_export = has(PROBLEM, Kind::File) && has(FOLDER, Kind::Directory) && !has("data", Kind::Directory);
    // sinol's `config.yml` stands beside folders of programs and tests.
    let is_testdata = CONFIGS.iter().any(|name| has(name, Kind::File))
        && !["prog", "in", "out", "doc"].iter().any(|name| has(name, Kind::Directory))
        && entries.iter().any(|entry| entry.ends_with(".in"));
    is_export || is_testdata
}

/// Loads the package at `tree`, whose own directory holds `entries`.
pub(crate) fn load(
    tree: &Tree,
    entries: &[Entry],
    diagnostics: &mut Diagnostics,
) -> Result<Package, PackageError> {
    let folder = Tree::find(entries, FOLDER).filter(|entry| entry.kind == Kind::Directory);
    let inside = folder.map(|folder| tree.entries(&folder.path, 1)).transpose()?;
    let files = inside.as_deref().unwrap_or(entries);
    let file = CONFIGS.iter().find_map(|name| Tree::find(files, name));
    if let Some(entry) = Tree::find(files, "config.ini").filter(|_| file.is_none()) {
        let supported =
            "supported today: config.yaml; Hydro itself converts config.ini when it is edited there";
        return Err(PackageError::unsupported(0, "", "config.ini", supported).in_file(&entry.path));
    }
    let root = match file {
        Some(file) => yaml::load(file, &below(tree.root(), &file.path), &mut diagnostics.warnings)?,
        None => Node { line: 0, value: Value::Map(Vec::new()) },
    };
    let path = file.map_or_else(|| tree.root().join(FOLDER), |file| file.path.clone());
    let map = root.map("").map_err(|error| error.in_file(&path))?;
    let scope = Scope::root(&path, map);
    diagnostics.unknown_keys(&below(tree.root(), &path), "", map, KEYS);
    for key in ["time_limit_rate", "memory_limit_rate"].iter().filter(|key| scope.get(key).is_some()) {
        diagnostics.warn(format!(
            "{}: {key}: not used: languages have factors of their own here",
            below(tree.root(), &path)
        ));
    }

    let time = diagnostics.keep(time(&scope, "time")).flatten().unwrap_or(TIME);
    let limits = PackageLimits {
        memory: diagnostics.keep(memory(&scope, "memory")).flatten().unwrap_or(MEMORY),
        ..PackageLimits::new(TimeLimit::Fixed(time))
    };
    let mut package = Package::new(short_name(tree.root()), tree.root().to_owned(), Format::Hydro, limits);
    if let Some(title) = title(entries) {
        package.title = title;
    }
    let programs = programs::Programs { tree, files, scope: &scope };
    let check = match kind(&scope)?.as_str() {
        "interactive" => {
            package.interaction = Interaction::Interactive(programs.interactor()?);
            Check::Interaction { arguments: Vec::new() }
        }
        _ => programs.check(&mut package)?,
    };
    package.streams = diagnostics.keep(streams(&scope)).unwrap_or_default();
    package.includes = diagnostics.keep(programs.includes()).unwrap_or_default();
    package.verification.input_validators.extend(diagnostics.keep(programs.validator()).flatten());
    package.scoring = Some(Scoring { objective: Objective::Maximise, precision: None });
    subtasks::read(tree, files, &scope, &check, &mut package, diagnostics)?;
    Ok(package)
}

/// `type`.
fn kind(scope: &Scope<'_>) -> Result<String, PackageError> {
    let supported = "supported today: default and interactive";
    let kind = scope.text("type")?.unwrap_or_else(|| "default".to_owned());
    if let Some(node) = scope.get("multi_pass").filter(|_| scope.flag("multi_pass")) {
        return Err(scope.unsupported(node, "multi_pass", "running a program in several passes", supported));
    }
    match (kind.as_str(), scope.get("type")) {
        ("default" | "interactive", _) | (_, None) => Ok(kind),
        (other, Some(node)) => {
            let found = format!("the problem type '{}'", one_line(other));
            Err(scope.unsupported(node, "type", found, supported))
        }
    }
}

/// `title` of `problem.yaml`: a text, or the first of several languages'.
fn title(entries: &[Entry]) -> Option<String> {
    let root = yaml::parse(&read_text(Tree::find(entries, PROBLEM)?).ok()?).ok()?;
    let (_, node) = root.map("").ok()?.iter().find(|(key, _)| key == "title")?;
    let text = match &node.value {
        Value::Map(languages) => languages.first()?.1.text("").ok()??,
        _ => node.text("").ok()??,
    };
    Some(one_line(text.trim())).filter(|text| !text.is_empty())
}

/// `filename`: a program reads `NAME.in` and writes `NAME.out`.
fn streams(scope: &Scope<'_>) -> Result<Streams, PackageError> {
    let Some(name) = scope.text("filename")?.filter(|name| !name.is_empty()) else {
        return Ok(Streams::default());
    };
    if name.contains(['/', '\0']) || name.starts_with('.') {
        let problem = format!("'{}' is no plain file name", one_line(&name));
        return Err(scope.wrong("filename", problem, "give a name without folders and without an ending"));
    }
    Ok(Streams { input_file: Some(format!("{name}.in")), output_file: Some(format!("{name}.out")) })
}
