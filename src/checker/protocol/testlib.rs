//! testlib: the exit codes and the first words on standard error of `quit` in `testlib.h`, as it is compiled without
//! any of its switches for other judges. A source may throw one itself: the other codes of `EJUDGE` (5 and 6) and of
//! `CONTESTER` (0xAA to 0xAC and 0xA3) count where the words beside them say the same, and so they cannot be anything else.
//!
//! A part that `_pc` gives is exit code 0 to 200 there, the very codes that mean something else; only the words
//! `partially correct (N)` tell it apart, and N is a number of hundredths.

use super::text::{count, first_line, message, number};
use super::{BrokenProtocol, CustomScore, Finished, Grade, Opinion, Score, exit_code};

const KNOWN: &str = "0 accepts, 1, 2, 4 and 8 reject and 7 gives points";

pub(super) fn interpret(finished: &Finished<'_>, scores: CustomScore) -> Result<Opinion, BrokenProtocol> {
    let said = first_line(finished.stderr);
    let opinion = |grade, score| {
        Ok(Opinion { score, judge_message: message(finished.stderr), ..Opinion::plain(grade) })
    };
    // Beside a code that rejects or gives up, the words count only where they say the code itself: they may be the
    // contestant's own, quoted by a checker that is not made with testlib.
    let is_part = |rest: &&str| match finished.code {
        1..=4 | 8 => count(rest).is_some_and(|(hundredths, _)| hundredths == f64::from(finished.code)),
        _ => true,
    };
    if let Some(rest) = said.strip_prefix("partially correct (").filter(is_part) {
        return match count(rest) {
            Some((hundredths, rest)) if hundredths <= 100.0 && rest.starts_with(')') => {
                opinion(Grade::Partial, Some(Score::Fraction(hundredths / 100.0)))
            }
            _ => Err(BrokenProtocol(format!("it gave a part that is not 0 to 100 of 100: {said}"))),
        };
    }
    match finished.code {
        0 => opinion(Grade::Accepted, None),
        1 | 2 | 4 | 8 => opinion(Grade::Wrong, None),
        0xAC if is_verdict(&said, "ok") => opinion(Grade::Accepted, None),
        5 | 0xAB if is_verdict(&said, "wrong answer") => opinion(Grade::Wrong, None),
        0xAA if is_verdict(&said, "wrong output format") || is_verdict(&said, "unexpected eof") => {
            opinion(Grade::Wrong, None)
        }
        3 => Err(BrokenProtocol(format!("it gave up (exit code 3): {said}"))),
        6 | 0xA3 if is_verdict(&said, "FAIL") => {
            Err(BrokenProtocol(format!("it gave up (exit code {}): {said}", finished.code)))
        }
        // 5 is `_points` itself, which some copies of testlib exit with.
        5 | 7 => match points(&said) {
            // Where tests have no points, there is no whole that these are a part of.
            Some(points) if scores == CustomScore::Required => {
                let grade = if points > 0.0 { Grade::Accepted } else { Grade::Wrong };
                opinion(grade, Some(Score::Points(points)))
            }
            Some(points) => opinion(Grade::Partial, Some(Score::Points(points))),
            None => Err(BrokenProtocol(format!(
                "it exited with code {}, which gives points, without 'points N' on standard error: {said}",
                finished.code
            ))),
        },
        _ => Err(exit_code(finished, KNOWN)),
    }
}

/// The same where points are a part of what the test is worth: 0 to 1, or a percentage above 1.
///
/// # Errors
/// When they are above 100.
pub(super) fn as_fraction(opinion: Opinion) -> Result<Opinion, BrokenProtocol> {
    let Some(Score::Points(points)) = opinion.score else { return Ok(opinion) };
    let fraction = if points > 1.0 { points / 100.0 } else { points };
    if fraction > 1.0 {
        return Err(BrokenProtocol(format!("it gave {points} points, where 0 to 1 or a percentage belongs")));
    }
    let grade = match fraction {
        1.0 => Grade::Accepted,
        0.0 => Grade::Wrong,
        _ => Grade::Partial,
    };
    Ok(Opinion { grade, score: Some(Score::Fraction(fraction)), ..opinion })
}

