//! Finds the files of a problem, in its directory or its archive, and converts line ends as DMOJ does.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::cache::{Digest, KeyBuilder};
use crate::package::model::Lease;
use crate::package::model::{Interaction, Package, ProgramFile};
use crate::package::source::derived::DerivedFiles;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::scope::Scope;
use crate::package::source::tree::{Tree, open_regular};

/// Where files are looked for.
pub(super) struct ProblemData<'a> {
    tree: &'a Tree,
    archive: Option<Archive>,
    derived: Option<&'a DerivedFiles>,
    /// What is written into the derived: the content, by the place it is to have there.
    made: Vec<Made>,
    known: HashMap<(PathBuf, bool), usize>,
}

struct Archive {
    lease: Lease,
    tree: Tree,
}

/// A file that is not as it is in the package.
enum Made {
    /// With other line ends.
    Normalized(PathBuf),
    /// Of this text.
    Text(String),
}

/// A path that stands for something that [`ProblemData::place`] writes.
const MADE: &str = "/dev/null/made";

impl<'a> ProblemData<'a> {
    /// Opens the archive, where there is one.
    pub(super) fn open(
        tree: &'a Tree,
        scope: &Scope<'_>,
        derived: Option<&'a DerivedFiles>,
    ) -> Result<Self, PackageError> {
        let archive = match scope.text("archive")?.filter(|name| !name.is_empty()) {
            None => None,
            Some(name) => {
                let Some(entry) =
                    tree.at(&name).map_err(|problem| scope.wrong("archive", problem, "name a file"))?
                else {
                    let problem = format!("there is no file '{}'", one_line(&name));
                    return Err(scope.wrong(
                        "archive",
                        problem,
                        "put the archive beside init.yml, or remove the key",
                    ));
                };
                let Some(derived) = derived else { return Err(needs_cache(tree)) };
                let lease = derived.unpack(entry.file()?)?;
                let tree = Tree::open(lease.directory())?;
                Some(Archive { lease, tree })
            }
        };
        Ok(Self { tree, archive, derived, made: Vec::new(), known: HashMap::new() })
    }

    /// Names of all files in the archive, as they stand in it; `None` without an archive.
    pub(super) fn archived(&self) -> Result<Option<Vec<String>>, PackageError> {
        let Some(archive) = &self.archive else { return Ok(None) };
        let mut names = Vec::new();
        archive.tree.files(&mut names)?;
        Ok(Some(names))
    }

    /// A file of that name.
    ///
    /// # Errors
    /// Where there is none, in the words of `scope` and `key`.
    pub(super) fn find(&self, scope: &Scope<'_>, key: &str, name: &str) -> Result<PathBuf, PackageError> {
        let unusable =
            |problem: String| scope.wrong(key, problem, "name a file in the problem's directory or archive");
        if let Some(entry) = self.tree.at(name).map_err(unusable)? {
            return Ok(entry.file()?.to_owned());
        }
        if let Some(archive) = &self.archive
            && let Some(entry) = archive.tree.at(name).map_err(unusable)?
        {
            return Ok(entry.file()?.to_owned());
        }
        let places = if self.archive.is_some() { "the directory and the archive" } else { "the directory" };
        Err(unusable(format!("there is no file '{}' in {places}", one_line(name))))
    }

    /// The content of a file as programs get it.
    pub(super) fn content(&mut self, path: PathBuf, binary: bool) -> Result<PathBuf, PackageError> {
        if binary || is_normal(&path)? {
            return Ok(path);
        }
        if let Some(place) = self.known.get(&(path.clone(), binary)) {
            return Ok(Path::new(MADE).join(place.to_string()));
        }
        let made = self.make(Made::Normalized(path.clone()));
        self.known.insert((path, binary), self.made.len() - 1);
        Ok(made)
    }

    /// A file of that text.
    pub(super) fn text(&mut self, text: String) -> PathBuf {
        let known = self.made.iter().position(|made| matches!(made, Made::Text(other) if *other == text));
        match known {
            Some(place) => Path::new(MADE).join(place.to_string()),
            None => self.make(Made::Text(text)),
        }
    }

    fn make(&mut self, made: Made) -> PathBuf {
        self.made.push(made);
        Path::new(MADE).join((self.made.len() - 1).to_string())
    }

