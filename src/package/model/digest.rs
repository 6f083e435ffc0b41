//! Computes the digest of everything that judging reads of a package.
//!
//! Two packages with the same digest give the same verdicts; a changed answer, limit or flag changes it.
//! Titles, warnings, statements and the jury's submissions do not count: they do not enter a judging. The
//! encoding is length-prefixed, so no two different packages spell the same bytes.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::checkers::{CheckerProgram, Communication, Interaction, Interactor};
use super::limits::{TestLimits, TimeLimit};
use super::package::{Package, Test};
use super::program::{JuryProgram, ProgramFile};
use super::submission::{Include, OutputFile};
use crate::package::source::error::PackageError;
use crate::package::source::tree::open_regular;

impl Package {
    /// The digest as the files are now, whatever was computed before.
    ///
    /// # Errors
    /// When a test cannot be read.
    pub fn digest_now(&self) -> Result<String, PackageError> {
        compute(self)
    }

    /// `sha256:` and the digest of the tests, the limits, the programs and everything else that judging reads.
    ///
    /// The first call reads every such file once, in pieces; later calls cost nothing, also on clones.
    ///
    /// # Errors
    /// When a test cannot be read.
    pub fn digest(&self) -> Result<&str, PackageError> {
        if let Some(digest) = self.digest.0.get() {
            return Ok(digest);
        }
        let digest = compute(self)?;
        Ok(self.digest.0.get_or_init(|| digest))
    }
}

impl Package {
    /// What judging reads of the package besides its limits and the contents of its files, as text that does not depend
    /// on where the package lies.
    pub fn settings(&self) -> String {
        let mut text = String::new();
        let mut say = |part: String| {
            text.push_str(&part);
            text.push('\n');
        };
        for test in &self.tests {
            let Test { name, groups, check, custom_score, arguments, limits, links, output_file, .. } = test;
            say(format!("test {name:?} {groups:?} {check:?} {custom_score:?} {arguments:?}"));
            if *output_file != OutputFile::Refused {
                say(format!("output file {output_file:?}"));
            }
            if *limits != TestLimits::default() {
                say(format!("limits {limits:?}"));
            }
            if !links.is_empty() {
                say(format!("links {links:?}"));
            }
        }
        for group in &self.groups {
            say(format!("group {group:?}"));
        }
        say(format!("{:?} {:?} {:?} {:?}", self.scoring, self.passes, self.submission_kind, self.streams));
        if self.parts_pass {
            say("parts pass".to_owned());
        }
        if self.unbuffered {
            say("unbuffered".to_owned());
        }
        if self.no_big_math {
            say("no java.math".to_owned());
        }
        if let Some(feedback) = self.feedback {
            say(format!("feedback {feedback:?}"));
        }
        for checker in &self.checkers {
            let CheckerProgram { program, protocol, call, limits, scores } = checker;
            say(format!("checker {} {protocol:?} {call:?} {limits:?} {scores:?}", made(program)));
        }
        match &self.interaction {
            Interaction::None => {}
            Interaction::TwoSteps => say("two steps".to_owned()),
            Interaction::Interactive(Interactor { program, protocol, call, limits, scores, unbuffered }) => {
                say(format!("interactor {} {protocol:?} {call:?} {limits:?} {scores:?}", made(program)));
                if *unbuffered {
                    say("unbuffered interactor".to_owned());
                }
            }
            Interaction::Communication(Communication { manager, limits, processes, channel }) => {
                say(format!("manager {} {limits:?} {processes} {channel:?}", made(manager)));
            }
        }
        if let Some(grader) = &self.grader {
            say(format!("grader {}", made(grader)));
        }
        for include in &self.includes {
            let Include { language, entry_point, submission_name, flags, .. } = include;
            let Include { submission_prefix, submission_suffix, .. } = include;
            say(format!(
                "include {language:?} {entry_point:?} {submission_name:?} {submission_prefix:?} {flags:?}"
            ));
            if !submission_suffix.is_empty() {
                say(format!("suffix {submission_suffix:?}"));
            }
        }
        text
    }

    /// Files of the programs that judging runs or compiles with submissions.
    pub(crate) fn judged_programs(&self) -> impl Iterator<Item = &ProgramFile> {
        let interaction = match &self.interaction {
            Interaction::None | Interaction::TwoSteps => None,
            Interaction::Interactive(interactor) => Some(&interactor.program),
            Interaction::Communication(communication) => Some(&communication.manager),
        };
        let checkers = self.checkers.iter().map(|checker| &checker.program);
        let programs = checkers.chain(interaction).chain(&self.grader).flat_map(|program| &program.files);
        let added = self.includes.iter().flat_map(|include| &include.files);
        programs.chain(added)
    }

    /// Every file that judging reads, with what it is for.
    pub fn judged_files(&self) -> impl Iterator<Item = (String, &Path)> {
        let rest = self.judged_programs().map(|file| (file.name.clone(), file.path.as_path()));
        self.tests.iter().flat_map(files_of_test).chain(rest)
    }
}

fn compute(package: &Package) -> Result<String, PackageError> {
    let mut hash = Sha256::new();
    field(&mut hash, b"gavel package 2");
    let limits = &package.limits;
    match limits.time {
        TimeLimit::Fixed(time) => duration(&mut hash, b"fixed", Some(time)),
        TimeLimit::FromSubmissions { multiplier, resolution } => {
            duration(&mut hash, b"from submissions", Some(resolution));
            number(&mut hash, Some(multiplier.to_bits()));
        }
    }
    duration(&mut hash, b"wall", limits.wall);
    number(&mut hash, Some(limits.memory.0));
    number(&mut hash, Some(limits.output.0));
    number(&mut hash, Some(limits.code.0));
    number(&mut hash, limits.processes.map(u64::from));
    duration(&mut hash, b"compilation", limits.compilation_time);
    number(&mut hash, limits.compilation_memory.map(|bytes| bytes.0));
    field(&mut hash, package.settings().as_bytes());
    let mut buffer = vec![0; 1 << 16];
    for (name, path) in package.judged_files() {
        field(&mut hash, name.as_bytes());
        content(&mut hash, path, &mut buffer)?;
    }
    let mut text = "sha256:".to_owned();
    for byte in hash.finalize() {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    Ok(text)
}

fn files_of_test(test: &Test) -> impl Iterator<Item = (String, &Path)> {
    let own = test.files.iter().map(|file| (format!("beside {}", file.name), file.path.as_path()));
    [("input".to_owned(), test.input.as_path()), ("answer".to_owned(), test.answer.as_path())]
        .into_iter()
        .chain(own)
}

/// A program without the places of its files.
fn made(program: &JuryProgram) -> String {
    format!("{:?} {:?}", program.name, program.build)
}

fn field(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

fn number(hash: &mut Sha256, value: Option<u64>) {
    hash.update([u8::from(value.is_some())]);
    hash.update(value.unwrap_or_default().to_le_bytes());
}

fn duration(hash: &mut Sha256, name: &[u8], value: Option<Duration>) {
    field(hash, name);
    hash.update([u8::from(value.is_some())]);
    hash.update(value.unwrap_or_default().as_nanos().to_le_bytes());
}

/// The file's own digest, since its length is known only at its end.
fn content(hash: &mut Sha256, path: &Path, buffer: &mut [u8]) -> Result<(), PackageError> {
    let mut file = open_regular(path)?;
    let mut inner = Sha256::new();
    loop {
        match file.read(buffer) {
            Ok(0) => break,
            Ok(count) => inner.update(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(PackageError::io("read", path)(error)),
        }
    }
    hash.update(inner.finalize());
    Ok(())
}