/// Whether something begins with these words.
fn is_verdict(said: &str, words: &str) -> bool {
    said.strip_prefix(words).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// `points 12.5 and a comment`.
fn points(said: &str) -> Option<f64> {
    let rest = said.strip_prefix("points ")?;
    number(rest.split_ascii_whitespace().next()?.as_bytes()).filter(|points| *points >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::super::Feedback;
    use super::*;

    fn says(code: i32, stderr: &str) -> Result<(Grade, Option<Score>), String> {
        says_where(code, stderr, CustomScore::Allowed)
    }

    fn says_where(code: i32, stderr: &str, scores: CustomScore) -> Result<(Grade, Option<Score>), String> {
        let finished =
            Finished { code, stdout: b"", stderr: stderr.as_bytes(), feedback: &Feedback::default() };
        let opinion = interpret(&finished, scores);
        opinion.map(|opinion| (opinion.grade, opinion.score)).map_err(|error| error.to_string())
    }

    #[test]
    fn points_accept_where_tests_have_none() {
        for (points, grade) in [(12.5, Grade::Accepted), (0.0, Grade::Wrong)] {
            let said = says_where(7, &format!("points {points}"), CustomScore::Required);
            assert_eq!(said, Ok((grade, Some(Score::Points(points)))));
        }
        assert_eq!(says_where(0, "ok", CustomScore::Required), Ok((Grade::Accepted, None)));
    }

    #[test]
    fn exit_codes_mean_what_testlib_means_by_them() {
        assert_eq!(says(0, "ok 3 numbers\n"), Ok((Grade::Accepted, None)));
        for (code, stderr) in [
            (1, "wrong answer 1st numbers differ"),
            (2, "wrong output format Unexpected token"),
            (4, "wrong output format Extra information"),
            (8, "unexpected eof"),
            (1, ""),
        ] {
            assert_eq!(says(code, stderr), Ok((Grade::Wrong, None)));
        }
        for code in [3, 6, 9, 16, 42, 43, 127, 139, 255] {
            let error = says(code, "FAIL the jury has no answer").unwrap_err();
            assert!(error.contains("FAIL the jury") && error.contains(&code.to_string()), "{error}");
        }
    }

    #[test]
    fn points_and_parts_come_with_their_number_or_not_at_all() {
        assert_eq!(says(7, "points 12.5 good\n"), Ok((Grade::Partial, Some(Score::Points(12.5)))));
        assert_eq!(says(7, "points 0"), Ok((Grade::Partial, Some(Score::Points(0.0)))));
        for stderr in ["", "points", "points x", "points nan", "points -1", "ok"] {
            assert!(says(7, stderr).unwrap_err().contains("points N"), "{stderr}");
        }
        for code in [0, 16, 40, 56] {
            let part = says(code, "partially correct (40) some");
            assert_eq!(part, Ok((Grade::Partial, Some(Score::Fraction(0.4)))));
        }
        for stderr in ["partially correct (140)", "partially correct (x)", "partially correct (4"] {
            assert!(says(20, stderr).unwrap_err().contains("0 to 100"), "{stderr}");
        }
        assert!(says(16, "").is_err());
    }

    #[test]
    fn points_are_a_part_where_the_format_says_so() {
        let part = |points: f64| {
            let opinion = Opinion { score: Some(Score::Points(points)), ..Opinion::plain(Grade::Partial) };
            as_fraction(opinion).map(|opinion| (opinion.grade, opinion.score))
        };
        assert_eq!(part(0.25), Ok((Grade::Partial, Some(Score::Fraction(0.25)))));
        assert_eq!(part(25.0), Ok((Grade::Partial, Some(Score::Fraction(0.25)))));
        assert_eq!(part(1.0), Ok((Grade::Accepted, Some(Score::Fraction(1.0)))));
        assert_eq!(part(0.0), Ok((Grade::Wrong, Some(Score::Fraction(0.0)))));
        assert!(part(101.0).is_err());
    }

    #[test]
    fn words_beside_a_rejecting_code_make_no_part_of_it() {
        for code in [1, 2, 4, 8] {
            assert_eq!(says(code, "partially correct (100)"), Ok((Grade::Wrong, None)));
            let part = says(code, &format!("partially correct ({code}) some"));
            assert_eq!(part, Ok((Grade::Partial, Some(Score::Fraction(f64::from(code) / 100.0)))));
        }
        assert!(says(3, "partially correct (100)").unwrap_err().contains("gave up"));
    }

    #[test]
    fn codes_for_other_judges_count_with_the_words_of_testlib_alone() {
        assert_eq!(says(0xAC, "ok 3 numbers"), Ok((Grade::Accepted, None)));
        for (code, stderr) in [
            (5, "wrong answer 1st numbers differ"),
            (0xAB, "wrong answer 1st numbers differ"),
            (0xAA, "wrong output format Unexpected token"),
            (0xAA, "unexpected eof no number"),
        ] {
            assert_eq!(says(code, stderr), Ok((Grade::Wrong, None)));
        }
        for (code, stderr) in [
            (0xAC, ""),
            (0xAC, "okay"),
            (0xAC, "wrong answer"),
            (0xAB, "ok"),
            (0xAA, ""),
            (5, "no"),
            (6, "FAIL no answer"),
            (6, "wrong answer"),
            (0xA3, "FAIL no answer"),
        ] {
            assert!(says(code, stderr).is_err(), "{code} {stderr}");
        }
    }

    #[test]
    fn what_testlib_says_is_for_the_jury() {
        let finished =
            Finished { code: 1, stdout: b"", stderr: b"wrong answer 3 != 4", feedback: &Feedback::default() };
        let opinion = interpret(&finished, CustomScore::Refused).unwrap();
        assert_eq!(
            (opinion.team_message.as_str(), opinion.judge_message.as_str()),
            ("", "wrong answer 3 != 4")
        );
    }
}
