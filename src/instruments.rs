//! What a worker counts and times, for operators: each measurement by name, unit and label in one place.
//!
//! Every layer may call these functions; where they lead is decided once, by whoever installs a recorder for
//! the `metrics` facade. Nobody does but a worker that is asked to serve metrics, and without one a call is a
//! comparison. With one it is a look-up and an atomic addition, under a microsecond beside a millisecond's run.
//!
//! Names follow <https://prometheus.io/docs/practices/naming/>: base units, `_total` for what only grows. A
//! label has few values, known beforehand or from the operator's own language table, and never anything a
//! contestant wrote.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::submission::Priority;
use crate::verdict::Verdict;

const QUEUE_WAIT: &str = "gavel_queue_wait_seconds";
const JUDGING: &str = "gavel_judging_seconds";
const COMPILE: &str = "gavel_compile_seconds";
const TEST: &str = "gavel_test_seconds";
const PUBLISH: &str = "gavel_publish_seconds";
const VERDICTS: &str = "gavel_verdicts_total";
const UNCONFIRMED: &str = "gavel_verdicts_unconfirmed";
const WAITING: &str = "gavel_submissions_waiting";
const RUNNING: &str = "gavel_submissions_running";
const RETURNED: &str = "gavel_submissions_returned_total";
const SLOTS: &str = "gavel_slots";
const SLOTS_BUSY: &str = "gavel_slots_busy";
const CACHE_HITS: &str = "gavel_cache_hits_total";
const CACHE_MISSES: &str = "gavel_cache_misses_total";
const CACHE_EVICTIONS: &str = "gavel_cache_evictions_total";
const CACHE_BYTES: &str = "gavel_cache_bytes";
const BOXES: &str = "gavel_boxes";
const BOXES_BORN: &str = "gavel_boxes_born_total";
const BOXES_ENDED: &str = "gavel_boxes_ended_total";
const BOX_RENEWALS: &str = "gavel_box_renewals_total";
const CONNECTIONS: &str = "gavel_broker_connections_total";
const CONNECTION_FAILURES: &str = "gavel_broker_connection_failures_total";
const REFUSED: &str = "gavel_messages_refused_total";
const JOINED: &str = "gavel_redeliveries_joined_total";
const DROPPED: &str = "gavel_progress_dropped_total";
const BUILD: &str = "gavel_build_info";
const READY: &str = "gavel_ready";

/// The histograms with their buckets' upper bounds, in seconds: where decisions are made (a test against a
/// limit of a second or two, a compilation of seconds, a queue of minutes) they are dense.
pub const HISTOGRAMS: [(&str, &[f64]); 5] = [
    (QUEUE_WAIT, &[0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0]),
    (JUDGING, &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0]),
    (COMPILE, &[0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0]),
    (TEST, &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0]),
    (PUBLISH, &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0]),
];

/// Names both ends of the way to a broker.
pub const ROLES: [&str; 2] = ["consuming", "publishing"];

/// Why a box came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoxEnd {
    /// Its place was needed for one of another shape, or the worker ends.
    Unneeded,
    /// The kernel ended all of it when a program used up its memory; a new one took its place.
    OutOfMemory,
    /// The kernel kept page cache or looked-up names of its programs charged to it; a new one took its place.
    Overgrown,
    /// A fault of ours: it could not be cleaned, or a run in it was broken off.
    Fault,
}

impl BoxEnd {
    const ALL: [Self; 4] = [Self::Unneeded, Self::OutOfMemory, Self::Overgrown, Self::Fault];

    const fn id(self) -> &'static str {
        match self {
            Self::Unneeded => "unneeded",
            Self::OutOfMemory => "out_of_memory",
            Self::Overgrown => "overgrown",
            Self::Fault => "fault",
        }
    }
}

/// What of a box was made anew because a program had used it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoxPart {
    /// The work directory and `/tmp`: something was written.
    Files,
    /// The leaf cgroup programs run in.
    Cgroup,
}

impl BoxPart {
    const ALL: [Self; 2] = [Self::Files, Self::Cgroup];

