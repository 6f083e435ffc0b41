//! Which language a set of files is in, when nobody said.
//!
//! Endings decide; where several languages share one, a first line `#!…` that names one of them, then a line that only
//! one of them has (`.pl` is Perl's and Prolog's, and packages hold both); where there is no known ending, the first
//! line alone. Nothing else of a file is looked at: a guess that depended on more of a program's text could be
//! argued with.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::encoding::to_utf8_lossy;
use super::{Language, Table};
use crate::nearest::nearest;

/// Endings of files that belong to a program without saying in which language it is.
const HEADERS: &[&str] = &["h", "hh", "hpp", "hxx", "h++", "inc"];

/// How much of a file is read for its first line; the kernel itself looks at no more than 256 bytes.
const FIRST_LINE_LIMIT: u64 = 4096;

/// How much of a file is read for a line that tells languages apart.
const MARK_LIMIT: u64 = 65536;

/// Names that people and other judges have for languages, and ids or families of the built-in table.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("c#", "csharp"),
    ("clang", "c17-clang"),
    ("clang++", "cpp20-clang"),
    ("clangx", "cpp20-clang"),
    ("g++", "cpp"),
    ("gcc", "c"),
    ("golang", "go"),
    ("hask", "haskell"),
    ("java8", "java"),
    ("java11", "java"),
    ("monocs", "csharp"),
    ("node", "javascript"),
    ("nodejs", "javascript"),
    ("py2", "python2"),
    ("py3", "python3"),
    ("shell", "bash"),
    ("v8js", "javascript"),
];

/// Stands for any interpreter in a language's `shebangs`.
const ANY: &str = "*";

impl Table {
    /// The language of a set of source files: the one whose endings fit the most of them (headers not
    /// counted), the one a first line `#!…` names winning over the others, then earlier ones in the table;
    /// where no ending is known, the language of the first file with a first line `#!…`. Files that cannot be
    /// read count as having none.
    pub fn guess(&self, files: &[PathBuf]) -> Option<&Language> {
        self.by_ending(files).or_else(|| files.iter().find_map(|file| self.by_first_line(file)))
    }

    /// The language of an id, of the family that a code without a version names, of another judge's code, or of an
    /// ending, in capitals or not: `cpp` is the first of `cpp20`, `cpp23` and so on in the table, `PY3` is Python 3, `js`
    /// is JavaScript. Every command and every message takes the same names.
    pub fn named(&self, code: &str) -> Option<&Language> {
        let family = |code: &str| {
            let is_one =
                |language: &&Language| language.id.trim_end_matches(|c: char| c.is_ascii_digit()) == code;
            self.get(code).or_else(|| self.languages.iter().find(is_one))
        };
        let ending = |code: &str| {
            self.languages.iter().find(|language| language.extensions.iter().any(|known| known == code))
        };
        let plain = code.to_ascii_lowercase();
        let other = || OTHER_NAMES.iter().find(|(name, _)| *name == plain).and_then(|(_, id)| family(id));
        family(code).or_else(|| family(&plain)).or_else(other).or_else(|| ending(&plain))
    }

    /// What is wrong with a name that [`Table::named`] does not know, with one that is like it and all that are known.
    pub fn unknown(&self, code: &str) -> String {
        let ids = || self.languages.iter().map(|language| language.id.as_str());
        let plain = code.to_ascii_lowercase();
        let meant = nearest(&plain, ids().chain(OTHER_NAMES.iter().map(|(name, _)| *name)));
        let meant = meant.map_or_else(String::new, |meant| format!("; did you mean '{meant}'?"));
        let shown: String = code.chars().take(80).flat_map(char::escape_debug).collect();
        format!("unknown language '{shown}'{meant} (known are {})", ids().collect::<Vec<_>>().join(", "))
    }

    /// Whether files of this ending are sources of some language, or headers.
    pub fn has_ending(&self, ending: &str) -> bool {
        HEADERS.contains(&ending)
            || self.languages.iter().any(|language| language.extensions.iter().any(|own| own == ending))
    }

