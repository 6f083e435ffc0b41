//! Turns the end of a run into verdicts, before its output is checked.
//!
//! A program that was not started is charged to the contestant only for a file of their own that the kernel does not execute.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;

use crate::judge::external_kill::{has_ended, may_have_ended};
use crate::judge::fault::Fault;
use crate::judge::limits::RunLimits;
use crate::judge::test::result::TestResult;
use crate::judge::test::stderr::{self, StandardError};
use crate::language::Language;
use crate::report::TestReport;
use crate::sandbox::{Exit, Outcome, Stopped};
use crate::units::Bytes;
use crate::verdict::{Reason, Verdict};

/// Begins the message of a program whose runtime ran out of memory; the rest is the runtime's line.
const OUT_OF_MEMORY: &str = "its runtime ran out of memory";

/// Adds every verdict that applies before the output is checked; message and reason are those of the most decisive one.
pub(crate) fn judge_outcome(
    result: &mut TestResult,
    outcome: &Outcome,
    limits: &RunLimits,
    argv: &[String],
    own_file: Option<&Path>,
    words: (&StandardError, &Language),
) -> Result<(), Fault> {
    let mut found: Vec<(Verdict, Option<Reason>, String)> = Vec::new();
    for (verdict, message) in limits_hit(outcome, limits) {
        found.push((verdict, None, message));
    }
    match outcome.exit {
        Exit::Code(0) => {}
        Exit::Code(_) => found.push(failed(outcome.exit, Reason::ExitCode, words)),
        // A run that gavel killed died of gavel's signal.
        Exit::Signal(_) if !outcome.stopped.is_empty() => {}
        Exit::Signal(_) => found.push(failed(outcome.exit, Reason::Signal, words)),
        Exit::NotStarted { step, errno } => {
            found.push((Verdict::RTE, Some(Reason::Start), not_started(step, errno, argv, own_file)?));
        }
    }
    // A limit that was met explains any end.
    result.in_doubt = found.iter().all(|(verdict, ..)| *verdict == Verdict::RTE) && may_have_ended(outcome);
    result.ended_from_outside = result.in_doubt && has_ended(outcome);
    result.applied = found.iter().map(|(verdict, ..)| *verdict).collect();
    if let Some((_, reason, message)) = found.into_iter().min_by_key(|(verdict, ..)| verdict.precedence()) {
        result.report.reason = reason;
        result.report.message = message;
    }
    Ok(())
}

/// Judges a program that failed by itself: MLE where its runtime reports that it ran out of memory, else RTE.
fn failed(
    exit: Exit,
    reason: Reason,
    (stderr, language): (&StandardError, &Language),
) -> (Verdict, Option<Reason>, String) {
    match stderr.out_of_memory(language) {
        Some(line) => (Verdict::MLE, None, format!("{OUT_OF_MEMORY}: {line}")),
        None => {
            let message = stderr.error(language).unwrap_or_else(|| stderr::of_exit(exit));
            (Verdict::RTE, Some(reason), message)
        }
    }
}

/// Returns the message of a test without the program's output: how it ended.
pub(crate) fn message_without_words(test: &TestReport) -> String {
    let of_exit = match (test.exit_code, test.signal) {
        (Some(code), _) => stderr::of_exit(Exit::Code(code)),
        (None, Some(signal)) => stderr::of_exit(Exit::Signal(signal)),
        (None, None) => String::new(),
    };
    match (test.verdict, test.reason) {
        (Verdict::RTE, Some(Reason::ExitCode | Reason::Signal)) => of_exit,
        (Verdict::MLE, _) if test.message.starts_with(OUT_OF_MEMORY) => OUT_OF_MEMORY.to_owned(),
        _ => test.message.clone(),
    }
}

