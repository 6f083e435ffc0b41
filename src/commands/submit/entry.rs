//! What is sent for each row of a roster, and what became of it.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::super::sources::{self, Encoding};
use super::super::{CommandError, judge, output};
use super::problem::{self, Problem};
use super::roster::{self, BadRow, Draft, Row};
use super::talk::Waiting;
use crate::cache::KeyBuilder;
use crate::cli::Submit as Arguments;
use crate::language::Table;
use crate::queue::{Key, Outgoing};
use crate::report::Report;
use crate::submission::{ANSWERS, Policy, Priority};
use crate::units::Bytes;

/// The largest message that brokers of every version take.
const LARGEST: Bytes = Bytes::mib(16);
/// Bytes of a student's name that go into an id.
const LONGEST_NAME: usize = 100;

/// One row of the results.
#[derive(Debug)]
pub(super) struct Entry {
    /// As it was handed in.
    pub(super) draft: Draft,
    /// What the problem is called.
    pub(super) problem: String,
    /// Language id; empty where it is not known.
    pub(super) language: String,
    /// Whether it came after `--due`, where both times are known.
    pub(super) late: Option<bool>,
    /// The student's how many-th for this problem.
    pub(super) attempt: usize,
    key: Key,
    body: Vec<u8>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// It cannot be sent.
    Unusable(String),
    New,
    /// The broker has it.
    Taken,
    Judged(Box<Report>),
}

impl Entry {
    /// What workers and consumers know it by.
    pub(super) fn key(&self) -> Key {
        self.key.clone()
    }

    /// The message.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Why it cannot be sent.
    pub(super) fn unusable(&self) -> Option<&str> {
        match &self.state {
            State::Unusable(problem) => Some(problem),
            _ => None,
        }
    }

    /// Whether there is something to send.
    pub(super) fn is_sendable(&self) -> bool {
        !matches!(self.state, State::Unusable(_))
    }

    /// Whether it is still to be sent.
    pub(super) fn is_new(&self) -> bool {
        matches!(self.state, State::New)
    }

    /// Whether the broker has it, and no verdict is known.
    pub(super) fn is_taken(&self) -> bool {
        matches!(self.state, State::Taken)
    }

    /// Its verdict.
    pub(super) fn report(&self) -> Option<&Report> {
        match &self.state {
            State::Judged(report) => Some(report),
            _ => None,
        }
    }

    /// Whether nothing is to be waited for.
    pub(super) fn is_settled(&self, waiting: Waiting) -> bool {
        match (&self.state, waiting) {
            (State::Unusable(_) | State::Judged(_), _) | (State::Taken, Waiting::ForTheBroker) => true,
            (State::New, _) | (State::Taken, Waiting::ForVerdicts { .. }) => false,
        }
    }

    /// The broker has it.
    pub(super) fn taken(&mut self) {
        if self.is_new() {
            self.state = State::Taken;
        }
    }

    /// Its verdict came; the first is the one that counts. Returns whether this is it.
    pub(super) fn judged(&mut self, report: Report) -> bool {
        let is_first = matches!(self.state, State::New | State::Taken);
        if is_first {
            self.state = State::Judged(Box::new(report));
        }
        is_first
    }
}

/// What entries of one command have in common.
struct Maker<'a> {
    arguments: &'a Arguments,
    table: &'a Table,
    problems: HashMap<String, Problem>,
}

/// Reads what the rows name and makes messages of it.
///
/// # Errors
/// When a row cannot be sent, unless `--keep-going` keeps such rows in the results.
pub(super) fn prepare(
    rows: Vec<Row>,
    arguments: &Arguments,
    table: &Table,
) -> Result<Vec<Entry>, CommandError> {
    let mut maker = Maker { arguments, table, problems: HashMap::new() };
    let rows = if arguments.latest { only_latest(rows) } else { rows };
    let mut attempts: HashMap<(String, String), usize> = HashMap::new();
    let mut entries = Vec::with_capacity(rows.len());
    let mut bad = Vec::new();
    for row in rows {
        let mut entry = match row.and_then(|draft| maker.make(draft)) {
            Ok(entry) => entry,
            Err(row) => {
                bad.push(row.clone());
                maker.unusable(row)
            }
        };
        let attempt = attempts.entry((entry.draft.student.clone(), entry.problem.clone())).or_default();
        *attempt += 1;
        entry.attempt = *attempt;
        entries.push(entry);
    }
    match bad.as_slice() {
        [] => Ok(entries),
        [only] if arguments.batch.is_none() => Err(CommandError::Usage(only.problem.clone())),
        bad if arguments.keep_going => {
            roster::complain(&bad.iter().collect::<Vec<_>>());
            Ok(entries)
        }
        bad => {
            roster::complain(&bad.iter().collect::<Vec<_>>());
            Err(CommandError::Usage(format!(
                "{} of {} rows cannot be sent, so nothing was: mend them, or give --keep-going to leave them out",
                bad.len(),
                entries.len()
            )))
        }
    }
}

