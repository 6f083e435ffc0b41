//! The commands about the host and its boxes: run, doctor, and what doctor starts inside a box.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{TableFormat, parse_memory, parse_time};
use crate::sandbox::Profile;
use crate::units::{Bytes, Time};

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
    /// Refuse where the host lets no /proc be shown inside, instead of going without
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

/// What `run` prints when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RunReport {
    /// One JSON object
    Json,
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

/// The kernel takes 64 bytes; what is shown in a prompt should be plain.
fn parse_hostname(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if text.is_empty() || text.len() > 63 || !text.chars().all(plain) {
        return Err(format!("'{text}' is not a host name: give 1 to 63 letters, digits, '-' and '.'"));
    }
    Ok(text.to_owned())
}
