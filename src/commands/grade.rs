//! `gavel grade`: judges a class's work on this machine, without a broker.
//!
//! Each judging is written into the journal before it counts, so that the same command goes on after any end of this one:
//! nothing that has a verdict is judged again. The results are written once, whole, at the end.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;

use super::batch::{self, Entry, Journal, Live, Options, Problem, Roster, Style, Times, Waiting};
use super::interrupt::Interrupts;
use super::start::{self, shown};
use super::{CommandError, output};
use crate::cancel::CancelToken;
use crate::cli::{Global, Grade as Arguments, SubmitFormat};
use crate::judge::{Judge, UNSET_TIME_LIMIT};
use crate::package::{Package, SubmissionKind, TimeLimit};
use crate::queue::{self, Key, Message};
use crate::report::{Event, EventKind, Report};
use crate::submission::{LimitOverrides, Priority, ProblemRef, Submission};
use crate::units::format_duration;
use crate::verdict::Verdict;

/// Nothing is waited for but judging itself.
const WAITING: Waiting = Waiting::ForVerdicts { patience: Duration::MAX };

/// The packages by the names that rows give them; the command's own under its path.
type Packages = HashMap<String, Result<Package, String>>;

/// What a judging thread reports.
enum News {
    Event(Box<Event>),
    Judged(Box<Report>),
}

/// Runs the command.
///
/// # Errors
/// When there is no package or no work, the host cannot run boxes, or a signal came.
pub fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let flags = &arguments.results;
    if flags.format == SubmitFormat::Ndjson && flags.save.is_some() {
        return Err(CommandError::usage(
            "--format ndjson tells events as they happen: redirect standard output instead of --save",
        ));
    }
    let interrupts = Interrupts::watch()?;
    let times = Times::of(&arguments.deadline.times);
    let roster = Roster::read(&arguments.work, &times, interrupts.token())?;
    batch::check_due(&roster.rows, arguments.deadline.due)?;
    let packages = load(global, arguments, &roster)?;
    let loaded = || packages.values().filter_map(|package| package.as_ref().ok());
    let mut journal = Journal::open(&journal_path(arguments))?;
    let judge = start::judge(global, loaded().map(|package| package.directory.clone()).collect())?;
    let mut entries = prepare(arguments, roster, &packages, &judge, interrupts.token());
    interrupts.check()?;
    recall(&mut entries, &journal);
    let mut live = match flags.format {
        SubmitFormat::Ndjson => Live::lines(),
        _ => Live::bar(entries.len()),
    };
    for report in entries.iter().filter_map(Entry::report) {
        live.verdict(report)?;
    }
    let jobs = jobs(&entries, &packages, &own_name(arguments));
    let outcome = judge_all(&judge, jobs, &mut entries, &mut journal, &mut live, interrupts.token());
    live.finish();
    if let Err(error) = outcome.and_then(|()| interrupts.check()) {
        let judged = entries.iter().filter(|entry| entry.report().is_some()).count();
        output::complain(&format!(
            "{judged} of {} judged: give the same command again to go on; what was done is in {}",
            output::counted(entries.len(), "submission"),
            shown(journal.path())
        ));
        return Err(error);
    }
    let mut style = Style::of("gavel grade", flags);
    style.shows_points = true;
    let of_packages = packages.values().flatten().filter_map(|package| package.feedback).min();
    style.feedback = style.feedback.min(of_packages.unwrap_or_default());
    batch::show(&entries, flags, WAITING, &style, false)?;
    Ok(ExitCode::from(batch::exit_code(&entries, WAITING)))
}

