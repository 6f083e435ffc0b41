//! The program of the self-test: gavel's own executable, inside a box, doing one thing and saying what it saw.
//!
//! Its own executable because it is there on every host, compilers or not. What it says is one JSON object; it
//! judges nothing, since a program in a box is in no place to.

use std::hint::black_box;
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use serde_json::{Value, json};

use crate::cli::{Probe, ProbeAction};
use crate::commands::{CommandError, exit, output};

/// How long a filled memory is held, so that several processes hold theirs at the same time.
const HOLD: Duration = Duration::from_millis(500);

/// Places a program must not be able to read.
const SECRET: [&str; 5] = ["/etc/shadow", "/root", "/home", "/proc/1/environ", "/sys/fs/cgroup"];
/// Places a program must not be able to write.
const FIXED: [&str; 5] = ["/written", "/usr/written", "/etc/written", "/dev/written", "/program/written"];
/// The place it may write, and must find empty.
const SCRATCH: &str = "/w/written";

/// Does one thing and says what it saw.
///
/// # Errors
/// When the system refuses what a box must allow.
pub fn run(arguments: &Probe) -> Result<ExitCode, CommandError> {
    let amount = arguments.amount;
    let facts = match arguments.action {
        ProbeAction::Spin => spin(amount)?,
        ProbeAction::Work => work(amount)?,
        ProbeAction::WorkInChildren => children(2, "work", amount)?,
        ProbeAction::Memory => memory(amount),
        ProbeAction::MemoryInChildren => children(4, "memory", amount)?,
        ProbeAction::Threads => threads(amount),
        ProbeAction::Wait => {
            std::thread::sleep(Duration::from_millis(amount));
            json!({})
        }
        ProbeAction::Linger => {
            again("wait", amount)?
                .stdout(std::process::Stdio::null())
                .spawn()
                .map_err(CommandError::judging)?;
            json!({})
        }
        ProbeAction::Flood => flood(),
        ProbeAction::Connect => connect(amount),
        ProbeAction::Look => look(),
    };
    output::print_json(&facts, false)?;
    Ok(ExitCode::from(exit::ACCEPTED))
}

/// A fixed amount of work: a chain of multiplications no compiler shortens.
fn spin(iterations: u64) -> Result<Value, CommandError> {
    let started = Instant::now();
    chain(iterations);
    let loop_ms = crate::units::milliseconds(started.elapsed());
    let usage = usage(UsageWho::RUSAGE_SELF)?;
    Ok(json!({
        "loop_ms": loop_ms,
        "cpu_ms": cpu_ms(&usage),
        "preempted": usage.involuntary_context_switches(),
    }))
}

fn chain(iterations: u64) {
    let mut state = black_box(1u64);
    for _ in 0..iterations {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    }
    black_box(state);
}

fn work(milliseconds: u64) -> Result<Value, CommandError> {
    loop {
        chain(100_000);
        let cpu_ms = cpu_ms(&usage(UsageWho::RUSAGE_SELF)?);
        #[allow(clippy::cast_precision_loss)] // A few hundred milliseconds.
        if cpu_ms >= milliseconds as f64 {
            return Ok(json!({ "cpu_ms": cpu_ms }));
        }
    }
}

fn memory(mebibytes: u64) -> Value {
    let size = usize::try_from(mebibytes << 20).unwrap_or(usize::MAX);
    let mut block: Vec<u8> = Vec::new();
    if block.try_reserve_exact(size).is_err() {
        return json!({ "refused": true });
    }
    block.resize(size, 1);
    black_box(&block);
    std::thread::sleep(HOLD);
    json!({ "refused": false })
}

/// Does the same in several children at once, and says what all of them used.
fn children(count: usize, action: &str, amount: u64) -> Result<Value, CommandError> {
    let mut children = Vec::new();
    for _ in 0..count {
        let child = again(action, amount)?.stdout(std::process::Stdio::null()).spawn();
        children.push(child.map_err(CommandError::judging)?);
    }
    let mut succeeded = 0;
    for mut child in children {
        succeeded += u32::from(child.wait().map_err(CommandError::judging)?.success());
    }
    let total = cpu_ms(&usage(UsageWho::RUSAGE_CHILDREN)?) + cpu_ms(&usage(UsageWho::RUSAGE_SELF)?);
    Ok(json!({ "cpu_ms": total, "succeeded": succeeded }))
}

/// This program once more; a box has no `/proc` to find it by.
fn again(action: &str, amount: u64) -> Result<std::process::Command, CommandError> {
    let program = std::env::args_os().next().ok_or_else(|| CommandError::judging("no program name"))?;
    let mut command = std::process::Command::new(program);
    command.args(["probe", action, &amount.to_string()]);
    Ok(command)
}

fn threads(count: u64) -> Value {
    let mut started = 0u64;
    for _ in 0..count {
        let thread = std::thread::Builder::new().stack_size(64 << 10).spawn(|| {
            loop {
                std::thread::park();
            }
        });
        if thread.is_err() {
            break;
        }
        started += 1;
    }
    json!({ "started": started })
}

fn flood() -> Value {
    let block = [b'x'; 1 << 16];
    let mut stdout = std::io::stdout().lock();
    while stdout.write_all(&block).is_ok() {}
    json!({})
}

fn connect(port: u64) -> Value {
    let port = u16::try_from(port).unwrap_or(u16::MAX);
    match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => json!({ "connected": true }),
        Err(error) => json!({ "connected": false, "error": error.to_string() }),
    }
}

fn look() -> Value {
    let readable: Vec<_> = SECRET
        .iter()
        .filter(|path| std::fs::File::open(path).is_ok() || std::fs::read_dir(path).is_ok())
        .collect();
    let writable: Vec<_> = FIXED.iter().filter(|path| std::fs::write(path, b"x").is_ok()).collect();
    let dirty = std::fs::metadata(SCRATCH).is_ok();
    let scratch = std::fs::write(SCRATCH, b"x").is_ok();
    let limit = |resource: rlimit::Resource| resource.get_soft().ok();
    json!({
        "readable": readable,
        "writable": writable,
        "scratch": scratch,
        "dirty": dirty,
        "proc": std::fs::read_to_string("/proc/self/status").is_ok(),
        "stack": limit(rlimit::Resource::STACK),
        "open_files": limit(rlimit::Resource::NOFILE),
        "namespaces": unshare(CloneFlags::CLONE_NEWUSER).is_ok(),
    })
}

fn usage(who: UsageWho) -> Result<Usage, CommandError> {
    getrusage(who).map_err(CommandError::judging)
}

fn cpu_ms(usage: &Usage) -> f64 {
    let total = usage.user_time() + usage.system_time();
    #[allow(clippy::cast_precision_loss)] // Microseconds of one process.
    let milliseconds = (total.tv_sec() * 1_000_000 + total.tv_usec()) as f64 / 1000.0;
    milliseconds
}
