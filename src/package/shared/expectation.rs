//! Derives the expected result of a jury submission from the name of its folder and the tag in its source.
//!
//! Folders follow problemtools, which compares the final verdict. It knows fewer verdicts than gavel: a
//! program killed for its memory or its output counts as a run-time error there, one that sleeps too long as
//! a time-limit error, so these folders accept gavel's finer verdicts. Tags follow DOMjudge, whose names they
//! are; a tag is the list of final verdicts a submission may get.

use std::borrow::Cow;

use crate::package::model::{Expectation, ScoreRange};
use crate::verdict::Verdict;

/// Folders in which a tag changes nothing: DOMjudge's manual, "Problem format specification".
pub(crate) const OFFICIAL: [&str; 4] = ["accepted", "wrong_answer", "time_limit_exceeded", "run_time_error"];

const TIME: [Verdict; 2] = [Verdict::TLE, Verdict::WTL];
const CRASH: [Verdict; 4] = [Verdict::MLE, Verdict::OLE, Verdict::RTE, Verdict::SV];

/// What the folder's name demands; `None` for a name that demands nothing.
pub(crate) fn of_folder(folder: &str) -> Option<Expectation> {
    let verdicts = match folder {
        "partially_accepted" => vec![Verdict::AC],
        "run_time_error" => CRASH.to_vec(),
        "brute_force" => return Some(per_test(folder)?.into_expectation()),
        other => of_long_name(other)?,
    };
    Some(Expectation { verdicts, ..Expectation::default() })
}

/// Demands on the verdicts of single tests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PerTest {
    /// Every test gets one of these.
    pub(crate) permitted: Option<Vec<Verdict>>,
    /// At least one test gets one of these.
    pub(crate) required: Option<Vec<Verdict>>,
}

impl PerTest {
    pub(crate) fn into_expectation(self) -> Expectation {
        Expectation {
            verdicts: Vec::new(),
            permitted: self.permitted.unwrap_or_default(),
            required: self.required.unwrap_or_default(),
            ..Expectation::default()
        }
    }
}

/// The default demands of `submissions.yaml` for a folder (2025-09 specification, "Default directories").
pub(crate) fn per_test(folder: &str) -> Option<PerTest> {
    let with = |permitted: &[&str], required: &[&str]| {
        let set = |ids: &[&str]| {
            let mut verdicts: Vec<_> = ids.iter().filter_map(|id| of_family(id)).flatten().collect();
            verdicts.sort_by_key(|verdict| *verdict as u8);
            (!verdicts.is_empty()).then_some(verdicts)
        };
        Some(PerTest { permitted: set(permitted), required: set(required) })
    };
    match folder {
        "accepted" => with(&["AC"], &[]),
        // No default directory of the format: what the name says there, where failing tests fail the whole.
        "partially_accepted" => with(&[], &["AC"]),
        "rejected" => with(&[], &["RTE", "TLE", "WA"]),
        "wrong_answer" => with(&["AC", "WA"], &["WA"]),
        "time_limit_exceeded" => with(&["AC", "TLE"], &["TLE"]),
        "run_time_error" => with(&["AC", "RTE"], &["RTE"]),
        "brute_force" => with(&["AC", "RTE", "TLE"], &["RTE", "TLE"]),
        _ => None,
    }
}

/// A verdict as `submissions.yaml` names it: the four of the specification stand for all of gavel's that they
/// cover, other ids and names for themselves.
pub(crate) fn of_family(name: &str) -> Option<Vec<Verdict>> {
    match name {
        "TLE" => Some(TIME.to_vec()),
        "RTE" => Some(CRASH.to_vec()),
        _ => of_tag(name),
    }
}

/// A result as a tag names it: DOMjudge's names, CLICS' names, or gavel's own ids, which mean exactly that.
pub(crate) fn of_tag(name: &str) -> Option<Vec<Verdict>> {
    let id = name.to_ascii_uppercase();
    let exact = Verdict::ALL.into_iter().find(|verdict| verdict.id() == id);
    match exact {
        Some(Verdict::JE | Verdict::SK | Verdict::CX) => None,
        Some(verdict) => Some(vec![verdict]),
        None => of_long_name(name),
    }
}

