//! Writes output and input validators, with scripts around those of another protocol.

use serde_json::json;

use super::writer::{ConvertError, Writer, allowed};
use crate::checker::{
    Comparator, CustomScore, DmojChecker, DmojKind, Protocol, TestlibChecker, TokenOptions,
};
use crate::package::model::{
    Check, CheckerProgram, Format, Interaction, JuryProgram, LanguageHint, ProgramBuild, ProgramFile,
    ProgramLimits, Test,
};
use crate::package::source::tree::{Kind, Tree};

const FOLDER: &str = "output_validator";
const RUN: &str = include_str!("shims/run_checker.py");
const COMPARE: &str = include_str!("shims/run_comparison.py");

/// What the arguments of a test's validator are.
pub(super) enum Arguments {
    /// Those of the package's program.
    Program,
    /// The same, after the script around a program that answers in another protocol.
    Script,
    /// The flags of the default validator.
    Default,
    /// None: the program that stands for a built-in comparison takes none.
    Nothing,
}

impl Arguments {
    pub(super) fn of(&self, test: &Test) -> Vec<String> {
        match (self, &test.check) {
            (Self::Nothing, _) => Vec::new(),
            (_, Check::Program { arguments, .. } | Check::Interaction { arguments }) => arguments.clone(),
            (_, Check::BuiltIn(comparator)) => flags(*comparator).unwrap_or_default(),
        }
    }
}

/// The default validator's flags for a comparison; `None` where it compares otherwise.
fn flags(comparator: Comparator) -> Option<Vec<String>> {
    let options = match comparator {
        Comparator::Tokens(options) => options,
        Comparator::Testlib(TestlibChecker::Wcmp) => {
            TokenOptions { case_sensitive: true, ..TokenOptions::default() }
        }
        _ => return None,
    };
    let mut flags = Vec::new();
    if options.case_sensitive {
        flags.push("case_sensitive".to_owned());
    }
    if options.space_change_sensitive {
        flags.push("space_change_sensitive".to_owned());
    }
    for (flag, tolerance) in [
        ("float_absolute_tolerance", options.absolute_tolerance),
        ("float_relative_tolerance", options.relative_tolerance),
    ] {
        if let Some(tolerance) = tolerance {
            flags.extend([flag.to_owned(), format!("{tolerance:e}")]);
        }
    }
    Some(flags)
}

/// Writes the output validator, where one is needed.
pub(super) fn write_output(writer: &mut Writer<'_>) -> Result<Arguments, ConvertError> {
    let package = writer.package;
    let first = package.tests.first().map(|test| &test.check);
    let same = |test: &Test| match (first, &test.check) {
        (Some(Check::BuiltIn(one)), Check::BuiltIn(other)) => {
            (flags(*one).is_some() && flags(*other).is_some()) || one == other
        }
        (Some(Check::Program { checker: one, .. }), Check::Program { checker: other, .. }) => one == other,
        (Some(Check::Interaction { .. }), Check::Interaction { .. }) => true,
        _ => false,
    };
    if let Some(test) = package.tests.iter().find(|test| !same(test)) {
        let what = format!("test '{}', which is checked otherwise than others,", test.name);
        return Err(writer.refuse(what, "use one checker for all tests"));
    }
    let Some(check) = first else { return Ok(Arguments::Nothing) };
    let interactor = match &package.interaction {
        Interaction::Interactive(interactor) => Some(interactor),
        Interaction::None | Interaction::Communication(_) | Interaction::TwoSteps => None,
    };
    if let Some(interactor) = interactor.filter(|interactor| interactor.protocol == Protocol::Kattis) {
        copy_program(writer, &interactor.program, FOLDER)?;
        return Ok(Arguments::Program);
    }
    let standard;
    let checker = match check {
        Check::BuiltIn(comparator) => match (flags(*comparator), standard_checker(writer)?) {
            (Some(_), _) if interactor.is_none() => return Ok(Arguments::Default),
            (_, Some(source)) => {
                standard = source;
                Some(&standard)
            }
            _ if interactor.is_some() => {
                return Err(writer.refuse(
                    "a built-in comparison after an interactor",
                    "bring a checker, or let the interactor decide",
                ));
            }
            _ => return write_comparison(writer, *comparator),
        },
        Check::Program { checker, .. } => package.checkers.get(*checker),
        Check::Interaction { .. } => None,
    };
    if let Some(checker) =
        checker.filter(|checker| checker.protocol == Protocol::Kattis && interactor.is_none())
    {
        copy_program(writer, &checker.program, FOLDER)?;
        return Ok(Arguments::Program);
    }
    write_shim(writer, checker, interactor.map(|interactor| (&interactor.program, interactor.protocol)))?;
    if package.scoring.is_some() {
        writer.note(
            "what the checker accepts in part is a wrong answer with a part of the points here and accepted with the same \
             points in the format: submissions with such tests keep their scores and may get another verdict",
        );
    }
    Ok(match check {
        Check::BuiltIn(_) => Arguments::Nothing,
        _ => Arguments::Script,
    })
}