    const fn id(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Cgroup => "cgroup",
        }
    }
}

/// What a message that was not taken in would have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It cannot be read, or is of a schema this version does not read.
    Malformed,
    /// It came where its kind does not belong.
    Misplaced,
    /// Another submission of the same id and judging, with other contents, is being judged.
    Conflict,
}

impl Refusal {
    const ALL: [Self; 3] = [Self::Malformed, Self::Misplaced, Self::Conflict];

    const fn id(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Misplaced => "misplaced",
            Self::Conflict => "conflict",
        }
    }
}

/// A submission was taken from the backlog after waiting so long.
pub fn judging_began(class: Priority, waited: Duration) {
    histogram!(QUEUE_WAIT, "class" => class.id()).record(waited);
}

/// A submission was judged, and its verdict is on its way.
pub fn judging_ended(verdict: Verdict, took: Duration) {
    histogram!(JUDGING).record(took);
    counter!(VERDICTS, "verdict" => verdict.id()).increment(1);
    gauge!(UNCONFIRMED).increment(1);
}

/// A verdict is safely out, or was given up, after so long.
pub fn verdict_is_out(took: Duration) {
    gauge!(UNCONFIRMED).decrement(1);
    histogram!(PUBLISH).record(took);
}

/// A submission that was begun went back to its queue, for another worker or a better time.
pub fn submission_returned() {
    counter!(RETURNED).increment(1);
}

/// What waits and what runs has changed.
pub fn backlog_changed(waiting: usize, running: usize) {
    gauge!(WAITING).set(float(waiting));
    gauge!(RUNNING).set(float(running));
}

/// A compiler ran for so long. Cache hits do not count.
pub fn compiled(language: &str, wall: Duration) {
    histogram!(COMPILE, "language" => language.to_owned()).record(wall);
}

/// A program ran on a test for so long.
pub fn tested(language: &str, wall: Duration) {
    histogram!(TEST, "language" => language.to_owned()).record(wall);
}

/// So many slots are in use.
pub fn slots_busy(count: usize) {
    gauge!(SLOTS_BUSY).set(float(count));
}

/// The cache was asked, and had it or not.
pub fn cache_looked_up(hit: bool) {
    counter!(if hit { CACHE_HITS } else { CACHE_MISSES }).increment(1);
}

/// An entry of the cache was removed to make room.
pub fn cache_evicted() {
    counter!(CACHE_EVICTIONS).increment(1);
}

/// The cache's size, as far as this process knows.
pub fn cache_size(bytes: u64) {
    #[allow(clippy::cast_precision_loss)] // Exact up to 2^53 bytes.
    gauge!(CACHE_BYTES).set(bytes as f64);
}

/// A box was made.
pub fn box_born() {
    counter!(BOXES_BORN).increment(1);
    gauge!(BOXES).increment(1);
}

/// A box was destroyed.
pub fn box_ended(why: BoxEnd) {
    counter!(BOXES_ENDED, "reason" => why.id()).increment(1);
    gauge!(BOXES).decrement(1);
}

/// A part of a box was made anew before its next run.
pub fn box_renewed(part: BoxPart) {
    counter!(BOX_RENEWALS, "part" => part.id()).increment(1);
}

/// A connection to a broker was made, in one of [`ROLES`].
pub fn connected(role: &'static str) {
    counter!(CONNECTIONS, "role" => role).increment(1);
}

/// A connection to a broker could not be made, or was lost.
pub fn connection_failed(role: &'static str) {
    counter!(CONNECTION_FAILURES, "role" => role).increment(1);
}

/// A message was not taken in.
pub fn message_refused(why: Refusal) {
    counter!(REFUSED, "reason" => why.id()).increment(1);
}

/// A submission came again while its judging waits or runs here: nothing was started.
pub fn redelivery_joined() {
    counter!(JOINED).increment(1);
}

/// An event was not told, because telling it would have delayed a verdict.
pub fn progress_dropped() {
    counter!(DROPPED).increment(1);
}

