//! Tests that came in a message, as a bare folder of tests in the cache.

use std::path::Path;
use std::sync::Arc;

use super::{Files, Problem, WorkspaceError};
use crate::cache::{KeyBuilder, Lookup, Store};
use crate::checker::Comparator;
use crate::package::{self, Check};
use crate::submission::InlineProblem;
use crate::units::Bytes;

/// More than a message should carry; each costs two files.
pub(super) const MAX_TESTS: usize = 10_000;

/// What all inline tests may take on disk.
const CAPACITY: Bytes = Bytes::gib(1);

/// Folders of inline tests, by their content.
#[derive(Debug)]
pub(super) struct InlineTests {
    store: Store,
}

impl InlineTests {
    /// Keeps them below `cache`.
    pub(super) fn open(cache: &Path) -> Result<Self, WorkspaceError> {
        Ok(Self { store: Store::open(&cache.join("inline"), CAPACITY)? })
    }

    /// The folder of these tests, named `1`, `2` and so on, made where it is not there yet.
    pub(super) fn find(&self, inline: &InlineProblem) -> Result<Problem, WorkspaceError> {
        let tests = &inline.tests;
        if tests.is_empty() || tests.len() > MAX_TESTS {
            return Err(WorkspaceError::InlineCount(tests.len()));
        }
        let comparator = inline.checker.as_deref().map(comparator).transpose()?;
        let mut key = KeyBuilder::default().field("kind", "inline tests 1");
        for test in tests {
            key = key.field("input", &test.input).field("answer", &test.answer);
        }
        let entry = match self.store.get_or_lock(&key.finish())? {
            Lookup::Hit(entry) => entry,
            Lookup::Miss(draft) => {
                for (place, test) in tests.iter().enumerate() {
                    for (ending, text) in [("in", &test.input), ("ans", &test.answer)] {
                        let path = draft.path().join(format!("{}.{ending}", place + 1));
                        std::fs::write(&path, text)
                            .map_err(|source| WorkspaceError::Write { path, source })?;
                    }
                }
                self.store.commit(draft)?
            }
        };
        let mut package = package::load(entry.path())?;
        "inline".clone_into(&mut package.name);
        "inline".clone_into(&mut package.title);
        if let Some(comparator) = comparator {
            package.tests.iter_mut().for_each(|test| test.check = Check::BuiltIn(comparator));
        }
        Ok(Problem { package: Arc::new(package), files: Files::Cached(entry) })
    }
}

/// The comparison a message asks for: its name, and flags after it.
fn comparator(text: &str) -> Result<Comparator, WorkspaceError> {
    let (name, flags) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    match name {
        "tokens" => Ok(Comparator::from_validator_flags(flags)?),
        "exact" if flags.trim().is_empty() => Ok(Comparator::Exact),
        _ => {
            let shown = text.chars().take(80).flat_map(char::escape_debug).collect();
            Err(WorkspaceError::InlineChecker(shown))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::submission::InlineTest;

    fn problem(tests: &[InlineTest]) -> InlineProblem {
        InlineProblem { tests: tests.to_vec(), checker: None }
    }

    fn test(input: &str, answer: &str) -> InlineTest {
        InlineTest { input: input.to_owned(), answer: answer.to_owned() }
    }

    #[test]
    fn equal_tests_are_stored_once_and_keep_their_order() {
        let cache = tempfile::tempdir().unwrap();
        let inline = InlineTests::open(cache.path()).unwrap();
        let tests: Vec<_> = (0..12).map(|number| test(&format!("{number}\n"), "x\n")).collect();
        let found = inline.find(&problem(&tests)).unwrap();
        assert_eq!(found.tests.len(), 12);
        for (place, found) in found.tests.iter().enumerate() {
            assert_eq!(found.name, (place + 1).to_string());
            assert_eq!(std::fs::read_to_string(&found.input).unwrap(), format!("{place}\n"));
        }
        assert_eq!(inline.find(&problem(&tests)).unwrap().directory, found.directory);
        assert_ne!(inline.find(&problem(&tests[1..])).unwrap().directory, found.directory);
    }

    #[test]
    fn a_checker_is_chosen_by_name_and_flags() {
        let cache = tempfile::tempdir().unwrap();
        let inline = InlineTests::open(cache.path()).unwrap();
        let with = |checker: &str| {
            let checker = Some(checker.to_owned());
            inline.find(&InlineProblem { tests: vec![test("1", "1")], checker })
        };
        assert_eq!(with("exact").unwrap().tests[0].check, Check::BuiltIn(Comparator::Exact));
        let tokens = with("tokens  float_tolerance 1e-6 case_sensitive").unwrap();
        let Check::BuiltIn(Comparator::Tokens(options)) = tokens.tests[0].check else { panic!("{tokens:?}") };
        assert_eq!((options.absolute_tolerance, options.case_sensitive), (Some(1e-6), true));
        for (checker, expected) in
            [("exactly", "'exactly' is not known"), ("exact x", "'exact x'"), ("", "''")]
        {
            let error = with(checker).unwrap_err();
            assert!(error.to_string().contains(expected) && !error.is_ours(), "{error}");
        }
        let error = with("tokens float_tol 1").unwrap_err().to_string();
        assert!(error.starts_with("problem.checker: unknown validator flag"), "{error}");
    }

    #[test]
    fn no_tests_are_refused() {
        let cache = tempfile::tempdir().unwrap();
        let error = InlineTests::open(cache.path()).unwrap().find(&problem(&[])).unwrap_err();
        assert!(matches!(error, WorkspaceError::InlineCount(0)), "{error}");
    }
}
