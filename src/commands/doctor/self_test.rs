//! Boxes tried out: a program that oversteps each limit in turn, and what gavel made of it.
//!
//! Everything is observed, from inside by the probe and from outside by the facts of the run; a setting that
//! looks right proves nothing here. CPU and memory figures are compared with what the program knows of itself,
//! with room for a loaded host: they are never a matter of wall time.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Duration;

use super::check::Check;
use super::rig::{Ran, Rig, usual_limits};
use crate::cancel::CancelToken;
use crate::cli::ProbeAction as Action;
use crate::sandbox::{Exit, Limits, ResourceControl, Sandbox, SandboxError, Shape, Stopped};
use crate::units::{Bytes, milliseconds};

/// What every failed self-test comes down to.
const REPORT: &str =
    "do not judge on this host; please report this with the output of 'gavel doctor --format json'";
/// The remedy where a lower level of resource control is to blame.
const LEVEL: &str = "run as root, or under 'systemd-run --scope -p Delegate=yes' ('--user' when not root), on a host \
                     with cgroups";

/// One box and what it is measured by.
struct Subject<'a> {
    rig: Rig<'a>,
    has_groups: bool,
}

/// Tries one thing.
type Trial<'a> = fn(&mut Subject<'a>) -> Result<Check, SandboxError>;

/// Tries everything out; stops early when cancelled.
///
/// # Errors
/// When no box can be made, or one is lost: the host cannot judge then.
pub(super) fn run(
    sandbox: &Sandbox,
    program: &Path,
    cancel: &CancelToken,
    step: &dyn Fn(),
) -> Result<Vec<Check>, SandboxError> {
    let rig = Rig::new(sandbox, &Shape::default(), None, program, cancel)?;
    let has_groups = sandbox.resource_control() != ResourceControl::None;
    let mut subject = Subject { rig, has_groups };
    let trials: [Trial<'_>; TRIALS - 1] = [
        Subject::starts,
        Subject::memory_limit,
        Subject::memory_limit_of_a_tree,
        Subject::memory_figure,
        Subject::cpu_limit,
        Subject::cpu_figure,
        Subject::wall_limit,
        Subject::output_limit,
        Subject::process_limit,
        Subject::network,
        Subject::surroundings,
        Subject::leftovers,
    ];
    let mut list = Vec::new();
    for trial in trials {
        if cancel.is_cancelled() {
            return Ok(list);
        }
        list.push(trial(&mut subject)?);
        step();
    }
    list.push(procfs(sandbox, program, cancel));
    step();
    Ok(list)
}

/// How many things are tried.
pub(super) const TRIALS: usize = 13;

