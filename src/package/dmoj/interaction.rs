//! Reads `interactive` and `signature_grader`: the interactor, and the file compiled with submissions.

use super::checker::{call, kind, limits, program, warn_of_hidden_feedback};
use super::data::ProblemData;
use super::keys::FILE;
use crate::checker::{CustomScore, Protocol};
use crate::package::model::{
    Include, Interaction, Interactor, LanguageHint, PackageLimits, ProgramFile, TimeLimit,
};
use crate::package::source::diagnostics::Diagnostics;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::scope::Scope;
use crate::package::source::tree::Tree;

/// Seconds an interactor has beyond the problem's limit (`dmoj/graders/bridged.py`).
const PREPROCESSING: f64 = 2.0;
const MEMORY_KIB: f64 = 524_288.0;

/// Keys of `interactive`.
const KEYS: &[&str] = &[
    "args_format_string",
    "compiler_time_limit",
    "feedback",
    "files",
    "flags",
    "lang",
    "memory_limit",
    "preprocessing_time",
    "type",
    "unbuffered",
];

/// Name that the contestant's file gets, so that it is not that of the entry.
const SUBMISSION: &str = "gavel_submission";

/// The program of `interactive`.
pub(super) fn read(
    scope: &Scope<'_>,
    tree: &Tree,
    package: &PackageLimits,
    diagnostics: &mut Diagnostics,
) -> Result<Interaction, PackageError> {
    let Some(node) = scope.own_get("interactive") else { return Ok(Interaction::None) };
    let inner = scope.bare().inside(node, "interactive")?;
    diagnostics.unknown_keys(FILE, "interactive", inner.own(), KEYS);
    warn_of_hidden_feedback(&inner, "interactive", diagnostics);
    let extra = inner.number("preprocessing_time", 0.0..=super::keys::LONGEST)?.filter(|extra| *extra > 0.0);
    let memory = inner.number("memory_limit", 1.0..=1e9)?.unwrap_or(MEMORY_KIB);
    let TimeLimit::Fixed(time) = package.time else { return Ok(Interaction::None) };
    Ok(Interaction::Interactive(Interactor {
        program: program(&inner, tree)?,
        protocol: Protocol::Dmoj(kind(&inner)?),
        call: call(&inner)?,
        limits: limits(time.as_secs_f64() + extra.unwrap_or(PREPROCESSING), memory),
        scores: CustomScore::Allowed,
        unbuffered: inner.own_get("unbuffered").is_none_or(|_| inner.flag("unbuffered")),
    }))
}

/// The files of `signature_grader`, for C and for C++: the entry has the `main`, and the submission is compiled on its own
/// with the header before it and its own `main`, where it has one, under another name (`dmoj/graders/signature.py`).
pub(super) fn signature(
    scope: &Scope<'_>,
    data: &ProblemData<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Vec<Include>, PackageError> {
    let Some(node) = scope.own_get("signature_grader") else { return Ok(Vec::new()) };
    let inner = scope.bare().inside(node, "signature_grader")?;
    diagnostics.unknown_keys(FILE, "signature_grader", inner.own(), &["allow_main", "entry", "header"]);
    let name = |key: &str| -> Result<ProgramFile, PackageError> {
        let Some(name) = inner.own_text(key)? else {
            return Err(inner.wrong_at(node, key, "it is missing", "name a file of the problem's"));
        };
        if name.starts_with('/') || name.split('/').any(|part| part == ".." || part.is_empty()) {
            let problem = format!("'{}' leads elsewhere", one_line(&name));
            return Err(inner.wrong(key, problem, "name a file of the problem's"));
        }
        let path = data.find(&inner, key, &name)?;
        Ok(ProgramFile { name, path })
    };
    let (entry, header) = (name("entry")?, name("header")?);
    let rename = if inner.flag("allow_main") { "" } else { "#define main gavel_renamed_main\n" };
    let prefix = format!("#include \"{}\"\n{rename}", header.name);
    let includes = ["c", "cpp"].into_iter().map(|ending| {
        // The entry is compiled as what the submission is.
        let stem = entry.name.rsplit_once('.').map_or(entry.name.as_str(), |(stem, _)| stem);
        let start = ProgramFile { name: format!("{stem}.{ending}"), path: entry.path.clone() };
        Include {
            language: Some(LanguageHint::Ending(ending.to_owned())),
            entry_point: Some(start.name.clone()),
            files: vec![start, header.clone()],
            submission_name: Some(SUBMISSION.to_owned()),
            submission_prefix: prefix.clone(),
            submission_suffix: String::new(),
            flags: vec!["-DSIGNATURE_GRADER".to_owned()],
        }
    });
    Ok(includes.collect())
}
