//! What waits and what runs in this process.
//!
//! Queues offer, judging threads take. Classes are served by weight: while all three wait, of sixteen
//! submissions taken twelve are of the contest, three are normal and one is a rejudging, so that a contest
//! hardly waits and a rejudging is never starved. Within a class it is first come, first served.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::contents::{Contents, KeyDigest};
use super::message::Key;
use super::pulse::Pulse;
use crate::cancel::CancelToken;
use crate::instruments;
use crate::sandbox::SandboxError;
use crate::submission::{Priority, Remote, RemoteKind, Submission};
use crate::verdict::Reason;

/// Shares of contest, normal and rejudge.
const WEIGHTS: [i64; 3] = [12, 3, 1];

/// Cancels remembered for submissions that are still on their way to this process.
const MAX_EARLY_CANCELS: usize = 10_000;

/// How long such a cancel is remembered. Its submission may wait in a queue for long; but it may also have been decided by
/// a worker that is gone, and then a cancel must not wait for ever for the same judging to be sent again.
const EARLY_CANCEL_LIFE: Duration = Duration::from_secs(3600);

/// How a queue knows a delivery; nothing here looks into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Tag {
    /// Which connection it came over.
    pub connection: u64,
    /// Which delivery of that connection.
    pub delivery: u64,
}

/// Why a submission is answered without being judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The reason beside the JE.
    pub reason: Reason,
    /// The report's `error`.
    pub message: String,
}

/// A submission as it came in.
#[derive(Debug)]
pub struct Delivery {
    /// What is to be judged.
    pub submission: Box<Submission>,
    /// How its queue knows it.
    pub tag: Tag,
    /// The class of the queue it came from.
    pub class: Priority,
    /// Whether somebody may have had it before.
    pub redelivered: bool,
    /// Comes back as a property of its verdict, where the queue has such.
    pub correlation_id: Option<String>,
    /// Why it is not judged, only answered with JE.
    pub refusal: Option<Refusal>,
    /// When its waiting began.
    pub arrived: Instant,
}

/// What became of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Offer {
    /// It will be answered.
    Taken,
    /// Nothing more is taken in: it is its queue's again.
    Closed,
    /// Another submission of the same id and judging waits or runs here, and asks for something else.
    Conflict(Contents),
}

/// A submission to be judged now.
#[derive(Debug)]
pub struct Job {
    /// As it came in.
    pub delivery: Delivery,
    /// Cancels its judging.
    pub cancel: CancelToken,
    /// What is judged.
    pub contents: Contents,
}

impl Job {
    /// What consumers know it by.
    pub fn key(&self) -> Key {
        Key::of(&self.delivery.submission)
    }

    fn has_remotes(&self) -> bool {
        self.delivery.submission.remotes().next().is_some()
    }
}

/// What waiting submissions will need, and when this was so.
#[derive(Debug, Default)]
pub struct Upcoming {
    /// What must be fetched, the most urgent first.
    pub remotes: Vec<(RemoteKind, Remote)>,
    seen: u64,
}

/// Submissions that wait and submissions that run.
#[derive(Debug, Default)]
pub struct Backlog {
    state: Mutex<State>,
    changed: Condvar,
    pulse: Pulse,
}

#[derive(Debug, Default)]
struct State {
    /// Cancelled while they waited: their answer costs nothing and comes first.
    cancelled: VecDeque<Job>,
    waiting: [VecDeque<Job>; 3],
    /// What each class has saved up.
    credit: [i64; 3],
    /// Waiting and running.
    known: HashMap<Key, Known>,
    early_cancels: HashMap<KeyDigest, Instant>,
    early_order: VecDeque<KeyDigest>,
    running: usize,
    /// Who wants nothing to begin.
    holds: BTreeSet<&'static str>,
    /// Changes whenever what is to be fetched next may have.
    fetching: u64,
    closed: bool,
    abandoned: bool,
}

#[derive(Debug)]
struct Known {
    cancel: CancelToken,
    contents: Contents,
    /// Every delivery this judging answers.
    tags: Vec<Tag>,
}

