//! The worker's end of the keeper: starts it, asks it, and sees it out.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::cgroup::{Files, Role};
use super::directories::Directories;
use super::keeper_message::{Answer, Request};
use super::vitals::Deadlines;
use super::wire::{self, Inbox};
use super::{ResourceControl, SandboxError};

/// The longest the keeper works on one question, and on those of other threads before it.
const ANSWER: Duration = Duration::from_secs(60);

/// Directories listed in one message: as many of the longest paths as fit into it.
const LISTED_AT_ONCE: usize = 24;

/// The connection; dropping the last one ends the keeper and waits until it has cleaned up.
#[derive(Debug)]
pub(super) struct KeeperClient {
    connection: Mutex<Connection>,
    pub(super) deadlines: Arc<Deadlines>,
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
    /// Starts a keeper from `executable` that may show `directories`, to a worker that becomes `reader`, and returns what control it has claimed.
    pub(super) fn start(
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
            // A group of its own: a terminal's Ctrl-C is for the worker, who then tells the keeper.
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

    /// The keeper's process id.
    pub(super) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Sends a request and waits for its answer.
    pub(super) fn ask(&self, request: &Request) -> Result<(Answer, Files), SandboxError> {
        let _step = self.deadlines.begin("a question to the box keeper", Some(ANSWER));
        let mut connection = self.connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Connection { socket, inbox } = &mut *connection;
        let Some(open) = socket else { return Err(SandboxError::KeeperGone) };
        let exchanged = wire::send_json(open.as_fd(), request, &[])
            .and_then(|()| wire::receive_json::<Answer>(inbox, open.as_fd()));
        let (answer, descriptors) = match exchanged {
            Ok(Some(answered)) => answered,
            Ok(None) => {
                *socket = None;
                return Err(SandboxError::KeeperGone);
            }
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                *socket = None;
                return Err(SandboxError::KeeperGone);
            }
            Err(error) => return Err(SandboxError::on("talk to", "the box keeper", error)),
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

/// Joins roles and descriptors; a count that differs means a broken conversation.
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
        // The keeper sees the end of the socket, destroys what is left and exits; when this returns, nothing of
        // ours is on the host any more.
        if let Err(error) = self.process.wait() {
            tracing::warn!(%error, "the box keeper could not be waited for");
        }
    }
}
