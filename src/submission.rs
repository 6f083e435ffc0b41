//! What is judged: the submission as it arrives over a queue or is made from a command line.
//!
//! Plain data, the message format of version 1. Values are parsed (sizes and times have units) but not
//! resolved: whether the language exists or the limits are allowed is for `judge/` to say.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{Bytes, Time};

/// The version of the message format this build reads and writes.
pub const SCHEMA: u32 = 1;

/// What senders of answers call their language.
pub const ANSWERS: &str = "answers";

/// One submission to be judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Submission {
    /// Message format version.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: u32,
    /// The backend's name for the submission: 1 to 200 bytes, no control characters.
    #[schemars(length(min = 1, max = 200), regex(pattern = NAME))]
    pub id: String,
    /// Which judging of it, like `id`; consumers dedupe on `(id, judging)`.
    #[serde(default = "first_judging")]
    #[schemars(length(min = 1, max = 200), regex(pattern = NAME))]
    pub judging: String,
    /// Language id of the table; where the problem asks for answers it means nothing, and `answers` is a word for it.
    pub language: String,
    /// Source files, the entry point first; or answers, one a test, or a zip of them.
    pub files: Vec<SourceFile>,
    /// Name of the file that the program starts with, with or without its ending; the first, where the files themselves do not
    /// say otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_point: Option<String>,
    /// What it is judged on.
    pub problem: ProblemRef,
    /// Limits that differ from the package's.
    #[serde(default)]
    pub limits: LimitOverrides,
    /// When to stop.
    #[serde(default)]
    pub policy: Policy,
    /// Globs over test names; empty means all.
    #[serde(default)]
    pub tests: Vec<String>,
    /// What events and the report tell of secret tests; the package's and the worker's own setting may allow less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
    /// Queue that gets the verdict besides the default one.
    #[serde(default)]
    pub reply_to: Option<String>,
    /// Queue class. Over a broker the queue decides, and another class here has no effect but a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Echoed in every event and in the report.
    #[serde(default)]
    pub meta: serde_json::Map<String, serde_json::Value>,
    /// Parts of its message that have no effect, one line each; no part of the message itself.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

/// Ends a judging that waits or runs; its verdict is CX, unless it was judged before this came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cancel {
    /// Message format version.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: u32,
    /// Always `cancel`.
    #[serde(rename = "type")]
    #[schemars(extend("const" = "cancel"))]
    pub kind: String,
    /// The submission's id.
    #[schemars(length(min = 1, max = 200), regex(pattern = NAME))]
    pub id: String,
    /// Which judging of it.
    #[serde(default = "first_judging")]
    #[schemars(length(min = 1, max = 200), regex(pattern = NAME))]
    pub judging: String,
}

/// What ids and judgings are made of: anything but control characters.
const NAME: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";

pub(crate) fn first_judging() -> String {
    "1".to_owned()
}

/// One source file: its name inside the compile box and its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawSourceFile", into = "RawSourceFile")]
pub struct SourceFile {
    /// File name: one path component, no control characters.
    pub name: String,
    /// Its content.
    pub content: Content,
}

/// The bytes of a file, in one of the forms a message can carry them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// UTF-8 text.
    Text(String),
    /// Any bytes, base64.
    Base64(String),
    /// Somewhere else.
    Remote(Remote),
}

/// Something that is not in the message: where it is, and what it must be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Remote {
    /// `https:`, `http:` or `s3:`, as far as the worker allows it.
    pub url: String,
    /// SHA-256 of its bytes: 64 hexadecimal digits, with or without `sha256:` before them.
    pub sha256: String,
}

/// A source file as messages spell it: one key of several.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("oneOf" = [
    {"required": ["text"]}, {"required": ["base64"]}, {"required": ["url", "sha256"]}
]))]
struct RawSourceFile {
    /// File name: one path component, no control characters.
    name: String,
    /// Its content: UTF-8 text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Its content: any bytes, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    /// Where it is: `https:`, `http:` or `s3:`, as far as the worker allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// SHA-256 of what is there: 64 hexadecimal digits, with or without `sha256:` before them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

impl TryFrom<RawSourceFile> for SourceFile {
    type Error = &'static str;

