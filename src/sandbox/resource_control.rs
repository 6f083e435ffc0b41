//! The resource controls: which kernel interfaces limit and measure boxes on a host, and their limitations.

use serde::{Deserialize, Serialize};

/// The kernel interfaces that limit and measure boxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ResourceControl {
    /// Pure cgroup v2.
    CgroupV2,
    /// v1 memory and pids controllers beside a v2 tree without them.
    CgroupHybrid,
    /// v1 controllers alone.
    CgroupV1,
    /// No cgroups: rlimits, wait4, procfs.
    None,
}

impl ResourceControl {
    /// Returns the id in reports and flags.
    pub const fn id(self) -> &'static str {
        match self {
            Self::CgroupV2 => "cgroup-v2",
            Self::CgroupHybrid => "cgroup-hybrid",
            Self::CgroupV1 => "cgroup-v1",
            Self::None => "none",
        }
    }

    /// Returns the name of the file or field that memory peaks are read from.
    pub const fn memory_source(self) -> &'static str {
        match self {
            Self::CgroupV2 => "memory.peak",
            Self::CgroupHybrid | Self::CgroupV1 => "max_usage_in_bytes",
            Self::None => "ru_maxrss",
        }
    }

    /// Returns its limitations, a sentence each, for reports.
    pub const fn limitations(self) -> &'static [&'static str] {
        match self {
            Self::CgroupV2 | Self::CgroupHybrid | Self::CgroupV1 => &[],
            Self::None => &[
                "memory is sampled every 10 ms: a program may exceed its limit for that long, or end before it is seen",
                "memory of several processes at once is the largest sample of their sum; what they share counts for each",
                "buffers of pipes and sockets are not counted; the limits of open files and processes bound them",
                "the process limit counts by user, not by box, where the judge has no privileges",
                "CPU time of children whose parent ignores SIGCHLD is sampled every 10 ms; the wall limit bounds what is missed",
            ],
        }
    }
}
