//! Reads Library Checker's problems: a directory with `info.toml` and `gen/`, in a collection with `common/`.
//!
//! Read as its `generate.py` does. A test is a file in `gen/`, or made by a program there that is told its number; its answer
//! is made by `sol/correct.cpp`. Where `in/` and `out/` hold the tests already, they are taken. `params.h` is made of
//! `[params]`; headers are found in the `common/` of the collection, which is looked for in the folders above. The collection
//! says nothing of memory: 1 GiB holds, as on its site.

use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::{Table, Value};

use crate::cache::KeyBuilder;
use crate::checker::{CustomScore, Protocol};
use crate::nearest::nearest;
use crate::package::model::Lease;
use crate::package::model::{
    Check, CheckerProgram, Expectation, Format, GeneratedAnswer, GeneratedData, GeneratedInput,
    GeneratedTest, Include, InputValidator, JuryProgram, JurySubmission, LanguageHint, Package,
    PackageLimits, ProgramBuild, ProgramFile, ProgramLimits, Test, TestLimits, TimeLimit,
};
use crate::package::shared::names::short_name;
use crate::package::source::derived::DerivedFiles;
use crate::package::source::diagnostics::Diagnostics;
use crate::package::source::directory_writer::DirectoryWriter;
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::tree::{Entry, Kind, Tree, read_text};
use crate::units::Bytes;
use crate::verdict::Verdict;

/// The file that makes a directory one of these, together with [`GENERATORS`].
pub(crate) const FILE: &str = "info.toml";
const GENERATORS: &str = "gen";
/// Where headers are: in the collection, and beside each program.
const COMMON: &str = "common";
/// Folders above a problem that are looked at for `common/`.
const LEVELS: usize = 5;
const MEMORY: Bytes = Bytes::gib(1);
/// What a generator may use, and at least the solution that makes answers.
const GENERATOR_LIMITS: ProgramLimits =
    ProgramLimits { time: Duration::from_secs(60), memory: Bytes::gib(2), output: Bytes::mib(512) };
const HEADERS: &[&str] = &[".h", ".hpp", ".hh", ".hxx", ".h++", ".inc"];
const MOST_TESTS: i64 = 10_000;
const LONGEST: f64 = 3600.0;

const KEYS: &[&str] = &[
    "title",
    "timelimit",
    "forum",
    "tests",
    "solutions",
    "params",
    "checker",
    "verifier",
    "solution",
    "verify",
];
const SOLUTION_KEYS: &[&str] = &["name", "wrong", "expect", "allow_wa", "allow_re", "allow_tle", "function"];

/// Returns whether the files in a directory are those of this format.
pub(crate) fn recognises(entries: &[Entry]) -> bool {
    let generators = Tree::find(entries, GENERATORS).is_some_and(|entry| entry.kind == Kind::Directory);
    generators && Tree::find(entries, FILE).is_some()
}