/// Of each student's rows for a problem, the one handed in last; without times, the last in the list.
fn only_latest(rows: Vec<Row>) -> Vec<Row> {
    let mut kept: Vec<Option<Row>> = Vec::with_capacity(rows.len());
    let mut places: HashMap<(String, Option<String>), usize> = HashMap::new();
    for row in rows {
        if let Ok(draft) = &row {
            let student = (draft.student.clone(), draft.problem.clone());
            if let Some(place) = places.get(&student).copied() {
                let is_later = match &kept[place] {
                    Some(Ok(other)) => other.submitted <= draft.submitted || draft.submitted.is_none(),
                    _ => true,
                };
                if !is_later {
                    continue;
                }
                kept[place] = None;
            }
            places.insert(student, kept.len());
        }
        kept.push(Some(row));
    }
    kept.into_iter().flatten().collect()
}

impl Maker<'_> {
    fn make(&mut self, draft: Draft) -> Result<Entry, BadRow> {
        let column = |name: &str| {
            if self.arguments.batch.is_some() { format!("column {name}: ") } else { String::new() }
        };
        let refuse = |column: String, error: CommandError, draft: &Draft| BadRow {
            draft: Box::new(draft.clone()),
            problem: format!("{column}{error}"),
        };
        let named = draft.problem.clone().or_else(|| self.arguments.problem.clone());
        let Some(named) = named else {
            let problem = "column problem: it is empty, and the command names no problem either".to_owned();
            return Err(BadRow { draft: Box::new(draft), problem });
        };
        if !self.problems.contains_key(&named) {
            let problem = problem::read(&named, self.arguments.sha256.as_deref(), self.arguments.inline)
                .map_err(|error| refuse(column("problem"), error, &draft))?;
            self.problems.insert(named.clone(), problem);
        }
        let Some(problem) = self.problems.get(&named).cloned() else {
            return Err(BadRow { draft: Box::new(draft), problem: format!("no problem '{named}'") });
        };
        let wanted = draft.language.as_ref().or(self.arguments.language.as_ref());
        let read = || -> Result<_, CommandError> {
            let paths = sources::expand(&draft.sources)?;
            let files = match wanted {
                Some(id) if id == ANSWERS => sources::read_answers(&paths)?,
                _ => sources::read(&paths, Encoding::Any)?,
            };
            Ok((files, paths))
        };
        let (mut files, paths) = read().map_err(|error| refuse(column("source"), error, &draft))?;
        let language = match wanted {
            Some(id) if id == ANSWERS => ANSWERS.to_owned(),
            Some(id) => {
                let language = self.table.named(id).ok_or_else(|| {
                    refuse(column("language"), judge::unknown_language(id, self.table), &draft)
                })?;
                sources::name_nameless(&mut files, language);
                language.id.clone()
            }
            None => {
                let language = self.table.guess(&paths).ok_or_else(|| {
                    let error = judge::unknown_source(&paths, self.table);
                    refuse(column("source"), error, &draft)
                })?;
                sources::name_nameless(&mut files, language);
                language.id.clone()
            }
        };

        let late = self.arguments.due.zip(draft.submitted).map(|(due, submitted)| submitted > due);
        let mut outgoing = Outgoing {
            id: String::new(),
            judging: String::new(),
            language: language.clone(),
            files,
            problem: problem.value,
            limits: problem::merged(self.arguments.limits.overrides(), problem.limits),
            policy: Policy { stop: self.arguments.policy },
            tests: self.arguments.tests.clone(),
            feedback: self.arguments.feedback,
            priority: Priority::default(),
            meta: Map::new(),
        };
        // Everything that decides the verdict is in it now, and nothing else.
        let content =
            outgoing.bytes().map_err(|error| refuse(String::new(), CommandError::judging(error), &draft))?;
        outgoing.id = self.arguments.id.clone().unwrap_or_else(|| id(&draft.student, &content));
        outgoing.judging.clone_from(&self.arguments.judging);
        outgoing.priority = self.arguments.priority;
        outgoing.meta = self.meta(&draft, late);
        let body =
            outgoing.bytes().map_err(|error| refuse(String::new(), CommandError::judging(error), &draft))?;
        if body.len() as u64 > LARGEST.0 {
            let error = CommandError::Usage(format!(
                "the message would have {}, and brokers take {LARGEST}: shorten the source, or what --inline sends",
                Bytes(body.len() as u64)
            ));
            return Err(refuse(column("source"), error, &draft));
        }
        Ok(Entry {
            problem: problem.name,
            language,
            late,
            attempt: 1,
            key: outgoing.key(),
            body,
            state: State::New,
            draft,
        })
    }

    fn unusable(&self, row: BadRow) -> Entry {
        Entry {
            problem: row.draft.problem.clone().or_else(|| self.arguments.problem.clone()).unwrap_or_default(),
            language: row.draft.language.clone().unwrap_or_default(),
            late: None,
            attempt: 1,
            key: Key { id: String::new(), judging: self.arguments.judging.clone() },
            body: Vec::new(),
            state: State::Unusable(row.problem),
            draft: *row.draft,
        }
    }

    fn meta(&self, draft: &Draft, late: Option<bool>) -> Map<String, Value> {
        let mut meta = draft.meta.clone();
        meta.extend(
            self.arguments.meta.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))),
        );
        if self.arguments.batch.is_some() {
            meta.insert("student".to_owned(), json!(draft.student));
            let known = [
                ("name", draft.name.clone().map(Value::from)),
                ("submitted", draft.submitted.map(|time| json!(time.to_string()))),
                ("late", late.map(Value::from)),
            ];
            for (key, value) in known {
                if let Some(value) = value {
                    meta.insert(key.to_owned(), value);
                }
            }
        }
        meta
    }
}

