//! The keeper's main loop: receives requests of the worker, answers them, and counts those it refuses.
//!
//! The keeper is gavel's own executable started again with the hidden command `keeper`, so that it is single-threaded and
//! small whatever the worker has become; box inits are cloned from it, and a program's `ru_maxrss` starts from their
//! size. It lives as long as its socket: when the worker closes it or dies, also of SIGKILL, the keeper destroys every box,
//! removes every cgroup and exits. Signals meant for the worker (a terminal's Ctrl-C, a service manager's SIGTERM) do not
//! end it. If the keeper itself is killed, each init dies with it (PR_SET_PDEATHSIG), and the next keeper removes the
//! empty groups.
//!
//! It does not trust the worker, which reads messages from the network: the directories it may show are listed before
//! it starts and opened then ([`super::directories`]), it checks every field of a request ([`super::bounds`]), and counts
//! and reports refused requests on standard error.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

use nix::fcntl::{OFlag, open};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;

use super::boxes::Keeper;
use super::directories::Directories;
use super::message::{Answer, Request};
use crate::sandbox::error::SandboxError;
use crate::sandbox::sys::syscalls;
use crate::sandbox::sys::wire::{self, Inbox};

/// The number of refusals that are each reported on standard error; of later ones every power of two is.
const REFUSALS_REPORTED: u64 = 20;

/// Runs the keeper process, whose standard input is the socket to the worker.
pub fn keeper_main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gavel keeper: {error}");
            ExitCode::from(3)
        }
    }
}

/// An answer with the descriptors that travel with it.
type Reply = Result<(Answer, Vec<OwnedFd>), SandboxError>;

/// Answers requests until the worker closes its end or dies.
fn serve() -> Result<(), SandboxError> {
    let worker = take_socket()?;
    let mut inbox = Inbox::new();
    let mut refusals = 0;
    let Some(mut keeper) = start(&mut inbox, &worker, &mut refusals)? else { return Ok(()) };
    loop {
        let reply = match receive(&mut inbox, &worker)? {
            None => return Ok(()),
            Some(request) => request.and_then(|request| keeper.answer(request)),
        };
        if !answer(&worker, reply, &mut refusals)? {
            return Ok(());
        }
    }
}

/// Ignores the signals meant for the worker, and takes its socket from standard input.
fn take_socket() -> Result<OwnedFd, SandboxError> {
    for ignored in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGPIPE] {
        syscalls::ignore_signal(ignored as i32)
            .map_err(|error| SandboxError::on("ignore", ignored.as_str(), error))?;
    }
    let _ = nix::sys::prctl::set_name(c"gavel-keeper");
    let worker = io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map_err(|error| SandboxError::on("take", "the socket", error))?;
    // Box inits inherit descriptors 0 to 2; from here on these are harmless.
    let null = open("/dev/null", OFlag::O_RDWR, Mode::empty())
        .map_err(|errno| SandboxError::at("open", "/dev/null", errno))?;
    nix::unistd::dup2_stdin(&null).map_err(|errno| SandboxError::on("close", "standard input", errno))?;
    Ok(worker)
}

/// Receives the list of directories and the request to start; returns `None` when the keeper must exit.
fn start(inbox: &mut Inbox, worker: &OwnedFd, refusals: &mut u64) -> Result<Option<Keeper>, SandboxError> {
    let mut directories = Directories::default();
    loop {
        let reply = match receive(inbox, worker)? {
            None => return Ok(None),
            Some(Err(refused)) => Err(refused),
            Some(Ok(Request::List(part))) => directories
                .extend(part)
                .map(|()| (Answer::Done { roles: Vec::new() }, Vec::new()))
                .map_err(|detail| SandboxError::Refused { operation: "list directories", detail }),
            Some(Ok(Request::Start { demanded, reader })) => {
                return match Keeper::start(demanded, &directories, reader) {
                    Ok(keeper) => {
                        let started = Answer::Started { control: keeper.control() };
                        Ok(answer(worker, Ok((started, Vec::new())), refusals)?.then_some(keeper))
                    }
                    Err(error) => {
                        // No second attempt, which could come with another list.
                        let _ = wire::send_json(worker.as_fd(), &failure(error, refusals), &[]);
                        Ok(None)
                    }
                };
            }
            Some(Ok(request)) => Err(SandboxError::Refused {
                operation: request.operation(),
                detail: "it was not started".to_owned(),
            }),
        };
        if !answer(worker, reply, refusals)? {
            return Ok(None);
        }
    }
}

/// Sends an answer; returns false when the worker is gone.
fn answer(worker: &OwnedFd, reply: Reply, refusals: &mut u64) -> Result<bool, SandboxError> {
    let (answer, files) = reply.unwrap_or_else(|error| (failure(error, refusals), Vec::new()));
    let descriptors: Vec<_> = files.iter().map(AsFd::as_fd).collect();
    match wire::send_json(worker.as_fd(), &answer, &descriptors) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(SandboxError::on("answer", "the worker", error)),
    }
}

/// Waits for a request; returns `None` when the worker is gone, and an inner error for a message that is no valid request.
fn receive(
    inbox: &mut Inbox,
    worker: &OwnedFd,
) -> Result<Option<Result<Request, SandboxError>>, SandboxError> {
    const OPERATION: &str = "read a message";
    let refused = |detail: String| Ok(Some(Err(SandboxError::Refused { operation: OPERATION, detail })));
    match wire::receive_json::<Request>(inbox, worker.as_fd()) {
        Ok(None) => Ok(None),
        Ok(Some((_, descriptors))) if !descriptors.is_empty() => {
            refused(format!("{} descriptors came with it; requests carry none", descriptors.len()))
        }
        Ok(Some((request, _))) => Ok(Some(Ok(request))),
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => {
            refused(error.to_string().chars().take(300).flat_map(char::escape_debug).collect())
        }
        Err(error) => Err(SandboxError::on("receive from", "the worker", error)),
    }
}

/// Turns an error into an answer. Counts a refusal, and reports it on standard error unless there were many.
fn failure(error: SandboxError, refusals: &mut u64) -> Answer {
    match error {
        SandboxError::Host { missing, remedy } => Answer::Lacking { missing, remedy },
        // The worker adds the operation itself.
        SandboxError::Keeper { detail, .. } => Answer::Failed { detail },
        SandboxError::Refused { operation, detail } => {
            *refusals += 1;
            if *refusals <= REFUSALS_REPORTED || refusals.is_power_of_two() {
                eprintln!("gavel keeper: refused to {operation} (refusal {refusals}): {detail}");
            }
            Answer::Refused { detail, count: *refusals }
        }
        other => Answer::Failed { detail: other.to_string() },
    }
}
