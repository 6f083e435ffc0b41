//! Writes the jury's submissions and `submissions.yaml`.
//!
//! The format knows four verdicts and demands them of tests, not of the whole. A demand on the final verdict becomes: at
//! least one test gets it, and, where only acceptance is allowed, no test gets another.

use super::data::Layout;
use super::writer::{ConvertError, Writer, allowed, is_allowed_path, quoted};
use crate::package::model::{Expectation, JurySubmission, ScoreRange};
use crate::verdict::Verdict;

pub(super) fn write(writer: &mut Writer<'_>, layout: &Layout) -> Result<(), ConvertError> {
    let package = writer.package;
    let mut yaml = String::new();
    let mut taken: Vec<String> = Vec::new();
    for submission in &package.submissions {
        if submission.expectation.verdicts.contains(&Verdict::CE)
            || submission.expectation.permitted.contains(&Verdict::CE)
        {
            writer.note(format!(
                "submissions/{}: left out: the format has no submissions that do not compile",
                submission.name
            ));
            continue;
        }
        if let Some(lost) = inexpressible(&submission.expectation) {
            writer.note(format!(
                "submissions/{}: left out: the format has no words for {lost}",
                submission.name
            ));
            continue;
        }
        note_lost(writer, submission);
        let folder = folder(submission);
        let mut name = format!("{folder}/{}", allowed(own_name(submission)));
        if taken.contains(&name) {
            name = format!("{folder}/{:02}-{}", taken.len(), allowed(own_name(submission)));
        }
        copy(writer, submission, &name)?;
        yaml.push_str(&rule(writer, layout, submission, &name));
        taken.push(name);
    }
    if taken.is_empty() {
        return Ok(());
    }
    // The folders demand nothing by themselves: each submission says what it must get.
    let mut text = String::new();
    for folder in ["accepted", "wrong_answer", "time_limit_exceeded", "run_time_error", "rejected"] {
        if taken.iter().any(|name| name.starts_with(&format!("{folder}/"))) && folder != "accepted" {
            text.push_str(&format!(
                "{folder}:\n  permitted: [AC, WA, TLE, RTE]\n  required: [AC, WA, TLE, RTE]\n  use_for_time_limit: false\n"
            ));
        }
    }
    text.push_str(&yaml);
    writer.text("submissions/submissions.yaml", &text)
}

/// What of a demand leaves nothing that the format could say; a submission without it would demand something else.
fn inexpressible(expectation: &Expectation) -> Option<&'static str> {
    let is_lost = |verdicts: &[Verdict]| !verdicts.is_empty() && families(verdicts).is_empty();
    let parts = || expectation.parts.iter().flat_map(|part| [&part.permitted, &part.required]);
    let lists = [&expectation.verdicts, &expectation.permitted, &expectation.required];
    lists.into_iter().chain(parts()).any(|list| is_lost(list)).then_some("a judging error that must happen")
}

/// Mentions demands that are only taken over in part.
fn note_lost(writer: &mut Writer<'_>, submission: &JurySubmission) {
    let expectation = &submission.expectation;
    let ranges = [expectation.score].into_iter().chain(expectation.parts.iter().map(|part| part.score));
    let is_open = |range: ScoreRange| !(range.min.is_finite() && range.max.is_finite());
    if ranges.flatten().any(is_open) {
        writer.note(format!(
            "submissions/{}: the score it must get has one bound alone, which the format has no words for: it is left out",
            submission.name
        ));
    }
    let lists = [&expectation.verdicts, &expectation.permitted, &expectation.required];
    let parts = expectation.parts.iter().flat_map(|part| [&part.permitted, &part.required]);
    if lists.into_iter().chain(parts).any(|list| list.contains(&Verdict::JE)) {
        writer.note(format!(
            "submissions/{}: it may end in a judging error, which the format has no words for",
            submission.name
        ));
    }
}

/// Where Kattis' legacy format has submissions that are accepted as a whole though they fail tests.
const PARTIAL: &str = "partially_accepted";

fn is_partial(submission: &JurySubmission) -> bool {
    submission.name.split('/').next() == Some(PARTIAL)
}

fn own_name(submission: &JurySubmission) -> &str {
    submission.name.rsplit('/').next().unwrap_or(&submission.name)
}

