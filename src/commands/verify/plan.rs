//! What is looked at when.
//!
//! All packages go through one list of work: first the programs that others wait for are made, then submissions are judged,
//! those first that set a time limit, then everything else. Submissions that need a limit follow the last of those that
//! give it. So compilers, runs and checks of all of them fill the slots together, and nothing waits for a phase to end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::answers::{self, Answered};
use super::finding::{Finding, Inspection};
use super::fuzz::{self, Patience, Shown};
use super::pool::{self, Work};
use super::submission::Bench;
use super::{Examined, Row, coverage, data, generators, limit, selection::Selection, validators};
use crate::cli::VerifyPart;
use crate::commands::output;
use crate::judge::{VerificationFault, Verifier};
use crate::package::Package;

/// Tests are handed to validators in portions of at most so many.
const PORTION: usize = 32;

/// One package while it is looked at.
struct Case<'a> {
    bench: &'a Bench<'a>,
    selection: &'a Selection,
    /// As loaded.
    package: &'a Package,
    /// Under the limit that is there while none is known.
    timed: Package,
    /// Under the limit that everything else is held against.
    limited: OnceLock<Package>,
    jury: Result<Verifier<'a>, VerificationFault>,
    /// Submissions that have still to be timed before the limit is known.
    untimed: AtomicUsize,
    /// With each checker.
    patience: Vec<Patience>,
    /// With each input validator.
    validator_patience: Vec<Patience>,
    rows: Mutex<Vec<(usize, Row)>>,
    inspections: Mutex<Vec<(usize, Inspection)>>,
    answered: Mutex<Vec<(usize, Answered)>>,
    shown: Mutex<Vec<Shown>>,
}

/// Looks at everything the selection asks for, in every loaded package.
pub(super) fn examine_all(bench: &Bench<'_>, selection: &Selection, examined: &mut [Examined]) {
    let packages: Vec<Option<Package>> =
        examined.iter().map(|one| one.package.as_ref().ok().cloned()).collect();
    let cases: Vec<Option<Case<'_>>> = packages
        .iter()
        .map(|package| package.as_ref().map(|package| Case::new(bench, selection, package)))
        .collect();
    let mut work = Vec::new();
    for stage in [Case::preparations, Case::judgings, Case::inspections] {
        work.extend(cases.iter().flatten().flat_map(stage));
    }
    let waiting: usize = cases.iter().flatten().map(|case| case.waiting().count()).sum();
    bench.progress.set_total(work.len() + waiting);
    bench.total.store(cases.iter().flatten().map(|case| case.submissions().count()).sum(), Ordering::SeqCst);
    // One more than there are slots: while one compares or reads, another runs.
    pool::run(work, bench.judge.slots(), bench.cancel, &bench.progress);
    bench.progress.finish();
    for (one, case) in examined.iter_mut().zip(cases) {
        if let Some(case) = case {
            case.conclude(one);
        }
    }
}

impl<'a> Case<'a> {
    fn new(bench: &'a Bench<'a>, selection: &'a Selection, package: &'a Package) -> Self {
        let mut timed = package.clone();
        let limited = OnceLock::new();
        match limit::time_limit(package) {
            Some(_) => _ = limited.set(package.clone()),
            None => {
                limit::set_time_limit(&mut timed, limit::GENEROUS);
                // Generous enough.
                timed.verification.margins.rejected = 1.0;
            }
        }
        let validators = &package.verification.input_validators;
        let case = Self {
            bench,
            selection,
            package,
            timed,
            limited,
            jury: bench.judge.verifier(package, bench.cancel),
            untimed: AtomicUsize::new(0),
            patience: package.checkers.iter().map(|_| Patience::default()).collect(),
            validator_patience: validators.iter().map(|_| Patience::default()).collect(),
            rows: Mutex::default(),
            inspections: Mutex::default(),
            answered: Mutex::default(),
            shown: Mutex::default(),
        };
        let untimed = case.submissions().filter(|place| case.sets_limit(*place)).count();
        case.untimed.store(untimed, Ordering::SeqCst);
        if untimed == 0 {
            case.settle_limit();
        }
        case
    }

    /// Places of the submissions that are to be judged.
    fn submissions(&self) -> impl Iterator<Item = usize> {
        let wanted = self.selection.has(VerifyPart::Submissions);
        let all = self.package.submissions.iter().enumerate().filter(move |_| wanted);
        all.filter(|(_, jury)| self.selection.wants(&jury.name)).map(|(place, _)| place)
    }

    /// Whether the limit depends on this submission.
    fn sets_limit(&self, place: usize) -> bool {
        limit::time_limit(self.package).is_none()
            && self.package.submissions.get(place).is_some_and(|jury| jury.sets_time_limit)
    }

    /// Submissions that are judged once the limit is known.
    fn waiting(&self) -> impl Iterator<Item = usize> {
        let is_open = self.limited.get().is_none();
        self.submissions().filter(move |place| is_open && !self.sets_limit(*place))
    }

