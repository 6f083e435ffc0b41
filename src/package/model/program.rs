//! Describes a package's own programs: checkers, interactors, managers, input validators, generators, graders.
//!
//! Plain data: where their files are and how something to run is made of them. Judging compiles them through
//! the cache and runs them in boxes, like anything else that comes from outside.

use std::path::PathBuf;
use std::time::Duration;

use crate::units::Bytes;

/// A program of the package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JuryProgram {
    /// Its name in messages: its path below the package, `output_validators/validate.cpp`.
    pub name: String,
    /// Its files, the entry point first where there is one to name.
    pub files: Vec<ProgramFile>,
    /// How it is built.
    pub build: ProgramBuild,
}

/// A file and the name it has where it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramFile {
    /// Path below the program's directory, with `/`: `validate.cpp`, `lib/graph.h`. Never absolute and never
    /// with `..`.
    pub name: String,
    /// Where it lies; inside the package.
    pub path: PathBuf,
}

/// How a program is built from its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramBuild {
    /// With the language table.
    Language {
        /// Which entry.
        language: LanguageHint,
        /// Further arguments of the compiler (DMOJ: `flags`); no shell reads them.
        flags: Vec<String>,
    },
    /// By the script `build`, where there is one; run by the script `run` (Kattis, "Programs").
    Scripts,
    /// Not built: its one file is a script of checktestdata, which gavel interprets. Only input validators are such.
    Checktestdata,
}

/// How a package names a language.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LanguageHint {
    /// Not at all: by the files' endings and first lines.
    Files,
    /// An id of gavel's language table.
    Id(String),
    /// A code of the Kattis languages table: `cpp`, `python3`.
    Kattis(String),
    /// A Polygon source type: `cpp.g++17`.
    Polygon(String),
    /// A DMOJ executor: `CPP17`.
    Dmoj(String),
    /// A file ending without its dot, which stands for every language that has it (CMS: `stub.cpp`).
    Ending(String),
}

/// Limits of one run of a jury program. Exceeding them is a judging error, never the contestant's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgramLimits {
    /// CPU time; the wall limit follows from it.
    pub time: Duration,
    /// Memory over the process tree.
    pub memory: Bytes,
    /// Bytes on standard output, and in all files together.
    pub output: Bytes,
}

impl Default for ProgramLimits {
    /// The typical system defaults of `limits.validation_*` (Kattis legacy and 2025-09, "Limits").
    fn default() -> Self {
        Self { time: Duration::from_secs(60), memory: Bytes::mib(2048), output: Bytes::mib(8) }
    }
}
