//! Reads DMOJ's format: a directory with `init.yml`.
//!
//! Read as the judge itself does (`dmoj/problem.py`, `dmoj/config.py`, 4.1), which is more than
//! <https://docs.dmoj.ca/#/problem_format/problem_format> says:
//! - a key that a case does not have is looked for in its batch and then at the top level, whatever key it is;
//! - a file is looked for in the directory first, and then in the archive;
//! - in texts, line ends become `\n`, and a last line gets one, unless `binary_data` is set;
//! - a `generator` writes the input of a case to its standard output, and the answer to its standard error;
//! - cases without `in` have an empty input, cases without `out` an empty answer;
//! - `unbuffered` takes the buffer from standard output, as far as the language has a way; interactors have none unless
//!   they ask for one;
//! - a batch is over at its first failure, and nothing is run after a failed case or batch of no points;
//! - `hints: [nobigmath]` forbids `java.math`, whose classes the judge's Java agent does not let a program load; here
//!   compiled classes that name them are not run;
//! - `tests/NAME/test.yml`, what the judge's own test suite reads, says what submissions must get, case by case.
//!
//! - a batch of which nothing is wrong but in part lets those be run that depend on it;
//! - what a checker finds right in part is AC there, with fewer points; here it is WA with these points, so that a test of
//!   the suite that names scores (`score`, `score_cases`) accepts both.
//!
//! Limits are not in the format: the site has them. Those at the top level (`time_limit` in seconds, `memory_limit` in
//! KiB) are taken, else the largest of the test suite's (`time`, `memory`), else two seconds and 256 MiB. Each submission
//! of the suite is verified under its own.
//!
//! Refused by name: graders (`custom_judge`) that ask for what the program used or how it ended, keys computed by Python code
//! (`test_cases++`), limits of single cases, `linematches`.

use std::time::Duration;

use super::data::ProblemData;
use super::keys::{FILE, KEYS, LONGEST};
use super::{cases, grader, interaction, suite};
use crate::package::model::{Format, Package, PackageLimits, Scoring, Streams, TimeLimit};
use crate::package::shared::names::short_name;
use crate::package::source::derived::DerivedFiles;
use crate::package::source::diagnostics::Diagnostics;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::scope::Scope;
use crate::package::source::tree::{Entry, Tree};
use crate::package::source::yaml;
use crate::units::Bytes;

/// CPU limit of a problem whose limits only a site knows.
const TIME: Duration = Duration::from_secs(2);
/// Its memory limit.
const MEMORY: Bytes = Bytes::mib(256);
/// `output_limit_length`, where it is not given (`ProblemConfig`).
const OUTPUT: f64 = 25_165_824.0;
/// `wall_time_factor`, where it is not given.
const WALL_FACTOR: f64 = 3.0;
/// Loads the package at `tree`, whose own directory holds `entries`.
pub(crate) fn load(
    tree: &Tree,
    entries: &[Entry],
    derived: Option<&DerivedFiles>,
    diagnostics: &mut Diagnostics,
) -> Result<Package, PackageError> {
    let file = Tree::find(entries, FILE).ok_or_else(|| not_here(tree))?;
    let root = yaml::load(file, FILE, &mut diagnostics.warnings)?;
    let map = root.map("").map_err(|error| error.in_file(&file.path))?;
    if map.is_empty() {
        return Err(PackageError::value(
            0,
            "test_cases",
            "there is nothing in the file",
            "name the test cases",
        )
        .in_file(&file.path));
    }
    let scope = Scope::root(&file.path, map);
    scope.refuse_code()?;
    diagnostics.unknown_keys(FILE, "", map, KEYS);
    let mut data = ProblemData::open(tree, &scope, derived)?;
    let suite = suite::read(tree, entries, diagnostics)?;
    let limits = limits(&scope, &suite, diagnostics)?;

    let name = short_name(tree.root());
    let mut package = Package::new(name, tree.root().to_owned(), Format::Dmoj, limits);
    package.scoring = Some(Scoring { objective: Default::default(), precision: None });
    package.parts_pass = true;
    package.unbuffered = scope.flag("unbuffered");
    package.no_big_math = hints(&scope, diagnostics);
    let interaction = interaction::read(&scope, tree, &package.limits, diagnostics);
    if let Some(interaction) = diagnostics.keep(interaction) {
        package.interaction = interaction;
    }
    let streams = streams(&scope, diagnostics);
    if let Some(streams) = diagnostics.keep(streams) {
        package.streams = streams;
    }
    let grader = grader::read(&scope, tree, &mut data, &package.streams);
    if let Some(Some(grader)) = diagnostics.keep(grader) {
        package.interaction = grader;
    }
    let includes = interaction::signature(&scope, &data, diagnostics);
    if let Some(includes) = diagnostics.keep(includes) {
        package.includes = includes;
    }
    cases::read(&scope, tree, &mut data, &mut package, diagnostics)?;
    data.place(&mut package)?;
    package.submissions = suite.submissions(&package, diagnostics);
    Ok(package)
}

