//! Runs programs in several boxes at once, connected by relays, each with limits and counters of its own.
//!
//! One thread watches all of them, so the order of events does not depend on scheduling. It reports facts only: how each
//! program ended, and whether before or after it could notice the end of the other.
//!
//! - A program notices the end of another only through the relay. Where that one failed by itself, the relay is closed when
//!   the reader sleeps and has read everything: a program about to exit exits by itself, however slowly it is scheduled.
//! - A program that closes its standard output and goes on has not ended: a serving participant learns of it at its end. In
//!   the other direction the end of the stream is relayed at once, when the program sleeps.
//! - A program that writes to one that has ended neither waits nor gets a signal: its bytes are dropped.
//! - Serving participants have as long as the others take: their own wall limit begins when those have ended. In turn the
//!   CPU time that they use does not count as wall time of the others.
//! - When a wall limit is reached while a serving participant sleeps over bytes that it has not read, that one is stopped
//!   for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags};

use super::box_handle::BoxHandle;
use super::process_tree;
use super::relay::Relay;
use super::supervisor::{self, PipeEnds, Run};
use super::wall_limit::LARGEST_STRETCH;
use crate::cancel::CancelToken;
use crate::sandbox::command::{Command, Exit, Outcome, Stopped};
use crate::sandbox::error::SandboxError;

/// The first and the longest pause between checks whether a program sleeps, so that its relay may be closed.
const FIRST_LOOK: Duration = Duration::from_micros(200);
const LAST_LOOK: Duration = Duration::from_millis(20);

/// How often a program must be found asleep over unread bytes, and the pause between.
const LOOKS: usize = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// For how long neither program must have written: one that keeps writing is still waiting for a reply, not ignored by
/// its peer.
const SILENCE: Duration = Duration::from_millis(500);

/// One of the programs of a [`GroupRun`].
#[derive(Debug)]
pub struct Participant<'a> {
    /// Its box.
    pub sandbox_box: &'a mut BoxHandle,
    /// The command. Where programs are joined, its standard input is not used and its standard output must not be captured;
    /// the output limit still holds.
    pub command: Command<'a>,
    /// Whether it serves the others, like an interactor, and must outlast them.
    pub serves: bool,
}

/// The end of a participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The facts. A participant stopped because of [`GroupRun::on_end`] was [`Stopped::Cancelled`].
    pub outcome: Outcome,
    /// Whether it ended before the relay told it that its peer had.
    pub unprompted: bool,
}

/// Several programs to run at once, each in a box.
pub struct GroupRun<'a> {
    /// The programs.
    pub participants: Vec<Participant<'a>>,
    /// Whether the first two are joined: the standard output of each is the standard input of the other.
    pub joined: bool,
    /// Called with the index of a joined participant and the bytes that it has written, in order.
    pub on_output: &'a mut dyn FnMut(usize, &[u8]),
    /// Called when a participant ends; returns true to stop the others.
    pub on_end: &'a mut dyn FnMut(usize, &Ending) -> bool,
    /// Called repeatedly once a participant has ended; never for joined programs.
    pub while_waiting: &'a mut dyn FnMut(),
}

impl std::fmt::Debug for GroupRun<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("GroupRun")
            .field("participants", &self.participants)
            .field("joined", &self.joined)
            .finish_non_exhaustive()
    }
}

/// Runs all participants to their ends. When this returns, no process of theirs is alive.
///
/// # Errors
/// As those of [`BoxHandle::run`]; all the boxes must then be dropped.
pub fn run_group(group: GroupRun<'_>, cancel: &[&CancelToken]) -> Result<Vec<Ending>, SandboxError> {
    let GroupRun { participants, joined, on_output, on_end, while_waiting } = group;
    let longest = participants.iter().filter_map(|one| one.command.limits.wall).sum::<Duration>();
    let keeper = participants.first().map(|first| Arc::clone(&first.sandbox_box.keeper));
    let _step = keeper
        .as_ref()
        .map(|keeper| keeper.deadlines.begin("runs in boxes", Some(longest.saturating_mul(LARGEST_STRETCH))));
    let mut group = Group::begin(participants, joined)?;
    loop {
        group.take_turn(on_output, on_end, cancel)?;
        if group.members.iter().all(|member| member.ending.is_some()) {
            return Ok(group.members.into_iter().filter_map(|member| member.ending).collect());
        }
        if group.waits_for_stragglers() {
            while_waiting();
        }
    }
}

/// A participant, running or ended.
struct Member<'a> {
    run: Option<Run<'a>>,
    ending: Option<Ending>,
    serves: bool,
    /// Whether it is stopped because it does not read, so that its end counts as its own.
    ignores_input: bool,
}

/// A group of participants while they run.
struct Group<'a> {
    members: Vec<Member<'a>>,
    relays: Vec<Relay>,
    /// Whether the wall limits of the serving members have begun.
    serving_clock_runs: bool,
    /// The pause before the next check whether a reader sleeps.
    pause: Duration,
}

