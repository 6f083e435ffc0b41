//! The first tokens alone.

use std::io;

use super::comparator::Comparison;
use super::source::Source;
use super::words::{Words, differ, enough_for, is_space, missing, trailing};

/// Compares the first `count` tokens, letter for letter; what follows them is not looked at. An answer with fewer must
/// be matched to its end.
pub(super) fn compare(count: u32, output: Source<'_>, answer: Source<'_>) -> io::Result<Comparison> {
    let mut output = Words::new(output, is_space);
    let mut answer = Words::new(answer, is_space);
    for _ in 0..count {
        let expected = answer.next(usize::MAX)?;
        let found = output.next(enough_for(answer.head()))?;
        match (found, expected) {
            (None, None) => break,
            (Some(found), None) => return Ok(trailing(found.position, &output.quoted(found))),
            (None, Some(expected)) => {
                return Ok(missing(output.source.position(), &answer.quoted(expected)));
            }
            (Some(found), Some(_)) if output.is(found, answer.head()) => {}
            (Some(found), Some(expected)) => {
                let (wanted, got) = (answer.quoted(expected), output.quoted(found));
                return Ok(differ(found.position, expected.position, &wanted, &got));
            }
        }
    }
    Ok(Comparison::Accepted)
}
