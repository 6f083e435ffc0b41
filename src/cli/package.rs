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
    /// Write a package of any format in the ICPC format 2025-09
    #[command(
        after_help = "What the format cannot express is refused by name; nothing half-written is left. \
                            Exit codes: 0 written; 2 wrong usage, or the package cannot be read or expressed; \
                            3 this host's fault."
    )]
    Convert(PackageConvert),
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

/// `gavel package convert`.
#[derive(Debug, Args)]
pub struct PackageConvert {
    /// The package, or an archive of it
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// The directory to write, which must not exist
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
}
