//! Reads the solutions in `sol/`, and the results that their comments demand.
//!
//! task-maker's checks: `@check-RESULT: PATTERN…`, where a pattern is a glob over names of subtasks.

use globset::GlobBuilder;

use super::programs::is_header;
use crate::package::model::{
    Expectation, Group, Interaction, JurySubmission, OutputFile, Package, PartialExpectation, ScoreRange,
    SubmissionKind, TestLimits,
};
use crate::package::shared::submissions::is_no_program;
use crate::package::source::diagnostics::Diagnostics;
use crate::package::source::error::PackageError;
use crate::package::source::tree::{Entry, Kind, Tree, read_at_most};
use crate::verdict::Verdict;

const FOLDER: &str = "sol";
/// Where comments are looked for in a source.
const SEARCHED: u64 = 1 << 20;

/// A result a solution says it gets on some subtasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    Accepted,
    Partial,
    Zero,
    /// Some test gets one of these.
    Fails(&'static [Verdict]),
}

const CLAIMS: &[(&str, Claim)] = &[
    ("accepted", Claim::Accepted),
    ("partial-score", Claim::Partial),
    ("zero", Claim::Zero),
    ("wrong-answer", Claim::Fails(&[Verdict::WA])),
    ("time-limit-exceeded", Claim::Fails(&[Verdict::TLE, Verdict::WTL])),
    ("wall-time-limit-exceeded", Claim::Fails(&[Verdict::WTL])),
    ("memory-limit-exceeded", Claim::Fails(&[Verdict::MLE])),
    ("runtime-error", Claim::Fails(&[Verdict::RTE, Verdict::SV])),
];

/// Reads all solutions.
pub(super) fn read(
    tree: &Tree,
    entries: &[Entry],
    package: &Package,
    diagnostics: &mut Diagnostics,
) -> Result<Vec<JurySubmission>, PackageError> {
    let mut submissions = Vec::new();
    let Some(folder) = Tree::find(entries, FOLDER).filter(|entry| entry.kind == Kind::Directory) else {
        return Ok(submissions);
    };
    // Programs are of no use where outputs are handed in.
    if package.submission_kind == SubmissionKind::Answers {
        return Ok(submissions);
    }
    // Nor where two files make a submission, or outputs must come with one.
    let lacks = match package.tests.iter().find(|test| test.output_file == OutputFile::Required) {
        _ if package.interaction == Interaction::TwoSteps => Some("a submission has two files".to_owned()),
        Some(test) => Some(format!("test {} needs an output file beside a program", test.name)),
        None => None,
    };
    if let Some(lacks) = lacks {
        diagnostics.warn(format!("{FOLDER}: its solutions are not judged: {lacks}"));
        return Ok(submissions);
    }
    for entry in tree.entries(&folder.path, 1)? {
        let stem = entry.text().and_then(|name| name.rsplit_once('.')).map(|(stem, _)| stem.to_owned());
        let (Some(stem), Kind::File) = (stem, entry.kind) else { continue };
        if entry.is_hidden() || is_header(&entry) || is_no_program(&entry) || is_given(&stem, &entry) {
            continue;
        }
        let name = format!("{FOLDER}/{}", entry.reportable()?);
        let claims = claims(&read_at_most(&entry.path, SEARCHED)?);
        let is_model = matches!(stem.as_str(), "soluzione" | "solution");
        let expectation = if claims.is_empty() {
            is_model.then(|| Expectation { verdicts: vec![Verdict::AC], ..Expectation::default() })
        } else {
            Some(expectation(&claims, package, &name, diagnostics))
        };
        match expectation {
            Some(expectation) => submissions.push(JurySubmission {
                name,
                files: vec![entry.path.clone()],
                language: None,
                expectation,
                names_entry: false,
                limits: TestLimits::default(),
                sets_time_limit: false,
            }),
            None => diagnostics
                .warn(format!("{name}: not judged: no comment says what it must get (@check-accepted: *)")),
        }
    }
    Ok(submissions)
}

/// Files that contestants get, not solutions.
fn is_given(stem: &str, entry: &Entry) -> bool {
    matches!(stem, "grader" | "stub" | "template") || entry.ends_with(".template") || entry.ends_with(".exe")
}

