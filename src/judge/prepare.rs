//! What a language builds once per machine and toolchain: a precompiled header, a class-data archive.
//!
//! Built in a compile box like any submission, kept in the cache, shown read-only at `/prepared` to every
//! compiler run of the language. Nothing a submission does can reach it.

use super::artifacts::{self, TakeError};
use super::compile::{CACHE_FORMAT, compiler, read_log};
use super::exec::Finished;
use super::fault::Fault;
use super::request::Source;
use super::toolchain::Toolchain;
use super::{
    EXECUTABLE, Judge, OUTPUT_DIRECTORY, SOURCE_DIRECTORY, compile_limits, compile_shape, environment,
};
use crate::cache::{Digest, Entry, KeyBuilder, Lookup};
use crate::cancel::CancelToken;
use crate::language::{Language, Placeholders, Prepare, expand};
use crate::sandbox::Exit;

/// Directory of the files inside a cache entry.
pub(super) const FILES: &str = "prepared";

/// Prepared files, in use.
#[derive(Debug)]
pub(super) struct Prepared {
    /// Keeps the files from being evicted.
    pub(super) entry: Entry,
    /// What they were made from.
    pub(super) digest: Digest,
}

/// The prepared files of a language, built now if this machine has none yet.
///
/// # Errors
/// [`Fault::Language`] when the preparation's own command fails; faults of ours otherwise.
pub(super) fn prepared(
    judge: &Judge,
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
    let paths: Vec<String> =
        sources.iter().map(|source| format!("{SOURCE_DIRECTORY}/{}", source.name)).collect();
    let argv = expand(
        &prepare.command,
        &Placeholders {
            sources: &paths,
            exe: &format!("{OUTPUT_DIRECTORY}/{EXECUTABLE}"),
            dir: OUTPUT_DIRECTORY,
            source: paths.first().map_or("", String::as_str),
            memory_mib: language.compile_limits.memory.as_mib(),
        },
    );
    let digest = key(language, &argv, &sources, toolchain);
    let draft = match judge.store.get_or_lock(&digest)? {
        Lookup::Hit(entry) => return Ok(Prepared { entry, digest }),
        Lookup::Miss(draft) => draft,
    };
    tracing::info!(language = %language.id, "preparing");
    let files = draft.path().join(FILES);
    judge.in_box(&compile_shape(language), &[cancel], |sandbox_box| {
        // A first try that lost its box may have left files.
        let _ = std::fs::remove_dir_all(&files);
        std::fs::create_dir(&files).map_err(|error| Fault::file("make directory", &files, error))?;
        artifacts::fill_workspace(sandbox_box.fresh_workspace()?, &sources)?;
        let log = run(judge, language, sandbox_box, &argv, cancel)?;
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
    Ok(Prepared { entry: judge.store.commit(draft)?, digest })
}

/// Runs the command; the inner error is what to tell the operator.
fn run(
    judge: &Judge,
    language: &Language,
    sandbox_box: &mut crate::sandbox::BoxHandle,
    argv: &[String],
    cancel: &CancelToken,
) -> Result<Result<(), String>, Fault> {
    let env = environment(language);
    let command = compiler(argv, &env, compile_limits(language));
    let Finished { outcome, mut stdout, mut stderr, .. } = command.run(judge, sandbox_box, &[cancel])?;
    if cancel.is_cancelled() {
        return Err(Fault::Cancelled);
    }
    if outcome.stopped.is_empty() && outcome.exit == Exit::Code(0) {
        return Ok(Ok(()));
    }
    let log = read_log(&mut stdout, &mut stderr, &judge.spill)?;
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
