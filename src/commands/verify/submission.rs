//! Judges one submission of a jury's and says whether it got what it must.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Row, expected, groups};
use crate::cancel::CancelToken;
use crate::commands::output::{self, Progress};
use crate::commands::sources;
use crate::judge::Judge;
use crate::language::{Order, Table};
use crate::package::{Interaction, JurySubmission, Package, SubmissionKind, TimeLimit};
use crate::report::Report;
use crate::submission::{ANSWERS, LimitOverrides, Policy, ProblemRef, SCHEMA, Stop, Submission};
use crate::units::Time;
use crate::verdict::{Reason, Verdict};

/// How much longer than its limit a program may run, so that its time can be told. Where it talks with another, what comes
/// after the limit could decide; there it is stopped at once.
pub(super) fn overtime(package: &Package) -> f64 {
    let runs_alone = package.interaction == Interaction::None && package.passes.is_none();
    if runs_alone { package.verification.margins.rejected } else { 1.0 }
}

/// The limits of a submission that has its own. The package's wall limit shrinks with its CPU limit.
fn own_limits(package: &Package, jury: &JurySubmission) -> LimitOverrides {
    let mut limits = LimitOverrides { memory: jury.limits.memory, ..LimitOverrides::default() };
    let (TimeLimit::Fixed(usual), Some(cpu)) = (package.limits.time, jury.limits.time) else { return limits };
    if cpu < usual {
        limits.cpu = Some(Time(cpu));
        let share = cpu.as_secs_f64() / usual.as_secs_f64();
        limits.wall = package.limits.wall.map(|wall| Time(wall.mul_f64(share)));
    }
    limits
}

/// What all judgings have in common.
pub(super) struct Bench<'a> {
    pub(super) judge: &'a Judge,
    pub(super) table: &'a Table,
    pub(super) policy: Option<Stop>,
    pub(super) cancel: &'a CancelToken,
    pub(super) progress: Progress,
    /// Submissions to be judged, and those that were.
    pub(super) total: AtomicUsize,
    pub(super) judged: AtomicUsize,
}

impl<'a> Bench<'a> {
    pub(super) fn new(
        judge: &'a Judge,
        table: &'a Table,
        policy: Option<Stop>,
        cancel: &'a CancelToken,
    ) -> Self {
        let progress = Progress::new(0, "verifying");
        Self {
            judge,
            table,
            policy,
            cancel,
            progress,
            total: AtomicUsize::new(0),
            judged: AtomicUsize::new(0),
        }
    }

    /// Says at once what a submission got: much else may still be to do.
    pub(super) fn tell(&self, package: &Package, row: &Row) {
        let judged = self.judged.fetch_add(1, Ordering::SeqCst) + 1;
        let got = row.verdict.map_or("not judged", |verdict| verdict.id());
        let rating = match &row.problem {
            Some(problem) => format!("UNEXPECTED: {problem}"),
            None => "as expected".to_owned(),
        };
        self.progress.tell(&format!(
            "{}: {}: {got}, {} ({judged} of {})",
            package.name,
            row.name,
            output::one_line(&rating),
            self.total.load(Ordering::SeqCst)
        ));
    }

    /// Judges a submission on its package, whose time limit is known by now.
    pub(super) fn judge_one(&self, package: &Package, jury: &JurySubmission) -> Row {
        let mut row = Row {
            name: jury.name.clone(),
            language: jury.language.clone().unwrap_or_default(),
            expected: expected::shown(&jury.expectation),
            verdict: None,
            score: None,
            ok: false,
            problem: None,
            remark: None,
            groups: Vec::new(),
            report: None,
        };
        let submission = match self.submission(package, jury) {
            Ok(submission) => submission,
            Err(problem) => {
                row.problem = Some(problem);
                return row;
            }
        };
        row.language.clone_from(&submission.language);
        let report =
            self.judge.judge_in_overtime(&submission, package, overtime(package), &|_| {}, self.cancel);
        if report.verdict == Verdict::JE && report.reason == Some(Reason::Language) {
            // A compiler that is not installed says nothing about the submission or the others.
            row.problem = Some(report.error.unwrap_or_else(|| "its language cannot be used".to_owned()));
            return row;
        }
        row.groups = groups::results(&report);
        row.problem = expected::deviation(&jury.expectation, &report);
        if row.problem.is_some() && self.is_fine_with_more_time(package, jury, &submission, &report) {
            row.remark = Some(format!(
                "{}, and what it must get only with {} times the time limit",
                report.verdict, package.verification.margins.rejected
            ));
            row.problem = None;
        }
        row.ok = row.problem.is_none();
        row.verdict = Some(report.verdict);
        row.score = report.score;
        row.report = Some(report);
        row
    }

    /// Whether a submission that must be rejected, and was too slow for that, gets what it must when it has more time:
    /// problemtools takes that for good. What must be accepted must be so within the limit.
    fn is_fine_with_more_time(
        &self,
        package: &Package,
        jury: &JurySubmission,
        submission: &Submission,
        report: &Report,
    ) -> bool {
        let TimeLimit::Fixed(limit) = package.limits.time else { return false };
        let expectation = &jury.expectation;
        if report.verdict != Verdict::TLE
            || expected::must_be_too_slow(expectation)
            || expected::must_be_accepted(expectation)
        {
            return false;
        }
        let mut patient = submission.clone();
        patient.limits.cpu =
            Some(Time(limit.mul_f64(package.verification.margins.rejected.clamp(1.0, 100.0))));
        let report = self.judge.judge(&patient, package, &|_| {}, self.cancel);
        expected::deviation(expectation, &report).is_none()
    }

    fn submission(&self, package: &Package, jury: &JurySubmission) -> Result<Submission, String> {
        let (language, files, entry_point) = match package.submission_kind {
            SubmissionKind::Answers => {
                let files = sources::read_answers(&jury.files).map_err(|error| error.to_string())?;
                (ANSWERS.to_owned(), files, None)
            }
            SubmissionKind::Program => {
                let language = match &jury.language {
                    Some(code) => self.table.named(code).ok_or_else(|| self.table.unknown(code))?,
                    None => self
                        .table
                        .guess(&jury.files)
                        .ok_or_else(|| "its language cannot be told from its files".to_owned())?,
                };
                let mut files = sources::read(&jury.files).map_err(|error| error.to_string())?;
                sources::name_nameless(&mut files, language);
                // Where nothing decides it is the first, as other tools have it.
                let place = match jury.names_entry {
                    true => 0,
                    false => sources::entry_of(&files, language, Order::Unknown).unwrap_or(0),
                };
                let entry = files.get(place).filter(|_| files.len() > 1).map(|file| file.name.clone());
                (language.id.clone(), files, entry)
            }
        };
        let needs_all = expected::needs_all_tests(&jury.expectation)
            && !expected::is_shown_by_first_failure(&jury.expectation);
        let stop = self.policy.unwrap_or(if needs_all { Stop::Full } else { Stop::FirstFailure });
        Ok(Submission {
            schema: SCHEMA,
            id: format!("{}/{}", package.name, jury.name),
            judging: "1".to_owned(),
            language,
            files,
            problem: ProblemRef::reference(&package.directory),
            limits: own_limits(package, jury),
            policy: Policy { stop },
            tests: Vec::new(),
            entry_point,
            feedback: None,
            reply_to: None,
            priority: None,
            meta: serde_json::Map::new(),
            warnings: Vec::new(),
        })
    }
}
