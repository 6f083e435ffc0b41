//! Completes a package with the inputs and answers that its own programs generate.
//!
//! All generated files of a package are one cache entry, keyed by the programs, their arguments and the files they read.
//! They are generated once and never written into the package. A program that fails is the package's fault.

use std::path::Path;

use crate::cache::{Digest, Entry, KeyBuilder, Lookup};
use crate::cancel::CancelToken;
use crate::judge::engine::Engine;
use crate::judge::fault::Fault;
use crate::judge::files::open_regular;
use crate::judge::jury::generation::{answer_path, generate, input_path, no_test, unreadable};
use crate::package::{
    GeneratedAnswer, GeneratedData, GeneratedTest, Interaction, Lease, Package, ProgramFile,
};

/// Version of the layout of cache entries; increased when it changes.
const LAYOUT: &str = "2";
/// Directory of the files inside an entry.
const CONTENT: &str = "content";

/// Why a package's tests were not generated, on one line.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{problem}")]
pub struct NotGenerated {
    problem: String,
}

impl From<Fault> for NotGenerated {
    fn from(fault: Fault) -> Self {
        Self { problem: fault.to_string() }
    }
}

/// Returns the package with all files that its programs generate; a copy of it where there is nothing to generate.
///
/// # Errors
/// When a program cannot be compiled or fails, or this host does.
pub(crate) fn complete(engine: &Engine, package: &Package, cancel: &CancelToken) -> Result<Package, Fault> {
    let Some(data) = &package.generated else { return Ok(package.clone()) };
    let entry = match engine.store.get_or_lock(&key(package, data)?)? {
        Lookup::Hit(entry) => entry,
        Lookup::Miss(draft) => {
            tracing::info!(problem = %package.name, tests = data.tests.len(), "making tests");
            let directory = draft.path().join(CONTENT);
            std::fs::create_dir(&directory).map_err(|error| Fault::file("make", &directory, error))?;
            generate(engine, package, data, &directory, cancel)?;
            engine.store.commit(draft)?
        }
    };
    fill(package, data, entry)
}

/// Returns the package with the paths of the generated files.
fn fill(package: &Package, data: &GeneratedData, entry: Entry) -> Result<Package, Fault> {
    let directory = entry.path().join(CONTENT);
    let directory = directory.canonicalize().map_err(|error| Fault::file("find", &directory, error))?;
    let mut complete = package.clone();
    for (place, made) in data.tests.iter().enumerate() {
        let Some(test) = complete.tests.get_mut(made.test) else { return Err(no_test(made)) };
        if made.input.is_some() {
            test.input = input_path(&directory, place);
        }
        if made.answer.is_some() {
            test.answer = answer_path(&directory, place);
        }
    }
    complete.generated = None;
    complete.digest = crate::package::Digest::default();
    complete.leases.push(Lease::new(directory, entry));
    Ok(complete)
}

/// Returns the cache key: everything that decides the generated files.
fn key(package: &Package, data: &GeneratedData) -> Result<Digest, Fault> {
    let mut key = KeyBuilder::default().field("kind", "made data").field("layout", LAYOUT);
    let interactor = match &package.interaction {
        Interaction::Interactive(interactor) if data.tests.iter().any(needs_interactor) => {
            Some(&interactor.program)
        }
        _ => None,
    };
    for program in data.generators.iter().chain(&data.solutions).chain(interactor) {
        key = key.field("program", format!("{:?}", program.build));
        key = with_files(key, &program.files)?;
    }
    key = with_files(key, &data.data)?;
    if data.tests.iter().any(|made| made.answer.is_some()) {
        key = key.field("streams", format!("{:?}", package.streams));
    }
    for made in &data.tests {
        key = key.field("test", format!("{:?}", made.answer));
        if let Some(input) = &made.input {
            key = key.field("generator", format!("{} {:?}", input.generator, input.written));
            for argument in &input.arguments {
                key = key.field("argument", argument);
            }
            if let Some(seeds) = input.seeds {
                key = key.field("seeds", format!("{} {}", seeds.first, seeds.attempts));
            }
            if let Some(stdin) = &input.stdin {
                key = key.field("stdin", content(stdin)?);
            }
        } else if made.answer.as_ref().is_some_and(|answer| *answer != GeneratedAnswer::Empty) {
            // The solution reads an input that the package has.
            let test = package.tests.get(made.test).ok_or_else(|| no_test(made))?;
            key = key.field("input", content(&test.input)?);
        }
    }
    Ok(key.finish())
}

fn needs_interactor(made: &GeneratedTest) -> bool {
    matches!(made.answer, Some(GeneratedAnswer::Interactor(_)))
}

fn with_files(mut key: KeyBuilder, files: &[ProgramFile]) -> Result<KeyBuilder, Fault> {
    for file in files {
        key = key.field("name", &file.name).field("file", content(&file.path)?);
    }
    Ok(key)
}

fn content(path: &Path) -> Result<String, Fault> {
    let read = open_regular(path).and_then(Digest::of_reader);
    read.map(|digest| digest.to_string()).map_err(|error| unreadable(path, &error))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::package::{Format, PackageLimits, Test, TimeLimit};
    use crate::units::Bytes;

    #[test]
    fn answers_are_made_anew_when_the_input_they_belong_to_changes() {
        let directory = tempfile::tempdir().unwrap();
        let input = directory.path().join("1.in");
        let limits = PackageLimits {
            time: TimeLimit::Fixed(Duration::from_secs(1)),
            wall: None,
            memory: Bytes::mib(64),
            output: Bytes::mib(8),
            code: Bytes::mib(1),
            processes: None,
            compilation_time: None,
            compilation_memory: None,
        };
        let tests = vec![Test::new("1", input.clone(), PathBuf::new())];
        let package =
            Package { tests, ..Package::new("p", directory.path().into(), Format::LibraryChecker, limits) };
        let answer = Some(GeneratedAnswer::Solution(0));
        let data = GeneratedData {
            tests: vec![GeneratedTest { answer, ..GeneratedTest::default() }],
            ..GeneratedData::default()
        };
        let key_of = |text: &str| {
            std::fs::write(&input, text).unwrap();
            key(&package, &data).unwrap().to_string()
        };
        assert_eq!(key_of("1\n"), key_of("1\n"));
        assert_ne!(key_of("1\n"), key_of("7\n"));
    }
}
