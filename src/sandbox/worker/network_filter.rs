//! The system-call filter of a worker, which talks to the network: a deny-list.
//!
//! A worker reads messages, archives and certificates of others for months. Its runtime and the C library's name
//! service choose their calls by kernel and configuration, so an allow-list would break on an update. The list contains
//! calls that no worker ever needs and that an intruder would use first: starting programs, other processes, mounts,
//! namespaces, kernel features with past vulnerabilities, the clock, and a change of user. A denied call answers EPERM.

use std::collections::BTreeMap;
use std::io;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use crate::sandbox::error::SandboxError;
use crate::sandbox::sys::bpf;

/// Since Linux 6.15; the `libc` crate does not have it.
const SYS_OPEN_TREE_ATTR: c_long = 467;

const DENIED: &[c_long] = &[
    // Programs, and other processes' memory and descriptors.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    // Mounts, roots and namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    SYS_OPEN_TREE_ATTR,
    libc::SYS_move_mount,
    libc::SYS_mount_setattr,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    // The kernel itself, and its larger surfaces.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_kexec_file_load,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_fanotify_init,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_personality,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    // The host.
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    // Another user, or capabilities.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
    // Processes. Threads are created by clone, below.
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
];

/// Builds the filters.
///
/// # Errors
/// On an architecture without filters.
pub(crate) fn filters() -> Result<Vec<BpfProgram>, SandboxError> {
    build().map_err(|error| SandboxError::on("build", "the system-call filter", io::Error::other(error)))
}

fn build() -> Result<Vec<BpfProgram>, BackendError> {
    let target = TargetArch::try_from(std::env::consts::ARCH)?;
    let mut denied: BTreeMap<i64, Vec<SeccompRule>> = DENIED.iter().map(|call| (*call, Vec::new())).collect();
    // A thread has both flags. A clone without one of them is a process, and only a process gets namespaces of its own.
    let flags = u64::from((libc::CLONE_VM | libc::CLONE_THREAD).unsigned_abs());
    let partly = [0, libc::CLONE_VM, libc::CLONE_THREAD].map(|bits| u64::from(bits.unsigned_abs()));
    let mut rules = Vec::new();
    for bits in partly {
        let condition =
            SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(flags), bits)?;
        rules.push(SeccompRule::new(vec![condition])?);
    }
    denied.insert(libc::SYS_clone, rules);
    let eperm = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let deny = SeccompFilter::new(denied, SeccompAction::Allow, eperm, target)?;
    // The flags of clone3 lie in memory, which a filter cannot read; the C library falls back to clone.
    let enosys = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let hide = SeccompFilter::new(clone3, SeccompAction::Allow, enosys, target)?;
    let mut first = bpf::refuse_x32();
    first.append(&mut deny.try_into()?);
    Ok(vec![first, hide.try_into()?])
}

#[cfg(test)]
mod tests {
    use std::net::ToSocketAddrs;
    use std::process::Command;

    use nix::errno::Errno;
    use nix::mount::MsFlags;
    use nix::sched::CloneFlags;
    use nix::unistd::Uid;

    /// The variable that makes the re-executed test binary install the filter.
    const REQUEST: &str = "GAVEL_TEST_NETWORK_FILTER";

    /// Runs in the child below; checks nothing without its variable.
    #[test]
    fn child_that_installs_the_filter() {
        if std::env::var_os(REQUEST).is_none() {
            return;
        }
        nix::sys::prctl::set_no_new_privs().unwrap();
        for filter in super::filters().unwrap() {
            seccompiler::apply_filter_all_threads(&filter).unwrap();
        }
        let started = Command::new("/bin/true").status();
        assert_eq!(started.unwrap_err().raw_os_error(), Some(libc::EPERM));
        assert_eq!(nix::unistd::execv(c"/bin/true", &[c"true"]).unwrap_err(), Errno::EPERM);
        assert_eq!(nix::sched::unshare(CloneFlags::CLONE_NEWUSER).unwrap_err(), Errno::EPERM);
        let mounted = nix::mount::mount(None::<&str>, "/", None::<&str>, MsFlags::MS_PRIVATE, None::<&str>);
        assert_eq!(mounted.unwrap_err(), Errno::EPERM);
        assert_eq!(nix::unistd::chroot("/").unwrap_err(), Errno::EPERM);
        let own = Uid::current();
        assert_eq!(nix::unistd::setresuid(own, own, own).unwrap_err(), Errno::EPERM);
        // A worker needs threads, the name service, files and sockets.
        std::thread::spawn(|| std::fs::read("/etc/passwd").unwrap()).join().unwrap();
        ("localhost", 80).to_socket_addrs().unwrap();
        std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        println!("held");
    }

    #[test]
    fn a_worker_starts_no_programs_and_changes_neither_mounts_nor_users() {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "sandbox::worker::network_filter::tests::child_that_installs_the_filter"])
            .args(["--nocapture", "--test-threads=1"])
            .env(REQUEST, "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("held"),
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
