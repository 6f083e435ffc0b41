// @EXPECTED_RESULTS@: TLE
// Asked to stop, it spins on.
#include <signal.h>

int main(void) {
    signal(SIGXCPU, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGALRM, SIG_IGN);
    volatile unsigned long count = 0;
    for (;;) ++count;
}