/// Loads the packages that the rows name. One that is named by the command must be there; one that a row names and that
/// cannot be loaded is that row's trouble.
fn load(global: &Global, arguments: &Arguments, roster: &Roster) -> Result<Packages, CommandError> {
    let stash = start::packages(global)?;
    let mut packages = Packages::new();
    let names: Vec<Option<String>> =
        roster.rows.iter().flatten().map(|draft| draft.problem.clone()).collect();
    for name in names.iter().flatten() {
        if !packages.contains_key(name) {
            let package = stash.load(&arguments.problem.join(name)).map_err(|error| error.to_string());
            packages.insert(name.clone(), package);
        }
    }
    if names.is_empty() || names.contains(&None) {
        let package = stash.load(&arguments.problem).map_err(CommandError::usage)?;
        packages.insert(own_name(arguments), Ok(package));
    }
    for package in packages.values().filter_map(|package| package.as_ref().ok()) {
        for warning in &package.warnings {
            output::remark(&format!("{}: {warning}", shown(&package.directory)));
        }
        let is_open = matches!(package.limits.time, TimeLimit::FromSubmissions { .. });
        if is_open && package.submission_kind == SubmissionKind::Program && arguments.limits.cpu.is_none() {
            output::remark(&format!(
                "problem '{}' leaves its time limit to its jury's submissions: {} assumed (give --cpu TIME, or use \
                 'gavel verify', which finds it)",
                package.name,
                format_duration(UNSET_TIME_LIMIT)
            ));
        }
    }
    Ok(packages)
}

/// The name under which the command's own problem is found.
fn own_name(arguments: &Arguments) -> String {
    arguments.problem.to_string_lossy().into_owned()
}

/// Makes submissions of the rows; what cannot be judged keeps its reason.
fn prepare(
    arguments: &Arguments,
    roster: Roster,
    packages: &Packages,
    judge: &Judge,
    cancel: &CancelToken,
) -> Vec<Entry> {
    let own = own_name(arguments);
    let options = Options {
        is_batch: true,
        problem: Some(&own),
        language: arguments.language.as_deref(),
        entry_point: arguments.entry_point.as_deref(),
        due: arguments.deadline.due,
        latest: arguments.deadline.latest,
        limits: arguments.limits.overrides(),
        policy: arguments.policy,
        tests: &arguments.tests,
        // Whoever grades sees everything.
        feedback: None,
        id: None,
        judging: &arguments.judging,
        priority: Priority::default(),
        meta: &[],
    };
    let find = |name: &str| match packages.get(name) {
        Some(Ok(package)) => Ok(Problem {
            name: package.name.clone(),
            // Work is judged anew when the package has changed, not when it was moved.
            value: json!({ "ref": package.name, "sha256": judge.package_digest(package, cancel) }),
            limits: LimitOverrides::default(),
            takes_answers: package.submission_kind == SubmissionKind::Answers,
        }),
        Some(Err(problem)) => Err(CommandError::Usage(problem.clone())),
        None => Err(CommandError::Usage(format!("no problem '{}'", output::one_line(name)))),
    };
    let mut entries = batch::prepare(roster.rows, &options, judge.languages(), &find);
    for entry in entries.iter_mut().filter(|entry| entry.is_sendable()) {
        let checked = submission(entry, packages, &own).and_then(|(submission, package)| {
            judge.check(&submission, package).map_err(|error| error.to_string())
        });
        if let Err(problem) = checked {
            entry.refuse(problem);
        }
    }
    entries
}

/// The submission of an entry, and the package it is judged on.
fn submission<'a>(
    entry: &Entry,
    packages: &'a Packages,
    own: &str,
) -> Result<(Submission, &'a Package), String> {
    let name = entry.draft.problem.as_deref().unwrap_or(own);
    let package = packages.get(name).and_then(|package| package.as_ref().ok());
    let package = package.ok_or_else(|| format!("no problem '{}'", output::one_line(name)))?;
    match queue::parse(entry.body()) {
        Ok(Message::Submission(mut submission)) => {
            submission.problem = ProblemRef::reference(&package.directory);
            Ok((*submission, package))
        }
        Ok(Message::Cancel(_)) => Err("it is not a submission".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Takes what the journal knows already.
fn recall(entries: &mut [Entry], journal: &Journal) {
    let mut judged = 0;
    for entry in entries.iter_mut().filter(|entry| entry.is_sendable()) {
        if let Some(report) = journal.report(&entry.key()) {
            entry.judged(report.clone());
            judged += 1;
        }
    }
    if judged > 0 {
        output::remark(&format!(
            "{judged} of {} judged before: going on with {}",
            output::counted(entries.len(), "submission"),
            shown(journal.path())
        ));
    }
}

/// A submission that is to be judged.
struct Job<'a> {
    submission: Submission,
    package: &'a Package,
}

/// The jobs of all entries without a verdict; the same work handed in twice by one student is one.
fn jobs<'a>(entries: &[Entry], packages: &'a Packages, own: &str) -> VecDeque<Job<'a>> {
    let mut seen = HashSet::new();
    let new = entries.iter().filter(|entry| entry.is_new() && seen.insert(entry.key()));
    new.filter_map(|entry| submission(entry, packages, own).ok())
        .map(|(submission, package)| Job { submission, package })
        .collect()
}

