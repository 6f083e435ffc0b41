//! Runs a checker of the package's on one output.
//!
//! The checker sees the package read-only at `/package`, the output under judgement on its standard input or as a file,
//! and an empty feedback directory; nothing of an earlier run. It is run once; only when its box was lost, once more, on the
//! same output with a new feedback directory. Whatever it does that
//! its protocol does not know is a judging error that names it.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

use super::Judge;
use super::artifacts;
use super::exec::{Finished as Ran, Keep, read_all};
use super::fault::Fault;
use super::files::{Inputs, open_regular};
use super::outside_kill::{may_have_ended, named};
use super::pipeline::{Entrant, TestRun};
use super::test_result::TestResult;
use super::tool::{Tool, Workshop};
use crate::cancel::CancelToken;
use crate::checker::{CheckerPaths, CustomScore, Feedback, Finished, Opinion, Protocol, Used};
use crate::package::{Check, CheckerProgram, Package, Test};
use crate::report::TestReport;
use crate::sandbox::{BoxHandle, Capture, Exit, Outcome, PACKAGE, PROGRAM, Stopped, WORKSPACE};
use crate::units::Bytes;

/// Name of the output under judgement in the checker's work directory.
pub(super) const OUTPUT: &str = "output";
/// Name of the submission's own file there, for checkers that ask for it.
pub(super) const SUBMISSION: &str = "submission";
/// Name of the feedback directory there.
pub(super) const FEEDBACK: &str = "feedback";
/// Bytes read of what a checker says.
pub(super) const SAID_LIMIT: u64 = 64 << 10;

/// The checkers of a package that the tests to be run need, compiled.
#[derive(Debug, Default)]
pub(super) struct Checkers<'a> {
    /// By their place in the package; `None` where no test needs one.
    tools: Vec<Option<(Tool, &'a CheckerProgram)>>,
}

impl<'a> Checkers<'a> {
    /// Compiles those that are needed.
    ///
    /// # Errors
    /// When one cannot be made.
    pub(super) fn make(
        judge: &Judge,
        package: &'a Package,
        tests: &[&Test],
        output_limit: Bytes,
        cancel: &CancelToken,
    ) -> Result<Self, Fault> {
        let workshop = Workshop { judge, cancel, handed: output_limit };
        let mut tools = Vec::new();
        for (place, checker) in package.checkers.iter().enumerate() {
            let needs =
                |test: &&Test| matches!(test.check, Check::Program { checker, .. } if checker == place);
            tools.push(if tests.iter().any(needs) {
                Some((workshop.make("checker", &checker.program, checker.limits)?, checker))
            } else {
                None
            });
        }
        Ok(Self { tools })
    }

    /// The one at that place.
    pub(super) fn get(&self, place: usize) -> Result<(&Tool, &'a CheckerProgram), Fault> {
        match self.tools.get(place) {
            Some(Some((tool, checker))) => Ok((tool, checker)),
            _ => Err(Fault::Package(format!("it names checker {place}, which the package does not have"))),
        }
    }
}

/// What is checked, and with which arguments of the package's.
#[derive(Clone, Copy)]
pub(super) struct Checked<'a> {
    pub(super) judge: &'a Judge,
    pub(super) inputs: &'a Inputs,
    pub(super) test: &'a Test,
    pub(super) arguments: &'a [String],
    pub(super) made_by: MadeBy<'a>,
}

/// What made the output that is checked.
#[derive(Clone, Copy, Default)]
pub(super) struct MadeBy<'a> {
    /// The submission's own file.
    pub(super) source: &'a [u8],
    /// The submission's language; empty where it has none.
    pub(super) language: &'a str,
    /// What the run used.
    pub(super) used: Used,
}

impl<'a> MadeBy<'a> {
    /// What is known of a submission on a test, from its run there.
    pub(super) fn of(run: &TestRun<'a>, result: &TestResult) -> Self {
        let language = match &run.entrant {
            Entrant::Program(runner) => runner.language.id.as_str(),
            Entrant::Answers { .. } => "",
        };
        let TestReport { cpu_ms, wall_ms, memory_kib, .. } = result.report;
        let source = run.submitted.first().map_or(&[][..], |source| &source.bytes);
        Self { source, language, used: Used { cpu_ms, wall_ms, memory_kib } }
    }
}

