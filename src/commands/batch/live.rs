//! What is told while submissions are judged.

use std::fmt::Write as _;

use serde_json::Value;

use super::super::output::{self, Progress};
use super::super::{CommandError, judge};
use super::entry::Entry;
use crate::language::Table;
use crate::report::{Report, TestReport};
use crate::verdict::Verdict;

/// How progress is told.
pub(crate) enum Live {
    /// Every event and report as a line of JSON.
    Lines,
    /// Every test of one submission as a row.
    Rows {
        /// Tests told so far, from the first.
        told: usize,
    },
    /// A bar over all submissions.
    Bar(Progress),
}

impl Live {
    pub(crate) const fn lines() -> Self {
        Self::Lines
    }

    pub(crate) const fn rows() -> Self {
        Self::Rows { told: 0 }
    }

    pub(crate) fn bar(total: usize) -> Self {
        Self::Bar(Progress::new(total, "judging"))
    }

    /// Whether events are of any use.
    pub(crate) const fn wants_progress(&self) -> bool {
        !matches!(self, Self::Bar(_))
    }

    /// An event of one of ours, as it came.
    ///
    /// # Errors
    /// When nobody reads standard output any more.
    pub(crate) fn event(&mut self, body: &[u8]) -> Result<(), CommandError> {
        match self {
            Self::Bar(_) => Ok(()),
            Self::Lines => output::print(&(String::from_utf8_lossy(body).into_owned() + "\n")),
            Self::Rows { told } => {
                let Ok(event) = serde_json::from_slice::<Value>(body) else { return Ok(()) };
                let is_next = event["type"] == "test" && event["index"].as_u64() == Some(*told as u64);
                match serde_json::from_value::<TestReport>(event["test"].clone()) {
                    // One that was lost on the way is told at the end, and with it those after it.
                    Ok(test) if is_next => {
                        output::print(&rows(std::slice::from_ref(&test), *told))?;
                        *told += 1;
                    }
                    _ => {}
                }
                Ok(())
            }
        }
    }

    /// A verdict of one of ours.
    ///
    /// # Errors
    /// When nobody reads standard output any more.
    pub(crate) fn verdict(&mut self, report: &Report) -> Result<(), CommandError> {
        match self {
            Self::Lines => output::print_json(report, false),
            Self::Rows { .. } => Ok(()),
            Self::Bar(progress) => {
                progress.step_to(&format!("{} {}", output::one_line(&report.id), report.verdict));
                Ok(())
            }
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Self::Bar(progress) = self {
            progress.finish();
        }
    }

    /// Tells what is left of a single submission; `false` when there is no verdict to tell.
    ///
    /// # Errors
    /// When nobody reads standard output any more.
    pub(crate) fn has_told_all(&self, entries: &[Entry], table: &Table) -> Result<bool, CommandError> {
        let (Self::Rows { told }, [entry]) = (self, entries) else { return Ok(false) };
        let Some(report) = entry.report() else { return Ok(false) };
        let mut text = rows(report.tests.get(*told..).unwrap_or_default(), *told);
        if !report.tests.is_empty() {
            text.push('\n');
        }
        if !report.compile.log.trim().is_empty() {
            text.push_str(report.compile.log.trim_end());
            text.push_str("\n\n");
        }
        text.push_str(&judge::summary(report, table));
        if let Some(error) = &report.error {
            let _ = write!(text, ": {}", output::one_line(error));
        }
        text.push('\n');
        output::print(&text)?;
        Ok(true)
    }
}

/// Rows of a table whose widths do not depend on what comes later; the head before the first.
fn rows(tests: &[TestReport], told: usize) -> String {
    let mut text = String::new();
    if told == 0 && !tests.is_empty() {
        let _ = writeln!(text, "{:<32} verdict {:>12} {:>12}  message", "test", "CPU", "memory");
    }
    for test in tests {
        let ran = !matches!(test.verdict, Verdict::SK | Verdict::CX);
        let figure = |text: String| if ran { text } else { "-".to_owned() };
        let line = format!(
            "{:<32} {:<7} {:>12} {:>12}  {}",
            output::one_line(&test.name),
            test.verdict,
            figure(output::milliseconds(test.cpu_ms)),
            figure(output::kibibytes(test.memory_kib)),
            output::one_line(&test.message)
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
