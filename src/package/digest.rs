//! The digest of everything judging reads of a package.
//!
//! Two packages with the same digest give the same verdicts; a changed answer, limit or flag changes it.
//! Titles, warnings, statements and the jury's submissions do not count: they do not enter a judging. The
//! encoding is length-prefixed, so no two different packages spell the same bytes.

use std::io::Read;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::error::PackageError;
use super::model::{Package, TimeLimit};
use super::tree::open_regular;
use crate::checker::Comparator;

/// A digest that is computed when first asked for, once for all clones of a package.
#[derive(Debug, Clone, Default)]
pub struct Digest(Arc<OnceLock<String>>);

impl Package {
    /// The digest as the files are now, whatever was computed before.
    ///
    /// # Errors
    /// When a test cannot be read.
    pub fn digest_now(&self) -> Result<String, PackageError> {
        compute(self)
    }

    /// `sha256:` and the digest of the tests, the limits and the comparisons.
    ///
    /// The first call reads every test once, in pieces; later calls cost nothing, also on clones.
    ///
    /// # Errors
    /// When a test cannot be read.
    pub fn digest(&self) -> Result<&str, PackageError> {
        if let Some(digest) = self.digest.0.get() {
            return Ok(digest);
        }
        let digest = compute(self)?;
        Ok(self.digest.0.get_or_init(|| digest))
    }
}

fn compute(package: &Package) -> Result<String, PackageError> {
    let mut hash = Sha256::new();
    field(&mut hash, b"gavel package 1");
    let limits = &package.limits;
    match limits.time {
        TimeLimit::Fixed(time) => duration(&mut hash, b"fixed", Some(time)),
        TimeLimit::FromSubmissions { multiplier } => {
            field(&mut hash, b"from submissions");
            number(&mut hash, Some(multiplier.to_bits()));
        }
    }
    duration(&mut hash, b"wall", limits.wall);
    number(&mut hash, Some(limits.memory.0));
    number(&mut hash, Some(limits.output.0));
    number(&mut hash, Some(limits.code.0));
    number(&mut hash, limits.processes.map(u64::from));
    duration(&mut hash, b"compilation", limits.compilation_time);
    number(&mut hash, limits.compilation_memory.map(|bytes| bytes.0));
    let mut buffer = vec![0; 1 << 16];
    for test in &package.tests {
        field(&mut hash, test.name.as_bytes());
        match test.comparator {
            Comparator::Exact => field(&mut hash, b"exact"),
            Comparator::Tokens(options) => {
                field(&mut hash, b"tokens");
                hash.update([u8::from(options.case_sensitive), u8::from(options.space_change_sensitive)]);
                number(&mut hash, options.absolute_tolerance.map(f64::to_bits));
                number(&mut hash, options.relative_tolerance.map(f64::to_bits));
            }
        }
        content(&mut hash, &test.input, &mut buffer)?;
        content(&mut hash, &test.answer, &mut buffer)?;
    }
    let mut text = "sha256:".to_owned();
    for byte in hash.finalize() {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    Ok(text)
}

fn field(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

fn number(hash: &mut Sha256, value: Option<u64>) {
    hash.update([u8::from(value.is_some())]);
    hash.update(value.unwrap_or_default().to_le_bytes());
}

fn duration(hash: &mut Sha256, name: &[u8], value: Option<Duration>) {
    field(hash, name);
    hash.update([u8::from(value.is_some())]);
    hash.update(value.unwrap_or_default().as_nanos().to_le_bytes());
}

/// The file's own digest, since its length is known only at its end.
fn content(hash: &mut Sha256, path: &Path, buffer: &mut [u8]) -> Result<(), PackageError> {
    let mut file = open_regular(path)?;
    let mut inner = Sha256::new();
    loop {
        match file.read(buffer) {
            Ok(0) => break,
            Ok(count) => inner.update(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(PackageError::io("read", path)(error)),
        }
    }
    hash.update(inner.finalize());
    Ok(())
}
