//! Reads packages of Polygon (<https://polygon.codeforces.com>): `problem.xml` and the files that it names.
//!
//! There is no published specification; this follows what Polygon's packages hold and what tools that read them do with
//! it. What is decided here:
//! - The testset `tests` is judged, or the only one; others (`pretests`) are named in a warning.
//! - A checker called `std::NAME.cpp` is gavel's own of that name; every other is compiled, with the headers of its folder
//!   and of `files/`. Checkers, interactors and validators are testlib's.
//! - Points make a problem with scores: those of tests are added; a group with the policy `complete-group` gives its
//!   points for all of its tests or none. Where no test has any and the checker calls `quitp`, its points are added, and
//!   an output with any is accepted. A group whose dependencies did not pass is not run.
//! - A tag of a solution is about its final verdict, an extra tag about the tests of a group. `presentation-error` is a
//!   wrong answer, as everywhere in gavel.
//! - Validators get `--testset` and `--group`, as Polygon calls them.
//! - Standard packages leave tests out that their scripts make: inputs are made by the commands of `problem.xml`, answers by
//!   the solution with the tag `main`, with the interactor where there is one.
//!
//! | file | what it reads |
//! |---|---|
//! | `document` | the XML: elements, attributes, lines |
//! | `testset` | tests, groups and points |
//! | `points` | whether the checker gives points |
//! | `programs` | checker, interactor, validators, generators, what is compiled with submissions |
//! | `solutions` | solutions and their tags |

use super::document::Element;
use super::{document, points, programs, solutions, testset};
use crate::package::model::{
    Check, CheckerProgram, Format, GeneratedAnswer, GeneratedData, GeneratedTest, Interaction, Interactor,
    Package, PackageLimits, ProgramLimits, Streams, TimeLimit, Verification,
};
use crate::package::shared::names::short_name;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::tree::{Entry, Tree, read_text_at_most};

use crate::checker::Comparator;
use crate::checker::{CustomScore, Protocol, TestlibChecker};
use crate::units::Bytes;

/// A problem with ten thousand tests has some megabytes.
const LONGEST: u64 = 16 << 20;

/// The output limit of Codeforces.
const OUTPUT: Bytes = Bytes::mib(256);

/// Codeforces takes 64 KiB; tables in jury solutions are larger.
const CODE: Bytes = Bytes::mib(1);

/// Loads the package at `tree`, whose file `problem.xml` is `entry`.
pub(crate) fn load(tree: &Tree, entry: &Entry) -> Result<Package, PackageError> {
    let text = read_text_at_most(entry, LONGEST)?;
    let in_file = |error: PackageError| error.in_file(&entry.path);
    let document = document::parse(&text).map_err(in_file)?;
    read(tree, document.root().map_err(in_file)?).map_err(in_file)
}

/// Checks what can be checked of a `problem.xml` without its package; for fuzzing.
///
/// # Errors
/// When it is no XML, or no problem.
pub fn parse_problem_xml(text: &str) -> Result<(), PackageError> {
    let document = document::parse(text)?;
    let root = document.root()?;
    let mut warnings = Vec::new();
    let judging = root.required("judging")?;
    let set = testset::choose(&judging, &mut warnings)?;
    testset::limits(&set)?;
    testset::read_groups(&set)?;
    solutions::tags(&root)?;
    Ok(())
}

fn read(tree: &Tree, root: Element<'_, '_>) -> Result<Package, PackageError> {
    let mut warnings = Vec::new();
    let judging = root.required("judging")?;
    let set = testset::choose(&judging, &mut warnings)?;
    let (time, memory) = testset::limits(&set)?;
    let limits =
        PackageLimits { memory, output: OUTPUT, code: CODE, ..PackageLimits::new(TimeLimit::Fixed(time)) };
    let directory = tree.root().to_owned();
    let assets = root.child("assets");
    let files = programs::Files::new(tree)?;
    let mut package = Package {
        title: title(&root).unwrap_or_else(|| short_name(tree.root())),
        streams: streams(&judging)?,
        ..Package::new(short_name(tree.root()), directory, Format::Polygon, limits)
    };
    package.verification = Verification {
        generators: programs::generators(&root, &files)?,
        input_validators: programs::validators(assets.as_ref(), &files, &mut warnings)?,
        ..Verification::default()
    };
    let missing = testset::fill(&mut package, tree, &set)?;
    let scores = if package.scoring.is_some() { CustomScore::Allowed } else { CustomScore::Refused };
    check(&mut package, &root, &files, scores, &mut warnings)?;
    points::score_by_points_of_the_checker(&mut package)?;
    package.includes = programs::included(&root, &files, &mut warnings)?;
    if !missing.is_empty() {
        package.generated = Some(made(&package, missing, &root, &files)?);
    }
    if let Some(assets) = &assets {
        package.submissions = solutions::read(assets, tree, &set.name(), &mut warnings)?;
    }
    programs::cases(&mut package.verification, assets.as_ref(), tree, &mut warnings)?;
    package.warnings.append(&mut warnings);
    Ok(package)
}

