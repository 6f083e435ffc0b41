//! Reads the solutions of a Polygon package, and the results that their tags demand.

use super::document::Element;
use crate::package::model::{Expectation, JurySubmission, PartialExpectation, TestLimits};
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::tree::{Tree, below};
use crate::verdict::Verdict;

/// Reads the solutions in order.
///
/// # Errors
/// When a tag is not known, or a source is not there.
pub(super) fn read(
    assets: &Element<'_, '_>,
    tree: &Tree,
    testset: &str,
    warnings: &mut Vec<String>,
) -> Result<Vec<JurySubmission>, PackageError> {
    let mut submissions = Vec::new();
    let Some(list) = assets.child("solutions") else { return Ok(submissions) };
    for solution in list.children("solution") {
        let source = solution.required("source")?;
        let named = source.required_attribute("path")?;
        let path = tree.root().join(named);
        let leads_out = named.starts_with('/')
            || named.split('/').any(|part| matches!(part, ".." | "." | ""))
            || named.chars().any(char::is_control);
        let found = if leads_out { None } else { tree.file_at(&path)? };
        let Some(file) = found else {
            let problem = format!("'{}' is not in the package", one_line(named));
            return Err(source.wrong("path", problem, "build the package in Polygon again"));
        };
        let name = below(tree.root(), &path);
        let name = name.strip_prefix("solutions/").unwrap_or(&name).to_owned();
        let tag = solution.attribute("tag").unwrap_or("rejected");
        let Some(verdicts) = of_tag(&solution, tag)? else {
            warnings.push(format!("solutions/{name}: not judged: its tag is '{tag}'"));
            continue;
        };
        let mut expectation = Expectation { verdicts, ..Expectation::default() };
        for extra in solution.child("extra-tags").iter().flat_map(|tags| tags.children("extra-tag")) {
            if let Some(part) = part(&extra, testset, &mut expectation)? {
                expectation.parts.push(part);
            }
        }
        submissions.push(JurySubmission {
            name,
            files: vec![file],
            language: source.attribute("type").and_then(language),
            expectation,
            names_entry: false,
            limits: TestLimits::default(),
            sets_time_limit: matches!(tag, "main" | "accepted"),
        });
    }
    Ok(submissions)
}

/// Checks every tag, without the files.
///
/// # Errors
/// When one is not known.
pub(super) fn tags(root: &Element<'_, '_>) -> Result<(), PackageError> {
    let solutions = root.child("assets").and_then(|assets| assets.child("solutions"));
    for solution in solutions.iter().flat_map(|list| list.children("solution")) {
        of_tag(&solution, solution.attribute("tag").unwrap_or("rejected"))?;
    }
    Ok(())
}

/// The final verdicts that a tag allows; `None` for what is not to be judged.
fn of_tag(element: &Element<'_, '_>, tag: &str) -> Result<Option<Vec<Verdict>>, PackageError> {
    use Verdict::{AC, MLE, TLE, WA, WTL};
    Ok(Some(match tag {
        "main" | "accepted" => vec![AC],
        "rejected" | "incorrect" => Verdict::ALL
            .into_iter()
            .filter(|verdict| verdict.is_rejection() && *verdict != Verdict::CE)
            .collect(),
        "wrong-answer" | "presentation-error" => vec![WA],
        "time-limit-exceeded" => vec![TLE, WTL],
        "time-limit-exceeded-or-accepted" => vec![AC, TLE, WTL],
        "time-limit-exceeded-or-memory-limit-exceeded" => vec![TLE, WTL, MLE],
        "memory-limit-exceeded" => vec![MLE],
        "runtime-error" | "run-time-error" => vec![MLE, Verdict::RTE, Verdict::SV],
        // It makes the checker fail, or is kept for people.
        "failed" | "do-not-run" => return Ok(None),
        other => {
            return Err(element.wrong(
                "tag",
                format!("'{}' is not a tag of solutions", one_line(other)),
                "use main, accepted, rejected, wrong-answer, presentation-error, time-limit-exceeded, \
                 time-limit-exceeded-or-accepted, time-limit-exceeded-or-memory-limit-exceeded, \
                 memory-limit-exceeded, failed or do-not-run",
            ));
        }
    }))
}

/// What an extra tag demands of a group's tests; one for the judged testset stands in for the solution's own tag.
fn part(
    extra: &Element<'_, '_>,
    testset: &str,
    whole: &mut Expectation,
) -> Result<Option<PartialExpectation>, PackageError> {
    let Some(verdicts) = of_tag(extra, extra.required_attribute("tag")?)? else { return Ok(None) };
    let Some(group) = extra.attribute("group").filter(|group| !group.is_empty()) else {
        if extra.attribute("testset") == Some(testset) {
            whole.verdicts = verdicts;
        }
        return Ok(None);
    };
    let mut permitted = verdicts.clone();
    if !permitted.contains(&Verdict::AC) {
        permitted.push(Verdict::AC);
    }
    let required = if verdicts.contains(&Verdict::AC) { Vec::new() } else { verdicts };
    Ok(Some(PartialExpectation {
        pattern: globset::escape(group),
        permitted,
        required,
        ..PartialExpectation::default()
    }))
}

/// The language id of a source type, where the file's ending does not say it all.
fn language(code: &str) -> Option<String> {
    let (family, variant) = code.split_once('.')?;
    match family {
        "cpp" => {
            let standard = variant.rsplit_once("g++").map(|(_, standard)| standard)?;
            Some(match standard {
                "20" | "23" => format!("cpp{standard}"),
                _ => "cpp17".to_owned(),
            })
        }
        "python" => match variant {
            "2" | "pypy2" => Some("python2".to_owned()),
            _ => Some("python3".to_owned()),
        },
        _ => None,
    }
}
