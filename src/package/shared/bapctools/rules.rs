//! `generators/generators.yaml`: which tests there are, and where each comes from.
//!
//! Read as BAPCtools' `generate.py` does: tests in lists are numbered over the whole file, those in maps come in order of
//! their names, and a seed is a hash of the salt and the command.

use std::collections::HashMap;

use sha2::{Digest as _, Sha512};

use crate::nearest::nearest;
use crate::package::model::{Seeds, seeds};
use crate::package::shared::constants::Constants;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::values::words;
use crate::package::source::yaml;
use crate::package::source::yaml::{Node, Value};

/// More tests than any report could carry.
const MOST_TESTS: usize = 50_000;
/// More of the same than `count` may ask for.
const MOST_COUNTED: i64 = 100;
/// More attempts than a generator needs.
const MOST_RETRIES: f64 = 1000.0;
/// Bytes of all commands and texts together: a text can be included in many folders, a command be counted.
const MOST_BYTES: usize = 64 << 20;
/// Bytes of a key. Numbers, counts and endings come beside it, and names of files have at most 255 bytes.
const LONGEST_NAME: usize = 200;
/// Folders within folders.
const MOST_DEPTH: usize = 16;
/// Folders of `data/`, in the order in which their tests are numbered.
const ROOTS: &[&str] = &[
    "sample",
    "secret",
    "invalid_output",
    "invalid_answer",
    "invalid_input",
    "valid_output",
    "testing_tool_test",
    "fuzz",
];
/// Files of a test that a rule may give as text.
const TEXTS: &[&str] = &["in", "ans", "out", "yaml"];
/// Files for statements and people, which no judging reads.
const SHOWN: &[&str] =
    &["in.statement", "ans.statement", "in.download", "ans.download", "interaction", "hint", "desc"];
/// Other keys of a test.
const CASE_KEYS: &[&str] = &["copy", "generate", "count", "match", "solution", "random_salt", "retries"];
/// Files of settings of a folder; older ones were called `testdata.yaml`.
const SETTINGS: [&str; 2] = ["test_group.yaml", "testdata.yaml"];
/// Keys of folders besides; of some there was once more to say.
const FOLDER_KEYS: &[&str] = &[
    "data",
    "include",
    "solution",
    "random_salt",
    "retries",
    "generators",
    "version",
    "type",
    "visualizer",
    "gitignore_generated",
    "parallel",
];

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// Tests, and inputs and outputs for verification.
    pub(super) cases: Vec<Case>,
    /// Settings of folders: path below `data`, file name, content.
    pub(super) settings: Vec<(String, &'static str, Node)>,
    /// Generators of several files, by name; the first file is the entry point.
    pub(super) generators: HashMap<String, Vec<String>>,
    /// Things without effect, with their line.
    pub(super) warnings: Vec<String>,
}

/// One test.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// Path below `data`: `secret/01-small`.
    pub(super) path: String,
    /// Line of its rule.
    pub(super) line: u64,
    /// The run that makes it.
    pub(super) generate: Option<Invocation>,
    /// Path below `generators` without an ending, of files to copy.
    pub(super) copy: Option<String>,
    /// Contents, by the file's ending.
    pub(super) texts: Vec<(&'static str, String)>,
    /// What makes its answer.
    pub(super) solution: Solution,
}

/// A run of a generator.
#[derive(Debug, Clone)]
pub(super) struct Invocation {
    /// As it is written, with its constants and its count.
    pub(super) command: String,
    /// The generator's name.
    pub(super) program: String,
    /// Its arguments, in which `{seed}` stands where there are seeds.
    pub(super) arguments: Vec<String>,
    /// Its attempts, where there is more than one or a seed.
    pub(super) seeds: Option<Seeds>,
}

impl Case {
    /// Bytes of all that each test has for itself, also where it is a copy of another.
    fn bytes(&self) -> usize {
        let texts = self.texts.iter().map(|(_, text)| text.len()).sum::<usize>();
        let copy = self.copy.as_ref().map_or(0, String::len);
        let solution = if let Solution::Program(path) = &self.solution { path.len() } else { 0 };
        let run = self.generate.as_ref().map_or(0, |run| {
            let arguments = run.arguments.iter().map(|word| word.len() + size_of::<String>());
            run.command.len() + run.program.len() + arguments.sum::<usize>()
        });
        self.path.len() + texts + copy + solution + run
    }
}

