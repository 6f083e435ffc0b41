//! Runs the generators and solutions of a package for the tests that lack an input or an answer.
//!
//! All inputs come first, each run of a generator in a box of its own and shared by the tests that ask for the same; then
//! the answers. Runs use all slots of this process. A program that fails is named with the place in the package that asks
//! for it, and ends the whole: a test is never left out.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::check::{OUTPUT, Said, exit_code};
use super::exec::{Finished, Group, GroupFinished, GroupMember, Keep, read_all};
use super::fault::Fault;
use super::files::open_regular;
use super::generation_budget::Budget;
use super::made::{answer_path, broken, input_path, no_test};
use super::slots::lock;
use super::tool::{Tool, Workshop};
use super::work_directory::{Output, is_plain, take};
use super::{Judge, artifacts};
use crate::cancel::CancelToken;
use crate::package::{
    Interaction, JuryProgram, MadeAnswer, MadeData, MadeInput, MadeTest, Package, ProgramFile, ProgramLimits,
    Written,
};
use crate::sandbox::{BoxHandle, Capture, Exit, PACKAGE, PROGRAM, Stopped, WORKSPACE};
use crate::units::Bytes;

/// Time between two lines of the log about how far it is.
const PROGRESS: Duration = Duration::from_secs(5);
/// Bytes of settings that a generator writes for a test.
const LONGEST_SETTINGS: Bytes = Bytes::mib(1);
/// Bytes of a program's last line in a message.
const QUOTED: usize = 200;

/// The programs that make answers.
struct Makers {
    solutions: Vec<Tool>,
    /// Where answers are what it writes.
    interactor: Option<Tool>,
}

impl Makers {
    fn solution(&self, number: usize) -> Result<&Tool, Fault> {
        let missing = || Fault::Package("there is no solution that makes answers".to_owned());
        self.solutions.get(number).ok_or_else(missing)
    }
}

/// Everything that is needed to make the tests.
struct Generation<'a> {
    judge: &'a Judge,
    package: &'a Package,
    data: &'a MadeData,
    /// Where the files go.
    directory: &'a Path,
    cancel: &'a CancelToken,
    budget: Budget,
}

/// Makes every file that the tests lack, in `directory`.
///
/// # Errors
/// When a program cannot be made or fails, or this host does.
pub(super) fn generate(
    judge: &Judge,
    package: &Package,
    data: &MadeData,
    directory: &Path,
    cancel: &CancelToken,
) -> Result<(), Fault> {
    let generation = Generation { judge, package, data, directory, cancel, budget: Budget::default() };
    let beside = size_of(data.data.iter().map(|file| file.path.as_path()))?;
    let generators = generation.tools("generator", &data.generators, data.generator_limits, beside)?;
    let runs = shared_runs(data);
    generation.in_parallel("inputs", runs.len(), |run| {
        runs.get(run).map_or(Ok(()), |tests| generation.inputs(tests, &generators))
    })?;
    let answers: Vec<_> = data.tests.iter().enumerate().filter(|(_, made)| made.answer.is_some()).collect();
    // Where a solution reads its input from a file, that lies in its work directory.
    let handed = match package.streams.input_file {
        Some(_) => generation.largest_input()?,
        None => Bytes(0),
    };
    let makers = Makers {
        solutions: generation.tools("solution", &data.solutions, data.solution_limits, handed)?,
        interactor: generation.interactor()?,
    };
    generation.in_parallel("answers", answers.len(), |place| {
        let Some((place, made)) = answers.get(place) else { return Ok(()) };
        let input = generation.input_of(*place, made)?;
        let answer = made.answer.as_ref().unwrap_or(&MadeAnswer::Empty);
        generation.answer(*place, answer, &input, &makers).map_err(|fault| generation.about(made, "", fault))
    })
}

