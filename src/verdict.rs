//! Verdicts, the reasons beside them, and which of several wins.
//!
//! The ids are the CLICS judgement types (CCS specification, "Judgement types"), with WTL, SK, CX and SV
//! where CLICS has no finer id. Plain data: nothing here knows how a verdict was reached.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a test or a submission got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Verdict {
    /// Accepted.
    AC,
    /// Wrong answer: the checker said no.
    WA,
    /// CPU time limit, over the whole process tree.
    TLE,
    /// Wall-clock limit: asleep, blocked or idle for too long.
    WTL,
    /// Memory limit.
    MLE,
    /// Output limit.
    OLE,
    /// Run-time error: non-zero exit or a signal.
    RTE,
    /// Security violation, only where the kernel says so for certain.
    SV,
    /// Compile error.
    CE,
    /// Judging error: ours, the package's or the checker's; never charged to the contestant.
    JE,
    /// Not run: its groups were decided without it.
    SK,
    /// Cancelled.
    CX,
}

impl Verdict {
    /// All verdicts, in the order tables list them.
    pub const ALL: [Self; 12] = [
        Self::AC,
        Self::WA,
        Self::TLE,
        Self::WTL,
        Self::MLE,
        Self::OLE,
        Self::RTE,
        Self::SV,
        Self::CE,
        Self::JE,
        Self::SK,
        Self::CX,
    ];

    /// The CLICS-like id, as in reports.
    pub const fn id(self) -> &'static str {
        match self {
            Self::AC => "AC",
            Self::WA => "WA",
            Self::TLE => "TLE",
            Self::WTL => "WTL",
            Self::MLE => "MLE",
            Self::OLE => "OLE",
            Self::RTE => "RTE",
            Self::SV => "SV",
            Self::CE => "CE",
            Self::JE => "JE",
            Self::SK => "SK",
            Self::CX => "CX",
        }
    }

    /// Whether this decides a pass-fail submission against the contestant when a test gets it.
    pub const fn is_rejection(self) -> bool {
        matches!(
            self,
            Self::WA | Self::TLE | Self::WTL | Self::MLE | Self::OLE | Self::RTE | Self::SV | Self::CE
        )
    }

    /// Rank among everything that applied to one test; the smallest wins.
    ///
    /// Ours first (a contestant is never charged for it), then limits, then the program's end, then the
    /// checker's opinion. Memory comes before time because a program out of memory often stalls as well.
    pub const fn precedence(self) -> u8 {
        match self {
            Self::CX => 0,
            Self::JE => 1,
            Self::CE => 2,
            Self::MLE => 3,
            Self::OLE => 4,
            Self::TLE => 5,
            Self::WTL => 6,
            Self::SV => 7,
            Self::RTE => 8,
            Self::WA => 9,
            Self::AC => 10,
            Self::SK => 11,
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.id())
    }
}

/// The finer cause behind a verdict, where there is one to name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// CE: the compiler rejected the source.
    Error,
    /// CE: the compiler ran out of its time.
    Time,
    /// CE: the compiler ran out of its memory.
    Memory,
    /// CE: the compiler wrote too much, or produced no usable program.
    Output,
    /// RTE: the program exited with a non-zero code.
    ExitCode,
    /// RTE: the program died of a signal.
    Signal,
    /// RTE: the program could not be started (an interpreter named in its first line is missing, say).
    Start,
    /// JE: gavel's sandbox or host failed.
    Sandbox,
    /// JE: the package is broken.
    Package,
    /// JE: the checker crashed, timed out or broke its protocol.
    Checker,
    /// JE: the language is configured wrongly or its toolchain is missing.
    Language,
    /// JE: the submission's own message is wrong: broken base64, no file, a limit of zero, an unknown value.
    Submission,
}

impl Reason {
    /// The id in reports.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Time => "time",
            Self::Memory => "memory",
            Self::Output => "output",
            Self::ExitCode => "exit-code",
            Self::Signal => "signal",
            Self::Start => "start",
            Self::Sandbox => "sandbox",
            Self::Package => "package",
            Self::Checker => "checker",
            Self::Language => "language",
            Self::Submission => "submission",
        }
    }
}

/// The winner among everything that applied to one test; AC when nothing did.
pub fn decide(applied: &[Verdict]) -> Verdict {
    applied.iter().copied().min_by_key(|verdict| verdict.precedence()).unwrap_or(Verdict::AC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_match_serialised_form() {
        for verdict in Verdict::ALL {
            assert_eq!(serde_json::to_string(&verdict).unwrap(), format!("\"{}\"", verdict.id()));
        }
    }

    #[test]
    fn judging_errors_win_over_limits_and_limits_over_crashes() {
        assert_eq!(decide(&[Verdict::RTE, Verdict::TLE]), Verdict::TLE);
        assert_eq!(decide(&[Verdict::RTE, Verdict::MLE, Verdict::TLE]), Verdict::MLE);
        assert_eq!(decide(&[Verdict::WA, Verdict::RTE]), Verdict::RTE);
        assert_eq!(decide(&[Verdict::MLE, Verdict::JE]), Verdict::JE);
        assert_eq!(decide(&[]), Verdict::AC);
    }
}
