//! Writes `data/`: the tests, and the settings of tests and groups.
//!
//! The format judges in the order of names and has one level of groups below `secret`. Names of packages that come from
//! this format or its predecessor stay; others get numbers before them. A test in several groups is a link in all but one.

use std::collections::{HashMap, HashSet};

use super::validators::Arguments;
use super::writer::{ConvertError, Writer, allowed, is_allowed_path, list, quoted};
use crate::package::model::{Aggregation, Group, GroupVerdict, Member, Objective, Test, ValidatorArguments};

/// Where everything goes.
pub(super) struct Layout {
    /// Places of each test below `data`, without endings; the first has the files, the others are links.
    places: Vec<Vec<String>>,
    /// Settings of folders: place below `data` and text.
    settings: Vec<(String, String)>,
    /// New names of groups, by the old.
    names: HashMap<String, String>,
    /// Tests in groups that give all of their points or none.
    whole: HashSet<usize>,
}

impl Layout {
    /// The new name of a group or of a test, where it has one.
    pub(super) fn renamed(&self, tests: &[Test], old: &str) -> Option<String> {
        self.names.get(old).cloned().or_else(|| {
            let test = tests.iter().position(|test| test.name == old)?;
            self.places.get(test)?.first().cloned()
        })
    }
}

/// A group with tests of its own, as the format has it.
struct Leaf<'a> {
    group: &'a Group,
    tests: Vec<(usize, f64)>,
}

pub(super) fn plan(writer: &mut Writer<'_>) -> Result<Layout, ConvertError> {
    let tests = &writer.package.tests;
    let is_kept = writer.package.scoring.is_none() && names_can_stay(tests);
    let mut layout = Layout {
        places: vec![Vec::new(); tests.len()],
        settings: Vec::new(),
        names: HashMap::new(),
        whole: HashSet::new(),
    };
    if is_kept {
        for (place, test) in layout.places.iter_mut().zip(tests) {
            place.push(test.name.clone());
        }
        for group in &writer.package.groups {
            layout.names.insert(group.name.clone(), group.name.clone());
        }
        check_verdicts(writer)?;
        return Ok(layout);
    }
    let digits = tests.len().to_string().len();
    let own = |test: usize| {
        let name = tests.get(test).map_or("", |test| test.name.as_str());
        let name = name.rsplit('/').next().unwrap_or(name);
        format!("{:0digits$}-{}", test + 1, allowed(name))
    };
    for (place, (index, _)) in
        layout.places.iter_mut().zip(tests.iter().enumerate()).filter(|(_, (_, test))| test.sample)
    {
        place.push(format!("sample/{}", own(index)));
    }
    check_verdicts(writer)?;
    if writer.package.scoring.is_some() {
        note_verdicts(writer);
        plan_scores(writer, &mut layout, &own)?;
    } else {
        plan_folders(writer, &mut layout, &own);
    }
    if let Some(test) = layout.places.iter().position(Vec::is_empty) {
        let name = tests.get(test).map_or("", |test| test.name.as_str());
        return Err(writer.refuse(format!("test '{name}', which stands in no group,"), "put it into one"));
    }
    if tests.iter().all(|test| test.sample)
        && !layout.places.iter().flatten().any(|place| place.starts_with("secret/"))
    {
        for (test, places) in layout.places.iter_mut().enumerate() {
            places.push(format!("secret/{}", own(test)));
        }
    }
    Ok(layout)
}

/// Whether the names are those of the format, and in its order.
fn names_can_stay(tests: &[Test]) -> bool {
    let fits = |test: &Test| {
        let folder = if test.sample { "sample/" } else { "secret/" };
        test.name.starts_with(folder)
            && is_allowed_path(&test.name)
            && !(test.sample && test.name.matches('/').count() > 1)
    };
    let keys: Vec<Vec<String>> = tests
        .iter()
        .map(|test| format!("{}.in", test.name).split('/').map(str::to_owned).collect())
        .collect();
    tests.iter().all(fits) && keys.is_sorted() && tests.iter().any(|test| !test.sample)
}

/// Groups of pass-fail problems may only reject.
fn check_verdicts(writer: &Writer<'_>) -> Result<(), ConvertError> {
    let forgiving = |group: &&Group| {
        matches!(group.verdict, GroupVerdict::AlwaysAccept | GroupVerdict::AnyAccepted)
            && !group.members.is_empty()
    };
    match writer.package.groups.iter().find(forgiving) {
        Some(group) if writer.package.scoring.is_none() => Err(writer.refuse(
            format!("group '{}', which accepts although tests in it fail,", group.name),
            "judge it in its own format",
        )),
        _ => Ok(()),
    }
}

