//! Tracks the groups of a judging: which results are in, and which tests still matter.
//!
//! Tests are reported in judging order; each is folded into the groups that hold it, in the order of their members. A result
//! that comes before its turn can only make later tests moot; it never decides a group.

use crate::checker::Score;
use crate::judge::fault::Fault;
use crate::judge::score::aggregate::{Failure, Grade, Part, Value, conclude, is_below, not_run, test_score};
use crate::judge::score::tree::Groups;
use crate::package::{
    Aggregation, Check, CheckerProgram, Group, GroupVerdict, Member, OnReject, Package, Test,
};
use crate::submission::Stop;
use crate::verdict::Verdict;

/// The result of a test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outcome {
    /// Never SK or CX.
    pub(crate) verdict: Verdict,
    /// The checker's score.
    pub(crate) score: Option<Score>,
}

impl Outcome {
    /// Returns whether the output is partially correct, which only scores express.
    pub(crate) fn is_partial(self) -> bool {
        self.verdict == Verdict::WA
            && match self.score {
                Some(Score::Points(part) | Score::Fraction(part)) => part > 0.0,
                None => false,
            }
    }
}

/// Whose word counts when it is asked whether a test matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// That of the tests told.
    Told,
    /// Also that of results whose turn has not come: a test that does not matter by them will not when its turn comes.
    Known,
}

/// A group's member that was rejected, after which others do not matter.
#[derive(Debug, Clone, Copy)]
struct Cut {
    position: usize,
    /// Turn of its test.
    turn: usize,
}

/// Progress of a group.
#[derive(Debug, Default)]
struct Progress {
    parts: Vec<Part>,
    /// Whether one of the parts did not pass.
    has_failed: bool,
    /// The first member among the reported tests after which nothing matters.
    told: Option<usize>,
    /// The same among all known results.
    known: Option<Cut>,
    /// Tests in it that are not told.
    left: usize,
    value: Option<Value>,
}

impl Progress {
    /// Returns the first folded test that was not accepted.
    fn failing(&self) -> Option<Failure> {
        match &self.value {
            Some(value) => value.failing,
            None => self.parts.iter().find_map(|part| part.failing),
        }
    }
}

/// The state of all groups.
pub(crate) struct GroupState<'a> {
    groups: Groups<'a>,
    is_scoring: bool,
    /// Whether what is right in part lets others be run.
    parts_pass: bool,
    stop: Stop,
    progress: Vec<Progress>,
    /// By test: its outcome once told, unless it was skipped.
    outcomes: Vec<Option<Outcome>>,
    /// By test: its place in the order.
    turns: Vec<usize>,
    /// By test: the smallest score it may get in a group that gives it nothing else.
    floors: Vec<f64>,
}

impl<'a> GroupState<'a> {
    /// Returns the state before any test is judged.
    ///
    /// # Errors
    /// [`Fault::Package`] when the groups make no tree over the tests.
    pub(crate) fn new(package: &'a Package, tests: &[&Test], stop: Stop) -> Result<Self, Fault> {
        let groups = Groups::new(package, tests)?;
        let mut progress: Vec<Progress> = groups.nodes.iter().map(|_| Progress::default()).collect();
        for group in groups.holders.iter().flatten() {
            progress[*group].left += 1;
        }
        let mut turns = vec![0; tests.len()];
        for (turn, test) in groups.order.iter().enumerate() {
            turns[*test] = turn;
        }
        let floors = tests.iter().map(|test| floor(test, &package.checkers)).collect();
        let is_scoring = package.scoring.is_some();
        let parts_pass = package.parts_pass;
        let outcomes = vec![None; tests.len()];
        Ok(Self { outcomes, groups, is_scoring, parts_pass, stop, progress, turns, floors })
    }

    /// Tests in judging order.
    pub(crate) fn order(&self) -> &[usize] {
        &self.groups.order
    }

    /// Returns a test's place in the judging order.
    pub(crate) fn turn(&self, test: usize) -> usize {
        self.turns[test]
    }

