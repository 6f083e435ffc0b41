//! One run, seen from outside: starts it, watches {result, CPU, wall, memory, output, cancellation}, reads the
//! counters when everything is dead.
//!
//! The result message of box init is the only thing that ends a run; a limit only makes us kill. Timers are
//! armed for the earliest moment a limit can be reached and re-armed until it is, so a program that keeps
//! within its limits costs no wake-ups but the looks at its page cache.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sched::{CpuSet, sched_getaffinity};
use nix::sys::time::TimeSpec;
use nix::unistd::Pid;

use super::box_handle::{BoxHandle, InitTime};
use super::cgroup::{Meter, Processes, Role};
use super::child::STEPS;
use super::command::{Command, Exit, Limits, MemorySource, Outcome, Stopped};
use super::resource_limits::resource_limits;
use super::run_message::{End, KILL, RunRequest, RunResult};
use super::streams::{Source, Writer};
use super::{Profile, SandboxError, tree, wire};
use crate::cancel::CancelToken;
use crate::units::Bytes;

/// How long a box may take from being killed to its result before it is given up. Freeing the memory of a
/// large program takes the kernel up to about 0.2 s a GiB.
const GRACE: Duration = Duration::from_secs(20);

/// A wall limit is stretched by the time the host gave the box no core, but never beyond this factor: a run that the host
/// starved for longer ends as a fault of the host.
pub(super) const LARGEST_STRETCH: u32 = 10;

/// Output is taken at most this often while a program runs: a program that writes byte by byte would otherwise
/// wake us at every byte.
const OUTPUT_INTERVAL: Duration = Duration::from_millis(1);

/// How long threads that are ready must not have run to count as waiting: the kernel brings their figures up to date with
/// each tick that they run through (at most 10 ms).
const QUEUE_INTERVAL: Duration = Duration::from_millis(25);

/// When the page cache of a run is looked at first, and how often at least, and while it grows. Most runs are over by
/// then, or find nothing.
const FIRST_LOOK: Duration = Duration::from_millis(2);
const LONGEST_LOOK: Duration = Duration::from_millis(16);

/// How often usage is sampled where no cgroup counts it.
const SAMPLING_INTERVAL: Duration = Duration::from_millis(10);

/// Where programs without a slash in their name are looked for.
const SEARCH_PATH: [&str; 3] = ["/usr/local/bin/", "/usr/bin/", "/bin/"];

/// Runs `command` in the box.
pub(super) fn run(
    handle: &mut BoxHandle,
    command: Command<'_>,
    cancel: &[&CancelToken],
) -> Result<Outcome, SandboxError> {
    let mut run = Run::begin(handle, command, None)?;
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

/// Sleeps until something happens or `next` comes.
pub(super) fn sleep_until(watched: &mut [PollFd<'_>], next: Option<Instant>) -> Result<(), Errno> {
    let timeout = next.map(|next| TimeSpec::from(next.saturating_duration_since(Instant::now())));
    match ppoll(watched, timeout, None) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// The message to box init.
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
        limits: resource_limits(limits, handle),
        paths,
        argv: strings(argv)?,
        envp: strings(env)?,
        directory: string(directory)?,
    })
}

/// The cores that a box without one of its own may use: those of this process, whose mask the keeper inherits. A CPU
/// quota does not lessen them, since it lets all of them run for a part of each period.
fn usable_cores() -> u32 {
    let set = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
    let count = (0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or(false)).count();
    u32::try_from(count).unwrap_or(1).max(1)
}

/// How much longer than its wall limit a run may take because the host gave its programs no core for `starved`. Time they
/// were served in is not the host's, whatever the kernel's counter says.
fn stretch(limit: Duration, elapsed: Duration, served: Duration, starved: Duration) -> Stretch {
    let starved = starved.min(elapsed.saturating_sub(served));
    let most = limit.saturating_mul(LARGEST_STRETCH - 1);
    Stretch { by: starved.min(most), starved: (starved >= most && !most.is_zero()).then_some(starved) }
}

