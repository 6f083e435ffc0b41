//! Parses `test_group.yaml` of a folder and `NAME.yaml` of a test (ICPC 2025-09, "Test data configuration").
//!
//! The two share the keys that a test inherits from its folder. In the drafts before the format was settled the file
//! was called `testdata.yaml`, arguments were also written as a line of flags, and other keys came and went: there an
//! unknown key is a warning, in 2025-09 it is refused, as the specification asks.

use std::collections::BTreeMap;
use std::path::Path;

use crate::package::model::ValidatorArguments;
use crate::package::shared::grading::Grading;
use crate::package::source::diagnostics::did_you_mean;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::values::{arguments, words};
use crate::package::source::yaml;
use crate::package::source::yaml::{Node, Value, plain};

/// Which file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingsFile {
    /// `test_group.yaml`.
    Group,
    /// `NAME.yaml`.
    Case,
}

/// The settings of one file; `None` is inherited.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CaseSettings {
    /// `args`: arguments of the contestant's program.
    pub args: Option<Vec<String>>,
    /// `input_validator_args`.
    pub input_validator_args: Option<ValidatorArguments>,
    /// `output_validator_args`, with their line.
    pub output_validator_args: Option<Vec<String>>,
    /// Line of `output_validator_args`, for errors.
    pub output_validator_line: u64,
    /// Settings of groups only.
    pub scoring: GroupScoring,
    /// What only a group of a draft has: problemtools reads the legacy format's grading there.
    pub grading: Grading,
    /// Warnings for the author; each begins with the line.
    pub warnings: Vec<String>,
}

/// The keys of `test_group.yaml` about scores; `None` is the default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GroupScoring {
    /// `max_score`.
    pub max_score: Option<MaxScore>,
    /// `score_aggregation`.
    pub aggregation: Option<ScoreAggregation>,
    /// `require_pass`.
    pub require_pass: Vec<String>,
    /// The first of these keys, with its line, for errors.
    pub first_key: Option<(String, u64)>,
}

/// `max_score`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxScore {
    /// A whole number.
    Bounded(f64),
    /// `unbounded`.
    Unbounded,
}

/// `score_aggregation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoreAggregation {
    /// `pass-fail`.
    PassFail,
    /// `sum`.
    Sum,
    /// `min`.
    Min,
}

/// Keys that are known and change no verdict; of `full_feedback` a warning says more.
const INFORMATION: &[&str] =
    &["full_feedback", "input_visualizer_args", "output_visualizer_args", "hint", "description"];

/// Keys of either file, for messages.
const KEYS: &[&str] = &[
    "args",
    "description",
    "full_feedback",
    "hint",
    "input_validator_args",
    "input_visualizer_args",
    "max_score",
    "output_validator_args",
    "output_visualizer_args",
    "require_pass",
    "score_aggregation",
];

/// Reads either file; `is_strict` is 2025-09, otherwise it is a draft.
///
/// # Errors
/// When it is no YAML, a key is unknown or holds a wrong value, or it asks for a static validator.
pub fn parse_test_settings(
    text: &str,
    which: SettingsFile,
    is_strict: bool,
) -> Result<CaseSettings, PackageError> {
    let name = if which == SettingsFile::Group { "test_group.yaml" } else { "NAME.yaml" };
    read(text, which, is_strict).map_err(|error| error.in_file(Path::new(name)))
}

fn read(text: &str, which: SettingsFile, is_strict: bool) -> Result<CaseSettings, PackageError> {
    let mut settings = CaseSettings::default();
    let (root, duplicates) = yaml::parse_with_duplicates(text)?;
    settings.warnings.extend(duplicates.iter().map(|duplicate| yaml::there_twice("", duplicate)));
    for (key, node) in root.map("")? {
        match key.as_str() {
            "args" => settings.args = Some(arguments(node, key)?),
            "input_validator_args" => {
                settings.input_validator_args = Some(of_validators(node, key, is_strict)?)
            }
            "output_validator_args" => {
                settings.output_validator_args = Some(line_or_list(node, key, is_strict)?);
                settings.output_validator_line = node.line;
            }
            "input_validator_flags" if !is_strict => {
                settings.input_validator_args = Some(of_validators(node, key, is_strict)?);
            }
            "output_validator_flags" if !is_strict => {
                settings.output_validator_args = Some(line_or_list(node, key, is_strict)?);
                settings.output_validator_line = node.line;
            }
            "max_score" | "score_aggregation" | "require_pass" if which == SettingsFile::Group => {
                read_scoring(key, node, &mut settings.scoring)?;
            }
            "static_validation_score" | "static_validator_args" if which == SettingsFile::Group => {
                return Err(PackageError::unsupported(
                    node.line,
                    key,
                    "a static validator",
                    "supported are validators of outputs",
                ));
            }
            "full_feedback" => {
                check_flag(node, key, is_strict)?;
                if matches!(node.value, Value::Bool(true)) {
                    settings.warnings.push(format!(
                        ":{}: full_feedback is not supported: what contestants may read is what feedback in gavel.toml \
                         and the worker's settings say",
                        node.line
                    ));
                }
            }
            known if INFORMATION.contains(&known) => {}
            _ if is_strict => return Err(unknown(node, key, which)),
            _ if which == SettingsFile::Group && settings.grading.read(key, node, "")? => {}
            _ => {
                let meant = did_you_mean(key, KEYS.iter().copied());
                settings.warnings.push(format!(
                    ":{}: unknown key '{}' is ignored{meant}",
                    node.line,
                    one_line(key)
                ));
            }
        }
    }
    Ok(settings)
}

