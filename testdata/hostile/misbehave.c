/* One program with one variant per misbehaviour, for the tests of the sandbox.
 *
 *     misbehave VARIANT [ARGUMENT]...
 *
 * What a variant finds out it prints as lines "name value"; an errno is printed as its number, 0 for success.
 * Static, and using nothing but the C library, so that what it costs is known.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <mqueue.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <dirent.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static int argument_count;
static char **arguments;

static const char *text(int index) {
    if (index >= argument_count) {
        fprintf(stderr, "argument %d is missing\n", index);
        exit(99);
    }
    return arguments[index];
}

static long number(int index) { return atol(text(index)); }

static void say(const char *name, long value) {
    printf("%s %ld\n", name, value);
    fflush(stdout);
}

static void say_errno(const char *name, long result) { say(name, result < 0 ? errno : 0); }

static long long own_cpu(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void spin_for(long milliseconds) {
    while (own_cpu() < milliseconds * 1000000LL) {
    }
}

static void spin(void) {
    for (volatile long count = 0;; count++) {
    }
}

/* volatile: a compiler may leave out stores that nobody reads. */
static void touch(volatile char *memory, size_t bytes) {
    for (size_t at = 0; at < bytes; at += 4096) memory[at] = 1;
}

static char *pages(size_t bytes) {
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        say("mmap", errno);
        exit(3);
    }
    /* Whole pages of 4 KiB, so that the appetite is known. */
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    return memory;
}

/* ---- CPU time ---- */

static int variant_spin(void) {
    spin();
    return 0;
}

static int variant_spin_for(void) {
    spin_for(number(2));
    say("cpu", own_cpu());
    return 0;
}

/* N children that spin for M milliseconds each; the sum of what all of them read. */
static int variant_children_spin_for(void) {
    int ends[2];
    if (pipe(ends) < 0) return 3;
    long count = number(2);
    for (long child = 0; child < count; child++) {
        if (fork() == 0) {
            spin_for(number(3));
            long long used = own_cpu();
            if (write(ends[1], &used, sizeof used) < 0) _exit(3);
            _exit(0);
        }
    }
    long long sum = 0;
    for (long child = 0; child < count; child++) {
        long long used = 0;
        if (read(ends[0], &used, sizeof used) < 0) return 3;
        sum += used;
    }
    while (wait(NULL) > 0) {
    }
    say("cpu", sum + own_cpu());
    return 0;
}

/* Children that nobody will wait for: wait4 cannot know what they used. */
static int variant_ignored_children_spin_for(void) {
    signal(SIGCHLD, SIG_IGN);
    return variant_children_spin_for();
}

static pthread_barrier_t burst_over;

static void *burst_thread(void *unused) {
    const struct timespec rest = {0, 5000000};
    for (;;) {
        struct timespec now;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        long long end = now.tv_sec * 1000000000LL + now.tv_nsec + 600000;
        do clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        while (now.tv_sec * 1000000000LL + now.tv_nsec < end);
        pthread_barrier_wait(&burst_over);
        nanosleep(&rest, NULL);
    }
    return unused;
}

/* Eight threads that want the core at the same time, and then all sleep as long as that took: half of the time some of
 * them wait for the others. */
static int variant_threads_burst(void) {
    pthread_barrier_init(&burst_over, NULL, 8);
    pthread_t thread;
    for (int index = 1; index < 8; index++) {
        if (pthread_create(&thread, NULL, burst_thread, NULL) != 0) return 3;
    }
    burst_thread(NULL);
    return 0;
}

/* Not in a box: competes with what is in one, on that core; in a session of its own, as the kernel may share a core
 * by sessions. */
static int variant_spin_on(void) {
    cpu_set_t cores;
    setsid();
    CPU_ZERO(&cores);
    CPU_SET((int)number(2), &cores);
    if (sched_setaffinity(0, sizeof cores, &cores) < 0) return 3;
    spin();
    return 0;
}

static int variant_children_spin(void) {
    for (int child = 0; child < 3; child++) {
        if (fork() == 0) spin();
    }
    while (wait(NULL) > 0) {
    }
    return 0;
}

static void daemonise(void) {
    if (fork() > 0) return;
    setsid();
    if (fork() > 0) _exit(0);
    for (int signal_number = 1; signal_number <= 64; signal_number++) signal(signal_number, SIG_IGN);
    if (strcmp(text(2), "spin") == 0) spin();
    for (;;) {
        /* Holds standard output open, and writes into the work directory as long as it lives. */
        int file = open("/w/alive", O_CREAT | O_WRONLY | O_APPEND, 0600);
        if (file >= 0) {
            if (write(file, "x", 1) < 0) _exit(3);
            close(file);
        }
        if (write(1, "alive\n", 6) < 0) _exit(3);
        usleep(1000);
    }
}

static int variant_daemon_and_wait(void) {
    daemonise();
    for (;;) pause();
    return 0;
}

static int variant_daemon_and_leave(void) {
    daemonise();
    /* Not before the daemon has written, however slow the machine is. */
    if (strcmp(text(2), "write") == 0) {
        while (access("/w/alive", F_OK) != 0) usleep(1000);
    } else {
        usleep(20000);
    }
    return 0;
}

