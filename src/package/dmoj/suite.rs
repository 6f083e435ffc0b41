//! Reads `tests/NAME/test.yml`: the submissions of DMOJ's own test suite, and their expected results (`dmoj/testsuite.py`).

use std::path::PathBuf;
use std::time::Duration;

use crate::package::model::{Expectation, JurySubmission, Package, PartialExpectation, TestLimits};
use crate::package::source::diagnostics::Diagnostics;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::scope::Scope;
use crate::package::source::tree::{Entry, Kind, Tree, below};
use crate::package::source::yaml;
use crate::package::source::yaml::{Node, Value};
use crate::units::Bytes;
use crate::verdict::Verdict;

const FOLDER: &str = "tests";
/// Later ones win, as on Linux.
const FILES: [&str; 3] = ["test.yml", "test.posix.yml", "test.linux.yml"];
const KEYS: &[&str] = &[
    "arch",
    "cases",
    "expect",
    "extended_feedback",
    "extended_feedback_cases",
    "feedback",
    "feedback_cases",
    "language",
    "memory",
    "score",
    "score_cases",
    "skip",
    "source",
    "time",
    "points",
];

/// A test of the suite.
#[derive(Debug)]
struct Case {
    name: String,
    language: String,
    sources: Vec<PathBuf>,
    /// What every case must get that `cases` does not name.
    expect: Vec<Code>,
    cases: Vec<(usize, Vec<Code>)>,
    /// Whether it also says what a case must score: then some case may be right in part, which is AC there.
    names_scores: bool,
    /// What the site would allow this submission.
    limits: TestLimits,
}

/// The whole suite.
#[derive(Debug, Default)]
pub(super) struct Suite {
    tests: Vec<Case>,
    /// The longest time limit of all tests.
    pub(super) time: Option<Duration>,
    /// The largest memory limit.
    pub(super) memory: Option<Bytes>,
}

/// A result as the suite names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    /// Not run.
    Skipped,
    /// Run, with one of these.
    Verdicts(&'static [Verdict]),
}

impl Code {
    fn of(name: &str) -> Option<Self> {
        use Verdict::{AC, CE, JE, MLE, OLE, RTE, SV, TLE, WA, WTL};
        Some(Self::Verdicts(match name {
            "AC" => &[AC],
            "WA" => &[WA],
            "TLE" => &[TLE, WTL],
            "MLE" => &[MLE],
            "OLE" => &[OLE],
            // A signal; what a filter forbids ends a program with one.
            "RTE" => &[RTE, SV],
            "IR" => &[RTE],
            "CE" => &[CE],
            "IE" => &[JE],
            "SC" => return Some(Self::Skipped),
            _ => return None,
        }))
    }
}

/// The name of the test at a place, from 0: the judge counts from 1, over all batches.
pub(super) fn test_name(place: usize) -> String {
    (place + 1).to_string()
}

/// Reads the suite, where there is one.
pub(super) fn read(
    tree: &Tree,
    entries: &[Entry],
    diagnostics: &mut Diagnostics,
) -> Result<Suite, PackageError> {
    let mut suite = Suite::default();
    let Some(folder) = Tree::find(entries, FOLDER).filter(|entry| entry.kind == Kind::Directory) else {
        return Ok(suite);
    };
    for test in tree.entries(&folder.path, 1)?.iter().filter(|entry| entry.kind == Kind::Directory) {
        let inside = tree.entries(&test.path, 2)?;
        if !FILES.iter().any(|name| Tree::find(&inside, name).is_some()) {
            continue;
        }
        let case = test.reportable().and_then(|name| read_test(tree, name, &inside, &mut suite, diagnostics));
        suite.tests.extend(diagnostics.keep_for_verification(case).flatten());
    }
    Ok(suite)
}

