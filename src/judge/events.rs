//! Numbers, dates and sends the events of one judging.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::report::{Event, EventKind};
use crate::submission::{SCHEMA, Submission};

/// Receives events, from any thread, one at a time and in order; must return quickly.
pub type EventSink<'a> = dyn Fn(Event) + Sync + 'a;

/// Sends the events of one run of one judging.
pub(crate) struct EventSender<'a> {
    id: String,
    judging: String,
    run: String,
    worker: String,
    /// The next sequence number; held while an event is handed on, so that the order of the numbers is the
    /// order of arrival.
    next: Mutex<u64>,
    sink: &'a EventSink<'a>,
}

impl<'a> EventSender<'a> {
    /// Returns a sender for a new run with a unique name.
    pub(crate) fn new(submission: &Submission, worker: &str, sink: &'a EventSink<'a>) -> Self {
        Self {
            id: submission.id.clone(),
            judging: submission.judging.clone(),
            run: run_name(worker),
            worker: worker.to_owned(),
            next: Mutex::new(0),
            sink,
        }
    }

    /// Sends one event.
    pub(crate) fn send(&self, kind: EventKind) {
        let mut next = self.next.lock();
        (self.sink)(Event {
            schema: SCHEMA,
            id: self.id.clone(),
            judging: self.judging.clone(),
            run: self.run.clone(),
            worker: self.worker.clone(),
            seq: *next,
            time: format!("{:.6}", jiff::Timestamp::now()),
            kind,
        });
        *next += 1;
    }
}

/// Returns a name that is unique over workers, processes and runs: worker, start time, process, count.
fn run_name(worker: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let microsecond = jiff::Timestamp::now().as_microsecond();
    format!("{worker}-{microsecond:x}-{:x}-{count}", std::process::id())
}
