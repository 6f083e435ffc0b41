//! Defines groups of tests, and how results become verdicts and scores.
//!
//! A tree whose root is the first of [`crate::package::Package::groups`]. One test may stand in several groups (CMS
//! subtasks, Kattis links); it runs once, and may be skipped only when every group it stands in is decided.
//!
//! The score of a group, step by step:
//! 1. Each member has a score. A group's is its own; that of a test is, when it was accepted, the score its checker
//!    gave (or the checker's fraction × the test's points), else the test's points; when it was not, what a checker gave
//!    for a partly right output, else `reject_score`.
//! 2. [`Aggregation`] makes one number of the scores of the members that count.
//! 3. That number × `weight` is the score, which must lie within `range` where the group was accepted.
//! 4. When a dependency did not pass, the score is the smallest of the range, or 0, and the tests are not run; the
//!    group counts as not accepted in those around it, with the verdict of what did not pass.
//!
//! Members are judged in their order, and what stands after the end of a group that breaks enters neither its verdict nor
//! its score.

/// A node of the tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Its name, unique: `secret/group1`; empty for the root.
    pub name: String,
    /// Its members, in judging order.
    pub members: Vec<Member>,
    /// How its score comes about; only where [`crate::package::Package::scoring`] is set.
    pub aggregation: Aggregation,
    /// How its verdict comes about.
    pub verdict: GroupVerdict,
    /// Score of an accepted test without points of its own (Kattis legacy: `accept_score`).
    pub accept_score: f64,
    /// Score of a test that was not accepted (Kattis legacy: `reject_score`).
    pub reject_score: f64,
    /// Factor of the aggregated score (CMS: a subtask's points over fractions; DMOJ: a batch's `points`).
    pub weight: f64,
    /// Smallest and largest possible score; one outside is a judging error where the group was accepted and counts (Kattis
    /// legacy: `range`; 2025-09: `max_score`).
    pub range: ScoreRange,
    /// Whether judging continues after a member that is not accepted.
    pub on_reject: OnReject,
    /// Names of groups that must have passed: every test in them accepted (2025-09: `require_pass`; DMOJ and Polygon:
    /// `dependencies`).
    pub dependencies: Vec<String>,
    /// Whether its result enters its parent's, where that of another member does; samples often do not (Kattis legacy:
    /// `ignore_sample`; 2025-09, "Samples for judging team submissions"). A judging error counts all the same, and so
    /// does what `on_reject` of the parent makes of a rejection.
    pub counts: bool,
}

/// Something in a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Member {
    /// A test: its place in [`crate::package::Package::tests`].
    Test {
        /// The place.
        test: usize,
        /// Its score when accepted; `None` is the group's `accept_score` (Polygon and DMOJ: `points`).
        points: Option<f64>,
    },
    /// A group: its place in [`crate::package::Package::groups`].
    Group(usize),
}

/// One number out of many. Of no members at all it is 0.
#[derive(Debug, Clone, PartialEq)]
pub enum Aggregation {
    /// Sum (Kattis' default, CMS: `Sum`, DMOJ: cases and batches).
    Sum,
    /// Arithmetic mean (Kattis legacy: `avg`).
    Average,
    /// The smallest (CMS: `GroupMin`, DMOJ: within a batch).
    Min,
    /// The largest (Kattis legacy: `max`).
    Max,
    /// Product (CMS: `GroupMul`).
    Product,
    /// 1 when every member was accepted, else 0: with `weight` all points or none (2025-09: `pass-fail`; Polygon:
    /// `COMPLETE_GROUP`).
    AllOrNothing,
    /// 1 when every member's score lies in 0 to this, else 0 (CMS: `GroupThreshold`).
    Threshold(f64),
    /// The package's own grader, with these arguments (Kattis legacy: `grading: custom`, `grader_flags`).
    Program(Vec<String>),
}

/// One verdict out of many (Kattis legacy, "Graders", and problemtools' default grader).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GroupVerdict {
    /// The first that is not AC.
    #[default]
    FirstError,
    /// The worst.
    WorstError,
    /// AC whatever happened: only the score tells.
    AlwaysAccept,
    /// AC when one member was accepted, else the first failure (`first_error accept_if_any_accepted`).
    AnyAccepted,
    /// AC when one member was accepted, else the worst (`accept_if_any_accepted`).
    AnyAcceptedElseWorst,
}

/// Whether judging of a group continues after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnReject {
    /// The group is decided (Kattis legacy: `on_reject: break`; DMOJ: `short_circuit`, and within batches). Where there are
    /// scores, a test that gets a part of its points decides nothing (DMOJ: a checker that passed).
    #[default]
    Break,
    /// Everything is run.
    Continue,
}

/// Both ends belong to it; infinite where there is no bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreRange {
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

/// What a scoring problem has beyond its groups; the submission's score is that of the root.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scoring {
    /// Which scores are better (Kattis legacy: `grading.objective`).
    pub objective: Objective,
    /// Decimal places the final score is rounded to (CMS: `score_precision`).
    pub precision: Option<u32>,
}

/// Which scores are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Objective {
    /// Larger ones.
    #[default]
    Maximise,
    /// Smaller ones.
    Minimise,
}

impl ScoreRange {
    /// Every number.
    pub const UNBOUNDED: Self = Self { min: f64::NEG_INFINITY, max: f64::INFINITY };

    /// Whether a score lies within.
    pub fn contains(self, score: f64) -> bool {
        (self.min..=self.max).contains(&score)
    }
}

impl Group {
    /// A group of pass-fail problems, and a start for any other: an accepted test is worth 1, a rejected one 0, and
    /// the scores are added.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            members: Vec::new(),
            aggregation: Aggregation::Sum,
            verdict: GroupVerdict::FirstError,
            accept_score: 1.0,
            reject_score: 0.0,
            weight: 1.0,
            range: ScoreRange::UNBOUNDED,
            on_reject: OnReject::Break,
            dependencies: Vec::new(),
            counts: true,
        }
    }
}

/// The groups that the names in [`crate::package::Test::groups`] spell, for formats whose groups are folders: the root first, and
/// every group after the one it stands in. Members come in the order of the tests.
pub(crate) fn of_folders<'a>(tests: impl IntoIterator<Item = &'a [String]>) -> Vec<Group> {
    let mut groups = vec![Group::new("")];
    let mut places = std::collections::HashMap::new();
    for (test, names) in tests.into_iter().enumerate() {
        let mut parent = 0;
        for name in names {
            parent = *places.entry(name.as_str()).or_insert_with(|| {
                let place = groups.len();
                groups.push(Group::new(name));
                groups[parent].members.push(Member::Group(place));
                place
            });
        }
        groups[parent].members.push(Member::Test { test, points: None });
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_become_a_tree_in_the_order_of_the_tests() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let tests = [names(&["sample"]), names(&["secret", "secret/a"]), names(&["secret"]), names(&[])];
        let groups = of_folders(tests.iter().map(Vec::as_slice));
        let shown: Vec<_> =
            groups.iter().map(|group| (group.name.as_str(), group.members.as_slice())).collect();
        let test = |test| Member::Test { test, points: None };
        assert_eq!(
            shown,
            [
                ("", &[Member::Group(1), Member::Group(2), test(3)][..]),
                ("sample", &[test(0)][..]),
                ("secret", &[Member::Group(3), test(2)][..]),
                ("secret/a", &[test(1)][..]),
            ]
        );
    }
}