/// Places of tests in groups that one run of a generator serves.
fn shared_runs(data: &MadeData) -> Vec<Vec<usize>> {
    let mut runs: Vec<(&MadeInput, Vec<usize>)> = Vec::new();
    let mut known: std::collections::HashMap<(usize, &[String]), Vec<usize>> =
        std::collections::HashMap::new();
    for (place, made) in data.tests.iter().enumerate() {
        let Some(input) = &made.input else { continue };
        let candidates = known.entry((input.generator, &input.arguments)).or_default();
        let same = candidates.iter().copied().find(|run| {
            runs.get(*run).is_some_and(|(first, _)| first.stdin == input.stdin && first.seeds == input.seeds)
        });
        match same.and_then(|run| runs.get_mut(run)) {
            Some((_, tests)) => tests.push(place),
            None => {
                candidates.push(runs.len());
                runs.push((input, vec![place]));
            }
        }
    }
    runs.into_iter().map(|(_, tests)| tests).collect()
}

fn size_of<'p>(paths: impl Iterator<Item = &'p Path>) -> Result<Bytes, Fault> {
    let mut bytes = 0_u64;
    for path in paths {
        bytes = bytes.saturating_add(path.metadata().map_err(|error| broken(path, &error))?.len());
    }
    Ok(Bytes(bytes))
}

