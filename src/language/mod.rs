//! The language table: `languages.toml`, parsed and validated. Adding a language needs no Rust.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::sandbox::Profile;
use crate::units::Bytes;

/// All languages, in the file's order.
#[derive(Debug, Clone)]
pub struct Table {
    /// The languages.
    pub languages: Vec<Language>,
}

/// One language, validated.
#[derive(Debug, Clone)]
pub struct Language {
    /// Id in submissions: `cpp20`.
    pub id: String,
    /// Name for people: `C++20 (GCC)`.
    pub name: String,
    /// File name a nameless source gets: `main.cpp`.
    pub default_source: String,
    /// Endings (without the dot) that mean this language when none is named; earlier languages win.
    pub extensions: Vec<String>,
    /// Interpreter names in a first line `#!…` that mean this language.
    pub shebangs: Vec<String>,
    /// Compiler's argv template; `None` for languages that need no check and no compiler.
    pub compile: Option<Vec<String>>,
    /// What of the compile box becomes the program.
    pub artifact: Artifact,
    /// argv template of a run.
    pub run: Vec<String>,
    /// argv whose first line of output names the toolchain and its version.
    pub version: Vec<String>,
    /// System-call filter of runs.
    pub profile: Profile,
    /// Host paths shown read-only in its boxes besides the base ones.
    pub mounts: Vec<PathBuf>,
    /// Whether its boxes need `/proc`.
    pub proc: bool,
    /// Environment of its boxes besides the base one, `NAME=value`.
    pub env: Vec<String>,
    /// What runs get on top of the package's limits.
    pub limits: RunAllowance,
    /// Limits of the compiler.
    pub compile_limits: CompileLimits,
    /// Built once per machine and toolchain into the cache, shown at `/prepared` when compiling.
    pub prepare: Option<Prepare>,
    /// A program for the self-test: reads two integers from standard input and prints their sum.
    pub hello: String,
}

/// What of the compile box becomes the program, shown at `/program` in the run box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Artifact {
    /// The single file `{exe}`.
    Executable,
    /// Every regular file below `{dir}`.
    Directory,
    /// The sources themselves; compiling, where there is any, only checks them.
    Sources,
}

/// What a language's runs get on top of the package's limits.
#[derive(Debug, Clone, PartialEq)]
pub struct RunAllowance {
    /// The CPU limit is multiplied by this.
    pub time_factor: f64,
    /// And this is added.
    pub time_extra: Duration,
    /// Added to the memory limit: the runtime's own need.
    pub memory_extra: Bytes,
    /// Processes and threads its runtime needs; 1 for programs that may not fork.
    pub processes: u32,
}

/// Limits of a compiler.
#[derive(Debug, Clone, PartialEq)]
pub struct CompileLimits {
    /// CPU time.
    pub cpu: Duration,
    /// Wall time.
    pub wall: Duration,
    /// Memory.
    pub memory: Bytes,
    /// Size of all files it may leave.
    pub output: Bytes,
    /// Processes and threads.
    pub processes: u32,
}

/// Something built once per machine and toolchain: a precompiled header, a class-data archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepare {
    /// Source files for it: name and text.
    pub files: Vec<(String, String)>,
    /// argv template; writes into `{dir}`, which becomes `/prepared`.
    pub command: Vec<String>,
}

/// Values for the placeholders of a template.
#[derive(Debug, Clone)]
pub struct Placeholders<'a> {
    /// `{sources}`: becomes one argument each.
    pub sources: &'a [String],
    /// `{exe}`.
    pub exe: &'a str,
    /// `{dir}`: `/w/out` when compiling, `/program` when running.
    pub dir: &'a str,
    /// `{source}`: the entry point's path; `{stem}` its file name without the ending.
    pub source: &'a str,
    /// `{memory_mib}`: the package's memory limit.
    pub memory_mib: u64,
}

/// Fills a template.
pub fn expand(_template: &[String], _values: &Placeholders<'_>) -> Vec<String> {
    Vec::new()
}

/// What is wrong with a language table.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct LanguageError {
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong, naming the key and what is accepted.
    pub problem: String,
}

impl Table {
    /// The table that comes with gavel.
    pub fn built_in() -> Result<Self, LanguageError> {
        Ok(Self { languages: Vec::new() })
    }

    /// Reads a table of the operator's.
    pub fn load(_path: &Path) -> Result<Self, LanguageError> {
        Ok(Self { languages: Vec::new() })
    }

    /// The language of that id.
    pub fn get(&self, id: &str) -> Option<&Language> {
        self.languages.iter().find(|language| language.id == id)
    }

    /// The language of a set of source files, by ending, then by the first line `#!…`.
    pub fn guess(&self, _files: &[PathBuf]) -> Option<&Language> {
        None
    }
}
