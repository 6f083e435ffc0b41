//! Parses `submissions/submissions.yaml` of the 2025-09 format, which legacy packages have as well.
//!
//! Each top-level key is a glob over paths below `submissions/`; it matches a submission when it matches its
//! path or a folder above it. A key that holds a map is itself a glob, over tests and groups of tests, whose demands
//! are on these alone.

use std::path::Path;

use globset::{Glob, GlobBuilder, GlobMatcher};

use super::expectation;
use super::expectation::PerTest;
use crate::package::model::{Expectation, PartialExpectation, ScoreRange};
use crate::package::source::diagnostics::did_you_mean;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::yaml;
use crate::package::source::yaml::{Node, Value};
use crate::verdict::Verdict;

const FILE: &str = "submissions/submissions.yaml";

/// Keys of a submission besides those of a part.
const KEYS: [&str; 6] = ["language", "entrypoint", "expected", "author", "authors", "model_solution"];
/// Keys of the demands on some tests.
const PART_KEYS: [&str; 5] = ["permitted", "required", "score", "message", "use_for_time_limit"];

/// All of the file.
#[derive(Debug, Clone, Default)]
pub struct SubmissionsYaml {
    /// Its rules, in order.
    pub rules: Vec<SubmissionRule>,
    /// Warnings for the author.
    pub warnings: Vec<String>,
}

/// What the submissions that a glob matches are and must get.
#[derive(Debug, Clone)]
pub struct SubmissionRule {
    /// The glob as written.
    pub pattern: String,
    /// Its line.
    pub line: u64,
    matcher: GlobMatcher,
    /// Language id.
    pub language: Option<String>,
    /// File that is started.
    pub entrypoint: Option<String>,
    /// The final verdict is one of these.
    pub expected: Option<Vec<Verdict>>,
    /// Every test gets one of these.
    pub permitted: Option<Vec<Verdict>>,
    /// At least one test gets one of these.
    pub required: Option<Vec<Verdict>>,
    /// Whether the submission takes part in deriving the time limit.
    pub sets_time_limit: Option<bool>,
    /// The final score lies in this.
    pub score: Option<ScoreRange>,
    /// This text stands in what the checker tells the jury.
    pub message: Option<String>,
    /// Demands on some tests or groups only.
    pub parts: Vec<PartialExpectation>,
}

impl SubmissionRule {
    /// Whether the glob matches `folder/name` or a folder above it.
    pub fn matches(&self, name: &str) -> bool {
        let ends = name.char_indices().filter(|(_, character)| *character == '/').map(|(index, _)| index);
        ends.chain([name.len()]).any(|end| self.matcher.is_match(&name[..end]))
    }
}

