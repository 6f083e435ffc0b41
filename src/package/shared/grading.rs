//! Applies grading of the legacy ICPC/Kattis format: the settings in `testdata.yaml` and `problem.yaml`, as
//! groups of the model.
//!
//! problemtools is followed where the specification says less or otherwise: settings are inherited key by key, those of
//! `problem.yaml` win over all, flags the default grader does not know change nothing, and what comes after the end of a
//! group enters neither its verdict nor its score.

use std::path::PathBuf;

use crate::checker::CustomScore;
use crate::package::model::{
    Aggregation, Group, GroupVerdict, JuryProgram, Objective, OnReject, Package, ScoreRange, Scoring,
};
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::yaml;
use crate::package::source::yaml::{Node, Value};

const SAMPLE: &str = "sample";
const IGNORE_SAMPLE: &str = "ignore_sample";

/// A value with its line.
pub type Located<T> = Option<(T, u64)>;

/// The grading settings of one file; `None` is inherited.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Grading {
    /// `on_reject`.
    pub on_reject: Located<OnReject>,
    /// `grading`: whether it is `custom`.
    pub custom: Located<bool>,
    /// `grader_flags`, word by word.
    pub flags: Located<Vec<String>>,
    /// `accept_score`.
    pub accept_score: Located<f64>,
    /// `reject_score`.
    pub reject_score: Located<f64>,
    /// `range`.
    pub range: Located<ScoreRange>,
}

/// The grading settings of `problem.yaml`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProblemGrading {
    /// Whether `type` is scoring.
    pub is_scoring: bool,
    /// `grading.objective`.
    pub objective: Objective,
    /// `validation: custom score`, or `grading.custom_scoring`.
    pub custom_score: CustomScore,
    /// Older keys, which win over every `testdata.yaml`.
    pub everywhere: Grading,
}

/// A folder's `testdata.yaml`.
#[derive(Debug)]
pub(crate) struct Folder {
    /// Name of the group; empty for `data` itself.
    pub(crate) group: String,
    pub(crate) file: PathBuf,
    pub(crate) grading: Grading,
}

impl Grading {
    /// The keys that [`Grading::read`] knows.
    pub(crate) const KEYS: [&str; 6] =
        ["on_reject", "grading", "grader_flags", "accept_score", "reject_score", "range"];

