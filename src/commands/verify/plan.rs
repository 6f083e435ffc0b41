//! Which submission is judged when, and under which time limit.
//!
//! A package that leaves its time limit to its accepted submissions gets them judged first, under a
//! generous limit; their slowest run then gives the limit the others are held against, as the Kattis tools
//! do: its time × the multiplier, rounded up to a multiple of the resolution, at least one.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Examined, Row, expected};
use crate::commands::output::{self, Progress};
use crate::commands::sources::{self, Encoding};
use crate::judge::{Judge, UNSET_TIME_LIMIT};
use crate::language::Table;
use crate::package::{Digest, JurySubmission, Package, SubmissionKind, TimeLimit};
use crate::report::Report;
use crate::sandbox::CancelToken;
use crate::submission::{ANSWERS, LimitOverrides, Policy, Priority, ProblemRef, SCHEMA, Stop, Submission};
use crate::units::format_duration;
use crate::verdict::{Reason, Verdict};

/// The limit under which accepted submissions are timed when the package has none yet.
const GENEROUS: Duration = Duration::from_secs(60);

/// One submission to judge.
struct Job {
    package: usize,
    submission: usize,
}

/// Judges every submission of every loaded package.
pub(super) fn judge_all(
    judge: &Judge,
    table: &Table,
    policy: Option<Stop>,
    examined: &mut [Examined],
    cancel: &CancelToken,
) {
    let total = submissions(examined).count();
    let progress = Progress::new(total, "verifying");
    let round = Round { judge, table, policy, cancel, progress: &progress };

    let (first, second): (Vec<Job>, Vec<Job>) = jobs(examined).partition(|job| !waits(examined, job));
    let mut rows = round.run(first, &timed_under(examined, GENEROUS));
    derive_limits(table, examined, &rows);
    rows.extend(round.run(second, &loaded(examined)));
    progress.finish();

    rows.sort_by_key(|(job, _)| (job.package, job.submission));
    for (job, row) in rows {
        examined[job.package].rows.push(row);
    }
}

/// The CPU limit of a package, once known.
pub(super) fn time_limit(package: &Package) -> Option<Duration> {
    match package.limits.time {
        TimeLimit::Fixed(limit) => Some(limit),
        TimeLimit::FromSubmissions { .. } => None,
    }
}

fn submissions(examined: &[Examined]) -> impl Iterator<Item = (usize, usize)> {
    examined.iter().enumerate().flat_map(|(place, one)| {
        let count = one.package.as_ref().map_or(0, |package| package.submissions.len());
        (0..count).map(move |submission| (place, submission))
    })
}

fn jobs(examined: &[Examined]) -> impl Iterator<Item = Job> {
    submissions(examined).map(|(package, submission)| Job { package, submission })
}

/// Whether a job needs the limit that others give.
fn waits(examined: &[Examined], job: &Job) -> bool {
    examined[job.package].package.as_ref().is_ok_and(|package| {
        time_limit(package).is_none() && !package.submissions[job.submission].sets_time_limit
    })
}

/// The packages, those without a limit under this one.
fn timed_under(examined: &[Examined], limit: Duration) -> Vec<Option<Package>> {
    let mut packages = loaded(examined);
    for package in packages.iter_mut().flatten() {
        if time_limit(package).is_none() {
            set_time_limit(package, limit);
        }
    }
    packages
}

fn loaded(examined: &[Examined]) -> Vec<Option<Package>> {
    examined.iter().map(|one| one.package.as_ref().ok().cloned()).collect()
}

/// Sets the limits of the packages that had none.
fn derive_limits(table: &Table, examined: &mut [Examined], rows: &[(Job, Row)]) {
    for (place, one) in examined.iter_mut().enumerate() {
        let Ok(package) = &mut one.package else { continue };
        let TimeLimit::FromSubmissions { multiplier, resolution } = package.limits.time else { continue };
        let slowest = rows
            .iter()
            .filter(|(job, row)| job.package == place && row.verdict == Some(Verdict::AC))
            .filter(|(job, _)| package.submissions[job.submission].sets_time_limit)
            .filter_map(|(_, row)| row.report.as_ref())
            .map(|report| problem_seconds(report, table))
            .fold(None, |slowest: Option<f64>, time| Some(slowest.map_or(time, |other| other.max(time))));
        let limit = match slowest {
            Some(seconds) => {
                let step = resolution.as_secs_f64();
                Duration::from_secs_f64(((seconds * multiplier / step).ceil().max(1.0) * step).min(3600.0))
            }
            None => {
                output::remark(&format!(
                    "problem '{}' has no time limit and no accepted submission to derive one from: {} \
                     assumed",
                    package.name,
                    format_duration(UNSET_TIME_LIMIT)
                ));
                UNSET_TIME_LIMIT
            }
        };
        set_time_limit(package, limit);
    }
}

