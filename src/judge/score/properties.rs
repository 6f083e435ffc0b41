//! Tests the incremental evaluation of groups against a plain walk through the tree, one test after the other.

use std::collections::HashMap;
use std::path::PathBuf;

use proptest::prelude::*;

use crate::checker::Score;
use crate::judge::score::aggregate::{GradingError, Part, Value, conclude, not_run, test_score};
use crate::judge::score::group_state::{GroupState, Outcome, View};
use crate::package::{
    Aggregation, Format, Group, GroupVerdict, Member, Objective, OnReject, Package, PackageLimits,
    ScoreRange, Scoring, Test, TimeLimit,
};
use crate::submission::Stop;
use crate::units::Bytes;
use crate::verdict::Verdict;

/// The value of a group, by running what its own rules and those of what it depends on say, in order.
struct Plain<'a> {
    package: &'a Package,
    outcomes: &'a [Outcome],
    values: HashMap<usize, Value>,
}

impl Plain<'_> {
    fn of(&mut self, place: usize) -> Value {
        if let Some(value) = self.values.get(&place) {
            return value.clone();
        }
        let group = &self.package.groups[place];
        let mut value = None;
        for name in &group.dependencies {
            let dependency = self.package.groups.iter().position(|other| other.name == *name).unwrap();
            if !self.has_tests(dependency) {
                continue;
            }
            let required = self.of(dependency);
            if !required.passed && value.is_none() {
                value = Some(not_run(group, required.failing));
            }
        }
        let value = value.unwrap_or_else(|| self.run(group));
        self.values.insert(place, value.clone());
        value
    }

    fn has_tests(&self, place: usize) -> bool {
        self.package.groups[place].members.iter().any(|member| match *member {
            Member::Test { .. } => true,
            Member::Group(inner) => self.has_tests(inner),
        })
    }

    fn run(&mut self, group: &Group) -> Value {
        let mut parts = Vec::new();
        for member in &group.members {
            let part = match *member {
                Member::Group(inner) if !self.has_tests(inner) => continue,
                Member::Test { test, points } => {
                    let outcome = self.outcomes[test];
                    let score = test_score(group, points, outcome.verdict, outcome.score);
                    let is_part = self.package.scoring.is_some() && outcome.is_partial();
                    Part::of_test(test, outcome.verdict, score, is_part, self.package.parts_pass)
                }
                Member::Group(inner) => Part::of_group(&self.of(inner), self.package.groups[inner].counts),
            };
            parts.push(part);
            if parts.last().unwrap().breaks && group.on_reject == OnReject::Break {
                break;
            }
        }
        conclude(group, self.package.scoring.is_some(), &parts, &mut grade)
    }
}

/// A grader that tells everything apart.
#[allow(clippy::unnecessary_wraps)]
fn grade(_: &Group, _: &[String], results: &[(Verdict, f64)]) -> Result<(Verdict, f64), GradingError> {
    let weighed: f64 = results.iter().zip(1u8..).map(|((_, score), place)| f64::from(place) * score).sum();
    let failures = results.iter().filter(|(verdict, _)| *verdict != Verdict::AC).count();
    Ok((if failures > 1 { Verdict::WA } else { Verdict::AC }, weighed))
}

/// How a judging went: which tests were told as run, in order, and what the groups got.
#[derive(Debug, PartialEq)]
struct Judged {
    ran: Vec<bool>,
    values: Vec<Option<Value>>,
}

/// Judges with several tests under way at once, which end in an order that `choices` chooses.
fn engine(
    package: &Package,
    outcomes: &[Outcome],
    stop: Stop,
    slots: usize,
    choices: &[usize],
) -> Option<Judged> {
    let tests: Vec<&Test> = package.tests.iter().collect();
    let mut group_state = GroupState::new(package, &tests, stop).ok()?;
    let order = group_state.order().to_vec();
    let mut choices = choices.iter().copied().cycle();
    let (mut next, mut told) = (0, 0);
    let mut running: Vec<usize> = Vec::new();
    let mut done = vec![false; tests.len()];
    let mut ran = vec![false; tests.len()];
    loop {
        while running.len() < slots && next < order.len() {
            if group_state.is_needed(order[next], View::Known) {
                running.push(order[next]);
            }
            next += 1;
        }
        if !running.is_empty() {
            let test = running.swap_remove(choices.next().unwrap_or(0) % running.len());
            // One that is moot by what is known was stopped, and has no result.
            if group_state.turn(test) >= told && group_state.is_needed(test, View::Known) {
                done[test] = true;
                group_state.know(test, outcomes[test]);
            }
        }
        while told < order.len() {
            let test = order[told];
            let outcome = if group_state.is_needed(test, View::Told) {
                if !done[test] {
                    let is_coming = running.contains(&test) || group_state.turn(test) >= next;
                    assert!(is_coming, "test {test} was stopped and is needed");
                    break;
                }
                ran[test] = true;
                Some(outcomes[test])
            } else {
                None
            };
            told += 1;
            group_state.tell(test, outcome, &mut grade);
        }
        if told == order.len() {
            let values = (0..package.groups.len()).map(|group| group_state.value(group).cloned()).collect();
            return Some(Judged { ran, values });
        }
    }
}

