//! The commands of those who send submissions: submit, cancel and queue.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{DeadlineFlags, LimitFlags, ResultFlags, TableFormat, parse_time};
use crate::settings::AccessFlags;
use crate::submission::{Priority, Stop};
use crate::units::Time;

/// What `gavel submit --help` ends with.
pub(super) const SUBMIT_HELP: &str = "\
A CSV for --batch has a header line. Columns: student, source (a file, folder or zip, relative to the CSV; several \
files separated by ';'); optional name, problem, language, entry_point, submitted (RFC 3339). Any other column is passed on in \
'meta' and comes back in the results. A row that cannot be used is named by file, line and column, and nothing is sent.

Ids are made of student, problem, sources and options, so the same command again sends nothing that was taken or \
judged before: it goes on where it was interrupted, or judges only what students have changed since and what ended in \
a judging error or was cancelled. The journal remembers; '--judging 2' judges everything anew, for example on a changed package.

Exit codes: 0 all accepted; 1 judged, and not; 2 wrong usage, or the broker refuses; 3 judging errors, missing \
verdicts, or no broker; 130 and 143 after SIGINT and SIGTERM.";

/// What `gavel cancel --help` ends with.
pub(super) const CANCEL_HELP: &str = "\
Exit codes: 0 told, or with --wait cancelled; 1 judged before it could be cancelled; 2 wrong usage, or the broker \
refuses; 3 nobody answered, or no broker.";

/// What `gavel queue --help` ends with.
pub(super) const QUEUE_HELP: &str = "\
Without a command: list. Needs no management plugin.

Exit codes: 0 done; 2 wrong usage, or the broker refuses; 3 no broker, or something could not be requeued.";

/// Which broker.
#[derive(Debug, Clone, Args)]
pub struct Broker {
    /// amqp://USER:PASSWORD@HOST:PORT/VHOST of a RabbitMQ node, several of one cluster separated by commas;
    /// a password is better in GAVEL_AMQP_PASSWORD or a credentials
    /// file than here, where `ps` shows it
    #[arg(long, value_name = "URL", env = "GAVEL_QUEUE", hide_env_values = true, global = true)]
    pub queue: Option<String>,
    /// How to get into it.
    #[command(flatten)]
    pub access: AccessFlags,
}

/// `gavel submit`.
#[derive(Debug, Args)]
pub struct Submit {
    /// Problem: a name below the workers' package roots, an http(s) address of an archive with --sha256, or
    /// with --inline a folder here
    #[arg(value_name = "PROBLEM", required_unless_present = "batch")]
    pub problem: Option<String>,
    /// Source files, the entry point first; or one folder of them
    #[arg(value_name = "SOURCE", required_unless_present = "batch", conflicts_with = "batch")]
    pub sources: Vec<PathBuf>,
    /// Which broker.
    #[command(flatten)]
    pub broker: Broker,
    /// Many submissions: a CSV, or a folder with a file or folder a student
    #[arg(short, long, value_name = "CSV|DIR")]
    pub batch: Option<PathBuf>,
    /// SHA-256 of the archive the address leads to
    #[arg(long, value_name = "HEX")]
    pub sha256: Option<String>,
    /// Send the tests of the folder PROBLEM inside each message
    #[arg(long, conflicts_with = "sha256")]
    pub inline: bool,
    /// Language id [default: by the files' endings; 'gavel languages' lists them; 'answers' where those are sent]
    #[arg(short, long, value_name = "ID")]
    pub language: Option<String>,
    /// Class: contest, normal or rejudge
    #[arg(long, value_name = "CLASS", default_value = "normal")]
    pub priority: Priority,
    /// When to stop: first-failure, group or full
    #[arg(short, long, value_name = "POLICY", default_value = "first-failure")]
    pub policy: Stop,
    /// Only tests whose name matches, like 'sample/*'; may be repeated
    #[arg(short, long, value_name = "GLOB")]
    pub tests: Vec<String>,
    /// Something to come back with events and report; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub meta: Vec<(String, String)>,
    /// Id of the submission [default: made of what is sent]
    #[arg(long, value_name = "ID", conflicts_with = "batch", value_parser = parse_name)]
    pub id: Option<String>,
    /// Which judging of it; another one judges the same again
    #[arg(long, value_name = "NAME", default_value = "1", value_parser = parse_name)]
    pub judging: String,
    /// The source that the program starts with [default: the first; in a folder, told from the sources]
    #[arg(short, long, value_name = "NAME")]
    pub entry_point: Option<String>,
    /// When work was late, and which of a student's rows count.
    #[command(flatten)]
    pub deadline: DeadlineFlags,
    /// Send what can be sent, and list the rest in the results, instead of refusing the whole batch
    #[arg(long, requires = "batch")]
    pub keep_going: bool,
    /// Wait for the verdicts (the default)
    #[arg(long, conflicts_with = "no_wait")]
    pub wait: bool,
    /// Only send: once the broker has everything, it is over
    #[arg(long)]
    pub no_wait: bool,
    /// How long no verdict may come before the rest counts as missing
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_time)]
    pub patience: Time,
    /// How long verdicts are kept at the broker for a command that was interrupted
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_time)]
    pub keep: Time,
    /// What is shown, and where.
    #[command(flatten)]
    pub results: ResultFlags,
    /// Where to remember what was sent and judged [default: beside the results or the batch, with '.journal'
    /// added; for single submissions in the cache]
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// Limits instead of the package's.
    #[command(flatten)]
    pub limits: LimitFlags,
}

