//! Parses `problem.yaml` of ICPC 2025-09 and of the drafts before it (2023-07-draft, 2025-09-draft, draft).
//!
//! 2025-09 is typed: an unknown key, a wrong type, a type of problem that excludes another are refused, as the
//! specification asks and problemtools does. The drafts changed as they were written, and each tool reads some of their
//! states: there an unknown key is a warning, and the keys of the legacy format that tools still read hold.

use std::path::Path;
use std::time::Duration;

use crate::package::model::{PackageLimits, ProgramLimits};
use crate::package::shared::constants::Constants;
use crate::package::source::diagnostics::{Diagnostics, did_you_mean};
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::values::{kibibytes, mebibytes, positive, seconds};
use crate::package::source::yaml::{Node, Value, plain};
use crate::package::source::{values as settings, yaml};
use crate::units::Bytes;

const FILE: &str = "problem.yaml";

/// Keys that are known and change no verdict. `comment` and `verified` are BAPCtools' own.
const INFORMATION: &[&str] = &[
    "comment",
    "credits",
    "embargo_until",
    "license",
    "problem_format_version",
    "rights_owner",
    "source",
    "verified",
    "version",
];

/// The keys of 2025-09, for messages.
const KEYS: &str = "problem_format_version, type, name, uuid, version, credits, source, license, rights_owner, \
                    embargo_until, limits, keywords, languages, allow_file_writing and constants";

/// The same, each by itself.
fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.split(", ").flat_map(|keys| keys.split(" and ")).chain(INFORMATION.iter().copied())
}

/// Keys of `limits`.
const LIMITS: &[&str] = &[
    "time_multipliers",
    "time_limit",
    "time_resolution",
    "memory",
    "output",
    "code",
    "compilation_time",
    "compilation_memory",
    "validation_time",
    "validation_memory",
    "validation_output",
    "validation_passes",
];

/// Licenses the format knows.
const LICENSES: &[&str] =
    &["unknown", "public domain", "cc0", "cc by", "cc by-sa", "educational", "permission"];

/// What judging needs of `problem.yaml`.
#[derive(Debug, Clone, PartialEq)]
pub struct IcpcProblemYaml {
    /// The title: English where there are several.
    pub name: Option<String>,
    /// `type` holds `scoring`.
    pub scoring: bool,
    /// `type` holds `interactive`.
    pub interactive: bool,
    /// `type` holds `multi-pass`: how many passes at most (`limits.validation_passes`).
    pub passes: Option<u32>,
    /// `type` holds `submit-answer`.
    pub submit_answer: bool,
    /// Line of `type`, for errors.
    pub type_line: u64,
    /// `limits.time_limit`.
    pub time_limit: Option<Duration>,
    /// `limits.time_multipliers.ac_to_time_limit`.
    pub ac_to_time_limit: f64,
    /// `limits.time_multipliers.time_limit_to_tle`.
    pub time_limit_to_tle: f64,
    /// `limits.time_resolution`.
    pub time_resolution: Duration,
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
    /// `limits.validation_time`, `limits.validation_memory` and `limits.validation_output`.
    pub validation_limits: ProgramLimits,
    /// Codes of the languages allowed; `None` is all.
    pub languages: Option<Vec<String>>,
    /// `constants`.
    pub constants: Constants,
    /// `validator_flags`, which drafts still had.
    pub validator_flags: Vec<String>,
    /// Warnings for the author.
    pub warnings: Vec<String>,
}

