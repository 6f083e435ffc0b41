//! The kernel and the host's settings, as far as boxes depend on them; nothing is run.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::statvfs::{FsFlags, statvfs};
use procfs::sys::kernel::Version;

use super::check::{Check, number, setting};
use crate::sandbox::{FIRST_ID, Hierarchy, ResourceControl};

/// What the sandbox is built on: name, the kernel that has it, whether boxes are impossible without it, what
/// it is for.
pub(super) const FEATURES: [(&str, u8, u8, bool, &str); 9] = [
    ("pidfd", 5, 4, true, "waiting for and killing processes without mistaking one for another"),
    ("clone3-into-cgroup", 5, 7, false, "programs are born inside their cgroup (clone3, CLONE_INTO_CGROUP)"),
    ("proc-subset", 5, 8, false, "languages that need /proc see nothing but their own processes in it"),
    ("close-range", 5, 9, true, "no descriptor leaks into a program"),
    ("mount-setattr", 5, 12, true, "directories are shown read-only, with everything mounted below them"),
    ("cgroup-kill", 5, 14, false, "everything of a run is killed at once"),
    ("memory-peak", 5, 19, false, "cgroup v2 tells the memory peak of a run"),
    (
        "memory-peak-reset",
        6,
        12,
        false,
        "a box's memory peak starts anew; before, each run pays for a new group",
    ),
    (
        "cgroup-pressure",
        5,
        13,
        false,
        "time the host gave a box no core is taken off its wall time (PSI, full)",
    ),
];

/// The check of `/proc`, without which nothing is known of the kernel.
pub(super) const PROC: &str = "proc";

/// Kinds of namespaces a box has, as `/proc/sys/user/max_<kind>_namespaces` spells them.
const NAMESPACES: [&str; 7] = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"];

/// Free space below which a compile cache is not worth having: a few dozen C++ programs.
const LEAST_FREE_MIB: u64 = 512;

/// What is known of this host before anything is run.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub(super) release: String,
    pub(super) cpu: String,
    pub(super) is_root: bool,
    pub(super) container: Option<String>,
    pub(super) has_systemd: bool,
}

impl Host {
    pub(super) fn read() -> Self {
        let release = setting("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".to_owned());
        Self {
            release,
            cpu: super::processor::model(),
            is_root: nix::unistd::geteuid().is_root(),
            container: container(),
            has_systemd: Path::new("/run/systemd/system").is_dir(),
        }
    }
}

/// Everything about the kernel and its settings.
pub(super) fn checks(host: &Host, hierarchies: &[Hierarchy], cache: &Path) -> Vec<Check> {
    let mut list = checks_of_boxes(host);
    list.push(pressure());
    list.push(swap(hierarchies));
    list.push(core_pattern());
    list.extend(resource_limits());
    list.push(privileges(host));
    list.push(in_container(host));
    list.push(hard_links());
    list.push(place(cache));
    list
}

/// What boxes cannot be made without.
pub(super) fn checks_of_boxes(host: &Host) -> Vec<Check> {
    let mut list = kernel(host);
    list.push(namespaces());
    list.extend(unprivileged_namespaces(host));
    list.push(seccomp());
    list.push(tmpfs());
    list.push(proc_mounted());
    list.push(root_directory());
    list.push(ids(host));
    list
}

fn proc_mounted() -> Check {
    let has = Path::new("/proc/self/exe").exists();
    Check::ok(
        PROC,
        if has { "mounted" } else { "not mounted" },
        "the box keeper is started and watched through /proc",
    )
    .needed(has, "mount -t proc proc /proc")
}

/// user_namespaces(7): in a chroot no user namespace can be made, by root neither (EPERM).
fn root_directory() -> Check {
    let is_changed = is_chroot();
    let found = if is_changed { "changed (chroot)" } else { "that of the mount namespace" };
    Check::ok("root-directory", found, "the kernel makes no user namespace in a chroot, for nobody").needed(
        !is_changed,
        "run it outside the chroot, or enter that directory with pivot_root: a container, systemd-nspawn -D DIR, \
         or RootDirectory= of a systemd unit",
    )
}

/// Whether the root of this process is not the root of its mount namespace: no mount is at it, or the first process of
/// the same mount namespace has another.
fn is_chroot() -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    if mounts.is_empty() {
        // Without /proc nothing is known of it.
        return false;
    }
    if !mounts.lines().any(|line| line.split(' ').nth(4) == Some("/")) {
        return true;
    }
    let is_same_namespace =
        match (std::fs::read_link("/proc/1/ns/mnt"), std::fs::read_link("/proc/self/ns/mnt")) {
            (Ok(first), Ok(own)) => first == own,
            _ => false,
        };
    let place = |path: &str| std::fs::metadata(path).map(|own| (own.dev(), own.ino()));
    is_same_namespace && matches!((place("/proc/1/root/."), place("/")), (Ok(first), Ok(own)) if first != own)
}