/// Writes an output validator that compares as a built-in comparison does which the default validator does not know.
fn write_comparison(writer: &Writer<'_>, comparator: Comparator) -> Result<Arguments, ConvertError> {
    let (name, count) = match comparator {
        Comparator::Exact | Comparator::Dmoj(DmojChecker::Identical) => ("identical", None),
        Comparator::Stripped => ("stripped", None),
        Comparator::WhiteDiff => ("white-diff", None),
        Comparator::Dmoj(DmojChecker::Standard) => ("tokens-and-lines", None),
        Comparator::Dmoj(DmojChecker::Easy) => ("letters", None),
        Comparator::Dmoj(DmojChecker::SortedTokens) => ("unordered-tokens", None),
        Comparator::FirstTokens(count) => ("first-tokens", Some(count)),
        Comparator::TrimmedLines => {
            return Err(writer.refuse("Hydro's comparison of lines", "bring a checker in its place"));
        }
        Comparator::Dmoj(_) => {
            return Err(writer.refuse(
                "this one of DMOJ's checkers",
                "use 'standard', 'easy', 'identical' or 'unordered', or bring a checker in its place",
            ));
        }
        Comparator::Testlib(_) | Comparator::Tokens(_) => {
            return Err(writer.refuse(
                "a standard checker of testlib whose source is not in the package",
                "put it there as files/check.cpp, with files/testlib.h",
            ));
        }
    };
    let settings = json!({ "comparison": name, "count": count });
    // A folder with `build` and `run` is a program of its own language.
    writer.script(&format!("{FOLDER}/build"), "#!/bin/sh\n")?;
    writer.script(&format!("{FOLDER}/run"), COMPARE)?;
    writer.text(&format!("{FOLDER}/comparison.json"), &format!("{settings:#}\n"))?;
    Ok(Arguments::Nothing)
}

/// The source of a standard checker, which Polygon puts into its packages though gavel has the checker built in.
fn standard_checker(writer: &Writer<'_>) -> Result<Option<CheckerProgram>, ConvertError> {
    const FOLDER: &str = "files";
    let package = writer.package;
    if package.format != Format::Polygon {
        return Ok(None);
    }
    let tree = Tree::open(&package.directory)?;
    let folder = tree.root().join(FOLDER);
    let Some(path) = tree.file_at(&folder.join("check.cpp"))? else { return Ok(None) };
    let mut files = vec![ProgramFile { name: "check.cpp".to_owned(), path }];
    for entry in
        tree.entries(&folder, 1)?.iter().filter(|entry| entry.kind == Kind::File && entry.ends_with(".h"))
    {
        files.push(ProgramFile { name: entry.reportable()?.to_owned(), path: entry.path.clone() });
    }
    let build =
        ProgramBuild::Language { language: LanguageHint::Polygon("cpp.g++17".to_owned()), flags: Vec::new() };
    Ok(Some(CheckerProgram {
        program: JuryProgram { name: format!("{FOLDER}/check.cpp"), files, build },
        protocol: Protocol::Testlib,
        call: None,
        limits: ProgramLimits::default(),
        scores: CustomScore::Refused,
    }))
}

