//! Checkers on corrupted answers: whatever a contestant prints, a checker must have an opinion, and a good one.
//!
//! A crash, a hang or an answer outside the protocol is an error: in a contest each is a judging error that a contestant can
//! cause at will. That a checker gives up by its protocol's own code is a warning. An accepted corruption is an error only
//! where nothing like it can be right: nothing, or garbage, on every test. Elsewhere it may be right, and is a warning
//! or a note for somebody who knows the problem.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::answers::is_full;
use super::corrupt::{Corruption, Numbers, Suspicion};
use super::finding::{Finding, Inspection, Severity, some_of};
use crate::cli::VerifyPart;
use crate::judge::{TestData, VerificationFault, Verifier};
use crate::package::{Check, Package, Test};

/// Answers up to this size are corrupted.
const LARGEST: u64 = 1 << 20;
/// After so many broken runs a checker is known to be broken.
const ENOUGH: usize = 12;
/// A broken run that takes as long as this is a hang, and counts for several.
const LONG: Duration = Duration::from_millis(900);

/// What a checker did with one corrupted answer.
#[derive(Debug)]
pub(super) struct Shown {
    checker: usize,
    test: usize,
    corruption: Corruption,
    outcome: Outcome,
    took: Duration,
}

#[derive(Debug)]
enum Outcome {
    Rejected,
    Accepted,
    GaveUp(String),
    Broken(VerificationFault),
}

/// How often a program of the jury's has failed, so that one that hangs is not waited for a hundred times.
#[derive(Debug, Default)]
pub(super) struct Patience(AtomicUsize);

impl Patience {
    /// Whether the program is known to be broken.
    pub(super) fn is_lost(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= ENOUGH
    }

    /// Takes note of a run that did not end as it must.
    pub(super) fn lose(&self, took: Duration) {
        self.0.fetch_add(if took >= LONG { ENOUGH / 2 } else { 1 }, Ordering::Relaxed);
    }
}

/// The tests whose answers are corrupted for a checker: small ones, over the whole package, as many as the runs allow.
pub(super) fn chosen(package: &Package, checker: usize, runs: usize) -> Vec<usize> {
    let is_small = |test: &Test| Path::new(&test.answer).metadata().is_ok_and(|file| file.len() <= LARGEST);
    let own: Vec<usize> = package
        .tests
        .iter()
        .enumerate()
        .filter(|(_, test)| matches!(test.check, Check::Program { checker: place, .. } if place == checker))
        .filter(|(_, test)| is_small(test))
        .map(|(place, _)| place)
        .collect();
    let wanted = runs.div_ceil(Corruption::ALL.len()).min(own.len());
    (0..wanted).filter_map(|place| own.get(place * own.len() / wanted).copied()).collect()
}

/// Shows a checker every corruption of one test's answer.
pub(super) fn on_test(
    jury: &Verifier<'_>,
    package: &Package,
    (checker, test_place): (usize, usize),
    seed: u64,
    patience: &Patience,
) -> Vec<Shown> {
    let Some(test) = package.tests.get(test_place) else { return Vec::new() };
    let Ok(answer) = std::fs::read(&test.answer) else { return Vec::new() };
    let mut shown = Vec::new();
    for (kind, corruption) in Corruption::ALL.into_iter().enumerate() {
        if patience.is_lost() {
            break;
        }
        let mut numbers = Numbers::new(seed, (test_place * Corruption::ALL.len() + kind) as u64);
        let other = other_answer(package, test_place, &mut numbers);
        let Some(spoilt) = corruption.of(&answer, other.as_deref(), &mut numbers) else { continue };
        let began = Instant::now();
        let outcome = match jury.check(test, TestData::Bytes(&spoilt)) {
            Ok(opinion) if is_full(&opinion) => Outcome::Accepted,
            Ok(_) => Outcome::Rejected,
            Err(VerificationFault::Cancelled) => break,
            Err(VerificationFault::Package(message)) if message.contains(GAVE_UP) => Outcome::GaveUp(message),
            Err(fault) => Outcome::Broken(fault),
        };
        let took = began.elapsed();
        if matches!(outcome, Outcome::Broken(_)) {
            patience.lose(took);
        }
        shown.push(Shown { checker, test: test_place, corruption, outcome, took });
    }
    shown
}

