//! Writes `problem.yaml`.

use super::writer::{ConvertError, Writer, list, quoted};
use crate::package::model::{Interaction, ProgramLimits, SubmissionKind, TimeLimit};
use crate::units::Bytes;

pub(super) fn write(writer: &mut Writer<'_>) -> Result<(), ConvertError> {
    let package = writer.package;
    if package.streams.input_file.is_some() || package.streams.output_file.is_some() {
        return Err(
            writer.refuse("an input or output file in place of a stream", "use standard input and output")
        );
    }
    if package.tests.iter().any(|test| !test.links.is_empty()) {
        return Err(writer.refuse("links in the work directory", "open the files by their own names"));
    }
    let mut kinds = Vec::new();
    if package.scoring.is_some() {
        kinds.push("scoring");
    }
    if package.passes.is_some() {
        kinds.push("multi-pass");
    }
    let validation = match &package.interaction {
        Interaction::None => package.checkers.first().map(|checker| checker.limits),
        Interaction::Interactive(interactor) => {
            kinds.push("interactive");
            Some(interactor.limits)
        }
        Interaction::TwoSteps => {
            return Err(writer.refuse("two processes of one program", "judge it in its own format"));
        }
        Interaction::Communication(_) => {
            return Err(writer.refuse("a manager of several processes", "judge it in its own format"));
        }
    };
    if package.takes_output_files() {
        return Err(writer.refuse("outputs handed in beside a program", "judge it in its own format"));
    }
    if package.submission_kind == SubmissionKind::Answers {
        kinds.push("submit-answer");
    }
    if kinds.is_empty() {
        kinds.push("pass-fail");
    }
    let limits = &package.limits;
    let mut text = format!(
        "problem_format_version: 2025-09\ntype: [{}]\nname: {{en: {}}}\nuuid: {}\nlicense: unknown\n",
        kinds.join(", "),
        quoted(&package.title),
        uuid(package.digest()?),
    );
    if let Some(languages) = &package.languages {
        text.push_str(&format!("languages: {}\n", list(languages)));
    }
    text.push_str("limits:\n");
    match limits.time {
        TimeLimit::Fixed(time) => text.push_str(&format!("  time_limit: {}\n", time.as_secs_f64())),
        TimeLimit::FromSubmissions { multiplier, resolution } => text.push_str(&format!(
            "  time_multipliers: {{ac_to_time_limit: {}}}\n  time_resolution: {}\n",
            multiplier.max(1.0),
            resolution.as_secs_f64()
        )),
    }
    text.push_str(&format!(
        "  memory: {}\n  output: {}\n  code: {}\n",
        rounded(limits.memory, 1 << 20),
        rounded(limits.output, 1 << 20),
        rounded(limits.code, 1 << 10)
    ));
    if let Some(time) = limits.compilation_time {
        text.push_str(&format!("  compilation_time: {}\n", time.as_secs_f64().ceil()));
    }
    if let Some(memory) = limits.compilation_memory {
        text.push_str(&format!("  compilation_memory: {}\n", rounded(memory, 1 << 20)));
    }
    if let Some(ProgramLimits { time, memory, output }) = validation {
        text.push_str(&format!(
            "  validation_time: {}\n  validation_memory: {}\n  validation_output: {}\n",
            time.as_secs_f64().ceil(),
            rounded(memory, 1 << 20),
            rounded(output, 1 << 20)
        ));
    }
    if let Some(passes) = package.passes {
        text.push_str(&format!("  validation_passes: {}\n", passes.limit));
    }
    for (is_there, what) in [
        (limits.wall.is_some(), "the wall time limit"),
        (limits.processes.is_some(), "the limit of processes"),
        (package.unbuffered, "unbuffered output"),
        (package.no_big_math, "the ban on java.math"),
        (
            !limits.memory.0.is_multiple_of(1 << 20),
            "the part of a MiB in the memory limit, which is rounded up,",
        ),
    ] {
        if is_there {
            writer.note(format!("{what} has no key in the format"));
        }
    }
    writer.text("problem.yaml", &text)
}

fn rounded(bytes: Bytes, unit: u64) -> u64 {
    bytes.0.div_ceil(unit)
}

/// A UUID (version 8, of free content) from the digest of what judging reads: the same package gets the same one.
fn uuid(digest: &str) -> String {
    let mut digits: Vec<char> = digest
        .rsplit(':')
        .next()
        .unwrap_or_default()
        .chars()
        .chain("0".repeat(32).chars())
        .take(32)
        .collect();
    for (place, digit) in [(12, '8'), (16, '8')] {
        if let Some(own) = digits.get_mut(place) {
            *own = digit;
        }
    }
    let mut text = String::new();
    for (place, digit) in digits.into_iter().enumerate() {
        if matches!(place, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}
