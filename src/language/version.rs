//! Reads what a toolchain says about itself.

/// The line that names a toolchain: the first of its output that is not empty, standard output before
/// standard error (javac and others print there), with control characters left out and cut to 200
/// characters, since it ends up in reports and in a terminal. `None` when it said nothing.
pub fn version_line(stdout: &[u8], stderr: &[u8]) -> Option<String> {
    [stdout, stderr].into_iter().find_map(|output| {
        output.split(|byte| *byte == b'\n').find_map(|line| {
            let line: String =
                String::from_utf8_lossy(line).chars().filter(|c| !c.is_control()).take(200).collect();
            let line = line.trim();
            (!line.is_empty()).then(|| line.to_owned())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_is_not_empty_is_taken() {
        assert_eq!(version_line(b"\n  \nNim 1.6\nCopyright\n", b"").as_deref(), Some("Nim 1.6"));
    }

    #[test]
    fn standard_error_answers_where_standard_output_is_silent() {
        assert_eq!(version_line(b"\n", b"javac 17\n").as_deref(), Some("javac 17"));
        assert_eq!(version_line(b"one", b"two").as_deref(), Some("one"));
        assert_eq!(version_line(b"", b""), None);
    }

    #[test]
    fn a_terminal_is_not_handed_escapes_nor_a_novel() {
        assert_eq!(version_line(b"\x1b[31mred\r\n", b"").as_deref(), Some("[31mred"));
        assert_eq!(version_line(&[b'x'; 5000], b"").unwrap().len(), 200);
        assert_eq!(version_line(b"\xff\xfe", b"").as_deref(), Some("\u{fffd}\u{fffd}"));
    }
}