/// `gavel cancel`.
#[derive(Debug, Args)]
pub struct Cancel {
    /// The submission's id
    #[arg(value_name = "ID", value_parser = parse_name)]
    pub id: String,
    /// Which judging of it; may be repeated
    #[arg(long, value_name = "NAME", default_value = "1", value_parser = parse_name)]
    pub judging: Vec<String>,
    /// Which broker.
    #[command(flatten)]
    pub broker: Broker,
    /// Wait for what comes of it
    #[arg(long)]
    pub wait: bool,
    /// How long to wait
    #[arg(long, value_name = "TIME", default_value = "30s", requires = "wait", value_parser = parse_time)]
    pub patience: Time,
    /// What to print
    #[arg(short, long, value_enum, default_value_t = TableFormat::Human, value_name = "FORMAT")]
    pub format: TableFormat,
}

/// `gavel queue`.
#[derive(Debug, Args)]
pub struct Queue {
    /// What to do
    #[command(subcommand)]
    pub command: Option<QueueCommand>,
    /// Which broker.
    #[command(flatten)]
    pub broker: Broker,
    /// What to print
    #[arg(short, long, value_enum, default_value_t = TableFormat::Human, value_name = "FORMAT", global = true)]
    pub format: TableFormat,
}

/// What `queue` can do.
#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// Show how many messages wait in each queue, and for how many consumers
    List,
    /// Show what nobody could judge, and why
    Dead(QueueDead),
    /// Send dead messages again to where they came from
    Requeue(QueueRequeue),
}

/// `gavel queue dead`.
#[derive(Debug, Args)]
pub struct QueueDead {
    /// Show at most so many
    #[arg(long, value_name = "COUNT", default_value_t = 50,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
}

/// `gavel queue requeue`.
#[derive(Debug, Args)]
pub struct QueueRequeue {
    /// Submissions, by id
    #[arg(value_name = "ID", required_unless_present = "all")]
    pub ids: Vec<String>,
    /// Every dead message
    #[arg(long, conflicts_with = "ids")]
    pub all: bool,
    /// Do it, without asking; without a terminal to ask at, nothing is done unless this is given
    #[arg(short, long)]
    pub yes: bool,
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("'{text}' is not KEY=VALUE")),
    }
}

/// What messages take as id or judging.
pub(super) fn parse_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 200 || text.chars().any(char::is_control) {
        return Err("give 1 to 200 bytes without control characters".to_owned());
    }
    Ok(text.to_owned())
}
