//! Adds a package's own files to a submission: stubs, graders, headers, data.
//!
//! The submission's language alone decides which files are added. They replace its files of the same name and are compiled
//! with it as one program, so all of them are in the cache's key. The compiler's log may quote the jury's files; contestants
//! see only the lines about their own.

use std::collections::HashSet;
use std::path::Path;

use crate::judge::compile::language_hint::language_named;
use crate::judge::fault::Fault;
use crate::judge::files;
use crate::judge::request::{Source, convert, names_of};
use crate::language::{Artifact, Joining, Language, Table};
use crate::package::{Include, LanguageHint, Package};
use crate::units::Bytes;

/// Largest size of all files of one entry together.
const SIZE_LIMIT: u64 = 256 << 20;

/// A submission's files with those of the package.
#[derive(Debug)]
pub(crate) struct Joined {
    /// The entry point first.
    pub(crate) sources: Vec<Source>,
    /// Further arguments of the compiler.
    pub(crate) flags: Vec<String>,
    /// Warnings about files of the submission that the package's own files replace.
    pub(crate) warnings: Vec<String>,
    /// Lines of the package's own files that the submission does not have.
    secret: HashSet<String>,
}

/// Adds the package's files for this language to the submission's.
///
/// # Errors
/// When the language cannot take them, or they cannot be read.
pub(crate) fn join(
    package: &Package,
    table: &Table,
    language: &Language,
    submitted: &[Source],
) -> Result<Joined, Fault> {
    let mut joined = join_includes(package, table, language, submitted)?;
    let way = language.unbuffered.as_ref().filter(|_| package.unbuffered);
    if let Some((name, text)) = way.and_then(|way| way.file.as_ref()) {
        let file = Source { name: name.clone(), bytes: text.clone().into_bytes() };
        joined.warnings.extend(replace(&mut joined.sources, vec![file]));
    }
    Ok(joined)
}

fn join_includes(
    package: &Package,
    table: &Table,
    language: &Language,
    submitted: &[Source],
) -> Result<Joined, Fault> {
    let Some(include) = choose(&package.includes, table, language) else {
        let sources = submitted.to_vec();
        return Ok(Joined { sources, flags: Vec::new(), warnings: Vec::new(), secret: HashSet::new() });
    };
    if language.joins == Joining::Never && include.files.iter().any(|file| !language.is_data(&file.name)) {
        return Err(Fault::Package(format!(
            "problem '{}' compiles files of its own with submissions, which is not possible in language '{}'; leave it \
             out of the problem's languages",
            package.name, language.id
        )));
    }
    let mut included = read(include)?;
    let names = [names_of(submitted), names_of(&included)].concat();
    convert(&mut included, &names, language)
        .map_err(|error| Fault::Package(format!("problem '{}': {error}", package.name)))?;
    let around = [&include.submission_prefix, &include.submission_suffix];
    let around = around.map(|text| Source { name: String::new(), bytes: text.as_bytes().to_vec() });
    let mut secret = lines_of(&included);
    secret.extend(lines_of(&around));
    for line in lines_of(submitted) {
        secret.remove(&line);
    }
    let mut sources = named_as_asked(submitted, include, language);
    if let Some(own) = sources.first_mut() {
        own.bytes.splice(0..0, include.submission_prefix.bytes());
        own.bytes.extend_from_slice(include.submission_suffix.as_bytes());
    }
    let warnings = replace(&mut sources, included);
    if let Some(entry) = &include.entry_point {
        let place = sources.iter().position(|source| source.name == *entry).ok_or_else(|| {
            Fault::Package(format!(
                "problem '{}' starts with its file '{entry}', which is not there",
                package.name
            ))
        })?;
        let entry = sources.remove(place);
        sources.insert(0, entry);
    }
    Ok(Joined { sources, flags: include.flags.clone(), warnings, secret })
}

