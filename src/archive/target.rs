//! Where an archive's entries go: the one place that makes files, and that knows what may not be made.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::fs::{DirBuilder, OpenOptions};
use std::hash::BuildHasher;
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use icu_casemap::CaseMapper;
use icu_normalizer::DecomposingNormalizer;

use super::error::{Problem, Scope};
use super::{Limits, Refused};
use crate::cancel::CancelToken;
use crate::units::Bytes;

/// Folders within folders; real packages have three or four.
const MAX_DEPTH: usize = 32;
/// The longest whole name.
const LONGEST_NAME: usize = 1024;
/// The longest name of one file or folder: what file systems take.
const LONGEST_PART: usize = 255;

/// An empty directory that is being filled.
#[derive(Debug)]
pub(super) struct Target<'a> {
    root: &'a Path,
    limits: Limits,
    /// The most all files may have: by the limit, or by the archive's own size.
    most_bytes: u64,
    cancel: &'a CancelToken,
    bytes: u64,
    /// What was made, by a keyed hash of its name as [`folded`]: a few bytes each, however long the names.
    made: HashMap<u64, Made>,
    hasher: RandomState,
    /// Entries that were left out; `None` where one that cannot be unpacked refuses the archive.
    refused: Option<Vec<Refused>>,
}

#[derive(Debug, Clone, Copy)]
struct Made {
    /// Hash of the name as it was spelled.
    spelling: u64,
    is_file: bool,
}

impl<'a> Target<'a> {
    /// The directory, for an archive of `archive` bytes.
    pub(super) fn new(root: &'a Path, limits: Limits, archive: u64, cancel: &'a CancelToken) -> Self {
        let by_ratio = archive.saturating_mul(limits.ratio).max(limits.free);
        Self {
            root,
            limits,
            most_bytes: limits.bytes.min(by_ratio),
            cancel,
            bytes: 0,
            made: HashMap::new(),
            hasher: RandomState::new(),
            refused: None,
        }
    }

    /// Leaves out entries that cannot be unpacked.
    pub(super) fn leaving_out(self) -> Self {
        Self { refused: Some(Vec::new()), ..self }
    }

    /// The entries that were left out.
    pub(super) fn refused(self) -> Vec<Refused> {
        self.refused.unwrap_or_default()
    }

    /// Leaves out an entry whose problem spoils no more than `most`.
    ///
    /// # Errors
    /// The problem, where it refuses the archive.
    pub(super) fn leave_out(&mut self, name: &[u8], found: Problem, most: Scope) -> Result<(), Problem> {
        match (&mut self.refused, found) {
            (Some(refused), Problem::Broken { problem, scope, .. })
                if scope == Scope::Entry || scope == most =>
            {
                let name = name.get(..LONGEST_NAME).unwrap_or(name).to_vec();
                refused.push(Refused { name, problem });
                Ok(())
            }
            (_, problem) => Err(problem),
        }
    }

    /// The most entries there may be.
    pub(super) fn most_entries(&self) -> u64 {
        self.limits.entries
    }

    /// Whether to go on at all.
    ///
    /// # Errors
    /// [`Problem::Cancelled`].
    pub(super) fn go_on(&self) -> Result<(), Problem> {
        if self.cancel.is_cancelled() { Err(Problem::Cancelled) } else { Ok(()) }
    }

    /// Makes a folder and those above it; it may be there.
    pub(super) fn directory(&mut self, name: &[u8]) -> Result<(), Problem> {
        let parts = parts(name)?;
        self.directories(name, &parts).map(|_| ())
    }

