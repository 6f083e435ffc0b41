//! What people and programs see: data on standard output, messages on standard error.
//!
//! Colour and progress only where a terminal shows them; `NO_COLOR` and `--color` are kept. A reader that
//! goes away (`gavel … | head`) ends the output quietly.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use comfy_table::{Attribute, Cell, CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::CommandError;
use super::fitted_table::Field;
use super::log_writer::LogWriter;
use crate::cli::{Color, Global};
use crate::report::RangeReport;
use crate::verdict::Verdict;

static COLOR: OnceLock<Color> = OnceLock::new();
static QUIET: OnceLock<bool> = OnceLock::new();
static SET_LEVEL: OnceLock<Box<dyn Fn(LevelFilter) + Send + Sync>> = OnceLock::new();

/// Starts logging as the global options ask. Once, at the start of the process.
pub fn set_up(global: &Global) {
    // Only the first call counts, and there is one.
    let _ = COLOR.set(global.color);
    let _ = QUIET.set(global.quiet);
    let level = match (global.quiet, global.verbose) {
        (true, _) => LevelFilter::OFF,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, 2) => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let is_colored = uses_color(&io::stderr());
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || LogWriter { is_colored })
        // It would be told on standard error, which is where it failed.
        .log_internal_errors(false)
        .with_ansi(is_colored)
        .without_time()
        .with_target(false)
        .with_env_filter(filter(level))
        .with_filter_reloading();
    let handle = subscriber.reload_handle();
    let _ = SET_LEVEL.set(Box::new(move |level| {
        // Fails only when nothing logs any more.
        let _ = handle.reload(filter(level));
    }));
    let _ = subscriber.try_init();
}

/// Changes what is logged from here on.
pub(crate) fn set_level(level: LevelFilter) {
    if let Some(set) = SET_LEVEL.get() {
        set(level);
    }
}

/// Ours at the level asked for. What others' code says in detail is never logged: the client of the broker writes
/// addresses with passwords, and the bytes that log in.
fn filter(level: LevelFilter) -> EnvFilter {
    let others = level.min(LevelFilter::INFO);
    // The client also tells each refusal three times before it hands it to us, who say it once.
    // Whoever waits for minutes while tests are generated is told how far that is, unless nothing is to be said.
    let generating = if level == LevelFilter::OFF { level } else { level.max(LevelFilter::INFO) };
    EnvFilter::new(format!("{others},lapin=off,gavel={level},gavel::judge::jury::generation={generating}"))
}

fn uses_color(stream: &impl IsTerminal) -> bool {
    match COLOR.get().copied().unwrap_or(Color::Auto) {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    }
}

/// One line about what went wrong; control characters in it (from file names) are escaped.
pub fn complain(message: &str) {
    let mut line = String::from("gavel: ");
    for (place, part) in message.trim_end().split('\n').enumerate() {
        if place > 0 {
            line.push_str("; ");
        }
        line.extend(
            part.trim()
                .chars()
                .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }),
        );
    }
    // Nobody left to tell when standard error is closed.
    let _ = writeln!(io::stderr(), "{line}");
}

/// A remark that `--quiet` silences.
pub(crate) fn remark(message: &str) {
    if !QUIET.get().copied().unwrap_or(false) {
        complain(message);
    }
}

/// Writes data to standard output.
///
/// # Errors
/// [`CommandError::OutputClosed`] when nobody reads it any more; a judging error when the disk is full.
pub(crate) fn print(text: &str) -> Result<(), CommandError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| {
        if error.kind() == io::ErrorKind::BrokenPipe {
            CommandError::OutputClosed
        } else {
            CommandError::Judging(format!("cannot write to standard output: {error}"))
        }
    })
}

/// Writes one JSON value and a newline.
///
/// # Errors
/// As [`print`].
pub(crate) fn print_json(value: &impl serde::Serialize, pretty: bool) -> Result<(), CommandError> {
    let text = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    print(&(text.map_err(CommandError::judging)? + "\n"))
}

