//! Turns each row of a roster into a submission, and keeps its verdict.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::super::sources::{self, Program};
use super::super::{CommandError, output};
use super::roster::{self, BadRow, Draft, Row};
use super::work;
use crate::cache::KeyBuilder;
use crate::language::Table;
use crate::queue::{Key, Outgoing};
use crate::report::Report;
use crate::submission::{ANSWERS, Content, Feedback, LimitOverrides, Policy, Priority, SourceFile, Stop};
use crate::units::Bytes;

/// The largest message that brokers of every version take.
const LARGEST: Bytes = Bytes::mib(16);
/// Bytes of a student's name that go into an id.
const LONGEST_NAME: usize = 100;

/// How all submissions of a command are made.
#[derive(Debug, Clone)]
pub(crate) struct Options<'a> {
    /// Whether there is a roster, whose works come in every form that students hand in.
    pub(crate) is_batch: bool,
    /// Problem of rows that name none.
    pub(crate) problem: Option<&'a str>,
    /// Language id of rows that name none.
    pub(crate) language: Option<&'a str>,
    /// File the program starts with, in rows that name none.
    pub(crate) entry_point: Option<&'a str>,
    /// Latest time of a submission that is not late.
    pub(crate) due: Option<jiff::Timestamp>,
    /// Whether only the last of a student's rows for a problem counts.
    pub(crate) latest: bool,
    /// Limits instead of the problem's.
    pub(crate) limits: LimitOverrides,
    /// When to stop.
    pub(crate) policy: Stop,
    /// Globs over test names.
    pub(crate) tests: &'a [String],
    /// What reports tell of secret tests.
    pub(crate) feedback: Option<Feedback>,
    /// Id of the only submission.
    pub(crate) id: Option<&'a str>,
    /// Which judging.
    pub(crate) judging: &'a str,
    /// Queue class.
    pub(crate) priority: Priority,
    /// Comes back in events and report.
    pub(crate) meta: &'a [(String, String)],
}

/// A problem as a message spells it.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    /// Name in tables.
    pub(crate) name: String,
    /// The message's `problem`.
    pub(crate) value: Value,
    /// Limits that belong to it and that the message must carry.
    pub(crate) limits: LimitOverrides,
    /// Whether it asks for answers in place of programs.
    pub(crate) takes_answers: bool,
}

/// Finds the problem of a name.
pub(crate) type Problems<'a> = dyn Fn(&str) -> Result<Problem, CommandError> + 'a;

/// What a command waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// The broker has everything.
    ForTheBroker,
    /// Every verdict is here, or none came for so long.
    ForVerdicts {
        /// How long.
        patience: Duration,
    },
}

/// One row of the results.
#[derive(Debug)]
pub(crate) struct Entry {
    /// As it was handed in.
    pub(crate) draft: Draft,
    /// What the problem is called.
    pub(crate) problem: String,
    /// Language id; empty where it is not known.
    pub(crate) language: String,
    /// Whether it came after `--due`, where both times are known.
    pub(crate) late: Option<bool>,
    /// The student's how many-th for this problem.
    pub(crate) attempt: usize,
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
    pub(crate) fn key(&self) -> Key {
        self.key.clone()
    }

    /// The message.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Says why it cannot be judged.
    pub(crate) fn refuse(&mut self, problem: String) {
        self.state = State::Unusable(problem);
    }

    /// Why it cannot be sent.
    pub(crate) fn unusable(&self) -> Option<&str> {
        match &self.state {
            State::Unusable(problem) => Some(problem),
            _ => None,
        }
    }

    /// Whether there is something to send.
    pub(crate) fn is_sendable(&self) -> bool {
        !matches!(self.state, State::Unusable(_))
    }

    /// Whether it is still to be sent.
    pub(crate) fn is_new(&self) -> bool {
        matches!(self.state, State::New)
    }

    /// Whether the broker has it, and no verdict is known.
    pub(crate) fn is_taken(&self) -> bool {
        matches!(self.state, State::Taken)
    }

    /// Its verdict.
    pub(crate) fn report(&self) -> Option<&Report> {
        match &self.state {
            State::Judged(report) => Some(report),
            _ => None,
        }
    }

