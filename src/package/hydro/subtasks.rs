//! Reads the tests of a Hydro problem, its subtasks and their points (`packages/common/subtask.ts`).
//!
//! A subtask of type `min` is worth the least that one of its tests got, `max` the most, `sum` what they got together.
//! Points that `config.yaml` does not give are shared out over what has none, whole points each, the later ones getting
//! the rest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use fancy_regex::Regex;

use super::config::{FOLDER, memory, time};
use crate::package::model::{Aggregation, Check, Group, Member, OnReject, Package, Test, TestLimits};
use crate::package::source::diagnostics::Diagnostics;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::scope::Scope;
use crate::package::source::tree::{Entry, Kind, Tree, below};
use crate::package::source::yaml::{Node, Value};

/// Points of a whole problem, where they are shared out.
const TOTAL: u32 = 100;
/// More points than any problem has.
const MOST_POINTS: f64 = 1e6;

const CASE_KEYS: &[&str] = &["id", "input", "memory", "output", "score", "time"];
const SUBTASK_KEYS: &[&str] = &["cases", "id", "if", "memory", "score", "time", "type"];

/// A subtask, from `config.yaml` or from the names of the files.
struct Subtask {
    id: u64,
    kind: Aggregation,
    score: Option<f64>,
    requires: Vec<u64>,
    limits: TestLimits,
    cases: Vec<Case>,
}

/// A test, from `config.yaml` or from the names of the files.
struct Case {
    name: String,
    input: PathBuf,
    answer: PathBuf,
    score: Option<f64>,
    limits: TestLimits,
}

/// Puts tests and groups into `package`; the files lie among `files`.
pub(super) fn read(
    tree: &Tree,
    files: &[Entry],
    scope: &Scope<'_>,
    check: &Check,
    package: &mut Package,
    diagnostics: &mut Diagnostics,
) -> Result<(), PackageError> {
    let reader = Reader { tree, files };
    let mut subtasks = reader.written(scope, diagnostics)?;
    if subtasks.iter().all(|subtask| subtask.cases.is_empty()) {
        reader.find(&mut subtasks)?;
    }
    subtasks.retain(|subtask| !subtask.cases.is_empty());
    if subtasks.is_empty() && !diagnostics.is_broken() {
        let problem = format!(
            "there are no tests: no cases in config.yaml, and no pairs like 1.in and 1.out in {FOLDER}"
        );
        let remedy = "add cases, or name the files so";
        return Err(PackageError::NotAPackage { path: tree.root().to_owned(), problem, remedy });
    }
    subtasks.sort_by_key(|subtask| subtask.id);
    fill(&subtasks, check, package);
    Ok(())
}

struct Reader<'a> {
    tree: &'a Tree,
    files: &'a [Entry],
}

