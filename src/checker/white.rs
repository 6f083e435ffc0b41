//! CMS's own comparison, "white diff" (`cms/grading/steps/whitediff.py`): line by line the same tokens, empty lines at the
//! end apart.

use std::io;

use super::comparator::Comparison;
use super::source::Source;
use super::words::{Event, Words, differ, enough_for, is_space, missing, trailing};

/// Only this ends lines there.
fn is_newline(byte: u8) -> bool {
    byte == b'\n'
}

pub(super) fn compare(output: Source<'_>, answer: Source<'_>) -> io::Result<Comparison> {
    let mut output = Words::new(output, is_space);
    let mut answer = Words::new(answer, is_space);
    loop {
        let expected = answer.event(usize::MAX, is_newline)?;
        let found = output.event(enough_for(answer.head()), is_newline)?;
        let (here, there) = (output.source.position(), answer.source.position());
        match (found, expected) {
            (Event::End, Event::End) => return Ok(Comparison::Accepted),
            (Event::LineEnd { .. }, Event::LineEnd { .. }) => {}
            // What is left of the other must be blank.
            (Event::End, Event::LineEnd { .. }) => {
                return Ok(match answer.next(usize::MAX)? {
                    Some(word) => missing(here, &answer.quoted(word)),
                    None => Comparison::Accepted,
                });
            }
            (Event::LineEnd { .. }, Event::End) => {
                return Ok(match output.next(0)? {
                    Some(word) => trailing(word.position, &output.quoted(word)),
                    None => Comparison::Accepted,
                });
            }
            (Event::Word(found), Event::Word(expected)) => {
                if !output.is(found, answer.head()) {
                    let (wanted, got) = (answer.quoted(expected), output.quoted(found));
                    return Ok(differ(found.position, expected.position, &wanted, &got));
                }
            }
            (Event::Word(found), Event::LineEnd { .. }) => {
                return Ok(differ(found.position, there, "the end of the line", &output.quoted(found)));
            }
            (Event::Word(found), Event::End) => return Ok(trailing(found.position, &output.quoted(found))),
            (Event::LineEnd { .. }, Event::Word(expected)) => {
                return Ok(differ(here, expected.position, &answer.quoted(expected), "the end of the line"));
            }
            (Event::End, Event::Word(expected)) => return Ok(missing(here, &answer.quoted(expected))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Comparator, compare};
    use super::*;

    #[test]
    fn blanks_within_lines_and_empty_lines_at_the_end_do_not_count() {
        for (output, answer, right) in [
            ("1 2\n3\n", "1 2\n3\n", true),
            (" 1\t 2 \r\n3", "1 2\n3\n", true),
            ("1\n\n\n", "1", true),
            ("1", "1\n \n\n", true),
            ("", "\n", true),
            ("1 2\n", "1\n2\n", false),
            ("1\n\n2\n", "1\n2\n", false),
            ("1\n2\n", "1\n\n2\n", false),
            ("1\n\n2", "1\n", false),
            ("1", "1\n\n2", false),
            ("1\n", "", false),
            ("", "1\n", false),
            ("a\n", "A\n", false),
        ] {
            let compared =
                compare(Comparator::WhiteDiff, &mut output.as_bytes(), &mut answer.as_bytes()).unwrap();
            assert_eq!(compared == Comparison::Accepted, right, "{output:?} {answer:?}: {compared:?}");
        }
    }
}
