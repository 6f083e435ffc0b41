//! Whole lines, compared without keeping more than the jury's.

use std::io;

use super::comparator::Comparison;
use super::message::{self, WINDOW};
use super::source::{Position, Source};
use super::words::{Words, is_line_end, is_space, missing, trailing};

/// A line as it was read.
struct Line {
    /// Where it begins.
    position: Position,
    /// Its bytes, as many as were to be kept.
    bytes: Vec<u8>,
    /// Bytes in all.
    length: u64,
    /// Bytes up to the last that is no white space.
    solid: u64,
    /// Whether the stream ends with it instead of a byte that ends lines.
    is_last: bool,
}

impl Line {
    /// Reads on to the end of the line, and past it.
    fn read(
        source: &mut Source<'_>,
        ends: fn(u8) -> bool,
        is_dropped: fn(u8) -> bool,
        keep: usize,
    ) -> io::Result<Self> {
        let position = source.position();
        let mut line = Self { position, bytes: Vec::new(), length: 0, solid: 0, is_last: true };
        while source.peek()?.is_some() {
            let available = source.available();
            let end = available.iter().position(|byte| ends(*byte)).unwrap_or(available.len());
            let is_over = end < available.len();
            for byte in available[..end].iter().filter(|byte| !is_dropped(**byte)) {
                line.length += 1;
                if line.bytes.len() < keep {
                    line.bytes.push(*byte);
                }
                if !is_space(*byte) {
                    line.solid = line.length;
                }
            }
            source.consume(end + usize::from(is_over));
            if is_over {
                line.is_last = false;
                break;
            }
        }
        Ok(line)
    }

    /// The line without white space at its end; whole, where it was kept whole.
    fn right_stripped(&self) -> &[u8] {
        let solid = usize::try_from(self.solid).unwrap_or(usize::MAX);
        &self.bytes[..solid.min(self.bytes.len())]
    }

    fn quoted(&self) -> String {
        let shown = &self.bytes[..self.bytes.len().min(WINDOW)];
        message::quote_part(shown, false, self.length > shown.len() as u64)
    }
}

/// How much of a line of the output to keep beside this one.
fn enough_for(expected: &Line) -> usize {
    (expected.bytes.len() + 1).max(WINDOW)
}

fn differ(found: &Line, expected: &Line) -> Comparison {
    super::words::differ(found.position, expected.position, &expected.quoted(), &found.quoted())
}

/// testlib's `fcmp`: every line of the answer, byte for byte but for carriage returns, and nothing but blanks after
/// them.
pub(super) fn compare_whole(mut output: Words<'_>, mut answer: Words<'_>) -> io::Result<Comparison> {
    let newline: fn(u8) -> bool = |byte| byte == b'\n';
    let carriage_return: fn(u8) -> bool = |byte| byte == b'\r';
    while answer.source.peek()?.is_some() {
        let expected = Line::read(&mut answer.source, newline, carriage_return, usize::MAX)?;
        if expected.length == 0 && answer.source.peek()?.is_none() {
            break;
        }
        if output.source.peek()?.is_none() {
            // testlib reads lines after the end as empty ones.
            if expected.length == 0 {
                continue;
            }
            return Ok(missing(output.source.position(), &expected.quoted()));
        }
        let found = Line::read(&mut output.source, newline, carriage_return, enough_for(&expected))?;
        if found.length != expected.length || found.bytes != expected.bytes {
            return Ok(differ(&found, &expected));
        }
    }
    let word = output.next(WINDOW)?;
    Ok(word.map_or(Comparison::Accepted, |word| trailing(word.position, &output.quoted(word))))
}

/// DMOJ's `rstripped`: as many lines, the same but for white space at their ends; without empty ones where asked.
pub(super) fn compare_right_stripped(
    mut output: Source<'_>,
    mut answer: Source<'_>,
    without_empty: bool,
) -> io::Result<Comparison> {
    loop {
        if without_empty {
            skip_line_ends(&mut output)?;
            skip_line_ends(&mut answer)?;
            match (output.peek()?.is_some(), answer.peek()?.is_some()) {
                (false, false) => return Ok(Comparison::Accepted),
                (false, true) => return Ok(missing(output.position(), "another line")),
                (true, false) => return Ok(trailing(output.position(), "line")),
                (true, true) => {}
            }
        }
        let expected = Line::read(&mut answer, is_line_end, |_| false, usize::MAX)?;
        let found = Line::read(&mut output, is_line_end, |_| false, enough_for(&expected))?;
        let wanted = expected.right_stripped();
        if found.solid != wanted.len() as u64 || found.right_stripped() != wanted {
            return Ok(differ(&found, &expected));
        }
        if without_empty {
            continue;
        }
        match (found.is_last, expected.is_last) {
            (true, true) => return Ok(Comparison::Accepted),
            (true, false) => return Ok(missing(output.position(), "another line")),
            (false, true) => return Ok(trailing(output.position(), "line")),
            (false, false) => {}
        }
    }
}

