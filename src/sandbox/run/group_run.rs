//! Several boxes at once: programs that talk with each other, each with limits and counters of its own.
//!
//! One thread watches them all, so that what happened before what is never a question of who was scheduled. It tells
//! facts alone: who ended how, and whether before or after it had been told that the other had.
//!
//! - A program that has ended is noticed by the other only through us. Where it failed by itself, the other is told when it
//!   sleeps and has read everything: who is just about to leave leaves of its own accord, however slowly it is
//!   scheduled.
//! - A program that closes its standard output and goes on has not ended: who serves it learns of it at its end. The other
//!   way round the end of the words is told at once, when the program sleeps.
//! - Who writes to a program that has ended is not made to wait, nor killed by a signal: it goes nowhere.
//! - Members that serve have all the time the others take: their own wall limit begins when those have ended. In turn
//!   the CPU time they use is no wall time of the others.
//! - When a wall limit comes while a serving member sleeps over words it has not read, that one is stopped for it.

use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags};

use super::channel::Channel;
use super::command::{Command, Exit, Outcome, Stopped};
use super::watch::{self, Joint, LARGEST_STRETCH, Run};
use super::{BoxHandle, SandboxError, tree};
use crate::cancel::CancelToken;

/// How often it is looked whether a program has come to rest that is to be told of an end: first, and when that has not
/// come for long.
const FIRST_LOOK: Duration = Duration::from_micros(200);
const LAST_LOOK: Duration = Duration::from_millis(20);

/// How often a program must be found asleep over what it has not read.
const LOOKS: usize = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// For how long nothing must have been said by either: a program that asks faster than it is answered is not talking
/// to the deaf.
const SILENCE: Duration = Duration::from_millis(500);

/// One of several programs that run at once.
#[derive(Debug)]
pub struct Member<'a> {
    /// Its box.
    pub sandbox_box: &'a mut BoxHandle,
    /// What runs in it. Where programs are joined, its standard input is not used and its standard output must not be
    /// captured; the output limit holds all the same.
    pub command: Command<'a>,
    /// Whether it is there for the others, and they are not there for it.
    pub serves: bool,
}

/// How one of them ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The facts. A member that [`Conversation::on_end`] made needless was [`Stopped::Cancelled`].
    pub outcome: Outcome,
    /// Whether it ended before anybody told it that a program it is joined with had.
    pub unprompted: bool,
}

/// What is asked of several boxes.
pub struct Conversation<'a> {
    /// The programs.
    pub members: Vec<Member<'a>>,
    /// Whether the first two are joined: what either writes to standard output the other reads from standard input.
    pub joined: bool,
    /// Told of everything that a joined member says, in order.
    pub on_words: &'a mut dyn FnMut(usize, &[u8]),
    /// Told of every ending; says whether the rest is needless.
    pub on_end: &'a mut dyn FnMut(usize, &Ending) -> bool,
    /// Called now and then from when a member has ended; joined programs need nothing of the kind.
    pub while_waiting: &'a mut dyn FnMut(),
}

impl std::fmt::Debug for Conversation<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Conversation")
            .field("members", &self.members)
            .field("joined", &self.joined)
            .finish_non_exhaustive()
    }
}

/// Runs all members to their ends. When this returns, nothing of them is alive.
///
/// # Errors
/// As those of [`BoxHandle::run`]; all the boxes must then be dropped.
pub fn run_together(
    conversation: Conversation<'_>,
    cancel: &[&CancelToken],
) -> Result<Vec<Ending>, SandboxError> {
    let Conversation { members, joined, on_words, on_end, while_waiting } = conversation;
    let longest = members.iter().filter_map(|member| member.command.limits.wall).sum::<Duration>();
    let keeper = members.first().map(|member| std::sync::Arc::clone(&member.sandbox_box.keeper));
    let _step = keeper
        .as_ref()
        .map(|keeper| keeper.deadlines.begin("runs in boxes", Some(longest.saturating_mul(LARGEST_STRETCH))));
    let mut together = Together::begin(members, joined)?;
    loop {
        together.take_turn(on_words, on_end, cancel)?;
        if together.places.iter().all(|place| place.ending.is_some()) {
            return Ok(together.places.into_iter().filter_map(|place| place.ending).collect());
        }
        if together.is_thinned() {
            while_waiting();
        }
    }
}

/// A member, running or ended.
struct Place<'a> {
    run: Option<Run<'a>>,
    ending: Option<Ending>,
    serves: bool,
    /// Whether it is stopped for not listening, of its own doing whatever it is told meanwhile.
    is_deaf: bool,
}

struct Together<'a> {
    places: Vec<Place<'a>>,
    channels: Vec<Channel>,
    /// Whether the serving members' wall limits have begun.
    is_last_call: bool,
    /// How long to wait before the next look at whether somebody has come to rest.
    pause: Duration,
}

