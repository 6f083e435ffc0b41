//! gavel judges programming-contest submissions: it compiles each once, runs it on every test in a sandbox,
//! checks its output and says what it got.
//!
//! # The way of a submission
//!
//! ```text
//! command line
//! or queue     ─▶ submission ─▶ package (tests, limits, checkers) ───┐
//!                            └▶ compile (through the cache) ──────────┤
//!                                                                     ▼
//!                                   for each test: run in a box ─▶ compare ─▶ verdict
//!                                                                     ▼
//!                                            report, with events all along
//! ```
//!
//! [`judge::Judge::judge`] is that picture as one call: a function of the submission, the package, the
//! language table and the machine, with a place for events and a token that cancels.
//!
//! Over a queue that call is the middle of a longer way, and its ends are [`queue`]'s:
//!
//! ```text
//! broker ─▶ intake ─▶ backlog ─▶ judging thread: workspace finds the package, judge judges ─▶ publisher ─▶ broker
//!   ▲                                                                                            │ confirmed
//!   └───────────────────────────────── acknowledged ◀────────────────────────────────────────────┘
//! ```
//!
//! `judge` and `verify` on the command line leave all of that out. Over standard streams, and in `replay`
//! without a broker, another pair of ends stands at the same backlog.
//!
//! # Where things are
//!
//! | module | what it knows | what it refuses to know |
//! |---|---|---|
//! | [`cli`], [`commands`] | flags, terminals, exit codes; the only place that wires layers together | how anything is judged |
//! | [`monitor`] | what operators see: the HTTP port, systemd | what is in a message |
//! | [`queue`] | messages, what waits, the worker's threads; standard streams, RabbitMQ, and the senders' side of it | how anything is judged, what a package is |
//! | [`workspace`] | package roots, inline tests, what changed on disk, what is fetched and unpacked | where submissions come from |
//! | [`judge`] | the order of steps, limits, verdicts, what runs when and where | queues, terminals, package formats |
//! | [`package`] | problem packages on disk, one folder a format, one model | programs, sandboxes |
//! | [`language`] | the language table and its templates | how a command is run |
//! | [`checker`] | whether an output is right | where it came from |
//! | [`checktestdata`] | whether an input has the format that a `.ctd` script describes | packages, verdicts |
//! | [`archive`] | zip and tar files, unpacked with limits | what is in them |
//! | [`cache`] | directories named by what they were made from | what is in them |
//! | [`sandbox`] | boxes: commands with limits in, facts out | verdicts, languages, packages |
//! | [`settings`] | what a worker is told, and where | connecting, listening, fetching |
//! | [`submission`], [`verdict`], [`report`], [`units`], [`instruments`], [`mod@cancel`] | plain data and its text forms; what is measured; the token that cancels | all input and output |
//!
//! Imports go one way: `commands → monitor → queue → settings → workspace → judge → package, language, checker, checktestdata, archive, cache → sandbox`;
//! the plain-data modules are for everyone. A test reads the `use crate::` lines and fails on a wrong
//! arrow.
//!
//! # The processes, threads and connections of a worker
//!
//! - The **keeper** is a process of its own, started before any thread: it makes and destroys boxes, and in each a
//!   **box init** starts programs ([`sandbox`]).
//! - **`judging-N`**, a thread a slot, takes a submission, judges it and hands its verdict over; it takes the next
//!   only when that verdict is safe. **`prefetching`** fetches what waits ahead.
//! - **`broker`** is one thread with an asynchronous runtime, and nothing else in the process has one. It holds three
//!   connections: *consuming* (a channel each for the three classes, for what the broker gave up, and for cancels),
//!   *publishing* (verdicts, one at a time), and *telling* (progress and copies, which may be dropped). So a broker that
//!   blocks publishers still gets acknowledgements, and nothing that may be lost delays what may not.
//! - **`signals`** waits for SIGTERM and SIGINT and **`stopping`** carries them out, **`http`** answers operators, **`watch`**
//!   tells systemd; over standard streams **`reader`** reads instead of `broker`.
//! - A sender (`submit`, `cancel`, `queue`, `replay --queue`) has no judge: one `broker` thread, and the command.
//!
//! # Where a submission's bytes go
//!
//! A message is read whole, at most 128 MiB, and becomes a [`submission::Submission`] that lives in the backlog until
//! its verdict is out; how many do is bounded by the prefetch, not by the queue. Source files go from there into
//! the compile box, what was compiled into the [`cache`] under the digest of all it was made from. Inline tests and
//! what is fetched become files of caches of their own, compared with their digest before use, and packages stay where
//! they are. A program's input is an open file, not a copy. Its output is held in memory up to 1 MiB and beyond that in
//! a file without a name, compared as a stream once the program is dead, and dropped: of it, the report keeps a count
//! and a line. The report is made into bytes once, and published again as the same bytes until the broker confirms
//! them. Nothing of a submission is on this host's disk that another could not make again: what is not acknowledged is
//! the broker's.
//!
//! # What always holds
//!
//! - A verdict against a contestant comes from what gavel did and counted, never from a signal a program can
//!   raise itself. Failures of ours, of the host or of the package are JE; in doubt it is JE, and never AC.
//! - When a run is over nothing it started is alive, and nothing it wrote is seen by the next.
//! - Whoever sends a submission to a worker gets one final verdict, and a reason for what cannot be read.
//! - A report does not depend on which test finished first, nor on how many slots there were.
//! - `unsafe` code is in `sandbox/sys/syscalls.rs` and `sandbox/init/spawn.rs` and nowhere else.

pub mod archive;
pub mod cache;
pub mod cancel;
pub mod checker;
pub mod checktestdata;
pub mod cli;
pub mod commands;
pub mod instruments;
pub mod judge;
pub mod language;
pub mod monitor;
mod nearest;
pub mod package;
pub mod queue;
pub mod report;
pub mod sandbox;
pub mod settings;
pub mod submission;
pub mod units;
pub mod verdict;
pub mod workspace;