impl Subject<'_> {
    fn starts(&mut self) -> Result<Check, SandboxError> {
        let ran = self.rig.probe(Action::Look, 0, &usual_limits())?;
        let held = ran.outcome.exit == Exit::Code(0) && ran.facts.is_object();
        let found =
            if held { "runs".to_owned() } else { format!("{}: {}", ended(&ran), self.rig.complaint()) };
        let remedy =
            "see that the cache is not mounted noexec and that gavel's libraries are below /lib or /usr";
        Ok(Check::ok("program", found, "gavel's own executable runs in a box").needed(held, remedy))
    }

    fn memory_limit(&mut self) -> Result<Check, SandboxError> {
        let limits = Limits { memory: Some(Bytes::mib(48)), ..usual_limits() };
        let ran = self.rig.probe(Action::Memory, 256, &limits)?;
        let held = ran.outcome.stopped.contains(&Stopped::Memory) || ran.says("refused");
        let meaning = "a program that fills 256 MiB under a limit of 48 MiB is stopped";
        Ok(Check::ok("memory-limit", ended(&ran), meaning).needed(held, REPORT))
    }

    fn memory_limit_of_a_tree(&mut self) -> Result<Check, SandboxError> {
        let limits = Limits { memory: Some(Bytes::mib(64)), ..usual_limits() };
        let ran = self.rig.probe(Action::MemoryInChildren, 40, &limits)?;
        let held = ran.outcome.stopped.contains(&Stopped::Memory);
        let check = Check::ok(
            "memory-limit-tree",
            ended(&ran),
            "four processes of 40 MiB each are stopped under a common limit of 64 MiB",
        );
        Ok(if self.has_groups { check.needed(held, REPORT) } else { check.wanted(held, LEVEL) })
    }

    /// Without cgroups a program is never measured smaller than the process it was born from, so the empty
    /// program's figure is at most what is to be taken off.
    fn memory_figure(&mut self) -> Result<Check, SandboxError> {
        let ran = self.rig.probe(Action::Memory, 64, &usual_limits())?;
        let base = self.rig.probe(Action::Memory, 0, &usual_limits())?;
        let used = ran.outcome.memory.0.saturating_sub(base.outcome.memory.0) >> 10;
        let (full, empty) = (ran.outcome.memory.as_kib(), base.outcome.memory.as_kib());
        let least = if self.has_groups { 63 << 10 } else { (64_u64 << 10).saturating_sub(empty) };
        let most = 66 << 10;
        let found =
            format!("{:.1} MiB ({:.1} less {:.1})", mebibytes(used), mebibytes(full), mebibytes(empty));
        let check = Check::ok("memory-figure", found, "64 MiB filled are measured as such");
        Ok(check.needed((least..=most).contains(&used), REPORT))
    }

    fn cpu_limit(&mut self) -> Result<Check, SandboxError> {
        let limit = Duration::from_millis(200);
        let limits = Limits { cpu: Some(limit), ..usual_limits() };
        let ran = self.rig.probe(Action::Work, 60_000, &limits)?;
        let held = ran.outcome.stopped.contains(&Stopped::Cpu) && ran.outcome.cpu >= limit;
        let over = milliseconds(ran.outcome.cpu.saturating_sub(limit));
        let found = format!("{}, {over:.1} ms over", ended(&ran));
        Ok(Check::ok("cpu-limit", found, "a program that never ends is stopped after 200 ms of CPU time")
            .needed(held, REPORT)
            .wanted(over < 50.0, "the host is too busy to stop programs in time: let it do nothing else"))
    }

    fn cpu_figure(&mut self) -> Result<Check, SandboxError> {
        let ran = self.rig.probe(Action::WorkInChildren, 60, &usual_limits())?;
        let own = ran.number("cpu_ms").unwrap_or_default();
        let measured = milliseconds(ran.outcome.cpu);
        let difference = (measured - own).abs();
        let found = format!("{measured:.1} ms, by the program's own count {own:.1} ms");
        let check =
            Check::ok("cpu-figure", found, "CPU time of a program and its children is measured as such");
        let held = own > 0.0 && difference <= f64::max(5.0, own * 0.1);
        Ok(if self.has_groups { check.needed(held, REPORT) } else { check.wanted(held, LEVEL) })
    }

    fn wall_limit(&mut self) -> Result<Check, SandboxError> {
        let limits = Limits { wall: Some(Duration::from_millis(100)), ..usual_limits() };
        let ran = self.rig.probe(Action::Wait, 60_000, &limits)?;
        let held = ran.outcome.stopped.contains(&Stopped::Wall);
        Ok(Check::ok("wall-limit", ended(&ran), "a program that sleeps is stopped after 100 ms")
            .needed(held, REPORT))
    }

    fn output_limit(&mut self) -> Result<Check, SandboxError> {
        let limits = Limits { output: Some(Bytes::mib(1)), ..usual_limits() };
        let ran = self.rig.probe(Action::Flood, 0, &limits)?;
        let held = ran.outcome.stopped.contains(&Stopped::Output);
        let meaning = "a program that writes without end is stopped after 1 MiB";
        Ok(Check::ok("output-limit", ended(&ran), meaning).needed(held, REPORT))
    }

    fn process_limit(&mut self) -> Result<Check, SandboxError> {
        let limits = Limits { processes: Some(8), ..usual_limits() };
        let ran = self.rig.probe(Action::Threads, 40, &limits)?;
        let started = ran.facts.get("started").and_then(serde_json::Value::as_u64);
        let held = started == Some(7);
        let found = started.map_or_else(|| ended(&ran), |count| format!("{count} threads beside the first"));
        let check = Check::ok("process-limit", found, "under a limit of 8, 7 of 40 threads are started");
        Ok(if self.has_groups { check.needed(held, REPORT) } else { check.wanted(held, LEVEL) })
    }

    /// Connects to a port this process really listens on.
    fn network(&mut self) -> Result<Check, SandboxError> {
        let meaning = "a program does not reach a port that is open on this host";
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| {
            let port = listener.local_addr()?.port();
            Ok((listener, port))
        });
        let (_listener, port) = match listener {
            Ok(pair) => pair,
            Err(error) => {
                let found = format!("not tried: no port could be opened ({error})");
                return Ok(Check::ok("network", found, meaning).warning("ip link set lo up"));
            }
        };
        let ran = self.rig.probe(Action::Connect, u64::from(port), &usual_limits())?;
        let held = ran.facts.get("connected") == Some(&serde_json::Value::Bool(false));
        let error = ran.facts.get("error").and_then(serde_json::Value::as_str);
        let found = if held { error.unwrap_or("refused") } else { "reached" };
        Ok(Check::ok("network", found, meaning).needed(held, REPORT))
    }

    fn surroundings(&mut self) -> Result<Check, SandboxError> {
        let limits = Limits { memory: Some(Bytes::mib(128)), open_files: 64, ..usual_limits() };
        let ran = self.rig.probe(Action::Look, 0, &limits)?;
        let number = |name: &str| ran.facts.get(name).and_then(serde_json::Value::as_u64);
        let is_empty =
            |name: &str| ran.facts.get(name).and_then(serde_json::Value::as_array).is_some_and(Vec::is_empty);
        let hard = rlimit::Resource::STACK.get_hard().unwrap_or(rlimit::INFINITY);
        let faults: Vec<&str> = [
            (is_empty("readable"), "it reads files of the host"),
            (is_empty("writable"), "it writes outside its work directory"),
            (ran.says("scratch"), "it cannot write in its work directory"),
            (!ran.says("dirty"), "its work directory is not empty"),
            (!ran.says("namespaces"), "it makes namespaces"),
            (number("stack") == Some(Bytes::mib(128).0.min(hard)), "its stack limit is another"),
            (number("open_files") == Some(64), "its limit of open files is another"),
        ]
        .into_iter()
        .filter_map(|(holds, fault)| (!holds).then_some(fault))
        .collect();
        let found = if faults.is_empty() { "as it must be".to_owned() } else { faults.join(", ") };
        let meaning = "what a program sees: none of the host's files, a work directory of its own and empty, its \
                       limits, no new namespaces";
        Ok(Check::ok("surroundings", found, meaning).needed(faults.is_empty(), REPORT))
    }

    /// A process that outlives its parent, looked for on the host.
    fn leftovers(&mut self) -> Result<Check, SandboxError> {
        let unique = 1_000_000 + u64::from(std::process::id());
        let ran = self.rig.probe(Action::Linger, unique, &usual_limits())?;
        let mark = unique.to_string();
        let left = procfs::process::all_processes().map_or(0, |all| {
            all.filter_map(Result::ok)
                .filter(|process| process.cmdline().is_ok_and(|words| words.contains(&mark)))
                .count()
        });
        let held = left == 0 && ran.outcome.exit == Exit::Code(0);
        let found =
            if held { "nothing left".to_owned() } else { format!("{left} processes left, {}", ended(&ran)) };
        Ok(Check::ok("leftovers", found, "a process left behind by a program is dead when its run is over")
            .needed(held, REPORT))
    }
}

