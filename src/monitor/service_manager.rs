//! Word to systemd: ready, stopping, what is wrong, and that the worker lives.
//!
//! Everything goes over the socket that `Type=notify` names (sd_notify(3)). Where there is none, looking after
//! the metrics is all that is done here.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use super::{Metrics, Status};
use crate::instruments;

/// Between two looks, where the watchdog does not want more.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Watch {
    /// Ends the thread when it is dropped.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What systemd was told last.
struct Told {
    ready: bool,
    stopping: bool,
    dead: bool,
    line: String,
}

/// Begins to look at the worker every second or so, on a thread of its own, and to say what it sees.
///
/// # Errors
/// When the kernel is out of threads.
pub fn watch(status: Status, metrics: Option<Metrics>) -> io::Result<Watch> {
    let (end, ended) = channel::<()>();
    // Several in every watchdog interval: one that comes late on a busy host must not end it.
    let watchdog = sd_notify::watchdog_enabled();
    let interval = watchdog.map_or(LOOK_EVERY, |limit| LOOK_EVERY.min(limit / 4));
    let thread = std::thread::Builder::new().name("watch".to_owned()).spawn(move || {
        let mut told = Told { ready: false, stopping: false, dead: false, line: String::new() };
        let mut next = Instant::now();
        loop {
            told.look(&status, watchdog.is_some());
            if let Some(metrics) = &metrics {
                metrics.upkeep();
            }
            next = Instant::now().max(next + interval);
            let pause = next.saturating_duration_since(Instant::now());
            if ended.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                return told.stopping();
            }
        }
    })?;
    Ok(Watch { end: Some(end), thread: Some(thread) })
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Told {
    fn look(&mut self, status: &Status, watchdog: bool) {
        let (deaths, complaints) = (status.deaths(), status.complaints());
        instruments::ready(complaints.is_empty());
        if deaths.is_empty() {
            if watchdog {
                notify(&[NotifyState::Watchdog]);
            }
        } else if !self.dead {
            tracing::error!("this worker must be restarted: {}", deaths.join("; "));
        }
        self.dead = !deaths.is_empty();
        if status.is_stopping() {
            self.stopping();
        } else if complaints.is_empty() && !self.ready {
            self.ready = true;
            notify(&[NotifyState::Ready]);
        }
        let line = if complaints.is_empty() { "takes work".to_owned() } else { complaints.join("; ") };
        if line != self.line {
            notify(&[NotifyState::Status(&line.replace(char::is_control, " "))]);
            self.line = line;
        }
    }

    fn stopping(&mut self) {
        if !self.stopping {
            notify(&[NotifyState::Stopping]);
        }
        self.stopping = true;
    }
}

/// The connection to the service manager, made while this process had the rights it was started with.
static CONNECTION: OnceLock<UnixDatagram> = OnceLock::new();

/// Connects to the service manager, where there is one: a worker may become a user that does not get at its socket.
pub fn connect_service_manager() {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let address = match path.as_encoded_bytes().split_first() {
        Some((b'@', name)) => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(&path),
    };
    let connected = UnixDatagram::unbound()
        .and_then(|socket| address.and_then(|address| socket.connect_addr(&address)).map(|()| socket));
    match connected {
        Ok(socket) => drop(CONNECTION.set(socket)),
        Err(error) => tracing::debug!(%error, "the service manager cannot be reached"),
    }
}

fn notify(state: &[NotifyState<'_>]) {
    if let Some(socket) = CONNECTION.get() {
        let lines: String = state.iter().map(|state| format!("{state}\n")).collect();
        if socket.send(lines.as_bytes()).is_ok() {
            return;
        }
    }
    // Its socket was made anew, or there is none.
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}
