//! Defines a package: its tests, limits, programs and groups.
//!
//! Judging reads nothing else of a package, and never learns its format. Paths are resolved and checked by the format's
//! reader: they exist and lie inside the package. Each part has a file: `program` (the package's own programs), `checkers`
//! (comparators, checkers, interactors, passes), `groups` (verdicts and scores of groups), `limits`, `submission` (what
//! contestants submit, and the files added to it), `verification` (what only `gavel verify` reads), `generated` (test files
//! that programs make).

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::checkers::{Check, CheckerProgram, Interaction, MultiPass};
use super::generated::GeneratedData;
use super::groups::{Group, Scoring, of_folders};
use super::lease::Lease;
use super::limits::{PackageLimits, TestLimits};
use super::program::{JuryProgram, ProgramFile};
use super::submission::{Include, OutputFile, Streams, SubmissionKind, WorkLink};
use super::verification::{GeneratorRun, JurySubmission, ValidatorArguments, Verification};
use crate::checker::{Comparator, CustomScore, TokenOptions};
use crate::submission::Feedback;

/// A problem as judging sees it.
#[derive(Debug, Clone)]
pub struct Package {
    /// Short name: the directory's own.
    pub name: String,
    /// Title for people; the short name where the package has none.
    pub title: String,
    /// The package's directory, absolute.
    pub directory: PathBuf,
    /// The format it was read from.
    pub format: Format,
    /// All tests, in judging order.
    pub tests: Vec<Test>,
    /// Limits of the problem.
    pub limits: PackageLimits,
    /// The tree of groups, its root first; every test stands in at least one. See [`Package::group_by_folders`].
    pub groups: Vec<Group>,
    /// Set where submissions get scores; `None` is pass-fail.
    pub scoring: Option<Scoring>,
    /// Whether an output that is right in part lets the groups be run that depend on it (DMOJ, where a checker that gives a
    /// part has passed).
    pub parts_pass: bool,
    /// The package's own grader, for groups with [`crate::package::Aggregation::Program`] (Kattis legacy: `graders/`).
    pub grader: Option<JuryProgram>,
    /// Checkers that [`Check::Program`] refers to.
    pub checkers: Vec<CheckerProgram>,
    /// The program that the contestant's program interacts with.
    pub interaction: Interaction,
    /// Set where a program runs several times on one test.
    pub passes: Option<MultiPass>,
    /// The kind of submissions.
    pub submission_kind: SubmissionKind,
    /// Files compiled with submissions.
    pub includes: Vec<Include>,
    /// Where programs find their input and leave their output.
    pub streams: Streams,
    /// Whether programs write their standard output without a buffer (DMOJ: `unbuffered`).
    pub unbuffered: bool,
    /// Whether programs for the Java virtual machine may not use `java.math` (DMOJ: `hints: [nobigmath]`).
    pub no_big_math: bool,
    /// The data that only verification reads.
    pub verification: Verification,
    /// Submissions of the jury with what each must get.
    pub submissions: Vec<JurySubmission>,
    /// Languages the problem allows, as ids or as codes of families (`cpp`); `None` is all.
    pub languages: Option<Vec<String>>,
    /// The most that workers tell of its secret tests, where the package says.
    pub feedback: Option<Feedback>,
    /// Things in the package that do not stop judging but its author should know.
    pub warnings: Vec<String>,
    /// Inputs and answers that are not there until the package's programs made them.
    pub generated: Option<GeneratedData>,
    /// Directories beside the package's own that its files are in: they stay while this lives.
    pub leases: Vec<Lease>,
    /// Filled by [`Package::digest`] when first asked for.
    pub digest: Digest,
}

/// Where a package came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A bare folder of `*.in` with `*.ans` or `*.out`.
    Folder,
    /// ICPC/Kattis, legacy.
    KattisLegacy,
    /// ICPC 2025-09, or one of its drafts.
    Icpc,
    /// Polygon.
    Polygon,
    /// DMOJ: `init.yml`.
    Dmoj,
    /// CMS, the Italian format: `task.yaml`.
    Cms,
    /// HUSTOJ's exchange format: XML with the tests in it.
    Hustoj,
    /// QDUOJ: `problem.json` and `testcase/`.
    Qduoj,
    /// Library Checker: `info.toml`.
    LibraryChecker,
    /// Hydro: `problem.yaml` with `testdata/`.
    Hydro,
    /// sinol (SIO2, `sinol-make`): `config.yml` with `prog/`.
    Sinol,
    /// UOJ: `problem.conf`.
    Uoj,
}

