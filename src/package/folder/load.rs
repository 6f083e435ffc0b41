//! A bare folder of tests: `NAME.in` with `NAME.ans` or `NAME.out`, also in folders within it, and the other layouts of
//! `folder_pairs`.
//!
//! No configuration is read. Tests come in the order people number them (`2` before `10`), folders among
//! them; `submissions/` is read as in the ICPC formats. The limits are fixed ones, because a folder says
//! nothing: two seconds, and otherwise those of the legacy format. Letters must match in case: nothing here
//! says that the problem is as lenient as Kattis' validator.

use std::cmp::Ordering;
use std::path::Path;
use std::time::Duration;

use super::pairs as folder_pairs;
use crate::checker::{Comparator, TokenOptions};
use crate::package::model::{Check, Format, Package, PackageLimits, Test, TimeLimit};
use crate::package::shared::names::{short_name, stem, unpaired};
use crate::package::shared::submissions;
use crate::package::shared::submissions::Demands;
use crate::package::source::error::PackageError;
use crate::package::source::tree::{Entry, Kind, Tree, below};

/// CPU limit of a problem that does not say one.
const TIME: Duration = Duration::from_secs(2);

/// Loads the folder at `tree`, which itself holds `entries`.
pub(crate) fn load(tree: &Tree, entries: Vec<Entry>) -> Result<Package, PackageError> {
    let root = tree.root();
    let mut warnings = Vec::new();
    let submissions = match Tree::find(&entries, "submissions") {
        Some(entry) => match submissions::read(tree, entry, Demands::OfWhole, &mut warnings) {
            Ok(submissions) => submissions,
            Err(error) if error.is_ours() => return Err(error),
            // Only verification reads them.
            Err(error) => {
                warnings.push(format!("left out: {error}"));
                Vec::new()
            }
        },
        None => Vec::new(),
    };
    let mut walk = Walk { tree, tests: Vec::new(), warnings: &mut warnings };
    walk.read(root, entries)?;
    let tests = walk.tests;
    if tests.is_empty() {
        return Err(PackageError::NotAPackage {
            path: root.to_owned(),
            problem: "there are no tests in it".to_owned(),
            remedy: "name a folder of NAME.in with NAME.ans or NAME.out, or a package with problem.yaml and data/",
        });
    }
    let limits = PackageLimits::new(TimeLimit::Fixed(TIME));
    let mut package = Package {
        tests,
        submissions,
        warnings,
        ..Package::new(short_name(root), root.to_owned(), Format::Folder, limits)
    };
    package.group_by_folders();
    Ok(package)
}

struct Walk<'a> {
    tree: &'a Tree,
    tests: Vec<Test>,
    warnings: &'a mut Vec<String>,
}