/// Returns the entry for a language: one that names it, else the one for all others.
fn choose<'a>(includes: &'a [Include], table: &Table, language: &Language) -> Option<&'a Include> {
    let by = |is: &dyn Fn(&LanguageHint) -> bool| {
        includes.iter().find(|include| include.language.as_ref().is_some_and(is))
    };
    by(&|hint| *hint == LanguageHint::Id(language.id.clone()))
        .or_else(|| by(&|hint| means(hint, table, language)))
        .or_else(|| includes.iter().find(|include| include.language.is_none()))
}

/// Returns whether a hint names a language or another one of its family: files for C++ are for every C++ of the table.
fn means(hint: &LanguageHint, table: &Table, language: &Language) -> bool {
    match hint {
        LanguageHint::Files => false,
        LanguageHint::Id(id) => *id == language.id,
        LanguageHint::Ending(ending) => language.extensions.contains(ending),
        LanguageHint::Kattis(_) | LanguageHint::Polygon(_) | LanguageHint::Dmoj(_) => {
            language_named(table, hint).is_some_and(|named| named.extensions == language.extensions)
        }
    }
}

fn read(include: &Include) -> Result<Vec<Source>, Fault> {
    let mut left = SIZE_LIMIT;
    let mut sources = Vec::with_capacity(include.files.len());
    for file in &include.files {
        let broken =
            |problem: String| Fault::Package(format!("cannot read {}: {problem}", file.path.display()));
        let bytes = files::read_at_most(&file.path, left + 1).map_err(|error| broken(error.to_string()))?;
        left = left
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| broken(format!("what is included has more than {}", Bytes(SIZE_LIMIT))))?;
        sources.push(Source { name: file.name.clone(), bytes });
    }
    Ok(sources)
}

/// Returns the submission's files, with the entry point under the name that the package asks for; a file that has the name
/// already is taken for the entry point.
fn named_as_asked(submitted: &[Source], include: &Include, language: &Language) -> Vec<Source> {
    let mut sources = submitted.to_vec();
    let Some(name) = &include.submission_name else { return sources };
    let name = match (name.contains('.'), Path::new(&language.default_source).extension()) {
        (false, Some(ending)) => format!("{name}.{}", ending.to_string_lossy()),
        _ => name.clone(),
    };
    match sources.iter().position(|source| source.name == name) {
        Some(place) => {
            let own = sources.remove(place);
            sources.insert(0, own);
        }
        None => {
            if let Some(own) = sources.first_mut() {
                own.name = name;
            }
        }
    }
    sources
}

/// Adds the package's files and removes files with their names or the names of their folders. Returns a warning for each
/// removed file.
fn replace(sources: &mut Vec<Source>, included: Vec<Source>) -> Vec<String> {
    let is_folder_of =
        |folder: &str, file: &str| file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let mut warnings = Vec::new();
    sources.retain(|own| {
        let clashes = |other: &&Source| {
            own.name == other.name
                || is_folder_of(&own.name, &other.name)
                || is_folder_of(&other.name, &own.name)
        };
        let Some(other) = included.iter().find(clashes) else { return true };
        // Equal files are copies that contestants were given to try their solutions with.
        if own.name != other.name || own.bytes != other.bytes {
            let name = own.name.escape_debug();
            warnings.push(format!(
                "file '{name}' of the submission is not used: the problem has a file of that name; rename it"
            ));
        }
        false
    });
    sources.extend(included);
    warnings
}

/// Returns the lines with letters or digits, trimmed.
fn lines_of(sources: &[Source]) -> HashSet<String> {
    let lines = sources.iter().flat_map(|source| source.bytes.split(|byte| *byte == b'\n'));
    lines
        .map(|line| String::from_utf8_lossy(line).trim().to_owned())
        .filter(|line| says_something(line))
        .collect()
}

fn says_something(line: &str) -> bool {
    line.chars().any(char::is_alphanumeric)
}

