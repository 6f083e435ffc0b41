//! Recognises the format of a directory, loads it, and finds the packages below one.

use std::path::{Path, PathBuf};

use super::model::Package;
use super::shared::gavel_toml;
use super::source::derived::DerivedFiles;
use super::source::diagnostics::Diagnostics;
use super::source::error::{PackageError, one_line};
use super::source::tree::{Entry, Kind, Tree, read_text};
use super::source::yaml;
use super::{cms, dmoj, folder, hydro, icpc, kattis, library_checker, polygon, qduoj, sinol, uoj};

/// Files that mean the legacy ICPC/Kattis format.
const KATTIS: [&str; 2] = ["problem.yaml", "domjudge-problem.ini"];

/// Packages lie at most this many folders below the directory that is searched.
const DISCOVERY_DEPTH: usize = 4;

/// Loads the package in a directory.
///
/// # Errors
/// When there is no package, it is broken, or it asks for what is not supported.
pub fn load(path: &Path) -> Result<Package, PackageError> {
    load_with(path, None)
}

/// As [`load`], with a cache for derived files.
pub(super) fn load_with(path: &Path, derived: Option<&DerivedFiles>) -> Result<Package, PackageError> {
    let mut diagnostics = Diagnostics::default();
    let mut package = read(path, derived, &mut diagnostics)?;
    if let Some(first) = diagnostics.take_errors().into_iter().next() {
        return Err(first);
    }
    package.warnings.append(&mut diagnostics.warnings);
    let left_out = diagnostics.take_errors_of_verification();
    package.warnings.extend(left_out.iter().map(|error| format!("left out: {error}")));
    Ok(package)
}

/// Finds all errors of a package, and returns the package as far as it could be read.
pub(super) fn check(
    path: &Path,
    derived: Option<&DerivedFiles>,
) -> (Option<Package>, Vec<PackageError>, Vec<String>) {
    let mut diagnostics = Diagnostics::default();
    let read = read(path, derived, &mut diagnostics);
    let mut warnings = std::mem::take(&mut diagnostics.warnings);
    let package = diagnostics.keep(read).map(|mut package| {
        warnings.append(&mut package.warnings);
        package
    });
    let mut errors = diagnostics.take_errors();
    errors.append(&mut diagnostics.take_errors_of_verification());
    (package, errors, warnings)
}

/// Reads a package; collects the errors that do not prevent reading the rest.
fn read(
    path: &Path,
    derived: Option<&DerivedFiles>,
    diagnostics: &mut Diagnostics,
) -> Result<Package, PackageError> {
    let tree = Tree::open(path)?;
    let entries = tree.entries(tree.root(), 0)?;
    let own = Tree::find(&entries, gavel_toml::FILE).map(gavel_toml::read).transpose()?;
    let mut package = read_format(&tree, entries, derived, diagnostics)?;
    package.feedback = own.and_then(|own| own.feedback);
    Ok(package)
}

/// Reads a package in the format that its files say it has.
fn read_format(
    tree: &Tree,
    entries: Vec<Entry>,
    derived: Option<&DerivedFiles>,
    diagnostics: &mut Diagnostics,
) -> Result<Package, PackageError> {
    if Tree::find(&entries, dmoj::FILE).is_some() {
        return dmoj::load(tree, &entries, derived, diagnostics);
    }
    if library_checker::recognises(&entries) {
        return library_checker::load(tree, &entries, derived, diagnostics);
    }
    if qduoj::recognises(&entries) {
        return qduoj::load(tree, &entries, derived, diagnostics);
    }
    if cms::recognises(&entries) {
        return cms::load(tree, &entries, diagnostics);
    }
    if sinol::recognises(&entries) {
        return sinol::load(tree, &entries, diagnostics);
    }
    if uoj::recognises(&entries) {
        return uoj::load(tree, &entries, diagnostics);
    }
    if hydro::recognises(&entries) {
        return hydro::load(tree, &entries, diagnostics);
    }
    if KATTIS.iter().any(|name| Tree::find(&entries, name).is_some()) {
        return match version(&entries)? {
            Some(version) if icpc::reads(&version) => {
                icpc::load(tree, &entries, &version, derived, diagnostics)
            }
            _ => kattis::load(tree, &entries, derived, diagnostics),
        };
    }
    if let Some(entry) = Tree::find(&entries, polygon::FILE) {
        return polygon::load(tree, entry);
    }
    if !holds_tests(&entries) && has_data(tree, &entries)? {
        return kattis::load(tree, &entries, derived, diagnostics);
    }
    refuse_several(tree, &entries)?;
    folder::refuse(tree, &entries)?;
    folder::load(tree, entries)
}

