//! Programs of the jury's: compiled through the cache, with a box and limits of their own.
//!
//! A tool comes from the package and is trusted no more than a submission: it is compiled and run in boxes. When it
//! cannot be made, or does what it must not, the package is to blame ([`Fault::Checker`]).

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Duration;

use super::compile::{self, Compilation, Program, Recipe};
use super::exec::{Exec, Keep, STDERR_LIMIT};
use super::fault::Fault;
use super::last_words;
use super::request::{Source, convert, names_of};
use super::run_test::{run_argv, run_shape};
use super::{Judge, compile_limits, environment, files, scripts};
use crate::cancel::CancelToken;
use crate::language::{Language, Table};
use crate::package::{JuryProgram, LanguageHint, Making, ProgramLimits};
use crate::sandbox::{Limits, PROGRAM, ResourceControl, Shape, WORKSPACE};
use crate::units::Bytes;

/// All files of one program together; those with large tables have some megabytes.
const SOURCE_LIMIT: u64 = 256 << 20;
/// Processes and threads of a tool: scripts start others.
const PROCESSES: u32 = 64;
/// How much longer than its CPU time a tool may take: for what it waits for by itself there is no reason.
const PATIENCE: Duration = Duration::from_secs(10);

/// A program of the jury's, ready to run.
#[derive(Debug)]
pub(super) struct Tool {
    /// What it is and what the package calls it: `checker 'output_validators/compare.py'`.
    pub(super) name: String,
    /// What is executed; arguments follow.
    pub(super) argv: Vec<String>,
    /// Its whole environment.
    pub(super) env: Vec<String>,
    /// The box it runs in: never one that contestants' programs use.
    pub(super) shape: Shape,
    /// What a run may use.
    pub(super) limits: Limits,
    /// How its runtime tells of an error that nothing caught.
    pub(super) crash: Vec<String>,
    /// The same for a last line above which the error is.
    pub(super) crash_end: Vec<String>,
    /// Exit codes that its runtime ends with then; `None` where any may be one.
    pub(super) crash_codes: Option<Vec<i32>>,
    /// Its files, to be shown at [`PROGRAM`].
    pub(super) program: Program,
}

/// What every tool of one judging is made for.
pub(super) struct Workshop<'a> {
    pub(super) judge: &'a Judge,
    pub(super) cancel: &'a CancelToken,
    /// Bytes that are put into a tool's work directory before it runs.
    pub(super) handed: Bytes,
}

