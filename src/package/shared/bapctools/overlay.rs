//! Adds the tests of `generators/generators.yaml` that `data/` lacks, as BAPCtools would generate them.
//!
//! Where `data/` lacks tests that the rules name, the readers of those formats are shown another `data/`, an entry of the
//! cache: it has the settings of folders and tests, texts that stand in the rules, and an empty file in the place of every
//! other. When they are done, those places are exchanged for the package's own files, or for what makes them. So groups,
//! settings and names come about as if the tests had been generated before.
//!
//! Files that are in `data/` are taken as they are. Where `data/secret` holds as many tests as the rules have, the package
//! is complete, whatever its tests are called: BAPCtools has numbered them in several ways. `match`, visualizers and what is
//! for statements does not concern judging.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::case::{Case, Solution, json};
use super::rules::Rules;
use super::{programs, rules};
use crate::package::model::Lease;
use crate::package::model::{
    GeneratedAnswer, GeneratedData, GeneratedInput, GeneratedTest, GeneratorOutput, Package,
};
use crate::package::shared::constants::Constants;
use crate::package::shared::grading::Folder;
use crate::package::source::derived::DerivedFiles;
use crate::package::source::diagnostics::Diagnostics;
use crate::package::source::directory_writer::DirectoryWriter;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::tree::{Entry, Kind, Tree, read_at_most, read_text};

use crate::cache::KeyBuilder;

/// The rules, below the package.
const FILE: &str = "generators/generators.yaml";
/// The stem of a generator's files.
const STEM: &str = "testcase";
/// Settings of tests and folders have some lines.
const LONGEST: u64 = 1 << 20;
/// Folders that hold tests.
const JUDGED: [&str; 2] = ["sample/", "secret/"];

/// The properties of the package that the format's reader knows.
pub(crate) struct Problem<'a> {
    /// Whether an answer is what a right program prints: not so where it is interactive, or has several passes.
    pub(crate) prints_answers: bool,
    /// Whether `NAME.yaml` is read.
    pub(crate) reads_settings: bool,
    /// Constants in commands.
    pub(crate) constants: &'a Constants,
}

/// A `data/` in the cache that has what the package's lacks.
pub(crate) struct Overlay {
    lease: Lease,
    /// Its tree, for the readers.
    pub(crate) tree: Tree,
    /// The entries of its own directory.
    pub(crate) entries: Vec<Entry>,
    /// The package's own files, by the places that stand for them.
    places: HashMap<PathBuf, PathBuf>,
    /// The generated files of tests, by their names.
    generated: HashMap<String, GeneratedFiles>,
    /// The tests that the rules ask for, with the line of each.
    asked: HashMap<String, u64>,
    data: GeneratedData,
}

/// The generated files of a test.
#[derive(Debug, Clone, Default)]
struct GeneratedFiles {
    origin: String,
    input: Option<GeneratedInput>,
    answer: Option<GeneratedAnswer>,
}

/// The content of a file of the overlay.
#[derive(Debug, Clone)]
enum Content {
    Text(String),
    /// A file of the package's.
    File(PathBuf),
    /// Nothing: it will be made.
    Made,
}