fn kernel(host: &Host) -> Vec<Check> {
    let version = Version::current().map(|version| (version.major, version.minor)).unwrap_or((0, 0));
    FEATURES
        .iter()
        .map(|(id, major, minor, needed, meaning)| {
            let found = format!("Linux {} (since {major}.{minor})", host.release);
            let check = Check::ok(id, found, *meaning);
            let remedy = format!("run Linux {major}.{minor} or newer; 6.12 has all that gavel uses");
            let has = version >= (*major, *minor);
            if *needed { check.needed(has, remedy) } else { check.wanted(has, remedy) }
        })
        .collect()
}

fn namespaces() -> Check {
    let forbidden: Vec<&str> = NAMESPACES
        .into_iter()
        .filter(|kind| number(&format!("/proc/sys/user/max_{kind}_namespaces")).is_none_or(|most| most == 0))
        .collect();
    let found = if forbidden.is_empty() {
        format!("{} kinds allowed", NAMESPACES.len())
    } else {
        format!("none may be made of: {}", forbidden.join(", "))
    };
    let remedy: Vec<_> = forbidden.iter().map(|kind| format!("user.max_{kind}_namespaces=10000")).collect();
    Check::ok("namespaces", found, "a box is made of one namespace of each kind, also for root").needed(
        forbidden.is_empty(),
        format!(
            "sysctl {} (not there at all: a kernel with CONFIG_NAMESPACES and CONFIG_USER_NS)",
            remedy.join(" ")
        ),
    )
}

