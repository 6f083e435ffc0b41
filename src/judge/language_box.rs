//! Describes how a language's programs are compiled and run: box shapes, limits, environments, command lines.

use std::time::Duration;

use crate::language::{Language, Placeholders, expand};
use crate::sandbox::{Limits, PROGRAM, Profile, Shape};
use crate::units::Bytes;

/// Directory of the sources inside a compile box.
pub(crate) const SOURCE_DIRECTORY: &str = "/w/src";
/// Directory where a compiler leaves the program.
pub(crate) const OUTPUT_DIRECTORY: &str = "/w/out";
/// Name of the program file below [`OUTPUT_DIRECTORY`] and below [`PROGRAM`].
pub(crate) const EXECUTABLE: &str = "program";

/// Environment of every program; a language's own entries come after it.
const BASE_ENVIRONMENT: &[&str] =
    &["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/w", "TMPDIR=/tmp", "LANG=C.UTF-8", "LC_ALL=C.UTF-8"];
/// Files and directories that a compiler may make.
pub(crate) const COMPILE_INODES: u64 = 1 << 16;

/// Returns the environment of programs that belong to no language.
pub(crate) fn base_environment() -> Vec<String> {
    BASE_ENVIRONMENT.iter().map(|entry| (*entry).to_owned()).collect()
}

/// Returns the whole environment of a language's compilers and programs.
pub(crate) fn environment(language: &Language) -> Vec<String> {
    let mut environment = base_environment();
    environment.extend(language.env.iter().cloned());
    environment
}

/// Returns the box that compilers, preparations and version commands of a language run in.
pub(crate) fn compile_shape(language: &Language) -> Shape {
    Shape {
        profile: Profile::Compile,
        mounts: language.mounts.clone(),
        proc: language.proc,
        // The program, and as much again for temporary files.
        workspace: Bytes(language.compile_limits.output.0.saturating_mul(2)),
        workspace_inodes: COMPILE_INODES,
        ..Shape::default()
    }
}

/// Returns the limits of compilers, preparations and version commands.
pub(crate) fn compile_limits(language: &Language) -> Limits {
    let limits = &language.compile_limits;
    Limits {
        cpu: Some(limits.cpu),
        wall: Some(limits.wall),
        memory: Some(limits.memory),
        output: None,
        file_size: Some(limits.output),
        processes: Some(limits.processes),
        ..Limits::default()
    }
}

/// Returns the box that programs of a language run in.
pub(crate) fn run_shape(language: &Language) -> Shape {
    Shape {
        profile: language.profile,
        mounts: language.mounts.clone(),
        proc: language.proc,
        ..Shape::default()
    }
}

/// Returns the command line that runs a program made of these source files.
pub(crate) fn run_argv(language: &Language, source_names: &[String], memory_mib: u64) -> Vec<String> {
    let sources: Vec<String> =
        language.compiler_sources(source_names).iter().map(|name| format!("{PROGRAM}/{name}")).collect();
    expand(
        &language.run,
        &Placeholders {
            sources: &sources,
            exe: &format!("{PROGRAM}/{EXECUTABLE}"),
            dir: PROGRAM,
            source: sources.first().map_or("", String::as_str),
            memory_mib,
        },
    )
}

/// Returns the command line of a compiler or a preparation, by its template and the names of its source files.
pub(crate) fn compile_argv(template: &[String], language: &Language, names: &[String]) -> Vec<String> {
    let sources: Vec<String> = names.iter().map(|name| format!("{SOURCE_DIRECTORY}/{name}")).collect();
    expand(
        template,
        &Placeholders {
            sources: &sources,
            exe: &format!("{OUTPUT_DIRECTORY}/{EXECUTABLE}"),
            dir: OUTPUT_DIRECTORY,
            source: sources.first().map_or("", String::as_str),
            memory_mib: language.compile_limits.memory.as_mib(),
        },
    )
}

/// Returns the wall limit of a program or compiler that has only a CPU limit.
pub(crate) fn derived_wall(cpu: Duration) -> Duration {
    cpu.saturating_mul(3).saturating_add(Duration::from_secs(2))
}
