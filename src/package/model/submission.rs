//! Describes what contestants submit, and the files that are added to it.

use super::program::{LanguageHint, ProgramFile};

/// The kind of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SubmissionKind {
    /// Source code.
    #[default]
    Program,
    /// The outputs themselves, a file a test (Kattis: `submit-answer`; CMS: OutputOnly).
    Answers,
}

/// Whether a file may be handed in as the output of a test, beside a program (CMS: BatchAndOutput).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OutputFile {
    /// No: the program's output counts.
    #[default]
    Refused,
    /// It may; without one the program's output counts.
    Optional,
    /// It must; the program is not run on this test.
    Required,
}

/// Files that are compiled with every submission of a language (Kattis: `include/`; CMS: `stub.*` and headers; DMOJ:
/// `signature_grader`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// Which languages; `None` is all of them that no other entry names (2025-09: `include/default`).
    pub language: Option<LanguageHint>,
    /// The files; they replace those of the submission with the same name.
    pub files: Vec<ProgramFile>,
    /// The file the program starts with, where it is not the submission's.
    pub entry_point: Option<String>,
    /// The name the submission's own file gets, where the included ones ask for it by name (CMS: the task's short
    /// name; DMOJ: the header's). Without an ending it gets that of the language.
    pub submission_name: Option<String>,
    /// Text inserted before the first line of the submission's own file (DMOJ: `#include` of the header, `#define main`).
    pub submission_prefix: String,
    /// Text after its last line (QDUOJ, HUSTOJ: `append`).
    pub submission_suffix: String,
    /// Further arguments of the compiler (DMOJ: `-DSIGNATURE_GRADER`).
    pub flags: Vec<String>,
}

/// A symbolic link in a program's work directory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WorkLink {
    /// Its path below the work directory.
    pub name: String,
    /// Where it leads, inside the box.
    pub target: String,
}

/// Where a program finds its input and leaves its output.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Streams {
    /// Name of the input file in the work directory; `None` is standard input (Polygon: `input-file`, CMS: `infile`).
    pub input_file: Option<String>,
    /// Name of the output file in the work directory; `None` is standard output.
    pub output_file: Option<String>,
}