/// Says which groups make their verdict otherwise than by the first failure, which is how the format's scoring problems
/// make it.
fn note_verdicts(writer: &mut Writer<'_>) {
    let others = writer.package.groups.iter().filter(|group| {
        group.verdict != GroupVerdict::FirstError && group.counts && !group.members.is_empty()
    });
    let names: Vec<&str> =
        others.map(|group| if group.name.is_empty() { "the whole" } else { &group.name }).collect();
    if names.is_empty() {
        return;
    }
    let names = names.join(", ");
    writer.note(format!(
        "the verdict of {names} is not that of the first failure: scores stay, and the verdict of a submission that fails some \
         tests may change"
    ));
}

/// Pass-fail: groups only sort.
fn plan_folders(writer: &Writer<'_>, layout: &mut Layout, own: &impl Fn(usize) -> String) {
    let tests = &writer.package.tests;
    let mut folders: Vec<&str> = Vec::new();
    let inner = |test: &Test| test.groups.last().cloned().unwrap_or_default();
    for test in tests.iter().filter(|test| !test.sample) {
        if let Some(name) = test.groups.last().filter(|name| !folders.contains(&name.as_str())) {
            folders.push(name);
        }
    }
    for (index, test) in tests.iter().enumerate().filter(|(_, test)| !test.sample) {
        let group = inner(test);
        let folder = folders.iter().position(|name| *name == group).filter(|_| folders.len() > 1);
        let folder = match folder {
            Some(place) => format!("secret/{:02}-{}", place + 1, allowed(&group)),
            None if folders.len() > 1 => "secret/00-others".to_owned(),
            None => "secret".to_owned(),
        };
        if let Some(places) = layout.places.get_mut(index) {
            places.push(format!("{folder}/{}", own(index)));
        }
        layout.names.insert(group, folder);
    }
}

fn plan_scores(
    writer: &Writer<'_>,
    layout: &mut Layout,
    own: &impl Fn(usize) -> String,
) -> Result<(), ConvertError> {
    let package = writer.package;
    if package.scoring.is_some_and(|scoring| scoring.objective == Objective::Minimise) {
        return Err(writer.refuse("a score that should be small", "turn the score round"));
    }
    let Some(root) = package.groups.first() else { return Ok(()) };
    let mut leaves = Vec::new();
    leaves_of(writer, root, &mut leaves)?;
    let is_single = leaves.len() == 1;
    let mut total = 0.0;
    let names: Vec<String> = leaves
        .iter()
        .enumerate()
        .map(|(place, leaf)| {
            let name = leaf.group.name.rsplit('/').next().unwrap_or_default();
            match name {
                _ if is_single => "secret".to_owned(),
                "" => format!("secret/{:02}", place + 1),
                name => format!("secret/{:02}-{}", place + 1, allowed(name)),
            }
        })
        .collect();
    for (leaf, folder) in leaves.iter().zip(&names) {
        layout.names.insert(leaf.group.name.clone(), folder.clone());
    }
    for (leaf, folder) in leaves.iter().zip(&names) {
        let (aggregation, max) = score_of(writer, leaf)?;
        total += max;
        if leaf.group.aggregation == Aggregation::AllOrNothing {
            layout.whole.extend(leaf.tests.iter().map(|(test, _)| *test));
        }
        let mut text = format!("score_aggregation: {aggregation}\nmax_score: {max}\n");
        if !leaf.group.dependencies.is_empty() {
            let mut needed = Vec::new();
            for old in &leaf.group.dependencies {
                needed.push(dependency(writer, layout, old)?);
            }
            text.push_str(&format!("require_pass: {}\n", list(&needed)));
        }
        layout.settings.push((folder.clone(), text));
        for (test, _) in &leaf.tests {
            if let Some(places) = layout.places.get_mut(*test) {
                places.push(format!("{folder}/{}", own(*test)));
            }
        }
    }
    if !is_single {
        layout.settings.push(("secret".to_owned(), format!("score_aggregation: sum\nmax_score: {total}\n")));
    }
    Ok(())
}

fn dependency(writer: &Writer<'_>, layout: &Layout, old: &str) -> Result<String, ConvertError> {
    match layout.names.get(old) {
        Some(name) => Ok(name.clone()),
        None if old == "sample" => Ok("sample".to_owned()),
        None => {
            Err(writer.refuse(format!("the dependency on group '{old}'"), "depend on a group with points"))
        }
    }
}

