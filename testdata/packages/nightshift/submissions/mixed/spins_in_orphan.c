// @EXPECTED_RESULTS@: TLE
// The one that spends the time has no parent left to account for it.
#include <unistd.h>

int main(void) {
    int ends[2];
    char byte;
    if (pipe(ends) != 0) return 1;
    pid_t child = fork();
    if (child > 0) {
        close(ends[1]);
        return read(ends[0], &byte, 1) == 0 ? 0 : 1;
    }
    if (child == 0 && fork() > 0) _exit(0);
    volatile unsigned long count = 0;
    for (;;) ++count;
}