/// A glob over names of submissions, tests or groups: `*` does not match `/`; an alternative in braces may be empty, and
/// spaces around one are there for the reader (BAPCtools).
///
/// # Errors
/// When it is malformed.
pub fn name_pattern(pattern: &str) -> Result<Glob, globset::Error> {
    let mut depth = 0_usize;
    let plain: String = pattern
        .chars()
        .filter(|character| {
            match character {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 || *character != ' '
        })
        .collect();
    GlobBuilder::new(&plain).literal_separator(true).empty_alternates(true).build()
}

/// Reads `submissions.yaml`.
///
/// # Errors
/// When it is no YAML, a glob is malformed, or a key holds a wrong value.
pub fn parse_submissions_yaml(text: &str) -> Result<SubmissionsYaml, PackageError> {
    read(text).map_err(|error| error.in_file(Path::new(FILE)))
}

fn read(text: &str) -> Result<SubmissionsYaml, PackageError> {
    let mut file = SubmissionsYaml::default();
    let (root, duplicates) = yaml::parse_with_duplicates(text)?;
    file.warnings.extend(duplicates.iter().map(|duplicate| yaml::there_twice(FILE, duplicate)));
    for (pattern, node) in root.map("")? {
        let rule = read_rule(pattern, node, &mut file.warnings)?;
        file.rules.push(rule);
    }
    Ok(file)
}

fn read_rule(pattern: &str, node: &Node, warnings: &mut Vec<String>) -> Result<SubmissionRule, PackageError> {
    const LONGEST: usize = 1000;
    let shown = one_line(pattern);
    let wrong = |problem: String| {
        PackageError::value(node.line, &shown, problem, "write it like 'accepted/*.py' or 'mixed/{a,b}.cpp'")
    };
    if pattern.len() > LONGEST {
        return Err(wrong(format!("the glob is longer than {LONGEST} characters")));
    }
    let trimmed = pattern.trim_start_matches("./").trim_end_matches('/');
    let matcher = name_pattern(trimmed)
        .map_err(|error| wrong(format!("it is not a glob: {}", error.kind())))?
        .compile_matcher();
    let mut rule = SubmissionRule {
        pattern: trimmed.to_owned(),
        line: node.line,
        matcher,
        language: None,
        entrypoint: None,
        expected: None,
        permitted: None,
        required: None,
        sets_time_limit: None,
        score: None,
        message: None,
        parts: Vec::new(),
    };
    for (key, value) in node.map(&shown)? {
        let path = format!("{shown}.{}", one_line(key));
        match key.as_str() {
            // These Kattis codes name a family that the file's ending names as well.
            "language" => {
                rule.language = value.text(&path)?.filter(|code| !matches!(code.as_str(), "c" | "cpp" | ""));
            }
            "entrypoint" => rule.entrypoint = value.text(&path)?.filter(|name| !name.is_empty()),
            "expected" => rule.expected = verdicts(value, &path)?,
            "permitted" => rule.permitted = verdicts(value, &path)?,
            "required" => rule.required = verdicts(value, &path)?,
            "use_for_time_limit" => rule.sets_time_limit = time_limit_use(value, &path)?,
            "author" | "authors" | "model_solution" => {}
            "score" => rule.score = score(value, &path)?,
            "message" => rule.message = value.text(&path)?.filter(|text| !text.is_empty()),
            _ if matches!(value.value, Value::Map(_)) => rule.parts.push(part(key, value, &path, warnings)?),
            _ => {
                let meant = did_you_mean(key, KEYS.into_iter().chain(PART_KEYS));
                warnings.push(format!("{FILE}:{}: unknown key '{path}' is ignored{meant}", value.line));
            }
        }
    }
    Ok(rule)
}

fn verdicts(node: &Node, key: &str) -> Result<Option<Vec<Verdict>>, PackageError> {
    if matches!(node.value, Value::Null) {
        return Ok(None);
    }
    let mut all = Vec::new();
    for name in node.texts(key)? {
        let named = expectation::of_family(name.trim()).ok_or_else(|| {
            PackageError::value(
                node.line,
                key,
                format!("'{}' is not a verdict", one_line(&name)),
                "use AC, WA, TLE or RTE, or gavel's WTL, MLE, OLE, SV, CE",
            )
        })?;
        all.extend(named);
    }
    if all.is_empty() {
        return Err(PackageError::value(node.line, key, "the list is empty", "name at least one verdict"));
    }
    all.sort_by_key(|verdict| *verdict as u8);
    all.dedup();
    Ok(Some(all))
}

/// Demands on the tests and groups that a glob matches.
fn part(
    pattern: &str,
    node: &Node,
    path: &str,
    warnings: &mut Vec<String>,
) -> Result<PartialExpectation, PackageError> {
    let pattern = pattern.trim_end_matches('/');
    if let Err(error) = name_pattern(pattern) {
        return Err(PackageError::value(
            node.line,
            path,
            format!("it is not a glob: {}", error.kind()),
            "write it like 'secret/group1' or 'secret/*-easy'",
        ));
    }
    let mut part = PartialExpectation { pattern: pattern.to_owned(), ..PartialExpectation::default() };
    for (key, value) in node.map(path)? {
        let path = format!("{path}.{}", one_line(key));
        match key.as_str() {
            "permitted" => part.permitted = verdicts(value, &path)?.unwrap_or_default(),
            "required" => part.required = verdicts(value, &path)?.unwrap_or_default(),
            "score" => part.score = score(value, &path)?,
            "message" => part.message = value.text(&path)?.filter(|text| !text.is_empty()),
            // The limit is derived from whole submissions.
            "use_for_time_limit" => drop(time_limit_use(value, &path)?),
            _ => {
                let meant = did_you_mean(key, PART_KEYS);
                warnings.push(format!("{FILE}:{}: unknown key '{path}' is ignored{meant}", value.line));
            }
        }
    }
    Ok(part)
}

/// A number, or a list of the smallest and the largest.
fn score(node: &Node, key: &str) -> Result<Option<ScoreRange>, PackageError> {
    let wrong = |problem: String| {
        Err(PackageError::value(node.line, key, problem, "give a number, or a list of two: [0, 40]"))
    };
    let range = match &node.value {
        Value::List(ends) => match ends.as_slice() {
            [min, max] => match (min.number(key)?, max.number(key)?) {
                (Some(min), Some(max)) => ScoreRange { min, max },
                _ => return wrong("an end of the range is empty".to_owned()),
            },
            _ => return wrong(format!("the list has {} entries", ends.len())),
        },
        _ => match node.number(key)? {
            None => return Ok(None),
            Some(score) => ScoreRange { min: score, max: score },
        },
    };
    if range.min.is_nan() || range.max.is_nan() || range.min > range.max {
        return wrong("no score lies in it".to_owned());
    }
    Ok(Some(range))
}

fn time_limit_use(node: &Node, key: &str) -> Result<Option<bool>, PackageError> {
    match node.text(key)?.as_deref() {
        None | Some("true") => Ok(None),
        Some("false" | "upper") => Ok(Some(false)),
        Some("lower") => Ok(Some(true)),
        Some(other) => Err(PackageError::value(
            node.line,
            key,
            format!("'{}' is not a use", one_line(other)),
            "use true, false, lower or upper",
        )),
    }
}

/// What the rules that match a submission demand of it together; `None` when they demand nothing.
///
/// A rule whose glob is the folder's name replaces the folder's default, key by key; all others add to it.
/// Two demands on what at least one test must get cannot be kept both: the later one wins.
///
/// # Errors
/// When two rules permit nothing in common.
pub(crate) fn combine(folder: &str, rules: &[&SubmissionRule]) -> Result<Option<Expectation>, PackageError> {
    let demands = |rule: &SubmissionRule| {
        rule.expected.is_some()
            || rule.permitted.is_some()
            || rule.required.is_some()
            || rule.score.is_some()
            || rule.message.is_some()
            || !rule.parts.is_empty()
    };
    if !rules.iter().any(|rule| demands(rule)) {
        return Ok(None);
    }
    let mut expected = None;
    let mut demand = expectation::per_test(folder).unwrap_or_else(|| {
        expected = expectation::of_folder(folder).map(|expectation| expectation.verdicts);
        PerTest::default()
    });
    let (own, others): (Vec<&SubmissionRule>, Vec<_>) =
        rules.iter().copied().partition(|rule| rule.pattern == folder);
    for rule in own {
        demand.permitted = rule.permitted.clone().or(demand.permitted);
        demand.required = rule.required.clone().or(demand.required);
        expected = rule.expected.clone().or(expected);
    }
    for rule in others {
        if let Some(permitted) = &rule.permitted {
            let mut common = permitted.clone();
            common.retain(|verdict| demand.permitted.as_ref().is_none_or(|before| before.contains(verdict)));
            if common.is_empty() {
                return Err(PackageError::value(
                    rule.line,
                    &format!("{}.permitted", one_line(&rule.pattern)),
                    "it permits nothing that the rules before it permit",
                    format!("permit more in '{}', or move the submission", one_line(folder)),
                ));
            }
            demand.permitted = Some(common);
        }
        demand.required = rule.required.clone().or(demand.required);
        expected = rule.expected.clone().or(expected);
    }
    let mut expectation = demand.into_expectation();
    expectation.verdicts = expected.unwrap_or_default();
    expectation.score = rules.iter().rev().find_map(|rule| rule.score);
    expectation.message = rules.iter().rev().find_map(|rule| rule.message.clone());
    expectation.parts = rules.iter().flat_map(|rule| rule.parts.iter().cloned()).collect();
    Ok(Some(expectation))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{AC, RTE, TLE, WA, WTL};

    fn demands(text: &str, name: &str) -> Expectation {
        let file = parse_submissions_yaml(text).unwrap();
        let rules: Vec<_> = file.rules.iter().filter(|rule| rule.matches(name)).collect();
        combine(name.split('/').next().unwrap(), &rules).unwrap().unwrap()
    }

    #[test]
    fn alternatives_may_be_empty_and_have_room_around_them() {
        let matches =
            |pattern: &str, name: &str| name_pattern(pattern).unwrap().compile_matcher().is_match(name);
        assert!(matches("secret/*{ 4 }{ 2 }", "secret/42") && !matches("secret/*{ 4 }{ 2 }", "secret/4"));
        assert!(matches("secret/{,1, 2 }{0}", "secret/0") && matches("secret/{,1, 2 }{0}", "secret/20"));
        assert!(matches("a b/*.cpp", "a b/c.cpp") && !matches("ab/*", "ab/c/d"));
    }

    #[test]
    fn globs_match_a_submission_or_its_folder_and_not_across_slashes() {
        let file = parse_submissions_yaml("accepted: {}\n'*/a.{py,cpp}': {}\n'*.py': {}\n").unwrap();
        let matching = |name| file.rules.iter().map(|rule| rule.matches(name)).collect::<Vec<_>>();
        assert_eq!(matching("accepted/x.c"), [true, false, false]);
        assert_eq!(matching("mixed/a.py"), [false, true, false]);
        assert_eq!(matching("accepted/a.cpp"), [true, true, false]);
    }

    #[test]
    fn own_folder_replaces_and_other_globs_add() {
        let replaced = demands("wrong_answer: {permitted: [AC, WA, TLE]}", "wrong_answer/a.py");
        assert_eq!(replaced.permitted, [AC, WA, TLE, WTL]);
        assert_eq!(replaced.required, [WA]);
        let added =
            demands("'time_limit_exceeded/*': {permitted: [AC, WA, TLE]}", "time_limit_exceeded/a.py");
        assert_eq!(added.permitted, [AC, TLE, WTL]);
        let mixed = demands("mixed/a.py: {required: [RTE]}", "mixed/a.py");
        assert!(mixed.required.contains(&RTE) && mixed.permitted.is_empty());
    }

    #[test]
    fn wrong_files_are_refused_with_the_key() {
        for (text, expected) in [
            ("accepted: {permitted: [OK]}", "'OK' is not a verdict"),
            ("accepted: {permitted: []}", "the list is empty"),
            ("accepted: 5", "accepted: 5 where a map"),
            ("'a{b': {}", "it is not a glob"),
            ("a: {use_for_time_limit: maybe}", "'maybe' is not a use"),
            ("a: {entrypoint: [x]}", "a.entrypoint"),
            ("a: {score: [1, 2, 3]}", "a.score: the list has 3"),
            ("a: {score: [2, 1]}", "a.score: no score lies in it"),
            ("a: {secret/g1: {permitted: [OK]}}", "a.secret/g1.permitted: 'OK'"),
            ("a: {'secret/{g': {permitted: [AC]}}", "it is not a glob"),
        ] {
            let error = parse_submissions_yaml(text).unwrap_err().to_string();
            assert!(error.contains(expected) && error.starts_with(FILE), "{text}: {error}");
        }
        let file = parse_submissions_yaml("'*': {permitted: [WA]}").unwrap();
        assert!(combine("accepted", &[&file.rules[0]]).is_err());
    }

    #[test]
    fn demands_on_groups_scores_and_messages_are_kept() {
        let text =
            "mixed/a.py: {message: x, score: [0, 40], secret/g1: {permitted: [AC], score: 10}, what: 1}";
        let expectation = demands(text, "mixed/a.py");
        assert_eq!(expectation.message.as_deref(), Some("x"));
        assert_eq!(expectation.score, Some(ScoreRange { min: 0.0, max: 40.0 }));
        let part = &expectation.parts[0];
        assert_eq!((part.pattern.as_str(), part.permitted.as_slice()), ("secret/g1", &[AC][..]));
        assert_eq!(part.score, Some(ScoreRange { min: 10.0, max: 10.0 }));
        assert_eq!(parse_submissions_yaml(text).unwrap().warnings.len(), 1);
    }
}
