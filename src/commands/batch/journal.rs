//! What was taken by the broker and what was judged, on disk, so that an interrupted command can go on.
//!
//! One JSON object a line: first `{"journal":1,"queue":NAME}` with the queue at the broker that collects this
//! journal's verdicts, then `{"taken":{"id":…,"judging":…}}` and `{"done":REPORT}` as they happen. Each line
//! is one write; a last line that was cut short by the end of the process is as if it had never been. What
//! decides whether a verdict may be forgotten by the broker is [`Journal::sync`].

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::super::CommandError;
use super::super::broker::{self, QUEUE_PREFIX};
use super::super::start::shown;
use crate::queue::Key;
use crate::report::Report;
use crate::verdict::Verdict;

/// The version of the file.
const VERSION: u32 = 1;

/// A journal that nobody else writes.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: Flock<File>,
    queue: String,
    taken: HashSet<Key>,
    done: HashMap<Key, Report>,
    is_dirty: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Taken { id: String, judging: String },
    Done(Box<Report>),
}

#[derive(Serialize, Deserialize)]
struct Header {
    journal: u32,
    queue: String,
}

impl Journal {
    /// Opens the journal, or makes it.
    ///
    /// # Errors
    /// When it is in use, is something else, or cannot be written.
    pub(crate) fn open(path: &Path) -> Result<Self, CommandError> {
        let fail = |problem: String| CommandError::Usage(format!("journal '{}': {problem}", shown(path)));
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| fail(error.to_string()))?;
        }
        let file = OpenOptions::new().read(true).append(true).create(true).open(path);
        let file = file.map_err(|error| fail(format!("{error}; give another place with --journal FILE")))?;
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Err(fail("it is not a regular file; give another place with --journal FILE".to_owned()));
        }
        let mut file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| {
            fail(
                "another gavel process is using it: wait for that to end, or give another --journal FILE"
                    .to_owned(),
            )
        })?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(|error| fail(error.to_string()))?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
        let mut journal = Self {
            path: path.to_owned(),
            file,
            queue: broker::queue_name(),
            taken: HashSet::new(),
            done: HashMap::new(),
            is_dirty: false,
        };
        let is_none =
            |line: &[u8]| !b"{\"journal\":".starts_with(line) && !line.starts_with(b"{\"journal\":");
        if is_none(&text[..text.len().min(11)]) {
            return Err(fail("it is not a gavel journal; give another file with --journal FILE".to_owned()));
        }
        for (number, line) in text[..whole].split(|byte| *byte == b'\n').enumerate() {
            if !line.is_empty() {
                journal.read_line(number, line).map_err(|problem| {
                    fail(format!("line {}: {problem}; move the file away to begin anew", number + 1))
                })?;
            }
        }
        // What was cut short is overwritten by what comes.
        if whole < text.len() {
            journal.file.set_len(whole as u64).map_err(|error| fail(error.to_string()))?;
        }
        if whole == 0 {
            let header = Header { journal: VERSION, queue: journal.queue.clone() };
            journal.write(&header)?;
            journal.sync()?;
        }
        journal.file.seek(SeekFrom::End(0)).map_err(|error| fail(error.to_string()))?;
        Ok(journal)
    }

    fn read_line(&mut self, number: usize, line: &[u8]) -> Result<(), String> {
        if number == 0 {
            let header: Header = serde_json::from_slice(line).map_err(|error| error.to_string())?;
            if header.journal != VERSION {
                return Err(format!("its version is {}, this gavel knows {VERSION}", header.journal));
            }
            let rest = header.queue.strip_prefix(QUEUE_PREFIX);
            if !rest.is_some_and(|rest| rest.len() == 16 && rest.bytes().all(|c| c.is_ascii_hexdigit())) {
                return Err("its queue has no name of gavel's".to_owned());
            }
            self.queue = header.queue;
            return Ok(());
        }
        match serde_json::from_slice(line).map_err(|error| error.to_string())? {
            Line::Taken { id, judging } => {
                self.taken.insert(Key { id, judging });
            }
            Line::Done(report) => {
                let key = Key { id: report.id.clone(), judging: report.judging.clone() };
                // What was nobody's answer to the work is asked for again.
                if matches!(report.verdict, Verdict::JE | Verdict::CX) {
                    self.taken.remove(&key);
                } else {
                    self.done.insert(key, *report);
                }
            }
        }
        Ok(())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The queue that collects this journal's verdicts.
    pub(crate) fn queue(&self) -> &str {
        &self.queue
    }

    /// Whether the broker has it.
    pub(crate) fn is_taken(&self, key: &Key) -> bool {
        self.taken.contains(key)
    }

    /// Its verdict.
    pub(crate) fn report(&self, key: &Key) -> Option<&Report> {
        self.done.get(key)
    }

    /// The broker has it now.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(crate) fn taken(&mut self, key: &Key) -> Result<(), CommandError> {
        if !self.taken.insert(key.clone()) {
            return Ok(());
        }
        self.write(&Line::Taken { id: key.id.clone(), judging: key.judging.clone() })
    }

    /// Its verdict is here.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(crate) fn done(&mut self, report: &Report) -> Result<(), CommandError> {
        self.write(&Line::Done(Box::new(report.clone())))
    }

    /// Everything written is on the disk, whatever happens to this machine.
    ///
    /// # Errors
    /// When the disk cannot take it.
    pub(crate) fn sync(&mut self) -> Result<(), CommandError> {
        if std::mem::take(&mut self.is_dirty) {
            self.file.sync_data().map_err(|error| self.failure(&error))?;
        }
        Ok(())
    }

    /// Nobody needs it any more.
    pub(crate) fn discard(self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(path = %shown(&self.path), "a journal stays: {error}");
        }
    }

    fn write(&mut self, line: &impl Serialize) -> Result<(), CommandError> {
        let mut text = serde_json::to_vec(line).map_err(CommandError::judging)?;
        text.push(b'\n');
        self.is_dirty = true;
        self.file.write_all(&text).map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &std::io::Error) -> CommandError {
        CommandError::Judging(format!("cannot write journal '{}': {error}", shown(&self.path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> Key {
        Key { id: id.to_owned(), judging: "1".to_owned() }
    }

    #[test]
    fn what_was_written_is_known_again_and_a_torn_line_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/students.journal");
        let mut journal = Journal::open(&path).unwrap();
        let queue = journal.queue().to_owned();
        journal.taken(&key("a")).unwrap();
        journal.taken(&key("b")).unwrap();
        assert!(Journal::open(&path).unwrap_err().to_string().contains("another gavel process"));
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        for end in 0..whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            let mut journal = Journal::open(&path).unwrap();
            let has_header = whole[..end].contains(&b'\n');
            assert_eq!(journal.queue() == queue, has_header);
            assert!(!journal.is_taken(&key("b")));
            journal.taken(&key("c")).unwrap();
            drop(journal);
            assert!(Journal::open(&path).unwrap().is_taken(&key("c")), "cut at {end}");
        }
    }

    #[test]
    fn other_files_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("students.csv");
        for text in [
            "student,source\n",
            "{\"journal\":2,\"queue\":\"gavel.client.0123456789abcdef\"}\n",
            "{\"journal\":1,\"queue\":\"gavel.results\"}\n",
            "{\"journal\":1,\"queue\":\"gavel.client.0123456789abcdef\"}\nrubbish\n",
            "x",
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Journal::open(&path).unwrap_err().to_string();
            assert!(error.contains("students.csv") && !error.contains('\n'), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        assert!(
            Journal::open(Path::new("/dev/null")).unwrap_err().to_string().contains("not a regular file")
        );
    }
}
