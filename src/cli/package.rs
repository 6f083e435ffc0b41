//! `gavel package`: what is done with packages without judging on them.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::TableFormat;

/// `gavel package`.
#[derive(Debug, Args)]
pub struct Package {
    /// What to do.
    #[command(subcommand)]
    pub command: PackageCommand,
}

/// What `package` can do.
#[derive(Debug, Subcommand)]
pub enum PackageCommand {
    /// Say what is wrong with packages, running nothing
    #[command(
        after_help = "Exit codes: 0 nothing is wrong, also with warnings; 1 something is; 2 wrong usage, or there \
                            is no package; 3 this host's fault."
    )]
    Check(PackageCheck),
}

/// `gavel package check`.
#[derive(Debug, Args)]
pub struct PackageCheck {
    /// Packages, archives of them, or folders of packages
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// What to print
    #[arg(short, long, value_enum, default_value_t = TableFormat::Human, value_name = "FORMAT")]
    pub format: TableFormat,
}