/// Loads the package at `tree`, whose own directory holds `entries`.
pub(crate) fn load(
    tree: &Tree,
    entries: &[Entry],
    derived: Option<&DerivedFiles>,
    diagnostics: &mut Diagnostics,
) -> Result<Package, PackageError> {
    let Some(file) = Tree::find(entries, FILE) else {
        let problem = format!("there is no {FILE} in it");
        let remedy = "name the directory of a problem";
        return Err(PackageError::NotAPackage { path: tree.root().to_owned(), problem, remedy });
    };
    let table = parse(&read_text(file)?).map_err(|error| error.in_file(&file.path))?;
    unknown_keys(&table, KEYS, "", diagnostics);
    let Some(derived) = derived else {
        let supported = "supported: loading it with a place for that";
        let found = "tests that must be made, without a cache";
        return Err(PackageError::unsupported(0, "", found, supported).in_file(&file.path));
    };
    let time = diagnostics.keep(time_limit(&table, &file.path)).unwrap_or(Duration::from_secs(2));
    let limits = PackageLimits {
        memory: MEMORY,
        output: GENERATOR_LIMITS.output,
        ..PackageLimits::new(TimeLimit::Fixed(time))
    };
    let mut package =
        Package::new(short_name(tree.root()), tree.root().to_owned(), Format::LibraryChecker, limits);
    if let Some(title) = table.get("title").and_then(Value::as_str) {
        package.title = one_line(title);
    }
    let given = headers(tree, entries, &table, &file.path, derived)?;
    let reader = Reader { tree, file: &file.path, headers: &given.files };
    package.leases.push(given.lease);

    let text =
        |key: &str, default: &str| table.get(key).and_then(Value::as_str).unwrap_or(default).to_owned();
    if let Some(program) = diagnostics.keep(reader.program("checker", &text("checker", "checker.cpp"))) {
        package.checkers.push(CheckerProgram {
            program,
            protocol: Protocol::Testlib,
            call: None,
            limits: GENERATOR_LIMITS,
            scores: CustomScore::Refused,
        });
    }
    let verifier = text("verifier", "verifier.cpp");
    match tree.at(&verifier) {
        Ok(Some(_)) => {
            if let Some(program) = diagnostics.keep(reader.program("verifier", &verifier)) {
                let arguments = Vec::new();
                package.verification.input_validators =
                    vec![InputValidator { program, accepts: 0, arguments, limits: GENERATOR_LIMITS }];
            }
        }
        _ => diagnostics.warn(format!("{FILE}: verifier: there is no file '{}'", one_line(&verifier))),
    }
    reader.tests(&table, &mut package, diagnostics)?;
    package.group_by_folders();
    package.submissions = reader.solutions(&table, diagnostics);
    package.includes = vec![Include {
        language: Some(LanguageHint::Ending("cpp".to_owned())),
        files: given.files,
        entry_point: None,
        submission_name: None,
        submission_prefix: String::new(),
        submission_suffix: String::new(),
        flags: vec![search_path()],
    }];
    Ok(package)
}

/// Reads a TOML document.
fn parse(text: &str) -> Result<Table, PackageError> {
    text.parse::<Table>().map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() as u64 + 1;
        PackageError::value(
            line,
            "",
            format!("not TOML: {}", one_line(error.message())),
            "correct it at that place",
        )
    })
}

fn unknown_keys(table: &Table, known: &[&str], above: &str, diagnostics: &mut Diagnostics) {
    for key in table.keys().filter(|key| !known.contains(&key.as_str())) {
        let meant = nearest(key, known.iter().copied());
        let meant = meant.map_or_else(String::new, |meant| format!(": did you mean '{meant}'?"));
        diagnostics.warn(format!("{FILE}: {above}{}: an unknown key is ignored{meant}", one_line(key)));
    }
}

fn wrong(file: &Path, key: &str, problem: impl Into<String>, remedy: &str) -> PackageError {
    PackageError::value(0, key, problem, remedy).in_file(file)
}

fn time_limit(table: &Table, file: &Path) -> Result<Duration, PackageError> {
    #[allow(clippy::cast_precision_loss, reason = "limits are small")]
    let seconds = match table.get("timelimit") {
        Some(Value::Float(seconds)) => Some(*seconds),
        Some(Value::Integer(seconds)) => Some(*seconds as f64),
        _ => None,
    };
    match seconds.filter(|seconds| *seconds > 0.0 && *seconds <= LONGEST) {
        Some(seconds) => Ok(Duration::from_secs_f64(seconds)),
        None => Err(wrong(file, "timelimit", "there is no time limit", "give seconds: timelimit = 2.0")),
    }
}

/// What the compiler is told so that it finds [`COMMON`], and what lies beside that as `../NAME`.
fn search_path() -> String {
    format!("-I{COMMON}")
}

/// Headers that every program of the problem may include.
struct Given {
    files: Vec<ProgramFile>,
    lease: Lease,
}

