//! Runs tests on which the jury's program runs beside the contestant's, or which take several passes.
//!
//! An interactor has a box of its own, with its own limits and counters, on the same core: one slot is enough, and no judging
//! waits for a second slot while it holds one. Both programs talk through [`exec::Dialogue`](crate::judge::exec::Dialogue),
//! which makes the table below certain: a program learns of the other's end only through gavel, and the interactor learns
//! that the program has failed only when it sleeps and has read everything. The interactor's answer before that is
//! "unprompted". The first line that fits decides:
//!
//! | the contestant's program | the interactor | verdict |
//! |---|---|---|
//! | was stopped at its CPU, memory or output limit | ends in any way | TLE, MLE, OLE |
//! | was stopped at its wall limit | sleeps over input it has not read | JE |
//! | was stopped at its wall limit | ends by itself at the program's end | WTL |
//! | any | crashes, hangs, floods, breaks its protocol | JE |
//! | any: it is stopped, or has failed meanwhile | rejects unprompted | WA |
//! | fails by itself, or ended beyond a limit | accepts, or rejects at the program's end | RTE, TLE, MLE |
//! | ends well, before or after | rejects | WA |
//! | ends well, before or after | accepts | AC, or the checker's verdict on the interactor's output |
//!
//! A program that waits for an interactor that waits for the program is stopped at its wall limit (WTL); so is one that
//! forgot to flush. An interactor that waits for something else looks the same until it must react: it has its own CPU limit,
//! and ten seconds of wall time from the program's end; if it does not end by itself then, the verdict is JE. CPU time of the
//! interactor is not wall time of the program. Output for a program that has ended is dropped and is no crash, as with
//! problemtools and DOMjudge.
//!
//! These rules follow problemtools, DOMjudge and BAPCtools where they agree. They differ on a program that closes its
//! standard output and goes on: DOMjudge's interactor reads end of file at once, the others' only at the program's end, as
//! here, so that the rest of the run has its own verdict. They also differ on an interactor that crashes when a program was
//! stopped at a limit: problemtools has TLE, the others an internal error. The limit is certain, so it decides here.
//!
//! In several passes (2025-09, "Multi-pass validation"), each pass is judged like that; times and memory are those of the
//! worst pass, bytes written are the sum of all.

mod communication;
pub(crate) mod counterpart;
mod decision;
mod dialogue;
mod passes;
pub(crate) mod processes;
mod transcript;
mod two_steps;

pub(crate) use passes::run_test;
