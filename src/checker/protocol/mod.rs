//! How a checker program is called and how it answers: the conventions of four families of tools.
//!
//! Pure functions of what a run of a checker left behind; nothing here runs anything. An answer that its protocol does
//! not know decides nothing about the output that was checked.

/// A convention between judges and checkers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Kattis output validators (problem package format, "Output validators"): `input answer feedback/ [arguments]`, the
    /// output on standard input; exit code 42 accepts, 43 rejects; messages and scores are files in the feedback directory.
    Kattis,
    /// testlib (`testlib.h`): `input output answer [arguments]`; exit code 0 accepts, 1, 2, 4 and 8 reject, 5, 7 and
    /// 16 and above accept in part; the message is on standard error.
    Testlib,
    /// CMS ("Standard manager output"): `input answer output [arguments]`; exit code 0 and a score between 0 and 1 in
    /// the first line of standard output; the contestant's message in the first line of standard error.
    Cms,
    /// DMOJ's bridged checkers (`bridged`, `type`).
    Dmoj(DmojKind),
}

/// DMOJ's `type` of a bridged checker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DmojKind {
    /// `default`: `input output answer`; exit code 0 accepts, 1 rejects.
    Default,
    /// `testlib`: as `default`, with 2 rejecting and 7 accepting in part, `points N` being on standard error.
    Testlib,
    /// `coci`: as `testlib`, but a part is `partial A/B`.
    Coci,
    /// `peg`: `output answer input`; exit code 0 accepts, 1 rejects or accepts the part that two lines on standard
    /// output make.
    Peg,
}
