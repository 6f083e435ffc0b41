//! Reads a program's standard error: the runtime's error message, and whether the program ran out of memory.
//!
//! The language table says how such lines begin (`crash`, `crash_end`, `out_of_memory`). A program can write the same
//! lines itself. That changes the message of a run-time error, or turns one into MLE, and never anything else: only runs
//! that have failed are looked at.

use crate::judge::external_kill::meaning;
use crate::language::Language;
use crate::sandbox::{Capture, Exit};
use std::io::{self, Read};

/// Bytes of a program's standard error in a report.
const SHOWN: usize = 4 << 10;
/// Bytes of the beginning and of the end of one that is longer; there is room for a line between them.
const SHOWN_ENDS: (usize, usize) = (1 << 10, (3 << 10) - 64);
/// Characters of a message.
const LONGEST: usize = 300;

/// The kept part of a program's standard error.
#[derive(Debug, Clone, Default)]
pub(crate) struct StandardError {
    beginning: Vec<u8>,
    end: Vec<u8>,
    /// Bytes between the two.
    dropped: u64,
}

impl StandardError {
    /// Reads a stream of which [`both_ends`](crate::judge::exec::both_ends) are kept.
    ///
    /// # Errors
    /// When the capture cannot be read.
    pub(crate) fn of(capture: &mut Capture) -> io::Result<Self> {
        let mut beginning = Vec::new();
        capture.reader()?.read_to_end(&mut beginning)?;
        let end = capture.end();
        let dropped = capture.total().saturating_sub((beginning.len() + end.len()) as u64);
        if dropped == 0 {
            beginning.extend_from_slice(&end);
            return Ok(Self { beginning, ..Self::default() });
        }
        Ok(Self { beginning, end, dropped })
    }

    /// Returns the text for a report: at most 4096 bytes, of a longer one the beginning and the end. Control characters other
    /// than newline and tab are escaped.
    pub(crate) fn shown(&self) -> Option<String> {
        if self.beginning.is_empty() && self.end.is_empty() {
            return None;
        }
        let beginning = Escaped::of(&self.beginning);
        if self.dropped == 0 && beginning.text.len() <= SHOWN {
            return Some(beginning.text);
        }
        let (first, last) = SHOWN_ENDS;
        let (first, bytes_of_first) = beginning.first(first);
        let end = Escaped::of(if self.dropped == 0 { &self.beginning } else { &self.end });
        let (last, bytes_of_last) = end.last(last);
        let kept = self.beginning.len() + self.end.len();
        let left_out = self.dropped + (kept - bytes_of_first - bytes_of_last) as u64;
        Some(format!("{first}\n[… {left_out} bytes …]\n{last}"))
    }

    fn last(&self) -> String {
        let bytes = if self.dropped == 0 { &self.beginning } else { &self.end };
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// Returns the line in which the runtime of a failed program reports that it ran out of memory.
    pub(crate) fn out_of_memory(&self, language: &Language) -> Option<String> {
        let text = self.last();
        let line = text.lines().rev().find(|line| finds(&language.out_of_memory, line).is_some())?;
        Some(in_short(without_label(&language.crash, line)))
    }

    /// Returns the line in which the runtime of a failed program names the error.
    pub(crate) fn error(&self, language: &Language) -> Option<String> {
        error_line(&language.crash, &language.crash_end, &self.last()).filter(|line| !line.is_empty())
    }
}

/// Describes how a program that failed by itself ended.
pub(crate) fn of_exit(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit code {code}"),
        Exit::Signal(signal) => meaning(signal),
        Exit::NotStarted { .. } => String::new(),
    }
}