impl Walk<'_> {
    /// Two folders of inputs and answers; else inputs and answers beside each other, by `.in` or, where there is none of
    /// these, by any other name.
    fn read(&mut self, root: &Path, entries: Vec<Entry>) -> Result<(), PackageError> {
        if let Some((inputs, answers)) = folder_pairs::folders(&entries) {
            return self.two_folders(inputs, answers);
        }
        self.folder(root, entries, &[])?;
        if self.tests.is_empty() {
            let entries = self.tree.entries(root, 0)?;
            self.other_names(entries, &[])?;
        }
        Ok(())
    }

    fn two_folders(&mut self, inputs: &Entry, answers: &Entry) -> Result<(), PackageError> {
        let place = &inputs.path;
        let (inputs, answers) = (self.tree.entries(place, 1)?, self.tree.entries(&answers.path, 1)?);
        for index in natural_order(&inputs) {
            let entry = &inputs[index];
            if entry.is_hidden() || entry.kind == Kind::Directory {
                continue;
            }
            entry.usable()?;
            let name = entry.reportable()?;
            let Some((stem, answer)) = folder_pairs::answer_in(name, &answers) else {
                let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
                return Err(unpaired(
                    entry,
                    place,
                    stem,
                    "its answer is missing in the other folder",
                    ".out",
                ));
            };
            self.add(stem, &[], entry, answer)?;
        }
        Ok(())
    }

    /// Inputs that are not called `.in`; files that are none are left alone.
    fn other_names(&mut self, entries: Vec<Entry>, above: &[String]) -> Result<(), PackageError> {
        let parent = above.last().map(|name| format!("{name}/")).unwrap_or_default();
        for index in natural_order(&entries) {
            let entry = &entries[index];
            if entry.is_hidden() || (above.is_empty() && entry.name == "submissions") {
                continue;
            }
            match (entry.kind, entry.reportable()) {
                (Kind::Directory, Ok(name)) => {
                    let inside = self.tree.entries(&entry.path, above.len() + 1)?;
                    let names: Vec<_> = above.iter().cloned().chain([format!("{parent}{name}")]).collect();
                    self.other_names(inside, &names)?;
                }
                (Kind::File, Ok(name)) => {
                    if let Some((stem, answer)) = folder_pairs::answer(name, &entries) {
                        self.add(stem, above, entry, answer)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        stem: String,
        above: &[String],
        input: &Entry,
        answer: &Entry,
    ) -> Result<(), PackageError> {
        let parent = above.last().map(|name| format!("{name}/")).unwrap_or_default();
        let options = TokenOptions { case_sensitive: true, ..TokenOptions::default() };
        let (input, answer) = (input.file()?.to_owned(), answer.file()?.to_owned());
        self.tests.push(Test {
            groups: above.to_vec(),
            sample: above.first().is_some_and(|name| name == "sample"),
            check: Check::BuiltIn(Comparator::Tokens(options)),
            ..Test::new(format!("{parent}{stem}"), input, answer)
        });
        Ok(())
    }

    fn folder(
        &mut self,
        directory: &Path,
        entries: Vec<Entry>,
        above: &[String],
    ) -> Result<(), PackageError> {
        let parent = above.last().map(|name| format!("{name}/")).unwrap_or_default();
        for index in natural_order(&entries) {
            let entry = &entries[index];
            if entry.is_hidden() || (above.is_empty() && entry.name == "submissions") {
                continue;
            }
            if let Kind::Unusable(problem) = entry.kind
                && !entry.ends_with(".in")
                && !entry.ends_with(".ans")
            {
                self.warnings.push(format!("{}: ignored: {problem}", below(self.tree.root(), &entry.path)));
            } else if entry.kind == Kind::Directory {
                // A folder nobody could name in a report matters only if it holds tests.
                let inside = self.tree.entries(&entry.path, above.len() + 1)?;
                if !inside.iter().any(|entry| entry.kind == Kind::Directory || entry.ends_with(".in")) {
                    continue;
                }
                let name = format!("{parent}{}", entry.reportable()?);
                let names: Vec<_> = above.iter().cloned().chain([name]).collect();
                self.folder(&entry.path, inside, &names)?;
            } else if entry.ends_with(".in") {
                let stem = stem(entry, ".in")?;
                let answer = Tree::find(&entries, &format!("{stem}.ans"));
                let output = Tree::find(&entries, &format!("{stem}.out"));
                if answer.is_some() && output.is_some() {
                    self.warnings.push(format!("{parent}{stem}.out: ignored, because there is a .ans"));
                }
                let letter = Tree::find(&entries, &format!("{stem}.a"));
                let Some(answer) = answer.or(output).or(letter) else {
                    return Err(unpaired(entry, directory, stem, "its answer is missing", ".ans"));
                };
                self.add(stem.to_owned(), above, entry, answer)?;
            } else if entry.ends_with(".ans") {
                let stem = stem(entry, ".ans")?;
                if Tree::find(&entries, &format!("{stem}.in")).is_none() {
                    return Err(unpaired(entry, directory, stem, "its input is missing", ".in"));
                }
            }
        }
        Ok(())
    }
}

/// Places of the entries in the order people number them.
fn natural_order(entries: &[Entry]) -> Vec<usize> {
    let mut order: Vec<_> = (0..entries.len()).collect();
    order.sort_by(|left, right| {
        natural(entries[*left].name.as_encoded_bytes(), entries[*right].name.as_encoded_bytes())
    });
    order
}

/// Compares names with runs of digits as numbers; names that differ only in leading zeros as bytes.
fn natural(left: &[u8], right: &[u8]) -> Ordering {
    let (mut a, mut b) = (left, right);
    loop {
        match (a.first(), b.first()) {
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let (first, rest_a) = digits(a);
                let (second, rest_b) = digits(b);
                let order = first.len().cmp(&second.len()).then_with(|| first.cmp(second));
                if order != Ordering::Equal {
                    return order;
                }
                (a, b) = (rest_a, rest_b);
            }
            (Some(x), Some(y)) if x == y => (a, b) = (&a[1..], &b[1..]),
            (x, y) => return x.cmp(&y).then_with(|| left.cmp(right)),
        }
    }
}

/// The number a name begins with, without leading zeros, and the rest.
fn digits(name: &[u8]) -> (&[u8], &[u8]) {
    let end = name.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(name.len());
    let (number, rest) = name.split_at(end);
    let zeros = number.iter().position(|byte| *byte != b'0').unwrap_or(number.len());
    (&number[zeros..], rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_people_number_them() {
        let mut names = ["10.in", "2.in", "a10", "a9", "1.in", "01.in", "b", "a"];
        names.sort_by(|left, right| natural(left.as_bytes(), right.as_bytes()));
        assert_eq!(names, ["01.in", "1.in", "2.in", "10.in", "a", "a9", "a10", "b"]);
    }
}