static int variant_chain(void) {
    /* Every link forks the next and exits at once. */
    for (;;) {
        pid_t next = fork();
        if (next < 0) continue;
        if (next > 0) {
            if (getpid() == getsid(0)) {
                usleep(100000);
                return 0;
            }
            _exit(0);
        }
    }
}

static void nothing(int signal_number) { (void)signal_number; }

static int variant_catch_xcpu(void) {
    signal(SIGXCPU, nothing);
    spin();
    return 0;
}

static void *spinning_thread(void *unused) {
    spin();
    return unused;
}

static int variant_threads_spin(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, spinning_thread, NULL) != 0) return 3;
    spin();
    return 0;
}

static void *returning_thread(void *argument) {
    sleep(1);
    return argument;
}

/* As many threads at once as asked for, with stacks of the default size. */
static int variant_threads(void) {
    pthread_t threads[64];
    int wanted = atoi(text(2)), started = 0;
    while (started < wanted && pthread_create(&threads[started], NULL, returning_thread, NULL) == 0) started++;
    printf("started %d\n", started);
    for (int index = 0; index < started; index++) pthread_join(threads[index], NULL);
    return 0;
}

static int variant_close_and_spin(void) {
    close(0);
    close(1);
    close(2);
    spin();
    return 0;
}

/* ---- wall time ---- */

static int variant_sleep(void) {
    for (;;) pause();
    return 0;
}

static int variant_stop(void) {
    raise(SIGSTOP);
    return 0;
}

/* ---- memory ---- */

static int variant_touch(void) {
    size_t bytes = (size_t)number(2) << 20;
    touch(pages(bytes), bytes);
    return 0;
}

static int variant_touch_malloc(void) {
    size_t bytes = (size_t)number(2) << 20;
    for (size_t done = 0; done < bytes; done += 65536) {
        char *memory = malloc(65536);
        if (memory == NULL) return 4;
        touch(memory, 65536);
    }
    return 0;
}

static int variant_touch_stack(void) {
    size_t bytes = (size_t)number(2) << 20;
    char *memory = __builtin_alloca(bytes);
    /* Downwards, as a stack grows. */
    for (size_t at = bytes; at >= 4096; at -= 4096) ((volatile char *)memory)[at - 1] = 1;
    return 0;
}

/* N children that hold M MiB each at the same time. */
static int variant_children_touch(void) {
    int ready[2], leave[2];
    if (pipe(ready) < 0 || pipe(leave) < 0) return 3;
    size_t bytes = (size_t)number(3) << 20;
    for (long child = 0; child < number(2); child++) {
        if (fork() == 0) {
            close(leave[1]);
            touch(pages(bytes), bytes);
            char byte = 1;
            if (write(ready[1], &byte, 1) < 0) _exit(3);
            if (read(leave[0], &byte, 1) < 0) _exit(3);
            _exit(0);
        }
    }
    close(ready[1]);
    char byte;
    long held = 0;
    while (held < number(2) && read(ready[0], &byte, 1) == 1) held++;
    close(leave[1]);
    while (wait(NULL) > 0) {
    }
    say("held", held);
    return held == number(2) ? 0 : 5;
}

static int fill(int file, size_t bytes) {
    static char block[65536];
    memset(block, 'x', sizeof block);
    size_t done = 0;
    while (done < bytes) {
        ssize_t written = write(file, block, sizeof block);
        if (written <= 0) break;
        done += (size_t)written;
    }
    say("written", (long)done);
    say("errno", done < bytes ? errno : 0);
    return 0;
}

static int variant_fill_file(void) {
    signal(SIGXFSZ, SIG_IGN);
    int file = open("/w/filled", O_CREAT | O_WRONLY, 0600);
    return file < 0 ? 3 : fill(file, (size_t)number(2) << 20);
}

static int variant_fill_memfd(void) {
    int file = memfd_create("filled", 0);
    say("memfd_create", file < 0 ? errno : 0);
    return file < 0 ? 0 : fill(file, (size_t)number(2) << 20);
}

static int variant_sparse_file(void) {
    int file = open("/w/sparse", O_CREAT | O_WRONLY, 0600);
    signal(SIGXFSZ, SIG_IGN);
    say_errno("ftruncate", ftruncate(file, 1L << 40));
    say_errno("pwrite", pwrite(file, "x", 1, 1L << 40));
    return 0;
}

static int variant_many_files(void) {
    long made = 0;
    for (;; made++) {
        char name[64];
        snprintf(name, sizeof name, "/w/file-%ld", made);
        int file = open(name, O_CREAT | O_WRONLY, 0600);
        if (file < 0) break;
        close(file);
    }
    say("errno", errno);
    say("files", made);
    return 0;
}

static int variant_deep_directories(void) {
    long made = 0;
    while (mkdir("d", 0700) == 0 && chdir("d") == 0) made++;
    say("errno", errno);
    say("directories", made);
    return 0;
}

/* ---- output ---- */

static int variant_print(void) {
    static char block[4096];
    memset(block, 'y', sizeof block);
    long bytes = number(2);
    while (bytes > 0) {
        ssize_t written = write(1, block, bytes < (long)sizeof block ? (size_t)bytes : sizeof block);
        if (written < 0) return 3;
        bytes -= written;
    }
    return 0;
}

