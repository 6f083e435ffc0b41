//! Byte for byte.

use std::io;

use super::comparator::Comparison;
use super::message::{self, WINDOW};
use super::source::{Source, skip_equal};

/// Compares every byte, the white space at the end included.
pub(super) fn compare(mut output: Source<'_>, mut answer: Source<'_>) -> io::Result<Comparison> {
    skip_equal(&mut output, &mut answer, |_| true)?;
    let at = output.position();
    let place = format!("byte {} (line {}, column {})", at.offset, at.line, at.column);
    match (output.peek()?, answer.peek()?) {
        (None, None) => Ok(Comparison::Accepted),
        (None, Some(_)) if at.offset == 0 => {
            Ok(message::wrong(&format!("output is empty: expected {}", next(&answer))))
        }
        (None, Some(_)) => {
            Ok(message::wrong(&format!("output ends at {place}: expected {} next", next(&answer))))
        }
        (Some(_), None) => Ok(message::wrong(&format!(
            "trailing output at {place}: {} after the answer's end",
            next(&output)
        ))),
        (Some(_), Some(_)) => Ok(message::wrong(&format!(
            "first difference at {place}: expected {}, got {}",
            next(&answer),
            next(&output)
        ))),
    }
}

/// The next bytes, up to the end of their line.
fn next(source: &Source<'_>) -> String {
    let bytes = source.available();
    let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |newline| newline + 1);
    message::quote_part(&bytes[..end.min(WINDOW)], false, end > WINDOW)
}

#[cfg(test)]
mod tests {
    use crate::checker::{Comparator, Comparison, compare};

    fn exact(output: &str, answer: &str) -> Comparison {
        compare(Comparator::Exact, &mut output.as_bytes(), &mut answer.as_bytes()).unwrap()
    }

    #[test]
    fn every_byte_counts() {
        for text in ["", "\n", "a b\n", "\0\0", "č"] {
            assert_eq!(exact(text, text), Comparison::Accepted);
        }
        for (output, answer, expected) in [
            ("", "a", "output is empty: expected \"a\""),
            ("a", "", "trailing output at byte 0 (line 1, column 1): \"a\" after the answer's end"),
            ("a\n", "a", "trailing output at byte 1 (line 1, column 2): \"\\n\" after the answer's end"),
            ("a", "a\n", "output ends at byte 1 (line 1, column 2): expected \"\\n\" next"),
            (
                "1 2\n3 5\n",
                "1 2\n3 4\n",
                "first difference at byte 6 (line 2, column 3): expected \"4\\n\", got \"5\\n\"",
            ),
            ("A", "a", "first difference at byte 0 (line 1, column 1): expected \"a\", got \"A\""),
            (
                "a\r\n",
                "a\n",
                "first difference at byte 1 (line 1, column 2): expected \"\\n\", got \"\\r\\n\"",
            ),
        ] {
            assert_eq!(exact(output, answer), Comparison::Wrong { message: expected.to_owned() });
        }
    }
}
