//! `submissions/submissions.yaml` of the 2025-09 format, which legacy packages carry as well.
//!
//! Each top-level key is a glob over paths below `submissions/`; it matches a submission when it matches its
//! path or a folder above it. Demands on single test groups, on scores and on messages are not checked: each
//! is a warning, never a submission that passes for the wrong reason without a word.

use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};

use super::error::{PackageError, one_line};
use super::expectation::{self, PerTest};
use super::jury::Expectation;
use super::yaml::{self, Node, Value};
use crate::verdict::Verdict;

const FILE: &str = "submissions/submissions.yaml";

/// All of the file.
#[derive(Debug, Clone, Default)]
pub struct SubmissionsYaml {
    /// Its rules, in order.
    pub rules: Vec<SubmissionRule>,
    /// What its author should know.
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
}

impl SubmissionRule {
    /// Whether the glob matches `folder/name` or a folder above it.
    pub fn matches(&self, name: &str) -> bool {
        let ends = name.char_indices().filter(|(_, character)| *character == '/').map(|(index, _)| index);
        ends.chain([name.len()]).any(|end| self.matcher.is_match(&name[..end]))
    }
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
    for (pattern, node) in yaml::parse(text)?.map("")? {
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
    let matcher = GlobBuilder::new(trimmed)
        .literal_separator(true)
        .build()
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
            "score" | "message" => {
                warnings.push(format!("{FILE}:{}: {path} is not checked", value.line));
            }
            _ if matches!(value.value, Value::Map(_)) => warnings.push(format!(
                "{FILE}:{}: {path}: demands on single test groups are not checked",
                value.line
            )),
            _ => warnings.push(format!("{FILE}:{}: unknown key '{path}' is ignored", value.line)),
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
pub(super) fn combine(folder: &str, rules: &[&SubmissionRule]) -> Result<Option<Expectation>, PackageError> {
    let demands = |rule: &SubmissionRule| {
        rule.expected.is_some() || rule.permitted.is_some() || rule.required.is_some()
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
        ] {
            let error = parse_submissions_yaml(text).unwrap_err().to_string();
            assert!(error.contains(expected) && error.starts_with(FILE), "{text}: {error}");
        }
        let file = parse_submissions_yaml("'*': {permitted: [WA]}").unwrap();
        assert!(combine("accepted", &[&file.rules[0]]).is_err());
    }

    #[test]
    fn what_is_not_checked_is_said() {
        let file = parse_submissions_yaml("a: {message: x, secret/g1: {permitted: [AC]}, what: 1}").unwrap();
        assert_eq!(file.warnings.len(), 3);
    }
}