static int pour(int descriptor) {
    static char block[65536];
    memset(block, 'z', sizeof block);
    for (;;) {
        if (write(descriptor, block, sizeof block) < 0 && errno != EAGAIN) return 3;
    }
}

static int variant_print_forever(void) { return pour(1); }

static int variant_complain_forever(void) { return pour(2); }

/* ---- counts ---- */

static int variant_fork_bomb(void) {
    for (;;) fork();
    return 0;
}

static void *waiting_thread(void *unused) {
    for (;;) pause();
    return unused;
}

static int variant_thread_bomb(void) {
    long made = 0;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    pthread_t thread;
    int error;
    while ((error = pthread_create(&thread, &attributes, waiting_thread, NULL)) == 0) made++;
    say("errno", error);
    say("processes", made + 1);
    return 0;
}

static int variant_count_forks(void) {
    long made = 0;
    pid_t child;
    while ((child = fork()) > 0) made++;
    if (child == 0) {
        for (;;) pause();
    }
    say("errno", errno);
    say("processes", made + 1);
    return 0;
}

static int variant_zombies(void) {
    long made = 0;
    pid_t child;
    while ((child = fork()) > 0) made++;
    if (child == 0) _exit(0);
    say("errno", errno);
    say("processes", made + 1);
    return 0;
}

static int variant_count_files(void) {
    long highest = -1;
    int descriptor;
    while ((descriptor = open("/dev/null", O_RDONLY)) >= 0) highest = descriptor;
    say("errno", errno);
    say("descriptors", highest + 1);
    return 0;
}

static int variant_pipes(void) {
    static char block[65536];
    long made = 0;
    int ends[2];
    while (pipe2(ends, O_NONBLOCK) == 0) {
        while (write(ends[1], block, sizeof block) > 0) {
        }
        made++;
    }
    say("errno", errno);
    say("pipes", made);
    return 0;
}

/* Asks for N names that do not exist: the kernel remembers each, and charges it to the group. */
static int variant_look_up(void) {
    struct stat status;
    for (long asked = 0; asked < number(2); asked++) {
        char path[64];
        snprintf(path, sizeof path, "/usr/missing-%ld", asked);
        stat(path, &status);
    }
    return 0;
}

/* Socket pairs whose buffers are full, up to the limit of open files. */
static int variant_sockets(void) {
    static char block[65536];
    long made = 0;
    int ends[2];
    while (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0) {
        while (write(ends[0], block, sizeof block) > 0) {
        }
        while (write(ends[1], block, sizeof block) > 0) {
        }
        made++;
    }
    say("errno", errno);
    say("pairs", made);
    return 0;
}

/* Page tables without pages: reads one byte of every 2 MiB of N MiB of untouched memory. */
static int variant_page_tables(void) {
    size_t bytes = (size_t)number(2) << 20;
    char *memory = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    say("mmap", memory == MAP_FAILED ? errno : 0);
    if (memory == MAP_FAILED) return 0;
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    long sum = 0;
    for (size_t at = 0; at < bytes; at += 2 << 20) sum += ((volatile char *)memory)[at];
    say("sum", sum);
    return 0;
}

static void consume(const char *how, const char *path) {
    static char block[65536];
    int file = open(path, O_RDONLY);
    if (file < 0) exit(3);
    if (strcmp(how, "map") == 0) {
        struct stat status;
        fstat(file, &status);
        char *memory = mmap(NULL, status.st_size, PROT_READ, MAP_SHARED, file, 0);
        if (memory == MAP_FAILED) exit(3);
        long sum = 0;
        for (off_t at = 0; at < status.st_size; at += 4096) sum += ((volatile char *)memory)[at];
        say("sum", sum);
        munmap(memory, status.st_size);
    } else {
        while (read(file, block, sizeof block) > 0) {
        }
    }
    close(file);
}

/* Uses M MiB as HOW says, reads the file PATH, WHEN says in which order, with read(2) or through a mapping:
 *     use-and-read HOW M WHEN read|map PATH
 */
static int variant_use_and_read(void) {
    const char *how = text(2), *when = text(4);
    size_t bytes = (size_t)number(3) << 20;
    if (strcmp(when, "after") == 0) consume(text(5), text(6));
    if (strcmp(how, "children") == 0) {
        /* Four that hold a quarter each at the same time. */
        int ready[2], leave[2];
        if (pipe(ready) < 0 || pipe(leave) < 0) return 3;
        char byte = 1;
        for (int child = 0; child < 4; child++) {
            if (fork() == 0) {
                close(leave[1]);
                touch(pages(bytes / 4), bytes / 4);
                if (write(ready[1], &byte, 1) < 0) _exit(3);
                if (read(leave[0], &byte, 1) < 0) _exit(3);
                _exit(0);
            }
        }
        for (int child = 0; child < 4; child++) {
            if (read(ready[0], &byte, 1) != 1) return 3;
        }
        if (strcmp(when, "during") == 0) consume(text(5), text(6));
        close(leave[1]);
        while (wait(NULL) > 0) {
        }
    } else if (strcmp(how, "file") == 0) {
        int file = open("/w/used", O_CREAT | O_WRONLY, 0600);
        static char block[65536];
        for (size_t done = 0; done < bytes; done += sizeof block) {
            if (write(file, block, sizeof block) != sizeof block) return 3;
        }
        if (strcmp(when, "during") == 0) consume(text(5), text(6));
        unlink("/w/used");
        close(file);
    } else {
        int sharing = strcmp(how, "shared") == 0 ? MAP_SHARED : MAP_PRIVATE;
        char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) return 3;
        madvise(memory, bytes, MADV_NOHUGEPAGE);
        touch(memory, bytes);
        if (strcmp(when, "during") == 0) consume(text(5), text(6));
        munmap(memory, bytes);
    }
    if (strcmp(when, "before") == 0) consume(text(5), text(6));
    return 0;
}

