//! What `doctor` found, as `--format json` prints it: every key is always there, `null` where unknown.

use serde::Serialize;

use super::bench::Bench;
use super::check::{Check, Status};
use super::host::Host;
use super::noise::Timing;
use super::processor;
use crate::commands::languages::Row;
use crate::sandbox::{Hierarchy, ResourceControl};

/// How to get the compilers that are missing.
const SET_UP: &str = "deploy/setup.sh (in gavel's sources) installs all that Debian 12 has; the rest by hand";

/// Is it fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    Fit,
    FitWithWarnings,
    Unfit,
}

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) schema: u32,
    pub(super) gavel: &'static str,
    pub(super) verdict: Verdict,
    /// Why it is unfit, on one line.
    pub(super) reason: Option<String>,
    pub(super) host: HostReport,
    pub(super) resource_control: Control,
    pub(super) checks: Vec<Check>,
    pub(super) self_test: Option<SelfTest>,
    pub(super) timing: Option<Timing>,
    pub(super) compilers: Option<Compilers>,
    /// Only with `--bench`.
    pub(super) bench: Option<Bench>,
}

#[derive(Debug, Serialize)]
pub(super) struct HostReport {
    pub(super) kernel: String,
    pub(super) cpu: String,
    pub(super) cores: usize,
    pub(super) slots: usize,
    pub(super) root: bool,
    pub(super) virtual_machine: bool,
    pub(super) container: Option<String>,
    pub(super) systemd: bool,
}

impl HostReport {
    pub(super) fn new(host: &Host, cores: usize, slots: usize) -> Self {
        Self {
            kernel: host.release.clone(),
            cpu: host.cpu.clone(),
            cores,
            slots,
            root: host.is_root,
            virtual_machine: processor::is_virtual(),
            container: host.container.clone(),
            systemd: host.has_systemd,
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Control {
    /// As in a report's provenance; `null` where no box can be made.
    pub(super) level: Option<&'static str>,
    pub(super) memory_source: Option<&'static str>,
    pub(super) lost: &'static [&'static str],
    pub(super) levels: Vec<Level>,
    pub(super) hierarchies: Vec<Hierarchy>,
}

/// One level of resource control.
#[derive(Debug, Serialize)]
pub(super) struct Level {
    pub(super) level: &'static str,
    pub(super) available: bool,
    pub(super) missing: Option<String>,
    pub(super) lost: &'static [&'static str],
}

#[derive(Debug, Serialize)]
pub(super) struct SelfTest {
    pub(super) ok: bool,
    pub(super) checks: Vec<Check>,
}

impl SelfTest {
    pub(super) fn new(checks: Vec<Check>) -> Self {
        Self { ok: checks.iter().all(|check| check.status != Status::Problem), checks }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Compilers {
    pub(super) found: usize,
    pub(super) missing: usize,
    pub(super) broken: usize,
    pub(super) set_up: &'static str,
    pub(super) languages: Vec<Compiler>,
}

#[derive(Debug, Serialize)]
pub(super) struct Compiler {
    pub(super) id: String,
    pub(super) name: String,
    /// `ok`, `missing` or `broken`.
    pub(super) status: &'static str,
    pub(super) version: Option<String>,
    pub(super) detail: Option<String>,
}

impl Compilers {
    pub(super) fn new(rows: Vec<Row>) -> Self {
        let count = |status| rows.iter().filter(|row| row.status == status).count();
        Self {
            found: count("ok"),
            missing: count("missing"),
            broken: count("broken"),
            set_up: SET_UP,
            languages: rows
                .into_iter()
                .map(|row| Compiler {
                    id: row.id,
                    name: row.name,
                    status: row.status,
                    version: row.version,
                    detail: row.detail,
                })
                .collect(),
        }
    }
}

impl Report {
    /// All checks, of settings and of boxes.
    pub(super) fn all_checks(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().chain(self.self_test.iter().flat_map(|test| &test.checks))
    }

    /// Draws the conclusion: boxes that keep their limits overrule settings that look wrong.
    pub(super) fn decide(&mut self) {
        let keeps_limits = self.self_test.as_ref().is_some_and(|test| test.ok);
        if keeps_limits && self.reason.is_none() {
            let has_groups = self.resource_control.level != Some(ResourceControl::None.id());
            for check in self.checks.iter_mut().filter(|check| {
                check.status == Status::Problem
                    || (check.id == "container" && has_groups && check.status == Status::Warning)
            }) {
                check.status = Status::Ok;
                check.remedy = None;
                check.found.push_str(", yet boxes work");
            }
            let is_worse = self.all_checks().any(|check| check.status != Status::Ok)
                || self.compilers.as_ref().is_some_and(|compilers| compilers.missing + compilers.broken > 0);
            self.verdict = if is_worse { Verdict::FitWithWarnings } else { Verdict::Fit };
            return;
        }
        self.verdict = Verdict::Unfit;
        // A setting that looks wrong is the likely cause of what the kernel refused.
        let cause = self.checks.iter().find(|check| check.status == Status::Problem);
        if let (Some(reason), Some(cause)) = (&mut self.reason, cause) {
            let remedy = cause.remedy.as_deref().unwrap_or(&cause.meaning);
            reason.push_str(&format!("; {} ({}): {remedy}", cause.id, cause.found));
        }
        if self.reason.is_none() {
            let broken: Vec<_> = self
                .all_checks()
                .filter(|check| check.status == Status::Problem)
                .map(|check| format!("{} ({})", check.id, check.found))
                .collect();
            self.reason = Some(format!("this host cannot judge: {}", broken.join(", ")));
        }
    }
}
