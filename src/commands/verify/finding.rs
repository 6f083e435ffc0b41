//! What was found about a package, and how bad it is.

use std::time::Duration;

use serde::Serialize;

use crate::cli::VerifyPart;
use crate::judge::VerificationFault;

/// How bad a finding is; the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// What an author may want to know.
    Note,
    /// What an author should look at.
    Warning,
    /// The package does not do what it says.
    Error,
    /// It could not be looked at on this host.
    Unchecked,
    /// gavel or the host failed.
    Failure,
}

impl Severity {
    /// As tables and messages have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Unchecked => "unchecked",
            Self::Failure => "failure",
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// How bad it is.
    pub(super) severity: Severity,
    /// The test, input or program it is about; empty where it is about the package.
    pub(super) subject: String,
    /// One line.
    pub(super) message: String,
}

/// One thing that was looked at, with what was found: a case of JUnit's, a row of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Inspection {
    /// The part it belongs to.
    pub(super) part: &'static str,
    /// The program or the property that was looked at.
    pub(super) name: String,
    /// How many files or outputs were looked at.
    pub(super) looked_at: usize,
    /// Why it was left out, where it was.
    pub(super) skipped: Option<String>,
    /// What was found, in the package's order.
    pub(super) findings: Vec<Finding>,
    /// How long it took, over all threads.
    #[serde(skip)]
    pub(super) took: Duration,
}

impl Finding {
    pub(super) fn new(severity: Severity, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity, subject: subject.into(), message: message.into() }
    }

    /// What a jury's program that could not be asked means.
    pub(super) fn of_fault(subject: &str, fault: &VerificationFault) -> Self {
        let severity = match fault {
            VerificationFault::Package(_) => Severity::Error,
            VerificationFault::Language(_) => Severity::Unchecked,
            VerificationFault::Judge(_) | VerificationFault::Cancelled => Severity::Failure,
        };
        Self::new(severity, subject, fault.to_string())
    }

    /// On one line, the subject first.
    pub(super) fn line(&self) -> String {
        if self.subject.is_empty() {
            self.message.clone()
        } else {
            format!("{}: {}", self.subject, self.message)
        }
    }
}

impl Inspection {
    pub(super) fn new(part: VerifyPart, name: impl Into<String>) -> Self {
        Self {
            part: part_name(part),
            name: name.into(),
            looked_at: 0,
            skipped: None,
            findings: Vec::new(),
            took: Duration::ZERO,
        }
    }

    /// One that was left out for a reason.
    pub(super) fn skipped(part: VerifyPart, name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { skipped: Some(reason.into()), ..Self::new(part, name) }
    }

    pub(super) fn find(
        &mut self,
        severity: Severity,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.findings.push(Finding::new(severity, subject, message));
    }

    /// The worst that was found.
    pub(super) fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    /// Takes in a part of the same inspection.
    pub(super) fn absorb(&mut self, other: Self) {
        self.looked_at += other.looked_at;
        self.took += other.took;
        // What is wrong with a program is found again with every test.
        for finding in other.findings {
            if !self.findings.contains(&finding) {
                self.findings.push(finding);
            }
        }
        self.skipped = self.skipped.take().or(other.skipped);
    }
}

/// A part's name, as on the command line.
pub(super) fn part_name(part: VerifyPart) -> &'static str {
    match part {
        VerifyPart::Submissions => "submissions",
        VerifyPart::Tests => "tests",
        VerifyPart::Validators => "validators",
        VerifyPart::Generators => "generators",
        VerifyPart::Answers => "answers",
        VerifyPart::Fuzz => "fuzz",
    }
}

/// The first names of a list, and how many more there are.
pub(super) fn some_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 3;
    let names: Vec<&str> = names.into_iter().collect();
    let mut text = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(some_of(["a"]), "a");
        assert_eq!(some_of(["a", "b", "c"]), "a, b, c");
        assert_eq!(some_of(["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
    }

    #[test]
    fn who_is_to_blame_decides_how_bad_it_is() {
        let of = |fault: VerificationFault| Finding::of_fault("x", &fault).severity;
        assert_eq!(of(VerificationFault::Package(String::new())), Severity::Error);
        assert_eq!(of(VerificationFault::Language(String::new())), Severity::Unchecked);
        assert_eq!(of(VerificationFault::Judge(String::new())), Severity::Failure);
    }
}
