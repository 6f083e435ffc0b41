//! What is judged: the submission as it arrives over a queue or is made from a command line.
//!
//! Plain data, the message format of version 1. Values are parsed (sizes and times have units) but not
//! resolved: whether the language exists or the limits are allowed is for `judge/` to say.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::units::{Bytes, Time};

/// The version of the message format this build reads and writes.
pub const SCHEMA: u32 = 1;

/// One submission to be judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// Message format version, [`SCHEMA`].
    pub schema: u32,
    /// The backend's name for the submission.
    pub id: String,
    /// Which judging of it; consumers dedupe on `(id, judging)`.
    #[serde(default = "first_judging")]
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

fn first_judging() -> String {
    "1".to_owned()
}

/// One source file: its name inside the compile box and its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// File name: one path component, no control characters.
    pub name: String,
    /// Its content.
    #[serde(flatten)]
    pub content: Content,
}

/// The bytes of a file, in one of the forms a message can carry them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// UTF-8 text.
    Text(String),
    /// Any bytes, base64.
    Base64(String),
}

/// Names the problem a submission is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemRef {
    /// A package's name in the worker's package roots, or its directory for the command line.
    #[serde(rename = "ref")]
    pub reference: PathBuf,
    /// Digest the package must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// Limits a submission may lower, and raise where the configuration permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Policy {
    /// What ends the judging early.
    #[serde(default)]
    pub stop: Stop,
}

/// What ends a judging early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
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
