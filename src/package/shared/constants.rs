//! Replaces the `constants` of ICPC 2025-09 packages: `{{name}}` in programs and settings stands for a value of `problem.yaml`.
//!
//! Replaced are validators, included files, the jury's submissions and `test_group.yaml` (ICPC 2025-09, "Constants"), and
//! generators with their commands, as in BAPCtools. The package itself is never written to: a program in which something is replaced is read from a copy of
//! the file in the cache. As BAPCtools has it, a constant may be a map of spellings of one value: `{{name}}` and
//! `{{name.value}}` are its `value`, `{{name.SPELLING}}` another.

use std::path::{Path, PathBuf};

use crate::cache::KeyBuilder;
use crate::package::model::{Interaction, Package, ProgramFile};
use crate::package::source::derived::DerivedFiles;
use crate::package::source::diagnostics::did_you_mean;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::tree::{below, read_at_most};
use crate::package::source::yaml::{Node, Value};

/// No source in which something is replaced comes near it.
const LARGEST: u64 = 4 << 20;
/// Undefined names reported for one file.
const MOST_REPORTED: usize = 5;
/// Bytes of a value: a file of nothing but constants must not grow beyond measure.
const LONGEST: usize = 256;

/// Names and values; none where the package has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Constants(pub Vec<(String, String)>);

impl Constants {
    /// Reads the map; `text` is the whole file's, in which numbers stand as they were written.
    ///
    /// # Errors
    /// When a name is none, or a value is neither number, text nor a map of spellings with a `value`.
    pub(crate) fn read(node: &Node, text: &str) -> Result<Self, PackageError> {
        let mut constants = Vec::new();
        for (name, node) in node.map("constants")? {
            let path = format!("constants.{}", one_line(name));
            check_name(name, node, &path)?;
            let Value::Map(spellings) = &node.value else {
                constants.push((name.clone(), spelled(node, name, &path, text)?));
                continue;
            };
            for (spelling, node) in spellings {
                let path = format!("{path}.{}", one_line(spelling));
                check_name(spelling, node, &path)?;
                let value = spelled(node, spelling, &path, text)?;
                if spelling == "value" {
                    constants.push((name.clone(), value.clone()));
                }
                constants.push((format!("{name}.{spelling}"), value));
            }
            if !spellings.iter().any(|(spelling, _)| spelling == "value") {
                let problem = "it has no 'value'";
                return Err(PackageError::value(
                    node.line,
                    &path,
                    problem,
                    "add the constant's usual spelling as value",
                ));
            }
        }
        Ok(Self(constants))
    }

    /// The bytes with every constant in them replaced; `None` where there is none.
    pub(crate) fn replace(&self, text: &[u8]) -> Option<Vec<u8>> {
        // No end of a name is looked for beyond the longest, so that braces cost no more than other text.
        let longest = self.0.iter().map(|(name, _)| name.len()).max()? + 2;
        let mut replaced: Option<Vec<u8>> = None;
        let (mut rest, mut done) = (text, 0);
        while let Some(start) = memchr::memmem::find(rest, b"{{") {
            let inner = &rest[start + 2..];
            let end = memchr::memmem::find(&inner[..longest.min(inner.len())], b"}}");
            let value = end.and_then(|end| self.value(&inner[..end]).map(|value| (end, value)));
            if let Some((end, value)) = value {
                let out = replaced.get_or_insert_default();
                out.extend_from_slice(&text[done..text.len() - rest.len() + start]);
                out.extend_from_slice(value.as_bytes());
                rest = &inner[end + 2..];
                done = text.len() - rest.len();
            } else {
                rest = &rest[start + 1..];
            }
        }
        if let Some(out) = &mut replaced {
            out.extend_from_slice(&text[done..]);
        }
        replaced
    }

    fn value(&self, name: &[u8]) -> Option<&str> {
        self.0.iter().find(|(own, _)| own.as_bytes() == name).map(|(_, value)| value.as_str())
    }

