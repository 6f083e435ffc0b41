//! Makes the inputs and answers that a package leaves to its programs.
//!
//! Everything a package lacks is one entry of the cache, under the programs, their arguments and what they read: it is made
//! once, by whoever comes first, and never written into the package. A program that fails is the package's fault.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::check::{Said, exit_code};
use super::fault::Fault;
use super::files::open_regular;
use super::slots::lock;
use super::tool::{Tool, Workshop};
use super::{Judge, STDERR_LIMIT};
use crate::cache::{Digest, Entry, KeyBuilder, Lookup};
use crate::package::{Held, JuryProgram, MadeAnswer, MadeData, MadeTest, Package};
use crate::sandbox::{CancelToken, Capture, PACKAGE, PROGRAM};
use crate::units::Bytes;

/// Counted up whenever the layout of entries changes.
const LAYOUT: &str = "1";
/// Directory of the files inside an entry.
const CONTENT: &str = "content";

/// Why what a package lacks was not made, on one line.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{problem}")]
pub struct NotMade {
    problem: String,
}

impl Judge {
    /// The package with everything that its programs make; the package itself where there is nothing to make.
    ///
    /// # Errors
    /// When a program cannot be compiled or fails, or this host does.
    pub fn complete(&self, package: &Package, cancel: &CancelToken) -> Result<Package, NotMade> {
        complete(self, package, cancel).map_err(|fault| NotMade { problem: fault.to_string() })
    }
}

/// As [`Judge::complete`].
pub(super) fn complete(judge: &Judge, package: &Package, cancel: &CancelToken) -> Result<Package, Fault> {
    let Some(data) = &package.made else { return Ok(package.clone()) };
    let entry = match judge.store.get_or_lock(&key(package, data)?)? {
        Lookup::Hit(entry) => entry,
        Lookup::Miss(draft) => {
            tracing::info!(problem = %package.name, tests = data.tests.len(), "making tests");
            let directory = draft.path().join(CONTENT);
            std::fs::create_dir(&directory).map_err(|error| Fault::file("make", &directory, error))?;
            make_all(judge, package, data, &directory, cancel)?;
            judge.store.commit(draft)?
        }
    };
    fill(package, data, entry)
}

/// The package with the files in their places.
fn fill(package: &Package, data: &MadeData, entry: Entry) -> Result<Package, Fault> {
    let directory = entry.path().join(CONTENT);
    let directory = directory.canonicalize().map_err(|error| Fault::file("find", &directory, error))?;
    let mut complete = package.clone();
    for (place, made) in data.tests.iter().enumerate() {
        let Some(test) = complete.tests.get_mut(made.test) else { return Err(no_test(made)) };
        if made.input.is_some() {
            test.input = input_path(&directory, place);
        }
        if made.answer.is_some() {
            test.answer = answer_path(&directory, place);
        }
    }
    complete.made = None;
    complete.digest = crate::package::Digest::default();
    complete.held.push(Held::new(directory, entry));
    Ok(complete)
}

fn input_path(directory: &Path, place: usize) -> PathBuf {
    directory.join(format!("{place}.in"))
}

fn answer_path(directory: &Path, place: usize) -> PathBuf {
    directory.join(format!("{place}.ans"))
}

fn no_test(made: &MadeTest) -> Fault {
    Fault::Package(format!("it makes files of test {}, which the package does not have", made.test))
}

/// Everything that decides what is made.
fn key(package: &Package, data: &MadeData) -> Result<Digest, Fault> {
    let mut key = KeyBuilder::default().field("kind", "made data").field("layout", LAYOUT);
    for program in data.generators.iter().chain(&data.solution) {
        key = key.field("program", format!("{:?}", program.making));
        for file in &program.files {
            key = key.field("name", &file.name).field("file", content(&file.path)?);
        }
    }
    for made in &data.tests {
        key = key.field("test", format!("{:?}", made.answer));
        if let Some(input) = &made.input {
            key = key.field("generator", input.generator.to_string());
            for argument in &input.arguments {
                key = key.field("argument", argument);
            }
            if let Some(stdin) = &input.stdin {
                key = key.field("stdin", content(stdin)?);
            }
        } else if made.answer == Some(MadeAnswer::Solution) {
            // The solution reads an input that the package has.
            let test = package.tests.get(made.test).ok_or_else(|| no_test(made))?;
            key = key.field("input", content(&test.input)?);
        }
    }
    Ok(key.finish())
}

fn content(path: &Path) -> Result<String, Fault> {
    let read = open_regular(path).and_then(Digest::of_reader);
    read.map(|digest| digest.to_string()).map_err(|error| broken(path, &error))
}

fn broken(path: &Path, error: &std::io::Error) -> Fault {
    Fault::Package(format!("cannot read {}: {error}", path.display()))
}

/// The programs, compiled.
struct Makers<'a> {
    judge: &'a Judge,
    package: &'a Package,
    directory: &'a Path,
    cancel: &'a CancelToken,
    generators: Vec<Tool>,
    solution: Option<Tool>,
}

