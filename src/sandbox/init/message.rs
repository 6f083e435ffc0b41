//! The messages between the worker and a box init for one run: a fixed binary form, one packet each way.
//!
//! Binary because they are the only messages on the path of every test. Both ends are always the same build (the init is
//! a descendant of the worker's own executable), so the form has no version.

use std::ffi::CString;
use std::time::Duration;

/// A resource limit of a program, soft and hard alike (setrlimit(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResourceLimit {
    /// The `RLIMIT_*` constant.
    pub resource: u32,
    /// The value.
    pub value: u64,
}

/// Asks box init to run a program. Descriptors 0, 1 and 2 of the program travel with it, then, where programs have a
/// cgroup of their own, its directory.
#[derive(Debug, PartialEq)]
pub(crate) struct RunRequest {
    pub limits: Vec<ResourceLimit>,
    /// Candidate paths of the program, tried in order while they do not exist.
    pub paths: Vec<CString>,
    pub argv: Vec<CString>,
    pub envp: Vec<CString>,
    pub directory: CString,
}

/// The first byte of a packet with a [`RunRequest`].
pub(crate) const RUN: u8 = 1;
/// The only byte of a packet that asks box init to kill everything that runs.
pub(crate) const KILL: u8 = 2;

fn put_u64(buffer: &mut Vec<u8>, value: u64) {
    buffer.extend_from_slice(&value.to_ne_bytes());
}

fn put_strings(buffer: &mut Vec<u8>, strings: &[CString]) {
    put_u64(buffer, strings.len() as u64);
    for string in strings {
        buffer.extend_from_slice(string.as_bytes_with_nul());
    }
}

/// Reads the parts of a message; every method returns `None` at a malformed end.
struct Parser<'a>(&'a [u8]);

impl Parser<'_> {
    fn u64(&mut self) -> Option<u64> {
        let (head, tail) = self.0.split_first_chunk::<8>()?;
        self.0 = tail;
        Some(u64::from_ne_bytes(*head))
    }

    fn string(&mut self) -> Option<CString> {
        let end = memchr::memchr(0, self.0)?;
        let string = CString::from_vec_with_nul(self.0[..=end].to_vec()).ok()?;
        self.0 = &self.0[end + 1..];
        Some(string)
    }

    fn strings(&mut self) -> Option<Vec<CString>> {
        (0..self.u64()?).map(|_| self.string()).collect()
    }
}

impl RunRequest {
    /// Encodes the packet.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut buffer = vec![RUN];
        put_u64(&mut buffer, self.limits.len() as u64);
        for limit in &self.limits {
            put_u64(&mut buffer, u64::from(limit.resource));
            put_u64(&mut buffer, limit.value);
        }
        put_strings(&mut buffer, &self.paths);
        put_strings(&mut buffer, &self.argv);
        put_strings(&mut buffer, &self.envp);
        buffer.extend_from_slice(self.directory.as_bytes_with_nul());
        buffer
    }

    /// Decodes a packet without its first byte; returns `None` when it is malformed.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut parser = Parser(bytes);
        let limits = (0..parser.u64()?)
            .map(|_| {
                let resource = u32::try_from(parser.u64()?).ok()?;
                Some(ResourceLimit { resource, value: parser.u64()? })
            })
            .collect::<Option<_>>()?;
        let (paths, argv, envp) = (parser.strings()?, parser.strings()?, parser.strings()?);
        let directory = parser.string()?;
        parser.0.is_empty().then_some(Self { limits, paths, argv, envp, directory })
    }
}

/// The steps of starting a program; a failed one travels as its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Step {
    /// The clone itself.
    Clone,
    /// Placing standard input, output and error.
    Dup,
    /// Closing all other descriptors.
    CloseRange,
    /// Starting a session.
    Setsid,
    /// Entering the working directory.
    Chdir,
    /// Setting the resource limits.
    Setrlimit,
    /// Taking the program's user and group.
    Setresuid,
    /// Executing the program.
    Execve,
}

/// Names of the system calls of each [`Step`], by its number.
const STEP_NAMES: [&str; 8] =
    ["clone", "dup2", "close_range", "setsid", "chdir", "setrlimit", "setresuid", "execve"];

/// Returns the name of a step by its number.
pub(crate) fn step_name(step: u32) -> &'static str {
    STEP_NAMES.get(step as usize).copied().unwrap_or("unknown")
}

/// How the run's first process, its leader, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It exited with this code.
    Exited(i32),
    /// It died of this signal.
    Signaled(i32),
    /// A [`Step`] of starting it failed with this errno.
    NotStarted { step: u32, errno: i32 },
}

