//! Pairs the inputs of a bare folder with their answers, in the common layouts.
//!
//! | layout | inputs | answers |
//! |---|---|---|
//! | beside each other | `1.in`, `1.inp`, `1.input` | `1.ans`, `1.out`, `1.a`; `1.output`, `1.answer` |
//! | numbered endings | `sum.in1` | `sum.out1`, `sum.ans1` |
//! | numbered names | `in1.txt`, `input1.txt`, `in_1` | `out1.txt`, `output1.txt`, `out_1` |
//! | Polygon's | `01` | `01.a` |
//! | two folders | `in/`, `input/`, `inputs/` | `out/`, `output/`, `outputs/`, `ans/`, `answer/`, `answers/` |
//! | a folder a test | `1/input.txt`, `1/sum.inp` | `1/output.txt`, `1/sum.out` |
//!
//! In two folders the names are the same, have the same stem, or differ as above. What is no input by its name is left
//! alone, so that notes and sources may lie beside tests.

use crate::package::source::tree::{Entry, Kind, Tree};

/// Endings of inputs with those of their answers, the likeliest first.
const ENDINGS: &[(&str, &[&str])] = &[
    (".in", &[".ans", ".out", ".a"]),
    (".inp", &[".out", ".ans", ".oup"]),
    (".input", &[".output", ".answer"]),
];
const INPUT_FOLDERS: &[&str] = &["in", "input", "inputs"];
const OUTPUT_FOLDERS: &[&str] = &["out", "output", "outputs", "ans", "answer", "answers"];
/// What stands for the input in a name, with what stands for the answer there.
const WORDS: &[(&str, &[&str])] = &[("input", &["output", "answer", "ans"]), ("in", &["out", "ans"])];

/// The two folders that hold inputs and answers, where there are such.
pub(crate) fn folders(entries: &[Entry]) -> Option<(&Entry, &Entry)> {
    let find = |names: &[&str]| {
        names.iter().filter_map(|name| Tree::find(entries, name)).find(|entry| entry.kind == Kind::Directory)
    };
    Some((find(INPUT_FOLDERS)?, find(OUTPUT_FOLDERS)?))
}

/// The name of the test and its answer, for a file that is an input by its name; `None` for any other file, and where
/// there is no answer.
pub(crate) fn answer<'a>(name: &str, answers: &'a [Entry]) -> Option<(String, &'a Entry)> {
    let file = |name: &str| Tree::find(answers, name).filter(|entry| entry.kind != Kind::Directory);
    for (ending, others) in ENDINGS {
        let Some(stem) = name.strip_suffix(ending) else { continue };
        if let Some(found) = others.iter().find_map(|other| file(&format!("{stem}{other}"))) {
            return Some((stem.to_owned(), found));
        }
    }
    for (word, others) in WORDS {
        for (place, _) in name.match_indices(word) {
            let (before, after) = (name.get(..place)?, name.get(place + word.len()..)?);
            if !is_alone(before, after) {
                continue;
            }
            let found = others.iter().find_map(|other| file(&format!("{before}{other}{after}")));
            if let Some(found) = found {
                let stem = name.strip_suffix(".txt").unwrap_or(name);
                return Some((stem.to_owned(), found));
            }
        }
    }
    let plain = !name.is_empty()
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
    let found = plain.then(|| file(&format!("{name}.a"))).flatten()?;
    Some((name.to_owned(), found))
}

/// The answer in a folder of answers.
pub(crate) fn answer_in<'a>(name: &str, answers: &'a [Entry]) -> Option<(String, &'a Entry)> {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    if let Some(found) = answer(name, answers) {
        return Some(found);
    }
    let same = Tree::find(answers, name).filter(|entry| entry.kind != Kind::Directory);
    let found = same.or_else(|| {
        let mut alike = answers.iter().filter(|entry| {
            let other = entry.text().unwrap_or_default();
            entry.kind != Kind::Directory && other.rsplit_once('.').map_or(other, |(stem, _)| stem) == stem
        });
        // Two that fit are none.
        alike.next().filter(|_| alike.next().is_none())
    })?;
    Some((stem.to_owned(), found))
}

/// Whether some file of a folder is an input with its answer.
pub(crate) fn any(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| {
        entry.kind == Kind::File && entry.text().is_some_and(|name| answer(name, entries).is_some())
    })
}

/// Whether a word in a name is one by itself, and not the middle of another: `in1.txt`, not `main.c`.
fn is_alone(before: &str, after: &str) -> bool {
    let letter = |character: char| character.is_alphabetic();
    !before.ends_with(letter) && !after.starts_with(letter)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::PathBuf;

    use super::*;

    fn entries(names: &[&str]) -> Vec<Entry> {
        let mut entries: Vec<_> = names
            .iter()
            .map(|name| Entry { name: OsString::from(name), path: PathBuf::from(name), kind: Kind::File })
            .collect();
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        entries
    }

    #[test]
    fn answers_are_found_beside_inputs() {
        for (input, other, stem) in [
            ("1.in", "1.ans", "1"),
            ("1.in", "1.a", "1"),
            ("sum.inp", "sum.out", "sum"),
            ("sum.in1", "sum.out1", "sum.in1"),
            ("input3.txt", "output3.txt", "input3"),
            ("in_3", "out_3", "in_3"),
            ("input.txt", "output.txt", "input"),
            ("01", "01.a", "01"),
        ] {
            let files = entries(&[input, other]);
            let (found, answer) = answer(input, &files).unwrap_or_else(|| panic!("{input}"));
            assert_eq!((found.as_str(), answer.text().unwrap()), (stem, other));
        }
        for (input, other) in
            [("main.c", "maout.c"), ("1.out", "1.in"), ("notes.txt", "notes.a"), ("lint", "loutt")]
        {
            assert!(answer(input, &entries(&[input, other])).is_none(), "{input}");
        }
    }

    #[test]
    fn answers_are_found_in_another_folder() {
        let files = entries(&["1.txt", "2.out", "3.ans", "output4.txt", "5.x", "5.y"]);
        let find = |name| answer_in(name, &files).map(|(_, entry)| entry.text().unwrap());
        assert_eq!(find("1.txt"), Some("1.txt"));
        assert_eq!(find("2.in"), Some("2.out"));
        assert_eq!(find("3.in"), Some("3.ans"));
        assert_eq!(find("input4.txt"), Some("output4.txt"));
        assert_eq!(find("5.in"), None, "two that fit are none");
    }
}
