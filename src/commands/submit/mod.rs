//! `gavel submit`: sends submissions to the workers and collects their verdicts.
//!
//! A command runs from a roster (who hands in what) over its entries (what is sent for it) and a conversation with the
//! broker (`talk`) to results; `batch` has all of it but the conversation. The journal makes it repeatable: ids are made
//! of what is sent, so that the same command again finds what was taken and judged before.

mod problem;
mod talk;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::batch::{self, Entry, Journal, Live, Options, Roster, Style, Times, Waiting};
use super::broker::{self, failure};
use super::interrupt::Interrupts;
use super::start::{self, shown};
use super::{CommandError, output};
use crate::cache::KeyBuilder;
use crate::cancel::CancelToken;
use crate::cli::{Global, Submit as Arguments, SubmitFormat};
use crate::language::Table;
use crate::queue::{Submitter, SubmitterOptions};
use talk::Talk;

/// Runs the command.
///
/// # Errors
/// When nothing can be sent: wrong arguments or rows, a broker that refuses or is away.
pub fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    if arguments.results.format == SubmitFormat::Ndjson && arguments.results.save.is_some() {
        return Err(CommandError::usage(
            "--format ndjson tells events as they happen: redirect standard output instead of --save",
        ));
    }
    let addresses = broker::addresses(&arguments.broker)?;
    let table = start::languages(global)?;
    let mut entries = prepare(arguments, &table)?;
    let path = journal_path(global, arguments, &entries, &addresses.shown())?;
    let mut journal = Journal::open(&path)?;
    recall(&mut entries, &journal, arguments.results.format);

    let interrupts = Interrupts::watch()?;
    let is_single = arguments.batch.is_none();
    let mut live = match (arguments.results.format, is_single) {
        (SubmitFormat::Ndjson, _) => Live::lines(),
        (SubmitFormat::Human, true) if arguments.results.save.is_none() && !arguments.no_wait => Live::rows(),
        _ => Live::bar(entries.len()),
    };
    for entry in &entries {
        if let Some(report) = entry.report() {
            live.verdict(report)?;
        }
    }
    let waiting = if arguments.no_wait {
        Waiting::ForTheBroker
    } else {
        Waiting::ForVerdicts { patience: arguments.patience.0 }
    };
    let outcome = if entries.iter().all(|entry| entry.is_settled(waiting)) {
        Ok(())
    } else {
        let options = SubmitterOptions {
            queue: (!arguments.no_wait).then(|| journal.queue().to_owned()),
            keep: arguments.keep.0,
            progress: live.wants_progress() && !arguments.no_wait,
            name: broker::connection_name("submit"),
        };
        let submitter = Submitter::start(&addresses, options).map_err(|error| failure(&error))?;
        let mut talk = Talk::new(&mut entries, &mut journal, &submitter, arguments.priority, waiting);
        let outcome = talk.run(&interrupts, &mut live);
        // With nothing left to wait for, nobody needs the queue; else the next command goes on with it.
        submitter.close(entries.iter().all(|entry| entry.is_settled(waiting)));
        outcome
    };
    live.finish();
    journal.sync()?;
    if let Err(error) = outcome {
        let is_untouched = entries.iter().all(|entry| entry.report().is_none() && !entry.is_taken());
        if is_untouched && is_single && arguments.journal.is_none() {
            journal.discard();
        } else {
            tell_how_to_go_on(&entries, &path, waiting);
        }
        return Err(error);
    }

    let is_told = is_single
        && arguments.results.format == SubmitFormat::Human
        && live.has_told_all(&entries, &table)?;
    batch::show(
        &entries,
        &arguments.results,
        waiting,
        &Style::of("gavel submit", &arguments.results),
        is_told,
    )?;
    let is_complete = entries.iter().all(|entry| entry.is_settled(waiting));
    if !is_complete {
        tell_how_to_go_on(&entries, &path, waiting);
    } else if is_single
        && arguments.journal.is_none()
        && arguments.results.save.is_none()
        && !arguments.no_wait
    {
        // It was kept for a repeat after an interruption; asked again, the same is judged again.
        journal.discard();
    }
    Ok(ExitCode::from(batch::exit_code(&entries, waiting)))
}

