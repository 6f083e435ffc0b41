//! The messages of version 1: what comes in is checked here and nowhere else.
//!
//! Unknown keys have no effect, so that a backend may be newer than its workers, and the report names them. Another
//! schema version is refused, because its fields may mean something else. A refused message whose id and judging can
//! be read is answered with JE.

use serde::Deserialize;
use serde_json::Value;

use super::backlog::Refusal;
use super::contents::Contents;
use super::forms;
use super::unknown_keys::UnknownKeys;
use crate::report::{Event, EventKind};
use crate::submission::{Cancel, LimitOverrides, Policy, ProblemRef, SCHEMA, Submission, first_judging};
use crate::verdict::Reason;

/// The largest message that is read; larger sources and tests belong into packages.
pub const LARGEST: usize = 128 << 20;

/// The longest name of a queue in AMQP, in bytes.
pub(super) const LONGEST_QUEUE_NAME: usize = 255;

/// What consumers dedupe on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The submission's id.
    pub id: String,
    /// Which judging of it.
    pub judging: String,
}

impl Key {
    /// Spells id and judging so that no two keys are spelled alike: `id/judging`, with `/` and `%` of the id as `%2F` and
    /// `%25`.
    pub fn message_id(&self) -> String {
        format!("{}/{}", self.id.replace('%', "%25").replace('/', "%2F"), self.judging)
    }

    /// The key of a submission.
    pub fn of(submission: &Submission) -> Self {
        Self { id: submission.id.clone(), judging: submission.judging.clone() }
    }

    /// Why another submission of this key is refused while one with these contents is judged.
    pub(super) fn conflict(&self, contents: Contents) -> String {
        format!(
            "another submission with this id and judging is being judged, and has other contents ({contents}): give \
             each its own id or judging"
        )
    }
}

/// A message as it came in.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Judge this.
    Submission(Box<Submission>),
    /// Stop judging this.
    Cancel(Key),
}

/// A message that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Malformed {
    /// The id it gives, where it does; else empty.
    pub id: String,
    /// The judging it gives.
    pub judging: String,
    /// What is wrong, one line.
    pub problem: String,
    /// Whether a verdict would answer it: id and judging can be read, and it does not say that it is a cancel message.
    pub is_answerable: bool,
    /// What comes back with the answer.
    echo: Box<Echo>,
}

/// What comes back with the answer to a message that is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct Echo {
    /// Echoed where it is an object.
    #[serde(default)]
    meta: Value,
    /// Honoured where it is a string.
    #[serde(default)]
    reply_to: Value,
}

/// What is read first: enough to refuse a message in its sender's terms.
#[derive(Debug, Default, Deserialize)]
struct Header {
    #[serde(default)]
    schema: Value,
    #[serde(default, rename = "type")]
    kind: Value,
    #[serde(default)]
    id: Value,
    #[serde(default)]
    judging: Value,
}

/// Reads a message.
///
/// # Errors
/// [`Malformed`], with the id where there is one.
pub fn parse(bytes: &[u8]) -> Result<Message, Malformed> {
    // Structures are read from lists as well.
    if bytes.trim_ascii_start().starts_with(b"[") {
        let problem = format!("not a JSON object: {}", forms::OBJECT);
        return Err(Malformed::new(&Header::default(), problem));
    }
    let header: Header = serde_json::from_slice(bytes).map_err(|error| {
        Malformed::new(&Header::default(), format!("not a JSON object: {}", forms::in_plain_words(&error)))
    })?;
    let refuse = |problem: String| Err(Malformed::new(&header, problem).with_echo(bytes));
    match &header.schema {
        Value::Number(version) if version.as_u64() == Some(u64::from(SCHEMA)) => {}
        Value::Null => return refuse(format!("'schema' is missing; this gavel reads \"schema\":{SCHEMA}")),
        other => {
            return refuse(format!("schema {} is not known; this gavel reads schema {SCHEMA}", cut(other)));
        }
    }
    if let Err(problem) = check_name("id", &header.id).and_then(|()| match header.judging {
        Value::Null => Ok(()),
        ref judging => check_name("judging", judging),
    }) {
        return refuse(problem);
    }
    match &header.kind {
        Value::Null => {}
        Value::String(kind) if kind == "submission" => {}
        Value::String(kind) if kind == "cancel" => {
            return match serde_json::from_slice(bytes) {
                Ok(Cancel { id, judging, .. }) => Ok(Message::Cancel(Key { id, judging })),
                Err(error) => {
                    refuse(format!("not a cancel message: {}", forms::explain_cancel(bytes, &error)))
                }
            };
        }
        other => return refuse(format!("type {} is not known: use submission or cancel", cut(other))),
    }
    match submission(bytes) {
        Ok(submission) => Ok(Message::Submission(Box::new(submission))),
        Err(error) => refuse(format!("not a submission: {}", forms::explain(bytes, &error))),
    }
}

