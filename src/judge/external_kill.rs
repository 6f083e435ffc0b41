//! Tells runs that something outside of the box may have ended from those that ended by themselves.
//!
//! Daemons that watch the host's memory (earlyoom, systemd-oomd) and people end processes by SIGTERM and SIGKILL. A
//! program can send these to itself as well. Box init takes note when a process of the box asks for such a signal; then
//! the end is the program's own doing. Any other end of that kind, without a limit or the group's own want of memory to
//! explain it, is done again, and a run that does not end so is the one that counts. What ends so every time is a judging
//! error where box init listened and heard nothing, and the program's own doing where nobody could listen.
//!
//! This costs only what ends that way, and a bounded number of times. It is not seen when a child of the program is
//! killed and the program tells of it in no way that is known here.

use nix::sys::signal::Signal;

use crate::sandbox::{Exit, Outcome};

/// How often a test is run again whose program, or whose checker or interactor, ends that way.
pub(crate) const RERUNS: u32 = 2;
/// How often a source is compiled again.
pub(crate) const RECOMPILATIONS: u32 = 1;

/// Signals that are sent to end a process, not raised by an error of its own.
const SIGNALS: [i32; 5] = [libc::SIGKILL, libc::SIGTERM, libc::SIGHUP, libc::SIGINT, libc::SIGQUIT];

/// How compilers and shells tell that a part of theirs was killed.
const TOLD: [&str; 8] =
    ["killed", "sigkill", "sigterm", "signal 9", "signal: 9", "signal 15", "signal: 15", "terminated"];

/// Returns whether the run may have been ended from outside.
pub(crate) fn may_have_ended(outcome: &Outcome) -> bool {
    outcome.stopped.is_empty()
        && outcome.asked_to_end != Some(true)
        && match outcome.exit {
            Exit::Signal(signal) => SIGNALS.contains(&signal),
            // Runtimes that handle SIGTERM, and shells whose child was killed, end with 128 and the signal's number.
            Exit::Code(code) => SIGNALS[..2].contains(&(code - 128)),
            Exit::NotStarted { .. } => false,
        }
}

/// Returns whether the run was ended from outside: by a signal that no process of the box has asked for.
pub(crate) fn has_ended(outcome: &Outcome) -> bool {
    may_have_ended(outcome) && outcome.asked_to_end == Some(false) && matches!(outcome.exit, Exit::Signal(_))
}

/// Returns whether a failed compiler or a part of it may have been killed from outside: a compiler's driver ends by itself
/// and reports what happened to its parts.
pub(crate) fn may_have_ended_compiler(outcome: &Outcome, log: &str) -> bool {
    let log = log.to_ascii_lowercase();
    may_have_ended(outcome)
        || (outcome.stopped.is_empty()
            && matches!(outcome.exit, Exit::Code(code) if code != 0)
            && TOLD.iter().any(|told| log.contains(told)))
}

/// Returns a signal's name and its usual meaning (signal(7)).
pub(crate) fn meaning(signal: i32) -> String {
    let Ok(known) = Signal::try_from(signal) else { return named(signal) };
    let meaning = match known {
        Signal::SIGSEGV => "invalid memory reference",
        Signal::SIGABRT => "aborted",
        Signal::SIGFPE => "erroneous arithmetic, such as a division by zero",
        Signal::SIGBUS => "bad memory access",
        Signal::SIGILL => "illegal instruction",
        Signal::SIGTRAP => "trap",
        Signal::SIGSYS => "bad system call",
        Signal::SIGPIPE => "wrote to a pipe that nobody reads",
        Signal::SIGXFSZ => "wrote more to a file than allowed",
        Signal::SIGKILL => "killed",
        Signal::SIGTERM => "asked to end",
        _ => return known.as_str().to_owned(),
    };
    format!("{known}, {meaning}")
}

/// Returns a signal's number and name, for people.
pub(crate) fn named(signal: i32) -> String {
    let name = Signal::try_from(signal).map_or("a real-time signal", Signal::as_str);
    format!("signal {signal} ({name})")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sandbox::{MemorySource, Stopped};
    use crate::units::Bytes;

    fn outcome(exit: Exit, stopped: &[Stopped]) -> Outcome {
        Outcome {
            exit,
            stopped: stopped.to_vec(),
            cpu: Duration::ZERO,
            wall: Duration::ZERO,
            memory: Bytes(0),
            memory_bound: None,
            memory_source: MemorySource::Peak,
            output_bytes: 0,
            asked_to_end: None,
        }
    }

    #[test]
    fn only_signals_that_others_send_and_nothing_of_ours_are_in_doubt() {
        for exit in
            [Exit::Signal(libc::SIGKILL), Exit::Signal(libc::SIGTERM), Exit::Code(137), Exit::Code(143)]
        {
            assert!(may_have_ended(&outcome(exit, &[])), "{exit:?}");
            assert!(!may_have_ended(&outcome(exit, &[Stopped::Memory])), "{exit:?}");
        }
        for exit in [Exit::Code(0), Exit::Code(1), Exit::Code(129), Exit::Signal(libc::SIGSEGV)] {
            assert!(!may_have_ended(&outcome(exit, &[])), "{exit:?}");
        }
    }

    #[test]
    fn what_a_process_of_the_box_asked_for_is_its_own_doing() {
        for (asked_to_end, may_have, has) in
            [(None, true, false), (Some(false), true, true), (Some(true), false, false)]
        {
            let killed = Outcome { asked_to_end, ..outcome(Exit::Signal(libc::SIGKILL), &[]) };
            assert_eq!((may_have_ended(&killed), has_ended(&killed)), (may_have, has), "{asked_to_end:?}");
        }
        let told = Outcome { asked_to_end: Some(false), ..outcome(Exit::Code(137), &[]) };
        assert!(may_have_ended(&told) && !has_ended(&told), "a program may exit with any code");
    }

    #[test]
    fn a_compilers_driver_tells_of_its_parts() {
        let failed = outcome(Exit::Code(1), &[]);
        for log in [
            "g++: fatal error: Killed signal terminated program cc1plus",
            "error: could not compile (signal: 9, SIGKILL: kill)",
            "go: signal: killed",
        ] {
            assert!(may_have_ended_compiler(&failed, log), "{log}");
            assert!(!may_have_ended_compiler(&outcome(Exit::Code(0), &[]), log), "{log}");
        }
        assert!(!may_have_ended_compiler(&failed, "main.cpp:1:1: error: expected ';'"));
    }
}