fn outcome(with_judging_errors: bool) -> impl Strategy<Value = Outcome> {
    let verdicts = prop_oneof![
        6 => Just(Verdict::AC),
        3 => Just(Verdict::WA),
        1 => prop::sample::select(vec![Verdict::TLE, Verdict::WTL, Verdict::MLE, Verdict::RTE, Verdict::OLE]),
        u32::from(with_judging_errors) => Just(Verdict::JE),
    ];
    let scores = prop_oneof![
        4 => Just(None),
        1 => (0u8..5).prop_map(|points| Some(Score::Points(f64::from(points)))),
        1 => (0u8..=4).prop_map(|quarters| Some(Score::Fraction(f64::from(quarters) / 4.0))),
    ];
    (verdicts, scores).prop_map(|(verdict, score)| Outcome { verdict, score })
}

fn aggregation() -> impl Strategy<Value = Aggregation> {
    prop_oneof![
        Just(Aggregation::Sum),
        Just(Aggregation::Average),
        Just(Aggregation::Min),
        Just(Aggregation::Max),
        Just(Aggregation::Product),
        Just(Aggregation::AllOrNothing),
        (0u8..4).prop_map(|largest| Aggregation::Threshold(f64::from(largest))),
        Just(Aggregation::Program(Vec::new())),
    ]
}

fn rules() -> impl Strategy<Value = Group> {
    let modes = prop::sample::select(vec![
        GroupVerdict::FirstError,
        GroupVerdict::WorstError,
        GroupVerdict::AlwaysAccept,
        GroupVerdict::AnyAccepted,
        GroupVerdict::AnyAcceptedElseWorst,
    ]);
    let numbers = (0u8..4, -1i8..2, 1u8..4, prop::bool::ANY);
    (aggregation(), modes, prop::bool::ANY, prop::bool::weighted(0.8), numbers).prop_map(
        |(aggregation, verdict, breaks, counts, (accept, reject, weight, is_bounded))| Group {
            aggregation,
            verdict,
            accept_score: f64::from(accept),
            reject_score: f64::from(reject),
            weight: f64::from(weight),
            range: ScoreRange { min: if is_bounded { -1e9 } else { f64::NEG_INFINITY }, max: f64::INFINITY },
            on_reject: if breaks { OnReject::Break } else { OnReject::Continue },
            counts,
            ..Group::new("")
        },
    )
}

const TESTS: usize = 9;

/// A package: groups below earlier ones, tests in one or more of them, dependencies on others.
fn package() -> impl Strategy<Value = Package> {
    let group = (rules(), any::<usize>(), any::<usize>(), prop::bool::weighted(0.2));
    let places = prop::collection::vec(prop::collection::vec(any::<usize>(), 1..3), TESTS);
    let points = prop::collection::vec(prop::option::of(0u8..4), TESTS);
    (prop::collection::vec(group, 1..6), places, points, prop::bool::weighted(0.8)).prop_map(
        |(rules, places, points, is_scoring)| {
            let mut groups: Vec<Group> = Vec::new();
            for (place, (rule, parent, dependency, depends)) in rules.into_iter().enumerate() {
                let mut group = Group { name: format!("g{place}"), ..rule };
                if place > 0 {
                    groups[parent % place].members.push(Member::Group(place));
                    if depends {
                        group.dependencies.push(format!("g{}", dependency % place));
                    }
                }
                groups.push(group);
            }
            for (test, (places, points)) in places.into_iter().zip(points).enumerate() {
                for place in places {
                    let group = place % groups.len();
                    // Before or after the groups it stands with.
                    let member = Member::Test { test, points: points.map(f64::from) };
                    let members = &mut groups[group].members;
                    if !members.contains(&member) {
                        members.insert(place / 7 % (members.len() + 1), member);
                    }
                }
            }
            package_of(groups, TESTS, is_scoring)
        },
    )
}

fn package_of(groups: Vec<Group>, tests: usize, is_scoring: bool) -> Package {
    let limits = PackageLimits {
        time: TimeLimit::Fixed(std::time::Duration::from_secs(1)),
        wall: None,
        memory: Bytes(0),
        output: Bytes(0),
        code: Bytes(0),
        processes: None,
        compilation_time: None,
        compilation_memory: None,
    };
    let scoring = Scoring { objective: Objective::Maximise, precision: None };
    Package {
        groups,
        tests: (0..tests).map(|test| Test::new(test.to_string(), PathBuf::new(), PathBuf::new())).collect(),
        scoring: is_scoring.then_some(scoring),
        ..Package::new("generated", PathBuf::new(), Format::Folder, limits)
    }
}

fn plain_group(name: &str, members: Vec<Member>, on_reject: OnReject, counts: bool) -> Group {
    Group { members, verdict: GroupVerdict::FirstError, on_reject, counts, ..Group::new(name) }
}

