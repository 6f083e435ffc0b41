//! The gavel executable: reads the command line, hands over to one command, turns its end into an exit code.

use std::process::ExitCode;

use clap::Parser;
use gavel::cli::{Cli, Command};
use gavel::commands;
use nix::sys::signal::SigSet;

fn main() -> ExitCode {
    // The keeper must be single-threaded and silent: before logging and everything else.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == "keeper") {
        return keeper();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return commands::usage(&error),
    };
    commands::output::set_up(&cli.global);
    let result = match &cli.command {
        Command::Judge(arguments) => commands::judge::run(&cli.global, arguments),
        Command::Grade(arguments) => commands::grade::run(&cli.global, arguments),
        Command::Verify(arguments) => commands::verify::run(&cli.global, arguments),
        Command::Worker(arguments) => commands::worker::run(&cli.global, arguments),
        Command::Submit(arguments) => commands::submit::run(&cli.global, arguments),
        Command::Cancel(arguments) => commands::cancel::run(arguments),
        Command::Queue(arguments) => commands::queue::run(arguments),
        Command::Replay(arguments) => commands::replay::run(&cli.global, arguments),
        Command::Run(arguments) => commands::run::run(&cli.global, arguments),
        Command::Package(arguments) => commands::package::run(&cli.global, arguments),
        Command::Languages(arguments) => commands::languages::run(&cli.global, arguments),
        Command::Doctor(arguments) => commands::doctor::run(&cli.global, arguments),
        Command::Probe(arguments) => commands::doctor::probe(arguments),
        Command::Schema(arguments) => commands::schema::run(arguments),
        Command::Completions(arguments) => commands::completions::run(arguments),
        Command::Keeper => return keeper(),
    };
    result.unwrap_or_else(|error| commands::fail(&error))
}

/// Keeps boxes. The signals a command blocks are inherited; the programs in the boxes must not be.
fn keeper() -> ExitCode {
    if SigSet::empty().thread_set_mask().is_err() {
        return ExitCode::from(commands::exit::JUDGING_ERROR);
    }
    gavel::sandbox::keeper_main()
}
