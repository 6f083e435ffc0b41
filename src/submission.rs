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
    /// Language id of the table.
    pub language: String,
    /// Source files, the entry point first.
    pub files: Vec<SourceFile>,
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
    /// Queue that gets the verdict besides the default one.
    #[serde(default)]
    pub reply_to: Option<String>,
    /// Queue class.
    #[serde(default)]
    pub priority: Priority,
    /// Echoed in every event and in the report.
    #[serde(default)]
    pub meta: serde_json::Map<String, serde_json::Value>,
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

fn first_judging() -> String {
    "1".to_owned()
}

/// One source file: its name inside the compile box and its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceFile {
    /// File name: one path component, no control characters.
    pub name: String,
    /// Its content.
    #[serde(flatten)]
    pub content: Content,
}

/// The bytes of a file, in one of the forms a message can carry them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// UTF-8 text.
    Text(String),
    /// Any bytes, base64.
    Base64(String),
}

/// The problem a submission is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawProblem", into = "RawProblem")]
pub struct ProblemRef {
    /// Where its tests are.
    pub source: ProblemSource,
    /// Digest the package must have.
    pub sha256: Option<String>,
}

/// Where a problem's tests are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProblemSource {
    /// A package's name in the worker's package roots, or its directory for the command line.
    Reference(PathBuf),
    /// In the message itself.
    Inline(Vec<InlineTest>),
}

/// A test that came in a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InlineTest {
    /// What the program reads.
    pub input: String,
    /// The jury's answer.
    pub answer: String,
}

impl ProblemRef {
    /// The package at a path or of a name.
    pub fn reference(reference: impl Into<PathBuf>) -> Self {
        Self { source: ProblemSource::Reference(reference.into()), sha256: None }
    }
}

/// A problem as messages spell it: one key of several.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("oneOf" = [{"required": ["ref"]}, {"required": ["inline"]}]))]
struct RawProblem {
    /// A package's name in the worker's package roots.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    reference: Option<PathBuf>,
    /// Tests that come with the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inline: Option<Vec<InlineTest>>,
    /// Digest the package must have, as reports give it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

impl TryFrom<RawProblem> for ProblemRef {
    type Error = &'static str;

    fn try_from(raw: RawProblem) -> Result<Self, Self::Error> {
        let source = match (raw.reference, raw.inline) {
            (Some(reference), None) => ProblemSource::Reference(reference),
            (None, Some(tests)) => ProblemSource::Inline(tests),
            (Some(_), Some(_)) => return Err("problem: give either 'ref' or 'inline', not both"),
            (None, None) => {
                return Err("problem: give 'ref', a package's name, or 'inline', a list of tests");
            }
        };
        Ok(Self { source, sha256: raw.sha256 })
    }
}

impl From<ProblemRef> for RawProblem {
    fn from(problem: ProblemRef) -> Self {
        let (reference, inline) = match problem.source {
            ProblemSource::Reference(reference) => (Some(reference), None),
            ProblemSource::Inline(tests) => (None, Some(tests)),
        };
        Self { reference, inline, sha256: problem.sha256 }
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
