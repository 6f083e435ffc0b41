//! Packages below the package roots, loaded once and again when they changed.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::WorkspaceError;
use crate::package::{Library, Package, TimeLimit};

/// Packages kept in memory; beyond it, those not in use are forgotten.
const MAX_KEPT: usize = 256;

/// Folders within folders of a package that are looked at for changes.
const MAX_DEPTH: usize = 32;

/// Time until a second look for a package that no root has: one that is being replaced is away between two renames.
const SECOND_LOOK: Duration = Duration::from_millis(200);

/// Packages by their directory.
#[derive(Debug)]
pub(super) struct Packages {
    library: Arc<Library>,
    /// As the kernel sees them: absolute, links resolved.
    roots: Vec<PathBuf>,
    kept: Mutex<HashMap<PathBuf, Place>>,
}

/// One package; whoever holds the lock loads it, and the rest wait.
type Place = Arc<Mutex<Option<Loaded>>>;

#[derive(Debug)]
struct Loaded {
    package: Arc<Package>,
    /// What `stat` said of everything in it when it was loaded.
    state: State,
}

/// A digest of what `stat` says of everything in a package's directory, where it could be had.
pub(super) type State = Option<u64>;

/// Whether a directory is in a state.
pub(super) fn is_in(directory: &Path, state: State) -> bool {
    state.is_some() && self::state(directory).ok() == state
}

impl Packages {
    /// Checks the roots.
    pub(super) fn open(roots: &[PathBuf], library: Arc<Library>) -> Result<Self, WorkspaceError> {
        Ok(Self { library, roots: resolve(roots)?, kept: Mutex::default() })
    }

    /// The package of that name, as it is on disk now, and the state that its directory was in before it was loaded.
    pub(super) fn find(&self, name: &Path) -> Result<(Arc<Package>, State), WorkspaceError> {
        match self.load(name) {
            // Away since it was found: it is being replaced.
            Err(WorkspaceError::Package(_)) if self.locate(name).is_err() => self.load(name),
            found => found,
        }
    }

    fn load(&self, name: &Path) -> Result<(Arc<Package>, State), WorkspaceError> {
        let directory = self.locate_twice(name, || std::thread::sleep(SECOND_LOOK))?;
        let place = self.place(&directory);
        let mut loaded = lock(&place);
        // Before loading: a change in between is then seen the next time.
        let state = state(&directory).ok();
        if let Some(loaded) = &*loaded
            && state.is_some()
            && loaded.state == state
        {
            return Ok((Arc::clone(&loaded.package), state));
        }
        *loaded = None;
        let package = Arc::new(self.library.load(&directory)?);
        tell_warnings(&package);
        *loaded = Some(Loaded { package: Arc::clone(&package), state });
        Ok((package, state))
    }

    /// As [`Packages::locate`]; where no root has the package, once more after a rest.
    fn locate_twice(&self, name: &Path, rest: impl FnOnce()) -> Result<PathBuf, WorkspaceError> {
        match self.locate(name) {
            Err(WorkspaceError::Unknown { .. }) if !self.roots.is_empty() => {
                rest();
                self.locate(name)
            }
            found => found,
        }
    }

    /// The directory a name means, inside a root whatever the name is.
    fn locate(&self, name: &Path) -> Result<PathBuf, WorkspaceError> {
        let shown = || name.to_string_lossy().chars().take(200).flat_map(char::escape_debug).collect();
        let is_plain = name.components().all(|part| matches!(part, Component::Normal(_)));
        if !is_plain || name.as_os_str().is_empty() || name.as_os_str().as_encoded_bytes().contains(&0) {
            return Err(WorkspaceError::Name(shown()));
        }
        for root in &self.roots {
            let directory = match root.join(name).canonicalize() {
                Ok(directory) => directory,
                // An empty list of a root that cannot be read would say the same.
                Err(error) if is_lack(&error) => match root.read_dir() {
                    Ok(_) => continue,
                    Err(source) => {
                        return Err(WorkspaceError::Unreadable { name: shown(), root: root.clone(), source });
                    }
                },
                Err(source) => {
                    return Err(WorkspaceError::Unreadable { name: shown(), root: root.clone(), source });
                }
            };
            if !directory.starts_with(root) || directory == *root {
                return Err(WorkspaceError::Outside(shown()));
            }
            return Ok(directory);
        }
        let roots: Vec<_> = self.roots.iter().map(|root| root.display().to_string()).collect();
        let roots = if roots.is_empty() { "there are none".to_owned() } else { roots.join(", ") };
        Err(WorkspaceError::Unknown { name: shown(), roots })
    }

    fn place(&self, directory: &Path) -> Place {
        let mut kept = lock(&self.kept);
        if let Some(place) = kept.get(directory) {
            return Arc::clone(place);
        }
        if kept.len() >= MAX_KEPT {
            kept.retain(|_, place| Arc::strong_count(place) > 1);
        }
        Arc::clone(kept.entry(directory.to_owned()).or_default())
    }
}

/// Whether a path cannot exist: missing, below a file, behind a ring of links, or longer than a file system allows. Each
/// follows from the name or the package, and none from the host.
fn is_lack(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename)
        || error.raw_os_error() == Some(nix::errno::Errno::ELOOP as i32)
}

/// The roots, absolute and without links.
pub(super) fn resolve(roots: &[PathBuf]) -> Result<Vec<PathBuf>, WorkspaceError> {
    let check = |path: &PathBuf| {
        let fail = |problem: String| WorkspaceError::Root { path: path.clone(), problem };
        let root = path.canonicalize().map_err(|error| fail(error.to_string()))?;
        if root.is_dir() { Ok(root) } else { Err(fail("it is not a directory".to_owned())) }
    };
    roots.iter().map(check).collect()
}