/// Plans the files that a standard package leaves to its programs.
fn made(
    package: &Package,
    missing: Vec<testset::Missing>,
    root: &Element<'_, '_>,
    files: &programs::Files<'_>,
) -> Result<GeneratedData, PackageError> {
    let mut data =
        GeneratedData { generators: package.verification.generators.clone(), ..GeneratedData::default() };
    data.solution_limits = package.limits.raised_for_solution(data.solution_limits);
    // An interactor writes the answer while it talks with the main solution.
    let answer = match package.interaction {
        Interaction::None => GeneratedAnswer::Solution(0),
        _ => GeneratedAnswer::Interactor(0),
    };
    if missing.iter().any(|one| one.answer) {
        data.solutions.push(programs::main_solution(root, files, &package.includes)?);
    }
    data.tests = missing
        .into_iter()
        .map(|one| GeneratedTest {
            test: one.test,
            origin: one.origin,
            input: one.input,
            answer: one.answer.then(|| answer.clone()),
        })
        .collect();
    Ok(data)
}

/// The English name, or the first.
fn title(root: &Element<'_, '_>) -> Option<String> {
    let names = root.child("names")?;
    let all: Vec<_> = names.children("name").collect();
    let english = all.iter().find(|name| name.attribute("language") == Some("english"));
    let name = english.or(all.first())?.attribute("value")?;
    Some(one_line(name.trim())).filter(|name| !name.is_empty())
}

/// Names of input and output files; `stdin`, `stdout` and nothing are the standard streams.
fn streams(judging: &Element<'_, '_>) -> Result<Streams, PackageError> {
    let name = |attribute: &str, standard: &str| {
        let Some(name) = judging.attribute(attribute).map(str::trim) else { return Ok(None) };
        if name.is_empty() || name == standard {
            return Ok(None);
        }
        if name.contains('/') || name.chars().any(char::is_control) || matches!(name, "." | "..") {
            return Err(judging.wrong(
                attribute,
                format!("'{}' is no name of a file", one_line(name)),
                "give a name without folders, or none",
            ));
        }
        Ok(Some(name.to_owned()))
    };
    Ok(Streams { input_file: name("input-file", "stdin")?, output_file: name("output-file", "stdout")? })
}

/// Reads the checker.
fn check(
    package: &mut Package,
    root: &Element<'_, '_>,
    files: &programs::Files<'_>,
    scores: CustomScore,
    warnings: &mut Vec<String>,
) -> Result<(), PackageError> {
    let assets = root.required("assets")?;
    let limits = ProgramLimits { output: OUTPUT, ..ProgramLimits::default() };
    if let Some(interactor) = assets.child("interactor") {
        let program = files.program(&interactor, warnings)?;
        package.interaction = Interaction::Interactive(Interactor {
            program,
            protocol: Protocol::Testlib,
            call: None,
            limits,
            scores,
            unbuffered: false,
        });
    }
    let check = match assets.child("checker") {
        None if package.interaction != Interaction::None => Check::Interaction { arguments: Vec::new() },
        None => return Err(assets.wrong("checker", "it is missing".to_owned(), "set a checker in Polygon")),
        Some(checker) => {
            let name = checker.attribute("name").filter(|name| name.starts_with("std::"));
            if let Some(standard) = name.and_then(TestlibChecker::named) {
                Check::BuiltIn(Comparator::Testlib(standard))
            } else {
                let kind = checker.attribute("type").unwrap_or("testlib");
                if kind != "testlib" {
                    return Err(checker.unsupported(
                        "type",
                        format!("a checker of type '{}'", one_line(kind)),
                        "supported is testlib",
                    ));
                }
                let program = files.program(&checker, warnings)?;
                let protocol = Protocol::Testlib;
                package.checkers.push(CheckerProgram { program, protocol, call: None, limits, scores });
                Check::Program { checker: 0, arguments: Vec::new() }
            }
        }
    };
    for test in &mut package.tests {
        test.check = check.clone();
    }
    Ok(())
}
