//! The table as the rest of gavel sees it: plain data, valid by construction.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::guess::is_header;
use crate::sandbox::Profile;
use crate::units::Bytes;

/// All languages, in the file's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The languages.
    pub languages: Vec<Language>,
}

/// One language, validated.
#[derive(Debug, Clone, PartialEq)]
pub struct Language {
    /// Id in submissions: `cpp20`.
    pub id: String,
    /// Name for people: `C++20 (GCC)`.
    pub name: String,
    /// File name a nameless source gets: `main.cpp`.
    pub default_source: String,
    /// Endings (without the dot) that mean this language when none is named; earlier languages win.
    pub extensions: Vec<String>,
    /// Interpreter names in a first line `#!…` that mean this language; `*` is any.
    pub shebangs: Vec<String>,
    /// A line that begins or ends with this means this language where several share an ending (`:-` of a Prolog rule).
    pub line_mark: Option<String>,
    /// Compiler's argv template; `None` for languages that need no check and no compiler.
    pub compile: Option<Vec<String>>,
    /// What of the compile box becomes the program.
    pub artifact: Artifact,
    /// How several files become one program.
    pub joins: Joining,
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
    /// What makes a program write its standard output without a buffer; `None` where nothing does.
    pub unbuffered: Option<Unbuffered>,
    /// Whether a byte order mark declares UTF-8 to its compiler or interpreter, so that sources keep it.
    pub keeps_mark: bool,
    /// Further environment of a package's own programs, `NAME=value`.
    pub jury_env: Vec<String>,
    /// How a line of standard error begins that its runtime writes when a program dies of an error that nothing
    /// caught. The exit code beside it is the runtime's choice where
    /// `crash_codes` has it, and means nothing.
    pub crash: Vec<String>,
    /// The same where the error itself stands before that line.
    pub crash_end: Vec<String>,
    /// Exit codes of a program that ends so, none where a signal ends it; `None` where any code may be the runtime's.
    pub crash_codes: Option<Vec<i32>>,
    /// How a line begins in which it says that it ran out of memory.
    pub out_of_memory: Vec<String>,
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

impl Artifact {
    /// The word in the table.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Executable => "executable",
            Self::Directory => "directory",
            Self::Sources => "sources",
        }
    }
}

/// How several files become one program: what a package can put beside a submission depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joining {
    /// The compiler is handed all of them (`{sources}`).
    Listed,
    /// The compiler or the interpreter is handed the entry point, and finds the others beside it by their names.
    Found,
    /// Not at all: the program is made of the entry point alone.
    Never,
}

impl Joining {
    /// The word in the table.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::Found => "found",
            Self::Never => "never",
        }
    }
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

impl Default for RunAllowance {
    /// Nothing on top, and no second process: right for what is compiled to machine code.
    fn default() -> Self {
        Self { time_factor: 1.0, time_extra: Duration::ZERO, memory_extra: Bytes(0), processes: 1 }
    }
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

impl Default for CompileLimits {
    /// Generous: the slowest of the built-in compilers takes 4 s, 7 s of CPU time and 400 MiB for a hello.
    fn default() -> Self {
        Self {
            cpu: Duration::from_secs(30),
            wall: Duration::from_secs(60),
            memory: Bytes::gib(2),
            output: Self::output_within(Bytes::gib(2)),
            processes: 64,
        }
    }
}

impl CompileLimits {
    /// What a compiler may leave when the table does not say. Its files lie in memory, those on the way beside the last
    /// one: as much as leaves half of the memory for the compiler itself, from 256 to 512 MiB.
    pub(super) fn output_within(memory: Bytes) -> Bytes {
        Bytes((memory.0 / 4).clamp(Bytes::mib(256).0, Bytes::mib(512).0))
    }
}

/// Something built once per machine and toolchain: a precompiled header, a class-data archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepare {
    /// Source files for it: name and text.
    pub files: Vec<(String, String)>,
    /// argv template; writes into `{dir}`, which becomes `/prepared`.
    pub command: Vec<String>,
}

/// How a program of a language is made to write its standard output without a buffer, for packages that ask for it
/// (DMOJ: `unbuffered`). Without either part, its programs do so by themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unbuffered {
    /// Further environment of runs, `NAME=value`.
    pub env: Vec<String>,
    /// Name and text of a source that is compiled with the program.
    pub file: Option<(String, String)>,
}

impl Table {
    /// The language of that id.
    pub fn get(&self, id: &str) -> Option<&Language> {
        self.languages.iter().find(|language| language.id == id)
    }
}

impl Language {
    /// Which of a submission's files the compiler is handed as `{sources}`: those with an ending of this
    /// language, the others (headers, data) being found by name; all of them where none has such an
    /// ending. Keeps the order.
    pub fn compiler_sources(&self, files: &[String]) -> Vec<String> {
        let ours: Vec<String> =
            files.iter().filter(|file| self.has_ending_of(Path::new(file))).cloned().collect();
        if ours.is_empty() { files.to_vec() } else { ours }
    }

    /// Whether a file is neither handed to the compiler nor a header: data, that the program may want to read.
    pub fn is_data(&self, file: &str) -> bool {
        let file = Path::new(file);
        !self.has_ending_of(file) && !is_header(file)
    }

    /// Whether a file's ending is one of this language's.
    pub(super) fn has_ending_of(&self, file: &Path) -> bool {
        file.extension()
            .and_then(|ending| ending.to_str())
            .is_some_and(|ending| self.extensions.iter().any(|known| known == ending))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn headers_and_data_are_not_handed_to_the_compiler() {
        let table = Table::built_in().unwrap();
        let cpp = table.get("cpp20").unwrap();
        assert_eq!(
            cpp.compiler_sources(&names(&["main.cpp", "tree.h", "tree.cc", "table.txt"])),
            names(&["main.cpp", "tree.cc"])
        );
    }

    #[test]
    fn files_of_no_known_ending_are_all_handed_over() {
        let table = Table::built_in().unwrap();
        let cpp = table.get("cpp20").unwrap();
        assert_eq!(cpp.compiler_sources(&names(&["solution"])), names(&["solution"]));
    }
}
