//! What a replay took and got.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::super::CommandError;
use super::super::output;
use crate::report::{Phases, Report};
use crate::units::milliseconds;
use crate::verdict::Verdict;

/// The longest time a histogram tells apart from longer ones, in microseconds: ten hours.
const LONGEST: u64 = 36_000_000_000;

/// What is timed of each judging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Waiting in a worker.
    Queue,
    /// Compiling, or finding it compiled.
    Compile,
    /// All tests.
    Run,
    /// All of it, as whoever sent it sees it.
    Total,
    /// The rest of it: both ways, and waiting in the broker.
    Wire,
}

impl Step {
    const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Compile => "compile",
            Self::Run => "run",
            Self::Total => "total",
            Self::Wire => "wire",
        }
    }

    /// Milliseconds of it in a judging that took `total` in all.
    fn of(self, phases: &Phases, total: f64) -> f64 {
        match self {
            Self::Queue => phases.queue,
            Self::Compile => phases.compile,
            Self::Run => phases.tests,
            Self::Total => total,
            // Two clocks of one machine or of two that run alike: never below nothing.
            Self::Wire => (total - phases.queue - phases.fetch - phases.compile - phases.tests).max(0.0),
        }
    }
}

/// What all judgings took and got.
pub(super) struct Totals {
    /// Microseconds, by step.
    steps: Vec<(Step, Histogram<u64>)>,
    verdicts: BTreeMap<&'static str, u64>,
    /// The first judging error, with the submission's id.
    pub(super) first_error: Option<String>,
    /// Verdicts that came more than once.
    pub(super) repeats: u64,
}

impl Totals {
    pub(super) fn new(steps: &[Step]) -> Result<Self, CommandError> {
        let timed = |step: &Step| {
            let histogram = Histogram::new_with_bounds(1, LONGEST, 3).map_err(CommandError::judging)?;
            Ok((*step, histogram))
        };
        let steps = steps.iter().map(timed).collect::<Result<_, CommandError>>()?;
        Ok(Self { steps, verdicts: BTreeMap::new(), first_error: None, repeats: 0 })
    }

    /// A judging that took `total` from being sent to its verdict.
    pub(super) fn add(&mut self, report: &Report, total: Duration) {
        let total = milliseconds(total);
        for (step, histogram) in &mut self.steps {
            let value = step.of(&report.phases_ms, total);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Saturates.
            histogram.saturating_record((value * 1000.0) as u64);
        }
        *self.verdicts.entry(report.verdict.id()).or_default() += 1;
        if report.verdict == Verdict::JE && self.first_error.is_none() {
            let message = report.error.as_deref().unwrap_or("a judging error");
            self.first_error = Some(format!("{}: {message}", output::one_line(&report.id)));
        }
    }

    pub(super) fn judged(&self) -> u64 {
        self.verdicts.values().sum()
    }

    pub(super) fn human(&self, count: u64, took: Duration) -> String {
        let mut table = output::table(&["step", ">p50", ">p90", ">p99", ">p99.9", ">longest"]);
        for (step, histogram) in &self.steps {
            let mut row = vec![step.name().to_owned()];
            row.extend(figures(histogram).iter().map(|(_, value)| output::milliseconds(*value)));
            table.add_row(row);
        }
        let verdicts: Vec<_> =
            self.verdicts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
        let mut rest = String::new();
        if self.judged() < count {
            let _ = write!(rest, ", {} of {count} without a verdict", count - self.judged());
        }
        if self.repeats > 0 {
            let _ = write!(rest, ", {} told more than once", self.repeats);
        }
        format!(
            "{}\n\n{} judged in {:.1} s, {:.1} a second: {}{rest}\n",
            table.trim_fmt(),
            self.judged(),
            took.as_secs_f64(),
            self.throughput(took),
            if verdicts.is_empty() { "no verdicts".to_owned() } else { verdicts.join(", ") }
        )
    }

    pub(super) fn json(&self, count: u64, took: Duration) -> Value {
        let steps: serde_json::Map<_, _> = self
            .steps
            .iter()
            .map(|(step, histogram)| {
                let values: serde_json::Map<_, _> = figures(histogram)
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), json!(value)))
                    .collect();
                (step.name().to_owned(), Value::Object(values))
            })
            .collect();
        json!({
            "judged": self.judged(),
            "missing": count.saturating_sub(self.judged()),
            "repeats": self.repeats,
            "seconds": took.as_secs_f64(),
            "per_second": self.throughput(took),
            "verdicts": self.verdicts,
            "latency_ms": steps,
        })
    }

    fn throughput(&self, took: Duration) -> f64 {
        #[allow(clippy::cast_precision_loss)] // Shown with one decimal.
        let judged = self.judged() as f64;
        judged / took.as_secs_f64().max(1e-9)
    }
}

/// Quantiles in milliseconds.
fn figures(histogram: &Histogram<u64>) -> [(&'static str, f64); 5] {
    #[allow(clippy::cast_precision_loss)] // Hours in microseconds are exact.
    let at = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1000.0;
    [("p50", at(0.5)), ("p90", at(0.9)), ("p99", at(0.99)), ("p999", at(0.999)), ("max", at(1.0))]
}