/// What [`stretch`] found.
#[derive(Debug, PartialEq, Eq)]
struct Stretch {
    by: Duration,
    /// The time without a core, where it is too long for a verdict about the program.
    starved: Option<Duration>,
}

/// The result is there; a box whose init has died instead is lost.
fn receive_result(handle: &mut BoxHandle) -> Result<RunResult, SandboxError> {
    let lost = |detail: String| SandboxError::BoxLost { name: format!("box-{}", handle.number), detail };
    match handle.inbox.receive(handle.socket.as_fd()) {
        Ok(Some((bytes, _))) => {
            RunResult::decode(bytes).ok_or_else(|| lost("its init answered something unreadable".to_owned()))
        }
        Ok(None) => Err(lost("its init has died".to_owned())),
        Err(error) => Err(lost(error.to_string())),
    }
}

/// One run under way: what is watched of it, and what was seen.
pub(super) struct Run<'a> {
    handle: &'a mut BoxHandle,
    limits: Limits,
    stdout: Source<'a>,
    stderr: Source<'a>,
    cores: u32,
    started: Instant,
    /// When the wall limit's clock began; `None` while it stands still.
    wall_from: Option<Instant>,
    /// Wall time that does not count.
    forgiven: Duration,
    /// Whether the wall limit ends it without further questions.
    stops_for_wall: bool,
    cpu_check: Option<Instant>,
    wall_check: Option<Instant>,
    sample_check: Option<Instant>,
    look_check: Option<Instant>,
    look_interval: Duration,
    /// When the pressure is read for the first time.
    pressure_check: Option<Instant>,
    take_output_from: Instant,
    stopped: Vec<Stopped>,
    /// How long the host gave it no core, where it was stopped for that.
    starved: Option<Duration>,
    killed: Option<Instant>,
    sampled: tree::Sample,
    sampler: Option<tree::Sampler>,
    /// Its threads when the wall limit was last looked at, where no group tells how long they waited.
    last_threads: Option<(Instant, tree::Threads)>,
    /// What files in the work directory held when the run began; looked at without cgroups.
    files_before: Bytes,
}

/// A program's ends of the pipes that join it with another.
pub(super) struct Joint {
    pub stdin: OwnedFd,
    pub stdout: OwnedFd,
}

impl<'a> Run<'a> {
    /// Tells box init to begin. `joint` replaces the command's standard input and output.
    pub(super) fn begin(
        handle: &'a mut BoxHandle,
        command: Command<'a>,
        joint: Option<Joint>,
    ) -> Result<Self, SandboxError> {
        handle.get_ready()?;
        let Command { argv, env, directory, stdin, stdout, stderr, limits } = command;
        if let Some(meter) = &mut handle.meter {
            meter.arm(limits.memory, limits.processes)?;
        }
        let request = match request(argv, env, directory, &limits, handle) {
            Ok(request) => request,
            Err(error) => return Err(handle.heard_nothing(error)),
        };
        let (stdin_pipe, stdout_pipe) =
            joint.map_or((None, None), |Joint { stdin, stdout }| (Some(stdin), Some(stdout)));
        let (stdout, stdout_writer) = match stdout_pipe {
            Some(pipe) => (Source::Inherited, Writer::Pipe(pipe)),
            None => Source::new(stdout, limits.output)?,
        };
        stdout.widen();
        let (stderr, stderr_writer) = Source::new(stderr, None)?;
        let leaf = handle.meter.as_ref().and_then(|meter| meter.file(Role::Leaf));
        let lost = |error: io::Error| match error.raw_os_error() {
            Some(libc::E2BIG) => {
                SandboxError::Command { detail: "its arguments are longer than 128 KiB".to_owned() }
            }
            _ => SandboxError::BoxLost { name: format!("box-{}", handle.number), detail: error.to_string() },
        };
        {
            let stdin = stdin_pipe.as_ref().map_or(stdin, AsFd::as_fd);
            let mut descriptors = vec![stdin, stdout_writer.as_fd(), stderr_writer.as_fd()];
            descriptors.extend(leaf);
            let sent = wire::send(handle.socket.as_fd(), &request.encode(), &descriptors).map_err(lost);
            if let Err(error) = sent {
                return Err(handle.heard_nothing(error));
            }
        }
        let started = Instant::now();
        // A core that runs nothing but the box uses at most its wall time.
        let cores = if handle.pinned { 1 } else { usable_cores() };
        let sampler = handle.meter.is_none().then(|| tree::Sampler::new(handle.init));
        let files_before = if handle.meter.is_none() { handle.workspace_use() } else { Bytes(0) };
        Ok(Self {
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
            sampled: tree::Sample::default(),
            sampler,
            last_threads: None,
            files_before,
        })
    }

