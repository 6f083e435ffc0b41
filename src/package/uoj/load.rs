//! Reads UOJ's format: a directory with `problem.conf` and numbered tests beside it.
//!
//! Read as its judge does (`judger/uoj_judger/include/uoj_judger.h`): `input_pre`, `input_suf`, `output_pre` and `output_suf`
//! name the tests 1 to `n_tests`, and with `ex_` before them the extra tests, of which the first `n_sample_tests` are
//! samples. Extra tests run where everything else passed; failing one costs three points. Checkers are testlib's own, by
//! name, or `chk.cpp`. Scores of tests add up as they are: a problem whose points are not whole hundredths may give 99 where
//! UOJ rounds to 100.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use crate::checker::{Comparator, CustomScore, Protocol, TestlibChecker};
use crate::package::model::{
    Aggregation, Check, CheckerProgram, Expectation, Format, Group, InputValidator, JuryProgram,
    JurySubmission, LanguageHint, Member, Objective, OnReject, Package, PackageLimits, ProgramBuild,
    ProgramFile, ProgramLimits, Scoring, Test, TestLimits, TimeLimit,
};
use crate::package::shared::names::short_name;
use crate::package::source::diagnostics::Diagnostics;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::tree::{Entry, Kind, Tree, read_text};
use crate::units::Bytes;
use crate::verdict::Verdict;

/// The file that makes a directory one of these.
pub(crate) const FILE: &str = "problem.conf";

const MOST_TESTS: usize = 10_000;
const MOST_SUBTASKS: usize = 1000;
/// Points that a failed extra test costs (`ex_data_test`).
const EXTRA_TEST: f64 = -3.0;

/// Switches that make a problem another than gavel judges.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("submit_answer", "handing in answers"),
    ("interaction_mode", "an interactive problem"),
    ("with_implementer", "a problem with an implementer"),
];
const SUPPORTED: &str = "supported today: programs that read standard input and write standard output, with use_builtin_judger on";

/// Keys without a number, and the beginnings of those that have one.
const KEYS: &[&str] = &[
    "use_builtin_judger",
    "use_builtin_checker",
    "n_tests",
    "n_ex_tests",
    "n_sample_tests",
    "n_subtasks",
    "input_pre",
    "input_suf",
    "output_pre",
    "output_suf",
    "time_limit",
    "memory_limit",
    "output_limit",
    "real_time_limit",
    "stack_limit",
    "point_score",
    "subtask_end",
    "subtask_score",
    "subtask_type",
    "subtask_dependence",
    "subtask_used_time_type",
    "checker_time_limit",
    "checker_memory_limit",
    "checker_output_limit",
    "validator_time_limit",
    "validator_memory_limit",
    "score_type",
    "show_in",
    "show_out",
    "show_res",
    "problem_id",
    "token",
    "validate_input_before_test",
    "disable_program_input",
];

/// Returns whether the files in a directory are those of this format.
pub(crate) fn recognises(entries: &[Entry]) -> bool {
    Tree::find(entries, FILE).is_some_and(|entry| entry.kind == Kind::File)
}

/// Loads the package at `tree`, whose own directory holds `entries`.
pub(crate) fn load(
    tree: &Tree,
    entries: &[Entry],
    diagnostics: &mut Diagnostics,
) -> Result<Package, PackageError> {
    let file = Tree::find(entries, FILE).ok_or_else(|| PackageError::NotAPackage {
        path: tree.root().to_owned(),
        problem: format!("there is no {FILE} in it"),
        remedy: "name the directory of a UOJ problem's data",
    })?;
    let settings = Settings::parse(&file.path, &read_text(file)?)?;
    settings.refuse_unsupported(entries)?;
    settings.warn_of_unknown(diagnostics);
    let time = settings.time("time_limit")?.unwrap_or(Duration::from_secs(1));
    let limits = PackageLimits {
        memory: settings.memory("memory_limit")?.unwrap_or(Bytes::mib(256)),
        output: settings.memory("output_limit")?.unwrap_or(Bytes::mib(64)),
        ..PackageLimits::new(TimeLimit::Fixed(time))
    };
    let mut package = Package::new(short_name(tree.root()), tree.root().to_owned(), Format::Uoj, limits);
    let check = check(&settings, entries, &mut package)?;
    let reader = Reader { settings: &settings, entries, check };
    reader.tests(&mut package, diagnostics)?;
    if let Some(entry) = Tree::find(entries, "val.cpp") {
        let program = program(entries, entry)?;
        let limits = ProgramLimits::default();
        package.verification.input_validators.push(InputValidator {
            program,
            accepts: 0,
            arguments: Vec::new(),
            limits,
        });
    }
    if let Some(entry) = Tree::find(entries, "std.cpp") {
        package.submissions.push(JurySubmission {
            name: "std.cpp".to_owned(),
            files: vec![entry.file()?.to_owned()],
            language: None,
            expectation: Expectation { verdicts: vec![Verdict::AC], ..Expectation::default() },
            names_entry: false,
            limits: TestLimits::default(),
            sets_time_limit: false,
        });
    }
    Ok(package)
}