/// Asks a checker about an output.
///
/// # Errors
/// [`Fault::Checker`] when it says nothing its protocol knows.
pub(super) fn ask(
    checked: &Checked<'_>,
    tool: &Tool,
    checker: &CheckerProgram,
    output: &mut Capture,
    cancel: &[&CancelToken],
) -> Result<Opinion, Fault> {
    let judge = checked.judge;
    judge.preload(&checked.test.answer);
    judge.in_box(&tool.shape, cancel, |sandbox_box| {
        let files = show_files(checked.inputs, checked.test, sandbox_box)?;
        if checker.protocol.reads_output_from_stdin() {
            artifacts::make_directory(sandbox_box.workspace(), FEEDBACK)?;
        }
        let (opinion, _) = ask_in_box(checked, tool, checker, &files, output, sandbox_box, cancel)?;
        Ok(opinion)
    })
}

/// As [`ask`], in a box that has its files at these paths, and its feedback directory. Also says whether it wants
/// another pass.
///
/// # Errors
/// As those of [`ask`].
pub(super) fn ask_in_box(
    checked: &Checked<'_>,
    tool: &Tool,
    checker: &CheckerProgram,
    files: &[String; 2],
    output: &mut Capture,
    sandbox_box: &mut BoxHandle,
    cancel: &[&CancelToken],
) -> Result<(Opinion, bool), Fault> {
    sandbox_box.attach(PROGRAM, tool.directory())?;
    let began = Instant::now();
    let said = run(checked, tool, checker, files, output, sandbox_box, cancel)?;
    if said.outcome.exit == Exit::Signal(libc::SIGKILL) && said.outcome.stopped.is_empty() {
        checked.judge.host_memory.has_spared_what_began(began)?;
    }
    let code = exit_code(tool, &said)?;
    let feedback = read_feedback(sandbox_box.workspace(), tool.limits.output.unwrap_or(Bytes(u64::MAX)))
        .map_err(|problem| Fault::Checker(format!("{}: {problem}", tool.name)))?;
    let finished = Finished { code, stdout: &said.stdout, stderr: &said.stderr, feedback: &feedback };
    let scores = checked.test.custom_score.unwrap_or(checker.scores);
    let opinion = interpret(tool, checker.protocol, &finished, scores)?;
    Ok((opinion, feedback.next_pass))
}