    /// Makes a file of everything `content` gives, and the folders above it. `declared` is how much the
    /// archive says it is.
    pub(super) fn file(
        &mut self,
        name: &[u8],
        executable: bool,
        declared: u64,
        content: &mut dyn Read,
    ) -> Result<(), Problem> {
        let parts = parts(name)?;
        let Some((last, folders)) = parts.split_last() else {
            return Err(Problem::entry(name, "a file without a name"));
        };
        self.check_room(name, declared)?;
        let folder = self.directories(name, folders)?;
        let path = folder.join(last);
        if !self.claim(name, &parts.join("/"), true)? {
            return Err(Problem::entry(name, "it is in the archive twice; keep one"));
        }
        let mode = if executable { 0o700 } else { 0o600 };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&path)
            .map_err(|error| Problem::disk("make", &path, error))?;
        let written = self.copy(name, content, &mut file, &path)?;
        if written != declared {
            return Err(Problem::entry(name, "it does not have the size the archive says; pack it again"));
        }
        Ok(())
    }

    fn copy(
        &mut self,
        name: &[u8],
        content: &mut dyn Read,
        file: &mut std::fs::File,
        path: &Path,
    ) -> Result<u64, Problem> {
        let mut buffer = [0; 1 << 15];
        let mut written = 0;
        loop {
            self.go_on()?;
            let count = match content.read(&mut buffer) {
                Ok(0) => return Ok(written),
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Problem::reading(Some(name), &error)),
            };
            self.check_room(name, count as u64)?;
            self.bytes += count as u64;
            written += count as u64;
            let piece = buffer.get(..count).unwrap_or_default();
            file.write_all(piece).map_err(|error| Problem::disk("write", path, error))?;
        }
    }

    /// Reads the content of an entry that is left out.
    pub(super) fn pass_over(&mut self, name: &[u8], content: &mut dyn Read) -> Result<(), Problem> {
        let mut buffer = [0; 1 << 15];
        loop {
            self.go_on()?;
            match content.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => {
                    self.check_room(name, count as u64)?;
                    self.bytes += count as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Problem::reading(Some(name), &error)),
            }
        }
    }

    fn check_room(&self, name: &[u8], more: u64) -> Result<(), Problem> {
        if self.bytes.saturating_add(more) <= self.most_bytes {
            return Ok(());
        }
        let most = Bytes(self.most_bytes);
        Err(Problem::hostile(
            name,
            if self.most_bytes == self.limits.bytes {
                format!("the archive holds more than {most} (fetch.largest_package)")
            } else {
                format!(
                    "the archive unpacks to more than {} times its size (fetch.highest_ratio); pack less",
                    self.limits.ratio
                )
            },
        ))
    }

    /// Makes the folders that are not there yet.
    fn directories(&mut self, name: &[u8], folders: &[&str]) -> Result<PathBuf, Problem> {
        let mut path = self.root.to_owned();
        let mut whole = String::new();
        for folder in folders {
            if !whole.is_empty() {
                whole.push('/');
            }
            whole.push_str(folder);
            path.push(folder);
            if self.claim(name, &whole, false)? {
                DirBuilder::new()
                    .mode(0o700)
                    .create(&path)
                    .map_err(|error| Problem::disk("make", &path, error))?;
            }
        }
        Ok(path)
    }

    /// Takes a name; false when it is taken by the same. Names that differ in case or in Unicode form only are one name
    /// on some disks, and a trap on all.
    fn claim(&mut self, name: &[u8], whole: &str, is_file: bool) -> Result<bool, Problem> {
        let spelling = self.hasher.hash_one(whole);
        let most = self.limits.entries;
        let count = self.made.len() as u64;
        match self.made.entry(self.hasher.hash_one(folded(whole))) {
            Entry::Vacant(_) if count >= most => {
                let problem = format!("the archive holds more than {most} entries (fetch.most_entries)");
                Err(Problem::hostile(name, problem))
            }
            Entry::Vacant(place) => {
                place.insert(Made { spelling, is_file });
                Ok(true)
            }
            Entry::Occupied(made) if made.get().spelling != spelling => Err(Problem::entry(
                name,
                "another name differs from it in case or Unicode form only; rename one",
            )),
            Entry::Occupied(made) if made.get().is_file != is_file => {
                Err(Problem::entry(name, "it is a file and a folder at once; rename one"))
            }
            Entry::Occupied(_) => Ok(false),
        }
    }
}

/// A name as disks compare it that fold case: canonical decomposition, full case folding (`ß` is `ss`, the ligature `ﬁ`
/// is `fi`), and decomposition of what folding composed (Unicode 3.13, D145: canonical caseless matching).
fn folded(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let decomposed = DecomposingNormalizer::new_nfd();
    let name = decomposed.normalize(name);
    let name = CaseMapper::new().fold_string(&name);
    decomposed.normalize(&name).into_owned()
}

/// The parts of an entry's name; none for the archive's own directory (`./`).
fn parts(name: &[u8]) -> Result<Vec<&str>, Problem> {
    let wrong = |problem: &str| Err(Problem::entry(name, problem));
    let Ok(text) = std::str::from_utf8(name) else { return wrong("its name is not UTF-8; rename it") };
    if text.chars().any(char::is_control) {
        return wrong("its name has control characters; rename it");
    }
    if text.contains('\\') {
        return wrong("its name has a backslash; pack it with a tool that separates folders by '/'");
    }
    if text.starts_with('/') {
        let problem = "its name is an absolute path; pack it with paths below the package";
        return Err(Problem::hostile(name, problem));
    }
    if text.len() > LONGEST_NAME {
        return wrong("its name is longer than 1024 bytes; rename it");
    }
    let parts: Vec<_> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        let problem = "its name leads out of the package ('..'); pack it with paths below the package";
        return Err(Problem::hostile(name, problem));
    }
    if parts.iter().any(|part| part.len() > LONGEST_PART) {
        return wrong("a part of its name is longer than 255 bytes; rename it");
    }
    if parts.len() > MAX_DEPTH {
        return wrong("it lies more than 32 folders deep; flatten them");
    }
    Ok(parts)
}
