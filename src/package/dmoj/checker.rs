//! Reads `checker`: a built-in one of DMOJ, a program (`bridged`), or the problem's Python code.

use std::time::Duration;

use memchr::memmem;

use super::data::ProblemData;
use super::keys::FILE;
use crate::checker::{Comparator, CustomScore, DmojChecker, DmojKind, FloatMode, Protocol};
use crate::nearest::nearest;
use crate::package::model::{
    Check, CheckerProgram, JuryProgram, LanguageHint, Package, ProgramBuild, ProgramFile, ProgramLimits,
};
use crate::package::source::diagnostics::Diagnostics;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::scope::Scope;
use crate::package::source::tree::{Kind, Tree, read_at_most};
use crate::package::source::yaml::{Node, Value};
use crate::units::Bytes;

/// `generator_time_limit`, `generator_memory_limit` of `dmoj/judgeenv.py`.
const TIME: f64 = 20.0;
const MEMORY_KIB: f64 = 524_288.0;
/// Bytes of a checker that are searched for what is not supported.
const LONGEST_CODE: u64 = 1 << 20;
const SUPPORTED: &str = "supported today: standard, easy, floats, floatsabs, floatsrel, identical, linecount, rstripped, sorted, unordered, \
     bridged and Python files";
const NAMES: &[&str] = &[
    "standard",
    "easy",
    "floats",
    "floatsabs",
    "floatsrel",
    "identical",
    "linecount",
    "rstripped",
    "sorted",
    "unordered",
    "bridged",
    "linematches",
];

/// Gives the problem's Python code the modules it expects, calls it, and answers as the driver of graders does.
const DRIVER: &str = include_str!("driver.py");
const DRIVER_NAME: &str = "gavel_driver.py";
/// Its arguments before those of the test.
const DRIVER_CALL: [&str; 9] = [
    "{input}",
    "{answer}",
    "{output}",
    "{submission}",
    "{language}",
    "{cpu_ms}",
    "{wall_ms}",
    "{memory_kib}",
    "{feedback}",
];

/// Reads checkers, and puts their programs into the package.
#[derive(Debug)]
pub(super) struct Checkers;

