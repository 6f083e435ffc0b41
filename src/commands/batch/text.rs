//! Recognizes students' files by their names, and the folders that their texts import from.

use crate::language::{Language, Table, encoding};

/// Endings of archives that are unpacked; `jar` is what Java tools export.
pub(super) const ARCHIVES: [&str; 9] = ["zip", "tar", "tgz", "gz", "zst", "jar", "rar", "7z", "bz2"];

/// What a file of a student's is, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// A source under this name.
    Source(String),
    /// A notebook.
    Notebook,
    /// An archive.
    Archive,
    /// Anything else.
    Other,
}

/// Says what a file is by its name. Endings are known in any case, and with the `.txt` that mail programs and learning
/// platforms add.
pub(super) fn form(name: &str, table: &Table) -> Form {
    let Some((stem, ending)) = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()) else {
        return Form::Other;
    };
    let lower = ending.to_ascii_lowercase();
    if lower == "txt" {
        return match form(stem, table) {
            Form::Source(name) => Form::Source(name),
            _ => Form::Other,
        };
    }
    // Where everything is in capitals the ending's case means nothing: MAIN.C is C, main.C is C++.
    let is_loud = stem.bytes().any(|byte| byte.is_ascii_uppercase())
        && !stem.bytes().any(|byte| byte.is_ascii_lowercase())
        && table.has_ending(&lower);
    if table.has_ending(ending) && !is_loud {
        return Form::Source(name.to_owned());
    }
    if table.has_ending(&lower) {
        return Form::Source(format!("{stem}.{lower}"));
    }
    match lower.as_str() {
        "ipynb" => Form::Notebook,
        ending if ARCHIVES.contains(&ending) => Form::Archive,
        _ => Form::Other,
    }
}

/// A file's name without its endings: `anna` of `anna.py.txt` and of `anna.tar.gz`.
pub(super) fn stem(name: &str) -> &str {
    let cut = |name: &str| name.rfind('.').filter(|place| *place > 0);
    let Some(place) = cut(name) else { return name };
    let (stem, ending) = name.split_at(place);
    let is_wrapped = [".txt", ".gz", ".zst"].iter().any(|wrapper| ending.eq_ignore_ascii_case(wrapper));
    match cut(stem) {
        Some(place) if is_wrapped => stem.split_at(place).0,
        _ => stem,
    }
}

/// Whether files of a language say themselves in which package they are, so that their folders mean nothing.
pub(super) fn declares_packages(name: &str) -> bool {
    [".java", ".kt", ".scala", ".cs"].iter().any(|ending| name.ends_with(ending))
}

/// Whether a line of a text imports something from a folder of that name: `from utils.io import read`,
/// `#include "lib/tree.h"`. Comments and other text with the folder's name do not count.
pub(super) fn names_folder(text: &[u8], folder: &str) -> bool {
    String::from_utf8_lossy(&encoding::to_utf8_lossy(text))
        .lines()
        .any(|line| imports_from(line.trim(), folder))
}