impl<'a> Group<'a> {
    /// Starts all participants, the serving ones first.
    fn begin(participants: Vec<Participant<'a>>, joined: bool) -> Result<Self, SandboxError> {
        let mut pipes = Vec::new();
        let mut relays = Vec::new();
        if joined && let [first, second, ..] = participants.as_slice() {
            let (forth, second_reads) = Relay::new(0, 1, first.command.limits.output)?;
            let (back, first_reads) = Relay::new(1, 0, second.command.limits.output)?;
            pipes.push((0, PipeEnds { stdin: first_reads.reader, stdout: second_reads.writer }));
            pipes.push((1, PipeEnds { stdin: second_reads.reader, stdout: first_reads.writer }));
            relays.extend([forth, back]);
        }
        let mut members: Vec<_> = participants
            .iter()
            .map(|one| Member { run: None, ending: None, serves: one.serves, ignores_input: false })
            .collect();
        let mut participants: Vec<_> = participants.into_iter().enumerate().collect();
        participants.sort_by_key(|(_, one)| !one.serves);
        for (index, Participant { sandbox_box, command, serves }) in participants {
            let own = pipes.iter().position(|(reader, _)| *reader == index);
            let own = own.map(|own| pipes.swap_remove(own).1);
            let mut run = Run::begin(sandbox_box, command, own)?;
            if serves {
                run.hold_wall();
            } else {
                run.leave_wall();
            }
            if let Some(member) = members.get_mut(index) {
                member.run = Some(run);
            }
        }
        Ok(Self { members, relays, serving_clock_runs: false, pause: FIRST_LOOK })
    }

    /// Returns whether only serving members are left.
    fn only_serving_left(&self) -> bool {
        self.members.iter().all(|member| member.serves || member.ending.is_some())
    }

    /// Returns whether a member has ended and the programs are not joined by relays.
    fn waits_for_stragglers(&self) -> bool {
        self.relays.is_empty() && self.members.iter().any(|member| member.ending.is_some())
    }

