//! What checkers write, as text and numbers that are safe to use.

/// Characters kept of a message.
const LONGEST: usize = 4096;
/// Characters kept of one line in an error.
const LONGEST_LINE: usize = 200;

/// A message: invalid UTF-8 replaced, control characters but newline and tab escaped, cut, without white space at its
/// end.
pub(super) fn message(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * LONGEST)]);
    let mut shown = String::new();
    for (count, character) in text.trim_end().chars().enumerate() {
        match character {
            _ if count == LONGEST => {
                shown.push('…');
                break;
            }
            '\r' => {}
            '\n' | '\t' => shown.push(character),
            _ if character.is_control() => shown.extend(character.escape_default()),
            _ => shown.push(character),
        }
    }
    shown
}

/// The first line that is not blank, in short.
pub(super) fn first_line(bytes: &[u8]) -> String {
    let text = message(bytes);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// A finite number with white space around it, in decimal, as Python's `float` reads one.
pub(super) fn number(bytes: &[u8]) -> Option<f64> {
    crate::checker::number::parse(bytes.trim_ascii())
}

/// A count at the beginning of the text, and what follows it.
pub(super) fn count(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    // A count of hundreds of digits is infinite, and no score.
    digits.parse().ok().filter(|count: &f64| count.is_finite()).map(|count| (count, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_and_cannot_move_a_cursor() {
        assert_eq!(message(b"a\r\n\tb\x1b[2J\xff\n\n"), "a\n\tb\\u{1b}[2J\u{fffd}");
        assert_eq!(message(&[b'x'; 100_000]).chars().count(), LONGEST + 1);
        assert_eq!(first_line(b"\n  \n one \ntwo"), "one");
        assert_eq!(first_line(b""), "");
        assert!(first_line(&[b'x'; 1000]).chars().count() <= LONGEST_LINE + 1);
    }

    #[test]
    fn only_finite_decimal_numbers_are_numbers() {
        for (bytes, value) in
            [("0.5\n", Some(0.5)), (" 1e2 ", Some(100.0)), ("-3", Some(-3.0)), ("+.5", Some(0.5))]
        {
            assert_eq!(number(bytes.as_bytes()), value, "{bytes}");
        }
        for bytes in ["", "nan", "inf", "1e999", "0x1p3", "1 2", "1,5", "one"] {
            assert_eq!(number(bytes.as_bytes()), None, "{bytes}");
        }
        assert_eq!(count("12) x"), Some((12.0, ") x")));
        assert_eq!(count("x"), None);
        assert_eq!(count(&"9".repeat(400)), None);
    }
}
