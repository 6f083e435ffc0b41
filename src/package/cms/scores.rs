//! Reads score types: how tests form subtasks, and subtasks the score (`cms/grading/scoretypes`).

use std::collections::HashMap;

use fancy_regex::Regex;

use super::gen_file::{CASES, GenFile, MOST_SUBTASKS, parse_gen_file, unread_cases};
use super::keys::{FILE, MOST_TESTS};
use crate::package::model::{Aggregation, Group, Member, Objective, OnReject, Package, Scoring};
use crate::package::source::diagnostics::Diagnostics;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::scope::Scope;
use crate::package::source::tree::{Entry, Kind, Tree, read_text};
use crate::package::source::yaml::{Node, Value};

/// The points of a task without subtasks.
const TOTAL: f64 = 100.0;

/// How the score comes about.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// How many tests there are.
    pub(super) tests: usize,
    /// `gen/GEN`, where there is one.
    pub(super) generated: Option<GenFile>,
    kind: Kinds,
}

#[derive(Debug, Clone)]
enum Kinds {
    /// So many points for each test.
    Sum(f64),
    Subtasks(Vec<Subtask>),
}

#[derive(Debug, Clone)]
struct Subtask {
    name: String,
    points: f64,
    aggregation: Aggregation,
    tests: Vec<usize>,
}

/// `task.yaml`, where it has everything of a score type; else `gen/GEN`, else the same points for each test.
pub(super) fn read(
    tree: &Tree,
    entries: &[Entry],
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Plan, PackageError> {
    let count = diagnostics.keep(scope.number("n_input", 0.0..=MOST_TESTS)).flatten();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
    let count = count.map(|count| count as usize);
    let mut unread = None;
    let generated = match Tree::find(entries, "gen").filter(|entry| entry.kind == Kind::Directory) {
        None => None,
        Some(folder) => {
            let inside = tree.entries(&folder.path, 1)?;
            unread = Tree::find(&inside, CASES).map(|entry| entry.path.clone());
            match Tree::find(&inside, "GEN") {
                Some(file) => {
                    let text = read_text(file)?;
                    Some((
                        file.path.clone(),
                        parse_gen_file(&text).map_err(|error| error.in_file(&file.path))?,
                    ))
                }
                None => None,
            }
        }
    };
    let wanted = ["score_type", "score_type_parameters", "n_input"];
    let given = wanted.map(|key| scope.get(key).is_some());
    if given == [true; 3] {
        let tests = count.unwrap_or_default();
        let names = generated.as_ref().map(|(_, file)| subtask_names(file)).unwrap_or_default();
        let kind = diagnostics.keep(of_task(scope, tests, &names)).unwrap_or(Kinds::Sum(0.0));
        return Ok(Plan { tests, generated: generated.map(|(_, file)| file), kind });
    }
    if given[0] || given[1] {
        diagnostics.warn(format!(
            "{FILE}: score_type: ignored, because only all of score_type, score_type_parameters and n_input count"
        ));
    }
    let total = diagnostics.keep(scope.number("total_value", 0.0..=1e9)).flatten().unwrap_or(TOTAL);
    let each = |tests: usize| {
        #[allow(clippy::cast_precision_loss, reason = "there are few tests")]
        Kinds::Sum(if tests == 0 { 0.0 } else { total / tests as f64 })
    };
    let Some((path, file)) = generated else {
        if let Some(path) = unread {
            return Err(unread_cases(&path));
        }
        let tests = match count {
            Some(count) => count,
            None => {
                let tests = inputs(tree, entries)?;
                diagnostics.warn(format!(
                    "{FILE}: n_input: it is missing, and there is no gen/GEN: {tests} inputs found"
                ));
                tests
            }
        };
        return Ok(Plan { tests, generated: None, kind: each(tests) });
    };
    let tests = file.tests();
    if let Some(count) = count.filter(|count| *count != tests) {
        let problem = format!("it is {count}, and gen/GEN has {tests} tests");
        diagnostics.error(scope.wrong("n_input", problem, "remove it, or correct gen/GEN"));
    }
    if let Some(line) = file.dependencies.first() {
        diagnostics.warn(format!(
            "gen/GEN:{line}: STDEP: dependencies of subtasks are not read here, as in CMS: each counts by itself; \
             score_type_parameters in {FILE} can name the tests of other subtasks"
        ));
    }
    if file.subtasks.is_empty() {
        return Ok(Plan { tests, generated: Some(file), kind: each(tests) });
    }
    let sum: f64 = file.subtasks.iter().map(|subtask| subtask.points).sum();
    if (sum - TOTAL).abs() > 1e-9 {
        let problem = format!("the subtasks are worth {sum} together");
        let line = file.subtasks.last().map_or(0, |subtask| subtask.line);
        diagnostics.error(PackageError::value(line, "ST", problem, "make it 100").in_file(&path));
    }
    let mut next = 0;
    let names = subtask_names(&file);
    let subtasks = file.subtasks.iter().zip(names).map(|(subtask, name)| {
        let first = next;
        next += subtask.tests.len();
        Subtask {
            name,
            points: subtask.points,
            aggregation: Aggregation::Min,
            tests: (first..next).collect(),
        }
    });
    let kind = Kinds::Subtasks(subtasks.collect());
    Ok(Plan { tests, generated: Some(file), kind })
}

/// Names of the subtasks, each once.
fn subtask_names(file: &GenFile) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (place, subtask) in file.subtasks.iter().enumerate() {
        let name = subtask.name.clone().filter(|name| !names.contains(name));
        names.push(name.unwrap_or_else(|| format!("subtask{place}")));
    }
    names
}

