//! Stores the bytes that a program writes to a stream: small amounts in memory, larger ones in an unlinked file.
//!
//! A stream holds at most [`MEMORY_LIMIT`] bytes of memory. The rest goes to a file without a name, which disappears with
//! its descriptor, also when gavel is killed.

use std::collections::VecDeque;
use std::fs::{File, Permissions};
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

/// The most bytes held in memory; larger streams use the file.
pub(crate) const MEMORY_LIMIT: usize = 1 << 20;

/// A captured stream.
#[derive(Debug)]
pub struct Capture {
    memory: Vec<u8>,
    spill: Option<File>,
    spilled: bool,
    directory: PathBuf,
    total: u64,
    /// Bytes beyond this are counted and dropped, except for the last ones.
    keep: u64,
    /// The last bytes beyond those kept.
    end: VecDeque<u8>,
    /// The largest length of `end`.
    keep_end: usize,
}

impl Capture {
    /// Creates a capture that keeps everything; the file is in `directory`.
    pub fn whole(directory: &Path) -> Self {
        Self::at_most(u64::MAX, directory)
    }

    /// Creates a capture that keeps the first `bytes` and only counts the rest.
    pub fn at_most(bytes: u64, directory: &Path) -> Self {
        Self {
            memory: Vec::new(),
            spill: None,
            spilled: false,
            directory: directory.to_owned(),
            total: 0,
            keep: bytes,
            end: VecDeque::new(),
            keep_end: 0,
        }
    }

    /// Creates a capture that keeps the first `beginning` bytes and the last `end` bytes after them.
    pub fn both_ends(beginning: u64, end: usize, directory: &Path) -> Self {
        Self { keep_end: end, ..Self::at_most(beginning, directory) }
    }

    /// Empties the capture; its buffers stay for the next run.
    pub fn clear(&mut self) {
        self.memory.clear();
        if self.memory.capacity() > 2 * MEMORY_LIMIT {
            self.memory.shrink_to(MEMORY_LIMIT);
        }
        if self.spilled {
            self.spill = None;
            self.spilled = false;
        }
        self.end.clear();
        self.total = 0;
    }

    /// Returns the length of the stream, including dropped bytes.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Returns whether bytes beyond the first part were dropped.
    pub fn is_truncated(&self) -> bool {
        self.total > self.keep
    }