fn of_long_name(name: &str) -> Option<Vec<Verdict>> {
    let name = name.to_ascii_uppercase().replace(['-', ' '], "_");
    Some(match name.as_str() {
        "ACCEPTED" | "CORRECT" => vec![Verdict::AC],
        "WRONG_ANSWER" | "NO_OUTPUT" | "PRESENTATION_ERROR" => vec![Verdict::WA],
        "TIMELIMIT" | "TIME_LIMIT" | "TIME_LIMIT_EXCEEDED" => TIME.to_vec(),
        "WALL_TIME_LIMIT" | "WALL_TIME_LIMIT_EXCEEDED" | "IDLENESS_LIMIT_EXCEEDED" => vec![Verdict::WTL],
        "MEMORY_LIMIT" | "MEMORY_LIMIT_EXCEEDED" => vec![Verdict::MLE],
        "OUTPUT_LIMIT" | "OUTPUT_LIMIT_EXCEEDED" => vec![Verdict::OLE],
        "RUN_ERROR" | "RUN_TIME_ERROR" | "RUNTIME_ERROR" => vec![Verdict::MLE, Verdict::RTE, Verdict::SV],
        "SECURITY_VIOLATION" => vec![Verdict::SV],
        "COMPILER_ERROR" | "COMPILE_ERROR" | "COMPILATION_ERROR" => vec![Verdict::CE],
        "REJECTED" => every(|verdict| verdict.is_rejection() && verdict != Verdict::CE),
        "CHECK_MANUALLY" => every(|verdict| verdict == Verdict::AC || verdict.is_rejection()),
        _ => return None,
    })
}

fn every(keep: impl Fn(Verdict) -> bool) -> Vec<Verdict> {
    Verdict::ALL.into_iter().filter(|verdict| keep(*verdict)).collect()
}

/// A tag of a source: its line, from 1, and what follows it there; `None` where there is no such tag.
fn find_tag<'a>(source: &'a [u8], tag: &[u8]) -> Option<(u64, Cow<'a, str>)> {
    let starts = |place: &usize| {
        source[*place..].get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag))
    };
    let place = memchr::memchr_iter(b'@', source).find(starts)?;
    let line = 1 + memchr::memchr_iter(b'\n', &source[..place]).count() as u64;
    let rest = &source[place + tag.len()..];
    let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
    Some((line, String::from_utf8_lossy(&rest[..end])))
}

/// The score that a source must get by its tag `@EXPECTED_SCORE@` (DOMjudge), with the tag's line; the error is what
/// stands there in place of a number. A number with decimals means every score that is rounded to it.
pub(crate) fn find_expected_score(source: &[u8]) -> Option<(u64, Result<ScoreRange, String>)> {
    /// Sums of fractions are not exact.
    const SLACK: f64 = 1e-6;
    let (line, text) = find_tag(source, b"@EXPECTED_SCORE@:")?;
    let word = text.split_whitespace().next().unwrap_or_default();
    let word = word.trim_end_matches("*/").trim_end_matches("-->");
    let is_number = word.chars().all(|character| character.is_ascii_digit() || "+-.".contains(character));
    let score = word.parse::<f64>().ok().filter(|score| is_number && score.is_finite());
    let Some(score) = score else { return Some((line, Err(word.to_owned()))) };
    let decimals = word.split_once('.').map_or(0, |(_, decimals)| decimals.len().min(12));
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "at most twelve")]
    let half = if decimals == 0 { 0.0 } else { 0.5 * 10_f64.powi(-(decimals as i32)) };
    Some((line, Ok(ScoreRange { min: score - half - SLACK, max: score + half + SLACK })))
}

