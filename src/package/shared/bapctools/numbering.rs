//! Names and numbers the tests and folders of `generators.yaml`.

use super::case::{SHOWN, TEXTS, find};
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::yaml::{Node, Value};

/// Most tests that one `count` may ask for.
const MOST_COUNTED: i64 = 100;
/// Bytes of a key. Numbers, counts and endings come beside it, and names of files have at most 255 bytes.
const LONGEST_NAME: usize = 200;
/// Folders of `data/`, in the order in which their tests are numbered.
pub(super) const ROOTS: &[&str] = &[
    "sample",
    "secret",
    "invalid_output",
    "invalid_answer",
    "invalid_input",
    "valid_output",
    "testing_tool_test",
    "fuzz",
];

/// Whether a rule is a test and not a folder.
pub(super) fn is_case(node: &Node) -> bool {
    match &node.value {
        Value::Map(map) => {
            let only_cases = |key: &str| {
                TEXTS.contains(&key)
                    || SHOWN.contains(&key)
                    || matches!(key, "copy" | "generate" | "count" | "match")
            };
            map.iter().any(|(key, _)| only_cases(key))
        }
        Value::List(_) => false,
        _ => true,
    }
}

/// The entries of a map.
pub(super) type Entries = [(String, Node)];

/// The maps of a folder's `data`, and whether they are numbered.
pub(super) fn data_of(map: &Entries) -> Result<(Vec<&Entries>, bool), PackageError> {
    let Some(node) = find(map, "data") else { return Ok((Vec::new(), false)) };
    match &node.value {
        Value::List(items) => {
            let maps: Result<Vec<_>, _> = items.iter().map(|item| item.map("data")).collect();
            Ok((maps?, true))
        }
        _ => Ok((vec![node.map("data")?], false)),
    }
}

/// How many tests are numbered: names have as many digits as that number.
pub(super) fn count_numbered(map: &[(String, Node)]) -> usize {
    let Ok((maps, is_numbered)) = data_of(map) else { return 0 };
    let mut total = 0;
    for (key, node) in maps.into_iter().flatten() {
        if is_case(node) {
            if is_numbered {
                total += counts(node, key).map_or(1, |counts| counts.map_or(1, |counts| counts.len()));
            }
        } else if let Ok(inner) = node.map(key) {
            total += count_numbered(inner);
        }
    }
    total
}

/// `count`, where a rule has it: a number, a list or a range `1..=5`.
pub(super) fn counts(node: &Node, key: &str) -> Result<Option<Vec<i64>>, PackageError> {
    let Value::Map(map) = &node.value else { return Ok(None) };
    let Some(node) = find(map, "count") else { return Ok(None) };
    let key = format!("{key}.count");
    let wrong = |problem: String| {
        let remedy =
            format!("give a number from 1 to {MOST_COUNTED}, a list of numbers, or a range like 1..=5");
        PackageError::value(node.line, &key, problem, remedy)
    };
    #[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
    let whole = |node: &Node| match node.value {
        Value::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => Some(number as i64),
        _ => None,
    };
    let list = match &node.value {
        Value::Number(_) => whole(node).map(|count| (1..=count).collect::<Vec<_>>()),
        Value::List(items) => items.iter().map(whole).collect(),
        Value::Text(text) => text.split_once("..=").and_then(|(low, high)| {
            let range = low.trim().parse::<i64>().ok()?..=high.trim().parse::<i64>().ok()?;
            let length = range.end().checked_sub(*range.start())?;
            (length < MOST_COUNTED).then(|| range.collect())
        }),
        _ => None,
    };
    let list = list.filter(|list| !list.is_empty() && list.len() as i64 <= MOST_COUNTED);
    list.map(Some).ok_or_else(|| wrong("it is not a count of tests".to_owned()))
}

/// Digits to which counts are padded: where they follow on each other.
pub(super) fn padding(counts: &[i64]) -> usize {
    let (Some(low), Some(high)) = (counts.iter().min(), counts.iter().max()) else { return 0 };
    let is_consecutive = high - low == counts.len() as i64 - 1;
    let longest = counts.iter().map(|count| count.to_string().len()).max().unwrap_or(0);
    if is_consecutive { longest } else { 0 }
}

/// A name with its number before it.
pub(super) fn numbered(number: usize, width: usize, key: &str) -> String {
    if key.is_empty() { format!("{number:0width$}") } else { format!("{number:0width$}-{key}") }
}

/// Entries of a map in the order in which they are numbered.
pub(super) fn ordered(map: &[(String, Node)], is_root: bool) -> Vec<&(String, Node)> {
    let mut entries: Vec<_> = map.iter().collect();
    if is_root {
        entries.retain(|(key, _)| ROOTS.contains(&key.as_str()));
        entries.sort_by_key(|(key, _)| ROOTS.iter().position(|root| root == key));
    } else {
        entries.sort_by(|left, right| left.0.cmp(&right.0));
    }
    entries
}

/// Refuses a key that cannot be the name of a test or folder: it is a part of a path, and what begins with a dot is hidden.
pub(super) fn check_name(key: &str, line: u64, above: &str) -> Result<(), PackageError> {
    let problem = if key.is_empty() {
        "a test without a name".to_owned()
    } else if key.starts_with('.') {
        format!("'{}' begins with a dot", one_line(key))
    } else if key.contains(['/', '\\']) || key.chars().any(char::is_control) {
        format!("'{}' has a slash, a backslash or a control character", one_line(key))
    } else if key.len() > LONGEST_NAME {
        format!("'{}' is longer than {LONGEST_NAME} bytes", one_line(key))
    } else {
        return Ok(());
    };
    let remedy =
        if key.is_empty() { "name it, or use a list" } else { "name it with letters, digits, - and _" };
    Err(PackageError::value(line, above, problem, remedy))
}

/// Returns the path of a name in a folder.
pub(super) fn joined(above: &str, name: &str) -> String {
    if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") }
}