/// What makes answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Solution {
    /// Nothing is said.
    Unsaid,
    /// Nothing: answers are in the rules.
    None,
    /// The program at that path below the package.
    Program(String),
}

/// What folders hand down.
#[derive(Debug, Clone)]
struct Config {
    solution: Solution,
    salt: String,
    retries: u32,
}

/// What an `include` may name.
#[derive(Debug, Clone)]
enum Known {
    Case(usize),
    Folder(usize),
}

struct Reader<'a> {
    constants: &'a Constants,
    rules: Rules,
    known: HashMap<String, Vec<Known>>,
    /// Cases below a folder with those that it includes, by the folder's number.
    below: Vec<Vec<usize>>,
    /// Cases by their path.
    places: HashMap<String, usize>,
    next_case: usize,
    width: usize,
    /// Bytes of commands and texts of all cases.
    bytes: usize,
}

/// Reads the file; `constants` stand in commands.
///
/// # Errors
/// When it is not the YAML expected, a rule makes no input, or an `include` names nothing.
pub(super) fn parse(text: &str, constants: &Constants) -> Result<Rules, PackageError> {
    let (root, duplicates) = yaml::parse_with_duplicates(text)?;
    // Of two tests of one name the first would be lost.
    if let Some((line, key)) = duplicates.first() {
        let problem = "it is there twice";
        return Err(PackageError::value(*line, &one_line(key), problem, "give each its own name"));
    }
    let map = root.map("")?;
    let total = count_numbered(map);
    let mut reader = Reader {
        constants,
        rules: Rules::default(),
        known: HashMap::new(),
        below: Vec::new(),
        places: HashMap::new(),
        next_case: 1,
        width: total.to_string().len(),
        bytes: 0,
    };
    if let Some(node) = find(map, "generators") {
        for (name, node) in node.map("generators")? {
            let key = format!("generators.{}", one_line(name));
            let files = node.texts(&key)?;
            if files.is_empty() {
                return Err(PackageError::value(node.line, &key, "it has no files", "list its files"));
            }
            reader.rules.generators.insert(name.clone(), files);
        }
    }
    let config = Config { solution: Solution::Unsaid, salt: String::new(), retries: 1 };
    reader.folder(map, "", &config, 0)?;
    Ok(reader.rules)
}

fn find<'n>(map: &'n [(String, Node)], key: &str) -> Option<&'n Node> {
    map.iter().find_map(|(name, node)| (name == key).then_some(node))
}

/// Whether a rule is a test and not a folder.
fn is_case(node: &Node) -> bool {
    match &node.value {
        Value::Map(map) => {
            let only_cases = |key: &str| {
                TEXTS.contains(&key)
                    || SHOWN.contains(&key)
                    || matches!(key, "copy" | "generate" | "count" | "match")
            };
            map.iter().any(|(key, _)| only_cases(key))
        }
        Value::List(_) => false,
        _ => true,
    }
}

/// The entries of a map.
type Entries = [(String, Node)];

/// The maps of a folder's `data`, and whether they are numbered.
fn data_of(map: &Entries) -> Result<(Vec<&Entries>, bool), PackageError> {
    let Some(node) = find(map, "data") else { return Ok((Vec::new(), false)) };
    match &node.value {
        Value::List(items) => {
            let maps: Result<Vec<_>, _> = items.iter().map(|item| item.map("data")).collect();
            Ok((maps?, true))
        }
        _ => Ok((vec![node.map("data")?], false)),
    }
}

/// How many tests are numbered: names have as many digits as that number.
fn count_numbered(map: &[(String, Node)]) -> usize {
    let Ok((maps, is_numbered)) = data_of(map) else { return 0 };
    let mut total = 0;
    for (key, node) in maps.into_iter().flatten() {
        if is_case(node) {
            if is_numbered {
                total += counts(node, key).map_or(1, |counts| counts.map_or(1, |counts| counts.len()));
            }
        } else if let Ok(inner) = node.map(key) {
            total += count_numbered(inner);
        }
    }
    total
}

