//! Reads the tests, limits, groups and points of a testset.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::Element;
use crate::package::model::{
    Aggregation, GeneratedInput, GeneratorOutput, GeneratorRun, Group, Member, Objective, OnReject, Package,
    Scoring, Test, ValidatorArguments,
};
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::tree::{Tree, below};
use crate::units::Bytes;

/// The testset that is judged.
const JUDGED: &str = "tests";
/// Greatest number of tests.
const MOST: usize = 50_000;
/// Groups of tests beyond which a testset is a mistake.
const MOST_GROUPS: usize = 1000;

/// The testset to judge.
#[derive(Debug, Clone, Copy)]
pub(super) struct TestSet<'parsed, 'text>(Element<'parsed, 'text>);

impl TestSet<'_, '_> {
    /// Its name.
    pub(super) fn name(&self) -> String {
        self.0.attribute("name").unwrap_or(JUDGED).to_owned()
    }
}

/// The testset that is judged: the one called `tests`, or the only one.
///
/// # Errors
/// When there is none.
pub(super) fn choose<'parsed, 'text>(
    judging: &Element<'parsed, 'text>,
    warnings: &mut Vec<String>,
) -> Result<TestSet<'parsed, 'text>, PackageError> {
    let all: Vec<_> = judging.children("testset").collect();
    let named = all.iter().find(|set| set.attribute("name") == Some(JUDGED));
    let Some(chosen) = named.or(if all.len() == 1 { all.first() } else { None }) else {
        let problem = format!("there is no testset called '{JUDGED}'");
        return Err(judging.wrong("testset", problem, "add it in Polygon and build the package again"));
    };
    let of = |set: &Element<'_, '_>| set.attribute("name").unwrap_or_default().to_owned();
    let others: Vec<String> =
        all.iter().map(of).filter(|name| *name != of(chosen)).take(10).map(|name| one_line(&name)).collect();
    if let Some(first) = all.iter().find(|set| of(set) != of(chosen)) {
        warnings.push(format!(
            "problem.xml:{}: not judged are the testsets '{}': '{JUDGED}' is",
            first.line(),
            others.join("', '")
        ));
    }
    Ok(TestSet(*chosen))
}

/// CPU time and memory.
///
/// # Errors
/// When one is missing or out of range.
pub(super) fn limits(set: &TestSet<'_, '_>) -> Result<(Duration, Bytes), PackageError> {
    let time = whole(&set.0, "time-limit", 1, 86_400_000, "milliseconds")?;
    let memory = whole(&set.0, "memory-limit", 1 << 12, 1 << 40, "bytes")?;
    Ok((Duration::from_millis(time), Bytes(memory)))
}

fn whole(
    parent: &Element<'_, '_>,
    name: &str,
    smallest: u64,
    largest: u64,
    unit: &str,
) -> Result<u64, PackageError> {
    let element = parent.required(name)?;
    match element.text().parse::<u64>() {
        Ok(number) if (smallest..=largest).contains(&number) => Ok(number),
        _ => Err(element.wrong(
            "",
            format!("'{}' is out of range", one_line(element.text())),
            format!("give {unit} from {smallest} to {largest}"),
        )),
    }
}

/// What a group of tests asks for.
#[derive(Debug, Clone)]
pub(super) struct GroupRule {
    name: String,
    is_complete: bool,
    points: Option<f64>,
    dependencies: Vec<String>,
}

