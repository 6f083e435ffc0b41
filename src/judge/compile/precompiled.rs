//! Builds the files that a language needs once a host and toolchain: a precompiled header, a class-data archive.
//!
//! They are built in a compile box like a submission, kept in the cache, and shown read-only at `/prepared` to every
//! compiler run of the language. No submission can change them.

use crate::cache::{Digest, Entry, KeyBuilder, Lookup};
use crate::cancel::CancelToken;
use crate::judge::compile::artifacts::{self, TakeError};
use crate::judge::compile::compiler::{self, CACHE_FORMAT, read_log};
use crate::judge::engine::{Engine, Toolchain};
use crate::judge::exec::Finished;
use crate::judge::fault::Fault;
use crate::judge::language_box::{compile_argv, compile_limits, compile_shape, environment};
use crate::judge::request::Source;
use crate::language::{Language, Prepare};
use crate::sandbox::{BoxHandle, Exit};

/// Directory of the files inside a cache entry.
pub(crate) const FILES: &str = "prepared";

/// Precompiled files, in use.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Keeps the files from being evicted.
    pub(crate) entry: Entry,
    /// Digest of everything they were built from.
    pub(crate) digest: Digest,
}

/// Returns the precompiled files of a language, built now if the cache has none.
///
/// # Errors
/// [`Fault::Language`] when the command fails; the faults of the sandbox and the cache otherwise.
pub(crate) fn prepared(
    engine: &Engine,
    language: &Language,
    prepare: &Prepare,
    toolchain: &Toolchain,
    cancel: &CancelToken,
) -> Result<Prepared, Fault> {
    let sources: Vec<Source> = prepare
        .files
        .iter()
        .map(|(name, text)| Source { name: name.clone(), bytes: text.clone().into_bytes() })
        .collect();
    let names: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
    let argv = compile_argv(&prepare.command, language, &names);
    let digest = key(language, &argv, &sources, toolchain);
    let draft = match engine.store.get_or_lock(&digest)? {
        Lookup::Hit(entry) => return Ok(Prepared { entry, digest }),
        Lookup::Miss(draft) => draft,
    };
    tracing::info!(language = %language.id, "preparing");
    let files = draft.path().join(FILES);
    engine.in_box(&compile_shape(language), &[cancel], |sandbox_box| {
        // A first try that lost its box may have left files.
        let _ = std::fs::remove_dir_all(&files);
        std::fs::create_dir(&files).map_err(|error| Fault::file("make directory", &files, error))?;
        artifacts::fill_workspace(sandbox_box.fresh_workspace()?, &sources)?;
        let log = run(engine, language, sandbox_box, &argv, cancel)?;
        let broken = |detail: String| {
            Fault::Language(format!("language '{}': its preparation failed: {detail}", language.id))
        };
        log.map_err(broken)?;
        let taken = artifacts::take_directory(
            sandbox_box.workspace(),
            artifacts::OUT,
            &files,
            language.compile_limits.output,
        );
        match taken {
            Err(TakeError::Unusable(error)) => Err(broken(error.to_string())),
            Err(TakeError::Fault(fault)) => Err(fault),
            Ok(()) => Ok(()),
        }
    })?;
    Ok(Prepared { entry: engine.store.commit(draft)?, digest })
}

/// Runs the command; the inner error is a message for the operator.
fn run(
    engine: &Engine,
    language: &Language,
    sandbox_box: &mut BoxHandle,
    argv: &[String],
    cancel: &CancelToken,
) -> Result<Result<(), String>, Fault> {
    let env = environment(language);
    let command = compiler::command(argv, &env, compile_limits(language));
    let Finished { outcome, mut stdout, mut stderr, .. } = command.run(engine, sandbox_box, &[cancel])?;
    if cancel.is_cancelled() {
        return Err(Fault::Cancelled);
    }
    if outcome.stopped.is_empty() && outcome.exit == Exit::Code(0) {
        return Ok(Ok(()));
    }
    let log = read_log(&mut stdout, &mut stderr, &engine.spill)?;
    let first = log.lines().find(|line| !line.trim().is_empty()).unwrap_or("no message").to_owned();
    Ok(Err(format!("'{}': {:?} {:?}: {first}", argv.join(" "), outcome.exit, outcome.stopped)))
}

fn key(language: &Language, argv: &[String], sources: &[Source], toolchain: &Toolchain) -> Digest {
    let mut key = KeyBuilder::default()
        .field("kind", "prepared")
        .field("format", CACHE_FORMAT)
        .field("language", &language.id)
        .field("command", argv.join("\0"))
        .field("environment", environment(language).join("\0"))
        .field("toolchain version", &toolchain.version)
        .field("toolchain identity", &toolchain.identity);
    for source in sources {
        key = key.field("file name", &source.name).field("file", &source.bytes);
    }
    key.finish()
}
