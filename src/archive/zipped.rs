//! Zip archives, by their directory at the end, which must agree with what stands before each file.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::rc::Rc;

use zip::ZipArchive;
use zip::result::ZipError;

use super::error::{Problem, Scope};
use super::target::Target;

/// Bytes of the directory for each entry that may be there: names, dates, and room to spare.
const DIRECTORY_BYTES: u64 = 512;

/// File types in a Unix mode.
const TYPE_MASK: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
const LINK: u32 = 0o120_000;

/// Unpacks everything.
pub(super) fn unpack(file: File, target: &mut Target<'_>) -> Result<(), Problem> {
    // The directory is read into memory whole: what it may be is bounded by what may be read for it.
    let most = target.most_entries().saturating_mul(DIRECTORY_BYTES).saturating_add(1 << 20);
    let allowance = Rc::new(Cell::new(most));
    let metered = Metered { inner: BufReader::new(file), left: Rc::clone(&allowance) };
    let mut archive = ZipArchive::new(metered).map_err(|error| told(None, error))?;
    let entries = archive.len() as u64;
    if entries > target.most_entries() {
        let most = target.most_entries();
        return Err(Problem::broken(format!(
            "it holds {entries} entries; at most {most} (fetch.most_entries)"
        )));
    }
    allowance.set(u64::MAX);
    if archive.has_duplicate_names() {
        return Err(Problem::broken("two of its entries have the same name; keep one"));
    }
    if archive.has_overlapping_entries().map_err(|error| told(None, error))? {
        return Err(Problem::broken("its entries overlap, as in a zip bomb; pack it again"));
    }
    archive.validate_header_consistency().map_err(|error| told(None, error))?;
    for place in 0..archive.len() {
        let name = archive.by_index_raw(place).map_err(|error| told(None, error))?.name_raw().to_owned();
        if let Err(problem) = unpack_entry(&mut archive, place, &name, target) {
            target.leave_out(&name, problem, Scope::Content)?;
        }
    }
    Ok(())
}

fn unpack_entry(
    archive: &mut ZipArchive<Metered>,
    place: usize,
    name: &[u8],
    target: &mut Target<'_>,
) -> Result<(), Problem> {
    let mut entry = archive.by_index(place).map_err(|error| told(Some(name), error))?;
    let mode = entry.unix_mode().unwrap_or(0);
    let refuse = |problem| Err(Problem::entry(name, problem));
    match mode & TYPE_MASK {
        LINK => return refuse("it is a symbolic link; put the file itself into the archive"),
        0 | REGULAR | DIRECTORY => {}
        _ => return refuse("it is neither a file nor a folder; leave it out"),
    }
    let (size, is_directory) = (entry.size(), name.ends_with(b"/"));
    if is_directory && size == 0 && mode & TYPE_MASK != REGULAR {
        target.directory(name)
    } else if is_directory || mode & TYPE_MASK == DIRECTORY {
        refuse("it is a file and a folder at once; pack it again")
    } else {
        target.file(name, mode & 0o111 != 0, size, &mut entry)
    }
}

/// What the library says, with the part to blame.
fn told(name: Option<&[u8]>, error: ZipError) -> Problem {
    let text = match error {
        ZipError::Io(error) => return Problem::reading(name, &error),
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => {
            "it is encrypted; pack it without".to_owned()
        }
        ZipError::CompressionMethodNotSupported(method) => {
            format!("it is compressed with method {method}; use deflate, the usual one")
        }
        other => format!("not readable as zip ({other}); pack it again"),
    };
    match name {
        Some(name) => Problem::entry(name, text),
        None => Problem::broken(text),
    }
}

/// A file that gives only so much before it fails.
struct Metered {
    inner: BufReader<File>,
    left: Rc<Cell<u64>>,
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let left = self.left.get().checked_sub(count as u64).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "its directory at the end is not found or too large (fetch.most_entries)",
            )
        })?;
        self.left.set(left);
        Ok(count)
    }
}

impl Seek for Metered {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.inner.seek(position)
    }
}