    /// Whether nothing is to be waited for.
    pub(crate) fn is_settled(&self, waiting: Waiting) -> bool {
        match (&self.state, waiting) {
            (State::Unusable(_) | State::Judged(_), _) | (State::Taken, Waiting::ForTheBroker) => true,
            (State::New, _) | (State::Taken, Waiting::ForVerdicts { .. }) => false,
        }
    }

    /// The broker has it.
    pub(crate) fn taken(&mut self) {
        if self.is_new() {
            self.state = State::Taken;
        }
    }

    /// Its verdict came; the first is the one that counts. Returns whether this is it.
    pub(crate) fn judged(&mut self, report: Report) -> bool {
        let is_first = matches!(self.state, State::New | State::Taken);
        if is_first {
            self.state = State::Judged(Box::new(report));
        }
        is_first
    }
}

/// What entries of one command have in common.
struct Maker<'a> {
    options: &'a Options<'a>,
    table: &'a Table,
    find: &'a Problems<'a>,
    problems: HashMap<String, Problem>,
}

/// Reads the work that the rows name and makes messages of it; rows that cannot be used are among the entries.
pub(crate) fn prepare(
    rows: Vec<Row>,
    options: &Options<'_>,
    table: &Table,
    find: &Problems<'_>,
) -> Vec<Entry> {
    let mut maker = Maker { options, table, find, problems: HashMap::new() };
    let rows = if options.latest { only_latest(rows) } else { rows };
    let mut attempts: HashMap<(String, String), usize> = HashMap::new();
    let mut entries = Vec::with_capacity(rows.len());
    for row in rows {
        let mut entry = row.and_then(|draft| maker.make(draft)).unwrap_or_else(|row| maker.unusable(row));
        let attempt = attempts.entry((entry.draft.student.clone(), entry.problem.clone())).or_default();
        *attempt += 1;
        entry.attempt = *attempt;
        entries.push(entry);
    }
    entries
}