/// The same lines, white space at their ends and empty lines at the end of the whole apart (Hydro's `default`).
pub(super) fn compare_trimmed(mut output: Source<'_>, mut answer: Source<'_>) -> io::Result<Comparison> {
    while output.peek()?.is_some() && answer.peek()?.is_some() {
        let expected = Line::read(&mut answer, |byte| byte == b'\n', |_| false, usize::MAX)?;
        let found = Line::read(&mut output, |byte| byte == b'\n', |_| false, enough_for(&expected))?;
        let wanted = expected.right_stripped();
        if found.solid != wanted.len() as u64 || found.right_stripped() != wanted {
            return Ok(differ(&found, &expected));
        }
    }
    let end = output.position();
    let (mut output, mut answer) = (Words::new(output, is_space), Words::new(answer, is_space));
    if answer.next(0)?.is_some() {
        return Ok(missing(end, "another line"));
    }
    let rest = output.next(WINDOW)?;
    Ok(rest.map_or(Comparison::Accepted, |word| trailing(word.position, "line")))
}

/// DMOJ's `linecount`: the fraction of the answer's lines that the output has at their places, empty lines and white
/// space at both ends of lines apart.
pub(super) fn count_right(mut output: Source<'_>, mut answer: Source<'_>) -> io::Result<Comparison> {
    let (mut right, mut total) = (0_u64, 0_u64);
    let mut first_wrong: Option<String> = None;
    loop {
        skip_line_ends(&mut answer)?;
        skip_line_ends(&mut output)?;
        if answer.peek()?.is_none() {
            break;
        }
        let expected = stripped_line(&mut answer, usize::MAX)?;
        total += 1;
        let is_there = output.peek()?.is_some();
        let found = stripped_line(&mut output, enough_for(&expected))?;
        if is_there && found.solid == expected.solid && found.right_stripped() == expected.right_stripped() {
            right += 1;
        } else if first_wrong.is_none() {
            let Comparison::Wrong { message } = differ(&found, &expected) else { continue };
            first_wrong = Some(message);
        }
    }
    if output.peek()?.is_some() {
        return Ok(trailing(output.position(), "line"));
    }
    Ok(match first_wrong {
        None => Comparison::Accepted,
        Some(message) if right == 0 => Comparison::Wrong { message },
        #[allow(clippy::cast_precision_loss)] // Lines of a file.
        Some(message) => Comparison::Partial { fraction: right as f64 / total as f64, message },
    })
}

/// A line without white space in front; at its end see [`Line::right_stripped`].
fn stripped_line(source: &mut Source<'_>, keep: usize) -> io::Result<Line> {
    while source.peek()?.is_some_and(|byte| is_space(byte) && !is_line_end(byte)) {
        source.consume(1);
    }
    Line::read(source, is_line_end, |_| false, keep)
}

fn skip_line_ends(source: &mut Source<'_>) -> io::Result<()> {
    while source.peek()?.is_some_and(is_line_end) {
        source.consume(1);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Comparator, compare};
    use super::*;

    #[test]
    fn white_space_at_the_ends_of_lines_and_empty_lines_at_the_end_may_differ() {
        for (output, answer, right) in [
            ("a\nb\n", "a\nb", true),
            ("a \r\nb\t\n\n \n", "a\nb\n", true),
            ("a\nb", "a\nb\n\n\n", true),
            ("a\n\nb\n", "a\n\nb\n", true),
            ("a\n\nb\n", "a\nb\n", false),
            (" a\n", "a\n", false),
            ("a  b\n", "a b\n", false),
            ("a\n", "a\nb\n", false),
            ("a\nb\n", "a\n", false),
            ("", " \n", true),
            ("", "a", false),
        ] {
            let compared =
                compare(Comparator::TrimmedLines, &mut output.as_bytes(), &mut answer.as_bytes()).unwrap();
            assert_eq!(compared == Comparison::Accepted, right, "{output:?} {answer:?}: {compared:?}");
        }
    }
}