/// The same work of the same student is the same submission, whenever and from wherever it is sent.
fn id(student: &str, content: &[u8]) -> String {
    let digest = KeyBuilder::default()
        .field("kind", "submission 1")
        .field("student", student)
        .field("content", content);
    let mut name: String = output::one_line(student);
    let mut end = name.len().min(LONGEST_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.truncate(end);
    let digest = digest.finish().to_string();
    let digest = digest.get(..16).unwrap_or_default();
    if name.is_empty() { digest.to_owned() } else { format!("{name}-{digest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(student: &str, submitted: Option<&str>, place: &str) -> Row {
        let submitted = submitted.map(|time| time.parse().unwrap());
        Ok(Draft { student: student.to_owned(), submitted, place: place.to_owned(), ..Draft::default() })
    }

    fn places(rows: Vec<Row>) -> Vec<String> {
        only_latest(rows).into_iter().map(|row| row.unwrap().place).collect()
    }

    #[test]
    fn the_last_of_a_students_rows_is_kept() {
        let rows = vec![draft("a", None, "1"), draft("b", None, "2"), draft("a", None, "3")];
        assert_eq!(places(rows), ["2", "3"]);
        let (early, late) = (Some("2026-11-20T10:00:00Z"), Some("2026-11-20T11:00:00Z"));
        let rows = vec![
            draft("a", late, "1"),
            draft("a", early, "2"),
            draft("b", early, "3"),
            draft("b", late, "4"),
        ];
        assert_eq!(places(rows), ["1", "4"]);
    }

    #[test]
    fn ids_are_names_and_digests_within_the_bounds_of_messages() {
        assert_eq!(id("anna", b"x"), id("anna", b"x"));
        assert_ne!(id("anna", b"x"), id("anna", b"y"));
        assert_ne!(id("anna", b"x"), id("bert", b"x"));
        assert!(id("anna", b"x").starts_with("anna-"));
        assert_eq!(id("", b"x").len(), 16);
        let long = id(&"ü".repeat(300), b"x");
        assert!(long.len() <= 200 && !long.contains('\n'));
        assert!(!id("a\nb", b"x").contains('\n'));
    }
}
