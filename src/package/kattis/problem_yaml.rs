//! Parses `problem.yaml` of the legacy ICPC/Kattis format.
//!
//! Defaults are those of the published specification ("Typical system default"), which Kattis' own servers
//! use. Keys that judging does not need may hold anything. Keys nobody knows become warnings, because judges
//! add keys of their own; a value of the wrong type in a key that matters is refused.

use std::path::Path;
use std::time::Duration;

use crate::checker::CustomScore;
use crate::package::model::{Objective, PackageLimits, ProgramLimits};
use crate::package::shared::grading::{Grading, ProblemGrading};
use crate::package::source::diagnostics::{Diagnostics, did_you_mean};
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::values::{kibibytes, mebibytes, passes, positive, seconds};
use crate::package::source::yaml;
use crate::package::source::yaml::{Node, Value};
use crate::units::Bytes;

const FILE: &str = "problem.yaml";

/// Keys that are known and do not change judging.
const INFORMATION: &[&str] = &[
    "author",
    "comment",
    "credits",
    "difficulty",
    "events",
    "keyword",
    "keywords",
    "license",
    "rights_owner",
    "short-name",
    "short_name",
    "source",
    "source_url",
    "uuid",
    "validator_args",
    "verified",
    "version",
];

/// Keys that are read.
const KEYS: &[&str] = &[
    "problem_format_version",
    "type",
    "name",
    "validation",
    "validator_flags",
    "limits",
    "grading",
    "languages",
    "libraries",
];

/// Keys of `limits`.
const LIMITS: &[&str] = &[
    "time_limit",
    "time_multiplier",
    "time_safety_margin",
    "memory",
    "output",
    "code",
    "compilation_time",
    "compilation_memory",
    "validation_time",
    "validation_memory",
    "validation_output",
    "time_multipliers",
    "time_resolution",
    "validation_passes",
];

/// What judging needs of `problem.yaml`.
#[derive(Debug, Clone, PartialEq)]
pub struct ProblemYaml {
    /// The title: English where there are several.
    pub name: Option<String>,
    /// `limits.time_limit`, as newer tools write it.
    pub time_limit: Option<Duration>,
    /// `limits.time_multiplier`.
    pub time_multiplier: f64,
    /// `limits.time_safety_margin`.
    pub time_safety_margin: f64,
    /// `limits.memory`.
    pub memory: Bytes,
    /// `limits.output`.
    pub output: Bytes,
    /// `limits.code`.
    pub code: Bytes,
    /// `limits.compilation_time`.
    pub compilation_time: Option<Duration>,
    /// `limits.compilation_memory`.
    pub compilation_memory: Option<Bytes>,
    /// `validation`.
    pub validation: Validation,
    /// Line of `validation`, for errors.
    pub validation_line: u64,
    /// Whether the validator talks with the program (`validation: custom interactive`).
    pub interactive: bool,
    /// Set where the program runs several times (DOMjudge: `validation: custom multi-pass`): how often at most
    /// (`limits.validation_passes`).
    pub passes: Option<u32>,
    /// `limits.validation_time`, `limits.validation_memory` and `limits.validation_output`.
    pub validation_limits: ProgramLimits,
    /// `validator_flags`: they come before those of `testdata.yaml`.
    pub validator_flags: String,
    /// Line of `validator_flags`, for errors.
    pub validator_flags_line: u64,
    /// Whether there are scores, and what is said of them.
    pub grading: ProblemGrading,
    /// Warnings for the author.
    pub warnings: Vec<String>,
}

/// Who validates outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Validation {
    /// The default validator.
    #[default]
    Default,
    /// A program of the package.
    Custom,
}

impl Default for ProblemYaml {
    fn default() -> Self {
        Self {
            name: None,
            time_limit: None,
            time_multiplier: 5.0,
            time_safety_margin: 2.0,
            memory: PackageLimits::MEMORY,
            output: PackageLimits::OUTPUT,
            code: PackageLimits::CODE,
            compilation_time: None,
            compilation_memory: None,
            validation: Validation::Default,
            validation_line: 0,
            interactive: false,
            passes: None,
            validation_limits: ProgramLimits::default(),
            validator_flags: String::new(),
            validator_flags_line: 0,
            grading: ProblemGrading::default(),
            warnings: Vec::new(),
        }
    }
}