/// Writes the scripts that let programs of another protocol answer as an output validator.
fn write_shim(
    writer: &mut Writer<'_>,
    checker: Option<&CheckerProgram>,
    interactor: Option<(&JuryProgram, Protocol)>,
) -> Result<(), ConvertError> {
    if checker.is_some_and(|checker| {
        checker.protocol == Protocol::Testlib && checker.scores == CustomScore::Required
    }) {
        return Err(writer.refuse("a checker's points on tests that have none", "give the tests points"));
    }
    let protocol = match (checker.map(|checker| checker.protocol), interactor) {
        (_, Some((_, other))) if other != Protocol::Testlib => {
            return Err(writer.refuse(
                "an interactor of another kind than Kattis' and testlib's",
                "judge it in its own format",
            ));
        }
        (Some(Protocol::Testlib), _) | (None, Some(_)) => "testlib",
        (Some(Protocol::Cms), _) => "cms",
        (Some(Protocol::Dmoj(DmojKind::Default)), _) => "dmoj-default",
        (Some(Protocol::Dmoj(DmojKind::Testlib)), _) => "dmoj-testlib",
        (Some(Protocol::Dmoj(DmojKind::Coci)), _) => "dmoj-coci",
        (Some(Protocol::Dmoj(DmojKind::Grader)), _) => "dmoj-grader",
        (other, _) => {
            let what = format!("a checker of the protocol {other:?}");
            return Err(writer.refuse(what, "use a checker of testlib or of Kattis"));
        }
    };
    let mut build = "#!/bin/sh\nset -e\n".to_owned();
    let mut command = |writer: &Writer<'_>, program: &JuryProgram, folder: &str| {
        make(writer, program, &format!("{FOLDER}/{folder}"), folder, &mut build)
    };
    let checked = checker.map(|checker| command(writer, &checker.program, "checker")).transpose()?;
    let talked = interactor.map(|(program, _)| command(writer, program, "interactor")).transpose()?;
    let asks = |word: &String| {
        matches!(word.as_str(), "{submission}" | "{language}" | "{cpu_ms}" | "{wall_ms}" | "{memory_kib}")
    };
    let mut call = checker.and_then(|checker| checker.call.clone());
    if call.iter().flatten().any(asks) {
        writer.note(
            "the checker is told 0 for the time and memory of a run, and an empty source: output validators learn nothing of them"
                .to_owned(),
        );
        let said = |word: &mut String| match word.as_str() {
            "{submission}" => "/dev/null".clone_into(word),
            "{language}" => word.clear(),
            _ if asks(word) => "0".clone_into(word),
            _ => {}
        };
        call.iter_mut().flatten().for_each(said);
    }
    let settings = json!({
        "protocol": protocol,
        "checker": checked,
        "interactor": talked,
        "call": call,
        "scoring": writer.package.scoring.is_some(),
    });
    writer.script(&format!("{FOLDER}/build"), &build)?;
    writer.script(&format!("{FOLDER}/run"), RUN)?;
    writer.text(&format!("{FOLDER}/protocol.json"), &format!("{settings:#}\n"))
}

