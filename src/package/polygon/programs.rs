//! Finds the programs of a Polygon package.
//!
//! A program is one source; what it includes lies beside it or in `files/`, so all headers of both go with it. testlib.h
//! is one of them in most packages; where it is not there, the compiler's own path must have it, and a warning says so.

use std::path::PathBuf;

use super::document::Element;
use super::testset::Pattern;
use crate::package::model::{
    Include, InputValidator, InvalidInput, JuryProgram, LanguageHint, OutputCase, ProgramBuild, ProgramFile,
    ProgramLimits, ValidatorArguments, Verification,
};
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::tree::{Entry, Kind, Tree, below, read_at_most};

/// Where Polygon keeps the jury's files.
const FOLDER: &str = "files";
/// Endings of files that sources include; testlib for Pascal is a unit.
const INCLUDED: &[&str] = &[".h", ".hh", ".hpp", ".hxx", ".inc", "testlib.pas", "testlib.py"];
/// Bytes of a source looked at for what it includes.
const SEARCHED: u64 = 1 << 20;
/// Validator and checker tests of one program; more are left out.
const MOST_CASES: u64 = 10_000;

/// The package's files, as programs need them.
pub(super) struct Files<'a> {
    tree: &'a Tree,
    /// Headers in `files/`.
    shared: Vec<ProgramFile>,
}

impl<'a> Files<'a> {
    /// Looks at `files/`.
    ///
    /// # Errors
    /// When it cannot be listed.
    pub(super) fn new(tree: &'a Tree) -> Result<Self, PackageError> {
        let shared = headers(tree, &tree.root().join(FOLDER))?;
        Ok(Self { tree, shared })
    }

    /// The program whose `source` an element has.
    ///
    /// # Errors
    /// When it has none, or the file is not there.
    pub(super) fn program(
        &self,
        element: &Element<'_, '_>,
        warnings: &mut Vec<String>,
    ) -> Result<JuryProgram, PackageError> {
        let source = element.required("source")?;
        let path = self.path(&source)?;
        let name = below(self.tree.root(), &path);
        let own = name.rsplit('/').next().unwrap_or(&name).to_owned();
        let mut files = vec![ProgramFile { name: own, path: path.clone() }];
        if let Some(folder) = path.parent().filter(|folder| folder.starts_with(self.tree.root())) {
            add(&mut files, headers(self.tree, folder)?);
        }
        add(&mut files, self.shared.iter().cloned());
        let has_testlib = files.iter().any(|file| file.name.starts_with("testlib."));
        if !has_testlib && memchr::memmem::find(&read_at_most(&path, SEARCHED)?, b"testlib.h").is_some() {
            warnings.push(format!(
                "{name}: testlib.h is not in the package ({FOLDER}/testlib.h): it must be in the compiler's own path"
            ));
        }
        let language = match source.attribute("type") {
            Some(code) if !code.is_empty() => LanguageHint::Polygon(code.to_owned()),
            _ => LanguageHint::Files,
        };
        Ok(JuryProgram { name, files, build: ProgramBuild::Language { language, flags: Vec::new() } })
    }

    /// The file that an element's `path` names.
    fn path(&self, element: &Element<'_, '_>) -> Result<PathBuf, PackageError> {
        let named = element.required_attribute("path")?;
        let wrong = |problem: &str, remedy: &str| {
            Err(element.wrong("path", format!("'{}' {problem}", one_line(named)), remedy))
        };
        let leads_out = named.starts_with('/')
            || named.contains(['\\', '\0'])
            || named.split('/').any(|part| matches!(part, ".." | "." | ""))
            || named.chars().any(char::is_control);
        if leads_out {
            return wrong("is no path of a file in the package", "name it from the package's directory");
        }
        match self.tree.file_at(&self.tree.root().join(named))? {
            Some(path) => Ok(path),
            None => wrong("is not in the package", "build the package in Polygon again"),
        }
    }
}

/// Adds files whose names are not taken.
fn add(files: &mut Vec<ProgramFile>, more: impl IntoIterator<Item = ProgramFile>) {
    for file in more {
        if !files.iter().any(|own| own.name == file.name) {
            files.push(file);
        }
    }
}

fn headers(tree: &Tree, folder: &std::path::Path) -> Result<Vec<ProgramFile>, PackageError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let is_header =
        |entry: &&Entry| entry.kind == Kind::File && INCLUDED.iter().any(|ending| entry.ends_with(ending));
    tree.entries(folder, 1)?
        .iter()
        .filter(is_header)
        .map(|entry| Ok(ProgramFile { name: entry.reportable()?.to_owned(), path: entry.path.clone() }))
        .collect()
}

