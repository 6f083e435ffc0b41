//! What a submission got group by group.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::package::{Member, Package};
use crate::report::{Event, EventKind, Report};
use crate::verdict::Verdict;

/// A group's result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct GroupResult {
    /// Its name: `secret/group1`.
    pub(super) name: String,
    /// What it got.
    pub(super) verdict: Verdict,
    /// Its score, where the problem has scores.
    pub(super) score: Option<f64>,
    /// Largest CPU time over its tests.
    pub(super) max_cpu_ms: f64,
}

/// Takes group results out of a judging's events.
#[derive(Debug, Default)]
pub(super) struct GroupWatch(Mutex<Vec<(String, Verdict, Option<f64>)>>);

impl GroupWatch {
    pub(super) fn see(&self, event: &Event) {
        if let EventKind::Group { name, verdict, score } = &event.kind {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push((name.clone(), *verdict, *score));
        }
    }

    /// What was seen, in the package's order.
    pub(super) fn results(self, package: &Package, report: &Report) -> Vec<GroupResult> {
        let seen = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        package
            .groups
            .iter()
            .filter(|group| !group.name.is_empty())
            .filter_map(|group| {
                let (name, verdict, score) = seen.iter().rev().find(|(name, ..)| *name == group.name)?;
                let tests = report.tests.iter().filter(|test| test.groups.contains(name));
                Some(GroupResult {
                    name: name.clone(),
                    verdict: *verdict,
                    score: *score,
                    max_cpu_ms: tests.map(|test| test.cpu_ms).fold(0.0, f64::max),
                })
            })
            .collect()
    }
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