impl<'a> Together<'a> {
    /// Starts all, those that serve first.
    fn begin(members: Vec<Member<'a>>, joined: bool) -> Result<Self, SandboxError> {
        let mut joints = Vec::new();
        let mut channels = Vec::new();
        if joined && let [first, second, ..] = members.as_slice() {
            let (forth, heard) = Channel::new(0, 1, first.command.limits.output)?;
            let (back, answered) = Channel::new(1, 0, second.command.limits.output)?;
            joints.push((0, Joint { stdin: answered.reader, stdout: heard.writer }));
            joints.push((1, Joint { stdin: heard.reader, stdout: answered.writer }));
            channels.extend([forth, back]);
        }
        let mut places: Vec<_> = members
            .iter()
            .map(|member| Place { run: None, ending: None, serves: member.serves, is_deaf: false })
            .collect();
        let mut members: Vec<_> = members.into_iter().enumerate().collect();
        members.sort_by_key(|(_, member)| !member.serves);
        for (number, Member { sandbox_box, command, serves }) in members {
            let own = joints.iter().position(|(place, _)| *place == number);
            let joint = own.map(|own| joints.swap_remove(own).1);
            let mut run = Run::begin(sandbox_box, command, joint)?;
            if serves {
                run.hold_wall();
            } else {
                run.leave_wall();
            }
            if let Some(place) = places.get_mut(number) {
                place.run = Some(run);
            }
        }
        Ok(Self { places, channels, is_last_call: false, pause: FIRST_LOOK })
    }

    /// Whether only members that serve are left.
    fn is_served(&self) -> bool {
        self.places.iter().all(|place| place.serves || place.ending.is_some())
    }

    /// Whether a member has ended, and programs reach each other by other ways than ours.
    fn is_thinned(&self) -> bool {
        self.channels.is_empty() && self.places.iter().any(|place| place.ending.is_some())
    }