/// What the author should know, once a load.
pub(super) fn tell_warnings(package: &Package) {
    for warning in &package.warnings {
        tracing::warn!(package = %package.name, "{warning}");
    }
    if matches!(package.limits.time, TimeLimit::FromSubmissions { .. }) {
        tracing::warn!(
            package = %package.name,
            "the package leaves its time limit to its jury's submissions: give it one, or send 'limits.cpu'"
        );
    }
}

/// A digest of what `stat` says of everything in a directory. ctime is among it, which nobody can set back.
fn state(directory: &Path) -> io::Result<u64> {
    let mut hasher = DefaultHasher::new();
    visit(directory, 0, &mut hasher)?;
    Ok(hasher.finish())
}

fn visit(path: &Path, depth: usize, hasher: &mut DefaultHasher) -> io::Result<()> {
    // Links are followed, to see what they lead to change; a ring of them ends at the depth.
    let metadata = path.metadata()?;
    path.hash(hasher);
    (metadata.dev(), metadata.ino(), metadata.len(), metadata.mode()).hash(hasher);
    (metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()).hash(hasher);
    if metadata.is_dir() && depth < MAX_DEPTH && !path.is_symlink() {
        let mut inside =
            std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        inside.sort();
        for path in inside {
            // What cannot be reached, such as a link to nowhere, is for loading to complain about.
            if visit(&path, depth + 1, hasher).is_err() {
                path.hash(hasher);
            }
        }
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::CancelToken;

    fn library(directory: &Path) -> Arc<Library> {
        Arc::new(Library::new(&directory.join("cache"), CancelToken::new().unwrap()))
    }

    fn root() -> (tempfile::TempDir, Packages) {
        let directory = tempfile::tempdir().unwrap();
        let package = directory.path().join("root/contest/sum");
        std::fs::create_dir_all(&package).unwrap();
        std::fs::write(package.join("1.in"), "1 2\n").unwrap();
        std::fs::write(package.join("1.ans"), "3\n").unwrap();
        let packages = Packages::open(&[directory.path().join("root")], library(directory.path())).unwrap();
        (directory, packages)
    }

    #[test]
    fn names_that_leave_the_roots_are_refused() {
        let (directory, packages) = root();
        let outside = directory.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, directory.path().join("root/link")).unwrap();
        let absolute = outside.to_str().unwrap().to_owned();
        for name in ["", ".", "..", "../outside", "contest/../../outside", "/", absolute.as_str(), "a\0b"] {
            let error = packages.find(Path::new(name)).unwrap_err();
            assert!(matches!(error, WorkspaceError::Name(_)), "{name:?}: {error}");
        }
        for name in ["link", "link/x"] {
            let error = packages.find(Path::new(name)).unwrap_err();
            assert!(
                matches!(error, WorkspaceError::Outside(_) | WorkspaceError::Unknown { .. }),
                "{name:?}: {error}"
            );
        }
        let error = packages.find(Path::new("nothing")).unwrap_err().to_string();
        assert!(error.contains("'nothing'") && error.contains("root"), "{error}");
    }

    #[test]
    fn a_package_that_is_away_between_two_renames_is_found_at_the_second_look() {
        let (directory, packages) = root();
        let (package, away) = (directory.path().join("root/contest/sum"), directory.path().join("away"));
        std::fs::rename(&package, &away).unwrap();
        let name = Path::new("contest/sum");
        let found = packages.locate_twice(name, || std::fs::rename(&away, &package).unwrap());
        assert!(found.unwrap().ends_with("contest/sum"));
        let error = packages.locate_twice(Path::new("contest/other"), || ()).unwrap_err();
        assert!(error.is_lack(), "{error}");
    }

    #[test]
    fn only_a_name_that_no_readable_root_has_is_a_lack() {
        let (directory, packages) = root();
        let root = directory.path().join("root");
        std::os::unix::fs::symlink("ring", root.join("ring")).unwrap();
        let long = "n".repeat(300);
        for name in ["nothing", "contest/sum/1.in/x", "ring", "ring/x", &long] {
            let error = packages.locate(Path::new(name)).unwrap_err();
            assert!(error.is_lack() && !error.is_ours(), "{name}: {error}");
        }
        // Works for root, too, whom no permission stops: there is no such directory any more.
        std::fs::rename(&root, directory.path().join("moved")).unwrap();
        let error = packages.locate(Path::new("contest/sum")).unwrap_err();
        assert!(!error.is_lack() && error.is_ours(), "{error}");
        assert!(error.to_string().contains("cannot look for problem 'contest/sum'"), "{error}");
    }

    #[test]
    fn a_package_is_loaded_once_and_again_when_it_changed() {
        let (directory, packages) = root();
        let name = Path::new("contest/sum");
        let first = packages.find(name).unwrap().0;
        assert!(Arc::ptr_eq(&first, &packages.find(name).unwrap().0));
        let package = directory.path().join("root/contest/sum");
        std::fs::write(package.join("2.in"), "3 4\n").unwrap();
        std::fs::write(package.join("2.ans"), "7\n").unwrap();
        let second = packages.find(name).unwrap().0;
        assert_eq!((first.tests.len(), second.tests.len()), (1, 2));
        std::fs::write(package.join("2.ans"), "another answer\n").unwrap();
        assert!(!Arc::ptr_eq(&second, &packages.find(name).unwrap().0));
    }

    #[test]
    fn a_root_that_is_no_directory_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let error =
            Packages::open(&[file.path().to_owned()], library(directory.path())).unwrap_err().to_string();
        assert!(error.contains("not a directory"), "{error}");
    }
}