/// The solution with the tag `main`, which makes answers, with the files that are compiled with every solution.
///
/// # Errors
/// When there is none, or its source is not there.
pub(super) fn main_solution(
    root: &Element<'_, '_>,
    files: &Files<'_>,
    includes: &[Include],
) -> Result<JuryProgram, PackageError> {
    let assets = root.required("assets")?;
    let mut solutions = assets.child("solutions").into_iter().flat_map(|list| list.children("solution"));
    let Some(main) = solutions.find(|solution| solution.attribute("tag") == Some("main")) else {
        let problem = "there are answers to be made, and no solution has the tag main".to_owned();
        return Err(assets.wrong("solutions", problem, "tag one in Polygon and build the package again"));
    };
    let mut program = files.program(&main, &mut Vec::new())?;
    let ending = program.name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let hint = match ending {
        "cc" | "cxx" => "cpp",
        other => other,
    };
    let is_for = |include: &&Include| include.language == Some(LanguageHint::Ending(hint.to_owned()));
    let included: Vec<_> = includes.iter().filter(is_for).flat_map(|include| include.files.clone()).collect();
    add(&mut program.files, included);
    Ok(program)
}

/// All executables: generators are among them, and the tests' commands name them.
///
/// # Errors
/// When a source is not there.
pub(super) fn generators(
    root: &Element<'_, '_>,
    files: &Files<'_>,
) -> Result<Vec<JuryProgram>, PackageError> {
    let Some(all) = root.child("files").and_then(|files| files.child("executables")) else {
        return Ok(Vec::new());
    };
    let others = others(root);
    let mut unsaid = Vec::new();
    all.children("executable")
        .filter(|executable| {
            let path = executable.child("source").and_then(|source| source.attribute("path"));
            path.is_some_and(|path| !others.contains(&path))
        })
        .map(|executable| files.program(&executable, &mut unsaid))
        .collect()
}

/// Sources of programs that are no generators.
fn others<'parsed>(root: &Element<'parsed, '_>) -> Vec<&'parsed str> {
    let Some(assets) = root.child("assets") else { return Vec::new() };
    let validators =
        assets.child("validators").into_iter().flat_map(|validators| validators.children("validator"));
    assets
        .children("checker")
        .chain(assets.children("interactor"))
        .chain(validators)
        .filter_map(|program| program.child("source")?.attribute("path"))
        .collect()
}

/// The validators of inputs; one whose source is not there is left out with a warning.
///
/// # Errors
/// When the machine fails to read one.
pub(super) fn validators(
    assets: Option<&Element<'_, '_>>,
    files: &Files<'_>,
    warnings: &mut Vec<String>,
) -> Result<Vec<InputValidator>, PackageError> {
    let Some(list) = assets.and_then(|assets| assets.child("validators")) else { return Ok(Vec::new()) };
    let mut validators = Vec::new();
    for validator in list.children("validator") {
        match files.program(&validator, warnings) {
            Ok(program) => validators.push(InputValidator {
                program,
                accepts: 0,
                arguments: Vec::new(),
                limits: ProgramLimits::default(),
            }),
            Err(error) if error.is_ours() => return Err(error),
            // No judging needs it; `gavel verify` shows the warning.
            Err(error) => {
                let error = error.in_file(std::path::Path::new(super::document::FILE));
                warnings.push(format!("this input validator is not run: {error}"));
            }
        }
    }
    Ok(validators)
}

