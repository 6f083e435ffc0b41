//! The command line: commands and flags, and nothing that acts on them.
//!
//! Doc comments here are the help texts. Values are parsed into the types of the plain-data files; whether
//! they make sense on this machine is for `commands/` to find out.

mod class;
mod client;
mod host;
mod package;
mod verify;
mod worker;

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
pub use class::{DeadlineFlags, Grade, ResultFlags, SubmitFormat};
pub use client::{Broker, Cancel, Queue, QueueCommand, QueueDead, QueueRequeue, Submit};
pub use host::{Doctor, Probe, ProbeAction, ProfileName, Run, RunReport};
pub use package::{Package, PackageCheck, PackageCommand, PackageConvert};
pub use verify::{Verify, VerifyFormat, VerifyPart};
pub use worker::{ConfigFormat, FetchFlags, Replay, Worker};

use crate::queue::Document;
use crate::sandbox::ResourceControl;
use crate::submission::{Feedback, LimitOverrides, Stop};
use crate::units::{Bytes, Time};

/// Judges programming-contest submissions: compiles them, runs them in a sandbox, checks their output.
#[derive(Debug, Parser)]
#[command(name = "gavel", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 all accepted, or all as expected; 1 judged, and not; \
                        2 wrong usage, configuration or package; 3 judging error.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options of all commands.
    #[command(flatten)]
    pub global: Global,
}

/// Options of all commands.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Language table instead of the built-in one
    #[arg(long, global = true, value_name = "FILE")]
    pub languages: Option<PathBuf>,
    /// Where compiled programs are kept [default: $XDG_CACHE_HOME/gavel or ~/.cache/gavel]
    #[arg(long, global = true, value_name = "DIR", env = "GAVEL_CACHE", value_parser = possibly_empty())]
    pub cache: Option<PathBuf>,
    /// Programs run at once [default: one per available core]
    #[arg(long, global = true, value_name = "COUNT", value_parser = parse_slots)]
    pub slots: Option<usize>,
    /// Do not start unless each slot gets a core of its own that no other gavel process of this host uses
    #[arg(long, global = true, value_name = "true|false", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value_t = false, action = clap::ArgAction::Set, hide_default_value = true)]
    pub require_cores: bool,
    /// Where cores are leased: one folder for all users of the host [default: /run/lock/gavel]
    #[arg(long, global = true, value_name = "DIR", env = "GAVEL_CORE_LOCKS", value_parser = possibly_empty())]
    pub core_locks: Option<PathBuf>,
    /// How boxes are limited and measured
    #[arg(long, global = true, value_enum, default_value_t = Cgroups::Auto, value_name = "MODE")]
    pub cgroups: Cgroups,
    /// Say more on standard error (-vv: everything)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say only errors on standard error
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Colours; `auto` is on a terminal without NO_COLOR
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
}

/// All commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judge one submission, here and now
    Judge(Judge),
    /// Judge a class's work here: a folder, a zip or a CSV, without a broker
    #[command(after_help = class::GRADE_HELP)]
    Grade(Box<Grade>),
    /// Judge a package's own submissions against what each must get
    #[command(after_help = verify::VERIFY_HELP)]
    Verify(Verify),
    /// Judge what a queue holds until told to stop
    #[command(after_help = WORKER_HELP)]
    Worker(Worker),
    /// Send submissions to the workers and collect their verdicts
    #[command(after_help = client::SUBMIT_HELP)]
    Submit(Box<Submit>),
    /// Take a submission back
    #[command(after_help = client::CANCEL_HELP)]
    Cancel(Cancel),
    /// Look at problem packages
    Package(Package),
    /// Look at the queues, and at what died in them
    #[command(after_help = client::QUEUE_HELP)]
    Queue(Queue),
    /// Judge recorded submissions at a rate, and say how long they took
    #[command(
        after_help = "Exit codes: 0 all judged, whatever they got; 2 wrong usage; 3 a judging error, or \
                            verdicts are missing."
    )]
    Replay(Replay),
    /// Run any command in a box
    Run(Run),
    /// Show the language table with the versions found
    Languages(Languages),
    /// Say whether this host is fit to judge, and how far its timings can be trusted
    #[command(
        after_help = "Exit codes: 0 fit, also with warnings; 2 wrong usage or configuration; 3 not fit: \
                            boxes cannot run here, or one does not keep its limits."
    )]
    Doctor(Doctor),
    /// Print the JSON Schema of a kind of message
    Schema(Schema),
    /// Print a completion script for a shell
    Completions(Completions),
    /// Keep boxes on behalf of another gavel process
    #[command(hide = true)]
    Keeper,
    /// Do one thing inside a box on behalf of 'gavel doctor'
    #[command(hide = true)]
    Probe(Probe),
}

