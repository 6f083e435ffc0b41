// @EXPECTED_RESULTS@: MLE
// No process is near the limit; eight of 64 MiB together are. Where it may not fork, one does it all.
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile char *hold(size_t size) {
    char *block = malloc(size);
    if (!block) abort();
    memset(block, 1, size);
    return block;
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
