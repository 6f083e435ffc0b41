//! Detects whether a checker gives points, from calls in its source.
//!
//! A call in a comment or in a literal is none: it would turn a problem of right and wrong into one with scores.

use crate::checker::CustomScore;
use crate::package::model::{Interaction, Objective, OnReject, Package, Scoring};
use crate::package::source::error::PackageError;
use crate::package::source::tree::read_at_most;

/// testlib's functions that end a checker with points.
const GIVES_POINTS: [&str; 2] = ["quitp", "quitpi"];

/// Where no test has points and the checker gives some all the same (`quitp`), the score is their sum, as in Codeforces'
/// contests of that kind: there is no whole that they are a part of.
pub(super) fn score_by_points_of_the_checker(package: &mut Package) -> Result<(), PackageError> {
    const LONGEST: u64 = 4 << 20;
    if package.scoring.is_some() {
        return Ok(());
    }
    let interactor = match &package.interaction {
        Interaction::Interactive(interactor) => Some(&interactor.program),
        Interaction::None | Interaction::Communication(_) | Interaction::TwoSteps => None,
    };
    let mut gives_points = false;
    for program in package.checkers.iter().map(|checker| &checker.program).chain(interactor) {
        if let Some(source) = program.files.first() {
            gives_points |= calls(&read_at_most(&source.path, LONGEST)?, &GIVES_POINTS);
        }
    }
    if !gives_points {
        return Ok(());
    }
    package.scoring = Some(Scoring { objective: Objective::Maximise, precision: None });
    for group in &mut package.groups {
        group.accept_score = 0.0;
        group.on_reject = OnReject::Continue;
    }
    package.checkers.iter_mut().for_each(|checker| checker.scores = CustomScore::Required);
    if let Interaction::Interactive(interactor) = &mut package.interaction {
        interactor.scores = CustomScore::Required;
    }
    Ok(())
}

/// Whether C++ source calls a function of one of these names.
fn calls(source: &[u8], names: &[&str]) -> bool {
    let mut rest = source;
    let mut follows_name = false;
    while let Some((token, length)) = next_token(rest) {
        match token {
            Token::Gap => {}
            Token::Word(word) => follows_name = names.iter().any(|name| name.as_bytes() == word),
            Token::Mark(b'(') if follows_name => return true,
            Token::Mark(_) | Token::Literal => follows_name = false,
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    false
}

/// The least that must be told apart in C++ to find calls.
enum Token<'a> {
    /// White space or a comment.
    Gap,
    /// An identifier, a keyword or a number.
    Word(&'a [u8]),
    /// A string or a character.
    Literal,
    /// Any other byte.
    Mark(u8),
}

/// The first token and its length; `None` at the end.
fn next_token(source: &[u8]) -> Option<(Token<'_>, usize)> {
    let first = *source.first()?;
    let token = match first {
        b'/' if source.starts_with(b"//") => (Token::Gap, line_comment(source)),
        b'/' if source.starts_with(b"/*") => (Token::Gap, behind(source, 2, b"*/")),
        b'"' | b'\'' => (Token::Literal, quoted(source, first)),
        _ if first.is_ascii_whitespace() => (Token::Gap, 1),
        _ if is_of_word(first) => {
            let length = word(source);
            match source.get(length) {
                Some(b'"') if [&b"R"[..], b"LR", b"uR", b"UR", b"u8R"].contains(&&source[..length]) => {
                    (Token::Literal, raw_string(source, length))
                }
                _ => (Token::Word(&source[..length]), length),
            }
        }
        other => (Token::Mark(other), 1),
    };
    Some(token)
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// The length of the word or number; digits of a number may be set apart by `'`.
fn word(source: &[u8]) -> usize {
    let is_number = source.first().is_some_and(u8::is_ascii_digit);
    let is_inside = |(place, byte): (usize, &u8)| {
        let is_apart =
            is_number && *byte == b'\'' && source.get(place + 1).is_some_and(u8::is_ascii_alphanumeric);
        !is_of_word(*byte) && !is_apart
    };
    source.iter().enumerate().position(is_inside).unwrap_or(source.len())
}

/// Where the text from `start` on is over that ends in `end`.
fn behind(source: &[u8], start: usize, end: &[u8]) -> usize {
    let rest = source.get(start..).unwrap_or_default();
    memchr::memmem::find(rest, end).map_or(source.len(), |place| start + place + end.len())
}

/// A backslash at the end of a line goes on with the next.
fn line_comment(source: &[u8]) -> usize {
    let mut end = behind(source, 2, b"\n");
    while source[..end].ends_with(b"\\\n") || source[..end].ends_with(b"\\\r\n") {
        end = behind(source, end, b"\n");
    }
    end
}

/// A literal that does not end on its line is none, such as the apostrophe in the text of an `#error`.
fn quoted(source: &[u8], quote: u8) -> usize {
    let mut place = 1;
    while let Some(byte) = source.get(place) {
        match byte {
            b'\\' => place += 1,
            b'\n' => return place,
            _ if *byte == quote => return place + 1,
            _ => {}
        }
        place += 1;
    }
    source.len()
}

/// `R"delimiter(text)delimiter"`, whose prefix is so long.
fn raw_string(source: &[u8], prefix: usize) -> usize {
    let rest = source.get(prefix + 1..).unwrap_or_default();
    let Some(open) = memchr::memchr(b'(', rest) else { return source.len() };
    let end = [b")", &rest[..open], b"\""].concat();
    behind(source, prefix + 1 + open, &end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_outside_comments_and_literals_count() {
        for source in [
            "quitp(1);",
            "quitp (0.5, \"half\");",
            "quitpi(\"1\", \"\");",
            "quitp /* of */\n// it\n (1);",
            "char c = '\"'; quitp(1); // \"",
            "int million = 1'000'000; quitp(1);",
            "auto s = R\"x(\" )\" )x\"; quitp(1);",
            "auto s = \"\\\\\"; quitp(1);",
            "#error it's\nquitp(1);",
            "::quitp(x);",
        ] {
            assert!(calls(source.as_bytes(), &GIVES_POINTS), "{source}");
        }
        for source in [
            "",
            "// quitp(1);",
            "// and so on \\\nquitp(1);",
            "// and so on \\\r\nquitp(1);",
            "/* quitp(1); */ quitf(_ok, \"\");",
            "/* quitp(1);",
            "\"quitp(1)\"",
            "\"\\\"quitp(1)\"",
            "'quitp('",
            "R\"(quitp(1))\"",
            "u8R\"x(\" quitp(1) )x\"",
            "R\"(quitp(1)",
            "int quitp = 1; f(quitp);",
            "my_quitp(1); quitp2(1); quitpa(1);",
            "#define quitp",
        ] {
            assert!(!calls(source.as_bytes(), &GIVES_POINTS), "{source}");
        }
    }
}