/// Files `input/inputN.txt`, counted from 0.
fn inputs(tree: &Tree, entries: &[Entry]) -> Result<usize, PackageError> {
    let Some(folder) = Tree::find(entries, "input").filter(|entry| entry.kind == Kind::Directory) else {
        return Ok(0);
    };
    let files = tree.entries(&folder.path, 1)?;
    Ok((0..).take_while(|number| Tree::find(&files, &format!("input{number}.txt")).is_some()).count())
}

/// `score_type` and its parameters.
fn of_task(scope: &Scope<'_>, tests: usize, names: &[String]) -> Result<Kinds, PackageError> {
    const KEY: &str = "score_type_parameters";
    let kind = scope.text("score_type")?.unwrap_or_default();
    let Some(node) = scope.get(KEY) else { return Ok(Kinds::Sum(0.0)) };
    let aggregation = match kind.as_str() {
        "Sum" => {
            let points = scope.number(KEY, 0.0..=1e9)?.unwrap_or_default();
            return Ok(Kinds::Sum(points));
        }
        "GroupMin" => Some(Aggregation::Min),
        "GroupMul" => Some(Aggregation::Product),
        "GroupThreshold" => None,
        other => {
            let problem = format!("'{}' is no score type", one_line(other));
            return Err(scope.wrong("score_type", problem, "use Sum, GroupMin, GroupMul or GroupThreshold"));
        }
    };
    let Value::List(items) = &node.value else {
        return Err(scope.wrong_at(node, KEY, "it is no list", "give [points, tests] for each subtask"));
    };
    if items.len() > MOST_SUBTASKS {
        let problem = format!("there are more than {MOST_SUBTASKS} subtasks");
        return Err(scope.wrong_at(node, KEY, problem, "put the tests into fewer"));
    }
    let mut subtasks = Vec::new();
    let mut next = 0;
    for (place, item) in items.iter().enumerate() {
        let key = format!("{KEY}[{place}]");
        let wrong = |problem: &str| {
            let remedy = "give [points, number of tests], or [points, \"pattern of names\"]";
            scope.wrong_at(item, &key, problem, remedy)
        };
        let Value::List(parts) = &item.value else { return Err(wrong("it is no list")) };
        let number = |place: usize| match parts.get(place).map(|node: &Node| &node.value) {
            Some(Value::Number(number)) => Some(*number).filter(|number| (0.0..=1e9).contains(number)),
            _ => None,
        };
        let points = number(0).ok_or_else(|| wrong("there are no points"))?;
        let own = match parts.get(1).map(|node| &node.value) {
            Some(Value::Number(count)) => {
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "the filter checks"
                )]
                let count = Some(*count)
                    .filter(|count| (0.0..=MOST_TESTS).contains(count))
                    .map(|count| count as usize);
                let count = count.ok_or_else(|| wrong("the number of tests is out of range"))?;
                let first = next;
                next += count;
                if next > tests {
                    return Err(wrong(&format!("there are only {tests} tests (n_input)")));
                }
                (first..next).collect()
            }
            Some(Value::Text(pattern)) => matching(pattern, tests).map_err(|problem| wrong(&problem))?,
            _ => return Err(wrong("there are no tests")),
        };
        let aggregation = match &aggregation {
            Some(aggregation) => aggregation.clone(),
            None => Aggregation::Threshold(number(2).ok_or_else(|| wrong("there is no threshold"))?),
        };
        let name = names.get(place).cloned().unwrap_or_else(|| format!("subtask{place}"));
        subtasks.push(Subtask { name, points, aggregation, tests: own });
    }
    Ok(Kinds::Subtasks(subtasks))
}

