//! The command line: commands and flags, and nothing that acts on them.
//!
//! Doc comments here are the help texts. Values are parsed into the types of the plain-data files; whether
//! they make sense on this machine is for `commands/` to find out.

mod client;
mod verify;

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
pub use client::{Broker, Cancel, Queue, QueueCommand, QueueDead, QueueRequeue, Submit, SubmitFormat};
pub use verify::{Verify, VerifyFormat, VerifyPart};

use crate::queue::Document;
use crate::sandbox::{Profile, ResourceControl};
use crate::settings::{AccessFlags, SettingFlags};
use crate::submission::{LimitOverrides, Stop};
use crate::units::{Bytes, Time};
use crate::workspace::{AllowedUrl, FetchSettings};

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
    /// Source files, the entry point first; or one folder of them
    #[arg(value_name = "SOURCE", required = true)]
    pub sources: Vec<PathBuf>,
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

/// `gavel worker`.
#[derive(Debug, Args)]
pub struct Worker {
    /// File of settings [env: GAVEL_CONFIG; empty: none] [default: /etc/gavel/worker.toml if it is there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print every setting with where it is from, and end: as a table, or as a file that says the same
    #[arg(long, value_enum, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "human")]
    pub print_config: Option<ConfigFormat>,
    /// Everything a file can say too.
    #[command(flatten)]
    pub settings: SettingFlags,
}

/// What a worker may fetch.
#[derive(Debug, Clone, Args)]
pub struct FetchFlags {
    /// URL below which files and packages may be fetched, like `https://files.example/problems/`; may be
    /// repeated; without it nothing is fetched
    #[arg(long, value_name = "URL")]
    pub allow_url: Vec<AllowedUrl>,
    /// Certificates (PEM) of the authorities to trust when fetching, instead of Mozilla's
    #[arg(long, value_name = "FILE")]
    pub fetch_ca: Option<PathBuf>,
    /// Address of the S3-compatible store that s3:// URLs lead to [default: Amazon's]
    #[arg(long, value_name = "URL", env = "GAVEL_FETCH_S3_ENDPOINT")]
    pub s3_endpoint: Option<String>,
    /// Region of that store [default: us-east-1]
    #[arg(long, value_name = "REGION", env = "GAVEL_FETCH_S3_REGION")]
    pub s3_region: Option<String>,
}

impl FetchFlags {
    /// The settings of fetching with these in them.
    pub fn settings(&self) -> FetchSettings {
        let mut settings = FetchSettings {
            allow: self.allow_url.clone(),
            ca_file: self.fetch_ca.clone(),
            ..FetchSettings::default()
        };
        settings.s3.endpoint.clone_from(&self.s3_endpoint);
        if let Some(region) = &self.s3_region {
            settings.s3.region.clone_from(region);
        }
        settings
    }
}

/// `gavel replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// Folder of recorded submissions, one JSON file each
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Folder of packages that submissions name; may be repeated, the first that has a name wins
    #[arg(long, value_name = "DIR")]
    pub package_root: Vec<PathBuf>,
    /// Submissions in all, going round [default: each once]
    #[arg(short, long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub count: Option<u64>,
    /// Submissions a second [default: as fast as they are judged]
    #[arg(short, long, value_name = "RATE", value_parser = parse_rate)]
    pub rate: Option<f64>,
    /// Let submissions raise limits above their package's
    #[arg(long)]
    pub raise_limits: bool,
    /// What to print
    #[arg(short, long, value_enum, default_value_t = TableFormat::Human, value_name = "FORMAT")]
    pub format: TableFormat,
    /// What may be fetched.
    #[command(flatten)]
    pub fetch: FetchFlags,
    /// Through the workers of this broker instead of this process; without URL, the one of GAVEL_QUEUE
    #[arg(long, value_name = "URL", num_args = 0..=1, conflicts_with_all = ["package_root", "raise_limits"])]
    pub queue: Option<Option<String>>,
    /// How to get into that broker.
    #[command(flatten)]
    pub access: AccessFlags,
    /// With --queue: submissions that are sent and not yet answered, at most
    #[arg(long, value_name = "COUNT", default_value_t = 1000, requires = "queue",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub window: u32,
    /// With --queue: how long no verdict may come before the rest counts as missing
    #[arg(long, value_name = "TIME", default_value = "5min", requires = "queue", value_parser = parse_time)]
    pub patience: Time,
}