/// Returns the line in which a runtime reports an uncaught error, where the program wrote nothing after it.
pub(crate) fn crash_line(crash: &[String], crash_end: &[String], stderr: &str) -> Option<String> {
    let lines: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    if finds(crash_end, lines.last()?).is_some() {
        return error_line(crash, crash_end, stderr);
    }
    let mark = lines.iter().rposition(|line| finds(crash, line).is_some())?;
    let trace = lines.get(mark..)?;
    // Stack frames are indented or stand above an indented line; besides them there is at most the error, after its frames.
    let said = |place: usize, line: &str| {
        let is_above_frame = trace.get(place + 1).is_some_and(|next| is_indented(next));
        // D's frames end in an address, below a line of dashes.
        let is_of_d = line.bytes().all(|byte| byte == b'-') || (line.contains(" [0x") && line.ends_with(']'));
        let is_frame = is_above_frame || is_of_d;
        !is_indented(line) && !line.ends_with(':') && !is_frame
    };
    let own: Vec<&str> = trace
        .iter()
        .enumerate()
        .skip(1)
        .filter(|(place, line)| said(*place, line))
        .map(|(_, line)| *line)
        .collect();
    match own.as_slice() {
        [] => lines.get(mark).map(|line| (*line).to_owned()),
        [only] => lines.last().filter(|last| *last == only).map(|line| (*line).to_owned()),
        _ => None,
    }
}

fn error_line(crash: &[String], crash_end: &[String], stderr: &str) -> Option<String> {
    let lines: Vec<&str> = stderr.lines().map(str::trim_end).collect();
    let last = lines.iter().rposition(|line| !line.is_empty())?;
    let Some(mark) = lines.iter().rposition(|line| finds(crash, line).is_some()) else {
        finds(crash_end, lines[last])?;
        return error_before(&lines[..last]);
    };
    let line = lines[mark];
    if !line.ends_with(':') {
        let line = without_label(crash, line);
        // The C++ runtime says on the next line what the exception says.
        let what = lines.get(mark + 1).and_then(|next| next.strip_prefix("  what():  "));
        return Some(in_short(
            &what.map_or(line.to_owned(), |what| format!("{}: {what}", line.trim_matches('\''))),
        ));
    }
    // A heading: the error is the first line below it that is no frame, or all of them where all are
    // indented alike.
    let paragraph =
        lines[mark + 1..].iter().skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
    let error = paragraph.clone().find(|line| !is_indented(line)).map(|line| (*line).to_owned());
    let all = || paragraph.map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    Some(in_short(&error.unwrap_or_else(all)))
}

/// Returns the error of a runtime that writes it before the stack frames, such as Node.js.
fn error_before(lines: &[&str]) -> Option<String> {
    let is_error =
        |line: &&&str| !line.is_empty() && !is_indented(line) && !line.starts_with(['}', '(', '"']);
    lines.iter().rev().find(is_error).map(|line| in_short(line))
}

/// Removes a label such as `Fatal error: exception `: a beginning in the table that ends in a space.
fn without_label<'a>(crash: &[String], line: &'a str) -> &'a str {
    let labels = crash.iter().filter(|beginning| beginning.ends_with(' '));
    labels.filter_map(|label| beginning(label, line)).min_by_key(|rest| rest.len()).unwrap_or(line)
}

fn finds<'a>(beginnings: &[String], line: &'a str) -> Option<&'a str> {
    beginnings.iter().find_map(|text| beginning(text, line))
}

/// Returns the rest of a line after a beginning in which `*` matches any text; `None` where it does not match.
fn beginning<'a>(pattern: &str, line: &'a str) -> Option<&'a str> {
    let mut parts = pattern.split('*');
    let mut rest = line.strip_prefix(parts.next()?)?;
    for part in parts {
        rest = &rest[rest.find(part)? + part.len()..];
    }
    Some(rest)
}

fn is_indented(line: &str) -> bool {
    line.starts_with(char::is_whitespace)
}

