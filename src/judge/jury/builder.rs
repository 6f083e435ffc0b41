//! Builds the jury's programs: compiles them through the cache, or runs their own build scripts.

use std::path::Path;
use std::time::Duration;

use crate::cancel::CancelToken;
use crate::judge::compile::compiler::error_line;
use crate::judge::compile::language_hint::{find_language, older_standards};
use crate::judge::compile::program::{self, Compilation, Recipe};
use crate::judge::engine::Engine;
use crate::judge::fault::Fault;
use crate::judge::files;
use crate::judge::jury::build_script;
use crate::judge::jury::program::{BuiltProgram, run_limits};
use crate::judge::language_box::{compile_limits, environment, run_argv, run_shape};
use crate::judge::request::{Source, convert, names_of};
use crate::language::Language;
use crate::package::{JuryProgram, ProgramBuild, ProgramLimits};
use crate::sandbox::ResourceControl;
use crate::units::Bytes;

/// Bytes of all source files of one program; those with large tables have some megabytes.
const SOURCE_LIMIT: u64 = 256 << 20;
/// Processes and threads of a program: scripts start others.
const PROCESSES: u32 = 64;

/// Builds the programs of one judging.
pub(crate) struct ProgramBuilder<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) cancel: &'a CancelToken,
    /// Bytes of the files that are put into a program's work directory before it runs.
    pub(crate) handed: Bytes,
}

impl ProgramBuilder<'_> {
    /// Builds a program, or returns what was built before.
    ///
    /// # Errors
    /// [`Fault::Checker`] when it cannot be built from the package's files, [`Fault::Language`] when this host lacks the
    /// language.
    pub(crate) fn build(
        &self,
        role: &str,
        program: &JuryProgram,
        limits: ProgramLimits,
    ) -> Result<BuiltProgram, Fault> {
        self.build_buffered(role, program, limits, true)
    }

    /// Builds as [`ProgramBuilder::build`]; a program that is not `buffered` writes its standard output without a buffer,
    /// if its language has a way to do so.
    ///
    /// # Errors
    /// As [`ProgramBuilder::build`].
    pub(crate) fn build_buffered(
        &self,
        role: &str,
        program: &JuryProgram,
        limits: ProgramLimits,
        buffered: bool,
    ) -> Result<BuiltProgram, Fault> {
        let name = format!("{role} '{}'", program.name);
        let mut sources = read_sources(&name, program)?;
        let mut built = match &program.build {
            ProgramBuild::Scripts => build_script::build(self.engine, &name, &sources, limits, self.cancel)?,
            ProgramBuild::Checktestdata => {
                let problem = format!("{name}: a script of checktestdata can only be an input validator");
                return Err(Fault::Checker(problem));
            }
            ProgramBuild::Language { language, flags } => {
                let language = find_language(&self.engine.table, language, program).ok_or_else(|| {
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
        "jury".clone_into(&mut built.shape.hostname);
        // Some programs open /dev/stdin by name.
        built.shape.proc = true;
        // Rounded up, so that programs with similar needs share boxes.
        let room = self.handed.0.saturating_add(limits.output.0).saturating_add(1 << 20);
        built.shape.workspace = Bytes(room.next_power_of_two().max(Bytes::mib(64).0));
        Ok(built)
    }

    /// Compiles by the language's standard, or by an older one of the table: packages live longer than standards.
    fn compile_or_older(
        &self,
        name: &str,
        language: &Language,
        sources: &[Source],
        flags: &[String],
        limits: ProgramLimits,
        buffered: bool,
    ) -> Result<BuiltProgram, Fault> {
        let compile = |language: &Language| {
            let way = language.unbuffered.as_ref().filter(|_| !buffered);
            let own = way.and_then(|way| way.file.as_ref());
            let own = own.map(|(name, text)| Source { name: name.clone(), bytes: text.clone().into_bytes() });
            let sources: Vec<_> = sources.iter().cloned().chain(own).collect();
            let mut built = self.compile(name, language, &sources, flags, limits)?;
            built.env.extend(way.into_iter().flat_map(|way| way.env.iter().cloned()));
            Ok(built)
        };
        let first = compile(language);
        if !matches!(first, Err(Fault::Checker(_))) {
            return first;
        }
        for older in older_standards(&self.engine.table, &language.id) {
            match compile(older) {
                Ok(built) => {
                    tracing::info!(program = %name, language = %older.id, "compiles only by an older standard");
                    return Ok(built);
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
    ) -> Result<BuiltProgram, Fault> {
        let recipe = Recipe { language, sources, flags, limits: compile_limits(language) };
        let on_start = || tracing::info!(program = %name, language = %language.id, "compiling");
        let Compilation { report, program, .. } =
            program::compile(self.engine, &recipe, &on_start, self.cancel)?;
        let Some(program) = program else {
            return Err(Fault::Checker(format!(
                "{name} does not compile as {}: {}",
                language.id,
                error_line(&report.log)
            )));
        };
        let allowance = &language.limits;
        let memory = Bytes(limits.memory.0.saturating_add(allowance.memory_extra.0));
        let scaled = limits.time.as_secs_f64() * allowance.time_factor;
        let cpu = Duration::try_from_secs_f64(scaled).unwrap_or(limits.time) + allowance.time_extra;
        let processes = match self.engine.sandbox.resource_control() {
            ResourceControl::None => allowance.processes,
            _ => allowance.processes.max(PROCESSES),
        };
        Ok(BuiltProgram {
            argv: run_argv(language, &program.source_names, limits.memory.as_mib()),
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

/// Reads the source files of a program.
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