fn make_all(
    judge: &Judge,
    package: &Package,
    data: &MadeData,
    directory: &Path,
    cancel: &CancelToken,
) -> Result<(), Fault> {
    let workshop = Workshop { judge, cancel, handed: Bytes(0) };
    let make = |role: &str, program: &JuryProgram, limits| workshop.make(role, program, limits);
    let generators = data.generators.iter().map(|program| make("generator", program, data.generator_limits));
    let solution = data.solution.iter().map(|program| make("solution", program, data.solution_limits)).next();
    let makers = Makers {
        judge,
        package,
        directory,
        cancel,
        generators: generators.collect::<Result<_, _>>()?,
        solution: solution.transpose()?,
    };
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    let work = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(made) = data.tests.get(place) else { return };
            if lock(&failed).is_some() {
                return;
            }
            if let Err(fault) = makers.test(place, made) {
                lock(&failed).get_or_insert(fault);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..judge.slots().min(data.tests.len()) {
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

impl Makers<'_> {
    fn test(&self, place: usize, made: &MadeTest) -> Result<(), Fault> {
        let test = self.package.tests.get(made.test).ok_or_else(|| no_test(made))?;
        let mut input_file = test.input.clone();
        if let Some(input) = &made.input {
            let tool = self.generators.get(input.generator);
            let tool =
                tool.ok_or_else(|| Fault::Package(format!("there is no generator {}", input.generator)))?;
            input_file = input_path(self.directory, place);
            let errors = (made.answer == Some(MadeAnswer::GeneratorErrors))
                .then(|| answer_path(self.directory, place));
            self.run(
                tool,
                &input.arguments,
                input.stdin.as_deref(),
                &input_file,
                errors.as_deref(),
                &test.name,
            )?;
        }
        if made.answer == Some(MadeAnswer::Solution) {
            let missing = || Fault::Package("there is no solution that makes answers".to_owned());
            let tool = self.solution.as_ref().ok_or_else(missing)?;
            let answer = answer_path(self.directory, place);
            self.run(tool, &[], Some(&input_file), &answer, None, &test.name)?;
        }
        Ok(())
    }

    /// Runs a program and keeps what it wrote.
    fn run(
        &self,
        tool: &Tool,
        arguments: &[String],
        stdin: Option<&Path>,
        into: &Path,
        errors_into: Option<&Path>,
        test: &str,
    ) -> Result<(), Fault> {
        let judge = self.judge;
        judge.in_box(&tool.shape, &[self.cancel], |sandbox_box| {
            sandbox_box.attach(PROGRAM, tool.directory())?;
            // Another package's checker may have used this box.
            sandbox_box.detach(PACKAGE)?;
            sandbox_box.fresh_workspace()?;
            let stdin = stdin.unwrap_or(Path::new("/dev/null"));
            let input = match stdin == Path::new("/dev/null") {
                true => File::open(stdin),
                false => open_regular(stdin),
            };
            let input = input.map_err(|error| broken(stdin, &error))?;
            let mut stdout = Capture::whole(&judge.spill);
            let mut stderr = match errors_into {
                Some(_) => Capture::whole(&judge.spill),
                None => Capture::at_most(STDERR_LIMIT, &judge.spill),
            };
            let mut argv = tool.argv.clone();
            argv.extend_from_slice(arguments);
            let outcome = sandbox_box
                .run(tool.command(&argv, input.as_fd(), &mut stdout, &mut stderr), &[self.cancel])?;
            let head = if errors_into.is_some() { Vec::new() } else { read(judge, &mut stderr)? };
            let said = Said { outcome, stdout: Vec::new(), stderr: head };
            match exit_code(tool, &said)? {
                0 => {}
                code => {
                    let text = String::from_utf8_lossy(&said.stderr);
                    let last =
                        text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
                    let last: String = last.chars().take(200).flat_map(char::escape_debug).collect();
                    let problem = format!("{}: test {test}: it exited with code {code}: {last}", tool.name);
                    return Err(Fault::Checker(problem));
                }
            }
            keep(judge, &mut stdout, into)?;
            match errors_into {
                Some(path) => keep(judge, &mut stderr, path),
                None => Ok(()),
            }
        })
    }
}

fn read(judge: &Judge, capture: &mut Capture) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let read = capture.reader().and_then(|mut reader| std::io::Read::read_to_end(&mut reader, &mut bytes));
    read.map_err(|error| Fault::file("read", &judge.spill, error))?;
    Ok(bytes)
}

/// Writes what was captured into a file of the draft; a first try that lost its box may have left one.
fn keep(judge: &Judge, capture: &mut Capture, path: &Path) -> Result<(), Fault> {
    let mut reader = capture.reader().map_err(|error| Fault::file("read", &judge.spill, error))?;
    let written = File::create(path).and_then(|mut file| {
        std::io::copy(&mut reader, &mut file)?;
        file.flush()
    });
    written.map_err(|error| Fault::file("write", path, error))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::package::{Format, PackageLimits, ProgramLimits, Test, TimeLimit};

    #[test]
    fn answers_are_made_anew_when_the_input_they_belong_to_changes() {
        let directory = tempfile::tempdir().unwrap();
        let input = directory.path().join("1.in");
        let limits = PackageLimits {
            time: TimeLimit::Fixed(Duration::from_secs(1)),
            wall: None,
            memory: Bytes::mib(64),
            output: Bytes::mib(8),
            code: Bytes::mib(1),
            processes: None,
            compilation_time: None,
            compilation_memory: None,
        };
        let tests = vec![Test::new("1", input.clone(), PathBuf::new())];
        let package =
            Package { tests, ..Package::new("p", directory.path().into(), Format::LibraryChecker, limits) };
        let data = MadeData {
            generators: Vec::new(),
            solution: None,
            generator_limits: ProgramLimits::default(),
            solution_limits: ProgramLimits::default(),
            tests: vec![MadeTest { test: 0, input: None, answer: Some(MadeAnswer::Solution) }],
        };
        let key_of = |text: &str| {
            std::fs::write(&input, text).unwrap();
            key(&package, &data).unwrap().to_string()
        };
        assert_eq!(key_of("1\n"), key_of("1\n"));
        assert_ne!(key_of("1\n"), key_of("7\n"));
    }
}