impl Workshop<'_> {
    /// Makes a tool, or finds it made before.
    ///
    /// # Errors
    /// [`Fault::Checker`] when it cannot be made of what the package has, [`Fault::Language`] when this host cannot.
    pub(super) fn make(
        &self,
        role: &str,
        program: &JuryProgram,
        limits: ProgramLimits,
    ) -> Result<Tool, Fault> {
        self.make_buffered(role, program, limits, true)
    }

    /// As [`Workshop::make`]; a program that is not `buffered` writes its standard output without a buffer, as far as its
    /// language knows a way.
    ///
    /// # Errors
    /// As those of [`Workshop::make`].
    pub(super) fn make_buffered(
        &self,
        role: &str,
        program: &JuryProgram,
        limits: ProgramLimits,
        buffered: bool,
    ) -> Result<Tool, Fault> {
        let name = format!("{role} '{}'", program.name);
        let mut sources = read_sources(&name, program)?;
        let mut tool = match &program.making {
            Making::Scripts => scripts::make(self, &name, &sources, limits)?,
            Making::Checktestdata => {
                let problem = format!("{name}: a script of checktestdata can only be an input validator");
                return Err(Fault::Checker(problem));
            }
            Making::Language { language, flags } => {
                let language = find_language(&self.judge.table, language, program).ok_or_else(|| {
                    Fault::Checker(format!(
                        "{name}: its language is not known; name its files as 'gavel languages' lists them"
                    ))
                })?;
                let names = names_of(&sources);
                convert(&mut sources, &names, language)
                    .map_err(|error| Fault::Checker(format!("{name}: {error}")))?;
                self.compile_or_older(&name, language, &sources, flags, limits, buffered)?
            }
        };
        "jury".clone_into(&mut tool.shape.hostname);
        // Some open /dev/stdin by its name.
        tool.shape.proc = true;
        // A few sizes only: boxes are shared by the tools that want the same.
        let room = self.handed.0.saturating_add(limits.output.0).saturating_add(1 << 20);
        tool.shape.workspace = Bytes(room.next_power_of_two().max(Bytes::mib(64).0));
        Ok(tool)
    }

    /// Packages live longer than standards: what does not compile as C++20 is tried as the older ones the table has.
    fn compile_or_older(
        &self,
        name: &str,
        language: &Language,
        sources: &[Source],
        flags: &[String],
        limits: ProgramLimits,
        buffered: bool,
    ) -> Result<Tool, Fault> {
        let compile = |language: &Language| {
            let way = language.unbuffered.as_ref().filter(|_| !buffered);
            let own = way.and_then(|way| way.file.as_ref());
            let own = own.map(|(name, text)| Source { name: name.clone(), bytes: text.clone().into_bytes() });
            let sources: Vec<_> = sources.iter().cloned().chain(own).collect();
            let mut tool = self.compile(name, language, &sources, flags, limits)?;
            tool.env.extend(way.into_iter().flat_map(|way| way.env.iter().cloned()));
            Ok(tool)
        };
        let first = compile(language);
        if !matches!(first, Err(Fault::Checker(_))) {
            return first;
        }
        for older in older_standards(&self.judge.table, &language.id) {
            match compile(older) {
                Ok(tool) => {
                    tracing::info!(program = %name, language = %older.id, "compiles only by an older standard");
                    return Ok(tool);
                }
                // A language that this host lacks says nothing about the source either.
                Err(Fault::Checker(_) | Fault::Language(_)) => {}
                Err(fault) => return Err(fault),
            }
        }
        first
    }

    fn compile(
        &self,
        name: &str,
        language: &Language,
        sources: &[Source],
        flags: &[String],
        limits: ProgramLimits,
    ) -> Result<Tool, Fault> {
        let recipe = Recipe { language, sources, flags, limits: compile_limits(language) };
        let on_start = || tracing::info!(program = %name, language = %language.id, "compiling");
        let Compilation { report, program, .. } =
            compile::compile(self.judge, &recipe, &on_start, self.cancel)?;
        let Some(program) = program else {
            return Err(Fault::Checker(format!(
                "{name} does not compile as {}: {}",
                language.id,
                complaint(&report.log)
            )));
        };
        let allowance = &language.limits;
        let memory = Bytes(limits.memory.0.saturating_add(allowance.memory_extra.0));
        let scaled = limits.time.as_secs_f64() * allowance.time_factor;
        let cpu = Duration::try_from_secs_f64(scaled).unwrap_or(limits.time) + allowance.time_extra;
        let processes = match self.judge.sandbox.resource_control() {
            ResourceControl::None => allowance.processes,
            _ => allowance.processes.max(PROCESSES),
        };
        Ok(Tool {
            argv: run_argv(language, &program, limits.memory.as_mib()),
            env: environment(language).into_iter().chain(language.jury_env.iter().cloned()).collect(),
            shape: run_shape(language),
            limits: run_limits(cpu, memory, limits.output, processes),
            name: name.to_owned(),
            crash: language.crash.clone(),
            crash_end: language.crash_end.clone(),
            crash_codes: language.crash_codes.clone(),
            program,
        })
    }
}

/// Limits of a run of a tool.
pub(super) fn run_limits(cpu: Duration, memory: Bytes, output: Bytes, processes: u32) -> Limits {
    Limits {
        cpu: Some(cpu),
        wall: Some(cpu.saturating_add(PATIENCE)),
        memory: Some(memory),
        output: Some(output),
        // A file of one byte more than it may have tells that there was more.
        file_size: Some(Bytes(output.0.saturating_add(1))),
        processes: Some(processes),
        ..Limits::default()
    }
}

/// The line of a compiler's output that says most.
pub(super) fn complaint(log: &str) -> &str {
    let mut lines = log.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.clone().next().unwrap_or("the compiler says nothing");
    lines.find(|line| line.to_ascii_lowercase().contains("error")).unwrap_or(first)
}

fn read_sources(name: &str, program: &JuryProgram) -> Result<Vec<Source>, Fault> {
    let broken = |path: &Path, problem: String| {
        Fault::Package(format!("{name}: cannot read {}: {problem}", path.display()))
    };
    let mut left = SOURCE_LIMIT;
    let mut sources = Vec::with_capacity(program.files.len());
    for file in &program.files {
        let bytes = files::read_at_most(&file.path, left + 1)
            .map_err(|error| broken(&file.path, error.to_string()))?;
        left = left
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| broken(&file.path, format!("it has more than {}", Bytes(SOURCE_LIMIT))))?;
        sources.push(Source { name: file.name.clone(), bytes });
    }
    Ok(sources)
}

/// The entry of the table that a package means; where it names one that is not there, what the files' endings say.
fn find_language<'a>(table: &'a Table, hint: &LanguageHint, program: &JuryProgram) -> Option<&'a Language> {
    if let LanguageHint::Id(id) = hint {
        return table.get(id);
    }
    let paths: Vec<_> = program.files.iter().map(|file| file.path.clone()).collect();
    language_named(table, hint).or_else(|| table.guess(&paths))
}

