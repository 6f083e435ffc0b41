//! Brings what a student handed in into the form that is judged: plain source files in one folder.
//!
//! Students hand in zips, folders in folders, notebooks, files named `main.py.txt` or `MAIN.PY`, and texts in UTF-16. All
//! of it comes from outside: archives are unpacked within limits, links are not followed out of the work, and nothing of it
//! runs here.

use std::fs;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::super::sources::{self, leads_inside};
use super::super::start::shown;
use super::super::{CommandError, output};
use super::location::Location;
use super::notebook;
use super::text::{self, Form};
use crate::archive::{self, Limits};
use crate::cancel::CancelToken;
use crate::judge::MAX_FILES;
use crate::language::{Language, Table, encoding};

/// What a student's archive may unpack to.
const LIMITS: Limits = Limits { bytes: 256 << 20, entries: 20_000, ratio: 200, free: 16 << 20 };
/// Archives in archives that are opened, at most.
const NESTED: usize = 2;
/// Files that are looked at.
const MOST_FILES: usize = 20_000;
/// Folders in folders.
const DEPTH: usize = 32;
/// A data file that a source names may have so many bytes.
const LARGEST_DATA: u64 = 1 << 20;
/// Folders that tools fill and nobody hands in on purpose.
const TOOLS: [&str; 5] = ["__MACOSX", "__pycache__", "node_modules", "venv", "site-packages"];
/// Files named in a message.
const NAMED: usize = 5;

/// A student's work as plain files.
#[derive(Debug)]
pub(super) struct Work {
    directory: TempDir,
}

impl Work {
    /// The folder of its files.
    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// An error about the copies, which the student has never seen.
    pub(super) fn in_words_of_student(&self, error: CommandError) -> CommandError {
        let folder = shown(self.path());
        let words = |text: String| text.replace(&format!("{folder}/"), "").replace(&folder, "the work");
        match error {
            CommandError::Usage(text) => CommandError::Usage(words(text)),
            CommandError::Judging(text) => CommandError::Judging(words(text)),
            other => other,
        }
    }
}

/// A file of the work.
#[derive(Debug)]
struct File {
    location: Location,
    /// Its path in the work, for messages.
    shown: String,
}

/// A source under the name it is compiled by.
struct Source {
    name: String,
    shown: String,
    bytes: Vec<u8>,
}

/// Collects the sources of a work; `folder` is the roster's, in which `paths` have no links.
///
/// # Errors
/// One line that says why there is no program in it.
pub(super) fn gather(
    paths: &[PathBuf],
    folder: &Path,
    wanted: Option<&Language>,
    table: &Table,
) -> Result<Work, CommandError> {
    let cancel = CancelToken::new().map_err(CommandError::judging)?;
    let mut files = Vec::new();
    for path in paths {
        list(path, folder, &mut files)?;
    }
    let mut unpacked = Vec::new();
    for _ in 0..NESTED {
        let Some(archive) = only_archive(&files, table)? else { break };
        let directory = tempfile::tempdir().map_err(CommandError::judging)?;
        unpack(archive, directory.path(), &cancel)?;
        files.clear();
        list(directory.path(), directory.path(), &mut files)?;
        unpacked.push(directory);
    }
    let sources = choose(&files, wanted, table)?;
    write(&sources)
}

/// Unpacks a student's archive.
fn unpack(archive: &File, directory: &Path, cancel: &CancelToken) -> Result<(), CommandError> {
    let name = format!("'{}'", archive.shown);
    let fail = |problem: String| CommandError::Usage(format!("{name}: {problem}"));
    let file = archive.location.open().map_err(|error| fail(explained(&error)))?;
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Err(fail("it is not a regular file".to_owned()));
    }
    // The file that was opened, whatever the path leads to by now.
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    archive::unpack(&path, &name, directory, LIMITS, cancel).map_err(|error| {
        if error.is_ours() { CommandError::judging(error) } else { CommandError::usage(error) }
    })
}

/// Says why a file was not opened.
fn explained(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ELOOP | libc::EXDEV) => {
            "a symbolic link leads to it from elsewhere; put the file itself there".to_owned()
        }
        _ => format!("{error}; check the path and its permissions"),
    }
}

