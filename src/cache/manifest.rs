//! What an entry must look like: written beside it at commit, compared with it on use.
//!
//! Fields have fixed widths, so that a manifest can be renewed in place: its inode carries the entry's lock
//! and must stay.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::Digest;
use super::tree::set_mode;

/// The first field of every manifest; another version is another, unusable, entry.
const FORMAT: &str = "gavel-cache 1";
/// The last field: without it the manifest was cut.
const END: &str = "end";
/// What a file costs on disk beyond its bytes: a block for its rounding and its share of the directory.
const BLOCK: u64 = 4096;

/// An entry's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    /// The boot in which the stamps were taken.
    boot: String,
    /// Disk space, rounded up to blocks.
    pub(super) size: u64,
    items: Vec<Item>,
}

/// One file or directory of an entry, the entry's own directory included (with an empty path).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Item {
    path: PathBuf,
    mode: u32,
    /// Bytes of a file, 0 for a directory.
    size: u64,
    /// Seconds and nanoseconds of a file's last change of any kind, which nothing but the kernel sets; of a
    /// directory's last change of its names, because renaming the entry into place changes the other.
    stamp: (i64, i64),
    /// Content of a file, [`None`] for a directory.
    digest: Option<Digest>,
}

/// This boot's id, or nothing where the kernel does not tell: then every entry is compared in full.
fn boot_id() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        format!("{:36.36}", text.trim())
    })
}

impl Item {
    fn stamp_of(metadata: &Metadata) -> (i64, i64) {
        if metadata.is_dir() {
            (metadata.mtime(), metadata.mtime_nsec())
        } else {
            (metadata.ctime(), metadata.ctime_nsec())
        }
    }

    /// Whether the file is, as far as can be told without reading it, what was written.
    fn is_untouched(&self, root: &Path) -> bool {
        let metadata = if self.path.as_os_str().is_empty() {
            fs::symlink_metadata(root)
        } else {
            fs::symlink_metadata(root.join(&self.path))
        };
        metadata.is_ok_and(|metadata| {
            let right_kind = if self.digest.is_some() { metadata.is_file() } else { metadata.is_dir() };
            right_kind
                && metadata.mode() & 0o7777 == self.mode
                && (metadata.is_dir() || metadata.size() == self.size)
                && Self::stamp_of(&metadata) == self.stamp
        })
    }

    /// Equal but for the stamps.
    fn has_content_of(&self, other: &Self) -> bool {
        self.path == other.path
            && self.mode == other.mode
            && self.size == other.size
            && self.digest == other.digest
    }
}

impl Manifest {
    /// Reads a tree and makes all of it read-only but `root` itself, which can then still be renamed
    /// (its mode is recorded as what it is to become).
    ///
    /// # Errors
    /// The path that could not be read, and why: also anything but files with one link and directories.
    pub(super) fn seal(root: &Path) -> Result<Self, (PathBuf, io::Error)> {
        Self::read(root, true)
    }

    fn read(root: &Path, seal: bool) -> Result<Self, (PathBuf, io::Error)> {
        let mut manifest = Self { boot: boot_id().to_owned(), size: 0, items: Vec::new() };
        let mut pending = vec![PathBuf::new()];
        while let Some(relative) = pending.pop() {
            let path = if relative.as_os_str().is_empty() { root.to_owned() } else { root.join(&relative) };
            let item = manifest
                .read_item(root, &relative, &path, seal, &mut pending)
                .map_err(|error| (path, error))?;
            manifest.size += item.size.next_multiple_of(BLOCK) + BLOCK;
            manifest.items.push(item);
        }
        manifest.items.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(manifest)
    }

