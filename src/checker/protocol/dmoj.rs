//! DMOJ's bridged checkers, as the judge's `dmoj/contrib` reads them. Standard output is the contestant's feedback.

use super::text::{count, first_line, message, number};
use super::{BrokenProtocol, DmojKind, Finished, Grade, Opinion, Score, exit_code};

pub(super) fn interpret(kind: DmojKind, finished: &Finished<'_>) -> Result<Opinion, BrokenProtocol> {
    if kind == DmojKind::Grader {
        return grader(finished);
    }
    let has_parts = matches!(kind, DmojKind::Testlib | DmojKind::Coci);
    let (grade, score) = match finished.code {
        0 | 1 if kind == DmojKind::Peg => match peg_part(&message(finished.stdout)) {
            Some(1.0) => (Grade::Accepted, None),
            Some(part) if part < 1.0 => (Grade::Partial, Some(Score::Fraction(part))),
            Some(part) => return Err(BrokenProtocol(format!("it gave {part} times the points of the test"))),
            None if finished.code == 0 => (Grade::Accepted, None),
            None => (Grade::Wrong, None),
        },
        0 => (Grade::Accepted, None),
        1 => (Grade::Wrong, None),
        2 if has_parts => (Grade::Wrong, None),
        3 if has_parts => {
            let said = first_line(finished.stderr);
            return Err(BrokenProtocol(format!("it gave up (exit code 3): {said}")));
        }
        7 if has_parts => {
            let score = message(finished.stderr).lines().find_map(|line| part(kind, line));
            let wanted = if kind == DmojKind::Coci { "partial A/B" } else { "points N" };
            let missing = || {
                BrokenProtocol(format!(
                    "it exited with code 7, which gives a part, without a line '{wanted}' on standard error"
                ))
            };
            (Grade::Partial, Some(score.ok_or_else(missing)?))
        }
        _ => {
            let known = if has_parts {
                "0 accepts, 1 and 2 reject and 7 gives a part"
            } else {
                "0 accepts and 1 rejects"
            };
            return Err(exit_code(finished, known));
        }
    };
    let team_message = if kind == DmojKind::Peg { String::new() } else { message(finished.stdout) };
    Ok(Opinion { score, team_message, judge_message: message(finished.stderr), ..Opinion::plain(grade) })
}

/// What the driver of a grader in Python says.
fn grader(finished: &Finished<'_>) -> Result<Opinion, BrokenProtocol> {
    let feedback = finished.feedback;
    let part = match &feedback.score_multiplier {
        Some(written) => {
            let part = number(written).filter(|part| (0.0..=1.0).contains(part));
            let wrong = || BrokenProtocol("score_multiplier.txt has no number from 0 to 1".to_owned());
            Some(Score::Fraction(part.ok_or_else(wrong)?))
        }
        None => None,
    };
    let (grade, score) = match finished.code {
        0 => (Grade::Accepted, part),
        1 => (Grade::Wrong, None),
        7 if part.is_none() => {
            return Err(BrokenProtocol("it gave a part without saying which".to_owned()));
        }
        7 => (Grade::Partial, part),
        _ => {
            let stderr = message(finished.stderr);
            let said = stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
            return Err(BrokenProtocol(format!("it failed: {said}")));
        }
    };
    let team_message = feedback.team_message.as_deref().map(message).unwrap_or_default();
    Ok(Opinion { score, team_message, judge_message: message(finished.stderr), ..Opinion::plain(grade) })
}

/// `points 5` or `partial 3/4`.
fn part(kind: DmojKind, line: &str) -> Option<Score> {
    if kind == DmojKind::Testlib {
        let (points, rest) = count(line.strip_prefix("points ")?)?;
        return rest.is_empty().then_some(Score::Points(points));
    }
    let (part, rest) = count(line.strip_prefix("partial ")?)?;
    let (whole, rest) = count(rest.strip_prefix('/')?)?;
    (rest.is_empty() && whole > 0.0 && part <= whole).then_some(Score::Fraction(part / whole))
}