/// Returns the limits that were hit, by what stopped the run or by the counts of a run that ended by itself.
fn limits_hit(outcome: &Outcome, limits: &RunLimits) -> Vec<(Verdict, String)> {
    let has = |stopped| outcome.stopped.contains(&stopped);
    let mut hit = Vec::new();
    if limits.has_overtime() && outcome.cpu > limits.cpu {
        // Whatever else it ran into, it was after the moment at which it would have been stopped.
        return vec![(Verdict::TLE, format!("more CPU time than {}", seconds(limits.cpu)))];
    }
    if has(Stopped::Memory) || outcome.memory > limits.memory {
        hit.push((Verdict::MLE, format!("more memory than {}", whole_mib(limits.memory))));
    }
    if has(Stopped::Output) {
        let limit = limits.limits.output.unwrap_or_default();
        hit.push((Verdict::OLE, too_much_output(limit)));
    }
    if has(Stopped::Cpu) || outcome.cpu > limits.cpu {
        hit.push((Verdict::TLE, format!("more CPU time than {}", seconds(limits.cpu))));
    }
    if has(Stopped::Wall) {
        let limit = limits.limits.wall.unwrap_or_default();
        hit.push((
            Verdict::WTL,
            format!("not over after {} with {} of CPU time", seconds(limit), seconds(outcome.cpu)),
        ));
    }
    hit
}

/// Decides who is to blame for a program that was not started: the contestant for a file of theirs that cannot be executed,
/// gavel for everything else.
fn not_started(step: &str, errno: i32, argv: &[String], own_file: Option<&Path>) -> Result<String, Fault> {
    let program = argv.first().map_or("", String::as_str);
    let why = Errno::from_raw(errno).desc();
    // A file the kernel will not execute is the contestant's; a kernel that cannot is not.
    let ours = matches!(
        errno,
        libc::ENOMEM | libc::EAGAIN | libc::ENFILE | libc::EMFILE | libc::ENOSPC | libc::EINTR
    );
    let theirs =
        step == "execve" && !ours && own_file.is_some_and(|file| errno != libc::EIO || is_readable(file));
    if theirs {
        // ENOENT is about the interpreter in its first line.
        Ok(format!("the program could not be started: {why}"))
    } else {
        Err(Fault::Language(format!("'{program}' cannot be started ({step}: {why})")))
    }
}

/// Returns whether the whole file can be read. If so, EIO came from the file's content: the kernel returns it when the
/// interpreter that an ELF file names is shorter than an ELF header.
fn is_readable(file: &Path) -> bool {
    File::open(file).and_then(|mut file| io::copy(&mut file, &mut io::sink())).is_ok()
}

/// Returns the message for output beyond the limit.
pub(crate) fn too_much_output(limit: Bytes) -> String {
    format!("more output than {limit}")
}

fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}

