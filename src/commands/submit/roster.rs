//! Who hands in what: from the command line, a folder of students, or a CSV.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::super::sources::leads_inside;
use super::super::start::shown;
use super::super::{CommandError, output};
use super::csv_roster;
use crate::cli::Submit as Arguments;

/// Bad rows that are named one by one.
const MOST_NAMED: usize = 20;

/// One submission as somebody handed it in; nothing of it is read yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    /// Who: the first part of the id, and what rows are called by.
    pub(super) student: String,
    /// The student's name for people.
    pub(super) name: Option<String>,
    /// Problem, where it is not the command's.
    pub(super) problem: Option<String>,
    /// Language id, where it is named.
    pub(super) language: Option<String>,
    /// Files, or one folder of them.
    pub(super) sources: Vec<PathBuf>,
    /// When it was handed in.
    pub(super) submitted: Option<jiff::Timestamp>,
    /// What else is known.
    pub(super) meta: Map<String, Value>,
    /// Where it stands, for messages: `students.csv: line 7`.
    pub(super) place: String,
}

/// A row that cannot be sent.
#[derive(Debug, Clone)]
pub(super) struct BadRow {
    /// As far as it could be read.
    pub(super) draft: Box<Draft>,
    /// Column and what is wrong with it.
    pub(super) problem: String,
}

/// A row of the roster.
pub(super) type Row = Result<Draft, BadRow>;

/// Reads the roster the arguments mean.
///
/// # Errors
/// When there is none, or it is no roster at all; single rows that cannot be used are among the rows.
pub(super) fn read(arguments: &Arguments) -> Result<Vec<Row>, CommandError> {
    let Some(batch) = &arguments.batch else {
        let first = arguments.sources.first().and_then(|path| path.file_stem());
        let student = first.map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        return Ok(vec![Ok(Draft { student, sources: arguments.sources.clone(), ..Draft::default() })]);
    };
    let rows = if batch.is_dir() { read_folder(batch)? } else { csv_roster::read(batch)? };
    if rows.is_empty() {
        return Err(CommandError::Usage(format!(
            "batch '{}' has no submissions: put a file or folder a student into the folder, or a row into the CSV",
            shown(batch)
        )));
    }
    Ok(rows)
}

/// Every file and folder directly in a folder is a student's.
fn read_folder(folder: &Path) -> Result<Vec<Row>, CommandError> {
    let fail = |error: std::io::Error| CommandError::Usage(format!("batch '{}': {error}", shown(folder)));
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !is_hidden {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths.into_iter().map(|path| read_student(folder, path)).collect())
}

fn read_student(folder: &Path, path: PathBuf) -> Row {
    let name = if path.is_dir() { path.file_name() } else { path.file_stem() };
    let student = name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut draft = Draft { student, place: shown(&path), ..Draft::default() };
    if path.is_symlink() && !leads_inside(&path, folder) {
        let problem = "it is a symbolic link out of the folder; put the file itself there".to_owned();
        return Err(BadRow { draft: Box::new(draft), problem });
    }
    draft.submitted = newest(&path).and_then(|time| jiff::Timestamp::try_from(time).ok());
    draft.sources = vec![path];
    Ok(draft)
}

/// When the last of a student's files was written.
fn newest(path: &Path) -> Option<SystemTime> {
    let written = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    if !path.is_dir() {
        return written(path);
    }
    let files = std::fs::read_dir(path).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    files.filter(|path| path.is_file()).filter_map(|path| written(&path)).max()
}

/// Names bad rows, each on a line of its own.
pub(super) fn complain(bad: &[&BadRow]) {
    for row in bad.iter().take(MOST_NAMED) {
        output::complain(&format!("{}: {}", row.draft.place, row.problem));
    }
    if bad.len() > MOST_NAMED {
        output::complain(&format!("and {} more rows like that", bad.len() - MOST_NAMED));
    }
}