    /// Names that stand in a text as constants do and are none: misspelt, perhaps. They stay as they are.
    fn undefined(&self, text: &[u8]) -> Vec<String> {
        let mut names = Vec::new();
        for start in memchr::memmem::find_iter(text, b"{{") {
            let inner = text.get(start + 2..).unwrap_or_default();
            let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
            let length = inner.iter().take(LONGEST).take_while(|byte| is_name(byte)).count();
            let (name, rest) = inner.split_at(length);
            let begins = name.first().is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_');
            if begins && rest.starts_with(b"}}") && self.value(name).is_none() && names.len() < MOST_REPORTED
            {
                let name = String::from_utf8_lossy(name).into_owned();
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }

    /// Lets every program of the package that asks for a constant be read from a copy that has it.
    ///
    /// # Errors
    /// When a file cannot be read, or a copy is needed and there is no place for it.
    pub(crate) fn apply(
        &self,
        package: &mut Package,
        derived: Option<&DerivedFiles>,
    ) -> Result<(), PackageError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut wanted: Vec<(usize, Vec<u8>)> = Vec::new();
        let (root, mut warnings) = (package.directory.clone(), Vec::new());
        for (place, path) in paths(package).into_iter().enumerate() {
            let bytes = read_at_most(path, LARGEST + 1)?;
            for name in self.undefined(&bytes) {
                let meant = did_you_mean(&name, self.0.iter().map(|(name, _)| name.as_str()));
                warnings.push(format!(
                    "{}: {{{{{name}}}}} is no constant of problem.yaml{meant}",
                    below(&root, path)
                ));
            }
            let Some(text) = self.replace(&bytes) else { continue };
            if bytes.len() as u64 > LARGEST {
                let problem =
                    format!("there are constants in it, and it is larger than {} MiB", LARGEST >> 20);
                let remedy = "write their values into the file";
                return Err(PackageError::value(0, "", problem, remedy).in_file(path));
            }
            wanted.push((place, text));
        }
        warnings.dedup();
        package.warnings.append(&mut warnings);
        let Some((first, _)) = wanted.first() else { return Ok(()) };
        let Some(derived) = derived else {
            let path = paths(package).into_iter().nth(*first).map(|path| path.clone()).unwrap_or_default();
            return Err(PackageError::unsupported(
                0,
                "",
                "a constant in a program where there is no cache",
                "write its value into the file",
            )
            .in_file(&path));
        };
        let mut key = KeyBuilder::default().field("kind", "constants");
        for (place, text) in &wanted {
            key = key.field("place", place.to_string()).field("text", text);
        }
        let mut paths = paths(package);
        for (place, _) in &wanted {
            let name = paths.get(*place).and_then(|path| path.file_name()).unwrap_or_default();
            key = key.field("name", name.as_encoded_bytes());
        }
        let lease = derived.make(key, |directory| {
            for (place, text) in &wanted {
                let Some(path) = paths.get(*place) else { continue };
                let copy = copy_of(directory, *place, path);
                let folder = copy.parent().unwrap_or(directory);
                std::fs::create_dir_all(folder).map_err(PackageError::io("make", folder))?;
                std::fs::write(&copy, text).map_err(PackageError::io("write", &copy))?;
            }
            Ok(())
        })?;
        for (place, _) in &wanted {
            if let Some(path) = paths.get_mut(*place) {
                **path = copy_of(lease.directory(), *place, path);
            }
        }
        package.leases.push(lease);
        Ok(())
    }
}

fn check_name(name: &str, node: &Node, path: &str) -> Result<(), PackageError> {
    let begins = |first: char| first.is_ascii_alphabetic() || first == '_';
    let goes_on = |character: char| character.is_ascii_alphanumeric() || character == '_';
    if name.starts_with(begins) && name.chars().all(goes_on) {
        return Ok(());
    }
    Err(PackageError::value(
        node.line,
        path,
        "it is no name of a constant",
        "use letters, digits and underscores, and no digit at the beginning",
    ))
}

/// A value as the author spelled it: `10.0` is not `10`, nor `1000000000000000000` `1e18`.
fn spelled(node: &Node, key: &str, path: &str, text: &str) -> Result<String, PackageError> {
    let value = written(node, key, path, text)?;
    if value.len() > LONGEST {
        let problem = format!("it is longer than {LONGEST} bytes");
        return Err(PackageError::value(node.line, path, problem, "write it into the programs themselves"));
    }
    Ok(value)
}

fn written(node: &Node, key: &str, path: &str, text: &str) -> Result<String, PackageError> {
    match (&node.value, node.text(path)?) {
        (Value::Text(_), Some(text)) => Ok(text),
        (Value::Number(number), Some(plain)) => {
            let line =
                usize::try_from(node.line).ok().and_then(|line| text.lines().nth(line.checked_sub(1)?));
            let written = line.and_then(|line| {
                let after = line.split(key).skip(1).find_map(|rest| rest.trim_start().strip_prefix(':'))?;
                let written = after.split([',', '}', '#']).next()?.trim();
                (written.parse() == Ok(*number)).then(|| written.to_owned())
            });
            Ok(written.unwrap_or(plain))
        }
        _ => {
            let problem = "it is neither a number nor text";
            Err(PackageError::value(node.line, path, problem, "give a number or text"))
        }
    }
}

/// A folder for each file, because a submission's files are known by their own names alone.
fn copy_of(directory: &Path, place: usize, path: &Path) -> PathBuf {
    directory.join(place.to_string()).join(path.file_name().unwrap_or_default())
}

/// Where the files lie in which constants are replaced.
fn paths(package: &mut Package) -> Vec<&mut PathBuf> {
    fn of(files: &mut [ProgramFile]) -> impl Iterator<Item = &mut PathBuf> {
        files.iter_mut().map(|file| &mut file.path)
    }
    let mut all = Vec::new();
    all.extend(package.checkers.iter_mut().flat_map(|checker| of(&mut checker.program.files)));
    if let Interaction::Interactive(interactor) = &mut package.interaction {
        all.extend(of(&mut interactor.program.files));
    }
    let validators = package.verification.input_validators.iter_mut();
    all.extend(validators.flat_map(|validator| of(&mut validator.program.files)));
    all.extend(package.includes.iter_mut().flat_map(|include| of(&mut include.files)));
    all.extend(package.submissions.iter_mut().flat_map(|submission| &mut submission.files));
    let programs =
        package.generated.iter_mut().flat_map(|made| made.generators.iter_mut().chain(&mut made.solutions));
    all.extend(programs.flat_map(|program| of(&mut program.files)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_as_they_were_written() {
        let text = "a: {FIVE: {value: 5, WORD: five, LONG: 1000000000000000000}, TEN: 10.0 # ten\n,\n  QUOTED: '1e3'}\n";
        let root = crate::package::source::yaml::parse(text).unwrap();
        let constants = Constants::read(&root.map("").unwrap()[0].1, text).unwrap();
        let expected = [
            ("FIVE", "5"),
            ("FIVE.value", "5"),
            ("FIVE.WORD", "five"),
            ("FIVE.LONG", "1000000000000000000"),
            ("TEN", "10.0"),
            ("QUOTED", "1e3"),
        ];
        assert_eq!(constants.0, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn values_that_would_make_files_grow_beyond_measure_are_refused() {
        let text = format!("a: {{LONG: {}}}\n", "x".repeat(300));
        let root = crate::package::source::yaml::parse(&text).unwrap();
        let error = Constants::read(&root.map("").unwrap()[0].1, &text).unwrap_err().to_string();
        assert!(error.contains("constants.LONG: it is longer than 256 bytes"), "{error}");
    }

    #[test]
    fn braces_without_end_cost_no_more_than_other_text() {
        let constants = Constants(vec![("N".to_owned(), "5".to_owned())]);
        let text = [b"{".repeat(2 << 20).as_slice(), b"}}", b"{{N}}"].concat();
        let replaced = constants.replace(&text).unwrap();
        assert!(replaced.ends_with(b"}}5") && replaced.len() == text.len() - 4);
    }

    #[test]
    fn names_that_are_no_constants_are_told() {
        let constants =
            Constants(vec![("N".to_owned(), "5".to_owned()), ("N.WORD".to_owned(), "five".to_owned())]);
        let text = b"{{N}} {{M}} {{N.WROD}} {{ N }} {{{1}}} {{M}} {{}} {{N.WORD}} {{x";
        assert_eq!(constants.undefined(text), ["M", "N.WROD"]);
    }

    #[test]
    fn only_names_of_constants_are_replaced() {
        let constants = [("N", "5"), ("N.WORD", "five"), ("EMPTY", "")];
        let constants = Constants(constants.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        for (text, expected) in [
            ("int n = {{N}};", Some("int n = 5;")),
            ("{{N}}{{N.WORD}}{{EMPTY}}!", Some("5five!")),
            ("{{{N}}}", Some("{5}")),
            ("{{x{{N}}", Some("{{x5")),
            ("{{M}} {{ N }} {{N", None),
            ("", None),
        ] {
            let replaced = constants.replace(text.as_bytes());
            assert_eq!(replaced.as_deref(), expected.map(str::as_bytes), "{text}");
        }
    }
}