/// The entry of the table that a hint names by itself.
pub(super) fn language_named<'a>(table: &'a Table, hint: &LanguageHint) -> Option<&'a Language> {
    match hint {
        LanguageHint::Files => None,
        LanguageHint::Id(id) => table.get(id),
        LanguageHint::Kattis(code) => table.named(code),
        LanguageHint::Polygon(code) => polygon_id(code).and_then(|id| table.named(&id)),
        LanguageHint::Dmoj(code) => {
            let code = code.to_ascii_lowercase();
            table.named(match code.as_str() {
                "py3" | "pypy3" => "python3",
                "py2" | "pypy2" => "python2",
                other => other,
            })
        }
        LanguageHint::Ending(ending) => table.guess(&[format!("x.{ending}").into()]),
    }
}

/// The languages of the same family with smaller numbers, the largest first: `cpp17` of `cpp20`.
fn older_standards<'a>(table: &'a Table, id: &str) -> Vec<&'a Language> {
    let parts = |id: &str| {
        let family = id.trim_end_matches(|character: char| character.is_ascii_digit());
        id[family.len()..].parse::<u32>().ok().map(|number| (family.to_owned(), number))
    };
    let Some((family, number)) = parts(id) else { return Vec::new() };
    let mut older: Vec<_> = table
        .languages
        .iter()
        .filter_map(|language| Some((parts(&language.id)?, language)))
        .filter(|((other, older), _)| *other == family && *older < number)
        .collect();
    older.sort_by_key(|((_, number), _)| std::cmp::Reverse(*number));
    older.into_iter().map(|(_, language)| language).collect()
}

/// `cpp17` of `cpp.g++17` and `cpp.gcc-13-64-winlibs-g++17`, `python3` of `python.3`; `None` where the ending says it.
fn polygon_id(code: &str) -> Option<String> {
    let (family, variant) = code.split_once('.')?;
    match family {
        "cpp" => variant.rsplit_once("g++").map(|(_, standard)| format!("cpp{standard}")),
        "python" => variant.chars().next_back().map(|version| format!("python{version}")),
        _ => None,
    }
}

impl Tool {
    /// The line in which its runtime says that it died of an error nothing caught, where that is the last thing it said:
    /// an exit code beside it is the runtime's, and no answer. A program that tells of an error and then goes on is right
    /// to do so.
    pub(super) fn last_words(&self, stderr: &str) -> Option<String> {
        last_words::of_tool(&self.crash, &self.crash_end, stderr)
    }

    /// Whether its runtime ends with this code when a program dies of an error nothing caught.
    pub(super) fn may_crash_with(&self, code: i32) -> bool {
        self.crash_codes.as_ref().is_none_or(|codes| codes.contains(&code))
    }

    /// Returns the command that runs it in its work directory; of its standard error [`STDERR_LIMIT`] bytes are kept.
    pub(super) fn exec<'run>(
        &'run self,
        argv: &'run [String],
        stdin: Option<BorrowedFd<'run>>,
        stdout: Keep,
    ) -> Exec<'run> {
        Exec {
            argv,
            env: &self.env,
            directory: WORKSPACE,
            stdin,
            stdout,
            stderr: Keep::First(STDERR_LIMIT),
            limits: self.limits.clone(),
        }
    }

    /// The directory that holds the program.
    pub(super) fn directory(&self) -> &Path {
        &self.program.directory
    }
}

/// What a tool's file below [`PROGRAM`] is called.
pub(super) fn program_path(name: &str) -> String {
    format!("{PROGRAM}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polygon_names_the_standard_and_the_version() {
        for (code, id) in [
            ("cpp.g++17", Some("cpp17")),
            ("cpp.gcc-13-64-winlibs-g++20", Some("cpp20")),
            ("cpp.ms2017", None),
            ("python.3", Some("python3")),
            ("python.pypy3", Some("python3")),
            ("java8", None),
        ] {
            assert_eq!(polygon_id(code).as_deref(), id, "{code}");
        }
    }

    #[test]
    fn older_standards_are_of_the_same_family() {
        let table = Table::built_in().unwrap();
        let older =
            |id| older_standards(&table, id).iter().map(|language| language.id.as_str()).collect::<Vec<_>>();
        assert_eq!(older("cpp23"), ["cpp20", "cpp17", "cpp14", "cpp11"]);
        assert_eq!(older("cpp11"), Vec::<&str>::new());
        assert_eq!(older("go"), Vec::<&str>::new());
        assert_eq!(older("cpp20-clang"), Vec::<&str>::new());
    }

    #[test]
    fn a_complaint_is_the_line_with_the_error() {
        assert_eq!(complaint("a.cpp: In function\na.cpp:3: error: x\n"), "a.cpp:3: error: x");
        assert_eq!(complaint("\nlinker says no\n"), "linker says no");
        assert_eq!(complaint(""), "the compiler says nothing");
    }
}