    fn read_item(
        &self,
        root: &Path,
        relative: &Path,
        path: &Path,
        seal: bool,
        pending: &mut Vec<PathBuf>,
    ) -> io::Result<Item> {
        let mut metadata = fs::symlink_metadata(path)?;
        let refuse = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, what.to_owned()));
        let digest = if metadata.is_dir() {
            for entry in fs::read_dir(path)? {
                pending.push(entry?.path().strip_prefix(root).map(Path::to_owned).unwrap_or_default());
            }
            None
        } else if !metadata.is_file() {
            return refuse("only files and directories can be kept");
        } else if metadata.nlink() != 1 {
            return refuse("a file with other names cannot be kept");
        } else {
            Some(Digest::of_reader(File::open(path)?)?)
        };
        let mut mode = metadata.mode() & 0o7777;
        if seal {
            mode = if metadata.is_dir() || mode & 0o111 != 0 { 0o555 } else { 0o444 };
            if path != root {
                set_mode(path, mode)?;
                metadata = fs::symlink_metadata(path)?;
            }
        }
        Ok(Item {
            path: relative.to_owned(),
            mode,
            size: if metadata.is_dir() { 0 } else { metadata.size() },
            stamp: Item::stamp_of(&metadata),
            digest,
        })
    }

    /// Whether the tree at `root` is what was written: by its stamps if they are of this boot.
    pub(super) fn is_untouched(&self, root: &Path) -> bool {
        self.boot == boot_id()
            && !self.boot.trim().is_empty()
            && self.items.iter().all(|item| item.is_untouched(root))
    }

    /// Reads the whole tree; its manifest with new stamps if it has the content this one tells of.
    pub(super) fn verify(&self, root: &Path) -> Option<Self> {
        let found = Self::read(root, false).ok()?;
        let same = found.items.len() == self.items.len()
            && found.items.iter().zip(&self.items).all(|(left, right)| left.has_content_of(right));
        same.then_some(found)
    }

    /// The size alone, from the head of a manifest.
    pub(super) fn size_in(head: &[u8]) -> Option<u64> {
        let mut fields = head.split(|byte| *byte == 0);
        let format = fields.next()? == FORMAT.as_bytes();
        let size = std::str::from_utf8(fields.nth(1)?).ok()?.parse().ok()?;
        format.then_some(size)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = format!("{FORMAT}\0{}\0{:020}\0", self.boot, self.size).into_bytes();
        for item in &self.items {
            let digest = item.digest.map(|digest| digest.to_string()).unwrap_or_else(|| "-".repeat(64));
            let (seconds, nanoseconds) = item.stamp;
            bytes.extend_from_slice(
                format!("{digest} {:04o} {:020} {seconds:020} {nanoseconds:09}\0", item.mode, item.size)
                    .as_bytes(),
            );
            bytes.extend_from_slice(item.path.as_os_str().as_bytes());
            bytes.push(0);
        }
        bytes.extend_from_slice(END.as_bytes());
        bytes
    }

    /// Nothing when the bytes are not a whole manifest of this version.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
        if fields.pop()? != END.as_bytes() || fields.len() < 5 || fields.len().is_multiple_of(2) {
            return None;
        }
        let text = |field: &[u8]| std::str::from_utf8(field).ok().map(str::to_owned);
        if fields[0] != FORMAT.as_bytes() {
            return None;
        }
        let items = fields[3..].chunks_exact(2).map(|pair| {
            let line = text(pair[0])?;
            let mut parts = line.split(' ');
            let digest = parts.next()?;
            Some(Item {
                digest: if digest.starts_with('-') { None } else { Some(digest.parse().ok()?) },
                mode: u32::from_str_radix(parts.next()?, 8).ok()?,
                size: parts.next()?.parse().ok()?,
                stamp: (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?),
                path: PathBuf::from(OsStr::from_bytes(pair[1])),
            })
        });
        Some(Self {
            boot: text(fields[1])?,
            size: text(fields[2])?.parse().ok()?,
            items: items.collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> (tempfile::TempDir, Manifest) {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("entry");
        fs::create_dir_all(root.join("sub\nfolder")).unwrap();
        fs::write(root.join("sub\nfolder/file"), "content").unwrap();
        let manifest = Manifest::seal(&root).unwrap();
        set_mode(&root, 0o555).unwrap();
        (directory, manifest)
    }

    #[test]
    fn manifests_read_back_and_know_their_tree() {
        let (directory, manifest) = sample();
        let bytes = manifest.encode();
        assert_eq!(Manifest::decode(&bytes).as_ref(), Some(&manifest));
        assert_eq!(Manifest::size_in(&bytes[..100]), Some(manifest.size));
        assert!(manifest.is_untouched(&directory.path().join("entry")));
        super::super::tree::remove(&directory.path().join("entry")).unwrap();
    }

    #[test]
    fn a_manifest_of_another_boot_is_renewed_with_the_same_length() {
        let (directory, mut manifest) = sample();
        let root = directory.path().join("entry");
        let length = manifest.encode().len();
        manifest.boot = format!("{:36}", "another");
        assert!(!manifest.is_untouched(&root));
        let renewed = manifest.verify(&root).unwrap();
        assert!(renewed.is_untouched(&root));
        assert_eq!(renewed.encode().len(), length);
        super::super::tree::remove(&root).unwrap();
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_parser(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = (Manifest::decode(&bytes), Manifest::size_in(&bytes));
        }

        #[test]
        fn a_cut_manifest_is_none(cut in 0usize..200) {
            let (directory, manifest) = sample();
            let bytes = manifest.encode();
            prop_assert!(Manifest::decode(&bytes[..cut.min(bytes.len() - 1)]).is_none());
            super::super::tree::remove(&directory.path().join("entry")).unwrap();
        }
    }
}