/// Looks whether the package's tests are all there; a `data/` that has the rest where they are not.
///
/// # Errors
/// When the rules are broken and there are no tests without them, or a program or file that they name is not there.
pub(crate) fn overlay(
    tree: &Tree,
    entries: &[Entry],
    problem: &Problem<'_>,
    derived: Option<&DerivedFiles>,
    warnings: &mut Vec<String>,
) -> Result<Option<Overlay>, PackageError> {
    let Ok(Some(file)) = tree.at(FILE) else { return Ok(None) };
    if file.kind != Kind::File {
        return Ok(None);
    }
    let mut files = BTreeMap::new();
    if let Some(data) = Tree::find(entries, "data").filter(|entry| entry.kind == Kind::Directory) {
        own_files(tree, &data.path, "", 1, &mut files)?;
    }
    let is_secret = |name: &&String| name.starts_with("secret/") && name.ends_with(".in");
    let secret = files.keys().filter(is_secret).count();
    let read = read_text(&file).and_then(|text| rules::parse(&text, problem.constants));
    let mut rules = match read {
        Ok(rules) => rules,
        Err(error) if secret > 0 => {
            warnings.push(format!("the tests are those in data: {}", error.in_file(Path::new(FILE))));
            return Ok(None);
        }
        Err(error) => return Err(error.in_file(&file.path)),
    };
    let lacks = |case: &Case| {
        let has = |ending: &str| files.contains_key(&format!("{}.{ending}", case.path));
        is_judged(&case.path) && !(has("in") && has("ans"))
    };
    let named = rules.cases.iter().filter(|case| case.path.starts_with("secret/")).count();
    let missing = rules.cases.iter().filter(|case| lacks(case)).count();
    if missing == 0 {
        return Ok(None);
    }
    if secret > 0 && secret >= named {
        warnings.push(format!(
            "{FILE}: {missing} of its tests are not in data, which has as many as it asks for: data is judged as it is"
        ));
        return Ok(None);
    }
    let Some(derived) = derived else {
        let found = "tests that must be generated, without a cache";
        let supported = "supported: loading it with a place for that";
        return Err(PackageError::unsupported(0, "", found, supported).in_file(&file.path));
    };
    warnings.append(&mut rules.warnings);
    let builder =
        Builder { tree, entries, problem, files, data: GeneratedData::default(), generated: HashMap::new() };
    builder.build(&rules, &file, derived, warnings).map(Some)
}

/// What a reader says of an overlay, with the files of the package at `root` in the place of those of the cache.
///
/// # Errors
/// Those of the reader.
pub(crate) fn restore_paths(
    overlay: Option<&Overlay>,
    root: &Path,
    walked: Result<(), PackageError>,
    folders: &mut [Folder],
    diagnostics: &mut Diagnostics,
) -> Result<(), PackageError> {
    let Some(overlay) = overlay else { return walked };
    let shown = |path: &Path| {
        path.strip_prefix(overlay.tree.root()).map_or_else(|_| path.to_owned(), |below| root.join(below))
    };
    for folder in folders {
        folder.file = shown(&folder.file);
    }
    diagnostics.rename_files(shown);
    walked.map_err(|error| error.with_paths(shown))
}

fn is_judged(path: &str) -> bool {
    JUDGED.iter().any(|folder| path.starts_with(folder))
}

/// Everything in `data/`, by its path below it.
fn own_files(
    tree: &Tree,
    directory: &Path,
    above: &str,
    depth: usize,
    files: &mut BTreeMap<String, Content>,
) -> Result<(), PackageError> {
    for entry in tree.entries(directory, depth)?.iter().filter(|entry| !entry.is_hidden()) {
        entry.usable()?;
        let name = format!("{above}{}", entry.reportable()?);
        if entry.kind == Kind::Directory {
            own_files(tree, &entry.path, &format!("{name}/"), depth + 1, files)?;
        } else {
            files.insert(name, Content::File(entry.path.clone()));
        }
    }
    Ok(())
}

struct Builder<'a> {
    tree: &'a Tree,
    entries: &'a [Entry],
    problem: &'a Problem<'a>,
    /// The files of the new `data/`.
    files: BTreeMap<String, Content>,
    data: GeneratedData,
    generated: HashMap<String, GeneratedFiles>,
}

