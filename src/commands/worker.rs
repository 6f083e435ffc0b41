//! `gavel worker`: judges what a queue holds until told to stop.

use std::io::{self, BufReader};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::interrupt::Interrupts;
use super::start;
use super::{CommandError, exit, output};
use crate::cli::{Global, Worker as Arguments};
use crate::queue::{self, Addresses, Amqp, AmqpOptions, Backlog, Stdio, Worker};
use crate::sandbox::CancelToken;
use crate::units::Time;
use crate::workspace::Workspace;

/// Runs the command.
///
/// # Errors
/// When the worker cannot start, or its queue breaks.
pub fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let addresses = match arguments.queue.as_str() {
        "stdio" => None,
        addresses => Some(Addresses::parse(addresses).map_err(CommandError::usage)?),
    };
    let workspace = Workspace::open(&arguments.package_root, &start::cache_directory(global)?)
        .map_err(CommandError::usage)?;
    // Before any thread, the keeper's included: they inherit what is blocked.
    let interrupts = Interrupts::watch()?;
    let judge = start::judge_for(global, arguments.raise_limits)?;
    let backlog = Arc::new(Backlog::default());
    let worker = Worker { judge: &judge, workspace: &workspace, backlog: &backlog };
    let queue = addresses.as_ref().map_or_else(|| "stdio".to_owned(), Addresses::shown);
    output::remark(&format!("worker {} ready: {} slots, queue {queue}", judge.worker(), judge.slots()));
    match addresses {
        None => serve_streams(worker, &backlog, &interrupts, arguments.deadline)?,
        Some(addresses) => {
            let options = AmqpOptions { reply_to: arguments.reply_to.clone(), ..AmqpOptions::default() };
            serve_broker(worker, &backlog, &interrupts, arguments.deadline, &addresses, options)?;
        }
    }
    Ok(ExitCode::from(exit::ACCEPTED))
}

/// Judges what comes over standard input.
fn serve_streams(
    worker: Worker<'_>,
    backlog: &Arc<Backlog>,
    interrupts: &Interrupts,
    deadline: Time,
) -> Result<(), CommandError> {
    // There is no one to give back to: whoever wrote a line gets an answer to it.
    stop_when_told(
        interrupts.token().clone(),
        Arc::clone(backlog),
        deadline,
        Backlog::cancel_waiting,
        || {},
    )?;
    let outlet = Arc::new(Stdio::new(io::stdout(), worker.judge.worker()));
    let reader = spawn("reader", {
        let (backlog, outlet) = (Arc::clone(backlog), Arc::clone(&outlet));
        move || queue::read_lines(&mut BufReader::new(io::stdin()), &backlog, &outlet)
    })?;
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
    Ok(())
}

/// Judges what a broker sends, until a signal comes.
fn serve_broker(
    worker: Worker<'_>,
    backlog: &Arc<Backlog>,
    interrupts: &Interrupts,
    deadline: Time,
    addresses: &Addresses,
    options: AmqpOptions,
) -> Result<(), CommandError> {
    let (judge, slots) = (worker.judge, worker.judge.slots());
    let broker = Amqp::start(addresses, judge.worker(), slots, Arc::clone(backlog), options);
    let broker = Arc::new(broker.map_err(CommandError::judging)?);
    let (stopping, giving_up) = (Arc::clone(&broker), Arc::clone(&broker));
    stop_when_told(
        interrupts.token().clone(),
        Arc::clone(backlog),
        deadline,
        move |backlog| {
            let waiting = backlog.stop();
            tracing::info!(given_back = waiting.len(), "what was not begun goes back to its queue");
            stopping.stop(waiting);
        },
        move || giving_up.give_up(),
    )?;
    worker.run(&*broker).map_err(CommandError::judging)?;
    if !interrupts.token().is_cancelled() {
        return Err(CommandError::Judging(
            "judging cannot go on in this process (the log says why): start the worker again".to_owned(),
        ));
    }
    broker.close();
    if broker.has_given_up() {
        output::remark("the deadline has passed: what was not answered went back to its queue");
    }
    Ok(())
}

/// Once a signal came: takes in nothing more, lets what runs finish, and cuts it short at the deadline.
fn stop_when_told(
    token: CancelToken,
    backlog: Arc<Backlog>,
    deadline: Time,
    stop: impl FnOnce(&Backlog) + Send + 'static,
    give_up: impl FnOnce() + Send + 'static,
) -> Result<(), CommandError> {
    spawn("stopping", move || {
        let mut wait = [PollFd::new(token.as_fd(), PollFlags::POLLIN)];
        while !token.is_cancelled() {
            // An interrupted wait is begun again.
            let _ = poll(&mut wait, PollTimeout::NONE);
        }
        tracing::info!("stopping: finishing what runs");
        stop(&backlog);
        if !backlog.wait_until_idle(deadline.0) {
            tracing::warn!("the deadline has passed: what still runs is cut short");
            backlog.abandon();
            give_up();
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