impl Generation<'_> {
    fn tools(
        &self,
        role: &str,
        programs: &[JuryProgram],
        limits: ProgramLimits,
        handed: Bytes,
    ) -> Result<Vec<Tool>, Fault> {
        let workshop = Workshop { judge: self.judge, cancel: self.cancel, handed };
        programs.iter().map(|program| workshop.make(role, program, limits)).collect()
    }

    /// The package's interactor, where answers are what it writes.
    fn interactor(&self) -> Result<Option<Tool>, Fault> {
        let writes = |made: &MadeTest| matches!(made.answer, Some(MadeAnswer::Interactor(_)));
        let Interaction::Interactive(interactor) = &self.package.interaction else { return Ok(None) };
        if !self.data.tests.iter().any(writes) {
            return Ok(None);
        }
        let workshop = Workshop { judge: self.judge, cancel: self.cancel, handed: self.largest_input()? };
        workshop.make("interactor", &interactor.program, interactor.limits).map(Some)
    }

    /// Does so many pieces of work on all slots, until one fails.
    fn in_parallel(
        &self,
        what: &str,
        count: usize,
        work: impl Fn(usize) -> Result<(), Fault> + Sync,
    ) -> Result<(), Fault> {
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (failed, told) = (Mutex::new(None), Mutex::new(Instant::now()));
        let work = || {
            loop {
                let piece = next.fetch_add(1, Ordering::Relaxed);
                if piece >= count || lock(&failed).is_some() {
                    return;
                }
                if let Err(fault) = work(piece) {
                    lock(&failed).get_or_insert(fault);
                }
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                let mut told = lock(&told);
                if told.elapsed() >= PROGRESS {
                    *told = Instant::now();
                    tracing::info!(problem = %self.package.name, done, of = count, "generating {what}");
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.judge.slots().min(count) {
                // Fewer threads only take longer.
                let _ = std::thread::Builder::new().name("making".to_owned()).spawn_scoped(scope, work);
            }
            work();
        });
        match failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }

    /// The input of a test: made, or the package's own.
    fn input_of(&self, place: usize, made: &MadeTest) -> Result<PathBuf, Fault> {
        if made.input.is_some() {
            return Ok(input_path(self.directory, place));
        }
        self.package.tests.get(made.test).map(|test| test.input.clone()).ok_or_else(|| no_test(made))
    }

    fn largest_input(&self) -> Result<Bytes, Fault> {
        let mut largest = Bytes(0);
        for (place, made) in self.data.tests.iter().enumerate() {
            if matches!(&made.answer, Some(answer) if *answer != MadeAnswer::Empty) {
                let input = self.input_of(place, made)?;
                largest = largest.max(size_of(std::iter::once(input.as_path()))?);
            }
        }
        Ok(largest)
    }

    /// Runs a generator for all tests that ask for the same run.
    fn inputs(&self, tests: &[usize], generators: &[Tool]) -> Result<(), Fault> {
        let all: Vec<_> =
            tests.iter().filter_map(|place| Some((*place, self.data.tests.get(*place)?))).collect();
        let Some((_, first)) = all.first() else { return Ok(()) };
        let Some(input) = &first.input else { return Ok(()) };
        let tool = generators
            .get(input.generator)
            .ok_or_else(|| Fault::Package(format!("there is no generator {}", input.generator)))?;
        let mut failure = None;
        for attempt in 0..input.attempts() {
            match self.attempt(tool, &input.arguments_of(attempt), input, &all) {
                Ok(None) => return Ok(()),
                // Another seed helps one that gives up, and none that never ends.
                Ok(failed) => failure = failed,
                Err((made, fault)) => return Err(self.about(made.unwrap_or(first), &tool.name, fault)),
            }
        }
        failure.map_or(Ok(()), |problem| Err(self.about(first, &tool.name, Fault::Checker(problem))))
    }

    /// A run of a generator; how it failed, where it ended by itself. Errors come with the test that they
    /// are about, where it is one.
    fn attempt<'t>(
        &self,
        tool: &Tool,
        arguments: &[String],
        input: &MadeInput,
        tests: &[(usize, &'t MadeTest)],
    ) -> Result<Option<String>, (Option<&'t MadeTest>, Fault)> {
        let mut about = None;
        let errors = tests.iter().any(|(_, made)| made.answer == Some(MadeAnswer::GeneratorErrors));
        let run = Run {
            tool,
            arguments,
            stdin: input.stdin.as_deref(),
            beside: &self.beside(),
            keeps_errors: errors,
        };
        let ran = self.run(&run, |sandbox_box, stdout, stderr| {
            for (place, made) in tests {
                about = Some(*made);
                remove_old(&answer_path(self.directory, *place))?;
                self.keep_input(*place, made, tool, sandbox_box, stdout)?;
                match &made.answer {
                    Some(MadeAnswer::GeneratorErrors) => {
                        self.keep(stderr, &answer_path(self.directory, *place))?;
                    }
                    Some(MadeAnswer::GeneratorFile { file, .. }) => {
                        let path = answer_path(self.directory, *place);
                        self.keep_file(tool, file, sandbox_box, &path)?;
                    }
                    _ => {}
                }
            }
            Ok(())
        });
        ran.map_err(|fault| (about, fault))
    }

    fn beside(&self) -> Vec<(&str, &Path)> {
        self.data.data.iter().map(|ProgramFile { name, path }| (name.as_str(), path.as_path())).collect()
    }

    /// Keeps what a generator wrote as the input of a test.
    fn keep_input(
        &self,
        place: usize,
        made: &MadeTest,
        tool: &Tool,
        sandbox_box: &mut BoxHandle,
        stdout: &mut Capture,
    ) -> Result<(), Fault> {
        let path = input_path(self.directory, place);
        match made.input.as_ref().map(|input| &input.written) {
            None | Some(Written::Output) => {}
            Some(Written::File(names)) => {
                for name in names {
                    if self.keep_file(tool, name, sandbox_box, &path)? {
                        return Ok(());
                    }
                }
                let name = names.first().map_or("", String::as_str);
                return Err(Fault::Checker(format!("it wrote no file '{}'", name.escape_debug())));
            }
            Some(Written::FileOrOutput { file, refused }) => {
                if let Some((name, word)) = refused {
                    let taken = take(sandbox_box.workspace(), name, LONGEST_SETTINGS, &self.judge.spill)?;
                    let is_read = match taken.output {
                        Output::Missing(_) => false,
                        Output::TooLarge => true,
                        Output::Written(mut content) => {
                            let text = read_all(&mut content, &self.judge.spill)?;
                            memchr::memmem::find(&text, word.as_bytes()).is_some()
                        }
                    };
                    if is_read {
                        let problem = format!("it wrote '{name}' with '{word}' in it, which is not read");
                        return Err(Fault::Checker(problem));
                    }
                }
                if self.keep_file(tool, file, sandbox_box, &path)? {
                    return Ok(());
                }
            }
        }
        self.keep(stdout, &path)
    }

    /// Keeps a file of the work directory; whether there is one.
    fn keep_file(
        &self,
        tool: &Tool,
        name: &str,
        sandbox_box: &mut BoxHandle,
        path: &Path,
    ) -> Result<bool, Fault> {
        if !is_plain(name) {
            return Err(Fault::Package(format!("'{}' is not the name of a file", name.escape_debug())));
        }
        let limit = tool.limits.output.unwrap_or(Bytes(u64::MAX));
        match take(sandbox_box.workspace(), name, limit, &self.judge.spill)?.output {
            Output::Written(mut content) => self.keep(&mut content, path).map(|()| true),
            Output::TooLarge => Err(Fault::Checker(format!("its file '{name}' has more than {limit}"))),
            Output::Missing(_) => Ok(false),
        }
    }

    /// Makes the answer of a test.
    fn answer(&self, place: usize, answer: &MadeAnswer, input: &Path, makers: &Makers) -> Result<(), Fault> {
        let path = answer_path(self.directory, place);
        match answer {
            MadeAnswer::GeneratorErrors => Ok(()),
            MadeAnswer::Empty => {
                File::create(&path).map(|_| ()).map_err(|error| Fault::file("write", &path, error))
            }
            MadeAnswer::GeneratorFile { .. } if path.exists() => Ok(()),
            MadeAnswer::GeneratorFile { file, otherwise } => match otherwise {
                Some(other) => self.answer(place, other, input, makers),
                None => Err(Fault::Package(format!(
                    "its generator wrote no '{file}', and there is no solution to make the answer"
                ))),
            },
            MadeAnswer::Solution(number) => {
                let tool = makers.solution(*number)?;
                self.solve(tool, input, &path).map_err(|fault| named(&tool.name, fault))
            }
            MadeAnswer::Interactor(number) => {
                let tool = makers.solution(*number)?;
                let interactor = makers
                    .interactor
                    .as_ref()
                    .ok_or_else(|| Fault::Package("there is no interactor that writes answers".to_owned()))?;
                self.converse(tool, interactor, input, &path)
            }
        }
    }

    /// Runs a solution on an input and keeps its output.
    fn solve(&self, tool: &Tool, input: &Path, path: &Path) -> Result<(), Fault> {
        let streams = &self.package.streams;
        let beside: Vec<_> = streams.input_file.iter().map(|name| (name.as_str(), input)).collect();
        // Also on its standard input: judges of that format define a macro by which their own programs read files.
        let run = Run { tool, arguments: &[], stdin: Some(input), beside: &beside, keeps_errors: false };
        let failed = self.run(&run, |sandbox_box, stdout, _| {
            if let Some(name) = &streams.output_file {
                if self.keep_file(tool, name, sandbox_box, path)? {
                    return Ok(());
                }
                if stdout.total() == 0 {
                    let problem = format!("it wrote neither '{name}' nor anything to its standard output");
                    return Err(Fault::Checker(problem));
                }
            }
            self.keep(stdout, path)
        })?;
        failed.map_or(Ok(()), |problem| Err(Fault::Checker(problem)))
    }

    /// Writes what was captured into a file of the draft; a first try that lost its box may have left one.
    fn keep(&self, capture: &mut Capture, path: &Path) -> Result<(), Fault> {
        self.budget.write(capture.total())?;
        let mut reader = capture.reader().map_err(|error| Fault::file("read", &self.judge.spill, error))?;
        let written = File::create(path).and_then(|mut file| {
            std::io::copy(&mut reader, &mut file)?;
            file.flush()
        });
        written.map_err(|error| Fault::file("write", path, error))
    }

    /// A failure with the place in the package that asked for what failed.
    fn about(&self, made: &MadeTest, tool: &str, fault: Fault) -> Fault {
        let test = self.package.tests.get(made.test).map_or("", |test| test.name.as_str());
        let place = match made.origin.as_str() {
            "" => format!("test {test}"),
            origin => format!("{origin}: test {test}"),
        };
        let fault = if tool.is_empty() { fault } else { named(tool, fault) };
        named(&place, fault)
    }
}

/// A failure of the package's with what it is about before it; messages that begin so already are as they are.
fn named(what: &str, fault: Fault) -> Fault {
    let with = |problem: String| match problem.starts_with(what) {
        true => problem,
        false => format!("{what}: {problem}"),
    };
    match fault {
        Fault::Checker(problem) => Fault::Checker(with(problem)),
        Fault::Package(problem) => Fault::Package(with(problem)),
        other => other,
    }
}

/// A run of a generator or a solution.
struct Run<'a> {
    tool: &'a Tool,
    arguments: &'a [String],
    stdin: Option<&'a Path>,
    /// Files in its work directory.
    beside: &'a [(&'a str, &'a Path)],
    /// Whether its standard error is kept whole.
    keeps_errors: bool,
}