fn whole_mib(bytes: Bytes) -> String {
    #[allow(clippy::cast_precision_loss)] // Shown with one decimal.
    let mib = bytes.0 as f64 / f64::from(1 << 20);
    format!("{mib:.1} MiB")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::test::result::blank;
    use crate::language::Table;
    use crate::package::Test;
    use crate::sandbox::{Limits, MemorySource, PROGRAM};
    use crate::verdict::decide;

    fn limits() -> RunLimits {
        RunLimits {
            limits: Limits::default(),
            cpu: Duration::from_secs(1),
            memory: Bytes::mib(64),
            memory_mib: 64,
        }
    }

    fn outcome(exit: Exit, stopped: &[Stopped]) -> Outcome {
        Outcome {
            exit,
            stopped: stopped.to_vec(),
            cpu: Duration::from_millis(5),
            wall: Duration::from_millis(6),
            memory: Bytes::mib(3),
            memory_bound: Some(Bytes::mib(3)),
            memory_source: MemorySource::Peak,
            output_bytes: 0,
            asked_to_end: None,
        }
    }

    fn judged(outcome: &Outcome, program: &str) -> Result<(Verdict, Option<Reason>, String), Fault> {
        let own_file = program.starts_with(PROGRAM).then(|| Path::new("/proc/self/exe"));
        judged_with(outcome, program, own_file)
    }

    fn judged_with(
        outcome: &Outcome,
        program: &str,
        own_file: Option<&Path>,
    ) -> Result<(Verdict, Option<Reason>, String), Fault> {
        let test = Test::new("secret/1", "1.in".into(), "1.ans".into());
        let mut result = TestResult::of(blank(&test, Verdict::AC));
        let table = Table::built_in().unwrap();
        let words = (&StandardError::default(), table.get("c17").unwrap());
        judge_outcome(&mut result, outcome, &limits(), &[program.to_owned()], own_file, words)?;
        Ok((decide(&result.applied), result.report.reason, result.report.message))
    }

    #[test]
    fn a_signal_the_program_raised_is_a_run_time_error_whichever_it_is() {
        for signal in [libc::SIGKILL, libc::SIGXCPU, libc::SIGSYS, libc::SIGSEGV, 34] {
            let (verdict, reason, message) =
                judged(&outcome(Exit::Signal(signal), &[]), "/program/program").unwrap();
            assert_eq!((verdict, reason), (Verdict::RTE, Some(Reason::Signal)), "{message}");
        }
    }

    #[test]
    fn limits_win_over_how_the_program_ended() {
        for (stopped, verdict) in [
            (Stopped::Memory, Verdict::MLE),
            (Stopped::Output, Verdict::OLE),
            (Stopped::Cpu, Verdict::TLE),
            (Stopped::Wall, Verdict::WTL),
        ] {
            let result = judged(&outcome(Exit::Signal(libc::SIGKILL), &[stopped]), "/program/program");
            assert_eq!(result.unwrap().0, verdict);
            let result = judged(&outcome(Exit::Code(1), &[stopped]), "/program/program");
            assert_eq!(result.unwrap().0, verdict);
        }
    }

    #[test]
    fn cpu_time_over_the_limit_counts_also_when_the_program_ended_by_itself() {
        let mut slow = outcome(Exit::Code(0), &[]);
        slow.cpu = Duration::from_millis(1001);
        assert_eq!(judged(&slow, "/program/program").unwrap().0, Verdict::TLE);
        slow.cpu = Duration::from_secs(1);
        assert_eq!(judged(&slow, "/program/program").unwrap().0, Verdict::AC);
    }

    #[test]
    fn a_program_that_cannot_start_is_charged_only_when_the_file_is_its_own() {
        let exit = Exit::NotStarted { step: "execve", errno: libc::ENOENT };
        let (verdict, reason, _) = judged(&outcome(exit, &[]), "/program/run").unwrap();
        assert_eq!((verdict, reason), (Verdict::RTE, Some(Reason::Start)));
        assert!(matches!(judged(&outcome(exit, &[]), "/usr/bin/python3"), Err(Fault::Language(_))));
        assert!(matches!(judged_with(&outcome(exit, &[]), "/program/gone", None), Err(Fault::Language(_))));
        for errno in [
            libc::EIO,
            libc::ELIBBAD,
            libc::ENOEXEC,
            libc::ETXTBSY,
            libc::EPERM,
            libc::EACCES,
            libc::EINVAL,
            libc::ELOOP,
            libc::E2BIG,
            libc::ENAMETOOLONG,
            libc::ENOTDIR,
            libc::EISDIR,
        ] {
            let exit = Exit::NotStarted { step: "execve", errno };
            assert_eq!(judged(&outcome(exit, &[]), "/program/run").unwrap().0, Verdict::RTE, "{errno}");
        }
        // A file that we cannot read either is a fault of the disk.
        let exit = Exit::NotStarted { step: "execve", errno: libc::EIO };
        let unreadable = Some(Path::new("/proc/self/mem"));
        assert!(matches!(
            judged_with(&outcome(exit, &[]), "/program/run", unreadable),
            Err(Fault::Language(_))
        ));
        let exit = Exit::NotStarted { step: "chdir", errno: libc::ENOENT };
        assert!(judged(&outcome(exit, &[]), "/program/run").is_err());
        let exit = Exit::NotStarted { step: "execve", errno: libc::ENOMEM };
        assert!(judged(&outcome(exit, &[]), "/program/run").is_err());
    }
}
