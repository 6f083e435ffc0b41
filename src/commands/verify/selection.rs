//! What of the packages is to be looked at.

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::cli::{Verify as Arguments, VerifyPart};
use crate::commands::CommandError;

/// What the command line asks for.
#[derive(Debug)]
pub(super) struct Selection {
    only: Vec<VerifyPart>,
    skip: Vec<VerifyPart>,
    submissions: Option<GlobSet>,
    /// Where corrupted answers come from.
    pub(super) seed: u64,
    /// How many are shown to each checker, about.
    pub(super) fuzz_runs: usize,
}

impl Selection {
    /// # Errors
    /// When a pattern is none.
    pub(super) fn new(arguments: &Arguments) -> Result<Self, CommandError> {
        Ok(Self {
            only: arguments.only.clone(),
            skip: arguments.skip.clone(),
            submissions: patterns(&arguments.submissions)?,
            seed: arguments.seed,
            fuzz_runs: arguments.fuzz_runs,
        })
    }

    /// Whether a part is to be looked at.
    pub(super) fn has(&self, part: VerifyPart) -> bool {
        (self.only.is_empty() || self.only.contains(&part)) && !self.skip.contains(&part)
    }

    /// Whether a submission is to be judged.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.submissions.as_ref().is_none_or(|patterns| patterns.is_match(name))
    }

    /// Whether all submissions are judged, so that what is missing among them can be told.
    pub(super) fn is_whole(&self) -> bool {
        self.has(VerifyPart::Submissions) && self.submissions.is_none()
    }
}

/// Each pattern as it is, and as a folder's, and as the name alone.
fn patterns(given: &[String]) -> Result<Option<GlobSet>, CommandError> {
    if given.is_empty() {
        return Ok(None);
    }
    let mut patterns = GlobSetBuilder::new();
    for pattern in given {
        let plain = pattern.trim_end_matches('/');
        for form in [plain.to_owned(), format!("{plain}/**"), format!("**/{plain}")] {
            let glob = Glob::new(&form).map_err(|error| {
                CommandError::Usage(format!("--submission '{pattern}' is no pattern: {}", error.kind()))
            })?;
            patterns.add(glob);
        }
    }
    patterns.build().map(Some).map_err(CommandError::usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_folders_and_files_select() {
        let wants =
            |pattern: &str, name: &str| patterns(&[pattern.to_owned()]).unwrap().unwrap().is_match(name);
        assert!(wants("accepted", "accepted/anna.cpp"));
        assert!(wants("accepted/", "accepted/anna.cpp"));
        assert!(wants("anna.cpp", "accepted/anna.cpp"));
        assert!(wants("*/anna.*", "accepted/anna.cpp"));
        assert!(!wants("wrong_answer", "accepted/anna.cpp"));
        assert!(patterns(&["[".to_owned()]).is_err());
    }
}