fn read_test(
    tree: &Tree,
    name: &str,
    inside: &[Entry],
    suite: &mut Suite,
    diagnostics: &mut Diagnostics,
) -> Result<Option<Case>, PackageError> {
    let mut map: Vec<(String, Node)> = Vec::new();
    let mut place = None;
    for file in FILES.iter().filter_map(|name| Tree::find(inside, name)) {
        let root = yaml::load(file, &below(tree.root(), &file.path), &mut diagnostics.warnings)?;
        let own = root.map("").map_err(|error| error.in_file(&file.path))?;
        diagnostics.unknown_keys(&below(tree.root(), &file.path), "", own, KEYS);
        map.retain(|(key, _)| own.iter().all(|(other, _)| other != key));
        map.extend(own.iter().cloned());
        place.get_or_insert(&file.path);
    }
    let Some(file) = place else { return Ok(None) };
    let scope = Scope::root(file, &map);
    if scope.flag("skip") {
        return Ok(None);
    }
    if let Some(node) = scope.get("arch")
        && !scope.texts(node, "arch")?.iter().any(|arch| arch == architecture())
    {
        return Ok(None);
    }
    let missing = |key: &str| scope.wrong(key, "it is missing", "the test suite needs it");
    let language = scope.text("language")?.ok_or_else(|| missing("language"))?;
    let mut sources = Vec::new();
    let node = scope.get("source").ok_or_else(|| missing("source"))?;
    for source in scope.texts(node, "source")? {
        match Tree::find(inside, &source) {
            Some(entry) => sources.push(entry.file()?.to_owned()),
            None => {
                let problem = format!("there is no file '{}' beside it", one_line(&source));
                return Err(scope.wrong("source", problem, "name the source of a submission"));
            }
        }
    }
    let expect = match scope.get("expect") {
        Some(node) => codes(&scope, node, "expect")?,
        None => vec![Code::Verdicts(&[Verdict::AC])],
    };
    let mut cases = Vec::new();
    match scope.get("cases").map(|node| (&node.value, node)) {
        Some((Value::List(items), _)) => {
            for (place, node) in items.iter().enumerate() {
                cases.push((place, codes(&scope, node, "cases")?));
            }
        }
        Some((Value::Map(items), node)) => {
            for (number, value) in items {
                let place = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
                let Some(place) = place else {
                    let problem = format!("'{}' is not the number of a case", one_line(number));
                    return Err(scope.wrong_at(node, "cases", problem, "count from 1"));
                };
                cases.push((place, codes(&scope, value, "cases")?));
            }
        }
        Some((_, node)) => {
            return Err(scope.wrong_at(node, "cases", "neither a list nor a map", "give results by case"));
        }
        None => {}
    }
    let mut limits = TestLimits::default();
    if let Some(seconds) = scope.number("time", 0.001..=super::keys::LONGEST)? {
        limits.time = Some(Duration::from_secs_f64(seconds));
        suite.time = suite.time.max(limits.time);
    }
    if let Some(kib) = scope.number("memory", 1.0..=1e9)? {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
        let memory = Bytes::kib(kib as u64);
        limits.memory = Some(memory);
        suite.memory = suite.memory.max(limits.memory);
    }
    let names_scores = scope.get("score").is_some() || scope.get("score_cases").is_some();
    Ok(Some(Case { name: name.to_owned(), language, sources, expect, cases, names_scores, limits }))
}

