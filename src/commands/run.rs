//! `gavel run`: any command in a box, its streams passed on from and to the caller's.

use std::io;
use std::process::ExitCode;

use serde::Serialize;

use super::interrupt::Interrupts;
use super::relay::Relay;
use super::start::{self, shown};
use super::{CommandError, exit, output};
use crate::cli::{Global, Run as Arguments};
use crate::sandbox::{
    Command, Exit, Limits, Outcome, Sandbox, SandboxError, Shape, Stopped, Stream, WORKSPACE,
};
use crate::units::{Bytes, format_duration, milliseconds};

/// Exit code when the command cannot be started, as shells have it.
const CANNOT_START: u8 = 126;
/// Exit code when the command is not there, as shells have it.
const NOT_FOUND: u8 = 127;

/// What was measured.
#[derive(Debug, Serialize)]
struct Measured {
    exit_code: Option<i32>,
    signal: Option<i32>,
    stopped: Vec<&'static str>,
    cpu_ms: f64,
    wall_ms: f64,
    memory_kib: u64,
    memory_bound_kib: Option<u64>,
    memory_figure: &'static str,
    sandbox: &'static str,
    memory_source: &'static str,
    limitations: &'static [&'static str],
}

/// Runs the command.
///
/// # Errors
/// When no box can be made.
pub fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let shape = shape(arguments)?;
    let interrupts = Interrupts::watch()?;
    let mut settings = start::sandbox_settings(global);
    settings.directories.mounts.clone_from(&shape.mounts);
    settings.directories.rootfs.clone_from(&shape.rootfs);
    let sandbox = Sandbox::start(&settings).map_err(|error| start::sandbox_failure(&error))?;
    let mut sandbox_box = sandbox.open_box(&shape, None).map_err(refused)?;
    let relay = Relay::start()?;
    let env: Vec<String> = ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/w", "TMPDIR=/tmp", "LANG=C.UTF-8"]
        .map(str::to_owned)
        .into();
    let outcome = sandbox_box
        .run(
            Command {
                argv: &arguments.command,
                env: &env,
                directory: WORKSPACE,
                stdin: relay.stdin(),
                stdout: Stream::Inherit(relay.stdout()),
                stderr: Stream::Inherit(relay.stderr()),
                limits: limits(arguments),
            },
            &[interrupts.token()],
        )
        .map_err(refused)?;
    drop(sandbox_box);
    let passed_on = relay.finish();
    if arguments.report.is_some() {
        let measured = serde_json::to_string(&measured(&outcome, &sandbox)).map_err(CommandError::judging)?;
        // A closed standard error is nothing to complain about.
        let _ = io::Write::write_all(&mut io::stderr(), (measured + "\n").as_bytes());
    }
    interrupts.check()?;
    passed_on?;
    Ok(ExitCode::from(conclude(&outcome, arguments)))
}

/// What cannot be run is the caller's to mend; everything else is the host's or ours.
fn refused(error: SandboxError) -> CommandError {
    match error {
        SandboxError::Command { .. } => CommandError::usage(error),
        error @ (SandboxError::Host { .. } | SandboxError::Keeper { .. } | SandboxError::System { .. }) => {
            start::sandbox_failure(&error)
        }
        error => CommandError::judging(error),
    }
}

fn shape(arguments: &Arguments) -> Result<Shape, CommandError> {
    let absolute = |flag: &str, path: &std::path::Path| {
        start::check_path(path)?;
        path.canonicalize().map_err(|error| CommandError::Usage(format!("{flag} '{}': {error}", shown(path))))
    };
    let rootfs = match &arguments.rootfs {
        Some(path) => {
            let path = absolute("--rootfs", path)?;
            if !path.is_dir() {
                let text = format!("--rootfs '{}': it is not a folder; give one", shown(&path));
                return Err(CommandError::Usage(text));
            }
            Some(path)
        }
        None => None,
    };
    for path in &arguments.mount {
        if !path.is_absolute() {
            let text = format!("--mount '{}': it must be absolute: it is the same path inside", shown(path));
            return Err(CommandError::Usage(text));
        }
        absolute("--mount", path)?;
    }
    Ok(Shape {
        profile: arguments.profile.into(),
        mounts: arguments.mount.clone(),
        proc: arguments.proc,
        hostname: arguments.hostname.clone(),
        rootfs,
        ..Shape::default()
    })
}

fn limits(arguments: &Arguments) -> Limits {
    Limits {
        cpu: arguments.cpu.map(|time| time.0),
        wall: arguments.wall.map(|time| time.0),
        memory: arguments.memory,
        output: None,
        file_size: None,
        processes: Some(arguments.processes.unwrap_or(1024)),
        ..Limits::default()
    }
}

fn measured(outcome: &Outcome, sandbox: &Sandbox) -> Measured {
    let (exit_code, signal) = match outcome.exit {
        Exit::Code(code) => (Some(code), None),
        Exit::Signal(signal) => (None, Some(signal)),
        Exit::NotStarted { .. } => (None, None),
    };
    let name = |stopped: &Stopped| match stopped {
        Stopped::Cpu => "cpu",
        Stopped::Wall => "wall",
        Stopped::Memory => "memory",
        Stopped::Output => "output",
        Stopped::Cancelled => "cancelled",
    };
    Measured {
        exit_code,
        signal,
        stopped: outcome.stopped.iter().map(name).collect(),
        cpu_ms: milliseconds(outcome.cpu),
        wall_ms: milliseconds(outcome.wall),
        memory_kib: outcome.memory.as_kib(),
        memory_bound_kib: outcome.memory_bound.map(Bytes::as_kib),
        memory_figure: outcome.memory_source.id(),
        sandbox: sandbox.resource_control().id(),
        memory_source: sandbox.resource_control().memory_source(),
        limitations: sandbox.resource_control().limitations(),
    }
}

/// Says which limit ended the run, and gives the exit code a shell would.
fn conclude(outcome: &Outcome, arguments: &Arguments) -> u8 {
    let time =
        |limit: Option<crate::units::Time>| limit.map(|time| format_duration(time.0)).unwrap_or_default();
    match outcome.stopped.first() {
        Some(Stopped::Cpu) => {
            output::complain(&format!("stopped: more CPU time than {}", time(arguments.cpu)))
        }
        Some(Stopped::Wall) => output::complain(&format!("stopped: not over after {}", time(arguments.wall))),
        Some(Stopped::Memory) => {
            let limit: Bytes = arguments.memory.unwrap_or_default();
            output::complain(&format!("stopped: more memory than {limit}"));
        }
        Some(Stopped::Output | Stopped::Cancelled) | None => {}
    }
    match outcome.exit {
        Exit::Code(code) => u8::try_from(code).unwrap_or(exit::JUDGING_ERROR),
        Exit::Signal(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        Exit::NotStarted { step, errno } => {
            let name = output::one_line(arguments.command.first().map_or("", String::as_str));
            let why = nix::errno::Errno::from_raw(errno).desc();
            output::complain(&format!("'{name}' cannot be started in the box ({step}: {why})"));
            if errno == libc::ENOENT { NOT_FOUND } else { CANNOT_START }
        }
    }
}