    /// Returns the run of a member that has not ended.
    fn run(&mut self, number: usize) -> Option<&mut Run<'a>> {
        self.members.get_mut(number).and_then(|member| member.run.as_mut())
    }

    /// Waits for events and handles them.
    fn take_turn(
        &mut self,
        on_output: &mut dyn FnMut(usize, &[u8]),
        on_end: &mut dyn FnMut(usize, &Ending) -> bool,
        cancel: &[&CancelToken],
    ) -> Result<(), SandboxError> {
        let ready = self.wait(cancel)?;
        for relay in &mut self.relays {
            let from = relay.from;
            relay
                .pass(&mut |bytes| on_output(from, bytes))
                .map_err(|error| SandboxError::on("relay", "the output of a program", error))?;
        }
        for number in 0..self.relays.len() {
            if let Some(from) = self.relays.get(number).filter(|own| own.is_over()).map(|own| own.from)
                && let Some(run) = self.run(from)
            {
                run.stop(Stopped::Output);
            }
        }
        for (number, ready) in ready {
            if ready.result {
                self.end(number, on_output, on_end)?;
                continue;
            }
            self.check_wall(number)?;
            if let Some(run) = self.run(number) {
                run.attend(&ready)?;
            }
        }
        self.close_relays();
        if !self.serving_clock_runs && self.only_serving_left() {
            self.serving_clock_runs = true;
            self.members.iter_mut().filter_map(|member| member.run.as_mut()).for_each(Run::begin_wall);
        }
        Ok(())
    }

    /// Sleeps until an event; returns the events of each member.
    fn wait(&self, cancel: &[&CancelToken]) -> Result<Vec<(usize, supervisor::Ready)>, SandboxError> {
        let now = Instant::now();
        let mut watched = Vec::new();
        let mut parts = Vec::new();
        let may_close = self.relays.iter().any(Relay::is_at_end);
        let mut next = if may_close {
            Some(now + self.pause)
        } else {
            self.waits_for_stragglers().then(|| now + LAST_LOOK)
        };
        for (number, member) in self.members.iter().enumerate() {
            let Some(run) = &member.run else { continue };
            let taking_output = run.takes_output(now);
            next = next.into_iter().chain(run.next(taking_output)).min();
            parts.push((number, run.watch(&mut watched, taking_output, cancel)));
        }
        for (descriptor, is_room) in self.relays.iter().filter_map(Relay::awaited) {
            let events = if is_room { PollFlags::POLLOUT } else { PollFlags::POLLIN };
            watched.push(PollFd::new(descriptor, events));
        }
        supervisor::sleep_until(&mut watched, next)
            .map_err(|errno| SandboxError::on("watch", "several boxes", errno))?;
        Ok(parts.into_iter().map(|(number, part)| (number, part.ready(&watched))).collect())
    }

    /// Receives the result of a member, and stops the others where the caller says so.
    fn end(
        &mut self,
        number: usize,
        on_output: &mut dyn FnMut(usize, &[u8]),
        on_end: &mut dyn FnMut(usize, &Ending) -> bool,
    ) -> Result<(), SandboxError> {
        let Some(run) = self.members.get_mut(number).and_then(|member| member.run.take()) else {
            return Ok(());
        };
        let mut outcome = run.finish()?;
        // Its last output may still be in the pipe.
        let own = self.relays.iter_mut().find(|relay| relay.from == number);
        if let Some(relay) = own {
            relay
                .pass(&mut |bytes| on_output(number, bytes))
                .map_err(|error| SandboxError::on("relay", "the output of a program", error))?;
            outcome.output_bytes = relay.written();
            if !relay.allows(outcome.output_bytes) && !outcome.stopped.contains(&Stopped::Output) {
                outcome.stopped.push(Stopped::Output);
            }
        }
        let was_closed = self.relays.iter_mut().filter(|relay| relay.to == number).any(|relay| {
            let was_closed = relay.is_closed();
            relay.close();
            was_closed
        });
        let ignores_input = self.members.get(number).is_some_and(|member| member.ignores_input);
        let ending = Ending { outcome, unprompted: !was_closed || ignores_input };
        let is_decided = on_end(number, &ending);
        if let Some(member) = self.members.get_mut(number) {
            member.ending = Some(ending);
        }
        if is_decided {
            self.members
                .iter_mut()
                .filter_map(|member| member.run.as_mut())
                .for_each(|run| run.stop(Stopped::Cancelled));
        }
        Ok(())
    }

    /// Stops a member that is served at its wall limit, not counting the CPU time of the serving ones.
    fn check_wall(&mut self, number: usize) -> Result<(), SandboxError> {
        if self.members.get(number).is_none_or(|member| member.serves) {
            return Ok(());
        }
        let now = Instant::now();
        let mut served = Duration::ZERO;
        let Some(run) = self.run(number) else { return Ok(()) };
        if !run.is_late(now)? {
            return Ok(());
        }
        for member in self.members.iter_mut().filter(|member| member.serves) {
            served += match (&mut member.run, &member.ending) {
                (Some(run), _) => run.cpu_so_far()?,
                (None, Some(ending)) => ending.outcome.cpu,
                (None, None) => Duration::ZERO,
            };
        }
        let Some(run) = self.run(number) else { return Ok(()) };
        if !run.is_late_after(served, now)? {
            return Ok(());
        }
        let ignoring = self.ignoring_peer(number);
        if let Some(member) = ignoring.and_then(|ignoring| self.members.get_mut(ignoring)) {
            member.ignores_input = true;
            member.run.iter_mut().for_each(|run| run.stop(Stopped::Wall));
        }
        if let Some(run) = self.run(number) {
            run.stop(if ignoring.is_some() { Stopped::Cancelled } else { Stopped::Wall });
        }
        Ok(())
    }

    /// Returns the peer of a member, if it sleeps over unread bytes of this one while all of its own have been read.
    fn ignoring_peer(&self, number: usize) -> Option<usize> {
        let forth = self.relays.iter().find(|relay| relay.from == number)?;
        let back = self.relays.iter().find(|relay| relay.to == number)?;
        let init = self.members.get(forth.to)?.run.as_ref()?.init();
        if !forth.is_quiet_for(SILENCE) || !back.is_quiet_for(SILENCE) {
            return None;
        }
        let is_ignoring = (0..LOOKS).all(|look| {
            if look > 0 {
                std::thread::sleep(BETWEEN_LOOKS);
            }
            !forth.has_no_reader()
                && !forth.is_all_read()
                && back.is_all_read()
                && process_tree::is_waiting(init)
        });
        is_ignoring.then_some(forth.to)
    }

    /// Closes the relays whose reader may now learn of the end of the stream.
    fn close_relays(&mut self) {
        if !self.relays.iter().any(Relay::is_at_end) {
            self.pause = FIRST_LOOK;
            return;
        }
        self.pause = self.pause.saturating_mul(2).min(LAST_LOOK);
        for relay in self.relays.iter_mut().filter(|relay| relay.is_at_end()) {
            let reader = self.members.get(relay.to).and_then(|member| member.run.as_ref());
            let writer = self.members.get(relay.from);
            let is_time = match writer.map(|member| (&member.run, &member.ending, member.serves)) {
                // The writer has closed its standard output. If it is exiting, the relay is closed after its end.
                Some((Some(run), _, true)) => process_tree::is_waiting(run.init()),
                // The writer goes on: its peer would take the end of the stream for the end of the program.
                Some((Some(_), _, false)) => false,
                Some((None, Some(Ending { outcome, .. }), _)) => {
                    let has_failed = outcome.stopped.is_empty() && outcome.exit != Exit::Code(0);
                    let sleeps = |run: &Run<'_>| relay.is_all_read() && process_tree::is_waiting(run.init());
                    !has_failed || reader.is_none_or(sleeps)
                }
                _ => true,
            };
            if is_time {
                relay.close();
            }
        }
    }
}
