//! Replays through the workers of a broker.
//!
//! Every copy is a judging of its own, named after this run and its number, so that a verdict says which copy
//! it is for and nothing has to be remembered of those that are over: memory is bounded by the window,
//! however many copies there are.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::super::CommandError;
use super::super::broker::{self, failure};
use super::super::interrupt::Interrupts;
use super::super::output::{self, Progress};
use super::conclude;
use super::totals::{Step, Totals};
use crate::cli::Replay as Arguments;
use crate::queue::{Key, News, Post, Receipt, Submitter, SubmitterOptions};
use crate::report::Report;
use crate::submission::Submission;

/// What is timed over a broker.
const STEPS: [Step; 5] = [Step::Queue, Step::Compile, Step::Run, Step::Wire, Step::Total];
/// How often signals and patience are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long the broker keeps the verdicts of a connection that was lost.
const KEEP: Duration = Duration::from_secs(600);
/// Verdicts that are acknowledged together.
const MOST_UNACKNOWLEDGED: usize = 64;

/// Runs the command.
///
/// # Errors
/// When the broker cannot be reached or refuses.
pub(super) fn run(
    arguments: &Arguments,
    recorded: &[Submission],
    address: Option<&str>,
) -> Result<ExitCode, CommandError> {
    let from_environment = std::env::var("GAVEL_QUEUE").ok();
    let addresses = broker::parse(address.or(from_environment.as_deref()), &arguments.access)?;
    let interrupts = Interrupts::watch()?;
    let options = SubmitterOptions {
        queue: Some(broker::queue_name()),
        keep: KEEP,
        progress: false,
        name: broker::connection_name("replay"),
    };
    let count = arguments.count.unwrap_or(recorded.len() as u64);
    let submitter = Submitter::start(&addresses, options).map_err(|error| failure(&error))?;
    let mut replay = Replay {
        recorded,
        count,
        rate: arguments.rate,
        window: arguments.window as usize,
        run: format!("{:08x}", RandomState::new().build_hasher().finish() >> 32),
        submitter: &submitter,
        started: Instant::now(),
        next: 0,
        open: HashMap::new(),
        totals: Totals::new(&STEPS)?,
        progress: Progress::new(usize::try_from(count).unwrap_or(usize::MAX), "replaying"),
        was_connected: false,
        receipt: None,
        unacknowledged: 0,
    };
    let outcome = replay.run(arguments.patience.0, &interrupts);
    let took = replay.started.elapsed();
    replay.progress.finish();
    let Replay { totals, open, .. } = replay;
    submitter.close(true);
    outcome?;
    if interrupts.token().is_cancelled() && !open.is_empty() {
        output::remark(&format!(
            "{} submissions were sent and have no verdict yet: workers will judge them all the same",
            open.len()
        ));
    }
    conclude(arguments, &totals, count, took, &interrupts)
}

struct Replay<'a> {
    recorded: &'a [Submission],
    count: u64,
    rate: Option<f64>,
    window: usize,
    /// Tells this run's judgings from those of others.
    run: String,
    submitter: &'a Submitter,
    started: Instant,
    /// The next copy's number.
    next: u64,
    /// Sent and not judged: when each was due.
    open: HashMap<u64, Instant>,
    totals: Totals,
    progress: Progress,
    was_connected: bool,
    receipt: Option<Receipt>,
    unacknowledged: usize,
}

/// The beginning of a report.
#[derive(Deserialize)]
struct Names {
    judging: String,
}

