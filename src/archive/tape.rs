//! Tar archives: the old format, ustar, pax and GNU's.
//!
//! The entries are read as they stand on the tape. Long names and pax records, which a library would read
//! into memory whatever their size, are read here with a limit.

use std::io::Read;

use tar::{Archive, EntryType, Header, PaxExtensions};

use super::error::{Problem, Scope};
use super::target::Target;

/// More than any name and all records beside it.
const LARGEST_EXTENSION: u64 = 64 << 10;

/// What a tape says before an entry about that entry.
#[derive(Debug, Default)]
struct Announced {
    name: Option<Vec<u8>>,
    /// Whether something of the entry was announced at all.
    any: bool,
}

/// Whether these first 512 bytes are a header with a right checksum.
pub(super) fn is_header(head: &[u8]) -> bool {
    let Ok(block) = <&[u8; 512]>::try_from(head) else { return false };
    let mut header = Header::new_old();
    header.as_mut_bytes().copy_from_slice(block);
    let stated = header.cksum();
    header.set_cksum();
    stated.is_ok_and(|stated| header.cksum().is_ok_and(|right| right == stated))
}

/// Unpacks everything up to the end mark.
pub(super) fn unpack(reader: impl Read, target: &mut Target<'_>) -> Result<(), Problem> {
    let mut archive = Archive::new(reader);
    let entries = archive.entries().map_err(|error| Problem::reading(None, &error))?.raw(true);
    let mut announced = Announced::default();
    let (mut extensions, mut counted) = (0, 0);
    for entry in entries {
        let mut entry = entry.map_err(|error| Problem::reading(None, &error))?;
        target.go_on()?;
        let kind = entry.header().entry_type();
        if matches!(
            kind,
            EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader | EntryType::XGlobalHeader
        ) {
            extensions += 1;
            if extensions > 2 * target.most_entries() {
                return Err(Problem::broken("it holds more extended headers than entries may be"));
            }
            announce(&mut entry, kind, &mut announced)?;
            continue;
        }
        let header = entry.header();
        let name = match announced.name.take() {
            Some(name) => name,
            None => header.path_bytes().into_owned(),
        };
        announced.any = false;
        let size = header.entry_size().map_err(|error| Problem::reading(Some(&name), &error))?;
        let executable = header.mode().is_ok_and(|mode| mode & 0o111 != 0);
        // A folder may be named again and again, each time for a few compressed bytes.
        counted += 1;
        if counted > target.most_entries() {
            let most = target.most_entries();
            return Err(Problem::broken(format!("it holds more than {most} entries (fetch.most_entries)")));
        }
        let made = make(target, kind, &name, executable, size, &mut entry);
        if let Err(problem) = made {
            target.leave_out(&name, problem, Scope::Entry)?;
            // Passing over it is counted like unpacking it.
            target.pass_over(&name, &mut entry)?;
        }
    }
    if announced.any {
        return Err(Problem::broken("the archive is cut short; pack it again"));
    }
    Ok(())
}

/// Makes what an entry is.
fn make(
    target: &mut Target<'_>,
    kind: EntryType,
    name: &[u8],
    executable: bool,
    size: u64,
    content: &mut dyn Read,
) -> Result<(), Problem> {
    let is_folder = kind == EntryType::Directory || name.ends_with(b"/");
    if is_folder && size > 0 {
        // Readers disagree on whether content follows; here it would be decompressed only to be passed over.
        return Err(Problem::entry(name, "it is a folder with content of its own; pack it again"));
    }
    match kind {
        // In the old format folders are files whose names end so.
        EntryType::Regular | EntryType::Continuous if name.ends_with(b"/") => target.directory(name),
        EntryType::Regular | EntryType::Continuous => target.file(name, executable, size, content),
        EntryType::Directory => target.directory(name),
        other => Err(Problem::entry(name, refusal(other))),
    }
}

fn refusal(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Symlink => "it is a symbolic link; put the file itself into the archive",
        EntryType::Link => "it is a hard link; put the file itself into the archive",
        EntryType::Char | EntryType::Block => "it is a device; leave it out",
        EntryType::Fifo => "it is a FIFO; leave it out",
        EntryType::GNUSparse => "it is a sparse file; pack it without --sparse",
        _ => "it is neither a file nor a folder; leave it out",
    }
}

/// Remembers what a header says about the next entry.
fn announce(entry: &mut impl Read, kind: EntryType, announced: &mut Announced) -> Result<(), Problem> {
    let mut text = Vec::new();
    let read = Read::by_ref(entry).take(LARGEST_EXTENSION + 1).read_to_end(&mut text);
    read.map_err(|error| Problem::reading(None, &error))?;
    if text.len() as u64 > LARGEST_EXTENSION {
        return Err(Problem::broken(
            "an extended header of it is larger than 64 KiB; pack it with short names",
        ));
    }
    match kind {
        EntryType::GNULongName => {
            while text.last() == Some(&0) {
                text.pop();
            }
            announced.name = Some(text);
            announced.any = true;
        }
        EntryType::XHeader | EntryType::XGlobalHeader => {
            for record in PaxExtensions::new(&text) {
                let record = record.map_err(|error| Problem::reading(None, &error))?;
                let key = record.key_bytes();
                let is_global = kind == EntryType::XGlobalHeader;
                match key {
                    b"path" if is_global => {
                        return Err(Problem::broken("one name for all its entries; pack it again"));
                    }
                    b"path" => announced.name = Some(record.value_bytes().to_owned()),
                    // The size in the header counts here; both are the same below 8 GiB.
                    b"size" => {
                        return Err(Problem::broken(
                            "a file in it has its size in an extended header; pack it with \
                                                    files below 8 GiB",
                        ));
                    }
                    _ if key.starts_with(b"GNU.sparse.") => {
                        return Err(Problem::broken("it holds a sparse file; pack it without --sparse"));
                    }
                    _ => {}
                }
            }
            announced.any |= kind == EntryType::XHeader;
        }
        // Where a link leads; the link itself is refused.
        _ => announced.any = true,
    }
    Ok(())
}