/// The groups that hold tests, in order; those above them may only add.
fn leaves_of<'a>(
    writer: &Writer<'a>,
    group: &'a Group,
    leaves: &mut Vec<Leaf<'a>>,
) -> Result<(), ConvertError> {
    let mut tests = Vec::new();
    let mut inner = Vec::new();
    for member in &group.members {
        match member {
            Member::Test { test, points } => tests.push((*test, points.unwrap_or(group.accept_score))),
            Member::Group(place) => inner.extend(writer.package.groups.get(*place)),
        }
    }
    let counting = inner.iter().filter(|inner| inner.counts).count();
    let adds = group.aggregation == Aggregation::Sum && group.weight == 1.0 && group.dependencies.is_empty();
    if counting > 0 && !adds && counting + usize::from(!tests.is_empty()) > 1 {
        let problem =
            format!("group '{}', which holds groups and does not just add their scores,", group.name);
        return Err(writer.refuse(problem, "use sums of groups"));
    }
    if group.reject_score != 0.0 {
        return Err(
            writer.refuse(format!("a score for failing in group '{}'", group.name), "use reject_score 0")
        );
    }
    for inner in inner.into_iter().filter(|inner| inner.counts) {
        leaves_of(writer, inner, leaves)?;
    }
    if group.name.is_empty() && adds && !is_even(&tests) {
        // A group of the format has one score for all of its tests: each of these gets its own.
        leaves.extend(tests.into_iter().map(|test| Leaf { group, tests: vec![test] }));
    } else if !tests.is_empty() {
        leaves.push(Leaf { group, tests });
    }
    Ok(())
}

/// Whether all tests are worth the same.
fn is_even(tests: &[(usize, f64)]) -> bool {
    tests.iter().all(|(_, points)| tests.first().is_some_and(|(_, first)| points == first))
}

/// The way to aggregate and the largest score of a leaf.
fn score_of(writer: &Writer<'_>, leaf: &Leaf<'_>) -> Result<(&'static str, f64), ConvertError> {
    let name = &leaf.group.name;
    let first = leaf.tests.first().map_or(0.0, |(_, points)| *points);
    let is_even = is_even(&leaf.tests);
    #[allow(clippy::cast_precision_loss, reason = "tests are far fewer than 2^53")]
    let count = leaf.tests.len() as f64;
    let uneven = || {
        writer.refuse(
            format!("group '{name}' with tests worth different points"),
            "give its tests the same points",
        )
    };
    let (way, max) = match &leaf.group.aggregation {
        Aggregation::AllOrNothing => ("pass-fail", 1.0),
        Aggregation::Sum if is_even => ("sum", first * count),
        Aggregation::Average if is_even => ("sum", first),
        Aggregation::Min if is_even => ("min", first),
        Aggregation::Sum | Aggregation::Average | Aggregation::Min => return Err(uneven()),
        other => {
            let way = format!("{other:?}").to_lowercase();
            return Err(writer.refuse(format!("the aggregation '{way}' of group '{name}'"), "use sum or min"));
        }
    };
    let max = max * leaf.group.weight;
    if max < 0.0 || max.fract() != 0.0 || !max.is_finite() {
        return Err(writer.refuse(format!("{max} points of group '{name}'"), "use whole numbers of points"));
    }
    Ok((way, max))
}

pub(super) fn write(
    writer: &mut Writer<'_>,
    layout: &Layout,
    arguments: &Arguments,
) -> Result<(), ConvertError> {
    let package = writer.package;
    for (folder, text) in &layout.settings {
        writer.text(&format!("data/{folder}/test_group.yaml"), text)?;
    }
    for (index, (test, places)) in package.tests.iter().zip(&layout.places).enumerate() {
        let Some((first, links)) = places.split_first() else { continue };
        let mut own = arguments.of(test);
        if matches!(arguments, Arguments::Script) && layout.whole.contains(&index) {
            own.push("all-or-nothing".to_owned());
        }
        let settings = settings_of(test, own);
        for place in places {
            if !settings.is_empty() {
                writer.text(&format!("data/{place}.yaml"), &settings)?;
            }
        }
        writer.copy(&test.input, &format!("data/{first}.in"))?;
        writer.copy(&test.answer, &format!("data/{first}.ans"))?;
        for file in &test.files {
            for place in places {
                writer.copy(&file.path, &format!("data/{place}.files/{}", file.name))?;
            }
        }
        for link in links {
            for ending in ["in", "ans"] {
                writer.link(&format!("data/{first}.{ending}"), &format!("data/{link}.{ending}"))?;
            }
        }
    }
    Ok(())
}

fn settings_of(test: &Test, output: Vec<String>) -> String {
    let mut text = String::new();
    if !test.arguments.is_empty() {
        text.push_str(&format!("args: {}\n", list(&test.arguments)));
    }
    text.push_str(&input_arguments(&test.validator_arguments));
    if !output.is_empty() {
        text.push_str(&format!("output_validator_args: {}\n", list(&output)));
    }
    text
}

/// The key with the arguments of input validators, where there are any.
pub(super) fn input_arguments(arguments: &ValidatorArguments) -> String {
    match arguments {
        ValidatorArguments::All(all) if all.is_empty() => String::new(),
        ValidatorArguments::All(all) => format!("input_validator_args: {}\n", list(all)),
        ValidatorArguments::Named(named) => {
            let mut text = "input_validator_args:\n".to_owned();
            for (name, own) in named {
                text.push_str(&format!("  {}: {}\n", quoted(name), list(own)));
            }
            text
        }
    }
}