/// `count`, where a rule has it: a number, a list or a range `1..=5`.
fn counts(node: &Node, key: &str) -> Result<Option<Vec<i64>>, PackageError> {
    let Value::Map(map) = &node.value else { return Ok(None) };
    let Some(node) = find(map, "count") else { return Ok(None) };
    let key = format!("{key}.count");
    let wrong = |problem: String| {
        let remedy =
            format!("give a number from 1 to {MOST_COUNTED}, a list of numbers, or a range like 1..=5");
        PackageError::value(node.line, &key, problem, remedy)
    };
    #[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
    let whole = |node: &Node| match node.value {
        Value::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => Some(number as i64),
        _ => None,
    };
    let list = match &node.value {
        Value::Number(_) => whole(node).map(|count| (1..=count).collect::<Vec<_>>()),
        Value::List(items) => items.iter().map(whole).collect(),
        Value::Text(text) => text.split_once("..=").and_then(|(low, high)| {
            let range = low.trim().parse::<i64>().ok()?..=high.trim().parse::<i64>().ok()?;
            let length = range.end().checked_sub(*range.start())?;
            (length < MOST_COUNTED).then(|| range.collect())
        }),
        _ => None,
    };
    let list = list.filter(|list| !list.is_empty() && list.len() as i64 <= MOST_COUNTED);
    list.map(Some).ok_or_else(|| wrong("it is not a count of tests".to_owned()))
}

/// Digits to which counts are padded: where they follow on each other.
fn padding(counts: &[i64]) -> usize {
    let (Some(low), Some(high)) = (counts.iter().min(), counts.iter().max()) else { return 0 };
    let is_consecutive = high - low == counts.len() as i64 - 1;
    let longest = counts.iter().map(|count| count.to_string().len()).max().unwrap_or(0);
    if is_consecutive { longest } else { 0 }
}

/// A name with its number before it.
fn numbered(number: usize, width: usize, key: &str) -> String {
    if key.is_empty() { format!("{number:0width$}") } else { format!("{number:0width$}-{key}") }
}