/// `use_builtin_checker`, or `chk.cpp`.
fn check(settings: &Settings<'_>, entries: &[Entry], package: &mut Package) -> Result<Check, PackageError> {
    if let Some(name) = settings.text("use_builtin_checker") {
        let known = TestlibChecker::named(name).ok_or_else(|| {
            let problem = format!("'{}' is not one of UOJ's checkers", one_line(name));
            settings.wrong(
                "use_builtin_checker",
                problem,
                "name one of testlib's (wcmp, ncmp, rcmp6, ...), or add chk.cpp",
            )
        })?;
        return Ok(Check::BuiltIn(Comparator::Testlib(known)));
    }
    let entry = Tree::find(entries, "chk.cpp").ok_or_else(|| {
        settings.wrong(
            "use_builtin_checker",
            "there is none, and no chk.cpp",
            "name one of testlib's checkers, or add chk.cpp",
        )
    })?;
    package.checkers.push(CheckerProgram {
        program: program(entries, entry)?,
        protocol: Protocol::TestlibFraction,
        call: None,
        limits: ProgramLimits::default(),
        scores: CustomScore::Allowed,
    });
    Ok(Check::Program { checker: 0, arguments: Vec::new() })
}

/// A program of one source, with the headers beside it.
fn program(entries: &[Entry], source: &Entry) -> Result<JuryProgram, PackageError> {
    let name = source.reportable()?.to_owned();
    let mut files = vec![ProgramFile { name: name.clone(), path: source.file()?.to_owned() }];
    for entry in entries.iter().filter(|entry| entry.kind == Kind::File && entry.ends_with(".h")) {
        files.push(ProgramFile { name: entry.reportable()?.to_owned(), path: entry.path.clone() });
    }
    let build = ProgramBuild::Language { language: LanguageHint::Files, flags: Vec::new() };
    Ok(JuryProgram { name, files, build })
}

/// The pairs of words in `problem.conf`.
struct Settings<'a> {
    file: &'a Path,
    values: BTreeMap<String, String>,
}

impl<'a> Settings<'a> {
    fn parse(file: &'a Path, text: &str) -> Result<Self, PackageError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.len() % 2 == 1 {
            let last = one_line(words.last().copied().unwrap_or_default());
            let problem = format!("the key '{last}' at its end has no value");
            return Err(PackageError::value(0, "", problem, "write pairs of a key and a value").in_file(file));
        }
        let values = words.chunks_exact(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect();
        Ok(Self { file, values })
    }

    fn wrong(&self, key: &str, problem: impl Display, remedy: &str) -> PackageError {
        PackageError::value(0, key, problem.to_string(), remedy).in_file(self.file)
    }

    fn refuse_unsupported(&self, entries: &[Entry]) -> Result<(), PackageError> {
        let refuse = |key: &str, found: &str| {
            Err(PackageError::unsupported(0, key, found, SUPPORTED).in_file(self.file))
        };
        for (key, found) in UNSUPPORTED {
            if self.text(key) == Some("on") {
                return refuse(key, found);
            }
        }
        if self.text("use_builtin_judger") != Some("on") || Tree::find(entries, "judger.cpp").is_some() {
            return refuse("use_builtin_judger", "a judge of the problem's own");
        }
        match self.text("token") {
            Some(_) => refuse("token", "a token that proves that the output is the program's"),
            None => Ok(()),
        }
    }

