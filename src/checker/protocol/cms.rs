//! CMS checkers and managers: a score from 0 to 1 in the first line of standard output, the contestant's message in the
//! first line of standard error (<https://cms.readthedocs.io>, "Task types", "Standard manager output").

use super::text::{first_line, message, number};
use super::{BrokenProtocol, Finished, Grade, Opinion, Score, exit_code};

/// What CMS shows for the messages it translates itself.
const TRANSLATED: &[(&str, &str)] = &[
    ("translate:success", "Output is correct"),
    ("translate:partial", "Output is partially correct"),
    ("translate:wrong", "Output isn't correct"),
];

pub(super) fn interpret(finished: &Finished<'_>) -> Result<Opinion, BrokenProtocol> {
    if finished.code != 0 {
        return Err(exit_code(finished, "only 0 means that it did its work"));
    }
    let line = finished.stdout.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Some(fraction) = number(line).filter(|fraction| (0.0..=1.0).contains(fraction)) else {
        return Err(BrokenProtocol(format!(
            "the first line of its standard output is '{}', where a score from 0 to 1 belongs",
            first_line(line)
        )));
    };
    let grade = match fraction {
        1.0 => Grade::Accepted,
        0.0 => Grade::Wrong,
        _ => Grade::Partial,
    };
    let line = finished.stderr.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let said = message(line);
    let translated = TRANSLATED.iter().find(|(key, _)| *key == said).map(|(_, text)| (*text).to_owned());
    Ok(Opinion {
        score: Some(Score::Fraction(fraction)),
        team_message: translated.unwrap_or(said),
        judge_message: message(finished.stderr),
        ..Opinion::plain(grade)
    })
}

#[cfg(test)]
mod tests {
    use super::super::Feedback;
    use super::*;

    fn says(code: i32, stdout: &str, stderr: &str) -> Result<(Grade, Option<Score>, String), String> {
        let finished = Finished {
            code,
            stdout: stdout.as_bytes(),
            stderr: stderr.as_bytes(),
            feedback: &Feedback::default(),
        };
        interpret(&finished)
            .map(|opinion| (opinion.grade, opinion.score, opinion.team_message))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_lines_are_score_and_message() {
        for (stdout, grade, fraction) in
            [("1.0\n", Grade::Accepted, 1.0), ("0\n", Grade::Wrong, 0.0), ("0.5", Grade::Partial, 0.5)]
        {
            let (found, score, text) = says(0, stdout, "Nearly\nsecret").unwrap();
            assert_eq!((found, score, text.as_str()), (grade, Some(Score::Fraction(fraction)), "Nearly"));
        }
        assert_eq!(says(0, "1", "translate:success\n").unwrap().2, "Output is correct");
    }

    #[test]
    fn anything_else_is_no_answer() {
        for stdout in ["", "\n1\n", "ok", "nan", "1.5", "-0.1", "1e999", "1 2"] {
            assert!(says(0, stdout, "").unwrap_err().contains("from 0 to 1"), "{stdout}");
        }
        assert!(says(1, "1", "").unwrap_err().contains("exited with code 1"));
    }
}
