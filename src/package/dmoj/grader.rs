//! Reads `custom_judge`: a Python file whose class `Grader` runs a case (`dmoj/graders/custom.py`).
//!
//! In DMOJ it runs inside the judge. Here it is an interactor: it runs in a box of its own, and a driver gives it the
//! judge's classes. `self._current_proc` is the contestant's program at the other end of two pipes. What a program used, and
//! how it ended, is only known to the judge afterwards; graders that ask for it are refused, and so are those that
//! compile the submission themselves or start it more than once.

use super::data::ProblemData;
use crate::checker::{CustomScore, DmojKind, Protocol};
use crate::package::model::{
    Interaction, Interactor, JuryProgram, LanguageHint, Package, ProgramBuild, ProgramFile, ProgramLimits,
    Streams, TimeLimit,
};
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::scope::Scope;
use crate::package::source::tree::{Kind, Tree, read_at_most};
use crate::package::source::yaml::Node;

const DRIVER: &str = include_str!("grader_driver.py");
const DRIVER_NAME: &str = "gavel_grader.py";
/// The driver's arguments before those of the test.
const DRIVER_CALL: [&str; 5] = ["{input}", "{answer}", "{feedback}", "{submission}", "{language}"];
/// Bytes of a grader that are searched for what is not supported.
const SEARCHED: u64 = 1 << 20;

/// Modules of the judge's that the driver has.
const MODULES: &[&str] = &[
    "dmoj",
    "dmoj.checkers",
    "dmoj.checkers._checker",
    "dmoj.checkers.standard",
    "dmoj.error",
    "dmoj.graders",
    "dmoj.graders.base",
    "dmoj.graders.interactive",
    "dmoj.graders.standard",
    "dmoj.problem",
    "dmoj.result",
    "dmoj.utils",
    "dmoj.utils.unicode",
];

/// Words of a grader that ask for something it cannot have here, with what that is.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("BridgedInteractiveGrader", "a grader with an interactor of its own"),
    ("SignatureGrader", "a grader of signatures"),
    ("_generate_binary", "a grader that compiles the submission itself"),
    ("generate_binary", "a grader that compiles the submission itself"),
    ("Result.TLE", "a grader that asks how the program ended"),
    ("Result.MLE", "a grader that asks how the program ended"),
    ("Result.OLE", "a grader that asks how the program ended"),
    ("Result.RTE", "a grader that asks how the program ended"),
    ("Result.IR", "a grader that asks how the program ended"),
    ("Result.SC", "a grader that asks how the program ended"),
    ("is_tle", "a grader that asks how the program ended"),
    ("is_mle", "a grader that asks how the program ended"),
    ("is_rte", "a grader that asks how the program ended"),
    ("is_ir", "a grader that asks how the program ended"),
    ("returncode", "a grader that asks how the program ended"),
    ("execution_time", "a grader that asks what the program used"),
    ("wall_clock_time", "a grader that asks what the program used"),
    ("max_memory", "a grader that asks what the program used"),
    ("problem_data", "a grader that reads the problem's files through the judge"),
];

const SUPPORTED: &str = "supported today: subclasses of StandardGrader and InteractiveGrader that talk with the program once a case, and \
     use its output, the case and the submission's source";

/// The grader that the problem names, as an interactor.
///
/// # Errors
/// When there is no such file, or when it asks for something that is not supported.
pub(super) fn read(
    scope: &Scope<'_>,
    tree: &Tree,
    data: &mut ProblemData<'_>,
    streams: &Streams,
) -> Result<Option<Interaction>, PackageError> {
    let Some(node) = scope.get("custom_judge") else { return Ok(None) };
    let name = scope.text("custom_judge")?.unwrap_or_default();
    for key in ["interactive", "signature_grader"] {
        if let Some(other) = scope.own_get(key) {
            return Err(scope.unsupported(other, key, "it beside custom_judge", SUPPORTED));
        }
    }
    if *streams != Streams::default() {
        return Err(scope.unsupported(
            node,
            "custom_judge",
            "a grader of programs that use files",
            SUPPORTED,
        ));
    }
    if !name.ends_with(".py") {
        let problem = format!("'{}' is not a Python file", one_line(&name));
        return Err(scope.wrong_at(node, "custom_judge", problem, "name a file NAME.py with a class Grader"));
    }
    let path = super::checker::file(tree, scope, node, "custom_judge", &name)?;
    refuse_unsupported(scope, node, &String::from_utf8_lossy(&read_at_most(&path, SEARCHED)?))?;
    let module = module(&name).to_owned();
    let mut files = vec![
        ProgramFile { name: DRIVER_NAME.to_owned(), path: data.text(DRIVER.to_owned()) },
        ProgramFile { name: module.clone(), path },
    ];
    for entry in tree.entries(tree.root(), 0)? {
        if entry.kind == Kind::File && entry.ends_with(".py") && entry.text() != Some(module.as_str()) {
            files.push(ProgramFile { name: entry.reportable()?.to_owned(), path: entry.path.clone() });
        }
    }
    let language = LanguageHint::Id("python3".to_owned());
    Ok(Some(Interaction::Interactive(Interactor {
        program: JuryProgram { name, files, build: ProgramBuild::Language { language, flags: Vec::new() } },
        protocol: Protocol::Dmoj(DmojKind::Grader),
        call: Some(DRIVER_CALL.map(str::to_owned).to_vec()),
        limits: ProgramLimits::default(),
        scores: CustomScore::Allowed,
        // The driver flushes where the judge would.
        unbuffered: false,
    })))
}

