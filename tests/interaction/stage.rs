//! A judge of the tests' own and problems built as the readers of formats build them.

use std::path::PathBuf;
use std::time::Duration;

use gavel::cancel::CancelToken;
use gavel::checker::{CustomScore, Protocol};
use gavel::judge::{Judge, JudgeSettings};
use gavel::language::Table;
use gavel::package::{
    Check, Format, Interaction, Interactor, JuryProgram, LanguageHint, Package, PackageLimits, ProgramBuild,
    ProgramFile, ProgramLimits, Test, TimeLimit,
};
use gavel::report::{Report, TestReport};
use gavel::sandbox;
use gavel::submission::{Content, Policy, ProblemRef, SCHEMA, SourceFile, Stop, Submission};
use gavel::units::Bytes;

/// One problem, one judge, and a directory for both.
pub(crate) struct Stage {
    _directory: tempfile::TempDir,
    pub(crate) package: Package,
    pub(crate) judge: Judge,
}

impl Stage {
    /// A problem without tests and without anything of the jury's.
    pub(crate) fn with(change: impl FnOnce(&mut JudgeSettings)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let package_directory = directory.path().join("problem");
        std::fs::create_dir(&package_directory).unwrap();
        let limits = PackageLimits {
            time: TimeLimit::Fixed(Duration::from_secs(1)),
            wall: Some(Duration::from_secs(3)),
            memory: Bytes::mib(128),
            output: Bytes::mib(8),
            code: Bytes::kib(128),
            processes: None,
            compilation_time: None,
            compilation_memory: None,
        };
        let package = Package::new("problem", package_directory, Format::KattisLegacy, limits);
        let mut settings = JudgeSettings::new(Table::built_in().unwrap(), directory.path().join("cache"));
        settings.sandbox = sandbox::Settings {
            executable: Some(env!("CARGO_BIN_EXE_gavel").into()),
            ..sandbox::Settings::default()
        };
        settings.packages.push(package.directory.clone());
        change(&mut settings);
        let judge = Judge::start(settings).unwrap();
        Self { _directory: directory, package, judge }
    }

    /// A file of the package's.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.package.directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// A program of the jury's, in one file.
    pub(crate) fn program(&self, name: &str, source: &str) -> JuryProgram {
        let path = self.file(name, source);
        JuryProgram {
            name: name.to_owned(),
            files: vec![ProgramFile { name: name.rsplit('/').next().unwrap().to_owned(), path }],
            build: ProgramBuild::Language { language: LanguageHint::Files, flags: Vec::new() },
        }
    }

    pub(crate) fn interact_with(&mut self, name: &str, source: &str, protocol: Protocol) {
        self.package.interaction = Interaction::Interactive(Interactor {
            unbuffered: false,
            program: self.program(name, source),
            protocol,
            call: None,
            limits: quick(),
            scores: CustomScore::Refused,
        });
    }

    /// A test that the interactor alone decides.
    pub(crate) fn test(&mut self, name: &str, input: &str) {
        self.test_with(name, input, Check::Interaction { arguments: Vec::new() });
    }

    pub(crate) fn test_with(&mut self, name: &str, input: &str, check: Check) {
        let answer = self.file(&format!("{name}.ans"), "the answer\n");
        let input = self.file(&format!("{name}.in"), input);
        self.package.tests.push(Test { check, ..Test::new(name, input, answer) });
        self.package.group_by_folders();
    }

    pub(crate) fn judge(&self, language: &str, source: &str) -> Report {
        self.judge_files(language, &[(if language == "c17" { "main.c" } else { "main.sh" }, source)])
    }

    pub(crate) fn judge_files(&self, language: &str, files: &[(&str, &str)]) -> Report {
        let files = files.iter().map(|(name, source)| SourceFile {
            name: (*name).to_owned(),
            content: Content::Text((*source).to_owned()),
        });
        let submission = Submission {
            schema: SCHEMA,
            id: "s".to_owned(),
            judging: "1".to_owned(),
            language: language.to_owned(),
            files: files.collect(),
            problem: ProblemRef::reference("problem"),
            limits: gavel::submission::LimitOverrides::default(),
            policy: Policy { stop: Stop::Full },
            tests: Vec::new(),
            entry_point: None,
            feedback: None,
            reply_to: None,
            priority: None,
            meta: serde_json::Map::new(),
            warnings: Vec::new(),
        };
        self.judge.judge(&submission, &self.package, &|_| {}, &CancelToken::new().unwrap())
    }
}

/// What a program of the jury's may use, so that nobody waits long for one that goes beyond it.
pub(crate) fn quick() -> ProgramLimits {
    ProgramLimits { time: Duration::from_secs(1), memory: Bytes::mib(128), output: Bytes::mib(8) }
}

/// The report of the test with that name.
pub(crate) fn of<'a>(report: &'a Report, name: &str) -> &'a TestReport {
    report.tests.iter().find(|test| test.name == name).unwrap_or_else(|| panic!("no {name}: {report:?}"))
}
