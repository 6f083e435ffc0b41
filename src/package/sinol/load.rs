//! Reads sinol packages of SIO2 (`sinol-make`): a directory with `config.yml`, programs in `prog/`, tests in `in/` and `out/`.
//!
//! Files are called by the task's id (`sinol_task_id`, else the directory's name): `prog/abc.cpp` is the model solution,
//! `prog/abcchk.*` the checker, `prog/abcinwer.*` the input validator, `prog/abcs*`, `abcb*` other solutions. The test
//! `abc2b` is in group 2; group 0 and tests that end with `ocen` are worth nothing. A group is worth the least that one of
//! its tests got, those of groups it depends on among them (`subtask_dependencies`). Answers that are not there are made by
//! the model solution.
//!
//! Two things are as in the contest type `default`: a slow program keeps all points (`oi` takes some beyond half of the
//! limit), and languages have factors of their own here instead of `override_limits`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::checker::{Comparator, CustomScore, Protocol};
use crate::package::model::{
    Aggregation, Check, CheckerProgram, Expectation, Format, GeneratedAnswer, GeneratedData, GeneratedTest,
    Group, Include, InputValidator, JuryProgram, JurySubmission, LanguageHint, Member, Objective, OnReject,
    Package, PackageLimits, PartialExpectation, ProgramBuild, ProgramFile, ProgramLimits, ScoreRange,
    Scoring, Test, TestLimits, TimeLimit,
};
use crate::package::shared::names::short_name;
use crate::package::source::diagnostics::Diagnostics;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::scope::Scope;
use crate::package::source::tree::{Entry, Kind, Tree};
use crate::package::source::yaml;
use crate::package::source::yaml::{Node, Value};
use crate::units::Bytes;
use crate::verdict::Verdict;

/// The file that makes a directory one of these, together with a folder of programs.
const FILE: &str = "config.yml";
const PROGRAMS: &str = "prog";

/// Endings of sources, the likeliest first.
const SOURCES: &[&str] = &["cpp", "cc", "c", "py", "java", "rs", "pas"];
const HEADERS: &[&str] = &[".h", ".hpp"];

/// Points of a problem whose groups have none.
const TOTAL: f64 = 100.0;
const MOST_POINTS: f64 = 1e6;

const KEYS: &[&str] = &[
    "extra_compilation_args",
    "extra_compilation_files",
    "extra_execution_files",
    "full_name",
    "memory_limit",
    "memory_limits",
    "num_processes",
    "override_limits",
    "scores",
    "sinol_contest_type",
    "sinol_expected_scores",
    "sinol_latex_compiler",
    "sinol_static_tests",
    "sinol_task_id",
    "sinol_total_score",
    "sinol_undocumented_test_limits",
    "sinol_undocumented_time_tool",
    "subtask_dependencies",
    "testrun_soc",
    "time_limit",
    "time_limits",
    "title",
];

/// Returns whether the files in a directory are those of this format.
pub(crate) fn recognises(entries: &[Entry]) -> bool {
    let has = |name: &str, kind| Tree::find(entries, name).is_some_and(|entry| entry.kind == kind);
    has(FILE, Kind::File) && (has(PROGRAMS, Kind::Directory) || has("in", Kind::Directory))
}