/// Whether the worker takes work.
pub fn ready(is_ready: bool) {
    gauge!(READY).set(if is_ready { 1.0 } else { 0.0 });
}

/// Describes everything above to the recorder, and begins every series whose labels are known at zero: what
/// appears only with its first event cannot be seen to increase by it.
pub fn begin(version: &'static str, sandbox: &'static str, slots: usize) {
    describe();
    gauge!(BUILD, "version" => version, "sandbox" => sandbox).set(1.0);
    gauge!(SLOTS).set(float(slots));
    slots_busy(0);
    backlog_changed(0, 0);
    gauge!(UNCONFIRMED).set(0.0);
    ready(false);
    for name in [CACHE_HITS, CACHE_MISSES, CACHE_EVICTIONS, BOXES_BORN, JOINED, DROPPED, RETURNED] {
        counter!(name).absolute(0);
    }
    for verdict in Verdict::ALL {
        counter!(VERDICTS, "verdict" => verdict.id()).absolute(0);
    }
    for end in BoxEnd::ALL {
        counter!(BOXES_ENDED, "reason" => end.id()).absolute(0);
    }
    for part in BoxPart::ALL {
        counter!(BOX_RENEWALS, "part" => part.id()).absolute(0);
    }
    for why in Refusal::ALL {
        counter!(REFUSED, "reason" => why.id()).absolute(0);
    }
    for role in ROLES {
        counter!(CONNECTIONS, "role" => role).absolute(0);
        counter!(CONNECTION_FAILURES, "role" => role).absolute(0);
    }
}

fn describe() {
    let seconds = [
        (QUEUE_WAIT, "From a submission's arrival at this worker to the beginning of its judging."),
        (JUDGING, "From the beginning of a judging to its verdict, compiling and all tests included."),
        (COMPILE, "Wall time of compilers that ran; what the cache had is not counted."),
        (TEST, "Wall time of a submission's program on one test."),
        (PUBLISH, "From a verdict to the queue's confirmation that it has it."),
    ];
    for (name, help) in seconds {
        describe_histogram!(name, Unit::Seconds, help);
    }
    let counters = [
        (VERDICTS, "Verdicts reached."),
        (CACHE_HITS, "Look-ups in the cache (programs, prepared files, packages) that found an entry."),
        (CACHE_MISSES, "Look-ups in the cache that found nothing."),
        (CACHE_EVICTIONS, "Entries removed from the cache to make room."),
        (BOXES_BORN, "Boxes made."),
        (BOXES_ENDED, "Boxes destroyed, by why."),
        (BOX_RENEWALS, "Parts of boxes made anew because a program had used them."),
        (CONNECTIONS, "Connections made to a broker; beyond the first of a role they are reconnects."),
        (CONNECTION_FAILURES, "Attempts to connect to a broker that failed, and connections lost."),
        (REFUSED, "Messages not taken in, by why."),
        (RETURNED, "Submissions given back to their queue after they were begun."),
        (JOINED, "Submissions that came again while this worker had them; nothing was started."),
        (DROPPED, "Progress events dropped rather than delaying a verdict."),
    ];
    for (name, help) in counters {
        describe_counter!(name, help);
    }
    let gauges = [
        (UNCONFIRMED, "Verdicts that the queue has not confirmed yet."),
        (WAITING, "Submissions taken in that wait for a judging thread."),
        (RUNNING, "Submissions being judged or published."),
        (SLOTS, "Programs that may run at once."),
        (SLOTS_BUSY, "Slots in use."),
        (BOXES, "Boxes there are."),
        (BUILD, "Always 1; what this worker is, in its labels."),
        (READY, "Whether the worker takes work: 1, or 0 while anything is wrong or it is stopping."),
    ];
    for (name, help) in gauges {
        describe_gauge!(name, help);
    }
    describe_gauge!(
        CACHE_BYTES,
        Unit::Bytes,
        "Size of the cache, from the first entry this worker adds; its other users are seen now and then."
    );
}

#[allow(clippy::cast_precision_loss)] // Counts of things in memory are far below 2^53.
fn float(count: usize) -> f64 {
    count as f64
}
