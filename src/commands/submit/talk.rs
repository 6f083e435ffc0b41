//! The conversation with the broker: what is to be sent, what was taken, whose verdicts came.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::super::batch::{Entry, Journal, Live, Waiting};
use super::super::broker::{failure, in_flags};
use super::super::interrupt::Interrupts;
use super::super::{CommandError, output};
use crate::queue::{Key, News, Post, Receipt, Submitter};
use crate::report::Report;
use crate::submission::Priority;

/// How often signals and patience are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Messages that were handed over and that the broker does not have yet.
const MOST_ON_THE_WAY: usize = 1000;
/// Verdicts that the broker keeps until the journal is on the disk.
const MOST_UNSAFE: usize = 100;
/// How long the broker may take nothing at all.
const SENDING: Duration = Duration::from_secs(3600);

/// A conversation.
pub(super) struct Talk<'a> {
    entries: &'a mut [Entry],
    journal: &'a mut Journal,
    submitter: &'a Submitter,
    priority: Priority,
    waiting: Waiting,
    /// Who waits for a key: the same work may be handed in twice.
    places: HashMap<Key, Vec<usize>>,
    unsent: VecDeque<usize>,
    on_the_way: usize,
    unsettled: usize,
    /// Verdicts to be acknowledged once the journal is safe: the last of them, and how many.
    receipt: Option<Receipt>,
    unsafe_verdicts: usize,
}

/// The beginning of every event and report.
#[derive(Deserialize)]
struct Names {
    id: String,
    judging: String,
}

impl<'a> Talk<'a> {
    pub(super) fn new(
        entries: &'a mut [Entry],
        journal: &'a mut Journal,
        submitter: &'a Submitter,
        priority: Priority,
        waiting: Waiting,
    ) -> Self {
        let mut places: HashMap<Key, Vec<usize>> = HashMap::new();
        for (place, entry) in entries.iter().enumerate().filter(|(_, entry)| entry.is_sendable()) {
            places.entry(entry.key()).or_default().push(place);
        }
        // Of equal ones the first is sent.
        let mut unsent: Vec<_> = places
            .values()
            .filter_map(|equal| equal.first().copied())
            .filter(|place| entries[*place].is_new())
            .collect();
        unsent.sort_unstable();
        let unsettled = entries.iter().filter(|entry| !entry.is_settled(waiting)).count();
        Self {
            entries,
            journal,
            submitter,
            priority,
            waiting,
            places,
            unsent: unsent.into(),
            on_the_way: 0,
            unsettled,
            receipt: None,
            unsafe_verdicts: 0,
        }
    }

    /// Talks until there is nothing left to wait for, or no hope; entries tell which.
    ///
    /// # Errors
    /// When a signal came, the broker refuses, or the journal cannot be written.
    pub(super) fn run(&mut self, interrupts: &Interrupts, live: &mut Live) -> Result<(), CommandError> {
        let patience = match self.waiting {
            Waiting::ForTheBroker => SENDING,
            Waiting::ForVerdicts { patience } => patience,
        };
        let mut last_step = Instant::now();
        while self.unsettled > 0 {
            interrupts.check()?;
            self.send();
            let before = (self.unsettled, self.on_the_way);
            match self.submitter.news(if self.receipt.is_some() { Duration::ZERO } else { LOOK_EVERY }) {
                Some(news) => self.hear(news, live)?,
                // A quiet moment.
                None => self.make_safe()?,
            }
            if before != (self.unsettled, self.on_the_way) {
                last_step = Instant::now();
            } else if last_step.elapsed() > patience {
                output::complain(&format!(
                    "no verdict for {} s: {} are missing; are there workers? ('gavel queue' shows consumers)",
                    patience.as_secs(),
                    self.unsettled
                ));
                break;
            }
        }
        self.make_safe()
    }