/// `hints`: whether Java's big numbers are forbidden.
fn hints(scope: &Scope<'_>, diagnostics: &mut Diagnostics) -> bool {
    let Some(node) = scope.get("hints") else { return false };
    let hints = diagnostics.keep(scope.texts(node, "hints")).unwrap_or_default();
    for hint in hints.iter().filter(|hint| !["nobigmath", "unicode", "unsafe"].contains(&hint.as_str())) {
        diagnostics.warn(format!(
            "{FILE}:{}: hints: '{}' is not known and is ignored",
            node.line,
            one_line(hint)
        ));
    }
    hints.iter().any(|hint| hint == "nobigmath")
}

fn limits(
    scope: &Scope<'_>,
    suite: &suite::Suite,
    diagnostics: &mut Diagnostics,
) -> Result<PackageLimits, PackageError> {
    let time = match scope.number("time_limit", 0.0..=LONGEST)? {
        Some(seconds) => Some(Duration::from_secs_f64(seconds)),
        None => suite.time,
    };
    const LARGEST: f64 = (1u64 << 30) as f64;
    let memory = match scope.number("memory_limit", 1.0..=LARGEST)? {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
        Some(kib) => Some(Bytes::kib(kib as u64)),
        None => suite.memory,
    };
    if time.is_none() {
        diagnostics.warn(format!(
            "{FILE}: time_limit: there is none, as the site keeps it: {} s assumed; give one, in seconds",
            TIME.as_secs()
        ));
    }
    let time = time.unwrap_or(TIME).max(Duration::from_millis(1));
    let factor = scope.number("wall_time_factor", 1.0..=1000.0)?.unwrap_or(WALL_FACTOR);
    let output = scope.number("output_limit_length", 0.0..=1e12)?.unwrap_or(OUTPUT);
    Ok(PackageLimits {
        wall: Some(time.mul_f64(factor)),
        memory: memory.unwrap_or(MEMORY),
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
        output: Bytes(output as u64),
        ..PackageLimits::new(TimeLimit::Fixed(time))
    })
}

/// `file_io: {input: NAME, output: NAME}`.
fn streams(scope: &Scope<'_>, diagnostics: &mut Diagnostics) -> Result<Streams, PackageError> {
    let Some(node) = scope.get("file_io") else { return Ok(Streams::default()) };
    let inner = scope.inside(node, "file_io")?;
    diagnostics.unknown_keys(FILE, "file_io", inner.own(), &["input", "output"]);
    let name = |key: &str| -> Result<Option<String>, PackageError> {
        let Some(name) = inner.own_text(key)? else { return Ok(None) };
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
            return Err(inner.wrong(
                key,
                format!("'{name}' is no plain file name"),
                "name a file, without folders",
            ));
        }
        Ok(Some(name))
    };
    Ok(Streams { input_file: name("input")?, output_file: name("output")? })
}

fn not_here(tree: &Tree) -> PackageError {
    PackageError::NotAPackage {
        path: tree.root().to_owned(),
        problem: format!("there is no {FILE} in it"),
        remedy: "name the directory of a DMOJ problem",
    }
}
