//! Input validators: every one must accept every test, one must refuse what is invalid, and spoilt tests too.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use super::finding::{Finding, Inspection, Severity};
use super::fuzz::Patience;
use crate::cli::VerifyPart;
use crate::judge::{TestData, VerificationFault, Verifier};
use crate::package::{Format, InputValidator, InvalidInput, Package, Test, ValidatorArguments};

/// Spoilt tests are made of tests up to this size.
const SPOILT: u64 = 1 << 20;
/// Tests that are spoilt: what a validator does not notice it seldom notices elsewhere.
const SPOILT_TESTS: usize = 3;
/// Different arguments for which nonsense is shown to validators.
const ARGUMENT_SETS: usize = 4;

/// What there is to say of a package without validators, in formats that have them.
pub(super) fn absence(package: &Package) -> Option<Inspection> {
    let has_them = matches!(package.format, Format::KattisLegacy | Format::Icpc | Format::Polygon);
    if !has_them || !package.verification.input_validators.is_empty() {
        return None;
    }
    let mut found = Inspection::new(VerifyPart::Validators, "input validators");
    found.find(Severity::Warning, "", "there is none to run: nothing shows that the tests are valid");
    Some(found)
}

/// The arguments of one validator on one input.
pub(super) fn arguments<'a>(of_test: &'a ValidatorArguments, validator: &InputValidator) -> &'a [String] {
    match of_test {
        ValidatorArguments::All(arguments) => arguments,
        ValidatorArguments::Named(named) => {
            let name = validator.program.name.rsplit('/').next().unwrap_or_default();
            let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
            named.get(name).or_else(|| named.get(stem)).map_or(&[], Vec::as_slice)
        }
    }
}

/// One validator on some tests.
pub(super) fn on_tests(
    jury: &Verifier<'_>,
    package: &Package,
    place: usize,
    tests: &[Test],
    patience: &Patience,
) -> Inspection {
    let began = Instant::now();
    let Some(validator) = package.verification.input_validators.get(place) else {
        return Inspection::new(VerifyPart::Validators, "");
    };
    let mut found = Inspection::new(VerifyPart::Validators, &validator.program.name);
    if let Err(fault) = jury.prepare_validator(place) {
        found.findings.push(Finding::of_fault("", &fault));
        return found;
    }
    for test in tests {
        if patience.is_lost() {
            found.find(Severity::Note, "", "it hangs or crashes, and was not shown all tests");
            break;
        }
        let asked = Instant::now();
        let said = jury.validate(
            place,
            TestData::File(&test.input),
            arguments(&test.validator_arguments, validator),
        );
        match said {
            Ok(said) if said.accepted => {}
            Ok(said) => {
                let words =
                    if said.message.is_empty() { String::new() } else { format!(": {}", said.message) };
                let code = said.code.map(|code| format!(" with exit code {code}")).unwrap_or_default();
                let message = format!("the validator refuses it{code}{words}");
                found.find(Severity::Error, &test.name, message);
            }
            Err(fault) => {
                patience.lose(asked.elapsed());
                found.findings.push(Finding::of_fault(&test.name, &fault));
            }
        }
        found.looked_at += 1;
    }
    found.took = began.elapsed();
    found
}

/// Whether one of the validators refuses an input.
fn is_refused(
    jury: &Verifier<'_>,
    package: &Package,
    input: TestData<'_>,
    of_test: &ValidatorArguments,
) -> Result<bool, VerificationFault> {
    let mut fault = None;
    for (place, validator) in package.verification.input_validators.iter().enumerate() {
        // Said once, with the tests.
        if jury.prepare_validator(place).is_err() {
            return Ok(true);
        }
        match jury.validate(place, input, arguments(of_test, validator)) {
            Ok(said) if said.accepted => {}
            Ok(_) => return Ok(true),
            // One that crashes has not refused; another may.
            Err(error) => fault = Some(error),
        }
    }
    fault.map_or(Ok(false), Err)
}

/// An input that the package says is invalid.
pub(super) fn on_invalid(jury: &Verifier<'_>, package: &Package, invalid: &InvalidInput) -> Inspection {
    let began = Instant::now();
    let mut found = Inspection::new(VerifyPart::Validators, "invalid inputs");
    match is_refused(jury, package, TestData::File(&invalid.input), &invalid.arguments) {
        Ok(true) => {}
        Ok(false) => {
            let message = "no input validator refuses it, and the package says it is invalid";
            found.find(Severity::Error, &invalid.name, message);
        }
        Err(fault) => found.findings.push(Finding::of_fault(&invalid.name, &fault)),
    }
    found.looked_at = 1;
    found.took = began.elapsed();
    found
}

