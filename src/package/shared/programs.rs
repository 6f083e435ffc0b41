//! Finds the programs in a folder such as `output_validators/` or `input_validators/`.
//!
//! Each file that is no header and no note is a program, and so is each folder (Kattis problem package format,
//! "Programs"). A folder with a `build` or `run` script in itself is one program. The headers beside a program of one file belong to it as well: tools that put all of `output_validators/`
//! into one directory compile such packages.

use super::submissions::is_no_program;
use crate::package::model::{JuryProgram, LanguageHint, ProgramBuild, ProgramFile};
use crate::package::source::error::PackageError;
use crate::package::source::tree::{Entry, Kind, Tree};

const HEADERS: &[&str] = &[".h", ".hh", ".hpp", ".hxx", ".inc"];

/// All programs in `folder`, in order of names.
///
/// # Errors
/// When something in it cannot be read, or has a name that cannot be reported.
pub(crate) fn find(tree: &Tree, folder: &Entry) -> Result<Vec<JuryProgram>, PackageError> {
    find_each(tree, folder)?.into_iter().collect()
}

/// As [`find`], each program with what is wrong with it alone.
///
/// # Errors
/// When the folder itself cannot be read.
pub(crate) fn find_each(
    tree: &Tree,
    folder: &Entry,
) -> Result<Vec<Result<JuryProgram, PackageError>>, PackageError> {
    let folder_name = folder.reportable()?;
    let entries = tree.entries(&folder.path, 1)?;
    if entries.iter().any(|entry| entry.kind == Kind::File && (entry.name == "build" || entry.name == "run"))
    {
        return Ok(whole(tree, folder).transpose().into_iter().collect());
    }
    let mut headers = Vec::new();
    for entry in entries.iter().filter(|entry| is_header(entry) && entry.kind == Kind::File) {
        headers.push(ProgramFile { name: entry.reportable()?.to_owned(), path: entry.path.clone() });
    }
    let mut programs = Vec::new();
    for entry in entries.iter().filter(|entry| !is_left_out(entry) && !is_header(entry)) {
        let program = || -> Result<Option<JuryProgram>, PackageError> {
            entry.usable()?;
            let own = entry.reportable()?;
            let name = format!("{folder_name}/{own}");
            if entry.kind == Kind::Directory {
                return of_folder(tree, entry, name);
            }
            if is_no_program(entry) {
                return Ok(None);
            }
            let file = ProgramFile { name: own.to_owned(), path: entry.path.clone() };
            let files = [file].into_iter().chain(headers.iter().cloned()).collect();
            Ok(Some(JuryProgram { name, files, build: by_language() }))
        };
        programs.extend(program().transpose());
    }
    Ok(programs)
}

/// The program that a folder is as a whole; `None` for an empty one.
///
/// # Errors
/// As [`find`].
pub(crate) fn whole(tree: &Tree, folder: &Entry) -> Result<Option<JuryProgram>, PackageError> {
    of_folder(tree, folder, folder.reportable()?.to_owned())
}

/// Whether a folder holds sources itself, and not only folders of them.
///
/// # Errors
/// As [`find`].
pub(crate) fn holds_sources(tree: &Tree, folder: &Entry) -> Result<bool, PackageError> {
    let is_source = |entry: &Entry| {
        entry.kind == Kind::File && !is_left_out(entry) && !is_header(entry) && !is_no_program(entry)
    };
    Ok(tree.entries(&folder.path, 1)?.iter().any(is_source))
}

/// The program that a folder is; `None` for an empty one.
fn of_folder(tree: &Tree, folder: &Entry, name: String) -> Result<Option<JuryProgram>, PackageError> {
    let mut files = files(tree, folder)?;
    let brings = |script: &str| files.iter().any(|file: &ProgramFile| file.name == script);
    let build = if brings("build") || brings("run") { ProgramBuild::Scripts } else { by_language() };
    let own = name.rsplit('/').next().unwrap_or_default().to_owned();
    files.sort_by_key(|file| rank(&file.name, &own));
    Ok((!files.is_empty()).then_some(JuryProgram { name, files, build }))
}

/// Every file below a folder, those that tools leave behind aside.
///
/// # Errors
/// As [`find`].
pub(crate) fn files(tree: &Tree, folder: &Entry) -> Result<Vec<ProgramFile>, PackageError> {
    let mut files = Vec::new();
    collect(tree, folder, "", 2, &mut files)?;
    Ok(files)
}

fn collect(
    tree: &Tree,
    folder: &Entry,
    above: &str,
    depth: usize,
    files: &mut Vec<ProgramFile>,
) -> Result<(), PackageError> {
    for entry in tree.entries(&folder.path, depth)?.iter().filter(|entry| !is_left_out(entry)) {
        entry.usable()?;
        let name = format!("{above}{}", entry.reportable()?);
        if entry.kind == Kind::Directory {
            collect(tree, entry, &format!("{name}/"), depth + 1, files)?;
        } else {
            files.push(ProgramFile { name, path: entry.path.clone() });
        }
    }
    Ok(())
}

fn by_language() -> ProgramBuild {
    ProgramBuild::Language { language: LanguageHint::Files, flags: Vec::new() }
}

/// Files that tools leave behind, and hidden files.
fn is_left_out(entry: &Entry) -> bool {
    entry.is_hidden() || entry.name == "__pycache__" || entry.ends_with(".class") || entry.ends_with("~")
}

fn is_header(entry: &Entry) -> bool {
    HEADERS.iter().any(|ending| entry.ends_with(ending))
}

/// Whether a name is that of a header.
pub(crate) fn is_header_name(name: &str) -> bool {
    HEADERS.iter().any(|ending| name.ends_with(ending))
}

/// The entry point first: `main`, else the file called like the program; headers and files in folders last.
fn rank(file: &str, program: &str) -> u8 {
    let stem = file.split_once('.').map_or(file, |(stem, _)| stem);
    match stem {
        _ if file.contains('/') || is_header_name(file) => 3,
        "main" | "Main" | "__main__" => 0,
        _ if stem.eq_ignore_ascii_case(program) => 1,
        _ => 2,
    }
}
