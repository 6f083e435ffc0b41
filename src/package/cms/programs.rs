//! Finds the checker, manager, graders and stubs of a task.

use std::path::Path;

use crate::checker::{CustomScore, Protocol};
use crate::package::model::{
    Channel, CheckerProgram, Communication, Include, JuryProgram, LanguageHint, ProgramBuild, ProgramFile,
    ProgramLimits,
};
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::scope::Scope;
use crate::package::source::tree::{Entry, Kind, Tree};

/// Endings of sources, the likeliest first.
pub(super) const SOURCES: &[&str] =
    &["cpp", "cc", "cxx", "c", "py", "java", "pas", "rs", "go", "cs", "kt", "hs", "php", "js", "rb", "sh"];
/// Headers (`HEADER_EXTS` of the languages of CMS).
const HEADERS: &[&str] = &[".h", ".hpp", "lib.pas"];

/// `check/checker` or `cor/correttore`.
pub(super) fn checker(tree: &Tree, entries: &[Entry]) -> Result<Option<CheckerProgram>, PackageError> {
    let Some(program) = find(tree, entries, &[("check", "checker"), ("cor", "correttore")])? else {
        return Ok(None);
    };
    Ok(Some(CheckerProgram {
        program,
        protocol: Protocol::Cms,
        call: None,
        limits: ProgramLimits::default(),
        scores: CustomScore::Allowed,
    }))
}