impl Checkers {
    /// What checks the case that `scope` is.
    pub(super) fn read(
        &self,
        scope: &Scope<'_>,
        tree: &Tree,
        data: &mut ProblemData<'_>,
        package: &mut Package,
        batch: usize,
        diagnostics: &mut Diagnostics,
    ) -> Result<Check, PackageError> {
        let Some(node) = scope.get("checker") else { return Ok(built_in(DmojChecker::Standard)) };
        let (name, arguments) = match &node.value {
            Value::Map(map) => {
                let inner = scope.inside(node, "checker")?;
                diagnostics.unknown_keys(FILE, &scope.key("checker"), map, &["name", "args"]);
                let name = inner.own_text("name")?.ok_or_else(|| {
                    let remedy = "give the name of a checker";
                    inner.wrong_at(node, "name", "it is missing", remedy)
                })?;
                let arguments = map.iter().find(|(key, _)| key == "args").map(|(_, node)| node);
                (name, arguments)
            }
            _ => (scope.text("checker")?.unwrap_or_default(), None),
        };
        let empty = Node { line: node.line, value: Value::Map(Vec::new()) };
        let arguments = arguments.filter(|node| !matches!(node.value, Value::Null)).unwrap_or(&empty);
        let own = Arguments { scope: Scope::inside(&scope.bare(), arguments, "checker.args")?, node };
        if name.contains('.') {
            return self.python(scope, &own, arguments, &name, tree, data, package, batch, diagnostics);
        }
        diagnostics.unknown_keys(
            FILE,
            &format!("{}.args", scope.key("checker")),
            own.scope.own(),
            argument_keys(&name),
        );
        let flag = |key: &str, default: bool| own.scope.own_get(key).map_or(default, |_| own.scope.flag(key));
        Ok(match name.as_str() {
            "standard" => built_in(DmojChecker::Standard),
            "easy" => built_in(DmojChecker::Easy),
            "identical" => built_in(DmojChecker::Identical),
            "linecount" => built_in(DmojChecker::Linecount),
            "rstripped" => {
                built_in(DmojChecker::Rstripped { filter_new_line: flag("filter_new_line", false) })
            }
            "floats" => own.floats(None)?,
            "floatsabs" => own.floats(Some(FloatMode::Absolute))?,
            "floatsrel" => own.floats(Some(FloatMode::Relative))?,
            "unordered" => built_in(DmojChecker::SortedTokens),
            "sorted" => match own.scope.own_text("split_on")?.as_deref().unwrap_or("lines") {
                "lines" => built_in(DmojChecker::SortedLines),
                "whitespace" => built_in(DmojChecker::SortedTokens),
                other => {
                    let problem = format!("'{other}' is no way to split");
                    return Err(own.scope.wrong("split_on", problem, "use lines or whitespace"));
                }
            },
            "bridged" => {
                let checker = own.bridged(tree)?;
                warn_of_hidden_feedback(&own.scope, "checker.args", diagnostics);
                self.program(checker, package)
            }
            "linematches" => {
                return Err(scope.unsupported(node, "checker", "the checker linematches", SUPPORTED));
            }
            other => {
                let meant = nearest(other, NAMES.iter().copied());
                let meant = meant.map_or_else(String::new, |meant| format!(", did you mean '{meant}'"));
                let problem = format!("'{}' is none of the judge's checkers", one_line(other));
                return Err(scope.wrong_at(node, "checker", problem, format!("{SUPPORTED}{meant}")));
            }
        })
    }

    fn program(&self, checker: CheckerProgram, package: &mut Package) -> Check {
        let place = package.checkers.iter().position(|known| *known == checker).unwrap_or_else(|| {
            package.checkers.push(checker);
            package.checkers.len() - 1
        });
        Check::Program { checker: place, arguments: Vec::new() }
    }

    /// A file with a function `check`. Other Python files beside it belong to it.
    #[allow(clippy::too_many_arguments, reason = "everything a checker of this kind is made of")]
    fn python(
        &self,
        scope: &Scope<'_>,
        own: &Arguments<'_>,
        arguments: &Node,
        name: &str,
        tree: &Tree,
        data: &mut ProblemData<'_>,
        package: &mut Package,
        batch: usize,
        diagnostics: &mut Diagnostics,
    ) -> Result<Check, PackageError> {
        if !name.ends_with(".py") {
            let problem = format!("'{}' is no Python file", one_line(name));
            return Err(scope.wrong_at(own.node, "checker", problem, "name a file NAME.py, or use bridged"));
        }
        let path = own.file(tree, scope, "checker", name)?;
        let code = read_at_most(&path, LONGEST_CODE)?;
        if memmem::find(&code, b"run_on_error").is_some() {
            diagnostics.warn_once(format!(
                "{}: run_on_error is not supported: the checker is not asked about programs that fail or run too long, \
                 which get no points",
                one_line(name)
            ));
        }
        let module = name.rsplit('/').next().unwrap_or(name).to_owned();
        let mut files = vec![
            ProgramFile { name: DRIVER_NAME.to_owned(), path: data.text(DRIVER.to_owned()) },
            ProgramFile { name: module.clone(), path },
        ];
        for entry in tree.entries(tree.root(), 0)? {
            if entry.kind == Kind::File && entry.ends_with(".py") && entry.text() != Some(module.as_str()) {
                files.push(ProgramFile { name: entry.reportable()?.to_owned(), path: entry.path.clone() });
            }
        }
        let checker = CheckerProgram {
            program: JuryProgram {
                name: name.to_owned(),
                files,
                build: ProgramBuild::Language {
                    language: LanguageHint::Id("python3".to_owned()),
                    flags: Vec::new(),
                },
            },
            protocol: Protocol::Dmoj(DmojKind::Grader),
            call: Some(DRIVER_CALL.map(str::to_owned).to_vec()),
            limits: limits(TIME, MEMORY_KIB),
            scores: CustomScore::Allowed,
        };
        let points = scope.number("points", 0.0..=1e9)?.unwrap_or(1.0);
        let context = serde_json::json!({
            "module": module,
            "arguments": json(arguments),
            "point_value": points,
            "case_position": package.tests.len(),
            "batch": batch,
            "problem_id": package.name,
            "binary_data": scope.flag("binary_data"),
        });
        let Check::Program { checker, .. } = self.program(checker, package) else {
            return Ok(built_in(DmojChecker::Standard));
        };
        Ok(Check::Program { checker, arguments: vec![context.to_string()] })
    }
}