/// `params.h`, the problem's own headers and the collection's; what is not in the package is copied.
fn headers(
    tree: &Tree,
    entries: &[Entry],
    table: &Table,
    file: &Path,
    derived: &DerivedFiles,
) -> Result<Given, PackageError> {
    const PARAMS: &str = "params.h";
    let mut common = Vec::new();
    if let Some(folder) = common_folder(tree.root()) {
        let outside = Tree::open(&folder)?;
        for entry in outside.entries(outside.root(), 0)?.iter().filter(|entry| is_header(entry)) {
            let text = read_bytes(entry)?;
            common.push((entry.reportable()?.to_owned(), text));
        }
    }
    let params = params(table, file)?;
    let mut key = KeyBuilder::default().field("kind", "library checker headers 1").field(PARAMS, &params);
    for (name, text) in &common {
        key = key.field(name, text);
    }
    let lease = derived.make(key, |directory| {
        let draft = DirectoryWriter::open(directory)?;
        draft.write(PARAMS, params.as_bytes())?;
        common.iter().try_for_each(|(name, text)| draft.write(name, text))
    })?;
    let kept =
        |name: &str, as_name: String| ProgramFile { name: as_name, path: lease.directory().join(name) };
    let mut files = vec![kept(PARAMS, PARAMS.to_owned())];
    files.extend(common.iter().map(|(name, _)| kept(name, format!("{COMMON}/{name}"))));
    for entry in entries.iter().filter(|entry| is_header(entry) && entry.name != PARAMS) {
        files.push(ProgramFile { name: entry.reportable()?.to_owned(), path: entry.file()?.to_owned() });
    }
    if common.is_empty() {
        // So that the compiler has a folder to go up from.
        files.push(kept(PARAMS, format!("{COMMON}/{PARAMS}")));
    }
    Ok(Given { files, lease })
}

fn read_bytes(entry: &Entry) -> Result<Vec<u8>, PackageError> {
    crate::package::source::tree::read_at_most(entry.file()?, 4 << 20)
}

fn is_header(entry: &Entry) -> bool {
    entry.kind == Kind::File && !entry.is_hidden() && HEADERS.iter().any(|ending| entry.ends_with(ending))
}

/// The collection's `common/`, which has testlib.h.
fn common_folder(root: &Path) -> Option<PathBuf> {
    let folders = root.ancestors().take(LEVELS).map(|folder| folder.join(COMMON));
    folders.into_iter().find(|folder| folder.join("testlib.h").is_file())
}

/// `params.h`, as `generate.py` writes it.
fn params(table: &Table, file: &Path) -> Result<String, PackageError> {
    let mut text = String::new();
    let Some(params) = table.get("params") else { return Ok(text) };
    let remedy = "give names with numbers or texts";
    let Some(params) = params.as_table() else { return Err(wrong(file, "params", "it is no table", remedy)) };
    for (name, value) in params {
        let key = format!("params.{}", one_line(name));
        if !name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_') {
            return Err(wrong(file, &key, "it is no name of a macro", "use letters, digits and _"));
        }
        let value = match value {
            Value::Integer(number) => format!("(long long){number}"),
            Value::Float(number) => format!("{number:?}"),
            Value::String(text) => format!("{text:?}"),
            _ => return Err(wrong(file, &key, "it is neither a number nor a text", remedy)),
        };
        text.push_str(&format!("#define {name} {value}\n"));
    }
    Ok(text)
}

struct Reader<'a> {
    tree: &'a Tree,
    file: &'a Path,
    headers: &'a [ProgramFile],
}

