//! Finds the checker, interactor, validator and further files of a Hydro problem.

use super::config::FOLDER;
use crate::checker::{Comparator, CustomScore, DmojKind, Protocol, TestlibChecker};
use crate::package::model::{
    Check, CheckerProgram, Include, InputValidator, Interactor, JuryProgram, LanguageHint, Package,
    ProgramBuild, ProgramFile, ProgramLimits,
};
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::scope::Scope;
use crate::package::source::tree::{Entry, Kind, Tree, below};
use crate::package::source::yaml::Value;

const CHECKERS: &str = "supported today: default, strict, testlib, kattis, qduoj and hustoj";
/// Endings of files that sources include.
const HEADERS: &[&str] = &[".h", ".hpp", ".hh", ".inc"];

/// Reads what `config.yaml` says of programs; their files lie among `files`.
pub(super) struct Programs<'a> {
    pub(super) tree: &'a Tree,
    pub(super) files: &'a [Entry],
    pub(super) scope: &'a Scope<'a>,
}

impl Programs<'_> {
    /// `checker_type` and `checker`.
    pub(super) fn check(&self, package: &mut Package) -> Result<Check, PackageError> {
        let kind = self.scope.text("checker_type")?.unwrap_or_else(|| "default".to_owned());
        let call = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
        let (protocol, call) = match kind.as_str() {
            // As its `compare.sh BZ`.
            "default" => return Ok(Check::BuiltIn(Comparator::TrimmedLines)),
            "strict" => return Ok(Check::BuiltIn(Comparator::Testlib(TestlibChecker::Fcmp))),
            "testlib" => (Protocol::TestlibFraction, None),
            "kattis" => (Protocol::Kattis, None),
            "qduoj" => (Protocol::Dmoj(DmojKind::Default), call(&["{input}", "{output}"])),
            "hustoj" => (Protocol::Dmoj(DmojKind::Default), call(&["{input}", "{answer}", "{output}"])),
            other => {
                let found = format!("the checker type '{}'", one_line(other));
                return Err(match self.scope.get("checker_type") {
                    Some(node) => self.scope.unsupported(node, "checker_type", found, CHECKERS),
                    None => PackageError::unsupported(0, "checker_type", found, CHECKERS),
                });
            }
        };
        let name = self.source("checker")?;
        if let Some((name, _)) = name.as_ref().filter(|(name, _)| kind == "testlib" && !name.contains('.')) {
            let known = TestlibChecker::named(name).ok_or_else(|| {
                let problem = format!("'{}' is not one of testlib's checkers", one_line(name));
                self.scope.wrong("checker", problem, "name one of them (wcmp, ncmp, rcmp6, ...) or a file")
            })?;
            return Ok(Check::BuiltIn(Comparator::Testlib(known)));
        }
        let program = self.program("checker")?;
        package.checkers.push(CheckerProgram {
            program,
            protocol,
            call,
            limits: ProgramLimits::default(),
            scores: CustomScore::Allowed,
        });
        Ok(Check::Program { checker: 0, arguments: Vec::new() })
    }

    /// `interactor`, made with testlib: `input output answer`.
    pub(super) fn interactor(&self) -> Result<Interactor, PackageError> {
        Ok(Interactor {
            unbuffered: false,
            program: self.program("interactor")?,
            protocol: Protocol::TestlibFraction,
            call: None,
            limits: ProgramLimits::default(),
            scores: CustomScore::Allowed,
        })
    }

    /// `validator`: reads an input and exits with 0 where it is valid.
    pub(super) fn validator(&self) -> Result<Option<InputValidator>, PackageError> {
        if self.scope.get("validator").is_none() {
            return Ok(None);
        }
        Ok(Some(InputValidator {
            program: self.program("validator")?,
            accepts: 0,
            arguments: Vec::new(),
            limits: ProgramLimits::default(),
        }))
    }

    /// `user_extra_files`: put beside every submission.
    pub(super) fn includes(&self) -> Result<Vec<Include>, PackageError> {
        let files = self.extra("user_extra_files")?;
        if files.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![Include {
            language: None,
            files,
            entry_point: None,
            submission_name: None,
            submission_prefix: String::new(),
            submission_suffix: String::new(),
            flags: Vec::new(),
        }])
    }

    /// A program named by a key, with the headers beside it and `judge_extra_files`.
    fn program(&self, key: &str) -> Result<JuryProgram, PackageError> {
        let (name, language) = self
            .source(key)?
            .ok_or_else(|| self.scope.wrong(key, "it is missing", format!("name a file in {FOLDER}")))?;
        let own = self.file(key, &name)?;
        let title = below(self.tree.root(), &own.path);
        let mut files = vec![own];
        let headers = self
            .files
            .iter()
            .filter(|entry| entry.kind == Kind::File && HEADERS.iter().any(|ending| entry.ends_with(ending)));
        for entry in headers {
            files.push(ProgramFile { name: entry.reportable()?.to_owned(), path: entry.path.clone() });
        }
        for file in self.extra("judge_extra_files")? {
            if files.iter().all(|known| known.name != file.name) {
                files.push(file);
            }
        }
        let language = language.map_or(LanguageHint::Files, LanguageHint::Kattis);
        Ok(JuryProgram { name: title, files, build: ProgramBuild::Language { language, flags: Vec::new() } })
    }

    /// A file's name, and its language where the package says it: `checker: chk.cc`, or a map of `file` and `lang`.
    fn source(&self, key: &str) -> Result<Option<(String, Option<String>)>, PackageError> {
        let Some(node) = self.scope.get(key) else { return Ok(None) };
        let Value::Map(_) = &node.value else {
            return Ok(self.scope.text(key)?.map(|name| (name, None)));
        };
        let inner = self.scope.inside(node, key)?;
        let name = inner
            .own_text("file")?
            .ok_or_else(|| inner.wrong_at(node, "file", "it is missing", "name a file"))?;
        let language = inner.own_text("lang")?.filter(|language| language != "auto");
        Ok(Some((name, language.and_then(|language| family(&language)))))
    }

    fn extra(&self, key: &str) -> Result<Vec<ProgramFile>, PackageError> {
        let Some(node) = self.scope.get(key) else { return Ok(Vec::new()) };
        self.scope.texts(node, key)?.iter().map(|name| self.file(key, name)).collect()
    }

    /// A file of the test data.
    fn file(&self, key: &str, name: &str) -> Result<ProgramFile, PackageError> {
        let missing = || {
            let problem = format!("there is no file '{}' in {FOLDER}", one_line(name));
            self.scope.wrong(key, problem, "add the file, or correct the name")
        };
        let entry = Tree::find(self.files, name).ok_or_else(missing)?;
        Ok(ProgramFile { name: entry.reportable()?.to_owned(), path: entry.file()?.to_owned() })
    }
}

/// A language of Hydro (`cc.cc17o2`) as a code of the Kattis table.
pub(super) fn family(language: &str) -> Option<String> {
    let family = match language.split('.').next().unwrap_or_default() {
        "c" => "c",
        "cc" | "cpp" => "cpp",
        "py" | "py3" => "python3",
        "pas" => "pascal",
        "java" => "java",
        "kt" => "kotlin",
        "js" => "javascript",
        "ts" => "typescript",
        "rs" => "rust",
        "go" => "go",
        "hs" => "haskell",
        "rb" => "ruby",
        "php" => "php",
        "cs" => "csharp",
        "bash" | "sh" => "bash",
        "pl" => "perl",
        _ => return None,
    };
    Some(family.to_owned())
}
