//! Reads QDUOJ's exported problems: a directory with `problem.json` and `testcase/`.
//!
//! Read as the judge does (`problem/views/admin.py`, JudgeServer): `test_case_score` names the tests and what each is worth
//! under the rule `OI`; outputs are compared byte for byte but for white space at their end; a special judge is told the
//! input and the output and answers 0 or 1; `template` puts text before and after the contestant's. Times are in milliseconds, memory
//! in MiB.
//!
//! HUSTOJ's exchange format comes here as well, unpacked to the same files by `fps`.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::cache::KeyBuilder;
use crate::checker::{Comparator, CustomScore, DmojChecker, DmojKind, Protocol};
use crate::package::model::{
    Check, CheckerProgram, Expectation, Format, Group, Include, Interaction, Interactor, JuryProgram,
    JurySubmission, LanguageHint, Member, Objective, OnReject, Package, PackageLimits, ProgramBuild,
    ProgramFile, ProgramLimits, Scoring, Test, TestLimits, TimeLimit,
};
use crate::package::shared::names::{PROBLEM_JSON, short_name};
use crate::package::source::derived::DerivedFiles;
use crate::package::source::diagnostics::Diagnostics;
use crate::package::source::directory_writer::DirectoryWriter;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::tree::{Entry, Kind, Tree, read_text};
use crate::units::Bytes;
use crate::verdict::Verdict;

/// The files that make a directory one of these.
const FILE: &str = PROBLEM_JSON;
const TESTS: &str = "testcase";

/// Languages as QDUOJ and HUSTOJ name them, with the ending of their sources.
const LANGUAGES: &[(&str, &str, &str)] = &[
    ("C", "c", "c"),
    ("C++", "cpp", "cpp"),
    ("Java", "java", "java"),
    ("Python", "python3", "py"),
    ("Python2", "python2", "py"),
    ("Python3", "python3", "py"),
    ("Golang", "go", "go"),
    ("Go", "go", "go"),
    ("Pascal", "pascal", "pas"),
    ("JavaScript", "javascript", "js"),
    ("PHP", "php", "php"),
    ("Ruby", "ruby", "rb"),
    ("Bash", "bash", "sh"),
    ("Perl", "perl", "pl"),
    ("C#", "csharp", "cs"),
    ("Lua", "lua", "lua"),
    ("Clang", "c", "c"),
    ("Clang++", "cpp", "cpp"),
];

/// Returns whether the files in a directory are those of this format.
pub(crate) fn recognises(entries: &[Entry]) -> bool {
    let has = |name: &str, kind: Kind| Tree::find(entries, name).is_some_and(|entry| entry.kind == kind);
    has(FILE, Kind::File) && has(TESTS, Kind::Directory)
}

/// Loads the package at `tree`, whose own directory holds `entries`.
pub(crate) fn load(
    tree: &Tree,
    entries: &[Entry],
    derived: Option<&DerivedFiles>,
    diagnostics: &mut Diagnostics,
) -> Result<Package, PackageError> {
    let (Some(file), Some(folder)) = (Tree::find(entries, FILE), Tree::find(entries, TESTS)) else {
        let problem = format!("there is no {FILE} with {TESTS} in it");
        let remedy = "name the directory of a problem";
        return Err(PackageError::NotAPackage { path: tree.root().to_owned(), problem, remedy });
    };
    let map = parse(&read_text(file)?).map_err(|error| error.in_file(&file.path))?;
    let reader = Reader { file: &file.path, map: &map };
    let is_fps = map.get("gavel_origin").and_then(Value::as_str) == Some("fps");
    let format = if is_fps { Format::Hustoj } else { Format::Qduoj };
    let time = diagnostics.keep(reader.time_limit()).unwrap_or(Duration::from_secs(1));
    let limits = PackageLimits {
        memory: diagnostics.keep(reader.memory_limit()).unwrap_or(Bytes::mib(256)),
        ..PackageLimits::new(TimeLimit::Fixed(time))
    };
    let mut package = Package::new(short_name(tree.root()), tree.root().to_owned(), format, limits);
    if let Some(title) = map.get("title").and_then(Value::as_str) {
        package.title = one_line(title);
    }
    let mut texts = Texts { files: Vec::new() };
    let check = diagnostics.keep(reader.check(is_fps, &mut texts, &mut package));
    let mut check = check.unwrap_or(Check::BuiltIn(Comparator::Stripped));
    if let Some(interactor) = diagnostics.keep(reader.interactor(is_fps, &mut texts)).flatten() {
        package.interaction = Interaction::Interactive(interactor);
        check = Check::Interaction { arguments: Vec::new() };
    }
    diagnostics.keep(reader.templates(&mut package));
    let inside = tree.entries(&folder.path, 1)?;
    let points = reader.tests(&inside, &check, &mut texts, &mut package, diagnostics)?;
    if let Some(points) = points.filter(|_| map.get("rule_type").and_then(Value::as_str) == Some("OI")) {
        package.scoring = Some(Scoring { objective: Objective::Maximise, precision: None });
        let members =
            points.iter().enumerate().map(|(test, points)| Member::Test { test, points: Some(*points) });
        package.groups =
            vec![Group { on_reject: OnReject::Continue, members: members.collect(), ..Group::new("") }];
    } else {
        package.group_by_folders();
    }
    reader.answers(&mut texts, &mut package, diagnostics);
    texts.place(derived, tree, &mut package)?;
    Ok(package)
}