/// An empty table with these columns; those named with a leading `>` are numbers, aligned right.
pub(crate) fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if uses_color(&io::stdout()) {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header(
        columns.iter().map(|name| Cell::new(name.trim_start_matches('>')).add_attribute(Attribute::Bold)),
    );
    for (place, name) in columns.iter().enumerate() {
        if let Some(column) = table.column_mut(place)
            && name.starts_with('>')
        {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A verdict in its colour.
pub(crate) fn verdict_cell(verdict: Verdict) -> Cell {
    Cell::new(verdict.id()).fg(verdict_color(verdict))
}

/// The same for a table that fits the terminal.
pub(crate) fn verdict_field(verdict: Verdict) -> Field {
    Field::colored(verdict.id(), verdict_color(verdict))
}

fn verdict_color(verdict: Verdict) -> comfy_table::Color {
    match verdict {
        Verdict::AC => comfy_table::Color::Green,
        Verdict::SK => comfy_table::Color::DarkGrey,
        Verdict::JE | Verdict::CX => comfy_table::Color::Magenta,
        _ => comfy_table::Color::Red,
    }
}

/// A word in green or red.
pub(crate) fn word_cell(word: &str, good: bool) -> Cell {
    Cell::new(word).fg(if good { comfy_table::Color::Green } else { comfy_table::Color::Red })
}

/// Text of others' (test names, first differences) on one line, with control characters escaped.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .take(300)
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}

/// A number of things: `1 row`, `2 rows`.
pub(crate) fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// Milliseconds as a person reads them.
pub(crate) fn milliseconds(value: f64) -> String {
    if value < 1000.0 { format!("{value:.1} ms") } else { format!("{:.3} s", value / 1000.0) }
}

/// KiB as a person reads them.
pub(crate) fn kibibytes(value: u64) -> String {
    #[allow(clippy::cast_precision_loss)] // Shown with one decimal.
    let mib = value as f64 / 1024.0;
    format!("{mib:.1} MiB")
}

/// A score as a person reads it, with at most six decimal places.
pub(crate) fn score(score: Option<f64>) -> String {
    let Some(score) = score else { return "-".to_owned() };
    let text = format!("{score:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Possible scores.
pub(crate) fn range(range: RangeReport) -> String {
    match (range.min, range.max) {
        (Some(min), Some(max)) => format!("{} to {}", score(Some(min)), score(Some(max))),
        (Some(min), None) => format!("from {}", score(Some(min))),
        (None, Some(max)) => format!("up to {}", score(Some(max))),
        (None, None) => String::new(),
    }
}

/// How long nothing is said where there is no terminal to show a bar on.
const SILENCE: Duration = Duration::from_secs(10);

/// A bar on standard error, seen only on a terminal and only once a second has gone by.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
    /// When something was said last, where there is no terminal.
    told: Mutex<Instant>,
    shown: OnceLock<()>,
}

impl Progress {
    /// A bar over `total` steps.
    pub(crate) fn new(total: usize, what: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("{prefix} [{bar:20}] {pos}/{len} {elapsed} {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> ");
        bar.set_style(style);
        bar.set_prefix(what);
        Self { bar, started: Instant::now(), told: Mutex::new(Instant::now()), shown: OnceLock::new() }
    }

    /// Sets the number of steps.
    pub(crate) fn set_total(&self, total: usize) {
        self.bar.set_length(total as u64);
    }

    /// One step done, and what it was. Where there is no terminal a line says so now and then.
    pub(crate) fn step_to(&self, what: &str) {
        self.bar.set_message(one_line(what));
        self.step();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !io::stderr().is_terminal() && told.elapsed() >= SILENCE {
            *told = Instant::now();
            let (done, total) = (self.bar.position(), self.bar.length().unwrap_or_default());
            let seconds = self.started.elapsed().as_secs();
            remark(&format!("{} {done} of {total} after {seconds} s: {}", self.bar.prefix(), one_line(what)));
        }
    }

    /// Says something that people wait for, above the bar.
    pub(crate) fn tell(&self, line: &str) {
        if io::stderr().is_terminal() {
            self.bar.set_message(one_line(line));
            return;
        }
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        remark(line);
    }

    /// One step done.
    pub(crate) fn step(&self) {
        let is_due = self.started.elapsed() >= Duration::from_secs(1);
        let is_quiet = QUIET.get().copied().unwrap_or(false);
        if is_due && !is_quiet && io::stderr().is_terminal() {
            self.shown.get_or_init(|| self.bar.set_draw_target(ProgressDrawTarget::stderr()));
        }
        self.bar.inc(1);
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
