//! `gavel replay`: recorded submissions through the worker, and how long each step took.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::interrupt::Interrupts;
use super::output::{self, Progress};
use super::start::{self, shown};
use super::{CommandError, exit};
use crate::cli::{Global, Replay as Arguments, TableFormat};
use crate::queue::{self, Backlog, Delivery, Job, Memory, Message, Offer, Tag, Worker};
use crate::report::Report;
use crate::submission::Submission;
use crate::units::milliseconds;
use crate::verdict::Verdict;
use crate::workspace::Workspace;

/// Submissions that wait at once when they come at a rate; beyond it they come later than they should.
const MOST_WAITING: usize = 100_000;

/// The longest time a histogram tells apart from longer ones, in microseconds: ten hours.
const LONGEST: u64 = 36_000_000_000;

/// Runs the command.
///
/// # Errors
/// When there is nothing to replay or the worker cannot start.
pub fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let recorded = read(&arguments.directory)?;
    let cache = start::cache_directory(global)?;
    let workspace = Workspace::open_with_fetch(&arguments.package_root, &cache, arguments.fetch.settings())
        .map_err(CommandError::usage)?;
    let interrupts = Interrupts::watch()?;
    let judge = start::judge_for(global, arguments.raise_limits)?;
    let backlog = Backlog::default();
    let count = arguments.count.unwrap_or(recorded.len() as u64);
    let progress = Progress::new(usize::try_from(count).unwrap_or(usize::MAX), "replaying");
    let totals = Mutex::new(Totals::new()?);
    let outlet = Memory::new(|job: &Job, report: &Report| {
        totals.lock().unwrap_or_else(PoisonError::into_inner).add(job, report);
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
    match arguments.format {
        TableFormat::Human => output::print(&totals.human(took))?,
        TableFormat::Json => output::print_json(&totals.json(took), true)?,
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
        let delivery = Delivery { submission, tag, redelivered: false, refusal: None, arrived };
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

/// What all judgings took and got.
struct Totals {
    /// Microseconds, by step.
    steps: [(&'static str, Histogram<u64>); 4],
    verdicts: BTreeMap<&'static str, u64>,
    first_error: Option<String>,
}

impl Totals {
    fn new() -> Result<Self, CommandError> {
        let histogram = || Histogram::new_with_bounds(1, LONGEST, 3).map_err(CommandError::judging);
        let steps = [
            ("queue", histogram()?),
            ("compile", histogram()?),
            ("run", histogram()?),
            ("total", histogram()?),
        ];
        Ok(Self { steps, verdicts: BTreeMap::new(), first_error: None })
    }

    fn add(&mut self, job: &Job, report: &Report) {
        let phases = &report.phases_ms;
        let total = milliseconds(job.delivery.arrived.elapsed());
        for ((_, histogram), value) in
            self.steps.iter_mut().zip([phases.queue, phases.compile, phases.tests, total])
        {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Saturates.
            histogram.saturating_record((value * 1000.0) as u64);
        }
        *self.verdicts.entry(report.verdict.id()).or_default() += 1;
        if report.verdict == Verdict::JE && self.first_error.is_none() {
            let message = report.error.as_deref().unwrap_or("a judging error");
            self.first_error = Some(format!("{}: {message}", output::one_line(&report.id)));
        }
    }

    fn judged(&self) -> u64 {
        self.verdicts.values().sum()
    }

    fn human(&self, took: Duration) -> String {
        let mut table = output::table(&["step", ">p50", ">p90", ">p99", ">p99.9", ">longest"]);
        for (name, histogram) in &self.steps {
            let mut row = vec![(*name).to_owned()];
            row.extend(figures(histogram).iter().map(|(_, value)| output::milliseconds(*value)));
            table.add_row(row);
        }
        let verdicts: Vec<_> =
            self.verdicts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
        format!(
            "{}\n\n{} judged in {:.1} s, {:.1} a second: {}\n",
            table.trim_fmt(),
            self.judged(),
            took.as_secs_f64(),
            self.throughput(took),
            if verdicts.is_empty() { "no verdicts".to_owned() } else { verdicts.join(", ") }
        )
    }

    fn json(&self, took: Duration) -> Value {
        let steps: serde_json::Map<_, _> = self
            .steps
            .iter()
            .map(|(name, histogram)| {
                let values: serde_json::Map<_, _> = figures(histogram)
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), json!(value)))
                    .collect();
                ((*name).to_owned(), Value::Object(values))
            })
            .collect();
        json!({
            "judged": self.judged(),
            "seconds": took.as_secs_f64(),
            "per_second": self.throughput(took),
            "verdicts": self.verdicts,
            "latency_ms": steps,
        })
    }

    fn throughput(&self, took: Duration) -> f64 {
        #[allow(clippy::cast_precision_loss)] // Shown with one decimal.
        let judged = self.judged() as f64;
        judged / took.as_secs_f64().max(1e-9)
    }
}

/// Quantiles in milliseconds.
fn figures(histogram: &Histogram<u64>) -> [(&'static str, f64); 5] {
    #[allow(clippy::cast_precision_loss)] // Hours in microseconds are exact.
    let at = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1000.0;
    [("p50", at(0.5)), ("p90", at(0.9)), ("p99", at(0.99)), ("p999", at(0.999)), ("max", at(1.0))]
}
