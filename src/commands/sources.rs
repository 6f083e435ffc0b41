//! Reads source files from disk into a submission, without trusting them to be files.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::start::shown;
use super::{CommandError, output};
use crate::language::{Language, Order, Part, Table, Unclear};
use crate::package::{JurySubmission, SubmissionKind};
use crate::submission::{Content, SourceFile};
use crate::units::Bytes;

/// Read at most this much of one source, whatever a package allows: a mistaken path must not fill memory.
const LARGEST: Bytes = Bytes::mib(16);

/// The files a list of paths means: the files themselves, or those directly inside the one folder named.
///
/// # Errors
/// When a folder is among several paths, holds folders or nothing, or cannot be read.
pub(crate) fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CommandError> {
    let [only] = paths else {
        if let Some(folder) = paths.iter().find(|path| path.is_dir()) {
            return Err(CommandError::Usage(format!(
                "source '{}' is a folder among several sources: give one folder, or only files",
                shown(folder)
            )));
        }
        return Ok(paths.to_vec());
    };
    if !only.is_dir() {
        return Ok(paths.to_vec());
    }
    let fail = |error| CommandError::Usage(format!("source folder '{}': {error}", shown(only)));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(only).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if is_hidden || !path.is_file() {
            continue;
        }
        // A folder comes from somebody else: a link in it must not show a file of the judge's in a compiler's
        // messages.
        if path.is_symlink() && !leads_inside(&path, only) {
            return Err(CommandError::Usage(format!(
                "source '{}' is a symbolic link out of its folder; put the file itself there, or remove it",
                shown(&path)
            )));
        }
        files.push(path);
    }
    files.sort();
    if files.is_empty() {
        return Err(CommandError::Usage(format!(
            "source folder '{}' has no files: put the sources directly into it",
            shown(only)
        )));
    }
    Ok(files)
}

/// Whether a link leads to something inside the folder.
pub(crate) fn leads_inside(link: &Path, folder: &Path) -> bool {
    matches!((link.canonicalize(), folder.canonicalize()), (Ok(target), Ok(folder)) if target.starts_with(&folder))
}

/// A program read from disk: its language, its files with the entry point first, and the entry point's name where there are
/// several.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) language: String,
    pub(crate) files: Vec<SourceFile>,
    pub(crate) entry_point: Option<String>,
}

/// What the order of the files that [`expand`] makes of these paths means.
pub(crate) fn order_of(named: &[PathBuf]) -> Order {
    match named {
        [only] if only.is_dir() => Order::Unknown,
        _ => Order::FirstStarts,
    }
}

/// Reads a program of these files.
///
/// # Errors
/// When a file cannot be read, or language or entry point are neither named nor clear.
pub(crate) fn program(
    mut paths: Vec<PathBuf>,
    order: Order,
    language: Option<&str>,
    entry_point: Option<&str>,
    table: &Table,
) -> Result<Program, CommandError> {
    if let Some(name) = entry_point {
        put_first(&mut paths, name)?;
    }
    // Read before the language is guessed: a missing file deserves its own message.
    let mut files = read(&paths)?;
    let ask = |unclear: Unclear, what: &str| CommandError::Usage(format!("{unclear}; give {what}"));
    let language = match language {
        Some(id) => table.named(id).ok_or_else(|| CommandError::Usage(table.unknown(id)))?,
        None => {
            let entry = entry_point.and(paths.first()).map(PathBuf::as_path);
            table.guess_submission(&paths, entry).map_err(|unclear| {
                let known = known_languages(table);
                ask(unclear, &format!("--language ID or --entry-point NAME; known languages are {known}"))
            })?
        }
    };
    name_nameless(&mut files, language);
    if entry_point.is_none() && files.len() > 1 {
        let place =
            entry_of(&files, language, order).map_err(|unclear| ask(unclear, "--entry-point NAME"))?;
        files[..=place].rotate_right(1);
    }
    let entry_point = files.first().filter(|_| files.len() > 1).map(|file| file.name.clone());
    Ok(Program { language: language.id.clone(), files, entry_point })
}

/// The place of the file that a program of several starts with.
///
/// # Errors
/// When nothing decides.
pub(crate) fn entry_of(files: &[SourceFile], language: &Language, order: Order) -> Result<usize, Unclear> {
    let contents: Vec<Vec<u8>> = files.iter().map(|file| bytes_of(&file.content)).collect();
    let parts: Vec<Part<'_>> =
        files.iter().zip(&contents).map(|(file, bytes)| (file.name.as_str(), bytes.as_slice())).collect();
    language.entry_point(&parts, order)
}

