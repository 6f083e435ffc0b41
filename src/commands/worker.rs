//! `gavel worker`: judges what a queue holds until told to stop.

use std::io::{self, BufReader};
use std::process::ExitCode;
use std::sync::Arc;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::AsFd;

use super::interrupt::Interrupts;
use super::start;
use super::{CommandError, exit, output};
use crate::cli::{Global, Worker as Arguments};
use crate::queue::{self, Backlog, Stdio, Worker};
use crate::sandbox::CancelToken;
use crate::units::Time;
use crate::workspace::Workspace;

/// Runs the command.
///
/// # Errors
/// When the worker cannot start, or its queue breaks.
pub fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let workspace = Workspace::open(&arguments.package_root, &start::cache_directory(global)?)
        .map_err(CommandError::usage)?;
    // Before any thread, the keeper's included: they inherit what is blocked.
    let interrupts = Interrupts::watch()?;
    let judge = start::judge_for(global, arguments.raise_limits)?;
    let backlog = Arc::new(Backlog::default());
    stop_when_told(interrupts.token().clone(), Arc::clone(&backlog), arguments.deadline)?;

    let outlet = Arc::new(Stdio::new(io::stdout(), judge.worker()));
    let reader = spawn("reader", {
        let (backlog, outlet) = (Arc::clone(&backlog), Arc::clone(&outlet));
        move || queue::read_lines(&mut BufReader::new(io::stdin()), &backlog, &outlet)
    })?;
    output::remark(&format!("worker {} ready: {} slots, queue stdio", judge.worker(), judge.slots()));
    let worker = Worker { judge: &judge, workspace: &workspace, backlog: &backlog };
    worker.run(&*outlet).map_err(CommandError::judging)?;

    if outlet.is_broken() {
        return Err(CommandError::Judging("verdicts could not be written to standard output".to_owned()));
    }
    // After a signal the reader may wait for input for ever; it goes with the process.
    if !interrupts.token().is_cancelled()
        && let Ok(Err(error)) = reader.join()
    {
        return Err(CommandError::Judging(format!("cannot read standard input: {error}")));
    }
    Ok(ExitCode::from(exit::ACCEPTED))
}

/// Once a signal came: takes in nothing more, lets what runs finish, and cuts it short at the deadline.
fn stop_when_told(token: CancelToken, backlog: Arc<Backlog>, deadline: Time) -> Result<(), CommandError> {
    spawn("stopping", move || {
        let mut wait = [PollFd::new(token.as_fd(), PollFlags::POLLIN)];
        while !token.is_cancelled() {
            // An interrupted wait is begun again.
            let _ = poll(&mut wait, PollTimeout::NONE);
        }
        let dropped = backlog.stop().len();
        tracing::info!(dropped, "stopping: finishing what runs");
        if !backlog.wait_until_idle(deadline.0) {
            tracing::warn!("the deadline has passed: what still runs is cut short");
            backlog.abandon();
        }
    })
    .map(|_| ())
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<std::thread::JoinHandle<T>, CommandError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(CommandError::judging)
}
