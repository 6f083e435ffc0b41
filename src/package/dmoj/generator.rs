//! Reads `generator`: a program that writes a case's input to its standard output and the answer to its standard error
//! (`TestCase._run_generator`).

use super::checker::{limits, named_program};
use crate::package::model::{JuryProgram, LanguageHint, ProgramLimits};
use crate::package::source::diagnostics::Diagnostics;
use crate::package::source::error::PackageError;
use crate::package::source::scope::Scope;
use crate::package::source::tree::Tree;
use crate::package::source::yaml::Value;
use crate::units::Bytes;

/// `generator_time_limit` and `generator_memory_limit` of `dmoj/judgeenv.py`.
const TIME: f64 = 20.0;
const MEMORY_KIB: f64 = 524_288.0;
/// Keys of a generator that is a map.
const KEYS: &[&str] =
    &["args", "compiler_time_limit", "flags", "language", "memory_limit", "name", "source", "time_limit"];
/// Generators may write files of any size there.
const OUTPUT: Bytes = Bytes::mib(512);

/// The program, its arguments for the case that `scope` is, and what it may use.
pub(super) fn read(
    scope: &Scope<'_>,
    tree: &Tree,
    diagnostics: &mut Diagnostics,
) -> Result<(JuryProgram, Vec<String>, ProgramLimits), PackageError> {
    let Some(node) = scope.get("generator") else {
        return Err(scope.wrong("generator", "it is missing", "name a program"));
    };
    let own = match scope.get("generator_args") {
        Some(node) => scope.texts(node, "generator_args")?,
        None => Vec::new(),
    };
    let Value::Map(_) = node.value else {
        let program = named_program(scope, tree, node, "generator", LanguageHint::Files, Vec::new())?;
        return Ok((program, own, bounded(TIME, MEMORY_KIB)));
    };
    let inner = scope.bare().inside(node, "generator")?;
    diagnostics.unknown_keys(super::keys::FILE, &scope.key("generator"), inner.own(), KEYS);
    let Some(source) = inner.own_get("source").or(inner.own_get("name")) else {
        return Err(inner.wrong_at(node, "source", "it is missing", "name the generator's file"));
    };
    let list = |key: &str| match inner.own_get(key) {
        Some(node) => inner.texts(node, key),
        None => Ok(Vec::new()),
    };
    let language = inner.own_text("language")?.map_or(LanguageHint::Files, LanguageHint::Dmoj);
    let program = named_program(&inner, tree, source, "source", language, list("flags")?)?;
    let arguments = if own.is_empty() { list("args")? } else { own };
    let time = inner.number("time_limit", 0.001..=super::keys::LONGEST)?.unwrap_or(TIME);
    let memory = inner.number("memory_limit", 1.0..=1e9)?.unwrap_or(MEMORY_KIB);
    Ok((program, arguments, bounded(time, memory)))
}

fn bounded(seconds: f64, kib: f64) -> ProgramLimits {
    ProgramLimits { output: OUTPUT, ..limits(seconds, kib) }
}
