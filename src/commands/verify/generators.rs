//! Generators: each test that a package says was made by one is made again and compared.

use std::time::Instant;

use super::finding::{Finding, Inspection, Severity};
use crate::cli::VerifyPart;
use crate::judge::{Regenerated, Verifier};
use crate::package::{Package, Test};

/// Makes one test again.
///
/// A difference is a warning: a test that was made on another system, by a library's random numbers, is none the worse.
/// A generator that cannot run at all is an error.
pub(super) fn on_test(jury: &Verifier<'_>, package: &Package, test: &Test) -> Option<Inspection> {
    let made_by = test.made_by.as_ref()?;
    let began = Instant::now();
    let name = package.verification.generators.get(made_by.generator).map_or("", |program| &program.name);
    let mut found = Inspection::new(VerifyPart::Generators, name);
    if let Err(fault) = jury.prepare_generator(made_by.generator) {
        found.findings.push(Finding::of_fault("", &fault));
        return Some(found);
    }
    let call = format!("{name} {}", made_by.arguments.join(" "));
    let call = call.trim_end();
    match jury.regenerate(test, made_by) {
        Ok(Regenerated::Same | Regenerated::SameWords) => {}
        Ok(Regenerated::Different(difference)) => {
            found.find(Severity::Warning, &test.name, format!("'{call}' makes another input: {difference}"));
        }
        Ok(Regenerated::Unsteady) => {
            found.find(Severity::Warning, &test.name, format!("'{call}' makes another input every time"));
        }
        Err(fault) => found.findings.push(Finding::of_fault(&test.name, &fault)),
    }
    found.looked_at = 1;
    found.took = began.elapsed();
    Some(found)
}
