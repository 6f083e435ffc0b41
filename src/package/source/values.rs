//! Reads values that several formats share: numbers with bounds, sizes, durations, arguments.
//!
//! Every function takes the YAML node and the dotted name of its key, and refuses what is out of range by that name.

use std::time::Duration;

use super::error::PackageError;
use super::yaml::{Node, Value, plain};
use crate::units::Bytes;

/// A time limit of more than a day is a unit mistaken.
pub(crate) const LONGEST: f64 = 86_400.0;

/// More passes than any problem makes; each costs a run.
const MOST_PASSES: f64 = 10_000.0;

/// A number above zero and at most `largest`; `None` for an empty value.
pub(crate) fn positive(
    node: &Node,
    key: &str,
    what: &str,
    largest: f64,
) -> Result<Option<f64>, PackageError> {
    let Some(number) = node.number(key)? else { return Ok(None) };
    if number > 0.0 && number <= largest {
        return Ok(Some(number));
    }
    Err(PackageError::value(
        node.line,
        key,
        format!("{} is out of range", plain(number)),
        format!("give {what} above 0 and at most {largest}"),
    ))
}

/// Seconds as a duration, at least a millisecond: below a nanosecond a positive number would become a limit of zero.
pub(crate) fn seconds(node: &Node, key: &str) -> Result<Option<Duration>, PackageError> {
    let number = positive(node, key, "seconds", LONGEST)?;
    Ok(number.map(|number| Duration::from_secs_f64(number).max(Duration::from_millis(1))))
}

/// MiB as bytes, rounded up.
pub(crate) fn mebibytes(node: &Node, key: &str) -> Result<Option<Bytes>, PackageError> {
    Ok(positive(node, key, "MiB", 1_048_576.0)?.map(|number| scaled(number, 1_048_576.0)))
}

/// KiB as bytes, rounded up.
pub(crate) fn kibibytes(node: &Node, key: &str) -> Result<Option<Bytes>, PackageError> {
    Ok(positive(node, key, "KiB", 1_073_741_824.0)?.map(|number| scaled(number, 1024.0)))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 < number * scale <= 2^40")]
fn scaled(number: f64, scale: f64) -> Bytes {
    Bytes((number * scale).ceil() as u64)
}

/// `limits.validation_passes`: a whole number of 2 or more.
pub(crate) fn passes(node: &Node, key: &str) -> Result<Option<u32>, PackageError> {
    let Some(number) = node.number(key)? else { return Ok(None) };
    if number.fract() != 0.0 || !(2.0..=MOST_PASSES).contains(&number) {
        return Err(PackageError::value(
            node.line,
            key,
            format!("{} is not a number of passes", plain(number)),
            format!("give a whole number from 2 to {MOST_PASSES}"),
        ));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "2 to 10000")]
    Ok(Some(number as u32))
}

/// A list of texts, or one text for a list of one; anything else is refused.
pub(crate) fn arguments(node: &Node, key: &str) -> Result<Vec<String>, PackageError> {
    match &node.value {
        Value::List(_) | Value::Null => node.texts(key),
        _ => Err(PackageError::value(
            node.line,
            key,
            "it is no list of texts",
            "write it like [one, 'and two']",
        )),
    }
}

/// Words of a line of flags: white space separates, and quotes hold together what belongs together, as DOMjudge's and
/// BAPCtools' shells have it. A line whose quotes do not match is cut at its white space alone, as problemtools does.
pub(crate) fn words(line: &str) -> Vec<String> {
    quoted_words(line).unwrap_or_else(|| line.split_whitespace().map(str::to_owned).collect())
}

fn quoted_words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next()? {
                        end if end == character => break,
                        '\\' if character == '"' => word.push(characters.next()?),
                        inner => word.push(inner),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(characters.next()?),
            blank if blank.is_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_held_together_by_quotes_that_match() {
        for (line, expected) in [
            ("", vec![]),
            ("  a  b\tc\n", vec!["a", "b", "c"]),
            ("--message \"two words\" '' x", vec!["--message", "two words", "", "x"]),
            (r#"a\ b "c\"d" e'f'"#, vec!["a b", "c\"d", "ef"]),
            ("it's one", vec!["it's", "one"]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }
}