/// `checker.args`.
struct Arguments<'a> {
    scope: Scope<'a>,
    /// The whole checker.
    node: &'a Node,
}

impl Arguments<'_> {
    fn floats(&self, mode: Option<FloatMode>) -> Result<Check, PackageError> {
        let precision = self.scope.number("precision", 0.0..=200.0)?.unwrap_or(6.0);
        let mode = match (mode, self.scope.own_text("error_mode")?.as_deref().unwrap_or("default")) {
            (Some(mode), _) => mode,
            (None, "default") => FloatMode::Default,
            (None, "absolute") => FloatMode::Absolute,
            (None, "relative") => FloatMode::Relative,
            (None, other) => {
                let problem = format!("'{other}' is no mode");
                return Err(self.scope.wrong("error_mode", problem, "use default, absolute or relative"));
            }
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
        let precision = precision as u8;
        Ok(built_in(DmojChecker::Floats { precision, mode }))
    }

    fn bridged(&self, tree: &Tree) -> Result<CheckerProgram, PackageError> {
        let scope = &self.scope;
        let kind = kind(scope)?;
        let time = scope.number("time_limit", 0.001..=super::keys::LONGEST)?.unwrap_or(TIME);
        let memory = scope.number("memory_limit", 1.0..=1e9)?.unwrap_or(MEMORY_KIB);
        Ok(CheckerProgram {
            program: program(scope, tree)?,
            protocol: Protocol::Dmoj(kind),
            call: call(scope)?,
            limits: limits(time, memory),
            scores: CustomScore::Allowed,
        })
    }

    fn file(
        &self,
        tree: &Tree,
        scope: &Scope<'_>,
        key: &str,
        name: &str,
    ) -> Result<std::path::PathBuf, PackageError> {
        file(tree, scope, self.node, key, name)
    }
}

/// Messages for contestants are governed by `feedback` of the submission, the package or the worker.
pub(super) fn warn_of_hidden_feedback(scope: &Scope<'_>, place: &str, diagnostics: &mut Diagnostics) {
    if scope.own_get("feedback").is_some() && !scope.flag("feedback") {
        diagnostics.warn_once(format!(
            "{FILE}: {place}.feedback: false is not supported: contestants may read what the program says; \
             feedback = \"case\" in gavel.toml hides it"
        ));
    }
}

/// Keys of `args` that a checker of the judge's reads.
fn argument_keys(name: &str) -> &'static [&'static str] {
    match name {
        "bridged" => &[
            "args_format_string",
            "compiler_time_limit",
            "feedback",
            "files",
            "flags",
            "lang",
            "memory_limit",
            "time_limit",
            "type",
        ],
        "floats" => &["error_mode", "precision"],
        "floatsabs" | "floatsrel" => &["precision"],
        "rstripped" => &["filter_new_line"],
        "sorted" => &["split_on"],
        "linecount" => &["feedback", "match"],
        _ => &[],
    }
}

