//! Reads the list of a class's submissions from a folder, an archive or a CSV.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tempfile::TempDir;

use super::super::start::shown;
use super::super::{CommandError, output};
use super::{csv_roster, folder_roster, git};
use crate::archive::{self, Limits, Refused};
use crate::cancel::CancelToken;

/// Bad rows that are named one by one.
const MOST_NAMED: usize = 20;

/// One submission as somebody handed it in; nothing of it is read yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    /// Who: the first part of the id, and what rows are called by.
    pub(crate) student: String,
    /// The student's name for people.
    pub(crate) name: Option<String>,
    /// Problem, where it is not the command's.
    pub(crate) problem: Option<String>,
    /// Language id, where it is named.
    pub(crate) language: Option<String>,
    /// File the program starts with, where it is named.
    pub(crate) entry_point: Option<String>,
    /// Files, or one folder of them.
    pub(crate) sources: Vec<PathBuf>,
    /// Folder of the roster; in it, sources have no links.
    pub(crate) folder: PathBuf,
    /// When it was handed in.
    pub(crate) submitted: Option<jiff::Timestamp>,
    /// What else is known.
    pub(crate) meta: Map<String, Value>,
    /// Where it stands, for messages: `students.csv: line 7`.
    pub(crate) place: String,
    /// Whether it is a row of a table, whose columns messages name.
    pub(crate) has_columns: bool,
    /// Folder that a learning platform takes this student's feedback from.
    pub(crate) feedback_folder: Option<String>,
}

/// A row that cannot be judged.
#[derive(Debug, Clone)]
pub(crate) struct BadRow {
    /// As far as it could be read.
    pub(crate) draft: Box<Draft>,
    /// Column and what is wrong with it.
    pub(crate) problem: String,
}

/// A row of the roster.
pub(crate) type Row = Result<Draft, BadRow>;

/// Where the times of submissions come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Times {
    /// A column of the CSV.
    Column(String),
    /// The last commit of each student's work.
    Git,
}

impl Times {
    /// As the option spells it.
    pub(crate) fn of(option: &str) -> Self {
        if option == "git" { Self::Git } else { Self::Column(option.to_owned()) }
    }
}

/// The rows of a batch, and what must stay while their files are read.
#[derive(Debug)]
pub(crate) struct Roster {
    /// In the order of the CSV, or by name.
    pub(crate) rows: Vec<Row>,
    _unpacked: Option<TempDir>,
}

impl Roster {
    /// The only row of a command that names its sources.
    pub(crate) fn of_sources(sources: &[PathBuf]) -> Self {
        let first = sources.first().and_then(|path| path.file_stem());
        let student = first.map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let draft = Draft { student, sources: sources.to_vec(), ..Draft::default() };
        Self { rows: vec![Ok(draft)], _unpacked: None }
    }

    /// Reads a CSV, or a folder or an archive with a file or a folder a student.
    ///
    /// # Errors
    /// When it is none of them or empty; single rows that cannot be used are among the rows.
    pub(crate) fn read(batch: &Path, times: &Times, cancel: &CancelToken) -> Result<Self, CommandError> {
        let mut unpacked = None;
        let mut rows = if batch.is_dir() {
            folder_roster::read(batch, batch)?
        } else if is_archive(batch) {
            let class = Unpacked::new(batch, cancel)?;
            let mut rows = folder_roster::read(&class.root, batch)?;
            class.refuse(&mut rows);
            unpacked = Some(class.directory);
            rows
        } else {
            let column = match times {
                Times::Column(name) => name,
                Times::Git => "",
            };
            csv_roster::read(batch, column)?
        };
        if rows.is_empty() {
            return Err(CommandError::Usage(format!(
                "batch '{}' has no submissions: put a file or folder a student into the folder, or a row into the CSV",
                shown(batch)
            )));
        }
        if *times == Times::Git {
            if unpacked.is_some() {
                return Err(CommandError::Usage(format!(
                    "'{}' is an archive, and commits are looked up in a folder: unpack it, or leave out '--times git'",
                    shown(batch)
                )));
            }
            rows = rows.into_iter().map(dated).collect::<Result<_, _>>()?;
        }
        Ok(Self { rows, _unpacked: unpacked })
    }
}

/// Looks up when a row's work was committed; a row whose time cannot be found gets the reason.
///
/// # Errors
/// When `git` cannot be started.
fn dated(row: Row) -> Result<Row, CommandError> {
    let Ok(mut draft) = row else { return Ok(row) };
    match git::last_commit(&draft.sources) {
        Ok(time) => {
            draft.submitted = time;
            Ok(Ok(draft))
        }
        Err(git::Failure::OfRow(problem)) => Ok(Err(BadRow { draft: Box::new(draft), problem })),
        Err(git::Failure::NotStarted(problem)) => Err(CommandError::Usage(problem)),
    }
}

