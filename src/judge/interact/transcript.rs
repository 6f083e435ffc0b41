//! Records the dialogue between a program and an interactor, in order.
//!
//! A line of the program's begins with `>`, one of the interactor's with `<`, as in the `.interaction` files of
//! the 2025-09 format; passes are parted by `---`. It is cut at [`LONGEST`] bytes, and is never read again.

use std::path::{Component, Path};

use crate::judge::fault::Fault;

/// Bytes kept of one test's.
const LONGEST: usize = 1 << 20;

/// The transcript of one test.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    text: Vec<u8>,
    last: Option<usize>,
    is_cut: bool,
}

impl Transcript {
    /// Notes what was said; 0 is the program.
    pub(crate) fn note(&mut self, speaker: usize, words: &[u8]) {
        for line in words.split_inclusive(|byte| *byte == b'\n') {
            self.is_cut |= self.text.len() + line.len() + 2 > LONGEST;
            if self.is_cut {
                // Nothing shorter that comes later either: it would look like what was said next.
                return;
            }
            let is_new = self.text.last().is_none_or(|byte| *byte == b'\n');
            if !is_new && self.last != Some(speaker) {
                self.text.push(b'\n');
            }
            if is_new || self.last != Some(speaker) {
                self.text.push(if speaker == 0 { b'>' } else { b'<' });
            }
            self.text.extend_from_slice(line);
            self.last = Some(speaker);
        }
    }

    /// Another pass begins.
    pub(crate) fn next_pass(&mut self) {
        if self.is_cut {
            return;
        }
        self.end_line();
        self.text.extend_from_slice(b"---\n");
    }

    fn end_line(&mut self) {
        if self.text.last().is_some_and(|byte| *byte != b'\n') {
            self.text.push(b'\n');
        }
    }

    /// Writes it to `<directory>/<test>.interaction`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(mut self, directory: &Path, test: &str) -> Result<(), Fault> {
        let name = Path::new(test);
        if !name.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(Fault::Package(format!("test '{test}' has a name that no file can have")));
        }
        self.end_line();
        if self.is_cut {
            self.text.extend_from_slice(b"--- cut here\n");
        }
        let path = directory.join(format!("{test}.interaction"));
        let failed = |error| Fault::file("write the transcript", &path, error);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        std::fs::write(&path, &self.text).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_says_whose_it_is_however_the_words_came() {
        let mut transcript = Transcript::default();
        for (speaker, words) in
            [(1, "10\n"), (0, "gu"), (0, "ess 5\nand"), (1, "low"), (1, "er\n\n"), (0, "!")]
        {
            transcript.note(speaker, words.as_bytes());
        }
        transcript.next_pass();
        transcript.note(1, b"x\n");
        let directory = tempfile::tempdir().unwrap();
        transcript.write(directory.path(), "secret/group/1").unwrap();
        let text = std::fs::read_to_string(directory.path().join("secret/group/1.interaction")).unwrap();
        assert_eq!(text, "<10\n>guess 5\n>and\n<lower\n<\n>!\n---\n<x\n");
    }

    #[test]
    fn it_is_cut_and_stays_where_it_belongs() {
        let mut transcript = Transcript::default();
        for _ in 0..40 {
            transcript.note(0, &[b'x'; 64 * 1024]);
        }
        transcript.note(1, b"late\n");
        transcript.next_pass();
        let directory = tempfile::tempdir().unwrap();
        transcript.write(directory.path(), "1").unwrap();
        let bytes = std::fs::read(directory.path().join("1.interaction")).unwrap();
        assert!(bytes.len() <= LONGEST + 20 && bytes.ends_with(b"x\n--- cut here\n"));
        for name in ["../1", "/etc/1", ""] {
            let written = Transcript::default().write(directory.path(), name);
            assert_eq!(written.is_err(), !name.is_empty(), "{name}");
        }
    }
}
