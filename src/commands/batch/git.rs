//! Times of commits, for submissions that are clones or lie in a repository.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::output;
use super::super::start::shown;

/// Settings of a repository that would have `git` start programs; the repository may be a student's. `rev-list` itself
/// starts none, shows no signatures and uses no pager.
const HARMLESS: [&str; 10] = [
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.sshCommand=false",
    "-c",
    "core.alternateRefsCommand=false",
    "-c",
    "log.showSignature=false",
];

/// Why there is no time.
#[derive(Debug)]
pub(super) enum Failure {
    /// `git` cannot be started: no row will have a time.
    NotStarted(String),
    /// This work has no time.
    OfRow(String),
}

/// Returns the time of the last commit that changed any of these files, by the committer's clock; `None` where none of
/// them was ever committed, or there.
///
/// # Errors
/// When `git` cannot be started or fails: the files are in no repository, or its clock was impossible.
pub(super) fn last_commit(paths: &[PathBuf]) -> Result<Option<jiff::Timestamp>, Failure> {
    let mut last = None;
    // A file that is not there gets its reason where it is read.
    for path in paths.iter().filter(|path| path.exists()) {
        last = last.max(commit_of(path)?);
    }
    Ok(last)
}

fn commit_of(path: &Path) -> Result<Option<jiff::Timestamp>, Failure> {
    let text =
        |problem: &str| format!("--times git: '{}': {}", shown(path), output::one_line(problem.trim()));
    let fail = |problem: &str| Failure::OfRow(text(problem));
    // A clone of its own answers for itself; a file or a folder is asked for in the repository around it.
    let (folder, name) = match (path.is_dir(), path.parent(), path.file_name()) {
        (true, ..) => (path, Path::new(".").as_os_str()),
        (false, Some(parent), Some(name)) if !parent.as_os_str().is_empty() => (parent, name),
        (false, _, name) => (Path::new("."), name.unwrap_or_default()),
    };
    let output = Command::new("git")
        .args(HARMLESS)
        .args(["--no-pager", "--no-optional-locks", "-C"])
        .arg(folder)
        .args(["rev-list", "-1", "--timestamp", "HEAD", "--"])
        .arg(name)
        // Missing objects of a partial clone are not fetched, by whatever helper its settings name.
        .env("GIT_ALLOW_PROTOCOL", "none")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_LITERAL_PATHSPECS", "1")
        .env("LC_ALL", "C")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .output()
        .map_err(|error| Failure::NotStarted(format!("--times git: cannot start git: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        // A repository without a commit is no reason to stop: nothing was handed in with it.
        return if errors.contains("unknown revision") || errors.contains("bad revision") {
            Ok(None)
        } else {
            Err(fail(errors.lines().next().unwrap_or("git failed")))
        };
    }
    let Some(seconds) = text.split_whitespace().next() else { return Ok(None) };
    let seconds = seconds.parse().map_err(|_| fail("git named no time"))?;
    jiff::Timestamp::from_second(seconds)
        .map(Some)
        .map_err(|_| fail(&format!("the time of its last commit, {seconds} s after 1970, is out of range")))
}