/// What a run of a tool left.
pub(super) struct Said {
    pub(super) outcome: Outcome,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

impl Said {
    /// Reads what was kept of a run's output.
    pub(super) fn of(ran: Ran, spill: &Path) -> Result<Self, Fault> {
        let Ran { outcome, mut stdout, mut stderr, .. } = ran;
        Ok(Self { outcome, stdout: read_all(&mut stdout, spill)?, stderr: read_all(&mut stderr, spill)? })
    }
}

fn run(
    checked: &Checked<'_>,
    tool: &Tool,
    checker: &CheckerProgram,
    [input, answer]: &[String; 2],
    output: &mut Capture,
    sandbox_box: &mut BoxHandle,
    cancel: &[&CancelToken],
) -> Result<Said, Fault> {
    let judge = checked.judge;
    let output_path = format!("{WORKSPACE}/{OUTPUT}");
    let submission_path = format!("{WORKSPACE}/{SUBMISSION}");
    if checker.call.iter().flatten().any(|word| word == "{submission}") {
        artifacts::write_new(sandbox_box.workspace(), SUBMISSION, 0o644, &mut &*checked.made_by.source)?;
    }
    let paths = CheckerPaths {
        input,
        output: &output_path,
        answer,
        feedback: &format!("{WORKSPACE}/{FEEDBACK}/"),
        used: checked.made_by.used,
        submission: &submission_path,
        language: checked.made_by.language,
    };
    let unreadable = |error: io::Error| Fault::file("read the output of", &checked.test.input, error);
    let stdin = if checker.protocol.reads_output_from_stdin() {
        Some(output.open().map_err(unreadable)?)
    } else {
        let mut reader = output.reader().map_err(unreadable)?;
        artifacts::write_new(sandbox_box.workspace(), OUTPUT, 0o644, &mut *reader)?;
        None
    };
    let mut argv = tool.argv.clone();
    match &checker.call {
        None => argv.extend(checker.protocol.arguments(&paths)),
        Some(call) => argv.extend(paths.put_into(call)),
    }
    argv.extend_from_slice(checked.arguments);
    let command = tool.exec(&argv, stdin.as_ref().map(File::as_fd), Keep::First(SAID_LIMIT));
    Said::of(command.run(judge, sandbox_box, cancel)?, &judge.spill)
}

/// The paths of input and answer inside the box: where the package is shown or, for files that the box's own user may
/// not read there, copies in the work directory.
pub(super) fn show_files(
    inputs: &Inputs,
    test: &Test,
    sandbox_box: &mut BoxHandle,
) -> Result<[String; 2], Fault> {
    let files = [("input", &test.input), ("answer", &test.answer)];
    let directory = inputs.directory_of(&test.answer).or_else(|| inputs.directory_of(&test.input));
    let shown =
        files.map(|(_, path)| directory.and_then(|directory| Inputs::readable_by_all(directory, path)));
    if let (Some(directory), true) = (directory, shown.iter().any(Option::is_some)) {
        sandbox_box.attach(PACKAGE, directory)?;
    } else {
        // Another package's checker may have used this box.
        sandbox_box.detach(PACKAGE)?;
    }
    sandbox_box.fresh_workspace()?;
    let mut paths = [String::new(), String::new()];
    for (((name, path), shown), place) in files.into_iter().zip(shown).zip(&mut paths) {
        *place = match shown {
            Some(below) => format!("{PACKAGE}/{below}"),
            None => {
                let mut file = open_regular(path)
                    .map_err(|error| Fault::Package(format!("cannot read {}: {error}", path.display())))?;
                artifacts::write_new(sandbox_box.workspace(), name, 0o644, &mut file)?;
                format!("{WORKSPACE}/{name}")
            }
        };
    }
    Ok(paths)
}

/// The exit code of a tool that ended by itself, within its limits.
///
/// # Errors
/// [`Fault::Checker`] when it did not, with what it said last.
pub(super) fn exit_code(tool: &Tool, said: &Said) -> Result<i32, Fault> {
    let Said { outcome, stderr, .. } = said;
    if outcome.stopped.contains(&Stopped::Cancelled) {
        return Err(Fault::Cancelled);
    }
    let limits = &tool.limits;
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
            Exit::Signal(signal) => {
                format!("it died of {}", named(signal))
            }
            Exit::NotStarted { step, errno } => {
                format!("it cannot be started ({step}: {})", Errno::from_raw(errno).desc())
            }
        },
    };
    let text = String::from_utf8_lossy(stderr);
    let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let last: String = last.chars().take(200).flat_map(char::escape_debug).collect();
    let last = if last.is_empty() { last } else { format!(": {last}") };
    let problem = format!("{}: {what}{last}", tool.name);
    Err(if may_have_ended(outcome) { Fault::Ended(problem) } else { Fault::Checker(problem) })
}

/// Interprets the end of a checker, and refuses the exit code of a runtime whose program died: under some protocols it is one
/// that rejects. A checker may write the line that its runtime writes then (Perl's `warn` does); so what the protocol
/// makes of a code holds where the runtime has others.
///
/// # Errors
/// When the protocol knows no such end, and when the checker's last words and its exit code are its runtime's.
pub(super) fn interpret(
    tool: &Tool,
    protocol: Protocol,
    finished: &Finished<'_>,
    scores: CustomScore,
) -> Result<Opinion, Fault> {
    let code = finished.code;
    let opinion = protocol.interpret(finished, scores);
    let decides = code == 0 || protocol.has_codes_of_its_own() || !tool.may_crash_with(code);
    if opinion.is_err() || !decides {
        let text = String::from_utf8_lossy(finished.stderr);
        if let Some(words) = tool.last_words(&text).filter(|_| code != 0 && !protocol.has_codes_of_its_own())
        {
            let words: String = words.trim().chars().take(200).flat_map(char::escape_debug).collect();
            return Err(Fault::Checker(format!("{}: it crashed (exit code {code}): {words}", tool.name)));
        }
    }
    opinion.map_err(|broken| Fault::Checker(format!("{}: {broken}", tool.name)))
}

