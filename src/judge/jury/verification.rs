//! Runs the jury's programs outside any judging, to verify a package.
//!
//! Programs, boxes and limits are those of judgings, so that results here hold there. Each program is built once, when it
//! is first needed. No submission is judged here; [`VerificationFault`] says whose fault a failure is.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use crate::cancel::CancelToken;
use crate::checker::{Comparator, Comparison, Grade, Opinion, TokenOptions, compare};
use crate::checktestdata::{Answer, Bounds, CheckError, Script};
use crate::judge::engine::Engine;
use crate::judge::exec::{Finished, Keep, read_first};
use crate::judge::fault::Fault;
use crate::judge::files::{self, Inputs, open_regular};
use crate::judge::jury::builder::ProgramBuilder;
use crate::judge::jury::program::{BuiltProgram, KEPT_OUTPUT, RunOutput};
use crate::judge::test::check::{self, Checked, OutputOrigin};
use crate::package::{
    Check, GeneratorRun, InputValidator, JuryProgram, Package, ProgramBuild, ProgramLimits, Test,
};
use crate::sandbox::{Capture, PACKAGE, PROGRAM};
use crate::units::Bytes;

/// Memory of a checktestdata script's variables, which are this process's: less than a validator in a box may have.
const SCRIPT_MEMORY: Bytes = Bytes::mib(256);
/// What a generator may use: inputs are larger than what checkers say.
const GENERATING: ProgramLimits =
    ProgramLimits { time: Duration::from_secs(60), memory: Bytes::mib(2048), output: Bytes::mib(512) };

/// Why a program of the jury's gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerificationFault {
    /// The package's fault: the program cannot be built, or broke its rules.
    #[error("{0}")]
    Package(String),
    /// This host has no toolchain for it.
    #[error("{0}")]
    Language(String),
    /// A fault of gavel or the host.
    #[error("{0}")]
    Judge(String),
    /// The verification was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl From<Fault> for VerificationFault {
    fn from(fault: Fault) -> Self {
        let message = fault.to_string();
        match fault {
            Fault::Package(_)
            | Fault::Checker(_)
            | Fault::Request(_)
            | Fault::Changed(_)
            | Fault::OtherPackage(_) => Self::Package(message),
            Fault::Language(_) => Self::Language(message),
            Fault::Cancelled => Self::Cancelled,
            Fault::Sandbox(_)
            | Fault::Cache(_)
            | Fault::File { .. }
            | Fault::Panic(_)
            | Fault::EndedFromOutside(_)
            | Fault::Ended(_) => Self::Judge(message),
        }
    }
}

/// Data for a program of the jury's: an input or an output.
#[derive(Debug, Clone, Copy)]
pub enum TestData<'a> {
    /// A file of the package.
    File(&'a Path),
    /// Bytes in memory.
    Bytes(&'a [u8]),
}

/// The result of an input validator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validation {
    /// Whether the input is valid.
    pub accepted: bool,
    /// Its exit code; a script of checktestdata has none.
    pub code: Option<i32>,
    /// The first line it wrote to standard error, or else to standard output, truncated; of a script, where the input does
    /// not match.
    pub message: String,
}

/// How an input compares with what its generator writes now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Regenerated {
    /// The same bytes.
    Same,
    /// The same tokens with other white space, such as line ends of another system.
    SameWords,
    /// Different data, the same in every run; where it differs.
    Different(String),
    /// Different data in every run.
    Unsteady,
}

/// Verifies one package with the jury's programs, each built when it is first needed.
pub struct Verifier<'a> {
    engine: &'a Engine,
    package: &'a Package,
    cancel: &'a CancelToken,
    inputs: Inputs,
    checkers: Vec<OnceLock<Result<BuiltProgram, VerificationFault>>>,
    validators: Vec<OnceLock<Result<BuiltProgram, VerificationFault>>>,
    scripts: Vec<OnceLock<Result<Script, VerificationFault>>>,
    generators: Vec<OnceLock<Result<BuiltProgram, VerificationFault>>>,
}

impl<'a> Verifier<'a> {
    /// Prepares the verification of a package; nothing is built yet.
    ///
    /// # Errors
    /// When the package's directory cannot be shown to boxes.
    pub(crate) fn new(
        engine: &'a Engine,
        package: &'a Package,
        cancel: &'a CancelToken,
    ) -> Result<Self, VerificationFault> {
        let none = |count: usize| (0..count).map(|_| OnceLock::new()).collect();
        let validators = package.verification.input_validators.len();
        Ok(Self {
            engine,
            package,
            cancel,
            inputs: Inputs::of(&engine.sandbox, package).map_err(Fault::from)?,
            checkers: none(package.checkers.len()),
            validators: none(validators),
            scripts: (0..validators).map(|_| OnceLock::new()).collect(),
            generators: none(package.verification.generators.len()),
        })
    }
}