/// The name of the grader's file, without folders.
fn module(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// What the driver is told of a case: its last argument.
pub(super) fn context(
    scope: &Scope<'_>,
    package: &Package,
    batch: usize,
) -> Result<Vec<String>, PackageError> {
    let Some(name) = scope.text("custom_judge")? else { return Ok(Vec::new()) };
    let time = match package.limits.time {
        TimeLimit::Fixed(time) => time.as_secs_f64(),
        TimeLimit::FromSubmissions { .. } => 0.0,
    };
    let checker = match scope.get("checker") {
        None => "standard".to_owned(),
        Some(_) => scope.text("checker").ok().flatten().unwrap_or_else(|| "with arguments".to_owned()),
    };
    let number = |key: &str, default: f64| -> Result<f64, PackageError> {
        Ok(scope.number(key, 0.0..=1e12)?.unwrap_or(default))
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
    let length = number("output_prefix_length", 64.0)? as u64;
    let context = serde_json::json!({
        "module": module(&name),
        "point_value": number("points", 1.0)?,
        "case_position": package.tests.len(),
        "batch": batch,
        "problem_id": package.name,
        "binary_data": scope.flag("binary_data"),
        "checker": checker,
        "time_limit": time,
        "memory_limit": package.limits.memory.0 / 1024,
        "config": {
            "output_limit_length": package.limits.output.0,
            "output_prefix_length": length,
            "points": number("points", 1.0)?,
            "unbuffered": package.unbuffered,
        },
    });
    Ok(vec![context.to_string()])
}

fn refuse_unsupported(scope: &Scope<'_>, node: &Node, text: &str) -> Result<(), PackageError> {
    for (number, line) in text.lines().enumerate() {
        let code = line.split('#').next().unwrap_or_default();
        let refuse = |what: String| Err(scope.unsupported(node, "custom_judge", what, SUPPORTED));
        if let Some(module) = imported(code).filter(|module| !MODULES.contains(module)) {
            return refuse(format!("a grader that imports {} (line {})", one_line(module), number + 1));
        }
        if let Some((word, what)) = UNSUPPORTED.iter().find(|(word, _)| has_word(code, word)) {
            return refuse(format!("{what} ({word}, line {})", number + 1));
        }
    }
    Ok(())
}

/// The module of the judge's that a line imports.
fn imported(line: &str) -> Option<&str> {
    let rest =
        line.trim_start().strip_prefix("from ").or_else(|| line.trim_start().strip_prefix("import "))?;
    let module = rest.trim_start().split([' ', ',', ';']).next()?.trim();
    (module == "dmoj" || module.starts_with("dmoj.")).then_some(module)
}

/// Whether a word stands in a line, and not as a part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let belongs = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(word).any(|(place, _)| {
        let before = line[..place].chars().next_back();
        let after = line[place + word.len()..].chars().next();
        !before.is_some_and(belongs) && !after.is_some_and(belongs)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_and_words_are_found_as_python_reads_them() {
        assert_eq!(imported("from dmoj.graders.bridged import X"), Some("dmoj.graders.bridged"));
        assert_eq!(imported("    import dmoj.cptbox, os"), Some("dmoj.cptbox"));
        assert_eq!(imported("import dmojo"), None);
        assert_eq!(imported("x = 'from dmoj import y'"), None);
        assert!(has_word("if result.result_flag & Result.TLE:", "Result.TLE"));
        assert!(!has_word("MyResult.TLEX", "Result.TLE") && !has_word("Result.TLES", "Result.TLE"));
        assert!(!has_word("self.regenerate_binary()", "generate_binary"));
    }
}