    fn try_from(raw: RawSourceFile) -> Result<Self, Self::Error> {
        let content = match (raw.text, raw.base64, raw.url) {
            (Some(text), None, None) => Content::Text(text),
            (None, Some(base64), None) => Content::Base64(base64),
            (None, None, Some(url)) => {
                let sha256 = raw.sha256.ok_or("files: 'url' needs 'sha256', the digest of the file")?;
                Content::Remote(Remote { url, sha256 })
            }
            (None, None, None) => return Err("files: give 'text', 'base64', or 'url' with 'sha256'"),
            _ => return Err("files: give only one of 'text', 'base64' and 'url'"),
        };
        Ok(Self { name: raw.name, content })
    }
}

impl From<SourceFile> for RawSourceFile {
    fn from(file: SourceFile) -> Self {
        let mut raw = Self { name: file.name, text: None, base64: None, url: None, sha256: None };
        match file.content {
            Content::Text(text) => raw.text = Some(text),
            Content::Base64(base64) => raw.base64 = Some(base64),
            Content::Remote(remote) => (raw.url, raw.sha256) = (Some(remote.url), Some(remote.sha256)),
        }
        raw
    }
}

/// The problem a submission is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawProblem", into = "RawProblem")]
pub struct ProblemRef {
    /// Where its tests are.
    pub source: ProblemSource,
    /// Digest the package must have, where it is not an archive's.
    pub sha256: Option<String>,
}

/// Where a problem's tests are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProblemSource {
    /// A package's name in the worker's package roots, or its directory for the command line.
    Reference(PathBuf),
    /// In the message itself.
    Inline(InlineProblem),
    /// A package in an archive somewhere else: zip, or tar, as it is or compressed with gzip or Zstandard.
    Archive(Remote),
}

/// A problem that came in a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InlineProblem {
    /// Its tests, in order.
    pub tests: Vec<InlineTest>,
    /// How outputs are compared: `tokens`, the default, with Kattis' validator flags after it where wanted
    /// (`tokens float_tolerance 1e-6`), or `exact`.
    pub checker: Option<String>,
}

/// A test that came in a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InlineTest {
    /// What the program reads.
    pub input: String,
    /// The jury's answer.
    pub answer: String,
}

impl Submission {
    /// What must be fetched before it can be judged, the package first.
    pub fn remotes(&self) -> impl Iterator<Item = (RemoteKind, &Remote)> {
        let package = match &self.problem.source {
            ProblemSource::Archive(remote) => Some((RemoteKind::Package, remote)),
            ProblemSource::Reference(_) | ProblemSource::Inline(_) => None,
        };
        let files = self.files.iter().filter_map(|file| match &file.content {
            Content::Remote(remote) => Some((RemoteKind::File, remote)),
            Content::Text(_) | Content::Base64(_) => None,
        });
        package.into_iter().chain(files)
    }
}

/// What something remote is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RemoteKind {
    /// A source file.
    File,
    /// An archive with a problem package.
    Package,
}

impl ProblemRef {
    /// The package at a path or of a name.
    pub fn reference(reference: impl Into<PathBuf>) -> Self {
        Self { source: ProblemSource::Reference(reference.into()), sha256: None }
    }
}

/// A problem as messages spell it: one key of several.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(extend(
    "oneOf" = [{"required": ["ref"]}, {"required": ["inline"]}, {"required": ["url", "sha256"]}],
    "dependentRequired" = {"checker": ["inline"]}
))]
struct RawProblem {
    /// A package's name in the worker's package roots.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    reference: Option<PathBuf>,
    /// Tests that come with the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inline: Option<Vec<InlineTest>>,
    /// How outputs of inline tests are compared: `tokens`, the default, with Kattis' validator flags after it where
    /// wanted, or `exact`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checker: Option<String>,
    /// A package's archive: where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// With `url` the archive's SHA-256, else the digest the package must have, as reports give it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

impl TryFrom<RawProblem> for ProblemRef {
    type Error = &'static str;