/// Loads the package at `tree`, whose own directory holds `entries`.
pub(crate) fn load(
    tree: &Tree,
    entries: &[Entry],
    diagnostics: &mut Diagnostics,
) -> Result<Package, PackageError> {
    let file = Tree::find(entries, FILE).ok_or_else(|| PackageError::NotAPackage {
        path: tree.root().to_owned(),
        problem: format!("there is no {FILE} in it"),
        remedy: "name the directory of a sinol package",
    })?;
    let root = yaml::load(file, FILE, &mut diagnostics.warnings)?;
    let map = root.map("").map_err(|error| error.in_file(&file.path))?;
    let scope = Scope::root(&file.path, map);
    diagnostics.unknown_keys(FILE, "", map, &keys_with_titles(map));
    warn_of_differences(&scope, diagnostics);

    let inside = |name: &str| -> Result<Vec<Entry>, PackageError> {
        match Tree::find(entries, name).filter(|entry| entry.kind == Kind::Directory) {
            Some(folder) => tree.entries(&folder.path, 1),
            None => Ok(Vec::new()),
        }
    };
    let (programs, inputs, answers) = (inside(PROGRAMS)?, inside("in")?, inside("out")?);
    let id = scope.text("sinol_task_id")?.unwrap_or_else(|| short_name(tree.root()));
    let time = diagnostics.keep(scope_time(&scope)).flatten().unwrap_or(Duration::from_secs(10));
    let limits = PackageLimits {
        memory: diagnostics.keep(scope_memory(&scope)).flatten().unwrap_or(Bytes::mib(64)),
        ..PackageLimits::new(TimeLimit::Fixed(time))
    };
    let mut package = Package::new(short_name(tree.root()), tree.root().to_owned(), Format::Sinol, limits);
    if let Some(title) = scope.text("title")? {
        package.title = one_line(&title);
    }
    let reader = Reader { tree, scope: &scope, id: &id, programs: &programs };
    let check = reader.check(&mut package)?;
    package.includes = diagnostics.keep(reader.includes()).unwrap_or_default();
    package.verification.input_validators.extend(diagnostics.keep(reader.validator()).flatten());
    reader.tests(&inputs, &answers, &check, &mut package, diagnostics)?;
    reader.solutions(&mut package, diagnostics)?;
    Ok(package)
}

/// The known keys and `title_LANGUAGE`.
fn keys_with_titles(map: &[(String, Node)]) -> Vec<&str> {
    let titles = map.iter().map(|(key, _)| key.as_str()).filter(|key| key.starts_with("title_"));
    KEYS.iter().copied().chain(titles).collect()
}

fn warn_of_differences(scope: &Scope<'_>, diagnostics: &mut Diagnostics) {
    if scope.text("sinol_contest_type").ok().flatten().as_deref() == Some("oi") {
        diagnostics.warn(format!(
            "{FILE}: sinol_contest_type: points are not reduced for programs that take more than half of the time limit"
        ));
    }
    for key in ["override_limits", "extra_execution_files"].iter().filter(|key| scope.get(key).is_some()) {
        diagnostics.warn(format!("{FILE}: {key}: not used: languages have factors of their own here"));
    }
}

/// `time_limit`: milliseconds.
fn scope_time(scope: &Scope<'_>) -> Result<Option<Duration>, PackageError> {
    Ok(scope.number("time_limit", 1.0..=3.6e6)?.map(|number| Duration::from_secs_f64(number / 1000.0)))
}

/// `memory_limit`: KiB.
fn scope_memory(scope: &Scope<'_>) -> Result<Option<Bytes>, PackageError> {
    Ok(scope.number("memory_limit", 64.0..=1e9)?.map(kibibytes))
}

fn kibibytes(number: f64) -> Bytes {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "callers check the range")]
    Bytes::kib(number as u64)
}

struct Reader<'a> {
    tree: &'a Tree,
    scope: &'a Scope<'a>,
    id: &'a str,
    programs: &'a [Entry],
}