fn parse(text: &str) -> Result<Map<String, Value>, PackageError> {
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(PackageError::value(1, "", "it is no JSON object", "write the keys of a problem")),
        Err(error) => {
            let problem = format!("not JSON: {}", one_line(&error.to_string()));
            Err(PackageError::value(error.line() as u64, "", problem, "correct it at that place"))
        }
    }
}

/// Files that stand in the JSON as texts.
struct Texts {
    files: Vec<(String, String)>,
}

/// A path that stands for one of them.
const TEXT: &str = "/dev/null/text";

impl Texts {
    fn add(&mut self, name: &str, text: &str) -> std::path::PathBuf {
        let name = format!("{}-{name}", self.files.len());
        self.files.push((name.clone(), text.to_owned()));
        Path::new(TEXT).join(name)
    }

    /// Writes them into the derived, and gives everything its place.
    fn place(
        self,
        derived: Option<&DerivedFiles>,
        tree: &Tree,
        package: &mut Package,
    ) -> Result<(), PackageError> {
        if self.files.is_empty() {
            return Ok(());
        }
        let Some(derived) = derived else {
            let supported = "supported: loading it with a place for that";
            let found = "programs within the file, without a cache";
            return Err(PackageError::unsupported(0, "", found, supported).in_file(&tree.root().join(FILE)));
        };
        let key = KeyBuilder::default().field("kind", "texts of problem.json 1");
        let key = self.files.iter().fold(key, |key, (name, text)| key.field(name, text));
        let held = derived.make(key, |directory| {
            let draft = DirectoryWriter::open(directory)?;
            self.files.iter().try_for_each(|(name, text)| draft.write(name, text.as_bytes()))
        })?;
        let place = |path: &mut std::path::PathBuf| {
            if let Ok(name) = path.strip_prefix(TEXT) {
                *path = held.directory().join(name);
            }
        };
        package.tests.iter_mut().for_each(|test| place(&mut test.answer));
        let interactor = match &mut package.interaction {
            Interaction::Interactive(interactor) => Some(&mut interactor.program),
            _ => None,
        };
        let programs = package.checkers.iter_mut().map(|checker| &mut checker.program).chain(interactor);
        programs.flat_map(|program| &mut program.files).for_each(|file| place(&mut file.path));
        package.submissions.iter_mut().flat_map(|submission| &mut submission.files).for_each(place);
        package.leases.push(held.clone());
        Ok(())
    }
}

struct Reader<'a> {
    file: &'a Path,
    map: &'a Map<String, Value>,
}