/// Copies a program into a folder of a validator and says how `build` makes it and how it is called.
pub(super) fn make(
    writer: &Writer<'_>,
    program: &JuryProgram,
    place: &str,
    folder: &str,
    build: &mut String,
) -> Result<Vec<String>, ConvertError> {
    copy_program(writer, program, place)?;
    let ProgramBuild::Language { language, flags } = &program.build else {
        if program.files.iter().any(|file| file.name == "build") {
            build.push_str(&format!("(cd {folder} && chmod +x build && ./build)\n"));
        }
        build.push_str(&format!("chmod +x {folder}/run\n"));
        return Ok(vec![format!("./{folder}/run")]);
    };
    let unknown = || {
        let what = format!("the program '{}', whose language no script can count on,", program.name);
        writer.refuse(what, "write it in C, C++ or Python")
    };
    let entry = program.files.first().ok_or_else(unknown)?;
    let ending = entry.name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let quoted_flags: String = flags.iter().map(|flag| format!(" {}", shell(flag))).collect();
    let sources = |endings: &[&str]| -> String {
        let is_source = |name: &str| name.rsplit_once('.').is_some_and(|(_, own)| endings.contains(&own));
        let names = program.files.iter().filter(|file| is_source(&file.name));
        names.map(|file| format!(" {}", shell(&file.name))).collect()
    };
    match ending {
        "cpp" | "cc" | "cxx" | "c++" | "C" => {
            let sources = sources(&["cpp", "cc", "cxx", "c++", "C"]);
            // Packages live longer than standards: as gavel does, older ones are tried after the newest.
            let standards = if names_older_standard(language) { "17 14 11" } else { "20 17 14 11" };
            build.push_str(&format!(
                "cd {folder}\nfor standard in {standards}; do\n    c++ -std=gnu++$standard -O2 -o program{quoted_flags}{sources} && break\ndone\n\
                 cd ..\ntest -x {folder}/program\n"
            ));
            Ok(vec![format!("./{folder}/program")])
        }
        "c" => {
            let sources = sources(&["c"]);
            build.push_str(&format!(
                "(cd {folder} && cc -std=gnu17 -O2 -o program{quoted_flags}{sources} -lm)\n"
            ));
            Ok(vec![format!("./{folder}/program")])
        }
        "py" | "py3" => Ok(vec!["python3".to_owned(), format!("./{folder}/{}", entry.name)]),
        _ => Err(unknown()),
    }
}

fn names_older_standard(language: &LanguageHint) -> bool {
    match language {
        LanguageHint::Polygon(code) => ["++11", "++14", "++17"].iter().any(|end| code.ends_with(end)),
        LanguageHint::Id(id) => id == "cpp17",
        _ => false,
    }
}

/// A word that a shell reads as it is.
fn shell(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

pub(super) fn copy_program(
    writer: &Writer<'_>,
    program: &JuryProgram,
    place: &str,
) -> Result<(), ConvertError> {
    for file in &program.files {
        writer.copy(&file.path, &format!("{place}/{}", file.name))?;
    }
    Ok(())
}

/// Writes the input validators.
pub(super) fn write_inputs(writer: &mut Writer<'_>) -> Result<(), ConvertError> {
    let package = writer.package;
    let validators = &package.verification.input_validators;
    for (place, validator) in validators.iter().enumerate() {
        let name = validator.program.name.rsplit('/').next().unwrap_or_default();
        let mut name = name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned();
        name = allowed(&name);
        if validators.iter().take(place).any(|other| other.program.name.contains(&name)) {
            name = format!("{name}-{}", place + 1);
        }
        if let (ProgramBuild::Checktestdata, Some(script)) =
            (&validator.program.build, validator.program.files.first())
        {
            writer.copy(&script.path, &format!("input_validators/{name}.ctd"))?;
            continue;
        }
        let folder = format!("input_validators/{name}");
        if validator.accepts == 42 && validator.arguments.is_empty() {
            copy_program(writer, &validator.program, &folder)?;
            continue;
        }
        let mut build = "#!/bin/sh\nset -e\n".to_owned();
        let argv = make(writer, &validator.program, &format!("{folder}/validator"), "validator", &mut build)?;
        let called: Vec<String> = argv
            .iter()
            .map(|part| match part.strip_prefix("./") {
                Some(own) => format!("\"$here\"/{}", shell(own)),
                None => shell(part),
            })
            .chain(validator.arguments.iter().map(|argument| shell(argument)))
            .collect();
        let run = format!(
            "#!/bin/sh\n# Lets a validator that accepts with {} answer as one of the ICPC format.\n\
             here=$(dirname \"$0\")\n{} \"$@\"\n[ $? -eq {} ] && exit 42\nexit 43\n",
            validator.accepts,
            called.join(" "),
            validator.accepts
        );
        writer.script(&format!("{folder}/build"), &build)?;
        writer.script(&format!("{folder}/run"), &run)?;
    }
    Ok(())
}
