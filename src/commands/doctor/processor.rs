//! What makes the same program take another time: clocks, siblings, neighbours.
//!
//! Each of these is a setting someone can change; how much they matter here is what `noise` measures.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::check::{Check, number, setting};
use crate::judge::CoreUse;
use crate::sandbox::Hierarchy;

const CPUS: &str = "/sys/devices/system/cpu";

/// The first `model name`, or the architecture where the kernel tells none (ARM).
pub(super) fn model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("model name").and_then(|rest| rest.split_once(':')))
        .map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, model)| model.trim().to_owned())
}

/// Whether a hypervisor says it is there.
pub(super) fn is_virtual() -> bool {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    text.lines()
        .find(|line| line.starts_with("flags"))
        .is_some_and(|line| line.split_whitespace().any(|flag| flag == "hypervisor"))
}

/// All of it; `cores` are those programs will run on.
pub(super) fn checks(cores: &[usize], slots: usize, hierarchies: &[Hierarchy]) -> Vec<Check> {
    vec![
        load(cores.len()),
        governor(cores),
        boost(),
        siblings(cores, slots),
        asymmetry(cores),
        virtual_machine(),
        clock(),
        quota(hierarchies, cores.len()),
        huge_pages(),
        address_layout(),
    ]
}

fn load(cores: usize) -> Check {
    let loads = loads();
    let found = loads.iter().map(|load| format!("{load:.2}")).collect::<Vec<_>>().join(" ");
    let meaning = "what else runs here takes caches, memory bandwidth and cores away from programs";
    #[allow(clippy::cast_precision_loss)] // A number of cores.
    let is_idle = loads.first().is_none_or(|load| *load < 0.25 * cores as f64 + 0.25);
    Check::ok("load", found, meaning)
        .wanted(is_idle, "judge on a host that does nothing else, and measure again when it is idle")
}