static int variant_limits(void) {
    static const struct {
        const char *name;
        int resource;
    } limits[] = {
        {"stack", RLIMIT_STACK}, {"core", RLIMIT_CORE},       {"file_size", RLIMIT_FSIZE}, {"open_files", RLIMIT_NOFILE},
        {"cpu", RLIMIT_CPU},     {"memlock", RLIMIT_MEMLOCK}, {"data", RLIMIT_DATA},       {"processes", RLIMIT_NPROC},
    };
    for (size_t index = 0; index < sizeof limits / sizeof *limits; index++) {
        struct rlimit limit;
        if (getrlimit(limits[index].resource, &limit) < 0) return 3;
        say(limits[index].name, limit.rlim_cur == RLIM_INFINITY ? -1 : (long)limit.rlim_cur);
        if (limit.rlim_max != limit.rlim_cur) say("hard_differs", limits[index].resource);
    }
    struct rlimit more = {RLIM_INFINITY, RLIM_INFINITY};
    say_errno("raise", setrlimit(RLIMIT_STACK, &more));
    return 0;
}

/* ---- ways to end ---- */

static int variant_exit(void) { return (int)number(2); }

static int variant_raise(void) {
    raise((int)number(2));
    return 98;
}

static int variant_abort(void) { abort(); }

static int __attribute__((noinline)) deeper(volatile char *above) {
    volatile char here[1024];
    here[0] = above[0];
    return deeper(here) + here[0];
}

static int variant_recurse(void) {
    char start[1] = {0};
    return deeper(start);
}

/* ---- who and where one is ---- */

