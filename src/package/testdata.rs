//! `testdata.yaml`: the settings of a folder of tests, inherited by the folders in it.
//!
//! Inheritance is key by key, as in problemtools; the published specification replaces whole files. The
//! grader's settings decide scores and, in a few modes, whether a failed test counts at all: those are
//! refused, because a pass-fail verdict would come out wrong.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::{PackageError, one_line};
use super::jury::ValidatorArguments;
use super::settings;
use super::yaml::{self, Node, Value};

const FILE: &str = "testdata.yaml";

/// What one `testdata.yaml` says; `None` is inherited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupSettings {
    /// `output_validator_flags`, with the line they stand on.
    pub output_validator_flags: Option<(String, u64)>,
    /// The validator they name, where they name one that is not the default.
    pub output_validator: Option<String>,
    /// `input_validator_flags`: for all input validators, or for those named (BAPCtools).
    pub input_validator_flags: Option<ValidatorArguments>,
    /// What its author should know.
    pub warnings: Vec<String>,
}

/// Reads `testdata.yaml`.
///
/// # Errors
/// When it is no YAML, a key holds a wrong value, or it asks for a grader.
pub fn parse_testdata_yaml(text: &str) -> Result<GroupSettings, PackageError> {
    read(text).map_err(|error| error.in_file(Path::new(FILE)))
}

fn read(text: &str) -> Result<GroupSettings, PackageError> {
    let mut settings = GroupSettings::default();
    for (key, node) in yaml::parse(text)?.map("")? {
        match key.as_str() {
            "output_validator_flags" | "validator_flags" => {
                let (flags, validator) = flags(node, key)?;
                settings.output_validator_flags = Some((flags, node.line));
                settings.output_validator = validator;
            }
            "grading" => check_grading(node)?,
            "grader_flags" => check_grader_flags(node)?,
            "on_reject" => check_on_reject(node, &mut settings.warnings)?,
            "input_validator_flags" => {
                settings.input_validator_flags = Some(input_validator_flags(node, key)?);
            }
            "accept_score" | "reject_score" | "range" => settings
                .warnings
                .push(format!("{FILE}:{}: {key} has no effect on a pass-fail problem", node.line)),
            _ => settings.warnings.push(format!(
                "{FILE}:{}: unknown key '{}' is ignored",
                node.line,
                one_line(key)
            )),
        }
    }
    Ok(settings)
}

/// Text, or a map from a validator's name to text.
fn input_validator_flags(node: &Node, key: &str) -> Result<ValidatorArguments, PackageError> {
    let Value::Map(entries) = &node.value else {
        return Ok(ValidatorArguments::All(settings::words(&node.texts(key)?.join(" "))));
    };
    let mut named = BTreeMap::new();
    for (name, value) in entries {
        let path = format!("{key}.{}", one_line(name));
        named.insert(name.clone(), settings::words(&value.texts(&path)?.join(" ")));
    }
    Ok(ValidatorArguments::Named(named))
}

/// Text, or a map that names the validator the flags are for.
fn flags(node: &Node, key: &str) -> Result<(String, Option<String>), PackageError> {
    let Value::Map(entries) = &node.value else { return Ok((node.texts(key)?.join(" "), None)) };
    let mut flags = String::new();
    let mut validator = None;
    for (part, value) in entries {
        let path = format!("{key}.{}", one_line(part));
        match part.as_str() {
            "flags" => flags = value.texts(&path)?.join(" "),
            "name" => {
                validator = value.text(&path)?.filter(|name| !matches!(name.as_str(), "" | "default"));
            }
            _ => {
                return Err(PackageError::value(
                    value.line,
                    &path,
                    "it is not a part of validator flags",
                    "use name and flags",
                ));
            }
        }
    }
    Ok((flags, validator))
}

fn check_grading(node: &Node) -> Result<(), PackageError> {
    const KEY: &str = "grading";
    match node.text(KEY)?.as_deref() {
        None | Some("" | "default") => Ok(()),
        Some("custom") => {
            Err(PackageError::unsupported(node.line, KEY, "a custom grader", "supported today: default"))
        }
        Some(other) => Err(PackageError::value(
            node.line,
            KEY,
            format!("'{}' is not a way to grade", one_line(other)),
            "use default",
        )),
    }
}

/// Modes that only shape scores, or choose which failure is named, leave accepted and not accepted as they are.
fn check_grader_flags(node: &Node) -> Result<(), PackageError> {
    const KEY: &str = "grader_flags";
    for flag in node.texts(KEY)?.iter().flat_map(|text| text.split_whitespace()) {
        if !matches!(flag, "worst_error" | "first_error" | "sum" | "avg" | "min" | "max") {
            return Err(PackageError::unsupported(
                node.line,
                KEY,
                format!("'{}'", one_line(flag)),
                "supported today: worst_error and first_error",
            ));
        }
    }
    Ok(())
}

fn check_on_reject(node: &Node, warnings: &mut Vec<String>) -> Result<(), PackageError> {
    const KEY: &str = "on_reject";
    match node.text(KEY)?.as_deref() {
        None | Some("" | "break" | "first_error") => Ok(()),
        Some("continue" | "worst_error" | "grade") => {
            warnings.push(format!("{FILE}:{}: on_reject has no effect: the stop policy decides", node.line));
            Ok(())
        }
        Some(other) => Err(PackageError::value(
            node.line,
            KEY,
            format!("'{}' is not a policy", one_line(other)),
            "use break or continue",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_come_as_text_list_or_map() {
        for text in [
            "output_validator_flags: case_sensitive float_tolerance 1e-6",
            "output_validator_flags: [case_sensitive, float_tolerance, 1e-6]",
            "output_validator_flags: {name: default, flags: case_sensitive float_tolerance 1e-6}",
        ] {
            let settings = parse_testdata_yaml(text).unwrap();
            let (flags, line) = settings.output_validator_flags.unwrap();
            assert!(flags.starts_with("case_sensitive float_tolerance"), "{flags}");
            assert_eq!(line, 1);
        }
        assert_eq!(parse_testdata_yaml("").unwrap(), GroupSettings::default());
    }

    #[test]
    fn graders_are_refused() {
        for (text, expected) in [
            ("grading: custom", "testdata.yaml:1: grading: a custom grader is not supported"),
            ("grading: nice", "'nice' is not a way to grade"),
            ("grader_flags: ignore_sample", "'ignore_sample' is not supported"),
            ("grader_flags: first_error accept_if_any_accepted", "'accept_if_any_accepted'"),
            ("on_reject: explode", "'explode' is not a policy"),
            ("output_validator_flags: {flag: x}", "output_validator_flags.flag: it is not a part"),
        ] {
            let error = parse_testdata_yaml(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let named = parse_testdata_yaml("output_validator_flags: {name: mine, flags: x}").unwrap();
        assert_eq!(named.output_validator.as_deref(), Some("mine"));
        assert!(parse_testdata_yaml("grader_flags: worst_error sum\non_reject: break").is_ok());
    }
}