impl Reader<'_> {
    fn wrong(&self, key: &str, problem: impl Into<String>, remedy: &str) -> PackageError {
        PackageError::value(0, key, problem, remedy).in_file(self.file)
    }

    fn number(&self, key: &str, most: f64, remedy: &str) -> Result<f64, PackageError> {
        let number =
            self.map.get(key).and_then(Value::as_f64).filter(|number| *number > 0.0 && *number <= most);
        number.ok_or_else(|| self.wrong(key, "there is no usable number", remedy))
    }

    fn time_limit(&self) -> Result<Duration, PackageError> {
        let milliseconds = self.number("time_limit", 3.6e6, "give milliseconds, at most an hour")?;
        Ok(Duration::from_secs_f64(milliseconds / 1000.0))
    }

    fn memory_limit(&self) -> Result<Bytes, PackageError> {
        let mib = self.number("memory_limit", 1e6, "give MiB")?;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
        Ok(Bytes((mib * 1_048_576.0) as u64))
    }

    /// `spj`, or the comparison of whole outputs.
    fn check(&self, is_fps: bool, texts: &mut Texts, package: &mut Package) -> Result<Check, PackageError> {
        if let Some(program) = self.program("tpj", is_fps, texts)? {
            package.checkers.push(CheckerProgram {
                program,
                protocol: Protocol::Testlib,
                call: None,
                limits: ProgramLimits::default(),
                scores: CustomScore::Refused,
            });
            return Ok(Check::Program { checker: 0, arguments: Vec::new() });
        }
        let Some(spj) = self.map.get("spj").filter(|spj| !spj.is_null()) else {
            let plain = match is_fps {
                true => Comparator::Dmoj(DmojChecker::Standard),
                false => Comparator::Stripped,
            };
            return Ok(Check::BuiltIn(plain));
        };
        let (language, ending) = self.language("spj.language", spj.get("language"))?;
        let code = spj.get("code").and_then(Value::as_str);
        let code = code
            .ok_or_else(|| self.wrong("spj.code", "there is none", "give the source of the special judge"))?;
        let name = format!("spj.{ending}");
        let path = texts.add(&name, code);
        let call: &[&str] =
            if is_fps { &["{input}", "{answer}", "{output}"] } else { &["{input}", "{output}"] };
        package.checkers.push(CheckerProgram {
            program: JuryProgram {
                name: "spj".to_owned(),
                files: vec![ProgramFile { name, path }],
                build: ProgramBuild::Language { language: LanguageHint::Kattis(language), flags: Vec::new() },
            },
            protocol: Protocol::Dmoj(DmojKind::Default),
            call: Some(call.iter().map(|word| (*word).to_owned()).collect()),
            limits: ProgramLimits::default(),
            scores: CustomScore::Refused,
        });
        Ok(Check::Program { checker: 0, arguments: Vec::new() })
    }

    /// HUSTOJ's `interactor`, made with testlib: `input output`; exit code 0 accepts.
    fn interactor(&self, is_fps: bool, texts: &mut Texts) -> Result<Option<Interactor>, PackageError> {
        let Some(program) = self.program("interactor", is_fps, texts)? else { return Ok(None) };
        Ok(Some(Interactor {
            unbuffered: false,
            program,
            protocol: Protocol::Testlib,
            call: Some(["{input}", "{output}"].map(str::to_owned).to_vec()),
            limits: ProgramLimits::default(),
            scores: CustomScore::Refused,
        }))
    }

    /// A program that only HUSTOJ's format has: `tpj` or `interactor`.
    fn program(
        &self,
        key: &str,
        is_fps: bool,
        texts: &mut Texts,
    ) -> Result<Option<JuryProgram>, PackageError> {
        let Some(value) = self.map.get(key).filter(|value| is_fps && !value.is_null()) else {
            return Ok(None);
        };
        let (language, ending) = self.language(&format!("{key}.language"), value.get("language"))?;
        let code = value.get("code").and_then(Value::as_str).unwrap_or_default();
        let name = format!("{key}.{ending}");
        let path = texts.add(&name, code);
        let build = ProgramBuild::Language { language: LanguageHint::Kattis(language), flags: Vec::new() };
        Ok(Some(JuryProgram { name: key.to_owned(), files: vec![ProgramFile { name, path }], build }))
    }

    fn language(&self, key: &str, value: Option<&Value>) -> Result<(String, &'static str), PackageError> {
        let name = value.and_then(Value::as_str).unwrap_or_default();
        let known = LANGUAGES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name));
        known.map(|(_, code, ending)| ((*code).to_owned(), *ending)).ok_or_else(|| {
            let names: Vec<_> = LANGUAGES.iter().map(|(name, ..)| *name).collect();
            let remedy = format!("use one of {}", names.join(", "));
            self.wrong(key, format!("'{}' is no language", one_line(name)), &remedy)
        })
    }

    /// `template`: what stands before and after the contestant's text.
    fn templates(&self, package: &mut Package) -> Result<(), PackageError> {
        let Some(templates) = self.map.get("template").and_then(Value::as_object) else { return Ok(()) };
        for (name, template) in templates {
            let part = |key: &str| template.get(key).and_then(Value::as_str).unwrap_or_default();
            let key = format!("template.{}", one_line(name));
            let line_of =
                |text: &str| if text.trim().is_empty() { String::new() } else { format!("{text}\n") };
            let (before, after) = (line_of(part("prepend")), line_of(part("append")));
            if before.is_empty() && after.is_empty() {
                continue;
            }
            let (_, ending) = self.language(&key, Some(&Value::from(name.as_str())))?;
            package.includes.push(Include {
                language: Some(LanguageHint::Ending(ending.to_owned())),
                files: Vec::new(),
                entry_point: None,
                submission_name: None,
                submission_prefix: before,
                // The submission may lack the newline at its end.
                submission_suffix: if after.is_empty() { after } else { format!("\n{after}") },
                flags: Vec::new(),
            });
        }
        Ok(())
    }

    /// The tests that `test_case_score` names, or all in the folder; with the points of each.
    fn tests(
        &self,
        inside: &[Entry],
        check: &Check,
        texts: &mut Texts,
        package: &mut Package,
        diagnostics: &mut Diagnostics,
    ) -> Result<Option<Vec<f64>>, PackageError> {
        let mut named: Vec<(String, Option<String>, f64)> = Vec::new();
        let listed = self.map.get("test_case_score").and_then(Value::as_array);
        for (place, case) in listed.into_iter().flatten().enumerate() {
            let key = |key: &str| format!("test_case_score[{place}].{key}");
            let text = |key: &str| case.get(key).and_then(Value::as_str).map(str::to_owned);
            let Some(input) = text("input_name") else {
                diagnostics.error(self.wrong(
                    &key("input_name"),
                    "there is none",
                    "name a file in testcase/",
                ));
                continue;
            };
            let points = match case.get("score") {
                None | Some(Value::Null) => Some(0.0),
                Some(score) => score.as_f64().filter(|score| (0.0..=1e9).contains(score)),
            };
            if points.is_none() {
                diagnostics.error(self.wrong(&key("score"), "it is no number of points", "give a number"));
            }
            named.push((input, text("output_name").filter(|name| name != "-"), points.unwrap_or_default()));
        }
        let has_points = !named.is_empty();
        if named.is_empty() {
            let mut inputs: Vec<_> = inside.iter().filter(|entry| entry.ends_with(".in")).collect();
            inputs.sort_by_key(|entry| {
                entry.text().and_then(|name| name.strip_suffix(".in")?.parse::<u64>().ok())
            });
            for entry in inputs {
                let name = entry.reportable()?;
                let output = format!("{}.out", name.strip_suffix(".in").unwrap_or(name));
                let output = Tree::find(inside, &output).map(|_| output);
                named.push((name.to_owned(), output, 0.0));
            }
        }
        let mut points = Vec::new();
        for (place, (input, output, worth)) in named.iter().enumerate() {
            let find = |key: &str, name: &str| match Tree::find(inside, name) {
                Some(entry) => entry.file().map(Path::to_owned),
                None => {
                    let key = format!("test_case_score[{place}].{key}");
                    let problem = format!("there is no file '{}' in {TESTS}", one_line(name));
                    Err(self.wrong(&key, problem, "add the file"))
                }
            };
            let input_file = diagnostics.keep(find("input_name", input));
            let answer = match output {
                Some(output) => diagnostics.keep(find("output_name", output)),
                None if !matches!(check, Check::BuiltIn(_)) => Some(texts.add("empty", "")),
                None => {
                    let key = format!("test_case_score[{place}].output_name");
                    diagnostics.error(self.wrong(
                        &key,
                        "there is none",
                        "name the answer, or add a special judge",
                    ));
                    None
                }
            };
            if let (Some(input_file), Some(answer)) = (input_file, answer) {
                let stem = input.strip_suffix(".in").unwrap_or(input);
                package
                    .tests
                    .push(Test { check: check.clone(), ..Test::new(one_line(stem), input_file, answer) });
                points.push(*worth);
            }
        }
        if package.tests.is_empty() && !diagnostics.is_broken() {
            return Err(self.wrong(
                "test_case_score",
                "there are no tests",
                "put pairs of N.in and N.out into testcase",
            ));
        }
        Ok(has_points.then_some(points))
    }

    /// `answers`: solutions that must be accepted.
    fn answers(&self, texts: &mut Texts, package: &mut Package, diagnostics: &mut Diagnostics) {
        for (place, answer) in
            self.map.get("answers").and_then(Value::as_array).into_iter().flatten().enumerate()
        {
            let key = format!("answers[{place}]");
            let language = self.language(&format!("{key}.language"), answer.get("language"));
            let (language, ending) = match language {
                Ok(language) => language,
                Err(error) => {
                    diagnostics.warn(format!("{key}: not judged: {error}"));
                    continue;
                }
            };
            let Some(code) = answer.get("code").and_then(Value::as_str) else { continue };
            let path = texts.add(&format!("answer.{ending}"), code);
            package.submissions.push(JurySubmission {
                name: format!("{key}.{ending}"),
                files: vec![path],
                language: Some(language),
                expectation: Expectation { verdicts: vec![Verdict::AC], ..Expectation::default() },
                names_entry: false,
                limits: TestLimits::default(),
                sets_time_limit: false,
            });
        }
    }
}
