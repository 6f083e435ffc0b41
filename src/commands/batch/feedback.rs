//! A text file for each student, with what the student may see of the verdict.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::super::start::shown;
use super::super::{CommandError, output};
use super::entry::Entry;
use super::results;
use crate::cache::KeyBuilder;
use crate::report::Report;
use crate::submission::Feedback;
use crate::verdict::Verdict;

/// Name of the file in a learning platform's folder.
const FILE: &str = "feedback.txt";
/// Bytes of a student's name that go into a file's name.
const LONGEST_NAME: usize = 200;
/// Digits that tell longer names apart.
const SHORT_DIGEST: usize = 16;

/// Writes the feedback of every entry that has a verdict or a reason for none: into the folder that its learning platform
/// takes it from, else into a file named after the student.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn write_all(directory: &Path, entries: &[Entry], level: Feedback) -> Result<(), CommandError> {
    let mut written = std::collections::HashSet::new();
    for entry in entries {
        let Some(text) = text(entry, level) else { continue };
        let mut path = place(directory, entry);
        // Several submissions of one student.
        for number in 2.. {
            if written.insert(path.clone()) {
                break;
            }
            path = numbered(&place(directory, entry), number);
        }
        let folder = path.parent().unwrap_or(directory);
        fs::create_dir_all(folder)
            .map_err(|error| CommandError::Judging(format!("cannot make '{}': {error}", shown(folder))))?;
        results::save(&path, &text)?;
    }
    Ok(())
}

fn place(directory: &Path, entry: &Entry) -> PathBuf {
    match &entry.draft.feedback_folder {
        Some(folder) => directory.join(folder_name(folder)).join(FILE),
        None => directory.join(format!("{}.txt", file_name(&entry.draft.student))),
    }
}

/// Path of a student's further file. File names made of names have an even number of `~`, so nobody's first file has it.
fn numbered(path: &Path, number: usize) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}~{number}.txt"))
}

/// One path component for a learning platform's folder, which knows it by its name.
fn folder_name(text: &str) -> String {
    let name: String = text.chars().map(|c| if c == '/' || c.is_control() { '_' } else { c }).collect();
    if name.starts_with('.') || name.is_empty() { format!("_{name}") } else { name }
}

/// One path component, whatever a roster says; different students have different ones. Characters that cannot be in it
/// are written as their number between `~`.
fn file_name(text: &str) -> String {
    let mut name = String::new();
    for (place, c) in text.char_indices() {
        if matches!(c, '/' | '~') || c.is_control() || (c == '.' && place == 0) {
            // Writing to a String cannot fail.
            let _ = write!(name, "~{:x}~", u32::from(c));
        } else {
            name.push(c);
        }
    }
    if name.is_empty() {
        return "~~".to_owned();
    }
    if name.len() <= LONGEST_NAME {
        return name;
    }
    let digest =
        KeyBuilder::default().field("kind", "feedback file").field("student", text).finish().to_string();
    let end = name.floor_char_boundary(LONGEST_NAME - SHORT_DIGEST - 1);
    name.truncate(end);
    if name.matches('~').count() % 2 == 1 {
        name.truncate(name.rfind('~').unwrap_or_default());
    }
    format!("{name}-{}", &digest[..SHORT_DIGEST])
}

fn text(entry: &Entry, level: Feedback) -> Option<String> {
    let mut text = String::new();
    let who = entry.draft.name.as_deref().unwrap_or(&entry.draft.student);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}: {}", output::one_line(&entry.problem), output::one_line(who));
    if let Some(late) = entry.late.filter(|late| *late).and(entry.draft.submitted) {
        let _ = writeln!(text, "Handed in late: {}", results::seconds(late));
    }
    match (entry.report(), entry.unusable()) {
        (Some(report), _) if matches!(report.verdict, Verdict::JE | Verdict::CX) => return None,
        (Some(report), _) => judged(&mut text, report, level),
        (None, Some(problem)) => {
            let _ = writeln!(text, "\nNot judged: {}", output::one_line(problem));
        }
        (None, None) => return None,
    }
    Some(text)
}

fn judged(text: &mut String, report: &Report, level: Feedback) {
    let _ = writeln!(text, "\nVerdict: {} ({})", report.verdict, meaning(report.verdict));
    if let Some(score) = report.score {
        let _ = writeln!(text, "Score: {}", output::score(Some(score)));
    }
    if !report.compile.log.trim().is_empty() {
        let _ = writeln!(text, "\nCompiler:\n{}", report.compile.log.trim_end());
    }
    if report.tests.is_empty() {
        return;
    }
    if level > Feedback::None {
        let accepted = report.tests.iter().filter(|test| test.verdict == Verdict::AC).count();
        let _ = writeln!(text, "Tests accepted: {accepted} of {}", report.tests.len());
    }
    text.push('\n');
    for test in report.tests.iter().filter(|test| level > Feedback::None || test.sample) {
        let _ = write!(text, "{:<32} {:<4}", output::one_line(&test.name), test.verdict.id());
        if !matches!(test.verdict, Verdict::SK | Verdict::CX) {
            let _ = write!(text, " {:>10}", output::milliseconds(test.cpu_ms));
        }
        // Messages may quote what is secret.
        if (test.sample || level == Feedback::Full) && !test.message.is_empty() {
            let _ = write!(text, "  {}", output::one_line(&test.message));
        }
        text.push('\n');
    }
}

fn meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::AC => "accepted",
        Verdict::WA => "wrong answer",
        Verdict::TLE => "too much CPU time",
        Verdict::WTL => "asleep or waiting for too long",
        Verdict::MLE => "too much memory",
        Verdict::OLE => "too much output",
        Verdict::RTE => "ended with an error",
        Verdict::SV => "forbidden operation",
        Verdict::CE => "does not compile",
        Verdict::JE => "judging error",
        Verdict::SK => "not run",
        Verdict::CX => "cancelled",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_students_name_is_one_file_of_the_folder() {
        assert_eq!(file_name("Anna Müller"), "Anna Müller");
        assert_eq!(file_name("../../etc/passwd"), "~2e~.~2f~..~2f~etc~2f~passwd");
        assert_eq!(file_name("a\nb"), "a~a~b");
        assert_eq!(file_name(""), "~~");
        assert_eq!(folder_name("Anna~B_7_/../x"), "Anna~B_7__.._x");
        assert!(file_name(&"ü".repeat(300)).len() <= LONGEST_NAME);
    }

    #[test]
    fn no_two_students_have_the_same_file() {
        let long = |end: &str| format!("{}{end}", "~ü".repeat(150));
        let students = ["anna", "anna-2", "anna~2", "anna~2~", "a/b", "a_b", "a~2f~b", ".x", "_.x", "", "_"];
        let students = students.map(str::to_owned).into_iter().chain([long("1"), long("2")]);
        let mut files = std::collections::HashSet::new();
        for student in students {
            let first = PathBuf::from(format!("{}.txt", file_name(&student)));
            for path in [first.clone(), numbered(&first, 2), numbered(&first, 3)] {
                assert!(path.as_os_str().len() <= 255 && path.components().count() == 1, "{path:?}");
                assert!(files.insert(path.clone()), "{student}: {path:?}");
            }
        }
    }
}
