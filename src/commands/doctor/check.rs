//! One thing looked at: how it is, what that means, and what to do about it.

use serde::Serialize;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// As it should be.
    Ok,
    /// Judging works; something is lost.
    Warning,
    /// Judging does not work, or cannot be trusted.
    Problem,
}

impl Status {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// One thing looked at.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Check {
    /// Stable name for programs.
    pub(super) id: &'static str,
    pub(super) status: Status,
    /// What was seen.
    pub(super) found: String,
    /// Why it matters.
    pub(super) meaning: String,
    /// What to do; `None` where nothing is to be done.
    pub(super) remedy: Option<String>,
}

impl Check {
    /// As it should be.
    pub(super) fn ok(id: &'static str, found: impl Into<String>, meaning: impl Into<String>) -> Self {
        Self { id, status: Status::Ok, found: found.into(), meaning: meaning.into(), remedy: None }
    }

    /// The same as something that costs, with what to do about it.
    pub(super) fn warning(mut self, remedy: impl Into<String>) -> Self {
        self.status = self.status.max(Status::Warning);
        self.remedy = Some(remedy.into());
        self
    }

    /// The same as something that makes the host unfit, with what to do about it.
    pub(super) fn problem(mut self, remedy: impl Into<String>) -> Self {
        self.status = Status::Problem;
        self.remedy = Some(remedy.into());
        self
    }

    /// A warning unless it `holds`.
    pub(super) fn wanted(self, holds: bool, remedy: impl Into<String>) -> Self {
        if holds { self } else { self.warning(remedy) }
    }

    /// A problem unless it `holds`.
    pub(super) fn needed(self, holds: bool, remedy: impl Into<String>) -> Self {
        if holds { self } else { self.problem(remedy) }
    }
}

/// The first line of a file of the kernel's, trimmed; `None` where it is not there or empty.
pub(super) fn setting(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// The number in such a file.
pub(super) fn number(path: &str) -> Option<u64> {
    setting(path)?.parse().ok()
}
