//! `gavel queue`: how full the queues are, what died in them, and sending it again.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::broker::{self, failure};
use super::{CommandError, exit, output};
use crate::cli::{Queue as Arguments, QueueCommand, QueueRequeue, TableFormat};
use crate::queue::{DeadMessage, Depth, Desk, Dispatch};

/// Runs the command.
///
/// # Errors
/// When the broker cannot be reached or refuses.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let addresses = broker::addresses(&arguments.broker)?;
    let desk = Desk::open(&addresses, &broker::connection_name("queue")).map_err(|error| failure(&error))?;
    match &arguments.command {
        None | Some(QueueCommand::List) => list(&desk, arguments.format),
        Some(QueueCommand::Dead(dead)) => show_dead(&desk, dead.limit, arguments.format),
        Some(QueueCommand::Requeue(requeue)) => send_again(&desk, requeue, arguments.format),
    }
}

fn list(desk: &Desk, format: TableFormat) -> Result<ExitCode, CommandError> {
    let depths = desk.depths().map_err(|error| failure(&error))?;
    match format {
        TableFormat::Json => {
            let rows: Vec<_> = depths
                .iter()
                .map(|Depth { queue, state }| {
                    let (ready, consumers) = state.unzip();
                    json!({"queue": queue, "exists": state.is_some(), "ready": ready, "consumers": consumers})
                })
                .collect();
            output::print_json(&json!({ "queues": rows }), true)?;
        }
        TableFormat::Human => {
            let mut table = output::table(&["queue", ">ready", ">consumers"]);
            for Depth { queue, state } in &depths {
                let figure = |value: Option<u32>| value.map_or_else(|| "-".to_owned(), |v| v.to_string());
                let (ready, consumers) = state.unzip();
                table.add_row(vec![(*queue).to_owned(), figure(ready), figure(consumers)]);
            }
            output::print(&(table.trim_fmt() + "\n"))?;
            if depths.iter().any(|depth| depth.state.is_none()) {
                output::remark("queues without figures do not exist yet: the first worker declares them");
            }
        }
    }
    Ok(ExitCode::from(exit::ACCEPTED))
}

fn show_dead(desk: &Desk, limit: u32, format: TableFormat) -> Result<ExitCode, CommandError> {
    let found = desk.dead(limit as usize).map_err(|error| failure(&error))?;
    match format {
        TableFormat::Json => {
            let rows: Vec<_> = found.iter().map(as_json).collect();
            output::print_json(&json!({ "dead": rows }), true)?;
        }
        TableFormat::Human if found.is_empty() => output::print("nothing is dead\n")?,
        TableFormat::Human => {
            let mut table =
                output::table(&["id", "judging", ">age", "came from", ">bytes", "reason", "begins"]);
            for message in &found {
                let beginning: String =
                    String::from_utf8_lossy(&message.first_bytes).chars().take(40).collect();
                table.add_row(vec![
                    name(message.id.as_deref()),
                    name(message.judging.as_deref()),
                    message.since.map_or_else(|| "-".to_owned(), age),
                    name(message.origin.as_ref().map(|(_, key)| key.as_str())),
                    message.size.to_string(),
                    output::one_line(&message.reason),
                    output::one_line(&beginning),
                ]);
            }
            output::print(&(table.trim_fmt() + "\n"))?;
            if found.len() == limit as usize {
                output::remark("there may be more: give --limit COUNT");
            }
        }
    }
    Ok(ExitCode::from(exit::ACCEPTED))
}

