//! The commands that judge what somebody else sent: worker and replay.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{TableFormat, parse_time};
use crate::settings::{AccessFlags, SettingFlags};
use crate::units::Time;
use crate::workspace::{AllowedUrl, FetchSettings};

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

/// What `worker --print-config` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConfigFormat {
    /// A table
    Human,
    /// A TOML file with comments
    Toml,
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.001..=1_000_000.0).contains(&rate) => Ok(rate),
        _ => Err(format!("'{text}' is not a rate: give submissions a second, 0.001 to 1000000")),
    }
}
