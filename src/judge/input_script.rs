//! Input validators that are scripts of checktestdata: interpreted here, in no box.
//!
//! A script can only read the input it is given. Its CPU time and memory are bounded like those of other validators, and a
//! cancelled verification ends it. What is wrong with a script, its bounds included, is the package's fault.

use std::io::Read;

use super::files;
use super::jury::{JuryFault, Validation};
use crate::cancel::CancelToken;
use crate::checktestdata::{Answer, Bounds, CheckError, Script};
use crate::package::InputValidator;
use crate::units::Bytes;

/// Memory of a script's variables, which are this process's: less than a validator in a box may have.
const MEMORY: Bytes = Bytes::mib(256);

/// Reads the script of a validator.
///
/// # Errors
/// When its file cannot be read, or when the script is wrong.
pub(super) fn read(validator: &InputValidator) -> Result<Script, JuryFault> {
    let fault = |problem: String| JuryFault::Package(format!("{}: {problem}", name(validator)));
    let file = validator.program.files.first().ok_or_else(|| fault("it has no file".to_owned()))?;
    let text = files::read_at_most(&file.path, Script::LONGEST + 1)
        .map_err(|error| fault(format!("cannot read {}: {error}", file.path.display())))?;
    Script::parse(&text).map_err(|error| fault(error.to_string()))
}

/// Checks an input.
///
/// # Errors
/// When the script has an error that only shows when it runs, needs more than it may use, or is cancelled.
pub(super) fn check(
    script: &Script,
    validator: &InputValidator,
    input: &mut dyn Read,
    cancel: &CancelToken,
) -> Result<Validation, JuryFault> {
    let should_stop = || cancel.is_cancelled();
    let memory = validator.limits.memory.0.min(MEMORY.0);
    let bounds = Bounds { time: validator.limits.time, memory, should_stop: &should_stop };
    match script.check(input, bounds) {
        Ok(Answer::Valid) => Ok(Validation { accepted: true, code: None, message: String::new() }),
        Ok(Answer::Invalid(mismatch)) => {
            Ok(Validation { accepted: false, code: None, message: mismatch.to_string() })
        }
        Err(CheckError::Stopped) => Err(JuryFault::Cancelled),
        Err(error) => Err(JuryFault::Package(format!("{}: {error}", name(validator)))),
    }
}

fn name(validator: &InputValidator) -> String {
    format!("input validator '{}'", validator.program.name)
}