/// `check/manager` or `cor/manager`: its presence makes the task a communication.
pub(super) fn manager(
    tree: &Tree,
    entries: &[Entry],
    scope: &Scope<'_>,
) -> Result<Option<Communication>, PackageError> {
    let Some(manager) = find(tree, entries, &[("check", "manager"), ("cor", "manager")])? else {
        return Ok(None);
    };
    let processes = scope.number("num_processes", 1.0..=16.0)?.unwrap_or(1.0);
    if processes.fract() != 0.0 {
        return Err(scope.wrong(
            "num_processes",
            format!("{processes} is not a count"),
            "give a whole number",
        ));
    }
    let stubs = !included(tree, entries, "stub", "")?.is_empty();
    let channel = match scope.text("user_io")?.as_deref() {
        None if stubs => Channel::Fifos,
        None => Channel::StandardStreams,
        Some("fifo_io") => Channel::Fifos,
        Some("std_io") => Channel::StandardStreams,
        Some(other) => {
            let problem = format!("'{}' is no way to reach a program", one_line(other));
            return Err(scope.wrong("user_io", problem, "use fifo_io or std_io"));
        }
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
    Ok(Some(Communication {
        manager,
        limits: ProgramLimits::default(),
        processes: processes as u32,
        channel,
    }))
}

/// `sol/NAME.*`, a source for each language, and the headers beside them.
pub(super) fn included(
    tree: &Tree,
    entries: &[Entry],
    name: &str,
    task: &str,
) -> Result<Vec<Include>, PackageError> {
    let Some(folder) = Tree::find(entries, "sol").filter(|entry| entry.kind == Kind::Directory) else {
        return Ok(Vec::new());
    };
    let inside = tree.entries(&folder.path, 1)?;
    let mut headers = Vec::new();
    for entry in inside.iter().filter(|entry| is_header(entry)) {
        headers.push(ProgramFile { name: entry.reportable()?.to_owned(), path: entry.file()?.to_owned() });
    }
    let mut includes = Vec::new();
    for ending in SOURCES {
        let file = format!("{name}.{ending}");
        let Some(entry) = Tree::find(&inside, &file) else { continue };
        let own = ProgramFile { name: file.clone(), path: entry.file()?.to_owned() };
        includes.push(Include {
            language: Some(LanguageHint::Ending((*ending).to_owned())),
            files: std::iter::once(own).chain(headers.iter().cloned()).collect(),
            entry_point: Some(file),
            submission_name: Some(task.to_owned()),
            submission_prefix: String::new(),
            submission_suffix: String::new(),
            flags: Vec::new(),
        });
    }
    Ok(includes)
}

/// What CMS defines when it compiles for an evaluation (`cms/grading/languages`): programs use files where it is there.
pub(super) const EVAL: &str = "-DEVAL";

/// Has submissions compiled with [`EVAL`] in the languages in which CMS does it.
pub(super) fn define_eval(includes: &mut Vec<Include>) {
    for ending in ["c", "cpp"] {
        let language = Some(LanguageHint::Ending(ending.to_owned()));
        match includes.iter_mut().find(|include| include.language == language) {
            Some(include) => include.flags.push(EVAL.to_owned()),
            None => includes.push(Include {
                language,
                files: Vec::new(),
                entry_point: None,
                submission_name: None,
                submission_prefix: String::new(),
                submission_suffix: String::new(),
                flags: vec![EVAL.to_owned()],
            }),
        }
    }
}

/// Arguments of the compiler for a program of the task's own: cmsMake and task-maker compile these in the same way.
pub(super) fn own_flags(ending: &str) -> Vec<String> {
    let is_c = matches!(ending, "c" | "cpp" | "cc" | "cxx");
    is_c.then(|| EVAL.to_owned()).into_iter().collect()
}

/// `sol/manager.*`, a source for each language that TwoSteps can be solved in, and the headers beside them.
pub(super) fn managers(
    tree: &Tree,
    entries: &[Entry],
    scope: &Scope<'_>,
) -> Result<Vec<Include>, PackageError> {
    let mut includes = included(tree, entries, "manager", "")?;
    if includes.is_empty() {
        let problem = "TwoSteps is asked for, and there is no manager in sol/";
        return Err(scope.wrong("task_type", problem, "add sol/manager.c or another source"));
    }
    // The contestant's two files keep the names that the headers have.
    includes.iter_mut().for_each(|include| include.submission_name = None);
    Ok(includes)
}

/// Whether a file is one of those that are put beside every submission.
pub(super) fn is_header(entry: &Entry) -> bool {
    entry.kind == Kind::File && !entry.is_hidden() && HEADERS.iter().any(|ending| entry.ends_with(ending))
}

/// A program in the first of these places where there is one: its source, with the headers beside it, else what somebody
/// compiled.
fn find(
    tree: &Tree,
    entries: &[Entry],
    places: &[(&str, &str)],
) -> Result<Option<JuryProgram>, PackageError> {
    for (folder, name) in places {
        let Some(folder) = Tree::find(entries, folder).filter(|entry| entry.kind == Kind::Directory) else {
            continue;
        };
        let inside = tree.entries(&folder.path, 1)?;
        let source = SOURCES.iter().find_map(|ending| Tree::find(&inside, &format!("{name}.{ending}")));
        let below = |entry: &Entry| tree_name(tree.root(), &entry.path);
        if let Some(source) = source {
            let mut files =
                vec![ProgramFile { name: source.reportable()?.to_owned(), path: source.file()?.to_owned() }];
            for header in inside.iter().filter(|entry| is_header(entry)) {
                files.push(ProgramFile { name: header.reportable()?.to_owned(), path: header.path.clone() });
            }
            let build = ProgramBuild::Language { language: LanguageHint::Files, flags: Vec::new() };
            return Ok(Some(JuryProgram { name: below(source), files, build }));
        }
        if let Some(binary) = Tree::find(&inside, name).filter(|entry| entry.kind == Kind::File) {
            let file = ProgramFile { name: "run".to_owned(), path: binary.path.clone() };
            return Ok(Some(JuryProgram {
                name: below(binary),
                files: vec![file],
                build: ProgramBuild::Scripts,
            }));
        }
    }
    Ok(None)
}

fn tree_name(root: &Path, path: &Path) -> String {
    crate::package::source::tree::below(root, path)
}
