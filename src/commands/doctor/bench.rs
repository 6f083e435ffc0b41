//! What a box costs a run: a program that does nothing, bare and in a box, in turns.
//!
//! In turns, so that both see the same machine whatever else it does; medians, so that a few disturbed runs do
//! not matter. The bare run is what the standard library makes of it: a vfork-like clone, execve, wait.

use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use super::noise::{median, round};
use super::rig::{Rig, usual_limits};
use crate::cache::{Entry, KeyBuilder, Lookup, Store};
use crate::cancel::CancelToken;
use crate::commands::CommandError;
use crate::commands::output::Progress;
use crate::sandbox::{Exit, PROGRAM, Sandbox, Shape};
use crate::units::milliseconds;

/// Runs of each kind.
const RUNS: usize = 1000;
/// Runs thrown away at the beginning.
const WARM_UP: usize = 20;
/// Name of the program in its directory.
const NO_OP: &str = "no-op";
/// The program, as small as they get.
const SOURCE: &str = "int main(void) { return 0; }\n";

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Bench {
    /// What was run: `static no-op`, or `/bin/true` where there is no C compiler.
    pub(super) program: &'static str,
    pub(super) runs: usize,
    pub(super) bare_p50_ms: f64,
    pub(super) boxed_p50_ms: f64,
    pub(super) ratio: f64,
    /// What a run costs more in a box.
    pub(super) overhead_ms: f64,
    /// Whether gavel was built without optimisation, which makes the figures worthless.
    pub(super) debug_build: bool,
}

/// Measures; `None` when cancelled.
///
/// # Errors
/// When a run fails.
pub(super) fn measure(
    sandbox: &Sandbox,
    store: &Store,
    core: Option<usize>,
    cancel: &CancelToken,
) -> Result<Option<Bench>, CommandError> {
    let compiled = compile(store)?;
    let (name, directory, bare) = match &compiled {
        Some(entry) => ("static no-op", entry.path().to_owned(), entry.path().join(NO_OP)),
        None => (
            "/bin/true",
            Path::new("/bin").canonicalize().map_err(CommandError::judging)?,
            "/bin/true".into(),
        ),
    };
    let boxed = match compiled {
        Some(_) => format!("{PROGRAM}/{NO_OP}"),
        None => "/bin/true".to_owned(),
    };
    let mut rig =
        Rig::new(sandbox, &Shape::default(), core, &directory, cancel).map_err(CommandError::judging)?;
    let progress = Progress::new(RUNS + WARM_UP, "bench");
    let (mut bare_ms, mut boxed_ms) = (Vec::new(), Vec::new());
    let argv = [boxed];
    for run in 0..RUNS + WARM_UP {
        if cancel.is_cancelled() {
            return Ok(None);
        }
        let started = Instant::now();
        let status = std::process::Command::new(&bare).status().map_err(CommandError::judging)?;
        let between = Instant::now();
        let outcome = rig.run(&argv, &usual_limits()).map_err(CommandError::judging)?;
        let ended = Instant::now();
        if !status.success() || outcome.exit != Exit::Code(0) {
            let text = format!("{name} does not run: bare {status}, in a box {:?}", outcome.exit);
            return Err(CommandError::Judging(text));
        }
        if run >= WARM_UP {
            bare_ms.push(milliseconds(between - started));
            boxed_ms.push(milliseconds(ended - between));
        }
        progress.step();
    }
    progress.finish();
    let (bare, boxed) = (median(bare_ms.into_iter()), median(boxed_ms.into_iter()));
    Ok(Some(Bench {
        program: name,
        runs: RUNS,
        bare_p50_ms: round(bare),
        boxed_p50_ms: round(boxed),
        ratio: round(boxed / bare),
        overhead_ms: round(boxed - bare),
        debug_build: cfg!(debug_assertions),
    }))
}

/// The program, compiled once and kept; `None` without a C compiler that links statically.
fn compile(store: &Store) -> Result<Option<Entry>, CommandError> {
    let key = KeyBuilder::default().field("kind", "doctor's no-op 1").field("source", SOURCE).finish();
    let draft = match store.get_or_lock(&key).map_err(CommandError::judging)? {
        Lookup::Hit(entry) => return Ok(Some(entry)),
        Lookup::Miss(draft) => draft,
    };
    let source = draft.path().join("no-op.c");
    std::fs::write(&source, SOURCE).map_err(CommandError::judging)?;
    let compiled = std::process::Command::new("gcc")
        .args(["-O2", "-static", "-o"])
        .args([&draft.path().join(NO_OP), &source])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
    match compiled {
        Ok(status) if status.success() => store.commit(draft).map(Some).map_err(CommandError::judging),
        _ => Ok(None),
    }
}
