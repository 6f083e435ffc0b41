//! Computes the limits of a run from the package's, the submission's and the language's.

use std::time::Duration;

use crate::judge::language_box::derived_wall;
use crate::language::Language;
use crate::package::{Package, PackageLimits, Test, TestLimits, TimeLimit};
use crate::report::LimitsReport;
use crate::sandbox::{Limits, ResourceControl};
use crate::submission::Submission;
use crate::units::{Bytes, milliseconds};

/// The CPU limit of a package whose own is still to be found from its jury's submissions
/// (`gavel verify` does that).
pub const UNSET_TIME_LIMIT: Duration = Duration::from_secs(10);

/// Processes and threads of a program when its package does not say.
const DEFAULT_PROCESSES: u32 = 64;

/// Limits of every run of a submission.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunLimits {
    /// As given to the sandbox.
    pub(crate) limits: Limits,
    /// The CPU limit, also held against a program that ended by itself.
    pub(crate) cpu: Duration,
    /// The memory limit, runtime allowance included.
    pub(crate) memory: Bytes,
    /// The problem's memory limit in MiB: `{memory_mib}` of the language's argv.
    pub(crate) memory_mib: u64,
}

/// The limits of a submission's runs on every test.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LimitsByTest {
    /// Of a test without limits of its own.
    pub(crate) usual: RunLimits,
    special: Vec<(TestLimits, RunLimits)>,
}

impl LimitsByTest {
    /// Computes the limits by `of_run`, from the package's limits with those of a test in their place.
    pub(crate) fn new(
        package: &Package,
        tests: &[&Test],
        of_run: impl Fn(&PackageLimits) -> RunLimits,
    ) -> Self {
        let mut special: Vec<(TestLimits, RunLimits)> = Vec::new();
        for test in tests.iter().filter(|test| test.limits != TestLimits::default()) {
            if special.iter().all(|(limits, _)| *limits != test.limits) {
                special.push((test.limits, of_run(&with(&package.limits, test.limits))));
            }
        }
        Self { usual: of_run(&package.limits), special }
    }

    /// Returns the limits on a test for its report, where they differ from the usual ones.
    pub(crate) fn own_report(&self, test: &Test) -> Option<LimitsReport> {
        let own = self.on(test);
        (*own != self.usual).then(|| own.report())
    }

    /// Returns the limits on a test.
    pub(crate) fn on(&self, test: &Test) -> &RunLimits {
        let own = self.special.iter().find(|(limits, _)| *limits == test.limits);
        own.map_or(&self.usual, |(_, limits)| limits)
    }
}

/// Returns a package's limits with a test's own in their place.
fn with(limits: &PackageLimits, own: TestLimits) -> PackageLimits {
    PackageLimits {
        time: own.time.map_or(limits.time, TimeLimit::Fixed),
        // The package's wall limit goes with its CPU limit.
        wall: limits.wall.filter(|_| own.time.is_none()),
        memory: own.memory.unwrap_or(limits.memory),
        ..limits.clone()
    }
}

/// Computes the limits of a submission's runs. The submission can only lower the package's limits, unless `may_raise`; the
/// language's factor and extra come on top in either case.
pub(crate) fn of_run(
    submission: &Submission,
    of_package: &PackageLimits,
    language: &Language,
    may_raise: bool,
    control: ResourceControl,
) -> RunLimits {
    let wanted = &submission.limits;
    let allowance = &language.limits;
    let base = match of_package.time {
        TimeLimit::Fixed(limit) => limit,
        TimeLimit::FromSubmissions { .. } => UNSET_TIME_LIMIT,
    };
    let problem_cpu = choose(wanted.cpu.map(|time| time.0), base, may_raise);
    let cpu = scale(problem_cpu, allowance.time_factor).saturating_add(allowance.time_extra);
    let derived = derived_wall(cpu);
    // A package's wall limit is meant for its CPU limit as it stands; a language that gets more CPU time
    // gets as much more on the clock.
    let wall = of_package.wall.map_or(derived, |wall| wall.saturating_add(cpu.saturating_sub(problem_cpu)));
    let wall = choose(wanted.wall.map(|time| time.0), wall, may_raise);
    let problem_memory = choose(wanted.memory, of_package.memory, may_raise);
    let memory = Bytes(problem_memory.0.saturating_add(allowance.memory_extra.0));
    let output = output(submission, of_package, may_raise);
    // Where the kernel counts time and memory over the tree, a program may have children; without cgroups only
    // those that need them do. A runtime needs its own threads whatever a package says.
    let usual = if control == ResourceControl::None { allowance.processes } else { DEFAULT_PROCESSES };
    let processes = of_package.processes.unwrap_or(usual).max(allowance.processes);
    let processes = choose(wanted.processes, processes, may_raise);
    RunLimits {
        limits: Limits {
            cpu: Some(cpu),
            wall: Some(wall),
            memory: Some(memory),
            output: Some(output),
            // A file of one byte more than the output may have tells that there was more.
            file_size: Some(Bytes(output.0.saturating_add(1)).max(Bytes::mib(64))),
            processes: Some(processes),
            ..Limits::default()
        },
        cpu,
        memory,
        // No runtime takes a heap of no size at all.
        memory_mib: problem_memory.as_mib().max(1),
    }
}