/// Refuses a directory that holds problems in folders below it: it is no problem itself.
fn refuse_several(tree: &Tree, entries: &[Entry]) -> Result<(), PackageError> {
    /// The most that are named.
    const NAMED: usize = 5;
    let mut found = Vec::new();
    search(tree, Path::new(""), entries, 1, &mut found)?;
    let marked: Vec<_> = found.iter().filter(|candidate| candidate.marked).collect();
    let names: Vec<_> =
        marked.iter().take(NAMED).map(|candidate| one_line(&candidate.path.to_string_lossy())).collect();
    let (noun, more) = (
        if marked.len() == 1 { "problem" } else { "problems" },
        if marked.len() > NAMED { ", ..." } else { "" },
    );
    match marked.len() {
        0 => Ok(()),
        count => Err(PackageError::NotAPackage {
            path: tree.root().to_owned(),
            problem: format!("it holds {count} {noun}: {}{more}", names.join(", ")),
            remedy: "name one",
        }),
    }
}

/// `problem_format_version` of `problem.yaml`, where there is one.
fn version(entries: &[Entry]) -> Result<Option<String>, PackageError> {
    const KEY: &str = "problem_format_version";
    let Some(entry) = Tree::find(entries, "problem.yaml") else { return Ok(None) };
    let version = || {
        let root = yaml::parse(&read_text(entry)?)?;
        let found = root.map("")?.iter().find(|(key, _)| key == KEY);
        found.map(|(_, node)| node.text(KEY)).transpose()
    };
    Ok(version().map_err(|error| error.in_file(&entry.path))?.flatten())
}

/// The packages at or below a directory, in order of names.
///
/// A directory is a package itself when it holds a format's own file, a `submissions` folder or `*.in` files,
/// or when nothing below it is one of these: then it is a folder of folders of tests.
///
/// # Errors
/// When the directory cannot be read, or there is nothing like a package in it.
pub fn discover(path: &Path) -> Result<Vec<PathBuf>, PackageError> {
    let tree = Tree::open(path)?;
    let entries = tree.entries(tree.root(), 0)?;
    let paired = folder::folders(&entries).is_some() || folder::any(&entries);
    if is_marked(&entries) || paired {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    search(&tree, path, &entries, 1, &mut found)?;
    // An input without an answer beside packages is none: `contest.yaml.in`.
    if found.iter().any(|candidate| candidate.marked) {
        return Ok(found.into_iter().map(|candidate| candidate.path).collect());
    }
    if !found.is_empty() || holds_tests(&entries) {
        return Ok(vec![path.to_owned()]);
    }
    Err(PackageError::NotAPackage {
        path: path.to_owned(),
        problem: "there is no problem package in it".to_owned(),
        remedy: "name a package, or a directory of packages",
    })
}

/// Whether there is `data/sample` or `data/secret`: a package that lost, or never had, its `problem.yaml`.
fn has_data(tree: &Tree, entries: &[Entry]) -> Result<bool, PackageError> {
    let Some(data) = Tree::find(entries, "data").filter(|entry| entry.kind == Kind::Directory) else {
        return Ok(false);
    };
    let inside = tree.entries(&data.path, 1)?;
    Ok(["sample", "secret"].iter().any(|name| Tree::find(&inside, name).is_some()))
}

struct Candidate {
    path: PathBuf,
    marked: bool,
}

fn search(
    tree: &Tree,
    path: &Path,
    entries: &[Entry],
    depth: usize,
    found: &mut Vec<Candidate>,
) -> Result<(), PackageError> {
    if depth > DISCOVERY_DEPTH {
        return Ok(());
    }
    for entry in entries.iter().filter(|entry| entry.kind == Kind::Directory && !entry.is_hidden()) {
        let inside = tree.entries(&entry.path, depth)?;
        let path = path.join(&entry.name);
        let marked = is_marked(&inside);
        if marked || folder::any(&inside) {
            found.push(Candidate { path, marked });
            continue;
        }
        let before = found.len();
        search(tree, &path, &inside, depth + 1, found)?;
        // An input without an answer beside packages is none, here as at the top.
        let is_marked_below = found.iter().skip(before).any(|candidate| candidate.marked);
        if holds_tests(&inside) && !is_marked_below {
            found.truncate(before);
            found.push(Candidate { path, marked });
        }
    }
    Ok(())
}

fn is_marked(entries: &[Entry]) -> bool {
    let names = KATTIS.iter().chain(&["submissions", dmoj::FILE, cms::FILE, polygon::FILE]);
    library_checker::recognises(entries)
        || hydro::recognises(entries)
        || sinol::recognises(entries)
        || uoj::recognises(entries)
        || qduoj::recognises(entries)
        || names.into_iter().any(|name| Tree::find(entries, name).is_some())
}

fn holds_tests(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| entry.ends_with(".in") && !entry.is_hidden())
}
