//! Supervises one run: starts it, watches for its result, its CPU time, wall time, memory and output and for
//! cancellation, and reads the counters when all its processes are dead.
//!
//! Only the result message of box init ends a run; at a limit the supervisor kills. Timers are armed for the earliest
//! moment at which a limit can be reached and re-armed until it is, so a program within its limits causes no wake-ups but
//! the looks at its page cache.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sched::{CpuSet, sched_getaffinity};
use nix::sys::time::TimeSpec;
use nix::unistd::Pid;

use super::box_handle::{BoxHandle, InitTime};
use super::meter::{Meter, Processes};
use super::process_tree;
use super::resource_limits::resource_limits;
use super::streams::{Source, Writer};
use super::wall_limit::{LARGEST_STRETCH, Stretch, stretch};
use crate::cancel::CancelToken;
use crate::sandbox::command::{Command, Exit, Limits, MemorySource, Outcome, Stopped};
use crate::sandbox::error::SandboxError;
use crate::sandbox::init::message::{End, KILL, RunRequest, RunResult, step_name};
use crate::sandbox::keeper::message::Role;
use crate::sandbox::shape::Profile;
use crate::sandbox::sys::wire;
use crate::units::Bytes;

/// The longest time from a kill to the result before the box counts as lost. The kernel takes up to about 0.2 s per GiB
/// to free the memory of a large program.
const GRACE: Duration = Duration::from_secs(20);

/// The shortest pause between two reads of output while a program runs: one that writes byte by byte would otherwise wake
/// the worker at every byte.
const OUTPUT_INTERVAL: Duration = Duration::from_millis(1);

/// How long ready threads must not have run to count as waiting: the kernel updates their figures with each tick that they
/// run through (at most 10 ms).
const QUEUE_INTERVAL: Duration = Duration::from_millis(25);

/// The time of the first look at the page cache of a run, also the pause between looks while it grows; and the longest
/// pause. Most runs end before the first look, or have no page cache.
const FIRST_LOOK: Duration = Duration::from_millis(2);
const LONGEST_LOOK: Duration = Duration::from_millis(16);

/// The pause between two samples of usage without cgroups.
const SAMPLING_INTERVAL: Duration = Duration::from_millis(10);

/// The directories searched for programs without a slash in their name.
const SEARCH_PATH: [&str; 3] = ["/usr/local/bin/", "/usr/bin/", "/bin/"];

impl BoxHandle {
    /// Runs one command to its end, to a limit, or until one of `cancel` is cancelled. If a command has run since the work
    /// directory was new, the directory is replaced first. When this returns, no process of the run is alive.
    ///
    /// # Errors
    /// [`SandboxError::Command`] when the command cannot be sent. Any other error is a fault of the sandbox; the box must
    /// then be dropped, and refuses further runs.
    pub fn run(&mut self, command: Command<'_>, cancel: &[&CancelToken]) -> Result<Outcome, SandboxError> {
        let keeper = Arc::clone(&self.keeper);
        let longest = command.limits.wall.map(|wall| wall.saturating_mul(LARGEST_STRETCH));
        let _step = keeper.deadlines.begin("a run in a box", longest);
        let mut run = Run::begin(self, command, None)?;
        loop {
            let now = Instant::now();
            let taking_output = run.takes_output(now);
            let next = run.next(taking_output);
            let ready = {
                let mut watched = Vec::new();
                let part = run.watch(&mut watched, taking_output, cancel);
                sleep_until(&mut watched, next)
                    .map_err(|errno| SandboxError::on("watch", run.handle.name(), errno))?;
                part.ready(&watched)
            };
            if ready.result {
                return run.finish();
            }
            run.attend(&ready)?;
        }
    }
}