    fn run(&mut self, number: usize) -> Option<&mut Run<'a>> {
        self.places.get_mut(number).and_then(|place| place.run.as_mut())
    }

    /// Waits for something to happen and does what it asks for.
    fn take_turn(
        &mut self,
        on_words: &mut dyn FnMut(usize, &[u8]),
        on_end: &mut dyn FnMut(usize, &Ending) -> bool,
        cancel: &[&CancelToken],
    ) -> Result<(), SandboxError> {
        let ready = self.wait(cancel)?;
        for channel in &mut self.channels {
            let from = channel.from;
            channel
                .pass(&mut |bytes| on_words(from, bytes))
                .map_err(|error| SandboxError::on("pass on", "what a program wrote", error))?;
        }
        for number in 0..self.channels.len() {
            if let Some(from) = self.channels.get(number).filter(|own| own.is_over()).map(|own| own.from)
                && let Some(run) = self.run(from)
            {
                run.stop(Stopped::Output);
            }
        }
        for (number, ready) in ready {
            if ready.result {
                self.end(number, on_words, on_end)?;
                continue;
            }
            self.look_at_the_clock(number)?;
            if let Some(run) = self.run(number) {
                run.attend(&ready)?;
            }
        }
        self.tell_ends();
        if !self.is_last_call && self.is_served() {
            self.is_last_call = true;
            self.places.iter_mut().filter_map(|place| place.run.as_mut()).for_each(Run::begin_wall);
        }
        Ok(())
    }

    /// Sleeps until something happens to anybody, and says what has happened to whom.
    fn wait(&self, cancel: &[&CancelToken]) -> Result<Vec<(usize, watch::Ready)>, SandboxError> {
        let now = Instant::now();
        let mut watched = Vec::new();
        let mut parts = Vec::new();
        let is_restless = self.channels.iter().any(Channel::is_at_end);
        let mut next =
            if is_restless { Some(now + self.pause) } else { self.is_thinned().then(|| now + LAST_LOOK) };
        for (number, place) in self.places.iter().enumerate() {
            let Some(run) = &place.run else { continue };
            let taking_output = run.takes_output(now);
            next = next.into_iter().chain(run.next(taking_output)).min();
            parts.push((number, run.watch(&mut watched, taking_output, cancel)));
        }
        for (descriptor, is_room) in self.channels.iter().filter_map(Channel::awaited) {
            let events = if is_room { PollFlags::POLLOUT } else { PollFlags::POLLIN };
            watched.push(PollFd::new(descriptor, events));
        }
        watch::sleep_until(&mut watched, next)
            .map_err(|errno| SandboxError::on("watch", "several boxes", errno))?;
        Ok(parts.into_iter().map(|(number, part)| (number, part.ready(&watched))).collect())
    }

    /// Takes a result.
    fn end(
        &mut self,
        number: usize,
        on_words: &mut dyn FnMut(usize, &[u8]),
        on_end: &mut dyn FnMut(usize, &Ending) -> bool,
    ) -> Result<(), SandboxError> {
        let Some(run) = self.places.get_mut(number).and_then(|place| place.run.take()) else { return Ok(()) };
        let mut outcome = run.finish()?;
        // What it said last is still in the pipe.
        let own = self.channels.iter_mut().find(|channel| channel.from == number);
        if let Some(channel) = own {
            channel
                .pass(&mut |bytes| on_words(number, bytes))
                .map_err(|error| SandboxError::on("pass on", "what a program wrote", error))?;
            outcome.output_bytes = channel.written();
            if !channel.allows(outcome.output_bytes) && !outcome.stopped.contains(&Stopped::Output) {
                outcome.stopped.push(Stopped::Output);
            }
        }
        let told = self.channels.iter_mut().filter(|channel| channel.to == number).any(|channel| {
            let told = channel.has_told_end();
            channel.tell_end();
            told
        });
        let is_deaf = self.places.get(number).is_some_and(|place| place.is_deaf);
        let ending = Ending { outcome, unprompted: !told || is_deaf };
        let is_decided = on_end(number, &ending);
        if let Some(place) = self.places.get_mut(number) {
            place.ending = Some(ending);
        }
        if is_decided {
            self.places
                .iter_mut()
                .filter_map(|place| place.run.as_mut())
                .for_each(|run| run.stop(Stopped::Cancelled));
        }
        Ok(())
    }

    /// Keeps the wall limit of a member that is served fair to it.
    fn look_at_the_clock(&mut self, number: usize) -> Result<(), SandboxError> {
        if self.places.get(number).is_none_or(|place| place.serves) {
            return Ok(());
        }
        let now = Instant::now();
        let mut served = Duration::ZERO;
        let Some(run) = self.run(number) else { return Ok(()) };
        if !run.is_late(now)? {
            return Ok(());
        }
        for place in self.places.iter_mut().filter(|place| place.serves) {
            served += match (&mut place.run, &place.ending) {
                (Some(run), _) => run.cpu_so_far()?,
                (None, Some(ending)) => ending.outcome.cpu,
                (None, None) => Duration::ZERO,
            };
        }
        let Some(run) = self.run(number) else { return Ok(()) };
        if !run.is_late_after(served, now)? {
            return Ok(());
        }
        let deaf = self.deaf_to(number);
        if let Some(place) = deaf.and_then(|deaf| self.places.get_mut(deaf)) {
            place.is_deaf = true;
            place.run.iter_mut().for_each(|run| run.stop(Stopped::Wall));
        }
        if let Some(run) = self.run(number) {
            run.stop(if deaf.is_some() { Stopped::Cancelled } else { Stopped::Wall });
        }
        Ok(())
    }

    /// The member that sleeps over what this one has said to it, having said nothing itself that is yet to be read.
    fn deaf_to(&self, number: usize) -> Option<usize> {
        let forth = self.channels.iter().find(|channel| channel.from == number)?;
        let back = self.channels.iter().find(|channel| channel.to == number)?;
        let init = self.places.get(forth.to)?.run.as_ref()?.init();
        if !forth.is_quiet_for(SILENCE) || !back.is_quiet_for(SILENCE) {
            return None;
        }
        let is_deaf = (0..LOOKS).all(|look| {
            if look > 0 {
                std::thread::sleep(BETWEEN_LOOKS);
            }
            !forth.is_deserted() && !forth.is_all_read() && back.is_all_read() && tree::is_waiting(init)
        });
        is_deaf.then_some(forth.to)
    }

    /// Tells the end of a stream where it is time.
    fn tell_ends(&mut self) {
        if !self.channels.iter().any(Channel::is_at_end) {
            self.pause = FIRST_LOOK;
            return;
        }
        self.pause = self.pause.saturating_mul(2).min(LAST_LOOK);
        for channel in self.channels.iter_mut().filter(|channel| channel.is_at_end()) {
            let reader = self.places.get(channel.to).and_then(|place| place.run.as_ref());
            let writer = self.places.get(channel.from);
            let is_time = match writer.map(|place| (&place.run, &place.ending, place.serves)) {
                // It has closed its standard output. It may just be ending, which is told when it has.
                Some((Some(run), _, true)) => tree::is_waiting(run.init()),
                // What it goes on to do decides: the other would take it for an end.
                Some((Some(_), _, false)) => false,
                Some((None, Some(Ending { outcome, .. }), _)) => {
                    let has_failed = outcome.stopped.is_empty() && outcome.exit != Exit::Code(0);
                    let is_at_rest = |run: &Run<'_>| channel.is_all_read() && tree::is_waiting(run.init());
                    !has_failed || reader.is_none_or(is_at_rest)
                }
                _ => true,
            };
            if is_time {
                channel.tell_end();
            }
        }
    }
}