/// Names the rows that cannot be sent.
///
/// # Errors
/// When there are any, unless `keep_going` leaves them to the results.
pub(crate) fn refuse_unusable(
    entries: &[Entry],
    is_batch: bool,
    keep_going: bool,
) -> Result<(), CommandError> {
    let bad: Vec<_> =
        entries.iter().filter_map(|entry| Some((entry.draft.place.as_str(), entry.unusable()?))).collect();
    match bad.as_slice() {
        [] => return Ok(()),
        [(_, only)] if !is_batch => return Err(CommandError::Usage((*only).to_owned())),
        bad => roster::complain(bad),
    }
    if keep_going {
        return Ok(());
    }
    Err(CommandError::Usage(format!(
        "{} of {} cannot be sent, so nothing was: fix them, or give --keep-going to leave them out",
        bad.len(),
        output::counted(entries.len(), "row"),
    )))
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
        match self.try_to_make(&draft) {
            Ok(entry) => Ok(Entry { draft, ..entry }),
            Err((column, error)) => {
                let column = if draft.has_columns { format!("column {column}: ") } else { String::new() };
                Err(BadRow { problem: format!("{column}{error}"), draft: Box::new(draft) })
            }
        }
    }

    fn problem(&mut self, draft: &Draft) -> Result<Problem, CommandError> {
        let named = draft.problem.as_deref().or(self.options.problem);
        let named = named
            .ok_or_else(|| CommandError::usage("it is empty, and the command names no problem either"))?;
        if let Some(problem) = self.problems.get(named) {
            return Ok(problem.clone());
        }
        let problem = (self.find)(named)?;
        self.problems.insert(named.to_owned(), problem.clone());
        Ok(problem)
    }

    /// The sources of a row and their language.
    fn program(&self, draft: &Draft, takes_answers: bool) -> Result<Program, (&'static str, CommandError)> {
        let source = |error| ("source", error);
        let wanted = draft.language.as_deref().or(self.options.language);
        if takes_answers || wanted == Some(ANSWERS) {
            let paths = sources::expand(&draft.sources).map_err(source)?;
            let files = sources::read_answers(&paths).map_err(source)?;
            return Ok(Program { language: ANSWERS.to_owned(), files, entry_point: None });
        }
        let wanted = match wanted {
            Some(id) => Some(
                self.table
                    .named(id)
                    .ok_or_else(|| ("language", CommandError::Usage(self.table.unknown(id))))?,
            ),
            None => None,
        };
        let entry_point = draft.entry_point.as_deref().or(self.options.entry_point);
        let work = if self.options.is_batch {
            Some(work::gather(&draft.sources, &draft.folder, wanted, self.table).map_err(source)?)
        } else {
            None
        };
        let paths = work.as_ref().map_or_else(|| draft.sources.clone(), |work| vec![work.path().to_owned()]);
        let read = |paths: &[PathBuf]| {
            let order = sources::order_of(paths);
            let wanted = wanted.map(|language| language.id.as_str());
            let program = sources::program(sources::expand(paths)?, order, wanted, entry_point, self.table)?;
            // An upload that went wrong deserves a word, not a verdict.
            let is_empty =
                |file: &SourceFile| matches!(&file.content, Content::Text(text) if text.is_empty());
            match self.options.is_batch && program.files.iter().all(is_empty) {
                true => Err(CommandError::Usage("the source is empty: hand in a program".to_owned())),
                false => Ok(program),
            }
        };
        read(&paths).map_err(|error| match &work {
            Some(work) => source(work.in_words_of_student(error)),
            None => source(error),
        })
    }

    fn try_to_make(&mut self, draft: &Draft) -> Result<Entry, (&'static str, CommandError)> {
        let problem = self.problem(draft).map_err(|error| ("problem", error))?;
        let program = self.program(draft, problem.takes_answers)?;
        let options = self.options;
        let late = self.late(draft);
        let mut outgoing = Outgoing {
            id: String::new(),
            judging: String::new(),
            language: program.language.clone(),
            files: program.files,
            entry_point: program.entry_point,
            problem: problem.value,
            limits: merged(options.limits, problem.limits),
            policy: Policy { stop: options.policy },
            tests: options.tests.to_vec(),
            feedback: options.feedback,
            priority: Priority::default(),
            meta: Map::new(),
        };
        let unwritable = |error| ("source", CommandError::judging(error));
        // Everything that decides the verdict is in it now, and nothing else.
        let content = outgoing.bytes().map_err(unwritable)?;
        outgoing.id = options.id.map_or_else(|| id(&draft.student, &content), ToOwned::to_owned);
        options.judging.clone_into(&mut outgoing.judging);
        outgoing.priority = options.priority;
        outgoing.meta = self.meta(draft, late);
        let body = outgoing.bytes().map_err(unwritable)?;
        if body.len() as u64 > LARGEST.0 {
            let error = CommandError::Usage(format!(
                "the message would have {}, and brokers take {LARGEST}: shorten the source, or what --inline sends",
                Bytes(body.len() as u64)
            ));
            return Err(("source", error));
        }
        Ok(Entry {
            draft: Draft::default(),
            problem: problem.name,
            language: program.language,
            late,
            attempt: 1,
            key: outgoing.key(),
            body,
            state: State::New,
        })
    }

    fn unusable(&self, row: BadRow) -> Entry {
        Entry {
            problem: self.name_of_problem(&row.draft),
            language: row.draft.language.clone().unwrap_or_default(),
            late: self.late(&row.draft),
            attempt: 1,
            key: Key { id: String::new(), judging: self.options.judging.to_owned() },
            body: Vec::new(),
            state: State::Unusable(row.problem),
            draft: *row.draft,
        }
    }

    /// What the problem of a row is called, found or not.
    fn name_of_problem(&self, draft: &Draft) -> String {
        let named = draft.problem.as_deref().or(self.options.problem).unwrap_or_default();
        match self.problems.get(named) {
            Some(problem) => problem.name.clone(),
            None => (self.find)(named).map_or_else(|_| named.to_owned(), |problem| problem.name),
        }
    }

    fn late(&self, draft: &Draft) -> Option<bool> {
        self.options.due.zip(draft.submitted).map(|(due, submitted)| submitted > due)
    }

    fn meta(&self, draft: &Draft, late: Option<bool>) -> Map<String, Value> {
        let mut meta = draft.meta.clone();
        meta.extend(self.options.meta.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))));
        if self.options.is_batch {
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

/// The first that says something wins, limit by limit.
fn merged(first: LimitOverrides, second: LimitOverrides) -> LimitOverrides {
    LimitOverrides {
        cpu: first.cpu.or(second.cpu),
        wall: first.wall.or(second.wall),
        memory: first.memory.or(second.memory),
        output: first.output.or(second.output),
        processes: first.processes.or(second.processes),
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
