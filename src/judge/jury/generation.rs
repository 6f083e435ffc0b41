//! Runs a package's generators and solutions for the tests that lack an input or an answer.
//!
//! Inputs come first: each run of a generator has a box of its own and serves all tests that ask for the same run. Answers
//! follow. Runs use all slots of this process. A program that fails ends the generation, and the error names the place in
//! the package that asks for it: no test is left out.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::cancel::CancelToken;
use crate::judge::compile::artifacts;
use crate::judge::engine::Engine;
use crate::judge::exec::{Dialogue, Finished, Keep, read_all};
use crate::judge::fault::Fault;
use crate::judge::files::open_regular;
use crate::judge::jury::builder::ProgramBuilder;
use crate::judge::jury::generation_budget::Budget;
use crate::judge::jury::program::{BuiltProgram, RunOutput};
use crate::judge::test::check::OUTPUT;
use crate::judge::test::work_directory::{Output, is_plain, take};
use crate::package::{
    GeneratedAnswer, GeneratedData, GeneratedInput, GeneratedTest, GeneratorOutput, Interaction, JuryProgram,
    Package, ProgramFile, ProgramLimits,
};
use crate::sandbox::{BoxHandle, Capture, Exit, PACKAGE, PROGRAM, Stopped, WORKSPACE};
use crate::units::Bytes;

/// Time between two log lines about the progress.
const PROGRESS: Duration = Duration::from_secs(5);
/// Bytes of settings that a generator writes for a test.
const LONGEST_SETTINGS: Bytes = Bytes::mib(1);

/// The programs that write answers.
struct Makers {
    solutions: Vec<BuiltProgram>,
    /// Set where the interactor writes answers.
    interactor: Option<BuiltProgram>,
}

impl Makers {
    fn solution(&self, number: usize) -> Result<&BuiltProgram, Fault> {
        let missing = || Fault::Package("there is no solution that makes answers".to_owned());
        self.solutions.get(number).ok_or_else(missing)
    }
}

/// Everything a generation needs.
struct Generation<'a> {
    engine: &'a Engine,
    package: &'a Package,
    data: &'a GeneratedData,
    /// Directory of the generated files.
    directory: &'a Path,
    cancel: &'a CancelToken,
    budget: Budget,
}

/// Generates every file that the tests lack, in `directory`.
///
/// # Errors
/// When a program cannot be made or fails, or this host does.
pub(crate) fn generate(
    engine: &Engine,
    package: &Package,
    data: &GeneratedData,
    directory: &Path,
    cancel: &CancelToken,
) -> Result<(), Fault> {
    let generation = Generation { engine, package, data, directory, cancel, budget: Budget::default() };
    let beside = size_of(data.data.iter().map(|file| file.path.as_path()))?;
    let generators =
        generation.jury_programs("generator", &data.generators, data.generator_limits, beside)?;
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
        solutions: generation.jury_programs("solution", &data.solutions, data.solution_limits, handed)?,
        interactor: generation.interactor()?,
    };
    generation.in_parallel("answers", answers.len(), |place| {
        let Some((place, made)) = answers.get(place) else { return Ok(()) };
        let input = generation.input_of(*place, made)?;
        let answer = made.answer.as_ref().unwrap_or(&GeneratedAnswer::Empty);
        generation.answer(*place, answer, &input, &makers).map_err(|fault| generation.about(made, "", fault))
    })
}

/// Groups the tests, by index, that one run of a generator serves.
fn shared_runs(data: &GeneratedData) -> Vec<Vec<usize>> {
    let mut runs: Vec<(&GeneratedInput, Vec<usize>)> = Vec::new();
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
        bytes = bytes.saturating_add(path.metadata().map_err(|error| unreadable(path, &error))?.len());
    }
    Ok(Bytes(bytes))
}

