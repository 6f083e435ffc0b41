//! Begins and concludes the report of a submission, and sends its last events.
//!
//! There is always a report: a failure that is not the contestant's is JE, with its message in `error`.

use crate::judge::engine::Engine;
use crate::judge::events::EventSender;
use crate::judge::fault::Fault;
use crate::report::{CompileReport, EventKind, Phases, Report};
use crate::submission::{SCHEMA, Submission};
use crate::verdict::{Reason, Verdict};

/// Returns the report of a submission that is not judged yet: JE.
pub(crate) fn blank_report(engine: &Engine, submission: &Submission) -> Report {
    let language = engine.table.named(&submission.language);
    Report {
        schema: SCHEMA,
        kind: "done".to_owned(),
        id: submission.id.clone(),
        judging: submission.judging.clone(),
        verdict: Verdict::JE,
        reason: None,
        flags: Vec::new(),
        score: None,
        range: None,
        compile: CompileReport::default(),
        limits: None,
        tests: Vec::new(),
        groups: Vec::new(),
        first_failure: None,
        max_cpu_ms: 0.0,
        max_memory_kib: 0,
        phases_ms: Phases::default(),
        provenance: engine.host.provenance(
            language.map_or(&submission.language, |language| &language.id),
            engine.slots.are_exclusive(),
        ),
        error: None,
        warnings: submission.warnings.clone(),
        meta: submission.meta.clone(),
    }
}

/// Rejects a submission as CE before a compiler ran.
pub(crate) fn reject_compile(report: &mut Report, reason: Reason, log: String) {
    report.verdict = Verdict::CE;
    report.reason = Some(reason);
    report.flags = vec![Verdict::CE];
    report.compile = CompileReport { reason: Some(reason), log, ..CompileReport::default() };
}

/// Puts the result of the judging into the report and sends it.
pub(crate) fn conclude(
    mut report: Report,
    judged: Result<(), Fault>,
    events: &EventSender<'_>,
    is_cancelled: bool,
) -> Report {
    let submission = &report.id;
    match judged {
        Ok(()) => {}
        Err(_) if is_cancelled => cancel(&mut report),
        Err(fault) => {
            tracing::info!(%submission, %fault, "judging error");
            fail(&mut report, fault.reason(), &fault.to_string());
        }
    }
    send(report, events)
}

/// Returns and sends the report of a submission that cannot be judged: JE with the message.
pub(crate) fn refuse(mut report: Report, reason: Reason, message: &str, events: &EventSender<'_>) -> Report {
    fail(&mut report, reason, message);
    send(report, events)
}

/// Returns and sends the report of a cancelled submission.
pub(crate) fn cancelled(mut report: Report, events: &EventSender<'_>) -> Report {
    cancel(&mut report);
    send(report, events)
}

fn cancel(report: &mut Report) {
    report.verdict = Verdict::CX;
    report.flags = vec![Verdict::CX];
}

fn fail(report: &mut Report, reason: Reason, message: &str) {
    report.verdict = Verdict::JE;
    report.reason = Some(reason);
    report.flags = vec![Verdict::JE];
    report.error = Some(message.to_owned());
}

/// Sends the last events of a judging.
fn send(report: Report, events: &EventSender<'_>) -> Report {
    match (report.verdict, &report.error) {
        (Verdict::CX, _) => events.send(EventKind::Cancelled),
        (Verdict::JE, Some(message)) => events.send(EventKind::Error { message: message.clone() }),
        _ => {}
    }
    events.send(EventKind::Done(Box::new(report.clone())));
    report
}