/// One code, a list of them, or `*` for all.
fn codes(scope: &Scope<'_>, node: &Node, key: &str) -> Result<Vec<Code>, PackageError> {
    let mut codes = Vec::new();
    for name in scope.texts(node, key)? {
        if name == "*" {
            return Ok(Vec::new());
        }
        codes.push(Code::of(&name).ok_or_else(|| {
            let problem = format!("'{}' is not a result", one_line(&name));
            scope.wrong_at(node, key, problem, "use AC, WA, TLE, MLE, OLE, RTE, IR, CE, IE, SC or *")
        })?);
    }
    Ok(codes)
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The verdicts that codes allow; `None` where they demand nothing of a test that ran.
fn verdicts(codes: &[Code]) -> Option<Vec<Verdict>> {
    let mut verdicts = Vec::new();
    for code in codes {
        match code {
            Code::Skipped => return None,
            Code::Verdicts(some) => verdicts.extend_from_slice(some),
        }
    }
    verdicts.sort_by_key(|verdict| *verdict as u8);
    verdicts.dedup();
    (!verdicts.is_empty()).then_some(verdicts)
}

impl Suite {
    /// The suite's sources as submissions of the jury's.
    pub(super) fn submissions(self, package: &Package, diagnostics: &mut Diagnostics) -> Vec<JurySubmission> {
        let mut submissions = Vec::new();
        for test in self.tests {
            let expectation = test.expectation(package, diagnostics);
            let several = test.sources.len() > 1;
            for source in &test.sources {
                let own =
                    source.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                let name = if several { format!("{}/{own}", test.name) } else { test.name.clone() };
                submissions.push(JurySubmission {
                    name: format!("{FOLDER}/{name}"),
                    files: vec![source.clone()],
                    language: Some(language(&test.language)),
                    expectation: expectation.clone(),
                    names_entry: false,
                    limits: test.limits,
                    sets_time_limit: false,
                });
            }
        }
        submissions
    }
}

impl Case {
    fn expectation(&self, package: &Package, diagnostics: &mut Diagnostics) -> Expectation {
        let in_part = |verdicts: Option<Vec<Verdict>>| match verdicts {
            Some(mut verdicts)
                if self.names_scores
                    && verdicts.contains(&Verdict::AC)
                    && !verdicts.contains(&Verdict::WA) =>
            {
                verdicts.push(Verdict::WA);
                Some(verdicts)
            }
            verdicts => verdicts,
        };
        let whole = in_part(verdicts(&self.expect));
        // These are of the submission, whatever the number of tests.
        if let Some(all) = &whole
            && self.cases.is_empty()
            && all.iter().all(|verdict| matches!(verdict, Verdict::CE | Verdict::JE))
        {
            return Expectation { verdicts: all.clone(), ..Expectation::default() };
        }
        let mut parts = Vec::new();
        for place in 0..package.tests.len() {
            let own = self.cases.iter().find(|(other, _)| *other == place);
            let wanted = own.map_or_else(|| whole.clone(), |(_, codes)| in_part(verdicts(codes)));
            if let Some(wanted) = wanted {
                parts.push(PartialExpectation {
                    pattern: test_name(place),
                    permitted: wanted.clone(),
                    required: wanted,
                    ..PartialExpectation::default()
                });
            }
        }
        for (place, _) in self.cases.iter().filter(|(place, _)| *place >= package.tests.len()) {
            diagnostics.warn(format!("{FOLDER}/{}: cases: there is no case {}", self.name, place + 1));
        }
        let permitted = match &whole {
            Some(all) if self.cases.is_empty() => all.clone(),
            _ => Vec::new(),
        };
        Expectation { required: permitted.clone(), permitted, parts, ..Expectation::default() }
    }
}

/// The language that an executor of the judge's is for.
fn language(executor: &str) -> String {
    let code = executor.to_ascii_lowercase();
    match code.as_str() {
        "py3" | "pypy3" => "python3".to_owned(),
        "py2" | "pypy2" | "py" | "pypy" => "python2".to_owned(),
        "c" | "c11" | "clang" => "c".to_owned(),
        "clangx" => "cpp".to_owned(),
        "java8" | "java11" | "java15" | "java17" | "java" => "java".to_owned(),
        "pas" => "pascal".to_owned(),
        "v8js" | "js" => "javascript".to_owned(),
        "rb" | "ruby2" => "ruby".to_owned(),
        _ if code.starts_with("cpp") => "cpp".to_owned(),
        _ => code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_verdicts_and_skipped_cases_demand_nothing() {
        let code = |name| Code::of(name).unwrap();
        assert_eq!(verdicts(&[code("TLE"), code("WA")]), Some(vec![Verdict::WA, Verdict::TLE, Verdict::WTL]));
        assert_eq!(verdicts(&[code("WA"), code("SC")]), None);
        assert_eq!(verdicts(&[]), None);
        assert_eq!(Code::of("OK"), None);
    }
}
