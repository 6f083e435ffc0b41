//! Tests that came in a message, as a bare folder of tests in the cache.

use std::path::Path;
use std::sync::Arc;

use super::{Problem, WorkspaceError};
use crate::cache::{KeyBuilder, Lookup, Store};
use crate::package;
use crate::submission::InlineTest;
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
    pub(super) fn find(&self, tests: &[InlineTest]) -> Result<Problem, WorkspaceError> {
        if tests.is_empty() || tests.len() > MAX_TESTS {
            return Err(WorkspaceError::InlineCount(tests.len()));
        }
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
        Ok(Problem { package: Arc::new(package), _files: Some(entry) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(input: &str, answer: &str) -> InlineTest {
        InlineTest { input: input.to_owned(), answer: answer.to_owned() }
    }

    #[test]
    fn equal_tests_are_stored_once_and_keep_their_order() {
        let cache = tempfile::tempdir().unwrap();
        let inline = InlineTests::open(cache.path()).unwrap();
        let tests: Vec<_> = (0..12).map(|number| test(&format!("{number}\n"), "x\n")).collect();
        let problem = inline.find(&tests).unwrap();
        assert_eq!(problem.tests.len(), 12);
        for (place, found) in problem.tests.iter().enumerate() {
            assert_eq!(found.name, (place + 1).to_string());
            assert_eq!(std::fs::read_to_string(&found.input).unwrap(), format!("{place}\n"));
        }
        assert_eq!(inline.find(&tests).unwrap().directory, problem.directory);
        assert_ne!(inline.find(&tests[1..]).unwrap().directory, problem.directory);
    }

    #[test]
    fn no_tests_are_refused() {
        let cache = tempfile::tempdir().unwrap();
        let error = InlineTests::open(cache.path()).unwrap().find(&[]).unwrap_err();
        assert!(matches!(error, WorkspaceError::InlineCount(0)), "{error}");
    }
}
