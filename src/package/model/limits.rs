//! Defines the limits of a problem and of single tests.

use std::time::Duration;

use super::program::ProgramLimits;
use crate::units::Bytes;

/// Limits of one test (Hydro and sinol: of a test or its subtask; UOJ: `time_limit_N`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TestLimits {
    /// CPU time; `None` is the package's.
    pub time: Option<Duration>,
    /// Memory over the process tree; `None` is the package's.
    pub memory: Option<Bytes>,
}

/// Limits of a problem; a language's factor and extra come on top.
#[derive(Debug, Clone, PartialEq)]
pub struct PackageLimits {
    /// CPU time.
    pub time: TimeLimit,
    /// Wall time; `None` derives it from the CPU limit.
    pub wall: Option<Duration>,
    /// Memory over the process tree.
    pub memory: Bytes,
    /// Bytes on standard output.
    pub output: Bytes,
    /// Bytes of all source files together.
    pub code: Bytes,
    /// Processes and threads.
    pub processes: Option<u32>,
    /// CPU time of the compiler.
    pub compilation_time: Option<Duration>,
    /// Memory of the compiler.
    pub compilation_memory: Option<Bytes>,
}

impl PackageLimits {
    /// Memory where a format has no default of its own: that of the ICPC formats, as the next two.
    pub const MEMORY: Bytes = Bytes::mib(2048);
    /// Bytes on standard output where a format has no default of its own.
    pub const OUTPUT: Bytes = Bytes::mib(8);
    /// Bytes of source files where a format has no default of its own.
    pub const CODE: Bytes = Bytes::kib(128);

    /// A solution that makes answers may take so many times the CPU time of a submission.
    const SOLUTION_FACTOR: u32 = 10;

    /// Raises `limits` to what a solution that makes answers needs: ten times the CPU time of a submission, and its memory.
    pub(crate) fn raised_for_solution(&self, limits: ProgramLimits) -> ProgramLimits {
        let time = match self.time {
            TimeLimit::Fixed(time) => limits.time.max(time.saturating_mul(Self::SOLUTION_FACTOR)),
            TimeLimit::FromSubmissions { .. } => limits.time,
        };
        ProgramLimits { time, memory: limits.memory.max(self.memory), ..limits }
    }

    /// Limits with this CPU time and the defaults of the ICPC formats.
    pub const fn new(time: TimeLimit) -> Self {
        Self {
            time,
            wall: None,
            memory: Self::MEMORY,
            output: Self::OUTPUT,
            code: Self::CODE,
            processes: None,
            compilation_time: None,
            compilation_memory: None,
        }
    }
}

/// The CPU limit, or how to find one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TimeLimit {
    /// The package says it.
    Fixed(Duration),
    /// From the slowest jury submission with [`super::JurySubmission::sets_time_limit`]: its time × `multiplier`, at least one `resolution`, rounded up
    /// to a multiple of `resolution`.
    FromSubmissions {
        /// Kattis' `time_multiplier`, 2025-09's `time_multipliers.ac_to_time_limit`.
        multiplier: f64,
        /// 2025-09's `time_resolution`; a second elsewhere.
        resolution: Duration,
    },
}