impl Verifier<'_> {
    /// Builds a checker.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn prepare_checker(&self, place: usize) -> Result<(), VerificationFault> {
        self.checker(place).map(|_| ())
    }

    /// Builds an input validator.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn prepare_validator(&self, place: usize) -> Result<(), VerificationFault> {
        let validator = self.input_validator(place)?;
        match validator.program.build {
            ProgramBuild::Checktestdata => self.script(place, validator).map(|_| ()),
            _ => self.validator(place, validator).map(|_| ()),
        }
    }

    /// Builds a generator.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn prepare_generator(&self, place: usize) -> Result<(), VerificationFault> {
        self.generator(place).map(|_| ())
    }

    /// Checks an output of a test by its comparator or checker.
    ///
    /// # Errors
    /// When it crashes, breaks its limits or its protocol, or when an interactor decides.
    pub fn check(&self, test: &Test, output: TestData<'_>) -> Result<Opinion, VerificationFault> {
        Ok(match &test.check {
            Check::BuiltIn(comparator) => self.compare(test, *comparator, output)?,
            Check::Program { checker: place, arguments } => {
                let jury_program = self.checker(*place)?;
                let checker = self.package.checkers.get(*place).ok_or_else(|| missing("checker", *place))?;
                let mut capture = self.capture(output)?;
                let origin = OutputOrigin::default();
                let checked = Checked { engine: self.engine, inputs: &self.inputs, test, arguments, origin };
                check::ask(&checked, jury_program, checker, &mut capture, &[self.cancel])?
            }
            Check::Interaction { .. } => {
                return Err(VerificationFault::Package("its verdict is an interactor's".to_owned()));
            }
        })
    }

    /// Runs an input validator on an input; `arguments` come after its own.
    ///
    /// # Errors
    /// When it cannot be made, crashes, or breaks its limits.
    pub fn validate(
        &self,
        place: usize,
        input: TestData<'_>,
        arguments: &[String],
    ) -> Result<Validation, VerificationFault> {
        let validator = self.input_validator(place)?;
        if validator.program.build == ProgramBuild::Checktestdata {
            let script = self.script(place, validator)?;
            return match input {
                TestData::File(path) => run_script(script, validator, &mut open(path)?, self.cancel),
                TestData::Bytes(mut bytes) => run_script(script, validator, &mut bytes, self.cancel),
            };
        }
        let jury_program = self.validator(place, validator)?;
        let arguments = [validator.arguments.as_slice(), arguments].concat();
        let stdin = match input {
            TestData::File(path) => {
                self.engine.preload(path);
                None
            }
            TestData::Bytes(_) => Some(self.capture(input)?),
        };
        let (said, _) = self.run(
            jury_program,
            &arguments,
            KEPT_OUTPUT,
            stdin,
            match input {
                TestData::File(path) => Some(path),
                TestData::Bytes(_) => None,
            },
        )?;
        let code = jury_program.exit_code(&said)?;
        let accepted = code == validator.accepts;
        Ok(Validation { accepted, code: Some(code), message: first_line(&said) })
    }

    /// Generates a test's input anew and compares it with the package's.
    ///
    /// # Errors
    /// When the generator cannot be made, fails, or breaks its limits.
    pub fn regenerate(&self, test: &Test, origin: &GeneratorRun) -> Result<Regenerated, VerificationFault> {
        let mut made = self.generate(origin)?;
        let found = self.compare_with_input(test, Comparator::Exact, &mut made)?;
        let Comparison::Wrong { .. } = found else { return Ok(Regenerated::Same) };
        let words = TokenOptions { case_sensitive: true, ..TokenOptions::default() };
        let message = match self.compare_with_input(test, Comparator::Tokens(words), &mut made)? {
            Comparison::Wrong { message } => message,
            _ => return Ok(Regenerated::SameWords),
        };
        let mut again = self.generate(origin)?;
        let mut again = again.reader().map_err(|error| self.unreadable(error))?;
        let mut first = made.reader().map_err(|error| self.unreadable(error))?;
        match compare(Comparator::Exact, &mut *again, &mut *first).map_err(|error| self.unreadable(error))? {
            Comparison::Wrong { .. } => Ok(Regenerated::Unsteady),
            _ => Ok(Regenerated::Different(message)),
        }
    }

    fn checker(&self, place: usize) -> Result<&BuiltProgram, VerificationFault> {
        let checker = self.package.checkers.get(place).ok_or_else(|| missing("checker", place))?;
        self.make(self.checkers.get(place), "checker", &checker.program, checker.limits)
    }

    fn input_validator(&self, place: usize) -> Result<&InputValidator, VerificationFault> {
        let validators = &self.package.verification.input_validators;
        validators.get(place).ok_or_else(|| missing("input validator", place))
    }

    fn script(&self, place: usize, validator: &InputValidator) -> Result<&Script, VerificationFault> {
        let script = self.scripts.get(place).ok_or_else(|| missing("input validator", place))?;
        script.get_or_init(|| read_script(validator)).as_ref().map_err(Clone::clone)
    }

    fn validator(
        &self,
        place: usize,
        validator: &InputValidator,
    ) -> Result<&BuiltProgram, VerificationFault> {
        self.make(self.validators.get(place), "input validator", &validator.program, validator.limits)
    }

    fn generator(&self, place: usize) -> Result<&BuiltProgram, VerificationFault> {
        let generators = &self.package.verification.generators;
        let program = generators.get(place).ok_or_else(|| missing("generator", place))?;
        self.make(self.generators.get(place), "generator", program, GENERATING)
    }

    /// Returns the program in a slot, built by the first caller.
    fn make<'b>(
        &self,
        place: Option<&'b OnceLock<Result<BuiltProgram, VerificationFault>>>,
        role: &str,
        program: &JuryProgram,
        limits: ProgramLimits,
    ) -> Result<&'b BuiltProgram, VerificationFault> {
        let place = place.ok_or_else(|| missing(role, 0))?;
        let made = place.get_or_init(|| {
            let builder = ProgramBuilder {
                engine: self.engine,
                cancel: self.cancel,
                handed: self.package.limits.output,
            };
            // A panic in here would poison the cell for other threads.
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| builder.build(role, program, limits)))
                .unwrap_or_else(|panic| Err(Fault::of_panic(&*panic)))
                .map_err(VerificationFault::from)
        });
        made.as_ref().map_err(Clone::clone)
    }

    fn generate(&self, origin: &GeneratorRun) -> Result<Capture, VerificationFault> {
        let jury_program = self.generator(origin.generator)?;
        let (said, stdout) = self.run(jury_program, &origin.arguments, u64::MAX, None, None)?;
        match jury_program.exit_code(&said)? {
            0 => Ok(stdout),
            code => {
                let line = first_line(&said);
                let line = if line.is_empty() { line } else { format!(": {line}") };
                Err(VerificationFault::Package(format!(
                    "{}: it exited with code {code}{line}",
                    jury_program.name
                )))
            }
        }
    }

    /// Runs a program that sees nothing of the package but its standard input.
    fn run(
        &self,
        jury_program: &BuiltProgram,
        arguments: &[String],
        keep: u64,
        mut stdin: Option<Capture>,
        file: Option<&Path>,
    ) -> Result<(RunOutput, Capture), VerificationFault> {
        let engine = self.engine;
        let argv = [jury_program.argv.as_slice(), arguments].concat();
        let ran = engine.in_box(&jury_program.shape, &[self.cancel], |sandbox_box| {
            sandbox_box.attach(PROGRAM, jury_program.directory())?;
            sandbox_box.detach(PACKAGE)?;
            let input = match (&mut stdin, file) {
                (Some(capture), _) => {
                    Some(capture.open().map_err(|error| Fault::file("read from", &engine.spill, error))?)
                }
                (None, Some(path)) => Some(self.inputs.open_for_program(&engine.sandbox, path)?),
                (None, None) => None,
            };
            let command = jury_program.exec(&argv, input.as_ref().map(File::as_fd), Keep::First(keep));
            let Finished { outcome, mut stdout, mut stderr, .. } =
                command.run(engine, sandbox_box, &[self.cancel])?;
            let head = |capture: &mut Capture| read_first(capture, KEPT_OUTPUT, &engine.spill);
            let (out, err) = (head(&mut stdout)?, head(&mut stderr)?);
            Ok((RunOutput { outcome, stdout: out, stderr: err }, stdout))
        })?;
        Ok(ran)
    }

    fn compare(
        &self,
        test: &Test,
        comparator: Comparator,
        output: TestData<'_>,
    ) -> Result<Opinion, VerificationFault> {
        let mut answer = open(&test.answer)?;
        let said = match output {
            TestData::File(path) => compare(comparator, &mut open(path)?, &mut answer),
            TestData::Bytes(mut bytes) => compare(comparator, &mut bytes, &mut answer),
        };
        let (grade, message) = match said.map_err(|error| self.unreadable(error))? {
            Comparison::Accepted => (Grade::Accepted, String::new()),
            Comparison::Wrong { message } => (Grade::Wrong, message),
            Comparison::Partial { message, .. } => (Grade::Partial, message),
            Comparison::BrokenAnswer { message } => return Err(VerificationFault::Package(message)),
        };
        Ok(Opinion { grade, score: None, team_message: message, judge_message: String::new() })
    }

    fn compare_with_input(
        &self,
        test: &Test,
        comparator: Comparator,
        made: &mut Capture,
    ) -> Result<Comparison, VerificationFault> {
        let mut made = made.reader().map_err(|error| self.unreadable(error))?;
        compare(comparator, &mut *made, &mut open(&test.input)?).map_err(|error| self.unreadable(error))
    }

    fn capture(&self, exhibit: TestData<'_>) -> Result<Capture, VerificationFault> {
        let mut capture = Capture::whole(&self.engine.spill);
        match exhibit {
            TestData::Bytes(bytes) => capture.push(bytes).map_err(|error| self.unreadable(error))?,
            TestData::File(path) => {
                let mut file = open(path)?;
                let mut buffer = vec![0; 64 << 10];
                loop {
                    let read = file.read(&mut buffer).map_err(|error| {
                        VerificationFault::Package(format!("cannot read {}: {error}", path.display()))
                    })?;
                    if read == 0 {
                        break;
                    }
                    capture.push(&buffer[..read]).map_err(|error| self.unreadable(error))?;
                }
            }
        }
        Ok(capture)
    }

    fn unreadable(&self, error: io::Error) -> VerificationFault {
        Fault::file("read from or write to", &self.engine.spill, error).into()
    }
}

