//! Tests as files: what can be said of them without running anything.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::finding::{Inspection, Severity, some_of};
use crate::checker::{Comparison, compare};
use crate::cli::VerifyPart;
use crate::package::{Check, Format, Interaction, Package, Test};

/// Files that are larger make a package hard to move about (problemtools' bound).
const LARGE: u64 = 100 << 20;

/// What there is to know of one file.
#[derive(Debug)]
struct Look {
    digest: [u8; 32],
    /// Device and inode: two names of one file are meant to be the same.
    identity: (u64, u64),
    is_link: bool,
    size: u64,
    is_blank: bool,
    has_carriage_returns: bool,
    has_zero_bytes: bool,
    has_byte_order_mark: bool,
    ends_in_newline: bool,
}

/// Looks at all tests of a package.
pub(super) fn inspect(package: &Package) -> Inspection {
    let mut found = Inspection::new(VerifyPart::Tests, "files");
    let mut looks = Vec::with_capacity(package.tests.len());
    for test in &package.tests {
        let look =
            |path: &Path| look_at(path).map_err(|error| format!("cannot read {}: {error}", path.display()));
        match (look(&test.input), look(&test.answer)) {
            (Ok(input), Ok(answer)) => looks.push((test, input, answer)),
            (Err(problem), _) | (_, Err(problem)) => found.find(Severity::Error, &test.name, problem),
        }
        found.looked_at += 2;
    }
    samples_and_secrets(package, &mut found);
    duplicates(&looks, &mut found);
    answers(package, &looks, &mut found);
    line_ends(package, &looks, &mut found);
    sizes(&looks, &mut found);
    found
}

fn samples_and_secrets(package: &Package, found: &mut Inspection) {
    // Elsewhere samples stand in the statement alone.
    if !matches!(package.format, Format::KattisLegacy | Format::Icpc | Format::Polygon) {
        return;
    }
    if package.tests.iter().all(|test| test.sample) {
        found.find(Severity::Warning, "", "there are no secret tests");
    } else if !package.tests.iter().any(|test| test.sample) {
        found.find(Severity::Note, "", "there are no sample tests");
    }
}

/// Tests with the same input, unless they are one file under two names: those are meant.
fn duplicates(looks: &[(&Test, Look, Look)], found: &mut Inspection) {
    let mut same: BTreeMap<_, Vec<&(&Test, Look, Look)>> = BTreeMap::new();
    for look in looks {
        let (test, input, _) = look;
        // Other arguments, files or rules make another test of the same input.
        let files: Vec<_> = test.files.iter().map(|file| (&file.name, &file.path)).collect();
        let rules = format!("{:?}", test.check);
        same.entry((input.digest, &test.arguments, files, rules)).or_default().push(look);
    }
    for twins in same.values().filter(|twins| twins.len() > 1) {
        let Some((first, first_input, _)) = twins.first() else { continue };
        for (test, input, _) in twins.iter().skip(1) {
            contradiction(first, test, found);
            if input.is_link || first_input.is_link || input.identity == first_input.identity {
                continue;
            }
            if test.sample == first.sample {
                found.find(Severity::Warning, &test.name, format!("its input is that of {}", first.name));
            } else {
                found.find(
                    Severity::Note,
                    &test.name,
                    format!("its input is that of {}, which contestants see", first.name),
                );
            }
        }
    }
}

/// Two tests of one input whose answers cannot both be right.
fn contradiction(first: &Test, second: &Test, found: &mut Inspection) {
    let Check::BuiltIn(rules) = &first.check else { return };
    let compared = File::open(&first.answer).and_then(|mut left| {
        let mut right = File::open(&second.answer)?;
        compare(*rules, &mut left, &mut right)
    });
    if let Ok(Comparison::Wrong { message }) = compared {
        let message = format!("its input is that of {}, but its answer is not: {message}", first.name);
        found.find(Severity::Error, &second.name, message);
    }
}