    /// The box has a result: takes it and reads the counters.
    pub(super) fn finish(mut self) -> Result<Outcome, SandboxError> {
        let handle = &mut *self.handle;
        let mut stopped = self.stopped;
        let result = match receive_result(handle) {
            // Where init shares a v1 group with the program, the kernel may pick it when memory runs out: files in
            // memory belong to no process, and then init may be the largest there is. The run died with it.
            Err(SandboxError::BoxLost { .. })
                if handle.meter.as_ref().is_some_and(Meter::ran_out_of_memory) =>
            {
                handle.lost = true;
                RunResult::of_lost_box(self.started.elapsed())
            }
            other => other?,
        };
        if let Some(starved) = self.starved {
            return Err(SandboxError::BoxLost {
                name: handle.name(),
                detail: format!(
                    "the host gave its programs no core for {:.1} s of {:.1} s",
                    starved.as_secs_f64(),
                    self.started.elapsed().as_secs_f64()
                ),
            });
        }
        for (source, what) in [(&mut self.stdout, "standard output"), (&mut self.stderr, "standard error")] {
            source.drain().map_err(|error| SandboxError::on("take", what, error))?;
        }
        if self.stdout.is_over() && !stopped.contains(&Stopped::Output) {
            stopped.push(Stopped::Output);
        }
        let sampled = self.sampled;
        // Near box init's own size the peak may be init's, which must not decide anything.
        let is_its_own = result.max_rss_kib > result.floor_kib.saturating_add(256);
        let resident = Bytes::kib(result.max_rss_kib);
        let may_have_cache =
            handle.meter.as_ref().is_some_and(|meter| result.disk_reads > 0 || meter.saw_cache());
        let is_written = may_have_cache && handle.is_written();
        let (cpu, memory, memory_bound, memory_source) = match &mut handle.meter {
            Some(meter) => {
                let usage = meter.finish(Processes {
                    disk_reads: result.disk_reads > 0,
                    alone: result.births == Some(0),
                    resident: (!is_written).then_some(if is_its_own { resident } else { Bytes(0) }),
                })?;
                if usage.out_of_memory && !stopped.contains(&Stopped::Memory) {
                    stopped.push(Stopped::Memory);
                }
                let own =
                    handle.init_time.as_mut().map_or(Duration::ZERO, |time| time.since_last(result.init_cpu));
                (usage.cpu.saturating_sub(own), usage.memory, Some(usage.memory_bound), usage.memory_source)
            }
            None => {
                let files = Bytes(handle.workspace_use().0.saturating_sub(self.files_before.0));
                let seen = sampled.memory.max(files);
                let certain = if is_its_own { seen.max(resident) } else { seen };
                let limit = self.limits.memory.unwrap_or(Bytes(u64::MAX));
                if certain > limit && !stopped.contains(&Stopped::Memory) {
                    stopped.push(Stopped::Memory);
                }
                // What files hold at the end is beside what a process held at most.
                let shown = seen.max(Bytes(resident.0.saturating_add(files.0)));
                let memory = if stopped.contains(&Stopped::Memory) { shown } else { shown.min(limit) };
                (result.reaped_cpu.max(sampled.cpu), memory, None, MemorySource::Processes)
            }
        };
        handle.open_up()?;
        handle.broken = false;
        let exit = match result.end {
            End::Exited(code) => Exit::Code(code),
            End::Signaled(signal) => Exit::Signal(signal),
            End::NotStarted { step: 0, errno } => Exit::NotStarted { step: "clone", errno },
            End::NotStarted { step, errno } => {
                Exit::NotStarted { step: STEPS.get(step as usize).copied().unwrap_or("unknown"), errno }
            }
        };
        Ok(Outcome {
            exit,
            stopped,
            cpu,
            wall: result.wall,
            memory,
            memory_bound,
            memory_source,
            output_bytes: self.stdout.total(),
            asked_to_end: result.asked_to_end,
        })
    }

