//! Runs a package's own grader, a program that computes a group's result from those of its members.
//!
//! Kattis legacy, "Graders": it reads lines of a verdict and a score, prints one such line and exits with 0; anything
//! else is a judging error. How strict the line is read follows problemtools.

use std::io::{Seek as _, Write as _};
use std::os::fd::AsFd as _;

use crate::cancel::CancelToken;
use crate::judge::engine::Engine;
use crate::judge::exec::Keep;
use crate::judge::fault::Fault;
use crate::judge::jury::builder::ProgramBuilder;
use crate::judge::jury::program::{BuiltProgram, RunOutput};
use crate::judge::score::aggregate::GradingError;
use crate::package::{Aggregation, Group, Package, ProgramLimits};
use crate::sandbox::PROGRAM;
use crate::units::Bytes;
use crate::verdict::Verdict;

/// Bytes kept of a grader's output, which is one line.
const KEPT_OUTPUT: u64 = 4 << 10;

/// A grader, ready to run.
pub(crate) struct Grader<'a> {
    engine: &'a Engine,
    jury_program: BuiltProgram,
    cancel: &'a CancelToken,
}

impl<'a> Grader<'a> {
    /// Compiles the package's grader, where a group wants one.
    ///
    /// # Errors
    /// When it cannot be built, or there is none.
    pub(crate) fn of(
        engine: &'a Engine,
        package: &Package,
        cancel: &'a CancelToken,
    ) -> Result<Option<Self>, Fault> {
        let wants = |group: &&Group| matches!(group.aggregation, Aggregation::Program(_));
        let Some(group) = package.groups.iter().find(wants) else { return Ok(None) };
        let Some(program) = &package.grader else {
            return Err(Fault::Package(format!(
                "group '{}' has a grader of its own, and the package has none",
                group.name
            )));
        };
        let builder = ProgramBuilder { engine, cancel, handed: Bytes(0) };
        Ok(Some(Self {
            engine,
            jury_program: builder.build("grader", program, ProgramLimits::default())?,
            cancel,
        }))
    }

    /// One result of many.
    pub(crate) fn grade(
        &self,
        arguments: &[String],
        results: &[(Verdict, f64)],
    ) -> Result<(Verdict, f64), GradingError> {
        let said = self.run(arguments, results).and_then(|said| {
            read(&said, results)
                .map_err(|problem| Fault::Checker(format!("{}: {problem}", self.jury_program.name)))
        });
        said.map_err(|fault| GradingError { reason: fault.reason(), message: fault.to_string() })
    }

    fn run(&self, arguments: &[String], results: &[(Verdict, f64)]) -> Result<Vec<u8>, Fault> {
        let engine = self.engine;
        let lines: String =
            results.iter().map(|(verdict, score)| format!("{} {score:?}\n", code(*verdict))).collect();
        let failed = |error| Fault::file("write to", &engine.spill, error);
        let mut input = tempfile::tempfile_in(&engine.spill).map_err(failed)?;
        input.write_all(lines.as_bytes()).map_err(failed)?;
        let argv: Vec<String> = self.jury_program.argv.iter().chain(arguments).cloned().collect();
        engine.in_box(&self.jury_program.shape, &[self.cancel], |sandbox_box| {
            sandbox_box.attach(PROGRAM, self.jury_program.directory())?;
            sandbox_box.fresh_workspace()?;
            input.rewind().map_err(failed)?;
            let command = self.jury_program.exec(&argv, Some(input.as_fd()), Keep::First(KEPT_OUTPUT));
            let said = RunOutput::read(command.run(engine, sandbox_box, &[self.cancel])?, &engine.spill)?;
            match self.jury_program.exit_code(&said)? {
                0 => Ok(said.stdout),
                other => Err(Fault::Checker(format!(
                    "{}: it exited with code {other}, where only 0 means that it did its work",
                    self.jury_program.name
                ))),
            }
        })
    }
}

/// Returns the code of a verdict in a grader's input, as problemtools writes it.
fn code(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::AC => "AC",
        Verdict::WA => "WA",
        Verdict::TLE | Verdict::WTL => "TLE",
        Verdict::JE | Verdict::SK | Verdict::CX => "JE",
        Verdict::RTE | Verdict::SV | Verdict::MLE | Verdict::OLE | Verdict::CE => "RTE",
    }
}

/// `WA 12.5`: a verdict, white space, a number without an exponent.
fn read(said: &[u8], results: &[(Verdict, f64)]) -> Result<(Verdict, f64), String> {
    let text = String::from_utf8_lossy(said);
    let wrong = || {
        let shown: String = text.trim_end().chars().take(80).flat_map(char::escape_debug).collect();
        format!("it said '{shown}', where one line like 'AC 12.5' belongs")
    };
    let (verdict, score) =
        text.split_once(|character: char| character.is_ascii_whitespace()).ok_or_else(wrong)?;
    let score = score.trim();
    let digits = score.strip_prefix('-').unwrap_or(score);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(wrong());
    }
    let score: f64 = score.parse().map_err(|_| wrong())?;
    let verdict = match verdict {
        "AC" => Verdict::AC,
        "JE" => return Err("it said JE, a judging error".to_owned()),
        "WA" | "TLE" | "RTE" | "MLE" | "OLE" => finer(verdict, results),
        _ => return Err(wrong()),
    };
    Ok((verdict, score))
}

/// gavel's own verdict behind a code: that of the first result the code stands for.
fn finer(said: &str, results: &[(Verdict, f64)]) -> Verdict {
    let same = results.iter().map(|(verdict, _)| *verdict).find(|verdict| code(*verdict) == said);
    same.unwrap_or(match said {
        "WA" => Verdict::WA,
        "TLE" => Verdict::TLE,
        "MLE" => Verdict::MLE,
        "OLE" => Verdict::OLE,
        _ => Verdict::RTE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{AC, MLE, OLE, RTE, TLE, WA, WTL};

    #[test]
    fn one_line_of_a_verdict_and_a_number_is_an_answer() {
        let results = [(AC, 1.0), (WTL, 0.0), (MLE, 0.0)];
        for (said, answer) in [
            ("AC 12.5\n", (AC, 12.5)),
            ("WA\t-3", (WA, -3.0)),
            ("TLE 0 \n\n", (WTL, 0.0)),
            ("RTE 0", (MLE, 0.0)),
            ("OLE 0", (OLE, 0.0)),
        ] {
            assert_eq!(read(said.as_bytes(), &results), Ok(answer), "{said}");
        }
        assert_eq!(read(b"RTE 0", &[(AC, 1.0)]), Ok((RTE, 0.0)));
        assert_eq!(read(b"TLE 0", &[(AC, 1.0)]), Ok((TLE, 0.0)));
        for said in [
            "", "AC", "AC x", "AC 1 2", "AC 1e3", "AC inf", "AC +1", "ac 1", "OK 1", "AC 1.2.3", "\nAC 1",
            "XX 1",
        ] {
            assert!(read(said.as_bytes(), &results).unwrap_err().contains("like 'AC 12.5'"), "{said}");
        }
        assert!(read(b"JE 0", &results).unwrap_err().contains("judging error"));
    }
}