    /// Reads a key, if it is one of grading's. `prefix` comes before it in errors.
    ///
    /// # Errors
    /// When it holds a wrong value.
    pub(crate) fn read(&mut self, key: &str, node: &Node, prefix: &str) -> Result<bool, PackageError> {
        let path = format!("{prefix}{key}");
        let at = |value| (value, node.line);
        match key {
            "on_reject" => self.on_reject = on_reject(node, &path)?,
            "grading" => self.custom = is_custom(node, &path)?,
            "grader_flags" => {
                let texts = node.texts(&path)?;
                let words =
                    texts.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect();
                self.flags = Some((words, node.line));
            }
            "accept_score" => self.accept_score = score(node, &path)?.map(|score| (score, node.line)),
            "reject_score" => self.reject_score = score(node, &path)?.map(|score| (score, node.line)),
            "range" => self.range = range(node, &path)?.map(at),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// These settings, with what they leave open taken from others.
    fn or(self, other: &Self) -> Self {
        Self {
            on_reject: self.on_reject.or(other.on_reject),
            custom: self.custom.or(other.custom),
            flags: self.flags.or_else(|| other.flags.clone()),
            accept_score: self.accept_score.or(other.accept_score),
            reject_score: self.reject_score.or(other.reject_score),
            range: self.range.or(other.range),
        }
    }

    /// Keys that only scoring problems have, with their lines.
    pub(crate) fn of_scores(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let accept = self.accept_score.map(|(_, line)| ("accept_score", line));
        let reject = self.reject_score.map(|(_, line)| ("reject_score", line));
        let range = self.range.map(|(_, line)| ("range", line));
        [accept, reject, range].into_iter().flatten()
    }
}

/// Fills in the package's groups and its grader.
///
/// # Errors
/// When a group asks for a grader that is not there, or for what its place does not allow.
pub(crate) fn apply(
    package: &mut Package,
    problem: &ProblemGrading,
    folders: &[Folder],
    mut graders: Vec<JuryProgram>,
) -> Result<(), PackageError> {
    if problem.is_scoring {
        package.scoring = Some(Scoring { objective: problem.objective, precision: None });
    }
    let mut is_ignored = false;
    let mut uses_grader = false;
    for group in &mut package.groups {
        let (grading, file) = of_group(&group.name, folders, &problem.everywhere);
        let wrong = |line, key: &str, problem: String, remedy: &str| {
            let error = PackageError::value(line, key, problem, remedy);
            Err(match file {
                Some(file) => error.in_file(file),
                None => error.in_file(&package.directory.join("problem.yaml")),
            })
        };
        set(group, &grading);
        if let Some((true, line)) = grading.custom {
            if graders.len() != 1 {
                let number = if graders.is_empty() { "there is none" } else { "there are several" };
                return wrong(
                    line,
                    "grading",
                    format!("'custom' asks for a program in graders, and {number}"),
                    "keep exactly one there, or use default",
                );
            }
            uses_grader = true;
        } else if let Some((flags, line)) = &grading.flags {
            for flag in flags.iter().filter(|flag| !is_known(flag)) {
                package.warnings.push(format!(
                    "{}:{line}: grader_flags: '{}' means nothing to the default grader",
                    file.map_or_else(
                        || "problem.yaml".to_owned(),
                        |file| crate::package::source::tree::below(&package.directory, file)
                    ),
                    one_line(flag)
                ));
            }
            if flags.iter().any(|flag| flag == IGNORE_SAMPLE) {
                match group.name.as_str() {
                    "" => is_ignored = true,
                    // It does not count anyway.
                    SAMPLE => {}
                    name => {
                        let problem = format!(
                            "'{IGNORE_SAMPLE}' reaches group '{name}', and only data itself may have it"
                        );
                        return wrong(
                            *line,
                            "grader_flags",
                            problem,
                            "give data/secret a testdata.yaml with grader_flags of its own",
                        );
                    }
                }
            }
        }
    }
    if let Some(sample) = package.groups.iter_mut().find(|group| group.name == SAMPLE) {
        sample.counts = !is_ignored;
    }
    if uses_grader {
        package.grader = graders.pop();
    } else if !graders.is_empty() {
        package.warnings.push("graders: not used, because nothing asks for it".to_owned());
    }
    for folder in folders.iter().filter(|_| !problem.is_scoring) {
        let place = crate::package::source::tree::below(&package.directory, &folder.file);
        for (key, line) in folder.grading.of_scores() {
            package.warnings.push(format!("{place}:{line}: {key} has no effect on a pass-fail problem"));
        }
    }
    if !problem.is_scoring
        && package.submissions.iter().any(|submission| submission.name.starts_with("partially_accepted/"))
    {
        package.warnings.push("submissions/partially_accepted: only scoring problems have it".to_owned());
    }
    Ok(())
}

/// The settings that hold for a group, and the innermost file they come from.
fn of_group<'a>(name: &str, folders: &'a [Folder], everywhere: &Grading) -> (Grading, Option<&'a PathBuf>) {
    let mut grading = everywhere.clone();
    let mut file = None;
    let mut inner = Some(name);
    while let Some(name) = inner {
        if let Some(folder) = folders.iter().find(|folder| folder.group == name) {
            grading = grading.or(&folder.grading);
            file = file.or(Some(&folder.file));
        }
        inner = match name {
            "" => None,
            name => Some(name.rsplit_once('/').map_or("", |(outer, _)| outer)),
        };
    }
    (grading, file)
}

/// Modes of the default grader, of which the last one counts.
fn set(group: &mut Group, grading: &Grading) {
    let flags = grading.flags.as_ref().map(|(flags, _)| flags.clone()).unwrap_or_default();
    group.on_reject = grading.on_reject.map_or(OnReject::Break, |(policy, _)| policy);
    group.accept_score = grading.accept_score.map_or(1.0, |(score, _)| score);
    group.reject_score = grading.reject_score.map_or(0.0, |(score, _)| score);
    group.range = grading.range.map_or(ScoreRange::UNBOUNDED, |(range, _)| range);
    group.verdict = GroupVerdict::WorstError;
    for flag in &flags {
        match flag.as_str() {
            "worst_error" | "no_errors" => group.verdict = GroupVerdict::WorstError,
            "first_error" => group.verdict = GroupVerdict::FirstError,
            "always_accept" => group.verdict = GroupVerdict::AlwaysAccept,
            "sum" => group.aggregation = Aggregation::Sum,
            "avg" => group.aggregation = Aggregation::Average,
            "min" => group.aggregation = Aggregation::Min,
            "max" => group.aggregation = Aggregation::Max,
            _ => {}
        }
    }
    if flags.iter().any(|flag| flag == "accept_if_any_accepted") {
        group.verdict = match group.verdict {
            GroupVerdict::WorstError => GroupVerdict::AnyAcceptedElseWorst,
            GroupVerdict::FirstError => GroupVerdict::AnyAccepted,
            other => other,
        };
    }
    if matches!(grading.custom, Some((true, _))) {
        group.verdict = GroupVerdict::FirstError;
        group.aggregation = Aggregation::Program(flags);
    } else if group.on_reject == OnReject::Break && group.verdict == GroupVerdict::WorstError {
        // There is one error at most.
        group.verdict = GroupVerdict::FirstError;
    }
}

fn is_known(flag: &str) -> bool {
    matches!(
        flag,
        "worst_error"
            | "no_errors"
            | "first_error"
            | "always_accept"
            | "sum"
            | "avg"
            | "min"
            | "max"
            | IGNORE_SAMPLE
            | "accept_if_any_accepted"
    )
}

fn on_reject(node: &Node, key: &str) -> Result<Located<OnReject>, PackageError> {
    match node.text(key)?.as_deref() {
        None | Some("") => Ok(None),
        Some("break" | "first_error") => Ok(Some((OnReject::Break, node.line))),
        Some("continue" | "worst_error" | "grade") => Ok(Some((OnReject::Continue, node.line))),
        Some(other) => Err(PackageError::value(
            node.line,
            key,
            format!("'{}' is not a policy", one_line(other)),
            "use break or continue",
        )),
    }
}

fn is_custom(node: &Node, key: &str) -> Result<Located<bool>, PackageError> {
    match node.text(key)?.as_deref() {
        None | Some("") => Ok(None),
        Some("default") => Ok(Some((false, node.line))),
        Some("custom") => Ok(Some((true, node.line))),
        Some(other) => Err(PackageError::value(
            node.line,
            key,
            format!("'{}' is not a way to grade", one_line(other)),
            "use default or custom",
        )),
    }
}

fn score(node: &Node, key: &str) -> Result<Option<f64>, PackageError> {
    let Some(score) = node.number(key)? else { return Ok(None) };
    if score.is_finite() {
        return Ok(Some(score));
    }
    Err(PackageError::value(
        node.line,
        key,
        format!("{} is no score", yaml::plain(score)),
        "give a finite number",
    ))
}

/// Two numbers in one text, as Python's `float` reads them.
fn range(node: &Node, key: &str) -> Result<Option<ScoreRange>, PackageError> {
    let wrong = |problem: String| {
        Err(PackageError::value(node.line, key, problem, "write it like 0 100, or -inf +inf for no bounds"))
    };
    if matches!(node.value, Value::Map(_)) {
        return wrong("it is a map".to_owned());
    }
    let text = node.texts(key)?.join(" ");
    let words: Vec<&str> = text.split_whitespace().collect();
    let [min, max] = match words.as_slice() {
        [] => return Ok(None),
        [min, max] => [min, max].map(|word| bound(word)),
        _ => return wrong(format!("'{}' is not two numbers", one_line(&text))),
    };
    match (min, max) {
        (Some(min), Some(max)) if min <= max => Ok(Some(ScoreRange { min, max })),
        (Some(_), Some(_)) => wrong(format!("'{}' has no score in it", one_line(&text))),
        _ => wrong(format!("'{}' is not two numbers", one_line(&text))),
    }
}

fn bound(word: &str) -> Option<f64> {
    let number: f64 = word.parse().ok()?;
    (!number.is_nan()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grading(text: &str) -> Result<Grading, String> {
        let mut grading = Grading::default();
        let node = yaml::parse(text).map_err(|error| error.to_string())?;
        for (key, node) in node.map("").map_err(|error| error.to_string())? {
            assert!(grading.read(key, node, "").map_err(|error| error.to_string())?, "{key}");
        }
        Ok(grading)
    }

    fn group(text: &str) -> Group {
        let mut group = Group::new("g");
        set(&mut group, &grading(text).unwrap());
        group
    }

    #[test]
    fn flags_choose_modes_and_the_last_one_counts() {
        let defaults = group("");
        assert_eq!((defaults.verdict, defaults.on_reject), (GroupVerdict::FirstError, OnReject::Break));
        assert_eq!((defaults.accept_score, defaults.reject_score), (1.0, 0.0));
        assert_eq!(defaults.aggregation, Aggregation::Sum);
        for (flags, verdict, aggregation) in [
            ("", GroupVerdict::WorstError, Aggregation::Sum),
            ("no_errors avg", GroupVerdict::WorstError, Aggregation::Average),
            ("first_error min max", GroupVerdict::FirstError, Aggregation::Max),
            ("always_accept first_error always_accept", GroupVerdict::AlwaysAccept, Aggregation::Sum),
            ("accept_if_any_accepted min", GroupVerdict::AnyAcceptedElseWorst, Aggregation::Min),
            ("accept_if_any_accepted first_error", GroupVerdict::AnyAccepted, Aggregation::Sum),
            ("accept_if_any_accepted always_accept", GroupVerdict::AlwaysAccept, Aggregation::Sum),
            ("brightest", GroupVerdict::WorstError, Aggregation::Sum),
        ] {
            let group = group(&format!("on_reject: continue\ngrader_flags: {flags}"));
            assert_eq!((group.verdict, group.aggregation), (verdict, aggregation), "{flags}");
        }
        let custom = group("grading: custom\ngrader_flags: a [b]");
        assert_eq!(custom.aggregation, Aggregation::Program(vec!["a".to_owned(), "[b]".to_owned()]));
    }

    #[test]
    fn ranges_are_two_numbers_as_python_reads_them() {
        for (text, min, max) in [
            ("0 100", 0.0, 100.0),
            ("-inf +inf", f64::NEG_INFINITY, f64::INFINITY),
            ("' -1.5   inf '", -1.5, f64::INFINITY),
            ("[0, 1]", 0.0, 1.0),
            ("Infinity Infinity", f64::INFINITY, f64::INFINITY),
        ] {
            assert_eq!(group(&format!("range: {text}")).range, ScoreRange { min, max }, "{text}");
        }
        assert_eq!(group("range:").range, ScoreRange::UNBOUNDED);
        for (text, expected) in [
            ("range: 100", "range: '100' is not two numbers"),
            ("range: 0 1 2", "'0 1 2' is not two numbers"),
            ("range: nan 1", "'nan 1' is not two numbers"),
            ("range: 2 1", "'2 1' has no score in it"),
            ("range: {a: 1}", "range: it is a map"),
            ("accept_score: .inf", "accept_score: inf is no score"),
            ("accept_score: .nan", "is no score"),
            ("reject_score: low", "'low' where a number"),
            ("grading: nice", "'nice' is not a way to grade"),
            ("on_reject: explode", "'explode' is not a policy"),
            ("grader_flags: {a: b}", "grader_flags: a map"),
        ] {
            let error = grading(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn settings_are_inherited_key_by_key_and_problem_yaml_wins() {
        let folder = |group: &str, text: &str| Folder {
            group: group.to_owned(),
            file: PathBuf::from(group),
            grading: grading(text).unwrap(),
        };
        let folders = [
            folder("", "on_reject: continue\naccept_score: 3"),
            folder("secret", "grader_flags: min\nreject_score: -1"),
            folder("secret/a", "accept_score: 5"),
        ];
        let everywhere = grading("reject_score: -2").unwrap();
        let (inner, file) = of_group("secret/a/b", &folders, &everywhere);
        assert_eq!(file, Some(&PathBuf::from("secret/a")));
        let shown = |grading: &Grading| {
            (
                grading.on_reject.map(|(policy, _)| policy),
                grading.accept_score.map(|(score, _)| score),
                grading.reject_score.map(|(score, _)| score),
                grading.flags.is_some(),
            )
        };
        assert_eq!(shown(&inner), (Some(OnReject::Continue), Some(5.0), Some(-2.0), true));
        let (sample, _) = of_group("sample", &folders, &Grading::default());
        assert_eq!(shown(&sample), (Some(OnReject::Continue), Some(3.0), None, false));
    }
}