static int variant_identity(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    memset(data, 0, sizeof data);
    say("pid", getpid());
    say("parent", getppid());
    say("session_is_own", getsid(0) == getpid());
    say("uid", getuid());
    say("euid", geteuid());
    say("gid", getgid());
    say("egid", getegid());
    say("groups", getgroups(0, NULL));
    say_errno("capget", syscall(SYS_capget, &header, data));
    say("effective", data[0].effective | data[1].effective);
    say("permitted", data[0].permitted | data[1].permitted);
    say("inheritable", data[0].inheritable | data[1].inheritable);
    long bounding = 0;
    for (int capability = 0; capability < 64; capability++) {
        if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1) bounding++;
    }
    say("bounding", bounding);
    say("no_new_privileges", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    say("seccomp", prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
    say("dumpable", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
    mode_t mask = umask(0);
    umask(mask);
    say("umask", mask);
    sigset_t blocked;
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    long blocked_count = 0, changed = 0;
    for (int signal_number = 1; signal_number <= 64; signal_number++) {
        if (sigismember(&blocked, signal_number) == 1) blocked_count++;
        struct sigaction action;
        if (sigaction(signal_number, NULL, &action) == 0 && action.sa_handler != SIG_DFL) changed++;
    }
    say("blocked_signals", blocked_count);
    say("changed_signals", changed);
    cpu_set_t cores;
    CPU_ZERO(&cores);
    say_errno("sched_getaffinity", sched_getaffinity(0, sizeof cores, &cores));
    say("cores", CPU_COUNT(&cores));
    long open_descriptors = 0;
    for (int descriptor = 3; descriptor < 4096; descriptor++) {
        if (fcntl(descriptor, F_GETFD) >= 0) open_descriptors++;
    }
    say("descriptors_beyond_2", open_descriptors);
    long variables = 0;
    for (char **variable = environ; *variable != NULL; variable++) variables++;
    say("variables", variables);
    say("arguments", argument_count);
    char directory[4096];
    printf("directory %s\n", getcwd(directory, sizeof directory));
    char host[256];
    gethostname(host, sizeof host);
    printf("host %s\n", host);
    printf("name %s\n", arguments[0]);
    return 0;
}

static int variant_environment(void) {
    for (char **variable = environ; *variable != NULL; variable++) printf("%s\n", *variable);
    return 0;
}

static int variant_arguments(void) {
    for (int index = 2; index < argument_count; index++) printf("[%s]", arguments[index]);
    return 0;
}

/* The errno of opening each path for reading. */
static int variant_open(void) {
    for (int index = 2; index < argument_count; index++) {
        say_errno(arguments[index], open(arguments[index], O_RDONLY));
    }
    return 0;
}

/* The errno of making a file in each directory. */
static int variant_write(void) {
    for (int index = 2; index < argument_count; index++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/made", arguments[index]);
        say_errno(arguments[index], open(path, O_CREAT | O_WRONLY, 0600));
    }
    return 0;
}

static int variant_list(void) {
    DIR *directory = opendir(text(2));
    if (directory == NULL) {
        say("errno", errno);
        return 0;
    }
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) printf("%s\n", entry->d_name);
    return 0;
}

static int variant_network(void) {
    static const struct {
        const char *name;
        int family, kind, protocol;
    } sockets[] = {
        {"inet", AF_INET, SOCK_STREAM, 0},
        {"inet_datagram", AF_INET, SOCK_DGRAM, 0},
        {"inet6", AF_INET6, SOCK_STREAM, 0},
        {"netlink", AF_NETLINK, SOCK_RAW, 0},
        {"packet", AF_PACKET, SOCK_RAW, 0},
        {"vsock", AF_VSOCK, SOCK_STREAM, 0},
        {"alg", AF_ALG, SOCK_SEQPACKET, 0},
    };
    for (size_t index = 0; index < sizeof sockets / sizeof *sockets; index++) {
        say_errno(sockets[index].name, socket(sockets[index].family, sockets[index].kind, sockets[index].protocol));
    }
    say_errno("vsock_wide", syscall(SYS_socket, AF_VSOCK | 1L << 32, SOCK_STREAM, 0));
    return 0;
}

static int variant_namespaces(void) {
    static const struct {
        const char *name;
        unsigned long flag;
    } kinds[] = {
        {"mount", CLONE_NEWNS}, {"cgroup", CLONE_NEWCGROUP}, {"uts", CLONE_NEWUTS}, {"ipc", CLONE_NEWIPC},
        {"user", CLONE_NEWUSER}, {"pid", CLONE_NEWPID},      {"net", CLONE_NEWNET}, {"time", 0x80},
    };
    for (size_t index = 0; index < sizeof kinds / sizeof *kinds; index++) {
        char name[64];
        unsigned long flag = kinds[index].flag;
        snprintf(name, sizeof name, "unshare_%s", kinds[index].name);
        say_errno(name, syscall(SYS_unshare, flag));
        if (flag != 0x80) {
            snprintf(name, sizeof name, "clone_%s", kinds[index].name);
            long result = syscall(SYS_clone, flag | SIGCHLD, 0, 0, 0, 0);
            if (result == 0) _exit(0);
            say_errno(name, result);
        }
        /* struct clone_args, its first version: flags, pidfd, child_tid, parent_tid, exit_signal, ... */
        unsigned long long structure[8] = {flag, 0, 0, 0, SIGCHLD, 0, 0, 0};
        snprintf(name, sizeof name, "clone3_%s", kinds[index].name);
        long result = syscall(SYS_clone3, structure, sizeof structure);
        if (result == 0) _exit(0);
        say_errno(name, result);
        structure[0] = flag | CLONE_NEWUSER;
        snprintf(name, sizeof name, "clone3_user_and_%s", kinds[index].name);
        result = syscall(SYS_clone3, structure, sizeof structure);
        if (result == 0) _exit(0);
        say_errno(name, result);
    }
    return 0;
}

static int variant_attack_init(void) {
    for (int signal_number = 1; signal_number <= 64; signal_number++) kill(1, signal_number);
    kill(-1, SIGSTOP);
    say_errno("ptrace", ptrace(PTRACE_ATTACH, 1, NULL, NULL));
    struct rlimit none = {0, 0};
    static const int resources[] = {RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_FSIZE, RLIMIT_AS, RLIMIT_STACK};
    for (size_t index = 0; index < sizeof resources / sizeof *resources; index++) {
        if (syscall(SYS_prlimit64, 1, resources[index], &none, NULL) == 0) say("prlimit_of_init", resources[index]);
    }
    say_errno("setpriority", setpriority(PRIO_PROCESS, 0, -5));
    struct sched_param priority = {1};
    say_errno("sched_setscheduler", sched_setscheduler(0, SCHED_FIFO, &priority));
    cpu_set_t cores;
    memset(&cores, 0xff, sizeof cores);
    say_errno("sched_setaffinity", sched_setaffinity(0, sizeof cores, &cores));
    say_errno("setuid", setuid(0));
    say_errno("chroot", chroot("/w"));
    say_errno("mount", syscall(SYS_mount, "none", "/w", "tmpfs", 0, ""));
    return 0;
}

/* Locks, leases and notifications on a file that every box shows. */
static int variant_locks(void) {
    int file = open(text(2), O_RDONLY);
    if (file < 0) return 3;
    struct flock lock = {F_RDLCK, SEEK_SET, 0, 1, 0};
    say_errno("flock-exclusive", flock(file, LOCK_EX | LOCK_NB));
    say_errno("flock-shared", flock(file, LOCK_SH | LOCK_NB));
    say_errno("setlk", fcntl(file, F_SETLK, &lock));
    say_errno("setlkw", fcntl(file, F_SETLKW, &lock));
    say_errno("ofd-setlk", fcntl(file, F_OFD_SETLK, &lock));
    say_errno("ofd-setlkw", fcntl(file, F_OFD_SETLKW, &lock));
    lock.l_type = F_WRLCK;
    say_errno("getlk", fcntl(file, F_GETLK, &lock));
    say_errno("ofd-getlk", fcntl(file, F_OFD_GETLK, &lock));
    say_errno("setlease", fcntl(file, F_SETLEASE, F_RDLCK));
    say_errno("getlease", fcntl(file, F_GETLEASE));
    say_errno("notify", fcntl(file, F_NOTIFY, DN_ACCESS));
    return 0;
}

/* Programs of the kernel's packet filter on sockets of one's own. */
static int variant_socket_filters(void) {
    int ends[2];
    say_errno("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    struct sock_filter instruction = {6, 0, 0, 0x40000};
    struct sock_fprog program = {1, &instruction};
    int one = 1;
    say_errno("attach", setsockopt(ends[0], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
    say_errno("attach-bpf", setsockopt(ends[0], SOL_SOCKET, SO_ATTACH_BPF, &one, sizeof one));
    say_errno("attach-reuseport", setsockopt(ends[0], SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program));
    say_errno("attach-reuseport-bpf", setsockopt(ends[0], SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &one, sizeof one));
    say_errno("lock-filter", setsockopt(ends[0], SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof one));
    say_errno("size", setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &one, sizeof one));
    return 0;
}

/* Descriptors that send signals, go past the page cache, or hold more than they should. */
static int variant_status_flags(void) {
    int ends[2];
    if (pipe(ends) < 0) return 3;
    say_errno("async", fcntl(ends[0], F_SETFL, O_ASYNC));
    say_errno("direct", fcntl(ends[1], F_SETFL, O_DIRECT));
    say_errno("setown", fcntl(ends[0], F_SETOWN, getpid()));
    say_errno("setsig", fcntl(ends[0], F_SETSIG, SIGUSR1));
    say_errno("pipe-size", fcntl(ends[0], F_SETPIPE_SZ, 1 << 20));
    int one = 1;
    say_errno("fioasync", ioctl(ends[0], FIOASYNC, &one));
    say_errno("pipe-direct", pipe2(ends, O_DIRECT));
    say_errno("open-direct", open("/usr/bin/env", O_RDONLY | O_DIRECT));
    say_errno("huge-pages", mmap(NULL, 2 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0) == MAP_FAILED ? -1 : 0);
    say_errno("nonblock", fcntl(ends[0], F_SETFL, O_NONBLOCK));
    return 0;
}

/* Everything a program might do to the descriptors it was handed, and to what is behind them. */
static int variant_handed_in(void) {
    static const char *const names[] = {"stdin", "stdout", "stderr"};
    char name[64], path[64];
    for (int descriptor = 0; descriptor < 3; descriptor++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
#define ATTEMPT(what, call) (snprintf(name, sizeof name, "%s-" what, names[descriptor]), say_errno(name, call))
        int again = open(path, O_RDWR);
        ATTEMPT("fchmod", fchmod(descriptor, 0666));
        ATTEMPT("chmod", chmod(path, 0666));
        ATTEMPT("truncate", truncate(path, 0));
        ATTEMPT("ftruncate", ftruncate(descriptor, 0));
        ATTEMPT("seek", lseek(descriptor, 0, SEEK_SET));
        if (again < 0) again = open(path, O_WRONLY);
        ATTEMPT("write", again < 0 ? -1 : write(again, "forged\n", 7));
        ATTEMPT("truncate-again", again < 0 ? -1 : ftruncate(again, 0));
        ATTEMPT("map", again < 0 ? -1 : mmap(NULL, 1, PROT_WRITE, MAP_SHARED, again, 0) == MAP_FAILED ? -1 : 0);
        ATTEMPT("utimes", futimens(descriptor, NULL));
        ssize_t length = readlink(path, path, sizeof path - 1);
        path[length < 0 ? 0 : length] = 0;
        printf("%s is called %s\n", names[descriptor], path);
#undef ATTEMPT
    }
    return 0;
}

/* ---- what could be left behind ---- */

static int variant_leave_traces(void) {
    say_errno("file", open("/w/trace", O_CREAT | O_WRONLY, 0666));
    say_errno("directory", mkdir("/w/.hidden", 0777));
    say_errno("tmp", open("/tmp/other", O_CREAT | O_WRONLY, 0666));
    chmod("/w", 0700);
    say_errno("shmget", shmget(4711, 4096, IPC_CREAT | 0666));
    say_errno("msgget", syscall(SYS_msgget, 4711, IPC_CREAT | 0666));
    say_errno("semget", syscall(SYS_semget, 4711, 1, IPC_CREAT | 0666));
    struct mq_attr attributes = {0, 1, 1, 0, {0}};
    say_errno("mq_open", syscall(SYS_mq_open, "trace", O_CREAT | O_RDWR, 0666, &attributes));
    say_errno("add_key", syscall(SYS_add_key, "user", "trace", "x", 1, -4));
    say_errno("dev_shm", open("/dev/shm/trace", O_CREAT | O_WRONLY, 0666));
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (listener >= 0) {
        struct sockaddr_un address = {AF_UNIX, "\0trace"};
        say_errno("bind", bind(listener, (struct sockaddr *)&address, sizeof address));
    }
    umask(0777);
    return 0;
}

static int variant_look_for_traces(void) {
    long entries = 0;
    DIR *directory = opendir("/w");
    if (directory == NULL) return 3;
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) entries++;
    say("entries", entries - 2);
    struct stat status;
    if (stat("/w", &status) < 0) return 3;
    say("mode", status.st_mode & 07777);
    say("made_by_root", status.st_uid == 0 || status.st_uid == 65534);
    /* Within this run's life: a directory that is older was somebody else's, or is untouched since it was new. */
    mode_t mask = umask(0);
    say("umask", mask);
    say_errno("file", open("/w/trace", O_CREAT | O_EXCL | O_WRONLY, 0666));
    return 0;
}

/* ---- what could tell one run from another ---- */

static void say_of(const char *path, const char *name, long long value) {
    printf("%s.%s %lld\n", path, name, value);
}

/* `own`: a file of the box's own, whose device, times of access and change do not depend on the host. */
static void say_status(const char *path, const struct stat *status, int own) {
    say_of(path, "inode", status->st_ino);
    say_of(path, "mode", status->st_mode);
    say_of(path, "links", status->st_nlink);
    say_of(path, "owner", status->st_uid);
    say_of(path, "group", status->st_gid);
    say_of(path, "bytes", status->st_size);
    say_of(path, "modified", status->st_mtim.tv_sec * 1000000000LL + status->st_mtim.tv_nsec);
    if (own) {
        say_of(path, "device", status->st_dev);
        say_of(path, "accessed", status->st_atim.tv_sec * 1000000000LL + status->st_atim.tv_nsec);
        say_of(path, "changed", status->st_ctim.tv_sec * 1000000000LL + status->st_ctim.tv_nsec);
    }
}

static void say_entries(const char *path) {
    DIR *directory = opendir(path);
    if (directory == NULL) return;
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        printf("%s/%s.entry %lu at %ld\n", path, entry->d_name, entry->d_ino, entry->d_off);
    }
    closedir(directory);
}

static void say_lines(const char *path) {
    char text[4096];
    int file = open(path, O_RDONLY);
    if (file < 0) return;
    ssize_t length = read(file, text, sizeof text);
    close(file);
    printf("%s: %.*s\n", path, (int)(length > 0 ? length : 0), text);
}

static void *say_thread(void *nothing) {
    say("thread", syscall(SYS_gettid));
    return nothing;
}

/* Everything that is to be the same in every run. */
static int variant_state(void) {
    static const struct {
        const char *path;
        int own;
    } files[] = {
        {"/", 1}, {"/etc", 1}, {"/etc/passwd", 1}, {"/etc/hosts", 1}, {"/dev", 1}, {"/tmp", 1}, {"/dev/null", 0},
        {"/dev/zero", 0}, {"/dev/full", 0}, {"/dev/random", 0}, {"/dev/urandom", 0}, {"/usr", 0}, {"/program", 0},
        {"/program/misbehave", 0}, {"/w", 0},
    };
    say("process", getpid());
    say("parent", getppid());
    say("session", getsid(0));
    say("group", getpgid(0));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        pid_t grandchild = fork();
        if (grandchild == 0) _exit(0);
        say("child", getpid());
        say("grandchild", grandchild);
        while (wait(NULL) > 0) {
        }
        _exit(0);
    }
    while (wait(NULL) > 0) {
    }
    pthread_t thread;
    if (pthread_create(&thread, NULL, say_thread, NULL) == 0) pthread_join(thread, NULL);
    struct stat status;
    for (size_t index = 0; index < sizeof files / sizeof *files; index++) {
        if (lstat(files[index].path, &status) == 0) say_status(files[index].path, &status, files[index].own);
    }
    if (fstat(0, &status) == 0) say_status("input", &status, 0);
    say("input_flags", fcntl(0, F_GETFL));
    say("input_owner", fcntl(0, F_GETOWN));
    say_entries("/");
    say_entries("/dev");
    int file = open("/w/file", O_CREAT | O_RDWR, 0666);
    if (fstat(file, &status) == 0) say_of("/w/file", "inode", status.st_ino);
    mkdir("/w/directory", 0777);
    say_entries("/w");
    timer_t timer;
    struct sigevent nothing = {.sigev_notify = SIGEV_NONE};
    say_errno("timer_create", timer_create(CLOCK_MONOTONIC, &nothing, &timer));
    say("timer", (long)timer);
    say("next_descriptor", dup(0));
    mode_t mask = umask(0);
    say("umask", mask);
    say("nice", getpriority(PRIO_PROCESS, 0));
    say("policy", sched_getscheduler(0));
    say("timer_slack", prctl(PR_GET_TIMERSLACK));
    for (int resource = 0; resource < 16; resource++) {
        struct rlimit limit;
        if (getrlimit(resource, &limit) == 0) printf("limit %d: %lu %lu\n", resource, limit.rlim_cur, limit.rlim_max);
    }
    struct statfs { char room[256]; } space;
    say_errno("statfs", syscall(SYS_statfs, "/usr", &space));
    say_errno("fstatfs", syscall(SYS_fstatfs, 0, &space));
    char room[256];
    say_errno("unique_mount", syscall(SYS_statx, AT_FDCWD, "/w", 0, 0x4000, room));
    int pair[2], length = 8;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) {
        say_errno("cookie", syscall(SYS_getsockopt, pair[0], SOL_SOCKET, 57, room, &length));
    }
    say_lines("/proc/self/cgroup");
    say_lines("/proc/self/comm");
    say_lines("/proc/self/limits");
    return 0;
}