impl Builder<'_> {
    fn build(
        mut self,
        rules: &Rules,
        file: &Entry,
        derived: &DerivedFiles,
        warnings: &mut Vec<String>,
    ) -> Result<Overlay, PackageError> {
        for (folder, name, node) in &rules.settings {
            let path = if folder.is_empty() { (*name).to_owned() } else { format!("{folder}/{name}") };
            let text = json(node).to_string();
            self.files.entry(path).or_insert(Content::Text(text));
        }
        let mut programs = programs::Programs::new(self.tree, self.entries, rules)?;
        for case in &rules.cases {
            self.case(case, &mut programs, warnings).map_err(|error| error.in_file(&file.path))?;
        }
        (self.data.generators, self.data.solutions) = (programs.generators, programs.solutions);
        let lease = self.write(derived).map_err(|error| error.in_file(&file.path))?;
        let tree = Tree::open(lease.directory())?;
        let entries = tree.entries(tree.root(), 0)?;
        let place = |name: &String| lease.directory().join("data").join(name);
        let places = self.files.iter().filter_map(|(name, content)| match content {
            Content::File(path) => Some((place(name), path.clone())),
            Content::Text(_) | Content::Made => None,
        });
        let places = places.collect();
        let judged = rules.cases.iter().filter(|case| is_judged(&case.path));
        let asked = judged.map(|case| (case.path.clone(), case.line)).collect();
        Ok(Overlay { lease, tree, entries, places, generated: self.generated, asked, data: self.data })
    }

    /// Adds the files of one rule that `data/` does not have.
    fn case(
        &mut self,
        case: &Case,
        programs: &mut programs::Programs<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<(), PackageError> {
        let path = |ending: &str| format!("{}.{ending}", case.path);
        let has_input = self.files.contains_key(&path("in"));
        let mut files_of_test =
            GeneratedFiles { origin: format!("{FILE}:{}", case.line), ..GeneratedFiles::default() };
        if !has_input {
            // Later ones replace those before: what a generator writes, copies, texts.
            let mut files = BTreeMap::new();
            if let Some(run) = &case.generate {
                if !is_judged(&case.path) {
                    warnings.push(format!("data/{}: not looked at: its input is generated", case.path));
                    return Ok(());
                }
                files_of_test.origin = format!("{FILE}:{}: '{}'", case.line, run.command);
                let generator = programs.generator(&run.program, case.line)?;
                files_of_test.input = Some(GeneratedInput {
                    generator,
                    arguments: run.arguments.clone(),
                    seeds: run.seeds,
                    stdin: None,
                    written: GeneratorOutput::FileOrOutput {
                        file: format!("{STEM}.in"),
                        // Descriptions and hints are for people.
                        refused: self
                            .problem
                            .reads_settings
                            .then(|| (format!("{STEM}.yaml"), "args".to_owned())),
                    },
                });
                files.insert("in".to_owned(), Content::Made);
            }
            if let Some(copy) = &case.copy {
                self.copied(case, copy, &mut files)?;
            }
            for (ending, text) in &case.texts {
                files.insert((*ending).to_owned(), Content::Text(text.clone()));
            }
            match files.get("in") {
                None => {
                    let problem = format!("data/{}.in: nothing makes it", case.path);
                    return Err(PackageError::value(case.line, "", problem, "add generate, copy or in"));
                }
                Some(Content::Made) => {}
                Some(_) => files_of_test.input = None,
            }
            // An answer that was made for another input is useless.
            self.files.remove(&path("ans"));
            for (ending, content) in files {
                self.files.insert(path(&ending), content);
            }
        }
        if is_judged(&case.path) && !self.files.contains_key(&path("ans")) {
            files_of_test.answer = Some(self.answer(case, &files_of_test, programs, warnings)?);
            self.files.insert(path("ans"), Content::Made);
        }
        if files_of_test.input.is_some() || files_of_test.answer.is_some() {
            self.generated.insert(case.path.clone(), files_of_test);
        }
        Ok(())
    }

    /// The files of `generators/PATH.*`.
    fn copied(
        &self,
        case: &Case,
        copy: &str,
        files: &mut BTreeMap<String, Content>,
    ) -> Result<(), PackageError> {
        let wrong = |problem: String| {
            PackageError::value(case.line, "copy", problem, "add the file, or correct the path")
        };
        let stem =
            ["in", "ans"].iter().find_map(|ending| copy.strip_suffix(&format!(".{ending}"))).unwrap_or(copy);
        let mut found = false;
        for ending in ["in", "ans", "out", "yaml"] {
            let name = format!("generators/{stem}.{ending}");
            match self.tree.at(&name).map_err(&wrong)? {
                Some(entry) if entry.kind == Kind::File => {
                    found = true;
                    files.insert(ending.to_owned(), Content::File(entry.path));
                }
                _ => {}
            }
        }
        if found {
            Ok(())
        } else {
            Err(wrong(format!("there is no file 'generators/{}.in'", one_line(stem))))
        }
    }

    /// What makes the answer of a test that has none.
    fn answer(
        &self,
        case: &Case,
        files_of_test: &GeneratedFiles,
        programs: &mut programs::Programs<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<GeneratedAnswer, PackageError> {
        let otherwise = if self.problem.prints_answers {
            match &case.solution {
                Solution::None => None,
                Solution::Unspecified => {
                    Some(GeneratedAnswer::Solution(programs.default_solution(case.line, warnings)?))
                }
                Solution::Program(path) => {
                    Some(GeneratedAnswer::Solution(programs.solution(path, case.line)?))
                }
            }
        } else {
            Some(GeneratedAnswer::Empty)
        };
        match (&files_of_test.input, otherwise) {
            (Some(_), otherwise) => {
                let otherwise = otherwise.map(Box::new);
                Ok(GeneratedAnswer::GeneratorFile { file: format!("{STEM}.ans"), otherwise })
            }
            (None, Some(answer)) => Ok(answer),
            (None, None) => {
                let problem = format!("data/{}.ans: nothing makes it", case.path);
                Err(PackageError::value(case.line, "solution", problem, "add ans, or name a solution"))
            }
        }
    }

    /// Writes the new `data/` into the cache.
    fn write(&mut self, derived: &DerivedFiles) -> Result<Lease, PackageError> {
        let mut key = KeyBuilder::default().field("kind", "data of generators.yaml");
        let mut texts = Vec::with_capacity(self.files.len());
        for (name, content) in &mut self.files {
            // Settings are read where they are; of other files only the place counts.
            if let Content::File(path) = content
                && name.ends_with(".yaml")
            {
                let bytes = read_at_most(path, LONGEST + 1)?;
                let is_text = bytes.len() as u64 <= LONGEST;
                let text = String::from_utf8(bytes).ok().filter(|_| is_text).ok_or_else(|| {
                    let problem = "it is not text, or larger than 1 MiB";
                    PackageError::value(0, "", problem, "keep only settings in it").in_file(path)
                })?;
                *content = Content::Text(text);
            }
            let text = match content {
                Content::Text(text) => text.clone(),
                Content::File(_) | Content::Made => String::new(),
            };
            key = key.field("name", name).field("text", &text);
            texts.push((name.clone(), text));
        }
        derived.make(key, |directory| {
            let draft = DirectoryWriter::open(directory)?;
            texts.iter().try_for_each(|(name, text)| draft.write(&format!("data/{name}"), text.as_bytes()))
        })
    }
}

impl Overlay {
    /// Exchanges the places in what a reader made of the overlay.
    ///
    /// # Errors
    /// When the reader left out a test that the rules ask for, and found nothing wrong.
    pub(crate) fn fill(
        mut self,
        package: &mut Package,
        diagnostics: &Diagnostics,
    ) -> Result<(), PackageError> {
        let place = |path: &mut PathBuf| {
            if let Some(own) = self.places.get(path) {
                path.clone_from(own);
            }
        };
        for (number, test) in package.tests.iter_mut().enumerate() {
            place(&mut test.input);
            place(&mut test.answer);
            test.files.iter_mut().for_each(|file| place(&mut file.path));
            self.asked.remove(&test.name);
            let Some(files_of_test) = self.generated.remove(&test.name) else { continue };
            if files_of_test.input.is_some() {
                test.input = PathBuf::new();
            }
            if files_of_test.answer.is_some() {
                test.answer = PathBuf::new();
            }
            let GeneratedFiles { origin, input, answer } = files_of_test;
            self.data.tests.push(GeneratedTest { test: number, origin, input, answer });
        }
        for case in &mut package.verification.invalid_inputs {
            place(&mut case.input);
        }
        for case in &mut package.verification.outputs {
            [&mut case.input, &mut case.answer, &mut case.output].into_iter().for_each(&place);
        }
        package.leases.push(self.lease);
        let left_out = self.asked.iter().min_by_key(|(name, line)| (**line, name.as_str()));
        if let Some((name, line)) = left_out.filter(|_| !diagnostics.has_errors()) {
            let problem = format!("the test data/{} would not be judged", one_line(name));
            let error = PackageError::value(*line, "", problem, "rename it, and the folders that it is in");
            return Err(error.in_file(&package.directory.join(FILE)));
        }
        if self.data.tests.is_empty() {
            return Ok(());
        }
        self.data.solution_limits = package.limits.raised_for_solution(self.data.solution_limits);
        package.generated = Some(self.data);
        Ok(())
    }
}
