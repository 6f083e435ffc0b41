//! One run, seen from outside: starts it, watches {result, CPU, wall, memory, output, cancellation}, reads the
//! counters when everything is dead.
//!
//! The result message of box init is the only thing that ends a run; a limit only makes us kill. Timers are
//! armed for the earliest moment a limit can be reached and re-armed until it is, so a program that keeps
//! within its limits costs no wake-ups.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use super::box_handle::BoxHandle;
use super::cgroup::{Meter, Role};
use super::child::STEPS;
use super::command::{Command, Exit, Limits, Outcome, Stopped};
use super::resource_limits::resource_limits;
use super::run_message::{End, KILL, RunRequest, RunResult};
use super::streams::Source;
use super::{CancelToken, ResourceControl, SandboxError, tree, wire};
use crate::units::Bytes;

/// How long a box may take from being killed to its result before it is given up. Freeing the memory of a
/// large program takes the kernel up to about 0.2 s a GiB.
const GRACE: Duration = Duration::from_secs(20);

/// A wall limit is stretched by the time the host gave the box no core, but never beyond this factor.
pub(super) const LARGEST_STRETCH: u32 = 10;

/// Output is taken at most this often while a program runs: a program that writes byte by byte would otherwise
/// wake us at every byte.
const OUTPUT_INTERVAL: Duration = Duration::from_millis(1);

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
    let Command { argv, env, directory, stdin, stdout, stderr, limits } = command;
    if let Some(meter) = &mut handle.meter {
        meter.arm(limits.memory, limits.processes)?;
    }
    let request = request(argv, env, directory, &limits, handle)?;
    let (mut stdout, stdout_writer) = Source::new(stdout, limits.output)?;
    let (mut stderr, stderr_writer) = Source::new(stderr, None)?;
    let leaf = handle.meter.as_ref().and_then(|meter| meter.file(Role::Leaf));
    let lost = |error: io::Error| match error.raw_os_error() {
        Some(libc::E2BIG) => {
            SandboxError::Command { detail: "its arguments are longer than 128 KiB".to_owned() }
        }
        _ => SandboxError::BoxLost { name: format!("box-{}", handle.number), detail: error.to_string() },
    };
    {
        let mut descriptors = vec![stdin, stdout_writer.as_fd(), stderr_writer.as_fd()];
        descriptors.extend(leaf);
        wire::send(handle.socket.as_fd(), &request.encode(), &descriptors).map_err(lost)?;
    }
    let started = Instant::now();
    drop((stdout_writer, stderr_writer));
    let mut watch = Watch {
        meter: handle.meter.as_ref(),
        socket: handle.socket.as_fd(),
        number: handle.number,
        limits: &limits,
        // A core that runs nothing but the box uses at most its wall time.
        cores: if handle.pinned { 1 } else { online_cores() },
        started,
        stopped: Vec::new(),
        killed: None,
        sampled: tree::Sample::default(),
        sampler: handle.meter.is_none().then(|| tree::Sampler::new(handle.init)),
    };
    watch.until_result(&mut stdout, &mut stderr, cancel)?;
    let (mut stopped, sampled) = (watch.stopped, watch.sampled);
    let result = match receive_result(handle) {
        // Where init shares a v1 group with the program, the kernel may pick it when memory runs out: files in
        // memory belong to no process, and then init may be the largest there is. The run died with it.
        Err(SandboxError::BoxLost { .. }) if handle.meter.as_ref().is_some_and(Meter::ran_out_of_memory) => {
            handle.lost = true;
            RunResult::of_lost_box(started.elapsed())
        }
        other => other?,
    };
    for (source, what) in [(&mut stdout, "standard output"), (&mut stderr, "standard error")] {
        source.drain().map_err(|error| SandboxError::on("take", what, error))?;
    }
    if stdout.is_over() && !stopped.contains(&Stopped::Output) {
        stopped.push(Stopped::Output);
    }
    let (cpu, memory) = match &mut handle.meter {
        Some(meter) => {
            let usage = meter.finish(result.disk_reads > 0)?;
            if usage.out_of_memory && !stopped.contains(&Stopped::Memory) {
                stopped.push(Stopped::Memory);
            }
            // Where init shares the group its own time is in the figure.
            let shared = handle.control == ResourceControl::CgroupV1;
            (if shared { usage.cpu.saturating_sub(result.init_cpu) } else { usage.cpu }, usage.memory)
        }
        None => {
            let peak = Bytes::kib(result.max_rss_kib);
            // Near box init's own size the peak may be init's, which must not decide anything.
            let is_its_own = result.max_rss_kib > result.floor_kib.saturating_add(256);
            let certain = if is_its_own { sampled.memory.max(peak) } else { sampled.memory };
            let limit = limits.memory.unwrap_or(Bytes(u64::MAX));
            if certain > limit && !stopped.contains(&Stopped::Memory) {
                stopped.push(Stopped::Memory);
            }
            let shown = sampled.memory.max(peak);
            let memory = if stopped.contains(&Stopped::Memory) { shown } else { shown.min(limit) };
            (result.reaped_cpu.max(sampled.cpu), memory)
        }
    };
    let exit = match result.end {
        End::Exited(code) => Exit::Code(code),
        End::Signaled(signal) => Exit::Signal(signal),
        End::NotStarted { step: 0, errno } => Exit::NotStarted { step: "clone", errno },
        End::NotStarted { step, errno } => {
            Exit::NotStarted { step: STEPS.get(step as usize).copied().unwrap_or("unknown"), errno }
        }
    };
    Ok(Outcome { exit, stopped, cpu, wall: result.wall, memory, output_bytes: stdout.total() })
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

