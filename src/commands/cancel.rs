//! `gavel cancel`: takes a submission back, wherever it waits or runs.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::broker::{self, failure};
use super::interrupt::Interrupts;
use super::{CommandError, exit, output};
use crate::cli::{Cancel as Arguments, TableFormat};
use crate::queue::{Key, News, Post, Submitter, SubmitterOptions, cancel_message};
use crate::verdict::Verdict;

/// How often signals and patience are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long the queue for the answer outlives this process.
const KEEP: Duration = Duration::from_secs(60);
/// How long the broker may take for the message itself.
const SENDING: Duration = Duration::from_secs(60);

/// What became of one judging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The message is on its way to all workers.
    Told,
    /// The verdict came.
    Ended(Verdict),
    /// There is no worker to tell.
    NoWorker,
    /// Nobody answered.
    Silent,
}

/// Runs the command.
///
/// # Errors
/// When the broker cannot be reached or refuses.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let addresses = broker::addresses(&arguments.broker)?;
    let interrupts = Interrupts::watch()?;
    let options = SubmitterOptions {
        queue: arguments.wait.then(broker::queue_name),
        keep: KEEP,
        progress: false,
        name: broker::connection_name("cancel"),
    };
    let keys: Vec<_> = arguments
        .judging
        .iter()
        .map(|judging| Key { id: arguments.id.clone(), judging: judging.clone() })
        .collect();
    let submitter = Submitter::start(&addresses, options).map_err(|error| failure(&error))?;
    let patience = if arguments.wait { arguments.patience.0 } else { SENDING };
    let outcomes = ask(&submitter, &keys, arguments.wait, patience, &interrupts);
    submitter.close(true);
    let outcomes = outcomes?;
    say(arguments, &outcomes)?;
    Ok(ExitCode::from(exit_code(&outcomes)))
}

/// Sends the messages and collects what comes of them.
fn ask(
    submitter: &Submitter,
    keys: &[Key],
    wait: bool,
    patience: Duration,
    interrupts: &Interrupts,
) -> Result<Vec<(Key, Outcome)>, CommandError> {
    for (number, key) in (0..).zip(keys) {
        submitter.publish(Post::control(number, key, cancel_message(key)));
    }
    let mut outcomes: Vec<Option<Outcome>> = vec![None; keys.len()];
    let started = Instant::now();
    while outcomes.iter().any(|outcome| outcome.is_none_or(|outcome| wait && outcome == Outcome::Told))
        && started.elapsed() < patience
    {
        interrupts.check()?;
        let mut settle = |number: u64, outcome| {
            let place = usize::try_from(number).unwrap_or(usize::MAX);
            if let Some(slot) = outcomes.get_mut(place)
                && !matches!(slot, Some(Outcome::Ended(_)))
            {
                *slot = Some(outcome);
            }
        };
        match submitter.news(LOOK_EVERY) {
            Some(News::Taken(number)) => settle(number, Outcome::Told),
            Some(News::Unroutable(number)) => settle(number, Outcome::NoWorker),
            Some(News::Verdict(receipt, body)) => {
                submitter.acknowledge(receipt);
                if let Some((key, verdict)) = read_verdict(&body)
                    && let Some(number) = (0..).zip(keys).find(|(_, known)| **known == key)
                {
                    settle(number.0, Outcome::Ended(verdict));
                }
            }
            Some(News::Lost(problem)) => {
                output::remark(&format!("lost the broker: {}", broker::in_flags(&problem)))
            }
            Some(News::Failed(error)) => return Err(failure(&error)),
            Some(News::Connected { .. } | News::Progress(_)) | None => {}
        }
    }
    let outcomes = outcomes.into_iter().map(|outcome| match outcome {
        Some(Outcome::Told) if wait => Outcome::Silent,
        other => other.unwrap_or(Outcome::Silent),
    });
    Ok(keys.iter().cloned().zip(outcomes).collect())
}

fn read_verdict(body: &[u8]) -> Option<(Key, Verdict)> {
    let report: Value = serde_json::from_slice(body).ok()?;
    let text = |name: &str| report.get(name)?.as_str().map(str::to_owned);
    let verdict = serde_json::from_value(report.get("verdict")?.clone()).ok()?;
    Some((Key { id: text("id")?, judging: text("judging")? }, verdict))
}

fn say(arguments: &Arguments, outcomes: &[(Key, Outcome)]) -> Result<(), CommandError> {
    if arguments.format == TableFormat::Json {
        let rows: Vec<_> = outcomes
            .iter()
            .map(|(key, outcome)| {
                let (word, verdict) = match outcome {
                    Outcome::Told => ("told", None),
                    Outcome::Ended(verdict @ Verdict::CX) => ("cancelled", Some(verdict.id())),
                    Outcome::Ended(verdict) => ("judged", Some(verdict.id())),
                    Outcome::NoWorker => ("no-worker", None),
                    Outcome::Silent => ("no-answer", None),
                };
                json!({"id": key.id, "judging": key.judging, "outcome": word, "verdict": verdict})
            })
            .collect();
        return output::print_json(&json!({ "cancels": rows }), true);
    }
    for (key, outcome) in outcomes {
        let said = match outcome {
            Outcome::Told => "all workers were told".to_owned(),
            Outcome::Ended(Verdict::CX) => "cancelled".to_owned(),
            Outcome::Ended(verdict) => format!("judged before it could be cancelled: {verdict}"),
            Outcome::NoWorker => {
                "no worker is connected: nobody could be told; cancel again once one is".to_owned()
            }
            Outcome::Silent => format!(
                "no answer within {}: it may have been judged long ago, or no worker has it yet",
                arguments.patience
            ),
        };
        let (id, judging) = (output::one_line(&key.id), output::one_line(&key.judging));
        output::print(&format!("{id}, judging {judging}: {said}\n"))?;
    }
    Ok(())
}

fn exit_code(outcomes: &[(Key, Outcome)]) -> u8 {
    let code = |outcome: &Outcome| match outcome {
        Outcome::Told | Outcome::Ended(Verdict::CX) => exit::ACCEPTED,
        Outcome::Ended(_) => exit::REJECTED,
        Outcome::NoWorker | Outcome::Silent => exit::JUDGING_ERROR,
    };
    outcomes.iter().map(|(_, outcome)| code(outcome)).max().unwrap_or(exit::ACCEPTED)
}
