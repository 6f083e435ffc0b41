//! Byte for byte, white space at the end of the whole apart: what judges do that compare digests of stripped outputs
//! (QDUOJ's `stripped_output_md5`).

use std::io;

use super::comparator::Comparison;
use super::message;
use super::source::{Source, skip_equal};
use super::words::{Words, is_space, missing};

pub(super) fn compare(mut output: Source<'_>, mut answer: Source<'_>) -> io::Result<Comparison> {
    skip_equal(&mut output, &mut answer, |_| true)?;
    // Where they differ for the first time, only the white space at the end of both may be left.
    let (here, there) = (output.position(), answer.position());
    let (mut output, mut answer) = (Words::new(output, is_space), Words::new(answer, is_space));
    let (found, expected) = (output.next(0)?, answer.next(0)?);
    Ok(match (found, expected) {
        (None, None) => Comparison::Accepted,
        (None, Some(word)) => missing(here, &answer.quoted(word)),
        (Some(_), _) => message::wrong(&format!("{}: the output differs", message::place(here, there))),
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Comparator, compare};
    use super::*;

    #[test]
    fn only_white_space_at_the_end_may_differ() {
        for (output, answer, right) in [
            ("a b\n", "a b", true),
            ("a b \n\n", "a b\t", true),
            ("", " \n", true),
            ("a  b", "a b", false),
            ("a\nb", "a b", false),
            ("a \nb", "a\nb", false),
            ("a", "a b", false),
            ("a b", "a", false),
            (" a", "a", false),
        ] {
            let compared =
                compare(Comparator::Stripped, &mut output.as_bytes(), &mut answer.as_bytes()).unwrap();
            assert_eq!(compared == Comparison::Accepted, right, "{output:?} {answer:?}: {compared:?}");
        }
    }
}
