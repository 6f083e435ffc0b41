//! What a submission got group by group.

use serde::Serialize;

use crate::package::{Member, Package};
use crate::report::{GroupReport, Report};

/// A group's result, with the time its tests took.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct GroupResult {
    /// What it got.
    #[serde(flatten)]
    pub(super) report: GroupReport,
    /// Largest CPU time over its tests.
    pub(super) max_cpu_ms: f64,
}

/// All groups of a report, in the package's order.
pub(super) fn results(report: &Report) -> Vec<GroupResult> {
    report
        .groups
        .iter()
        .map(|group| {
            let tests = report.tests.iter().filter(|test| test.groups.contains(&group.name));
            let max_cpu_ms = tests.map(|test| test.cpu_ms).fold(0.0, f64::max);
            GroupResult { report: group.clone(), max_cpu_ms }
        })
        .collect()
}

/// The groups worth a column: the root's, and in place of one that has groups of its own, those.
pub(super) fn columns(package: &Package) -> Vec<&str> {
    let groups_of = |place: usize| {
        let members = package.groups.get(place).map_or(&[][..], |group| &group.members);
        members.iter().filter_map(|member| match member {
            Member::Group(place) => Some(*place),
            Member::Test { .. } => None,
        })
    };
    let mut columns = Vec::new();
    for top in groups_of(0) {
        let inner: Vec<usize> = groups_of(top).collect();
        columns.extend(if inner.is_empty() { vec![top] } else { inner });
    }
    columns
        .into_iter()
        .filter_map(|place| package.groups.get(place))
        .map(|group| group.name.as_str())
        .collect()
}
