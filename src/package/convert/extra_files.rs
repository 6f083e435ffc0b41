//! Writes included files, generators, files for verification, statements and attachments.

use super::data::input_arguments;
use super::validators::copy_program;
use super::writer::{ConvertError, Writer, allowed, list};
use crate::package::model::LanguageHint;
use crate::package::source::tree::{Entry, Kind, Tree};

pub(super) fn write(writer: &mut Writer<'_>) -> Result<(), ConvertError> {
    includes(writer)?;
    generators(writer)?;
    cases(writer)?;
    documents(writer)
}

fn includes(writer: &mut Writer<'_>) -> Result<(), ConvertError> {
    for include in &writer.package.includes {
        let has_lines = !include.submission_prefix.is_empty() || !include.submission_suffix.is_empty();
        let named = include.submission_name.is_some() || has_lines;
        if include.files.is_empty() && !named {
            let note = format!("compiler flags for submissions are left out: {}", include.flags.join(" "));
            if !writer.notes.contains(&note) {
                writer.note(note);
            }
            continue;
        }
        if named || !include.flags.is_empty() {
            let what = "an included file that asks for the submission's name, its first or last lines, or compiler flags";
            return Err(writer.refuse(what, "include it from the submission"));
        }
        let is_main = |name: &str| {
            name.rsplit_once('.').is_some_and(|(stem, _)| matches!(stem, "main" | "Main" | "__main__"))
        };
        if let Some(entry) = include.entry_point.as_ref().filter(|entry| !is_main(entry)) {
            let what = format!("the entry point '{entry}' among included files");
            return Err(writer.refuse(what, "call it main"));
        }
        let folder = match &include.language {
            None => "default".to_owned(),
            Some(LanguageHint::Kattis(code)) => code.clone(),
            Some(LanguageHint::Id(id)) => family(id),
            Some(LanguageHint::Ending(ending)) => code_of(ending),
            Some(LanguageHint::Polygon(code) | LanguageHint::Dmoj(code)) => {
                family(&code.split('.').next().unwrap_or(code).to_ascii_lowercase())
            }
            Some(LanguageHint::Files) => "default".to_owned(),
        };
        for file in &include.files {
            writer.copy(&file.path, &format!("include/{}/{}", allowed(&folder), file.name))?;
        }
    }
    Ok(())
}

/// `cpp` of `cpp20`; versions of Python are languages of their own.
fn family(id: &str) -> String {
    if id.starts_with("python") || id.starts_with("pypy") {
        return "python3".to_owned();
    }
    id.trim_end_matches(|character: char| character.is_ascii_digit()).to_owned()
}

fn code_of(ending: &str) -> String {
    match ending {
        "py" => "python3",
        "cc" | "cxx" => "cpp",
        "js" => "javascript",
        "kt" => "kotlin",
        "rs" => "rust",
        "cs" => "csharp",
        "pas" => "pascal",
        other => other,
    }
    .to_owned()
}

/// Sources of generators, and how the tests were made with them.
fn generators(writer: &mut Writer<'_>) -> Result<(), ConvertError> {
    let package = writer.package;
    let generators = &package.verification.generators;
    if generators.is_empty() {
        return Ok(());
    }
    let mut names = Vec::new();
    for (place, program) in generators.iter().enumerate() {
        let own = program.name.rsplit('/').next().unwrap_or_default();
        let own = allowed(own.rsplit_once('.').map_or(own, |(stem, _)| stem));
        let name = if names.contains(&own) { format!("{own}-{}", place + 1) } else { own };
        copy_program(writer, program, &format!("generators/{name}"))?;
        names.push(name);
    }
    let mut text = "How the inputs were made: the test, its generator, the arguments.\n\n".to_owned();
    for test in &package.tests {
        if let Some(made) = &test.made_by
            && let Some(name) = names.get(made.generator)
        {
            text.push_str(&format!("{}: {name} {}\n", test.name, list(&made.arguments)));
        }
    }
    writer.text("generators/README.txt", &text)
}

/// Inputs and outputs that validators must refuse or accept.
fn cases(writer: &mut Writer<'_>) -> Result<(), ConvertError> {
    let verification = &writer.package.verification;
    for (place, case) in verification.invalid_inputs.iter().enumerate() {
        let name = format!("data/invalid_input/{:03}-{}", place + 1, last(&case.name));
        writer.copy(&case.input, &format!("{name}.in"))?;
        let settings = input_arguments(&case.arguments);
        if !settings.is_empty() {
            writer.text(&format!("{name}.yaml"), &settings)?;
        }
    }
    for (place, case) in verification.outputs.iter().enumerate() {
        let folder = if case.is_valid { "valid_output" } else { "invalid_output" };
        let name = format!("data/{folder}/{:03}-{}", place + 1, last(&case.name));
        writer.copy(&case.input, &format!("{name}.in"))?;
        writer.copy(&case.answer, &format!("{name}.ans"))?;
        writer.copy(&case.output, &format!("{name}.out"))?;
        if !case.arguments.is_empty() {
            let arguments = list(&case.arguments);
            writer.text(&format!("{name}.yaml"), &format!("output_validator_args: {arguments}\n"))?;
        }
    }
    Ok(())
}

fn last(name: &str) -> String {
    allowed(name.rsplit('/').next().unwrap_or(name))
}

/// Statements and attachments, which the model does not hold: those of the ICPC formats are copied.
fn documents(writer: &mut Writer<'_>) -> Result<(), ConvertError> {
    let tree = Tree::open(&writer.package.directory)?;
    let entries = tree.entries(tree.root(), 0)?;
    let mut has_statement = false;
    for (from, to) in [
        ("problem_statement", "statement"),
        ("statement", "statement"),
        ("attachments", "attachments"),
        ("solution", "solution"),
    ] {
        let Some(folder) = Tree::find(&entries, from).filter(|entry| entry.kind == Kind::Directory) else {
            continue;
        };
        if from == "statement" && has_statement {
            continue;
        }
        has_statement |= to == "statement";
        copy_folder(writer, &tree, folder, to, 1)?;
    }
    if !has_statement {
        writer.note("there is no statement: add statement/problem.en.md or .tex");
    }
    Ok(())
}

fn copy_folder(
    writer: &Writer<'_>,
    tree: &Tree,
    folder: &Entry,
    to: &str,
    depth: usize,
) -> Result<(), ConvertError> {
    for entry in tree.entries(&folder.path, depth)? {
        let Some(name) = entry.text().filter(|name| allowed(name) == *name) else { continue };
        match entry.kind {
            Kind::File => writer.copy(&entry.path, &format!("{to}/{name}"))?,
            Kind::Directory => copy_folder(writer, tree, &entry, &format!("{to}/{name}"), depth + 1)?,
            Kind::Unusable(_) => {}
        }
    }
    Ok(())
}