/// Reads a submission, and notes the parts that have no effect.
fn submission(bytes: &[u8]) -> serde_json::Result<Submission> {
    let mut unknown = UnknownKeys::default();
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let mut submission: Submission = serde_ignored::deserialize(&mut reader, |path| unknown.note(&path))?;
    reader.end()?;
    submission.warnings = unknown.warnings();
    if let Some(queue) = &submission.reply_to
        && queue.len() > LONGEST_QUEUE_NAME
    {
        submission.warnings.push(format!(
            "'reply_to' has no effect: it has {} bytes, and names of queues have at most {LONGEST_QUEUE_NAME}",
            queue.len()
        ));
    }
    Ok(submission)
}

impl Malformed {
    fn new(header: &Header, problem: String) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().chars().take(200).collect();
        let problem = problem.chars().map(|c| if c.is_control() { ' ' } else { c }).take(900).collect();
        let is_name = |field, value: &Value| check_name(field, value).is_ok();
        let has_names =
            is_name("id", &header.id) && (header.judging.is_null() || is_name("judging", &header.judging));
        Self {
            id: text(&header.id),
            judging: text(&header.judging),
            problem,
            is_answerable: has_names && header.kind.as_str() != Some("cancel"),
            echo: Box::default(),
        }
    }

    fn with_echo(mut self, bytes: &[u8]) -> Self {
        if let Ok(echo) = serde_json::from_slice(bytes) {
            self.echo = Box::new(echo);
        }
        self
    }

    /// The same for something that is not even a message.
    pub(super) fn unreadable(problem: impl Into<String>) -> Self {
        Self::new(&Header::default(), problem.into())
    }

    /// The refusal of a message whose judging has another answer, or gets it elsewhere.
    pub(super) fn unanswered(key: Key, problem: &str) -> Self {
        let header = Header { id: key.id.into(), judging: key.judging.into(), ..Header::default() };
        Self { is_answerable: false, ..Self::new(&header, problem.to_owned()) }
    }

    /// Returns a submission that stands for the message, and the refusal to answer it with; `None` where no verdict
    /// would answer it.
    pub fn answer(&self) -> Option<(Box<Submission>, Refusal)> {
        if !self.is_answerable {
            return None;
        }
        let judging = if self.judging.is_empty() { first_judging() } else { self.judging.clone() };
        let submission = Submission {
            schema: SCHEMA,
            id: self.id.clone(),
            judging,
            language: String::new(),
            files: Vec::new(),
            entry_point: None,
            problem: ProblemRef::reference(""),
            limits: LimitOverrides::default(),
            policy: Policy::default(),
            tests: Vec::new(),
            feedback: None,
            reply_to: self.echo.reply_to.as_str().map(str::to_owned),
            priority: None,
            meta: self.echo.meta.as_object().cloned().unwrap_or_default(),
            warnings: Vec::new(),
        };
        let message = format!("message refused: {}", self.problem);
        Some((Box::new(submission), Refusal { reason: Reason::Submission, message }))
    }

    /// The event that tells the sender.
    pub fn event(&self, worker: &str) -> Event {
        Event {
            schema: SCHEMA,
            id: self.id.clone(),
            judging: self.judging.clone(),
            run: String::new(),
            worker: worker.to_owned(),
            seq: 0,
            time: format!("{:.6}", jiff::Timestamp::now()),
            kind: EventKind::Error { message: format!("message refused: {}", self.problem) },
        }
    }
}