/// Reads `problem.yaml`.
///
/// # Errors
/// When it is no YAML, a key that judging needs holds a wrong value, or it asks for what is not supported.
pub fn parse_problem_yaml(text: &str) -> Result<ProblemYaml, PackageError> {
    let mut errors = Vec::new();
    let problem = read(text, &mut errors);
    match errors.into_iter().next() {
        Some(error) => Err(error.in_file(Path::new(FILE))),
        None => Ok(problem),
    }
}

/// As [`parse_problem_yaml`], with everything that is wrong kept, and the rest read all the same.
pub(crate) fn read_problem_yaml(text: &str, file: &Path, diagnostics: &mut Diagnostics) -> ProblemYaml {
    let mut errors = Vec::new();
    let problem = read(text, &mut errors);
    diagnostics.errors_in(file, errors);
    problem
}

fn read(text: &str, errors: &mut Vec<PackageError>) -> ProblemYaml {
    let mut problem = ProblemYaml::default();
    let read = yaml::parse_with_duplicates(text)
        .and_then(|(root, duplicates)| Ok((root.map("")?.to_vec(), duplicates)));
    let (entries, duplicates) = match read {
        Ok(read) => read,
        Err(error) => {
            errors.push(error);
            return problem;
        }
    };
    problem.warnings.extend(duplicates.iter().map(|duplicate| yaml::there_twice(FILE, duplicate)));
    let mut limit = Passes::default();
    for (key, node) in &entries {
        let read = read_key(key, node, &mut problem, &mut limit, errors);
        errors.extend(read.err());
    }
    if !problem.grading.is_scoring
        && let Some((_, node)) = entries.iter().find(|(key, _)| key == "grading")
    {
        // Older pass-fail packages carry it all the same.
        for (key, value) in node.map("grading").unwrap_or_default() {
            let key = one_line(key);
            problem.warnings.push(format!("{FILE}:{}: grading.{key} has no effect here", value.line));
        }
    }
    match limit {
        Passes { wanted: true, limit } => problem.passes = Some(limit.map_or(2, |(passes, _)| passes)),
        Passes { wanted: false, limit: Some((_, line)) } => problem.warnings.push(format!(
            "{FILE}:{line}: limits.validation_passes has no effect, because the problem is not multi-pass"
        )),
        Passes { .. } => {}
    }
    if problem.validation == Validation::Default && (problem.interactive || problem.passes.is_some()) {
        // DOMjudge's `type: interactive` stands for `validation: custom interactive`.
        problem.validation = Validation::Custom;
    }
    problem
}

fn read_key(
    key: &str,
    node: &Node,
    problem: &mut ProblemYaml,
    limit: &mut Passes,
    errors: &mut Vec<PackageError>,
) -> Result<(), PackageError> {
    match key {
        "problem_format_version" => check_version(node)?,
        "type" => read_type(node, problem, limit)?,
        "name" => problem.name = title(node)?,
        "validation" => {
            problem.validation_line = node.line;
            read_validation(node, problem, limit)?;
        }
        "validator_flags" => {
            problem.validator_flags = node.texts(key)?.join(" ");
            problem.validator_flags_line = node.line;
        }
        "limits" => {
            for (key, value) in node.map("limits")? {
                errors.extend(read_limit(key, value, problem, limit).err());
            }
        }
        "grading" => read_grading(node, problem)?,
        "languages" => check_languages(node, problem)?,
        "libraries" if node.texts(key)?.iter().all(|text| text.trim().is_empty()) => {}
        known if INFORMATION.contains(&known) => {}
        _ => {
            let meant = did_you_mean(key, KEYS.iter().chain(INFORMATION).copied());
            problem.warnings.push(unknown(node, &one_line(key), &meant));
        }
    }
    Ok(())
}