    fn send(&mut self) {
        while self.on_the_way < MOST_ON_THE_WAY
            && let Some(place) = self.unsent.pop_front()
        {
            let entry = &self.entries[place];
            // Judged meanwhile: its verdict came over a queue that is older than this process.
            if entry.report().is_none() {
                let body = entry.body().to_vec();
                self.submitter.publish(Post::submission(place as u64, &entry.key(), self.priority, body));
                self.on_the_way += 1;
            }
        }
    }

    fn hear(&mut self, news: News, live: &mut Live) -> Result<(), CommandError> {
        match news {
            News::Connected { missed } => {
                if missed {
                    self.send_again();
                }
            }
            News::Lost(problem) => {
                output::remark(&format!("lost the broker, trying again: {}", in_flags(&problem)));
            }
            News::Taken(number) => {
                self.on_the_way = self.on_the_way.saturating_sub(1);
                if let Some(entry) = usize::try_from(number).ok().and_then(|place| self.entries.get(place)) {
                    let key = entry.key();
                    self.journal.taken(&key)?;
                    self.update(&key, Entry::taken);
                }
            }
            News::Unroutable(_) => {
                return Err(CommandError::Judging(
                    "the broker has no queue for submissions: start a 'gavel worker', which declares them, or \
                     import the definitions"
                        .to_owned(),
                ));
            }
            News::Verdict(receipt, body) => {
                self.receipt = Some(receipt);
                self.unsafe_verdicts += 1;
                self.verdict(&body, live)?;
                if self.unsafe_verdicts >= MOST_UNSAFE {
                    self.make_safe()?;
                }
            }
            News::Progress(body) => {
                if let Some(key) = names(&body).filter(|key| self.places.contains_key(key)) {
                    let is_judged =
                        self.places[&key].iter().all(|place| self.entries[*place].report().is_some());
                    if !is_judged {
                        live.event(&body)?;
                    }
                }
            }
            News::Failed(error) => return Err(failure(&error)),
        }
        Ok(())
    }

    fn verdict(&mut self, body: &[u8], live: &mut Live) -> Result<(), CommandError> {
        let Some(key) = names(body) else { return Ok(()) };
        let Some(place) = self.places.get(&key).and_then(|equal| equal.first()).copied() else {
            return Ok(());
        };
        if self.entries[place].report().is_some() {
            return Ok(());
        }
        let report: Report = serde_json::from_slice(body).map_err(|error| {
            CommandError::Judging(format!(
                "the verdict of {} cannot be read: {error}; is this gavel older than its workers?",
                output::one_line(&key.id)
            ))
        })?;
        self.journal.done(&report)?;
        live.verdict(&report)?;
        self.update(&key, |entry| {
            entry.judged(report.clone());
        });
        Ok(())
    }

    /// Changes all entries of a key.
    fn update(&mut self, key: &Key, change: impl Fn(&mut Entry)) {
        for place in self.places.get(key).into_iter().flatten() {
            let entry = &mut self.entries[*place];
            let was_settled = entry.is_settled(self.waiting);
            change(entry);
            if !was_settled && entry.is_settled(self.waiting) {
                self.unsettled -= 1;
            }
        }
    }

    /// The queue for verdicts is a new one: what was taken before may have been judged without a trace here.
    fn send_again(&mut self) {
        if self.waiting == Waiting::ForTheBroker {
            return;
        }
        let mut again: Vec<_> = self
            .places
            .values()
            .filter_map(|equal| equal.first().copied())
            .filter(|place| self.entries[*place].is_taken())
            .collect();
        if again.is_empty() {
            return;
        }
        again.sort_unstable();
        output::remark(&format!(
            "the broker does not keep verdicts for this journal any more: {} are sent again",
            again.len()
        ));
        self.unsent.extend(again);
    }

    /// The journal is on the disk before the broker may forget.
    fn make_safe(&mut self) -> Result<(), CommandError> {
        self.journal.sync()?;
        if let Some(receipt) = self.receipt.take() {
            self.submitter.acknowledge(receipt);
        }
        self.unsafe_verdicts = 0;
        Ok(())
    }
}

fn names(body: &[u8]) -> Option<Key> {
    serde_json::from_slice(body).ok().map(|Names { id, judging }| Key { id, judging })
}