fn answers(package: &Package, looks: &[(&Test, Look, Look)], found: &mut Inspection) {
    let interacts = !matches!(package.interaction, Interaction::None | Interaction::TwoSteps);
    let blank: Vec<&str> = looks
        .iter()
        .filter(|(test, _, answer)| answer.is_blank && matches!(test.check, Check::BuiltIn(_)) && !interacts)
        .map(|(test, ..)| test.name.as_str())
        .collect();
    if !blank.is_empty() {
        found.find(
            Severity::Warning,
            "",
            format!(
                "{} with an empty answer, which an empty output matches: {}",
                tests(blank.len()),
                some_of(blank)
            ),
        );
    }
    let limit = package.limits.output.0;
    for (test, _, answer) in looks.iter().filter(|(_, _, answer)| answer.size.saturating_mul(2) > limit) {
        if interacts {
            continue;
        }
        let (severity, what) = if answer.size > limit {
            (Severity::Error, "is larger than")
        } else {
            (Severity::Warning, "is more than half of")
        };
        let message = format!(
            "its answer of {} {what} the output limit of {}; raise limits.output",
            crate::units::Bytes(answer.size),
            package.limits.output
        );
        found.find(severity, &test.name, message);
    }
}

/// What validators usually look at, where there are none; a carriage return in an answer nobody else looks at.
fn line_ends(package: &Package, looks: &[(&Test, Look, Look)], found: &mut Inspection) {
    let has_validators = !package.verification.input_validators.is_empty();
    let inputs = looks.iter().map(|(test, input, _)| (*test, input)).filter(|_| !has_validators);
    let answers = looks.iter().map(|(test, _, answer)| (*test, answer));
    let inputs: Vec<_> = inputs.collect();
    let answers: Vec<_> = answers.collect();
    for (what, files) in [("input", inputs), ("answer", answers)] {
        type Property = fn(&Look) -> bool;
        let properties: [(&str, Property); 4] = [
            ("has carriage returns (CR LF)", |look| look.has_carriage_returns),
            ("does not end in a newline", |look| look.size > 0 && !look.ends_in_newline),
            ("begins with a byte order mark", |look| look.has_byte_order_mark),
            ("has zero bytes", |look| look.has_zero_bytes),
        ];
        for (property, holds) in properties {
            let names: Vec<&str> =
                files.iter().filter(|(_, look)| holds(look)).map(|(test, _)| test.name.as_str()).collect();
            if !names.is_empty() {
                let message = format!("{} whose {what} {property}: {}", tests(names.len()), some_of(names));
                found.find(Severity::Warning, "", message);
            }
        }
    }
}

fn sizes(looks: &[(&Test, Look, Look)], found: &mut Inspection) {
    for (test, input, answer) in looks.iter().filter(|(_, input, answer)| input.size.max(answer.size) > LARGE)
    {
        let size = crate::units::Bytes(input.size.max(answer.size));
        found.find(Severity::Warning, &test.name, format!("it has a file of {size}"));
    }
}

fn tests(count: usize) -> String {
    if count == 1 { "1 test".to_owned() } else { format!("{count} tests") }
}

fn look_at(path: &Path) -> io::Result<Look> {
    let is_link = path.symlink_metadata()?.is_symlink();
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut look = Look {
        digest: [0; 32],
        identity: (metadata.dev(), metadata.ino()),
        is_link,
        size: 0,
        is_blank: true,
        has_carriage_returns: false,
        has_zero_bytes: false,
        has_byte_order_mark: false,
        ends_in_newline: false,
    };
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = file.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        if look.size == 0 {
            look.has_byte_order_mark = bytes.starts_with(b"\xef\xbb\xbf");
        }
        look.size += bytes.len() as u64;
        look.is_blank &= bytes.trim_ascii().is_empty();
        look.has_carriage_returns |= memchr::memchr(b'\r', bytes).is_some();
        look.has_zero_bytes |= memchr::memchr(0, bytes).is_some();
        look.ends_in_newline = bytes.ends_with(b"\n");
        hash.update(bytes);
    }
    look.digest = hash.finalize().into();
    Ok(look)
}