fn online_cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(1))
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

/// The watching of one run.
struct Watch<'a> {
    meter: Option<&'a Meter>,
    socket: BorrowedFd<'a>,
    number: u64,
    limits: &'a Limits,
    cores: u32,
    started: Instant,
    stopped: Vec<Stopped>,
    killed: Option<Instant>,
    sampled: tree::Sample,
    sampler: Option<tree::Sampler>,
}

impl Watch<'_> {
    /// Returns when box init has something to say.
    fn until_result(
        &mut self,
        stdout: &mut Source<'_>,
        stderr: &mut Source<'_>,
        cancel: &[&CancelToken],
    ) -> Result<(), SandboxError> {
        let mut cpu_check = self.limits.cpu.map(|limit| self.started + limit / self.cores);
        let mut wall_check = self.limits.wall.map(|limit| self.started + limit);
        let mut sample_check = self.sampler.is_some().then(|| self.started + SAMPLING_INTERVAL);
        let mut take_output_from = self.started + OUTPUT_INTERVAL;
        loop {
            let now = Instant::now();
            let taking_output = now >= take_output_from;
            let next = [
                cpu_check.filter(|_| self.killed.is_none()),
                wall_check.filter(|_| self.killed.is_none()),
                sample_check.filter(|_| self.killed.is_none()),
                self.killed.map(|killed| killed + GRACE),
                (!taking_output && (stdout.is_open() || stderr.is_open())).then_some(take_output_from),
            ]
            .into_iter()
            .flatten()
            .min();
            let ready = self.wait(next, stdout, stderr, taking_output, cancel)?;
            if ready.result {
                return Ok(());
            }
            let now = Instant::now();
            if self.killed.is_some_and(|killed| now >= killed + GRACE) {
                return Err(SandboxError::BoxLost {
                    name: format!("box-{}", self.number),
                    detail: format!(
                        "its processes were not gone {} s after they were killed",
                        GRACE.as_secs()
                    ),
                });
            }
            if ready.output {
                let failed = |error| SandboxError::on("take", "a program's output", error);
                let full = stdout.take().map_err(failed)? | stderr.take().map_err(failed)?;
                // A program that fills its pipe is not made to wait for us.
                take_output_from = if full { now } else { now + OUTPUT_INTERVAL };
                if stdout.is_over() {
                    self.stop(Stopped::Output);
                }
            }
            if ready.cancelled {
                self.stop(Stopped::Cancelled);
            }
            if ready.out_of_memory {
                self.stop(Stopped::Memory);
            }
            if self.killed.is_some() {
                continue;
            }
            if sample_check.is_some_and(|at| now >= at) {
                self.sample()?;
                sample_check = Some(now + SAMPLING_INTERVAL);
            }
            if cpu_check.is_some_and(|at| now >= at) {
                cpu_check = self.check_cpu(now)?;
            }
            if wall_check.is_some_and(|at| now >= at) && self.killed.is_none() {
                wall_check = self.check_wall(now)?;
            }
        }
    }

    /// Kills for CPU time, or says when it can be over at the earliest.
    fn check_cpu(&mut self, now: Instant) -> Result<Option<Instant>, SandboxError> {
        let Some(limit) = self.limits.cpu else { return Ok(None) };
        let used = match self.meter {
            Some(meter) => meter.cpu_so_far()?,
            None => {
                self.sample()?;
                self.sampled.cpu
            }
        };
        if used > limit {
            self.stop(Stopped::Cpu);
            return Ok(None);
        }
        Ok(Some(now + ((limit - used) / self.cores).max(Duration::from_micros(500))))
    }

    /// Kills for wall time, or stretches it by the time the box waited for a core.
    fn check_wall(&mut self, now: Instant) -> Result<Option<Instant>, SandboxError> {
        let Some(limit) = self.limits.wall else { return Ok(None) };
        let starved = match self.meter {
            // Processes of one program that wait for each other count as starved too; but for what they had of the
            // cores meanwhile the host is not to blame.
            Some(meter) => {
                let elapsed = now.saturating_duration_since(self.started);
                let unserved = elapsed.saturating_sub(meter.cpu_so_far()? / self.cores);
                meter.starved_so_far().unwrap_or_default().min(unserved)
            }
            None => Duration::ZERO,
        };
        let end = self.started + limit + starved.min(limit * (LARGEST_STRETCH - 1));
        if now >= end {
            self.stop(Stopped::Wall);
            return Ok(None);
        }
        Ok(Some(end.max(now + Duration::from_millis(1))))
    }

    /// Samples usage where no cgroup counts it.
    fn sample(&mut self) -> Result<(), SandboxError> {
        if let Some(sampler) = &self.sampler {
            let sample = sampler.sample();
            self.sampled.cpu = self.sampled.cpu.max(sample.cpu);
            self.sampled.memory = self.sampled.memory.max(sample.memory);
            if self.limits.memory.is_some_and(|limit| sample.memory > limit) {
                self.stop(Stopped::Memory);
            }
        }
        Ok(())
    }

    /// Notes the reason and kills, once.
    fn stop(&mut self, reason: Stopped) {
        if !self.stopped.contains(&reason) {
            self.stopped.push(reason);
        }
        if self.killed.is_none() {
            self.killed = Some(Instant::now());
            // Both: the group's kill does not wait for box init to get a core, init's reaches what the group
            // cannot where there is none or where the program is yet to be born into it.
            if let Some(meter) = self.meter {
                meter.kill();
            }
            // An init that cannot be told is dead: its socket shows it.
            let _ = wire::send(self.socket, &[KILL], &[]);
        }
    }

    /// Sleeps until something happens or `next` comes.
    fn wait(
        &self,
        next: Option<Instant>,
        stdout: &Source<'_>,
        stderr: &Source<'_>,
        taking_output: bool,
        cancel: &[&CancelToken],
    ) -> Result<Ready, SandboxError> {
        let watching = self.killed.is_none();
        let mut watched = vec![PollFd::new(self.socket, PollFlags::POLLIN)];
        let outputs = [stdout, stderr].into_iter().filter(|_| taking_output).filter_map(Source::descriptor);
        watched.extend(outputs.map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN)));
        let after_outputs = watched.len();
        let out_of_memory = self.meter.and_then(|meter| meter.file(Role::OutOfMemory)).filter(|_| watching);
        watched.extend(out_of_memory.map(|event| PollFd::new(event, PollFlags::POLLIN)));
        let after_memory = watched.len();
        if watching {
            watched.extend(cancel.iter().map(|token| PollFd::new(token.as_fd(), PollFlags::POLLIN)));
        }
        let timeout = next.map(|next| TimeSpec::from(next.saturating_duration_since(Instant::now())));
        match ppoll(&mut watched, timeout, None) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(SandboxError::on("watch", format!("box-{}", self.number), errno)),
        }
        let any = |range: std::ops::Range<usize>| {
            watched[range].iter().any(|own| own.revents().is_some_and(|events| !events.is_empty()))
        };
        let out_of_memory = any(after_outputs..after_memory);
        if out_of_memory && let Some(meter) = self.meter {
            meter.take_notice();
        }
        Ok(Ready {
            result: any(0..1),
            output: any(1..after_outputs),
            out_of_memory,
            cancelled: any(after_memory..watched.len()),
        })
    }
}

/// What a wait has brought.
struct Ready {
    result: bool,
    output: bool,
    out_of_memory: bool,
    cancelled: bool,
}