/// The groups of a testset, in order.
///
/// # Errors
/// When one has a policy that is not known, or depends on what is not there.
pub(super) fn read_groups(set: &TestSet<'_, '_>) -> Result<Vec<GroupRule>, PackageError> {
    let Some(groups) = set.0.child("groups") else { return Ok(Vec::new()) };
    let mut rules: Vec<GroupRule> = Vec::new();
    for group in groups.children("group") {
        if rules.len() >= MOST_GROUPS {
            let problem = format!("there are more than {MOST_GROUPS} groups");
            return Err(group.wrong("", problem, "put the tests into fewer groups"));
        }
        let name = group_name(&group, "name")?.unwrap_or_default();
        if rules.iter().any(|rule| rule.name == name) {
            let problem = format!("the group '{}' stands there twice", one_line(&name));
            return Err(group.wrong("name", problem, "give each group once"));
        }
        let is_complete = match group.attribute("points-policy") {
            None | Some("each-test") => false,
            Some("complete-group") => true,
            Some(other) => {
                return Err(group.wrong(
                    "points-policy",
                    format!("'{}' is not a policy", one_line(other)),
                    "use each-test or complete-group",
                ));
            }
        };
        let mut dependencies = Vec::new();
        let mut known = HashSet::new();
        for dependency in group.child("dependencies").iter().flat_map(|list| list.children("dependency")) {
            let needed = dependency.required_attribute("group")?;
            if known.insert(needed) {
                dependencies.push(needed.to_owned());
            }
        }
        rules.push(GroupRule { name, is_complete, points: group.points("points")?, dependencies });
    }
    let names: HashSet<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    for (group, rule) in groups.children("group").zip(&rules) {
        for needed in &rule.dependencies {
            if !names.contains(needed.as_str()) {
                let problem = format!("there is no group '{}'", one_line(needed));
                return Err(group.wrong("dependencies", problem, "name a group of the testset"));
            }
        }
    }
    if let Some(place) = circle(&rules)
        && let Some(group) = groups.children("group").nth(place)
    {
        let name = rules.get(place).map_or("", |rule| rule.name.as_str());
        let problem = format!("the group '{}' depends on itself", one_line(name));
        return Err(group.wrong("dependencies", problem, "remove one of the dependencies"));
    }
    Ok(rules)
}

/// A group that depends on itself, by however many others.
fn circle(rules: &[GroupRule]) -> Option<usize> {
    let places: HashMap<&str, usize> =
        rules.iter().enumerate().map(|(place, rule)| (rule.name.as_str(), place)).collect();
    let needed = |place: usize| {
        let names = rules.get(place).into_iter().flat_map(|rule| &rule.dependencies);
        names.filter_map(|name| places.get(name.as_str()).copied())
    };
    // What needs nothing that is left is taken away, again and again.
    let mut users = vec![Vec::new(); rules.len()];
    let mut needs = vec![0_usize; rules.len()];
    for (place, needs) in needs.iter_mut().enumerate() {
        for other in needed(place) {
            users[other].push(place);
            *needs += 1;
        }
    }
    let mut free: Vec<usize> = (0..rules.len()).filter(|place| needs[*place] == 0).collect();
    while let Some(place) = free.pop() {
        for user in &users[place] {
            needs[*user] -= 1;
            if needs[*user] == 0 {
                free.push(*user);
            }
        }
    }
    // What is left needs something that is left, so going on long enough ends in a circle.
    let mut place = needs.iter().position(|needs| *needs > 0)?;
    for _ in 0..rules.len() {
        place = needed(place).find(|other| needs[*other] > 0)?;
    }
    Some(place)
}

fn group_name(element: &Element<'_, '_>, attribute: &str) -> Result<Option<String>, PackageError> {
    let Some(name) = element.attribute(attribute) else { return Ok(None) };
    if name.is_empty() {
        return Ok(None);
    }
    if name.chars().any(char::is_control) || name.len() > 200 {
        let problem = format!("'{}' cannot be the name of a group in reports", one_line(name));
        return Err(element.wrong(attribute, problem, "use a short name without control characters"));
    }
    Ok(Some(name.to_owned()))
}

