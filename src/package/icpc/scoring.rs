//! Turns the scoring settings of `test_group.yaml` into the model's groups.
//!
//! `secret` has the submission's score; samples count for nothing. The largest score of a test is the group's where the
//! smallest of the scores counts, and an equal share of it where they are added ("Scoring problems").

use super::problem_yaml::IcpcProblemYaml;
use super::test_data::GroupSettings;
use crate::checker::CustomScore;
use crate::package::model::{Aggregation, Group, Member, Objective, OnReject, Package, ScoreRange, Scoring};
use crate::package::shared::test_settings::{GroupScoring, MaxScore, ScoreAggregation};
use crate::package::source::error::PackageError;

const SAMPLE: &str = "sample";
const SECRET: &str = "secret";

/// Fills in the groups of a scoring problem; says whether its validator may give scores.
///
/// # Errors
/// When settings contradict each other.
pub(crate) fn apply(
    package: &mut Package,
    settings: &[GroupSettings],
    problem: &IcpcProblemYaml,
) -> Result<CustomScore, PackageError> {
    if !problem.scoring {
        return Ok(CustomScore::Refused);
    }
    package.scoring = Some(Scoring { objective: Objective::Maximise, precision: None });
    let names: Vec<String> = package.groups.iter().map(|group| group.name.clone()).collect();
    let directory = package.directory.clone();
    let (mut bounded, mut unbounded, mut all_or_nothing) = (0_usize, 0_usize, 0_usize);
    let secret = of(settings, SECRET);
    let secret_bounds = secret.max_score.unwrap_or(MaxScore::Bounded(100.0));
    let secret_way = secret.aggregation.unwrap_or(ScoreAggregation::Sum);
    for group in &mut package.groups {
        if group.name == SAMPLE {
            group.counts = false;
            group.accept_score = 0.0;
            group.on_reject = OnReject::Continue;
            continue;
        }
        if group.name.is_empty() {
            // A sample that fails keeps nothing from being scored.
            group.on_reject = OnReject::Continue;
            group.range = range(secret_bounds);
            continue;
        }
        let own = of(settings, &group.name);
        let wrong = |key: &str, problem: String, remedy: &str| {
            let line = own.first_key.as_ref().map_or(0, |(_, line)| *line);
            let file = directory.join("data").join(&group.name).join("test_group.yaml");
            PackageError::value(line, key, problem, remedy).in_file(&file)
        };
        let is_secret = group.name == SECRET;
        let way = if is_secret { secret_way } else { own.aggregation.unwrap_or(ScoreAggregation::PassFail) };
        let bounds = if is_secret { secret_bounds } else { own.max_score.unwrap_or(MaxScore::Unbounded) };
        let has_tests = group.members.iter().any(|member| matches!(member, Member::Test { .. }));
        if secret_way == ScoreAggregation::PassFail && way != ScoreAggregation::PassFail {
            return Err(wrong(
                "score_aggregation",
                "secret is pass-fail, so its groups must be".to_owned(),
                "use pass-fail, or change that of secret",
            ));
        }
        let in_pass_fail_secret = !is_secret && secret_way == ScoreAggregation::PassFail;
        if bounds == MaxScore::Unbounded && !in_pass_fail_secret {
            if way == ScoreAggregation::PassFail {
                return Err(wrong(
                    "max_score",
                    format!("the group '{}' is pass-fail and has no largest score", group.name),
                    "give it a max_score",
                ));
            }
            if !is_secret && secret_bounds != MaxScore::Unbounded {
                return Err(wrong(
                    "max_score",
                    format!("the group '{}' is unbounded, and secret is not", group.name),
                    "give it a max_score, or make secret unbounded as well",
                ));
            }
        }
        for required in &own.require_pass {
            check_dependency(&names, group, required)
                .map_err(|(problem, remedy)| wrong("require_pass", problem, remedy))?;
        }
        if has_tests {
            match (way, bounds) {
                (ScoreAggregation::PassFail, _) => all_or_nothing += 1,
                (_, MaxScore::Bounded(_)) => bounded += 1,
                (_, MaxScore::Unbounded) => unbounded += 1,
            }
        }
        set(group, way, bounds);
        group.dependencies.clone_from(&own.require_pass);
    }
    divide(package);
    Ok(match (bounded, unbounded, all_or_nothing) {
        (0, 0, _) => CustomScore::Refused,
        (0, _, 0) => CustomScore::Required,
        _ => CustomScore::Allowed,
    })
}

fn of(settings: &[GroupSettings], name: &str) -> GroupScoring {
    settings.iter().find(|(group, _)| group == name).map(|(_, scoring)| scoring.clone()).unwrap_or_default()
}

/// Only `sample` and groups that come earlier may be required.
fn check_dependency(names: &[String], group: &Group, required: &str) -> Result<(), (String, &'static str)> {
    let remedy = "name sample or a group that comes earlier, like secret/group1";
    let shown = crate::package::source::error::one_line(required);
    if !names.iter().any(|name| name == required) || required.is_empty() {
        return Err((format!("there is no group '{shown}'"), remedy));
    }
    let is_earlier = required == SAMPLE || (group.name != SECRET && required < group.name.as_str());
    if !is_earlier || required == SECRET {
        return Err((format!("'{shown}' does not come before '{}'", group.name), remedy));
    }
    Ok(())
}

fn range(bounds: MaxScore) -> ScoreRange {
    match bounds {
        MaxScore::Bounded(max) => ScoreRange { min: 0.0, max },
        MaxScore::Unbounded => ScoreRange { min: 0.0, max: f64::INFINITY },
    }
}

/// Says for each test what its group makes of the validator's scores ("Scoring test cases"): none in pass-fail groups, one
/// for every accepted output in unbounded ones, either in the others; those of samples are ignored.
fn divide(package: &mut Package) {
    for test in &mut package.tests {
        let inner = test.groups.last();
        let group = package.groups.iter().find(|group| Some(&group.name) == inner);
        test.custom_score = Some(match group {
            _ if test.sample => CustomScore::Ignored,
            Some(group) if group.aggregation == Aggregation::AllOrNothing => CustomScore::Refused,
            Some(group) if group.range.max.is_finite() => CustomScore::Allowed,
            _ => CustomScore::Required,
        });
    }
}

fn set(group: &mut Group, way: ScoreAggregation, bounds: MaxScore) {
    group.on_reject = OnReject::Continue;
    group.range = range(bounds);
    group.aggregation = match way {
        ScoreAggregation::PassFail => Aggregation::AllOrNothing,
        ScoreAggregation::Sum => Aggregation::Sum,
        ScoreAggregation::Min => Aggregation::Min,
    };
    let MaxScore::Bounded(max) = bounds else { return };
    let tests = group.members.iter().filter(|member| matches!(member, Member::Test { .. })).count();
    #[allow(clippy::cast_precision_loss, reason = "tests are far fewer than 2^53")]
    let points_of_each = match way {
        ScoreAggregation::PassFail => {
            group.weight = max;
            group.on_reject = OnReject::Break;
            return;
        }
        ScoreAggregation::Sum => max / tests as f64,
        ScoreAggregation::Min => max,
    };
    for member in &mut group.members {
        if let Member::Test { points, .. } = member {
            *points = Some(points_of_each);
        }
    }
}
