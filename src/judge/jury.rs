//! The programs of a package's jury outside any judging: what verification asks of them.
//!
//! The same tools, boxes and limits as in judgings, so that what holds here holds there. A program is made when it is first
//! asked for, and once; nothing here judges a submission, and what comes of it is never charged to one. Whose fault a
//! failure is stands in [`JuryFault`].

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use super::Judge;
use super::check::{self, Checked, MadeBy, Said};
use super::exec::{Finished, Keep, read_first};
use super::fault::Fault;
use super::files::{Inputs, open_regular};
use super::input_script;
use super::panic_message;
use super::tool::{Tool, Workshop};
use crate::cancel::CancelToken;
use crate::checker::{Comparator, Comparison, Grade, Opinion, TokenOptions, compare};
use crate::checktestdata::Script;
use crate::package::{
    Check, GeneratorRun, InputValidator, JuryProgram, Making, Package, ProgramLimits, Test,
};
use crate::sandbox::{Capture, PACKAGE, PROGRAM};
use crate::units::Bytes;

/// Bytes kept of what a validator says.
const SAID_LIMIT: u64 = 64 << 10;
/// What a generator may use: inputs are larger than what checkers say.
const GENERATING: ProgramLimits =
    ProgramLimits { time: Duration::from_secs(60), memory: Bytes::mib(2048), output: Bytes::mib(512) };

/// Why a jury's program could not be asked, or did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JuryFault {
    /// The package's: the program cannot be made, or did what it must not.
    #[error("{0}")]
    Package(String),
    /// This host has no toolchain for it.
    #[error("{0}")]
    Language(String),
    /// Ours or the host's.
    #[error("{0}")]
    Judge(String),
    /// Somebody asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl From<Fault> for JuryFault {
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

/// What is put before a jury's program.
#[derive(Debug, Clone, Copy)]
pub enum Exhibit<'a> {
    /// A file of the package.
    File(&'a Path),
    /// Bytes that are nowhere on disk.
    Bytes(&'a [u8]),
}

/// What an input validator said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validation {
    /// Whether the input is valid.
    pub accepted: bool,
    /// Its exit code; a script of checktestdata has none.
    pub code: Option<i32>,
    /// The first line it wrote, on standard error or else on standard output, bounded; of a script, where the input
    /// differs from it.
    pub message: String,
}

/// How an input compares with what its generator makes now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Regenerated {
    /// The same bytes.
    Same,
    /// The same words with other white space: line ends of another system.
    SameWords,
    /// Something else, every time the same.
    Different(String),
    /// Something else every time.
    Unsteady,
}

/// The jury of one package: its programs, made when first asked for.
pub struct Jury<'a> {
    judge: &'a Judge,
    package: &'a Package,
    cancel: &'a CancelToken,
    inputs: Inputs,
    checkers: Vec<OnceLock<Result<Tool, JuryFault>>>,
    validators: Vec<OnceLock<Result<Tool, JuryFault>>>,
    scripts: Vec<OnceLock<Result<Script, JuryFault>>>,
    generators: Vec<OnceLock<Result<Tool, JuryFault>>>,
}

impl Judge {
    /// The jury of a package.
    ///
    /// # Errors
    /// When the package's directory cannot be shown to boxes.
    pub fn jury<'a>(&'a self, package: &'a Package, cancel: &'a CancelToken) -> Result<Jury<'a>, JuryFault> {
        let none = |count: usize| (0..count).map(|_| OnceLock::new()).collect();
        let validators = package.verification.input_validators.len();
        Ok(Jury {
            judge: self,
            package,
            cancel,
            inputs: Inputs::of(&self.sandbox, package).map_err(Fault::from)?,
            checkers: none(package.checkers.len()),
            validators: none(validators),
            scripts: (0..validators).map(|_| OnceLock::new()).collect(),
            generators: none(package.verification.generators.len()),
        })
    }
}