/// Whether a line is an import whose path has this folder in it.
fn imports_from(line: &str, folder: &str) -> bool {
    if ["//", "/*", "*", "--"].iter().any(|comment| line.starts_with(comment)) {
        return false;
    }
    let directive = line.strip_prefix('#').map(str::trim_start);
    let statement = match directive {
        Some(rest) if rest.starts_with("include") || rest.starts_with("import") => rest,
        Some(_) => return false,
        None => line.strip_prefix("pub ").unwrap_or(line).trim_start(),
    };
    let (word, rest) = statement.split_at(statement.find(|c| !is_word(c)).unwrap_or(statement.len()));
    let rest = rest.trim();
    let is_in_path = |path: &str| path.split(['/', '\\']).any(|part| part == folder);
    let is_in_name = |path: &str| path.split(|c| !is_word(c)).any(|part| part == folder);
    let named = |path: &str| if path.contains('/') { is_in_path(path) } else { is_in_name(path) };
    if let Some(path) = rest.strip_prefix('<').and_then(|rest| rest.split('>').next()) {
        return is_in_path(path);
    }
    if !["import", "from", "include", "use", "mod", "export"].contains(&word) {
        return required(line).is_some_and(named);
    }
    if let Some(path) = quoted(rest) {
        return is_in_path(path);
    }
    match word {
        // `from . import utils` names a folder, `from tree import utils` does not.
        "from" => rest.split_once(" import ").is_some_and(|(path, names)| {
            let path = path.trim();
            let is_here = !path.is_empty() && path.bytes().all(|byte| byte == b'.');
            is_in_name(if is_here { names.split('#').next().unwrap_or_default() } else { path })
        }),
        // Several modules; each may get another name, which is no path.
        "import" => rest.split(['#', ';']).next().unwrap_or_default().split(',').any(|module| {
            let mut words = module.split_whitespace();
            let path = words.next().unwrap_or_default();
            matches!(words.next(), None | Some("as")) && is_in_name(path)
        }),
        "use" | "mod" => is_in_name(rest.split([';', '#']).next().unwrap_or_default()) && rest.contains(';'),
        _ => false,
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The text in the first quotation marks.
fn quoted(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once(['"', '\''])?;
    rest.split(['"', '\'']).next()
}

/// The path in a call of `require`, `require_once` or `require_relative`.
fn required(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("require")?;
    let rest = rest.trim_start_matches(is_word).trim_start();
    let is_call = !before.ends_with(is_word) && rest.starts_with(['(', '"', '\'']);
    is_call.then(|| quoted(rest)).flatten()
}

/// The name a text of no known ending gets in a language.
pub(super) fn named_for(language: &Language) -> String {
    language.default_source.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_known_in_any_case_and_below_a_txt() {
        let table = Table::built_in().unwrap();
        let source = |name: &str| Form::Source(name.to_owned());
        for (name, expected) in [
            ("main.py", source("main.py")),
            ("main.PY", source("main.py")),
            ("MAIN.C", source("MAIN.c")),
            ("main.C", source("main.C")),
            ("Main.java.txt", source("Main.java")),
            ("main.Py.TXT", source("main.py")),
            ("tree.H", source("tree.h")),
            ("a.ipynb", Form::Notebook),
            ("a.ZIP", Form::Archive),
            ("a.tar.gz", Form::Archive),
            ("notes.txt", Form::Other),
            ("report.pdf", Form::Other),
            ("README", Form::Other),
            (".py", Form::Other),
        ] {
            assert_eq!(form(name, &table), expected, "{name}");
        }
    }

    #[test]
    fn stems_are_without_wrappers() {
        for (name, expected) in
            [("anna.py", "anna"), ("anna.py.txt", "anna"), ("a.b.tar.gz", "a.b"), ("x", "x"), (".x", ".x")]
        {
            assert_eq!(stem(name), expected, "{name}");
        }
    }

    #[test]
    fn folders_are_named_by_imports_alone() {
        for text in [
            "from utils.io import read",
            "    from .utils import read",
            "from . import io, utils",
            "import utils",
            "import sys, utils.io as io",
            "#include \"utils/a.h\"",
            "#  include <utils/a.h>",
            "const a = require('./utils/a')",
            "require_relative 'utils/a'",
            "local a = require \"utils.a\"",
            "import {a} from './utils/a.js';",
            "export * from \"../utils/a.js\"",
            "pub mod utils;",
            "use crate::utils::a;",
        ] {
            assert!(names_folder(text.as_bytes(), "utils"), "{text}");
        }
        for text in [
            "import sys",
            "from myutils import x",
            "# utils are nice",
            "print('utils')",
            "# use the utils data",
            "// import utils",
            " * from utils import x",
            "x = 1  # from utils import x",
            "import sys  # utils",
            "from math import utils",
            "from utils we take",
            "import numpy as utils",
            "use the utils data",
            "#include \"utils.h\"",
            "# require('utils')",
            "required = 'utils'",
            "import a from './b.js' // utils",
        ] {
            assert!(!names_folder(text.as_bytes(), "utils"), "{text}");
        }
    }
}
