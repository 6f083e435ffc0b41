//! Reads folders of inputs and outputs that validation must accept or reject: `data/invalid_input` and the like.
//!
//! The 2025-09 format has `invalid_input`, `invalid_output` and `valid_output`; BAPCtools wrote them in the plural, also
//! in older packages, and its `invalid_answers`, which are for validators of answers, are left alone. Folders in them are
//! walked as well. Nothing here enters a judging.

use std::path::Path;

use crate::package::model::{InvalidInput, OutputCase, ValidatorArguments, Verification};
use crate::package::shared::names::{stem, unpaired};
use crate::package::shared::test_settings::{SettingsFile, parse_test_settings};
use crate::package::source::error::PackageError;
use crate::package::source::tree::{Entry, Kind as EntryKind, Tree, below, read_text};

/// The kind of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Inputs that some input validator must refuse.
    InvalidInput,
    /// Outputs that the checker must refuse.
    InvalidOutput,
    /// Outputs that the checker must accept.
    ValidOutput,
}

impl Kind {
    /// The kind of `data/NAME`.
    pub(crate) fn of_folder(name: &str) -> Option<Self> {
        match name {
            "invalid_input" | "invalid_inputs" => Some(Self::InvalidInput),
            "invalid_output" | "invalid_outputs" => Some(Self::InvalidOutput),
            "valid_output" | "valid_outputs" => Some(Self::ValidOutput),
            _ => None,
        }
    }
}

/// Arguments that hold where a case has none of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Arguments {
    /// Of input validators.
    pub(crate) input: ValidatorArguments,
    /// Of the output validator.
    pub(crate) output: Vec<String>,
}

/// Reads the folder `data/NAME` into what verification looks at.
///
/// # Errors
/// When a case lacks one of its files, or something cannot be read.
pub(crate) fn read(
    tree: &Tree,
    folder: &Entry,
    kind: Kind,
    inherited: &Arguments,
    is_strict: bool,
    verification: &mut Verification,
    warnings: &mut Vec<String>,
) -> Result<(), PackageError> {
    let mut reader = Reader { tree, kind, is_strict, verification, warnings };
    let name = folder.reportable()?.to_owned();
    reader.folder(&folder.path, &name, inherited, 2)
}

struct Reader<'a> {
    tree: &'a Tree,
    kind: Kind,
    is_strict: bool,
    verification: &'a mut Verification,
    warnings: &'a mut Vec<String>,
}

impl Reader<'_> {
    fn folder(
        &mut self,
        directory: &Path,
        above: &str,
        inherited: &Arguments,
        depth: usize,
    ) -> Result<(), PackageError> {
        let entries = self.tree.entries(directory, depth)?;
        let arguments = self.arguments(Tree::find(&entries, "test_group.yaml"), inherited)?;
        for entry in entries.iter().filter(|entry| !entry.is_hidden()) {
            if entry.kind == EntryKind::Directory {
                if !entry.ends_with(".files") {
                    let name = format!("{above}/{}", entry.reportable()?);
                    self.folder(&entry.path, &name, &arguments, depth + 1)?;
                }
            } else if entry.ends_with(".in") {
                let stem = stem(entry, ".in")?;
                let own = self.arguments(Tree::find(&entries, &format!("{stem}.yaml")), &arguments)?;
                self.case(directory, &entries, entry, &format!("{above}/{stem}"), own)?;
            }
        }
        Ok(())
    }

    fn case(
        &mut self,
        directory: &Path,
        entries: &[Entry],
        input: &Entry,
        name: &str,
        arguments: Arguments,
    ) -> Result<(), PackageError> {
        let stem = stem(input, ".in")?;
        let path = input.file()?.to_owned();
        let name = name.to_owned();
        if self.kind == Kind::InvalidInput {
            let arguments = arguments.input;
            self.verification.invalid_inputs.push(InvalidInput { name, input: path, arguments });
            return Ok(());
        }
        let beside = |ending: &str, missing: &'static str| {
            Tree::find(entries, &format!("{stem}{ending}"))
                .ok_or_else(|| unpaired(input, directory, stem, missing, ending))
        };
        let answer = beside(".ans", "its answer is missing")?.file()?.to_owned();
        let output = beside(".out", "the output under judgement is missing")?.file()?.to_owned();
        self.verification.outputs.push(OutputCase {
            name,
            input: path,
            answer,
            output,
            is_valid: self.kind == Kind::ValidOutput,
            arguments: arguments.output,
        });
        Ok(())
    }

    /// The arguments that a file of settings gives, over those inherited.
    fn arguments(&mut self, file: Option<&Entry>, inherited: &Arguments) -> Result<Arguments, PackageError> {
        let mut arguments = inherited.clone();
        let Some(entry) = file else { return Ok(arguments) };
        let settings = parse_test_settings(&read_text(entry)?, SettingsFile::Case, self.is_strict)
            .map_err(|error| error.in_file(&entry.path))?;
        let place = below(self.tree.root(), &entry.path);
        self.warnings.extend(settings.warnings.iter().map(|warning| format!("{place}{warning}")));
        arguments.input = settings.input_validator_args.unwrap_or(arguments.input);
        arguments.output = settings.output_validator_args.unwrap_or(arguments.output);
        Ok(arguments)
    }
}