impl std::fmt::Debug for Verifier<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Jury").field("package", &self.package.name).finish_non_exhaustive()
    }
}

fn missing(role: &str, place: usize) -> VerificationFault {
    VerificationFault::Package(format!("there is no {role} number {place} in the package"))
}

fn open(path: &Path) -> Result<File, VerificationFault> {
    open_regular(path)
        .map_err(|error| VerificationFault::Package(format!("cannot read {}: {error}", path.display())))
}

/// Returns the first line that is not empty, of standard error or else of standard output.
fn first_line(said: &RunOutput) -> String {
    const LONGEST: usize = 200;
    let line = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        line.chars().take(LONGEST).flat_map(char::escape_debug).collect::<String>()
    };
    let message = line(&said.stderr);
    if message.is_empty() { line(&said.stdout) } else { message }
}

/// Reads the checktestdata script of a validator.
///
/// # Errors
/// When the file cannot be read, or the script is not valid.
fn read_script(validator: &InputValidator) -> Result<Script, VerificationFault> {
    let fault =
        |problem: String| VerificationFault::Package(format!("{}: {problem}", validator_name(validator)));
    let file = validator.program.files.first().ok_or_else(|| fault("it has no file".to_owned()))?;
    let text = files::read_at_most(&file.path, Script::LONGEST + 1)
        .map_err(|error| fault(format!("cannot read {}: {error}", file.path.display())))?;
    Script::parse(&text).map_err(|error| fault(error.to_string()))
}

/// Checks an input by a checktestdata script, interpreted here and in no box: a script can only read its input. Its CPU
/// time and memory are bounded as those of other validators.
///
/// # Errors
/// When the script has an error that only shows when it runs, needs more than it may use, or is cancelled.
fn run_script(
    script: &Script,
    validator: &InputValidator,
    input: &mut dyn Read,
    cancel: &CancelToken,
) -> Result<Validation, VerificationFault> {
    let should_stop = || cancel.is_cancelled();
    let memory = validator.limits.memory.0.min(SCRIPT_MEMORY.0);
    let bounds = Bounds { time: validator.limits.time, memory, should_stop: &should_stop };
    match script.check(input, bounds) {
        Ok(Answer::Valid) => Ok(Validation { accepted: true, code: None, message: String::new() }),
        Ok(Answer::Invalid(mismatch)) => {
            Ok(Validation { accepted: false, code: None, message: mismatch.to_string() })
        }
        Err(CheckError::Stopped) => Err(VerificationFault::Cancelled),
        Err(error) => Err(VerificationFault::Package(format!("{}: {error}", validator_name(validator)))),
    }
}

fn validator_name(validator: &InputValidator) -> String {
    format!("input validator '{}'", validator.program.name)
}
