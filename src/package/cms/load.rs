//! Reads CMS's Italian format: a directory with `task.yaml`, or one beside a `NAME.yaml` of its own name.
//!
//! Read as CMS's loader does (`cmscontrib/loaders/italy_yaml.py`), except that
//! - programs are made of their sources: of `check/checker.cpp` where there is one, whether or not somebody has compiled
//!   it, so a checker without a compiled file beside it is used, which CMS would pass over;
//! - without `gen/GEN` and `n_input` the inputs there are count;
//! - subtasks that depend on others (task-maker: `#STDEP:`) are judged without that, and a warning says so;
//! - inputs and answers that are not there are made by the task's programs, as cmsMake would before the import.
//!
//! Solutions in `sol/` are `soluzione.*` and `solution.*`, which must get all points, and those whose comments say what
//! they must get, as task-maker reads them (`@check-accepted: SUBTASK…`). Subtasks are called as `#STNAME:` says, else
//! `subtask0` and so on.
//!
//! Two task types have keys of their own. `output_only_testcases` and `output_optional_testcases` make BatchAndOutput, as in
//! CMS's loader: outputs of those tests may be handed in as `output_NNN.txt`, beside a program. `task_type: TwoSteps`, which
//! the loader does not have, makes that type of a task with `sol/manager.*` and the headers beside it.
//!
//! Programs in C and C++ are compiled with `-DEVAL`, as for CMS's evaluations.
//!
//! Statements, attachments, tokens and limits on the number of submissions do not concern judging.

use std::time::Duration;

use super::gen_file::{GenFile, GenTest};
use super::keys::{FILE, KEYS};
use super::{generated, programs, scores, solutions};
use crate::checker::Comparator;
use crate::package::model::{
    Check, Format, Interaction, OutputFile, Package, PackageLimits, Streams, SubmissionKind, Test, TimeLimit,
};
use crate::package::shared::names::short_name;
use crate::package::source::diagnostics::Diagnostics;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::scope::Scope;
use crate::package::source::tree::{Entry, Kind, Tree};
use crate::package::source::yaml;
use crate::package::source::yaml::Value;
use crate::units::Bytes;

const TWO_STEPS: &str = "TwoSteps";
const BATCH_AND_OUTPUT: &str = "BatchAndOutput";

/// Keys that list tests whose outputs may be handed in; what must be stands above what may.
const OUTPUT_FILES: [(&str, OutputFile); 2] =
    [("output_optional_testcases", OutputFile::Optional), ("output_only_testcases", OutputFile::Required)];

/// Where the task has no limit: CMS has none either, but something must end a program.
const UNLIMITED: Duration = Duration::from_secs(60);

/// Returns whether the files in a directory are those of this format. `info.toml` beside it would mean something else.
pub(crate) fn recognises(entries: &[Entry]) -> bool {
    Tree::find(entries, FILE).is_some()
}