    fn try_from(raw: RawProblem) -> Result<Self, Self::Error> {
        if raw.checker.is_some() && raw.inline.is_none() {
            return Err("problem: 'checker' belongs to 'inline' tests; a package brings its own");
        }
        let mut sha256 = raw.sha256;
        let source = match (raw.reference, raw.inline, raw.url) {
            (Some(reference), None, None) => ProblemSource::Reference(reference),
            (None, Some(tests), None) => ProblemSource::Inline(InlineProblem { tests, checker: raw.checker }),
            (None, None, Some(url)) => {
                let sha256 =
                    sha256.take().ok_or("problem: 'url' needs 'sha256', the digest of the archive")?;
                ProblemSource::Archive(Remote { url, sha256 })
            }
            (None, None, None) => {
                return Err("problem: give 'ref', a package's name, or 'inline', a list of tests, or 'url' \
                            with 'sha256', an archive");
            }
            _ => return Err("problem: give only one of 'ref', 'inline' and 'url', not both"),
        };
        Ok(Self { source, sha256 })
    }
}

impl From<ProblemRef> for RawProblem {
    fn from(problem: ProblemRef) -> Self {
        let mut raw = Self { sha256: problem.sha256, ..Self::default() };
        match problem.source {
            ProblemSource::Reference(reference) => raw.reference = Some(reference),
            ProblemSource::Inline(inline) => {
                (raw.inline, raw.checker) = (Some(inline.tests), inline.checker);
            }
            ProblemSource::Archive(remote) => {
                (raw.url, raw.sha256) = (Some(remote.url), Some(remote.sha256));
            }
        }
        raw
    }
}

/// Limits a submission may lower, and raise where the configuration permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LimitOverrides {
    /// CPU time over the process tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Time>,
    /// Wall time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall: Option<Time>,
    /// Memory over the process tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
    /// Bytes on standard output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Bytes>,
    /// Processes and threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
}

/// When to stop running tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Policy {
    /// What ends the judging early.
    #[serde(default)]
    pub stop: Stop,
}

/// What ends a judging early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// At the first test, in order, that is not accepted.
    #[default]
    FirstFailure,
    /// A failure ends its own group (the test's folder); other groups go on.
    Group,
    /// Never: every test runs.
    Full,
}

impl std::str::FromStr for Stop {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "first-failure" => Ok(Self::FirstFailure),
            "group" => Ok(Self::Group),
            "full" => Ok(Self::Full),
            other => Err(format!("'{other}' is not a policy: use first-failure, group or full")),
        }
    }
}

/// What leaves gavel of tests that are not samples, the least first. Of samples everything does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Feedback {
    /// The verdict and the score of the whole submission.
    None,
    /// Of each test the verdict, its reason, the score, times and memory; of each group the verdict and the score.
    Case,
    /// Everything: also messages, which quote tests, what programs wrote to standard error, and what the checker tells the
    /// jury.
    #[default]
    Full,
}

impl std::str::FromStr for Feedback {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "case" => Ok(Self::Case),
            "full" => Ok(Self::Full),
            other => Err(format!("'{other}' is not a level of feedback: use none, case or full")),
        }
    }
}

/// Queue classes, most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// A running contest.
    Contest,
    /// Everything else.
    #[default]
    Normal,
    /// Judged before; may wait.
    Rejudge,
}

impl Priority {
    /// The id in messages.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Contest => "contest",
            Self::Normal => "normal",
            Self::Rejudge => "rejudge",
        }
    }
}

impl std::str::FromStr for Priority {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "contest" => Ok(Self::Contest),
            "normal" => Ok(Self::Normal),
            "rejudge" => Ok(Self::Rejudge),
            other => Err(format!("'{other}' is no class: use contest, normal or rejudge")),
        }
    }
}