impl Reader<'_> {
    /// `prog/IDchk.*`, or the comparison of tokens line by line (`oicompare`).
    fn check(&self, package: &mut Package) -> Result<Check, PackageError> {
        if let Some(entry) = self.source("soc") {
            let found = "an interactive task";
            let supported = "supported today: tasks without prog/IDsoc.*";
            return Err(PackageError::unsupported(0, "", found, supported).in_file(&entry.path));
        }
        let Some(entry) = self.source("chk") else { return Ok(Check::BuiltIn(Comparator::WhiteDiff)) };
        package.checkers.push(CheckerProgram {
            program: self.program(entry)?,
            protocol: Protocol::Sinol,
            call: None,
            limits: ProgramLimits::default(),
            scores: CustomScore::Allowed,
        });
        Ok(Check::Program { checker: 0, arguments: Vec::new() })
    }

    /// `prog/IDinwer.*`: reads an input and exits with 0 where it is valid.
    fn validator(&self) -> Result<Option<InputValidator>, PackageError> {
        let Some(entry) = self.source("inwer") else { return Ok(None) };
        let program = self.program(entry)?;
        Ok(Some(InputValidator {
            program,
            accepts: 0,
            arguments: Vec::new(),
            limits: ProgramLimits::default(),
        }))
    }

    /// The source `prog/IDNAME.*`.
    fn source(&self, name: &str) -> Option<&Entry> {
        SOURCES.iter().find_map(|ending| Tree::find(self.programs, &format!("{}{name}.{ending}", self.id)))
    }

    /// A program of one source, with the headers beside it.
    fn program(&self, source: &Entry) -> Result<JuryProgram, PackageError> {
        let own = source.reportable()?.to_owned();
        let mut files = vec![ProgramFile { name: own.clone(), path: source.file()?.to_owned() }];
        let is_header =
            |entry: &&Entry| entry.kind == Kind::File && HEADERS.iter().any(|ending| entry.ends_with(ending));
        for entry in self.programs.iter().filter(is_header) {
            files.push(ProgramFile { name: entry.reportable()?.to_owned(), path: entry.path.clone() });
        }
        let build = ProgramBuild::Language { language: LanguageHint::Files, flags: Vec::new() };
        Ok(JuryProgram { name: format!("{PROGRAMS}/{own}"), files, build })
    }

    /// `extra_compilation_files` and `extra_compilation_args`.
    fn includes(&self) -> Result<Vec<Include>, PackageError> {
        let mut common = Vec::new();
        if let Some(node) = self.scope.get("extra_compilation_files") {
            for name in self.scope.texts(node, "extra_compilation_files")? {
                common.push(self.extra_file("extra_compilation_files", &name)?);
            }
        }
        let include = |language, files, flags| Include {
            language,
            files,
            entry_point: None,
            submission_name: None,
            submission_prefix: String::new(),
            submission_suffix: String::new(),
            flags,
        };
        let mut includes = Vec::new();
        if let Some(node) = self.scope.get("extra_compilation_args") {
            let inner = self.scope.bare().inside(node, "extra_compilation_args")?;
            for (language, arguments) in inner.own() {
                let (mut files, mut flags) = (common.clone(), Vec::new());
                for argument in inner.texts(arguments, language)? {
                    match Tree::find(self.programs, &argument) {
                        Some(_) => {
                            let file = self.extra_file(language, &argument)?;
                            if !files.contains(&file) {
                                files.push(file);
                            }
                        }
                        None => flags.push(argument),
                    }
                }
                includes.push(include(Some(LanguageHint::Ending(language.clone())), files, flags));
            }
        }
        if !common.is_empty() {
            includes.push(include(None, common, Vec::new()));
        }
        Ok(includes)
    }

    fn extra_file(&self, key: &str, name: &str) -> Result<ProgramFile, PackageError> {
        let entry = Tree::find(self.programs, name).ok_or_else(|| {
            let problem = format!("there is no file '{}' in {PROGRAMS}", one_line(name));
            self.scope.wrong(key, problem, "add the file, or correct the name")
        })?;
        Ok(ProgramFile { name: entry.reportable()?.to_owned(), path: entry.file()?.to_owned() })
    }

    fn tests(
        &self,
        inputs: &[Entry],
        answers: &[Entry],
        check: &Check,
        package: &mut Package,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), PackageError> {
        let mut found: Vec<(u64, String, &Entry)> = Vec::new();
        for entry in inputs.iter().filter(|entry| entry.ends_with(".in") && !entry.is_hidden()) {
            let name = entry.reportable()?;
            let stem = name.strip_suffix(".in").unwrap_or(name);
            let test = stem.strip_prefix(self.id).and_then(|test| Some((group_of(test)?, test.to_owned())));
            match test {
                Some((group, test)) => found.push((group, test, entry)),
                None => diagnostics.error(PackageError::NotAPackage {
                    path: entry.path.clone(),
                    problem: format!("it is not called {}, a number and letters", one_line(self.id)),
                    remedy: "rename it, or set sinol_task_id",
                }),
            }
        }
        if found.is_empty() {
            let problem = "there are no tests in in/".to_owned();
            let remedy = "make them first (sinol-make gen)";
            return Err(PackageError::NotAPackage { path: tree_in(self.tree), problem, remedy });
        }
        found.sort_by(|left, right| (left.0, &left.1).cmp(&(right.0, &right.1)));
        let mut missing = Vec::new();
        let mut by_group: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (group, test, entry) in found {
            let answer = Tree::find(answers, &format!("{}{test}.out", self.id));
            let place = package.tests.len();
            if answer.is_none() {
                let answer = Some(GeneratedAnswer::Solution(0));
                missing.push(GeneratedTest { test: place, answer, ..GeneratedTest::default() });
            }
            let answer =
                answer.map_or_else(|| Ok(PathBuf::new()), |entry| entry.file().map(PathBuf::from))?;
            by_group.entry(group).or_default().push(place);
            package.tests.push(Test {
                groups: vec![format!("group{group}")],
                sample: group == 0,
                check: check.clone(),
                limits: diagnostics.keep(self.limits(&test, group)).unwrap_or_default(),
                ..Test::new(format!("group{group}/{}{test}", self.id), entry.file()?.to_owned(), answer)
            });
        }
        if !missing.is_empty() {
            package.generated = Some(self.made(missing)?);
        }
        self.groups(&by_group, package)
    }

    /// Answers made by `prog/ID.*`.
    fn made(&self, tests: Vec<GeneratedTest>) -> Result<GeneratedData, PackageError> {
        let entry = self.source("").ok_or_else(|| PackageError::NotAPackage {
            path: self.tree.root().join("out"),
            problem: "there are answers missing, and no model solution to make them".to_owned(),
            remedy: "add prog/ID.cpp, or the answers",
        })?;
        Ok(GeneratedData { solutions: vec![self.program(entry)?], tests, ..GeneratedData::default() })
    }

    /// `time_limits` and `memory_limits`, by test or by group.
    fn limits(&self, test: &str, group: u64) -> Result<TestLimits, PackageError> {
        let find = |key: &str, range: std::ops::RangeInclusive<f64>| -> Result<Option<f64>, PackageError> {
            let Some(node) = self.scope.get(key) else { return Ok(None) };
            let inner = self.scope.bare().inside(node, key)?;
            let group = group.to_string();
            let own = [test, group.as_str()].into_iter().find(|name| inner.own_get(name).is_some());
            own.map_or(Ok(None), |name| inner.number(name, range))
        };
        Ok(TestLimits {
            time: find("time_limits", 1.0..=3.6e6)?.map(|number| Duration::from_secs_f64(number / 1000.0)),
            memory: find("memory_limits", 64.0..=1e9)?.map(kibibytes),
        })
    }

    fn groups(
        &self,
        by_group: &BTreeMap<u64, Vec<usize>>,
        package: &mut Package,
    ) -> Result<(), PackageError> {
        let scores = self.scores(by_group)?;
        package.scoring = Some(Scoring { objective: Objective::Maximise, precision: None });
        let mut root = Group { on_reject: OnReject::Continue, ..Group::new("") };
        let mut groups = Vec::new();
        for (number, tests) in by_group {
            let worth = scores.get(number).copied().unwrap_or_default();
            let mut group = Group {
                aggregation: Aggregation::Min,
                // Worth nothing, and so no reason to fail a submission that gets all points.
                counts: *number != 0,
                ..Group::new(format!("group{number}"))
            };
            let also = self.dependencies(*number, by_group)?;
            for test in tests.iter().chain(also.iter().copied().flatten()) {
                group.members.push(Member::Test { test: *test, points: Some(worth) });
            }
            groups.push(group);
        }
        // Nothing but examples: they count, as something must.
        if groups.len() == 1 {
            groups.iter_mut().for_each(|group| group.counts = true);
        }
        root.members = (1..=groups.len()).map(Member::Group).collect();
        package.groups = std::iter::once(root).chain(groups).collect();
        for (number, group) in by_group.keys().zip(1..) {
            let name = format!("group{number}");
            for member in package.groups[group].members.clone() {
                if let Member::Test { test, .. } = member
                    && !package.tests[test].groups.contains(&name)
                {
                    package.tests[test].groups.push(name.clone());
                }
            }
        }
        Ok(())
    }

    /// `subtask_dependencies`: tests of other groups that count in this one as well.
    fn dependencies<'t>(
        &self,
        group: u64,
        by_group: &'t BTreeMap<u64, Vec<usize>>,
    ) -> Result<Vec<&'t Vec<usize>>, PackageError> {
        const KEY: &str = "subtask_dependencies";
        let Some(node) = self.scope.get(KEY) else { return Ok(Vec::new()) };
        let inner = self.scope.bare().inside(node, KEY)?;
        let key = group.to_string();
        let Some(list) = inner.own_get(&key) else { return Ok(Vec::new()) };
        let tests = inner.texts(list, &key)?.into_iter().map(|name| {
            name.parse().ok().and_then(|number: u64| by_group.get(&number)).ok_or_else(|| {
                let problem = format!("'{}' is not a group with tests", one_line(&name));
                inner.wrong_at(list, &key, problem, "list the numbers of groups")
            })
        });
        tests.collect()
    }

    /// `scores`, or the same for each group, the last one getting what is left (`assign_scores`).
    fn scores(&self, by_group: &BTreeMap<u64, Vec<usize>>) -> Result<BTreeMap<u64, f64>, PackageError> {
        let Some(node) = self.scope.get("scores") else {
            let groups: Vec<u64> = by_group.keys().copied().filter(|number| *number != 0).collect();
            #[allow(clippy::cast_precision_loss, reason = "groups are few")]
            let count = groups.len().max(1) as f64;
            let each = (TOTAL / count).floor();
            let mut scores: BTreeMap<u64, f64> = groups.iter().map(|number| (*number, each)).collect();
            if let Some(last) = groups.last().and_then(|number| scores.get_mut(number)) {
                *last += TOTAL - each * count;
            }
            return Ok(scores);
        };
        let inner = self.scope.bare().inside(node, "scores")?;
        let mut scores = BTreeMap::new();
        for (key, value) in inner.own() {
            let number = key.parse::<u64>().map_err(|_| {
                let problem = format!("'{}' is not the number of a group", one_line(key));
                inner.wrong_at(value, key, problem, "give points by the numbers of groups")
            })?;
            scores.insert(number, inner.number(key, 0.0..=MOST_POINTS)?.unwrap_or_default());
        }
        if let Some(number) = by_group.keys().find(|number| **number != 0 && !scores.contains_key(number)) {
            let problem = format!("group {number} has tests and no points");
            return Err(self.scope.wrong("scores", problem, "give its points, 0 where it has none"));
        }
        Ok(scores)
    }

    /// `prog/ID*`: the model solution must get everything, others what `sinol_expected_scores` says.
    fn solutions(&self, package: &mut Package, diagnostics: &mut Diagnostics) -> Result<(), PackageError> {
        for entry in self.programs.iter().filter(|entry| entry.kind == Kind::File && !entry.is_hidden()) {
            let Some(name) = entry.text() else { continue };
            let Some((stem, ending)) = name.split_once('.') else { continue };
            let Some(rest) = stem.strip_prefix(self.id).filter(|_| SOURCES.contains(&ending)) else {
                continue;
            };
            if !is_solution(rest) {
                continue;
            }
            let expectation = match self.expected(name, diagnostics)? {
                Some(expectation) => expectation,
                None if rest.is_empty() => {
                    Expectation { verdicts: vec![Verdict::AC], ..Expectation::default() }
                }
                None => {
                    diagnostics.warn(format!(
                        "{PROGRAMS}/{name}: not judged: sinol_expected_scores does not name it"
                    ));
                    continue;
                }
            };
            package.submissions.push(JurySubmission {
                name: format!("{PROGRAMS}/{}", entry.reportable()?),
                files: vec![entry.file()?.to_owned()],
                language: None,
                expectation,
                names_entry: false,
                limits: TestLimits::default(),
                sets_time_limit: false,
            });
        }
        Ok(())
    }

    /// `sinol_expected_scores`: points of the whole and of each group.
    fn expected(
        &self,
        name: &str,
        diagnostics: &mut Diagnostics,
    ) -> Result<Option<Expectation>, PackageError> {
        const KEY: &str = "sinol_expected_scores";
        let Some(node) = self.scope.get(KEY) else { return Ok(None) };
        let all = self.scope.bare().inside(node, KEY)?;
        let Some(own) = all.own_get(name) else { return Ok(None) };
        let own = all.bare().inside(own, name)?;
        let exactly = |points: f64| ScoreRange { min: points - 1e-6, max: points + 1e-6 };
        let score = diagnostics.keep(own.number("points", 0.0..=MOST_POINTS)).flatten().map(exactly);
        let mut expectation = Expectation { score, ..Expectation::default() };
        let Some(groups) = own.own_get("expected") else { return Ok(Some(expectation)) };
        let groups = own.bare().inside(groups, "expected")?;
        for (number, group) in groups.own() {
            // Older files have only a status here.
            let Value::Map(_) = &group.value else { continue };
            let inner = groups.bare().inside(group, number)?;
            let Some(points) = diagnostics.keep(inner.number("points", 0.0..=MOST_POINTS)).flatten() else {
                continue;
            };
            expectation.parts.push(PartialExpectation {
                pattern: globset::escape(&format!("group{number}")),
                score: Some(exactly(points)),
                ..PartialExpectation::default()
            });
        }
        Ok(Some(expectation))
    }
}

