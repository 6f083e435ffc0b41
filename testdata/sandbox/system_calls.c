/* Attempts system calls under a filter. Without arguments: prints "name errno" for each attempt, errno 0
 * where it was let through. With "int80" or "x32": makes one call through that table and must die of it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void attempt(const char *name, long number, long a, long b, long c, long d, long e) {
    errno = 0;
    long result = syscall(number, a, b, c, d, e);
    printf("%s %d\n", name, result < 0 ? errno : 0);
}

int main(int count, char **arguments) {
    if (count > 1 && strcmp(arguments[1], "x32") == 0) {
        syscall(0x40000000 | SYS_getpid);
        return 0;
    }
    if (count > 1 && strcmp(arguments[1], "int80") == 0) {
#ifdef __x86_64__
        long result;
        __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory");
#endif
        return 0;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    /* The test harness leaves a line of its own unfinished. */
    printf("\n");
    int one = 1, pair[2], pipes[2];
    char memory[256] = {0};
    attempt("socketpair-unix", SYS_socketpair, 1, 1, 0, (long)pair, 0);
    /* Every structure below is valid, so that a call let through answers something else than ENOSYS. */
    attempt("clone-newuser", SYS_clone, 0x10000000 | 17, 0, 0, 0, 0);
    attempt("clone-newns", SYS_clone, 0x00020000 | 17, 0, 0, 0, 0);
    attempt("clone-newnet-high", SYS_clone, 0x40000000L | (1L << 40) | 17, 0, 0, 0, 0);
    attempt("clone-parent", SYS_clone, 0x8000 | 17, 0, 0, 0, 0);
    attempt("clone3", SYS_clone3, 0, 0, 0, 0, 0);
    attempt("unshare", SYS_unshare, 0x10000000, 0, 0, 0, 0);
    attempt("setns", SYS_setns, 0, 0, 0, 0, 0);
    attempt("ptrace", SYS_ptrace, 0, 0, 0, 0, 0);
    attempt("process_vm_writev", SYS_process_vm_writev, getpid(), 0, 0, 0, 0);
    attempt("pidfd_open", 434, getpid(), 0, 0, 0, 0);
    attempt("pidfd_getfd", 438, 0, 0, 0, 0, 0);
    attempt("add_key", SYS_add_key, (long)"user", (long)"x", (long)"y", 1, -3);
    attempt("keyctl", SYS_keyctl, 0, -3, 0, 0, 0);
    attempt("request_key", SYS_request_key, (long)"user", (long)"x", 0, -3, 0);
    attempt("io_uring_setup", 425, 4, (long)memory, 0, 0, 0);
    attempt("bpf", SYS_bpf, 0, (long)memory, 72, 0, 0);
    attempt("userfaultfd", SYS_userfaultfd, 0, 0, 0, 0, 0);
    attempt("perf_event_open", SYS_perf_event_open, (long)memory, 0, -1, -1, 0);
    attempt("mount", SYS_mount, (long)"none", (long)"/", (long)"tmpfs", 0, 0);
    attempt("open_tree", 428, -100, (long)"/", 1, 0, 0);
    attempt("fsopen", 430, (long)"tmpfs", 0, 0, 0, 0);
    attempt("move_mount", 429, -100, (long)"/", -100, (long)"/", 0);
    attempt("chroot", SYS_chroot, (long)"/", 0, 0, 0, 0);
    attempt("pivot_root", SYS_pivot_root, (long)"/", (long)"/", 0, 0, 0);
    attempt("init_module", SYS_init_module, 0, 0, 0, 0, 0);
    attempt("kexec_load", SYS_kexec_load, 0, 0, 0, 0, 0);
    attempt("reboot", SYS_reboot, 0, 0, 0, 0, 0);
    attempt("swapon", SYS_swapon, (long)"/x", 0, 0, 0, 0);
    attempt("quotactl", SYS_quotactl, 0, 0, 0, 0, 0);
    attempt("clock_settime", SYS_clock_settime, 99, 0, 0, 0, 0);
    attempt("settimeofday", SYS_settimeofday, 0, 0, 0, 0, 0);
    attempt("adjtimex", SYS_adjtimex, 0, 0, 0, 0, 0);
    attempt("open_by_handle_at", SYS_open_by_handle_at, -100, 0, 0, 0, 0);
    attempt("name_to_handle_at", SYS_name_to_handle_at, -100, 0, 0, 0, 0);
    attempt("memfd_secret", 447, 0, 0, 0, 0, 0);
    attempt("shmget", SYS_shmget, 0, 4096, 01600, 0, 0);
    attempt("msgget", SYS_msgget, 0, 01600, 0, 0, 0);
    attempt("semget", SYS_semget, 0, 1, 01600, 0, 0);
    attempt("mq_open", SYS_mq_open, (long)"x", 0102, 0600, 0, 0);
    attempt("inotify_init1", SYS_inotify_init1, 0, 0, 0, 0, 0);
    attempt("fanotify_init", SYS_fanotify_init, 0, 0, 0, 0, 0);
    attempt("flock", SYS_flock, 1, 5, 0, 0, 0);
    attempt("fcntl-setlease", SYS_fcntl, 0, 1024, 0, 0, 0);
    attempt("fcntl-getlk", SYS_fcntl, 0, F_GETLK, (long)memory, 0, 0);
    attempt("fcntl-setlk", SYS_fcntl, 0, F_SETLK, (long)memory, 0, 0);
    attempt("fcntl-setlkw", SYS_fcntl, 0, F_SETLKW, (long)memory, 0, 0);
    attempt("fcntl-ofd-getlk", SYS_fcntl, 0, 36, (long)memory, 0, 0);
    attempt("fcntl-ofd-setlk", SYS_fcntl, 0, 37, (long)memory, 0, 0);
    attempt("fcntl-ofd-setlkw", SYS_fcntl, 0, 38, (long)memory, 0, 0);
    attempt("fcntl-setown", SYS_fcntl, 0, F_SETOWN, getpid(), 0, 0);
    attempt("fcntl-setown-ex", SYS_fcntl, 0, F_SETOWN_EX, (long)memory, 0, 0);
    attempt("fcntl-setsig", SYS_fcntl, 0, F_SETSIG, 10, 0, 0);
    attempt("fcntl-notify", SYS_fcntl, 0, F_NOTIFY, 1, 0, 0);
    attempt("fcntl-setfl-nonblock", SYS_fcntl, pair[0], F_SETFL, O_NONBLOCK, 0, 0);
    attempt("fcntl-setfl-async", SYS_fcntl, pair[0], F_SETFL, O_ASYNC, 0, 0);
    attempt("fcntl-setfl-direct", SYS_fcntl, pair[0], F_SETFL, O_DIRECT, 0, 0);
    attempt("fcntl-setfl-direct-high", SYS_fcntl, pair[0], F_SETFL, O_DIRECT | (1L << 32), 0, 0);
    attempt("open-direct", SYS_open, (long)"/dev/null", O_DIRECT, 0, 0, 0);
    attempt("openat-direct", SYS_openat, -100, (long)"/dev/null", O_DIRECT, 0, 0);
    attempt("openat2", SYS_openat2, -100, (long)"/dev/null", (long)memory, 24, 0);
    attempt("pipe2-direct", SYS_pipe2, (long)pipes, O_DIRECT, 0, 0, 0);
    attempt("ioctl-fioasync", SYS_ioctl, pair[0], FIOASYNC, (long)&one, 0, 0);
    attempt("ioctl-fiosetown", SYS_ioctl, pair[0], 0x8901, (long)&one, 0, 0);
    attempt("mmap-hugetlb", SYS_mmap, 0, 2 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);
    attempt("memfd_create-hugetlb", SYS_memfd_create, (long)"x", 4, 0, 0, 0);
    attempt("setsockopt-rcvbuf", SYS_setsockopt, pair[0], SOL_SOCKET, SO_RCVBUF, (long)&one, sizeof one);
    attempt("setsockopt-attach-filter", SYS_setsockopt, pair[0], SOL_SOCKET, SO_ATTACH_FILTER, (long)memory, 16);
    attempt("setsockopt-attach-bpf", SYS_setsockopt, pair[0], SOL_SOCKET, SO_ATTACH_BPF, (long)&one, sizeof one);
    attempt("setsockopt-attach-reuseport-cbpf", SYS_setsockopt, pair[0], SOL_SOCKET, 51, (long)memory, 16);
    attempt("setsockopt-attach-reuseport-ebpf", SYS_setsockopt, pair[0], SOL_SOCKET, 52, (long)&one, sizeof one);
    attempt("setsockopt-attach-high", SYS_setsockopt, pair[0], SOL_SOCKET | (1L << 32), SO_ATTACH_FILTER, (long)memory, 16);
    attempt("setsockopt-lock-filter", SYS_setsockopt, pair[0], SOL_SOCKET, SO_LOCK_FILTER, (long)&one, sizeof one);
    attempt("setsockopt-ip", SYS_setsockopt, pair[0], 0, 1, (long)&one, sizeof one);
    attempt("setsockopt-netfilter", SYS_setsockopt, pair[0], 0, 64, (long)memory, 84);
    attempt("fcntl-setpipe", SYS_fcntl, 0, 1031, 1 << 20, 0, 0);
    attempt("fcntl-getfl", SYS_fcntl, 0, F_GETFL, 0, 0, 0);
    attempt("socket-vsock", SYS_socket, 40, 1, 0, 0, 0);
    attempt("socket-vsock-high", SYS_socket, 40 | (1L << 32), 1, 0, 0, 0);
    attempt("socket-inet", SYS_socket, 2, 1, 0, 0, 0);
    attempt("socket-netlink", SYS_socket, 16, 3, 0, 0, 0);
    attempt("socket-alg", SYS_socket, 38, 5, 0, 0, 0);
    attempt("socket-packet", SYS_socket, 17, 3, 0, 0, 0);
    attempt("socket-unix", SYS_socket, 1, 1, 0, 0, 0);
    attempt("getsockopt-type", SYS_getsockopt, pair[0], 1, 3, (long)memory, (long)&one);
    attempt("getsockopt-cookie", SYS_getsockopt, pair[0], 1, 57, (long)memory, (long)&one);
    attempt("statx", SYS_statx, -100, (long)"/", 0, 0x7ff, (long)memory);
    attempt("statx-unique-mount", SYS_statx, -100, (long)"/", 0, 0x4000, (long)memory);
    attempt("statfs", SYS_statfs, (long)"/", (long)memory, 0, 0, 0);
    attempt("fstatfs", SYS_fstatfs, 0, (long)memory, 0, 0, 0);
    attempt("madvise-dontneed", SYS_madvise, 0, 0, 4, 0, 0);
    attempt("madvise-mergeable", SYS_madvise, 0, 0, 12, 0, 0);
    attempt("madvise-cold", SYS_madvise, 0, 0, 20, 0, 0);
    attempt("madvise-pageout", SYS_madvise, 0, 0, 21, 0, 0);
    attempt("ioctl-tiocsti", SYS_ioctl, 0, TIOCSTI, (long)"x", 0, 0);
    attempt("ioctl-tiocsti-high", SYS_ioctl, 0, TIOCSTI | (1L << 32), (long)"x", 0, 0);
    attempt("ioctl-tioclinux", SYS_ioctl, 0, 0x541c, (long)memory, 0, 0);
    attempt("ioctl-fionbio", SYS_ioctl, pair[0], FIONBIO, (long)&one, 0, 0);
    attempt("prctl-set-name", SYS_prctl, PR_SET_NAME, (long)"x", 0, 0, 0);
    attempt("prctl-set-seccomp", SYS_prctl, PR_SET_SECCOMP, 2, (long)memory, 0, 0);
    attempt("prctl-set-mm", SYS_prctl, PR_SET_MM, 1, 0, 0, 0);
    attempt("seccomp", SYS_seccomp, 1, 0, (long)memory, 0, 0);
    attempt("sched_setaffinity", SYS_sched_setaffinity, 0, 8, (long)"\3\0\0\0\0\0\0", 0, 0);
    attempt("sched_setscheduler-other", SYS_sched_setscheduler, 0, 0, (long)memory, 0, 0);
    attempt("sched_setscheduler-idle", SYS_sched_setscheduler, 0, 5, (long)memory, 0, 0);
    attempt("setpriority", SYS_setpriority, 0, 0, 5, 0, 0);
    attempt("memfd_create", SYS_memfd_create, (long)"x", 0, 0, 0, 0);
    attempt("splice", SYS_splice, 0, 0, 1, 0, 0);
    attempt("vmsplice", SYS_vmsplice, 0, 0, 0, 0, 0);
    attempt("personality-read", SYS_personality, 0xffffffff, 0, 0, 0, 0);
    attempt("personality-bsd", SYS_personality, 6, 0, 0, 0, 0);
    attempt("getpid", SYS_getpid, 0, 0, 0, 0, 0);
    attempt("none", -1, 0, 0, 0, 0, 0);
    return 0;
}
