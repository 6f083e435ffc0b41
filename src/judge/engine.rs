//! Holds what every step of a judging shares: sandbox, slots, cache, language table, settings.
//!
//! Steps get it as `&Engine` and never reach up to the [`Judge`](crate::judge::Judge) that owns it. It lends boxes, and
//! reads files into the page cache before programs are charged for them.

use std::collections::{HashMap, HashSet};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::cache::Store;
use crate::cancel::CancelToken;
use crate::judge::fault::Fault;
use crate::judge::files;
use crate::judge::provenance::{Digests, Host};
use crate::judge::schedule::host_memory::HostMemory;
use crate::judge::schedule::slots::Slots;
use crate::judge::settings::{JudgeSettings, Readers, StartError};
use crate::language::Table;
use crate::sandbox::{BoxHandle, Sandbox, SandboxError, Shape};

/// Files remembered as read into the page cache; beyond that all are forgotten, and read once more.
const PRELOADED_REMEMBERED: usize = 100_000;

/// Device, inode, size, and seconds and nanoseconds of the last change of a file's content.
type FileState = (u64, u64, u64, i64, i64);

/// Resources and settings that all judgings of a process share.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) sandbox: Sandbox,
    pub(crate) slots: Slots,
    pub(crate) store: Store,
    /// Directory of captured outputs that are too large for memory.
    pub(crate) spill: PathBuf,
    pub(crate) table: Table,
    pub(crate) host: Host,
    /// Toolchains that this process has found, by the identity of their files.
    pub(crate) toolchains: Mutex<HashMap<String, Arc<Toolchain>>>,
    /// Digests of the packages judged last.
    pub(crate) digests: Digests,
    /// Directory of transcripts; none are written when `None`.
    pub(crate) transcripts: Option<PathBuf>,
    pub(crate) may_raise_limits: bool,
    pub(crate) readers: Readers,
    pub(crate) host_memory: HostMemory,
    /// Files read into the page cache already.
    preloaded: Mutex<HashSet<FileState>>,
}

/// A language's compiler or interpreter as found on this host.
#[derive(Debug)]
pub(crate) struct Toolchain {
    /// First line of its version output.
    pub(crate) version: String,
    /// Identity of its programs' files.
    pub(crate) identity: String,
}

/// Resources that take the rights a process is started with: leased cores and the keeper of boxes.
#[derive(Debug)]
pub struct Prepared {
    slots: Slots,
    sandbox: Sandbox,
}

impl Prepared {
    /// Leases cores and starts the sandbox.
    ///
    /// # Errors
    /// When this host cannot run boxes, or has too few cores.
    pub(crate) fn start(settings: &JudgeSettings) -> Result<Self, StartError> {
        let slots = Slots::new(settings)?;
        let sandbox = Sandbox::start(&settings.sandbox())?;
        Ok(Self { slots, sandbox })
    }

    /// Returns the sandbox.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Engine {
    /// Assembles an engine and makes its directory for spilled outputs.
    ///
    /// # Errors
    /// When that directory cannot be made.
    pub(crate) fn new(settings: JudgeSettings, store: Store, prepared: Prepared) -> Result<Self, StartError> {
        let Prepared { slots, sandbox } = prepared;
        let spill = settings.cache.join("spill");
        std::fs::create_dir_all(&spill)
            .map_err(|source| StartError::Directory { path: spill.clone(), source })?;
        let control = sandbox.resource_control();
        Ok(Self {
            sandbox,
            slots,
            store,
            spill,
            table: settings.languages,
            host: Host::read(settings.worker, control),
            toolchains: Mutex::default(),
            digests: Digests::default(),
            transcripts: settings.transcripts,
            may_raise_limits: settings.may_raise_limits,
            readers: settings.readers,
            host_memory: HostMemory::watch(control),
            preloaded: Mutex::default(),
        })
    }

    /// Runs `work` in a box of that shape on the next free slot. When the sandbox fails, the box is destroyed and the work
    /// is done once more in a new one: a lost box must not cost a contestant anything.
    ///
    /// # Errors
    /// Those of `work`; [`Fault::Cancelled`] when a token is cancelled before a slot is free.
    pub(crate) fn in_box<T>(
        &self,
        shape: &Shape,
        cancel: &[&CancelToken],
        mut work: impl FnMut(&mut BoxHandle) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.in_boxes(&[shape], cancel, |boxes| match boxes {
            [only] => work(only),
            _ => Err(Fault::Panic("one box was asked for".to_owned())),
        })
    }

    /// Runs `work` in several boxes of one slot, as [`Engine::in_box`] does in one. All are on the slot's core, so no
    /// judging waits for a second slot while it holds one.
    ///
    /// # Errors
    /// As [`Engine::in_box`].
    pub(crate) fn in_boxes<T>(
        &self,
        shapes: &[&Shape],
        cancel: &[&CancelToken],
        mut work: impl FnMut(&mut [BoxHandle]) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let is_cancelled = || cancel.iter().any(|token| token.is_cancelled());
        let first = shapes.first().ok_or_else(|| Fault::Panic("no box was asked for".to_owned()))?;
        let slot = self.slots.acquire(first, &is_cancelled).ok_or(Fault::Cancelled)?;
        if let Some(refusal) = self.slots.refusal() {
            return Err(refusal.into());
        }
        let mut pool = slot.boxes();
        let mut is_second = false;
        loop {
            // The boxes are out of the pool meanwhile: a panic or a fault destroys them with whatever runs or lies in
            // them.
            let mut boxes =
                shapes.iter().map(|shape| pool.take(&self.sandbox, shape)).collect::<Result<Vec<_>, _>>()?;
            let error = match work(&mut boxes) {
                Err(Fault::Sandbox(error)) => error,
                Err(fault @ Fault::Cancelled) => {
                    boxes.into_iter().for_each(|sandbox_box| pool.put(sandbox_box));
                    return Err(fault);
                }
                Err(fault) => return Err(fault),
                done => {
                    boxes.into_iter().for_each(|sandbox_box| pool.put(sandbox_box));
                    return done;
                }
            };
            drop(boxes);
            if is_second || matches!(error, SandboxError::KeeperGone) || is_cancelled() {
                return Err(error.into());
            }
            tracing::warn!(%error, "a box failed; trying once more in a new one");
            is_second = true;
        }
    }

    /// Reads a file into the page cache, once per process: the kernel charges a page to the first process that touches it,
    /// which must not be the first test's program.
    pub(crate) fn preload(&self, path: &Path) {
        if let Err(error) = self.try_preload(path) {
            tracing::debug!(path = %path.display(), %error, "not preloaded");
        }
    }

    /// Reads every file below a directory into the page cache, as [`Engine::preload`] does.
    pub(crate) fn preload_directory(&self, directory: &Path) {
        let Ok(listing) = std::fs::read_dir(directory) else {
            return;
        };
        for entry in listing.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.preload_directory(&entry.path()),
                Ok(kind) if kind.is_file() => self.preload(&entry.path()),
                _ => {}
            }
        }
    }

    fn try_preload(&self, path: &Path) -> io::Result<()> {
        let identity = |metadata: &Metadata| {
            (metadata.dev(), metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec())
        };
        if self.preloaded.lock().contains(&identity(&path.metadata()?)) {
            return Ok(());
        }
        let mut file = files::open_regular(path)?;
        let identity = identity(&file.metadata()?);
        io::copy(&mut file, &mut io::sink())?;
        let mut preloaded = self.preloaded.lock();
        if preloaded.len() >= PRELOADED_REMEMBERED {
            preloaded.clear();
        }
        preloaded.insert(identity);
        Ok(())
    }
}