    /// Writes what is not in the package as it must be, and gives everything its place.
    pub(super) fn place(self, package: &mut Package) -> Result<(), PackageError> {
        if let Some(archive) = self.archive {
            package.leases.push(archive.lease);
        }
        if self.made.is_empty() {
            return Ok(());
        }
        let Some(derived) = self.derived else { return Err(needs_cache(self.tree)) };
        let mut key = KeyBuilder::default().field("kind", "dmoj data 1");
        for made in &self.made {
            key = match made {
                Made::Text(text) => key.field("text", text),
                Made::Normalized(path) => {
                    let digest =
                        Digest::of_reader(open_regular(path)?).map_err(PackageError::io("read", path))?;
                    key.field("normalized", digest.to_string())
                }
            };
        }
        let lease = derived.make(key, |directory| {
            for (place, made) in self.made.iter().enumerate() {
                let target = directory.join(place.to_string());
                let writing = PackageError::io("write", &target);
                match made {
                    Made::Text(text) => std::fs::write(&target, text).map_err(writing)?,
                    Made::Normalized(path) => {
                        let mut file = BufWriter::new(File::create_new(&target).map_err(writing)?);
                        normalize(&mut open_regular(path)?, &mut file)
                            .map_err(PackageError::io("copy", path))?;
                    }
                }
            }
            Ok(())
        })?;
        let place = |path: &mut PathBuf| {
            if let Ok(number) = path.strip_prefix(MADE) {
                *path = lease.directory().join(number);
            }
        };
        let files = |files: &mut Vec<ProgramFile>| files.iter_mut().for_each(|file| place(&mut file.path));
        let made = package.generated.iter_mut().flat_map(|made| &mut made.tests);
        made.filter_map(|test| test.input.as_mut()?.stdin.as_mut()).for_each(place);
        for test in &mut package.tests {
            place(&mut test.input);
            place(&mut test.answer);
        }
        package.checkers.iter_mut().for_each(|checker| files(&mut checker.program.files));
        package.includes.iter_mut().for_each(|include| files(&mut include.files));
        if let Interaction::Interactive(interactor) = &mut package.interaction {
            files(&mut interactor.program.files);
        }
        package.leases.push(lease);
        Ok(())
    }
}

fn needs_cache(tree: &Tree) -> PackageError {
    PackageError::unsupported(
        0,
        "",
        "data that must be unpacked or rewritten, without a cache",
        "supported: loading it with a place for that",
    )
    .in_file(&tree.root().join(super::keys::FILE))
}

/// Whether a text is as the judge would make it: no `\r`, and `\n` at its end.
fn is_normal(path: &Path) -> Result<bool, PackageError> {
    let mut file = open_regular(path)?;
    let mut buffer = vec![0; 1 << 17];
    let mut last = b'\n';
    loop {
        let count = file.read(&mut buffer).map_err(PackageError::io("read", path))?;
        let Some(piece) = buffer.get(..count).filter(|piece| !piece.is_empty()) else {
            return Ok(last == b'\n');
        };
        if memchr::memchr(b'\r', piece).is_some() {
            return Ok(false);
        }
        last = piece.last().copied().unwrap_or(last);
    }
}

/// Copies a text with `\n` for every `\r\n` and `\r`, and one at its end unless it is empty.
fn normalize(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 17];
    let (mut after_return, mut last) = (false, b'\n');
    loop {
        let count = from.read(&mut buffer)?;
        let Some(piece) = buffer.get(..count).filter(|piece| !piece.is_empty()) else { break };
        let mut out = Vec::with_capacity(piece.len());
        for byte in piece {
            match byte {
                b'\n' if after_return => {}
                b'\r' => out.push(b'\n'),
                byte => out.push(*byte),
            }
            after_return = *byte == b'\r';
        }
        last = out.last().copied().unwrap_or(last);
        to.write_all(&out)?;
    }
    if last != b'\n' {
        to.write_all(b"\n")?;
    }
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_become_those_of_the_judge() {
        for (text, expected) in [
            ("a\r\nb", "a\nb\n"),
            ("a\rb\r", "a\nb\n"),
            ("\r\n\r\n", "\n\n"),
            ("", ""),
            ("a\n", "a\n"),
            ("\n\r", "\n\n"),
        ] {
            let mut out = Vec::new();
            normalize(&mut text.as_bytes(), &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{text:?}");
        }
    }
}
