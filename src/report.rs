//! What goes back: the report of a judging and the events on the way to it.
//!
//! Plain data, the message format of version 1 that backends read; a field once published keeps its name
//! and unit. Times are milliseconds, sizes KiB or bytes as their names say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::submission::SCHEMA;
use crate::verdict::{Reason, Verdict};

/// The final word on one judging: the `done` event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Message format version.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: u32,
    /// Always `done`.
    #[serde(rename = "type")]
    #[schemars(extend("const" = "done"))]
    pub kind: String,
    /// The submission's id.
    pub id: String,
    /// Which judging of it.
    pub judging: String,
    /// One verdict for the whole submission.
    pub verdict: Verdict,
    /// Its finer cause.
    pub reason: Option<Reason>,
    /// Every verdict any test got, AC left out unless alone, in order of first appearance.
    pub flags: Vec<Verdict>,
    /// Score, where the problem has scores; none with CE, JE and CX.
    pub score: Option<f64>,
    /// Smallest and largest possible score, where the problem says them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<RangeReport>,
    /// How compiling went.
    pub compile: CompileReport,
    /// The limits of each test that has none of its own; missing where nothing was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitsReport>,
    /// Every test, in the package's order.
    pub tests: Vec<TestReport>,
    /// Every group of tests, in the package's order, each after the one it stands in; empty where there are none, and
    /// where nothing was run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupReport>,
    /// Name of the first test, in order, that was not accepted.
    pub first_failure: Option<String>,
    /// Largest CPU time over the tests.
    pub max_cpu_ms: f64,
    /// Largest memory peak over the tests.
    pub max_memory_kib: u64,
    /// Where the time went.
    pub phases_ms: Phases,
    /// What judged it.
    pub provenance: Provenance,
    /// For a judging error: what happened, for the jury, never for the contestant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Parts of the message that have no effect, such as misspelt keys: one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Echo of the submission's `meta`.
    pub meta: Map<String, Value>,
}

/// How compiling went.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CompileReport {
    /// Whether there is a program to run.
    pub ok: bool,
    /// Whether it came from the cache.
    pub cached: bool,
    /// Why there is none.
    pub reason: Option<Reason>,
    /// The compiler's output, cut to a bounded length.
    pub log: String,
    /// CPU time of the compiler; 0 when cached or when the language does not compile.
    pub cpu_ms: f64,
    /// Wall time of the compiler.
    pub wall_ms: f64,
    /// Memory peak of the compiler.
    pub memory_kib: u64,
}

/// One test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TestReport {
    /// Its name: path below the package's `data/` without the ending.
    pub name: String,
    /// The groups it stands in.
    pub groups: Vec<String>,
    /// Whether contestants may see the whole test; missing where they may not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sample: bool,
    /// What it got.
    pub verdict: Verdict,
    /// The finer cause.
    pub reason: Option<Reason>,
    /// Score of the test, where the problem has scores.
    pub score: Option<f64>,
    /// CPU time of the whole process tree.
    pub cpu_ms: f64,
    /// Wall time from the program's birth to its end.
    pub wall_ms: f64,
    /// Memory peak of the whole process tree.
    pub memory_kib: u64,
    /// What that peak cannot have been above: the peak of the group, page cache included. Missing where there are no
    /// cgroups, which count everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bound_kib: Option<u64>,
    /// How `memory_kib` was found: `peak` (the group's peak, exact), `looks` (a single process that filled page cache, told
    /// apart by looks at the group while it ran), `resident` (the same on a busy host: the largest resident size, in which
    /// mapped files may be), `peak-with-cache` (page cache may be in it) or `processes` (no cgroups: sampled sums).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_source: Option<String>,
    /// Bytes written to standard output.
    pub output_bytes: u64,
    /// Exit code, unless it died of a signal.
    pub exit_code: Option<i32>,
    /// Signal it died of.
    pub signal: Option<i32>,
    /// One line for people: the first difference, the signal's name, what the checker tells the contestant.
    pub message: String,
    /// What the checker tells the jury alone: several lines, at most 4096 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge_message: Option<String>,
    /// What the program wrote to standard error: at most 4096 bytes, of a longer text the beginning and the end, and 64 KiB in
    /// all tests of a report, after which a line says that it is left out. Missing where it wrote nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
    /// Its limits, where they are not those of the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitsReport>,
}

/// The limits that a program had: the package's, what the submission asked for as far as it may, and what its language gets
/// on top.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LimitsReport {
    /// CPU time over the process tree; missing, as all but `output_bytes`, where answers are handed in and nothing runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<f64>,
    /// Wall time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_ms: Option<f64>,
    /// Memory over the process tree, what the language's runtime needs included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_kib: Option<u64>,
    /// Bytes on standard output, or in the output file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
    /// Processes and threads at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
}

