//! The host's own trial: known programs on the way that a submission takes.
//!
//! A failure that looks like the host's may be one that a submission brings about. Which of the two it is, the trial
//! tells: where the host passes it and the failure comes again, the failure stays with the submission, and others are
//! judged on. The trial repairs what it can: a directory of ours that somebody has removed.

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::signal::Signal;

use super::compile::{self, Recipe};
use super::exec::{Exec, Keep};
use super::fault::Fault;
use super::request::Source;
use super::run_test::{run_argv, run_shape};
use super::{Judge, compile_limits, environment};
use crate::cancel::CancelToken;
use crate::language::Language;
use crate::sandbox::{Exit, Limits, PROGRAM, SandboxError, Shape, WORKSPACE};
use crate::units::Bytes;

/// Bytes that the disk must take before it counts as working; more than a small program, its tests and the
/// cache's records of them need.
const BYTES: usize = 4 << 20;

/// Tells trials apart, so that none finds in the cache what an earlier one has made.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Why this host cannot judge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostFault {
    /// It may work again later.
    #[error("{0}")]
    Passing(String),
    /// Not in this process.
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

impl Judge {
    /// Whether this host can judge: its disk takes files where judgings write them, its cache takes an entry, and a
    /// command runs in a new box. Directories of ours that are gone are made again.
    ///
    /// # Errors
    /// What it fails at, one line, and whether it can be well again in this process.
    pub fn try_host(&self) -> Result<(), HostFault> {
        self.store.try_out().map_err(Fault::from)?;
        crate::cache::make_directories(&self.spill)
            .map_err(|error| Fault::file("make the directory", &self.spill, error))?;
        tempfile::NamedTempFile::new_in(&self.spill)
            .and_then(|mut file| {
                file.write_all(&vec![1; BYTES])?;
                file.as_file().sync_data()
            })
            .map_err(|error| Fault::file("write to", &self.spill, error))?;
        self.slots.seek_cores();
        if let Some(refusal) = self.slots.refusal() {
            return Err(HostFault::Passing(refusal.to_string()));
        }
        self.try_box()?;
        Ok(())
    }

    /// As [`Judge::try_host`], and whether a known program of that language can be compiled, kept and run here.
    ///
    /// # Errors
    /// As those of [`Judge::try_host`]. A language that the table or this host lacks is no failure.
    pub fn try_host_with(&self, language: &str) -> Result<(), HostFault> {
        self.try_host()?;
        let Some(language) = self.table.get(language) else { return Ok(()) };
        match self.try_language(language) {
            Err(fault) if fault.is_of_the_host() => Err(fault.into()),
            _ => Ok(()),
        }
    }

    fn try_box(&self) -> Result<(), Fault> {
        let mut sandbox_box = self.sandbox.open_box(&Shape::default(), None)?;
        let limits = Limits { memory: Some(Bytes::mib(64)), ..Limits::default() };
        let argv = ["true".to_owned()];
        match silent(&argv, &[], limits).run(self, &mut sandbox_box, &[])?.outcome.exit {
            // A host without that command runs boxes all the same.
            Exit::Code(_) | Exit::NotStarted { step: "execve", errno: libc::ENOENT } => Ok(()),
            Exit::Signal(signal) => {
                let name = Signal::try_from(signal).map_or("a real-time signal", Signal::as_str);
                Err(lost(format!("'true' died of signal {signal} ({name})")))
            }
            Exit::NotStarted { step, errno } => {
                let why = nix::errno::Errno::from_raw(errno).desc();
                Err(lost(format!("'true' cannot be started ({step}: {why})")))
            }
        }
    }

    /// Compiles and runs the language's hello under a key of its own.
    fn try_language(&self, language: &Language) -> Result<(), Fault> {
        let cancel = CancelToken::new().map_err(SandboxError::from)?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let source = |name: String, text: &str| Source { name, bytes: text.as_bytes().to_vec() };
        let sources = [
            source(language.default_source.clone(), &language.hello),
            source(format!("{}-{number}.gavel-trial", std::process::id()), ""),
        ];
        let recipe = Recipe { language, sources: &sources, flags: &[], limits: compile_limits(language) };
        let compilation = compile::compile(self, &recipe, &|| {}, &cancel)?;
        let Some(program) = compilation.program else { return Ok(()) };
        let argv = run_argv(language, &program, Bytes::mib(512).as_mib());
        let env = environment(language);
        self.in_box(&run_shape(language), &[&cancel], |sandbox_box| {
            sandbox_box.attach(PROGRAM, &program.directory)?;
            silent(&argv, &env, compile_limits(language)).run(self, sandbox_box, &[&cancel])?;
            Ok(())
        })
    }
}

/// Returns a command in the work directory whose output is counted and dropped.
fn silent<'a>(argv: &'a [String], env: &'a [String], limits: Limits) -> Exec<'a> {
    let nothing = Keep::First(0);
    Exec { argv, env, directory: WORKSPACE, stdin: None, stdout: nothing, stderr: nothing, limits }
}

fn lost(detail: String) -> Fault {
    Fault::Sandbox(SandboxError::BoxLost { name: "a new box".to_owned(), detail })
}