    fn by_ending(&self, files: &[PathBuf]) -> Option<&Language> {
        let mut best: Vec<&Language> = Vec::new();
        let mut most = 1;
        for language in &self.languages {
            let count = files.iter().filter(|file| !is_header(file) && language.has_ending_of(file)).count();
            if count > most {
                best.clear();
                most = count;
            }
            if count == most {
                best.push(language);
            }
        }
        // A Python 2 program is no Python 3 program, though both end in .py.
        let named = (best.len() > 1)
            .then(|| files.iter().find_map(|file| interpreter(&first_bytes(file, FIRST_LINE_LIMIT)?)))
            .flatten()
            .and_then(|name| best.iter().find(|language| language.shebangs.contains(&name)));
        let marked = || best.iter().find(|language| files.iter().any(|file| has_mark(file, language)));
        named.or_else(marked).or_else(|| best.first()).copied()
    }

    fn by_first_line(&self, file: &Path) -> Option<&Language> {
        let interpreter = interpreter(&first_bytes(file, FIRST_LINE_LIMIT)?)?;
        let listing = |name: &str| {
            self.languages.iter().find(|language| language.shebangs.iter().any(|known| known == name))
        };
        let unversioned = interpreter.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        listing(&interpreter).or_else(|| listing(unversioned)).or_else(|| listing(ANY))
    }
}

/// Whether a file belongs to a program without saying in which language it is.
pub(super) fn is_header(file: &Path) -> bool {
    file.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| HEADERS.contains(&ending))
}

/// The beginning of a regular file as UTF-8; a FIFO or a device is not waited for.
fn first_bytes(file: &Path, limit: u64) -> Option<Vec<u8>> {
    if !fs::metadata(file).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(file).ok()?.take(limit).read_to_end(&mut bytes).ok()?;
    Some(to_utf8_lossy(&bytes).into_owned())
}

/// Whether a line of the file begins or ends with what only this language has there.
fn has_mark(file: &Path, language: &Language) -> bool {
    let Some(mark) = language.line_mark.as_ref().filter(|_| language.has_ending_of(file)) else {
        return false;
    };
    let is_marked = |line: &[u8]| {
        let line = line.trim_ascii();
        line.starts_with(mark.as_bytes()) || line.ends_with(mark.as_bytes())
    };
    first_bytes(file, MARK_LIMIT).is_some_and(|bytes| bytes.split(|byte| *byte == b'\n').any(is_marked))
}

/// The interpreter's name in a first line: `python3` of `#!/usr/bin/env -S python3 -u`.
fn interpreter(bytes: &[u8]) -> Option<String> {
    let line = bytes.strip_prefix(b"#!")?;
    let line = line.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_ascii_whitespace();
    let program = base_name(words.next()?);
    if program != "env" {
        return Some(program.to_owned());
    }
    let command = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
    Some(base_name(command).to_owned())
}