    /// Returns whether a test must be run.
    pub(crate) fn is_needed(&self, test: usize, view: View) -> bool {
        let turn = self.turns[test];
        let mut places = self.groups.places[test].iter();
        match self.stop {
            Stop::Full => true,
            Stop::Group => places
                .any(|(group, position)| self.is_open(*group, *position, turn, view) && self.may_run(*group)),
            Stop::FirstFailure => places.any(|(group, position)| {
                self.is_open(*group, *position, turn, view) && self.is_reached(*group, turn, view)
            }),
        }
    }

    /// Returns whether a member at that place can still change its group.
    fn is_open(&self, group: usize, position: usize, turn: usize, view: View) -> bool {
        let progress = &self.progress[group];
        let is_cut = progress.told.is_some_and(|cut| cut < position)
            || view == View::Known
                && progress.known.is_some_and(|cut| cut.position < position && cut.turn < turn);
        progress.value.is_none() && !is_cut && !self.is_barred(group)
    }

    /// Returns whether a group that this one depends on did not pass.
    fn is_barred(&self, group: usize) -> bool {
        self.groups.nodes[group].dependencies.iter().any(|dependency| self.has_failed(*dependency))
    }

    /// Whether a group did not pass, or cannot any more.
    fn has_failed(&self, group: usize) -> bool {
        let progress = &self.progress[group];
        match &progress.value {
            Some(value) => !value.passed,
            None => progress.has_failed,
        }
    }

    /// Whether a group's result still changes that of all tests, or whether others are run.
    fn is_reached(&self, group: usize, turn: usize, view: View) -> bool {
        if self.is_barred(group) {
            return false;
        }
        let node = &self.groups.nodes[group];
        group == 0
            || node.parents.iter().any(|(parent, position)| {
                self.is_open(*parent, *position, turn, view) && self.is_reached(*parent, turn, view)
            })
            || node.dependents.iter().any(|dependent| {
                self.progress[*dependent].value.is_none() && self.is_reached(*dependent, turn, view)
            })
    }

    /// Whether no group around it is barred.
    fn may_run(&self, group: usize) -> bool {
        let parents = &self.groups.nodes[group].parents;
        !self.is_barred(group) && (group == 0 || parents.iter().any(|(parent, _)| self.may_run(*parent)))
    }

    /// Takes in what a test got, before its turn.
    pub(crate) fn know(&mut self, test: usize, outcome: Outcome) {
        let turn = self.turns[test];
        self.mark_test(test, outcome, Some(turn));
    }

    fn mark_test(&mut self, test: usize, outcome: Outcome, turn: Option<usize>) {
        if outcome.verdict != Verdict::AC {
            let rejection = Rejection { counts: true, breaks: !self.is_part(outcome) };
            for (group, position) in self.groups.places[test].clone() {
                self.mark(group, position, rejection, turn);
            }
        }
    }

    /// Whether a test got a part of its points where there are points.
    fn is_part(&self, outcome: Outcome) -> bool {
        self.is_scoring && outcome.is_partial()
    }

    /// Notes where a group ends, and where those around it do.
    fn mark(&mut self, group: usize, position: usize, rejection: Rejection, turn: Option<usize>) {
        let node = &self.groups.nodes[group];
        let progress = &mut self.progress[group];
        // The group has ended before this member.
        if progress.value.is_some() || progress.told.is_some_and(|cut| cut < position) {
            return;
        }
        if rejection.ends(node.group, self.is_scoring) {
            match turn {
                None => progress.told = Some(position),
                Some(turn) if progress.known.is_none_or(|cut| position < cut.position) => {
                    progress.known = Some(Cut { position, turn });
                }
                Some(_) => {}
            }
        }
        // It will not be accepted, whatever else comes.
        let is_certain = matches!(node.group.verdict, GroupVerdict::FirstError | GroupVerdict::WorstError)
            && rejection.counts
            && !matches!(node.group.aggregation, Aggregation::Program(_))
            && !self.may_end_before(group, position);
        if is_certain {
            let rejection = Rejection { counts: node.group.counts, breaks: true };
            for (parent, position) in node.parents.clone() {
                self.mark(parent, position, rejection, turn);
            }
        }
    }