    /// Appends to the stream.
    ///
    /// # Errors
    /// When the file cannot be created or written (disk full).
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room = self.keep.saturating_sub(self.total);
        self.total += bytes.len() as u64;
        let (kept, beyond) = bytes.split_at(usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len()));
        self.push_end(beyond);
        if !self.spilled && self.memory.len() + kept.len() <= MEMORY_LIMIT {
            self.memory.extend_from_slice(kept);
            return Ok(());
        }
        if kept.is_empty() {
            return Ok(());
        }
        if !self.spilled {
            let mut file = self.spill_file()?;
            file.write_all(&self.memory)?;
            self.memory.clear();
            self.spill = Some(file);
            self.spilled = true;
        }
        match &mut self.spill {
            Some(file) => file.write_all(kept),
            None => Ok(()),
        }
    }

    fn push_end(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(self.keep_end)..];
        let excess = (self.end.len() + bytes.len()).saturating_sub(self.keep_end);
        self.end.drain(..excess);
        self.end.extend(bytes);
    }

    /// Returns the last bytes after those of [`Capture::reader`]; those between them were dropped.
    pub fn end(&self) -> Vec<u8> {
        self.end.iter().copied().collect()
    }

    /// Creates an unlinked file. Recreates the directory if the cache that contains it was removed.
    fn spill_file(&self) -> io::Result<File> {
        match tempfile::tempfile_in(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::create_dir_all(&self.directory)?;
                tempfile::tempfile_in(&self.directory)
            }
            file => file,
        }
    }

    /// Returns a reader of the kept bytes, from the first one.
    ///
    /// # Errors
    /// When the file cannot be rewound.
    pub fn reader(&mut self) -> io::Result<Box<dyn Read + '_>> {
        match &mut self.spill {
            Some(file) => {
                file.seek(SeekFrom::Start(0))?;
                Ok(Box::new(file))
            }
            None => Ok(Box::new(Cursor::new(&self.memory))),
        }
    }

    /// Opens the kept bytes as a file at its beginning, for a program's standard input. The program can read it and open
    /// it again by name (/dev/stdin), and cannot change it.
    ///
    /// # Errors
    /// When the file cannot be created: no memory, disk full, no procfs.
    pub fn open(&mut self) -> io::Result<File> {
        let Some(spill) = &mut self.spill else { return sealed(&self.memory) };
        let copy;
        let file = if nix::unistd::Uid::effective().is_root() {
            spill
        } else {
            // Programs may have this process's uid, and the owner of a file may change its mode and then the file.
            spill.seek(SeekFrom::Start(0))?;
            let mut fresh = tempfile::tempfile_in(&self.directory)?;
            io::copy(spill, &mut fresh)?;
            copy = fresh;
            &copy
        };
        file.set_permissions(Permissions::from_mode(0o444))?;
        reopen(file)
    }

    /// Returns the first kept bytes, at most `limit`, as text with invalid UTF-8 replaced.
    pub fn head(&mut self, limit: usize) -> io::Result<String> {
        let mut bytes = Vec::new();
        self.reader()?.take(limit as u64).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Creates a file in memory with this content, for a program's standard input: its owner cannot change it (F_SEAL_WRITE in
/// fcntl(2)), every user can read it, and its name gives nothing away.
///
/// # Errors
/// When the file cannot be created: no memory, no procfs.
pub fn sealed(content: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("input", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?);
    file.write_all(content)?;
    file.set_permissions(Permissions::from_mode(0o444))?;
    let seals =
        SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    reopen(&file)
}

/// Opens the same file for reading only, with an offset of its own.
fn reopen(file: &File) -> io::Result<File> {
    File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(capture: &mut Capture) -> Vec<u8> {
        let mut bytes = Vec::new();
        capture.reader().unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn small_streams_stay_in_memory_and_large_ones_spill_whole() {
        let directory = tempfile::tempdir().unwrap();
        let mut capture = Capture::whole(directory.path());
        capture.push(b"hello").unwrap();
        assert_eq!(read_all(&mut capture), b"hello");
        let chunk = vec![7u8; MEMORY_LIMIT];
        capture.push(&chunk).unwrap();
        capture.push(b"end").unwrap();
        let bytes = read_all(&mut capture);
        assert_eq!(bytes.len() as u64, capture.total());
        assert!(bytes.starts_with(b"hello") && bytes.ends_with(b"end"));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        capture.clear();
        assert_eq!(read_all(&mut capture), b"");
    }

    #[test]
    fn an_opened_capture_is_read_only_and_whole_from_memory_and_from_disk() {
        for length in [0, 5, 3 * MEMORY_LIMIT] {
            let directory = tempfile::tempdir().unwrap();
            let mut capture = Capture::whole(directory.path());
            let bytes = vec![b'x'; length];
            capture.push(&bytes).unwrap();
            for _ in 0..2 {
                let mut file = capture.open().unwrap();
                let mut found = Vec::new();
                file.read_to_end(&mut found).unwrap();
                assert!(found == bytes && file.write(b"y").is_err());
            }
            assert_eq!(read_all(&mut capture), bytes);
        }
    }

    #[test]
    fn bytes_beyond_the_limit_are_counted_and_dropped() {
        let mut capture = Capture::at_most(4, Path::new("/nonexistent"));
        capture.push(b"abc").unwrap();
        capture.push(b"def").unwrap();
        assert_eq!(read_all(&mut capture), b"abcd");
        assert_eq!(capture.total(), 6);
        assert!(capture.is_truncated());
    }

    #[test]
    fn both_ends_of_a_long_stream_are_kept() {
        for pieces in [vec!["abcdefghij"], vec!["a", "bcd", "efg", "", "hij"], vec!["abcdefgh", "ij"]] {
            let mut capture = Capture::both_ends(2, 3, Path::new("/nonexistent"));
            pieces.iter().for_each(|piece| capture.push(piece.as_bytes()).unwrap());
            assert_eq!((read_all(&mut capture), capture.end()), (b"ab".to_vec(), b"hij".to_vec()));
            assert_eq!(capture.total(), 10);
            capture.clear();
            assert_eq!(capture.end(), b"");
        }
        let mut short = Capture::both_ends(2, 3, Path::new("/nonexistent"));
        short.push(b"abc").unwrap();
        assert_eq!((read_all(&mut short), short.end()), (b"ab".to_vec(), b"c".to_vec()));
    }
}