impl Reader<'_> {
    /// `subtasks`, or `cases` as one subtask.
    fn written(
        &self,
        scope: &Scope<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Result<Vec<Subtask>, PackageError> {
        let list = |key: &str| match scope.get(key).map(|node| (node, &node.value)) {
            None => Ok(None),
            Some((_, Value::List(nodes))) => Ok((!nodes.is_empty()).then_some(nodes)),
            Some((node, _)) => Err(scope.wrong_at(node, key, "it is not a list", "write a list")),
        };
        // As in Hydro, `cases` replaces `subtasks`.
        if let Some(nodes) = list("cases")? {
            let mut subtask = Subtask::new(1, Aggregation::Sum);
            subtask.cases = self.cases(scope, "cases", nodes, diagnostics);
            return Ok(vec![subtask]);
        }
        let mut subtasks: Vec<Subtask> = Vec::new();
        for (place, node) in list("subtasks")?.into_iter().flatten().enumerate() {
            let Some((mut subtask, inner)) = diagnostics.keep(subtask(scope, node, place)) else { continue };
            if let Some(cases) = inner.own_get("cases") {
                match &cases.value {
                    Value::List(nodes) => subtask.cases = self.cases(&inner, "cases", nodes, diagnostics),
                    _ => {
                        diagnostics.error(inner.wrong_at(cases, "cases", "it is not a list", "write a list"))
                    }
                }
            }
            diagnostics.unknown_keys("config.yaml", &format!("subtasks[{place}]"), inner.own(), SUBTASK_KEYS);
            if subtasks.iter().any(|known| known.id == subtask.id) {
                diagnostics.error(inner.wrong(
                    "id",
                    format!("there are two subtasks {}", subtask.id),
                    "number them",
                ));
            }
            subtasks.push(subtask);
        }
        Ok(subtasks)
    }

    fn cases(
        &self,
        scope: &Scope<'_>,
        key: &str,
        nodes: &[Node],
        diagnostics: &mut Diagnostics,
    ) -> Vec<Case> {
        let mut cases = Vec::new();
        for (place, node) in nodes.iter().enumerate() {
            let read = || -> Result<Case, PackageError> {
                let inner = scope.bare().inside(node, &format!("{key}[{place}]"))?;
                let input = self.named(&inner, "input")?;
                Ok(Case {
                    name: stem(&input),
                    answer: self.named(&inner, "output")?.1,
                    input: input.1,
                    score: points(&inner)?,
                    limits: TestLimits { time: time(&inner, "time")?, memory: memory(&inner, "memory")? },
                })
            };
            if let Ok(map) = node.map("") {
                diagnostics.unknown_keys("config.yaml", &format!("{key}[{place}]"), map, CASE_KEYS);
            }
            cases.extend(diagnostics.keep(read()));
        }
        cases
    }

    /// A file that a case names, with its name; it may lie in a folder of the test data.
    fn named(&self, scope: &Scope<'_>, key: &str) -> Result<(String, PathBuf), PackageError> {
        let Some(name) = scope.own_text(key)?.filter(|name| !name.is_empty()) else {
            return Err(scope.wrong(key, "it is missing", format!("name a file in {FOLDER}")));
        };
        let missing = || {
            let problem = format!("there is no file '{}' in {FOLDER}", one_line(&name));
            scope.wrong(key, problem, "add the file, or correct the name")
        };
        if let Some(entry) = Tree::find(self.files, &name) {
            entry.reportable()?;
            return Ok((name, entry.file()?.to_owned()));
        }
        let Some((folder, _)) = name.split_once('/') else { return Err(missing()) };
        let folder = Tree::find(self.files, folder).ok_or_else(missing)?;
        let relative = format!(
            "{}/{}",
            below(self.tree.root(), &folder.path),
            name.split_once('/').map_or("", |(_, rest)| rest)
        );
        let entry =
            self.tree.at(&relative).map_err(|problem| scope.wrong(key, problem, "name a file below"))?;
        Ok((name.clone(), entry.ok_or_else(missing)?.file()?.to_owned()))
    }

    /// Tests by the names of the files, into the subtasks of their numbers.
    fn find(&self, subtasks: &mut Vec<Subtask>) -> Result<(), PackageError> {
        let mut names: BTreeMap<String, PathBuf> = BTreeMap::new();
        for entry in self.files {
            match entry.kind {
                Kind::File if !entry.is_hidden() => {
                    names.insert(entry.reportable()?.to_owned(), entry.path.clone());
                }
                Kind::Directory if entry.name == "input" || entry.name == "output" => {
                    for inside in self.tree.entries(&entry.path, 2)? {
                        if inside.kind == Kind::File && !inside.is_hidden() {
                            let name = format!("{}/{}", entry.reportable()?, inside.reportable()?);
                            names.insert(name, inside.path.clone());
                        }
                    }
                }
                _ => {}
            }
        }
        let mut found: Vec<(u64, Aggregation, u64, Case)> = Vec::new();
        for (name, path) in &names {
            let Some((subtask, kind, id, answers)) = pattern(name) else { continue };
            let Some(answer) =
                answers.iter().filter(|answer| *answer != name).find_map(|answer| names.get(answer))
            else {
                continue;
            };
            let case = Case {
                name: stem(&(name.clone(), path.clone())),
                input: path.clone(),
                answer: answer.clone(),
                score: None,
                limits: TestLimits::default(),
            };
            found.push((subtask, kind, id, case));
        }
        found.sort_by_key(|(subtask, _, id, _)| (*subtask, *id));
        for (number, kind, _, case) in found {
            match subtasks.iter_mut().find(|subtask| subtask.id == number) {
                Some(subtask) => subtask.cases.push(case),
                None => {
                    let mut subtask = Subtask::new(number, kind);
                    subtask.cases.push(case);
                    subtasks.push(subtask);
                }
            }
        }
        Ok(())
    }
}

impl Subtask {
    fn new(id: u64, kind: Aggregation) -> Self {
        Self { id, kind, score: None, requires: Vec::new(), limits: TestLimits::default(), cases: Vec::new() }
    }
}

