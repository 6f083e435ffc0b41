//! Messages this gavel sends to workers: submissions and cancels, in the form that `message` reads.

use serde::Serialize;
use serde_json::{Value, json};

use super::message::Key;
use crate::submission::{Feedback, LimitOverrides, Policy, Priority, SCHEMA, SourceFile};

/// A submission to be sent. Like [`crate::submission::Submission`], but what it is judged on is the sender's to spell: a worker may
/// know more kinds of problems than this build.
#[derive(Debug, Clone, Serialize)]
pub struct Outgoing {
    /// The sender's name for it.
    pub id: String,
    /// Which judging of it.
    pub judging: String,
    /// Language id of the workers' table.
    pub language: String,
    /// Source files, the entry point first.
    pub files: Vec<SourceFile>,
    /// The file that the program starts with, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_point: Option<String>,
    /// `problem` of the message.
    pub problem: Value,
    /// Limits that differ from the package's.
    pub limits: LimitOverrides,
    /// When to stop.
    pub policy: Policy,
    /// Globs over test names; empty means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<String>,
    /// What events and the report tell of secret tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
    /// Queue class.
    pub priority: Priority,
    /// Comes back in events and report.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub meta: serde_json::Map<String, Value>,
}

#[derive(Serialize)]
struct Message<'a> {
    schema: u32,
    #[serde(flatten)]
    submission: &'a Outgoing,
}

impl Outgoing {
    /// What consumers know it by.
    pub fn key(&self) -> Key {
        Key { id: self.id.clone(), judging: self.judging.clone() }
    }

    /// The message.
    ///
    /// # Errors
    /// When it cannot be written, which does not happen in memory.
    pub fn bytes(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&Message { schema: SCHEMA, submission: self })
    }
}

/// `problem` for a package below the workers' package roots.
pub fn named_problem(name: &str) -> Value {
    json!({ "ref": name })
}

/// `problem` for an archive somewhere else.
pub fn archived_problem(url: &str, sha256: &str) -> Value {
    json!({ "url": url, "sha256": sha256 })
}

/// `problem` for tests inside the message.
pub fn inline_problem(tests: &[(String, String)]) -> Value {
    let tests: Vec<_> =
        tests.iter().map(|(input, answer)| json!({ "input": input, "answer": answer })).collect();
    json!({ "inline": tests })
}

/// The control message that takes a judging back.
pub fn cancel_message(key: &Key) -> Vec<u8> {
    json!({ "schema": SCHEMA, "type": "cancel", "id": key.id, "judging": key.judging })
        .to_string()
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::message::{Message, parse};
    use crate::submission::{Content, ProblemSource, Stop};

    fn outgoing(problem: Value) -> Outgoing {
        Outgoing {
            id: "anna-1".to_owned(),
            judging: "2".to_owned(),
            language: "c17".to_owned(),
            files: vec![SourceFile { name: "a.c".to_owned(), content: Content::Text("x".to_owned()) }],
            entry_point: None,
            problem,
            limits: LimitOverrides { cpu: Some("1.5s".parse().unwrap()), ..LimitOverrides::default() },
            policy: Policy { stop: Stop::Full },
            tests: vec!["sample/*".to_owned()],
            feedback: Some(Feedback::Case),
            priority: Priority::Contest,
            meta: serde_json::Map::new(),
        }
    }

    #[test]
    fn what_is_sent_is_what_workers_read() {
        for problem in [named_problem("sum"), inline_problem(&[("1 2\n".to_owned(), "3\n".to_owned())])] {
            let sent = outgoing(problem);
            let Ok(Message::Submission(read)) = parse(&sent.bytes().unwrap()) else { panic!("refused") };
            assert_eq!((&read.id, &read.judging, &read.language), (&sent.id, &sent.judging, &sent.language));
            assert_eq!(
                (read.limits, read.policy, read.priority),
                (sent.limits, sent.policy, Some(sent.priority))
            );
            assert_eq!((&read.files, &read.tests), (&sent.files, &sent.tests));
            assert_eq!(read.feedback, sent.feedback);
        }
        let Ok(Message::Submission(read)) = parse(&outgoing(named_problem("sum")).bytes().unwrap()) else {
            panic!("refused")
        };
        assert_eq!(read.problem.source, ProblemSource::Reference("sum".into()));
    }

    #[test]
    fn cancels_are_read_as_such() {
        let key = outgoing(Value::Null).key();
        assert_eq!(parse(&cancel_message(&key)), Ok(Message::Cancel(key)));
    }
}