/// Fills in tests, groups and points; returns what tests lack that programs are to make.
///
/// # Errors
/// When a file of a test is missing and nothing says how it is made, or the XML contradicts itself.
pub(super) fn fill(
    package: &mut Package,
    tree: &Tree,
    set: &TestSet<'_, '_>,
) -> Result<Vec<Missing>, PackageError> {
    let rules = read_groups(set)?;
    let count = whole(&set.0, "test-count", 1, MOST as u64, "a number of tests")?;
    let inputs = Pattern::read(&set.0, "input-path-pattern")?;
    let answers = Pattern::read(&set.0, "answer-path-pattern")?;
    let described: Vec<_> = set.0.child("tests").iter().flat_map(|tests| tests.children("test")).collect();
    if described.len() as u64 != count {
        return Err(set.0.wrong(
            "test-count",
            format!("it says {count} tests, and {} are described", described.len()),
            "build the package in Polygon again",
        ));
    }
    let generators: HashMap<String, usize> = package
        .verification
        .generators
        .iter()
        .enumerate()
        .map(|(place, program)| (stem(&program.name).to_owned(), place))
        .collect();
    let mut points = Vec::with_capacity(described.len());
    let mut missing = Vec::new();
    for (index, element) in described.iter().enumerate() {
        let number = index as u64 + 1;
        let command = element.attribute("cmd").filter(|command| !command.trim().is_empty());
        let (input, made) = match (inputs.find(tree, number)?, command) {
            (Some(input), _) => (input, None),
            (None, Some(command)) => (PathBuf::new(), Some(generated(element, command, &generators)?)),
            (None, None) => return Err(inputs.missing(tree, number)),
        };
        // An answer that was made for another input is useless.
        let answer = answers.find(tree, number)?.filter(|_| made.is_none());
        if made.is_some() || answer.is_none() {
            let line = element.line();
            let origin = match (&made, command) {
                (Some(_), Some(command)) => format!("problem.xml:{line}: '{}'", one_line(command)),
                _ => format!("problem.xml:{line}"),
            };
            let test = package.tests.len();
            missing.push(Missing { test, origin, input: made, answer: answer.is_none() });
        }
        let name = below(tree.root(), &inputs.path(tree.root(), number));
        let name = name.strip_suffix(".in").unwrap_or(&name).to_owned();
        let group = group_name(element, "group")?;
        if let Some(group) =
            group.as_ref().filter(|group| !rules.is_empty() && !rules.iter().any(|rule| rule.name == **group))
        {
            let problem = format!("there is no group '{}'", one_line(group));
            return Err(element.wrong("group", problem, "name a group of the testset"));
        }
        points.push(element.points("points")?);
        let mut arguments = vec!["--testset".to_owned(), set.name()];
        if let Some(group) = &group {
            arguments.extend(["--group".to_owned(), group.clone()]);
        }
        package.tests.push(Test {
            groups: group.into_iter().collect(),
            sample: element.attribute("sample") == Some("true"),
            validator_arguments: ValidatorArguments::All(arguments),
            made_by: element
                .attribute("cmd")
                .filter(|_| element.attribute("from-file").is_none())
                .and_then(|command| run_of(command, &generators)),
            ..Test::new(name, input, answer.unwrap_or_default())
        });
    }
    package.group_by_folders();
    let has_points = points.iter().flatten().any(|points| *points > 0.0)
        || rules.iter().any(|rule| rule.points.is_some_and(|points| points > 0.0));
    if has_points {
        package.scoring = Some(Scoring { objective: Objective::Maximise, precision: None });
        score(package, &rules, &points);
    }
    for group in &mut package.groups {
        if let Some(rule) = rules.iter().find(|rule| rule.name == group.name && !rule.name.is_empty()) {
            // A group may be named of which there is no test.
            group.dependencies = rule.dependencies.clone();
        }
    }
    let names: Vec<_> = package.groups.iter().map(|group| group.name.clone()).collect();
    for group in &mut package.groups {
        group.dependencies.retain(|needed| names.contains(needed));
    }
    Ok(missing)
}

/// The missing files of a test of a standard package.
#[derive(Debug)]
pub(super) struct Missing {
    /// Its place in the package.
    pub(super) test: usize,
    /// Where `problem.xml` has it, with its command.
    pub(super) origin: String,
    /// How its input is made, where it has none.
    pub(super) input: Option<GeneratedInput>,
    /// Whether it has no answer.
    pub(super) answer: bool,
}

/// The run of a generator that makes an input: to its standard output, or to a file where the script asked for several
/// tests at once (`from-file`).
fn generated(
    element: &Element<'_, '_>,
    command: &str,
    generators: &HashMap<String, usize>,
) -> Result<GeneratedInput, PackageError> {
    let words = crate::package::source::values::words(command);
    let operator = |word: &&String| matches!(word.as_str(), "|" | ">" | ">>" | "<" | ";" | "&&" | "||" | "&");
    if let Some(operator) = words.iter().find(operator) {
        let found = format!("a command with '{operator}'");
        return Err(element.unsupported("cmd", found, "supported is a generator with arguments"));
    }
    let name = words.first().map_or("", |name| stem(name));
    let generator = *generators.get(name).ok_or_else(|| {
        let problem = format!("there is no generator '{}' among the executables", one_line(name));
        element.wrong("cmd", problem, "add it to files/, or build the package in Polygon again")
    })?;
    let written = match element.attribute("from-file") {
        None => GeneratorOutput::Output,
        Some(file)
            if matches!(file, "" | "." | "..")
                || file.contains('/')
                || file.chars().any(char::is_control) =>
        {
            let problem = format!("'{}' is not the name of a file", one_line(file));
            return Err(element.wrong("from-file", problem, "build the package in Polygon again"));
        }
        // Polygon's own scripts look for the number with up to two zeros before it.
        Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            GeneratorOutput::File(vec![number.to_owned(), format!("0{number}"), format!("00{number}")])
        }
        Some(file) => GeneratorOutput::File(vec![file.to_owned()]),
    };
    let arguments = words.into_iter().skip(1).collect();
    Ok(GeneratedInput { generator, arguments, written, ..GeneratedInput::default() })
}

