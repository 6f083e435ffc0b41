//! What decides about outputs, on outputs that the package itself calls right or wrong: the jury's answers first of all.
//!
//! An answer that is refused need not be a mistake: some checkers read answers of another form than outputs. As problemtools
//! has it, a sample's must be accepted, since contestants see it; among the secret ones it is odd when only some are.

use std::time::Instant;

use super::finding::{Finding, Inspection, Severity};
use super::fuzz::Patience;
use crate::checker::{Comparator, Grade, Opinion, Score};
use crate::cli::VerifyPart;
use crate::judge::{TestData, Verifier};
use crate::package::{Check, Interaction, OutputCase, Package, Test};

/// Name of the inspection of the jury's answers.
const ANSWERS: &str = "jury's answers";

/// Why outputs cannot be shown to what decides about them.
pub(super) fn obstacle(package: &Package) -> Option<&'static str> {
    if !matches!(package.interaction, Interaction::None | Interaction::TwoSteps) {
        Some("an interactor decides, and talks with programs alone")
    } else if package.passes.is_some() {
        Some("the checker decides over several passes of a program")
    } else {
        None
    }
}

/// What became of the jury's answer as the output of a test.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) finding: Option<Finding>,
    pub(super) sample: bool,
    pub(super) is_built_in: bool,
    pub(super) accepted: bool,
}

/// Shows the jury's answer to the test's checker.
pub(super) fn on_answer(jury: &Verifier<'_>, test: &Test, patience: &[Patience]) -> Answered {
    let is_built_in = matches!(test.check, Check::BuiltIn(_));
    let mut answered = Answered { finding: None, sample: test.sample, is_built_in, accepted: false };
    if let Check::Program { checker, .. } = &test.check
        && let Err(fault) = jury.prepare_checker(*checker)
    {
        answered.finding = Some(Finding::of_fault("", &fault));
        return answered;
    }
    let patience = match &test.check {
        Check::Program { checker, .. } => patience.get(*checker),
        Check::BuiltIn(_) | Check::Interaction { .. } => None,
    };
    if patience.is_some_and(Patience::is_lost) {
        let message = "the checker hangs or crashes, and was not shown all answers";
        answered.finding = Some(Finding::new(Severity::Note, "", message));
        return answered;
    }
    let asked = Instant::now();
    match jury.check(test, TestData::File(&test.answer)) {
        Ok(opinion) if opinion.grade == Grade::Wrong => {
            let message = format!("the jury's answer is rejected{}", said(&opinion));
            answered.finding = Some(Finding::new(Severity::Error, &test.name, message));
        }
        Ok(_) => answered.accepted = true,
        Err(fault) => {
            if let Some(patience) = patience {
                patience.lose(asked.elapsed());
            }
            let mut finding = Finding::of_fault(&test.name, &fault);
            finding.message = format!("on the jury's answer, {}", finding.message);
            answered.finding = Some(finding);
        }
    }
    answered
}

/// One inspection of all answers.
pub(super) fn conclude(answered: Vec<Answered>) -> Inspection {
    let mut found = Inspection::new(VerifyPart::Answers, ANSWERS);
    found.looked_at = answered.len();
    let is_taste = |answer: &Answered| !answer.sample && !answer.is_built_in;
    let some_accepted = answered.iter().any(|answer| is_taste(answer) && answer.accepted);
    for answer in answered {
        let tolerable = is_taste(&answer);
        let Some(mut finding) = answer.finding else { continue };
        if tolerable && finding.message.starts_with("the jury's answer is rejected") {
            finding.severity = if some_accepted { Severity::Warning } else { Severity::Note };
        }
        if !found.findings.contains(&finding) {
            found.findings.push(finding);
        }
    }
    found
}

/// Shows an output of the package's to the checker.
pub(super) fn on_output(jury: &Verifier<'_>, package: &Package, case: &OutputCase) -> Inspection {
    let began = Instant::now();
    let mut found = Inspection::new(VerifyPart::Answers, "outputs of the package");
    found.looked_at = 1;
    match test_of(package, case) {
        Err(problem) => found.find(Severity::Error, &case.name, problem),
        Ok(test) => match (jury.check(&test, TestData::File(&case.output)), case.is_valid) {
            (Ok(opinion), true) if opinion.grade == Grade::Wrong => {
                let message = format!("it is rejected, and the package says it is right{}", said(&opinion));
                found.find(Severity::Error, &case.name, message);
            }
            (Ok(opinion), false) if is_full(&opinion) => {
                let message = "it is accepted, and the package says it is wrong";
                found.find(Severity::Error, &case.name, message);
            }
            (Ok(_), _) => {}
            (Err(fault), _) => found.findings.push(Finding::of_fault(&case.name, &fault)),
        },
    }
    found.took = began.elapsed();
    found
}

/// The test that an output is for.
fn test_of(package: &Package, case: &OutputCase) -> Result<Test, String> {
    let check = if package.checkers.is_empty() {
        Comparator::from_validator_flags(&case.arguments.join(" "))
            .map(Check::BuiltIn)
            .map_err(|error| format!("output_validator_args: {error}; correct them"))?
    } else {
        Check::Program { checker: 0, arguments: case.arguments.clone() }
    };
    Ok(Test { check, ..Test::new(&case.name, case.input.clone(), case.answer.clone()) })
}

/// Whether an opinion is worth something: accepted with no points is no acceptance.
pub(super) fn is_full(opinion: &Opinion) -> bool {
    let is_worthless =
        matches!(opinion.score, Some(Score::Points(score) | Score::Fraction(score)) if score <= 0.0);
    opinion.grade == Grade::Accepted && !is_worthless
}

/// What a checker said, after a colon.
fn said(opinion: &Opinion) -> String {
    let messages = [&opinion.judge_message, &opinion.team_message];
    let line =
        messages.iter().filter_map(|message| message.lines().find(|line| !line.trim().is_empty())).next();
    line.map_or_else(String::new, |line| format!(": {line}"))
}