/* Whatever a run could do to make a later one see something else. */
static int variant_disturb(void) {
    static const char *const paths[] = {
        "/", "/etc", "/etc/passwd", "/dev", "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom",
        "/usr", "/program", "/program/misbehave",
    };
    static const struct timespec times[2] = {{86400, 0}, {86400, 0}};
    for (size_t index = 0; index < sizeof paths / sizeof *paths; index++) {
        char name[80];
        snprintf(name, sizeof name, "utimensat %s", paths[index]);
        say_errno(name, utimensat(AT_FDCWD, paths[index], NULL, 0));
        snprintf(name, sizeof name, "utimensat of %s", paths[index]);
        say_errno(name, utimensat(AT_FDCWD, paths[index], times, 0));
        snprintf(name, sizeof name, "chmod %s", paths[index]);
        say_errno(name, chmod(paths[index], 0777));
    }
    for (int descriptor = 0; descriptor < 1; descriptor++) {
        say_errno("futimens of input", futimens(descriptor, NULL));
        say_errno("fchmod of input", fchmod(descriptor, 0600));
        fcntl(descriptor, F_SETFL, O_NONBLOCK | O_APPEND);
    }
    for (long child = number(2); child > 0; child--) {
        pid_t id = fork();
        if (id == 0) _exit(0);
        if (id > 0 && child % 2 == 0) waitpid(id, NULL, 0);
    }
    /* Made and gone again: the directory looks as before, its counters do not. */
    for (long file = number(2); file > 0; file--) {
        char name[80];
        snprintf(name, sizeof name, "/w/%ld", file);
        close(open(name, O_CREAT | O_WRONLY, 0666));
        unlink(name);
    }
    utimensat(AT_FDCWD, "/w", times, 0);
    umask(0777);
    prctl(PR_SET_TIMERSLACK, 1000000);
    return 0;
}