fn set_time_limit(package: &mut Package, limit: Duration) {
    package.limits.time = TimeLimit::Fixed(limit);
    // The limit is part of what a digest names.
    package.digest = Digest::default();
}

/// The slowest run as the problem's limit counts: without what the language gets on top.
fn problem_seconds(report: &Report, table: &Table) -> f64 {
    let seconds = report.max_cpu_ms / 1e3;
    match table.get(&report.provenance.language) {
        Some(language) if language.limits.time_factor > 0.0 => {
            ((seconds - language.limits.time_extra.as_secs_f64()) / language.limits.time_factor).max(0.0)
        }
        _ => seconds,
    }
}

/// What all judgings of a round share.
struct Round<'a> {
    judge: &'a Judge,
    table: &'a Table,
    policy: Option<Stop>,
    cancel: &'a CancelToken,
    progress: &'a Progress,
}

impl Round<'_> {
    /// Judges the jobs, one more at once than there are slots: while one compares or reads, another runs.
    fn run(&self, jobs: Vec<Job>, packages: &[Option<Package>]) -> Vec<(Job, Row)> {
        let left = Mutex::new(VecDeque::from(jobs));
        let rows = Mutex::new(Vec::new());
        let work = || {
            loop {
                let job = left.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some(job) = job else { return };
                if self.cancel.is_cancelled() {
                    return;
                }
                if let Some(package) = &packages[job.package] {
                    let row = self.judge_one(package, &package.submissions[job.submission]);
                    rows.lock().unwrap_or_else(PoisonError::into_inner).push((job, row));
                }
                self.progress.step();
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.judge.slots() {
                // Fewer threads only take longer.
                let _ = std::thread::Builder::new().spawn_scoped(scope, work);
            }
            work();
        });
        rows.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge_one(&self, package: &Package, jury: &JurySubmission) -> Row {
        let mut row = Row {
            name: jury.name.clone(),
            language: jury.language.clone().unwrap_or_default(),
            expected: expected::shown(&jury.expectation),
            verdict: None,
            ok: false,
            problem: None,
            report: None,
        };
        match self.submission(package, jury) {
            Err(problem) => row.problem = Some(problem),
            Ok(submission) => {
                row.language.clone_from(&submission.language);
                let report = self.judge.judge(&submission, package, &|_| {}, self.cancel);
                if report.verdict == Verdict::JE && report.reason == Some(Reason::Language) {
                    // A compiler that is not installed says nothing about the submission or the others.
                    row.problem =
                        Some(report.error.unwrap_or_else(|| "its language cannot be used".to_owned()));
                    return row;
                }
                row.problem = expected::deviation(&jury.expectation, &report);
                row.ok = row.problem.is_none();
                row.verdict = Some(report.verdict);
                row.report = Some(report);
            }
        }
        row
    }

    fn submission(&self, package: &Package, jury: &JurySubmission) -> Result<Submission, String> {
        let (language, files) = match package.submission_kind {
            SubmissionKind::Answers => {
                let files = sources::read_answers(&jury.files).map_err(|error| error.to_string())?;
                (ANSWERS.to_owned(), files)
            }
            SubmissionKind::Program => {
                let language = match &jury.language {
                    Some(code) => {
                        self.table.named(code).ok_or_else(|| format!("unknown language '{code}'"))?
                    }
                    None => self
                        .table
                        .guess(&jury.files)
                        .ok_or_else(|| "its language cannot be told from its files".to_owned())?,
                };
                let mut files =
                    sources::read(&jury.files, Encoding::Any).map_err(|error| error.to_string())?;
                sources::name_nameless(&mut files, language);
                (language.id.clone(), files)
            }
        };
        let needs_all = !jury.expectation.required.is_empty();
        let stop = self.policy.unwrap_or(if needs_all { Stop::Full } else { Stop::FirstFailure });
        Ok(Submission {
            schema: SCHEMA,
            id: format!("{}/{}", package.name, jury.name),
            judging: "1".to_owned(),
            language,
            files,
            problem: ProblemRef::reference(&package.directory),
            limits: LimitOverrides::default(),
            policy: Policy { stop },
            tests: Vec::new(),
            reply_to: None,
            priority: Priority::default(),
            meta: serde_json::Map::new(),
        })
    }
}