fn score(package: &mut Package, rules: &[GroupRule], points: &[Option<f64>]) {
    let of_test = |test: usize| points.get(test).copied().flatten().unwrap_or(0.0);
    for group in &mut package.groups {
        let rule = rules.iter().find(|rule| rule.name == group.name && !group.name.is_empty());
        let is_complete = rule.is_some_and(|rule| rule.is_complete);
        if is_complete {
            let total: f64 = tests_of(group).map(of_test).sum();
            group.aggregation = Aggregation::AllOrNothing;
            group.weight = rule.and_then(|rule| rule.points).unwrap_or(total);
            group.on_reject = OnReject::Break;
            continue;
        }
        group.aggregation = Aggregation::Sum;
        group.on_reject = OnReject::Continue;
        for member in &mut group.members {
            if let Member::Test { test, points } = member {
                *points = Some(of_test(*test));
            }
        }
    }
}

fn tests_of(group: &Group) -> impl Iterator<Item = usize> {
    group.members.iter().filter_map(|member| match member {
        Member::Test { test, .. } => Some(*test),
        Member::Group(_) => None,
    })
}

/// A generator's name and its arguments; `None` for what is more than that.
fn run_of(command: &str, generators: &HashMap<String, usize>) -> Option<GeneratorRun> {
    let mut words = crate::package::source::values::words(command).into_iter();
    let generator = *generators.get(stem(&words.next()?))?;
    Some(GeneratorRun { generator, arguments: words.collect() })
}

/// `gen` of `files/gen.cpp`.
fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// `tests/%02d` with a number for its conversion.
#[derive(Debug)]
pub(super) struct Pattern {
    before: String,
    width: usize,
    has_zeros: bool,
    after: String,
    line: u64,
    name: &'static str,
}

impl Pattern {
    /// Reads the element of that name.
    ///
    /// # Errors
    /// When it is missing, has no conversion or several, or leads out of the package.
    pub(super) fn read(parent: &Element<'_, '_>, name: &'static str) -> Result<Self, PackageError> {
        let element = parent.required(name)?;
        let text = element.text();
        let wrong = || {
            let problem = format!("'{}' is no pattern of paths", one_line(text));
            element.wrong("", problem, "write it like tests/%02d, below the package")
        };
        let (before, rest) = text.split_once('%').ok_or_else(wrong)?;
        let (flags, after) = rest.split_once('d').ok_or_else(wrong)?;
        let width = if flags.is_empty() { 0 } else { flags.parse::<usize>().map_err(|_| wrong())? };
        let leads_out = text.starts_with('/')
            || text.contains(['\\', '\0'])
            || text.split('/').any(|part| matches!(part, ".." | "." | ""));
        if width > 20 || after.contains('%') || leads_out || text.chars().any(char::is_control) {
            return Err(wrong());
        }
        Ok(Self {
            before: before.to_owned(),
            width,
            has_zeros: flags.starts_with('0'),
            after: after.to_owned(),
            line: element.line(),
            name,
        })
    }

    /// The path of a number.
    pub(super) fn path(&self, root: &Path, number: u64) -> PathBuf {
        let width = self.width;
        let number = if self.has_zeros { format!("{number:0width$}") } else { format!("{number:width$}") };
        root.join(format!("{}{number}{}", self.before, self.after))
    }

    /// The file of a number, which must be inside the package; `None` where it is not there.
    ///
    /// # Errors
    /// When it is no regular file of the package.
    pub(super) fn find(&self, tree: &Tree, number: u64) -> Result<Option<PathBuf>, PackageError> {
        tree.file_at(&self.path(tree.root(), number))
    }

    /// The error about an input that is not there.
    pub(super) fn missing(&self, tree: &Tree, number: u64) -> PackageError {
        PackageError::NotAPackage {
            path: self.path(tree.root(), number),
            problem: format!(
                "the input of test {number} is missing ({} in problem.xml:{}), and it has no command to make it",
                self.name, self.line
            ),
            remedy: "build the package in Polygon again",
        }
    }
}
