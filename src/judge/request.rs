//! Checks that a submission can be judged as it was sent, before anything runs.
//!
//! The same checks guard the command line (exit code 2) and a message from a queue (JE), so that both
//! refuse the same things in the same words.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::language::{EncodingError, Language, Order, Part, Table};
use crate::package::{Package, SubmissionKind, Test};
use crate::submission::{ANSWERS, Content, SCHEMA, Submission};
use crate::units::Bytes;
use crate::verdict::Reason;

/// More source files than any contest allows; each costs an inode of the compile box.
pub const MAX_FILES: usize = 256;

/// Why a submission cannot be judged as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A message of another version.
    #[error("the submission has schema {0}; this gavel reads schema {SCHEMA}")]
    Schema(u32),
    /// The table has no such language.
    #[error("{0}")]
    UnknownLanguage(String),
    /// The package does not allow the language.
    #[error("problem '{problem}' does not allow language '{id}': allowed are {allowed}")]
    ForbiddenLanguage {
        /// The problem.
        problem: String,
        /// As asked.
        id: String,
        /// What it allows.
        allowed: String,
    },
    /// No source file at all.
    #[error("the submission has no source file")]
    NoFiles,
    /// Too many of them.
    #[error("the submission has {count} source files; at most {most} are taken")]
    TooManyFiles {
        /// As sent.
        count: usize,
        /// As many as are taken.
        most: usize,
    },
    /// A name that is no plain file name.
    #[error("source file name '{name}' cannot be used: {problem}; rename the file")]
    FileName {
        /// The name, control characters escaped.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Two files of one name.
    #[error("two source files are named '{0}'; rename one")]
    DuplicateName(String),
    /// Broken base64.
    #[error("source file '{name}' is not valid base64: {detail}")]
    Base64 {
        /// The file.
        name: String,
        /// Where it breaks.
        detail: String,
    },
    /// A text that no compiler reads.
    #[error("{name}: {error}")]
    Encoding {
        /// The file.
        name: String,
        /// What is wrong with it.
        error: EncodingError,
    },
    /// A file that is given by its url.
    #[error("source file '{0}' is given by its url, which only a worker fetches; send its text or base64")]
    NotFetched(String),
    /// More source than the problem takes.
    #[error("the source is {size} bytes; problem '{problem}' takes at most {limit}")]
    TooLarge {
        /// The problem.
        problem: String,
        /// All files together.
        size: u64,
        /// The problem's limit.
        limit: Bytes,
    },
    /// The entry point is not clear.
    #[error("{0}: name it in 'entry_point'")]
    EntryPoint(String),
    /// A glob that cannot be read.
    #[error("'{pattern}' is not a pattern of test names: {detail}")]
    Pattern {
        /// As given.
        pattern: String,
        /// What is wrong.
        detail: String,
    },
    /// Nothing to run.
    #[error("no test of problem '{problem}' matches {patterns}: its first test is '{first}'")]
    NoTests {
        /// The problem.
        problem: String,
        /// As given.
        patterns: String,
        /// A name that would match.
        first: String,
    },
    /// A package without tests.
    #[error("problem '{0}' has no tests")]
    EmptyPackage(String),
    /// A limit nothing can run under.
    #[error("the {what} limit is zero; give at least {least}")]
    ZeroLimit {
        /// Which one.
        what: &'static str,
        /// The smallest that makes sense.
        least: &'static str,
    },
}

impl RequestError {
    /// Returns the reason of the CE, where the error is the contestant's: a compiler would refuse such sources as well.
    pub(crate) fn compile_reason(&self) -> Option<Reason> {
        match self {
            Self::TooLarge { .. } => Some(Reason::Output),
            Self::Encoding { .. } => Some(Reason::Error),
            _ => None,
        }
    }

    /// Returns the reason of the JE.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::UnknownLanguage(_) | Self::ForbiddenLanguage { .. } => Reason::Language,
            Self::EmptyPackage(_) => Reason::Package,
            Self::Schema(_)
            | Self::NoFiles
            | Self::TooManyFiles { .. }
            | Self::FileName { .. }
            | Self::DuplicateName(_)
            | Self::Base64 { .. }
            | Self::Encoding { .. }
            | Self::NotFetched(_)
            | Self::TooLarge { .. }
            | Self::EntryPoint(_)
            | Self::Pattern { .. }
            | Self::NoTests { .. }
            | Self::ZeroLimit { .. } => Reason::Submission,
        }
    }
}

/// One source file, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// One path component.
    pub(crate) name: String,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
}

/// A submission, checked against the table and the package.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// `None` where the submission is not a program.
    pub(crate) language: Option<&'a Language>,
    /// The entry point first.
    pub(crate) sources: Vec<Source>,
    /// Outputs submitted beside a program.
    pub(crate) outputs: Vec<Source>,
    /// The requested tests, in the package's order.
    pub(crate) tests: Vec<&'a Test>,
}