/// The bytes of a file that was read here.
fn bytes_of(content: &Content) -> Vec<u8> {
    match content {
        Content::Text(text) => text.clone().into_bytes(),
        Content::Base64(text) => STANDARD.decode(text).unwrap_or_default(),
        Content::Remote(_) => Vec::new(),
    }
}

fn known_languages(table: &Table) -> String {
    table.languages.iter().map(|language| language.id.as_str()).collect::<Vec<_>>().join(", ")
}

/// Moves the file of that name, with or without its ending, to the place of the entry point.
///
/// # Errors
/// When there is none, or more than one.
fn put_first(paths: &mut Vec<PathBuf>, name: &str) -> Result<(), CommandError> {
    let is_called = |path: &&PathBuf| path.file_name().is_some_and(|own| own == name);
    let has_stem = |path: &&PathBuf| path.file_stem().is_some_and(|own| own == name);
    let fitting: Vec<&PathBuf> = match paths.iter().find(is_called) {
        Some(path) => vec![path],
        None => paths.iter().filter(has_stem).collect(),
    };
    let [only] = fitting.as_slice() else {
        return Err(CommandError::Usage(format!(
            "--entry-point '{}' is the name of {} of the sources; give the name of one of them",
            output::one_line(name),
            if fitting.is_empty() { "none" } else { "several" }
        )));
    };
    let entry = (*only).clone();
    paths.retain(|path| *path != entry);
    paths.insert(0, entry);
    Ok(())
}

/// Reads files of answers, which keep their names and may hold anything, nothing too.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_answers(paths: &[PathBuf]) -> Result<Vec<SourceFile>, CommandError> {
    paths
        .iter()
        .map(|path| {
            let fail = |problem: String| CommandError::Usage(format!("answer '{}': {problem}", shown(path)));
            let bytes = read_bytes(path).map_err(fail)?;
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| fail("its name is not UTF-8; rename the file".to_owned()))?;
            let content = match String::from_utf8(bytes) {
                Ok(text) => Content::Text(text),
                Err(error) => Content::Base64(STANDARD.encode(error.into_bytes())),
            };
            Ok(SourceFile { name: name.to_owned(), content })
        })
        .collect()
}

/// Reads the files; a single source without an ending gets an empty name, for [`name_nameless`].
///
/// # Errors
/// When one is no regular file, too large or unreadable. What is in it is for the compiler to judge: no text, or none at all.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<SourceFile>, CommandError> {
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let content = read_one(path)?;
        let name = match path.file_name().and_then(|name| name.to_str()) {
            Some(_) if paths.len() == 1 && path.extension().is_none() => String::new(),
            Some(name) => name.to_owned(),
            None => {
                return Err(CommandError::Usage(format!(
                    "source '{}': its name is not UTF-8; rename the file",
                    shown(path)
                )));
            }
        };
        files.push(SourceFile { name, content });
    }
    Ok(files)
}

/// Why a submission of a jury's cannot be judged in any language of the table; `None` where it can.
pub(crate) fn unknown_language(table: &Table, kind: SubmissionKind, jury: &JurySubmission) -> Option<String> {
    if kind == SubmissionKind::Answers {
        return None;
    }
    match &jury.language {
        Some(code) if table.named(code).is_none() => Some(table.unknown(code)),
        None if table.guess(&jury.files).is_none() => {
            Some("its language cannot be told from its files".to_owned())
        }
        _ => None,
    }
}

/// Gives a source that had no ending the name its language expects.
pub(crate) fn name_nameless(files: &mut [SourceFile], language: &Language) {
    for file in files.iter_mut().filter(|file| file.name.is_empty()) {
        file.name.clone_from(&language.default_source);
    }
}

fn read_one(path: &Path) -> Result<Content, CommandError> {
    let bytes = read_bytes(path)
        .map_err(|problem| CommandError::Usage(format!("source '{}': {problem}", shown(path))))?;
    Ok(match String::from_utf8(bytes) {
        Ok(text) => Content::Text(text),
        Err(error) => Content::Base64(STANDARD.encode(error.into_bytes())),
    })
}

/// Reads one regular file of bounded size; a FIFO or a device is not waited for.
///
/// # Errors
/// What is wrong with it, without its name.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, String> {
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    let file: File = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(|error| format!("{error}; check the path and its permissions"))?;
    read_opened(file)
}

/// Reads a file that was opened without waiting, as [`read_bytes`].
///
/// # Errors
/// What is wrong with it, without its name.
pub(crate) fn read_opened(file: File) -> Result<Vec<u8>, String> {
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a regular file; give a source file".to_owned());
    }
    if metadata.len() > LARGEST.0 {
        return Err(format!("it is {} bytes; at most {LARGEST} are read", metadata.len()));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST.0).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}
