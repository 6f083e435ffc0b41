//! Runs a built program of the jury's and reads how it ended.

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;

use crate::judge::compile::program::Program;
use crate::judge::exec::{Exec, Finished, Keep, STDERR_LIMIT, read_all};
use crate::judge::external_kill::{may_have_ended, named};
use crate::judge::fault::Fault;
use crate::judge::test::stderr;
use crate::sandbox::{Exit, Limits, Outcome, PROGRAM, Shape, Stopped, WORKSPACE};
use crate::units::Bytes;

/// Bytes kept of the standard output of a program that answers in a few lines.
pub(crate) const KEPT_OUTPUT: u64 = 64 << 10;
/// Wall time that a program may take beyond its CPU time.
const PATIENCE: Duration = Duration::from_secs(10);
/// Characters of a program's last line in a message.
const QUOTED: usize = 200;

/// A program of the jury's, ready to run.
#[derive(Debug)]
pub(crate) struct BuiltProgram {
    /// Its role and the package's name for it: `checker 'output_validators/compare.py'`.
    pub(crate) name: String,
    /// Its command line; arguments follow.
    pub(crate) argv: Vec<String>,
    /// Its whole environment.
    pub(crate) env: Vec<String>,
    /// The box it runs in: never one that contestants' programs use.
    pub(crate) shape: Shape,
    /// Limits of a run.
    pub(crate) limits: Limits,
    /// Beginnings of the lines in which its runtime reports an uncaught error.
    pub(crate) crash: Vec<String>,
    /// Beginnings of the last line after an uncaught error, above which the error stands.
    pub(crate) crash_end: Vec<String>,
    /// Exit codes of its runtime after an uncaught error; `None` where any code may be one.
    pub(crate) crash_codes: Option<Vec<i32>>,
    /// Its files, shown at [`PROGRAM`].
    pub(crate) program: Program,
}

impl BuiltProgram {
    /// Returns the command that runs it in its work directory; of its standard error [`STDERR_LIMIT`] bytes are kept.
    pub(crate) fn exec<'run>(
        &'run self,
        argv: &'run [String],
        stdin: Option<BorrowedFd<'run>>,
        stdout: Keep,
    ) -> Exec<'run> {
        Exec {
            argv,
            env: &self.env,
            directory: WORKSPACE,
            stdin,
            stdout,
            stderr: Keep::First(STDERR_LIMIT),
            limits: self.limits.clone(),
        }
    }

    /// Returns the directory that holds its files.
    pub(crate) fn directory(&self) -> &Path {
        &self.program.directory
    }

    /// Returns the line in which its runtime reports an uncaught error, where that is the last line it wrote: the exit code
    /// beside it is the runtime's and no answer. A program that reports an error and goes on is not meant.
    pub(crate) fn crash_line(&self, text: &str) -> Option<String> {
        stderr::crash_line(&self.crash, &self.crash_end, text)
    }

    /// Returns whether its runtime ends with this code after an uncaught error.
    pub(crate) fn may_crash_with(&self, code: i32) -> bool {
        self.crash_codes.as_ref().is_none_or(|codes| codes.contains(&code))
    }

    /// Returns the exit code of a run that ended by itself, within its limits.
    ///
    /// # Errors
    /// [`Fault::Checker`] when it did not, with the last line it wrote.
    pub(crate) fn exit_code(&self, run: &RunOutput) -> Result<i32, Fault> {
        let outcome = &run.outcome;
        if outcome.stopped.contains(&Stopped::Cancelled) {
            return Err(Fault::Cancelled);
        }
        let limits = &self.limits;
        let what = match outcome.stopped.first() {
            Some(Stopped::Memory) => {
                format!("it used more memory than {}", limits.memory.unwrap_or_default())
            }
            Some(Stopped::Output) => format!("it wrote more than {}", limits.output.unwrap_or_default()),
            Some(Stopped::Cpu) => {
                format!("it used more CPU time than {:.3} s", limits.cpu.unwrap_or_default().as_secs_f64())
            }
            Some(Stopped::Wall) => {
                format!("it was not over after {:.3} s", limits.wall.unwrap_or_default().as_secs_f64())
            }
            Some(Stopped::Cancelled) | None => match outcome.exit {
                Exit::Code(code) => return Ok(code),
                Exit::Signal(signal) => format!("it died of {}", named(signal)),
                Exit::NotStarted { step, errno } => {
                    format!("it cannot be started ({step}: {})", Errno::from_raw(errno).desc())
                }
            },
        };
        let last = run.last_line();
        let last = if last.is_empty() { last } else { format!(": {last}") };
        let problem = format!("{}: {what}{last}", self.name);
        Err(if may_have_ended(outcome) { Fault::Ended(problem) } else { Fault::Checker(problem) })
    }
}

/// The end of a run and the output that was kept of it.
pub(crate) struct RunOutput {
    pub(crate) outcome: Outcome,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl RunOutput {
    /// Reads the captures of a run.
    ///
    /// # Errors
    /// When a spill file cannot be read.
    pub(crate) fn read(run: Finished, spill: &Path) -> Result<Self, Fault> {
        let Finished { outcome, mut stdout, mut stderr, .. } = run;
        Ok(Self { outcome, stdout: read_all(&mut stdout, spill)?, stderr: read_all(&mut stderr, spill)? })
    }

    /// Returns the last line of its standard error that is not empty, escaped and truncated.
    pub(crate) fn last_line(&self) -> String {
        let text = String::from_utf8_lossy(&self.stderr);
        let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        last.chars().take(QUOTED).flat_map(char::escape_debug).collect()
    }
}

/// Returns the limits of a run of a jury's program.
pub(crate) fn run_limits(cpu: Duration, memory: Bytes, output: Bytes, processes: u32) -> Limits {
    Limits {
        cpu: Some(cpu),
        wall: Some(cpu.saturating_add(PATIENCE)),
        memory: Some(memory),
        output: Some(output),
        // A file one byte larger than allowed shows that there was more.
        file_size: Some(Bytes(output.0.saturating_add(1))),
        processes: Some(processes),
        ..Limits::default()
    }
}

/// Returns the path of a program's file inside its box.
pub(crate) fn program_path(name: &str) -> String {
    format!("{PROGRAM}/{name}")
}