/// What the keys say about passes, in whichever order they come.
#[derive(Debug, Default)]
struct Passes {
    wanted: bool,
    /// `limits.validation_passes`, and its line.
    limit: Option<(u32, u64)>,
}

fn check_version(node: &Node) -> Result<(), PackageError> {
    const KEY: &str = "problem_format_version";
    match node.text(KEY)?.as_deref() {
        None | Some("legacy" | "legacy-icpc" | "") => Ok(()),
        Some(other) => Err(PackageError::unsupported(
            node.line,
            KEY,
            format!("format '{}'", one_line(other)),
            "supported are legacy, 2025-09 and its drafts",
        )),
    }
}

/// Legacy problems are `pass-fail` or `scoring`; DOMjudge reads words of the later formats here as well.
fn read_type(node: &Node, problem: &mut ProblemYaml, passes: &mut Passes) -> Result<(), PackageError> {
    for word in node.texts("type")?.iter().flat_map(|text| text.split_whitespace()) {
        match word {
            "pass-fail" => {}
            "interactive" => problem.interactive = true,
            "multi-pass" => passes.wanted = true,
            "scoring" => problem.grading.is_scoring = true,
            "submit-answer" => {
                return Err(PackageError::unsupported(
                    node.line,
                    "type",
                    format!("'{word}'"),
                    "supported today: pass-fail, scoring, interactive and multi-pass",
                ));
            }
            other => {
                return Err(PackageError::value(
                    node.line,
                    "type",
                    format!("'{}' is not a type", one_line(other)),
                    "use pass-fail or scoring",
                ));
            }
        }
    }
    Ok(())
}

fn read_validation(node: &Node, problem: &mut ProblemYaml, passes: &mut Passes) -> Result<(), PackageError> {
    const KEY: &str = "validation";
    let text = node.text(KEY)?.unwrap_or_default();
    let wrong = |problem: String| {
        Err(PackageError::value(
            node.line,
            KEY,
            problem,
            "use default or custom, and after custom interactive, multi-pass or score",
        ))
    };
    let mut words = text.split_whitespace();
    match words.next() {
        None => {}
        Some("default") => {
            if let Some(word) = words.next() {
                return wrong(format!("'{}' belongs to custom validators only", one_line(word)));
            }
        }
        Some("custom") => {
            problem.validation = Validation::Custom;
            for word in words {
                match word {
                    "interactive" => problem.interactive = true,
                    "multi-pass" => passes.wanted = true,
                    "score" => problem.grading.custom_score = CustomScore::Required,
                    other => return wrong(format!("'{}' is not a part of it", one_line(other))),
                }
            }
        }
        Some(_) => return wrong(format!("'{}' is not a way to validate", one_line(&text))),
    }
    Ok(())
}

/// A text, or a map from language code to text.
fn title(node: &Node) -> Result<Option<String>, PackageError> {
    let name = match &node.value {
        Value::Map(entries) => {
            let chosen = entries.iter().find(|(code, _)| code == "en").or_else(|| entries.first());
            chosen.map(|(_, node)| node.text("name")).transpose()?.flatten()
        }
        _ => node.text("name")?,
    };
    Ok(name.map(|name| one_line(name.trim())).filter(|name| !name.is_empty()))
}

/// Keys that came before `testdata.yaml`, and what is not a folder's.
fn read_grading(node: &Node, problem: &mut ProblemYaml) -> Result<(), PackageError> {
    for (key, value) in node.map("grading")? {
        let path = format!("grading.{}", one_line(key));
        match key.as_str() {
            "objective" => problem.grading.objective = objective(value, &path)?,
            "show_test_data_groups" => {}
            // The validator may give scores; `validation: custom score` makes it.
            "custom_scoring" => {
                if matches!(value.value, Value::Bool(true))
                    && problem.grading.custom_score == CustomScore::Refused
                {
                    problem.grading.custom_score = CustomScore::Allowed;
                }
            }
            // How problems are graded, in the newest format's sense, is no key here.
            "grading" | "grader_flags" => problem.warnings.push(unknown(value, &path, "")),
            key if problem.grading.everywhere.read(key, value, "grading.")? => {}
            _ => {
                let known = ["objective", "show_test_data_groups", "custom_scoring"];
                let meant = did_you_mean(key, known.into_iter().chain(Grading::KEYS.iter().copied()));
                problem.warnings.push(unknown(value, &path, &meant));
            }
        }
    }
    Ok(())
}

