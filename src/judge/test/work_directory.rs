//! Fills a program's work directory before it runs, and takes its output file out afterwards.
//!
//! Before a run, the directory gets data of the package and the submission, links to the sources of an interpreted program,
//! the test's files, and the input where the problem reads it from a file. The program may change or remove all of it; the
//! next run gets a fresh directory. After the run, when everything in the box is dead, the output file is taken out where the
//! problem has one. Only a plain file with one link counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::unistd::symlinkat;

use crate::judge::compile::artifacts;
use crate::judge::fault::Fault;
use crate::judge::files::Inputs;
use crate::judge::request::Source;
use crate::package::{Interaction, Package, Streams, Test};
use crate::sandbox::{BoxHandle, Capture, PROGRAM, Shape};
use crate::units::Bytes;

/// The work directory of every run of one submission.
#[derive(Debug)]
pub(crate) struct WorkDirectory<'a> {
    streams: &'a Streams,
    /// Files of the submission and the package that are not compiled.
    data: Vec<&'a Source>,
    /// Names of source files, each with where it lies in the box: a script finds its other files also where it starts.
    links: Vec<(&'a str, String)>,
}

/// Standard input and output.
const STANDARD: &Streams = &Streams { input_file: None, output_file: None };

/// The output file of a run, and the memory that it takes as a file of the work directory.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) output: Output,
    pub(crate) held: Bytes,
}

/// The output file that a program left.
#[derive(Debug)]
pub(crate) enum Output {
    /// Its content.
    Written(Capture),
    /// It is larger than the output limit.
    TooLarge,
    /// There is none, or it does not count; why.
    Missing(String),
}