    /// Programs that several others wait for, made first.
    fn preparations(&self) -> Vec<Work<'_>> {
        let Ok(jury) = &self.jury else { return Vec::new() };
        let mut work: Vec<Work<'_>> = Vec::new();
        let uses_checkers = [VerifyPart::Submissions, VerifyPart::Answers, VerifyPart::Fuzz];
        if uses_checkers.iter().any(|part| self.selection.has(*part)) {
            for place in 0..self.package.checkers.len() {
                work.push(Work::new(self.called("checker"), move || {
                    // Whoever needs it gets the same answer, and reports it.
                    let _ = jury.prepare_checker(place);
                    Vec::new()
                }));
            }
        }
        if self.selection.has(VerifyPart::Validators) {
            for place in 0..self.package.verification.input_validators.len() {
                work.push(Work::new(self.called("validator"), move || {
                    let _ = jury.prepare_validator(place);
                    Vec::new()
                }));
            }
        }
        if self.selection.has(VerifyPart::Generators) {
            for place in 0..self.package.verification.generators.len() {
                work.push(Work::new(self.called("generator"), move || {
                    let _ = jury.prepare_generator(place);
                    Vec::new()
                }));
            }
        }
        work
    }

    fn judgings(&self) -> Vec<Work<'_>> {
        let (first, rest): (Vec<usize>, Vec<usize>) =
            self.submissions().partition(|place| self.sets_limit(*place));
        let mut work: Vec<Work<'_>> = Vec::new();
        for place in first {
            work.push(Work::new(self.submission_name(place), move || {
                self.judge(place, &self.timed);
                if self.bench.cancel.is_cancelled() {
                    return Vec::new();
                }
                if self.untimed.fetch_sub(1, Ordering::SeqCst) > 1 {
                    return Vec::new();
                }
                let waiting: Vec<usize> = self.waiting().collect();
                self.settle_limit();
                waiting.into_iter().map(|place| self.judging(place)).collect()
            }));
        }
        if self.limited.get().is_some() {
            work.extend(rest.into_iter().map(|place| self.judging(place)));
        }
        work
    }

    fn judging(&self, place: usize) -> Work<'_> {
        Work::new(self.submission_name(place), move || {
            if let Some(package) = self.limited.get() {
                self.judge(place, package);
            }
            Vec::new()
        })
    }

    fn judge(&self, place: usize, package: &Package) {
        if let Some(jury) = package.submissions.get(place) {
            let row = self.bench.judge_one(package, jury);
            if self.bench.cancel.is_cancelled() {
                // It was broken off, or cannot be told from one that was.
                return;
            }
            self.bench.tell(package, &row);
            push(&self.rows, (place, row));
        }
    }

    /// What people who wait are told of a step.
    fn called(&self, what: &str) -> String {
        format!("{}: {what}", self.package.name)
    }

    fn submission_name(&self, place: usize) -> String {
        self.called(self.package.submissions.get(place).map_or("", |jury| jury.name.as_str()))
    }

    /// Fixes the limit from what was timed.
    fn settle_limit(&self) {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let found = limit::derived(self.bench.table, self.package, &rows);
        let limit = found.unwrap_or_else(|| {
            let (limit, message) = limit::assumed(self.package);
            if self.submissions().next().is_some() {
                output::remark(&message);
            }
            limit
        });
        let mut package = self.package.clone();
        limit::set_time_limit(&mut package, limit);
        // Only the first word counts, and there is one.
        let _ = self.limited.set(package);
    }

    fn inspections(&self) -> Vec<Work<'_>> {
        let mut work: Vec<Work<'_>> = Vec::new();
        if self.selection.has(VerifyPart::Tests) {
            work.push(self.inspection(0, || Some(data::inspect(self.package))));
        }
        let jury = match &self.jury {
            Ok(jury) => jury,
            Err(fault) => {
                let mut found = Inspection::new(VerifyPart::Tests, "package");
                found.findings.push(Finding::of_fault("", fault));
                push(&self.inspections, (0, found));
                return work;
            }
        };
        if self.selection.has(VerifyPart::Validators) {
            self.validations(jury, &mut work);
        }
        if self.selection.has(VerifyPart::Generators) {
            for (place, test) in self.package.tests.iter().enumerate() {
                if test.made_by.is_some() {
                    let order = 20_000 + place;
                    work.push(self.inspection(order, move || generators::on_test(jury, self.package, test)));
                }
            }
        }
        self.checks(jury, &mut work);
        work
    }

    fn validations<'b>(&'b self, jury: &'b Verifier<'a>, work: &mut Vec<Work<'b>>) {
        let package = self.package;
        let verification = &package.verification;
        if let Some(found) = validators::absence(package) {
            push(&self.inspections, (10_000, found));
        }
        for (place, patience) in self.validator_patience.iter().enumerate() {
            for tests in package.tests.chunks(PORTION) {
                work.push(self.inspection(10_000 + place, move || {
                    Some(validators::on_tests(jury, package, place, tests, patience))
                }));
            }
        }
        if verification.input_validators.is_empty() {
            return;
        }
        let order = 10_000 + verification.input_validators.len();
        for (place, invalid) in verification.invalid_inputs.iter().enumerate() {
            work.push(
                self.inspection(order + place, move || Some(validators::on_invalid(jury, package, invalid))),
            );
        }
        let order = order + verification.invalid_inputs.len();
        work.push(self.inspection(order, move || Some(validators::on_spoilt(jury, package))));
    }

    fn checks<'b>(&'b self, jury: &'b Verifier<'a>, work: &mut Vec<Work<'b>>) {
        let package = self.package;
        let obstacle = answers::obstacle(package);
        if self.selection.has(VerifyPart::Answers) {
            match obstacle {
                Some(reason) => {
                    let found = Inspection::skipped(VerifyPart::Answers, "jury's answers", reason);
                    push(&self.inspections, (30_000, found));
                }
                None => {
                    for (place, test) in package.tests.iter().enumerate() {
                        work.push(Work::new(self.called("answers"), move || {
                            let answered = answers::on_answer(jury, test, &self.patience);
                            if !self.bench.cancel.is_cancelled() {
                                push(&self.answered, (place, answered));
                            }
                            Vec::new()
                        }));
                    }
                    for (place, case) in package.verification.outputs.iter().enumerate() {
                        work.push(self.inspection(31_000 + place, move || {
                            Some(answers::on_output(jury, package, case))
                        }));
                    }
                }
            }
        }
        if self.selection.has(VerifyPart::Fuzz) && (obstacle.is_some() || !package.checkers.is_empty()) {
            if let Some(reason) = obstacle {
                let found = Inspection::skipped(VerifyPart::Fuzz, "corrupted answers", reason);
                push(&self.inspections, (40_000, found));
                return;
            }
            for (checker, patience) in self.patience.iter().enumerate() {
                for test in fuzz::chosen(package, checker, self.selection.fuzz_runs) {
                    work.push(self.inspection(40_000 + checker, move || {
                        if let Err(fault) = jury.prepare_checker(checker) {
                            return Some(fuzz::unmade(package, checker, &fault));
                        }
                        let shown =
                            fuzz::on_test(jury, package, (checker, test), self.selection.seed, patience);
                        self.shown.lock().unwrap_or_else(PoisonError::into_inner).extend(shown);
                        None
                    }));
                }
            }
        }
    }

    fn inspection<'b>(
        &'b self,
        order: usize,
        inspect: impl FnOnce() -> Option<Inspection> + Send + 'b,
    ) -> Work<'b> {
        Work::new(self.called("package's data"), move || {
            // What a signal has broken off says nothing about the package.
            if let Some(found) = inspect().filter(|_| !self.bench.cancel.is_cancelled()) {
                push(&self.inspections, (order, found));
            }
            Vec::new()
        })
    }

    /// Puts together what came of everything.
    fn conclude(self, examined: &mut Examined) {
        let mut rows = self.rows.into_inner().unwrap_or_else(PoisonError::into_inner);
        rows.sort_by_key(|(place, _)| *place);
        let mut inspections = self.inspections.into_inner().unwrap_or_else(PoisonError::into_inner);
        inspections.sort_by_key(|(order, _)| *order);
        let mut answered = self.answered.into_inner().unwrap_or_else(PoisonError::into_inner);
        answered.sort_by_key(|(place, _)| *place);
        if !answered.is_empty() {
            let answered = answered.into_iter().map(|(_, answered)| answered).collect();
            inspections.push((30_000, answers::conclude(answered)));
        }
        let is_complete = !self.bench.cancel.is_cancelled();
        let shown = self.shown.into_inner().unwrap_or_else(PoisonError::into_inner);
        if is_complete {
            for found in fuzz::conclude(self.package, shown) {
                inspections.push((40_000, found));
            }
        }
        inspections.sort_by_key(|(order, _)| *order);
        if let Some(package) = self.limited.into_inner() {
            if let Some(limit) = limit::time_limit(&package).filter(|_| is_complete)
                && rows.iter().any(|(_, row)| row.report.is_some())
            {
                let (timing, findings) = limit::timing(self.bench.table, self.package, limit, &rows);
                examined.timing = Some(timing);
                inspections.insert(0, (0, limit::inspection(findings)));
            }
            if self.selection.is_whole()
                && is_complete
                && let Some(found) = coverage::inspect(&package, &rows)
            {
                inspections.insert(0, (0, found));
            }
            if !rows.is_empty() {
                examined.package = Ok(package);
            }
        }
        examined.rows = rows.into_iter().map(|(_, row)| row).collect();
        examined.inspections = merged(inspections);
    }
}

/// Inspections of the same thing as one, in order of their first.
fn merged(inspections: Vec<(usize, Inspection)>) -> Vec<Inspection> {
    let mut merged: Vec<Inspection> = Vec::new();
    for (_, found) in inspections {
        match merged.iter_mut().find(|own| own.part == found.part && own.name == found.name) {
            Some(own) => own.absorb(found),
            None => merged.push(found),
        }
    }
    merged
}

fn push<T>(list: &Mutex<Vec<T>>, item: T) {
    list.lock().unwrap_or_else(PoisonError::into_inner).push(item);
}
