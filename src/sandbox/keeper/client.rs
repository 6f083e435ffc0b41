//! The worker's connection to the keeper: starts it, sends requests, and waits for its end.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::directories::{Directories, Source};
use super::message::{Answer, Files, Request, Role};
use crate::sandbox::error::SandboxError;
use crate::sandbox::resource_control::ResourceControl;
use crate::sandbox::sys::wire::{self, Inbox};
use crate::sandbox::watchdog::Deadlines;

/// The longest time the keeper works on one request, and on those of other threads before it.
const ANSWER: Duration = Duration::from_secs(60);

/// Directories listed in one message: as many of the longest paths as fit into it.
const LISTED_AT_ONCE: usize = 24;

/// Whether this process has become another user than the one that started its keeper.
static CHANGED_USER: AtomicBool = AtomicBool::new(false);

/// Returns whether this process is another user than its keeper.
pub(crate) fn has_changed_user() -> bool {
    CHANGED_USER.load(Ordering::Relaxed)
}

/// Records that this process has become another user than its keeper.
pub(crate) fn set_changed_user() {
    CHANGED_USER.store(true, Ordering::Relaxed);
}

/// The connection; dropping the last one ends the keeper and waits until it has cleaned up.
#[derive(Debug)]
pub(crate) struct KeeperClient {
    connection: Mutex<Connection>,
    pub(crate) deadlines: Arc<Deadlines>,
    process: Child,
}

struct Connection {
    /// `None` once the keeper was found dead, or at the end.
    socket: Option<OwnedFd>,
    inbox: Inbox,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connection").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl KeeperClient {
    /// Starts a keeper from `executable` that may show `directories` to a worker that becomes `reader`; returns the
    /// connection and the resource control that the keeper has claimed.
    pub(crate) fn start(
        executable: &Path,
        demanded: Option<ResourceControl>,
        directories: &Directories,
        reader: Option<(u32, u32)>,
    ) -> Result<(Self, ResourceControl), SandboxError> {
        let (ours, theirs) =
            wire::pair().map_err(|error| SandboxError::on("make", "a socket pair", error))?;
        let process = Command::new(executable)
            .arg0("gavel-keeper")
            .arg("keeper")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .env_clear()
            // A process group of its own: a terminal's Ctrl-C is for the worker, which then ends the keeper.
            .process_group(0)
            .current_dir("/")
            .spawn()
            .map_err(|error| SandboxError::at("start the box keeper", executable, error))?;
        let connection = Mutex::new(Connection { socket: Some(ours), inbox: Inbox::new() });
        let client = Self { connection, deadlines: Arc::default(), process };
        for part in directories.in_parts(LISTED_AT_ONCE) {
            client.ask(&Request::List(part))?;
        }
        match client.ask(&Request::Start { demanded, reader })? {
            (Answer::Started { control }, _) => Ok((client, control)),
            _ => Err(SandboxError::KeeperGone),
        }
    }

    /// Returns the keeper's process id.
    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Opens a read-only view of a listed directory or file, or of one below (see [`crate::sandbox::Sandbox::view`]).
    pub(crate) fn view(&self, source: &Path) -> Result<OwnedFd, SandboxError> {
        let source = Source::of(source)?;
        let (_, files) = self.ask(&Request::View { source })?;
        files.into_iter().next().map(|(_, view)| view).ok_or(SandboxError::KeeperGone)
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn ask(&self, request: &Request) -> Result<(Answer, Files), SandboxError> {
        let _step = self.deadlines.begin("a request to the box keeper", Some(ANSWER));
        let mut connection = self.connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Connection { socket, inbox } = &mut *connection;
        let Some(open) = socket else { return Err(SandboxError::KeeperGone) };
        let received = wire::send_json(open.as_fd(), request, &[])
            .and_then(|()| wire::receive_json::<Answer>(inbox, open.as_fd()));
        let (answer, descriptors) = match received {
            Ok(Some(answered)) => answered,
            Ok(None) => {
                *socket = None;
                return Err(SandboxError::KeeperGone);
            }
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                *socket = None;
                return Err(SandboxError::KeeperGone);
            }
            Err(error) => return Err(SandboxError::on("communicate with", "the box keeper", error)),
        };
        match answer {
            Answer::Failed { detail } => Err(SandboxError::Keeper { operation: request.operation(), detail }),
            Answer::Refused { detail, .. } => {
                Err(SandboxError::Refused { operation: request.operation(), detail })
            }
            Answer::Lacking { missing, remedy } => Err(SandboxError::Host { missing, remedy }),
            Answer::Opened { ref roles, .. } | Answer::Done { ref roles } => {
                let files = pair_up(roles, descriptors)?;
                Ok((answer, files))
            }
            Answer::Started { .. } => Ok((answer, Files::new())),
        }
    }
}

/// Joins roles and descriptors; different counts mean a broken protocol.
fn pair_up(roles: &[Role], descriptors: Vec<OwnedFd>) -> Result<Files, SandboxError> {
    if roles.len() != descriptors.len() {
        let detail = format!("{} descriptors came for {} roles", descriptors.len(), roles.len());
        return Err(SandboxError::Keeper { operation: "hand over descriptors", detail });
    }
    Ok(roles.iter().copied().zip(descriptors).collect())
}

impl Drop for KeeperClient {
    fn drop(&mut self) {
        if let Ok(connection) = self.connection.get_mut() {
            connection.socket = None;
        }
        // The keeper sees the end of the socket, destroys all boxes and exits; when this returns, none of its processes,
        // mounts and cgroups is left on the host.
        if let Err(error) = self.process.wait() {
            tracing::warn!(%error, "the box keeper could not be waited for");
        }
    }
}
