//! Parses `testdata.yaml`: the settings of a folder of tests, inherited by the folders in it.
//!
//! Inheritance is key by key, as in problemtools; the published specification replaces whole files. What is said of
//! grading is `grading`'s.

use std::collections::BTreeMap;
use std::path::Path;

use crate::package::model::ValidatorArguments;
use crate::package::shared::grading::Grading;
use crate::package::source::diagnostics::did_you_mean;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::yaml::{Node, Value};
use crate::package::source::{values as settings, yaml};

const FILE: &str = "testdata.yaml";

/// What one `testdata.yaml` says; `None` is inherited.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GroupSettings {
    /// `output_validator_flags`, with the line they stand on.
    pub output_validator_flags: Option<(String, u64)>,
    /// The validator they name, where they name one that is not the default.
    pub output_validator: Option<String>,
    /// `input_validator_flags`: for all input validators, or for those named (BAPCtools).
    pub input_validator_flags: Option<ValidatorArguments>,
    /// How results of the folder become its own.
    pub grading: Grading,
    /// Warnings for the author.
    pub warnings: Vec<String>,
}

/// Reads `testdata.yaml`.
///
/// # Errors
/// When it is no YAML, or a key holds a wrong value.
pub fn parse_testdata_yaml(text: &str) -> Result<GroupSettings, PackageError> {
    read(text).map_err(|error| error.in_file(Path::new(FILE)))
}

fn read(text: &str) -> Result<GroupSettings, PackageError> {
    let mut settings = GroupSettings::default();
    let (root, duplicates) = yaml::parse_with_duplicates(text)?;
    settings.warnings.extend(duplicates.iter().map(|duplicate| yaml::there_twice(FILE, duplicate)));
    for (key, node) in root.map("")? {
        match key.as_str() {
            "output_validator_flags" | "validator_flags" => {
                let (flags, validator) = flags(node, key)?;
                settings.output_validator_flags = Some((flags, node.line));
                settings.output_validator = validator;
            }
            "input_validator_flags" => {
                settings.input_validator_flags = Some(input_validator_flags(node, key)?);
            }
            key if settings.grading.read(key, node, "")? => {}
            _ => {
                let own = ["output_validator_flags", "input_validator_flags", "validator_flags"];
                let meant = did_you_mean(key, own.into_iter().chain(Grading::KEYS));
                settings.warnings.push(format!(
                    "{FILE}:{}: unknown key '{}' is ignored{meant}",
                    node.line,
                    one_line(key)
                ));
            }
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
    fn wrong_values_are_refused_with_their_key() {
        for (text, expected) in [
            ("x: 1\ngrading: nice", "testdata.yaml:2: grading: 'nice' is not a way to grade"),
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