/// The tests whose names a pattern matches from their beginning on, as Python's `re.match` does.
fn matching(pattern: &str, tests: usize) -> Result<Vec<usize>, String> {
    let regex = Regex::new(&format!("^(?:{pattern})"))
        .map_err(|error| one_line(&format!("'{pattern}' is not a regular expression: {error}")))?;
    let mut found = Vec::new();
    for test in 0..tests {
        match regex.is_match(&format!("{test:03}")) {
            Ok(true) => found.push(test),
            Ok(false) => {}
            Err(error) => return Err(one_line(&format!("'{pattern}': {error}"))),
        }
    }
    if found.is_empty() {
        return Err(one_line(&format!("'{pattern}' matches no test")));
    }
    Ok(found)
}

impl Plan {
    /// The subtask of `gen/GEN` that a test stands in, from 0.
    pub(super) fn subtask_of(&self, test: usize) -> Option<usize> {
        let mut left = test;
        self.generated.as_ref()?.subtasks.iter().position(|subtask| {
            let is_here = left < subtask.tests.len();
            left = left.saturating_sub(subtask.tests.len());
            is_here
        })
    }

    /// Fills groups and scoring, once the tests are there.
    pub(super) fn fill(&self, scope: &Scope<'_>, package: &mut Package, diagnostics: &mut Diagnostics) {
        let precision = diagnostics.keep(scope.number("score_precision", 0.0..=15.0)).flatten();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
        let precision = precision.map_or(Some(0), |places| Some(places as u32));
        // Scores are rounded to the task's precision, which is 0 unless it says otherwise.
        package.scoring = Some(Scoring { objective: Objective::Maximise, precision });
        // A test that is missing is an error already; the rest keep their places.
        let names = package.tests.iter().enumerate().map(|(place, test)| (test.name.clone(), place));
        let places: HashMap<String, usize> = names.collect();
        let place = |test: &usize| places.get(&format!("{test:03}")).copied();
        let mut root = Group { on_reject: OnReject::Continue, ..Group::new("") };
        let mut groups = Vec::new();
        match &self.kind {
            Kinds::Sum(points) => {
                root.members = (0..package.tests.len())
                    .map(|test| Member::Test { test, points: Some(*points) })
                    .collect();
            }
            Kinds::Subtasks(subtasks) => {
                for subtask in subtasks {
                    let mut group = Group {
                        aggregation: subtask.aggregation.clone(),
                        weight: subtask.points,
                        on_reject: match subtask.aggregation {
                            Aggregation::Threshold(_) => OnReject::Continue,
                            _ => OnReject::Break,
                        },
                        ..Group::new(subtask.name.clone())
                    };
                    let own: Vec<_> = subtask.tests.iter().filter_map(place).collect();
                    for test in own {
                        group.members.push(Member::Test { test, points: None });
                        if let Some(test) = package.tests.get_mut(test) {
                            test.groups.push(subtask.name.clone());
                        }
                    }
                    root.members.push(Member::Group(groups.len() + 1));
                    groups.push(group);
                }
            }
        }
        package.groups = std::iter::once(root).chain(groups).collect();
    }
}