/// What distributions put in the way of user namespaces; both are no matter to root.
fn unprivileged_namespaces(host: &Host) -> Vec<Check> {
    let debian = number("/proc/sys/kernel/unprivileged_userns_clone");
    let ubuntu = number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
    let state = |is_restricted: bool| match (is_restricted, host.is_root) {
        (true, true) => "restricted, but this is root",
        (true, false) => "restricted",
        (false, _) => "not restricted",
    };
    vec![
        Check::ok(
            "unprivileged-namespaces",
            state(debian == Some(0)),
            "without root, everything begins with a user namespace (kernel.unprivileged_userns_clone)",
        )
        .needed(host.is_root || debian != Some(0), "sysctl kernel.unprivileged_userns_clone=1, or run as root"),
        Check::ok(
            "apparmor-namespaces",
            state(ubuntu == Some(1)),
            "Ubuntu 23.10 and later let only programs with an AppArmor profile make user namespaces useful",
        )
        .needed(
            host.is_root || ubuntu != Some(1),
            "put 'abi <abi/4.0>, profile gavel /usr/local/bin/gavel flags=(unconfined) { userns, }' (with the \
             executable's real path) into /etc/apparmor.d/gavel and run 'apparmor_parser -r /etc/apparmor.d/gavel'; \
             or sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    ]
}

fn seccomp() -> Check {
    let actions = setting("/proc/sys/kernel/seccomp/actions_avail").unwrap_or_default();
    let found = if actions.is_empty() { "not there".to_owned() } else { actions.clone() };
    Check::ok("seccomp", found, "system calls of programs are filtered (seccomp)").needed(
        actions.contains("errno") && actions.contains("kill_process"),
        "a kernel with CONFIG_SECCOMP_FILTER=y, 4.14 or newer",
    )
}

fn pressure() -> Check {
    let is_on = std::fs::read_to_string("/proc/pressure/cpu").is_ok();
    let meaning = "where the kernel counts time a box waited for a core, wall limits do not charge for it; \
                   elsewhere a loaded host gives WTL to who did nothing wrong";
    Check::ok("pressure", if is_on { "on" } else { "off" }, meaning)
        .wanted(is_on, "boot with psi=1 (a kernel with CONFIG_PSI=y)")
}

/// Swap turns a memory limit into a slow run, or accounts for it.
fn swap(hierarchies: &[Hierarchy]) -> Check {
    let text = std::fs::read_to_string("/proc/swaps").unwrap_or_default();
    let areas = text.lines().skip(1).filter(|line| !line.trim().is_empty()).count();
    if areas == 0 {
        return Check::ok("swap", "off", "memory limits are limits of memory alone");
    }
    let is_accounted =
        hierarchies.iter().filter(|own| own.controllers.iter().any(|name| name == "memory")).any(|own| {
            let base = own.base.as_ref().unwrap_or(&own.mount_point);
            own.version == 2 || base.join("memory.memsw.limit_in_bytes").exists()
        });
    let (found, meaning) = if is_accounted {
        ("on, accounted", "programs get none, but the host itself slows down once it swaps: timings are off")
    } else {
        ("on, not accounted", "a program over its memory limit may be swapped out and merely become slow")
    };
    Check::ok("swap", found, meaning)
        .warning("swapoff -a, and take it out of /etc/fstab; where swap must stay, boot with swapaccount=1")
}

/// core(5): a limit of 1, which programs have, keeps the kernel from starting the handler of a pipe as well.
fn core_pattern() -> Check {
    let pattern = setting("/proc/sys/kernel/core_pattern").unwrap_or_default();
    let found = if pattern.starts_with('|') { "piped to a program" } else { "a file" };
    let meaning = "crashes leave no core and start no handler: programs run with RLIMIT_CORE 1, at which the \
                   kernel writes to neither";
    Check::ok("core-dumps", found, meaning)
}

fn tmpfs() -> Check {
    let list = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let has = list.lines().any(|line| line.trim_start_matches("nodev").trim() == "tmpfs");
    Check::ok(
        "tmpfs",
        if has { "there" } else { "not there" },
        "a box's root and work directory are tmpfs; no overlay is needed",
    )
    .needed(has, "a kernel with CONFIG_TMPFS=y")
}

/// The hard limits this process has and cannot raise.
fn resource_limits() -> Vec<Check> {
    let hard = |resource: rlimit::Resource| resource.get_hard().unwrap_or(rlimit::INFINITY);
    let shown =
        |value: u64| if value == rlimit::INFINITY { "unlimited".to_owned() } else { value.to_string() };
    let (files, stack, processes) =
        (hard(rlimit::Resource::NOFILE), hard(rlimit::Resource::STACK), hard(rlimit::Resource::NPROC));
    vec![
        Check::ok(
            "open-files",
            shown(files),
            "each program may open 1024 files, and each box costs 20 or so",
        )
        .wanted(files >= 4096, "ulimit -Hn 65536, or LimitNOFILE=65536 in the service's unit"),
        Check::ok("stack", shown(stack), "a program's stack may be as large as its memory limit")
            .wanted(stack >= 4 << 30, "ulimit -Hs unlimited, or LimitSTACK=infinity in the service's unit"),
        Check::ok("processes", shown(processes), "boxes, runtimes with many threads and compilers need room")
            .wanted(processes >= 4096, "ulimit -Hu 65536, or LimitNPROC=65536 in the service's unit"),
    ]
}

fn privileges(host: &Host) -> Check {
    let status = procfs::process::Process::myself().and_then(|process| process.status());
    let capabilities = status.map(|status| status.capeff).unwrap_or_default();
    let has = |bit: u32| capabilities & (1 << bit) != 0;
    // linux/capability.h
    let (admin, resource) = (has(21), has(24));
    let raise = "run with CAP_SYS_RESOURCE, or raise the hard limits gavel is started with";
    match (host.is_root && admin, resource) {
        (true, true) => Check::ok("privileges", "root", "each box has ids of its own, limits can be raised"),
        (true, false) => {
            let meaning = "limits of programs cannot be higher than the hard limits gavel was started with";
            let is_enough = rlimit::Resource::STACK.get_hard().is_ok_and(|hard| hard == rlimit::INFINITY);
            Check::ok("privileges", "root without CAP_SYS_RESOURCE", meaning).wanted(is_enough, raise)
        }
        (false, _) => {
            let found = if host.is_root { "root without CAP_SYS_ADMIN" } else { "a user" };
            Check::ok("privileges", found, "all boxes share one id, in a user namespace")
                .warning("run as root: one small process keeps the privileges, nothing else has them")
        }
    }
}

/// Root of a user namespace (a rootless container's, `unshare --map-root-user`) has only the ids it was given.
fn ids(host: &Host) -> Check {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let is_whole = map.lines().any(|line| {
        let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        matches!(numbers[..], [first, _, count] if first <= FIRST_ID.into() && first + count > u64::from(u32::MAX >> 1))
    });
    let meaning = "as root, each box gets ids above 1,879,048,192 that nobody on the host has";
    if map.trim().is_empty() && Path::new("/proc/self/uid_map").exists() {
        return Check::ok("ids", "none: a user namespace without mappings", meaning)
            .problem("map ids into it, as 'unshare --user --map-user=1000' does, or run it outside");
    }
    let found = match (is_whole, host.is_root) {
        (true, true) => "all",
        (false, true) => "some, in a user namespace",
        (_, false) => "one",
    };
    Check::ok("ids", found, meaning).needed(
        is_whole || !host.is_root,
        "run it outside the user namespace, or in it as another user than root; or map all ids into it",
    )
}

fn in_container(host: &Host) -> Check {
    let meaning = "a container may hide cgroups and /proc and forbid namespaces";
    match &host.container {
        None => Check::ok("container", "no", meaning),
        Some(kind) => Check::ok("container", kind.clone(), meaning).warning(
            "never --privileged: give it a writable cgroup (docker run --cgroupns=private with /sys/fs/cgroup \
             mounted rw, podman run --security-opt unmask=/sys/fs/cgroup), a seccomp setting that lets clone, \
             unshare and mount through, and on AppArmor hosts a profile with userns and mount",
        ),
    }
}

/// isolate's check: without it users may link others' files into places that change owners.
fn hard_links() -> Check {
    let is_on = number("/proc/sys/fs/protected_hardlinks") == Some(1);
    let meaning =
        "other users of this host cannot link files that are not theirs into directories gavel cleans";
    Check::ok("hard-links", if is_on { "protected" } else { "not protected" }, meaning)
        .wanted(is_on, "sysctl fs.protected_hardlinks=1")
}

/// The cache's place, made if it is missing.
fn place(cache: &Path) -> Check {
    let meaning = "compiled programs are kept there, and run from there";
    let shown = crate::commands::start::shown(cache);
    if let Err(error) = std::fs::create_dir_all(cache) {
        return Check::ok("cache", format!("{shown}: {error}"), meaning)
            .problem("choose another place with --cache or GAVEL_CACHE");
    }
    let Ok(space) = statvfs(cache) else {
        return Check::ok("cache", format!("{shown}: cannot be examined"), meaning)
            .problem("choose another place with --cache or GAVEL_CACHE");
    };
    let free = (space.blocks_available().saturating_mul(space.fragment_size())) >> 20;
    let check = Check::ok("cache", format!("{shown}: {free} MiB free"), meaning);
    let flags = space.flags();
    if flags.contains(FsFlags::ST_RDONLY) || flags.contains(FsFlags::ST_NOEXEC) {
        return check
            .problem("it is mounted read-only or noexec: choose another place with --cache or GAVEL_CACHE");
    }
    let inodes = space.files() == 0 || space.files_available() > 1000;
    check.wanted(free >= LEAST_FREE_MIB && inodes, "free some space or inodes there, or choose another place")
}

/// What kind of container this is, as far as it shows.
fn container() -> Option<String> {
    if let Some(kind) = setting("/run/systemd/container") {
        return Some(kind);
    }
    let marked = [("/.dockerenv", "docker"), ("/run/.containerenv", "podman")];
    if let Some((_, kind)) = marked.iter().find(|(path, _)| Path::new(path).exists()) {
        return Some((*kind).to_owned());
    }
    // Readable for root alone.
    let environment = std::fs::read("/proc/1/environ").unwrap_or_default();
    environment
        .split(|byte| *byte == 0)
        .find_map(|entry| entry.strip_prefix(b"container="))
        .map(|kind| String::from_utf8_lossy(kind).into_owned())
}

/// What every level of resource control gives up, best first.
pub(super) fn lost(control: ResourceControl) -> &'static [&'static str] {
    match control {
        ResourceControl::CgroupV2 => &[],
        ResourceControl::CgroupHybrid => {
            &["memory.oom.group: the kernel kills one process of a tree over its limit, gavel the others"]
        }
        ResourceControl::CgroupV1 => &[
            "birth inside the group and cgroup.kill: everything of a run is killed by box init instead",
            "pressure: time the host gave a program no core is told by its threads, too little where several are busy",
            "memory.oom.group: the kernel kills one process of a tree over its limit, gavel the others",
        ],
        ResourceControl::None => &[
            "kernel limits over the whole process tree: memory and CPU time are sampled every 10 ms, limits hold \
             for one process at a time",
            "memory files and more than 128 open files (256 for runtimes): nothing counts their memory, so they are denied",
            "CPU time of children whose parent ignores SIGCHLD: only samples see it, only the wall limit bounds it",
            "exact memory peaks: what a program held shorter than a sample is seen only of its largest process",
            "a process limit for each box: it counts by user id, which without root all boxes share",
            "pressure: time the host gave a program no core is told by its threads, too little where several are busy",
        ],
    }
}
