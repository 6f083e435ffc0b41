//! Finds the source file that a program of several starts with, by what speaks for one.
//!
//! A wrong guess costs a verdict, so where nothing decides there is none. What speaks for a file: it is the only one in the
//! language; it is called main; no other file imports it. Files called like tests (`test_sum.py`) speak for nothing, since
//! they import what they test. In languages with classes to start, only files with a main method count.

use std::path::{Path, PathBuf};

use super::encoding::to_utf8_lossy;
use super::guess::is_header;
use super::{Language, Table};

/// A source file: its name and what is in it.
pub type Part<'a> = (&'a str, &'a [u8]);

/// What the order of the files means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Nothing: they lie in a folder.
    Unknown,
    /// The first was named first by whoever sent them. That holds unless the files say otherwise.
    FirstStarts,
}

/// Nothing decides: what is unclear, without what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unclear(String);

/// The most of a file that is searched for imports.
const SEARCHED: usize = 256 << 10;
/// Words with one of which a line imports a file, in the languages of the table.
const IMPORTING: &[&str] = &[
    "import",
    "from",
    "require",
    "require_relative",
    "require_once",
    "include",
    "include_once",
    "use",
    "uses",
    "mod",
    "load",
    "source",
    "dofile",
    "loadfile",
    "do",
    "with",
    "open",
];
/// What begins a comment; `#` alone does not, because of `#include`.
const COMMENTS: &[&str] = &["//", "--", ";", "%", "# ", "/*", "*"];