/// One entry of `subtasks` without its cases, and the keys of it.
fn subtask<'s>(
    scope: &Scope<'s>,
    node: &'s Node,
    place: usize,
) -> Result<(Subtask, Scope<'s>), PackageError> {
    let inner = scope.bare().inside(node, &format!("subtasks[{place}]"))?;
    let id = whole(&inner, "id")?.unwrap_or(place as u64 + 1);
    let kind = match inner.own_text("type")?.as_deref() {
        None | Some("min") => Aggregation::Min,
        Some("max") => Aggregation::Max,
        Some("sum") => Aggregation::Sum,
        Some(other) => {
            let problem = format!("'{}' is not a type of subtask", one_line(other));
            return Err(inner.wrong("type", problem, "use min, max or sum"));
        }
    };
    let mut requires = Vec::new();
    if let Some(node) = inner.own_get("if") {
        for text in inner.texts(node, "if")? {
            let number = text.parse().map_err(|_| {
                let problem = format!("'{}' is not the number of a subtask", one_line(&text));
                inner.wrong_at(node, "if", problem, "list the ids of subtasks")
            })?;
            requires.push(number);
        }
    }
    let subtask = Subtask {
        requires,
        score: points(&inner)?,
        limits: TestLimits { time: time(&inner, "time")?, memory: memory(&inner, "memory")? },
        ..Subtask::new(id, kind)
    };
    Ok((subtask, inner))
}

/// Reads the name of an input: its subtask, how that is scored, the number of the test, and the names its answer may have.
fn pattern(name: &str) -> Option<(u64, Aggregation, u64, Vec<String>)> {
    /// Stem, number of the subtask, number of the test.
    static STEMS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"^(([\w.\-/]*?)(?:(\d*)[-_])?(\d+))\.(in|IN|txt|TXT|in\.txt|IN\.TXT)$").ok()
    });
    /// `sum.in1`.
    static ENDINGS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^(\D*)\.(in|IN)(\d+)$").ok());
    let words = |name: String| [name.replace("input", "output").replace("INPUT", "OUTPUT"), name];
    if let Some(found) = STEMS.as_ref()?.captures(name).ok()? {
        let stem = found.get(1)?.as_str();
        let mut answers: Vec<String> =
            ["out", "ans", "OUT", "ANS", "out.txt", "ans.txt", "OUT.TXT", "ANS.TXT"]
                .iter()
                .flat_map(|ending| words(format!("{stem}.{ending}")))
                .collect();
        if stem.contains("input") {
            answers.push(format!("{stem}.txt").replace("input", "output"));
        }
        let subtask = found.get(3).and_then(|digits| digits.as_str().parse().ok());
        let kind = if subtask.is_some() { Aggregation::Min } else { Aggregation::Sum };
        return Some((subtask.unwrap_or(1), kind, found.get(4)?.as_str().parse().ok()?, answers));
    }
    let found = ENDINGS.as_ref()?.captures(name).ok()??;
    let (stem, digits) = (found.get(1)?.as_str(), found.get(3)?.as_str());
    let answers =
        ["ou", "out", "OU", "OUT", "ans"].iter().flat_map(|ending| words(format!("{stem}.{ending}{digits}")));
    Some((1, Aggregation::Sum, digits.parse().ok()?, answers.collect()))
}

/// A file's name without its ending and folders.
fn stem((name, _): &(String, PathBuf)) -> String {
    let name =
        Path::new(name).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = name.split_once(".in").map_or(name.as_str(), |(stem, _)| stem);
    one_line(if stem.is_empty() { &name } else { stem })
}

fn points(scope: &Scope<'_>) -> Result<Option<f64>, PackageError> {
    // Zero is as if there were no points (`s.score || …`).
    match scope.own_get("score") {
        Some(_) => Ok(scope.number("score", 0.0..=MOST_POINTS)?.filter(|points| *points > 0.0)),
        None => Ok(None),
    }
}