/// `gavel judge`.
#[derive(Debug, Args)]
pub struct Judge {
    /// Problem package: a folder of tests, or an ICPC/Kattis package
    #[arg(value_name = "PACKAGE")]
    pub package: PathBuf,
    /// Source files, the entry point first, or one folder of them; where a problem asks for answers, those or a zip of them
    #[arg(value_name = "SOURCE", required = true)]
    pub sources: Vec<PathBuf>,
    /// The source that the program starts with [default: the first; in a folder, the one called main, or that
    /// none of the others imports]
    #[arg(short, long, value_name = "NAME")]
    pub entry_point: Option<String>,
    /// Language id [default: by the files' endings; 'gavel languages' lists them]
    #[arg(short, long, value_name = "ID")]
    pub language: Option<String>,
    /// When to stop: first-failure, group or full
    #[arg(short, long, value_name = "POLICY", default_value = "first-failure")]
    pub policy: Stop,
    /// What to print
    #[arg(short, long, value_enum, default_value_t = JudgeFormat::Human, value_name = "FORMAT")]
    pub format: JudgeFormat,
    /// Only tests whose name matches, like 'sample/*'; may be repeated
    #[arg(short, long, value_name = "GLOB")]
    pub tests: Vec<String>,
    /// What reports tell of secret tests: none (verdict and score of the whole), case (those of each test), or full
    #[arg(long, value_name = "LEVEL")]
    pub feedback: Option<Feedback>,
    /// Write what the program and an interactor say to each other into DIR/TEST.interaction, at most 1 MiB a test
    #[arg(long, value_name = "DIR")]
    pub transcript: Option<PathBuf>,
    /// Limits instead of the package's.
    #[command(flatten)]
    pub limits: LimitFlags,
}

/// Limits instead of a package's.
#[derive(Debug, Clone, Args)]
pub struct LimitFlags {
    /// CPU time limit, like 1.5s
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = parse_time)]
    pub cpu: Option<Time>,
    /// Wall time limit, like 5s
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = parse_time)]
    pub wall: Option<Time>,
    /// Memory limit, like 256MiB
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, value_parser = parse_memory)]
    pub memory: Option<Bytes>,
    /// Output limit, like 64MiB
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, value_parser = parse_size)]
    pub output: Option<Bytes>,
    /// Processes and threads at once
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub processes: Option<u32>,
}

impl LimitFlags {
    /// The same, as a submission carries them.
    pub fn overrides(&self) -> LimitOverrides {
        LimitOverrides {
            cpu: self.cpu,
            wall: self.wall,
            memory: self.memory,
            output: self.output,
            processes: self.processes,
        }
    }
}

/// What `gavel worker --help` ends with.
const WORKER_HELP: &str = "\
With --queue stdio, standard input takes one submission a line, as JSON; standard output gives events and, for each \
submission, one 'done' line. The end of the input is the end of the work. SIGTERM and SIGINT finish what runs, for at most \
--deadline, and answer what has not begun with CX; from a broker it goes back to its queue. A second one does not wait.

A flag wins over the environment, the environment over the file, the file over the default. An empty variable is none. \
A password in --queue is seen by everybody on the host ('ps'): give it in GAVEL_AMQP_PASSWORD or amqp.credentials_file.

Exit codes: 0 all answered, or stopped as told; 2 wrong usage or configuration; 3 the host or the queue failed.";