/// Loads the package at `tree`, whose own directory holds `entries`.
pub(crate) fn load(
    tree: &Tree,
    entries: &[Entry],
    diagnostics: &mut Diagnostics,
) -> Result<Package, PackageError> {
    let file = Tree::find(entries, FILE).ok_or_else(|| PackageError::NotAPackage {
        path: tree.root().to_owned(),
        problem: format!("there is no {FILE} in it"),
        remedy: "name the directory of a CMS task",
    })?;
    let root = yaml::load(file, FILE, &mut diagnostics.warnings)?;
    let map = root.map("").map_err(|error| error.in_file(&file.path))?;
    let scope = Scope::root(&file.path, map);
    diagnostics.unknown_keys(FILE, "", map, KEYS);

    if scope.get("feedback_level").is_some() {
        diagnostics.warn(format!(
            "{FILE}: feedback_level is not supported: what contestants may read is what feedback in gavel.toml and the \
             worker's settings say"
        ));
    }

    let directory = short_name(tree.root());
    let either = |new: &str, old: &str| -> Result<Option<String>, PackageError> {
        Ok(scope.text(new)?.or(scope.text(old)?).map(|text| one_line(&text)))
    };
    let (name, title) = (either("name", "nome_breve")?, either("title", "nome")?);
    if name.is_none() {
        diagnostics.error(scope.wrong("name", "it is missing", "give the task's short name"));
    }
    // Sources are called like the task where there is a grader.
    if let Some(name) = name.as_ref().filter(|name| name.contains('/') || name.starts_with('.')) {
        let problem = format!("'{name}' cannot be the name of a file");
        diagnostics.error(scope.wrong("name", problem, "give the task's short name, without folders"));
    }
    let name = name.unwrap_or_else(|| directory.clone());
    let limits = limits(&scope, diagnostics);
    let mut package = Package::new(name.clone(), tree.root().to_owned(), Format::Cms, limits);
    package.title = title.unwrap_or(name);

    let plan = scores::read(tree, entries, &scope, diagnostics)?;
    let is_output_only = scope.flag("output_only");
    let is_two_steps = diagnostics.keep(scope.text("task_type")).flatten().as_deref() == Some(TWO_STEPS);
    let manager = match is_output_only || is_two_steps {
        true => None,
        false => diagnostics.keep(programs::manager(tree, entries, &scope)).flatten(),
    };
    if let Some(node) = scope.get("task_type") {
        let has_output_files = OUTPUT_FILES.iter().any(|(key, _)| scope.get(key).is_some());
        let found = match (is_output_only, manager.is_some()) {
            (true, _) => "OutputOnly",
            (false, true) => "Communication",
            (false, false) if is_two_steps => TWO_STEPS,
            (false, false) if has_output_files => BATCH_AND_OUTPUT,
            (false, false) => "Batch",
        };
        check_task_type(&scope, node, found, diagnostics);
    }
    let check = match (&manager, diagnostics.keep(programs::checker(tree, entries))) {
        (Some(_), _) => Check::Interaction { arguments: Vec::new() },
        (None, Some(Some(checker))) => {
            package.checkers.push(checker);
            Check::Program { checker: 0, arguments: Vec::new() }
        }
        (None, _) => Check::BuiltIn(Comparator::WhiteDiff),
    };
    if is_output_only {
        package.submission_kind = SubmissionKind::Answers;
    } else if let Some(manager) = manager {
        package.interaction = Interaction::Communication(manager);
        package.includes =
            diagnostics.keep(programs::included(tree, entries, "stub", &package.name)).unwrap_or_default();
    } else if is_two_steps {
        package.interaction = Interaction::TwoSteps;
        package.includes = diagnostics.keep(programs::managers(tree, entries, &scope)).unwrap_or_default();
    } else {
        package.includes =
            diagnostics.keep(programs::included(tree, entries, "grader", &package.name)).unwrap_or_default();
        package.streams = diagnostics.keep(streams(&scope)).unwrap_or_default();
    }
    if !is_output_only {
        programs::define_eval(&mut package.includes);
    }
    let public = diagnostics.keep(public_tests(&scope, plan.tests)).unwrap_or_default();
    tests(tree, entries, &plan, &check, &public, &mut package, diagnostics)?;
    plan.fill(&scope, &mut package, diagnostics);
    if !is_output_only && package.interaction == Interaction::None {
        output_files(&scope, &mut package, diagnostics);
    }
    package.submissions = solutions::read(tree, entries, &package, diagnostics)?;
    Ok(package)
}