/// The files of the feedback directory that mean something. What lies there was made by a program from outside: nothing
/// is followed or waited for.
pub(super) fn read_feedback(workspace: BorrowedFd<'_>, most: Bytes) -> Result<Feedback, String> {
    let read = |name: &str| read_feedback_file(workspace, name, most);
    Ok(Feedback {
        judge_message: read("judgemessage.txt")?,
        team_message: read("teammessage.txt")?,
        score: read("score.txt")?,
        score_multiplier: read("score_multiplier.txt")?,
        next_pass: read("nextpass.in")?.is_some(),
    })
}

fn read_feedback_file(workspace: BorrowedFd<'_>, name: &str, most: Bytes) -> Result<Option<Vec<u8>>, String> {
    let below = format!("{FEEDBACK}/{name}");
    let Some(file) = open_left(workspace, &below)? else { return Ok(None) };
    let wrong = |error: io::Error| format!("it left {below}, which cannot be read: {error}");
    if file.metadata().map_err(wrong)?.len() > most.0 {
        return Err(format!("it left {below}, which has more than {most}"));
    }
    let mut bytes = Vec::new();
    file.take(SAID_LIMIT).read_to_end(&mut bytes).map_err(wrong)?;
    Ok(Some(bytes))
}

/// Opens a file that a program left in its work directory; `None` where there is none.
pub(super) fn open_left(workspace: BorrowedFd<'_>, name: &str) -> Result<Option<File>, String> {
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
    let wrong = |problem: &str| format!("it left {name}, {problem}");
    let file = match openat2(workspace, Path::new(name), how) {
        Ok(file) => File::from(file),
        // Without a feedback directory, or in one that the checker removed, there is nothing.
        Err(Errno::ENOENT) => return Ok(None),
        Err(errno) => return Err(wrong(&format!("which cannot be opened: {}", errno.desc()))),
    };
    let metadata = file.metadata().map_err(|error| wrong(&format!("which cannot be read: {error}")))?;
    if !metadata.is_file() {
        return Err(wrong("which is not a regular file"));
    }
    Ok(Some(file))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use nix::sys::stat::Mode;

    use super::*;

    #[test]
    fn feedback_is_read_from_plain_files_alone() {
        let directory = tempfile::tempdir().unwrap();
        let workspace = File::open(directory.path()).unwrap();
        let read = |name| read_feedback_file(workspace.as_fd(), name, Bytes::mib(1));
        assert_eq!(read("score.txt"), Ok(None));
        let feedback = directory.path().join(FEEDBACK);
        std::fs::create_dir(&feedback).unwrap();
        assert_eq!(read("score.txt"), Ok(None));
        std::fs::write(feedback.join("score.txt"), "1\n").unwrap();
        assert_eq!(read("score.txt"), Ok(Some(b"1\n".to_vec())));
        symlink("/etc/passwd", feedback.join("link")).unwrap();
        symlink("score.txt", feedback.join("near")).unwrap();
        nix::unistd::mkfifo(&feedback.join("fifo"), Mode::S_IRWXU).unwrap();
        std::fs::create_dir(feedback.join("folder")).unwrap();
        for name in ["link", "near", "fifo", "folder"] {
            let problem = read(name).unwrap_err();
            assert!(problem.starts_with(&format!("it left feedback/{name}, which ")), "{problem}");
        }
        std::fs::remove_dir_all(&feedback).unwrap();
        symlink("/etc", &feedback).unwrap();
        assert!(read("passwd").is_err());
        std::fs::write(directory.path().join("large"), vec![b'x'; 1 << 20]).unwrap();
        std::fs::remove_file(&feedback).unwrap();
        std::fs::create_dir(&feedback).unwrap();
        std::fs::rename(directory.path().join("large"), feedback.join("large")).unwrap();
        assert_eq!(read("large").unwrap().unwrap().len() as u64, SAID_LIMIT);
        let larger = File::options().write(true).open(feedback.join("large")).unwrap();
        larger.set_len((1 << 20) + 1).unwrap();
        assert!(read("large").unwrap_err().ends_with("which has more than 1MiB"));
    }
}
