//! How far timings can be trusted here: one fixed loop, many times, on every core, alone and all at once.
//!
//! "Alone" is one box at a time, "busy" all of them together, as in a contest; what differs between the two is
//! what slots take from each other. Figures are relative to the median of all runs alone, so a slow core or a
//! slow neighbour shows as a deviation. The verdict is the 95th percentile of the worse of the two, because
//! that is what one more run can be expected to keep; the worst run is told beside it.

use std::path::Path;

use serde::Serialize;

use super::check::Check;
use super::processor::loads;
use super::rig::{Ran, Rig, usual_limits};
use crate::cancel::CancelToken;
use crate::cli::ProbeAction;
use crate::commands::output::Progress;
use crate::sandbox::{Sandbox, SandboxError, Shape};
use crate::units::milliseconds;

/// What the loop should take: long beside starting a program, short enough for many runs.
const WANTED_MS: f64 = 20.0;
/// All runs alone together should take this long at most.
const BUDGET_MS: f64 = 2500.0;
/// Cores measured; more of the same tell nothing new.
const MOST_CORES: usize = 24;

/// More than this, in percent, and a time limit twice what a solution needs is no longer safe from both sides.
const MOST_NOISE: f64 = 10.0;

/// A series of runs.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Spread {
    pub(super) runs: usize,
    pub(super) median_ms: f64,
    /// Deviations from the reference, as a share of it, in percent: half, 95 % and 99 % of runs are within, and
    /// the worst.
    pub(super) p50_percent: f64,
    pub(super) p95_percent: f64,
    pub(super) p99_percent: f64,
    pub(super) worst_percent: f64,
}

/// CPU and wall time of the same runs.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Series {
    pub(super) cpu: Spread,
    pub(super) wall: Spread,
}

/// One core, alone.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Core {
    pub(super) core: usize,
    #[serde(flatten)]
    pub(super) series: Series,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Timing {
    /// Of the loop, the same in every run.
    pub(super) iterations: u64,
    pub(super) cores: Vec<Core>,
    pub(super) alone: Series,
    pub(super) busy: Series,
    /// How much slower the median core is when all are busy, in percent of CPU time.
    pub(super) busy_slowdown_percent: f64,
    /// Between the fastest and the slowest core's median, in percent of CPU time.
    pub(super) core_difference_percent: f64,
    /// CPU time as gavel measures it less the program's own getrusage, in milliseconds.
    pub(super) agreement_median_ms: f64,
    pub(super) agreement_worst_ms: f64,
    /// Runs during which something else was on the core.
    pub(super) preempted_runs: usize,
    /// Time the hypervisor kept from all cores meanwhile.
    pub(super) stolen_ms: f64,
    pub(super) load_average: Vec<f64>,
    /// CPU timings here are good to about plus or minus this.
    pub(super) accuracy_percent: f64,
    pub(super) verdict: String,
}

/// One run, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Sample {
    cpu: f64,
    wall: f64,
    own: f64,
    preempted: bool,
}

/// Measures; `None` when cancelled.
///
/// # Errors
/// When a box cannot be made or is lost.
pub(super) fn measure(
    sandbox: &Sandbox,
    program: &Path,
    cores: &[usize],
    cancel: &CancelToken,
) -> Result<Option<Timing>, SandboxError> {
    let load_average = loads();
    let chosen: Vec<usize> = cores.iter().copied().step_by(cores.len().div_ceil(MOST_CORES).max(1)).collect();
    let mut rigs = Vec::new();
    for core in &chosen {
        rigs.push(Rig::new(sandbox, &Shape::default(), Some(*core), program, cancel)?);
    }
    let iterations = calibrate(&mut rigs)?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
    let rounds = ((BUDGET_MS / WANTED_MS / rigs.len().max(1) as f64) as usize).clamp(5, 50);
    let progress = Progress::new(2 * rounds * rigs.len(), "timing");
    let stolen = stolen_ms();
    let mut alone: Vec<Vec<Sample>> = vec![Vec::new(); rigs.len()];
    // Core after core in each round: what changes in the course of it touches all cores alike.
    for _ in 0..rounds {
        for (rig, samples) in rigs.iter_mut().zip(&mut alone) {
            if cancel.is_cancelled() {
                return Ok(None);
            }
            samples.push(sample(rig, iterations)?);
            progress.step();
        }
    }
    let busy = together(&mut rigs, iterations, rounds, cancel, &progress)?;
    progress.finish();
    if cancel.is_cancelled() {
        return Ok(None);
    }
    let measured = Measured { iterations, cores: chosen, alone, busy };
    Ok(Some(measured.conclude(stolen_ms() - stolen, load_average)))
}

