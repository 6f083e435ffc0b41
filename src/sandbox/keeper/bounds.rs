//! Limits the values that a request to the keeper may have.
//!
//! The worker's own checks have better messages for its operator; these hold for a worker that does not check.

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

use super::directories::quoted;
use crate::sandbox::error::SandboxError;
use crate::sandbox::shape::{CHANNELS, PACKAGE, PREPARED, PROGRAM, Shape};

/// The most boxes at once: a worker has up to 1024 slots, each with the boxes it keeps and some in use.
const MOST_BOXES: usize = 16_384;

/// The most mounts of one shape.
const MOST_MOUNTS: usize = 1024;

/// The most bytes of a host name (sethostname(2), `__NEW_UTS_LEN` of the kernel).
const LONGEST_HOST_NAME: usize = 64;

/// The sizes of a work directory in bytes. Zero would mean no limit (tmpfs(5), "size").
const WORKSPACE_SIZES: std::ops::RangeInclusive<u64> = 4096..=1 << 50;

/// The inode limits of a work directory. Zero would mean no limit (tmpfs(5), "nr_inodes").
const WORKSPACE_INODES: std::ops::RangeInclusive<u64> = 1..=1 << 24;

/// The points at which directories can be shown.
const ATTACH_POINTS: &[&str] = &[PROGRAM, PREPARED, PACKAGE, CHANNELS];

fn refused(operation: &'static str, detail: impl Into<String>) -> SandboxError {
    SandboxError::Refused { operation, detail: detail.into() }
}

/// Returns the attach point of that name, as a constant.
///
/// # Errors
/// [`SandboxError::Refused`] when it does not exist.
pub(crate) fn attach_point(name: &str) -> Result<&'static str, SandboxError> {
    ATTACH_POINTS.iter().find(|point| **point == name).copied().ok_or_else(|| {
        let name = quoted(std::path::Path::new(name));
        let problem = format!("{name} is not an attach point; those are {}", ATTACH_POINTS.join(", "));
        refused("show a directory in a box", problem)
    })
}

/// Checks the values of a request for a box; [`super::directories`] checks the shape's mounts and root.
///
/// # Errors
/// [`SandboxError::Refused`] naming the field.
pub(crate) fn check_box(
    shape: &Shape,
    core: Option<usize>,
    cores: &CpuSet,
    boxes: usize,
) -> Result<(), SandboxError> {
    const OPERATION: &str = "make a box";
    if boxes >= MOST_BOXES {
        return Err(refused(OPERATION, format!("there are {boxes} boxes already, the most at once")));
    }
    if shape.mounts.len() > MOST_MOUNTS {
        let count = shape.mounts.len();
        return Err(refused(OPERATION, format!("{count} mounts; give at most {MOST_MOUNTS}")));
    }
    shape.validate().map_err(|error| match error {
        SandboxError::Command { detail } => refused(OPERATION, detail),
        error => error,
    })?;
    let name = &shape.hostname;
    if name.len() > LONGEST_HOST_NAME || name.chars().any(char::is_control) {
        let problem = format!("the host name is {} bytes long or has control characters", name.len());
        return Err(refused(OPERATION, format!("{problem}; give at most {LONGEST_HOST_NAME} bytes of text")));
    }
    let ranges = [
        ("size of the work directory", shape.workspace.0, WORKSPACE_SIZES),
        ("number of inodes of the work directory", shape.workspace_inodes, WORKSPACE_INODES),
    ];
    for (field, value, range) in ranges {
        if !range.contains(&value) {
            let (low, high) = range.into_inner();
            return Err(refused(OPERATION, format!("{field} {value}: give {low} to {high}")));
        }
    }
    if let Some(core) = core
        && !cores.is_set(core).unwrap_or(false)
    {
        return Err(refused(OPERATION, format!("core {core} is not among those this process may use")));
    }
    Ok(())
}

/// Returns the cores that this process may use.
///
/// # Errors
/// The kernel's.
pub(crate) fn cores() -> Result<CpuSet, SandboxError> {
    sched_getaffinity(Pid::from_raw(0))
        .map_err(|errno| SandboxError::on("read", "the cores of this process", errno))
}