fn limits(scope: &Scope<'_>, diagnostics: &mut Diagnostics) -> PackageLimits {
    let number = |diagnostics: &mut Diagnostics, new: &str, old: &str, most: f64| {
        let key = if scope.get(new).is_some() { new } else { old };
        diagnostics.keep(scope.number(key, 0.0..=most)).flatten().filter(|number| *number > 0.0)
    };
    let time = number(diagnostics, "time_limit", "timeout", 3600.0).map(Duration::from_secs_f64);
    let memory = number(diagnostics, "memory_limit", "memlimit", 1e6);
    if time.is_none() && !scope.flag("output_only") {
        diagnostics.warn(format!("{FILE}: time_limit: there is none: {} s hold", UNLIMITED.as_secs()));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
    let memory = memory.map(|mib| Bytes((mib * 1_048_576.0) as u64));
    PackageLimits {
        memory: memory.unwrap_or(PackageLimits::MEMORY),
        ..PackageLimits::new(TimeLimit::Fixed(time.unwrap_or(UNLIMITED).max(Duration::from_millis(1))))
    }
}

/// `infile` and `outfile`: files, and standard streams only where they are said to be empty.
fn streams(scope: &Scope<'_>) -> Result<Streams, PackageError> {
    let name = |key: &str, default: &str| -> Result<Option<String>, PackageError> {
        let name = match scope.own_get(key) {
            Some(_) => scope.text(key)?.unwrap_or_default(),
            None if scope.own().iter().any(|(own, _)| own == key) => String::new(),
            None => default.to_owned(),
        };
        if name.contains(['/', '\0']) || name.starts_with('.') {
            let problem = format!("'{}' is no plain file name", one_line(&name));
            return Err(scope.wrong(
                key,
                problem,
                "name a file without folders, or \"\" for the standard stream",
            ));
        }
        Ok((!name.is_empty()).then_some(name))
    };
    Ok(Streams { input_file: name("infile", "input.txt")?, output_file: name("outfile", "output.txt")? })
}

/// What the newer key says must be what the files and the other keys say.
fn check_task_type(scope: &Scope<'_>, node: &yaml::Node, found: &str, diagnostics: &mut Diagnostics) {
    let Some(Some(kind)) = diagnostics.keep(scope.text("task_type")) else { return };
    if kind == found {
        return;
    }
    if ["Batch", "OutputOnly", "Communication", BATCH_AND_OUTPUT, TWO_STEPS].contains(&kind.as_str()) {
        let problem = format!("{kind} is asked for, and the files are those of {found}");
        let remedy = "output_only: true makes OutputOnly, check/manager.* Communication, output_only_testcases and \
                      output_optional_testcases BatchAndOutput, anything else Batch";
        diagnostics.error(scope.wrong_at(node, "task_type", problem, remedy));
    } else {
        let supported = "supported today: Batch, BatchAndOutput, Communication, OutputOnly, TwoSteps";
        let found = format!("the task type '{}'", one_line(&kind));
        diagnostics.error(scope.unsupported(node, "task_type", found, supported));
    }
}

/// Numbers of the tests that contestants see: `all`, or a list with commas.
fn public_tests(scope: &Scope<'_>, tests: usize) -> Result<Vec<usize>, PackageError> {
    let key = if scope.get("public_testcases").is_some() { "public_testcases" } else { "risultati" };
    test_numbers(scope, key, tests)
}

/// Notes for which tests outputs may, or must, be handed in; the checker is told which must, as in CMS.
fn output_files(scope: &Scope<'_>, package: &mut Package, diagnostics: &mut Diagnostics) {
    for (key, kind) in OUTPUT_FILES {
        for number in diagnostics.keep(test_numbers(scope, key, package.tests.len())).unwrap_or_default() {
            if let Some(test) = package.tests.get_mut(number) {
                test.output_file = kind;
            }
        }
    }
    if !package.takes_output_files() {
        return;
    }
    for test in &mut package.tests {
        if let Check::Program { arguments, .. } = &mut test.check {
            let is_required = test.output_file == OutputFile::Required;
            arguments.push(if is_required { "outputonly" } else { "batch" }.to_owned());
        }
    }
}

/// Numbers of tests: `all`, or a list with commas.
fn test_numbers(scope: &Scope<'_>, key: &str, tests: usize) -> Result<Vec<usize>, PackageError> {
    let Some(node) = scope.get(key) else { return Ok(Vec::new()) };
    let texts = match &node.value {
        Value::List(_) => scope.texts(node, key)?,
        _ => scope.text(key)?.unwrap_or_default().split(',').map(|part| part.trim().to_owned()).collect(),
    };
    if texts.len() == 1 && texts.first().is_some_and(|text| text == "all") {
        return Ok((0..tests).collect());
    }
    let mut numbers = Vec::new();
    for text in texts.iter().filter(|text| !text.is_empty()) {
        match text.parse::<usize>().ok().filter(|number| *number < tests) {
            Some(number) => numbers.push(number),
            None => {
                let problem = format!("'{}' is not the number of a test", one_line(text));
                let remedy = format!("give numbers from 0 to {}, or all", tests.saturating_sub(1));
                return Err(scope.wrong_at(node, key, problem, remedy));
            }
        }
    }
    Ok(numbers)
}

/// `input/inputN.txt` and `output/outputN.txt`; what is not there is made by the task's programs.
fn tests(
    tree: &Tree,
    entries: &[Entry],
    plan: &scores::Plan,
    check: &Check,
    public: &[usize],
    package: &mut Package,
    diagnostics: &mut Diagnostics,
) -> Result<(), PackageError> {
    let list = |name: &str| -> Result<Vec<Entry>, PackageError> {
        match Tree::find(entries, name).filter(|entry| entry.kind == Kind::Directory) {
            Some(folder) => tree.entries(&folder.path, 1),
            None => Ok(Vec::new()),
        }
    };
    let (inputs, outputs) = (list("input")?, list("output")?);
    let listed: Vec<&GenTest> = plan.generated.iter().flat_map(GenFile::all).collect();
    let mut generated = generated::Generated::new(tree, entries)?;
    for number in 0..plan.tests {
        let find = |folder: &str, files: &[Entry]| {
            let entry = Tree::find(files, &format!("{folder}{number}.txt"));
            entry.map(|entry| entry.file().map(|path| path.to_owned())).transpose()
        };
        let (input, answer) = (find("input", &inputs), find("output", &outputs));
        let (Some(input), Some(answer)) = (diagnostics.keep(input), diagnostics.keep(answer)) else {
            continue;
        };
        let (input, made, origin) = match (input, listed.get(number)) {
            (Some(input), _) => (input, None, String::new()),
            (None, Some(test)) => match diagnostics.keep(generated.input(test)) {
                Some(found) => found,
                None => continue,
            },
            (None, None) => {
                let path = tree.root().join("input").join(format!("input{number}.txt"));
                let problem = "it is missing, and gen/GEN has no such test".to_owned();
                let remedy = "make the tests first (cmsMake, task-maker), or correct the number of them";
                diagnostics.error(PackageError::NotAPackage { path, problem, remedy });
                continue;
            }
        };
        // An answer that was made for another input is useless.
        let answer = answer.filter(|_| made.is_none());
        if made.is_some() || answer.is_none() {
            generated.lacks(package, made, answer.is_none(), origin);
        }
        package.tests.push(Test {
            sample: public.contains(&number),
            check: check.clone(),
            ..Test::new(format!("{number:03}"), input, answer.unwrap_or_default())
        });
    }
    generated.finish(plan, package, diagnostics);
    let extra = inputs.iter().filter(|entry| entry.ends_with(".txt")).count();
    if extra > plan.tests {
        diagnostics.warn(format!("input: {extra} files, of which {} are judged", plan.tests));
    }
    if plan.tests == 0 {
        let problem = "there are no tests".to_owned();
        let remedy = "add gen/GEN, or n_input and input/input0.txt";
        return Err(PackageError::NotAPackage { path: tree.root().to_owned(), problem, remedy });
    }
    Ok(())
}
