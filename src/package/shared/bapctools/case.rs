//! Reads one rule of `generators.yaml`: the command, files and texts that make a test.

use sha2::{Digest as _, Sha512};

use crate::nearest::nearest;
use crate::package::model::{Seeds, seeds};
use crate::package::shared::constants::Constants;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::values::words;
use crate::package::source::yaml::{Node, Value};

/// Greatest value of `retries`.
const MOST_RETRIES: f64 = 1000.0;
/// Files of a test that a rule may give as text.
pub(super) const TEXTS: &[&str] = &["in", "ans", "out", "yaml"];
/// Files for statements and people, which no judging reads.
pub(super) const SHOWN: &[&str] =
    &["in.statement", "ans.statement", "in.download", "ans.download", "interaction", "hint", "desc"];
/// Other keys of a test.
pub(super) const CASE_KEYS: &[&str] =
    &["copy", "generate", "count", "match", "solution", "random_salt", "retries"];

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
    /// The source of its answer.
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
    pub(super) fn bytes(&self) -> usize {
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

/// The source of answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Solution {
    /// Nothing is said.
    Unspecified,
    /// Nothing: answers are in the rules.
    None,
    /// The program at that path below the package.
    Program(String),
}

/// Settings that a folder passes on to the rules in it.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) solution: Solution,
    pub(super) salt: String,
    pub(super) retries: u32,
}

/// Reads rules of single tests.
pub(super) struct CaseReader<'a> {
    /// Constants in commands.
    pub(super) constants: &'a Constants,
    /// Things without effect, with their line.
    pub(super) warnings: Vec<String>,
}

impl CaseReader<'_> {
    /// Warns about an unknown key.
    pub(super) fn unknown(&mut self, above: &str, key: &str, node: &Node, meant: Option<&str>) {
        let meant = meant.map_or_else(String::new, |meant| format!(": did you mean '{meant}'?"));
        self.warnings.push(format!(
            "generators/generators.yaml:{}: {above}.{}: an unknown key is ignored{meant}",
            node.line,
            one_line(key)
        ));
    }

    /// One case; `None` for a sample that is shown and not judged.
    pub(super) fn case(
        &mut self,
        node: &Node,
        path: String,
        count: Option<i64>,
        config: &Settings,
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
        let config = settings(map, &shown, config)?;
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
        config: &Settings,
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

/// Returns the value of a key.
pub(super) fn find<'n>(map: &'n [(String, Node)], key: &str) -> Option<&'n Node> {
    map.iter().find_map(|(name, node)| (name == key).then_some(node))
}

/// `solution`, `random_salt` and `retries`, where a map has them.
pub(super) fn settings(
    map: &[(String, Node)],
    shown: &str,
    above: &Settings,
) -> Result<Settings, PackageError> {
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
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
        let number = number.map(|number| number as u32);
        config.retries = number.ok_or_else(|| {
            let remedy = format!("give a number from 1 to {MOST_RETRIES}");
            PackageError::value(node.line, &key, "it is out of range", remedy)
        })?;
    }
    Ok(config)
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