/// Names go into file names, routing keys and logs of others.
fn check_name(field: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::Null => Err(format!("'{field}' is missing")),
        Value::String(name) if name.is_empty() || name.len() > 200 || name.chars().any(char::is_control) => {
            Err(format!("'{field}' must have 1 to 200 bytes and no control characters"))
        }
        Value::String(_) => Ok(()),
        _ => Err(format!("'{field}' must be a string")),
    }
}

fn cut(value: &Value) -> String {
    value.to_string().chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::submission::{Content, InlineProblem, InlineTest, Priority, ProblemSource, Remote};

    /// Reads what is written of a submission.
    fn reread(mut submission: Box<Submission>) -> (Result<Message, Malformed>, Message) {
        let again = serde_json::to_vec(&submission).unwrap();
        submission.warnings.clear();
        (parse(&again), Message::Submission(submission))
    }

    const WHOLE: &str = r#"{"schema":1,"id":"s","language":"c","files":[{"name":"a.c","text":"x"}],
        "problem":{"ref":"sum"},"priority":"contest","a field of tomorrow":[1,2]}"#;

    #[test]
    fn a_submission_is_read_and_unknown_fields_are_tolerated() {
        let Ok(Message::Submission(submission)) = parse(WHOLE.as_bytes()) else { panic!("refused") };
        assert_eq!((submission.judging.as_str(), submission.priority), ("1", Some(Priority::Contest)));
        assert_eq!(submission.problem.source, ProblemSource::Reference("sum".into()));
    }

    #[test]
    fn inline_tests_are_read() {
        let text =
            WHOLE.replace(r#"{"ref":"sum"}"#, r#"{"inline":[{"input":"1","answer":"2"}],"more":true}"#);
        let Ok(Message::Submission(submission)) = parse(text.as_bytes()) else { panic!("refused") };
        let test = InlineTest { input: "1".to_owned(), answer: "2".to_owned() };
        let inline = InlineProblem { tests: vec![test], checker: None };
        assert_eq!(submission.problem.source, ProblemSource::Inline(inline));
        let (again, submission) = reread(submission);
        assert_eq!(again, Ok(submission));
    }

    #[test]
    fn what_is_elsewhere_is_read_and_written_back() {
        let text = WHOLE
            .replace(r#"{"ref":"sum"}"#, r#"{"url":"https://a/p.zip","sha256":"00"}"#)
            .replace(r#""text":"x""#, r#""url":"https://a/a.c","sha256":"sha256:11""#);
        let Ok(Message::Submission(submission)) = parse(text.as_bytes()) else { panic!("refused") };
        let remote = |url: &str, sha256: &str| Remote { url: url.to_owned(), sha256: sha256.to_owned() };
        assert_eq!(submission.problem.source, ProblemSource::Archive(remote("https://a/p.zip", "00")));
        assert_eq!(submission.files[0].content, Content::Remote(remote("https://a/a.c", "sha256:11")));
        let (again, submission) = reread(submission);
        assert_eq!(again, Ok(submission));
    }

    #[test]
    fn a_cancel_names_a_judging() {
        let key = Key { id: "s".to_owned(), judging: "7".to_owned() };
        let text = r#"{"schema":1,"type":"cancel","id":"s","judging":"7"}"#;
        assert_eq!(parse(text.as_bytes()), Ok(Message::Cancel(key)));
    }

    #[test]
    fn what_is_wrong_is_said_with_the_senders_id() {
        for (from, to, expected) in [
            (r#""schema":1"#, r#""schema":2"#, "schema 2 is not known; this gavel reads schema 1"),
            (r#""schema":1"#, r#""schema":"1""#, "schema \"1\" is not known"),
            (r#""schema":1,"#, "", "'schema' is missing"),
            (r#""language":"c","#, "", "/language is missing"),
            (r#"{"ref":"sum"}"#, "{}", "/problem: {} is not accepted; give exactly one of \"ref\""),
            (r#""ref":"sum""#, r#""ref":"sum","inline":[]"#, "give exactly one of \"ref\""),
            (r#"{"ref":"sum"}"#, r#"{"url":"https://a/p.zip"}"#, "and \"url\" with \"sha256\""),
            (r#""ref":"sum""#, r#""ref":"sum","checker":"exact""#, "give \"checker\" with \"inline\" alone"),
            (r#""text":"x""#, r#""url":"https://a/x.c""#, "and \"sha256\" with \"url\""),
            (
                r#""text":"x""#,
                r#""text":"x","base64":"eA==""#,
                "exactly one of \"text\", \"base64\" and \"url\"",
            ),
            (r#","text":"x""#, "", "/files/0: {\"name\":"),
            (r#""contest""#, r#""soon""#, "/priority: \"soon\" is not accepted"),
            (r#""id""#, r#""type":"party","id""#, "type \"party\" is not known"),
        ] {
            let error = parse(WHOLE.replacen(from, to, 1).as_bytes()).unwrap_err();
            assert!(error.problem.contains(expected), "{to}: {error}");
            assert_eq!(error.id, "s");
            let (submission, refusal) = error.answer().unwrap();
            assert_eq!(Key::of(&submission), Key { id: "s".to_owned(), judging: "1".to_owned() });
            assert_eq!(refusal.reason, Reason::Submission);
        }
    }

    #[test]
    fn what_is_refused_is_answered_where_its_id_and_judging_can_be_read() {
        let answer =
            |text: &str| parse(text.as_bytes()).unwrap_err().answer().map(|(submission, _)| submission);
        let submission = answer(
            r#"{"schema":1,"id":"s","judging":"2","language":7,"meta":{"team":1},"reply_to":"reply.web"}"#,
        )
        .unwrap();
        assert_eq!((submission.id.as_str(), submission.judging.as_str()), ("s", "2"));
        assert_eq!(
            (submission.meta["team"].as_u64(), submission.reply_to.as_deref()),
            (Some(1), Some("reply.web"))
        );
        for text in [
            "x",
            r#"{"schema":1}"#,
            r#"{"schema":1,"id":7}"#,
            r#"{"schema":1,"id":""}"#,
            r#"{"schema":1,"id":"a\nb"}"#,
            r#"{"schema":1,"id":"s","judging":7}"#,
            r#"{"schema":1,"id":"s","judging":""}"#,
            r#"{"schema":1,"id":"s","id":"t"}"#,
            r#"{"schema":1,"type":"cancel","id":"s","judging":7}"#,
            r#"{"schema":2,"type":"cancel","id":"s"}"#,
        ] {
            assert_eq!(answer(text), None, "{text}");
        }
        let long = format!(r#"{{"schema":1,"id":"{}","language":7}}"#, "x".repeat(201));
        assert_eq!(answer(&long), None);
    }

    #[test]
    fn what_is_no_message_is_refused_on_one_line() {
        let deep = "[".repeat(100_000);
        for text in ["", "x", "[]", "1", "null", r#"{"schema":1}"#, r#"{"schema":1,"id":""}"#, deep.as_str()]
        {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(!error.problem.contains('\n') && error.problem.len() < 1000, "{error}");
        }
        assert!(parse(b"\xff\xfe\x00").is_err());
        assert_eq!(parse(br#"{"schema":1,"id":"a\nb"}"#).unwrap_err().id, "a\nb");
    }
}
