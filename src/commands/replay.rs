//! `gavel replay`: recorded submissions through the worker, and how long each step took.
//!
//! In this process, or with `--queue` through the workers of a broker.

mod broker;
mod totals;

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::interrupt::Interrupts;
use super::output::{self, Progress};
use super::start::{self, shown};
use super::{CommandError, exit};
use crate::cli::{Global, Replay as Arguments, TableFormat};
use crate::queue::{self, Backlog, Delivery, Job, Memory, Message, Offer, Tag, Worker};
use crate::report::Report;
use crate::submission::Submission;
use crate::workspace::Workspace;
use totals::{Step, Totals};

/// What is timed in this process.
const STEPS: [Step; 4] = [Step::Queue, Step::Compile, Step::Run, Step::Total];

/// Submissions that wait at once when they come at a rate; beyond it they come later than they should.
const MOST_WAITING: usize = 100_000;

/// Runs the command.
///
/// # Errors
/// When there is nothing to replay or the worker cannot start.
pub fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let recorded = read(&arguments.directory)?;
    if let Some(address) = &arguments.queue {
        return broker::run(arguments, &recorded, address.as_deref());
    }
    if let Some(flag) = arguments.access.first() {
        return Err(CommandError::Usage(format!(
            "--{flag} is for a broker: give --queue too, or leave it out"
        )));
    }
    let cache = start::cache_directory(global)?;
    let workspace = Workspace::open_with_fetch(&arguments.package_root, &cache, arguments.fetch.settings())
        .map_err(CommandError::usage)?;
    let interrupts = Interrupts::watch()?;
    let judge = start::judge_for(global, arguments.package_root.clone(), arguments.raise_limits)?;
    let backlog = Backlog::default();
    let count = arguments.count.unwrap_or(recorded.len() as u64);
    let progress = Progress::new(usize::try_from(count).unwrap_or(usize::MAX), "replaying");
    let totals = Mutex::new(Totals::new(&STEPS)?);
    let outlet = Memory::new(|job: &Job, report: &Report| {
        totals.lock().unwrap_or_else(PoisonError::into_inner).add(report, job.delivery.arrived.elapsed());
        progress.step();
    });

    let started = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let slots = judge.slots();
            if let Err(error) = feed(&recorded, count, arguments.rate, slots, &backlog, &interrupts) {
                output::complain(&error.to_string());
            }
            if interrupts.token().is_cancelled() {
                backlog.stop();
                backlog.abandon();
            }
            backlog.close();
        });
        Worker { judge: &judge, workspace: &workspace, backlog: &backlog }.run(&outlet)
    })
    .map_err(CommandError::judging)?;
    let took = started.elapsed();
    progress.finish();

    let totals = totals.into_inner().unwrap_or_else(PoisonError::into_inner);
    conclude(arguments, &totals, count, took, &interrupts)
}

/// Prints the figures; the exit code is about all of them.
fn conclude(
    arguments: &Arguments,
    totals: &Totals,
    count: u64,
    took: Duration,
    interrupts: &Interrupts,
) -> Result<ExitCode, CommandError> {
    match arguments.format {
        TableFormat::Human => output::print(&totals.human(count, took))?,
        TableFormat::Json => output::print_json(&totals.json(count, took), true)?,
    }
    interrupts.check()?;
    if let Some(error) = &totals.first_error {
        output::complain(error);
    }
    let is_complete = totals.judged() == count && totals.first_error.is_none();
    Ok(ExitCode::from(if is_complete { exit::ACCEPTED } else { exit::JUDGING_ERROR }))
}

/// The submissions of all `*.json` files directly in a folder, in order of their names.
fn read(directory: &Path) -> Result<Vec<Submission>, CommandError> {
    let fail = |problem: String| CommandError::Usage(format!("replay '{}': {problem}", shown(directory)));
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(|error| fail(error.to_string()))? {
        let path = entry.map_err(|error| fail(error.to_string()))?.path();
        if path.extension().is_some_and(|ending| ending == "json") && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    let mut submissions = Vec::with_capacity(paths.len());
    for path in paths {
        let refuse = |problem: String| CommandError::Usage(format!("{}: {problem}", shown(&path)));
        let bytes = std::fs::read(&path).map_err(|error| refuse(error.to_string()))?;
        match queue::parse(&bytes) {
            Ok(Message::Submission(submission)) => submissions.push(*submission),
            Ok(Message::Cancel(_)) => return Err(refuse("a cancel message: record submissions".to_owned())),
            Err(error) => return Err(refuse(error.to_string())),
        }
    }
    if submissions.is_empty() {
        return Err(fail("no *.json in it: put one submission into each such file".to_owned()));
    }
    Ok(submissions)
}

/// Offers `count` submissions, each when it is due, and waits for room where they come faster than they go.
fn feed(
    recorded: &[Submission],
    count: u64,
    rate: Option<f64>,
    slots: usize,
    backlog: &Backlog,
    interrupts: &Interrupts,
) -> Result<(), CommandError> {
    let started = Instant::now();
    let rounds = recorded.iter().cycle().zip(0..count);
    for (submission, number) in rounds {
        let mut arrived = Instant::now();
        if let Some(rate) = rate {
            #[allow(clippy::cast_precision_loss)] // A hundred million is exact.
            let due = started + Duration::from_secs_f64(number as f64 / rate);
            wait_until(due, interrupts);
            // Late is late: what a queue before us would have shown is counted.
            arrived = due;
        }
        let limit = if rate.is_some() { MOST_WAITING } else { slots };
        if interrupts.token().is_cancelled() || !backlog.wait_for_room(limit) {
            return Ok(());
        }
        let mut submission = Box::new(submission.clone());
        submission.judging = format!("{}-{number}", submission.judging);
        if rate.is_none() {
            arrived = Instant::now();
        }
        let tag = Tag { connection: 0, delivery: number };
        let class = submission.priority.unwrap_or_default();
        let delivery = Delivery {
            submission,
            tag,
            class,
            redelivered: false,
            correlation_id: None,
            refusal: None,
            arrived,
        };
        if backlog.offer(delivery).map_err(CommandError::judging)? == Offer::Closed {
            return Ok(());
        }
    }
    Ok(())
}

fn wait_until(due: Instant, interrupts: &Interrupts) {
    while let Some(left) = due.checked_duration_since(Instant::now())
        && !interrupts.token().is_cancelled()
    {
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
}