/// The result of a run, sent after everything in the box is dead and reaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunResult {
    pub end: End,
    /// Time from the clone to the leader's end.
    pub wall: Duration,
    /// CPU time of box init itself since it was started.
    pub init_cpu: Duration,
    /// CPU time of all processes reaped (wait4(2)).
    pub reaped_cpu: Duration,
    /// Largest `ru_maxrss` of the processes reaped, KiB.
    pub max_rss_kib: u64,
    /// `ru_maxrss` of box init, from which every program's starts: up to this value `max_rss_kib` means nothing.
    pub floor_kib: u64,
    /// Number of process and thread ids allocated in the box after the leader's; `None` after a run so short that
    /// nothing depends on it.
    pub births: Option<u64>,
    /// Major faults and blocks read by the processes reaped: zero if the page cache had everything.
    pub disk_reads: u64,
    /// Whether a process asked for a signal that ends processes; `None` where the kernel did not notify of it.
    pub asked_to_end: Option<bool>,
}

impl RunResult {
    /// Returns the result of a run that brought its box down.
    pub(crate) fn of_lost_box(wall: Duration) -> Self {
        let end = End::Signaled(libc::SIGKILL);
        Self {
            end,
            wall,
            init_cpu: Duration::ZERO,
            reaped_cpu: Duration::ZERO,
            max_rss_kib: 0,
            floor_kib: 0,
            births: None,
            disk_reads: 0,
            asked_to_end: None,
        }
    }

    /// Encodes the packet.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (kind, first, second) = match self.end {
            End::Exited(code) => (0, code, 0),
            End::Signaled(signal) => (1, signal, 0),
            End::NotStarted { step, errno } => (2, i32::try_from(step).unwrap_or(0), errno),
        };
        let mut buffer = Vec::with_capacity(80);
        for value in [kind, i64::from(first), i64::from(second)] {
            buffer.extend_from_slice(&value.to_ne_bytes());
        }
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        for value in [
            nanos(self.wall),
            nanos(self.init_cpu),
            nanos(self.reaped_cpu),
            self.max_rss_kib,
            self.floor_kib,
            self.births.unwrap_or(u64::MAX),
            self.disk_reads,
            self.asked_to_end.map_or(0, |asked| 1 + u64::from(asked)),
        ] {
            put_u64(&mut buffer, value);
        }
        buffer
    }

    /// Decodes a packet; returns `None` when it is malformed.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut parser = Parser(bytes);
        let small = |value: u64| i32::try_from(value.cast_signed()).ok();
        let kind = parser.u64()?;
        let (first, second) = (small(parser.u64()?)?, small(parser.u64()?)?);
        let end = match kind {
            0 => End::Exited(first),
            1 => End::Signaled(first),
            2 => End::NotStarted { step: u32::try_from(first).ok()?, errno: second },
            _ => return None,
        };
        let mut time = || parser.u64().map(Duration::from_nanos);
        let (wall, init_cpu, reaped_cpu) = (time()?, time()?, time()?);
        let (max_rss_kib, floor_kib) = (parser.u64()?, parser.u64()?);
        let (births, disk_reads) = (parser.u64()?, parser.u64()?);
        let births = Some(births).filter(|births| *births != u64::MAX);
        let asked_to_end = match parser.u64()? {
            0 => None,
            asked => Some(asked > 1),
        };
        parser.0.is_empty().then_some(Self {
            end,
            wall,
            init_cpu,
            reaped_cpu,
            max_rss_kib,
            floor_kib,
            births,
            disk_reads,
            asked_to_end,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(texts: &[&str]) -> Vec<CString> {
        texts.iter().map(|text| CString::new(*text).unwrap()).collect()
    }

    #[test]
    fn requests_survive_the_wire() {
        let request = RunRequest {
            limits: vec![
                ResourceLimit { resource: 7, value: u64::MAX },
                ResourceLimit { resource: 0, value: 3 },
            ],
            paths: strings(&["/bin/a"]),
            argv: strings(&["a", "", "with space\n"]),
            envp: vec![],
            directory: CString::new("/w").unwrap(),
        };
        let bytes = request.encode();
        assert_eq!(RunRequest::decode(&bytes[1..]).unwrap(), request);
        for length in 1..bytes.len() - 1 {
            assert_eq!(RunRequest::decode(&bytes[1..=length]).filter(|short| *short == request), None);
        }
    }

    #[test]
    fn results_survive_the_wire() {
        for end in [End::Exited(255), End::Signaled(9), End::NotStarted { step: 8, errno: 2 }] {
            let result = RunResult {
                end,
                wall: Duration::from_millis(7),
                init_cpu: Duration::from_nanos(5),
                reaped_cpu: Duration::from_micros(9),
                max_rss_kib: 4096,
                floor_kib: 2048,
                births: Some(3),
                disk_reads: 1,
                asked_to_end: Some(true),
            };
            assert_eq!(RunResult::decode(&result.encode()), Some(result));
        }
        assert_eq!(RunResult::decode(b"short"), None);
    }
}