/// The tag of a source: its line, from 1, and the names it lists; `None` where there is no tag.
pub fn find_expected_results(source: &[u8]) -> Option<(u64, Vec<String>)> {
    let (line, text) = find_tag(source, b"@EXPECTED_RESULTS@:")?;
    // What closes a comment on the same line belongs to the language, not to the tag.
    let is_name = |character: char| character.is_ascii_alphanumeric() || "-_ \t".contains(character);
    let names = text
        .split(',')
        .map(|name| name.split(|character| !is_name(character)).next().unwrap_or_default())
        .map(|name| name.trim().trim_end_matches('-').trim_end().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    Some((line, names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{AC, CE, MLE, OLE, RTE, SV, TLE, WA, WTL};

    #[test]
    fn folders_demand_what_the_tool_demands() {
        for (folder, verdicts) in [
            ("accepted", vec![AC]),
            ("wrong_answer", vec![WA]),
            ("time_limit_exceeded", vec![TLE, WTL]),
            ("run_time_error", vec![MLE, OLE, RTE, SV]),
            ("memory_limit_exceeded", vec![MLE]),
            ("output_limit_exceeded", vec![OLE]),
            ("compile_error", vec![CE]),
            ("compiler_error", vec![CE]),
            ("rejected", vec![WA, TLE, WTL, MLE, OLE, RTE, SV]),
        ] {
            assert_eq!(of_folder(folder).unwrap().verdicts, verdicts, "{folder}");
        }
        let brute = of_folder("brute_force").unwrap();
        assert!(brute.verdicts.is_empty() && !brute.permitted.contains(&WA) && !brute.required.contains(&AC));
        assert_eq!(of_folder("mixed"), None);
    }

    #[test]
    fn tags_are_found_in_any_comment_and_case() {
        for (source, names) in [
            ("// @EXPECTED_RESULTS@: CORRECT\nint main(){}", vec!["CORRECT"]),
            ("/* @expected_results@: TIMELIMIT, RUN-ERROR */", vec!["TIMELIMIT", "RUN-ERROR"]),
            ("<!-- @EXPECTED_RESULTS@: WRONG-ANSWER -->", vec!["WRONG-ANSWER"]),
            ("# @EXPECTED_RESULTS@:WA,TLE\r\n", vec!["WA", "TLE"]),
            ("# @EXPECTED_RESULTS@: ", vec![]),
        ] {
            assert_eq!(find_expected_results(source.as_bytes()).unwrap().1, names, "{source}");
        }
        assert_eq!(find_expected_results(b"a\nb\n# @EXPECTED_RESULTS@: WA").unwrap().0, 3);
        assert_eq!(find_expected_results(b"no tag @EXPECTED_RESULTS"), None);
    }

    #[test]
    fn a_score_is_a_number_and_what_is_rounded_to_it() {
        let holds =
            |tag: &str, score: f64| find_expected_score(tag.as_bytes()).unwrap().1.unwrap().contains(score);
        for (tag, right, wrong) in [
            ("# x\n# @EXPECTED_SCORE@: 70", 70.0, 70.4),
            ("/* @expected_score@: 74.42*/", 74.4166, 74.43),
            ("<!-- @EXPECTED_SCORE@: -1.5 -->", -1.5, 1.5),
            ("// @EXPECTED_SCORE@:0\r\n", 0.0, 0.1),
        ] {
            assert!(holds(tag, right) && !holds(tag, wrong), "{tag}");
        }
        assert_eq!(find_expected_score(b"\n@EXPECTED_SCORE@: much").unwrap(), (2, Err("much".to_owned())));
        assert_eq!(find_expected_score(b"@EXPECTED_RESULTS@: WA"), None);
        assert!(find_expected_score(b"@EXPECTED_SCORE@: 1e999").unwrap().1.is_err());
    }

    #[test]
    fn own_ids_are_exact_and_foreign_names_cover_finer_verdicts() {
        assert_eq!(of_tag("TLE"), Some(vec![TLE]));
        assert_eq!(of_tag("TIMELIMIT"), Some(vec![TLE, WTL]));
        assert_eq!(of_family("TLE"), Some(vec![TLE, WTL]));
        assert_eq!(of_tag("run-error"), Some(vec![MLE, RTE, SV]));
        assert_eq!(of_tag("JE"), None);
        assert_eq!(of_tag("CHECK-MANUALLY").unwrap().len(), 9);
    }
}