/// One test.
#[derive(Debug, Clone)]
pub struct Test {
    /// Path below the data directory without the ending: `secret/01`.
    pub name: String,
    /// Names of all groups it stands in, in any of them the outer before the inner and without the root:
    /// `["secret", "secret/group1"]`.
    pub groups: Vec<String>,
    /// The input file.
    pub input: PathBuf,
    /// The jury's answer; never visible inside a box.
    pub answer: PathBuf,
    /// Whether contestants see it.
    pub sample: bool,
    /// How its output is checked.
    pub check: Check,
    /// Whether its checker or interactor may, or must, give scores; `None` as on every other test.
    pub custom_score: Option<CustomScore>,
    /// Arguments of the contestant's program (2025-09: `args`).
    pub arguments: Vec<String>,
    /// Files put into the work directory of the contestant's program (2025-09: `NAME.files/`).
    pub files: Vec<ProgramFile>,
    /// Symbolic links in the work directory of the contestant's program (DMOJ: `symlinks`).
    pub links: Vec<WorkLink>,
    /// Arguments of the input validators.
    pub validator_arguments: ValidatorArguments,
    /// How its input was made, where the package says.
    pub made_by: Option<GeneratorRun>,
    /// Limits of its own, in place of the package's.
    pub limits: TestLimits,
    /// Whether its output may be handed in as a file, where submissions are programs.
    pub output_file: OutputFile,
}

/// A digest that is computed when first asked for, once for all clones of a package.
#[derive(Debug, Clone, Default)]
pub struct Digest(pub(super) Arc<OnceLock<String>>);

impl Package {
    /// A pass-fail problem without tests; readers fill in what their format says.
    pub fn new(name: impl Into<String>, directory: PathBuf, format: Format, limits: PackageLimits) -> Self {
        let name = name.into();
        Self {
            title: name.clone(),
            name,
            directory,
            format,
            tests: Vec::new(),
            limits,
            groups: vec![Group::new("")],
            scoring: None,
            parts_pass: false,
            grader: None,
            checkers: Vec::new(),
            interaction: Interaction::None,
            passes: None,
            submission_kind: SubmissionKind::Program,
            includes: Vec::new(),
            streams: Streams::default(),
            unbuffered: false,
            no_big_math: false,
            verification: Verification::default(),
            submissions: Vec::new(),
            languages: None,
            feedback: None,
            warnings: Vec::new(),
            generated: None,
            leases: Vec::new(),
            digest: Digest::default(),
        }
    }

    /// Whether submissions may bring outputs beside a program, or in place of it.
    pub fn takes_output_files(&self) -> bool {
        self.submission_kind == SubmissionKind::Program
            && self.tests.iter().any(|test| test.output_file != OutputFile::Refused)
    }

    /// Whether a file of a submission is the output of a test (CMS: `output_000.txt`), and no source.
    pub fn is_output_file(&self, name: &str) -> bool {
        self.takes_output_files() && name.starts_with("output_") && name.ends_with(".txt")
    }

    /// Creates the groups that the tests name, as in pass-fail problems: for formats whose groups are folders. What the
    /// format says of a group is then set on what this made.
    pub fn group_by_folders(&mut self) {
        self.groups = of_folders(self.tests.iter().map(|test| test.groups.as_slice()));
    }
}

impl Test {
    /// A secret test in no group, compared token by token as the Kattis default validator does.
    pub fn new(name: impl Into<String>, input: PathBuf, answer: PathBuf) -> Self {
        Self {
            name: name.into(),
            groups: Vec::new(),
            input,
            answer,
            sample: false,
            check: Check::BuiltIn(Comparator::Tokens(TokenOptions::default())),
            custom_score: None,
            arguments: Vec::new(),
            files: Vec::new(),
            links: Vec::new(),
            validator_arguments: ValidatorArguments::default(),
            made_by: None,
            limits: TestLimits::default(),
            output_file: OutputFile::default(),
        }
    }
}