fn base_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn guess(names: &[&str]) -> Option<String> {
        let table = Table::built_in().unwrap();
        let files: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
        table.guess(&files).map(|language| language.id.clone())
    }

    #[test]
    fn endings_decide_and_the_first_in_the_table_wins() {
        for (name, id) in [
            ("a.c", "c17"),
            ("a.cpp", "cpp20"),
            ("a.cc", "cpp20"),
            ("a.C", "cpp20"),
            ("a.rs", "rust"),
            ("a.go", "go"),
            ("A.java", "java17"),
            ("a.kt", "kotlin"),
            ("a.py", "python3"),
            ("a.js", "javascript"),
            ("a.ts", "typescript"),
            ("a.cs", "csharp"),
            ("a.hs", "haskell"),
            ("a.ml", "ocaml"),
            ("a.pas", "pascal"),
            ("a.pl", "perl"),
            ("a.sh", "bash"),
            ("odd name.-.rb", "ruby"),
        ] {
            assert_eq!(guess(&[name]).as_deref(), Some(id), "{name}");
        }
    }

    #[test]
    fn codes_without_a_version_name_the_first_of_the_family() {
        let table = Table::built_in().unwrap();
        for (code, id) in [
            ("c", Some("c17")),
            ("cpp", Some("cpp20")),
            ("cpp17", Some("cpp17")),
            ("java", Some("java17")),
            ("python3", Some("python3")),
            ("python", Some("python3")),
            ("PY3", Some("python3")),
            ("CPP17", Some("cpp17")),
            ("c++", Some("cpp20")),
            ("js", Some("javascript")),
            ("rb", Some("ruby")),
            ("golang", Some("go")),
            ("pyton3", None),
            ("cp", None),
            ("", None),
        ] {
            assert_eq!(table.named(code).map(|language| language.id.as_str()), id, "{code}");
        }
    }

    #[test]
    fn headers_do_not_count_and_most_files_win() {
        assert_eq!(guess(&["a.h", "b.hpp", "main.cpp"]).as_deref(), Some("cpp20"));
        assert_eq!(guess(&["a.h"]), None);
        assert_eq!(guess(&["a.c", "b.cpp", "c.cpp"]).as_deref(), Some("cpp20"));
        assert_eq!(guess(&["notes.txt", "main.py"]).as_deref(), Some("python3"));
    }

    #[test]
    fn nothing_is_guessed_from_nothing() {
        assert_eq!(guess(&[]), None);
        assert_eq!(guess(&["/no/such/file"]), None);
        assert_eq!(guess(&["a.unheard-of"]), None);
        assert_eq!(guess(&["/dev/null", "/dev/zero", "/"]), None);
    }

    #[test]
    fn a_rule_makes_a_file_prolog_where_perl_has_the_same_ending() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("main.pl");
        for (text, id) in [
            ("main :-\n    halt.\n", "prolog"),
            (":- initialization(main).\r\n", "prolog"),
            ("print 1;\n", "perl"),
            ("print $less ? 1 :-1;\n", "perl"),
            ("#!/usr/bin/perl\n# main :-\n", "perl"),
        ] {
            fs::write(&path, text).unwrap();
            let table = Table::built_in().unwrap();
            assert_eq!(table.guess(std::slice::from_ref(&path)).unwrap().id, id, "{text}");
        }
    }

    #[test]
    fn first_lines_decide_where_endings_do_not() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("solution");
        for (text, id) in [
            ("#!/usr/bin/python3\n", Some("python3")),
            ("#!/usr/bin/env pypy3\n", Some("pypy3")),
            ("#!/usr/bin/env -S LC_ALL=C perl -w\n", Some("perl")),
            ("#! /bin/sh\r\n", Some("bash")),
            ("#!/usr/bin/ruby3.1", Some("ruby")),
            ("#!/opt/own/thing\n", Some("script")),
            ("#!\n", None),
            ("#", None),
            ("", None),
            ("print(1)\n", None),
        ] {
            fs::write(&file, text).unwrap();
            let found = guess(&[file.to_str().unwrap()]);
            assert_eq!(found.as_deref(), id, "{text:?}");
        }
    }

    #[test]
    fn first_lines_decide_between_languages_of_one_ending_only() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("solution.py");
        for (text, id) in [
            ("#!/usr/bin/env python2\n", "python2"),
            ("#!/usr/bin/python2.7\n", "python2"),
            ("#!/usr/bin/env pypy3\n", "pypy3"),
            ("#!/usr/bin/python\n", "python3"),
            ("#!/usr/bin/perl\n", "python3"),
            ("print(1)\n", "python3"),
        ] {
            fs::write(&file, text).unwrap();
            assert_eq!(guess(&[file.to_str().unwrap()]).as_deref(), Some(id), "{text:?}");
        }
        assert_eq!(guess(&["a.py2"]).as_deref(), Some("python2"));
    }

    #[test]
    fn a_fifo_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("solution");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(guess(&[fifo.to_str().unwrap()]), None);
    }

    proptest! {
        #[test]
        fn any_first_line_is_read_without_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = interpreter(&bytes);
            bytes.splice(0..0, *b"#!");
            let _ = interpreter(&bytes);
        }
    }
}