impl Reader<'_> {
    /// Reads a folder with all in it; its number in `below`.
    fn folder(
        &mut self,
        map: &[(String, Node)],
        path: &str,
        above: &Config,
        depth: usize,
    ) -> Result<usize, PackageError> {
        let shown = if path.is_empty() { "data" } else { path };
        if depth > MOST_DEPTH {
            let problem = format!("folders are nested more than {MOST_DEPTH} deep");
            return Err(PackageError::value(0, shown, problem, "flatten them"));
        }
        let config = self.config(map, shown, above)?;
        self.warn_of_unknown(map, shown, path.is_empty());
        for name in SETTINGS {
            if let Some(node) = find(map, name).filter(|node| !matches!(node.value, Value::Null)) {
                self.rules.settings.push((path.to_owned(), name, node.clone()));
            }
        }
        let included = self.included(map, shown)?;
        let (maps, is_numbered) = data_of(map)?;
        if is_numbered && path.is_empty() {
            let line = find(map, "data").map_or(0, |node| node.line);
            let problem = "it is a list, in which folders get numbers before their names";
            return Err(PackageError::value(line, shown, problem, "give sample and secret as keys of a map"));
        }
        let groups = maps.iter().flat_map(|map| map.iter()).filter(|(_, node)| !is_case(node)).count();
        let mut next_group = 1;
        let mut own = Vec::new();
        for map in maps {
            if is_numbered && map.len() != 1 {
                let line = map.first().map_or(0, |(_, node)| node.line);
                let problem = format!("an entry of its list has {} keys", map.len());
                return Err(PackageError::value(line, shown, problem, "give each test an entry of its own"));
            }
            for (key, node) in ordered(map, path.is_empty()) {
                let number = if is_case(node) { None } else { Some(next_group) };
                next_group += usize::from(number.is_some());
                let name = match (is_numbered, number) {
                    (true, Some(number)) => numbered(number, groups.to_string().len(), key),
                    _ => key.clone(),
                };
                // In lists a number is name enough.
                if !(is_numbered && key.is_empty()) {
                    check_name(key, node.line, shown)?;
                }
                match number {
                    Some(_) => {
                        let inner = node.map(shown)?;
                        let folder = self.folder(inner, &joined(path, &name), &config, depth + 1)?;
                        own.extend(self.below.get(folder).into_iter().flatten().copied());
                        self.known.entry(key.clone()).or_default().push(Known::Folder(folder));
                    }
                    None => own.extend(self.cases(node, key, path, is_numbered, &config)?),
                }
            }
        }
        for case in included {
            own.extend(self.include(case, path)?);
        }
        self.below.push(own);
        Ok(self.below.len() - 1)
    }

    /// `solution`, `random_salt` and `retries`, where a map has them.
    fn config(&self, map: &[(String, Node)], shown: &str, above: &Config) -> Result<Config, PackageError> {
        let mut config = above.clone();
        if let Some(node) = find(map, "solution") {
            let key = format!("{shown}.solution");
            config.solution = match node.text(&key)?.as_deref().map(str::trim) {
                None | Some("") => Solution::None,
                Some(path) => match path.strip_prefix('/') {
                    Some(path) if !path.contains(char::is_whitespace) => Solution::Program(path.to_owned()),
                    _ => {
                        let problem = format!("'{}' is not a path from the package", one_line(path));
                        let remedy = "give it like /submissions/accepted/NAME.py, without arguments";
                        return Err(PackageError::value(node.line, &key, problem, remedy));
                    }
                },
            };
        }
        if let Some(node) = find(map, "random_salt") {
            config.salt = node.text(&format!("{shown}.random_salt"))?.unwrap_or_default();
        }
        if let Some(node) = find(map, "retries") {
            let key = format!("{shown}.retries");
            let number = node.number(&key)?.filter(|number| (1.0..=MOST_RETRIES).contains(number));
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the range is checked"
            )]
            let number = number.map(|number| number as u32);
            config.retries = number.ok_or_else(|| {
                let remedy = format!("give a number from 1 to {MOST_RETRIES}");
                PackageError::value(node.line, &key, "it is out of range", remedy)
            })?;
        }
        Ok(config)
    }

    fn warn_of_unknown(&mut self, map: &[(String, Node)], shown: &str, is_root: bool) {
        let known = || FOLDER_KEYS.iter().copied().chain(SETTINGS);
        for (key, node) in map.iter().filter(|(key, _)| !known().any(|known| known == key)) {
            self.unknown(shown, key, node, nearest(key, known()));
        }
        let Some(Value::Map(roots)) = find(map, "data").filter(|_| is_root).map(|node| &node.value) else {
            return;
        };
        for (key, node) in roots.iter().filter(|(key, _)| !ROOTS.contains(&key.as_str())) {
            self.unknown("data", key, node, nearest(key, ROOTS.iter().copied()));
        }
    }

    fn unknown(&mut self, above: &str, key: &str, node: &Node, meant: Option<&str>) {
        let meant = meant.map_or_else(String::new, |meant| format!(": did you mean '{meant}'?"));
        self.rules.warnings.push(format!(
            "generators/generators.yaml:{}: {above}.{}: an unknown key is ignored{meant}",
            node.line,
            one_line(key)
        ));
    }

    /// Cases that a folder includes: those of a test or a folder that came before it.
    fn included(&self, map: &[(String, Node)], shown: &str) -> Result<Vec<usize>, PackageError> {
        let Some(node) = find(map, "include") else { return Ok(Vec::new()) };
        let key = format!("{shown}.include");
        let mut cases = Vec::new();
        for name in node.texts(&key)? {
            let wrong = |problem: &str| {
                let problem = format!("'{}' {problem}", one_line(&name));
                PackageError::value(node.line, &key, problem, "name one test or folder that comes before it")
            };
            match self.known.get(&name).map(Vec::as_slice) {
                None | Some([]) => return Err(wrong("is not a test or folder")),
                Some([Known::Case(case)]) => cases.push(*case),
                Some([Known::Folder(folder)]) => {
                    cases.extend(self.below.get(*folder).into_iter().flatten().copied());
                }
                Some(_) => return Err(wrong("stands for several")),
            }
        }
        Ok(cases)
    }

    /// Puts a case of another folder into this one, too; none where it is there already.
    fn include(&mut self, case: usize, path: &str) -> Result<Option<usize>, PackageError> {
        let Some(known) = self.rules.cases.get(case) else { return Ok(None) };
        let name = known.path.rsplit('/').next().unwrap_or(&known.path);
        check_name(name, known.line, path)?;
        let target = joined(path, name);
        match self.places.get(&target).and_then(|place| self.rules.cases.get(*place)) {
            None => {
                let included = Case { path: target, ..known.clone() };
                self.push(included).map(Some)
            }
            Some(other) if other.line == known.line => Ok(None),
            Some(other) => {
                let problem = format!("'{}' is there already", one_line(&target));
                Err(PackageError::value(other.line, "include", problem, "give the tests different names"))
            }
        }
    }

    fn push(&mut self, case: Case) -> Result<usize, PackageError> {
        if self.rules.cases.len() >= MOST_TESTS {
            let problem = format!("there are more than {MOST_TESTS} tests");
            return Err(PackageError::value(case.line, "data", problem, "make fewer"));
        }
        self.bytes += case.bytes();
        if self.bytes > MOST_BYTES {
            let problem =
                format!("commands and texts of its tests have more than {} MiB in all", MOST_BYTES >> 20);
            let remedy = "put the texts into files and copy them, or make fewer tests";
            return Err(PackageError::value(case.line, "data", problem, remedy));
        }
        self.places.insert(case.path.clone(), self.rules.cases.len());
        self.rules.cases.push(case);
        Ok(self.rules.cases.len() - 1)
    }

    /// The cases of one rule.
    fn cases(
        &mut self,
        node: &Node,
        key: &str,
        above: &str,
        is_numbered: bool,
        config: &Config,
    ) -> Result<Vec<usize>, PackageError> {
        let counts = counts(node, key)?;
        let padding = padding(counts.as_deref().unwrap_or_default());
        let values = match &counts {
            Some(counts) => counts.iter().map(|count| Some(*count)).collect(),
            None => vec![None],
        };
        let mut cases = Vec::new();
        for count in values {
            let mut name = key.to_owned();
            if is_numbered {
                name = numbered(self.next_case, self.width, key);
                self.next_case += 1;
            }
            if let Some(count) = count {
                name = format!("{name}-{count:0padding$}");
            }
            let path = joined(above, &name);
            if self.places.contains_key(&path) {
                let problem = format!("'{}' is there already", one_line(&path));
                return Err(PackageError::value(node.line, above, problem, "give the tests different names"));
            }
            let Some(case) = self.case(node, path, count, config)? else { continue };
            let place = self.push(case)?;
            self.known.entry(key.to_owned()).or_default().push(Known::Case(place));
            cases.push(place);
        }
        Ok(cases)
    }

    /// One case; `None` for a sample that is shown and not judged.
    fn case(
        &mut self,
        node: &Node,
        path: String,
        count: Option<i64>,
        config: &Config,
    ) -> Result<Option<Case>, PackageError> {
        let mut case = Case {
            path,
            line: node.line,
            generate: None,
            copy: None,
            texts: Vec::new(),
            solution: config.solution.clone(),
        };
        let shown = one_line(&case.path);
        let Value::Map(map) = &node.value else {
            let text = node.text(&shown)?.unwrap_or_default();
            match text.trim().strip_suffix(".in").filter(|stem| !stem.contains(char::is_whitespace)) {
                Some(stem) => case.copy = Some(stem.to_owned()),
                None => case.generate = Some(self.invocation(&text, node, &shown, count, config)?),
            }
            return Ok(Some(case));
        };
        let config = self.config(map, &shown, config)?;
        case.solution = config.solution.clone();
        let mut is_shown = false;
        for (key, node) in map {
            let dotted = format!("{shown}.{}", one_line(key));
            match key.as_str() {
                "generate" => {
                    let text = node.text(&dotted)?.unwrap_or_default();
                    case.generate = Some(self.invocation(&text, node, &dotted, count, &config)?);
                }
                "copy" => case.copy = node.text(&dotted)?.filter(|path| !path.is_empty()),
                other => match TEXTS.iter().find(|known| **known == other) {
                    Some(ending) => case.texts.push((ending, content(node, &dotted, ending)?)),
                    None if SHOWN.contains(&other) => is_shown = true,
                    None if CASE_KEYS.contains(&other) => {}
                    None => {
                        let known = TEXTS.iter().chain(SHOWN).chain(CASE_KEYS).copied();
                        self.unknown(&shown, key, node, nearest(key, known));
                    }
                },
            }
        }
        let has_input = case.generate.is_some()
            || case.copy.is_some()
            || case.texts.iter().any(|(name, _)| *name == "in");
        if !has_input && is_shown {
            return Ok(None);
        }
        if !has_input {
            let problem = "nothing makes its input";
            return Err(PackageError::value(node.line, &shown, problem, "add generate, copy or in"));
        }
        Ok(Some(case))
    }

    /// A command with its constants, count and seed in their places.
    fn invocation(
        &self,
        text: &str,
        node: &Node,
        key: &str,
        count: Option<i64>,
        config: &Config,
    ) -> Result<Invocation, PackageError> {
        let wrong = |problem: &str, remedy: &str| PackageError::value(node.line, key, problem, remedy);
        let replaced = self.constants.replace(text.as_bytes());
        let mut command = match replaced {
            Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            None => text.to_owned(),
        };
        if let Some(count) = count {
            command = command.replace("{count}", &count.to_string());
        }
        let words = words(&command);
        let (Some(program), arguments) = (words.first().cloned(), words.get(1..).unwrap_or_default()) else {
            return Err(wrong("there is no command", "name a generator and its arguments"));
        };
        if arguments.iter().map(|argument| seeds(argument).len()).sum::<usize>() > 1 {
            return Err(wrong("{seed} stands in it twice", "ask for one seed"));
        }
        let mut hashed = config.salt.clone();
        if let Some(count) = count.filter(|count| *count != 1) {
            hashed.push_str(&format!(":{}", count - 1));
        }
        hashed.push_str(command.trim());
        // Runs without a seed are the same, whatever their commands hash to.
        let is_seeded = arguments.iter().any(|argument| !seeds(argument).is_empty());
        let first = if is_seeded { seed_of(&hashed) } else { 0 };
        let seeds = Seeds { first, attempts: config.retries };
        let seeds = (is_seeded || config.retries > 1).then_some(seeds);
        let arguments = arguments.iter().map(|argument| argument.replace("{name}", "testcase")).collect();
        Ok(Invocation { command: one_line(command.trim()), program, arguments, seeds })
    }
}