impl Default for IcpcProblemYaml {
    fn default() -> Self {
        Self {
            name: None,
            scoring: false,
            interactive: false,
            passes: None,
            submit_answer: false,
            type_line: 0,
            time_limit: None,
            ac_to_time_limit: 2.0,
            time_limit_to_tle: 1.5,
            time_resolution: Duration::from_secs(1),
            memory: PackageLimits::MEMORY,
            output: PackageLimits::OUTPUT,
            code: PackageLimits::CODE,
            compilation_time: None,
            compilation_memory: None,
            validation_limits: ProgramLimits::default(),
            languages: None,
            constants: Constants::default(),
            validator_flags: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

/// Reads `problem.yaml`; `is_strict` is 2025-09, otherwise it is a draft.
///
/// # Errors
/// When it is no YAML, a required key is missing, a key is unknown or holds a wrong value.
pub fn parse_icpc_problem_yaml(text: &str, is_strict: bool) -> Result<IcpcProblemYaml, PackageError> {
    let mut reader = Reader {
        is_strict,
        problem: IcpcProblemYaml::default(),
        passes: None,
        multi_pass: false,
        errors: Vec::new(),
    };
    reader.read(text);
    match reader.errors.into_iter().next() {
        Some(error) => Err(error.in_file(Path::new(FILE))),
        None => Ok(reader.problem),
    }
}

/// As [`parse_icpc_problem_yaml`], with everything that is wrong kept, and the rest read all the same.
pub(crate) fn read_icpc_problem_yaml(
    text: &str,
    is_strict: bool,
    file: &Path,
    diagnostics: &mut Diagnostics,
) -> IcpcProblemYaml {
    let mut reader = Reader {
        is_strict,
        problem: IcpcProblemYaml::default(),
        passes: None,
        multi_pass: false,
        errors: Vec::new(),
    };
    reader.read(text);
    diagnostics.errors_in(file, reader.errors);
    reader.problem
}

struct Reader {
    is_strict: bool,
    problem: IcpcProblemYaml,
    /// `limits.validation_passes`, with its line.
    passes: Option<(u32, u64)>,
    multi_pass: bool,
    errors: Vec<PackageError>,
}

impl Reader {
    fn read(&mut self, text: &str) {
        let read = yaml::parse_with_duplicates(text)
            .and_then(|(root, duplicates)| Ok((root.map("")?.to_vec(), duplicates)));
        let (entries, duplicates) = match read {
            Ok(read) => read,
            Err(error) => return self.errors.push(error),
        };
        let twice = duplicates.iter().map(|duplicate| yaml::there_twice(FILE, duplicate));
        self.problem.warnings.extend(twice);
        for (key, node) in &entries {
            let read = self.key(key, node, text);
            self.errors.extend(read.err());
        }
        for key in ["name", "uuid"] {
            if entries.iter().any(|(name, node)| name == key && !matches!(node.value, Value::Null)) {
                continue;
            }
            if self.is_strict {
                let remedy = "add it: the format requires it";
                self.errors.push(PackageError::value(0, key, "it is missing", remedy));
            } else {
                self.problem.warnings.push(format!("{FILE}: {key} is missing"));
            }
        }
        match (self.multi_pass, self.passes) {
            (true, passes) => self.problem.passes = Some(passes.map_or(2, |(passes, _)| passes)),
            (false, Some((_, line))) if self.is_strict => {
                self.errors.push(PackageError::value(
                    line,
                    "limits.validation_passes",
                    "the problem is not multi-pass",
                    "remove the key, or add multi-pass to type",
                ));
            }
            (false, Some((_, line))) => self.problem.warnings.push(format!(
                "{FILE}:{line}: limits.validation_passes has no effect, because the problem is not multi-pass"
            )),
            (false, None) => {}
        }
    }

    fn key(&mut self, key: &str, node: &Node, text: &str) -> Result<(), PackageError> {
        match key {
            "name" => self.problem.name = self.name(node)?,
            "type" => self.types(node)?,
            "uuid" => self.uuid(node)?,
            "limits" => self.limits(node)?,
            "languages" => self.problem.languages = self.languages(node)?,
            "constants" => self.problem.constants = Constants::read(node, text)?,
            "allow_file_writing" => self.flag(node, key)?,
            "keywords" => {
                if self.is_strict && matches!(node.value, Value::Map(_)) {
                    node.texts(key)?;
                }
            }
            "license" => self.license(node)?,
            "validation" | "author" | "source_url" | "validator_flags" | "grading" if !self.is_strict => {
                self.of_older_format(key, node)?;
            }
            known if INFORMATION.contains(&known) => {}
            _ if self.is_strict => {
                return Err(PackageError::value(
                    node.line,
                    &one_line(key),
                    format!("it is not a key of this file{}", did_you_mean(key, keys())),
                    format!("use {KEYS}"),
                ));
            }
            _ => self.warn_unknown(node, key, &did_you_mean(key, keys())),
        }
        Ok(())
    }

    fn warn_unknown(&mut self, node: &Node, key: &str, meant: &str) {
        self.problem.warnings.push(format!(
            "{FILE}:{}: unknown key '{}' is ignored{meant}",
            node.line,
            one_line(key)
        ));
    }

    /// Keys of the legacy format in a draft: flags still go to the validator, the rest has moved.
    fn of_older_format(&mut self, key: &str, node: &Node) -> Result<(), PackageError> {
        if key == "validator_flags" {
            self.problem.validator_flags = settings::words(&node.texts(key)?.join(" "));
            return Ok(());
        }
        if key == "validation" {
            for word in node.text(key)?.unwrap_or_default().split_whitespace() {
                match word {
                    "interactive" => self.problem.interactive = true,
                    "multi-pass" => self.multi_pass = true,
                    _ => {}
                }
            }
        }
        self.problem
            .warnings
            .push(format!("{FILE}:{}: {key} is a key of the legacy format, not of this one", node.line));
        Ok(())
    }

    fn name(&self, node: &Node) -> Result<Option<String>, PackageError> {
        let name = match &node.value {
            Value::Map(entries) => {
                for (code, value) in entries {
                    value.text(&format!("name.{}", one_line(code)))?;
                }
                let chosen = entries.iter().find(|(code, _)| code == "en").or_else(|| entries.first());
                chosen.map(|(_, value)| value.text("name")).transpose()?.flatten()
            }
            _ => node.text("name")?,
        };
        Ok(name.map(|name| one_line(name.trim())).filter(|name| !name.is_empty()))
    }

    fn types(&mut self, node: &Node) -> Result<(), PackageError> {
        const KEY: &str = "type";
        let wrong = |problem: String| {
            PackageError::value(
                node.line,
                KEY,
                problem,
                "use pass-fail or scoring, with multi-pass and interactive, or with submit-answer",
            )
        };
        let mut words = node.texts(KEY)?;
        if !self.is_strict {
            words = words.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect();
        }
        if words.is_empty() {
            return Err(wrong("the list is empty".to_owned()));
        }
        let mut pass_fail = false;
        for (place, word) in words.iter().enumerate() {
            if words[..place].contains(word) {
                return Err(wrong(format!("'{}' stands there twice", one_line(word))));
            }
            match word.as_str() {
                "pass-fail" => pass_fail = true,
                "scoring" => self.problem.scoring = true,
                "multi-pass" => self.multi_pass = true,
                "interactive" => self.problem.interactive = true,
                "submit-answer" => self.problem.submit_answer = true,
                other => return Err(wrong(format!("'{}' is not a type", one_line(other)))),
            }
        }
        for (excluded, one, other) in [
            (pass_fail && self.problem.scoring, "pass-fail", "scoring"),
            (self.problem.submit_answer && self.multi_pass, "submit-answer", "multi-pass"),
            (self.problem.submit_answer && self.problem.interactive, "submit-answer", "interactive"),
        ] {
            if excluded {
                return Err(wrong(format!("'{one}' and '{other}' exclude each other")));
            }
        }
        self.problem.type_line = node.line;
        Ok(())
    }

    fn uuid(&mut self, node: &Node) -> Result<(), PackageError> {
        let Some(text) = node.text("uuid")? else { return Ok(()) };
        let parts: Vec<_> = text.trim().split('-').map(str::len).collect();
        let is_hexadecimal = text.trim().chars().all(|digit| digit == '-' || digit.is_ascii_hexdigit());
        if (parts != [8, 4, 4, 4, 12] && parts != [32]) || !is_hexadecimal {
            let line = node.line;
            self.problem.warnings.push(format!("{FILE}:{line}: uuid: '{}' is not a UUID", one_line(&text)));
        }
        Ok(())
    }

    fn license(&mut self, node: &Node) -> Result<(), PackageError> {
        match node.text("license")? {
            Some(license) if !LICENSES.contains(&license.as_str()) => {
                if self.is_strict {
                    return Err(PackageError::value(
                        node.line,
                        "license",
                        format!("'{}' is not a license the format knows", one_line(&license)),
                        format!("use one of {}", LICENSES.join(", ")),
                    ));
                }
                self.problem.warnings.push(format!("{FILE}:{}: license is none the format knows", node.line));
            }
            _ => {}
        }
        Ok(())
    }

    fn flag(&self, node: &Node, key: &str) -> Result<(), PackageError> {
        match node.value {
            Value::Bool(_) | Value::Null => Ok(()),
            _ => {
                Err(PackageError::value(node.line, key, "it is neither true nor false", "use true or false"))
            }
        }
    }

    fn languages(&self, node: &Node) -> Result<Option<Vec<String>>, PackageError> {
        const KEY: &str = "languages";
        let codes = node.texts(KEY)?;
        match &node.value {
            Value::Null => Ok(None),
            Value::List(_) if codes.is_empty() => {
                Err(PackageError::value(node.line, KEY, "the list is empty", "name a language, or use all"))
            }
            Value::List(_) => Ok(Some(codes)),
            _ if codes.iter().all(|code| code == "all") => Ok(None),
            _ if !self.is_strict => Ok(Some(codes)),
            _ => Err(PackageError::value(
                node.line,
                KEY,
                format!("'{}' is neither a list nor all", one_line(&codes.join(" "))),
                "write a list like [cpp, python3], or all",
            )),
        }
    }

    fn limits(&mut self, node: &Node) -> Result<(), PackageError> {
        for (key, value) in node.map("limits")? {
            let read = self.limit(key, value);
            self.errors.extend(read.err());
        }
        Ok(())
    }

    fn limit(&mut self, key: &str, value: &Node) -> Result<(), PackageError> {
        let path = format!("limits.{}", one_line(key));
        if self.is_strict {
            whole(key, value, &path)?;
        }
        let problem = &mut self.problem;
        let limits = &mut problem.validation_limits;
        match key {
            "time_limit" => problem.time_limit = seconds(value, &path)?,
            "time_resolution" => {
                problem.time_resolution = seconds(value, &path)?.unwrap_or(problem.time_resolution);
            }
            "time_multipliers" => self.multipliers(value)?,
            "memory" => problem.memory = mebibytes(value, &path)?.unwrap_or(problem.memory),
            "output" => problem.output = mebibytes(value, &path)?.unwrap_or(problem.output),
            "code" => problem.code = kibibytes(value, &path)?.unwrap_or(problem.code),
            "compilation_time" => problem.compilation_time = seconds(value, &path)?,
            "compilation_memory" => problem.compilation_memory = mebibytes(value, &path)?,
            "validation_time" => limits.time = seconds(value, &path)?.unwrap_or(limits.time),
            "validation_memory" => limits.memory = mebibytes(value, &path)?.unwrap_or(limits.memory),
            "validation_output" => limits.output = mebibytes(value, &path)?.unwrap_or(limits.output),
            "validation_passes" => {
                self.passes = settings::passes(value, &path)?.map(|passes| (passes, value.line));
            }
            // BAPCtools' own.
            "generator_time" | "visualizer_time" => {}
            "time_multiplier" if !self.is_strict => {
                self.problem.ac_to_time_limit =
                    positive(value, &path, "a factor", 1e4)?.unwrap_or(self.problem.ac_to_time_limit);
            }
            "time_safety_margin" if !self.is_strict => {}
            _ if self.is_strict => {
                return Err(PackageError::value(
                    value.line,
                    &path,
                    format!("it is not a key of limits{}", did_you_mean(key, LIMITS.iter().copied())),
                    "use time_multipliers, time_limit, time_resolution, memory, output, code, \
                         compilation_time, compilation_memory, validation_time, validation_memory, \
                         validation_output and validation_passes",
                ));
            }
            _ => self.warn_unknown(value, &path, &did_you_mean(key, LIMITS.iter().copied())),
        }
        Ok(())
    }

    fn multipliers(&mut self, node: &Node) -> Result<(), PackageError> {
        for (key, value) in node.map("limits.time_multipliers")? {
            let path = format!("limits.time_multipliers.{}", one_line(key));
            match key.as_str() {
                "ac_to_time_limit" | "time_limit_to_tle" => {
                    let Some(factor) = positive(value, &path, "a factor", 1e4)? else { continue };
                    if factor < 1.0 {
                        return Err(PackageError::value(
                            value.line,
                            &path,
                            format!("{} is less than 1", plain(factor)),
                            "give a factor of 1 or more",
                        ));
                    }
                    if key == "ac_to_time_limit" {
                        self.problem.ac_to_time_limit = factor;
                    } else {
                        self.problem.time_limit_to_tle = factor;
                    }
                }
                _ if self.is_strict => {
                    return Err(PackageError::value(
                        value.line,
                        &path,
                        "it is not a time multiplier",
                        "use ac_to_time_limit and time_limit_to_tle",
                    ));
                }
                _ => {
                    let meant = did_you_mean(key, ["ac_to_time_limit", "time_limit_to_tle"]);
                    self.warn_unknown(value, &path, &meant);
                }
            }
        }
        Ok(())
    }
}

/// All limits but those about time are whole numbers in 2025-09.
fn whole(key: &str, node: &Node, path: &str) -> Result<(), PackageError> {
    if key.starts_with("time_") || matches!(node.value, Value::Null | Value::Map(_)) {
        return Ok(());
    }
    match node.number(path)? {
        Some(number) if number.is_finite() && number.fract() != 0.0 => Err(PackageError::value(
            node.line,
            path,
            format!("{} is not a whole number", plain(number)),
            "give a whole number",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str =
        "problem_format_version: 2025-09\nname: Sums\nuuid: 8ee7605a-ab1a-8226-1d71-e346ab1e688d\n";

    #[test]
    fn defaults_are_the_published_ones_and_every_key_is_read() {
        let problem = parse_icpc_problem_yaml(BASE, true).unwrap();
        assert_eq!((problem.memory, problem.output), (Bytes::mib(2048), Bytes::mib(8)));
        assert_eq!((problem.ac_to_time_limit, problem.time_resolution), (2.0, Duration::from_secs(1)));
        assert!(problem.warnings.is_empty(), "{:?}", problem.warnings);
        let text = format!(
            "{BASE}version: '1'\ntype: [scoring, interactive, multi-pass]\nlimits:\n  time_multipliers: {{ac_to_time_limit: 3, \
             time_limit_to_tle: 2}}\n  time_limit: 2.5\n  time_resolution: 0.1\n  validation_passes: 7\n  code: 64\n\
             credits: {{authors: [A, {{name: B}}]}}\nsource: [{{name: C, url: x}}, D]\nlicense: cc by-sa\nkeywords: [a, b]\n\
             languages: [cpp, python3]\nallow_file_writing: true\nconstants: {{n_max: 100, word: abc}}\nembargo_until: 2030-01-01\n"
        );
        let problem = parse_icpc_problem_yaml(&text, true).unwrap();
        assert!(problem.scoring && problem.interactive && problem.passes == Some(7));
        assert_eq!(problem.time_limit, Some(Duration::from_millis(2500)));
        assert_eq!(problem.time_resolution, Duration::from_millis(100));
        assert_eq!(problem.languages.unwrap(), ["cpp", "python3"]);
        assert_eq!(problem.constants.0[0], ("n_max".to_owned(), "100".to_owned()));
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_key() {
        for (text, expected) in [
            ("type: []", "type: the list is empty"),
            ("type: [pass-fail, scoring]", "'pass-fail' and 'scoring' exclude"),
            ("type: [submit-answer, interactive]", "exclude each other"),
            ("type: [interactive, interactive]", "'interactive' stands there twice"),
            ("type: interactive multi-pass", "'interactive multi-pass' is not a type"),
            ("limits: {time_multipliers: {ac_to_time_limit: 0.5}}", "ac_to_time_limit: 0.5 is less than 1"),
            ("limits: {memory: 1.5}", "limits.memory: 1.5 is not a whole number"),
            ("limits: {memory: x}", "limits.memory: 'x'"),
            ("limits: {time_multiplier: 2}", "limits.time_multiplier: it is not a key"),
            ("limits: {validation_passes: 3}", "the problem is not multi-pass"),
            ("languages: cpp", "languages: 'cpp' is neither"),
            ("languages: []", "languages: the list is empty"),
            ("constants: {1a: 2}", "constants.1a: it is no name"),
            ("constants: {a: [1]}", "constants.a"),
            ("allow_file_writing: 5", "allow_file_writing: it is neither"),
            ("validation: custom", "validation: it is not a key of this file"),
            ("license: mine", "'mine' is not a license"),
            ("name2: x", "name2: it is not a key"),
        ] {
            let error = parse_icpc_problem_yaml(&format!("{BASE}{text}\n"), true).unwrap_err().to_string();
            assert!(error.contains(expected) && error.starts_with("problem.yaml"), "{text}: {error}");
        }
        let error = parse_icpc_problem_yaml("name: x", true).unwrap_err().to_string();
        assert!(error.contains("uuid: it is missing"), "{error}");
    }

    #[test]
    fn drafts_are_read_with_warnings() {
        let text =
            "name: x\ntype: interactive multi-pass\nvalidator_flags: a 'b c'\nnew: 1\nlimits: {fast: 1}\n";
        let problem = parse_icpc_problem_yaml(text, false).unwrap();
        assert!(problem.interactive && problem.passes == Some(2));
        assert_eq!(problem.validator_flags, ["a", "b c"]);
        assert_eq!(problem.warnings.len(), 3, "{:?}", problem.warnings);
    }
}