impl Reader<'_> {
    fn find(&self, key: &str, name: &str) -> Result<Entry, PackageError> {
        let remedy = "name a file of the problem's";
        match self.tree.at(name).map_err(|problem| wrong(self.file, key, problem, remedy))? {
            Some(entry) if entry.kind == Kind::File => Ok(entry),
            _ => Err(wrong(self.file, key, format!("there is no file '{}'", one_line(name)), remedy)),
        }
    }

    /// A program of one source, with the headers beside it and the common ones.
    fn program(&self, key: &str, name: &str) -> Result<JuryProgram, PackageError> {
        let entry = self.find(key, name)?;
        let own = entry.reportable()?.to_owned();
        let mut files = vec![ProgramFile { name: own, path: entry.path.clone() }];
        for header in self.headers_beside(&entry)? {
            files.push(ProgramFile { name: header.reportable()?.to_owned(), path: header.path.clone() });
        }
        let known: Vec<_> = files.iter().map(|file| file.name.clone()).collect();
        files.extend(self.headers.iter().filter(|header| !known.contains(&header.name)).cloned());
        let build = ProgramBuild::Language { language: LanguageHint::Files, flags: vec![search_path()] };
        Ok(JuryProgram { name: name.to_owned(), files, build })
    }

    /// Headers in a source's own folder, as `#include "NAME"` finds them; those of the problem's folder go to all programs.
    fn headers_beside(&self, source: &Entry) -> Result<Vec<Entry>, PackageError> {
        let Some(folder) = source.path.parent().filter(|folder| *folder != self.tree.root()) else {
            return Ok(Vec::new());
        };
        Ok(self.tree.entries(folder, 1)?.into_iter().filter(is_header).collect())
    }

    /// Files of a solution: its source and the headers beside it.
    fn solution_files(&self, key: &str, name: &str) -> Result<Vec<PathBuf>, PackageError> {
        let source = self.find(key, name)?;
        let headers = self.headers_beside(&source)?;
        Ok(std::iter::once(source).chain(headers).map(|entry| entry.path).collect())
    }

    /// `[[tests]]`.
    fn tests(
        &self,
        table: &Table,
        package: &mut Package,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), PackageError> {
        let Some(tests) = table.get("tests").and_then(Value::as_array) else {
            return Err(wrong(self.file, "tests", "there are none", "add [[tests]] with name and number"));
        };
        let mut data = GeneratedData {
            generator_limits: GENERATOR_LIMITS,
            solution_limits: package.limits.raised_for_solution(GENERATOR_LIMITS),
            ..GeneratedData::default()
        };
        for (place, test) in tests.iter().enumerate() {
            let key = format!("tests[{place}]");
            let read = self.test(&key, test, &mut data, package);
            diagnostics.keep(read);
            if let Some(own) = test.as_table() {
                unknown_keys(own, &["name", "number"], &format!("{key}."), diagnostics);
            }
        }
        if package.tests.is_empty() && !diagnostics.is_broken() {
            return Err(wrong(self.file, "tests", "there are none", "add [[tests]] with name and number"));
        }
        if data.tests.iter().any(|test| test.answer.is_some()) {
            data.solutions.extend(diagnostics.keep(self.program("solution", "sol/correct.cpp")));
        }
        if !data.tests.is_empty() {
            package.verification.generators.clone_from(&data.generators);
            package.generated = Some(data);
        }
        Ok(())
    }

    fn test(
        &self,
        key: &str,
        test: &Value,
        data: &mut GeneratedData,
        package: &mut Package,
    ) -> Result<(), PackageError> {
        let remedy = "give name = \"NAME.in\" or \"NAME.cpp\", and a number of them";
        let name = test.get("name").and_then(Value::as_str);
        let name =
            name.ok_or_else(|| wrong(self.file, &format!("{key}.name"), "there is no name", remedy))?;
        let number =
            test.get("number").and_then(Value::as_integer).filter(|number| (0..=MOST_TESTS).contains(number));
        let number = number.ok_or_else(|| {
            wrong(self.file, &format!("{key}.number"), "there is no number of tests", remedy)
        })?;
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        let key = format!("{key}.name");
        if stem.is_empty() || name.contains('/') {
            return Err(wrong(self.file, &key, format!("'{}' is no file name", one_line(name)), remedy));
        }
        if package.tests.len() as u64 + number.unsigned_abs() > MOST_TESTS.unsigned_abs() {
            let problem = format!("there are more than {MOST_TESTS} tests");
            return Err(wrong(self.file, &key.replace(".name", ".number"), problem, "make fewer"));
        }
        let mut generator = None;
        for number in 0..number {
            let case = format!("{stem}_{number:02}");
            let existing = |name: String| match self.tree.at(&name) {
                Ok(Some(entry)) if entry.kind == Kind::File => Some(entry.path),
                _ => None,
            };
            let input = existing(format!("in/{case}.in"));
            let answer = existing(format!("out/{case}.out"));
            let (input, made_input) = match (input, ending) {
                (Some(input), _) => (input, None),
                (None, "in") => (self.find(&key, &format!("{GENERATORS}/{case}.in"))?.path, None),
                (None, "cpp") => {
                    let place = match generator {
                        Some(place) => place,
                        None => {
                            data.generators.push(self.program(&key, &format!("{GENERATORS}/{name}"))?);
                            data.generators.len() - 1
                        }
                    };
                    generator = Some(place);
                    let arguments = vec![number.to_string()];
                    (
                        PathBuf::new(),
                        Some(GeneratedInput { generator: place, arguments, ..GeneratedInput::default() }),
                    )
                }
                _ => return Err(wrong(self.file, &key, format!("'{}' is no test", one_line(name)), remedy)),
            };
            // An answer that was made for another input is useless.
            let answer = if made_input.is_some() { None } else { answer };
            let made_answer = answer.is_none().then_some(GeneratedAnswer::Solution(0));
            if made_input.is_some() || made_answer.is_some() {
                data.tests.push(GeneratedTest {
                    test: package.tests.len(),
                    input: made_input,
                    answer: made_answer,
                    ..GeneratedTest::default()
                });
            }
            package.tests.push(Test {
                sample: stem == "example",
                check: Check::Program { checker: 0, arguments: Vec::new() },
                ..Test::new(case, input, answer.unwrap_or_default())
            });
        }
        Ok(())
    }

    /// `sol/correct.cpp`, and `[[solutions]]` with what each must get.
    fn solutions(&self, table: &Table, diagnostics: &mut Diagnostics) -> Vec<JurySubmission> {
        let mut submissions = Vec::new();
        let accepted = Expectation { verdicts: vec![Verdict::AC], ..Expectation::default() };
        if let Some(files) = diagnostics.keep(self.solution_files("solution", "sol/correct.cpp")) {
            submissions.push(submission("sol/correct.cpp", files, accepted));
        }
        let none = Vec::new();
        let listed = table.get("solutions").and_then(Value::as_array).unwrap_or(&none);
        for (place, solution) in listed.iter().enumerate() {
            let key = format!("solutions[{place}]");
            submissions.extend(diagnostics.keep_for_verification(self.solution(&key, solution)));
            if let Some(own) = solution.as_table() {
                unknown_keys(own, SOLUTION_KEYS, &format!("{key}."), diagnostics);
            }
        }
        submissions
    }

    fn solution(&self, key: &str, solution: &Value) -> Result<JurySubmission, PackageError> {
        let name = solution.get("name").and_then(Value::as_str);
        let name_key = format!("{key}.name");
        let name =
            name.ok_or_else(|| wrong(self.file, &name_key, "there is no name", "name a file in sol/"))?;
        let path = format!("sol/{name}");
        let mut files = self.solution_files(&name_key, &path)?;
        let flag = |key: &str| solution.get(key).and_then(Value::as_bool).unwrap_or(false);
        if flag("function") {
            files.push(self.find(&format!("{key}.function"), "grader/grader.cpp")?.path);
            if let Ok(Some(folder)) = self.tree.at("grader") {
                let headers = self.tree.entries(&folder.path, 1)?;
                for header in headers.iter().filter(|entry| is_header(entry)) {
                    if !files.iter().any(|file| file.file_name() == header.path.file_name()) {
                        files.push(header.path.clone());
                    }
                }
            }
        }
        let status = |name: &str| -> Option<&'static [Verdict]> {
            match name {
                "AC" => Some(&[Verdict::AC]),
                "WA" => Some(&[Verdict::WA]),
                "TLE" => Some(&[Verdict::TLE, Verdict::WTL]),
                "RE" => Some(&[Verdict::RTE, Verdict::MLE, Verdict::OLE, Verdict::SV]),
                _ => None,
            }
        };
        let mut permitted = vec![Verdict::AC];
        for (flag_key, name) in [("allow_wa", "WA"), ("allow_re", "RE"), ("allow_tle", "TLE")] {
            if flag(flag_key) {
                permitted.extend_from_slice(status(name).unwrap_or_default());
            }
        }
        let mut expectation = Expectation::default();
        if let Some(expected) = solution.get("expect").and_then(Value::as_str).filter(|text| !text.is_empty())
        {
            let verdicts = status(expected).ok_or_else(|| {
                let problem = format!("'{}' is no status", one_line(expected));
                wrong(self.file, &format!("{key}.expect"), problem, "use AC, WA, TLE or RE")
            })?;
            permitted.extend_from_slice(verdicts);
            expectation.required = verdicts.to_vec();
            expectation.permitted = permitted;
        } else if flag("wrong") {
            // Older collections: anything but all accepted.
            let rejected =
                Verdict::ALL.into_iter().filter(|verdict| verdict.is_rejection() && *verdict != Verdict::CE);
            expectation.verdicts = rejected.collect();
        } else {
            expectation.verdicts.clone_from(&permitted);
        }
        for list in [&mut expectation.permitted, &mut expectation.verdicts] {
            list.sort_by_key(|verdict| *verdict as u8);
            list.dedup();
        }
        Ok(submission(&path, files, expectation))
    }
}

fn submission(name: &str, files: Vec<PathBuf>, expectation: Expectation) -> JurySubmission {
    JurySubmission {
        name: name.to_owned(),
        files,
        language: None,
        expectation,
        names_entry: false,
        limits: TestLimits::default(),
        sets_time_limit: false,
    }
}