/// How a fault says that a checker gave up in the way its protocol has for that (testlib: `_fail`).
const GAVE_UP: &str = "it gave up (exit code 3)";

/// A checker that cannot be made.
pub(super) fn unmade(package: &Package, checker: usize, fault: &VerificationFault) -> Inspection {
    let mut found = Inspection::new(VerifyPart::Fuzz, name_of(package, checker));
    found.findings.push(Finding::of_fault("", fault));
    found
}

fn name_of(package: &Package, checker: usize) -> &str {
    package.checkers.get(checker).map_or("", |checker| &checker.program.name)
}

fn other_answer(package: &Package, place: usize, numbers: &mut Numbers) -> Option<Vec<u8>> {
    let step = 1 + numbers.below(package.tests.len().checked_sub(1)?)?;
    let other = package.tests.get((place + step) % package.tests.len())?;
    let is_small = other.answer.metadata().is_ok_and(|file| file.len() <= LARGEST);
    is_small.then(|| std::fs::read(&other.answer).ok()).flatten()
}

/// One inspection a checker.
pub(super) fn conclude(package: &Package, mut shown: Vec<Shown>) -> Vec<Inspection> {
    shown.sort_by_key(|one| (one.checker, one.corruption, one.test));
    let mut checkers: BTreeMap<usize, Vec<&Shown>> = BTreeMap::new();
    for one in &shown {
        checkers.entry(one.checker).or_default().push(one);
    }
    checkers
        .into_iter()
        .map(|(checker, shown)| {
            let mut found = Inspection::new(VerifyPart::Fuzz, name_of(package, checker));
            found.looked_at = shown.len();
            found.took = shown.iter().map(|one| one.took).sum();
            for corruption in Corruption::ALL {
                let of_kind: Vec<&Shown> =
                    shown.iter().copied().filter(|one| one.corruption == corruption).collect();
                judge_kind(package, corruption, &of_kind, &mut found);
            }
            found
        })
        .collect()
}

/// What a checker did with all corruptions of one kind.
fn judge_kind(package: &Package, corruption: Corruption, shown: &[&Shown], found: &mut Inspection) {
    let test_of = |one: &&&Shown| package.tests.get(one.test).map_or("", |test| test.name.as_str());
    let what = corruption.name();
    let broken: Vec<&&Shown> = shown.iter().filter(|one| matches!(one.outcome, Outcome::Broken(_))).collect();
    if let Some(Shown { outcome: Outcome::Broken(fault), .. }) = broken.first() {
        let mut finding = Finding::of_fault(&some_of(broken.iter().map(test_of)), fault);
        finding.message = format!("given {what}: {}", finding.message);
        found.findings.push(finding);
    }
    let gave_up: Vec<&&Shown> =
        shown.iter().filter(|one| matches!(one.outcome, Outcome::GaveUp(_))).collect();
    if let Some(Shown { outcome: Outcome::GaveUp(message), .. }) = gave_up.first() {
        let names = some_of(gave_up.iter().map(test_of));
        let message = format!("given {what}: {message}; that is a judging error which contestants can cause");
        found.find(Severity::Warning, names, message);
    }
    let accepted: Vec<&&Shown> =
        shown.iter().filter(|one| matches!(one.outcome, Outcome::Accepted)).collect();
    if accepted.is_empty() {
        return;
    }
    let names = some_of(accepted.iter().map(test_of));
    let everywhere = accepted.len() == shown.len();
    let (severity, on) = match corruption.suspicion() {
        Suspicion::Never if everywhere => (Severity::Error, "on every test"),
        Suspicion::Never | Suspicion::Rarely => (Severity::Warning, ""),
        Suspicion::MaybeRight => (Severity::Note, ""),
    };
    let message = if on.is_empty() {
        format!("{what} is accepted ({} of {}): {names}", accepted.len(), shown.len())
    } else {
        format!("{what} is accepted {on} ({})", shown.len())
    };
    found.find(severity, "", message);
}