fn unknown(node: &Node, key: &str, which: SettingsFile) -> PackageError {
    let shared = "args, input_validator_args, output_validator_args, input_visualizer_args, \
                  output_visualizer_args, full_feedback";
    let own = match which {
        SettingsFile::Group => "max_score, score_aggregation and require_pass",
        SettingsFile::Case => "hint and description",
    };
    PackageError::value(
        node.line,
        &one_line(key),
        format!("it is not a key of this file{}", did_you_mean(key, KEYS.iter().copied())),
        format!("use {shared}, {own}"),
    )
}

fn check_flag(node: &Node, key: &str, is_strict: bool) -> Result<(), PackageError> {
    match node.value {
        Value::Bool(_) | Value::Null => Ok(()),
        _ if !is_strict => Ok(()),
        _ => Err(PackageError::value(node.line, key, "it is neither true nor false", "use true or false")),
    }
}

/// A list; in drafts also a line of flags.
fn line_or_list(node: &Node, key: &str, is_strict: bool) -> Result<Vec<String>, PackageError> {
    match &node.value {
        Value::Text(_) | Value::Number(_) if !is_strict => Ok(words(&node.text(key)?.unwrap_or_default())),
        _ => arguments(node, key),
    }
}

fn of_validators(node: &Node, key: &str, is_strict: bool) -> Result<ValidatorArguments, PackageError> {
    let Value::Map(entries) = &node.value else {
        return Ok(ValidatorArguments::All(line_or_list(node, key, is_strict)?));
    };
    let mut named = BTreeMap::new();
    for (name, value) in entries {
        let path = format!("{key}.{}", one_line(name));
        named.insert(name.clone(), line_or_list(value, &path, is_strict)?);
    }
    Ok(ValidatorArguments::Named(named))
}

fn read_scoring(key: &str, node: &Node, scoring: &mut GroupScoring) -> Result<(), PackageError> {
    if scoring.first_key.is_none() {
        scoring.first_key = Some((key.to_owned(), node.line));
    }
    match key {
        "max_score" => scoring.max_score = max_score(node, key)?,
        "score_aggregation" => {
            scoring.aggregation = match node.text(key)?.as_deref() {
                None => None,
                Some("pass-fail") => Some(ScoreAggregation::PassFail),
                Some("sum") => Some(ScoreAggregation::Sum),
                Some("min") => Some(ScoreAggregation::Min),
                Some(other) => {
                    return Err(PackageError::value(
                        node.line,
                        key,
                        format!("'{}' is not a way to aggregate", one_line(other)),
                        "use pass-fail, sum or min",
                    ));
                }
            }
        }
        _ => scoring.require_pass = node.texts(key)?,
    }
    Ok(())
}

fn max_score(node: &Node, key: &str) -> Result<Option<MaxScore>, PackageError> {
    if matches!(&node.value, Value::Text(text) if text == "unbounded") {
        return Ok(Some(MaxScore::Unbounded));
    }
    let Some(score) = node.number(key)? else { return Ok(None) };
    if (0.0..=1e15).contains(&score) && score.fract() == 0.0 {
        return Ok(Some(MaxScore::Bounded(score)));
    }
    Err(PackageError::value(
        node.line,
        key,
        format!("{} is not a largest score", plain(score)),
        "give a whole number of 0 or more, or unbounded",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_typed() {
        let text = "args: [-n, 5]\ninput_validator_args: {format: [--max, 10]}\noutput_validator_args: [case_sensitive]\n\
                    max_score: 40\nscore_aggregation: min\nrequire_pass: sample\nfull_feedback: true\n";
        let settings = parse_test_settings(text, SettingsFile::Group, true).unwrap();
        assert_eq!(settings.args.unwrap(), ["-n", "5"]);
        assert_eq!(settings.output_validator_args.unwrap(), ["case_sensitive"]);
        let Some(ValidatorArguments::Named(named)) = settings.input_validator_args else { panic!() };
        assert_eq!(named["format"], ["--max", "10"]);
        assert_eq!(settings.scoring.max_score, Some(MaxScore::Bounded(40.0)));
        assert_eq!(settings.scoring.aggregation, Some(ScoreAggregation::Min));
        assert_eq!(settings.scoring.require_pass, ["sample"]);
        let draft = "output_validator_flags: float_tolerance 1e-6\nnew: 1\n";
        let settings = parse_test_settings(draft, SettingsFile::Group, false).unwrap();
        assert_eq!(settings.output_validator_args.unwrap(), ["float_tolerance", "1e-6"]);
        assert_eq!(settings.warnings.len(), 1);
    }

    #[test]
    fn wrong_values_name_their_key() {
        for (text, which, expected) in [
            ("max_score: many", SettingsFile::Group, "test_group.yaml:1: max_score: 'many'"),
            ("max_score: -1", SettingsFile::Group, "max_score: -1 is not"),
            ("max_score: 1.5", SettingsFile::Group, "max_score: 1.5 is not"),
            ("score_aggregation: max", SettingsFile::Group, "'max' is not a way"),
            ("max_score: 1", SettingsFile::Case, "NAME.yaml:1: max_score: it is not a key"),
            ("output_validator_args: case_sensitive", SettingsFile::Case, "it is no list"),
            ("args: {a: b}", SettingsFile::Case, "args: it is no list"),
            ("static_validation_score: 5", SettingsFile::Group, "a static validator is not supported"),
            ("full_feedback: maybe", SettingsFile::Case, "full_feedback: it is neither"),
            ("flags: x", SettingsFile::Case, "flags: it is not a key"),
        ] {
            let error = parse_test_settings(text, which, true).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains('\n'), "{text}: {error}");
        }
    }
}