impl<'a> Request<'a> {
    /// Checks and decodes a submission.
    pub(crate) fn new(
        submission: &Submission,
        package: &'a Package,
        table: &'a Table,
    ) -> Result<Self, RequestError> {
        if submission.schema != SCHEMA {
            return Err(RequestError::Schema(submission.schema));
        }
        // Outputs alone are a submission, too, where they may come beside a program.
        let is_program = |name: &str| !package.is_output_file(name);
        let only_outputs = package.takes_output_files()
            && (submission.language == ANSWERS
                || !submission.files.iter().any(|file| is_program(&file.name)));
        let language = match package.submission_kind {
            SubmissionKind::Program if only_outputs => None,
            SubmissionKind::Program => Some(find_language(&submission.language, package, table)?),
            SubmissionKind::Answers => None,
        };
        check_limits(submission)?;
        let decoded = decode_sources(submission, package)?;
        let (mut sources, outputs) = match package.takes_output_files() && !only_outputs {
            true => decoded.into_iter().partition(|source| is_program(&source.name)),
            false => (decoded, Vec::new()),
        };
        if let Some(language) = language.filter(|_| !only_outputs) {
            let names = names_of(&sources);
            convert(&mut sources, &names, language)?;
            put_entry_first(&mut sources, submission.entry_point.as_deref(), language, package)?;
        }
        let tests = choose_tests(&submission.tests, package)?;
        Ok(Self { language, sources, outputs, tests })
    }
}

fn find_language<'a>(id: &str, package: &Package, table: &'a Table) -> Result<&'a Language, RequestError> {
    let language = table.named(id).ok_or_else(|| RequestError::UnknownLanguage(table.unknown(id)))?;
    match &package.languages {
        Some(allowed) if !allowed.iter().any(|allowed| allows(allowed, &language.id)) => {
            Err(RequestError::ForbiddenLanguage {
                problem: package.name.clone(),
                id: language.id.clone(),
                allowed: allowed.join(", "),
            })
        }
        _ => Ok(language),
    }
}

/// Returns whether an id is the allowed one, or of the family that a code without a version names: `cpp` allows `cpp23`, and
/// Kattis' `python3` any Python 3.
fn allows(allowed: &str, id: &str) -> bool {
    let family = id.split(|character: char| character.is_ascii_digit()).next().unwrap_or(id);
    allowed == id || allowed == family || (allowed == "python3" && id == "pypy3")
}

fn check_limits(submission: &Submission) -> Result<(), RequestError> {
    let limits = &submission.limits;
    let zero = |what, least| Err(RequestError::ZeroLimit { what, least });
    if limits.cpu.is_some_and(|time| time.0.is_zero()) {
        return zero("CPU time", "1ms");
    }
    if limits.wall.is_some_and(|time| time.0.is_zero()) {
        return zero("wall time", "1ms");
    }
    if limits.memory.is_some_and(|memory| memory.0 == 0) {
        return zero("memory", "1MiB");
    }
    if limits.output.is_some_and(|output| output.0 == 0) {
        return zero("output", "1B");
    }
    if limits.processes == Some(0) {
        return zero("process", "1");
    }
    Ok(())
}

fn decode_sources(submission: &Submission, package: &Package) -> Result<Vec<Source>, RequestError> {
    if submission.files.is_empty() {
        return Err(RequestError::NoFiles);
    }
    if submission.files.len() > most_files(package) {
        let (count, most) = (submission.files.len(), most_files(package));
        return Err(RequestError::TooManyFiles { count, most });
    }
    let mut sources: Vec<Source> = Vec::with_capacity(submission.files.len());
    let mut names = HashSet::with_capacity(submission.files.len());
    let mut size = 0u64;
    for file in &submission.files {
        check_name(&file.name)?;
        if !names.insert(file.name.as_str()) {
            return Err(RequestError::DuplicateName(file.name.clone()));
        }
        let bytes = match &file.content {
            Content::Text(text) => text.clone().into_bytes(),
            Content::Base64(text) => STANDARD.decode(text).map_err(|error| RequestError::Base64 {
                name: file.name.clone(),
                detail: error.to_string(),
            })?,
            Content::Remote(_) => return Err(RequestError::NotFetched(file.name.clone())),
        };
        // Outputs have a limit of their own.
        if !package.is_output_file(&file.name) {
            size += bytes.len() as u64;
        }
        sources.push(Source { name: file.name.clone(), bytes });
    }
    // Answers have the limit of outputs, each of its own.
    if package.submission_kind == SubmissionKind::Program && size > package.limits.code.0 {
        return Err(RequestError::TooLarge {
            problem: package.name.clone(),
            size,
            limit: package.limits.code,
        });
    }
    Ok(sources)
}

pub(crate) fn names_of(sources: &[Source]) -> Vec<String> {
    sources.iter().map(|source| source.name.clone()).collect()
}

