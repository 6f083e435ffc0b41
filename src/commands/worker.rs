//! `gavel worker`: judges what a queue holds until told to stop.

use std::io::{self, BufReader};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::interrupt::{self, Interrupts};
use super::{CommandError, configure, exit, output, start};
use crate::cancel::CancelToken;
use crate::cli::{Global, Worker as Arguments};
use crate::instruments;
use crate::monitor::{self, Metrics, Status};
use crate::queue::{self, Addresses, Amqp, Backlog, Health, Stdio, Worker};
use crate::sandbox::allocator;
use crate::units::Time;
use crate::workspace::{self, Workspace};

/// Runs the command.
///
/// # Errors
/// When the worker cannot start, or its queue breaks.
pub fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let resolved = configure::read(global, arguments)?;
    if let Some(format) = arguments.print_config {
        configure::print(&resolved, format)?;
    }
    let settings = configure::settle(&resolved)?;
    let addresses = configure::addresses(&resolved, &settings)?;
    if arguments.print_config.is_some() {
        configure::check(global, &resolved, &settings)?;
        return Ok(ExitCode::from(exit::ACCEPTED));
    }
    let global = &configure::global(global, &settings);
    let account = configure::account(&resolved, &settings)?;
    let mut judge = start::settings_of_worker(global, &settings, account.as_ref())?;
    judge.packages = workspace::resolve_roots(&settings.package_roots).map_err(CommandError::usage)?;
    let port = settings.listen.map(monitor::bind).transpose().map_err(CommandError::usage)?;
    monitor::connect_service_manager();
    // Before anything starts that inherits them.
    interrupt::block()?;
    // Before any thread, and before anything is read from outside: the process that reads it has no rights.
    let prepared = start::prepare_worker(&mut judge, &settings, account.as_ref())?;
    let workspace = Workspace::open_with_fetch(&judge.packages, &judge.cache, settings.fetch.clone())
        .map_err(CommandError::usage)?;
    // Before anything is to be counted.
    let metrics = port.is_some().then(Metrics::install).transpose().map_err(CommandError::judging)?;
    allocator::keep_small();
    let interrupts = Interrupts::watch_each()?;
    let judge = start::judge_of_worker(global, judge, prepared)?;
    let backlog = Arc::new(Backlog::default());
    let health = Health::default();
    let status = Status::new(health.clone(), Arc::clone(&backlog), judge.sandbox().watchdog());
    if let (Some(port), Some(metrics)) = (port, &metrics) {
        let control = judge.sandbox().resource_control();
        instruments::begin(env!("CARGO_PKG_VERSION"), control.id(), judge.slots());
        output::remark(&format!("metrics and health on http://{}", port.address));
        monitor::serve(port, status.clone(), metrics.clone()).map_err(CommandError::judging)?;
    }
    // Ends before the judge, whose end it would report as a death.
    let _watch = monitor::watch(status.clone(), metrics).map_err(CommandError::judging)?;
    let worker = Worker { judge: &judge, workspace: &workspace, backlog: &backlog };
    let queue = addresses.as_ref().map_or_else(|| "stdio".to_owned(), Addresses::shown);
    let name = judge.worker().to_owned();
    let slots = output::counted(judge.slots(), "slot");
    let ready = format!("worker {name} ready: {slots}, queue {queue}");
    match addresses {
        None => {
            output::remark(&ready);
            serve_streams(worker, &backlog, &interrupts, settings.deadline, &status)?;
        }
        Some(addresses) => {
            output::remark(&format!("worker {name} started: {slots}, connecting to {queue}"));
            // Ready is who takes submissions in and can publish verdicts.
            health.when_first_ready(move || output::remark(&ready));
            let slots = judge.slots();
            let options = configure::amqp_options(&resolved, &settings, health)?;
            let broker = Amqp::start(&addresses, &name, slots, Arc::clone(&backlog), options);
            let broker = broker.map_err(CommandError::judging)?;
            serve_broker(worker, &backlog, &interrupts, settings.deadline, broker, &status)?;
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
    status: &Status,
) -> Result<(), CommandError> {
    // There is no one to give back to: whoever wrote a line gets an answer to it.
    stop_when_told(
        interrupts.token().clone(),
        Arc::clone(backlog),
        deadline,
        status,
        Backlog::cancel_waiting,
        || {},
    )?;
    let outlet = Arc::new(Stdio::new(io::stdout(), worker.judge.worker()));
    let reader = spawn("reader", {
        let (backlog, outlet, status) = (Arc::clone(backlog), Arc::clone(&outlet), status.clone());
        move || {
            let end = queue::read_lines(&mut BufReader::new(io::stdin()), &backlog, &outlet);
            status.stopping();
            end
        }
    })?;
    status.started();
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
    broker: Amqp,
    status: &Status,
) -> Result<(), CommandError> {
    let broker = Arc::new(broker);
    let (stopping, giving_up) = (Arc::clone(&broker), Arc::clone(&broker));
    stop_when_told(
        interrupts.token().clone(),
        Arc::clone(backlog),
        deadline,
        status,
        move |backlog| {
            let waiting = backlog.stop();
            tracing::info!(given_back = waiting.len(), "what was not begun goes back to its queue");
            stopping.stop(waiting);
        },
        move || giving_up.give_up(),
    )?;
    status.started();
    let ended = worker.run(&*broker).map_err(CommandError::judging);
    // Also when it ends by itself: what has its verdict is not to come again.
    broker.close();
    ended?;
    if !interrupts.token().is_cancelled() {
        return Err(CommandError::Judging(
            "judging cannot go on in this process (the log says why): start the worker again".to_owned(),
        ));
    }
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
    status: &Status,
    stop: impl FnOnce(&Backlog) + Send + 'static,
    give_up: impl FnOnce() + Send + 'static,
) -> Result<(), CommandError> {
    let status = status.clone();
    spawn("stopping", move || {
        let mut wait = [PollFd::new(token.as_fd(), PollFlags::POLLIN)];
        while !token.is_cancelled() {
            // An interrupted wait is begun again.
            let _ = poll(&mut wait, PollTimeout::NONE);
        }
        status.stopping();
        stop(&backlog);
        tracing::info!("stopping: finishing what runs");
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