/// Load averages over 1, 5 and 15 minutes.
pub(super) fn loads() -> Vec<f64> {
    let text = setting("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).filter_map(|word| word.parse().ok()).collect()
}

fn governor(cores: &[usize]) -> Check {
    let governors: BTreeSet<String> = cores
        .iter()
        .filter_map(|core| setting(&format!("{CPUS}/cpu{core}/cpufreq/scaling_governor")))
        .collect();
    let meaning = "a core that changes its frequency runs the first milliseconds of a program slower";
    if governors.is_empty() {
        return Check::ok("governor", "not this system's to set", meaning);
    }
    let found = governors.iter().cloned().collect::<Vec<_>>().join(", ");
    Check::ok("governor", found, meaning).wanted(
        governors.iter().all(|governor| governor == "performance"),
        "cpupower frequency-set -g performance (or write it to every \
         /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor)",
    )
}

fn boost() -> Check {
    let meaning = "a boosted core is fast while its neighbours rest and slower when all slots are busy";
    let (file, on) = ("/sys/devices/system/cpu/intel_pstate/no_turbo", 0);
    let (is_on, remedy) = match (number(file), number("/sys/devices/system/cpu/cpufreq/boost")) {
        (Some(state), _) => (state == on, format!("echo 1 > {file}")),
        (None, Some(state)) => (state != 0, "echo 0 > /sys/devices/system/cpu/cpufreq/boost".to_owned()),
        (None, None) => return Check::ok("boost", "not this system's to set", meaning),
    };
    Check::ok("boost", if is_on { "on" } else { "off" }, meaning).wanted(!is_on, remedy)
}

/// Two slots on the two threads of one physical core slow each other down by a third or more.
fn siblings(cores: &[usize], slots: usize) -> Check {
    let mut physical = BTreeSet::new();
    for core in cores {
        let list = setting(&format!("{CPUS}/cpu{core}/topology/thread_siblings_list"));
        physical.insert(list.unwrap_or_else(|| core.to_string()));
    }
    let found = format!("{} cores of {} physical, {slots} slots", cores.len(), physical.len());
    let meaning = "two slots on one physical core share its units and caches: each is slower when both run";
    Check::ok("siblings", found, meaning).wanted(
        physical.len() >= slots.min(cores.len()),
        format!(
            "echo off > /sys/devices/system/cpu/smt/control, boot with nosmt, or give --slots {} and 'taskset' one \
             thread of each core",
            physical.len()
        ),
    )
}

/// Which cores the judge of this command was given.
pub(super) fn leases(cores: &CoreUse) -> Check {
    let list = cores.leased.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let found = match (cores.shortage(), list.is_empty()) {
        (None, _) => format!("a core for each slot: {list}"),
        (Some(shortage), true) => shortage,
        (Some(shortage), false) => format!("core {list}; {shortage}"),
    };
    let meaning = "a slot with a core of its own shares it with no program that another gavel process of this host measures; \
                   the others run on any core";
    Check::ok("core-leases", found, meaning).wanted(
        cores.is_exclusive(),
        match &cores.problem {
            Some(problem) => problem.clone(),
            None => "give fewer --slots to the gavel processes of this host together than it has cores, or stop those that \
                     hold them"
                .to_owned(),
        },
    )
}

fn asymmetry(cores: &[usize]) -> Check {
    let meaning = "on a mix of fast and slow cores the same program takes different times";
    let capacities: BTreeSet<u64> =
        cores.iter().filter_map(|core| number(&format!("{CPUS}/cpu{core}/cpu_capacity"))).collect();
    let is_mixed = capacities.len() > 1
        || (Path::new("/sys/devices/cpu_atom").exists() && Path::new("/sys/devices/cpu_core").exists());
    Check::ok("same-cores", if is_mixed { "fast and slow ones" } else { "all alike" }, meaning).wanted(
        !is_mixed,
        "start gavel under 'taskset -c' with the cores of one kind only (/sys/devices/cpu_core/cpus)",
    )
}

fn virtual_machine() -> Check {
    let meaning = "whoever runs the machine may take cores away, and time goes on meanwhile (steal)";
    if !is_virtual() {
        return Check::ok("virtual-machine", "no", meaning);
    }
    Check::ok("virtual-machine", "yes", meaning)
        .warning("use a machine of your own, or one with dedicated cores (vCPUs pinned and not shared)")
}

/// Reading a slow clock costs a program that asks the time often.
fn clock() -> Check {
    let source = setting("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    let is_slow =
        source.as_deref().is_some_and(|source| ["hpet", "acpi_pm", "jiffies", "pit"].contains(&source));
    let found = source.unwrap_or_else(|| "unknown".to_owned());
    Check::ok("clock", found, "programs that read the time often pay for a slow clock")
        .wanted(!is_slow, "boot with clocksource=tsc tsc=reliable, if the processor has a constant TSC")
}

/// A quota stops all programs for the rest of each period, which shows as wall time.
fn quota(hierarchies: &[Hierarchy], cores: usize) -> Check {
    let meaning = "a CPU quota on gavel's own group stops every program for parts of each 100 ms";
    let limited = hierarchies.iter().filter_map(|own| own.base.as_ref()).find_map(|base| {
        let unified = setting(base.join("cpu.max").to_str()?).and_then(|line| {
            let (quota, period) = line.split_once(' ')?;
            Some((quota.parse::<f64>().ok()?, period.parse::<f64>().ok()?))
        });
        let old = || {
            let read = |name: &str| setting(base.join(name).to_str()?)?.parse::<f64>().ok();
            Some((read("cpu.cfs_quota_us").filter(|quota| *quota > 0.0)?, read("cpu.cfs_period_us")?))
        };
        unified.or_else(old).map(|(quota, period)| quota / period)
    });
    match limited {
        None => Check::ok("cpu-quota", "none", meaning),
        #[allow(clippy::cast_precision_loss)] // A number of cores.
        Some(quota) => Check::ok("cpu-quota", format!("{quota:.1} of {cores} cores"), meaning).wanted(
            quota >= cores as f64,
            "give the container whole cores (docker --cpuset-cpus) instead of a quota (--cpus)",
        ),
    }
}

fn huge_pages() -> Check {
    let text = setting("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    let found =
        text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or("not there", |(mode, _)| mode);
    let meaning =
        "with 'always', speed and memory of a program depend on whether the kernel finds 2 MiB free";
    Check::ok("huge-pages", found, meaning)
        .wanted(found != "always", "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled")
}

/// Left as it is: a little noise for a defence that programs of strangers should meet.
fn address_layout() -> Check {
    let is_on = number("/proc/sys/kernel/randomize_va_space").is_none_or(|level| level > 0);
    let meaning = "addresses differ from run to run, and with them, a little, what collides in caches; its share is \
                   part of the measured noise, and it may stay on";
    Check::ok("address-randomisation", if is_on { "on" } else { "off" }, meaning)
}
