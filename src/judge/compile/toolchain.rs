//! Finds the compiler or interpreter of a language: its version, and an identity that changes when it is replaced.
//!
//! The version command runs in a box, like any other program. Its answer is cached under the identity (path, inode, size,
//! times) of the programs that the language names, so it runs again only after an upgrade.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cache::{KeyBuilder, Lookup};
use crate::cancel::CancelToken;
use crate::judge::engine::{Engine, Toolchain};
use crate::judge::exec::{Exec, Finished, Keep, read_all};
use crate::judge::fault::Fault;
use crate::judge::files;
use crate::judge::language_box::{compile_limits, compile_shape, environment};
use crate::language::{Language, version_line};
use crate::sandbox::{Exit, Limits, WORKSPACE};

/// Directories of the box's PATH; the box shows the host's own.
const SEARCH: &[&str] = &["/usr/local/bin", "/usr/bin", "/bin"];
/// Bytes kept of a version command's output; its first line is shorter.
const VERSION_OUTPUT: u64 = 16 << 10;

/// Whether a language can be used on this host, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolchainState {
    /// It works; the first line of its version output.
    Found(String),
    /// This program is not installed.
    Missing(String),
    /// It is installed and does not work; why.
    Broken(String),
}

/// Why a toolchain cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolchainError {
    /// Not installed.
    #[error("'{0}' is not installed")]
    Missing(String),
    /// Its version command fails.
    #[error("{0}")]
    Broken(String),
    /// The sandbox or the cache failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Returns whether a language can be used on this host.
pub(crate) fn state(engine: &Engine, language: &Language, cancel: &CancelToken) -> ToolchainState {
    match detect(engine, language, cancel) {
        Ok(found) => ToolchainState::Found(found.version.clone()),
        Err(ToolchainError::Missing(program)) => ToolchainState::Missing(program),
        Err(error) => ToolchainState::Broken(error.to_string()),
    }
}

/// Finds the toolchain of a language.
pub(crate) fn detect(
    engine: &Engine,
    language: &Language,
    cancel: &CancelToken,
) -> Result<Arc<Toolchain>, ToolchainError> {
    let identity = identity(language)?;
    if let Some(known) = engine.toolchains.lock().get(&identity) {
        return Ok(Arc::clone(known));
    }
    let key = KeyBuilder::default()
        .field("kind", "toolchain 1")
        .field("version command", language.version.join("\0"))
        .field("identity", &identity)
        .finish();
    let kept = engine.store.get(&key).map_err(Fault::from)?;
    let version = match kept.and_then(|entry| std::fs::read_to_string(entry.path().join("version")).ok()) {
        Some(version) => version,
        None => {
            let version = ask(engine, language, cancel)?;
            // A second asker may have been faster; both have the same answer.
            if let Lookup::Miss(draft) = engine.store.get_or_lock(&key).map_err(Fault::from)? {
                let path = draft.path().join("version");
                std::fs::write(&path, &version).map_err(|error| Fault::file("write", &path, error))?;
                engine.store.commit(draft).map_err(Fault::from)?;
            }
            version
        }
    };
    let found = Arc::new(Toolchain { version, identity: identity.clone() });
    engine.toolchains.lock().insert(identity, Arc::clone(&found));
    Ok(found)
}

/// Describes the files of the programs that a language names, with everything that changes when one is replaced.
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

/// Finds the file of a program by its name, links resolved.
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

/// Runs the version command and returns the first line of its output, on either stream.
fn ask(engine: &Engine, language: &Language, cancel: &CancelToken) -> Result<String, ToolchainError> {
    let env = environment(language);
    let limits = Limits { output: None, ..compile_limits(language) };
    let (outcome, line) = engine.in_box(&compile_shape(language), &[cancel], |sandbox_box| {
        let command = Exec {
            argv: &language.version,
            env: &env,
            directory: WORKSPACE,
            stdin: None,
            stdout: Keep::First(VERSION_OUTPUT),
            stderr: Keep::First(VERSION_OUTPUT),
            limits: limits.clone(),
        };
        let Finished { outcome, mut stdout, mut stderr, .. } = command.run(engine, sandbox_box, &[cancel])?;
        let line =
            version_line(&read_all(&mut stdout, &engine.spill)?, &read_all(&mut stderr, &engine.spill)?);
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