impl Language {
    /// The place of the file that the program starts with.
    ///
    /// # Errors
    /// [`Unclear`], where several could be it and nothing decides.
    pub fn entry_point(&self, parts: &[Part<'_>], order: Order) -> Result<usize, Unclear> {
        let texts: Vec<_> = parts.iter().map(|(_, bytes)| to_utf8_lossy(bytes)).collect();
        let parts: Vec<Part<'_>> =
            parts.iter().zip(&texts).map(|((name, _), text)| (*name, text.as_ref())).collect();
        let ours = |place: &usize| self.has_ending_of(Path::new(parts[*place].0));
        let mut candidates: Vec<usize> = (0..parts.len()).filter(ours).collect();
        if candidates.is_empty() {
            candidates = (0..parts.len()).collect();
        }
        narrow(&mut candidates, |place| self.has_main(parts[place]));
        narrow(&mut candidates, |place| !is_test(parts[place].0));
        let first = candidates.first().copied().unwrap_or(0);
        if candidates.len() < 2 || !self.starts_with_a_file() {
            return Ok(first);
        }
        match (evident(&parts, &candidates), order) {
            (Some(entry), Order::Unknown) => Ok(entry),
            (Some(entry), Order::FirstStarts) if entry == first => Ok(first),
            (Some(entry), Order::FirstStarts) => Err(Unclear(format!(
                "cannot tell whether the program starts with '{}', which is first, or with '{}'",
                parts[first].0, parts[entry].0
            ))),
            (None, Order::FirstStarts) => Ok(first),
            (None, Order::Unknown) => {
                let names: Vec<_> = candidates.iter().map(|place| format!("'{}'", parts[*place].0)).collect();
                Err(Unclear(format!("cannot tell which file the program starts with: {}", shortened(&names))))
            }
        }
    }

    /// Whether compiler or interpreter is told one file, instead of being handed all alike.
    fn starts_with_a_file(&self) -> bool {
        let names_one =
            |argv: &[String]| argv.iter().any(|word| word.contains("{source}") || word.contains("{stem}"));
        names_one(&self.run) || self.compile.as_deref().is_some_and(names_one)
    }

    /// Whether a file has what a program starts with, where the language's own compile command looks for it.
    fn has_main(&self, (name, text): Part<'_>) -> bool {
        let marks: &[&[u8]] = match Path::new(name).extension().and_then(|ending| ending.to_str()) {
            Some("java") => &[b"void main"],
            Some("kt") => &[b"fun main"],
            Some("scala") => &[b"def main", b"extends App"],
            _ => return true,
        };
        self.has_ending_of(Path::new(name))
            && marks.iter().any(|mark| memchr::memmem::find(text, mark).is_some())
    }
}

impl Table {
    /// The language of a submission whose sender named none: that of `entry` where it is given, else that of all its files,
    /// else that of the only one called main.
    ///
    /// # Errors
    /// [`Unclear`], where files are in several languages, or in none that is known.
    pub fn guess_submission(&self, files: &[PathBuf], entry: Option<&Path>) -> Result<&Language, Unclear> {
        if let Some(entry) = entry {
            let own = self.guess(&[entry.to_owned()]);
            return own.ok_or_else(|| Unclear(format!("cannot tell the language of '{}'", shown(entry))));
        }
        let known: Vec<(&PathBuf, &Language)> = files
            .iter()
            .filter(|file| !is_header(file))
            .filter_map(|file| {
                let language = self.languages.iter().find(|language| language.has_ending_of(file))?;
                Some((file, language))
            })
            .collect();
        let is_one = known.windows(2).all(|pair| pair[0].1.extensions == pair[1].1.extensions);
        if is_one {
            let whole = self.guess(files);
            return whole.ok_or_else(|| {
                let first = files.first().map(|file| shown(file)).unwrap_or_default();
                Unclear(format!("cannot tell the language of '{first}'"))
            });
        }
        let mains: Vec<_> = known.iter().filter(|(file, _)| is_main(&shown(file))).collect();
        if let [(main, _)] = mains.as_slice()
            && let Some(language) = self.guess(&[(*main).clone()])
        {
            return Ok(language);
        }
        let names: Vec<_> =
            known.iter().map(|(file, language)| format!("'{}' is {}", shown(file), language.name)).collect();
        Err(Unclear(format!("the files are in several languages: {}", shortened(&names))))
    }
}

/// Keeps those that fit, where any does.
fn narrow(candidates: &mut Vec<usize>, fits: impl Fn(usize) -> bool) {
    if candidates.iter().any(|place| fits(*place)) {
        candidates.retain(|place| fits(*place));
    }
}

/// The only candidate that nothing imports; of several, the only one called main.
fn evident(parts: &[Part<'_>], candidates: &[usize]) -> Option<usize> {
    let imported = |place: usize| {
        candidates.iter().any(|other| *other != place && imports(parts[*other], parts[place].0))
    };
    let roots: Vec<usize> = candidates.iter().copied().filter(|place| !imported(*place)).collect();
    let pool = if roots.is_empty() { candidates } else { &roots };
    if let [only] = pool {
        return Some(*only);
    }
    let mains: Vec<usize> = pool.iter().copied().filter(|place| is_main(parts[*place].0)).collect();
    match mains.as_slice() {
        [main] => Some(*main),
        _ => None,
    }
}

/// Whether a line of a file imports another, by the name of that file without its ending.
fn imports((_, text): Part<'_>, other: &str) -> bool {
    let Some(stem) = Path::new(other).file_stem().and_then(|stem| stem.to_str()) else { return false };
    let text = &text[..text.len().min(SEARCHED)];
    text.split(|byte| *byte == b'\n').any(|line| {
        let line = String::from_utf8_lossy(line);
        let line = line.trim();
        if line.is_empty() || COMMENTS.iter().any(|begin| line.starts_with(begin)) {
            return false;
        }
        let is_word = |character: char| character.is_alphanumeric() || character == '_';
        let words = || line.split(|character| !is_word(character));
        let sources = line.starts_with(". ") || words().any(|word| IMPORTING.contains(&word));
        // Names such as `my-module` are several words.
        sources && (words().any(|word| word == stem) || (!stem.chars().all(is_word) && line.contains(stem)))
    })
}

fn is_main(name: &str) -> bool {
    Path::new(name).file_stem().is_some_and(|stem| stem.eq_ignore_ascii_case("main"))
}

fn is_test(name: &str) -> bool {
    let stem =
        Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_ascii_lowercase();
    ["test_", "tests_"].iter().any(|begin| stem.starts_with(begin))
        || ["_test", "_tests", ".test", ".spec"].iter().any(|end| stem.ends_with(end))
        || stem == "conftest"
}

fn shown(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .chars()
        .flat_map(char::escape_debug)
        .collect()
}

/// The first of a list.
fn shortened(names: &[String]) -> String {
    const MOST: usize = 5;
    let more = if names.len() > MOST { ", …" } else { "" };
    format!("{}{more}", names[..names.len().min(MOST)].join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(language: &str, parts: &[(&str, &str)], order: Order) -> Result<String, String> {
        let table = Table::built_in().unwrap();
        let parts: Vec<Part<'_>> = parts.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
        let found = table.get(language).unwrap().entry_point(&parts, order);
        found.map(|place| parts[place].0.to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_file_that_imports_the_others_starts() {
        let order = Order::Unknown;
        for (language, helper, start, text) in [
            ("python3", "helper.py", "start.py", "import helper\n"),
            ("python3", "helper.py", "start.py", "from helper import *\n"),
            ("javascript", "helper.js", "start.js", "const h = require('./helper');\n"),
            ("typescript", "helper.ts", "start.ts", "import { f } from './helper';\n"),
            ("ruby", "helper.rb", "start.rb", "require_relative 'helper'\n"),
            ("perl", "Helper.pm", "start.pl", "use Helper;\n"),
            ("php", "helper.php", "start.php", "<?php require 'helper.php';\n"),
            ("lua", "helper.lua", "start.lua", "local h = require(\"helper\")\n"),
            ("rust", "helper.rs", "start.rs", "mod helper;\n"),
            ("bash", "helper.sh", "start.sh", ". ./helper.sh\n"),
        ] {
            assert_eq!(
                entry(language, &[(helper, "x\n"), (start, text)], order),
                Ok(start.to_owned()),
                "{language}"
            );
        }
    }

    #[test]
    fn main_decides_unless_another_file_imports_it() {
        let order = Order::Unknown;
        assert_eq!(entry("python3", &[("a.py", ""), ("Main.py", "")], order), Ok("Main.py".to_owned()));
        assert_eq!(
            entry("python3", &[("main.py", ""), ("run.py", "import main\n")], order),
            Ok("run.py".to_owned())
        );
        assert_eq!(entry("python3", &[("a.py", ""), ("table.txt", "")], order), Ok("a.py".to_owned()));
        let tested = [("solution.py", ""), ("test_solution.py", "import solution\n")];
        assert_eq!(entry("python3", &tested, order), Ok("solution.py".to_owned()));
        let java =
            [("A.java", "class A {}"), ("B.java", "class B { public static void main(String[] a) {} }")];
        assert_eq!(entry("java17", &java, order), Ok("B.java".to_owned()));
    }

    #[test]
    fn nothing_is_guessed_where_nothing_decides() {
        let error = entry("python3", &[("a.py", "# import b\n"), ("b.py", "")], Order::Unknown).unwrap_err();
        assert_eq!(error, "cannot tell which file the program starts with: 'a.py', 'b.py'");
        // All are compiled alike.
        assert_eq!(entry("cpp20", &[("a.cpp", ""), ("b.cpp", "")], Order::Unknown), Ok("a.cpp".to_owned()));
    }

    #[test]
    fn the_first_starts_unless_the_files_say_otherwise() {
        let order = Order::FirstStarts;
        assert_eq!(entry("python3", &[("a.py", ""), ("b.py", "")], order), Ok("a.py".to_owned()));
        assert_eq!(entry("python3", &[("b.py", "import a"), ("a.py", "")], order), Ok("b.py".to_owned()));
        let error = entry("python3", &[("helper.py", ""), ("start.py", "import helper")], order).unwrap_err();
        assert!(error.contains("'helper.py', which is first, or with 'start.py'"), "{error}");
    }

    #[test]
    fn files_of_several_languages_need_a_main() {
        let table = Table::built_in().unwrap();
        let guess = |names: &[&str], entry: Option<&str>| {
            let files: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
            let found = table.guess_submission(&files, entry.map(Path::new));
            found.map(|language| language.id.clone()).map_err(|error| error.to_string())
        };
        assert_eq!(guess(&["main.py", "wrong.cpp"], None).as_deref(), Ok("python3"));
        assert_eq!(guess(&["a.py", "wrong.cpp"], Some("wrong.cpp")).as_deref(), Ok("cpp20"));
        assert_eq!(guess(&["a.h", "a.cc", "notes.txt"], None).as_deref(), Ok("cpp20"));
        let error = guess(&["a.py", "wrong.cpp"], None).unwrap_err();
        assert_eq!(
            error,
            "the files are in several languages: 'a.py' is Python 3, 'wrong.cpp' is C++20 (GCC)"
        );
        assert!(guess(&["notes.txt"], None).unwrap_err().contains("'notes.txt'"));
    }
}