/// Sleeps until a descriptor is ready or until `next`.
pub(crate) fn sleep_until(watched: &mut [PollFd<'_>], next: Option<Instant>) -> Result<(), Errno> {
    let timeout = next.map(|next| TimeSpec::from(next.saturating_duration_since(Instant::now())));
    match ppoll(watched, timeout, None) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Builds the message to box init.
fn request(
    argv: &[String],
    env: &[String],
    directory: &str,
    limits: &Limits,
    handle: &BoxHandle,
) -> Result<RunRequest, SandboxError> {
    let string = |text: &str| {
        CString::new(text)
            .map_err(|_| SandboxError::Command { detail: format!("{text:?} contains a NUL byte") })
    };
    let strings = |texts: &[String]| texts.iter().map(|text| string(text)).collect::<Result<Vec<_>, _>>();
    let program =
        argv.first().ok_or_else(|| SandboxError::Command { detail: "it has no program name".to_owned() })?;
    let paths = if program.contains('/') {
        vec![string(program)?]
    } else {
        SEARCH_PATH.iter().map(|path| string(&format!("{path}{program}"))).collect::<Result<_, _>>()?
    };
    Ok(RunRequest {
        limits: resource_limits(limits, handle.control, handle.shape.profile, &handle.hard_limits),
        paths,
        argv: strings(argv)?,
        envp: strings(env)?,
        directory: string(directory)?,
    })
}

/// Sends a request to box init, with the streams of the program and its cgroup.
fn send(handle: &BoxHandle, request: &RunRequest, streams: [BorrowedFd<'_>; 3]) -> Result<(), SandboxError> {
    let leaf = handle.meter.as_ref().and_then(|meter| meter.file(Role::Leaf));
    let descriptors: Vec<_> = streams.into_iter().chain(leaf).collect();
    wire::send(handle.socket.as_fd(), &request.encode(), &descriptors).map_err(|error| {
        match error.raw_os_error() {
            Some(libc::E2BIG) => {
                SandboxError::Command { detail: "its arguments are longer than 128 KiB".to_owned() }
            }
            _ => SandboxError::BoxLost { name: handle.name(), detail: error.to_string() },
        }
    })
}

/// Returns the number of cores that an unpinned box may use: those of this process, whose mask the keeper inherits. A CPU
/// quota does not reduce them, since all of them run for a part of each period.
fn usable_cores() -> u32 {
    let set = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
    let count = (0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or(false)).count();
    u32::try_from(count).unwrap_or(1).max(1)
}

/// Receives the result from box init; a box whose init has died is lost.
fn receive_result(handle: &mut BoxHandle) -> Result<RunResult, SandboxError> {
    let lost = |detail: String| SandboxError::BoxLost { name: format!("box-{}", handle.number), detail };
    match handle.inbox.receive(handle.socket.as_fd()) {
        Ok(Some((bytes, _))) => {
            RunResult::decode(bytes).ok_or_else(|| lost("its init sent an invalid result".to_owned()))
        }
        Ok(None) => Err(lost("its init has died".to_owned())),
        Err(error) => Err(lost(error.to_string())),
    }
}

/// The usage of a finished run.
struct Usage {
    cpu: Duration,
    memory: Bytes,
    memory_bound: Option<Bytes>,
    memory_source: MemorySource,
}

/// Returns the largest resident size of a process of the run; `None` near box init's own size, where the peak may be
/// init's, which must not decide anything.
fn resident(result: &RunResult) -> Option<Bytes> {
    let is_its_own = result.max_rss_kib > result.floor_kib.saturating_add(256);
    is_its_own.then(|| Bytes::kib(result.max_rss_kib))
}

/// One run in progress, with its limits and timers.
pub(crate) struct Run<'a> {
    handle: &'a mut BoxHandle,
    limits: Limits,
    stdout: Source<'a>,
    stderr: Source<'a>,
    cores: u32,
    started: Instant,
    /// Start of the wall limit's clock; `None` while it is stopped.
    wall_from: Option<Instant>,
    /// Wall time that does not count.
    forgiven: Duration,
    /// Whether reaching the wall limit kills the run; otherwise the caller decides.
    stops_for_wall: bool,
    cpu_check: Option<Instant>,
    wall_check: Option<Instant>,
    sample_check: Option<Instant>,
    look_check: Option<Instant>,
    look_interval: Duration,
    /// When to read the pressure for the first time.
    pressure_check: Option<Instant>,
    take_output_from: Instant,
    stopped: Vec<Stopped>,
    /// The time without a core, where the run was stopped for it.
    starved: Option<Duration>,
    killed: Option<Instant>,
    sampled: process_tree::Sample,
    sampler: Option<process_tree::Sampler>,
    /// Its threads when the wall limit was last checked, where the kernel does not count how long the group waited.
    last_threads: Option<(Instant, process_tree::Threads)>,
    /// Bytes of files in the work directory when the run began; only without cgroups.
    files_before: Bytes,
}

/// The ends of the pipes that connect a program with another one.
pub(crate) struct PipeEnds {
    pub stdin: OwnedFd,
    pub stdout: OwnedFd,
}

impl<'a> Run<'a> {
    /// Sends the command to box init. `pipes` replace its standard input and output.
    pub(crate) fn begin(
        handle: &'a mut BoxHandle,
        command: Command<'a>,
        pipes: Option<PipeEnds>,
    ) -> Result<Self, SandboxError> {
        let is_compared = handle.prepare_run(&command.limits)?;
        let Command { argv, env, directory, stdin, stdout, stderr, limits } = command;
        if let Some(meter) = &mut handle.meter {
            meter.arm(&limits, is_compared)?;
        }
        let request = match request(argv, env, directory, &limits, handle) {
            Ok(request) => request,
            Err(error) => return Err(handle.not_sent(error)),
        };
        let (stdin_pipe, stdout_pipe) =
            pipes.map_or((None, None), |PipeEnds { stdin, stdout }| (Some(stdin), Some(stdout)));
        let (stdout, stdout_writer) = match stdout_pipe {
            Some(pipe) => (Source::Inherited, Writer::Pipe(pipe)),
            None => Source::new(stdout, limits.output)?,
        };
        stdout.widen();
        let (stderr, stderr_writer) = Source::new(stderr, None)?;
        let stdin = stdin_pipe.as_ref().map_or(stdin, AsFd::as_fd);
        if let Err(error) = send(handle, &request, [stdin, stdout_writer.as_fd(), stderr_writer.as_fd()]) {
            return Err(handle.not_sent(error));
        }
        Ok(Self::sent(handle, limits, stdout, stderr))
    }

    /// Starts the clocks of a run whose command was just sent.
    fn sent(handle: &'a mut BoxHandle, limits: Limits, stdout: Source<'a>, stderr: Source<'a>) -> Self {
        let started = Instant::now();
        // A core that runs nothing but the box uses at most its wall time.
        let cores = if handle.pinned { 1 } else { usable_cores() };
        let sampler = handle.meter.is_none().then(|| process_tree::Sampler::new(handle.init));
        let files_before = if handle.meter.is_none() { handle.workspace_use() } else { Bytes(0) };
        Self {
            cpu_check: limits.cpu.map(|limit| started + limit / cores),
            wall_check: limits.wall.map(|limit| started + limit),
            sample_check: sampler.is_some().then(|| started + SAMPLING_INTERVAL),
            // Runtimes are threads: their figure is the group's peak whatever is seen.
            look_check: (handle.meter.is_some() && handle.shape.profile == Profile::Native)
                .then(|| started + FIRST_LOOK),
            look_interval: FIRST_LOOK,
            pressure_check: handle.meter.is_some().then(|| started + FIRST_LOOK),
            take_output_from: started + OUTPUT_INTERVAL,
            handle,
            limits,
            stdout,
            stderr,
            cores,
            started,
            wall_from: Some(started),
            forgiven: Duration::ZERO,
            stops_for_wall: true,
            stopped: Vec::new(),
            starved: None,
            killed: None,
            sampled: process_tree::Sample::default(),
            sampler,
            last_threads: None,
            files_before,
        }
    }

    /// Receives the result and reads the counters, when the box has one.
    pub(crate) fn finish(mut self) -> Result<Outcome, SandboxError> {
        let result = self.receive_result()?;
        if let Some(starved) = self.starved {
            return Err(SandboxError::BoxLost {
                name: self.handle.name(),
                detail: format!(
                    "the host gave its programs no core for {:.1} s of {:.1} s",
                    starved.as_secs_f64(),
                    self.started.elapsed().as_secs_f64()
                ),
            });
        }
        for (source, name) in [(&mut self.stdout, "standard output"), (&mut self.stderr, "standard error")] {
            source.drain().map_err(|error| SandboxError::on("read", name, error))?;
        }
        if self.stdout.is_over() {
            self.note(Stopped::Output);
        }
        let usage = if self.handle.meter.is_some() {
            self.metered_usage(&result)?
        } else {
            self.sampled_usage(&result)
        };
        self.handle.make_readable()?;
        self.handle.broken = false;
        Ok(Outcome {
            exit: match result.end {
                End::Exited(code) => Exit::Code(code),
                End::Signaled(signal) => Exit::Signal(signal),
                End::NotStarted { step, errno } => Exit::NotStarted { step: step_name(step), errno },
            },
            stopped: self.stopped,
            cpu: usage.cpu,
            wall: result.wall,
            memory: usage.memory,
            memory_bound: usage.memory_bound,
            memory_source: usage.memory_source,
            output_bytes: self.stdout.total(),
            asked_to_end: result.asked_to_end,
        })
    }

    /// Receives the result. A box whose init has died is lost, unless it died because the run used up its memory.
    fn receive_result(&mut self) -> Result<RunResult, SandboxError> {
        let handle = &mut *self.handle;
        match receive_result(handle) {
            // Where init shares a v1 group with the program, the kernel may kill it when memory runs out: files in memory
            // belong to no process, and then init may be the largest one.
            Err(SandboxError::BoxLost { .. })
                if handle.meter.as_ref().is_some_and(Meter::ran_out_of_memory) =>
            {
                handle.lost = true;
                Ok(RunResult::of_lost_box(self.started.elapsed()))
            }
            other => other,
        }
    }

    /// Returns the usage by the counters of the cgroups.
    fn metered_usage(&mut self, result: &RunResult) -> Result<Usage, SandboxError> {
        let handle = &mut *self.handle;
        let may_have_cache =
            handle.meter.as_ref().is_some_and(|meter| result.disk_reads > 0 || meter.saw_cache());
        let is_written = may_have_cache && handle.is_written();
        let Some(meter) = &mut handle.meter else { return Ok(self.sampled_usage(result)) };
        let usage = meter.finish(Processes {
            disk_reads: result.disk_reads > 0,
            alone: result.births == Some(0),
            resident: (!is_written).then(|| resident(result).unwrap_or_default()),
        })?;
        let own = handle.init_time.as_mut().map_or(Duration::ZERO, |time| time.since_last(result.init_cpu));
        if usage.out_of_memory {
            self.note(Stopped::Memory);
        }
        Ok(Usage {
            cpu: usage.cpu.saturating_sub(own),
            memory: usage.memory,
            memory_bound: Some(usage.memory_bound),
            memory_source: usage.memory_source,
        })
    }

    /// Returns the usage by samples and by box init's account, without cgroups.
    fn sampled_usage(&mut self, result: &RunResult) -> Usage {
        let files = Bytes(self.handle.workspace_use().0.saturating_sub(self.files_before.0));
        let seen = self.sampled.memory.max(files);
        let certain = resident(result).map_or(seen, |resident| seen.max(resident));
        let limit = self.limits.memory.unwrap_or(Bytes(u64::MAX));
        if certain > limit {
            self.note(Stopped::Memory);
        }
        // Files at the end use memory besides the peak of a process.
        let shown = seen.max(Bytes(Bytes::kib(result.max_rss_kib).0.saturating_add(files.0)));
        Usage {
            cpu: result.reaped_cpu.max(self.sampled.cpu),
            memory: if self.stopped.contains(&Stopped::Memory) { shown } else { shown.min(limit) },
            memory_bound: None,
            memory_source: MemorySource::Processes,
        }
    }

    /// Notes a limit that was hit, once.
    fn note(&mut self, reason: Stopped) {
        if !self.stopped.contains(&reason) {
            self.stopped.push(reason);
        }
    }

    /// Returns whether to read output now, rather than after a pause.
    pub(crate) fn takes_output(&self, now: Instant) -> bool {
        now >= self.take_output_from
    }

    /// Returns the time of the next check.
    pub(crate) fn next(&self, taking_output: bool) -> Option<Instant> {
        let has_output = self.stdout.is_open() || self.stderr.is_open();
        [
            self.cpu_check.filter(|_| self.killed.is_none()),
            self.wall_check.filter(|_| self.killed.is_none()),
            self.sample_check.filter(|_| self.killed.is_none()),
            self.look_check.filter(|_| self.killed.is_none()),
            self.pressure_check.filter(|_| self.killed.is_none()),
            self.killed.map(|killed| killed + GRACE),
            (!taking_output && has_output).then_some(self.take_output_from),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Returns the process id of box init.
    pub(crate) fn init(&self) -> i32 {
        self.handle.init
    }

    /// Adds the descriptors to wait for; [`Part::ready`] interprets them afterwards.
    pub(crate) fn watch<'run>(
        &'run self,
        watched: &mut Vec<PollFd<'run>>,
        taking_output: bool,
        cancel: &'run [&CancelToken],
    ) -> Part {
        let watching = self.killed.is_none();
        let first = watched.len();
        let add = |watched: &mut Vec<PollFd<'run>>, descriptor| {
            watched.push(PollFd::new(descriptor, PollFlags::POLLIN));
        };
        add(watched, self.handle.socket.as_fd());
        let outputs = [&self.stdout, &self.stderr];
        for descriptor in outputs.into_iter().filter(|_| taking_output).filter_map(Source::descriptor) {
            add(watched, descriptor);
        }
        let after_outputs = watched.len();
        if let Some(event) = self.meter().and_then(|meter| meter.file(Role::OutOfMemory)).filter(|_| watching)
        {
            add(watched, event);
        }
        let after_memory = watched.len();
        for token in cancel.iter().filter(|_| watching) {
            add(watched, token.as_fd());
        }
        Part { first, after_outputs, after_memory, end: watched.len() }
    }

    /// Handles everything that happens before the result comes.
    pub(crate) fn attend(&mut self, ready: &Ready) -> Result<(), SandboxError> {
        let now = Instant::now();
        if self.killed.is_some_and(|killed| now >= killed + GRACE) {
            return Err(SandboxError::BoxLost {
                name: self.handle.name(),
                detail: format!("its processes were not gone {} s after they were killed", GRACE.as_secs()),
            });
        }
        if ready.output {
            let failed = |error| SandboxError::on("read", "the output of a program", error);
            let full = self.stdout.take().map_err(failed)? | self.stderr.take().map_err(failed)?;
            // A program that fills its pipe must not wait for the worker.
            self.take_output_from = if full { now } else { now + OUTPUT_INTERVAL };
            if self.stdout.is_over() {
                self.stop(Stopped::Output);
            }
        }
        if ready.cancelled {
            self.stop(Stopped::Cancelled);
        }
        if ready.out_of_memory {
            if let Some(meter) = self.meter() {
                meter.reset_event();
            }
            self.stop(Stopped::Memory);
        }
        if self.killed.is_some() {
            return Ok(());
        }
        if self.sample_check.is_some_and(|at| now >= at) {
            self.sample();
            self.sample_check = Some(now + SAMPLING_INTERVAL);
        }
        if self.pressure_check.take_if(|at| now >= *at).is_some() {
            let elapsed = now.saturating_duration_since(self.started);
            if let Some(meter) = &mut self.handle.meter {
                meter.begin_pressure(elapsed);
            }
        }
        if self.look_check.is_some_and(|at| now >= at) {
            self.look(now)?;
        }
        if self.cpu_check.is_some_and(|at| now >= at) {
            self.check_cpu(now)?;
        }
        let is_due = self.wall_check.is_some_and(|at| now >= at);
        if is_due && self.killed.is_none() && self.stops_for_wall && self.is_late(now)? {
            self.stop(Stopped::Wall);
        }
        Ok(())
    }

    fn meter(&self) -> Option<&Meter> {
        self.handle.meter.as_ref()
    }

    /// Returns the CPU time of the programs so far, never more than [`Run::finish`] will report.
    pub(crate) fn cpu_so_far(&mut self) -> Result<Duration, SandboxError> {
        match self.meter() {
            Some(meter) => {
                let used = meter.cpu_so_far()?;
                Ok(used
                    .saturating_sub(self.handle.init_time.as_ref().map_or(Duration::ZERO, InitTime::so_far)))
            }
            None => {
                self.sample();
                Ok(self.sampled.cpu)
            }
        }
    }

    /// Kills at the CPU limit, or schedules the next check for the earliest moment at which it can be reached.
    fn check_cpu(&mut self, now: Instant) -> Result<(), SandboxError> {
        self.cpu_check = None;
        let Some(limit) = self.limits.cpu else { return Ok(()) };
        let used = self.cpu_so_far()?;
        if used > limit {
            self.stop(Stopped::Cpu);
        } else {
            self.cpu_check = Some(now + ((limit - used) / self.cores).max(Duration::from_micros(500)));
        }
        Ok(())
    }

    /// Returns whether the wall limit is reached, or schedules the next check for the earliest moment at which it can be.
    pub(crate) fn is_late(&mut self, now: Instant) -> Result<bool, SandboxError> {
        if self.killed.is_some() || self.wall_check.is_none_or(|at| now < at) {
            return Ok(false);
        }
        let end = self.wall_end(now)?;
        self.wall_check = end.map(|end| end.max(now + Duration::from_millis(1)));
        Ok(end.is_some_and(|end| now >= end))
    }

    /// Leaves the decision at the wall limit to the caller of [`Run::is_late`].
    pub(crate) fn leave_wall(&mut self) {
        self.stops_for_wall = false;
    }

    /// Stops the clock of the wall limit until [`Run::begin_wall`].
    pub(crate) fn hold_wall(&mut self) {
        (self.wall_from, self.wall_check) = (None, None);
    }

    /// Starts the clock of the wall limit.
    pub(crate) fn begin_wall(&mut self) {
        let now = Instant::now();
        (self.wall_from, self.wall_check) = (Some(now), self.limits.wall.map(|limit| now + limit));
    }

    /// Returns whether the wall limit is reached if the time `forgiven` does not count.
    pub(crate) fn is_late_after(&mut self, forgiven: Duration, now: Instant) -> Result<bool, SandboxError> {
        self.forgiven = forgiven;
        let end = self.wall_end(now)?;
        self.wall_check = end.map(|end| end.max(now + Duration::from_millis(1)));
        Ok(end.is_some_and(|end| now >= end))
    }

    /// Returns the end of the wall limit, extended by the time the host gave the box no core so far.
    fn wall_end(&mut self, now: Instant) -> Result<Option<Instant>, SandboxError> {
        let (Some(limit), Some(from)) = (self.limits.wall, self.wall_from) else { return Ok(None) };
        let elapsed = now.saturating_duration_since(self.started);
        let used = self.cpu_so_far()?;
        // Box init needs a core too, before there is a program.
        let unborn = elapsed.saturating_sub(process_tree::age(self.handle.init).unwrap_or_default());
        let starved = match self.meter().and_then(Meter::starved_so_far) {
            Some(starved) => starved,
            None => match self.starved_by_threads(used, now) {
                Some(starved) => starved,
                // No thread has run since the last check: the host gives none a core.
                None if elapsed < limit.saturating_mul(LARGEST_STRETCH) => {
                    return Ok(Some(now + QUEUE_INTERVAL));
                }
                None => elapsed,
            },
        };
        let Stretch { by, starved } = stretch(limit, elapsed, used / self.cores, unborn + starved);
        let end = from + limit + self.forgiven + by;
        self.starved = starved.filter(|_| now >= end);
        Ok(Some(end))
    }

    /// Returns how long the host gave the box no core, by the kernel's figures of its threads; `None` while they wait for
    /// one, which the kernel adds when they get it. They may have begun to wait again since the last check.
    fn starved_by_threads(&mut self, used: Duration, now: Instant) -> Option<Duration> {
        let threads = process_tree::threads(self.handle.init);
        let last = self.last_threads.replace((now, threads));
        let waited = threads.longest.saturating_sub(used);
        if !threads.are_ready {
            return Some(waited);
        }
        let (looked, last) = last?;
        (last.scheduled != threads.scheduled).then(|| waited + now.saturating_duration_since(looked))
    }

    /// Looks at the page cache of the group; the next look is soon where it grows.
    fn look(&mut self, now: Instant) -> Result<(), SandboxError> {
        let Some(meter) = &mut self.handle.meter else { return Ok(()) };
        let grows = meter.look()?;
        self.look_interval =
            if grows { FIRST_LOOK } else { self.look_interval.saturating_mul(2).min(LONGEST_LOOK) };
        self.look_check = Some(now + self.look_interval);
        Ok(())
    }

    /// Samples the usage, without cgroups.
    fn sample(&mut self) {
        if let Some(sampler) = &self.sampler {
            let mut sample = sampler.sample();
            let files = self.handle.workspace_use().0.saturating_sub(self.files_before.0);
            sample.memory = Bytes(sample.memory.0.saturating_add(files));
            self.sampled.cpu = self.sampled.cpu.max(sample.cpu);
            self.sampled.memory = self.sampled.memory.max(sample.memory);
            if self.limits.memory.is_some_and(|limit| sample.memory > limit) {
                self.stop(Stopped::Memory);
            }
        }
    }

    /// Notes the reason, and kills once.
    pub(crate) fn stop(&mut self, reason: Stopped) {
        self.note(reason);
        if self.killed.is_none() {
            self.killed = Some(Instant::now());
            // Both: the group's kill does not wait until box init gets a core, and init's kill is needed without a group
            // or while the program is not yet in it.
            if let Some(meter) = self.meter() {
                meter.kill();
            }
            // If the send fails, init is dead, which its socket shows.
            let _ = wire::send(self.handle.socket.as_fd(), &[KILL], &[]);
        }
    }
}

/// The part of a list of descriptors that belongs to one run.
pub(crate) struct Part {
    first: usize,
    after_outputs: usize,
    after_memory: usize,
    end: usize,
}

impl Part {
    /// Returns the events of these descriptors.
    pub(crate) fn ready(&self, watched: &[PollFd<'_>]) -> Ready {
        let any = |range: std::ops::Range<usize>| watched.get(range).unwrap_or_default().iter().any(is_ready);
        Ready {
            result: any(self.first..self.first + 1),
            output: any(self.first + 1..self.after_outputs),
            out_of_memory: any(self.after_outputs..self.after_memory),
            cancelled: any(self.after_memory..self.end),
        }
    }
}

/// Returns whether a descriptor has an event.
pub(crate) fn is_ready(polled: &PollFd<'_>) -> bool {
    polled.revents().is_some_and(|events| !events.is_empty())
}

/// The events after a wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ready {
    pub result: bool,
    output: bool,
    out_of_memory: bool,
    cancelled: bool,
}
