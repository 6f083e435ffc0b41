//! Decides between a program and an interactor that have both ended, by the table in this folder's `mod.rs`.

use crate::checker::{Grade, Opinion};
use crate::judge::fault::Fault;
use crate::sandbox::{Ending, Outcome, Stopped};

/// Which of both decides.
#[derive(Debug)]
pub(crate) enum Decision {
    /// What the program did; what the interactor said is for the jury to read.
    Program(Option<Opinion>),
    /// What the interactor said.
    Interactor(Opinion),
    /// What the program did, and where that is nothing, what the interactor said.
    Both(Opinion),
}

/// Applies the table. `said` is the interactor's answer, or why it is none.
///
/// # Errors
/// The interactor's fault.
pub(crate) fn decide(
    program: &Outcome,
    interactor: &Ending,
    said: Result<Opinion, Fault>,
) -> Result<Decision, Fault> {
    // What came later than the first reason came of being killed.
    let stopped = program.stopped.first();
    if matches!(stopped, Some(Stopped::Cpu | Stopped::Memory | Stopped::Output)) {
        return Ok(Decision::Program(said.ok()));
    }
    let left_when_told = !interactor.unprompted && interactor.outcome.stopped.is_empty();
    match said {
        Err(_) if stopped == Some(&Stopped::Wall) && left_when_told => Ok(Decision::Program(None)),
        Err(fault) => Err(fault),
        Ok(opinion) if stopped == Some(&Stopped::Cancelled) => Ok(Decision::Interactor(opinion)),
        Ok(opinion) if opinion.grade == Grade::Wrong && interactor.unprompted && stopped.is_none() => {
            Ok(Decision::Interactor(opinion))
        }
        Ok(opinion) => Ok(Decision::Both(opinion)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sandbox::{Exit, MemorySource};
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

    fn said(grade: Grade) -> Result<Opinion, Fault> {
        Ok(Opinion { grade, score: None, team_message: String::new(), judge_message: String::new() })
    }

    fn who(program: &Outcome, interactor: &Ending, said: Result<Opinion, Fault>) -> &'static str {
        match decide(program, interactor, said) {
            Ok(Decision::Program(_)) => "program",
            Ok(Decision::Interactor(_)) => "interactor",
            Ok(Decision::Both(_)) => "both",
            Err(_) => "fault",
        }
    }

    fn broken() -> Result<Opinion, Fault> {
        Err(Fault::Checker("it crashed".to_owned()))
    }

    #[test]
    fn every_line_of_the_table_decides() {
        let told =
            |stopped: &[Stopped]| Ending { outcome: outcome(Exit::Code(1), stopped), unprompted: false };
        let unprompted = Ending { outcome: outcome(Exit::Code(43), &[]), unprompted: true };
        let killed = |reason| outcome(Exit::Signal(9), &[reason]);
        let (well, crashed) = (outcome(Exit::Code(0), &[]), outcome(Exit::Signal(11), &[]));
        for limit in [Stopped::Cpu, Stopped::Memory, Stopped::Output] {
            assert_eq!(who(&killed(limit), &told(&[Stopped::Wall]), broken()), "program");
            assert_eq!(who(&killed(limit), &told(&[]), said(Grade::Wrong)), "program");
        }
        assert_eq!(who(&killed(Stopped::Wall), &told(&[]), broken()), "program");
        assert_eq!(who(&killed(Stopped::Wall), &told(&[]), said(Grade::Wrong)), "both");
        assert_eq!(who(&killed(Stopped::Wall), &told(&[Stopped::Wall]), broken()), "fault");
        assert_eq!(who(&killed(Stopped::Wall), &told(&[Stopped::Cpu]), broken()), "fault");
        for program in [&well, &crashed, &killed(Stopped::Cancelled)] {
            assert_eq!(who(program, &told(&[]), broken()), "fault");
            assert_eq!(who(program, &unprompted, broken()), "fault");
        }
        assert_eq!(who(&crashed, &unprompted, said(Grade::Wrong)), "interactor");
        assert_eq!(who(&killed(Stopped::Cancelled), &unprompted, said(Grade::Wrong)), "interactor");
        assert_eq!(who(&crashed, &told(&[]), said(Grade::Wrong)), "both");
        assert_eq!(who(&crashed, &unprompted, said(Grade::Accepted)), "both");
        assert_eq!(who(&crashed, &unprompted, said(Grade::Partial)), "both");
        assert_eq!(who(&well, &unprompted, said(Grade::Accepted)), "both");
    }

    #[test]
    fn only_the_first_reason_for_a_stop_counts() {
        let needless = outcome(Exit::Signal(9), &[Stopped::Cancelled, Stopped::Memory]);
        let unprompted = Ending { outcome: outcome(Exit::Code(43), &[]), unprompted: true };
        assert_eq!(who(&needless, &unprompted, said(Grade::Wrong)), "interactor");
        let over = outcome(Exit::Signal(9), &[Stopped::Memory, Stopped::Cancelled]);
        assert_eq!(who(&over, &unprompted, said(Grade::Wrong)), "program");
    }
}