/// Lists the files at or below a path.
fn list(path: &Path, folder: &Path, files: &mut Vec<File>) -> Result<(), CommandError> {
    let location = Location::of(path, folder);
    if path.is_dir() {
        return walk((path, &location), path, 0, files);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // A learning platform's prefix is not part of the name.
    let own = super::moodle::read(&name).map(|name| name.rest.to_owned()).filter(|rest| !rest.is_empty());
    files.push(File { location, shown: output::one_line(&own.unwrap_or(name)) });
    Ok(())
}

fn walk(
    (root, location): (&Path, &Location),
    folder: &Path,
    depth: usize,
    files: &mut Vec<File>,
) -> Result<(), CommandError> {
    let below = |path: &Path| shown(path.strip_prefix(root).unwrap_or(path));
    let fail = |error: std::io::Error| CommandError::Usage(format!("folder '{}': {error}", below(folder)));
    if depth > DEPTH {
        return Err(CommandError::Usage(format!("its folders are more than {DEPTH} deep")));
    }
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(fail)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(fail)?;
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kind = path.symlink_metadata().map_err(fail)?.file_type();
        if name.starts_with('.') || TOOLS.contains(&name.as_str()) {
            continue;
        }
        if files.len() >= MOST_FILES {
            return Err(CommandError::Usage(format!("it has more than {MOST_FILES} files")));
        }
        if kind.is_dir() {
            walk((root, location), &path, depth + 1, files)?;
        } else if kind.is_symlink() && !leads_inside(&path, root) {
            return Err(CommandError::Usage(format!(
                "'{}' is a symbolic link out of its folder; put the file itself there, or remove it",
                below(&path)
            )));
        } else if path.is_file() {
            let inside = path.strip_prefix(root).unwrap_or(&path);
            files.push(File { shown: below(&path), location: location.inside(inside) });
        }
    }
    Ok(())
}

/// The archive that is to be unpacked: the only one where there is no program beside it.
fn only_archive<'a>(files: &'a [File], table: &Table) -> Result<Option<&'a File>, CommandError> {
    let forms: Vec<_> = files.iter().map(|file| (file, text::form(base(&file.shown), table))).collect();
    if forms.iter().any(|(_, form)| matches!(form, Form::Source(_) | Form::Notebook)) {
        return Ok(None);
    }
    let archives: Vec<_> =
        forms.iter().filter(|(_, form)| *form == Form::Archive).map(|(file, _)| *file).collect();
    match archives.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        several => Err(CommandError::Usage(format!(
            "it holds several archives and no program: {}; hand in one",
            named(several.iter().map(|file| file.shown.as_str()))
        ))),
    }
}

/// Chooses the sources, and the data files that they name.
fn choose(files: &[File], wanted: Option<&Language>, table: &Table) -> Result<Vec<Source>, CommandError> {
    let (mut chosen, mut others) = (Vec::new(), Vec::new());
    for file in files {
        let name = base(&file.shown);
        match text::form(name, table) {
            Form::Source(name) => chosen.push(source(file, name)?),
            Form::Notebook => chosen.push(of_notebook(file, table)?),
            Form::Archive | Form::Other => others.push(file),
        }
    }
    if chosen.is_empty() {
        chosen.push(only_text(&others, wanted)?);
    } else {
        for file in others {
            let name = base(&file.shown);
            let is_small =
                file.location.path().metadata().is_ok_and(|metadata| metadata.len() <= LARGEST_DATA);
            if is_small && chosen.iter().any(|source| mentions(&source.bytes, name)) {
                let bytes = read(file)?;
                chosen.push(Source { name: name.to_owned(), shown: file.shown.clone(), bytes });
            }
        }
    }
    if chosen.len() > MAX_FILES {
        return Err(CommandError::Usage(format!(
            "it has {} source files; at most {MAX_FILES} are taken",
            chosen.len()
        )));
    }
    check_folders(&chosen)?;
    Ok(chosen)
}

fn source(file: &File, name: String) -> Result<Source, CommandError> {
    Ok(Source { name, shown: file.shown.clone(), bytes: read(file)? })
}

fn of_notebook(file: &File, table: &Table) -> Result<Source, CommandError> {
    let program = notebook::program(&encoding::to_utf8_lossy(&read(file)?), table)
        .map_err(|problem| CommandError::Usage(format!("'{}': {problem}", file.shown)))?;
    let name = format!("{}.{}", text::stem(base(&file.shown)), program.ending);
    Ok(Source { name, shown: file.shown.clone(), bytes: program.text.into_bytes() })
}