/// Judges on all slots. What has its verdict is in the journal, whatever happens afterwards.
fn judge_all(
    judge: &Judge,
    jobs: VecDeque<Job<'_>>,
    entries: &mut [Entry],
    journal: &mut Journal,
    live: &mut Live,
    cancel: &CancelToken,
) -> Result<(), CommandError> {
    let jobs = Mutex::new(jobs);
    let (sender, news) = mpsc::channel();
    let wants_events = live.wants_progress();
    std::thread::scope(|scope| {
        // One more than there are slots: while one compares or compiles, another runs.
        for _ in 0..=judge.slots() {
            let (sender, jobs) = (sender.clone(), &jobs);
            let work = move || work(judge, jobs, wants_events, &sender, cancel);
            // Fewer threads only take longer; the first must be there.
            std::thread::Builder::new()
                .name("grading".to_owned())
                .spawn_scoped(scope, work)
                .map_err(CommandError::judging)?;
        }
        drop(sender);
        for news in news {
            let told = hear(news, entries, journal, live);
            if told.is_err() {
                // Nobody listens, or the disk is full: no reason to go on.
                cancel.cancel();
                return told;
            }
        }
        Ok(())
    })
}

/// Judges one job after the other until there is none.
fn work(
    judge: &Judge,
    jobs: &Mutex<VecDeque<Job<'_>>>,
    wants_events: bool,
    news: &Sender<News>,
    cancel: &CancelToken,
) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(Job { submission, package }) = next.filter(|_| !cancel.is_cancelled()) else { return };
        let sender = Mutex::new(news.clone());
        let events = |event: Event| {
            if wants_events && !matches!(event.kind, EventKind::Done(_)) {
                let sender = sender.lock().unwrap_or_else(PoisonError::into_inner);
                // Nobody listens once the command is ending.
                let _ = sender.send(News::Event(Box::new(event)));
            }
        };
        let report = judge.judge(&submission, package, &events, cancel);
        let _ = news.send(News::Judged(Box::new(report)));
    }
}

fn hear(
    news: News,
    entries: &mut [Entry],
    journal: &mut Journal,
    live: &mut Live,
) -> Result<(), CommandError> {
    let report = match news {
        News::Event(event) => {
            return live.event(&serde_json::to_vec(&event).map_err(CommandError::judging)?);
        }
        News::Judged(report) => report,
    };
    // Stopped by a signal: it has no verdict.
    if report.verdict == Verdict::CX {
        return Ok(());
    }
    journal.done(&report)?;
    journal.sync()?;
    live.verdict(&report)?;
    let key = Key { id: report.id.clone(), judging: report.judging.clone() };
    for entry in entries.iter_mut().filter(|entry| entry.is_new() && entry.key() == key) {
        entry.judged((*report).clone());
    }
    Ok(())
}

/// Returns where the journal is: named, or beside the results or the work.
fn journal_path(arguments: &Arguments) -> PathBuf {
    if let Some(path) = &arguments.journal {
        return path.clone();
    }
    let beside = arguments.results.save.as_ref().unwrap_or(&arguments.work);
    let mut name = beside.components().as_path().as_os_str().to_owned();
    name.push(".journal");
    name.into()
}