/// A box that cannot do without `/proc`; containers often forbid mounting one, and then the others do without.
fn procfs(sandbox: &Sandbox, program: &Path, cancel: &CancelToken) -> Check {
    let meaning =
        "every box has a /proc of its own processes, and with it /dev/stdin, /dev/stdout and /dev/fd";
    let remedy = "in a container, let /proc be mounted anew: docker run --security-opt systempaths=unconfined, podman \
                  run --security-opt unmask=ALL; outside, unmount what lies below /proc";
    let shape = Shape { proc: true, ..Shape::default() };
    let ran = Rig::new(sandbox, &shape, None, program, cancel)
        .and_then(|mut rig| rig.probe(Action::Look, 0, &usual_limits()));
    match ran {
        Ok(ran) if ran.says("proc") => Check::ok("proc", "mounted", meaning),
        Ok(ran) => Check::ok("proc", format!("not readable ({})", ended(&ran)), meaning).warning(remedy),
        Err(error) => Check::ok("proc", error.to_string(), meaning).warning(remedy),
    }
}

/// How a run ended, in words.
fn ended(ran: &Ran) -> String {
    if let Some(stopped) = ran.outcome.stopped.first() {
        let limit = match stopped {
            Stopped::Cpu => "its CPU limit",
            Stopped::Wall => "its wall limit",
            Stopped::Memory => "its memory limit",
            Stopped::Output => "its output limit",
            Stopped::Cancelled => "us",
        };
        return format!("stopped by {limit}");
    }
    match ran.outcome.exit {
        Exit::Code(0) if ran.says("refused") => "memory refused".to_owned(),
        Exit::Code(code) => format!("ended with code {code}"),
        Exit::Signal(signal) => format!("died of signal {signal}"),
        Exit::NotStarted { step, errno } => {
            format!("not started ({step}: {})", nix::errno::Errno::from_raw(errno).desc())
        }
    }
}

#[allow(clippy::cast_precision_loss)] // Shown with one decimal.
fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1024.0
}
