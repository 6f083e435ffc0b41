//! Excerpts of outputs and answers that are safe to show.
//!
//! Whatever a contestant prints, a message is one line of at most [`LIMIT`] characters with nothing in it
//! that moves a cursor, reorders text or breaks a table: control and other unprintable characters, and bytes
//! that are not UTF-8, appear escaped.

use super::comparator::Comparison;
use super::source::Position;

/// Characters in a whole message.
const LIMIT: usize = 300;

/// Characters in an excerpt, its quotes and ellipses included.
const EXCERPT: usize = 56;

/// Bytes kept before the first difference when a long token is cut at its front.
pub(super) const BEFORE: usize = 12;

/// Bytes from which an excerpt is made, at most: enough to fill it with plain text.
pub(super) const WINDOW: usize = 72;

/// The answer "wrong", with `text` as its message, cut where it is too long.
pub(super) fn wrong(text: &str) -> Comparison {
    let message = if text.chars().count() <= LIMIT {
        text.to_owned()
    } else {
        text.chars().take(LIMIT - 1).chain(['…']).collect()
    };
    Comparison::Wrong { message }
}

/// "line 3, column 7", with the answer's place added where it is another.
pub(super) fn place(output: Position, answer: Position) -> String {
    let here = format!("line {}, column {}", output.line, output.column);
    if (output.line, output.column) == (answer.line, answer.column) {
        here
    } else {
        format!("{here} (line {}, column {} of the answer)", answer.line, answer.column)
    }
}

/// `bytes` in quotes, escaped and cut.
pub(super) fn quote(bytes: &[u8]) -> String {
    quote_part(bytes, false, false)
}

/// `bytes` in quotes, cut at the front as well where the place `focus` would not be seen otherwise.
pub(super) fn quote_around(bytes: &[u8], focus: usize) -> String {
    let front = window_start(bytes, focus);
    quote_part(&bytes[front..], front > 0, false)
}

/// Where an excerpt of `bytes` begins that shows the place `focus`: at the front while that is near.
pub(super) fn window_start(bytes: &[u8], focus: usize) -> usize {
    if focus <= 2 * BEFORE {
        return 0;
    }
    let mut start = focus.min(bytes.len()) - BEFORE.min(bytes.len());
    // Not in the middle of a UTF-8 character.
    while start < bytes.len() && start < focus && bytes[start] & 0xC0 == 0x80 {
        start += 1;
    }
    start
}

/// `bytes` in quotes, escaped and cut, with an ellipsis at the sides where more of the token was left out.
pub(super) fn quote_part(bytes: &[u8], cut_before: bool, cut_after: bool) -> String {
    let window = &bytes[..bytes.len().min(WINDOW)];
    let mut text = String::new();
    let mut cut = cut_after || window.len() < bytes.len();
    let room = EXCERPT - 4;
    let mut length = 0;
    let mut push = |piece: &str| {
        let fits = length + piece.chars().count() <= room;
        if fits {
            length += piece.chars().count();
            text.push_str(piece);
        }
        fits
    };
    'escape: for chunk in window.utf8_chunks() {
        for character in chunk.valid().chars() {
            let fits = match character {
                '\'' => push("'"),
                _ => push(&character.escape_debug().to_string()),
            };
            if !fits {
                cut = true;
                break 'escape;
            }
        }
        for byte in chunk.invalid() {
            if !push(&format!("\\x{byte:02x}")) {
                cut = true;
                break 'escape;
            }
        }
    }
    format!("{}\"{text}\"{}", if cut_before { "…" } else { "" }, if cut { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_unprintable_passes() {
        for (bytes, shown) in [
            (&b"plain it's"[..], r#""plain it's""#),
            (b"", r#""""#),
            (b"a\nb\t\r\0", r#""a\nb\t\r\0""#),
            (b"\x1b[31m", r#""\u{1b}[31m""#),
            (b"\"q\\", r#""\"q\\""#),
            (b"\xff\xfeok", r#""\xff\xfeok""#),
            ("žluťoučký".as_bytes(), "\"žluťoučký\""),
            ("\u{202e}x\u{200b}\u{2028}".as_bytes(), r#""\u{202e}x\u{200b}\u{2028}""#),
        ] {
            assert_eq!(quote(bytes), shown);
        }
    }

    #[test]
    fn long_tokens_are_cut_around_the_difference() {
        let token: Vec<u8> = (b'a'..=b'z').cycle().take(1000).collect();
        let shown = quote_around(&token, 520);
        assert!(shown.starts_with("…\"opqrstuvwxyzabc"), "{shown}");
        assert!(shown.ends_with("\"…"), "{shown}");
        assert!(shown.chars().count() <= EXCERPT);
        assert!(quote_around(&token, 5).starts_with("\"abc"));
        assert_eq!(quote_around(b"", 0), "\"\"");
        for focus in 0..=1000 {
            assert!(quote_around(&[0xBF; 1000], focus).chars().count() <= EXCERPT);
        }
    }

    #[test]
    fn messages_have_a_limit() {
        let Comparison::Wrong { message } = wrong(&"é".repeat(1000)) else { panic!() };
        assert_eq!(message.chars().count(), LIMIT);
    }
}