/* ---- questions that programs of every day ask ---- */

static int variant_attributes(void) {
    char value[256];
    say_errno("getxattr", getxattr("/", "user.nothing", value, sizeof value));
    say_errno("lgetxattr", lgetxattr("/", "security.selinux", value, sizeof value));
    say_errno("fgetxattr", fgetxattr(0, "user.nothing", value, sizeof value));
    say_errno("listxattr", listxattr("/", value, sizeof value));
    say_errno("llistxattr", llistxattr("/", value, sizeof value));
    say_errno("flistxattr", flistxattr(0, value, sizeof value));
    say_errno("setxattr", setxattr("/w", "user.trace", "x", 1, 0));
    say_errno("removexattr", removexattr("/w", "user.trace"));
    return 0;
}

static const struct {
    const char *name;
    int (*run)(void);
} variants[] = {
    {"spin", variant_spin},
    {"spin-for", variant_spin_for},
    {"children-spin-for", variant_children_spin_for},
    {"ignored-children-spin-for", variant_ignored_children_spin_for},
    {"children-spin", variant_children_spin},
    {"daemon-and-wait", variant_daemon_and_wait},
    {"daemon-and-leave", variant_daemon_and_leave},
    {"chain", variant_chain},
    {"catch-xcpu", variant_catch_xcpu},
    {"threads-spin", variant_threads_spin},
    {"threads-burst", variant_threads_burst},
    {"spin-on", variant_spin_on},
    {"threads", variant_threads},
    {"close-and-spin", variant_close_and_spin},
    {"sleep", variant_sleep},
    {"stop", variant_stop},
    {"touch", variant_touch},
    {"touch-malloc", variant_touch_malloc},
    {"touch-stack", variant_touch_stack},
    {"children-touch", variant_children_touch},
    {"fill-file", variant_fill_file},
    {"fill-memfd", variant_fill_memfd},
    {"sparse-file", variant_sparse_file},
    {"many-files", variant_many_files},
    {"deep-directories", variant_deep_directories},
    {"print", variant_print},
    {"print-forever", variant_print_forever},
    {"complain-forever", variant_complain_forever},
    {"fork-bomb", variant_fork_bomb},
    {"thread-bomb", variant_thread_bomb},
    {"count-forks", variant_count_forks},
    {"zombies", variant_zombies},
    {"count-files", variant_count_files},
    {"pipes", variant_pipes},
    {"sockets", variant_sockets},
    {"page-tables", variant_page_tables},
    {"look-up", variant_look_up},
    {"use-and-read", variant_use_and_read},
    {"limits", variant_limits},
    {"exit", variant_exit},
    {"raise", variant_raise},
    {"abort", variant_abort},
    {"recurse", variant_recurse},
    {"identity", variant_identity},
    {"environment", variant_environment},
    {"arguments", variant_arguments},
    {"open", variant_open},
    {"write", variant_write},
    {"list", variant_list},
    {"network", variant_network},
    {"namespaces", variant_namespaces},
    {"attack-init", variant_attack_init},
    {"locks", variant_locks},
    {"socket-filters", variant_socket_filters},
    {"status-flags", variant_status_flags},
    {"handed-in", variant_handed_in},
    {"leave-traces", variant_leave_traces},
    {"look-for-traces", variant_look_for_traces},
    {"state", variant_state},
    {"disturb", variant_disturb},
    {"attributes", variant_attributes},
};

int main(int count, char **list) {
    argument_count = count;
    arguments = list;
    for (size_t index = 0; index < sizeof variants / sizeof *variants; index++) {
        if (strcmp(text(1), variants[index].name) == 0) return variants[index].run();
    }
    fprintf(stderr, "unknown variant %s\n", text(1));
    return 99;
}