/// A path from the environment, where an empty variable is none.
fn possibly_empty() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// `gavel languages`.
#[derive(Debug, Args)]
pub struct Languages {
    /// Compile and run each language's own small program in a box
    #[arg(long)]
    pub check: bool,
    /// What to print
    #[arg(short, long, value_enum, default_value_t = TableFormat::Human, value_name = "FORMAT")]
    pub format: TableFormat,
}

/// `gavel schema`.
#[derive(Debug, Args)]
pub struct Schema {
    /// Which messages
    #[arg(value_enum, value_name = "MESSAGE", required_unless_present = "into")]
    pub message: Option<MessageName>,
    /// Write all of them into this folder, one file each
    #[arg(long, value_name = "DIR", conflicts_with = "message")]
    pub into: Option<PathBuf>,
}

/// Kinds of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MessageName {
    /// To have something judged
    Submission,
    /// To stop a judging
    Cancel,
    /// What is told while it is judged
    Event,
    /// The verdict
    Report,
}

impl From<MessageName> for Document {
    fn from(name: MessageName) -> Self {
        match name {
            MessageName::Submission => Self::Submission,
            MessageName::Cancel => Self::Cancel,
            MessageName::Event => Self::Event,
            MessageName::Report => Self::Report,
        }
    }
}

/// `gavel completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// What `judge` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum JudgeFormat {
    /// A table
    Human,
    /// The report, one JSON object
    Json,
    /// Every event as it happens, one JSON object a line
    Ndjson,
}

/// What `languages` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// A table
    Human,
    /// One JSON object
    Json,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal without NO_COLOR
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Resource control to demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Cgroups {
    /// The best one this host has
    Auto,
    /// Pure cgroup v2
    V2,
    /// cgroup v1 controllers beside a v2 tree
    Hybrid,
    /// cgroup v1 alone
    V1,
    /// No cgroups: rlimits only
    None,
}

impl Cgroups {
    /// What is demanded of the sandbox; `None` is its own choice.
    pub const fn demanded(self) -> Option<ResourceControl> {
        match self {
            Self::Auto => None,
            Self::V2 => Some(ResourceControl::CgroupV2),
            Self::Hybrid => Some(ResourceControl::CgroupHybrid),
            Self::V1 => Some(ResourceControl::CgroupV1),
            Self::None => Some(ResourceControl::None),
        }
    }
}

/// The longest time any limit may be: a day.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
/// The most memory or output any limit may be.
const LARGEST: Bytes = Bytes(1 << 44);
/// The least memory a program can start in.
const LEAST_MEMORY: Bytes = Bytes::mib(1);

pub(crate) fn parse_time(text: &str) -> Result<Time, String> {
    let time: Time = text.parse().map_err(|error: crate::units::UnitError| error.to_string())?;
    if time.0 < std::time::Duration::from_millis(1) || time.0 > LONGEST {
        return Err(format!("'{text}' is out of range: give between 1ms and 24h"));
    }
    Ok(time)
}

fn parse_size(text: &str) -> Result<Bytes, String> {
    let size: Bytes = text.parse().map_err(|error: crate::units::UnitError| error.to_string())?;
    if size.0 == 0 || size > LARGEST {
        return Err(format!("'{text}' is out of range: give between 1B and 16TiB"));
    }
    Ok(size)
}

fn parse_memory(text: &str) -> Result<Bytes, String> {
    let size: Bytes = text.parse().map_err(|error: crate::units::UnitError| error.to_string())?;
    if size < LEAST_MEMORY || size > LARGEST {
        return Err(format!("'{text}' is out of range: give between 1MiB and 16TiB"));
    }
    Ok(size)
}

fn parse_slots(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=1024) => Ok(count),
        _ => Err(format!("'{text}' is not a number of slots: give 1 to 1024")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn absurd_limits_are_refused_with_the_accepted_range() {
        for text in ["0s", "-1s", "1", "1parsec", "999999h", "1ns"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
        for text in ["0B", "-1MiB", "5", "5XB", "99999TiB", "1KiB"] {
            assert!(parse_memory(text).is_err(), "{text}");
        }
        assert!(parse_memory("0MiB").unwrap_err().contains("between"));
    }
}