impl Joined {
    /// Returns the files that are not compiled, which the program may read.
    pub(crate) fn data(&self, language: &Language) -> Vec<&Source> {
        let names: Vec<String> = self.sources.iter().map(|source| source.name.clone()).collect();
        let compiled = language.compiler_sources(&names);
        let is_data = |source: &&Source| language.is_data(&source.name) && !compiled.contains(&source.name);
        self.sources.iter().filter(is_data).collect()
    }

    /// Returns the files of an interpreted program, which it may open in its work directory; none for a program of one file.
    pub(crate) fn scripts(&self, language: &Language) -> Vec<&Source> {
        if language.artifact != Artifact::Sources || self.sources.len() < 2 {
            return Vec::new();
        }
        let data = self.data(language);
        self.sources.iter().filter(|source| !data.iter().any(|other| other.name == source.name)).collect()
    }

    /// Returns a compiler's log without the lines that quote the package's files.
    pub(crate) fn for_contestants(&self, log: &str) -> String {
        if self.secret.is_empty() {
            return log.to_owned();
        }
        let mut shown = String::with_capacity(log.len());
        let mut after_quote = false;
        for line in log.lines() {
            let quoted = without_gutter(line);
            // Compilers write marks below a quoted line that point into it.
            let hidden = self.secret.contains(quoted) || (after_quote && !says_something(quoted));
            after_quote = hidden;
            if !hidden {
                shown.push_str(line);
                shown.push('\n');
            }
        }
        shown
    }
}

