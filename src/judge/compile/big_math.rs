//! Finds uses of Java's big numbers in compiled programs, for problems that forbid them (DMOJ: `hints: [nobigmath]`).
//!
//! DMOJ's Java agent ends a program as soon as the virtual machine loads a class of `java.math`. A class file names in its
//! constant pool, in plain text, every class that it uses, so the same is known before the program runs: classes of that
//! name that the submission defines itself, and imports that nothing uses, are not in it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use memchr::memmem;
use zip::ZipArchive;

use crate::judge::compile::program::Program;
use crate::judge::fault::Fault;

/// Names in constant pools, and in texts for `Class.forName`; Scala's `BigInt` and `BigDecimal` wrap Java's.
const NAMES: [(&str, &str); 6] = [
    ("java/math/BigInteger", "BigInteger"),
    ("java/math/BigDecimal", "BigDecimal"),
    ("java.math.BigInteger", "BigInteger"),
    ("java.math.BigDecimal", "BigDecimal"),
    ("scala/math/BigInt", "BigInt"),
    ("scala/math/BigDecimal", "BigDecimal"),
];
/// Folder of an archive with Kotlin's own library.
const LIBRARY: &str = "kotlin/";
/// Bytes of one class file: the format's tables cannot make a usable one longer.
const LONGEST_CLASS: u64 = 64 << 20;

/// Returns the first class of `java.math` that a program uses.
///
/// # Errors
/// When the compiled files cannot be read.
pub(crate) fn used_by(program: &Program) -> Result<Option<&'static str>, Fault> {
    in_folder(&program.directory).map_err(|source| Fault::File {
        operation: "read",
        path: program.directory.clone(),
        source,
    })
}

fn in_folder(folder: &Path) -> io::Result<Option<&'static str>> {
    for entry in folder.read_dir()? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let found = match ending {
            _ if kind.is_dir() => in_folder(&path)?,
            "class" if kind.is_file() => in_class(File::open(&path)?)?,
            "jar" if kind.is_file() => in_archive(File::open(&path)?)?,
            _ => None,
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn in_archive(file: File) -> io::Result<Option<&'static str>> {
    let mut archive = ZipArchive::new(file).map_err(io::Error::other)?;
    for place in 0..archive.len() {
        let entry = archive.by_index(place).map_err(io::Error::other)?;
        let is_own = entry.name().is_ok_and(|name| name.ends_with(".class") && !name.starts_with(LIBRARY));
        if !is_own {
            continue;
        }
        if let Some(found) = in_class(entry)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn in_class(class: impl Read) -> io::Result<Option<&'static str>> {
    let mut bytes = Vec::new();
    class.take(LONGEST_CLASS).read_to_end(&mut bytes)?;
    let found = NAMES.iter().find(|(name, _)| memmem::find(&bytes, name.as_bytes()).is_some());
    Ok(found.map(|(_, class)| *class))
}
