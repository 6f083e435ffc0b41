//! Finds test cases by the names of their files in the archive (`Problem._match_test_cases`).

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use fancy_regex::{Regex, RegexBuilder};

use super::data::ProblemData;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::scope::Scope;
use crate::package::source::yaml::{Node, Value};

/// The patterns of the judge's own.
const INPUT: &str = r"^(?=.*?\.in|in).*?(?:(?:^|\W)(?P<batch>\d+)[^\d\s]+)?(?P<case>\d+)[^\d\s]*$";
const OUTPUT: &str = r"^(?=.*?\.out|out).*?(?:(?:^|\W)(?P<batch>\d+)[^\d\s]+)?(?P<case>\d+)[^\d\s]*$";

/// Keys of a map of patterns.
pub(super) const KEYS: &[&str] = &["case_points", "input_format", "output_format"];

/// Steps that a pattern may try on one name: real ones need a few hundred.
const STEPS: usize = 200_000;

/// A case, or a batch of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Matched {
    /// Whether it is a batch.
    pub(super) is_batch: bool,
    /// Input and output of each case.
    pub(super) files: Vec<(Option<String>, Option<String>)>,
    /// Its points.
    pub(super) points: f64,
}

/// A number, or a text where it is none. Texts come before numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Position {
    Text(String),
    Number(u64),
}

impl Position {
    fn of(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Text(text.to_owned()), Self::Number)
    }
}

impl Ord for Position {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            (Self::Number(one), Self::Number(other)) => one.cmp(other),
            (Self::Text(_), Self::Number(_)) => Ordering::Less,
            (Self::Number(_), Self::Text(_)) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The cases that `test_cases` describes by patterns, or not at all.
pub(super) fn read(
    scope: &Scope<'_>,
    key: &str,
    node: Option<&Node>,
    data: &ProblemData<'_>,
) -> Result<Vec<Matched>, PackageError> {
    let Some(names) = data.archived()? else {
        let (problem, remedy) = match node {
            None => ("there are no test cases, and there is no archive to find them in", "list them"),
            Some(_) => {
                ("patterns match names in an archive, and there is none", "set archive, or list the cases")
            }
        };
        return Err(scope.wrong(key, problem, remedy));
    };
    let empty = Node { line: 0, value: Value::Null };
    let inner = scope.inside(node.unwrap_or(&empty), key)?;
    let pattern = |key: &str, default: &str| -> Result<Regex, PackageError> {
        let text = inner.own_text(key)?.filter(|text| !text.is_empty()).unwrap_or_else(|| default.to_owned());
        RegexBuilder::new(&text)
            .case_insensitive(true)
            .backtrack_limit(STEPS)
            .build()
            .map_err(|error| inner.wrong(key, format!("not a regular expression: {error}"), "correct it"))
    };
    let patterns = [
        ("input_format", pattern("input_format", INPUT)?),
        ("output_format", pattern("output_format", OUTPUT)?),
    ];
    let default = scope.number("points", 0.0..=1e9)?.unwrap_or(1.0);
    let points =
        match inner.own_get("case_points") {
            None => None,
            Some(node) => {
                let texts = inner.texts(node, "case_points")?;
                let numbers: Option<Vec<f64>> = texts
                    .iter()
                    .map(|text| text.parse().ok().filter(|points| (0.0..=1e9).contains(points)))
                    .collect();
                Some(numbers.ok_or_else(|| {
                    inner.wrong_at(node, "case_points", "not a list of points", "give numbers")
                })?)
            }
        };
    let mut groups: BTreeMap<Position, BTreeMap<Position, [Option<String>; 2]>> = BTreeMap::new();
    let mut batches = BTreeSet::new();
    for (which, (key, pattern)) in patterns.iter().enumerate() {
        for name in &names {
            let found = pattern.captures(name).map_err(|error| {
                inner.wrong(key, format!("on '{}': {error}", one_line(name)), "simplify it")
            })?;
            // Python matches at the beginning alone.
            let Some(found) = found.filter(|found| found.get(0).is_some_and(|whole| whole.start() == 0))
            else {
                continue;
            };
            let Some(case) = found.name("case").map(|case| Position::of(case.as_str())) else {
                let problem = format!("it gives no case number for '{}'", one_line(name));
                return Err(inner.wrong(key, problem, "give the pattern a group (?P<case>...)"));
            };
            let batch = match found.name("batch").map(|batch| Position::of(batch.as_str())) {
                Some(batch) => {
                    batches.insert(batch.clone());
                    batch
                }
                None => case.clone(),
            };
            if let Some(file) = groups.entry(batch).or_default().entry(case).or_default().get_mut(which) {
                *file = Some(name.clone());
            }
        }
    }
    let mut matched = Vec::new();
    for (number, (batch, cases)) in groups.into_iter().enumerate() {
        let is_batch = batches.contains(&batch);
        if !is_batch && cases.len() > 1 {
            let names: Vec<_> = cases.into_values().flatten().flatten().collect();
            let problem = format!("several cases have one number: {}", one_line(&names.join(", ")));
            return Err(scope.wrong(key, problem, "rename the files, or list the cases"));
        }
        let worth = match &points {
            None => default,
            Some(points) => *points.get(number).ok_or_else(|| {
                let problem = format!("it gives points to {} cases, and there are more", points.len());
                inner.wrong("case_points", problem, "give a number for each case and batch")
            })?,
        };
        let files = cases.into_values().map(|[input, output]| (input, output)).collect();
        matched.push(Matched { is_batch, files, points: worth });
    }
    if matched.is_empty() {
        return Err(scope.wrong(key, "no file in the archive has a name that matches", "list the cases"));
    }
    Ok(matched)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_judge_s_own_pattern_finds_cases_and_batches() {
        let pattern = RegexBuilder::new(INPUT).case_insensitive(true).build().unwrap();
        for (name, batch, case) in [
            ("test.1.in", None, "1"),
            ("test-case-1.in", None, "1"),
            ("test-1-2.in", Some("1"), "2"),
            ("test-batch-1-case-2.in", Some("1"), "2"),
            ("1.2.in", Some("1"), "2"),
            ("data/7.IN", None, "7"),
        ] {
            let found = pattern.captures(name).unwrap().unwrap();
            assert_eq!(found.name("batch").map(|found| found.as_str()), batch, "{name}");
            assert_eq!(found.name("case").unwrap().as_str(), case, "{name}");
        }
        assert!(pattern.captures("1.out").unwrap().is_none());
    }

    #[test]
    fn numbers_are_numbers_and_come_after_texts() {
        let mut positions = ["10", "9", "b", "a", "01"].map(Position::of);
        positions.sort();
        assert_eq!(positions, ["a", "b", "1", "9", "10"].map(Position::of));
    }
}
