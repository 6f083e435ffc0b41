//! Which compiler or interpreter is really there: its version, and what would change were it replaced.
//!
//! The version is asked for in a box, since a version command is a program like any other. The answer is
//! kept on disk under the identity (path, inode, size, times) of the programs the language names, so it is
//! asked again only after an upgrade.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::exec::{Exec, Finished, Keep, read_all};
use super::fault::Fault;
use super::slots::lock;
use super::{Judge, compile_limits, compile_shape, environment, files};
use crate::cache::{KeyBuilder, Lookup};
use crate::cancel::CancelToken;
use crate::language::{Language, version_line};
use crate::sandbox::{Exit, Limits, WORKSPACE};

/// Directories of the box's PATH; the box shows the host's own.
const SEARCH: &[&str] = &["/usr/local/bin", "/usr/bin", "/bin"];
/// More than any version command says before its first line ends.
const VERSION_OUTPUT: u64 = 16 << 10;

/// A toolchain as found.
#[derive(Debug)]
pub(super) struct Toolchain {
    /// First line of its version output.
    pub(super) version: String,
    /// Identity of its programs' files.
    pub(super) identity: String,
}

/// What is found of a language's toolchain, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolchainState {
    /// It answers; the first line of its version output.
    Found(String),
    /// This program is not installed.
    Missing(String),
    /// It is there and does not work.
    Broken(String),
}

/// Why a toolchain cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ToolchainError {
    /// Not installed.
    #[error("'{0}' is not installed")]
    Missing(String),
    /// Its version command fails.
    #[error("{0}")]
    Broken(String),
    /// Something of ours failed on the way.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Toolchains asked in this process, by identity.
#[derive(Debug, Default)]
pub(super) struct Toolchains {
    known: Mutex<HashMap<String, Arc<Toolchain>>>,
}

/// Finds the toolchain of a language.
pub(super) fn detect(
    judge: &Judge,
    language: &Language,
    cancel: &CancelToken,
) -> Result<Arc<Toolchain>, ToolchainError> {
    let identity = identity(language)?;
    if let Some(known) = lock(&judge.toolchains.known).get(&identity) {
        return Ok(Arc::clone(known));
    }
    let key = KeyBuilder::default()
        .field("kind", "toolchain 1")
        .field("version command", language.version.join("\0"))
        .field("identity", &identity)
        .finish();
    let kept = judge.store.get(&key).map_err(Fault::from)?;
    let version = match kept.and_then(|entry| std::fs::read_to_string(entry.path().join("version")).ok()) {
        Some(version) => version,
        None => {
            let version = ask(judge, language, cancel)?;
            // A second asker may have been faster; both have the same answer.
            if let Lookup::Miss(draft) = judge.store.get_or_lock(&key).map_err(Fault::from)? {
                let path = draft.path().join("version");
                std::fs::write(&path, &version).map_err(|error| Fault::file("write", &path, error))?;
                judge.store.commit(draft).map_err(Fault::from)?;
            }
            version
        }
    };
    let found = Arc::new(Toolchain { version, identity: identity.clone() });
    lock(&judge.toolchains.known).insert(identity, Arc::clone(&found));
    Ok(found)
}

/// The files behind the programs a language names, with everything that changes when one is replaced.
fn identity(language: &Language) -> Result<String, ToolchainError> {
    let mut text = language.version.join(" ");
    let commands = [Some(&language.version), language.compile.as_ref(), Some(&language.run)];
    let mut seen: Vec<&str> = Vec::new();
    for name in commands.into_iter().flatten().filter_map(|argv| argv.first()) {
        if name.contains('{') || seen.contains(&name.as_str()) {
            continue;
        }
        seen.push(name);
        let (path, metadata) = find(name).ok_or_else(|| ToolchainError::Missing(name.clone()))?;
        text.push('\n');
        text.push_str(&files::state(&path, &metadata));
    }
    // Compilers call other programs and read libraries and headers: an update of any package may change what they
    // make.
    for path in ["/var/lib/dpkg/status", "/etc/ld.so.cache"] {
        if let Ok(metadata) = std::fs::metadata(path) {
            text.push('\n');
            text.push_str(&files::state(Path::new(path), &metadata));
        }
    }
    Ok(text)
}

/// The file a program name means, links resolved.
fn find(name: &str) -> Option<(PathBuf, std::fs::Metadata)> {
    let look = |path: &Path| {
        let path = path.canonicalize().ok()?;
        let metadata = path.metadata().ok()?;
        (metadata.is_file() && metadata.mode() & 0o111 != 0).then_some((path, metadata))
    };
    if name.contains('/') {
        return look(Path::new(name));
    }
    SEARCH.iter().find_map(|directory| look(&Path::new(directory).join(name)))
}

/// Runs the version command and takes the first line it says, on either stream.
fn ask(judge: &Judge, language: &Language, cancel: &CancelToken) -> Result<String, ToolchainError> {
    let env = environment(language);
    let limits = Limits { output: None, ..compile_limits(language) };
    let (outcome, line) = judge.in_box(&compile_shape(language), &[cancel], |sandbox_box| {
        let command = Exec {
            argv: &language.version,
            env: &env,
            directory: WORKSPACE,
            stdin: None,
            stdout: Keep::First(VERSION_OUTPUT),
            stderr: Keep::First(VERSION_OUTPUT),
            limits: limits.clone(),
        };
        let Finished { outcome, mut stdout, mut stderr, .. } = command.run(judge, sandbox_box, &[cancel])?;
        let line = version_line(&read_all(&mut stdout, &judge.spill)?, &read_all(&mut stderr, &judge.spill)?);
        Ok((outcome, line.unwrap_or_default()))
    })?;
    if cancel.is_cancelled() {
        return Err(Fault::Cancelled.into());
    }
    let command = language.version.join(" ");
    match outcome.exit {
        Exit::NotStarted { errno: libc::ENOENT, .. } => {
            Err(ToolchainError::Missing(language.version.first().cloned().unwrap_or_default()))
        }
        Exit::NotStarted { step, errno } => Err(ToolchainError::Broken(format!(
            "'{command}' cannot be started ({step}: {})",
            nix::errno::Errno::from_raw(errno).desc()
        ))),
        _ if let Some(limit) = outcome.stopped.first() => {
            Err(ToolchainError::Broken(format!("'{command}' hit its {limit:?} limit; raise compile_limits")))
        }
        Exit::Signal(signal) => {
            Err(ToolchainError::Broken(format!("'{command}' died of signal {signal}: {line}")))
        }
        Exit::Code(code) if code != 0 => {
            Err(ToolchainError::Broken(format!("'{command}' exited with code {code}: {line}")))
        }
        Exit::Code(_) => Ok(line),
    }
}