fn send_again(desk: &Desk, arguments: &QueueRequeue, format: TableFormat) -> Result<ExitCode, CommandError> {
    let is_wanted = |message: &DeadMessage| {
        arguments.all || message.id.as_ref().is_some_and(|id| arguments.ids.contains(id))
    };
    if !arguments.yes {
        let found: Vec<_> =
            desk.dead(usize::MAX).map_err(|error| failure(&error))?.into_iter().filter(is_wanted).collect();
        if found.is_empty() || !is_confirmed(found.len())? {
            if format == TableFormat::Json {
                let rows: Vec<_> = found.iter().map(as_json).collect();
                output::print_json(&json!({ "would_requeue": rows }), true)?;
            } else {
                for message in &found {
                    output::print(&format!("would requeue {}\n", described(message)))?;
                }
            }
            if found.is_empty() {
                output::remark("nothing dead is meant: 'gavel queue dead' lists what there is");
            } else {
                output::remark("nothing was requeued: give --yes to do it");
            }
            return Ok(ExitCode::from(exit::ACCEPTED));
        }
    }
    let done = desk.requeue(is_wanted).map_err(|error| failure(&error))?;
    if format == TableFormat::Json {
        let rows: Vec<_> = done
            .iter()
            .map(|(message, dispatch)| {
                let mut row = as_json(message);
                row["outcome"] = json!(match dispatch {
                    Dispatch::Requeued => "requeued",
                    Dispatch::Homeless => "origin-unknown",
                    Dispatch::Unroutable => "unroutable",
                });
                row
            })
            .collect();
        output::print_json(&json!({ "requeue": rows }), true)?;
    } else {
        for (message, dispatch) in &done {
            let said = match dispatch {
                Dispatch::Requeued => "requeued",
                Dispatch::Homeless => "still dead, for it does not say where it came from:",
                Dispatch::Unroutable => "still dead, for no queue takes it where it came from:",
            };
            output::print(&format!("{said} {}\n", described(message)))?;
        }
    }
    let missing = arguments
        .ids
        .iter()
        .filter(|id| !done.iter().any(|(message, _)| message.id.as_ref() == Some(*id)))
        .map(|id| output::one_line(id))
        .collect::<Vec<_>>();
    if !missing.is_empty() {
        output::complain(&format!("not among the dead: {}", missing.join(", ")));
    }
    let is_whole = missing.is_empty() && done.iter().all(|(_, how)| *how == Dispatch::Requeued);
    Ok(ExitCode::from(if is_whole { exit::ACCEPTED } else { exit::JUDGING_ERROR }))
}

/// Asks at a terminal; elsewhere the answer is no.
fn is_confirmed(count: usize) -> Result<bool, CommandError> {
    let (input, mut error) = (std::io::stdin(), std::io::stderr());
    if !input.is_terminal() || !error.is_terminal() {
        return Ok(false);
    }
    let mut answer = String::new();
    write!(error, "requeue {count} messages? [y/N] ")
        .and_then(|()| error.flush())
        .and_then(|()| input.lock().read_line(&mut answer))
        .map_err(CommandError::judging)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn described(message: &DeadMessage) -> String {
    format!(
        "{}, judging {}, to {}: {}",
        name(message.id.as_deref()),
        name(message.judging.as_deref()),
        name(message.origin.as_ref().map(|(_, key)| key.as_str())),
        output::one_line(&message.reason)
    )
}

fn as_json(message: &DeadMessage) -> Value {
    let since = message.since.and_then(|since| jiff::Timestamp::try_from(since).ok());
    json!({
        "id": message.id,
        "judging": message.judging,
        "reason": message.reason,
        "exchange": message.origin.as_ref().map(|(exchange, _)| exchange),
        "key": message.origin.as_ref().map(|(_, key)| key),
        "since": since.map(|since| since.to_string()),
        "bytes": message.size,
        "begins": String::from_utf8_lossy(&message.first_bytes),
    })
}

/// A name as somebody gave it, cut to what leaves room for the other columns.
fn name(text: Option<&str>) -> String {
    let Some(text) = text else { return "-".to_owned() };
    let mut shown: String = output::one_line(text).chars().take(NAME_WIDTH).collect();
    if text.chars().count() > NAME_WIDTH {
        shown.push('…');
    }
    shown
}

/// Characters of a name in a table.
const NAME_WIDTH: usize = 40;

/// How long ago, in the unit people would say it in.
fn age(since: SystemTime) -> String {
    let seconds = SystemTime::now().duration_since(since).unwrap_or(Duration::ZERO).as_secs();
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_said_in_fitting_units() {
        let ago = |seconds| age(SystemTime::now() - Duration::from_secs(seconds));
        assert_eq!([ago(5), ago(600), ago(10_000), ago(864_000)], ["5 s", "10 min", "2 h", "10 d"]);
        assert_eq!(age(SystemTime::now() + Duration::from_secs(100)), "0 s");
    }
}