/// Entries of a map in the order in which they are numbered.
fn ordered(map: &[(String, Node)], is_root: bool) -> Vec<&(String, Node)> {
    let mut entries: Vec<_> = map.iter().collect();
    if is_root {
        entries.retain(|(key, _)| ROOTS.contains(&key.as_str()));
        entries.sort_by_key(|(key, _)| ROOTS.iter().position(|root| root == key));
    } else {
        entries.sort_by(|left, right| left.0.cmp(&right.0));
    }
    entries
}

/// Refuses a key that cannot be the name of a test or folder: it is a part of a path, and what begins with a dot is hidden.
fn check_name(key: &str, line: u64, above: &str) -> Result<(), PackageError> {
    let problem = if key.is_empty() {
        "a test without a name".to_owned()
    } else if key.starts_with('.') {
        format!("'{}' begins with a dot", one_line(key))
    } else if key.contains(['/', '\\']) || key.chars().any(char::is_control) {
        format!("'{}' has a slash, a backslash or a control character", one_line(key))
    } else if key.len() > LONGEST_NAME {
        format!("'{}' is longer than {LONGEST_NAME} bytes", one_line(key))
    } else {
        return Ok(());
    };
    let remedy =
        if key.is_empty() { "name it, or use a list" } else { "name it with letters, digits, - and _" };
    Err(PackageError::value(line, above, problem, remedy))
}

