//! Plans the tests that a task's programs generate: inputs by `gen/generator.*` and `gen/GEN`, answers by `sol/solution.*`.
//!
//! As cmsMake and task-maker do it: a line of `gen/GEN` holds the arguments of a run, whose standard output is the input;
//! `#COPY:` names a file below the task. The generator's work directory holds the files of `gen/` that are no sources,
//! under that name, as it would see them from the task's directory. `gen/validator.*` gets the path of an input and, where
//! there are subtasks, the number of one, from 1.

use std::path::PathBuf;

use super::gen_file::{CASES, GenSource, GenTest, unread_cases};
use super::programs::{SOURCES, is_header, own_flags};
use super::scores::Plan;
use crate::package::model::{
    GeneratedAnswer, GeneratedData, GeneratedInput, GeneratedTest, InputValidator, Interaction, JuryProgram,
    LanguageHint, Package, ProgramBuild, ProgramFile, ProgramLimits, SubmissionKind, ValidatorArguments,
};
use crate::package::source::diagnostics::Diagnostics;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::tree::{Entry, Kind, Tree, below};

/// Where generators and validators are.
const FOLDER: &str = "gen";
/// The list of tests.
const LIST: &str = "gen/GEN";
const GENERATORS: [&str; 2] = ["generator", "generatore"];
const VALIDATORS: [&str; 2] = ["validator", "valida"];
const SOLUTIONS: [&str; 2] = ["solution", "soluzione"];
/// Bytes of all files together that generators find in their work directory.
const MOST_DATA: u64 = 16 << 20;

/// Fills in what is made of the tests that lack a file.
pub(super) struct Generated<'a> {
    tree: &'a Tree,
    entries: &'a [Entry],
    /// What `gen/` holds.
    inside: Vec<Entry>,
    data: GeneratedData,
}

impl<'a> Generated<'a> {
    /// Looks at `gen/`.
    ///
    /// # Errors
    /// When it cannot be listed.
    pub(super) fn new(tree: &'a Tree, entries: &'a [Entry]) -> Result<Self, PackageError> {
        let folder = Tree::find(entries, FOLDER).filter(|entry| entry.kind == Kind::Directory);
        let inside = folder.map(|folder| tree.entries(&folder.path, 1)).transpose()?.unwrap_or_default();
        Ok(Self { tree, entries, inside, data: GeneratedData::default() })
    }

    /// The input of a test as `gen/GEN` has it: a file, or a run.
    ///
    /// # Errors
    /// When the file or the generator is not there.
    pub(super) fn input(
        &mut self,
        test: &GenTest,
    ) -> Result<(PathBuf, Option<GeneratedInput>, String), PackageError> {
        let line = test.line;
        match &test.source {
            GenSource::Copy(name) => {
                let wrong = |problem: String| {
                    PackageError::value(line, "COPY", problem, "add the file, or correct the path")
                        .in_file(&self.tree.root().join(LIST))
                };
                let entry = self.tree.at(name).map_err(&wrong)?.filter(|entry| entry.kind == Kind::File);
                let entry = entry.ok_or_else(|| wrong(format!("there is no file '{}'", one_line(name))))?;
                Ok((entry.path, None, String::new()))
            }
            GenSource::Run(command) => {
                if let Some(entry) = Tree::find(&self.inside, CASES) {
                    return Err(unread_cases(&entry.path));
                }
                if self.data.generators.is_empty() {
                    let generator = self.generator(line)?;
                    self.data.generators.push(generator);
                }
                let arguments = command.split_whitespace().map(str::to_owned).collect();
                let origin = format!("{LIST}:{line}: '{}'", one_line(command));
                Ok((PathBuf::new(), Some(GeneratedInput { arguments, ..GeneratedInput::default() }), origin))
            }
        }
    }