/// Nonsense, and tests with something wrong: a validator that takes them looks at too little.
pub(super) fn on_spoilt(jury: &Verifier<'_>, package: &Package) -> Inspection {
    let began = Instant::now();
    let mut found = Inspection::new(VerifyPart::Validators, "spoilt inputs");
    let nonsense: [(&str, Vec<u8>); 4] = [
        ("an empty input", Vec::new()),
        ("random bytes", (0..=255_u8).rev().chain(b'!'..=b'~').collect()),
        ("the ASCII characters in order", (b' '..=b'~').collect()),
        ("a line of letters", b"abcdefgh\n".repeat(25)),
    ];
    let sets: BTreeSet<String> =
        package.tests.iter().map(|test| format!("{:?}", test.validator_arguments)).collect();
    for set in sets.iter().take(ARGUMENT_SETS) {
        let Some(test) = package.tests.iter().find(|test| format!("{:?}", test.validator_arguments) == *set)
        else {
            continue;
        };
        for (name, bytes) in &nonsense {
            found.looked_at += 1;
            let exhibit = TestData::Bytes(bytes);
            match is_refused(jury, package, exhibit, &test.validator_arguments) {
                Ok(true) => {}
                Ok(false) => {
                    let message =
                        format!("no validator refuses {name}{}", with_arguments(&test.validator_arguments));
                    found.find(Severity::Warning, "", message);
                }
                Err(fault) => report_crash(&mut found, name, &fault),
            }
        }
    }
    let tests = spoilable(package);
    for spoiling in Spoiling::ALL {
        let mut accepted = None;
        for (test, text) in &tests {
            let Some(spoilt) = spoiling.of(text) else { continue };
            found.looked_at += 1;
            let exhibit = TestData::Bytes(&spoilt);
            match is_refused(jury, package, exhibit, &test.validator_arguments) {
                Ok(true) => {
                    accepted = None;
                    break;
                }
                Ok(false) => accepted = accepted.or(Some(&test.name)),
                Err(fault) => report_crash(&mut found, spoiling.name(), &fault),
            }
        }
        if let Some(test) = accepted {
            found.find(Severity::Warning, test, format!("no validator refuses it with {}", spoiling.name()));
        }
    }
    found.took = began.elapsed();
    found
}

/// A validator that crashes on nonsense refuses it in its own way; only what is ours matters.
fn report_crash(found: &mut Inspection, name: &str, fault: &VerificationFault) {
    if !matches!(fault, VerificationFault::Package(_)) {
        found.findings.push(Finding::of_fault(name, fault));
    }
}

fn with_arguments(arguments: &ValidatorArguments) -> String {
    match arguments {
        ValidatorArguments::All(arguments) if arguments.is_empty() => String::new(),
        ValidatorArguments::All(arguments) => format!(" with the arguments '{}'", arguments.join(" ")),
        ValidatorArguments::Named(named) => {
            let names: Vec<String> =
                named.iter().map(|(name, arguments)| format!("{name}: {}", arguments.join(" "))).collect();
            format!(" with the arguments '{}'", names.join(", "))
        }
    }
}

/// The first tests that are small and text.
fn spoilable(package: &Package) -> Vec<(&Test, String)> {
    package
        .tests
        .iter()
        .filter_map(|test| {
            let size = Path::new(&test.input).metadata().ok()?.len();
            let text = (size <= SPOILT).then(|| std::fs::read_to_string(&test.input).ok()).flatten()?;
            Some((test, text))
        })
        .take(SPOILT_TESTS)
        .collect()
}

/// A way to make a valid input invalid in every problem that says where its white space is.
#[derive(Debug, Clone, Copy)]
enum Spoiling {
    DoubledSpaces,
    SpacesAtLineEnds,
    DoubledNewlines,
    NoFinalNewline,
    LeadingZeros,
    Junk,
}

impl Spoiling {
    const ALL: [Self; 6] = [
        Self::DoubledSpaces,
        Self::SpacesAtLineEnds,
        Self::DoubledNewlines,
        Self::NoFinalNewline,
        Self::LeadingZeros,
        Self::Junk,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::DoubledSpaces => "doubled spaces",
            Self::SpacesAtLineEnds => "spaces at the ends of lines",
            Self::DoubledNewlines => "doubled newlines",
            Self::NoFinalNewline => "no newline at its end",
            Self::LeadingZeros => "zeros before its integers",
            Self::Junk => "text after its end",
        }
    }

    /// The input with it; `None` where there is nothing to change.
    fn of(self, text: &str) -> Option<Vec<u8>> {
        let spoilt = match self {
            Self::DoubledSpaces => text.replace(' ', "  "),
            Self::SpacesAtLineEnds => text.replace('\n', " \n"),
            Self::DoubledNewlines => text.replace('\n', "\n\n"),
            Self::NoFinalNewline => text.trim_end_matches(['\r', '\n']).to_owned(),
            Self::LeadingZeros => leading_zeros(text),
            Self::Junk => format!("{text}a7 :-) 0\n"),
        };
        (spoilt != text).then(|| spoilt.into_bytes())
    }
}

fn leading_zeros(text: &str) -> String {
    let is_number = |word: &str| {
        let digits = word.strip_prefix('-').unwrap_or(word);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    text.split_inclusive(|character: char| character.is_ascii_whitespace())
        .map(|piece| match piece.trim_end() {
            word if !is_number(word) => piece.to_owned(),
            word => match word.strip_prefix('-') {
                Some(_) => format!("-00{}", piece.trim_start_matches('-')),
                None => format!("00{piece}"),
            },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spoilings_change_what_they_name_and_nothing_else() {
        let of = |spoiling: Spoiling, text| spoiling.of(text).map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(of(Spoiling::LeadingZeros, "1 -2 a3\n4.5\n").unwrap(), "001 -002 a3\n4.5\n");
        assert_eq!(of(Spoiling::LeadingZeros, "a\n"), None);
        assert_eq!(of(Spoiling::DoubledSpaces, "1\n"), None);
        assert_eq!(of(Spoiling::NoFinalNewline, "1 2\n").unwrap(), "1 2");
        assert_eq!(of(Spoiling::SpacesAtLineEnds, "1\n2\n").unwrap(), "1 \n2 \n");
    }
}
