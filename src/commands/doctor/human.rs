//! The report for people: the verdict first, then what to change, then what was found.

use comfy_table::Cell;

use super::check::{Check, Status};
use super::host::FEATURES;
use super::noise::Timing;
use super::report::{Compilers, Control, Report, Verdict};
use crate::commands::output;

pub(super) fn text(report: &Report) -> String {
    let mut parts = vec![head(report), control(&report.resource_control)];
    if let Some(test) = &report.self_test {
        parts.push(format!("Boxes, tried out\n{}", table(test.checks.iter())));
    }
    parts.push(format!("Host\n{}", host(report)));
    parts.extend(report.timing.as_ref().map(timing));
    parts.extend(report.bench.as_ref().map(|bench| {
        let caveat = if bench.debug_build { "; built without optimisation, which says little" } else { "" };
        format!(
            "Bench\n  {}: bare {:.3} ms, in a box {:.3} ms: {:.2} x, {:.3} ms more a run (p50 of {} each{caveat})",
            bench.program, bench.bare_p50_ms, bench.boxed_p50_ms, bench.ratio, bench.overhead_ms, bench.runs
        )
    }));
    parts.extend(report.compilers.as_ref().map(compilers));
    parts.extend(changes(report));
    parts.push(conclusion(report));
    parts.join("\n\n") + "\n"
}

fn head(report: &Report) -> String {
    let host = &report.host;
    let place = match (&host.container, host.virtual_machine) {
        (Some(kind), _) => format!(", in a container ({})", output::one_line(kind)),
        (None, true) => ", a virtual machine".to_owned(),
        (None, false) => String::new(),
    };
    format!(
        "gavel {} on Linux {}, {}, {} cores, {} slots{place}, {}",
        report.gavel,
        host.kernel,
        host.cpu,
        host.cores,
        host.slots,
        if host.root { "as root" } else { "not as root" }
    )
}

fn control(control: &Control) -> String {
    let mut table = output::table(&["level", "here", "missing"]);
    for level in &control.levels {
        let is_used = control.level == Some(level.level);
        table.add_row(vec![
            Cell::new(level.level),
            output::word_cell(
                if is_used {
                    "used"
                } else if level.available {
                    "possible"
                } else {
                    "no"
                },
                level.available,
            ),
            Cell::new(level.missing.as_deref().unwrap_or("")),
        ]);
    }
    let mut text = format!("Resource control\n{}", table.trim_fmt());
    for lost in control.lost {
        text.push_str(&format!("\n  lost: {lost}"));
    }
    text
}

/// Kernel features that are there are one line: nobody reads nine that are fine.
fn host(report: &Report) -> String {
    let is_feature = |check: &&Check| FEATURES.iter().any(|feature| feature.0 == check.id);
    let (features, others): (Vec<&Check>, Vec<&Check>) = report.checks.iter().partition(is_feature);
    let (good, bad): (Vec<&Check>, Vec<&Check>) =
        features.into_iter().partition(|check| check.status == Status::Ok);
    let found = format!("Linux {}: {} of {} features", report.host.kernel, good.len(), FEATURES.len());
    let summary = Check::ok("kernel", found, "");
    table(std::iter::once(&summary).chain(bad).chain(others))
}

fn table<'a>(checks: impl Iterator<Item = &'a Check>) -> String {
    let mut table = output::table(&["", "check", "found"]);
    for check in checks {
        let color = match check.status {
            Status::Ok => comfy_table::Color::Green,
            Status::Warning => comfy_table::Color::Yellow,
            Status::Problem => comfy_table::Color::Red,
        };
        table.add_row(vec![
            Cell::new(check.status.word()).fg(color),
            Cell::new(check.id),
            Cell::new(output::one_line(&check.found)),
        ]);
    }
    table.trim_fmt()
}

fn timing(timing: &Timing) -> String {
    let mut table = output::table(&[
        "", ">runs", ">CPU", ">95 %", ">99 %", ">worst", ">wall", ">95 %", ">99 %", ">worst",
    ]);
    let percent = |value: f64| Cell::new(format!("{value:.2} %"));
    let mut add = |name: String, series: &super::noise::Series| {
        table.add_row(vec![
            Cell::new(name),
            Cell::new(series.cpu.runs),
            Cell::new(format!("{:.2} ms", series.cpu.median_ms)),
            percent(series.cpu.p95_percent),
            percent(series.cpu.p99_percent),
            percent(series.cpu.worst_percent),
            Cell::new(format!("{:.2} ms", series.wall.median_ms)),
            percent(series.wall.p95_percent),
            percent(series.wall.p99_percent),
            percent(series.wall.worst_percent),
        ]);
    };
    for core in &timing.cores {
        add(format!("core {}", core.core), &core.series);
    }
    add("one at a time".to_owned(), &timing.alone);
    add("all cores busy".to_owned(), &timing.busy);
    format!(
        "Timing (the same loop again and again; deviations from the median of all runs one at a time)\n{}\n\
         \x20 all cores busy: {:+.1} % CPU time; between cores: {:.1} %; against getrusage: {:+.2} ms, worst {:.2} ms\n\
         \x20 {} runs shared their core with something else; {:.0} ms taken by the hypervisor\n\
         \x20 {}",
        table.trim_fmt(),
        timing.busy_slowdown_percent,
        timing.core_difference_percent,
        timing.agreement_median_ms,
        timing.agreement_worst_ms,
        timing.preempted_runs,
        timing.stolen_ms,
        timing.verdict
    )
}

fn compilers(compilers: &Compilers) -> String {
    let all = compilers.languages.len();
    let mut text = format!("Compilers\n  {} of {all} languages work", compilers.found);
    for language in compilers.languages.iter().filter(|language| language.status != "ok") {
        let detail = output::one_line(language.detail.as_deref().unwrap_or(""));
        text.push_str(&format!("\n  {} {}: {detail}", language.status, language.id));
    }
    if compilers.missing > 0 {
        text.push_str(&format!("\n  to get them: {}", compilers.set_up));
    }
    text.push_str("\n  versions: gavel languages; compiled and run: gavel languages --check");
    text
}

/// What is not as it should be, why it matters, and what to do.
fn changes(report: &Report) -> Option<String> {
    let mut checks: Vec<&Check> = report.all_checks().filter(|check| check.status != Status::Ok).collect();
    if checks.is_empty() {
        return None;
    }
    checks.sort_by_key(|check| std::cmp::Reverse(check.status));
    let lines = checks.iter().map(|check| {
        let remedy = check.remedy.as_deref().unwrap_or("nothing known");
        format!("  {} {}: {}\n    -> {remedy}", check.status.word(), check.id, check.meaning)
    });
    Some(format!("What to change\n{}", lines.collect::<Vec<_>>().join("\n")))
}

fn conclusion(report: &Report) -> String {
    let warnings = report.all_checks().filter(|check| check.status == Status::Warning).count();
    match report.verdict {
        Verdict::Fit => "fit".to_owned(),
        Verdict::FitWithWarnings => {
            format!("fit, with {warnings} warning{}", if warnings == 1 { "" } else { "s" })
        }
        Verdict::Unfit => format!("not fit: {}", report.reason.as_deref().unwrap_or("see above")),
    }
}
