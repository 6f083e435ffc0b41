//! Finds the generators and solutions that the rules name.

use std::collections::HashMap;

use super::rules::Rules;
use crate::package::model::{JuryProgram, LanguageHint, ProgramBuild, ProgramFile};
use crate::package::shared::programs as folders;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::tree::{Entry, Kind, Tree, read_at_most};

/// Bytes of a source in which the modules that it imports are looked for.
const SEARCHED: u64 = 1 << 20;

/// The programs, each once.
pub(super) struct Programs<'a> {
    tree: &'a Tree,
    rules: &'a Rules,
    /// What `generators/` holds.
    inside: Vec<Entry>,
    pub(super) generators: Vec<JuryProgram>,
    pub(super) solutions: Vec<JuryProgram>,
    known_generators: HashMap<String, usize>,
    known_solutions: HashMap<String, usize>,
    default_solution: Option<usize>,
}

impl<'a> Programs<'a> {
    /// # Errors
    /// When `generators/` cannot be listed.
    pub(super) fn new(tree: &'a Tree, entries: &'a [Entry], rules: &'a Rules) -> Result<Self, PackageError> {
        let folder = Tree::find(entries, "generators").filter(|entry| entry.kind == Kind::Directory);
        Ok(Self {
            tree,
            rules,
            inside: folder.map(|folder| tree.entries(&folder.path, 1)).transpose()?.unwrap_or_default(),
            generators: Vec::new(),
            solutions: Vec::new(),
            known_generators: HashMap::new(),
            known_solutions: HashMap::new(),
            default_solution: None,
        })
    }

    /// The place of the generator of that name.
    ///
    /// # Errors
    /// When it is not there.
    pub(super) fn generator(&mut self, name: &str, line: u64) -> Result<usize, PackageError> {
        if let Some(place) = self.known_generators.get(name) {
            return Ok(*place);
        }
        let program = match self.rules.generators.get(name) {
            Some(files) => self.of_files(name, files, line)?,
            None => self.at(&format!("generators/{name}"), "generate", line)?,
        };
        self.generators.push(program);
        self.known_generators.insert(name.to_owned(), self.generators.len() - 1);
        Ok(self.generators.len() - 1)
    }

    /// The place of the solution at that path.
    ///
    /// # Errors
    /// When it is not there.
    pub(super) fn solution(&mut self, path: &str, line: u64) -> Result<usize, PackageError> {
        if let Some(place) = self.known_solutions.get(path) {
            return Ok(*place);
        }
        let program = self.at(path, "solution", line)?;
        self.solutions.push(program);
        self.known_solutions.insert(path.to_owned(), self.solutions.len() - 1);
        Ok(self.solutions.len() - 1)
    }

    /// The first of the accepted submissions, where no solution is named.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn default_solution(
        &mut self,
        line: u64,
        warnings: &mut Vec<String>,
    ) -> Result<usize, PackageError> {
        if let Some(place) = self.default_solution {
            return Ok(place);
        }
        const FOLDER: &str = "submissions/accepted";
        let first = match self.tree.at(FOLDER) {
            Ok(Some(folder)) if folder.kind == Kind::Directory => {
                let inside = self.tree.entries(&folder.path, 2)?;
                let mut programs = inside.iter().filter(|entry| {
                    !entry.is_hidden()
                        && (entry.kind == Kind::Directory
                            || !crate::package::shared::submissions::is_no_program(entry))
                });
                programs
                    .next()
                    .map(|entry| entry.reportable().map(|name| format!("{FOLDER}/{name}")))
                    .transpose()?
            }
            _ => None,
        };
        let path = first.ok_or_else(|| {
            let problem = "there are answers to be made, and neither a solution nor an accepted submission";
            PackageError::value(line, "solution", problem, "add solution: /submissions/accepted/NAME")
        })?;
        warnings.push(format!(
            "generators/generators.yaml: solution: none is named: answers are made by {}",
            one_line(&path)
        ));
        let place = self.solution(&path, line)?;
        self.default_solution = Some(place);
        Ok(place)
    }

    /// A generator of the files that the key `generators` lists; they lie side by side.
    fn of_files(&self, name: &str, names: &[String], line: u64) -> Result<JuryProgram, PackageError> {
        let key = format!("generators.{}", one_line(name));
        let mut files = Vec::with_capacity(names.len());
        for file in names {
            let wrong = |problem: String| {
                PackageError::value(line, &key, problem, "list files of the folder generators")
            };
            let path = format!("generators/{file}");
            let entry = self.tree.at(&path).map_err(&wrong)?.filter(|entry| entry.kind == Kind::File);
            let entry = entry.ok_or_else(|| wrong(format!("there is no file '{}'", one_line(&path))))?;
            files.push(ProgramFile { name: entry.reportable()?.to_owned(), path: entry.path });
        }
        Ok(JuryProgram { name: format!("generators/{}", one_line(name)), files, build: by_language() })
    }

    /// The program that a file or folder is.
    fn at(&self, path: &str, key: &str, line: u64) -> Result<JuryProgram, PackageError> {
        let shown = one_line(path);
        let wrong = |problem: String| PackageError::value(line, key, problem, "add it, or correct the name");
        let entry = self.tree.at(path).map_err(&wrong)?;
        let entry = entry.ok_or_else(|| wrong(format!("there is no program '{shown}'")))?;
        entry.usable()?;
        if entry.kind == Kind::Directory {
            let program = folders::whole(self.tree, &entry)?;
            let program =
                program.ok_or_else(|| wrong(format!("there is nothing in the folder '{shown}'")))?;
            return Ok(JuryProgram { name: shown, ..program });
        }
        let file = ProgramFile { name: entry.reportable()?.to_owned(), path: entry.path.clone() };
        let mut files = vec![file];
        if path.starts_with("generators/") {
            self.add_imported(&mut files)?;
        }
        Ok(JuryProgram { name: shown, files, build: by_language() })
    }

    /// Adds headers, and the Python modules beside a source that are named in it: links lead the interpreter there.
    fn add_imported(&self, files: &mut Vec<ProgramFile>) -> Result<(), PackageError> {
        let is_python = |name: &str| name.ends_with(".py");
        let mut searched = 0;
        while let Some(path) = files.get(searched).map(|file| file.path.clone()) {
            let text = read_at_most(&path, SEARCHED)?;
            for entry in self.inside.iter().filter(|entry| entry.kind == Kind::File && !entry.is_hidden()) {
                let Some(name) = entry.text() else { continue };
                let is_wanted = if folders::is_header_name(name) {
                    memchr::memmem::find(&text, name.as_bytes()).is_some()
                } else {
                    let stem = name.strip_suffix(".py").unwrap_or_default();
                    is_python(name) && is_python(&files[0].name) && imports(&text, stem)
                };
                if is_wanted && !files.iter().any(|file| file.name == name) {
                    files.push(ProgramFile { name: name.to_owned(), path: entry.path.clone() });
                }
            }
            searched += 1;
        }
        Ok(())
    }
}

/// Whether a line of a Python source imports a module.
fn imports(text: &[u8], module: &str) -> bool {
    let text = String::from_utf8_lossy(text);
    let names = |list: &str| list.split(',').any(|name| name.split_whitespace().next() == Some(module));
    text.lines().map(str::trim_start).any(|line| {
        let from = line.strip_prefix("from ").and_then(|rest| rest.split_whitespace().next());
        from == Some(module) || line.strip_prefix("import ").is_some_and(names)
    })
}

fn by_language() -> ProgramBuild {
    ProgramBuild::Language { language: LanguageHint::Files, flags: Vec::new() }
}