/// One group of tests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GroupReport {
    /// Its name: path below the package's `data/`, or what its format calls it.
    pub name: String,
    /// What it got; SK where nothing in it was run.
    pub verdict: Verdict,
    /// Its score, where the problem has scores and the group was reached.
    pub score: Option<f64>,
    /// Smallest and largest possible score, where the package says them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<RangeReport>,
}

/// Both ends of the possible scores; none where there is no bound.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RangeReport {
    /// Smallest.
    pub min: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
}

/// Milliseconds spent in each phase.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Phases {
    /// Waiting in the queue.
    pub queue: f64,
    /// Loading the package and the sources.
    pub fetch: f64,
    /// Compiling, or the cache look-up.
    pub compile: f64,
    /// Running and checking all tests.
    pub tests: f64,
    /// Publishing the verdict.
    pub publish: f64,
}

/// What judged a submission, so that a verdict can be explained a year later.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Provenance {
    /// gavel's version.
    pub gavel: String,
    /// The worker's name.
    pub worker: String,
    /// Language id.
    pub language: String,
    /// First line of the toolchain's own version output.
    pub toolchain: String,
    /// `sha256:` and the digest of everything in the package that judging reads.
    pub package: String,
    /// Kernel release.
    pub kernel: String,
    /// CPU model.
    pub cpu: String,
    /// Resource control in force: `cgroup-v2`, `cgroup-hybrid`, `cgroup-v1` or `none`.
    pub sandbox: String,
    /// Where memory figures come from: `memory.peak`, `max_usage_in_bytes` or `ru_maxrss`.
    pub memory_source: String,
    /// Where programs ran: `leased`, each alone on a core that no other gavel process of the host used meanwhile; or
    /// `shared`, on any core, which the programs of others may have used at the same time.
    #[serde(default)]
    pub cores: String,
    /// What the resource control in force does not promise, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limitations: Vec<String>,
}

/// One event on the way of a judging.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(into = "EventFields")]
pub struct Event {
    /// Message format version.
    pub schema: u32,
    /// The submission's id.
    pub id: String,
    /// Which judging of it.
    pub judging: String,
    /// Unique for this attempt at the judging.
    pub run: String,
    /// The worker's name.
    pub worker: String,
    /// Counts up from 0 within the run.
    pub seq: u64,
    /// RFC 3339, UTC, microseconds.
    pub time: String,
    /// What happened.
    pub kind: EventKind,
}

/// An event as it is written. A report names schema and judging itself, and no key may come twice.
#[derive(Serialize, JsonSchema)]
struct EventFields {
    /// Message format version.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("const" = SCHEMA))]
    schema: Option<u32>,
    /// The submission's id; what could be read of it where the message was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    id: Option<String>,
    /// Which judging of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    judging: Option<String>,
    /// Unique for this attempt at the judging; empty where a message was refused.
    run: String,
    /// The worker's name.
    worker: String,
    /// Counts up from 0 within the run.
    seq: u64,
    /// RFC 3339, UTC, microseconds.
    time: String,
    #[serde(flatten)]
    kind: EventKind,
}

impl From<Event> for EventFields {
    fn from(event: Event) -> Self {
        let is_report = matches!(event.kind, EventKind::Done(_));
        Self {
            schema: (!is_report).then_some(event.schema),
            id: (!is_report).then_some(event.id),
            judging: (!is_report).then_some(event.judging),
            run: event.run,
            worker: event.worker,
            seq: event.seq,
            time: event.time,
            kind: event.kind,
        }
    }
}

/// What an [`Event`] tells. The report of `done` is the [`Report`] itself, not wrapped.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum EventKind {
    /// A worker has it.
    Accepted {
        /// Tests that will be told of.
        tests: usize,
        /// Parts of the message that have no effect, such as misspelt keys: one line each.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        warnings: Vec<String>,
    },
    /// The compiler runs (not sent on a cache hit).
    Compiling,
    /// Compiling is over.
    Compiled {
        /// How it went.
        compile: CompileReport,
    },
    /// A test is decided; in judging order, which is the package's unless groups hold tests in another.
    Test {
        /// Its place in the report, from 0.
        index: usize,
        /// Its result.
        test: Box<TestReport>,
    },
    /// A group is decided.
    Group {
        /// The group's name.
        name: String,
        /// What it got.
        verdict: Verdict,
        /// Its score, where the problem has scores.
        score: Option<f64>,
        /// Smallest and largest possible score, where the package says them.
        #[serde(skip_serializing_if = "Option::is_none")]
        range: Option<RangeReport>,
    },
    /// Cancelled before it was done.
    Cancelled,
    /// This worker gave the submission back to its queue; another run of it follows, here or on another worker.
    Returned {
        /// Why.
        message: String,
    },
    /// A judging error, told as it happens; a `done` with JE follows.
    Error {
        /// What happened.
        message: String,
    },
    /// Judged.
    #[serde(untagged)]
    Done(Box<Report>),
}
