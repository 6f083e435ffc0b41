//! A box with gavel's own executable in it, ready to be asked for one thing after another.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;

use serde_json::Value;

use crate::cache::{Entry, KeyBuilder, Lookup, Store};
use crate::cancel::CancelToken;
use crate::cli::ProbeAction;
use crate::commands::CommandError;
use crate::sandbox::{
    BoxHandle, Capture, Command, Limits, Outcome, PROGRAM, Sandbox, SandboxError, Shape, Stream, WORKSPACE,
};
use crate::units::Bytes;

/// Name of the executable below [`PROGRAM`].
const EXECUTABLE: &str = "gavel";
/// What a probe says is one short line.
const SPEECH: u64 = 64 << 10;

/// Puts a copy of the running executable where boxes can show it: in the cache, which is locked, bounded and
/// cleared of what a killed process leaves there, and which must allow execution anyway.
///
/// # Errors
/// When the cache cannot be written or the executable not be read.
pub(super) fn install(store: &Store) -> Result<Entry, CommandError> {
    let path = Path::new("/proc/self/exe");
    let failed = |source: std::io::Error| CommandError::Judging(format!("read {}: {source}", path.display()));
    let identity = {
        use std::os::unix::fs::MetadataExt;
        let metadata = path.metadata().map_err(failed)?;
        format!("{}:{} {} {}", metadata.dev(), metadata.ino(), metadata.len(), metadata.mtime_nsec())
    };
    let key = KeyBuilder::default()
        .field("kind", "doctor's probe 1")
        .field("gavel", env!("CARGO_PKG_VERSION"))
        .field("identity", identity)
        .finish();
    match store.get_or_lock(&key).map_err(CommandError::judging)? {
        Lookup::Hit(entry) => Ok(entry),
        Lookup::Miss(draft) => {
            let mut executable = File::open(path).map_err(failed)?;
            draft.import(Path::new(EXECUTABLE), &mut executable, true).map_err(CommandError::judging)?;
            store.commit(draft).map_err(CommandError::judging)
        }
    }
}

/// A box, and what was taken from its streams.
pub(super) struct Rig<'a> {
    handle: BoxHandle,
    stdout: Capture,
    stderr: Capture,
    cancel: &'a CancelToken,
}

/// What one run gave.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) outcome: Outcome,
    /// What the probe saw; `Null` where it was stopped before it could say.
    pub(super) facts: Value,
}

impl Ran {
    /// A number the probe said.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.facts.get(name).and_then(Value::as_f64)
    }

    /// Whether the probe said yes.
    pub(super) fn says(&self, name: &str) -> bool {
        self.facts.get(name).and_then(Value::as_bool).unwrap_or(false)
    }
}

impl<'a> Rig<'a> {
    /// Makes a box that shows `program`, on `core` where one is given.
    pub(super) fn new(
        sandbox: &Sandbox,
        shape: &Shape,
        core: Option<usize>,
        program: &Path,
        cancel: &'a CancelToken,
    ) -> Result<Self, SandboxError> {
        let mut handle = sandbox.open_box(shape, core)?;
        handle.attach(PROGRAM, program)?;
        let spill = std::env::temp_dir();
        let capture = || Capture::at_most(SPEECH, &spill);
        Ok(Self { handle, stdout: capture(), stderr: capture(), cancel })
    }

    /// Has the probe do one thing.
    pub(super) fn probe(
        &mut self,
        action: ProbeAction,
        amount: u64,
        limits: &Limits,
    ) -> Result<Ran, SandboxError> {
        let name = clap::ValueEnum::to_possible_value(&action);
        let name = name.map(|name| name.get_name().to_owned()).unwrap_or_default();
        let program = format!("{PROGRAM}/{EXECUTABLE}");
        let outcome = self.run(&[program, "probe".to_owned(), name, amount.to_string()], limits)?;
        let mut text = String::new();
        let facts = match self.stdout.reader().and_then(|mut reader| reader.read_to_string(&mut text)) {
            Ok(_) => serde_json::from_str(&text).unwrap_or(Value::Null),
            Err(_) => Value::Null,
        };
        Ok(Ran { outcome, facts })
    }

    /// Runs any program.
    pub(super) fn run(&mut self, argv: &[String], limits: &Limits) -> Result<Outcome, SandboxError> {
        self.stdout.clear();
        self.stderr.clear();
        let null = File::open("/dev/null").map_err(|error| SandboxError::at("open", "/dev/null", error))?;
        let command = Command {
            argv,
            env: &[],
            directory: WORKSPACE,
            stdin: null.as_fd(),
            stdout: Stream::Capture(&mut self.stdout),
            stderr: Stream::Capture(&mut self.stderr),
            limits: limits.clone(),
        };
        self.handle.run(command, &[self.cancel])
    }

    /// What the program said on standard error, on one line.
    pub(super) fn complaint(&mut self) -> String {
        self.stderr.head(300).unwrap_or_default().trim().replace('\n', "; ")
    }
}

/// Limits as a test of a problem has them.
pub(super) fn usual_limits() -> Limits {
    let seconds = std::time::Duration::from_secs;
    Limits {
        cpu: Some(seconds(5)),
        wall: Some(seconds(15)),
        memory: Some(Bytes::mib(256)),
        output: Some(Bytes::mib(64)),
        file_size: Some(Bytes::mib(64)),
        processes: Some(64),
        ..Limits::default()
    }
}
