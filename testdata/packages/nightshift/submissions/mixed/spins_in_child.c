// @EXPECTED_RESULTS@: TLE
// The first process waits; its child spends the time.
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    pid_t child = fork();
    if (child > 0) {
        while (waitpid(child, 0, 0) < 0) {
        }
        return 0;
    }
    volatile unsigned long count = 0;
    for (;;) ++count;
}
