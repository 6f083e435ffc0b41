//! Checks that this host can judge, by running known programs as a submission runs.
//!
//! A failure that looks like the host's may be brought about by a submission. When the host passes the check and the failure
//! comes again, the submission is to blame and others are judged on. The check also repairs what it can: it makes
//! directories of gavel again that were removed.

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;

use crate::cancel::CancelToken;
use crate::judge::compile::program::{self, Recipe};
use crate::judge::engine::Engine;
use crate::judge::exec::{Exec, Keep};
use crate::judge::external_kill::named;
use crate::judge::fault::Fault;
use crate::judge::language_box::{compile_limits, environment, run_argv, run_shape};
use crate::judge::request::Source;
use crate::language::Language;
use crate::sandbox::{Exit, Limits, PROGRAM, SandboxError, Shape, WORKSPACE};
use crate::units::Bytes;

/// Bytes that the disk must take: more than a small program, its tests and the cache's records of them need.
const BYTES: usize = 4 << 20;

/// Number of the next check: each compiles under a cache key of its own.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Why this host cannot judge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostFault {
    /// The host may recover.
    #[error("{0}")]
    Passing(String),
    /// This process cannot judge any more.
    #[error("{0}")]
    Final(String),
}

impl From<Fault> for HostFault {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Sandbox(error @ SandboxError::KeeperGone) => Self::Final(error.to_string()),
            fault => Self::Passing(fault.to_string()),
        }
    }
}

/// Checks that the disk takes files, the cache takes an entry, and a command runs in a new box.
///
/// # Errors
/// The first failure, on one line.
pub(crate) fn check(engine: &Engine) -> Result<(), HostFault> {
    engine.store.try_out().map_err(Fault::from)?;
    crate::cache::make_directories(&engine.spill)
        .map_err(|error| Fault::file("make the directory", &engine.spill, error))?;
    tempfile::NamedTempFile::new_in(&engine.spill)
        .and_then(|mut file| {
            file.write_all(&vec![1; BYTES])?;
            file.as_file().sync_data()
        })
        .map_err(|error| Fault::file("write to", &engine.spill, error))?;
    engine.slots.seek_cores();
    if let Some(refusal) = engine.slots.refusal() {
        return Err(HostFault::Passing(refusal.to_string()));
    }
    check_box(engine)?;
    Ok(())
}

/// Checks as [`check`] does, and that a known program of a language can be compiled, cached and run.
///
/// # Errors
/// As [`check`]. A language that the table or this host lacks is no failure.
pub(crate) fn check_with(engine: &Engine, language: &str) -> Result<(), HostFault> {
    check(engine)?;
    let Some(language) = engine.table.get(language) else { return Ok(()) };
    match check_language(engine, language) {
        Err(fault) if fault.is_of_the_host() => Err(fault.into()),
        _ => Ok(()),
    }
}

/// Runs `true` in a new box.
fn check_box(engine: &Engine) -> Result<(), Fault> {
    let mut sandbox_box = engine.sandbox.open_box(&Shape::default(), None)?;
    let limits = Limits { memory: Some(Bytes::mib(64)), ..Limits::default() };
    let argv = ["true".to_owned()];
    match silent(&argv, &[], limits).run(engine, &mut sandbox_box, &[])?.outcome.exit {
        // A host without that command runs boxes all the same.
        Exit::Code(_) | Exit::NotStarted { step: "execve", errno: libc::ENOENT } => Ok(()),
        Exit::Signal(signal) => Err(lost(format!("'true' died of {}", named(signal)))),
        Exit::NotStarted { step, errno } => {
            let why = Errno::from_raw(errno).desc();
            Err(lost(format!("'true' cannot be started ({step}: {why})")))
        }
    }
}

/// Compiles and runs the language's hello program under a cache key of its own.
fn check_language(engine: &Engine, language: &Language) -> Result<(), Fault> {
    let cancel = CancelToken::new().map_err(SandboxError::from)?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let source = |name: String, text: &str| Source { name, bytes: text.as_bytes().to_vec() };
    let sources = [
        source(language.default_source.clone(), &language.hello),
        source(format!("{}-{number}.gavel-trial", std::process::id()), ""),
    ];
    let recipe = Recipe { language, sources: &sources, flags: &[], limits: compile_limits(language) };
    let compilation = program::compile(engine, &recipe, &|| {}, &cancel)?;
    let Some(program) = compilation.program else { return Ok(()) };
    let argv = run_argv(language, &program.source_names, Bytes::mib(512).as_mib());
    let env = environment(language);
    engine.in_box(&run_shape(language), &[&cancel], |sandbox_box| {
        sandbox_box.attach(PROGRAM, &program.directory)?;
        silent(&argv, &env, compile_limits(language)).run(engine, sandbox_box, &[&cancel])?;
        Ok(())
    })
}

/// Returns a command in the work directory whose output is counted and dropped.
fn silent<'a>(argv: &'a [String], env: &'a [String], limits: Limits) -> Exec<'a> {
    let nothing = Keep::First(0);
    Exec { argv, env, directory: WORKSPACE, stdin: None, stdout: nothing, stderr: nothing, limits }
}

fn lost(detail: String) -> Fault {
    Fault::Sandbox(SandboxError::BoxLost { name: "a new box".to_owned(), detail })
}