impl Generation<'_> {
    fn jury_programs(
        &self,
        role: &str,
        programs: &[JuryProgram],
        limits: ProgramLimits,
        handed: Bytes,
    ) -> Result<Vec<BuiltProgram>, Fault> {
        let builder = ProgramBuilder { engine: self.engine, cancel: self.cancel, handed };
        programs.iter().map(|program| builder.build(role, program, limits)).collect()
    }

    /// Builds the package's interactor, where it writes answers.
    fn interactor(&self) -> Result<Option<BuiltProgram>, Fault> {
        let writes = |made: &GeneratedTest| matches!(made.answer, Some(GeneratedAnswer::Interactor(_)));
        let Interaction::Interactive(interactor) = &self.package.interaction else { return Ok(None) };
        if !self.data.tests.iter().any(writes) {
            return Ok(None);
        }
        let builder =
            ProgramBuilder { engine: self.engine, cancel: self.cancel, handed: self.largest_input()? };
        builder.build("interactor", &interactor.program, interactor.limits).map(Some)
    }

    /// Runs `count` pieces of work on all slots, until one fails.
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
                if piece >= count || failed.lock().is_some() {
                    return;
                }
                if let Err(fault) = work(piece) {
                    failed.lock().get_or_insert(fault);
                }
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                let mut told = told.lock();
                if told.elapsed() >= PROGRESS {
                    *told = Instant::now();
                    tracing::info!(problem = %self.package.name, done, of = count, "generating {what}");
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.engine.slots.count().min(count) {
                // Fewer threads only take longer.
                let _ = std::thread::Builder::new().name("making".to_owned()).spawn_scoped(scope, work);
            }
            work();
        });
        match failed.into_inner() {
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }

    /// Returns the input of a test: generated, or the package's own.
    fn input_of(&self, place: usize, made: &GeneratedTest) -> Result<PathBuf, Fault> {
        if made.input.is_some() {
            return Ok(input_path(self.directory, place));
        }
        self.package.tests.get(made.test).map(|test| test.input.clone()).ok_or_else(|| no_test(made))
    }

    fn largest_input(&self) -> Result<Bytes, Fault> {
        let mut largest = Bytes(0);
        for (place, made) in self.data.tests.iter().enumerate() {
            if matches!(&made.answer, Some(answer) if *answer != GeneratedAnswer::Empty) {
                let input = self.input_of(place, made)?;
                largest = largest.max(size_of(std::iter::once(input.as_path()))?);
            }
        }
        Ok(largest)
    }

    /// Runs a generator for all tests that ask for the same run.
    fn inputs(&self, tests: &[usize], generators: &[BuiltProgram]) -> Result<(), Fault> {
        let all: Vec<_> =
            tests.iter().filter_map(|place| Some((*place, self.data.tests.get(*place)?))).collect();
        let Some((_, first)) = all.first() else { return Ok(()) };
        let Some(input) = &first.input else { return Ok(()) };
        let jury_program = generators
            .get(input.generator)
            .ok_or_else(|| Fault::Package(format!("there is no generator {}", input.generator)))?;
        let mut failure = None;
        for attempt in 0..input.attempts() {
            match self.attempt(jury_program, &input.arguments_of(attempt), input, &all) {
                Ok(None) => return Ok(()),
                // Another seed helps one that gives up, and none that never ends.
                Ok(failed) => failure = failed,
                Err((made, fault)) => {
                    return Err(self.about(made.unwrap_or(first), &jury_program.name, fault));
                }
            }
        }
        failure.map_or(Ok(()), |problem| Err(self.about(first, &jury_program.name, Fault::Checker(problem))))
    }

    /// Runs a generator once; returns how it failed where it ended by itself. Errors come with the test that they concern,
    /// if any.
    fn attempt<'t>(
        &self,
        jury_program: &BuiltProgram,
        arguments: &[String],
        input: &GeneratedInput,
        tests: &[(usize, &'t GeneratedTest)],
    ) -> Result<Option<String>, (Option<&'t GeneratedTest>, Fault)> {
        let mut about = None;
        let errors = tests.iter().any(|(_, made)| made.answer == Some(GeneratedAnswer::GeneratorErrors));
        let run = Run {
            jury_program,
            arguments,
            stdin: input.stdin.as_deref(),
            beside: &self.beside(),
            keeps_errors: errors,
        };
        let ran = self.run(&run, |sandbox_box, stdout, stderr| {
            for (place, made) in tests {
                about = Some(*made);
                remove_old(&answer_path(self.directory, *place))?;
                self.keep_input(*place, made, jury_program, sandbox_box, stdout)?;
                match &made.answer {
                    Some(GeneratedAnswer::GeneratorErrors) => {
                        self.keep(stderr, &answer_path(self.directory, *place))?;
                    }
                    Some(GeneratedAnswer::GeneratorFile { file, .. }) => {
                        let path = answer_path(self.directory, *place);
                        self.keep_file(jury_program, file, sandbox_box, &path)?;
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

    /// Stores the output of a generator as the input of a test.
    fn keep_input(
        &self,
        place: usize,
        made: &GeneratedTest,
        jury_program: &BuiltProgram,
        sandbox_box: &mut BoxHandle,
        stdout: &mut Capture,
    ) -> Result<(), Fault> {
        let path = input_path(self.directory, place);
        match made.input.as_ref().map(|input| &input.written) {
            None | Some(GeneratorOutput::Output) => {}
            Some(GeneratorOutput::File(names)) => {
                for name in names {
                    if self.keep_file(jury_program, name, sandbox_box, &path)? {
                        return Ok(());
                    }
                }
                let name = names.first().map_or("", String::as_str);
                return Err(Fault::Checker(format!("it wrote no file '{}'", name.escape_debug())));
            }
            Some(GeneratorOutput::FileOrOutput { file, refused }) => {
                if let Some((name, word)) = refused {
                    let taken = take(sandbox_box.workspace(), name, LONGEST_SETTINGS, &self.engine.spill)?;
                    let is_read = match taken.output {
                        Output::Missing(_) => false,
                        Output::TooLarge => true,
                        Output::Written(mut content) => {
                            let text = read_all(&mut content, &self.engine.spill)?;
                            memchr::memmem::find(&text, word.as_bytes()).is_some()
                        }
                    };
                    if is_read {
                        let problem = format!("it wrote '{name}' with '{word}' in it, which is not read");
                        return Err(Fault::Checker(problem));
                    }
                }
                if self.keep_file(jury_program, file, sandbox_box, &path)? {
                    return Ok(());
                }
            }
        }
        self.keep(stdout, &path)
    }

    /// Stores a file of the work directory; returns whether there is one.
    fn keep_file(
        &self,
        jury_program: &BuiltProgram,
        name: &str,
        sandbox_box: &mut BoxHandle,
        path: &Path,
    ) -> Result<bool, Fault> {
        if !is_plain(name) {
            return Err(Fault::Package(format!("'{}' is not the name of a file", name.escape_debug())));
        }
        let limit = jury_program.limits.output.unwrap_or(Bytes(u64::MAX));
        match take(sandbox_box.workspace(), name, limit, &self.engine.spill)?.output {
            Output::Written(mut content) => self.keep(&mut content, path).map(|()| true),
            Output::TooLarge => Err(Fault::Checker(format!("its file '{name}' has more than {limit}"))),
            Output::Missing(_) => Ok(false),
        }
    }

    /// Generates the answer of a test.
    fn answer(
        &self,
        place: usize,
        answer: &GeneratedAnswer,
        input: &Path,
        makers: &Makers,
    ) -> Result<(), Fault> {
        let path = answer_path(self.directory, place);
        match answer {
            GeneratedAnswer::GeneratorErrors => Ok(()),
            GeneratedAnswer::Empty => {
                File::create(&path).map(|_| ()).map_err(|error| Fault::file("write", &path, error))
            }
            GeneratedAnswer::GeneratorFile { .. } if path.exists() => Ok(()),
            GeneratedAnswer::GeneratorFile { file, otherwise } => match otherwise {
                Some(other) => self.answer(place, other, input, makers),
                None => Err(Fault::Package(format!(
                    "its generator wrote no '{file}', and there is no solution to make the answer"
                ))),
            },
            GeneratedAnswer::Solution(number) => {
                let jury_program = makers.solution(*number)?;
                self.solve(jury_program, input, &path).map_err(|fault| named(&jury_program.name, fault))
            }
            GeneratedAnswer::Interactor(number) => {
                let jury_program = makers.solution(*number)?;
                let interactor = makers
                    .interactor
                    .as_ref()
                    .ok_or_else(|| Fault::Package("there is no interactor that writes answers".to_owned()))?;
                self.converse(jury_program, interactor, input, &path)
            }
        }
    }

    /// Runs a solution on an input and stores its output.
    fn solve(&self, jury_program: &BuiltProgram, input: &Path, path: &Path) -> Result<(), Fault> {
        let streams = &self.package.streams;
        let beside: Vec<_> = streams.input_file.iter().map(|name| (name.as_str(), input)).collect();
        // Also on its standard input: judges of that format define a macro by which their own programs read files.
        let run =
            Run { jury_program, arguments: &[], stdin: Some(input), beside: &beside, keeps_errors: false };
        let failed = self.run(&run, |sandbox_box, stdout, _| {
            if let Some(name) = &streams.output_file {
                if self.keep_file(jury_program, name, sandbox_box, path)? {
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

    /// Writes a capture into a file of the draft, replacing one of an earlier attempt.
    fn keep(&self, capture: &mut Capture, path: &Path) -> Result<(), Fault> {
        self.budget.write(capture.total())?;
        let mut reader = capture.reader().map_err(|error| Fault::file("read", &self.engine.spill, error))?;
        let written = File::create(path).and_then(|mut file| {
            std::io::copy(&mut reader, &mut file)?;
            file.flush()
        });
        written.map_err(|error| Fault::file("write", path, error))
    }

    /// Adds to a failure the place in the package that asks for the file.
    fn about(&self, made: &GeneratedTest, jury_program: &str, fault: Fault) -> Fault {
        let test = self.package.tests.get(made.test).map_or("", |test| test.name.as_str());
        let place = match made.origin.as_str() {
            "" => format!("test {test}"),
            origin => format!("{origin}: test {test}"),
        };
        let fault = if jury_program.is_empty() { fault } else { named(jury_program, fault) };
        named(&place, fault)
    }
}

/// Puts a subject before the message of a package's failure, unless the message begins with it.
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
    jury_program: &'a BuiltProgram,
    arguments: &'a [String],
    stdin: Option<&'a Path>,
    /// Files in its work directory.
    beside: &'a [(&'a str, &'a Path)],
    /// Whether its standard error is kept whole.
    keeps_errors: bool,
}

impl Generation<'_> {
    /// Runs a program; `take` stores its output while the box exists. Returns how it failed where it ended by itself.
    fn run(
        &self,
        run: &Run<'_>,
        mut take: impl FnMut(&mut BoxHandle, &mut Capture, &mut Capture) -> Result<(), Fault>,
    ) -> Result<Option<String>, Fault> {
        let (engine, jury_program) = (self.engine, run.jury_program);
        engine.in_box(&jury_program.shape, &[self.cancel], |sandbox_box| {
            sandbox_box.attach(PROGRAM, jury_program.directory())?;
            // Another package's checker may have used this box.
            sandbox_box.detach(PACKAGE)?;
            lay_out(sandbox_box, run.beside)?;
            let open = |path| open_regular(path).map_err(|error| unreadable(path, &error));
            let input = run.stdin.map(open).transpose()?;
            let mut argv = jury_program.argv.clone();
            argv.extend_from_slice(run.arguments);
            let mut command = jury_program.exec(&argv, input.as_ref().map(File::as_fd), Keep::All);
            if run.keeps_errors {
                command.stderr = Keep::All;
            }
            let Finished { outcome, mut stdout, mut stderr, .. } =
                command.run(engine, sandbox_box, &[self.cancel])?;
            self.budget.run(outcome.cpu, outcome.wall)?;
            let head = if run.keeps_errors { Vec::new() } else { read_all(&mut stderr, &engine.spill)? };
            let said = RunOutput { outcome, stdout: Vec::new(), stderr: head };
            match failure(jury_program, &said)? {
                None => take(sandbox_box, &mut stdout, &mut stderr).map(|()| None),
                failed => Ok(failed),
            }
        })
    }
}

/// The input in the interactor's work directory.
const INPUT: &str = "input";

impl Generation<'_> {
    /// Runs a solution with the interactor and stores the interactor's output file, as Polygon's scripts do.
    fn converse(
        &self,
        solution: &BuiltProgram,
        interactor: &BuiltProgram,
        input: &Path,
        path: &Path,
    ) -> Result<(), Fault> {
        let engine = self.engine;
        engine.in_boxes(&[&solution.shape, &interactor.shape], &[self.cancel], |boxes| {
            let [solution_box, interactor_box] = boxes else {
                return Err(Fault::Panic("a dialogue has two boxes".to_owned()));
            };
            for (jury_program, sandbox_box) in
                [(solution, &mut *solution_box), (interactor, &mut *interactor_box)]
            {
                sandbox_box.attach(PROGRAM, jury_program.directory())?;
                sandbox_box.detach(PACKAGE)?;
            }
            solution_box.fresh_workspace()?;
            lay_out(interactor_box, &[(INPUT, input)])?;
            let paths = [INPUT, OUTPUT].map(|name| format!("{WORKSPACE}/{name}"));
            let argv: Vec<String> = interactor.argv.iter().cloned().chain(paths).collect();
            let dialogue = Dialogue {
                program: (&mut *solution_box, solution.exec(&solution.argv, None, Keep::Discard)),
                interactor: (&mut *interactor_box, interactor.exec(&argv, None, Keep::Discard)),
                on_words: &mut |_, _| {},
                stops_program: &|interactor| interactor.exit != Exit::Code(0),
            };
            let [solved, interacted] = dialogue.run(engine, &[self.cancel])?;
            // The interactor first: a solution that it leaves early fails, too.
            for (jury_program, finished) in [(interactor, interacted), (solution, solved)] {
                let said = RunOutput::read(finished.ran, &engine.spill)?;
                self.budget.run(said.outcome.cpu, said.outcome.wall)?;
                if let Some(problem) = failure(jury_program, &said)? {
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

/// Returns how a program failed that ended by itself: with another code than 0, or by a signal such as that of `assert`.
///
/// # Errors
/// When a limit, something outside or a cancellation ended it.
fn failure(jury_program: &BuiltProgram, said: &RunOutput) -> Result<Option<String>, Fault> {
    match jury_program.exit_code(said) {
        Ok(0) => Ok(None),
        Err(Fault::Checker(problem)) if ended_by_itself(said.outcome.exit, &said.outcome.stopped) => {
            Ok(Some(problem))
        }
        Err(fault) => Err(fault),
        Ok(code) => {
            Ok(Some(format!("{}: it exited with code {code}: {}", jury_program.name, said.last_line())))
        }
    }
}

/// Empties a work directory and puts files into it.
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
        let mut file = open_regular(path).map_err(|error| unreadable(path, &error))?;
        artifacts::write_new(workspace, name, 0o666, &mut file)?;
    }
    Ok(())
}

/// Returns whether a program ended by itself and not by a limit.
fn ended_by_itself(exit: Exit, stopped: &[Stopped]) -> bool {
    stopped.is_empty() && matches!(exit, Exit::Code(_) | Exit::Signal(_))
}

/// Removes the file of an earlier attempt, which would be taken for the next one's where that writes none.
fn remove_old(path: &Path) -> Result<(), Fault> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Fault::file("remove", path, error)),
        _ => Ok(()),
    }
}

/// Returns the path of a generated input, by the test's index among those that lack something.
pub(crate) fn input_path(directory: &Path, place: usize) -> PathBuf {
    directory.join(format!("{place}.in"))
}

/// Returns the path of a generated answer, as [`input_path`] does.
pub(crate) fn answer_path(directory: &Path, place: usize) -> PathBuf {
    directory.join(format!("{place}.ans"))
}

/// Returns the fault of a package that generates files for a test it does not have.
pub(crate) fn no_test(made: &GeneratedTest) -> Fault {
    Fault::Package(format!("it makes files of test {}, which the package does not have", made.test))
}

/// Returns the fault of a package whose file cannot be read.
pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::Package(format!("cannot read {}: {error}", path.display()))
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