/// Reads the rows and makes messages of them.
fn prepare(arguments: &Arguments, table: &Table) -> Result<Vec<Entry>, CommandError> {
    let deadline = &arguments.deadline;
    let cancel = CancelToken::new().map_err(CommandError::judging)?;
    let roster = match &arguments.batch {
        Some(batch) => Roster::read(batch, &Times::of(&deadline.times), &cancel)?,
        None => Roster::of_sources(&arguments.sources),
    };
    let is_batch = arguments.batch.is_some();
    if is_batch {
        batch::check_due(&roster.rows, deadline.due)?;
    }
    let options = Options {
        is_batch,
        problem: arguments.problem.as_deref(),
        language: arguments.language.as_deref(),
        entry_point: arguments.entry_point.as_deref(),
        due: deadline.due,
        latest: deadline.latest,
        limits: arguments.limits.overrides(),
        policy: arguments.policy,
        tests: &arguments.tests,
        feedback: arguments.results.feedback,
        id: arguments.id.as_deref(),
        judging: &arguments.judging,
        priority: arguments.priority,
        meta: &arguments.meta,
    };
    let find = |name: &str| problem::read(name, arguments.sha256.as_deref(), arguments.inline);
    let entries = batch::prepare(roster.rows, &options, table, &find);
    batch::refuse_unusable(&entries, is_batch, arguments.keep_going)?;
    Ok(entries)
}

/// What the journal knows already.
fn recall(entries: &mut [Entry], journal: &Journal, format: SubmitFormat) {
    let (mut judged, mut taken) = (0, 0);
    for entry in entries.iter_mut().filter(|entry| entry.is_sendable()) {
        if let Some(report) = journal.report(&entry.key()) {
            entry.judged(report.clone());
            judged += 1;
        } else if journal.is_taken(&entry.key()) {
            entry.taken();
            taken += 1;
        }
    }
    if judged + taken > 0 && format == SubmitFormat::Human {
        output::remark(&format!(
            "of {} submissions {judged} were judged before and {taken} sent before: going on with {}",
            entries.len(),
            shown(journal.path())
        ));
    }
}

fn tell_how_to_go_on(entries: &[Entry], journal: &Path, waiting: Waiting) {
    let judged = entries.iter().filter(|entry| entry.report().is_some()).count();
    let taken = entries.iter().filter(|entry| entry.is_taken()).count();
    let unsent = entries.iter().filter(|entry| entry.is_sendable()).count() - judged - taken;
    let said = match waiting {
        Waiting::ForVerdicts { .. } => {
            format!("{judged} judged, {taken} sent and not judged yet, {unsent} not sent")
        }
        Waiting::ForTheBroker => format!("{} sent, {unsent} not sent", taken + judged),
    };
    output::complain(&format!(
        "{said}: give the same command again to go on; what was done is in {}",
        shown(journal)
    ));
}

/// Returns where the journal is: named, or beside the results or the batch; for single submissions in the cache, where the
/// `broker` is part of its name: what one broker was sent another one knows nothing of.
fn journal_path(
    global: &Global,
    arguments: &Arguments,
    entries: &[Entry],
    broker: &str,
) -> Result<PathBuf, CommandError> {
    if let Some(path) = &arguments.journal {
        return Ok(path.clone());
    }
    if let Some(beside) = arguments.results.save.as_ref().or(arguments.batch.as_ref()) {
        let mut name = beside.components().as_path().as_os_str().to_owned();
        name.push(".journal");
        return Ok(name.into());
    }
    let mut key = KeyBuilder::default().field("kind", "journal 2").field("broker", broker);
    for entry in entries {
        key = key.field("id", &entry.key().id).field("judging", &entry.key().judging);
    }
    let name = format!("{}.journal", key.finish());
    Ok(start::cache_directory(global)?.join("submit").join(name))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn a_broker_knows_nothing_of_what_another_one_was_sent() {
        let cli = Cli::try_parse_from(["gavel", "--cache", "/nowhere", "submit", "sum", "a.py"]).unwrap();
        let Command::Submit(arguments) = &cli.command else { panic!("{cli:?}") };
        let path = |broker| journal_path(&cli.global, arguments, &[], broker).unwrap();
        assert_eq!(path("host:5672/one"), path("host:5672/one"));
        assert_ne!(path("host:5672/one"), path("host:5672/two"));
        assert_ne!(path("host:5672/one"), path("other:5672/one"));
    }
}