impl Generation<'_> {
    /// Runs a program; `take` keeps what it wrote, while its box is there. Returns how it failed, where it ended by
    /// itself.
    fn run(
        &self,
        run: &Run<'_>,
        mut take: impl FnMut(&mut BoxHandle, &mut Capture, &mut Capture) -> Result<(), Fault>,
    ) -> Result<Option<String>, Fault> {
        let (judge, tool) = (self.judge, run.tool);
        judge.in_box(&tool.shape, &[self.cancel], |sandbox_box| {
            sandbox_box.attach(PROGRAM, tool.directory())?;
            // Another package's checker may have used this box.
            sandbox_box.detach(PACKAGE)?;
            lay_out(sandbox_box, run.beside)?;
            let open = |path| open_regular(path).map_err(|error| broken(path, &error));
            let input = run.stdin.map(open).transpose()?;
            let mut argv = tool.argv.clone();
            argv.extend_from_slice(run.arguments);
            let mut command = tool.exec(&argv, input.as_ref().map(File::as_fd), Keep::All);
            if run.keeps_errors {
                command.stderr = Keep::All;
            }
            let Finished { outcome, mut stdout, mut stderr, .. } =
                command.run(judge, sandbox_box, &[self.cancel])?;
            self.budget.run(outcome.cpu, outcome.wall)?;
            let head = if run.keeps_errors { Vec::new() } else { read_all(&mut stderr, &judge.spill)? };
            let said = Said { outcome, stdout: Vec::new(), stderr: head };
            match failure(tool, &said)? {
                None => take(sandbox_box, &mut stdout, &mut stderr).map(|()| None),
                failed => Ok(failed),
            }
        })
    }
}

