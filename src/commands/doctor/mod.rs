//! `gavel doctor`: is this host fit to judge, and how far can its timings be trusted.
//!
//! Three kinds of evidence, in rising order of weight: what the kernel's settings say (`host`, `processor`),
//! what programs in real boxes can and cannot do (`self_test`, with `probe` as the program), and what the same
//! loop takes many times over (`noise`; `bench` for what a box costs). A setting that looks wrong while boxes
//! keep all their limits is not held against the host. Whether it is fit is decided by the boxes alone; what is
//! merely lost or noisy are warnings, each with what to change.

mod bench;
mod check;
mod host;
mod human;
mod noise;
mod probe;
mod processor;
mod report;
mod rig;
mod self_test;

pub use probe::run as probe;

use std::path::Path;
use std::process::ExitCode;

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

use super::interrupt::Interrupts;
use super::output::{self, Progress};
use super::{CommandError, exit, languages, start};
use crate::cache::Store;
use crate::cli::{Doctor as Arguments, Global, TableFormat};
use crate::judge::{Judge, JudgeSettings};
use crate::sandbox::{ResourceControl, Sandbox};
use check::Check;
use host::Host;
use report::{Compilers, Control, HostReport, Level, Report, SelfTest, Verdict};

/// Examines this host and says what it found.
///
/// # Errors
/// When the options or the language table are wrong. An unfit host is no error: it is the report, and exit
/// code 3.
pub fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let interrupts = Interrupts::watch()?;
    let cache = start::cache_directory(global)?;
    let hierarchies = Sandbox::hierarchies().map_err(CommandError::judging)?;
    let cores = available_cores()?;
    let slots = global.slots.unwrap_or(cores.len()).max(1);
    let host = Host::read();
    let mut report = Report {
        schema: crate::submission::SCHEMA,
        gavel: env!("CARGO_PKG_VERSION"),
        verdict: Verdict::Unfit,
        reason: None,
        host: HostReport::new(&host, cores.len(), slots),
        resource_control: Control {
            level: None,
            memory_source: None,
            lost: &[],
            levels: levels()?,
            hierarchies,
        },
        checks: Vec::new(),
        self_test: None,
        timing: None,
        compilers: None,
        bench: None,
    };
    report.checks = host::checks(&host, &report.resource_control.hierarchies, &cache);
    report.checks.extend(processor::checks(&cores, slots, &report.resource_control.hierarchies));
    match start::judge(global, Vec::new()) {
        Ok(judge) => examine(&judge, &mut report, &cache, &cores, arguments, &interrupts)?,
        Err(CommandError::Judging(why)) => report.reason = Some(without_advertisement(&why)),
        Err(other) => return Err(other),
    }
    interrupts.check()?;
    report.decide();
    match arguments.format {
        TableFormat::Json => output::print_json(&report, true)?,
        TableFormat::Human => output::print(&human::text(&report))?,
    }
    if let (Verdict::Unfit, Some(reason)) = (report.verdict, &report.reason) {
        output::complain(reason);
        return Ok(ExitCode::from(exit::JUDGING_ERROR));
    }
    Ok(ExitCode::from(exit::ACCEPTED))
}

