//! Runs compilers and build scripts, and reads what they say.

use std::path::Path;

use crate::judge::exec::{Exec, Keep, read_all};
use crate::judge::fault::Fault;
use crate::judge::language_box::SOURCE_DIRECTORY;
use crate::sandbox::{Capture, Limits};
use crate::units::Bytes;

/// Version of the layout and the meaning of cache entries; increased whenever either changes.
pub(crate) const CACHE_FORMAT: &str = "1";
/// Bytes kept of a compiler's output.
const LOG_LIMIT: usize = 64 << 10;

/// Returns the command of a compiler, or of anything else that builds in a compile box.
pub(crate) fn command<'a>(argv: &'a [String], env: &'a [String], limits: Limits) -> Exec<'a> {
    let log = Keep::First(LOG_LIMIT as u64);
    Exec { argv, env, directory: SOURCE_DIRECTORY, stdin: None, stdout: log, stderr: log, limits }
}

/// Reads both output streams of a compiler as one text, truncated, that is safe to show on a terminal.
///
/// # Errors
/// When a capture cannot be read.
pub(crate) fn read_log(stdout: &mut Capture, stderr: &mut Capture, spill: &Path) -> Result<String, Fault> {
    let mut bytes = Vec::new();
    for capture in [&mut *stdout, &mut *stderr] {
        bytes.append(&mut read_all(capture, spill)?);
    }
    let truncated = bytes.len() > LOG_LIMIT || stdout.is_truncated() || stderr.is_truncated();
    bytes.truncate(LOG_LIMIT);
    let mut log = escape_controls(&String::from_utf8_lossy(&bytes));
    if truncated {
        log.push_str(&format!("\n[cut to {}]\n", Bytes(LOG_LIMIT as u64)));
    }
    Ok(log)
}

/// Returns the line of a compiler's log that says most: the first with an error, else the first.
pub(crate) fn error_line(log: &str) -> &str {
    let mut lines = log.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.clone().next().unwrap_or("the compiler says nothing");
    lines.find(|line| line.to_ascii_lowercase().contains("error")).unwrap_or(first)
}

/// Makes a directory of a cache entry.
///
/// # Errors
/// When it is there already or cannot be made.
pub(crate) fn make_directory(path: &Path) -> Result<(), Fault> {
    std::fs::create_dir(path).map_err(|error| Fault::file("make directory", path, error))
}

/// Escapes control characters other than newline and tab: a file name or a string of the source may carry escape sequences
/// for the terminal that shows the log.
fn escape_controls(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        if c.is_control() && c != '\n' && c != '\t' {
            visible.extend(c.escape_default());
        } else {
            visible.push(c);
        }
    }
    visible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_cut_and_carry_no_escape_sequences() {
        let directory = tempfile::tempdir().unwrap();
        let mut stdout = Capture::at_most(LOG_LIMIT as u64, directory.path());
        let mut stderr = Capture::at_most(LOG_LIMIT as u64, directory.path());
        stdout.push(b"a\x1b[31mred\r\n\xff\tb\n").unwrap();
        let log = read_log(&mut stdout, &mut stderr, directory.path()).unwrap();
        assert_eq!(log, "a\\u{1b}[31mred\n\u{fffd}\tb\n");
        stderr.push(&vec![b'x'; LOG_LIMIT + 1]).unwrap();
        let log = read_log(&mut stdout, &mut stderr, directory.path()).unwrap();
        assert!(log.len() < LOG_LIMIT + 100 && log.ends_with("[cut to 64KiB]\n"));
    }

    #[test]
    fn a_complaint_is_the_line_with_the_error() {
        assert_eq!(error_line("a.cpp: In function\na.cpp:3: error: x\n"), "a.cpp:3: error: x");
        assert_eq!(error_line("\nlinker says no\n"), "linker says no");
        assert_eq!(error_line(""), "the compiler says nothing");
    }
}