/// Place of the solution among the two that talk.
const SOLUTION: usize = 0;
/// The input in the interactor's work directory.
const INPUT: &str = "input";

impl Generation<'_> {
    /// Lets a solution talk with the interactor and keeps what the interactor writes, as Polygon's scripts do.
    fn converse(&self, solution: &Tool, interactor: &Tool, input: &Path, path: &Path) -> Result<(), Fault> {
        let judge = self.judge;
        judge.in_boxes(&[&solution.shape, &interactor.shape], &[self.cancel], |boxes| {
            let [solution_box, interactor_box] = boxes else {
                return Err(Fault::Panic("a dialogue has two boxes".to_owned()));
            };
            for (tool, sandbox_box) in [(solution, &mut *solution_box), (interactor, &mut *interactor_box)] {
                sandbox_box.attach(PROGRAM, tool.directory())?;
                sandbox_box.detach(PACKAGE)?;
            }
            solution_box.fresh_workspace()?;
            lay_out(interactor_box, &[(INPUT, input)])?;
            let paths = [INPUT, OUTPUT].map(|name| format!("{WORKSPACE}/{name}"));
            let argv: Vec<String> = interactor.argv.iter().cloned().chain(paths).collect();
            let group = Group {
                members: vec![
                    GroupMember {
                        sandbox_box: solution_box,
                        exec: solution.exec(&solution.argv, None, Keep::Discard),
                        serves: false,
                    },
                    GroupMember {
                        sandbox_box: &mut *interactor_box,
                        exec: interactor.exec(&argv, None, Keep::Discard),
                        serves: true,
                    },
                ],
                joined: true,
                on_words: &mut |_, _| {},
                on_end: &mut |place, ending| place != SOLUTION && ending.outcome.exit != Exit::Code(0),
                while_waiting: &mut || {},
            };
            let mut finished = group.run(judge, &[self.cancel])?;
            // The interactor first: a solution that it leaves early ends badly, too.
            for tool in [interactor, solution] {
                let Some(GroupFinished { ran, .. }) = finished.pop() else {
                    return Err(Fault::Panic("a dialogue has two endings".to_owned()));
                };
                let said = Said::of(ran, &judge.spill)?;
                self.budget.run(said.outcome.cpu, said.outcome.wall)?;
                if let Some(problem) = failure(tool, &said)? {
                    return Err(Fault::Checker(problem));
                }
            }
            match self.keep_file(interactor, OUTPUT, interactor_box, path)? {
                true => Ok(()),
                // One that writes nothing has nothing to tell the checker.
                false => File::create(path).map(|_| ()).map_err(|error| Fault::file("write", path, error)),
            }
        })
    }
}