fn joined(above: &str, name: &str) -> String {
    if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") }
}

/// The content of a file that stands in the rule.
fn content(node: &Node, key: &str, ending: &str) -> Result<String, PackageError> {
    match &node.value {
        Value::Text(text) if text.is_empty() || text.ends_with('\n') => Ok(text.clone()),
        Value::Text(text) => Ok(format!("{text}\n")),
        Value::Map(_) | Value::List(_) if ending == "yaml" => Ok(json(node).to_string()),
        Value::Null => Ok(String::new()),
        _ => {
            let problem = "it is not text";
            Err(PackageError::value(node.line, key, problem, "write it in quotes"))
        }
    }
}

/// A value as JSON, which is YAML, too.
pub(super) fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(flag) => (*flag).into(),
        #[allow(clippy::cast_possible_truncation, reason = "whole, and below 2^53")]
        Value::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => (*number as i64).into(),
        Value::Number(number) => (*number).into(),
        Value::Text(text) => text.clone().into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(map) => {
            serde_json::Value::Object(map.iter().map(|(key, node)| (key.clone(), json(node))).collect())
        }
    }
}

/// The last 31 bits of the hash.
fn seed_of(hashed: &str) -> u32 {
    let digest = Sha512::digest(hashed.as_bytes());
    let last = digest.iter().rev().take(4).rev().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    last & 0x7fff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::model::MadeInput;

    fn rules(text: &str) -> Rules {
        parse(text, &Constants::default()).unwrap()
    }

    fn attempts_of(rules: &Rules, case: usize) -> Vec<Vec<String>> {
        let run = rules.cases[case].generate.clone().unwrap();
        let input = MadeInput { arguments: run.arguments, seeds: run.seeds, ..MadeInput::default() };
        (0..input.attempts()).map(|attempt| input.arguments_of(attempt)).collect()
    }

    fn paths(rules: &Rules) -> Vec<&str> {
        rules.cases.iter().map(|case| case.path.as_str()).collect()
    }

    #[test]
    fn lists_number_their_tests_over_the_whole_file() {
        let rules = rules(
            "data:\n  secret:\n    data:\n    - small: gen 1\n    - '': {in: '3'}\n    - many: {generate: 'gen {count}', count: 8}\n  sample:\n    data:\n    - a: {in: x}\n",
        );
        let names = paths(&rules);
        assert_eq!(names[..4], ["sample/01-a", "secret/02-small", "secret/03", "secret/04-many-1"]);
        assert_eq!((names.len(), names[10]), (11, "secret/11-many-8"));
        assert_eq!(attempts_of(&rules, 10), [["8"]]);
        assert_eq!(rules.cases[2].texts, [("in", "3\n".to_owned())]);
    }

    #[test]
    fn maps_are_in_order_of_their_names_and_folders_are_numbered_apart() {
        let rules = rules(
            "data:\n  secret:\n    data:\n    - big:\n        data: {b: gen 2, a: gen 1}\n    - last:\n        data:\n        - c: gen 3\n",
        );
        assert_eq!(paths(&rules), ["secret/1-big/a", "secret/1-big/b", "secret/2-last/1-c"]);
    }

    #[test]
    fn counts_come_as_lists_and_ranges() {
        let name = |count: &str| {
            let text = format!("data:\n  secret:\n    data:\n      x: {{generate: g, count: {count}}}\n");
            paths(&rules(&text)).join(" ")
        };
        assert_eq!(name("2"), "secret/x-1 secret/x-2");
        assert_eq!(name("[7, -3]"), "secret/x-7 secret/x--3");
        assert_eq!(name("9..=11"), "secret/x-09 secret/x-10 secret/x-11");
        assert_eq!(name("-1..=1"), "secret/x--1 secret/x-00 secret/x-01");
    }

    #[test]
    fn seeds_are_those_of_bapctools() {
        // int(hashlib.sha512(text).hexdigest(), 16) % 2**31
        let attempts = |more: &str, command: &str| {
            let text = format!("{more}data:\n  secret:\n    data:\n      x: {command}\n");
            attempts_of(&rules(&text), 0)
        };
        let plain = attempts("", "stdout.py {seed}")[0][0].parse::<u64>().unwrap();
        let hash = |text: &str| {
            let digest = Sha512::digest(text.as_bytes());
            digest.iter().fold(0_u64, |rest, byte| (rest * 256 + u64::from(*byte)) % (1 << 31))
        };
        assert_eq!(plain, hash("stdout.py {seed}"));
        let salted = attempts("random_salt: bob\nretries: 2\n", "'gen a={seed:42} {name}.x'");
        let seed = hash("bobgen a={seed:42} {name}.x");
        let expected =
            [seed, (seed + 1) % (1 << 31)].map(|seed| [format!("a={seed}"), "testcase.x".to_owned()]);
        assert_eq!(salted, expected);
    }

    #[test]
    fn a_small_file_does_not_become_a_large_one() {
        // Arguments are the same for all attempts but for the seed.
        let long = "x".repeat(1000);
        let text = format!(
            "retries: 1000\ndata:\n  secret:\n    data: {{x: {{generate: 'g {long} {{seed}}', count: 100}}}}\n"
        );
        let rules = rules(&text);
        assert!(rules.cases.iter().map(Case::bytes).sum::<usize>() < 1 << 18);
        assert_eq!(attempts_of(&rules, 99).len(), 1000);
    }

    #[test]
    fn folders_include_what_came_before_them() {
        let rules = rules(
            "solution: /s.py\ndata:\n  sample:\n    data: {a: {in: x}, b: {in: y, solution: }}\n  secret:\n    include: [sample]\n    data:\n    - g:\n        include: [a]\n        data: {z: gen}\n",
        );
        let names = paths(&rules);
        assert_eq!(names, ["sample/a", "sample/b", "secret/1-g/z", "secret/1-g/a", "secret/a", "secret/b"]);
        assert_eq!(rules.cases[3].solution, Solution::Program("s.py".to_owned()));
        assert_eq!(rules.cases[5].solution, Solution::None);
    }

    #[test]
    fn keys_that_are_no_names_are_refused_wherever_they_stand() {
        let bad =
            ["../../../x", "/tmp/x", "..", ".", ".b", "a/b", "a\\\\b", "a\\0b", "a\\nb", &"x".repeat(201)];
        let shapes = [
            "data:\n  secret:\n    data: {\"KEY\": g 1}\n",
            "data:\n  secret:\n    data: {\"KEY\": {in: '1', ans: '2'}}\n",
            "data:\n  secret:\n    data: {\"KEY\": {copy: a}}\n",
            "data:\n  secret:\n    data: {\"KEY\": {generate: g, count: 2}}\n",
            "data:\n  secret:\n    data:\n    - \"KEY\": g 1\n",
            "data:\n  secret:\n    data: {\"KEY\": {data: {a: g 1}}}\n",
            "data:\n  secret:\n    data: {\"KEY\": {test_group.yaml: {}}}\n",
            "data:\n  secret:\n    data:\n    - \"KEY\": {data: {a: g 1}}\n",
            "data:\n  sample:\n    data: {\"KEY\": g 1}\n  secret:\n    include: [\"KEY\"]\n",
        ];
        for (key, shape) in bad.iter().flat_map(|key| shapes.map(|shape| (key, shape))) {
            let text = shape.replace("KEY", key);
            let error = parse(&text, &Constants::default()).unwrap_err();
            let (_, line, place) = error.place();
            assert!(line.is_some() && !place.is_empty(), "{text}: {error}");
            assert!(error.to_string().contains("name it with letters"), "{text}: {error}");
        }
        let error = parse("data: [{secret: {data: {a: g}}}]\n", &Constants::default()).unwrap_err();
        assert!(error.to_string().contains("data: it is a list"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_named_with_line_and_key() {
        for (text, expected) in [
            ("data:\n  secret:\n    data: {x: {ans: '1'}}\n", "secret/x: nothing makes its input"),
            ("data:\n  secret:\n    data: {x: }\n", "secret/x: there is no command"),
            ("data:\n  secret:\n    data: {x: 'g {seed} {seed:1}'}\n", "{seed} stands in it twice"),
            ("data:\n  secret:\n    data: {x: {in: 5}}\n", "secret/x.in: it is not text"),
            ("data:\n  secret:\n    data: {x: {generate: g, count: 0}}\n", "x.count: it is not a count"),
            (
                "data:\n  secret:\n    data: {x: {generate: g, count: 1..=900}}\n",
                "x.count: it is not a count",
            ),
            ("data:\n  secret:\n    include: [y]\n", "secret.include: 'y' is not a test or folder"),
            ("solution: s.py\n", "data.solution: 's.py' is not a path from the package"),
            ("data:\n  secret:\n    data:\n    - {a: g, b: g}\n", "an entry of its list has 2 keys"),
            ("generators: {g: []}\n", "generators.g: it has no files"),
            ("data:\n  secret:\n    data: {x: g 1, x: g 2}\n", "it is there twice"),
            ("retries: 0\n", "data.retries: it is out of range"),
        ] {
            let error = parse(text, &Constants::default()).unwrap_err().to_string();
            assert!(error.contains(expected), "{expected}: {error}");
        }
        let unknown =
            rules("solutoin: /s.py\ndata:\n  secrets: {}\n  secret:\n    data: {x: {in: y, generat: g}}\n");
        assert_eq!(unknown.warnings.len(), 3, "{:?}", unknown.warnings);
        assert!(
            unknown.warnings[0]
                .contains("data.solutoin: an unknown key is ignored: did you mean 'solution'?")
        );
    }
}