/// Returns a warning for each limit that a submission asks for and does not get, where it may raise none.
pub(crate) fn refused(
    submission: &Submission,
    of_package: &PackageLimits,
    language: Option<&Language>,
    control: ResourceControl,
) -> Vec<String> {
    let wanted = &submission.limits;
    let mut lines = Vec::new();
    let mut refuse = |key: &str, wanted: String, held: String| {
        lines.push(format!(
            "'limits.{key}' has no effect: {wanted} is more than {held}, the problem's limit, which holds; the worker's \
             operator can allow more with raise_limits"
        ));
    };
    if let Some(wanted) = wanted.output.filter(|wanted| *wanted > of_package.output) {
        refuse("output", wanted.to_string(), of_package.output.to_string());
    }
    let Some(language) = language else { return lines };
    let held = of_run(submission, of_package, language, false, control).limits;
    let seconds = |duration: Duration| format!("{:.3} s", duration.as_secs_f64());
    let base = match of_package.time {
        TimeLimit::Fixed(limit) => limit,
        TimeLimit::FromSubmissions { .. } => UNSET_TIME_LIMIT,
    };
    if let Some(wanted) = wanted.cpu.filter(|wanted| wanted.0 > base) {
        refuse("cpu", seconds(wanted.0), seconds(base));
    }
    if let Some((wanted, wall)) = wanted.wall.zip(held.wall).filter(|(wanted, wall)| wanted.0 > *wall) {
        refuse("wall", seconds(wanted.0), seconds(wall));
    }
    if let Some(wanted) = wanted.memory.filter(|wanted| *wanted > of_package.memory) {
        refuse("memory", wanted.to_string(), of_package.memory.to_string());
    }
    if let Some((wanted, own)) = wanted.processes.zip(held.processes).filter(|(wanted, own)| wanted > own) {
        refuse("processes", wanted.to_string(), own.to_string());
    }
    lines
}

impl RunLimits {
    /// Returns the limits for a report.
    pub(crate) fn report(&self) -> LimitsReport {
        LimitsReport {
            cpu_ms: Some(milliseconds(self.cpu)),
            wall_ms: self.limits.wall.map(milliseconds),
            memory_kib: Some(self.memory.as_kib()),
            output_bytes: self.limits.output.map(|output| output.0),
            processes: self.limits.processes,
        }
    }

    /// Lets programs run on to `factor` times the CPU limit that is held against them; a factor that is not above 1
    /// changes nothing.
    pub(crate) fn with_overtime(mut self, factor: f64) -> Self {
        let longer = scale(self.cpu, factor);
        if longer > self.cpu {
            self.limits.cpu = Some(longer);
            self.limits.wall = self.limits.wall.map(|wall| wall.saturating_add(longer - self.cpu));
        }
        self
    }

    /// Returns whether a program may run beyond its CPU limit.
    pub(crate) fn has_overtime(&self) -> bool {
        self.limits.cpu.is_some_and(|cpu| cpu > self.cpu)
    }
}

/// Returns the output limit of a submission.
pub(crate) fn output(submission: &Submission, of_package: &PackageLimits, may_raise: bool) -> Bytes {
    choose(submission.limits.output, of_package.output, may_raise)
}

fn choose<T: Ord>(wanted: Option<T>, own: T, may_raise: bool) -> T {
    match wanted {
        Some(wanted) if may_raise => wanted,
        Some(wanted) => wanted.min(own),
        None => own,
    }
}

/// Multiplies a duration; a factor that is negative or no number changes nothing.
fn scale(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_lower_and_raise_only_with_permission() {
        assert_eq!(choose(Some(1), 2, false), 1);
        assert_eq!(choose(Some(3), 2, false), 2);
        assert_eq!(choose(Some(3), 2, true), 3);
        assert_eq!(choose(None, 2, true), 2);
    }

    #[test]
    fn factors_scale_exactly_and_nonsense_is_ignored() {
        assert_eq!(scale(Duration::from_secs(2), 1.5), Duration::from_secs(3));
        assert_eq!(scale(Duration::from_secs(2), f64::NAN), Duration::from_secs(2));
        assert_eq!(scale(Duration::from_secs(2), -1.0), Duration::from_secs(2));
    }
}