/// How a program failed that ended by itself, with another code than 0 or by a signal of its own: `assert` in C++ aborts.
///
/// # Errors
/// When a limit, something outside or a cancellation ended it.
fn failure(tool: &Tool, said: &Said) -> Result<Option<String>, Fault> {
    match exit_code(tool, said) {
        Ok(0) => Ok(None),
        Err(Fault::Checker(problem)) if ended_by_itself(said.outcome.exit, &said.outcome.stopped) => {
            Ok(Some(problem))
        }
        Err(fault) => Err(fault),
        Ok(code) => {
            let text = String::from_utf8_lossy(&said.stderr);
            let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
            let last: String =
                last.unwrap_or_default().chars().take(QUOTED).flat_map(char::escape_debug).collect();
            Ok(Some(format!("{}: it exited with code {code}: {last}", tool.name)))
        }
    }
}

/// Puts files into an empty work directory.
fn lay_out(sandbox_box: &mut BoxHandle, files: &[(&str, &Path)]) -> Result<(), Fault> {
    let workspace = sandbox_box.fresh_workspace()?;
    let mut folders = std::collections::BTreeSet::new();
    for (name, path) in files {
        if !is_plain(name) {
            return Err(Fault::Package(format!("'{}' is not the name of a file", name.escape_debug())));
        }
        for (end, _) in name.match_indices('/') {
            let folder = name.get(..end).unwrap_or_default();
            if folders.insert(folder) {
                artifacts::make_directory(workspace, folder)?;
            }
        }
        let mut file = open_regular(path).map_err(|error| broken(path, &error))?;
        artifacts::write_new(workspace, name, 0o666, &mut file)?;
    }
    Ok(())
}

/// Whether no limit ended a program.
fn ended_by_itself(exit: Exit, stopped: &[Stopped]) -> bool {
    stopped.is_empty() && matches!(exit, Exit::Code(_) | Exit::Signal(_))
}

/// Removes what an earlier attempt may have left: a file that the next one does not write would be taken for its own.
fn remove_old(path: &Path) -> Result<(), Fault> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Fault::file("remove", path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_a_limit_ended_gets_no_second_attempt() {
        for exit in [Exit::Code(1), Exit::Signal(6), Exit::Signal(9)] {
            assert!(ended_by_itself(exit, &[]));
            for stopped in [Stopped::Cpu, Stopped::Wall, Stopped::Memory, Stopped::Output] {
                assert!(!ended_by_itself(exit, &[stopped]));
            }
        }
    }

    #[test]
    fn an_answer_of_an_earlier_attempt_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = answer_path(directory.path(), 0);
        std::fs::write(&path, "of another input").unwrap();
        remove_old(&path).unwrap();
        assert!(!path.exists());
        remove_old(&path).unwrap();
    }
}