/// Everything that takes boxes. What fails here is written into the report.
fn examine(
    judge: &Judge,
    report: &mut Report,
    cache: &Path,
    cores: &[usize],
    arguments: &Arguments,
    interrupts: &Interrupts,
) -> Result<(), CommandError> {
    let sandbox = judge.sandbox();
    let control = sandbox.resource_control();
    report.resource_control.level = Some(control.id());
    report.resource_control.memory_source = Some(control.memory_source());
    report.resource_control.lost = host::lost(control);
    report.checks.push(level(control));
    let leases = judge.cores();
    report.checks.push(processor::leases(&leases));
    // Others measure on the cores that are theirs.
    let cores = if leases.leased.is_empty() { cores } else { &leases.leased };
    // The judge's own store, so also its own bound.
    let capacity = JudgeSettings::new(judge.languages().clone(), cache.to_owned()).cache_capacity;
    let opened = Store::open(cache, capacity).map_err(CommandError::judging);
    let installed = opened.and_then(|store| rig::install(&store).map(|program| (store, program)));
    let (store, program) = match installed {
        Ok(pair) => pair,
        Err(error) => {
            report.reason = Some(error.to_string());
            return Ok(());
        }
    };
    let progress = Progress::new(self_test::TRIALS, "self-test");
    let tested = self_test::run(sandbox, program.path(), interrupts.token(), &|| progress.step());
    progress.finish();
    interrupts.check()?;
    let tested = match tested {
        Ok(checks) => checks,
        Err(error) => {
            report.reason = Some(without_advertisement(&error.to_string()));
            return Ok(());
        }
    };
    report.self_test = Some(SelfTest::new(tested));
    let measured = noise::measure(sandbox, program.path(), cores, interrupts.token());
    interrupts.check()?;
    match measured {
        Ok(timing) => {
            report.checks.extend(timing.as_ref().map(noise::check));
            report.timing = timing;
        }
        Err(error) => report.reason = Some(error.to_string()),
    }
    if arguments.bench {
        let measured = bench::measure(sandbox, &store, cores.first().copied(), interrupts.token());
        interrupts.check()?;
        report.bench = measured?;
    }
    let rows = languages::examine_all(judge, None, interrupts.token());
    interrupts.check()?;
    report.compilers = Some(Compilers::new(rows));
    Ok(())
}

/// The level found, as a check.
fn level(control: ResourceControl) -> Check {
    let lost = host::lost(control);
    let meaning =
        if lost.is_empty() { "nothing is lost".to_owned() } else { format!("lost: {}", lost.join("; ")) };
    let check = Check::ok("resource-control", control.id(), meaning);
    match control {
        ResourceControl::CgroupV2 => check,
        ResourceControl::CgroupHybrid | ResourceControl::CgroupV1 => check.warning(
            "boot with systemd.unified_cgroup_hierarchy=1 cgroup_no_v1=all, or mount cgroup v2 alone; little is lost \
             as it is",
        ),
        ResourceControl::None => check.warning(
            "run as root, or under 'systemd-run --scope -p Delegate=yes' ('--user' when not root); in a container, \
             mount /sys/fs/cgroup writable",
        ),
    }
}

/// What each level would need here.
fn levels() -> Result<Vec<Level>, CommandError> {
    [
        ResourceControl::CgroupV2,
        ResourceControl::CgroupHybrid,
        ResourceControl::CgroupV1,
        ResourceControl::None,
    ]
    .into_iter()
    .map(|control| {
        let missing = Sandbox::missing_for(control).map_err(CommandError::judging)?;
        Ok(Level { level: control.id(), available: missing.is_none(), missing, lost: host::lost(control) })
    })
    .collect()
}

/// The sandbox's errors point to this very command.
fn without_advertisement(message: &str) -> String {
    message
        .replace(start::DOCTOR_SAYS, ": ")
        .replace(" ('gavel doctor' shows everything)", "")
        .replace(" ('gavel doctor' shows what this host lacks)", "")
}

/// What keeps boxes from this host, each with what to do, for a command that has found that they do not work.
pub(crate) fn problems() -> Vec<String> {
    let mut checks = host::checks_of_boxes(&Host::read());
    checks.retain(|check| check.status == check::Status::Problem);
    if checks.iter().any(|check| check.id == host::PROC) {
        // The others are read from there.
        checks.retain(|check| check.id == host::PROC);
    }
    checks
        .into_iter()
        .map(|check| match check.remedy {
            Some(remedy) => format!("{}: {}: {remedy}", check.id, check.found),
            None => format!("{}: {}", check.id, check.found),
        })
        .collect()
}

/// The cores this process may run on.
fn available_cores() -> Result<Vec<usize>, CommandError> {
    let set = sched_getaffinity(Pid::from_raw(0)).map_err(CommandError::judging)?;
    Ok((0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or(false)).collect())
}