/// The content of a file or the target of a link.
enum Content<'a> {
    Bytes(&'a [u8]),
    File(&'a Path),
    Link(&'a str),
    /// A link to the program's own source, which a file of the test may replace.
    OwnLink(&'a str),
}

impl Content<'_> {
    fn is_own(&self) -> bool {
        matches!(self, Self::Bytes(_) | Self::OwnLink(_))
    }
}

impl<'a> WorkDirectory<'a> {
    /// Returns a work directory with `data`, and with links to `sources` below [`PROGRAM`].
    ///
    /// # Errors
    /// When the package names files that cannot be in a work directory.
    pub(crate) fn new(
        package: &'a Package,
        data: Vec<&'a Source>,
        sources: Vec<&'a Source>,
    ) -> Result<Self, Fault> {
        let streams = &package.streams;
        for name in [&streams.input_file, &streams.output_file].into_iter().flatten() {
            if !is_plain(name) || name.contains('/') {
                return Err(Fault::Package(format!(
                    "problem '{}' reads or writes a file called '{}': give a plain file name",
                    package.name,
                    name.escape_debug()
                )));
            }
        }
        // Interactive programs talk through their standard streams and must not see the input.
        let streams = if package.interaction == Interaction::None { streams } else { STANDARD };
        if streams.input_file.is_some() && streams.input_file == streams.output_file {
            return Err(Fault::Package(format!(
                "problem '{}' reads and writes one file: give input and output different names",
                package.name
            )));
        }
        let links =
            sources.into_iter().map(|source| (source.name.as_str(), format!("{PROGRAM}/{}", source.name)));
        Ok(Self { streams, data, links: links.collect() })
    }

    /// Returns a warning for each link and each file of `submitted` that is left out because a file of the problem has its
    /// name.
    pub(crate) fn displaced(&self, submitted: &[Source], tests: &[&Test]) -> Vec<String> {
        let data = self.data.iter().filter(|source| submitted.iter().any(|own| own.name == source.name));
        let own = data.map(|source| source.name.as_str()).chain(self.links.iter().map(|(name, _)| *name));
        let theirs = tests.iter().flat_map(|test| {
            let files = test.files.iter().map(|file| file.name.as_str());
            files.chain(test.links.iter().map(|link| link.name.as_str()))
        });
        let theirs: BTreeSet<&str> = theirs.collect();
        let mut warnings = Vec::new();
        for name in own {
            let clashes = |theirs: &str| theirs == name || is_below(theirs, name) || is_below(name, theirs);
            let reason = if self.streams.input_file.as_deref().is_some_and(clashes) {
                "the problem's input file has that name"
            } else if self.streams.output_file.as_deref().is_some_and(|file| file == name) {
                "the problem's output file has that name"
            } else if theirs.iter().any(|name| clashes(name)) {
                "a file of a test has that name"
            } else {
                continue;
            };
            let name = name.escape_debug();
            warnings.push(format!(
                "file '{name}' of the program is not in its work directory: {reason}; rename it"
            ));
        }
        warnings
    }

    /// Enlarges a box's work directory for these files and for the output.
    pub(crate) fn make_room(&self, shape: &mut Shape, tests: &[&Test], output: Bytes) -> Result<(), Fault> {
        let mut bytes: u64 = self.data.iter().map(|source| source.bytes.len() as u64).sum();
        let mut files = self.data.len() + self.links.len();
        let (mut most_bytes, mut most_files) = (0, 0);
        for test in tests {
            let mut size = 0;
            if self.streams.input_file.is_some() {
                size += size_of(&test.input)?;
            }
            for file in &test.files {
                size += size_of(&file.path)?;
            }
            most_bytes = size.max(most_bytes);
            most_files = (test.files.len() + test.links.len()).max(most_files);
        }
        bytes = bytes.saturating_add(most_bytes);
        files += most_files;
        if self.streams.output_file.is_some() {
            bytes = bytes.saturating_add(output.0);
        }
        if bytes > 0 {
            // A few sizes only: boxes are shared by the programs that want the same.
            let room = shape.workspace.0.saturating_add(bytes).max(1);
            shape.workspace = Bytes(room.checked_next_power_of_two().unwrap_or(room));
        }
        if files > 0 {
            let inodes = shape.workspace_inodes.saturating_add(2 * files as u64);
            shape.workspace_inodes = inodes.checked_next_power_of_two().unwrap_or(inodes);
        }
        Ok(())
    }

    /// Returns whether the program's standard input is the test's input.
    pub(crate) fn feeds_standard_input(&self) -> bool {
        self.streams.input_file.is_none()
    }

    /// Returns whether the output is a file.
    pub(crate) fn takes_output_file(&self) -> bool {
        self.streams.output_file.is_some()
    }

    /// Fills the directory in a box; a file of the test replaces one of the package, and the input replaces both.
    pub(crate) fn fill(
        &self,
        sandbox_box: &mut BoxHandle,
        inputs: &Inputs,
        test: &Test,
    ) -> Result<(), Fault> {
        let mut files: BTreeMap<&str, Content<'_>> =
            self.links.iter().map(|(name, target)| (*name, Content::OwnLink(target))).collect();
        files.extend(self.data.iter().map(|source| (source.name.as_str(), Content::Bytes(&source.bytes))));
        files.extend(test.files.iter().map(|file| (file.name.as_str(), Content::File(&file.path))));
        if let Some(name) = &self.streams.input_file {
            files.insert(name, Content::File(&test.input));
        }
        for link in &test.links {
            if let Some(Content::File(_)) = files.insert(&link.name, Content::Link(&link.target)) {
                return Err(Fault::Package(format!(
                    "it puts both a file and a link called '{}' beside the program; rename one",
                    link.name.escape_debug()
                )));
            }
        }
        if let Some(name) = &self.streams.output_file {
            // The output file must be the program's own.
            files.remove(name.as_str());
        }
        if files.is_empty() {
            return Ok(());
        }
        make_way(&mut files)?;
        let workspace = sandbox_box.fresh_workspace()?;
        let mut folders = BTreeMap::new();
        for (name, content) in files {
            if !is_plain(name) {
                return Err(Fault::Package(format!(
                    "it puts a file called '{}' beside the program",
                    name.escape_debug()
                )));
            }
            for (end, _) in name.match_indices('/') {
                let folder = &name[..end];
                if !folders.contains_key(folder) {
                    folders.insert(folder.to_owned(), artifacts::make_directory(workspace, folder)?);
                }
            }
            match content {
                Content::Bytes(mut bytes) => artifacts::write_new(workspace, name, PERMISSIONS, &mut bytes)?,
                Content::File(path) => {
                    artifacts::write_new(workspace, name, PERMISSIONS, &mut inputs.open(path)?)?
                }
                Content::Link(target) | Content::OwnLink(target) => symlinkat(target, workspace, name)
                    .map_err(|error| Fault::file("make link", Path::new(name), error))?,
            }
        }
        Ok(())
    }

    /// Takes the output file out, where the problem has one, unless it is larger than `limit`.
    pub(crate) fn take_output(
        &self,
        workspace: BorrowedFd<'_>,
        limit: Bytes,
        spill: &Path,
    ) -> Result<Option<Taken>, Fault> {
        let Some(name) = &self.streams.output_file else { return Ok(None) };
        take(workspace, name, limit, spill).map(Some)
    }
}

/// Mode of all files: programs may write to them, whether or not they have the owner's uid.
const PERMISSIONS: u32 = 0o666;

/// The unit of `st_blocks` (stat(2)).
const BLOCK: u64 = 512;

/// Files in memory take whole pages.
const PAGE: u64 = 4096;

fn size_of(path: &Path) -> Result<u64, Fault> {
    let metadata = path
        .metadata()
        .map_err(|error| Fault::Package(format!("cannot read {}: {error}", path.display())))?;
    Ok(metadata.len())
}

/// Returns whether `file` lies below a folder called `folder`.
fn is_below(file: &str, folder: &str) -> bool {
    file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Drops what gives way and is called as a folder in which other files lie, and links to sources that lie in a folder
/// called as a file of the test: the submission must not be able to keep the test from being laid out.
///
/// # Errors
/// [`Fault::Package`] when two files of the package are in each other's way.
fn make_way(files: &mut BTreeMap<&str, Content<'_>>) -> Result<(), Fault> {
    let folders: BTreeSet<String> = files
        .keys()
        .flat_map(|name| name.match_indices('/').map(|(end, _)| name.get(..end).unwrap_or_default()))
        .filter(|folder| files.contains_key(folder))
        .map(str::to_owned)
        .collect();
    for folder in folders {
        if files.get(folder.as_str()).is_some_and(Content::is_own) {
            files.remove(folder.as_str());
            continue;
        }
        files.retain(|name, content| !(is_below(name, &folder) && matches!(content, Content::OwnLink(_))));
        if files.keys().any(|name| is_below(name, &folder)) {
            return Err(Fault::Package(format!(
                "it puts a file '{}' and files below a folder of that name beside the program; rename one",
                folder.escape_debug()
            )));
        }
    }
    Ok(())
}

/// A path of plain names below where it is used.
pub(crate) fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.contains('\0')
        && !name.ends_with('/')
        && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}

pub(crate) fn take(
    workspace: BorrowedFd<'_>,
    name: &str,
    limit: Bytes,
    spill: &Path,
) -> Result<Taken, Fault> {
    let missing = |what: &str| {
        let why = format!("the output file '{name}' {what}");
        Ok(Taken { output: Output::Missing(why), held: Bytes(0) })
    };
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
    let file = match openat2(workspace, Path::new(name), how) {
        Ok(file) => File::from(file),
        Err(Errno::ENOENT) => return missing("was not written"),
        Err(Errno::ELOOP) => return missing("is a symbolic link"),
        Err(Errno::EACCES | Errno::EPERM) => return missing("cannot be read"),
        Err(Errno::ENXIO | Errno::ENODEV) => return missing("is not a regular file"),
        Err(errno) => return Err(Fault::file("open", Path::new(name), errno)),
    };
    let failed = |error: io::Error| Fault::file("read", Path::new(name), error);
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return missing("is not a regular file");
    }
    if metadata.nlink() != 1 {
        return missing("is linked to another file");
    }
    if metadata.mode() & 0o400 == 0 {
        // Root could read it; the verdict must not depend on the user that gavel runs as.
        return missing("cannot be read");
    }
    // Memory that was reserved behind the end (fallocate(2), FALLOC_FL_KEEP_SIZE) holds nothing of the output.
    let held = Bytes(metadata.blocks().saturating_mul(BLOCK).min(metadata.len().next_multiple_of(PAGE)));
    if metadata.len() > limit.0 {
        return Ok(Taken { output: Output::TooLarge, held });
    }
    let mut output = Capture::whole(spill);
    let mut file = file.take(limit.0);
    let mut buffer = vec![0u8; 64 << 10];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(Taken { output: Output::Written(output), held }),
            length => output
                .push(buffer.get(..length).unwrap_or_default())
                .map_err(|error| Fault::file("write to", spill, error))?,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use nix::sys::stat::Mode;

    use super::*;

    fn taken(directory: &Path, limit: u64) -> Output {
        let handle = File::open(directory).unwrap();
        take(handle.as_fd(), "output.txt", Bytes(limit), directory).unwrap().output
    }

    fn text(output: Output) -> Vec<u8> {
        let Output::Written(mut capture) = output else { panic!("{output:?}") };
        let mut bytes = Vec::new();
        capture.reader().unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    fn missing(output: &Output) -> &str {
        match output {
            Output::Missing(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_plain_file_within_the_limit_is_the_output() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("output.txt");
        assert!(missing(&taken(directory.path(), 8)).ends_with("was not written"));
        std::fs::write(&path, "12345678").unwrap();
        assert_eq!(text(taken(directory.path(), 8)), b"12345678");
        assert!(matches!(taken(directory.path(), 7), Output::TooLarge));
        std::fs::write(&path, "").unwrap();
        assert_eq!(text(taken(directory.path(), 0)), b"");
        let sparse = File::create(&path).unwrap();
        sparse.set_len(1 << 40).unwrap();
        assert!(matches!(taken(directory.path(), 7), Output::TooLarge));
    }

    #[test]
    fn nothing_else_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("output.txt");
        let other = directory.path().join("other");
        std::fs::write(&other, "1").unwrap();
        symlink(&other, &path).unwrap();
        assert!(missing(&taken(directory.path(), 8)).ends_with("is a symbolic link"));
        std::fs::remove_file(&path).unwrap();
        std::fs::hard_link(&other, &path).unwrap();
        assert!(missing(&taken(directory.path(), 8)).ends_with("is linked to another file"));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(missing(&taken(directory.path(), 8)).ends_with("is not a regular file"));
        std::fs::remove_dir(&path).unwrap();
        nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap();
        assert!(missing(&taken(directory.path(), 8)).ends_with("is not a regular file"));
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "1").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o200)).unwrap();
        assert!(missing(&taken(directory.path(), 8)).ends_with("cannot be read"));
    }

    #[test]
    fn a_submissions_file_is_not_in_the_way_of_a_tests_folder() {
        let file = || Content::File(Path::new("/test"));
        for own in [Content::Bytes(b""), Content::OwnLink("/program/data")] {
            let mut files = BTreeMap::from([
                ("data", own),
                ("data/1.txt", file()),
                ("data/deep/2.txt", file()),
                ("lib", file()),
                ("lib/util.py", Content::OwnLink("/program/lib/util.py")),
                ("own", Content::OwnLink("/program/own")),
            ]);
            make_way(&mut files).unwrap();
            assert_eq!(
                files.into_keys().collect::<Vec<_>>(),
                ["data/1.txt", "data/deep/2.txt", "lib", "own"]
            );
        }
        let mut files = BTreeMap::from([("data", file()), ("data/1.txt", file())]);
        let refused = make_way(&mut files).unwrap_err();
        assert!(matches!(refused, Fault::Package(_)), "{refused}");
    }

    #[test]
    fn names_stay_inside() {
        for name in ["", "/etc/passwd", "../x", "a/../b", ".", "a/", "a\0b"] {
            assert!(!is_plain(name), "{name:?}");
        }
        for name in ["input.txt", "a/b.txt", "-o", ".hidden"] {
            assert!(is_plain(name), "{name:?}");
        }
    }
}
