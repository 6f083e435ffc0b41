//! Log lines on standard error.
//!
//! What is logged may quote what strangers sent. Whatever that is, an event stays one line, and nothing in it
//! commands the operator's terminal. A standard error that nobody reads any more ends nothing.

use std::io::{self, Write};

/// Writes one event a call, as `tracing_subscriber`'s formatter does.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogWriter {
    /// Whether the formatter itself writes escape sequences, which must pass; it escapes those of messages.
    pub(super) is_colored: bool,
}

impl Write for LogWriter {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let line = harmless(event, self.is_colored);
        // Nobody left to tell when standard error is closed.
        let _ = io::stderr().write_all(&line);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The event with its control characters spelled out, all but the newline at its end.
fn harmless(event: &[u8], is_colored: bool) -> Vec<u8> {
    let text = String::from_utf8_lossy(event);
    let (text, end) = text.strip_suffix('\n').map_or((&*text, ""), |text| (text, "\n"));
    let mut line = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        if character.is_control() && !(is_colored && character == '\u{1b}') {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line.push_str(end);
    line.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_stays_one_line_whatever_it_quotes() {
        let event = b" WARN refused id=x\n WARN forged \x1b[31mred\0\xff\n";
        let line = String::from_utf8(harmless(event, false)).unwrap();
        assert_eq!(line, " WARN refused id=x\\n WARN forged \\u{1b}[31mred\\u{0}\u{fffd}\n");
        assert_eq!(harmless(b"\x1b[33m WARN\x1b[0m x", true), b"\x1b[33m WARN\x1b[0m x");
    }
}