/// `type`.
pub(super) fn kind(scope: &Scope<'_>) -> Result<DmojKind, PackageError> {
    match scope.own_text("type")?.as_deref().unwrap_or("default") {
        "default" => Ok(DmojKind::Default),
        "testlib" => Ok(DmojKind::Testlib),
        "coci" => Ok(DmojKind::Coci),
        "peg" => Ok(DmojKind::Peg),
        other => {
            let problem = format!("'{}' is no kind of checker", one_line(other));
            Err(scope.wrong("type", problem, "use default, testlib, coci or peg"))
        }
    }
}

/// `files`, `lang` and `flags`.
pub(super) fn program(scope: &Scope<'_>, tree: &Tree) -> Result<JuryProgram, PackageError> {
    let Some(node) = scope.own_get("files") else {
        return Err(scope.wrong("files", "it is missing", "name the program's files"));
    };
    let flags = match scope.own_get("flags") {
        Some(node) => scope.texts(node, "flags")?,
        None => Vec::new(),
    };
    let language = scope.own_text("lang")?.map_or(LanguageHint::Files, LanguageHint::Dmoj);
    named_program(scope, tree, node, "files", language, flags)
}

/// The program that one file, or a list of them, is.
pub(super) fn named_program(
    scope: &Scope<'_>,
    tree: &Tree,
    node: &Node,
    key: &str,
    language: LanguageHint,
    flags: Vec<String>,
) -> Result<JuryProgram, PackageError> {
    let names = scope.texts(node, key)?;
    let Some(first) = names.first() else {
        return Err(scope.wrong_at(node, key, "there are none", "name the program's files"));
    };
    let mut files = Vec::new();
    for name in &names {
        let path = file(tree, scope, node, key, name)?;
        files.push(ProgramFile { name: name.rsplit('/').next().unwrap_or(name).to_owned(), path });
    }
    Ok(JuryProgram { name: first.clone(), files, build: ProgramBuild::Language { language, flags } })
}

/// `args_format_string`, as a shell would split it.
pub(super) fn call(scope: &Scope<'_>) -> Result<Option<Vec<String>>, PackageError> {
    const KEY: &str = "args_format_string";
    let Some(text) = scope.own_text(KEY)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    let words = shlex::split(&text)
        .ok_or_else(|| scope.wrong(KEY, "a quote in it is not closed", "close it"))?
        .into_iter()
        .map(|word| {
            word.replace("{input_file}", "{input}")
                .replace("{output_file}", "{output}")
                .replace("{answer_file}", "{answer}")
        });
    Ok(Some(words.collect()))
}

pub(super) fn file(
    tree: &Tree,
    scope: &Scope<'_>,
    node: &Node,
    key: &str,
    name: &str,
) -> Result<std::path::PathBuf, PackageError> {
    let remedy = "name a file in the problem's directory";
    match tree.at(name).map_err(|problem| scope.wrong_at(node, key, problem, remedy))? {
        Some(entry) => Ok(entry.file()?.to_owned()),
        None => Err(scope.wrong_at(node, key, format!("there is no file '{}'", one_line(name)), remedy)),
    }
}

pub(super) fn limits(seconds: f64, kib: f64) -> ProgramLimits {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "callers checked the range")]
    let memory = Bytes::kib(kib as u64);
    ProgramLimits { time: Duration::from_secs_f64(seconds), memory, ..ProgramLimits::default() }
}

fn built_in(checker: DmojChecker) -> Check {
    Check::BuiltIn(Comparator::Dmoj(checker))
}

/// A YAML value as JSON.
fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(flag) => (*flag).into(),
        #[allow(clippy::cast_possible_truncation, reason = "only whole numbers of this size get here")]
        Value::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => (*number as i64).into(),
        Value::Number(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(map) => {
            serde_json::Value::Object(map.iter().map(|(key, node)| (key.clone(), json(node))).collect())
        }
    }
}