fn unknown(node: &Node, path: &str, meant: &str) -> String {
    format!("{FILE}:{}: unknown key '{path}' is ignored{meant}", node.line)
}

fn objective(node: &Node, key: &str) -> Result<Objective, PackageError> {
    match node.text(key)?.as_deref() {
        None | Some("" | "max") => Ok(Objective::Maximise),
        Some("min") => Ok(Objective::Minimise),
        Some(other) => Err(PackageError::value(
            node.line,
            key,
            format!("'{}' is not an objective", one_line(other)),
            "use max or min",
        )),
    }
}

/// Kattis' language codes name families (`cpp`), not entries of a language table, so a list here cannot be
/// enforced; it says which solutions are wanted and never changes what a submission gets.
fn check_languages(node: &Node, problem: &mut ProblemYaml) -> Result<(), PackageError> {
    let languages = node.texts("languages")?.join(" ");
    if !matches!(languages.trim(), "" | "all") {
        problem.warnings.push(format!("{FILE}:{}: languages is not enforced", node.line));
    }
    Ok(())
}

fn read_limit(
    key: &str,
    value: &Node,
    problem: &mut ProblemYaml,
    limit: &mut Passes,
) -> Result<(), PackageError> {
    let path = format!("limits.{}", one_line(key));
    let limits = &mut problem.validation_limits;
    match key {
        "time_limit" => problem.time_limit = seconds(value, &path)?,
        "time_multiplier" => {
            problem.time_multiplier =
                positive(value, &path, "a factor", 1e4)?.unwrap_or(problem.time_multiplier);
        }
        "time_safety_margin" => {
            problem.time_safety_margin =
                positive(value, &path, "a factor", 1e4)?.unwrap_or(problem.time_safety_margin);
        }
        "memory" => problem.memory = mebibytes(value, &path)?.unwrap_or(problem.memory),
        "output" => problem.output = mebibytes(value, &path)?.unwrap_or(problem.output),
        "code" => problem.code = kibibytes(value, &path)?.unwrap_or(problem.code),
        "compilation_time" => problem.compilation_time = seconds(value, &path)?,
        "compilation_memory" => problem.compilation_memory = mebibytes(value, &path)?,
        "validation_time" => {
            limits.time = seconds(value, &path)?.unwrap_or(limits.time);
        }
        "validation_memory" => limits.memory = mebibytes(value, &path)?.unwrap_or(limits.memory),
        "validation_output" => limits.output = mebibytes(value, &path)?.unwrap_or(limits.output),
        "time_multipliers" => read_multipliers(value, problem)?,
        "time_resolution" => {
            positive(value, &path, "seconds", 86_400.0)?;
            problem.warnings.push(format!("{FILE}:{}: {path} has no effect here", value.line));
        }
        "validation_passes" => {
            limit.limit = passes(value, &path)?.map(|passes| (passes, value.line));
        }
        _ => problem.warnings.push(unknown(value, &path, &did_you_mean(key, LIMITS.iter().copied()))),
    }
    Ok(())
}