impl Replay<'_> {
    /// Sends and collects until everything is judged, nothing comes any more, or a signal did.
    fn run(&mut self, patience: Duration, interrupts: &Interrupts) -> Result<(), CommandError> {
        let mut last_verdict = Instant::now();
        while self.totals.judged() < self.count && !interrupts.token().is_cancelled() {
            let pause = self.send()?;
            let judged = self.totals.judged();
            match self.submitter.news(if self.receipt.is_some() { Duration::ZERO } else { pause }) {
                Some(news) => self.hear(news)?,
                None => self.acknowledge(),
            }
            if judged != self.totals.judged() || self.open.is_empty() {
                last_verdict = Instant::now();
            } else if last_verdict.elapsed() > patience {
                output::complain(&format!(
                    "no verdict for {} s, {} were sent without getting one: are there workers? ('gavel queue' shows \
                     consumers)",
                    patience.as_secs(),
                    self.open.len()
                ));
                break;
            }
        }
        self.acknowledge();
        Ok(())
    }

    /// Sends what is due and has room; how long there is nothing to send.
    fn send(&mut self) -> Result<Duration, CommandError> {
        while self.next < self.count && self.open.len() < self.window {
            let due = match self.rate {
                #[allow(clippy::cast_precision_loss)] // A hundred million is exact.
                Some(rate) => self.started + Duration::from_secs_f64(self.next as f64 / rate),
                None => Instant::now(),
            };
            if let Some(early) = due.checked_duration_since(Instant::now()).filter(|early| !early.is_zero()) {
                return Ok(early.min(LOOK_EVERY));
            }
            self.publish(self.next)?;
            // Late is late: what waited for room before us is counted.
            self.open.insert(self.next, due);
            self.next += 1;
        }
        Ok(LOOK_EVERY)
    }

    fn publish(&self, number: u64) -> Result<(), CommandError> {
        let place = usize::try_from(number % self.recorded.len() as u64).unwrap_or_default();
        let Some(recorded) = self.recorded.get(place) else { return Ok(()) };
        let mut submission = recorded.clone();
        submission.judging = format!("{}-{}-{number}", submission.judging, self.run);
        let body = serde_json::to_vec(&submission).map_err(CommandError::judging)?;
        let key = Key::of(&submission);
        self.submitter.publish(Post::submission(number, &key, submission.priority.unwrap_or_default(), body));
        Ok(())
    }

    fn hear(&mut self, news: News) -> Result<(), CommandError> {
        match news {
            News::Connected { missed } => {
                if missed && self.was_connected {
                    output::remark(&format!(
                        "the broker lost the queue of verdicts: {} are sent again",
                        self.open.len()
                    ));
                    let mut numbers: Vec<_> = self.open.keys().copied().collect();
                    numbers.sort_unstable();
                    for number in numbers {
                        self.publish(number)?;
                    }
                }
                self.was_connected = true;
            }
            News::Lost(problem) => {
                output::remark(&format!("lost the broker, trying again: {}", broker::in_flags(&problem)));
            }
            News::Unroutable(_) => {
                return Err(CommandError::Judging(
                    "the broker has no queue for submissions: start a 'gavel worker', which declares them"
                        .to_owned(),
                ));
            }
            News::Verdict(receipt, body) => {
                self.receipt = Some(receipt);
                self.unacknowledged += 1;
                self.verdict(&body)?;
                if self.unacknowledged >= MOST_UNACKNOWLEDGED {
                    self.acknowledge();
                }
            }
            News::Taken(_) | News::Progress(_) => {}
            News::Failed(error) => return Err(failure(&error)),
        }
        Ok(())
    }

    fn verdict(&mut self, body: &[u8]) -> Result<(), CommandError> {
        let Some(number) =
            serde_json::from_slice(body).ok().and_then(|names: Names| self.number(&names.judging))
        else {
            return Ok(());
        };
        let Some(due) = self.open.remove(&number) else {
            self.totals.repeats += 1;
            return Ok(());
        };
        let report: Report = serde_json::from_slice(body).map_err(|error| {
            CommandError::Judging(format!(
                "a verdict cannot be read: {error}; is this gavel older than its workers?"
            ))
        })?;
        self.totals.add(&report, due.elapsed());
        self.progress.step();
        Ok(())
    }

    /// Which copy a judging is; `None` for those of others.
    fn number(&self, judging: &str) -> Option<u64> {
        let (rest, number) = judging.rsplit_once('-')?;
        let number = number.parse().ok().filter(|number| *number < self.next)?;
        rest.strip_suffix(self.run.as_str())?.ends_with('-').then_some(number)
    }

    fn acknowledge(&mut self) {
        if let Some(receipt) = self.receipt.take() {
            self.submitter.acknowledge(receipt);
        }
        self.unacknowledged = 0;
    }
}