/// Returns one line, truncated, with control characters escaped.
fn in_short(line: &str) -> String {
    let line = printable(line.trim().as_bytes()).replace(['\n', '\t'], " ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn printable(bytes: &[u8]) -> String {
    Escaped::of(bytes).text
}

/// Text with control characters escaped, and how it maps to the original bytes.
struct Escaped {
    text: String,
    /// Offsets of the characters in the text and in the bytes, and the end of both.
    places: Vec<(usize, usize)>,
}

impl Escaped {
    fn of(bytes: &[u8]) -> Self {
        let (mut text, mut places) =
            (String::with_capacity(bytes.len()), Vec::with_capacity(bytes.len() + 1));
        let mut at = 0;
        for chunk in bytes.utf8_chunks() {
            for character in chunk.valid().chars() {
                places.push((text.len(), at));
                at += character.len_utf8();
                match character {
                    '\r' => {}
                    '\n' | '\t' => text.push(character),
                    _ if character.is_control() => text.extend(character.escape_default()),
                    _ => text.push(character),
                }
            }
            if !chunk.invalid().is_empty() {
                places.push((text.len(), at));
                at += chunk.invalid().len();
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        places.push((text.len(), at));
        Self { text, places }
    }

    /// Returns the first characters that fit into `most` bytes, and the number of original bytes.
    fn first(&self, most: usize) -> (&str, usize) {
        let fitting = self.places.partition_point(|(text, _)| *text <= most);
        let (text, bytes) = self.places[fitting - 1];
        (&self.text[..text], bytes)
    }

    /// Returns the last characters that fit into `most` bytes, and the number of original bytes.
    fn last(&self, most: usize) -> (&str, usize) {
        let least = self.text.len().saturating_sub(most);
        let (text, bytes) = self.places[self.places.partition_point(|(text, _)| *text < least)];
        (&self.text[text..], self.places[self.places.len() - 1].1 - bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::judge::exec::both_ends;
    use crate::language::Table;

    fn words(language: &str, stderr: &str) -> Option<String> {
        let table = Table::built_in().unwrap();
        let language = table.get(language).unwrap();
        crash_line(&language.crash, &language.crash_end, stderr)
    }

    fn standard_error(text: &[u8]) -> StandardError {
        let mut capture = both_ends(Path::new("/nonexistent"));
        capture.push(text).unwrap();
        StandardError::of(&mut capture).unwrap()
    }

    fn error(language: &str, stderr: &str) -> Option<String> {
        let table = Table::built_in().unwrap();
        standard_error(stderr.as_bytes()).error(table.get(language).unwrap())
    }

    const TRACE: &str =
        "Traceback (most recent call last):\n  File \"a.py\", line 1\n    f()\nValueError: no\n";

    #[test]
    fn last_words_are_those_of_a_runtime_that_says_nothing_after_them() {
        assert_eq!(words("python3", TRACE).as_deref(), Some("ValueError: no"));
        assert_eq!(
            words("python3", &format!("noise\n{TRACE}\nDuring handling of it:\n\n{TRACE}")).as_deref(),
            Some("ValueError: no")
        );
        assert_eq!(words("python3", &format!("{TRACE}wrong answer 3 != 4\n")), None);
        assert_eq!(words("python3", "wrong answer Traceback (most recent call last):\n"), None);
        assert_eq!(words("cpp20", TRACE), None);
        assert_eq!(words("d", "std. deviation differs\n"), None);
        assert!(words("d", "std.conv.ConvException@std/conv.d(7): no\n").is_some());
        let java = "Exception in thread \"main\" java.lang.Error: no\n\tat M.main(M.java:1)\nCaused by: x\n\t... 1 more\n";
        assert!(words("java17", java).unwrap().ends_with("java.lang.Error: no"));
        assert_eq!(words("java17", &format!("{java}wrong answer\nat last")), None);
        let node = "/program/main.js:1\nthrow 1;\n^\n\nError: x\n    at f\n\nNode.js v20.1.0\n";
        assert_eq!(words("javascript", node).as_deref(), Some("Error: x"));
        let go = "panic: no\n\ngoroutine 1 [running]:\nmain.f(...)\n\t/w/src/main.go:3\nmain.main()\n\t/w/src/main.go:9\n";
        let lisp = "Unhandled SIMPLE-ERROR in thread #<SB-THREAD:THREAD \"main thread\" RUNNING\n    {1001348003}>:\n  no \
                    way\n\nBacktrace for: #<SB-THREAD:THREAD {1001348003}>\n0: (F)\n1: (G)\n\nunhandled condition in \
                    --disable-debugger mode, quitting\n";
        assert_eq!(words("lisp", lisp).as_deref(), Some("no way"));
        let prolog =
            "ERROR: -g main: no file\nERROR: In:\nERROR:   [10] open(x)\nERROR:    [9] main at a.pl:1\n";
        assert_eq!(words("prolog", prolog).as_deref(), Some("no file"));
        let tcl = "no such file\n    while executing\n\"open x\"\n    (file \"/program/check.tcl\" line 4)\n";
        assert_eq!(words("tcl", tcl).as_deref(), Some("no such file"));
        assert_eq!(words("tcl", &format!("{tcl}wrong answer\n")), None);
        assert_eq!(words("go", go).as_deref(), Some("panic: no"));
    }

    #[test]
    fn the_error_is_the_runtimes_own_line() {
        let node = "/program/main.js:1\nthrow 1;\n^\n\nTypeError: x is no function\n    at f {\n  code: 1\n}\n\nNode.js v20.1.0\n";
        let cpp = "terminate called after throwing an instance of 'std::out_of_range'\n  what():  map::at\n";
        let rust =
            "thread 'main' panicked at src/main.rs:2:5:\nindex out of bounds: the len is 0\nnote: run with\n";
        for (language, stderr, line) in [
            ("python3", TRACE, Some("ValueError: no")),
            ("python3", &format!("{TRACE}bye\n"), Some("ValueError: no")),
            ("python3", "debug\n", None),
            (
                "java17",
                "Exception in thread \"main\" java.lang.Error: no\n\tat M.main(M.java:1)\n",
                Some("java.lang.Error: no"),
            ),
            ("javascript", node, Some("TypeError: x is no function")),
            ("go", "panic: no\n\ngoroutine 1 [running]:\nmain.f(...)\n", Some("no")),
            ("cpp20", cpp, Some("std::out_of_range: map::at")),
            ("rust", rust, Some("index out of bounds: the len is 0")),
        ] {
            assert_eq!(error(language, stderr).as_deref(), line, "{language}: {stderr}");
        }
    }

    #[test]
    fn long_texts_are_shown_by_both_ends_and_cannot_move_a_cursor() {
        assert_eq!(standard_error(b"").shown(), None);
        assert_eq!(standard_error(b"a\r\n\tb\x1b[2J\xff").shown().unwrap(), "a\n\tb\\u{1b}[2J\u{fffd}");
        for length in [5_000, 100_000, 1 << 20] {
            let mut text = vec![b'x'; length];
            text[0] = b'<';
            text.push(b'>');
            let shown = standard_error(&text).shown().unwrap();
            assert!(
                shown.starts_with('<') && shown.ends_with('>') && shown.len() <= SHOWN,
                "{}",
                shown.len()
            );
            assert!(shown.contains(&format!("[… {} bytes …]", length + 1 - (4096 - 64))), "{length}");
        }
    }

    #[test]
    fn what_is_shown_is_cut_after_escaping_between_characters() {
        for character in ["\x01", "\u{7f}", "\u{85}", "ä", "€", "😀", "\r", "a\x01€"] {
            for length in [1, 681, 683, 1024, 4096, 20_000, 100_000] {
                let text = character.repeat(length);
                let shown = standard_error(text.as_bytes()).shown().unwrap();
                assert!(shown.len() <= 4096, "{character:?} {length}: {}", shown.len());
                if length == 100_000 && character == "\x01" {
                    // What is left out is counted in the program's own bytes.
                    let count = shown.matches("\\u{1}").count();
                    assert!(shown.contains(&format!("[… {} bytes …]", length - count)), "{shown}");
                }
                // Only the ends of what was kept can be in the middle of a character.
                assert!(shown.matches('\u{fffd}').count() <= 6, "{character:?} {length}");
            }
        }
        let shown = standard_error(&[0xff; 9000]).shown().unwrap();
        assert!(shown.len() <= 4096 && shown.starts_with('\u{fffd}') && shown.ends_with('\u{fffd}'));
    }

    #[test]
    fn the_last_line_is_found_behind_any_amount_of_noise() {
        let mut text = "noise\n".repeat(1 << 16);
        text.push_str(TRACE);
        assert_eq!(error("python3", &text).as_deref(), Some("ValueError: no"));
    }

    #[test]
    fn stars_stand_for_anything() {
        assert_eq!(beginning("a*b ", "axxb c"), Some("c"));
        assert_eq!(beginning("a*b ", "xab c"), None);
        assert_eq!(beginning("a", "abc"), Some("bc"));
    }
}
