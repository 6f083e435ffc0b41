//! Opens students' files without following symbolic links to files of anybody else.
//!
//! A roster's folder usually holds the package and the work of all students. A link in a student's work must therefore not
//! lead out of that student's own folder: its target would be judged, and shown in a compiler's messages, as the student's.
//! Whoever starts the command may have links in the path that leads to the roster.

use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::Mode;

/// Location of a student's file: where links may lead decides openat2(2), in the same step that opens the file.
#[derive(Debug, Clone)]
pub(super) struct Location {
    /// Folder of whoever starts the command.
    base: PathBuf,
    /// The student's file or folder in it; no part of it may be a link.
    own: PathBuf,
    /// File in the student's folder; links in it may lead to other files of that folder.
    inside: PathBuf,
}

impl Location {
    /// Returns the location of a roster's source; `folder` is the roster's.
    pub(super) fn of(source: &Path, folder: &Path) -> Self {
        let (base, own) = split(source, folder);
        Self { base, own, inside: PathBuf::new() }
    }

    /// Returns the location of a file in this folder.
    pub(super) fn inside(&self, path: &Path) -> Self {
        Self { inside: path.to_owned(), ..self.clone() }
    }

    /// Returns its path, for messages and for what does not depend on the contents.
    pub(super) fn path(&self) -> PathBuf {
        let mut path = self.base.clone();
        path.extend([&self.own, &self.inside].iter().filter(|part| !part.as_os_str().is_empty()));
        path
    }

    /// Opens the file; a FIFO or a device is not waited for.
    ///
    /// # Errors
    /// When it cannot be opened, or a link leads to it from elsewhere.
    pub(super) fn open(&self) -> io::Result<File> {
        let no_links = ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let within = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let read = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let folder = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let how = |flags, resolve| OpenHow::new().flags(flags).resolve(resolve);
        let base = open(or_here(&self.base), folder, Mode::empty())?;
        if self.inside.as_os_str().is_empty() {
            return Ok(openat2(&base, or_here(&self.own), how(read, no_links))?.into());
        }
        let own = openat2(&base, or_here(&self.own), how(folder, no_links))?;
        Ok(openat2(&own, self.inside.as_path(), how(read, within))?.into())
    }
}

/// Finds the first symbolic link in the part of a source's path that is not the roster's folder.
pub(super) fn link_in(source: &Path, folder: &Path) -> Option<PathBuf> {
    let (mut path, own) = split(source, folder);
    own.components().find_map(|part| {
        path.push(part);
        fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink()).then(|| path.clone())
    })
}

/// Splits a source's path where it leaves the roster's folder and the folders around it.
fn split(source: &Path, folder: &Path) -> (PathBuf, PathBuf) {
    let absolute = source.is_absolute().then(|| std::path::absolute(folder).ok()).flatten();
    let folder = absolute.as_deref().unwrap_or(folder);
    let mut rest = source.components().peekable();
    let mut base = PathBuf::new();
    for part in folder.components() {
        if rest.next_if_eq(&part).is_none() {
            break;
        }
        base.push(part);
    }
    while let Some(part) = rest.next_if(|part| matches!(part, Component::RootDir | Component::ParentDir)) {
        base.push(part);
    }
    (base, rest.filter(|part| *part != Component::CurDir).collect())
}

fn or_here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    fn content(location: &Location) -> Option<String> {
        let mut text = String::new();
        location.open().ok()?.read_to_string(&mut text).ok()?;
        Some(text)
    }

    #[test]
    fn paths_are_split_where_they_leave_the_folder_of_the_roster() {
        for (source, folder, base, own) in [
            ("class/eve/main.py", "class", "class", "eve/main.py"),
            ("./eve/main.py", "", "", "eve/main.py"),
            ("class/../eve.py", "class", "class/..", "eve.py"),
            ("/a/class/eve.py", "/a/lists", "/a", "class/eve.py"),
            ("/b/eve.py", "/a/lists", "/", "b/eve.py"),
            ("class", "class", "class", ""),
        ] {
            let expected = (PathBuf::from(base), PathBuf::from(own));
            assert_eq!(split(Path::new(source), Path::new(folder)), expected, "{source}");
        }
    }

    #[test]
    fn links_lead_to_files_of_the_same_student_alone() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, text) in [("eve/main.py", "eve"), ("anna/main.py", "anna"), ("key.py", "key")] {
            fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            fs::write(at(name), text).unwrap();
        }
        for (target, link) in [
            ("main.py", "eve/inner.py"),
            ("../anna/main.py", "eve/stolen.py"),
            ("../key.py", "eve/key.py"),
            ("anna", "bert"),
            ("anna/main.py", "carl.py"),
        ] {
            symlink(target, at(link)).unwrap();
        }
        let of = |name: &str| Location::of(&at(name), folder.path());
        let inside = |name: &str, file: &str| of(name).inside(Path::new(file));
        for (location, expected) in [
            (of("eve/main.py"), Some("eve")),
            (of("eve/inner.py"), None),
            (of("eve/stolen.py"), None),
            (of("carl.py"), None),
            (of("bert/main.py"), None),
            (inside("eve", "main.py"), Some("eve")),
            (inside("eve", "inner.py"), Some("eve")),
            (inside("eve", "stolen.py"), None),
            (inside("eve", "key.py"), None),
            (inside("bert", "main.py"), None),
        ] {
            assert_eq!(content(&location).as_deref(), expected, "{location:?}");
        }
        assert_eq!(link_in(&at("bert/main.py"), folder.path()), Some(at("bert")));
        assert_eq!(link_in(&at("eve/stolen.py"), folder.path()), Some(at("eve/stolen.py")));
        assert_eq!(link_in(&at("eve/main.py"), folder.path()), None);
        assert_eq!(link_in(&at("none/main.py"), folder.path()), None);
    }
}