/// The only file of a work without a known ending: a script with a first line `#!…`, or any text where the language is
/// named.
fn only_text(files: &[&File], wanted: Option<&Language>) -> Result<Source, CommandError> {
    let none = || {
        let found = if files.is_empty() {
            "it is empty".to_owned()
        } else {
            format!("it holds {}", named(files.iter().map(|file| file.shown.as_str())))
        };
        CommandError::Usage(format!("there is no program in it: {found}"))
    };
    let mut candidates = Vec::new();
    for file in files {
        let name = base(&file.shown);
        let is_bare = !name.contains('.');
        let is_text = name.to_ascii_lowercase().ends_with(".txt");
        if is_bare || (is_text && wanted.is_some()) {
            let bytes = read(file)?;
            let is_script = is_bare && encoding::to_utf8_lossy(&bytes).starts_with(b"#!");
            if encoding::is_text(&bytes) && !bytes.is_empty() && (is_script || wanted.is_some()) {
                candidates.push((*file, bytes));
            }
        }
    }
    let [(file, bytes)] = candidates.as_mut_slice() else { return Err(none()) };
    let bytes = std::mem::take(bytes);
    let name = wanted.map_or_else(|| base(&file.shown).to_owned(), text::named_for);
    Ok(Source { name, shown: file.shown.clone(), bytes })
}

/// Refuses a program whose files find each other by their folders: sources lie in one folder when they are compiled.
fn check_folders(sources: &[Source]) -> Result<(), CommandError> {
    for (place, source) in sources.iter().enumerate() {
        if let Some(other) = sources.iter().take(place).find(|other| other.name == source.name) {
            return Err(CommandError::Usage(format!(
                "two files are named '{}': {} and {}; sources are compiled in one folder, rename one",
                source.name, other.shown, source.shown
            )));
        }
    }
    let common = common_folder(sources);
    for source in sources.iter().filter(|source| !text::declares_packages(&source.name)) {
        let inner = source.shown.strip_prefix(common).unwrap_or(&source.shown);
        let folders = inner.rsplit_once('/').map_or("", |(folders, _)| folders);
        for folder in folders.split('/').filter(|folder| !folder.is_empty()) {
            if let Some(user) = sources.iter().find(|user| text::names_folder(&user.bytes, folder)) {
                return Err(CommandError::Usage(format!(
                    "{} takes in files by their folder ('{folder}'), and sources are compiled in one folder: put them \
                     beside each other",
                    user.shown
                )));
            }
        }
    }
    Ok(())
}

/// The folder that all sources lie in, with a slash at its end.
fn common_folder(sources: &[Source]) -> &str {
    let folder = |source: &'_ Source| source.shown.rfind('/').map_or(0, |place| place + 1);
    let Some(first) = sources.first() else { return "" };
    let mut common = &first.shown[..folder(first)];
    for source in sources {
        while !source.shown.starts_with(common) {
            common = common[..common.len() - 1].rfind('/').map_or("", |place| &common[..=place]);
        }
    }
    common
}

/// Writes the sources into a folder of their own.
fn write(sources: &[Source]) -> Result<Work, CommandError> {
    let directory = tempfile::tempdir().map_err(CommandError::judging)?;
    for source in sources {
        if source.name == "__init__.py" && source.bytes.is_empty() {
            // It marks a folder, and there are none here.
            continue;
        }
        let path = directory.path().join(&source.name);
        fs::write(&path, &source.bytes)
            .map_err(|error| CommandError::Usage(format!("'{}': {error}; rename the file", source.shown)))?;
    }
    Ok(Work { directory })
}

fn read(file: &File) -> Result<Vec<u8>, CommandError> {
    let opened = file.location.open().map_err(|error| explained(&error));
    opened
        .and_then(sources::read_opened)
        .map_err(|problem| CommandError::Usage(format!("'{}': {problem}", file.shown)))
}

fn mentions(text: &[u8], name: &str) -> bool {
    name.len() >= 3 && memchr::memmem::find(&encoding::to_utf8_lossy(text), name.as_bytes()).is_some()
}

fn base(shown: &str) -> &str {
    shown.rsplit_once('/').map_or(shown, |(_, name)| name)
}

fn named<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = names.len();
    let mut text = names.take(NAMED).collect::<Vec<_>>().join(", ");
    if count > NAMED {
        text.push_str(&format!(" and {} more", count - NAMED));
    }
    text
}