    /// Whether output is looked at now, or only after a pause.
    pub(super) fn takes_output(&self, now: Instant) -> bool {
        now >= self.take_output_from
    }

    /// When something has to be looked at again.
    pub(super) fn next(&self, taking_output: bool) -> Option<Instant> {
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

    /// Process id of box init.
    pub(super) fn init(&self) -> i32 {
        self.handle.init
    }

    /// Adds what there is to wait for; [`Part::ready`] tells afterwards what of it has happened.
    pub(super) fn watch<'run>(
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

    /// Does what has to be done before the result comes.
    pub(super) fn attend(&mut self, ready: &Ready) -> Result<(), SandboxError> {
        let now = Instant::now();
        if self.killed.is_some_and(|killed| now >= killed + GRACE) {
            return Err(SandboxError::BoxLost {
                name: self.handle.name(),
                detail: format!("its processes were not gone {} s after they were killed", GRACE.as_secs()),
            });
        }
        if ready.output {
            let failed = |error| SandboxError::on("take", "a program's output", error);
            let full = self.stdout.take().map_err(failed)? | self.stderr.take().map_err(failed)?;
            // A program that fills its pipe is not made to wait for us.
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
                meter.take_notice();
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

    /// CPU time the programs used so far, never more than what [`Run::finish`] will say.
    pub(super) fn cpu_so_far(&mut self) -> Result<Duration, SandboxError> {
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

    /// Kills for CPU time, or notes when it can be over at the earliest.
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

    /// Whether the wall limit is reached; notes when it can be at the earliest.
    pub(super) fn is_late(&mut self, now: Instant) -> Result<bool, SandboxError> {
        if self.killed.is_some() || self.wall_check.is_none_or(|at| now < at) {
            return Ok(false);
        }
        let end = self.wall_end(now)?;
        self.wall_check = end.map(|end| end.max(now + Duration::from_millis(1)));
        Ok(end.is_some_and(|end| now >= end))
    }

    /// Leaves it to whoever asks [`Run::is_late`] what follows from that.
    pub(super) fn leave_wall(&mut self) {
        self.stops_for_wall = false;
    }

    /// Lets the clock of the wall limit stand still until [`Run::begin_wall`].
    pub(super) fn hold_wall(&mut self) {
        (self.wall_from, self.wall_check) = (None, None);
    }

    /// Starts the clock of the wall limit.
    pub(super) fn begin_wall(&mut self) {
        let now = Instant::now();
        (self.wall_from, self.wall_check) = (Some(now), self.limits.wall.map(|limit| now + limit));
    }

    /// Whether the wall limit is reached although so much time does not count.
    pub(super) fn is_late_after(&mut self, forgiven: Duration, now: Instant) -> Result<bool, SandboxError> {
        self.forgiven = forgiven;
        let end = self.wall_end(now)?;
        self.wall_check = end.map(|end| end.max(now + Duration::from_millis(1)));
        Ok(end.is_some_and(|end| now >= end))
    }

    /// When the wall limit is over, as things are: stretched by the time the host gave the box no core.
    fn wall_end(&mut self, now: Instant) -> Result<Option<Instant>, SandboxError> {
        let (Some(limit), Some(from)) = (self.limits.wall, self.wall_from) else { return Ok(None) };
        let elapsed = now.saturating_duration_since(self.started);
        let used = self.cpu_so_far()?;
        // Box init, too, needs a core before there is a program.
        let unborn = elapsed.saturating_sub(tree::age(self.handle.init).unwrap_or_default());
        let starved = match self.meter().and_then(Meter::starved_so_far) {
            Some(starved) => starved,
            None => match self.starved_by_threads(used, now) {
                Some(starved) => starved,
                // Nothing of it has run since the last look: the host is to blame for as long as that lasts.
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

    /// How long the host gave the box no core, by what the kernel knows of its threads; `None` while they wait for one, which
    /// the kernel adds up when they get it. They may have begun to wait again since the last look.
    fn starved_by_threads(&mut self, used: Duration, now: Instant) -> Option<Duration> {
        let threads = tree::threads(self.handle.init);
        let last = self.last_threads.replace((now, threads));
        let waited = threads.longest.saturating_sub(used);
        if !threads.are_ready {
            return Some(waited);
        }
        let (looked, last) = last?;
        (last.scheduled != threads.scheduled).then(|| waited + now.saturating_duration_since(looked))
    }

    /// Looks at the page cache of the group; soon again where it grows.
    fn look(&mut self, now: Instant) -> Result<(), SandboxError> {
        let Some(meter) = &mut self.handle.meter else { return Ok(()) };
        let grows = meter.look()?;
        self.look_interval =
            if grows { FIRST_LOOK } else { self.look_interval.saturating_mul(2).min(LONGEST_LOOK) };
        self.look_check = Some(now + self.look_interval);
        Ok(())
    }

    /// Samples usage where no cgroup counts it.
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

    /// Notes the reason and kills, once.
    pub(super) fn stop(&mut self, reason: Stopped) {
        if !self.stopped.contains(&reason) {
            self.stopped.push(reason);
        }
        if self.killed.is_none() {
            self.killed = Some(Instant::now());
            // Both: the group's kill does not wait for box init to get a core, init's reaches what the group
            // cannot where there is none or where the program is yet to be born into it.
            if let Some(meter) = self.meter() {
                meter.kill();
            }
            // An init that cannot be told is dead: its socket shows it.
            let _ = wire::send(self.handle.socket.as_fd(), &[KILL], &[]);
        }
    }
}

/// Where in a list of descriptors those of one run are.
pub(super) struct Part {
    first: usize,
    after_outputs: usize,
    after_memory: usize,
    end: usize,
}

impl Part {
    /// What has happened to them.
    pub(super) fn ready(&self, watched: &[PollFd<'_>]) -> Ready {
        let any = |range: std::ops::Range<usize>| watched.get(range).unwrap_or_default().iter().any(is_ready);
        Ready {
            result: any(self.first..self.first + 1),
            output: any(self.first + 1..self.after_outputs),
            out_of_memory: any(self.after_outputs..self.after_memory),
            cancelled: any(self.after_memory..self.end),
        }
    }
}

/// Whether something has happened to a descriptor.
pub(super) fn is_ready(polled: &PollFd<'_>) -> bool {
    polled.revents().is_some_and(|events| !events.is_empty())
}

/// What a wait has brought.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ready {
    pub result: bool,
    output: bool,
    out_of_memory: bool,
    cancelled: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretched(limit: u64, elapsed: u64, served: u64, starved: u64) -> Stretch {
        let of = Duration::from_millis;
        stretch(of(limit), of(elapsed), of(served), of(starved))
    }

    #[test]
    fn a_wall_limit_is_stretched_by_what_the_host_withheld_and_by_nothing_else() {
        let by = |by: u64| Stretch { by: Duration::from_millis(by), starved: None };
        assert_eq!(stretched(100, 100, 60, 0), by(0));
        assert_eq!(stretched(100, 100, 60, 40), by(40));
        // A core that served the box all the time was withheld from nobody.
        assert_eq!(stretched(100, 100, 100, 70), by(0));
        assert_eq!(stretched(100, 1000, 101, 899), by(899));
    }

    #[test]
    fn a_run_that_the_host_starves_for_too_long_is_a_fault_of_the_host() {
        let starved = Some(Duration::from_millis(901));
        assert_eq!(stretched(100, 1000, 99, 901), Stretch { by: Duration::from_millis(900), starved });
        assert_eq!(stretched(0, 10, 0, 10), Stretch { by: Duration::ZERO, starved: None });
    }
}