    /// Notes what a test that is about to be added lacks.
    pub(super) fn lacks(
        &mut self,
        package: &Package,
        input: Option<GeneratedInput>,
        answer: bool,
        origin: String,
    ) {
        let made = match &package.interaction {
            Interaction::Communication(_) => GeneratedAnswer::Empty,
            _ => GeneratedAnswer::Solution(0),
        };
        let answer = answer.then_some(made);
        self.data.tests.push(GeneratedTest { test: package.tests.len(), origin, input, answer });
    }

    /// Hands everything over to the package.
    pub(super) fn finish(mut self, plan: &Plan, package: &mut Package, diagnostics: &mut Diagnostics) {
        self.validators(plan, package, diagnostics);
        let solved = |made: &GeneratedTest| matches!(made.answer, Some(GeneratedAnswer::Solution(_)));
        if self.data.tests.iter().any(solved) {
            self.data.solutions.extend(diagnostics.keep(self.solution(package)));
        }
        if self.data.tests.is_empty() {
            return;
        }
        self.data.solution_limits = package.limits.raised_for_solution(self.data.solution_limits);
        if !self.data.generators.is_empty() {
            let files = self.files(diagnostics);
            self.data.data = diagnostics.keep(files).unwrap_or_default();
        }
        package.generated = Some(self.data);
    }

    fn generator(&self, line: u64) -> Result<JuryProgram, PackageError> {
        self.program(&GENERATORS)?.ok_or_else(|| {
            let problem = "there is a test to be generated, and no generator";
            PackageError::value(line, "", problem, "add gen/generator.cpp or another source, or the inputs")
                .in_file(&self.tree.root().join(LIST))
        })
    }

    /// `gen/validator.*` reads a path, and so it gets that of its standard input.
    fn validators(&self, plan: &Plan, package: &mut Package, diagnostics: &mut Diagnostics) {
        let Some(Some(program)) = diagnostics.keep(self.program(&VALIDATORS)) else { return };
        package.verification.input_validators.push(InputValidator {
            program,
            accepts: 0,
            arguments: vec!["/dev/stdin".to_owned()],
            limits: ProgramLimits::default(),
        });
        for (number, test) in package.tests.iter_mut().enumerate() {
            let subtask = plan.subtask_of(number).map(|subtask| (subtask + 1).to_string());
            test.validator_arguments = ValidatorArguments::All(subtask.into_iter().collect());
        }
    }

    /// The program of one of these names in `gen/`, with the headers, and the modules of its language, beside it.
    fn program(&self, names: &[&str]) -> Result<Option<JuryProgram>, PackageError> {
        let mut found: Option<(&Entry, &str)> = None;
        for name in names {
            for ending in SOURCES {
                let Some(entry) = Tree::find(&self.inside, &format!("{name}.{ending}")) else { continue };
                if let Some((first, _)) = found {
                    return Err(PackageError::NotAPackage {
                        path: entry.path.clone(),
                        problem: format!("{} stands for the same", below(self.tree.root(), &first.path)),
                        remedy: "keep one of them",
                    });
                }
                found = Some((entry, ending));
            }
        }
        let Some((entry, ending)) = found else { return self.compiled(names) };
        let mut files =
            vec![ProgramFile { name: entry.reportable()?.to_owned(), path: entry.file()?.to_owned() }];
        let stems = GENERATORS.iter().chain(&VALIDATORS);
        let others: Vec<String> = stems.map(|name| format!("{name}.{ending}")).collect();
        let is_module = |entry: &&Entry| {
            let is_own = entry.ends_with(&format!(".{ending}"))
                && matches!(ending, "py" | "rb" | "js" | "php")
                && !entry.text().is_none_or(|name| others.iter().any(|other| other == name));
            entry.kind == Kind::File && !entry.is_hidden() && (is_header(entry) || is_own)
        };
        for module in self.inside.iter().filter(is_module) {
            files.push(ProgramFile { name: module.reportable()?.to_owned(), path: module.path.clone() });
        }
        let build = ProgramBuild::Language { language: LanguageHint::Files, flags: own_flags(ending) };
        Ok(Some(JuryProgram { name: format!("{FOLDER}/{}", entry.reportable()?), files, build }))
    }

