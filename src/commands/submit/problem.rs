//! What submissions are for, as the message spells it.

use std::path::{Component, Path};

use serde_json::Value;

use super::super::batch::Problem;
use super::super::start::shown;
use super::super::{CommandError, output};
use crate::cache::Digest;
use crate::checker::{Comparator, TokenOptions};
use crate::package::{self, Check, Interaction, Package, Streams, SubmissionKind, Test, TimeLimit};
use crate::queue::{archived_problem, inline_problem, named_problem};
use crate::submission::LimitOverrides;
use crate::units::{Bytes, Time};

/// The most that tests may have in a message: brokers of version 4 take 16 MiB, and JSON needs some of it.
const LARGEST_INLINE: Bytes = Bytes::mib(4);

/// A name, an address, or with `inline` a folder.
///
/// # Errors
/// When it is none of them, in words that say what to do.
pub(super) fn read(text: &str, sha256: Option<&str>, inline: bool) -> Result<Problem, CommandError> {
    if inline {
        return read_folder(Path::new(text));
    }
    if ["http://", "https://", "s3://"].iter().any(|scheme| text.starts_with(scheme)) {
        let Some(sha256) = sha256 else {
            return Err(CommandError::Usage(format!(
                "problem '{}' is an address: give the archive's --sha256, too",
                output::one_line(text)
            )));
        };
        let digest = sha256.trim_start_matches("sha256:").to_ascii_lowercase();
        let digest: Digest =
            digest.parse().map_err(|error| CommandError::Usage(format!("--sha256: {error}")))?;
        let name = text.rsplit('/').find(|part| !part.is_empty()).unwrap_or(text);
        let value = archived_problem(text, &digest.to_string());
        return Ok(sent(name, value));
    }
    if sha256.is_some() {
        return Err(CommandError::Usage(format!(
            "--sha256 is for archives at an http(s) address, and problem '{}' is a name",
            output::one_line(text)
        )));
    }
    let path = Path::new(text);
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if text.is_empty() || !is_plain || text.ends_with('/') {
        return Err(CommandError::Usage(format!(
            "problem '{}' is a path, and workers know problems by names below their package roots: give such a \
             name, or --inline to send a folder's tests inside the message",
            output::one_line(text)
        )));
    }
    if path.is_dir() {
        output::remark(&format!(
            "problem '{}' is sent as a name for the workers to find; the folder of that name here is not (with \
             --inline its tests are)",
            output::one_line(text)
        ));
    }
    Ok(sent(text, named_problem(text)))
}

/// A problem that only the workers know.
fn sent(name: &str, value: Value) -> Problem {
    Problem { name: name.to_owned(), value, limits: LimitOverrides::default(), takes_answers: false }
}

fn read_folder(path: &Path) -> Result<Problem, CommandError> {
    let package = package::load(path).map_err(CommandError::usage)?;
    let refuse = |problem: String| {
        CommandError::Usage(format!(
            "--inline '{}': {problem}; put the package below the workers' package roots and give its name",
            shown(path)
        ))
    };
    if let Some(what) = beyond_tests(&package) {
        return Err(refuse(format!("it asks for {what}, which tests in a message do not carry")));
    }
    // What workers compare inline tests with.
    let plain =
        Check::BuiltIn(Comparator::Tokens(TokenOptions { case_sensitive: true, ..TokenOptions::default() }));
    if let Some(test) = package.tests.iter().find(|test| test.check != plain) {
        return Err(refuse(format!("test {} is not compared token by token", output::one_line(&test.name))));
    }
    let (mut tests, mut size) = (Vec::new(), 0);
    for test in &package.tests {
        let mut texts = Vec::with_capacity(2);
        for file in [&test.input, &test.answer] {
            // Looked at before reading: a mistaken folder must not fill memory.
            size += std::fs::metadata(file).map_err(|error| refuse(error.to_string()))?.len();
            if size > LARGEST_INLINE.0 {
                return Err(refuse(format!("its tests are larger than {LARGEST_INLINE}")));
            }
            let text =
                std::fs::read_to_string(file).map_err(|error| refuse(format!("{}: {error}", shown(file))))?;
            texts.push(text);
        }
        let answer = texts.pop().unwrap_or_default();
        tests.push((texts.pop().unwrap_or_default(), answer));
    }
    let limits = LimitOverrides {
        cpu: match package.limits.time {
            TimeLimit::Fixed(time) => Some(Time(time)),
            TimeLimit::FromSubmissions { .. } => None,
        },
        wall: package.limits.wall.map(Time),
        memory: Some(package.limits.memory),
        output: Some(package.limits.output),
        processes: package.limits.processes,
    };
    Ok(Problem { name: package.name.clone(), value: inline_problem(&tests), limits, takes_answers: false })
}

/// What a problem has besides tests, limits and comparisons.
fn beyond_tests(package: &Package) -> Option<&'static str> {
    let has_extras = |test: &Test| !test.arguments.is_empty() || !test.files.is_empty();
    [
        (package.submission_kind != SubmissionKind::Program, "answers in place of programs"),
        (package.takes_output_files(), "outputs handed in beside a program"),
        (!package.includes.is_empty(), "files compiled with submissions"),
        (package.streams != Streams::default(), "input or output files"),
        (package.interaction != Interaction::None, "interaction"),
        (package.passes.is_some(), "several passes"),
        (package.scoring.is_some() || package.grader.is_some(), "scores"),
        (package.tests.iter().any(has_extras), "arguments or files for the program"),
    ]
    .into_iter()
    .find_map(|(asks, what)| asks.then_some(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_told_from_paths() {
        assert_eq!(read("contest/sum", None, false).unwrap().name, "contest/sum");
        let digest = "0".repeat(64);
        let archive = read("https://host/a/sum.zip", Some(&digest), false).unwrap();
        assert_eq!((archive.name.as_str(), &archive.value["sha256"]), ("sum.zip", &Value::from(digest)));
        for (text, sha256, said) in [
            ("./sum", None, "--inline"),
            ("/srv/sum", None, "--inline"),
            ("../sum", None, "--inline"),
            ("sum/", None, "--inline"),
            ("", None, "--inline"),
            ("https://host/sum.zip", None, "--sha256"),
            ("https://host/sum.zip", Some("12"), "64 lower-case"),
            ("sum", Some("12"), "is a name"),
        ] {
            let error = read(text, sha256, false).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn a_folder_is_sent_with_its_tests_and_limits() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("1.in"), "1 2\n").unwrap();
        std::fs::write(folder.path().join("1.ans"), "3\n").unwrap();
        let problem = read(folder.path().to_str().unwrap(), None, true).unwrap();
        assert_eq!(problem.value["inline"][0]["answer"], "3\n");
        assert!(problem.limits.cpu.is_some() && problem.limits.memory.is_some());
        let big = std::fs::File::create(folder.path().join("1.in")).unwrap();
        big.set_len(LARGEST_INLINE.0 + 1).unwrap();
        let error = read(folder.path().to_str().unwrap(), None, true).unwrap_err().to_string();
        assert!(error.contains("larger than 4MiB"), "{error}");
    }
}