impl Backlog {
    /// Takes a delivery in. One whose judging waits or runs already starts nothing: its tag is answered with
    /// the others, unless it asks for something else.
    ///
    /// # Errors
    /// When the process is out of descriptors.
    pub fn offer(&self, delivery: Delivery) -> Result<Offer, SandboxError> {
        let key = Key::of(&delivery.submission);
        let contents = Contents::of(&delivery.submission);
        let mut state = self.lock();
        if let Some(known) = state.known.get_mut(&key) {
            if known.contents != contents {
                return Ok(Offer::Conflict(known.contents));
            }
            known.tags.push(delivery.tag);
            instruments::redelivery_joined();
            return Ok(Offer::Taken);
        }
        if state.closed {
            return Ok(Offer::Closed);
        }
        let cancel = CancelToken::new()?;
        let known = Known { cancel: cancel.clone(), contents, tags: vec![delivery.tag] };
        let class = class(delivery.class);
        let job = Job { delivery, cancel, contents };
        state.fetching += u64::from(job.has_remotes());
        if state.take_early_cancel(&key) {
            job.cancel.cancel();
            state.cancelled.push_back(job);
        } else {
            state.waiting[class].push_back(job);
        }
        state.known.insert(key, known);
        self.has_changed(&state);
        Ok(Offer::Taken)
    }

    /// Waits until fewer than `limit` submissions wait; false once nothing more is taken in.
    pub fn wait_for_room(&self, limit: usize) -> bool {
        let mut state = self.lock();
        while state.waiting() >= limit && !state.closed {
            state = self.wait(state);
        }
        !state.closed
    }

    /// Lets nothing begin until this part releases it; what runs goes on.
    pub fn hold(&self, part: &'static str) {
        self.lock().holds.insert(part);
    }

    /// Takes a [`Backlog::hold`] back.
    pub fn release(&self, part: &'static str) {
        if self.lock().holds.remove(part) {
            self.changed.notify_all();
        }
    }