/// Resources that are compiled with solutions: graders and headers of them.
///
/// # Errors
/// When a file is not there.
pub(super) fn included(
    root: &Element<'_, '_>,
    files: &Files<'_>,
    warnings: &mut Vec<String>,
) -> Result<Vec<Include>, PackageError> {
    let Some(resources) = root.child("files").and_then(|files| files.child("resources")) else {
        return Ok(Vec::new());
    };
    let mut includes: Vec<(String, Vec<ProgramFile>)> = Vec::new();
    for resource in resources.children("file") {
        let mut assets = resource.child("assets").into_iter().flat_map(|assets| assets.children("asset"));
        if !assets
            .any(|asset| asset.attribute("name").is_some_and(|name| name.eq_ignore_ascii_case("solution")))
        {
            continue;
        }
        let mut stages = resource.child("stages").into_iter().flat_map(|stages| stages.children("stage"));
        let is_compiled = stages
            .any(|stage| stage.attribute("name").is_some_and(|name| name.eq_ignore_ascii_case("compile")));
        let path = files.path(&resource)?;
        let name = below(files.tree.root(), &path);
        if !is_compiled {
            warnings.push(format!("{name}: not used: only resources of the stage COMPILE are"));
            continue;
        }
        let own = name.rsplit('/').next().unwrap_or(&name).to_owned();
        let ending = language_of(&resource, &own);
        let file = ProgramFile { name: own, path };
        match includes.iter_mut().find(|(known, _)| *known == ending) {
            Some((_, list)) => list.push(file),
            None => includes.push((ending, vec![file])),
        }
    }
    let include = |(ending, files): (String, Vec<ProgramFile>)| Include {
        language: Some(LanguageHint::Ending(ending)),
        files,
        entry_point: None,
        submission_name: None,
        submission_prefix: String::new(),
        submission_suffix: String::new(),
        flags: Vec::new(),
    };
    Ok(includes.into_iter().map(include).collect())
}

/// The ending that stands for the languages a resource is for: `for-types="cpp.*"`, else its own; a header's is `cpp`.
fn language_of(resource: &Element<'_, '_>, name: &str) -> String {
    let types = resource.attribute("for-types").or(resource.attribute("type")).unwrap_or_default();
    let family = types.split('.').next().unwrap_or_default();
    match family {
        "cpp" | "c" => family.to_owned(),
        "python" => "py".to_owned(),
        java if java.starts_with("java") => "java".to_owned(),
        _ => match name.rsplit_once('.') {
            Some((_, "h" | "hh" | "hpp" | "hxx")) | None => "cpp".to_owned(),
            Some((_, ending)) => ending.to_owned(),
        },
    }
}

/// The tests of validators and checkers.
///
/// # Errors
/// When the XML has a pattern that is none.
pub(super) fn cases(
    verification: &mut Verification,
    assets: Option<&Element<'_, '_>>,
    tree: &Tree,
    warnings: &mut Vec<String>,
) -> Result<(), PackageError> {
    let Some(assets) = assets else { return Ok(()) };
    let validators =
        assets.child("validators").into_iter().flat_map(|validators| validators.children("validator"));
    for set in validators.filter_map(|validator| validator.child("testset")) {
        let inputs = Pattern::read(&set, "input-path-pattern")?;
        for (number, test) in described(&set) {
            if test.attribute("verdict") != Some("invalid") {
                continue;
            }
            let path = inputs.path(tree.root(), number);
            let Some(input) = tree.file_at(&path)? else { continue };
            let mut arguments = Vec::new();
            for (flag, attribute) in [("--testset", "testset"), ("--group", "group")] {
                if let Some(value) = test.attribute(attribute).filter(|value| !value.is_empty()) {
                    arguments.extend([flag.to_owned(), value.to_owned()]);
                }
            }
            verification.invalid_inputs.push(InvalidInput {
                name: below(tree.root(), &path),
                input,
                arguments: ValidatorArguments::All(arguments),
            });
        }
    }
    for set in assets.child("checker").into_iter().filter_map(|checker| checker.child("testset")) {
        let inputs = Pattern::read(&set, "input-path-pattern")?;
        let outputs = Pattern::read(&set, "output-path-pattern")?;
        let answers = Pattern::read(&set, "answer-path-pattern")?;
        for (number, test) in described(&set) {
            let is_valid = match test.attribute("verdict") {
                Some("ok") => true,
                Some("wrong-answer" | "presentation-error") => false,
                _ => continue,
            };
            let path = inputs.path(tree.root(), number);
            let paths = [path.clone(), outputs.path(tree.root(), number), answers.path(tree.root(), number)];
            let [Some(input), Some(output), Some(answer)] =
                paths.map(|path| tree.file_at(&path).ok().flatten())
            else {
                warnings.push(format!("{}: a test of the checker lacks a file", below(tree.root(), &path)));
                continue;
            };
            verification.outputs.push(OutputCase {
                name: below(tree.root(), &path),
                input,
                answer,
                output,
                is_valid,
                arguments: Vec::new(),
            });
        }
    }
    Ok(())
}

/// The tests that a testset describes, with their numbers.
fn described<'parsed, 'text>(
    set: &Element<'parsed, 'text>,
) -> impl Iterator<Item = (u64, Element<'parsed, 'text>)> + use<'parsed, 'text> {
    (1..=MOST_CASES).zip(set.child("tests").into_iter().flat_map(|tests| tests.children("test")))
}
