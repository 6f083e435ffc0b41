//! The rules for limits: what a run gets on top of a package's, and what a compiler may use.

use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;

use super::raw::{RawCompileLimits, RawLimits, Text};
use super::validate::Rules;
use super::{CompileLimits, LanguageError, RunAllowance};
use crate::units::{Bytes, Time};

/// More at once than any runtime starts, and than a worker would survive.
const PROCESSES_LIMIT: i64 = 4096;

impl Rules<'_> {
    pub(super) fn limits(&self, raw: &RawLimits) -> Result<RunAllowance, LanguageError> {
        let defaults = RunAllowance::default();
        let time_factor = match &raw.time_factor {
            None => defaults.time_factor,
            Some(factor) if factor.get_ref().is_finite() && (0.01..=100.0).contains(factor.get_ref()) => {
                *factor.get_ref()
            }
            Some(factor) => {
                let problem =
                    format!("{} is out of range; accepted: a number from 0.01 to 100", factor.get_ref());
                return Err(self.broken(&factor.span(), "limits.time_factor", problem));
            }
        };
        let time_extra = self.quantity::<Time>("limits.time_extra", raw.time_extra.as_ref())?;
        let memory_extra = self.quantity("limits.memory_extra", raw.memory_extra.as_ref())?;
        Ok(RunAllowance {
            time_factor,
            time_extra: time_extra.map_or(defaults.time_extra, |time| time.0),
            memory_extra: memory_extra.unwrap_or(defaults.memory_extra),
            processes: self.processes("limits.processes", raw.processes.as_ref(), defaults.processes)?,
        })
    }

    pub(super) fn compile_limits(&self, raw: &RawCompileLimits) -> Result<CompileLimits, LanguageError> {
        let defaults = CompileLimits::default();
        let memory = self.positive_size("compile_limits.memory", raw.memory.as_ref(), defaults.memory)?;
        let output = CompileLimits::output_within(memory);
        Ok(CompileLimits {
            cpu: self.positive_time("compile_limits.cpu", raw.cpu.as_ref(), defaults.cpu)?,
            wall: self.positive_time("compile_limits.wall", raw.wall.as_ref(), defaults.wall)?,
            memory,
            output: self.positive_size("compile_limits.output", raw.output.as_ref(), output)?,
            processes: self.processes(
                "compile_limits.processes",
                raw.processes.as_ref(),
                defaults.processes,
            )?,
        })
    }

    fn positive_time(
        &self,
        key: &str,
        text: Option<&Text>,
        default: Duration,
    ) -> Result<Duration, LanguageError> {
        match (self.quantity::<Time>(key, text)?, text) {
            (Some(Time(Duration::ZERO)), Some(text)) => Err(self.broken(
                &text.span(),
                key,
                "nothing can run in no time; accepted: a time over zero like \"30s\"",
            )),
            (time, _) => Ok(time.map_or(default, |time| time.0)),
        }
    }

    fn positive_size(&self, key: &str, text: Option<&Text>, default: Bytes) -> Result<Bytes, LanguageError> {
        match (self.quantity::<Bytes>(key, text)?, text) {
            (Some(Bytes(0)), Some(text)) => Err(self.broken(
                &text.span(),
                key,
                "nothing can run in no space; accepted: a size over zero like \"512MiB\"",
            )),
            (size, _) => Ok(size.unwrap_or(default)),
        }
    }

    fn quantity<T: FromStr>(&self, key: &str, text: Option<&Text>) -> Result<Option<T>, LanguageError>
    where
        T::Err: std::fmt::Display,
    {
        text.map(|text| {
            text.get_ref().parse().map_err(|error: T::Err| self.broken(&text.span(), key, error.to_string()))
        })
        .transpose()
    }

    fn processes(&self, key: &str, count: Option<&Spanned<i64>>, default: u32) -> Result<u32, LanguageError> {
        let Some(count) = count else {
            return Ok(default);
        };
        match u32::try_from(*count.get_ref()) {
            Ok(processes) if (1..=PROCESSES_LIMIT).contains(count.get_ref()) => Ok(processes),
            _ => {
                let problem =
                    format!("{} is out of range; accepted: 1 to {PROCESSES_LIMIT}", count.get_ref());
                Err(self.broken(&count.span(), key, problem))
            }
        }
    }
}