/// What the comments of a source say: results with their patterns.
fn claims(source: &[u8]) -> Vec<(Claim, Vec<String>)> {
    const TAG: &str = "@check-";
    let text = String::from_utf8_lossy(source);
    let mut found = Vec::new();
    for line in text.lines() {
        let Some((_, rest)) = line.split_once(TAG) else { continue };
        let Some((result, patterns)) = rest.split_once(':') else { continue };
        let Some((_, claim)) = CLAIMS.iter().find(|(name, _)| *name == result.trim()) else { continue };
        let patterns = patterns.trim_end().trim_end_matches("*/").trim_end_matches("-->");
        let mut patterns: Vec<_> = patterns.split_whitespace().map(str::to_owned).collect();
        // A comment's end may have been the pattern.
        if patterns.is_empty() && rest.contains('*') {
            patterns.push("*".to_owned());
        }
        found.push((*claim, patterns));
    }
    found
}

fn expectation(
    claims: &[(Claim, Vec<String>)],
    package: &Package,
    name: &str,
    diagnostics: &mut Diagnostics,
) -> Expectation {
    let root = Group::new("");
    let groups: Vec<&Group> = match package.groups.get(1..) {
        Some(groups) if !groups.is_empty() => groups.iter().collect(),
        _ => vec![&root],
    };
    let mut parts = Vec::new();
    let mut whole = Expectation::default();
    let mut claimed = Vec::new();
    for (claim, patterns) in claims {
        for pattern in patterns {
            let glob = GlobBuilder::new(pattern).build().map(|glob| glob.compile_matcher());
            let matching: Vec<_> = match &glob {
                Ok(glob) => {
                    groups.iter().filter(|group| glob.is_match(&group.name) || pattern == "*").collect()
                }
                Err(_) => Vec::new(),
            };
            if matching.is_empty() {
                diagnostics.warn(format!("{name}: '{pattern}' is not the name of a subtask"));
            }
            for group in matching {
                if group.name.is_empty() {
                    of_whole(*claim, &mut whole);
                } else {
                    parts.push(of_subtask(*claim, group));
                    if *claim == Claim::Accepted {
                        claimed.push(group.name.as_str());
                    }
                }
            }
        }
    }
    if !parts.is_empty() && groups.iter().all(|group| claimed.contains(&group.name.as_str())) {
        whole.verdicts = vec![Verdict::AC];
    }
    whole.parts = parts;
    whole
}

fn of_whole(claim: Claim, whole: &mut Expectation) {
    match claim {
        Claim::Accepted => whole.verdicts = vec![Verdict::AC],
        Claim::Fails(verdicts) => whole.required = verdicts.to_vec(),
        Claim::Partial => whole.score = Some(ScoreRange { min: f64::MIN_POSITIVE, max: 100.0 }),
        Claim::Zero => whole.score = Some(ScoreRange { min: 0.0, max: 0.0 }),
    }
}

fn of_subtask(claim: Claim, group: &Group) -> PartialExpectation {
    let mut part = PartialExpectation { pattern: escaped(&group.name), ..PartialExpectation::default() };
    let points = group.weight;
    match claim {
        Claim::Accepted => part.permitted = vec![Verdict::AC],
        Claim::Partial => {
            part.score = Some(ScoreRange { min: f64::MIN_POSITIVE, max: points * (1.0 - 1e-9) });
        }
        Claim::Zero => part.score = Some(ScoreRange { min: 0.0, max: 0.0 }),
        Claim::Fails(verdicts) => part.required = verdicts.to_vec(),
    }
    part
}

/// A name as a glob that matches just it.
fn escaped(name: &str) -> String {
    globset::escape(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_of_any_language_are_read() {
        let source =
            b"# @check-accepted: *\n/* @check-wrong-answer: a b */\n// @check-zero: c\n// @check-odd: x\n";
        let star = vec!["*".to_owned()];
        assert_eq!(
            claims(source),
            [
                (Claim::Accepted, star.clone()),
                (Claim::Fails(&[Verdict::WA]), vec!["a".to_owned(), "b".to_owned()]),
                (Claim::Zero, vec!["c".to_owned()]),
            ]
        );
        assert_eq!(claims(b"/* @check-accepted: * */"), [(Claim::Accepted, star)]);
        assert!(claims(b"int main() {}").is_empty());
    }
}
