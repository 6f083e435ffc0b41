//! Tests on which a program of the jury's runs beside the contestant's, or which take several passes.
//!
//! An interactor has a box of its own, with its own limits and counters, on the same core: one slot is enough, and no
//! judging ever waits for a second slot while it holds one. The two talk through [`run_group`], which is what makes
//! the table below certain: neither learns of the other's end but through gavel, and a program that has failed is
//! given away only when the interactor sleeps and has read everything. "Unprompted" is what the interactor says
//! before that. The first line that fits decides:
//!
//! | the contestant's program | the interactor | verdict |
//! |---|---|---|
//! | was stopped at its CPU, memory or output limit | ends in any way | TLE, MLE, OLE |
//! | was stopped at its wall limit | sleeps over words it has not read | JE |
//! | was stopped at its wall limit | ends by itself when told | WTL |
//! | any | crashes, hangs, floods, breaks its protocol | JE |
//! | any: it is stopped, or has failed meanwhile | rejects unprompted | WA |
//! | fails by itself, or ended beyond a limit | accepts, or rejects when told | RTE, TLE, MLE |
//! | ends well, before or after | rejects | WA |
//! | ends well, before or after | accepts | AC, or what the checker says of what the interactor wrote |
//!
//! A program that waits for an interactor that waits for it is stopped at its wall limit (WTL); so is one that forgot to
//! flush. An interactor that waits for something else is not told apart from that until it must react: it has its own
//! CPU limit, and ten seconds more on the clock, from when the program has ended; if it does not end by itself then, it is
//! JE. CPU time that the interactor uses is no wall time of the program. Words for somebody who has left go
//! nowhere; they are no crash, as with problemtools and DOMjudge.
//!
//! This follows problemtools, DOMjudge and BAPCtools where they agree. They differ on a program that closes its standard
//! output and goes on: DOMjudge's interactor reads an end there and then, the others' only at the program's end, as
//! here, so that what the program does next has its own verdict. They differ on an interactor that
//! crashes when a program was stopped at a limit: problemtools has TLE, the others an internal error. The limit is
//! certain, so it stands.
//!
//! In several passes (2025-09, "Multi-pass validation"), each pass is judged like that; times and memory are those of the
//! worst pass, bytes written those of all.
//!
//! [`run_group`]: crate::sandbox::run_group

mod communication;
pub(in crate::judge) mod counterpart;
mod decision;
mod dialogue;
mod passes;
pub(in crate::judge) mod processes;
mod transcript;
mod two_steps;

pub(in crate::judge) use passes::run_test;