fn plain_test(test: usize) -> Member {
    Member::Test { test, points: None }
}

fn of(verdict: Verdict) -> Outcome {
    Outcome { verdict, score: None }
}

/// Test 2 fails and is known first. By what comes then, its group ended before it, without being rejected.
#[test]
fn a_failure_of_a_test_that_is_never_reached_stops_nothing() {
    let groups = vec![
        plain_group("all", vec![Member::Group(1), plain_test(3)], OnReject::Break, true),
        plain_group("secret", vec![plain_test(0), Member::Group(2), plain_test(2)], OnReject::Break, true),
        plain_group("uncounted", vec![plain_test(1)], OnReject::Break, false),
    ];
    let package = package_of(groups, 4, false);
    let outcomes = [of(Verdict::AC), of(Verdict::WA), of(Verdict::WA), of(Verdict::AC)];
    let alone = engine(&package, &outcomes, Stop::FirstFailure, 1, &[0]).unwrap();
    for first in 0..3 {
        for slots in 2..5 {
            let judged = engine(&package, &outcomes, Stop::FirstFailure, slots, &[first, 1, 0]).unwrap();
            assert_eq!(judged, alone, "{slots} slots");
        }
    }
}

/// A group depends on one whose parent has ended before it: its first failure decides what depends on it.
#[test]
fn a_dependency_that_has_failed_is_concluded() {
    let groups = vec![
        plain_group("all", vec![Member::Group(1), Member::Group(3)], OnReject::Continue, true),
        plain_group("ended", vec![plain_test(0), Member::Group(2)], OnReject::Break, true),
        Group {
            aggregation: Aggregation::Threshold(1.0),
            ..plain_group("required", vec![plain_test(1), plain_test(2)], OnReject::Continue, true)
        },
        Group {
            dependencies: vec!["required".to_owned()],
            ..plain_group("dependent", vec![plain_test(0)], OnReject::Continue, true)
        },
    ];
    let package = package_of(groups, 3, true);
    let outcomes = [of(Verdict::WA), of(Verdict::WA), of(Verdict::AC)];
    let judged = engine(&package, &outcomes, Stop::FirstFailure, 1, &[0]).unwrap();
    assert_eq!(judged.values[3].as_ref().unwrap().verdict, Verdict::SK);
    assert_eq!(judged.values[0].as_ref().unwrap().verdict, Verdict::WA);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn groups_get_what_judging_one_test_after_the_other_gives_them(
        package in package(),
        outcomes in prop::collection::vec(outcome(false), TESTS),
        slots in 1usize..5,
        choices in prop::collection::vec(any::<usize>(), 1..20),
    ) {
        let mut ran = Vec::new();
        for stop in [Stop::FirstFailure, Stop::Group, Stop::Full] {
            let Some(alone) = engine(&package, &outcomes, stop, 1, &[0]) else { return Ok(()) };
            let together = engine(&package, &outcomes, stop, slots, &choices).unwrap();
            prop_assert_eq!(&alone, &together, "{:?} depends on what is faster", stop);
            let mut plain = Plain { package: &package, outcomes: &outcomes, values: HashMap::new() };
            plain.of(0);
            for (group, value) in &plain.values {
                let judged = alone.values[*group].as_ref();
                // A group whose points lie outside of its range is not seen where all is decided without it.
                let is_unseen = value.error.is_some() && judged.is_none_or(|judged| judged.error.is_none());
                // What is around a group may be decided without it.
                if !is_unseen && (*group == 0 || judged.is_some()) {
                    prop_assert_eq!(judged, Some(value), "{:?} group {}", stop, group);
                }
            }
            ran.push(alone.ran);
        }
        for (test, always) in ran[0].iter().enumerate() {
            prop_assert!(ran[2][test], "full skips test {}", test);
            prop_assert!(ran[1][test] || !always, "group skips test {}, which decides", test);
        }
    }

    #[test]
    fn judging_errors_are_seen_unless_nothing_depends_on_them(
        package in package(),
        outcomes in prop::collection::vec(outcome(true), TESTS),
        other in outcome(false),
    ) {
        let Some(first) = engine(&package, &outcomes, Stop::FirstFailure, 1, &[0]) else { return Ok(()) };
        let full = engine(&package, &outcomes, Stop::Full, 1, &[0]).unwrap();
        let value = first.values[0].clone().unwrap();
        prop_assert_eq!(Some(&value), full.values[0].as_ref());
        if value.verdict != Verdict::JE && value.failing() != Verdict::JE {
            // What came of it does not change with what the broken tests might have said.
            let mended: Vec<_> = outcomes
                .iter()
                .map(|outcome| if outcome.verdict == Verdict::JE { other } else { *outcome })
                .collect();
            let mended = engine(&package, &mended, Stop::FirstFailure, 1, &[0]).unwrap();
            prop_assert_eq!(Some(&value), mended.values[0].as_ref());
        }
    }
}