/// Removes the line number before a quoted line: `   12 | int main()`.
fn without_gutter(line: &str) -> &str {
    let line = line.trim();
    let after_number = line.trim_start_matches(|character: char| character.is_ascii_digit()).trim_start();
    after_number.strip_prefix('|').map_or(line, str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::{Format, PackageLimits, ProgramFile, TimeLimit};

    fn source(name: &str, text: &str) -> Source {
        Source { name: name.to_owned(), bytes: text.as_bytes().to_vec() }
    }

    fn include(language: Option<LanguageHint>) -> Include {
        Include {
            language,
            files: Vec::new(),
            entry_point: None,
            submission_name: None,
            submission_prefix: String::new(),
            submission_suffix: String::new(),
            flags: Vec::new(),
        }
    }

    fn package(includes: Vec<Include>) -> Package {
        let limits = PackageLimits {
            time: TimeLimit::Fixed(std::time::Duration::from_secs(1)),
            wall: None,
            memory: Bytes::mib(64),
            output: Bytes::mib(8),
            code: Bytes::mib(1),
            processes: None,
            compilation_time: None,
            compilation_memory: None,
        };
        Package { includes, ..Package::new("p", "/p".into(), Format::KattisLegacy, limits) }
    }

    #[test]
    fn families_share_what_is_for_one_of_them() {
        let table = Table::built_in().unwrap();
        let kattis = |code: &str| LanguageHint::Kattis(code.to_owned());
        for (hint, takes, leaves) in [
            (kattis("cpp"), vec!["cpp17", "cpp20", "cpp23", "cpp20-clang"], vec!["c17", "java17"]),
            (kattis("c"), vec!["c17", "c17-clang"], vec!["cpp20"]),
            (kattis("python3"), vec!["python3", "pypy3"], vec!["python2"]),
            (kattis("python2"), vec!["python2"], vec!["python3"]),
            (kattis("java"), vec!["java17"], vec!["kotlin", "javascript"]),
            (kattis("no-such"), vec![], vec!["cpp20"]),
            (LanguageHint::Ending("cpp".to_owned()), vec!["cpp17", "cpp20-clang"], vec!["c17"]),
            (LanguageHint::Ending("py".to_owned()), vec!["python3", "pypy3", "python2"], vec!["c17"]),
            (LanguageHint::Dmoj("CPP17".to_owned()), vec!["cpp17", "cpp20"], vec!["c17"]),
            (LanguageHint::Polygon("cpp.g++17".to_owned()), vec!["cpp17", "cpp20"], vec!["c17"]),
            (LanguageHint::Id("cpp17".to_owned()), vec!["cpp17"], vec!["cpp20"]),
        ] {
            for (ids, expected) in [(takes, true), (leaves, false)] {
                for id in ids {
                    assert_eq!(means(&hint, &table, table.get(id).unwrap()), expected, "{hint:?} {id}");
                }
            }
        }
    }

    #[test]
    fn what_names_a_language_wins_over_what_is_for_all() {
        let table = Table::built_in().unwrap();
        let includes = [
            include(None),
            include(Some(LanguageHint::Kattis("cpp".to_owned()))),
            include(Some(LanguageHint::Id("cpp17".to_owned()))),
        ];
        for (id, place) in [("cpp17", 2), ("cpp20", 1), ("python3", 0)] {
            let chosen = choose(&includes, &table, table.get(id).unwrap()).unwrap();
            assert!(std::ptr::eq(chosen, &raw const includes[place]), "{id}");
        }
        assert!(choose(&includes[1..], &table, table.get("python3").unwrap()).is_none());
    }

    #[test]
    fn files_of_the_package_replace_those_of_their_names() {
        let mut sources = vec![source("main.py", "own"), source("lib", "file"), source("keep.py", "own")];
        sources.push(source("same.py", "jury"));
        let jury = vec![source("main.py", "jury"), source("lib/a.py", "jury"), source("same.py", "jury")];
        let warnings = replace(&mut sources, jury);
        assert!(
            warnings.len() == 2 && warnings[0].contains("'main.py'") && warnings[1].contains("'lib'"),
            "{warnings:?}"
        );
        let names: Vec<_> = sources.iter().map(|source| source.name.as_str()).collect();
        assert_eq!(names, ["keep.py", "main.py", "lib/a.py", "same.py"]);
    }

    #[test]
    fn the_entry_point_comes_first_and_the_submission_under_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("grader.py");
        std::fs::write(&path, "import task\nprint(task.solve())\n").unwrap();
        let table = Table::built_in().unwrap();
        let package = package(vec![Include {
            files: vec![ProgramFile { name: "grader.py".to_owned(), path }],
            entry_point: Some("grader.py".to_owned()),
            submission_name: Some("task".to_owned()),
            submission_prefix: "# of the jury\n".to_owned(),
            submission_suffix: "\n# and after it\n".to_owned(),
            ..include(None)
        }]);
        let python = table.get("python3").unwrap();
        for submitted in [vec![source("x.py", "def")], vec![source("help.py", "x"), source("task.py", "def")]]
        {
            let joined = join(&package, &table, python, &submitted).unwrap();
            let first: Vec<_> = joined.sources.iter().map(|source| source.name.as_str()).take(2).collect();
            assert_eq!(first, ["grader.py", "task.py"]);
            assert_eq!(joined.sources[1].bytes, b"# of the jury\ndef\n# and after it\n");
        }
        let lisp = table.get("lisp").unwrap();
        let refused = join(&package, &table, lisp, &[source("x.lisp", "()")]);
        // Only data can be put beside a program of one file.
        assert!(refused.is_ok());
    }

    #[test]
    fn lines_of_the_jurys_files_are_not_shown() {
        let joined = Joined {
            sources: Vec::new(),
            flags: Vec::new(),
            warnings: Vec::new(),
            secret: ["int key = 42;".to_owned(), "x = y".to_owned()].into(),
        };
        let log = "a.cpp:1:2: error: no\n    1 | int key = 42;\n      |     ^~~\n    2 | int mine;\n      |   ^\nlinker: undefined\n  x = y\n  ^\nend\n";
        let shown = "a.cpp:1:2: error: no\n    2 | int mine;\n      |   ^\nlinker: undefined\nend\n";
        assert_eq!(joined.for_contestants(log), shown);
    }
}
