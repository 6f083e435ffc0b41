//! Submissions on standard input, events on standard output: one JSON object a line.
//!
//! Every submission ends in one `done` line, which is the report itself. A line that cannot be read is
//! answered with an `error` event, and with a `done` line of JE where its id and judging can be read. There is no one to give work back to: what had
//! to be cut short, or was read and not begun when the worker was told to stop, ends in `done` with CX.

use std::io::{self, BufRead, Read, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde::Serialize;

use super::backlog::{Backlog, Delivery, Job, Offer, Refusal, Tag};
use super::message::{Key, LARGEST, Malformed, Message, parse};
use super::worker::{Outlet, Settlement};
use crate::instruments::{self, Refusal as Refused};
use crate::report::{Event, Report};
use crate::submission::Submission;

/// Submissions read ahead. A cancel message is seen once fewer than these stand before it.
const READ_AHEAD: usize = 1000;

/// The way back over a stream of lines.
#[derive(Debug)]
pub struct Stdio<W> {
    output: Mutex<W>,
    worker: String,
    broken: AtomicBool,
}

impl<W: Write + Send> Stdio<W> {
    /// Writes lines to `output`, in the name of `worker`.
    pub fn new(output: W, worker: &str) -> Self {
        Self { output: Mutex::new(output), worker: worker.to_owned(), broken: AtomicBool::new(false) }
    }

    /// Whether a line could not be written: nothing more will be read by anyone.
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst)
    }

    /// Answers a line that was read too late.
    fn turn_away(&self, key: Key) {
        let problem = "not judged, because this worker is stopping: send it to another";
        self.line(&Malformed::unanswered(key, problem).event(&self.worker));
    }

    fn line(&self, value: &impl Serialize) {
        if self.is_broken() {
            return;
        }
        let written = serde_json::to_vec(value).map_err(io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            let mut output = self.output.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            output.write_all(&line).and_then(|()| output.flush())
        });
        if let Err(error) = written
            && !self.broken.swap(true, Ordering::SeqCst)
        {
            tracing::error!(%error, "cannot write to standard output: no verdict can be told any more");
        }
    }
}

impl<W: Write + Send> Outlet for Stdio<W> {
    fn progress(&self, event: &Event) {
        self.line(event);
    }

    fn verdict(&self, _job: &Job, _report: &Report) -> Settlement {
        Settlement::Done
    }

    fn cut_short(&self, job: &Job, report: &Report) -> Settlement {
        self.verdict(job, report)
    }

    /// Only now are the verdict lines written, one for each line that asked: were they written while the judging
    /// is still known, a sender that answers the first by asking again could join it and never hear of it.
    fn settle(&self, report: &Report, tags: Vec<Tag>, _settlement: Settlement) {
        for _ in tags {
            self.line(report);
        }
    }
}

/// Reads lines into the backlog until the input ends or is closed from the other side; then closes it.
///
/// # Errors
/// When reading fails; the backlog is closed then, too.
pub fn read_lines<W: Write + Send>(
    input: &mut impl BufRead,
    backlog: &Backlog,
    outlet: &Stdio<W>,
) -> io::Result<()> {
    let end = read_all(input, backlog, outlet);
    backlog.close();
    end
}

fn read_all<W: Write + Send>(
    input: &mut impl BufRead,
    backlog: &Backlog,
    outlet: &Stdio<W>,
) -> io::Result<()> {
    let mut number = 0;
    while !outlet.is_broken() {
        let Some(line) = read_line(input)? else { return Ok(()) };
        number += 1;
        let message = match line {
            Line::Text(text) if text.trim_ascii().is_empty() => continue,
            Line::Text(text) => parse(&text),
            Line::TooLong => {
                Err(Malformed::unreadable(format!("longer than {} MiB: use packages", LARGEST >> 20)))
            }
        };
        match message {
            Ok(Message::Submission(submission)) => {
                if !take_in(submission, None, number, backlog, outlet)? {
                    return Ok(());
                }
            }
            Ok(Message::Cancel(key)) => backlog.cancel(&key),
            Err(mut malformed) => {
                instruments::message_refused(Refused::Malformed);
                malformed.problem = format!("line {number}: {}", malformed.problem);
                match malformed.answer() {
                    Some((submission, refusal)) => {
                        if !take_in(submission, Some(refusal), number, backlog, outlet)? {
                            return Ok(());
                        }
                    }
                    None => outlet.line(&malformed.event(&outlet.worker)),
                }
            }
        }
    }
    Ok(())
}

/// Offers the submission of a line to the backlog; returns whether more may come.
fn take_in<W: Write + Send>(
    submission: Box<Submission>,
    refusal: Option<Refusal>,
    number: u64,
    backlog: &Backlog,
    outlet: &Stdio<W>,
) -> io::Result<bool> {
    let key = Key::of(&submission);
    if !backlog.wait_for_room(READ_AHEAD) {
        outlet.turn_away(key);
        return Ok(false);
    }
    let (tag, class) = (Tag { connection: 0, delivery: number }, submission.priority.unwrap_or_default());
    let delivery = Delivery {
        submission,
        tag,
        class,
        redelivered: false,
        correlation_id: None,
        refusal,
        arrived: Instant::now(),
    };
    match backlog.offer(delivery).map_err(io::Error::other)? {
        Offer::Taken => {}
        Offer::Closed => {
            outlet.turn_away(key);
            return Ok(false);
        }
        Offer::Conflict(contents) => {
            let problem = format!("line {number}: {}", key.conflict(contents));
            outlet.line(&Malformed::unanswered(key, &problem).event(&outlet.worker));
        }
    }
    Ok(true)
}

enum Line {
    Text(Vec<u8>),
    /// Read to its end and thrown away.
    TooLong,
}

fn read_line(input: &mut impl BufRead) -> io::Result<Option<Line>> {
    let mut text = Vec::new();
    let most = LARGEST as u64 + 1;
    if input.by_ref().take(most).read_until(b'\n', &mut text)? == 0 {
        return Ok(None);
    }
    if text.len() <= LARGEST || text.last() == Some(&b'\n') {
        return Ok(Some(Line::Text(text)));
    }
    drop(text);
    input.skip_until(b'\n')?;
    Ok(Some(Line::TooLong))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_cannot_be_read_are_answered_and_the_rest_is_taken_in() {
        let good = r#"{"schema":1,"id":"b","language":"c","files":[],"problem":{"ref":"x"}}"#;
        let input = format!("nonsense\n\n{{\"schema\":3,\"id\":\"a\"}}\n{good}");
        let backlog = Backlog::default();
        let outlet = Stdio::new(Vec::new(), "w");
        read_lines(&mut input.as_bytes(), &backlog, &outlet).unwrap();
        let refused = backlog.take().unwrap().delivery;
        assert_eq!(refused.submission.id, "a");
        assert!(refused.refusal.unwrap().message.contains("line 3: schema 3"));
        assert_eq!(backlog.take().unwrap().delivery.submission.id, "b");
        assert!(backlog.take().is_none());
        let output = String::from_utf8(outlet.output.into_inner().unwrap()).unwrap();
        let lines: Vec<serde_json::Value> =
            output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 1);
        assert_eq!((&lines[0]["type"], &lines[0]["id"]), (&"error".into(), &"".into()));
        assert!(lines[0]["message"].as_str().unwrap().contains("line 1"), "{output}");
    }
}
