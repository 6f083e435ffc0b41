//! Finds the output and input validators of the ICPC formats.
//!
//! The folders have had several names: problemtools reads `input_format_validators` and `input_validators`, DOMjudge
//! also the singular of either kind, and `output_validator` is the newer formats' name. In a folder of the singular,
//! the folder itself is the program where it holds sources (2025-09, "Output validator"); else, and in problemtools,
//! each entry is one. A `.ctd` file is a script of checktestdata, as in problemtools and BAPCtools.

use super::programs;
use crate::checker::{CustomScore, Protocol};
use crate::checktestdata::Script;
use crate::package::model::{
    CheckerProgram, InputValidator, Interaction, Interactor, JuryProgram, Package, ProgramBuild, ProgramFile,
    ProgramLimits,
};
use crate::package::source::error::PackageError;
use crate::package::source::tree::{Entry, Kind, Tree, read_at_most};

const INPUT_FOLDERS: [&str; 3] = ["input_format_validators", "input_validators", "input_validator"];

/// Exit code of a Kattis validator that accepts.
const ACCEPTS: i32 = 42;

/// The program that validates outputs: the first in these folders, tried in their order; `None` where there is none.
///
/// # Errors
/// When something in the folders cannot be read.
pub(crate) fn output(
    tree: &Tree,
    entries: &[Entry],
    folders: &[&str],
    warnings: &mut Vec<String>,
) -> Result<Option<JuryProgram>, PackageError> {
    for name in folders {
        let Some(folder) = Tree::find(entries, name) else { continue };
        folder.usable()?;
        if folder.kind != Kind::Directory {
            warnings.push(format!("{name}: it is a file, not a folder: there is no validator in it"));
            continue;
        }
        if !name.ends_with('s') && programs::holds_sources(tree, folder)? {
            return programs::whole(tree, folder);
        }
        let mut programs = programs::find(tree, folder)?.into_iter();
        let Some(program) = programs.next() else { continue };
        for other in programs {
            warnings.push(format!("{}: not used, because {} comes first", other.name, program.name));
        }
        return Ok(Some(program));
    }
    Ok(None)
}

/// Makes the output validator the package's interactor, or its checker.
pub(crate) fn use_output(
    package: &mut Package,
    program: JuryProgram,
    is_interactive: bool,
    limits: ProgramLimits,
    scores: CustomScore,
) {
    let (protocol, call) = (Protocol::Kattis, None);
    if is_interactive {
        let interactor = Interactor { program, protocol, call, limits, scores, unbuffered: false };
        package.interaction = Interaction::Interactive(interactor);
    } else {
        package.checkers.push(CheckerProgram { program, protocol, call, limits, scores });
    }
}

/// The programs that validate inputs, in order of folders and names. What cannot be read is a warning.
pub(crate) fn inputs(
    tree: &Tree,
    entries: &[Entry],
    limits: ProgramLimits,
    warnings: &mut Vec<String>,
) -> Vec<InputValidator> {
    let mut validators = Vec::new();
    for folder in INPUT_FOLDERS.iter().filter_map(|name| Tree::find(entries, name)) {
        if folder.kind != Kind::Directory {
            continue;
        }
        // No judging needs them; `gavel verify` shows the warning.
        let programs = match programs::find_each(tree, folder) {
            Ok(programs) => programs,
            Err(error) => {
                warnings.push(format!("no input validators of this folder are run: {error}"));
                continue;
            }
        };
        for program in programs {
            let mut program = match program {
                Ok(program) => program,
                Err(error) => {
                    warnings.push(format!("this input validator is not run: {error}"));
                    continue;
                }
            };
            if program.name.ends_with(".viva") {
                warnings.push(format!("{}: not run: VIVA is not supported", program.name));
                continue;
            }
            as_script(&mut program);
            warnings.extend(script_error(&program));
            let arguments = Vec::new();
            validators.push(InputValidator { program, accepts: ACCEPTS, arguments, limits });
        }
    }
    validators
}

/// What is wrong with a script, before it runs. One with constants of the package is read once they are put in.
fn script_error(program: &JuryProgram) -> Option<String> {
    let file = program.files.first().filter(|_| program.build == ProgramBuild::Checktestdata)?;
    let text = read_at_most(&file.path, Script::LONGEST + 1).ok()?;
    let has_constants = memchr::memmem::find(&text, b"{{").is_some();
    let error = Script::parse(&text).err().filter(|_| !has_constants)?;
    Some(format!("{}: {error}", program.name))
}

/// Makes a program whose only source is a `.ctd` file one that is interpreted; headers of its folder do not belong to it.
fn as_script(program: &mut JuryProgram) {
    let is_script = |file: &ProgramFile| file.name.ends_with(".ctd");
    let sources = |file: &&ProgramFile| !programs::is_header_name(&file.name);
    if program.files.iter().filter(sources).all(is_script)
        && program.files.iter().filter(sources).count() == 1
    {
        program.files.retain(is_script);
        program.build = ProgramBuild::Checktestdata;
    }
}
