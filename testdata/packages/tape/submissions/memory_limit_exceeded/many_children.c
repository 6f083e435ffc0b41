// @EXPECTED_RESULTS@: MLE
// No process is near the limit; eight of 64 MiB together are. Where it may not fork, one holds it all.
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void hold(size_t size) {
    volatile char *block = malloc(size);
    for (size_t place = 0; block && place < size; place += 4096) block[place] = 1;
}

int main(void) {
    for (int child = 0; child < 8; ++child) {
        pid_t process = fork();
        if (process < 0) {
            hold((size_t)512 << 20);
            return 0;
        }
        if (process == 0) {
            hold((size_t)64 << 20);
            for (;;) pause();
        }
    }
    while (wait(NULL) > 0) {
    }
    return 0;
}