    fn warn_of_unknown(&self, diagnostics: &mut Diagnostics) {
        for key in self.values.keys() {
            let plain =
                key.trim_end_matches(|character: char| character.is_ascii_digit() || character == '_');
            if !KEYS.contains(&key.as_str()) && !KEYS.contains(&plain) {
                diagnostics.warn(format!("{FILE}: {}: an unknown key is ignored", one_line(key)));
            }
        }
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    fn number<T: FromStr>(&self, key: &str) -> Result<Option<T>, PackageError> {
        let Some(text) = self.text(key) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            self.wrong(key, format!("'{}' is not a valid number", one_line(text)), "give a number")
        })
    }

    fn count(&self, key: &str, default: usize, most: usize) -> Result<usize, PackageError> {
        let count = self.number::<usize>(key)?.unwrap_or(default);
        if count > most {
            return Err(self.wrong(key, format!("{count} is more than {most}"), "give a smaller number"));
        }
        Ok(count)
    }

    /// Points, 0 to a million.
    fn points(&self, key: &str, default: f64) -> Result<f64, PackageError> {
        let points = self.number::<f64>(key)?.unwrap_or(default);
        if (0.0..=1e6).contains(&points) {
            return Ok(points);
        }
        Err(self.wrong(key, format!("{points} is not a number of points"), "give 0 to 100"))
    }

    /// Seconds.
    fn time(&self, key: &str) -> Result<Option<Duration>, PackageError> {
        let Some(seconds) = self.number::<f64>(key)? else { return Ok(None) };
        if seconds > 0.0 && seconds <= 3600.0 {
            return Ok(Some(Duration::from_secs_f64(seconds).max(Duration::from_millis(1))));
        }
        Err(self.wrong(key, format!("{seconds} is no time limit"), "give seconds, at most an hour"))
    }

    /// MiB.
    fn memory(&self, key: &str) -> Result<Option<Bytes>, PackageError> {
        let Some(mib) = self.number::<u64>(key)? else { return Ok(None) };
        if (1..=1_048_576).contains(&mib) {
            return Ok(Some(Bytes::mib(mib)));
        }
        Err(self.wrong(key, format!("{mib} is no limit"), "give MiB"))
    }
}

struct Reader<'a> {
    settings: &'a Settings<'a>,
    entries: &'a [Entry],
    check: Check,
}