/// `gavel run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Command and its arguments, as seen inside the box
    #[arg(value_name = "COMMAND", required = true, last = true)]
    pub command: Vec<String>,
    /// Folder shown as `/` instead of the host's system directories
    #[arg(long, value_name = "DIR")]
    pub rootfs: Option<PathBuf>,
    /// Host name seen inside
    #[arg(long, value_name = "NAME", default_value = "box", value_parser = parse_hostname)]
    pub hostname: String,
    /// Host folder or file shown read-only at the same path; may be repeated
    #[arg(long, value_name = "PATH")]
    pub mount: Vec<PathBuf>,
    /// System calls allowed
    #[arg(long, value_enum, default_value_t = ProfileName::Managed, value_name = "PROFILE")]
    pub profile: ProfileName,
    /// Show /proc inside
    #[arg(long)]
    pub proc: bool,
    /// CPU time limit, like 1.5s
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = parse_time)]
    pub cpu: Option<Time>,
    /// Wall time limit, like 5s
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = parse_time)]
    pub wall: Option<Time>,
    /// Memory limit, like 256MiB
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, value_parser = parse_memory)]
    pub memory: Option<Bytes>,
    /// Processes and threads at once
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub processes: Option<u32>,
    /// Print what was measured on standard error when it is over
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub report: Option<RunReport>,
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

/// `gavel doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// What to print
    #[arg(short, long, value_enum, default_value_t = TableFormat::Human, value_name = "FORMAT")]
    pub format: TableFormat,
    /// Also measure what a box costs a run: a program that does nothing, in a box and bare, in turns
    #[arg(long)]
    pub bench: bool,
}

/// `gavel probe`.
#[derive(Debug, Args)]
pub struct Probe {
    /// What to do
    #[arg(value_enum, value_name = "ACTION")]
    pub action: ProbeAction,
    /// How much of it: iterations, MiB, milliseconds, threads or a port
    #[arg(value_name = "AMOUNT", default_value_t = 0)]
    pub amount: u64,
}

/// What `probe` can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProbeAction {
    /// Loop so many times
    Spin,
    /// Use so many milliseconds of CPU time
    Work,
    /// The same in two children
    WorkInChildren,
    /// Fill so many MiB
    Memory,
    /// Fill so many MiB in each of four children at once
    MemoryInChildren,
    /// Start so many threads
    Threads,
    /// Wait so many milliseconds
    Wait,
    /// Leave a process behind that waits so many milliseconds
    Linger,
    /// Write without end
    Flood,
    /// Connect to this port of the loopback interface
    Connect,
    /// Look at files, limits and namespaces
    Look,
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

/// What `worker --print-config` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConfigFormat {
    /// A table
    Human,
    /// A TOML file with comments
    Toml,
}

/// What `languages` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// A table
    Human,
    /// One JSON object
    Json,
}

/// What `run` prints when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RunReport {
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

/// System-call allow-lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProfileName {
    /// Compiled programs and simple interpreters
    Native,
    /// Runtimes with threads and compilers of their own
    Managed,
    /// Compilers and linkers
    Compile,
}

impl From<ProfileName> for Profile {
    fn from(name: ProfileName) -> Self {
        match name {
            ProfileName::Native => Self::Native,
            ProfileName::Managed => Self::Managed,
            ProfileName::Compile => Self::Compile,
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

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.001..=1_000_000.0).contains(&rate) => Ok(rate),
        _ => Err(format!("'{text}' is not a rate: give submissions a second, 0.001 to 1000000")),
    }
}

/// The kernel takes 64 bytes; what is shown in a prompt should be plain.
fn parse_hostname(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if text.is_empty() || text.len() > 63 || !text.chars().all(plain) {
        return Err(format!("'{text}' is not a host name: give 1 to 63 letters, digits, '-' and '.'"));
    }
    Ok(text.to_owned())
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