/// Converts sources and headers of a program to UTF-8 without a byte order mark; data keeps its bytes. `names` are the
/// names of all files of the program.
///
/// # Errors
/// [`RequestError::Encoding`].
pub(crate) fn convert(
    sources: &mut [Source],
    names: &[String],
    language: &Language,
) -> Result<(), RequestError> {
    for source in sources {
        let converted = language.source_as_utf8(names, &source.name, &source.bytes);
        match converted.map_err(|error| RequestError::Encoding { name: visible(&source.name), error })? {
            Cow::Borrowed(text) if text.len() == source.bytes.len() => {}
            text => source.bytes = text.into_owned(),
        }
    }
    Ok(())
}

/// Moves the file that the program starts with to the front.
fn put_entry_first(
    sources: &mut [Source],
    named: Option<&str>,
    language: &Language,
    package: &Package,
) -> Result<(), RequestError> {
    let place = match named {
        Some(name) => {
            let stem = |source: &Source| Path::new(&source.name).file_stem() == Some(OsStr::new(name));
            let by_stem: Vec<usize> = (0..sources.len()).filter(|place| stem(&sources[*place])).collect();
            let whole = sources.iter().position(|source| source.name == name);
            whole.or(if let [only] = by_stem.as_slice() { Some(*only) } else { None }).ok_or_else(|| {
                RequestError::EntryPoint(format!(
                    "'{}' is not the name of one of the source files",
                    visible(name)
                ))
            })?
        }
        // A package that adds files to submissions starts with one of its own, or says how the contestant's is called.
        None if sources.len() < 2 || package.includes.iter().any(|include| !include.files.is_empty()) => {
            return Ok(());
        }
        None => {
            let parts: Vec<Part<'_>> =
                sources.iter().map(|source| (source.name.as_str(), source.bytes.as_slice())).collect();
            let found = language.entry_point(&parts, Order::FirstStarts);
            found.map_err(|unclear| RequestError::EntryPoint(unclear.to_string()))?
        }
    };
    if let Some(front) = sources.get_mut(..=place) {
        front.rotate_right(1);
    }
    Ok(())
}

/// Returns the largest number of files; outputs alone may be as many as there are tests.
fn most_files(package: &Package) -> usize {
    match package.submission_kind {
        SubmissionKind::Program if package.takes_output_files() => MAX_FILES + package.tests.len(),
        SubmissionKind::Program => MAX_FILES,
        SubmissionKind::Answers => MAX_FILES.max(package.tests.len()),
    }
}

/// Checks that a name is one path component that a terminal and a log can show. A leading dash or a space is harmless:
/// compilers get absolute paths, and no shell is involved.
fn check_name(name: &str) -> Result<(), RequestError> {
    let problem = if name.is_empty() {
        "it is empty"
    } else if name == "." || name == ".." || name.contains('/') {
        "it must be one path component"
    } else if name.chars().any(char::is_control) {
        "it has control characters"
    } else if name.len() > 200 {
        "it is longer than 200 bytes"
    } else {
        return Ok(());
    };
    Err(RequestError::FileName { name: visible(name), problem })
}

/// Truncates a text and escapes its control characters, for a one-line message.
fn visible(text: &str) -> String {
    text.chars()
        .take(80)
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}

fn choose_tests<'a>(patterns: &[String], package: &'a Package) -> Result<Vec<&'a Test>, RequestError> {
    let Some(first) = package.tests.first() else {
        return Err(RequestError::EmptyPackage(package.name.clone()));
    };
    if patterns.is_empty() {
        return Ok(package.tests.iter().collect());
    }
    let globs = compile_globs(patterns)?;
    let tests: Vec<_> = package.tests.iter().filter(|test| globs.is_match(&test.name)).collect();
    if tests.is_empty() {
        return Err(RequestError::NoTests {
            problem: package.name.clone(),
            patterns: patterns.join(", "),
            first: first.name.clone(),
        });
    }
    Ok(tests)
}

fn compile_globs(patterns: &[String]) -> Result<GlobSet, RequestError> {
    let fail = |pattern: &str, error: globset::Error| RequestError::Pattern {
        pattern: visible(pattern),
        detail: error.kind().to_string(),
    };
    let mut builder = GlobSetBuilder::new();
    for pattern in patterns {
        builder.add(Glob::new(pattern).map_err(|error| fail(pattern, error))?);
    }
    builder.build().map_err(|error| fail(&patterns.join(", "), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_not_one_component_are_refused() {
        for name in ["", ".", "..", "../x", "a/b", "a\nb", "\u{1b}[31m", &"x".repeat(300)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        for name in ["main.cpp", "-o", "a b.c", "a;b", "it's.py", "名前.rs"] {
            assert!(check_name(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn refused_names_are_shown_on_one_line() {
        let message = check_name("a\nb").unwrap_err().to_string();
        assert!(message.contains(r"a\nb") && !message.contains('\n'), "{message}");
    }
}