    /// Whether an earlier member that is still to come may end a group without being counted, so that the member at
    /// `position` is never looked at and the group may yet be accepted.
    fn may_end_before(&self, group: usize, position: usize) -> bool {
        let node = &self.groups.nodes[group];
        let to_come = node.members.get(self.progress[group].parts.len()..position).unwrap_or_default();
        node.group.on_reject == OnReject::Break
            && to_come.iter().any(|member| match member {
                Member::Test { .. } => false,
                Member::Group(inner) => !self.groups.nodes[*inner].group.counts,
            })
    }

    /// Takes in what a test got, or that it was skipped, at its turn. Groups whose last test it was come back, inner
    /// before outer.
    pub(crate) fn tell(
        &mut self,
        test: usize,
        outcome: Option<Outcome>,
        grade: &mut Grade<'_>,
    ) -> Vec<usize> {
        self.outcomes[test] = outcome;
        if let Some(outcome) = outcome {
            self.mark_test(test, outcome, None);
        }
        let holders = self.groups.holders[test].clone();
        for group in &holders {
            self.progress[*group].left -= 1;
        }
        for (group, _) in self.groups.places[test].clone() {
            self.advance(group, grade);
        }
        holders.into_iter().filter(|group| self.progress[*group].left == 0).collect()
    }

    /// Folds what can be folded, and tells those around when the group is decided by it, or has failed.
    fn advance(&mut self, group: usize, grade: &mut Grade<'_>) {
        while self.progress[group].value.is_none() {
            let node = &self.groups.nodes[group];
            // In their order, so that the first that fails is named whatever is shared among them.
            let awaited = node.dependencies.iter().find(|dependency| {
                !self.progress[**dependency].value.as_ref().is_some_and(|value| value.passed)
            });
            if let Some(awaited) = awaited {
                if !self.has_failed(*awaited) {
                    return;
                }
                let failing = self.progress[*awaited].failing();
                self.progress[group].value = Some(not_run(node.group, failing));
                break;
            }
            let position = self.progress[group].parts.len();
            let part = match node.members.get(position) {
                None => {
                    self.conclude(group, grade);
                    break;
                }
                Some(Member::Test { test, points }) => self.outcomes[*test].map(|outcome| {
                    let score = test_score(node.group, *points, outcome.verdict, outcome.score);
                    let in_part = self.is_part(outcome);
                    Part::of_test(*test, outcome.verdict, score, in_part, self.parts_pass)
                }),
                Some(Member::Group(inner)) => {
                    let counts = self.groups.nodes[*inner].group.counts;
                    self.progress[*inner].value.as_ref().map(|value| Part::of_group(value, counts))
                }
            };
            let Some(part) = part else { break };
            let progress = &mut self.progress[group];
            progress.has_failed |= !part.passed;
            progress.parts.push(part);
            if self.is_decided(group) {
                self.conclude(group, grade);
                break;
            }
        }
        let progress = &self.progress[group];
        let is_concluded = progress.value.is_some();
        if !is_concluded && !progress.has_failed {
            return;
        }
        let node = &self.groups.nodes[group];
        let parents = node.parents.iter().map(|(parent, _)| *parent).filter(|_| is_concluded);
        // Those that depend on it need not wait for its other tests, which may never be run.
        for next in parents.chain(node.dependents.iter().copied()).collect::<Vec<_>>() {
            if self.progress[next].value.is_none() {
                self.advance(next, grade);
            }
        }
    }

    fn conclude(&mut self, group: usize, grade: &mut Grade<'_>) {
        let parts = &self.progress[group].parts;
        let value = conclude(self.groups.nodes[group].group, self.is_scoring, parts, grade);
        self.progress[group].value = Some(value);
    }