/// The newer drafts' spelling of the multiplier and the margin, which some legacy packages use.
fn read_multipliers(node: &Node, problem: &mut ProblemYaml) -> Result<(), PackageError> {
    for (key, value) in node.map("limits.time_multipliers")? {
        let path = format!("limits.time_multipliers.{}", one_line(key));
        match key.as_str() {
            "ac_to_time_limit" => {
                problem.time_multiplier =
                    positive(value, &path, "a factor", 1e4)?.unwrap_or(problem.time_multiplier);
            }
            "time_limit_to_tle" => {
                problem.time_safety_margin =
                    positive(value, &path, "a factor", 1e4)?.unwrap_or(problem.time_safety_margin);
            }
            _ => {
                let meant = did_you_mean(key, ["ac_to_time_limit", "time_limit_to_tle"]);
                problem.warnings.push(unknown(value, &path, &meant));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_published_ones() {
        let problem = parse_problem_yaml("name: Sums\n").unwrap();
        assert_eq!(problem.name.as_deref(), Some("Sums"));
        assert_eq!((problem.memory, problem.output), (Bytes::mib(2048), Bytes::mib(8)));
        assert_eq!((problem.time_multiplier, problem.time_safety_margin), (5.0, 2.0));
        assert!(problem.warnings.is_empty());
    }

    #[test]
    fn titles_come_as_text_or_by_language() {
        for (text, title) in [
            ("name: {sv: Summor, en: Sums}", Some("Sums")),
            ("name: {sv: Summor}", Some("Summor")),
            ("name: 2048", Some("2048")),
            ("name: ''", None),
            ("name:", None),
        ] {
            assert_eq!(parse_problem_yaml(text).unwrap().name.as_deref(), title, "{text}");
        }
    }

    #[test]
    fn limits_are_read_in_their_units() {
        let text = "limits:\n  memory: 512\n  output: '1'\n  code: 64\n  time_limit: 1.5\n  time_multiplier: 3\n  \
                    compilation_time: 10\n  compilation_memory: 100\n";
        let problem = parse_problem_yaml(text).unwrap();
        assert_eq!((problem.memory, problem.output), (Bytes::mib(512), Bytes::mib(1)));
        assert_eq!(problem.code, Bytes::kib(64));
        assert_eq!(problem.time_limit, Some(Duration::from_millis(1500)));
        assert_eq!(problem.time_multiplier, 3.0);
        assert_eq!(problem.compilation_time, Some(Duration::from_secs(10)));
        assert_eq!(problem.compilation_memory, Some(Bytes::mib(100)));
    }

    #[test]
    fn unknown_keys_are_warnings_with_their_line() {
        let problem = parse_problem_yaml("name: x\nfancy: 1\nlimits:\n  fast: 2\n").unwrap();
        assert_eq!(problem.warnings.len(), 2);
        assert!(problem.warnings[0].contains("problem.yaml:2") && problem.warnings[0].contains("fancy"));
        assert!(problem.warnings[1].contains("limits.fast"));
    }

    #[test]
    fn errors_name_file_line_and_key_on_one_line() {
        for (text, expected) in [
            ("limits:\n  memory: 0\n", "problem.yaml:2: limits.memory: 0 is out of range"),
            ("limits: {memory: -5}", "limits.memory"),
            ("limits: {memory: .nan}", "limits.memory"),
            ("limits: {memory: .inf}", "limits.memory"),
            ("limits: {time_limit: 1e300}", "limits.time_limit"),
            ("limits: {memory: lots}", "'lots' where a number is needed"),
            ("limits: {memory: [1]}", "a list where a number is needed"),
            ("limits: 5", "5 where a map"),
            ("- a\n- b", "a list where a map"),
            ("just text", "where a map"),
            ("name: [a]", "name: a list where text"),
            ("a: [", "problem.yaml"),
            ("name: x\n---\nname: y\n", "problem.yaml"),
            ("type: scoring\ngrading: {objective: fast}", "grading.objective: 'fast' is not an objective"),
            ("grading: {range: 1}", "grading.range: '1' is not two numbers"),
            ("type: exam", "'exam' is not a type"),
            ("validation: custom noisy", "'noisy' is not a part of it"),
            ("validation: default interactive", "'interactive' belongs to custom"),
            ("limits: {validation_passes: 1}", "limits.validation_passes"),
            ("validation: magic", "validation: 'magic'"),
            ("problem_format_version: 2025-09", "format '2025-09' is not supported"),
        ] {
            let error = parse_problem_yaml(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(error.starts_with("problem.yaml") && !error.contains('\n'), "{error}");
        }
    }
}
