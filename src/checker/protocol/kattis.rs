//! Kattis output validators: <https://www.kattis.com/problem-package-format/spec/legacy.html>, "Output Validators", and
//! 2025-09, "Reporting a judgement". What is wrong about scores follows problemtools, which is stricter than the text
//! of the legacy format.

use super::text::{self, message, number};
use super::{BrokenProtocol, CustomScore, Finished, Grade, Opinion, Score, exit_code};

const ACCEPTS: i32 = 42;
const REJECTS: i32 = 43;

pub(super) fn interpret(finished: &Finished<'_>, scores: CustomScore) -> Result<Opinion, BrokenProtocol> {
    let feedback = finished.feedback;
    let broken = |problem: &str| Err(BrokenProtocol(problem.to_owned()));
    let grade = match finished.code {
        ACCEPTS => Grade::Accepted,
        REJECTS => Grade::Wrong,
        _ => return Err(exit_code(finished, "42 accepts and 43 rejects")),
    };
    if grade == Grade::Wrong && feedback.next_pass {
        return broken("it exited with code 43, which rejects, and yet wrote nextpass.in");
    }
    let score = match (&feedback.score, &feedback.score_multiplier) {
        _ if scores == CustomScore::Ignored => None,
        (Some(_), Some(_)) => return broken("it wrote both score.txt and score_multiplier.txt"),
        (None, None) => None,
        (Some(points), None) => Some(("score.txt", points)),
        (None, Some(fraction)) => Some(("score_multiplier.txt", fraction)),
    };
    let score = match score {
        Some((name, _)) if grade == Grade::Wrong => {
            return broken(&format!("it exited with code 43, which rejects, and yet wrote {name}"));
        }
        Some((name, _)) if scores == CustomScore::Refused => {
            return broken(&format!("it wrote {name}, and the problem has no custom scores"));
        }
        Some((name, bytes)) => Some(read_score(name, bytes)?),
        None if scores == CustomScore::Required && grade == Grade::Accepted && !feedback.next_pass => {
            return broken("it accepted without writing score.txt, and the problem has custom scores");
        }
        None => None,
    };
    let read = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(message).unwrap_or_default();
    Ok(Opinion {
        score,
        team_message: read(&feedback.team_message),
        judge_message: for_the_jury(&read(&feedback.judge_message), &message(finished.stderr)),
        ..Opinion::plain(grade)
    })
}

/// What it wrote for the jury, and below it what it wrote to standard error, which has nobody else to go to.
fn for_the_jury(written: &str, stderr: &str) -> String {
    let parts: Vec<_> = [written, stderr].into_iter().filter(|part| !part.is_empty()).collect();
    message(parts.join("\n").as_bytes())
}

fn read_score(name: &str, bytes: &[u8]) -> Result<Score, BrokenProtocol> {
    let wrong = |wanted: &str| {
        BrokenProtocol(format!("it wrote '{}' into {name}, where {wanted} belongs", text::first_line(bytes)))
    };
    let value = number(bytes);
    if name == "score.txt" {
        return value.map(Score::Points).ok_or_else(|| wrong("a number"));
    }
    value
        .filter(|value| (0.0..=1.0).contains(value))
        .map(Score::Fraction)
        .ok_or_else(|| wrong("a number from 0 to 1"))
}

#[cfg(test)]
mod tests {
    use super::super::Feedback;
    use super::*;

    fn says(code: i32, feedback: &Feedback, scores: CustomScore) -> Result<Opinion, String> {
        interpret(&Finished { code, stdout: b"", stderr: b"oops\n", feedback }, scores)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn two_exit_codes_mean_something() {
        let nothing = Feedback::default();
        let refused = CustomScore::Refused;
        for (code, grade) in [(42, Grade::Accepted), (43, Grade::Wrong)] {
            let opinion = says(code, &nothing, refused).unwrap();
            assert_eq!((opinion.grade, opinion.team_message.as_str()), (grade, ""));
        }
        for code in [0, 1, 41, 44, 127, 255] {
            let error = says(code, &nothing, refused).unwrap_err();
            assert!(
                error.contains(&format!("exited with code {code},")) && error.ends_with(": oops"),
                "{error}"
            );
        }
    }

    #[test]
    fn messages_are_for_whom_they_are_written() {
        let feedback = Feedback {
            judge_message: Some(b"line 3 differs\n".to_vec()),
            team_message: Some(b"almost".to_vec()),
            ..Feedback::default()
        };
        let opinion = says(43, &feedback, CustomScore::Refused).unwrap();
        assert_eq!(
            (opinion.team_message.as_str(), opinion.judge_message.as_str()),
            ("almost", "line 3 differs\noops")
        );
    }

    #[test]
    fn scores_belong_to_accepted_outputs_of_problems_that_have_them() {
        let points = |text: &str| Feedback { score: Some(text.into()), ..Feedback::default() };
        let fraction = |text: &str| Feedback { score_multiplier: Some(text.into()), ..Feedback::default() };
        let allowed = CustomScore::Allowed;
        assert_eq!(says(42, &points("12.5\n"), allowed).unwrap().score, Some(Score::Points(12.5)));
        assert_eq!(says(42, &fraction("0.25"), allowed).unwrap().score, Some(Score::Fraction(0.25)));
        assert_eq!(says(42, &Feedback::default(), allowed).unwrap().score, None);
        for (code, feedback, scores, complaint) in [
            (43, points("1"), allowed, "yet wrote score.txt"),
            (43, fraction("1"), allowed, "yet wrote score_multiplier.txt"),
            (42, points("1"), CustomScore::Refused, "no custom scores"),
            (42, points(""), allowed, "a number belongs"),
            (42, points("nan"), allowed, "'nan' into score.txt"),
            (42, fraction("1.5"), allowed, "from 0 to 1"),
            (42, Feedback::default(), CustomScore::Required, "without writing score.txt"),
            (43, Feedback { next_pass: true, ..Feedback::default() }, allowed, "yet wrote nextpass.in"),
            (
                42,
                Feedback { score: Some(b"1".to_vec()), ..fraction("1") },
                allowed,
                "both score.txt and score_multiplier.txt",
            ),
        ] {
            let error = says(code, &feedback, scores).unwrap_err();
            assert!(error.contains(complaint), "{error}");
        }
        for code in [42, 43] {
            assert_eq!(says(code, &points("much"), CustomScore::Ignored).unwrap().score, None);
        }
        let passes = Feedback { next_pass: true, ..Feedback::default() };
        assert!(says(42, &passes, CustomScore::Required).is_ok());
    }
}