impl Jury<'_> {
    /// Makes a checker, or says why it cannot be made.
    ///
    /// # Errors
    /// The reason.
    pub fn prepare_checker(&self, place: usize) -> Result<(), JuryFault> {
        self.checker(place).map(|_| ())
    }

    /// Makes an input validator, or says why it cannot be made.
    ///
    /// # Errors
    /// The reason.
    pub fn prepare_validator(&self, place: usize) -> Result<(), JuryFault> {
        let validator = self.input_validator(place)?;
        match validator.program.making {
            Making::Checktestdata => self.script(place, validator).map(|_| ()),
            _ => self.validator(place, validator).map(|_| ()),
        }
    }

    /// Makes a generator, or says why it cannot be made.
    ///
    /// # Errors
    /// The reason.
    pub fn prepare_generator(&self, place: usize) -> Result<(), JuryFault> {
        self.generator(place).map(|_| ())
    }

    /// What decides about the outputs of a test says of this one.
    ///
    /// # Errors
    /// When it crashes, breaks its limits or its protocol, or when an interactor decides.
    pub fn check(&self, test: &Test, output: Exhibit<'_>) -> Result<Opinion, JuryFault> {
        Ok(match &test.check {
            Check::BuiltIn(comparator) => self.compare(test, *comparator, output)?,
            Check::Program { checker: place, arguments } => {
                let tool = self.checker(*place)?;
                let checker = self.package.checkers.get(*place).ok_or_else(|| missing("checker", *place))?;
                let mut capture = self.capture(output)?;
                let made_by = MadeBy::default();
                let checked = Checked { judge: self.judge, inputs: &self.inputs, test, arguments, made_by };
                check::ask(&checked, tool, checker, &mut capture, &[self.cancel])?
            }
            Check::Interaction { .. } => {
                return Err(JuryFault::Package("its verdict is an interactor's".to_owned()));
            }
        })
    }

    /// What an input validator says of an input; `arguments` come after its own.
    ///
    /// # Errors
    /// When it cannot be made, crashes, or breaks its limits.
    pub fn validate(
        &self,
        place: usize,
        input: Exhibit<'_>,
        arguments: &[String],
    ) -> Result<Validation, JuryFault> {
        let validator = self.input_validator(place)?;
        if validator.program.making == Making::Checktestdata {
            let script = self.script(place, validator)?;
            return match input {
                Exhibit::File(path) => input_script::check(script, validator, &mut open(path)?, self.cancel),
                Exhibit::Bytes(mut bytes) => input_script::check(script, validator, &mut bytes, self.cancel),
            };
        }
        let tool = self.validator(place, validator)?;
        let arguments = [validator.arguments.as_slice(), arguments].concat();
        let stdin = match input {
            Exhibit::File(path) => {
                self.judge.preload(path);
                None
            }
            Exhibit::Bytes(_) => Some(self.capture(input)?),
        };
        let (said, _) = self.run(
            tool,
            &arguments,
            SAID_LIMIT,
            stdin,
            match input {
                Exhibit::File(path) => Some(path),
                Exhibit::Bytes(_) => None,
            },
        )?;
        let code = check::exit_code(tool, &said)?;
        let accepted = code == validator.accepts;
        Ok(Validation { accepted, code: Some(code), message: first_line(&said) })
    }

    /// Makes a test's input anew and compares.
    ///
    /// # Errors
    /// When the generator cannot be made, fails, or breaks its limits.
    pub fn regenerate(&self, test: &Test, made_by: &GeneratorRun) -> Result<Regenerated, JuryFault> {
        let mut made = self.generate(made_by)?;
        let found = self.compare_with_input(test, Comparator::Exact, &mut made)?;
        let Comparison::Wrong { .. } = found else { return Ok(Regenerated::Same) };
        let words = TokenOptions { case_sensitive: true, ..TokenOptions::default() };
        let message = match self.compare_with_input(test, Comparator::Tokens(words), &mut made)? {
            Comparison::Wrong { message } => message,
            _ => return Ok(Regenerated::SameWords),
        };
        let mut again = self.generate(made_by)?;
        let mut again = again.reader().map_err(|error| self.unreadable(error))?;
        let mut first = made.reader().map_err(|error| self.unreadable(error))?;
        match compare(Comparator::Exact, &mut *again, &mut *first).map_err(|error| self.unreadable(error))? {
            Comparison::Wrong { .. } => Ok(Regenerated::Unsteady),
            _ => Ok(Regenerated::Different(message)),
        }
    }

    fn checker(&self, place: usize) -> Result<&Tool, JuryFault> {
        let checker = self.package.checkers.get(place).ok_or_else(|| missing("checker", place))?;
        self.make(self.checkers.get(place), "checker", &checker.program, checker.limits)
    }

    fn input_validator(&self, place: usize) -> Result<&InputValidator, JuryFault> {
        let validators = &self.package.verification.input_validators;
        validators.get(place).ok_or_else(|| missing("input validator", place))
    }

    fn script(&self, place: usize, validator: &InputValidator) -> Result<&Script, JuryFault> {
        let script = self.scripts.get(place).ok_or_else(|| missing("input validator", place))?;
        script.get_or_init(|| input_script::read(validator)).as_ref().map_err(Clone::clone)
    }

    fn validator(&self, place: usize, validator: &InputValidator) -> Result<&Tool, JuryFault> {
        self.make(self.validators.get(place), "input validator", &validator.program, validator.limits)
    }

    fn generator(&self, place: usize) -> Result<&Tool, JuryFault> {
        let generators = &self.package.verification.generators;
        let program = generators.get(place).ok_or_else(|| missing("generator", place))?;
        self.make(self.generators.get(place), "generator", program, GENERATING)
    }

    /// The tool of a place, made by whoever asks first.
    fn make<'b>(
        &self,
        place: Option<&'b OnceLock<Result<Tool, JuryFault>>>,
        role: &str,
        program: &JuryProgram,
        limits: ProgramLimits,
    ) -> Result<&'b Tool, JuryFault> {
        let place = place.ok_or_else(|| missing(role, 0))?;
        let made = place.get_or_init(|| {
            let workshop =
                Workshop { judge: self.judge, cancel: self.cancel, handed: self.package.limits.output };
            // A panic would leave others waiting for what never comes.
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| workshop.make(role, program, limits)))
                .unwrap_or_else(|panic| Err(Fault::Panic(panic_message(&*panic))))
                .map_err(JuryFault::from)
        });
        made.as_ref().map_err(Clone::clone)
    }

    fn generate(&self, made_by: &GeneratorRun) -> Result<Capture, JuryFault> {
        let tool = self.generator(made_by.generator)?;
        let (said, stdout) = self.run(tool, &made_by.arguments, u64::MAX, None, None)?;
        match check::exit_code(tool, &said)? {
            0 => Ok(stdout),
            code => {
                let line = first_line(&said);
                let line = if line.is_empty() { line } else { format!(": {line}") };
                Err(JuryFault::Package(format!("{}: it exited with code {code}{line}", tool.name)))
            }
        }
    }

    /// Runs a tool that sees nothing of the package but what is on its standard input.
    fn run(
        &self,
        tool: &Tool,
        arguments: &[String],
        keep: u64,
        mut stdin: Option<Capture>,
        file: Option<&Path>,
    ) -> Result<(Said, Capture), JuryFault> {
        let judge = self.judge;
        let argv = [tool.argv.as_slice(), arguments].concat();
        let ran = judge.in_box(&tool.shape, &[self.cancel], |sandbox_box| {
            sandbox_box.attach(PROGRAM, tool.directory())?;
            sandbox_box.detach(PACKAGE)?;
            let input = match (&mut stdin, file) {
                (Some(capture), _) => {
                    Some(capture.open().map_err(|error| Fault::file("read from", &judge.spill, error))?)
                }
                (None, Some(path)) => Some(self.inputs.open_for_program(&judge.sandbox, path)?),
                (None, None) => None,
            };
            let command = tool.exec(&argv, input.as_ref().map(File::as_fd), Keep::First(keep));
            let Finished { outcome, mut stdout, mut stderr, .. } =
                command.run(judge, sandbox_box, &[self.cancel])?;
            let head = |capture: &mut Capture| read_first(capture, SAID_LIMIT, &judge.spill);
            let (out, err) = (head(&mut stdout)?, head(&mut stderr)?);
            Ok((Said { outcome, stdout: out, stderr: err }, stdout))
        })?;
        Ok(ran)
    }

    fn compare(
        &self,
        test: &Test,
        comparator: Comparator,
        output: Exhibit<'_>,
    ) -> Result<Opinion, JuryFault> {
        let mut answer = open(&test.answer)?;
        let said = match output {
            Exhibit::File(path) => compare(comparator, &mut open(path)?, &mut answer),
            Exhibit::Bytes(mut bytes) => compare(comparator, &mut bytes, &mut answer),
        };
        let (grade, message) = match said.map_err(|error| self.unreadable(error))? {
            Comparison::Accepted => (Grade::Accepted, String::new()),
            Comparison::Wrong { message } => (Grade::Wrong, message),
            Comparison::Partial { message, .. } => (Grade::Partial, message),
            Comparison::BrokenAnswer { message } => return Err(JuryFault::Package(message)),
        };
        Ok(Opinion { grade, score: None, team_message: message, judge_message: String::new() })
    }

    fn compare_with_input(
        &self,
        test: &Test,
        comparator: Comparator,
        made: &mut Capture,
    ) -> Result<Comparison, JuryFault> {
        let mut made = made.reader().map_err(|error| self.unreadable(error))?;
        compare(comparator, &mut *made, &mut open(&test.input)?).map_err(|error| self.unreadable(error))
    }

    fn capture(&self, exhibit: Exhibit<'_>) -> Result<Capture, JuryFault> {
        let mut capture = Capture::whole(&self.judge.spill);
        match exhibit {
            Exhibit::Bytes(bytes) => capture.push(bytes).map_err(|error| self.unreadable(error))?,
            Exhibit::File(path) => {
                let mut file = open(path)?;
                let mut buffer = vec![0; 64 << 10];
                loop {
                    let read = file.read(&mut buffer).map_err(|error| {
                        JuryFault::Package(format!("cannot read {}: {error}", path.display()))
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

    fn unreadable(&self, error: io::Error) -> JuryFault {
        Fault::file("read from or write to", &self.judge.spill, error).into()
    }
}

impl std::fmt::Debug for Jury<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Jury").field("package", &self.package.name).finish_non_exhaustive()
    }
}

fn missing(role: &str, place: usize) -> JuryFault {
    JuryFault::Package(format!("there is no {role} number {place} in the package"))
}

fn open(path: &Path) -> Result<File, JuryFault> {
    open_regular(path).map_err(|error| JuryFault::Package(format!("cannot read {}: {error}", path.display())))
}

/// The first line that says something; standard error first.
fn first_line(said: &Said) -> String {
    const LONGEST: usize = 200;
    let line = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        line.chars().take(LONGEST).flat_map(char::escape_debug).collect::<String>()
    };
    let message = line(&said.stderr);
    if message.is_empty() { line(&said.stdout) } else { message }
}