fn whole(scope: &Scope<'_>, key: &str) -> Result<Option<u64>, PackageError> {
    if scope.own_get(key).is_none() {
        return Ok(None);
    }
    let number = scope.number(key, 0.0..=1e6)?;
    match number {
        Some(number) if number.fract() != 0.0 => {
            Err(scope.wrong(key, format!("{number} is not whole"), "give a whole number"))
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
        other => Ok(other.map(|number| number as u64)),
    }
}

/// Shares what is left of `total` out over `count` in whole points (`getScore`): the later ones get one more.
fn shares(total: f64, given: f64, count: usize) -> Vec<f64> {
    let left = (total - given).max(0.0);
    if count == 0 {
        return Vec::new();
    }
    #[allow(clippy::cast_precision_loss, reason = "at most a hundred thousand tests")]
    let (base, count_number) = ((left / count as f64).floor(), count as f64);
    let extra = count_number - (left % count_number);
    #[allow(clippy::cast_precision_loss, reason = "at most a hundred thousand tests")]
    (0..count).map(|place| if place as f64 >= extra { base + 1.0 } else { base }).collect()
}

fn fill(subtasks: &[Subtask], check: &Check, package: &mut Package) {
    let given: f64 = subtasks.iter().filter_map(|subtask| subtask.score).sum();
    let without = subtasks.iter().filter(|subtask| subtask.score.is_none()).count();
    let mut rest = shares(f64::from(TOTAL), given, without).into_iter();
    let is_single = subtasks.len() == 1;
    let mut root = Group { on_reject: OnReject::Continue, ..Group::new("") };
    let mut groups = Vec::new();
    for subtask in subtasks {
        let score = subtask.score.unwrap_or_else(|| rest.next().unwrap_or_default());
        let given: f64 = subtask.cases.iter().filter_map(|case| case.score).sum();
        let without = subtask.cases.iter().filter(|case| case.score.is_none()).count();
        let mut each = shares(score, given, without).into_iter();
        let name = format!("subtask{}", subtask.id);
        let mut group = Group {
            aggregation: subtask.kind.clone(),
            on_reject: if subtask.kind == Aggregation::Min { OnReject::Break } else { OnReject::Continue },
            dependencies: subtask.requires.iter().map(|id| format!("subtask{id}")).collect(),
            ..Group::new(&name)
        };
        for case in &subtask.cases {
            let share = case.score.is_none().then(|| each.next().unwrap_or_default());
            let points = match (&subtask.kind, case.score) {
                (_, Some(points)) => points,
                (Aggregation::Sum, None) => share.unwrap_or_default(),
                (_, None) => score,
            };
            let place = package.tests.len();
            group.members.push(Member::Test { test: place, points: Some(points) });
            package.tests.push(test(case, subtask, &name, is_single, check));
        }
        groups.push(group);
    }
    // One subtask alone is no group worth naming.
    if is_single && let Some(group) = groups.pop() {
        package.groups = vec![Group { name: String::new(), ..group }];
        return;
    }
    root.members = (1..=groups.len()).map(Member::Group).collect();
    package.groups = std::iter::once(root).chain(groups).collect();
}

fn test(case: &Case, subtask: &Subtask, group: &str, is_single: bool, check: &Check) -> Test {
    let name = if is_single { case.name.clone() } else { format!("{group}/{}", case.name) };
    Test {
        groups: if is_single { Vec::new() } else { vec![group.to_owned()] },
        check: check.clone(),
        limits: TestLimits {
            time: case.limits.time.or(subtask.limits.time),
            memory: case.limits.memory.or(subtask.limits.memory),
        },
        ..Test::new(name, case.input.clone(), case.answer.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_say_subtask_and_test() {
        for (name, subtask, kind, id, answer) in [
            ("1.in", 1, Aggregation::Sum, 1, "1.out"),
            ("sum2-3.in", 2, Aggregation::Min, 3, "sum2-3.ans"),
            ("a_10.in", 1, Aggregation::Sum, 10, "a_10.out"),
            ("input4.txt", 1, Aggregation::Sum, 4, "output4.txt"),
            ("sum.in7", 1, Aggregation::Sum, 7, "sum.out7"),
        ] {
            let (found, scored, number, answers) = pattern(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!((found, &scored, number), (subtask, &kind, id), "{name}");
            assert!(answers.iter().any(|known| known == answer), "{name}: {answers:?}");
        }
        for name in ["chk.cc", "config.yaml", "a.out", "readme.txt"] {
            assert!(pattern(name).is_none(), "{name}");
        }
    }

    #[test]
    fn what_is_left_of_the_points_is_shared_out() {
        assert_eq!(shares(100.0, 0.0, 3), [33.0, 33.0, 34.0]);
        assert_eq!(shares(100.0, 40.0, 2), [30.0, 30.0]);
        assert_eq!(shares(100.0, 120.0, 1), [0.0]);
        assert!(shares(100.0, 0.0, 0).is_empty());
    }
}