    /// The next to judge; waits for one. `None` once closed and empty.
    pub fn take(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.holds.is_empty()
                && let Some(job) = state.pick()
            {
                state.running += 1;
                state.fetching += u64::from(job.has_remotes());
                self.has_changed(&state);
                return Some(job);
            }
            if state.closed && state.waiting() == 0 {
                return None;
            }
            state = self.wait(state);
        }
    }

    /// What the submissions that stand first will need; waits until that may be other than it was in `last`,
    /// and until `slots` judgings run: an idle one takes the next submission itself at once. Of each class at
    /// most `most` submissions are looked at. `None` once closed with nothing waiting.
    pub fn upcoming(&self, last: &Upcoming, slots: usize, most: usize) -> Option<Upcoming> {
        let mut state = self.lock();
        while state.fetching == last.seen || state.running < slots {
            if state.closed && state.waiting() == 0 {
                return None;
            }
            state = self.wait(state);
        }
        let first = state.waiting.iter().flat_map(|class| class.iter().take(most));
        let remotes = first
            .flat_map(|job| job.delivery.submission.remotes())
            .map(|(kind, remote)| (kind, remote.clone()))
            .collect();
        Some(Upcoming { remotes, seen: state.fetching })
    }

    /// Cancels a judging that waits, runs or is still on its way here.
    pub fn cancel(&self, key: &Key) {
        if !self.cancel_known(key) {
            self.lock().remember_cancel(key);
        }
    }

    /// Cancels a judging that waits or runs; returns whether it does.
    pub fn cancel_known(&self, key: &Key) -> bool {
        let mut state = self.lock();
        let Some(known) = state.known.get(key) else { return false };
        known.cancel.cancel();
        state.expedite(key);
        self.changed.notify_all();
        true
    }

    /// Forgets the cancel of a judging that was decided elsewhere; returns whether there was one. A judging that waits or
    /// runs here stays cancelled.
    pub(super) fn forget_cancel(&self, key: KeyDigest) -> bool {
        self.lock().forget_cancel(key).is_some()
    }

    /// Ends a job that [`Backlog::take`] gave: its key is free again. Returns every delivery it answers.
    pub fn finish(&self, key: &Key) -> Vec<Tag> {
        let mut state = self.lock();
        state.running = state.running.saturating_sub(1);
        let tags = state.known.remove(key).map(|known| known.tags).unwrap_or_default();
        self.has_changed(&state);
        tags
    }

    /// Ends a job that [`Backlog::take`] gave, without an answer: should it come again, it is as cancelled as it
    /// was. Returns its deliveries, to be given back.
    pub fn return_job(&self, key: &Key) -> Vec<Tag> {
        let mut state = self.lock();
        state.running = state.running.saturating_sub(1);
        let tags = state.forget(key);
        self.has_changed(&state);
        tags
    }

    /// Nothing more comes in; what waits is still judged.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Nothing more comes in, and what waits is not judged: returns its deliveries, to be given back.
    pub fn stop(&self) -> Vec<Tag> {
        let mut state = self.lock();
        state.closed = true;
        let tags = state.give_back();
        self.has_changed(&state);
        tags
    }

    /// What waits is not judged here: returns its deliveries, to be given back. More may come in, the same again
    /// as well; what was cancelled stays so. A submission that is only refused stays: every return would be one more
    /// delivery of what may end its workers.
    pub fn give_back(&self) -> Vec<Tag> {
        let mut state = self.lock();
        let mut tags = state.give_back_cancelled();
        for class in 0..WEIGHTS.len() {
            tags.extend(state.give_back_unrefused(class));
        }
        self.has_changed(&state);
        tags
    }

    /// When the longest waiting submission of each class came, except cancelled and refused ones.
    pub(super) fn longest_waits(&self) -> [Option<Instant>; 3] {
        let state = self.lock();
        std::array::from_fn(|class| {
            let mut judged = state.waiting[class].iter().filter(|job| job.delivery.refusal.is_none());
            judged.next().map(|job| job.delivery.arrived)
        })
    }

    /// As [`Backlog::give_back`], for the submissions of one class.
    pub(super) fn give_back_class(&self, priority: Priority) -> Vec<Tag> {
        let mut state = self.lock();
        let tags = state.give_back_unrefused(class(priority));
        self.has_changed(&state);
        tags
    }

    /// Returns whether any part keeps submissions from beginning.
    pub(super) fn is_held(&self) -> bool {
        !self.lock().holds.is_empty()
    }

    /// Whether one of so many slots has nothing to do.
    pub(super) fn has_idle_slot(&self, slots: usize) -> bool {
        let state = self.lock();
        state.running + state.waiting() < slots && state.holds.is_empty()
    }

    /// Nothing more comes in, and what waits is answered as cancelled.
    pub fn cancel_waiting(&self) {
        let mut state = self.lock();
        state.closed = true;
        let waiting: Vec<Job> = std::mem::take(&mut state.waiting).into_iter().flatten().collect();
        for job in waiting {
            job.cancel.cancel();
            state.cancelled.push_back(job);
        }
        self.changed.notify_all();
    }

    /// Waits so long, or until nothing more is taken in; whether that is so.
    pub fn wait_for_close(&self, at_most: Duration) -> bool {
        let deadline = Instant::now() + at_most;
        let mut state = self.lock();
        while !state.closed {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return false };
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Cuts short what runs, because this process must end: nobody asked for these cancels.
    pub fn abandon(&self) {
        let mut state = self.lock();
        state.abandoned = true;
        for known in state.known.values() {
            known.cancel.cancel();
        }
    }

    /// Signs of life of the threads that take from here.
    pub fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// Whether [`Backlog::abandon`] was called.
    pub fn is_abandoned(&self) -> bool {
        self.lock().abandoned
    }

    /// Waits until nothing runs, for at most so long; whether that was reached.
    pub fn wait_until_idle(&self, at_most: Duration) -> bool {
        let deadline = Instant::now() + at_most;
        let mut state = self.lock();
        while state.running > 0 {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return false };
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Wakes everybody who waits for a change, and shows it to operators.
    fn has_changed(&self, state: &State) {
        instruments::backlog_changed(state.waiting(), state.running);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn give_back(&mut self) -> Vec<Tag> {
        let mut tags = self.give_back_cancelled();
        let waiting = std::mem::take(&mut self.waiting);
        tags.extend(waiting.into_iter().flatten().flat_map(|job| self.forget(&job.key())));
        tags
    }

    fn give_back_cancelled(&mut self) -> Vec<Tag> {
        let cancelled = std::mem::take(&mut self.cancelled);
        cancelled.into_iter().flat_map(|job| self.forget(&job.key())).collect()
    }

    /// Gives back the submissions of a class that are to be judged, and keeps those that are refused.
    fn give_back_unrefused(&mut self, class: usize) -> Vec<Tag> {
        let waiting = std::mem::take(&mut self.waiting[class]);
        let (refused, judged): (VecDeque<Job>, VecDeque<Job>) =
            waiting.into_iter().partition(|job| job.delivery.refusal.is_some());
        self.waiting[class] = refused;
        judged.into_iter().flat_map(|job| self.forget(&job.key())).collect()
    }

    /// Drops a judging that gets no answer here; somebody's cancel of it may not come a second time.
    fn forget(&mut self, key: &Key) -> Vec<Tag> {
        let Some(known) = self.known.remove(key) else { return Vec::new() };
        if known.cancel.is_cancelled() && !self.abandoned {
            self.remember_cancel(key);
        }
        known.tags
    }

    /// Whether a cancel of this judging is remembered, which is forgotten now.
    fn take_early_cancel(&mut self, key: &Key) -> bool {
        if self.early_cancels.is_empty() {
            return false;
        }
        self.forget_cancel(KeyDigest::of(key)).is_some_and(|since| since.elapsed() < EARLY_CANCEL_LIFE)
    }

    fn forget_cancel(&mut self, key: KeyDigest) -> Option<Instant> {
        let since = self.early_cancels.remove(&key)?;
        self.early_order.retain(|early| *early != key);
        Some(since)
    }

    fn remember_cancel(&mut self, key: &Key) {
        let key = KeyDigest::of(key);
        if self.early_cancels.insert(key, Instant::now()).is_none() {
            self.early_order.push_back(key);
            if self.early_order.len() > MAX_EARLY_CANCELS
                && let Some(oldest) = self.early_order.pop_front()
            {
                self.early_cancels.remove(&oldest);
            }
        }
    }

    fn waiting(&self) -> usize {
        self.cancelled.len() + self.waiting.iter().map(VecDeque::len).sum::<usize>()
    }

    /// Smooth weighted round robin over the classes that have something.
    fn pick(&mut self) -> Option<Job> {
        if let Some(job) = self.cancelled.pop_front() {
            return Some(job);
        }
        let mut total = 0;
        for (place, weight) in WEIGHTS.iter().enumerate() {
            if self.waiting[place].is_empty() {
                // Nobody saves up while there is nothing to do.
                self.credit[place] = 0;
            } else {
                self.credit[place] += weight;
                total += weight;
            }
        }
        let best = (0..WEIGHTS.len())
            .filter(|place| !self.waiting[*place].is_empty())
            .max_by_key(|place| (self.credit[*place], std::cmp::Reverse(*place)))?;
        self.credit[best] -= total;
        self.waiting[best].pop_front()
    }

    /// Moves a waiting job to where it is answered first.
    fn expedite(&mut self, key: &Key) {
        for class in &mut self.waiting {
            if let Some(place) = class.iter().position(|job| job.key() == *key) {
                self.cancelled.extend(class.remove(place));
                return;
            }
        }
    }
}

fn class(priority: Priority) -> usize {
    match priority {
        Priority::Contest => 0,
        Priority::Normal => 1,
        Priority::Rejudge => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_first_in_line_need_is_told_once_and_again_when_it_changed() {
        let backlog = Backlog::default();
        let remote = |id: &str, class: &str| {
            let mut delivery = delivery(id, class, 1);
            let remote = Remote { url: format!("https://h/{id}"), sha256: String::new() };
            delivery.submission.problem.source = crate::submission::ProblemSource::Archive(remote);
            delivery
        };
        for delivery in
            [delivery("plain", "normal", 1), remote("later", "rejudge"), remote("soon", "contest")]
        {
            assert_eq!(backlog.offer(delivery).unwrap(), Offer::Taken);
        }
        let urls = |upcoming: &Upcoming| -> Vec<String> {
            upcoming.remotes.iter().map(|(_, remote)| remote.url.clone()).collect()
        };
        let first = backlog.upcoming(&Upcoming::default(), 0, 10).unwrap();
        assert_eq!(urls(&first), ["https://h/soon", "https://h/later"]);
        assert_eq!(backlog.take().unwrap().key().id, "soon");
        let second = backlog.upcoming(&first, 1, 10).unwrap();
        assert_eq!(urls(&second), ["https://h/later"]);
        backlog.stop();
        assert!(backlog.upcoming(&second, 1, 10).is_none());
    }

    fn delivery(id: &str, class: &str, number: u64) -> Delivery {
        let text = format!(r#"{{"schema":1,"id":"{id}","language":"c","files":[],"problem":{{"ref":"x"}}}}"#);
        Delivery {
            submission: serde_json::from_str(&text).unwrap(),
            tag: Tag { connection: 0, delivery: number },
            class: class.parse().unwrap(),
            redelivered: false,
            correlation_id: None,
            refusal: None,
            arrived: Instant::now(),
        }
    }

    fn offer(backlog: &Backlog, delivery: Delivery) {
        assert_eq!(backlog.offer(delivery).unwrap(), Offer::Taken);
    }

    fn key(id: &str) -> Key {
        Key { id: id.to_owned(), judging: "1".to_owned() }
    }

    fn taken(backlog: &Backlog) -> String {
        backlog.take().unwrap().delivery.submission.id.clone()
    }

    #[test]
    fn a_contest_hardly_waits_and_rejudgings_still_move() {
        let backlog = Backlog::default();
        for number in 0..100 {
            offer(&backlog, delivery(&format!("r{number}"), "rejudge", number));
        }
        assert_eq!(taken(&backlog), "r0");
        for number in 0..100 {
            offer(&backlog, delivery(&format!("c{number}"), "contest", number));
        }
        assert_eq!(taken(&backlog), "c0");
        let next: Vec<String> = (0..26).map(|_| taken(&backlog)).collect();
        let rejudged = next.iter().filter(|id| id.starts_with('r')).count();
        assert_eq!(rejudged, 2, "{next:?}");
    }

    #[test]
    fn a_class_is_given_back_alone() {
        let backlog = Backlog::default();
        for (number, class) in [(1, "contest"), (2, "normal"), (3, "normal")] {
            offer(&backlog, delivery(&number.to_string(), class, number));
        }
        let waits = backlog.longest_waits();
        assert!(waits[0].is_some() && waits[1].is_some() && waits[2].is_none());
        let numbers: Vec<u64> =
            backlog.give_back_class(Priority::Normal).iter().map(|tag| tag.delivery).collect();
        assert_eq!(numbers, [2, 3]);
        assert!(!backlog.has_idle_slot(1) && backlog.has_idle_slot(2));
        assert_eq!(taken(&backlog), "1");
        assert!(!backlog.has_idle_slot(1));
    }

    #[test]
    fn a_submission_that_is_refused_stays_where_others_are_given_back() {
        let backlog = Backlog::default();
        let mut refused = delivery("refused", "normal", 1);
        refused.refusal = Some(Refusal { reason: Reason::Sandbox, message: "too often".to_owned() });
        offer(&backlog, refused);
        offer(&backlog, delivery("judged", "normal", 2));
        assert!(backlog.longest_waits()[1].is_some());
        assert_eq!(backlog.give_back_class(Priority::Normal).len(), 1);
        assert!(backlog.longest_waits()[1].is_none() && backlog.give_back().is_empty());
        assert_eq!(taken(&backlog), "refused");
    }

    #[test]
    fn a_second_delivery_of_a_judging_starts_nothing() {
        let backlog = Backlog::default();
        offer(&backlog, delivery("a", "normal", 1));
        offer(&backlog, delivery("a", "normal", 2));
        assert_eq!(taken(&backlog), "a");
        offer(&backlog, delivery("a", "normal", 3));
        let numbers: Vec<u64> = backlog.finish(&key("a")).iter().map(|tag| tag.delivery).collect();
        assert_eq!(numbers, [1, 2, 3]);
        backlog.close();
        assert!(backlog.take().is_none());
    }

    #[test]
    fn the_same_key_with_other_contents_is_refused() {
        let backlog = Backlog::default();
        offer(&backlog, delivery("a", "normal", 1));
        let mut other = delivery("a", "normal", 2);
        other.submission.language = "cpp20".to_owned();
        let Offer::Conflict(contents) = backlog.offer(other).unwrap() else { panic!("it was taken") };
        let job = backlog.take().unwrap();
        assert_eq!(job.contents, contents);
        assert_eq!(backlog.finish(&key("a")).len(), 1);
    }

    #[test]
    fn a_cancel_is_forgotten_when_its_judging_is_decided_elsewhere() {
        let backlog = Backlog::default();
        backlog.cancel(&key("decided"));
        backlog.cancel(&key("queued"));
        backlog.forget_cancel(KeyDigest::of(&key("decided")));
        offer(&backlog, delivery("decided", "normal", 1));
        offer(&backlog, delivery("queued", "normal", 2));
        let jobs = [backlog.take().unwrap(), backlog.take().unwrap()];
        let cancelled: Vec<_> = jobs.iter().map(|job| (job.key().id, job.cancel.is_cancelled())).collect();
        assert_eq!(cancelled, [("queued".to_owned(), true), ("decided".to_owned(), false)]);
    }

    #[test]
    fn cancels_reach_what_runs_what_waits_and_what_is_still_to_come() {
        let backlog = Backlog::default();
        offer(&backlog, delivery("runs", "normal", 1));
        let running = backlog.take().unwrap();
        backlog.cancel(&key("runs"));
        assert!(running.cancel.is_cancelled());

        offer(&backlog, delivery("first", "normal", 2));
        offer(&backlog, delivery("waits", "rejudge", 3));
        backlog.cancel(&key("waits"));
        let waiting = backlog.take().unwrap();
        assert_eq!(waiting.delivery.submission.id, "waits");
        assert!(waiting.cancel.is_cancelled());

        backlog.cancel(&key("comes"));
        offer(&backlog, delivery("comes", "normal", 4));
        let come = backlog.take().unwrap();
        assert_eq!(come.delivery.submission.id, "comes");
        assert!(come.cancel.is_cancelled());
        assert!(!backlog.take().unwrap().cancel.is_cancelled());
    }

    #[test]
    fn what_is_given_back_stays_cancelled() {
        let backlog = Backlog::default();
        for (number, id) in [(1, "runs"), (2, "waits"), (3, "other")] {
            offer(&backlog, delivery(id, "normal", number));
        }
        assert_eq!(taken(&backlog), "runs");
        backlog.cancel(&key("runs"));
        backlog.cancel(&key("waits"));
        assert_eq!(backlog.return_job(&key("runs")).len(), 1);
        assert_eq!(backlog.give_back().len(), 2);
        for (number, id) in [(4, "runs"), (5, "waits"), (6, "other")] {
            offer(&backlog, delivery(id, "normal", number));
        }
        for (id, is_cancelled) in [("runs", true), ("waits", true), ("other", false)] {
            let job = backlog.take().unwrap();
            assert_eq!((job.key(), job.cancel.is_cancelled()), (key(id), is_cancelled));
        }
    }

    #[test]
    fn nothing_begins_while_any_part_holds_it() {
        let backlog = Backlog::default();
        backlog.hold("one");
        backlog.hold("two");
        offer(&backlog, delivery("a", "normal", 1));
        std::thread::scope(|scope| {
            let taker = scope.spawn(|| taken(&backlog));
            backlog.release("one");
            assert!(!taker.is_finished());
            assert_eq!(backlog.give_back().len(), 1);
            offer(&backlog, delivery("b", "normal", 2));
            backlog.release("two");
            assert_eq!(taker.join().unwrap(), "b");
        });
    }

    #[test]
    fn what_waits_can_be_cancelled_as_a_whole() {
        let backlog = Backlog::default();
        for (number, id) in [(1, "a"), (2, "b")] {
            offer(&backlog, delivery(id, "normal", number));
        }
        let running = backlog.take().unwrap();
        backlog.cancel_waiting();
        assert!(backlog.wait_for_close(Duration::ZERO));
        assert!(!running.cancel.is_cancelled());
        assert!(backlog.take().unwrap().cancel.is_cancelled());
        assert!(backlog.take().is_none());
    }

    #[test]
    fn stopping_gives_back_what_waits_and_keeps_what_runs() {
        let backlog = Backlog::default();
        for (number, id) in [(1, "a"), (2, "b"), (3, "c")] {
            offer(&backlog, delivery(id, "normal", number));
        }
        let running = backlog.take().unwrap();
        assert_eq!(backlog.stop().len(), 2);
        assert!(backlog.take().is_none());
        assert_eq!(backlog.offer(delivery("d", "normal", 4)).unwrap(), Offer::Closed);
        assert!(!backlog.wait_until_idle(Duration::ZERO));
        backlog.abandon();
        assert!(running.cancel.is_cancelled());
        assert_eq!(backlog.finish(&key("a")).len(), 1);
        assert!(backlog.wait_until_idle(Duration::ZERO));
    }
}