/// How often to loop, so that it takes what it should: the fastest of a few runs decides.
fn calibrate(rigs: &mut [Rig<'_>]) -> Result<u64, SandboxError> {
    const FIRST: u64 = 2_000_000;
    let mut fastest = f64::INFINITY;
    for rig in rigs.iter_mut().take(2) {
        for _ in 0..3 {
            let ran = rig.probe(ProbeAction::Spin, FIRST, &usual_limits())?;
            fastest =
                ran.number("loop_ms").filter(|time| *time > 0.0).map_or(fastest, |time| time.min(fastest));
        }
    }
    if !fastest.is_finite() {
        return Err(unheard());
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
    let iterations = (FIRST as f64 * WANTED_MS / fastest) as u64;
    Ok(iterations.clamp(FIRST / 20, FIRST * 1000))
}

fn sample(rig: &mut Rig<'_>, iterations: u64) -> Result<Sample, SandboxError> {
    let ran: Ran = rig.probe(ProbeAction::Spin, iterations, &usual_limits())?;
    let own = ran.number("cpu_ms").ok_or_else(unheard)?;
    Ok(Sample {
        cpu: milliseconds(ran.outcome.cpu),
        wall: milliseconds(ran.outcome.wall),
        own,
        preempted: ran.number("preempted").is_some_and(|count| count > 0.0),
    })
}

/// All boxes at once, a thread each.
fn together(
    rigs: &mut [Rig<'_>],
    iterations: u64,
    rounds: usize,
    cancel: &CancelToken,
    progress: &Progress,
) -> Result<Vec<Sample>, SandboxError> {
    let series = std::thread::scope(|scope| {
        let threads: Vec<_> = rigs
            .iter_mut()
            .map(|rig| {
                scope.spawn(move || {
                    let mut samples = Vec::new();
                    for _ in 0..rounds {
                        if cancel.is_cancelled() {
                            break;
                        }
                        samples.push(sample(rig, iterations)?);
                        progress.step();
                    }
                    Ok(samples)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(unheard()))).collect::<Vec<_>>()
    });
    series.into_iter().collect::<Result<Vec<_>, _>>().map(|series| series.into_iter().flatten().collect())
}

fn unheard() -> SandboxError {
    SandboxError::BoxLost {
        name: "of the timing loop".to_owned(),
        detail: "its program said nothing".to_owned(),
    }
}

/// All samples.
struct Measured {
    iterations: u64,
    cores: Vec<usize>,
    alone: Vec<Vec<Sample>>,
    busy: Vec<Sample>,
}

impl Measured {
    fn conclude(self, stolen_ms: f64, load_average: Vec<f64>) -> Timing {
        let all: Vec<Sample> = self.alone.iter().flatten().copied().collect();
        let reference = Sample {
            cpu: median(all.iter().map(|sample| sample.cpu)),
            wall: median(all.iter().map(|sample| sample.wall)),
            own: 0.0,
            preempted: false,
        };
        let alone = series(&all, reference);
        let busy = series(&self.busy, reference);
        let cores: Vec<Core> = self
            .cores
            .iter()
            .zip(&self.alone)
            .map(|(core, samples)| Core { core: *core, series: series(samples, reference) })
            .collect();
        let medians = || cores.iter().map(|core| core.series.cpu.median_ms);
        let (fastest, slowest) = (medians().fold(f64::INFINITY, f64::min), medians().fold(0.0, f64::max));
        let differences = || all.iter().chain(&self.busy).map(|sample| sample.cpu - sample.own);
        let accuracy_percent = round(alone.cpu.p95_percent.max(busy.cpu.p95_percent));
        Timing {
            iterations: self.iterations,
            busy_slowdown_percent: round((busy.cpu.median_ms / reference.cpu - 1.0) * 100.0),
            core_difference_percent: round((slowest / fastest - 1.0) * 100.0),
            agreement_median_ms: round(median(differences())),
            agreement_worst_ms: round(differences().map(f64::abs).fold(0.0, f64::max)),
            preempted_runs: all.iter().chain(&self.busy).filter(|sample| sample.preempted).count(),
            stolen_ms: round(stolen_ms),
            load_average,
            accuracy_percent,
            verdict: verdict(accuracy_percent, alone.cpu.worst_percent.max(busy.cpu.worst_percent)),
            cores,
            alone,
            busy,
        }
    }
}

/// The verdict among the other checks.
pub(super) fn check(timing: &Timing) -> Check {
    let found = format!("±{:.1} %", timing.accuracy_percent);
    Check::ok("timing", found, timing.verdict.clone()).wanted(
        timing.accuracy_percent <= MOST_NOISE,
        "see to the warnings about load, boost, siblings and the like, and measure again",
    )
}

fn verdict(accuracy: f64, worst: f64) -> String {
    let advice = if accuracy <= 3.0 {
        "fit for tight time limits"
    } else if accuracy <= MOST_NOISE {
        "leave that much room in time limits"
    } else {
        "too noisy for time limits near what solutions need"
    };
    format!(
        "CPU timings here are good to about ±{accuracy:.1} % (19 of 20 runs; worst {worst:.1} %): {advice}"
    )
}

fn series(samples: &[Sample], reference: Sample) -> Series {
    Series {
        cpu: spread(samples.iter().map(|sample| sample.cpu), reference.cpu),
        wall: spread(samples.iter().map(|sample| sample.wall), reference.wall),
    }
}

fn spread(values: impl Iterator<Item = f64> + Clone, reference: f64) -> Spread {
    let mut deviations: Vec<f64> =
        values.clone().map(|value| (value / reference - 1.0).abs() * 100.0).collect();
    deviations.sort_by(f64::total_cmp);
    Spread {
        runs: deviations.len(),
        median_ms: round(median(values)),
        p50_percent: round(quantile(&deviations, 0.5)),
        p95_percent: round(quantile(&deviations, 0.95)),
        p99_percent: round(quantile(&deviations, 0.99)),
        worst_percent: round(quantile(&deviations, 1.0)),
    }
}

pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    quantile(&values, 0.5)
}

/// The smallest value that at least this share of the sorted values do not exceed; 0 of none.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
    let place = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied().unwrap_or(0.0)
}

/// To a thousandth: more would be noise.
pub(super) fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// What the hypervisor has kept from all cores since the machine started, in ticks of 10 ms (proc_stat(5)).
fn stolen_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let steal = text.lines().next().and_then(|line| line.split_whitespace().nth(8)?.parse::<f64>().ok());
    steal.unwrap_or(0.0) * 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(times: &[f64]) -> Vec<Sample> {
        times
            .iter()
            .map(|time| Sample { cpu: *time, wall: *time + 1.0, own: *time - 0.5, preempted: false })
            .collect()
    }

    #[test]
    fn quantiles_are_values_that_occurred() {
        let sorted: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!([0.5, 0.95, 0.99, 1.0].map(|share| quantile(&sorted, share)), [50.0, 95.0, 99.0, 100.0]);
        assert_eq!(quantile(&[7.0], 0.5), 7.0);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }

    #[test]
    fn a_slow_core_and_slow_company_show() {
        let measured = Measured {
            iterations: 1,
            cores: vec![0, 3],
            alone: vec![samples(&[10.0; 20]), samples(&[11.0; 19])],
            busy: samples(&[15.0; 10]),
        };
        let timing = measured.conclude(0.0, Vec::new());
        assert_eq!(timing.core_difference_percent, 10.0);
        assert_eq!(timing.busy_slowdown_percent, 50.0);
        assert_eq!(timing.accuracy_percent, 50.0);
        assert_eq!((timing.agreement_median_ms, timing.agreement_worst_ms), (0.5, 0.5));
        assert_eq!((timing.cores[1].core, timing.cores[1].series.cpu.p50_percent), (3, 10.0));
        assert!(timing.verdict.contains("too noisy"), "{}", timing.verdict);
    }

    #[test]
    fn equal_runs_are_exact() {
        let measured = Measured {
            iterations: 1,
            cores: vec![0],
            alone: vec![samples(&[10.0; 20])],
            busy: samples(&[10.0; 20]),
        };
        let timing = measured.conclude(0.0, Vec::new());
        assert_eq!((timing.accuracy_percent, timing.alone.wall.worst_percent), (0.0, 0.0));
        assert!(timing.verdict.contains("tight"), "{}", timing.verdict);
    }
}
