/* A program of known appetite.
 *   memory MIB        touches so much
 *   family MIB COUNT  COUNT children, each of which touches so much, all at the same time
 *   curious COUNT     asks for so many names that do not exist
 *   hide MIB FILE     touches so much, gives it back, then reads the file
 *   quick MS COUNT    as burn, and nobody waits for the children: they are of no process's account
 *   burn MS COUNT     COUNT children, one after the other, each using so much CPU time; prints the sum in us
 *   bomb              children that stay, as many as it gets; prints how many
 *   endless-bomb      the same without end, in every child too
 *   spin              CPU time without end, in children
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile char *touch(size_t mebibytes) {
    if (mebibytes == 0) return NULL;
    volatile char *place =
        mmap(NULL, mebibytes << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED) _exit(3);
    for (size_t byte = 0; byte < mebibytes << 20; byte += 4096) place[byte] = 1;
    return place;
}

static long used(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

int main(int count, char **words) {
    const char *what = count > 1 ? words[1] : "";
    long first = count > 2 ? atol(words[2]) : 0, second = count > 3 ? atol(words[3]) : 1;
    if (!strcmp(what, "memory")) {
        touch(first);
    } else if (!strcmp(what, "family")) {
        int ready[2], go[2];
        char byte = 0;
        if (pipe(ready) || pipe(go)) return 3;
        for (long child = 0; child < second; child++)
            if (fork() == 0) {
                touch(first);
                write(ready[1], &byte, 1);
                close(go[1]);
                read(go[0], &byte, 1);
                _exit(0);
            }
        for (long child = 0; child < second; child++) read(ready[0], &byte, 1);
        close(go[1]);
        while (wait(NULL) > 0) {}
    } else if (!strcmp(what, "curious")) {
        struct stat status;
        char path[64];
        for (long name = 0; name < first; name++) {
            snprintf(path, sizeof path, "/usr/missing-%ld", name);
            stat(path, &status);
        }
    } else if (!strcmp(what, "hide")) {
        static char block[65536];
        munmap((void *)touch(first), first << 20);
        int file = open(words[3], O_RDONLY);
        if (file < 0) return 3;
        while (read(file, block, sizeof block) > 0) {}
    } else if (!strcmp(what, "quick")) {
        signal(SIGCHLD, SIG_IGN);
        for (long child = 0; child < second; child++) {
            int ends[2];
            char byte;
            if (pipe(ends)) return 3;
            if (fork() == 0) {
                while (used() < first * 1000) {}
                _exit(0);
            }
            close(ends[1]);
            if (read(ends[0], &byte, 1) != 0) return 3;
            close(ends[0]);
        }
    } else if (!strcmp(what, "burn")) {
        for (long child = 0; child < second; child++) {
            if (fork() == 0) {
                while (used() < first * 1000) {}
                _exit(0);
            }
            wait(NULL);
        }
        struct rusage own, children;
        getrusage(RUSAGE_SELF, &own);
        getrusage(RUSAGE_CHILDREN, &children);
        printf("%ld\n", own.ru_utime.tv_sec * 1000000L + own.ru_utime.tv_usec + own.ru_stime.tv_sec * 1000000L
            + own.ru_stime.tv_usec + children.ru_utime.tv_sec * 1000000L + children.ru_utime.tv_usec
            + children.ru_stime.tv_sec * 1000000L + children.ru_stime.tv_usec);
    } else if (!strcmp(what, "bomb")) {
        int born = 0;
        for (pid_t child; (child = fork()) >= 0; born++)
            if (child == 0) for (;;) pause();
        printf("%d\n", born);
    } else if (!strcmp(what, "endless-bomb")) {
        for (;;) fork();
    } else if (!strcmp(what, "spin")) {
        fork();
        for (;;) {}
    }
    return 0;
}
