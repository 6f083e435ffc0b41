//! Runs a package's checker on one output.
//!
//! The checker sees the package read-only at `/package`, the output on its standard input or as a file, and an empty
//! feedback directory. It runs once; when its box is lost, it runs once more with a new feedback directory. An end that its
//! protocol does not define is a judging error that names the checker.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

use crate::cancel::CancelToken;
use crate::checker::{CheckerPaths, CustomScore, Feedback, Finished, Opinion, Protocol, Used};
use crate::judge::compile::artifacts;
use crate::judge::engine::Engine;
use crate::judge::exec::Keep;
use crate::judge::fault::Fault;
use crate::judge::files::{Inputs, open_regular};
use crate::judge::jury::builder::ProgramBuilder;
use crate::judge::jury::program::{BuiltProgram, KEPT_OUTPUT, RunOutput};
use crate::package::{Check, CheckerProgram, Package, Test};
use crate::sandbox::{BoxHandle, Capture, Exit, PACKAGE, PROGRAM, WORKSPACE};
use crate::units::Bytes;

/// Name of the output in the checker's work directory.
pub(crate) const OUTPUT: &str = "output";
/// Name of the submission's source in the checker's work directory, for checkers that ask for it.
pub(crate) const SUBMISSION: &str = "submission";
/// Name of the feedback directory in the checker's work directory.
pub(crate) const FEEDBACK: &str = "feedback";

/// The checkers that the tests need, built.
#[derive(Debug, Default)]
pub(crate) struct Checkers<'a> {
    /// By index in the package; `None` where no test needs the checker.
    jury_programs: Vec<Option<(BuiltProgram, &'a CheckerProgram)>>,
}

impl<'a> Checkers<'a> {
    /// Builds the checkers that the tests need.
    ///
    /// # Errors
    /// When one cannot be built.
    pub(crate) fn build(
        engine: &Engine,
        package: &'a Package,
        tests: &[&Test],
        output_limit: Bytes,
        cancel: &CancelToken,
    ) -> Result<Self, Fault> {
        let builder = ProgramBuilder { engine, cancel, handed: output_limit };
        let mut jury_programs = Vec::new();
        for (place, checker) in package.checkers.iter().enumerate() {
            let needs =
                |test: &&Test| matches!(test.check, Check::Program { checker, .. } if checker == place);
            jury_programs.push(if tests.iter().any(needs) {
                Some((builder.build("checker", &checker.program, checker.limits)?, checker))
            } else {
                None
            });
        }
        Ok(Self { jury_programs })
    }

    /// Returns the checker with that index.
    ///
    /// # Errors
    /// When the package has none.
    pub(crate) fn get(&self, place: usize) -> Result<(&BuiltProgram, &'a CheckerProgram), Fault> {
        match self.jury_programs.get(place) {
            Some(Some((jury_program, checker))) => Ok((jury_program, checker)),
            _ => Err(Fault::Package(format!("it names checker {place}, which the package does not have"))),
        }
    }
}

/// A test whose output is checked, and the package's arguments for the checker.
#[derive(Clone, Copy)]
pub(crate) struct Checked<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) inputs: &'a Inputs,
    pub(crate) test: &'a Test,
    pub(crate) arguments: &'a [String],
    pub(crate) origin: OutputOrigin<'a>,
}

/// The submission and the run that wrote an output.
#[derive(Clone, Copy, Default)]
pub(crate) struct OutputOrigin<'a> {
    /// The submission's source.
    pub(crate) source: &'a [u8],
    /// Id of the submission's language; empty where it has none.
    pub(crate) language: &'a str,
    /// Resources that the run used.
    pub(crate) used: Used,
}

/// Runs a checker on an output and returns its opinion.
///
/// # Errors
/// [`Fault::Checker`] when its end or its output has no meaning in its protocol.
pub(crate) fn ask(
    checked: &Checked<'_>,
    jury_program: &BuiltProgram,
    checker: &CheckerProgram,
    output: &mut Capture,
    cancel: &[&CancelToken],
) -> Result<Opinion, Fault> {
    let engine = checked.engine;
    engine.preload(&checked.test.answer);
    engine.in_box(&jury_program.shape, cancel, |sandbox_box| {
        let files = show_files(checked.inputs, checked.test, sandbox_box)?;
        if checker.protocol.has_feedback_directory() {
            artifacts::make_directory(sandbox_box.workspace(), FEEDBACK)?;
        }
        let (opinion, _) = ask_in_box(checked, jury_program, checker, &files, output, sandbox_box, cancel)?;
        Ok(opinion)
    })
}