fn tree_in(tree: &Tree) -> PathBuf {
    tree.root().join("in")
}

/// The group of a test: `2b` is in 2, whatever ends with `ocen` in 0.
fn group_of(test: &str) -> Option<u64> {
    let digits: String = test.chars().take_while(char::is_ascii_digit).collect();
    let rest = &test[digits.len()..];
    if digits.is_empty() || !rest.chars().all(|character| character.is_ascii_alphanumeric()) {
        return None;
    }
    if rest.ends_with("ocen") { Some(0) } else { digits.parse().ok() }
}

/// Whether what follows the id is that of a solution: nothing, or `s` or `b` and a number, then `_` and a comment
/// (`get_solutions_re`).
fn is_solution(rest: &str) -> bool {
    let rest = rest.strip_prefix(['s', 'b']).unwrap_or(rest);
    let rest = rest.trim_start_matches(|character: char| character.is_ascii_digit());
    rest.is_empty() || rest.starts_with('_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_groups_and_solutions() {
        for (test, group) in [
            ("0", Some(0)),
            ("1a", Some(1)),
            ("12bc", Some(12)),
            ("3ocen", Some(0)),
            ("a", None),
            ("1_", None),
            ("", None),
        ] {
            assert_eq!(group_of(test), group, "{test}");
        }
        for (rest, expected) in [
            ("", true),
            ("s1", true),
            ("b", true),
            ("b12_slow", true),
            ("_2", true),
            ("chk", false),
            ("ingen", false),
            ("soc", false),
        ] {
            assert_eq!(is_solution(rest), expected, "{rest}");
        }
    }
}