/// Refuses a deadline that nothing can be held against: the times of files are those of their last copy.
///
/// # Errors
/// When no submission has a time.
pub(crate) fn check_due(rows: &[Row], due: Option<jiff::Timestamp>) -> Result<(), CommandError> {
    let has_time = |row: &Row| match row {
        Ok(draft) => draft.submitted.is_some(),
        Err(bad) => bad.draft.submitted.is_some(),
    };
    if due.is_none() || rows.iter().any(has_time) {
        return Ok(());
    }
    Err(CommandError::usage(
        "--due: no submission says when it was handed in: give a CSV with a column 'submitted', name its column with \
         --times COLUMN, or give '--times git' for the last commit of each; the times of files are those of their last \
         copy, and are not looked at",
    ))
}

/// Whether a file is an archive, by its first bytes or its ending.
fn is_archive(path: &Path) -> bool {
    use std::io::Read;
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    let mut head = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    super::text::ARCHIVES.contains(&ending.as_str())
        || (read.is_ok() && (head == *b"PK\x03\x04" || head == *b"PK\x05\x06"))
}

/// A class's archive, unpacked.
struct Unpacked {
    directory: TempDir,
    /// The only folder in it where there is only one and that is no student's; else all of it.
    root: PathBuf,
    /// Files and folders of students with the first entry that could not be unpacked, and why.
    refused: Vec<(PathBuf, String)>,
}

impl Unpacked {
    /// # Errors
    /// When the archive cannot be read or is hostile; an entry of a student's that cannot be unpacked is no error.
    fn new(path: &Path, cancel: &CancelToken) -> Result<Self, CommandError> {
        let directory = tempfile::tempdir().map_err(CommandError::judging)?;
        let of = |error: archive::ArchiveError| {
            if error.is_ours() { CommandError::judging(error) } else { CommandError::usage(error) }
        };
        let left_out = archive::unpack_each(path, &shown(path), directory.path(), Limits::DEFAULT, cancel)
            .map_err(of)?;
        // A student all of whose work was left out is in the class all the same.
        for entry in &left_out {
            stand_in(directory.path(), entry).map_err(CommandError::judging)?;
        }
        let mut root = directory.path().to_owned();
        let only = archive::only_folder(&root).map_err(CommandError::judging)?;
        if let Some(folder) = only.filter(|name| super::moodle::read(name).is_none()) {
            root.push(folder);
        }
        let depth = root.components().count() - directory.path().components().count();
        let mut refused = Vec::new();
        for entry in left_out {
            let parts = parts(&entry);
            let name = output::one_line(&String::from_utf8_lossy(&entry.name));
            let problem = format!("'{name}': {}", entry.problem);
            let Some(student) = parts.get(depth) else {
                return Err(CommandError::Usage(format!("archive {}: {problem}", shown(path))));
            };
            refused.push((root.join(student), problem));
        }
        Ok(Self { directory, root, refused })
    }

    /// Gives the rows of students with such entries the reason instead of a verdict.
    fn refuse(&self, rows: &mut [Row]) {
        for row in rows {
            let Ok(draft) = row else { continue };
            let problem = self.refused.iter().find(|(path, _)| draft.sources.contains(path));
            if let Some((_, problem)) = problem {
                *row = Err(BadRow { draft: Box::new(std::mem::take(draft)), problem: problem.clone() });
            }
        }
    }
}

/// The parts of an entry's name, separated as on Unix or Windows.
fn parts(entry: &Refused) -> Vec<&OsStr> {
    let parts = entry.name.split(|byte| matches!(byte, b'/' | b'\\'));
    parts.filter(|part| !matches!(*part, b"" | b".")).map(OsStr::from_bytes).collect()
}

/// Makes the first two folders of an entry's path, where they are not there; an empty file where it has no more.
fn stand_in(directory: &Path, entry: &Refused) -> std::io::Result<()> {
    let parts = parts(entry);
    let mut path = directory.to_owned();
    for (place, part) in parts.iter().take(2).enumerate() {
        if part.as_bytes().contains(&0) || *part == ".." || part.len() > 255 {
            return Ok(());
        }
        path.push(part);
        match path.symlink_metadata() {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Ok(()),
            Err(_) if place + 1 < parts.len() => std::fs::create_dir(&path)?,
            Err(_) => std::fs::write(&path, "")?,
        }
    }
    Ok(())
}

/// Names bad rows, by their places, each on a line of its own.
pub(crate) fn complain(bad: &[(&str, &str)]) {
    for (place, problem) in bad.iter().take(MOST_NAMED) {
        output::complain(&format!("{place}: {problem}"));
    }
    if bad.len() > MOST_NAMED {
        output::complain(&format!("and {} like that", output::counted(bad.len() - MOST_NAMED, "more row")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Table;

    #[test]
    fn archives_of_a_class_have_the_endings_of_a_students() {
        let folder = tempfile::tempdir().unwrap();
        let cancel = CancelToken::new().unwrap();
        let table = Table::built_in().unwrap();
        let times = Times::Column(csv_roster::SUBMITTED.to_owned());
        for ending in super::super::text::ARCHIVES {
            assert_eq!(
                super::super::text::form(&format!("a.{ending}"), &table),
                super::super::text::Form::Archive
            );
            let path = folder.path().join(format!("class.{}", ending.to_uppercase()));
            std::fs::write(&path, "student,source\na,a.py\n").unwrap();
            let error = Roster::read(&path, &times, &cancel).unwrap_err().to_string();
            assert!(error.contains("pack it as zip"), "{ending}: {error}");
        }
    }
}