/// Runs a checker as [`ask`] does, in a box that has its files at these paths and its feedback directory. Also returns
/// whether it asks for another pass.
///
/// # Errors
/// As [`ask`].
pub(crate) fn ask_in_box(
    checked: &Checked<'_>,
    jury_program: &BuiltProgram,
    checker: &CheckerProgram,
    files: &[String; 2],
    output: &mut Capture,
    sandbox_box: &mut BoxHandle,
    cancel: &[&CancelToken],
) -> Result<(Opinion, bool), Fault> {
    sandbox_box.attach(PROGRAM, jury_program.directory())?;
    let began = Instant::now();
    let said = run(checked, jury_program, checker, files, output, sandbox_box, cancel)?;
    if said.outcome.exit == Exit::Signal(libc::SIGKILL) && said.outcome.stopped.is_empty() {
        checked.engine.host_memory.has_spared_what_began(began)?;
    }
    let code = jury_program.exit_code(&said)?;
    let feedback =
        read_feedback(sandbox_box.workspace(), jury_program.limits.output.unwrap_or(Bytes(u64::MAX)))
            .map_err(|problem| Fault::Checker(format!("{}: {problem}", jury_program.name)))?;
    let finished = Finished { code, stdout: &said.stdout, stderr: &said.stderr, feedback: &feedback };
    let scores = checked.test.custom_score.unwrap_or(checker.scores);
    let opinion = interpret(jury_program, checker.protocol, &finished, scores)?;
    Ok((opinion, feedback.next_pass))
}

/// Runs the checker.
fn run(
    checked: &Checked<'_>,
    jury_program: &BuiltProgram,
    checker: &CheckerProgram,
    [input, answer]: &[String; 2],
    output: &mut Capture,
    sandbox_box: &mut BoxHandle,
    cancel: &[&CancelToken],
) -> Result<RunOutput, Fault> {
    let engine = checked.engine;
    let output_path = format!("{WORKSPACE}/{OUTPUT}");
    let submission_path = format!("{WORKSPACE}/{SUBMISSION}");
    if checker.call.iter().flatten().any(|word| word == "{submission}") {
        artifacts::write_new(sandbox_box.workspace(), SUBMISSION, 0o644, &mut &*checked.origin.source)?;
    }
    let paths = CheckerPaths {
        input,
        output: &output_path,
        answer,
        feedback: &format!("{WORKSPACE}/{FEEDBACK}/"),
        used: checked.origin.used,
        submission: &submission_path,
        language: checked.origin.language,
    };
    let unreadable = |error: io::Error| Fault::file("read the output of", &checked.test.input, error);
    let stdin = if checker.protocol.reads_output_from_stdin() {
        Some(output.open().map_err(unreadable)?)
    } else {
        let mut reader = output.reader().map_err(unreadable)?;
        artifacts::write_new(sandbox_box.workspace(), OUTPUT, 0o644, &mut *reader)?;
        None
    };
    let mut argv = jury_program.argv.clone();
    match &checker.call {
        None => argv.extend(checker.protocol.arguments(&paths)),
        Some(call) => argv.extend(paths.put_into(call)),
    }
    argv.extend_from_slice(checked.arguments);
    let command = jury_program.exec(&argv, stdin.as_ref().map(File::as_fd), Keep::First(KEPT_OUTPUT));
    RunOutput::read(command.run(engine, sandbox_box, cancel)?, &engine.spill)
}

/// Shows input and answer in a box and returns their paths: in the package or, for files that the box's user may not read
/// there, copies in the work directory.
///
/// # Errors
/// When they cannot be read.
pub(crate) fn show_files(
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
        // A checker of another package may have used this box.
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

/// Interprets the end of a checker by its protocol. The exit code of a runtime after an uncaught error is refused where the
/// checker's last line is the runtime's: some protocols read that code as a rejection. A checker may write such a line
/// itself (Perl's `warn` does); so the protocol decides on codes that the runtime does not use.
///
/// # Errors
/// When the protocol does not define the end, or the last line and the exit code are those of a crashed runtime.
pub(crate) fn interpret(
    jury_program: &BuiltProgram,
    protocol: Protocol,
    finished: &Finished<'_>,
    scores: CustomScore,
) -> Result<Opinion, Fault> {
    let code = finished.code;
    let opinion = protocol.interpret(finished, scores);
    let decides = code == 0 || protocol.has_codes_of_its_own() || !jury_program.may_crash_with(code);
    if opinion.is_err() || !decides {
        let text = String::from_utf8_lossy(finished.stderr);
        if let Some(words) =
            jury_program.crash_line(&text).filter(|_| code != 0 && !protocol.has_codes_of_its_own())
        {
            let words: String = words.trim().chars().take(200).flat_map(char::escape_debug).collect();
            return Err(Fault::Checker(format!(
                "{}: it crashed (exit code {code}): {words}",
                jury_program.name
            )));
        }
    }
    opinion.map_err(|broken| Fault::Checker(format!("{}: {broken}", jury_program.name)))
}

/// Reads the files of the feedback directory that have a meaning. A program of others made them: no link is followed and
/// no FIFO is waited for.
///
/// # Errors
/// When one is not a plain file or is larger than `most`.
pub(crate) fn read_feedback(workspace: BorrowedFd<'_>, most: Bytes) -> Result<Feedback, String> {
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
    file.take(KEPT_OUTPUT).read_to_end(&mut bytes).map_err(wrong)?;
    Ok(Some(bytes))
}

/// Opens a file that a program left in its work directory; returns `None` where there is none.
///
/// # Errors
/// When it is not a plain file or cannot be opened.
pub(crate) fn open_left(workspace: BorrowedFd<'_>, name: &str) -> Result<Option<File>, String> {
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
        assert_eq!(read("large").unwrap().unwrap().len() as u64, KEPT_OUTPUT);
        let larger = File::options().write(true).open(feedback.join("large")).unwrap();
        larger.set_len((1 << 20) + 1).unwrap();
        assert!(read("large").unwrap_err().ends_with("which has more than 1MiB"));
    }
}