    /// What somebody compiled.
    fn compiled(&self, names: &[&str]) -> Result<Option<JuryProgram>, PackageError> {
        let binary = names.iter().find_map(|name| Tree::find(&self.inside, name));
        let Some(entry) = binary.filter(|entry| entry.kind == Kind::File) else { return Ok(None) };
        let file = ProgramFile { name: "run".to_owned(), path: entry.path.clone() };
        let name = format!("{FOLDER}/{}", entry.reportable()?);
        Ok(Some(JuryProgram { name, files: vec![file], build: ProgramBuild::Scripts }))
    }

    /// Files of `gen/` that no compiler is for.
    fn files(&self, diagnostics: &mut Diagnostics) -> Result<Vec<ProgramFile>, PackageError> {
        let mut files = Vec::new();
        let mut bytes = 0;
        let is_data = |entry: &&Entry| {
            let name = entry.text().unwrap_or_default();
            let is_program = GENERATORS.iter().chain(&VALIDATORS).any(|program| {
                name.strip_prefix(program).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            });
            entry.kind == Kind::File && !entry.is_hidden() && !is_program && name != "GEN"
        };
        for entry in self.inside.iter().filter(is_data) {
            let size = entry.path.metadata().map_err(PackageError::io("look at", &entry.path))?.len();
            bytes += size;
            if bytes > MOST_DATA {
                let left = entry.reportable()?;
                diagnostics.warn(format!(
                    "{FOLDER}/{left}: generators do not find it or later files: more than {} MiB lie there",
                    MOST_DATA >> 20
                ));
                break;
            }
            let name = format!("{FOLDER}/{}", entry.reportable()?);
            files.push(ProgramFile { name, path: entry.path.clone() });
        }
        Ok(files)
    }

    /// `sol/solution.*` with the grader of its language.
    fn solution(&self, package: &Package) -> Result<JuryProgram, PackageError> {
        let folder = Tree::find(self.entries, "sol").filter(|entry| entry.kind == Kind::Directory);
        let inside = folder.map(|folder| self.tree.entries(&folder.path, 1)).transpose()?.unwrap_or_default();
        let find = |(ending, name): (&'a &'static str, &&str)| {
            Tree::find(&inside, &format!("{name}.{ending}")).map(|entry| (entry, *ending))
        };
        let pairs = SOURCES.iter().flat_map(|ending| SOLUTIONS.iter().map(move |name| (ending, name)));
        let Some((entry, ending)) = pairs.into_iter().find_map(find) else {
            return Err(PackageError::NotAPackage {
                path: self.tree.root().join("sol"),
                problem: "there are answers missing, and no model solution to make them".to_owned(),
                remedy: "add sol/solution.cpp or another source, or the answers",
            });
        };
        let own = entry.reportable()?.to_owned();
        let path = entry.file()?.to_owned();
        let hint = LanguageHint::Ending(ending.to_owned());
        let grader = package.includes.iter().find(|include| include.language.as_ref() == Some(&hint));
        let is_program = package.submission_kind == SubmissionKind::Program;
        let files = match grader.filter(|include| is_program && !include.files.is_empty()) {
            // The contestant's file is called like the task.
            Some(include) => {
                let name = include.submission_name.as_deref().unwrap_or("solution");
                let name = format!("{name}.{ending}");
                include.files.iter().cloned().chain([ProgramFile { name, path }]).collect()
            }
            None => {
                let mut files = vec![ProgramFile { name: own.clone(), path }];
                for header in inside.iter().filter(|entry| is_header(entry)) {
                    let name = header.reportable()?.to_owned();
                    files.push(ProgramFile { name, path: header.path.clone() });
                }
                files
            }
        };
        let build = ProgramBuild::Language { language: LanguageHint::Files, flags: own_flags(ending) };
        Ok(JuryProgram { name: format!("sol/{own}"), files, build })
    }
}