impl Reader<'_> {
    fn tests(&self, package: &mut Package, diagnostics: &mut Diagnostics) -> Result<(), PackageError> {
        let settings = self.settings;
        let count = settings.count("n_tests", 10, MOST_TESTS)?;
        let subtasks = settings.count("n_subtasks", 0, MOST_SUBTASKS)?;
        let extra = settings.count("n_ex_tests", 0, MOST_TESTS)?;
        let samples = settings.count("n_sample_tests", 0, MOST_TESTS)?;
        if count == 0 {
            return Err(settings.wrong("n_tests", "there are no tests", "give their number"));
        }
        package.scoring = Some(Scoring { objective: Objective::Maximise, precision: None });
        let mut root = Group { on_reject: OnReject::Continue, ..Group::new("") };
        let mut groups: Vec<Group> = Vec::new();
        if subtasks == 0 {
            #[allow(clippy::cast_precision_loss, reason = "at most ten thousand")]
            let each = (100 / count) as f64;
            let mut group = Group { on_reject: OnReject::Continue, ..Group::new("main") };
            for number in 1..=count {
                let points = settings
                    .points(&format!("point_score_{number}"), settings.points("point_score", each)?)?;
                self.add(package, &mut group, &number.to_string(), points, false, diagnostics);
            }
            groups.push(group);
        }
        let mut from = 1;
        for number in 1..=subtasks {
            let to = match number == subtasks {
                true => count,
                false => settings.count(&format!("subtask_end_{number}"), 0, count)?,
            };
            groups.push(self.subtask(package, number, subtasks, from..=to, diagnostics)?);
            from = to + 1;
        }
        if extra > 0 {
            let mut group = Group {
                aggregation: Aggregation::Min,
                reject_score: EXTRA_TEST,
                dependencies: groups.iter().map(|group| group.name.clone()).collect(),
                ..Group::new("extra")
            };
            for number in 1..=extra {
                self.add(package, &mut group, &format!("ex_{number}"), 0.0, number <= samples, diagnostics);
            }
            groups.push(group);
        }
        root.members = (1..=groups.len()).map(Member::Group).collect();
        package.groups = std::iter::once(root).chain(groups).collect();
        Ok(())
    }

    fn subtask(
        &self,
        package: &mut Package,
        number: usize,
        subtasks: usize,
        tests: std::ops::RangeInclusive<usize>,
        diagnostics: &mut Diagnostics,
    ) -> Result<Group, PackageError> {
        let settings = self.settings;
        let key = |name: &str| format!("{name}_{number}");
        if tests.is_empty() {
            return Err(settings.wrong(
                &key("subtask_end"),
                "the subtask has no tests",
                "give the number of its last test",
            ));
        }
        #[allow(clippy::cast_precision_loss, reason = "at most a thousand")]
        let score = settings.points(&key("subtask_score"), (100 / subtasks) as f64)?;
        let kind =
            settings.text(&key("subtask_type")).or_else(|| settings.text("subtask_type")).unwrap_or("packed");
        let aggregation = match kind {
            "packed" => Aggregation::AllOrNothing,
            "min" => Aggregation::Min,
            other => {
                let problem = format!("'{}' is not a type of subtask", one_line(other));
                return Err(settings.wrong(&key("subtask_type"), problem, "use packed or min"));
            }
        };
        let is_packed = aggregation == Aggregation::AllOrNothing;
        let mut group = Group {
            aggregation,
            weight: if is_packed { score } else { 1.0 },
            dependencies: self.dependencies(number, subtasks)?,
            ..Group::new(format!("subtask{number}"))
        };
        for test in tests {
            self.add(
                package,
                &mut group,
                &test.to_string(),
                if is_packed { 1.0 } else { score },
                false,
                diagnostics,
            );
        }
        Ok(group)
    }

    /// `subtask_dependence_N`: one subtask, or `many` with `subtask_dependence_N_1` and so on.
    fn dependencies(&self, number: usize, subtasks: usize) -> Result<Vec<String>, PackageError> {
        let key = format!("subtask_dependence_{number}");
        let named = |key: &str| -> Result<Option<String>, PackageError> {
            match self.settings.number::<usize>(key)? {
                None | Some(0) => Ok(None),
                Some(other) if other < number && other <= subtasks => Ok(Some(format!("subtask{other}"))),
                Some(other) => {
                    let problem = format!("{other} is not the number of a subtask before it");
                    Err(self.settings.wrong(key, problem, "name an earlier subtask"))
                }
            }
        };
        match self.settings.text(&key) {
            None | Some("none") => Ok(Vec::new()),
            Some("many") => {
                let mut names = Vec::new();
                while let Some(name) = named(&format!("{key}_{}", names.len() + 1))? {
                    names.push(name);
                }
                Ok(names)
            }
            Some(_) => Ok(named(&key)?.into_iter().collect()),
        }
    }

    /// Adds a test by its number, with `ex_` before it where it is an extra one.
    fn add(
        &self,
        package: &mut Package,
        group: &mut Group,
        number: &str,
        points: f64,
        sample: bool,
        diagnostics: &mut Diagnostics,
    ) {
        let (extra, digits) = match number.strip_prefix("ex_") {
            Some(digits) => ("ex_", digits),
            None => ("", number),
        };
        let file = |kind: &str| -> Result<PathBuf, PackageError> {
            let part = |end: &str, default: &str| {
                self.settings.text(&format!("{kind}_{end}")).unwrap_or(default).to_owned()
            };
            let name = format!("{extra}{}{digits}.{}", part("pre", kind), part("suf", "txt"));
            let entry = Tree::find(self.entries, &name).ok_or_else(|| {
                let problem = format!("there is no file '{}'", one_line(&name));
                self.settings.wrong(
                    &format!("{kind}_pre"),
                    problem,
                    "add the file, or correct the name or the number of tests",
                )
            })?;
            Ok(entry.file()?.to_owned())
        };
        let limits = || -> Result<TestLimits, PackageError> {
            // Limits of single tests; extra tests have those of the problem.
            if !extra.is_empty() {
                return Ok(TestLimits::default());
            }
            Ok(TestLimits {
                time: self.settings.time(&format!("time_limit_{digits}"))?,
                memory: self.settings.memory(&format!("memory_limit_{digits}"))?,
            })
        };
        let (input, answer) = (diagnostics.keep(file("input")), diagnostics.keep(file("output")));
        let limits = diagnostics.keep(limits()).unwrap_or_default();
        if let (Some(input), Some(answer)) = (input, answer) {
            group.members.push(Member::Test { test: package.tests.len(), points: Some(points) });
            package.tests.push(Test {
                groups: vec![group.name.clone()],
                sample,
                check: self.check.clone(),
                limits,
                ..Test::new(format!("{}/{number}", group.name), input, answer)
            });
        }
    }
}
