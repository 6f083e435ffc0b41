//! Unpacks archives of problem packages into an empty directory.
//!
//! An archive comes from outside and is made by anyone. What always holds:
//! - nothing is written outside the directory, nor through anything but directories and files made here:
//!   links, devices and other special entries are refused, whatever they point to;
//! - an archive is taken whole or refused whole, unless the caller asks for the usable entries and a list of the rest; nothing
//!   in it is renamed or overwritten;
//! - what it may cost is bounded before it is spent: bytes, files, depth, the ratio to its own size, memory.
//!
//! It refuses to know what a package is and where the archive came from.

mod error;
mod tape;
mod target;
mod zipped;

pub use error::ArchiveError;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use crate::cancel::CancelToken;
use error::Problem;
use target::Target;

/// What unpacking may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// All files together.
    pub(crate) bytes: u64,
    /// Files and folders.
    pub(crate) entries: u64,
    /// Bytes for each byte of the archive, beyond `free`.
    pub(crate) ratio: u64,
    /// Bytes allowed whatever the archive's size.
    pub(crate) free: u64,
}

impl Limits {
    /// For archives that come without limits of their own: on the command line, and in packages.
    pub(crate) const DEFAULT: Self = Self { bytes: 4 << 30, entries: 200_000, ratio: 200, free: 64 << 20 };
}

/// An entry that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Its name, of a long one the beginning.
    pub(crate) name: Vec<u8>,
    /// Why, and what to do.
    pub(crate) problem: String,
}

/// Unpacks the archive at `path` into `directory`, which is there and empty.
///
/// What the archive is, is told by its first bytes, not by its name.
///
/// # Errors
/// [`ArchiveError`] naming the archive as `shown` and the entry; what was unpacked so far remains.
pub(crate) fn unpack(
    path: &Path,
    shown: &str,
    directory: &Path,
    limits: Limits,
    cancel: &CancelToken,
) -> Result<(), ArchiveError> {
    unpack_into(path, directory, limits, cancel, false).map(|_| ()).map_err(|problem| problem.of(shown))
}

/// As [`unpack`], but an entry that cannot be unpacked (a link, a name that cannot be used, damaged content) is left out:
/// returns those. Of an entry whose content is damaged there may be a part.
///
/// # Errors
/// As those of [`unpack`], where the archive cannot be read on, costs more than it may, or has a name that leads out of it.
pub(crate) fn unpack_each(
    path: &Path,
    shown: &str,
    directory: &Path,
    limits: Limits,
    cancel: &CancelToken,
) -> Result<Vec<Refused>, ArchiveError> {
    unpack_into(path, directory, limits, cancel, true).map_err(|problem| problem.of(shown))
}

fn unpack_into(
    path: &Path,
    directory: &Path,
    limits: Limits,
    cancel: &CancelToken,
    leaves_out: bool,
) -> Result<Vec<Refused>, Problem> {
    let mut file = File::open(path).map_err(|error| Problem::disk("open", path, error))?;
    let size = file.metadata().map_err(|error| Problem::disk("look at", path, error))?.len();
    let mut head = Vec::new();
    let seen = Read::by_ref(&mut file).take(512).read_to_end(&mut head).and_then(|_| file.rewind());
    seen.map_err(|error| Problem::disk("read", path, error))?;
    let mut target = Target::new(directory, limits, size, cancel);
    if leaves_out {
        target = target.leaving_out();
    }
    match Kind::of(&head)? {
        Kind::Zip => zipped::unpack(file, &mut target),
        Kind::Tar => tape::unpack(BufReader::new(file), &mut target),
        Kind::GzippedTar => tape::unpack(MultiGzDecoder::new(BufReader::new(file)), &mut target),
        Kind::ZstandardTar => {
            let decoder = StreamingDecoder::new(BufReader::new(file))
                .map_err(|error| Problem::broken(format!("not readable as Zstandard: {error}")))?;
            tape::unpack(Decoded(decoder), &mut target)
        }
    }?;
    Ok(target.refused())
}

/// What an archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Zip,
    Tar,
    GzippedTar,
    ZstandardTar,
}

impl Kind {
    fn of(head: &[u8]) -> Result<Self, Problem> {
        let unsupported = |what| {
            Err(Problem::broken(format!("{what}; pack it as zip, tar, tar.gz or tar.zst, which can be read")))
        };
        match head {
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Ok(Self::Zip),
            [0x1f, 0x8b, ..] => Ok(Self::GzippedTar),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Ok(Self::ZstandardTar),
            [b'B', b'Z', b'h', ..] => unsupported("it is compressed with bzip2"),
            [0xfd, b'7', b'z', b'X', b'Z', ..] => unsupported("it is compressed with xz"),
            [b'7', b'z', 0xbc, 0xaf, ..] => unsupported("it is a 7z archive"),
            [b'R', b'a', b'r', b'!', ..] => unsupported("it is a RAR archive"),
            [] => unsupported("it is empty"),
            _ if tape::is_header(head) => Ok(Self::Tar),
            _ => unsupported("it is no archive known here"),
        }
    }
}

/// Whether something is metadata that macOS adds to archives and folders: no file that anybody made.
pub(crate) fn is_of_macos(name: &[u8]) -> bool {
    name == b"__MACOSX" || name == b".DS_Store" || name.starts_with(b"._")
}

/// The only folder in a directory that holds nothing else. What archiving tools of macOS add beside a folder
/// does not count; a folder `data` is a package's own.
pub(crate) fn only_folder(directory: &Path) -> io::Result<Option<String>> {
    let mut found = None;
    for item in directory.read_dir()? {
        let item = item?;
        let name = item.file_name().to_string_lossy().into_owned();
        if is_of_macos(name.as_bytes()) {
            continue;
        }
        if found.is_some() || name == "data" || !item.file_type()?.is_dir() {
            return Ok(None);
        }
        found = Some(name);
    }
    Ok(found)
}

/// A decoder whose errors are the archive's: its own, not the system's.
struct Decoded<R>(R);

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.raw_os_error() {
            Some(_) => error,
            None => io::Error::new(io::ErrorKind::InvalidData, error.to_string()),
        })
    }
}

#[cfg(test)]
mod tests;