/// The part that the first two lines after each other make that are numbers, a part and a whole, and more than nothing
/// together; `None` where there are none.
fn peg_part(stdout: &str) -> Option<f64> {
    let lines: Vec<_> = stdout.lines().map(|line| number(line.as_bytes())).collect();
    lines.windows(2).find_map(|pair| match pair {
        [Some(part), Some(whole)] => Some(part / whole).filter(|part| part.is_finite() && *part > 0.0),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Feedback;
    use super::*;

    fn says(kind: DmojKind, code: i32, stdout: &str, stderr: &str) -> Result<(Grade, Option<Score>), String> {
        let finished = Finished {
            code,
            stdout: stdout.as_bytes(),
            stderr: stderr.as_bytes(),
            feedback: &Feedback::default(),
        };
        interpret(kind, &finished)
            .map(|opinion| (opinion.grade, opinion.score))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_grader_answers_with_codes_and_files() {
        let says = |code: i32, part: Option<&str>| {
            let feedback = Feedback {
                score_multiplier: part.map(|part| part.as_bytes().to_vec()),
                team_message: Some(b"so so\n".to_vec()),
                ..Feedback::default()
            };
            let stderr = b"Traceback\n  File\nValueError: no\n";
            let finished = Finished { code, stdout: b"", stderr, feedback: &feedback };
            interpret(DmojKind::Grader, &finished).map_err(|error| error.to_string())
        };
        assert_eq!(says(0, None).unwrap().grade, Grade::Accepted);
        for (text, part) in [("0.0\n", 0.0), ("0.5\n", 0.5)] {
            let opinion = says(0, Some(text)).unwrap();
            assert_eq!((opinion.grade, opinion.score), (Grade::Accepted, Some(Score::Fraction(part))));
        }
        assert!(says(0, Some("-1")).is_err());
        assert_eq!(says(1, None).unwrap().team_message, "so so");
        assert_eq!(says(7, Some("0.25\n")).unwrap().score, Some(Score::Fraction(0.25)));
        assert!(says(7, None).is_err() && says(7, Some("1.5")).is_err());
        assert_eq!(says(3, None).unwrap_err(), "it failed: ValueError: no");
    }

    #[test]
    fn every_kind_has_its_codes_and_parts() {
        use DmojKind::{Coci, Default, Peg, Testlib};
        let part = |fraction| Ok((Grade::Partial, Some(Score::Fraction(fraction))));
        for kind in [Default, Testlib, Coci, Peg] {
            assert_eq!(says(kind, 0, "", ""), Ok((Grade::Accepted, None)));
            assert_eq!(says(kind, 1, "", ""), Ok((Grade::Wrong, None)));
            assert!(says(kind, 9, "", "").is_err());
        }
        assert_eq!(says(Testlib, 7, "", "points 5"), Ok((Grade::Partial, Some(Score::Points(5.0)))));
        assert_eq!(says(Coci, 7, "", "x\npartial 3/4\n"), part(0.75));
        assert_eq!(says(Peg, 1, "3\n4\n", ""), part(0.75));
        // A part counts whatever the exit code, and numbers need not be whole.
        assert_eq!(says(Peg, 0, "3\n4\n", ""), part(0.75));
        assert_eq!(says(Peg, 1, "said\n1.5\n3\n4\n", ""), part(0.5));
        for nothing in ["0\n4\n", "4\n0\n", "-1\n4\n", "4\n", "nan\n1\n"] {
            assert_eq!(says(Peg, 1, nothing, ""), Ok((Grade::Wrong, None)), "{nothing}");
            assert_eq!(says(Peg, 0, nothing, ""), Ok((Grade::Accepted, None)), "{nothing}");
        }
        assert_eq!(says(Peg, 1, "4\n4\n", ""), Ok((Grade::Accepted, None)));
        assert_eq!(says(Testlib, 2, "", ""), Ok((Grade::Wrong, None)));
        for (kind, code, stdout, stderr) in [
            (Default, 2, "", ""),
            (Default, 7, "", "points 5"),
            (Testlib, 3, "", "FAIL"),
            (Testlib, 7, "", "partial 3/4"),
            (Testlib, 7, "", "points 5 of 6"),
            (Coci, 7, "", "points 5"),
            (Coci, 7, "", "partial 5/4"),
            (Coci, 7, "", "partial 0/0"),
            (Peg, 2, "3\n4", ""),
            (Peg, 1, "5\n4", ""),
            (Peg, 0, "5\n4", ""),
        ] {
            assert!(says(kind, code, stdout, stderr).is_err(), "{kind:?} {code} {stdout} {stderr}");
        }
    }
}