    /// Whether what follows the members folded cannot change the group any more. Only after a rejection: until then it
    /// is not known whether the group passes, which others may depend on.
    fn is_decided(&self, group: usize) -> bool {
        let node = &self.groups.nodes[group];
        let parts = &self.progress[group].parts;
        let Some(last) = parts.last() else { return false };
        let rejection = Rejection { counts: last.counts, breaks: last.breaks };
        if last.is_rejected() && rejection.ends(node.group, self.is_scoring) {
            return true;
        }
        if !self.progress[group].has_failed || matches!(node.group.aggregation, Aggregation::Program(_)) {
            return false;
        }
        let counted = || parts.iter().filter(|part| part.counts);
        let is_verdict_decided = match node.group.verdict {
            GroupVerdict::AlwaysAccept => counted().next().is_some(),
            GroupVerdict::FirstError => counted().any(Part::is_rejected),
            GroupVerdict::AnyAccepted | GroupVerdict::AnyAcceptedElseWorst => {
                counted().any(|part| !part.is_rejected())
            }
            GroupVerdict::WorstError => false,
        };
        is_verdict_decided
            && (!self.is_scoring
                || match &node.group.aggregation {
                    Aggregation::AllOrNothing => counted().any(|part| !part.passed),
                    Aggregation::Product => counted().any(|part| part.score == 0.0),
                    Aggregation::Threshold(largest) => counted().any(|part| !is_below(part.score, *largest)),
                    Aggregation::Min => {
                        let least = counted().map(|part| part.score).fold(f64::INFINITY, f64::min);
                        node.members[parts.len()..]
                            .iter()
                            .all(|member| least <= self.least(node.group, *member))
                    }
                    _ => false,
                })
    }

    /// The smallest score a member may get.
    fn least(&self, group: &Group, member: Member) -> f64 {
        match member {
            Member::Test { test, points } => {
                let worth = points.unwrap_or(group.accept_score);
                // A fraction of what it is worth lies between 0 and that.
                self.floors[test].min(worth).min(group.reject_score)
            }
            Member::Group(inner) => self.groups.nodes[inner].group.range.min,
        }
    }

    /// What a group got; `None` where it was not reached.
    pub(crate) fn value(&self, group: usize) -> Option<&Value> {
        self.progress[group].value.as_ref()
    }

    /// What a test is worth in the first group that holds it.
    pub(crate) fn score(&self, test: usize, outcome: Outcome) -> Option<f64> {
        let (group, position) = *self.groups.places[test].first()?;
        let node = &self.groups.nodes[group];
        let Some(Member::Test { points, .. }) = node.members.get(position) else { return None };
        self.is_scoring.then(|| test_score(node.group, *points, outcome.verdict, outcome.score))
    }

    /// Groups with tests, the root left out, each after those around it, with the tests in them.
    pub(crate) fn told_groups(&self) -> impl Iterator<Item = (usize, &'a Group)> + '_ {
        let nodes = self.groups.nodes.iter().enumerate().skip(1);
        nodes.filter(|(_, node)| !node.members.is_empty()).map(|(place, node)| (place, node.group))
    }

    /// The group at a place.
    pub(crate) fn group(&self, place: usize) -> &'a Group {
        self.groups.nodes[place].group
    }

    /// Whether a test stands in a group or in one below it.
    pub(crate) fn holds(&self, group: usize, test: usize) -> bool {
        self.groups.holders[test].contains(&group)
    }

    /// Whether submissions get scores.
    pub(crate) fn is_scoring(&self) -> bool {
        self.is_scoring
    }
}

/// A member that was not accepted.
#[derive(Debug, Clone, Copy)]
struct Rejection {
    /// Whether it enters the group's result.
    counts: bool,
    /// Whether it ends groups that break on rejections.
    breaks: bool,
}

impl Rejection {
    /// Whether it ends a group, because of the group's own rule or because nothing more can change.
    fn ends(self, group: &Group, is_scoring: bool) -> bool {
        let is_verdict_decided = group.verdict == GroupVerdict::FirstError && self.counts;
        let is_score_decided = !is_scoring || group.aggregation == Aggregation::AllOrNothing;
        let is_own = !matches!(group.aggregation, Aggregation::Program(_));
        group.on_reject == OnReject::Break && self.breaks || is_own && is_verdict_decided && is_score_decided
    }
}

/// The smallest score a test's checker may give: whatever it likes, where it may write any number.
fn floor(test: &Test, checkers: &[CheckerProgram]) -> f64 {
    match &test.check {
        Check::BuiltIn(_) => 0.0,
        Check::Program { checker, .. } => match checkers.get(*checker).map(|checker| checker.protocol) {
            Some(crate::checker::Protocol::Kattis) | None => f64::NEG_INFINITY,
            Some(_) => 0.0,
        },
        Check::Interaction { .. } => f64::NEG_INFINITY,
    }
}