/// The folder whose name says best what a submission gets.
fn folder(submission: &JurySubmission) -> &'static str {
    let expectation = &submission.expectation;
    if is_partial(submission) {
        return PARTIAL;
    }
    let verdicts =
        if expectation.verdicts.is_empty() { &expectation.required } else { &expectation.verdicts };
    let families = families(verdicts);
    match families.as_slice() {
        ["AC"] => "accepted",
        [] if families_of_permitted(expectation) == ["AC"] => "accepted",
        ["WA"] => "wrong_answer",
        ["TLE"] => "time_limit_exceeded",
        ["RTE"] => "run_time_error",
        _ if !families.is_empty() && !families.contains(&"AC") => "rejected",
        _ => "mixed",
    }
}

fn families_of_permitted(expectation: &Expectation) -> Vec<&'static str> {
    families(&expectation.permitted)
}

/// The format's four verdicts that stand for these.
fn families(verdicts: &[Verdict]) -> Vec<&'static str> {
    let mut families = Vec::new();
    for verdict in verdicts {
        let family = match verdict {
            Verdict::AC => "AC",
            Verdict::WA => "WA",
            Verdict::TLE | Verdict::WTL => "TLE",
            Verdict::MLE | Verdict::OLE | Verdict::RTE | Verdict::SV => "RTE",
            _ => continue,
        };
        if !families.contains(&family) {
            families.push(family);
        }
    }
    families
}

fn copy(writer: &Writer<'_>, submission: &JurySubmission, name: &str) -> Result<(), ConvertError> {
    match submission.files.as_slice() {
        [file] if own_name(submission).contains('.') => writer.copy(file, &format!("submissions/{name}")),
        files => {
            for file in files {
                let own = file.file_name().unwrap_or_default().to_string_lossy();
                if !is_allowed_path(&own) {
                    let what = format!("the file name '{own}' of submission '{}'", submission.name);
                    return Err(writer.refuse(what, "use letters, digits, '_', '.' and '-'"));
                }
                writer.copy(file, &format!("submissions/{name}/{own}"))?;
            }
            Ok(())
        }
    }
}

fn rule(writer: &Writer<'_>, layout: &Layout, submission: &JurySubmission, name: &str) -> String {
    let expectation = &submission.expectation;
    let mut text = format!("{}:\n", quoted(name));
    if let Some(language) = &submission.language {
        text.push_str(&format!("  language: {}\n", quoted(language)));
    }
    if !submission.sets_time_limit {
        text.push_str("  use_for_time_limit: false\n");
    }
    let (permitted, required) = if is_partial(submission) && families(&expectation.verdicts) == ["AC"] {
        // Accepted in part: some test is, others need not be.
        (Vec::new(), vec!["AC"])
    } else {
        demands(&expectation.verdicts, &expectation.permitted, &expectation.required)
    };
    text.push_str(&demand("  ", "permitted", &permitted));
    text.push_str(&demand("  ", "required", &required));
    text.push_str(&score("  ", expectation.score));
    if let Some(message) = &expectation.message {
        text.push_str(&format!("  message: {}\n", quoted(message)));
    }
    for part in &expectation.parts {
        let plain = part.pattern.replace(['[', ']'], "");
        let pattern = layout.renamed(&writer.package.tests, &plain).unwrap_or_else(|| part.pattern.clone());
        text.push_str(&format!("  {}:\n", quoted(&pattern)));
        text.push_str(&demand("    ", "permitted", &families(&part.permitted)));
        text.push_str(&demand("    ", "required", &families(&part.required)));
        text.push_str(&score("    ", part.score));
        if let Some(message) = &part.message {
            text.push_str(&format!("    message: {}\n", quoted(message)));
        }
    }
    text
}

/// Verdicts that tests may get and what one must, of all demands together.
fn demands(
    final_verdicts: &[Verdict],
    permitted: &[Verdict],
    required: &[Verdict],
) -> (Vec<&'static str>, Vec<&'static str>) {
    if final_verdicts.is_empty() {
        return (families(permitted), families(required));
    }
    let families = families(final_verdicts);
    if families == ["AC"] {
        return (families, Vec::new());
    }
    if families.contains(&"AC") {
        // Accepted as a whole means that every test is: nothing but these may happen.
        return (families, Vec::new());
    }
    (Vec::new(), families)
}

fn demand(indent: &str, key: &str, verdicts: &[&str]) -> String {
    if verdicts.is_empty() { String::new() } else { format!("{indent}{key}: [{}]\n", verdicts.join(", ")) }
}

fn score(indent: &str, range: Option<ScoreRange>) -> String {
    match range {
        Some(ScoreRange { min, max }) if min.is_finite() && max.is_finite() => {
            format!("{indent}score: [{min}, {max}]\n")
        }
        _ => String::new(),
    }
}
