//! Checkers of sinol packages (SIO2, `sinol-make`): three lines on standard output, `OK` or another word, a comment for
//! contestants, and the percentage of the points.
//!
//! As in `sinol-make`, any first word but `OK` rejects, and so does none. Where a checker says nothing on standard output
//! and something on standard error it has crashed, which decides nothing here.

use super::text::{first_line, message, number};
use super::{BrokenProtocol, Finished, Grade, Opinion, Score, exit_code};

pub(super) fn interpret(finished: &Finished<'_>) -> Result<Opinion, BrokenProtocol> {
    if !(0..=2).contains(&finished.code) {
        return Err(exit_code(finished, "0, 1 and 2 mean that it did its work"));
    }
    let mut lines = finished.stdout.split(|byte| *byte == b'\n');
    let mut next = || lines.next().unwrap_or_default().trim_ascii();
    let (word, comment, percentage) = (next(), next(), next());
    if word.is_empty() && !finished.stderr.trim_ascii().is_empty() {
        let said = first_line(finished.stderr);
        return Err(BrokenProtocol(format!(
            "the first line of its standard output is empty, where OK or WRONG belongs: {said}"
        )));
    }
    let (grade, score) = match word {
        b"OK" => {
            let hundredths =
                parse(percentage).filter(|part| (0.0..=100.0).contains(part)).ok_or_else(|| {
                    let said = first_line(percentage);
                    BrokenProtocol(format!(
                        "the third line of its standard output is '{said}', where 0 to 100 belongs"
                    ))
                })?;
            let grade = match hundredths {
                100.0 => Grade::Accepted,
                0.0 => Grade::Wrong,
                _ => Grade::Partial,
            };
            (grade, Some(Score::Fraction(hundredths / 100.0)))
        }
        _ => (Grade::Wrong, Some(Score::Fraction(0.0))),
    };
    Ok(Opinion {
        score,
        team_message: message(comment),
        judge_message: message(finished.stderr),
        ..Opinion::plain(grade)
    })
}

/// A number, or one over another (Python's `Fraction`); nothing is all of the points.
fn parse(text: &[u8]) -> Option<f64> {
    if text.is_empty() {
        return Some(100.0);
    }
    match text.iter().position(|byte| *byte == b'/') {
        Some(place) => {
            let (above, below) = (number(&text[..place])?, number(text.get(place + 1..)?)?);
            (below != 0.0).then_some(above / below)
        }
        None => number(text),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Feedback;
    use super::*;

    fn says(code: i32, stdout: &str) -> Result<(Grade, Option<Score>, String), String> {
        says_with(code, stdout, "")
    }

    fn says_with(code: i32, stdout: &str, stderr: &str) -> Result<(Grade, Option<Score>, String), String> {
        let feedback = Feedback::default();
        let (stdout, stderr) = (stdout.as_bytes(), stderr.as_bytes());
        let finished = Finished { code, stdout, stderr, feedback: &feedback };
        interpret(&finished)
            .map(|opinion| (opinion.grade, opinion.score, opinion.team_message))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn three_lines_are_verdict_comment_and_percentage() {
        for (stdout, grade, fraction, comment) in [
            ("OK\n\n100\n", Grade::Accepted, 1.0, ""),
            ("OK\n", Grade::Accepted, 1.0, ""),
            ("OK\nnearly\n1/2", Grade::Partial, 0.005, "nearly"),
            ("OK\n\n50", Grade::Partial, 0.5, ""),
            ("OK\n\n0", Grade::Wrong, 0.0, ""),
            ("WRONG\nline 3\n", Grade::Wrong, 0.0, "line 3"),
        ] {
            let expected = (grade, Some(Score::Fraction(fraction)), comment.to_owned());
            assert_eq!(says(0, stdout).unwrap(), expected, "{stdout:?}");
        }
        for (code, stdout) in [(1, "WRONG\n"), (1, ""), (0, "\n"), (0, "okay\n")] {
            assert_eq!(says(code, stdout).unwrap().0, Grade::Wrong, "{stdout:?}");
        }
        assert_eq!(says_with(0, "OK\n", "3 numbers\n").unwrap().0, Grade::Accepted);
    }

    #[test]
    fn anything_else_is_no_answer() {
        let traceback = "Traceback (most recent call last):\nValueError\n";
        assert!(says_with(1, "", traceback).unwrap_err().contains("Traceback"));
        for (code, stdout) in [(3, "OK"), (139, ""), (0, "OK\n\n101"), (0, "OK\n\n1/0"), (0, "OK\n\nx")] {
            assert!(says(code, stdout).is_err(), "{code} {stdout:?}");
        }
    }
}
